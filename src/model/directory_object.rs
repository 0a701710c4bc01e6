//! Directory objects below a GPO: the class store and its packages [MS-GPSI 2.2.3].

/// One object below a GPO's container, with the attributes a backup carries.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct DirectoryObject {
    /// The RDNs below the GPO, nearest first: `["CN=Class Store", "CN=Machine"]`. The GPO's own DN is not part of it.
    pub rdns: Vec<String>,
    /// The most specific structural class: `classStore`, `packageRegistration`, …
    pub object_class: String,
    /// The attributes in the order of the source, without those a server makes itself.
    pub attributes: Vec<DirectoryAttribute>,
    /// The self-relative security descriptor, if it was read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub security_descriptor: Option<Vec<u8>>,
}

/// An attribute and its values.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DirectoryAttribute {
    /// The LDAP name.
    pub name: String,
    /// The values.
    pub values: AttributeValues,
}

/// Values by their syntax, as the elements `DSAttributeString`, … of Backup.xml tell them apart.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttributeValues {
    /// `DSAttributeString`: one text, or none.
    String(Option<String>),
    /// `DSAttributeExpandedString`: one text in which `%GPO_DSPATH%` and its like are variables.
    ExpandedString(Option<String>),
    /// `DSAttributeMultiString`: texts.
    MultiString(Vec<String>),
    /// `DSAttributeDWORD`: one unsigned 32-bit number, or none. LDAP carries it signed.
    Dword(Option<u32>),
    /// `DSAttributeMultiDWORD`: unsigned 32-bit numbers.
    MultiDword(Vec<u32>),
    /// `DSAttributeBinary`: bytes; several values when the attribute has several.
    Binary(Vec<Vec<u8>>),
}

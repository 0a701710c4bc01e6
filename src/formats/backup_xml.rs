//! `Backup.xml`: the principals and paths of a backup, the core settings of the GPO, and the list of saved objects.

mod directory_objects;
mod write;

pub use directory_objects::{
    DsPaths, class_store, is_in_class_store, is_whole_in_class_store, read_objects,
};

use super::verbatim::{ToGpmcBytes, Verbatim};
use super::xml_tree::{self, Element, InvalidXml};
use crate::model::directory_object::{AttributeValues, DirectoryAttribute};
use crate::model::principal::{Principal, PrincipalType};
use crate::model::snapshot::InventoryPrincipal;

/// The namespace of Backup.xml, for its elements and its attributes.
pub const NAMESPACE: &str = "http://www.microsoft.com/GroupPolicy/GPOOperations";

/// The maximum nesting of saved objects.
const MAX_ENTRY_DEPTH: usize = 16;

/// The maximum number of problems that are kept of one file; the last one says that there are more.
const MAX_PROBLEMS: usize = 1000;

/// The content of Backup.xml.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BackupXml {
    /// `SecurityGroups`.
    pub principals: Vec<InventoryPrincipal>,
    /// `FilePaths`.
    pub file_paths: Vec<String>,
    /// `GroupPolicyCoreSettings`.
    pub core: CoreSettings,
    /// The `GroupPolicyExtension` blocks.
    pub extensions: Vec<Extension>,
}

/// `GroupPolicyCoreSettings`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CoreSettings {
    /// The GPO's GUID in braces, in its original case.
    pub id: String,
    /// The DNS name of its domain.
    pub domain: String,
    /// The DACL as a self-relative descriptor; empty when there is none.
    pub security_descriptor: Vec<u8>,
    /// The display name.
    pub display_name: String,
    /// `flags` of the GPO.
    pub options: u32,
    /// The user versions: SYSVOL × 65536 + directory.
    pub user_version: u32,
    /// The computer versions: SYSVOL × 65536 + directory.
    pub machine_version: u32,
    /// `gPCMachineExtensionNames`.
    pub machine_extensions: String,
    /// `gPCUserExtensionNames`.
    pub user_extensions: String,
    /// `MSFT_SomFilter.ID="{GUID}",Domain="dns"`, or empty.
    pub wmi_filter: String,
    /// The filter's name; the element exists only with a filter.
    pub wmi_filter_name: Option<String>,
}

/// A `GroupPolicyExtension`: the objects saved by GPMC's handler for one client-side extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The extension's GUID in braces, in the case that GPMC writes.
    pub id: String,
    /// Its name.
    pub description: String,
    /// The saved objects.
    pub entries: Vec<Entry>,
}

/// A saved file, folder or directory object, or a pattern that matches several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// `FSObjectFile`.
    File(FsObject),
    /// `FSObjectDir`.
    Dir(FsObject),
    /// `DSObject`.
    Object(DsObject),
}

/// A file or folder, or a pattern that matches several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FsObject {
    /// The path with one of the variables `%GPO_FSPATH%`, `%GPO_MACH_FSPATH%`, `%GPO_USER_FSPATH%`.
    pub path: String,
    /// The UNC path it was read from.
    pub source_expanded_path: String,
    /// Its location below the backup's folder, with backslashes. `None` when nothing was saved.
    pub location: Option<String>,
    /// The name of the handler that finds references in it.
    pub re_evaluate_function: Option<String>,
    /// The objects matched by a pattern.
    pub children: Vec<Entry>,
}

/// A directory object, or a pattern that matches several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DsObject {
    /// The DN with `%GPO_DSPATH%`, `%GPO_MACH_DSPATH%` or `%GPO_USER_DSPATH%` at its end.
    pub path: String,
    /// The class.
    pub object_class: String,
    /// The DN it was read from.
    pub source_expanded_path: String,
    /// The name of the handler that finds references in it.
    pub re_evaluate_function: Option<String>,
    /// Its content, in order.
    pub children: Vec<DsChild>,
}

/// A part of a directory object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DsChild {
    /// A child object, or a file that belongs to the object.
    Entry(Entry),
    /// Its security descriptor, self-relative; empty in a pattern.
    SecurityDescriptor(Vec<u8>),
    /// An attribute.
    Attribute(DirectoryAttribute),
}

impl ToGpmcBytes for BackupXml {
    fn to_gpmc_bytes(&self) -> Vec<u8> {
        write::write(self)
    }
}

impl BackupXml {
    /// All saved files and folders, in order: whether the entry is a folder, and its `Location`.
    pub fn locations(&self) -> Vec<(bool, &str)> {
        let mut found = Vec::new();
        for extension in &self.extensions {
            for entry in &extension.entries {
                entry.locations(&mut found);
            }
        }
        found
    }
}

impl Entry {
    fn locations<'a>(&'a self, found: &mut Vec<(bool, &'a str)>) {
        match self {
            Self::File(object) | Self::Dir(object) => {
                if let Some(location) = &object.location {
                    found.push((matches!(self, Self::Dir(_)), location));
                }
                for child in &object.children {
                    child.locations(found);
                }
            }
            Self::Object(object) => {
                for child in &object.children {
                    if let DsChild::Entry(entry) = child {
                        entry.locations(found);
                    }
                }
            }
        }
    }
}

/// A parsed Backup.xml, and the values in it that could not be parsed and are ignored.
#[derive(Debug, Clone)]
pub struct ReadBackupXml {
    /// The value and its bytes.
    pub backup: Verbatim<BackupXml>,
    /// Invalid values, each with its line.
    pub problems: Vec<InvalidXml>,
}

/// Reads Backup.xml.
///
/// # Errors
/// When it is not well-formed XML, its root is not `GroupPolicyBackupScheme`, it has no core settings, or saved objects
/// are nested too deeply.
pub fn parse(bytes: &[u8]) -> Result<ReadBackupXml, InvalidXml> {
    let root = xml_tree::parse(bytes)?;
    let object = root
        .expect(NAMESPACE, "GroupPolicyBackupScheme")?
        .named("GroupPolicyObject")
        .next()
        .ok_or_else(|| root.error("GroupPolicyObject is missing"))?;
    let mut reader = BackupReader::default();
    let core = object
        .named("GroupPolicyCoreSettings")
        .next()
        .ok_or_else(|| object.error("GroupPolicyCoreSettings is missing"))?;
    let groups = || {
        let lists = object.named("SecurityGroups");
        lists.flat_map(|groups| groups.named("Group"))
    };
    // Counted first: a list that grows would hold many times the bytes of empty elements.
    let mut principals = Vec::with_capacity(groups().count());
    principals.extend(groups().map(|group| reader.principal(group)));
    let value = BackupXml {
        principals,
        file_paths: object
            .named("FilePaths")
            .flat_map(|paths| paths.named("Path"))
            .map(Element::text)
            .collect(),
        core: reader.core(core),
        extensions: object
            .named("GroupPolicyExtension")
            .map(|extension| {
                Ok(Extension {
                    id: attribute(extension, "ID"),
                    description: attribute(extension, "DescName"),
                    entries: extension
                        .elements()
                        .filter_map(|child| reader.entry(child, 0).transpose())
                        .collect::<Result<_, InvalidXml>>()?,
                })
            })
            .collect::<Result<_, InvalidXml>>()?,
    };
    // The value is copied, and needs the tree no longer.
    drop(root);
    Ok(ReadBackupXml {
        backup: Verbatim::parsed(value, bytes),
        problems: reader.problems,
    })
}

fn attribute(element: &Element, name: &str) -> String {
    element.attribute(name).unwrap_or_default().to_owned()
}

#[derive(Default)]
struct BackupReader {
    problems: Vec<InvalidXml>,
}

impl BackupReader {
    fn problem(&mut self, element: &Element, reason: String) {
        match self.problems.len() {
            ..MAX_PROBLEMS => self.problems.push(element.error(reason)),
            MAX_PROBLEMS => self.problems.push(element.error("more problems follow")),
            _ => {}
        }
    }

    fn principal(&mut self, group: &Element) -> InventoryPrincipal {
        let sid = group.child_text("Sid");
        let sid = match sid.trim() {
            "" => None,
            text => match text.parse() {
                Ok(sid) => Some(sid),
                Err(error) => {
                    self.problem(group, format!("Sid: {error}"));
                    None
                }
            },
        };
        let kind = group.child_text("Type");
        let kind = PrincipalType::from_literal(&kind).unwrap_or_else(|| {
            self.problem(
                group,
                format!("\"{}\" is not a principal type", kind.escape_debug()),
            );
            PrincipalType::Unknown
        });
        InventoryPrincipal {
            principal: Principal {
                sid,
                sam_account_name: group.child_text("SamAccountName"),
                kind,
                netbios_domain: group.child_text("NetBIOSDomainName"),
                dns_domain: group.child_text("DnsDomainName"),
                upn: group.child_text("UPN"),
            },
            from_dacl: group.attribute("Source") == Some("FromDACL"),
        }
    }

    fn core(&mut self, core: &Element) -> CoreSettings {
        CoreSettings {
            id: core.child_text("ID"),
            domain: core.child_text("Domain"),
            security_descriptor: core
                .named("SecurityDescriptor")
                .next()
                .map(|element| self.hex(element))
                .unwrap_or_default(),
            display_name: core.child_text("DisplayName"),
            options: self.number(core, "Options"),
            user_version: self.number(core, "UserVersionNumber"),
            machine_version: self.number(core, "MachineVersionNumber"),
            machine_extensions: core.child_text("MachineExtensionGuids"),
            user_extensions: core.child_text("UserExtensionGuids"),
            wmi_filter: core.child_text("WMIFilter"),
            wmi_filter_name: core.named("WMIFilterName").next().map(Element::text),
        }
    }

    /// The number in a child element; 0 if it is missing or empty.
    fn number(&mut self, parent: &Element, name: &str) -> u32 {
        let Some(element) = parent.named(name).next() else {
            return 0;
        };
        let text = element.text();
        match text.trim() {
            "" => 0,
            digits => digits.parse().unwrap_or_else(|_| {
                let text = text.escape_debug();
                self.problem(element, format!("{name} \"{text}\" is not a number"));
                0
            }),
        }
    }

    /// Parses bytes written as pairs of hexadecimal digits separated by spaces; empty when they are malformed.
    fn hex(&mut self, element: &Element) -> Vec<u8> {
        let text = element.text();
        let bytes: Option<Vec<u8>> = text
            .split_ascii_whitespace()
            .map(|pair| match pair.as_bytes() {
                [a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                    u8::from_str_radix(pair, 16).ok()
                }
                _ => None,
            })
            .collect();
        bytes.unwrap_or_else(|| {
            self.problem(element, format!("{} is not a row of bytes", element.name));
            Vec::new()
        })
    }

    fn entry(&mut self, element: &Element, depth: usize) -> Result<Option<Entry>, InvalidXml> {
        if depth > MAX_ENTRY_DEPTH {
            return Err(element.error("saved objects are nested too deep"));
        }
        if element.namespace != NAMESPACE {
            return Ok(None);
        }
        Ok(match element.name.as_str() {
            "FSObjectFile" => Some(Entry::File(self.fs_object(element, depth)?)),
            "FSObjectDir" => Some(Entry::Dir(self.fs_object(element, depth)?)),
            "DSObject" => Some(Entry::Object(self.ds_object(element, depth)?)),
            other => {
                self.problem(
                    element,
                    format!("<{}> is not known here", other.escape_debug()),
                );
                None
            }
        })
    }

    fn fs_object(&mut self, element: &Element, depth: usize) -> Result<FsObject, InvalidXml> {
        Ok(FsObject {
            path: attribute(element, "Path"),
            source_expanded_path: attribute(element, "SourceExpandedPath"),
            location: element.attribute("Location").map(str::to_owned),
            re_evaluate_function: element.attribute("ReEvaluateFunction").map(str::to_owned),
            children: element
                .elements()
                .filter_map(|child| self.entry(child, depth + 1).transpose())
                .collect::<Result<_, InvalidXml>>()?,
        })
    }

    fn ds_object(&mut self, element: &Element, depth: usize) -> Result<DsObject, InvalidXml> {
        let mut children = Vec::new();
        for child in element.elements() {
            if child.name == "SecurityDescriptor" {
                children.push(DsChild::SecurityDescriptor(self.hex(child)));
            } else if let Some(kind) = child.name.strip_prefix("DSAttribute") {
                children.extend(self.attribute(child, kind).map(DsChild::Attribute));
            } else {
                children.extend(self.entry(child, depth + 1)?.map(DsChild::Entry));
            }
        }
        Ok(DsObject {
            path: attribute(element, "Path"),
            object_class: attribute(element, "ObjectClass"),
            source_expanded_path: attribute(element, "SourceExpandedPath"),
            re_evaluate_function: element.attribute("ReEvaluateFunction").map(str::to_owned),
            children,
        })
    }

    fn attribute(&mut self, element: &Element, kind: &str) -> Option<DirectoryAttribute> {
        let elements: Vec<&Element> = element.named("DSValue").collect();
        let texts = || elements.iter().map(|value| value.text());
        let mut numbers = Vec::new();
        if kind.ends_with("DWORD") {
            for text in texts() {
                match text.trim().parse::<u32>() {
                    Ok(number) => numbers.push(number),
                    Err(_) => self.problem(
                        element,
                        format!(
                            "\"{}\" is not an unsigned 32-bit number",
                            text.escape_debug()
                        ),
                    ),
                }
            }
        }
        let values = match kind {
            "String" => AttributeValues::String(texts().next()),
            "ExpandedString" => AttributeValues::ExpandedString(texts().next()),
            "MultiString" => AttributeValues::MultiString(texts().collect()),
            "DWORD" => AttributeValues::Dword(numbers.first().copied()),
            "MultiDWORD" => AttributeValues::MultiDword(numbers),
            "Binary" => {
                AttributeValues::Binary(elements.iter().map(|value| self.hex(value)).collect())
            }
            other => {
                self.problem(
                    element,
                    format!("<DSAttribute{}> is not known", other.escape_debug()),
                );
                return None;
            }
        };
        Some(DirectoryAttribute {
            name: attribute(element, "DSAttrName"),
            values,
        })
    }
}

#[cfg(test)]
mod tests;

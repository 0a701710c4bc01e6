//! `bkupInfo.xml`: the index entry of one backup.

use super::verbatim::{ToGpmcBytes, Verbatim};
use super::xml_tree::{self, Element, InvalidXml, cdata};

/// The namespace of bkupInfo.xml and manifest.xml.
pub const NAMESPACE: &str = "http://www.microsoft.com/GroupPolicy/GPOOperations/Manifest";

/// A `BackupInst`: all fields as unchanged text. A missing field is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BackupInst {
    /// The GPO's GUID in braces, usually in upper case.
    pub gpo_guid: String,
    /// The DNS name of its domain.
    pub gpo_domain: String,
    /// `objectGUID` of the domain in braces, in lower case.
    pub gpo_domain_guid: String,
    /// The host name of the DC it was read from.
    pub gpo_domain_controller: String,
    /// The time of the backup: `YYYY-MM-DDTHH:MM:SS`, UTC, without a zone.
    pub backup_time: String,
    /// The backup's own GUID in braces, in upper case.
    pub id: String,
    /// Free text.
    pub comment: String,
    /// The display name at the time of the backup.
    pub gpo_display_name: String,
    /// Whether the backup contains software installation settings.
    pub si_present: bool,
}

impl BackupInst {
    /// Reads a `BackupInst` element.
    ///
    /// # Errors
    /// When it is another element.
    pub fn from_element(element: &Element) -> Result<Self, InvalidXml> {
        element.expect(NAMESPACE, "BackupInst")?;
        Ok(Self {
            gpo_guid: element.child_text("GPOGuid"),
            gpo_domain: element.child_text("GPODomain"),
            gpo_domain_guid: element.child_text("GPODomainGuid"),
            gpo_domain_controller: element.child_text("GPODomainController"),
            backup_time: element.child_text("BackupTime"),
            id: element.child_text("ID"),
            comment: element.child_text("Comment"),
            gpo_display_name: element.child_text("GPODisplayName"),
            si_present: element
                .attribute("SIPresent")
                .is_some_and(|value| matches!(value, "true" | "1")),
        })
    }

    /// The element as GPMC writes it; `declarations` are put in its start tag, each preceded by a space.
    pub(super) fn to_xml(&self, declarations: &str) -> String {
        let mut xml = format!("<BackupInst{declarations}");
        if self.si_present {
            xml.push_str(" mfst:SIPresent=\"true\"");
        }
        xml.push('>');
        for (name, value) in [
            ("GPOGuid", &self.gpo_guid),
            ("GPODomain", &self.gpo_domain),
            ("GPODomainGuid", &self.gpo_domain_guid),
            ("GPODomainController", &self.gpo_domain_controller),
            ("BackupTime", &self.backup_time),
            ("ID", &self.id),
            ("Comment", &self.comment),
            ("GPODisplayName", &self.gpo_display_name),
        ] {
            xml.push_str(&format!("<{name}>{}</{name}>", cdata(value)));
        }
        xml.push_str("</BackupInst>");
        xml
    }
}

impl ToGpmcBytes for BackupInst {
    /// Writes UTF-8 without byte order mark or declaration, one line that ends in CR LF. The prefix `mfst` is declared
    /// only when used.
    fn to_gpmc_bytes(&self) -> Vec<u8> {
        let mut declarations = format!(" xmlns=\"{NAMESPACE}\"");
        if self.si_present {
            declarations.push_str(&format!(" xmlns:mfst=\"{NAMESPACE}\""));
        }
        let mut xml = self.to_xml(&declarations);
        xml.push_str("\r\n");
        xml.into_bytes()
    }
}

/// Reads bkupInfo.xml.
///
/// # Errors
/// When it is not well-formed XML, or its root is not a `BackupInst`.
pub fn parse(bytes: &[u8]) -> Result<Verbatim<BackupInst>, InvalidXml> {
    let root = xml_tree::parse(bytes)?;
    Ok(Verbatim::parsed(BackupInst::from_element(&root)?, bytes))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::formats) fn example() -> BackupInst {
        BackupInst {
            gpo_guid: "{11111111-2222-3333-4444-555555555555}".to_owned(),
            gpo_domain: "src.test".to_owned(),
            gpo_domain_guid: "{aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee}".to_owned(),
            gpo_domain_controller: "dc1.src.test".to_owned(),
            backup_time: "2024-02-03T04:05:06".to_owned(),
            id: "{99999999-8888-7777-6666-555555555555}".to_owned(),
            comment: String::new(),
            gpo_display_name: "Office [x]]> & <b>".to_owned(),
            si_present: false,
        }
    }

    #[test]
    fn round_trips_through_the_form_of_gpmc() {
        let mut inst = example();
        for si_present in [false, true] {
            inst.si_present = si_present;
            let bytes = inst.to_gpmc_bytes();
            let read = parse(&bytes).unwrap();
            assert_eq!(read.value, inst);
            assert_eq!(read.to_bytes(), bytes);
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.ends_with("</BackupInst>\r\n"));
            assert!(text.contains("<Comment><![CDATA[]]></Comment>"));
            assert_eq!(text.contains("mfst"), si_present);
        }
        assert!(parse(b"<BackupInst/>").is_err());
    }

    #[test]
    fn keeps_original_bytes_until_changed() {
        let bytes = format!("<BackupInst xmlns='{NAMESPACE}'>\n <ID>x</ID>\n</BackupInst>");
        let mut read = parse(bytes.as_bytes()).unwrap();
        assert_eq!(read.to_bytes(), bytes.as_bytes());
        read.value.comment = "new".to_owned();
        assert_eq!(parse(&read.to_bytes()).unwrap().value, read.value);
    }
}

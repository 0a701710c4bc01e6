//! `gpreport.xml`: the settings report beside a backup, which GPMC shows and never imports.
//!
//! Only what a snapshot knows is written: who the GPO is, its versions, its state and its permissions. The settings
//! themselves, the times of creation and change, and the links are left out, because saying nothing of them is better
//! than saying something wrong.

use std::fmt::Write as _;

use super::xml_tree::escape;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::snapshot::GpoSnapshot;

const SETTINGS: &str = "http://www.microsoft.com/GroupPolicy/Settings";
const TYPES: &str = "http://www.microsoft.com/GroupPolicy/Types";

/// The report of a snapshot that was read at `now` (`YYYY-MM-DDTHH:MM:SS`, UTC): UTF-16LE with byte order mark, CR LF, no
/// line end after the root element.
pub fn write(snapshot: &GpoSnapshot, now: &str) -> Vec<u8> {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n");
    let mut line = |text: String| {
        xml.push_str(&text);
        xml.push_str("\r\n");
    };
    line(format!(
        "<GPO xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"{SETTINGS}\">"
    ));
    line("  <Identifier>".to_owned());
    line(format!(
        "    <Identifier xmlns=\"{TYPES}\">{}</Identifier>",
        snapshot.guid
    ));
    line(format!(
        "    <Domain xmlns=\"{TYPES}\">{}</Domain>",
        escape(snapshot.domain.as_str())
    ));
    line("  </Identifier>".to_owned());
    line(format!("  <Name>{}</Name>", escape(&snapshot.display_name)));
    line("  <IncludeComments>true</IncludeComments>".to_owned());
    line(format!("  <ReadTime>{}Z</ReadTime>", escape(now)));
    if let Ok(descriptor) = SecurityDescriptor::parse(&snapshot.security_descriptor)
        && descriptor.dacl.is_some()
    {
        line("  <SecurityDescriptor>".to_owned());
        line(format!(
            "    <SDDL xmlns=\"{TYPES}/Security\">{}</SDDL>",
            escape(&to_sddl(&descriptor))
        ));
        line("  </SecurityDescriptor>".to_owned());
    }
    let name = snapshot.wmi_filter.as_ref().and_then(|f| f.name.as_deref());
    line(format!(
        "  <FilterDataAvailable>{}</FilterDataAvailable>",
        snapshot.wmi_filter.is_none() || name.is_some()
    ));
    if let Some(name) = name {
        line(format!("  <FilterName>{}</FilterName>", escape(name)));
    }
    let directory = snapshot.directory_version;
    let sysvol = snapshot.sysvol_version.unwrap_or_default();
    for (half, directory, sysvol, off) in [
        ("Computer", directory.machine, sysvol.machine, 2),
        ("User", directory.user, sysvol.user, 1),
    ] {
        line(format!("  <{half}>"));
        line(format!(
            "    <VersionDirectory>{directory}</VersionDirectory>"
        ));
        line(format!("    <VersionSysvol>{sysvol}</VersionSysvol>"));
        line(format!(
            "    <Enabled>{}</Enabled>",
            snapshot.flags & off == 0
        ));
        line(format!("  </{half}>"));
    }
    // Writing to a String cannot fail.
    let _ = write!(xml, "</GPO>");
    let mut bytes = vec![0xFF, 0xFE];
    bytes.extend(xml.encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::xml_tree;
    use crate::model::version::GpoVersion;

    #[test]
    fn says_what_the_snapshot_knows() {
        let snapshot = GpoSnapshot {
            guid: "{11111111-2222-3333-4444-555555555555}".parse().unwrap(),
            domain: "src.test".parse().unwrap(),
            domain_guid: None,
            domain_controller: "dc1.src.test".to_owned(),
            display_name: "A & <b>".to_owned(),
            flags: 1,
            directory_version: GpoVersion {
                user: 1,
                machine: 2,
            },
            sysvol_version: Some(GpoVersion {
                user: 3,
                machine: 4,
            }),
            machine_extensions: Default::default(),
            user_extensions: Default::default(),
            wmi_filter: None,
            security_descriptor: Vec::new(),
            tree: Default::default(),
            directory_objects: Vec::new(),
            principals: Vec::new(),
            file_paths: Vec::new(),
            messages: Vec::new(),
        };
        let bytes = write(&snapshot, "2024-02-03T04:05:06");
        assert_eq!(bytes[..4], [0xFF, 0xFE, b'<', 0]);
        let root = xml_tree::parse(&bytes).unwrap();
        assert_eq!(
            (root.name.as_str(), root.namespace.as_str()),
            ("GPO", SETTINGS)
        );
        assert_eq!(root.child_text("Name"), "A & <b>");
        assert_eq!(root.child_text("ReadTime"), "2024-02-03T04:05:06Z");
        let user = root.named("User").next().unwrap();
        assert_eq!(user.child_text("VersionSysvol"), "3");
        assert_eq!(user.child_text("Enabled"), "false");
        let computer = root.named("Computer").next().unwrap();
        assert_eq!(computer.child_text("VersionDirectory"), "2");
        assert_eq!(computer.child_text("Enabled"), "true");
    }
}

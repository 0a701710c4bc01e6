//! `manifest.xml`: the index of all backups in a folder.

use super::bkup_info::{BackupInst, NAMESPACE};
use super::verbatim::{ToGpmcBytes, Verbatim};
use super::xml_tree::{self, InvalidXml};

/// The entries of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// One per backup, in order.
    pub backups: Vec<BackupInst>,
}

impl ToGpmcBytes for Manifest {
    /// Writes UTF-8 without byte order mark or declaration, one line without a line end.
    fn to_gpmc_bytes(&self) -> Vec<u8> {
        let mut xml = format!(
            "<Backups xmlns=\"{NAMESPACE}\" xmlns:mfst=\"{NAMESPACE}\" mfst:version=\"1.0\">"
        );
        for inst in &self.backups {
            xml.push_str(&inst.to_xml(""));
        }
        xml.push_str("</Backups>");
        xml.into_bytes()
    }
}

/// Reads manifest.xml.
///
/// # Errors
/// When it is not well-formed XML, or its root is not `Backups`.
pub fn parse(bytes: &[u8]) -> Result<Verbatim<Manifest>, InvalidXml> {
    let backups = entries(bytes)?;
    Ok(Verbatim::parsed(Manifest { backups }, bytes))
}

/// The entries of manifest.xml without its bytes.
///
/// # Errors
/// As [`parse`].
pub(crate) fn entries(bytes: &[u8]) -> Result<Vec<BackupInst>, InvalidXml> {
    let root = xml_tree::parse(bytes)?;
    root.expect(NAMESPACE, "Backups")?
        .named("BackupInst")
        .map(BackupInst::from_element)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::bkup_info::tests::example;
    use super::*;

    #[test]
    fn round_trips_through_the_form_of_gpmc() {
        let manifest = Manifest {
            backups: vec![
                example(),
                BackupInst {
                    si_present: true,
                    ..example()
                },
            ],
        };
        let bytes = manifest.to_gpmc_bytes();
        let read = parse(&bytes).unwrap();
        assert_eq!(read.value, manifest);
        assert_eq!(read.to_bytes(), bytes);
        assert!(parse(b"<Backups/>").is_err());
        assert!(
            parse(&Manifest::default().to_gpmc_bytes())
                .unwrap()
                .value
                .backups
                .is_empty()
        );
    }
}

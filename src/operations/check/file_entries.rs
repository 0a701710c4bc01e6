//! Which form of descriptors a check expects on the files of GPOs.
//!
//! Samba 4.17 and 4.22 require the object entries of the directory on files, Samba 4.25 refuses them (see [`FileEntries`]), and
//! no server reports its version. A check does not write, so it reads what the server has stored: Samba itself sets the
//! descriptors of the two default GPOs when the domain is provisioned, and when an administrator runs `samba-tool ntacl
//! sysvolreset`. In a domain that was upgraded to 4.25 these still have object entries; a check that is to be followed by a repair
//! tries on the server which it accepts ([`crate::execute::detect_file_entries`]).

use crate::directory::GpoObject;
use crate::domain::sysvol::SysvolPath;
use crate::error::Result;
use crate::model::guid::Guid;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::{FileEntries, SecurityDescriptor, file_descriptor};
use crate::model::well_known::DEFAULT_GPOS;
use crate::session::DomainSession;
use crate::sysvol::gpt;

/// What shows the form that the files of a GPO should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownBy {
    /// The server, which was asked by writing.
    Server,
    /// The default GPOs.
    DefaultGpos,
    /// The folder of the GPO itself.
    Folder,
    /// Nothing: it is that of the earlier versions.
    Nothing,
}

/// The form that a domain's files have.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected {
    /// The form that this connection has detected by writing.
    known: Option<FileEntries>,
    /// Otherwise that of the default GPOs, if they show it.
    of_domain: Option<FileEntries>,
    /// Whether files have descriptors of their own; on Windows they inherit.
    is_samba: bool,
}

impl Expected {
    /// Reads what the server has stored.
    ///
    /// # Errors
    /// When the server does not answer. What this account may not read is not an error.
    pub(super) async fn of(session: &DomainSession) -> Result<Self> {
        let mut expected = Self {
            known: session.sysvol().file_entries(),
            of_domain: None,
            is_samba: session.info().is_samba(),
        };
        if !expected.is_samba
            || !session.sysvol().has_exact_descriptors()
            || expected.known.is_some()
        {
            return Ok(expected);
        }
        for guid in DEFAULT_GPOS {
            let Some((directory, folder)) = stored(session, guid).await? else {
                continue;
            };
            if let Some(entries) = form_of(&directory, &folder) {
                expected.of_domain = Some(entries);
                break;
            }
        }
        Ok(expected)
    }

    /// The form that the files of a GPO should have: that of its folder where neither the server nor the default GPOs show it. The
    /// folder of a GPO that GPMC has made may have lost its object entries.
    pub(super) fn of_gpo(
        self,
        object: &GpoObject,
        folder: Option<&[u8]>,
    ) -> (FileEntries, ShownBy) {
        let of_folder = || form_of(&object.security_descriptor, folder?);
        if !self.is_samba {
            // What gpoctl writes there; see the comparison.
            (FileEntries::WithoutObjectAces, ShownBy::Nothing)
        } else if let Some(known) = self.known {
            (known, ShownBy::Server)
        } else if let Some(entries) = self.of_domain {
            (entries, ShownBy::DefaultGpos)
        } else if let Some(entries) = of_folder() {
            (entries, ShownBy::Folder)
        } else {
            (FileEntries::default(), ShownBy::Nothing)
        }
    }
}

/// The descriptors of a GPO's container and folder; `None` when one of them cannot be read.
async fn stored(session: &DomainSession, guid: Guid) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let object = match session.directory().gpo(guid).await {
        Err(error) if gpt::is_local(&error) => return Ok(None),
        other => other?,
    };
    let folder = SysvolPath::gpo(&session.info().dns_domain, guid);
    match session.sysvol().security_descriptor(&folder).await {
        Err(error) if gpt::is_local(&error) => Ok(None),
        other => Ok(Some((object.security_descriptor.to_vec(), other?))),
    }
}

/// The form of a folder's descriptor; `None` when it has neither form, or both are the same.
fn form_of(directory: &[u8], folder: &[u8]) -> Option<FileEntries> {
    let directory = SecurityDescriptor::parse(directory).ok()?;
    let folder = to_sddl(&SecurityDescriptor::parse(folder).ok()?);
    let mut fitting = [FileEntries::WithObjectAces, FileEntries::WithoutObjectAces]
        .into_iter()
        .filter(|entries| {
            file_descriptor(&directory, *entries)
                .is_ok_and(|derived| to_sddl(&derived.descriptor) == folder)
        });
    let first = fitting.next()?;
    fitting.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sddl::from_sddl;

    fn bytes(sddl: &str) -> Vec<u8> {
        from_sddl(sddl, None).unwrap().to_bytes().unwrap()
    }

    #[test]
    fn the_folder_shows_what_the_server_wants() {
        let apply = "edacfd8f-ffb3-11d1-b41d-00a0c968f939";
        let directory = bytes(&format!(
            "O:BAG:BAD:P(D;CI;RP;;;BG)(A;CI;RPLCRC;;;AU)(OA;CI;CR;{apply};;AU)"
        ));
        let with = bytes(&format!(
            "O:BAG:BAD:P(A;OICI;0x1200a9;;;AU)(OA;OICI;;{apply};;AU)"
        ));
        let without = bytes("O:BAG:BAD:P(D;OICI;;;;BG)(A;OICI;0x1200a9;;;AU)");
        assert_eq!(
            form_of(&directory, &with),
            Some(FileEntries::WithObjectAces)
        );
        assert_eq!(
            form_of(&directory, &without),
            Some(FileEntries::WithoutObjectAces)
        );
        // Inherited, or set by hand: neither.
        assert_eq!(form_of(&directory, &bytes("O:BAG:BAD:(A;;FA;;;BA)")), None);
        // A GPO whose two forms are the same.
        let neutral = bytes("O:BAG:BAD:P(A;CI;RPLCRC;;;AU)");
        assert_eq!(
            form_of(&neutral, &bytes("O:BAG:BAD:P(A;OICI;0x1200a9;;;AU)")),
            None
        );
        let object = GpoObject {
            security_descriptor: directory,
            ..GpoObject::bare(
                DEFAULT_GPOS[0],
                &crate::model::dn::Dn::parse("DC=src,DC=test").unwrap(),
            )
        };
        let expected = Expected {
            is_samba: true,
            ..Expected::default()
        };
        assert_eq!(
            expected.of_gpo(&object, Some(&without)),
            (FileEntries::WithoutObjectAces, ShownBy::Folder)
        );
        assert_eq!(
            expected.of_gpo(&object, None),
            (FileEntries::WithObjectAces, ShownBy::Nothing)
        );
        // On Windows it has what denies, and no object entries.
        assert_eq!(
            Expected::default().of_gpo(&object, Some(&with)),
            (FileEntries::WithoutObjectAces, ShownBy::Nothing)
        );
        let of_domain = Expected {
            of_domain: Some(FileEntries::WithObjectAces),
            ..expected
        };
        assert_eq!(
            of_domain.of_gpo(&object, Some(&without)),
            (FileEntries::WithObjectAces, ShownBy::DefaultGpos)
        );
        let known = Expected {
            known: Some(FileEntries::WithoutObjectAces),
            ..expected
        };
        assert_eq!(
            known.of_gpo(&object, Some(&with)),
            (FileEntries::WithoutObjectAces, ShownBy::Server)
        );
    }
}

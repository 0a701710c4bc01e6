//! Detects which entries a Samba server stores in the DACL of a file.
//!
//! Samba 4.17 and 4.22 store an object entry, and their `samba-tool ntacl sysvolcheck` requires it. Samba 4.25 refuses the
//! whole descriptor with STATUS_ACCESS_DENIED at SET_INFO; the log of its smbd contains `create_canon_ace_lists: unable to set
//! anything but an ALLOW or DENY ACE` at level 10. A client cannot query the version of the server.

use smb2::msg::create::CreateDisposition;
use smb2::types::flags::FileAccessMask;
use smb2::types::status::NtStatus;

use super::Smb2Client;
use super::compound::{Operation, access, options};
use crate::domain::sysvol::SysvolPath;
use crate::error::Result;
use crate::model::guid::Guid;
use crate::model::sddl::from_sddl;
use crate::model::security_descriptor::FileEntries;
use crate::sysvol::gpt::PROBE_PREFIX;

/// A DACL such as files of GPOs have, and the same with an object entry: Apply Group Policy, which grants nothing on a file.
const PLAIN: &str = "D:P(A;;FA;;;SY)(A;;FA;;;BA)";
const WITH_OBJECT_ACE: &str =
    "D:P(A;;FA;;;SY)(A;;FA;;;BA)(OA;;;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU)";

impl Smb2Client {
    /// Tries it on the server, unless it is known already.
    pub(super) async fn ask_file_entries(&self, folder: &SysvolPath) -> Result<()> {
        if self.file_entries.get().is_some() {
            return Ok(());
        }
        let Some([first, second, third]) = probes() else {
            return Ok(());
        };
        let name = format!(
            "{}\\{PROBE_PREFIX}{}",
            self.wire_name(folder),
            Guid::new_random().bare()
        );
        let operations = [
            Operation::create(
                name,
                access::DELETE | FileAccessMask::WRITE_DAC,
                CreateDisposition::FileCreate,
                options::FILE | options::DELETE_ON_CLOSE,
            ),
            Operation::set_descriptor(&first),
            Operation::set_descriptor(&second),
            Operation::set_descriptor(&third),
            Operation::close(),
        ];
        let replies = self.ask(folder, &operations).await?;
        self.close_if_left(&operations, &replies).await;
        if let Some(entries) = judge(&replies.iter().map(|reply| reply.status).collect::<Vec<_>>())
        {
            tracing::debug!(?entries, "what the server stores in the DACL of a file");
            // Another task may have detected the same in the meantime.
            let _ = self.file_entries.set(entries);
        }
        Ok(())
    }
}

/// The descriptors that are set one after the other. The first once more at the end, to show that the entry was refused and not
/// the account.
pub(crate) fn probes() -> Option<[Vec<u8>; 3]> {
    let plain = bytes(PLAIN)?;
    Some([plain.clone(), bytes(WITH_OBJECT_ACE)?, plain])
}

/// The meaning of the answers to CREATE, the three SET_INFO and CLOSE.
pub(crate) fn judge(statuses: &[NtStatus]) -> Option<FileEntries> {
    let ok = NtStatus::SUCCESS;
    match statuses {
        [created, first, second, third, ..] if (*created, *first, *third) == (ok, ok, ok) => {
            match *second {
                NtStatus::SUCCESS => Some(FileEntries::WithObjectAces),
                NtStatus::ACCESS_DENIED => Some(FileEntries::WithoutObjectAces),
                _ => None,
            }
        }
        _ => None,
    }
}

fn bytes(sddl: &str) -> Option<Vec<u8>> {
    from_sddl(sddl, None).ok()?.to_bytes().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_refusal_of_the_object_entry_alone_says_that_the_server_stores_none() {
        let (ok, denied) = (NtStatus::SUCCESS, NtStatus::ACCESS_DENIED);
        for (statuses, expected) in [
            ([ok, ok, ok, ok, ok], Some(FileEntries::WithObjectAces)),
            (
                [ok, ok, denied, ok, ok],
                Some(FileEntries::WithoutObjectAces),
            ),
            // An account that may not set DACLs, or may not create files.
            ([ok, denied, denied, denied, ok], None),
            ([ok, ok, denied, denied, ok], None),
            ([denied, denied, denied, denied, denied], None),
            ([ok, ok, NtStatus::INVALID_PARAMETER, ok, ok], None),
        ] {
            assert_eq!(judge(&statuses), expected, "{statuses:?}");
        }
        assert!(bytes(PLAIN).is_some() && bytes(WITH_OBJECT_ACE).is_some());
    }
}

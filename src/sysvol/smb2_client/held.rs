//! Whether a rename or a deletion was refused because a client has something open, or because a permission is missing.

use smb2::types::flags::FileAttributes;
use smb2::types::status::NtStatus;

use super::Smb2Client;
use super::compound::{Operation, Reply, options};
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, Result, ServerAnswer};
use crate::sysvol::refusal::{Held, grants_rename, in_use, nonsense, refused};

/// The answer for a deleted file that somebody still has open.
const PENDING: ServerAnswer = ServerAnswer::NtStatus(NtStatus::DELETE_PENDING.0);

/// The refusal of a compound that opens a file or folder with the right to delete it and then does something with it.
pub(super) struct Refused {
    status: NtStatus,
    /// The attributes of what was opened, if the refusal came after that: then the right was granted.
    opened: Option<u32>,
}

impl Refused {
    /// The first refusal, if there is one; the first reply is that to CREATE.
    pub(super) fn among(replies: &[Reply]) -> Option<Self> {
        let failed = replies.iter().find(|reply| !reply.is_success())?;
        let created = replies.first().and_then(Reply::created);
        Some(Self {
            status: failed.status,
            opened: created.map(|created| created.file_attributes),
        })
    }

    /// The error for the status alone.
    pub(super) fn plain(&self, path: &SysvolPath) -> Error {
        refused(path, self.status)
    }

    /// Whether it was opened with the right to delete it, and is a folder, when the rest was refused.
    fn denied_although_opened(&self) -> Option<bool> {
        let is_denied = self.status == NtStatus::ACCESS_DENIED;
        self.opened
            .filter(|_| is_denied)
            .map(|attributes| attributes & FileAttributes::DIRECTORY != 0)
    }

    /// The error for a deletion, which needs no other right.
    pub(super) fn deletion(&self, path: &SysvolPath) -> Error {
        match self.denied_although_opened() {
            Some(true) => in_use(path, Held::Below, self.status),
            Some(false) => in_use(path, Held::Itself, self.status),
            None => self.plain(path),
        }
    }
}

/// What is at a path that a rename would replace.
enum Replaced {
    Nothing,
    /// A file that is gone when the clients that have it open close it.
    Deleted,
    There {
        access: Option<u32>,
        attributes: u32,
    },
}

impl Smb2Client {
    /// The error for a rename: `InUse` when what it replaces is a deleted file that a client still has open, and when the account
    /// has every right that it needs and the server denies it nevertheless.
    pub(super) async fn rename_error(
        &self,
        refused: &Refused,
        from: &SysvolPath,
        to: &SysvolPath,
        replace: bool,
    ) -> Error {
        if replace && refused.status == NtStatus::DELETE_PENDING && refused.opened.is_some() {
            return in_use(to, Held::Itself, refused.status);
        }
        let holder = match refused.denied_although_opened() {
            Some(true) => Some((from, Held::Below)),
            Some(false) if replace => Some((to, Held::Itself)),
            // Nothing holds a file that moves to a free name, once it is opened.
            Some(false) | None => None,
        };
        let Some((path, held)) = holder else {
            return refused.plain(from);
        };
        match self.may_rename(held == Held::Below, to).await {
            Ok(true) => in_use(path, held, refused.status),
            Ok(false) => refused.plain(from),
            Err(error) => {
                tracing::debug!(%error, %to, "cannot find out why a rename was denied");
                refused.plain(from)
            }
        }
    }

    /// Whether the account may add a folder to that of `to`, or replace the file there.
    async fn may_rename(&self, is_dir: bool, to: &SysvolPath) -> Result<bool> {
        let Some(folder) = to.parent() else {
            return Ok(false);
        };
        let folder = match self.access_to(&folder).await? {
            Replaced::There { access, .. } => access,
            Replaced::Nothing | Replaced::Deleted => return Ok(false),
        };
        if is_dir {
            return Ok(grants_rename(true, folder, None));
        }
        Ok(match self.access_to(to).await? {
            // A server may deny this whatever the rights.
            Replaced::There { attributes, .. } if attributes & FileAttributes::READONLY != 0 => {
                false
            }
            Replaced::There { access, .. } => grants_rename(false, folder, access),
            Replaced::Deleted => grants_rename(false, folder, None),
            Replaced::Nothing => false,
        })
    }

    /// The maximal access to a path, if the server reports it, and its attributes.
    async fn access_to(&self, path: &SysvolPath) -> Result<Replaced> {
        let operations = [
            Operation::ask_access(self.wire_name(path), options::NO_REPARSE),
            Operation::close(),
        ];
        let replies = match self.run(path, &operations).await {
            Err(error) if error.answer() == Some(PENDING) => return Ok(Replaced::Deleted),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Replaced::Nothing),
            other => other?,
        };
        let opened = replies.first();
        let found = opened.and_then(|opened| {
            let attributes = opened.created()?.file_attributes;
            let access = opened.granted();
            Some(Replaced::There { access, attributes })
        });
        found.ok_or_else(|| nonsense(path))
    }
}

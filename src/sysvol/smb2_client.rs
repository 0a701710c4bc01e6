//! The back end on smb2: one connection, many compounds in flight, exact security descriptors.
//!
//! Every call is one related compound (CREATE, the request, CLOSE) and so one round trip. The crate's own convenience calls are
//! not used: they flush on every write, and map characters of names. [`large`] is for what needs more.

mod compound;
mod encryption;
pub(crate) mod file_entries;
mod held;
mod large;
mod listing;
mod login;
mod negotiation;
mod refusal;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use smb2::client::{Connection, Tree};
use smb2::msg::create::CreateDisposition;
use smb2::types::flags::{FileAccessMask, FileAttributes};
use smb2::types::status::NtStatus;

use self::compound::{Operation, Reply, access, options, parts_of};
use self::held::Refused;
pub(super) use self::login::NoCommonCipher;
#[cfg(test)]
pub(super) use self::login::{needs_encryption, refused_without_cipher};

use super::connect::SmbSettings;
use super::refusal::{half_swapped, lost, nonsense, not_empty, refused};
use crate::domain::sysvol::{DirEntry, Listing, Sysvol, SysvolPath, SysvolRead, most_of};
use crate::error::{Error, ErrorKind, Result, ServerAnswer};
use crate::model::security_descriptor::FileEntries;

/// The number of requests in flight on one connection; more were not faster when measured.
const IN_FLIGHT: usize = 16;
/// The maximum size of one READ or WRITE: limited so that many fit into the credits of a connection.
const CHUNK: usize = 1 << 20;
/// The pause after an internal error of the server.
const AFTER_INTERNAL_ERROR: Duration = Duration::from_millis(100);
/// The size to request when it is not known.
const UNKNOWN_SIZE: u32 = 64 * 1024;
/// The size of the buffer for one QUERY_DIRECTORY: one credit.
const LISTING_BUFFER: u32 = 64 * 1024;

/// OWNER and GROUP_SECURITY_INFORMATION [MS-DTYP 2.4.7]
const OWNER_AND_GROUP: u32 = 3;
/// The answer to deleting a file with the attribute READONLY.
const CANNOT_DELETE: ServerAnswer = ServerAnswer::NtStatus(NtStatus::CANNOT_DELETE.0);

/// The answer to deleting a folder that has entries.
const NOT_EMPTY: ServerAnswer = ServerAnswer::NtStatus(NtStatus::DIRECTORY_NOT_EMPTY.0);

/// A connection to SYSVOL through smb2.
pub(super) struct Smb2Client {
    connection: Connection,
    tree: Tree,
    chunk: usize,
    file_entries: OnceLock<FileEntries>,
}

impl Smb2Client {
    /// Connects, logs in, and opens the share.
    ///
    /// # Errors
    /// `Connect` when that fails; `Denied` when the account may not open the share; `Usage` when the server requires encryption
    /// and no cipher was agreed on.
    pub(super) async fn connect(settings: &SmbSettings) -> Result<Self> {
        let (connection, tree) = login::login(settings).await?;
        let largest = connection
            .params()
            .map_or(CHUNK, |params| {
                let limit = params.max_write_size.min(params.max_read_size);
                usize::try_from(limit).unwrap_or(CHUNK)
            })
            .min(usize::try_from(connection.compound_write_limit()).unwrap_or(CHUNK));
        Ok(Self {
            connection,
            tree,
            chunk: largest.clamp(4096, CHUNK),
            file_entries: OnceLock::new(),
        })
    }

    /// The name for a CREATE: below the share, with the share before it if the server resolves DFS.
    fn wire_name(&self, path: &SysvolPath) -> String {
        let path = path.on_share("\\");
        if self.tree.is_dfs {
            format!("{}\\{}\\{path}", self.tree.server, self.tree.share_name)
        } else {
            path
        }
    }

    /// Sends operations as one related compound. After an internal error of the server before it did anything, it is sent once
    /// more.
    async fn send(&self, path: &SysvolPath, operations: &[Operation]) -> Result<Vec<Reply>> {
        let failed = |replies: &[Reply]| {
            let first = replies.first();
            first.is_some_and(|reply| reply.status == NtStatus::INTERNAL_ERROR)
        };
        self.send_again_if(path, operations, failed).await
    }

    /// As [`Self::send`], for operations that leave nothing behind: after an internal error at any of them, they are sent once
    /// more.
    async fn ask(&self, path: &SysvolPath, operations: &[Operation]) -> Result<Vec<Reply>> {
        let failed = |replies: &[Reply]| {
            let mut statuses = replies.iter().map(|reply| reply.status);
            statuses.any(|status| status == NtStatus::INTERNAL_ERROR)
        };
        self.send_again_if(path, operations, failed).await
    }

    async fn send_again_if(
        &self,
        path: &SysvolPath,
        operations: &[Operation],
        failed: impl Fn(&[Reply]) -> bool + Send,
    ) -> Result<Vec<Reply>> {
        let sent = compound::send(&self.connection, &self.tree, operations).await;
        let replies = sent.map_err(|cause| lost(path, cause))?;
        if !failed(&replies) {
            return Ok(replies);
        }
        tracing::debug!(%path, "the server had an internal error; once more");
        self.close_if_left(operations, &replies).await;
        tokio::time::sleep(AFTER_INTERNAL_ERROR).await;
        let sent = compound::send(&self.connection, &self.tree, operations).await;
        sent.map_err(|cause| lost(path, cause))
    }

    /// Creates a file or folder by operations that begin with its CREATE. When it was created and the rest failed, it is
    /// deleted again: nothing incomplete is left behind.
    async fn make(&self, path: &SysvolPath, operations: &[Operation], kind: u32) -> Result<()> {
        let replies = self.send(path, operations).await?;
        let mut failed = replies.iter().filter(|reply| !reply.is_success());
        let Some(error) = failed.next().map(|reply| refused(path, reply.status)) else {
            return Ok(());
        };
        self.close_if_left(operations, &replies).await;
        if replies.first().and_then(Reply::created).is_none() {
            return Err(error);
        }
        Err(self.unmake(path, kind, error).await)
    }

    /// Deletes an incomplete file or folder; if that fails too, the error names it.
    async fn unmake(&self, path: &SysvolPath, kind: u32, error: Error) -> Error {
        match self.remove(path, kind).await {
            Ok(()) => error,
            Err(left) if left.kind() == ErrorKind::NotFound => error,
            Err(left) => error.with_hint(format!("remove {path}, which is incomplete: {left}")),
        }
    }

    /// Sends operations as one related compound, and returns the first error.
    async fn run(&self, path: &SysvolPath, operations: &[Operation]) -> Result<Vec<Reply>> {
        let replies = self.send(path, operations).await?;
        let failed = replies
            .iter()
            .find(|reply| !reply.is_success())
            .map(|reply| reply.status);
        if let Some(status) = failed {
            self.close_if_left(operations, &replies).await;
            return Err(refused(path, status));
        }
        Ok(replies)
    }

    /// A server may refuse what follows a failed request, the CLOSE too; then the handle is closed separately.
    async fn close_if_left(&self, operations: &[Operation], replies: &[Reply]) {
        let opened = replies.first().and_then(Reply::created);
        let closed = replies.last().is_some_and(Reply::is_success);
        if let (Some(created), false) = (opened, closed || operations.len() < 2) {
            let close = [Operation::close_handle(created.file_id)];
            let _ = compound::send(&self.connection, &self.tree, &close).await;
        }
    }

    fn open_folder(&self, dir: &SysvolPath) -> Operation {
        Operation::create(
            self.wire_name(dir),
            access::LIST,
            CreateDisposition::FileOpen,
            options::FOLDER | options::NO_REPARSE,
        )
    }

    async fn remove(&self, path: &SysvolPath, kind: u32) -> Result<()> {
        let operations = [
            Operation::create(
                self.wire_name(path),
                access::DELETE,
                CreateDisposition::FileOpen,
                kind | options::NO_REPARSE,
            ),
            Operation::delete_on_close(),
            Operation::close(),
        ];
        match self.delete(path, &operations).await {
            Err(error) if error.answer() == Some(CANNOT_DELETE) => {
                // A read-only file; its attribute goes first.
                let unlock = [
                    Operation::create(
                        self.wire_name(path),
                        access::SET_ATTRIBUTES,
                        CreateDisposition::FileOpen,
                        options::NO_REPARSE,
                    ),
                    Operation::set_attributes(FileAttributes::NORMAL),
                    Operation::close(),
                ];
                self.run(path, &unlock).await?;
                self.delete(path, &operations).await
            }
            other => other,
        }
    }

    /// Opens, deletes and closes.
    async fn delete(&self, path: &SysvolPath, operations: &[Operation; 3]) -> Result<()> {
        let replies = self.send(path, operations).await?;
        let Some(refused) = Refused::among(&replies) else {
            return Ok(());
        };
        self.close_if_left(operations, &replies).await;
        Err(refused.deletion(path))
    }

    /// Undoes the half of a swap that happened; the error then contains the cause, and what is left of it.
    async fn take_back(&self, from: &SysvolPath, to: &SysvolPath, error: Error) -> Error {
        match self.rename(from, to, false).await {
            Ok(()) => error,
            Err(undo) => half_swapped(from, to, &undo, &error),
        }
    }

    fn rename_operations(
        &self,
        from: &SysvolPath,
        to: &SysvolPath,
        replace: bool,
    ) -> [Operation; 3] {
        [
            Operation::create(
                self.wire_name(from),
                access::DELETE,
                CreateDisposition::FileOpen,
                options::NO_REPARSE,
            ),
            Operation::rename(&to.on_share("\\"), replace),
            Operation::close(),
        ]
    }
}

#[async_trait]
impl SysvolRead for Smb2Client {
    async fn list(&self, dir: &SysvolPath) -> Result<Listing> {
        let operations = [
            self.open_folder(dir),
            Operation::query_directory(LISTING_BUFFER),
            Operation::query_directory(LISTING_BUFFER),
            Operation::close(),
        ];
        let replies = self.ask(dir, &operations).await?;
        let [created, first, second, ..] = replies.as_slice() else {
            return Err(nonsense(dir));
        };
        if !created.is_success() {
            return Err(refused(dir, created.status));
        }
        self.close_if_left(&operations, &replies).await;
        if second.is_success() {
            // The second answer contained entries too, so there may be more than both.
            return self.list_large(dir).await;
        }
        let mut listing = Listing::default();
        if first.is_success() {
            collect(dir, first, &mut listing)?;
        } else if first.status != NtStatus::NO_MORE_FILES && first.status != NtStatus::NO_SUCH_FILE
        {
            return Err(refused(dir, first.status));
        }
        Ok(listing)
    }

    async fn stat(&self, path: &SysvolPath) -> Result<Option<DirEntry>> {
        let operations = [
            Operation::create(
                self.wire_name(path),
                access::STAT,
                CreateDisposition::FileOpen,
                options::NO_REPARSE,
            ),
            Operation::close(),
        ];
        let replies = match self.run(path, &operations).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let Some(created) = replies.first().and_then(Reply::created) else {
            return Err(nonsense(path));
        };
        Ok(DirEntry::at(
            path,
            created.file_attributes,
            created.end_of_file,
        ))
    }

    async fn read(&self, path: &SysvolPath, size: u64) -> Result<Bytes> {
        let most = most_of(path, size)?;
        let length = match u32::try_from(size) {
            Ok(0) => UNKNOWN_SIZE,
            Ok(size) => size,
            Err(_) => u32::MAX,
        };
        if usize::try_from(length).unwrap_or(usize::MAX) > self.chunk {
            return self.read_large(path, most).await;
        }
        let operations = [
            Operation::create(
                self.wire_name(path),
                access::READ,
                CreateDisposition::FileOpen,
                options::FILE | options::NO_REPARSE,
            ),
            Operation::read(length),
            Operation::close(),
        ];
        let replies = self.ask(path, &operations).await?;
        let [opened, read, ..] = replies.as_slice() else {
            return Err(nonsense(path));
        };
        if !opened.is_success() {
            return Err(refused(path, opened.status));
        }
        self.close_if_left(&operations, &replies).await;
        let created = opened.created().ok_or_else(|| nonsense(path))?;
        if created.file_attributes & FileAttributes::REPARSE_POINT != 0 {
            return Err(Error::new(
                ErrorKind::BadDirectory,
                format!("{path} is a link, and links are not followed"),
            ));
        }
        if created.end_of_file > u64::from(length) {
            return self.read_large(path, most).await;
        }
        let data = read.read().map_err(|status| refused(path, status))?;
        if u32::try_from(data.len()).unwrap_or(u32::MAX) > length {
            return Err(nonsense(path));
        }
        Ok(Bytes::from(data))
    }

    async fn security_descriptor(&self, path: &SysvolPath) -> Result<Vec<u8>> {
        let operations = [
            Operation::create(
                self.wire_name(path),
                FileAccessMask::READ_CONTROL,
                CreateDisposition::FileOpen,
                options::NO_REPARSE,
            ),
            Operation::query_descriptor(),
            Operation::close(),
        ];
        let replies = self.run(path, &operations).await?;
        replies
            .get(1)
            .and_then(Reply::info)
            .ok_or_else(|| nonsense(path))
    }

    async fn maximal_access(&self, path: &SysvolPath) -> Result<Option<u32>> {
        let operations = [
            Operation::ask_access(self.wire_name(path), options::NO_REPARSE),
            Operation::close(),
        ];
        let replies = self.run(path, &operations).await?;
        Ok(replies.first().and_then(Reply::granted))
    }

    fn concurrency(&self) -> usize {
        IN_FLIGHT
    }

    fn has_exact_descriptors(&self) -> bool {
        true
    }

    fn file_entries(&self) -> Option<FileEntries> {
        self.file_entries.get().copied()
    }
}

#[async_trait]
impl Sysvol for Smb2Client {
    async fn create_dir(&self, path: &SysvolPath, descriptors: &[Vec<u8>]) -> Result<()> {
        let mut operations = vec![Operation::create(
            self.wire_name(path),
            access::STAT | descriptor_access(descriptors),
            CreateDisposition::FileCreate,
            options::FOLDER,
        )];
        operations.extend(descriptors.iter().map(|sd| Operation::set_descriptor(sd)));
        operations.push(Operation::close());
        self.make(path, &operations, options::FOLDER).await
    }

    async fn write_new(
        &self,
        path: &SysvolPath,
        content: Bytes,
        descriptors: &[Vec<u8>],
    ) -> Result<()> {
        if content.len() > self.chunk {
            return self.write_large(path, &content, descriptors).await;
        }
        let mut operations = vec![Operation::create(
            self.wire_name(path),
            access::WRITE | descriptor_access(descriptors),
            CreateDisposition::FileCreate,
            options::FILE,
        )];
        if !content.is_empty() {
            operations.push(Operation::write(content.to_vec()));
        }
        operations.extend(descriptors.iter().map(|sd| Operation::set_descriptor(sd)));
        operations.push(Operation::close());
        self.make(path, &operations, options::FILE).await
    }

    async fn rename(&self, from: &SysvolPath, to: &SysvolPath, replace: bool) -> Result<()> {
        let operations = self.rename_operations(from, to, replace);
        let replies = self.send(from, &operations).await?;
        let Some(refused) = Refused::among(&replies) else {
            return Ok(());
        };
        self.close_if_left(&operations, &replies).await;
        match self.rename_error(&refused, from, to, replace).await {
            // The new name is taken.
            error if error.kind() == ErrorKind::Conflict => {
                Err(error.context(format!("cannot become {to}")))
            }
            error => Err(error),
        }
    }

    async fn swap(
        &self,
        live: &SysvolPath,
        old: Option<&SysvolPath>,
        staged: &SysvolPath,
    ) -> Result<()> {
        let Some(old) = old else {
            return self.rename(staged, live, false).await;
        };
        let away = self.rename_operations(live, old, false);
        let moved_in = self.rename_operations(staged, live, false);
        let operations: Vec<Operation> = away.into_iter().chain(moved_in).collect();
        let replies = compound::send(&self.connection, &self.tree, &operations)
            .await
            .map_err(|cause| lost(live, cause))?;
        // Of each group, only what comes before the CLOSE decides whether the rename happened.
        let failed = |range: std::ops::Range<usize>| replies.get(range).and_then(Refused::among);
        match (failed(0..2), failed(3..5)) {
            (None, None) => Ok(()),
            (Some(refused), second) => {
                let mut error = self.rename_error(&refused, live, old, false).await;
                if error.kind() != ErrorKind::InUse {
                    error = error.context(format!("cannot become {old}"));
                }
                if second.is_none() {
                    // The live name did not exist, so the staged one could replace it; that was not requested.
                    return Err(self.take_back(live, staged, error).await);
                }
                Err(error)
            }
            (None, Some(refused)) => {
                // First of all, the live name is restored.
                let error = refused.plain(staged);
                let error = self.take_back(old, live, error).await;
                if error.kind() != ErrorKind::Denied {
                    return Err(error);
                }
                Err(self.rename_error(&refused, staged, live, false).await)
            }
        }
    }

    async fn remove_file(&self, path: &SysvolPath) -> Result<()> {
        self.remove(path, options::FILE).await
    }

    async fn remove_dir(&self, path: &SysvolPath) -> Result<()> {
        match self.remove(path, options::FOLDER).await {
            Err(error) if error.answer() == Some(NOT_EMPTY) => {
                Err(not_empty(self, path, error).await)
            }
            other => other,
        }
    }

    async fn probe_file_entries(&self, folder: &SysvolPath) -> Result<()> {
        self.ask_file_entries(folder).await
    }

    async fn set_security_descriptors(
        &self,
        path: &SysvolPath,
        descriptors: &[Vec<u8>],
    ) -> Result<()> {
        let mut operations = vec![Operation::create(
            self.wire_name(path),
            access::STAT | descriptor_access(descriptors),
            CreateDisposition::FileOpen,
            options::NO_REPARSE,
        )];
        operations.extend(descriptors.iter().map(|sd| Operation::set_descriptor(sd)));
        operations.push(Operation::close());
        self.run(path, &operations).await.map(drop)
    }
}

/// The access that setting these descriptors needs [MS-SMB2 3.3.5.21.3].
fn descriptor_access(descriptors: &[Vec<u8>]) -> u32 {
    descriptors.iter().fold(0, |access, descriptor| {
        let owner = match parts_of(descriptor) & OWNER_AND_GROUP {
            0 => 0,
            _ => FileAccessMask::WRITE_OWNER,
        };
        access | FileAccessMask::WRITE_DAC | owner
    })
}

/// Takes the entries of one answer.
fn collect(dir: &SysvolPath, reply: &Reply, listing: &mut Listing) -> Result<()> {
    reply
        .listing()
        .and_then(|buffer| listing::collect(&buffer, listing))
        .ok_or_else(|| nonsense(dir))
}

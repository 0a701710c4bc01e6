//! Calls that do not fit into one compound: a handle is opened, used in several calls, and closed.

use bytes::Bytes;
use smb2::msg::create::CreateDisposition;
use smb2::types::FileId;
use smb2::types::status::NtStatus;

use super::compound::{self, Operation, Reply, access, options};
use super::{LISTING_BUFFER, Smb2Client, UNKNOWN_SIZE, collect, descriptor_access};
use crate::domain::sysvol::{Listing, MAX_LISTED, SysvolPath, larger_than_said, too_many};
use crate::error::Result;
use crate::sysvol::refusal::{lost, nonsense, refused};

/// After how many answers in a row without new entries a listing is stopped.
const SILENT_ANSWERS: u32 = 8;

impl Smb2Client {
    /// Writes a file that does not fit into one compound: open, chunks, descriptors, close.
    pub(super) async fn write_large(
        &self,
        path: &SysvolPath,
        content: &Bytes,
        descriptors: &[Vec<u8>],
    ) -> Result<()> {
        let create = [Operation::create(
            self.wire_name(path),
            access::WRITE | descriptor_access(descriptors),
            CreateDisposition::FileCreate,
            options::FILE,
        )];
        let opened = self.run(path, &create).await?;
        let Some(created) = opened.first().and_then(Reply::created) else {
            return Err(nonsense(path));
        };
        let mut outcome = Ok(());
        let mut offset = 0_u64;
        for chunk in content.chunks(self.chunk) {
            let write = [Operation::write_handle(
                created.file_id,
                offset,
                chunk.to_vec(),
            )];
            outcome = self.run(path, &write).await.map(drop);
            if outcome.is_err() {
                break;
            }
            offset = offset.saturating_add(u64::try_from(chunk.len()).unwrap_or(0));
        }
        if outcome.is_ok() {
            for descriptor in descriptors {
                let set = [Operation::set_descriptor_handle(
                    created.file_id,
                    descriptor,
                )];
                outcome = self.run(path, &set).await.map(drop);
                if outcome.is_err() {
                    break;
                }
            }
        }
        let close = [Operation::close_handle(created.file_id)];
        let closed = self.run(path, &close).await.map(drop);
        match outcome.and(closed) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.unmake(path, options::FILE, error).await),
        }
    }

    /// Reads a file in chunks through one handle, at most `size` bytes.
    pub(super) async fn read_large(&self, path: &SysvolPath, size: u64) -> Result<Bytes> {
        let create = [Operation::create(
            self.wire_name(path),
            access::READ,
            CreateDisposition::FileOpen,
            options::FILE | options::NO_REPARSE,
        )];
        let opened = self.run(path, &create).await?;
        let Some(created) = opened.first().and_then(Reply::created) else {
            return Err(nonsense(path));
        };
        let outcome = if created.end_of_file > size {
            Err(larger_than_said(path, created.end_of_file, size))
        } else {
            self.read_chunks(path, created.file_id, size).await
        };
        let close = [Operation::close_handle(created.file_id)];
        let _ = compound::send(&self.connection, &self.tree, &close).await;
        outcome
    }

    async fn read_chunks(&self, path: &SysvolPath, file: FileId, size: u64) -> Result<Bytes> {
        let length = u32::try_from(self.chunk).unwrap_or(UNKNOWN_SIZE);
        // Memory is allocated for what arrives.
        let mut content = Vec::new();
        loop {
            let offset = u64::try_from(content.len()).unwrap_or(u64::MAX);
            let read = [Operation::read_handle(file, offset, length)];
            let replies = compound::send(&self.connection, &self.tree, &read).await;
            let replies = replies.map_err(|cause| lost(path, cause))?;
            let data = match replies.first().map(Reply::read) {
                Some(Ok(data)) => data,
                Some(Err(status)) => return Err(refused(path, status)),
                None => return Err(nonsense(path)),
            };
            if data.is_empty() {
                return Ok(Bytes::from(content));
            }
            if data.len() > self.chunk {
                return Err(nonsense(path));
            }
            let now = offset.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
            if now > size {
                return Err(larger_than_said(path, now, size));
            }
            if content.capacity() - content.len() < data.len() {
                let most = usize::try_from(size).unwrap_or(usize::MAX) - content.len();
                content.reserve_exact(content.len().max(data.len()).min(most));
            }
            content.extend_from_slice(&data);
        }
    }

    /// Lists a folder whose entries do not fit into two answers.
    pub(super) async fn list_large(&self, dir: &SysvolPath) -> Result<Listing> {
        let create = [self.open_folder(dir)];
        let opened = self.run(dir, &create).await?;
        let Some(created) = opened.first().and_then(Reply::created) else {
            return Err(nonsense(dir));
        };
        let mut listing = Listing::default();
        let mut silent = 0;
        let outcome = loop {
            let query = [Operation::query_directory_handle(
                created.file_id,
                LISTING_BUFFER,
            )];
            match compound::send(&self.connection, &self.tree, &query).await {
                Err(cause) => break Err(lost(dir, cause)),
                Ok(replies) => match replies.first() {
                    Some(reply) if reply.status == NtStatus::NO_MORE_FILES => break Ok(()),
                    Some(reply) if reply.is_success() => {
                        let before = listing.len();
                        if let Err(error) = collect(dir, reply, &mut listing) {
                            break Err(error);
                        }
                        if listing.len() > MAX_LISTED {
                            break Err(too_many(dir));
                        }
                        // `.` and `..` come first and may be an answer of their own; after them each answer has new entries.
                        silent = if listing.len() == before {
                            silent + 1
                        } else {
                            0
                        };
                        if silent > SILENT_ANSWERS {
                            break Err(nonsense(dir));
                        }
                    }
                    Some(reply) => break Err(refused(dir, reply.status)),
                    None => break Err(nonsense(dir)),
                },
            }
        };
        let close = [Operation::close_handle(created.file_id)];
        let _ = compound::send(&self.connection, &self.tree, &close).await;
        outcome.map(|()| listing)
    }
}

//! The back end on libsmbclient, through pavao, for servers that require encryption and have no cipher in common with
//! smb2: always encrypted, one call at a time, no security descriptors.
//!
//! Known behaviour that is handled here:
//!
//! - Paths are URLs that are not escaped.
//! - A listing reports every error as the same one.
//! - A session that can no longer be established (tickets expired) looks like a path that does not exist.
//! - A rename onto an existing file deletes that file first and then renames: when the second half fails, the file is lost.
//! - Descriptors lose their control word and object types, so they are refused, never approximated.
//! - It accepts no address: it resolves the name of the server and requests a ticket for it.
//! - It accepts a Kerberos ticket of any encryption type, so the type is checked before it logs in.
//! - It stores the addresses of names beyond the process (`net cache flush` deletes them).
//! - A login with a password and Kerberos makes a cache in memory the default cache of the whole process.
//! - pavao writes the password to the log at level trace.

mod login;

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pavao::{SmbClient, SmbDialect, SmbEncryptionLevel, SmbError, SmbOpenOptions, SmbOptions};

use self::login::{check_ticket, credentials, no_session, own_cache, reach, refuse_trace_log};
use super::connect::{self, SmbAuth, SmbSettings};
use super::errno::{in_use, no_descriptors, not_put_back, refused, size_differs, taken};
use super::refusal::not_empty;
use crate::domain::sysvol::{
    DIRECTORY, DirEntry, Listing, MAX_LISTED, Sysvol, SysvolPath, SysvolRead, larger_than_said,
    most_of, too_many,
};
use crate::error::{Error, ErrorKind, Result};

/// A connection to SYSVOL through libsmbclient.
pub(super) struct LibSmbClient {
    /// Taken out only on drop.
    client: Option<Arc<SmbClient>>,
    server: String,
}

/// The result of a pavao call; `Gone` is an error after which the share itself did not answer either.
enum Failure {
    Call(SmbError),
    Gone(SmbError),
    /// A name that the call would have replaced is taken.
    Taken,
    /// A client has this path, or something below it, open.
    InUse(SysvolPath, io::Error),
    /// The first rename of a pair cannot be undone: the second failed, and so did renaming back.
    Stuck {
        failed: io::Error,
        undo: SmbError,
    },
}

impl Failure {
    fn cause(self) -> io::Error {
        match self {
            Self::Call(cause) | Self::Gone(cause) | Self::Stuck { undo: cause, .. } => plain(cause),
            Self::Taken => io::ErrorKind::AlreadyExists.into(),
            Self::InUse(_, cause) => cause,
        }
    }
}

impl From<SmbError> for Failure {
    fn from(cause: SmbError) -> Self {
        Self::Call(cause)
    }
}

impl From<io::Error> for Failure {
    fn from(cause: io::Error) -> Self {
        Self::Call(SmbError::Io(cause))
    }
}

impl LibSmbClient {
    /// Connects and accesses the share once, so that a refused account is detected here. The session is SMB 3, encrypted.
    /// `settings.timeout` limits each request.
    ///
    /// # Errors
    /// `Connect` when that fails; `Usage` when an address is given with Kerberos and the name does not resolve to it, when the
    /// cache is not the process's own or others can write it, or when the log level would make pavao write the password to the
    /// log.
    pub(super) async fn connect(settings: &SmbSettings) -> Result<Self> {
        refuse_trace_log(tracing::enabled!(target: "pavao::utils", tracing::Level::TRACE))?;
        if !matches!(settings.auth, SmbAuth::Ntlm { .. }) {
            // Read the cache before the first login.
            drop(own_cache());
        }
        let host = reach(settings).await?;
        let credentials = credentials(settings, &host)?;
        check_ticket(settings).await?;
        let kerberos = !matches!(settings.auth, SmbAuth::Ntlm { .. });
        let timeout = settings.timeout;
        let server = settings.server.to_string();
        // Encryption exists since 3.0.
        let min_protocol = match settings.min_dialect {
            connect::SmbDialect::Smb311 => SmbDialect::Smb311,
            connect::SmbDialect::Smb21 | connect::SmbDialect::Smb30 => SmbDialect::Smb300,
        };
        let client = blocking(move || {
            let options = SmbOptions::default()
                .min_protocol(min_protocol)
                .use_kerberos(kerberos)
                .fallback_after_kerberos(false)
                .no_auto_anonymous_login(true)
                .encryption_level(SmbEncryptionLevel::Require)
                .case_sensitive(false);
            let client = SmbClient::new(credentials, options)?;
            client.set_timeout(timeout)?;
            client.stat("/")?;
            Ok(client)
        })
        .await?
        .map_err(|cause: SmbError| no_session(&server, kerberos, cause))?;
        // Without either, the login would have failed.
        tracing::info!(
            server,
            signed = true,
            encrypted = true,
            "SYSVOL is open (libsmbclient)"
        );
        Ok(Self {
            client: Some(Arc::new(client)),
            server,
        })
    }

    /// Runs a call on a separate thread; libsmbclient has one lock for all of them.
    async fn call<T: Send + 'static>(
        &self,
        path: &SysvolPath,
        call: impl FnOnce(&SmbClient) -> std::result::Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let Some(client) = self.client.clone() else {
            return Err(Error::new(ErrorKind::Internal, "the SMB session is closed"));
        };
        let server = self.server.clone();
        blocking(move || {
            call(&client).map_err(|failure| match failure {
                // "Not found" is also the error when the session broke and cannot be restored.
                Failure::Call(SmbError::Io(cause)) if cause.kind() == io::ErrorKind::NotFound => {
                    match client.stat("/") {
                        Ok(_) => Failure::Call(SmbError::Io(cause)),
                        Err(gone) => Failure::Gone(gone),
                    }
                }
                other => other,
            })
        })
        .await?
        .map_err(|failure| match failure {
            Failure::Call(cause) => refused(path, plain(cause)),
            Failure::Gone(cause) => Error::new(
                ErrorKind::Connect,
                format!("the SMB session with {server} failed at {path}"),
            )
            .with_source(plain(cause))
            .with_hint("check whether the ticket has expired and whether the server answers"),
            Failure::Taken => taken(path),
            Failure::InUse(held, cause) => in_use(&held, cause),
            Failure::Stuck { failed, undo } => not_put_back(path, &failed, plain(undo)),
        })
    }
}

impl Drop for LibSmbClient {
    /// Closing sends requests and waits for the lock of libsmbclient, so it is not done on a thread of the runtime.
    fn drop(&mut self) {
        let client = self.client.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn_blocking(move || drop(client)));
        }
    }
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(call).await.map_err(|cause| {
        Error::new(
            ErrorKind::Internal,
            "a call to libsmbclient ended unexpectedly",
        )
        .with_source(cause)
    })
}

/// The path below the share as part of a URL. Everything but plain letters, digits and `-._~` is escaped as UTF-8 bytes, so
/// that nothing depends on which characters a version of the URL parser treats as special.
fn url(path: &SysvolPath) -> String {
    format!("/{}", escaped(&path.on_share("/")))
}

fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Whether the URL exists.
fn exists(client: &SmbClient, url: &str) -> std::result::Result<bool, SmbError> {
    match client.stat(url) {
        Ok(_) => Ok(true),
        Err(SmbError::Io(cause)) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(other) => Err(other),
    }
}

/// Deletes a file. STATUS_CANNOT_DELETE of a read-only one arrives as EINVAL; then its attribute is removed first.
fn delete(client: &SmbClient, url: &str) -> std::result::Result<(), SmbError> {
    match client.unlink(url) {
        Err(SmbError::Io(cause)) if cause.kind() == io::ErrorKind::InvalidInput => {
            client.chmod(url, 0o644.into())?;
            client.unlink(url)
        }
        other => other,
    }
}

/// Renames. When that is denied for a folder, a client may have something below it open.
fn renamed(client: &SmbClient, from: &SysvolPath, to: &str) -> std::result::Result<(), Failure> {
    let source = url(from);
    match client.rename(source.as_str(), to) {
        Err(SmbError::Io(cause))
            if cause.kind() == io::ErrorKind::ResourceBusy
                || (cause.kind() == io::ErrorKind::PermissionDenied
                    && client.stat(&source)?.mode.is_dir()) =>
        {
            Err(Failure::InUse(from.clone(), cause))
        }
        other => Ok(other?),
    }
}

/// Renames `live` to `old`, then `new` to `live`; when the second fails, `live` is restored before the error is returned.
fn exchange(
    client: &SmbClient,
    live: &SysvolPath,
    old: &str,
    new: &SysvolPath,
) -> std::result::Result<(), Failure> {
    renamed(client, live, old)?;
    let live = url(live);
    let Err(failed) = renamed(client, new, &live) else {
        return Ok(());
    };
    match client.rename(old, live.as_str()) {
        Ok(()) => Err(failed),
        Err(undo) => Err(Failure::Stuck {
            failed: failed.cause(),
            undo,
        }),
    }
}

/// The cause without the text that pavao puts before it.
fn plain(cause: SmbError) -> io::Error {
    match cause {
        SmbError::Io(cause) => cause,
        other => io::Error::other(other),
    }
}

#[async_trait]
impl SysvolRead for LibSmbClient {
    async fn list(&self, dir: &SysvolPath) -> Result<Listing> {
        let url = url(dir);
        // A listing reports every error alike, so the folder is checked first.
        let entries = self
            .call(dir, move |client| {
                client.stat(&url)?;
                match client.list_dirplus(&url) {
                    Err(SmbError::BadFileDescriptor) => {
                        // It still exists, or its own error; if it exists and cannot be listed, access is denied.
                        let stat = client.stat(&url)?;
                        let kind = if stat.mode.is_dir() {
                            io::ErrorKind::PermissionDenied
                        } else {
                            io::ErrorKind::NotADirectory
                        };
                        Err(io::Error::from(kind).into())
                    }
                    other => Ok(other?),
                }
            })
            .await?;
        if entries.len() > MAX_LISTED {
            return Err(too_many(dir));
        }
        let mut listing = Listing::default();
        for entry in entries {
            listing.take(entry.name(), u32::from(entry.attrs), entry.size);
        }
        Ok(listing)
    }

    async fn stat(&self, path: &SysvolPath) -> Result<Option<DirEntry>> {
        let url = url(path);
        let stat = match self.call(path, move |client| Ok(client.stat(&url)?)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let attributes = if stat.mode.is_dir() { DIRECTORY } else { 0 };
        Ok(DirEntry::at(path, attributes, stat.size))
    }

    async fn read(&self, path: &SysvolPath, size: u64) -> Result<Bytes> {
        let url = url(path);
        let most = most_of(path, size)?;
        let content = self
            .call(path, move |client| {
                let file = client.open_with(&url, SmbOpenOptions::default().read(true))?;
                let mut content =
                    Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(1 << 26));
                file.take(most.saturating_add(1))
                    .read_to_end(&mut content)?;
                Ok(Bytes::from(content))
            })
            .await?;
        match u64::try_from(content.len()) {
            Ok(read) if read <= most => Ok(content),
            read => Err(larger_than_said(path, read.unwrap_or(u64::MAX), most)),
        }
    }

    async fn security_descriptor(&self, _path: &SysvolPath) -> Result<Vec<u8>> {
        Err(no_descriptors())
    }

    /// pavao opens files for reading or writing only, and folders not at all.
    async fn maximal_access(&self, _path: &SysvolPath) -> Result<Option<u32>> {
        Ok(None)
    }

    fn concurrency(&self) -> usize {
        1
    }

    fn has_exact_descriptors(&self) -> bool {
        false
    }
}

#[async_trait]
impl Sysvol for LibSmbClient {
    async fn create_dir(&self, path: &SysvolPath, descriptors: &[Vec<u8>]) -> Result<()> {
        if !descriptors.is_empty() {
            return Err(no_descriptors());
        }
        let url = url(path);
        self.call(path, move |client| Ok(client.mkdir(&url, 0o755.into())?))
            .await
    }

    async fn write_new(
        &self,
        path: &SysvolPath,
        content: Bytes,
        descriptors: &[Vec<u8>],
    ) -> Result<()> {
        if !descriptors.is_empty() {
            return Err(no_descriptors());
        }
        let target = url(path);
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let written = self
            .call(path, move |client| {
                let options = SmbOpenOptions::default()
                    .create(true)
                    .exclusive(true)
                    .write(true)
                    .mode(0o644);
                let mut file = client.open_with(&target, options)?;
                let outcome = file.write_all(&content).and_then(|()| file.flush());
                // An error while closing is not reported, so check the size.
                drop(file);
                let size = outcome
                    .map_err(Into::into)
                    .and_then(|()| Ok(client.stat(&target)?.size));
                if !matches!(size, Ok(size) if size == length) {
                    // An incomplete file is deleted; the error to return is the first one.
                    let _ = client.unlink(&target);
                }
                size
            })
            .await?;
        if written == length {
            Ok(())
        } else {
            Err(size_differs(path, written, length))
        }
    }

    /// With `replace`, the file at the new name is renamed away first, restored when the second rename fails, and deleted at
    /// the end: a reader may miss the name briefly, and no error loses the file.
    async fn rename(&self, from: &SysvolPath, to: &SysvolPath, replace: bool) -> Result<()> {
        let same = from.on_share("/").to_lowercase() == to.on_share("/").to_lowercase();
        let (source, target) = (from.clone(), url(to));
        let aside = match target.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/.gpoctl-{}-old", uuid::Uuid::new_v4()),
            None => return Err(taken(to)),
        };
        // The path for errors: the source if it is missing, else the target.
        let is_dir = {
            let source = url(from);
            self.call(from, move |client| Ok(client.stat(&source)?.mode.is_dir()))
                .await?
        };
        let replaced = to.clone();
        let left = self
            .call(to, move |client| {
                // Another spelling of its own name is not in use by another file.
                if same || !exists(client, &target)? {
                    renamed(client, &source, &target)?;
                    return Ok(None);
                }
                if !replace || is_dir || client.stat(&target)?.mode.is_dir() {
                    return Err(Failure::Taken);
                }
                exchange(client, &replaced, &aside, &source)?;
                Ok(delete(client, &aside).err().map(|cause| (aside, cause)))
            })
            .await?;
        if let Some((aside, cause)) = left {
            tracing::warn!(
                "{to} was replaced, but the file before it is left as {aside} on the share: {cause}"
            );
        }
        Ok(())
    }

    async fn swap(
        &self,
        live: &SysvolPath,
        old: Option<&SysvolPath>,
        staged: &SysvolPath,
    ) -> Result<()> {
        let (live_path, old_url, new) = (live.clone(), old.map(url), staged.clone());
        {
            let staged_url = url(staged);
            self.call(staged, move |client| Ok(client.stat(&staged_url)?))
                .await?;
        }
        if let (Some(old), Some(old_url)) = (old, old_url.clone()) {
            self.call(old, move |client| {
                if exists(client, &old_url)? {
                    return Err(Failure::Taken);
                }
                Ok(())
            })
            .await?;
        }
        self.call(live, move |client| match old_url {
            Some(old_url) => exchange(client, &live_path, &old_url, &new),
            None if exists(client, &url(&live_path))? => Err(Failure::Taken),
            None => renamed(client, &new, &url(&live_path)),
        })
        .await
    }

    async fn remove_file(&self, path: &SysvolPath) -> Result<()> {
        let url = url(path);
        self.call(path, move |client| {
            // It would delete an empty folder.
            if client.stat(&url)?.mode.is_dir() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
            }
            Ok(delete(client, &url)?)
        })
        .await
    }

    async fn remove_dir(&self, path: &SysvolPath) -> Result<()> {
        let url = url(path);
        match self.call(path, move |client| Ok(client.rmdir(&url)?)).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                Err(not_empty(self, path, error).await)
            }
            other => other,
        }
    }

    async fn set_security_descriptors(
        &self,
        _path: &SysvolPath,
        descriptors: &[Vec<u8>],
    ) -> Result<()> {
        if descriptors.is_empty() {
            Ok(())
        } else {
            Err(no_descriptors())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_as_urls() {
        assert_eq!(escaped("a.b-c_d~/E1"), "a.b-c_d~/E1");
        assert_eq!(escaped("%41 ?#&"), "%2541%20%3F%23%26");
        assert_eq!(escaped("{ü}@:;"), "%7B%C3%BC%7D%40%3A%3B");
    }
}

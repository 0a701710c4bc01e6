//! The back end on libsmbclient, through pavao: SMB encryption and every ticket cache type, one call at a time, no
//! security descriptors.
//!
//! What was seen of it, and is handled here: paths are URLs that are not escaped; a listing reports every failure as one;
//! a rename replaces silently; descriptors lose their control word and object types, so they are refused, never approximated.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pavao::{
    SmbClient, SmbCredentials, SmbDialect, SmbEncryptionLevel, SmbError, SmbOpenOptions, SmbOptions,
};
use secrecy::ExposeSecret as _;

use super::connect::{SmbAuth, SmbSettings};
use super::{DirEntry, Listing, Sysvol, SysvolPath, SysvolRead};
use crate::error::{Error, ErrorKind, Result};
use crate::model::safe_name::SafeName;

/// FILE_ATTRIBUTE_DIRECTORY [MS-FSCC 2.6]
const DIRECTORY: u32 = 0x10;
/// FILE_ATTRIBUTE_REPARSE_POINT [MS-FSCC 2.6]
const REPARSE_POINT: u32 = 0x400;

/// A connection to SYSVOL through libsmbclient.
pub(super) struct LibSmbClient {
    client: Arc<SmbClient>,
}

impl LibSmbClient {
    /// Connects and looks at the share once, so that a refused account is found out here.
    ///
    /// # Errors
    /// `Connect` when that fails; `Usage` when an address is given with Kerberos, or a cache that is not the process's own.
    pub(super) async fn connect(settings: &SmbSettings) -> Result<Self> {
        let credentials = credentials(settings)?;
        let kerberos = !matches!(settings.auth, SmbAuth::Ntlm { .. });
        let timeout = settings.timeout;
        let server = settings.server.to_string();
        let client = blocking(move || {
            let options = SmbOptions::default()
                .min_protocol(SmbDialect::Smb300)
                .use_kerberos(kerberos)
                .use_ccache(kerberos)
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
        .map_err(|cause: SmbError| {
            Error::new(
                ErrorKind::Connect,
                format!("{server} refused the session over SMB (libsmbclient)"),
            )
            .with_source(cause)
            .with_hint(
                "check the account, its password or ticket, the name of the server and the clock",
            )
        })?;
        Ok(Self {
            client: Arc::new(client),
        })
    }

    /// Runs a call on a thread of its own; libsmbclient has one lock for all of them.
    async fn call<T: Send + 'static>(
        &self,
        path: &SysvolPath,
        call: impl FnOnce(&SmbClient) -> std::result::Result<T, SmbError> + Send + 'static,
    ) -> Result<T> {
        let client = Arc::clone(&self.client);
        blocking(move || call(&client))
            .await?
            .map_err(|cause| refused(path, cause))
    }
}

fn credentials(settings: &SmbSettings) -> Result<SmbCredentials> {
    let by_name = SmbCredentials::default()
        .server(format!("smb://{}", settings.server))
        .share("/SYSVOL");
    match &settings.auth {
        SmbAuth::Ntlm {
            domain,
            user,
            password,
        } => {
            let host = settings.address.map_or_else(
                || settings.server.to_string(),
                |address| address.to_string(),
            );
            Ok(by_name
                .server(format!("smb://{host}"))
                .username(user)
                .workgroup(domain)
                .password(password.expose_secret()))
        }
        _ if settings.address.is_some() => Err(Error::new(
            ErrorKind::Usage,
            format!(
                "libsmbclient cannot connect to an address as {} with Kerberos",
                settings.server
            ),
        )
        .with_hint(
            "let the name resolve here and leave the address out, or use --smb-client smb2",
        )),
        SmbAuth::KerberosPassword {
            user,
            realm,
            password,
        } => Ok(by_name
            .username(format!("{user}@{realm}"))
            .workgroup(realm)
            .password(password.expose_secret())),
        SmbAuth::KerberosCache { path } => {
            let own = std::env::var("KRB5CCNAME").unwrap_or_default();
            let asked = path
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned());
            if asked.is_some_and(|asked| own.strip_prefix("FILE:").unwrap_or(&own) != asked) {
                return Err(Error::new(
                    ErrorKind::Usage,
                    "libsmbclient reads only the default ticket cache",
                )
                .with_hint("set KRB5CCNAME to the cache, or use --smb-client smb2"));
            }
            // With an empty password and any user name it takes the tickets of the cache; without a name it is nobody.
            Ok(by_name.username("kerberos").workgroup(&settings.realm))
        }
    }
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(call).await.map_err(|cause| {
        Error::new(ErrorKind::Internal, "a call of libsmbclient ended").with_source(cause)
    })
}

/// The path below the share as part of a URL: what a URL would read otherwise is escaped.
fn url(path: &SysvolPath) -> String {
    let mut out = String::from("/");
    for c in path.on_share("/").chars() {
        match c {
            '%' => out.push_str("%25"),
            '?' => out.push_str("%3F"),
            c => out.push(c),
        }
    }
    out
}

fn refused(path: &SysvolPath, cause: SmbError) -> Error {
    use std::io::ErrorKind as Io;

    let (kind, what) = match &cause {
        SmbError::Io(io) => match io.kind() {
            Io::NotFound => (ErrorKind::NotFound, "there is no"),
            Io::PermissionDenied => (ErrorKind::Denied, "this account may not touch"),
            Io::AlreadyExists => (ErrorKind::Conflict, "something already exists at"),
            Io::DirectoryNotEmpty => (ErrorKind::Conflict, "there is still something in"),
            Io::ResourceBusy => (ErrorKind::Conflict, "somebody holds open"),
            Io::TimedOut | Io::BrokenPipe | Io::ConnectionReset | Io::ConnectionAborted => {
                (ErrorKind::Connect, "the SMB connection failed at")
            }
            _ => (ErrorKind::BadDirectory, "the server refused"),
        },
        _ => (ErrorKind::BadDirectory, "the server refused"),
    };
    Error::new(kind, format!("{what} {path}"))
        .with_source(cause)
        .with_hint("check the permissions on SYSVOL, and whether it was changed meanwhile")
}

fn no_descriptors() -> Error {
    Error::new(
        ErrorKind::Usage,
        "libsmbclient cannot carry a security descriptor faithfully",
    )
    .with_hint("use --smb-client smb2")
}

#[async_trait]
impl SysvolRead for LibSmbClient {
    async fn list(&self, dir: &SysvolPath) -> Result<Listing> {
        let url = url(dir);
        // A listing reports every failure alike, so the folder is looked at first.
        let entries = self
            .call(dir, move |client| {
                client.stat(&url)?;
                client.list_dirplus(&url)
            })
            .await?;
        let mut listing = Listing::default();
        for entry in entries {
            if entry.name() == "." || entry.name() == ".." {
                continue;
            }
            let attributes = u32::from(entry.attrs);
            if attributes & REPARSE_POINT != 0 {
                listing.refused.push(format!(
                    "\"{}\" is a link, and links are not followed",
                    entry.name().escape_debug()
                ));
                continue;
            }
            match SafeName::new(entry.name()) {
                Ok(name) => {
                    let is_dir = attributes & DIRECTORY != 0;
                    listing.entries.push(DirEntry {
                        name,
                        is_dir,
                        size: if is_dir { 0 } else { entry.size },
                        attributes,
                    });
                }
                Err(reason) => listing.refused.push(reason.to_string()),
            }
        }
        Ok(listing)
    }

    async fn stat(&self, path: &SysvolPath) -> Result<Option<DirEntry>> {
        let url = url(path);
        let stat = match self.call(path, move |client| client.stat(&url)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let name = path
            .rel()
            .and_then(|rel| rel.name().cloned())
            .or_else(|| SafeName::new("Policies").ok());
        let is_dir = stat.mode.is_dir();
        Ok(name.map(|name| DirEntry {
            name,
            is_dir,
            size: if is_dir { 0 } else { stat.size },
            attributes: if is_dir { DIRECTORY } else { 0 },
        }))
    }

    async fn read(&self, path: &SysvolPath, size: u64) -> Result<Bytes> {
        let url = url(path);
        self.call(path, move |client| {
            let mut file = client.open_with(&url, SmbOpenOptions::default().read(true))?;
            let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(1 << 26));
            file.read_to_end(&mut content)?;
            Ok(Bytes::from(content))
        })
        .await
    }

    async fn security_descriptor(&self, _path: &SysvolPath) -> Result<Vec<u8>> {
        Err(no_descriptors())
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
        self.call(path, move |client| client.mkdir(&url, 0o755.into()))
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
                file.write_all(&content)?;
                file.flush()?;
                // An error while closing is not told, so the size is looked at.
                drop(file);
                Ok(client.stat(&target)?.size)
            })
            .await?;
        if written == length {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::BadDirectory,
                format!("{path} has {written} bytes after {length} were written"),
            )
            .with_hint("look whether the disk of the server is full"))
        }
    }

    async fn rename(&self, from: &SysvolPath, to: &SysvolPath, replace: bool) -> Result<()> {
        // A rename replaces silently here, so what is in the way is looked for first.
        if !replace && self.stat(to).await?.is_some() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("something already exists at {to}"),
            )
            .with_hint("look whether another operation is under way"));
        }
        let (source, target) = (url(from), url(to));
        self.call(from, move |client| client.rename(source, target))
            .await
    }

    async fn swap(
        &self,
        live: &SysvolPath,
        old: Option<&SysvolPath>,
        staged: &SysvolPath,
    ) -> Result<()> {
        if let Some(old) = old {
            self.rename(live, old, false).await?;
        }
        let moved = self.rename(staged, live, false).await;
        if let (Err(_), Some(old)) = (&moved, old) {
            self.rename(old, live, false).await?;
        }
        moved
    }

    async fn remove_file(&self, path: &SysvolPath) -> Result<()> {
        let url = url(path);
        self.call(path, move |client| client.unlink(&url)).await
    }

    async fn remove_dir(&self, path: &SysvolPath) -> Result<()> {
        let url = url(path);
        self.call(path, move |client| client.rmdir(&url)).await
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

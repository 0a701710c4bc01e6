//! Who logs in: identities, Kerberos credentials, TLS. The only module that sees a password.
//!
//! A password is kept in [`secrecy::SecretString`] from the file or prompt to the call that needs it; nothing here shows,
//! compares or serializes one.

pub(crate) mod kerberos;
pub(crate) mod memory;
pub mod tls;

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::local::trusted_file::{self, Readers};
use crate::model::domain_name::DomainName;

/// Who logs in.
#[derive(Clone)]
#[non_exhaustive]
pub enum Identity {
    /// With the tickets of a cache, from `kinit` or a login.
    TicketCache {
        /// The cache in the syntax of `KRB5CCNAME` (`FILE:/tmp/x`, `KCM:`, or a bare path); `None` for the default one.
        cache: Option<String>,
        /// The principal (`NAME@REALM`) whose tickets are used; `None` for any.
        principal: Option<String>,
    },
    /// With a password.
    Password {
        /// `NAME@REALM`, `DOM\NAME` or `NAME`; see [`UserName`].
        user: String,
        /// The password.
        password: SecretString,
    },
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TicketCache { cache, principal } => f
                .debug_struct("TicketCache")
                .field("cache", cache)
                .field("principal", principal)
                .finish(),
            Self::Password { user, .. } => f
                .debug_struct("Password")
                .field("user", user)
                .finish_non_exhaustive(),
        }
    }
}

/// A user's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserName {
    /// The account name, without domain.
    pub account: String,
    /// What is before the backslash or after the `@`.
    pub authority: Authority,
}

/// The domain part of a user's name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authority {
    /// None was given.
    None,
    /// A DNS name or realm: `NAME@REALM`, `dns.domain\NAME`.
    Dns(DomainName),
    /// A NetBIOS name: `DOM\NAME`.
    NetBios(String),
}

impl UserName {
    /// Takes `NAME@REALM`, `DOM\NAME` or `NAME` apart.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when a part is missing, or holds a character that no account name can hold.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::new(
                ErrorKind::Usage,
                format!("the user name \"{}\" {why}", text.escape_debug()),
            )
            .with_hint("write NAME@REALM or DOM\\NAME")
            .with_remedy(Remedy::GiveUserWithDomain)
        };
        let (account, authority) = if let Some((domain, account)) = text.split_once('\\') {
            let authority = match domain.parse::<DomainName>() {
                Ok(name) if domain.contains('.') => Authority::Dns(name),
                Ok(_) => Authority::NetBios(domain.to_owned()),
                Err(_) => return Err(bad("has no valid domain before the backslash")),
            };
            (account, authority)
        } else if let Some((account, realm)) = text.rsplit_once('@') {
            let realm = realm
                .parse()
                .map_err(|_| bad("has no valid realm after the @"))?;
            (account, Authority::Dns(realm))
        } else {
            (text, Authority::None)
        };
        if account.is_empty() {
            return Err(bad("has no account part"));
        }
        // The characters [MS-SAMR 3.1.1.6] forbids in sAMAccountName that would also change the meaning of a principal.
        if account.contains(['@', '\\', '/']) || account.chars().any(char::is_control) {
            return Err(bad(
                "contains a character that an account name cannot contain",
            ));
        }
        Ok(Self {
            account: account.to_owned(),
            authority,
        })
    }

    /// The Kerberos principal, `NAME@REALM` with the realm in upper case as KDCs demand. A NetBIOS domain or none at all
    /// takes the realm of `domain`, the domain to be talked to.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the realm is needed from `domain` and there is none.
    pub fn principal(&self, domain: Option<&DomainName>) -> Result<String> {
        let realm = match (&self.authority, domain) {
            (Authority::Dns(realm), _) | (_, Some(realm)) => realm.realm(),
            (Authority::None | Authority::NetBios(_), None) => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("the realm of the user {} is not known", self.account),
                )
                .with_hint("write the user as NAME@REALM")
                .with_remedy(Remedy::GiveUserWithRealm));
            }
        };
        Ok(format!("{}@{realm}", self.account))
    }

    /// The name for a simple bind [MS-ADTS 5.1.1.1.1]: `DOM\NAME` as it was given, else `NAME@realm`.
    ///
    /// # Errors
    /// As [`UserName::principal`].
    pub fn bind_name(&self, domain: Option<&DomainName>) -> Result<String> {
        match &self.authority {
            Authority::NetBios(netbios) => Ok(format!("{netbios}\\{}", self.account)),
            Authority::Dns(_) | Authority::None => self.principal(domain),
        }
    }
}

/// The most a password file may contain, in bytes: more is not a password.
const MAX_PASSWORD_FILE: u64 = 64 * 1024;

/// Reads a password: the first line of the file, without its line end.
///
/// The file must be a regular one that belongs to the caller or root and that no other user can read or write. A pipe that
/// the shell passes on, such as that of `<(…)`, may be read too.
///
/// # Errors
/// [`ErrorKind::Usage`] when the file cannot be read, is not such a file, is empty or is not UTF-8.
pub fn read_password_file(path: &Path) -> Result<SecretString> {
    let bad = |why: &str| {
        Error::new(
            ErrorKind::Usage,
            format!("the password file {} {why}", path.display()),
        )
    };
    let mut file = if is_passed_on(path) {
        std::fs::File::open(path).map_err(|cause| bad("cannot be opened").with_source(cause))?
    } else {
        trusted_file::open(path, "password file", Readers::Owner)?
    };
    // Reserved at once, so that growing does not leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(MAX_PASSWORD_FILE).unwrap_or(0) + 1,
    ));
    std::io::Read::by_ref(&mut file)
        .take(MAX_PASSWORD_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|cause| bad("cannot be read").with_source(cause))?;
    first_line(&bytes).map_err(bad)
}

/// Whether this is a file that the caller opened and passed on: `/dev/fd/N` or `/proc/self/fd/N`, and nothing below or beside it.
fn is_passed_on(path: &Path) -> bool {
    path.to_str()
        .and_then(|path| {
            path.strip_prefix("/dev/fd/")
                .or_else(|| path.strip_prefix("/proc/self/fd/"))
        })
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()))
}

/// The first line as a password.
fn first_line(bytes: &[u8]) -> Result<SecretString, &'static str> {
    let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if u64::try_from(line.len()).unwrap_or(u64::MAX) > MAX_PASSWORD_FILE {
        return Err("has a first line longer than 64 KiB");
    }
    let text = std::str::from_utf8(line).map_err(|_| "is not UTF-8")?;
    if text.is_empty() {
        return Err("has an empty first line");
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn takes_user_names_apart() {
        let domain: DomainName = "src.test".parse().unwrap();
        let principal = |text: &str| UserName::parse(text).unwrap().principal(Some(&domain));
        assert_eq!(principal("joe@other.test").unwrap(), "joe@OTHER.TEST");
        assert_eq!(principal("SRC\\joe").unwrap(), "joe@SRC.TEST");
        assert_eq!(principal("a.test\\joe").unwrap(), "joe@A.TEST");
        assert_eq!(principal("joe").unwrap(), "joe@SRC.TEST");
        let netbios = UserName::parse("SRC\\joe").unwrap();
        assert_eq!(netbios.bind_name(None).unwrap(), "SRC\\joe");
        assert_eq!(
            netbios.principal(None).unwrap_err().kind(),
            ErrorKind::Usage
        );
    }

    #[test]
    fn refuses_what_is_no_user_name() {
        for text in [
            "", "@A", "A\\", "\\x", "a@b@c", "a\\b\\c", "a@b c", "a/b@C", "a\n@C",
        ] {
            assert!(UserName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn reads_the_first_line_only_and_strips_one_line_end() {
        for text in ["pa ss", "pa ss\n", "pa ss\r\n", "pa ss\nsecond\n"] {
            assert_eq!(
                first_line(text.as_bytes()).unwrap().expose_secret(),
                "pa ss"
            );
        }
        assert!(first_line(b"\n").is_err());
        assert!(first_line(b"").is_err());
        assert!(first_line(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn refuses_a_file_that_others_can_read() {
        use std::os::unix::fs::PermissionsExt as _;

        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret\n").unwrap();
        let set = |mode| {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(0o640);
        let error = read_password_file(file.path()).unwrap_err();
        assert!(error.message().contains("mode 640"), "{error}");
        assert!(!error.to_string().contains("s3cret"));
        set(0o600);
        assert_eq!(
            read_password_file(file.path()).unwrap().expose_secret(),
            "s3cret"
        );
    }

    #[test]
    fn only_a_file_that_was_passed_on_may_be_a_pipe() {
        for path in ["/dev/fd/0", "/dev/fd/63", "/proc/self/fd/3"] {
            assert!(is_passed_on(Path::new(path)), "{path}");
        }
        for path in [
            "/dev/fd",
            "/dev/fd/",
            "/dev/fd/+3",
            "/dev/fd/3/x",
            "/dev/fd/../../tmp/x",
            "/proc/self/fd/3/../../../../tmp/x",
            "/proc/1/fd/3",
            "/dev/stdin",
        ] {
            assert!(!is_passed_on(Path::new(path)), "{path}");
        }
    }

    /// The path begins as that of a passed file, and leads elsewhere.
    #[test]
    fn a_path_out_of_the_passed_files_is_checked() {
        use std::os::unix::fs::PermissionsExt as _;

        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret\n").unwrap();
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(file.path(), open).unwrap();
        let absolute = file.path().to_str().unwrap();
        // The folder of a process is three below the root.
        let path = format!("/proc/self/fd/../../..{absolute}");
        assert!(Path::new(&path).exists());
        let error = read_password_file(Path::new(&path)).unwrap_err();
        assert!(error.message().contains("mode 644"), "{error}");
    }

    #[test]
    fn debug_shows_no_password() {
        let identity = Identity::Password {
            user: "joe@A".to_owned(),
            password: SecretString::from("s3cret"),
        };
        let shown = format!("{identity:?}");
        assert!(shown.contains("joe@A") && !shown.contains("s3cret"));
    }
}

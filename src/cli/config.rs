//! Domain profiles: `$XDG_CONFIG_HOME/gpoctl/config.toml`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::local::trusted_file;
use crate::model::domain_name::DomainName;

/// The keys of a profile, as hints list them.
const KEYS: &str = "server, address, nameserver, user, password_file, ccache, tls_ca, tls_pin, ldap, smb_client, smb_min_dialect, allow_rc4, timeout";

/// The most bytes of the configuration.
const MAX_CONFIG: u64 = 128 << 10;

/// The configuration file.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// The profiles, by the DNS name of the domain.
    #[serde(default)]
    pub(super) domain: BTreeMap<String, Profile>,
}

/// How to reach one domain.
#[derive(Debug, Default, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) server: Option<String>,
    pub(super) address: Option<IpAddr>,
    pub(super) nameserver: Option<IpAddr>,
    pub(super) user: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) ccache: Option<String>,
    pub(super) tls_ca: Option<PathBuf>,
    pub(super) tls_pin: Option<String>,
    pub(super) ldap: Option<String>,
    pub(super) smb_client: Option<String>,
    pub(super) smb_min_dialect: Option<String>,
    pub(super) allow_rc4: Option<bool>,
    pub(super) timeout: Option<u64>,
}

impl Config {
    /// Reads the file; without one, there are no profiles. Paths in it are absolute afterwards.
    ///
    /// # Errors
    /// `Usage` when the file cannot be read or is not valid. The message never contains a line of the file, which may hold
    /// a password that does not belong there.
    pub(super) fn load() -> Result<Self> {
        let Some(path) = path() else {
            return Ok(Self::default());
        };
        if matches!(path.try_exists(), Ok(false)) {
            return Ok(Self::default());
        }
        // It names the server and the password file.
        let mut config = Self::read(&path)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let home = std::env::var_os("HOME").map(PathBuf::from);
        for profile in config.domain.values_mut() {
            profile.resolve_paths(folder, home.as_deref());
        }
        Ok(config)
    }

    fn read(path: &Path) -> Result<Self> {
        let bytes = trusted_file::read_setting(path, "configuration", MAX_CONFIG)?;
        let text = String::from_utf8(bytes).map_err(|cause| {
            Error::new(ErrorKind::Usage, format!("cannot read {}", path.display()))
                .with_source(cause)
        })?;
        Self::parse(&text).map_err(|error| error.context(path.display()))
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let document: toml::Table = toml::from_str(text).map_err(|cause| invalid(text, &cause))?;
        if let Some(error) = common_mistake(&document) {
            return Err(error);
        }
        toml::from_str(text).map_err(|cause| invalid(text, &cause))
    }

    /// The profile of a domain, whose name is compared without regard to case.
    pub(super) fn profile(&self, domain: &str) -> Profile {
        self.domain
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(domain))
            .map(|(_, profile)| profile.clone())
            .unwrap_or_default()
    }

    /// Whether there is a profile of this domain.
    pub(super) fn has_profile(&self, domain: &DomainName) -> bool {
        let mut names = self.domain.keys();
        names.any(|name| name.eq_ignore_ascii_case(domain.as_str()))
    }

    /// The names of the profiles for a sentence: `a, b or c`; `None` when there are none.
    pub(super) fn names(&self) -> Option<String> {
        let names: Vec<&str> = self.domain.keys().map(String::as_str).collect();
        let (last, others) = names.split_last()?;
        Some(if others.is_empty() {
            (*last).to_owned()
        } else {
            format!("{} or {last}", others.join(", "))
        })
    }
}

impl Profile {
    /// Makes the paths absolute: `~/` is the home directory, and a relative path is below the folder of config.toml, so that
    /// a profile does not depend on the current directory.
    fn resolve_paths(&mut self, folder: &Path, home: Option<&Path>) {
        for path in [&mut self.password_file, &mut self.tls_ca]
            .into_iter()
            .flatten()
        {
            *path = resolved(path, folder, home);
        }
        if let Some(cache) = &mut self.ccache {
            *cache = resolved_cache(cache, folder, home);
        }
    }
}

fn resolved(path: &Path, folder: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(below), Some(home)) => home.join(below),
        _ => folder.join(path),
    }
}

/// A ticket cache name `TYPE:residual`, or a bare path, which is a FILE cache [krb5_cc_resolve]. Only FILE and DIR name paths.
fn resolved_cache(name: &str, folder: &Path, home: Option<&Path>) -> String {
    let (prefix, path) = match name.split_once(':') {
        // One cache of a collection: DIR::PATH.
        Some(("DIR", rest)) if rest.starts_with(':') => ("DIR::", rest.trim_start_matches(':')),
        Some(("DIR", rest)) => ("DIR:", rest),
        Some(("FILE", rest)) => ("FILE:", rest),
        None => ("FILE:", name),
        Some(_) => return name.to_owned(),
    };
    let path = resolved(Path::new(path), folder, home);
    format!("{prefix}{}", path.display())
}

/// The two most common mistakes, which get messages of their own.
fn common_mistake(document: &toml::Table) -> Option<Error> {
    let domains = document.get("domain").and_then(toml::Value::as_table)?;
    for (name, value) in domains {
        let Some(profile) = value.as_table() else {
            continue;
        };
        if profile.contains_key("password") || domains.contains_key("password") {
            return Some(no_passwords());
        }
        // [domain.corp.example] is a table `corp` with a table `example` in it.
        let nested: Option<(&String, &toml::Table)> = profile
            .iter()
            .find_map(|(key, value)| Some((key, value.as_table()?)));
        if let Some((second, table)) = nested {
            let mut labels = vec![name.as_str(), second.as_str()];
            let mut table = table;
            while let Some((key, below)) = table
                .iter()
                .find_map(|(key, value)| Some((key, value.as_table()?)))
            {
                labels.push(key);
                table = below;
            }
            if table.contains_key("password") {
                return Some(no_passwords());
            }
            let full = labels.join(".");
            return Some(
                Error::new(
                    ErrorKind::Usage,
                    format!("the domain name in [domain.{full}] is not quoted"),
                )
                .with_hint(format!("write [domain.\"{full}\"]")),
            );
        }
    }
    None
}

fn no_passwords() -> Error {
    Error::new(
        ErrorKind::Usage,
        "passwords are not kept in config.toml; use password_file",
    )
    .with_hint("password_file = \"corp.password\" names a file, readable for you only, whose first line is the password")
}

/// What toml reports, with the line number but without the line itself.
fn invalid(text: &str, cause: &toml::de::Error) -> Error {
    let line = cause
        .span()
        .and_then(|span| text.get(..span.start))
        .map(|before| format!("line {}: ", before.matches('\n').count() + 1))
        .unwrap_or_default();
    let message = cause.message().lines().collect::<Vec<_>>().join(" ");
    Error::new(ErrorKind::Usage, format!("{line}{message}")).with_hint(format!(
        "a profile is a table [domain.\"NAME\"] with any of these keys: {KEYS}"
    ))
}

fn path() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".config")))?;
    Some(config.join("gpoctl/config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_profiles_and_refuses_unknown_keys() {
        let config = Config::parse(
            "[domain.\"src.test\"]\nserver = \"dc1.src.test\"\naddress = \"127.0.0.11\"\n[domain.\"dst.test\"]\n",
        )
        .unwrap();
        let profile = config.profile("SRC.TEST");
        assert_eq!(profile.server.as_deref(), Some("dc1.src.test"));
        assert_eq!(config.names().as_deref(), Some("dst.test or src.test"));
        let error = Config::parse("[domain.\"a\"]\nusr = \"x\"\n").unwrap_err();
        assert!(
            error.message().starts_with("line 2: unknown field"),
            "{error}"
        );
    }

    #[test]
    fn a_configuration_without_end_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MAX_CONFIG + 1).unwrap();
        let error = Config::read(file.path()).unwrap_err();
        assert!(error.message().contains("more than"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Usage);
    }

    #[test]
    fn passwords_are_refused_and_never_shown() {
        for text in [
            "[domain.\"src.test\"]\npassword = \"hunter2\"\n",
            "[domain.src.test]\npassword = \"hunter2\"\n",
            "[domain.\"src.test\"]\nuser = \"a\"\npassword = hunter2\n",
            "[domain.\"src.test\"]\npasswd = \"hunter2\"\n",
            "password = \"hunter2\"\n",
        ] {
            let error = Config::parse(text).unwrap_err();
            let said = format!("{error} {}", error.hint().unwrap());
            assert!(!said.contains("hunter2"), "{said}");
        }
        let error = Config::parse("[domain.\"src.test\"]\npassword = \"x\"\n").unwrap_err();
        assert_eq!(
            error.message(),
            "passwords are not kept in config.toml; use password_file"
        );
    }

    #[test]
    fn an_unquoted_domain_is_told_how_to_be_written() {
        let error = Config::parse("[domain.corp.example.org]\nserver = \"dc1.corp.example.org\"\n")
            .unwrap_err();
        assert_eq!(
            error.message(),
            "the domain name in [domain.corp.example.org] is not quoted"
        );
        assert_eq!(error.hint(), Some("write [domain.\"corp.example.org\"]"));
    }

    #[test]
    fn paths_are_below_the_home_directory_or_the_folder_of_the_file() {
        let (folder, home) = (Path::new("/etc/gpoctl"), Some(Path::new("/home/ann")));
        for (path, expected) in [
            ("~/pw", "/home/ann/pw"),
            ("pw", "/etc/gpoctl/pw"),
            ("../pw", "/etc/gpoctl/../pw"),
            ("/run/pw", "/run/pw"),
            ("~bob/pw", "/etc/gpoctl/~bob/pw"),
        ] {
            assert_eq!(resolved(Path::new(path), folder, home), Path::new(expected));
        }
        for (cache, expected) in [
            ("FILE:~/cc", "FILE:/home/ann/cc"),
            ("FILE:cc", "FILE:/etc/gpoctl/cc"),
            ("cc", "FILE:/etc/gpoctl/cc"),
            ("/tmp/krb5cc_0", "FILE:/tmp/krb5cc_0"),
            ("DIR:~/cc", "DIR:/home/ann/cc"),
            ("DIR::cc/tkt1", "DIR::/etc/gpoctl/cc/tkt1"),
            ("KEYRING:persistent:0", "KEYRING:persistent:0"),
            ("MEMORY:x", "MEMORY:x"),
        ] {
            assert_eq!(resolved_cache(cache, folder, home), expected);
        }
    }
}

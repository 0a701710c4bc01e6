//! Domain profiles: `$XDG_CONFIG_HOME/gpoctl/config.toml`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::auth::trusted_file::{self, Readers};
use crate::error::{Error, ErrorKind, Result};

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
    /// Reads the file; without one, there are no profiles.
    pub(super) fn load() -> Result<Self> {
        let Some(path) = path() else {
            return Ok(Self::default());
        };
        if matches!(path.try_exists(), Ok(false)) {
            return Ok(Self::default());
        }
        // It names the server and the password file.
        let mut text = String::new();
        trusted_file::open(&path, "configuration", Readers::Anyone)?
            .read_to_string(&mut text)
            .map_err(|cause| {
                Error::new(ErrorKind::Usage, format!("cannot read {}", path.display()))
                    .with_source(cause)
            })?;
        toml::from_str(&text).map_err(|cause| {
            Error::new(ErrorKind::Usage, format!("{} is not valid", path.display()))
                .with_source(cause)
                .with_hint("it holds tables [domain.\"name\"] with server, address, user, password_file, ccache, tls_ca, tls_pin, ldap, smb_client, smb_min_dialect, allow_rc4, timeout")
        })
    }

    /// The profile of a domain, whose name is compared without regard to case.
    pub(super) fn profile(&self, domain: &str) -> Profile {
        self.domain
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(domain))
            .map(|(_, profile)| profile.clone())
            .unwrap_or_default()
    }
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
        let config: Config = toml::from_str(
            "[domain.\"src.test\"]\nserver = \"dc1.src.test\"\naddress = \"127.0.0.11\"\n",
        )
        .unwrap();
        let profile = config.profile("SRC.TEST");
        assert_eq!(profile.server.as_deref(), Some("dc1.src.test"));
        assert!(toml::from_str::<Config>("[domain.\"a\"]\npassword = \"x\"\n").is_err());
    }
}

//! Connection options: from the command line, completed by the profile of the domain.

use std::io::IsTerminal as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use zeroize::Zeroizing;

use super::config::Config;
use crate::auth::kerberos::Credential;
use crate::auth::tls::TlsSettings;
use crate::auth::{self, Identity};
use crate::directory::LdapSecurity;
use crate::directory::discovery::find_controller;
use crate::error::{Error, ErrorKind, Result};
use crate::model::domain_name::DomainName;
use crate::session::{DomainSession, DomainWriter, SessionSettings};
use crate::sysvol::connect::{SmbClientChoice, SmbDialect};

/// Which domain, which DC, and as whom.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = super::help::CONNECTION)]
pub(super) struct ConnectionArgs {
    /// DNS name of the domain; its profile in config.toml supplies the other options
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,

    /// DNS name of the domain controller, as Kerberos and TLS know it; by default the PDC emulator, found in DNS
    #[arg(long, value_name = "HOST")]
    server: Option<String>,

    /// IP address of the domain controller, if its name does not resolve on this machine
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,

    /// DNS server of the domain, to find the domain controller when no --server is given
    #[arg(long, value_name = "IP", conflicts_with = "address")]
    nameserver: Option<IpAddr>,

    /// Account: NAME@REALM or DOMAIN\NAME; without it, the Kerberos ticket cache is used
    #[arg(long, value_name = "USER")]
    user: Option<String>,

    /// File whose first line is the password; without it, gpoctl asks
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// Kerberos ticket cache, such as FILE:/tmp/krb5cc_1000
    #[arg(long, value_name = "CACHE", conflicts_with = "password_file")]
    ccache: Option<String>,

    /// How LDAP is protected
    #[arg(long, value_enum, value_name = "HOW")]
    ldap: Option<LdapChoice>,

    /// PEM file of the certificate authority that issued the domain controller's certificate
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,

    /// SHA-256 fingerprint of the domain controller's certificate, in hexadecimal, instead of an authority
    #[arg(long, value_name = "HEX", conflicts_with = "tls_ca")]
    tls_pin: Option<String>,

    /// SMB client
    #[arg(long, value_enum, value_name = "CLIENT")]
    smb_client: Option<SmbChoice>,

    /// Oldest SMB dialect to accept: 3.0 by default
    #[arg(long, value_enum, value_name = "DIALECT")]
    smb_min_dialect: Option<DialectChoice>,

    /// Accept Kerberos tickets that use RC4
    #[arg(long)]
    allow_rc4: bool,

    /// Longest time for one network call, in seconds; 60 by default
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LdapChoice {
    /// Kerberos, signed and encrypted (default)
    Sealed,
    /// Password over LDAPS, with a verified certificate
    Ldaps,
    /// Password over StartTLS, with a verified certificate
    Starttls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SmbChoice {
    /// smb2, or libsmbclient if the server requires encryption and smb2 has no cipher for it (default)
    Auto,
    /// Built-in client
    Smb2,
    /// Samba's libsmbclient
    Libsmbclient,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DialectChoice {
    /// Windows Server 2008 R2
    #[value(name = "2.1")]
    Smb21,
    /// Windows Server 2012 and later
    #[value(name = "3.0")]
    Smb30,
    /// Windows Server 2016 and later
    #[value(name = "3.1.1")]
    Smb311,
}

impl ConnectionArgs {
    /// The profile of a domain, without options.
    pub(super) fn profile(domain: &str) -> Self {
        Self {
            domain: Some(domain.to_owned()),
            ..Self::default()
        }
    }

    /// The same, with this domain if none is given.
    pub(super) fn or_domain(mut self, domain: &str) -> Self {
        self.domain.get_or_insert_with(|| domain.to_owned());
        self
    }

    /// Whether a domain is given at all, for commands that can do without one.
    pub(super) fn names_a_domain(&self) -> bool {
        self.domain.is_some() || self.server.is_some()
    }

    /// The timeout of one call, if given.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_secs)
    }

    /// Connects to read and write.
    pub(super) async fn connect_writer(&self) -> Result<DomainWriter> {
        DomainWriter::connect(&self.settings().await?).await
    }

    /// Connects to read.
    pub(super) async fn connect(&self) -> Result<DomainSession> {
        DomainSession::connect(&self.settings().await?).await
    }

    /// The settings: from the options, then the profile, then DNS.
    async fn settings(&self) -> Result<SessionSettings> {
        let config = Config::load()?;
        let domain = match (&self.domain, config.domain.keys().next()) {
            (Some(domain), _) => domain.clone(),
            (None, Some(only)) if config.domain.len() == 1 => only.clone(),
            (None, _) => {
                let error = Error::new(ErrorKind::Usage, "no domain given");
                return Err(match config.names() {
                    Some(names) => error.with_hint(format!("choose one with --domain: {names}")),
                    None => error
                        .with_hint("use --domain NAME, or write a profile: gpoctl help connection"),
                });
            }
        };
        let profile = config.profile(&domain);
        let domain: DomainName = domain
            .parse()
            .map_err(|cause| Error::new(ErrorKind::Usage, "--domain").with_source(cause))?;
        // The address in a profile belongs to the server in it.
        let profile_address = match (&self.server, &profile.server) {
            (Some(asked), Some(known)) if !asked.eq_ignore_ascii_case(known) => None,
            _ => profile.address,
        };
        let timeout = self
            .timeout
            .or(profile.timeout)
            .map_or(SessionSettings::DEFAULT_TIMEOUT, Duration::from_secs);
        let mut address = self.address.or(profile_address);
        let server = match self.server.clone().or(profile.server) {
            Some(server) => server
                .parse()
                .map_err(|cause| Error::new(ErrorKind::Usage, "--server").with_source(cause))?,
            // Kerberos and TLS need the name, which an address does not give.
            None if address.is_some() => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("the domain controller of {domain} has an address but no name"),
                )
                .with_hint("add --server with its DNS name, or server in the profile"));
            }
            None => {
                let nameserver = self.nameserver.or(profile.nameserver);
                let found = find_controller(&domain, nameserver, timeout)
                    .await
                    .map_err(|error| match config.names() {
                        Some(names) if !config.has_profile(&domain) => error.with_hint(format!(
                            "config.toml has no profile for {domain}, only for {names}"
                        )),
                        _ => error,
                    })?;
                tracing::info!(server = found.server.as_str(), "found in DNS");
                address = found.address;
                found.server
            }
        };
        let ldap_security = match self.ldap {
            Some(LdapChoice::Sealed) => LdapSecurity::Sealed,
            Some(LdapChoice::Ldaps) => LdapSecurity::Ldaps,
            Some(LdapChoice::Starttls) => LdapSecurity::StartTls,
            None => match profile.ldap.as_deref() {
                None | Some("sealed") => LdapSecurity::Sealed,
                Some("ldaps") => LdapSecurity::Ldaps,
                Some("starttls") => LdapSecurity::StartTls,
                Some(other) => return Err(bad_profile("ldap", other, "sealed, ldaps or starttls")),
            },
        };
        let smb_client = match self.smb_client {
            Some(SmbChoice::Auto) => SmbClientChoice::Auto,
            Some(SmbChoice::Smb2) => SmbClientChoice::Smb2,
            Some(SmbChoice::Libsmbclient) => SmbClientChoice::Libsmbclient,
            None => match profile.smb_client.as_deref() {
                None | Some("auto") => SmbClientChoice::Auto,
                Some("smb2") => SmbClientChoice::Smb2,
                Some("libsmbclient") => SmbClientChoice::Libsmbclient,
                Some(other) => {
                    return Err(bad_profile(
                        "smb_client",
                        other,
                        "auto, smb2 or libsmbclient",
                    ));
                }
            },
        };
        let smb_min_dialect = match self.smb_min_dialect {
            Some(DialectChoice::Smb21) => SmbDialect::Smb21,
            Some(DialectChoice::Smb30) => SmbDialect::Smb30,
            Some(DialectChoice::Smb311) => SmbDialect::Smb311,
            None => match profile.smb_min_dialect.as_deref() {
                None | Some("3.0") => SmbDialect::Smb30,
                Some("2.1") => SmbDialect::Smb21,
                Some("3.1.1") => SmbDialect::Smb311,
                Some(other) => {
                    return Err(bad_profile("smb_min_dialect", other, "2.1, 3.0 or 3.1.1"));
                }
            },
        };
        let identity = identity(
            self.user.clone().or(profile.user),
            self.password_file.clone().or_else(|| {
                self.ccache
                    .is_none()
                    .then_some(profile.password_file)
                    .flatten()
            }),
            self.ccache.clone().or(profile.ccache),
            &domain,
            (ldap_security == LdapSecurity::Sealed).then_some(timeout),
        )
        .await?;
        Ok(SessionSettings {
            domain,
            server,
            address,
            identity,
            ldap_security,
            tls: TlsSettings {
                ca: self.tls_ca.clone().or(profile.tls_ca),
                pin: self.tls_pin.clone().or(profile.tls_pin),
            },
            smb_client,
            smb_min_dialect,
            allow_rc4: self.allow_rc4 || profile.allow_rc4.unwrap_or(false),
            timeout,
        })
    }
}

fn bad_profile(key: &str, value: &str, legal: &str) -> Error {
    Error::new(
        ErrorKind::Usage,
        format!("{key} = \"{value}\" in config.toml is not valid"),
    )
    .with_hint(format!("use {legal}"))
}

/// `tickets` is how long to wait for them, where tickets can be used at all.
async fn identity(
    user: Option<String>,
    password_file: Option<PathBuf>,
    ccache: Option<String>,
    domain: &DomainName,
    tickets: Option<Duration>,
) -> Result<Identity> {
    if ccache.is_some() {
        return Ok(Identity::TicketCache {
            cache: ccache,
            principal: None,
        });
    }
    match (user, password_file) {
        (None, Some(_)) => Err(Error::new(ErrorKind::Usage, "--password-file needs a user")
            .with_hint("add --user, or user in the profile")),
        (None, None) => Ok(Identity::TicketCache {
            cache: None,
            principal: None,
        }),
        (Some(user), Some(file)) => Ok(Identity::Password {
            user,
            password: auth::read_password_file(&file)?,
        }),
        (Some(user), None) => {
            // After kinit nobody needs to type the password again.
            if let Some(timeout) = tickets
                && let Some(principal) = Credential::cached_principal(&user, domain, timeout).await
            {
                tracing::info!(%principal, "using the tickets of the default cache");
                return Ok(Identity::TicketCache {
                    cache: None,
                    principal: Some(principal),
                });
            }
            if !std::io::stdin().is_terminal() {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("no password for {user}, and no terminal to ask for it"),
                )
                .with_hint("use --password-file, or run kinit for this user"));
            }
            let password = rpassword::prompt_password(super::ui::prompt(&format!(
                "Password of {user} for {domain}: "
            )))
            .map(Zeroizing::new)
            .map_err(|cause| {
                Error::new(ErrorKind::Usage, "cannot read the password").with_source(cause)
            })?;
            Ok(Identity::Password {
                user,
                // Copied, so that the buffer it was typed into is cleared rather than given back.
                password: password.as_str().into(),
            })
        }
    }
}

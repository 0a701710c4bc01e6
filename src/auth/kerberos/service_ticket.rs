//! Service tickets that libkrb5 obtained and checked, for a client that speaks its own protocol around them.
//!
//! libkrb5 compares nonce, server name and realm of every reply with its request [RFC 4120 3.1.5, 3.3.4]; smb2's own
//! exchanges with a KDC compare none of them. So smb2 is given the one ticket that it needs and nothing that it could ask
//! a KDC with.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::SystemTime;

use libgssapi::credential::{Cred, CredUsage};
use libgssapi::oid::GSS_MECH_KRB5;
use smb2::auth::kerberos::ccache::{CCache, CcacheCredential, parse_ccache};
use smb2::auth::kerberos::messages::parse_ticket;
use zeroize::Zeroizing;

use super::failure::{GssFailure, failure};
use super::{Credential, SealedContext, slow_kdc};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::model::domain_name::DomainName;

/// aes128-cts-hmac-sha1-96 to aes256-cts-hmac-sha384-192 [RFC 3962, RFC 8009].
const AES: std::ops::RangeInclusive<i32> = 17..=20;
/// rc4-hmac [RFC 4757].
const RC4: i32 = 23;

/// A ticket for one service, with the session key that belongs to it.
pub(crate) struct ServiceTicket(CcacheCredential);

impl ServiceTicket {
    /// The client's name in its realm.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] when it has several components, which no account of a domain has.
    pub(crate) fn account(&self) -> Result<&str> {
        match self.0.client.components.as_slice() {
            [account] => Ok(account),
            several => Err(Error::new(
                ErrorKind::Connect,
                format!(
                    "the ticket is for {}@{}, which is not an account of a domain",
                    several.join("/"),
                    self.0.client.realm
                ),
            )
            .with_hint("run kinit for a user or computer account")),
        }
    }

    /// The client's realm.
    pub(crate) fn realm(&self) -> &str {
        &self.0.client.realm
    }

    /// Refuses the ticket when the clock of this machine is more than five minutes from that of the KDC. libkrb5 reckons
    /// with the difference, and the SMB clients do not: the server would refuse it, in an answer that it cannot sign. Of a ticket
    /// that was `issued_now` the time of issue tells; an older one only when it is from the future.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`].
    pub(crate) fn check_clock(&self, issued_now: bool) -> Result<()> {
        if are_apart(self.0.starttime.max(self.0.authtime), now(), issued_now) {
            return Err(Error::new(
                ErrorKind::Connect,
                format!(
                    "the clocks of this machine and of the KDC of {} are too far apart",
                    self.realm()
                ),
            )
            .with_hint("set the clock, for example with chronyd; Kerberos allows five minutes"));
        }
        Ok(())
    }

    /// A cache that contains this ticket and no other, so that its reader has nothing to ask a KDC with.
    ///
    /// smb2 looks for the service in the realm of the client, so the entry says that; the ticket itself is unchanged.
    pub(crate) fn into_cache(self) -> CCache {
        let mut credential = self.0;
        credential.server.realm.clone_from(&credential.client.realm);
        CCache {
            version: 0x0504,
            default_principal: credential.client.clone(),
            credentials: vec![credential],
        }
    }
}

impl Credential {
    /// Has libkrb5 obtain a ticket for `service/host@REALM`, and takes it out of the credential.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] when the KDC refuses, does not answer, or gives a ticket for something else; when ticket or
    /// session key are of an encryption type that is not accepted: AES always is, RC4 with `allow_rc4`, nothing else.
    /// [`ErrorKind::Internal`] when the private folder cannot be made.
    pub(crate) async fn service_ticket(
        &self,
        service: &str,
        host: &DomainName,
        domain: Option<&DomainName>,
        allow_rc4: bool,
    ) -> Result<ServiceTicket> {
        let context = SealedContext::new(self, service, host, domain)?;
        drop(context.step(None).await?);
        let cred = self.cred.clone();
        let entries = tokio::task::spawn_blocking(move || exported(&cred));
        let entries = match tokio::time::timeout(self.timeout, entries).await {
            Err(_) => return Err(slow_kdc(&self.label, self.timeout)),
            Ok(Err(cause)) => return Err(self.unfinished(cause)),
            Ok(Ok(Err(Export::Gss(cause)))) => {
                return Err(failure(&self.label, None, None, cause));
            }
            Ok(Ok(Err(Export::Local(cause)))) => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "cannot keep the Kerberos tickets in a private folder",
                )
                .with_source(cause)
                .with_hint("check that XDG_RUNTIME_DIR or the temporary folder can be written"));
            }
            Ok(Ok(Ok(entries))) => entries,
        };
        let realm = domain.map(DomainName::realm);
        let ticket = chosen(entries, service, host, realm.as_deref(), now()).ok_or_else(|| {
            Error::new(
                ErrorKind::Connect,
                format!("the KDC gave {} no ticket for {service}/{host}", self.label),
            )
            .with_hint("check the name of the domain controller and its domain")
            .with_remedy(Remedy::CheckControllerAndDomain)
        })?;
        check_encryption(&ticket, &format!("{service}/{host}"), allow_rc4)?;
        Ok(ServiceTicket(ticket))
    }
}

/// Why tickets could not be taken out of a credential.
enum Export {
    Gss(GssFailure),
    Local(std::io::Error),
}

/// The tickets of a credential. They pass through a file, because the API has no other way; its folder is ours alone, in
/// memory where the system offers that, and gone before anything is done with them.
fn exported(cred: &Cred) -> Result<Vec<CcacheCredential>, Export> {
    let mut folder = tempfile::Builder::new();
    folder.prefix("gpoctl-");
    let folder = match runtime_folder(std::env::var_os("XDG_RUNTIME_DIR")) {
        Some(runtime) => folder.tempdir_in(runtime),
        None => folder.tempdir(),
    }
    .map_err(Export::Local)?;
    let file = folder.path().join("tickets");
    cred.store_into(
        &format!("FILE:{}", file.display()),
        true,
        false,
        CredUsage::Initiate,
        Some(GSS_MECH_KRB5),
    )
    .map_err(|cause| Export::Gss(cause.into()))?;
    let bytes = Zeroizing::new(std::fs::read(&file).map_err(Export::Local)?);
    folder.close().map_err(Export::Local)?;
    let cache = parse_ccache(&bytes)
        .map_err(|cause| Export::Local(std::io::Error::other(cause.to_string())))?;
    Ok(cache.credentials)
}

/// The folder in memory that XDG_RUNTIME_DIR names, if it is the user's own and closed to other users: after su and sudo it can
/// be another user's, who could put another folder in the place of the one that is made there.
fn runtime_folder(named: Option<OsString>) -> Option<PathBuf> {
    // Without a separator at the end, which would have a link followed.
    let folder: PathBuf = PathBuf::from(named?).components().collect();
    let metadata = std::fs::symlink_metadata(&folder).ok()?;
    let own = folder.is_absolute()
        && metadata.is_dir()
        && metadata.uid() == rustix::process::geteuid().as_raw()
        && metadata.mode() & 0o077 == 0;
    own.then_some(folder)
}

/// The ticket for `service/host` in the realm that lasts longest, if one has not expired.
fn chosen(
    entries: Vec<CcacheCredential>,
    service: &str,
    host: &DomainName,
    realm: Option<&str>,
    now: u32,
) -> Option<CcacheCredential> {
    entries
        .into_iter()
        .filter(|entry| {
            let server = &entry.server;
            matches!(server.components.as_slice(), [name, target]
                if name.eq_ignore_ascii_case(service) && target.eq_ignore_ascii_case(host.as_str()))
                && realm.is_none_or(|realm| server.realm.eq_ignore_ascii_case(realm))
                && entry.endtime > now
        })
        .max_by_key(|entry| entry.endtime)
}

/// Refuses old encryption types, of the session key and of the ticket itself.
fn check_encryption(ticket: &CcacheCredential, service: &str, allow_rc4: bool) -> Result<()> {
    let sealed = parse_ticket(&ticket.ticket)
        .map_err(|cause| {
            Error::new(
                ErrorKind::Connect,
                format!("the KDC gave a malformed ticket for {service}"),
            )
            .with_source(cause)
        })?
        .enc_part
        .etype;
    let accepted = |kind: i32| AES.contains(&kind) || (allow_rc4 && kind == RC4);
    let Some(refused) = [i32::from(ticket.key_etype), sealed]
        .into_iter()
        .find(|kind| !accepted(*kind))
    else {
        return Ok(());
    };
    let name = match refused {
        RC4 => "RC4".to_owned(),
        other => format!("encryption type {other}"),
    };
    let error = Error::new(
        ErrorKind::Connect,
        format!("the ticket for {service} uses {name}, which is not accepted"),
    )
    .with_hint("enable AES for the accounts of the user and the domain controller");
    Err(match refused {
        RC4 => error.with_remedy(Remedy::EnableAesOrAllowRc4),
        _ => error,
    })
}

/// Whether the time of issue and the time of this machine differ by more than Kerberos allows, if that can be told.
fn are_apart(issued: u32, now: u32, issued_now: bool) -> bool {
    const ALLOWED: u32 = 300;
    let ahead = issued.saturating_sub(now) > ALLOWED;
    let behind = now.saturating_sub(issued) > ALLOWED;
    ahead || (issued_now && behind)
}

/// Seconds since 1970, as a ticket cache counts them.
fn now() -> u32 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| u32::try_from(since.as_secs()).ok())
        .unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use smb2::auth::kerberos::ccache::CcachePrincipal;

    use super::*;

    fn principal(realm: &str, components: &[&str]) -> CcachePrincipal {
        CcachePrincipal {
            name_type: 1,
            realm: realm.to_owned(),
            components: components.iter().map(|&part| part.to_owned()).collect(),
        }
    }

    fn entry(server: CcachePrincipal, endtime: u32) -> CcacheCredential {
        CcacheCredential {
            client: principal("A.TEST", &["joe"]),
            server,
            key_etype: 18,
            key_data: vec![0; 32],
            authtime: 0,
            starttime: 0,
            endtime,
            renew_till: 0,
            ticket: Vec::new(),
        }
    }

    #[test]
    fn a_runtime_folder_is_the_users_alone() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("run");
        std::fs::create_dir(&folder).unwrap();
        let used = |path: &std::path::Path| runtime_folder(Some(path.into())).is_some();
        let set = |mode| {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        for mode in [0o755, 0o710, 0o720, 0o701, 0o777] {
            set(mode);
            assert!(!used(&folder), "{mode:o}");
        }
        set(0o700);
        assert!(used(&folder));
        let link = dir.path().join("link");
        symlink(&folder, &link).unwrap();
        assert!(!used(&link) && !used(&link.join("")));
        assert!(!used(&dir.path().join("none")) && !used("".as_ref()));
        assert!(runtime_folder(None).is_none());
    }

    #[test]
    #[ignore = "needs root"]
    fn a_runtime_folder_of_another_user_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(runtime_folder(Some(dir.path().into())).is_some());
        std::os::unix::fs::chown(dir.path(), Some(65_534), None).unwrap();
        assert!(runtime_folder(Some(dir.path().into())).is_none());
    }

    #[test]
    fn a_clock_may_be_five_minutes_off() {
        let now = 1_000_000;
        for (issued, fresh, older) in [
            (now, false, false),
            (now + 300, false, false),
            (now - 300, false, false),
            (now + 301, true, true),
            (now - 301, true, false),
        ] {
            assert_eq!(are_apart(issued, now, true), fresh, "{issued}");
            assert_eq!(are_apart(issued, now, false), older, "{issued}");
        }
    }

    #[test]
    fn only_the_ticket_of_the_service_is_chosen() {
        let host: DomainName = "dc1.b.test".parse().unwrap();
        let cifs = |realm: &str| principal(realm, &["cifs", "DC1.b.test"]);
        let choose = |entries| chosen(entries, "cifs", &host, Some("B.TEST"), 100);
        let found = choose(vec![
            entry(principal("B.TEST", &["krbtgt", "B.TEST"]), 900),
            entry(principal("B.TEST", &["ldap", "dc1.b.test"]), 900),
            entry(principal("B.TEST", &["cifs", "dc2.b.test"]), 900),
            entry(principal("B.TEST", &["cifs", "dc1.b.test", "b.test"]), 900),
            entry(cifs("C.TEST"), 900),
            entry(cifs("B.TEST"), 99),
            entry(cifs("B.TEST"), 300),
            entry(cifs("B.TEST"), 200),
        ])
        .unwrap();
        assert_eq!(found.endtime, 300);
        assert!(choose(vec![entry(cifs("B.TEST"), 100)]).is_none());
    }

    /// A TGT in the cache is what smb2 would ask a KDC with; and without the ticket it would try to.
    #[test]
    fn the_cache_for_smb2_contains_one_ticket_that_it_finds() {
        let ticket = ServiceTicket(entry(principal("B.TEST", &["cifs", "dc1.b.test"]), 900));
        assert_eq!(ticket.account().unwrap(), "joe");
        let realm = ticket.realm().to_owned();
        let cache = ticket.into_cache();
        assert_eq!(cache.credentials.len(), 1);
        assert!(
            cache
                .find_service_ticket("cifs", "dc1.b.test", &realm)
                .is_some()
        );
        assert!(cache.find_tgt(&realm).is_none() && cache.find_tgt("B.TEST").is_none());
    }

    /// Ticket [RFC 4120 5.3] with this encryption type.
    fn sealed_with(kind: u8) -> Vec<u8> {
        let mut enc_part = vec![0xa0, 3, 2, 1, kind, 0xa2, 3, 4, 1, 0];
        enc_part.splice(0..0, [0x30, 10]);
        let mut fields = vec![
            0xa0, 3, 2, 1, 5, // tkt-vno
            0xa1, 3, 0x1b, 1, b'B', // realm
            0xa2, 14, 0x30, 12, 0xa0, 3, 2, 1, 2, 0xa1, 5, 0x30, 3, 0x1b, 1, b'x', // sname
            0xa3, 12,
        ];
        fields.extend(enc_part);
        let length = u8::try_from(fields.len()).unwrap();
        let mut ticket = vec![0x61, length + 2, 0x30, length];
        ticket.extend(fields);
        ticket
    }

    #[test]
    fn rc4_is_refused_unless_asked_for_and_des_always() {
        for (key, sealed, strict, allowed) in [
            (18, 18, true, true),
            (17, 20, true, true),
            (23, 18, false, true),
            (18, 23, false, true),
            (3, 18, false, false),
            (18, 1, false, false),
        ] {
            let mut ticket = entry(principal("B.TEST", &["cifs", "dc"]), 900);
            ticket.key_etype = key;
            ticket.ticket = sealed_with(sealed);
            assert_eq!(
                check_encryption(&ticket, "cifs/dc", false).is_ok(),
                strict,
                "{key} {sealed}"
            );
            assert_eq!(
                check_encryption(&ticket, "cifs/dc", true).is_ok(),
                allowed,
                "{key} {sealed}"
            );
        }
    }
}

//! The directory half of a GPO: `groupPolicyContainer` [MS-GPOL 2.2.4].

use std::cmp::Ordering;

use super::session::Directory;
use super::unreadable::{
    GpoList, among_unreadable, unlisted_gpo, unreadable_attributes, unreadable_gpo,
};
use crate::domain::ldap::{Entry, Filter, Scope, Search};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::message::printable;
use crate::model::access::AccessToken;
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::model::extension_list::ExtensionList;
use crate::model::guid::Guid;
use crate::model::version::GpoVersion;

/// A `groupPolicyContainer` in the directory. An absent attribute is `None`, which is not the same as 0: clients ignore a GPO
/// without `flags`. So is one that the account may not read, which is in [`unreadable`](Self::unreadable).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GpoObject {
    /// The GUID: the object's `cn`.
    pub guid: Guid,
    /// Its DN.
    pub dn: Dn,
    /// `displayName`; empty when absent.
    pub display_name: String,
    /// `flags`: bit 0 user half off, bit 1 machine half off.
    pub flags: Option<u32>,
    /// `versionNumber`.
    pub version: Option<GpoVersion>,
    /// `gPCFunctionalityVersion`; clients require 2.
    pub functionality_version: Option<u32>,
    /// `gPCMachineExtensionNames`; empty when absent.
    pub machine_extensions: ExtensionList,
    /// `gPCUserExtensionNames`; empty when absent.
    pub user_extensions: ExtensionList,
    /// `gPCFileSysPath`. Never opened, only compared; see [`GpoObject::path_mismatch`].
    pub file_sys_path: Option<String>,
    /// `gPCWQLFilter`, unparsed.
    pub wmi_filter: Option<String>,
    /// `nTSecurityDescriptor`, self-relative, with owner, group and DACL; empty when the account may not read it.
    pub security_descriptor: Vec<u8>,
    /// `whenCreated`, as generalized time: `20260101120000.0Z`.
    pub when_created: String,
    /// `whenChanged`, likewise. Each DC has its own.
    pub when_changed: String,
    /// `uSNChanged` of this DC.
    pub usn_changed: u64,
    /// Whether the account may write `versionNumber`, and so edit the GPO: `allowedAttributesEffective` [MS-GPOL 3.3.4.1].
    /// Always set in what [`Directory`] reads; `None` in a value made without a server.
    pub may_write: Option<bool>,
    /// Whether the account may write the DACL: `sDRightsEffective` [MS-ADTS 3.1.1.4.5.4]. As above.
    pub may_write_dacl: Option<bool>,
    /// `isCriticalSystemObject`: true for the two default GPOs.
    pub critical: bool,
    /// The attributes above that are missing and may have a value, because this account may not read them.
    pub unreadable: Vec<&'static str>,
}

/// The attributes a [`GpoObject`] is read from.
const ATTRIBUTES: &[&str] = &[
    "objectClass",
    "displayName",
    "flags",
    "versionNumber",
    "gPCFunctionalityVersion",
    "gPCMachineExtensionNames",
    "gPCUserExtensionNames",
    "gPCFileSysPath",
    "gPCWQLFilter",
    "nTSecurityDescriptor",
    "whenCreated",
    "whenChanged",
    "uSNChanged",
    "allowedAttributesEffective",
    "sDRightsEffective",
    "isCriticalSystemObject",
];

/// Owner, group and DACL.
pub(super) const SD_PARTS: u32 = 7;
/// Only the DACL.
const SD_DACL: u32 = 4;

/// The required `gPCFileSysPath`: `\\dom\SysVol\dom\Policies\{GUID}` [MS-GPOL 2.2.4].
pub fn file_sys_path(domain: &DomainName, guid: Guid) -> String {
    let domain = domain.lower();
    format!(r"\\{domain}\SysVol\{domain}\Policies\{guid}")
}

#[cfg(test)]
impl GpoObject {
    /// A GPO of which only the place is known.
    pub(crate) fn bare(guid: Guid, base: &Dn) -> Self {
        Self {
            guid,
            dn: base.gpo(guid),
            display_name: String::new(),
            flags: None,
            version: None,
            functionality_version: None,
            machine_extensions: ExtensionList::default(),
            user_extensions: ExtensionList::default(),
            file_sys_path: None,
            wmi_filter: None,
            security_descriptor: Vec::new(),
            when_created: String::new(),
            when_changed: String::new(),
            usn_changed: 0,
            may_write: None,
            may_write_dacl: None,
            critical: false,
            unreadable: Vec::new(),
        }
    }
}

impl GpoObject {
    /// The attributes that make a GPO what it is: nothing is derived from the lack of one that cannot be read.
    pub(crate) const OF_POLICY: &[&str] = &[
        "displayName",
        "flags",
        "versionNumber",
        "gPCFunctionalityVersion",
        "gPCMachineExtensionNames",
        "gPCUserExtensionNames",
        "gPCFileSysPath",
        "gPCWQLFilter",
        "nTSecurityDescriptor",
    ];

    pub(super) fn read(guid: Guid, entry: &Entry, token: Option<&AccessToken>) -> Result<Self> {
        let text = |name: &str| entry.text(name).unwrap_or_default();
        let effective = entry.values("allowedAttributesEffective");
        let may_write = effective
            .iter()
            .any(|name| name.eq_ignore_ascii_case(b"versionNumber"));
        Ok(Self {
            guid,
            dn: entry.dn.clone(),
            display_name: text("displayName"),
            flags: entry.dword("flags")?,
            version: entry.dword("versionNumber")?.map(GpoVersion::from_combined),
            functionality_version: entry.dword("gPCFunctionalityVersion")?,
            machine_extensions: ExtensionList::new(text("gPCMachineExtensionNames")),
            user_extensions: ExtensionList::new(text("gPCUserExtensionNames")),
            file_sys_path: entry.text("gPCFileSysPath"),
            wmi_filter: entry.text("gPCWQLFilter"),
            security_descriptor: entry
                .bytes("nTSecurityDescriptor")
                .unwrap_or_default()
                .to_vec(),
            when_created: text("whenCreated"),
            when_changed: text("whenChanged"),
            usn_changed: text("uSNChanged").parse().unwrap_or(0),
            // AD omits the attribute when nothing may be written.
            may_write: Some(may_write),
            may_write_dacl: Some(entry.dword("sDRightsEffective")?.unwrap_or(0) & SD_DACL != 0),
            critical: text("isCriticalSystemObject").eq_ignore_ascii_case("TRUE"),
            unreadable: unreadable_attributes(entry, Self::OF_POLICY, token),
        })
    }

    /// Whether an attribute without a value has none: whether this account may read it.
    pub fn may_read(&self, attribute: &str) -> bool {
        !self.unreadable.contains(&attribute)
    }

    /// The finding about `gPCFileSysPath`; `None` when it names the folder that is computed from the domain and the GUID, or
    /// cannot be read. Case and the spelling of the host are ignored: it may be a DC of the domain.
    pub fn path_mismatch(&self, domain: &DomainName) -> Option<String> {
        let wanted = file_sys_path(domain, self.guid);
        let Some(found) = &self.file_sys_path else {
            let is_absent = self.may_read("gPCFileSysPath");
            return is_absent.then(|| "gPCFileSysPath is absent".to_owned());
        };
        if same_folder(found, &wanted, domain) {
            return None;
        }
        Some(format!(
            "gPCFileSysPath is \"{}\", not {wanted}",
            found.escape_debug()
        ))
    }
}

/// Whether both name the same folder below the share, on the domain or one of its hosts.
fn same_folder(found: &str, wanted: &str, domain: &DomainName) -> bool {
    let split = |path: &str| -> Option<(String, String)> {
        let (host, rest) = path.strip_prefix(r"\\")?.split_once('\\')?;
        let rest = rest.strip_suffix('\\').unwrap_or(rest);
        Some((host.to_lowercase(), rest.to_lowercase()))
    };
    let (Some((host, folder)), Some((_, wanted))) = (split(found), split(wanted)) else {
        return false;
    };
    let domain = domain.lower();
    let of_domain = host == domain
        || host
            .strip_suffix(&domain)
            .is_some_and(|front| front.ends_with('.') && !front.starts_with('.'));
    of_domain && folder == wanted
}

impl Directory {
    /// Every GPO of the domain that this account sees, sorted by display name, in one search. A container below `CN=Policies`
    /// whose name is not a GUID is not a GPO; it is logged and omitted.
    ///
    /// # Errors
    /// As every search, and [`ErrorKind::BadDirectory`] when a number in a GPO is not valid.
    pub async fn gpos(&self) -> Result<Vec<GpoObject>> {
        Ok(self.seen_gpos().await?.0)
    }

    /// As [`gpos`](Self::gpos), with what this account does not see of them.
    ///
    /// # Errors
    /// As `gpos`.
    pub async fn gpo_list(&self) -> Result<GpoList> {
        let (gpos, unreadable) = self.seen_gpos().await?;
        let policies = self.info().base.policies();
        Ok(GpoList {
            gpos,
            unreadable,
            is_complete: !self.hides_content_of(&policies).await?,
        })
    }

    /// The GPOs whose objects can be read, and those whose objects cannot.
    async fn seen_gpos(&self) -> Result<(Vec<GpoObject>, Vec<Guid>)> {
        let found = self.search_policies(ATTRIBUTES, Some(SD_PARTS)).await?;
        let token = self.info().token.as_ref();
        let mut gpos = Vec::with_capacity(found.entries.len());
        for (guid, entry) in found.entries {
            gpos.push(GpoObject::read(guid, &entry, token)?);
        }
        gpos.sort_by_cached_key(|gpo| (gpo.display_name.to_lowercase(), gpo.guid));
        Ok((gpos, found.unreadable))
    }

    /// The GPO with this GUID.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none; [`ErrorKind::Denied`] when this account may not read it, or may not see whether
    /// there is one; else as every search.
    pub async fn gpo(&self, guid: Guid) -> Result<GpoObject> {
        let info = self.info();
        let dn = info.base.gpo(guid);
        let Some(entry) = self.read(&dn, ATTRIBUTES, Some(SD_PARTS)).await? else {
            if self.hides_content_of(&info.base.policies()).await? {
                let text = guid.to_string();
                return Err(unlisted_gpo(&text, &info.base, &info.dns_domain));
            }
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no GPO {guid} in {}", info.dns_domain),
            )
            .with_hint("see which GPOs the domain has")
            .with_remedy(Remedy::ListGpos(info.dns_domain.clone())));
        };
        if entry.values("objectClass").is_empty() {
            return Err(unreadable_gpo(guid, &info.dns_domain));
        }
        GpoObject::read(guid, &entry, info.token.as_ref())
    }

    /// The GPO that `text` names: by its display name (ignoring case), its GUID, or a prefix of its GUID of at least four
    /// hexadecimal digits.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] with similar names; [`ErrorKind::Conflict`] with the GUIDs when there are several;
    /// [`ErrorKind::Denied`] for the GUID of one that this account may not read, or may not see whether there is one.
    pub async fn find_gpo(&self, text: &str) -> Result<GpoObject> {
        let info = self.info();
        let found = self
            .search_policies(&["objectClass", "displayName"], None)
            .await?;
        let names: Vec<(Guid, String)> = found
            .entries
            .iter()
            .map(|(guid, entry)| (*guid, entry.text("displayName").unwrap_or_default()))
            .collect();
        match choose(text, &names, &info.dns_domain) {
            Ok(guid) => self.gpo(guid).await,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut unreadable = found.unreadable.iter();
                if let Some(guid) = unreadable.find(|guid| is_named_by(**guid, text)) {
                    return Err(unreadable_gpo(*guid, &info.dns_domain));
                }
                let is_hidden = self.hides_content_of(&info.base.policies()).await?;
                match text.parse::<Guid>() {
                    Ok(_) if is_hidden => Err(unlisted_gpo(text, &info.base, &info.dns_domain)),
                    Err(_) if is_hidden || !found.unreadable.is_empty() => {
                        Err(among_unreadable(error, found.unreadable.len(), is_hidden))
                    }
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// What is in `CN=Policies` and named by a GUID. Every object is asked for: a condition on its class would not hold for one
    /// whose class this account may not read.
    async fn search_policies(
        &self,
        attributes: &[&str],
        sd_flags: Option<u32>,
    ) -> Result<PolicyEntries> {
        let base = &self.info().base;
        let policies = base.policies();
        let entries = self
            .search(Search {
                base: Some(&policies),
                scope: Scope::OneLevel,
                filter: Filter::everything(),
                attributes,
                sd_flags,
                paged: true,
                extended_dns: false,
            })
            .await?;
        let mut found = PolicyEntries::default();
        for entry in entries {
            let classes = entry.texts("objectClass");
            match entry.dn.gpo_guid(base) {
                None => tracing::warn!(dn = %entry.dn, "a policy container is not named by a GUID"),
                Some(guid) if classes.is_empty() => found.unreadable.push(guid),
                Some(guid) => {
                    let mut classes = classes.iter();
                    if classes.any(|class| class.eq_ignore_ascii_case("groupPolicyContainer")) {
                        found.entries.push((guid, entry));
                    }
                }
            }
        }
        found.unreadable.sort_unstable();
        Ok(found)
    }
}

/// What a search of `CN=Policies` found.
#[derive(Default)]
struct PolicyEntries {
    /// The GPOs.
    entries: Vec<(Guid, Entry)>,
    /// Objects of which not even the class can be read.
    unreadable: Vec<Guid>,
}

/// Whether a text is the GUID or a prefix of it.
fn is_named_by(guid: Guid, text: &str) -> bool {
    match text.parse::<Guid>() {
        Ok(named) => named == guid,
        Err(_) => guid_prefix(text).is_some_and(|prefix| guid.bare().starts_with(&prefix)),
    }
}

/// The GPO that `text` names. A full GUID is always that GPO, whatever display names exist: whoever may create a GPO chooses
/// its name, and must not be able to redirect a command to it. For the same reason, a name that is also a prefix of another
/// GPO's GUID is ambiguous.
fn choose(text: &str, gpos: &[(Guid, String)], domain: &DomainName) -> Result<Guid> {
    if let Ok(guid) = text.parse::<Guid>() {
        return match gpos.iter().any(|(known, _)| *known == guid) {
            true => Ok(guid),
            false => Err(not_found(text, gpos, domain)),
        };
    }
    let folded = text.to_lowercase();
    let prefix = guid_prefix(text);
    let found: Vec<&(Guid, String)> = gpos
        .iter()
        .filter(|(guid, name)| {
            let begins = |prefix: &String| guid.bare().starts_with(prefix);
            name.to_lowercase() == folded || prefix.as_ref().is_some_and(begins)
        })
        .collect();
    match found.as_slice() {
        [(guid, _)] => Ok(*guid),
        [] => Err(not_found(text, gpos, domain)),
        several => Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "\"{}\" matches {} GPOs in {domain}",
                printable(text),
                several.len()
            ),
        )
        .with_candidates(
            several
                .iter()
                .map(|(guid, name)| format!("{guid} {}", printable(name))),
        )
        .with_hint("use the GUID")),
    }
}

/// The prefix of a GUID in upper case, when the text is one of at least four digits.
fn guid_prefix(text: &str) -> Option<String> {
    let bare = text.strip_prefix('{').unwrap_or(text);
    let bare = bare.strip_suffix('}').unwrap_or(bare);
    let digits = bare.bytes().filter(u8::is_ascii_hexdigit).count();
    let shape = bare.bytes().enumerate().all(|(index, b)| match index {
        8 | 13 | 18 | 23 => b == b'-',
        _ => b.is_ascii_hexdigit(),
    });
    (digits >= 4 && shape).then(|| bare.to_ascii_uppercase())
}

/// The error with similar names.
fn not_found(text: &str, gpos: &[(Guid, String)], domain: &DomainName) -> Error {
    let wanted = text.to_lowercase();
    let mut close: Vec<(usize, &str)> = gpos
        .iter()
        .filter_map(|(_, name)| {
            let folded = name.to_lowercase();
            let distance = if !folded.is_empty()
                && !wanted.is_empty()
                && (folded.contains(&wanted) || wanted.contains(&folded))
            {
                0
            } else {
                distance(&folded, &wanted)
            };
            (distance <= 2).then_some((distance, name.as_str()))
        })
        .collect();
    close.sort_by(|a, b| match a.0.cmp(&b.0) {
        Ordering::Equal => a.1.cmp(b.1),
        other => other,
    });
    let error = Error::new(
        ErrorKind::NotFound,
        format!("there is no GPO \"{}\" in {domain}", printable(text)),
    );
    let names: Vec<String> = close
        .iter()
        .take(5)
        .map(|(_, name)| format!("\"{}\"", printable(name)))
        .collect();
    if names.is_empty() {
        error
            .with_hint("see which GPOs the domain has")
            .with_remedy(Remedy::ListGpos(domain.clone()))
    } else {
        error.with_hint(format!("similar names: {}", names.join(", ")))
    }
}

/// The Levenshtein distance of two texts, in characters. Long texts have a large distance from everything.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(257).collect();
    if b.len() > 256 || a.chars().count() > 256 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for (pair, y) in row.windows(2).zip(&b) {
            if let &[diagonal, above] = pair {
                let left = next.last().copied().unwrap_or(0);
                let change = diagonal + usize::from(x != *y);
                next.push(change.min(above + 1).min(left + 1));
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain() -> DomainName {
        "src.test".parse().unwrap()
    }

    fn gpos() -> Vec<(Guid, String)> {
        [
            (
                "{31B2F340-016D-11D2-945F-00C04FB984F9}",
                "Default Domain Policy",
            ),
            ("{6AC1786C-016F-11D2-945F-00C04FB984F9}", "Twin"),
            ("{6AC1786C-016F-11D2-945F-00C04FB984FA}", "twin"),
            ("{ABCD0000-016F-11D2-945F-00C04FB984FA}", "31B2"),
        ]
        .map(|(guid, name)| (guid.parse().unwrap(), name.to_owned()))
        .to_vec()
    }

    #[test]
    fn names_guids_and_prefixes() {
        let gpos = gpos();
        let pick = |text: &str| choose(text, &gpos, &domain());
        assert_eq!(pick("default domain POLICY").unwrap(), gpos[0].0);
        assert_eq!(
            pick("{31b2f340-016d-11d2-945f-00c04fb984f9}").unwrap(),
            gpos[0].0
        );
        assert_eq!(pick("31b2f340-016D-").unwrap(), gpos[0].0);
        assert_eq!(pick("{31b2f").unwrap(), gpos[0].0);
        // A name that is the prefix of another GPO's GUID is ambiguous.
        assert_eq!(pick("31b2").unwrap_err().kind(), ErrorKind::Conflict);
        let error = pick("TWIN").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(
            error.candidates(),
            [
                "{6AC1786C-016F-11D2-945F-00C04FB984F9} Twin",
                "{6AC1786C-016F-11D2-945F-00C04FB984FA} twin"
            ]
        );
        assert_eq!(pick("6AC1").unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(pick("ABC").unwrap_err().kind(), ErrorKind::NotFound);
        let error = pick("Default Domain Polcy").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.hint().unwrap().contains("Default Domain Policy"));
        assert_eq!(pick("").unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(
            pick("*)(objectClass=*").unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }

    #[test]
    fn a_whole_guid_wins_over_every_display_name() {
        let mut gpos = gpos();
        let real = gpos[0].0;
        let fake: Guid = "{DEADBEEF-016F-11D2-945F-00C04FB984FA}".parse().unwrap();
        gpos.push((fake, real.to_string()));
        let gone = "{31B2F340-0000-0000-0000-000000000000}";
        gpos.push((Guid::NIL, gone.to_owned()));
        for text in [real.to_string(), real.bare(), real.bare().to_lowercase()] {
            assert_eq!(choose(&text, &gpos, &domain()).unwrap(), real, "{text}");
        }
        // Not even when no GPO has that GUID.
        let error = choose(gone, &gpos, &domain()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }

    #[test]
    fn only_the_computed_folder_will_do() {
        let guid = gpos()[0].0;
        let gpo = |path: Option<&str>| GpoObject {
            file_sys_path: path.map(str::to_owned),
            ..GpoObject::bare(guid, &Dn::parse("DC=src,DC=test").unwrap())
        };
        let good = [
            r"\\src.test\sysvol\src.test\Policies\{31B2F340-016D-11D2-945F-00C04FB984F9}",
            r"\\SRC.TEST\SysVol\SRC.TEST\POLICIES\{31b2f340-016d-11d2-945f-00c04fb984f9}\",
            r"\\dc1.src.test\sysvol\src.test\Policies\{31B2F340-016D-11D2-945F-00C04FB984F9}",
        ];
        for path in good {
            assert_eq!(gpo(Some(path)).path_mismatch(&domain()), None, "{path}");
        }
        let bad = [
            r"\\evil.test\sysvol\src.test\Policies\{31B2F340-016D-11D2-945F-00C04FB984F9}",
            r"\\evilsrc.test\sysvol\src.test\Policies\{31B2F340-016D-11D2-945F-00C04FB984F9}",
            r"\\src.test\other\src.test\Policies\{31B2F340-016D-11D2-945F-00C04FB984F9}",
            r"\\src.test\sysvol\src.test\Policies\..\{31B2F340-016D-11D2-945F-00C04FB984F9}",
            r"\\src.test\sysvol\src.test",
            "",
        ];
        for path in bad {
            assert!(gpo(Some(path)).path_mismatch(&domain()).is_some(), "{path}");
        }
        assert!(gpo(None).path_mismatch(&domain()).is_some());
    }
}

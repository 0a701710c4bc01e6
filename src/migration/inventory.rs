//! Identifies the principals of references: their SIDs and names, from the inventory of the source and from the
//! well-known principals.

use std::collections::HashMap;

use crate::message::printable;
use crate::model::principal::{Principal, PrincipalType};
use crate::model::sid::Sid;
use crate::model::snapshot::GpoSnapshot;
use crate::model::well_known;
use crate::model::well_known::domain_accounts;
use crate::model::well_known::localized::localized;

use super::references::ReferenceTarget;
use super::table::{EntryType, sid_key};

pub use super::name_form::NameForm;

/// A source of a row that matches a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowKey {
    /// In lower case, like the keys of a table.
    pub(super) text: String,
    /// Whether it is a bare name or a SID, which only rows of type Unknown may have.
    bare: bool,
    /// Whether it is a bare name that is not the same in every domain: as free text it may refer to another principal.
    pub(super) unqualified: bool,
    /// Whether it is a computer's name without its `$`, which rows for users and groups of the same name do not match.
    computer: bool,
}

impl RowKey {
    /// Whether a row of this type may have this source.
    pub(super) fn fits(&self, kind: EntryType) -> bool {
        match kind {
            EntryType::UncPath => false,
            EntryType::Principal(PrincipalType::Unknown) => true,
            EntryType::Principal(PrincipalType::Computer) => !self.bare,
            EntryType::Principal(_) => !self.bare && !self.computer,
        }
    }
}

/// A principal of the source, as far as the source identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SourcePrincipal {
    /// The SID.
    pub(super) sid: Option<Sid>,
    /// The names; only the bare text when the source does not contain the principal.
    pub(super) principal: Principal,
    /// The English name, for a principal that is the same in every domain.
    pub(super) well_known: Option<&'static str>,
}

impl SourcePrincipal {
    /// A principal of the inventory.
    pub fn of(principal: &Principal) -> Self {
        let sid = principal.sid.clone().or_else(|| {
            // GPMC writes well-known principals without a SID, under their English names.
            let plain = principal.netbios_domain.is_empty() && principal.dns_domain.is_empty();
            plain
                .then(|| well_known::sid_of(&principal.sam_account_name))
                .flatten()
        });
        let well_known = sid.as_ref().and_then(well_known::name_of);
        Self {
            sid,
            principal: principal.clone(),
            well_known,
        }
    }

    /// The principal of a row, as far as its source shows it.
    pub(super) fn of_row(source: &str) -> Self {
        let sid = source.parse::<Sid>().ok();
        let form = NameForm::of(source);
        let principal = match &sid {
            Some(sid) => Principal::unresolved(sid.clone()),
            None => Principal {
                netbios_domain: form.domain().unwrap_or_default().to_owned(),
                ..Principal::named(form.relative())
            },
        };
        Self {
            sid,
            principal,
            well_known: None,
        }
    }

    /// `DOMAIN\name`, the English name, or the unchanged text; `None` when only the SID is known.
    pub(super) fn name(&self) -> Option<String> {
        match self.well_known {
            Some(name) => Some(name.to_owned()),
            None => Some(self.principal.down_level_name()).filter(|name| !name.is_empty()),
        }
    }

    /// Its type; `None` when the source does not contain it.
    pub(super) fn kind(&self) -> Option<PrincipalType> {
        let known = self.principal.kind != PrincipalType::Unknown || self.well_known.is_some();
        known.then_some(self.principal.kind)
    }

    /// Whether it is the same in every domain and needs no row.
    pub(super) fn is_universal(&self) -> bool {
        self.sid.as_ref().is_some_and(|sid| !sid.is_domain_sid())
    }

    /// The RID of an account that every domain has, by the SID or, for a name in a domain, by that name.
    pub(super) fn rid_in_every_domain(&self) -> Option<u32> {
        let Some(sid) = &self.sid else {
            let Principal {
                netbios_domain,
                dns_domain,
                sam_account_name,
                ..
            } = &self.principal;
            let has_domain = !netbios_domain.is_empty() || !dns_domain.is_empty();
            return domain_accounts::rid_of(sam_account_name).filter(|_| has_domain);
        };
        let rid = sid.rid().filter(|_| sid.is_domain_sid());
        rid.filter(|rid| domain_accounts::is_in_every_domain(*rid))
    }

    /// Formats the principal for messages: `S-1-… (DOMAIN\name)`, or what is known of it.
    pub(super) fn describe(&self) -> String {
        match (&self.sid, self.name()) {
            (Some(sid), Some(name)) => format!("{sid} ({})", printable(&name)),
            (Some(sid), None) => sid.to_string(),
            (None, name) => format!("\"{}\"", printable(&name.unwrap_or_default())),
        }
    }

    /// Every string a row may name it by, each once.
    pub(super) fn row_keys(&self) -> Vec<RowKey> {
        let mut list: Vec<RowKey> = Vec::new();
        let mut add = |text: String, bare: bool, computer: bool| {
            let key = text.to_lowercase();
            if !key.is_empty() && !list.iter().any(|known| known.text == key) {
                list.push(RowKey {
                    text: key,
                    bare,
                    unqualified: false,
                    computer,
                });
            }
        };
        if let Some(sid) = &self.sid {
            add(sid_key(sid), true, false);
        }
        if let Some(name) = self.well_known {
            add(name.to_owned(), true, false);
            add(format!("BUILTIN\\{name}"), false, false);
            add(format!("NT AUTHORITY\\{name}"), false, false);
        }
        let Principal {
            sam_account_name: sam,
            netbios_domain: netbios,
            dns_domain: dns,
            upn,
            kind,
            ..
        } = &self.principal;
        if sam.is_empty() {
            return list;
        }
        let mut names = vec![(sam.clone(), false)];
        match sam.strip_suffix('$') {
            Some(stripped) if !stripped.is_empty() => names.push((stripped.to_owned(), true)),
            None if *kind == PrincipalType::Computer => names.push((format!("{sam}$"), false)),
            _ => {}
        }
        for (name, computer) in names {
            add(name.clone(), true, computer);
            if !netbios.is_empty() {
                add(format!("{netbios}\\{name}"), false, computer);
            }
            if !dns.is_empty() {
                add(format!("{dns}\\{name}"), false, computer);
                add(format!("{name}@{dns}"), false, computer);
            }
        }
        add(upn.clone(), false, false);
        let own = |key: &str| {
            self.well_known
                .is_some_and(|name| name.to_lowercase() == key)
        };
        for key in &mut list {
            let is_name = key.bare && key.text.parse::<Sid>().is_err();
            key.unqualified = is_name && !own(&key.text);
        }
        list
    }
}

/// All principals of the source, indexed by SID and by name.
pub(super) struct Inventory<'a> {
    by_sid: HashMap<&'a Sid, &'a Principal>,
    /// `None` for a name that several principals share.
    by_name: HashMap<String, Option<&'a Principal>>,
    /// Names and SIDs of principals that the inventory does not contain, learned from SID and name pairs in the
    /// settings. Names are in lower case as keys. `None` where pairs contradict each other.
    names_beside: HashMap<Sid, Option<String>>,
    sids_beside: HashMap<String, Option<Sid>>,
    /// NetBIOS and DNS names of domains, both ways, in lower case keys.
    netbios_to_dns: HashMap<String, String>,
    dns_to_netbios: HashMap<String, String>,
    /// The SID of the source domain, if the inventory contains a principal of that domain.
    pub(super) source_domain: Option<Sid>,
    /// The source's DNS name in lower case.
    pub(super) dns_domain: String,
}

impl<'a> Inventory<'a> {
    pub(super) fn new(snapshot: &'a GpoSnapshot) -> Self {
        let mut inventory = Self {
            by_sid: HashMap::new(),
            by_name: HashMap::new(),
            names_beside: HashMap::new(),
            sids_beside: HashMap::new(),
            netbios_to_dns: HashMap::new(),
            dns_to_netbios: HashMap::new(),
            source_domain: None,
            dns_domain: snapshot.domain.lower(),
        };
        let principals = snapshot.principals.iter().map(|entry| &entry.principal);
        for principal in principals.filter(|principal| has_possible_names(principal)) {
            let (netbios, dns) = (&principal.netbios_domain, &principal.dns_domain);
            if !netbios.is_empty() && !dns.is_empty() {
                inventory
                    .netbios_to_dns
                    .entry(netbios.to_lowercase())
                    .or_insert_with(|| dns.clone());
                inventory
                    .dns_to_netbios
                    .entry(dns.to_lowercase())
                    .or_insert_with(|| netbios.clone());
            }
            if let Some(sid) = &principal.sid {
                inventory.by_sid.entry(sid).or_insert(principal);
                if inventory.source_domain.is_none() && dns.to_lowercase() == inventory.dns_domain {
                    inventory.source_domain = sid.domain();
                }
            }
            for key in SourcePrincipal::of(principal).row_keys() {
                inventory
                    .by_name
                    .entry(key.text)
                    .and_modify(|known| *known = merge(*known, principal))
                    .or_insert(Some(principal));
            }
        }
        inventory
    }

    /// Learns a SID and name pair of a domain principal, to resolve references that contain only one of the two.
    pub(super) fn learn_pair(&mut self, target: &ReferenceTarget) {
        let ReferenceTarget::SidAndName { sid, name } = target else {
            return;
        };
        if !sid.is_domain_sid() || NameForm::of(name).domain().is_none() {
            return;
        }
        let key = name.to_lowercase();
        self.names_beside
            .entry(sid.clone())
            .and_modify(|known| {
                if known
                    .as_ref()
                    .is_some_and(|known| known.to_lowercase() != key)
                {
                    *known = None;
                }
            })
            .or_insert_with(|| Some(name.clone()));
        self.sids_beside
            .entry(key)
            .and_modify(|known| {
                if known.as_ref() != Some(sid) {
                    *known = None;
                }
            })
            .or_insert_with(|| Some(sid.clone()));
    }

    /// The principal of a reference; `None` for a UNC path.
    pub(super) fn identify(&self, target: &ReferenceTarget) -> Option<SourcePrincipal> {
        match target {
            ReferenceTarget::Unc { .. } => None,
            ReferenceTarget::Sid { sid, .. } => Some(self.by_sid(sid, "")),
            ReferenceTarget::SidAndName { sid, name } => Some(self.by_sid(sid, name)),
            ReferenceTarget::Name(name) => Some(self.by_name(name)),
            ReferenceTarget::Computer(name) => Some(self.computer(name)),
            ReferenceTarget::Label(name) => Some(self.unlisted(name)),
        }
    }

    /// Whether a bare name, in lower case, identifies this principal or no principal of the inventory.
    pub(super) fn is_name_of(&self, name: &str, identity: &SourcePrincipal) -> bool {
        let known = match self.by_name.get(name) {
            None => return true,
            Some(None) => return false,
            Some(Some(principal)) => SourcePrincipal::of(principal),
        };
        let folded = |identity: &SourcePrincipal| identity.name().map(|name| name.to_lowercase());
        known.sid == identity.sid && (known.sid.is_some() || folded(&known) == folded(identity))
    }

    /// Whether a name contains the source domain, is the name of that domain, or is the DN of an object in it.
    pub(super) fn is_in_source_domain(&self, name: &str) -> bool {
        let is_source = |domain: &str| {
            let domain = domain.to_lowercase();
            domain == self.dns_domain
                || self
                    .netbios_to_dns
                    .get(&domain)
                    .is_some_and(|dns| dns.to_lowercase() == self.dns_domain)
        };
        NameForm::of(name).domain().is_some_and(is_source)
            || is_source(name)
            || domain_of_dn(name).is_some_and(|domain| is_source(&domain))
    }

    /// Checks whether a SID and the name next to it are the same principal. Returns the contradicting fact from the
    /// source; `None` when there is none.
    pub(super) fn contradiction(&self, sid: &Sid, name: &str) -> Option<String> {
        let relative = |name: &str| NameForm::of(name).relative().to_lowercase();
        if let Some(known) = well_known::name_of(sid) {
            // Localized versions of Windows use other names.
            let bare = name.strip_suffix(" (built-in)").unwrap_or(name);
            let other = well_known::sid_of(bare).filter(|other| other != sid)?;
            return Some(format!("{sid} is {known}, but the name belongs to {other}"));
        }
        if let Some(principal) = self.by_sid.get(sid) {
            let known = SourcePrincipal::of(principal);
            let sam = &known.principal.sam_account_name;
            return (!sam.is_empty() && sam.to_lowercase() != relative(name))
                .then(|| format!("the source has {}", known.describe()));
        }
        let known = SourcePrincipal::of(self.by_name.get(&name.to_lowercase()).copied()??);
        known
            .sid
            .as_ref()
            .is_some_and(|known| known != sid)
            .then(|| format!("the source has {}", known.describe()))
    }

    fn by_sid(&self, sid: &Sid, name: &str) -> SourcePrincipal {
        if let Some(principal) = self.by_sid.get(sid) {
            let mut known = SourcePrincipal::of(principal);
            if known.principal.sam_account_name.is_empty() {
                known.principal = self.parse_name(name);
                known.principal.sid = Some(sid.clone());
            }
            return known;
        }
        let name = match self.names_beside.get(sid) {
            Some(Some(beside)) if name.is_empty() => beside,
            _ => name,
        };
        let well_known = well_known::name_of(sid);
        let mut principal = match well_known {
            Some(name) => Principal::named(name),
            None => self.parse_name(name),
        };
        principal.sid = Some(sid.clone());
        SourcePrincipal {
            sid: Some(sid.clone()),
            principal,
            well_known,
        }
    }

    fn by_name(&self, name: &str) -> SourcePrincipal {
        if let Ok(sid) = name.parse::<Sid>() {
            return self.by_sid(&sid, "");
        }
        if let Some(Some(principal)) = self.by_name.get(&name.to_lowercase()) {
            return SourcePrincipal::of(principal);
        }
        if let Some(Some(sid)) = self.sids_beside.get(&name.to_lowercase())
            && !self.by_sid.contains_key(sid)
        {
            return self.by_sid(sid, name);
        }
        let Some(sid) = well_known::sid_of(name) else {
            return self.unlisted(name);
        };
        let mut known = self.by_sid(&sid, "");
        if localized(name).is_some() {
            // Rows may have the name as it is written.
            known.principal = self.parse_name(name);
            known.principal.sid = Some(sid);
        }
        known
    }

    /// Finds a computer by its name without `$`, ignoring users and groups of the same name.
    fn computer(&self, name: &str) -> SourcePrincipal {
        let folded = name.to_lowercase();
        [format!("{folded}$"), folded]
            .iter()
            .filter_map(|key| self.by_name.get(key).copied()?)
            .map(SourcePrincipal::of)
            .find(|known| {
                known.principal.kind == PrincipalType::Computer
                    || known.principal.sam_account_name.ends_with('$')
            })
            .unwrap_or_else(|| self.unlisted(name))
    }

    /// A name that is not in the inventory.
    fn unlisted(&self, name: &str) -> SourcePrincipal {
        SourcePrincipal {
            sid: None,
            principal: self.parse_name(name),
            well_known: None,
        }
    }

    /// Creates a principal from its name alone, with the other name of its domain if the inventory contains it.
    fn parse_name(&self, text: &str) -> Principal {
        let form = NameForm::of(text);
        let mut principal = Principal::named(form.relative());
        let Some(domain) = form.domain() else {
            return principal;
        };
        let key = domain.to_lowercase();
        if let Some(netbios) = self.dns_to_netbios.get(&key) {
            principal.netbios_domain = netbios.clone();
            principal.dns_domain = domain.to_owned();
        } else if key == self.dns_domain || matches!(form, NameForm::Upn { .. }) {
            principal.dns_domain = domain.to_owned();
        } else {
            principal.netbios_domain = domain.to_owned();
            if let Some(dns) = self.netbios_to_dns.get(&key) {
                principal.dns_domain = dns.clone();
            }
        }
        // The unchanged text is a name of it too, whatever its domain part is.
        principal.upn = text.to_owned();
        principal
    }
}

/// The longest name that a principal can have in a directory, in bytes: `userPrincipalName` has at most 1,024 characters. A longer
/// one would be copied for each reference to its principal.
const MAX_NAME: usize = 4 * 1024;

fn has_possible_names(principal: &Principal) -> bool {
    [
        &principal.sam_account_name,
        &principal.netbios_domain,
        &principal.dns_domain,
        &principal.upn,
    ]
    .iter()
    .all(|name| name.len() <= MAX_NAME)
}

/// The DNS name of the domain in which a distinguished name is.
fn domain_of_dn(dn: &str) -> Option<String> {
    let mut labels: Vec<&str> = dn
        .rsplit(',')
        .map_while(|rdn| {
            let (attribute, label) = rdn.split_once('=')?;
            attribute
                .trim()
                .eq_ignore_ascii_case("DC")
                .then(|| label.trim())
        })
        .collect();
    labels.reverse();
    (!labels.is_empty()).then(|| labels.join("."))
}

/// Chooses between two entries of the same name. Entries with the same SID are one principal; a name that GPMC
/// inventoried as plain text is that text; otherwise the name is ambiguous.
fn merge<'a>(known: Option<&'a Principal>, new: &'a Principal) -> Option<&'a Principal> {
    let first = known?;
    if first.sid == new.sid || first.sid.is_none() {
        known
    } else if new.sid.is_none() {
        Some(new)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(identity: &SourcePrincipal, kind: PrincipalType) -> Vec<String> {
        identity
            .row_keys()
            .into_iter()
            .filter(|key| key.fits(EntryType::Principal(kind)))
            .map(|key| key.text)
            .collect()
    }

    #[test]
    fn domain_of_a_dn() {
        for (dn, domain) in [
            ("OU=a,DC=src,dc = test", Some("src.test")),
            ("DC=x,OU=DC,DC=test", Some("test")),
            ("OU=a", None),
            ("SRC", None),
        ] {
            assert_eq!(domain_of_dn(dn).as_deref(), domain);
        }
    }

    #[test]
    fn a_group_has_five_row_keys_and_bare_ones_need_type_unknown() {
        let sid: Sid = "S-1-5-21-1-2-3-1104".parse().unwrap();
        let group = PrincipalType::GlobalGroup;
        let identity = SourcePrincipal {
            sid: Some(sid.clone()),
            principal: Principal::of_domain(sid, "Helpdesk", group, "SRC", "src.test"),
            well_known: None,
        };
        assert_eq!(
            keys(&identity, PrincipalType::Unknown),
            [
                "s-1-5-21-1-2-3-1104",
                "helpdesk",
                "src\\helpdesk",
                "src.test\\helpdesk",
                "helpdesk@src.test"
            ]
        );
        assert_eq!(
            keys(&identity, group),
            ["src\\helpdesk", "src.test\\helpdesk", "helpdesk@src.test"]
        );
    }

    #[test]
    fn a_computer_matches_with_and_without_dollar() {
        let computer = PrincipalType::Computer;
        let identity = |name: &str| SourcePrincipal {
            sid: None,
            principal: Principal {
                sid: None,
                kind: computer,
                sam_account_name: name.to_owned(),
                netbios_domain: "SRC".to_owned(),
                dns_domain: String::new(),
                upn: String::new(),
            },
            well_known: None,
        };
        for name in ["PC1$", "PC1"] {
            let mut found = keys(&identity(name), computer);
            found.sort();
            assert_eq!(found, ["src\\pc1", "src\\pc1$"]);
        }
        assert_eq!(keys(&identity("PC1$"), PrincipalType::User), ["src\\pc1$"]);
    }
}

//! Who a reference is: the names a principal goes by, taken from the source's own inventory and from what is well known.

use std::collections::HashMap;

use crate::message::printable;
use crate::model::principal::{Principal, PrincipalType};
use crate::model::sid::Sid;
use crate::model::snapshot::{GpoSnapshot, InventoryPrincipal};
use crate::model::well_known;

use super::references::ReferenceTarget;
use super::table::{EntryType, sid_key};

/// How a name says which domain it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameForm<'a> {
    /// No domain: `name`.
    Bare(&'a str),
    /// `DOMAIN\name` or `dns.domain\name`.
    DownLevel {
        /// The domain, NetBIOS or DNS.
        domain: &'a str,
        /// The `sAMAccountName`.
        name: &'a str,
    },
    /// `name@dns.domain`.
    Upn {
        /// The domain.
        domain: &'a str,
        /// The `sAMAccountName`.
        name: &'a str,
    },
}

impl<'a> NameForm<'a> {
    /// Takes a name apart.
    pub fn of(text: &'a str) -> Self {
        if is_distinguished(text) {
            // Its backslashes escape commas.
            Self::Bare(text)
        } else if let Some((domain, name)) = text.split_once('\\') {
            Self::DownLevel { domain, name }
        } else if let Some((name, domain)) = text.rsplit_once('@')
            && !name.is_empty()
            && !domain.is_empty()
        {
            Self::Upn { domain, name }
        } else {
            Self::Bare(text)
        }
    }

    /// The name without its domain.
    pub fn relative(self) -> &'a str {
        match self {
            Self::Bare(name) | Self::DownLevel { name, .. } | Self::Upn { name, .. } => name,
        }
    }

    /// The domain, if one is named.
    pub fn domain(self) -> Option<&'a str> {
        match self {
            Self::Bare(_) => None,
            Self::DownLevel { domain, .. } | Self::Upn { domain, .. } => Some(domain),
        }
    }
}

/// Whether a text is a distinguished name below a domain, such as an OU in item-level targeting.
fn is_distinguished(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let attribute = lower.split_once('=').map(|(attribute, _)| attribute);
    attribute.is_some_and(|attribute| matches!(attribute, "ou" | "cn" | "dc"))
        && lower.contains(",dc=")
}

/// One string a row may name a principal by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowKey {
    /// In lower case, as the keys of a table are.
    pub(super) text: String,
    /// A bare name or a SID: for rows of type Unknown only.
    bare: bool,
    /// A bare name that does not mean the same everywhere: text of that name may stand for somebody else.
    pub(super) unqualified: bool,
    /// A computer's name without its `$`: not for rows of users and groups, who may be called the same.
    computer: bool,
}

impl RowKey {
    /// Whether a row of this type may name a principal this way.
    pub(super) fn fits(&self, kind: EntryType) -> bool {
        match kind {
            EntryType::UncPath => false,
            EntryType::Principal(PrincipalType::Unknown) => true,
            EntryType::Principal(PrincipalType::Computer) => !self.bare,
            EntryType::Principal(_) => !self.bare && !self.computer,
        }
    }
}

/// A principal reference, as far as the source tells who it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SourcePrincipal {
    /// The SID.
    pub(super) sid: Option<Sid>,
    /// The names; the bare text alone when the source does not know it.
    pub(super) principal: Principal,
    /// The English name, for a principal that is the same everywhere.
    pub(super) well_known: Option<&'static str>,
}

impl SourcePrincipal {
    /// `DOMAIN\name`, the English name, or the text as it stands; `None` when only the SID is known.
    pub(super) fn name(&self) -> Option<String> {
        match self.well_known {
            Some(name) => Some(name.to_owned()),
            None => Some(self.principal.down_level_name()).filter(|name| !name.is_empty()),
        }
    }

    /// What it is; `None` when the source does not say.
    pub(super) fn kind(&self) -> Option<PrincipalType> {
        let known = self.principal.kind != PrincipalType::Unknown || self.well_known.is_some();
        known.then_some(self.principal.kind)
    }

    /// Whether it means the same in every domain and needs no row.
    pub(super) fn is_universal(&self) -> bool {
        self.sid.as_ref().is_some_and(|sid| !sid.is_domain_sid())
    }

    /// For messages: `S-1-… (DOMAIN\name)`, or what is known of it.
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

/// Everyone the source names, found by SID and by any name.
pub(super) struct Inventory<'a> {
    principals: &'a [InventoryPrincipal],
    by_sid: HashMap<&'a Sid, usize>,
    /// `None` for a name that several principals go by.
    by_name: HashMap<String, Option<usize>>,
    /// What pairs in the settings tell of those the source does not name: the name beside a SID, and the SID beside a name in
    /// lower case. `None` where pairs contradict one another.
    names_beside: HashMap<Sid, Option<String>>,
    sids_beside: HashMap<String, Option<Sid>>,
    /// NetBIOS and DNS names of domains, both ways, in lower case keys.
    netbios_to_dns: HashMap<String, String>,
    dns_to_netbios: HashMap<String, String>,
    /// The domain's SID of the source, when the inventory tells it.
    pub(super) source_domain: Option<Sid>,
    /// The source's DNS name in lower case.
    pub(super) dns_domain: String,
}

impl<'a> Inventory<'a> {
    pub(super) fn new(snapshot: &'a GpoSnapshot) -> Self {
        let mut inventory = Self {
            principals: &snapshot.principals,
            by_sid: HashMap::new(),
            by_name: HashMap::new(),
            names_beside: HashMap::new(),
            sids_beside: HashMap::new(),
            netbios_to_dns: HashMap::new(),
            dns_to_netbios: HashMap::new(),
            source_domain: None,
            dns_domain: snapshot.domain.lower(),
        };
        for (number, entry) in snapshot.principals.iter().enumerate() {
            let principal = &entry.principal;
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
                inventory.by_sid.entry(sid).or_insert(number);
                if inventory.source_domain.is_none() && dns.to_lowercase() == inventory.dns_domain {
                    inventory.source_domain = sid.domain();
                }
            }
            for key in inventory.principal(number).row_keys() {
                let principals = inventory.principals;
                inventory
                    .by_name
                    .entry(key.text)
                    .and_modify(|known| *known = merge(principals, *known, number))
                    .or_insert(Some(number));
            }
        }
        inventory
    }

    /// The identity of the entry with this number.
    pub(super) fn principal(&self, number: usize) -> SourcePrincipal {
        let principal = self
            .principals
            .get(number)
            .map_or_else(|| Principal::named(""), |entry| entry.principal.clone());
        let sid = principal.sid.clone().or_else(|| {
            // GPMC writes well-known principals without SID, by their English names.
            let plain = principal.netbios_domain.is_empty() && principal.dns_domain.is_empty();
            plain
                .then(|| well_known::sid_of(&principal.sam_account_name))
                .flatten()
        });
        let well_known = sid.as_ref().and_then(well_known::name_of);
        SourcePrincipal {
            sid,
            principal,
            well_known,
        }
    }

    /// Takes in what a SID and a name of a domain side by side say of each other, for those that stand alone elsewhere.
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

    /// Who a reference is; `None` for a UNC path.
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

    /// Whether a bare name, in lower case, means this principal here, or at least nobody else.
    pub(super) fn is_name_of(&self, name: &str, identity: &SourcePrincipal) -> bool {
        let known = match self.by_name.get(name) {
            None => return true,
            Some(None) => return false,
            Some(Some(number)) => self.principal(*number),
        };
        let folded = |identity: &SourcePrincipal| identity.name().map(|name| name.to_lowercase());
        known.sid == identity.sid && (known.sid.is_some() || folded(&known) == folded(identity))
    }

    /// Whether a name says that it is of the source's domain, or is that domain's own, or the DN of something in it.
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

    /// What speaks against a name and a SID that stand side by side: who the SID or the name is as far as the source tells.
    /// `None` when nothing does.
    pub(super) fn contradiction(&self, sid: &Sid, name: &str) -> Option<String> {
        let relative = |name: &str| NameForm::of(name).relative().to_lowercase();
        if let Some(known) = well_known::name_of(sid) {
            // In other languages it has other names.
            let bare = name.strip_suffix(" (built-in)").unwrap_or(name);
            let other = well_known::sid_of(bare).filter(|other| other != sid)?;
            return Some(format!("{sid} is {known}, but the name belongs to {other}"));
        }
        if let Some(number) = self.by_sid.get(sid) {
            let known = self.principal(*number);
            let sam = &known.principal.sam_account_name;
            return (!sam.is_empty() && sam.to_lowercase() != relative(name))
                .then(|| format!("the source has {}", known.describe()));
        }
        let known = self.principal(self.by_name.get(&name.to_lowercase()).copied()??);
        known
            .sid
            .as_ref()
            .is_some_and(|known| known != sid)
            .then(|| format!("the source has {}", known.describe()))
    }

    fn by_sid(&self, sid: &Sid, name: &str) -> SourcePrincipal {
        if let Some(number) = self.by_sid.get(sid) {
            let mut known = self.principal(*number);
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
        if let Some(Some(number)) = self.by_name.get(&name.to_lowercase()) {
            return self.principal(*number);
        }
        if let Some(Some(sid)) = self.sids_beside.get(&name.to_lowercase())
            && !self.by_sid.contains_key(sid)
        {
            return self.by_sid(sid, name);
        }
        match well_known::sid_of(name) {
            Some(sid) => self.by_sid(&sid, ""),
            None => self.unlisted(name),
        }
    }

    /// A computer by its name without `$`; a user or group that is called the same is not meant.
    fn computer(&self, name: &str) -> SourcePrincipal {
        let folded = name.to_lowercase();
        [format!("{folded}$"), folded]
            .iter()
            .filter_map(|key| self.by_name.get(key).copied()?)
            .map(|number| self.principal(number))
            .find(|known| {
                known.principal.kind == PrincipalType::Computer
                    || known.principal.sam_account_name.ends_with('$')
            })
            .unwrap_or_else(|| self.unlisted(name))
    }

    /// A name that the source does not know.
    fn unlisted(&self, name: &str) -> SourcePrincipal {
        SourcePrincipal {
            sid: None,
            principal: self.parse_name(name),
            well_known: None,
        }
    }

    /// A principal from its name alone, with the other name of its domain where the inventory tells it.
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
        // The text as it stands is a name of it too, whatever its domain part means.
        principal.upn = text.to_owned();
        principal
    }
}

/// The DNS name of the domain a distinguished name ends in.
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

/// Which of two entries a name stands for. The same SID twice is one principal; a name that GPMC inventoried as plain text
/// stands for that text; otherwise the name is ambiguous.
fn merge(principals: &[InventoryPrincipal], known: Option<usize>, new: usize) -> Option<usize> {
    let first = known?;
    let entry = |number: usize| principals.get(number).map(|entry| &entry.principal);
    let (one, two) = (entry(first)?, entry(new)?);
    if one.sid == two.sid || one.sid.is_none() {
        known
    } else if two.sid.is_none() {
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
    fn takes_names_apart() {
        assert_eq!(NameForm::of("a"), NameForm::Bare("a"));
        assert_eq!(NameForm::of("D\\a").domain(), Some("D"));
        assert_eq!(NameForm::of("a@b@c.d").relative(), "a@b");
        assert_eq!(NameForm::of("@a"), NameForm::Bare("@a"));
        let dn = "OU=a\\, b,DC=c,DC=d";
        assert_eq!(NameForm::of(dn), NameForm::Bare(dn));
    }

    #[test]
    fn a_dn_tells_its_domain() {
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
    fn a_group_has_five_strings_and_bare_ones_are_for_unknown() {
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
    fn a_computer_goes_by_its_name_with_and_without_dollar() {
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

//! The names of the source domain in a text.

use super::policies::{Kind, Policy};
use crate::model::domain_name::DomainName;
use crate::model::snapshot::GpoSnapshot;

/// The names of a domain, in lower case.
pub(super) struct SourceNames {
    /// Without a dot it could be any word, so it is not searched.
    dns: Option<String>,
    netbios: Option<String>,
    /// `dc=src,dc=test`.
    dn: String,
    sid: Option<String>,
}

impl SourceNames {
    pub(super) fn of(snapshot: &GpoSnapshot) -> Self {
        let dns = snapshot.domain.lower();
        let of_domain = |principal: &&crate::model::principal::Principal| {
            principal.dns_domain.to_lowercase() == dns
        };
        let principals = snapshot.principals.iter().map(|entry| &entry.principal);
        let own: Vec<_> = principals.filter(of_domain).collect();
        let netbios = own
            .iter()
            .map(|principal| principal.netbios_domain.to_lowercase())
            .find(|name| !name.is_empty());
        let sid = own
            .iter()
            .find_map(|principal| principal.sid.as_ref()?.domain())
            .map(|sid| sid.to_string().to_lowercase());
        let dn = dns
            .parse::<DomainName>()
            .map(|name| name.to_dn().to_lowercase())
            .unwrap_or_default();
        Self {
            dns: Some(dns).filter(|dns| dns.contains('.')),
            netbios,
            dn,
            sid,
        }
    }

    /// The first name of the domain in a value, as written; `None` when there is none outside of the references, which are given in lower
    /// case.
    pub(super) fn first_in(
        &self,
        value: &str,
        references: &[String],
        policy: Option<&'static Policy>,
    ) -> Option<String> {
        let mut text = value.to_lowercase();
        for reference in references.iter().filter(|reference| !reference.is_empty()) {
            text = text.replace(reference.as_str(), "\u{0}");
        }
        let dns = self.dns.as_deref().filter(|name| has_host(&text, name));
        let sid = self.sid.as_deref().filter(|sid| has_word(&text, sid, ""));
        let dn = Some(self.dn.as_str()).filter(|dn| has_dn(&text, dn));
        let netbios = self.netbios.as_deref().filter(|name| {
            let alone =
                policy.is_some_and(|policy| policy.kind == Kind::Domain) && text.trim() == *name;
            alone || has_principal(&text, name)
        });
        let first = dn.or(dns).or(sid).or(netbios)?;
        // As it is written, where folding has not changed the length.
        let start = value.to_lowercase().find(first);
        let written = start.and_then(|start| value.get(start..start.checked_add(first.len())?));
        let written = written.filter(|written| written.to_lowercase() == first);
        Some(written.unwrap_or(first).to_owned())
    }
}

/// The places of a word that is not part of a longer one.
fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = (&'t str, &'t str)> {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    text.match_indices(word).filter_map(move |(start, _)| {
        let before = text.get(..start)?;
        let behind = text.get(start.checked_add(word.len())?..)?;
        let whole = !before.ends_with(inside) && !behind.starts_with(inside);
        whole.then_some((before, behind))
    })
}

fn has_word(text: &str, word: &str, not_before: &str) -> bool {
    // A SID of the domain has a RID behind it.
    text.match_indices(word).any(|(start, _)| {
        let before = text.get(..start).unwrap_or_default();
        !before.ends_with(|c: char| c.is_alphanumeric() || not_before.contains(c))
    })
}

/// Whether a text contains a DNS name, also below it: not `x` in `x.example` or `x-y`.
fn has_host(text: &str, name: &str) -> bool {
    words(text, name).any(|(_, behind)| {
        let mut next = behind.chars();
        !(next.next() == Some('.') && next.next().is_some_and(char::is_alphanumeric))
    })
}

/// Whether a text contains a DN that ends with this one.
fn has_dn(text: &str, dn: &str) -> bool {
    if dn.is_empty() || !text.contains("dc=") && !text.contains("dc =") {
        return false;
    }
    let dense: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    words(&dense, dn).any(|(_, behind)| !behind.starts_with(",dc=") && !behind.starts_with('.'))
}

/// Whether a text contains `DOMAIN\name` as a word: not a folder or a key in a path.
fn has_principal(text: &str, netbios: &str) -> bool {
    words(text, netbios).any(|(before, behind)| {
        let Some(name) = behind.strip_prefix('\\') else {
            return false;
        };
        let ends =
            |c: char| c.is_control() || matches!(c, '"' | '\'' | ';' | ',' | '/' | '|' | '<' | '>');
        let name = name.split(ends).next().unwrap_or_default();
        let word = name.split_whitespace().next().unwrap_or_default();
        let in_path = before.ends_with(['\\', '/', ':', '.', '%']) || word.contains('\\');
        !word.is_empty() && !name.starts_with(char::is_whitespace) && !in_path
    })
}

//! Destinations that are the source with the target domain in place of the source domain.

use std::collections::BTreeSet;

use super::UnresolvedRow;
use crate::domain::principals::PrincipalDirectory;
use crate::migration::inventory::NameForm;
use crate::migration::variables::is_completed_by_client;
use crate::model::domain_name::DomainName;
use crate::model::unc_path::UncPath;

/// The corresponding DN in the target domain for a DN of a source domain, such as an OU in item-level targeting.
pub(super) fn renamed_dn(source: &str, domains: &BTreeSet<String>, target: &str) -> Option<String> {
    let dn_of = |domain: &str| {
        let name: DomainName = domain.parse().ok()?;
        Some(name.to_dn())
    };
    domains.iter().find_map(|domain| {
        let old = dn_of(domain)?;
        let at = source.len().checked_sub(old.len())?;
        let (above, end) = source.split_at_checked(at)?;
        let whole = above.ends_with(',') && end.eq_ignore_ascii_case(&old);
        whole.then(|| Some(format!("{above}{}", dn_of(target)?)))?
    })
}

/// The name that each client completes with the target domain in place of that of the source.
pub(super) fn renamed_variable(
    open: &UnresolvedRow<'_>,
    target: &dyn PrincipalDirectory,
) -> Option<String> {
    let name = open
        .name
        .as_deref()
        .filter(|name| is_completed_by_client(name))?;
    let (dns, netbios) = (target.dns_domain(), target.netbios_domain());
    match NameForm::of(&open.row.source) {
        NameForm::DownLevel { domain, .. } if domain.contains('.') => {
            Some(format!("{dns}\\{name}"))
        }
        NameForm::DownLevel { .. } => Some(format!("{netbios}\\{name}")),
        NameForm::Upn { .. } => Some(format!("{name}@{dns}")),
        NameForm::Bare(_) => None,
    }
}

/// The path with the source domain replaced by the target domain in the server name and in the first folder of SYSVOL.
pub(super) fn renamed_path(
    path: &UncPath,
    domains: &BTreeSet<String>,
    target: &str,
) -> Option<String> {
    let server = path.server().to_lowercase();
    let domain = domains
        .iter()
        .find(|domain| server == **domain || server.ends_with(&format!(".{domain}")))?;
    let host = server.strip_suffix(domain.as_str())?;
    let rest: Vec<&str> = path
        .components()
        .skip(1)
        .map(|part| {
            if part.eq_ignore_ascii_case(domain) {
                target
            } else {
                part
            }
        })
        .collect();
    Some(format!("\\\\{host}{target}\\{}", rest.join("\\")))
}

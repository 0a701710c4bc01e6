//! The domains of the forest, from the crossRefs below `CN=Partitions` [MS-ADTS 6.1.1.2.1.1].

use super::session::search;
use crate::domain::ldap::{Filter, LdapRead, Scope, Search};
use crate::error::Result;
use crate::model::dn::Dn;
use crate::model::sid::Sid;

/// A domain of the forest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForestDomain {
    /// `nCName`.
    pub dn: Dn,
    /// Its SID, if the DC returns it with the name.
    pub sid: Option<Sid>,
    /// `nETBIOSName`.
    pub netbios: String,
}

/// Reads the domains of the forest. A DC has the objects of other domains only if it is a global catalog, and would otherwise
/// return referrals, but each crossRef contains the SID of its domain.
///
/// # Errors
/// As every search.
pub(super) async fn read(ldap: &dyn LdapRead, configuration: &Dn) -> Result<Vec<ForestDomain>> {
    let entries = search(
        ldap,
        &Search {
            base: Some(&configuration.cn("Partitions")),
            scope: Scope::OneLevel,
            filter: Filter::all([
                Filter::equals("objectClass", "crossRef"),
                Filter::present("nETBIOSName"),
            ]),
            attributes: &["nCName", "nETBIOSName"],
            sd_flags: None,
            paged: true,
            extended_dns: true,
        },
    )
    .await?;
    Ok(entries
        .iter()
        .filter_map(|entry| {
            let (sid, dn) = extended_dn(&entry.text("nCName")?);
            Some(ForestDomain {
                dn: Dn::parse(&dn).ok()?,
                sid,
                netbios: entry.text("nETBIOSName")?,
            })
        })
        .collect())
}

/// Splits an extended DN: `<GUID=…>;<SID=S-1-…>;DC=src,DC=test`. A plain DN has no SID.
pub(super) fn extended_dn(text: &str) -> (Option<Sid>, String) {
    let (mut sid, mut rest) = (None, text);
    while let Some((part, after)) = rest
        .strip_prefix('<')
        .and_then(|inner| inner.split_once(">;"))
    {
        if let Some(value) = part.strip_prefix("SID=") {
            sid = value.parse().ok();
        }
        rest = after;
    }
    (sid, rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extended_dn_is_taken_apart() {
        let sid = "S-1-5-21-3451619052-3937764499-2883176752";
        let guid = "<GUID=713981ea-9c17-4343-9b19-1fc8a2d9872f>;";
        for (text, has_sid) in [
            (format!("{guid}<SID={sid}>;DC=src,DC=test"), true),
            (format!("<SID={sid}>;DC=src,DC=test"), true),
            (format!("{guid}DC=src,DC=test"), false),
            (format!("{guid}<SID=01050000>;DC=src,DC=test"), false),
            ("DC=src,DC=test".to_owned(), false),
        ] {
            let (found, dn) = extended_dn(&text);
            assert_eq!(dn, "DC=src,DC=test", "{text}");
            assert_eq!(found, has_sid.then(|| sid.parse().unwrap()), "{text}");
        }
        assert_eq!(extended_dn("<GUID=x"), (None, "<GUID=x".to_owned()));
    }
}

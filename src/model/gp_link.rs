//! `gPLink`: which GPOs are linked to a site, domain or OU.

/// One link of a `gPLink` value [MS-GPOL 2.2.2].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GpLink {
    /// The GPO's DN, as it stands (without `LDAP://`).
    pub dn: String,
    /// Bit 0: link disabled. Bit 1: enforced.
    pub options: u32,
}

impl GpLink {
    /// Whether the link is switched off.
    pub fn is_disabled(&self) -> bool {
        self.options & 1 != 0
    }

    /// Whether the link is enforced.
    pub fn is_enforced(&self) -> bool {
        self.options & 2 != 0
    }
}

/// The `gPLink` value is not a list of `[LDAP://dn;options]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("gPLink \"{}\" is not of the form [LDAP://dn;options]", .0.escape_debug())]
pub struct InvalidGpLink(String);

/// Reads a `gPLink` value: links in the order they stand, the last one has precedence [MS-GPOL 2.2.2]. Blank is no link.
///
/// # Errors
/// When the value is not of that form.
pub fn parse_gp_link(value: &str) -> Result<Vec<GpLink>, InvalidGpLink> {
    let bad = || InvalidGpLink(value.to_owned());
    let mut links = Vec::new();
    let mut rest = value.trim();
    while !rest.is_empty() {
        let (block, after) = rest
            .strip_prefix('[')
            .and_then(|inner| inner.split_once(']'))
            .ok_or_else(bad)?;
        let (path, options) = block.rsplit_once(';').ok_or_else(bad)?;
        let (scheme, dn) = path.split_at_checked(7).ok_or_else(bad)?;
        if !scheme.eq_ignore_ascii_case("LDAP://") || dn.is_empty() {
            return Err(bad());
        }
        links.push(GpLink {
            dn: dn.to_owned(),
            options: options.trim().parse().map_err(|_| bad())?,
        });
        rest = after;
    }
    Ok(links)
}

/// Writes a `gPLink` value.
pub fn format_gp_link(links: &[GpLink]) -> String {
    links
        .iter()
        .map(|link| format!("[LDAP://{};{}]", link.dn, link.options))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let value = "[LDAP://cn={31B2F340-016D-11D2-945F-00C04FB984F9},cn=policies,cn=system,DC=a,DC=b;0][LDAP://CN={X},DC=a;2]";
        let links = parse_gp_link(value).unwrap();
        assert_eq!(links.len(), 2);
        assert!(links[1].is_enforced() && !links[1].is_disabled());
        assert_eq!(format_gp_link(&links), value);
        assert!(parse_gp_link(" ").unwrap().is_empty());
        assert!(parse_gp_link("[LDAP://x]").is_err());
        assert!(parse_gp_link("[http://x;0]").is_err());
    }
}

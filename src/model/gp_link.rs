//! `gPLink`: which GPOs are linked to a site, domain or OU.

use super::dn::Dn;

/// One link of a `gPLink` value [MS-GPOL 2.2.2].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GpLink {
    /// The GPO's DN as written, without `LDAP://`; with the server before it where the path names one.
    pub dn: String,
    /// Bit 0: link disabled. Bit 1: enforced.
    pub options: u32,
}

const DISABLED: u32 = 1;
const ENFORCED: u32 = 2;

impl GpLink {
    /// Whether the link is disabled.
    pub fn is_disabled(&self) -> bool {
        self.options & DISABLED != 0
    }

    /// Whether the link is enforced.
    pub fn is_enforced(&self) -> bool {
        self.options & ENFORCED != 0
    }

    /// Whether the link is to the GPO with this DN. A GPO of the same GUID in another domain is another GPO.
    pub fn is_to(&self, gpo: &Dn) -> bool {
        Dn::parse(&self.dn).is_ok_and(|dn| dn == *gpo)
    }

    /// The server that the path names, if it does (`LDAP://server/DN`), and the DN.
    pub fn server_and_dn(&self) -> (Option<&str>, &str) {
        match self.dn.split_once('/') {
            // A slash in a DN comes after the name of an attribute.
            Some((server, dn)) if !server.contains('=') => (Some(server), dn),
            _ => (None, &self.dn),
        }
    }

    /// Disables or enables the link; other bits are unchanged.
    pub fn set_disabled(&mut self, on: bool) {
        self.set(DISABLED, on);
    }

    /// Sets or clears the enforced flag; other bits are unchanged.
    pub fn set_enforced(&mut self, on: bool) {
        self.set(ENFORCED, on);
    }

    fn set(&mut self, bit: u32, on: bool) {
        if on {
            self.options |= bit;
        } else {
            self.options &= !bit;
        }
    }

    fn parse_block(block: &str) -> Option<Self> {
        let (path, options) = block.rsplit_once(';')?;
        let (scheme, dn) = path.split_at_checked(7)?;
        if !scheme.eq_ignore_ascii_case("LDAP://") || dn.is_empty() {
            return None;
        }
        Some(Self {
            dn: dn.to_owned(),
            options: options.trim().parse().ok()?,
        })
    }
}

/// An editable `gPLink` value. Text that is not a link, and links that are not edited, keep their spelling.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkList {
    parts: Vec<LinkPart>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum LinkPart {
    /// A link and its spelling.
    Link(GpLink, String),
    /// Text between links that is not a link.
    Other(String),
}

impl LinkList {
    /// Parses any value; [`LinkList::others`] returns the parts that are not links.
    pub fn parse(value: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = value;
        while !rest.is_empty() {
            // Text from `[` to its `]` is a block; everything else is kept as it is.
            let end = match rest.strip_prefix('[') {
                Some(inner) => inner.find(']').map(|at| at + 2),
                None => rest.find('['),
            };
            let (raw, after) = end
                .and_then(|end| rest.split_at_checked(end))
                .unwrap_or((rest, ""));
            let link = raw
                .strip_prefix('[')
                .and_then(|inner| inner.strip_suffix(']'))
                .and_then(GpLink::parse_block);
            parts.push(match link {
                Some(link) => LinkPart::Link(link, raw.to_owned()),
                None => LinkPart::Other(raw.to_owned()),
            });
            rest = after;
        }
        Self { parts }
    }

    /// The links in the order of the value: the last one has precedence [MS-GPOL 2.2.2].
    pub fn links(&self) -> impl Iterator<Item = &GpLink> {
        self.parts.iter().filter_map(|part| match part {
            LinkPart::Link(link, _) => Some(link),
            LinkPart::Other(_) => None,
        })
    }

    /// The text between the links, without blank parts.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            LinkPart::Other(text) if !text.trim().is_empty() => Some(text.as_str()),
            _ => None,
        })
    }

    /// The number of links.
    pub fn len(&self) -> usize {
        self.links().count()
    }

    /// Whether there is no link.
    pub fn is_empty(&self) -> bool {
        self.links().next().is_none()
    }

    /// The link orders of the links for which `is_wanted` returns true, highest precedence first. Link order 1 has the
    /// highest precedence and is the last link in the value.
    pub fn orders(&self, is_wanted: impl Fn(&GpLink) -> bool) -> Vec<usize> {
        let count = self.len();
        let mut orders: Vec<usize> = self
            .links()
            .enumerate()
            .filter(|(_, link)| is_wanted(link))
            .map(|(index, _)| count - index)
            .collect();
        orders.reverse();
        orders
    }

    /// The link with this link order.
    pub fn get(&self, order: usize) -> Option<&GpLink> {
        self.links().nth(self.len().checked_sub(order)?)
    }

    /// Inserts a link at this link order; the links from there on move down by one. An order beyond the end means the
    /// lowest precedence, and 0 means 1.
    pub fn insert(&mut self, order: usize, link: GpLink) {
        let raw = format!("[LDAP://{};{}]", link.dn, link.options);
        self.put(order, LinkPart::Link(link, raw));
    }

    /// Removes the link with this link order.
    pub fn remove(&mut self, order: usize) -> Option<GpLink> {
        let at = self.position(order)?;
        match self.parts.remove(at) {
            LinkPart::Link(link, _) => Some(link),
            LinkPart::Other(_) => None,
        }
    }

    /// Moves a link from one link order to another; its spelling is unchanged.
    pub fn move_to(&mut self, from: usize, to: usize) {
        let (true, Some(at)) = (from != to, self.position(from)) else {
            return;
        };
        let part = self.parts.remove(at);
        self.put(to, part);
    }

    fn put(&mut self, order: usize, part: LinkPart) {
        let at = self
            .position(order.max(1))
            .map(|at| at + 1)
            // Beyond the lowest precedence: before all links.
            .or_else(|| self.position(self.len()))
            .unwrap_or(self.parts.len());
        self.parts.insert(at, part);
    }

    /// Changes the link with this link order; the spelling of its DN is unchanged.
    pub fn edit(&mut self, order: usize, change: impl FnOnce(&mut GpLink)) {
        let Some(at) = self.position(order) else {
            return;
        };
        if let Some(LinkPart::Link(link, raw)) = self.parts.get_mut(at) {
            let before = link.options;
            change(link);
            if link.options != before {
                // Keep the case of the path, `LDAP://` included.
                let path = raw.rsplit_once(';').map_or(raw.as_str(), |(path, _)| path);
                *raw = format!("{path};{}]", link.options);
            }
        }
    }

    /// The value to write; `None` when only blanks are left, in which case the attribute is removed.
    pub fn to_value(&self) -> Option<String> {
        let text: String = self
            .parts
            .iter()
            .map(|part| match part {
                LinkPart::Link(_, raw) => raw.as_str(),
                LinkPart::Other(text) if text.trim().is_empty() => "",
                LinkPart::Other(text) => text.as_str(),
            })
            .collect();
        (!text.is_empty()).then_some(text)
    }

    /// The index of the link with this link order among the parts.
    fn position(&self, order: usize) -> Option<usize> {
        let index = self.len().checked_sub(order)?;
        self.parts
            .iter()
            .enumerate()
            .filter(|(_, part)| matches!(part, LinkPart::Link(..)))
            .nth(index)
            .map(|(at, _)| at)
    }
}

/// The `gPLink` value is not a list of `[LDAP://dn;options]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("gPLink \"{}\" is not of the form [LDAP://dn;options]", .0.escape_debug())]
pub struct InvalidGpLink(String);

/// Parses a `gPLink` value: the links in the order of the value, the last one has precedence [MS-GPOL 2.2.2]. A blank
/// value has no links.
///
/// # Errors
/// When the value is not of that form.
pub fn parse_gp_link(value: &str) -> Result<Vec<GpLink>, InvalidGpLink> {
    let list = LinkList::parse(value.trim());
    let whole = !list
        .parts
        .iter()
        .any(|part| matches!(part, LinkPart::Other(_)));
    if !whole {
        return Err(InvalidGpLink(value.to_owned()));
    }
    Ok(list.links().cloned().collect())
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
    use proptest::prelude::*;

    const A: &str = "[LDAP://cn={A},DC=x;0]";
    const B: &str = "[ldap://CN={B},DC=x;2]";
    const C: &str = "[LDAP://cn={C},DC=x;7]";

    fn link(name: &str, options: u32) -> GpLink {
        GpLink {
            dn: format!("cn={{{name}}},DC=x"),
            options,
        }
    }

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
        assert!(parse_gp_link("[LDAP://x;0").is_err());
        assert!(parse_gp_link("[LDAP://x;0] [LDAP://y;0]").is_err());
    }

    #[test]
    fn order_1_is_the_last_in_the_value() {
        let list = LinkList::parse(&[A, B, C].concat());
        assert_eq!(list.get(1).unwrap().dn, "cn={C},DC=x");
        assert_eq!(list.get(3).unwrap().dn, "cn={A},DC=x");
        assert!(list.get(0).is_none() && list.get(4).is_none());
        assert_eq!(list.orders(|link| link.options > 0), [1, 2]);
        assert_eq!(list.to_value().unwrap(), [A, B, C].concat());
    }

    #[test]
    fn a_link_is_inserted_at_its_order() {
        let new = "[LDAP://cn={N},DC=x;1]";
        for (order, expected) in [
            (1, [A, B, C, new].concat()),
            (0, [A, B, C, new].concat()),
            (2, [A, B, new, C].concat()),
            (3, [A, new, B, C].concat()),
            (4, [new, A, B, C].concat()),
            (9, [new, A, B, C].concat()),
        ] {
            let mut list = LinkList::parse(&[A, B, C].concat());
            list.insert(order, link("N", 1));
            assert_eq!(list.to_value().unwrap(), expected, "{order}");
            assert_eq!(
                list.orders(|link| link.dn.contains("{N}")),
                [order.clamp(1, 4)]
            );
        }
        let mut list = LinkList::parse(" ");
        list.insert(1, link("N", 1));
        assert_eq!(list.to_value().unwrap(), new);
    }

    #[test]
    fn an_edit_keeps_unknown_bits_spelling_and_other_text() {
        let value = format!("{A}[odd]{B} x {C}");
        let mut list = LinkList::parse(&value);
        assert_eq!(list.others().collect::<Vec<_>>(), ["[odd]", " x "]);
        list.edit(1, |link| link.set_disabled(false));
        list.edit(2, |link| link.set_enforced(false));
        list.edit(9, |link| link.set_enforced(true));
        assert_eq!(
            list.to_value().unwrap(),
            format!("{A}[odd][ldap://CN={{B}},DC=x;0] x [LDAP://cn={{C}},DC=x;6]")
        );
        list.remove(3);
        list.remove(1);
        list.remove(1);
        assert!(list.remove(1).is_none() && list.is_empty());
        assert_eq!(list.to_value().unwrap(), "[odd] x ");
        let mut list = LinkList::parse(A);
        list.remove(1);
        assert_eq!(list.to_value(), None);
    }

    proptest! {
        #[test]
        fn every_value_round_trips(value in "(\\[|\\]|;|LDAP://|[a-z=,{}0-9]){0,40}") {
            let list = LinkList::parse(&value);
            prop_assert_eq!(list.to_value().unwrap_or_default(), value.clone());
            if let Ok(links) = parse_gp_link(&value) {
                prop_assert_eq!(links.len(), list.len());
            }
        }
    }
}

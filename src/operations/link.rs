//! Links: the GPOs that are linked to a domain, OU or site, their order, and block inheritance [MS-GPOL 2.2.2, 2.2.3].

mod finding;

pub use finding::link_finding;

use crate::directory::links::Som;
use crate::directory::{AttributeSwap, GpoObject, SwapAttribute};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::model::gp_link::{GpLink, LinkList};
use crate::model::guid::Guid;
use crate::model::reference::Place;
use crate::plan::Plan;
use crate::plan::values::{ObjectDn, ValueChange};

/// What to do with the link of a GPO. Order 1 has the highest precedence, as GPMC shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEdit {
    /// A new link.
    Add {
        /// Its order; without one it gets the lowest precedence, as in GPMC.
        order: Option<usize>,
        /// Whether it is enforced.
        enforced: bool,
        /// Whether it is disabled.
        disabled: bool,
    },
    /// Another state of the existing link; `None` leaves a value unchanged.
    Set {
        /// Its new order.
        order: Option<usize>,
        /// Whether it is enforced.
        enforced: Option<bool>,
        /// Whether it is disabled.
        disabled: Option<bool>,
    },
    /// Remove the link.
    Remove,
}

/// Plans a change of the links of one object.
///
/// # Errors
/// `Conflict` when the GPO is linked already, or several times; `NotFound` when it is not linked; `Usage` when the order
/// is beyond the number of links; `Denied` when this account may not read the present links.
pub fn plan(domain: &DomainName, som: &Som, gpo: &GpoObject, edit: LinkEdit) -> Result<Plan> {
    let name = printable(&gpo.display_name);
    plan_named(domain, som, (gpo.guid, &gpo.dn, &name), edit)
}

/// Plans the removal of a link to a GPO that does not exist, of which only the GUID is known. `dn` would be its container.
///
/// # Errors
/// `NotFound` when there is no such link.
pub fn plan_removal(domain: &DomainName, som: &Som, guid: Guid, dn: &Dn) -> Result<Plan> {
    let gpo = (guid, dn, &*guid.to_string());
    plan_named(domain, som, gpo, LinkEdit::Remove)
}

/// The same for a GPO with this GUID, container and name.
fn plan_named(
    domain: &DomainName,
    som: &Som,
    (guid, dn, name): (Guid, &Dn, &str),
    edit: LinkEdit,
) -> Result<Plan> {
    som.refuse_unread()?;
    let place = som.dn.canonical_name();
    let mut links = LinkList::parse(som.gp_link.as_deref().unwrap_or_default());
    let orders = links.orders(|link| link.is_to(dn));
    let title = match edit {
        LinkEdit::Add { .. } => format!("link \"{name}\" to {place}"),
        LinkEdit::Set { .. } => format!("change the link of \"{name}\" to {place}"),
        LinkEdit::Remove => format!("remove the link of \"{name}\" to {place}"),
    };
    let mut list = Plan::new(title, domain);
    list.messages.extend(links.others().map(|other| {
        unknown_link(som, other).with_hint("it is unchanged; clients may stop reading there")
    }));
    let mut summary = Vec::new();
    match (edit, orders.as_slice()) {
        (
            LinkEdit::Add {
                order,
                enforced,
                disabled,
            },
            [],
        ) => {
            let order = within(order, links.len() + 1, &place)?.unwrap_or(links.len() + 1);
            let mut link = GpLink {
                dn: gpmc_dn(guid, dn),
                options: 0,
            };
            link.set_enforced(enforced);
            link.set_disabled(disabled);
            summary.push(format!("+ {}", line(name, order, &link)));
            links.insert(order, link);
        }
        (LinkEdit::Add { .. }, [order, ..]) => {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("\"{name}\" is already linked to {place}, with order {order}"),
            )
            .with_remedy(Remedy::ChangeLink));
        }
        (_, []) => {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("\"{name}\" is not linked to {place}"),
            )
            .with_remedy(Remedy::ListLinksOf(place.clone(), domain.clone())));
        }
        (
            LinkEdit::Set {
                order,
                enforced,
                disabled,
            },
            &[current],
        ) => {
            let order = within(order, links.len(), &place)?.unwrap_or(current);
            let Some(before) = links.get(current).cloned() else {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "the link is not where it was",
                ));
            };
            links.edit(current, |link| {
                link.set_enforced(enforced.unwrap_or_else(|| link.is_enforced()));
                link.set_disabled(disabled.unwrap_or_else(|| link.is_disabled()));
            });
            links.move_to(current, order);
            let after = links.get(order).cloned().unwrap_or_else(|| before.clone());
            let (before, after) = (line(name, current, &before), line(name, order, &after));
            if before != after {
                summary.push(format!("- {before}"));
                summary.push(format!("+ {after}"));
            }
        }
        (LinkEdit::Set { .. }, several) => {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("\"{name}\" is linked to {place} {} times", several.len()),
            )
            .with_hint("remove the links and add one again"));
        }
        (LinkEdit::Remove, several) => {
            // Start with the lowest precedence, so that the orders of the others stay valid.
            for &order in several.iter().rev() {
                if let Some(link) = links.remove(order) {
                    summary.push(format!("- {}", line(name, order, &link)));
                }
            }
        }
    }
    let new = links.to_value();
    if new != som.gp_link {
        list.push(
            swap(som, SwapAttribute::GpLink, som.gp_link.clone(), new),
            summary,
        );
    }
    Ok(list)
}

/// The finding about something in `gPLink` that is not a link.
pub fn unknown_link(som: &Som, other: &str) -> StatusMessage {
    StatusMessage::warning(
        Code::UnknownLink,
        format!("\"{}\" is not a link", printable(other)),
    )
    .at(Place::file(som.dn.to_string()).key("gPLink"))
    .with_hint("clients may stop reading there; repair it by hand")
}

/// Plans to block inheritance of one object, or to stop blocking it. Other bits of `gPOptions` are unchanged.
///
/// # Errors
/// `Usage` for a site, which inherits from nothing.
pub fn plan_inheritance(domain: &DomainName, som: &Som, blocked: bool) -> Result<Plan> {
    som.refuse_unread()?;
    let place = som.dn.canonical_name();
    if som.kind == crate::directory::links::SomKind::Site {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("{place} is a site, and a site inherits no links"),
        )
        .with_hint("block inheritance of a domain or an OU"));
    }
    let word = |blocked| if blocked { "blocked" } else { "not blocked" };
    let mut list = Plan::new(
        format!(
            "{} inheritance at {place}",
            if blocked { "block" } else { "allow" }
        ),
        domain,
    );
    if som.blocks_inheritance() != blocked {
        let old = som.gp_options;
        let new = old.unwrap_or(0) & !1 | u32::from(blocked);
        let text = |options: u32| options.cast_signed().to_string();
        list.push(
            swap(
                som,
                SwapAttribute::GpOptions,
                old.map(text),
                Some(text(new)),
            ),
            vec![format!(
                "~ inheritance: {} -> {}",
                word(!blocked),
                word(blocked)
            )],
        );
    }
    Ok(list)
}

fn swap(
    som: &Som,
    attribute: SwapAttribute,
    old: Option<String>,
    new: Option<String>,
) -> ValueChange {
    ValueChange::Attributes {
        dn: ObjectDn(som.dn.clone()),
        attributes: vec![AttributeSwap {
            attribute,
            old,
            new,
        }],
    }
}

fn within(order: Option<usize>, count: usize, place: &str) -> Result<Option<usize>> {
    match order {
        Some(order) if order == 0 || order > count => Err(Error::new(
            ErrorKind::Usage,
            format!("link order {order} is not possible in {place}"),
        )
        .with_hint(format!(
            "use 1, the highest precedence, to {count}, the lowest"
        ))),
        other => Ok(other),
    }
}

fn line(name: &str, order: usize, link: &GpLink) -> String {
    format!("{order}. \"{name}\"{}", state(link))
}

/// The state of a link, in words.
fn state(link: &GpLink) -> String {
    let mut words = String::new();
    if link.is_enforced() {
        words.push_str(", enforced");
    }
    if link.is_disabled() {
        words.push_str(", disabled");
    }
    words
}

/// The DN as GPMC writes it in links: lower case except for the GUID and the domain.
pub(super) fn gpmc_dn(guid: Guid, dn: &Dn) -> String {
    let domain: Vec<String> = dn
        .rdns()
        .iter()
        .filter(|rdn| rdn.attribute.eq_ignore_ascii_case("DC"))
        .map(|rdn| format!("DC={}", crate::model::dn::escape_value(&rdn.value)))
        .collect();
    format!("cn={guid},cn=policies,cn=system,{}", domain.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::links::SomKind;

    const PATH: &str = "cn=policies,cn=system,DC=src,DC=test";
    const A: &str = "{31B2F340-016D-11D2-945F-00C04FB984F9}";
    const B: &str = "{6AC1786C-016F-11D2-945F-00C04FB984F9}";

    fn som(gp_link: Option<&str>, gp_options: Option<u32>) -> Som {
        Som {
            dn: Dn::parse("OU=Staff,DC=src,DC=test").unwrap(),
            kind: SomKind::OrganizationalUnit,
            gp_link: gp_link.map(str::to_owned),
            gp_options,
            unreadable: Vec::new(),
        }
    }

    fn new_link(gp_link: Option<&str>, gpo: &str, edit: LinkEdit) -> Result<Option<String>> {
        let base = Dn::parse("DC=src,DC=test").unwrap();
        let gpo = GpoObject::bare(gpo.parse().unwrap(), &base);
        let list = plan(
            &"src.test".parse().unwrap(),
            &som(gp_link, None),
            &gpo,
            edit,
        )?;
        Ok(list
            .values()
            .next()
            .and_then(|planned| match &planned.change {
                ValueChange::Attributes { attributes, .. } => {
                    assert_eq!(attributes[0].old.as_deref(), gp_link);
                    attributes[0].new.clone()
                }
                other => panic!("{other:?}"),
            }))
    }

    const ADD: LinkEdit = LinkEdit::Add {
        order: None,
        enforced: false,
        disabled: false,
    };

    #[test]
    fn a_new_link_has_the_lowest_precedence_and_gpmcs_spelling() {
        let a = format!("[LDAP://CN={A},CN=Policies,CN=System,DC=src,DC=test;0]");
        let b = format!("[LDAP://cn={B},{PATH};0]");
        assert_eq!(new_link(None, B, ADD).unwrap(), Some(b.clone()));
        assert_eq!(new_link(Some(" "), B, ADD).unwrap(), Some(b.clone()));
        assert_eq!(new_link(Some(&a), B, ADD).unwrap(), Some(format!("{b}{a}")));
        let first = LinkEdit::Add {
            order: Some(1),
            enforced: true,
            disabled: true,
        };
        assert_eq!(
            new_link(Some(&a), B, first).unwrap(),
            Some(format!("{a}[LDAP://cn={B},{PATH};3]"))
        );
        let kind = |edit| new_link(Some(&a), B, edit).unwrap_err().kind();
        for order in [0, 3] {
            let edit = LinkEdit::Add {
                order: Some(order),
                enforced: false,
                disabled: false,
            };
            assert_eq!(kind(edit), ErrorKind::Usage);
        }
        assert_eq!(kind(LinkEdit::Remove), ErrorKind::NotFound);
        assert_eq!(
            new_link(Some(&a), A, ADD).unwrap_err().kind(),
            ErrorKind::Conflict
        );
    }

    #[test]
    fn a_link_is_moved_and_switched_without_touching_the_others() {
        let value = format!("[LDAP://cn={A},{PATH};5][x][LDAP://CN={B},{PATH};0]");
        let set = |order, enforced, disabled| {
            let edit = LinkEdit::Set {
                order,
                enforced,
                disabled,
            };
            new_link(Some(&value), A, edit)
        };
        assert_eq!(
            set(Some(1), Some(true), Some(false)).unwrap(),
            Some(format!(
                "[x][LDAP://CN={B},{PATH};0][LDAP://cn={A},{PATH};6]"
            ))
        );
        assert_eq!(set(Some(2), None, None).unwrap(), None);
        assert_eq!(
            set(Some(3), None, None).unwrap_err().kind(),
            ErrorKind::Usage
        );
        let twice = format!("{value}[LDAP://cn={A},{PATH};0]");
        let edit = LinkEdit::Set {
            order: None,
            enforced: Some(true),
            disabled: None,
        };
        assert_eq!(
            new_link(Some(&twice), A, edit).unwrap_err().kind(),
            ErrorKind::Conflict
        );
        assert_eq!(
            new_link(Some(&twice), A, LinkEdit::Remove).unwrap(),
            Some(format!("[x][LDAP://CN={B},{PATH};0]"))
        );
        let only = format!("[LDAP://cn={A},{PATH};0]");
        assert_eq!(new_link(Some(&only), A, LinkEdit::Remove).unwrap(), None);
    }

    #[test]
    fn inheritance_is_one_bit_of_several() {
        let plan = |options, blocked| {
            let list = plan_inheritance(&"src.test".parse().unwrap(), &som(None, options), blocked)
                .unwrap();
            list.values()
                .next()
                .and_then(|planned| match &planned.change {
                    ValueChange::Attributes { attributes, .. } => attributes[0].new.clone(),
                    other => panic!("{other:?}"),
                })
        };
        assert_eq!(plan(None, true).as_deref(), Some("1"));
        assert_eq!(plan(Some(4), true).as_deref(), Some("5"));
        assert_eq!(plan(Some(5), false).as_deref(), Some("4"));
        assert_eq!(plan(Some(1), true), None);
        assert_eq!(plan(None, false), None);
    }
}

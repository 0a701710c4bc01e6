//! The findings about a link: whether it refers to a GPO of the domain.

use crate::directory::links::Som;
use crate::directory::unreadable::{Existence, READ_WITH_MORE_RIGHTS};
use crate::message::{Code, StatusMessage, printable, shell_word};
use crate::model::dn::Dn;
use crate::model::gp_link::GpLink;
use crate::model::guid::Guid;
use crate::model::reference::Place;

/// The finding about a link that does not refer to a GPO of the domain but to a server, a domain outside the forest, a GPO that
/// does not exist, or no GPO at all [MS-GPOL 2.2.2]. `base` is the DN of the domain, `forest` are those of the domains of its
/// forest; `existence` reports whether a GPO of the domain exists.
pub fn link_finding(
    base: &Dn,
    forest: &[Dn],
    som: &Som,
    link: &GpLink,
    existence: impl Fn(Guid) -> Existence,
) -> Option<StatusMessage> {
    let place = som.dn.canonical_name();
    let shown = printable(&link.dn);
    let (server, path) = link.server_and_dn();
    let message = if let Some(server) = server {
        StatusMessage::error(
            Code::LinkToServer,
            format!(
                "{place} is linked to \"{shown}\", which names the server \"{}\"; a client that follows it takes its policy from there",
                printable(server)
            ),
        )
        .with_hint("find out who wrote the link, and remove it in GPMC or with an LDAP editor")
    } else {
        let Ok(dn) = Dn::parse(path) else {
            return Some(no_gpo(som, &place, &shown));
        };
        if let Some(guid) = dn.gpo_guid(base) {
            return match existence(guid) {
                Existence::Readable => None,
                Existence::Absent => Some(dangling_link(som, guid)),
                Existence::Unreadable => Some(link_to_unread(
                    som,
                    StatusMessage::info(
                        Code::UnreadableGpo,
                        format!(
                            "{place} is linked to {guid}, which exists and which this account may not read"
                        ),
                    ),
                )),
                Existence::Unknown => Some(link_to_unread(
                    som,
                    StatusMessage::warning(
                        Code::UnlistedGpos,
                        format!(
                            "{place} is linked to {guid}; whether it exists is not known, because this account may not list all GPOs"
                        ),
                    ),
                )),
            };
        }
        let domain = dn.dns_domain();
        let same = |known: &Dn| known.dns_domain().eq_ignore_ascii_case(&domain);
        let Some(other) = std::iter::once(base)
            .chain(forest)
            .find(|known| same(known))
        else {
            return Some(
                StatusMessage::error(
                    Code::LinkToForeignDomain,
                    format!(
                        "{place} is linked to \"{shown}\" of {}, which is not a domain of this forest; a client that follows it takes its policy from there",
                        printable(&domain)
                    ),
                )
                .with_hint("find out who wrote the link, and remove it in GPMC or with an LDAP editor")
                .at(Place::file(som.dn.to_string()).key("gPLink")),
            );
        };
        if dn.gpo_guid(other).is_none() {
            return Some(no_gpo(som, &place, &shown));
        }
        StatusMessage::info(
            Code::LinkToOtherDomain,
            format!("{place} is linked to \"{shown}\" of another domain of the forest, which was not checked"),
        )
        .with_hint(format!(
            "run gpoctl check --all --domain {}",
            printable(&domain)
        ))
    };
    Some(message.at(Place::file(som.dn.to_string()).key("gPLink")))
}

/// The finding about a link to a GPO of the domain that does not exist.
fn dangling_link(som: &Som, guid: Guid) -> StatusMessage {
    let place = som.dn.canonical_name();
    StatusMessage::warning(
        Code::DanglingLink,
        format!("{place} is linked to {guid}, which does not exist"),
    )
    .at(Place::file(som.dn.to_string()).key("gPLink"))
    .with_hint(format!(
        "clients pass it over; restore the GPO, or remove the link: gpoctl link remove '{guid}' --target {}",
        shell_word(&place)
    ))
}

/// The finding about a link to a GPO that this account may not read: nothing is wrong with the link as far as it can tell.
fn link_to_unread(som: &Som, message: StatusMessage) -> StatusMessage {
    message
        .at(Place::file(som.dn.to_string()).key("gPLink"))
        .with_hint(READ_WITH_MORE_RIGHTS)
}

/// The finding about a link to something that is not the container of a GPO.
fn no_gpo(som: &Som, place: &str, shown: &str) -> StatusMessage {
    StatusMessage::warning(
        Code::LinkToNoGpo,
        format!("{place} is linked to \"{shown}\", which is not the DN of a GPO"),
    )
    .at(Place::file(som.dn.to_string()).key("gPLink"))
    .with_hint("find out who wrote the link, and remove it in GPMC or with an LDAP editor")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::links::SomKind;
    use crate::message::{Code, Severity};
    use crate::model::gp_link::LinkList;

    #[test]
    fn a_link_leads_to_a_gpo_of_the_domain() {
        let dn = |text: &str| Dn::parse(text).unwrap();
        let (base, child) = (dn("DC=src,DC=test"), dn("DC=child,DC=src,DC=test"));
        let guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}";
        let nowhere = "{11111111-2222-3333-4444-555555555555}";
        let policies = "cn=policies,cn=system";
        let found = |target: &str| {
            let value = format!("[LDAP://{target};0]");
            let som = Som {
                dn: dn("OU=Staff,DC=src,DC=test"),
                kind: SomKind::OrganizationalUnit,
                gp_link: Some(value.clone()),
                gp_options: None,
                unreadable: Vec::new(),
            };
            let links = LinkList::parse(&value);
            assert_eq!(links.len(), 1, "{value}");
            let forest = [base.clone(), child.clone()];
            let link = links.get(1).unwrap();
            let message = link_finding(&base, &forest, &som, link, |known| {
                match known.to_string() == guid {
                    true => Existence::Readable,
                    false => Existence::Absent,
                }
            })?;
            assert!(message.hint.is_some());
            assert_eq!(message.place.unwrap().file, "OU=Staff,DC=src,DC=test");
            if message.code == Code::DanglingLink {
                assert!(message.text.contains(nowhere), "{}", message.text);
            } else {
                assert!(message.text.contains(target), "{}", message.text);
            }
            Some((message.severity, message.code))
        };
        let own = format!("cn={guid},{policies},DC=src,DC=test");
        for target in [own.clone(), own.to_uppercase()] {
            assert_eq!(found(&target), None, "{target}");
        }
        for (target, severity, code) in [
            (
                format!("cn={nowhere},{policies},DC=src,DC=test"),
                Severity::Warning,
                Code::DanglingLink,
            ),
            (
                format!("evil.example/{own}"),
                Severity::Error,
                Code::LinkToServer,
            ),
            (
                format!("10.0.0.66:1389/{own}"),
                Severity::Error,
                Code::LinkToServer,
            ),
            (format!("/{own}"), Severity::Error, Code::LinkToServer),
            (
                format!("cn={guid},{policies},DC=evil,DC=example"),
                Severity::Error,
                Code::LinkToForeignDomain,
            ),
            (
                format!("cn={guid},{policies},DC=x,DC=src,DC=test"),
                Severity::Error,
                Code::LinkToForeignDomain,
            ),
            (
                "CN=a/b,O=nowhere".to_owned(),
                Severity::Error,
                Code::LinkToForeignDomain,
            ),
            (
                format!("cn={nowhere},{policies},DC=child,DC=src,DC=test"),
                Severity::Info,
                Code::LinkToOtherDomain,
            ),
            (
                "CN=Users,DC=src,DC=test".to_owned(),
                Severity::Warning,
                Code::LinkToNoGpo,
            ),
            (
                format!("cn={guid},CN=Users,DC=src,DC=test"),
                Severity::Warning,
                Code::LinkToNoGpo,
            ),
            ("no DN".to_owned(), Severity::Warning, Code::LinkToNoGpo),
        ] {
            assert_eq!(
                found(&target),
                Some((severity, code.to_owned())),
                "{target}"
            );
        }
    }

    #[test]
    fn no_link_is_to_be_removed_because_this_account_does_not_see_the_gpo() {
        let dn = |text: &str| Dn::parse(text).unwrap();
        let base = dn("DC=src,DC=test");
        let guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}";
        let value = format!("[LDAP://cn={guid},cn=policies,cn=system,DC=src,DC=test;0]");
        let som = Som {
            dn: base.clone(),
            kind: SomKind::Domain,
            gp_link: Some(value.clone()),
            gp_options: None,
            unreadable: Vec::new(),
        };
        let links = LinkList::parse(&value);
        for (existence, severity, code, removes) in [
            (
                Existence::Absent,
                Severity::Warning,
                Code::DanglingLink,
                true,
            ),
            (
                Existence::Unreadable,
                Severity::Info,
                Code::UnreadableGpo,
                false,
            ),
            (
                Existence::Unknown,
                Severity::Warning,
                Code::UnlistedGpos,
                false,
            ),
        ] {
            let link = links.get(1).unwrap();
            let message = link_finding(&base, &[], &som, link, |_| existence).unwrap();
            assert_eq!((message.severity, message.code), (severity, code));
            assert_eq!(message.hint.unwrap().contains("remove"), removes);
            assert_eq!(message.text.contains("does not exist"), removes);
        }
    }
}

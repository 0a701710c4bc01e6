//! Reads many GPOs from the directory in a few searches: one for the objects and everything below them, two for the links, one
//! for the WMI filters.

use std::collections::{BTreeMap, HashMap};

use super::children::{is_half, object, plain_object};
use super::gpo::{GpoObject, SD_PARTS};
use super::links::{ATTRIBUTES as SOM_ATTRIBUTES, Som};
use super::session::Directory;
use super::unreadable::{READ_WITH_MORE_RIGHTS, unread_below, unreadable_gpo};
use super::wmi::{unreadable_filter, unreadable_of};
use crate::domain::ldap::{Entry, Filter, Scope, Search};
use crate::error::{ErrorKind, Result};
use crate::message::{Code, StatusMessage};
use crate::model::access::AccessToken;
use crate::model::backup_context::LinkRecord;
use crate::model::directory_object::{AttributeValues, DirectoryObject};
use crate::model::dn::Dn;
use crate::model::guid::Guid;
use crate::model::reference::Place;
use crate::model::snapshot::WmiFilterLink;

/// The result of a bulk read for one GPO.
#[derive(Debug)]
pub struct BulkEntry {
    /// The GPO's GUID.
    pub guid: Guid,
    /// `displayName`; the GUID when there is none, or none that this account may read.
    pub display_name: String,
    /// The directory half, or the problem of the object.
    pub record: Result<GpoRecord>,
}

/// The directory half of a GPO with its context.
#[derive(Debug, Clone)]
pub struct GpoRecord {
    /// The GPO. `may_write` is `None`: it was not queried.
    pub object: GpoObject,
    /// The objects below it other than `CN=Machine` and `CN=User` themselves, parents first.
    pub children: Vec<DirectoryObject>,
    /// Where it is linked.
    pub links: Vec<LinkRecord>,
    /// Its link to a WMI filter, with the filter's name when it could be read.
    pub wmi_link: Option<WmiFilterLink>,
    /// The complete filter.
    pub wmi_filter: Option<DirectoryObject>,
    /// The findings.
    pub messages: Vec<StatusMessage>,
}

/// The most GPOs that are searched one by one; for more, everything below `CN=Policies` is searched.
const ONE_BY_ONE: usize = 16;

impl Directory {
    /// Reads these GPOs, or every GPO of the domain, sorted by display name. A malformed object does not affect the others. A
    /// GPO that was deleted meanwhile is missing from the result.
    ///
    /// # Errors
    /// As every search.
    pub(crate) async fn read_in_bulk(&self, only: Option<&[Guid]>) -> Result<Vec<BulkEntry>> {
        let info = self.info();
        let mut gathered: BTreeMap<Guid, Gathered> = BTreeMap::new();
        match only {
            Some(guids) if guids.len() <= ONE_BY_ONE => {
                for guid in guids {
                    match self.everything_below(&info.base.gpo(*guid)).await {
                        Ok(entries) => gather(entries, &info.base, &mut gathered),
                        Err(error) if error.kind() == ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            _ => {
                let entries = self.everything_below(&info.base.policies()).await?;
                gather(entries, &info.base, &mut gathered);
            }
        }
        if let Some(guids) = only {
            gathered.retain(|guid, _| guids.contains(guid));
        }
        let filters = self.filter_objects().await?;
        let linked = gathered.values().filter_map(|gathered| {
            let link = gathered.gpo.as_ref()?.text("gPCWQLFilter")?;
            Some(WmiFilterLink::parse(&link)?.id)
        });
        let is_missing = linked.into_iter().any(|id| !filters.contains_key(&id));
        let filters = Filters {
            objects: filters,
            is_complete: !is_missing || !self.hides_content_of(&self.wmi_container()).await?,
        };
        let mut links = self.all_links(only).await?;
        let mut found: Vec<BulkEntry> = gathered
            .into_iter()
            .filter_map(|(guid, gathered)| {
                let Gathered { gpo, below, halves } = gathered;
                let entry = gpo?;
                let links = links.remove(&guid).unwrap_or_default();
                let token = info.token.as_ref();
                Some(BulkEntry {
                    guid,
                    display_name: entry
                        .text("displayName")
                        .unwrap_or_else(|| guid.to_string()),
                    record: match entry.values("objectClass") {
                        [] => Err(unreadable_gpo(guid, &info.dns_domain)),
                        _ => record(guid, &entry, (&below, &halves), links, &filters, token),
                    },
                })
            })
            .collect();
        found.sort_by_cached_key(|gpo| (gpo.display_name.to_lowercase(), gpo.guid));
        Ok(found)
    }

    async fn everything_below(&self, base: &Dn) -> Result<Vec<Entry>> {
        self.descendants(base, &["*", "nTSecurityDescriptor"], Some(SD_PARTS))
            .await
    }

    /// Every WMI filter of the domain as an object, by its `cn`; without the object when this account may not read it.
    async fn filter_objects(&self) -> Result<HashMap<Guid, Option<DirectoryObject>>> {
        let container = self.wmi_container();
        let found = self
            .search(Search {
                base: Some(&container),
                scope: Scope::OneLevel,
                // Also one whose class cannot be read.
                filter: Filter::everything(),
                attributes: &["*"],
                sd_flags: None,
                paged: true,
                extended_dns: false,
            })
            .await;
        let entries = match found {
            Ok(entries) => entries,
            // A domain that never had a filter may lack the container.
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(entries
            .iter()
            .filter_map(|entry| {
                let relative = entry.dn.below(&container)?;
                let id = relative.first()?.value.parse().ok()?;
                let is_readable = unreadable_of(entry).is_empty();
                Some((id, is_readable.then(|| plain_object(entry, relative))))
            })
            .collect())
    }

    /// The links of every domain, OU and site that has any, by GPO.
    async fn all_links(&self, only: Option<&[Guid]>) -> Result<HashMap<Guid, Links>> {
        let info = self.info();
        let class = |name: &str| Filter::equals("objectClass", name);
        let linked = match only {
            Some(guids) if guids.len() <= ONE_BY_ONE => Filter::any(
                guids
                    .iter()
                    .map(|guid| Filter::contains("gPLink", &guid.to_string())),
            ),
            _ => Filter::contains("gPLink", "LDAP://"),
        };
        let soms = Filter::any([class("domainDNS"), class("organizationalUnit")]);
        let sites = info.configuration.cn("Sites");
        let mut links = HashMap::new();
        for (base, scope, kind) in [
            (&info.base, Scope::Subtree, soms),
            (&sites, Scope::OneLevel, class("site")),
        ] {
            let entries = self
                .search(Search {
                    base: Some(base),
                    scope,
                    filter: Filter::all([kind, linked.clone()]),
                    attributes: SOM_ATTRIBUTES,
                    sd_flags: None,
                    paged: true,
                    extended_dns: false,
                })
                .await?;
            for entry in &entries {
                collect_links(&Som::read(entry)?, &info.base, &mut links);
            }
        }
        Ok(links)
    }
}

/// The WMI filters of the domain.
struct Filters {
    /// Each as an object, if it can be read.
    objects: HashMap<Guid, Option<DirectoryObject>>,
    /// Whether there are no others.
    is_complete: bool,
}

/// The entries of one GPO.
#[derive(Default)]
struct Gathered {
    gpo: Option<Entry>,
    below: Vec<Entry>,
    /// `CN=Machine` and `CN=User`.
    halves: Vec<Entry>,
}

/// The links of one GPO and the findings about them.
#[derive(Debug, Default)]
struct Links {
    records: Vec<LinkRecord>,
    messages: Vec<StatusMessage>,
}

/// Groups the results of a search below `CN=Policies` by GPO.
fn gather(entries: Vec<Entry>, base: &Dn, gathered: &mut BTreeMap<Guid, Gathered>) {
    let policies = base.policies();
    for entry in entries {
        let Some(relative) = entry.dn.below(&policies) else {
            continue;
        };
        let Some(gpo) = relative.last() else {
            continue;
        };
        let guid = policies
            .child(&gpo.attribute, &gpo.value)
            .ok()
            .and_then(|dn| dn.gpo_guid(base));
        let (Some(guid), depth) = (guid, relative.len()) else {
            tracing::warn!(dn = %entry.dn, "a policy container is not named by a GUID");
            continue;
        };
        let is_half = relative
            .split_last()
            .is_some_and(|(_, below)| is_half(below));
        let of_gpo = gathered.entry(guid).or_default();
        if depth == 1 {
            of_gpo.gpo = Some(entry);
        } else if is_half {
            of_gpo.halves.push(entry);
        } else {
            of_gpo.below.push(entry);
        }
    }
}

fn record(
    guid: Guid,
    entry: &Entry,
    (below, halves): (&[Entry], &[Entry]),
    links: Links,
    filters: &Filters,
    token: Option<&AccessToken>,
) -> Result<GpoRecord> {
    let object = GpoObject {
        may_write: None,
        ..GpoObject::read(guid, entry, token)?
    };
    let mut messages = links.messages;
    let mut children: Vec<DirectoryObject> = below
        .iter()
        .map(|child| read_child(child, &object.dn, &mut messages))
        .collect();
    children.sort_by_cached_key(|child| (child.rdns.len(), child.key()));
    let unread = unread_below(std::iter::once(entry).chain(halves), below, token);
    messages.extend(unread.map(|error| {
        StatusMessage::warning(Code::UnreadableObjects, error.to_string())
            .at(Place::file(object.dn.to_string()))
            .with_hint(READ_WITH_MORE_RIGHTS)
    }));
    let mut wmi_link = object.wmi_filter.as_deref().and_then(WmiFilterLink::parse);
    let mut wmi_filter = None;
    if let Some(link) = &wmi_link {
        match filters.objects.get(&link.id) {
            Some(Some(filter)) => wmi_filter = Some(filter.clone()),
            None if filters.is_complete => {}
            _ => messages.push(unreadable_filter(link)),
        }
    }
    if let Some(link) = &mut wmi_link {
        link.name = wmi_filter.as_ref().map(name_of);
    }
    Ok(GpoRecord {
        object,
        children,
        links: links.records,
        wmi_link,
        wmi_filter,
        messages,
    })
}

/// An object below a GPO. If a value does not match its syntax, the object is kept with plain texts and bytes.
fn read_child(entry: &Entry, gpo: &Dn, messages: &mut Vec<StatusMessage>) -> DirectoryObject {
    let relative = entry.dn.below(gpo).unwrap_or_default();
    object(entry, relative, gpo).unwrap_or_else(|error| {
        messages.push(StatusMessage::warning(
            Code::MalformedObject,
            format!("{error}; the object is kept unchanged"),
        ));
        plain_object(entry, relative)
    })
}

/// `msWMI-Name` of a filter; empty when it has none.
fn name_of(filter: &DirectoryObject) -> String {
    filter
        .attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case("msWMI-Name"))
        .and_then(|attribute| match &attribute.values {
            AttributeValues::String(name) => name.clone(),
            _ => None,
        })
        .unwrap_or_default()
}

/// Adds the links of one object, each to the GPO it names.
fn collect_links(som: &Som, base: &Dn, found: &mut HashMap<Guid, Links>) {
    let links = match som.links() {
        Ok(links) => links,
        Err(error) => {
            let message = StatusMessage::warning(Code::BrokenGplink, error.to_string())
                .with_hint("repair the links of this object");
            for guid in guids_in(som.gp_link.as_deref().unwrap_or_default()) {
                found
                    .entry(guid)
                    .or_default()
                    .messages
                    .push(message.clone());
            }
            return;
        }
    };
    let count = links.len();
    for (index, link) in links.iter().enumerate() {
        // A GPO of the same GUID in another domain is another GPO, so the whole DN counts.
        let Some(guid) = Dn::parse(&link.dn).ok().and_then(|dn| dn.gpo_guid(base)) else {
            continue;
        };
        let record = som.record(link, count - index);
        found.entry(guid).or_default().records.push(record);
    }
}

/// Every GUID in braces in a text.
fn guids_in(text: &str) -> impl Iterator<Item = Guid> {
    text.split('{')
        .filter_map(|rest| format!("{{{}}}", rest.split('}').next()?).parse().ok())
}

#[cfg(test)]
mod tests {
    use super::super::links::SomKind;
    use super::*;

    fn base() -> Dn {
        Dn::parse("DC=src,DC=test").unwrap()
    }

    fn som(gp_link: &str) -> Som {
        Som {
            dn: base().cn("x"),
            kind: SomKind::OrganizationalUnit,
            gp_link: Some(gp_link.to_owned()),
            gp_options: Some(1),
            unreadable: Vec::new(),
        }
    }

    #[test]
    fn links_go_to_the_gpo_they_name() {
        let one = "{31B2F340-016D-11D2-945F-00C04FB984F9}";
        let two = "{6AC1786C-016F-11D2-945F-00C04FB984F9}";
        let mut found = HashMap::new();
        collect_links(
            &som(&format!(
                "[LDAP://cn={one},cn=policies,cn=system,DC=SRC,DC=test;2][LDAP://CN={two},CN=Policies,CN=System,DC=src,DC=test;1][LDAP://CN={two},CN=Policies,CN=System,DC=other;0]"
            )),
            &base(),
            &mut found,
        );
        let of = |found: &HashMap<Guid, Links>, guid: &str| {
            found[&guid.parse::<Guid>().unwrap()].records.clone()
        };
        assert_eq!(of(&found, one).len(), 1);
        assert_eq!(of(&found, one)[0].order, 3);
        assert!(of(&found, one)[0].enforced && of(&found, one)[0].blocks_inheritance);
        assert_eq!(of(&found, two).len(), 1);
        assert!(of(&found, two)[0].disabled);
        collect_links(&som(&format!("[LDAP://{one}")), &base(), &mut found);
        assert_eq!(found[&one.parse::<Guid>().unwrap()].messages.len(), 1);
    }

    #[test]
    fn what_lies_below_a_gpo_is_its_own() {
        let guid: Guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}".parse().unwrap();
        let gpo = base().gpo(guid);
        let entry = |dn: Dn| Entry {
            dn,
            attributes: Vec::new(),
        };
        let mut gathered = BTreeMap::new();
        gather(
            vec![
                entry(base().policies()),
                entry(gpo.cn("Machine").cn("Class Store")),
                entry(gpo.cn("User")),
                entry(gpo.clone()),
                entry(base().policies().cn("AppCategories")),
            ],
            &base(),
            &mut gathered,
        );
        assert_eq!(gathered.len(), 1);
        assert!(gathered[&guid].gpo.is_some());
        assert_eq!(gathered[&guid].below.len(), 1);
    }
}

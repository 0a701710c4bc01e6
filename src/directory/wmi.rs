//! WMI filters: `msWMI-Som` objects [MS-WMIO], [MS-GPOL 2.2.5].

use super::session::Directory;
use super::unreadable::READ_WITH_MORE_RIGHTS;
use crate::domain::ldap::{Entry, Filter, Scope, Search};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::model::dn::Dn;
use crate::model::guid::Guid;
use crate::model::snapshot::WmiFilterLink;

/// A WMI filter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WmiFilter {
    /// `msWMI-ID`, which is the object's `cn`.
    pub id: Guid,
    /// `msWMI-Name`.
    pub name: String,
    /// Its DN.
    pub dn: Dn,
    /// `msWMI-Parm1`: the description; empty when absent.
    pub description: String,
    /// `msWMI-Author`; empty when absent.
    pub author: String,
    /// `msWMI-CreationDate`, as WMI writes times: `20240105101500.000000-000`; empty when absent.
    pub created: String,
    /// `msWMI-ChangeDate`, likewise.
    pub changed: String,
    /// `msWMI-Parm2`: the queries, unparsed: `1;3;10;<length>;WQL;<namespace>;<query>;`.
    pub queries: String,
    /// The attributes of every filter that this account may not read of this one.
    pub unreadable: Vec<&'static str>,
}

/// A filter that was looked up by its ID, as far as this account can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WmiFilterLookup {
    /// It exists.
    Found(Box<WmiFilter>),
    /// It exists and cannot be read, or the account may not see whether it exists.
    Unreadable,
    /// It does not exist.
    Absent,
}

impl WmiFilterLookup {
    /// Its name, when it exists and can be read.
    pub fn name(self) -> Option<String> {
        match self {
            Self::Found(filter) => Some(filter.name),
            Self::Unreadable | Self::Absent => None,
        }
    }
}

/// The WMI filters of a domain, as far as this account sees them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WmiFilterList {
    /// Those that can be read, at least in part.
    pub filters: Vec<WmiFilter>,
    /// Those that exist and cannot be read.
    pub unreadable: Vec<Guid>,
    /// Whether there are no others.
    pub is_complete: bool,
}

impl WmiFilterList {
    /// Warnings about what is missing in the list.
    pub fn warnings(&self) -> Vec<StatusMessage> {
        let in_part = self.filters.iter().filter(|it| !it.unreadable.is_empty());
        let unreadable = in_part
            .map(|filter| filter.id)
            .chain(self.unreadable.iter().copied());
        let incomplete = (!self.is_complete).then(|| {
            "this account may not list all WMI filters, so there may be others".to_owned()
        });
        unreadable
            .map(|id| format!("the WMI filter {id} exists, and this account may not read it"))
            .chain(incomplete)
            .map(|text| {
                StatusMessage::warning(Code::UnreadableWmiFilter, text)
                    .with_hint(READ_WITH_MORE_RIGHTS)
            })
            .collect()
    }
}

/// The finding about the filter of a GPO that this account may not read.
pub(crate) fn unreadable_filter(link: &WmiFilterLink) -> StatusMessage {
    StatusMessage::warning(
        Code::UnreadableWmiFilter,
        format!(
            "this account may not read the WMI filter {} of {}, so whether it exists is not known",
            link.id,
            printable(&link.domain)
        ),
    )
    .with_hint(READ_WITH_MORE_RIGHTS)
}

/// The attributes of a [`WmiFilter`].
const ATTRIBUTES: &[&str] = &[
    "objectClass",
    "msWMI-Name",
    "msWMI-Parm1",
    "msWMI-Parm2",
    "msWMI-Author",
    "msWMI-CreationDate",
    "msWMI-ChangeDate",
];

/// Those of them that every filter has [MS-ADSC 2.189].
const MANDATORY: [&str; 2] = ["msWMI-Name", "msWMI-Parm2"];

/// Those of the mandatory attributes that an entry of a filter lacks: this account may not read them.
pub(super) fn unreadable_of(entry: &Entry) -> Vec<&'static str> {
    let missing = MANDATORY
        .iter()
        .filter(|name| entry.values(name).is_empty());
    missing.copied().collect()
}

impl WmiFilter {
    /// Reads a filter; `None` when its name is not a GUID.
    fn read(entry: &Entry) -> Option<Self> {
        let id = entry.dn.rdns().first()?.value.parse().ok()?;
        let text = |name: &str| entry.text(name).unwrap_or_default();
        Some(Self {
            id,
            name: text("msWMI-Name"),
            dn: entry.dn.clone(),
            author: text("msWMI-Author"),
            created: text("msWMI-CreationDate"),
            changed: text("msWMI-ChangeDate"),
            description: text("msWMI-Parm1"),
            queries: text("msWMI-Parm2"),
            unreadable: unreadable_of(entry),
        })
    }

    /// Refuses a filter that this account may not read completely.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] when it may not.
    pub(crate) fn refuse_unread(&self) -> Result<()> {
        match self.unreadable.as_slice() {
            [] => Ok(()),
            _ => Err(unread_filter(self.id)),
        }
    }
}

impl Directory {
    /// The WMI filter with this `msWMI-ID`.
    ///
    /// # Errors
    /// As every search.
    pub async fn wmi_filter(&self, id: Guid) -> Result<WmiFilterLookup> {
        let dn = self.wmi_container().cn(&id.to_string());
        let entry = self.read(&dn, ATTRIBUTES, None).await?;
        Ok(match entry.as_ref().and_then(WmiFilter::read) {
            Some(filter) if filter.unreadable.is_empty() => {
                WmiFilterLookup::Found(Box::new(filter))
            }
            Some(_) => WmiFilterLookup::Unreadable,
            None if self.hides(&dn).await? => WmiFilterLookup::Unreadable,
            None => WmiFilterLookup::Absent,
        })
    }

    /// Every WMI filter of the domain that this account sees, by name.
    ///
    /// # Errors
    /// As every search.
    pub async fn wmi_filters(&self) -> Result<Vec<WmiFilter>> {
        Ok(self.seen_wmi_filters().await?.0)
    }

    /// As [`wmi_filters`](Self::wmi_filters), with what this account does not see of them.
    ///
    /// # Errors
    /// As every search.
    pub async fn wmi_filter_list(&self) -> Result<WmiFilterList> {
        let (filters, unreadable) = self.seen_wmi_filters().await?;
        Ok(WmiFilterList {
            filters,
            unreadable,
            is_complete: !self.hides_content_of(&self.wmi_container()).await?,
        })
    }

    /// The filters whose objects can be read, and those whose objects cannot. As with GPOs, every object is asked for.
    async fn seen_wmi_filters(&self) -> Result<(Vec<WmiFilter>, Vec<Guid>)> {
        let container = self.wmi_container();
        let found = self
            .search(Search {
                base: Some(&container),
                scope: Scope::OneLevel,
                filter: Filter::everything(),
                attributes: ATTRIBUTES,
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
        let mut filters = Vec::new();
        let mut unreadable = Vec::new();
        for entry in &entries {
            let classes = entry.texts("objectClass");
            match WmiFilter::read(entry) {
                Some(filter) if classes.is_empty() => unreadable.push(filter.id),
                Some(filter)
                    if classes
                        .iter()
                        .any(|it| it.eq_ignore_ascii_case("msWMI-Som")) =>
                {
                    filters.push(filter);
                }
                _ => {}
            }
        }
        filters.sort_by_cached_key(|filter| (filter.name.to_lowercase(), filter.id));
        Ok((filters, unreadable))
    }

    /// The filter that `text` names: by its ID, or by its name, ignoring case. An ID is never treated as a name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] with the names of all filters; [`ErrorKind::Conflict`] when several have the name;
    /// [`ErrorKind::Denied`] when this account may not read it.
    pub async fn find_wmi_filter(&self, text: &str) -> Result<WmiFilter> {
        let (filters, unreadable) = self.seen_wmi_filters().await?;
        let id: Option<Guid> = text.parse().ok();
        let folded = text.to_lowercase();
        let found: Vec<&WmiFilter> = filters
            .iter()
            .filter(|filter| match id {
                Some(id) => filter.id == id,
                None => filter.name.to_lowercase() == folded,
            })
            .collect();
        match found.as_slice() {
            [one] => one.refuse_unread().map(|()| (*one).clone()),
            [] if id.is_some_and(|id| unreadable.contains(&id)) => {
                Err(unread_filter(id.unwrap_or(Guid::NIL)))
            }
            [] => {
                let names: Vec<String> = filters
                    .iter()
                    .take(10)
                    .map(|filter| format!("\"{}\"", printable(&filter.name)))
                    .collect();
                let hint = if names.is_empty() && unreadable.is_empty() {
                    "the domain has no WMI filters".to_owned()
                } else {
                    format!("WMI filters: {}", names.join(", "))
                };
                let hint = match unreadable.len() {
                    0 => hint,
                    number => format!("{hint}; this account may not read {number} more"),
                };
                Err(Error::new(
                    ErrorKind::NotFound,
                    format!(
                        "there is no WMI filter \"{}\" in {}",
                        printable(text),
                        self.info().dns_domain
                    ),
                )
                .with_hint(hint))
            }
            several => Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "\"{}\" matches {} WMI filters",
                    printable(text),
                    several.len()
                ),
            )
            .with_candidates(
                several
                    .iter()
                    .map(|filter| format!("{} {}", filter.id, printable(&filter.name))),
            )
            .with_hint("use the ID")),
        }
    }

    /// `CN=SOM,CN=WMIPolicy,CN=System` of the domain.
    pub fn wmi_container(&self) -> Dn {
        wmi_container(&self.info().base)
    }
}

fn unread_filter(id: Guid) -> Error {
    Error::new(
        ErrorKind::Denied,
        format!("the WMI filter {id} exists, and this account may not read it"),
    )
    .with_hint(READ_WITH_MORE_RIGHTS)
}

/// The container of the WMI filters of the domain with this DN.
pub fn wmi_container(domain: &Dn) -> Dn {
    domain.cn("System").cn("WMIPolicy").cn("SOM")
}

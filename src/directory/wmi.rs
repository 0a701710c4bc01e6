//! WMI filters: `msWMI-Som` objects [MS-WMIO], [MS-GPOL 2.2.5].

use super::session::Directory;
use crate::domain::ldap::{Entry, Filter, Scope, Search};
use crate::error::{Error, ErrorKind, Result};
use crate::message::printable;
use crate::model::dn::Dn;
use crate::model::guid::Guid;

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
}

/// The attributes of a [`WmiFilter`].
const ATTRIBUTES: &[&str] = &[
    "msWMI-Name",
    "msWMI-Parm1",
    "msWMI-Parm2",
    "msWMI-Author",
    "msWMI-CreationDate",
    "msWMI-ChangeDate",
];

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
        })
    }
}

impl Directory {
    /// The WMI filter with this `msWMI-ID`; `None` when the domain has none or the account may not read it.
    ///
    /// # Errors
    /// As every search.
    pub async fn wmi_filter(&self, id: Guid) -> Result<Option<WmiFilter>> {
        let dn = self.wmi_container().cn(&id.to_string());
        let entry = self.read(&dn, ATTRIBUTES, None).await?;
        Ok(entry.as_ref().and_then(WmiFilter::read))
    }

    /// Every WMI filter of the domain, by name.
    ///
    /// # Errors
    /// As every search.
    pub async fn wmi_filters(&self) -> Result<Vec<WmiFilter>> {
        let container = self.wmi_container();
        let found = self
            .search(Search {
                base: Some(&container),
                scope: Scope::OneLevel,
                filter: Filter::equals("objectClass", "msWMI-Som"),
                attributes: ATTRIBUTES,
                sd_flags: None,
                paged: true,
                extended_dns: false,
            })
            .await;
        let mut filters: Vec<WmiFilter> = match found {
            Ok(found) => found.iter().filter_map(WmiFilter::read).collect(),
            // A domain that never had a filter may lack the container.
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        filters.sort_by_cached_key(|filter| (filter.name.to_lowercase(), filter.id));
        Ok(filters)
    }

    /// The filter that `text` names: by its ID, or by its name, ignoring case. An ID is never treated as a name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] with the names of all filters; [`ErrorKind::Conflict`] when several have the name.
    pub async fn find_wmi_filter(&self, text: &str) -> Result<WmiFilter> {
        let filters = self.wmi_filters().await?;
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
            [one] => Ok((*one).clone()),
            [] => {
                let names: Vec<String> = filters
                    .iter()
                    .take(10)
                    .map(|filter| format!("\"{}\"", printable(&filter.name)))
                    .collect();
                let hint = if names.is_empty() {
                    "the domain has no WMI filters".to_owned()
                } else {
                    format!("WMI filters: {}", names.join(", "))
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

/// The container of the WMI filters of the domain with this DN.
pub fn wmi_container(domain: &Dn) -> Dn {
    domain.cn("System").cn("WMIPolicy").cn("SOM")
}

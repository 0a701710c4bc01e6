//! WMI filters: `msWMI-Som` objects [MS-WMIO], [MS-GPOL 2.2.5].

use ldap3::Scope;

use super::dn::{Dn, Filter};
use super::entry::Entry;
use super::session::{Directory, Search};
use crate::error::Result;
use crate::model::guid::Guid;

/// A WMI filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WmiFilter {
    /// `msWMI-ID`, which is the object's `cn`.
    pub id: Guid,
    /// `msWMI-Name`.
    pub name: String,
    /// `msWMI-Parm1`: the description; empty when absent.
    pub description: String,
    /// `msWMI-Parm2`: the queries, as they stand: `1;3;10;<length>;WQL;<namespace>;<query>;`.
    pub queries: String,
}

/// The attributes of a [`WmiFilter`].
const ATTRIBUTES: &[&str] = &["msWMI-Name", "msWMI-Parm1", "msWMI-Parm2"];

impl WmiFilter {
    /// Reads a filter; `None` when its name is no GUID.
    fn read(entry: &Entry) -> Option<Self> {
        let id = entry.dn.rdns().first()?.value.parse().ok()?;
        let text = |name: &str| entry.text(name).unwrap_or_default();
        Some(Self {
            id,
            name: text("msWMI-Name"),
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
            })
            .await;
        let mut filters: Vec<WmiFilter> = match found {
            Ok(found) => found.iter().filter_map(WmiFilter::read).collect(),
            // A domain that never had a filter may lack the container.
            Err(error) if error.kind() == crate::error::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        filters.sort_by_cached_key(|filter| (filter.name.to_lowercase(), filter.id));
        Ok(filters)
    }

    /// `CN=SOM,CN=WMIPolicy,CN=System` of the domain.
    pub(super) fn wmi_container(&self) -> Dn {
        self.info().base.cn("System").cn("WMIPolicy").cn("SOM")
    }
}

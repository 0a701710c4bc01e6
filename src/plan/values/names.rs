//! The names of the objects that a change mentions, for its description.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::message::printable;
use crate::model::dn::Dn;
use crate::model::guid::Guid;
use crate::model::snapshot::WmiFilterLink;
use crate::session::DomainSession;

/// The display names of the GPOs and WMI filters of a domain. Without any, objects are described by what identifies them.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObjectNames {
    /// The DN of the domain: a GUID names an object of this domain alone.
    base: Option<Dn>,
    domain: String,
    gpos: BTreeMap<Guid, String>,
    filters: BTreeMap<Guid, String>,
}

impl ObjectNames {
    /// Those of the domain of a session.
    ///
    /// # Errors
    /// As every search.
    pub(crate) async fn read(session: &DomainSession) -> Result<Self> {
        let gpos = session.directory().gpos().await?;
        let filters = session.directory().wmi_filters().await?;
        Ok(Self {
            base: Some(session.info().base.clone()),
            domain: session.info().dns_domain.to_string(),
            gpos: gpos
                .into_iter()
                .map(|gpo| (gpo.guid, gpo.display_name))
                .collect(),
            filters: filters
                .into_iter()
                .map(|filter| (filter.id, filter.name))
                .collect(),
        })
    }

    /// Whether there are none.
    pub(super) fn are_unknown(&self) -> bool {
        self.base.is_none()
    }

    /// The GPO with this GUID: `"Desks" {GUID}`, or the GUID alone.
    pub(super) fn gpo(&self, guid: Guid) -> String {
        named(&self.gpos, guid)
    }

    /// The GPO of the domain with this DN; `None` for another object, and for a GPO without a known name.
    pub(super) fn gpo_of(&self, dn: &Dn) -> Option<String> {
        let guid = dn.gpo_guid(self.base.as_ref()?)?;
        self.gpos.contains_key(&guid).then(|| self.gpo(guid))
    }

    /// An object: a GPO by its name, any other one as `src.test/Staff`.
    pub(super) fn place(&self, dn: &Dn) -> String {
        self.gpo_of(dn).unwrap_or_else(|| dn.canonical_name())
    }

    /// The WMI filter with this DN, by its name if that is known.
    pub(super) fn filter_of(&self, dn: &Dn) -> String {
        let rdn = dn.rdns().first();
        let id = rdn.and_then(|rdn| rdn.value.parse().ok());
        match id.filter(|id| self.filters.contains_key(id)) {
            Some(id) => named(&self.filters, id),
            None => dn.to_string(),
        }
    }

    /// The WMI filter that a GPO is linked to, by its name if it is one of this domain.
    pub(super) fn filter_in(&self, link: &WmiFilterLink) -> String {
        if link.domain.eq_ignore_ascii_case(&self.domain) {
            return named(&self.filters, link.id);
        }
        format!("{} of {}", link.id, printable(&link.domain))
    }
}

fn named(names: &BTreeMap<Guid, String>, id: Guid) -> String {
    match names.get(&id) {
        Some(name) => format!("\"{}\" {id}", printable(name)),
        None => id.to_string(),
    }
}

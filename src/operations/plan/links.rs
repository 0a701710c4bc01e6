//! The links that a plan of one GPO changes: those to this GPO, and no others.

use super::{Plan, Step};
use crate::model::dn::Dn;
use crate::model::gp_link::{GpLink, LinkList};

impl Plan {
    /// The domain, OU or site whose links the plan changes although they are not links to its GPO.
    pub(super) fn foreign_links(&self) -> Option<&str> {
        self.steps.iter().find_map(|step| match step {
            Step::SetLinks { som, from, to } => {
                let others = |value: &Option<String>| self.other_links(value.as_deref());
                (others(from) != others(to)).then_some(som.as_str())
            }
            _ => None,
        })
    }

    /// The links to other GPOs, and the text that is not a link, each in order.
    fn other_links(&self, value: Option<&str>) -> (Vec<GpLink>, Vec<String>) {
        let base = Dn::parse(&self.target.domain.to_dn()).ok();
        let is_own = |link: &GpLink| {
            let guid = Dn::parse(&link.dn)
                .ok()
                .zip(base.as_ref())
                .and_then(|(dn, base)| dn.gpo_guid(base));
            guid == Some(self.target.guid)
        };
        let list = LinkList::parse(value.unwrap_or_default());
        (
            list.links().filter(|link| !is_own(link)).cloned().collect(),
            list.others().map(str::to_owned).collect(),
        )
    }
}

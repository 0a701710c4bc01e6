//! The links that a plan of one GPO changes: those to this GPO only.

use super::{GpoPlan, Step};
use crate::error::Result;
use crate::message::StatusMessage;
use crate::model::dn::Dn;
use crate::model::gp_link::{GpLink, LinkList};
use crate::model::guid::Guid;
use crate::session::DomainSession;

/// Plans the removal of the links to a GPO from the domain, its OUs and the sites, one step for each. A `gPLink` that cannot be
/// read as a whole is reported.
pub(crate) async fn planned_links(
    session: &DomainSession,
    guid: Guid,
) -> Result<(Vec<Step>, Vec<StatusMessage>)> {
    let gpo = session.info().base.gpo(guid);
    let found = session.directory().links_of(guid).await?;
    let mut steps: Vec<Step> = Vec::new();
    for link in &found.links {
        let som = link.som.dn.to_string();
        let planned =
            |step: &Step| matches!(step, Step::SetLinks { som: known, .. } if *known == som);
        if steps.iter().any(planned) {
            continue;
        }
        let mut left = LinkList::parse(link.som.gp_link.as_deref().unwrap_or_default());
        // Start with the lowest precedence, so that the orders of the others stay valid.
        for order in left.orders(|link| link.is_to(&gpo)).into_iter().rev() {
            left.remove(order);
        }
        steps.push(Step::SetLinks {
            som,
            from: link.som.gp_link.clone(),
            to: left.to_value(),
        });
    }
    Ok((steps, found.messages))
}

impl GpoPlan {
    /// Whether the plan changes the links of this domain, OU or site.
    pub(crate) fn links_of(&self, som: &str) -> bool {
        let is_own = |step: &Step| matches!(step, Step::SetLinks { som: own, .. } if own.eq_ignore_ascii_case(som));
        self.steps.iter().any(is_own)
    }

    /// The domain, OU or site where the plan changes links to other GPOs.
    pub(crate) fn foreign_links(&self) -> Option<&str> {
        self.steps.iter().find_map(|step| match step {
            Step::SetLinks { som, from, to } => {
                let others = |value: &Option<String>| self.other_links(value.as_deref());
                (others(from) != others(to)).then_some(som.as_str())
            }
            _ => None,
        })
    }

    /// The domain, OU or site where the plan links the GPO in another way than it was linked before an operation. For the plan
    /// that undoes a deletion.
    pub(crate) fn links_beyond(&self, done: &Self) -> Option<&str> {
        let was = |at: &str| -> Vec<GpLink> {
            let values = done.steps.iter().filter_map(|step| match step {
                Step::SetLinks { som, from, .. } if som.eq_ignore_ascii_case(at) => from.as_deref(),
                _ => None,
            });
            values.flat_map(|value| done.own_links(value)).collect()
        };
        self.steps.iter().find_map(|step| match step {
            Step::SetLinks { som, to, .. } => {
                let was = was(som);
                let known = |link: &GpLink| was.iter().any(|was| was.options == link.options);
                let links = self.own_links(to.as_deref().unwrap_or_default());
                (!links.iter().all(known)).then_some(som.as_str())
            }
            _ => None,
        })
    }

    /// The links to the GPO of the plan.
    fn own_links(&self, value: &str) -> Vec<GpLink> {
        let list = LinkList::parse(value);
        list.links()
            .filter(|link| self.is_own(link))
            .cloned()
            .collect()
    }

    fn is_own(&self, link: &GpLink) -> bool {
        let base = Dn::parse(&self.target.domain.to_dn());
        let guid = Dn::parse(&link.dn)
            .ok()
            .zip(base.ok())
            .and_then(|(dn, base)| dn.gpo_guid(&base));
        guid == Some(self.target.guid)
    }

    /// The links to other GPOs, and the text that is not a link, each in order.
    fn other_links(&self, value: Option<&str>) -> (Vec<GpLink>, Vec<String>) {
        let list = LinkList::parse(value.unwrap_or_default());
        (
            list.links()
                .filter(|link| !self.is_own(link))
                .cloned()
                .collect(),
            list.others().map(str::to_owned).collect(),
        )
    }
}

//! Check: finds problems of GPOs and plans their repair.
//!
//! [`facts`] reads; [`findings`] judges without I/O; [`extensions`] knows which settings need which client-side extension.
//! [`client`] determines without I/O which GPOs a client applies, and [`target`] reads what that needs. [`repair`] plans the
//! repairs that need no decision.

#[doc(hidden)]
pub mod client;
#[doc(hidden)]
pub mod extensions;
#[doc(hidden)]
pub mod facts;
mod file_entries;
#[doc(hidden)]
pub mod findings;
pub mod permitted;
mod policy_folders;
pub mod repair;
mod settings_files;
pub mod target;

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use self::facts::Facts;
use self::file_entries::Expected;
use super::link::{link_finding, unknown_link};
use crate::directory::GpoObject;
use crate::directory::unreadable::Existences;
use crate::error::Result;
use crate::message::{Code, Severity, StatusMessage, printable};
use crate::model::gp_link::LinkList;
use crate::progress::{Control, Phase};
use crate::session::DomainSession;

/// How many GPOs are read at the same time.
const AT_ONCE: usize = 8;

/// One GPO that was checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Checked {
    /// The facts, without the contents of the files.
    pub facts: Facts,
    /// The findings, most severe first.
    pub messages: Vec<StatusMessage>,
}

/// The result of a check.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// The GPOs, in the given order.
    pub gpos: Vec<Checked>,
    /// The findings about the domain: folders without a GPO, dangling links.
    pub messages: Vec<StatusMessage>,
    /// How many GPOs of the domain exist and were not checked, because this account may not read them.
    pub unreadable: usize,
}

impl Report {
    /// Every finding: those of the domain, then those of each GPO.
    pub fn all(&self) -> impl Iterator<Item = &StatusMessage> {
        self.messages
            .iter()
            .chain(self.gpos.iter().flat_map(|checked| &checked.messages))
    }

    /// Makes permissions that were not checked a warning: whoever asks for a repair takes silence for "nothing to repair".
    pub(crate) fn warn_of_unchecked_permissions(&mut self) {
        let of_gpos = self.gpos.iter_mut().flat_map(|gpo| &mut gpo.messages);
        for message in self.messages.iter_mut().chain(of_gpos) {
            if message.code == Code::DescriptorsNotRead {
                message.severity = Severity::Warning;
            }
        }
    }

    /// Gives the findings of a code this next step.
    pub(crate) fn explain(&mut self, code: Code, hint: &str) {
        let of_gpos = self.gpos.iter_mut().flat_map(|gpo| &mut gpo.messages);
        for message in self.messages.iter_mut().chain(of_gpos) {
            if message.code == code {
                message.hint = Some(hint.to_owned());
            }
        }
    }

    /// The worst severity of all findings; `None` when there are none.
    pub fn worst(&self) -> Option<Severity> {
        self.all().map(|message| message.severity).max()
    }
}

/// Checks these GPOs, each by itself.
///
/// # Errors
/// When a server does not answer; `Cancelled`.
pub async fn check_gpos(
    session: &DomainSession,
    gpos: &[GpoObject],
    control: &Control,
) -> Result<Report> {
    let total = u64::try_from(gpos.len()).unwrap_or(u64::MAX);
    control.report(Phase::Read, 0, total, 0);
    let expected = Expected::of(session).await?;
    let mut reads = stream::iter(gpos)
        .map(|gpo| facts::read(session, gpo, expected, control))
        .buffered(AT_ONCE);
    let mut report = Report::default();
    while let Some(mut facts) = reads.try_next().await? {
        let messages = findings::findings(&facts, &session.info().domain_sid);
        facts.let_contents_go();
        report.gpos.push(Checked { facts, messages });
        let done = u64::try_from(report.gpos.len()).unwrap_or(u64::MAX);
        control.report(Phase::Read, done, total, 0);
    }
    Ok(report)
}

/// Checks every GPO of the domain, and what concerns no single GPO: folders on SYSVOL without a GPO, links to nothing, names
/// that several GPOs have.
///
/// # Errors
/// As [`check_gpos`].
pub async fn check_domain(session: &DomainSession, control: &Control) -> Result<Report> {
    let list = session.directory().gpo_list().await?;
    let mut report = check_gpos(session, &list.gpos, control).await?;
    report.unreadable = list.unreadable.len();
    report.messages = list.warnings(&session.info().base);
    let known = list.existences();
    policy_folders::without_gpo(session, &known, &mut report.messages).await?;
    wrong_links(session, &known, &mut report.messages).await?;
    same_names(&list.gpos, &mut report.messages);
    report
        .messages
        .sort_by_key(|message| std::cmp::Reverse(message.severity));
    Ok(report)
}

async fn wrong_links(
    session: &DomainSession,
    known: &Existences,
    messages: &mut Vec<StatusMessage>,
) -> Result<()> {
    let info = session.info();
    for som in session.directory().linked_soms().await? {
        messages.extend(som.unreadable_links());
        let links = LinkList::parse(som.gp_link.as_deref().unwrap_or_default());
        messages.extend(links.others().map(|other| unknown_link(&som, other)));
        for link in links.links() {
            messages.extend(link_finding(
                &info.base,
                &info.forest_domains,
                &som,
                link,
                |guid| known.of(guid),
            ));
        }
    }
    Ok(())
}

fn same_names(gpos: &[GpoObject], messages: &mut Vec<StatusMessage>) {
    let mut names: BTreeMap<String, Vec<&GpoObject>> = BTreeMap::new();
    for gpo in gpos.iter().filter(|gpo| gpo.may_read("displayName")) {
        names
            .entry(gpo.display_name.to_lowercase())
            .or_default()
            .push(gpo);
    }
    for twins in names.values().filter(|twins| twins.len() > 1) {
        let guids: Vec<String> = twins.iter().map(|gpo| gpo.guid.to_string()).collect();
        let name = twins.first().map_or("", |gpo| gpo.display_name.as_str());
        messages.push(StatusMessage::info(
            Code::SameName,
            format!(
                "{} GPOs are called \"{}\": {}",
                twins.len(),
                printable(name),
                guids.join(", ")
            ),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_a_repair_permissions_that_were_not_checked_are_a_warning() {
        let mut report = Report {
            messages: vec![
                StatusMessage::info(Code::DescriptorsNotRead, "x"),
                StatusMessage::info(Code::SameName, "x"),
            ],
            ..Report::default()
        };
        assert_eq!(report.worst(), Some(Severity::Info));
        report.warn_of_unchecked_permissions();
        let severities: Vec<Severity> = report.all().map(|it| it.severity).collect();
        assert_eq!(severities, [Severity::Warning, Severity::Info]);
    }
}

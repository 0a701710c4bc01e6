//! What a plan grants: shown with the names of the accounts, and asked about where they do not administer the domain.

use super::ui::{Colour, Ui};
use crate::domain::principals::{Lookup, PrincipalDirectory as _, PrincipalQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::message::printable;
use crate::model::sid::Sid;
use crate::model::well_known;
use crate::plan::Plan;
use crate::plan::gpo::GpoPlan;
use crate::plan::permissions::{OutsideGrant, changes, outside_grants};
use crate::progress::Control;
use crate::session::DomainSession;

pub(super) use crate::settings::Names;

/// The names of the accounts that the permissions and the risks of a plan mention. Without an answer a SID stays a SID.
pub(super) async fn names(session: &DomainSession, plan: &Plan) -> Names {
    let lines = plan
        .gpos()
        .flat_map(changes)
        .flat_map(|change| change.lines);
    let mut sids: Vec<Sid> = lines.filter_map(|line| line.sid).collect();
    sids.extend(
        all_outside_grants(session, plan)
            .into_iter()
            .flat_map(|grant| [grant.sid, grant.denied_now])
            .flatten(),
    );
    sids.extend(
        plan.gpos()
            .flat_map(|gpo| &gpo.risks)
            .flat_map(|risk| sids_in(&risk.text))
            .map(|(_, _, sid)| sid),
    );
    let none = Names::new();
    let settings = plan.gpos().filter_map(|gpo| gpo.setting_changes(&none));
    sids.extend(settings.flatten().flat_map(|change| {
        let text = change.text();
        sids_in(&text).map(|(_, _, sid)| sid).collect::<Vec<_>>()
    }));
    sids.sort();
    sids.dedup();
    let (known, unknown): (Vec<Sid>, Vec<Sid>) = sids
        .into_iter()
        .partition(|sid| well_known::name_of(sid).is_some());
    let mut names: Names = known
        .into_iter()
        .filter_map(|sid| well_known::name_of(&sid).map(|name| (sid.clone(), name.to_owned())))
        .collect();
    let queries: Vec<PrincipalQuery> = unknown.iter().cloned().map(PrincipalQuery::Sid).collect();
    match session.directory().lookup(&queries).await {
        Ok(answers) => names.extend(unknown.into_iter().zip(answers).filter_map(
            |(sid, answer)| match answer {
                Lookup::Found(principal) => Some((sid, principal.down_level_name())),
                _ => None,
            },
        )),
        Err(error) => tracing::warn!(%error, "Cannot look up the accounts of a plan"),
    }
    names
}

fn all_outside_grants(session: &DomainSession, plan: &Plan) -> Vec<OutsideGrant> {
    let administrators = || session.info().administrators();
    plan.gpos()
        .flat_map(|gpo| outside_grants(gpo, administrators()))
        .collect()
}

/// An account for people: its name, then its SID.
fn account(sid: &Sid, names: &Names) -> String {
    match names.get(sid) {
        Some(name) => format!("{} ({sid})", printable(name)),
        None => sid.to_string(),
    }
}

/// A text in which each SID with a name follows that name, in brackets.
pub(super) fn with_names(text: &str, name_of: impl Fn(&Sid) -> Option<String>) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut copied = 0;
    for (start, part, sid) in sids_in(text) {
        let Some(name) = name_of(&sid) else { continue };
        let before = text.get(copied..start).unwrap_or_default();
        shown.push_str(before.strip_suffix('*').unwrap_or(before));
        shown.push_str(&format!("{} ({part})", printable(&name)));
        copied = start.saturating_add(part.len());
    }
    shown.push_str(text.get(copied..).unwrap_or_default());
    shown
}

/// The SIDs in a text, with the bytes where they start, as they are written there.
fn sids_in(text: &str) -> impl Iterator<Item = (usize, &str, Sid)> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    let mut next = 0_usize;
    text.split_inclusive(ends).filter_map(move |part| {
        let start = next;
        next = next.saturating_add(part.len());
        let part = part.trim_end_matches(ends);
        let sid = part.starts_with("S-1-").then(|| part.parse().ok());
        Some((start, part, sid??))
    })
}

/// What changes in the permissions of the GPO and of the objects below it.
pub(super) fn show(ui: &Ui, plan: &GpoPlan, names: &Names) {
    // What the target grants now is not known of a GPO that is created.
    let marks = plan.basis.is_some();
    for change in changes(plan) {
        let of = match change.object.as_str() {
            "" => "permission".to_owned(),
            object => format!("permission of {}", printable(object)),
        };
        for line in change.lines {
            let (sign, colour) = if line.added {
                ('+', Colour::Green)
            } else {
                ('-', Colour::Red)
            };
            let who = match &line.sid {
                Some(sid) => format!("{}: ", account(sid, names)),
                None => String::new(),
            };
            let more = if marks && line.grants_more {
                " (grants more than now)"
            } else {
                ""
            };
            ui.coloured(colour, &format!("{sign} {of}: {who}{}{more}", line.text));
        }
    }
}

/// The rights that a plan grants to accounts outside the administrators, each in a line.
pub(super) fn outside_lines(session: &DomainSession, plan: &Plan, names: &Names) -> Vec<String> {
    let line = |grant: &OutsideGrant| {
        let who = match &grant.sid {
            Some(sid) => account(sid, names),
            None => "everybody".to_owned(),
        };
        let on = match grant.object.as_str() {
            "" => String::new(),
            object => format!(" on {}", printable(object)),
        };
        let denied = match &grant.denied_now {
            Some(sid) => format!(", denied to {} now", account(sid, names)),
            None => String::new(),
        };
        format!("{who}: {}{on}{denied}", grant.text)
    };
    all_outside_grants(session, plan).iter().map(line).collect()
}

/// Shows what [`outside_lines`] found.
pub(super) fn show_outside(ui: &Ui, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    ui.heading("Rights for accounts that do not administer the domain");
    for line in lines {
        ui.coloured(Colour::Yellow, &format!("! {line}"));
    }
}

/// Asks about rights for accounts outside the administrators; `accepted` answers that already, `--yes` does not.
///
/// # Errors
/// `Cancelled` for a no, `Usage` when there is no terminal to ask on.
pub(super) async fn confirm(
    lines: &[String],
    accepted: bool,
    ui: &Ui,
    control: &Control,
) -> Result<()> {
    if accepted || lines.is_empty() {
        return Ok(());
    }
    match ui.ask_or_stop("Grant these rights?", control).await {
        Some(true) => Ok(()),
        Some(false) => Err(Error::new(ErrorKind::Cancelled, "nothing was changed")),
        None => Err(Error::new(
            ErrorKind::Usage,
            format!(
                "the plan grants rights to accounts that do not administer the domain: {}",
                lines.join("; ")
            ),
        )
        .with_hint(
            "use --accept-permissions, or save the plan with --plan-out and run gpoctl apply",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_before_sids() {
        let support: Sid = "S-1-5-21-1-2-3-1105".parse().unwrap();
        let names = Names::from([(support, "DST\\Support".to_owned())]);
        for (text, shown) in [
            (
                "SeInteractiveLogonRight: *S-1-5-32-544,*S-1-5-21-1-2-3-1105",
                "SeInteractiveLogonRight: *S-1-5-32-544,DST\\Support (S-1-5-21-1-2-3-1105)",
            ),
            (
                "*S-1-5-21-1-2-3-1105 has the members S-1-5-21-1-2-3-1105",
                "DST\\Support (S-1-5-21-1-2-3-1105) has the members DST\\Support (S-1-5-21-1-2-3-1105)",
            ),
            ("runs S-1-x at startup", "runs S-1-x at startup"),
            (
                "*S-1-5-21-1-2-3-11051, *S-1-5-21-1-2-3-1105",
                "*S-1-5-21-1-2-3-11051, DST\\Support (S-1-5-21-1-2-3-1105)",
            ),
            ("", ""),
        ] {
            assert_eq!(with_names(text, |sid| names.get(sid).cloned()), shown);
        }
    }

    /// Each SID was searched from the beginning of the text, which took hours for these.
    #[test]
    fn a_long_list_of_unknown_sids_is_read_once() {
        let list: String = (0..200_000)
            .map(|rid| format!("*S-1-5-21-1-2-3-{rid},"))
            .collect();
        assert_eq!(with_names(&list, |_| None), list);
    }
}

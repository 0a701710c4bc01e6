//! `gpoctl check`

use clap::{ArgGroup, Args};

use super::connection::ConnectionArgs;
use super::hints;
use super::ui::{Colour, Ui, counted};
use super::writing::{WritingArgs, finish};
use crate::directory::GpoObject;
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::detect_file_entries;
use crate::execute::rights::{MAKE_WRITABLE, share_is_read_only};
use crate::message::{Code, Severity, StatusMessage};
use crate::operations::check::client::Stopped;
use crate::operations::check::permitted::leave_out_denied;
use crate::operations::check::repair;
use crate::operations::check::target::{Verdict, applied_to};
use crate::operations::check::{Checked, Report, check_domain, check_gpos};
use crate::plan::Plan;
use crate::progress::Control;
use crate::session::DomainSession;

/// Check GPOs for problems
///
/// Reports versions that differ between the directory and SYSVOL, settings that no client processes, wrong permissions, orphaned
/// folders and links to GPOs that do not exist.
///
/// With --for, lists the GPOs that a user or computer applies, in order of precedence, and why it does not apply the others. WMI
/// filters are named but not evaluated; loopback processing is not considered.
///
/// With --fix, shows what would be repaired and asks. Versions are only increased, no extension is removed from a list, and
/// permissions on SYSVOL are derived from those in the directory. Which permissions Samba accepts depends on its version, so a
/// hidden file is first created on SYSVOL and deleted at once, but not with --dry-run or --plan-out. The exit status describes what remains.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").args(["gpo", "all", "target"]).required(true).multiple(true),
    mut_arg("plan_out", |argument| argument.requires("fix")),
    after_help = "Examples:\n  gpoctl check \"Workstation Security\" --domain corp.example\n  gpoctl check --all --domain corp.example --json \\\n      | jq -r '.messages[].code'\n  gpoctl check --for WS01 --domain corp.example\n  gpoctl check --all --fix --domain corp.example --dry-run"
)]
pub(super) struct CheckArgs {
    /// Display name, GUID, or unique GUID prefix
    #[arg(conflicts_with = "all")]
    gpo: Option<String>,

    /// Every GPO of the domain, orphaned SYSVOL folders, and links to GPOs that do not exist
    #[arg(long)]
    all: bool,

    /// List which GPOs this user or computer applies; with a GPO, whether it applies that one
    #[arg(long = "for", value_name = "ACCOUNT")]
    target: Option<String>,

    /// Site of the computer; needed only if the forest has several
    #[arg(long, requires = "target")]
    site: Option<String>,

    /// Repair what is safe to repair: versions, extension lists, SYSVOL permissions
    #[arg(long, conflicts_with = "target")]
    fix: bool,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: CheckArgs, ui: &Ui) -> Result<u8> {
    let writer = match args.fix {
        true => Some(args.connection.connect_writer().await?),
        false => None,
    };
    let session = match &writer {
        Some(writer) => writer.session(),
        None => &args.connection.connect().await?,
    };
    if let Some(account) = &args.target {
        return for_account(session, account, &args, ui).await;
    }
    let control = ui.control();
    let gpo = match &args.gpo {
        Some(gpo) => Some(session.directory().find_gpo(gpo).await?),
        None => None,
    };
    let may_write = writer.as_ref().filter(|_| !args.writing.only_shows());
    if let Some(writer) = may_write {
        detect_file_entries(writer, gpo.as_ref().map(|gpo| gpo.guid)).await?;
    }
    let is_tried = session.sysvol().file_entries().is_some();
    let mut report = look(session, gpo.as_ref(), &control).await?;
    if may_write.is_some() && !is_tried {
        let folder = SysvolPath::policies(&session.info().dns_domain);
        let why = match share_is_read_only(session, &folder).await? {
            true => format!(
                "the permissions that this server accepts could not be tried, because it shares SYSVOL read-only: {MAKE_WRITABLE}"
            ),
            false => "the permissions that this server accepts could not be tried, because this account cannot write there: let one that can, such as a domain administrator, run this command".to_owned(),
        };
        report.explain(Code::MixedPermissions, &why);
    }
    if args.fix {
        report.warn_of_unchecked_permissions();
    }
    if let Some(writer) = &writer {
        let mut list = repair::plan(&report, &session.info().dns_domain);
        let repairs = list.changes.len();
        leave_out_denied(&mut list, session).await?;
        if repairs > 0 && list.changes.is_empty() {
            if ui.is_json() {
                list.messages.splice(0..0, report.all().cloned());
            } else {
                show(&report, ui);
            }
            let what = match repairs {
                1 => "the repair".to_owned(),
                repairs => format!("any of the {repairs} repairs"),
            };
            let text = format!("this account may not make {what}, so nothing was changed");
            return Err(Error::new(ErrorKind::Denied, text)
                .with_details(list.messages)
                .with_hint(Code::NotPermitted.action()));
        }
        if ui.is_json() {
            // One document holds both: what was found, and what was repaired.
            list.messages.splice(0..0, report.all().cloned());
        } else {
            show(&report, ui);
        }
        let not_put_back = list.not_put_back(session).await?;
        list.messages.extend(not_put_back);
        hints::complete_plan(&mut list);
        if !ui.is_json() {
            let is_unknown = session.info().is_samba() && !is_tried;
            if list.changes.is_empty() {
                list.messages.iter().for_each(|it| ui.message(it));
                ui.say(nothing_to_repair(&report, &list, is_unknown));
                if args.writing.plan_file().is_none() {
                    return Ok(exit_status(report.worst()));
                }
            } else if is_unknown {
                ui.say("the permissions that this server accepts were not tried, so there may be more to repair");
            }
        }
        let is_done = args.writing.only_shows() || list.changes.is_empty();
        let status = finish(writer, list, &args.writing, &ui.control(), ui).await?;
        if status != 0 || is_done {
            return Ok(status.max(exit_status(report.worst())));
        }
        let gpo = match &gpo {
            Some(gpo) => Some(session.directory().gpo(gpo.guid).await?),
            None => None,
        };
        report = look(session, gpo.as_ref(), &control).await?;
        report.warn_of_unchecked_permissions();
        if !ui.is_json() {
            ui.say(after_repair(report.worst()));
            show(&report, ui);
        }
        return Ok(exit_status(report.worst()));
    }
    if ui.is_json() {
        let messages: Vec<&StatusMessage> = report.all().collect();
        ui.json(&serde_json::json!({
            "format_version": 1,
            "domain": session.info().dns_domain,
            "domain_controller": session.info().server,
            "status": status_word(&report),
            "gpos": report.gpos.iter().map(summary).collect::<Vec<_>>(),
            "unreadable_gpos": report.unreadable,
            "messages": messages,
        }))?;
    } else {
        show(&report, ui);
    }
    Ok(exit_status(report.worst()))
}

async fn for_account(
    session: &DomainSession,
    account: &str,
    args: &CheckArgs,
    ui: &Ui,
) -> Result<u8> {
    let only = match &args.gpo {
        Some(gpo) => Some(session.directory().find_gpo(gpo).await?),
        None => None,
    };
    let mut applied = applied_to(session, account, args.site.as_deref(), only.as_ref()).await?;
    hints::complete(&mut applied.messages);
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "domain": session.info().dns_domain,
            "domain_controller": session.info().server,
            "account": {
                "name": applied.account.principal.down_level_name(),
                "sid": applied.account.sid,
                "dn": applied.account.dn.to_string(),
                "type": applied.account.principal.kind,
            },
            "half": applied.half,
            "site": applied.site.as_ref().map(ToString::to_string),
            "gpos": applied.verdicts.iter().map(verdict_json).collect::<Vec<_>>(),
            "messages": applied.messages,
        }))?;
        return Ok(0);
    }
    let rows: Vec<Vec<String>> = applied.verdicts.iter().map(verdict_row).collect();
    if rows.is_empty() {
        ui.say("no GPO is linked to a container of this account");
    } else {
        ui.table(&["PRECEDENCE", "GPO", "LINKS", "APPLIES", "WHY"], rows);
    }
    for message in &applied.messages {
        ui.message(message);
    }
    Ok(0)
}

fn verdict_row(verdict: &Verdict) -> Vec<String> {
    let reasons: Vec<&str> = verdict
        .reasons
        .iter()
        .map(|(_, text)| text.as_str())
        .collect();
    let links: Vec<String> = verdict
        .links
        .iter()
        .map(|link| {
            let enforced = if link.enforced { ", enforced" } else { "" };
            format!("{} ({}{enforced})", link.target, link.order)
        })
        .collect();
    let applies = match (verdict.applies, &verdict.wmi_filter) {
        (false, _) => "no".to_owned(),
        (true, None) => "yes".to_owned(),
        (true, Some(filter)) => format!("if the WMI filter \"{filter}\" matches"),
    };
    vec![
        verdict
            .precedence
            .map(|number| number.to_string())
            .unwrap_or_default(),
        verdict.display_name.clone(),
        links.join("; "),
        applies,
        reasons.join("; "),
    ]
}

fn verdict_json(verdict: &Verdict) -> serde_json::Value {
    let links: Vec<serde_json::Value> = verdict
        .links
        .iter()
        .map(|link| {
            serde_json::json!({
                "target": link.target,
                "order": link.order,
                "enforced": link.enforced,
                "disabled": link.stopped == Some(Stopped::Disabled),
                "blocked_by": match &link.stopped {
                    Some(Stopped::Blocked(by)) => Some(by),
                    _ => None,
                },
            })
        })
        .collect();
    let reasons: Vec<serde_json::Value> = verdict
        .reasons
        .iter()
        .map(|(code, text)| serde_json::json!({ "code": code, "text": text }))
        .collect();
    serde_json::json!({
        "guid": verdict.guid,
        "display_name": verdict.display_name,
        "applies": verdict.applies,
        "precedence": verdict.precedence,
        "wmi_filter": verdict.wmi_filter,
        "links": links,
        "reasons": reasons,
    })
}

fn summary(checked: &Checked) -> serde_json::Value {
    serde_json::json!({
        "guid": checked.facts.object.guid,
        "display_name": checked.facts.object.display_name,
        "messages": checked.messages,
    })
}

/// Checks one GPO, or the domain.
async fn look(
    session: &DomainSession,
    gpo: Option<&GpoObject>,
    control: &Control,
) -> Result<Report> {
    let mut report = match gpo {
        None => check_domain(session, control).await,
        Some(gpo) => check_gpos(session, std::slice::from_ref(gpo), control).await,
    }?;
    let of_gpos = report.gpos.iter_mut().flat_map(|gpo| &mut gpo.messages);
    hints::complete(report.messages.iter_mut().chain(of_gpos));
    Ok(report)
}

fn status_word(report: &Report) -> &'static str {
    match report.worst() {
        None | Some(Severity::Info) => "ok",
        Some(Severity::Warning) => "warnings",
        Some(Severity::Error) => "errors",
    }
}

/// What is said when there is no repair to make.
fn nothing_to_repair(report: &Report, list: &Plan, is_unknown: bool) -> &'static str {
    if list.messages.iter().any(|it| it.code == Code::NotPermitted) {
        "nothing to repair that this account may repair"
    } else if report.all().any(|it| it.code == Code::DescriptorsNotRead) {
        "nothing to repair was found; permissions were not checked"
    } else if is_unknown {
        "nothing to repair was found; the permissions that this server accepts were not tried"
    } else {
        "nothing to repair"
    }
}

/// The heading of what a check finds after a repair.
fn after_repair(worst: Option<Severity>) -> &'static str {
    match worst {
        None | Some(Severity::Info) => "no problems remain",
        Some(Severity::Warning | Severity::Error) => "remaining problems:",
    }
}

/// The exit status of a check.
pub(super) fn exit_status(worst: Option<Severity>) -> u8 {
    match worst {
        None | Some(Severity::Info) => 0,
        Some(Severity::Warning) => 4,
        Some(Severity::Error) => 1,
    }
}

/// The findings are the data of this command, so they go to standard output.
fn show(report: &Report, ui: &Ui) {
    for message in &report.messages {
        finding(message, ui);
    }
    for checked in &report.gpos {
        for message in &checked.messages {
            finding(message, ui);
        }
    }
    let count = |severity| {
        report
            .all()
            .filter(|message| message.severity == severity)
            .count()
    };
    let unreadable = match report.unreadable {
        0 => String::new(),
        number => format!(
            " (and {} that this account may not read)",
            counted(number, "GPO")
        ),
    };
    ui.say(&format!(
        "{}{unreadable}: {}, {}, {}",
        counted(report.gpos.len(), "GPO"),
        counted(count(Severity::Error), "error"),
        counted(count(Severity::Warning), "warning"),
        counted(count(Severity::Info), "note")
    ));
}

fn finding(message: &StatusMessage, ui: &Ui) {
    let (word, colour) = match message.severity {
        Severity::Info => ("note", Colour::Dim),
        Severity::Warning => ("warning", Colour::Yellow),
        Severity::Error => ("error", Colour::Red),
    };
    let gpo = message
        .gpo
        .as_ref()
        .map(|gpo| format!("\"{gpo}\": "))
        .unwrap_or_default();
    let place = message
        .place
        .as_ref()
        .filter(|place| !place.file.is_empty())
        .map(|place| format!(" [{place}]"))
        .unwrap_or_default();
    ui.coloured(
        colour,
        &format!("{word} {}: {gpo}{}{place}", message.code, message.text),
    );
    if let Some(hint) = &message.hint {
        ui.line(&format!("    {hint}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_says_whether_problems_remain() {
        assert_eq!(after_repair(None), "no problems remain");
        assert_eq!(after_repair(Some(Severity::Info)), "no problems remain");
        assert_eq!(after_repair(Some(Severity::Warning)), "remaining problems:");
        let mut report = Report::default();
        let mut list = Plan::new("repair GPOs", &"src.test".parse().unwrap());
        assert_eq!(
            nothing_to_repair(&report, &list, false),
            "nothing to repair"
        );
        assert!(nothing_to_repair(&report, &list, true).contains("not tried"));
        let message = StatusMessage::warning(Code::DescriptorsNotRead, "x");
        report.messages.push(message);
        assert!(nothing_to_repair(&report, &list, true).contains("not checked"));
        let message = StatusMessage::warning(Code::NotPermitted, "x");
        list.messages.push(message);
        assert!(nothing_to_repair(&report, &list, false).contains("this account"));
    }
}

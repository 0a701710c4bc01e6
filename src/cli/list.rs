//! `gpoctl list`

use clap::Args;

use super::connection::ConnectionArgs;
use super::ui::{Ui, counted};
use crate::directory::GpoObject;
use crate::error::Result;
use crate::model::generalized_time::generalized_time;
use crate::model::guid::Guid;

/// List the GPOs of a domain
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl list --domain corp.example\n  gpoctl list --domain corp.example --json | jq -r '.gpos[].display_name'"
)]
pub(super) struct ListArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: ListArgs, ui: &Ui) -> Result<u8> {
    let session = args.connection.connect().await?;
    let list = session.directory().gpo_list().await?;
    let messages = list.warnings(&session.info().base);
    let list_is_complete = list.is_complete && list.unreadable.is_empty();
    let (mut gpos, unreadable) = (list.gpos, list.unreadable);
    gpos.sort_by_key(|gpo| gpo.display_name.to_lowercase());
    super::complete::remember(&session.info().dns_domain, &gpos);
    if ui.is_json() {
        let list: Vec<serde_json::Value> = gpos.iter().map(summary).collect();
        ui.json(&serde_json::json!({
            "format_version": 1,
            "domain": session.info().dns_domain,
            "domain_controller": session.info().server,
            "gpos": list,
            "unreadable_gpos": unreadable,
            "is_complete": list_is_complete,
            "messages": messages,
        }))?;
        return Ok(0);
    }
    let short = !ui.is_verbose() && ui.width().is_some_and(|width| width < WIDE);
    let guids: Vec<Guid> = gpos.iter().map(|gpo| gpo.guid).collect();
    let digits = unique_digits(&guids);
    let rows = gpos
        .iter()
        .map(|gpo| {
            let (computer, user) = shown_versions(gpo);
            vec![
                shown_name(gpo),
                if short {
                    gpo.guid.bare().chars().take(digits).collect()
                } else {
                    gpo.guid.to_string()
                },
                status_of(gpo).to_owned(),
                computer,
                user,
                shown_time(&gpo.when_changed),
            ]
        })
        .collect();
    ui.table(
        &[
            "NAME",
            "GUID",
            "STATUS",
            "COMPUTER",
            "USER",
            "CHANGED (UTC)",
        ],
        rows,
    );
    for message in &messages {
        ui.message(message);
    }
    let in_part = gpos.iter().filter(|gpo| !gpo.unreadable.is_empty()).count();
    if in_part + unreadable.len() > 0 {
        ui.say(&unread_counts(in_part, unreadable.len()));
    }
    Ok(0)
}

/// How many GPOs this account may read in part, and how many not at all.
fn unread_counts(in_part: usize, not_at_all: usize) -> String {
    let counts = [(not_at_all, "not"), (in_part, "only in part")];
    let parts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, how)| format!("{} {how}", counted(count, "GPO")))
        .collect();
    format!("readable for this account: {}", parts.join(", "))
}

/// What stands for a value that this account may not read.
pub(super) const NOT_READABLE: &str = "(not readable)";

/// The display name.
pub(super) fn shown_name(gpo: &GpoObject) -> String {
    match gpo.may_read("displayName") {
        true => gpo.display_name.clone(),
        false => NOT_READABLE.to_owned(),
    }
}

/// The versions of the computer and the user configuration in the directory.
fn shown_versions(gpo: &GpoObject) -> (String, String) {
    if !gpo.may_read("versionNumber") {
        return (NOT_READABLE.to_owned(), NOT_READABLE.to_owned());
    }
    let version = gpo.version.unwrap_or_default();
    (version.machine.to_string(), version.user.to_string())
}

/// The GPO status, as far as it can be read.
pub(super) fn status_of(gpo: &GpoObject) -> &'static str {
    match gpo.may_read("flags") {
        true => status_word(gpo.flags),
        false => NOT_READABLE,
    }
}

/// On a terminal of fewer columns than this, whole GUIDs would leave no room for the names.
const WIDE: u16 = 112;

/// How many characters of the bare GUIDs make all of them unique: at least the first group, because a shorter prefix may soon
/// match a second GPO.
fn unique_digits(guids: &[Guid]) -> usize {
    let mut bare: Vec<String> = guids.iter().map(|guid| guid.bare()).collect();
    bare.sort();
    let shared = bare.windows(2).filter_map(|pair| match pair {
        [one, other] => Some(
            one.chars()
                .zip(other.chars())
                .take_while(|(a, b)| a == b)
                .count(),
        ),
        _ => None,
    });
    shared.max().map_or(8, |shared| shared + 1).max(8)
}

/// The fields of a GPO in every JSON list.
pub(super) fn summary(gpo: &GpoObject) -> serde_json::Value {
    let version = gpo.version.unwrap_or_default();
    let of_half = |number| gpo.may_read("versionNumber").then_some(number);
    let list = |attribute, list| gpo.may_read(attribute).then_some(list);
    serde_json::json!({
        "guid": gpo.guid,
        "display_name": gpo.display_name,
        "flags": gpo.flags,
        "status": match gpo.may_read("flags") {
            true => status_word(gpo.flags),
            false => "not readable",
        },
        "version": gpo.version.map(|version| version.combined()),
        "computer_version": of_half(version.machine),
        "user_version": of_half(version.user),
        "machine_extensions": list("gPCMachineExtensionNames", &gpo.machine_extensions),
        "user_extensions": list("gPCUserExtensionNames", &gpo.user_extensions),
        "file_sys_path": gpo.file_sys_path,
        "wmi_filter": gpo.wmi_filter,
        "when_created": gpo.when_created,
        "when_changed": gpo.when_changed,
        "unreadable": gpo.unreadable,
    })
}

/// A time of the directory, written like the times of backups.
pub(super) fn shown_time(time: &str) -> String {
    generalized_time(time).unwrap_or_else(|| time.to_owned())
}

/// The GPO status as in GPMC.
pub(super) fn status_word(flags: Option<u32>) -> &'static str {
    match flags.map(|flags| flags & 3) {
        None => "no flags",
        Some(0) => "enabled",
        Some(1) => "user off",
        Some(2) => "computer off",
        Some(_) => "all off",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_counted() {
        assert_eq!(
            unread_counts(2, 1),
            "readable for this account: 1 GPO not, 2 GPOs only in part"
        );
        assert_eq!(
            unread_counts(1, 0),
            "readable for this account: 1 GPO only in part"
        );
    }

    #[test]
    fn short_guids_are_unique() {
        let guid = |text: &str| text.parse::<Guid>().unwrap();
        let one = guid("{31B2F340-016D-11D2-945F-00C04FB984F9}");
        let two = guid("{6AC1786C-016F-11D2-945F-00C04FB984F9}");
        let like_one = guid("{31B2F340-016E-11D2-945F-00C04FB984F9}");
        assert_eq!(unique_digits(&[one, two]), 8);
        assert_eq!(unique_digits(&[]), 8);
        assert_eq!(unique_digits(&[one, two, like_one]), 13);
    }
}

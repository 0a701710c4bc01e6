//! `gpoctl list`

use clap::Args;

use super::connection::ConnectionArgs;
use super::ui::Ui;
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
    let mut gpos = session.directory().gpos().await?;
    gpos.sort_by_key(|gpo| gpo.display_name.to_lowercase());
    super::complete::remember(&session.info().dns_domain, &gpos);
    if ui.is_json() {
        let list: Vec<serde_json::Value> = gpos.iter().map(summary).collect();
        ui.json(&serde_json::json!({
            "format_version": 1,
            "domain": session.info().dns_domain,
            "domain_controller": session.info().server,
            "gpos": list,
        }))?;
        return Ok(0);
    }
    let short = !ui.is_verbose() && ui.width().is_some_and(|width| width < WIDE);
    let guids: Vec<Guid> = gpos.iter().map(|gpo| gpo.guid).collect();
    let digits = unique_digits(&guids);
    let rows = gpos
        .iter()
        .map(|gpo| {
            let version = gpo.version.unwrap_or_default();
            vec![
                gpo.display_name.clone(),
                if short {
                    gpo.guid.bare().chars().take(digits).collect()
                } else {
                    gpo.guid.to_string()
                },
                status_word(gpo.flags).to_owned(),
                version.machine.to_string(),
                version.user.to_string(),
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
    Ok(0)
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
    serde_json::json!({
        "guid": gpo.guid,
        "display_name": gpo.display_name,
        "flags": gpo.flags,
        "status": status_word(gpo.flags),
        "version": gpo.version.map(|version| version.combined()),
        "computer_version": version.machine,
        "user_version": version.user,
        "machine_extensions": gpo.machine_extensions,
        "user_extensions": gpo.user_extensions,
        "file_sys_path": gpo.file_sys_path,
        "wmi_filter": gpo.wmi_filter,
        "when_created": gpo.when_created,
        "when_changed": gpo.when_changed,
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

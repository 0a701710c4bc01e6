//! `gpoctl migtable populate`

use std::path::PathBuf;

use clap::Args;

use super::file;
use crate::cli::connection::ConnectionArgs;
use crate::cli::mapping::ScopeChoice;
use crate::cli::ui::{Ui, counted};
use crate::cli::writing::read_backup;
use crate::error::{Error, ErrorKind, Result};
use crate::formats::migtable::MigTable;
use crate::message::{Code, StatusMessage, printable};
use crate::migration::populate::{Merged, PopulateOptions, RowCandidate, RowOutcome, items, merge};
use crate::model::reference::{Place, Scope};
use crate::model::snapshot::GpoSnapshot;
use crate::progress::Phase;
use crate::session::read::{read_gpo, take_inventory};

/// Add rows for everything that backups or GPOs refer to
///
/// References that GPMC finds get a row as GPMC writes it: sAMAccountName@dns.domain, well-known principals by name, the folder of
/// a package or script. References that only gpoctl finds, such as those in Registry.pol and Preferences, are listed separately;
/// --scope gpmc leaves them out. Existing rows are unchanged, and the table is created if it does not exist. A GPO or backup
/// that cannot be read is left out with a warning, and the exit status is 3.
#[derive(Debug, Args)]
#[command(
    override_usage = "gpoctl migtable populate [OPTIONS] <FILE>\n           --from-backup <BACKUP>...\n       gpoctl migtable populate [OPTIONS] <FILE>\n           --from-gpo <GPO>...\n       gpoctl migtable populate [OPTIONS] <FILE> --all",
    after_help = "Examples:\n  gpoctl migtable populate lab.migtable --backup-dir /backups --all\n  gpoctl migtable populate lab.migtable --domain corp.example \\\n      --from-gpo \"Workstation Security\" \"Logon Scripts\" --relative"
)]
pub(in crate::cli) struct PopulateArgs {
    /// Migration table; created if it does not exist
    file: PathBuf,

    #[command(flatten)]
    from: FromArgs,

    /// Folder of backups; with --all, every backup in it
    #[arg(long, value_name = "DIR", conflicts_with = "from_gpo")]
    backup_dir: Option<PathBuf>,

    /// Include principals that appear only in the permissions of the GPO
    #[arg(long)]
    include_dacl: bool,

    /// Set new rows of users, groups and computers to "by relative name" instead of "same as source"
    #[arg(long)]
    relative: bool,

    /// Add references found anywhere, or only those that GPMC finds
    #[arg(long, value_enum, value_name = "SCOPE", default_value = "all")]
    scope: ScopeChoice,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct FromArgs {
    /// Backups to read: {ID} folders; with --backup-dir also IDs, unique ID prefixes or GPO names
    #[arg(long, value_name = "BACKUP", num_args = 1..)]
    from_backup: Vec<String>,

    /// Live GPOs to read: display names, GUIDs or unique GUID prefixes
    #[arg(long, value_name = "GPO", num_args = 1..)]
    from_gpo: Vec<String>,

    /// Every GPO of the domain, or every backup in --backup-dir
    #[arg(long)]
    all: bool,
}

pub(in crate::cli) async fn run(args: PopulateArgs, ui: &Ui) -> Result<u8> {
    let there = args.file.symlink_metadata().is_ok();
    let mut table = if there {
        file::load(&args.file)?.1
    } else {
        MigTable::new()
    };
    let options = PopulateOptions {
        include_dacl: args.include_dacl,
        relative: args.relative,
        scope: args.scope.into(),
    };
    let mut messages = Vec::new();
    let is_live = args.from.from_backup.is_empty() && args.backup_dir.is_none();
    let read = if is_live {
        live(&args, ui).await?
    } else {
        stored(&args, &mut messages).await?
    };
    let status = if read.missing.is_empty() {
        0
    } else {
        ErrorKind::Incomplete.exit_status()
    };
    messages.extend(read.missing);
    let snapshots = read.snapshots;
    let mut found = Vec::new();
    for snapshot in &snapshots {
        messages.extend(snapshot.messages.iter().cloned());
        let (items, noticed) = items(snapshot, &options);
        found.extend(items);
        messages.extend(noticed);
    }
    let merged = merge(&mut table, found).map_err(|cause| {
        Error::new(ErrorKind::BadInput, cause.to_string())
            .with_hint("the table was not changed; check the reference in the GPO")
    })?;
    messages.extend(merged.messages.iter().cloned());
    let added = count(&merged, |placed| *placed == RowOutcome::Added);
    if !there {
        file::create(&args.file, &table)?;
    } else if added > 0 {
        file::replace(&args.file, &table)?;
    }
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": if status == 0 { "done" } else { "partial" },
            "file": args.file,
            "gpos": snapshots.iter().map(|snapshot| serde_json::json!({
                "guid": snapshot.guid,
                "display_name": snapshot.display_name,
                "domain": snapshot.domain,
            })).collect::<Vec<_>>(),
            "items": merged.items.iter().map(|(item, placed)| as_json(&table, item, placed)).collect::<Vec<_>>(),
            "messages": messages,
        }))?;
        return Ok(status);
    }
    show(&merged, ui);
    for message in &messages {
        ui.message(message);
    }
    ui.say(&format!(
        "{}: {} added for {}, {} already present, {} in total",
        args.file.display(),
        counted(added, "row"),
        counted(snapshots.len(), if is_live { "GPO" } else { "backup" }),
        count(&merged, |placed| matches!(placed, RowOutcome::Present(_))),
        table.rows().len()
    ));
    Ok(status)
}

/// The GPOs to fill a table from.
#[derive(Default)]
struct Read {
    snapshots: Vec<GpoSnapshot>,
    /// A warning for each that could not be read.
    missing: Vec<StatusMessage>,
    /// The first error that made one missing.
    cause: Option<Error>,
}

impl Read {
    /// Records one GPO or backup, under its name in messages.
    ///
    /// # Errors
    /// The error when it was cancelled.
    fn note(&mut self, name: &str, read: Result<GpoSnapshot>) -> Result<()> {
        match read {
            Ok(snapshot) => self.snapshots.push(snapshot),
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
            Err(error) => {
                self.miss(name, &error.to_string());
                self.cause.get_or_insert(error);
            }
        }
        Ok(())
    }

    fn miss(&mut self, name: &str, why: &str) {
        self.missing.push(
            StatusMessage::warning(
                Code::NotRead,
                format!("\"{}\" was left out: {why}", printable(name)),
            )
            .with_hint(
                "its references are missing from the table; run this again when it can be read",
            ),
        );
    }

    /// # Errors
    /// The first error, when nothing at all could be read.
    fn finish(self) -> Result<Self> {
        match self.cause {
            Some(error) if self.snapshots.is_empty() => Err(error),
            _ => Ok(self),
        }
    }
}

fn count(merged: &Merged, which: impl Fn(&RowOutcome) -> bool) -> usize {
    merged
        .items
        .iter()
        .filter(|(_, placed)| which(placed))
        .count()
}

/// Live GPOs.
async fn live(args: &PopulateArgs, ui: &Ui) -> Result<Read> {
    let session = args.connection.connect().await?;
    let gpos = if args.from.all {
        let list = session.directory().gpo_list().await?;
        for message in list.warnings(&session.info().base) {
            ui.message(&message);
        }
        list.gpos
    } else {
        let mut gpos = Vec::new();
        for name in &args.from.from_gpo {
            gpos.push(session.directory().find_gpo(name).await?);
        }
        gpos
    };
    let control = ui.control();
    let total = u64::try_from(gpos.len()).unwrap_or(u64::MAX);
    let mut all = Read::default();
    for (done, gpo) in (0_u64..).zip(&gpos) {
        control.report(Phase::Read, done, total, 0);
        let read = async {
            let mut live = read_gpo(&session, gpo, &control).await?;
            take_inventory(&session, &mut live.snapshot).await?;
            Ok(live.snapshot)
        };
        all.note(&gpo.display_name, read.await)?;
    }
    control.report(Phase::Read, total, total, 0);
    all.finish()
}

/// The GPOs of backups.
async fn stored(args: &PopulateArgs, messages: &mut Vec<StatusMessage>) -> Result<Read> {
    let mut all = Read::default();
    let mut specs = Vec::new();
    match &args.backup_dir {
        Some(dir) if args.from.all => {
            for entry in crate::backup::list(dir)? {
                let path = entry.info.path.to_string_lossy().into_owned();
                if entry.present {
                    specs.push(path);
                } else {
                    all.miss(
                        &path,
                        "manifest.xml lists it, but its folder does not exist",
                    );
                }
            }
        }
        _ => specs.clone_from(&args.from.from_backup),
    }
    for spec in specs {
        let read = match read_backup(spec.clone(), args.backup_dir.clone()).await {
            Ok(backup) => {
                let damage = backup.damage_warnings();
                messages.extend(
                    damage
                        .into_iter()
                        .chain(backup.problems)
                        .map(|problem| problem.of_gpo(&backup.snapshot.display_name)),
                );
                Ok(backup.snapshot)
            }
            Err(error) => Err(error),
        };
        all.note(&spec, read)?;
    }
    all.finish()
}

/// The outcome of an item, in one word.
fn action(placed: &RowOutcome) -> &'static str {
    match placed {
        RowOutcome::Added => "added",
        RowOutcome::Present(_) => "present",
        RowOutcome::Skipped(_) => "left",
    }
}

/// The row that names an item: its source, and its line in the file.
fn as_json(table: &MigTable, item: &RowCandidate, placed: &RowOutcome) -> serde_json::Value {
    let (source, reason) = match placed {
        RowOutcome::Added => (Some(&item.entry.source), None),
        RowOutcome::Present(source) => (Some(source), None),
        RowOutcome::Skipped(reason) => (None, Some(reason)),
    };
    let row = source.and_then(|source| table.get(source));
    serde_json::json!({
        "action": action(placed),
        "source": item.entry.source,
        "type": item.entry.kind.as_str(),
        "name": item.name,
        "inventoried_by_gpmc": item.scope == Scope::Gpmc,
        "from_dacl": item.from_dacl,
        "gpo": item.gpo,
        "row": row.map(super::row_json),
        "reason": reason,
        "places": item.places,
    })
}

/// The references that GPMC finds, then those that only gpoctl finds.
fn show(merged: &Merged, ui: &Ui) {
    let line = |(item, placed): &(RowCandidate, RowOutcome)| {
        let mut note = match placed {
            RowOutcome::Present(source) if *source != item.entry.source => format!("as {source}"),
            _ => item.name.clone().unwrap_or_default(),
        };
        if item.from_dacl {
            note = format!("permissions only {note}");
        }
        let mut cells = vec![
            printable(&item.entry.source),
            item.entry.kind.to_string(),
            action(placed).to_owned(),
        ];
        match item.scope {
            Scope::Gpmc => cells.push(note.trim_end().to_owned()),
            Scope::All => {
                let place = item
                    .places
                    .first()
                    .map(Place::to_string)
                    .unwrap_or_default();
                let more = match item.places.len().saturating_sub(1) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                cells.push(note);
                cells.push(format!("{place}{more}"));
            }
        }
        cells
    };
    let (gpmc, all): (Vec<_>, Vec<_>) = merged
        .items
        .iter()
        .partition(|(item, _)| item.scope == Scope::Gpmc);
    if !gpmc.is_empty() {
        ui.table(
            &["SOURCE", "TYPE", "ROW", "NOTE"],
            gpmc.into_iter().map(line).collect(),
        );
    }
    if !all.is_empty() {
        ui.heading("References that only gpoctl finds; GPMC does not map them, even with a row");
        ui.table(
            &["SOURCE", "TYPE", "ROW", "NAME", "PLACE"],
            all.into_iter().map(line).collect(),
        );
    }
}

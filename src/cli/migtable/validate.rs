//! `gpoctl migtable validate`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::file;
use crate::cli::check::exit_status;
use crate::cli::connection::ConnectionArgs;
use crate::cli::hints;
use crate::cli::mapping::{ScopeChoice, UncChoice};
use crate::cli::ui::{Colour, Ui, counted};
use crate::cli::writing::read_backup;
use crate::domain::principals::PrincipalDirectory;
use crate::error::{Error, ErrorKind, Result};
use crate::formats::migtable::{Destination, EntryType};
use crate::message::{Code, Severity, StatusMessage, printable};
use crate::migration::map::MapOptions;
use crate::migration::table::{MigrationTable, TableRow};
use crate::migration::validate::{TableFinding, attach_to_rows, validate};
use crate::model::domain_name::DomainName;
use crate::model::snapshot::GpoSnapshot;
use crate::model::unc_path::UncPath;
use crate::session::read::{read_gpo, take_inventory};
use crate::sysvol::probe;

/// How long a host may take to answer by default.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Check a table for mistakes
///
/// Checks the file and its rows. With --against, also checks that the rows match the references of GPOs; with --domain, also looks
/// up every destination in the target domain. Nothing is changed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl migtable validate lab.migtable --domain lab.example \\\n      --against '/backups/{7F2DE5D7-B30E-4F9D-BA75-BCD4990C090D}'\n  gpoctl migtable validate lab.migtable --domain lab.example --strict \\\n      --from corp.example --against \"Workstation Security\""
)]
pub(in crate::cli) struct ValidateArgs {
    /// Migration table
    file: PathBuf,

    #[command(flatten)]
    compared: ComparedArgs,

    /// Folder of the backups to check against
    #[arg(
        long,
        value_name = "DIR",
        requires = "compared",
        conflicts_with = "from"
    )]
    backup_dir: Option<PathBuf>,

    /// Domain of the GPOs to check against (needs a profile)
    #[arg(long, value_name = "DOMAIN", requires = "compared")]
    from: Option<String>,

    /// Report a reference without a row as an error
    #[arg(long, requires = "compared")]
    exclusive: bool,

    /// Check references found anywhere, or only those that GPMC maps
    #[arg(long, value_enum, value_name = "SCOPE", default_value = "all")]
    scope: ScopeChoice,

    /// Use a UNC row for exactly that path, or for every path below it
    #[arg(long, value_enum, value_name = "HOW", default_value = "exact")]
    unc_match: UncChoice,

    /// Test whether this file server answers over SMB, without logging in; no other server is contacted
    #[arg(long, value_name = "HOST")]
    probe_unc: Vec<String>,

    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// At most one of them.
#[derive(Debug, Args)]
#[group(id = "compared", multiple = false)]
struct ComparedArgs {
    /// Backups to check against: {ID} folders, or with --backup-dir IDs, unique ID prefixes or GPO names; with --from, GPOs
    #[arg(long, value_name = "BACKUP|GPO", num_args = 1..)]
    against: Vec<String>,

    /// Check against every backup in --backup-dir, or every GPO of the domain in --from
    #[arg(long)]
    all: bool,
}

pub(in crate::cli) async fn run(args: ValidateArgs, ui: &Ui) -> Result<u8> {
    let bytes = file::bytes(&args.file)?;
    let name = file::name(&args.file);
    let hosts: Vec<DomainName> = args
        .probe_unc
        .iter()
        .map(|host| {
            host.parse()
                .map_err(|cause| Error::new(ErrorKind::Usage, "--probe-unc").with_source(cause))
        })
        .collect::<Result<_>>()?;
    let snapshots = snapshots(&args, ui).await?;
    let target = if args.connection.names_a_domain() {
        Some(args.connection.connect().await?)
    } else {
        None
    };
    let options = MapOptions {
        exclusive: args.exclusive,
        scope: args.scope.into(),
        unc_match: args.unc_match.into(),
        // A table made with --include-dacl has rows for these principals.
        dacl: true,
        ..MapOptions::default()
    };
    let directory = target
        .as_ref()
        .map(|session| -> &dyn PrincipalDirectory { session.directory() });
    let mut checked = validate(&name, &bytes, &snapshots, directory, &options).await?;
    hints::complete(
        checked
            .findings
            .iter_mut()
            .map(|finding| &mut finding.message),
    );
    if let Some(table) = &checked.table {
        let timeout = args.connection.timeout().unwrap_or(PROBE_TIMEOUT);
        for host in &hosts {
            let silent = probe_host(table, host, timeout).await?;
            checked.findings.extend(silent);
        }
    }
    let count = |severity: Severity| {
        checked
            .findings
            .iter()
            .filter(|finding| finding.message.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let worst = checked
        .findings
        .iter()
        .map(|finding| match finding.message.severity {
            Severity::Warning if args.strict => Severity::Error,
            severity => severity,
        })
        .max();
    let failed = worst == Some(Severity::Error);
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": if failed { "failed" } else { "done" },
            "file": args.file,
            "rows": checked.table.as_ref().map(|table| table.rows().len()),
            "errors": errors,
            "warnings": warnings,
            "findings": checked.findings,
        }))?;
    } else {
        let mut last_hint = None;
        for finding in &checked.findings {
            show(finding, ui);
            let hint = finding.message.hint.as_ref();
            if let Some(hint) = hint.filter(|_| hint != last_hint) {
                ui.coloured(Colour::Dim, &format!("  {hint}"));
            }
            last_hint = hint;
        }
        ui.say(&format!(
            "{}: {}, {}",
            args.file.display(),
            counted(errors, "error"),
            counted(warnings, "warning")
        ));
    }
    Ok(exit_status(worst))
}

/// The GPOs that the table is checked against.
async fn snapshots(args: &ValidateArgs, ui: &Ui) -> Result<Vec<GpoSnapshot>> {
    match (&args.from, &args.backup_dir) {
        (Some(domain), _) => live_snapshots(domain, &args.compared, ui).await,
        (None, None) if args.compared.all => Err(Error::new(
            ErrorKind::Usage,
            "--all needs to know where the GPOs are",
        )
        .with_hint("add --backup-dir DIR for backups, or --from DOMAIN for live GPOs")),
        (None, dir) => stored_snapshots(dir.as_ref(), &args.compared, ui).await,
    }
}

async fn stored_snapshots(
    dir: Option<&PathBuf>,
    compared: &ComparedArgs,
    ui: &Ui,
) -> Result<Vec<GpoSnapshot>> {
    let mut specs = compared.against.clone();
    if let Some(dir) = dir.filter(|_| compared.all) {
        let backups = crate::backup::list(dir)?;
        if backups.is_empty() {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no backup in {}", dir.display()),
            ));
        }
        specs.extend(
            backups
                .iter()
                .map(|entry| entry.info.path.to_string_lossy().into_owned()),
        );
    }
    let mut snapshots = Vec::new();
    for spec in specs {
        let backup = read_backup(spec, dir.cloned())
            .await
            .map_err(|error| match dir {
                None if error.kind() == ErrorKind::NotFound => error.with_hint(
                    "name the {ID} folder, or use --backup-dir DIR, with --all for every backup in it; for a live GPO, use --from DOMAIN",
                ),
                _ => error,
            })?;
        for message in backup.damage_warnings() {
            ui.message(&message);
        }
        snapshots.push(backup.snapshot);
    }
    Ok(snapshots)
}

async fn live_snapshots(
    domain: &str,
    compared: &ComparedArgs,
    ui: &Ui,
) -> Result<Vec<GpoSnapshot>> {
    let session = ConnectionArgs::profile(domain).connect().await?;
    let control = ui.control();
    let gpos = if compared.all {
        let list = session.directory().gpo_list().await?;
        for message in list.warnings(&session.info().base) {
            ui.message(&message);
        }
        list.gpos
    } else {
        let mut gpos = Vec::new();
        for name in &compared.against {
            gpos.push(session.directory().find_gpo(name).await?);
        }
        gpos
    };
    let mut snapshots = Vec::new();
    for gpo in &gpos {
        let mut live = read_gpo(&session, gpo, &control).await?;
        take_inventory(&session, &mut live.snapshot).await?;
        snapshots.push(live.snapshot);
    }
    Ok(snapshots)
}

/// The path a row leads to, when it is one of this host.
fn path_to(row: &TableRow, host: &DomainName) -> Option<UncPath> {
    let text = match (row.kind, &row.destination) {
        (EntryType::UncPath, Destination::Set(text)) => text,
        (EntryType::UncPath, Destination::SameAsSource) => &row.source,
        _ => return None,
    };
    let path: UncPath = text.parse().ok()?;
    path.server()
        .eq_ignore_ascii_case(host.as_str())
        .then_some(path)
}

/// A finding for each row that leads to this host, when it does not answer.
async fn probe_host(
    table: &MigrationTable,
    host: &DomainName,
    timeout: Duration,
) -> Result<Vec<TableFinding>> {
    let rows: Vec<(&TableRow, UncPath)> = table
        .rows()
        .iter()
        .filter_map(|row| Some((row, path_to(row, host)?)))
        .collect();
    if rows.is_empty() {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("no row of the table has a path on the host {host}, so it was not tested"),
        )
        .with_hint("use the host name of a destination \\\\HOST\\share"));
    }
    let Err(silent) = probe::answers(host, timeout).await else {
        return Ok(Vec::new());
    };
    let messages = rows.into_iter().map(|(row, path)| {
        let text = format!("UNC path \"{}\": {silent}", printable(path.as_str()));
        StatusMessage::warning(Code::UncHostSilent, text)
            .at(table.place(row))
            .with_hint("check the name and the network; clients may still be able to reach it")
    });
    Ok(attach_to_rows(table, messages.collect()))
}

/// A finding as compilers show theirs. Its hint is shown by the caller, once for consecutive findings with the same one.
fn show(finding: &TableFinding, ui: &Ui) {
    let message = &finding.message;
    let (word, colour) = match message.severity {
        Severity::Info => ("note", Colour::Plain),
        Severity::Warning => ("warning", Colour::Yellow),
        Severity::Error => ("error", Colour::Red),
    };
    let gpo = message
        .gpo
        .as_ref()
        .map(|gpo| format!("GPO \"{}\": ", printable(gpo)))
        .unwrap_or_default();
    let mut place = message
        .place
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    if let Some(column) = finding.column {
        place = format!("{place}:{column}");
    }
    if let Some(row) = finding.row {
        place = format!("{place} (row {row})");
    }
    ui.coloured(
        colour,
        &format!("{gpo}{place}: {word}: {} [{}]", message.text, message.code),
    );
}

//! `gpoctl wmi`

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::connection::ConnectionArgs;
use super::list::NOT_READABLE;
use super::ui::Ui;
use super::writing::{WritingArgs, finish};
use crate::backup::folder::{Folder, SHARED_FILE, read_named};
use crate::directory::GpoObject;
use crate::directory::wmi::WmiFilter;
use crate::error::{Error, ErrorKind, Result};
use crate::formats::wmi_mof;
use crate::model::guid::Guid;
use crate::model::snapshot::WmiFilterLink;
use crate::model::wmi_filter::WmiFilterFile;
use crate::operations::wmi::{IfExists, plan_import, plan_link, read_file, to_file};

/// List, export, import and link WMI filters
#[derive(Debug, Subcommand)]
pub(super) enum WmiCommand {
    List(ListArgs),
    Show(ShowArgs),
    Export(ExportArgs),
    Import(ImportArgs),
    Link(LinkArgs),
}

/// List the WMI filters of a domain and the GPOs that use them
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl wmi list --domain corp.example\n  gpoctl wmi list --domain corp.example --json | jq -r '.filters[].name'"
)]
pub(super) struct ListArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Show a WMI filter and its queries
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl wmi show Laptops --domain corp.example\n  gpoctl wmi show '{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01}' --json \\\n      --domain corp.example"
)]
pub(super) struct ShowArgs {
    /// Name or ID
    filter: String,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Export a WMI filter to a file, in GPMC's format or as JSON
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl wmi export Laptops --to laptops.mof --domain corp.example\n  gpoctl wmi export Laptops --to laptops.json --format json \\\n      --domain corp.example"
)]
pub(super) struct ExportArgs {
    /// Name or ID
    filter: String,

    /// File to write; must not exist
    #[arg(long, value_name = "FILE")]
    to: PathBuf,

    /// File format; gpoctl wmi import reads both
    #[arg(long, value_enum, default_value = "mof")]
    format: Format,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Create a WMI filter from a file exported by GPMC or gpoctl
///
/// A filter that was exported from the same domain keeps its ID if that is free, so that existing links to it work again.
/// Otherwise it gets a new ID.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl wmi import laptops.mof --domain lab.example --dry-run\n  gpoctl wmi import laptops.mof --name \"Laptops (old)\" --domain lab.example"
)]
pub(super) struct ImportArgs {
    /// File to read: .mof or JSON
    file: PathBuf,

    /// Name of the filter, instead of the one in the file
    #[arg(long, conflicts_with = "replace")]
    name: Option<String>,

    /// Replace the description and queries of the existing filter with the same name
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Link a WMI filter to a GPO, or remove the link
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true),
    override_usage = "gpoctl wmi link [OPTIONS] <GPO> <FILTER|--none>",
    after_help = "Examples:\n  gpoctl wmi link \"Workstation Security\" Laptops --domain corp.example\n  gpoctl wmi link \"Workstation Security\" --none --domain corp.example"
)]
pub(super) struct LinkArgs {
    /// Display name, GUID, or unique GUID prefix
    gpo: String,

    /// Name or ID of the filter
    #[arg(group = "what")]
    filter: Option<String>,

    /// Remove the link
    #[arg(long, group = "what")]
    none: bool,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// GPMC's format
    Mof,
    /// JSON
    Json,
}

pub(super) async fn run(command: WmiCommand, ui: &Ui) -> Result<u8> {
    match command {
        WmiCommand::List(args) => list(args, ui).await,
        WmiCommand::Show(args) => show(args, ui).await,
        WmiCommand::Export(args) => export(args, ui).await,
        WmiCommand::Import(args) => import(args, ui).await,
        WmiCommand::Link(args) => link(args, ui).await,
    }
}

/// The GPOs that use a filter, by display name.
fn users(gpos: &[GpoObject], id: Guid) -> Vec<&str> {
    gpos.iter()
        .filter(|gpo| {
            let link = gpo.wmi_filter.as_deref().and_then(WmiFilterLink::parse);
            link.is_some_and(|link| link.id == id)
        })
        .map(|gpo| gpo.display_name.as_str())
        .collect()
}

async fn list(args: ListArgs, ui: &Ui) -> Result<u8> {
    let session = args.connection.connect().await?;
    let list = session.directory().wmi_filter_list().await?;
    let messages = list.warnings();
    let (filters, unreadable) = (list.filters, list.unreadable);
    let gpos = session.directory().gpos().await?;
    if ui.is_json() {
        let filters: Vec<serde_json::Value> = filters
            .iter()
            .map(|filter| {
                serde_json::json!({
                    "id": filter.id,
                    "name": filter.name,
                    "description": filter.description,
                    "author": filter.author,
                    "changed": filter.changed,
                    "unreadable": filter.unreadable,
                    "gpos": users(&gpos, filter.id),
                })
            })
            .collect();
        ui.json(&serde_json::json!({
            "format_version": 1,
            "domain": session.info().dns_domain,
            "filters": filters,
            "unreadable_filters": unreadable,
            "messages": messages,
        }))?;
        return Ok(0);
    }
    let rows: Vec<Vec<String>> = filters
        .iter()
        .map(|filter| {
            vec![
                match filter.unreadable.contains(&"msWMI-Name") {
                    true => NOT_READABLE.to_owned(),
                    false => filter.name.clone(),
                },
                filter.id.to_string(),
                filter.description.clone(),
                users(&gpos, filter.id).join("; "),
            ]
        })
        .collect();
    if rows.is_empty() {
        ui.say("no WMI filters");
    } else {
        ui.table(&["NAME", "ID", "DESCRIPTION", "GPOS"], rows);
    }
    for message in &messages {
        ui.message(message);
    }
    Ok(0)
}

async fn show(args: ShowArgs, ui: &Ui) -> Result<u8> {
    let session = args.connection.connect().await?;
    let filter = session.directory().find_wmi_filter(&args.filter).await?;
    let file = to_file(&filter, &session.info().dns_domain)?;
    let gpos = session.directory().gpos().await?;
    let users = users(&gpos, filter.id);
    if ui.is_json() {
        let mut document = json_of(&file)?;
        if let Some(fields) = document.as_object_mut() {
            fields.insert("gpos".to_owned(), serde_json::json!(users));
        }
        ui.json(&document)?;
        return Ok(0);
    }
    for (name, value) in [
        ("Name", &file.name),
        ("ID", &file.id),
        ("Description", &file.description),
        ("Author", &file.author),
        ("Created", &shown_time(&file.created)),
        ("Changed", &shown_time(&file.changed)),
        ("GPOs", &users.join("; ")),
    ] {
        if !value.is_empty() {
            ui.line(&format!("{name:11}  {value}"));
        }
    }
    ui.heading("Queries");
    for query in &file.queries {
        ui.line(&format!("{}  {}", query.namespace, query.query));
    }
    Ok(0)
}

/// A time of WMI, `20260131120000.000000-000`, written like the times of backups; one of another form as it is.
fn shown_time(time: &str) -> String {
    let parsed = time
        .get(..14)
        .and_then(|digits| jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", digits).ok());
    match parsed {
        Some(parsed) => parsed.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
        None => time.to_owned(),
    }
}

/// A filter as JSON, in the form import reads.
fn json_of(file: &WmiFilterFile) -> Result<serde_json::Value> {
    let mut document = serde_json::to_value(file).map_err(|cause| {
        Error::new(ErrorKind::Internal, "the filter cannot be written as JSON").with_source(cause)
    })?;
    if let Some(fields) = document.as_object_mut() {
        fields.insert("format_version".to_owned(), 1.into());
    }
    Ok(document)
}

async fn export(args: ExportArgs, ui: &Ui) -> Result<u8> {
    let session = args.connection.connect().await?;
    let filter = session.directory().find_wmi_filter(&args.filter).await?;
    let file = to_file(&filter, &session.info().dns_domain)?;
    let bytes = match args.format {
        Format::Mof => wmi_mof::write(&file).map_err(|cause| {
            Error::new(ErrorKind::Internal, "the filter cannot be written").with_source(cause)
        })?,
        Format::Json => {
            let mut text = format!("{:#}", json_of(&file)?);
            text.push('\n');
            text.into_bytes()
        }
    };
    write_new(&args.to, &bytes)?;
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": "done",
            "file": args.to,
            "id": file.id,
            "name": file.name,
        }))?;
    } else {
        ui.say(&format!(
            "wrote the WMI filter \"{}\" to {}",
            file.name,
            args.to.display()
        ));
    }
    Ok(0)
}

pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    Folder::of_file(path)
        .and_then(|(folder, name)| folder.write_new(name, bytes, SHARED_FILE))
        .map_err(|cause| {
            let kind = match cause.kind() {
                std::io::ErrorKind::AlreadyExists => ErrorKind::Conflict,
                _ => ErrorKind::Internal,
            };
            let error =
                Error::new(kind, format!("cannot write {}", path.display())).with_source(cause);
            match kind {
                ErrorKind::Conflict => error.with_hint("choose another file name"),
                _ => error,
            }
        })
}

/// Reads the file of a filter.
fn load(path: &Path) -> Result<WmiFilterFile> {
    let bytes = read_named(path, wmi_mof::MAX_BYTES).map_err(|cause| {
        Error::new(
            ErrorKind::NotFound,
            format!("cannot read {}", path.display()),
        )
        .with_source(cause)
    })?;
    read_file(&path.display().to_string(), &bytes)
}

async fn import(args: ImportArgs, ui: &Ui) -> Result<u8> {
    // Problems on the local disk are reported before anything connects.
    let mut file = load(&args.file)?;
    if let Some(name) = &args.name {
        file.name.clone_from(name);
    }
    let domain = args.connection.connect_writer().await?;
    let session = domain.session();
    let directory = session.directory();
    let existing: Vec<WmiFilter> = directory.wmi_filters().await?;
    let if_exists = if args.replace {
        IfExists::Replace
    } else {
        IfExists::Refuse
    };
    let container = directory.wmi_container();
    let list = plan_import(session.info(), &container, &existing, &file, if_exists)?;
    finish(&domain, list, &args.writing, &ui.control(), ui).await
}

async fn link(args: LinkArgs, ui: &Ui) -> Result<u8> {
    let domain = args.connection.connect_writer().await?;
    let session = domain.session();
    let gpo = session.directory().find_gpo(&args.gpo).await?;
    let filter = match &args.filter {
        Some(filter) => Some(session.directory().find_wmi_filter(filter).await?),
        None => None,
    };
    let list = plan_link(&session.info().dns_domain, &gpo, filter.as_ref())?;
    finish(&domain, list, &args.writing, &ui.control(), ui).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_pipe_and_a_file_without_end_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [&pipe, Path::new("/dev/zero")] {
            let error = load(path).unwrap_err();
            assert!(
                error.to_string().contains("it is not a plain file"),
                "{error}"
            );
        }
        let large = dir.path().join("large");
        let file = std::fs::File::create(&large).unwrap();
        std::io::Write::write_all(&mut &file, b"{").unwrap();
        file.set_len(1 << 40).unwrap();
        let error = load(&large).unwrap_err();
        assert!(error.to_string().contains("has at most"), "{error}");
    }

    #[test]
    fn times_of_wmi_are_shown_like_others() {
        assert_eq!(
            shown_time("20240105101500.000000-000"),
            "2024-01-05T10:15:00"
        );
        for other in ["", "2024", "20241305101500.000000-000", "ä20240105101500"] {
            assert_eq!(shown_time(other), other);
        }
    }
}

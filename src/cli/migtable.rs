//! `gpoctl migtable`

use clap::{Subcommand, ValueEnum};

use super::ui::Ui;
use crate::error::Result;
use crate::formats::migtable::{Destination, EntryType, Row};
use crate::model::principal::PrincipalType;

pub(super) mod file;
mod fill;
mod new;
mod populate;
mod remove;
mod set;
mod show;
mod suggest;
mod validate;

/// Create, edit, fill in and check migration tables
///
/// A migration table maps the users, groups, computers and UNC paths of one domain to those of another. The file format is that of
/// GPMC's Migration Table Editor. An edit changes only the rows it names; the rest of the file is kept byte for byte. More:
/// gpoctl help migration-tables.
#[derive(Debug, Subcommand)]
pub(super) enum MigtableCommand {
    // Without comments here the help is that of the arguments, paragraphs and all.
    New(new::NewArgs),
    Show(show::ShowArgs),
    Set(set::SetArgs),
    Remove(remove::RemoveArgs),
    Populate(Box<populate::PopulateArgs>),
    Suggest(Box<suggest::SuggestArgs>),
    Fill(fill::FillArgs),
    Validate(Box<validate::ValidateArgs>),
}

pub(super) async fn run(command: MigtableCommand, ui: &Ui) -> Result<u8> {
    match command {
        MigtableCommand::New(args) => new::run(&args, ui),
        MigtableCommand::Show(args) => show::run(&args, ui),
        MigtableCommand::Set(args) => set::run(args, ui),
        MigtableCommand::Remove(args) => remove::run(&args, ui),
        MigtableCommand::Populate(args) => populate::run(*args, ui).await,
        MigtableCommand::Suggest(args) => suggest::run(*args, ui).await,
        MigtableCommand::Fill(args) => fill::run(&args, ui),
        MigtableCommand::Validate(args) => validate::run(*args, ui).await,
    }
}

/// The type of a row, with the names in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TypeChoice {
    #[value(name = "User")]
    User,
    #[value(name = "Computer")]
    Computer,
    /// Domain local group
    #[value(name = "LocalGroup")]
    LocalGroup,
    #[value(name = "GlobalGroup")]
    GlobalGroup,
    #[value(name = "UniversalGroup")]
    UniversalGroup,
    #[value(name = "UNCPath")]
    UncPath,
    /// Free text, a SID, or a well-known principal
    #[value(name = "Unknown")]
    Unknown,
}

impl From<TypeChoice> for EntryType {
    fn from(choice: TypeChoice) -> Self {
        Self::Principal(match choice {
            TypeChoice::User => PrincipalType::User,
            TypeChoice::Computer => PrincipalType::Computer,
            TypeChoice::LocalGroup => PrincipalType::LocalGroup,
            TypeChoice::GlobalGroup => PrincipalType::GlobalGroup,
            TypeChoice::UniversalGroup => PrincipalType::UniversalGroup,
            TypeChoice::Unknown => PrincipalType::Unknown,
            TypeChoice::UncPath => return Self::UncPath,
        })
    }
}

/// A row for JSON.
fn row_json(row: &Row) -> serde_json::Value {
    let (option, text) = match &row.destination {
        Destination::SameAsSource => ("same-as-source", None),
        Destination::None => ("none", None),
        Destination::ByRelativeName => ("by-relative-name", None),
        Destination::Set(text) => ("set", Some(text)),
    };
    serde_json::json!({
        "row": row.number,
        "line": row.element.line,
        "type": row.kind.as_str(),
        "source": row.source,
        "option": option,
        "destination": text,
    })
}

/// A destination among others in a column: options in parentheses, so that they cannot be taken for names.
fn shown_destination(destination: &Destination) -> String {
    match destination {
        Destination::Set(text) => text.clone(),
        option => format!("({option})"),
    }
}

/// A row in one line.
fn shown_row(row: &Row) -> String {
    format!(
        "{} {} -> {}",
        row.kind,
        row.source,
        shown_destination(&row.destination)
    )
}

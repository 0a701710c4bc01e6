//! `gpoctl link`

use std::borrow::Cow;
use std::collections::BTreeMap;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::connection::ConnectionArgs;
use super::hints;
use super::list::NOT_READABLE;
use super::ui::Ui;
use super::writing::{WritingArgs, finish};
use crate::directory::links::Som;
use crate::directory::som_name::names_a_som;
use crate::directory::unreadable::{Existence, Existences};
use crate::directory::{Directory, GpoObject};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{StatusMessage, printable};
use crate::model::dn::Dn;
use crate::model::gp_link::{GpLink, LinkList};
use crate::model::guid::Guid;
use crate::operations::link::{
    LinkEdit, link_finding, plan, plan_inheritance, plan_removal, unknown_link,
};

/// List and change links of GPOs to domains, OUs and sites
#[derive(Debug, Subcommand)]
pub(super) enum LinkCommand {
    List(ListArgs),
    Add(AddArgs),
    Set(SetArgs),
    Remove(RemoveArgs),
}

/// List the links of a GPO, of a domain, OU or site, or all
///
/// Link order 1 has the highest precedence, as in GPMC.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true),
    after_help = "Examples:\n  gpoctl link list \"Workstation Security\" --domain corp.example\n  gpoctl link list corp.example/Workstations --domain corp.example --json"
)]
pub(super) struct ListArgs {
    /// A GPO (display name, GUID, or unique GUID prefix), or a domain, OU or site (DN, path such as corp.example/Staff, or name)
    #[arg(group = "what", value_name = "GPO|TARGET")]
    subject: Option<String>,

    /// Every link in the domain and its sites
    #[arg(long, group = "what")]
    all: bool,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Link a GPO to the domain, an OU or a site
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl link add \"Workstation Security\" \\\n      --target corp.example/Workstations --domain corp.example\n  gpoctl link add 31b2f340 --order 1 --enforced --domain corp.example \\\n      --target corp.example/Configuration/Sites/Berlin"
)]
pub(super) struct AddArgs {
    /// Display name, GUID, or unique GUID prefix
    gpo: String,

    /// Domain, OU or site: DN, path such as corp.example/Staff, or name
    #[arg(long, value_name = "TARGET")]
    target: String,

    /// Link order; 1 has the highest precedence. By default, the link is added last
    #[arg(long, value_name = "N")]
    order: Option<usize>,

    /// Enforce the link
    #[arg(long)]
    enforced: bool,

    /// Add the link disabled
    #[arg(long)]
    disabled: bool,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Change the order or state of a link, or block inheritance
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl link set \"Workstation Security\" --order 1 --enforced yes \\\n      --target corp.example/Workstations --domain corp.example\n  gpoctl link set --target corp.example/Kiosk --block-inheritance yes \\\n      --domain corp.example"
)]
pub(super) struct SetArgs {
    /// GPO of the link: display name, GUID, or unique GUID prefix
    #[arg(required_unless_present = "block_inheritance")]
    gpo: Option<String>,

    /// Domain, OU or site: DN, path such as corp.example/Staff, or name
    #[arg(long, value_name = "TARGET")]
    target: String,

    /// Link order; 1 has the highest precedence
    #[arg(long, value_name = "N", requires = "gpo")]
    order: Option<usize>,

    /// Enforce the link, or stop enforcing it
    #[arg(long, value_enum, value_name = "YES|NO", requires = "gpo")]
    enforced: Option<Answer>,

    /// Enable or disable the link
    #[arg(long, value_enum, value_name = "YES|NO", requires = "gpo")]
    enabled: Option<Answer>,

    /// Block inheritance at a domain or OU, or stop blocking it
    #[arg(long, value_enum, value_name = "YES|NO", conflicts_with = "gpo")]
    block_inheritance: Option<Answer>,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Remove a link; the GPO itself is not deleted
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl link remove \"Workstation Security\" --domain corp.example \\\n      --target corp.example/Workstations --dry-run\n  gpoctl link remove 31b2f340 --target OU=Staff,DC=corp,DC=example \\\n      --domain corp.example --yes"
)]
pub(super) struct RemoveArgs {
    /// Display name, GUID, or unique GUID prefix
    gpo: String,

    /// Domain, OU or site: DN, path such as corp.example/Staff, or name
    #[arg(long, value_name = "TARGET")]
    target: String,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Answer {
    Yes,
    No,
}

impl Answer {
    fn is_yes(self) -> bool {
        self == Self::Yes
    }
}

pub(super) async fn run(command: LinkCommand, ui: &Ui) -> Result<u8> {
    match command {
        LinkCommand::List(args) => list(args, ui).await,
        LinkCommand::Add(args) => {
            let edit = LinkEdit::Add {
                order: args.order,
                enforced: args.enforced,
                disabled: args.disabled,
            };
            change(
                &args.gpo,
                &args.target,
                edit,
                &args.writing,
                &args.connection,
                ui,
            )
            .await
        }
        LinkCommand::Remove(args) => {
            let edit = LinkEdit::Remove;
            change(
                &args.gpo,
                &args.target,
                edit,
                &args.writing,
                &args.connection,
                ui,
            )
            .await
        }
        LinkCommand::Set(args) => set(args, ui).await,
    }
}

async fn set(args: SetArgs, ui: &Ui) -> Result<u8> {
    if let Some(answer) = args.block_inheritance {
        let domain = args.connection.connect_writer().await?;
        let session = domain.session();
        let som = session.directory().find_som(&args.target).await?;
        let list = plan_inheritance(&session.info().dns_domain, &som, answer.is_yes())?;
        return finish(&domain, list, &args.writing, &ui.control(), ui).await;
    }
    let edit = LinkEdit::Set {
        order: args.order,
        enforced: args.enforced.map(Answer::is_yes),
        disabled: args.enabled.map(|answer| !answer.is_yes()),
    };
    let nothing = LinkEdit::Set {
        order: None,
        enforced: None,
        disabled: None,
    };
    if edit == nothing {
        return Err(Error::new(ErrorKind::Usage, "no change given")
            .with_hint("use --order, --enforced or --enabled"));
    }
    let gpo = args.gpo.unwrap_or_default();
    change(
        &gpo,
        &args.target,
        edit,
        &args.writing,
        &args.connection,
        ui,
    )
    .await
}

async fn change(
    gpo: &str,
    target: &str,
    edit: LinkEdit,
    writing: &WritingArgs,
    connection: &ConnectionArgs,
    ui: &Ui,
) -> Result<u8> {
    let domain = connection.connect_writer().await?;
    let session = domain.session();
    let (directory, info) = (session.directory(), session.info());
    let found = directory.find_gpo(gpo).await;
    let som = directory.find_som(target).await?;
    let list = match (found, gpo.parse::<Guid>()) {
        // A link may lead to a GPO that does not exist any more, or that this account does not see.
        (Err(error), Ok(guid))
            if edit == LinkEdit::Remove
                && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Denied) =>
        {
            plan_removal(&info.dns_domain, &som, guid, &info.base.gpo(guid))?
        }
        (found, _) => plan(&info.dns_domain, &som, &found?, edit)?,
    };
    finish(&domain, list, writing, &ui.control(), ui).await
}

async fn list(args: ListArgs, ui: &Ui) -> Result<u8> {
    let session = args.connection.connect().await?;
    let directory = session.directory();
    let (soms, gpo) = match &args.subject {
        None => (directory.linked_soms().await?, None),
        Some(text) => match subject(directory, text).await? {
            Subject::Som(som) => (vec![*som], None),
            Subject::Gpo(gpo) => {
                let mut soms = directory.linked_soms().await?;
                soms.retain(|som| links(som).links().any(|link| link.is_to(&gpo.dn)));
                (soms, Some(gpo))
            }
        },
    };
    let list = directory.gpo_list().await?;
    let existences = list.existences();
    let names: BTreeMap<Guid, &str> = list
        .gpos
        .iter()
        .map(|gpo| (gpo.guid, gpo.display_name.as_str()))
        .collect();
    let wanted = gpo.as_ref().map(|gpo| &gpo.dn);
    let shown = Shown {
        base: &session.info().base,
        forest: &session.info().forest_domains,
        names: &names,
        existences: &existences,
        wanted,
    };
    let mut messages = Vec::new();
    for som in &soms {
        shown.notice(som, &mut messages);
    }
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "domain": session.info().dns_domain,
            "gpo": gpo.as_ref().map(|gpo| super::list::summary(gpo)),
            "targets": soms.iter().map(|som| shown.json(som)).collect::<Vec<_>>(),
            "messages": messages,
        }))?;
        return Ok(0);
    }
    let short = !ui.is_verbose() && ui.width().is_some_and(|width| width < WIDE);
    let rows: Vec<Vec<String>> = soms.iter().flat_map(|som| shown.rows(som, short)).collect();
    if rows.is_empty() {
        ui.say("no links");
    } else {
        ui.table(
            &[
                "TARGET",
                "ORDER",
                "GPO",
                "GUID",
                "ENFORCED",
                "ENABLED",
                "INHERITANCE",
            ],
            rows,
        );
    }
    for message in &messages {
        ui.message(message);
    }
    Ok(0)
}

/// On a terminal of fewer columns than this, whole GUIDs would leave no room for the names.
const WIDE: u16 = 120;

/// A GUID for a table: where there is little room, as many digits as name one GPO of nearly every domain.
fn shown_guid(guid: Guid, short: bool) -> String {
    if short {
        guid.bare().chars().take(8).collect()
    } else {
        guid.to_string()
    }
}

/// The argument of `link list`.
enum Subject {
    Gpo(Box<GpoObject>),
    Som(Box<Som>),
}

/// A DN or a path is a target; anything else is a GPO first, and then the bare name of a target.
async fn subject(directory: &Directory, text: &str) -> Result<Subject> {
    if names_a_som(text, directory.info()) {
        return Ok(Subject::Som(Box::new(directory.find_som(text).await?)));
    }
    match directory.find_gpo(text).await {
        Ok(gpo) => Ok(Subject::Gpo(Box::new(gpo))),
        Err(error) if error.kind() == ErrorKind::NotFound => match directory.find_som(text).await {
            Err(other) if other.kind() == ErrorKind::NotFound => {
                let hint = hints::of(&error).map(Cow::into_owned).unwrap_or_default();
                let domain = &directory.info().dns_domain;
                Err(Error::new(
                    ErrorKind::NotFound,
                    format!(
                        "there is no GPO, OU or site \"{}\" in {domain}",
                        printable(text)
                    ),
                )
                .with_hint(hint))
            }
            other => Ok(Subject::Som(Box::new(other?))),
        },
        Err(error) => Err(error),
    }
}

fn links(som: &Som) -> LinkList {
    LinkList::parse(som.gp_link.as_deref().unwrap_or_default())
}

/// What the rows of `link list` are made of.
struct Shown<'a> {
    base: &'a Dn,
    forest: &'a [Dn],
    names: &'a BTreeMap<Guid, &'a str>,
    existences: &'a Existences,
    wanted: Option<&'a Dn>,
}

impl Shown<'_> {
    /// The links to show of one object, the highest precedence first.
    fn of(&self, som: &Som) -> Vec<(usize, GpLink)> {
        let list = links(som);
        list.orders(|link| self.wanted.is_none_or(|gpo| link.is_to(gpo)))
            .into_iter()
            .filter_map(|order| Some((order, list.get(order)?.clone())))
            .collect()
    }

    /// The GUID and the name of the GPO a link names; a GPO of another domain has its DN as name.
    fn gpo(&self, link: &GpLink) -> (Option<Guid>, Option<&str>) {
        let guid = Dn::parse(&link.dn)
            .ok()
            .and_then(|dn| dn.gpo_guid(self.base));
        (guid, guid.and_then(|guid| self.names.get(&guid).copied()))
    }

    fn rows(&self, som: &Som, short: bool) -> Vec<Vec<String>> {
        let word = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let inheritance = if som.blocks_inheritance() {
            "blocked"
        } else {
            "open"
        };
        let links = self.of(som);
        if links.is_empty() && som.blocks_inheritance() {
            let mut row = vec![String::new(); 7];
            row.splice(..1, [som.dn.canonical_name()]);
            row.splice(6.., [inheritance.to_owned()]);
            return vec![row];
        }
        links
            .into_iter()
            .map(|(order, link)| {
                let (guid, name) = self.gpo(&link);
                let existence = guid.map(|guid| self.existences.of(guid));
                let name = match (name, existence) {
                    (Some(name), _) => name.to_owned(),
                    (None, Some(Existence::Unreadable)) => NOT_READABLE.to_owned(),
                    (None, _) => format!("({})", link.dn),
                };
                vec![
                    som.dn.canonical_name(),
                    order.to_string(),
                    name,
                    guid.map(|guid| shown_guid(guid, short)).unwrap_or_default(),
                    word(link.is_enforced()),
                    word(!link.is_disabled()),
                    inheritance.to_owned(),
                ]
            })
            .collect()
    }

    fn json(&self, som: &Som) -> serde_json::Value {
        let links: Vec<serde_json::Value> = self
            .of(som)
            .into_iter()
            .map(|(order, link)| {
                let (guid, name) = self.gpo(&link);
                serde_json::json!({
                    "order": order,
                    "gpo_guid": guid,
                    "gpo": name,
                    "gpo_dn": link.dn,
                    "enforced": link.is_enforced(),
                    "enabled": !link.is_disabled(),
                    "options": link.options,
                })
            })
            .collect();
        serde_json::json!({
            "dn": som.dn.to_string(),
            "path": som.dn.canonical_name(),
            "kind": som.kind,
            "block_inheritance": som.blocks_inheritance(),
            "links": links,
            "unreadable": som.unreadable,
        })
    }

    /// Adds the findings about the links of one object.
    fn notice(&self, som: &Som, messages: &mut Vec<StatusMessage>) {
        let list = links(som);
        messages.extend(som.unreadable_links());
        messages.extend(list.others().map(|other| unknown_link(som, other)));
        for (_, link) in self.of(som) {
            messages.extend(link_finding(self.base, self.forest, som, &link, |guid| {
                self.existences.of(guid)
            }));
        }
    }
}

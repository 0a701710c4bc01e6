//! `gpoctl show`

use clap::Args;

use super::connection::ConnectionArgs;
use super::list::{NOT_READABLE, shown_name, shown_time, status_of, summary};
use super::report;
use super::templates::TemplateArgs;
use super::ui::{Ui, counted};
use crate::error::Result;
use crate::migration::scan::scan;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::plan::risks;
use crate::plan::secrets::stored_passwords;
use crate::progress::Control;
use crate::session::read::{read_in_part, take_inventory, unread_parts};

/// Show one GPO: settings, permissions, links, files, references, risks
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl show \"Default Domain Policy\" --domain corp.example\n  gpoctl show 31b2f340 --domain corp.example --json"
)]
pub(super) struct ShowArgs {
    /// Display name, GUID, or unique GUID prefix
    gpo: String,

    #[command(flatten)]
    templates: TemplateArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: ShowArgs, ui: &Ui) -> Result<u8> {
    let (templates, unread) = args.templates.read()?;
    let session = args.connection.connect().await?;
    let object = session.directory().find_gpo(&args.gpo).await?;
    let mut live = read_in_part(&session, &object, &Control::default()).await?;
    take_inventory(&session, &mut live.snapshot).await?;
    let links = session.directory().links_of(object.guid).await?;
    let passwords = stored_passwords(&live.snapshot.tree);
    live.snapshot.messages.extend(passwords);
    live.snapshot.messages.extend(unread);
    let settings = || crate::settings::of_with(&live.snapshot, &templates);
    let references = || scan(&live.snapshot).references;
    let risks = || risks::of(&live.snapshot);
    let sddl = SecurityDescriptor::parse(&object.security_descriptor)
        .map(|descriptor| crate::model::sddl::to_sddl(&descriptor))
        .ok();
    if ui.is_json() {
        let mut document = summary(&object);
        if let Some(fields) = document.as_object_mut() {
            fields.insert("format_version".to_owned(), 1.into());
            fields.insert(
                "domain".to_owned(),
                serde_json::json!(session.info().dns_domain),
            );
            fields.insert(
                "sysvol_version".to_owned(),
                serde_json::json!(
                    live.snapshot
                        .sysvol_version
                        .map(|version| version.combined())
                ),
            );
            fields.insert(
                "wmi_filter".to_owned(),
                serde_json::json!(live.snapshot.wmi_filter),
            );
            fields.insert("security_descriptor".to_owned(), serde_json::json!(sddl));
            fields.insert(
                "permissions".to_owned(),
                report::permissions_json(&live.snapshot).into(),
            );
            fields.insert(
                "files".to_owned(),
                report::files_json(&live.snapshot.tree).into(),
            );
            fields.insert(
                "principals".to_owned(),
                serde_json::json!(live.snapshot.principals),
            );
            fields.insert(
                "directory_objects".to_owned(),
                serde_json::json!(live.snapshot.directory_objects),
            );
            fields.insert(
                "links".to_owned(),
                serde_json::json!(
                    links
                        .links
                        .iter()
                        .map(|link| serde_json::json!({
                            "som": link.som.dn.to_string(),
                            "order": link.order,
                            "disabled": link.link.is_disabled(),
                            "enforced": link.link.is_enforced(),
                        }))
                        .collect::<Vec<_>>()
                ),
            );
            fields.insert(
                "messages".to_owned(),
                serde_json::json!(live.snapshot.messages),
            );
        }
        ui.json(&report::WithContent {
            document,
            settings: report::Made(&settings),
            references: report::Made(&references),
            risks: report::Made(&risks),
        })?;
        return Ok(0);
    }
    let or_not = |attribute, shown: String| match object.may_read(attribute) {
        true => shown,
        false => NOT_READABLE.to_owned(),
    };
    let version = object.version.unwrap_or_default().in_words();
    let fields = [
        ("Name", shown_name(&object)),
        ("GUID", object.guid.to_string()),
        ("Domain", session.info().dns_domain.to_string()),
        ("Status", status_of(&object).to_owned()),
        ("Version", or_not("versionNumber", version)),
        ("Created (UTC)", shown_time(&object.when_created)),
        ("Changed (UTC)", shown_time(&object.when_changed)),
        (
            "WMI filter",
            or_not(
                "gPCWQLFilter",
                report::shown_filter(live.snapshot.wmi_filter.as_ref()),
            ),
        ),
    ];
    ui.fields(&fields);
    report::show_settings(ui, &settings());
    let lists = ["gPCMachineExtensionNames", "gPCUserExtensionNames"];
    match lists.iter().all(|list| object.may_read(list)) {
        true => report::show_extensions(ui, &live.snapshot),
        false => {
            ui.heading("Client-side extensions");
            ui.line(NOT_READABLE);
        }
    }
    report::show_permissions(ui, &live.snapshot);
    ui.heading("Links");
    if links.links.is_empty() {
        ui.line("none");
    }
    for link in &links.links {
        let state = match (link.link.is_disabled(), link.link.is_enforced()) {
            (true, _) => " (disabled)",
            (false, true) => " (enforced)",
            (false, false) => "",
        };
        ui.line(&format!("{}{state}", link.som.dn.canonical_name()));
    }
    report::show_files(ui, &live.snapshot.tree);
    report::show_references(ui, &references());
    report::show_risks_of(ui, &live.snapshot, &risks());
    for message in &live.snapshot.messages {
        ui.message(message);
    }
    let unread = unread_parts(&live.snapshot.messages);
    if unread > 0 {
        ui.say(&format!(
            "not readable for this account: {}",
            counted(unread, "part")
        ));
    }
    Ok(0)
}

//! Import: the settings of a backup into an existing GPO of any domain, as GPMC's `IGPMGPO::Import` does it.
//!
//! The target's old settings go; its GUID, name, DACL, links and WMI filter link stay. The status flags and the extension
//! lists are the backup's, each half of the version goes up by one. The backup's DACL, and the DACLs of its packages, are
//! never applied.

use super::plan::{
    FileContent, PLAN_FORMAT_VERSION, Plan, PlanSource, PlanTarget, Step, Verb, plan_entries,
};
use super::progress::Control;
use super::read;
use super::stage::by_root_entry;
use crate::backup::StoredBackup;
use crate::directory::GpoObject;
use crate::error::{Error, ErrorKind, Result};
use crate::formats::gpt_ini;
use crate::message::StatusMessage;
use crate::migration::map::{MapOptions, map};
use crate::migration::table::MigrationTable;
use crate::model::directory_object::{AttributeValues, DirectoryObject};
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::model::guid::Guid;
use crate::model::version::GpoVersion;
use crate::session::DomainSession;

/// The GPO that gets the settings.
#[derive(Debug, Clone)]
pub enum ImportTarget {
    /// One that exists.
    Existing(Box<GpoObject>),
    /// One that is made first, under this display name.
    New {
        /// The display name.
        display_name: String,
    },
}

/// How to import.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The migration table, if there is one.
    pub table: Option<MigrationTable>,
    /// How references are mapped.
    pub mapping: MapOptions,
}

/// Works out what an import would change. Writes nothing.
///
/// # Errors
/// `Unmapped` when a destination of the table does not exist in the target domain, or when the table is exclusive and a
/// reference has no row; `BadInput` when the table contradicts itself; `Conflict` when a GPO to be made has a name that
/// is taken; `Denied` when the account may not edit the target.
pub async fn plan(
    session: &DomainSession,
    backup: &StoredBackup,
    target: &ImportTarget,
    options: &ImportOptions,
    control: &Control,
) -> Result<Plan> {
    control.check()?;
    let source = &backup.snapshot;
    let mut messages = backup.problems.clone();
    messages.extend(source.messages.iter().cloned());

    let mapped = map(
        source,
        options.table.as_ref(),
        session.directory(),
        &options.mapping,
    )
    .await?;
    messages.extend(mapped.report.messages.iter().cloned());

    let live = match target {
        ImportTarget::Existing(object) => {
            if object.may_write == Some(false) {
                return Err(Error::new(
                    ErrorKind::Denied,
                    format!(
                        "this account may not edit GPO \"{}\" in the directory",
                        object.display_name
                    ),
                )
                .with_hint("Edit settings on the GPO is needed"));
            }
            Some(read::read_gpo(session, object, control).await?)
        }
        ImportTarget::New { display_name } => {
            name_is_free(session, display_name).await?;
            None
        }
    };
    let guid = live
        .as_ref()
        .map_or_else(Guid::new_random, |live| live.object.guid);
    let plan_target = PlanTarget {
        guid,
        display_name: match (target, &live) {
            (ImportTarget::New { display_name }, _) => display_name.clone(),
            (_, Some(live)) => live.object.display_name.clone(),
            _ => String::new(),
        },
        domain: session.info().dns_domain.clone(),
        create: live.is_none(),
    };

    let mut new_tree = mapped.snapshot.tree.clone();
    for half in ["Machine", "User"] {
        new_tree.insert_dir(&half.parse().map_err(|cause| {
            Error::new(ErrorKind::Internal, "no path for a half").with_source(cause)
        })?);
    }
    let old_tree = live
        .as_ref()
        .map_or_else(GptTree::new, |live| live.snapshot.tree.clone());
    let (entries, contents) = plan_entries(&old_tree, &new_tree);
    let directory_objects = objects_for(&mapped.snapshot.directory_objects, &plan_target);

    // Both halves end at the same number. Where the two sides disagreed before, the higher one counts, or a client that
    // knows it would take the new policy for an old one.
    let current = live.as_ref().map_or_else(GpoVersion::default, |live| {
        let directory = live.object.version.unwrap_or_default();
        let sysvol = live.snapshot.sysvol_version.unwrap_or_default();
        GpoVersion {
            user: directory.user.max(sysvol.user),
            machine: directory.machine.max(sysvol.machine),
        }
    });
    let version = current.next();
    let old_ini = live.as_ref().and_then(|live| live.gpt_ini.clone());
    let gpt_ini = new_gpt_ini(old_ini.as_deref(), version, &mut messages);

    let mut steps = Vec::new();
    if plan_target.create {
        steps.push(Step::CreateGpo {
            guid,
            display_name: plan_target.display_name.clone(),
        });
    }
    steps.push(Step::StageFiles {
        files: new_tree.files().count(),
        bytes: new_tree.total_bytes(),
    });
    steps.extend(switch_steps(&old_tree, &new_tree));
    let old_objects = live
        .as_ref()
        .map_or(0, |live| live.snapshot.directory_objects.len());
    if old_objects > 0 {
        steps.push(Step::RemoveDirectoryObjects { count: old_objects });
    }
    if !directory_objects.is_empty() {
        steps.push(Step::AddDirectoryObjects {
            objects: directory_objects
                .iter()
                .map(|object| object.rdns.join(","))
                .collect(),
        });
    }
    steps.push(Step::WriteGptIni {
        from: live.as_ref().and_then(|live| live.snapshot.sysvol_version),
        to: version,
    });
    steps.push(Step::ModifyGpo {
        version_from: match &live {
            Some(live) => live.object.version,
            None => Some(GpoVersion::default()),
        },
        version_to: version,
        flags_from: live.as_ref().and_then(|live| live.object.flags),
        flags_to: source.flags,
        machine_extensions_from: live.as_ref().map_or_else(ExtensionList::default, |live| {
            live.object.machine_extensions.clone()
        }),
        machine_extensions_to: source.machine_extensions.clone(),
        user_extensions_from: live.as_ref().map_or_else(ExtensionList::default, |live| {
            live.object.user_extensions.clone()
        }),
        user_extensions_to: source.user_extensions.clone(),
    });
    messages.extend(extension_findings(
        source.machine_extensions.clone(),
        "gPCMachineExtensionNames",
    ));
    messages.extend(extension_findings(
        source.user_extensions.clone(),
        "gPCUserExtensionNames",
    ));

    Ok(Plan {
        format_version: PLAN_FORMAT_VERSION,
        operation_id: operation_id(),
        verb: Verb::Import,
        source: PlanSource {
            backup_id: backup.info.id,
            gpo_guid: source.guid,
            display_name: source.display_name.clone(),
            domain: source.domain.to_string(),
        },
        target: plan_target,
        basis: live.as_ref().map(read::LiveGpo::state),
        steps,
        entries,
        gpt_ini: FileContent(gpt_ini.into()),
        directory_objects,
        mapping: Some(mapped.report),
        messages,
        contents,
    })
}

/// An ID that sorts by time and ends in eight random digits.
pub(super) fn operation_id() -> String {
    let random = Guid::new_random().bare().to_lowercase();
    let tag: String = random.chars().take(8).collect();
    format!(
        "{}-{tag}",
        jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ")
    )
}

/// Two GPOs may have one name, but nobody makes a second one on purpose.
pub(super) async fn name_is_free(session: &DomainSession, name: &str) -> Result<()> {
    let taken = session
        .directory()
        .gpos()
        .await?
        .into_iter()
        .find(|gpo| gpo.display_name.to_lowercase() == name.to_lowercase());
    match taken {
        None => Ok(()),
        Some(gpo) => Err(Error::new(
            ErrorKind::Conflict,
            format!("a GPO named \"{name}\" exists already: {}", gpo.guid),
        )
        .with_hint("import into it without --create, or choose another name")),
    }
}

fn switch_steps(old: &GptTree, new: &GptTree) -> Vec<Step> {
    use super::plan::Change;

    let (old, new) = (by_root_entry(old), by_root_entry(new));
    let mut steps: Vec<Step> = new
        .iter()
        .map(|(key, entry)| Step::SwitchEntry {
            name: entry.name.to_string(),
            change: if old.contains_key(key) {
                Change::Changed
            } else {
                Change::Added
            },
        })
        .collect();
    steps.extend(
        old.iter()
            .filter(|(key, _)| !new.contains_key(*key))
            .map(|(_, entry)| Step::SwitchEntry {
                name: entry.name.to_string(),
                change: Change::Removed,
            }),
    );
    steps
}

/// The objects as they stand below the target: their own descriptors left behind, what names the GPO rewritten.
fn objects_for(objects: &[DirectoryObject], target: &PlanTarget) -> Vec<DirectoryObject> {
    let domain = target.domain.lower();
    objects
        .iter()
        .map(|object| {
            let mut object = object.clone();
            object.security_descriptor = None;
            object
                .attributes
                .retain(|attribute| !attribute.name.eq_ignore_ascii_case("objectGUID"));
            for attribute in &mut object.attributes {
                if attribute.name.eq_ignore_ascii_case("msiScriptPath") {
                    if let AttributeValues::String(Some(path)) = &mut attribute.values {
                        // The part from the half on stays; before it stands the source GPO's own folder [MS-GPSI 2.2.2.4.1].
                        let at = path
                            .to_lowercase()
                            .find("\\machine\\")
                            .or_else(|| path.to_lowercase().find("\\user\\"));
                        if let Some(rest) = at.and_then(|at| path.get(at..)) {
                            *path = format!(
                                "\\\\{domain}\\sysvol\\{domain}\\Policies\\{}{rest}",
                                target.guid
                            );
                        }
                    }
                } else if attribute.name.eq_ignore_ascii_case("extensionName") {
                    attribute.values = AttributeValues::String(Some(target.display_name.clone()));
                }
            }
            object
        })
        .collect()
}

/// GPT.INI with the new version and all else of the old one; a new file where the old one cannot be read.
fn new_gpt_ini(
    old: Option<&[u8]>,
    version: GpoVersion,
    messages: &mut Vec<StatusMessage>,
) -> Vec<u8> {
    match old.map(|bytes| gpt_ini::write_version(bytes, version)) {
        Some(Ok(bytes)) => bytes,
        Some(Err(problem)) => {
            messages.push(StatusMessage::warning(
                "gpt-ini-replaced",
                format!("GPT.INI of the target cannot be read, so it is written anew: {problem}"),
            ));
            gpt_ini::create(version)
        }
        None => gpt_ini::create(version),
    }
}

fn extension_findings(list: ExtensionList, attribute: &str) -> Option<StatusMessage> {
    if list.is_empty() || list.is_sorted() {
        return None;
    }
    Some(
        StatusMessage::warning(
            "extension-list-unsorted",
            format!("{attribute} of the backup is not a sorted list of extensions, so clients may not see all settings"),
        )
        .with_hint("it is written as the backup has it"),
    )
}

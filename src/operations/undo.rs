//! Undo: restores the state before an operation, from its journal.
//!
//! An interrupted operation is rolled back. A completed one is undone by a plan like any other: an import or a restore by
//! restoring the safety backup, a new GPO by deleting it, a deletion by restoring it with its links. If the GPO is not as the
//! operation left it, this would revert somebody else's change and is refused.
//!
//! ```
//! use gpoctl::DomainWriter;
//! use gpoctl::execute::{ApplyOptions, apply, journal, roll_back};
//! use gpoctl::operations::undo::{self, Undoing};
//!
//! /// Undoes the operation with this ID, or with this unique beginning of one.
//! async fn undo(domain: &DomainWriter, id: &str, options: &ApplyOptions) -> gpoctl::Result<()> {
//!     let operation = journal::find(&options.journal_root, id)?;
//!     match undo::plan(domain.session(), &operation, &options.control).await? {
//!         Undoing::Plan(plan) => drop(apply(domain, &plan, options).await?),
//!         Undoing::RollBack(_) => drop(roll_back(domain, &operation, options).await?),
//!     }
//!     Ok(())
//! }
//! #
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # use gpoctl::testing::{domain::MemoryDomain, faults::Faults};
//! # let journals = tempfile::tempdir()?;
//! # let options = ApplyOptions::in_folder(journals.path());
//! # let domain = MemoryDomain::new("corp.example")?.connect("Administrator", &Faults::none()).await?;
//! # let plan = gpoctl::operations::create::plan(domain.session(), "Workstations").await?;
//! # apply(&domain, &plan, &options).await?;
//! # assert_eq!(domain.session().directory().gpos().await?.len(), 3);
//! # undo(&domain, &plan.operation_id, &options).await?;
//! # assert_eq!(domain.session().directory().gpos().await?.len(), 2);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
//! ```

mod title;

use std::collections::BTreeMap;

use self::title::title;
use super::restore::{self, RestoreOptions};
use super::{delete, rename};
use crate::backup::StoredBackup;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::execute::is_undone;
use crate::execute::journal::{Inverse, OperationState, StoredOperation};
use crate::execute::rights;
use crate::formats::gpt_ini;
use crate::message::{Code, StatusMessage, printable};
use crate::model::access::Administrators;
use crate::model::digest::sha256;
use crate::model::extension_list::ExtensionList;
use crate::model::security_descriptor::{DaclState, SecurityDescriptor, grants_same_access};
use crate::model::snapshot::WmiFilterLink;
use crate::model::version::GpoVersion;
use crate::plan::gpo::{GpoPlan, Step, Verb, tree_hashes};
use crate::plan::permissions::{OutsideGrant, outside_grants_beyond};
use crate::plan::values::{ObjectNames, ValueChange};
use crate::plan::{Change, Plan};
use crate::progress::Control;
use crate::session::DomainSession;
use crate::session::read::{self, LiveGpo};

/// How an operation is undone. A caller has to handle both ways, so the list is complete.
#[derive(Debug)]
pub enum Undoing {
    /// It was interrupted: what it wrote is rolled back; see [`crate::execute::roll_back`]. A sentence for each part.
    RollBack(Vec<String>),
    /// By a plan.
    Plan(Box<Plan>),
}

/// Plans the undo of an operation. Writes nothing.
///
/// # Errors
/// `Conflict` when the operation is still running, or what it changed is not as it left it; `Usage` when there is nothing to
/// undo, or the operation was in another domain; otherwise as the verb that undoes it.
pub async fn plan(
    session: &DomainSession,
    operation: &StoredOperation,
    control: &Control,
) -> Result<Undoing> {
    control.check()?;
    let done = operation.plan()?;
    if done.domain != session.info().dns_domain {
        return Err(Error::new(
            ErrorKind::Usage,
            format!(
                "operation {} was in {}, and this session is in {}",
                operation.id,
                done.domain,
                session.info().dns_domain
            ),
        ));
    }
    let refuse = |kind, why: &str| {
        Err(Error::new(
            kind,
            format!("operation {} {why}", operation.id),
        ))
    };
    operation.refuse_foreign(&done)?;
    match operation.state {
        OperationState::Running => refuse(ErrorKind::Conflict, "is still running"),
        OperationState::Failed => refuse(
            ErrorKind::Usage,
            "failed and was rolled back; there is nothing to undo",
        ),
        OperationState::Undone => Err(operation.already_undone()),
        OperationState::Superseded => refuse(
            ErrorKind::Usage,
            "was interrupted and is closed, because others have changed the same since; there is nothing to undo",
        ),
        OperationState::Unreadable => {
            refuse(ErrorKind::BadInput, "has a journal that cannot be read")
        }
        OperationState::Unfinished => {
            operation.refuse_overtaken(&done)?;
            let mut done = done;
            let kept = done.keep_repaired(session).await?;
            let inverses = operation.to_roll_back(&done)?;
            let mut parts = parts_to_roll_back(session, &inverses, &done).await?;
            parts.extend(
                kept.into_iter()
                    .map(|message| format!("! {}", message.text)),
            );
            Ok(Undoing::RollBack(parts))
        }
        OperationState::LeftOver => Err(Error::new(
            ErrorKind::Usage,
            format!(
                "operation {} left files behind that an undo would not remove",
                operation.id
            ),
        )
        .with_remedy(Remedy::CleanUpOperation(operation.id.clone()))),
        OperationState::Done => {
            let plan = undo_finished(session, operation, &done, control).await?;
            Ok(Undoing::Plan(Box::new(plan)))
        }
    }
}

/// What a roll-back does, the last change first.
async fn parts_to_roll_back(
    session: &DomainSession,
    inverses: &[(usize, Inverse)],
    done: &Plan,
) -> Result<Vec<String>> {
    let names = names_for(session, done).await?;
    let mut parts = Vec::new();
    for (of, inverse) in inverses.iter().rev() {
        match (inverse, done.changes.get(*of)) {
            (Inverse::ChangeBack, Some(Change::Value(planned))) => {
                parts.extend(planned.change.inverse().describe(&names));
            }
            _ => parts.push(sentence(inverse)),
        }
    }
    Ok(parts)
}

/// The names to describe the inverses of a plan's changes with.
async fn names_for(session: &DomainSession, done: &Plan) -> Result<ObjectNames> {
    if done.values().next().is_none() {
        return Ok(ObjectNames::default());
    }
    ObjectNames::read(session).await
}

/// The rights that undoing an operation by this plan grants to accounts outside the administrators, and that they had neither
/// before the operation nor have now.
///
/// # Errors
/// `BadInput` when the journal cannot be read.
pub fn new_grants(
    operation: &StoredOperation,
    plan: &Plan,
    administrators: Administrators<'_>,
) -> Result<Vec<OutsideGrant>> {
    let done = operation.plan()?;
    let mut grants = Vec::new();
    for gpo in plan.gpos() {
        let was = done.gpos().find(|was| was.target.guid == gpo.target.guid);
        let before = was.and_then(|was| was.basis.as_ref());
        grants.extend(outside_grants_beyond(gpo, administrators, before));
    }
    Ok(grants)
}

/// The plan that undoes a completed operation: the inverse of each change that was made, in reverse order. Whether a value is
/// still as the operation left it is compared when the plan is applied.
async fn undo_finished(
    session: &DomainSession,
    operation: &StoredOperation,
    done: &Plan,
    control: &Control,
) -> Result<Plan> {
    let mut plan = Plan::new(format!("undo {}", done.title), &done.domain);
    plan.mode = done.mode;
    // What a change replaced is taken from the journal, so its inverse may be anything that somebody has written there.
    let mut done = done.clone();
    plan.messages = done.keep_repaired(session).await?;
    let names = names_for(session, &done).await?;
    plan.title = title(&done, &names);
    for (index, change) in done.changes.iter().enumerate().rev() {
        if !operation.made(done.mode, index) {
            continue;
        }
        match change {
            Change::Gpo(gpo) => {
                plan.push_gpo(undo_gpo(session, operation, index, gpo, control).await?);
            }
            Change::Value(planned) => {
                if !is_undone(session, &planned.change).await? {
                    plan.messages
                        .extend(filter_in_use(session, &planned.change).await?);
                    let inverse = planned.change.inverse();
                    let summary = inverse.describe(&names);
                    plan.push(inverse, summary);
                }
            }
        }
    }
    plan.refuse_rights_that_never_were(session).await?;
    let mut plan = match plan.gpo() {
        // As the plan of the verb that undoes it.
        Some(_) => Plan {
            title: std::mem::take(&mut plan.title),
            messages: std::mem::take(&mut plan.messages),
            ..Plan::of(plan.into_gpo()?)
        },
        None => plan,
    };
    plan.undoes = Some(operation.id.clone());
    let (all, left) = (done.changes.len(), plan.changes.len());
    if left < all {
        plan.title = format!(
            "undo {left} of {} in {}",
            match all {
                1 => "1 change".to_owned(),
                all => format!("{all} changes"),
            },
            done.domain
        );
    }
    Ok(plan)
}

/// The finding about a WMI filter that the undo of this change deletes, although GPOs are linked to it.
async fn filter_in_use(
    session: &DomainSession,
    done: &ValueChange,
) -> Result<Option<StatusMessage>> {
    let ValueChange::AddWmiFilter { dn, .. } = done else {
        return Ok(None);
    };
    let mut names = Vec::new();
    for gpo in session.directory().gpos().await? {
        if !gpo.may_read("gPCWQLFilter") {
            names.push(format!("{} (perhaps; it cannot be read)", gpo.guid));
        }
        let link = gpo.wmi_filter.as_deref().and_then(WmiFilterLink::parse);
        let own = dn.0.rdns().first();
        if link.is_some_and(|link| own.is_some_and(|rdn| rdn.is("CN", &link.id.to_string()))) {
            names.push(format!("\"{}\"", printable(&gpo.display_name)));
        }
    }
    Ok((!names.is_empty()).then(|| {
        StatusMessage::warning(
            Code::WmiFilterInUse,
            format!(
                "the WMI filter that is deleted is linked to {}; clients do not apply a GPO whose filter does not exist",
                names.join(", ")
            ),
        )
        .with_hint("link another filter, or none, first: gpoctl wmi link")
    }))
}

/// What undoes the change of a GPO as a whole.
async fn undo_gpo(
    session: &DomainSession,
    operation: &StoredOperation,
    index: usize,
    done: &GpoPlan,
    control: &Control,
) -> Result<GpoPlan> {
    let guid = done.target.guid;
    if done.verb == Verb::Delete {
        let backup = safety_backup(operation, index, done).await?;
        if session.directory().gpo(guid).await.is_ok() {
            return Err(changed(done, "it exists again"));
        }
        let with_links = done
            .steps
            .iter()
            .any(|step| matches!(step, Step::SetLinks { .. }));
        let options = RestoreOptions {
            with_links,
            ..RestoreOptions::default()
        };
        let plan = restore::plan(session, &backup, &options, control)
            .await?
            .into_gpo()?;
        return match plan.links_beyond(done) {
            None => Ok(plan),
            Some(som) => Err(foreign_backup(
                operation,
                &format!("is not the one it wrote: the GPO was not linked so to {som}"),
            )),
        };
    }
    let object = session.directory().gpo(guid).await?;
    if let Some(Step::Rename { from, to }) = done.steps.first() {
        if object.display_name != *to {
            return Err(changed(done, "the display name"));
        }
        return rename::plan(session, &object, from, control)
            .await?
            .into_gpo();
    }
    let live = read::read_gpo(session, &object, control).await?;
    if let Some(Step::SetStatus { from, to }) = done.steps.first() {
        if object.flags != Some(*to) {
            return Err(changed(done, "flags"));
        }
        let plan = GpoPlan {
            steps: vec![Step::SetStatus {
                from: Some(*to),
                to: from.unwrap_or(0),
            }],
            ..GpoPlan::of_existing(Verb::SetStatus, &live)
        };
        rights::check(session, &plan).await?;
        return Ok(plan);
    }
    still_as_left(done, &live)?;
    if done.target.create {
        return delete::plan(session, &object, false, control)
            .await?
            .into_gpo();
    }
    let backup = safety_backup(operation, index, done).await?;
    // Of a WMI filter that cannot be read the link is saved, and that is what is put back.
    let mut unread = backup.context.unread.iter();
    let has_all = unread.all(|it| it.code == Code::UnreadableWmiFilter);
    let options = RestoreOptions::new().allow_partial(has_all);
    let mut plan = restore::plan(session, &backup, &options, control)
        .await?
        .into_gpo()?;
    for step in done.steps.iter().rev() {
        if let Step::SetLinks { som, from, to } = step {
            plan.steps.push(Step::SetLinks {
                som: som.clone(),
                from: to.clone(),
                to: from.clone(),
            });
        }
    }
    rights::check(session, &plan).await?;
    Ok(plan)
}

/// The GPO with the version that the operation gave it, if the present one is only higher, in both halves alike: the undo of a later
/// operation restores everything but the version, which must never go back.
fn with_version_of(done: &GpoPlan, live: &LiveGpo) -> Option<LiveGpo> {
    let planned = done.steps.iter().find_map(|step| match step {
        Step::ModifyGpo { version_to, .. } => Some(*version_to),
        _ => None,
    });
    // A GPO without settings is created with version 0.
    let created = (done.verb == Verb::Create).then(GpoVersion::default);
    let planned = planned.or(created)?;
    let version = live.object.version?;
    let bytes = live.gpt_ini.as_deref()?;
    let is_higher = version.higher(planned) == version;
    if !is_higher || gpt_ini::read_version(bytes).ok()? != Some(version) {
        return None;
    }
    let mut then = live.clone();
    then.object.version = Some(planned);
    then.gpt_ini = Some(gpt_ini::write_version(bytes, planned).ok()?.into());
    Some(then)
}

/// Refuses to undo what somebody has changed since.
fn still_as_left(done: &GpoPlan, live: &LiveGpo) -> Result<()> {
    let then = with_version_of(done, live);
    let live = then.as_ref().unwrap_or(live);
    let mut differences = done.differences_from_plan(&done.new_tree()?, live);
    if done.target.create {
        // What its plan does not set was not there.
        let below = &live.snapshot.directory_objects;
        for part in done.parts_of_others(&live.object, below) {
            if !differences.contains(&part) {
                differences.push(part);
            }
        }
    }
    if let Some(basis) = &done.basis {
        let modifies_filter = done.steps.iter().any(|step| {
            matches!(
                step,
                Step::ModifyGpo {
                    wmi_filter: Some(_),
                    ..
                }
            )
        });
        if !modifies_filter && basis.wmi_filter != live.object.wmi_filter {
            differences.push("the WMI filter".to_owned());
        }
        if !done.changes_descriptor()
            && basis.security_descriptor != sha256(&live.object.security_descriptor)
        {
            differences.push("the permissions".to_owned());
        }
    }
    if differences.is_empty() {
        Ok(())
    } else {
        Err(changed(done, &differences.join(", ")))
    }
}

fn changed(done: &GpoPlan, what: &str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!(
            "GPO \"{}\" {} has changed since: {what}",
            done.name_after(),
            done.target.guid
        ),
    )
    .with_hint("nothing was changed; to discard the later changes, restore the backup that was made before the operation")
    .with_remedy(Remedy::RestoreSafetyBackup)
}

/// Reads the backup that was made of the GPO before the operation, off the runtime's threads. Anybody who could replace it
/// would have another one restored, so it must be of the GPO that the plan was made against.
async fn safety_backup(
    operation: &StoredOperation,
    index: usize,
    done: &GpoPlan,
) -> Result<StoredBackup> {
    let folder = operation.open_safety_backup(index)?.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!(
                "the backup of the GPO from before operation {} does not exist in {}",
                operation.id,
                operation.folder.display()
            ),
        )
    })?;
    let foreign = folder
        .foreign_entry()
        .map_err(|cause| foreign_backup(operation, "cannot be checked").with_source(cause))?;
    if let Some(path) = foreign {
        let why = format!(
            "cannot be trusted, because another user owns or may write {}",
            path.display()
        );
        return Err(foreign_backup(operation, &why));
    }
    let backup = tokio::task::spawn_blocking(move || crate::backup::read_open(folder))
        .await
        .map_err(|cause| {
            Error::new(ErrorKind::Internal, "the backup was not read").with_source(cause)
        })??;
    let bad = |why: &str| foreign_backup(operation, why);
    if !backup.damage.is_empty() {
        return Err(bad("is damaged").with_details(backup.damage));
    }
    match foreign_part(done, &backup) {
        Some(what) => Err(bad(&format!("is not the one it wrote: {what}"))),
        None => Ok(backup),
    }
}

fn foreign_backup(operation: &StoredOperation, why: &str) -> Error {
    Error::new(
        ErrorKind::BadInput,
        format!(
            "the backup that operation {} made before its changes {why}",
            operation.id
        ),
    )
    .with_hint("restore another backup of the GPO")
}

/// How a safety backup differs from what the plan was made against; `None` when it is the backup that `apply` made.
fn foreign_part(done: &GpoPlan, backup: &StoredBackup) -> Option<String> {
    let snapshot = &backup.snapshot;
    if snapshot.guid != done.target.guid {
        return Some(format!("it is of the GPO {}", snapshot.guid));
    }
    let Some(basis) = &done.basis else {
        return Some("the operation created the GPO".to_owned());
    };
    if !backup.has_hashes {
        return Some("it does not contain gpoctl.json".to_owned());
    }
    // XML does not preserve control characters and blanks at the ends.
    let text = |text: &str| -> String {
        let shown = text.trim().chars();
        shown.filter(|it| !it.is_control()).collect()
    };
    let same_list = |a: &ExtensionList, b: &ExtensionList| text(a.as_str()) == text(b.as_str());
    let filter = basis.wmi_filter.as_deref().and_then(WmiFilterLink::parse);
    let wrong = [
        (
            "the display name",
            text(&snapshot.display_name) != text(&basis.display_name),
        ),
        (
            "the status",
            snapshot.flags != basis.flags.unwrap_or_default(),
        ),
        (
            "the extensions",
            !same_list(&snapshot.machine_extensions, &basis.machine_extensions)
                || !same_list(&snapshot.user_extensions, &basis.user_extensions),
        ),
        (
            "the WMI filter",
            snapshot.wmi_filter.as_ref().map(|link| link.id) != filter.map(|link| link.id),
        ),
    ];
    if let Some((what, _)) = wrong.iter().find(|(_, wrong)| *wrong) {
        return Some(format!("{what} is not what the plan was made against"));
    }
    // A backup does not contain every empty folder; those have an empty hash.
    let files = |tree: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        let files = tree.iter().filter(|(_, hash)| !hash.is_empty());
        files
            .map(|(path, hash)| (path.clone(), hash.clone()))
            .collect()
    };
    let (were, are) = (files(&basis.tree), files(&tree_hashes(&snapshot.tree)));
    let differs = |path: &&String| were.get(*path) != are.get(*path);
    if let Some(path) = were.keys().chain(are.keys()).find(differs) {
        return Some(format!(
            "the file {path} is not what the plan was made against"
        ));
    }
    // Plans of older versions have no descriptor.
    let descriptor = basis.descriptor.as_ref()?;
    (!holds_dacl(&snapshot.security_descriptor, &descriptor.0))
        .then(|| "the DACL is not what the plan was made against".to_owned())
}

/// Whether a backup's descriptor is that of a GPO with this one: its DACL alone, and nothing when there is no DACL.
fn holds_dacl(saved: &[u8], descriptor: &[u8]) -> bool {
    let parse = SecurityDescriptor::parse;
    match parse(descriptor) {
        Ok(was) if matches!(was.dacl_state(), DaclState::List(_)) => {
            parse(saved).is_ok_and(|saved| grants_same_access(&was, &saved))
        }
        _ => saved.is_empty() || saved == descriptor,
    }
}

/// The description of undoing one change.
fn sentence(inverse: &Inverse) -> String {
    match inverse {
        Inverse::DeleteGpo { guid } => format!("delete the new GPO {guid} and its folder"),
        Inverse::DeleteContainer { guid } => format!("delete the container of the new GPO {guid}"),
        Inverse::RemoveFolder => "remove the GPO's folder, which was recreated".to_owned(),
        Inverse::RemoveEntry { name } => format!("remove {name}"),
        Inverse::SwitchBack {
            live,
            old: Some(old),
            ..
        } => format!("put {old} back as {live}"),
        Inverse::SwitchBack { live, .. } => format!("remove {live}, which was added"),
        Inverse::RestoreDirectoryObjects => "restore the objects below the GPO".to_owned(),
        Inverse::RestoreGptIni => "restore GPT.INI".to_owned(),
        Inverse::RestoreFolderDescriptor { .. } => {
            "restore the permissions of the GPO's folder".to_owned()
        }
        Inverse::RestoreAttributes { .. } => "restore the attributes of the GPO".to_owned(),
        Inverse::RestoreName { written } => {
            format!("restore the name that \"{written}\" replaced")
        }
        Inverse::RestoreStatus { .. } => "restore the status of the GPO".to_owned(),
        Inverse::RestoreLinks { som, .. } => format!("restore the links of {som}"),
        Inverse::ChangeBack => "restore a value".to_owned(),
        Inverse::RecreateContainer => "recreate what is missing of the GPO's container".to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests;

//! Applies a change list: every change by compare-and-swap, its inverse in the journal first, all or none.

use bytes::Bytes;

use super::{ApplyOptions, OverallStatus};
use crate::domain::sysvol::{SysvolPath, SysvolRead};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage};
use crate::model::guid::Guid;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::operations::change_list::{Change, ChangeList, DescriptorSwap, PlannedChange};
use crate::operations::journal::{Event, Journal};
use crate::operations::plan::FileContent;
use crate::operations::rollback;
use crate::operations::stage::{
    StagingArea, as_stored, descriptor_steps, probe_file_entries, read_whole,
};
use crate::session::{DomainSession, DomainWriter};

/// The result of applying a change list.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ChangeResult {
    /// 1; the form may only grow.
    pub format_version: u32,
    /// How it ended.
    pub status: OverallStatus,
    /// The ID under which the journal is kept.
    pub operation_id: String,
    /// The findings.
    pub messages: Vec<StatusMessage>,
    /// What was done.
    pub plan: ChangeSteps,
}

/// The steps of a change list that was applied.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ChangeSteps {
    /// The changes, in order.
    pub steps: Vec<PlannedChange>,
}

/// The line of the journal with the inverse of a change that is about to be made.
#[derive(serde::Serialize)]
struct Announced<'a> {
    event: &'static str,
    inverse: &'static str,
    #[serde(flatten)]
    change: &'a Change,
}

/// Applies the changes of a list, all or none. A list without changes does nothing and has no journal.
///
/// # Errors
/// `Conflict` when something is not as in the list any more; `Denied` when the account lacks rights; after both the domain is
/// unchanged. `Incomplete` when something could not be rolled back; the message names the journal.
pub async fn apply_changes(
    domain: &DomainWriter,
    list: &ChangeList,
    options: &ApplyOptions,
) -> Result<ChangeResult> {
    let info = domain.session().info();
    if info.dns_domain != list.domain {
        return Err(Error::new(
            ErrorKind::Usage,
            format!(
                "the plan is for the domain {}, and this session is in {}",
                list.domain, info.dns_domain
            ),
        )
        .with_hint("apply it with --domain of the plan's domain"));
    }
    options.control.check()?;
    if list.said_by.is_some() {
        list.refuse_foreign_rights(domain.session()).await?;
    }
    let mut messages = list.messages.clone();
    if !list.changes.is_empty() {
        // Compare everything before the first change is made: most conflicts are found before anything is written.
        for planned in &list.changes {
            if let Some(what) =
                difference(domain.session(), &planned.change, Moment::Before).await?
            {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("{what} has changed since the plan was made"),
                )
                .with_hint("nothing was changed; make the plan again"));
            }
        }
        let mut journal = Journal::create(
            &options.journal_root,
            &list.operation_id,
            &list.to_json()?,
            None,
        )?;
        make_all(domain, list, &mut journal).await?;
        for planned in &list.changes {
            // A failure to read back does not change that it was written.
            let read_back = difference(domain.session(), &planned.change, Moment::After).await;
            if let Some(what) = read_back.unwrap_or_else(|error| Some(error.to_string())) {
                messages.push(
                    StatusMessage::warning(
                        Code::ChangedAgain,
                        format!("{what} has changed again since it was written"),
                    )
                    .with_hint("somebody else is changing the same object"),
                );
            }
        }
    }
    messages.extend(entries_left_out(domain.sysvol(), list));
    Ok(ChangeResult {
        format_version: 1,
        status: OverallStatus::Done,
        operation_id: list.operation_id.clone(),
        messages,
        plan: ChangeSteps {
            steps: list.changes.clone(),
        },
    })
}

/// Reports that files got their permissions without the object entries of the plan. That is right for this server, but it was
/// upgraded from a version that stored them, and only its own tool removes them from all other files.
fn entries_left_out(sysvol: &dyn SysvolRead, list: &ChangeList) -> Option<StatusMessage> {
    let left_out = list.changes.iter().any(|planned| match &planned.change {
        Change::Descriptors { entries, .. } => entries.iter().any(|entry| {
            SecurityDescriptor::parse(&entry.new.0)
                .is_ok_and(|new| as_stored(sysvol, new.clone()) != new)
        }),
        _ => false,
    });
    left_out.then(|| {
        StatusMessage::warning(
            Code::ObjectEntriesRefused,
            "this version of Samba refuses object entries in the permissions of files, so they were set without them",
        )
        .with_hint("an earlier version stored them on other files; run samba-tool ntacl sysvolreset on the domain controller to remove them everywhere")
    })
}

/// Applies the changes in order; after an error, rolls back those that were made.
async fn make_all(domain: &DomainWriter, list: &ChangeList, journal: &mut Journal) -> Result<()> {
    let mut made: Vec<Change> = Vec::new();
    for planned in &list.changes {
        let inverse = planned.change.inverse();
        let announced = journal.record(&Announced {
            event: "change",
            inverse: "change-back",
            change: &inverse,
        });
        if let Err(error) = announced {
            return Err(take_back(domain, journal, &made, error).await);
        }
        // The server compares and swaps attributes; for everything else, compare as close to the write as possible.
        let compared = match difference(domain.session(), &planned.change, Moment::Before).await {
            Ok(None) => Ok(()),
            Ok(Some(what)) => Err(Error::new(
                ErrorKind::Conflict,
                format!("{what} has changed since the plan was made"),
            )
            .with_hint("make the plan again")),
            Err(error) => Err(error),
        };
        if let Err(error) = compared {
            return Err(take_back(domain, journal, &made, error).await);
        }
        if let Err(error) = make(domain, &planned.change).await {
            // Without an answer, it is unknown whether the change was made; the roll-back reads the state.
            if error.kind() == ErrorKind::Connect {
                made.push(inverse);
            }
            return Err(take_back(domain, journal, &made, error).await);
        }
        made.push(inverse);
    }
    // The changes are complete, even if this can no longer be recorded in the journal.
    for event in [Event::Committed, Event::Finished] {
        if let Err(error) = journal.record(&event) {
            tracing::warn!(%error, "the journal does not say that the operation is finished");
        }
    }
    Ok(())
}

/// Rolls back changes in reverse order; the error reports the result.
async fn take_back(
    domain: &DomainWriter,
    journal: &mut Journal,
    made: &[Change],
    error: Error,
) -> Error {
    let mut first = None;
    for inverse in made.iter().rev() {
        // A change that was never made needs no roll-back.
        if matches!(
            difference(domain.session(), &inverse.inverse(), Moment::Before).await,
            Ok(None)
        ) {
            continue;
        }
        // What somebody else has changed since is not rolled back.
        match difference(domain.session(), &inverse.inverse(), Moment::After).await {
            Ok(None) => {}
            Ok(Some(what)) => {
                first.get_or_insert(
                    Error::new(
                        ErrorKind::Conflict,
                        format!(
                            "{what} was changed by somebody else in the meantime and is left unchanged"
                        ),
                    )
                    .with_hint("look at it, and make the plan again"),
                );
                continue;
            }
            Err(undo) => {
                first.get_or_insert(undo);
                continue;
            }
        }
        if let Err(undo) = make(domain, inverse).await {
            tracing::warn!(%undo, ?inverse, "Cannot undo");
            first.get_or_insert(undo);
        }
    }
    match first {
        None if error.kind() == ErrorKind::Incomplete => {
            let _ = journal.record(&Event::RollBackFailed {
                reason: error.to_string(),
            });
            error.with_hint(undo_hint(journal))
        }
        None => {
            // An error of the journal must not hide the error that caused the roll-back.
            let _ = journal.record(&Event::RolledBack);
            error
        }
        Some(undo) => {
            let _ = journal.record(&Event::RollBackFailed {
                reason: undo.to_string(),
            });
            Error::new(ErrorKind::Incomplete, format!("{undo}, after: {error}"))
                .with_hint(undo_hint(journal))
        }
    }
}

/// The hint for completing the roll-back of an operation.
fn undo_hint(journal: &Journal) -> String {
    let folder = journal.folder();
    let id = folder.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "run: gpoctl operations undo {}; the old state is in {}",
        super::short_id(&id),
        folder.display()
    )
}

/// Applies one change.
async fn make(domain: &DomainWriter, change: &Change) -> Result<()> {
    match change {
        Change::Attributes { dn, attributes } => {
            domain.directory().swap_attributes(&dn.0, attributes).await
        }
        Change::AddWmiFilter { dn, attributes } => {
            domain.directory().add_wmi_filter(&dn.0, attributes).await
        }
        Change::RemoveWmiFilter { dn, .. } => domain.directory().delete_wmi_filter(&dn.0).await,
        Change::GptIni {
            guid,
            new,
            descriptor,
            ..
        } => {
            if descriptor.is_some() {
                probe(domain, *guid).await?;
            }
            write_gpt_ini(domain, *guid, new.as_ref(), descriptor.as_ref()).await
        }
        Change::Descriptors { guid, entries } => {
            probe(domain, *guid).await?;
            set_descriptors(domain, *guid, entries).await
        }
    }
}

async fn probe(domain: &DomainWriter, guid: Guid) -> Result<()> {
    let folder = SysvolPath::gpo(&domain.session().info().dns_domain, guid);
    probe_file_entries(domain, &folder, true).await
}

/// Sets descriptors one after the other; when one is refused, those before it are restored.
async fn set_descriptors(
    domain: &DomainWriter,
    guid: Guid,
    entries: &[DescriptorSwap],
) -> Result<()> {
    let sysvol = domain.sysvol();
    let steps = |descriptor: &FileContent| descriptor_steps(sysvol, &descriptor.0, "the plan");
    let at = |path| SysvolPath::in_gpo(&domain.session().info().dns_domain, guid, path);
    let mut done: Vec<&DescriptorSwap> = Vec::new();
    for entry in entries {
        let outcome = match steps(&entry.new) {
            Ok(steps) => {
                sysvol
                    .set_security_descriptors(&at(&entry.path), &steps)
                    .await
            }
            Err(error) => Err(error),
        };
        let Err(error) = outcome else {
            done.push(entry);
            continue;
        };
        // The first of the two steps may have been made.
        let untouched = sysvol
            .security_descriptor(&at(&entry.path))
            .await
            .is_ok_and(|found| same_descriptor(sysvol, &found, &entry.old.0));
        if !untouched {
            done.push(entry);
        }
        for entry in done.into_iter().rev() {
            if let Err(undo) = sysvol
                .set_security_descriptors(&at(&entry.path), &steps(&entry.old)?)
                .await
            {
                return Err(undo
                    .with_kind(ErrorKind::Incomplete)
                    .context(format!("rolling back permissions after: {error}")));
            }
        }
        return Err(error);
    }
    Ok(())
}

/// Replaces GPT.INI: the new one is written beside the live one, then renamed over it.
async fn write_gpt_ini(
    domain: &DomainWriter,
    guid: Guid,
    content: Option<&FileContent>,
    descriptor: Option<&FileContent>,
) -> Result<()> {
    let sysvol = domain.sysvol();
    let tag = Guid::new_random().bare().to_lowercase();
    let staging = StagingArea::new(&domain.session().info().dns_domain, guid, &tag);
    let name = rollback::gpt_ini_name()?;
    let live = staging.entry(&name);
    let Some(content) = content else {
        return sysvol.remove_file(&live).await;
    };
    let staged = staging.entry(&staging.staged_name(&name)?);
    let descriptors = descriptor
        .map(|descriptor| descriptor_steps(sysvol, &descriptor.0, "the plan"))
        .transpose()?
        .unwrap_or_default();
    let outcome = match sysvol
        .write_new(&staged, content.0.clone(), &descriptors)
        .await
    {
        Ok(()) => sysvol.rename(&staged, &live, true).await,
        Err(error) => Err(error),
    };
    if outcome.is_err() {
        // The error that led here matters more than a leftover file.
        if let Err(error) = sysvol.remove_file(&staged).await {
            tracing::debug!(%error, "cannot remove a staged GPT.INI");
        }
    }
    outcome
}

/// The old or the new side of a change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

/// What is not as it was before or after the change; `None` when everything is.
async fn difference(
    session: &DomainSession,
    change: &Change,
    moment: Moment,
) -> Result<Option<String>> {
    let directory = session.directory();
    match change {
        Change::Attributes { dn, attributes } => {
            let found = directory.swapped_values(&dn.0, attributes).await?;
            let different = attributes.iter().zip(found).find(|(swap, found)| {
                *found
                    != *match moment {
                        Moment::Before => &swap.old,
                        Moment::After => &swap.new,
                    }
            });
            Ok(different.map(|(swap, _)| format!("{} of {}", swap.attribute.as_str(), dn.0)))
        }
        Change::AddWmiFilter { dn, attributes } | Change::RemoveWmiFilter { dn, attributes } => {
            let adds = matches!(change, Change::AddWmiFilter { .. });
            let names: Vec<&str> = attributes.iter().map(|(name, _)| name.as_str()).collect();
            let found = directory.texts(&dn.0, &names).await?;
            let there = (moment == Moment::After) == adds;
            let same = match &found {
                None => !there,
                Some(values) => {
                    let own = attributes.iter().map(|(_, value)| Some(value.as_str()));
                    there && own.eq(values.iter().map(Option::as_deref))
                }
            };
            Ok((!same).then(|| format!("the WMI filter {}", dn.0)))
        }
        Change::GptIni { guid, old, new, .. } => {
            let found = read_gpt_ini(session, *guid).await?;
            let wanted = match moment {
                Moment::Before => old,
                Moment::After => new,
            };
            let same = found.as_ref() == wanted.as_ref().map(|content| &content.0);
            Ok((!same).then(|| format!("GPT.INI of {guid}")))
        }
        Change::Descriptors { guid, entries } => {
            let sysvol = session.sysvol();
            for entry in entries {
                let path = SysvolPath::in_gpo(&session.info().dns_domain, *guid, &entry.path);
                let found = sysvol.security_descriptor(&path).await?;
                let wanted = match moment {
                    Moment::Before => &entry.old,
                    Moment::After => &entry.new,
                };
                if !same_descriptor(sysvol, &found, &wanted.0) {
                    return Ok(Some(format!("the permissions of {path}")));
                }
            }
            Ok(None)
        }
    }
}

/// Whether a descriptor is the wanted one, whatever its layout. On a server that refuses object entries it also is when only
/// these are missing.
fn same_descriptor(sysvol: &dyn SysvolRead, found: &[u8], wanted: &[u8]) -> bool {
    if found == wanted {
        return true;
    }
    let (Ok(found), Ok(wanted)) = (
        SecurityDescriptor::parse(found),
        SecurityDescriptor::parse(wanted),
    ) else {
        return false;
    };
    let found = to_sddl(&found);
    found == to_sddl(&wanted) || found == to_sddl(&as_stored(sysvol, wanted))
}

/// GPT.INI as it is now; `None` when there is none.
async fn read_gpt_ini(session: &DomainSession, guid: Guid) -> Result<Option<Bytes>> {
    let staging = StagingArea::new(&session.info().dns_domain, guid, "");
    let path = staging.entry(&rollback::gpt_ini_name()?);
    read_whole(session.sysvol(), &path).await
}

/// The change list that undoes another one, complete or not: the inverse of each change that was made, in reverse order. Writes
/// nothing.
///
/// # Errors
/// As every search. What somebody else has changed since is refused when the list is applied.
pub async fn undo_changes(session: &DomainSession, made: &ChangeList) -> Result<ChangeList> {
    let mut list = ChangeList::new(format!("undo {}", made.title), &made.domain);
    for planned in made.changes.iter().rev() {
        if difference(session, &planned.change, Moment::Before)
            .await?
            .is_none()
        {
            continue;
        }
        let back = |line: &String| match line.split_at_checked(1) {
            Some(("+", rest)) => format!("-{rest}"),
            Some(("-", rest)) => format!("+{rest}"),
            _ => format!("~ back: {line}"),
        };
        list.push(
            planned.change.inverse(),
            planned.summary.iter().map(back).collect(),
        );
    }
    // What a change replaced is taken from the journal, so its inverse may be anything that somebody has written there.
    list.refuse_rights_that_never_were(session)
        .await
        .map_err(|error| {
            error.with_hint(
                "nothing was changed; if the files had these permissions before, set them by hand",
            )
        })?;
    Ok(list)
}

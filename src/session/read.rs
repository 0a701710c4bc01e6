//! Reading a live GPO: both halves, and the principals in it.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use tokio::sync::Mutex;

use crate::directory::GpoObject;
use crate::directory::bulk_read::GpoRecord;
use crate::directory::unreadable::READ_WITH_MORE_RIGHTS;
use crate::directory::wmi::{WmiFilterLookup, unreadable_filter};
use crate::domain::principals::{Lookup, PrincipalDirectory as _, PrincipalQuery};
use crate::domain::sysvol::SysvolRead;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, Severity, StatusMessage, printable};
use crate::migration::scan;
use crate::model::backup_context::BackupContext;
use crate::model::directory_object::DirectoryObject;
use crate::model::domain_name::DomainName;
use crate::model::principal::Principal;
use crate::model::reference::Place;
use crate::model::safe_name::RelPath;
use crate::model::sddl::map_condition;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::sid::Sid;
use crate::model::snapshot::{GpoSnapshot, InventoryPrincipal, WmiFilterLink};
use crate::model::version::GpoVersion;
use crate::model::well_known;
use crate::progress::Control;
use crate::session::DomainSession;
use crate::sysvol::gpt::{Gpt, is_gpt_ini_unread, is_local, read_what_can_be_read};
use crate::sysvol::throttle::{MemoryBudget, Reservation};

/// A GPO that was read from a DC.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LiveGpo {
    /// The directory half.
    pub object: GpoObject,
    /// Both halves.
    pub snapshot: GpoSnapshot,
    /// GPT.INI.
    pub gpt_ini: Option<Bytes>,
}

/// Reads both halves of a GPO. `principals` and `file_paths` of the snapshot are left empty; see [`take_inventory`].
///
/// # Errors
/// `BadDirectory` when `gPCFileSysPath` does not name the folder computed from the domain and the GUID: such an object
/// makes clients read their policy elsewhere, and is neither read nor written. `Denied` when this account may not read all of it:
/// whatever is derived from a [`LiveGpo`] of this function, nothing is written over what was not read. Otherwise as the two
/// halves.
pub async fn read_gpo(
    session: &DomainSession,
    object: &GpoObject,
    control: &Control,
) -> Result<LiveGpo> {
    control.check()?;
    let info = session.info();
    refuse_mismatch(object, &info.dns_domain)?;
    refuse_unread(object, GpoObject::OF_POLICY)?;
    let gpt = async {
        match crate::sysvol::gpt::read_gpt(session.sysvol(), &info.dns_domain, object.guid).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    };
    let (gpt, children, (wmi_filter, unread)) = tokio::try_join!(
        gpt,
        session.directory().children(object.guid),
        wmi_filter(session, object)
    )?;
    let mut live = assemble(session, object, children, wmi_filter, gpt, &[]);
    live.snapshot
        .messages
        .extend(unread.map(|message| message.of_gpo(named(object))));
    Ok(live)
}

/// Reads both halves of a GPO as far as this account may, to show them. What could not be read are warnings.
///
/// # Errors
/// As [`read_gpo`] for a `gPCFileSysPath` that names another folder, and when a server does not answer.
pub(crate) async fn read_in_part(
    session: &DomainSession,
    object: &GpoObject,
    control: &Control,
) -> Result<LiveGpo> {
    control.check()?;
    let domain = &session.info().dns_domain;
    refuse_mismatch(object, domain)?;
    let gpt = async {
        match read_what_can_be_read(session.sysvol(), domain, object.guid, None).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok((None, Vec::new())),
            Err(error) if is_local(&error) => {
                Ok((Some(Gpt::default()), vec![(RelPath::root(), error)]))
            }
            other => other.map(|read| (Some(read.gpt), read.unread)),
        }
    };
    let children = async {
        match session.directory().children(object.guid).await {
            Err(error) if is_local(&error) => Ok((Vec::new(), Some(error))),
            other => other.map(|children| (children, None)),
        }
    };
    let ((gpt, unread), (children, unlisted), (wmi_filter, unread_filter)) =
        tokio::try_join!(gpt, children, wmi_filter(session, object))?;
    let mut live = assemble(session, object, children, wmi_filter, gpt, &unread);
    let files = unread
        .iter()
        .map(|(path, error)| unreadable(Severity::Warning, Code::UnreadableFile, path, error));
    let objects = unlisted.map(|error| {
        StatusMessage::warning(Code::UnreadableObjects, error.to_string())
            .at(Place::file(object.dn.to_string()))
            .with_hint(READ_WITH_MORE_RIGHTS)
    });
    let descriptor = unreadable_descriptor(&object.security_descriptor);
    live.snapshot.messages.extend(
        files
            .chain(objects)
            .chain(descriptor)
            .chain(unread_filter)
            .map(|message| message.of_gpo(named(object))),
    );
    Ok(live)
}

/// Reads the SYSVOL half of a GPO whose directory half is known, as far as the server permits.
///
/// # Errors
/// As [`read_gpo`], but what cannot be read is added to `unread`: entries below the GPO's folder, the folder itself when it
/// does not exist, and the security descriptor. The last value is the part of the memory budget that the files use.
pub(crate) async fn read_surveyed(
    session: &DomainSession,
    (sysvol, budget): (&dyn SysvolRead, &MemoryBudget),
    record: GpoRecord,
    control: &Control,
) -> Result<(GpoSnapshot, BackupContext, Option<Reservation>)> {
    control.check()?;
    let info = session.info();
    let object = &record.object;
    refuse_mismatch(object, &info.dns_domain)?;
    let read = read_what_can_be_read(sysvol, &info.dns_domain, object.guid, Some(budget));
    let (gpt, unread, reserved) = match read.await {
        Err(error) if error.kind() == ErrorKind::NotFound => (None, Vec::new(), None),
        other => {
            let read = other?;
            (Some(read.gpt), read.unread, read.reserved)
        }
    };
    let unreadable = unread.iter().map(|(path, error)| {
        unreadable(Severity::Warning, Code::UnreadableFile, path, error).of_gpo(named(object))
    });
    let descriptor = unreadable_descriptor(&object.security_descriptor)
        .map(|message| message.of_gpo(named(object)));
    let mut live = assemble(
        session,
        object,
        record.children,
        record.wmi_link,
        gpt,
        &unread,
    );
    live.snapshot
        .messages
        .extend(unreadable.chain(descriptor).chain(record.messages));
    let context = BackupContext {
        links: Some(record.links),
        wmi_filter: record.wmi_filter,
        ..backup_context(&live)
    };
    Ok((live.snapshot, context, reserved))
}

/// The codes of the messages about something that is missing in the snapshot of a GPO. A staging folder of gpoctl does not belong to
/// the GPO, so `leftover-staging` is not among them.
const LEAVES_A_GAP: &[Code] = &[
    Code::ChangedWhileReading,
    Code::EntryLeftOut,
    Code::EntryRefused,
    Code::NoSysvolFolder,
    Code::UnreadableAttribute,
    Code::UnreadableDescriptor,
    Code::UnreadableFile,
    Code::UnreadableObjects,
    Code::UnreadableWmiFilter,
];

/// How many parts of a GPO were not read, by the findings of reading it.
pub(crate) fn unread_parts(messages: &[StatusMessage]) -> usize {
    let is_gap = |message: &&StatusMessage| LEAVES_A_GAP.contains(&message.code);
    messages.iter().filter(is_gap).count()
}

/// The finding about something below a GPO's folder that the server does not return.
pub(crate) fn unreadable(
    severity: Severity,
    code: Code,
    path: &RelPath,
    error: &Error,
) -> StatusMessage {
    let message = StatusMessage::new(severity, code, error.to_string());
    let message = message.at(Place::file(path.to_string()));
    match error.hint() {
        Some(hint) => message.with_hint(hint),
        None => message,
    }
}

/// The findings about the attributes of a GPO that this account may not read, other than its descriptor.
pub(crate) fn unreadable_attributes(object: &GpoObject) -> Vec<StatusMessage> {
    let others = object
        .unreadable
        .iter()
        .filter(|name| **name != "nTSecurityDescriptor");
    let message = |name: &&str| {
        StatusMessage::warning(
            Code::UnreadableAttribute,
            format!("this account may not read {name}, so whether it has a value is not known"),
        )
        .at(Place::file(object.dn.to_string()).key(*name))
        .with_hint(READ_WITH_MORE_RIGHTS)
        .of_gpo(named(object))
    };
    others.map(message).collect()
}

/// The display name of a GPO, or its GUID when it has none that can be read.
fn named(object: &GpoObject) -> String {
    match object.display_name.as_str() {
        "" => object.guid.to_string(),
        name => name.to_owned(),
    }
}

/// Refuses a GPO of which this account may not read all of these attributes.
///
/// # Errors
/// `Denied`, with the attributes and the rights that are missing.
pub(crate) fn refuse_unread(object: &GpoObject, attributes: &[&str]) -> Result<()> {
    const DESCRIPTOR: &str = "nTSecurityDescriptor";
    let unread: Vec<&str> = attributes
        .iter()
        .copied()
        .filter(|name| !object.may_read(name))
        .collect();
    let rights = match (unread.contains(&DESCRIPTOR), unread.as_slice()) {
        (_, []) => return Ok(()),
        (true, [_]) => "Read Permissions",
        (true, _) => "Read Permissions, and Read on all properties,",
        (false, _) => "Read on all properties",
    };
    Err(Error::new(
        ErrorKind::Denied,
        format!(
            "this account may not read {} of GPO \"{}\" in the directory",
            unread.join(", "),
            printable(&named(object))
        ),
    )
    .with_hint(format!(
        "nothing was changed, because what cannot be read cannot be kept or put back; let an administrator grant {rights} to this account, or use another one"
    )))
}

/// The finding about an empty descriptor, which an account without the right to read it gets.
fn unreadable_descriptor(descriptor: &[u8]) -> Option<StatusMessage> {
    let text = if descriptor.is_empty() {
        "the directory does not give the security descriptor of the GPO, so its permissions are missing".to_owned()
    } else {
        let error = SecurityDescriptor::parse(descriptor).err()?;
        format!(
            "the security descriptor of the GPO cannot be read, so its permissions are missing: {error}"
        )
    };
    Some(StatusMessage::warning(Code::UnreadableDescriptor, text))
}

/// The context of a live GPO that the GPO itself contains: not its links and not its WMI filter.
pub(crate) fn backup_context(live: &LiveGpo) -> BackupContext {
    let descriptor = SecurityDescriptor::parse(&live.object.security_descriptor).ok();
    let (owner, group) = descriptor
        .map(|descriptor| (descriptor.owner, descriptor.group))
        .unwrap_or_default();
    BackupContext {
        owner,
        group,
        when_created: live.object.when_created.clone(),
        when_changed: live.object.when_changed.clone(),
        gpt_ini: live.gpt_ini.clone(),
        unread: live
            .snapshot
            .messages
            .iter()
            .filter(|message| LEAVES_A_GAP.contains(&message.code))
            .cloned()
            .collect(),
        ..BackupContext::default()
    }
}

fn refuse_mismatch(object: &GpoObject, domain: &DomainName) -> Result<()> {
    let Some(mismatch) = object.path_mismatch(domain) else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::BadDirectory,
        format!(
            "GPO \"{}\" {}: {mismatch}",
            object.display_name, object.guid
        ),
    )
    .with_hint(
        "clients read their policy from that path; find out who set it before anything else",
    ))
}

/// Both halves as one snapshot, without what is `unread` below the folder.
fn assemble(
    session: &DomainSession,
    object: &GpoObject,
    children: Vec<DirectoryObject>,
    wmi_filter: Option<WmiFilterLink>,
    gpt: Option<Gpt>,
    unread: &[(RelPath, Error)],
) -> LiveGpo {
    let info = session.info();
    let mut messages = Vec::new();
    let (tree, gpt_ini) = match gpt {
        Some(gpt) => {
            messages.extend(gpt.messages);
            (gpt.tree, gpt.gpt_ini)
        }
        None => {
            messages.push(StatusMessage::warning(
                Code::NoSysvolFolder,
                "the GPO has no folder on SYSVOL",
            ));
            (crate::model::gpt_tree::GptTree::new(), None)
        }
    };
    messages.extend(unreadable_attributes(object));
    let sysvol_version = gpt_ini
        .as_ref()
        .and_then(|bytes| crate::formats::gpt_ini::read_version(bytes).ok().flatten());
    let is_comparable =
        object.may_read("versionNumber") && !is_gpt_ini_unread(unread.iter().map(|(path, _)| path));
    if is_comparable && sysvol_version != object.version {
        messages.push(StatusMessage::warning(
            Code::VersionMismatch,
            format!(
                "the directory has version {}, GPT.INI {}",
                shown(object.version),
                shown(sysvol_version)
            ),
        ));
    }
    let snapshot = GpoSnapshot {
        guid: object.guid,
        domain: info.dns_domain.clone(),
        domain_guid: Some(info.domain_guid),
        domain_controller: info.server.to_string(),
        display_name: object.display_name.clone(),
        flags: object.flags.unwrap_or(0),
        directory_version: object.version.unwrap_or_default(),
        sysvol_version,
        machine_extensions: object.machine_extensions.clone(),
        user_extensions: object.user_extensions.clone(),
        wmi_filter,
        security_descriptor: object.security_descriptor.clone(),
        tree,
        directory_objects: children,
        principals: Vec::new(),
        file_paths: Vec::new(),
        messages: messages
            .into_iter()
            .map(|message| message.of_gpo(named(object)))
            .collect(),
    };
    LiveGpo {
        object: object.clone(),
        snapshot,
        gpt_ini,
    }
}

fn shown(version: Option<GpoVersion>) -> String {
    version.map_or_else(|| "absent".to_owned(), GpoVersion::in_words)
}

/// The link to the WMI filter, with the filter's name; its second value is the finding when the filter could not be read.
async fn wmi_filter(session: &DomainSession, object: &GpoObject) -> Result<LinkedFilter> {
    let Some(mut link) = object.wmi_filter.as_deref().and_then(WmiFilterLink::parse) else {
        return Ok((None, None));
    };
    let found = session.directory().wmi_filter(link.id).await?;
    let unread = (found == WmiFilterLookup::Unreadable).then(|| unreadable_filter(&link));
    link.name = found.name();
    Ok((Some(link), unread))
}

type LinkedFilter = (Option<WmiFilterLink>, Option<StatusMessage>);

/// Fills `principals` and `file_paths` as GPMC does: first the principals in settings that GPMC maps, then those in the DACL
/// only; and the UNC paths of those settings.
///
/// # Errors
/// When the directory cannot be queried.
pub async fn take_inventory(session: &DomainSession, snapshot: &mut GpoSnapshot) -> Result<()> {
    take_inventory_of(&Answers::default(), session, snapshot).await
}

/// The principals that were looked up so far: most GPOs refer to the same few.
#[derive(Default)]
pub(crate) struct Answers(Mutex<HashMap<PrincipalQuery, Lookup>>);

impl Answers {
    /// Looks principals up; only new ones are queried in the directory.
    async fn to(&self, session: &DomainSession, queries: &[PrincipalQuery]) -> Result<Vec<Lookup>> {
        let mut known = self.0.lock().await;
        let mut seen: HashSet<&PrincipalQuery> = HashSet::new();
        let new: Vec<PrincipalQuery> = queries
            .iter()
            .filter(|query| !known.contains_key(*query) && seen.insert(query))
            .cloned()
            .collect();
        if !new.is_empty() {
            // A caller that waits here finds most of its answers afterwards.
            let answers = session.directory().lookup(&new).await?;
            known.extend(new.into_iter().zip(answers));
        }
        Ok(queries
            .iter()
            .map(|query| known.get(query).cloned().unwrap_or(Lookup::NotFound))
            .collect())
    }
}

/// As [`take_inventory`], with the principals that were looked up for other GPOs.
pub(crate) async fn take_inventory_of(
    known: &Answers,
    session: &DomainSession,
    snapshot: &mut GpoSnapshot,
) -> Result<()> {
    let found = scan::scan(snapshot);
    snapshot.messages.extend(found.messages);
    let in_settings: Vec<PrincipalQuery> = found
        .gpmc_sids
        .into_iter()
        .map(PrincipalQuery::Sid)
        .chain(found.gpmc_names.into_iter().map(PrincipalQuery::Name))
        .collect();
    let settings = in_settings.len();
    let known_already: HashSet<&PrincipalQuery> = in_settings.iter().collect();
    let in_dacl: Vec<PrincipalQuery> = dacl_principals(&snapshot.security_descriptor)
        .into_iter()
        .map(PrincipalQuery::Sid)
        .filter(|query| !known_already.contains(query))
        .collect();
    let queries: Vec<PrincipalQuery> = in_settings.into_iter().chain(in_dacl).collect();
    let answers = known.to(session, &queries).await?;
    let mut seen: HashSet<Principal> = HashSet::new();
    let mut principals: Vec<InventoryPrincipal> = Vec::new();
    for (index, (query, answer)) in queries.into_iter().zip(answers).enumerate() {
        let principal = as_gpmc_lists_it(query, answer);
        // A principal that is in settings by SID and by name is one entry.
        if seen.insert(principal.clone()) {
            principals.push(InventoryPrincipal {
                principal,
                from_dacl: index >= settings,
            });
        }
    }
    snapshot.principals = principals;
    snapshot.file_paths = found.gpmc_unc_units.into_iter().collect();
    Ok(())
}

/// Adds to the inventory the principals that GPMC does not look for but a copy with permissions maps: in conditions, and in the
/// DACLs of the objects below the GPO.
///
/// # Errors
/// As the look-up of principals.
pub(crate) async fn take_access_inventory(
    session: &DomainSession,
    snapshot: &mut GpoSnapshot,
) -> Result<()> {
    let known: HashSet<Sid> = snapshot
        .principals
        .iter()
        .filter_map(|entry| entry.principal.sid.clone())
        .collect();
    let descriptors = snapshot
        .directory_objects
        .iter()
        .filter_map(|object| object.security_descriptor.as_deref());
    let mut sids: Vec<Sid> = descriptors.clone().flat_map(dacl_principals).collect();
    for descriptor in descriptors.chain([snapshot.security_descriptor.as_slice()]) {
        sids.extend(condition_principals(descriptor));
    }
    let mut seen = known;
    sids.retain(|sid| seen.insert(sid.clone()));
    let queries: Vec<PrincipalQuery> = sids.into_iter().map(PrincipalQuery::Sid).collect();
    let answers = session.directory().lookup(&queries).await?;
    let found = queries
        .into_iter()
        .zip(answers)
        .map(|(query, answer)| InventoryPrincipal {
            principal: as_gpmc_lists_it(query, answer),
            from_dacl: true,
        });
    snapshot.principals.extend(found);
    Ok(())
}

/// The domain principals in the conditions of a DACL.
fn condition_principals(descriptor: &[u8]) -> Vec<Sid> {
    let Ok(mut descriptor) = SecurityDescriptor::parse(descriptor) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for ace in descriptor.dacl.iter_mut().flat_map(|acl| &mut acl.aces) {
        // A condition that cannot be read is reported when it is mapped.
        let _ = map_condition(ace, &mut |sid| {
            if sid.is_domain_sid() {
                found.push(sid.clone());
            }
            sid.clone()
        });
    }
    found
}

/// The domain principals of a DACL, each once; built-in and well-known ones are never inventoried.
fn dacl_principals(descriptor: &[u8]) -> Vec<Sid> {
    let Ok(descriptor) = SecurityDescriptor::parse(descriptor) else {
        return Vec::new();
    };
    let mut seen = HashSet::new();
    descriptor
        .dacl
        .iter()
        .flat_map(|acl| &acl.aces)
        .filter_map(|ace| ace.sid())
        .filter(|sid| sid.is_domain_sid())
        .filter(|sid| seen.insert((*sid).clone()))
        .cloned()
        .collect()
}

/// A principal in the form of `SecurityGroups`: domain principals with all fields, well-known ones by their English name
/// without a SID, unresolvable SIDs alone, plain text unchanged.
fn as_gpmc_lists_it(query: PrincipalQuery, answer: Lookup) -> Principal {
    match (query, answer) {
        (PrincipalQuery::Sid(sid), _) if !sid.is_domain_sid() => match well_known::name_of(&sid) {
            Some(name) => Principal::named(name),
            None => Principal::unresolved(sid),
        },
        (PrincipalQuery::Sid(_), Lookup::Found(principal)) => principal,
        (PrincipalQuery::Sid(sid), _) => Principal::unresolved(sid),
        // `DOMAIN\name` identifies a principal; a bare name may be a local account of the client.
        (PrincipalQuery::Name(name), Lookup::Found(principal))
            if name.contains('\\') && !principal.dns_domain.is_empty() =>
        {
            principal
        }
        (PrincipalQuery::Name(name), _) => Principal::named(&name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_that_says_nothing_is_told() {
        for bytes in [&b""[..], b"\x01\x00\x04\x80\xff"] {
            let message = unreadable_descriptor(bytes).unwrap();
            assert!(LEAVES_A_GAP.contains(&message.code), "{message:?}");
        }
        let empty_but_whole = [
            1, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(unreadable_descriptor(&empty_but_whole), None);
    }
}

//! The findings about one GPO, derived from its facts.
//!
//! An error prevents a client from applying the GPO, or makes it read another folder; a warning is a difference between the
//! halves, or settings that are not processed; a note is information.

use super::extensions::{self, Half};
use super::facts::{Facts, Folder};
use super::file_entries::ShownBy;
use super::settings_files;
use crate::directory::unreadable::READ_WITH_MORE_RIGHTS;
use crate::formats::gpt_ini;
use crate::message::{Code, StatusMessage, printable};
use crate::migration::scan::findings_of_names;
use crate::model::access::{AccessDecision, AccessToken, may_read};
use crate::model::extension_list::ExtensionList;
use crate::model::reference::Place;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::{
    InvalidSecurityDescriptor, SecurityDescriptor, file_descriptor, grants_same_access,
};
use crate::model::sid::Sid;
use crate::model::version::GpoVersion;
use crate::plan::folder_rights::FileRights;
use crate::plan::inherited_permissions::{Written, refused_order};
use crate::plan::values::files_and_folders;

/// The RID of Domain Computers.
const DOMAIN_COMPUTERS: u32 = 515;

/// Returns all findings about a GPO.
pub fn findings(facts: &Facts, domain_sid: &Sid) -> Vec<StatusMessage> {
    let mut found = Vec::new();
    attributes(facts, &mut found);
    found.extend(facts.unread.iter().cloned());
    match &facts.folder {
        None => found.push(
            StatusMessage::error(Code::NoSysvolFolder, "the GPO has no folder on SYSVOL").with_hint(
                "wait for replication, or look with an account that may read the folder; then restore it from a backup, or delete the GPO: clients stop processing policy when they reach it",
            ),
        ),
        Some(folder) => {
            found.extend(folder.messages.iter().cloned());
            found.extend(settings_files::broken(&folder.tree));
            versions(facts, folder, &mut found);
            lists(facts, folder, &mut found);
            descriptors(facts, folder, &mut found);
            found.extend(findings_of_names(&folder.tree));
        }
    }
    reading(facts, domain_sid, &mut found);
    found.sort_by_key(|message| std::cmp::Reverse(message.severity));
    found
        .into_iter()
        .map(|message| match facts.object.may_read("displayName") {
            true => message.of_gpo(&facts.object.display_name),
            false => message.of_gpo(facts.object.guid.to_string()),
        })
        .collect()
}

/// Checks the attributes of the container.
fn attributes(facts: &Facts, found: &mut Vec<StatusMessage>) {
    let object = &facts.object;
    if let Some(mismatch) = &facts.path_mismatch {
        found.push(
            StatusMessage::error(Code::WrongPath, mismatch.clone())
                .at(Place::file(object.dn.to_string()).key("gPCFileSysPath"))
                .with_hint("clients read their policy from that path; find out who set it before anything else"),
        );
    }
    if object.functionality_version != Some(2) && object.may_read("gPCFunctionalityVersion") {
        let value = object
            .functionality_version
            .map_or_else(|| "absent".to_owned(), |value| value.to_string());
        found.push(
            StatusMessage::error(
                Code::FunctionalityVersion,
                format!(
                    "gPCFunctionalityVersion is {value}, and clients skip a GPO where it is not 2"
                ),
            )
            .at(Place::file(object.dn.to_string()).key("gPCFunctionalityVersion")),
        );
    }
    if object.flags.is_none() && object.may_read("flags") {
        found.push(
            StatusMessage::warning(
                Code::NoFlags,
                "flags is absent; Windows treats the GPO as enabled, and sssd denies every logon",
            )
            .at(Place::file(object.dn.to_string()).key("flags"))
            .with_hint("set flags to 0"),
        );
    }
    if object.display_name.is_empty() && object.may_read("displayName") {
        found.push(StatusMessage::warning(
            Code::NoName,
            "displayName is absent",
        ));
    }
    match (&facts.wmi_filter, object.wmi_filter.as_deref()) {
        (Some(link), _) if link.name.is_none() && !facts.may_have_wmi_filter() => {
            found.push(StatusMessage::error(
                Code::WmiFilterMissing,
                format!(
                    "the WMI filter {} of {} does not exist, so clients do not apply the GPO",
                    link.id, link.domain
                ),
            ))
        }
        (None, Some(value)) if !value.trim().is_empty() => found.push(StatusMessage::error(
            Code::WmiLinkBroken,
            format!(
                "gPCWQLFilter is \"{}\", which is not a valid link",
                printable(value)
            ),
        )),
        _ => {}
    }
}

/// The version of GPT.INI, as far as it can be read.
pub(super) fn sysvol_version(folder: &Folder) -> Result<Option<GpoVersion>, String> {
    match &folder.gpt_ini {
        None => Err("GPT.INI is missing".to_owned()),
        Some(bytes) => gpt_ini::read_version(bytes).map_err(|error| error.to_string()),
    }
}

fn versions(facts: &Facts, folder: &Folder, found: &mut Vec<StatusMessage>) {
    // It is reported already.
    if folder.has_unread_gpt_ini() {
        return;
    }
    let may_compare = facts.object.may_read("versionNumber");
    let sysvol = match sysvol_version(folder) {
        Ok(version) => version,
        Err(reason) => {
            found.push(
                StatusMessage::error(Code::GptIni, reason)
                    .at(Place::file("GPT.INI"))
                    .with_hint(
                        "clients cannot read the GPO without it; gpoctl check --fix recreates it",
                    ),
            );
            return;
        }
    };
    let shown = |version: Option<GpoVersion>| {
        version.map_or_else(|| "absent".to_owned(), GpoVersion::in_words)
    };
    let of_directory = facts.object.version;
    let differs =
        of_directory.is_none() || sysvol.unwrap_or_default() != of_directory.unwrap_or_default();
    if sysvol.is_none() || (may_compare && differs) {
        found.push(
            StatusMessage::warning(
                Code::VersionMismatch,
                format!(
                    "the directory has version {}, GPT.INI {}",
                    match may_compare {
                        true => shown(facts.object.version),
                        false => "(not readable)".to_owned(),
                    },
                    shown(sysvol)
                ),
            )
            .at(Place::file("GPT.INI").section("General").key("Version"))
            .with_hint("wait for replication, or compare with the other domain controllers; gpoctl check --fix raises the lower version"),
        );
    }
    if !may_compare {
        return;
    }
    let needed = extensions::needed(&folder.tree, &facts.children);
    for half in [Half::Computer, Half::User] {
        let of_half = |version: Option<GpoVersion>| {
            let version = version.unwrap_or_default();
            match half {
                Half::Computer => version.machine,
                Half::User => version.user,
            }
        };
        if of_half(sysvol) != 0 || of_half(facts.object.version) != 0 {
            continue;
        }
        if let Some(setting) = needed.iter().find(|setting| setting.half == half) {
            found.push(
                StatusMessage::warning(
                    Code::VersionZero,
                    format!(
                        "the version of the {} configuration is 0, so clients skip it, although it contains settings",
                        half.word()
                    ),
                )
                .at(Place::file(setting.place.clone()))
                .with_hint("edit it in any editor or import it again, which raises the version"),
            );
        }
    }
    let zero = GpoVersion::default();
    if sysvol == Some(zero)
        && facts.object.version == Some(zero)
        && needed.is_empty()
        && facts.is_whole()
    {
        found.push(StatusMessage::info(
            Code::Empty,
            "version 0 in both halves: empty, so clients skip it",
        ));
    }
}

fn lists(facts: &Facts, folder: &Folder, found: &mut Vec<StatusMessage>) {
    let needed = extensions::needed(&folder.tree, &facts.children);
    for (half, list) in [
        (Half::Computer, &facts.object.machine_extensions),
        (Half::User, &facts.object.user_extensions),
    ] {
        let attribute = half.attribute();
        if !facts.object.may_read(attribute) {
            continue;
        }
        let place = || Place::file(facts.object.dn.to_string()).key(attribute);
        if let Err(error) = list.blocks() {
            found.push(
                StatusMessage::error(Code::ExtensionsBroken, error.to_string())
                    .at(place())
                    .with_hint(
                        "clients ignore every extension after the error; import the GPO again",
                    ),
            );
            continue;
        }
        if let Some(ordered) = list.in_order() {
            found.push(unordered(list, &ordered).at(place()));
        }
        found.extend(extensions::missing(&needed, half, list));
        for (extension, name) in extensions::known() {
            let used = needed
                .iter()
                .any(|setting| setting.half == half && setting.extension == extension);
            if !used && facts.is_whole() && list.contains(extension) {
                found.push(
                    StatusMessage::info(
                        Code::ExtensionWithoutSettings,
                        format!(
                            "{attribute} lists {extension} ({name}), but the GPO has no settings for it"
                        ),
                    )
                    .at(place()),
                );
            }
        }
    }
}

fn unordered(list: &ExtensionList, ordered: &ExtensionList) -> StatusMessage {
    let (code, text) = if list.as_str().to_uppercase() == ordered.as_str() {
        (
            Code::ExtensionsCase,
            "the list is in lower case, and sssd compares case-sensitively",
        )
    } else {
        (
            Code::ExtensionsOrder,
            "the list is not sorted, and readers stop at the first extension that is out of order",
        )
    };
    StatusMessage::warning(code, text)
}

fn descriptors(facts: &Facts, folder: &Folder, found: &mut Vec<StatusMessage>) {
    if folder.descriptors.is_empty() {
        return;
    }
    let found_forms = match Permissions::of(facts, folder) {
        Ok(permissions) => permissions,
        Err(_) if !facts.object.may_read("nTSecurityDescriptor") => {
            found.push(
                StatusMessage::warning(
                    Code::UnreadableAttribute,
                    "this account may not read the permissions of the GPO, so those on SYSVOL were not compared with them",
                )
                .at(Place::file(facts.object.dn.to_string()).key("nTSecurityDescriptor"))
                .with_hint(READ_WITH_MORE_RIGHTS),
            );
            return;
        }
        Err(error) => {
            found.push(
                StatusMessage::error(
                    Code::DescriptorUnreadable,
                    format!("the security descriptor of the GPO cannot be used: {error}"),
                )
                .with_hint(
                    "check who may read it: a descriptor without a DACL allows everyone everything",
                ),
            );
            return;
        }
    };
    if found_forms.is_refused {
        found.push(refused_order(Written::Nothing));
        found.extend(grants_more(&found_forms.beyond, folder));
        return;
    }
    let all = folder.descriptors.len();
    let other = found_forms.of_another_version;
    if other > 0 {
        let than = match facts.file_entries_shown_by {
            ShownBy::Folder => "another version of Samba than those of the folder of the GPO",
            ShownBy::Nothing => {
                "Samba 4.25, and no other permissions show that the server is of that version"
            }
            ShownBy::Server | ShownBy::DefaultGpos => {
                "another version of Samba than those of the default GPOs"
            }
        };
        found.push(StatusMessage::warning(
            Code::MixedPermissions,
            format!(
                "the permissions of {other} of {} on SYSVOL are those of {than}",
                files_and_folders(all)
            ),
        ));
    }
    let wrong = found_forms.wrong;
    let Some(first) = wrong.first() else { return };
    found.push(
        StatusMessage::warning(
            Code::DescriptorDiffers,
            format!(
                "the permissions of {} of {} on SYSVOL do not match those of the GPO, the first being {}",
                wrong.len(),
                files_and_folders(folder.descriptors.len()),
                in_words(first)
            ),
        )
        .at(Place::file(first.clone())),
    );
}

/// The finding about files that grant more than the GPO does, where no permissions are right.
fn grants_more(beyond: &[(String, String)], folder: &Folder) -> Option<StatusMessage> {
    let (path, excess) = beyond.first()?;
    let message = StatusMessage::warning(
        Code::FolderGrantsMore,
        format!(
            "the permissions of {} of {} on SYSVOL grant more than the GPO does, the first being {}, which has {excess}",
            beyond.len(),
            files_and_folders(folder.descriptors.len()),
            in_words(path)
        ),
    );
    Some(message.at(Place::file(path.clone())).with_hint(
        "correct the order of the permissions of the GPO first, then run gpoctl check --fix",
    ))
}

fn in_words(path: &str) -> &str {
    match path {
        "" => "the GPO folder",
        path => path,
    }
}

/// The permissions of a GPO's files and folders, compared with those that are derived from the directory. A Samba domain controller
/// requires exactly these on every file and folder; on Windows the folder must grant the same, and its content inherits.
pub(super) struct Permissions {
    /// What the files should have.
    pub wanted: SecurityDescriptor,
    /// The paths that have something else.
    pub wrong: Vec<String>,
    /// How many have what another version of Samba requires, where the server was not asked which one it is.
    pub of_another_version: usize,
    /// Whether the server refuses what the files should have, so that nothing is right.
    pub is_refused: bool,
    /// In that case, the paths with permissions that grant more than the GPO does, and what that is.
    pub beyond: Vec<(String, String)>,
}

impl Permissions {
    /// # Errors
    /// When the descriptor of the GPO cannot be used.
    pub fn of(facts: &Facts, folder: &Folder) -> Result<Self, InvalidSecurityDescriptor> {
        let directory = SecurityDescriptor::parse(&facts.object.security_descriptor)?;
        let derived = |entries| file_descriptor(&directory, entries).map(|it| it.descriptor);
        let wanted = derived(facts.file_entries)?;
        let text = to_sddl(&wanted);
        let others = derived(facts.file_entries.other())?;
        let other = (facts.samba && facts.file_entries_shown_by != ShownBy::Server)
            .then(|| to_sddl(&others));
        let mut it = Self {
            is_refused: facts.samba && !facts.file_entries.stores(&wanted),
            wanted,
            wrong: Vec::new(),
            of_another_version: 0,
            beyond: Vec::new(),
        };
        if it.is_refused {
            let rights = FileRights::of(&directory)?;
            let beyond = |bytes| match SecurityDescriptor::parse(bytes) {
                Ok(found) => rights.beyond(&found, &[]),
                Err(_) => Some("a security descriptor that cannot be read".to_owned()),
            };
            let files = folder.descriptors.values();
            it.beyond = files
                .filter_map(|(path, bytes)| Some((path.to_string(), beyond(bytes)?)))
                .collect();
            return Ok(it);
        }
        for (path, bytes) in folder.descriptors.values() {
            let is_right = match SecurityDescriptor::parse(bytes) {
                Err(_) => false,
                Ok(found) if facts.samba => {
                    let found = to_sddl(&found);
                    let is_other = found != text && other.as_ref() == Some(&found);
                    it.of_another_version += usize::from(is_other);
                    found == text || is_other
                }
                // Whether GPMC maps entries that deny, or those with an object type, is not known, so all are right.
                Ok(found) => {
                    let plain = others.without_object_aces();
                    let mut right = [&it.wanted, &others, &plain].into_iter();
                    !path.is_root() || right.any(|right| grants_same_access(&found, right))
                }
            };
            if !is_right {
                it.wrong.push(path.to_string());
            }
        }
        Ok(it)
    }
}

/// Since MS16-072 the computer reads the policy of its users too, so computers need Read on every GPO.
fn reading(facts: &Facts, domain_sid: &Sid, found: &mut Vec<StatusMessage>) {
    let Ok(descriptor) = SecurityDescriptor::parse(&facts.object.security_descriptor) else {
        return;
    };
    if !has_user_settings(facts) {
        return;
    }
    let computer = AccessToken::new([domain_sid.with_rid(DOMAIN_COMPUTERS)]);
    if may_read(&descriptor, &computer) != AccessDecision::Granted {
        found.push(
            StatusMessage::warning(
                Code::NoReadForComputers,
                "neither Authenticated Users nor Domain Computers may read the GPO, so its user settings are applied only on computers that may read it as members of another group (MS16-072)",
            )
            .at(Place::file(facts.object.dn.to_string()).key("nTSecurityDescriptor"))
            .with_hint("grant Read to Domain Computers or Authenticated Users, unless that is meant"),
        );
    }
}

/// Whether clients may apply user settings of the GPO: they are not switched off, and their version is not 0 in both halves of it.
fn has_user_settings(facts: &Facts) -> bool {
    let object = &facts.object;
    if object.flags.is_some_and(|flags| flags & 1 != 0) {
        return false;
    }
    let in_gpt_ini = facts.folder.as_ref().map(sysvol_version);
    let unknown = !object.may_read("versionNumber")
        || facts
            .folder
            .as_ref()
            .is_some_and(Folder::has_unread_gpt_ini);
    let has_user = |version: Option<GpoVersion>| version.is_some_and(|version| version.user != 0);
    unknown || has_user(object.version) || has_user(in_gpt_ini.and_then(Result::ok).flatten())
}

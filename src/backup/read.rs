//! Reading one backup.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use bytes::Bytes;

use super::folder::{Folder, Kind};
use super::side_file::{self, SideFileRead};
use super::{BackupInfo, StoredBackup, damage, names};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::formats::backup_xml::{self, BackupXml, CoreSettings};
use crate::formats::{bkup_info, xml_tree};
use crate::message::{Code, StatusMessage};
use crate::model::directory_object::DirectoryObject;
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::model::reference::Place;
use crate::model::safe_name::{RelPath, SafeName};
use crate::model::snapshot::{GpoSnapshot, WmiFilterLink};
use crate::model::version::GpoVersion;

/// The most files and folders one backup may hold or list.
pub const MAX_ENTRIES: usize = 100_000;
/// The most bytes all files of one backup may have together; they are held in memory.
pub const MAX_TREE_BYTES: u64 = 1 << 30;

/// Reads the backup in `dir`, the `{BACKUP-ID}` folder.
///
/// What belongs to the GPO is what Backup.xml lists, as in GPMC. A file that exists without being listed is not
/// part of the snapshot and becomes a warning; so a Backup.xml that lists nothing gives a GPO without files, whatever is
/// beside it. A listed file that is not there becomes a warning; a listed folder that is not there, because version
/// control does not keep empty ones, is part of the snapshot. The folders `Machine` and `User`, which GPMC never lists,
/// are taken when they are there. GPT.INI is never part of it. Names are looked up without regard to case and keep the
/// spelling they have on disk.
///
/// # Errors
/// [`ErrorKind::NotFound`] when there is no folder or no Backup.xml in it; [`ErrorKind::BadInput`] when Backup.xml cannot
/// be read, names no GPO or domain, or the backup exceeds [`MAX_ENTRIES`] or [`MAX_TREE_BYTES`].
pub fn read(dir: &Path) -> Result<StoredBackup> {
    let folder = Folder::open(dir).map_err(|error| {
        Error::new(
            ErrorKind::NotFound,
            format!("cannot open the backup folder {}", dir.display()),
        )
        .with_source(error)
        .with_hint("name the {ID} folder of a backup")
        .with_remedy(Remedy::NameBackup)
    })?;
    read_open(folder)
}

/// As [`read`], from a folder that is open already.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_open(folder: Folder) -> Result<StoredBackup> {
    let dir = &folder.path;
    let mut problems = Vec::new();
    let Some(bytes) = read_named(&folder, names::BACKUP)? else {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "{} is not a backup: there is no Backup.xml in it",
                dir.display()
            ),
        )
        .with_hint("name the {ID} folder of a backup"));
    };
    let parsed = backup_xml::parse(&bytes).map_err(|error| {
        Error::new(
            ErrorKind::BadInput,
            format!("cannot read {}", dir.join(names::BACKUP).display()),
        )
        .with_source(error)
        .with_hint("use another backup of the GPO")
        .with_remedy(Remedy::VerifyBackup)
    })?;
    problems.extend(parsed.problems.iter().map(|problem| {
        StatusMessage::warning(Code::MalformedBackupXml, problem.reason.clone())
            .at(Place::file(names::BACKUP).line(problem.line))
    }));
    let backup = parsed.backup.value;
    let mut info = info(&folder, &mut problems)?;
    let tree = tree(&folder, &backup, &mut problems)?;
    let side_file = folder.find(names::SIDE_FILE).ok().flatten();
    let has_hashes = side_file.is_some();
    let (side, damage) = match side_file {
        Some((name, _)) => {
            let mut side = side_file::read(&folder, &name);
            let damage = match side.files.take() {
                Some(hashes) => damage::of(&folder, hashes, &bytes, &tree),
                None => vec![damage::no_hashes()],
            };
            (side, damage)
        }
        None => (SideFileRead::default(), Vec::new()),
    };
    problems.extend(side.problems);
    problems.extend(side_file::partial(&side.context));
    let mut snapshot = snapshot(&folder, &backup, &info, tree, &mut problems)?;
    // Of a class store the side file knows more than Backup.xml has a place for.
    let others = &side.other_directory_objects;
    let better: HashSet<Vec<String>> = others.iter().map(DirectoryObject::key).collect();
    let objects = &mut snapshot.directory_objects;
    objects.retain(|known| !better.contains(&known.key()));
    objects.extend(side.other_directory_objects);
    objects.sort_by_cached_key(|object| (object.rdns.len(), object.key()));
    match info.gpo_guid {
        Some(guid) if guid != snapshot.guid => problems.push(StatusMessage::warning(
            Code::DifferentGpo,
            format!(
                "bkupInfo.xml names the GPO {guid}, Backup.xml {}",
                snapshot.guid
            ),
        )),
        Some(_) => {}
        None => info.gpo_guid = Some(snapshot.guid),
    }
    if info.domain.is_empty() {
        info.domain = snapshot.domain.to_string();
    }
    if info.display_name.is_empty() {
        info.display_name = snapshot.display_name.clone();
    }
    Ok(StoredBackup {
        info,
        snapshot,
        context: side.context,
        problems,
        damage,
        has_hashes,
    })
}

/// The bytes of a file of the folder, looked up without regard to case; `None` when it is not there.
fn read_named(folder: &Folder, name: &str) -> Result<Option<Vec<u8>>> {
    let limit = u64::try_from(xml_tree::MAX_BYTES).unwrap_or(u64::MAX);
    folder
        .find(name)
        .and_then(|found| match found {
            Some((name, _)) => folder.read(&name, limit).map(Some),
            None => Ok(None),
        })
        .map_err(|error| {
            Error::new(
                ErrorKind::BadInput,
                format!("cannot read {}", folder.path.join(name).display()),
            )
            .with_source(error)
        })
}

fn info(folder: &Folder, problems: &mut Vec<StatusMessage>) -> Result<BackupInfo> {
    let mut unknown = |reason: String| {
        problems.push(
            StatusMessage::warning(Code::NoBkupinfo, reason).at(Place::file(names::BKUP_INFO)),
        );
        BackupInfo::unknown(&folder.path)
    };
    let Some(bytes) = read_named(folder, names::BKUP_INFO)? else {
        return Ok(unknown(
            "is missing, so the backup's ID, time and DC are not known".to_owned(),
        ));
    };
    match bkup_info::parse(&bytes) {
        Ok(inst) => {
            let (info, found) = BackupInfo::new(&inst.value, &folder.path);
            problems.extend(found);
            Ok(info)
        }
        Err(error) => Ok(unknown(format!("cannot be read: {error}"))),
    }
}

fn snapshot(
    folder: &Folder,
    backup: &BackupXml,
    info: &BackupInfo,
    tree: GptTree,
    problems: &mut Vec<StatusMessage>,
) -> Result<GpoSnapshot> {
    let core = &backup.core;
    let bad = |what: &str, error: &dyn std::fmt::Display| {
        Error::new(
            ErrorKind::BadInput,
            format!(
                "{what} in {}: {error}",
                folder.path.join(names::BACKUP).display()
            ),
        )
    };
    let directory_objects = backup_xml::read_objects(&backup.extensions);
    let (directory, sysvol) = versions(core);
    Ok(GpoSnapshot {
        guid: core.id.trim().parse().map_err(|error| bad("ID", &error))?,
        domain: core
            .domain
            .trim()
            .parse()
            .map_err(|error| bad("Domain", &error))?,
        domain_guid: info.domain_guid,
        domain_controller: info.domain_controller.clone(),
        display_name: core.display_name.clone(),
        flags: core.options,
        directory_version: directory,
        sysvol_version: Some(sysvol),
        machine_extensions: ExtensionList::new(core.machine_extensions.clone()),
        user_extensions: ExtensionList::new(core.user_extensions.clone()),
        wmi_filter: wmi_filter(core, problems),
        security_descriptor: core.security_descriptor.clone(),
        tree,
        directory_objects,
        principals: backup.principals.clone(),
        file_paths: backup.file_paths.clone(),
        messages: Vec::new(),
    })
}

/// The versions of the directory and of SYSVOL: each number in Backup.xml holds both for the computer or the user settings.
fn versions(core: &CoreSettings) -> (GpoVersion, GpoVersion) {
    // The upper of the two is in the place of the user version in a combined one.
    let user = GpoVersion::from_combined(core.user_version);
    let machine = GpoVersion::from_combined(core.machine_version);
    (
        GpoVersion {
            user: user.machine,
            machine: machine.machine,
        },
        GpoVersion {
            user: user.user,
            machine: machine.user,
        },
    )
}

/// The filter behind `MSFT_SomFilter.ID="{GUID}",Domain="dns"`.
fn wmi_filter(core: &CoreSettings, problems: &mut Vec<StatusMessage>) -> Option<WmiFilterLink> {
    let text = core.wmi_filter.trim();
    if text.is_empty() {
        return None;
    }
    let value = |key: &str| -> Option<&str> {
        let after = text.split_once(key)?.1.trim_start().strip_prefix('=')?;
        after.trim_start().strip_prefix('"')?.split('"').next()
    };
    let link = value("MSFT_SomFilter.ID")
        .and_then(|id| id.parse().ok())
        .zip(value("Domain"))
        .map(|(id, domain)| WmiFilterLink {
            id,
            domain: domain.to_owned(),
            name: core.wmi_filter_name.clone().filter(|name| !name.is_empty()),
        });
    if link.is_none() {
        problems.push(StatusMessage::warning(
            Code::MalformedWmiFilter,
            format!(
                "the WMI filter link \"{}\" is malformed",
                text.escape_debug()
            ),
        ));
    }
    link
}

/// The tree below DomainSysvol\GPO, as far as Backup.xml lists it.
fn tree(folder: &Folder, backup: &BackupXml, problems: &mut Vec<StatusMessage>) -> Result<GptTree> {
    let mut walk = Walk {
        listed: listed(backup, problems),
        seen: BTreeMap::new(),
        tree: GptTree::new(),
        bytes: 0,
        problems,
    };
    if walk.listed.len() > MAX_ENTRIES {
        return Err(too_large(folder));
    }
    if let Some(root) = subfolder(folder, names::DOMAIN_SYSVOL, walk.problems)?
        && let Some(root) = subfolder(&root, names::GPO, walk.problems)?
    {
        walk.folder(&root, &RelPath::root())?;
    }
    walk.finish()
}

fn too_large(folder: &Folder) -> Error {
    Error::new(
        ErrorKind::BadInput,
        format!(
            "the backup {} has more than {MAX_ENTRIES} entries or {MAX_TREE_BYTES} bytes",
            folder.path.display()
        ),
    )
}

fn cannot(folder: &Folder, error: std::io::Error) -> Error {
    Error::new(
        ErrorKind::BadInput,
        format!("cannot read {}", folder.path.display()),
    )
    .with_source(error)
}

fn subfolder(
    folder: &Folder,
    name: &str,
    problems: &mut Vec<StatusMessage>,
) -> Result<Option<Folder>> {
    match folder.find(name).map_err(|error| cannot(folder, error))? {
        Some((name, Kind::Folder)) => folder
            .folder(&name)
            .map(Some)
            .map_err(|error| cannot(folder, error)),
        Some((name, _)) => {
            problems.push(not_a_file(&name));
            Ok(None)
        }
        None => Ok(None),
    }
}

fn not_a_file(path: &str) -> StatusMessage {
    StatusMessage::warning(
        Code::NotAFile,
        "it is a link or a device, which a backup does not hold; it is not read",
    )
    .at(Place::file(path))
}

/// Path and folder bit of what Backup.xml lists, by folded path.
fn listed(
    backup: &BackupXml,
    problems: &mut Vec<StatusMessage>,
) -> BTreeMap<String, (RelPath, bool)> {
    let mut listed = BTreeMap::new();
    for (is_dir, location) in backup.locations() {
        let below = ["DomainSysvol\\GPO\\", "DomainSysvol/GPO/"]
            .into_iter()
            .find_map(|prefix| {
                let (start, rest) = location.split_at_checked(prefix.len())?;
                start.eq_ignore_ascii_case(prefix).then_some(rest)
            });
        let reason = match below.map(str::parse::<RelPath>) {
            Some(Ok(path)) => {
                listed.insert(path.folded(), (path, is_dir));
                continue;
            }
            Some(Err(error)) => error.to_string(),
            None => "it is not below DomainSysvol\\GPO".to_owned(),
        };
        problems.push(
            StatusMessage::warning(
                Code::UnsafeLocation,
                format!(
                    "lists \"{}\", which is not read: {reason}",
                    location.escape_debug()
                ),
            )
            .at(Place::file(names::BACKUP)),
        );
    }
    listed
}

struct Walk<'a> {
    /// What Backup.xml lists: path and whether it is a folder, by folded path.
    listed: BTreeMap<String, (RelPath, bool)>,
    /// What is on disk, by folded path.
    seen: BTreeMap<String, (RelPath, Kind)>,
    tree: GptTree,
    bytes: u64,
    problems: &'a mut Vec<StatusMessage>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Folder, above: &RelPath) -> Result<()> {
        for (name, kind) in folder.entries().map_err(|error| cannot(folder, error))? {
            let name = name.and_then(|name| SafeName::new(&name).map_err(|e| e.to_string()));
            let path = match name {
                Ok(name) => above.join(name),
                Err(reason) => {
                    self.problems.push(
                        StatusMessage::warning(
                            Code::UnsafeName,
                            format!("it is not read: {reason}"),
                        )
                        .at(Place::file(above.to_string())),
                    );
                    continue;
                }
            };
            if let Some((there, kind_there)) = self.seen.get(&path.folded()) {
                match (kind_there, &kind) {
                    // Two spellings of one folder: what is in either belongs to it.
                    (Kind::Folder, Kind::Folder) => {}
                    _ => {
                        let there = there.clone();
                        self.same_name(folder, &there, &path, kind)?;
                        continue;
                    }
                }
            }
            self.seen
                .entry(path.folded())
                .or_insert_with(|| (path.clone(), kind));
            if self.seen.len() > MAX_ENTRIES || path.components().len() > RelPath::MAX_DEPTH {
                return Err(too_large(folder));
            }
            self.entry(folder, &path, kind)?;
        }
        Ok(())
    }

    /// Two entries of a folder that differ only in case, of which Windows would have one. The spelling that Backup.xml lists counts.
    fn same_name(
        &mut self,
        folder: &Folder,
        there: &RelPath,
        path: &RelPath,
        kind: Kind,
    ) -> Result<()> {
        let Some((listed, _)) = self.listed.get(&path.folded()) else {
            return self.entry(folder, path, kind);
        };
        let (counts, other) = if listed.name() == there.name() {
            (there, path)
        } else if listed.name() == path.name() {
            (path, there)
        } else {
            return Err(Error::new(
                ErrorKind::BadInput,
                format!(
                    "the backup has {there} and {path}, which are one file to Windows, and Backup.xml lists neither but {listed}"
                ),
            )
            .with_hint("remove one of the two"));
        };
        let text = format!("Backup.xml lists {counts}, so this one is not part of the backup");
        self.warn(Code::SameName, other, &text);
        if counts == path {
            self.tree.remove(there);
            self.seen.insert(path.folded(), (path.clone(), kind));
            self.entry(folder, path, kind)?;
        }
        Ok(())
    }

    fn entry(&mut self, folder: &Folder, path: &RelPath, kind: Kind) -> Result<()> {
        let Some(name) = path.name() else {
            return Ok(());
        };
        let listed = self.listed.get(&path.folded()).map(|(_, is_dir)| *is_dir);
        match kind {
            Kind::Other => self.problems.push(not_a_file(&path.to_string())),
            Kind::Folder => {
                if listed == Some(true) || path.is("Machine") || path.is("User") {
                    self.tree.insert_dir(path);
                }
                let below = folder
                    .folder(name.as_str())
                    .map_err(|error| cannot(folder, error))?;
                self.folder(&below, path)?;
            }
            Kind::File if path.is("gpt.ini") => self.problems.push(
                StatusMessage::info(
                    Code::GptIni,
                    "belongs to a GPO and not to its settings; it is not read",
                )
                .at(Place::file(path.to_string())),
            ),
            Kind::File if listed == Some(false) => {
                let left = MAX_TREE_BYTES.saturating_sub(self.bytes);
                let content = folder.read(name.as_str(), left).map_err(|error| {
                    cannot(folder, error).context(format!("{path} of the backup"))
                })?;
                self.bytes += u64::try_from(content.len()).unwrap_or(u64::MAX);
                self.tree.insert_file(path, Bytes::from(content));
            }
            Kind::File => self.warn(
                Code::UnlistedFile,
                path,
                "Backup.xml does not list this file; it is not part of the backup",
            ),
        }
        Ok(())
    }

    fn warn(&mut self, code: Code, path: &RelPath, text: &str) {
        self.problems
            .push(StatusMessage::warning(code, text).at(Place::file(path.to_string())));
    }

    fn finish(mut self) -> Result<GptTree> {
        for (folded, (path, is_dir)) in std::mem::take(&mut self.listed) {
            let present = self.tree.contains(&folded);
            if present {
                continue;
            }
            let below_a_file = std::iter::successors(path.parent(), RelPath::parent)
                .any(|above| self.tree.file(&above.folded()).is_some());
            if is_dir && !below_a_file && !self.seen.contains_key(&folded) {
                self.tree.insert_dir(&path);
            } else if !path.is("gpt.ini") {
                self.warn(
                    Code::MissingFile,
                    &path,
                    "Backup.xml lists this, but it is not in the backup",
                );
            }
        }
        Ok(self.tree)
    }
}

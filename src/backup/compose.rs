//! From a snapshot to Backup.xml: which handler of GPMC's saves which file.

use std::collections::BTreeSet;

use crate::formats::backup_xml::{
    self, BackupXml, CoreSettings, DsPaths, Entry, Extension, FsObject,
};
use crate::formats::bkup_info::BackupInst;
use crate::model::directory_object::DirectoryObject;
use crate::model::gpt_tree::{GptTree, Node};
use crate::model::guid::Guid;
use crate::model::safe_name::RelPath;
use crate::model::security_descriptor::{DaclState, SecurityDescriptor, dacl_only};
use crate::model::snapshot::GpoSnapshot;
use crate::model::version::GpoVersion;

/// The identifiers of the handlers, in the case GPMC writes them.
const REGISTRY: &str = "{35378EAC-683F-11D2-A89A-00C04FBBCFA2}";
const FOLDER_REDIRECTION: &str = "{25537BA6-77A8-11D2-9B6C-0000F8080861}";
const SCRIPTS: &str = "{42B5FAAE-6536-11d2-AE5A-0000F87571E3}";
const SECURITY: &str = "{827D319E-6EAC-11D2-A4EA-00C04F79F83A}";
const SOFTWARE_INSTALLATION: &str = "{c6dc5466-785a-11d2-84d0-00c04fb169f7}";
const UNKNOWN: &str = "{F15C46CD-82A0-4C2D-A210-5D0D3182A418}";

/// What is to be written of a snapshot.
pub(super) struct Composed {
    pub(super) backup: BackupXml,
    /// Whether there is a software installation block.
    pub(super) si_present: bool,
    /// The objects that GPMC's format has no place for.
    pub(super) other_directory_objects: Vec<DirectoryObject>,
}

/// Lays out a snapshot. The handlers of security settings, scripts, folder redirection and software installation have a
/// block exactly when their client-side extension is in one of the extension lists; otherwise the files they would save
/// are listed under "Unknown Extension", as GPMC does.
pub(super) fn compose(snapshot: &GpoSnapshot) -> Composed {
    let mut composer = Composer {
        snapshot,
        claimed: BTreeSet::new(),
    };
    let mut extensions = vec![composer.registry()];
    if composer.has(FOLDER_REDIRECTION) {
        extensions.push(composer.folder_redirection());
    }
    if composer.has(SCRIPTS) {
        extensions.push(composer.scripts());
    }
    if composer.has(SECURITY) {
        extensions.push(composer.security());
    }
    let si_present = composer.has(SOFTWARE_INSTALLATION);
    if si_present {
        extensions.push(composer.software_installation());
    }
    extensions.push(composer.everything_else());
    let (mut principals, from_dacl): (Vec<_>, Vec<_>) = snapshot
        .principals
        .iter()
        .cloned()
        .partition(|principal| !principal.from_dacl);
    principals.extend(from_dacl);
    Composed {
        backup: BackupXml {
            principals,
            file_paths: snapshot.file_paths.clone(),
            core: core(snapshot),
            extensions,
        },
        si_present,
        other_directory_objects: snapshot
            .directory_objects
            .iter()
            .filter(|object| !(si_present && backup_xml::is_whole_in_class_store(object)))
            .cloned()
            .collect(),
    }
}

/// The entry of a backup in bkupInfo.xml and manifest.xml.
pub(super) fn inst(
    snapshot: &GpoSnapshot,
    id: Guid,
    comment: &str,
    now: &str,
    si_present: bool,
) -> BackupInst {
    BackupInst {
        gpo_guid: snapshot.guid.to_string(),
        gpo_domain: snapshot.domain.to_string(),
        gpo_domain_guid: snapshot.domain_guid.map(Guid::lower).unwrap_or_default(),
        gpo_domain_controller: snapshot.domain_controller.clone(),
        backup_time: now.to_owned(),
        id: id.to_string(),
        comment: comment.to_owned(),
        gpo_display_name: snapshot.display_name.clone(),
        si_present,
    }
}

fn core(snapshot: &GpoSnapshot) -> CoreSettings {
    let sysvol = snapshot.sysvol_version.unwrap_or_default();
    let directory = snapshot.directory_version;
    // Two 16-bit numbers side by side, the upper one in the place of the user version in a combined one.
    let pair = |upper, lower| {
        GpoVersion {
            user: upper,
            machine: lower,
        }
        .combined()
    };
    let filter = snapshot.wmi_filter.as_ref();
    CoreSettings {
        id: snapshot.guid.to_string(),
        domain: snapshot.domain.to_string(),
        security_descriptor: saved_descriptor(&snapshot.security_descriptor),
        display_name: snapshot.display_name.clone(),
        options: snapshot.flags,
        user_version: pair(sysvol.user, directory.user),
        machine_version: pair(sysvol.machine, directory.machine),
        machine_extensions: snapshot.machine_extensions.as_str().to_owned(),
        user_extensions: snapshot.user_extensions.as_str().to_owned(),
        wmi_filter: filter
            .map(|filter| {
                format!(
                    "MSFT_SomFilter.ID=\"{}\",Domain=\"{}\"",
                    filter.id, filter.domain
                )
            })
            .unwrap_or_default(),
        wmi_filter_name: filter.map(|filter| filter.name.clone().unwrap_or_default()),
    }
}

/// The DACL of a descriptor; nothing for a descriptor without one. What cannot be read is carried as it is.
fn saved_descriptor(bytes: &[u8]) -> Vec<u8> {
    match SecurityDescriptor::parse(bytes) {
        Ok(descriptor) if descriptor.is_stub() => bytes.to_vec(),
        Ok(descriptor) => match descriptor.dacl_state() {
            DaclState::List(_) => dacl_only(bytes).unwrap_or_default(),
            DaclState::Null | DaclState::Absent => Vec::new(),
        },
        Err(_) => bytes.to_vec(),
    }
}

struct Composer<'a> {
    snapshot: &'a GpoSnapshot,
    /// The folded paths that a handler has saved.
    claimed: BTreeSet<String>,
}

impl<'a> Composer<'a> {
    fn tree(&self) -> &'a GptTree {
        &self.snapshot.tree
    }

    fn has(&self, cse: &str) -> bool {
        cse.parse().is_ok_and(|cse| {
            self.snapshot.machine_extensions.contains(cse)
                || self.snapshot.user_extensions.contains(cse)
        })
    }

    /// The paths of an entry at `path`, with backslashes below the GPO's folder, or of a pattern there.
    fn object(&self, path: &str) -> FsObject {
        let (first, rest) = match path.split_once('\\') {
            Some((first, rest)) => (first, format!("\\{rest}")),
            None => (path, String::new()),
        };
        let variable_path = match first.to_ascii_lowercase().as_str() {
            "machine" => format!("%GPO_MACH_FSPATH%{rest}"),
            "user" => format!("%GPO_USER_FSPATH%{rest}"),
            _ => format!("%GPO_FSPATH%\\{path}"),
        };
        let snapshot = self.snapshot;
        FsObject {
            path: variable_path,
            source_expanded_path: format!(
                "\\\\{}\\sysvol\\{}\\Policies\\{}\\{path}",
                snapshot.domain_controller, snapshot.domain, snapshot.guid
            ),
            ..FsObject::default()
        }
    }

    /// An entry of the tree, which is saved under its own spelling.
    fn saved(&mut self, path: &RelPath) -> FsObject {
        self.claimed.insert(path.folded());
        let text = path.to_string();
        FsObject {
            location: Some(format!("DomainSysvol\\GPO\\{text}")),
            ..self.object(&text)
        }
    }

    /// The file of the tree at this path in any case, if it is there.
    fn file(&mut self, path: &str) -> Option<FsObject> {
        let (found, _) = self.tree().files().find(|(found, _)| found.is(path))?;
        Some(self.saved(found))
    }

    /// The content of a folder, as the entries a pattern has found: in GPMC's order, which is the order of
    /// a walk on Windows turned round, with the folder itself before all.
    fn below(&mut self, folder: &str, dirs: bool) -> Vec<Entry> {
        let prefix = format!("{}/", folder.replace('\\', "/").to_lowercase());
        let mut found: Vec<&RelPath> = self
            .tree()
            .entries()
            .filter(|(path, node)| {
                let folded = path.folded();
                matches!(node, Node::Dir) == dirs
                    && (folded.starts_with(&prefix) || (dirs && format!("{folded}/") == prefix))
            })
            .map(|(path, _)| path)
            .collect();
        found.sort_by_cached_key(|path| {
            let upper = path.to_string().to_uppercase();
            let parts: Vec<String> = upper.split('\\').map(str::to_owned).collect();
            (path.is(folder), parts)
        });
        found.reverse();
        found
            .into_iter()
            .map(|path| {
                let object = self.saved(path);
                if dirs {
                    Entry::Dir(object)
                } else {
                    Entry::File(object)
                }
            })
            .collect()
    }

    fn registry(&mut self) -> Extension {
        let mut entries: Vec<Entry> = ["Machine\\registry.pol", "User\\registry.pol"]
            .into_iter()
            .filter_map(|path| self.file(path))
            .map(Entry::File)
            .collect();
        entries.push(Entry::File(FsObject {
            children: self.below("Adm", false),
            ..self.object("Adm\\*.*")
        }));
        extension(REGISTRY, "Registry", entries)
    }

    fn folder_redirection(&mut self) -> Extension {
        let folder = "User\\Documents & Settings";
        let entry = FsObject {
            re_evaluate_function: Some("FRValidateSettings".to_owned()),
            children: self.below(folder, false),
            ..self.object(&format!("{folder}\\*"))
        };
        extension(
            FOLDER_REDIRECTION,
            "Folder Redirection",
            vec![Entry::File(entry)],
        )
    }

    fn scripts(&mut self) -> Extension {
        let mut entries = Vec::new();
        for (half, kinds) in [
            ("Machine", ["Startup", "Shutdown"]),
            ("User", ["Logon", "Logoff"]),
        ] {
            if let Some(file) = self.file(&format!("{half}\\Scripts\\scripts.ini")) {
                entries.push(Entry::File(FsObject {
                    re_evaluate_function: Some("ScriptsValidatePaths".to_owned()),
                    ..file
                }));
            }
            let powershell = self.file(&format!("{half}\\Scripts\\PSscripts.ini"));
            entries.extend(powershell.map(Entry::File));
            for kind in kinds {
                let folder = format!("{half}\\Scripts\\{kind}");
                let pattern = self.object(&format!("{folder}\\*"));
                entries.push(Entry::Dir(FsObject {
                    children: self.below(&folder, true),
                    ..pattern.clone()
                }));
                entries.push(Entry::File(FsObject {
                    children: self.below(&folder, false),
                    ..pattern
                }));
            }
        }
        extension(SCRIPTS, "Scripts", entries)
    }

    fn security(&mut self) -> Extension {
        let path = "Machine\\microsoft\\windows nt\\SecEdit\\GptTmpl.inf";
        let entries = self.file(path).map(|file| {
            Entry::File(FsObject {
                re_evaluate_function: Some("SecurityValidateSettings".to_owned()),
                ..file
            })
        });
        extension(SECURITY, "Security", entries.into_iter().collect())
    }

    fn software_installation(&mut self) -> Extension {
        let snapshot = self.snapshot;
        let gpo_dn = format!(
            "cn={},CN=Policies,CN=System,{}",
            snapshot.guid,
            snapshot.domain.to_dn()
        );
        let claimed = std::cell::RefCell::new(&mut *self);
        let script = |half: &str, name: &str| {
            let path = format!("{half}\\Applications\\{name}");
            claimed.borrow_mut().file(&path).map(Entry::File)
        };
        let paths = DsPaths {
            gpo_dn: &gpo_dn,
            script: &script,
        };
        let entries = ["Machine", "User"]
            .into_iter()
            .filter_map(|half| backup_xml::class_store(&snapshot.directory_objects, half, &paths))
            .collect();
        extension(SOFTWARE_INSTALLATION, "Software Installation", entries)
    }

    /// Every file and folder no other handler has saved, except the folders of the two halves themselves.
    fn everything_else(&mut self) -> Extension {
        let mut entries = Vec::new();
        for (path, node) in self.tree().entries() {
            let half = path.is("Machine") || path.is("User");
            if self.claimed.contains(&path.folded()) || (half && *node == Node::Dir) {
                continue;
            }
            let object = self.saved(path);
            entries.push(match node {
                Node::Dir => Entry::Dir(object),
                Node::File(_) => Entry::File(object),
            });
        }
        extension(UNKNOWN, "Unknown Extension", entries)
    }
}

fn extension(id: &str, description: &str, entries: Vec<Entry>) -> Extension {
    Extension {
        id: id.to_owned(),
        description: description.to_owned(),
        entries,
    }
}

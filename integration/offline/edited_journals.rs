//! Journals that somebody has edited: cleaning up, deleting and showing an operation does nothing but what the operation did. For undo
//! see `execute::journal::checks`.

mod values;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::execute::journal::{self, OperationState, StoredOperation};
use gpoctl::execute::{ApplyOptions, apply, clean_up};
use gpoctl::model::guid::Guid;
use gpoctl::model::retention::Retention;
use gpoctl::operations::import::{ImportOptions, ImportTarget};
use gpoctl::operations::undo;
use gpoctl::operations::{create, delete, import};
use gpoctl::progress::Control;
use gpoctl::session::DomainWriter;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::Faults;
use gpoctl::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::support::*;
use crate::verbs::{backup, fixture};

const DEFAULT_POLICY: &str = "{31B2F340-016D-11D2-945F-00C04FB984F9}";

/// Two GPOs, and the journal of an operation on the first that has left its old files behind.
struct Setting {
    domain: MemoryDomain,
    admin: DomainWriter,
    folder: tempfile::TempDir,
    own: Guid,
    other: Guid,
    journal: PathBuf,
}

impl Setting {
    /// After an import into the first GPO, or its deletion.
    async fn after(deletion: bool) -> Self {
        let domain = MemoryDomain::new("src.test").unwrap();
        let admin = domain
            .connect("Administrator", &Faults::none())
            .await
            .unwrap();
        let folder = tempfile::TempDir::new_in(scratch()).unwrap();
        let root = folder.path().join("gpoctl/operations");
        let options = ApplyOptions::in_folder(root.clone());
        let session = admin.session();
        let mut gpos = Vec::new();
        for name in ["Desks", "Servers"] {
            let plan = create::plan(session, name).await.unwrap();
            gpos.push(
                apply(&admin, &plan, &options)
                    .await
                    .unwrap()
                    .gpo
                    .unwrap()
                    .guid,
            );
        }
        fs::remove_dir_all(&root).unwrap();
        let object = session.directory().gpo(gpos[0]).await.unwrap();
        let plan = if deletion {
            delete::plan(session, &object, false, &options.control).await
        } else {
            let stored = backup(&folder.path().join("backups"), &fixture());
            let target = ImportTarget::Existing(Box::new(object));
            import::plan(
                session,
                &stored,
                &target,
                &ImportOptions::default(),
                &options.control,
            )
            .await
        };
        let plan = plan.unwrap();
        apply(&admin, &plan, &options).await.unwrap();
        let setting = Self {
            journal: root.join(&plan.operation_id),
            domain,
            own: gpos[0],
            other: gpos[1],
            folder,
            admin,
        };
        // As after a kill between the change and the removal of what was replaced.
        setting.edit_events(|events| {
            events.retain(|event| event["event"] != "finished");
        });
        assert_eq!(setting.operation().state, OperationState::LeftOver);
        setting
    }

    fn root(&self) -> &Path {
        self.journal.parent().unwrap()
    }

    fn operation(&self) -> StoredOperation {
        journal::list(self.root()).unwrap().remove(0)
    }

    fn edit_events(&self, edit: impl FnOnce(&mut Vec<Value>)) {
        let file = self.journal.join("journal.jsonl");
        let text = fs::read_to_string(&file).unwrap();
        let mut events: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        edit(&mut events);
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        fs::write(&file, lines).unwrap();
    }

    fn edit(&self, name: &str, edit: impl FnOnce(&mut Value)) {
        let file = self.journal.join(name);
        let mut json: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        edit(&mut json);
        fs::write(&file, json.to_string()).unwrap();
    }

    /// Cleans up; the domain is unchanged when that fails.
    async fn cleaned(&self) -> Result<(), Error> {
        let before = (
            self.domain.directory().snapshot(),
            self.domain.sysvol().snapshot(),
        );
        let done = clean_up(&self.admin, &self.operation(), &Control::default())
            .await
            .map(drop);
        if let Err(error) = &done {
            assert_eq!(self.domain.directory().snapshot(), before.0, "{error}");
            assert_eq!(self.domain.sysvol().snapshot(), before.1, "{error}");
        }
        done
    }

    fn show(&self, arguments: &[&str]) -> Said {
        command(arguments)
            .env("XDG_STATE_HOME", self.folder.path())
            .output()
            .unwrap()
            .into()
    }
}

/// What the operation left, and nothing else.
#[tokio::test]
async fn an_honest_journal_is_cleaned_up() {
    for deletion in [false, true] {
        let setting = Setting::after(deletion).await;
        setting.cleaned().await.unwrap();
        assert_eq!(setting.operation().state, OperationState::Done);
        let again = setting.cleaned().await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Usage);
    }
}

#[tokio::test]
async fn clean_up_of_a_deletion_keeps_what_somebody_has_put_into_the_folder() {
    let setting = Setting::after(true).await;
    let at = |path: &str| {
        SysvolPath::in_gpo(
            setting.domain.sysvol().domain(),
            setting.own,
            &path.parse().unwrap(),
        )
    };
    let put = |path: &str, content: &'static str| {
        setting
            .domain
            .sysvol()
            .put_file(&at(path), content)
            .unwrap();
    };
    // The folder as the deletion would find it, but for GPT.INI and the file of somebody else.
    setting.domain.sysvol().put_folder(&at("User")).unwrap();
    put("GPT.INI", "changed");
    put("Machine\\OTHER.pol", "x");
    let result = clean_up(&setting.admin, &setting.operation(), &Control::default())
        .await
        .unwrap();
    let [warning] = result.messages.as_slice() else {
        panic!("{:?}", result.messages);
    };
    assert_eq!(warning.code.name(), "foreign-files-kept");
    for name in ["GPT.INI", r"machine\other.pol"] {
        assert!(warning.text.contains(name), "{}", warning.text);
    }
    let own = setting.own.to_string();
    let snapshot = setting.domain.sysvol().snapshot();
    let mut left: Vec<&str> = snapshot
        .entries()
        .filter_map(|it| it.path.strip_prefix(&own))
        .collect();
    left.sort_unstable();
    assert_eq!(left, ["", r"\GPT.INI", r"\Machine", r"\Machine\OTHER.pol"]);
    assert_eq!(setting.operation().state, OperationState::Done);
}

#[tokio::test]
async fn clean_up_removes_no_entry_that_the_operation_did_not_make() {
    let setting = Setting::after(false).await;
    let honest = fs::read_to_string(setting.journal.join("journal.jsonl")).unwrap();
    let other = setting.other.to_string();
    let up = format!(r"..\{other}");
    for name in ["Machine", "GPT.INI", r"..\x", &up, "..", "", "a/b", "x\0y"] {
        for inverse in [
            json!({"event": "change", "inverse": "remove-entry", "name": name}),
            json!({"event": "change", "inverse": "switch-back", "live": "Machine", "old": name, "staged": null}),
            json!({"event": "change", "inverse": "switch-back", "live": name, "old": name, "staged": name}),
        ] {
            setting.edit_events(|events| events.insert(0, inverse.clone()));
            let error = setting.cleaned().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadInput, "{inverse}: {error}");
            fs::write(setting.journal.join("journal.jsonl"), &honest).unwrap();
        }
    }
    for deletion in ["delete-gpo", "delete-container"] {
        for guid in [other.as_str(), DEFAULT_POLICY] {
            let inverse = json!({"event": "change", "inverse": deletion, "guid": guid});
            setting.edit_events(|events| events.insert(0, inverse));
            let error = setting.cleaned().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadInput, "{error}");
            fs::write(setting.journal.join("journal.jsonl"), &honest).unwrap();
        }
    }
    setting.cleaned().await.unwrap();
}

#[tokio::test]
async fn clean_up_of_a_deletion_removes_no_other_folder() {
    // The plan names another GPO, a default one, or one of which only the folder is there.
    for (target, kind) in [
        ("other", ErrorKind::Conflict),
        (DEFAULT_POLICY, ErrorKind::Denied),
    ] {
        let setting = Setting::after(true).await;
        let guid = match target {
            "other" => setting.other.to_string(),
            guid => guid.to_owned(),
        };
        let own = setting.own.to_string();
        let text = fs::read_to_string(setting.journal.join("plan.json")).unwrap();
        let bare = |guid: &str| guid.trim_matches(['{', '}']).to_owned();
        let edited = text.replace(&bare(&own), &bare(&guid));
        assert_ne!(edited, text);
        fs::write(setting.journal.join("plan.json"), edited).unwrap();
        let error = setting.cleaned().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    // Nothing says that this operation has deleted a container.
    let setting = Setting::after(true).await;
    setting.edit_events(|events| events.retain(|event| event["inverse"] != "recreate-container"));
    let error = setting.cleaned().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput, "{error}");
    // The journal of another operation, and that of an import that became a deletion.
    let setting = Setting::after(true).await;
    setting.edit("plan.json", |plan| {
        plan["operation_id"] = json!("20260101T000000.000Z-00000001")
    });
    let error = setting.cleaned().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput, "{error}");
    let setting = Setting::after(false).await;
    setting.edit("plan.json", |plan| {
        plan["changes"][0]["verb"] = json!("delete")
    });
    let error = setting.cleaned().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput, "{error}");
    let setting = Setting::after(false).await;
    setting.edit("before.json", |before| before["version"] = json!(7));
    let error = setting.cleaned().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput, "{error}");
}

#[tokio::test]
async fn a_journal_that_others_can_write_or_that_is_a_link_is_not_cleaned_up_or_deleted() {
    for name in ["plan.json", "journal.jsonl", "before.json"] {
        let setting = Setting::after(false).await;
        let found = setting.operation();
        let file = setting.journal.join(name);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(
            clean_up(&setting.admin, &found, &Control::default())
                .await
                .is_err(),
            "{name}"
        );
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let aside = setting.folder.path().join("aside");
        fs::rename(&file, &aside).unwrap();
        std::os::unix::fs::symlink(&aside, &file).unwrap();
        assert!(
            clean_up(&setting.admin, &found, &Control::default())
                .await
                .is_err(),
            "{name}"
        );
    }
}

/// Deleting a journal follows no link in it, and deletes none that is still needed, whatever its events say.
#[tokio::test]
async fn prune_deletes_the_journal_and_nothing_beside_it() {
    let setting = Setting::after(false).await;
    let outside = setting.folder.path().join("outside");
    fs::create_dir_all(outside.join("inner")).unwrap();
    fs::write(outside.join("inner/kept"), "x").unwrap();
    for place in ["link", "before/link"] {
        std::os::unix::fs::symlink(&outside, setting.journal.join(place)).unwrap();
    }
    std::os::unix::fs::symlink(outside.join("inner/kept"), setting.journal.join("file")).unwrap();
    let retention = Retention {
        last: 1,
        ..Retention::default()
    };
    let decide = || journal::decide(journal::list(setting.root()).unwrap(), &retention);
    assert!(decide().iter().all(|(_, keep)| !keep.is_empty()));
    let open = setting.operation();
    assert_eq!(
        journal::remove(&open).unwrap_err().kind(),
        ErrorKind::Conflict
    );
    // An ID is the name of a folder, and never a way to another one.
    let mut edited = open.clone();
    edited.state = OperationState::Done;
    for id in ["../outside", "..", ".", "", "/tmp", "x/../../outside"] {
        edited.id = id.to_owned();
        assert!(journal::remove(&edited).is_err(), "{id}");
    }
    assert!(setting.journal.exists() && outside.join("inner/kept").exists());
    setting.edit_events(|events| events.push(json!({"event": "finished"})));
    journal::remove(&setting.operation()).unwrap();
    assert!(!setting.journal.exists() && outside.join("inner/kept").exists());
}

/// What is shown of an operation follows from its content.
#[tokio::test]
async fn show_believes_no_words_of_an_edited_journal() {
    let setting = Setting::after(false).await;
    let id = setting.operation().id;
    let honest = setting.show(&["operations", "show", &id]);
    assert_eq!(honest.status, 0, "{}", honest.stderr);
    assert!(
        honest.stdout.contains("setup.cmd at startup"),
        "{}",
        honest.stdout
    );
    setting.edit("plan.json", |plan| {
        plan["changes"][0]["risks"] = json!([]);
        plan["changes"][0]["messages"] =
            json!([{"severity": "info", "code": "no-flags", "text": "this was checked"}]);
    });
    let said = setting.show(&["operations", "show", &id]);
    assert!(
        said.stdout.contains("setup.cmd at startup"),
        "{}",
        said.stdout
    );
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(
        !all.contains("this was checked") || all.contains("the journal says"),
        "{all}"
    );
    for (what, edit) in [
        (
            "a path out of the folder",
            json!([{"path": r"..\..\x", "is_dir": false, "size": 1, "sha256": null, "change": "added"}]),
        ),
        (
            "an entry that is not there",
            json!([{"path": r"Machine\x", "is_dir": false, "size": 1, "sha256": "00", "change": "added"}]),
        ),
    ] {
        setting.edit("plan.json", |plan| plan["changes"][0]["entries"] = edit);
        let said = setting.show(&["operations", "show", &id]);
        assert!(said.stderr.contains("error"), "{what}: {}", said.stderr);
        assert!(!said.stdout.contains(r"..\..\x"), "{what}: {}", said.stdout);
    }
}

/// The backup from before an operation, with a file or folder that another user may write. For one that another user owns see
/// `backup::tests::attacker`.
#[tokio::test]
async fn undo_restores_no_backup_that_another_user_may_write() {
    let setting = Setting::after(false).await;
    setting.cleaned().await.unwrap();
    let planned = async || {
        let control = Control::default();
        let planned = undo::plan(setting.admin.session(), &setting.operation(), &control).await;
        planned.map(drop)
    };
    planned().await.unwrap();
    let mut entries = fs::read_dir(setting.journal.join("before")).unwrap();
    let backup = entries.find_map(|entry| {
        let path = entry.unwrap().path();
        path.join("Backup.xml").exists().then_some(path)
    });
    let backup = backup.unwrap();
    let file = backup.join("Backup.xml");
    let allow = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let refused = async || {
        let error = planned().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadInput, "{error}");
        assert!(
            error.message().contains("another user owns or may write"),
            "{error}"
        );
    };
    allow(&file, 0o666);
    refused().await;
    allow(&file, 0o600);
    allow(&backup, 0o777);
    refused().await;
    allow(&backup, 0o700);
    planned().await.unwrap();
}

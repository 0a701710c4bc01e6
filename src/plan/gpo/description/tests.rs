use base64::Engine as _;
use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::message::Code;
use crate::model::digest::sha256;
use crate::model::directory_object::DirectoryObject;
use crate::model::gpt_tree::GptTree;
use crate::model::sddl::from_sddl;
use crate::plan::Plan;
use crate::plan::gpo::{PlanTarget, old_contents, plan_entries, tree_hashes};
use crate::settings::Names;
use crate::settings::diff::SettingChange;

const STARTUP: &[u8] = b"\r\n[Startup]\r\n0CmdLine=evil.exe\r\n0Parameters=\r\n";
const DRIVES: &[u8] = b"<Drives><Drive name='K:'><Properties userName='u' cpassword='j1Uyj3Vx8TY9LtLZil2uAuZkFQA/4latT76ZwgdHdhw'/></Drive></Drives>";

fn tree(files: &[(&str, &'static [u8])]) -> GptTree {
    let mut tree = GptTree::new();
    for half in ["Machine", "User"] {
        tree.insert_dir(&half.parse().unwrap());
    }
    for (path, content) in files {
        tree.insert_file(&path.parse().unwrap(), Bytes::from_static(content));
    }
    tree
}

fn descriptor(sddl: &str) -> FileContent {
    FileContent(from_sddl(sddl, None).unwrap().to_bytes().unwrap().into())
}

/// A restore of an existing GPO: a startup script and a stored password are added, a file is deleted, an object and permissions
/// change.
fn plan() -> GpoPlan {
    let old_tree = tree(&[("Machine\\Registry.pol", b"old"), ("GPO.cmt", b"h\0i\0")]);
    let new_tree = tree(&[
        ("Machine\\Scripts\\scripts.ini", STARTUP),
        ("User\\Preferences\\Drives\\Drives.xml", DRIVES),
    ]);
    let (entries, contents) = plan_entries(&old_tree, &new_tree);
    let old = descriptor("O:BAG:BAD:P(A;CI;GA;;;BA)");
    let target = PlanTarget {
        guid: "{11111111-2222-3333-4444-555555555555}".parse().unwrap(),
        display_name: "Desks".to_owned(),
        domain: "src.test".parse().unwrap(),
        create: false,
    };
    let package = |name: &str| {
        let object = DirectoryObject {
            rdns: ["CN=p", "CN=Packages", "CN=Class Store", "CN=Machine"]
                .map(str::to_owned)
                .to_vec(),
            object_class: "packageRegistration".to_owned(),
            attributes: vec![crate::model::directory_object::DirectoryAttribute {
                name: "packageName".to_owned(),
                values: crate::model::directory_object::AttributeValues::String(Some(
                    name.to_owned(),
                )),
            }],
            security_descriptor: None,
        };
        AllowedObject::new(object).unwrap()
    };
    let before = package("old");
    let basis = GpoState {
        display_name: "Desks".to_owned(),
        flags: Some(0),
        directory_version: Some(GpoVersion::from_combined(65_537)),
        sysvol_version: Some(GpoVersion::from_combined(65_537)),
        machine_extensions: ExtensionList::default(),
        user_extensions: ExtensionList::default(),
        wmi_filter: None,
        security_descriptor: sha256(&old.0),
        tree: tree_hashes(&old_tree),
        directory_objects: [(before.rdns.join(","), "other".to_owned())].into(),
        descriptor: Some(old),
        objects: vec![ObjectState {
            rdns: before.rdns.clone(),
            object_class: before.object_class.clone(),
            content: "other".to_owned(),
            descriptor: None,
        }],
        gpt_ini: None,
        functionality_version: None,
    };
    let mut plan = GpoPlan {
        basis: Some(basis),
        old_contents: old_contents(&old_tree, &entries),
        entries,
        contents,
        gpt_ini: Some(FileContent(
            gpt_ini::create(GpoVersion::from_combined(131_074)).into(),
        )),
        directory_objects: vec![package("new")],
        messages: stored_passwords(&new_tree),
        ..GpoPlan::new(Verb::Restore, target)
    };
    plan.steps = plan
        .describe_steps(&Intent {
            descriptor: Some(descriptor("O:BAG:BAD:P(A;CI;GA;;;BA)(A;CI;GR;;;AU)")),
            attributes: Some(NewAttributes {
                version: GpoVersion::from_combined(131_074),
                flags: 0,
                machine_extensions: ExtensionList::default(),
                user_extensions: ExtensionList::default(),
                display_name: Some("Tables".to_owned()),
                wmi_filter: None,
            }),
            links: Vec::new(),
        })
        .unwrap();
    plan.risks = plan.describe_risks().unwrap();
    plan
}

fn edited(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let saved = Plan::of(plan()).to_json().unwrap();
    let mut json: Value = serde_json::from_slice(&saved).unwrap();
    change(&mut json["changes"][0]);
    serde_json::to_vec(&json).unwrap()
}

/// The plan as it was saved, edited.
fn read(change: impl FnOnce(&mut Value)) -> Result<Plan> {
    Plan::from_json(&edited(change))
}

/// The number of the step of this kind.
fn step(json: &Value, kind: &str) -> usize {
    let steps = json["steps"].as_array().unwrap();
    steps.iter().position(|step| step["step"] == kind).unwrap()
}

#[test]
fn a_plan_that_says_what_it_does_is_read() {
    let read = read(|_| {}).unwrap().into_gpo().unwrap();
    assert_eq!(read.steps, plan().steps);
    let kinds: Vec<&str> = read.risks.iter().map(|risk| risk.kind.label()).collect();
    assert_eq!(kinds, ["script", "software"]);
}

#[test]
fn a_plan_that_says_less_than_it_does_is_refused_with_the_place() {
    type Edit = fn(&mut Value);
    let edits: &[(&str, Edit)] = &[
        ("what runs code or grants rights", |json| {
            json["risks"] = json!([]);
        }),
        ("what runs code or grants rights", |json| {
            json["risks"][0]["text"] = json!("harmless.exe at startup");
        }),
        ("no warning of: the password of \"u\"", |json| {
            json["messages"] = json!([]);
        }),
        ("step 1", |json| {
            json["steps"].as_array_mut().unwrap().clear();
        }),
        ("step 1", |json| {
            let number = step(json, "set-security-descriptor");
            json["steps"][number]["to"] = json!("D:");
        }),
        ("step 1", |json| {
            let number = step(json, "set-security-descriptor");
            json["steps"][number]["from"] = json!("O:BAG:BAD:P(A;CI;GA;;;BA)(A;CI;GR;;;AU)");
        }),
        ("step 2", |json| {
            let number = step(json, "stage-files");
            json["steps"][number]["files"] = json!(1);
        }),
        ("step 6", |json| {
            let number = step(json, "change-directory-objects");
            json["steps"].as_array_mut().unwrap().remove(number);
        }),
        ("step 8", |json| {
            let number = step(json, "modify-gpo");
            json["steps"][number]["flags_from"] = json!(7);
        }),
        ("flags 4, and a GPO has 0 to 3", |json| {
            let number = step(json, "modify-gpo");
            json["steps"][number]["flags_to"] = json!(4);
        }),
        ("step 9", |json| {
            let number = step(json, "modify-gpo");
            let again = json["steps"][number].clone();
            json["steps"].as_array_mut().unwrap().push(again);
        }),
        ("the entry Machine\\Scripts\\scripts.ini", |json| {
            let entries = json["entries"].as_array_mut().unwrap();
            let at = |entry: &&mut Value| entry["path"].as_str().unwrap().ends_with("scripts.ini");
            entries.iter_mut().find(at).unwrap()["change"] = json!("unchanged");
        }),
        ("the entry Machine\\Scripts\\scripts.ini", |json| {
            let entries = json["entries"].as_array_mut().unwrap();
            let at = |entry: &&mut Value| entry["path"].as_str().unwrap().ends_with("scripts.ini");
            entries.iter_mut().find(at).unwrap()["size"] = json!(1);
        }),
        ("gpo.cmt is missing", |json| {
            let entries = json["entries"].as_array_mut().unwrap();
            entries.retain(|entry| entry["path"] != "GPO.cmt");
        }),
        ("of no file", |json| {
            json["contents"][sha256(b"more")] = json!("bW9yZQ==");
        }),
        ("the version in GPT.INI", |json| {
            json["gpt_ini"] = Value::Null;
        }),
        ("the permissions it was made against", |json| {
            // The new permissions look like the old ones.
            let number = step(json, "set-security-descriptor");
            json["basis"]["descriptor"] = json["steps"][number]["descriptor"].clone();
            json["steps"][number]["from"] = json["steps"][number]["to"].clone();
        }),
        ("the permissions it was made against", |json| {
            let number = step(json, "set-security-descriptor");
            json["basis"].as_object_mut().unwrap().remove("descriptor");
            json["steps"][number]["from"] = Value::Null;
        }),
        ("the objects it was made against", |json| {
            // The object that is changed looks unchanged.
            let same = serde_json::to_value(ObjectState::of(&plan().directory_objects[0]));
            json["basis"]["objects"][0] = same.unwrap();
            let number = step(json, "change-directory-objects");
            json["steps"].as_array_mut().unwrap().remove(number);
        }),
        ("the objects it was made against", |json| {
            // The object that is changed looks as if it were new.
            json["basis"]["objects"] = json!([]);
            let number = step(json, "change-directory-objects");
            json["steps"][number]["step"] = json!("add-directory-objects");
        }),
        ("target: the display name", |json| {
            json["target"]["display_name"] = json!("Another GPO");
        }),
        ("target: a GPO that exists is not created", |json| {
            json["target"]["create"] = json!(true);
        }),
    ];
    for (place, edit) in edits {
        let error = read(edit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadInput);
        let text = error.to_string();
        assert!(text.contains("does not describe what it does"), "{text}");
        assert!(text.contains(place), "{place}: {text}");
    }
}

/// The settings that a plan changes, a line each.
fn settings(plan: &GpoPlan) -> Option<Vec<String>> {
    let changes = plan.setting_changes(&Names::new())?;
    let line = |change: &SettingChange| format!("{:?} {}", change.change, change.text());
    Some(changes.iter().map(line).collect())
}

#[test]
fn the_changed_settings_of_a_saved_plan_are_those_of_its_content() {
    let changes = [
        "Removed Comment: \"hi\"",
        "Added script 1: command: \"evil.exe\"",
        "Added Drive K:: action: update; userName: \"u\"; cpassword: a stored password (not shown)",
        "Changed new: - before: not known",
    ];
    assert_eq!(settings(&plan()).unwrap(), changes);
    let saved = read(|_| {}).unwrap().into_gpo().unwrap();
    assert_eq!(settings(&saved).unwrap(), changes);
    // Other old content, with its hash or under the former one, and content that no file had.
    let other = base64::engine::general_purpose::STANDARD.encode(b"h\0o\0");
    let hash = sha256(b"h\0i\0");
    for name in [hash.clone(), sha256(b"h\0o\0")] {
        let edit = |json: &mut Value| json["old_contents"][&name] = json!(other);
        let error = read(edit).unwrap_err().to_string();
        assert!(
            error.contains(&format!("the old content {name}")),
            "{error}"
        );
    }
    // A plan of an older version has none: it is read, and its settings are not known.
    let older = read(|json| {
        json.as_object_mut().unwrap().remove("old_contents");
    });
    assert_eq!(settings(&older.unwrap().into_gpo().unwrap()), None);
}

#[test]
fn an_older_plan_that_writes_no_permissions_needs_none_recorded() {
    let mut older = GpoPlan {
        basis: plan().basis,
        ..GpoPlan::new(Verb::Rename, plan().target)
    };
    let basis = older.basis.as_mut().unwrap();
    (basis.descriptor, basis.objects) = (None, Vec::new());
    older.steps = vec![Step::Rename {
        from: "Desks".to_owned(),
        to: "Tables".to_owned(),
    }];
    Plan::from_json(&Plan::of(older.clone()).to_json().unwrap()).unwrap();
    older.basis.as_mut().unwrap().descriptor = Some(descriptor("D:"));
    let error = Plan::from_json(&Plan::of(older.clone()).to_json().unwrap()).unwrap_err();
    assert!(error.to_string().contains("the permissions it was made"));
}

#[test]
fn an_object_in_one_of_the_two_lists_alone_is_a_difference() {
    let state = plan().basis.unwrap();
    let mut edited = state.clone();
    let more = ObjectState {
        rdns: vec!["CN=q".to_owned()],
        ..state.objects[0].clone()
    };
    edited.objects.push(more);
    assert_eq!(edited.differences(&state), ["object CN=q is gone"]);
    // It is in the hashes, and not among the objects.
    let mut live = edited.clone();
    let hash = "other".to_owned();
    live.directory_objects.insert("CN=q".to_owned(), hash);
    let mut edited = live.clone();
    edited.objects.pop();
    assert_eq!(edited.differences(&live), ["object CN=q is new"]);
    assert!(live.differences(&live).is_empty());
    // As in plans of older versions.
    edited.objects.clear();
    assert!(edited.differences(&live).is_empty());
}

#[test]
fn a_journal_is_read_with_the_risks_of_its_content() {
    let read = from_journal(|json| json["risks"] = json!([])).unwrap();
    let read = read.into_gpo().unwrap();
    assert_eq!(read.risks, plan().risks);
}

/// The plan as a journal contains it, edited.
fn from_journal(change: impl FnOnce(&mut Value)) -> Result<Plan> {
    Plan::from_journal(&edited(change))
}

#[test]
fn a_plan_in_a_journal_does_what_it_says() {
    let step_of = |json: &mut Value, kind: &str, key: &str, value: Value| {
        let number = step(json, kind);
        json["steps"][number][key] = value;
    };
    // What another version words differently is described again.
    let read = from_journal(|json| {
        step_of(
            json,
            "set-security-descriptor",
            "from",
            json!("other words"),
        );
        step_of(json, "set-security-descriptor", "to", json!("none"));
        json["messages"] = json!([]);
    })
    .unwrap();
    assert_eq!(read.gpo().unwrap().steps, plan().steps);
    type Edit = fn(&mut Value);
    let edits: [(&str, Edit); 5] = [
        ("entry", |json| {
            let entries = json["entries"].as_array_mut().unwrap();
            let file = entries.iter_mut().find(|entry| entry["sha256"].is_string());
            file.unwrap()["size"] = json!(1);
        }),
        ("step", |json| json["steps"].as_array_mut().unwrap().clear()),
        ("GPT.INI", |json| json["gpt_ini"] = Value::Null),
        ("permissions", |json| {
            json["basis"]["descriptor"] = json!("");
        }),
        ("objects", |json| json["basis"]["objects"] = json!([])),
    ];
    for (what, edit) in edits {
        let error = from_journal(edit).expect_err(what);
        assert_eq!(error.kind(), ErrorKind::BadInput, "{error}");
        assert!(error.to_string().contains(what), "{what}: {error}");
    }
}

#[test]
fn a_plan_changes_no_link_to_another_gpo() {
    let link = |guid: &str| format!("[LDAP://CN={guid},CN=Policies,CN=System,DC=src,DC=test;0]");
    let target = plan().target.guid.to_string();
    let own = link(&target);
    let other = link("{99999999-2222-3333-4444-555555555555}");
    let read = |from: Option<&str>, to: Option<&str>| {
        let links =
            json!({"step": "set-links", "som": "OU=Staff,DC=src,DC=test", "from": from, "to": to});
        let saved = |json: &mut Value| json["steps"].as_array_mut().unwrap().push(links.clone());
        let outcomes = [
            super::tests::read(saved).map(drop),
            from_journal(saved).map(drop),
        ];
        assert_eq!(outcomes[0].is_ok(), outcomes[1].is_ok(), "{from:?} {to:?}");
        outcomes.into_iter().next().unwrap()
    };
    let both = format!("{other}{own}");
    for (from, to) in [
        (None, Some(own.as_str())),
        (Some(own.as_str()), None),
        (Some(other.as_str()), Some(both.as_str())),
        (Some(both.as_str()), Some(other.as_str())),
    ] {
        read(from, to).unwrap_or_else(|error| panic!("{from:?} {to:?}: {error}"));
    }
    for (from, to) in [
        (None, Some(other.as_str())),
        (Some(other.as_str()), None),
        (Some(own.as_str()), Some(other.as_str())),
        (Some(own.as_str()), Some("[LDAP://x;0]")),
        (Some(own.as_str()), Some("text")),
        (None, Some(both.as_str())),
    ] {
        let error = read(from, to).expect_err("another link");
        assert!(error.to_string().contains("links of OU=Staff"), "{error}");
    }
}

#[test]
fn what_cannot_be_recomputed_is_said_to_be_the_files_own_word() {
    let forged = json!({"severity": "info", "code": "all-well", "text": "reviewed and harmless"});
    let password = stored_passwords(&plan().new_tree().unwrap());
    let edit = |json: &mut Value| {
        json["messages"]
            .as_array_mut()
            .unwrap()
            .push(forged.clone());
        json["source"] = json!({"backup_id": null, "gpo_guid": plan().target.guid, "display_name": "Baseline", "domain": "src.test"});
    };
    let saved = read(edit).unwrap();
    let journal = from_journal(edit).unwrap();
    for (plan, who) in [(saved, "the plan file says"), (journal, "the journal says")] {
        assert_eq!(plan.said_by, Some(who));
        let last = plan.gpo().unwrap().messages.last().unwrap();
        // The code is not one of gpoctl's, so it is a part of the words.
        assert_eq!(last.code, Code::UnknownCode);
        assert_eq!(last.text, format!("{who}: all-well: reviewed and harmless"));
        // What is computed from the content is ours.
        for message in &password {
            assert!(plan.findings().any(|it| it == message), "{message:?}");
        }
        assert!(!password.is_empty());
    }
}

/// Bit 2 means nothing to a client, and a plan that is shown as "all enabled" would write it.
#[test]
fn a_status_that_no_gpo_has_is_refused() {
    let read = |to: u32| {
        let mut plan = GpoPlan {
            verb: Verb::SetStatus,
            ..plan()
        };
        plan.entries.clear();
        plan.contents.clear();
        plan.old_contents.clear();
        plan.gpt_ini = None;
        plan.directory_objects.clear();
        plan.steps = vec![Step::SetStatus { from: Some(0), to }];
        plan.risks = plan.describe_risks().unwrap();
        Plan::from_json(&Plan::of(plan).to_json().unwrap())
    };
    for to in 0..=3 {
        read(to).unwrap();
    }
    for to in [4, 7, u32::MAX] {
        let error = read(to).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadInput);
        let said = format!("flags {to}, and a GPO has 0 to 3");
        assert!(error.to_string().contains(&said), "{error}");
    }
}

mod edited;

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::execute::journal::OperationState;
use crate::model::allowed_object::AllowedObject;
use crate::model::directory_object::DirectoryObject;
use crate::model::guid::Guid;
use crate::model::sddl::from_sddl;
use crate::model::version::GpoVersion;
use crate::plan::gpo::{FileContent, Intent, NewAttributes, PlanTarget};

const OWN: &str = "{11111111-2222-3333-4444-555555555555}";
const OTHER: &str = "{99999999-2222-3333-4444-555555555555}";
const DEFAULT: &str = "{31B2F340-016D-11D2-945F-00C04FB984F9}";

/// The permissions of the GPO before the operation.
const SDDL: &str = "O:BAG:BAD:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;BA)(A;CI;RPLCRC;;;AU)";

fn descriptor(sddl: &str) -> FileContent {
    FileContent(from_sddl(sddl, None).unwrap().to_bytes().unwrap().into())
}

fn gpt_ini() -> Vec<u8> {
    crate::formats::gpt_ini::create(GpoVersion::from_combined(65_537))
}

fn guid(text: &str) -> Guid {
    text.parse().unwrap()
}

fn basis() -> GpoState {
    GpoState {
        display_name: "Desks".to_owned(),
        flags: Some(0),
        directory_version: Some(GpoVersion::from_combined(65_537)),
        sysvol_version: Some(GpoVersion::from_combined(65_537)),
        machine_extensions: Default::default(),
        user_extensions: Default::default(),
        wmi_filter: None,
        security_descriptor: sha256(&descriptor(SDDL).0),
        tree: [("gpo.cmt".to_owned(), "x".to_owned())].into(),
        directory_objects: Default::default(),
        descriptor: Some(descriptor(SDDL)),
        objects: Vec::new(),
        gpt_ini: Some(sha256(&gpt_ini())),
        functionality_version: Some(2),
    }
}

fn before() -> Before {
    let basis = basis();
    Before {
        version: basis.directory_version,
        flags: basis.flags,
        machine_extensions: basis.machine_extensions,
        user_extensions: basis.user_extensions,
        directory_objects: Vec::new(),
        gpt_ini: Some(FileContent(gpt_ini().into())),
        display_name: basis.display_name,
        wmi_filter: None,
        functionality_version: Some(2),
        security_descriptor: descriptor(SDDL),
    }
}

/// A plan of this verb for the GPO, which exists unless it is created.
fn plan(verb: Verb, target: &str, create: bool) -> GpoPlan {
    let target = PlanTarget {
        guid: guid(target),
        display_name: "Desks".to_owned(),
        domain: "src.test".parse().unwrap(),
        create,
    };
    let mut plan = GpoPlan::new(verb, target);
    plan.basis = (!create).then(basis);
    plan.steps = match verb {
        Verb::Rename => vec![Step::Rename {
            from: "Desks".to_owned(),
            to: "Tables".to_owned(),
        }],
        Verb::SetStatus => vec![Step::SetStatus {
            from: Some(0),
            to: 3,
        }],
        Verb::Delete => vec![Step::DeleteGpo {
            guid: plan.target.guid,
            display_name: "Desks".to_owned(),
            keep_links: false,
        }],
        _ => plan
            .describe_steps(&Intent {
                attributes: Some(NewAttributes {
                    version: GpoVersion::from_combined(131_074),
                    flags: 0,
                    machine_extensions: Default::default(),
                    user_extensions: Default::default(),
                    display_name: None,
                    wmi_filter: None,
                }),
                links: vec![link("a", "b")],
                ..Intent::default()
            })
            .unwrap(),
    };
    for (name, change) in [
        ("Machine", EntryChange::Changed),
        ("Added", EntryChange::Added),
        ("Gone", EntryChange::Removed),
    ] {
        plan.steps.push(Step::SwitchEntry {
            name: name.to_owned(),
            change,
        });
    }
    plan
}

fn link(from: &str, to: &str) -> Step {
    Step::SetLinks {
        som: "OU=Staff,DC=src,DC=test".to_owned(),
        from: Some(from.to_owned()),
        to: Some(to.to_owned()),
    }
}

/// An interrupted operation that has announced this.
fn unfinished(id: &str, changes: Vec<(usize, Inverse)>) -> StoredOperation {
    StoredOperation {
        id: id.to_owned(),
        folder: PathBuf::from("/x"),
        state: OperationState::Unfinished,
        time: String::new(),
        what: String::new(),
        gpo: None,
        domain: None,
        reason: None,
        safety_backup: None,
        started: None,
        changes,
        stands: BTreeSet::new(),
        kept_for_others: false,
        undone_by: None,
        undone_in_part: false,
        leaves_something: false,
        undoes: None,
        mode: Mode::default(),
        planned: 1,
        raising: BTreeMap::new(),
        put_aside: BTreeMap::new(),
    }
}

/// Whether a journal with this plan and this inverse is refused, and why.
fn refused(plan: &GpoPlan, inverse: Inverse) -> Option<Error> {
    let stored = unfinished(ID, vec![(0, inverse)]);
    let before = plan.basis.is_some().then(|| (0, before()));
    let before = before.into_iter().collect();
    stored.refuse_foreign_parts(&whole(plan), &before).err()
}

const ID: &str = "20260131T120000.250Z-00000002";

/// The plan of an operation with the ID [`ID`].
fn whole(plan: &GpoPlan) -> Plan {
    let mut whole = Plan::of(plan.clone());
    ID.clone_into(&mut whole.operation_id);
    whole
}

fn staged(role: &str, name: &str) -> String {
    let tag = ID.rsplit('-').next().unwrap();
    format!(".gpoctl-{tag}-{role}-{name}")
}

#[test]
fn what_an_operation_announces_belongs_to_it() {
    let created = plan(Verb::Import, OWN, true);
    let changed = plan(Verb::Restore, OWN, false);
    let own = guid(OWN);
    for (plan, inverse) in [
        (&created, Inverse::DeleteGpo { guid: own }),
        (&created, Inverse::DeleteContainer { guid: own }),
        (
            &changed,
            Inverse::RemoveEntry {
                name: staged("new", "GPT.INI"),
            },
        ),
        (
            &changed,
            Inverse::SwitchBack {
                live: "Machine".to_owned(),
                old: Some(staged("old", "Machine")),
                staged: Some(staged("new", "Machine")),
            },
        ),
        (
            &changed,
            Inverse::SwitchBack {
                live: "Machine".to_owned(),
                old: Some(staged("old", "MACHINE")),
                staged: Some(staged("new", "Machine")),
            },
        ),
        (
            &changed,
            Inverse::SwitchBack {
                live: "Added".to_owned(),
                old: None,
                staged: Some(staged("new", "Added")),
            },
        ),
        (
            &changed,
            Inverse::SwitchBack {
                live: "Gone".to_owned(),
                old: Some(staged("old", "Gone")),
                staged: None,
            },
        ),
        (&changed, Inverse::RestoreGptIni),
        (
            &changed,
            Inverse::RestoreAttributes {
                written: GpoVersion::from_combined(131_074),
                descriptor: false,
            },
        ),
        (
            &changed,
            Inverse::RestoreLinks {
                som: "OU=Staff,DC=src,DC=test".to_owned(),
                before: Some("a".to_owned()),
                written: Some("b".to_owned()),
            },
        ),
        (&plan(Verb::Delete, OWN, false), Inverse::RecreateContainer),
        (
            &plan(Verb::Rename, OWN, false),
            Inverse::RestoreName {
                written: "Tables".to_owned(),
            },
        ),
        (
            &plan(Verb::SetStatus, OWN, false),
            Inverse::RestoreStatus { written: 3 },
        ),
    ] {
        let text = format!("{inverse:?}");
        assert!(refused(plan, inverse).is_none(), "{text}");
    }
}

#[test]
fn only_an_entry_that_is_replaced_is_put_aside() {
    let plan = plan(Verb::Restore, OWN, false);
    let switch = |old: Option<String>| Inverse::SwitchBack {
        live: "Machine".to_owned(),
        old,
        staged: Some(staged("new", "Machine")),
    };
    let refused = |live: &str, of: usize| {
        let mut stored = unfinished(ID, vec![(0, switch(Some(staged("old", "Machine"))))]);
        let before = BTreeMap::from([(0, before())]);
        assert!(stored.refuse_foreign_parts(&whole(&plan), &before).is_ok());
        stored
            .put_aside
            .entry(of)
            .or_default()
            .insert(live.to_owned());
        let refused = stored.refuse_foreign_parts(&whole(&plan), &before).err();
        refused.map(|error| error.to_string())
    };
    assert_eq!(refused("Machine", 0), None);
    for (live, of) in [("User", 0), ("Machine", 1), (r"..\Machine", 0)] {
        let text = refused(live, of).unwrap();
        assert!(
            text.contains("aside, which the operation did not replace"),
            "{text}"
        );
    }
}

#[test]
fn what_an_edited_journal_undoes_besides_is_refused() {
    let created = plan(Verb::Import, OWN, true);
    let changed = plan(Verb::Restore, OWN, false);
    let rename = plan(Verb::Rename, OWN, false);
    let own = guid(OWN);
    let switch = |live: &str, old: Option<String>, new: Option<String>| Inverse::SwitchBack {
        live: live.to_owned(),
        old,
        staged: new,
    };
    for (plan, inverse) in [
        // Another GPO; a GPO that the operation did not create.
        (&created, Inverse::DeleteGpo { guid: guid(OTHER) }),
        (&created, Inverse::DeleteContainer { guid: guid(OTHER) }),
        (&changed, Inverse::DeleteGpo { guid: own }),
        (&changed, Inverse::DeleteContainer { guid: own }),
        (&changed, Inverse::RecreateContainer),
        (&rename, Inverse::RemoveFolder),
        (&rename, Inverse::RestoreGptIni),
        (&rename, Inverse::RestoreStatus { written: 3 }),
        (
            &rename,
            Inverse::RestoreName {
                written: "Others".to_owned(),
            },
        ),
        // Entries that are live, of another operation, or of none.
        (
            &changed,
            Inverse::RemoveEntry {
                name: "Machine".to_owned(),
            },
        ),
        (
            &changed,
            Inverse::RemoveEntry {
                name: ".gpoctl-00000000-new-Machine".to_owned(),
            },
        ),
        (
            &changed,
            Inverse::RemoveEntry {
                name: staged("new", "..\\..\\Machine"),
            },
        ),
        (&changed, switch("GPT.INI", None, None)),
        (&changed, switch("Machine", Some("User".to_owned()), None)),
        (&changed, switch("Machine", None, Some("User".to_owned()))),
        (&changed, switch("User", Some(staged("old", "User")), None)),
        (
            &changed,
            Inverse::RestoreAttributes {
                written: GpoVersion::from_combined(1),
                descriptor: false,
            },
        ),
        (
            &changed,
            Inverse::RestoreAttributes {
                written: GpoVersion::from_combined(131_074),
                descriptor: true,
            },
        ),
        (
            &changed,
            Inverse::RestoreFolderDescriptor {
                descriptor: FileContent::default(),
                written: None,
            },
        ),
        (
            &changed,
            Inverse::RestoreLinks {
                som: "DC=src,DC=test".to_owned(),
                before: Some("a".to_owned()),
                written: Some("b".to_owned()),
            },
        ),
        (
            &changed,
            Inverse::RestoreLinks {
                som: "OU=Staff,DC=src,DC=test".to_owned(),
                before: None,
                written: Some("b".to_owned()),
            },
        ),
    ] {
        let text = format!("{inverse:?}");
        let error = refused(plan, inverse).expect(&text);
        assert_eq!(error.kind(), ErrorKind::BadInput, "{text}");
        assert!(error.to_string().contains("was changed"), "{error}");
    }
}

#[test]
fn an_entry_is_switched_back_as_the_plan_switched_it() {
    let plan = plan(Verb::Restore, OWN, false);
    for (live, old_too, new_too) in [
        ("Machine", false, true),
        ("Machine", true, false),
        ("Added", true, true),
        ("Added", true, false),
        ("Gone", true, true),
        ("Gone", false, true),
        ("Machine", false, false),
    ] {
        let name = |role, there: bool| there.then(|| staged(role, live));
        let inverse = Inverse::SwitchBack {
            live: live.to_owned(),
            old: name("old", old_too),
            staged: name("new", new_too),
        };
        let text = format!("{inverse:?}");
        let error = refused(&plan, inverse).expect(&text);
        assert_eq!(error.kind(), ErrorKind::BadInput, "{text}");
    }
}

#[test]
fn the_default_gpos_are_guarded() {
    for (plan, inverse) in [
        (
            plan(Verb::Import, DEFAULT, true),
            Inverse::DeleteGpo {
                guid: guid(DEFAULT),
            },
        ),
        (
            plan(Verb::Delete, DEFAULT, false),
            Inverse::RecreateContainer,
        ),
    ] {
        let error = refused(&plan, inverse).unwrap();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    }
}

#[test]
fn a_former_state_that_was_edited_is_refused() {
    let plan = plan(Verb::Restore, OWN, false);
    let stored = |before: &Before, id: &str| {
        let stored = unfinished(id, Vec::new());
        stored.refuse_foreign_parts(&whole(&plan), &[(0, before.clone())].into())
    };
    assert!(stored(&before(), ID).is_ok());
    assert!(stored(&before(), "20260131T120000.250Z-00000001").is_err());
    let object = DirectoryObject {
        rdns: vec!["CN=x".to_owned(), "CN=Machine".to_owned()],
        object_class: "container".to_owned(),
        ..DirectoryObject::default()
    };
    type Edit = fn(&mut Before, &AllowedObject);
    let edits: [(&str, Edit); 5] = [
        ("the permissions", |before, _| {
            before.security_descriptor = FileContent(b"open"[..].into());
        }),
        ("the version", |before, _| before.version = None),
        ("the extensions", |before, _| {
            before.machine_extensions = crate::model::extension_list::ExtensionList::new("[x]");
        }),
        ("the WMI filter", |before, _| {
            before.wmi_filter = Some("x".to_owned());
        }),
        ("the directory objects", |before, object| {
            before.directory_objects.push(object.clone());
        }),
    ];
    let object = AllowedObject::new(object).unwrap();
    for (what, edit) in edits {
        let mut edited = before();
        edit(&mut edited, &object);
        let error = stored(&edited, ID).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
}

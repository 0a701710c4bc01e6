use bytes::Bytes;

use super::*;
use crate::backup;
use crate::model::backup_context::BackupContext;
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::model::sddl::from_sddl;
use crate::model::snapshot::{GpoSnapshot, WmiFilterLink};
use crate::model::version::GpoVersion;
use crate::plan::gpo::{FileContent, GpoState, PlanTarget};

const SDDL: &str = "O:BAG:BAD:P(A;CI;GA;;;BA)";

fn descriptor(sddl: &str) -> Vec<u8> {
    from_sddl(sddl, None).unwrap().to_bytes().unwrap()
}

pub(in crate::operations) fn snapshot() -> GpoSnapshot {
    let mut tree = GptTree::new();
    tree.insert_dir(&"Machine".parse().unwrap());
    tree.insert_dir(&"User\\Empty".parse().unwrap());
    for (path, content) in [("Machine\\Registry.pol", "old"), ("GPO.cmt", "x")] {
        tree.insert_file(
            &path.parse().unwrap(),
            Bytes::from_static(content.as_bytes()),
        );
    }
    GpoSnapshot {
        guid: "{11111111-2222-3333-4444-555555555555}".parse().unwrap(),
        domain: "src.test".parse().unwrap(),
        domain_guid: None,
        domain_controller: "dc.src.test".to_owned(),
        display_name: "Desks".to_owned(),
        flags: 0,
        directory_version: GpoVersion::from_combined(65_537),
        sysvol_version: Some(GpoVersion::from_combined(65_537)),
        machine_extensions: ExtensionList::default(),
        user_extensions: ExtensionList::default(),
        wmi_filter: None,
        security_descriptor: descriptor(SDDL),
        tree,
        directory_objects: Vec::new(),
        principals: Vec::new(),
        file_paths: Vec::new(),
        messages: Vec::new(),
    }
}

/// A plan that was made against the GPO of this snapshot.
fn plan(snapshot: &GpoSnapshot) -> GpoPlan {
    let target = PlanTarget {
        guid: snapshot.guid,
        display_name: snapshot.display_name.clone(),
        domain: snapshot.domain.clone(),
        create: false,
    };
    let basis = GpoState {
        display_name: snapshot.display_name.clone(),
        flags: Some(0),
        directory_version: Some(snapshot.directory_version),
        sysvol_version: snapshot.sysvol_version,
        machine_extensions: ExtensionList::default(),
        user_extensions: ExtensionList::default(),
        wmi_filter: None,
        security_descriptor: sha256(&snapshot.security_descriptor),
        tree: tree_hashes(&snapshot.tree),
        directory_objects: BTreeMap::new(),
        descriptor: Some(FileContent(snapshot.security_descriptor.clone().into())),
        objects: Vec::new(),
        gpt_ini: None,
        functionality_version: None,
    };
    GpoPlan {
        basis: Some(basis),
        ..GpoPlan::new(Verb::Restore, target)
    }
}

/// The snapshot as a safety backup that was written and read again.
fn stored(snapshot: &GpoSnapshot) -> (tempfile::TempDir, StoredBackup) {
    let folder = tempfile::tempdir().unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH.strftime("%Y-%m-%dT%H:%M:%S");
    let context = BackupContext::default();
    let written = backup::write(
        folder.path(),
        snapshot,
        &context,
        "before",
        &now.to_string(),
    )
    .unwrap();
    let read = backup::read(&written.path).unwrap();
    (folder, read)
}

#[test]
fn the_backup_of_the_gpo_as_it_was_is_taken() {
    let snapshot = snapshot();
    let (_folder, backup) = stored(&snapshot);
    assert_eq!(foreign_part(&plan(&snapshot), &backup), None);
    // A descriptor without a DACL is not saved.
    let open = GpoSnapshot {
        security_descriptor: descriptor("O:BAG:BA"),
        ..snapshot
    };
    let (_folder, backup) = stored(&open);
    assert_eq!(foreign_part(&plan(&open), &backup), None);
}

#[test]
fn a_whole_backup_of_something_else_is_named() {
    let plan = plan(&snapshot());
    type Edit = fn(&mut GpoSnapshot);
    let edits: &[(&str, Edit)] = &[
        ("it is of the GPO {99999999-", |gpo| {
            gpo.guid = "{99999999-2222-3333-4444-555555555555}".parse().unwrap();
        }),
        ("the file machine/registry.pol", |gpo| {
            let path = "Machine\\Registry.pol".parse().unwrap();
            gpo.tree.insert_file(&path, Bytes::from_static(b"evil"));
        }),
        ("the file machine/scripts/evil.exe", |gpo| {
            let path = "Machine\\Scripts\\evil.exe".parse().unwrap();
            gpo.tree.insert_file(&path, Bytes::from_static(b"evil"));
        }),
        ("the file gpo.cmt", |gpo| {
            let whole = std::mem::take(&mut gpo.tree);
            for (path, content) in whole.files().filter(|(path, _)| path.folded() != "gpo.cmt") {
                gpo.tree.insert_file(path, content.clone());
            }
        }),
        ("the DACL", |gpo| {
            gpo.security_descriptor = descriptor("O:BAG:BAD:P(A;CI;GA;;;BA)(A;CI;GA;;;AU)");
        }),
        ("the DACL", |gpo| gpo.security_descriptor.clear()),
    ];
    for (what, edit) in edits {
        let mut other = snapshot();
        edit(&mut other);
        let (_folder, backup) = stored(&other);
        assert!(backup.damage.is_empty(), "{what}");
        let found = foreign_part(&plan, &backup).expect(what);
        assert!(found.starts_with(what), "{what}: {found}");
    }
    let (folder, backup) = stored(&snapshot());
    std::fs::remove_file(backup.info.path.join("gpoctl.json")).unwrap();
    let backup = backup::read(&backup.info.path).unwrap();
    assert!(backup.damage.is_empty());
    let found = foreign_part(&plan, &backup).unwrap();
    assert!(found.contains("does not contain gpoctl.json"), "{found}");
    drop(folder);
}

#[test]
fn an_undo_is_asked_about_for_rights_that_were_never_there() {
    let domain = "S-1-5-21-1-2-3".parse().unwrap();
    let administrators = Administrators {
        domain: &domain,
        forest_root: None,
    };
    let editor = "(A;CI;CCDCLCRPWPRC;;;S-1-5-21-1-2-3-1105)";
    let with = |more: &str| FileContent(descriptor(&format!("{SDDL}{more}")).into());
    // The operation was planned against a GPO with an editor, and removed that editor.
    let mut done = plan(&snapshot());
    let basis = done.basis.as_mut().unwrap();
    basis.descriptor = Some(with(editor));
    basis.security_descriptor = sha256(&with(editor).0);
    let grants = |back: &str, now: &str| -> Vec<String> {
        let mut undo = plan(&snapshot());
        undo.basis.as_mut().unwrap().descriptor = Some(with(now));
        undo.steps = vec![Step::SetSecurityDescriptor {
            from: None,
            to: String::new(),
            descriptor: with(back),
        }];
        let found = outside_grants_beyond(&undo, administrators, done.basis.as_ref());
        found
            .iter()
            .map(|it| it.sid.as_ref().unwrap().to_string())
            .collect()
    };
    assert_eq!(
        grants(editor, ""),
        [""; 0],
        "what was there before comes back"
    );
    assert_eq!(grants("", editor), [""; 0]);
    let other = "(A;CI;CCDCLCRPWPRC;;;S-1-5-21-1-2-3-1106)";
    assert_eq!(grants(other, ""), ["S-1-5-21-1-2-3-1106"]);
    assert_eq!(grants(other, other), [""; 0], "it is there now");
    let more = "(A;CI;CCDCLCRPWPRCWDWO;;;S-1-5-21-1-2-3-1105)";
    assert_eq!(grants(more, ""), ["S-1-5-21-1-2-3-1105"]);
    assert_eq!(grants("(A;CI;GA;;;WD)", editor), ["S-1-1-0"]);
}

#[test]
fn a_backup_that_holds_something_else_than_the_plan_was_made_against_is_named() {
    let filter = |id: &str| WmiFilterLink {
        id: id.parse().unwrap(),
        domain: "src.test".to_owned(),
        name: None,
    };
    let mut whole = snapshot();
    whole.wmi_filter = Some(filter("{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01}"));
    let mut done = plan(&whole);
    let link = whole.wmi_filter.as_ref().unwrap().to_attribute();
    done.basis.as_mut().unwrap().wmi_filter = Some(link);
    assert_eq!(foreign_part(&done, &stored(&whole).1), None);
    type Edit = fn(&mut GpoSnapshot);
    let edits: [(&str, Edit); 5] = [
        ("the display name", |it| {
            it.display_name = "Tables".to_owned()
        }),
        ("the status", |it| it.flags = 3),
        ("the extensions", |it| {
            it.machine_extensions = ExtensionList::new(
                "[{42B5FAAE-6536-11D2-AE5A-0000F87571E3}{40B6664F-4972-11D1-A7CA-0000F87571E3}]",
            );
        }),
        ("the WMI filter", |it| it.wmi_filter = None),
        ("the WMI filter", |it| {
            it.wmi_filter.as_mut().unwrap().id =
                "{6E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01}".parse().unwrap();
        }),
    ];
    for (what, edit) in edits {
        let mut edited = whole.clone();
        edit(&mut edited);
        let found = foreign_part(&done, &stored(&edited).1).expect(what);
        assert!(found.starts_with(what), "{what}: {found}");
    }
}

#[test]
fn a_deleted_gpo_gets_no_links_back_that_it_did_not_have() {
    let link = |guid: &str, options: u32| {
        format!("[LDAP://CN={guid},CN=Policies,CN=System,DC=src,DC=test;{options}]")
    };
    let guid = snapshot().guid.to_string();
    let other = link("{99999999-2222-3333-4444-555555555555}", 0);
    let step = |som: &str, from: Option<String>, to: Option<String>| Step::SetLinks {
        som: som.to_owned(),
        from,
        to,
    };
    let mut done = plan(&snapshot());
    done.steps = vec![step(
        "OU=Staff,DC=src,DC=test",
        Some(format!("{other}{}", link(&guid, 0))),
        Some(other.clone()),
    )];
    let beyond = |som: &str, from: Option<String>, to: String| {
        let mut undo = plan(&snapshot());
        undo.steps = vec![step(som, from, Some(to))];
        undo.links_beyond(&done).map(str::to_owned)
    };
    let back = format!("{other}{}", link(&guid.to_lowercase(), 0));
    assert_eq!(
        beyond("ou=staff,DC=src,DC=test", Some(other.clone()), back.clone()),
        None
    );
    // Elsewhere, or enforced.
    let controllers = "OU=Domain Controllers,DC=src,DC=test";
    assert_eq!(
        beyond(controllers, None, back).as_deref(),
        Some(controllers)
    );
    let enforced = link(&guid, 2);
    let found = beyond("OU=Staff,DC=src,DC=test", None, enforced);
    assert_eq!(found.as_deref(), Some("OU=Staff,DC=src,DC=test"));
}

//! A journal with one edited file, which does not match the others.

use super::*;
use crate::formats::gpt_ini;
use crate::model::extension_list::ExtensionList;
use crate::plan::gpo::ObjectState;

/// The inverse of setting a descriptor on the folder of the GPO.
fn folder(sddl: &str) -> Inverse {
    Inverse::RestoreFolderDescriptor {
        descriptor: descriptor(sddl),
        written: Some(descriptor("O:BAG:BAD:P(A;OICI;FA;;;BA)(A;OICI;FR;;;AU)")),
    }
}

/// A restore that also sets another owner on the GPO, and lets an account edit it.
fn with_permissions() -> GpoPlan {
    let mut plan = plan(Verb::Restore, OWN, false);
    let new = descriptor(
        "O:S-1-5-21-1-2-3-1106G:BAD:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;BA)(A;CI;CCDCLCRPWPRC;;;S-1-5-21-1-2-3-1105)",
    );
    let steps = plan.describe_steps(&Intent {
        descriptor: Some(new),
        ..Intent::default()
    });
    plan.steps.splice(0..0, steps.unwrap());
    plan
}

fn object(class: &str, sddl: &str) -> DirectoryObject {
    DirectoryObject {
        rdns: vec!["CN=Class Store".to_owned(), "CN=Machine".to_owned()],
        object_class: class.to_owned(),
        security_descriptor: Some(descriptor(sddl).0.to_vec()),
        ..DirectoryObject::default()
    }
}

/// A restore of a GPO with one object below it, and the state before it.
fn with_object() -> (GpoPlan, Before) {
    let object = object("classStore", SDDL);
    let mut plan = plan(Verb::Restore, OWN, false);
    let basis = plan.basis.as_mut().unwrap();
    let state = ObjectState::of(&object);
    basis.directory_objects = [(state.rdns.join(","), state.content.clone())].into();
    basis.objects = vec![state];
    let mut before = before();
    before.directory_objects = vec![AllowedObject::new(object).unwrap()];
    (plan, before)
}

fn refused_before(plan: &GpoPlan, before: Option<&Before>) -> String {
    match check(plan, before, Vec::new()) {
        Ok(()) => "accepted".to_owned(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::BadInput, "{error}");
            error.to_string()
        }
    }
}

fn check(plan: &GpoPlan, before: Option<&Before>, changes: Vec<Inverse>) -> Result<()> {
    let stored = unfinished(
        ID,
        changes.into_iter().map(|inverse| (0, inverse)).collect(),
    );
    let before = before.map(|before| (0, before.clone()));
    stored.refuse_foreign_parts(&whole(plan), &before.into_iter().collect())
}

#[test]
fn every_value_that_is_put_back_is_the_one_the_plan_was_made_against() {
    let (plan, before) = with_object();
    check(&plan, Some(&before), Vec::new()).unwrap();
    let ini = |bytes: &[u8]| Some(FileContent(bytes.to_vec().into()));
    type Edit = Box<dyn Fn(&mut Before)>;
    let edits: Vec<(&str, Edit)> = vec![
        ("the version", Box::new(|b| b.version = None)),
        ("the status", Box::new(|b| b.flags = None)),
        (
            "the extensions",
            Box::new(|b| b.user_extensions = ExtensionList::new("[x]")),
        ),
        ("the display name", Box::new(|b| b.display_name.clear())),
        (
            "the functionality version",
            Box::new(|b| b.functionality_version = Some(3)),
        ),
        (
            "the functionality version",
            Box::new(|b| b.functionality_version = None),
        ),
        ("GPT.INI", Box::new(|b| b.gpt_ini = None)),
        ("GPT.INI", Box::new(move |b| b.gpt_ini = ini(b"[General]"))),
        (
            "GPT.INI",
            Box::new(move |b| b.gpt_ini = ini(b"\xFF\xFE[Gen")),
        ),
        (
            "GPT.INI",
            Box::new(move |b| {
                b.gpt_ini = ini(&gpt_ini::create(GpoVersion::from_combined(65_538)));
            }),
        ),
        (
            "GPT.INI",
            Box::new(move |b| {
                b.gpt_ini = ini(b"[General]\r\nVersion=65537\r\ndisplayName=Other\r\n");
            }),
        ),
        (
            "the permissions",
            Box::new(|b| b.security_descriptor = FileContent::default()),
        ),
        (
            "the permissions",
            Box::new(|b| b.security_descriptor = descriptor("O:BAG:BAD:P(A;CI;GA;;;WD)")),
        ),
        (
            "the directory objects",
            Box::new(|b| b.directory_objects.clear()),
        ),
        (
            "the directory objects",
            Box::new(|b| {
                b.directory_objects = vec![AllowedObject::new(object("container", SDDL)).unwrap()];
            }),
        ),
        (
            "the directory objects",
            Box::new(|b| {
                let open = object("classStore", "O:BAG:BAD:P(A;CI;GA;;;WD)");
                b.directory_objects = vec![AllowedObject::new(open).unwrap()];
            }),
        ),
    ];
    for (number, (what, edit)) in edits.iter().enumerate() {
        let mut edited = before.clone();
        edit(&mut edited);
        let error = refused_before(&plan, Some(&edited));
        assert!(error.contains(what), "{number} {what}: {error}");
        assert!(error.contains("was changed"), "{number} {what}: {error}");
    }
    let mut filtered = plan.clone();
    filtered.basis.as_mut().unwrap().wmi_filter = Some("[src.test;{1};0]".to_owned());
    let error = refused_before(&filtered, Some(&before));
    assert!(error.contains("the WMI filter"), "{error}");
    let error = refused_before(&plan, None);
    assert!(
        error.contains("the state before the operation is missing"),
        "{error}"
    );
    let created = super::plan(Verb::Import, OWN, true);
    assert!(refused_before(&created, Some(&before)).contains("a GPO that it created"));
}

#[test]
fn permissions_that_cannot_be_read_are_not_put_back() {
    let mut plan = plan(Verb::Restore, OWN, false);
    let mut before = before();
    before.security_descriptor = FileContent(b"not a descriptor"[..].into());
    plan.basis.as_mut().unwrap().security_descriptor = sha256(&before.security_descriptor.0);
    let error = refused_before(&plan, Some(&before));
    assert!(error.contains("the permissions"), "{error}");
}

#[test]
fn the_folder_gets_no_rights_back_that_the_gpo_never_granted() {
    let plan = with_permissions();
    let before = before();
    for sddl in [
        // As derived from the GPO before and after, and less than that.
        "O:BAG:BAD:P(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;AU)",
        "O:BAG:BAD:PAI(A;OICI;FA;;;BA)(A;OICIID;FR;;;AU)(A;OICIIO;FA;;;CO)(A;OICI;FA;;;SY)",
        "O:S-1-5-21-1-2-3-1106G:BAD:P(A;OICI;FA;;;BA)(A;OICI;FW;;;S-1-5-21-1-2-3-1105)",
        "O:BAG:BAD:P(D;OICI;FA;;;WD)(A;OICI;FA;;;BA)",
        "O:BAG:BAD:P(OA;OICI;;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;WD)(A;OICI;FA;;;BA)",
    ] {
        check(&plan, Some(&before), vec![folder(sddl)]).unwrap_or_else(|e| panic!("{sddl}: {e}"));
    }
    for (sddl, what) in [
        ("O:BAG:BAD:P(A;OICI;FA;;;WD)", "S-1-1-0"),
        ("O:BAG:BAD:P(A;OICI;FR;;;WD)", "S-1-1-0"),
        ("O:BAG:BAD:P(A;OICI;GA;;;AU)", "S-1-5-11"),
        ("O:BAG:BAD:P(A;OICI;FW;;;AU)", "S-1-5-11"),
        (
            "O:BAG:BAD:P(A;OICI;FA;;;S-1-5-21-1-2-3-1105)",
            "S-1-5-21-1-2-3-1105",
        ),
        ("O:BAG:BAD:P(A;OICI;WDWO;;;AU)", "S-1-5-11"),
        ("O:S-1-5-21-1-2-3-1105G:BAD:P(A;OICI;FA;;;BA)", "owner"),
        ("O:BAG:BA", "no DACL"),
        ("O:BAG:BAD:P(XA;OICI;FA;;;WD;(1==1))", "S-1-1-0"),
    ] {
        let Ok(_) = from_sddl(sddl, None) else {
            panic!("{sddl}")
        };
        let inverse = folder(sddl);
        let error = check(&plan, Some(&before), vec![Inverse::RestoreGptIni, inverse])
            .expect_err(sddl)
            .to_string();
        assert!(error.contains(what), "{sddl}: {error}");
        assert!(
            error.contains("change 2 of journal.jsonl"),
            "{sddl}: {error}"
        );
    }
    for (descriptor, written) in [
        (FileContent::default(), None),
        (FileContent(b"x"[..].into()), None),
        (descriptor(SDDL), Some(FileContent(b"x"[..].into()))),
    ] {
        let inverse = Inverse::RestoreFolderDescriptor {
            descriptor,
            written,
        };
        let error = check(&plan, Some(&before), vec![inverse]).unwrap_err();
        assert!(error.to_string().contains("security descriptor"), "{error}");
    }
}

/// Plan and former state agree, and neither is what an operation of gpoctl leaves.
#[test]
fn a_status_that_no_gpo_has_is_not_put_back() {
    for verb in [Verb::Restore, Verb::SetStatus] {
        let (mut plan, mut before) = (plan(verb, OWN, false), before());
        check(&plan, Some(&before), Vec::new()).unwrap();
        before.flags = Some(7);
        plan.basis.as_mut().unwrap().flags = Some(7);
        let said = refused_before(&plan, Some(&before));
        assert!(said.contains("flags 7, and a GPO has 0 to 3"), "{said}");
    }
}

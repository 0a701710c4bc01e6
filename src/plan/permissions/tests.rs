use super::*;
use crate::model::allowed_object::AllowedObject;
use crate::model::sddl::from_sddl;
use crate::plan::gpo::{GpoState, ObjectState, PlanTarget, Verb};

const DOMAIN: &str = "S-1-5-21-1-2-3";
const FOREST_ROOT: &str = "S-1-5-21-7-7-7";

fn bytes(sddl: &str) -> FileContent {
    let domain: Sid = DOMAIN.parse().unwrap();
    let parsed = from_sddl(sddl, Some(&domain)).unwrap();
    FileContent(parsed.to_bytes().unwrap().into())
}

/// A plan that sets another descriptor on a GPO, or on one object below it; without an old one, on a GPO that is created.
fn plan(old: Option<&str>, new: &str, object: bool) -> GpoPlan {
    let target = PlanTarget {
        guid: "{11111111-2222-3333-4444-555555555555}".parse().unwrap(),
        display_name: "x".to_owned(),
        domain: "src.test".parse().unwrap(),
        create: old.is_none(),
    };
    let mut plan = GpoPlan::new(Verb::Restore, target);
    let rdns = vec!["CN=Class Store".to_owned(), "CN=Machine".to_owned()];
    plan.basis = old.map(|old| GpoState {
        display_name: "x".to_owned(),
        flags: None,
        directory_version: None,
        sysvol_version: None,
        machine_extensions: Default::default(),
        user_extensions: Default::default(),
        wmi_filter: None,
        security_descriptor: String::new(),
        tree: Default::default(),
        directory_objects: Default::default(),
        descriptor: Some(bytes(old)),
        objects: vec![ObjectState {
            rdns: rdns.clone(),
            object_class: "classStore".to_owned(),
            content: String::new(),
            descriptor: Some(bytes(old)),
        }],
        gpt_ini: None,
        functionality_version: None,
    });
    if object {
        let object = DirectoryObject {
            rdns,
            object_class: "classStore".to_owned(),
            security_descriptor: Some(bytes(new).0.to_vec()),
            ..DirectoryObject::default()
        };
        plan.directory_objects = vec![AllowedObject::new(object).unwrap()];
    } else {
        plan.steps.push(Step::SetSecurityDescriptor {
            from: None,
            to: String::new(),
            descriptor: bytes(new),
        });
    }
    plan
}

fn shown(plan: &GpoPlan) -> Vec<String> {
    let mut shown = Vec::new();
    for change in changes(plan) {
        for line in change.lines {
            let sign = if line.added { '+' } else { '-' };
            let sid = line.sid.map(|sid| sid.to_string()).unwrap_or_default();
            let more = if line.grants_more { " !" } else { "" };
            shown.push(format!("{sign} {sid}: {}{more}", line.text));
        }
    }
    shown
}

const FRESH: &str =
    "O:DAG:DAD:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;CI;LCRPLORC;;;AU)(D;CI;WD;;;BU)";

#[test]
fn every_entry_is_in_words() {
    let claim = "@USER.clearance == 1";
    let new = format!(
        "O:DAG:DAD:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;CI;LCRPLORC;;;AU)\
         (XA;CI;GA;;;BU;({claim}))(D;CIIO;RP;;;WD)(A;;GA;;;BG)(A;CINP;WDWO;;;BG)\
         (OA;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;BG)(OA;CI;WP;bf9679c0-0de6-11d0-a285-00aa003049e2;bf967aba-0de6-11d0-a285-00aa003049e2;BG)"
    );
    for object in [false, true] {
        let found = shown(&plan(Some(FRESH), &new, object));
        let expected = [
            "- S-1-5-32-545: deny change permissions !".to_owned(),
            format!("+ S-1-5-32-545: allow full control (GENERIC_ALL), only if ({claim}) !"),
            "+ S-1-1-0: deny read properties, below it only".to_owned(),
            "+ S-1-5-32-546: allow full control (GENERIC_ALL), this object only !".to_owned(),
            "+ S-1-5-32-546: allow take ownership, change permissions, one level down !".to_owned(),
            "+ S-1-5-32-546: allow Apply Group Policy !".to_owned(),
            "+ S-1-5-32-546: allow write properties of {BF9679C0-0DE6-11D0-A285-00AA003049E2}, for objects of the class {BF967ABA-0DE6-11D0-A285-00AA003049E2} only !".to_owned(),
        ];
        assert_eq!(found, expected);
    }
}

#[test]
fn what_is_granted_already_is_not_marked_and_the_owner_of_a_new_gpo_is_said() {
    let less = "O:DAG:DAD:P(A;CI;CCDCLCSWRPWPDTLOSDRC;;;DA)(A;CI;LCRPLORC;;;AU)(D;CI;WD;;;BU)";
    assert_eq!(
        shown(&plan(Some(FRESH), less, false)),
        [
            "- S-1-5-21-1-2-3-512: allow Edit settings, delete, modify security",
            "+ S-1-5-21-1-2-3-512: allow delete, delete subtree, create child objects, delete child objects, write properties, validated writes, read permissions, read properties, list contents, list object",
        ]
    );
    let open = "O:DAG:DAD:(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;CI;LCRPLORC;;;AU)(D;CI;WD;;;BU)";
    assert_eq!(
        shown(&plan(Some(FRESH), open, false)),
        ["+ : inherits permissions from the parent !"]
    );
    let new = shown(&plan(None, "O:BUG:BAD:P(A;CI;LCRPLORC;;;AU)", false));
    assert_eq!(
        new[..2],
        ["+ S-1-5-32-545: owner !", "+ S-1-5-32-544: group"]
    );
    // Of an object below, owner and group are never written.
    let object = shown(&plan(None, "O:BUG:BAD:(A;CI;LCRPLORC;;;AU)", true));
    assert_eq!(object, ["+ S-1-5-11: allow Read !"]);
}

fn outside(old: Option<&str>, new: &str, object: bool) -> Vec<String> {
    let domain: Sid = DOMAIN.parse().unwrap();
    let root: Sid = FOREST_ROOT.parse().unwrap();
    let administrators = Administrators {
        domain: &domain,
        forest_root: Some(&root),
    };
    outside_grants(&plan(old, new, object), administrators)
        .into_iter()
        .map(|grant| {
            let sid = grant.sid.map(|sid| sid.to_string()).unwrap_or_default();
            format!("{sid} {}", grant.text)
        })
        .collect()
}

/// A server gives what CREATOR OWNER gets, unless it is for objects below only, to the owner.
#[test]
fn creator_owner_is_whoever_owns_the_object() {
    let list = |owner: &str, entry: &str| format!("O:{owner}G:DAD:P(A;CI;GA;;;DA){entry}");
    let question = |owner: &str, entry: &str, object: bool| {
        outside(Some(&list(owner, "")), &list("DA", entry), object)
    };
    let full = "(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;CO)";
    for object in [false, true] {
        assert_eq!(
            question("BU", full, object),
            [
                "S-1-5-32-545 allow Edit settings, delete, modify security, which the server gives to the present owner, as the owner"
            ]
        );
        for harmless in [full, "(A;;WDWO;;;OW)"] {
            assert_eq!(question("DA", harmless, object), [""; 0], "{harmless}");
        }
        let below = "(A;CIIO;GA;;;CO)";
        assert_eq!(question("BU", below, object), [""; 0]);
        let limited = question("BU", "(A;;WDWO;;;OW)", object);
        assert_eq!(
            limited,
            ["S-1-3-4 allow take ownership, change permissions, this object only"]
        );
    }
    // Of an object that is created below the GPO, nobody knows the owner; of a GPO that is created, the plan says it.
    let new = outside(None, &list("DA", full), true);
    assert_eq!(new.len(), 1, "{new:?}");
    assert!(new[0].starts_with("S-1-3-0 allow "), "{new:?}");
    assert_eq!(outside(None, &list("DA", full), false), [""; 0]);
    assert_eq!(outside(None, &list("BU", full), false).len(), 2);
}

#[test]
fn rights_outside_the_administrators_are_those_beyond_reading_and_applying() {
    let harmless = "O:DAG:DAD:P(A;CI;GA;;;DA)(A;CI;GA;;;S-1-5-21-7-7-7-519)(A;CI;GA;;;S-1-5-21-7-7-7-518)(A;CI;GA;;;SY)(A;CI;GA;;;BA)(A;CIIO;GA;;;CO)(A;CI;LCRPLORC;;;ED)(A;CI;GR;;;AU)(OA;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU)(D;CI;GA;;;BG)";
    for object in [false, true] {
        assert!(outside(None, harmless, object).is_empty());
        for right in [
            "CC", "DC", "SW", "WP", "DT", "CR", "SD", "WD", "WO", "GA", "GW",
        ] {
            for ace in [
                format!("(A;CI;{right};;;BU)"),
                format!("(OA;CI;{right};bf9679c0-0de6-11d0-a285-00aa003049e2;;BU)"),
                format!("(XA;CI;{right};;;BU;(@USER.x == 1))"),
            ] {
                let found = outside(None, &format!("{harmless}{ace}"), object);
                assert_eq!(found.len(), 1, "{ace}: {found:?}");
                assert!(found[0].starts_with("S-1-5-32-545 allow "), "{found:?}");
            }
        }
    }
    // Administrators of another domain are not those of this one.
    // A child domain has no Enterprise Admins, and Domain Admins of the root do not administer it.
    for foreign in [
        "S-1-5-21-9-9-9-512",
        "S-1-5-21-9-9-9-519",
        "S-1-5-21-1-2-3-519",
        "S-1-5-21-7-7-7-512",
    ] {
        let list = format!("O:DAG:DAD:P(A;CI;GA;;;{foreign})");
        assert_eq!(outside(None, &list, false).len(), 1, "{foreign}");
    }
    // The owner of a GPO that is created; what the target grants already is not reported.
    assert_eq!(
        outside(None, "O:BUG:DAD:P(A;CI;GR;;;AU)", false),
        ["S-1-5-32-545 owner"]
    );
    let editor = "O:DAG:DAD:P(A;CI;GA;;;DA)(A;CI;CCDCLCRPWPLORC;;;BU)";
    assert!(outside(Some(editor), editor, false).is_empty());
    let more = format!("{editor}(A;CI;WD;;;BU)");
    assert_eq!(
        outside(Some(editor), &more, false),
        ["S-1-5-32-545 allow change permissions"]
    );
    assert_eq!(
        outside(None, "O:DAG:DAD:NO_ACCESS_CONTROL", false),
        [" full control, because there is no DACL"]
    );
}

/// What an account gains without a new entry.
#[test]
fn rights_gained_by_the_removal_of_a_deny_entry_or_by_the_order_are_asked_about() {
    let edit = "(A;CI;CCDCLCRPWPLORC;;;BU)";
    let admins = "(A;CI;GA;;;DA)";
    let list = |aces: &str| format!("O:DAG:DAD:P{aces}");
    let apply = "edacfd8f-ffb3-11d1-b41d-00a0c968f939";
    let name = "bf9679c0-0de6-11d0-a285-00aa003049e2";
    for object in [false, true] {
        for (old, new, who) in [
            // The denial of the account itself is removed; then that of a group that it is a member of.
            (
                format!("(D;CI;WP;;;BU){edit}"),
                edit.to_owned(),
                "S-1-5-32-545",
            ),
            (
                format!("(D;CI;WP;;;BG){edit}"),
                edit.to_owned(),
                "S-1-5-32-545",
            ),
            (
                format!("(D;CI;GW;;;WD){edit}"),
                edit.to_owned(),
                "S-1-5-32-545",
            ),
            // Of one attribute; for the objects below only; for objects of one class.
            (
                format!("(OD;CI;WP;{name};;BG){edit}"),
                edit.to_owned(),
                "S-1-5-32-545",
            ),
            (
                format!("(D;CIIO;WP;;;BG){edit}"),
                edit.to_owned(),
                "S-1-5-32-545",
            ),
            (
                format!("(OD;CIIO;WP;;{name};BG){edit}"),
                edit.to_owned(),
                "S-1-5-32-545",
            ),
            // The order: the denial comes last now.
            (
                format!("(D;CI;WP;;;BU){edit}"),
                format!("{edit}(D;CI;WP;;;BU)"),
                "S-1-5-32-545",
            ),
            (
                format!("(D;CI;WP;;;BG){edit}"),
                format!("{edit}(D;CI;WP;;;BG)"),
                "S-1-5-32-545",
            ),
            // Narrowed: to less, to one attribute, to a condition, to one level.
            (
                format!("(D;CI;WPCC;;;BG){edit}"),
                format!("(D;CI;CC;;;BG){edit}"),
                "S-1-5-32-545",
            ),
            (
                format!("(D;CI;WP;;;BG){edit}"),
                format!("(OD;CI;WP;{name};;BG){edit}"),
                "S-1-5-32-545",
            ),
            (
                format!("(D;CI;WP;;;BG){edit}"),
                format!("(XD;CI;WP;;;BG;(@USER.x == 1)){edit}"),
                "S-1-5-32-545",
            ),
            (
                format!("(D;CI;WP;;;BG){edit}"),
                format!("(D;CINP;WP;;;BG){edit}"),
                "S-1-5-32-545",
            ),
            // A condition that differs, of what is allowed and of what is denied.
            (
                "(XA;CI;WP;;;BU;(@USER.x == 1))".to_owned(),
                "(XA;CI;WP;;;BU;(@USER.x == 2))".to_owned(),
                "S-1-5-32-545",
            ),
            (
                format!("(XD;CI;WP;;;BG;(@USER.x == 1)){edit}"),
                format!("(XD;CI;WP;;;BG;(@USER.x == 2)){edit}"),
                "S-1-5-32-545",
            ),
            (
                format!("(XD;CI;WP;;;BG;(@USER.x == 1)){edit}"),
                edit.to_owned(),
                "S-1-5-32-545",
            ),
        ] {
            let found = outside(
                Some(&list(&format!("{old}{admins}"))),
                &list(&format!("{new}{admins}")),
                object,
            );
            assert_eq!(found.len(), 1, "{old} -> {new}: {found:?}");
            assert!(found[0].starts_with(who), "{old} -> {new}: {found:?}");
        }
        // Nobody outside the administrators gains anything but reading and applying.
        for (old, new) in [
            (
                format!("(D;CI;WP;;;BG){edit}"),
                format!("(D;CI;WP;;;BG){edit}"),
            ),
            ("(D;CI;WP;;;BG)".to_owned(), String::new()),
            (format!("(D;CI;WP;;;DA){edit}"), edit.to_owned()),
            (format!("(D;CI;RP;;;BG){edit}"), edit.to_owned()),
            (
                format!("(OD;CI;CR;{apply};;BG)(OA;CI;CR;{apply};;AU)"),
                format!("(OA;CI;CR;{apply};;AU)"),
            ),
            (
                format!("{edit}(D;CI;WP;;;BU)"),
                format!("(D;CI;WP;;;BU){edit}"),
            ),
            (
                edit.to_owned(),
                "(A;CI;WP;;;BU)(A;CI;CCDCLCRPLORC;;;BU)".to_owned(),
            ),
            (
                format!("(XA;CI;WP;;;BU;(@USER.x == 1)){edit}"),
                format!("{edit}(XA;CI;WP;;;BU;(@USER.x == 1))"),
            ),
            (
                "(XA;CI;WP;;;BU;(@USER.x == 1))(A;CI;RP;;;BG)".to_owned(),
                "(XA;CI;WP;;;BU;(@USER.x == 1))".to_owned(),
            ),
            (
                "(A;CI;WP;;;BU)".to_owned(),
                format!("(OA;CI;WP;{name};;BU)(XA;CI;WP;;;BU;(@USER.x == 1))"),
            ),
        ] {
            let found = outside(
                Some(&list(&format!("{old}{admins}"))),
                &list(&format!("{new}{admins}")),
                object,
            );
            assert!(found.is_empty(), "{old} -> {new}: {found:?}");
        }
    }
}

#[test]
fn another_order_is_in_the_plan() {
    let (deny, allow) = ("(D;CI;WP;;;BG)", "(A;CI;WP;;;BU)");
    let list = |aces: &[&str]| format!("O:DAG:DAD:P{}", aces.concat());
    let shown = |old: &[&str], new: &[&str]| shown(&plan(Some(&list(old)), &list(new), false));
    let text = "+ : the entries are in another order";
    assert_eq!(shown(&[deny, allow], &[allow, deny]), [format!("{text} !")]);
    assert_eq!(shown(&[allow, deny], &[deny, allow]), [text]);
    assert!(shown(&[deny, allow], &[deny, allow]).is_empty());
}

#[test]
fn what_no_entry_says_is_asked_about() {
    let list = |flags: &str, aces: &str| format!("O:BUG:DAD:{flags}{aces}(A;CI;GA;;;DA)");
    let outside = |old: String, new: String| outside(Some(&old), &new, false);
    // The permissions of the parent.
    assert_eq!(
        outside(list("P", ""), list("", "")),
        [" whatever the permissions of the parent grant, which are inherited then"]
    );
    assert!(outside(list("", ""), list("P", "")).is_empty());
    // The owner.
    let limit = "(A;;RC;;;OW)";
    assert_eq!(
        outside(list("P", limit), list("P", "")),
        ["S-1-5-32-545 change permissions as the owner, who is no longer limited by OWNER RIGHTS"]
    );
    assert!(outside(list("P", ""), list("P", limit)).is_empty());
    // Whose denial ends.
    let (old, new) = (
        list("P", "(D;;WP;;;BG)(A;CI;CCWP;;;AU)"),
        list("P", "(A;CI;CCWP;;;AU)"),
    );
    let domain: Sid = DOMAIN.parse().unwrap();
    let administrators = Administrators {
        domain: &domain,
        forest_root: None,
    };
    let found = outside_grants(&plan(Some(&old), &new, false), administrators);
    assert_eq!(found[0].text, "allow write properties");
    assert_eq!(found[0].denied_now, Some("S-1-5-32-546".parse().unwrap()));
    // An empty DACL replaces a missing one: nobody gains anything.
    assert!(
        outside(
            "O:BUG:DAD:NO_ACCESS_CONTROL".to_owned(),
            list("P", "(A;;GA;;;BU)")
        )
        .is_empty()
    );
}

/// The files of a GPO get entries of their own: a server keeps neither every denial nor the flags of the directory.
#[test]
fn rights_on_the_files_alone_are_asked_about() {
    const OLD: &str = "D:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;CI;RPLCRC;;;AU)";
    let on_files = |entries: &str| {
        let new = format!("{OLD}{entries}");
        let shown = shown(&plan(Some(OLD), &new, false));
        assert!(shown.iter().any(|line| line.ends_with(" !")), "{shown:?}");
        outside(Some(OLD), &new, false)
    };
    const SID: &str = "S-1-5-21-1-2-3-1104";
    for entries in [
        format!("(D;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;{SID})(A;CI;CCDCRPLCWP;;;{SID})"),
        format!("(OD;CI;CCDCWP;;;{SID})(A;CI;CCDCWP;;;{SID})"),
        format!("(A;IO;WP;;;{SID})"),
        format!("(A;OIIO;CC;;;{SID})"),
    ] {
        let question = format!("{SID} write to the files of the GPO on SYSVOL");
        assert_eq!(on_files(&entries), [question], "{entries}");
    }
    for entries in [
        format!("(A;CI;RPLCRC;;;{SID})"),
        format!("(OA;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;{SID})"),
        format!("(D;CI;WP;;;{SID})"),
        "(A;IO;WP;;;DA)".to_owned(),
    ] {
        assert_eq!(
            outside(Some(OLD), &format!("{OLD}{entries}"), false),
            [""; 0]
        );
    }
    // An object below the GPO has no files.
    assert_eq!(
        outside(Some(OLD), &format!("{OLD}(A;IO;WP;;;{SID})"), true),
        [""; 0]
    );
}

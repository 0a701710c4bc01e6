use bytes::Bytes;

use super::*;
use crate::message::Code;
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::model::guid::Guid;
use crate::model::sid::Sid;
use crate::model::snapshot::InventoryPrincipal;
use crate::model::version::GpoVersion;

const SOURCE: &str = "S-1-5-21-1-1-1";
const INF: &str = "Machine\\Microsoft\\Windows NT\\SecEdit\\GptTmpl.inf";

fn sid(rid: u32) -> Sid {
    SOURCE.parse::<Sid>().unwrap().with_rid(rid)
}

fn entry(principal: Principal, from_dacl: bool) -> InventoryPrincipal {
    InventoryPrincipal {
        principal,
        from_dacl,
    }
}

fn group(name: &str, rid: u32) -> Principal {
    Principal::of_domain(
        sid(rid),
        name,
        PrincipalType::GlobalGroup,
        "SRC",
        "src.test",
    )
}

/// A GPO with these lines in GptTmpl.inf and this inventory.
fn snapshot(lines: &str, principals: Vec<InventoryPrincipal>, paths: &[&str]) -> GpoSnapshot {
    let mut tree = GptTree::new();
    let text = format!("[Unicode]\r\nUnicode=yes\r\n{lines}");
    tree.insert_file(&INF.parse().unwrap(), Bytes::from(text));
    GpoSnapshot {
        guid: Guid::NIL,
        domain: "src.test".parse().unwrap(),
        domain_guid: None,
        domain_controller: String::new(),
        display_name: "x".to_owned(),
        flags: 0,
        directory_version: GpoVersion::default(),
        sysvol_version: None,
        machine_extensions: ExtensionList::default(),
        user_extensions: ExtensionList::default(),
        wmi_filter: None,
        security_descriptor: Vec::new(),
        tree,
        directory_objects: Vec::new(),
        principals,
        file_paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        messages: Vec::new(),
    }
}

const ALL: PopulateOptions = PopulateOptions {
    include_dacl: true,
    relative: true,
    scope: Scope::All,
};

/// Type, source, destination and mark of each item.
fn lines(snapshot: &GpoSnapshot, options: &PopulateOptions) -> Vec<String> {
    let (items, messages) = items(snapshot, options);
    assert!(messages.is_empty(), "{messages:?}");
    items
        .iter()
        .map(|item| {
            let mark = match (item.scope, item.from_dacl) {
                (Scope::All, _) => "extra",
                (Scope::Gpmc, true) => "dacl",
                (Scope::Gpmc, false) => "gpmc",
            };
            let name = item.name.as_deref().unwrap_or("-");
            let Entry {
                kind,
                source,
                destination,
            } = &item.entry;
            format!("{mark} {kind} {source} = {destination} ({name})")
        })
        .collect()
}

#[test]
fn rows_have_the_form_of_gpmc_and_extras_come_last() {
    let snapshot = snapshot(
        "[Registry Values]\r\nMACHINE\\a\\b=1,\"O:S-1-5-21-1-1-1-1001G:BAD:(A;;GA;;;S-1-5-21-1-1-1-1003)(A;;GA;;;S-1-5-32-544)(A;;GA;;;S-1-5-21-1-1-1-1004)\"\r\nMACHINE\\a\\c=1,\"\\\\fs1\\tools\\x\"\r\nMACHINE\\a\\d=1,\"\\\\FS1\\homes\"\r\n",
        vec![
            entry(group("Helpdesk", 1001), false),
            entry(Principal::named("Administrators"), false),
            entry(Principal::unresolved(sid(1002)), false),
            entry(group("Crew", 1003), true),
        ],
        &["\\\\fs1\\homes"],
    );
    assert_eq!(
        lines(&snapshot, &ALL),
        [
            "gpmc GlobalGroup Helpdesk@src.test = by relative name (-)",
            "gpmc Unknown Administrators = same as source (-)",
            "gpmc Unknown S-1-5-21-1-1-1-1002 = same as source (-)",
            "dacl GlobalGroup Crew@src.test = by relative name (-)",
            "gpmc UNCPath \\\\fs1\\homes = same as source (-)",
            "extra GlobalGroup Crew@src.test = by relative name (SRC\\Crew)",
            "extra Unknown S-1-5-21-1-1-1-1004 = same as source (-)",
            "extra UNCPath \\\\fs1\\tools\\x = same as source (-)",
        ]
    );
    let gpmc = PopulateOptions {
        include_dacl: false,
        relative: false,
        scope: Scope::Gpmc,
    };
    assert_eq!(
        lines(&snapshot, &gpmc),
        [
            "gpmc GlobalGroup Helpdesk@src.test = same as source (-)",
            "gpmc Unknown Administrators = same as source (-)",
            "gpmc Unknown S-1-5-21-1-1-1-1002 = same as source (-)",
            "gpmc UNCPath \\\\fs1\\homes = same as source (-)",
        ]
    );
}

#[test]
fn existing_rows_are_kept_under_any_name() {
    let mut table = MigTable::new();
    let kind = EntryType::Principal(PrincipalType::GlobalGroup);
    let unknown = EntryType::Principal(PrincipalType::Unknown);
    let to = |text: &str| Destination::Set(text.to_owned());
    table.set("SRC\\HELPDESK", kind, to("DST\\a")).unwrap();
    table
        .set(&sid(1002).to_string(), unknown, to("DST\\b"))
        .unwrap();
    table
        .set("\\\\FS1\\Homes\\", EntryType::UncPath, to("\\\\x\\y"))
        .unwrap();
    let user = EntryType::Principal(PrincipalType::User);
    table.set("Third@src.test", user, to("DST\\c")).unwrap();
    let before = table.to_bytes();
    let whole = snapshot(
        "",
        vec![
            entry(group("Helpdesk", 1001), false),
            entry(group("Crew", 1002), false),
            entry(group("Third", 1003), false),
        ],
        &["\\\\fs1\\homes"],
    );
    let merged = merge(&mut table, items(&whole, &ALL).0).unwrap();
    let sources: Vec<RowOutcome> = merged.items.into_iter().map(|(_, placed)| placed).collect();
    let present = |source: &str| RowOutcome::Present(source.to_owned());
    assert_eq!(
        sources,
        [
            present("SRC\\HELPDESK"),
            present(&sid(1002).to_string()),
            present("Third@src.test"),
            present("\\\\FS1\\Homes\\"),
        ]
    );
    assert_eq!(table.to_bytes(), before);
    let codes: Vec<Code> = merged.messages.iter().map(|m| m.code).collect();
    assert_eq!(codes, [Code::TypeMismatch]);
    // A second time nothing is added either.
    let more = snapshot("", vec![entry(group("New", 1009), false)], &[]);
    assert_eq!(
        merge(&mut table, items(&more, &ALL).0).unwrap().items[0].1,
        RowOutcome::Added
    );
    let again = merge(&mut table, items(&more, &ALL).0).unwrap();
    assert_eq!(again.items[0].1, present("New@src.test"));
    assert_eq!(table.rows().len(), 5);
}

#[test]
fn a_sid_whose_name_only_another_gpo_contains_gets_a_row_with_the_same_destination() {
    let values = "[Registry Values]\r\nMACHINE\\a\\b=1,\"O:S-1-5-21-1-1-1-1001G:BA\"\r\n";
    let bare = snapshot(values, Vec::new(), &[]);
    let named = snapshot("", vec![entry(group("Helpdesk", 1001), false)], &[]);
    let run = |gpos: [&GpoSnapshot; 2]| {
        let mut table = MigTable::new();
        let all = gpos.iter().flat_map(|gpo| items(gpo, &ALL).0).collect();
        let merged = merge(&mut table, all).unwrap();
        let rows: Vec<(String, Destination)> = table
            .rows()
            .iter()
            .map(|row| (row.source.clone(), row.destination.clone()))
            .collect();
        let codes: Vec<Code> = merged.messages.into_iter().map(|m| m.code).collect();
        (rows, codes)
    };
    // In whatever order the GPOs come.
    let relative = Destination::ByRelativeName;
    let expected = (
        vec![
            ("Helpdesk@src.test".to_owned(), relative.clone()),
            (sid(1001).to_string(), relative),
        ],
        vec![Code::SidRow],
    );
    assert_eq!(run([&bare, &named]), expected);
    assert_eq!(run([&named, &bare]), expected);
    // Next to a row that has a destination already.
    let mut table = MigTable::new();
    let kind = EntryType::Principal(PrincipalType::GlobalGroup);
    let support = Destination::Set("DST\\Support".to_owned());
    table
        .set("Helpdesk@src.test", kind, support.clone())
        .unwrap();
    let all = [&named, &bare]
        .iter()
        .flat_map(|gpo| items(gpo, &ALL).0)
        .collect();
    merge(&mut table, all).unwrap();
    assert_eq!(table.rows().len(), 2);
    assert!(table.rows().iter().all(|row| row.destination == support));
    // If only gpoctl finds the name, here in the permissions, the row with the SID matches both.
    let beside = snapshot(values, vec![entry(group("Helpdesk", 1001), true)], &[]);
    let settings = PopulateOptions {
        include_dacl: false,
        ..ALL
    };
    for gpos in [[&bare, &beside], [&beside, &bare]] {
        let mut table = MigTable::new();
        let all = gpos
            .iter()
            .flat_map(|gpo| items(gpo, &settings).0)
            .collect();
        let merged = merge(&mut table, all).unwrap();
        assert!(merged.messages.is_empty());
        let sources: Vec<&str> = table.rows().iter().map(|row| row.source.as_str()).collect();
        assert_eq!(sources, [sid(1001).to_string()]);
    }
}

#[test]
fn references_that_cannot_have_a_row_are_reported() {
    let mut table = MigTable::new();
    let odd = snapshot(
        "",
        vec![entry(Principal::named("a\u{1}b"), false)],
        &["\\\\a\\b"],
    );
    let merged = merge(&mut table, items(&odd, &ALL).0).unwrap();
    assert!(matches!(merged.items[0].1, RowOutcome::Skipped(_)));
    assert_eq!(merged.messages[0].code, Code::NoRow);
    assert_eq!(table.rows().len(), 1);
}

#[test]
fn a_row_for_bare_text_does_not_match_the_principal_of_that_name() {
    let values = "[Privilege Rights]\r\nSeDenyBatchLogonRight = Guest,*S-1-5-21-1-1-1-501\r\n";
    let user = Principal::of_domain(sid(501), "Guest", PrincipalType::User, "SRC", "src.test");
    let text = entry(Principal::named("Guest"), false);
    let user = entry(user, false);
    let one = snapshot(values, vec![text.clone(), user.clone()], &[]);
    let turned = snapshot(values, vec![user.clone(), text.clone()], &[]);
    let text = snapshot("", vec![text], &[]);
    let user = snapshot("", vec![user], &[]);
    for gpos in [
        vec![&one],
        vec![&turned],
        vec![&text, &user],
        vec![&user, &text],
        vec![&one, &user, &text],
    ] {
        let mut table = MigTable::new();
        let all = gpos.iter().flat_map(|gpo| items(gpo, &ALL).0).collect();
        let merged = merge(&mut table, all).unwrap();
        assert!(merged.messages.is_empty());
        let mut rows: Vec<String> = table
            .rows()
            .iter()
            .map(|row| format!("{} {}", row.kind, row.source))
            .collect();
        rows.sort();
        assert_eq!(rows, ["Unknown Guest", "User Guest@src.test"]);
    }
}

use bytes::Bytes;

use crate::model::gpt_tree::GptTree;
use crate::settings::diff::{SettingChange, diff};
use crate::settings::templates::Templates;
use crate::settings::{Names, Setting, of_tree};

fn settings(path: &str, xml: &str) -> Vec<Setting> {
    let mut tree = GptTree::new();
    tree.insert_file(
        &path.parse().unwrap(),
        Bytes::copy_from_slice(xml.as_bytes()),
    );
    let all = of_tree(&tree, &Names::new(), &Templates::default());
    assert!(all.not_decoded.is_empty(), "{:?}", all.not_decoded);
    all.settings
}

fn shown(path: &str, xml: &str) -> Vec<String> {
    settings(path, xml)
        .iter()
        .map(|one| {
            let extension = one.extension.name();
            format!(
                "{extension} | {} | {}: {}",
                one.category,
                one.name,
                one.value_text()
            )
        })
        .collect()
}

const DRIVES: &str = r"User\Preferences\Drives\Drives.xml";

#[test]
fn items_with_action_properties_and_targeting() {
    let xml = r#"<Drives clsid="{1}"><Collection clsid="{c}" name="Sites" uid="{9}"><Filters><FilterSite bool="AND" not="1" name="Nord"/></Filters>
<Drive clsid="{2}" uid="{3}" name="S:" status="S:" image="2" changed="2024-01-01 00:00:00" userContext="1" desc="for all" disabled="1">
<Properties action="R" thisDrive="SHOW" path="\\fs1\data" label="" userName="u" cpassword="SECRET"/>
<Filters><FilterGroup bool="AND" not="0" name="SRC\Staff" sid="S-1-5-21-1-2-3-4" userContext="1" primaryGroup="0" localGroup="0"/>
<FilterCollection bool="OR" not="1"><FilterOs bool="AND" not="0" class="NT" version="10" type="NE" edition="NE" sp="NE"/><FilterRam bool="AND" not="1" memory="5"/></FilterCollection></Filters></Drive></Collection></Drives>"#;
    assert_eq!(
        shown(DRIVES, xml),
        [concat!(
            "Drive Maps | Sites | Drive S:: disabled: action: replace; thisDrive: \"SHOW\"; path: \"\\\\fs1\\data\"; userName: \"u\"; ",
            "cpassword: a stored password (not shown); runs in the logged-on user's context: enabled; ",
            "targeting: the user is a member of \"SRC\\Staff\" (S-1-5-21-1-2-3-4) (primaryGroup \"0\", localGroup \"0\") or ",
            "not (the operating system is NT 10 (type \"NE\", edition \"NE\", sp \"NE\") and not Ram (memory \"5\")); ",
            "targeting: the site is not \"Nord\"; comment: \"for all\"",
        )]
    );
}

#[test]
fn everything_in_an_item_is_shown() {
    let xml = r#"<Groups><Group clsid="a" uid="b" name="Administrators (built-in)"><Properties action="U" groupName="Administrators"><Members><Member name="SRC\x" action="ADD" sid="S-1-1-0"/></Members></Properties></Group></Groups>"#;
    assert_eq!(
        shown(r"Machine\Preferences\Groups\Groups.xml", xml),
        [
            "Local Users and Groups |  | Group Administrators (built-in): action: update; groupName: \"Administrators\"; Members/Member/name: \"SRC\\x\"; Members/Member/action: \"ADD\"; Members/Member/sid: \"S-1-1-0\""
        ]
    );
    let xml = "<ScheduledTasks><TaskV2 name='t'><Properties action='C'><Task><Actions><Exec><Command>a.exe</Command></Exec></Actions></Task></Properties></TaskV2></ScheduledTasks>";
    assert_eq!(
        shown(
            r"Machine\Preferences\ScheduledTasks\ScheduledTasks.xml",
            xml
        ),
        ["Scheduled Tasks |  | TaskV2 t: action: create; Task/Actions/Exec/Command: \"a.exe\""]
    );
}

#[test]
fn a_change_names_the_property_and_no_password() {
    let xml = |path: &str, password: &str| {
        format!(
            "<Drives><Drive uid='{{3}}' name='S:'><Properties action='U' path='{path}' cpassword='{password}'/></Drive></Drives>"
        )
    };
    let old = settings(DRIVES, &xml(r"\\a\x", "SECRET1"));
    let new = settings(DRIVES, &xml(r"\\b\x", "SECRET2"));
    let changes = diff(&old, &new);
    let lines: Vec<String> = changes.iter().map(SettingChange::text).collect();
    assert_eq!(lines, [r#"Drive S:: path: "\\a\x" -> "\\b\x""#]);
    let json = serde_json::to_string(&changes).unwrap();
    assert!(!json.contains("SECRET"), "{json}");
}

/// Windows writes one; a client may use any.
#[test]
fn every_properties_element_is_shown() {
    let drive = |more: &str| {
        format!(
            "<Drives clsid='{{1}}'><collection name='c'><Drive name='S:' uid='{{2}}'><Properties action='u' letter='S'/>{more}</Drive></collection></Drives>"
        )
    };
    let two = drive("<Properties action='D' letter='T'/>");
    let shown = shown(DRIVES, &two);
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0].contains("Properties/letter: \"T\""), "{shown:?}");
    assert_eq!(
        diff(&settings(DRIVES, &drive("")), &settings(DRIVES, &two)).len(),
        1
    );
}

/// Whatever the spelling of the attributes, in a list of strings, and in an INI file.
#[test]
fn passwords_in_plain_text_are_not_shown() {
    let registry = r"Machine\Preferences\Registry\Registry.xml";
    for (path, kind, properties, hidden) in [
        (
            registry,
            "Registry",
            "<Properties Name='DefaultPassword' Value='S3cret'/>",
            "Value: ",
        ),
        (
            registry,
            "Registry",
            "<Properties name='DefaultPassword'><Values><Value>S3cret</Value></Values></Properties>",
            "Values/Value: ",
        ),
        (
            r"Machine\Preferences\IniFiles\IniFiles.xml",
            "Ini",
            "<Properties property='DefaultPassword' value='S3cret'/>",
            "value: ",
        ),
    ] {
        let item = format!("<{kind} name='x'>{properties}</{kind}>");
        let [shown] = shown(path, &format!("<Root>{item}</Root>"))
            .try_into()
            .unwrap();
        let hidden = format!("{hidden}a stored password (not shown)");
        assert!(shown.contains(&hidden), "{shown}");
        assert!(!shown.contains("S3cret"), "{shown}");
    }
}

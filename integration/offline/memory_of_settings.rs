//! The memory that decoding, comparing and describing settings may use: proportional to the files, whatever they contain.

mod templates;

use std::fmt::Write as _;

use bytes::Bytes;
use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::model::gpt_tree::GptTree;
use gpoctl::model::snapshot::GpoSnapshot;
use gpoctl::operations::import::{self, ImportOptions, ImportTarget};
use gpoctl::plan::Plan;
use gpoctl::progress::Control;
use gpoctl::settings::diff::diff;
use gpoctl::settings::{MAX_SETTINGS, Names, Settings, of};
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::Faults;

use crate::faults::case::guid;
use crate::readers::bound;
use crate::support::{pol_file, pol_record, repeated, utf16};
use crate::verbs::{backup, fixture};

const POL: &str = r"Machine\Registry.pol";
const TMPL: &str = r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf";
const GROUPS: &str = r"Machine\Preferences\Groups\Groups.xml";
const SCRIPTS: &str = r"User\Scripts\scripts.ini";
const FDEPLOY: &str = r"User\Documents & Settings\fdeploy1.ini";
const AUDIT: &str = r"Machine\Microsoft\Windows NT\Audit\audit.csv";

/// Large enough that the limit per byte of input is decisive, not the fixed part.
const SIZE: usize = 512 << 10;

fn gpo(path: &str, content: Vec<u8>) -> GpoSnapshot {
    let guid = "{11111111-2222-3333-4444-555555555555}".parse().unwrap();
    let mut gpo = GpoSnapshot::new(guid, "src.test".parse().unwrap(), "Passwords");
    let mut tree = GptTree::new();
    tree.insert_file(&path.parse().unwrap(), Bytes::from(content));
    gpo.tree = tree;
    gpo
}

/// Numbered lines after a front, until the size is reached.
fn numbered(front: &str, line: impl Fn(usize) -> String) -> Vec<u8> {
    let mut text = front.to_owned();
    for number in 0.. {
        if text.len() >= SIZE {
            break;
        }
        text.push_str(&line(number));
    }
    text.into_bytes()
}

/// Files of every format, each of one worst kind.
pub fn files() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let long = "n".repeat(SIZE / 4);
    let dword = 1_u32.to_le_bytes();
    let rules = r"Software\Policies\Microsoft\WindowsFirewall\FirewallRules";
    vec![
        (
            "the smallest records",
            POL,
            pol_file(vec![pol_record("k", "", 0, b""); 49_000]),
        ),
        (
            "small numbers",
            POL,
            pol_file((0..49_000).map(|n| pol_record("k", &format!("{n:x}"), 4, &dword))),
        ),
        (
            "more records than are decoded",
            POL,
            pol_file(vec![pol_record("k", "", 0, b""); 51_000]),
        ),
        (
            "a list of short strings",
            POL,
            pol_file([pol_record("k", "v", 7, &utf16(&"a\0".repeat(SIZE / 4)))]),
        ),
        (
            "a list of empty strings",
            POL,
            pol_file([pol_record("k", "v", 7, &utf16(&"\0".repeat(SIZE / 2)))]),
        ),
        (
            "a list of values to delete",
            POL,
            pol_file([pol_record(
                "k",
                "**DeleteValues",
                1,
                &utf16(&format!("{}\0", "a;".repeat(SIZE / 4))),
            )]),
        ),
        (
            "a long key",
            POL,
            pol_file(
                (0..2_000).map(|n| {
                    pol_record(if n == 0 { &long } else { "k" }, &format!("{n}"), 4, &dword)
                }),
            ),
        ),
        (
            "a rule of empty fields",
            POL,
            pol_file([pol_record(
                rules,
                "v",
                1,
                &utf16(&format!("v2.10|{}\0", "a=|".repeat(SIZE / 8))),
            )]),
        ),
        (
            "rules",
            POL,
            pol_file((0..6_000).map(|n| {
                pol_record(
                    rules,
                    &format!("{n}"),
                    1,
                    &utf16("v2.10|Action=Allow|Name=x|\0"),
                )
            })),
        ),
        (
            "short pairs",
            TMPL,
            numbered("[System Access]\r\n", |n| format!("{n:x}=\n")),
        ),
        (
            "the shortest pairs",
            TMPL,
            repeated(SIZE, "[a]\n", "b=\n", ""),
        ),
        (
            "lines that are not pairs",
            TMPL,
            repeated(SIZE, "[a]\n", "b\n", ""),
        ),
        (
            "a long section",
            TMPL,
            [
                format!("[{long}]\n").into_bytes(),
                repeated(SIZE, "", "a=b\n", ""),
            ]
            .concat(),
        ),
        (
            "principals without a SID",
            TMPL,
            numbered("[Privilege Rights]\r\nSeDebugPrivilege=", |n| {
                format!("{n:x},")
            }),
        ),
        (
            "one principal",
            TMPL,
            repeated(SIZE, "[Privilege Rights]\r\nSeDebugPrivilege=", "a,", ""),
        ),
        (
            "SIDs",
            TMPL,
            numbered("[Privilege Rights]\r\nSeDebugPrivilege=", |n| {
                format!("*S-1-5-{n},")
            }),
        ),
        (
            "a list of empty strings",
            TMPL,
            repeated(SIZE, "[Registry Values]\r\nMACHINE\\a=7", ",", ""),
        ),
        (
            "an option of many lines",
            TMPL,
            repeated(SIZE, "[Registry Values]\r\n", "a=4,1\n", ""),
        ),
        (
            "permissions",
            TMPL,
            repeated(SIZE, "[Registry Keys]\r\n\"K\",0,\"D:", "(A;;;;;WD)", "\""),
        ),
        (
            "permissions of many keys",
            TMPL,
            repeated(
                SIZE,
                "[Registry Keys]\r\n",
                "\"K\",0,\"D:(A;;;;;WD)\"\n",
                "",
            ),
        ),
        (
            "subcategories",
            AUDIT,
            repeated(
                SIZE,
                "Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting,Setting Value\r\n",
                ",a,b,,,,\n",
                "",
            ),
        ),
        (
            "subcategories of a principal",
            AUDIT,
            repeated(
                SIZE,
                "Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting,Setting Value\r\n",
                ",S-1-1-0,b,{c},,,\n",
                "",
            ),
        ),
        (
            "scripts",
            SCRIPTS,
            numbered("[Logon]\r\n", |n| format!("{n}CmdLine=\n")),
        ),
        (
            "scripts of a long section",
            SCRIPTS,
            numbered(&format!("[{long}]\n"), |n| format!("{n}CmdLine=\n")),
        ),
        (
            "scripts of many sections",
            SCRIPTS,
            numbered("", |n| format!("[{n}]\n0CmdLine=\n")),
        ),
        (
            "other lines of scripts",
            SCRIPTS,
            repeated(SIZE, &format!("[{long}]\n"), "a=\n", ""),
        ),
        (
            "flags of a redirection",
            FDEPLOY,
            repeated(SIZE, "[{A}_S-1-1-0]\r\n", "Flags=0\n", ""),
        ),
        (
            "paths of a redirection",
            FDEPLOY,
            repeated(SIZE, "[{A}_S-1-1-0]\r\n", "FullPath=\n", ""),
        ),
        (
            "redirections",
            FDEPLOY,
            numbered("", |n| format!("[{{A}}_S-1-5-{n}]\nFlags=0\n")),
        ),
        (
            "folders",
            FDEPLOY,
            numbered("[Folder_Redirection]\r\n", |n| format!("{n}=\n")),
        ),
        (
            "other lines of a redirection",
            FDEPLOY,
            repeated(SIZE, &format!("[{long}]\n"), "a\n", ""),
        ),
        (
            "items",
            GROUPS,
            repeated(SIZE, "<Groups>", "<a/>", "</Groups>"),
        ),
        (
            "items with properties",
            GROUPS,
            repeated(SIZE, "<Groups>", "<a><Properties b='c'/></a>", "</Groups>"),
        ),
        (
            "an item with many children",
            GROUPS,
            repeated(
                SIZE,
                "<Groups><a><Properties>",
                "<b c='d'/>",
                "</Properties></a></Groups>",
            ),
        ),
        (
            "an item with many texts",
            GROUPS,
            repeated(
                SIZE,
                "<Groups><a><Properties>",
                "<b>c</b>",
                "</Properties></a></Groups>",
            ),
        ),
        (
            "deep items",
            GROUPS,
            repeated(
                SIZE,
                "<Groups>",
                &format!("<a>{}{}</a>", "<b c='d'>".repeat(50), "</b>".repeat(50)),
                "</Groups>",
            ),
        ),
        (
            "the targeting of a collection",
            GROUPS,
            repeated(
                SIZE,
                &format!(
                    "<Groups><Collection name='{0}'><Filters><FilterGroup name='{0}'/></Filters>",
                    "n".repeat(60_000)
                ),
                "<a/>",
                "</Collection></Groups>",
            ),
        ),
        (
            "many conditions",
            GROUPS,
            repeated(
                SIZE,
                "<Groups><a><Filters>",
                "<FilterSite/>",
                "</Filters></a></Groups>",
            ),
        ),
        (
            "a long name",
            GROUPS,
            repeated(
                SIZE,
                &format!("<Groups><{}>", "n".repeat(900)),
                "<b c='d'/>",
                &format!("</{}></Groups>", "n".repeat(900)),
            ),
        ),
    ]
}

#[test]
fn decoding_registry_pol_is_bounded() {
    decoding_is_bounded(|path| path == POL);
}

#[test]
fn decoding_gpt_tmpl_is_bounded() {
    decoding_is_bounded(|path| path == TMPL);
}

#[test]
fn decoding_other_files_is_bounded() {
    decoding_is_bounded(|path| path != POL && path != TMPL);
}

fn decoding_is_bounded(is_wanted: fn(&str) -> bool) {
    let mut beyond = Vec::new();
    for (what, path, content) in files().into_iter().filter(|(_, path, _)| is_wanted(path)) {
        let length = content.len();
        let gpo = gpo(path, content);
        let start = std::time::Instant::now();
        let mut found = Settings::default();
        let peak = allocation_counter::measure(|| found = of(&gpo)).bytes_max;
        let per_byte = peak / u64::try_from(length).unwrap();
        println!(
            "{what} ({path}): {length} bytes, {} settings, {:?}: {peak} bytes, {per_byte} for each, {:?}",
            found.settings.len(),
            found
                .not_decoded
                .iter()
                .map(|one| &one.reason)
                .collect::<Vec<_>>(),
            start.elapsed()
        );
        // Nothing disappears: what is not decoded is listed.
        assert!(
            found.settings.is_empty() != found.not_decoded.is_empty(),
            "{what}"
        );
        if peak > bound(length) {
            beyond.push(format!("{what} ({path}): {peak} bytes for {length}"));
        }
    }
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
}

/// Every setting differs: the most that a comparison can have to say.
#[test]
fn the_difference_of_many_settings_is_bounded() {
    let set = |data: u32| {
        let records =
            (0..MAX_SETTINGS).map(|n| pol_record("k", &format!("{n:x}"), 4, &data.to_le_bytes()));
        pol_file(records)
    };
    let (old, new) = (set(1), set(2));
    let length = old.len() + new.len();
    let (old, new) = (gpo(POL, old), gpo(POL, new));
    let start = std::time::Instant::now();
    let (mut changes, mut characters) = (0, 0);
    let peak = allocation_counter::measure(|| {
        let changed = diff(&of(&old).settings, &of(&new).settings);
        changes = changed.len();
        characters = changed
            .iter()
            .map(|change| change.text().len())
            .sum::<usize>();
    })
    .bytes_max;
    println!(
        "{changes} changes, {characters} characters, {length} bytes: {peak} bytes, {:?}",
        start.elapsed()
    );
    assert_eq!(changes, MAX_SETTINGS);
    assert!(peak <= bound(length), "{peak} bytes for {length}");
}

/// Values with the same name are compared in order, not each with each: the text of this change would take hours.
#[test]
fn a_setting_with_many_values_of_one_name_is_compared_in_order() {
    let with = |last: &str| {
        let mut values = String::new();
        for number in 0..40_000 {
            write!(values, "<b>{}</b>", number % 7).unwrap();
        }
        let xml = format!(
            "<Groups><a uid='u'><Properties>{values}<b>{last}</b></Properties></a></Groups>"
        );
        of(&gpo(GROUPS, xml.into_bytes())).settings
    };
    let changes = diff(&with("old"), &with("new"));
    let texts: Vec<String> = changes.iter().map(|change| change.text()).collect();
    assert_eq!(texts, ["a: b: \"old\" -> \"new\""]);
}

/// A plan contains the files that it replaces, to describe what it changes. Its file is read as hostile input too.
#[tokio::test]
async fn the_old_contents_of_a_saved_plan_are_bounded() {
    let many = |data: u32| {
        pol_file((0..15_000).map(|n| pol_record("k", &format!("{n:x}"), 4, &data.to_le_bytes())))
    };
    let folder = tempfile::tempdir().unwrap();
    let mut snapshot = fixture();
    snapshot.tree = gpo(POL, many(2)).tree;
    let stored = backup(folder.path(), &snapshot);
    let domain = MemoryDomain::new("src.test").unwrap();
    domain.put_gpo(guid(), "Desks").unwrap();
    let path = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &POL.parse().unwrap());
    domain.sysvol().put_file(&path, many(1)).unwrap();
    let admin = domain
        .connect("Administrator", &Faults::none())
        .await
        .unwrap();
    let session = admin.session();
    let target = ImportTarget::Existing(Box::new(session.directory().gpo(guid()).await.unwrap()));
    let (options, control) = (ImportOptions::new(), Control::default());
    let plan = import::plan(session, &stored, &target, &options, &control);
    let json = plan.await.unwrap().to_json().unwrap();
    let (mut changes, mut characters) = (0, 0);
    let peak = allocation_counter::measure(|| {
        let plan = Plan::from_json(&json).unwrap();
        let changed = plan.gpo().unwrap().setting_changes(&Names::new()).unwrap();
        changes = changed.len();
        characters = changed
            .iter()
            .map(|change| change.text().len())
            .sum::<usize>();
    })
    .bytes_max;
    println!(
        "{changes} changes, {characters} characters, {} bytes: {peak} bytes",
        json.len()
    );
    // Those, and the package of the fixture.
    assert_eq!(changes, 15_001);
    assert!(peak <= bound(json.len()), "{peak} bytes for {}", json.len());
}

//! Names and texts in policies and templates that contain line breaks, escape sequences and invisible characters: what is printed has
//! no line of theirs, and JSON has them exactly.

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use gpoctl::model::gpt_tree::GptTree;
use gpoctl::model::snapshot::GpoSnapshot;
use gpoctl::operations::import::{self, ImportOptions, ImportTarget};
use gpoctl::progress::Control;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::Faults;

use crate::faults::case::{guid, run};
use crate::support::{Said, command, gpoctl, pol_file, pol_string, scratch, utf16_with_mark};
use crate::verbs::backup;

/// What each name has in it: what would begin a line, erase one, turn its order round, or hide a part of it.
const EVIL: &str = "a\nFORGED\r\u{1b}[2K\u{202e}b\u{2028}FORGED\u{85}\u{200b}\u{7}c";

/// The same without what ends a line of an INI file.
fn evil_in_a_line() -> String {
    EVIL.replace(['\n', '\r'], "")
}

fn snapshot() -> GpoSnapshot {
    let line = evil_in_a_line();
    let pol = pol_file([
        pol_string(
            &format!("K{EVIL}"),
            &format!("v{EVIL}"),
            &format!("d{EVIL}\0FORGED"),
        ),
        pol_string("Policies", "Named", "x"),
        pol_string("Policies", &format!("**del.{EVIL}"), " "),
    ]);
    let xml = EVIL
        .replace('\n', "&#10;")
        .replace('\r', "&#13;")
        .replace(['\u{1b}', '\u{7}'], "");
    let files = [
        (r"Machine\Registry.pol", pol),
        (
            r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf",
            utf16_with_mark(&format!(
                "[Unicode]\r\nUnicode=yes\r\n[System Access]\r\n{line}=1\r\n[Privilege Rights]\r\nSe{line}=x{line}\r\n\
                 [{line}]\r\na={line}\r\n[Service General Setting]\r\n\"{line}\",2,\"{line}\"\r\n"
            )),
        ),
        (
            r"User\Scripts\scripts.ini",
            utf16_with_mark(&format!("[Logon]\r\n0CmdLine={line}\r\n0Parameters={line}\r\n{line}\r\n")),
        ),
        (
            r"User\Preferences\Drives\Drives.xml",
            format!(
                "<Drives clsid='{{1}}'><Collection name='{xml}'><Drive name='{xml}' uid='{{2}}' desc='{xml}'><Properties path='{xml}'/>\
                 <Filters><FilterGroup name='{xml}'/></Filters></Drive></Collection></Drives>"
            )
            .into_bytes(),
        ),
        (
            r"Machine\comment.cmtx",
            format!(
                "<policyComments xmlns='http://www.microsoft.com/GroupPolicy/CommentDefinitions'><resources><stringTable>\
                 <string id='{xml}'>{xml}</string></stringTable></resources></policyComments>"
            )
            .into_bytes(),
        ),
        (r"User\Documents & Settings\fdeploy1.ini", format!("[{{A}}_S-1-1-0]\r\nFullPath={line}\r\n{line}\r\n").into_bytes()),
    ];
    let mut tree = GptTree::new();
    for (path, content) in files {
        tree.insert_file(&path.parse().unwrap(), Bytes::from(content));
    }
    let guid = "{11111111-2222-3333-4444-555555555555}".parse().unwrap();
    let mut gpo = GpoSnapshot::new(guid, "src.test".parse().unwrap(), "Desks");
    gpo.domain_controller = "dc1.src.test".to_owned();
    gpo.tree = tree;
    gpo
}

/// Templates that name the policy of `Policies\Named`.
fn templates(folder: &Path) {
    let xml = EVIL
        .replace('\n', "&#10;")
        .replace('\r', "&#13;")
        .replace(['\u{1b}', '\u{7}'], "");
    std::fs::create_dir(folder.join("en-US")).unwrap();
    std::fs::write(
        folder.join("a.admx"),
        format!(
            "<policyDefinitions><policyNamespaces><target prefix='a' namespace='{xml}'/></policyNamespaces>\
             <categories><category name='{xml}' displayName='$(string.C)'/></categories><policies>\
             <policy name='{xml}' class='Machine' displayName='$(string.P)' presentation='$(presentation.P)' key='Policies'>\
             <parentCategory ref='{xml}'/><elements><text id='{xml}' valueName='Named'/></elements></policy>\
             <policy name='q{xml}' class='{xml}' key='k'/></policies></policyDefinitions>"
        ),
    )
    .unwrap();
    std::fs::write(
        folder.join("en-US/a.adml"),
        format!(
            "<policyDefinitionResources><resources><stringTable><string id='C'>cat{xml}</string><string id='P'>pol{xml}</string></stringTable>\
             <presentationTable><presentation id='P'><textBox refId='{xml}'><label>lab{xml}</label></textBox></presentation></presentationTable>\
             </resources></policyDefinitionResources>"
        ),
    )
    .unwrap();
}

fn assert_no_line_is_forged(said: &Said) {
    assert_eq!(said.status, 0, "{}{}", said.stdout, said.stderr);
    for line in said.stdout.lines().chain(said.stderr.lines()) {
        assert!(!line.trim_start().starts_with("FORGED"), "{line}");
        let hidden = |c: char| c.is_control() || "\u{202e}\u{2028}\u{200b}".contains(c);
        assert!(!line.contains(hidden), "{}", line.escape_debug());
    }
}

#[test]
fn a_backup_with_hostile_names_forges_no_line_and_json_is_exact() {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let stored = backup(&folder.path().join("backups"), &snapshot());
    let path = stored.info.path.to_str().unwrap();
    let admx = folder.path().join("admx");
    std::fs::create_dir(&admx).unwrap();
    templates(&admx);
    let admx = admx.to_str().unwrap();
    let arguments = ["backups", "show", path, "--admx", admx];
    let said = gpoctl(&arguments);
    assert_no_line_is_forged(&said);
    // All that is hidden is shown as an escape.
    assert!(
        said.stdout
            .contains(r"a\nFORGED\r\u{1b}[2K\u{202e}b\u{2028}FORGED\u{85}\u{200b}\u{7}c"),
        "{}",
        said.stdout
    );
    assert_no_line_is_forged(&gpoctl(&["-v", "backups", "show", path, "--admx", admx]));
    let json = gpoctl(&[&arguments[..], &["--json"]].concat()).json();
    let texts = |pointer: &str| -> Vec<String> {
        let settings = json["settings"].as_array().unwrap().iter();
        settings
            .filter_map(|setting| setting.pointer(pointer)?.as_str().map(str::to_owned))
            .collect()
    };
    assert!(texts("/name").contains(&format!("v{EVIL}")));
    assert!(texts("/category").contains(&format!("K{EVIL}")));
    assert!(texts("/values/0/value").contains(&format!("d{EVIL}\0FORGED")));
    let kept = EVIL.replace(['\u{1b}', '\u{7}'], "");
    assert!(
        texts("/name").contains(&format!("pol{kept}")),
        "{:?}",
        texts("/name")
    );
    assert!(texts("/category").contains(&format!("cat{kept}")));
    assert!(texts("/values/0/name").contains(&format!("lab{kept}")));
    assert!(texts("/name").contains(&evil_in_a_line()));
}

#[tokio::test]
async fn a_plan_with_hostile_names_forges_no_line() {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let stored = backup(&folder.path().join("backups"), &snapshot());
    let domain = MemoryDomain::new("src.test").unwrap();
    domain.put_gpo(guid(), &EVIL.replace('\0', "")).unwrap();
    let admin = domain
        .connect("Administrator", &Faults::none())
        .await
        .unwrap();
    let session = admin.session();
    let object = session.directory().gpo(guid()).await.unwrap();
    let target = ImportTarget::Existing(Box::new(object));
    let (options, control) = (ImportOptions::new(), Control::default());
    let plan = import::plan(session, &stored, &target, &options, &control);
    let plan = plan.await.unwrap();
    let journals = folder.path().join("gpoctl/operations");
    run(&plan, &admin, &journals).await.unwrap();
    for more in [&[][..], &["-v"]] {
        let mut show: Command =
            command(&[&["operations", "show", &plan.operation_id][..], more].concat());
        let said: Said = show
            .env("XDG_STATE_HOME", folder.path())
            .output()
            .unwrap()
            .into();
        assert!(
            said.stdout.contains(r"va\nFORGED\r\u{1b}[2K"),
            "{}",
            said.stdout
        );
        assert_no_line_is_forged(&said);
    }
}

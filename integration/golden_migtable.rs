//! What `gpoctl migtable` says, word for word, run as a person runs it. No domain is needed.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "test code outside of test functions"
)]
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "not every target uses all of the support"
)]

#[path = "support.rs"]
mod support;

use std::path::PathBuf;

use support::*;

/// A folder of the test's own.
fn folder() -> PathBuf {
    tempfile::tempdir_in(scratch()).unwrap().keep()
}

/// Runs `gpoctl migtable`.
fn migtable(arguments: &[&str]) -> Said {
    let mut all = vec!["migtable"];
    all.extend(arguments);
    gpoctl(&all)
}

fn utf16(text: &str) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xFE];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n<MigrationTable xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable\">";

#[test]
fn a_table_is_made_edited_and_shown() {
    let file = folder().join("lab.migtable");
    let path = file.to_str().unwrap();
    assert_eq!(migtable(&["new", path]).status, 0);
    let again = migtable(&["new", path]);
    assert_eq!(again.status, 1);
    assert_eq!(
        again.stderr,
        format!(
            "error: {path} exists already\n  choose another name, or change the table with set, remove and populate\n"
        )
    );
    let set = |arguments: &[&str]| {
        let said = migtable(&[&["set", path][..], arguments].concat());
        assert_eq!(said.status, 0, "{}", said.stderr);
        said.stdout
    };
    assert_eq!(
        set(&[
            "Helpdesk@src.test",
            "--type",
            "globalgroup",
            "--to",
            "Support & Co@dst.test"
        ]),
        "added in line 3: GlobalGroup Helpdesk@src.test -> Support & Co@dst.test\n"
    );
    set(&[r"\\fs1\homes", "--type", "UNCPath", "--same"]);
    set(&["SRC\\bob", "--type", "User", "--relative"]);
    assert_eq!(
        set(&["HELPDESK@src.test", "--to", "Support@dst.test"]),
        "changed in line 3: GlobalGroup Helpdesk@src.test -> Support@dst.test\n"
    );
    assert_eq!(
        set(&["src\\BOB", "--none"]),
        "changed in line 13: User SRC\\bob -> (none)\n"
    );
    let expected = format!(
        "{HEAD}\r\n  <Mapping>\r\n    <Type>GlobalGroup</Type>\r\n    <Source>Helpdesk@src.test</Source>\r\n    <Destination>Support@dst.test</Destination>\r\n  </Mapping>\r\n  <Mapping>\r\n    <Type>UNCPath</Type>\r\n    <Source>\\\\fs1\\homes</Source>\r\n    <DestinationSameAsSource />\r\n  </Mapping>\r\n  <Mapping>\r\n    <Type>User</Type>\r\n    <Source>SRC\\bob</Source>\r\n    <DestinationNone />\r\n  </Mapping>\r\n</MigrationTable>"
    );
    assert_eq!(std::fs::read(&file).unwrap(), utf16(&expected));
    let written = std::fs::metadata(&file).unwrap().modified().unwrap();
    assert!(set(&["src\\BOB", "--none"]).starts_with("unchanged"));
    assert_eq!(
        std::fs::metadata(&file).unwrap().modified().unwrap(),
        written
    );
    assert_eq!(
        migtable(&["show", path]).stdout,
        "LINE  TYPE         SOURCE             DESTINATION\n\
         3     GlobalGroup  Helpdesk@src.test  Support@dst.test\n\
         8     UNCPath      \\\\fs1\\homes        (same as source)\n\
         13    User         SRC\\bob            (none)\n"
    );
    let shown = migtable(&["show", path, "--json"]).json();
    assert_eq!(shown["format_version"], 1);
    assert_eq!(shown["encoding"], "utf-16le");
    assert_eq!(
        shown["rows"][1],
        serde_json::json!({"row": 2, "line": 8, "type": "UNCPath", "source": r"\\fs1\homes", "option": "same-as-source", "destination": null})
    );
    let removed = migtable(&["remove", path, r"\\FS1\homes\"]);
    assert_eq!(
        removed.stdout,
        "removed: UNCPath \\\\fs1\\homes -> (same as source)\n"
    );
    let missing = migtable(&["remove", path, "nobody"]);
    assert_eq!(missing.status, 1);
    assert_eq!(
        missing.stderr,
        "error: migration table lab.migtable has no row for \"nobody\"\n  write the source as gpoctl migtable show gives it\n"
    );
    assert_eq!(
        std::fs::read_dir(file.parent().unwrap()).unwrap().count(),
        1,
        "something was left over"
    );
}

#[test]
fn what_no_domain_can_make_right_is_refused_and_the_file_stays() {
    let file = folder().join("lab.migtable");
    let path = file.to_str().unwrap();
    migtable(&["new", path]);
    let before = std::fs::read(&file).unwrap();
    let cases: [(&[&str], &str); 7] = [
        (
            &["a@b", "--to", "c@d"],
            "error: source \"a@b\" has no row yet, and a new one needs a type\n  add --type with one of User, Computer, LocalGroup, GlobalGroup, UniversalGroup, UNCPath, Unknown\n",
        ),
        (
            &[r"\\a\b", "--type", "UNCPath", "--none"],
            "error: UNC path \"\\\\a\\b\" cannot be removed by DestinationNone\n  give it a <Destination>, or <DestinationSameAsSource />\n",
        ),
        (
            &[r"\\a\b", "--type", "UNCPath", "--relative"],
            "error: UNC path \"\\\\a\\b\" has no relative name to look up\n  give it a <Destination>, or <DestinationSameAsSource />\n",
        ),
        (
            &["server", "--type", "UNCPath", "--same"],
            "error: source \"server\" is not a UNC path\n  write \\\\server\\share, or give the row the type it has\n",
        ),
        (
            &[r"\\a\b", "--type", "User", "--same"],
            "error: source \"\\\\a\\b\" is a UNC path, but its type is User\n  give the row the type UNCPath\n",
        ),
        (
            &["a@b", "--type", "User", "--to", ""],
            "error: the row for \"a@b\" cannot be written: its destination is empty\n",
        ),
        (
            &["a@b", "--type", "User", "--to", " c"],
            "error: the row for \"a@b\" cannot be written: its destination begins or ends with a blank\n",
        ),
    ];
    for (arguments, expected) in cases {
        let said = migtable(&[&["set", path][..], arguments].concat());
        assert_eq!((said.status, said.stderr.as_str()), (2, expected));
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }
    // clap's own sentences, which name the legal values.
    let said = migtable(&["set", path, "a@b", "--type", "Group", "--same"]);
    assert_eq!(said.status, 2);
    assert!(
        said.stderr.contains(
            "[possible values: User, Computer, LocalGroup, GlobalGroup, UniversalGroup, UNCPath, Unknown]"
        ),
        "{}",
        said.stderr
    );
    for wrong in [&["a@b", "--type", "User"][..], &["a@b", "--same", "--none"]] {
        assert_eq!(migtable(&[&["set", path][..], wrong].concat()).status, 2);
    }
}

//! The exact output of `gpoctl migtable`, run as a process. Needs no domain.

use std::path::PathBuf;

use crate::support::*;

/// A folder for this test.
fn folder() -> PathBuf {
    tempfile::tempdir_in(scratch()).unwrap().keep()
}

/// Runs `gpoctl migtable`.
fn migtable(arguments: &[&str]) -> Said {
    let mut all = vec!["migtable"];
    all.extend(arguments);
    gpoctl(&all)
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n<MigrationTable xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable\">";

#[test]
fn a_table_is_created_edited_and_shown() {
    let file = folder().join("lab.migtable");
    let path = file.to_str().unwrap();
    assert_eq!(migtable(&["new", path]).status, 0);
    let again = migtable(&["new", path]);
    assert_eq!(again.status, 1);
    assert_eq!(
        again.stderr,
        format!(
            "error: {path} already exists\n  choose another name, or change this table with gpoctl migtable set, remove or populate\n"
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
    assert_eq!(std::fs::read(&file).unwrap(), utf16_with_mark(&expected));
    let written = std::fs::metadata(&file).unwrap().modified().unwrap();
    assert!(set(&["src\\BOB", "--none"]).starts_with("unchanged"));
    assert_eq!(
        std::fs::metadata(&file).unwrap().modified().unwrap(),
        written
    );
    assert_eq!(
        migtable(&["show", path]).stdout,
        "SOURCE             DESTINATION       TYPE         LINE\n\
         Helpdesk@src.test  Support@dst.test  GlobalGroup  3\n\
         \\\\fs1\\homes        (same as source)  UNCPath      8\n\
         SRC\\bob            (none)            User         13\n"
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
        format!(
            "error: migration table lab.migtable has no row for \"nobody\"\n  to list the sources: gpoctl migtable show {}\n",
            file.display()
        )
    );
    assert_eq!(
        std::fs::read_dir(file.parent().unwrap()).unwrap().count(),
        1,
        "something was left over"
    );
}

#[test]
fn a_sid_and_a_unc_path_need_no_type() {
    let file = folder().join("lab.migtable");
    let path = file.to_str().unwrap();
    migtable(&["new", path]);
    let set = |source: &str, to: &str| {
        let said = migtable(&["set", path, source, "--to", to]);
        assert_eq!(said.status, 0, "{}", said.stderr);
        said.stdout
    };
    assert_eq!(
        set("S-1-5-21-1-2-3-1107", "Support@dst.test"),
        "added in line 3: Unknown S-1-5-21-1-2-3-1107 -> Support@dst.test\n"
    );
    assert_eq!(
        set(r"\\fs1\homes", r"\\fs9\homes"),
        "added in line 8: UNCPath \\\\fs1\\homes -> \\\\fs9\\homes\n"
    );
}

#[test]
fn validate_against_all_gpos_needs_a_folder_or_a_domain() {
    let folder = folder();
    let file = folder.join("lab.migtable");
    let path = file.to_str().unwrap();
    migtable(&["new", path]);
    let said = migtable(&["validate", path, "--all"]);
    assert_eq!(
        (said.status, said.stderr.as_str()),
        (
            2,
            "error: --all needs to know where the GPOs are\n  add --backup-dir DIR for backups, or --from DOMAIN for live GPOs\n"
        )
    );
    let empty = folder.to_str().unwrap();
    let said = migtable(&["validate", path, "--all", "--backup-dir", empty]);
    assert_eq!(
        (said.status, said.stderr),
        (1, format!("error: there is no backup in {empty}\n"))
    );
    let said = migtable(&["validate", path, "--all", "--against", "x"]);
    assert_eq!(said.status, 2);
}

#[test]
fn an_invalid_edit_is_refused_and_leaves_the_file() {
    let file = folder().join("lab.migtable");
    let path = file.to_str().unwrap();
    migtable(&["new", path]);
    let before = std::fs::read(&file).unwrap();
    let cases: [(&[&str], &str); 7] = [
        (
            &["a@b", "--to", "c@d"],
            "error: source \"a@b\" has no row yet, and a new row needs a type\n  add --type with one of User, Computer, LocalGroup, GlobalGroup, UniversalGroup, UNCPath, Unknown\n",
        ),
        (
            &[r"\\a\b", "--type", "UNCPath", "--none"],
            "error: UNC path \"\\\\a\\b\" cannot have the destination \"none\"\n  give the row a path or \"same as source\": gpoctl migtable set, with --to or --same\n",
        ),
        (
            &[r"\\a\b", "--type", "UNCPath", "--relative"],
            "error: UNC path \"\\\\a\\b\" has no relative name to look up\n  give the row a path or \"same as source\": gpoctl migtable set, with --to or --same\n",
        ),
        (
            &["server", "--type", "UNCPath", "--same"],
            "error: source \"server\" is not a UNC path\n  write \\\\server\\share, or correct the type of the row\n",
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
    // clap's own sentences, which list the possible values.
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

/// A row in GPMC's form.
fn mapping(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("    {line}\r\n")).collect();
    format!("\r\n  <Mapping>\r\n{lines}  </Mapping>")
}

/// A table with a valid row and then this.
fn after_a_good_row(rest: &str) -> String {
    let good = mapping(&[
        "<Type>User</Type>",
        "<Source>alice@src.test</Source>",
        "<DestinationSameAsSource />",
    ]);
    format!("{HEAD}{good}{rest}\r\n</MigrationTable>")
}

/// The same with a second row of these elements; it begins in line 8.
fn second_row(lines: &[&str]) -> String {
    after_a_good_row(&mapping(lines))
}

const TYPE: &str = "<Type>User</Type>";
const SOURCE: &str = "<Source>bob@src.test</Source>";
const NONE: &str = "<DestinationNone />";

/// One test for each way in which a file can be wrong: `show`, and with it every command that uses the table, ends with exactly
/// this sentence; `validate` reports the same with row and code.
macro_rules! faults {
    ($($name:ident: $text:expr, $row:expr, ($line:expr, $column:expr), $code:expr, $sentence:expr, $hint:expr;)*) => {$(
        #[test]
        fn $name() {
            let (row, hint): (Option<u64>, Option<&str>) = ($row, $hint);
            let text: String = $text;
            let file = folder().join("bad.migtable");
            let path = file.to_str().unwrap();
            std::fs::write(&file, utf16_with_mark(&text)).unwrap();
            let hint_line = hint.map(|hint| format!("  {hint}\n")).unwrap_or_default();
            let sentence: &str = $sentence;
            let edits: [&[&str]; 4] = [
                &["show", path],
                &["remove", path, "alice@src.test"],
                &["set", path, "alice@src.test", "--none"],
                &["fill", path, "--define", "a=b", "--out", "/nowhere/x.migtable"],
            ];
            for arguments in edits {
                let said = migtable(arguments);
                assert_eq!((said.status, said.stdout.as_str()), (1, ""));
                assert_eq!(
                    said.stderr,
                    format!("error: migration table bad.migtable: line {}, column {}: {sentence}\n{hint_line}", $line, $column)
                );
            }
            assert_eq!(std::fs::read(&file).unwrap(), utf16_with_mark(&text));
            let said = migtable(&["validate", path]);
            let shown_row = row.map(|row| format!(" (row {row})")).unwrap_or_default();
            assert_eq!(said.status, 1);
            assert_eq!(
                said.stdout,
                format!("migration table bad.migtable:{}:{}{shown_row}: error: {sentence} [{}]\n{hint_line}", $line, $column, $code)
            );
            let said = migtable(&["validate", path, "--json"]);
            assert_eq!(said.status, 1);
            let json: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
            assert_eq!((json["format_version"].as_u64(), json["status"].as_str()), (Some(1), Some("failed")));
            let finding = &json["findings"][0];
            assert_eq!(finding["row"].as_u64(), row);
            assert_eq!((finding["line"].as_u64(), finding["column"].as_u64()), (Some($line), Some($column)));
            assert_eq!((finding["severity"].as_str(), finding["code"].as_str()), (Some("error"), Some($code)));
            assert_eq!(finding["hint"].as_str(), hint);
        }
    )*};
}

const DESTINATIONS: &str = "add one of <Destination>, <DestinationSameAsSource />, <DestinationNone />, <DestinationByRelativeName />";
const TYPES: &str =
    "legal are User, Computer, LocalGroup, GlobalGroup, UniversalGroup, UNCPath, Unknown";
const NO_TABLE: &str = "this is not a GPMC migration table";

faults! {
    type_group: second_row(&["<Type>Group</Type>", SOURCE, NONE]), Some(2), (9, 5), "unknown-type",
        &format!("type \"Group\" does not exist; {TYPES}"),
        Some("write LocalGroup, GlobalGroup or UniversalGroup, as the group is");
    type_domain_local_group: second_row(&["<Type>DomainLocalGroup</Type>", SOURCE, NONE]), Some(2), (9, 5), "unknown-type",
        &format!("type \"DomainLocalGroup\" does not exist; {TYPES}"), Some("write LocalGroup");
    type_in_lower_case: second_row(&["<Type>user</Type>", SOURCE, NONE]), Some(2), (9, 5), "unknown-type",
        &format!("type \"user\" does not exist; {TYPES}"), None;
    type_missing: second_row(&[SOURCE, NONE]), Some(2), (8, 3), "missing-type", "Mapping without <Type>", Some(TYPES);
    type_twice: second_row(&[TYPE, TYPE, SOURCE, NONE]), Some(2), (10, 5), "duplicate-element",
        "a second <Type> in one Mapping", None;
    source_missing: second_row(&[TYPE, NONE]), Some(2), (8, 3), "missing-source", "Mapping without <Source>", None;
    source_empty: second_row(&[TYPE, "<Source></Source>", NONE]), Some(2), (10, 5), "empty-source", "<Source> is empty", None;
    source_of_another_row_in_other_case: second_row(&[TYPE, "<Source>ALICE@src.test</Source>", NONE]), Some(2), (10, 5),
        "duplicate-source", "source \"ALICE@src.test\" already has a row in line 5",
        Some("keep one row for each source; upper and lower case are the same");
    destination_missing: second_row(&[TYPE, SOURCE]), Some(2), (8, 3), "missing-destination",
        "Mapping without a destination", Some(DESTINATIONS);
    destination_twice: second_row(&[TYPE, SOURCE, NONE, "<Destination>b@dst.test</Destination>"]), Some(2), (12, 5),
        "duplicate-destination", "<Destination> is a second destination in one Mapping; the first is in line 11",
        Some("keep one of them");
    destination_empty: second_row(&[TYPE, SOURCE, "<Destination></Destination>"]), Some(2), (11, 5), "empty-destination",
        "<Destination> is empty", Some("write <DestinationNone /> or <DestinationSameAsSource />");
    option_with_text: second_row(&[TYPE, SOURCE, "<DestinationNone>b</DestinationNone>"]), Some(2), (11, 5),
        "text-in-destination", "<DestinationNone> contains the text \"b\"",
        Some("write the text in <Destination>, or leave the element empty");
    element_unknown: second_row(&[TYPE, SOURCE, "<DestinationSame />"]), Some(2), (11, 5), "unknown-element",
        "element <DestinationSame> in a Mapping",
        Some("legal are Type, Source, and one of Destination, DestinationSameAsSource, DestinationNone, DestinationByRelativeName");
    element_in_source: second_row(&[TYPE, "<Source><b>a</b></Source>", NONE]), Some(2), (10, 13), "unknown-element",
        "element <b> in <Source>", Some("the element may contain only text");
    element_beside_rows: after_a_good_row("\r\n  <Row />"), None, (8, 3), "unknown-element",
        "element <Row> where only <Mapping> is legal", None;
    text_between_rows: after_a_good_row("\r\n  oops"), None, (8, 3), "text-between-elements",
        "text \"oops\" between the elements", None;
    ampersand_bare: second_row(&[TYPE, "<Source>a & b</Source>", NONE]), Some(2), (10, 15), "not-xml",
        "the file is not XML: ill-formed document: entity or character reference not closed: `;` not found before end of input", None;
    entity_unknown: second_row(&[TYPE, "<Source>a&nbsp;b</Source>", NONE]), Some(2), (10, 14), "not-xml",
        "entity &nbsp; does not exist", Some("write & as &amp;");
    file_cut_off: format!("{HEAD}\r\n  <Mapping>\r\n    <Type>User"), Some(1), (4, 15), "cut-off",
        "the file ends inside <Type>", Some("the file is cut off; get it again");
    document_type: format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{}", HEAD.split_once("?>").unwrap().1.trim()), None, (1, 1), "not-xml",
        "the file has a document type declaration", Some("remove <!DOCTYPE …>; a migration table has none");
    root_other: "<MigTable xmlns=\"http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable\" />".to_owned(), None, (1, 1),
        "not-a-migration-table", "root element is <MigTable>, not <MigrationTable>", Some(NO_TABLE);
    namespace_other: after_a_good_row("").replace("GPOOperations/MigrationTable", "Types"), None, (2, 1), "not-a-migration-table",
        "<MigrationTable> is not in the namespace http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable",
        Some("write xmlns=\"http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable\"");
    file_empty: String::new(), None, (1, 1), "not-a-migration-table", "no <MigrationTable> element in the file", Some(NO_TABLE);
    something_after_the_end: format!("{}<x/>", after_a_good_row("")), None, (8, 18), "not-xml",
        "something follows the end of the MigrationTable element", None;
}

#[test]
fn every_fault_of_a_file_is_listed_at_once() {
    let file = folder().join("bad.migtable");
    let rows = [
        mapping(&["<Type>Group</Type>", SOURCE, NONE]),
        mapping(&[
            "<Type>UNCPath</Type>",
            r"<Source>\\a\b</Source>",
            "<DestinationNone />",
        ]),
        mapping(&[
            "<Type>UNCPath</Type>",
            r"<Source>\\a\c</Source>",
            "<DestinationByRelativeName />",
        ]),
        mapping(&[
            "<Type>UNCPath</Type>",
            "<Source>server</Source>",
            r"<Destination>\\a\\b</Destination>",
        ]),
        mapping(&[TYPE, r"<Source>\\a\d</Source>", NONE]),
        mapping(&[TYPE, SOURCE, "<Destination>%who%@dst.test</Destination>"]),
        mapping(&["<Type>User</Type>", "<Source>eve</Source>", NONE]),
        mapping(&[TYPE, "<Source>Alice@SRC.test</Source>", NONE]),
    ]
    .concat();
    // The bytes are UTF-8, whatever the declaration contains.
    std::fs::write(&file, after_a_good_row(&rows)).unwrap();
    let said = migtable(&["validate", file.to_str().unwrap()]);
    assert_eq!(said.status, 1);
    assert_eq!(
        said.stderr,
        format!("{}: 8 errors, 2 warnings\n", file.display())
    );
    let expected = [
        "migration table bad.migtable:1: warning: the file declares the encoding utf-16, but is encoded as utf-8 [encoding]",
        "  a strict XML reader rejects it; save it as Unicode (UTF-16)",
        "migration table bad.migtable:9:5 (row 2): error: type \"Group\" does not exist; legal are User, Computer, LocalGroup, GlobalGroup, UniversalGroup, UNCPath, Unknown [unknown-type]",
        "  write LocalGroup, GlobalGroup or UniversalGroup, as the group is",
        r#"migration table bad.migtable:13 (row 3): error: UNC path "\\a\b" cannot have the destination "none" [unc-destination-none]"#,
        "  give the row a path or \"same as source\": gpoctl migtable set, with --to or --same",
        r#"migration table bad.migtable:18 (row 4): error: UNC path "\\a\c" has no relative name to look up [unc-by-relative-name]"#,
        r#"migration table bad.migtable:23 (row 5): error: source "server" is not a UNC path [bad-unc-path]"#,
        r"  write \\server\share, or correct the type of the row",
        r#"migration table bad.migtable:23 (row 5): error: destination "\\a\\b" is not a UNC path [bad-unc-path]"#,
        r"  write \\server\share",
        r#"migration table bad.migtable:28 (row 6): error: source "\\a\d" is a UNC path, but its type is User [unc-path-as-principal]"#,
        "  give the row the type UNCPath",
        "migration table bad.migtable:33 (row 7): error: destination \"%who%@dst.test\" still contains the placeholder %who% [leftover-placeholder]",
        "  fill in the template before use: gpoctl migtable fill",
        "migration table bad.migtable:38 (row 8): warning: source \"eve\" of type User has no domain, so it matches nothing [bare-source]",
        "  write name@domain or DOMAIN\\name; bare names and SIDs need the type Unknown",
        "migration table bad.migtable:45:5 (row 9): error: source \"Alice@SRC.test\" already has a row in line 5 [duplicate-source]",
        "  keep one row for each source; upper and lower case are the same",
    ];
    assert_eq!(said.stdout.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn warnings_have_their_own_exit_status() {
    let file = folder().join("odd.migtable");
    let path = file.to_str().unwrap();
    let row = [TYPE, "<Source>eve</Source>", NONE];
    std::fs::write(&file, utf16_with_mark(&second_row(&row))).unwrap();
    assert_eq!(migtable(&["validate", path]).status, 4);
    assert_eq!(migtable(&["validate", path, "--strict"]).status, 1);
    let said = migtable(&["validate", path, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((said.status, json["status"].as_str()), (4, Some("done")));
    assert_eq!(
        (json["errors"].as_u64(), json["warnings"].as_u64()),
        (Some(0), Some(1))
    );
    std::fs::write(&file, utf16_with_mark(&second_row(&[TYPE, SOURCE, NONE]))).unwrap();
    let clean = migtable(&["validate", path]);
    assert_eq!((clean.status, clean.stdout.as_str()), (0, ""));
    std::fs::write(&file, utf16_with_mark(&second_row(&row))).unwrap();
    let missing = migtable(&["validate", path, "--probe-unc", "fs1"]);
    assert_eq!(
        (missing.status, missing.stderr.as_str()),
        (
            2,
            "error: no row of the table has a path on the host fs1, so it was not tested\n  use the host name of a destination \\\\HOST\\share\n"
        )
    );
    let none = migtable(&["validate", "/nowhere/x.migtable"]);
    assert_eq!(
        (none.status, none.stderr.as_str()),
        (
            1,
            "error: cannot read the migration table /nowhere/x.migtable: No such file or directory\n  name a migration table, or create this one: gpoctl migtable new /nowhere/x.migtable\n"
        )
    );
}

#[test]
fn a_template_is_filled_in() {
    let (file, out) = (
        folder().join("tier0.migtable"),
        folder().join("corp.migtable"),
    );
    let (path, to) = (file.to_str().unwrap(), out.to_str().unwrap());
    let template = after_a_good_row(&format!(
        "{}{}",
        mapping(&[
            "<Type>LocalGroup</Type>",
            "<Source>L-T0@old.test</Source>",
            "<Destination>%t0-logon%@%domaindns%</Destination>"
        ]),
        mapping(&[
            "<Type>UNCPath</Type>",
            r"<Source>\\fs1\homes\%USERNAME%</Source>",
            r"<Destination>\\%server%\homes\%USERNAME%</Destination>"
        ]),
    ));
    std::fs::write(&file, utf16_with_mark(&template)).unwrap();
    let fill = |definitions: &[&str], more: &[&str]| {
        let mut arguments = vec!["fill", path, "--out", to];
        arguments.extend(definitions.iter().flat_map(|one| ["--define", one]));
        arguments.extend(more);
        migtable(&arguments)
    };
    let said = fill(&["DomainDNS=corp.test"], &[]);
    assert_eq!((said.status, said.stdout.as_str()), (2, ""));
    assert_eq!(
        said.stderr,
        "error: migration table tier0.migtable:8: destination \"%t0-logon%@%domaindns%\": %t0-logon% has no value\n\
         error: migration table tier0.migtable:13: destination \"\\\\%server%\\homes\\%USERNAME%\": %server% has no value\n\
         error: placeholders of the template have no value: %server%, %t0-logon%\n  give each of them a value with --define NAME=VALUE\n"
    );
    assert!(!out.exists());
    let all = [
        "DomainDNS=corp.test",
        "t0-logon=L & T0",
        "%server%=fs9",
        "spare=x",
    ];
    let said = fill(&all, &[]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    assert_eq!(
        said.stderr,
        format!("warning: %spare% does not occur in the template\n{to}: 2 of 3 rows filled in\n")
    );
    let expected = template
        .replace("%t0-logon%@%domaindns%", "L &amp; T0@corp.test")
        .replace("%server%", "fs9");
    assert_eq!(std::fs::read(&out).unwrap(), utf16_with_mark(&expected));
    assert_eq!(std::fs::read(&file).unwrap(), utf16_with_mark(&template));
    let again = fill(&all, &[]);
    assert_eq!(again.status, 1);
    assert!(again.stderr.contains("already exists"), "{}", again.stderr);
    assert_eq!(fill(&all, &["--overwrite"]).status, 0);
    for (definition, sentence) in [
        (
            "a",
            "error: --define \"a\" has no value\n  write --define NAME=VALUE\n",
        ),
        ("=a", "error: \"\" cannot be the name of a placeholder\n"),
    ] {
        let said = fill(&[definition], &[]);
        assert_eq!((said.status, said.stderr.as_str()), (2, sentence));
    }
    let twice = fill(&["a=b", "A=c"], &[]);
    assert_eq!(
        (twice.status, twice.stderr.as_str()),
        (2, "error: %A% is defined twice\n")
    );
}

#[test]
fn usage_errors_are_reported_before_connecting() {
    let file = folder().join("lab.migtable");
    let path = file.to_str().unwrap();
    migtable(&["new", path]);
    for (arguments, sentence) in [
        (
            &["populate", path, "--from-backup", "/nowhere"][..],
            "error: \"/nowhere\" is not the folder of a backup\n",
        ),
        (
            &["validate", path, "--against", "Workstation Security"],
            "error: \"Workstation Security\" is not the folder of a backup\n  name the {ID} folder, or use --backup-dir DIR, with --all for every backup in it; for a live GPO, use --from DOMAIN\n",
        ),
    ] {
        let said = migtable(arguments);
        assert_eq!(said.status, 1);
        assert!(said.stderr.starts_with(sentence), "{}", said.stderr);
    }
    for arguments in [
        &["populate", path][..],
        &["populate", path, "--from-backup", "a", "--from-gpo", "b"],
        &["populate", path, "--all", "--from-gpo", "b"],
        &["validate", path, "--exclusive"],
        &["validate", path, "--from", "src.test"],
        &["suggest"],
    ] {
        assert_eq!(migtable(arguments).status, 2, "{arguments:?}");
    }
}

#[test]
fn every_command_has_help_with_two_examples() {
    for command in [
        "new", "show", "set", "remove", "populate", "suggest", "fill", "validate",
    ] {
        let help = migtable(&[command, "--help"]).stdout;
        let (about, _) = help.split_once("\n\nUsage:").unwrap();
        // `show` and `remove` report it completely in one line.
        let paragraphs = if matches!(command, "show" | "remove") {
            1
        } else {
            2
        };
        assert_eq!(about.split("\n\n").count(), paragraphs, "{about}");
        let (_, examples) = help.split_once("Examples:\n").unwrap();
        let count = examples
            .lines()
            .filter(|line| {
                line.trim_start()
                    .starts_with(&format!("gpoctl migtable {command} "))
                    || line.contains(&format!(" gpoctl migtable {command} "))
            })
            .count();
        assert_eq!(count, 2, "{help}");
    }
}

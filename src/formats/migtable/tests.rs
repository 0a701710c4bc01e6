use super::*;
use crate::message::Code;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n<MigrationTable xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable\">";
const GPMC: &str = "\r\n  <Mapping>\r\n    <Type>GlobalGroup</Type>\r\n    <Source>Helpdesk@a.example</Source>\r\n    <Destination>Support &amp; Co@b.example</Destination>\r\n  </Mapping>\r\n  <Mapping>\r\n    <Type>UNCPath</Type>\r\n    <Source>\\\\filesrv1\\homes</Source>\r\n    <DestinationSameAsSource />\r\n  </Mapping>\r\n</MigrationTable>";

fn utf16(text: &str) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xFE];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}

fn gpmc() -> Vec<u8> {
    utf16(&format!("{HEAD}{GPMC}"))
}

fn table(body: &str) -> Result<MigTable, MigTableError> {
    MigTable::parse(format!("{HEAD}\r\n{body}\r\n</MigrationTable>").as_bytes())
}

fn set(text: &str) -> Destination {
    Destination::Set(text.to_owned())
}

const GROUP: EntryType = EntryType::Principal(PrincipalType::GlobalGroup);

#[test]
fn reads_gpmc_form_with_places_and_writes_the_same_bytes() {
    let table = MigTable::parse(&gpmc()).unwrap();
    assert_eq!(table.encoding(), Encoding::Utf16Le { bom: true });
    assert_eq!(table.rows().len(), 2);
    let row = &table.rows()[0];
    assert_eq!(row.kind, GROUP);
    assert_eq!(row.source, "Helpdesk@a.example");
    assert_eq!(row.destination, set("Support & Co@b.example"));
    assert_eq!((row.element.line, row.element.column), (3, 3));
    assert_eq!((row.type_element.line, row.type_element.column), (4, 5));
    assert_eq!(row.source_element.line, 5);
    assert_eq!(row.destination_element.line, 6);
    assert_eq!(table.rows()[1].destination, Destination::SameAsSource);
    assert_eq!(table.get("HELPDESK@A.EXAMPLE"), Some(row));
    assert_eq!(
        table.get(r"\\FILESRV1\homes\").unwrap().kind,
        EntryType::UncPath
    );
    assert_eq!(table.to_bytes(), gpmc());
}

#[test]
fn reads_every_encoding_whatever_the_declaration_says() {
    let text = format!("{HEAD}{GPMC}").replace("Helpdesk", "Hélp");
    let ansi: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let cases = [
        (utf16(&text), Encoding::Utf16Le { bom: true }),
        (utf16(&text)[2..].to_vec(), Encoding::Utf16Le { bom: false }),
        (
            [b"\xFE\xFF".to_vec(), be.clone()].concat(),
            Encoding::Utf16Be { bom: true },
        ),
        (be, Encoding::Utf16Be { bom: false }),
        (text.clone().into_bytes(), Encoding::Utf8 { bom: false }),
        (
            [b"\xEF\xBB\xBF".to_vec(), text.clone().into_bytes()].concat(),
            Encoding::Utf8 { bom: true },
        ),
        (ansi, Encoding::Windows1252),
    ];
    for (bytes, encoding) in cases {
        let table = MigTable::parse(&bytes).unwrap();
        assert_eq!(table.encoding(), encoding);
        assert_eq!(table.rows()[0].source, "Hélp@a.example", "{encoding:?}");
        assert_eq!(table.to_bytes(), bytes, "{encoding:?}");
    }
}

#[test]
fn reads_the_variants_found_in_the_wild() {
    let text = format!(
        "<!-- a comment --><m:MigrationTable xmlns:m='{NAMESPACE}'><m:Mapping><m:Type> User </m:Type><m:Source><![CDATA[A&B]]>&#x41;</m:Source><m:DestinationSameAsSource></m:DestinationSameAsSource></m:Mapping><m:Mapping>\n<m:Source>x</m:Source><m:Type>Unknown</m:Type><m:DestinationNone/></m:Mapping></m:MigrationTable>\n"
    );
    let mut table = MigTable::parse(text.as_bytes()).unwrap();
    assert_eq!(table.rows()[0].source, "A&BA");
    assert_eq!(table.rows()[0].destination, Destination::SameAsSource);
    assert_eq!(table.rows()[1].destination, Destination::None);
    assert_eq!(table.to_bytes(), text.as_bytes());
    table.set("X", GROUP, Destination::ByRelativeName).unwrap();
    let expected = text
        .replace("<m:Type>Unknown</m:Type>", "<m:Type>GlobalGroup</m:Type>")
        .replace("<m:DestinationNone/>", "<m:DestinationByRelativeName />");
    assert_eq!(String::from_utf8(table.to_bytes()).unwrap(), expected);
}

/// Each broken table with the whole sentence it gives.
#[test]
fn errors_contain_the_place_and_the_legal_values() {
    let mapping = |inner: &str| format!("<Mapping>\n{inner}\n</Mapping>");
    let cases = [
        (
            mapping("<Type>Group</Type><Source>a</Source><DestinationNone/>"),
            "line 4, column 1: type \"Group\" does not exist; legal are User, Computer, LocalGroup, GlobalGroup, UniversalGroup, UNCPath, Unknown",
            Some("write LocalGroup, GlobalGroup or UniversalGroup, as the group is"),
        ),
        (
            mapping("<Type>User</Type>\n <Source>a</Source>"),
            "line 3, column 1: Mapping without a destination",
            Some(
                "add one of <Destination>, <DestinationSameAsSource />, <DestinationNone />, <DestinationByRelativeName />",
            ),
        ),
        (
            mapping("<Type>User</Type>\n <Source>a</Source>\n<DestinationNone/>\n <Destination>b</Destination>"),
            "line 7, column 2: <Destination> is a second destination in one Mapping; the first is in line 6",
            Some("keep one of them"),
        ),
        (
            mapping("<Type>User</Type><Source>a</Source><Destination> </Destination>"),
            "line 4, column 36: <Destination> is empty",
            Some("write <DestinationNone /> or <DestinationSameAsSource />"),
        ),
        (
            mapping("<Type>User</Type><DestinationNone/>"),
            "line 3, column 1: Mapping without <Source>",
            None,
        ),
        (
            mapping("<Source>a</Source><DestinationNone/>"),
            "line 3, column 1: Mapping without <Type>",
            Some("legal are User, Computer, LocalGroup, GlobalGroup, UniversalGroup, UNCPath, Unknown"),
        ),
        (
            mapping("<Type>User</Type><Source/><DestinationNone/>"),
            "line 4, column 18: <Source> is empty",
            None,
        ),
        (
            mapping("<Type>User</Type><Type>User</Type>"),
            "line 4, column 18: a second <Type> in one Mapping",
            None,
        ),
        (
            mapping("<Type>User</Type><Source>a</Source><DestinationNone>b</DestinationNone>"),
            "line 4, column 36: <DestinationNone> contains the text \"b\"",
            Some("write the text in <Destination>, or leave the element empty"),
        ),
        (
            mapping("<Typ>User</Typ>"),
            "line 4, column 1: element <Typ> in a Mapping",
            Some(
                "legal are Type, Source, and one of Destination, DestinationSameAsSource, DestinationNone, DestinationByRelativeName",
            ),
        ),
        (
            mapping("<Source>a&b;c</Source>"),
            "line 4, column 10: entity &b; does not exist",
            Some("write & as &amp;"),
        ),
        (
            mapping("<Type>User</Type>\n<Source>a&#7;</Source>"),
            "line 5, column 14: <Source> contains the control character U+0007",
            None,
        ),
        ("<Row/>".to_owned(), "line 3, column 1: element <Row> where only <Mapping> is legal", None),
        ("stray".to_owned(), "line 3, column 1: text \"stray\" between the elements", None),
        (
            "<Mapping><Type>User</Type><Source>A</Source><DestinationNone/></Mapping>\n<Mapping><Type>User</Type><Source>a</Source><DestinationNone/></Mapping>".to_owned(),
            "line 4, column 27: source \"a\" already has a row in line 3",
            Some("keep one row for each source; upper and lower case are the same"),
        ),
    ];
    for (body, message, hint) in cases {
        let error = table(&body).unwrap_err();
        assert_eq!(error.to_string(), message, "{body}");
        assert_eq!(error.hint.as_deref(), hint, "{body}");
    }
}

#[test]
fn errors_of_the_frame() {
    let cases = [
        (
            "",
            "line 1, column 1: no <MigrationTable> element in the file",
        ),
        (
            "<a/>",
            "line 1, column 1: root element is <a>, not <MigrationTable>",
        ),
        (
            "<MigrationTable/>",
            "line 1, column 1: <MigrationTable> is not in the namespace http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable",
        ),
        (
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a/>",
            "line 1, column 1: the file has a document type declaration",
        ),
    ];
    for (text, message) in cases {
        let error = MigTable::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }
    let cut = format!("{HEAD}<Mapping><Type>User");
    let error = MigTable::parse(cut.as_bytes()).unwrap_err();
    assert!(error.message.contains("ends inside <Type>"), "{error}");
    let trailing = format!("{HEAD}</MigrationTable><a/>");
    assert!(MigTable::parse(trailing.as_bytes()).is_err());
    assert!(
        MigTable::parse(b"\xFF\xFEa")
            .unwrap_err()
            .message
            .contains("odd number")
    );
    assert!(
        MigTable::parse(b"\xFF\xFE\x00\xD8")
            .unwrap_err()
            .message
            .contains("D800")
    );
    assert!(
        MigTable::parse(b"\xEF\xBB\xBF\xFF")
            .unwrap_err()
            .message
            .contains("byte 3")
    );
}

#[test]
fn leftover_placeholders_are_not_format_errors() {
    let table = table(
        "<Mapping><Type>User</Type><Source>a</Source><Destination>%Guest%</Destination></Mapping>",
    );
    assert_eq!(table.unwrap().rows()[0].destination, set("%Guest%"));
}

#[test]
fn builds_gpmc_form_from_nothing() {
    let mut table = MigTable::new();
    assert_eq!(MigTable::parse(&table.to_bytes()).unwrap(), table);
    table
        .set("Helpdesk@a.example", GROUP, set("Support & Co@b.example"))
        .unwrap();
    table
        .set(
            r"\\filesrv1\homes",
            EntryType::UncPath,
            Destination::SameAsSource,
        )
        .unwrap();
    assert_eq!(table.to_bytes(), gpmc());
}

#[test]
fn edits_change_only_their_row() {
    let text = format!("{HEAD}{GPMC}");
    let mut table = MigTable::parse(&utf16(&text)).unwrap();
    table
        .set("HELPDESK@a.example", GROUP, Destination::None)
        .unwrap();
    let expected = text.replace(
        "<Destination>Support &amp; Co@b.example</Destination>",
        "<DestinationNone />",
    );
    assert_eq!(table.to_bytes(), utf16(&expected));

    let mut table = MigTable::parse(&utf16(&text)).unwrap();
    assert!(table.remove("helpdesk@a.example"));
    assert!(!table.remove("helpdesk@a.example"));
    let start = text.find("\r\n  <Mapping>").unwrap();
    let end = text.find("\r\n  <Mapping>\r\n    <Type>UNC").unwrap();
    let expected = format!("{}{}", text.get(..start).unwrap(), text.get(end..).unwrap());
    assert_eq!(table.to_bytes(), utf16(&expected));
    table
        .set("Helpdesk@a.example", GROUP, set("Support & Co@b.example"))
        .unwrap();
    assert_eq!(table.rows()[1].source, "Helpdesk@a.example");
    assert!(table.remove(r"\\filesrv1\homes"));
    assert!(table.remove("Helpdesk@a.example"));
    assert_eq!(
        table.to_bytes(),
        utf16(&format!("{HEAD}\r\n</MigrationTable>"))
    );
}

#[test]
fn refuses_rows_that_cannot_be_read_back() {
    let mut table = MigTable::new();
    let before = table.clone();
    for (source, destination) in [
        ("", "a"),
        ("a", ""),
        (" a", "b"),
        ("a", "b\n"),
        ("a\u{7}", "b"),
    ] {
        assert!(
            table.set(source, GROUP, set(destination)).is_err(),
            "{source:?}"
        );
    }
    assert_eq!(table, before);
}

#[test]
fn characters_missing_in_the_encoding_become_references() {
    let ansi = format!("{HEAD}<!--\u{e9}--></MigrationTable>");
    let bytes: Vec<u8> = ansi
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let mut table = MigTable::parse(&bytes).unwrap();
    table.set("Équipe Ж&", GROUP, set("€ \u{1f600}")).unwrap();
    assert_eq!(MigTable::parse(&table.to_bytes()).unwrap(), table);
    let written: String = table.to_bytes().iter().map(|b| char::from(*b)).collect();
    assert!(written.contains("<Source>Équipe &#1046;&amp;</Source>"));
    assert!(written.contains("<Destination>\u{80} &#128512;</Destination>"));
    assert!(table.get("Équipe Ж&").is_some());
}

#[test]
fn ten_thousand_rows_on_one_line_are_read_and_set_twice() {
    let entries = (0..10_000).map(|n| Entry {
        source: format!("group{n}@a.example"),
        kind: GROUP,
        destination: set(&format!("group{n}@b.example")),
    });
    let mut table = MigTable::new();
    table.set_all(entries.clone()).unwrap();
    table.set_all(entries).unwrap();
    let flat = String::from_utf16(
        &table.to_bytes()[2..]
            .chunks(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect::<Vec<_>>(),
    )
    .unwrap()
    .replace("\r\n", "");
    assert_eq!(
        MigTable::parse(flat.as_bytes()).unwrap().rows().len(),
        10_000
    );
}

proptest::proptest! {
    #[test]
    fn parsed_tables_round_trip(body in "(<Mapping>|</Mapping>|<Type>User</Type>|<Source>|</Source>|<DestinationNone/>|a|&amp;| |\n){0,12}") {
        let text = format!("{HEAD}{body}</MigrationTable>");
        for bytes in [text.clone().into_bytes(), utf16(&text)] {
            if let Ok(table) = MigTable::parse(&bytes) {
                proptest::prop_assert_eq!(table.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn never_panics_on_any_bytes(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        if let Ok(table) = MigTable::parse(&bytes) {
            proptest::prop_assert_eq!(table.to_bytes(), bytes);
        }
    }

    #[test]
    fn every_row_that_is_set_is_parsed_again(source in "\\PC{1,20}", destination in "\\PC{1,20}") {
        let mut table = MigTable::new();
        if table.set(&source, GROUP, set(&destination)).is_ok() {
            let again = MigTable::parse(&table.to_bytes()).unwrap();
            proptest::prop_assert_eq!(&again, &table);
            proptest::prop_assert_eq!(&again.rows()[0].source, &source);
            proptest::prop_assert_eq!(&again.rows()[0].destination, &set(&destination));
        }
    }
}

#[test]
fn check_lists_every_problem_and_keeps_the_other_rows() {
    let mapping = |kind: &str, source: &str, rest: &str| {
        format!("<Mapping><Type>{kind}</Type><Source>{source}</Source>{rest}</Mapping>\n")
    };
    let body = [
        mapping("User", "a@x", "<DestinationNone/>"),
        mapping(
            "Group",
            "b@x",
            "<Destination>c<Deep><Deeper/></Deep></Destination>",
        ),
        "stray<Other><Mapping/></Other>\n".to_owned(),
        mapping("User", "c@x", ""),
        "<Mapping/>\n".to_owned(),
        mapping("User", "A@X", "<DestinationSameAsSource/>"),
        mapping("User", "d@x", "<DestinationSameAsSource/>"),
    ]
    .concat();
    let text = format!("{HEAD}\r\n{body}</MigrationTable>");
    let (checked, problems) = MigTable::check(text.as_bytes());
    let found: Vec<(Code, Option<usize>, usize)> = problems
        .iter()
        .map(|problem| (problem.code, problem.row, problem.line))
        .collect();
    assert_eq!(
        found,
        [
            (Code::UnknownType, Some(2), 4),
            (Code::TextBetweenElements, None, 5),
            (Code::UnknownElement, None, 5),
            (Code::MissingDestination, Some(3), 6),
            (Code::MissingType, Some(4), 7),
            (Code::DuplicateSource, Some(5), 8),
        ]
    );
    let checked = checked.unwrap();
    let rows: Vec<(usize, &str)> = checked
        .rows()
        .iter()
        .map(|row| (row.number, row.source.as_str()))
        .collect();
    assert_eq!(rows, [(1, "a@x"), (6, "d@x")]);
    assert_eq!(MigTable::parse(text.as_bytes()).unwrap_err(), problems[0]);
    // Parsing ends where the file is no longer XML.
    let broken = text.replace("<Other>", "<Other");
    let (none, problems) = MigTable::check(broken.as_bytes());
    assert!(none.is_none());
    assert_eq!(problems.last().unwrap().code, Code::NotXml);
}

#[test]
fn values_that_cannot_be_set_cannot_be_parsed() {
    let row = |source: &str| {
        table(&format!(
            "<Mapping><Type>User</Type><Source>{source}</Source><DestinationNone/></Mapping>"
        ))
    };
    for character in ['\u{7f}', '\u{85}', '\u{fffe}', '\u{ffff}'] {
        let error = row(&format!("a{character}b")).unwrap_err();
        assert!(error.message.contains("control character"), "{error}");
    }
    let mut table = row("a\u{fffd}b").unwrap();
    table.set("a\u{fffd}b", GROUP, set("c")).unwrap();
}

#[test]
fn removing_a_row_keeps_the_others() {
    // In windows-1252, and in no other encoding, because of the second row only.
    let row = |source: &str| {
        format!("<Mapping><Type>User</Type><Source>{source}</Source><DestinationNone/></Mapping>")
    };
    let text = format!(
        "{HEAD}{}{}</MigrationTable>",
        row("a\u{c3}\u{a4}"),
        row("\u{e9}")
    );
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let mut table = MigTable::parse(&bytes).unwrap();
    assert_eq!(table.to_bytes(), bytes);
    assert!(table.remove("\u{e9}"));
    let read = MigTable::parse(&table.to_bytes()).unwrap();
    assert_eq!(read.rows()[0].source, "a\u{c3}\u{a4}");
}

#[test]
fn a_root_closed_by_two_slashes_takes_rows() {
    let text = format!("<MigrationTable xmlns=\"{NAMESPACE}\" //>");
    let mut table = MigTable::parse(text.as_bytes()).unwrap();
    table.set("a", GROUP, set("b")).unwrap();
    let read = MigTable::parse(&table.to_bytes()).unwrap();
    assert_eq!(read.rows().len(), 1);
}

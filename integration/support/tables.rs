//! Migration tables, made without gpoctl.

use std::path::PathBuf;

use super::{scratch, utf16_with_mark};

/// A migration table in GPMC's form: type, source, and the destination's element.
pub fn table(rows: &[(&str, &str, String)]) -> PathBuf {
    let mut text = "<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n<MigrationTable xmlns=\"http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable\">\r\n".to_owned();
    for (kind, source, destination) in rows {
        text += &format!(
            "  <Mapping>\r\n    <Type>{kind}</Type>\r\n    <Source>{source}</Source>\r\n    {destination}\r\n  </Mapping>\r\n"
        );
    }
    text += "</MigrationTable>";
    let path = tempfile::tempdir_in(scratch())
        .unwrap()
        .keep()
        .join("test.migtable");
    std::fs::write(&path, utf16_with_mark(&text)).unwrap();
    path
}

/// The element of an explicit destination.
pub fn set(text: &str) -> String {
    format!("<Destination>{text}</Destination>")
}

/// A table with a row for every principal of one domain that the seed uses, with its counterpart in the other one.
pub fn both_ways(to: &str) -> PathBuf {
    let (source, target, upper) = match to {
        "dst" => ("src.test", "DST", 0),
        _ => ("dst.test", "SRC", 1),
    };
    let groups = [
        ["Server Admins", "Server Admins", "UniversalGroup"],
        ["GG-Workstations", "GG-Workstations", "GlobalGroup"],
        ["DL-Files", "DL-Files", "LocalGroup"],
        ["Helpdesk", "Support", "GlobalGroup"],
        ["Backup Crew", "Backup Team", "LocalGroup"],
        ["Büro Nord", "Büro Nord", "GlobalGroup"],
        ["No Policy", "No Policy", "GlobalGroup"],
        ["alice", "alice", "User"],
        ["carol", "carol", "User"],
        ["bob", "dave", "User"],
        ["gpoedit", "gpoedit", "User"],
        ["WS01$", "WS01$", "Computer"],
        ["WS02$", "WS09$", "Computer"],
        ["Domain Admins", "Domain Admins", "GlobalGroup"],
        ["Domain Users", "Domain Users", "GlobalGroup"],
        ["Administrator", "Administrator", "User"],
    ];
    let rows: Vec<(String, &str, String)> = groups
        .iter()
        .map(|row| {
            (
                format!("{}@{source}", row[upper]),
                row[2],
                set(&format!("{target}\\{}", row[1 - upper])),
            )
        })
        .collect();
    let mut rows: Vec<(&str, &str, String)> = rows
        .iter()
        .map(|(name, kind, destination)| (*kind, name.as_str(), destination.clone()))
        .collect();
    let shares = [
        [r"\\fs1.src.test\software$", r"\\fs1.dst.test\packages$"],
        [r"\\fs2.src.test\software$", r"\\fs2.dst.test\packages$"],
    ];
    for share in &shares {
        rows.push(("UNCPath", share[upper], set(share[1 - upper])));
    }
    table(&rows)
}

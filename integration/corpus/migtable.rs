//! Migration tables made from every real backup.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support::{copy_folder, corpus, corpus_gpos};
use gpoctl::backup;
use gpoctl::formats::migtable::{Destination, Encoding, MigTable};
use gpoctl::migration::fill::{Definitions, fill};
use gpoctl::migration::map::MapOptions;
use gpoctl::migration::populate::{PopulateOptions, items, merge};
use gpoctl::migration::scan::scan;
use gpoctl::migration::validate::{TableFinding, validate};
use gpoctl::model::reference::Scope;
use gpoctl::model::snapshot::GpoSnapshot;
use gpoctl::model::well_known;

/// The folders of all backups below a folder.
fn backups(corpus: &Path) -> Vec<PathBuf> {
    let found = corpus_gpos::backup_folders(corpus);
    assert_eq!(found.len(), 276, "backups in the corpus");
    found
}

/// The text of an element by plain search, CDATA or not; empty when it is missing or empty.
fn text_of<'a>(xml: &'a str, name: &str) -> &'a str {
    let Some(text) = xml
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")))
        .map(|(text, _)| text)
    else {
        return "";
    };
    text.strip_prefix("<![CDATA[")
        .and_then(|text| text.strip_suffix("]]>"))
        .unwrap_or(text)
}

/// What GPMC's editor adds to a table for a backup, read from Backup.xml without any of gpoctl's parsers: type and source.
fn expected(folder: &Path, with_dacl: bool) -> Vec<(String, String)> {
    let xml = std::fs::read_to_string(folder.join("Backup.xml")).unwrap();
    let between = |name: &str| {
        xml.split_once(&format!("<{name}>"))
            .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")))
            .map_or("", |(inner, _)| inner)
    };
    let mut rows = Vec::new();
    for group in between("SecurityGroups").split("<Group").skip(1) {
        let (attributes, group) = group.split_once('>').unwrap();
        if attributes.contains("FromDACL") && !with_dacl {
            continue;
        }
        let source = ["UPN", "SamAccountName", "Sid"]
            .map(|name| text_of(group, name))
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_else(|| panic!("{}: a group without name and SID", folder.display()));
        rows.push((text_of(group, "Type").to_owned(), source.to_owned()));
    }
    for path in between("FilePaths").split("<Path>").skip(1) {
        let path = format!("<Path>{path}");
        rows.push(("UNCPath".to_owned(), text_of(&path, "Path").to_owned()));
    }
    rows
}

/// A table made for one GPO: its bytes, and type and source of each row.
fn populated(
    snapshot: &GpoSnapshot,
    options: &PopulateOptions,
) -> (MigTable, Vec<(String, String)>) {
    let mut table = MigTable::new();
    let (items, _) = items(snapshot, options);
    let merged = merge(&mut table, items).unwrap();
    assert!(
        merged.messages.is_empty(),
        "{}: {:?}",
        snapshot.display_name,
        merged.messages
    );
    let rows = table
        .rows()
        .iter()
        .map(|row| {
            assert_eq!(row.destination, Destination::SameAsSource);
            (row.kind.to_string(), row.source.clone())
        })
        .collect();
    (table, rows)
}

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn a_table_has_exactly_what_gpmc_inventories() {
    let corpus = corpus();
    let (mut settings, mut whole, mut with_rows) = (0, 0, 0);
    for folder in backups(&corpus) {
        let snapshot = backup::read(&folder).unwrap().snapshot;
        let mut options = PopulateOptions::new().scope(Scope::Gpmc);
        for with_dacl in [false, true] {
            options.include_dacl = with_dacl;
            let (table, rows) = populated(&snapshot, &options);
            assert_eq!(rows, expected(&folder, with_dacl), "{}", folder.display());
            // The file is GPMC's, and is read again as it was written.
            let bytes = table.to_bytes();
            assert!(bytes.starts_with(b"\xFF\xFE<\0?\0"));
            let again = MigTable::parse(&bytes).unwrap();
            assert_eq!(again.encoding(), Encoding::Utf16Le { bom: true });
            assert_eq!(again, table);
            if with_dacl {
                whole += rows.len();
            } else {
                settings += rows.len();
                with_rows += usize::from(!rows.is_empty());
            }
        }
    }
    println!(
        "{with_rows} backups with references in settings: {settings} rows; with permissions {whole}"
    );
    // 189 entries of SecurityGroups without FromDACL and 4 paths; 837 entries in all.
    assert_eq!((settings, whole), (193, 841));
}

/// Where our references in the files of a backup differ from GPMC's inventory, and why: the end of the folder's path, what only
/// we find, what only the inventory contains.
const DIFFERENCES: &[(&str, &[&str], &[&str], &str)] = &[
    (
        "SOS Netbanner/{785F5308-A0FA-4893-BF66-CA43D295D681}",
        &[r"\\sim.lan\SYSVOL\sim.lan\Software"],
        &[],
        "the one package that lies on the domain's own SYSVOL: GPMC left FilePaths empty",
    ),
    (
        "DoD - Addendum to Imported GPOs/{A25B4A97-8B31-43CC-B54C-BACDAF1D7331}",
        &["S-1-15-2-1"],
        &[],
        "SDDL of [Registry Keys] spells ALL APPLICATION PACKAGES as a SID: GPMC does not list it",
    ),
    (
        "nestil/{C49F95BE-FE4D-4C53-AF9F-CC39C18A65B5}",
        &["S-1-1-0", "S-1-15-2-1"],
        &[],
        "as the two above and below: ALL APPLICATION PACKAGES in SDDL of [File Security], and redirection for everybody",
    ),
    (
        "DoD - Windows 8 - Computer/{2199EA28-42D1-4F0C-8043-EDD3A546BD9A}",
        &[WDI_SERVICE_HOST],
        &[],
        SERVICE,
    ),
    (
        "DoD - Windows 8 - Computer - Ansible Fixes/{D536FE62-6926-4740-B39B-4B2E1BFEA82C}",
        &[WDI_SERVICE_HOST],
        &[],
        SERVICE,
    ),
    (
        "gpo-studio-fdeploy/c1/{196C57C5-E474-4AF0-AEB0-2569E631F0CD}",
        &["S-1-1-0"],
        &[],
        EVERYONE,
    ),
    (
        "gpo-studio-fdeploy/c2/{8B960122-96DB-44B7-8B91-F778AAA7F0EA}",
        &["S-1-1-0"],
        &[],
        EVERYONE,
    ),
    (
        "gpo-studio-fdeploy/c3/{A1CD0C52-16BD-48DC-A584-F3DFAB8C6513}",
        &["S-1-1-0"],
        &[],
        EVERYONE,
    ),
    (
        "gpo-studio-fdeploy/c4/{645BADAF-11DB-483B-BCA6-D977DFFFB4B2}",
        &["S-1-1-0"],
        &[],
        EVERYONE,
    ),
    (
        "lgpo-vdi/1803/LGPO/VDI_OptimalSettings/{856EF5FE-D512-43FC-935B-8F41214A3D78}",
        BY_LGPO,
        &[],
        LGPO,
    ),
    ("lgpo-vdi/1903/LGPO", BY_LGPO, &[], LGPO),
    (
        "lgpo-vdi/1909_WindowsUpdateEnabled/LGPO",
        BY_LGPO,
        &[],
        LGPO,
    ),
    (
        "partial-backups/GPO-Backup-IT-Power-User-Config",
        &[],
        &[
            "S-1-5-21-1979831256-3676955655-4231189870-1109",
            "S-1-5-21-1979831256-3676955655-4231189870-500",
            "S-1-5-32-544",
        ],
        "the publisher took the files away and left Backup.xml",
    ),
];

const WDI_SERVICE_HOST: &str = "S-1-5-80-3139157870-2983391045-3678747466-658725712-1809340420";
const SERVICE: &str = "a service that the DC knows by name: GPMC lists only services that it cannot name (S-1-5-80-3169285310-… in two others)";
const EVERYONE: &str = "redirection for everybody: GPMC lists the path and not S-1-1-0";
const LGPO: &str = "written by LGPO, which keeps no inventory";
const BY_LGPO: &[&str] = &[
    "Guest",
    "S-1-1-0",
    "S-1-5-19",
    "S-1-5-20",
    "S-1-5-32-544",
    "S-1-5-32-545",
    "S-1-5-32-551",
    "S-1-5-32-555",
    "S-1-5-32-559",
    "S-1-5-6",
    "S-1-5-80-0",
    WDI_SERVICE_HOST,
    "S-1-5-90-0",
];

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn what_is_read_from_the_files_is_what_gpmc_inventories() {
    let corpus = corpus();
    let mut found = BTreeMap::new();
    for folder in backups(&corpus) {
        let snapshot = backup::read(&folder).unwrap().snapshot;
        let found_in_files = scan(&snapshot);
        let ours: BTreeSet<String> = found_in_files
            .gpmc_sids
            .iter()
            .map(ToString::to_string)
            .chain(found_in_files.gpmc_names)
            .chain(found_in_files.gpmc_unc_units)
            .collect();
        let theirs: BTreeSet<String> = snapshot
            .principals
            .iter()
            .filter(|entry| !entry.from_dacl)
            .map(|entry| {
                let name = &entry.principal.sam_account_name;
                let sid = entry
                    .principal
                    .sid
                    .clone()
                    .or_else(|| well_known::sid_of(name));
                sid.map_or_else(|| name.clone(), |sid| sid.to_string())
            })
            .chain(snapshot.file_paths.iter().cloned())
            .collect();
        if ours != theirs {
            let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
                one.difference(other).cloned().collect()
            };
            let name = folder
                .strip_prefix(&corpus)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            found.insert(name, (only(&ours, &theirs), only(&theirs, &ours)));
        }
    }
    let mut explained = 0;
    for (folder, (ours, theirs)) in &found {
        let reason = DIFFERENCES
            .iter()
            .find(|(end, ..)| folder.ends_with(end))
            .filter(|(_, o, t, _)| ours == o && theirs == t);
        let Some((.., reason)) = reason else {
            panic!("{folder}: only we find {ours:?}, only GPMC lists {theirs:?}");
        };
        println!("{folder}: {reason}");
        explained += 1;
    }
    assert_eq!(explained, DIFFERENCES.len(), "a difference is gone");
}

/// The GPO that a table is checked against, without a domain.
fn findings(
    name: &str,
    bytes: &[u8],
    snapshot: &GpoSnapshot,
    exclusive: bool,
) -> Vec<TableFinding> {
    let options = MapOptions::new().exclusive(exclusive);
    let checked = validate(name, bytes, std::slice::from_ref(snapshot), None, &options);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(checked).unwrap().findings
}

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn a_table_of_every_place_has_a_row_for_each_reference_and_no_row_too_many() {
    let corpus = corpus();
    let (mut rows, mut extras) = (0, 0);
    for folder in backups(&corpus) {
        let snapshot = backup::read(&folder).unwrap().snapshot;
        let (found, _) = items(&snapshot, &PopulateOptions::default());
        extras += found.iter().filter(|item| item.scope == Scope::All).count();
        let (table, listed) = populated(&snapshot, &PopulateOptions::default());
        rows += listed.len();
        let reduced = folder.ends_with("GPO-Backup-IT-Power-User-Config");
        for finding in findings("t", &table.to_bytes(), &snapshot, true) {
            // Files that cannot be read, and contradicting names and SIDs in them, are not faults of a table.
            let of_gpo = ["unread-file", "name-sid-mismatch"];
            let code = finding.message.code.name();
            // The publisher took the files away, so nothing in them names a row.
            let expected = of_gpo.contains(&code) || (reduced && code == "unused-row");
            assert!(expected, "{}: {finding:?}", folder.display());
        }
    }
    println!("{rows} rows, {extras} of them for what GPMC does not inventory");
    assert!(extras > 50, "{extras}");
}

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn the_templates_can_be_filled_in() {
    let corpus = corpus();
    let (mut templates, mut filled_in) = (0, 0);
    for path in tables(&corpus) {
        let template = MigTable::parse(&std::fs::read(&path).unwrap()).unwrap();
        // Their names, found by plain search.
        let text: Vec<&str> = template
            .rows()
            .iter()
            .filter_map(|row| match &row.destination {
                Destination::Set(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let names: BTreeSet<String> = text
            .iter()
            .flat_map(|text| text.split('%').skip(1).step_by(2))
            .map(str::to_lowercase)
            .collect();
        if names.is_empty() {
            continue;
        }
        templates += 1;
        let error = fill("t", &template, &Definitions::default()).unwrap_err();
        for name in &names {
            let listed = error
                .to_string()
                .to_lowercase()
                .contains(&format!("%{name}%"));
            assert!(listed, "{}: {error}", path.display());
        }
        let mut definitions = Definitions::default();
        for name in &names {
            definitions.define(name, &format!("new-{name}")).unwrap();
        }
        let filled = fill("t", &template, &definitions).unwrap();
        filled_in += filled.changed;
        assert!(filled.unused.is_empty());
        assert_eq!(filled.table.rows().len(), template.rows().len());
        let written = String::from_utf16(
            &filled
                .table
                .to_bytes()
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .collect::<Vec<u16>>(),
        )
        .unwrap();
        assert!(!written.contains('%'), "{written}");
    }
    println!("{templates} templates, {filled_in} rows filled in");
    assert_eq!(templates, 8);
}

/// The migration tables below a folder.
fn tables(corpus: &Path) -> Vec<PathBuf> {
    let mut found = corpus_gpos::files(corpus);
    found.retain(|path| path.extension().is_some_and(|end| end == "migtable"));
    assert_eq!(found.len(), 13, "tables in the corpus");
    found
}

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn an_unreadable_backup_is_reported_and_the_others_fill_the_table() {
    let corpus = corpus();
    let dir = tempfile::tempdir().unwrap();
    let good = backups(&corpus).remove(0);
    let copied = dir.path().join(good.file_name().unwrap());
    std::fs::create_dir(&copied).unwrap();
    copy_folder(&good, &copied);
    let broken = dir.path().join("{11111111-2222-3333-4444-555555555555}");
    std::fs::create_dir(&broken).unwrap();
    std::fs::write(broken.join("Backup.xml"), "<broken").unwrap();
    let gone = "{99999999-2222-3333-4444-555555555555}";
    let manifest = format!(
        "<Backups xmlns=\"http://www.microsoft.com/GroupPolicy/GPOOperations/Manifest\"><BackupInst><GPOGuid>{gone}</GPOGuid><GPODomain>src.test</GPODomain><GPODomainGuid>{gone}</GPODomainGuid><GPODomainController>dc</GPODomainController><BackupTime>2024-01-01T00:00:00</BackupTime><ID>{gone}</ID><Comment></Comment><GPODisplayName>Gone</GPODisplayName></BackupInst></Backups>"
    );
    std::fs::write(dir.path().join("manifest.xml"), manifest).unwrap();
    let table = dir.path().join("t.migtable");
    let folder = dir.path().to_str().unwrap();
    let run = |table: &Path, from: &[&str]| {
        let mut all = vec!["migtable", "populate", table.to_str().unwrap()];
        all.extend(from);
        crate::support::gpoctl(&all)
    };
    let said = run(&table, &["--all", "--backup-dir", folder, "--json"]);
    assert_eq!(said.status, 3, "{}", said.stderr);
    let told: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(told["status"], "partial");
    assert_eq!(told["gpos"].as_array().unwrap().len(), 1);
    let left: Vec<&str> = told["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["code"] == "not-read")
        .map(|message| message["text"].as_str().unwrap())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(
        left.iter().any(|text| text.contains("11111111-")),
        "{left:?}"
    );
    assert!(
        left.iter().any(|text| text.contains("99999999-")),
        "{left:?}"
    );
    MigTable::parse(&std::fs::read(&table).unwrap()).unwrap();
    // A file without content is an error and no table.
    let none = dir.path().join("none.migtable");
    let said = run(&none, &["--from-backup", broken.to_str().unwrap()]);
    assert_eq!(said.status, 1, "{}", said.stderr);
    assert!(!none.exists());
}

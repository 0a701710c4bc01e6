//! The memory that finding and mapping the references of a GPO, or making a table of them, may use: proportional to its files, however many references they contain.

use bytes::Bytes;
use gpoctl::domain::principals::{Lookup, PrincipalDirectory, PrincipalQuery};
use gpoctl::formats::migtable::MigTable;
use gpoctl::migration::map::{MapOptions, map};
use gpoctl::migration::populate::{self, PopulateOptions};
use gpoctl::migration::scan::scan;
use gpoctl::model::dn::Dn;
use gpoctl::model::gpt_tree::GptTree;
use gpoctl::model::principal::Principal;
use gpoctl::model::snapshot::{GpoSnapshot, InventoryPrincipal};

use crate::readers::{PER_BYTE, bound};
use crate::support::{pol_file, pol_string};
use crate::verbs::fixture;

const GROUPS: &str = r"Machine\Preferences\Groups\Groups.xml";
const POL: &str = r"Machine\Registry.pol";
const TMPL: &str = r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf";
const SCRIPTS: &str = r"User\Scripts\scripts.ini";
const FDEPLOY: &str = r"User\Documents & Settings\fdeploy1.ini";

/// A GPO with this file alone.
pub fn gpo(path: &str, content: Vec<u8>) -> GpoSnapshot {
    let mut tree = GptTree::new();
    tree.insert_file(&path.parse().unwrap(), Bytes::from(content));
    let mut gpo = fixture();
    gpo.tree = tree;
    gpo.directory_objects = Vec::new();
    gpo
}

/// The limit for the files of a GPO with less besides, so that these inputs show what larger ones would use.
fn strict_bound(length: usize) -> u64 {
    u64::try_from(length).unwrap() * PER_BYTE + (4 << 20)
}

/// A Registry.pol with one string.
fn pol(text: &str) -> Vec<u8> {
    pol_file([pol_string("K", "v", text)])
}

/// `count` paths of eight characters, no two of them equal.
fn different_paths(count: usize) -> String {
    let digit = |n: usize| char::from_digit(u32::try_from(n % 36).unwrap(), 36).unwrap();
    (0..count)
        .map(|n| {
            let [a, b, c, d] = [n, n / 36, n / 1296, n / 46_656].map(digit);
            format!(r"\\server-{a}{b}\share-{c}{d}\folder;")
        })
        .collect()
}

fn xml(text: &str) -> Vec<u8> {
    format!("<Groups clsid='{{1}}'><a>{text}</a></Groups>").into_bytes()
}

/// Files of every format with as many references as fit, and how many.
pub fn files() -> Vec<(&'static str, Vec<u8>, usize)> {
    let mut sections = String::from("[Folder_Redirection]\r\n{A}=");
    for rid in 0..25_000 {
        sections += &format!("S-1-5-{rid};");
    }
    sections += "\r\n";
    for rid in 0..25_000 {
        sections += &format!("[{{A}}_S-1-5-{rid}]\r\nFullPath=\\\\a\\b\r\n");
    }
    let mut commands = String::from("[Logon]\r\n");
    for number in 0..25_000 {
        commands +=
            &format!("{number}CmdLine=\\\\a\\b\r\n{number}Parameters=\\\\a\\b;\\\\a\\b\r\n");
    }
    let name = "n".repeat(900);
    vec![
        (GROUPS, xml(&r"\\a\b;".repeat(150_000)), 150_000),
        (GROUPS, xml(&different_paths(100_000)), 100_000),
        (GROUPS, xml(&different_paths(20_000)), 20_000),
        (GROUPS, xml(&r"<b c='\\a\b'/>".repeat(25_000)), 25_000),
        (
            GROUPS,
            xml(&"<Member sid='S-1-5-7' name='A\\b'/>".repeat(25_000)),
            25_000,
        ),
        // Every place names the elements above it.
        (
            GROUPS,
            xml(&format!(
                "<{name}>{}</{name}>",
                r"<b c='\\a\b'/>".repeat(25_000)
            )),
            25_000,
        ),
        (POL, pol(&"S-1-5-7;".repeat(150_000)), 150_000),
        (POL, pol(&different_paths(100_000)), 100_000),
        (
            POL,
            pol(&format!("D:{}", "(A;;;;;S-1-5-7)".repeat(50_000))),
            50_000,
        ),
        (
            TMPL,
            format!(
                "[Privilege Rights]\r\nSeDebugPrivilege={}\r\n",
                "*S-1-5-7,".repeat(75_000)
            )
            .into_bytes(),
            75_000,
        ),
        (
            TMPL,
            format!(
                "[Registry Keys]\r\n\"K\",0,\"D:{}\"\r\n",
                "(A;;;;;S-1-5-7)".repeat(50_000)
            )
            .into_bytes(),
            50_000,
        ),
        (
            TMPL,
            format!("[{name}]\r\n{}", "a=S-1-5-7\r\n".repeat(25_000)).into_bytes(),
            25_000,
        ),
        // Nothing but findings.
        (POL, pol(&r"\\a/b;".repeat(100_000)), 0),
        (SCRIPTS, commands.into_bytes(), 75_000),
        (FDEPLOY, sections.into_bytes(), 75_000),
    ]
}

/// Of this number of references in a file of this length: a file that has more than any real one is carried unchanged.
fn listed(references: usize, length: usize) -> usize {
    match references > 10_000 + length / 24 {
        true => 0,
        false => references,
    }
}

#[test]
fn a_scan_is_bounded() {
    let mut beyond = Vec::new();
    for (path, content, references) in files() {
        let length = content.len();
        let references = listed(references, length);
        let begin = content[..120].escape_ascii().to_string();
        let gpo = gpo(path, content);
        let mut found = 0;
        let peak = allocation_counter::measure(|| found = scan(&gpo).references.len()).bytes_max;
        assert_eq!(found, references, "{path}: {begin}");
        println!("{path}: {length} bytes, {found} references: {peak} bytes");
        if peak > strict_bound(length) {
            beyond.push(format!("{path}: {peak} bytes for {length}: {begin}"));
        }
    }
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
}

/// The name of a principal is in memory once, not once for each of its references.
#[test]
fn a_long_name_of_a_principal_is_kept_once() {
    let sid = "S-1-5-21-1-2-3-7";
    let mut gpo = gpo(GROUPS, xml(&format!("{sid};").repeat(20_000)));
    let name = "n".repeat(1_000);
    let principal = Principal {
        sid: sid.parse().ok(),
        ..Principal::named(&name)
    };
    gpo.principals = vec![InventoryPrincipal {
        principal,
        from_dacl: false,
    }];
    let mut found = Vec::new();
    let peak = allocation_counter::measure(|| found = scan(&gpo).references).bytes_max;
    assert_eq!(found.len(), 20_000);
    assert!(found.iter().all(|one| one.name.as_deref() == Some(&name)));
    assert!(peak <= strict_bound(20_000 * (sid.len() + 1)), "{peak}");
}

/// No principal has a name of a megabyte; it would be copied for each of its references.
#[test]
fn a_name_that_no_principal_has_costs_nothing() {
    let sid = "S-1-5-21-1-2-3-7";
    let mut gpo = gpo(GROUPS, xml(&format!("{sid};").repeat(2_000)));
    gpo.principals = vec![InventoryPrincipal {
        principal: Principal {
            sid: sid.parse().ok(),
            ..Principal::named(&"n".repeat(1 << 20))
        },
        from_dacl: false,
    }];
    let mut found = Vec::new();
    let copied = allocation_counter::measure(|| found = scan(&gpo).references).bytes_total;
    assert_eq!(found.len(), 2_000);
    assert!(found.iter().all(|one| one.name.is_none()));
    assert!(copied < 64 << 20, "{copied}");
}

/// More references than are indexed are no reason to write some of them unmapped.
#[test]
fn too_many_different_references_fail_before_anything_is_written() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mapped = |paths: usize| {
        let gpo = gpo(GROUPS, xml(&different_paths(paths)));
        let mapped = runtime.block_on(map(&gpo, None, &Nobody, &MapOptions::default()));
        mapped.map(|mapped| mapped.report.references.len())
    };
    assert_eq!(mapped(20_000).unwrap(), 20_000);
    let error = mapped(20_001).unwrap_err();
    assert_eq!(error.kind(), gpoctl::ErrorKind::BadInput);
    assert_eq!(
        error.to_string(),
        "GPO \"Desks\" has more than 20000 different references, so they are not mapped"
    );
}

/// A domain that finds nobody.
pub struct Nobody;

#[async_trait::async_trait]
impl PrincipalDirectory for Nobody {
    async fn lookup(&self, queries: &[PrincipalQuery]) -> gpoctl::Result<Vec<Lookup>> {
        Ok(vec![Lookup::NotFound; queries.len()])
    }

    async fn objects_exist(&self, dns: &[Dn]) -> gpoctl::Result<Vec<bool>> {
        Ok(vec![false; dns.len()])
    }

    fn dns_domain(&self) -> &'static str {
        "dst.test"
    }

    fn netbios_domain(&self) -> &'static str {
        "DST"
    }
}

#[test]
fn a_mapping_is_bounded() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut beyond = Vec::new();
    for (path, content, references) in files() {
        let length = content.len();
        let references = listed(references, length);
        let begin = content[..120].escape_ascii().to_string();
        let gpo = gpo(path, content);
        // Where every reference is an error, the errors are the most there is.
        let most_different = references == 20_000;
        for exclusive in [false, true]
            .into_iter()
            .take(1 + usize::from(most_different))
        {
            let mut words = String::new();
            let peak = allocation_counter::measure(|| {
                let options = MapOptions::new().exclusive(exclusive);
                words = match runtime.block_on(map(&gpo, None, &Nobody, &options)) {
                    Ok(mapped) => format!("{} mapped", mapped.report.references.len()),
                    Err(error) => error.to_string(),
                };
            })
            .bytes_max;
            println!("{path}: {length} bytes, {references} references, {words}: {peak} bytes");
            if peak > bound(length) {
                beyond.push(format!("{path}: {peak} bytes for {length}: {begin}"));
            }
        }
    }
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
}

/// The rows of a table that is made from a GPO: each reference once, with its places. A row takes 170 bytes in the file, so the
/// shortest references take more than their share; there are never more than 20,000 rows.
#[test]
fn the_rows_of_a_table_are_bounded() {
    let mut beyond = Vec::new();
    for (path, content, references) in files() {
        let length = content.len();
        let references = listed(references, length);
        let begin = content[..120].escape_ascii().to_string();
        let gpo = gpo(path, content);
        let (mut rows, mut findings) = (0, Vec::new());
        let peak = allocation_counter::measure(|| {
            let (items, messages) = populate::items(&gpo, &PopulateOptions::new());
            findings = messages;
            let mut table = MigTable::default();
            populate::merge(&mut table, items).unwrap();
            rows = u64::try_from(table.rows().len()).unwrap();
            table.to_bytes();
        })
        .bytes_max;
        println!("{path}: {length} bytes, {rows} rows: {peak} bytes");
        if references == 100_000 {
            assert_eq!(rows, 20_000);
            assert_eq!(
                findings[0].text,
                "GPO \"Desks\" has more than 20000 different references; only the first 20000 get rows"
            );
        }
        if peak > bound(length) + rows * 256 {
            beyond.push(format!("{path}: {peak} bytes for {length}: {begin}"));
        }
    }
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
}

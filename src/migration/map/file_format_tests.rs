//! What a mapping does, in terms of a snapshot and a table: independent of how it does it.

mod localized;
mod paths;
mod variables;

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::domain::principals::{Lookup, PrincipalQuery};
use crate::formats::registry_pol::{Record, RegistryPol, ValueType, utf16_bytes};
use crate::message::Code;
use crate::model::directory_object::{AttributeValues, DirectoryAttribute, DirectoryObject};
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::model::guid::Guid;
use crate::model::principal::{Principal, PrincipalType};
use crate::model::sddl::from_sddl;
use crate::model::sid::Sid;
use crate::model::snapshot::InventoryPrincipal;
use crate::model::version::GpoVersion;
use crate::model::well_known;

pub(in crate::migration) const SOURCE: &str = "S-1-5-21-1-1-1";
const TARGET: &str = "S-1-5-21-9-9-9";
const INF: &str = "Machine\\Microsoft\\Windows NT\\SecEdit\\GptTmpl.inf";

/// A target domain with three accounts.
pub(in crate::migration) struct Target;

#[async_trait]
impl PrincipalDirectory for Target {
    async fn lookup(&self, queries: &[PrincipalQuery]) -> Result<Vec<Lookup>> {
        Ok(queries.iter().map(answer).collect())
    }

    async fn objects_exist(&self, dns: &[Dn]) -> Result<Vec<bool>> {
        let staff = |dn: &Dn| dn.as_str().eq_ignore_ascii_case("OU=Staff,DC=dst,DC=test");
        Ok(dns.iter().map(staff).collect())
    }

    fn dns_domain(&self) -> &str {
        "dst.test"
    }

    fn netbios_domain(&self) -> &str {
        "DST"
    }
}

fn answer(query: &PrincipalQuery) -> Lookup {
    let accounts = [("Support", 2001), ("Helpdesk", 2002), ("Twin", 2003)];
    let found = |(name, rid): &(&str, u32)| {
        let sid = TARGET.parse::<Sid>().unwrap().with_rid(*rid);
        Lookup::Found(Principal::of_domain(
            sid,
            name,
            PrincipalType::GlobalGroup,
            "DST",
            "dst.test",
        ))
    };
    match query {
        PrincipalQuery::Sid(sid) => accounts
            .iter()
            .find(|(_, rid)| sid.rid() == Some(*rid) && sid.to_string().starts_with(TARGET))
            .map_or(Lookup::NotFound, found),
        PrincipalQuery::Name(name) => {
            if let Some(sid) = well_known::sid_of(name) {
                return Lookup::Found(Principal {
                    sid: Some(sid),
                    ..Principal::named(name)
                });
            }
            let bare = name.split('@').next().unwrap().rsplit('\\').next().unwrap();
            if bare.eq_ignore_ascii_case("Twin") {
                return Lookup::Ambiguous(vec!["DST\\Twin".to_owned(), "DST\\Twin$".to_owned()]);
            }
            accounts
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(bare))
                .map_or(Lookup::NotFound, found)
        }
    }
}

/// A snapshot whose GptTmpl.inf has these lines, and whose source knows two groups.
pub(in crate::migration) fn snapshot(lines: &str) -> GpoSnapshot {
    let mut tree = GptTree::new();
    let text = format!("[Unicode]\r\nUnicode=yes\r\n{lines}");
    tree.insert_file(&INF.parse().unwrap(), Bytes::from(text));
    let group = |name: &str, rid: u32| InventoryPrincipal {
        principal: Principal::of_domain(
            SOURCE.parse::<Sid>().unwrap().with_rid(rid),
            name,
            PrincipalType::GlobalGroup,
            "SRC",
            "src.test",
        ),
        from_dacl: false,
    };
    GpoSnapshot {
        guid: Guid::NIL,
        domain: "src.test".parse::<DomainName>().unwrap(),
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
        principals: vec![group("Helpdesk", 1001), group("Crew", 1002)],
        file_paths: Vec::new(),
        messages: Vec::new(),
    }
}

pub(in crate::migration) fn table(rows: &[(&str, &str, &str)]) -> MigrationTable {
    let mut text = "<MigrationTable xmlns=\"http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable\">\n".to_owned();
    for (kind, source, destination) in rows {
        text += &format!(
            "<Mapping><Type>{kind}</Type><Source>{source}</Source>{destination}</Mapping>\n"
        );
    }
    text += "</MigrationTable>";
    MigrationTable::parse("t", text.as_bytes()).unwrap()
}

async fn run(
    lines: &str,
    rows: &[(&str, &str, &str)],
    options: MapOptions,
) -> Result<(String, MappingReport)> {
    let mapped = map(&snapshot(lines), Some(&table(rows)), &Target, &options).await?;
    let bytes = mapped.snapshot.tree.file(INF).unwrap().to_vec();
    let text = String::from_utf8(bytes).unwrap();
    let lines = text
        .strip_prefix("[Unicode]\r\nUnicode=yes\r\n")
        .unwrap()
        .to_owned();
    Ok((lines, mapped.report))
}

fn codes(report: &MappingReport) -> Vec<Code> {
    report
        .messages
        .iter()
        .map(|message| {
            assert!(!message.repeats_place(), "{message:?}");
            message.code
        })
        .collect()
}

const RIGHT: &str =
    "[Privilege Rights]\r\nSeBatchLogonRight = *S-1-5-21-1-1-1-1001,*S-1-5-32-544\r\n";

#[tokio::test]
async fn every_notation_of_a_source_matches_the_principal() {
    let expected = RIGHT.replace("21-1-1-1-1001", "21-9-9-9-2001");
    for (kind, source) in [
        ("GlobalGroup", "Helpdesk@src.test"),
        ("GlobalGroup", "helpdesk@SRC.TEST"),
        ("GlobalGroup", "SRC\\Helpdesk"),
        ("GlobalGroup", "src.test\\Helpdesk"),
        ("Unknown", "S-1-5-21-1-1-1-1001"),
        ("Unknown", "Helpdesk"),
    ] {
        for destination in [
            "Support@dst.test",
            "DST\\Support",
            "dst.test\\Support",
            "Support",
            "S-1-5-21-9-9-9-2001",
        ] {
            let destination = format!("<Destination>{destination}</Destination>");
            let (text, report) = run(
                RIGHT,
                &[(kind, source, &destination)],
                MapOptions::default(),
            )
            .await
            .unwrap();
            assert_eq!(text, expected, "{source} {destination}");
            assert_eq!(codes(&report), [], "{source} {destination}");
            assert_eq!(report.counts.replaced, 1);
        }
    }
}

#[tokio::test]
async fn the_other_destinations() {
    let row = |destination| [("GlobalGroup", "Helpdesk@src.test", destination)];
    let relative = row("<DestinationByRelativeName/>");
    let (text, _) = run(RIGHT, &relative, MapOptions::default()).await.unwrap();
    assert_eq!(text, RIGHT.replace("21-1-1-1-1001", "21-9-9-9-2002"));
    let none = row("<DestinationNone/>");
    let (text, report) = run(RIGHT, &none, MapOptions::default()).await.unwrap();
    assert_eq!(text, RIGHT.replace("*S-1-5-21-1-1-1-1001,", ""));
    assert_eq!(report.counts.removed, 1);
    let same = row("<DestinationSameAsSource/>");
    let (text, report) = run(RIGHT, &same, MapOptions::default()).await.unwrap();
    assert_eq!(text, RIGHT);
    assert_eq!(codes(&report), [Code::SourceSidLeft]);
    let text = &report.messages[0].text;
    assert!(text.contains("log on"), "{text}");
}

#[tokio::test]
async fn references_without_row_are_kept_or_fail_an_exclusive_mapping() {
    let lines = "[Privilege Rights]\r\nSeBackupPrivilege = *S-1-5-21-1-1-1-1002,*S-1-5-11\r\n[Service General Setting]\r\n\"X\",2,\"D:(A;;RP;;;S-1-5-21-1-1-1-1002)(A;;RP;;;DA)\"\r\n";
    let rows = [(
        "GlobalGroup",
        "Helpdesk@src.test",
        "<Destination>Support</Destination>",
    )];
    let (text, report) = run(lines, &rows, MapOptions::default()).await.unwrap();
    assert_eq!(text, lines);
    assert_eq!(
        codes(&report),
        [Code::SourceSidLeft, Code::SourceSidLeft, Code::UnusedRow]
    );
    let exclusive = MapOptions {
        exclusive: true,
        ..MapOptions::default()
    };
    let error = run(lines, &rows, exclusive).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unmapped);
    let places: Vec<String> = error
        .details()
        .iter()
        .map(|detail| detail.place.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(
        places,
        [
            format!("{INF}:4 [Privilege Rights] SeBackupPrivilege"),
            format!("{INF}:6 [Service General Setting] X")
        ]
    );
    // A "same as source" row is enough.
    let same = [("GlobalGroup", "Crew@src.test", "<DestinationSameAsSource/>")];
    assert!(run(lines, &same, exclusive).await.is_ok());
}

#[tokio::test]
async fn every_destination_that_cannot_be_used_is_named_with_its_row() {
    let lines = "[Privilege Rights]\r\nSeA = *S-1-5-21-1-1-1-1001,*S-1-5-21-1-1-1-1002\r\n";
    let rows = [
        (
            "GlobalGroup",
            "Helpdesk@src.test",
            "<Destination>Nobody@dst.test</Destination>",
        ),
        (
            "GlobalGroup",
            "Crew@src.test",
            "<Destination>Twin</Destination>",
        ),
    ];
    let error = run(lines, &rows, MapOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unmapped);
    let found: Vec<(u64, &str)> = error
        .details()
        .iter()
        .map(|detail| {
            (
                detail.place.as_ref().unwrap().line.unwrap(),
                detail.text.as_str(),
            )
        })
        .collect();
    assert_eq!(found.len(), 2);
    assert!(found[0].0 == 2 && found[0].1.contains("does not exist in dst.test"));
    assert!(found[1].0 == 3 && found[1].1.contains("matches several"));
}

#[tokio::test]
async fn two_rows_for_one_principal_and_a_wrong_type_are_found() {
    let rows = [
        (
            "GlobalGroup",
            "Helpdesk@src.test",
            "<Destination>Support</Destination>",
        ),
        (
            "GlobalGroup",
            "SRC\\Helpdesk",
            "<Destination>Helpdesk</Destination>",
        ),
    ];
    let error = run(RIGHT, &rows, MapOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
    let text = &error.details()[0].text;
    assert!(
        text.contains("Helpdesk@src.test") && text.contains('3'),
        "{text}"
    );
    let rows = [(
        "User",
        "Helpdesk@src.test",
        "<Destination>Support</Destination>",
    )];
    let (_, report) = run(RIGHT, &rows, MapOptions::default()).await.unwrap();
    assert!(codes(&report).contains(&Code::TypeMismatch));
}

#[tokio::test]
async fn free_text_becomes_a_sid_or_other_text() {
    let lines = "[Privilege Rights]\r\nSeA = ADD YOUR ADMINS\r\n";
    let row = |to| [("Unknown", "ADD YOUR ADMINS", to)];
    let (text, _) = run(
        lines,
        &row("<Destination>Support</Destination>"),
        MapOptions::default(),
    )
    .await
    .unwrap();
    assert_eq!(text, "[Privilege Rights]\r\nSeA = *S-1-5-21-9-9-9-2001\r\n");
    let local = row("<Destination>Local Folk</Destination>");
    let (text, report) = run(lines, &local, MapOptions::default()).await.unwrap();
    assert_eq!(text, "[Privilege Rights]\r\nSeA = Local Folk\r\n");
    assert_eq!(codes(&report), [Code::DestinationText]);
}

#[tokio::test]
async fn ten_thousand_rows_and_references_are_mapped() {
    use std::fmt::Write as _;

    let mut lines = "[Privilege Rights]\r\n".to_owned();
    let mut rows = Vec::new();
    for number in 0..10_000 {
        write!(
            lines,
            "SeX{number} = *S-1-5-21-1-1-1-{}\r\n",
            5_000 + number
        )
        .unwrap();
        rows.push(format!("S-1-5-21-1-1-1-{}", 5_000 + number));
    }
    let rows: Vec<(&str, &str, &str)> = rows
        .iter()
        .map(|source| {
            (
                "Unknown",
                source.as_str(),
                "<Destination>Support</Destination>",
            )
        })
        .collect();
    let (text, report) = run(&lines, &rows, MapOptions::default()).await.unwrap();
    assert_eq!(report.counts.replaced, 10_000);
    assert!(!text.contains("S-1-5-21-1-1-1"));
}

#[tokio::test]
async fn an_unparsable_file_is_reported_and_fails_an_exclusive_mapping() {
    let mut broken = snapshot(RIGHT);
    let pol = "Machine\\Registry.pol".parse().unwrap();
    broken.tree.insert_file(&pol, Bytes::from_static(b"PReg"));
    let rows = [(
        "GlobalGroup",
        "Helpdesk@src.test",
        "<Destination>Support</Destination>",
    )];
    let table = table(&rows);
    let run = |exclusive| {
        let options = MapOptions {
            exclusive,
            ..MapOptions::default()
        };
        let (broken, table) = (broken.clone(), table.clone());
        async move { map(&broken, Some(&table), &Target, &options).await }
    };
    let mapped = run(false).await.unwrap();
    assert_eq!(codes(&mapped.report), [Code::UnreadFile]);
    assert_eq!(
        mapped.snapshot.tree.file("machine/registry.pol"),
        broken.tree.file("machine/registry.pol")
    );
    let error = run(true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unmapped);
    assert_eq!(
        error.message(),
        "a file cannot be read, so its references are not known"
    );
    assert_eq!(error.details()[0].code, Code::UnreadFile);
}

/// A ZAP package, whose permissions name a group of the source.
fn zap(rid: u32) -> DirectoryObject {
    let descriptor = from_sddl(&format!("D:(A;;GA;;;{SOURCE}-512)"), None).unwrap();
    let command = format!(r"\\old\sw\setup.exe /for:{SOURCE}-{rid}");
    DirectoryObject {
        rdns: vec!["CN=a".to_owned()],
        object_class: "packageRegistration".to_owned(),
        security_descriptor: Some(descriptor.to_bytes().unwrap()),
        attributes: vec![DirectoryAttribute {
            name: "setupCommand".to_owned(),
            values: AttributeValues::String(Some(command)),
        }],
    }
}

#[tokio::test]
async fn the_command_of_a_package_is_mapped_and_its_permissions_need_no_row() {
    let mut source = snapshot("");
    source.directory_objects = vec![zap(1001)];
    let exclusive = MapOptions {
        exclusive: true,
        ..MapOptions::default()
    };
    let error = map(&source, Some(&table(&[])), &Target, &exclusive).await;
    let places: Vec<String> = error
        .unwrap_err()
        .details()
        .iter()
        .map(|detail| format!("{} {}", detail.code, detail.place.as_ref().unwrap()))
        .collect();
    assert_eq!(places, ["unmapped-reference CN=a:1 setupCommand"; 2]);
    let (none, sources) = (table(&[]), [source.clone()]);
    let found = review::review(&none, &sources, None, &exclusive).await;
    let found = found.unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|m| m.code == Code::UnmappedReference));
    let rows = [
        (
            "GlobalGroup",
            "Helpdesk@src.test",
            "<Destination>Support</Destination>",
        ),
        (
            "UNCPath",
            r"\\old\sw\setup.exe",
            r"<Destination>\\new\sw\setup.exe</Destination>",
        ),
    ];
    let mapped = map(&source, Some(&table(&rows)), &Target, &exclusive).await;
    let mapped = mapped.unwrap();
    assert_eq!(codes(&mapped.report), []);
    let object = &mapped.snapshot.directory_objects[0];
    let expected = format!(r"\\new\sw\setup.exe /for:{TARGET}-2001");
    assert_eq!(
        object.attributes[0].values,
        AttributeValues::String(Some(expected))
    );
    assert_eq!(object.security_descriptor, zap(1001).security_descriptor);
    // Both are among the references of the GPO.
    let all = crate::migration::scan::scan(&source).references;
    let seen: Vec<_> = all
        .iter()
        .map(|one| (one.place.key.as_deref().unwrap(), one.from_dacl))
        .collect();
    let command = ("setupCommand", false);
    assert_eq!(seen, [command, command, ("nTSecurityDescriptor", true)]);
    assert_eq!(all[1].name.as_deref(), Some("SRC\\Helpdesk"));
}

#[tokio::test]
async fn computers_and_domains_are_not_groups_of_the_same_name() {
    let path = "Machine\\Preferences\\Groups\\Groups.xml";
    let text = "<Groups clsid=\"{3125E937-EB16-4b4c-9934-544FC6D24D26}\"><Group clsid=\"{6D4A79E4-529C-4481-ABD0-F5BD7EA93BA7}\" name=\"g\">\
        <Filters><FilterComputer bool=\"AND\" not=\"0\" type=\"NETBIOS\" name=\"HELPDESK\"/>\
        <FilterDomain bool=\"AND\" not=\"0\" name=\"Helpdesk\" userContext=\"0\"/></Filters></Group></Groups>";
    let mut source = snapshot("");
    let bytes = Bytes::from(text);
    source
        .tree
        .insert_file(&path.parse().unwrap(), bytes.clone());
    let to = "<Destination>DST\\Support</Destination>";
    let rows = table(&[("GlobalGroup", "SRC\\Helpdesk", to)]);
    let mapped = map(&source, Some(&rows), &Target, &MapOptions::default())
        .await
        .unwrap();
    assert_eq!(mapped.snapshot.tree.file(path), Some(&bytes));
    // The computer's own account is meant, also beside a group of its name.
    let mut computer = source.principals[0].clone();
    computer.principal.sam_account_name = "HELPDESK$".to_owned();
    computer.principal.kind = PrincipalType::Computer;
    let sid = SOURCE.parse::<Sid>().unwrap().with_rid(1003);
    computer.principal.sid = Some(sid);
    source.principals.push(computer);
    let rows = table(&[
        (
            "GlobalGroup",
            "SRC\\Helpdesk",
            "<Destination>DST\\Twin</Destination>",
        ),
        ("Computer", "SRC\\HELPDESK$", to),
    ]);
    let mapped = map(&source, Some(&rows), &Target, &MapOptions::default()).await;
    let details = mapped.unwrap_err().details().to_vec();
    assert_eq!(details.len(), 1, "only Twin is in the way: {details:?}");
    let rows = table(&[("Computer", "SRC\\HELPDESK$", to)]);
    let mapped = map(&source, Some(&rows), &Target, &MapOptions::default())
        .await
        .unwrap();
    let new = text.replace("name=\"HELPDESK\"", "name=\"Support\"");
    assert_eq!(mapped.snapshot.tree.file(path), Some(&Bytes::from(new)));
}

#[tokio::test]
async fn possible_references_in_data_fail_an_exclusive_mapping_of_all_places() {
    let record = Record {
        key: utf16_bytes("Software\\Vendor"),
        value_name: utf16_bytes("Blob"),
        value_type: ValueType::BINARY,
        data: utf16_bytes(&format!("{SOURCE}-1001\0")),
    };
    let mut source = snapshot("");
    let pol = RegistryPol {
        records: vec![record],
    };
    let path = "Machine\\Registry.pol".parse().unwrap();
    source.tree.insert_file(&path, pol.to_bytes());
    let table = table(&[]);
    let mut options = MapOptions {
        exclusive: true,
        ..MapOptions::default()
    };
    let error = map(&source, Some(&table), &Target, &options)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unmapped);
    assert!(error.remedy() == Some(&crate::error::Remedy::ChangeSourceOrNotExclusive));
    assert_eq!(error.details()[0].code, Code::UnreadText);
    // GPMC ignores this place; without --exclusive it is reported.
    options.scope = Scope::Gpmc;
    let mapped = map(&source, Some(&table), &Target, &options).await.unwrap();
    assert_eq!(codes(&mapped.report), [Code::UnreadText]);
    options = MapOptions::default();
    let mapped = map(&source, Some(&table), &Target, &options).await.unwrap();
    assert_eq!(codes(&mapped.report), [Code::UnreadText]);
}

#[tokio::test]
async fn a_mapping_fails_on_references_in_an_unparsable_file() {
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let record = Record {
        key: utf16_bytes("Software\\Policies"),
        value_name: utf16_bytes("Group"),
        value_type: ValueType::SZ,
        data: utf16_bytes(&format!("{SOURCE}-1001\0")),
    };
    let whole = RegistryPol {
        records: vec![record],
    };
    let whole = whole.to_bytes();
    let truncated = whole.slice(..whole.len() - 1).to_vec();
    let table = table(&[("UNCPath", r"\\old\share", "<DestinationSameAsSource/>")]);
    let path = "Machine\\Registry.pol";
    for (bytes, fails) in [
        (truncated, true),
        (b"PReg s-1-5-21-1-1-1-1001".to_vec(), true),
        (wide("PReg S-1-5-21-1-1-1-1001"), true),
        (br"PReg \\old\share".to_vec(), true),
        (wide(r"PReg \\old\share"), true),
        (br"PReg C:\old S-1-5-32-544".to_vec(), false),
    ] {
        let mut source = snapshot("");
        let bytes = Bytes::from(bytes);
        source
            .tree
            .insert_file(&path.parse().unwrap(), bytes.clone());
        let options = MapOptions::default();
        let with = map(&source, Some(&table), &Target, &options).await;
        match with {
            Err(error) => {
                assert!(fails, "{error}");
                assert_eq!(error.kind(), ErrorKind::BadInput);
                assert!(error.message().contains(path), "{error}");
                let [detail] = error.details() else {
                    panic!("{error}");
                };
                assert_eq!(
                    (detail.code, detail.severity),
                    (Code::UnreadFile, Severity::Error)
                );
                assert!(error.hint().unwrap().starts_with("repair the file"));
            }
            // It contains nothing like a reference, so it is copied and reported.
            Ok(mapped) => {
                assert!(!fails, "{bytes:?}");
                assert_eq!(mapped.snapshot.tree.file(path), Some(&bytes));
                assert_eq!(codes(&mapped.report), [Code::UnreadFile, Code::UnusedRow]);
            }
        }
        let without = map(&source, None, &Target, &options).await.unwrap();
        assert_eq!(without.snapshot.tree.file(path), Some(&bytes));
        assert_eq!(codes(&without.report), [Code::UnreadFile]);
    }
}

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::domain::principals::{Lookup, PrincipalQuery};
use crate::formats::migtable::MigTable;
use crate::message::Code;
use crate::migration::references::{Occurrence, ReferenceTarget, Rewrite, Visited, Visitor};
use crate::migration::table::{Destination, EntryType};
use crate::model::dn::Dn;
use crate::model::gpt_tree::GptTree;
use crate::model::principal::{Principal, PrincipalType};
use crate::model::reference::ReferenceKind;
use crate::model::safe_name::RelPath;
use crate::model::snapshot::InventoryPrincipal;
use crate::model::version::GpoVersion;

mod principals;
mod whole;

/// A format of the tests: a reference on each line, as `[all] [key=K] sid S`, `name N`, `both S N`, `unc TEXT|UNIT`.
fn toy(path: &RelPath, content: &Bytes, visitor: &mut Visitor<'_>) -> Result<Visited, String> {
    let text = std::str::from_utf8(content).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut visited = Visited::default();
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut place = Place::file(path.to_string()).line(number + 1);
        let (scope, rest) = match line.strip_prefix("all ") {
            Some(rest) => (Scope::All, rest),
            None => (Scope::Gpmc, line),
        };
        let rest = match rest.strip_prefix("key=") {
            Some(rest) => {
                let (key, rest) = rest.split_once(' ').unwrap();
                place = place.section("Privilege Rights").key(key);
                rest
            }
            None => rest,
        };
        let (word, value) = rest.split_once(' ').unwrap();
        let target = match word {
            "sid" => ReferenceTarget::Sid {
                sid: value.parse().unwrap(),
                text: value.to_owned(),
            },
            "name" => ReferenceTarget::Name(value.to_owned()),
            "both" => {
                let (sid, name) = value.split_once(' ').unwrap();
                ReferenceTarget::SidAndName {
                    sid: sid.parse().unwrap(),
                    name: name.to_owned(),
                }
            }
            _ => {
                let (text, unit) = value.split_once('|').unwrap_or((value, value));
                ReferenceTarget::Unc {
                    text: text.to_owned(),
                    unit: unit.to_owned(),
                }
            }
        };
        let both = matches!(target, ReferenceTarget::SidAndName { .. });
        match visitor(&Occurrence {
            target,
            place: place.clone(),
            scope,
        }) {
            Rewrite::Keep => lines.push(line.to_owned()),
            Rewrite::Principal {
                sid: Some(sid),
                name,
            } if both => lines.push(format!("both {sid} {name}")),
            Rewrite::Principal { sid: Some(sid), .. } => lines.push(format!("sid {sid}")),
            Rewrite::Principal { sid: None, name } => lines.push(format!("name {name}")),
            Rewrite::Unc(text) if text.contains("refuse") => visited
                .messages
                .push(StatusMessage::error(Code::BadPath, "cannot hold this path").at(place)),
            Rewrite::Unc(text) => lines.push(format!("unc {text}")),
            Rewrite::Remove => visited
                .messages
                .push(StatusMessage::warning(Code::SettingRemoved, "a line less").at(place)),
        }
    }
    let new = lines.join("\n");
    visited.bytes = (new != text).then(|| Bytes::from(new));
    Ok(visited)
}

/// A domain in memory, which notes what it was asked.
#[derive(Default)]
struct Domain {
    principals: Vec<Principal>,
    ambiguous: Vec<&'static str>,
    asked: Mutex<Vec<Vec<PrincipalQuery>>>,
    same: bool,
    /// Whether it returns one result less than it was asked for.
    forgets: bool,
}

#[async_trait]
impl PrincipalDirectory for Domain {
    async fn lookup(&self, queries: &[PrincipalQuery]) -> Result<Vec<Lookup>> {
        self.asked.lock().unwrap().push(queries.to_vec());
        let names: HashMap<String, &Principal> = self
            .principals
            .iter()
            .flat_map(|p| {
                let sam = &p.sam_account_name;
                [
                    sam.clone(),
                    format!("{}\\{sam}", p.netbios_domain),
                    format!("{}\\{sam}", p.dns_domain),
                    p.upn.clone(),
                ]
                .map(|name| (name.to_lowercase(), p))
            })
            .collect();
        let sids: HashMap<&Sid, &Principal> = self
            .principals
            .iter()
            .filter_map(|p| Some((p.sid.as_ref()?, p)))
            .collect();
        let answer = |query: &PrincipalQuery| match query {
            PrincipalQuery::Name(name) if self.ambiguous.contains(&name.as_str()) => {
                Lookup::Ambiguous(vec!["DST\\one".to_owned(), "DST\\two".to_owned()])
            }
            PrincipalQuery::Name(name) if name.starts_with("OTHER\\") => {
                Lookup::OtherDomain("OTHER".to_owned())
            }
            PrincipalQuery::Name(name) => names
                .get(&name.to_lowercase())
                .map_or(Lookup::NotFound, |p| Lookup::Found((*p).clone())),
            PrincipalQuery::Sid(sid) if sid.to_string().starts_with(ROOT) => {
                Lookup::OtherDomain(ROOT.to_owned())
            }
            PrincipalQuery::Sid(sid) => sids
                .get(sid)
                .map_or(Lookup::NotFound, |p| Lookup::Found((*p).clone())),
        };
        Ok(queries.iter().map(answer).collect())
    }

    async fn objects_exist(&self, dns: &[Dn]) -> Result<Vec<bool>> {
        let staff = |dn: &Dn| dn.as_str().eq_ignore_ascii_case("OU=Staff,DC=dst,DC=test");
        Ok(dns
            .iter()
            .skip(usize::from(self.forgets))
            .map(staff)
            .collect())
    }

    fn dns_domain(&self) -> &str {
        if self.same { "SRC.test" } else { "dst.test" }
    }

    fn netbios_domain(&self) -> &str {
        if self.same { "SRC" } else { "DST" }
    }
}

const SRC: &str = "S-1-5-21-1-1-1";
const DST: &str = "S-1-5-21-2-2-2";
/// A domain that the target does not know.
const ROOT: &str = "S-1-5-21-7-7-7";
const GROUP: PrincipalType = PrincipalType::GlobalGroup;

fn principal(domain: &str, rid: u32, name: &str, kind: PrincipalType) -> Principal {
    let (netbios, dns) = if domain == SRC {
        ("SRC", "src.test")
    } else {
        ("DST", "dst.test")
    };
    let sid: Sid = domain.parse().unwrap();
    Principal::of_domain(sid.with_rid(rid), name, kind, netbios, dns)
}

fn target() -> Domain {
    Domain {
        principals: vec![
            principal(DST, 2001, "Support", GROUP),
            principal(DST, 2002, "Helpdesk", GROUP),
            principal(DST, 2003, "PC9$", PrincipalType::Computer),
            principal(DST, 2004, "bob", PrincipalType::User),
        ],
        ambiguous: vec!["twice"],
        ..Domain::default()
    }
}

/// A snapshot of src.test with one file; Helpdesk is 1001, PC1$ 1002, alice 1003, Admins 1004 (DACL only).
fn snapshot(content: &str) -> GpoSnapshot {
    let mut tree = GptTree::new();
    tree.insert_file(
        &"Machine\\toy".parse().unwrap(),
        Bytes::from(content.to_owned()),
    );
    let entry = |principal, from_dacl| InventoryPrincipal {
        principal,
        from_dacl,
    };
    GpoSnapshot {
        guid: "{31B2F340-016D-11D2-945F-00C04FB984F9}".parse().unwrap(),
        domain: "src.test".parse().unwrap(),
        domain_guid: None,
        domain_controller: "dc.src.test".to_owned(),
        display_name: "toy".to_owned(),
        flags: 0,
        directory_version: GpoVersion::default(),
        sysvol_version: None,
        machine_extensions: Default::default(),
        user_extensions: Default::default(),
        wmi_filter: None,
        security_descriptor: Vec::new(),
        tree,
        directory_objects: Vec::new(),
        principals: vec![
            entry(principal(SRC, 1001, "Helpdesk", GROUP), false),
            entry(principal(SRC, 1002, "PC1$", PrincipalType::Computer), false),
            entry(principal(SRC, 1003, "alice", PrincipalType::User), false),
            entry(Principal::named("Administrators"), false),
            entry(principal(SRC, 1004, "Admins", GROUP), true),
        ],
        file_paths: vec![r"\\fs\apps".to_owned()],
        messages: Vec::new(),
    }
}

fn set(text: &str) -> Destination {
    Destination::Set(text.to_owned())
}

/// A table of (type, source, destination); the first row is in line 3, each takes five lines.
fn table(rows: &[(&str, &str, Destination)]) -> MigrationTable {
    let mut table = MigTable::new();
    for (kind, source, destination) in rows {
        let kind = EntryType::from_literal(kind).unwrap();
        table.set(source, kind, destination.clone()).unwrap();
    }
    MigrationTable::new("t", &table)
}

async fn run(content: &str, table: Option<&MigrationTable>, options: MapOptions) -> Result<Mapped> {
    map_with(&snapshot(content), table, &target(), &options, &toy).await
}

/// The new content of the file.
async fn mapped(content: &str, rows: &[(&str, &str, Destination)]) -> String {
    text(
        &run(content, Some(&table(rows)), MapOptions::default())
            .await
            .unwrap(),
    )
}

fn text(mapped: &Mapped) -> String {
    String::from_utf8(mapped.snapshot.tree.file("machine/toy").unwrap().to_vec()).unwrap()
}

/// `severity code place: text` of each.
fn lines(messages: &[StatusMessage]) -> Vec<String> {
    messages
        .iter()
        .map(|m| {
            assert!(!m.repeats_place(), "{m:?}");
            let place = m.place.as_ref().map(Place::to_string).unwrap_or_default();
            format!("{:?} {} {place}: {}", m.severity, m.code, m.text)
        })
        .collect()
}

const HELPDESK: &str = "sid S-1-5-21-1-1-1-1001";
const SUPPORT: &str = "sid S-1-5-21-2-2-2-2001";

//! What must be true for every parser and any bytes: it does not panic; it writes what it accepts byte for byte; it reads what
//! it writes as the same value; and an edit changes nothing else. One function per parser; the property tests and the fuzz
//! targets both call these.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken invariant is a finding, and stops the run"
)]

mod descriptors;
mod ini_files;
mod xml;

use std::ops::Range;

use bytes::Bytes;
use gpoctl::execute::journal::{Before, events};
use gpoctl::formats::aas::{AasError, AdvertiseScript};
use gpoctl::formats::adml::Adml;
use gpoctl::formats::admx::Admx;
use gpoctl::formats::audit_csv::{self, AuditCsv};
use gpoctl::formats::comment_cmtx::Comments;
use gpoctl::formats::fdeploy::{Fdeploy, Redirection};
use gpoctl::formats::gpe_ini::GpeIni;
use gpoctl::formats::gpo_cmt::GpoComment;
use gpoctl::formats::gpt_ini::GptIniError;
use gpoctl::formats::gpt_tmpl::{GptTmpl, Setting};
use gpoctl::formats::ini::{IniFile, LineKind};
use gpoctl::formats::migtable::{Destination, EntryType, MigTable};
use gpoctl::formats::preferences::Preferences;
use gpoctl::formats::preferences::passwords::passwords;
use gpoctl::formats::registry_pol::{Record, RegistryPol, ValueType, utf16_bytes};
use gpoctl::formats::scripts::Scripts;
use gpoctl::formats::text::TextError;
use gpoctl::formats::verbatim::{ToGpmcBytes, Verbatim};
use gpoctl::formats::xml_tree::document::XmlDocument;
use gpoctl::formats::{
    backup_xml, bkup_info, firewall_rule, gpt_ini, manifest, sddl_text, text, wmi_mof, xml_tree,
};
use gpoctl::migration::references::{
    Occurrence, ReferenceTarget, Rewrite, check_format, visit_file,
};
use gpoctl::model::dn::Dn;
use gpoctl::model::extension_list::ExtensionList;
use gpoctl::model::gp_link::{format_gp_link, parse_gp_link};
use gpoctl::model::principal::PrincipalType;
use gpoctl::model::safe_name::RelPath;
use gpoctl::model::sddl::{from_sddl, to_sddl};
use gpoctl::model::security_descriptor::{
    Ace, AceBody, Acl, DaclState, SecurityDescriptor, dacl_only, grants_same_access,
};
use gpoctl::model::sid::Sid;
use gpoctl::model::unc_path::UncPath;
use gpoctl::model::version::GpoVersion;
use gpoctl::model::wmi_filter::{format_queries, parse_queries};
use gpoctl::plan::Plan;

pub use descriptors::{sddl, security_descriptor};
pub use ini_files::{fdeploy, gpt_ini, gpt_tmpl, ini, scripts};
use xml::forbidden_in_xml;
pub use xml::{xml_document, xml_tree};

/// A parser's name and its invariants. The name is also that of the fuzz target and of the folder of its seeds.
pub type Target = (&'static str, fn(&[u8]));

/// Every parser.
pub const TARGETS: &[Target] = &[
    ("aas", aas),
    ("adml", adml),
    ("admx", admx),
    ("audit_csv", audit_csv),
    ("backup_xml", backup_xml),
    ("bkup_info", bkup_info),
    ("comment_cmtx", comment_cmtx),
    ("fdeploy", fdeploy),
    ("firewall_rule", firewall_rule),
    ("gpe_ini", gpe_ini),
    ("gpo_cmt", gpo_cmt),
    ("gpt_ini", gpt_ini),
    ("gpt_tmpl", gpt_tmpl),
    ("ini", ini),
    ("journal", journal),
    ("manifest", manifest),
    ("migtable", migtable),
    ("names", names),
    ("plan", plan),
    ("preferences", preferences),
    ("registry_pol", registry_pol),
    ("scripts", scripts),
    ("sddl", sddl),
    ("security_descriptor", security_descriptor),
    ("side_file", side_file),
    ("wmi_filter", wmi_filter),
    ("xml_document", xml_document),
    ("xml_tree", xml_tree),
];

/// A number that depends on the input, to choose what is edited.
fn choose(data: &[u8], among: usize) -> usize {
    let sum = data.iter().fold(7_usize, |sum, &byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(byte))
    });
    sum.checked_rem(among).unwrap_or(0)
}

/// The lines of an INI file without their numbers.
fn lines(ini: &IniFile) -> Vec<String> {
    ini.lines().map(|line| line.text.to_owned()).collect()
}

/// A span is inside the text and ends at character boundaries.
fn assert_span(text: &str, span: &Range<usize>) {
    assert!(text.get(span.clone()).is_some(), "{span:?} in {text:?}");
}

pub fn registry_pol(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let Ok(pol) = RegistryPol::parse(&bytes) else {
        return refused(r"Machine\Registry.pol", data);
    };
    assert_eq!(pol.to_bytes(), bytes);
    for record in &pol.records {
        let _ = (record.key_text(), record.value_name_text());
        let _ = (record.string(), record.strings());
        let _ = (record.dword(), record.qword());
    }
    let chosen = choose(data, pol.records.len());
    if pol.records.get(chosen).is_some() {
        let mut edited = pol.clone();
        edited.records.get_mut(chosen).unwrap().data = Bytes::from_static(b"]\0[\0;\0edited");
        assert_eq!(RegistryPol::parse(&edited.to_bytes()).unwrap(), edited);
        edited.records.remove(chosen);
        assert_eq!(RegistryPol::parse(&edited.to_bytes()).unwrap(), edited);
    }
    visits(r"Machine\Registry.pol", data);
}

pub fn aas(data: &[u8]) {
    let path = r"Machine\Applications\{00000000-0000-0000-0000-000000000000}.aas";
    let bytes = Bytes::copy_from_slice(data);
    let Ok(script) = AdvertiseScript::parse(&bytes) else {
        return refused(path, data);
    };
    assert_eq!(script.to_bytes(), bytes);
    let arguments: Vec<_> = script.arguments().collect();
    let texts: Vec<Option<String>> = arguments.iter().map(|a| script.text(a)).collect();
    for argument in &arguments {
        let _ = (argument.record_name(), argument.source_path());
    }
    // An edit of one text leaves all others unchanged, also one that is longer than a short argument can be.
    let chosen = choose(data, arguments.len());
    if let Some((argument, Some(_))) = arguments.get(chosen).zip(texts.get(chosen)) {
        let long = "long".repeat(5000);
        let news = ["", "edited", "\u{20ac}\u{1f600}", long.as_str()];
        let new = news.get(choose(data, news.len())).copied().unwrap();
        match script.with_texts(&[(argument.clone(), new.to_owned())]) {
            Ok(edited) => {
                let again = AdvertiseScript::parse(&edited.to_bytes()).unwrap();
                let after: Vec<_> = again.arguments().map(|a| again.text(&a)).collect();
                let mut expected = texts.clone();
                *expected.get_mut(chosen).unwrap() = Some(new.to_owned());
                assert_eq!(after, expected);
            }
            // Only a padded script can be mistaken for one that is not padded; each has a byte of padding.
            Err(error) => {
                assert_eq!(error, AasError::ReadOtherwise);
                assert!(arguments.iter().any(|a| script.data(a).len() % 2 == 1));
            }
        }
    }
    visits(path, data);
}

pub fn audit_csv(data: &[u8]) {
    let path = r"Machine\Microsoft\Windows NT\Audit\audit.csv";
    let Ok(file) = AuditCsv::parse(data) else {
        return refused(path, data);
    };
    assert_same(&file.to_bytes().unwrap(), data);
    for (line, fields) in file.settings() {
        let mut end = None;
        for field in fields {
            assert_span(line.text, &field.span);
            assert!(end.is_none_or(|end| field.span.start == end + 1));
            end = Some(field.span.end);
            // A value that is written is read again.
            let written = audit_csv::field_text(&field.value, false);
            let again = format!("a\n{written}");
            let read = AuditCsv::parse(again.as_bytes()).unwrap();
            let values: Vec<String> = read
                .settings()
                .flat_map(|(_, f)| f)
                .map(|f| f.value)
                .collect();
            let expected: &[String] = if written.is_empty() {
                &[]
            } else {
                &[field.value]
            };
            assert_eq!(values, expected);
        }
        assert_eq!(end, Some(line.text.len()));
    }
    visits(path, data);
}

/// Whatever is left out of a template is named with a line of it.
pub fn admx(data: &[u8]) {
    if let Ok(template) = Admx::parse(data) {
        assert_same(&template.to_bytes(), data);
        let last = data.len() + 1;
        for ignored in &template.ignored {
            assert!((1..=last).contains(&ignored.line) && !ignored.reason.is_empty());
        }
        for policy in &template.policies {
            assert!(!policy.name.is_empty() && !policy.key.is_empty());
            assert!((1..=last).contains(&policy.line));
        }
    }
}

pub fn adml(data: &[u8]) {
    if let Ok(texts) = Adml::parse(data) {
        assert_same(&texts.to_bytes(), data);
        for (id, text) in &texts.strings {
            if !id.contains(')') {
                assert_eq!(texts.text(&format!("$(string.{id})")), Some(text.clone()));
            }
        }
    }
}

pub fn comment_cmtx(data: &[u8]) {
    if let Ok(file) = Comments::parse(data) {
        assert_same(&file.to_bytes(), data);
    }
    no_references(r"User\comment.cmtx", data, Comments::parse(data).is_ok());
}

pub fn gpe_ini(data: &[u8]) {
    let read = GpeIni::parse(data);
    if let Ok(file) = &read {
        assert_same(&file.to_bytes().unwrap(), data);
        let _ = file.extensions();
    }
    no_references("GPE.INI", data, read.is_ok());
}

pub fn gpo_cmt(data: &[u8]) {
    let read = GpoComment::parse(data);
    if let Ok(file) = &read {
        assert_same(&file.to_bytes(), data);
    }
    no_references("GPO.cmt", data, read.is_ok());
}

/// A file without anything to map is parsed or has a reason, and never stops a mapping.
fn no_references(path: &str, data: &[u8], parsed: bool) {
    let path: RelPath = path.parse().unwrap();
    let bytes = Bytes::copy_from_slice(data);
    assert_eq!(check_format(&path, &bytes).unwrap().is_ok(), parsed);
    let visited = visit_file(&path, &bytes, &mut |_| panic!("a reference in it")).unwrap();
    assert_eq!((visited.bytes, visited.messages), (None, Vec::new()));
}

pub fn firewall_rule(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut end = 0;
    for field in firewall_rule::fields(text).unwrap_or_default() {
        assert!(field.value.start >= end + field.name.len());
        assert_span(text, &field.value);
        end = field.value.end;
        assert!(!text.get(field.value).unwrap().contains('|'));
    }
    if let Some(pair) = data.first().map(|_| text.replace('\0', "")) {
        // As in Registry.pol.
        let value = pair + "\0";
        let pol = RegistryPol {
            records: vec![Record {
                key: utf16_bytes(r"Software\Policies\Microsoft\WindowsFirewall\FirewallRules"),
                value_name: utf16_bytes("{1}"),
                value_type: ValueType::SZ,
                data: utf16_bytes(&value),
            }],
        };
        visits(r"Machine\Registry.pol", &pol.to_bytes());
    }
}

pub fn preferences(data: &[u8]) {
    let path = r"Machine\Preferences\Groups\Groups.xml";
    let Ok(file) = Preferences::parse(data) else {
        return refused(path, data);
    };
    assert_same(&file.to_bytes(), data);
    let _ = (file.kind(), passwords(&file));
    for item in file.items() {
        let _ = (item.name(), item.action(), item.is_disabled());
    }
    visits(path, data);
}

/// A WMI filter as a file, and its queries as the attribute `msWMI-Parm2`.
pub fn wmi_filter(data: &[u8]) {
    if let Ok(filter) = wmi_mof::parse(data) {
        assert!(!filter.name.is_empty() && !filter.queries.is_empty());
        let written = wmi_mof::write(&filter).unwrap();
        assert_eq!(wmi_mof::parse(&written), Ok(filter));
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(queries) = parse_queries(text)
    {
        assert_eq!(parse_queries(&format_queries(&queries)), Ok(queries));
    }
}

/// A file that its parser refuses is refused by the visitor too, and so copied unchanged.
fn refused(path: &str, data: &[u8]) {
    let path: RelPath = path.parse().unwrap();
    let bytes = Bytes::copy_from_slice(data);
    assert!(matches!(check_format(&path, &bytes), Some(Err(_))));
    assert!(visit_file(&path, &bytes, &mut |_| panic!("a reference in it")).is_err());
}

/// The visitor of the file at this path: keeping changes nothing; mapping leaves no reference to the old domain, or reports
/// why; removing leaves a file that can be read.
fn visits(path: &str, data: &[u8]) {
    let path: RelPath = path.parse().unwrap();
    let bytes = Bytes::copy_from_slice(data);
    assert!(matches!(check_format(&path, &bytes), Some(Ok(_))));
    let found = references(&path, &bytes);
    if found.is_empty() {
        return;
    }
    // What is found, and in which order, does not depend on what becomes of it: a mapping finds its decisions by this order.
    let mut visited = Vec::new();
    let mapped = visit_file(&path, &bytes, &mut |occurrence| {
        visited.push(occurrence.clone());
        map(&occurrence.target)
    })
    .unwrap();
    assert_eq!(visited, found);
    if let Some(new) = &mapped.bytes {
        assert_ne!(new, &bytes);
        for left in references(&path, new) {
            assert!(
                matches!(map(&left.target), Rewrite::Keep) || !mapped.messages.is_empty(),
                "{left:?} was not mapped, and nothing is said of it"
            );
        }
    } else {
        assert!(
            found
                .iter()
                .all(|occurrence| matches!(map(&occurrence.target), Rewrite::Keep))
                || !mapped.messages.is_empty(),
            "nothing was mapped, and nothing is said of it"
        );
    }
    let mut visited = Vec::new();
    let removed = visit_file(&path, &bytes, &mut |occurrence| {
        visited.push(occurrence.clone());
        Rewrite::Remove
    })
    .unwrap();
    assert_eq!(visited, found);
    if let Some(new) = &removed.bytes {
        references(&path, new);
    }
}

/// The references of a file; asserts that reading them does not change it.
fn references(path: &RelPath, bytes: &Bytes) -> Vec<Occurrence> {
    let mut list = Vec::new();
    let kept = visit_file(path, bytes, &mut |occurrence: &Occurrence| {
        list.push(occurrence.clone());
        Rewrite::Keep
    })
    .unwrap();
    assert_eq!(kept.bytes, None, "keeping changed something");
    list
}

const NEW_DOMAIN: &str = "S-1-5-21-4000000001-4000000002-4000000003";
const NEW_PATH: &str = r"\\new.example\mapped";

/// Maps SIDs of other domains to the new one, and paths to the new share.
fn map(target: &ReferenceTarget) -> Rewrite {
    let domain: Sid = NEW_DOMAIN.parse().unwrap();
    match target {
        ReferenceTarget::Sid { sid, .. } | ReferenceTarget::SidAndName { sid, .. }
            if sid.is_domain_sid() && sid.domain().as_ref() != Some(&domain) =>
        {
            Rewrite::Principal {
                sid: Some(domain.with_rid(1234)),
                name: r"NEW\mapped".to_owned(),
            }
        }
        // In free text, the end of a path is a guess: words after it may become part of it after the mapping.
        ReferenceTarget::Unc { text, .. } if !text.starts_with(NEW_PATH) => {
            Rewrite::Unc(NEW_PATH.to_owned())
        }
        _ => Rewrite::Keep,
    }
}

/// As `assert_eq`, but shown as text.
fn assert_same(new: &[u8], old: &[u8]) {
    assert!(
        new == old,
        "{}\nis not\n{}",
        new.escape_ascii(),
        old.escape_ascii()
    );
}

/// What was read is written unchanged; the same value in GPMC's own form is read as the same value.
fn kept<T: ToGpmcBytes + std::fmt::Debug>(
    kept: &Verbatim<T>,
    data: &[u8],
    parse: impl Fn(&[u8]) -> Verbatim<T>,
) {
    assert_same(&kept.to_bytes(), data);
    let written = kept.value.to_gpmc_bytes();
    let again = parse(&written);
    assert_same(&again.value.to_gpmc_bytes(), &written);
    assert_same(&again.to_bytes(), &written);
}

pub fn bkup_info(data: &[u8]) {
    if let Ok(read) = bkup_info::parse(data) {
        kept(&read, data, |bytes| bkup_info::parse(bytes).unwrap());
        let mut edited = read.clone();
        edited.value.comment = "edited ]]> <&".to_owned();
        let again = bkup_info::parse(&edited.to_bytes()).unwrap();
        assert_eq!(again.value.comment, edited.value.comment);
        // What XML cannot contain is written as U+FFFD, even if it was in the file.
        if !edited.value.gpo_guid.contains(forbidden_in_xml) {
            assert_eq!(again.value.gpo_guid, edited.value.gpo_guid);
        }
    }
}

pub fn manifest(data: &[u8]) {
    if let Ok(read) = manifest::parse(data) {
        kept(&read, data, |bytes| manifest::parse(bytes).unwrap());
        let mut edited = read.clone();
        edited.value.backups.push(Default::default());
        let again = manifest::parse(&edited.to_bytes()).unwrap();
        assert_eq!(again.value.backups.len(), read.value.backups.len() + 1);
    }
}

pub fn backup_xml(data: &[u8]) {
    if let Ok(read) = backup_xml::parse(data) {
        let _ = read.backup.value.locations();
        kept(&read.backup, data, |bytes| {
            let again = backup_xml::parse(bytes).unwrap();
            assert!(again.problems.is_empty(), "{:?}", again.problems);
            again.backup
        });
    }
}

pub fn migtable(data: &[u8]) {
    let Ok(table) = MigTable::parse(data) else {
        return;
    };
    assert_eq!(table.to_bytes(), data);
    let rows = |table: &MigTable| -> Vec<_> {
        let row = |row: &gpoctl::formats::migtable::Row| {
            (row.kind, row.source.clone(), row.destination.clone())
        };
        table.rows().iter().map(row).collect()
    };
    let before = rows(&table);
    let mut edited = table.clone();
    let source = match before.get(choose(data, before.len())) {
        Some((_, source, _)) => source.clone(),
        None => "helpdesk@src.test".to_owned(),
    };
    let destination = Destination::Set("support@dst.test".to_owned());
    edited
        .set(
            &source,
            EntryType::Principal(PrincipalType::GlobalGroup),
            destination.clone(),
        )
        .unwrap();
    let read = MigTable::parse(&edited.to_bytes()).unwrap();
    assert_eq!(rows(&read), rows(&edited));
    for (old, new) in before.iter().zip(rows(&read)) {
        let expected = if old.1 == source {
            (
                EntryType::Principal(PrincipalType::GlobalGroup),
                source.clone(),
                destination.clone(),
            )
        } else {
            old.clone()
        };
        assert_eq!(new, expected);
    }
    assert!(edited.remove(&source));
    let read = MigTable::parse(&edited.to_bytes()).unwrap();
    assert_eq!(rows(&read), rows(&edited));
    assert!(read.get(&source).is_none());
    assert!(before.iter().filter(|row| row.1 != source).eq(&rows(&read)));
}

/// The small texts: SIDs, paths, DNs, links, extension lists.
pub fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(sid) = text.parse::<Sid>() {
        assert_eq!(sid.to_string().parse(), Ok(sid.clone()));
        assert_eq!(Sid::from_bytes(&sid.to_bytes()), Ok(sid));
    }
    if let Ok(path) = text.parse::<RelPath>() {
        assert_eq!(path.to_string().parse(), Ok(path.clone()));
        assert_eq!(path.to_slashes().parse(), Ok(path.clone()));
        let slashes = path.to_slashes();
        assert!(!slashes.starts_with('/') && !slashes.contains(['\0', '\\', ':']));
        assert!(!slashes.split('/').any(|name| name == ".."));
    }
    if let Ok(path) = text.parse::<UncPath>() {
        assert_eq!(path.to_string().parse(), Ok(path.clone()));
        assert!(!path.server().is_empty() && !path.share().is_empty());
        assert!(path.strip_prefix(&path).is_some());
        if let Some(parent) = path.parent() {
            assert!(path.strip_prefix(&parent).is_some());
        }
    }
    if let Ok(dn) = Dn::parse(text) {
        assert_eq!(Dn::parse(dn.as_str()).unwrap().rdns(), dn.rdns());
        let child = dn.cn(text);
        assert_eq!(child.parent().unwrap().rdns(), dn.rdns());
        assert!(child.below(&dn).is_some());
    }
    if let Ok(links) = parse_gp_link(text) {
        assert_eq!(parse_gp_link(&format_gp_link(&links)), Ok(links));
    }
    let _ = ExtensionList::new(text).blocks();
}

/// A saved plan that is accepted is written and read as the same.
pub fn plan(data: &[u8]) {
    let Ok(plan) = Plan::from_json(data) else {
        return;
    };
    let written = |plan: &Plan| plan.to_json().unwrap();
    let json = written(&plan);
    assert_same(&written(&Plan::from_json(&json).unwrap()), &json);
}

/// Every event of a journal is written and read as the same, and so is the state before it.
pub fn journal(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        for event in events(text).unwrap_or_default() {
            let line = serde_json::to_string(&event).unwrap();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(events(&line).unwrap(), [event]);
        }
    }
    if let Ok(before) = serde_json::from_slice::<Before>(data) {
        let json = serde_json::to_vec(&before).unwrap();
        let again: Before = serde_json::from_slice(&json).unwrap();
        assert_same(&serde_json::to_vec(&again).unwrap(), &json);
    }
}

/// A field that is not known changes nothing of what is read of the others.
pub fn side_file(data: &[u8]) {
    use gpoctl::backup::problems_of_side_file as problems;
    let found = problems(data);
    // With its position, which is another one then.
    if found
        .iter()
        .any(|problem| problem.text.starts_with("cannot be read"))
    {
        return;
    }
    let begin = data.iter().position(|byte| !byte.is_ascii_whitespace());
    let Some((head, rest)) = begin.map(|at| data.split_at(at + 1)) else {
        return;
    };
    let mut more = rest.iter().skip_while(|byte| byte.is_ascii_whitespace());
    let is_object =
        head.ends_with(b"{") && serde_json::from_slice::<serde_json::Value>(data).is_ok();
    if is_object && more.next() == Some(&b'"') {
        let grown = [head, &br#""a later version's":[{}],"#[..], rest].concat();
        assert_eq!(problems(&grown), found);
    }
}

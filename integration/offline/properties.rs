//! Every parser on random bytes and on small files with faults: the invariants that the fuzz targets in `integration/fuzz`
//! check, in a limited number of cases.

use std::path::{Path, PathBuf};

use crate::invariants::TARGETS;
use gpoctl::formats;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// The files in the folder of a parser's seeds, whose names describe them.
fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("integration/fuzz/seeds")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// A fault to insert into a file; positions are modulo its length.
#[derive(Debug, Clone)]
enum Fault {
    FlipBit(usize, u8),
    SetByte(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Repeat(usize, usize),
    CutOff(usize),
}

fn fault() -> impl Strategy<Value = Fault> {
    let place = any::<usize>();
    prop_oneof![
        (place, 0_u8..8).prop_map(|(at, bit)| Fault::FlipBit(at, bit)),
        (place, interesting()).prop_map(|(at, byte)| Fault::SetByte(at, byte)),
        (place, prop::collection::vec(interesting(), 1..6))
            .prop_map(|(at, bytes)| Fault::Insert(at, bytes)),
        (place, 1_usize..12).prop_map(|(at, count)| Fault::Remove(at, count)),
        (place, 1_usize..64).prop_map(|(at, count)| Fault::Repeat(at, count)),
        place.prop_map(Fault::CutOff),
    ]
}

/// Bytes with a meaning in one of the formats, and any other.
fn interesting() -> impl Strategy<Value = u8> {
    prop_oneof![
        prop::sample::select(b"\0\x01\x7F\xFF\xFE;=[](){}<>&\"\\-,|* \t\r\nS0159".to_vec()),
        any::<u8>(),
    ]
}

fn put_in(fault: &Fault, bytes: &mut Vec<u8>) {
    let length = bytes.len();
    let at = |place: usize| place % length.max(1);
    match fault {
        Fault::Insert(place, with) => {
            let place = place % (length + 1);
            bytes.splice(place..place, with.iter().copied());
        }
        _ if length == 0 => {}
        Fault::FlipBit(place, bit) => bytes[at(*place)] ^= 1 << bit,
        Fault::SetByte(place, byte) => bytes[at(*place)] = *byte,
        Fault::Remove(place, count) => {
            bytes.drain(at(*place)..(at(*place) + count).min(length));
        }
        Fault::Repeat(place, count) => {
            let part = bytes[at(*place)..(at(*place) + count).min(length)].to_vec();
            bytes.splice(at(*place)..at(*place), part);
        }
        Fault::CutOff(place) => bytes.truncate(at(*place)),
    }
}

/// Runs a property with reproducible cases, as many as `PROPTEST_CASES` says or `cases`; the failing input is shown shrunk.
fn check<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value)) {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    let mut runner = TestRunner::new_with_rng(
        config,
        prop::test_runner::TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha),
    );
    let result = runner.run(strategy, |value| {
        property(value);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

/// The parsers have a folder of seeds and a fuzz target each, and there are no others.
#[test]
fn every_parser_has_seeds_and_a_fuzz_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/fuzz");
    let names = |folder: &str| -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(fuzz.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let targets: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names("seeds"), targets);
    assert_eq!(names("fuzz_targets"), targets);
    for target in targets {
        assert!(seeds(target).len() >= 4, "{target}");
    }
}

/// The test files that a parser refuses; it accepts all others.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "aas",
        &[
            "bytes_behind_end",
            "empty",
            "header_only",
            "length_too_large",
            "no_end",
            "no_header",
            "padded",
            "record_cut_off",
        ],
    ),
    ("adml", &["cut_off", "empty", "other_root"]),
    ("admx", &["cut_off", "empty", "no_target", "other_root"]),
    (
        "audit_csv",
        &[
            "field_missing",
            "field_too_many",
            "nul",
            "quote_not_closed",
            "text_behind_quote",
            "too_few_fields",
        ],
    ),
    (
        "backup_xml",
        &[
            "bad_sid",
            "descriptor_not_hexadecimal",
            "nested_too_deep",
            "no_core_settings",
            "number_is_text",
            "two_marks",
            "unknown_object",
        ],
    ),
    ("bkup_info", &["other_namespace"]),
    (
        "comment_cmtx",
        &[
            "cut_off",
            "empty",
            "not_closed",
            "other_namespace",
            "other_root",
        ],
    ),
    ("fdeploy", &[]),
    (
        "gpe_ini",
        &[
            "bad_guid",
            "block_not_closed",
            "no_version",
            "not_closed",
            "number_too_large",
            "version_too_large",
        ],
    ),
    (
        "gpo_cmt",
        &["half_a_pair", "odd_length", "unpaired_surrogate"],
    ),
    ("gpt_ini", &["version_not_a_number", "version_too_large"]),
    ("gpt_tmpl", &["binary"]),
    (
        "ini",
        &[
            "invalid_utf8_behind_mark",
            "odd_length_utf16",
            "unpaired_surrogate",
        ],
    ),
    ("manifest", &["cut_short"]),
    (
        "migtable",
        &[
            "empty_destination",
            "no_destination",
            "other_namespace",
            "source_twice",
            "source_with_noncharacter",
            "two_destinations",
            "two_marks",
            "unknown_element",
            "unknown_type",
        ],
    ),
    (
        "plan",
        &[
            "empty",
            "false_summary",
            "id_is_a_path",
            "no_plan",
            "not_an_object",
            "other_version",
            "state_missing",
        ],
    ),
    (
        "preferences",
        &[
            "character_that_xml_cannot_hold",
            "empty",
            "not_well_formed",
            "two_marks",
        ],
    ),
    (
        "registry_pol",
        &[
            "empty",
            "empty_key",
            "header_cut_short",
            "key_without_end",
            "no_header",
            "other_version",
            "record_cut_short",
            "size_too_large",
            "size_two_too_large",
            "trailing_byte",
        ],
    ),
    ("scripts", &[]),
    (
        "sddl",
        &[
            "bad_alias",
            "bad_guid",
            "claim_boolean_of_two",
            "claim_of_unknown_type",
            "claim_without_name",
            "condition_in_plain_ace",
            "condition_list_in_list",
            "condition_nested_too_deep",
            "condition_not_closed",
            "condition_number_too_large",
            "condition_string_not_closed",
            "condition_without_operand",
            "inside_of_text",
            "nested",
            "not_closed",
            "quote_not_closed",
            "tag_twice",
        ],
    ),
    (
        "security_descriptor",
        &[
            "ace_size_zero",
            "count_too_large",
            "not_self_relative",
            "offset_in_header",
            "offset_outside",
            "revision_2",
            "sid_with_sixteen_parts",
        ],
    ),
    (
        "side_file",
        &[
            "cut_off",
            "every_field_malformed",
            "field_twice",
            "later_version",
            "not_an_object",
        ],
    ),
    (
        "wmi_filter",
        &[
            "attribute_with_a_length_too_long",
            "attribute_with_a_wrong_count",
            "attribute_with_two_queries",
            "comment_that_does_not_end",
            "string_that_does_not_end",
            "without_a_name",
        ],
    ),
    (
        "xml_document",
        &[
            "attribute_twice",
            "character_out_of_range",
            "character_that_xml_cannot_hold",
            "deep",
            "document_type",
            "empty",
            "less_than_in_attribute",
            "not_closed",
            "own_entity",
            "prefix_without_namespace",
            "two_marks",
            "two_roots",
        ],
    ),
    (
        "xml_tree",
        &[
            "attribute_twice",
            "character_out_of_range",
            "deep",
            "document_type",
            "empty",
            "not_closed",
            "own_entity",
            "prefix_without_namespace",
            "two_marks",
            "two_roots",
        ],
    ),
];

/// Whether a parser accepts this file; `None` for a target of several parsers.
fn is_taken(target: &str, data: &[u8]) -> Option<bool> {
    let text = || std::str::from_utf8(data).unwrap_or_default();
    let bytes = || bytes::Bytes::copy_from_slice(data);
    Some(match target {
        "aas" => formats::aas::AdvertiseScript::parse(&bytes()).is_ok(),
        "adml" => formats::adml::Adml::parse(data).is_ok(),
        "admx" => formats::admx::Admx::parse(data).is_ok(),
        "audit_csv" => formats::audit_csv::AuditCsv::parse(data).is_ok(),
        "backup_xml" => formats::backup_xml::parse(data).is_ok_and(|read| read.problems.is_empty()),
        "bkup_info" => formats::bkup_info::parse(data).is_ok(),
        "comment_cmtx" => formats::comment_cmtx::Comments::parse(data).is_ok(),
        "fdeploy" => formats::fdeploy::Fdeploy::parse(data).is_ok(),
        "gpe_ini" => formats::gpe_ini::GpeIni::parse(data).is_ok(),
        "gpo_cmt" => formats::gpo_cmt::GpoComment::parse(data).is_ok(),
        "gpt_ini" => formats::gpt_ini::read_version(data).is_ok(),
        "gpt_tmpl" => formats::gpt_tmpl::GptTmpl::parse(data).is_ok(),
        "ini" => formats::ini::IniFile::parse(data).is_ok(),
        "manifest" => formats::manifest::parse(data).is_ok(),
        "migtable" => formats::migtable::MigTable::parse(data).is_ok(),
        "plan" => gpoctl::plan::Plan::from_json(data).is_ok(),
        "preferences" => formats::preferences::Preferences::parse(data).is_ok(),
        "registry_pol" => formats::registry_pol::RegistryPol::parse(&bytes()).is_ok(),
        "scripts" => formats::scripts::Scripts::parse(data).is_ok(),
        "sddl" => {
            let domain = "S-1-5-21-1-2-3".parse().unwrap();
            gpoctl::model::sddl::from_sddl(text(), Some(&domain)).is_ok()
        }
        "security_descriptor" => {
            gpoctl::model::security_descriptor::SecurityDescriptor::parse(data).is_ok()
        }
        "side_file" => gpoctl::backup::problems_of_side_file(data).is_empty(),
        "wmi_filter" => formats::wmi_mof::parse(data).is_ok(),
        "xml_document" => formats::xml_tree::document::XmlDocument::parse(data).is_ok(),
        "xml_tree" => formats::xml_tree::parse(data).is_ok(),
        _ => return None,
    })
}

#[test]
fn what_is_no_fault_is_taken() {
    for (target, _) in TARGETS {
        let files = seeds(target);
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let refused: Option<Vec<String>> = files
            .iter()
            .filter_map(|(path, data)| match is_taken(target, data) {
                None => Some(None),
                Some(true) => None,
                Some(false) => Some(Some(name(path))),
            })
            .collect();
        let expected = REFUSED.iter().find(|(other, _)| other == target);
        match (refused, expected) {
            (Some(refused), Some((_, expected))) => {
                assert_eq!(refused, *expected, "{target}");
                assert!(files.len() > refused.len(), "{target}");
            }
            (refused, expected) => assert!(refused.is_none() && expected.is_none(), "{target}"),
        }
    }
}

fn invariants_of(target: &str) -> fn(&[u8]) {
    TARGETS.iter().find(|(name, _)| *name == target).unwrap().1
}

fn own_files(target: &str) {
    for (path, bytes) in seeds(target) {
        println!("{}", path.display());
        invariants_of(target)(&bytes);
    }
}

fn arbitrary_bytes(target: &str) {
    check(512, &prop::collection::vec(any::<u8>(), 0..256), |bytes| {
        invariants_of(target)(&bytes);
    });
}

fn own_files_with_faults(target: &str) {
    let seeds: Vec<Vec<u8>> = seeds(target).into_iter().map(|(_, bytes)| bytes).collect();
    let faults = prop::collection::vec(fault(), 1..5);
    check(
        2048,
        &(prop::sample::select(seeds), faults),
        |(mut bytes, faults)| {
            for fault in &faults {
                put_in(fault, &mut bytes);
            }
            invariants_of(target)(&bytes);
        },
    );
}

/// Every test file truncated after each of its bytes: finds parsers that read one byte too far.
fn own_files_cut_off_anywhere(target: &str) {
    for (path, bytes) in seeds(target) {
        for end in 0..bytes.len().min(4096) {
            println!("{} cut off behind {end} bytes", path.display());
            invariants_of(target)(&bytes[..end]);
        }
    }
}

macro_rules! properties {
    ($($target:ident)*) => {$(
        mod $target {
            #[test]
            fn own_files() {
                super::own_files(stringify!($target));
            }

            #[test]
            fn arbitrary_bytes() {
                super::arbitrary_bytes(stringify!($target));
            }

            #[test]
            fn own_files_with_faults() {
                super::own_files_with_faults(stringify!($target));
            }

            #[test]
            fn own_files_cut_off_anywhere() {
                super::own_files_cut_off_anywhere(stringify!($target));
            }
        }
    )*};
}

properties! {
    aas adml admx audit_csv backup_xml bkup_info comment_cmtx fdeploy firewall_rule gpe_ini gpo_cmt gpt_ini gpt_tmpl ini journal manifest
    migtable names plan preferences registry_pol scripts sddl security_descriptor side_file wmi_filter xml_document xml_tree
}

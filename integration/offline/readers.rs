//! The readers of hostile bytes, by the names of the fuzz targets, and the limit on the memory that reading may use.

#![expect(
    clippy::panic,
    reason = "a reader that asks for too much is a finding, and stops the run"
)]

use bytes::Bytes;
use gpoctl::formats::{
    aas, adml, admx, audit_csv, backup_xml, bkup_info, comment_cmtx, fdeploy, firewall_rule,
    gpe_ini, gpo_cmt, gpt_ini, gpt_tmpl, ini, manifest, migtable, preferences, registry_pol,
    scripts, sddl_text, wmi_mof, xml_tree,
};
use gpoctl::model::{
    dn::Dn, extension_list::ExtensionList, gp_link, safe_name::RelPath, sddl, security_descriptor,
    sid::Sid, unc_path::UncPath, wmi_filter,
};

use gpoctl::execute::journal;
use gpoctl::plan::Plan;

/// How many bytes a reader may use for each byte of its input, at most.
pub const PER_BYTE: u64 = 64;
/// What it may use besides, in bytes.
pub const BASE: u64 = 16 << 20;

/// What it may use besides for an input of at most [`SMALL`] bytes: so much less that small inputs show what large ones would use.
pub const SMALL_BASE: u64 = 256 << 10;
const SMALL: usize = 64 << 10;

/// A reader's name and a call of it. What it returns is dropped within the call.
pub type Reader = (&'static str, fn(&[u8]));

/// Every reader.
pub const READERS: &[Reader] = &[
    ("aas", |data| {
        drop(aas::AdvertiseScript::parse(&Bytes::copy_from_slice(data)));
    }),
    ("adml", |data| drop(adml::Adml::parse(data))),
    ("admx", |data| drop(admx::Admx::parse(data))),
    ("audit_csv", |data| drop(audit_csv::AuditCsv::parse(data))),
    ("backup_xml", |data| drop(backup_xml::parse(data))),
    ("bkup_info", |data| drop(bkup_info::parse(data))),
    ("comment_cmtx", |data| {
        drop(comment_cmtx::Comments::parse(data));
    }),
    ("fdeploy", |data| drop(fdeploy::Fdeploy::parse(data))),
    ("firewall_rule", |data| {
        drop(std::str::from_utf8(data).map(firewall_rule::fields));
    }),
    ("gpe_ini", |data| drop(gpe_ini::GpeIni::parse(data))),
    ("gpo_cmt", |data| drop(gpo_cmt::GpoComment::parse(data))),
    ("gpt_ini", |data| drop(gpt_ini::read_version(data))),
    ("gpt_tmpl", |data| drop(gpt_tmpl::GptTmpl::parse(data))),
    ("ini", |data| drop(ini::IniFile::parse(data))),
    ("journal", read_journal),
    ("manifest", |data| drop(manifest::parse(data))),
    ("migtable", |data| drop(migtable::MigTable::parse(data))),
    ("names", names),
    ("plan", |data| drop(Plan::from_json(data))),
    ("preferences", |data| {
        drop(preferences::Preferences::parse(data));
    }),
    ("registry_pol", |data| {
        drop(registry_pol::RegistryPol::parse(&Bytes::copy_from_slice(
            data,
        )));
    }),
    ("scripts", |data| drop(scripts::Scripts::parse(data))),
    ("sddl", read_sddl),
    ("security_descriptor", |data| {
        drop(security_descriptor::SecurityDescriptor::parse(data));
        drop(Sid::parse_prefix(data));
    }),
    ("side_file", |data| {
        drop(gpoctl::backup::problems_of_side_file(data));
    }),
    ("wmi_filter", |data| {
        drop(wmi_mof::parse(data));
        drop(gpoctl::operations::wmi::read_file("x", data));
        drop(std::str::from_utf8(data).map(wmi_filter::parse_queries));
    }),
    ("xml_document", |data| {
        drop(xml_tree::document::XmlDocument::parse(data));
    }),
    ("xml_tree", |data| drop(xml_tree::parse(data))),
];

/// The events of a journal, and the state before them.
fn read_journal(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        drop(journal::events(text));
    }
    drop(serde_json::from_slice::<journal::Before>(data));
    journal::has_head(data);
    journal::is_complete(data);
}

fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    drop(text.parse::<Sid>());
    drop(text.parse::<RelPath>());
    drop(text.parse::<UncPath>());
    drop(Dn::parse(text));
    drop(gp_link::parse_gp_link(text));
    drop(gp_link::LinkList::parse(text));
    let _ = ExtensionList::new(text).blocks();
}

fn read_sddl(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    drop(sddl_text::aces(text));
    drop(sddl_text::literal_sids(text));
    drop(sddl::from_sddl(text, None));
}

/// The maximum memory that a reader used.
pub fn peak(reader: &dyn Fn(&[u8]), data: &[u8]) -> u64 {
    allocation_counter::measure(|| reader(data)).bytes_max
}

/// The limit for an input of this length.
pub fn bound(length: usize) -> u64 {
    u64::try_from(length)
        .unwrap_or(u64::MAX)
        .saturating_mul(PER_BYTE)
        .saturating_add(BASE)
}

/// Calls the reader of this name.
///
/// # Panics
/// When it used more than [`bound`], or the limit of a small input.
pub fn assert_bounded(name: &str, data: &[u8]) {
    let Some((_, reader)) = READERS.iter().find(|(known, _)| *known == name) else {
        panic!("{name} is not a reader");
    };
    let peak = peak(reader, data);
    let spared = if data.len() <= SMALL {
        BASE - SMALL_BASE
    } else {
        0
    };
    assert!(
        peak <= bound(data.len()) - spared,
        "{name} held {peak} bytes for {}",
        data.len()
    );
}

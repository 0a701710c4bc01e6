//! File formats: bytes to values and back, one file per format. No I/O, no panic on any input.
//!
//! Every parser keeps its input: `parse(x).to_bytes() == x` for every accepted input, and an edit changes only the
//! edited part. [`text`] handles encodings, [`ini`] lines, sections and pairs; [`gpt_ini`], [`gpt_tmpl`], [`fdeploy`],
//! [`scripts`], [`audit_csv`] and [`gpe_ini`] are views on [`ini`]; [`preferences`] is a view on
//! [`xml_tree::document`]. [`registry_pol`] and [`aas`] are binary. [`sddl_text`] edits SDDL in place;
//! [`firewall_rule`] parses the Windows Firewall rules in Registry.pol. The XML files of a backup folder keep their
//! bytes while their value is unchanged ([`verbatim::Verbatim`]). [`wmi_mof`], [`admx`] and [`adml`] are not part of a GPO: a
//! WMI filter as GPMC exports it, and the administrative templates that describe registry values.

pub mod aas;
pub mod adml;
pub mod admx;
pub mod audit_csv;
pub mod backup_xml;
pub mod bkup_info;
pub mod comment_cmtx;
pub mod fdeploy;
pub mod firewall_rule;
pub mod gpe_ini;
pub mod gpo_cmt;
pub mod gpreport;
pub mod gpt_ini;
pub mod gpt_tmpl;
pub mod ini;
pub mod manifest;
pub mod migtable;
pub mod preferences;
pub mod registry_pol;
pub mod scripts;
pub mod sddl_text;
pub mod text;
pub mod verbatim;
pub mod wmi_mof;
pub mod xml_tree;

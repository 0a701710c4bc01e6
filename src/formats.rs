//! File formats: bytes to values and back, one file per format. No I/O, no panic on any input.
//!
//! What was read remembers its bytes and gives them back while its value is unchanged: [`kept::Kept`] for the XML files of
//! a backup folder.

pub mod backup_xml;
pub mod bkup_info;
pub mod gpreport;
pub mod kept;
pub mod manifest;
pub mod xml_tree;

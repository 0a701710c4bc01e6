//! The words of the field as types. No I/O, no panic on any input.

pub mod directory_object;
pub mod domain_name;
pub mod extension_list;
pub mod gp_link;
pub mod gpt_tree;
pub mod guid;
pub mod principal;
pub mod reference;
pub mod safe_name;
pub mod sddl;
pub mod security_descriptor;
pub mod sid;
pub mod snapshot;
pub mod unc_path;
pub mod version;
pub mod well_known;

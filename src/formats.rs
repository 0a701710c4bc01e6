//! The files of a GPT as values: bytes in, bytes out, no I/O.
//!
//! Every parser keeps what it read: `parse(x).to_bytes() == x` for every accepted input, and an edit changes nothing but
//! what it has to. [`text`] knows encodings, [`ini`] lines, sections and pairs; [`gpt_ini`], [`gpt_tmpl`], [`fdeploy`]
//! and [`scripts`] are views on [`ini`]. [`registry_pol`] is binary. [`sddl_text`] edits SDDL in place, wherever it stands.

pub mod fdeploy;
pub mod gpt_ini;
pub mod gpt_tmpl;
pub mod ini;
pub mod registry_pol;
pub mod scripts;
pub mod sddl_text;
pub mod text;

//! Files of this machine: which of them are trusted.

pub(crate) mod trusted_file;

#[cfg(test)]
pub(crate) mod attacker;

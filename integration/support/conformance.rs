//! Suites of what every implementation of a port does.

pub mod directory;
pub mod sysvol;

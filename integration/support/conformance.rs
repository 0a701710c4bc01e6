//! The conformance suites: every implementation of a port has to pass them.

pub mod directory;
pub mod sysvol;

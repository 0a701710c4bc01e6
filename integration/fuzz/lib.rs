//! What the fuzz targets check: the invariants of every parser, and the memory it takes.

#[path = "../offline/invariants/mod.rs"]
mod invariants;
#[path = "../offline/readers.rs"]
mod readers;

pub use invariants::*;
pub use readers::assert_bounded;

//! Bytes to values and back, one file per file format. No I/O, no panic on any input.

pub mod migtable;

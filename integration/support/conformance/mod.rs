//! What every adapter of a port does, whatever is behind it: the domain in memory, and real domain controllers.

pub mod directory;

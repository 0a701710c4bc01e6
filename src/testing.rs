//! A domain in memory, for tests of this crate and of others that use it: no container, no network, no Kerberos. Behind the
//! feature `testing`.
//!
//! [`domain`] is a whole domain, with a [`directory`] and a share ([`sysvol`]) that belong together.
//!
//! Each client of the domain has a script of [`faults`], which counts its calls to both halves together: the test runs an
//! operation once to learn how many calls it makes, then again for each of them with a fault there.

pub mod directory;
pub mod domain;
pub mod faults;
pub mod sysvol;

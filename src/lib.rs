//! `gpoctl` moves Group Policy Objects between Active Directory domains: backup in GPMC's own format, import with a
//! migration table, without Windows.
//!
//! # Overview
//!
//! ```text
//!  live GPO ──read──┐                                        ┌──write──> backup folder (GPMC format)
//!                   ├─> GpoSnapshot ─scan─> References ──map──> GpoSnapshot'
//!  backup folder ───┘                    (migration table,   └──plan───> Plan ──apply──> live GPO
//!                                         target directory)                  │ journal, safety backup
//!                                                                            └──undo──> as it was
//! ```
//!
//! # Modules
//!
//! | module | purpose | must not use |
//! |---|---|---|
//! | [`session`] | one LDAP and one SMB connection to one and the same DC, and what is read through them | terminal |
//! | [`auth`] | who logs in: credentials, Kerberos, TLS | terminal |
//! | [`backup`] | the backup folder: manifest, bkupInfo, Backup.xml, atomic writes | network, terminal |
//! | [`migration`] | references in a snapshot, the migration table, resolving, mapping, the report | terminal |
//! | [`operations`] | one file per verb: snapshots in, plan out | terminal |
//! | [`settings`] | what a snapshot sets, as an administrator knows it; the difference of two | files, network, terminal |
//! | [`plan`] | what an operation will change, with the state it was made against; its saved form | terminal |
//! | [`execute`] | makes the changes of a plan: journal, staging, roll-back, proof; the only module that writes to a domain | terminal |
//! | [`progress`] | progress and cancellation of long operations | terminal |
//! | [`model`] | the words of the others: GUIDs, SIDs, principals, descriptors, UNC paths, safe names, the snapshot | files, network, terminal |
//! | [`message`] | status messages and their codes | files, network, terminal |
//! | [`error`] | the one error, and its kinds | files, network, terminal |
//! | `testing` | a domain in memory, with the feature `testing` | network, terminal |
//!
//! Below these are the modules `formats` (bytes to values and back, one file per file format), `domain` (the ports to a domain, as
//! traits), `directory` (LDAP), `sysvol` (SMB), `local` (files of this machine that decide who logs in and what is done) and `cli`
//! (options, one file per command; only `cli::ui` prints; with the feature `cli`).
//! What is hidden from this documentation is public for gpoctl's own tests alone and is not covered by the version: any release
//! may change or remove it.
//!
//! Enums, options and results may get more variants and fields in any release. Options are made by `new`, and each of their
//! fields has a setter of the same name.
//!
//! # A whole import
//!
//! ```no_run
//! use gpoctl::auth::{Identity, read_password_file};
//! use gpoctl::execute::{ApplyOptions, apply};
//! use gpoctl::migration::table::MigrationTable;
//! use gpoctl::operations::import::{ImportOptions, ImportTarget, plan};
//! use gpoctl::progress::Control;
//! use gpoctl::{DomainWriter, SessionSettings};
//!
//! # async fn import() -> Result<(), Box<dyn std::error::Error>> {
//! let identity = Identity::Password {
//!     user: "Administrator@CORP.EXAMPLE".to_owned(),
//!     password: read_password_file("/run/secrets/admin".as_ref())?,
//! };
//! let settings = SessionSettings::new("corp.example".parse()?, "dc1.corp.example".parse()?, identity);
//! let domain = DomainWriter::connect(&settings).await?;
//! let session = domain.session();
//! let backup = gpoctl::backup::read("/backups/{7F2DE5D7-B30E-4F9D-BA75-BCD4990C090D}".as_ref())?;
//! let target = ImportTarget::Existing(Box::new(session.directory().find_gpo("Workstations").await?));
//! let table = MigrationTable::parse("lab.migtable", &std::fs::read("lab.migtable")?)?;
//! let options = ImportOptions::new().table(table);
//! let control = Control::new(|progress| eprintln!("{progress:?}"), Default::default());
//! let plan = plan(session, &backup, &target, &options, &control).await?;
//! let result = apply(&domain, &plan, &ApplyOptions::new()?.control(control)).await?;
//! println!("{:?}: {} messages", result.status, result.messages.len());
//! # Ok(())
//! # }
//! ```
//!
//! More examples: [a migration table](migration#a-migration-table), [a plan and what it says](plan#a-plan-and-what-it-says), [the
//! undo of an operation](operations::undo), and a test with the domain in memory in `testing`.
//!
//! # Invariants
//!
//! 1. [`model`] and `formats` do no I/O, never panic on any input, and know nothing of LDAP, SMB or the terminal.
//! 2. Raw bytes are the truth. `parse(x).to_bytes() == x` for every accepted file, and after an edit only the edited part
//!    differs. A file that cannot be parsed is copied unchanged and reported; it is never dropped and never fails a backup.
//! 3. [`operations`] build plans from snapshots; only `execute` writes to a domain. Types that cannot write have no
//!    write methods.
//! 4. Nothing read from AD, SYSVOL, a backup or a table becomes a path, a host name, an LDAP filter or a DN without passing
//!    a validating type ([`model::safe_name`], [`model::guid`], [`model::dn`], `domain::ldap::Filter`).
//! 5. Before each remote change its inverse is on the local disk, synced (`execute::journal`).
//! 6. Credentials live in `secrecy` types inside [`auth`].
//! 7. Only `cli::ui` prints, only `main` exits.

// What `local` and `backup::folder` offer for reading and writing named files is used by the command alone.
#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))]

pub mod auth;
pub mod backup;
#[doc(hidden)]
pub mod directory;
#[doc(hidden)]
pub mod domain;
pub mod error;
pub mod execute;
#[doc(hidden)]
pub mod formats;
pub(crate) mod local;
pub mod message;
pub mod migration;
pub mod model;
pub mod operations;
pub mod plan;
pub mod progress;
pub mod session;
mod setters;
pub mod settings;
#[doc(hidden)]
pub mod sysvol;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;

pub use error::{Error, ErrorKind, Result};
pub use plan::Plan;
pub use session::{DomainSession, DomainWriter, SessionSettings};

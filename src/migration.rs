//! References in a snapshot, the migration table, and the mapping of one to the other.
//!
//! [`references`] finds references: one visitor per file format serves both scanning and rewriting, so that exactly
//! what is found is mapped.
//!
//! # A migration table
//!
//! ```
//! use gpoctl::migration::fill::{Definitions, fill};
//! use gpoctl::migration::map::MapOptions;
//! use gpoctl::migration::populate::{PopulateOptions, items, merge};
//! use gpoctl::migration::suggest::{SuggestOptions, SuggestedDestination, suggest};
//! use gpoctl::migration::table::{Destination, EntryType, MigTable};
//! use gpoctl::migration::validate::validate;
//! # use gpoctl::model::principal::{Principal, PrincipalType};
//! # use gpoctl::model::snapshot::{GpoSnapshot, InventoryPrincipal};
//! # use gpoctl::testing::{domain::MemoryDomain, faults::Faults};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # let lab = MemoryDomain::new("lab.example")?;
//! # let users = lab.directory().put_ou(&lab.directory().base(), "Staff")?;
//! # lab.directory().put_user(&users, "alice")?;
//! # let writer = lab.connect("Administrator", &Faults::none()).await?;
//! # let target = writer.session();
//! # let guid = "{11111111-2222-3333-4444-555555555555}".parse()?;
//! # let mut snapshot = GpoSnapshot::new(guid, "corp.example".parse()?, "Workstations");
//! # let inf = "[Unicode]\r\nUnicode=yes\r\n[Privilege Rights]\r\nSeBackupPrivilege = *S-1-5-21-1-2-3-1107\r\n";
//! # let inf: Vec<u8> = b"\xFF\xFE".iter().copied().chain(inf.encode_utf16().flat_map(u16::to_le_bytes)).collect();
//! # let at = r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf";
//! # snapshot.tree.insert_file(&at.parse()?, inf.into());
//! # let sid = "S-1-5-21-1-2-3-1107".parse()?;
//! # let principal = Principal::of_domain(sid, "alice", PrincipalType::User, "CORP", "corp.example");
//! # snapshot.principals.push(InventoryPrincipal { principal, from_dacl: false });
//! // One row for each reference of a GPO, such as the snapshot of a backup.
//! let mut table = MigTable::new();
//! let (references, _) = items(&snapshot, &PopulateOptions::new().include_dacl(true));
//! merge(&mut table, references)?;
//! # assert_eq!(table.rows().len(), 1);
//!
//! // Destinations where the target domain leaves no doubt; the others remain to be set.
//! for row in suggest(&mut table, target.directory(), &SuggestOptions::new()).await? {
//!     if let SuggestedDestination::Uncertain { reason, .. } = &row.suggested {
//!         println!("{}: {reason}", row.row.source);
//!     }
//! }
//! # let alice = Destination::Set("alice@lab.example".to_owned());
//! # assert_eq!(table.get("alice@corp.example").unwrap().destination, alice);
//! let server = Destination::Set(r"\\%server%\install".to_owned());
//! table.set(r"\\files.corp.example\install", EntryType::UncPath, server)?;
//!
//! // A table with placeholders is a template for several domains.
//! let mut values = Definitions::default();
//! values.define("server", "files.lab.example")?;
//! let filled = fill("lab.migtable", &table, &values)?;
//! # assert_eq!(filled.changed, 1);
//!
//! let bytes = filled.table.to_bytes();
//! let principals = Some(target.directory() as _);
//! let checked = validate("lab.migtable", &bytes, &[snapshot], principals, &MapOptions::new()).await?;
//! for finding in &checked.findings {
//!     println!("{}: {}", finding.message.severity.word(), finding.message.text);
//! }
//! # assert_eq!(checked.findings.len(), 1, "{:?}", checked.findings);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
//! ```

pub mod fill;
mod finding_list;
pub(crate) mod inventory;
mod localized_names;
pub mod map;
mod name_form;
#[doc(hidden)]
pub mod populate;
#[doc(hidden)]
pub mod references;
pub mod report;
pub mod scan;
mod sid_name_pairs;
pub mod suggest;
pub mod table;
pub mod validate;
mod variables;

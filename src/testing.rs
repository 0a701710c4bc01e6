//! A domain in memory, for tests of this crate and of others that use it: no container, no network, no Kerberos. Behind the
//! feature `testing`.
//!
//! [`domain`] is a whole domain, with a [`directory`] and a share ([`sysvol`]) that belong together.
//!
//! Each client of the domain has a script of [`faults`], which counts its calls to both halves together: the test runs an
//! operation once to learn how many calls it makes, then again for each of them with a fault there.
//!
//! # A test with the domain in memory
//!
//! ```
//! use gpoctl::ErrorKind;
//! use gpoctl::execute::{ApplyOptions, OverallStatus, apply};
//! use gpoctl::operations::rename;
//! use gpoctl::progress::Control;
//! use gpoctl::testing::domain::MemoryDomain;
//! use gpoctl::testing::faults::{Fault, Faults, When};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let journals = tempfile::tempdir()?;
//! let options = ApplyOptions::in_folder(journals.path());
//! let guid = "{11111111-2222-3333-4444-555555555555}".parse()?;
//! let domain = MemoryDomain::new("corp.example")?;
//! domain.put_gpo(guid, "Workstations")?;
//! let before = domain.directory().snapshot();
//!
//! let faults = Faults::none();
//! let writer = domain.connect("Administrator", &faults).await?;
//! let gpo = writer.session().directory().gpo(guid).await?;
//! let plan = rename::plan(writer.session(), &gpo, "Desktops", &Control::default()).await?;
//! let result = apply(&writer, &plan, &options).await?;
//! assert_eq!(result.status, OverallStatus::Done);
//! assert_eq!(writer.session().directory().gpo(guid).await?.display_name, "Desktops");
//!
//! // Only the attribute was written, and the files are as they were.
//! let changed = domain.directory().snapshot().differences_from(&before);
//! assert_eq!(changed.len(), 1, "{changed:?}");
//!
//! // The next call fails before the server has done anything: nothing is written.
//! let renamed = writer.session().directory().gpo(guid).await?;
//! let plan = rename::plan(writer.session(), &renamed, "Servers", &Control::default()).await?;
//! let before = domain.directory().snapshot();
//! faults.add(faults.calls().len() + 1, Fault::Fail(When::Before));
//! let error = apply(&writer, &plan, &options).await.unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Connect);
//! assert_eq!(domain.directory().snapshot(), before);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
//! ```

pub mod directory;
pub mod domain;
pub mod faults;
pub mod sysvol;

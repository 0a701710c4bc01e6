//! The suite of the SYSVOL port, reading and writing: it runs on the in-memory domain, and in the lab on every SMB client.
//! Where the two differ, the in-memory domain is wrong.
//!
//! A case is a function of a [`Subject`]; [`sysvol_cases`] lists them all, and each target makes a test of each.

mod files;
mod opens;
mod permissions;
mod renames;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use gpoctl::domain::sysvol::{Sysvol, SysvolPath};
use gpoctl::model::domain_name::DomainName;
use gpoctl::model::guid::Guid;
use gpoctl::model::security_descriptor::FileEntries;
use gpoctl::model::sid::Sid;
use gpoctl::testing::sysvol::{OpenFor, SharedFor};

pub use files::*;
pub use opens::*;
pub use permissions::*;
pub use renames::*;

/// A client of a server, connected as an administrator, and what a case needs besides it.
pub struct Subject {
    /// Names the client in failures.
    pub name: &'static str,
    pub sysvol: Arc<dyn Sysvol>,
    pub environment: Box<dyn Environment>,
}

/// What only the administrator of the server can prepare.
#[async_trait]
pub trait Environment: Send + Sync {
    /// The domain of the server, which has more than ten GPOs.
    fn domain(&self) -> DomainName;

    /// Its SID.
    fn domain_sid(&self) -> Sid;

    /// A GPO whose folder has the descriptor that Samba's sysvolcheck expects.
    fn gpo(&self) -> Guid;

    /// What the server stores in the DACL of a file.
    fn file_entries(&self) -> FileEntries;

    /// Whether what a client has open holds its name and those of the folders above it.
    fn open_files_hold_names(&self) -> bool;

    /// Another connection of the administrator, with exact descriptors.
    async fn administrator(&self) -> Arc<dyn Sysvol>;

    /// A connection by the same client of an account that is only in Domain Users, and its SID.
    async fn ordinary(&self) -> (Arc<dyn Sysvol>, Sid);

    /// Sets the attribute READONLY of a file.
    fn make_read_only(&self, path: &SysvolPath);

    /// Opens a file or folder in another program.
    fn open(&self, path: &SysvolPath, purpose: OpenFor, shared: SharedFor) -> Box<dyn Held>;
}

/// A file or folder that another program has open, until this is dropped.
pub trait Held: Send {
    /// The bytes of the file that it opened.
    fn read(&mut self) -> Vec<u8>;
}

impl Subject {
    /// A new folder, made by the client.
    async fn folder(&self) -> Folder {
        Folder::new(self.environment.domain(), &*self.sysvol).await
    }

    /// Whether the client makes a swap and a replacement in one request.
    fn is_exact(&self) -> bool {
        self.sysvol.has_exact_descriptors()
    }
}

/// Calls a macro with the name of each case.
macro_rules! sysvol_cases {
    ($case:ident) => {
        $case!(files_and_names);
        $case!(a_folder_of_a_thousand_files_is_listed_whole);
        $case!(a_stale_size_is_read_again_and_a_wrong_one_is_an_error);
        $case!(sixteen_concurrent_calls_of_every_kind);
        $case!(names_keep_their_spelling_and_have_one_case);
        $case!(sizes_at_the_limits_of_one_request);
        $case!(a_file_is_not_a_folder_and_the_reverse);
        $case!(attributes_are_listed);
        $case!(unsafe_names_are_no_paths);
        $case!(a_swap_renames_both_or_neither);
        $case!(nothing_is_replaced_without_being_asked);
        $case!(what_a_rename_may_replace);
        $case!(a_swap_that_cannot_be_made_changes_nothing);
        $case!(a_folder_that_is_renamed_meanwhile_is_listed_whole_or_not_found);
        $case!(an_open_file_below_and_its_folder);
        $case!(a_folder_that_is_open_without_share_delete_stays);
        $case!(a_file_that_is_open_without_share_delete_stays);
        $case!(a_file_that_is_open_for_nobody_else_is_not_read);
        $case!(a_deleted_file_is_there_until_it_is_closed);
        $case!(a_reader_keeps_what_it_opened);
        $case!(what_is_put_over_a_deleted_file);
        $case!(a_read_only_file_can_be_deleted);
        $case!(descriptors_are_exact_or_refused);
        $case!(a_failed_create_leaves_nothing);
        $case!(what_is_new_inherits);
        $case!(an_account_may_do_what_a_descriptor_grants);
        $case!(a_missing_permission_is_not_an_open_file);
        $case!(object_entries_need_two_steps);
        $case!(owners_are_given_by_administrators_only);
        $case!(the_entries_of_a_server_are_found_out);
    };
}
pub(crate) use sysvol_cases;

/// A folder of one test under Policies.
pub struct Folder {
    domain: DomainName,
    guid: Guid,
}

impl Folder {
    /// Makes the folder.
    pub async fn new(domain: DomainName, sysvol: &dyn Sysvol) -> Self {
        let folder = Self {
            domain,
            guid: Guid::new_random(),
        };
        sysvol.create_dir(&folder.at(""), &[]).await.unwrap();
        folder
    }

    /// A path in it.
    pub fn at(&self, path: &str) -> SysvolPath {
        SysvolPath::in_gpo(&self.domain, self.guid, &path.parse().unwrap())
    }

    /// Makes a file.
    pub async fn write(&self, sysvol: &dyn Sysvol, path: &str, content: &[u8]) {
        sysvol
            .write_new(&self.at(path), Bytes::copy_from_slice(content), &[])
            .await
            .unwrap();
    }

    /// The names in a folder of it, sorted.
    pub async fn names(&self, sysvol: &dyn Sysvol, path: &str) -> Vec<String> {
        let listing = sysvol.list(&self.at(path)).await.unwrap();
        assert!(listing.refused.is_empty(), "{:?}", listing.refused);
        let mut names: Vec<String> = listing
            .entries
            .iter()
            .map(|entry| entry.name.to_string())
            .collect();
        names.sort();
        names
    }

    /// Removes everything, deepest first.
    pub async fn remove(self, sysvol: &dyn Sysvol) {
        let mut folders = vec![self.at("")];
        let mut next = 0;
        while let Some(folder) = folders.get(next).cloned() {
            next += 1;
            for entry in sysvol.list(&folder).await.unwrap().entries {
                let path = folder.join(&entry.name).unwrap();
                if entry.is_dir {
                    folders.push(path);
                } else {
                    sysvol.remove_file(&path).await.unwrap();
                }
            }
        }
        for folder in folders.iter().rev() {
            sysvol.remove_dir(folder).await.unwrap();
        }
        assert!(sysvol.stat(&self.at("")).await.unwrap().is_none());
    }
}

//! In what the versions of Samba differ that the lab can run.

fn version() -> String {
    std::env::var("GPOCTL_LAB_SAMBA").unwrap()
}

/// Since 4.25, object entries in the permissions of files are refused.
pub fn refuses_object_entries() -> bool {
    version() == "4.25"
}

/// Since 4.22, an open file keeps the names of itself and of the folders above it.
pub fn open_files_hold_names() -> bool {
    version() != "4.17"
}

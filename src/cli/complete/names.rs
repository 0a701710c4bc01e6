//! The GPO names of each domain, as the last `gpoctl list` found them: `$XDG_CACHE_HOME/gpoctl/gpos/DOMAIN.json`.

use std::path::{Path, PathBuf};

use crate::backup::folder::{Folder, PRIVATE_FILE};
use crate::directory::GpoObject;
use crate::local::trusted_file;
use crate::model::domain_name::DomainName;

/// A cache that is larger than this is none of ours.
const MAX_BYTES: u64 = 16 << 20;

/// One GPO.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Known {
    guid: String,
    name: String,
}

/// Keeps the names of the GPOs of a domain for completions. A cache that cannot be written is not an error: nothing but
/// completions needs it.
pub(in crate::cli) fn remember(domain: &DomainName, gpos: &[GpoObject]) {
    let known: Vec<Known> = gpos
        .iter()
        .map(|gpo| Known {
            guid: gpo.guid.to_string(),
            name: gpo.display_name.clone(),
        })
        .collect();
    if let Some(folder) = folder()
        && let Err(cause) = write(&folder, domain, &known)
    {
        tracing::debug!(%cause, "the names were not kept for completions");
    }
}

/// The GUIDs and names of the GPOs of a domain, as far as they are known.
pub(super) fn of(domain: &str) -> Vec<(String, String)> {
    let known = || read(&folder()?.join(file_name(&domain.parse().ok()?)));
    let known = known().unwrap_or_default();
    known.into_iter().map(|one| (one.guid, one.name)).collect()
}

fn read(path: &Path) -> Option<Vec<Known>> {
    let bytes = trusted_file::read(path, "cache of names", MAX_BYTES).ok()?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Option<Vec<Known>> {
    serde_json::from_slice(bytes).ok()
}

/// Whether these bytes are a cache of names.
pub(in crate::cli) fn is_cache(bytes: &[u8]) -> bool {
    parse(bytes).is_some()
}

fn write(folder: &Path, domain: &DomainName, known: &[Known]) -> std::io::Result<()> {
    let json = serde_json::to_vec(known)?;
    Folder::open_or_make(folder)?.replace(file_name(domain), &json, PRIVATE_FILE)
}

fn file_name(domain: &DomainName) -> String {
    format!("{}.json", domain.as_str().to_lowercase())
}

fn folder() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))?;
    Some(cache.join("gpoctl/gpos"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn names_are_not_written_through_a_link_of_another_user() {
        let root = tempfile::tempdir().unwrap();
        let (link, outside) = (root.path().join("gpoctl"), root.path().join("outside"));
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(65_534), Some(65_534)).unwrap();
        let domain: DomainName = "src.test".parse().unwrap();
        assert!(write(&link.join("gpos"), &domain, &[]).is_err());
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    }

    /// A file that others can write, and a named pipe, which holds nothing up.
    #[test]
    fn names_of_another_user_are_not_read() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("gpos");
        let domain: DomainName = "src.test".parse().unwrap();
        write(&folder, &domain, &[]).unwrap();
        let path = folder.join("src.test.json");
        assert!(read(&path).is_some());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(read(&path).is_none());
        std::fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert!(read(&path).is_none());
    }

    #[test]
    fn names_are_kept_for_their_owner_only() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("gpoctl/gpos");
        let domain: DomainName = "SRC.test".parse().unwrap();
        let known = [Known {
            guid: "{31B2F340-016D-11D2-945F-00C04FB984F9}".to_owned(),
            name: "Büro\n\"x\"".to_owned(),
        }];
        write(&folder, &domain, &known).unwrap();
        write(&folder, &domain, &known).unwrap();
        let path = folder.join("src.test.json");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder)), (0o600, 0o700));
        let read: Vec<Known> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(read[0].name, known[0].name);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    }
}

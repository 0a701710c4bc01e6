//! The GPO names of each domain, as the last `gpoctl list` found them: `$XDG_CACHE_HOME/gpoctl/gpos/DOMAIN.json`.

use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::directory::GpoObject;
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
    let read = || -> Option<Vec<Known>> {
        let domain: DomainName = domain.parse().ok()?;
        let path = folder()?.join(file_name(&domain));
        let metadata = path.symlink_metadata().ok()?;
        if !metadata.is_file() || metadata.len() > MAX_BYTES {
            return None;
        }
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    };
    let known = read().unwrap_or_default();
    known.into_iter().map(|one| (one.guid, one.name)).collect()
}

fn write(folder: &Path, domain: &DomainName, known: &[Known]) -> std::io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    // A temporary file is readable by its owner only, and replaces a link instead of following it.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(known)?)?;
    file.persist(folder.join(file_name(domain)))
        .map_err(|error| error.error)?;
    Ok(())
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

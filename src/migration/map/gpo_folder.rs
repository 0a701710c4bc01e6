//! UNC paths into the folder of a GPO in the source's SYSVOL. Paths into the GPO's own folder are changed to its folder
//! in the target.

use crate::domain::principals::PrincipalDirectory;
use crate::message::{Code, StatusMessage};
use crate::migration::references::{ReferenceTarget, Rewrite};
use crate::model::guid::Guid;
use crate::model::safe_name::RelPath;
use crate::model::snapshot::GpoSnapshot;
use crate::model::unc_path::{GpoFolder, UncPath};

use super::MapOptions;

/// A path into the folder of a GPO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GpoPath {
    /// Into the folder of the snapshot's own GPO.
    Own {
        /// The same path in the target GPO's folder; `None` when the target GPO is not known.
        to: Option<String>,
        /// The path within the folder, if the snapshot has no such file or folder.
        missing: Option<String>,
    },
    /// Into the folder of another GPO of the source domain.
    Other(Guid),
}

/// Whether a reference is a path into the folder of the snapshot's own GPO, which needs no row.
pub(in crate::migration) fn is_own_path(target: &ReferenceTarget, snapshot: &GpoSnapshot) -> bool {
    let ReferenceTarget::Unc { text, .. } = target else {
        return false;
    };
    text.parse::<UncPath>().is_ok_and(|path| {
        folder_of(&path, snapshot).is_some_and(|folder| folder.guid == snapshot.guid)
    })
}

/// The parts of a path into the folder of a GPO of the snapshot's domain.
fn folder_of<'a>(path: &'a UncPath, snapshot: &GpoSnapshot) -> Option<GpoFolder<'a>> {
    let source = snapshot.domain.lower();
    path.gpo_folder()
        .filter(|folder| is_domain(folder.domain, &source) && is_host_of(folder.server, &source))
}

impl GpoPath {
    /// Parses a reference; `None` unless it is a path into the folder of a GPO of the snapshot's domain.
    pub(super) fn of(
        target: &ReferenceTarget,
        snapshot: &GpoSnapshot,
        options: &MapOptions,
        directory: &dyn PrincipalDirectory,
    ) -> Option<Self> {
        let ReferenceTarget::Unc { text, .. } = target else {
            return None;
        };
        let path: UncPath = text.parse().ok()?;
        let folder = folder_of(&path, snapshot)?;
        if folder.guid != snapshot.guid {
            return Some(Self::Other(folder.guid));
        }
        let domain = directory.dns_domain().to_lowercase();
        // The client expands `%USERDNSDOMAIN%` and similar variables in its own domain.
        let keep = |part: &str| part.contains('%').then(|| part.to_owned());
        let to = options.target_gpo.map(|guid| {
            format!(
                "\\\\{}\\{}\\{}\\{}\\{guid}{}",
                keep(folder.server).unwrap_or_else(|| domain.clone()),
                folder.share,
                keep(folder.domain).unwrap_or_else(|| domain.clone()),
                folder.policies,
                folder.rest
            )
        });
        let inside = folder.rest.trim_matches('\\');
        let there = inside
            .parse::<RelPath>()
            .is_ok_and(|path| path.is_root() || snapshot.tree.contains(&path.to_string()));
        // The value of a variable is not known here.
        let missing = !there && !inside.contains('%');
        Some(Self::Own {
            to,
            missing: missing.then(|| inside.to_owned()),
        })
    }

    /// What becomes of a reference without a row.
    pub(super) fn rewrite(&self, target: &ReferenceTarget) -> Rewrite {
        match (self, target) {
            (Self::Own { to: Some(to), .. }, ReferenceTarget::Unc { text, .. })
                if to.to_lowercase() != text.to_lowercase() =>
            {
                Rewrite::Unc(to.clone())
            }
            _ => Rewrite::Keep,
        }
    }

    /// Whether a reference needs no row, because it is changed to the folder of the target GPO.
    pub(super) fn is_followed(&self) -> bool {
        matches!(self, Self::Own { to: Some(_), .. })
    }

    /// The finding for a reference without a row. `stays`: it is not rewritten; `same_domain`: the source is the
    /// target.
    pub(super) fn finding(
        &self,
        shown: &str,
        stays: bool,
        same_domain: bool,
    ) -> Option<StatusMessage> {
        match self {
            Self::Own { to: Some(to), missing } if !stays => Some(match missing {
                None => StatusMessage::info(
                    Code::OwnFolderFollowed,
                    format!("{shown} is in the GPO's own folder and becomes \"{to}\""),
                ),
                Some(inside) => StatusMessage::warning(
                    Code::OwnFolderFileMissing,
                    format!("{shown} is in the GPO's own folder and becomes \"{to}\", but {inside} does not exist in the GPO"),
                )
                .with_hint("copy the file there after the import"),
            }),
            // The target is the GPO of the snapshot.
            Self::Own { to: Some(_), .. } => None,
            Self::Own { to: None, .. } => Some(
                StatusMessage::warning(
                    Code::OwnFolderLeft,
                    format!("{shown} is left unchanged and points into the GPO's folder in the source domain"),
                )
                .with_hint("add a row for it to the migration table"),
            ),
            Self::Other(_) if same_domain => None,
            Self::Other(guid) => Some(
                StatusMessage::warning(
                    Code::OtherGpoFolder,
                    format!("{shown} is left unchanged and points into the folder of another GPO of the source domain, {guid}"),
                )
                .with_hint("add a row that maps it to the location of the file in the target domain"),
            ),
        }
    }
}

fn is_domain(text: &str, domain: &str) -> bool {
    text.eq_ignore_ascii_case(domain) || text.contains('%')
}

/// Whether a server can be a DC of the domain: its name, a host of it, or a name without a domain.
fn is_host_of(server: &str, domain: &str) -> bool {
    let server = server.to_lowercase();
    is_domain(&server, domain)
        || !server.contains('.')
        || server
            .strip_suffix(domain)
            .is_some_and(|host| host.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_a_domain() {
        for host in [
            "src.test",
            "SRC.test",
            "dc1.src.test",
            "DC1",
            "%USERDNSDOMAIN%",
        ] {
            assert!(is_host_of(host, "src.test"), "{host}");
        }
        for host in ["evilsrc.test", "dst.test", "src.test.evil.test", "10.0.0.1"] {
            assert!(!is_host_of(host, "src.test"), "{host}");
        }
    }
}

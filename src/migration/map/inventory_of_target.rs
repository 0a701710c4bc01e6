//! The inventory of the mapped snapshot: its `principals` and `file_paths`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::migration::inventory::SourcePrincipal;
use crate::migration::references::{ReferenceTarget, Rewrite};
use crate::model::principal::Principal;
use crate::model::sid::Sid;
use crate::model::snapshot::{GpoSnapshot, InventoryPrincipal};

use super::MapOptions;
use super::resolution::Decision;
use super::rows::{RowMatcher, new_path};

/// The principals that the snapshot names once its references are rewritten.
pub(super) fn principals(
    snapshot: &GpoSnapshot,
    decisions: &[Arc<Decision<'_>>],
    options: &MapOptions,
) -> Vec<InventoryPrincipal> {
    let mut by_identity: HashMap<String, &Decision<'_>> = HashMap::new();
    for decision in decisions
        .iter()
        .filter(|decision| decision.reference.in_scope)
    {
        let Some(identity) = &decision.reference.identity else {
            continue;
        };
        // A bare name may have its own row, which does not apply to the principal.
        if matches!(decision.reference.target, ReferenceTarget::Name(_)) {
            by_identity.entry(identity.describe()).or_insert(decision);
        } else {
            by_identity.insert(identity.describe(), decision);
        }
    }
    let mut seen: HashSet<(String, bool)> = HashSet::new();
    let entries = snapshot.principals.iter().filter_map(|entry| {
        let decision = by_identity
            .get(&SourcePrincipal::of(&entry.principal).describe())
            .filter(|_| !entry.from_dacl || options.dacl);
        let principal = match decision {
            None => entry.principal.clone(),
            Some(decision) => new_principal(decision, &entry.principal)?,
        };
        Some(InventoryPrincipal {
            principal,
            from_dacl: entry.from_dacl,
        })
    });
    entries
        .filter(|new| {
            let name = new.principal.down_level_name();
            let key = format!("{:?} {name}", new.principal.sid);
            seen.insert((key.to_lowercase(), new.from_dacl))
        })
        .collect()
}

/// The principal that a decision makes of this one; `None` when it is removed.
fn new_principal(decision: &Decision<'_>, old: &Principal) -> Option<Principal> {
    match &decision.rewrite {
        Rewrite::Keep | Rewrite::Unc(_) => Some(old.clone()),
        Rewrite::Remove => None,
        Rewrite::Principal { sid, name } => Some(match (&decision.principal, sid) {
            (Some(found), _) => found.clone(),
            (None, Some(sid)) if name.parse::<Sid>().is_ok() => Principal::unresolved(sid.clone()),
            (None, sid) => Principal {
                sid: sid.clone(),
                ..Principal::named(name)
            },
        }),
    }
}

/// The paths that the snapshot names once its references are rewritten.
pub(super) fn file_paths(
    snapshot: &GpoSnapshot,
    decisions: &[Arc<Decision<'_>>],
    matcher: &RowMatcher<'_>,
) -> Vec<String> {
    let in_scope = || {
        decisions
            .iter()
            .filter(|decision| decision.reference.in_scope)
    };
    let used_rows: HashSet<usize> = in_scope()
        .filter_map(|decision| Some(decision.row?.number))
        .collect();
    // Paths into the GPO's own folder, which have no row.
    let followed: HashMap<String, &String> = in_scope()
        .filter(|decision| decision.row.is_none())
        .filter_map(
            |decision| match (&decision.reference.target, &decision.rewrite) {
                (ReferenceTarget::Unc { text, .. }, Rewrite::Unc(to)) => {
                    Some((text.to_lowercase(), to))
                }
                _ => None,
            },
        )
        .collect();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let new = snapshot.file_paths.iter().map(|path| {
        matcher
            .unc(path, path)
            .filter(|found| used_rows.contains(&found.row.number))
            .and_then(|found| new_path(found.row, &found.rest))
            .or_else(|| followed.get(&path.to_lowercase()).map(|to| (*to).clone()))
            .unwrap_or_else(|| path.clone())
    });
    new.filter(|path| seen.insert(path.to_lowercase()))
        .collect()
}

//! The title of an undo.

use crate::plan::Plan;
use crate::plan::values::{ObjectNames, ValueChange};

/// What is undone, for a list of operations: the verb and the GPO, or the first change with the names of what it changes.
pub(super) fn title(done: &Plan, names: &ObjectNames) -> String {
    // Without the permissions themselves, which fill lines.
    let line = |change: &ValueChange, line: String| match (change, line.split_once(": ")) {
        (ValueChange::Descriptors { .. }, Some((what, _))) => what.to_owned(),
        _ => line,
    };
    let lines = || {
        done.values().flat_map(|it| {
            let lines = it.change.describe(names).into_iter();
            lines.map(|text| line(&it.change, text))
        })
    };
    let more = lines().count().saturating_sub(1);
    match lines().next() {
        Some(first) if done.gpos().next().is_none() => {
            let first = first.trim_start_matches(['+', '-', '~', ' ']);
            match more {
                0 => format!("undo {first}"),
                1 => format!("undo {first}, and 1 more change"),
                _ => format!("undo {first}, and {more} more changes"),
            }
        }
        _ => format!("undo {}", done.title),
    }
}

//! The title of an undo.

use crate::plan::Plan;
use crate::plan::values::{ObjectNames, ValueChange};

/// What is undone, for a list of operations: the verb and the GPO, or the first change with the names of what it changes.
pub(super) fn title(done: &Plan, names: &ObjectNames) -> String {
    let first = done
        .values()
        .next()
        .filter(|_| done.gpos().next().is_none());
    let Some(first) = first.map(|it| &it.change) else {
        return format!("undo {}", done.title);
    };
    let lines = first.describe(names);
    let line = lines.first().map(String::as_str).unwrap_or_default();
    let line = line.trim_start_matches(['+', '-', '~', ' ']);
    let what = match first {
        // Without the permissions themselves, which fill lines.
        ValueChange::Descriptors { .. } => line.split(": O:").next().unwrap_or(line),
        _ => line,
    };
    match done.values().count() {
        0 | 1 => format!("undo {what}"),
        2 => format!("undo {what}, and 1 more change"),
        all => format!("undo {what}, and {} more changes", all - 1),
    }
}

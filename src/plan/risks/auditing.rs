//! Auditing that a GPO switches off: the categories of GptTmpl.inf [MS-GPSB 2.2.4] and the subcategories of audit.csv [MS-GPAC
//! 2.2.1.2]. T1562.002, Disable Windows Event Logging.

use bytes::Bytes;

use super::{Risk, RiskKind, registry};
use crate::formats::audit_csv::{AuditCsv, AuditField};
use crate::model::reference::Place;
use crate::model::safe_name::RelPath;

/// What a line of `[Event Audit]` switches off.
pub(super) fn category(key: &str, value: &str) -> Option<String> {
    let is_category = key
        .get(..5)
        .is_some_and(|begin| begin.eq_ignore_ascii_case("audit"));
    (is_category && registry::number(value) == Some(0)).then(|| format!("{key} = {value}"))
}

/// What a file switches off, all in one: most files have a line for each of the sixty subcategories. `None` when it cannot be read.
pub(super) fn risks(path: &RelPath, content: &Bytes) -> Option<Vec<Risk>> {
    let file = AuditCsv::parse(content).ok()?;
    let mut off = Vec::new();
    let mut first = None;
    for (line, fields) in file.settings() {
        if let Some(what) = switched_off(&fields) {
            first.get_or_insert(line.number);
            off.push(what);
        }
    }
    Some(
        first
            .map(|line| Risk {
                kind: RiskKind::LoggingOff,
                text: format!("not audited: {}", off.join(", ")),
                place: Place::file(path.to_string()).line(line),
            })
            .into_iter()
            .collect(),
    )
}

/// The subcategory that a line switches off, for everybody or for one user.
fn switched_off(fields: &[AuditField]) -> Option<String> {
    let field = |number: usize| fields.get(number).map_or("", |field| field.value.trim());
    let (target, name, guid) = (field(1), field(2), field(3));
    // Options and global access lists have no GUID.
    if guid.is_empty() {
        return None;
    }
    if target.is_empty() || target.eq_ignore_ascii_case("system") {
        // Windows writes 0 for "No Auditing"; 4 is POLICY_AUDIT_EVENT_NONE [MS-LSAD 2.2.4.4].
        let off = matches!(field(6), "0" | "4") || field(4).eq_ignore_ascii_case("no auditing");
        return off.then(|| name.to_owned());
    }
    let excluded = field(5);
    let off = !excluded.is_empty() && !excluded.eq_ignore_ascii_case("not specified");
    off.then(|| format!("{name} of {target}"))
}

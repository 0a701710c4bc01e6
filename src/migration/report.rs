//! What a mapping did: every reference with its place, the row that named it, and what became of it.

use crate::message::StatusMessage;
use crate::model::reference::Reference;
use crate::model::sid::Sid;

/// What became of a reference.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcome {
    /// It stays as it is.
    Kept,
    /// It stays as it is because its place is outside the chosen scope.
    OutOfScope,
    /// It names something else now.
    Replaced {
        /// The new UNC path, or the principal as `DOMAIN\name`, by its English name, or as text.
        by: String,
        /// The principal's new SID.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        sid: Option<Sid>,
    },
    /// It was taken out of the setting.
    Removed,
}

/// One reference and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MappedReference {
    /// The reference as it stood.
    #[serde(flatten)]
    pub reference: Reference,
    /// The line of the row that named it, from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub row_line: Option<u64>,
    /// What became of it.
    pub outcome: Outcome,
}

/// How many references came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// All references.
    pub references: usize,
    /// Those that name something else now.
    pub replaced: usize,
    /// Those that were taken out.
    pub removed: usize,
    /// Those that stay, by a row or for lack of one.
    pub kept: usize,
    /// Those that stay because their place is outside the chosen scope.
    pub out_of_scope: usize,
    /// Those of `kept` that no row named.
    pub without_row: usize,
}

/// What a mapping did.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct MappingReport {
    /// Every reference, in the order of the files and of the places in them.
    pub references: Vec<MappedReference>,
    /// What was noticed.
    pub messages: Vec<StatusMessage>,
    /// The sums.
    pub counts: Counts,
}

impl MappingReport {
    /// Adds a reference and counts it.
    pub(super) fn add(&mut self, mapped: MappedReference) {
        let counts = &mut self.counts;
        let count = match &mapped.outcome {
            Outcome::Kept => &mut counts.kept,
            Outcome::OutOfScope => &mut counts.out_of_scope,
            Outcome::Replaced { .. } => &mut counts.replaced,
            Outcome::Removed => &mut counts.removed,
        };
        *count = count.saturating_add(1);
        counts.references = counts.references.saturating_add(1);
        if mapped.outcome == Outcome::Kept && mapped.row_line.is_none() {
            counts.without_row = counts.without_row.saturating_add(1);
        }
        self.references.push(mapped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reference::{Place, ReferenceKind, Scope};

    #[test]
    fn goes_through_json() {
        let mut report = MappingReport::default();
        report.add(MappedReference {
            reference: Reference {
                kind: ReferenceKind::Principal,
                value: "S-1-5-21-1-2-3-4".to_owned(),
                sid: "S-1-5-21-1-2-3-4".parse().ok(),
                name: Some("SRC\\a".to_owned()),
                principal_type: None,
                place: Place::file("f").line(3),
                scope: Scope::Gpmc,
                from_dacl: false,
            },
            row_line: Some(7),
            outcome: Outcome::Replaced {
                by: "DST\\b".to_owned(),
                sid: "S-1-5-21-9-9-9-4".parse().ok(),
            },
        });
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["references"][0]["outcome"]["result"], "replaced");
        assert_eq!(json["references"][0]["sid"], "S-1-5-21-1-2-3-4");
        assert_eq!(json["counts"]["replaced"], 1);
        assert_eq!(
            serde_json::from_value::<MappingReport>(json).unwrap(),
            report
        );
    }
}

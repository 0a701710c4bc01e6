//! The report of a mapping: every reference with its place, its row and its outcome.

use crate::message::StatusMessage;
use crate::model::reference::Reference;
use crate::model::sid::Sid;

use super::references::Rewrite;

/// The outcome of a reference.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// Left unchanged.
    Kept,
    /// Left unchanged because its place is outside the chosen scope.
    OutOfScope,
    /// Replaced.
    Replaced {
        /// The new UNC path, or the principal as `DOMAIN\name`, by its English name, or as text.
        by: String,
        /// The principal's new SID.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        sid: Option<Sid>,
    },
    /// Removed from the setting.
    Removed,
}

impl Outcome {
    /// The outcome of a reference that is given this new value.
    pub(super) fn of(rewrite: &Rewrite) -> Self {
        match rewrite {
            Rewrite::Keep => Self::Kept,
            Rewrite::Principal { sid, name } => Self::Replaced {
                by: name.clone(),
                sid: sid.clone(),
            },
            Rewrite::Unc(path) => Self::Replaced {
                by: path.clone(),
                sid: None,
            },
            Rewrite::Remove => Self::Removed,
        }
    }
}

/// A reference and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct MappedReference {
    /// The original reference.
    #[serde(flatten)]
    pub reference: Reference,
    /// The line of its row, from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub row_line: Option<u64>,
    /// Its outcome.
    pub outcome: Outcome,
}

/// The number of references by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// All references.
    pub references: usize,
    /// Replaced references.
    pub replaced: usize,
    /// Removed references.
    pub removed: usize,
    /// References that are unchanged, by a row or because they have none.
    pub kept: usize,
    /// References that are unchanged because their place is outside the chosen scope.
    pub out_of_scope: usize,
    /// The references among `kept` without a row.
    pub without_row: usize,
}

/// The report of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct MappingReport {
    /// Every reference, ordered by file and place.
    pub references: Vec<MappedReference>,
    /// Findings.
    pub messages: Vec<StatusMessage>,
    /// The counts.
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
    fn round_trips_through_json() {
        let mut report = MappingReport::default();
        report.add(MappedReference {
            reference: Reference {
                kind: ReferenceKind::Principal,
                value: "S-1-5-21-1-2-3-4".to_owned(),
                sid: "S-1-5-21-1-2-3-4".parse().ok(),
                name: Some("SRC\\a".into()),
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

//! Templates: tables with `%name%` placeholders.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::formats::migtable::{Destination, EntryType, MigTable, Row};
use crate::message::{Code, Severity, StatusMessage, printable};

use super::table::MigrationTable;
use super::variables::{is_client_variable, is_left_in_principal, names, placeholders};

/// The values of a template's placeholders. Names are not case-sensitive.
#[derive(Debug, Clone, Default)]
pub struct Definitions(BTreeMap<String, Definition>);

#[derive(Debug, Clone)]
struct Definition {
    name: String,
    value: String,
}

/// The result of filling in a template.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FilledTemplate {
    /// The table.
    pub table: MigTable,
    /// The number of changed rows.
    pub changed: usize,
    /// The defined names that do not occur in the template, as given.
    pub unused: Vec<String>,
}

impl Definitions {
    /// Adds a value. The name may be enclosed in percent signs.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the name already has a value, is empty, or cannot be a placeholder.
    pub fn define(&mut self, name: &str, value: &str) -> Result<()> {
        let bare = name
            .strip_prefix('%')
            .and_then(|name| name.strip_suffix('%'))
            .unwrap_or(name);
        let fail = |text: String| Err(Error::new(ErrorKind::Usage, text));
        if bare.is_empty() || bare.contains(['%', '\\', '@']) {
            return fail(format!(
                "\"{}\" cannot be the name of a placeholder",
                printable(name)
            ));
        }
        let definition = Definition {
            name: bare.to_owned(),
            value: value.to_owned(),
        };
        match self.0.insert(bare.to_lowercase(), definition) {
            None => Ok(()),
            Some(_) => fail(format!("%{}% is defined twice", printable(bare))),
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0
            .get(&name.to_lowercase())
            .map(|definition| definition.value.as_str())
    }
}

/// Replaces placeholders by their values in sources and destinations; all other bytes are unchanged. A variable
/// that clients complete, and any `%name%` in a source, is a placeholder only when it has a value. `name` is the name of the
/// table in messages.
///
/// # Errors
/// [`ErrorKind::Usage`] when placeholders have no value, each row a detail; [`ErrorKind::BadInput`] when a row cannot
/// be written with its values, or cannot be used in any domain, each such row a detail.
pub fn fill(name: &str, template: &MigTable, definitions: &Definitions) -> Result<FilledTemplate> {
    let rows = MigrationTable::new(name, template);
    let mut missing: BTreeMap<String, String> = BTreeMap::new();
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut details = Vec::new();
    for (row, shown) in template.rows().iter().zip(rows.rows()) {
        for placeholder in names(&row.source) {
            used.insert(placeholder.to_lowercase());
        }
        let Destination::Set(text) = &row.destination else {
            continue;
        };
        let mut undefined = Vec::new();
        for placeholder in names(text) {
            used.insert(placeholder.to_lowercase());
            if definitions.value(placeholder).is_none() && !is_left_unchanged(row, placeholder) {
                undefined.push(format!("%{}%", printable(placeholder)));
                missing
                    .entry(placeholder.to_lowercase())
                    .or_insert_with(|| placeholder.to_owned());
            }
        }
        if !undefined.is_empty() {
            details.push(
                StatusMessage::error(
                    Code::LeftoverPlaceholder,
                    format!(
                        "destination \"{}\": {} has no value",
                        printable(text),
                        undefined.join(", ")
                    ),
                )
                .at(rows.place(shown)),
            );
        }
    }
    if !missing.is_empty() {
        let list: Vec<String> = missing
            .values()
            .map(|name| format!("%{}%", printable(name)))
            .collect();
        return Err(Error::new(
            ErrorKind::Usage,
            "placeholders of the template have no value",
        )
        .with_source(list.join(", "))
        .with_hint("define a value for each of them")
        .with_remedy(Remedy::DefinePlaceholders)
        .with_details(details));
    }
    let mut table = template.clone();
    let changed = table
        .map_texts(|_, text| replaced(text, definitions))
        .map_err(|cause| {
            Error::new(
                ErrorKind::BadInput,
                format!("migration table {}: {cause}", printable(name)),
            )
            .with_hint("correct the values; nothing was written")
        })?;
    let faults: Vec<StatusMessage> = MigrationTable::new(name, &table)
        .validate()
        .into_iter()
        .filter(|finding| {
            finding.severity == Severity::Error && finding.code != Code::LeftoverPlaceholder
        })
        .collect();
    if let Some(first) = faults.first() {
        return Err(Error::new(
            ErrorKind::BadInput,
            format!(
                "the values produce rows that cannot be used: {}",
                first.text
            ),
        )
        .with_hint("correct the values; nothing was written")
        .with_details(faults));
    }
    let unused = definitions
        .0
        .iter()
        .filter(|(key, _)| !used.contains(*key))
        .map(|(_, definition)| definition.name.clone())
        .collect();
    Ok(FilledTemplate {
        table,
        changed,
        unused,
    })
}

/// Whether a variable without a value is left unchanged.
fn is_left_unchanged(row: &Row, name: &str) -> bool {
    match row.kind {
        EntryType::UncPath => is_client_variable(&name.to_lowercase(), &row.source.to_lowercase()),
        EntryType::Principal(_) => is_left_in_principal(&name.to_lowercase()),
    }
}

/// Replaces the placeholders of a text. Values are not expanded again.
fn replaced(text: &str, definitions: &Definitions) -> String {
    let mut new = String::with_capacity(text.len());
    let mut done = 0;
    for span in placeholders(text) {
        let whole = text.get(span.clone()).unwrap_or_default();
        let value = definitions.value(whole.trim_matches('%'));
        new.push_str(text.get(done..span.start).unwrap_or_default());
        new.push_str(value.unwrap_or(whole));
        done = span.end;
    }
    new.push_str(text.get(done..).unwrap_or_default());
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::principal::PrincipalType;

    const GROUP: EntryType = EntryType::Principal(PrincipalType::GlobalGroup);

    fn template(rows: &[(EntryType, &str, &str)]) -> MigTable {
        let mut table = MigTable::new();
        for (kind, source, destination) in rows {
            let destination = Destination::Set((*destination).to_owned());
            table.set(source, *kind, destination).unwrap();
        }
        table
    }

    fn definitions(list: &[(&str, &str)]) -> Definitions {
        let mut definitions = Definitions::default();
        for (name, value) in list {
            definitions.define(name, value).unwrap();
        }
        definitions
    }

    #[test]
    fn placeholders_are_replaced_and_variables_kept() {
        let table = template(&[
            (GROUP, "%old%\\a", "%NetBios%\\%t0-global%"),
            (GROUP, "b@src.test", "100% sure\\50%"),
            (
                EntryType::UncPath,
                "\\\\fs1\\%Dept%\\x",
                "\\\\%server%\\%DEPT%\\%USERNAME%",
            ),
        ]);
        let values = definitions(&[
            ("netbios", "DST"),
            ("%T0-Global%", "%netbios%"),
            ("server", "fs9"),
            ("old", "SRC"),
            ("never", "x"),
        ]);
        let filled = fill("t", &table, &values).unwrap();
        let rows: Vec<(&str, &Destination)> = filled
            .table
            .rows()
            .iter()
            .map(|row| (row.source.as_str(), &row.destination))
            .collect();
        let set = |text: &str| Destination::Set(text.to_owned());
        assert_eq!(
            rows,
            [
                ("SRC\\a", &set("DST\\%netbios%")),
                ("b@src.test", &set("100% sure\\50%")),
                ("\\\\fs1\\%Dept%\\x", &set("\\\\fs9\\%DEPT%\\%USERNAME%")),
            ]
        );
        assert_eq!(
            (filled.changed, filled.unused),
            (2, vec!["never".to_owned()])
        );
    }

    #[test]
    fn placeholders_without_a_value_are_listed() {
        let table = template(&[
            (GROUP, "a@b", "%x%@%y%"),
            (GROUP, "c@b", "%X%@d"),
            (GROUP, "%z%\\e", "f"),
        ]);
        let error = fill("t", &table, &definitions(&[("y", "v")])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(
            error.to_string(),
            "placeholders of the template have no value: %x%"
        );
        let lines: Vec<u64> = error
            .details()
            .iter()
            .map(|detail| detail.place.as_ref().unwrap().line.unwrap())
            .collect();
        assert_eq!(lines, [3, 8]);
    }

    #[test]
    fn values_that_break_a_row_are_refused() {
        let table = template(&[(GROUP, "%a%@b", "c"), (GROUP, "d@b", "%v%")]);
        for (values, sentence) in [
            (
                [("a", "d"), ("v", "w")],
                "migration table t: the row for \"d@b\" cannot be written: line 10, column 5: source \"d@b\" already has a row in line 5",
            ),
            (
                [("a", "e"), ("v", "")],
                "migration table t: the row for \"d@b\" cannot be written: its destination is empty",
            ),
        ] {
            let error = fill("t", &table, &definitions(&values)).unwrap_err();
            assert_eq!(error.message(), sentence);
        }
        let table = template(&[(EntryType::UncPath, "\\\\fs1\\a", "\\\\%server%\\a")]);
        let error = fill("t", &table, &definitions(&[("server", "")])).unwrap_err();
        assert_eq!(
            error.message(),
            "the values produce rows that cannot be used: destination \"\\\\\\a\" is not a UNC path"
        );
        let mut values = definitions(&[("a", "b")]);
        for (name, value) in [("A", "c"), ("", "c"), ("%", "c"), ("a\\b", "c")] {
            assert_eq!(
                values.define(name, value).unwrap_err().kind(),
                ErrorKind::Usage
            );
        }
    }
}

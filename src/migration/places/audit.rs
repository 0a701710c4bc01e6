//! References in audit.csv: the SACLs for all files and all registry keys, and whatever else names a principal or a path.

use bytes::Bytes;

use super::text::{Context, Outcome};
use crate::formats::audit_csv::{self, AuditCsv};
use crate::formats::ini::{IniFile, splice};
use crate::model::reference::{Place, Scope};

/// Visits the fields of every line in order.
pub(super) fn visit(
    file: &str,
    bytes: &Bytes,
    context: &mut Context<'_, '_>,
) -> Result<IniFile, String> {
    let audit = AuditCsv::parse(bytes).map_err(|error| error.to_string())?;
    let mut new = audit.lines.clone();
    for (line, fields) in audit.settings() {
        let name = fields.get(2).map_or("", |field| field.value.as_str());
        let place = Place::file(file).key(name).line(line.number);
        let mut text = line.text.to_owned();
        let outcomes: Vec<_> = fields
            .iter()
            .map(|field| context.free_text(&field.value, &place, Scope::All))
            .collect();
        // From the back, so that the places of the others stay right.
        for (field, outcome) in fields.iter().zip(outcomes).rev() {
            match outcome {
                Outcome::Unchanged => {}
                Outcome::Changed(value) => {
                    let quoted = line
                        .text
                        .get(field.span.clone())
                        .is_some_and(|raw| raw.starts_with('"'));
                    let value = audit_csv::written(&value, quoted);
                    text = splice(&text, field.span.clone(), &value);
                }
                Outcome::Dropped => context.cannot_remove(&field.value, &place),
            }
        }
        if text != line.text {
            new.set_text(line.number, text);
        }
    }
    Ok(new)
}

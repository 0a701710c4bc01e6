//! References in audit.csv: the SACLs for all files and all registry keys, and any other principal or path.

use bytes::Bytes;

use super::context::Context;
use super::text::{RewrittenText, apply};
use crate::formats::audit_csv::{self, AuditCsv};
use crate::formats::ini::IniFile;
use crate::model::reference::{Place, Scope};
use crate::model::shared_text::SharedText;

/// Visits the fields of every line in order.
pub(super) fn visit(
    file: &SharedText,
    bytes: &Bytes,
    context: &mut Context<'_, '_>,
) -> Result<IniFile, String> {
    let audit = AuditCsv::parse(bytes).map_err(|error| error.to_string())?;
    let mut new = audit.lines.clone();
    for (line, fields) in audit.settings() {
        let name = fields.get(2).map_or("", |field| field.value.as_str());
        let place = Place::file(file).key(name).line(line.number);
        let mut edits = Vec::new();
        for field in &fields {
            match context.free_text(&field.value, &place, Scope::All) {
                RewrittenText::Unchanged => {}
                RewrittenText::Changed(value) => {
                    let quoted = line
                        .text
                        .get(field.span.clone())
                        .is_some_and(|raw| raw.starts_with('"'));
                    edits.push((field.span.clone(), audit_csv::field_text(&value, quoted)));
                }
                RewrittenText::Removed => context.refuse_removal(&field.value, &place),
            }
        }
        if !edits.is_empty() {
            let (text, _) = apply(line.text, edits);
            new.set_text(line.number, text);
        }
    }
    Ok(new)
}

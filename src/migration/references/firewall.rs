//! References in firewall rules: the authorized principals, the owner and the program of a rule.

use super::context::{Context, TextRewrite};
use super::text::{RewrittenText, apply, may_hold_reference};
use crate::formats::firewall_rule::{FieldKind, RuleField};
use crate::model::reference::{Place, Scope};

/// Visits the fields of a rule in order. Each value is visited alone, so that a path may contain blanks and no
/// neighboring text becomes part of a reference.
pub(super) fn visit(
    text: &str,
    fields: &[RuleField<'_>],
    place: &Place,
    context: &mut Context<'_, '_>,
) -> RewrittenText {
    let mut edits = Vec::new();
    for field in fields {
        let value = text.get(field.value.clone()).unwrap_or_default();
        if !may_hold_reference(value) {
            continue;
        }
        let key = place.key.as_deref().unwrap_or_default();
        let key = context.within_budget(format!("{key} {}", field.name));
        let place = place.clone().key(key);
        let outcome = match (field.kind, value.parse()) {
            (FieldKind::Sid, Ok(sid)) => match context.sid(&sid, value, &place, Scope::All) {
                TextRewrite::Keep => RewrittenText::Unchanged,
                TextRewrite::Replace(text) => RewrittenText::Changed(text),
                TextRewrite::Remove => RewrittenText::Removed,
            },
            _ => context.free_text(value, &place, Scope::All),
        };
        match outcome {
            RewrittenText::Unchanged => {}
            // A `|` would end the field.
            RewrittenText::Changed(text) if text.contains('|') => {
                context.refuse_path(&text, value, &place)
            }
            RewrittenText::Changed(text) => edits.push((field.value.clone(), text)),
            // Without the field, the rule would apply to everyone or to every program.
            RewrittenText::Removed => context.refuse_removal(value, &place),
        }
    }
    if edits.is_empty() {
        return RewrittenText::Unchanged;
    }
    let (new, _) = apply(text, edits);
    RewrittenText::Changed(new)
}

//! References in scripts.ini and psscripts.ini.

use bytes::Bytes;

use super::context::{Context, TextRewrite};
use super::other_lines;
use super::text::RewrittenText;
use super::unc_search::{leading_unc_path, unit_of};
use crate::formats::gpt_tmpl::unquoted;
use crate::formats::ini::{IniFile, splice};
use crate::formats::scripts::{ScriptPart, Scripts};
use crate::model::reference::{Place, Scope};
use crate::model::shared_text::SharedText;

/// Visits the scripts in order of the lines. `scope` is the scope of commands that are UNC paths: GPMC maps only those
/// of scripts.ini.
pub(super) fn visit(
    file: &SharedText,
    bytes: &Bytes,
    scope: Scope,
    context: &mut Context<'_, '_>,
) -> Result<IniFile, String> {
    let scripts = Scripts::parse(bytes).map_err(|error| error.to_string())?;
    let mut new = scripts.ini.clone();
    let mut known = scripts.scripts().peekable();
    for line in scripts.ini.lines() {
        let Some((_, script)) = known.next_if(|(known, _)| known.number == line.number) else {
            other_lines::visit(file, &line, &mut new, context);
            continue;
        };
        let key = line.pair().map(|(key, _)| key).unwrap_or_default();
        let place = Place::file(file)
            .section(context.shared(line.section.unwrap_or_default()))
            .key(key)
            .line(line.number);
        let inside = unquoted(line.text, script.value.clone());
        let path = line.text.get(inside.clone()).unwrap_or_default();
        let command = script.part == ScriptPart::CommandLine;
        if let Some((head, tail)) = leading_unc_path(path).filter(|_| command) {
            let unit = unit_of(&head, tail);
            match context.unc(head.as_str(), unit.as_str(), &place, scope) {
                TextRewrite::Keep => {}
                TextRewrite::Replace(to) => {
                    let to = [&to, tail].concat();
                    new.set_text(line.number, splice(line.text, inside, &to));
                }
                TextRewrite::Remove => context.refuse_removal(path, &place),
            }
            continue;
        }
        let value = line.text.get(script.value.clone()).unwrap_or_default();
        match context.free_text(value, &place, Scope::All) {
            RewrittenText::Unchanged => {}
            RewrittenText::Changed(text) => {
                new.set_text(line.number, splice(line.text, script.value, &text));
            }
            RewrittenText::Removed if script.part == ScriptPart::Parameters => {
                new.set_text(line.number, splice(line.text, script.value, ""));
            }
            RewrittenText::Removed => context.refuse_removal(value, &place),
        }
    }
    Ok(new)
}

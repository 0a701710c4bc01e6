//! The scripts of scripts.ini and psscripts.ini.

use std::collections::HashMap;

use bytes::Bytes;

use super::list::RiskList;
use super::{Risk, RiskKind, place};
use crate::formats::ini::IniLine;
use crate::formats::scripts::{ScriptLine, ScriptPart, Scripts};
use crate::model::safe_name::RelPath;

/// The most bytes of the name of a section in the text of a risk; those that a client reads are shorter.
const MOST_OF_SECTION: usize = 80;

/// The risks of a file; `None` when it does not parse.
pub(super) fn risks(path: &RelPath, content: &Bytes) -> Option<Vec<Risk>> {
    let file = Scripts::parse(content).ok()?;
    let parameters: HashMap<(Option<&str>, u32), &str> = file
        .scripts()
        .filter(|(_, script)| script.part == ScriptPart::Parameters)
        .filter_map(|(line, script)| {
            let value = line.text.get(script.value)?;
            Some(((line.section, script.index), value))
        })
        .collect();
    let risk = |(line, script): (IniLine<'_>, ScriptLine)| {
        if script.part != ScriptPart::CommandLine {
            return None;
        }
        let command = line.text.get(script.value)?;
        let with = parameters.get(&(line.section, script.index));
        let with = with.filter(|with| !with.is_empty());
        let with = with.map(|with| format!(" {with}")).unwrap_or_default();
        // A section with a name of a megabyte would be repeated for each of its lines.
        let when = line.section.unwrap_or_default();
        let when = when.get(..when.floor_char_boundary(MOST_OF_SECTION));
        let when = when.unwrap_or_default().to_lowercase();
        let key = line.pair().map(|(key, _)| key).unwrap_or_default();
        let in_netlogon = command
            .to_lowercase()
            .replace('/', "\\")
            .contains(r"\netlogon\");
        Some(Risk {
            kind: if in_netlogon {
                RiskKind::NetlogonScript
            } else {
                RiskKind::Script
            },
            text: format!("{command}{with} at {when}"),
            place: place(path, &line).key(key),
        })
    };
    let risks: RiskList = file.scripts().filter_map(risk).collect();
    Some(risks.into_vec())
}

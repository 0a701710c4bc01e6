//! References in scripts.ini and psscripts.ini [MS-GPSCR 2.2].

use bytes::Bytes;

use super::text::visit_text;
use super::{Found, FoundTarget, Rewrite, Visited, Visitor};
use crate::formats::ini::splice;
use crate::formats::scripts::{ScriptPart, Scripts};
use crate::model::reference::{Place, Scope};
use crate::model::unc_path::UncPath;

/// Visits every reference of the file. GPMC maps command lines of scripts.ini only, by the folder of the script.
pub(super) fn visit(
    file: &str,
    bytes: &[u8],
    command_scope: Scope,
    visitor: &mut Visitor<'_>,
) -> Result<Visited, String> {
    let mut parsed = Scripts::parse(bytes).map_err(|problem| problem.to_string())?;
    let mut messages = Vec::new();
    let mut edits = Vec::new();
    for (line, script) in parsed.scripts() {
        let place = Place::file(file)
            .section(line.section.unwrap_or_default())
            .key(format!(
                "{}{}",
                script.index,
                match script.part {
                    ScriptPart::CommandLine => "CmdLine",
                    ScriptPart::Parameters => "Parameters",
                }
            ))
            .line(line.number);
        let value = line.text.get(script.value.clone()).unwrap_or_default();
        let path = match script.part {
            ScriptPart::CommandLine => value.parse::<UncPath>().ok(),
            ScriptPart::Parameters => None,
        };
        let new = match path {
            Some(path) => {
                let unit = path.parent().unwrap_or_else(|| path.clone());
                let found = Found {
                    target: FoundTarget::Unc {
                        text: path.to_string(),
                        unit: unit.to_string(),
                    },
                    place,
                    scope: command_scope,
                };
                match visitor(&found) {
                    Rewrite::Unc(new) => Some(new),
                    _ => None,
                }
            }
            None => visit_text(value, &place, Scope::All, visitor, &mut messages),
        };
        edits.extend(new.map(|new| (line.number, splice(line.text, script.value, &new))));
    }
    if edits.is_empty() {
        return Ok(Visited {
            bytes: None,
            messages,
        });
    }
    for (number, text) in edits {
        parsed.ini.set_text(number, text);
    }
    let bytes = parsed.to_bytes().map_err(|problem| problem.to_string())?;
    Ok(Visited {
        bytes: Some(Bytes::from(bytes)),
        messages,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_compared_by_its_folder() {
        let file = b"[Logon]\r\n0CmdLine=\\\\fs1\\netlogon\\a.bat\r\n0Parameters=/from \\\\fs1\\x\r\n1CmdLine=own.cmd\r\n1Parameters=\r\n";
        let mut met = Vec::new();
        let visited = visit("f", file, Scope::Gpmc, &mut |found| {
            if let FoundTarget::Unc { unit, .. } = &found.target {
                met.push((unit.clone(), found.scope));
            }
            Rewrite::Unc("\\\\fs9\\n\\a.bat".to_owned())
        })
        .unwrap();
        assert_eq!(
            met,
            [
                ("\\\\fs1\\netlogon".to_owned(), Scope::Gpmc),
                ("\\\\fs1\\x".to_owned(), Scope::All)
            ]
        );
        let text = String::from_utf8(visited.bytes.unwrap().to_vec()).unwrap();
        assert!(text.starts_with("[Logon]\r\n0CmdLine=\\\\fs9\\n\\a.bat\r\n"));
    }
}

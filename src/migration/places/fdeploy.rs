//! References in fdeploy.ini and fdeploy1.ini [MS-GPFR 2.2].

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use bytes::Bytes;

use super::text::apply;
use super::{Found, FoundTarget, Rewrite, Visited, Visitor};
use crate::formats::fdeploy::{Fdeploy, Redirection};
use crate::formats::ini;
use crate::message::StatusMessage;
use crate::model::reference::{Place, Scope};
use crate::model::sid::Sid;
use crate::model::unc_path::UncPath;

/// What becomes of the SID of one folder: the section of its target follows the list.
enum Fate {
    Renamed(String),
    Removed,
}

/// Visits every reference of the file. A SID stands in the list of a folder and in the name of a section; that is one
/// reference, met in the list.
pub(super) fn visit(
    file: &str,
    bytes: &[u8],
    visitor: &mut Visitor<'_>,
) -> Result<Visited, String> {
    let mut parsed = Fdeploy::parse(bytes).map_err(|problem| problem.to_string())?;
    let mut messages = Vec::new();
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut fates: HashMap<(String, String), Fate> = HashMap::new();
    for (line, redirection) in parsed.redirections() {
        let place = Place::file(file)
            .section(line.section.unwrap_or_default())
            .line(line.number);
        let mut edits = Vec::new();
        match redirection {
            Redirection::Principals { folder, list } => {
                let place = place.key(folder);
                let list = List {
                    text: line.text,
                    folder,
                    span: list,
                };
                edits = list.visit(&place, visitor, &mut fates, &mut messages);
            }
            Redirection::FullPath(span) => {
                edits.extend(visit_path(line.text, span, place.key("FullPath"), visitor));
            }
            Redirection::Path { sid, path } => {
                let key = line.text.get(sid.clone()).unwrap_or_default();
                let place = place.key(key);
                match ask_sid(key, &place, visitor) {
                    Some(Some(new)) => edits.push((sid, new)),
                    Some(None) => messages.push(
                        StatusMessage::warning(
                            "not-removable",
                            "the redirection of this principal stays; take it out in the editor",
                        )
                        .at(place.clone()),
                    ),
                    None => {}
                }
                edits.extend(visit_path(line.text, path, place, visitor));
            }
            Redirection::Target { .. } | Redirection::Flags(_) | Redirection::Status { .. } => {}
        }
        lines.extend(apply(line.text, edits).map(|text| (line.number, text)));
    }
    let mut sections = Vec::new();
    for (line, redirection) in parsed.redirections() {
        if let Redirection::Target { folder, sid } = redirection
            && let Some(fate) = fates.get(&(folder.to_lowercase(), sid.to_lowercase()))
        {
            let name = match fate {
                Fate::Renamed(new) => Some(format!("{folder}_{new}")),
                Fate::Removed => None,
            };
            sections.push((line.number, name));
        }
    }
    if lines.is_empty() && sections.is_empty() {
        return Ok(Visited {
            bytes: None,
            messages,
        });
    }
    for (number, text) in lines {
        parsed.ini.set_text(number, text);
    }
    for (number, name) in sections {
        match name {
            Some(name) => parsed.ini.rename_section(number, &name),
            None => parsed.ini.remove_section(number),
        }
    }
    let bytes = parsed.to_bytes().map_err(|problem| problem.to_string())?;
    Ok(Visited {
        bytes: Some(Bytes::from(bytes)),
        messages,
    })
}

/// The list of SIDs of one folder.
struct List<'a> {
    text: &'a str,
    folder: &'a str,
    span: Range<usize>,
}

impl List<'_> {
    fn visit(
        &self,
        place: &Place,
        visitor: &mut Visitor<'_>,
        fates: &mut HashMap<(String, String), Fate>,
        messages: &mut Vec<StatusMessage>,
    ) -> Vec<(Range<usize>, String)> {
        let mut edits = Vec::new();
        let mut after: HashSet<String> = HashSet::new();
        for item in ini::list_items(self.text, self.span.clone(), ';') {
            let old = self.text.get(item.clone()).unwrap_or_default();
            let key = (self.folder.to_lowercase(), old.to_lowercase());
            let stands = match ask_sid(old, place, visitor) {
                None => old.to_owned(),
                Some(Some(new)) => {
                    edits.push((item, new.clone()));
                    fates.insert(key, Fate::Renamed(new.clone()));
                    new
                }
                Some(None) => {
                    // The separator behind it goes with it, where there is one.
                    let end = match self.text.get(item.end..item.end + 1) {
                        Some(";") => item.end + 1,
                        _ => item.end,
                    };
                    edits.push((item.start..end, String::new()));
                    fates.insert(key, Fate::Removed);
                    continue;
                }
            };
            if !after.insert(stands.to_lowercase()) {
                messages.push(
                    StatusMessage::error(
                        "colliding-sections",
                        format!("two principals of this folder become {stands}, and one target would hide the other"),
                    )
                    .at(place.clone()),
                );
            }
        }
        edits
    }
}

/// The new text of a SID; `Some(None)` when it goes, `None` when it stays or is no SID.
fn ask_sid(text: &str, place: &Place, visitor: &mut Visitor<'_>) -> Option<Option<String>> {
    let sid: Sid = text.parse().ok()?;
    let found = Found {
        target: FoundTarget::Sid {
            sid,
            text: text.to_owned(),
        },
        place: place.clone(),
        scope: Scope::Gpmc,
    };
    match visitor(&found) {
        Rewrite::Principal { sid: Some(sid), .. } => Some(Some(sid.to_string())),
        Rewrite::Remove => Some(None),
        Rewrite::Keep | Rewrite::Unc(_) | Rewrite::Principal { sid: None, .. } => None,
    }
}

/// The path of a target, whole: that is GPMC's unit, variables included.
fn visit_path(
    line: &str,
    span: Range<usize>,
    place: Place,
    visitor: &mut Visitor<'_>,
) -> Option<(Range<usize>, String)> {
    let path: UncPath = line.get(span.clone())?.parse().ok()?;
    let found = Found {
        target: FoundTarget::Unc {
            text: path.to_string(),
            unit: path.to_string(),
        },
        place,
        scope: Scope::Gpmc,
    };
    match visitor(&found) {
        Rewrite::Unc(new) => Some((span, new)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[version]\r\nversion=100\r\n[Folder_Redirection]\r\n{FDD39AD0-238F-46AF-ADB4-6C85480369C7}=s-1-1-0;S-1-5-21-1-2-3-4;\r\n[{FDD39AD0-238F-46AF-ADB4-6C85480369C7}_s-1-1-0]\r\nFlags=4\r\n[{FDD39AD0-238F-46AF-ADB4-6C85480369C7}_S-1-5-21-1-2-3-4]\r\nFlags=1021\r\nFullPath=\\\\fs1\\home\\%USERNAME%\r\n";

    fn run(rewrite: Rewrite) -> (String, Vec<StatusMessage>) {
        let mut visitor = |found: &Found| match &found.target {
            FoundTarget::Sid { text, .. } if text.contains("21-1-2-3-4") => rewrite.clone(),
            FoundTarget::Unc { .. } => Rewrite::Unc("\\\\fs9\\h\\%USERNAME%".to_owned()),
            _ => Rewrite::Keep,
        };
        let visited = visit("f", FILE.as_bytes(), &mut visitor).unwrap();
        (
            String::from_utf8(visited.bytes.unwrap().to_vec()).unwrap(),
            visited.messages,
        )
    }

    #[test]
    fn a_sid_changes_in_the_list_and_in_its_section() {
        let (text, messages) = run(Rewrite::Principal {
            sid: "S-1-5-21-9-9-9-7".parse().ok(),
            name: String::new(),
        });
        let expected = FILE
            .replace("21-1-2-3-4", "21-9-9-9-7")
            .replace("fs1\\home", "fs9\\h");
        assert_eq!(text, expected);
        assert!(messages.is_empty());
    }

    #[test]
    fn a_sid_that_goes_takes_its_section_along() {
        let (text, _) = run(Rewrite::Remove);
        assert!(text.contains("=s-1-1-0;\r\n["), "{text}");
        assert!(!text.contains("1021"));
    }

    #[test]
    fn two_principals_that_become_one_are_an_error() {
        let (_, messages) = run(Rewrite::Principal {
            sid: "S-1-1-0".parse().ok(),
            name: String::new(),
        });
        assert_eq!(messages[0].code, "colliding-sections");
    }
}

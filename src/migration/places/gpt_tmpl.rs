//! References in GptTmpl.inf [MS-GPSB 2.2].

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::text::{apply, visit_text};
use super::{Found, FoundTarget, Rewrite, Visited, Visitor};
use crate::formats::gpt_tmpl::{GptTmpl, Membership, Setting};
use crate::formats::ini;
use crate::message::StatusMessage;
use crate::model::reference::{Place, Scope};
use crate::model::sid::Sid;

/// What is to be done to a line.
enum Edit {
    Text(String),
    Remove,
}

/// Visits every reference of the file.
pub(super) fn visit(
    file: &str,
    bytes: &[u8],
    visitor: &mut Visitor<'_>,
) -> Result<Visited, String> {
    let mut parsed = GptTmpl::parse(bytes).map_err(|problem| problem.to_string())?;
    let mut messages = Vec::new();
    let mut edits: Vec<(usize, Edit)> = Vec::new();
    // Which group and list each line of [Group Membership] sets afterwards.
    let mut groups: HashMap<(String, Membership), usize> = HashMap::new();
    for (line, setting) in parsed.settings() {
        let place = Place::file(file)
            .section(line.section.unwrap_or_default())
            .line(line.number);
        let mut run = Run {
            text: line.text,
            place,
            visitor,
            messages: &mut messages,
        };
        let edit = match setting {
            Setting::PrivilegeRight { right, members } => {
                run.place = run.place.key(right);
                run.list(members, true).map(Edit::Text)
            }
            Setting::GroupMembership {
                group,
                side,
                members,
            } => run.membership(group, side, members, &mut groups),
            Setting::Secured { name, sddl, .. } => {
                run.place = run.place.key(line.text.get(name).unwrap_or_default());
                run.part(sddl, Scope::Gpmc).map(Edit::Text)
            }
            Setting::RegistryValue { path, data, .. } => {
                run.place = run.place.key(path);
                run.part(data, Scope::All).map(Edit::Text)
            }
            Setting::Other { .. } => None,
        };
        edits.extend(edit.map(|edit| (line.number, edit)));
    }
    if edits.is_empty() {
        return Ok(Visited {
            bytes: None,
            messages,
        });
    }
    for (number, edit) in edits {
        match edit {
            Edit::Text(text) => parsed.ini.set_text(number, text),
            Edit::Remove => parsed.ini.remove_line(number),
        }
    }
    let bytes = parsed.to_bytes().map_err(|problem| problem.to_string())?;
    Ok(Visited {
        bytes: Some(Bytes::from(bytes)),
        messages,
    })
}

/// The references of one line.
struct Run<'a, 'v, 'w> {
    text: &'a str,
    place: Place,
    visitor: &'v mut Visitor<'w>,
    messages: &'v mut Vec<StatusMessage>,
}

impl Run<'_, '_, '_> {
    /// Free text or SDDL within the line.
    fn part(&mut self, span: Range<usize>, scope: Scope) -> Option<String> {
        let part = self.text.get(span.clone())?;
        let new = visit_text(part, &self.place, scope, self.visitor, self.messages)?;
        Some(ini::splice(self.text, span, &new))
    }

    /// `*SID` or a name, once it was decided about; `None` when it stays.
    fn ask(&mut self, text: &str) -> Option<Option<String>> {
        let bare = text.strip_prefix('*').unwrap_or(text);
        let target = match bare.parse::<Sid>() {
            Ok(sid) => FoundTarget::Sid {
                sid,
                text: bare.to_owned(),
            },
            Err(_) => FoundTarget::Name(bare.to_owned()),
        };
        let found = Found {
            target,
            place: self.place.clone(),
            scope: Scope::Gpmc,
        };
        match (self.visitor)(&found) {
            Rewrite::Keep | Rewrite::Unc(_) => None,
            Rewrite::Remove => Some(None),
            Rewrite::Principal { sid: Some(sid), .. } => Some(Some(format!("*{sid}"))),
            Rewrite::Principal { sid: None, name } => Some(Some(name)),
        }
    }

    /// A list of principals between commas; the whole line comes back when anything changed.
    fn list(&mut self, span: Range<usize>, is_right: bool) -> Option<String> {
        let items = ini::list_items(self.text, span.clone(), ',');
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        let mut kept: Vec<String> = Vec::new();
        let mut dropped = false;
        for item in items.clone() {
            let old = self.text.get(item.clone()).unwrap_or_default().to_owned();
            let new = match self.ask(&old) {
                None => old,
                Some(None) => {
                    dropped = true;
                    continue;
                }
                Some(Some(new)) => {
                    edits.push((item, new.clone()));
                    if kept.iter().any(|known| known.eq_ignore_ascii_case(&new)) {
                        dropped = true;
                        self.messages.push(
                            StatusMessage::warning(
                                "duplicate-member",
                                format!(
                                    "{new} would stand in the list twice, so it stands there once"
                                ),
                            )
                            .at(self.place.clone()),
                        );
                        continue;
                    }
                    new
                }
            };
            kept.push(new);
        }
        if !dropped {
            return apply(self.text, edits);
        }
        if kept.is_empty() {
            let text = if is_right {
                "the list is empty now: nobody has this right"
            } else {
                "the list is empty now"
            };
            self.messages.push(
                StatusMessage::warning("empty-list", text)
                    .at(self.place.clone())
                    .with_hint("an empty list is another policy than an absent line"),
            );
        }
        let separator = match items.as_slice() {
            [first, second, ..] => self.text.get(first.end..second.start).unwrap_or(","),
            _ => ",",
        };
        let line = ini::splice(self.text, span, &kept.join(separator));
        Some(if kept.is_empty() {
            line.trim_end_matches([' ', '\t']).to_owned()
        } else {
            line
        })
    }

    /// A line of [Group Membership]: the group in the key, and its list.
    fn membership(
        &mut self,
        group: Range<usize>,
        side: Membership,
        members: Range<usize>,
        groups: &mut HashMap<(String, Membership), usize>,
    ) -> Option<Edit> {
        let name = self.text.get(group.clone())?.to_owned();
        let key = self
            .text
            .split_once('=')
            .map_or(name.as_str(), |(key, _)| ini::trim(key))
            .to_owned();
        self.place.key = Some(key);
        let decided = self.ask(&name);
        // The list stands behind the key, so an edit of it leaves the key's span right.
        let line = self.list(members, false);
        if matches!(decided, Some(None)) {
            self.messages.push(
                StatusMessage::warning(
                    "group-removed",
                    format!("the group {name} has no destination, so its line is removed"),
                )
                .at(self.place.clone()),
            );
            return Some(Edit::Remove);
        }
        let new = decided.flatten();
        let after = new.clone().unwrap_or(name).to_lowercase();
        if let Some(first) = groups.insert((after.clone(), side), 1)
            && first == 1
        {
            self.messages.push(
                StatusMessage::error(
                    "colliding-groups",
                    format!("two groups become {after}, and one list would hide the other"),
                )
                .at(self.place.clone()),
            );
        }
        match (new, line) {
            (None, line) => line.map(Edit::Text),
            (Some(new), line) => {
                let line = line.unwrap_or_else(|| self.text.to_owned());
                Some(Edit::Text(ini::splice(&line, group, &new)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Severity;

    const FILE: &str = "[Unicode]\r\nUnicode=yes\r\n[Privilege Rights]\r\nSeA = *S-1-5-21-1-2-3-4, *S-1-5-32-544,Guest\r\nSeB = *S-1-5-21-1-2-3-4\r\n[Group Membership]\r\n*S-1-5-21-1-2-3-4__Memberof = *S-1-5-32-544\r\n*S-1-5-21-1-2-3-4__Members =\r\n[Service General Setting]\r\n\"Spooler\",4,\"D:(A;;RP;;;S-1-5-21-1-2-3-4)(A;;RP;;;BA)\"\r\n";

    fn run(decide: impl Fn(&str) -> Rewrite) -> (String, Vec<StatusMessage>) {
        let mut visitor = |found: &Found| match &found.target {
            FoundTarget::Sid { sid, .. } => decide(&sid.to_string()),
            FoundTarget::Name(name) => decide(name),
            _ => Rewrite::Keep,
        };
        let visited = visit("f", FILE.as_bytes(), &mut visitor).unwrap();
        let bytes = visited
            .bytes
            .unwrap_or_else(|| Bytes::from_static(FILE.as_bytes()));
        (String::from_utf8(bytes.to_vec()).unwrap(), visited.messages)
    }

    #[test]
    fn keeping_changes_nothing() {
        let (text, messages) = run(|_| Rewrite::Keep);
        assert_eq!(text, FILE);
        assert!(messages.is_empty());
    }

    #[test]
    fn replaces_in_every_place_and_leaves_the_rest() {
        let (text, messages) = run(|name| match name {
            "S-1-5-21-1-2-3-4" => Rewrite::Principal {
                sid: "S-1-5-21-9-9-9-7".parse().ok(),
                name: "DST\\x".to_owned(),
            },
            _ => Rewrite::Keep,
        });
        assert_eq!(text, FILE.replace("21-1-2-3-4", "21-9-9-9-7"));
        assert!(messages.is_empty());
    }

    #[test]
    fn taking_out_leaves_empty_lists_and_removes_the_group() {
        let (text, messages) = run(|name| match name {
            "S-1-5-21-1-2-3-4" => Rewrite::Remove,
            _ => Rewrite::Keep,
        });
        assert!(
            text.contains("SeA = *S-1-5-32-544, Guest\r\nSeB =\r\n"),
            "{text}"
        );
        assert!(!text.contains("__Member"));
        assert!(text.contains("\"D:(A;;RP;;;BA)\""));
        let codes: Vec<&str> = messages.iter().map(|m| m.code.as_str()).collect();
        assert_eq!(codes, ["empty-list", "group-removed", "group-removed"]);
    }

    #[test]
    fn two_names_for_one_member_stand_once() {
        let (text, messages) = run(|name| match name {
            "Guest" | "S-1-5-21-1-2-3-4" => Rewrite::Principal {
                sid: "S-1-5-21-9-9-9-7".parse().ok(),
                name: String::new(),
            },
            _ => Rewrite::Keep,
        });
        assert!(
            text.contains("SeA = *S-1-5-21-9-9-9-7, *S-1-5-32-544\r\n"),
            "{text}"
        );
        assert!(messages.iter().all(|m| m.severity == Severity::Warning));
    }
}

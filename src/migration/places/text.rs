//! References inside free text: SIDs, SIDs in SDDL, and UNC paths, wherever they stand in a string.

use std::ops::Range;

use super::{Found, FoundTarget, Rewrite, Visitor};
use crate::formats::ini::splice;
use crate::formats::sddl_text::{SddlRole, literal_sids, sid_at};
use crate::message::StatusMessage;
use crate::model::reference::{Place, Scope};
use crate::model::unc_path::UncPath;

/// A reference in a text.
struct Spot {
    span: Range<usize>,
    target: FoundTarget,
    /// What goes when it is taken out; empty when it cannot go.
    part: Range<usize>,
}

/// Visits the references in a text; the new text comes back when anything changed.
pub(super) fn visit_text(
    text: &str,
    place: &Place,
    scope: Scope,
    visitor: &mut Visitor<'_>,
    messages: &mut Vec<StatusMessage>,
) -> Option<String> {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for spot in spots(text) {
        let found = Found {
            target: spot.target,
            place: place.clone(),
            scope,
        };
        match visitor(&found) {
            Rewrite::Keep => {}
            Rewrite::Unc(new) => edits.push((spot.span, new)),
            Rewrite::Principal { sid, name } => {
                edits.push((spot.span, sid.map_or(name, |sid| sid.to_string())));
            }
            Rewrite::Remove if spot.part.is_empty() => messages.push(
                StatusMessage::warning(
                    "not-removable",
                    "the principal stands in a condition or a name and cannot be taken out; it stays",
                )
                .at(place.clone()),
            ),
            Rewrite::Remove => edits.push((spot.part, String::new())),
        }
    }
    apply(text, edits)
}

/// Replaces the spans, which do not overlap, from the end so that the others stay right.
pub(super) fn apply(text: &str, mut edits: Vec<(Range<usize>, String)>) -> Option<String> {
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|(span, _)| span.start);
    let mut new = text.to_owned();
    let mut begun = usize::MAX;
    for (span, with) in edits.into_iter().rev() {
        // Two SIDs of one ACE that goes are one part.
        if span.end <= begun {
            begun = span.start;
            new = splice(&new, span, &with);
        }
    }
    Some(new)
}

fn spots(text: &str) -> Vec<Spot> {
    let mut spots = Vec::new();
    if text.contains("S-1-") || text.contains("s-1-") {
        for found in literal_sids(text) {
            let removable = found.role != SddlRole::Condition;
            spots.push(Spot {
                target: FoundTarget::Sid {
                    text: text.get(found.span.clone()).unwrap_or_default().to_owned(),
                    sid: found.sid,
                },
                span: found.span,
                part: if removable { found.part } else { 0..0 },
            });
        }
        bare_sids(text, &mut spots);
    }
    unc_paths(text, &mut spots);
    spots.sort_by_key(|spot| spot.span.start);
    spots
}

/// SIDs outside of SDDL: not in the middle of a word.
fn bare_sids(text: &str, spots: &mut Vec<Spot>) {
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_';
    let bytes = text.as_bytes();
    let mut position = 0;
    while let Some(at) = text
        .get(position..)
        .and_then(|rest| rest.find("-1-"))
        .map(|at| position + at)
    {
        position = at + 1;
        let Some(start) = at.checked_sub(1) else {
            continue;
        };
        let inside = start
            .checked_sub(1)
            .and_then(|before| bytes.get(before))
            .is_some_and(in_word);
        let known = spots.iter().any(|spot| spot.span.contains(&start));
        if inside || known {
            continue;
        }
        let Some((sid, end)) = sid_at(text, start) else {
            continue;
        };
        if bytes.get(end).is_some_and(in_word) {
            continue;
        }
        position = end;
        // In a list, the separator behind it goes with it, or the one before it.
        let separator = |at: Option<usize>| {
            at.and_then(|at| bytes.get(at))
                .is_some_and(|byte| matches!(byte, b',' | b';'))
        };
        let part = if separator(Some(end)) {
            start..end + 1
        } else if separator(start.checked_sub(1)) {
            start - 1..end
        } else {
            start..end
        };
        spots.push(Spot {
            target: FoundTarget::Sid {
                sid,
                text: text.get(start..end).unwrap_or_default().to_owned(),
            },
            span: start..end,
            part,
        });
    }
}

/// UNC paths. One in quotes ends at the quote; one that begins the text may hold blanks, and ends where an option
/// begins; any other ends at a blank.
fn unc_paths(text: &str, spots: &mut Vec<Spot>) {
    let mut position = 0;
    while let Some(start) = text
        .get(position..)
        .and_then(|rest| rest.find("\\\\"))
        .map(|at| position + at)
    {
        let before = text
            .get(..start)
            .and_then(|before| before.chars().next_back());
        let rest = text.get(start..).unwrap_or_default();
        let slashes = rest.bytes().take_while(|byte| *byte == b'\\').count();
        position = start + slashes;
        // After a letter or a colon it is a doubled backslash of something else.
        if slashes != 2 || before.is_some_and(|c| c.is_alphanumeric() || c == ':') {
            continue;
        }
        let quote = before.filter(|c| matches!(c, '"' | '\''));
        let mut end = rest
            .find(|c: char| match quote {
                Some(quote) => c == quote,
                None => {
                    matches!(c, '"' | '\'' | '|' | ';' | ',' | '<' | '>' | '*' | '?')
                        || c.is_control()
                        || (c.is_whitespace() && before.is_some())
                }
            })
            .unwrap_or(rest.len());
        if quote.is_none() && before.is_none() {
            for option in [" /", " -", " \"", "\t"] {
                if let Some(at) = rest.get(..end).and_then(|path| path.find(option)) {
                    end = at;
                }
            }
        }
        let Some(path) = rest.get(..end).map(str::trim_end) else {
            continue;
        };
        if path.parse::<UncPath>().is_err() {
            continue;
        }
        position = start + path.len();
        spots.push(Spot {
            span: start..start + path.len(),
            target: FoundTarget::Unc {
                text: path.to_owned(),
                unit: path.to_owned(),
            },
            part: 0..0,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<String> {
        spots(text)
            .into_iter()
            .map(|spot| text.get(spot.span).unwrap().to_owned())
            .collect()
    }

    #[test]
    fn finds_what_stands_in_a_text() {
        assert_eq!(found(r"\\fs1\a b\c.exe /quiet"), [r"\\fs1\a b\c.exe"]);
        assert_eq!(
            found(r#""\\fs1\a b\c.exe" -x \\fs2\d e"#),
            [r"\\fs1\a b\c.exe", r"\\fs2\d"]
        );
        assert_eq!(found(r"\\*\SYSVOL"), Vec::<String>::new());
        assert_eq!(found(r"C:\\a\\b"), Vec::<String>::new());
        assert_eq!(
            found("O:BAG:BAD:(A;;RC;;;S-1-5-21-1-2-3-4);S-1-5-32-544,xS-1-5-18"),
            ["S-1-5-21-1-2-3-4", "S-1-5-32-544"]
        );
        assert_eq!(
            found("v2.10|Action=Allow|RUser=D:(A;;CC;;;S-1-5-21-1-2-3-5)|LUOwn=S-1-5-21-1-2-3-6|"),
            ["S-1-5-21-1-2-3-5", "S-1-5-21-1-2-3-6"]
        );
    }

    #[test]
    fn takes_out_an_entry_or_an_item_of_a_list() {
        let mut remove = |_: &Found| Rewrite::Remove;
        let place = Place::file("f");
        let mut run = |text: &str| {
            visit_text(text, &place, Scope::All, &mut remove, &mut Vec::new()).unwrap()
        };
        assert_eq!(
            run("D:(A;;RC;;;BA)(A;;RC;;;S-1-5-21-1-2-3-4)"),
            "D:(A;;RC;;;BA)"
        );
        assert_eq!(run("x,S-1-5-21-1-2-3-4"), "x");
    }

    proptest! {
        #[test]
        fn never_panics(text in "(\\PC|S-1-5-21-1|\\\\\\\\a\\\\b|[\"();|,]){0,60}") {
            let mut replace = |_: &Found| Rewrite::Principal { sid: None, name: "x".to_owned() };
            visit_text(&text, &Place::file("f"), Scope::All, &mut replace, &mut Vec::new());
        }
    }
}

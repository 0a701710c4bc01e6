//! References in free text: SIDs, SDDL and UNC paths in registry strings, script parameters and similar text.

use std::collections::HashSet;
use std::ops::Range;

use super::context::{Context, TextRewrite};
use super::unc_search::{FoundPath, Notation, unc_paths};
use crate::formats::sddl_text::{self, SddlRole};
use crate::message::{Code, StatusMessage, printable};
use crate::model::reference::{Place, Scope};
use crate::model::sid::Sid;

/// The result of rewriting a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RewrittenText {
    Unchanged,
    Changed(String),
    /// The text consisted only of references that are to be removed.
    Removed,
}

/// A reference in a text. A text of a megabyte may contain a hundred thousand of them, so what follows from the text is not kept.
struct TextReference {
    span: Range<usize>,
    kind: TextKind,
}

/// The kind of a reference in a text.
enum TextKind {
    /// A UNC path, and how it is written.
    Path(Notation),
    /// A SID that is a separate word.
    BareSid,
    /// A SID of a security descriptor, and the span to delete in order to remove it; an empty span when the descriptor would be invalid
    /// without it.
    Sddl(SddlRole, Range<usize>),
}

impl TextReference {
    /// The span to delete in order to remove it from this text; `None` when the text would be invalid without it.
    fn part(&self, text: &str) -> Option<Range<usize>> {
        match &self.kind {
            TextKind::Path(_) => list_part(text, &self.span, &[';']),
            TextKind::BareSid => list_part(text, &self.span, &[';', ',']),
            TextKind::Sddl(_, part) => (!part.is_empty()).then(|| part.clone()),
        }
    }
}

impl Context<'_, '_> {
    /// Warns when data of a non-text type appears to contain a reference.
    pub fn warn_of_reference_in_data(&mut self, text: &str, place: &Place) {
        if may_hold_reference(text)
            && let Some(what) = first_reference(text)
        {
            let text = format!(
                "the value does not have a text type, so {} in it is left unchanged",
                printable(what)
            );
            self.messages.push(
                StatusMessage::warning(Code::UnreadText, text)
                    .at(place.clone())
                    .with_hint("check the value by hand"),
            );
        }
    }

    /// Visits a UNC path in any notation; what replaces it is in the same one.
    fn path(
        &mut self,
        notation: Notation,
        found: &str,
        place: &Place,
        scope: Scope,
    ) -> TextRewrite {
        let Some(path) = notation.read(found) else {
            return TextRewrite::Keep;
        };
        let path = path.as_str();
        match self.unc(path, path, place, scope) {
            TextRewrite::Replace(new) => match notation.write(&new, found) {
                Some(new) => TextRewrite::Replace(new),
                None => {
                    self.refuse_path(&new, found, place);
                    TextRewrite::Keep
                }
            },
            other => other,
        }
    }

    /// Visits every reference in a text and rewrites it.
    pub fn free_text(&mut self, text: &str, place: &Place, scope: Scope) -> RewrittenText {
        let mut edits: Vec<SpanEdit> = Vec::new();
        let mut ace_removed = false;
        let (references, unread) = references(text);
        for span in unread {
            self.warn_of_unusual_path(text.get(span).unwrap_or_default(), place);
        }
        let mut stay: HashSet<&str> = HashSet::new();
        for reference in references {
            let found = text.get(reference.span.clone()).unwrap_or_default();
            let rewrite = match (&reference.kind, found.parse::<Sid>()) {
                (TextKind::Path(notation), _) => self.path(*notation, found, place, scope),
                (_, Ok(sid)) => self.sid(&sid, found, place, scope),
                (_, Err(_)) => TextRewrite::Keep,
            };
            match rewrite {
                TextRewrite::Keep => {
                    stay.insert(found);
                }
                TextRewrite::Replace(new) => edits.push((reference.span, new)),
                TextRewrite::Remove => match reference.part(text) {
                    Some(part) => {
                        let gone = text.get(part.clone()).unwrap_or_default();
                        match reference.kind {
                            TextKind::Sddl(SddlRole::Owner | SddlRole::Group, _) => self.warning(
                                Code::OwnerRemoved,
                                format!("{gone} was removed from the security descriptor"),
                                place,
                            ),
                            TextKind::Sddl(..) => ace_removed = true,
                            TextKind::Path(_) | TextKind::BareSid => {}
                        }
                        edits.push((part, String::new()));
                    }
                    None => {
                        self.refuse_removal(found, place);
                        stay.insert(found);
                    }
                },
            }
        }
        if edits.is_empty() {
            return RewrittenText::Unchanged;
        }
        let (new, written) = apply(text, edits);
        let broken = broken_paths(text, &new, &written);
        if !broken.is_empty() {
            for (old, new) in broken {
                self.refuse_path(new, old, place);
            }
            return RewrittenText::Unchanged;
        }
        for exposed in newly_exposed(&new, &stay, &written) {
            let text = format!(
                "{} was recognized as a reference only after the text before it was mapped, so it is not mapped",
                printable(exposed)
            );
            self.warning(Code::UnreadText, text, place);
        }
        if ace_removed && sddl_text::aces(&new).is_empty() {
            self.warning(
                Code::EmptyDacl,
                "the last entry of a security descriptor was removed, so it no longer grants anything",
                place,
            );
        }
        if new.is_empty() {
            RewrittenText::Removed
        } else {
            RewrittenText::Changed(new)
        }
    }
}

/// Every UNC path and every SID contains one of these.
pub(super) const REFERENCE_MARKERS: [&str; 3] = [r"\\", "//", "-1-"];

/// Whether a text may contain a reference.
pub(super) fn may_hold_reference(text: &str) -> bool {
    REFERENCE_MARKERS.iter().any(|mark| text.contains(mark))
}

/// A span of a text and its new text.
pub(super) type SpanEdit = (Range<usize>, String);

/// The spans of an edit in the old and in the new text.
pub(super) type AppliedEdit = (Range<usize>, Range<usize>);

/// Applies edits that may be nested or overlap: the edit that begins first and extends farthest wins, and edits within
/// it are dropped. Returns the new text and the applied edits.
pub(super) fn apply(text: &str, mut edits: Vec<SpanEdit>) -> (String, Vec<AppliedEdit>) {
    edits.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
    let mut out = String::with_capacity(text.len());
    let mut written = Vec::with_capacity(edits.len());
    let mut position = 0;
    for (span, new) in edits {
        if span.start >= position {
            out.push_str(text.get(position..span.start).unwrap_or_default());
            let start = out.len();
            out.push_str(&new);
            written.push((span.clone(), start..out.len()));
        }
        position = position.max(span.end);
    }
    out.push_str(text.get(position..).unwrap_or_default());
    (out, written)
}

/// The written paths that would not be read as one path at their place, because they contain a blank or a separator:
/// old and new ones. A path that is the whole text or is quoted may contain any character, and an item of a list any
/// character except the separator.
fn broken_paths<'a>(
    old: &'a str,
    new: &'a str,
    written: &[AppliedEdit],
) -> Vec<(&'a str, &'a str)> {
    let is_path = |(_, span): &&AppliedEdit| {
        new.get(span.clone()).is_some_and(|path| {
            let starts = |lead: &str| {
                path.get(..lead.len())
                    .is_some_and(|it| it.eq_ignore_ascii_case(lead))
            };
            [r"\\", "//", "file:"].into_iter().any(starts)
        })
    };
    let mut paths: Option<HashSet<Range<usize>>> = None;
    let mut broken = Vec::new();
    for (from, to) in written.iter().filter(is_path) {
        let around = (old.get(..from.start), old.get(from.end..));
        let (before, behind) = (around.0.unwrap_or_default(), around.1.unwrap_or_default());
        let alone = before.is_empty() && behind.is_empty();
        let quoted = before.ends_with('"') && behind.starts_with('"');
        let read = paths
            .get_or_insert_with(|| unc_paths(new).0.into_iter().map(|path| path.span).collect());
        let item = new.get(to.clone()).is_some_and(|path| !path.contains(';'))
            && list_part(old, from, &[';']).is_some();
        if !(alone || quoted || item || read.contains(to)) {
            let part =
                |text: &'a str, span: &Range<usize>| text.get(span.clone()).unwrap_or_default();
            broken.push((part(old, from), part(new, to)));
        }
    }
    broken
}

/// The references in the new text that were neither written nor left unchanged on purpose. They appear when a written
/// path is shorter than the old one or has other characters, so that text next to it is now read as, for example, an
/// entry of a descriptor.
fn newly_exposed<'a>(new: &'a str, stay: &HashSet<&str>, written: &[AppliedEdit]) -> Vec<&'a str> {
    let (found, _) = references(new);
    let is_written = |start: usize| {
        let next = written.partition_point(|(_, span)| span.end <= start);
        written
            .get(next)
            .is_some_and(|(_, span)| span.start <= start)
    };
    found
        .into_iter()
        .filter(|reference| !is_written(reference.span.start))
        .filter_map(|reference| new.get(reference.span))
        .filter(|text| !stay.contains(text))
        .collect()
}

/// The references in a text, and the spans that look like UNC paths in an unknown notation.
fn references(text: &str) -> (Vec<TextReference>, Vec<Range<usize>>) {
    let (paths, unread) = unc_paths(text);
    let sids = sddl_text::literal_sids(text);
    let mut found: Vec<TextReference> = Vec::with_capacity(sids.len() + paths.len());
    found.extend(sids.into_iter().map(|sid| TextReference {
        kind: TextKind::Sddl(sid.role, sid.part),
        span: sid.span,
    }));
    found.extend(
        paths
            .into_iter()
            .map(|FoundPath { span, notation }| TextReference {
                kind: TextKind::Path(notation),
                span,
            }),
    );
    found.sort_unstable_by_key(|reference| reference.span.start);
    let mut next = 0;
    let bare: Vec<Range<usize>> = bare_sids(text)
        .into_iter()
        .filter(|span| {
            while found
                .get(next)
                .is_some_and(|other| other.span.end <= span.start)
            {
                next += 1;
            }
            found
                .get(next)
                .is_none_or(|other| other.span.start >= span.end)
        })
        .collect();
    if !bare.is_empty() {
        found.reserve_exact(bare.len());
        found.extend(bare.into_iter().map(|span| TextReference {
            kind: TextKind::BareSid,
            span,
        }));
        found.sort_unstable_by_key(|reference| reference.span.start);
    }
    (found, unread)
}

/// The first reference, or text that looks like one.
fn first_reference(text: &str) -> Option<&str> {
    let (found, unread) = references(text);
    let spans = found.into_iter().map(|reference| reference.span);
    let first = spans.chain(unread).min_by_key(|span| span.start)?;
    text.get(first)
}

/// SIDs that are separate words.
fn bare_sids(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut position = 0;
    while let Some(offset) = text.get(position..).and_then(|rest| rest.find("-1-")) {
        let dash = position + offset;
        position = dash + 1;
        let Some(start) = dash.checked_sub(1) else {
            continue;
        };
        let bounded = text
            .get(..start)
            .is_some_and(|before| !before.ends_with(|c: char| c.is_alphanumeric() || c == '-'));
        if let Some((_, end)) = sddl_text::sid_at(text, start).filter(|_| bounded) {
            let after = text.get(end..).unwrap_or_default();
            if !after.starts_with(|c: char| c.is_alphanumeric() || c == '-') {
                found.push(start..end);
            }
            position = end;
        }
    }
    found
}

/// The span to delete in order to remove an item from a list: the item and one separator. The whole text, if it is the
/// only item; `None` when the text is not a list at this place.
fn list_part(text: &str, span: &Range<usize>, separators: &[char]) -> Option<Range<usize>> {
    let before = text.get(..span.start)?.trim_end_matches([' ', '\t']);
    let behind = text.get(span.end..)?;
    let after = behind.trim_start_matches([' ', '\t']);
    if !(before.is_empty() || before.ends_with(separators)) {
        return None;
    }
    if after.is_empty() {
        return Some(before.len().saturating_sub(1)..text.len());
    }
    let rest = after.strip_prefix(separators)?;
    let rest = rest.trim_start_matches([' ', '\t']);
    Some(span.start..text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::references::{Occurrence, ReferenceTarget, Rewrite};
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<String> {
        references(text)
            .0
            .into_iter()
            .map(|reference| text.get(reference.span).unwrap().to_owned())
            .collect()
    }

    /// Rewrites SIDs ending in 7 to S-1-5-9, removes those ending in 8, and moves UNC paths of `old` to `new`.
    fn rewritten(text: &str) -> (RewrittenText, Vec<Code>) {
        let mut visitor = |occurrence: &Occurrence| match &occurrence.target {
            ReferenceTarget::Sid { text, .. } if text.ends_with('7') => Rewrite::Principal {
                sid: Some("S-1-5-9".parse().unwrap()),
                name: String::new(),
            },
            ReferenceTarget::Sid { text, .. } if text.ends_with('8') => Rewrite::Remove,
            ReferenceTarget::Unc { text, .. } if text.contains("gone") => Rewrite::Remove,
            ReferenceTarget::Unc { text, .. } if text.contains("old") => {
                Rewrite::Unc(text.replace("old", "new").trim_end_matches('\\').to_owned())
            }
            _ => Rewrite::Keep,
        };
        let mut context = Context::new(&mut visitor, 0);
        let outcome = context.free_text(text, &Place::file("f"), Scope::All);
        let codes = context.messages.finish(None);
        let codes = codes.into_iter().map(|m| m.code).collect();
        (outcome, codes)
    }

    fn changed(text: &str) -> RewrittenText {
        RewrittenText::Changed(text.to_owned())
    }

    #[test]
    fn reports_paths_in_unknown_notation() {
        for text in [r"\\\old\share", r"\\old/share/x", r"run \\old\\share"] {
            assert_eq!(
                rewritten(text),
                (RewrittenText::Unchanged, vec![Code::UnreadPath]),
                "{text}"
            );
        }
        for text in [
            r"\\*\SYSVOL",
            r"\\?\C:\a",
            r"\\.\pipe\a",
            r"^\\d+\\w",
            r"C:\\a\\b",
            r"\\s",
        ] {
            assert_eq!(
                rewritten(text),
                (RewrittenText::Unchanged, Vec::new()),
                "{text}"
            );
        }
    }

    #[test]
    fn finds_sids_as_words() {
        assert_eq!(
            found("S-1-5-7;s-1-1-0,xS-1-5-8 S-1-5-9x HKU\\S-1-5-21-1-2-3-4_Classes S-1-5"),
            ["S-1-5-7", "s-1-1-0", "S-1-5-21-1-2-3-4"]
        );
        assert_eq!(
            found("v2.10|RUser=D:(A;;CC;;;S-1-5-7)|RMauth=O:LSD:(A;;CC;;;S-1-5-8)|LUOwn=S-1-5-9|"),
            ["S-1-5-7", "S-1-5-8", "S-1-5-9"]
        );
        assert_eq!(found(r"\\s\p\S-1-5-7"), [r"\\s\p\S-1-5-7"]);
    }

    #[test]
    fn rewrites_only_the_reference() {
        assert_eq!(
            rewritten(" s-1-5-7 ; S-1-5-6").0,
            changed(" S-1-5-9 ; S-1-5-6")
        );
        assert_eq!(rewritten(r"x \\old\a\ y").0, changed(r"x \\new\a\ y"));
        assert_eq!(rewritten("S-1-5-6").0, RewrittenText::Unchanged);
        assert_eq!(
            rewritten("O:S-1-5-7G:BAD:(D;;0X1;;;DU)(A;;RC;;;S-1-5-7)").0,
            changed("O:S-1-5-9G:BAD:(D;;0X1;;;DU)(A;;RC;;;S-1-5-9)")
        );
    }

    #[test]
    fn paths_are_written_in_their_notation() {
        for (text, expected) in [
            (r"\\old\a\x \\old\b", r"\\new\a\x \\new\b"),
            (
                r#"{"a":"\\\\old\\share\\x"}"#,
                r#"{"a":"\\\\new\\share\\x"}"#,
            ),
            (r"\\?\UNC\old\a b\c", r"\\?\UNC\new\a b\c"),
            (r"x \\?\unc\old\a\ y", r"x \\?\unc\new\a\ y"),
            ("file://old/a%20b/c", "file://new/a%20b/c"),
            ("x file:////old/a/ y", "x file:////new/a/ y"),
            ("//old/a/b", "//new/a/b"),
            (r"see \\old\a.", r"see \\new\a."),
        ] {
            assert_eq!(rewritten(text), (changed(expected), Vec::new()), "{text}");
        }
    }

    #[test]
    fn reports_references_exposed_by_a_rewrite() {
        let hidden = r#"\\gone\a((;"(A;;CC;;;S-1-5-0X7)"#;
        assert_eq!(found(hidden), [r"\\gone\a(("]);
        assert_eq!(
            rewritten(hidden),
            (changed(r#""(A;;CC;;;S-1-5-0X7)"#), vec![Code::UnreadText])
        );
    }

    #[test]
    fn removes_what_belongs_to_it() {
        assert_eq!(rewritten("S-1-5-8").0, RewrittenText::Removed);
        assert_eq!(rewritten("S-1-5-8;S-1-5-18").0, RewrittenText::Removed);
        assert_eq!(rewritten("S-1-5-8; S-1-5-6").0, changed("S-1-5-6"));
        assert_eq!(rewritten("S-1-5-6, S-1-5-8").0, changed("S-1-5-6"));
        assert_eq!(rewritten(r"\\a\b;\\gone\x;c").0, changed(r"\\a\b;c"));
        assert_eq!(
            rewritten("O:S-1-5-8G:BAD:(A;;RC;;;S-1-5-8)(A;;RC;;;BA)"),
            (changed("G:BAD:(A;;RC;;;BA)"), vec![Code::OwnerRemoved])
        );
        assert_eq!(
            rewritten("|RUser=D:(A;;CC;;;S-1-5-8)|LUOwn=S-1-5-8|"),
            (
                changed("|RUser=D:|LUOwn=S-1-5-8|"),
                vec![Code::CannotRemove, Code::EmptyDacl]
            )
        );
        assert_eq!(rewritten(r"run \\gone\x").1, [Code::CannotRemove]);
    }

    proptest! {
        #[test]
        fn keeps_unchanged_text_and_never_panics(
            text in "([\\\\;,:|\"'( )=DA]|S-1-5-[678]|\\\\\\\\old\\\\a|\u{e4}|O:|\\(A;;;;;){0,30}"
        ) {
            let mut keep = |_: &Occurrence| Rewrite::Keep;
            let mut context = Context::new(&mut keep, 0);
            prop_assert_eq!(context.free_text(&text, &Place::default(), Scope::All), RewrittenText::Unchanged);
            rewritten(&text);
        }
    }
}

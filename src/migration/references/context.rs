//! What the visitors of all formats share: the visitor of the references, the findings, and the fields that contain one reference.

use std::collections::VecDeque;

use super::{Occurrence, ReferenceTarget, Rewrite, Visitor};
use crate::message::{Code, StatusMessage, printable};
use crate::migration::finding_list::FindingList;
use crate::model::reference::{Place, Scope};
use crate::model::shared_text::SharedText;
use crate::model::sid::Sid;

/// The visitor and the findings so far.
pub(super) struct Context<'c, 'v> {
    pub visitor: &'c mut Visitor<'v>,
    pub messages: FindingList,
    /// The texts that places used last: neighboring places have the same section, and often the same key.
    recent: VecDeque<SharedText>,
    /// How many bytes the places may still take that are not shared.
    budget: usize,
}

/// How many texts of places are remembered.
const MAX_RECENT: usize = 8;

/// How many bytes the places of a file may take that are not shared, for each byte of the file, and besides.
const PLACES_PER_BYTE: usize = 8;
const PLACES_BASE: usize = 1 << 20;

/// The length of a place once the budget is spent.
const SHORT_PLACE: usize = 80;

/// The new text of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TextRewrite {
    Keep,
    Replace(String),
    Remove,
}

impl<'c, 'v> Context<'c, 'v> {
    /// A context for a file of this length.
    pub fn new(visitor: &'c mut Visitor<'v>, length: usize) -> Self {
        Self {
            visitor,
            messages: FindingList::default(),
            recent: VecDeque::new(),
            budget: length
                .saturating_mul(PLACES_PER_BYTE)
                .saturating_add(PLACES_BASE),
        }
    }
}

impl Context<'_, '_> {
    /// A section or key for a place, in memory once for neighbors that have the same.
    pub fn shared(&mut self, text: &str) -> SharedText {
        if let Some(known) = self.recent.iter().find(|known| known.as_str() == text) {
            return known.clone();
        }
        // Shortened as a place does it, so that what is remembered is what places hold.
        let new = Place::file(text).file;
        if new.len() == text.len() {
            if self.recent.len() == MAX_RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(new.clone());
        }
        new
    }

    /// A section or key of a place that others do not have, such as the path of an element. Its beginning is dropped when the places
    /// of the file have taken too much memory: each of them repeats the names above it.
    pub fn within_budget(&mut self, text: String) -> SharedText {
        if let Some(left) = self.budget.checked_sub(text.len()) {
            self.budget = left;
            return text.into();
        }
        let start = text.ceil_char_boundary(text.len().saturating_sub(SHORT_PLACE));
        match text.get(start..).filter(|_| start > 0) {
            Some(end) => format!("\u{2026}{end}").into(),
            None => text.into(),
        }
    }

    pub fn rewrite_of(&mut self, target: ReferenceTarget, place: &Place, scope: Scope) -> Rewrite {
        (self.visitor)(&Occurrence {
            target,
            place: place.clone(),
            scope,
        })
    }

    pub fn warning(&mut self, code: Code, text: impl Into<String>, place: &Place) {
        self.messages
            .push(StatusMessage::warning(code, text).at(place.clone()));
    }

    pub fn error(&mut self, code: Code, text: impl Into<String>, place: &Place) {
        self.messages
            .push(StatusMessage::error(code, text).at(place.clone()));
    }

    /// Reports that a reference cannot be removed and is left unchanged.
    pub fn refuse_removal(&mut self, what: &str, place: &Place) {
        let text = format!(
            "{what} cannot be removed from this setting without changing its meaning, so it is left unchanged"
        );
        self.messages.push(
            StatusMessage::error(Code::CannotRemove, text)
                .at(place.clone())
                .with_hint("map it to a destination, or change the setting by hand"),
        );
    }

    /// Warns of text that looks like a UNC path in an unknown notation and is left unchanged.
    pub fn warn_of_unusual_path(&mut self, path: &str, place: &Place) {
        let text = format!(
            "\"{}\" looks like a UNC path but is not written as one, so it is not mapped",
            printable(path)
        );
        self.messages.push(
            StatusMessage::warning(Code::UnreadPath, text)
                .at(place.clone())
                .with_hint("change it by hand, or write it as \\\\server\\share"),
        );
    }

    pub fn wrong_kind(&mut self, what: &str, place: &Place) -> TextRewrite {
        let text =
            format!("the destination of {what} is of a different kind, so it is left unchanged");
        self.error(Code::MappingWrongKind, text, place);
        TextRewrite::Keep
    }

    /// Reports that a new path would not be read as one path at its place, so that the old one is kept.
    pub fn refuse_path(&mut self, new: &str, old: &str, place: &Place) {
        let text = format!(
            "the path \"{}\" cannot be written here, so {} is left unchanged",
            printable(new),
            printable(old)
        );
        self.messages.push(
            StatusMessage::error(Code::BadPath, text)
                .at(place.clone())
                .with_hint("choose a destination without spaces, commas, semicolons or quotes, or change the setting by hand"),
        );
    }

    /// Visits a SID in a field that can contain only a SID.
    pub fn sid(&mut self, sid: &Sid, text: &str, place: &Place, scope: Scope) -> TextRewrite {
        let target = ReferenceTarget::Sid {
            sid: sid.clone(),
            text: text.to_owned(),
        };
        match self.rewrite_of(target, place, scope) {
            Rewrite::Keep => TextRewrite::Keep,
            Rewrite::Remove => TextRewrite::Remove,
            Rewrite::Principal { sid: Some(new), .. } if new == *sid => TextRewrite::Keep,
            Rewrite::Principal { sid: Some(new), .. } => TextRewrite::Replace(new.to_string()),
            Rewrite::Principal { sid: None, name } => {
                let message = format!(
                    "this field needs a SID and \"{}\" does not resolve to one, so {text} is left unchanged",
                    name.escape_debug()
                );
                self.error(Code::NeedsSid, message, place);
                TextRewrite::Keep
            }
            Rewrite::Unc(_) => self.wrong_kind(text, place),
        }
    }

    /// Visits a principal in GptTmpl.inf, which is written as `*SID` or a name.
    pub fn principal(&mut self, text: &str, place: &Place) -> TextRewrite {
        let (marked, bare) = match text.strip_prefix('*') {
            Some(bare) => (true, bare),
            None => (false, text),
        };
        let old = bare.parse::<Sid>().ok();
        let target = match &old {
            Some(sid) => ReferenceTarget::Sid {
                sid: sid.clone(),
                text: bare.to_owned(),
            },
            None if marked => {
                let message = format!(
                    "\"{}\" is not a SID, so it is left unchanged",
                    bare.escape_debug()
                );
                self.warning(Code::BadSid, message, place);
                return TextRewrite::Keep;
            }
            None => ReferenceTarget::Name(bare.to_owned()),
        };
        match self.rewrite_of(target, place, Scope::Gpmc) {
            Rewrite::Keep => TextRewrite::Keep,
            Rewrite::Remove => TextRewrite::Remove,
            Rewrite::Principal { sid: Some(new), .. } if old.as_ref() == Some(&new) => {
                TextRewrite::Keep
            }
            Rewrite::Principal { sid: Some(new), .. } => TextRewrite::Replace(format!("*{new}")),
            Rewrite::Principal { sid: None, name } if name == text => TextRewrite::Keep,
            Rewrite::Principal { sid: None, name } => {
                // A comma or a line end in a name would create other members or settings.
                let unfit = |c: char| c.is_control() || matches!(c, ',' | '=' | '"' | ';' | '[');
                if name.is_empty() || name.starts_with(['*', ' ']) || name.contains(unfit) {
                    let message = format!(
                        "the name \"{}\" cannot be written to GptTmpl.inf, so {text} is left unchanged",
                        name.escape_debug()
                    );
                    self.error(Code::BadName, message, place);
                    return TextRewrite::Keep;
                }
                TextRewrite::Replace(name)
            }
            Rewrite::Unc(_) => self.wrong_kind(text, place),
        }
    }

    /// Visits a UNC path. A trailing backslash is kept.
    pub fn unc(&mut self, text: &str, unit: &str, place: &Place, scope: Scope) -> TextRewrite {
        let target = ReferenceTarget::Unc {
            text: text.to_owned(),
            unit: unit.to_owned(),
        };
        match self.rewrite_of(target, place, scope) {
            Rewrite::Keep => TextRewrite::Keep,
            Rewrite::Remove => TextRewrite::Remove,
            Rewrite::Unc(new) if new == text => TextRewrite::Keep,
            Rewrite::Unc(new) => {
                if new.is_empty() || new.contains(|c: char| c.is_control() || c == '"') {
                    self.refuse_path(&new, text, place);
                    return TextRewrite::Keep;
                }
                let slash = text.ends_with('\\') && !new.ends_with('\\');
                TextRewrite::Replace(if slash { new + "\\" } else { new })
            }
            Rewrite::Principal { .. } => self.wrong_kind(text, place),
        }
    }
}

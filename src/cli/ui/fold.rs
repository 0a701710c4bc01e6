//! Lines folded to the width of the terminal.

use unicode_width::UnicodeWidthChar as _;

use super::clean::Clean;

/// On a terminal narrower than this, lines are left to it.
const NARROWEST: usize = 20;

/// A text in lines of at most `width` columns; the second and later ones are indented by `indent` columns. Lines break at blanks.
/// A word longer than a line breaks after a separator of paths and lists, if it has one there. Without a width, nothing is folded.
pub(super) fn lines(text: &Clean, width: Option<u16>, indent: usize) -> Vec<String> {
    let text = text.as_str();
    let width = match width.map(usize::from) {
        Some(width) if width >= NARROWEST && columns(text) > width => width,
        _ => return vec![text.to_owned()],
    };
    let indent = indent.min(width / 2);
    let words_begin = text.len().saturating_sub(text.trim_start().len());
    let (front, rest) = text.split_at(words_begin);
    let mut folded = Folded {
        width,
        indent,
        lines: Vec::new(),
        line: front.to_owned(),
        used: columns(front),
        is_new: true,
    };
    for word in rest.split(' ') {
        folded.add(word);
    }
    folded.lines.push(folded.line);
    folded
        .lines
        .into_iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// The indent of the second line of a text that is written like a diff, or that is indented itself: below its first word, and a
/// little more.
pub(super) fn hanging(text: &str) -> usize {
    let after_sign = text.strip_prefix(['+', '-', '~']).unwrap_or(text);
    let words = after_sign.trim_start().len();
    text.len().saturating_sub(words).saturating_add(4)
}

/// The columns that a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

struct Folded {
    width: usize,
    indent: usize,
    lines: Vec<String>,
    line: String,
    /// The columns of the line.
    used: usize,
    /// Whether the line has no word yet.
    is_new: bool,
}

impl Folded {
    fn add(&mut self, word: &str) {
        let blank = usize::from(!self.is_new);
        let length = columns(word);
        if self.used.saturating_add(blank).saturating_add(length) > self.width {
            let fits_alone = length <= self.width.saturating_sub(self.indent);
            // A long word begins in this line where that has room for a good part of it.
            let left = self.width.saturating_sub(self.used);
            if (fits_alone || left < self.width / 2) && !self.is_new {
                self.next();
            }
            if !fits_alone {
                return self.add_in_pieces(word);
            }
        }
        self.push(word);
    }

    fn push(&mut self, piece: &str) {
        if !self.is_new {
            self.line.push(' ');
            self.used = self.used.saturating_add(1);
        }
        self.line.push_str(piece);
        self.used = self.used.saturating_add(columns(piece));
        self.is_new = false;
    }

    fn next(&mut self) {
        let next = " ".repeat(self.indent);
        self.lines.push(std::mem::replace(&mut self.line, next));
        self.used = self.indent;
        self.is_new = true;
    }

    fn add_in_pieces(&mut self, word: &str) {
        let mut rest = word;
        loop {
            let blank = usize::from(!self.is_new);
            let room = self.width.saturating_sub(self.used.saturating_add(blank));
            let (piece, more) = rest.split_at(piece(rest, room));
            self.push(piece);
            if more.is_empty() {
                return;
            }
            self.next();
            rest = more;
        }
    }
}

/// The bytes of a text that fill this many columns, at least one character; fewer if a separator is near the end of them.
fn piece(text: &str, room: usize) -> usize {
    let (mut used, mut end, mut separator) = (0_usize, 0, None);
    for (at, character) in text.char_indices() {
        used = used.saturating_add(character.width().unwrap_or(0));
        if used > room && at > 0 {
            let near = separator.filter(|place| *place > at / 2);
            return near.unwrap_or(at);
        }
        end = at.saturating_add(character.len_utf8());
        if matches!(character, '\\' | '/' | ',' | ';' | ')' | '|') {
            separator = Some(end);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fold(text: &str, width: u16) -> Vec<String> {
        let text = Clean::new(text);
        lines(&text, Some(width), hanging(text.as_str()))
    }

    #[test]
    fn lines_break_at_blanks_and_long_words_after_separators() {
        assert_eq!(
            fold("  Minimum password length: 15 characters", 30),
            ["  Minimum password length: 15", "      characters"]
        );
        assert_eq!(
            fold(r"+   Path: software\policies\microsoft\office\14.0", 30),
            [
                r"+   Path: software\policies\",
                r"        microsoft\office\14.0"
            ]
        );
        assert_eq!(
            fold(&format!("a {}", "x".repeat(30)), 20),
            ["a xxxxxxxxxxxxxxxxxx", "    xxxxxxxxxxxx"]
        );
        assert_eq!(fold("short", 30), ["short"]);
        // Of two columns each.
        assert_eq!(
            fold("文字文字文字文字文字文字", 20),
            ["文字文字文字文字文字", "    文字"]
        );
        let long = "y ".repeat(200);
        assert_eq!(lines(&Clean::new(&long), None, 4), [long]);
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_nothing_is_lost(
            text in r"[+~-]? {0,5}([a-z文\\/,]{0,50} {1,2}){0,8}",
            width in 20_u16..80,
        ) {
            let folded = fold(&text, width);
            let whole: String = text.split(' ').collect();
            let again: String = folded.iter().flat_map(|line| line.split(' ')).collect();
            prop_assert_eq!(again, whole);
            for line in &folded {
                let fits = columns(line.trim_end()) <= usize::from(width);
                prop_assert!(fits || columns(&text) <= usize::from(width), "{folded:?}");
            }
        }
    }
}

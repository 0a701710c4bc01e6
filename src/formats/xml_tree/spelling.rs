//! How a value is spelled in a document: entities, line ends, CDATA. A changed value keeps the spelling of what is the same.

use std::ops::Range;

use super::{escape, representable, resolve};

/// The place of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// Between the quotes of an attribute.
    Attribute(char),
    /// Between two tags.
    Content,
}

/// A piece of a spelled value.
#[derive(Debug)]
struct Token {
    raw: Range<usize>,
    /// The character it represents; `None` for the marks of a CDATA section, a comment or a processing instruction.
    value: Option<char>,
    /// Whether it begins inside of a CDATA section.
    cdata: bool,
}

/// The value behind its spelling; `None` when it contains other elements.
pub(super) fn value(raw: &str, setting: Setting) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    each(raw, setting, |token| text.extend(token.value))?;
    Some(text)
}

/// The spelling of a new value that takes over the spelling of what it has in common with the old one at its beginning and
/// at its end.
pub(super) fn respell(raw: &str, setting: Setting, new: &str) -> String {
    let new = representable(new);
    let kept = tokens(raw, setting).and_then(|tokens| splice(raw, &tokens, setting, &new));
    kept.filter(|spelled| value(spelled, setting).as_ref() == Some(&new))
        .unwrap_or_else(|| spell(&new, setting, false))
}

/// A spelled value with character references for the characters that the encoding does not have; a CDATA section, which has no
/// references, ends before one and continues after it. `None` when the value contains other elements.
pub(super) fn with_references(
    spelled: &str,
    setting: Setting,
    has: impl Fn(char) -> bool,
) -> Option<String> {
    let mut out = String::with_capacity(spelled.len());
    each(spelled, setting, |token| {
        let raw = spelled.get(token.raw.clone()).unwrap_or_default();
        match token.value {
            Some(c) if !raw.chars().all(&has) => {
                let reference = format!("&#{};", u32::from(c));
                if token.cdata {
                    out.push_str(&format!("]]>{reference}<![CDATA["));
                } else {
                    out.push_str(&reference);
                }
            }
            // Comments and instructions are as they were, so the encoding has them.
            _ => out.push_str(raw),
        }
    })?;
    Some(out)
}

fn splice(raw: &str, tokens: &[Token], setting: Setting, new: &str) -> Option<String> {
    let same = |(token, c): &(&Token, char)| token.value == Some(*c);
    let characters = || tokens.iter().filter(|token| token.value.is_some());
    let front = characters().zip(new.chars()).take_while(same).count();
    let shorter = characters().count().min(new.chars().count());
    let back = characters()
        .rev()
        .zip(new.chars().rev())
        .take_while(same)
        .count()
        .min(shorter.saturating_sub(front));
    // Marks before and behind the changed part are kept.
    let start = beyond(tokens.iter(), front);
    let end = tokens
        .len()
        .saturating_sub(beyond(tokens.iter().rev(), back))
        .max(start);
    let at = |index: usize| match tokens.get(index) {
        Some(token) => (token.raw.start, token.cdata),
        None => (raw.len(), false),
    };
    let ((from, cdata), (to, cdata_after)) = (at(start), at(end));
    let middle: String = new
        .chars()
        .skip(front)
        .take(new.chars().count().checked_sub(front + back)?)
        .collect();
    let mark = match (cdata, cdata_after) {
        (true, false) => "]]>",
        (false, true) => "<![CDATA[",
        _ => "",
    };
    Some(format!(
        "{}{}{mark}{}",
        raw.get(..from)?,
        spell(&middle, setting, cdata),
        raw.get(to..)?
    ))
}

/// How many tokens precede the character that follows this many characters; all, when there are no more.
fn beyond<'t>(tokens: impl ExactSizeIterator<Item = &'t Token>, characters: usize) -> usize {
    let all = tokens.len();
    let mut values = tokens
        .enumerate()
        .filter(|(_, token)| token.value.is_some());
    values.nth(characters).map_or(all, |(index, _)| index)
}

fn spell(text: &str, setting: Setting, cdata: bool) -> String {
    match setting {
        _ if cdata => text.replace("]]>", "]]]]><![CDATA[>"),
        Setting::Attribute('\'') => escape(text).replace("&quot;", "\"").replace('\'', "&apos;"),
        Setting::Attribute(_) => escape(text),
        Setting::Content => escape(text).replace("&quot;", "\"").replace("&#x9;", "\t"),
    }
}

fn tokens(raw: &str, setting: Setting) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    each(raw, setting, |token| tokens.push(token))?;
    Some(tokens)
}

/// Meets the tokens in order; `None` when the value contains other elements.
fn each(raw: &str, setting: Setting, mut meet: impl FnMut(Token)) -> Option<()> {
    let mut cdata = false;
    let mut position = 0;
    while let Some(rest) = raw.get(position..).filter(|rest| !rest.is_empty()) {
        let (length, value, inside) = if cdata {
            match rest.strip_prefix("]]>") {
                Some(_) => (3, None, false),
                None => {
                    let (length, c) = literal(rest, setting)?;
                    (length, Some(c), true)
                }
            }
        } else if rest.starts_with("<![CDATA[") {
            (9, None, true)
        } else if rest.starts_with("<!--") {
            (rest.get(4..)?.find("-->")?.checked_add(7)?, None, false)
        } else if rest.starts_with("<?") {
            (rest.find("?>")?.checked_add(2)?, None, false)
        } else if rest.starts_with('<') && setting == Setting::Content {
            return None;
        } else if let Some(entity) = rest.strip_prefix('&') {
            let (name, _) = entity.split_once(';')?;
            let c = resolve(name)?.chars().next()?;
            (name.len().checked_add(2)?, Some(c), false)
        } else {
            let (length, c) = literal(rest, setting)?;
            (length, Some(c), false)
        };
        let next = position.checked_add(length)?;
        meet(Token {
            raw: position..next,
            value,
            cdata,
        });
        cdata = inside;
        position = next;
    }
    Some(())
}

/// A literal character: line ends are one line feed in content and one blank in attributes [XML 1.0 2.11, 3.3.3].
fn literal(rest: &str, setting: Setting) -> Option<(usize, char)> {
    let c = rest.chars().next()?;
    let length = if rest.starts_with("\r\n") {
        2
    } else {
        c.len_utf8()
    };
    let value = match (c, setting) {
        ('\r' | '\n' | '\t', Setting::Attribute(_)) => ' ',
        ('\r', Setting::Content) => '\n',
        _ => c,
    };
    Some((length, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUOTED: Setting = Setting::Attribute('"');

    #[test]
    fn an_attribute_keeps_the_spelling_of_what_stays() {
        for (raw, new, expected) in [
            ("a&#38;b&apos;c", "a&B'c", "a&#38;B&apos;c"),
            ("a&amp;b", "a&b<\"", "a&amp;b&lt;&quot;"),
            ("x&quot;y", "x", "x"),
            ("", "ü&", "ü&amp;"),
            ("aa", "a", "a"),
            ("a", "aa", "aa"),
            ("l\r\nm", "l m!", "l\r\nm!"),
            ("same", "same", "same"),
        ] {
            assert_eq!(respell(raw, QUOTED, new), expected, "{raw}");
        }
        assert_eq!(respell("a", Setting::Attribute('\''), "'\""), "&apos;\"");
    }

    #[test]
    fn content_keeps_its_cdata_and_comments() {
        for (raw, new, expected) in [
            ("<![CDATA[a<b]]>", "a<c&", "<![CDATA[a<c&]]>"),
            ("x<!-- c -->y", "xz", "x<!-- c -->z"),
            ("1<![CDATA[2]]>3", "4", "4"),
            ("<![CDATA[a]]>b", "c", "<![CDATA[c]]>"),
            ("b<![CDATA[a]]>", "c", "c<![CDATA[]]>"),
            ("<![CDATA[]]]]>", "]]>", "<![CDATA[]]]]>&gt;"),
            ("\r\n  a\r\n", "\n  b\n", "\r\n  b\r\n"),
        ] {
            let spelled = respell(raw, Setting::Content, new);
            assert_eq!(spelled, expected, "{raw}");
            assert_eq!(value(&spelled, Setting::Content).unwrap(), new);
        }
        assert_eq!(value("a<b/>c", Setting::Content), None);
    }

    proptest! {
        #[test]
        fn a_new_value_is_what_is_read(
            raw in "(a|b|&amp;|&#10;|\r\n|<!\\[CDATA\\[[a\\]>&]{0,3}\\]\\]>|<!--x-->|ü){0,8}",
            new in "[ab&<>\"'\\]\nü]{0,8}",
        ) {
            let spelled = respell(&raw, Setting::Content, &new);
            prop_assert_eq!(value(&spelled, Setting::Content).unwrap(), new.clone());
            let raw = raw.replace(['<', '>', '[', ']', '!'], "");
            for quote in ['"', '\''] {
                let setting = Setting::Attribute(quote);
                let spelled = respell(&raw, setting, &new);
                prop_assert!(!spelled.contains(quote));
                prop_assert_eq!(value(&spelled, setting).unwrap(), new.clone());
            }
        }

        #[test]
        fn never_panics(raw in "\\PC{0,40}", new in "\\PC{0,10}") {
            respell(&raw, Setting::Content, &new);
            respell(&raw, QUOTED, &new);
        }
    }
}

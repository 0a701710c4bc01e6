//! Names and values within conditions and claims [MS-DTYP 2.5.1.1], both ways.

use std::fmt::Write as _;

use crate::model::sid::Sid;

/// Resolves a text to a SID.
pub(super) type SidOf<'a> = dyn Fn(&str) -> Result<Sid, String> + 'a;

/// Characters that end a name unless written as `%hhhh`.
const ENDS_A_NAME: &str = "!\"&()<=>|";

/// Characters besides letters and digits that a name may contain unescaped [MS-DTYP 2.5.1.1, lit-char].
const LITERAL: &str = "#$'*+-./:;?@[\\]^_`{}~";

fn units(bytes: &[u8]) -> Option<Vec<u16>> {
    let units = bytes.chunks_exact(2);
    units.remainder().is_empty().then_some(())?;
    units
        .map(|unit| Some(u16::from_le_bytes(unit.try_into().ok()?)))
        .collect()
}

fn bytes_of(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// UTF-16LE as text.
pub(super) fn utf16(bytes: &[u8]) -> Option<String> {
    String::from_utf16(&units(bytes)?).ok()
}

/// The name of an attribute. Characters with a meaning in a condition, and all non-ASCII characters, are written as
/// `%hhhh`.
pub(super) fn escaped(bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    for unit in units(bytes)? {
        let literal = |c: &char| c.is_ascii_alphanumeric() || LITERAL.contains(*c);
        match char::from_u32(u32::from(unit)).filter(literal) {
            Some(c) => text.push(c),
            // Writing to a String cannot fail.
            None => write!(text, "%{unit:04x}").ok()?,
        }
    }
    Some(text)
}

/// A string in quotes. A quote within a string cannot be expressed.
pub(super) fn quoted(bytes: &[u8]) -> Option<String> {
    let text = utf16(bytes)?;
    (!text.contains('"')).then(|| format!("\"{text}\""))
}

/// Reads a condition or a claim from left to right. Spaces between the parts are ignored.
pub(super) struct Scanner<'a> {
    text: &'a str,
    pub(super) at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let bare = rest.trim_start_matches(['\t', '\n', '\u{B}', '\u{C}', '\r', ' ']);
        self.at += rest.len() - bare.len();
        bare
    }

    pub(super) fn next_is(&mut self, what: &str) -> bool {
        self.rest().starts_with(what)
    }

    pub(super) fn take(&mut self, what: &str) -> bool {
        let found = self.next_is(what);
        if found {
            self.at += what.len();
        }
        found
    }

    pub(super) fn expect(&mut self, what: &str) -> Result<(), String> {
        if self.take(what) {
            Ok(())
        } else {
            Err(format!("expected {what}"))
        }
    }

    /// Expects the end; only spaces may follow.
    pub(super) fn end(&mut self) -> Result<(), String> {
        if self.rest().is_empty() {
            Ok(())
        } else {
            Err("something follows the closing parenthesis".to_owned())
        }
    }

    /// Reads one of these words or symbols. A word ends where no letter, digit or `_` follows.
    pub(super) fn word<T: Copy>(&mut self, words: &[(T, &str)]) -> Option<T> {
        let rest = self.rest();
        let (code, word) = words.iter().find(|(_, word)| {
            let Some((start, after)) = rest.split_at_checked(word.len()) else {
                return false;
            };
            let letters = word.ends_with(|c: char| c.is_ascii_alphanumeric());
            let longer = after.starts_with(is_local);
            start.eq_ignore_ascii_case(word) && !(letters && longer)
        })?;
        self.at += word.len();
        Some(*code)
    }

    /// Reads one of these words, whatever follows.
    pub(super) fn word_part<T: Copy>(&mut self, words: &[(T, &str)]) -> Option<T> {
        let rest = self.rest();
        let (code, word) = words.iter().find(|(_, word)| {
            rest.get(..word.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(word))
        })?;
        self.at += word.len();
        Some(*code)
    }

    /// Reads up to this text, which is not consumed.
    pub(super) fn until(&mut self, end: &str) -> Option<&'a str> {
        let (before, _) = self.rest().split_once(end)?;
        self.at += before.len();
        Some(before)
    }

    /// The name of a local attribute, as UTF-16LE.
    pub(super) fn local_name(&mut self) -> Result<Vec<u8>, String> {
        let rest = self.rest();
        let end = rest
            .find(|c| !(is_local(c) || c == '@'))
            .unwrap_or(rest.len());
        match rest.get(..end).filter(|name| !name.is_empty()) {
            Some(name) => {
                self.at += end;
                Ok(bytes_of(name))
            }
            None => Err("expected the name of an attribute".to_owned()),
        }
    }

    /// The name of an attribute after its `@Class.`, or of a claim, as UTF-16LE.
    pub(super) fn escaped_name(&mut self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let mut rest = self.text.get(self.at..).unwrap_or_default();
        while let Some(c) = rest.chars().next() {
            let mut length = c.len_utf8();
            if c == '%' {
                let digits = rest.get(1..5).filter(|d| is_hex(d));
                let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
                let unit = unit.ok_or("expected four hexadecimal digits after %")?;
                bytes.extend_from_slice(&unit.to_le_bytes());
                length = 5;
            } else if c.is_whitespace() || c.is_control() || ENDS_A_NAME.contains(c) {
                break;
            } else {
                bytes.extend(bytes_of(c.encode_utf8(&mut [0; 4])));
            }
            self.at += length;
            rest = rest.get(length..).unwrap_or_default();
        }
        if bytes.is_empty() {
            return Err("expected the name of an attribute".to_owned());
        }
        Ok(bytes)
    }

    /// A string in quotes, as UTF-16LE.
    pub(super) fn quoted(&mut self) -> Result<Vec<u8>, String> {
        self.expect("\"")?;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let (inside, _) = rest.split_once('"').ok_or("a string has no end")?;
        self.at += inside.len() + 1;
        Ok(bytes_of(inside))
    }

    /// Bytes in hexadecimal.
    pub(super) fn octets(&mut self) -> Result<Vec<u8>, String> {
        let digits = self.hex_digits();
        super::hex_bytes(&digits).ok_or_else(|| "a byte has two hexadecimal digits".to_owned())
    }

    /// A run of hexadecimal digits; `#` is another way to write the digit 0.
    pub(super) fn hex_digits(&mut self) -> String {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_ascii_hexdigit() || c == '#'))
            .unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default().replace('#', "0")
    }

    /// Reads up to the next comma or closing parenthesis.
    pub(super) fn item(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find([',', ')']).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// A number, its sign (1 `+`, 2 `-`, 3 none) and base (1 octal, 2 decimal, 3 hexadecimal), as stored in the bytes.
    pub(super) fn integer(&mut self) -> Result<(i64, u8, u8), String> {
        let (sign, size, base) = self.number()?;
        let number = if sign == 2 {
            0_i64.checked_sub_unsigned(size)
        } else {
            i64::try_from(size).ok()
        };
        let number = number.ok_or("a number does not fit into 64 bits")?;
        Ok((number, sign, base))
    }

    /// Sign, absolute value and base.
    pub(super) fn number(&mut self) -> Result<(u8, u64, u8), String> {
        let sign = if self.take("+") {
            1
        } else if self.take("-") {
            2
        } else {
            3
        };
        let rest = self.rest();
        let hex = rest.starts_with("0x") || rest.starts_with("0X");
        let digits = rest.get(if hex { 2 } else { 0 }..).unwrap_or_default();
        let end = digits
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(digits.len());
        let digits = digits.get(..end).unwrap_or_default();
        let (base, radix) = match digits {
            _ if hex => (3, 16),
            _ if digits.starts_with('0') && digits.len() > 1 => (1, 8),
            _ => (2, 10),
        };
        let size = u64::from_str_radix(digits, radix);
        let size = size.map_err(|_| "expected a value: a number, a string, #bytes or SID(…)")?;
        self.at += end + if hex { 2 } else { 0 };
        Ok((sign, size, base))
    }
}

/// A character of the name of a local attribute [MS-DTYP 2.5.1.1, attr-char1].
fn is_local(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '/' | '_')
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

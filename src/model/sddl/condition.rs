//! The condition of a callback entry: an expression in postfix order in the bytes [MS-DTYP 2.4.4.17], in infix order in the text
//! [MS-DTYP 2.5.1.1].

use super::literal::{self, Scanner, SidOf};
use crate::model::sid::Sid;

/// The signature at the start of a condition.
const MAGIC: &[u8] = b"artx";

/// The maximum number of tokens that are converted to text, and the maximum nesting that is parsed.
const MAX_TOKENS: usize = 2_000;
const MAX_DEPTH: usize = 100;

const INT64: u8 = 0x04;
const UNICODE: u8 = 0x10;
const OCTETS: u8 = 0x18;
const COMPOSITE: u8 = 0x50;
const SID: u8 = 0x51;
const LOCAL: u8 = 0xF8;
const NOT: u8 = 0xA2;
const AND: u8 = 0xA0;
const OR: u8 = 0xA1;

/// Attributes of the user, the resource and the device. Written in the case that Windows uses; parsing ignores case.
const ATTRIBUTES: &[(u8, &str)] = &[(0xF9, "USER."), (0xFA, "RESOURCE."), (0xFB, "DEVICE.")];

/// Operators before a SID or a list of SIDs. Longer names come before their prefixes.
const MEMBERSHIP: &[(u8, &str)] = &[
    (0x93, "Not_Device_Member_of_Any"),
    (0x91, "Not_Device_Member_of"),
    (0x92, "Not_Member_of_Any"),
    (0x90, "Not_Member_of"),
    (0x8C, "Device_Member_of_Any"),
    (0x8A, "Device_Member_of"),
    (0x8B, "Member_of_Any"),
    (0x89, "Member_of"),
];

/// Operators before an attribute.
const EXISTENCE: &[(u8, &str)] = &[(0x8D, "Not_Exists"), (0x87, "Exists")];

/// Operators between an attribute and a value.
const RELATION: &[(u8, &str)] = &[
    (0x80, "=="),
    (0x81, "!="),
    (0x83, "<="),
    (0x85, ">="),
    (0x82, "<"),
    (0x84, ">"),
    (0x8E, "Not_Contains"),
    (0x86, "Contains"),
    (0x8F, "Not_Any_of"),
    (0x88, "Any_of"),
];

/// A subexpression as text.
struct Term {
    text: String,
    kind: TermKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TermKind {
    Literal,
    Attribute,
    /// In parentheses of its own.
    Closed,
    /// `Exists …` and `!(…)`.
    Open,
}

/// The text of a condition, in parentheses. `None` when text cannot express the bytes exactly: malformed bytes,
/// integers of less than 64 bits, strings that contain a quote.
pub(super) fn to_text(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let mut stack: Vec<Term> = Vec::new();
    let mut tokens = 0;
    while let Some((&code, after)) = rest.split_first() {
        rest = after;
        tokens += 1;
        if tokens > MAX_TOKENS {
            return None;
        }
        if code == 0 {
            // Zeros fill the entry up to a multiple of four bytes.
            rest.iter().all(|byte| *byte == 0).then_some(())?;
            break;
        }
        let part = match operator(code) {
            Some(name) => operation(code, name, &mut stack)?,
            None => operand(code, &mut rest)?,
        };
        stack.push(part);
    }
    let whole = stack.pop().filter(|_| stack.is_empty())?;
    let text = match whole.kind {
        TermKind::Literal => return None,
        TermKind::Closed => whole.text,
        TermKind::Attribute | TermKind::Open => format!("({})", whole.text),
    };
    // Text that would parse to other bytes is not used.
    let again = from_text(&text, &sid_without_domain).ok()?;
    (again == bytes).then_some(text)
}

/// The SIDs that [`super::sid_text`] writes.
fn sid_without_domain(text: &str) -> Result<Sid, String> {
    super::sid_named(text, None)
}

fn operator(code: u8) -> Option<&'static str> {
    [MEMBERSHIP, EXISTENCE, RELATION]
        .into_iter()
        .flatten()
        .chain(&[(NOT, "!"), (AND, "&&"), (OR, "||")])
        .find(|(known, _)| *known == code)
        .map(|(_, name)| *name)
}

/// Applies an operator to the topmost terms of the stack.
fn operation(code: u8, name: &str, stack: &mut Vec<Term>) -> Option<Term> {
    let right = stack.pop()?;
    if code == NOT {
        let text = format!("!{}", inner(right)?);
        return Some(Term {
            text,
            kind: TermKind::Open,
        });
    }
    if EXISTENCE.iter().any(|(known, _)| *known == code) {
        let kind = TermKind::Open;
        let text = format!("{name} {}", right.text);
        return (right.kind == TermKind::Attribute).then_some(Term { text, kind });
    }
    let kind = TermKind::Closed;
    if MEMBERSHIP.iter().any(|(known, _)| *known == code) {
        let text = format!("({name} {})", right.text);
        return (right.kind == TermKind::Literal).then_some(Term { text, kind });
    }
    let left = stack.pop()?;
    let text = if matches!(code, AND | OR) {
        format!("({} {name} {})", inner(left)?, inner(right)?)
    } else {
        (left.kind == TermKind::Attribute).then_some(())?;
        matches!(right.kind, TermKind::Attribute | TermKind::Literal).then_some(())?;
        format!("({} {name} {})", left.text, right.text)
    };
    Some(Term { text, kind })
}

/// Formats an operand of a logical operator.
fn inner(part: Term) -> Option<String> {
    match part.kind {
        TermKind::Literal => None,
        TermKind::Closed => Some(part.text),
        TermKind::Attribute | TermKind::Open => Some(format!("({})", part.text)),
    }
}

fn operand(code: u8, rest: &mut &[u8]) -> Option<Term> {
    if code == LOCAL {
        let text = literal::utf16(counted(rest)?)?;
        return Some(Term {
            text,
            kind: TermKind::Attribute,
        });
    }
    if let Some((_, prefix)) = ATTRIBUTES.iter().find(|(known, _)| *known == code) {
        let name = literal::escaped(counted(rest)?)?;
        return Some(Term {
            text: format!("@{prefix}{name}"),
            kind: TermKind::Attribute,
        });
    }
    let text = if code == COMPOSITE {
        let mut list = counted(rest)?;
        let mut items = Vec::new();
        while let Some((&code, after)) = list.split_first() {
            list = after;
            items.push(value(code, &mut list)?);
        }
        format!("{{{}}}", items.join(", "))
    } else {
        value(code, rest)?
    };
    Some(Term {
        text,
        kind: TermKind::Literal,
    })
}

fn value(code: u8, rest: &mut &[u8]) -> Option<String> {
    match code {
        INT64 => {
            let (&number, after) = rest.split_first_chunk::<8>()?;
            let (&[sign, base], after) = after.split_first_chunk::<2>()?;
            *rest = after;
            integer_text(i64::from_le_bytes(number), sign, base)
        }
        UNICODE => literal::quoted(counted(rest)?),
        OCTETS => {
            let mut text = String::new();
            super::write_hex(&mut text, counted(rest)?);
            Some(text)
        }
        SID => {
            let bytes = counted(rest)?;
            let (sid, used) = Sid::parse_prefix(bytes).ok()?;
            (used == bytes.len()).then(|| format!("SID({})", super::sid_text(&sid, None)))
        }
        _ => None,
    }
}

/// Reads length-prefixed bytes.
fn counted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&length, after) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
    let (bytes, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

/// Formats a number with the sign and in the base that the bytes record.
fn integer_text(number: i64, sign: u8, base: u8) -> Option<String> {
    let sign = match sign {
        1 => "+",
        2 => "-",
        3 => "",
        _ => return None,
    };
    let size = number.unsigned_abs();
    Some(match base {
        1 => format!("{sign}0{size:o}"),
        2 => format!("{sign}{size}"),
        3 => format!("{sign}0x{size:x}"),
        _ => return None,
    })
}

/// The bytes of a condition with its SIDs replaced. `None` when they are not a condition or cannot be parsed.
pub(super) fn with_sids(bytes: &[u8], sid_of: &mut dyn FnMut(&Sid) -> Sid) -> Option<Vec<u8>> {
    let mut out = MAGIC.to_vec();
    tokens_with_sids(bytes.strip_prefix(MAGIC)?, false, sid_of, &mut out)?;
    out.resize(out.len().next_multiple_of(4), 0);
    Some(out)
}

fn tokens_with_sids(
    mut rest: &[u8],
    in_list: bool,
    sid_of: &mut dyn FnMut(&Sid) -> Sid,
    out: &mut Vec<u8>,
) -> Option<()> {
    while let Some((&code, after)) = rest.split_first() {
        let counted_from = after;
        rest = after;
        let data = match code {
            // A nested list cannot be expressed in text, so no tool writes one.
            0 | COMPOSITE if in_list => return None,
            // Padding at the end.
            0 => return rest.iter().all(|byte| *byte == 0).then_some(()),
            SID => {
                let bytes = counted(&mut rest)?;
                let (sid, used) = Sid::parse_prefix(bytes).ok()?;
                (used == bytes.len()).then_some(())?;
                Some(sid_of(&sid).to_bytes())
            }
            COMPOSITE => {
                let mut list = Vec::new();
                let inside = counted(&mut rest)?;
                tokens_with_sids(inside, true, sid_of, &mut list)?;
                Some(list)
            }
            UNICODE | OCTETS | LOCAL | 0xF9..=0xFB => Some(counted(&mut rest)?.to_vec()),
            _ => None,
        };
        out.push(code);
        match data {
            Some(data) => {
                out.extend_from_slice(&u32::try_from(data.len()).ok()?.to_le_bytes());
                out.extend_from_slice(&data);
            }
            None if code == INT64 => {
                let (number, after) = counted_from.split_at_checked(10)?;
                out.extend_from_slice(number);
                rest = after;
            }
            None => {
                operator(code)?;
            }
        }
    }
    Some(())
}

/// The bytes of a condition: `text` begins with its opening parenthesis and ends with its closing one.
///
/// # Errors
/// The position of the error, in bytes of the text, and the reason.
pub(super) fn from_text(text: &str, sid_of: &SidOf<'_>) -> Result<Vec<u8>, (usize, String)> {
    let mut reader = ConditionReader {
        scanner: Scanner::new(text),
        sid_of,
        depth: 0,
        bytes: MAGIC.to_vec(),
    };
    match reader.whole() {
        Ok(()) => {
            let mut bytes = reader.bytes;
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            Ok(bytes)
        }
        Err(reason) => Err((reader.scanner.at, reason)),
    }
}

struct ConditionReader<'a> {
    scanner: Scanner<'a>,
    sid_of: &'a SidOf<'a>,
    depth: usize,
    bytes: Vec<u8>,
}

impl ConditionReader<'_> {
    fn whole(&mut self) -> Result<(), String> {
        self.scanner.expect("(")?;
        self.disjunction()?;
        self.scanner.expect(")")?;
        self.scanner.end()
    }

    fn disjunction(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the condition is nested too deeply".to_owned());
        }
        self.conjunction()?;
        while self.scanner.take("||") {
            self.conjunction()?;
            self.bytes.push(OR);
        }
        self.depth -= 1;
        Ok(())
    }

    fn conjunction(&mut self) -> Result<(), String> {
        self.term()?;
        while self.scanner.take("&&") {
            self.term()?;
            self.bytes.push(AND);
        }
        Ok(())
    }

    fn term(&mut self) -> Result<(), String> {
        let mut negations = 0;
        while self.scanner.take("!") {
            negations += 1;
        }
        if self.scanner.take("(") {
            self.disjunction()?;
            self.scanner.expect(")")?;
        } else if let Some(code) = self.scanner.word(MEMBERSHIP) {
            self.value()?;
            self.bytes.push(code);
        } else if let Some(code) = self.scanner.word(EXISTENCE) {
            self.attribute()?;
            self.bytes.push(code);
        } else {
            self.attribute()?;
            if let Some(code) = self.scanner.word(RELATION) {
                if self.scanner.next_is("@") {
                    self.attribute()?;
                } else {
                    self.value()?;
                }
                self.bytes.push(code);
            }
        }
        self.bytes.extend(std::iter::repeat_n(NOT, negations));
        Ok(())
    }

    fn attribute(&mut self) -> Result<(), String> {
        let (code, name) = if self.scanner.take("@") {
            let code = self.scanner.word_part(ATTRIBUTES);
            let code = code.ok_or("expected @User., @Resource. or @Device.")?;
            (code, self.scanner.escaped_name()?)
        } else {
            (LOCAL, self.scanner.local_name()?)
        };
        self.bytes.push(code);
        self.counted(&name)
    }

    /// Reads a literal, a list of literals, or either in parentheses.
    fn value(&mut self) -> Result<(), String> {
        if self.scanner.take("(") {
            self.plain_value()?;
            return self.scanner.expect(")");
        }
        self.plain_value()
    }

    fn plain_value(&mut self) -> Result<(), String> {
        if !self.scanner.take("{") {
            return self.literal();
        }
        let outer = std::mem::take(&mut self.bytes);
        if !self.scanner.take("}") {
            self.literal()?;
            while self.scanner.take(",") {
                self.literal()?;
            }
            self.scanner.expect("}")?;
        }
        let list = std::mem::replace(&mut self.bytes, outer);
        self.bytes.push(COMPOSITE);
        self.counted(&list)
    }

    fn literal(&mut self) -> Result<(), String> {
        if self.scanner.next_is("\"") {
            let text = self.scanner.quoted()?;
            self.bytes.push(UNICODE);
            self.counted(&text)
        } else if self.scanner.take("#") {
            let octets = self.scanner.octets()?;
            self.bytes.push(OCTETS);
            self.counted(&octets)
        } else if self.scanner.word_part(&[(SID, "SID(")]).is_some() {
            let name = self.scanner.until(")").ok_or("a SID has no end")?;
            let sid = (self.sid_of)(name.trim())?;
            self.scanner.expect(")")?;
            self.bytes.push(SID);
            self.counted(&sid.to_bytes())
        } else {
            let (number, sign, base) = self.scanner.integer()?;
            self.bytes.push(INT64);
            self.bytes.extend_from_slice(&number.to_le_bytes());
            self.bytes.extend_from_slice(&[sign, base]);
            Ok(())
        }
    }

    fn counted(&mut self, bytes: &[u8]) -> Result<(), String> {
        let length = u32::try_from(bytes.len()).map_err(|_| "a value is too long")?;
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

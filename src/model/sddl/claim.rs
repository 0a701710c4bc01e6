//! The claim of a resource attribute entry: `("Project",TS,0x0,"A","B")` [MS-DTYP 2.4.10.1, 2.5.1.1].

use super::literal::{self, Scanner, SidOf};
use crate::model::sid::Sid;

/// The maximum number of values that are converted to text.
const MAX_VALUES: usize = 4_000;

const INT64: u16 = 1;
const UINT64: u16 = 2;
const STRING: u16 = 3;
const SID: u16 = 5;
const BOOLEAN: u16 = 6;
const OCTETS: u16 = 16;

const TYPES: &[(u16, &str)] = &[
    (INT64, "TI"),
    (UINT64, "TU"),
    (STRING, "TS"),
    (SID, "TD"),
    (BOOLEAN, "TB"),
    (OCTETS, "TX"),
];

/// The text of a claim, in parentheses; `None` when the bytes are not a claim or text cannot express them exactly.
pub(super) fn to_text(bytes: &[u8]) -> Option<String> {
    let at = |offset: usize| {
        let word = bytes.get(offset..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*word))
    };
    let from = |offset: usize| bytes.get(usize::try_from(at(offset)?).ok()?..);
    let kind = u16::try_from(at(4)?).ok()?;
    let (_, name) = TYPES.iter().find(|(known, _)| *known == kind)?;
    let count = usize::try_from(at(12)?).ok().filter(|n| *n <= MAX_VALUES)?;
    let mut text = format!(
        "(\"{}\",{name},0x{:x}",
        literal::escaped(terminated(from(0)?)?)?,
        at(8)?
    );
    for number in 0..count {
        text.push(',');
        text.push_str(&value(kind, from(16 + 4 * number)?)?);
        if text.len() > super::MAX_TEXT {
            return None;
        }
    }
    text.push(')');
    let same = |sid: &str| super::sid_named(sid, None);
    let again = from_text(&text, &same).ok()?;
    (again == bytes).then_some(text)
}

fn value(kind: u16, bytes: &[u8]) -> Option<String> {
    if kind == STRING {
        return literal::quoted(terminated(bytes)?);
    }
    if matches!(kind, SID | OCTETS) {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let bytes = rest.get(..length)?;
        if kind == SID {
            return Some(super::sid_text(&Sid::parse_prefix(bytes).ok()?.0, None));
        }
        let mut text = String::new();
        super::write_hex(&mut text, bytes);
        return text.strip_prefix('#').map(str::to_owned);
    }
    let bytes = *bytes.first_chunk::<8>()?;
    Some(match kind {
        INT64 => i64::from_le_bytes(bytes).to_string(),
        _ => u64::from_le_bytes(bytes).to_string(),
    })
}

/// UTF-16LE text up to its NUL.
fn terminated(bytes: &[u8]) -> Option<&[u8]> {
    let units = bytes.chunks_exact(2).position(|unit| unit == [0, 0])?;
    bytes.get(..units * 2)
}

/// The bytes of a claim: `text` begins with its opening parenthesis and ends with its closing one.
///
/// # Errors
/// The position of the error, in bytes of the text, and the reason.
pub(super) fn from_text(text: &str, sid_of: &SidOf<'_>) -> Result<Vec<u8>, (usize, String)> {
    let mut scanner = Scanner::new(text);
    read(&mut scanner, sid_of).map_err(|reason| (scanner.at, reason))
}

fn read(scanner: &mut Scanner<'_>, sid_of: &SidOf<'_>) -> Result<Vec<u8>, String> {
    scanner.expect("(")?;
    scanner.expect("\"")?;
    let name = scanner.escaped_name()?;
    scanner.expect("\"")?;
    scanner.expect(",")?;
    let kind = scanner.word(TYPES);
    let kind = kind.ok_or("expected one of the types TI, TU, TS, TD, TB and TX")?;
    scanner.expect(",")?;
    let (_, flags, _) = scanner.number()?;
    let flags = u32::try_from(flags).map_err(|_| "the flags do not fit into 32 bits")?;
    let mut values = Vec::new();
    while scanner.take(",") {
        values.push(read_value(scanner, kind, sid_of)?);
    }
    scanner.expect(")")?;
    scanner.end()?;

    let large = "the claim is too large";
    let word = |number: usize| u32::try_from(number).map_err(|_| large);
    let mut offset = 16 + 4 * values.len();
    let mut bytes = word(offset)?.to_le_bytes().to_vec();
    bytes.extend_from_slice(&u32::from(kind).to_le_bytes());
    bytes.extend_from_slice(&flags.to_le_bytes());
    bytes.extend_from_slice(&word(values.len())?.to_le_bytes());
    offset += name.len() + 2;
    for value in &values {
        bytes.extend_from_slice(&word(offset)?.to_le_bytes());
        offset += value.len();
    }
    bytes.extend_from_slice(&name);
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend(values.concat());
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    Ok(bytes)
}

fn read_value(scanner: &mut Scanner<'_>, kind: u16, sid_of: &SidOf<'_>) -> Result<Vec<u8>, String> {
    let counted = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).map_err(|_| "a value is too long")?;
        Ok([&length.to_le_bytes()[..], bytes].concat())
    };
    match kind {
        STRING => Ok([scanner.quoted()?, vec![0, 0]].concat()),
        OCTETS => {
            // Add a leading zero to an odd number of digits.
            let digits = scanner.hex_digits();
            let even = format!("{}{digits}", if digits.len() % 2 == 1 { "0" } else { "" });
            let bytes = super::hex_bytes(&even).filter(|bytes| !bytes.is_empty());
            counted(&bytes.ok_or("expected hexadecimal digits")?)
        }
        SID => counted(&sid_of(scanner.item().trim())?.to_bytes()),
        INT64 => Ok(scanner.integer()?.0.to_le_bytes().to_vec()),
        _ => {
            let (sign, number, _) = scanner.number()?;
            let fits = sign != 2 && (kind == UINT64 || number < 2);
            fits.then_some(())
                .ok_or("the number is not one of this type")?;
            Ok(number.to_le_bytes().to_vec())
        }
    }
}

//! The BER [X.690] that is needed outside ldap3: for the bind and StartTLS exchanges on the bare stream, and for the values of
//! controls. Reads without recursion and never panics, because the peer is not authenticated yet.

/// One element: its tag byte, its content, and the bytes after it.
pub(super) struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    pub rest: &'a [u8],
}

/// The content at the front of a buffer.
pub(super) enum Front<'a> {
    /// A complete element.
    Whole(Element<'a>),
    /// An incomplete element.
    Partial,
    /// No element, or one of more than `limit` bytes.
    Invalid,
}

/// Reads the element at the front of `bytes`. Tags above 30 do not occur in LDAP and are invalid.
pub(super) fn front(bytes: &[u8], limit: usize) -> Front<'_> {
    let (tag, rest) = match bytes.split_first() {
        None => return Front::Partial,
        Some((tag, _)) if tag & 0x1f == 0x1f => return Front::Invalid,
        Some((tag, rest)) => (*tag, rest),
    };
    let (length, rest) = match rest.split_first() {
        None => return Front::Partial,
        Some((&short, rest)) if short < 0x80 => (usize::from(short), rest),
        Some((&long, rest)) => {
            let count = usize::from(long & 0x7f);
            if count == 0 || count > 4 {
                return Front::Invalid;
            }
            let Some((digits, rest)) = rest.split_at_checked(count) else {
                return Front::Partial;
            };
            let length = digits
                .iter()
                .fold(0_usize, |sum, &digit| sum << 8 | usize::from(digit));
            (length, rest)
        }
    };
    if length > limit {
        return Front::Invalid;
    }
    match rest.split_at_checked(length) {
        Some((content, rest)) => Front::Whole(Element { tag, content, rest }),
        None => Front::Partial,
    }
}

/// Reads an element that must be complete and have this tag.
pub(super) fn expect(bytes: &[u8], tag: u8) -> Option<Element<'_>> {
    match front(bytes, bytes.len()) {
        Front::Whole(element) if element.tag == tag => Some(element),
        _ => None,
    }
}

/// Writes an element.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let digits: Vec<u8> = length
                .to_be_bytes()
                .into_iter()
                .skip_while(|&digit| digit == 0)
                .collect();
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(0));
            out.extend_from_slice(&digits);
        }
    }
    out.extend_from_slice(content);
    out
}

/// An INTEGER of up to 31 bits that is not negative.
pub(super) fn integer(value: u32) -> Vec<u8> {
    let mut digits: Vec<u8> = value
        .to_be_bytes()
        .into_iter()
        .skip_while(|&digit| digit == 0)
        .collect();
    if digits.first().is_none_or(|&digit| digit >= 0x80) {
        digits.insert(0, 0);
    }
    element(0x02, &digits)
}

/// The value of an INTEGER or ENUMERATED that is not negative.
pub(super) fn unsigned(content: &[u8]) -> Option<u32> {
    if content.is_empty() || content.len() > 5 {
        return None;
    }
    let value = content
        .iter()
        .fold(0_u64, |sum, &digit| sum << 8 | u64::from(digit));
    u32::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn writes_lengths_short_and_long() {
        assert_eq!(element(4, b"ab"), [4, 2, b'a', b'b']);
        assert_eq!(element(4, &[0; 200])[..4], [4, 0x81, 200, 0]);
        assert_eq!(element(4, &[0; 300])[..4], [4, 0x82, 1, 44]);
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(128), [2, 2, 0, 128]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tag in 0_u8..0x1f, content in proptest::collection::vec(any::<u8>(), 0..400)) {
            let bytes = element(tag, &content);
            let read = expect(&bytes, tag).unwrap();
            prop_assert_eq!(read.content, &content[..]);
            prop_assert!(read.rest.is_empty());
            for end in 0..bytes.len() {
                prop_assert!(matches!(front(&bytes[..end], 1000), Front::Partial));
            }
        }

        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = front(&bytes, 1 << 20);
            let _ = unsigned(&bytes);
        }
    }
}

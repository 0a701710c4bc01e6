//! Limits for what a server may send: the size of one LDAP message, and the size of one result. ldap3 has none.

use crate::domain::ldap::{Entry, LdapFailure};

/// The maximum size of an LDAP message, in bytes. AD accepts objects of about 10 MiB at most.
const MAX_MESSAGE: u64 = 64 * 1024 * 1024;
/// The maximum number of entries, references and pages of one search.
const MAX_ITEMS: usize = 500_000;
/// The maximum number of bytes of one search, as they are stored.
const MAX_BYTES: usize = 512 * 1024 * 1024;
/// The memory that a value needs besides its bytes.
const VALUE_COST: usize = 48;

/// Watches the stream from the server, and detects a message that is too long before it is collected: every LDAPMessage begins
/// with a tag and a length [RFC 4511 5.1].
#[derive(Default)]
pub(super) struct MessageLimit {
    header: Vec<u8>,
    left: u64,
}

impl MessageLimit {
    /// Reads the next bytes of the stream.
    ///
    /// # Errors
    /// The reason when a message is too long or its length is malformed.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped = usize::try_from(self.left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                self.left -= u64::try_from(skipped).unwrap_or(self.left);
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            self.header.push(*first);
            bytes = rest;
            let length = match self.header.as_slice() {
                [_, short @ 0..=0x7f] => u64::from(*short),
                [_, count @ 0x81..=0x84, octets @ ..] => {
                    if octets.len() < usize::from(count & 0x7f) {
                        continue;
                    }
                    octets
                        .iter()
                        .fold(0, |sum, octet| sum << 8 | u64::from(*octet))
                }
                [_] => continue,
                _ => return Err("the server sent a malformed LDAP message".to_owned()),
            };
            if length > MAX_MESSAGE {
                return Err(format!(
                    "the server sent an LDAP message of {length} bytes, more than the {MAX_MESSAGE} that are accepted"
                ));
            }
            self.header.clear();
            self.left = length;
        }
        Ok(())
    }
}

/// What one search has returned so far.
pub(super) struct ResultLimit {
    items: usize,
    bytes: usize,
}

impl ResultLimit {
    pub(super) fn new() -> Self {
        Self {
            items: MAX_ITEMS,
            bytes: MAX_BYTES,
        }
    }

    /// Counts a reference or a page, which are not kept, so that a server cannot send them without end.
    ///
    /// # Errors
    /// [`LdapFailure::TooMuch`] when there are too many.
    pub(super) fn count(&mut self) -> Result<(), LdapFailure> {
        match self.items.checked_sub(1) {
            Some(left) => {
                self.items = left;
                Ok(())
            }
            None => Err(too_much(format!("{MAX_ITEMS} entries"))),
        }
    }

    /// Counts an entry with its values.
    ///
    /// # Errors
    /// [`LdapFailure::TooMuch`] when there are too many, or they are too large.
    pub(super) fn keep(&mut self, entry: &Entry) -> Result<(), LdapFailure> {
        self.count()?;
        let attributes = entry.attributes.iter();
        let size = attributes.fold(entry.dn.as_str().len(), |sum, (name, values)| {
            values
                .iter()
                .fold(sum + name.len() + VALUE_COST, |sum, value| {
                    sum.saturating_add(value.len() + VALUE_COST)
                })
        });
        match self.bytes.checked_sub(size) {
            Some(left) => {
                self.bytes = left;
                Ok(())
            }
            None => Err(too_much(format!("{} MiB", MAX_BYTES >> 20))),
        }
    }
}

fn too_much(limit: String) -> LdapFailure {
    LdapFailure::TooMuch { limit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dn::Dn;

    #[test]
    fn messages_are_followed_across_any_cut() {
        let mut stream = vec![0x30, 3, 1, 2, 3, 0x30, 0x82, 1, 0];
        stream.extend([0; 256]);
        stream.extend([0x30, 0]);
        for size in [1, 2, 3, 7, 1000] {
            let mut limit = MessageLimit::default();
            for piece in stream.chunks(size) {
                limit.pass(piece).unwrap();
            }
            assert_eq!((limit.left, limit.header.len()), (0, 0), "{size}");
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_by_its_header() {
        let mut limit = MessageLimit::default();
        let error = limit.pass(&[0x30, 0x84, 0x40, 0, 0, 0]).unwrap_err();
        assert!(error.contains("1073741824 bytes"), "{error}");
        // An indefinite length, and a length of five octets.
        for odd in [0x80, 0x85] {
            assert!(MessageLimit::default().pass(&[0x30, odd]).is_err());
        }
    }

    #[test]
    fn results_are_bounded_by_count_and_by_bytes() {
        let entry = Entry {
            dn: Dn::root(),
            attributes: vec![("a".to_owned(), vec![vec![0; 100]])],
        };
        let mut limit = ResultLimit {
            items: 2,
            bytes: MAX_BYTES,
        };
        limit.keep(&entry).unwrap();
        limit.count().unwrap();
        let too_much = |result: Result<(), LdapFailure>| match result {
            Err(LdapFailure::TooMuch { limit }) => limit,
            other => panic!("{other:?}"),
        };
        assert_eq!(too_much(limit.keep(&entry)), "500000 entries");
        let mut limit = ResultLimit {
            items: 9,
            bytes: 300,
        };
        limit.keep(&entry).unwrap();
        assert_eq!(too_much(limit.keep(&entry)), "512 MiB");
    }
}

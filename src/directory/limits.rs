//! Limits for what a search may return. ldap3 has none; those of one message are in [`super::gate`].

use crate::domain::ldap::{Entry, LdapFailure};

/// The maximum number of entries, references and pages of one search.
const MAX_ITEMS: usize = 500_000;
/// The maximum number of bytes of one search, as they are stored.
const MAX_BYTES: usize = 512 * 1024 * 1024;
/// The memory that a value needs besides its bytes.
const VALUE_COST: usize = 48;

/// What one search has returned so far.
#[derive(Clone)]
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

    #[cfg(test)]
    pub(super) fn of(items: usize, bytes: usize) -> Self {
        Self { items, bytes }
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

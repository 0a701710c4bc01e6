//! An index of principal names by trigrams. A table of thousands of rows and a domain of tens of thousands of accounts
//! give too many pairs to compare them all.

use std::collections::{BTreeSet, HashMap};

use super::folded;
use crate::model::principal::Principal;

/// Up to this number of principals all names are compared.
const SMALL: usize = 2_000;

/// The maximum number of names that are compared with one name in a larger domain.
const MAX_COMPARED: usize = 500;

/// The principals of a domain, each with the comparison form of its name.
pub(super) struct Names {
    all: Vec<(String, Principal)>,
    /// The indexes of the names that contain a trigram, with the length of the name. Empty for a small domain.
    by_piece: HashMap<Piece, Vec<(usize, usize)>>,
}

/// A trigram. A name is padded with NUL, which no name contains, at both ends.
type Piece = (char, char, char);

fn pieces(name: &str) -> Vec<Piece> {
    let framed: Vec<char> = std::iter::once('\0')
        .chain(name.chars())
        .chain(std::iter::once('\0'))
        .collect();
    let mut pieces: Vec<Piece> = framed
        .windows(3)
        .filter_map(|window| match window {
            &[one, two, three] => Some((one, two, three)),
            _ => None,
        })
        .collect();
    pieces.sort_unstable();
    pieces.dedup();
    pieces
}

impl Names {
    pub(super) fn of(principals: Vec<Principal>) -> Self {
        let all: Vec<(String, Principal)> = principals
            .into_iter()
            .map(|principal| (folded(&principal.sam_account_name), principal))
            .collect();
        let mut by_piece: HashMap<Piece, Vec<(usize, usize)>> = HashMap::new();
        if all.len() > SMALL {
            for (number, (name, _)) in all.iter().enumerate() {
                for piece in pieces(name) {
                    by_piece
                        .entry(piece)
                        .or_default()
                        .push((name.len(), number));
                }
            }
            by_piece
                .values_mut()
                .for_each(|entries| entries.sort_unstable());
        }
        Self { all, by_piece }
    }

    /// The names that may be similar to this one: in a large domain, those that share a trigram with it. Rare trigrams
    /// come first; of a common one, only names of similar length are returned.
    pub(super) fn similar_to(&self, wanted: &str) -> impl Iterator<Item = (&str, &Principal)> {
        let numbers = if self.by_piece.is_empty() {
            (0..self.all.len()).collect::<BTreeSet<_>>()
        } else {
            self.sharing(wanted)
        };
        numbers
            .into_iter()
            .filter_map(|number| self.all.get(number))
            .map(|(name, principal)| (name.as_str(), principal))
    }

    fn sharing(&self, wanted: &str) -> BTreeSet<usize> {
        let mut lists: Vec<&[(usize, usize)]> = pieces(wanted)
            .iter()
            .filter_map(|piece| self.by_piece.get(piece).map(Vec::as_slice))
            .collect();
        lists.sort_unstable_by_key(|entries| entries.len());
        let mut numbers = BTreeSet::new();
        for entries in lists {
            // Take half of the remaining number, so that several trigrams contribute.
            let left = MAX_COMPARED.saturating_sub(numbers.len());
            let part = entries_near_length(entries, wanted.len(), left.div_ceil(2));
            numbers.extend(part.iter().map(|(_, number)| *number));
        }
        numbers
    }
}

/// At most `most` entries whose length is nearest to this one.
fn entries_near_length(
    entries: &[(usize, usize)],
    length: usize,
    most: usize,
) -> &[(usize, usize)] {
    let middle = entries.partition_point(|(known, _)| *known < length);
    let similarity_of = entries.partition_point(|(known, _)| *known <= length) - middle;
    // The entries of this length, and equally many shorter and longer ones around them.
    let spare = most.saturating_sub(similarity_of);
    let start = middle
        .saturating_sub(spare.div_ceil(2))
        .min(entries.len().saturating_sub(most));
    let end = start.saturating_add(most).min(entries.len());
    entries.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::principal::PrincipalType;

    fn names(all: impl Iterator<Item = String>) -> Names {
        let sid = |number: u32| format!("S-1-5-21-1-2-3-{number}").parse().unwrap();
        let principal = |(number, name): (u32, String)| {
            Principal::of_domain(sid(number), &name, PrincipalType::User, "D", "d.test")
        };
        Names::of((1000..).zip(all).map(principal).collect())
    }

    #[test]
    fn a_small_domain_is_compared_whole() {
        let all = names((0..2_000).map(|number| format!("n{number}")));
        assert_eq!(all.similar_to("xyz").count(), 2_000);
    }

    #[test]
    fn in_a_large_domain_few_names_are_compared() {
        let people = (0..20_000).map(|number| format!("user{number:05}"));
        let others = ["Helpdesk", "Support-Berlin", "svc_backup", "\u{e4}rzte"];
        let all = names(people.chain(others.map(str::to_owned)));
        for (wanted, close) in [
            ("helpdsk", "helpdesk"),
            ("hlepdesk", "helpdesk"),
            ("support berlin", "support-berlin"),
            ("svc_bakcup", "svc_backup"),
            ("svcbackup", "svc_backup"),
            ("\u{e4}rtze", "\u{e4}rzte"),
            ("user1234", "user12345"),
            ("usr04711", "user04711"),
        ] {
            let near: Vec<&str> = all.similar_to(wanted).map(|(name, _)| name).collect();
            assert!(near.contains(&close), "{wanted}");
            assert!(near.len() <= MAX_COMPARED);
        }
    }

    #[test]
    fn entries_are_taken_around_the_length() {
        let entries: Vec<(usize, usize)> = (0..10).map(|number| (number / 2, number)).collect();
        assert_eq!(entries_near_length(&entries, 2, 2), &entries[4..6]);
        assert_eq!(entries_near_length(&entries, 2, 4), &entries[3..7]);
        assert_eq!(entries_near_length(&entries, 9, 3), &entries[7..]);
        assert_eq!(entries_near_length(&entries, 0, 3), &entries[..3]);
        assert_eq!(entries_near_length(&entries, 2, 99), &entries[..]);
        assert_eq!(entries_near_length(&[], 2, 3), &[]);
    }
}

//! The principals of a domain by the pieces of their names. A table of thousands of rows against a domain of tens of thousands of
//! accounts has too many pairs to compare them all.

use std::collections::{BTreeSet, HashMap};

use super::folded;
use crate::model::principal::Principal;

/// Domains no larger than this are compared whole.
const SMALL: usize = 2_000;

/// The most names that one name is compared with in a larger one.
const MAX_COMPARED: usize = 500;

/// The principals of a domain, each with its folded name.
pub(super) struct Names {
    all: Vec<(String, Principal)>,
    /// The numbers of the names that hold three neighbouring characters, by the length of the name. Empty for a small domain.
    by_piece: HashMap<Piece, Vec<(usize, usize)>>,
}

/// Three neighbouring characters; NUL stands before the first one and behind the last one of a name, as no name has it.
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

    /// The names that may be like this one: of a large domain, those that share a piece with it. The rare pieces say most; of a common
    /// one, only names of about its length are given.
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
            // Half of what is left, so that no piece is the only one.
            let left = MAX_COMPARED.saturating_sub(numbers.len());
            let part = entries_near_length(entries, wanted.len(), left.div_ceil(2));
            numbers.extend(part.iter().map(|(_, number)| *number));
        }
        numbers
    }
}

/// The entries nearest to this length, at most so many.
fn entries_near_length(
    entries: &[(usize, usize)],
    length: usize,
    most: usize,
) -> &[(usize, usize)] {
    let middle = entries.partition_point(|(known, _)| *known < length);
    let similarity_of = entries.partition_point(|(known, _)| *known <= length) - middle;
    // Those of the very length, and as many shorter as longer ones around them.
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
    fn of_a_large_one_the_closest_are_found_and_few_are_compared() {
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
    fn the_part_of_a_list_lies_around_the_length() {
        let entries: Vec<(usize, usize)> = (0..10).map(|number| (number / 2, number)).collect();
        assert_eq!(entries_near_length(&entries, 2, 2), &entries[4..6]);
        assert_eq!(entries_near_length(&entries, 2, 4), &entries[3..7]);
        assert_eq!(entries_near_length(&entries, 9, 3), &entries[7..]);
        assert_eq!(entries_near_length(&entries, 0, 3), &entries[..3]);
        assert_eq!(entries_near_length(&entries, 2, 99), &entries[..]);
        assert_eq!(entries_near_length(&[], 2, 3), &[]);
    }
}

//! What accounts may do by one access list and could not by another, whatever the two lists look like.
//!
//! A list grants an account what the first entries say that are for the account or one of its groups [MS-DTYP 2.5.3.2].
//! Which accounts are in which groups is unknown, so every account that could exist is thought of. Two SIDs are enough: if an
//! account gains a right, the new list grants it by one entry, and the old list either does not mention it or denies it by
//! one entry. An account with the SIDs of these two entries alone gains it too, because every other entry is none of its
//! business. The same holds for conditions: those of the two entries are met, all others are not.

use super::access_mask::directory;
use super::guid::Guid;
use super::security_descriptor::{Ace, AceRights, DaclState, SecurityDescriptor, ace_flag};
use super::sid::Sid;

/// Rights that an account gains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gain<'a> {
    /// The entry of the new list that grants them.
    pub ace: &'a Ace,
    /// The principal of that entry.
    pub sid: &'a Sid,
    /// The rights, without generic ones [MS-ADTS 5.1.3.2].
    pub mask: u32,
    /// The principal whose denial in the old list ends; `None` when that list did not mention the account.
    pub denied: Option<&'a Sid>,
}

/// Where a right is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// On the object itself.
    Object,
    /// On objects directly below it that inherit the entry.
    Child,
    /// On objects further below.
    Below,
}

/// An account, and the right that it asks for.
struct Request<'a> {
    sids: [&'a Sid; 2],
    /// The conditions that are met.
    conditions: [Option<&'a [u8]>; 2],
    /// The attribute, right or class, and the property set that it may belong to.
    types: [Option<Guid>; 2],
    /// The class of the object below; `None` for one that no entry names.
    class: Option<Guid>,
    reach: Reach,
}

/// The most pairs of entries that are compared. Real lists have a few dozen; of longer ones, nothing in the old list counts
/// as granted.
const MAX_PAIRS: usize = 10_000;

/// What accounts gain when a descriptor replaces another one (`None`: nothing is granted now). Only SIDs that `counts` accepts
/// are asked about; `wanted` gives the rights that matter on these object types, none for a right on the whole object.
///
/// A new descriptor without a DACL grants everything to everybody, which no entry says; see
/// [`SecurityDescriptor::dacl_state`].
pub fn gains<'a>(
    old: Option<&'a SecurityDescriptor>,
    new: &'a SecurityDescriptor,
    counts: impl Fn(&Sid) -> bool,
    wanted: impl Fn([Option<Guid>; 2]) -> u32,
) -> Vec<Gain<'a>> {
    let after = entries(Some(new));
    let mut before = match old.map(SecurityDescriptor::dacl_state) {
        // Everything is granted already.
        Some(DaclState::Null | DaclState::Absent) => return Vec::new(),
        _ => entries(old),
    };
    if old.is_some_and(|old| old.dacl == new.dacl) {
        return Vec::new();
    }
    let denies = |(ace, rights): &&(&Ace, &AceRights)| ace.denies() && counts(&rights.sid);
    if before.iter().filter(denies).count() * after.len() > MAX_PAIRS {
        before.clear();
    }
    let denials: Vec<_> = before.iter().filter(denies).collect();
    let mut found: Vec<Gain<'a>> = Vec::new();
    for (ace, rights) in after
        .iter()
        .filter(|(ace, rights)| ace.allows() && counts(&rights.sid))
    {
        let pairs = std::iter::once(None).chain(denials.iter().copied().map(Some));
        for denial in pairs {
            let Some(requests) = requests((ace, rights), denial.copied()) else {
                continue;
            };
            let mut mask = 0;
            for request in requests {
                let asked = directory::expand(rights.mask) & wanted(request.types);
                if asked != 0 && request.is_for(ace, rights) {
                    mask |= asked & granted(&after, &request) & !granted(&before, &request);
                }
            }
            // What the entry gives to its principal alone is not repeated for each denial.
            let known = found
                .iter()
                .filter(|gain| std::ptr::eq(gain.ace, *ace))
                .fold(0, |known, gain| known | gain.mask);
            if mask & !known == 0 {
                continue;
            }
            let own = || {
                denials
                    .iter()
                    .find(|(_, denying)| denying.sid == rights.sid)
                    .map(|(_, denying)| &denying.sid)
            };
            found.push(Gain {
                ace,
                sid: &rights.sid,
                mask: mask & !known,
                denied: denial.map(|(_, denying)| &denying.sid).or_else(own),
            });
        }
    }
    found
}

/// The entries that have rights.
fn entries(descriptor: Option<&SecurityDescriptor>) -> Vec<(&Ace, &AceRights)> {
    descriptor
        .and_then(|descriptor| descriptor.dacl.as_ref())
        .into_iter()
        .flat_map(|dacl| &dacl.aces)
        .filter_map(|ace| Some((ace, ace.rights()?)))
        .collect()
}

/// What an account with the SIDs of an entry that grants and of one that denies may ask for; `None` when the denial is about
/// other rights.
fn requests<'a>(
    granting: (&'a Ace, &'a AceRights),
    denying: Option<(&'a Ace, &'a AceRights)>,
) -> Option<[Request<'a>; 3]> {
    let both = [granting, denying.unwrap_or(granting)];
    let [own, other] = both.map(|(_, rights)| rights);
    if directory::expand(own.mask) & directory::expand(other.mask) == 0 {
        return None;
    }
    let condition = |ace: &Ace, rights: &'a AceRights| {
        ace.is_callback()
            .then_some(rights.application_data.as_slice())
    };
    Some([Reach::Object, Reach::Child, Reach::Below].map(|reach| {
        Request {
            sids: [&own.sid, &other.sid],
            conditions: both.map(|(ace, rights)| condition(ace, rights)),
            types: [own.object_type(), other.object_type()],
            class: own
                .inherited_object_type()
                .or(other.inherited_object_type()),
            reach,
        }
    }))
}

impl Request<'_> {
    /// Whether an entry is for this account and this right.
    fn is_for(&self, ace: &Ace, rights: &AceRights) -> bool {
        let has = |flag: u8| ace.flags & flag != 0;
        let reaches = match self.reach {
            Reach::Object => !has(ace_flag::INHERIT_ONLY),
            Reach::Child => has(ace_flag::CONTAINER_INHERIT),
            Reach::Below => {
                has(ace_flag::CONTAINER_INHERIT) && !has(ace_flag::NO_PROPAGATE_INHERIT)
            }
        };
        let class = rights.inherited_object_type();
        let object_type = rights.object_type();
        reaches
            && self.sids.contains(&&rights.sid)
            && (self.reach == Reach::Object || class.is_none() || class == self.class)
            && (object_type.is_none() || self.types.contains(&object_type))
            && (!ace.is_callback()
                || self
                    .conditions
                    .contains(&Some(rights.application_data.as_slice())))
    }
}

/// The rights that a list grants: for each right the first entry that is for the request decides.
fn granted(entries: &[(&Ace, &AceRights)], request: &Request<'_>) -> u32 {
    let (mut granted, mut decided) = (0, 0);
    for (ace, rights) in entries {
        if !request.is_for(ace, rights) {
            continue;
        }
        let mask = directory::expand(rights.mask) & !decided;
        if ace.allows() {
            granted |= mask;
        } else if !ace.denies() {
            continue;
        }
        decided |= mask;
    }
    granted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sddl::from_sddl;

    fn list(entries: impl Iterator<Item = String>) -> SecurityDescriptor {
        from_sddl(&format!("D:{}", entries.collect::<String>()), None).unwrap()
    }

    #[test]
    fn the_longest_lists_are_compared_in_bounded_time() {
        let entries = |kind: &str| -> Vec<String> {
            (1..1500)
                .map(|rid| format!("({kind};;WP;;;S-1-5-21-1-2-3-{rid})"))
                .collect()
        };
        let (denied, allowed) = (entries("D"), entries("A"));
        let (old, new) = (
            list(denied.into_iter().chain(allowed.clone())),
            list(allowed.into_iter()),
        );
        let start = std::time::Instant::now();
        let found = gains(Some(&old), &new, |_| true, |_| u32::MAX);
        assert_eq!(found.len(), 1499);
        assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
    }
}

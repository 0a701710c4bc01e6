//! Finds literal SIDs in SDDL [MS-DTYP 2.5.1], for editing SDDL in place. Rights and flags are not interpreted;
//! everything except SIDs is unchanged. Aliases such as `BA` or `DU` are not references, because the client resolves
//! them in its own domain.

use std::collections::VecDeque;
use std::ops::Range;

use crate::model::sid::Sid;

/// A literal SID in SDDL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SddlSid {
    /// Its span in the text, in bytes.
    pub span: Range<usize>,
    /// The SID.
    pub sid: Sid,
    /// Its role.
    pub role: SddlRole,
    /// The span to delete in order to remove it: the ACE, or `O:` or `G:` with the SID. Empty for a SID in a condition
    /// or claim, which cannot be removed without changing the meaning.
    pub part: Range<usize>,
}

/// The role of a SID in SDDL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SddlRole {
    /// `O:`
    Owner,
    /// `G:`
    Group,
    /// The sixth field of an ACE.
    Trustee,
    /// `SID(…)` in the condition of a callback ACE [MS-DTYP 2.5.1.2.2].
    Condition,
    /// A value of the claim of a resource attribute ACE.
    Claim,
}

/// An ACE in SDDL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SddlAce {
    /// From `(` to `)`, inclusive.
    pub span: Range<usize>,
    /// The ACE type, such as `A`.
    pub ace_type: Range<usize>,
    /// The trustee: the sixth field, without blanks.
    pub trustee: Range<usize>,
    /// The text after the trustee: the condition or resource attribute, if any.
    pub rest: Range<usize>,
}

/// The ACE types of SDDL [MS-DTYP 2.5.1.1].
const ACE_TYPES: &[&str] = &[
    "A", "D", "OA", "OD", "AU", "AL", "OU", "OL", "ML", "XA", "XD", "ZA", "XU", "RA", "SP", "TL",
    "FL",
];

/// The number of semicolons before the trustee.
const FIELDS_BEFORE_TRUSTEE: usize = 5;

/// The maximum number of open parentheses; conditions are read to a depth of 100.
const MAX_OPEN: usize = 256;

/// An open parenthesis.
struct OpenParenthesis {
    start: usize,
    semicolons: Vec<usize>,
}

/// The ACEs in a text, in order. The text may be SDDL or contain it, as firewall rules do. Parentheses and quoted
/// strings within an ACE (conditions, resource attributes) belong to it; an unclosed ACE is skipped.
pub fn aces(text: &str) -> Vec<SddlAce> {
    let mut found: Vec<SddlAce> = Vec::new();
    let mut stack: VecDeque<OpenParenthesis> = VecDeque::new();
    let mut quoted = false;
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            // A quote counts only inside an ACE's inner parentheses: elsewhere it may belong to the surrounding format.
            b'"' if quoted || stack.len() > 1 => quoted = !quoted,
            _ if quoted => {}
            b'(' => {
                // Nothing that is an ACE is nested so deep, so the outermost is text.
                if stack.len() == MAX_OPEN {
                    stack.pop_front();
                }
                stack.push_back(OpenParenthesis {
                    start: position,
                    semicolons: Vec::new(),
                });
            }
            b';' => {
                if let Some(open) = stack.back_mut()
                    && open.semicolons.len() <= FIELDS_BEFORE_TRUSTEE
                {
                    open.semicolons.push(position);
                }
            }
            b')' => {
                if let Some(ace) = stack.pop_back().and_then(|open| ace(text, &open, position)) {
                    while found
                        .last()
                        .is_some_and(|inner| inner.span.start > ace.span.start)
                    {
                        found.pop();
                    }
                    found.push(ace);
                }
            }
            _ => {}
        }
    }
    found
}

fn ace(text: &str, open: &OpenParenthesis, close: usize) -> Option<SddlAce> {
    let type_end = *open.semicolons.first()?;
    let ace_type = super::ini::trimmed_span(text, open.start + 1..type_end);
    let name = text.get(ace_type.clone())?;
    ACE_TYPES
        .iter()
        .find(|known| name.eq_ignore_ascii_case(known))?;
    let before = *open.semicolons.get(FIELDS_BEFORE_TRUSTEE - 1)?;
    let after = open.semicolons.get(FIELDS_BEFORE_TRUSTEE).copied();
    let trustee = before + 1..after.unwrap_or(close);
    // Parentheses occur only in conditions. Elsewhere they mean that this entry is truncated and others follow.
    if text.get(open.start + 1..trustee.end)?.contains('(') {
        return None;
    }
    Some(SddlAce {
        span: open.start..close + 1,
        ace_type,
        trustee: super::ini::trimmed_span(text, trustee),
        rest: after.map_or(close, |semicolon| semicolon + 1)..close,
    })
}

/// The literal SIDs of the SDDL in a text, in order: owner and group, the trustees of all ACEs, and the SIDs in
/// their conditions.
pub fn literal_sids(text: &str) -> Vec<SddlSid> {
    let mut found = owner_and_group(text);
    for ace in aces(text) {
        let trustee = text.get(ace.trustee.clone()).unwrap_or_default();
        if let Ok(sid) = trustee.parse() {
            found.push(SddlSid {
                span: ace.trustee,
                sid,
                role: SddlRole::Trustee,
                part: ace.span,
            });
        }
        let kind = text.get(ace.ace_type).unwrap_or_default();
        found.extend(if kind.eq_ignore_ascii_case("RA") {
            claim_sids(text, ace.rest)
        } else {
            condition_sids(text, ace.rest)
        });
    }
    found.sort_unstable_by_key(|sid| sid.span.start);
    found
}

/// The SIDs written as `SID(S-1-…)` in a condition, outside of quoted strings.
fn condition_sids(text: &str, rest: Range<usize>) -> Vec<SddlSid> {
    let mut found = Vec::new();
    let mut quoted = false;
    for (offset, byte) in text
        .get(rest.clone())
        .unwrap_or_default()
        .bytes()
        .enumerate()
    {
        let position = rest.start + offset;
        match byte {
            b'"' => quoted = !quoted,
            b'(' if !quoted => {
                let named = position
                    .checked_sub(3)
                    .and_then(|start| text.get(start..position))
                    .is_some_and(|word| word.eq_ignore_ascii_case("SID"));
                if named && let Some((sid, end)) = sid_at(text, position + 1) {
                    found.push(SddlSid {
                        span: position + 1..end,
                        sid,
                        role: SddlRole::Condition,
                        part: end..end,
                    });
                }
            }
            _ => {}
        }
    }
    found
}

/// The SIDs among the values of a claim: written bare, each after a comma, outside of quoted strings.
fn claim_sids(text: &str, rest: Range<usize>) -> Vec<SddlSid> {
    let mut found = Vec::new();
    let mut quoted = false;
    let claim = text.get(rest.clone()).unwrap_or_default();
    for (offset, byte) in claim.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                let value = claim.get(offset + 1..).unwrap_or_default();
                let start = rest.start + claim.len() - value.trim_start().len();
                if let Some((sid, end)) = sid_at(text, start) {
                    found.push(SddlSid {
                        span: start..end,
                        sid,
                        role: SddlRole::Claim,
                        part: end..end,
                    });
                }
            }
            _ => {}
        }
    }
    found
}

/// The owner and group, when written as SIDs. Within a longer text, `O:` and `G:` are an owner and a group only when a
/// DACL, a SACL or the end of the text follows.
fn owner_and_group(text: &str) -> Vec<SddlSid> {
    let mut found = Vec::new();
    let mut position = 0;
    while let Some(offset) = text.get(position..).and_then(|rest| rest.find(':')) {
        let colon = position + offset;
        position = colon + 1;
        let Some(start) = colon.checked_sub(1) else {
            continue;
        };
        if text
            .get(..start)
            .is_none_or(|before| before.ends_with(|c: char| c.is_alphanumeric()))
        {
            continue;
        }
        let (head, end) = head_at(text, start);
        let after = text.get(end..).unwrap_or_default();
        let whole = start == 0 && after.is_empty();
        if !head.is_empty() && (whole || after.starts_with("D:") || after.starts_with("S:")) {
            found.extend(head);
        }
        position = position.max(end);
    }
    found
}

/// The SIDs in a sequence of `O:` and `G:` parts, and the end of the sequence.
fn head_at(text: &str, start: usize) -> (Vec<SddlSid>, usize) {
    let mut found = Vec::new();
    let mut position = start;
    loop {
        let role = match text.get(position..position + 2) {
            Some("O:" | "o:") => SddlRole::Owner,
            Some("G:" | "g:") => SddlRole::Group,
            _ => break,
        };
        let value = position + 2;
        if let Some((sid, end)) = sid_at(text, value) {
            found.push(SddlSid {
                span: value..end,
                sid,
                role,
                part: position..end,
            });
            position = end;
        } else if text
            .get(value..value + 2)
            .is_some_and(|alias| alias.bytes().all(|b| b.is_ascii_alphabetic()))
        {
            position = value + 2;
        } else {
            break;
        }
    }
    (found, position)
}

/// The SID at this byte, and the offset after it. The text after the SID is not checked.
pub fn sid_at(text: &str, start: usize) -> Option<(Sid, usize)> {
    let rest = text.get(start..)?;
    let body = rest
        .strip_prefix("S-1-")
        .or_else(|| rest.strip_prefix("s-1-"))?;
    let mut end = start + 4;
    let mut tail = body;
    if let Some(hex) = body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")) {
        // An authority in hexadecimal always has twelve digits [MS-DTYP 2.4.2.1]; a `D` after it may begin a DACL.
        let digits = hex
            .bytes()
            .take(12)
            .take_while(u8::is_ascii_hexdigit)
            .count();
        end += 2 + digits;
        tail = hex.get(digits..)?;
    }
    let digits = tail
        .bytes()
        .take_while(|b| b.is_ascii_digit() || *b == b'-')
        .count();
    let digits = tail.get(..digits)?.trim_end_matches('-').len();
    end += digits;
    let sid = text.get(start..end)?.parse().ok()?;
    Some((sid, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sids(text: &str) -> Vec<(SddlRole, &str, &str)> {
        literal_sids(text)
            .into_iter()
            .map(|s| (s.role, text.get(s.span).unwrap(), text.get(s.part).unwrap()))
            .collect()
    }

    #[test]
    fn owner_group_trustees_and_conditions() {
        use SddlRole::{Condition, Group, Owner, Trustee};
        assert_eq!(
            sids(
                "O:S-1-5-21-1-2-3-500G:DUD:PAR(A;OICI;0X1200A9;;;S-1-15-2-1)(D;;RC;;; s-1-1-0 )(A;;FA;;;DU)S:(AU;FA;CC;;;WD)"
            ),
            [
                (Owner, "S-1-5-21-1-2-3-500", "O:S-1-5-21-1-2-3-500"),
                (Trustee, "S-1-15-2-1", "(A;OICI;0X1200A9;;;S-1-15-2-1)"),
                (Trustee, "s-1-1-0", "(D;;RC;;; s-1-1-0 )"),
            ]
        );
        assert_eq!(
            sids("O:BAG:S-1-5-32-544"),
            [(Group, "S-1-5-32-544", "G:S-1-5-32-544")]
        );
        assert_eq!(
            sids(
                "D:(XA;;FX;;;S-1-1-0;(@User.T==\"SID(S-1-5-7))\" && (Member_of {SID(BA), SID(S-1-5-21-1-2-3-9)})))(A;;GA;;;S-1-5-4)"
            ),
            [
                (
                    Trustee,
                    "S-1-1-0",
                    "(XA;;FX;;;S-1-1-0;(@User.T==\"SID(S-1-5-7))\" && (Member_of {SID(BA), SID(S-1-5-21-1-2-3-9)})))"
                ),
                (Condition, "S-1-5-21-1-2-3-9", ""),
                (Trustee, "S-1-5-4", "(A;;GA;;;S-1-5-4)"),
            ]
        );
    }

    #[test]
    fn sids_of_claims_are_values_and_not_strings() {
        assert_eq!(
            sids(
                "S:(RA;;;;;WD;(\"S-1-5-7\",TD,0x0,S-1-5-21-1-2-3-9, BA, S-1-5-4))(RA;;;;;S-1-5-6;(\"a\",TS,0x0,\",S-1-5-7\"))"
            ),
            [
                (SddlRole::Claim, "S-1-5-21-1-2-3-9", ""),
                (SddlRole::Claim, "S-1-5-4", ""),
                (
                    SddlRole::Trustee,
                    "S-1-5-6",
                    "(RA;;;;;S-1-5-6;(\"a\",TS,0x0,\",S-1-5-7\"))"
                ),
            ]
        );
    }

    #[test]
    fn sddl_inside_other_text() {
        assert_eq!(
            sids("v2.10|Action=Allow|RUser=D:(A;;CC;;;S-1-5-21-1-2-3-4)|LUOwn=S-1-5-7|").len(),
            1
        );
        assert_eq!(sids("copy (A;B;C) log:S-1-5-7 /O:S-1-5-7 x").len(), 0);
        assert_eq!(sids("D:(A;;CC;;;S-1-5-7").len(), 0);
        assert_eq!(sids("(Q;;CC;;;S-1-5-7)").len(), 0);
        // An entry that is cut off hides none of those behind it.
        let cut = "D:(A;;CC;;;S-1-5-(A;;CC;;;S-1-5-21-1-2-3-0X1104) (x)";
        let entry = "(A;;CC;;;S-1-5-21-1-2-3-0X1104)";
        for text in [cut.to_owned(), format!("{cut})")] {
            let expected = (SddlRole::Trustee, "S-1-5-21-1-2-3-0X1104", entry);
            assert_eq!(sids(&text), [expected], "{text}");
        }
    }

    #[test]
    fn a_sid_ends_where_its_digits_end() {
        let end = |text| sid_at(text, 0).map(|(sid, end)| (sid.to_string(), end));
        assert_eq!(end("S-1-5-18-)"), Some(("S-1-5-18".to_owned(), 8)));
        assert_eq!(
            end("S-1-0x0100000000ab-1D:"),
            Some(("S-1-0x0100000000ab-1".to_owned(), 20))
        );
        assert_eq!(end("S-1-"), None);
        assert_eq!(end("S-1-5-99999999999"), None);
    }

    proptest! {
        #[test]
        fn spans_are_inside_and_hold_sids(text in "([OGDSAX:;()\"]|S-1-5-[0-9]{1,3}|SID\\(|\u{e4}|[(]A;;;;;){0,40}") {
            for found in literal_sids(&text) {
                prop_assert_eq!(text.get(found.span.clone()).unwrap().parse::<Sid>().unwrap(), found.sid);
                prop_assert!(text.get(found.part).is_some());
            }
        }
    }
}

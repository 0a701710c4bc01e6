//! Security descriptors as text: the security descriptor definition language [MS-DTYP 2.5.1].
//!
//! The bytes after the SID of a callback or resource attribute entry are a condition or a claim, in the language's own
//! notation. Where that notation cannot express them exactly, and after the SID of any other entry, they are written as
//! `#` and hexadecimal digits, a form of gpoctl's own. An entry of an unknown type is written as `(0xTYPE;FLAGS;#HEX)`.
//! All forms round-trip exactly.

mod claim;
mod condition;
mod literal;
mod tokens;

use super::digest::hex;
use super::guid::Guid;
use super::security_descriptor::{
    Ace, AceBody, AceRights, Acl, ObjectTypes, SecurityDescriptor, ace_type, control,
    has_object_types, has_rights,
};
use super::sid::Sid;

/// The text is not SDDL, or uses an unsupported part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("SDDL, character {position}: {reason}")]
pub struct InvalidSddl {
    /// The position of the error in the text, in bytes, from 1.
    pub position: usize,
    /// Why.
    pub reason: String,
}

/// The longest text that is read, in bytes: a full descriptor of two 64 KiB lists in hexadecimal fits.
pub const MAX_TEXT: usize = 1 << 20;

/// The text of a descriptor [MS-DTYP 2.5.1.1]. Principals that are the same in every domain are written as their
/// two-letter alias, all others as SIDs, so that the text has the same meaning in every domain.
pub fn to_sddl(descriptor: &SecurityDescriptor) -> String {
    to_sddl_in(descriptor, None)
}

/// Formats a descriptor for readers in the domain with the SID `domain`, as GPMC does: accounts of that domain are
/// written as their alias too, such as `DA`, except in conditions and claims. Accounts of the forest's root domain
/// (`EA`, `SA`, `RO`, `EK`) are written as SIDs.
pub fn to_sddl_in(descriptor: &SecurityDescriptor, domain: Option<&Sid>) -> String {
    let mut text = String::new();
    for (tag, sid) in [("O:", &descriptor.owner), ("G:", &descriptor.group)] {
        if let Some(sid) = sid {
            text.push_str(tag);
            text.push_str(&sid_text(sid, domain));
        }
    }
    let dacl = [
        (control::DACL_PROTECTED, "P"),
        (control::DACL_AUTO_INHERIT_REQ, "AR"),
        (control::DACL_AUTO_INHERITED, "AI"),
    ];
    let sacl = [
        (control::SACL_PROTECTED, "P"),
        (control::SACL_AUTO_INHERIT_REQ, "AR"),
        (control::SACL_AUTO_INHERITED, "AI"),
    ];
    for (tag, list, present, flags) in [
        ("D:", &descriptor.dacl, control::DACL_PRESENT, dacl),
        ("S:", &descriptor.sacl, control::SACL_PRESENT, sacl),
    ] {
        let is_present = descriptor.control & present != 0 && !descriptor.is_stub();
        if list.is_none() && !is_present {
            continue;
        }
        text.push_str(tag);
        for (bit, name) in flags {
            if descriptor.control & bit != 0 {
                text.push_str(name);
            }
        }
        match list {
            None => text.push_str("NO_ACCESS_CONTROL"),
            Some(acl) => acl
                .aces
                .iter()
                .for_each(|ace| write_ace(&mut text, ace, domain)),
        }
    }
    text
}

fn write_ace(text: &mut String, ace: &Ace, domain: Option<&Sid>) {
    let kind = tokens::ACE_TYPES
        .iter()
        .find(|(code, _)| *code == ace.ace_type)
        .map_or_else(
            || format!("0x{:02x}", ace.ace_type),
            |(_, name)| (*name).to_owned(),
        );
    text.push('(');
    text.push_str(&kind);
    text.push(';');
    let mut rest = ace.flags;
    let mut flags = String::new();
    for (bit, name) in tokens::ACE_FLAGS {
        if rest & bit != 0 {
            flags.push_str(name);
            rest &= !bit;
        }
    }
    if rest != 0 {
        // Bit 0x20 has no letters, so write the number.
        flags = format!("0x{:02x}", ace.flags);
    }
    text.push_str(&flags);
    text.push(';');
    match &ace.body {
        AceBody::Unknown(bytes) => write_hex(text, bytes),
        AceBody::Rights(rights) => write_rights(text, ace.ace_type, rights, domain),
    }
    text.push(')');
}

fn write_rights(text: &mut String, kind: u8, rights: &AceRights, domain: Option<&Sid>) {
    text.push_str(&mask_text(kind, rights.mask));
    let object = rights.object.unwrap_or_default();
    for guid in [object.object_type, object.inherited_object_type] {
        text.push(';');
        if let Some(guid) = guid {
            text.push_str(&guid.bare().to_lowercase());
        }
    }
    text.push(';');
    text.push_str(&sid_text(&rights.sid, domain));
    if !rights.application_data.is_empty() {
        text.push(';');
        match application_text(kind, &rights.application_data) {
            Some(own) => text.push_str(&own),
            None => write_hex(text, &rights.application_data),
        }
    }
}

/// The condition of a callback entry, the claim of a resource attribute.
fn application_text(kind: u8, data: &[u8]) -> Option<String> {
    match kind {
        ace_type::SYSTEM_RESOURCE_ATTRIBUTE => claim::to_text(data),
        _ if is_callback(kind) => condition::to_text(data),
        _ => None,
    }
}

/// The condition of a callback entry [MS-DTYP 2.5.1.1]; `None` when it cannot be read.
pub fn condition_text(rights: &AceRights) -> Option<String> {
    condition::to_text(&rights.application_data)
}

/// Replaces the SIDs in the condition of a callback entry. An entry without a condition is unchanged. Returns `false`,
/// and changes nothing, when the condition cannot be parsed.
pub fn map_condition(ace: &mut Ace, sid_of: &mut dyn FnMut(&Sid) -> Sid) -> bool {
    let callback = is_callback(ace.ace_type);
    let Some(rights) = ace.rights_mut().filter(|_| callback) else {
        return true;
    };
    if rights.application_data.is_empty() {
        return true;
    }
    let mut changed = false;
    let new = condition::with_sids(&rights.application_data, &mut |old| {
        let new = sid_of(old);
        changed |= new != *old;
        new
    });
    match new {
        Some(new) if changed => rights.application_data = new,
        Some(_) => {}
        None => return false,
    }
    true
}

/// Whether entries of this type carry a condition [MS-DTYP 2.4.4.17].
fn is_callback(kind: u8) -> bool {
    matches!(
        kind,
        ace_type::ACCESS_ALLOWED_CALLBACK..=ace_type::SYSTEM_ALARM_CALLBACK_OBJECT
    )
}

fn write_hex(text: &mut String, bytes: &[u8]) {
    text.push('#');
    text.push_str(&hex(bytes));
}

/// The mask as letters when they cover all of its bits, otherwise as a number [MS-DTYP 2.5.1.1].
fn mask_text(kind: u8, mask: u32) -> String {
    if kind == ace_type::SYSTEM_MANDATORY_LABEL {
        return letters(tokens::LABEL_RIGHTS, mask).unwrap_or_else(|| format!("0x{mask:x}"));
    }
    letters(tokens::RIGHTS, mask)
        .or_else(|| {
            tokens::COMBINED_RIGHTS
                .iter()
                .find(|(bits, _)| *bits == mask)
                .map(|(_, name)| (*name).to_owned())
        })
        .unwrap_or_else(|| format!("0x{mask:x}"))
}

fn letters(table: &[(u32, &str)], mask: u32) -> Option<String> {
    let mut rest = mask;
    let mut text = String::new();
    for (bit, name) in table {
        if rest & bit != 0 {
            text.push_str(name);
            rest &= !bit;
        }
    }
    (rest == 0).then_some(text)
}

/// The alias of a SID that is the same in every domain or is an account of `domain`; otherwise the SID.
fn sid_text(sid: &Sid, domain: Option<&Sid>) -> String {
    let text = sid.to_string();
    let known = tokens::WELL_KNOWN.iter().find(|(_, known)| *known == text);
    let of_domain = || {
        let domain = domain.filter(|domain| sid.domain().as_ref() == Some(*domain))?;
        tokens::DOMAIN_RELATIVE
            .iter()
            .filter(|(alias, _)| !tokens::OF_ROOT_DOMAIN.contains(alias))
            .find(|(_, rid)| domain.with_rid(*rid) == *sid)
            .map(|(alias, _)| *alias)
    };
    known
        .map(|(alias, _)| *alias)
        .or_else(of_domain)
        .map_or(text, str::to_owned)
}

/// Reads SDDL [MS-DTYP 2.5.1.1]. `domain_sid` is the domain of aliases such as `DA`; aliases of the forest's root
/// domain (`EA`, `SA`, `RO`, `EK`) are resolved in the same domain.
///
/// # Errors
/// When the text is not SDDL, or an alias needs a domain and none is given.
pub fn from_sddl(text: &str, domain_sid: Option<&Sid>) -> Result<SecurityDescriptor, InvalidSddl> {
    if text.len() > MAX_TEXT {
        return Err(InvalidSddl {
            position: MAX_TEXT,
            reason: "the text is too long".to_owned(),
        });
    }
    let mut reader = SddlReader {
        text,
        at: 0,
        domain_sid,
    };
    let mut descriptor = SecurityDescriptor::new();
    let mut seen = String::new();
    loop {
        reader.skip_blanks();
        let rest = reader.rest();
        if rest.is_empty() {
            return Ok(descriptor);
        }
        let tag = match rest.as_bytes() {
            [tag @ (b'O' | b'G' | b'D' | b'S'), b':', ..] => char::from(*tag),
            _ => return Err(reader.error("expected O:, G:, D: or S:")),
        };
        if seen.contains(tag) {
            return Err(reader.error(&format!("{tag}: occurs twice")));
        }
        seen.push(tag);
        reader.at += 2;
        match tag {
            'O' => descriptor.owner = Some(reader.component_sid()?),
            'G' => descriptor.group = Some(reader.component_sid()?),
            'D' => {
                descriptor.control |= control::DACL_PRESENT;
                let (flags, list) = reader.list()?;
                descriptor.control |= flags;
                descriptor.dacl = list;
            }
            _ => {
                descriptor.control |= control::SACL_PRESENT;
                let (flags, list) = reader.list()?;
                // The control bits of the SACL are those of the DACL shifted left by one.
                descriptor.control |= flags << 1;
                descriptor.sacl = list;
            }
        }
    }
}

/// The SID of a SID string or an alias.
fn sid_named(token: &str, domain_sid: Option<&Sid>) -> Result<Sid, String> {
    if let Ok(sid) = token.parse() {
        return Ok(sid);
    }
    let is = |alias: &str| alias.eq_ignore_ascii_case(token);
    if let Some((_, sid)) = tokens::WELL_KNOWN.iter().find(|(alias, _)| is(alias)) {
        return sid.parse().map_err(|_| "an alias has no SID".to_owned());
    }
    let relative = tokens::DOMAIN_RELATIVE.iter().find(|(alias, _)| is(alias));
    match (relative, domain_sid) {
        (Some((_, rid)), Some(domain)) => Ok(domain.with_rid(*rid)),
        (Some((alias, _)), None) => Err(format!(
            "{alias} is an account of a domain, and no domain is given"
        )),
        (None, _) => Err(format!(
            "\"{}\" is neither a SID nor an alias",
            token.escape_debug()
        )),
    }
}

struct SddlReader<'a> {
    text: &'a str,
    at: usize,
    domain_sid: Option<&'a Sid>,
}

impl<'a> SddlReader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, reason: &str) -> InvalidSddl {
        InvalidSddl {
            position: self.at + 1,
            reason: reason.to_owned(),
        }
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    /// Reads a SID or alias that ends where the next component begins.
    fn component_sid(&mut self) -> Result<Sid, InvalidSddl> {
        self.skip_blanks();
        let rest = self.rest();
        let length = if rest.get(..2).is_some_and(|s| s.eq_ignore_ascii_case("S-")) {
            // A hexadecimal authority has twelve digits [MS-DTYP 2.4.2.1]; a `D` after them is the next component.
            let hexadecimal = rest
                .get(2..6)
                .is_some_and(|s| s.eq_ignore_ascii_case("1-0x"));
            let head = if hexadecimal { 18 } else { 2 };
            rest.bytes()
                .skip(head)
                .position(|b| !(b.is_ascii_digit() || b == b'-'))
                .map_or(rest.len(), |n| n + head)
        } else {
            rest.len().min(2)
        };
        let token = rest.get(..length).unwrap_or(rest);
        let sid = self.sid(token)?;
        self.at += length;
        Ok(sid)
    }

    fn sid(&self, token: &str) -> Result<Sid, InvalidSddl> {
        sid_named(token, self.domain_sid).map_err(|reason| self.error(&reason))
    }

    /// Reads the flags and entries of a list; the flags are returned as those of a DACL. `NO_ACCESS_CONTROL` has no
    /// list.
    fn list(&mut self) -> Result<(u16, Option<Acl>), InvalidSddl> {
        let mut flags = 0;
        loop {
            self.skip_blanks();
            let known = [
                ("NO_ACCESS_CONTROL", 0),
                ("P", control::DACL_PROTECTED),
                ("AR", control::DACL_AUTO_INHERIT_REQ),
                ("AI", control::DACL_AUTO_INHERITED),
            ];
            let Some((name, bit)) = known.into_iter().find(|(name, _)| {
                self.rest()
                    .get(..name.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(name))
            }) else {
                break;
            };
            self.at += name.len();
            if bit == 0 {
                return Ok((flags, None));
            }
            flags |= bit;
        }
        let mut aces = Vec::new();
        loop {
            self.skip_blanks();
            if !self.rest().starts_with('(') {
                return Ok((flags, Some(Acl::new(aces))));
            }
            aces.push(self.ace()?);
        }
    }

    fn ace(&mut self) -> Result<Ace, InvalidSddl> {
        let rest = self.rest();
        let length = ace_length(rest).ok_or_else(|| self.error("an entry has no end"))?;
        let inner = rest.get(1..length - 1).unwrap_or_default();
        // The seventh field is the last one, whatever it holds.
        let fields: Vec<&str> = inner.splitn(7, ';').map(str::trim).collect();
        let ace = self.ace_of(&fields)?;
        self.at += length;
        Ok(ace)
    }

    fn ace_of(&self, fields: &[&str]) -> Result<Ace, InvalidSddl> {
        let (kind, flags, rest) = match fields {
            [kind, flags, rest @ ..] => (*kind, *flags, rest),
            _ => return Err(self.error("an entry has too few fields")),
        };
        let ace_type = match tokens::ACE_TYPES
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(kind))
        {
            Some((code, _)) => *code,
            None => number(kind)
                .and_then(|code| u8::try_from(code).ok())
                .ok_or_else(|| {
                    self.error(&format!("\"{}\" is not an entry type", kind.escape_debug()))
                })?,
        };
        let flags = match number(flags) {
            Some(flags) if flags <= 0xFF => u8::try_from(flags).unwrap_or(0),
            _ => self
                .pairs(flags, |pair| {
                    tokens::ACE_FLAGS
                        .iter()
                        .find(|(_, name)| name.eq_ignore_ascii_case(pair))
                        .map(|(bit, _)| u32::from(*bit))
                })?
                .to_le_bytes()[0],
        };
        let body = match rest {
            [bytes] if !has_rights(ace_type) => AceBody::Unknown(self.hex(bytes)?),
            [mask, object, inherited, sid, rest @ ..] if has_rights(ace_type) => {
                let application_data = match rest {
                    [] => Vec::new(),
                    [data] => self.application_data(ace_type, data)?,
                    _ => return Err(self.error("an entry has too many fields")),
                };
                AceBody::Rights(AceRights {
                    mask: self.mask(ace_type, mask)?,
                    object: self.object(ace_type, object, inherited)?,
                    sid: self.sid(sid)?,
                    application_data,
                })
            }
            _ => return Err(self.error("an entry has the wrong number of fields")),
        };
        Ok(Ace {
            ace_type,
            flags,
            body,
        })
    }

    fn object(
        &self,
        ace_type: u8,
        object: &str,
        inherited: &str,
    ) -> Result<Option<ObjectTypes>, InvalidSddl> {
        let guid = |text: &str| -> Result<Option<Guid>, InvalidSddl> {
            if text.is_empty() {
                return Ok(None);
            }
            text.parse()
                .map(Some)
                .map_err(|_| self.error("an object type is not a GUID"))
        };
        let types = ObjectTypes {
            other_flags: 0,
            object_type: guid(object)?,
            inherited_object_type: guid(inherited)?,
        };
        if has_object_types(ace_type) {
            Ok(Some(types))
        } else if types == ObjectTypes::default() {
            Ok(None)
        } else {
            Err(self.error("an entry of this type has no object types"))
        }
    }

    fn mask(&self, ace_type: u8, text: &str) -> Result<u32, InvalidSddl> {
        if let Some(mask) = number(text) {
            return Ok(mask);
        }
        let table = if ace_type == ace_type::SYSTEM_MANDATORY_LABEL {
            tokens::LABEL_RIGHTS
        } else {
            tokens::RIGHTS
        };
        self.pairs(text, |pair| {
            table
                .iter()
                .chain(tokens::COMBINED_RIGHTS)
                .find(|(_, name)| name.eq_ignore_ascii_case(pair))
                .map(|(bits, _)| *bits)
        })
    }

    /// The combined bits of a sequence of two-letter names.
    fn pairs(&self, text: &str, find: impl Fn(&str) -> Option<u32>) -> Result<u32, InvalidSddl> {
        let mut bits = 0;
        let mut rest = text;
        while !rest.is_empty() {
            let found = rest
                .split_at_checked(2)
                .and_then(|(pair, after)| Some((find(pair)?, after)));
            let (pair, after) = found.ok_or_else(|| {
                self.error(&format!("\"{}\" is not known here", rest.escape_debug()))
            })?;
            bits |= pair;
            rest = after;
        }
        Ok(bits)
    }

    fn hex(&self, text: &str) -> Result<Vec<u8>, InvalidSddl> {
        text.strip_prefix('#')
            .and_then(hex_bytes)
            .ok_or_else(|| self.error("expected # and bytes in hexadecimal"))
    }

    fn application_data(&self, ace_type: u8, text: &str) -> Result<Vec<u8>, InvalidSddl> {
        if !text.starts_with('(') {
            return self.hex(text);
        }
        let sid_of = |name: &str| sid_named(name, self.domain_sid);
        let read = if ace_type == ace_type::SYSTEM_RESOURCE_ATTRIBUTE {
            claim::from_text(text, &sid_of)
        } else if is_callback(ace_type) {
            condition::from_text(text, &sid_of)
        } else {
            return Err(self.error("an entry of this type has neither condition nor claim"));
        };
        read.map_err(|(at, reason)| {
            let what = text.get(at..).unwrap_or_default();
            let near: String = what.chars().take(20).collect();
            self.error(&format!("{reason}, at \"{}\"", near.escape_debug()))
        })
    }
}

/// The length of the entry at the start of the text, including its parentheses. Parentheses in a condition are
/// balanced; those in quotes do not count.
fn ace_length(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quoted = false;
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if depth > 1 => quoted = !quoted,
            _ if quoted => {}
            b'(' => depth += 1,
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(position + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Bytes in hexadecimal, two digits each.
fn hex_bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs.remainder().is_empty().then_some(())?;
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            let hex = pair.bytes().all(|b| b.is_ascii_hexdigit());
            hex.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
        })
        .collect()
}

/// A number in hexadecimal with `0x`, octal with a leading 0, or decimal; `None` for anything else.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.get(..2) {
        Some(prefix) if prefix.eq_ignore_ascii_case("0x") => (text.get(2..)?, 16),
        _ if text.starts_with('0') && text.len() > 1 => (text.get(1..)?, 8),
        _ => (text, 10),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests;

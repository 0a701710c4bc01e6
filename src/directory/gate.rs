//! What passes from the server to ldap3: whole messages that have the form of RFC 4511 and answer a request. ldap3 panics on others, or
//! reads them by recursion until the stack is full.

use std::collections::HashMap;

use super::ber::{self, Front};

/// The maximum size of an LDAP message, in bytes. AD accepts objects of about 10 MiB at most.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;
/// The maximum number of elements of a message: ldap3 takes a few hundred bytes for each, however short it is.
const MAX_ELEMENTS: usize = 500_000;

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const BOOLEAN: u8 = 0x01;
const ENUMERATED: u8 = 0x0A;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// The operations of RFC 4511 that this client meets, by their tags.
const SEARCH_REQUEST: u8 = 0x63;
const DELETE_REQUEST: u8 = 0x4A;
const UNBIND_REQUEST: u8 = 0x42;
const ABANDON_REQUEST: u8 = 0x50;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const INTERMEDIATE: u8 = 0x79;
const EXTENDED_RESPONSE: u8 = 0x78;
const CONTROLS: u8 = 0xA0;
const REFERRAL: u8 = 0xA3;

/// Watches both directions of a connection.
#[derive(Default)]
pub(super) struct Gate {
    sent: Vec<u8>,
    received: Vec<u8>,
    /// The operations without a final answer, by message ID.
    open: HashMap<u32, u8>,
}

impl Gate {
    /// Notes the requests in the next bytes that are sent.
    pub(super) fn note(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
        let mut used = 0;
        while let Front::Whole(message) =
            ber::front(self.sent.get(used..).unwrap_or_default(), usize::MAX)
        {
            used = self.sent.len() - message.rest.len();
            if let Some(id) = ber::expect(message.content, INTEGER)
                && let (Some(number), Some(&operation)) =
                    (ber::unsigned(id.content), id.rest.first())
                && !matches!(operation, UNBIND_REQUEST | ABANDON_REQUEST)
            {
                self.open.insert(number, operation);
            }
        }
        self.sent.drain(..used);
    }

    /// Takes the next bytes that were received; returns the messages that they complete.
    ///
    /// # Errors
    /// The reason when a message is too long, malformed, or answers nothing that was asked.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.received.extend_from_slice(bytes);
        let mut used = 0;
        loop {
            let rest = self.received.get(used..).unwrap_or_default();
            match ber::front(rest, MAX_MESSAGE) {
                Front::Whole(message) => {
                    used = self.received.len() - message.rest.len();
                    check(&message, &mut self.open).map_err(|what| {
                        format!("the server sent a malformed LDAP message: {what}")
                    })?;
                }
                Front::Partial => break,
                Front::Invalid => return Err(too_long(rest)),
            }
        }
        Ok(self.received.drain(..used).collect())
    }
}

/// Why the beginning of a message is refused.
fn too_long(bytes: &[u8]) -> String {
    match bytes {
        [_, count @ 0x81..=0x84, octets @ ..] => {
            let octets = octets.iter().take(usize::from(count & 0x7F));
            let length = octets.fold(0_u64, |sum, octet| sum << 8 | u64::from(*octet));
            format!(
                "the server sent an LDAP message of {length} bytes, more than the {MAX_MESSAGE} that are accepted"
            )
        }
        _ => "the server sent a malformed LDAP message".to_owned(),
    }
}

type Checked = Result<(), &'static str>;

/// Checks a message against RFC 4511, and that it answers an open request.
fn check(message: &ber::Element<'_>, open: &mut HashMap<u32, u8>) -> Checked {
    if message.tag != SEQUENCE {
        return Err("it is not a sequence");
    }
    let mut left = MAX_ELEMENTS;
    let mut parts = Parts::of(message.content, &mut left);
    let id = parts.one(INTEGER)?;
    let number = match id {
        [first, ..] if *first < 0x80 && id.len() <= 4 => ber::unsigned(id).ok_or("its ID")?,
        _ => return Err("its ID"),
    };
    let (operation, content) = parts.any()?.ok_or("it has no operation")?;
    let controls = parts.any()?;
    if parts.any()?.is_some() {
        return Err("something follows the controls");
    }
    match controls {
        Some((CONTROLS, content)) => check_controls(content, &mut left)?,
        // AD puts the name of its notice of disconnection here.
        Some((0x8A, _)) if number == 0 && operation == EXTENDED_RESPONSE => {}
        Some(_) => return Err("its controls"),
        None => {}
    }
    check_operation(operation, content, &mut left)?;
    // The notice of disconnection [RFC 4511 4.4.1] is the one message that nobody asked for.
    if number == 0 && operation == EXTENDED_RESPONSE {
        return Ok(());
    }
    let request = *open.get(&number).ok_or("it answers no request")?;
    let is_answer = match request {
        SEARCH_REQUEST => matches!(
            operation,
            SEARCH_ENTRY | SEARCH_REFERENCE | SEARCH_DONE | INTERMEDIATE
        ),
        DELETE_REQUEST => operation == 0x6B,
        // Every other response is numbered one after its request.
        other => operation == other + 1,
    };
    if !is_answer {
        return Err("it answers a request of another kind");
    }
    if !matches!(operation, SEARCH_ENTRY | SEARCH_REFERENCE | INTERMEDIATE) {
        open.remove(&number);
    }
    Ok(())
}

fn check_operation(operation: u8, content: &[u8], left: &mut usize) -> Checked {
    let mut parts = Parts::of(content, left);
    match operation {
        SEARCH_ENTRY => {
            text(parts.one(OCTETS)?)?;
            let attributes = parts.one(SEQUENCE)?;
            parts.end()?;
            let mut inner = Parts::of(attributes, left);
            let mut each = Vec::new();
            while let Some((tag, attribute)) = inner.any()? {
                if tag != SEQUENCE {
                    return Err("an attribute");
                }
                each.push(attribute);
            }
            for attribute in each {
                let mut parts = Parts::of(attribute, left);
                text(parts.one(OCTETS)?)?;
                let values = parts.one(SET)?;
                parts.end()?;
                Parts::of(values, left).all(OCTETS, |_| Ok(()))?;
            }
            Ok(())
        }
        SEARCH_REFERENCE => parts.all(OCTETS, text),
        INTERMEDIATE => {
            while let Some((tag, _)) = parts.any()? {
                if !matches!(tag, 0x80 | 0x81) {
                    return Err("an intermediate response");
                }
            }
            Ok(())
        }
        0x61 | SEARCH_DONE | 0x67 | 0x69 | 0x6B | 0x6D | 0x6F | EXTENDED_RESPONSE => {
            let code = parts.one(ENUMERATED)?;
            if !matches!(code, [first, ..] if *first < 0x80 && code.len() <= 4) {
                return Err("its result code");
            }
            text(parts.one(OCTETS)?)?;
            text(parts.one(OCTETS)?)?;
            let mut referrals = None;
            while let Some((tag, content)) = parts.any()? {
                match tag {
                    REFERRAL => referrals = Some(content),
                    0x8A => text(content)?,
                    0x87 | 0x8B => {}
                    _ => return Err("a part of its result"),
                }
            }
            referrals.map_or(Ok(()), |list| Parts::of(list, left).all(OCTETS, text))
        }
        _ => Err("its operation"),
    }
}

fn check_controls(content: &[u8], left: &mut usize) -> Checked {
    let mut controls = Vec::new();
    let mut list = Parts::of(content, left);
    while let Some((tag, control)) = list.any()? {
        if tag != SEQUENCE {
            return Err("a control");
        }
        controls.push(control);
    }
    for control in controls {
        let mut parts = Parts::of(control, left);
        text(parts.one(OCTETS)?)?;
        let mut next = parts.any()?;
        if let Some((BOOLEAN, critical)) = next {
            if critical.len() != 1 {
                return Err("the criticality of a control");
            }
            next = parts.any()?;
        }
        match next {
            Some((OCTETS, _)) => parts.end()?,
            Some(_) => return Err("the value of a control"),
            None => {}
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Checked {
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err("a text that is not UTF-8"),
    }
}

/// The elements of a constructed one, counted.
struct Parts<'a, 'n> {
    rest: &'a [u8],
    left: &'n mut usize,
}

impl<'a, 'n> Parts<'a, 'n> {
    fn of(content: &'a [u8], left: &'n mut usize) -> Self {
        Self {
            rest: content,
            left,
        }
    }

    /// The next element; `None` at the end.
    fn any(&mut self) -> Result<Option<(u8, &'a [u8])>, &'static str> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        *self.left = self.left.checked_sub(1).ok_or("it has too many elements")?;
        match ber::front(self.rest, self.rest.len()) {
            Front::Whole(element) => {
                self.rest = element.rest;
                Ok(Some((element.tag, element.content)))
            }
            Front::Partial | Front::Invalid => Err("a length"),
        }
    }

    /// The next element, which must have this tag.
    fn one(&mut self, tag: u8) -> Result<&'a [u8], &'static str> {
        match self.any()? {
            Some((found, content)) if found == tag => Ok(content),
            Some(_) => Err("an element of another type"),
            None => Err("an element is missing"),
        }
    }

    fn end(&mut self) -> Checked {
        match self.any()? {
            None => Ok(()),
            Some(_) => Err("an element too many"),
        }
    }

    /// Checks that all others have this tag, and their content.
    fn all(&mut self, tag: u8, check: fn(&[u8]) -> Checked) -> Checked {
        while let Some((found, content)) = self.any()? {
            if found != tag {
                return Err("an element of another type");
            }
            check(content)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(id: u32, operation: &[u8]) -> Vec<u8> {
        ber::element(SEQUENCE, &[ber::integer(id), operation.to_vec()].concat())
    }

    fn done() -> Vec<u8> {
        ber::element(SEARCH_DONE, b"\x0a\x01\x00\x04\x00\x04\x00")
    }

    #[test]
    fn messages_are_followed_across_any_cut() {
        let requests = [1, 2]
            .map(|id| message(id, &ber::element(SEARCH_REQUEST, b"")))
            .concat();
        let entry = ber::element(
            SEARCH_ENTRY,
            &[
                b"\x04\x00\x30\x82\x01\x0a\x30\x82\x01\x06\x04\x00\x31\x82\x01\x00\x04\x81\xfd"
                    .to_vec(),
                vec![7; 253],
            ]
            .concat(),
        );
        let answers = [message(1, &entry), message(2, &done()), message(1, &done())].concat();
        for size in [1, 2, 3, 7, 1000] {
            let mut gate = Gate::default();
            requests.chunks(size).for_each(|piece| gate.note(piece));
            let passed: Vec<u8> = answers
                .chunks(size)
                .flat_map(|piece| gate.pass(piece).unwrap())
                .collect();
            assert_eq!(passed, answers, "{size}");
            assert!(gate.open.is_empty() && gate.received.is_empty());
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_by_its_header() {
        let error = Gate::default()
            .pass(&[0x30, 0x84, 0x40, 0, 0, 0])
            .unwrap_err();
        assert!(error.contains("1073741824 bytes"), "{error}");
        // An indefinite length, and a length of five octets.
        for odd in [0x80, 0x85] {
            assert!(Gate::default().pass(&[0x30, odd, 0, 0, 0, 0, 0]).is_err());
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut gate = Gate::default();
            gate.note(&bytes);
            let _ = gate.pass(&bytes);
            let _ = Gate::default().pass(&ber::element(SEQUENCE, &[&[2, 1, 0], &bytes[..]].concat()));
        }
    }
}

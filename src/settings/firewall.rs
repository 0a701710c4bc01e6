//! Rules of Windows Defender Firewall in Registry.pol [MS-GPFAS 2.2.2.19].

use super::{Data, Extension, New, State, Value};
use crate::formats::firewall_rule;
use crate::formats::registry_pol::Record;
use crate::model::reference::Place;

/// The fields that the editor shows under another name. The others have those of the specification.
const FIELDS: &[(&str, &str)] = &[
    ("Action", "action"),
    ("App", "program"),
    ("Desc", "description"),
    ("Dir", "direction"),
    ("EmbedCtxt", "group"),
    ("LA4", "local address"),
    ("LA6", "local address (IPv6)"),
    ("LPort", "local port"),
    ("Profile", "profile"),
    ("Protocol", "protocol"),
    ("RA4", "remote address"),
    ("RA6", "remote address (IPv6)"),
    ("RPort", "remote port"),
    ("Svc", "service"),
];

/// The rule in a record below the key `FirewallRules`; `None` for any other record.
pub(super) fn setting(record: &Record, key: &str, value_name: &str, place: &Place) -> Option<New> {
    let of_rules = key
        .to_ascii_lowercase()
        .ends_with("\\windowsfirewall\\firewallrules");
    let text = record.string().filter(|_| of_rules)?;
    let fields = firewall_rule::fields(&text)?;
    let (mut name, mut state, mut values) = (None, State::Configured, Vec::new());
    for field in fields {
        let value = text.get(field.value.clone()).unwrap_or_default();
        match field.name {
            "Name" => name = Some(value.to_owned()),
            "Active" if value.eq_ignore_ascii_case("true") => state = State::Enabled,
            "Active" if value.eq_ignore_ascii_case("false") => state = State::Disabled,
            other => {
                let known = FIELDS.iter().find(|(field, _)| *field == other);
                let shown = known.map_or(other, |(_, shown)| shown);
                values.push(Value::named(shown, data(other, value)));
            }
        }
    }
    Some(New {
        extension: Extension::Firewall,
        category: "Rules".into(),
        name: name.unwrap_or_else(|| value_name.to_owned()).into(),
        id: value_name.to_lowercase().into(),
        state,
        values,
        place: place.clone(),
        raw: text,
    })
}

/// A field in words, where its value has some.
fn data(field: &str, value: &str) -> Data {
    let word = match (field, value) {
        ("Action", "Allow") => "allow",
        ("Action", "Block") => "block",
        ("Dir", "In") => "inbound",
        ("Dir", "Out") => "outbound",
        ("Protocol", "1") => "ICMPv4",
        ("Protocol", "6") => "TCP",
        ("Protocol", "17") => "UDP",
        ("Protocol", "58") => "ICMPv6",
        _ => return Data::Text(value.to_owned()),
    };
    Data::Word(word.into())
}

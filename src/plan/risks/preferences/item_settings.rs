//! Preferences that make a computer load code from elsewhere, share folders, send credentials or use a proxy: printers, drives, data sources,
//! network shares, connections, and settings of Internet Explorer [MS-GPPREF].

use super::super::registry::{self, Data, Hive};
use super::RiskKind;
use super::{is, is_remote};
use crate::formats::preferences::{Action, Item};
use crate::formats::xml_tree::Element;

/// What an item does.
pub(super) fn risks(item: &Item<'_>) -> Vec<(RiskKind, String)> {
    if item.action() == Action::Delete {
        return Vec::new();
    }
    let part = |name| item.property(name);
    let one = match item.element.name.to_ascii_lowercase().as_str() {
        "sharedprinter" => Some((
            RiskKind::Printer,
            format!(
                "{}, whose driver Windows loads from the server",
                part("path")
            ),
        )),
        "portprinter" | "localprinter" if is_remote(part("path")) => Some((
            RiskKind::Printer,
            format!("its driver is loaded from {}", part("path")),
        )),
        "drive" if is_remote(part("path")) => Some((
            RiskKind::MappedDrive,
            format!("{}: {}", part("letter"), part("path")),
        )),
        "datasource" if is_remote(part("driver")) => Some((
            RiskKind::InjectedLibrary,
            format!(
                "the data source \"{}\" loads {}",
                part("dsn"),
                part("driver")
            ),
        )),
        "netshare" => Some((
            RiskKind::Share,
            format!("{} is shared as {}", part("path"), part("name")),
        )),
        "vpn" | "dun" => Some((
            RiskKind::Proxy,
            format!(
                "a connection through {}{}",
                part("ipAddress"),
                part("phoneNumber")
            ),
        )),
        _ => None,
    };
    let mut found: Vec<(RiskKind, String)> = one.into_iter().collect();
    // Of browsers and of Office, the values that an item sets are elements of their own.
    if let Some(properties) = item.properties() {
        values(properties, &mut found);
    }
    found
}

/// The registry values in an element, at any depth; the tree is bounded. What has `Properties` of its own is an item of its own.
fn values(element: &Element, found: &mut Vec<(RiskKind, String)>) {
    let is_item = |it: &&Element| it.elements().any(|below| is(below, "Properties"));
    for child in element.elements().filter(|it| !is_item(it)) {
        if is(child, "Reg") {
            found.extend(value(child));
        }
        values(child, found);
    }
}

fn value(element: &Element) -> Option<(RiskKind, String)> {
    let part = |name| element.attribute(name).unwrap_or_default();
    // A value that is shown and not set.
    if part("disabled") == "1" {
        return None;
    }
    let hive = match part("hive").to_ascii_uppercase().as_str() {
        "HKEY_LOCAL_MACHINE" => Hive::Machine,
        "HKEY_CLASSES_ROOT" => Hive::Classes,
        _ => Hive::User,
    };
    let text = part("value");
    let data = match part("type").to_ascii_uppercase().as_str() {
        "REG_DWORD" => u64::from_str_radix(text.trim(), 16).map_or(Data::Other, Data::Number),
        _ => Data::Text(text.to_owned()),
    };
    registry::risk(hive, part("key"), part("name"), &data)
}

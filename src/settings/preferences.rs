//! Preferences: the items of each file, with their action, their properties and their item-level targeting [MS-GPPREF].
//!
//! All properties are shown, under their names in the file, so that no change is hidden. Stored passwords are not.

mod targeting;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use super::{Data, Extension, File, New, State, Value};
use crate::formats::preferences::passwords::{holds_password, is_password, sets_password};
use crate::formats::preferences::{Action, Item, PreferenceKind, Preferences};
use crate::formats::xml_tree::Element;
use crate::model::reference::Place;

/// Decodes the items in order, including those in collections.
pub(super) fn decode(file: &mut File<'_>, content: &Bytes) -> Result<(), String> {
    let preferences = Preferences::parse(content).map_err(|error| error.to_string())?;
    let extension = Extension::Preferences(name_of(preferences.kind()));
    let root = preferences.document().root();
    preferences.walk(&mut |cursor| {
        // Items are in the root and in collections only.
        let is_collection = |element: &Element| element.name.eq_ignore_ascii_case("Collection");
        let is_item = !is_collection(cursor.element)
            && cursor.element.name != "Filters"
            && cursor.parent().is_some()
            && cursor
                .above()
                .all(|above| is_collection(above) || std::ptr::eq(above, root));
        if !is_item || file.is_full {
            return;
        }
        let item = Item::new(cursor.element);
        let collections: Vec<&str> = cursor
            .above()
            .filter(|above| !std::ptr::eq(*above, root))
            .map(|above| above.attribute("name").unwrap_or("collection"))
            .collect();
        let category = collections.into_iter().rev().collect::<Vec<_>>().join("/");
        let at = cursor.place();
        let place = Place::file(&file.path).section(at.path).line(at.line);
        let kind = &*item.element.name;
        let name = match item.name() {
            "" => kind.to_owned(),
            name => format!("{kind} {name}"),
        };
        let id = match item.element.attribute("uid") {
            Some(uid) if !uid.is_empty() => format!("{kind} {uid}"),
            _ => name.clone(),
        };
        let mut room = file.room;
        let mut values = values(&item, &mut room);
        if room == 0 {
            file.is_full = true;
            return;
        }
        // The targeting of the collections that an item is in applies to it too.
        let collections = cursor
            .above()
            .filter(|above| is_collection(above))
            .filter_map(|above| above.named("Filters").next());
        for filters in item.filters().into_iter().chain(collections) {
            let words = targeting::words(filters);
            if !words.is_empty() {
                values.push(Value::named("targeting", Data::Word(words.into())));
            }
        }
        let comment = item.element.attribute("desc").unwrap_or_default();
        if !comment.is_empty() {
            values.push(Value::named("comment", Data::Text(comment.to_owned())));
        }
        file.push(New {
            extension,
            category: category.into(),
            name: name.into(),
            id: id.to_lowercase().into(),
            state: match item.is_disabled() {
                true => State::Disabled,
                false => State::Configured,
            },
            values,
            place,
            raw: String::new(),
        });
    });
    Ok(())
}

/// The name of a kind in GPMC.
fn name_of(kind: PreferenceKind) -> &'static str {
    match kind {
        PreferenceKind::Applications => "Applications",
        PreferenceKind::DataSources => "Data Sources",
        PreferenceKind::Devices => "Devices",
        PreferenceKind::Drives => "Drive Maps",
        PreferenceKind::EnvironmentVariables => "Environment Variables",
        PreferenceKind::Files => "Files",
        PreferenceKind::FolderOptions => "Folder Options",
        PreferenceKind::Folders => "Folders",
        PreferenceKind::Groups => "Local Users and Groups",
        PreferenceKind::IniFiles => "Ini Files",
        PreferenceKind::InternetSettings => "Internet Settings",
        PreferenceKind::NetworkOptions => "Network Options",
        PreferenceKind::NetworkShares => "Network Shares",
        PreferenceKind::PowerOptions => "Power Options",
        PreferenceKind::Printers => "Printers",
        PreferenceKind::Regional => "Regional Options",
        PreferenceKind::Registry => "Windows Registry",
        PreferenceKind::ScheduledTasks => "Scheduled Tasks",
        PreferenceKind::Services => "Services",
        PreferenceKind::Shortcuts => "Shortcuts",
        PreferenceKind::StartMenu => "Start Menu",
        PreferenceKind::Other => "Other preferences",
    }
}

/// The options of the tab "Common", by attribute of the item.
const COMMON: &[(&str, &str)] = &[
    ("userContext", "runs in the logged-on user's context"),
    ("removePolicy", "removed when it no longer applies"),
    ("bypassErrors", "processing continues after an error"),
];

/// The values of an item. What they need is taken from the room for text; without any left, there are no more.
fn values(item: &Item<'_>, room: &mut usize) -> Vec<Value> {
    let mut values = Vec::new();
    if let Some(properties) = item.properties() {
        let action = match item.action() {
            Action::Create => "create",
            Action::Replace => "replace",
            Action::Update => "update",
            Action::Delete => "delete",
        };
        values.push(Value::named("action", Data::Word(action.into())));
        attributes(properties, "", &mut values, room);
        below(properties, "", false, &mut values, room);
    }
    for (attribute, meaning) in COMMON {
        if item.element.attribute(attribute) == Some("1") {
            values.push(Value::named(*meaning, Data::Flag(true)));
        }
    }
    // Items of some kinds have more than properties.
    for child in item.element.elements() {
        // Windows writes one `Properties`; a client may use any other.
        let is_shown = item
            .properties()
            .is_some_and(|shown| std::ptr::eq(shown, child));
        if !is_shown && child.name != "Filters" {
            let path = format!("{}/", &*child.name);
            attributes(child, &path, &mut values, room);
            below(child, &path, false, &mut values, room);
        }
    }
    values
}

/// The attributes of an element that are not empty. A stored password is only mentioned.
fn attributes(element: &Element, path: &str, values: &mut Vec<Value>, room: &mut usize) {
    let sets_password = sets_password(element);
    for attribute in &element.attributes {
        let name = &*attribute.name;
        if attribute.value.is_empty() || (path.is_empty() && name == "action") {
            continue;
        }
        let text = path.len().saturating_add(attribute.value.len());
        let text = text.saturating_add(name.len());
        *room = room.saturating_sub(text.saturating_add(size_of::<Value>()));
        if *room == 0 {
            return;
        }
        let data = match holds_password(name, sets_password) {
            true => Data::Word("a stored password (not shown)".into()),
            false => Data::Text(attribute.value.clone()),
        };
        values.push(Value::named(format!("{path}{name}"), data));
    }
}

/// The attributes and texts of everything in an element; the depth is bounded by that of the parsed tree.
fn below(
    element: &Element,
    path: &str,
    in_secret: bool,
    values: &mut Vec<Value>,
    room: &mut usize,
) {
    // The texts of a list of strings are in elements of their own.
    let in_secret = in_secret || sets_password(element);
    for child in element.elements() {
        *room = room.saturating_sub(path.len().saturating_add(child.name.len()));
        if *room == 0 {
            return;
        }
        let path = format!("{path}{}", &*child.name);
        let text = child.text();
        if !text.trim().is_empty() {
            let size = text.len().saturating_add(size_of::<Value>());
            *room = room.saturating_sub(size);
            let data = match is_password(&child.name) || in_secret {
                true => Data::Word("a stored password (not shown)".into()),
                false => Data::Text(text),
            };
            values.push(Value::named(path.as_str(), data));
        }
        let path = format!("{path}/");
        attributes(child, &path, values, room);
        below(child, &path, in_secret, values, room);
    }
}

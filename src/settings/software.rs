//! The objects below a GPO with settings: packages of software installation [MS-GPSI 2.2.2.4.1], printer connections [MS-GPDPC
//! 2.2], policies of wireless and wired networks [MS-GPWL 2.3], and the assigned IPsec policy [MS-GPIPSEC 2.2.2].

use super::{Data, Extension, Half, New, Setting, Value};
use crate::model::directory_object::{AttributeValues, DirectoryObject};
use crate::model::reference::Place;

/// The settings of the objects below a GPO, each with all its attributes.
pub(crate) fn of_objects<'a>(
    objects: impl IntoIterator<Item = &'a DirectoryObject>,
) -> impl Iterator<Item = Setting> {
    objects.into_iter().filter_map(setting)
}

/// The settings of an object whose content is not known, which has the same settings now.
pub(crate) fn of_unknown(known: &Setting) -> Setting {
    Setting {
        values: vec![Value::named("before", Data::Word("not known".into()))],
        ..known.clone()
    }
}

/// The extension that applies objects of a class, and the attribute with their name; `None` for those that only hold others.
fn extension_of(class: &str) -> Option<(Extension, &'static str)> {
    match class.to_ascii_lowercase().as_str() {
        "packageregistration" => Some((Extension::SoftwareInstallation, "packageName")),
        "msprint-connectionpolicy" => {
            Some((Extension::Directory("Printer Connections"), "uNCName"))
        }
        "msieee80211-policy" | "ms-net-ieee-80211-grouppolicy" => {
            Some((Extension::Directory("Wireless Network Policies"), ""))
        }
        "ms-net-ieee-8023-grouppolicy" => {
            Some((Extension::Directory("Wired Network Policies"), ""))
        }
        "ipsecpolicy" => Some((Extension::Directory("IP Security Policies"), "ipsecName")),
        _ => None,
    }
}

fn setting(object: &DirectoryObject) -> Option<Setting> {
    let (extension, name_attribute) = extension_of(&object.object_class)?;
    let path = object.rdns.join(",");
    let is_user = object
        .rdns
        .last()
        .is_some_and(|rdn| rdn.eq_ignore_ascii_case("CN=User"));
    let mut name = None;
    let mut values = Vec::new();
    for attribute in &object.attributes {
        let data = match &attribute.values {
            AttributeValues::String(text) | AttributeValues::ExpandedString(text) => {
                text.clone().map(Data::Text)
            }
            AttributeValues::MultiString(texts) if texts.is_empty() => None,
            AttributeValues::MultiString(texts) => Some(Data::List(texts.clone())),
            AttributeValues::Dword(number) => number.map(|number| Data::Number(number.into())),
            AttributeValues::MultiDword(numbers) if numbers.is_empty() => None,
            AttributeValues::MultiDword(numbers) => {
                Some(Data::List(numbers.iter().map(u32::to_string).collect()))
            }
            AttributeValues::Binary(parts) if parts.is_empty() => None,
            AttributeValues::Binary(parts) => Some(Data::bytes(&parts.concat())),
        };
        if attribute.name.eq_ignore_ascii_case(name_attribute)
            && let Some(Data::Text(text)) = &data
        {
            name = Some(text.clone());
            continue;
        }
        values.extend(data.map(|data| Value::named(attribute.name.as_str(), data)));
    }
    let new = New {
        extension,
        name: name.unwrap_or_else(|| path.clone()).into(),
        id: path.to_lowercase().into(),
        place: Place::file(path),
        values,
        ..New::default()
    };
    Some(new.of(if is_user { Half::User } else { Half::Computer }))
}

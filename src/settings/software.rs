//! Software installation: the packages in the class store of a GPO [MS-GPSI 2.2.2.4.1].

use super::{Data, Extension, Half, New, Setting, Value};
use crate::model::directory_object::{AttributeValues, DirectoryObject};
use crate::model::reference::Place;

/// The packages among the objects below a GPO, each with all its attributes.
pub(super) fn packages<'a>(
    objects: impl IntoIterator<Item = &'a DirectoryObject>,
) -> impl Iterator<Item = Setting> {
    objects
        .into_iter()
        .filter(|object| {
            object
                .object_class
                .eq_ignore_ascii_case("packageRegistration")
        })
        .map(package)
}

fn package(object: &DirectoryObject) -> Setting {
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
        if attribute.name.eq_ignore_ascii_case("packageName")
            && let Some(Data::Text(text)) = &data
        {
            name = Some(text.clone());
            continue;
        }
        values.extend(data.map(|data| Value::named(attribute.name.as_str(), data)));
    }
    New {
        extension: Extension::SoftwareInstallation,
        name: name.unwrap_or_else(|| path.clone()).into(),
        id: path.to_lowercase().into(),
        place: Place::file(path),
        values,
        ..New::default()
    }
    .of(if is_user { Half::User } else { Half::Computer })
}

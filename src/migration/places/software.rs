//! References in software installation objects: the UNC paths of packages [MS-GPSI 2.2.2.4.1].

use super::{Found, FoundTarget, Rewrite, Visitor};
use crate::model::directory_object::{AttributeValues, DirectoryObject};
use crate::model::reference::{Place, Scope};
use crate::model::unc_path::UncPath;

/// Visits the paths in `msiFileList`; the object with its new values comes back when anything changed.
///
/// A value is `<index>:<UNC path>`. GPMC inventories the folder of the path, so that is the unit.
pub fn visit_object(
    object: &DirectoryObject,
    visitor: &mut Visitor<'_>,
) -> Option<DirectoryObject> {
    let mut new = object.clone();
    let mut changed = false;
    for attribute in &mut new.attributes {
        if !attribute.name.eq_ignore_ascii_case("msiFileList") {
            continue;
        }
        let AttributeValues::MultiString(values) = &mut attribute.values else {
            continue;
        };
        for value in values {
            let Some((index, path)) = value.split_once(':') else {
                continue;
            };
            let Ok(path) = path.parse::<UncPath>() else {
                continue;
            };
            let unit = path.parent().unwrap_or_else(|| path.clone());
            let found = Found {
                target: FoundTarget::Unc {
                    text: path.to_string(),
                    unit: unit.to_string(),
                },
                place: Place::file(object.rdns.join(",")).key("msiFileList"),
                scope: Scope::Gpmc,
            };
            if let Rewrite::Unc(text) = visitor(&found) {
                *value = format!("{index}:{text}");
                changed = true;
            }
        }
    }
    changed.then_some(new)
}

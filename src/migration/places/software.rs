//! References in software installation objects: the UNC paths of packages [MS-GPSI 2.2.2.4.1].

use super::text::{reference_head, unit_of};
use super::{Found, FoundTarget, Rewrite, Visitor};
use crate::model::directory_object::{AttributeValues, DirectoryObject};
use crate::model::reference::{Place, Scope};

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
            let Some((path, tail)) = reference_head(path) else {
                continue;
            };
            let unit = unit_of(&path, tail);
            let found = Found {
                target: FoundTarget::Unc {
                    text: path.to_string(),
                    unit: unit.to_string(),
                },
                place: Place::file(object.rdns.join(",")).key("msiFileList"),
                scope: Scope::Gpmc,
            };
            if let Rewrite::Unc(text) = visitor(&found) {
                *value = format!("{index}:{text}{tail}");
                changed = true;
            }
        }
    }
    changed.then_some(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::directory_object::DirectoryAttribute;

    #[test]
    fn spellings_that_windows_takes() {
        let object = |first: &str, second: &str| DirectoryObject {
            rdns: vec!["CN=a".to_owned()],
            object_class: "packageRegistration".to_owned(),
            security_descriptor: None,
            attributes: vec![DirectoryAttribute {
                name: "msiFileList".to_owned(),
                values: AttributeValues::MultiString(vec![first.to_owned(), second.to_owned()]),
            }],
        };
        let old = object(r"0:\\old\sw\\a.msi", r"1:\\old\sw/b.mst");
        let mut units = Vec::new();
        let new = visit_object(&old, &mut |found| {
            let FoundTarget::Unc { text, unit } = &found.target else {
                return Rewrite::Keep;
            };
            units.push(unit.clone());
            Rewrite::Unc(text.replace("old", "new"))
        });
        assert_eq!(units, [r"\\old\sw", r"\\old\sw"]);
        assert_eq!(new, Some(object(r"0:\\new\sw\\a.msi", r"1:\\new\sw/b.mst")));
    }
}

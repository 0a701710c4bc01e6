//! References in software installation objects: the UNC paths of packages [MS-GPSI 2.2.2.4.1].

use super::Visitor;
use super::text::{Context, Decision};
use super::unc_search::{looks_like_path, reference_head, unit_of};
use crate::message::StatusMessage;
use crate::model::directory_object::{AttributeValues, DirectoryObject};
use crate::model::reference::{Place, Scope};

/// What came of visiting an object.
#[derive(Debug, Clone, Default)]
pub struct VisitedObject {
    /// The object with its new values, when anything changed.
    pub object: Option<DirectoryObject>,
    /// What was noticed, as with files.
    pub messages: Vec<StatusMessage>,
}

/// Visits the paths in `msiFileList`.
///
/// A value is `<index>:<UNC path>`. GPMC inventories the folder of the path, so that is the unit. Everything behind the first colon is
/// the path, so that no sign in a new one could divide it.
pub fn visit_object(object: &DirectoryObject, visitor: &mut Visitor<'_>) -> VisitedObject {
    let mut context = Context {
        visitor,
        messages: Vec::new(),
    };
    let place = Place::file(object.rdns.join(",")).key("msiFileList");
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
            let Some((index, text)) = value.split_once(':') else {
                continue;
            };
            let Some((path, tail)) = reference_head(text) else {
                if looks_like_path(text) {
                    context.unread_path(text, &place);
                }
                continue;
            };
            let unit = unit_of(&path, tail);
            match context.unc(path.as_str(), unit.as_str(), &place, Scope::Gpmc) {
                Decision::Keep => {}
                Decision::Replace(new) => {
                    *value = format!("{index}:{new}{tail}");
                    changed = true;
                }
                Decision::Remove => context.cannot_remove(text, &place),
            }
        }
    }
    VisitedObject {
        object: changed.then_some(new),
        messages: context.messages,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::places::{FoundTarget, Rewrite};
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
        let visited = visit_object(&old, &mut |found| {
            let FoundTarget::Unc { text, unit } = &found.target else {
                return Rewrite::Keep;
            };
            units.push(unit.clone());
            Rewrite::Unc(text.replace("old", "new"))
        });
        assert_eq!(units, [r"\\old\sw", r"\\old\sw"]);
        let new = object(r"0:\\new\sw\\a.msi", r"1:\\new\sw/b.mst");
        assert_eq!(visited.object, Some(new));
        assert_eq!(visited.messages, []);
    }

    #[test]
    fn what_cannot_be_read_or_written_is_said() {
        let codes = |value: &str, rewrite: Rewrite| {
            let object = DirectoryObject {
                rdns: vec!["CN=a".to_owned()],
                object_class: "packageRegistration".to_owned(),
                security_descriptor: None,
                attributes: vec![DirectoryAttribute {
                    name: "msiFileList".to_owned(),
                    values: AttributeValues::MultiString(vec![value.to_owned()]),
                }],
            };
            let visited = visit_object(&object, &mut |_| rewrite.clone());
            assert_eq!(visited.object, None);
            let codes = visited.messages.into_iter().map(|message| message.code);
            codes.collect::<Vec<_>>()
        };
        assert_eq!(
            codes(r"0:\\\\old\\sw\\a.msi", Rewrite::Keep),
            ["unread-path"]
        );
        assert_eq!(codes(r"0:\\old/sw/a.msi", Rewrite::Keep), ["unread-path"]);
        assert_eq!(codes(r"0:D:\a.msi", Rewrite::Keep), [""; 0]);
        assert_eq!(
            codes(r"0:\\old\sw\a.msi", Rewrite::Remove),
            ["cannot-remove"]
        );
        let broken = Rewrite::Unc("\\\\new\\sw\na".to_owned());
        assert_eq!(codes(r"0:\\old\sw\a.msi", broken), ["bad-path"]);
    }
}

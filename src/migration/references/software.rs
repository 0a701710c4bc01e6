//! References in software installation objects [MS-GPSI 2.2.2.4.1]: the paths of a package and the principals in its
//! permissions.

use super::context::{Context, TextRewrite};
use super::text::{RewrittenText, may_hold_reference};
use super::unc_search::{is_unusual_path, leading_unc_path, unit_of};
use super::{Occurrence, ReferenceTarget, Visitor};
use crate::message::{Code, StatusMessage};
use crate::model::directory_object::{AttributeValues, DirectoryObject};
use crate::model::reference::{Place, Scope};
use crate::model::sddl::map_condition;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::sid::Sid;

/// The result of visiting an object.
#[derive(Debug, Clone, Default)]
pub struct VisitedObject {
    /// The object with its new values, if anything changed.
    pub object: Option<DirectoryObject>,
    /// Findings, as for files.
    pub messages: Vec<StatusMessage>,
}

/// Visits the paths in `msiFileList`, which GPMC maps, and the references in `setupCommand` (the path of a ZAP package,
/// which has no list of files) and `url`, which GPMC ignores. The place contains the attribute and, as its line, the
/// number of the value, from 1.
///
/// A value of `msiFileList` is `<index>:<UNC path>`. GPMC inventories the folder of the path, so that is the unit.
/// Everything after the first colon is the path, so no character of a new path can split the value.
pub fn visit_object(object: &DirectoryObject, visitor: &mut Visitor<'_>) -> VisitedObject {
    let mut context = Context::new(visitor, 0);
    let mut place = Place::file(object.rdns.join(","));
    let mut new = object.clone();
    let mut changed = false;
    for attribute in &mut new.attributes {
        let is = |name: &str| attribute.name.eq_ignore_ascii_case(name);
        let files = is("msiFileList");
        if !(files || is("setupCommand") || is("url")) {
            continue;
        }
        let values: &mut [String] = match &mut attribute.values {
            AttributeValues::String(Some(value)) | AttributeValues::ExpandedString(Some(value)) => {
                std::slice::from_mut(value)
            }
            AttributeValues::MultiString(values) => values,
            _ => continue,
        };
        place = place.key(&attribute.name);
        for (number, value) in values.iter_mut().enumerate() {
            place = place.line(number + 1);
            let edited = if files {
                listed_file(value, &place, &mut context)
            } else {
                free_value(value, &place, &mut context)
            };
            if let Some(edited) = edited {
                *value = edited;
                changed = true;
            }
        }
    }
    VisitedObject {
        object: changed.then_some(new),
        messages: context.messages.finish(Some(Place::file(place.file))),
    }
}

/// Visits a value of `msiFileList`; returns the new value if it changed.
fn listed_file(value: &str, place: &Place, context: &mut Context<'_, '_>) -> Option<String> {
    let (index, text) = value.split_once(':')?;
    let Some((path, tail)) = leading_unc_path(text) else {
        if is_unusual_path(text) {
            context.warn_of_unusual_path(text, place);
        }
        return None;
    };
    let unit = unit_of(&path, tail);
    match context.unc(path.as_str(), unit.as_str(), place, Scope::Gpmc) {
        TextRewrite::Keep => None,
        TextRewrite::Replace(new) => Some(format!("{index}:{new}{tail}")),
        TextRewrite::Remove => {
            context.refuse_removal(text, place);
            None
        }
    }
}

/// Visits a command line or an address; returns the new value if it changed.
fn free_value(value: &str, place: &Place, context: &mut Context<'_, '_>) -> Option<String> {
    if !may_hold_reference(value) {
        return None;
    }
    match context.free_text(value, place, Scope::All) {
        RewrittenText::Unchanged => None,
        RewrittenText::Changed(new) => Some(new),
        RewrittenText::Removed => {
            context.refuse_removal(value, place);
            None
        }
    }
}

/// The domain principals in the permissions of a package: owner, group, and every entry of its lists with the SIDs in
/// its condition, in this order. [`visit_object`] does not visit them, because an import does not transfer them and a
/// copy that preserves them maps the whole descriptor. The message reports parts that cannot be parsed.
pub fn permission_references(object: &DirectoryObject) -> (Vec<Occurrence>, Option<StatusMessage>) {
    let is_package = object
        .object_class
        .eq_ignore_ascii_case("packageRegistration");
    let bytes = object.security_descriptor.as_deref();
    let Some(bytes) = bytes.filter(|bytes| is_package && !bytes.is_empty()) else {
        return (Vec::new(), None);
    };
    let place = Place::file(object.rdns.join(",")).key("nTSecurityDescriptor");
    let unread = |what: String| {
        StatusMessage::warning(
            Code::UnreadPermissions,
            format!("{what}, so the principals in it are not known"),
        )
        .at(place.clone())
        .with_hint("check the permissions of the package in the source domain")
    };
    let mut descriptor = match SecurityDescriptor::parse(bytes) {
        Ok(descriptor) => descriptor,
        Err(error) => {
            let what = format!("the security descriptor of the package cannot be read: {error}");
            return (Vec::new(), Some(unread(what)));
        }
    };
    let mut found = Vec::new();
    let mut meet = |sid: &Sid, part: &str, entry: Option<usize>| {
        if sid.is_domain_sid() {
            let place = place.clone().section(part);
            found.push(Occurrence {
                target: ReferenceTarget::Sid {
                    sid: sid.clone(),
                    text: sid.to_string(),
                },
                place: match entry {
                    Some(entry) => place.line(entry + 1),
                    None => place,
                },
                scope: Scope::Gpmc,
            });
        }
    };
    for (part, sid) in [("owner", &descriptor.owner), ("group", &descriptor.group)] {
        if let Some(sid) = sid {
            meet(sid, part, None);
        }
    }
    let mut conditions = 0_usize;
    let lists = [
        ("SACL", &mut descriptor.sacl),
        ("DACL", &mut descriptor.dacl),
    ];
    for (part, list) in lists {
        for (entry, ace) in list.iter_mut().flat_map(|list| &mut list.aces).enumerate() {
            if let Some(sid) = ace.sid() {
                meet(sid, part, Some(entry));
            }
            let known = map_condition(ace, &mut |sid| {
                meet(sid, part, Some(entry));
                sid.clone()
            });
            conditions += usize::from(!known);
        }
    }
    let what = match conditions {
        0 => None,
        1 => Some("1 condition in the permissions of the package cannot be read".to_owned()),
        more => Some(format!(
            "{more} conditions in the permissions of the package cannot be read"
        )),
    };
    let message = what.map(unread);
    (found, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::references::Rewrite;
    use crate::model::directory_object::DirectoryAttribute;
    use crate::model::sddl::from_sddl;

    #[test]
    fn spellings_that_windows_accepts() {
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
        let visited = visit_object(&old, &mut |occurrence| {
            let ReferenceTarget::Unc { text, unit } = &occurrence.target else {
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
    fn unreadable_and_unwritable_values_are_reported() {
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
            [Code::UnreadPath]
        );
        assert_eq!(
            codes(r"0:\\old/sw/a.msi", Rewrite::Keep),
            [Code::UnreadPath]
        );
        assert_eq!(codes(r"0:D:\a.msi", Rewrite::Keep), []);
        assert_eq!(
            codes(r"0:\\old\sw\a.msi", Rewrite::Remove),
            [Code::CannotRemove]
        );
        let broken = Rewrite::Unc("\\\\new\\sw\na".to_owned());
        assert_eq!(codes(r"0:\\old\sw\a.msi", broken), [Code::BadPath]);
    }

    fn package(attributes: &[(&str, AttributeValues)]) -> DirectoryObject {
        DirectoryObject {
            rdns: vec!["CN=a".to_owned(), "CN=Packages".to_owned()],
            object_class: "packageRegistration".to_owned(),
            security_descriptor: None,
            attributes: attributes
                .iter()
                .map(|(name, values)| DirectoryAttribute {
                    name: (*name).to_owned(),
                    values: values.clone(),
                })
                .collect(),
        }
    }

    #[test]
    fn a_zap_package_is_found_by_its_command() {
        let zap = |server: &str, rid: u32| {
            package(&[
                ("msiFileList", AttributeValues::MultiString(Vec::new())),
                (
                    "setupCommand",
                    AttributeValues::String(Some(format!(
                        r#""\\{server}\sw\my tool\setup.exe" /group:S-1-5-21-1-2-3-{rid}"#
                    ))),
                ),
                (
                    "URL",
                    AttributeValues::MultiString(vec![
                        "https://help.test/".to_owned(),
                        format!(r"\\{server}\help\index.htm"),
                    ]),
                ),
            ])
        };
        let mut places = Vec::new();
        let visited = visit_object(&zap("old", 5), &mut |occurrence| {
            places.push(format!("{} {:?}", occurrence.place, occurrence.scope));
            match &occurrence.target {
                ReferenceTarget::Unc { text, .. } => Rewrite::Unc(text.replace("old", "new")),
                _ => Rewrite::Principal {
                    sid: Some("S-1-5-21-1-2-3-6".parse().unwrap()),
                    name: String::new(),
                },
            }
        });
        assert_eq!(
            places,
            [
                "CN=a,CN=Packages:1 setupCommand All",
                "CN=a,CN=Packages:1 setupCommand All",
                "CN=a,CN=Packages:2 URL All",
            ]
        );
        assert_eq!(visited.object, Some(zap("new", 6)));
        assert_eq!(visited.messages, []);
        // A package without its command would install nothing.
        let visited = visit_object(&zap("old", 5), &mut |_| Rewrite::Remove);
        assert_eq!(visited.object, None);
        let codes: Vec<_> = visited.messages.iter().map(|m| m.code).collect();
        assert_eq!(codes, [Code::CannotRemove; 3]);
    }

    #[test]
    fn a_listed_file_is_located_by_its_number() {
        let values = [r"0:\\old\sw\a.msi", r"1:D:\b.mst", r"2:\\old\sw\c.mst"];
        let values = values.map(str::to_owned).to_vec();
        let mut lines = Vec::new();
        let object = package(&[("msiFileList", AttributeValues::MultiString(values))]);
        visit_object(&object, &mut |occurrence| {
            lines.push(occurrence.place.line);
            Rewrite::Keep
        });
        assert_eq!(lines, [Some(1), Some(3)]);
    }

    #[test]
    fn the_permissions_of_a_package_name_principals() {
        let mut object = package(&[]);
        let sddl = "O:S-1-5-21-1-2-3-512G:SYS:(AU;SA;GA;;;S-1-5-21-1-2-3-7)D:(A;;GA;;;SY)(A;;GA;;;S-1-5-21-1-2-3-5)\
                    (XA;;GA;;;AU;(Member_of {SID(S-1-5-21-1-2-3-6)}))";
        let descriptor = from_sddl(sddl, None).unwrap();
        object.security_descriptor = Some(descriptor.to_bytes().unwrap());
        let (found, message) = permission_references(&object);
        assert_eq!(message, None);
        let seen: Vec<String> = found
            .iter()
            .map(|occurrence| match &occurrence.target {
                ReferenceTarget::Sid { sid, .. } => format!("{:?} {}", sid.rid(), occurrence.place),
                other => panic!("{other:?}"),
            })
            .collect();
        let at = |line: &str| format!("CN=a,CN=Packages{line} nTSecurityDescriptor");
        assert_eq!(
            seen,
            [
                format!("Some(512) {}", at(" [owner]")),
                format!("Some(7) {}", at(":1 [SACL]")),
                format!("Some(5) {}", at(":2 [DACL]")),
                format!("Some(6) {}", at(":3 [DACL]")),
            ]
        );
        // Mapping does not meet them.
        let visited = visit_object(&object, &mut |found| panic!("{found:?}"));
        assert_eq!(visited.object, None);
        object.security_descriptor = Some(vec![9, 0, 4, 0x80]);
        let (found, message) = permission_references(&object);
        assert_eq!(found, []);
        assert_eq!(message.unwrap().code, Code::UnreadPermissions);
        // Permissions of other objects are not settings.
        object.object_class = "classStore".to_owned();
        assert_eq!(permission_references(&object), (Vec::new(), None));
    }
}

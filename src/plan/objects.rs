//! The objects below a GPO: the changes from the existing objects to the wanted ones.
//!
//! An object that exists and is wanted is changed in place, so a package keeps its `objectGUID`: clients recognize an
//! application by it, and reinstall one whose identity has changed.

use std::collections::BTreeSet;

use crate::error::{Error, ErrorKind, Result};
use crate::model::allowed_object::{AllowedObject, ForbiddenObject};
use crate::model::directory_object::DirectoryObject;

/// The changes to the objects below a GPO.
#[derive(Debug, Default)]
pub(crate) struct ObjectChanges<'a> {
    /// Deleted, with everything below them.
    pub(crate) remove: Vec<&'a DirectoryObject>,
    /// Changed from the first of the pair to the second.
    pub(crate) change: Vec<(&'a DirectoryObject, &'a DirectoryObject)>,
    /// Added; parents first.
    pub(crate) add: Vec<&'a DirectoryObject>,
}

impl ObjectChanges<'_> {
    /// Whether the objects have the same content. A server may add inherited entries to a DACL, so permissions are not
    /// compared.
    pub(crate) fn is_same_content(&self) -> bool {
        self.remove.is_empty()
            && self.add.is_empty()
            && self
                .change
                .iter()
                .all(|(old, new)| new.differing_attributes(old).is_empty())
    }

    /// Whether there are no changes.
    pub(crate) fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.change.is_empty() && self.add.is_empty()
    }
}

/// Compares the existing objects with the wanted ones; in both, parents come first.
pub(crate) fn changes<'a, H, W>(have: &'a [H], want: &'a [W]) -> ObjectChanges<'a>
where
    H: AsRef<DirectoryObject>,
    W: AsRef<DirectoryObject>,
{
    let have = have.iter().map(AsRef::as_ref);
    let want: Vec<&DirectoryObject> = want.iter().map(AsRef::as_ref).collect();
    let mut found = ObjectChanges::default();
    let mut kept: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut removed: BTreeSet<Vec<String>> = BTreeSet::new();
    for old in have {
        let key = old.key();
        let parent_goes = key
            .split_first()
            .is_some_and(|(_, parent)| removed.contains(parent));
        let new = want.iter().copied().find(|new| {
            new.key() == key && new.object_class.eq_ignore_ascii_case(&old.object_class)
        });
        match new {
            Some(new) if !parent_goes => {
                kept.insert(key);
                if !new.differing_attributes(old).is_empty() || new.differs_in_access(old) {
                    found.change.push((old, new));
                }
            }
            _ => {
                removed.insert(key);
                found.remove.push(old);
            }
        }
    }
    found.add = want
        .into_iter()
        .filter(|new| !kept.contains(&new.key()))
        .collect();
    found
}

/// How the objects below a GPO are restored after an operation that changed them.
#[derive(Debug, Default)]
pub(crate) struct RevertPlan {
    /// The objects as they have to be; parents first.
    pub(crate) want: Vec<DirectoryObject>,
    /// What somebody else has changed in the meantime; it is kept.
    pub(crate) foreign: Vec<String>,
}

/// Works out the objects after an operation is undone: `have` are the present ones, `before` those before the operation, and
/// `written` those that the operation wrote or was about to write. Only objects that are still as the operation left them are
/// restored.
pub(crate) fn revert_plan<T: AsRef<DirectoryObject>>(
    have: &[DirectoryObject],
    before: &[T],
    written: &[T],
) -> RevertPlan {
    fn find<T: AsRef<DirectoryObject>>(list: &[T], key: &[String]) -> Option<DirectoryObject> {
        let mut objects = list.iter().map(AsRef::as_ref);
        objects.find(|object| object.key() == key).cloned()
    }
    let mut back = RevertPlan::default();
    let same = |one: &DirectoryObject, other: &DirectoryObject| {
        one.object_class.eq_ignore_ascii_case(&other.object_class)
            && one.differing_attributes(other).is_empty()
    };
    let keys: BTreeSet<Vec<String>> = have
        .iter()
        .chain(before.iter().chain(written).map(AsRef::as_ref))
        .map(DirectoryObject::key)
        .collect();
    for key in keys {
        let (now, was, made) = (find(have, &key), find(before, &key), find(written, &key));
        let is = |wanted: &Option<DirectoryObject>| match (&now, wanted) {
            (None, None) => true,
            (Some(now), Some(wanted)) => same(now, wanted),
            _ => false,
        };
        let touched = match (&was, &made) {
            (Some(was), Some(made)) => !same(was, made) || made.differs_in_access(was),
            (None, None) => false,
            _ => true,
        };
        if touched && is(&made) {
            back.want.extend(was);
        } else {
            if touched && !is(&was) {
                back.foreign.push(key.join(","));
            }
            back.want.extend(now);
        }
    }
    // An object is kept when somebody else has added something below it.
    let keeps: Vec<Vec<String>> = back.want.iter().map(DirectoryObject::key).collect();
    for object in have {
        let key = object.key();
        let is_above = |kept: &Vec<String>| kept.len() > key.len() && kept.ends_with(&key);
        if !keeps.contains(&key) && keeps.iter().any(is_above) {
            back.foreign.push(format!(
                "{}, because of the objects below it,",
                key.join(",")
            ));
            back.want.push(object.clone());
        }
    }
    back.want.sort_by_key(|object| object.rdns.len());
    back
}

/// The objects of a backup or of another GPO, if a GPO may contain them.
///
/// # Errors
/// `BadInput`, naming the first object that is not allowed, with its class or attribute.
pub(crate) fn allowed(objects: &[DirectoryObject]) -> Result<Vec<AllowedObject>> {
    AllowedObject::all(objects).map_err(forbidden)
}

/// The error for an object that a GPO may not contain.
pub(crate) fn forbidden(cause: ForbiddenObject) -> Error {
    Error::new(
        ErrorKind::BadInput,
        format!("the directory object {cause}"),
    )
    .with_hint("nothing was written; gpoctl writes only the classes and attributes that the specifications of Group Policy store in a GPO")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::directory_object::{AttributeValues, DirectoryAttribute};

    fn object(path: &str, class: &str, name: &str) -> DirectoryObject {
        DirectoryObject {
            rdns: path.split(',').map(str::to_owned).collect(),
            object_class: class.to_owned(),
            attributes: vec![DirectoryAttribute {
                name: "displayName".to_owned(),
                values: AttributeValues::String(Some(name.to_owned())),
            }],
            security_descriptor: None,
        }
    }

    /// The objects of a GPMC backup with one object of this class below `CN=Machine`.
    fn of_backup(class: &str) -> Vec<DirectoryObject> {
        let xml = format!(
            r#"<?xml version="1.0" encoding="utf-8"?><GroupPolicyBackupScheme bkp:version="2.0" bkp:type="GroupPolicyBackupTemplate" xmlns:bkp="http://www.microsoft.com/GroupPolicy/GPOOperations" xmlns="http://www.microsoft.com/GroupPolicy/GPOOperations">
    <GroupPolicyObject><SecurityGroups/><FilePaths/><GroupPolicyCoreSettings><ID><![CDATA[{{11111111-2222-3333-4444-555555555555}}]]></ID><Domain><![CDATA[src.test]]></Domain><SecurityDescriptor>01 00 04 80 00 00 00 00</SecurityDescriptor><DisplayName><![CDATA[x]]></DisplayName><Options><![CDATA[0]]></Options><UserVersionNumber><![CDATA[0]]></UserVersionNumber><MachineVersionNumber><![CDATA[0]]></MachineVersionNumber><MachineExtensionGuids/><UserExtensionGuids/><WMIFilter/></GroupPolicyCoreSettings>
    <GroupPolicyExtension bkp:ID="{{c6dc5466-785a-11d2-84d0-00c04fb169f7}}" bkp:DescName="Software Installation"><DSObject bkp:Path="cn=evil,%GPO_MACH_DSPATH%" bkp:ObjectClass="{class}" bkp:SourceExpandedPath="cn=evil,cn=Machine,cn=x"><DSAttributeString bkp:DSAttrName="description"><DSValue><![CDATA[x]]></DSValue></DSAttributeString></DSObject></GroupPolicyExtension>
    </GroupPolicyObject></GroupPolicyBackupScheme>"#
        );
        let parsed = crate::formats::backup_xml::parse(xml.as_bytes()).unwrap();
        crate::formats::backup_xml::read_objects(&parsed.backup.value.extensions)
    }

    #[test]
    fn a_backup_that_would_create_an_account_is_refused() {
        assert_eq!(allowed(&of_backup("classStore")).unwrap().len(), 1);
        for class in ["user", "computer"] {
            let objects = of_backup(class);
            assert_eq!(objects.len(), 1, "it is read, for somebody to look at");
            let error = allowed(&objects).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadInput);
            let text = error.to_string();
            assert!(text.contains("\"CN=evil,CN=Machine\""), "{text}");
            assert!(text.contains(&format!("class \"{class}\"")), "{text}");
        }
    }

    #[test]
    fn what_is_in_both_stays_and_what_stands_below_a_change_of_class_goes_along() {
        let have = [
            object("CN=Class Store,CN=Machine", "classStore", "x"),
            object("CN=Odd,CN=User", "container", "x"),
            object("CN=p,CN=Class Store,CN=Machine", "packageRegistration", "a"),
            object("CN=q,CN=Class Store,CN=Machine", "packageRegistration", "a"),
            object("CN=below,CN=Odd,CN=User", "container", "x"),
        ];
        let want = [
            object("cn=class store,cn=machine", "classStore", "x"),
            object("CN=Odd,CN=User", "classStore", "x"),
            object("CN=p,CN=Class Store,CN=Machine", "packageRegistration", "b"),
            object("CN=r,CN=Class Store,CN=Machine", "packageRegistration", "a"),
            object("CN=below,CN=Odd,CN=User", "container", "x"),
        ];
        let found = changes(&have, &want);
        let names = |objects: &[&DirectoryObject]| -> Vec<String> {
            objects
                .iter()
                .map(|object| object.rdns[0].clone())
                .collect()
        };
        assert_eq!(names(&found.remove), ["CN=Odd", "CN=q", "CN=below"]);
        assert_eq!(names(&found.add), ["CN=Odd", "CN=r", "CN=below"]);
        assert_eq!(found.change.len(), 1);
        assert_eq!(found.change[0].1.rdns[0], "CN=p");
        assert!(changes(&have, &have).is_empty());
    }

    #[test]
    fn only_what_an_operation_left_as_it_is_goes_back() {
        let was = [
            object("CN=kept", "container", "x"),
            object("CN=changed", "container", "old"),
            object("CN=theirs", "container", "old"),
            object("CN=removed", "container", "x"),
        ];
        let made = [
            object("CN=kept", "container", "x"),
            object("CN=changed", "container", "new"),
            object("CN=theirs", "container", "new"),
            object("CN=added", "container", "x"),
            object("CN=below,CN=added", "container", "x"),
            object("CN=alone", "container", "x"),
        ];
        // All changes were made, except for one object that somebody changed again and one below which somebody added another.
        let mut have = made.to_vec();
        have[2] = object("CN=theirs", "container", "somebody else's");
        have.push(object("CN=his,CN=added", "container", "x"));
        let back = revert_plan(&have, &was, &made);
        let names: Vec<(String, String)> = back
            .want
            .iter()
            .map(|object| {
                let AttributeValues::String(Some(name)) = &object.attributes[0].values else {
                    panic!("{object:?}")
                };
                (object.rdns.join(","), name.clone())
            })
            .collect();
        for (path, name) in [
            ("CN=kept", "x"),
            ("CN=changed", "old"),
            ("CN=theirs", "somebody else's"),
            ("CN=removed", "x"),
            ("CN=added", "x"),
            ("CN=his,CN=added", "x"),
        ] {
            assert!(
                names.contains(&(path.to_owned(), name.to_owned())),
                "{path}"
            );
        }
        assert_eq!(names.len(), 6, "{names:?}");
        assert_eq!(
            back.foreign,
            ["cn=theirs", "cn=added, because of the objects below it,"]
        );
        // The changes were not made, or only half of them: the former objects are restored.
        for have in [&was[..], &[&made[..2], &was[2..]].concat()] {
            let back = revert_plan(have, &was, &made);
            assert!(back.foreign.is_empty(), "{:?}", back.foreign);
            assert!(changes(&back.want, &was).is_empty());
        }
    }
}

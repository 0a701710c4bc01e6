//! The directory objects of a backup: the class store of each half and its packages [MS-GPSI 2.2.3].

use super::{DsChild, DsObject, Entry, Extension};
use crate::model::directory_object::{AttributeValues, DirectoryAttribute, DirectoryObject};

/// The attributes of a package in GPMC's order, each with its element type.
const PACKAGE: &[(&str, AttributeValues)] = &[
    ("objectGUID", AttributeValues::Binary(Vec::new())),
    ("cOMClassID", AttributeValues::MultiString(Vec::new())),
    ("cOMProgID", AttributeValues::MultiString(Vec::new())),
    ("fileExtPriority", AttributeValues::MultiString(Vec::new())),
    ("localeID", AttributeValues::MultiDword(Vec::new())),
    (
        "machineArchitecture",
        AttributeValues::MultiDword(Vec::new()),
    ),
    ("versionNumberHi", AttributeValues::Dword(None)),
    ("versionNumberLo", AttributeValues::Dword(None)),
    ("revision", AttributeValues::Dword(None)),
    ("packageType", AttributeValues::Dword(None)),
    ("packageFlags", AttributeValues::Dword(None)),
    ("packageName", AttributeValues::String(None)),
    ("msiScriptPath", AttributeValues::String(None)),
    ("msiScriptName", AttributeValues::String(None)),
    ("msiScriptSize", AttributeValues::Dword(None)),
    ("url", AttributeValues::MultiString(Vec::new())),
    ("setupCommand", AttributeValues::String(None)),
    ("lastUpdateSequence", AttributeValues::String(None)),
    ("msiFileList", AttributeValues::MultiString(Vec::new())),
    ("categories", AttributeValues::MultiString(Vec::new())),
    ("canUpgradeScript", AttributeValues::MultiString(Vec::new())),
    ("installUiLevel", AttributeValues::Dword(None)),
    ("msiScript", AttributeValues::Binary(Vec::new())),
    ("displayName", AttributeValues::String(None)),
    ("productCode", AttributeValues::Binary(Vec::new())),
    ("upgradeProductCode", AttributeValues::Binary(Vec::new())),
    ("Vendor", AttributeValues::String(None)),
];

/// The attributes of a class store in GPMC's order.
const CLASS_STORE: &[&str] = &[
    "appSchemaVersion",
    "extensionName",
    "description",
    "displayName",
];

fn is_empty(values: &AttributeValues) -> bool {
    match values {
        AttributeValues::String(value) | AttributeValues::ExpandedString(value) => value.is_none(),
        AttributeValues::Dword(value) => value.is_none(),
        AttributeValues::MultiString(values) => values.is_empty(),
        AttributeValues::MultiDword(values) => values.is_empty(),
        AttributeValues::Binary(values) => values.is_empty(),
    }
}

/// The saved objects, parents first, without patterns and without empty attributes. A DN that does not end in one of
/// GPMC's variables is not an object below the GPO and is skipped.
pub fn read_objects(extensions: &[Extension]) -> Vec<DirectoryObject> {
    let mut found = Vec::new();
    for entry in extensions.iter().flat_map(|extension| &extension.entries) {
        if let Entry::Object(object) = entry {
            collect(object, &mut found);
        }
    }
    found
}

fn collect(object: &DsObject, found: &mut Vec<DirectoryObject>) {
    let mut attributes = Vec::new();
    let mut security_descriptor = None;
    for child in &object.children {
        match child {
            DsChild::Attribute(attribute) if !is_empty(&attribute.values) => {
                attributes.push(attribute.clone());
            }
            DsChild::SecurityDescriptor(bytes) if !bytes.is_empty() => {
                security_descriptor = Some(bytes.clone());
            }
            _ => {}
        }
    }
    if let Some(rdns) = rdns(&object.path) {
        found.push(DirectoryObject {
            rdns,
            object_class: object.object_class.clone(),
            attributes,
            security_descriptor,
        });
    }
    for child in &object.children {
        if let DsChild::Entry(Entry::Object(child)) = child {
            collect(child, found);
        }
    }
}

/// The RDNs of a DN that ends in a variable; `None` for a pattern and for any other DN.
fn rdns(path: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for character in path.chars() {
        if character == ',' && !escaped {
            parts.push(String::new());
            continue;
        }
        escaped = character == '\\' && !escaped;
        parts.last_mut()?.push(character);
    }
    let variable = parts.pop()?;
    let half = match variable.trim().to_ascii_uppercase().as_str() {
        "%GPO_MACH_DSPATH%" => Some("CN=Machine"),
        "%GPO_USER_DSPATH%" => Some("CN=User"),
        "%GPO_DSPATH%" => None,
        _ => return None,
    };
    let mut rdns = Vec::new();
    for part in parts {
        let (kind, name) = part.trim().split_once('=')?;
        rdns.push(format!("{}={name}", kind.to_ascii_uppercase()));
    }
    rdns.extend(half.map(str::to_owned));
    Some(rdns)
}

/// The paths of objects and files, which only the writer of a backup knows.
pub struct DsPaths<'a> {
    /// The DN of the GPO.
    pub gpo_dn: &'a str,
    /// The `FSObjectFile` of a package's advertise script, given its half (`Machine` or `User`) and its file name.
    pub script: &'a dyn Fn(&str, &str) -> Option<Entry>,
}

/// The `DSObject` of the class store of one half, `Machine` or `User`, with its packages, from the objects of a
/// snapshot; `None` when that half has no class store. Objects that are not part of a class store are left out: see
/// [`is_in_class_store`].
pub fn class_store(objects: &[DirectoryObject], half: &str, paths: &DsPaths<'_>) -> Option<Entry> {
    let at = |names: &[&str]| -> Option<&DirectoryObject> {
        objects.iter().find(|object| has_path(object, names, half))
    };
    let store = at(&["Class Store"])?;
    let mut packages = ds_object(
        paths,
        half,
        &["cn=Packages", "cn=Class Store"],
        "classStore",
    );
    let mut pattern = ds_object(
        paths,
        half,
        &["*", "cn=Packages", "cn=Class Store"],
        "packageRegistration",
    );
    pattern.re_evaluate_function = Some("SIProcessAllPackageObjects".to_owned());
    for object in objects.iter().filter(|object| is_package(object, half)) {
        let package = package(object, half, paths);
        pattern
            .children
            .push(DsChild::Entry(Entry::Object(package)));
    }
    pattern
        .children
        .push(DsChild::SecurityDescriptor(Vec::new()));
    for (name, values) in PACKAGE {
        pattern
            .children
            .push(DsChild::Attribute(DirectoryAttribute {
                name: (*name).to_owned(),
                values: values.clone(),
            }));
    }
    packages
        .children
        .push(DsChild::Entry(Entry::Object(pattern)));
    // GPMC does not write the container of the packages, and writes only these attributes of the class store.
    let mut class_store = ds_object(paths, half, &["cn=Class Store"], "classStore");
    class_store
        .children
        .push(DsChild::Entry(Entry::Object(packages)));
    class_store.children.extend(parts(store, paths));
    Some(Entry::Object(class_store))
}

/// Whether this is a class store, the container of its packages, or a package.
pub fn is_in_class_store(object: &DirectoryObject) -> bool {
    ["Machine", "User"].iter().any(|half| {
        has_path(object, &["Class Store"], half)
            || has_path(object, &["Packages", "Class Store"], half)
            || is_package(object, half)
    })
}

/// Whether [`class_store`] writes everything of this object. For a class store, GPMC's format has four attributes and
/// no descriptor.
pub fn is_whole_in_class_store(object: &DirectoryObject) -> bool {
    let known = |attribute: &DirectoryAttribute| {
        CLASS_STORE
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&attribute.name))
    };
    ["Machine", "User"].iter().any(|half| {
        is_package(object, half)
            || (has_path(object, &["Class Store"], half)
                && object.security_descriptor.is_none()
                && object.attributes.iter().all(known))
    })
}

fn is_package(object: &DirectoryObject, half: &str) -> bool {
    matches!(object.rdns.as_slice(), [_, above @ ..] if names_are(above, &["Packages", "Class Store", half]))
        && object
            .object_class
            .eq_ignore_ascii_case("packageRegistration")
}

fn has_path(object: &DirectoryObject, names: &[&str], half: &str) -> bool {
    let names: Vec<&str> = names.iter().copied().chain([half]).collect();
    names_are(&object.rdns, &names) && object.object_class.eq_ignore_ascii_case("classStore")
}

fn names_are(rdns: &[String], names: &[&str]) -> bool {
    rdns.len() == names.len()
        && rdns.iter().zip(names).all(|(rdn, name)| {
            rdn.split_once('=').is_some_and(|(kind, value)| {
                kind.eq_ignore_ascii_case("CN") && value.eq_ignore_ascii_case(name)
            })
        })
}

fn ds_object(paths: &DsPaths<'_>, half: &str, rdns: &[&str], class: &str) -> DsObject {
    let variable = if half == "User" {
        "%GPO_USER_DSPATH%"
    } else {
        "%GPO_MACH_DSPATH%"
    };
    let rdns = rdns.join(",");
    DsObject {
        path: format!("{rdns},{variable}"),
        object_class: class.to_owned(),
        source_expanded_path: format!("{rdns},cn={half},{}", paths.gpo_dn),
        ..DsObject::default()
    }
}

fn package(object: &DirectoryObject, half: &str, paths: &DsPaths<'_>) -> DsObject {
    let rdn = object.rdns.first().map(String::as_str).unwrap_or_default();
    let mut package = ds_object(
        paths,
        half,
        &[rdn, "CN=Packages", "CN=Class Store"],
        &object.object_class,
    );
    package.re_evaluate_function = Some("SIProcessPackageObject".to_owned());
    let script = script_name(object).and_then(|name| (paths.script)(half, name));
    package.children.extend(script.map(DsChild::Entry));
    let descriptor = object.security_descriptor.clone().unwrap_or_default();
    package
        .children
        .push(DsChild::SecurityDescriptor(descriptor));
    for (name, empty) in PACKAGE {
        let found = find(object, name);
        package.children.push(DsChild::Attribute(match found {
            Some(attribute) => attribute.clone(),
            None => DirectoryAttribute {
                name: (*name).to_owned(),
                values: empty.clone(),
            },
        }));
    }
    let known = |name: &str| {
        PACKAGE
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    let others = object
        .attributes
        .iter()
        .filter(|attribute| !known(&attribute.name));
    package
        .children
        .extend(others.cloned().map(DsChild::Attribute));
    package
}

/// The file name of the advertise script a package names in `msiScriptPath`.
fn script_name(package: &DirectoryObject) -> Option<&str> {
    match &find(package, "msiScriptPath")?.values {
        AttributeValues::String(Some(path)) | AttributeValues::ExpandedString(Some(path)) => {
            path.rsplit('\\').next()
        }
        _ => None,
    }
}

fn find<'a>(object: &'a DirectoryObject, name: &str) -> Option<&'a DirectoryAttribute> {
    object
        .attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// The attributes of a class store that GPMC writes, in its order.
fn parts(store: &DirectoryObject, paths: &DsPaths<'_>) -> Vec<DsChild> {
    CLASS_STORE
        .iter()
        .filter_map(|name| find(store, name))
        .map(|attribute| {
            let mut attribute = attribute.clone();
            // The display name of a class store is the DN of its GPO, which must not be literal in a backup.
            if let AttributeValues::String(Some(text)) = &attribute.values
                && text
                    .get(..7)
                    .is_some_and(|scheme| scheme.eq_ignore_ascii_case("LDAP://"))
                && text
                    .get(7..)
                    .is_some_and(|dn| dn.eq_ignore_ascii_case(paths.gpo_dn))
            {
                attribute.values =
                    AttributeValues::ExpandedString(Some("LDAP://%GPO_DSPATH%".to_owned()));
            }
            DsChild::Attribute(attribute)
        })
        .collect()
}

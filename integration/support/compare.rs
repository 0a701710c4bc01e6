//! Two states of a domain, or of a GPO, compared.

use std::path::Path;

use base64::Engine as _;
use serde_json::Value;

use super::{attribute, gpoctl, guid_of, sysvol_file};

/// Asserts that two states of a domain are equal; lists the differences.
pub fn assert_same(before: &Value, after: &Value) {
    let found = differences_of(before, after);
    assert!(found.is_empty(), "the domain changed: {found:#?}");
}

/// The differences between two states.
pub fn differences_of(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    differences("", before, after, &mut found);
    found
}

fn differences(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(one), Value::Object(two)) => {
            for key in one
                .keys()
                .chain(two.keys().filter(|key| !one.contains_key(*key)))
            {
                let path = format!("{path}/{key}");
                let missing = Value::Null;
                differences(
                    &path,
                    one.get(key).unwrap_or(&missing),
                    two.get(key).unwrap_or(&missing),
                    found,
                );
            }
        }
        (Value::Array(one), Value::Array(two)) if one.len() == two.len() => {
            for (number, (one, two)) in one.iter().zip(two).enumerate() {
                differences(&format!("{path}/{number}"), one, two, found);
            }
        }
        _ if before == after => {}
        _ => {
            let short = |value: &Value| value.to_string().chars().take(300).collect::<String>();
            found.push(format!("{path}: {} -> {}", short(before), short(after)));
        }
    }
}

/// A GPO without what differs between domain controllers and times: time stamps, update sequence numbers, `objectGUID`,
/// versions. Keeps descriptors, attributes, files, the access that POSIX ACLs grant, and GPT.INI except for its version.
pub fn timeless(gpo: &Value) -> Value {
    let mut gpo = gpo.clone();
    let strip = |entry: &mut Value| {
        let attributes = entry["attributes"].as_object_mut().unwrap();
        for name in [
            "uSNChanged",
            "uSNCreated",
            "whenChanged",
            "whenCreated",
            "objectGUID",
            "versionNumber",
            "dSCorePropagationData",
        ] {
            attributes.remove(name);
        }
        if let Some(descriptor) = attributes.get_mut("nTSecurityDescriptor") {
            descriptor[0]["base64"] = given(descriptor[0]["base64"].as_str().unwrap()).into();
        }
        if let Some(path) = attributes.get_mut("gPCFileSysPath") {
            *path = path[0].as_str().unwrap().to_lowercase().into();
        }
    };
    strip(&mut gpo);
    for child in gpo["children"].as_array_mut().unwrap() {
        strip(child);
    }
    for entry in gpo["sysvol"].as_array_mut().unwrap() {
        let entry = entry.as_object_mut().unwrap();
        if let Some(acl) = entry["posix_acl"].as_str() {
            entry["posix_acl"] = granted(acl).into();
        }
        if entry["path"]
            .as_str()
            .unwrap()
            .eq_ignore_ascii_case("gpt.ini")
        {
            entry.remove("sha256");
            entry.remove("size");
        }
    }
    if let Some(ini) = gpo["gpt_ini"].as_str() {
        let text = String::from_utf8_lossy(&decode(ini)).into_owned();
        let is_version = |line: &&str| line.to_ascii_lowercase().starts_with("version=");
        let lines = text.split_inclusive('\n').filter(|line| !is_version(line));
        gpo["gpt_ini"] = lines.collect::<String>().into();
    }
    gpo
}

/// The access that an ACL of the file system grants, as text: the attribute `system.posix_acl_access` in base64, which in the
/// kernel's format is a version and then entries of tag, permissions and number. Samba writes entries of both kinds or of one
/// for a SID that may be a user or a group, depending on its cache.
pub fn granted(acl: &str) -> String {
    let bytes = decode(acl);
    let mut granted = std::collections::BTreeMap::new();
    for entry in bytes[4..].chunks_exact(8) {
        let [tag, permissions] = [0, 2].map(|at| u16::from_le_bytes([entry[at], entry[at + 1]]));
        let number = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
        // ACL_USER and ACL_GROUP.
        let who = if [2, 8].contains(&tag) {
            format!("{number}")
        } else {
            format!("tag {tag}")
        };
        *granted.entry(who).or_insert(0) |= permissions;
    }
    format!("{granted:?}")
}

/// A descriptor without the two bits that record whether owner and group were given or are the defaults of a new object: a
/// write of the DACL clears them.
fn given(descriptor: &str) -> String {
    let mut bytes = decode(descriptor);
    bytes[2] &= !3;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Decodes base64.
pub fn decode(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}

/// Asserts that GPT.INI, attributes and files of an imported GPO agree with each other and with the backup.
pub fn assert_halves_agree(gpo: &Value, backup: &Path) {
    let guid = guid_of(gpo);
    let version = attribute(gpo, "versionNumber");
    let ini = String::from_utf8_lossy(&sysvol_file("dst", &guid, "GPT.INI")).into_owned();
    assert!(
        ini.lines()
            .any(|line| line.trim() == format!("Version={version}")),
        "versionNumber {version}, GPT.INI {ini}"
    );
    let shown = gpoctl(&["backups", "show", backup.to_str().unwrap(), "--json"]).json();
    for (name, half) in [
        ("gPCMachineExtensionNames", "machine"),
        ("gPCUserExtensionNames", "user"),
    ] {
        let expected = shown["extensions"][half].as_str().unwrap();
        assert_eq!(attribute(gpo, name), expected.trim(), "{name}");
    }
    assert_eq!(attribute(gpo, "flags"), shown["options"].to_string());
    assert!(
        !gpo["sysvol"].to_string().contains(".gpoctl-"),
        "files of the import are left over"
    );
}

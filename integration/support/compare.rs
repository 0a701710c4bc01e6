//! Two states of a domain, or of a GPO, compared.

use serde_json::Value;

/// Two states of a domain are the same; says where they are not.
pub fn assert_same(before: &Value, after: &Value) {
    let mut found = Vec::new();
    differences("", before, after, &mut found);
    assert!(found.is_empty(), "the domain changed: {found:#?}");
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

/// A GPO without what another DC, another time or another number would make different: times, update numbers, `objectGUID`,
/// versions, and POSIX permissions. Descriptors, attributes and files stay.
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
        entry.remove("posix_acl");
        if entry["path"]
            .as_str()
            .unwrap()
            .eq_ignore_ascii_case("gpt.ini")
        {
            entry.remove("sha256");
            entry.remove("size");
        }
    }
    gpo
}

/// A descriptor without the two bits that say whether owner and group were given or are the defaults of a new object: a
/// write of the DACL clears them.
fn given(descriptor: &str) -> String {
    use base64::Engine as _;

    let engine = base64::engine::general_purpose::STANDARD;
    let mut bytes = engine.decode(descriptor).unwrap();
    bytes[2] &= !3;
    engine.encode(bytes)
}

//! audit.csv: the subcategories of the advanced audit policy, its options and its global access lists [MS-GPAC 2.2.1.2].

use bytes::Bytes;

use super::{Data, Extension, File, New, Principal, Value};
use crate::formats::audit_csv::AuditCsv;
use crate::model::reference::Place;

/// Each category of the editor and its subcategories, by the third group of the GUID's first part: all end in
/// `-69ae-11d9-bed3-505054503030` [MS-GPAC 2.2.1.2].
const SUBCATEGORIES: &[(&str, &[u32])] = &[
    ("System", &[0x9210, 0x9211, 0x9212, 0x9213, 0x9214]),
    (
        "Logon/Logoff",
        &[
            0x9215, 0x9216, 0x9217, 0x9218, 0x9219, 0x921a, 0x921b, 0x921c, 0x9243, 0x9247, 0x9249,
        ],
    ),
    (
        "Object Access",
        &[
            0x921d, 0x921e, 0x921f, 0x9220, 0x9221, 0x9222, 0x9223, 0x9224, 0x9225, 0x9226, 0x9227,
            0x9244, 0x9245, 0x9246,
        ],
    ),
    ("Privilege Use", &[0x9228, 0x9229, 0x922a]),
    (
        "Detailed Tracking",
        &[0x922b, 0x922c, 0x922d, 0x922e, 0x9248, 0x924a],
    ),
    (
        "Policy Change",
        &[0x922f, 0x9230, 0x9231, 0x9232, 0x9233, 0x9234],
    ),
    (
        "Account Management",
        &[0x9235, 0x9236, 0x9237, 0x9238, 0x9239, 0x923a],
    ),
    ("DS Access", &[0x923b, 0x923c, 0x923d, 0x923e]),
    ("Account Logon", &[0x923f, 0x9240, 0x9241, 0x9242]),
];

/// Decodes the lines in order.
pub(super) fn decode(file: &mut File<'_>, content: &Bytes) -> Result<(), String> {
    let csv = AuditCsv::parse(content).map_err(|error| error.to_string())?;
    for (line, fields) in csv.settings() {
        let field = |number: usize| fields.get(number).map_or("", |field| field.value.trim());
        let (target, name, guid) = (field(1), field(2), field(3));
        let (included, excluded, number) = (field(4), field(5), field(6));
        let whose = if target.is_empty() || target.eq_ignore_ascii_case("system") {
            String::new()
        } else {
            Principal::listed(target, file.names).to_string()
        };
        let values = if guid.is_empty() && name.to_ascii_lowercase().ends_with("globalsacl") {
            vec![Value::of(super::security::permissions::of(
                number,
                super::security::permissions::Object::File,
                file.names,
            ))]
        } else if guid.is_empty() {
            vec![Value::of(number.parse().map_or_else(
                |_| Data::Text(number.to_owned()),
                |number: i64| Data::Flag(number != 0),
            ))]
        } else if whose.is_empty() {
            vec![Value::of(audited(included, number))]
        } else {
            let words = |text: &str| Data::Word(text.to_owned().into());
            vec![
                Value::named("Included", words(included)),
                Value::named("Excluded", words(excluded)),
            ]
        };
        let shown = match whose.as_str() {
            "" => name.to_owned(),
            whose => format!("{name} for {whose}"),
        };
        let id = if guid.is_empty() { name } else { guid };
        let new = New {
            extension: Extension::AdvancedAudit,
            category: category(guid).into(),
            name: shown.into(),
            id: format!("{id} {}", target.to_lowercase())
                .to_lowercase()
                .into(),
            values,
            place: Place::file(&file.path).key(name).line(line.number),
            raw: line.text.to_owned(),
            ..New::default()
        };
        file.push(new);
        if file.is_full {
            break;
        }
    }
    Ok(())
}

/// The category of a subcategory in the editor.
fn category(guid: &str) -> &'static str {
    let guid = guid.trim_start_matches('{').to_ascii_lowercase();
    let number = guid
        .strip_prefix("0cce")
        .and_then(|rest| rest.split_once('-'))
        .filter(|(_, rest)| rest.trim_end_matches('}') == "69ae-11d9-bed3-505054503030")
        .and_then(|(number, _)| u32::from_str_radix(number, 16).ok());
    let mut known = SUBCATEGORIES.iter();
    known
        .find(|(_, numbers)| number.is_some_and(|number| numbers.contains(&number)))
        .map_or("", |(category, _)| category)
}

/// What is audited: the number decides, as on the client; the text is for people.
fn audited(included: &str, number: &str) -> Data {
    Data::Word(match number {
        "0" | "4" => "No Auditing".into(),
        "1" => "Success".into(),
        "2" => "Failure".into(),
        "3" => "Success and Failure".into(),
        "" => included.to_owned().into(),
        other => other.to_owned().into(),
    })
}

//! Registry.pol and scripts.ini in a report.

use std::collections::BTreeMap;

use super::xml::Report;
use crate::formats::registry_pol::{Record, RegistryPol, ValueType};
use crate::formats::scripts::{ScriptPart, Scripts};
use crate::model::registry_secrets;

/// The content of the extension `RegistrySettings`. The administrative templates are not known here, so each value is
/// written as GPMC writes one without a template.
pub(super) fn registry(report: &mut Report, policy: &RegistryPol) {
    for record in &policy.records {
        report.open("q1:RegistrySetting");
        report.leaf("q1:KeyPath", &record.key_text());
        report.flag("q1:AdmSetting", false);
        let name = record.value_name_text();
        if name.starts_with("**") {
            report.leaf("q1:Command", &name);
        } else if !(name.is_empty() && record.value_type == ValueType::NONE) {
            report.open("q1:Value");
            report.leaf("q1:Name", &name);
            match registry_secrets::is_secret(&record.key_text(), &name) {
                true => report.leaf("q1:String", registry_secrets::NOT_SHOWN),
                false => data(report, record),
            }
            report.close();
        }
        report.close();
    }
    report.flag("q1:Blocked", false);
}

fn data(report: &mut Report, record: &Record) {
    if let Some(text) = record.string() {
        report.leaf("q1:String", &text);
    } else if let Some(texts) = record.strings() {
        report.open("q1:Strings");
        for text in texts {
            report.leaf("q1:Value", &text);
        }
        report.close();
    } else if record.value_type == ValueType::DWORD
        && let Some(number) = record.dword()
    {
        report.leaf("q1:Number", &number.to_string());
    } else if record.value_type == ValueType::QWORD
        && let Some(number) = record.qword()
    {
        report.leaf("q1:Number", &number.to_string());
    } else {
        let hex: String = record.data.iter().map(|b| format!("{b:02X}")).collect();
        report.leaf("q1:Binary", &hex);
    }
}

/// The scripts of a scripts.ini and a psscripts.ini.
pub(super) fn scripts(report: &mut Report, files: &[Scripts]) {
    for file in files {
        let mut found: BTreeMap<(String, u32), (String, String)> = BTreeMap::new();
        let mut first = None;
        for (line, script) in file.scripts() {
            let Some(section) = line.section else {
                continue;
            };
            let value = line.text.get(script.value).unwrap_or_default().to_owned();
            let entry = found.entry((section.to_owned(), script.index)).or_default();
            match script.part {
                ScriptPart::CommandLine => entry.0 = value,
                ScriptPart::Parameters => entry.1 = value,
            }
        }
        for line in file.ini.lines().filter(|line| line.is_in("ScriptsConfig")) {
            if let Some((key, value)) = line.pair()
                && key.to_ascii_lowercase().ends_with("executepsfirst")
            {
                first = Some(value.eq_ignore_ascii_case("true"));
            }
        }
        for ((section, index), (command, parameters)) in found {
            report.open("q1:Script");
            report.leaf("q1:Command", &command);
            if !parameters.is_empty() {
                report.leaf("q1:Parameters", &parameters);
            }
            report.leaf("q1:Type", &section);
            report.leaf("q1:Order", &index.to_string());
            report.leaf(
                "q1:RunOrder",
                match first {
                    None => "PSNotConfigured",
                    Some(true) => "RunPSFirst",
                    Some(false) => "RunPSLast",
                },
            );
            report.close();
        }
    }
}

//! scripts.ini and psscripts.ini: scripts at startup, shutdown, logon and logoff [MS-GPSCR 2.2].

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Data, Extension, File, New, Value};
use crate::formats::ini::LineKind;
use crate::formats::scripts::{ScriptPart, Scripts};
use crate::model::reference::Place;

/// One script: the line it begins in, its command line and its parameters.
#[derive(Default)]
struct Script<'a> {
    line: usize,
    section: &'a str,
    command: Option<&'a str>,
    parameters: Option<&'a str>,
}

/// Decodes the scripts of each section by number, the order in which they run, then the other lines.
pub(super) fn decode(file: &mut File<'_>, content: &Bytes) -> Result<(), String> {
    let scripts = Scripts::parse(content).map_err(|error| error.to_string())?;
    let powershell = file.path.to_lowercase().ends_with("psscripts.ini");
    let kind = if powershell { "PowerShell " } else { "" };
    // A section is numbered, because a hostile one has a long name and thousands of scripts.
    let mut sections: BTreeMap<String, usize> = BTreeMap::new();
    let mut found: BTreeMap<(usize, u32), Script<'_>> = BTreeMap::new();
    let mut last: Option<(&str, usize)> = None;
    let mut others = Vec::new();
    let mut parts = scripts.scripts().peekable();
    for line in scripts.ini.lines() {
        if let Some((_, script)) = parts.next_if(|(of, _)| of.number == line.number) {
            let section = line.section.unwrap_or_default();
            let number = match last {
                Some((name, number)) if std::ptr::eq(name, section) => number,
                _ => {
                    let next = sections.len();
                    *sections.entry(section.to_lowercase()).or_insert(next)
                }
            };
            last = Some((section, number));
            let entry = found
                .entry((number, script.index))
                .or_insert_with(|| Script {
                    line: line.number,
                    section,
                    ..Script::default()
                });
            let value = line.text.get(script.value);
            // A client reads the first line of a name.
            match script.part {
                ScriptPart::CommandLine => entry.command = entry.command.or(value),
                ScriptPart::Parameters => entry.parameters = entry.parameters.or(value),
            }
        } else if !matches!(
            line.kind,
            LineKind::Section(_) | LineKind::Comment | LineKind::Blank
        ) {
            others.push(line);
        }
    }
    let scripts = sections.iter().flat_map(|(folded, section)| {
        let of_section = found.range((*section, 0)..=(*section, u32::MAX));
        of_section.map(move |((_, index), script)| (folded, *index, script))
    });
    for (folded, index, script) in scripts {
        if file.is_full {
            return Ok(());
        }
        let number = u64::from(index).saturating_add(1);
        let mut values = vec![Value::named(
            "command",
            Data::Text(script.command.unwrap_or_default().to_owned()),
        )];
        if let Some(parameters) = script.parameters.filter(|text| !text.is_empty()) {
            values.push(Value::named(
                "parameters",
                Data::Text(parameters.to_owned()),
            ));
        }
        let place = Place::file(&file.path).section(script.section);
        file.push(New {
            extension: Extension::Scripts,
            category: script.section.into(),
            name: format!("{kind}script {number}").into(),
            id: format!("{kind}{folded} {index}").to_lowercase().into(),
            place: place.key(index.to_string()).line(script.line),
            values,
            ..New::default()
        });
    }
    for line in others {
        if file.is_full {
            return Ok(());
        }
        let section = line.section.unwrap_or_default();
        let (key, value) = line.pair().unwrap_or((line.text, ""));
        let runs_first = match key.to_ascii_lowercase().as_str() {
            "startexecutepsfirst" => Some("Run PowerShell scripts first at startup and logon"),
            "endexecutepsfirst" => Some("Run PowerShell scripts first at shutdown and logoff"),
            _ => None,
        };
        let known = runs_first.filter(|_| line.is_in("ScriptsConfig"));
        let data = match (known, value.to_ascii_lowercase().as_str()) {
            (Some(_), "true") => Data::Flag(true),
            (Some(_), "false") => Data::Flag(false),
            _ => Data::Text(value.to_owned()),
        };
        let place = Place::file(&file.path).section(section).key(key);
        file.push(New {
            extension: Extension::Scripts,
            category: if known.is_some() { "" } else { section }.into(),
            name: known.unwrap_or(key).into(),
            id: format!("{kind}[{section}] {key}").to_lowercase().into(),
            place: place.line(line.number),
            raw: line.text.to_owned(),
            values: vec![Value::of(data)],
            ..New::default()
        });
    }
    Ok(())
}

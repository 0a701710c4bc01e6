//! fdeploy.ini and fdeploy1.ini: folders of the user that are redirected [MS-GPFR 2.2].

use bytes::Bytes;

use super::{Data, Extension, File, New, Principal, Value};
use crate::formats::fdeploy::{Fdeploy, Redirection};
use crate::formats::ini::LineKind;
use crate::model::reference::Place;

/// The known folders that can be redirected, by the GUIDs of Windows.
const FOLDERS: &[(&str, &str)] = &[
    ("{1777F761-68AD-4D8A-87BD-30B759FA33DD}", "Favorites"),
    ("{18989B1D-99B5-455B-841C-AB7C74E4DDFC}", "Videos"),
    ("{33E28130-4E1E-4676-835A-98395C3BC3BB}", "Pictures"),
    ("{374DE290-123F-4565-9164-39C4925E467B}", "Downloads"),
    ("{3EB685DB-65F9-4CF6-A03A-E3EF65729F3D}", "AppData(Roaming)"),
    ("{4BD8D571-6D19-48D3-BE97-422220080E43}", "Music"),
    ("{4C5C32FF-BB9D-43B0-B5B4-2D72E54EAAA4}", "Saved Games"),
    ("{56784854-C6CB-462B-8169-88E350ACB882}", "Contacts"),
    ("{625B53C3-AB48-4EC1-BA1F-A1EF4146FC19}", "Start Menu"),
    ("{7D1D3A04-DEBB-4115-95CF-2F29DA2920DA}", "Searches"),
    ("{B4BFCC3A-DB2C-424C-B029-7FE99A87C641}", "Desktop"),
    ("{BFB9D5E0-C6A9-404C-B2B2-AE6DB6AF4968}", "Links"),
    ("{FDD39AD0-238F-46AF-ADB4-6C85480369C7}", "Documents"),
];

/// Decodes the lines in order: each folder and principal is a setting, with its flags and its path.
pub(super) fn decode(file: &mut File<'_>, content: &Bytes) -> Result<(), String> {
    let redirection = Fdeploy::parse(content).map_err(|error| error.to_string())?;
    let (path, names) = (file.path.clone(), file.names);
    let mut target: Option<New> = None;
    let mut lines = redirection.redirections().peekable();
    for line in redirection.ini.lines() {
        if file.is_full {
            return Ok(());
        }
        let at = |key: &str| {
            Place::file(&path)
                .section(line.section.unwrap_or_default())
                .key(key)
                .line(line.number)
        };
        let Some((_, said)) = lines.next_if(|(of, _)| of.number == line.number) else {
            let sets_nothing = matches!(
                line.kind,
                LineKind::Section(_) | LineKind::Comment | LineKind::Blank
            );
            if !sets_nothing && !line.is_in("version") {
                let new = New {
                    name: line.text.into(),
                    id: format!("{:?} {}", line.section, line.text)
                        .to_lowercase()
                        .into(),
                    place: at(line.text),
                    ..redirected()
                };
                file.push(new);
            }
            continue;
        };
        let text = |span: std::ops::Range<usize>| line.text.get(span).unwrap_or_default();
        match said {
            // The targets that follow have the principals too.
            Redirection::Principals { folder, list } => {
                let new = New {
                    values: vec![Value::named("order", Data::Text(text(list).to_owned()))],
                    id: format!("{folder} order").to_lowercase().into(),
                    name: format!("{}: principals", folder_name(folder)).into(),
                    place: at(folder),
                    ..redirected()
                };
                file.push(new);
            }
            Redirection::Target { folder, sid } => {
                if let Some(done) = target.take() {
                    file.push(done);
                }
                let who = Principal::listed(sid, names);
                target = Some(New {
                    name: format!("{} for {who}", folder_name(folder)).into(),
                    id: format!("{folder} {sid}").to_lowercase().into(),
                    place: at(folder),
                    ..redirected()
                });
            }
            Redirection::Flags(flags) => {
                let data = match flags {
                    Some(flags) => Data::Word(format!("0x{flags:x}").into()),
                    None => Data::Text(line.text.to_owned()),
                };
                add(&mut target, Value::named("flags", data), file);
            }
            Redirection::FullPath(path) => {
                let data = Data::Text(text(path).to_owned());
                add(&mut target, Value::named("path", data), file);
            }
            Redirection::Path { sid, path } => {
                let folder = line.section.unwrap_or_default();
                let who = Principal::listed(text(sid.clone()), names);
                let new = New {
                    name: format!("{} for {who}", folder_name(folder)).into(),
                    id: format!("{folder} {}", text(sid)).to_lowercase().into(),
                    values: vec![Value::named("path", Data::Text(text(path).to_owned()))],
                    place: at(folder),
                    ..redirected()
                };
                file.push(new);
            }
            Redirection::Status { folder, flags } => {
                let data = match flags {
                    Some(flags) => Data::Word(format!("0x{flags:x}").into()),
                    None => Data::Text(line.text.to_owned()),
                };
                let new = New {
                    name: folder_name(folder).into(),
                    id: format!("{folder} status").to_lowercase().into(),
                    values: vec![Value::named("flags", data)],
                    place: at(folder),
                    ..redirected()
                };
                file.push(new);
            }
        }
    }
    if let Some(done) = target {
        file.push(done);
    }
    Ok(())
}

/// Adds a value to a redirection. A section of a hostile file has a hundred thousand of them.
fn add(target: &mut Option<New>, value: Value, file: &mut File<'_>) {
    let Some(target) = target else { return };
    let most = file.room / size_of::<Value>();
    file.is_full = target.values.len() >= most;
    if !file.is_full {
        target.values.push(value);
    }
}

fn redirected() -> New {
    New {
        extension: Extension::FolderRedirection,
        ..New::default()
    }
}

fn folder_name(folder: &str) -> &str {
    let mut known = FOLDERS.iter();
    known
        .find(|(guid, _)| guid.eq_ignore_ascii_case(folder))
        .map_or(folder, |(_, name)| name)
}

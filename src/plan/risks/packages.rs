//! Advertise scripts of software installation: clients install from the paths in the script, which the package object in the directory
//! repeats [MS-GPSI 3.2.5.2].

use std::collections::HashSet;

use bytes::Bytes;

use super::{Risk, RiskKind};
use crate::formats::aas::AdvertiseScript;
use crate::model::directory_object::{AttributeValues, DirectoryObject};
use crate::model::reference::Place;
use crate::model::safe_name::RelPath;

/// The paths of a script that no package object names: what is shown of the objects does not show these. `None` when it cannot be read.
pub(super) fn risks(
    path: &RelPath,
    content: &Bytes,
    objects: &[&DirectoryObject],
) -> Option<Vec<Risk>> {
    let script = AdvertiseScript::parse(content).ok()?;
    let named = paths_of(objects);
    let mut sources: Vec<String> = script
        .arguments()
        .filter(|argument| argument.source_path().is_some() && !script.data(argument).is_empty())
        .map(|argument| {
            let text = script.text(&argument);
            text.unwrap_or_else(|| "a path in an unknown code page".to_owned())
        })
        .filter(|source| source.contains(['\\', '/', ' ']))
        .filter(|source| !named.contains(&folded(source)))
        .collect();
    sources.sort_unstable();
    sources.dedup();
    Some(
        sources
            .into_iter()
            .map(|source| Risk {
                kind: RiskKind::Software,
                text: format!("a package from {source}, which no package object names"),
                place: Place::file(path.to_string()),
            })
            .collect(),
    )
}

fn folded(path: &str) -> String {
    path.trim_end_matches('\\').to_lowercase()
}

/// The files of package objects and the folders that they are in: a hostile script and a hostile list may both be long.
fn paths_of(objects: &[&DirectoryObject]) -> HashSet<String> {
    let attributes = objects.iter().flat_map(|object| &object.attributes);
    let files = attributes.filter_map(|it| match &it.values {
        AttributeValues::MultiString(texts) if it.name.eq_ignore_ascii_case("msiFileList") => {
            Some(texts)
        }
        _ => None,
    });
    files
        .flatten()
        .flat_map(|file| {
            // `0:\\fs\share\x.msi`
            let file = file.split_once(':').map_or(&**file, |(_, path)| path);
            let folder = file.rsplit_once('\\').map_or("", |(folder, _)| folder);
            [folded(file), folded(folder)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::directory_object::DirectoryAttribute;

    #[test]
    fn a_path_that_no_object_names_is_listed() {
        let mut bytes = b"\x02\x09\x00\x40IXOS".to_vec();
        bytes.extend_from_slice(&[0, 0x80].repeat(8));
        bytes.extend_from_slice(b"\x09\x05");
        bytes.extend_from_slice(&[0, 0x80].repeat(3));
        bytes.extend_from_slice(b"\x0D\x00\\\\old\\a\\b.msi\x08\x00\\\\Old\\a\\\x03\x00");
        let content = Bytes::from(bytes);
        let path: RelPath = r"Machine\Applications\{0}.aas".parse().unwrap();
        let said = |files: &[&str]| {
            let files = files.iter().map(|file| (*file).to_owned()).collect();
            let object = DirectoryObject {
                attributes: vec![DirectoryAttribute {
                    name: "msifilelist".to_owned(),
                    values: AttributeValues::MultiString(files),
                }],
                ..DirectoryObject::default()
            };
            let risks = risks(&path, &content, &[&object]).unwrap();
            let texts = risks.into_iter().map(|risk| risk.text);
            texts.collect::<Vec<_>>()
        };
        assert_eq!(said(&[r"0:\\OLD\a\b.msi"]), [""; 0]);
        assert_eq!(
            said(&[r"0:\\new\a\b.msi"]),
            [
                r"a package from \\Old\a\, which no package object names",
                r"a package from \\old\a\b.msi, which no package object names"
            ]
        );
        assert_eq!(said(&[]).len(), 2);
        assert!(risks(&path, &Bytes::from_static(b"x"), &[]).is_none());
    }
}

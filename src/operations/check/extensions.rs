//! Which client-side extensions must be in a GPO's lists for its settings, and the order of the lists.

use crate::formats::fdeploy::Fdeploy;
use crate::formats::scripts::Scripts;
use crate::message::{Code, StatusMessage};
use crate::model::client_extension;
use crate::model::directory_object::DirectoryObject;
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::model::guid::Guid;
use crate::model::reference::Place;
use crate::model::safe_name::RelPath;

/// One half of a GPO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Half {
    /// Settings of computers: `Machine`.
    Computer,
    /// Settings of users: `User`.
    User,
}

impl Half {
    /// The folder of SYSVOL and the container below the GPO.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Computer => "Machine",
            Self::User => "User",
        }
    }

    /// The attribute with its list of extensions [MS-GPOL 2.2.4].
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Computer => "gPCMachineExtensionNames",
            Self::User => "gPCUserExtensionNames",
        }
    }

    /// Its name in GPMC.
    pub fn word(self) -> &'static str {
        match self {
            Self::Computer => "computer",
            Self::User => "user",
        }
    }
}

/// An existing setting, and the extension that processes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// The half it is in.
    pub half: Half,
    /// The extension's GUID.
    pub extension: Guid,
    /// Its name.
    pub name: &'static str,
    /// The file below the GPO's folder, or the object below its container.
    pub place: String,
}

/// Files of the extensions that come with Windows, below `Machine` or `User`, in lower case.
const FILES: &[(&str, &str, &str)] = &[
    (
        "registry.pol",
        "35378EAC-683F-11D2-A89A-00C04FBBCFA2",
        "Registry",
    ),
    (
        "microsoft/windows nt/secedit/gpttmpl.inf",
        "827D319E-6EAC-11D2-A4EA-00C04F79F83A",
        "Security",
    ),
    (
        "microsoft/windows nt/audit/audit.csv",
        "F3CCC681-B74C-4060-9F26-CD84525DCA2A",
        "Audit Policy Configuration",
    ),
    ("scripts/scripts.ini", SCRIPTS, "Scripts"),
    ("scripts/psscripts.ini", SCRIPTS, "Scripts"),
    (
        "documents & settings/fdeploy1.ini",
        "25537BA6-77A8-11D2-9B6C-0000F8080861",
        "Folder Redirection",
    ),
];
const SCRIPTS: &str = "42B5FAAE-6536-11D2-AE5A-0000F87571E3";
const SOFTWARE: &str = "C6DC5466-785A-11D2-84D0-00C04FB169F7";

/// Folders below `Preferences`, in lower case, and the extension each belongs to [MS-GPPREF 1.9].
const PREFERENCES: &[(&str, &str)] = &[
    ("applications", "F9C77450-3A41-477E-9310-9ACD617BD9E3"),
    ("datasources", "728EE579-943C-4519-9EF7-AB56765798ED"),
    ("devices", "1A6364EB-776B-4120-ADE1-B63A406A76B5"),
    ("drives", "5794DAFD-BE60-433F-88A2-1A31939AC01F"),
    (
        "environmentvariables",
        "0E28E245-9368-4853-AD84-6DA3BA35BB75",
    ),
    ("files", "7150F9BF-48AD-4DA4-A49C-29EF4A8369BA"),
    ("folderoptions", "A3F3E39B-5D83-4940-B954-28315B82F0A8"),
    ("folders", "6232C319-91AC-4931-9385-E70C2B099F0E"),
    ("groups", "17D89FEC-5C44-4972-B12D-241CAEF74509"),
    ("inifiles", "74EE6C03-5363-4554-B161-627540339CAB"),
    ("internetsettings", "E47248BA-94CC-49C4-BBB5-9EB7F05183D0"),
    ("networkoptions", "3A0DBA37-F8B2-4356-83DE-3E90BD5C261F"),
    ("networkshares", "6A4C88C6-C502-4F74-8F60-2CB23EDC24E2"),
    ("poweroptions", "E62688F0-25FD-4C90-BFF5-F508B9D2E31F"),
    ("printers", "BC75B1ED-5833-4858-9BB8-CBF0B166DF9D"),
    ("regionaloptions", "E5094040-C46C-4115-B030-04FB2E545B00"),
    ("registry", "B087BE9D-ED37-454F-AF9C-04291E351182"),
    ("scheduledtasks", "AADCED64-746C-4633-A97C-D61349046527"),
    ("services", "91FBB303-0CD5-4055-BF42-E512A681B325"),
    ("shortcuts", "C418DD9D-0D14-4EFB-8FBF-CFE535C8FAC7"),
    ("startmenutaskbar", "E4F48E54-F38D-4884-BFB9-D4D2E5729C18"),
];

/// The settings of a GPO that need an extension, sorted by place. Empty files need none: editors leave a header or an empty
/// section behind.
pub fn needed<'a>(
    tree: &GptTree,
    objects: impl IntoIterator<Item = &'a DirectoryObject>,
) -> Vec<Needed> {
    let mut found: Vec<Needed> = tree
        .files()
        .filter_map(|(path, content)| {
            let (half, below) = half_of(path)?;
            let (extension, name) = extension_of(&below)?;
            (!is_empty(&below, content)).then(|| Needed {
                half,
                extension,
                name,
                place: path.to_string(),
            })
        })
        .collect();
    for object in objects {
        let software = object
            .object_class
            .eq_ignore_ascii_case("packageRegistration");
        let (true, Some(half), Ok(extension)) =
            (software, half_of_object(object), SOFTWARE.parse())
        else {
            continue;
        };
        found.push(Needed {
            half,
            extension,
            name: "Software Installation",
            place: object.rdns.join(","),
        });
    }
    found
}

/// Warnings for the settings whose extension is not in the list of their half, so that clients do not process them. A list that
/// cannot be read is a finding of its own.
pub fn missing(needed: &[Needed], half: Half, list: &ExtensionList) -> Vec<StatusMessage> {
    let Ok(blocks) = list.blocks() else {
        return Vec::new();
    };
    let attribute = half.attribute();
    let mut missing: Vec<&Needed> = needed
        .iter()
        .filter(|setting| setting.half == half)
        .filter(|setting| {
            blocks
                .iter()
                .all(|(listed, _)| *listed != setting.extension)
        })
        .collect();
    missing.dedup_by_key(|setting| setting.extension);
    let warning = |setting: &Needed| {
        let tool_of = blocks
            .iter()
            .find(|(_, tools)| tools.contains(&setting.extension))
            .map(|(listed, _)| {
                let name = client_extension::name_of(*listed);
                name.map_or_else(|| listed.to_string(), str::to_owned)
            });
        let how = match tool_of {
            Some(listed) => format!(
                "lists {} ({}) only as a tool of {listed}",
                setting.extension, setting.name
            ),
            None => format!("does not list {} ({})", setting.extension, setting.name),
        };
        StatusMessage::warning(
            Code::ExtensionMissing,
            format!("{attribute} {how}, so clients do not process its settings"),
        )
        .at(Place::file(setting.place.clone()))
        .with_hint("if the setting is meant to apply, open and save it in an editor")
    };
    missing.into_iter().map(warning).collect()
}

/// The extensions whose settings have a known place, each once.
pub fn known() -> Vec<(Guid, &'static str)> {
    let files = FILES.iter().map(|(_, guid, name)| (*guid, *name));
    let preferences = PREFERENCES.iter().map(|(_, guid)| (*guid, "Preferences"));
    let mut known: Vec<(Guid, &'static str)> = files
        .chain(preferences)
        .chain([(SOFTWARE, "Software Installation")])
        .filter_map(|(guid, name)| Some((guid.parse().ok()?, name)))
        .collect();
    known.sort_unstable();
    known.dedup();
    known
}

/// The half of a file, and its path below it, folded.
pub fn half_of(path: &RelPath) -> Option<(Half, String)> {
    let folded = path.folded();
    let (first, below) = folded.split_once('/')?;
    let half = match first {
        "machine" => Half::Computer,
        "user" => Half::User,
        _ => return None,
    };
    Some((half, below.to_owned()))
}

fn half_of_object(object: &DirectoryObject) -> Option<Half> {
    let top = object.rdns.last()?;
    [Half::Computer, Half::User]
        .into_iter()
        .find(|half| top.eq_ignore_ascii_case(&format!("CN={}", half.folder())))
}

/// Whether an extension that comes with Windows reads this file.
pub fn is_read(path: &RelPath) -> bool {
    half_of(path).is_some_and(|(_, below)| extension_of(&below).is_some())
}

fn extension_of(below: &str) -> Option<(Guid, &'static str)> {
    if let Some((_, guid, name)) = FILES.iter().find(|(file, ..)| *file == below) {
        return Some((guid.parse().ok()?, name));
    }
    let (kind, file) = below.strip_prefix("preferences/")?.split_once('/')?;
    let (_, guid) = PREFERENCES.iter().find(|(known, _)| *known == kind)?;
    (file == format!("{kind}.xml")).then_some(())?;
    Some((guid.parse().ok()?, "Preferences"))
}

/// Whether the file contains no setting.
fn is_empty(below: &str, content: &[u8]) -> bool {
    match below {
        // Only the signature and the version [MS-GPREG 2.2.1].
        "registry.pol" => content.len() <= 8,
        "scripts/scripts.ini" | "scripts/psscripts.ini" => {
            Scripts::parse(content).is_ok_and(|ini| ini.scripts().next().is_none())
        }
        "documents & settings/fdeploy1.ini" => {
            Fdeploy::parse(content).is_ok_and(|ini| ini.redirections().next().is_none())
        }
        _ => content.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn tree(files: &[(&str, &str)]) -> GptTree {
        let mut tree = GptTree::new();
        for (path, content) in files {
            tree.insert_file(&path.parse().unwrap(), Bytes::from((*content).to_owned()));
        }
        tree
    }

    #[test]
    fn every_guid_of_the_tables_is_one_and_stands_once() {
        let all = FILES.iter().map(|(_, guid, _)| guid);
        for guid in all.chain(PREFERENCES.iter().map(|(_, guid)| guid)) {
            assert!(guid.parse::<Guid>().is_ok(), "{guid}");
        }
        let unique: std::collections::BTreeSet<_> =
            PREFERENCES.iter().map(|(_, guid)| guid).collect();
        assert_eq!(unique.len(), PREFERENCES.len());
    }

    #[test]
    fn files_need_their_extension_in_their_half_only_when_something_is_in_them() {
        let tree = tree(&[
            ("MACHINE/Registry.pol", "PReg\u{1}\0\0\0[x"),
            ("User/registry.pol", "PReg\u{1}\0\0\0"),
            ("Machine/Microsoft/Windows NT/SecEdit/GptTmpl.inf", "[x]"),
            ("User/Scripts/scripts.ini", "[Logon]\r\n0CmdLine=a.cmd\r\n"),
            ("Machine/Scripts/scripts.ini", "[Startup]\r\n"),
            ("User/Preferences/Drives/Drives.xml", "<Drives/>"),
            ("User/Preferences/Drives/old.xml", "<Drives/>"),
            (
                "User/Documents & Settings/fdeploy1.ini",
                "[version]\r\nversion=100\r\n[Folder_Redirection]\r\n",
            ),
            ("Adm/notes.txt", "x"),
        ]);
        let found = needed(&tree, []);
        let short: Vec<(Half, &str)> = found.iter().map(|one| (one.half, one.name)).collect();
        assert_eq!(
            short,
            [
                (Half::Computer, "Security"),
                (Half::Computer, "Registry"),
                (Half::User, "Preferences"),
                (Half::User, "Scripts"),
            ]
        );
    }

    /// An extension that stands behind another one in its brackets is a tool of that one, to every client.
    #[test]
    fn an_extension_that_is_listed_as_a_tool_is_missing() {
        let tree = tree(&[
            (
                "Machine/Scripts/scripts.ini",
                "[Startup]\r\n0CmdLine=a.cmd\r\n",
            ),
            ("Machine/Registry.pol", "PReg\u{1}\0\0\0[x"),
        ]);
        let needed = needed(&tree, []);
        let said = |list: &str| -> Vec<String> {
            let list = ExtensionList::new(list);
            let found = missing(&needed, Half::Computer, &list).into_iter();
            found.map(|it| it.text).collect()
        };
        let (registry, scripts) = (
            "{35378EAC-683F-11D2-A89A-00C04FBBCFA2}",
            "{42B5FAAE-6536-11D2-AE5A-0000F87571E3}",
        );
        let as_tool = format!(
            "gPCMachineExtensionNames lists {scripts} (Scripts) only as a tool of Registry, so clients do not process its settings"
        );
        assert_eq!(said(&format!("[{registry}{scripts}]")), [as_tool]);
        let absent = format!(
            "gPCMachineExtensionNames does not list {scripts} (Scripts), so clients do not process its settings"
        );
        assert_eq!(said(&format!("[{registry}]")), [absent]);
        assert_eq!(said("").len(), 2);
        assert_eq!(
            said(&format!("[{registry}][{scripts}]")),
            Vec::<String>::new()
        );
        assert_eq!(said("[{"), Vec::<String>::new());
        assert!(missing(&needed, Half::User, &ExtensionList::default()).is_empty());
    }

    #[test]
    fn packages_need_software_installation() {
        let object = |rdns: &[&str], class: &str| DirectoryObject {
            rdns: rdns.iter().map(|&rdn| rdn.to_owned()).collect(),
            object_class: class.to_owned(),
            ..DirectoryObject::default()
        };
        let objects = [
            object(&["CN=Class Store", "CN=User"], "classStore"),
            object(
                &["CN=x", "CN=Packages", "CN=Class Store", "CN=user"],
                "packageRegistration",
            ),
        ];
        let found = needed(&GptTree::new(), &objects);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].half, Half::User);
    }
}

//! Compares a backup with the domain that it was made of: the folder is read by quick-xml and serde_json, the domain by Samba's
//! libraries, and neither by gpoctl.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use quick_xml::events::{BytesStart, Event};
use serde_json::Value;

use crate::support::*;

/// Attributes that are not saved: the directory sets them itself. Descriptors are compared with what is saved elsewhere.
const NOT_SAVED: &[&str] = &[
    "cn",
    "distinguishedName",
    "instanceType",
    "nTSecurityDescriptor",
    "name",
    "objectCategory",
    "objectClass",
    "showInAdvancedViewOnly",
    "uSNChanged",
    "uSNCreated",
    "whenChanged",
    "whenCreated",
];

/// A domain as Samba's libraries read it.
pub struct Domain<'a> {
    pub side: &'a str,
    pub state: &'a Value,
}

impl Domain<'_> {
    /// Asserts that a backup, as reported by `backup --json`, contains everything in the domain.
    pub fn assert_saved(&self, backup: &Value) {
        let guid = backup["gpo_guid"].as_str().unwrap();
        let saved = Saved {
            domain: self,
            guid,
            gpo: &self.state["gpos"][guid],
            path: backup["path"].as_str().unwrap().into(),
        };
        saved.assert_tree();
        saved.assert_core();
        saved.assert_objects();
        saved.assert_bkup_info();
        saved.assert_side_file();
    }
}

struct Saved<'a> {
    domain: &'a Domain<'a>,
    guid: &'a str,
    gpo: &'a Value,
    path: PathBuf,
}

impl Saved<'_> {
    fn name(&self) -> &str {
        attribute(self.gpo, "displayName")
    }

    fn side_file(&self) -> Value {
        let bytes = std::fs::read(self.path.join("gpoctl.json")).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn server(&self) -> String {
        let side = self.domain.side.to_uppercase();
        std::env::var(format!("GPOCTL_LAB_{side}_SERVER")).unwrap()
    }

    /// Files with their bytes, and empty folders, on the disk and in Backup.xml.
    fn assert_tree(&self) {
        let kept = self.path.join("DomainSysvol/GPO");
        assert_eq!(
            local_files(&kept),
            sysvol_files(self.gpo),
            "{}",
            self.name()
        );
        let folders: BTreeSet<String> = self.gpo["sysvol"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["kind"] == "folder" && entry["path"] != "")
            .map(|entry| entry["path"].as_str().unwrap().to_lowercase())
            .collect();
        assert_eq!(local_folders(&kept), folders, "{}", self.name());
        let xml = Element::read(&self.path.join("Backup.xml"));
        let mut listed = BTreeSet::new();
        xml.each(&mut |element| {
            if let ("FSObjectFile" | "FSObjectDir", Some(location)) = (
                element.name.as_str(),
                element.attributes.get("bkp:Location"),
            ) {
                let path = location.strip_prefix("DomainSysvol\\GPO\\").unwrap();
                listed.insert(path.replace('\\', "/").to_lowercase());
            }
        });
        // The two halves always exist, and are in no list.
        let halves = ["machine", "user"].map(str::to_owned);
        let files: BTreeSet<String> = sysvol_files(self.gpo).into_keys().collect();
        let mut wanted: BTreeSet<String> = files.union(&folders).cloned().collect();
        wanted.retain(|path| !halves.contains(path));
        listed.retain(|path| !halves.contains(path));
        assert_eq!(listed, wanted, "{}", self.name());
    }

    fn assert_core(&self) {
        let xml = Element::read(&self.path.join("Backup.xml"));
        let core = xml.only("GroupPolicyCoreSettings");
        let number = |value: &str| value.parse::<i32>().unwrap().cast_unsigned();
        let directory = number(attribute(self.gpo, "versionNumber"));
        let sysvol = self.sysvol_version();
        let filter = attribute(self.gpo, "gPCWQLFilter");
        let (filter, filter_name) = match filter.split(';').nth(1) {
            None => (String::new(), None),
            Some(id) => (
                format!(
                    "MSFT_SomFilter.ID=\"{id}\",Domain=\"{}.test\"",
                    self.domain.side
                ),
                Some(attribute(self.filter(id), "msWMI-Name").to_owned()),
            ),
        };
        for (name, wanted) in [
            ("ID", self.guid.to_owned()),
            ("Domain", format!("{}.test", self.domain.side)),
            ("DisplayName", self.name().to_owned()),
            ("Options", number(attribute(self.gpo, "flags")).to_string()),
            (
                "UserVersionNumber",
                (((sysvol >> 16) << 16) + (directory >> 16)).to_string(),
            ),
            (
                "MachineVersionNumber",
                (((sysvol & 0xffff) << 16) + (directory & 0xffff)).to_string(),
            ),
            (
                "MachineExtensionGuids",
                attribute(self.gpo, "gPCMachineExtensionNames").to_owned(),
            ),
            (
                "UserExtensionGuids",
                attribute(self.gpo, "gPCUserExtensionNames").to_owned(),
            ),
            ("WMIFilter", filter),
        ] {
            assert_eq!(core.only(name).text, wanted, "{name} of {}", self.name());
        }
        let found = core.first("WMIFilterName").map(|name| name.text.clone());
        assert_eq!(found, filter_name, "{}", self.name());
        let saved = hex(&core.only("SecurityDescriptor").text);
        let (saved, seen) = (Descriptor(&saved), Descriptor(&descriptor(self.gpo)));
        assert_eq!(saved.dacl(), seen.dacl(), "{}", self.name());
        assert_eq!(saved.is_protected(), seen.is_protected());
        assert_eq!(
            (saved.offset(4), saved.offset(8), saved.offset(12)),
            (0, 0, 0)
        );
    }

    /// `Version` in GPT.INI.
    fn sysvol_version(&self) -> u32 {
        let ini = String::from_utf8(decode(self.gpo["gpt_ini"].as_str().unwrap())).unwrap();
        let mut lines = ini.lines();
        let version = lines
            .find_map(|line| line.strip_prefix("Version="))
            .unwrap();
        version.parse().unwrap()
    }

    fn filter(&self, id: &str) -> &Value {
        let filters = self.domain.state["wmi_filters"].as_array().unwrap();
        let mut found = filters
            .iter()
            .filter(|seen| attribute(seen, "msWMI-ID") == id);
        found.next().unwrap()
    }

    /// The objects below the GPO: packages, and the part of class stores that GPMC's format has, in Backup.xml; the rest in
    /// gpoctl.json.
    fn assert_objects(&self) {
        let gpo_dn = attribute(self.gpo, "distinguishedName").to_lowercase();
        let xml = Element::read(&self.path.join("Backup.xml"));
        let mut listed = BTreeMap::new();
        xml.each(&mut |element| {
            if element.name == "DSObject" && !element.attributes["bkp:Path"].starts_with('*') {
                let path = element.attributes["bkp:Path"]
                    .replace("%GPO_MACH_DSPATH%", "cn=Machine")
                    .replace("%GPO_USER_DSPATH%", "cn=User");
                assert!(
                    listed
                        .insert(path.to_lowercase(), element.clone())
                        .is_none()
                );
            }
        });
        let mut others = BTreeMap::new();
        let side = self.side_file();
        for object in side["other_directory_objects"].as_array().unwrap() {
            let rdns: Vec<&str> = object["rdns"]
                .as_array()
                .unwrap()
                .iter()
                .map(|rdn| rdn.as_str().unwrap())
                .collect();
            others.insert(rdns.join(",").to_lowercase(), object);
        }
        for child in self.gpo["children"].as_array().unwrap() {
            let dn = child["dn"].as_str().unwrap().to_lowercase();
            let path = dn.strip_suffix(&format!(",{gpo_dn}")).unwrap();
            if ["cn=machine", "cn=user"].contains(&path) {
                continue;
            }
            let classes = child["attributes"]["objectClass"].as_array().unwrap();
            let is = |class: &str| classes.iter().any(|found| found == class);
            let element = listed.remove(path);
            if is("packageRegistration") {
                let element = element.unwrap();
                assert_attributes(child, &of_element(&element), |_| true);
                let descriptor = hex(&element.only("SecurityDescriptor").text);
                assert_descriptor(child, &descriptor);
                continue;
            }
            if is("classStore") {
                // Of a class store these, and nothing of the object that contains its packages.
                let of_store = [
                    "appSchemaVersion",
                    "extensionName",
                    "description",
                    "displayName",
                ];
                let is_store = path.starts_with("cn=class store,");
                assert_attributes(child, &of_element(&element.unwrap()), |name| {
                    is_store && of_store.contains(&name)
                });
            }
            let object = others.remove(path);
            let object = object.unwrap_or_else(|| panic!("{dn} is not saved"));
            assert_attributes(child, &of_object(object), |name| name != "objectGUID");
            let descriptor: Vec<u8> = object["security_descriptor"]
                .as_array()
                .unwrap()
                .iter()
                .map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap())
                .collect();
            assert_descriptor(child, &descriptor);
        }
        assert_eq!(listed.len() + others.len(), 0, "{listed:?}{others:?}");
    }

    fn assert_bkup_info(&self) {
        let info = Element::read(&self.path.join("bkupInfo.xml"));
        for (name, wanted) in [
            ("GPOGuid", self.guid),
            ("GPODomain", &format!("{}.test", self.domain.side)),
            ("GPODomainController", &self.server()),
            ("GPODisplayName", self.name()),
        ] {
            assert_eq!(info.only(name).text, wanted, "{name} of {}", self.name());
        }
    }

    /// The content of gpoctl.json: links, WMI filter, owner, versions, files, and the source.
    fn assert_side_file(&self) {
        let (gpo, guid) = (self.gpo, self.guid);
        let side = self.side_file();
        assert_eq!(side["domain_controller"], self.server());
        assert_eq!(side["tool"], gpoctl(&["--version"]).stdout.trim());
        assert_eq!(side["unread"], serde_json::json!([]));
        for name in ["whenCreated", "whenChanged"] {
            let field = name.replace('C', "_c");
            assert_eq!(side[field], attribute(gpo, name), "{name} of {guid}");
        }
        let directory: i32 = attribute(gpo, "versionNumber").parse().unwrap();
        for (field, number) in [
            ("directory_version", directory.cast_unsigned()),
            ("sysvol_version", self.sysvol_version()),
        ] {
            let halves = serde_json::json!({"user": number >> 16, "machine": number & 0xffff});
            assert_eq!(side[field], halves, "{field} of {guid}");
        }
        self.assert_hashes(&side);
        self.assert_links(&side);
        // Samba's library writes SIDs of the domain in full or as the two letters of [MS-DTYP 2.5.1.1].
        let sddl = gpo["sddl"].as_str().unwrap();
        let domain = self.domain.state["domain_sid"].as_str().unwrap();
        let in_full = |letters: &str| match letters {
            "DA" => format!("{domain}-512"),
            "EA" => format!("{domain}-519"),
            "PA" => format!("{domain}-520"),
            "DU" => format!("{domain}-513"),
            "LA" => format!("{domain}-500"),
            "BA" => "S-1-5-32-544".to_owned(),
            "SY" => "S-1-5-18".to_owned(),
            sid => sid.to_owned(),
        };
        let (owner, rest) = sddl.strip_prefix("O:").unwrap().split_once("G:").unwrap();
        let group = rest.split_once("D:").unwrap().0;
        assert_eq!(side["owner"], in_full(owner).as_str(), "{sddl}");
        assert_eq!(side["group"], in_full(group).as_str(), "{sddl}");
        assert_eq!(side["gpt_ini"], gpo["gpt_ini"], "{guid}");
        let filter = attribute(gpo, "gPCWQLFilter");
        let Some(id) = filter.split(';').nth(1) else {
            assert!(side["wmi_filter"].is_null());
            return;
        };
        for (name, values) in self.filter(id)["attributes"].as_object().unwrap() {
            if !name.starts_with("msWMI-") {
                continue;
            }
            let kept = side["wmi_filter"]["attributes"]
                .as_array()
                .unwrap()
                .iter()
                .find(|kept| kept["name"] == name.as_str())
                .unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(kept["values"]["string"], values[0], "{name}");
        }
    }

    /// Size and SHA-256 of every file of the backup but gpoctl.json itself; those of the GPO must be as Samba reads them.
    fn assert_hashes(&self, side: &Value) {
        let mut said = BTreeMap::new();
        for (path, hash) in side["files"].as_object().unwrap() {
            let size = std::fs::metadata(self.path.join(path)).unwrap().len();
            assert_eq!(hash["size"], size, "{path}");
            let sha256 = hash["sha256"].as_str().unwrap().to_owned();
            said.insert(path.to_lowercase(), sha256);
        }
        let mut files = local_files(&self.path);
        files.remove("gpoctl.json").unwrap();
        assert_eq!(said, files, "{}", self.name());
        let below = "domainsysvol/gpo/";
        said.retain(|path, _| path.starts_with(below));
        let wanted = sysvol_files(self.gpo);
        let wanted = wanted.into_iter();
        let wanted: BTreeMap<String, String> = wanted
            .map(|(path, hash)| (format!("{below}{path}"), hash))
            .collect();
        assert_eq!(said, wanted, "{}", self.name());
    }

    fn assert_links(&self, side: &Value) {
        let recorded: Vec<(String, u64, u64)> = side["links"]
            .as_array()
            .unwrap()
            .iter()
            .map(|link| {
                let options = link["options"].as_u64().unwrap();
                assert_eq!(link["enforced"], options & 2 != 0);
                assert_eq!(link["disabled"], options & 1 != 0);
                let target = link["target"].as_str().unwrap().to_lowercase();
                (target, link["order"].as_u64().unwrap(), options)
            })
            .collect();
        let mut wanted = Vec::new();
        for (target, som) in self.domain.state["links"].as_object().unwrap() {
            let links: Vec<&str> = som["gPLink"].as_str().unwrap().split('[').skip(1).collect();
            for (index, link) in links.iter().enumerate() {
                if link.to_lowercase().contains(&self.guid.to_lowercase()) {
                    let options = link.trim_end_matches(']').rsplit(';').next().unwrap();
                    let order = u64::try_from(links.len() - index).unwrap();
                    wanted.push((target.to_lowercase(), order, options.parse().unwrap()));
                }
            }
        }
        let sorted = |mut links: Vec<(String, u64, u64)>| {
            links.sort();
            links
        };
        assert_eq!(sorted(recorded), sorted(wanted), "{}", self.guid);
    }
}

/// Values of attributes, each with its name in lower case, as text: numbers without sign, bytes in hexadecimal.
type Attributes = BTreeMap<String, Vec<String>>;

/// The attributes of a `DSObject`.
fn of_element(object: &Element) -> Attributes {
    let mut found = Attributes::new();
    for child in &object.children {
        if child.name.starts_with("DSAttribute") && !child.children.is_empty() {
            let values = child.children.iter().map(|value| value.text.clone());
            let name = child.attributes["bkp:DSAttrName"].to_lowercase();
            found.insert(name, values.collect());
        }
    }
    found
}

/// The attributes of an object in gpoctl.json.
fn of_object(object: &Value) -> Attributes {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut found = Attributes::new();
    for attribute in object["attributes"].as_array().unwrap() {
        let (_, values) = attribute["values"]
            .as_object()
            .unwrap()
            .iter()
            .next()
            .unwrap();
        let values = match values {
            Value::Array(values) => values.iter().map(text).collect(),
            value => vec![text(value)],
        };
        let name = attribute["name"].as_str().unwrap().to_lowercase();
        found.insert(name, values);
    }
    found
}

/// All attributes of an object of the directory that are `wanted` are saved, and no others.
fn assert_attributes(seen: &Value, saved: &Attributes, wanted: impl Fn(&str) -> bool) {
    let dn = seen["dn"].as_str().unwrap();
    let (_, above) = dn.split_once(",CN={").unwrap();
    let gpo_dn = format!("CN={{{above}");
    let mut saved = saved.clone();
    for (name, values) in seen["attributes"].as_object().unwrap() {
        if NOT_SAVED.contains(&name.as_str()) || !wanted(name) {
            continue;
        }
        let found = saved.remove(&name.to_lowercase());
        let found = found.unwrap_or_else(|| panic!("{name} of {dn} is missing"));
        let mut found: Vec<String> = found
            .iter()
            .map(|text| text.replace("%GPO_DSPATH%", &gpo_dn))
            .collect();
        let mut wanted: Vec<String> = values
            .as_array()
            .unwrap()
            .iter()
            .map(|value| match value.as_str() {
                Some(text) => match text.parse::<i32>() {
                    Ok(number) if number < 0 => number.cast_unsigned().to_string(),
                    _ => text.to_owned(),
                },
                None => {
                    let bytes = decode(value["base64"].as_str().unwrap());
                    let bytes: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
                    bytes.join(" ")
                }
            })
            .collect();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{name} of {dn}");
    }
    assert_eq!(saved.len(), 0, "{dn}: {saved:?}");
}

/// Owner, group and DACL of an object of the directory are saved.
fn assert_descriptor(seen: &Value, saved: &[u8]) {
    let dn = &seen["dn"];
    let (saved, seen) = (Descriptor(saved), Descriptor(&descriptor(seen)));
    assert_eq!(saved.dacl(), seen.dacl(), "{dn}");
    assert_eq!(saved.is_protected(), seen.is_protected(), "{dn}");
    assert_eq!(saved.sid(4), seen.sid(4), "{dn}");
    assert_eq!(saved.sid(8), seen.sid(8), "{dn}");
}

/// `SECURITY_DESCRIPTOR` in self-relative form [MS-DTYP 2.4.6].
struct Descriptor<'a>(&'a [u8]);

impl<'a> Descriptor<'a> {
    fn offset(&self, at: usize) -> usize {
        let number = u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap());
        usize::try_from(number).unwrap()
    }

    fn is_protected(&self) -> bool {
        u16::from_le_bytes([self.0[2], self.0[3]]) & 0x1000 != 0
    }

    fn dacl(&self) -> &'a [u8] {
        let acl = &self.0[self.offset(16)..];
        let size = u16::from_le_bytes([acl[2], acl[3]]);
        &acl[..usize::from(size)]
    }

    /// The SID whose offset is at `at`.
    fn sid(&self, at: usize) -> &'a [u8] {
        let sid = &self.0[self.offset(at)..];
        &sid[..8 + 4 * usize::from(sid[1])]
    }
}

fn descriptor(entry: &Value) -> Vec<u8> {
    let text = &entry["attributes"]["nTSecurityDescriptor"][0]["base64"];
    decode(text.as_str().unwrap())
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// Every folder below one, by its path in lower case.
fn local_folders(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                found.insert(name.to_lowercase());
                open.push(path);
            }
        }
    }
    found
}

/// An element of a file of a backup.
#[derive(Debug, Clone, Default)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Element>,
    text: String,
}

impl Element {
    /// The root element of a file.
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut reader = quick_xml::Reader::from_str(text.trim_start_matches('\u{feff}'));
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => open.push(Self::new(&start)),
                Event::Empty(start) => open.last_mut().unwrap().children.push(Self::new(&start)),
                Event::End(_) => {
                    let element = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(element);
                }
                Event::CData(piece) => open.last_mut().unwrap().text += &piece.into_inner(),
                Event::Text(piece) => open.last_mut().unwrap().text += piece.into_inner().trim(),
                Event::GeneralRef(name) => panic!("&{};", &*name.into_inner()),
                Event::Eof => return open.remove(0).children.remove(0),
                _ => {}
            }
        }
    }

    fn new(start: &BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let value = quick_xml::escape::unescape(&attribute.value).unwrap();
            (attribute.key.into_inner().to_owned(), value.into_owned())
        });
        Self {
            name: start.name().into_inner().to_owned(),
            attributes: attributes.collect(),
            ..Self::default()
        }
    }

    /// Calls this for this element and every element below.
    fn each(&self, visit: &mut impl FnMut(&Self)) {
        visit(self);
        for child in &self.children {
            child.each(visit);
        }
    }

    /// The first element of this name below.
    fn first(&self, name: &str) -> Option<Self> {
        let mut found = None;
        self.each(&mut |element| {
            if element.name == name && found.is_none() {
                found = Some(element.clone());
            }
        });
        found
    }

    fn only(&self, name: &str) -> Self {
        self.first(name).unwrap_or_else(|| panic!("no {name}"))
    }
}

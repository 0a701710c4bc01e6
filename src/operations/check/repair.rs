//! What a check can repair: versions that differ, unsorted extension lists, permissions on SYSVOL, a functionality version that makes
//! clients skip the GPO. Without I/O: derives a plan from a report.
//!
//! No repair changes what a GPO sets. A version is only increased, an extension list keeps its extensions, permissions on
//! SYSVOL are derived from the directory. A GPO with a path to another folder is not changed.

use std::collections::HashSet;

use super::facts::{Facts, Folder};
use super::findings::{Permissions, sysvol_version};
use super::{Checked, Report};
use crate::directory::{AttributeSwap, SwapAttribute};
use crate::formats::gpt_ini;
use crate::message::{Code, printable};
use crate::model::domain_name::DomainName;
use crate::model::version::GpoVersion;
use crate::plan::Plan;
use crate::plan::gpo::FileContent;
use crate::plan::inherited_permissions::{descriptor_of_file_not_set, order_of_gpt_ini_refused};
use crate::plan::values::{DescriptorSwap, ObjectDn, ValueChange, files_and_folders};

/// Plans the repair of what a report found, as far as that is safe.
pub fn plan(report: &Report, domain: &DomainName) -> Plan {
    let mut list = Plan::new(format!("repair GPOs of {domain}"), domain);
    for Checked { facts, .. } in &report.gpos {
        let Some(folder) = &facts.folder else {
            continue;
        };
        // Where it leads may be elsewhere.
        if facts.path_mismatch.is_some() || !facts.object.may_read("gPCFileSysPath") {
            continue;
        }
        let wanted = Permissions::of(facts, folder).ok();
        // Permissions first: a delegated editor may need them for the other repairs.
        if let Some(wanted) = &wanted {
            permissions(facts, folder, wanted, &mut list);
        }
        versions(facts, folder, wanted.as_ref(), &mut list);
        functionality(facts, &mut list);
        lists(facts, &mut list);
    }
    list
}

fn named(facts: &Facts) -> String {
    format!("\"{}\"", printable(&facts.object.display_name))
}

/// Each half gets the higher of its two versions: a lower one would leave the cached policy of clients active.
fn versions(facts: &Facts, folder: &Folder, wanted: Option<&Permissions>, list: &mut Plan) {
    // An unknown version cannot be compared.
    if folder.has_unread_gpt_ini() || !facts.object.may_read("versionNumber") {
        return;
    }
    let directory = facts.object.version.unwrap_or_default();
    let sysvol = sysvol_version(folder).ok().flatten();
    let known = sysvol.unwrap_or_default();
    let version = GpoVersion {
        user: directory.user.max(known.user),
        machine: directory.machine.max(known.machine),
    };
    if sysvol != Some(version) {
        let new = folder
            .gpt_ini
            .as_ref()
            .and_then(|bytes| gpt_ini::write_version(bytes, version).ok())
            .unwrap_or_else(|| gpt_ini::create(version));
        let wanted = wanted.filter(|_| facts.samba && !folder.descriptors.is_empty());
        let descriptor = wanted
            .filter(|it| !it.is_refused)
            .and_then(|it| it.wanted.to_bytes().ok())
            .map(|bytes| FileContent(bytes.into()));
        if wanted.is_some_and(|it| it.is_refused) {
            list.messages
                .push(order_of_gpt_ini_refused(facts.object.guid));
        }
        let mut messages = folder.messages.iter();
        if facts.samba && messages.any(|it| it.code == Code::DescriptorsNotRead) {
            list.messages
                .push(descriptor_of_file_not_set(facts.object.guid));
        }
        list.push(
            ValueChange::GptIni {
                guid: facts.object.guid,
                old: folder.gpt_ini.clone().map(FileContent),
                new: Some(FileContent(new.into())),
                descriptor,
            },
            vec![format!(
                "~ {}: GPT.INI: {} -> {}",
                named(facts),
                sysvol.map_or_else(|| "no version".to_owned(), GpoVersion::in_words),
                version.in_words()
            )],
        );
    }
    if facts.object.version != Some(version) {
        let number = |version: GpoVersion| version.to_ldap().to_string();
        list.push(
            swap(
                facts,
                SwapAttribute::Version,
                facts.object.version.map(number),
                number(version),
            ),
            vec![format!(
                "~ {}: versionNumber: {} -> {}",
                named(facts),
                facts
                    .object
                    .version
                    .map_or_else(|| "absent".to_owned(), GpoVersion::in_words),
                version.in_words()
            )],
        );
    }
}

/// Clients skip a GPO whose `gPCFunctionalityVersion` is not 2 [MS-GPOL 3.2.5.1.6], which no editor leaves behind.
fn functionality(facts: &Facts, list: &mut Plan) {
    let old = facts.object.functionality_version;
    if old == Some(2) || !facts.object.may_read("gPCFunctionalityVersion") {
        return;
    }
    let old = old.map(|version| version.to_string());
    list.push(
        swap(
            facts,
            SwapAttribute::FunctionalityVersion,
            old.clone(),
            "2".to_owned(),
        ),
        vec![format!(
            "~ {}: gPCFunctionalityVersion: {} -> 2, so that clients apply the GPO",
            named(facts),
            old.as_deref().unwrap_or("absent")
        )],
    );
}

fn lists(facts: &Facts, list: &mut Plan) {
    for (attribute, extensions) in [
        (
            SwapAttribute::MachineExtensions,
            &facts.object.machine_extensions,
        ),
        (SwapAttribute::UserExtensions, &facts.object.user_extensions),
    ] {
        let Some(ordered) = extensions.in_order() else {
            continue;
        };
        list.push(
            swap(
                facts,
                attribute,
                Some(extensions.as_str().to_owned()),
                ordered.as_str().to_owned(),
            ),
            vec![
                format!("~ {}: {}", named(facts), attribute.as_str()),
                format!("-   {}", printable(extensions.as_str())),
                format!("+   {}", ordered.as_str()),
            ],
        );
    }
}

fn swap(facts: &Facts, attribute: SwapAttribute, old: Option<String>, new: String) -> ValueChange {
    ValueChange::Attributes {
        dn: ObjectDn(facts.object.dn.clone()),
        attributes: vec![AttributeSwap {
            attribute,
            old,
            new: Some(new),
        }],
    }
}

fn permissions(facts: &Facts, folder: &Folder, found: &Permissions, list: &mut Plan) {
    let Ok(new) = found.wanted.to_bytes() else {
        return;
    };
    let wrong: HashSet<&String> = found.wrong.iter().collect();
    let entries: Vec<DescriptorSwap> = folder
        .descriptors
        .values()
        .filter(|(path, _)| wrong.contains(&path.to_string()))
        .map(|(path, old)| DescriptorSwap {
            path: path.clone(),
            old: FileContent(old.clone().into()),
            new: FileContent(new.clone().into()),
        })
        .collect();
    if entries.is_empty() {
        return;
    }
    let mut summary = vec![format!(
        "~ {}: permissions of {} on SYSVOL",
        named(facts),
        files_and_folders(entries.len())
    )];
    summary.extend(entries.iter().map(|entry| {
        if entry.path.is_root() {
            "    the GPO folder".to_owned()
        } else {
            format!("    {}", printable(&entry.path.to_string()))
        }
    }));
    list.push(
        ValueChange::Descriptors {
            guid: facts.object.guid,
            entries,
        },
        summary,
    );
}

#[cfg(test)]
mod tests {
    use super::super::file_entries::ShownBy;
    use super::*;
    use crate::directory::GpoObject;
    use crate::message::StatusMessage;
    use crate::model::dn::Dn;
    use crate::model::extension_list::ExtensionList;
    use crate::model::safe_name::RelPath;
    use crate::model::security_descriptor::FileEntries;

    fn facts(directory: Option<u32>, gpt_ini: Option<&str>) -> Facts {
        let base = Dn::parse("DC=src,DC=test").unwrap();
        let guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}".parse().unwrap();
        Facts {
            object: GpoObject {
                version: directory.map(GpoVersion::from_combined),
                functionality_version: Some(2),
                ..GpoObject::bare(guid, &base)
            },
            path_mismatch: None,
            children: Vec::new(),
            folder: Some(Folder {
                gpt_ini: gpt_ini.map(|text| text.to_owned().into()),
                ..Folder::default()
            }),
            wmi_filter: None,
            samba: true,
            file_entries: FileEntries::default(),
            file_entries_shown_by: ShownBy::Nothing,
            unread: Vec::new(),
        }
    }

    fn planned(facts: Facts) -> Plan {
        let report = Report {
            gpos: vec![Checked {
                facts,
                messages: Vec::new(),
            }],
            ..Report::default()
        };
        plan(&report, &"src.test".parse().unwrap())
    }

    fn repair(facts: Facts) -> Vec<ValueChange> {
        planned(facts)
            .values()
            .map(|planned| planned.change.clone())
            .collect()
    }

    /// The new GPT.INI and the new `versionNumber`, where they change.
    fn versions_of(changes: &[ValueChange]) -> (Option<String>, Option<String>) {
        let mut found = (None, None);
        for change in changes {
            match change {
                ValueChange::GptIni { new, .. } => {
                    let bytes = new.as_ref().unwrap().0.to_vec();
                    found.0 = Some(String::from_utf8(bytes).unwrap());
                }
                ValueChange::Attributes { attributes, .. } => {
                    found.1.clone_from(&attributes[0].new)
                }
                other => panic!("{other:?}"),
            }
        }
        found
    }

    #[test]
    fn versions_only_rise() {
        let ini = |version: u32| format!("[General]\r\ndisplayName=x\r\nVersion={version}\r\n");
        let of = |directory, sysvol: Option<&str>| versions_of(&repair(facts(directory, sysvol)));
        assert_eq!(of(Some(65_537), Some(&ini(65_537))), (None, None));
        assert_eq!(
            of(Some(65_538), Some(&ini(65_537))),
            (Some(ini(65_538)), None)
        );
        assert_eq!(
            of(Some(65_537), Some(&ini(65_538))),
            (None, Some("65538".to_owned()))
        );
        // One half is higher in the directory, the other on SYSVOL.
        assert_eq!(
            of(Some(0x0002_0001), Some(&ini(0x0001_0002))),
            (Some(ini(0x0002_0002)), Some("131074".to_owned()))
        );
        let fresh = "[General]\r\nVersion=65537\r\n".to_owned();
        assert_eq!(of(Some(65_537), None), (Some(fresh.clone()), None));
        assert_eq!(
            of(Some(65_537), Some("[General]\r\nVersion=x\r\n")),
            (Some(fresh), None)
        );
        assert_eq!(of(None, Some(&ini(3))), (None, Some("3".to_owned())));
    }

    #[test]
    fn a_client_that_sets_no_permissions_is_named_where_a_file_is_written() {
        let said = |samba: bool, ini: &str| {
            let mut facts = facts(Some(65_538), Some(ini));
            facts.samba = samba;
            let folder = facts.folder.as_mut().unwrap();
            let unread = StatusMessage::info(Code::DescriptorsNotRead, "x");
            folder.messages.push(unread);
            let messages = planned(facts).messages.into_iter();
            messages.map(|it| it.code).collect::<Vec<_>>()
        };
        let lower = "[General]\r\nVersion=65537\r\n";
        assert_eq!(said(true, lower), [Code::DescriptorsNotSet]);
        // On Windows the file inherits what is right.
        assert_eq!(said(false, lower), []);
        assert_eq!(said(true, "[General]\r\nVersion=65538\r\n"), []);
    }

    #[test]
    fn a_gpo_that_leads_elsewhere_or_nowhere_is_left_alone() {
        let mut elsewhere = facts(Some(2), Some("[General]\r\nVersion=1\r\n"));
        elsewhere.path_mismatch = Some("x".to_owned());
        assert!(repair(elsewhere).is_empty());
        let mut nowhere = facts(Some(2), None);
        nowhere.folder = None;
        assert!(repair(nowhere).is_empty());
    }

    #[test]
    fn a_gpt_ini_that_was_not_read_is_not_written() {
        for path in ["gpt.ini", ""] {
            let mut unread = facts(Some(2), None);
            let folder = unread.folder.as_mut().unwrap();
            folder.unread.insert(if path.is_empty() {
                RelPath::root()
            } else {
                path.parse().unwrap()
            });
            assert!(repair(unread).is_empty());
        }
    }

    #[test]
    fn nothing_is_repaired_by_an_attribute_that_was_not_read() {
        let all = |unreadable: &[&'static str]| {
            let mut unread = facts(None, Some("[General]\r\nVersion=65537\r\n"));
            unread.object.unreadable = unreadable.to_vec();
            repair(unread)
        };
        assert_eq!(all(&[]).len(), 1);
        assert_eq!(all(&["flags"]).len(), 1);
        assert!(all(&["versionNumber"]).is_empty());
        assert!(all(&["gPCFileSysPath"]).is_empty());
    }

    #[test]
    fn a_functionality_version_that_clients_skip_becomes_2() {
        for (old, unreadable, repaired) in [
            (None, vec![], true),
            (Some(1), vec![], true),
            (Some(2), vec![], false),
            (None, vec!["gPCFunctionalityVersion"], false),
        ] {
            let mut facts = facts(Some(0), Some("[General]\r\nVersion=0\r\n"));
            facts.object.functionality_version = old;
            facts.object.unreadable = unreadable;
            let changes = repair(facts);
            assert_eq!(changes.len(), usize::from(repaired), "{old:?}");
        }
    }

    #[test]
    fn lists_keep_their_extensions() {
        let mut wrong = facts(Some(0), Some("[General]\r\nVersion=0\r\n"));
        let list =
            "[{827D319E-6EAC-11D2-A4EA-00C04F79F83A}][{35378eac-683f-11d2-a89a-00c04fbbcfa2}]";
        wrong.object.user_extensions = ExtensionList::new(list);
        let changes = repair(wrong);
        let [ValueChange::Attributes { attributes, .. }] = changes.as_slice() else {
            panic!("{changes:?}");
        };
        assert_eq!(attributes[0].attribute, SwapAttribute::UserExtensions);
        assert_eq!(attributes[0].old.as_deref(), Some(list));
        assert_eq!(
            attributes[0].new.as_deref(),
            Some(
                "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}][{827D319E-6EAC-11D2-A4EA-00C04F79F83A}]"
            )
        );
    }
}

//! What import, restore, copy and create have in common: the plan that gives a GPO settings.

use bytes::Bytes;

use super::check::extensions::{self, Half};
use crate::directory::GpoObject;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::migration::report::MappingReport;
use crate::model::allowed_object::AllowedObject;
use crate::model::directory_object::{AttributeValues, DirectoryObject};
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::model::reference::Place;
use crate::model::security_descriptor::{SecurityDescriptor, control, grants_same_access};
use crate::model::snapshot::WmiFilterLink;
use crate::model::status_flags;
use crate::model::version::GpoVersion;
use crate::plan::gpo::{
    FileContent, GpoPlan, Intent, NewAttributes, PlanSource, PlanTarget, Step, Verb, new_gpt_ini,
    old_contents, plan_entries,
};
use crate::plan::objects;
use crate::session::read::LiveGpo;

/// A GPO and its new settings.
pub(super) struct NewSettings<'a> {
    /// The verb.
    pub(super) verb: Verb,
    /// Their source.
    pub(super) source: Option<PlanSource>,
    /// The GPO.
    pub(super) target: PlanTarget,
    /// The present GPO; `None` when it is created.
    pub(super) live: Option<&'a LiveGpo>,
    /// Its new files and folders, without GPT.INI.
    pub(super) tree: GptTree,
    /// The new objects below it.
    pub(super) directory_objects: Vec<AllowedObject>,
    /// Its new version. With 0, a GPO that is created has no settings yet.
    pub(super) version: GpoVersion,
    /// The new `flags`.
    pub(super) flags: u32,
    /// The new `gPCMachineExtensionNames`.
    pub(super) machine_extensions: ExtensionList,
    /// The new `gPCUserExtensionNames`.
    pub(super) user_extensions: ExtensionList,
    /// The new `displayName`; `None` leaves it unchanged.
    pub(super) display_name: Option<String>,
    /// The new `gPCWQLFilter`; `None` leaves it unchanged, `Some(None)` removes it.
    pub(super) wmi_filter: Option<Option<String>>,
    /// The descriptor with the new DACL; `None` leaves it unchanged.
    pub(super) security_descriptor: Option<SecurityDescriptor>,
    /// The GPT.INI whose other lines are kept; `None` takes that of the GPO.
    pub(super) gpt_ini: Option<Bytes>,
    /// Changes of links, after everything else.
    pub(super) links: Vec<Step>,
    /// The report of the mapping.
    pub(super) mapping: Option<MappingReport>,
    /// The findings.
    pub(super) messages: Vec<StatusMessage>,
}

/// A `gPCWQLFilter` that links this filter. An existing link to it is kept, whatever its spelling.
pub(super) fn wmi_link(live: Option<&LiveGpo>, link: &WmiFilterLink) -> String {
    live.filter(|live| {
        let present = live.snapshot.wmi_filter.as_ref();
        present.is_some_and(|present| present.id == link.id)
    })
    .and_then(|live| live.object.wmi_filter.clone())
    .unwrap_or_else(|| link.to_attribute())
}

/// A warning about an existing GPO that no client applies, whatever its settings are.
fn skipped_by_clients(object: &GpoObject) -> Option<StatusMessage> {
    let version = object.functionality_version;
    if version == Some(2) || !object.may_read("gPCFunctionalityVersion") {
        return None;
    }
    let value = version.map_or_else(|| "absent".to_owned(), |version| version.to_string());
    Some(
        StatusMessage::warning(
            Code::FunctionalityVersion,
            format!("gPCFunctionalityVersion is {value}, so clients skip the GPO until it is 2"),
        )
        .at(Place::file(object.dn.to_string()).key("gPCFunctionalityVersion")),
    )
}

impl NewSettings<'_> {
    /// The plan.
    ///
    /// # Errors
    /// `BadInput` for a status that no GPO has; `Internal` when the DACL does not fit into a descriptor.
    pub(super) fn plan(mut self) -> Result<GpoPlan> {
        if let Some(fault) = status_flags::fault(self.flags) {
            return Err(Error::new(
                ErrorKind::BadInput,
                format!(
                    "the source of GPO \"{}\" has {fault}",
                    printable(&self.target.display_name)
                ),
            )
            .with_remedy(Remedy::SetStatusOfSource));
        }
        for half in ["Machine", "User"] {
            self.tree.insert_dir(&half.parse().map_err(|cause| {
                Error::new(ErrorKind::Internal, "no path for a half").with_source(cause)
            })?);
        }
        let old_tree = self
            .live
            .map_or_else(GptTree::new, |live| live.snapshot.tree.clone());
        let (entries, contents) = plan_entries(&old_tree, &self.tree);
        let settings_come = self.version != GpoVersion::default();
        let gpt_ini = settings_come.then(|| {
            let old = self
                .gpt_ini
                .clone()
                .or_else(|| self.live.and_then(|live| live.gpt_ini.clone()));
            new_gpt_ini(old.as_deref(), self.version, &mut self.messages)
        });
        self.messages.extend(
            [
                (&self.machine_extensions, "gPCMachineExtensionNames"),
                (&self.user_extensions, "gPCUserExtensionNames"),
            ]
            .into_iter()
            .filter_map(|(list, attribute)| extension_findings(list, attribute)),
        );
        let needed =
            extensions::needed(&self.tree, self.directory_objects.iter().map(AsRef::as_ref));
        for (half, list) in [
            (Half::Computer, &self.machine_extensions),
            (Half::User, &self.user_extensions),
        ] {
            self.messages
                .extend(extensions::missing(&needed, half, list));
        }
        self.messages
            .extend(self.live.and_then(|live| skipped_by_clients(&live.object)));
        let intent = Intent {
            descriptor: self.new_descriptor()?,
            attributes: settings_come.then_some(NewAttributes {
                version: self.version,
                flags: self.flags,
                machine_extensions: self.machine_extensions,
                user_extensions: self.user_extensions,
                display_name: self.display_name,
                wmi_filter: self.wmi_filter,
            }),
            links: self.links,
        };
        let mut plan = GpoPlan {
            source: self.source,
            basis: self.live.map(LiveGpo::state),
            old_contents: old_contents(&old_tree, &entries),
            entries,
            gpt_ini: gpt_ini.map(|bytes| FileContent(bytes.into())),
            directory_objects: self.directory_objects,
            mapping: self.mapping,
            messages: self.messages,
            contents,
            ..GpoPlan::new(self.verb, self.target)
        };
        plan.steps = plan.describe_steps(&intent)?;
        plan.risks = plan.describe_risks()?;
        Ok(plan)
    }

    /// The DACL, when it grants something else than the present one. Owner and group of an existing GPO are kept.
    fn new_descriptor(&self) -> Result<Option<FileContent>> {
        let Some(wanted) = &self.security_descriptor else {
            return Ok(None);
        };
        let present = self
            .live
            .and_then(|live| SecurityDescriptor::parse(&live.object.security_descriptor).ok());
        let mut new = present.clone().unwrap_or_else(|| {
            let mut new = SecurityDescriptor::new();
            new.owner.clone_from(&wanted.owner);
            new.group.clone_from(&wanted.group);
            new
        });
        new.dacl.clone_from(&wanted.dacl);
        let kept = control::DACL_PROTECTED | control::DACL_AUTO_INHERITED;
        new.control = (new.control & !kept) | control::DACL_PRESENT | (wanted.control & kept);
        if present
            .as_ref()
            .is_some_and(|present| grants_same_access(present, &new))
        {
            return Ok(None);
        }
        let bytes = new.to_bytes().map_err(|cause| {
            Error::new(ErrorKind::Internal, "the new DACL cannot be written").with_source(cause)
        })?;
        Ok(Some(FileContent(bytes.into())))
    }
}

/// The version of an existing GPO. If its halves differ, the higher one counts; otherwise a client that knows it would ignore
/// the new policy.
pub(super) fn present_version(live: &LiveGpo) -> GpoVersion {
    live.object
        .version
        .unwrap_or_default()
        .higher(live.snapshot.sysvol_version.unwrap_or_default())
}

/// The objects for the target: with references to the source GPO rewritten. Their own descriptors are kept only if they are
/// valid in the target.
///
/// # Errors
/// `BadInput` for an object that a GPO may not contain.
pub(super) fn objects_for(
    objects: &[DirectoryObject],
    target: &PlanTarget,
    with_descriptors: bool,
) -> Result<Vec<AllowedObject>> {
    let domain = target.domain.lower();
    let objects: Vec<DirectoryObject> = objects
        .iter()
        .map(|object| {
            let mut object = object.clone();
            if !with_descriptors {
                object.security_descriptor = None;
            }
            object
                .attributes
                .retain(|attribute| !attribute.name.eq_ignore_ascii_case("objectGUID"));
            for attribute in &mut object.attributes {
                if attribute.name.eq_ignore_ascii_case("msiScriptPath") {
                    if let AttributeValues::String(Some(path)) = &mut attribute.values {
                        // The part that begins with the half is kept; before it is the source GPO's own folder [MS-GPSI
                        // 2.2.2.4.1].
                        if let Some(rest) = from_the_half_on(path) {
                            *path = format!(
                                "\\\\{domain}\\sysvol\\{domain}\\Policies\\{}\\{rest}",
                                target.guid
                            );
                        }
                    }
                } else if attribute.name.eq_ignore_ascii_case("extensionName") {
                    attribute.values = AttributeValues::String(Some(target.display_name.clone()));
                }
            }
            object
        })
        .collect();
    objects::allowed(&objects)
}

/// The part of a path into a GPO's folder that begins with the half: the last folder of that name, because the server may have
/// it too.
fn from_the_half_on(path: &str) -> Option<&str> {
    let mut end = path.rfind('\\')?;
    loop {
        let before = path.get(..end)?;
        let start = before.rfind('\\')? + 1;
        let folder = before.get(start..)?;
        if ["Machine", "User"]
            .iter()
            .any(|half| half.eq_ignore_ascii_case(folder))
        {
            return path.get(start..);
        }
        end = start - 1;
    }
}

fn extension_findings(list: &ExtensionList, attribute: &str) -> Option<StatusMessage> {
    if list.is_empty() || list.is_sorted() {
        return None;
    }
    Some(
        StatusMessage::warning(
            Code::ExtensionListUnsorted,
            format!("{attribute} of the backup is not a sorted list of extensions, so clients may not see all settings"),
        )
        .with_hint("it is written as the backup has it"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::directory_object::DirectoryAttribute;

    #[test]
    fn a_path_is_cut_before_the_half() {
        for (path, rest) in [
            (
                r"\\src.test\SysVol\src.test\Policies\{11111111-2222-3333-4444-555555555555}\Machine\Applications\{A}.aas",
                Some(r"Machine\Applications\{A}.aas"),
            ),
            // A server with the name of a half, and a letter whose lower case is longer.
            (
                "\\\\MACHINE\\sysvol\\\u{130}\\USER\\a.aas",
                Some(r"USER\a.aas"),
            ),
            (r"\\user\sysvol\x\machine\user", Some(r"machine\user")),
            (r"\\src.test\sysvol\a.aas", None),
            ("Machine", None),
            ("", None),
        ] {
            assert_eq!(from_the_half_on(path), rest, "{path}");
        }
    }

    #[test]
    fn the_script_of_a_package_lies_in_the_target() {
        let package = DirectoryObject {
            rdns: ["CN=P", "CN=Packages", "CN=Class Store", "CN=User"]
                .map(str::to_owned)
                .to_vec(),
            object_class: "packageRegistration".to_owned(),
            attributes: vec![DirectoryAttribute {
                name: "msiScriptPath".to_owned(),
                values: AttributeValues::String(Some(
                    r"\\machine\sysvol\src.test\Policies\{X}\User\Applications\a.aas".to_owned(),
                )),
            }],
            security_descriptor: None,
        };
        let target = PlanTarget {
            guid: "{11111111-2222-3333-4444-555555555555}".parse().unwrap(),
            display_name: "New".to_owned(),
            domain: "DST.test".parse().unwrap(),
            create: true,
        };
        let new = objects_for(&[package], &target, false).unwrap();
        let path = r"\\dst.test\sysvol\dst.test\Policies\{11111111-2222-3333-4444-555555555555}\User\Applications\a.aas";
        assert_eq!(
            new[0].attributes[0].values,
            AttributeValues::String(Some(path.to_owned()))
        );
    }
}

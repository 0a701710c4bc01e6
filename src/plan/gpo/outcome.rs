//! Compares a GPO with the result of a plan.

use super::{GpoPlan, Step, tree_hashes};
use crate::directory::GpoObject;
use crate::formats::gpt_ini;
use crate::message::printable;
use crate::model::directory_object::DirectoryObject;
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::model::version::GpoVersion;
use crate::plan::objects;
use crate::session::read::LiveGpo;

impl GpoPlan {
    /// How a GPO differs from the result of this plan, a part of a sentence each; `new` is [`GpoPlan::new_tree`].
    pub(crate) fn differences_from_plan(&self, new: &GptTree, live: &LiveGpo) -> Vec<String> {
        let mut wrong = self.differences_beside_files(live);
        let (planned, found) = (tree_hashes(new), tree_hashes(&live.snapshot.tree));
        let keys = planned.keys().chain(found.keys());
        let mut other: Vec<String> = keys
            .filter(|key| planned.get(*key) != found.get(*key))
            .map(|key| printable(&key.replace('/', "\\")))
            .collect();
        other.sort();
        other.dedup();
        if !other.is_empty() {
            wrong.insert(0, format!("the files ({})", other.join(", ")));
        }
        wrong
    }

    /// What of a GPO that this plan creates is neither as it is created nor as the plan leaves it: the names of its parts. `below` are
    /// the objects below it.
    pub(crate) fn parts_of_others(
        &self,
        object: &GpoObject,
        below: &[DirectoryObject],
    ) -> Vec<String> {
        let planned = self
            .steps
            .iter()
            .find(|step| matches!(step, Step::ModifyGpo { .. }));
        let mut changed: Vec<String> = Vec::new();
        if object.display_name != self.target.display_name
            && object.display_name != self.name_after()
        {
            changed.push("the display name".to_owned());
        }
        let of_plan = planned.map_or_else(
            || vec!["version", "status", "extensions", "WMI filter"],
            |step| attributes_that_differ(step, object),
        );
        let created = [
            (
                "version",
                object.version.unwrap_or_default() == GpoVersion::default(),
            ),
            ("status", object.flags.unwrap_or_default() == 0),
            (
                "extensions",
                object.machine_extensions.is_empty() && object.user_extensions.is_empty(),
            ),
            ("WMI filter", object.wmi_filter.is_none()),
        ];
        let is_created = |name: &str| created.contains(&(name, true));
        // A plan that sets no filter leaves a new GPO without one.
        let no_filter = matches!(
            planned,
            Some(Step::ModifyGpo {
                wmi_filter: None,
                ..
            })
        );
        let filter = no_filter.then_some("WMI filter");
        let attributes = of_plan.into_iter().chain(filter);
        let attributes = attributes.filter(|name| !is_created(name));
        changed.extend(attributes.map(|name| format!("the {name}")));
        let objects = objects::changes(below, &self.directory_objects);
        let differs = |(old, new): &(&DirectoryObject, &DirectoryObject)| {
            !new.differing_attributes(old).is_empty()
        };
        if !objects.remove.is_empty() || objects.change.iter().any(differs) {
            changed.push("the objects below it".to_owned());
        }
        changed
    }

    /// The same without the files.
    pub(crate) fn differences_beside_files(&self, live: &LiveGpo) -> Vec<String> {
        let mut wrong = Vec::new();
        let has_gpt_ini = match &self.gpt_ini {
            Some(planned) => live.gpt_ini.as_ref() == Some(&planned.0),
            // A GPO without settings is made with one of version 0.
            None => {
                let created = gpt_ini::create(GpoVersion::default());
                !self.target.create || live.gpt_ini.as_deref() == Some(created.as_ref())
            }
        };
        if !has_gpt_ini {
            wrong.push("GPT.INI".to_owned());
        }
        let below = &live.snapshot.directory_objects;
        if !objects::changes(below, &self.directory_objects).is_same_content() {
            wrong.push("the objects below it".to_owned());
        }
        let object = &live.object;
        if object.display_name != self.name_after() {
            wrong.push("the display name".to_owned());
        }
        for step in &self.steps {
            let other = attributes_that_differ(step, object);
            if !other.is_empty() {
                wrong.push(format!("the attributes ({})", other.join(", ")));
            }
        }
        wrong
    }
}

/// Which of the attributes that this step sets a GPO does not have.
fn attributes_that_differ(step: &Step, object: &GpoObject) -> Vec<&'static str> {
    let Step::ModifyGpo {
        version_to,
        flags_to,
        machine_extensions_to,
        user_extensions_to,
        wmi_filter,
        ..
    } = step
    else {
        return Vec::new();
    };
    let same_list = |a: &ExtensionList, b: &ExtensionList| a == b || (a.is_empty() && b.is_empty());
    let differ = [
        ("version", object.version != Some(*version_to)),
        ("status", object.flags != Some(*flags_to)),
        (
            "extensions",
            !same_list(&object.machine_extensions, machine_extensions_to)
                || !same_list(&object.user_extensions, user_extensions_to),
        ),
        (
            "WMI filter",
            wmi_filter
                .as_ref()
                .is_some_and(|filter| filter.to != object.wmi_filter),
        ),
    ];
    let differ = differ.iter().filter(|(_, differs)| *differs);
    differ.map(|(name, _)| *name).collect()
}

//! Compares a GPO with the result of a plan.

use super::{GpoPlan, Step, tree_hashes};
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::plan::objects;
use crate::session::read::LiveGpo;

impl GpoPlan {
    /// How a GPO differs from the result of this plan, a part of a sentence each; `new` is [`GpoPlan::new_tree`].
    pub(crate) fn differences_from_plan(&self, new: &GptTree, live: &LiveGpo) -> Vec<String> {
        let mut wrong = self.differences_beside_files(live);
        if tree_hashes(new) != tree_hashes(&live.snapshot.tree) {
            wrong.insert(0, "the files".to_owned());
        }
        wrong
    }

    /// The same without the files.
    pub(crate) fn differences_beside_files(&self, live: &LiveGpo) -> Vec<String> {
        let mut wrong = Vec::new();
        let has_gpt_ini = match &self.gpt_ini {
            Some(planned) => live.gpt_ini.as_ref() == Some(&planned.0),
            // A GPO without settings is made with one of version 0.
            None => !self.target.create || live.gpt_ini.is_some(),
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
            if let Step::ModifyGpo {
                version_to,
                flags_to,
                machine_extensions_to,
                user_extensions_to,
                wmi_filter,
                ..
            } = step
            {
                let same_list =
                    |a: &ExtensionList, b: &ExtensionList| a == b || (a.is_empty() && b.is_empty());
                if object.version != Some(*version_to)
                    || object.flags != Some(*flags_to)
                    || !same_list(&object.machine_extensions, machine_extensions_to)
                    || !same_list(&object.user_extensions, user_extensions_to)
                    || wmi_filter
                        .as_ref()
                        .is_some_and(|filter| filter.to != object.wmi_filter)
                {
                    wrong.push("the attributes".to_owned());
                }
            }
        }
        wrong
    }
}

//! Administrative templates: which policy a registry value belongs to, and what it is called in the editor [PolicyDefinitions
//! schema].

mod matching;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::formats::adml::Adml;
use crate::formats::admx::{Admx, Class, Element, ElementKind, ListedValue, Policy, Reference};
use crate::formats::registry_pol::RegistryPol;
use crate::model::shared_text::SharedText;

use super::{File, Half};

/// The deepest category that is shown whole: deeper ones, and those that contain themselves, are cut there.
const MAX_DEPTH: usize = 32;

/// A set of templates, with the texts of one language.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    policies: Vec<Described>,
    /// The policies that mention a key, by the key in lower case.
    by_key: HashMap<String, Vec<usize>>,
}

/// A policy and its texts.
#[derive(Debug, Clone)]
struct Described {
    policy: Policy,
    /// The namespace of its template and its name in it.
    id: SharedText,
    name: SharedText,
    /// The categories, from the outermost one inwards, separated by `/`.
    category: SharedText,
    /// The labels of its elements, by ID, in the order in which they are shown.
    labels: Vec<(String, SharedText)>,
}

impl Templates {
    /// Templates, each with its texts. Without texts, or without one of them, a name is that of the template. Of several policies with
    /// the same namespace and name, the first counts.
    pub fn new(templates: &[(Admx, Option<Adml>)]) -> Self {
        let categories = Categories::new(templates);
        let mut set = Self::default();
        let mut known = HashSet::new();
        for (template, texts) in templates {
            let namespace = &template.target.name;
            for policy in &template.policies {
                let mut policy = policy.clone();
                // Not needed to decode, and most of what the templates contain.
                policy.explain_text.clear();
                name_choices(&mut policy, texts.as_ref());
                let id = format!("{namespace}:{}", policy.name).to_lowercase();
                if !known.insert(id.clone()) {
                    continue;
                }
                let described = Described {
                    id: id.into(),
                    name: shown(texts.as_ref(), &policy.display_name, &policy.name),
                    category: categories.path(&policy.category),
                    labels: labels(&policy, texts.as_ref()),
                    policy,
                };
                let number = set.policies.len();
                for key in keys(&described.policy) {
                    set.by_key.entry(key).or_default().push(number);
                }
                set.policies.push(described);
            }
        }
        set
    }

    /// How many policies they describe.
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    /// Whether they describe none.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// Adds the policies that the records of a file configure. Returns the numbers of the records that belong to one, from 0.
    pub(super) fn decode(&self, file: &mut File<'_>, policy: &RegistryPol) -> BTreeSet<usize> {
        let values = matching::Values::new(policy);
        let mut candidates: Vec<usize> = values
            .keys()
            .filter_map(|key| self.by_key.get(key))
            .flatten()
            .copied()
            .collect();
        candidates.sort_unstable();
        candidates.dedup();
        let mut used = BTreeSet::new();
        for described in candidates
            .into_iter()
            .filter_map(|number| self.policies.get(number))
        {
            let fits = match described.policy.class {
                Class::Machine => file.half == Half::Computer,
                Class::User => file.half == Half::User,
                Class::Both => true,
            };
            if !fits {
                continue;
            }
            if let Some((new, records)) = matching::setting(described, &values, &file.path) {
                used.extend(records);
                file.push(new);
            }
        }
        used
    }
}

/// The text of a reference, or the name where there is none.
fn shown(texts: Option<&Adml>, reference: &str, name: &str) -> SharedText {
    let text = texts.and_then(|texts| texts.text(reference));
    text.map(str::trim)
        .filter(|text| !text.is_empty() && !text.starts_with("$("))
        .unwrap_or(name)
        .into()
}

/// Replaces the references of choices by their texts.
fn name_choices(policy: &mut Policy, texts: Option<&Adml>) {
    for element in &mut policy.elements {
        if let ElementKind::Enum(items) = &mut element.kind {
            for item in items {
                let text = texts.and_then(|texts| texts.text(&item.display_name));
                if let Some(text) = text.map(str::to_owned) {
                    item.display_name = text;
                }
            }
        }
    }
}

/// The labels of the elements in the order of the presentation; those without a control after them, with their IDs.
fn labels(policy: &Policy, texts: Option<&Adml>) -> Vec<(String, SharedText)> {
    let presentation = policy.presentation.as_deref();
    let controls = presentation
        .zip(texts)
        .and_then(|(reference, texts)| texts.presentation(reference))
        .unwrap_or_default();
    let mut labels: Vec<(String, SharedText)> = controls
        .iter()
        .filter(|control| policy.elements.iter().any(|one| one.id == control.ref_id))
        .map(|control| {
            let label = control.label.trim_end_matches(':');
            let label = if label.is_empty() {
                &control.ref_id
            } else {
                label
            };
            (control.ref_id.clone(), label.into())
        })
        .collect();
    for element in &policy.elements {
        if !labels.iter().any(|(id, _)| *id == element.id) {
            labels.push((element.id.clone(), element.id.as_str().into()));
        }
    }
    labels
}

/// Every key that a policy mentions, in lower case.
fn keys(policy: &Policy) -> BTreeSet<String> {
    let listed = |values: &[ListedValue]| -> Vec<String> {
        values
            .iter()
            .filter_map(|value| value.key.clone())
            .collect()
    };
    let mut keys = vec![policy.key.clone()];
    keys.extend(listed(&policy.enabled_list));
    keys.extend(listed(&policy.disabled_list));
    for element in &policy.elements {
        keys.extend(element.key.clone());
        keys.extend(lists(element).into_iter().flat_map(listed));
    }
    keys.into_iter().map(|key| key.to_lowercase()).collect()
}

/// The lists of values of an element.
fn lists(element: &Element) -> Vec<&[ListedValue]> {
    match &element.kind {
        ElementKind::Boolean {
            true_list,
            false_list,
            ..
        } => vec![true_list, false_list],
        ElementKind::Enum(items) => items.iter().map(|item| item.values.as_slice()).collect(),
        _ => Vec::new(),
    }
}

/// The names and parents of all categories.
struct Categories<'a> {
    known: HashMap<(&'a str, &'a str), (SharedText, Option<&'a Reference>)>,
}

impl<'a> Categories<'a> {
    fn new(templates: &'a [(Admx, Option<Adml>)]) -> Self {
        let mut known = HashMap::new();
        for (template, texts) in templates {
            for category in &template.categories {
                let name = shown(texts.as_ref(), &category.display_name, &category.name);
                known
                    .entry((template.target.name.as_str(), category.name.as_str()))
                    .or_insert((name, category.parent.as_ref()));
            }
        }
        Self { known }
    }

    /// The path of a category; an unknown one has its name in the template.
    fn path(&self, category: &Reference) -> SharedText {
        let mut names = Vec::new();
        let mut next = Some(category);
        while let Some(reference) = next.filter(|_| names.len() < MAX_DEPTH) {
            let key = (reference.namespace.as_str(), reference.name.as_str());
            next = match self.known.get(&key) {
                Some((name, parent)) => {
                    names.push(name.to_string());
                    *parent
                }
                None => {
                    names.push(reference.name.clone());
                    None
                }
            };
        }
        names.retain(|name| !name.is_empty());
        names.reverse();
        names.join("/").into()
    }
}

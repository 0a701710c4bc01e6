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
    categories: Categories,
    /// The policies that mention a key, by the key in lower case.
    by_key: HashMap<String, Vec<usize>>,
}

/// A policy and its texts. Texts are shared: thousands of policies of a hostile template may refer to one long text.
#[derive(Debug, Clone)]
struct Described {
    policy: Policy,
    /// The namespace of its template.
    namespace: SharedText,
    name: SharedText,
    /// The numbers of its elements and their labels, in the order in which they are shown.
    labels: Vec<(usize, SharedText)>,
}

impl Described {
    /// The namespace of its template and its name in it.
    fn id(&self) -> SharedText {
        format!("{}:{}", self.namespace, self.policy.name)
            .to_lowercase()
            .into()
    }
}

impl Templates {
    /// Templates, each with its texts. Without texts, or without one of them, a name is that of the template. Of several policies with
    /// the same namespace and name, the first counts.
    pub fn new(templates: &[(Admx, Option<Adml>)]) -> Self {
        let mut set = Self {
            categories: Categories::new(templates),
            ..Self::default()
        };
        let mut known = HashSet::new();
        for (template, texts) in templates {
            let folded = SharedText::from(template.target.name.to_lowercase());
            for policy in &template.policies {
                if !known.insert((folded.clone(), policy.name.to_lowercase())) {
                    continue;
                }
                let mut policy = policy.clone();
                // Not needed to decode, and most of what the templates contain.
                policy.explain_text.clear();
                name_choices(&mut policy, texts.as_ref());
                let described = Described {
                    namespace: template.target.name.clone(),
                    name: shown(texts.as_ref(), &policy.display_name, &policy.name),
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
            if let Some((mut new, records)) = matching::setting(described, &values, &file.path) {
                new.category = self.categories.path(&described.policy.category);
                used.extend(records);
                file.push(new);
                if file.is_full {
                    break;
                }
            }
        }
        used
    }
}

/// The text of a reference, or the name where there is none.
fn shown(texts: Option<&Adml>, reference: &str, name: &str) -> SharedText {
    let text = texts.and_then(|texts| texts.text(reference));
    text.filter(|text| !text.trim().is_empty() && !text.trim().starts_with("$("))
        .unwrap_or_else(|| name.into())
}

/// A text without blanks at its ends.
fn trimmed(text: &SharedText) -> SharedText {
    match text.trim() {
        same if same.len() == text.len() => text.clone(),
        shorter => shorter.into(),
    }
}

/// Replaces the references of choices by their texts.
fn name_choices(policy: &mut Policy, texts: Option<&Adml>) {
    for element in &mut policy.elements {
        if let ElementKind::Enum(items) = &mut element.kind {
            for item in items {
                let text = texts.and_then(|texts| texts.text(&item.display_name));
                if let Some(text) = text {
                    item.display_name = text;
                }
            }
        }
    }
}

/// The labels of the elements in the order of the presentation; those without a control after them, with their IDs.
fn labels(policy: &Policy, texts: Option<&Adml>) -> Vec<(usize, SharedText)> {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for (number, element) in policy.elements.iter().enumerate() {
        left.entry(&element.id).or_insert(number);
    }
    let presentation = policy.presentation.as_deref();
    let controls = presentation
        .filter(|_| !left.is_empty())
        .zip(texts)
        .and_then(|(reference, texts)| texts.presentation(reference))
        .unwrap_or_default();
    let mut labels = Vec::new();
    for control in controls {
        if let Some(number) = left.remove(control.ref_id.as_str()) {
            let label = match control.label.is_empty() {
                true => control.ref_id.as_str().into(),
                false => control.label.clone(),
            };
            labels.push((number, label));
        }
    }
    let mut left: Vec<(usize, &str)> = left.into_iter().map(|(id, number)| (number, id)).collect();
    left.sort_unstable();
    labels.extend(left.into_iter().map(|(number, id)| (number, id.into())));
    labels
}

/// Every key that a policy mentions, in lower case.
fn keys(policy: &Policy) -> BTreeSet<String> {
    let elements = policy.elements.iter();
    let own = elements
        .clone()
        .filter_map(|element| element.key.as_deref());
    let listed = [policy.enabled_list.as_slice(), &policy.disabled_list]
        .into_iter()
        .chain(elements.flat_map(lists))
        .flatten()
        .filter_map(|value| value.key.as_deref());
    // The values of a list have the same key, each.
    let keys: BTreeSet<&str> = std::iter::once(policy.key.as_str())
        .chain(own)
        .chain(listed)
        .collect();
    keys.into_iter().map(str::to_lowercase).collect()
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

/// The names and parents of all categories. Paths are made when they are needed: those of all categories of a hostile template
/// would be longer than the template by far.
#[derive(Debug, Clone, Default)]
struct Categories {
    known: HashMap<Reference, (SharedText, Option<Reference>)>,
}

impl Categories {
    fn new(templates: &[(Admx, Option<Adml>)]) -> Self {
        let mut known = HashMap::new();
        for (template, texts) in templates {
            for category in &template.categories {
                let name = shown(texts.as_ref(), &category.display_name, &category.name);
                let reference = Reference {
                    namespace: template.target.name.clone(),
                    name: category.name.clone(),
                };
                known
                    .entry(reference)
                    .or_insert((name, category.parent.clone()));
            }
        }
        Self { known }
    }

    /// The path of a category, from the outermost one inwards, separated by `/`; an unknown one has its name in the template.
    fn path(&self, category: &Reference) -> SharedText {
        let mut names: Vec<&str> = Vec::new();
        let mut next = Some(category);
        while let Some(reference) = next.filter(|_| names.len() < MAX_DEPTH) {
            next = match self.known.get(reference) {
                Some((name, parent)) => {
                    names.push(name.trim());
                    parent.as_ref()
                }
                None => {
                    names.push(&reference.name);
                    None
                }
            };
        }
        names.retain(|name| !name.is_empty());
        names.reverse();
        names.join("/").into()
    }
}

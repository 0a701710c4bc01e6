//! ADMX: administrative templates, which describe what the values of Registry.pol mean [PolicyDefinitions schema]. The texts are in
//! the ADML file of a language ([`super::adml`]).
//!
//! A template that is not well-formed is refused with its line. A policy or a category of it that cannot be used is left out, and
//! listed in [`Admx::ignored`]: the others still have their names.

mod elements;

pub use elements::{Element, ElementKind, EnumItem};

use super::xml_tree::{self, Element as Node, InvalidXml};
use crate::model::shared_text::SharedText;

/// The namespace of the elements; some templates have another one of the same schema, so it is not required.
pub const NAMESPACE: &str = "http://schemas.microsoft.com/GroupPolicy/2006/07/PolicyDefinitions";

/// The most policies of one template; the largest of Microsoft's have about 2,000.
pub const MAX_POLICIES: usize = 20_000;

/// A template, which returns the bytes it was parsed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admx {
    /// The namespace of its own names.
    pub target: Namespace,
    /// The namespaces of other templates that it uses.
    pub using: Vec<Namespace>,
    /// The categories.
    pub categories: Vec<Category>,
    /// The definitions of what is supported on which products.
    pub supported_on: Vec<SupportedOn>,
    /// The policies.
    pub policies: Vec<Policy>,
    /// What is not used of it.
    pub ignored: Vec<Ignored>,
    bytes: Vec<u8>,
}

/// A namespace and its prefix in one template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Namespace {
    /// The prefix.
    pub prefix: String,
    /// The namespace.
    pub name: SharedText,
}

/// A part of a template that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Its line, from 1.
    pub line: usize,
    /// What, and why.
    pub reason: String,
}

/// The name of a category or a definition, with the namespace of the template that has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Reference {
    /// The namespace.
    pub namespace: SharedText,
    /// The name.
    pub name: String,
}

/// A category of the editor's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// What is shown: text, or `$(string.ID)`.
    pub display_name: String,
    /// Its explanation, likewise.
    pub explain_text: String,
    /// The category that it is in.
    pub parent: Option<Reference>,
}

/// A text that says on which products a policy is supported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportedOn {
    /// Its name.
    pub name: String,
    /// What is shown: text, or `$(string.ID)`.
    pub display_name: String,
}

/// The configuration that a policy belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The computer configuration.
    Machine,
    /// The user configuration.
    User,
    /// Either.
    Both,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Its configuration.
    pub class: Class,
    /// What is shown: text, or `$(string.ID)`.
    pub display_name: String,
    /// Its explanation, likewise.
    pub explain_text: String,
    /// The presentation of its elements, `$(presentation.ID)`.
    pub presentation: Option<String>,
    /// The registry key.
    pub key: String,
    /// The value that enables or disables it.
    pub value_name: Option<String>,
    /// Its category.
    pub category: Reference,
    /// On which products it is supported.
    pub supported_on: Option<Reference>,
    /// The data of the value when it is enabled; without it, the number 1.
    pub enabled: Option<RegistryValue>,
    /// The data when it is disabled; without it, the value is deleted.
    pub disabled: Option<RegistryValue>,
    /// More values that are set when it is enabled.
    pub enabled_list: Vec<ListedValue>,
    /// More values that are set when it is disabled.
    pub disabled_list: Vec<ListedValue>,
    /// What can be entered when it is enabled.
    pub elements: Vec<Element>,
    /// The GUID of the client-side extension that processes it.
    pub client_extension: Option<String>,
    /// Its line, from 1.
    pub line: usize,
}

/// The data of a registry value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryValue {
    /// The value is deleted.
    Delete,
    /// A REG_DWORD.
    Decimal(u32),
    /// A REG_QWORD.
    LongDecimal(u64),
    /// A REG_SZ.
    String(String),
}

/// A value of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedValue {
    /// Its key; `None` for that of the policy or the element.
    pub key: Option<SharedText>,
    /// Its name.
    pub value_name: String,
    /// Its data.
    pub value: RegistryValue,
}

impl Admx {
    /// Reads a template.
    ///
    /// # Errors
    /// [`InvalidXml`] when it is not well-formed, its root is not `policyDefinitions`, or it has no target namespace.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidXml> {
        let root = xml_tree::parse(bytes)?;
        if root.name != "policyDefinitions" {
            return Err(root.error(format!("not a template: the root is {}", &*root.name)));
        }
        let namespace = |node: &Node| Namespace {
            prefix: attribute(node, "prefix"),
            name: attribute(node, "namespace").into(),
        };
        let namespaces = || root.named("policyNamespaces");
        let target = namespaces().flat_map(|node| node.named("target")).next();
        let target = target.ok_or_else(|| root.error("the template has no target namespace"))?;
        let mut template = Self {
            target: namespace(target),
            using: namespaces()
                .flat_map(|node| node.named("using"))
                .map(namespace)
                .collect(),
            categories: Vec::new(),
            supported_on: Vec::new(),
            policies: Vec::new(),
            ignored: Vec::new(),
            bytes: bytes.to_vec(),
        };
        for node in below(&root, "categories", "category") {
            let category = template.category(node);
            template.keep(category, |template, category| {
                template.categories.push(category);
            });
        }
        let definitions = root.named("supportedOn");
        for node in definitions.flat_map(|node| below(node, "definitions", "definition")) {
            template.supported_on.push(SupportedOn {
                name: attribute(node, "name"),
                display_name: attribute(node, "displayName"),
            });
        }
        for node in below(&root, "policies", "policy") {
            if template.policies.len() >= MAX_POLICIES {
                let reason = format!("more than {MAX_POLICIES} policies");
                return Err(node.error(reason));
            }
            let policy = template.policy(node);
            template.keep(policy, |template, policy| template.policies.push(policy));
        }
        Ok(template)
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// Keeps what was read, or why it is ignored.
    fn keep<T>(&mut self, read: Result<T, Ignored>, push: impl FnOnce(&mut Self, T)) {
        match read {
            Ok(read) => push(self, read),
            Err(ignored) => self.ignored.push(ignored),
        }
    }

    fn category(&self, node: &Node) -> Result<Category, Ignored> {
        let parent = node.named("parentCategory").next();
        Ok(Category {
            name: required(node, "name")?,
            display_name: attribute(node, "displayName"),
            explain_text: attribute(node, "explainText"),
            parent: parent
                .map(|parent| self.reference(parent, "ref"))
                .transpose()?,
        })
    }

    fn policy(&self, node: &Node) -> Result<Policy, Ignored> {
        let name = required(node, "name")?;
        let class = match attribute(node, "class").as_str() {
            "Machine" => Class::Machine,
            "User" => Class::User,
            "Both" => Class::Both,
            other => {
                let reason = format!("policy {name} has the class \"{other}\"");
                return Err(ignored(node, reason));
            }
        };
        let category = node.named("parentCategory").next();
        let category = category
            .map(|category| self.reference(category, "ref"))
            .transpose()?;
        let supported_on = node.named("supportedOn").next();
        let elements = node.named("elements").flat_map(Node::elements);
        Ok(Policy {
            class,
            display_name: attribute(node, "displayName"),
            explain_text: attribute(node, "explainText"),
            presentation: optional(node, "presentation"),
            key: required(node, "key")?,
            value_name: optional(node, "valueName"),
            category: category.unwrap_or_default(),
            supported_on: supported_on
                .map(|supported| self.reference(supported, "ref"))
                .transpose()?,
            enabled: value_in(node, "enabledValue")?,
            disabled: value_in(node, "disabledValue")?,
            enabled_list: list_in(node, "enabledList")?,
            disabled_list: list_in(node, "disabledList")?,
            elements: elements.map(Element::read).collect::<Result<Vec<_>, _>>()?,
            client_extension: optional(node, "clientExtension"),
            line: node.line,
            name,
        })
    }

    /// A name with the prefix of a namespace, or without one for the target namespace.
    fn reference(&self, node: &Node, attribute: &str) -> Result<Reference, Ignored> {
        let text = required(node, attribute)?;
        let Some((prefix, name)) = text.split_once(':') else {
            return Ok(Reference {
                namespace: self.target.name.clone(),
                name: text,
            });
        };
        let mut known = std::iter::once(&self.target).chain(&self.using);
        let namespace = known.find(|namespace| namespace.prefix == prefix);
        match namespace {
            Some(namespace) => Ok(Reference {
                namespace: namespace.name.clone(),
                name: name.to_owned(),
            }),
            None => Err(ignored(
                node,
                format!("\"{text}\" has a prefix that the template does not declare"),
            )),
        }
    }
}

/// The grandchildren of these names.
fn below<'a>(node: &'a Node, parent: &'a str, name: &'a str) -> impl Iterator<Item = &'a Node> {
    node.named(parent)
        .flat_map(move |parent| parent.named(name))
}

fn ignored(node: &Node, reason: impl Into<String>) -> Ignored {
    Ignored {
        line: node.line,
        reason: reason.into(),
    }
}

/// An attribute; empty when there is none.
fn attribute(node: &Node, name: &str) -> String {
    node.attribute(name).unwrap_or_default().to_owned()
}

fn optional(node: &Node, name: &str) -> Option<String> {
    node.attribute(name)
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
}

fn required(node: &Node, name: &str) -> Result<String, Ignored> {
    optional(node, name).ok_or_else(|| ignored(node, format!("{} has no {name}", &*node.name)))
}

/// The data in a child of this name.
fn value_in(node: &Node, name: &str) -> Result<Option<RegistryValue>, Ignored> {
    node.named(name).next().map(registry_value).transpose()
}

/// `delete`, `decimal`, `longDecimal` or `string`.
fn registry_value(node: &Node) -> Result<RegistryValue, Ignored> {
    let Some(value) = node.elements().next() else {
        return Err(ignored(node, format!("{} has no data", &*node.name)));
    };
    let text = attribute(value, "value");
    let bad = || ignored(value, format!("\"{text}\" is not a number of its size"));
    match value.name.as_str() {
        "delete" => Ok(RegistryValue::Delete),
        "decimal" => text
            .trim()
            .parse()
            .map(RegistryValue::Decimal)
            .map_err(|_| bad()),
        "longDecimal" => text
            .trim()
            .parse()
            .map(RegistryValue::LongDecimal)
            .map_err(|_| bad()),
        "string" => Ok(RegistryValue::String(value.text())),
        other => Err(ignored(value, format!("{other} is not data of a value"))),
    }
}

/// The values in a child of this name.
fn list_in(node: &Node, name: &str) -> Result<Vec<ListedValue>, Ignored> {
    let Some(list) = node.named(name).next() else {
        return Ok(Vec::new());
    };
    let default = optional(list, "defaultKey").map(SharedText::from);
    let items = list.named("item");
    items
        .map(|item| {
            Ok(ListedValue {
                key: optional(item, "key")
                    .map(SharedText::from)
                    .or_else(|| default.clone()),
                value_name: attribute(item, "valueName"),
                value: value_in(item, "value")?
                    .ok_or_else(|| ignored(item, "an item of a list has no value"))?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;

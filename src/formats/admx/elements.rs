//! The elements of a policy: what can be entered when it is enabled.

use super::{
    Ignored, ListedValue, Node, RegistryValue, attribute, ignored, list_in, optional, required,
    value_in,
};
use crate::model::shared_text::SharedText;

/// An element of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its ID, which its control in the presentation refers to.
    pub id: String,
    /// Its key; `None` for that of the policy.
    pub key: Option<String>,
    /// Its value; empty for a list, which has a value for each item.
    pub value_name: String,
    /// Whether something must be entered.
    pub required: bool,
    /// What can be entered.
    pub kind: ElementKind,
}

/// What can be entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElementKind {
    /// A check box.
    Boolean {
        /// The data when it is checked; without it, the number 1.
        true_value: Option<RegistryValue>,
        /// The data when it is not; without it, the value is deleted.
        false_value: Option<RegistryValue>,
        /// More values when it is checked.
        true_list: Vec<ListedValue>,
        /// More values when it is not.
        false_list: Vec<ListedValue>,
    },
    /// A number of 32 bits.
    Decimal {
        /// The smallest one.
        min: u32,
        /// The largest one.
        max: u32,
        /// Whether it is stored as REG_SZ.
        store_as_text: bool,
    },
    /// A number of 64 bits.
    LongDecimal {
        /// The smallest one.
        min: u64,
        /// The largest one.
        max: u64,
        /// Whether it is stored as REG_SZ.
        store_as_text: bool,
    },
    /// A line of text.
    Text {
        /// Its most characters.
        max_length: Option<u32>,
        /// Whether it is stored as REG_EXPAND_SZ.
        expandable: bool,
    },
    /// Several lines, stored as REG_MULTI_SZ.
    MultiText,
    /// One of several choices.
    Enum(Vec<EnumItem>),
    /// Values with names of their own.
    List {
        /// Whether the values that are there already are kept: without it, `**delvals.` deletes them.
        additive: bool,
        /// Whether the user enters the names of the values.
        explicit_value: bool,
        /// Whether they are stored as REG_EXPAND_SZ.
        expandable: bool,
        /// The beginning of the names, which a number follows; without it, name and data are the same.
        value_prefix: Option<String>,
    },
}

/// A choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumItem {
    /// What is shown: text, or `$(string.ID)`.
    pub display_name: SharedText,
    /// The data of the element's value.
    pub value: RegistryValue,
    /// More values.
    pub values: Vec<ListedValue>,
}

impl Element {
    /// Reads an element.
    pub(super) fn read(node: &Node) -> Result<Self, Ignored> {
        let flag = |name: &str| matches!(attribute(node, name).as_str(), "true" | "1");
        let kind = match node.name.as_str() {
            "boolean" => ElementKind::Boolean {
                true_value: value_in(node, "trueValue")?,
                false_value: value_in(node, "falseValue")?,
                true_list: list_in(node, "trueList")?,
                false_list: list_in(node, "falseList")?,
            },
            "decimal" => ElementKind::Decimal {
                min: number(node, "minValue", 0)?,
                max: number(node, "maxValue", 9999)?,
                store_as_text: flag("storeAsText"),
            },
            "longDecimal" => ElementKind::LongDecimal {
                min: number(node, "minValue", 0)?,
                max: number(node, "maxValue", 9999)?,
                store_as_text: flag("storeAsText"),
            },
            "text" => ElementKind::Text {
                max_length: match optional(node, "maxLength") {
                    Some(_) => Some(number(node, "maxLength", 0)?),
                    None => None,
                },
                expandable: flag("expandable"),
            },
            "multiText" => ElementKind::MultiText,
            "enum" => ElementKind::Enum(
                node.named("item")
                    .map(|item| {
                        Ok(EnumItem {
                            display_name: attribute(item, "displayName").into(),
                            value: value_in(item, "value")?
                                .ok_or_else(|| ignored(item, "a choice has no value"))?,
                            values: list_in(item, "valueList")?,
                        })
                    })
                    .collect::<Result<Vec<_>, Ignored>>()?,
            ),
            "list" => ElementKind::List {
                additive: flag("additive"),
                explicit_value: flag("explicitValue"),
                expandable: flag("expandable"),
                value_prefix: node.attribute("valuePrefix").map(str::to_owned),
            },
            other => {
                return Err(ignored(
                    node,
                    format!("{other} is not an element of a policy"),
                ));
            }
        };
        let value_name = match kind {
            ElementKind::List { .. } => attribute(node, "valueName"),
            _ => required(node, "valueName")?,
        };
        Ok(Self {
            id: required(node, "id")?,
            key: optional(node, "key"),
            value_name,
            required: flag("required"),
            kind,
        })
    }
}

/// The number of an attribute.
fn number<T: std::str::FromStr>(node: &Node, name: &str, default: T) -> Result<T, Ignored> {
    let Some(text) = optional(node, name) else {
        return Ok(default);
    };
    let number = text.trim().parse();
    number.map_err(|_| {
        ignored(
            node,
            format!("{name} \"{text}\" is not a number of its size"),
        )
    })
}

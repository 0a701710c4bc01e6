//! The descriptions of single values, derived from the changes alone.

use std::collections::BTreeMap;

use super::names::ObjectNames;
use super::{DescriptorSwap, PlannedValue, ValueChange};
use crate::directory::{AttributeSwap, SwapAttribute};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::gpt_ini;
use crate::message::printable;
use crate::model::dn::Dn;
use crate::model::gp_link::{GpLink, LinkList};
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::snapshot::WmiFilterLink;
use crate::model::version::GpoVersion;
use crate::model::wmi_filter::parse_queries;
use crate::plan::gpo::FileContent;

impl PlannedValue {
    /// Replaces the summary by a description of the change.
    pub(crate) fn describe(&mut self) {
        self.summary = self.change.describe(&ObjectNames::default());
    }

    /// Refuses a summary that does not describe the change with this number.
    ///
    /// # Errors
    /// `BadInput`, with the number of the change.
    pub(crate) fn refuse_false_description(&self, number: usize) -> Result<()> {
        if self.summary == self.change.describe(&ObjectNames::default()) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::BadInput,
            format!("the plan does not describe what it does: change {number}"),
        )
        .with_hint(
            "nothing was changed; it was edited, or saved by another version of gpoctl: make it again",
        ))
    }
}

impl ValueChange {
    /// The description, a line each: `-` for what is removed, `+` for what is added, `~` for what is changed. Without names it is
    /// that of a saved plan, whose words are compared with it when it is read, also by later versions.
    pub(crate) fn describe(&self, names: &ObjectNames) -> Vec<String> {
        match self {
            Self::Attributes { dn, attributes } if names.are_unknown() => attributes
                .iter()
                .flat_map(|swap| saved_attribute(&dn.0, swap))
                .collect(),
            Self::Attributes { dn, attributes } => {
                let heading = attributes
                    .iter()
                    .any(|swap| is_of_filter(swap.attribute))
                    .then(|| format!("~ WMI filter {}", names.filter_of(&dn.0)));
                let lines = attributes
                    .iter()
                    .flat_map(|swap| attribute(&dn.0, swap, names));
                heading.into_iter().chain(lines).collect()
            }
            Self::AddWmiFilter { dn, attributes } => wmi_filter('+', &dn.0, attributes, names),
            Self::RemoveWmiFilter { dn, attributes } => wmi_filter('-', &dn.0, attributes, names),
            Self::GptIni {
                guid,
                old,
                new,
                descriptor,
            } => {
                let guid = names.gpo(*guid);
                let mut lines = vec![format!(
                    "~ GPT.INI of {guid}: {} -> {}",
                    gpt_ini_text(old.as_ref()),
                    gpt_ini_text(new.as_ref())
                )];
                lines.extend(
                    descriptor
                        .as_ref()
                        .map(|bytes| format!("~   permissions: {}", descriptor_text(bytes))),
                );
                lines
            }
            Self::Descriptors { guid, entries } => {
                let guid = names.gpo(*guid);
                let mut groups: BTreeMap<(String, String), Vec<&DescriptorSwap>> = BTreeMap::new();
                for entry in entries {
                    let key = (descriptor_text(&entry.old), descriptor_text(&entry.new));
                    groups.entry(key).or_default().push(entry);
                }
                let name = |entry: &DescriptorSwap| match entry.path.is_root() {
                    true => "the GPO folder".to_owned(),
                    false => printable(&entry.path.to_string()),
                };
                let lines = |((old, new), entries): ((String, String), Vec<&DescriptorSwap>)| {
                    let what = match entries.as_slice() {
                        [one] => {
                            return vec![format!(
                                "~ permissions of {} of {guid}: {old} -> {new}",
                                name(one)
                            )];
                        }
                        several => format!("{} files and folders of {guid}", several.len()),
                    };
                    let mut lines = vec![format!("~ permissions of {what}: {old} -> {new}")];
                    lines.extend(entries.iter().map(|entry| format!("~   {}", name(entry))));
                    lines
                };
                groups.into_iter().flat_map(lines).collect()
            }
        }
    }
}

/// An attribute in the words of a saved plan.
fn saved_attribute(dn: &Dn, swap: &AttributeSwap) -> Vec<String> {
    let place = dn.canonical_name();
    match swap.attribute {
        SwapAttribute::GpLink => {
            let [old, new] = [&swap.old, &swap.new].map(|value| {
                let links = (1_usize..).zip(links_of(value.as_deref(), &ObjectNames::default()));
                let links = links.map(|(order, link)| format!("order {order}: {link}"));
                links.collect::<Vec<_>>()
            });
            let line = |sign: char, link: &String| format!("{sign} link of {place}: {link}");
            let gone = old.iter().filter(|link| !new.contains(link));
            let come = new.iter().filter(|link| !old.contains(link));
            let lines: Vec<String> = gone
                .map(|link| line('-', link))
                .chain(come.map(|link| line('+', link)))
                .collect();
            // Text that is not a link changes too.
            if lines.is_empty() {
                return vec![raw(swap, &place)];
            }
            lines
        }
        SwapAttribute::GpOptions => attribute(dn, swap, &ObjectNames::default()),
        _ => vec![raw(swap, &place)],
    }
}

fn attribute(dn: &Dn, swap: &AttributeSwap, names: &ObjectNames) -> Vec<String> {
    let place = names.place(dn);
    match swap.attribute {
        SwapAttribute::GpLink => links(&place, swap, names),
        SwapAttribute::GpOptions => {
            let word = |value: &Option<String>| {
                let blocked = value
                    .as_deref()
                    .and_then(|text| text.parse::<i32>().ok())
                    .is_some_and(|options| options & 1 != 0);
                if blocked { "blocked" } else { "not blocked" }
            };
            vec![format!(
                "~ inheritance of {place}: {} -> {}",
                word(&swap.old),
                word(&swap.new)
            )]
        }
        SwapAttribute::WqlFilter => {
            let text = |value: &Option<String>| match value {
                Some(value) => linked_filter(value, names),
                None => "none".to_owned(),
            };
            vec![format!(
                "~ WMI filter of {place}: {} -> {}",
                text(&swap.old),
                text(&swap.new)
            )]
        }
        SwapAttribute::Version => {
            let text = |value: &Option<String>| match value {
                Some(value) => value.parse::<i32>().map_or_else(
                    |_| printable(value),
                    |number| GpoVersion::from_combined(number.cast_unsigned()).in_words(),
                ),
                None => "absent".to_owned(),
            };
            vec![format!(
                "~ versionNumber of {place}: {} -> {}",
                text(&swap.old),
                text(&swap.new)
            )]
        }
        // Too long for one line.
        SwapAttribute::MachineExtensions | SwapAttribute::UserExtensions => {
            let mut lines = vec![format!("~ {} of {place}", swap.attribute.as_str())];
            for (sign, value) in [('-', &swap.old), ('+', &swap.new)] {
                let value = value.as_deref().map(printable);
                lines.extend(value.map(|value| format!("{sign}   {value}")));
            }
            lines
        }
        attribute if is_of_filter(attribute) => filter_lines(swap),
        _ => vec![raw(swap, &place)],
    }
}

/// An attribute as the directory has it.
fn raw(swap: &AttributeSwap, place: &str) -> String {
    let text = |value: &Option<String>| match value {
        Some(value) => printable(value),
        None => "absent".to_owned(),
    };
    format!(
        "~ {} of {place}: {} -> {}",
        swap.attribute.as_str(),
        text(&swap.old),
        text(&swap.new)
    )
}

/// The links of a container that are not the same before and after, with their order: 1 is the highest precedence. Those above
/// and below all changes are left out.
fn links(place: &str, swap: &AttributeSwap, names: &ObjectNames) -> Vec<String> {
    let [old, new] = [&swap.old, &swap.new].map(|value| links_of(value.as_deref(), names));
    let above = same(old.iter().zip(&new));
    let of = |links: &[String]| links.len().saturating_sub(above);
    let below = same(old.iter().rev().zip(new.iter().rev())).min(of(&old).min(of(&new)));
    let line = |sign: char, order: usize, link: &String| {
        format!("{sign} link of {place}: order {order}: {link}")
    };
    let mut lines = Vec::new();
    for (sign, links) in [('-', &old), ('+', &new)] {
        let changed = of(links).saturating_sub(below);
        let numbered = (1_usize..).zip(links).skip(above).take(changed);
        lines.extend(numbered.map(|(order, link)| line(sign, order, link)));
    }
    // Text that is not a link changes too.
    if lines.is_empty() {
        return vec![raw(swap, place)];
    }
    lines
}

/// The links of a `gPLink`, the highest precedence first.
fn links_of(value: Option<&str>, names: &ObjectNames) -> Vec<String> {
    let list = LinkList::parse(value.unwrap_or_default());
    let mut links: Vec<String> = list.links().map(|link| linked(link, names)).collect();
    links.reverse();
    links
}

/// How many pairs at the beginning are equal.
fn same<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) -> usize {
    pairs.take_while(|(old, new)| old == new).count()
}

/// A link: its GPO, by name where that is known, and its state.
fn linked(link: &GpLink, names: &ObjectNames) -> String {
    let enforced = if link.is_enforced() { ", enforced" } else { "" };
    let disabled = if link.is_disabled() { ", disabled" } else { "" };
    let known = Dn::parse(&link.dn).ok().and_then(|dn| names.gpo_of(&dn));
    let gpo = known.unwrap_or_else(|| printable(&link.dn));
    format!("{gpo}{enforced}{disabled}")
}

/// The filter of a `gPCWQLFilter`; a value of another form than gpoctl writes unchanged.
fn linked_filter(value: &str, names: &ObjectNames) -> String {
    match WmiFilterLink::parse(value) {
        Some(link) if link.to_attribute().eq_ignore_ascii_case(value) => names.filter_in(&link),
        _ => printable(value),
    }
}

/// Whether an attribute is one of WMI filters.
fn is_of_filter(attribute: SwapAttribute) -> bool {
    matches!(
        attribute,
        SwapAttribute::WmiName
            | SwapAttribute::WmiDescription
            | SwapAttribute::WmiQueries
            | SwapAttribute::WmiAuthor
            | SwapAttribute::WmiChangeDate
    )
}

/// The change of an attribute of a WMI filter: a line for each value that is removed or added.
pub(crate) fn filter_lines(swap: &AttributeSwap) -> Vec<String> {
    let field = match swap.attribute {
        SwapAttribute::WmiName => "name",
        SwapAttribute::WmiDescription => "description",
        SwapAttribute::WmiQueries => "queries",
        other => other.as_str(),
    };
    let mut lines = Vec::new();
    for (sign, value) in [('-', &swap.old), ('+', &swap.new)] {
        let values = filter_values(swap.attribute, value.as_deref().unwrap_or_default());
        let values = values.iter().map(|value| printable(value));
        lines.extend(values.map(|value| format!("{sign}   {field}: {value}")));
    }
    lines
}

/// The value of an attribute of a WMI filter, a line each: for queries, the namespace and the text.
fn filter_values(attribute: SwapAttribute, value: &str) -> Vec<String> {
    match (attribute, parse_queries(value)) {
        (SwapAttribute::WmiQueries, Ok(queries)) => queries
            .iter()
            .map(|query| format!("{}: {}", query.namespace, query.query))
            .collect(),
        _ if value.is_empty() => Vec::new(),
        _ => vec![value.to_owned()],
    }
}

fn wmi_filter(
    sign: char,
    dn: &Dn,
    attributes: &[(String, String)],
    names: &ObjectNames,
) -> Vec<String> {
    let mut lines = vec![format!("{sign} WMI filter {}", names.filter_of(dn))];
    lines.extend(
        attributes
            .iter()
            .map(|(name, value)| format!("{sign}   {}: {}", printable(name), printable(value))),
    );
    lines
}

fn gpt_ini_text(content: Option<&FileContent>) -> String {
    let Some(content) = content else {
        return "none".to_owned();
    };
    match gpt_ini::read_version(&content.0) {
        Ok(Some(version)) => version.in_words(),
        Ok(None) => "no version".to_owned(),
        Err(_) => "unreadable".to_owned(),
    }
}

fn descriptor_text(bytes: &FileContent) -> String {
    SecurityDescriptor::parse(&bytes.0)
        .map_or_else(|_| "unreadable".to_owned(), |parsed| to_sddl(&parsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_filter_is_shown_in_words() {
        let shown = |attribute, value: &str| filter_values(attribute, value);
        let queries = "1;3;10;8;WQL;root\\CIMv2;SELECT 1;";
        assert_eq!(
            shown(SwapAttribute::WmiQueries, queries),
            ["root\\CIMv2: SELECT 1"]
        );
        assert_eq!(shown(SwapAttribute::WmiQueries, "x;"), ["x;"]);
        assert_eq!(shown(SwapAttribute::WmiDescription, "old"), ["old"]);
        assert!(shown(SwapAttribute::WmiDescription, "").is_empty());
    }

    #[test]
    fn links_above_and_below_a_change_are_left_out() {
        let link = |name: &str, options: u32| format!("[LDAP://CN={name};{options}]");
        // The last link has the highest precedence.
        let value =
            |names: &str| -> String { names.split(' ').map(|name| link(name, 0)).collect() };
        let lines = |old: &str, new: &str| {
            let swap = AttributeSwap {
                attribute: SwapAttribute::GpLink,
                old: Some(old.to_owned()),
                new: Some(new.to_owned()),
            };
            links("src.test/Staff", &swap, &ObjectNames::default())
        };
        assert_eq!(
            lines(&value("a b c"), &value("a c")),
            ["- link of src.test/Staff: order 2: CN=b"]
        );
        assert_eq!(
            lines(&value("a a"), &value("a a a")),
            ["+ link of src.test/Staff: order 3: CN=a"]
        );
        assert_eq!(
            lines(&value("a b c"), &value("b a c")),
            [
                "- link of src.test/Staff: order 2: CN=b",
                "- link of src.test/Staff: order 3: CN=a",
                "+ link of src.test/Staff: order 2: CN=a",
                "+ link of src.test/Staff: order 3: CN=b",
            ]
        );
        assert_eq!(
            lines(&link("a", 0), &link("a", 3)),
            [
                "- link of src.test/Staff: order 1: CN=a",
                "+ link of src.test/Staff: order 1: CN=a, enforced, disabled",
            ]
        );
        let only_text = lines(&format!("{}x", link("a", 0)), &format!("{} ", link("a", 0)));
        assert!(
            only_text[0].starts_with("~ gPLink of src.test/Staff: "),
            "{only_text:?}"
        );
    }
}

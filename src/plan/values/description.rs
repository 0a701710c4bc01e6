//! The descriptions of single values, derived from the changes alone.

use std::collections::BTreeMap;

use super::{DescriptorSwap, PlannedValue, ValueChange};
use crate::directory::{AttributeSwap, SwapAttribute};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::gpt_ini;
use crate::message::printable;
use crate::model::dn::Dn;
use crate::model::gp_link::{GpLink, LinkList};
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::plan::gpo::FileContent;

impl PlannedValue {
    /// Replaces the summary by a description of the change.
    pub(crate) fn describe(&mut self) {
        self.summary = self.change.describe();
    }

    /// Refuses a summary that does not describe the change with this number.
    ///
    /// # Errors
    /// `BadInput`, with the number of the change.
    pub(crate) fn refuse_false_description(&self, number: usize) -> Result<()> {
        if self.summary == self.change.describe() {
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
    /// The description, a line each: `-` for what is removed, `+` for what is added, `~` for what is changed.
    fn describe(&self) -> Vec<String> {
        match self {
            Self::Attributes { dn, attributes } => attributes
                .iter()
                .flat_map(|swap| attribute(&dn.0, swap))
                .collect(),
            Self::AddWmiFilter { dn, attributes } => wmi_filter('+', &dn.0, attributes),
            Self::RemoveWmiFilter { dn, attributes } => wmi_filter('-', &dn.0, attributes),
            Self::GptIni {
                guid,
                old,
                new,
                descriptor,
            } => {
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

fn attribute(dn: &Dn, swap: &AttributeSwap) -> Vec<String> {
    let place = dn.canonical_name();
    match swap.attribute {
        SwapAttribute::GpLink => {
            let [old, new] = [&swap.old, &swap.new].map(|value| links(value.as_deref()));
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

/// The links of a `gPLink` with their order, the highest precedence first.
fn links(value: Option<&str>) -> Vec<String> {
    let list = LinkList::parse(value.unwrap_or_default());
    let line = |order: usize, link: &GpLink| {
        let enforced = if link.is_enforced() { ", enforced" } else { "" };
        let disabled = if link.is_disabled() { ", disabled" } else { "" };
        format!("order {order}: {}{enforced}{disabled}", printable(&link.dn))
    };
    let mut links: Vec<&GpLink> = list.links().collect();
    links.reverse();
    (1..)
        .zip(links)
        .map(|(order, link)| line(order, link))
        .collect()
}

fn wmi_filter(sign: char, dn: &Dn, attributes: &[(String, String)]) -> Vec<String> {
    let mut lines = vec![format!("{sign} WMI filter {dn}")];
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
        Ok(Some(version)) => format!("computer {}, user {}", version.machine, version.user),
        Ok(None) => "no version".to_owned(),
        Err(_) => "unreadable".to_owned(),
    }
}

fn descriptor_text(bytes: &FileContent) -> String {
    SecurityDescriptor::parse(&bytes.0)
        .map_or_else(|_| "unreadable".to_owned(), |parsed| to_sddl(&parsed))
}

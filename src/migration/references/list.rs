//! Edits lists in one line, item by item.

use std::collections::HashSet;

use super::context::TextRewrite;

/// A list after an edit.
pub(super) struct ListEdit {
    /// The list, without surrounding blanks.
    pub value: String,
    /// Whether its last item was removed.
    pub empty: bool,
    /// Items that were dropped because the list already contains them.
    pub duplicates: Vec<String>,
}

/// Rewrites every item of a list; `None` when nothing changes. Separators and blanks of other items are unchanged. An
/// item that becomes equal to another one is dropped; items that were equal before are kept.
pub(super) fn rewrite_list(
    list: &str,
    separator: char,
    mut decide: impl FnMut(&str) -> TextRewrite,
) -> Option<ListEdit> {
    let items: Vec<(&str, &str, TextRewrite)> = list
        .split(separator)
        .map(|raw| {
            let item = raw.trim_matches([' ', '\t']);
            let rewrite = if item.is_empty() {
                TextRewrite::Keep
            } else {
                decide(item)
            };
            (raw, item, rewrite)
        })
        .collect();
    if items
        .iter()
        .all(|(.., rewrite)| *rewrite == TextRewrite::Keep)
    {
        return None;
    }
    let mut seen: HashSet<String> = items
        .iter()
        .filter(|(_, item, rewrite)| *rewrite == TextRewrite::Keep && !item.is_empty())
        .map(|(_, item, _)| item.to_lowercase())
        .collect();
    let mut duplicates = Vec::new();
    let mut parts: Vec<String> = Vec::new();
    for (raw, item, rewrite) in items {
        match rewrite {
            TextRewrite::Keep => parts.push(raw.to_owned()),
            TextRewrite::Replace(new) if seen.contains(&new.to_lowercase()) => duplicates.push(new),
            TextRewrite::Replace(new) => {
                seen.insert(new.to_lowercase());
                parts.push(raw.replacen(item, &new, 1));
            }
            TextRewrite::Remove => {}
        }
    }
    let value = parts.join(&separator.to_string());
    let value = value.trim_matches([' ', '\t']).to_owned();
    let empty = seen.is_empty();
    Some(ListEdit {
        // Drop the separators of an empty list, which would be empty items.
        value: if empty { String::new() } else { value },
        empty,
        duplicates,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(list: &str, separator: char) -> Option<(String, usize)> {
        let edit = rewrite_list(list, separator, |item| match item {
            "x" => TextRewrite::Replace("NEW".to_owned()),
            "y" => TextRewrite::Replace("new".to_owned()),
            "-" => TextRewrite::Remove,
            _ => TextRewrite::Keep,
        })?;
        Some((edit.value, edit.duplicates.len()))
    }

    #[test]
    fn other_items_are_unchanged() {
        for (before, sep, after, duplicates) in [
            ("a, x ,b", ',', "a, NEW ,b", 0),
            ("-, a,b", ',', "a,b", 0),
            ("a , -", ',', "a", 0),
            ("x;", ';', "NEW;", 0),
            ("-;", ';', "", 0),
            ("-", ',', "", 0),
            ("x,y,a,a", ',', "NEW,a,a", 1),
            ("x,New", ',', "New", 1),
        ] {
            assert_eq!(edited(before, sep), Some((after.to_owned(), duplicates)));
        }
        assert!(edited("a,,b", ',').is_none());
    }
}

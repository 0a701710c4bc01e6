//! Lists in one line: items between separators, edited without touching the others.

use std::collections::HashSet;

use super::text::Decision;

/// A list after an edit.
pub(super) struct ListEdit {
    /// The list, without blanks around it.
    pub value: String,
    /// Whether its last item was taken out.
    pub empty: bool,
    /// Items that were left out because the same item stands in the list already.
    pub duplicates: Vec<String>,
}

/// Asks about every item and writes the list; `None` when nothing changes. Separators and blanks of the other items
/// stay. An item that becomes equal to another one goes; items that were equal before stay.
pub(super) fn edit(
    list: &str,
    separator: char,
    mut decide: impl FnMut(&str) -> Decision,
) -> Option<ListEdit> {
    let items: Vec<(&str, &str, Decision)> = list
        .split(separator)
        .map(|raw| {
            let item = raw.trim_matches([' ', '\t']);
            let decision = if item.is_empty() {
                Decision::Keep
            } else {
                decide(item)
            };
            (raw, item, decision)
        })
        .collect();
    if items
        .iter()
        .all(|(.., decision)| *decision == Decision::Keep)
    {
        return None;
    }
    let mut seen: HashSet<String> = items
        .iter()
        .filter(|(_, item, decision)| *decision == Decision::Keep && !item.is_empty())
        .map(|(_, item, _)| item.to_lowercase())
        .collect();
    let mut duplicates = Vec::new();
    let mut parts: Vec<String> = Vec::new();
    for (raw, item, decision) in items {
        match decision {
            Decision::Keep => parts.push(raw.to_owned()),
            Decision::Replace(new) if seen.contains(&new.to_lowercase()) => duplicates.push(new),
            Decision::Replace(new) => {
                seen.insert(new.to_lowercase());
                parts.push(raw.replacen(item, &new, 1));
            }
            Decision::Remove => {}
        }
    }
    let value = parts.join(&separator.to_string());
    let value = value.trim_matches([' ', '\t']).to_owned();
    let empty = seen.is_empty();
    Some(ListEdit {
        // What is left of an empty list are separators, which would be empty items.
        value: if empty { String::new() } else { value },
        empty,
        duplicates,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(list: &str, separator: char) -> Option<(String, usize)> {
        let edit = edit(list, separator, |item| match item {
            "x" => Decision::Replace("NEW".to_owned()),
            "y" => Decision::Replace("new".to_owned()),
            "-" => Decision::Remove,
            _ => Decision::Keep,
        })?;
        Some((edit.value, edit.duplicates.len()))
    }

    #[test]
    fn other_items_stay_as_they_are() {
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

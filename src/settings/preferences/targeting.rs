//! Item-level targeting in words [MS-GPPREF 2.2.1.1.5].

use crate::formats::xml_tree::Element;

/// What decides whether an item applies; empty without a condition.
pub(super) fn words(filters: &Element) -> String {
    let mut words = String::new();
    for filter in filters.elements() {
        if !words.is_empty() {
            // The operator joins a condition to those before it.
            let or = filter
                .attribute("bool")
                .is_some_and(|operator| operator.eq_ignore_ascii_case("OR"));
            words.push_str(if or { " or " } else { " and " });
        }
        words.push_str(&condition(filter));
    }
    words
}

fn condition(filter: &Element) -> String {
    let not = filter.attribute("not") == Some("1");
    let name = &*filter.name;
    if name == "FilterCollection" {
        let inside = words(filter);
        return if not {
            format!("not ({inside})")
        } else {
            format!("({inside})")
        };
    }
    let of = |attribute: &str| filter.attribute(attribute).unwrap_or_default();
    let who = if of("userContext") == "1" {
        "the user"
    } else {
        "the computer"
    };
    let is = if not { "is not" } else { "is" };
    let quoted = |attribute: &str| crate::settings::text::quoted(of(attribute));
    let (phrase, told): (String, &[&str]) = match name {
        "FilterGroup" => {
            let sid = match of("sid") {
                "" => String::new(),
                sid => format!(" ({sid})"),
            };
            let group = quoted("name");
            (
                format!("{who} {is} a member of {group}{sid}"),
                &["name", "sid", "userContext"],
            )
        }
        "FilterUser" => (format!("the user {is} {}", quoted("name")), &["name"]),
        "FilterComputer" => (
            format!("the name of the computer {is} {}", quoted("name")),
            &["name"],
        ),
        "FilterOrgUnit" => (
            format!("{who} {is} in the OU {}", quoted("name")),
            &["name", "userContext"],
        ),
        "FilterDomain" => (
            format!("{who} {is} in the domain {}", quoted("name")),
            &["name", "userContext"],
        ),
        "FilterSite" => (format!("the site {is} {}", quoted("name")), &["name"]),
        "FilterOs" => (
            format!(
                "the operating system {is} {} {}",
                of("class"),
                of("version")
            ),
            &["class", "version"],
        ),
        "FilterRunOnce" => ("it was not applied before".to_owned(), &["hidden"]),
        "FilterWmi" => {
            let has = if not {
                "returns nothing"
            } else {
                "returns something"
            };
            (
                format!("the WMI query {} {has}", quoted("query")),
                &["query"],
            )
        }
        "FilterVariable" => (
            format!(
                "the variable {} {is} {}",
                quoted("variableName"),
                quoted("value")
            ),
            &["variableName", "value"],
        ),
        "FilterIpRange" => (
            format!(
                "the IP address {is} between {} and {}",
                of("min"),
                of("max")
            ),
            &["min", "max"],
        ),
        "FilterTerminal" => (format!("the session {is} a terminal session"), &[]),
        "FilterPortable" => (format!("the computer {is} portable"), &[]),
        "FilterPcmcia" => (format!("a PCMCIA slot {is} present"), &[]),
        other => {
            let kind = other.strip_prefix("Filter").unwrap_or(other);
            let not = if not { "not " } else { "" };
            (format!("{not}{kind}"), &[])
        }
    };
    // What the phrase does not contain, so that no change is hidden.
    let rest: Vec<String> = filter
        .attributes
        .iter()
        .filter(|attribute| {
            let name = &*attribute.name;
            !attribute.value.is_empty() && !matches!(name, "bool" | "not") && !told.contains(&name)
        })
        .map(|attribute| {
            let value = crate::settings::text::quoted(&attribute.value);
            format!("{} {value}", &*attribute.name)
        })
        .collect();
    let inside = words(filter);
    let mut text = phrase;
    if !rest.is_empty() {
        text.push_str(&format!(" ({})", rest.join(", ")));
    }
    if !inside.is_empty() {
        text.push_str(&format!(" [{inside}]"));
    }
    text
}

//! The same for administrative templates, and the policies that they name.

use gpoctl::formats::adml::Adml;
use gpoctl::formats::admx::Admx;
use gpoctl::settings::templates::Templates;
use gpoctl::settings::{Settings, of_with};

use super::{POL, gpo};
use crate::readers::bound;
use crate::support::{pol_file, pol_record};

/// A template and its texts.
fn template(categories: &str, policies: &str, strings: &str, presentations: &str) -> [String; 2] {
    [
        format!(
            "<policyDefinitions><policyNamespaces><target prefix='a' namespace='a'/></policyNamespaces>\
             <categories>{categories}</categories><policies>{policies}</policies></policyDefinitions>"
        ),
        format!(
            "<policyDefinitionResources><resources><stringTable>{strings}</stringTable>\
             <presentationTable>{presentations}</presentationTable></resources></policyDefinitionResources>"
        ),
    ]
}

fn numbers(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect()
}

/// Templates, each of one worst kind, and the Registry.pol that configures their policies.
fn templates() -> Vec<(&'static str, [String; 2], Vec<u8>)> {
    let policy = |n: usize, more: &str, inside: &str| {
        format!(
            "<policy name='{n}' class='Both' displayName='$(string.X)' key='k' valueName='{n}'{more}>{inside}</policy>"
        )
    };
    let long = |size: usize| format!("<string id='X'>{}</string>", "n".repeat(size));
    let in_category = "<parentCategory ref='0'/>";
    let one = |n: usize| vec![pol_record("k", &n.to_string(), 4, &1_u32.to_le_bytes())];
    let all = |count: usize| pol_file((0..count).flat_map(one));
    let category = |n: usize| {
        format!(
            "<category name='{n}' displayName='$(string.X)'><parentCategory ref='{}'/></category>",
            n + 1
        )
    };
    vec![
        (
            "many policies",
            template("", &numbers(9_000, |n| policy(n, "", "")), &long(10), ""),
            all(9_000),
        ),
        (
            "a long name of many policies",
            template(
                "",
                &numbers(5_000, |n| policy(n, "", "")),
                &long(500_000),
                "",
            ),
            all(5_000),
        ),
        (
            "deep categories with long names",
            template(
                &numbers(40, category),
                &numbers(5_000, |n| policy(n, "", in_category)),
                &long(50_000),
                "",
            ),
            all(5_000),
        ),
        (
            "many categories with long names",
            template(
                &numbers(5_000, category),
                &numbers(5_000, |n| {
                    policy(n, "", &format!("<parentCategory ref='{n}'/>"))
                }),
                &long(50_000),
                "",
            ),
            all(5_000),
        ),
        (
            "categories in a circle",
            template(
                &format!(
                    "{}<category name='9' displayName='$(string.X)'><parentCategory ref='0'/></category>",
                    numbers(9, category)
                ),
                &numbers(5_000, |n| policy(n, "", in_category)),
                &long(1_000),
                "",
            ),
            all(5_000),
        ),
        (
            "a long list of choices",
            template(
                "",
                &policy(
                    0,
                    "",
                    &format!(
                        "<elements><enum id='e' valueName='e'>{}</enum></elements>",
                        numbers(10_000, |n| format!(
                            "<item displayName='$(string.X)'><value><decimal value='{n}'/></value></item>"
                        ))
                    ),
                ),
                &long(100_000),
                "",
            ),
            all(1),
        ),
        (
            "many elements",
            template(
                "",
                &policy(
                    0,
                    " presentation='$(presentation.P)'",
                    &format!(
                        "<elements>{}</elements>",
                        numbers(10_000, |n| format!("<text id='{n}' valueName='t{n}'/>"))
                    ),
                ),
                &long(10),
                &format!(
                    "<presentation id='P'>{}</presentation>",
                    numbers(10_000, |n| format!(
                        "<textBox refId='{n}'><label>x</label></textBox>"
                    ))
                ),
            ),
            all(1),
        ),
        (
            "one presentation of many policies",
            template(
                "",
                &numbers(3_000, |n| {
                    policy(
                        n,
                        " presentation='$(presentation.P)'",
                        "<elements><text id='e' valueName='e'/></elements>",
                    )
                }),
                &long(10),
                &format!(
                    "<presentation id='P'><textBox refId='e'><label>{}</label></textBox>{}</presentation>",
                    "n".repeat(200_000),
                    "<text/>".repeat(1_000)
                ),
            ),
            all(3_000),
        ),
    ]
}

#[test]
fn templates_are_bounded() {
    let mut beyond = Vec::new();
    for (what, [admx, adml], pol) in templates() {
        let length = admx.len() + adml.len();
        let start = std::time::Instant::now();
        let mut set = Templates::default();
        let peak = allocation_counter::measure(|| {
            let template = Admx::parse(admx.as_bytes()).unwrap();
            assert_eq!(template.ignored, []);
            let texts = Adml::parse(adml.as_bytes()).unwrap();
            set = Templates::new(&[(template, Some(texts))]);
        })
        .bytes_max;
        println!(
            "{what}: {length} bytes: {peak} bytes, {} for each, {:?}",
            peak / u64::try_from(length).unwrap(),
            start.elapsed()
        );
        assert!(!set.is_empty());
        if peak > bound(length) {
            beyond.push(format!("{what}: {peak} bytes for {length}"));
        }
        let both = length + pol.len();
        let gpo = gpo(POL, pol);
        let mut found = Settings::default();
        let peak = allocation_counter::measure(|| found = of_with(&gpo, &set)).bytes_max;
        println!(
            "  {} settings, {:?}: {peak} bytes, {:?}",
            found.settings.len(),
            found
                .not_decoded
                .iter()
                .map(|one| &one.reason)
                .collect::<Vec<_>>(),
            start.elapsed()
        );
        assert!(
            found.settings.is_empty() != found.not_decoded.is_empty(),
            "{what}"
        );
        if peak > bound(both) {
            beyond.push(format!("{what}, decoded: {peak} bytes for {both}"));
        }
    }
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
}

use super::*;

fn template(policies: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>
<policyDefinitions revision='1.0' schemaVersion='1.0' xmlns='{NAMESPACE}'>
<policyNamespaces><target prefix='own' namespace='Own.Policies'/><using prefix='windows' namespace='Microsoft.Policies.Windows'/></policyNamespaces>
<resources minRequiredRevision='1.0'/>
<supportedOn><definitions><definition name='SUPPORTED_All' displayName='$(string.All)'/></definitions></supportedOn>
<categories><category name='Top' displayName='$(string.Top)'><parentCategory ref='windows:System'/></category>
<category name='Below' displayName='$(string.Below)'><parentCategory ref='Top'/></category><category displayName='no name'/></categories>
<policies>
{policies}
</policies></policyDefinitions>"
    )
}

#[test]
fn the_whole_schema() {
    let text = template(
        "<policy name='All' class='Both' displayName='$(string.P)' explainText='$(string.E)' presentation='$(presentation.P)' key='Software\\P' valueName='On' clientExtension='{X}'>
<parentCategory ref='own:Below'/><supportedOn ref='SUPPORTED_All'/>
<enabledValue><decimal value='2'/></enabledValue><disabledValue><delete/></disabledValue>
<enabledList defaultKey='Software\\L'><item valueName='a'><value><string>x</string></value></item>
<item key='Software\\M' valueName='b'><value><longDecimal value='18446744073709551615'/></value></item></enabledList>
<disabledList><item key='K' valueName='c'><value><decimal value='0'/></value></item></disabledList>
<elements>
<boolean id='bool' valueName='B' key='Software\\Q'><trueValue><decimal value='1'/></trueValue><falseValue><decimal value='0'/></falseValue>
<trueList><item valueName='t'><value><delete/></value></item></trueList></boolean>
<decimal id='number' valueName='N' minValue='1' maxValue='10' required='true' storeAsText='true'/>
<longDecimal id='long' valueName='L'/>
<text id='line' valueName='T' maxLength='5' expandable='true'/>
<multiText id='lines' valueName='M'/>
<enum id='choice' valueName='C'><item displayName='$(string.One)'><value><decimal value='1'/></value>
<valueList><item key='V' valueName='v'><value><string>y</string></value></item></valueList></item></enum>
<list id='list' key='Software\\P\\List' additive='true' valuePrefix=''/>
<list id='pairs' key='Software\\P\\Pairs' explicitValue='true'/>
</elements></policy>",
    );
    let read = Admx::parse(text.as_bytes()).unwrap();
    assert_eq!(read.to_bytes(), text.as_bytes());
    assert_eq!(read.target.name, "Own.Policies");
    assert_eq!(read.using[0].prefix, "windows");
    assert_eq!(read.supported_on[0].display_name, "$(string.All)");
    let parents: Vec<String> = read
        .categories
        .iter()
        .map(|one| {
            let parent = one.parent.as_ref().unwrap();
            format!("{} in {} {}", one.name, parent.namespace, parent.name)
        })
        .collect();
    assert_eq!(
        parents,
        [
            "Top in Microsoft.Policies.Windows System",
            "Below in Own.Policies Top"
        ]
    );
    assert_eq!(
        read.ignored,
        [Ignored {
            line: 7,
            reason: "category has no name".to_owned()
        }]
    );
    let policy = &read.policies[0];
    assert_eq!((policy.class, policy.line), (Class::Both, 9));
    assert_eq!(policy.category.name, "Below");
    assert_eq!(policy.enabled, Some(RegistryValue::Decimal(2)));
    assert_eq!(policy.disabled, Some(RegistryValue::Delete));
    let keys: Vec<_> = policy
        .enabled_list
        .iter()
        .map(|one| one.key.as_deref())
        .collect();
    assert_eq!(keys, [Some("Software\\L"), Some("Software\\M")]);
    assert_eq!(
        policy.enabled_list[1].value,
        RegistryValue::LongDecimal(u64::MAX)
    );
    assert_eq!(policy.disabled_list[0].value, RegistryValue::Decimal(0));
    let ids: Vec<&str> = policy.elements.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "bool", "number", "long", "line", "lines", "choice", "list", "pairs"
        ]
    );
    let kinds: Vec<&ElementKind> = policy.elements.iter().map(|one| &one.kind).collect();
    assert!(matches!(kinds[0], ElementKind::Boolean { true_list, .. } if true_list.len() == 1));
    assert_eq!(
        *kinds[1],
        ElementKind::Decimal {
            min: 1,
            max: 10,
            store_as_text: true
        }
    );
    assert_eq!(
        *kinds[3],
        ElementKind::Text {
            max_length: Some(5),
            expandable: true
        }
    );
    assert!(matches!(kinds[5], ElementKind::Enum(items) if items[0].values.len() == 1));
    assert!(
        matches!(kinds[6], ElementKind::List { additive: true, value_prefix: Some(prefix), .. } if prefix.is_empty())
    );
    assert!(matches!(
        kinds[7],
        ElementKind::List {
            explicit_value: true,
            value_prefix: None,
            ..
        }
    ));
}

#[test]
fn what_cannot_be_used_is_named_with_its_line_and_the_rest_is_kept() {
    let policy = |name: &str, class: &str, inside: &str| {
        format!(
            "<policy name='{name}' class='{class}' key='K'><parentCategory ref='Top'/>{inside}</policy>\n"
        )
    };
    let text = template(
        &[
            policy("Good", "Machine", ""),
            policy("Class", "Computer", ""),
            policy(
                "Number",
                "User",
                "<enabledValue><decimal value='4294967296'/></enabledValue>",
            ),
            policy(
                "Element",
                "User",
                "<elements><slider id='x' valueName='y'/></elements>",
            ),
            policy("Supported", "User", "<supportedOn ref='other:X'/>"),
            policy("Also", "User", ""),
        ]
        .concat(),
    );
    let read = Admx::parse(text.as_bytes()).unwrap();
    let names: Vec<&str> = read.policies.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["Good", "Also"]);
    let ignored: Vec<String> = read
        .ignored
        .iter()
        .map(|one| format!("{}: {}", one.line, one.reason))
        .collect();
    assert_eq!(
        ignored,
        [
            "7: category has no name",
            "10: policy Class has the class \"Computer\"",
            "11: \"4294967296\" is not a number of its size",
            "12: slider is not an element of a policy",
            "13: \"other:X\" has a prefix that the template does not declare",
        ]
    );
}

#[test]
fn an_invalid_template_is_refused_with_its_line() {
    for (text, line) in [
        ("<policyDefinitions>\n<a></b></policyDefinitions>", 2),
        ("<policyDefinitionResources/>", 1),
        ("\n<policyDefinitions/>", 2),
        ("", 1),
    ] {
        assert_eq!(
            Admx::parse(text.as_bytes()).unwrap_err().line,
            line,
            "{text}"
        );
    }
}

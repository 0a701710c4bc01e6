use bytes::Bytes;

use super::*;
use crate::formats::registry_pol::{Record, ValueType, utf16_bytes};
use crate::model::gpt_tree::GptTree;
use crate::settings::{Extension, Names, of_tree};

const NAMESPACE: &str = "http://schemas.microsoft.com/GroupPolicy/2006/07/PolicyDefinitions";

/// A parent category in another file, and policies of every form.
fn templates() -> Templates {
    let parent = format!(
        "<policyDefinitions xmlns='{NAMESPACE}'><policyNamespaces><target prefix='w' namespace='W'/></policyNamespaces>
<categories><category name='System' displayName='$(string.System)'/><category name='Loop' displayName='Loop'><parentCategory ref='Loop'/></category></categories></policyDefinitions>"
    );
    let parent_texts = format!(
        "<policyDefinitionResources xmlns='{NAMESPACE}'><resources><stringTable><string id='System'>System</string></stringTable></resources></policyDefinitionResources>"
    );
    let own = format!(
        "<policyDefinitions xmlns='{NAMESPACE}'><policyNamespaces><target prefix='o' namespace='O'/><using prefix='w' namespace='W'/></policyNamespaces>
<categories><category name='Mine' displayName='$(string.Mine)'><parentCategory ref='w:System'/></category></categories>
<policies>
<policy name='Plain' class='Machine' displayName='$(string.Plain)' key='K' valueName='Plain'><parentCategory ref='Mine'/></policy>
<policy name='Form' class='Both' displayName='$(string.Form)' presentation='$(presentation.Form)' key='K' valueName='Form'><parentCategory ref='Mine'/>
<enabledValue><decimal value='2'/></enabledValue><disabledValue><decimal value='3'/></disabledValue>
<elements><text id='T' valueName='T'/><decimal id='N' valueName='N'/><boolean id='B' valueName='B'><trueValue><string>yes</string></trueValue><falseValue><string>no</string></falseValue></boolean>
<enum id='E' valueName='E'><item displayName='$(string.One)'><value><decimal value='1'/></value></item></enum></elements></policy>
<policy name='List' class='Machine' displayName='$(string.List)' key='K'><parentCategory ref='w:Loop'/><elements><list id='L' key='K\\List' valuePrefix=''/></elements></policy>
<policy name='Lists' class='Machine' displayName='no reference' key='K'><parentCategory ref='w:Unknown'/>
<enabledList><item valueName='a'><value><decimal value='1'/></value></item><item valueName='bb'><value><delete/></value></item></enabledList>
<disabledList><item valueName='a'><value><decimal value='0'/></value></item></disabledList></policy>
<policy name='User' class='User' displayName='x' key='K' valueName='Plain'><parentCategory ref='Mine'/></policy>
<policy name='Logon' class='Machine' displayName='Logon' key='Logon'><parentCategory ref='Mine'/>
<elements><text id='P' valueName='DefaultPassword'/><list id='L' key='Logon\\List' explicitValue='true'/></elements></policy>
</policies></policyDefinitions>"
    );
    let own_texts = format!(
        "<policyDefinitionResources xmlns='{NAMESPACE}'><resources><stringTable><string id='Mine'>My things</string><string id='Plain'>A plain policy</string>
<string id='Form'>A form</string><string id='List'>A list</string><string id='One'>The first</string></stringTable>
<presentationTable><presentation id='Form'><decimalTextBox refId='N'>Number:</decimalTextBox><textBox refId='T'><label>Text:</label></textBox><checkBox refId='B'>Box</checkBox></presentation></presentationTable></resources></policyDefinitionResources>"
    );
    let read = |admx: &str, adml: &str| {
        let admx = Admx::parse(admx.as_bytes()).unwrap();
        assert_eq!(admx.ignored, []);
        (admx, Some(Adml::parse(adml.as_bytes()).unwrap()))
    };
    Templates::new(&[read(&own, &own_texts), read(&parent, &parent_texts)])
}

/// The settings of a computer's Registry.pol with these values.
fn shown(records: &[(&str, &str, ValueType, &[u8])]) -> Vec<String> {
    let policy = RegistryPol {
        records: records
            .iter()
            .map(|(key, name, value_type, data)| Record {
                key: utf16_bytes(key),
                value_name: utf16_bytes(name),
                value_type: *value_type,
                data: Bytes::copy_from_slice(data),
            })
            .collect(),
    };
    let mut tree = GptTree::new();
    let path = r"Machine\Registry.pol".parse().unwrap();
    tree.insert_file(&path, policy.to_bytes());
    let all = of_tree(&tree, &Names::new(), &templates());
    let settings = all.settings.iter();
    settings
        .map(|one| {
            let mark = match one.extension {
                Extension::AdministrativeTemplates => "",
                _ => "no template: ",
            };
            format!(
                "{mark}{} | {}: {}",
                one.category,
                one.name,
                one.value_text()
            )
        })
        .collect()
}

const D: ValueType = ValueType::DWORD;
const S: ValueType = ValueType::SZ;

#[test]
fn policies_have_the_names_states_and_values_of_their_template() {
    let text = |text: &str| utf16_bytes(&format!("{text}\0"));
    assert_eq!(
        shown(&[
            ("k", "PLAIN", D, &[1, 0, 0, 0]),
            ("K", "Form", D, &[2, 0, 0, 0]),
            ("K", "T", S, &text("a")),
            ("K", "N", D, &[7, 0, 0, 0]),
            ("K", "B", S, &text("no")),
            ("K", "E", D, &[1, 0, 0, 0]),
            ("K\\List", "**delvals.", S, &text(" ")),
            ("K\\List", "1", S, &text("x")),
            ("K\\List", "2", S, &text("y")),
            ("K\\List", "other", S, &text("z")),
            ("K", "a", D, &[1, 0, 0, 0]),
            ("K", "**del.bb", S, &text(" ")),
            ("Elsewhere", "v", D, &[1, 0, 0, 0]),
        ]),
        [
            "System/My things | A plain policy: enabled",
            "System/My things | A form: enabled: Number: 7; Text: \"a\"; Box: disabled; E: The first",
            "Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop | A list: enabled: L: \"x\", \"y\"",
            "Unknown | no reference: enabled",
            "no template: K\\List | other: \"z\" (REG_SZ)",
            "no template: Elsewhere | v: 1 (REG_DWORD)",
        ]
    );
}

#[test]
fn a_disabled_policy_and_values_that_no_policy_can_have() {
    let blank = utf16_bytes(" \0");
    assert_eq!(
        shown(&[
            ("K", "**del.Plain", S, &blank),
            ("K", "Form", D, &[3, 0, 0, 0]),
            ("K", "**del.T", S, &blank),
            ("K\\List", "**delvals.", S, &blank),
            ("K", "a", D, &[0, 0, 0, 0]),
        ]),
        [
            "System/My things | A plain policy: disabled",
            "System/My things | A form: disabled",
            "Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop/Loop | A list: disabled",
            "Unknown | no reference: disabled",
        ]
    );
    assert_eq!(
        shown(&[
            ("K", "Plain", D, &[5, 0, 0, 0]),
            ("K", "a", D, &[9, 0, 0, 0])
        ]),
        [
            "no template: K | Plain: 5 (REG_DWORD)",
            "no template: K | a: 9 (REG_DWORD)",
        ]
    );
}

#[test]
fn passwords_are_not_shown() {
    let text = |text: &str| utf16_bytes(&format!("{text}\0"));
    assert_eq!(
        shown(&[
            ("Logon", "defaultpassword", S, &text("S3cret")),
            ("Logon\\List", "DefaultUserName", S, &text("user")),
            ("Logon\\List", "AltDefaultPassword", S, &text("S3cret")),
            ("Logon\\List", "ProxyPassword", D, &[1, 0, 0, 0]),
        ]),
        [
            "System/My things | Logon: enabled: P: (not shown); L: \"DefaultUserName = user\", \"AltDefaultPassword = (not shown)\", \"ProxyPassword = (not shown)\""
        ]
    );
}

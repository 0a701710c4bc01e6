use super::*;
use crate::model::sddl::from_sddl;
use crate::plan::values::ObjectDn;

const GPO: &str = "{11111111-2222-3333-4444-555555555555}";
const OWN_LINK: &str =
    "[LDAP://cn={11111111-2222-3333-4444-555555555555},cn=policies,cn=system,DC=src,DC=test;0]";
const OTHER_LINK: &str =
    "[LDAP://cn={11111111-2222-3333-4444-555555555555},cn=policies,cn=system,DC=evil,DC=test;0]";
const FILTER: &str = "{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01}";

fn list(change: ValueChange) -> Plan {
    let mut list = Plan::new("x", &"src.test".parse().unwrap());
    list.push(change, vec!["~ nothing to see".to_owned()]);
    list
}

/// Why a saved list with this change is refused.
fn fault(change: ValueChange) -> Option<String> {
    let read = Plan::from_json(&list(change).to_json().unwrap());
    read.err().map(|error| {
        assert_eq!(error.kind(), ErrorKind::BadInput);
        error.to_string()
    })
}

fn dn(text: &str) -> ObjectDn {
    ObjectDn(Dn::parse(text).unwrap())
}

fn gpo() -> ObjectDn {
    dn(&format!("CN={GPO},CN=Policies,CN=System,DC=src,DC=test"))
}

fn descriptor(sddl: &str) -> FileContent {
    FileContent(from_sddl(sddl, None).unwrap().to_bytes().unwrap().into())
}

fn ini(text: &str) -> Option<FileContent> {
    Some(FileContent(text.to_owned().into()))
}

#[test]
fn an_attribute_gets_a_value_that_gpoctl_gives_it() {
    let staff = || dn("OU=Staff,DC=src,DC=test");
    let filter = || {
        dn(&format!(
            "CN={FILTER},CN=SOM,CN=WMIPolicy,CN=System,DC=src,DC=test"
        ))
    };
    let both = format!("{OTHER_LINK}{OWN_LINK}");
    let ordered =
        "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}][{827D319E-6EAC-11D2-A4EA-00C04F79F83A}]";
    let unordered =
        "[{827D319E-6EAC-11D2-A4EA-00C04F79F83A}][{35378EAC-683F-11D2-A89A-00C04FBBCFA2}]";
    let of_filter = |domain: &str| format!("[{domain};{FILTER};0]");
    let here = of_filter("src.test");
    let elsewhere = of_filter("evil.test");
    use SwapAttribute as A;
    type Row<'a> = (ObjectDn, A, Option<&'a str>, Option<&'a str>, bool);
    let rows: Vec<Row<'_>> = vec![
        (staff(), A::GpLink, None, Some(OWN_LINK), true),
        (staff(), A::GpLink, Some(OTHER_LINK), Some(&both), true),
        (staff(), A::GpLink, Some(&both), None, true),
        (staff(), A::GpLink, None, Some(OTHER_LINK), false),
        (staff(), A::GpLink, Some(OWN_LINK), Some(&both), false),
        (staff(), A::GpLink, None, Some("text"), false),
        (staff(), A::GpOptions, None, Some("1"), true),
        (staff(), A::GpOptions, Some("1"), None, true),
        (staff(), A::GpOptions, None, Some("x"), false),
        (gpo(), A::Version, Some("1"), Some("65538"), true),
        (gpo(), A::Version, Some("1"), None, false),
        (gpo(), A::Version, Some("1"), Some("x"), false),
        (gpo(), A::Flags, Some("0"), Some("3"), true),
        (gpo(), A::Flags, Some("0"), Some("4"), false),
        (gpo(), A::Flags, Some("0"), Some("-1"), false),
        (gpo(), A::Flags, None, Some("0"), true),
        (gpo(), A::Flags, Some("7"), Some("0"), false),
        (gpo(), A::Flags, Some("0"), Some("03"), false),
        (gpo(), A::Flags, Some("0"), None, false),
        (gpo(), A::Version, Some("1"), Some("-99999999999"), false),
        (gpo(), A::FunctionalityVersion, None, Some("2"), true),
        (gpo(), A::FunctionalityVersion, None, Some("3"), false),
        (gpo(), A::DisplayName, Some("a"), Some("b"), true),
        (gpo(), A::DisplayName, Some("a"), None, false),
        (gpo(), A::DisplayName, Some("a"), Some(" "), false),
        (
            gpo(),
            A::UserExtensions,
            Some(unordered),
            Some(ordered),
            true,
        ),
        (gpo(), A::UserExtensions, None, Some(ordered), false),
        (gpo(), A::UserExtensions, Some(unordered), None, false),
        (gpo(), A::WqlFilter, None, Some(&here), true),
        (gpo(), A::WqlFilter, Some(&here), None, true),
        (gpo(), A::WqlFilter, None, Some(&elsewhere), false),
        (gpo(), A::WqlFilter, None, Some("x"), false),
        (
            filter(),
            A::WmiQueries,
            None,
            Some("1;3;4;1;WQL;root;q;"),
            true,
        ),
        (
            filter(),
            A::WmiQueries,
            None,
            Some("1;3;4;9;WQL;root;q;"),
            false,
        ),
        (filter(), A::WmiName, Some("a"), Some("b"), true),
        (filter(), A::WmiName, Some("a"), Some("b\n"), false),
    ];
    for (dn, attribute, old, new, accepted) in rows {
        let text = format!("{attribute:?} {old:?} {new:?}");
        let fault = fault(ValueChange::Attributes {
            dn,
            attributes: vec![AttributeSwap {
                attribute,
                old: old.map(str::to_owned),
                new: new.map(str::to_owned),
            }],
        });
        assert_eq!(fault.is_none(), accepted, "{text}: {fault:?}");
        assert!(
            fault.is_none_or(|fault| fault.contains("change 1: ")),
            "{text}"
        );
    }
}

#[test]
fn a_new_wmi_filter_is_whole_and_lies_where_its_id_says() {
    let whole = [
        ("msWMI-ID", FILTER),
        ("msWMI-Name", "Desks"),
        ("msWMI-Parm2", "1;3;4;1;WQL;root;q;"),
        ("showInAdvancedViewOnly", "TRUE"),
        ("msWMI-Author", "admin"),
    ];
    type Attributes = Vec<(String, String)>;
    let add = |edit: &dyn Fn(&mut Attributes)| {
        let mut attributes = whole
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        edit(&mut attributes);
        let at = format!("CN={FILTER},CN=SOM,CN=WMIPolicy,CN=System,DC=src,DC=test");
        fault(ValueChange::AddWmiFilter {
            dn: dn(&at),
            attributes,
        })
    };
    assert_eq!(add(&|_| {}), None);
    for (index, value) in [
        (0, GPO),
        (0, "x"),
        (1, ""),
        (2, "2;3;4;1;WQL;root;q;"),
        (3, "FALSE"),
    ] {
        let fault = add(&|attributes| attributes[index].1 = value.to_owned());
        assert!(fault.unwrap().contains(whole[index].0), "{index} {value}");
    }
    for (index, (name, _)) in whole.iter().take(4).enumerate() {
        let fault = add(&|attributes| drop(attributes.remove(index)));
        assert!(fault.unwrap().contains(name), "{name}");
    }
    let twice = add(&|attributes| attributes.push(("msWMI-Name".to_owned(), "Other".to_owned())));
    assert!(twice.unwrap().contains("twice"));
}

#[test]
fn a_repair_of_gpt_ini_raises_the_version_and_nothing_else() {
    let of = |old: Option<FileContent>, new: Option<FileContent>, sddl: Option<&str>| {
        fault(ValueChange::GptIni {
            guid: GPO.parse().unwrap(),
            old,
            new,
            descriptor: sddl.map(descriptor),
        })
    };
    let was = "[General]\r\ndisplayName=x\r\nVersion=65537\r\n";
    let raised = "[General]\r\ndisplayName=x\r\nVersion=65538\r\n";
    let fresh = "[General]\r\nVersion=65538\r\n";
    assert_eq!(of(ini(was), ini(raised), None), None);
    assert_eq!(
        of(None, ini(fresh), Some("O:BAG:BAD:P(A;OICI;FA;;;BA)")),
        None
    );
    for (old, new) in [
        (ini(raised), ini(was)),
        (ini(was), None),
        (ini(was), ini(fresh)),
        (
            ini(was),
            ini("[General]\r\ndisplayName=y\r\nVersion=65538\r\n"),
        ),
        (None, ini(raised)),
        (None, ini("x")),
    ] {
        let text = format!("{old:?} {new:?}");
        assert!(of(old, new, None).unwrap().contains("GPT.INI"), "{text}");
    }
    let open = of(ini(was), ini(raised), Some("O:BAG:BA"));
    assert!(open.unwrap().contains("no DACL"));
}

#[test]
fn permissions_of_files_can_be_read_and_follow_from_the_gpo() {
    let entry = |path: &str, old: FileContent, new: FileContent| DescriptorSwap {
        path: path.parse().unwrap(),
        old,
        new,
    };
    let change = |entries: Vec<DescriptorSwap>| ValueChange::Descriptors {
        guid: GPO.parse().unwrap(),
        entries,
    };
    let (small, garbage) = (
        descriptor("O:BAG:BAD:P(A;OICI;FA;;;BA)"),
        FileContent(b"x"[..].into()),
    );
    let good = || {
        entry(
            "Machine",
            small.clone(),
            descriptor("O:BAG:BAD:P(A;OICI;FR;;;AU)"),
        )
    };
    assert_eq!(fault(change(vec![good()])), None);
    for (entries, what) in [
        (vec![good(), good()], "twice"),
        (
            vec![entry("Machine", small.clone(), garbage.clone())],
            "Machine",
        ),
        (vec![entry("Machine", garbage, small.clone())], "Machine"),
        (
            vec![entry("Machine", small.clone(), descriptor("O:BAG:BA"))],
            "no DACL",
        ),
    ] {
        let fault = fault(change(entries)).unwrap();
        assert!(fault.contains(what), "{fault}");
    }
    let container = descriptor("O:BAG:BAD:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;BA)(A;CI;RPLCRC;;;AU)");
    let excess = |old: &str, new: &str| {
        let change = change(vec![entry("Machine", descriptor(old), descriptor(new))]);
        foreign_rights(&change, &container.0, None).unwrap()
    };
    let open = "O:BAG:BAD:P(A;OICI;FA;;;WD)";
    assert_eq!(
        excess(open, "O:BAG:BAD:P(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;AU)"),
        None
    );
    // It exists already.
    assert_eq!(excess(open, open), None);
    for (new, what) in [
        (open, "S-1-1-0"),
        ("O:BAG:BAD:P(A;OICI;FA;;;AU)", "S-1-5-11"),
        ("O:AUG:BAD:P(A;OICI;FA;;;BA)", "the owner S-1-5-11"),
    ] {
        let found = excess("O:BAG:BAD:P(A;OICI;FA;;;BA)", new).unwrap();
        assert!(
            found.starts_with("Machine") && found.contains(what),
            "{found}"
        );
    }
    let ini = ValueChange::GptIni {
        guid: GPO.parse().unwrap(),
        old: None,
        new: None,
        descriptor: Some(descriptor(open)),
    };
    assert!(
        foreign_rights(&ini, &container.0, None)
            .unwrap()
            .unwrap()
            .contains("GPT.INI")
    );
}

#[test]
fn a_saved_list_says_what_it_does() {
    let link = || ValueChange::Attributes {
        dn: dn("OU=Staff,DC=src,DC=test"),
        attributes: vec![AttributeSwap {
            attribute: SwapAttribute::GpLink,
            old: None,
            new: Some(OWN_LINK.to_owned()),
        }],
    };
    let edited = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut json = serde_json::from_slice(&list(link()).to_json().unwrap()).unwrap();
        edit(&mut json);
        let bytes = serde_json::to_vec(&json).unwrap();
        (Plan::from_json(&bytes), Plan::from_journal(&bytes))
    };
    let (saved, journal) = edited(&|_| {});
    for (read, who) in [(saved, "the plan file says"), (journal, "the journal says")] {
        let read = read.unwrap();
        assert_eq!(read.said_by, Some(who));
        assert!(read.values().next().unwrap().summary[0].starts_with("+ link of src.test/Staff"));
        assert_eq!(read.title, "1 change in src.test");
    }
    let (saved, journal) = edited(&|json| {
        json["changes"][0]["summary"] = serde_json::json!(["~ nothing to see"]);
    });
    let error = saved.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
    assert!(error.to_string().contains("change 1"), "{error}");
    // A list of an older version has other descriptions; they are not shown.
    let journal = journal.unwrap();
    assert!(journal.values().next().unwrap().summary[0].starts_with("+ link of"));
}

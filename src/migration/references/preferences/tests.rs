use super::super::{Occurrence, Visited, visit_file};
use super::*;
use crate::message::{Code, Severity};
use proptest::prelude::*;

const MAPPED: &str = "S-1-5-21-9-9-9-4242";

fn item(root: &str, inside: &str) -> String {
    format!("<?xml version=\"1.0\"?>\r\n<{root} clsid=\"{{0}}\">{inside}</{root}>\r\n")
}

fn run(text: &str, visitor: &mut dyn FnMut(&Occurrence) -> Rewrite) -> (String, Visited) {
    let path = "Machine/Preferences/Groups/Groups.xml".parse().unwrap();
    let visited = visit_file(&path, &Bytes::from(text.to_owned()), visitor).unwrap();
    let new = visited.bytes.as_ref().map_or_else(
        || text.to_owned(),
        |bytes| String::from_utf8(bytes.to_vec()).unwrap(),
    );
    (new, visited)
}

/// What is found: `key: reference`.
fn found(text: &str) -> Vec<String> {
    let mut list = Vec::new();
    let (same, visited) = run(text, &mut |occurrence| {
        let shown = match &occurrence.target {
            ReferenceTarget::Sid { sid, text } => {
                assert_eq!(text.parse::<Sid>().as_ref(), Ok(sid));
                text.clone()
            }
            ReferenceTarget::Name(name)
            | ReferenceTarget::Computer(name)
            | ReferenceTarget::Label(name) => name.clone(),
            ReferenceTarget::SidAndName { sid, name } => format!("{name} + {sid}"),
            ReferenceTarget::Unc { text, .. } => text.clone(),
        };
        assert_eq!(occurrence.scope, Scope::All);
        let key = occurrence.place.key.clone().unwrap_or_default();
        list.push(format!("{key}: {shown}"));
        Rewrite::Keep
    });
    assert_eq!(same, text);
    assert!(visited.bytes.is_none());
    list
}

/// Everybody is DST\new from now on, every UNC path is on \\new\x.
fn rewritten(text: &str) -> (String, Vec<Code>) {
    let (new, visited) = run(text, &mut |occurrence| match &occurrence.target {
        ReferenceTarget::Unc { .. } => Rewrite::Unc("\\\\new\\x".to_owned()),
        target
            if target
                .name_alone()
                .is_some_and(|name| !name.contains(['\\', '@'])) =>
        {
            Rewrite::Principal {
                sid: None,
                name: "DC=dst".to_owned(),
            }
        }
        _ => Rewrite::Principal {
            sid: Some(MAPPED.parse().unwrap()),
            name: "DST\\new & co".to_owned(),
        },
    });
    (new, codes(&visited))
}

fn codes(visited: &Visited) -> Vec<Code> {
    visited.messages.iter().map(|m| m.code).collect()
}

#[test]
fn a_name_and_a_sid_side_by_side_are_one_reference_and_change_together() {
    let text = item(
        "Groups",
        "<Group name='SRC\\Ops' clsid='{1}' uid='{2}'><Properties groupSid='S-1-5-21-1-2-3-7' newName='' groupName='SRC\\Ops'><Members>\r\n\t<Member name=\"SRC\\A\" action=\"ADD\" sid=\"S-1-5-21-1-2-3-8\"/>\r\n\t<Member sid='' name='SRC\\B' action='REMOVE'/>\r\n\t<Member name='Gast' action='ADD'/></Members></Properties><Filters><FilterCollection><FilterCollection><FilterUser bool='AND' name='SRC\\C' sid='S-1-5-21-1-2-3-9'/></FilterCollection></FilterCollection></Filters></Group>",
    );
    assert_eq!(
        found(&text),
        [
            "groupName, groupSid: SRC\\Ops + S-1-5-21-1-2-3-7",
            "name, sid: SRC\\A + S-1-5-21-1-2-3-8",
            "name, sid: SRC\\B",
            "name: Gast",
            "name, sid: SRC\\C + S-1-5-21-1-2-3-9",
        ]
    );
    let mut expected = text.clone();
    for (old, new) in [
        ("'SRC\\Ops'", "'DST\\new &amp; co'"),
        ("\"SRC\\A\"", "\"DST\\new &amp; co\""),
        ("'SRC\\B'", "'DST\\new &amp; co'"),
        ("'SRC\\C'", "'DST\\new &amp; co'"),
        ("S-1-5-21-1-2-3-7", MAPPED),
        ("S-1-5-21-1-2-3-8", MAPPED),
        ("S-1-5-21-1-2-3-9", MAPPED),
        ("Gast", "DC=dst"),
    ] {
        expected = expected.replace(old, new);
    }
    let (new, messages) = rewritten(&text);
    assert_eq!(new, expected);
    assert_eq!(messages, [Code::DuplicateMember]);
}

#[test]
fn places_lead_to_the_element() {
    let text = item(
        "Groups",
        "<Group clsid='{1}' uid='{2}' name='x'/>\r\n<Group clsid='{1}' uid='{3}' name='y'><Properties><Members><Member/>\r\n<Member name='' sid='S-1-5-21-1-2-3-8'/></Members></Properties></Group>",
    );
    let mut places = Vec::new();
    run(&text, &mut |occurrence| {
        places.push(occurrence.place.to_string());
        Rewrite::Keep
    });
    assert_eq!(
        places,
        [
            "Machine\\Preferences\\Groups\\Groups.xml:4 [/Groups/Group[2][@name='y']/Properties/Members/Member[2]] name, sid"
        ]
    );
}

#[test]
fn tasks_services_drives_and_their_accounts() {
    let text = item(
        "ScheduledTasks",
        "<TaskV2><Properties runAs='SRC\\svc'><Task><RegistrationInfo><Author>SRC\\author</Author><SecurityDescriptor>D:(A;;FA;;;S-1-5-21-1-2-3-5)</SecurityDescriptor></RegistrationInfo><Principals><Principal id='A'><UserId> SRC\\svc\r\n</UserId></Principal><Principal><GroupId>S-1-5-21-1-2-3-4</GroupId></Principal></Principals><Actions><Exec><Command>\\\\fs\\s\\x.exe</Command><Arguments>-f &quot;\\\\fs\\my s\\%ComputerName%.txt&quot; &gt; a</Arguments></Exec></Actions></Task></Properties></TaskV2><NTService><Properties accountName='svc@src.test'/></NTService><Drive><Properties userName='SRC\\u'/></Drive><DataSource><Properties username='SRC\\v'/></DataSource>",
    );
    assert_eq!(
        found(&text),
        [
            "runAs: SRC\\svc",
            ": S-1-5-21-1-2-3-5",
            ": SRC\\svc",
            ": S-1-5-21-1-2-3-4",
            ": \\\\fs\\s\\x.exe",
            ": \\\\fs\\my s\\%ComputerName%.txt",
            "accountName: svc@src.test",
            "userName: SRC\\u",
            "username: SRC\\v",
        ]
    );
    let (new, messages) = rewritten(&text);
    let mut expected = text.clone();
    for (old, new) in [
        ("'SRC\\svc'", "'DST\\new &amp; co'"),
        (" SRC\\svc\r\n", " DST\\new &amp; co\r\n"),
        ("svc@src.test", "DST\\new &amp; co"),
        ("SRC\\u", "DST\\new &amp; co"),
        ("SRC\\v", "DST\\new &amp; co"),
        (";S-1-5-21-1-2-3-5", &format!(";{MAPPED}")),
        (">S-1-5-21-1-2-3-4", &format!(">{MAPPED}")),
        ("\\\\fs\\s\\x.exe", "\\\\new\\x"),
        ("\\\\fs\\my s\\%ComputerName%.txt", "\\\\new\\x"),
    ] {
        expected = expected.replace(old, new);
    }
    assert_eq!(new, expected);
    assert_eq!(messages, []);
}

#[test]
fn local_accounts_are_not_references() {
    let text = item(
        "Groups",
        "<Group name='Administrators (built-in)'><Properties groupName='Administrators (built-in)' groupSid=''/></Group><User><Properties userName='Administrator (built-in)' newName='adm'/></User><User><Properties userName='local'/></User><T><Properties runAs='%LogonDomain%\\%LogonUser%'/><UserId>NT AUTHORITY\\System</UserId><UserId>S-1-5-18</UserId></T><S><Properties accountName='LocalSystem'/><Properties accountName='.\\svc'/></S><Filters><FilterGroup name='%ComputerName%\\x' sid='' localGroup='1'/><FilterGroup name='x' localGroup='1' sid=''/><FilterComputer name='PC*'/><Member name='%LogonUser%'/></Filters>",
    );
    assert_eq!(found(&text), [": S-1-5-18"]);
    let pair = item(
        "Groups",
        "<Properties groupName='Administrators (built-in)' groupSid='S-1-5-32-544'/>",
    );
    assert_eq!(
        found(&pair),
        ["groupName, groupSid: Administrators (built-in) + S-1-5-32-544"]
    );
    // Mapped on purpose, the name keeps the editor's form.
    let (new, _) = run(&pair, &mut |_| Rewrite::Principal {
        sid: Some("S-1-5-32-551".parse().unwrap()),
        name: "Backup Operators".to_owned(),
    });
    assert!(new.contains("groupName='Backup Operators (built-in)' groupSid='S-1-5-32-551'"));
}

#[test]
fn targeting_by_computer_domain_and_unit() {
    let text = item(
        "Drives",
        "<Filters><FilterComputer type='NETBIOS' name='PC1'/><FilterDomain name='SRC'/><FilterOrgUnit name='OU=a,DC=src'/><FilterSite name='Berlin'/></Filters>",
    );
    assert_eq!(
        found(&text),
        ["name: PC1", "name: SRC", "name: OU=a,DC=src"]
    );
    let (new, messages) = rewritten(&text);
    assert_eq!(messages, [Code::TargetsSite]);
    assert_eq!(new.matches("'DC=dst'").count(), 3);
    let (new, visited) = run(&text, &mut |_| Rewrite::Principal {
        sid: Some(MAPPED.parse().unwrap()),
        name: "DST\\PC2$".to_owned(),
    });
    assert_eq!(new, text.replace("PC1", "PC2"));
    assert_eq!(
        codes(&visited),
        [
            Code::MappingWrongKind,
            Code::MappingWrongKind,
            Code::TargetsSite
        ]
    );
}

#[test]
fn ldap_targeting_is_reported_if_it_names_the_domain() {
    let places = |attributes: &str| {
        let text = item(
            "Drives",
            &format!("<Filters><FilterLdap {attributes} variableName='' attribute=''/></Filters>"),
        );
        let (new, visited) = run(&text, &mut |_| Rewrite::Keep);
        assert_eq!(new, text);
        let said = visited.messages.into_iter().map(|message| {
            assert_eq!(
                (message.code, message.severity),
                (Code::TargetsLdap, Severity::Info)
            );
            message.place.unwrap().key.unwrap().to_string()
        });
        said.collect::<Vec<_>>()
    };
    let dn = "searchFilter='(&amp;(objectClass=user)(memberOf=CN=a,OU=b, DC=src,DC=test))'";
    assert_eq!(places(&format!("binding='LDAP:' {dn}")), ["searchFilter"]);
    assert_eq!(
        places(&format!("binding='LDAP://dc1.src.test/DC=src' {dn}")),
        ["binding", "searchFilter"]
    );
    for binding in ["dc=src,dc=test", "GC://src.test"] {
        let any = format!("binding='{binding}' searchFilter='(cn=%ComputerName%)'");
        assert_eq!(places(&any), ["binding"]);
    }
    assert_eq!(
        places("binding='LDAP:' searchFilter='(&amp;(dc=*)(objectClass=user))'"),
        Vec::<String>::new()
    );
}

#[test]
fn destination_none_removes_only_members() {
    let text = item(
        "Groups",
        "<Members>\r\n\t<Member name='SRC\\a' sid='S-1-5-21-1-2-3-8'/>\r\n\t<Member name='SRC\\a' sid='S-1-5-21-1-2-3-8'/>\r\n</Members><FilterGroup name='SRC\\a' sid='S-1-5-21-1-2-3-8'/><Properties runAs='SRC\\a'/>",
    );
    let (new, visited) = run(&text, &mut |_| Rewrite::Remove);
    assert_eq!(
        new,
        text.replace("\r\n\t<Member name='SRC\\a' sid='S-1-5-21-1-2-3-8'/>", "")
    );
    assert_eq!(
        codes(&visited),
        [Code::EmptyList, Code::CannotRemove, Code::CannotRemove]
    );
}

#[test]
fn a_root_element_that_is_a_member_is_kept() {
    let text = "<Member name='S-1-5-21-1-2-3-8'/>";
    let (new, visited) = run(text, &mut |_| Rewrite::Remove);
    assert_eq!(new, text);
    assert_eq!(codes(&visited), [Code::CannotRemove]);
}

#[test]
fn destinations_of_the_wrong_kind_change_nothing() {
    let text = item(
        "Groups",
        "<Member name='SRC\\a' sid='S-1-5-21-1-2-3-8'/><Member name='SRC\\b' sid='?'/>",
    );
    let (new, visited) = run(&text, &mut |_| Rewrite::Unc("\\\\a\\b".to_owned()));
    assert_eq!(new, text);
    assert_eq!(
        codes(&visited),
        [Code::MappingWrongKind, Code::BadSid, Code::MappingWrongKind]
    );
    let (new, visited) = run(&text, &mut |_| Rewrite::Principal {
        sid: None,
        name: "x".to_owned(),
    });
    assert_eq!(new, text.replace("SRC\\b", "x"));
    assert_eq!(codes(&visited), [Code::NeedsSid, Code::BadSid]);
}

#[test]
fn passwords_are_not_searched() {
    for inside in [
        "<Properties cpassword='\\\\a\\b'/>",
        "<Properties CPassword='S-1-5-21-1-2-3-4'/>",
        "<cpassword>\\\\a\\b</cpassword>",
        "<Properties name='DefaultPassword' value='\\\\a\\b'/>",
        "<Properties name='Default&#80;assword' Value='S-1-5-21-1-2-3-4'/>",
        "<Properties key='a\\DefaultPassword' name='' value='\\\\a\\b'/>",
        "<Properties property='ProxyPassword' value='\\\\a\\b'/>",
        "<Properties name='DefaultPassword'><Values><Value>\\\\a\\b</Value><Value><![CDATA[\\\\a\\c]]></Value></Values></Properties>",
    ] {
        assert_eq!(found(&item("Drives", inside)), [""; 0], "{inside}");
    }
    // What is beside a password is a reference.
    let inside = "<a name='DefaultPassword'><b/></a><a name='x' value='\\\\a\\b'><Value>\\\\a\\c</Value></a>";
    assert_eq!(
        found(&item("Drives", inside)),
        ["value: \\\\a\\b", ": \\\\a\\c"]
    );
}

proptest! {
    #[test]
    fn visiting_never_panics_and_keeping_changes_nothing(
        pieces in "(<Member name='(SRC_a|S-1-5-21-1-2-3-4|%x%|&amp;)?' sid='(S-1-5-21-1-2-3-4|\\?| )?'/>|<UserId>(SRC_a|\r\n|S-1-5-18| )*</UserId>|<Filter(Computer|Domain|OrgUnit|Site|Group) name='(a|SRC|DC=a)?'/>|<Members>|</Members>|<Properties runAs='x_y' path='\\\\\\\\a_b'/>){0,12}"
    ) {
        let pieces = pieces.replace('_', "\\");
        let bytes = Bytes::from(format!("<r>{pieces}</r>"));
        let path = "User/Preferences/X/X.xml".parse().unwrap();
        let Ok(kept) = visit_file(&path, &bytes, &mut |_| Rewrite::Keep) else {
            return Ok(());
        };
        prop_assert_eq!(kept.bytes, None);
        for rewrite in [
            Rewrite::Remove,
            Rewrite::Unc("\\\\new\\x & y".to_owned()),
            Rewrite::Principal { sid: None, name: "<n>'\"".to_owned() },
            Rewrite::Principal { sid: Some(MAPPED.parse().unwrap()), name: "DST\\n".to_owned() },
        ] {
            // What was written is a file of Preferences again, and visiting it once more changes nothing.
            let first = visit_file(&path, &bytes, &mut |_| rewrite.clone()).unwrap();
            let new = first.bytes.unwrap_or_else(|| bytes.clone());
            let again = visit_file(&path, &new, &mut |_| rewrite.clone()).unwrap();
            prop_assert_eq!(again.bytes, None, "{:?}", new);
        }
    }
}

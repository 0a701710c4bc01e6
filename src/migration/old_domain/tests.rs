use super::super::map::file_format_tests::{SOURCE, Target, snapshot, table};
use super::*;
use crate::error::ErrorKind;
use crate::formats::registry_pol::{Record, ValueType, utf16_bytes};
use crate::message::Severity;
use crate::migration::map::{MapOptions, map};

const POL: &str = "Machine\\Registry.pol";

fn with_value(key: &str, name: &str, value: &str) -> GpoSnapshot {
    let mut gpo = snapshot("");
    let pol = RegistryPol {
        records: vec![Record {
            key: utf16_bytes(key),
            value_name: utf16_bytes(name),
            value_type: ValueType::SZ,
            data: utf16_bytes(&format!("{value}\0")),
        }],
    };
    gpo.tree.insert_file(&POL.parse().unwrap(), pol.to_bytes());
    gpo
}

/// The value, and the name of the source domain in it.
#[tokio::test]
async fn names_of_the_source_domain_in_values_are_findings() {
    let rows: Vec<(&str, Option<&str>)> = vec![
        (r"SRC\Helpdesk", Some("SRC")),
        (r"src\helpdesk", Some("src")),
        (r"SRC\Domain Admins", Some("SRC")),
        (r"/owner SRC\Helpdesk /x", Some("SRC")),
        (r#"-u "SRC\Help desk""#, Some("SRC")),
        (r"a;SRC\b;c", Some("SRC")),
        (r"user=SRC\b", Some("SRC")),
        (r"src.test\Helpdesk", Some("src.test")),
        ("Helpdesk@src.test", Some("src.test")),
        ("Helpdesk@SRC.TEST", Some("SRC.TEST")),
        ("http://wsus.src.test:8530", Some("src.test")),
        ("https://src.test/x", Some("src.test")),
        ("proxy.src.test:8080;*.src.test", Some("src.test")),
        ("file://fs1.src.test/share", Some("src.test")),
        ("ldap://dc1.src.test", Some("src.test")),
        ("host.src.test.", Some("src.test")),
        ("OU=Staff,DC=src,DC=test", Some("DC=src,DC=test")),
        ("ou=staff, dc=src, dc=test", Some("dc=src,dc=test")),
        ("LDAP://CN=x,DC=src,DC=test??base", Some("DC=src,DC=test")),
        ("<LDAP://DC=src,DC=test>;(cn=x)", Some("DC=src,DC=test")),
        // Not the domain.
        ("SRC", None),
        (r"C:\SRC\main.c", None),
        (r"HKLM\Software\SRC\Helpdesk", None),
        (r"%ProgramFiles%\SRC\x.exe", None),
        (r"src\lib\main.rs", None),
        (r"MYSRC\Helpdesk", None),
        (r"SRC2\Helpdesk", None),
        (r"SRC \Helpdesk", None),
        ("src.test.example", None),
        ("http://www.src.tests", None),
        ("xsrc.test", None),
        ("my-src.test", None),
        ("src-test", None),
        ("DC=src,DC=test,DC=example", None),
        ("DC=xsrc,DC=test2", None),
        (r"DST\Helpdesk", None),
        ("Helpdesk@dst.test", None),
        ("", None),
    ];
    assert!(rows.len() >= 30);
    for (value, name) in rows {
        let gpo = with_value("Software\\X", "v", value);
        let options = MapOptions::default();
        let mapped = map(&gpo, Some(&table(&[])), &Target, &options)
            .await
            .unwrap();
        let told: Vec<_> = mapped
            .report
            .messages
            .iter()
            .filter(|message| message.code == Code::SourceDomainInText)
            .collect();
        let expected = name.map(|name| {
            let sentence = format!(
                "\"{}\" contains {name}, a name of the source domain",
                printable(value)
            );
            (Severity::Warning, sentence)
        });
        let seen: Vec<_> = told.iter().map(|m| (m.severity, m.text.clone())).collect();
        assert_eq!(seen, Vec::from_iter(expected.clone()), "{value}");
        let exclusive = map(&gpo, Some(&table(&[])), &Target, &options.exclusive(true)).await;
        match expected {
            None => assert!(exclusive.is_ok(), "{value}"),
            Some((_, sentence)) => {
                let error = exclusive.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unmapped, "{value}");
                // A path has a finding of its own besides.
                let detail = error.details().iter().find(|it| it.text == sentence);
                let detail = detail.unwrap_or_else(|| panic!("{value}: {:?}", error.details()));
                assert_eq!(detail.severity, Severity::Error);
                let place = detail.place.as_ref().unwrap().to_string();
                assert_eq!(place, "Machine\\Registry.pol:1 [Software\\X] v");
            }
        }
    }
}

/// What is known of a policy is in the sentence, and a domain may be its NetBIOS name alone.
#[tokio::test]
async fn known_policies_are_named() {
    let rows = [
        (
            r"Software\Microsoft\Windows\CurrentVersion\Policies\LAPS",
            "ADPasswordEncryptionPrincipal",
            r"SRC\Helpdesk",
            Some("the principal that may decrypt passwords of Windows LAPS"),
        ),
        (
            r"Software\Microsoft\Windows\CurrentVersion\Policies\System",
            "DefaultLogonDomain",
            "SRC",
            Some("the default logon domain"),
        ),
        (
            r"Software\Microsoft\Windows NT\CurrentVersion\Winlogon",
            "DefaultDomainName",
            "src",
            Some("the domain of the automatic logon"),
        ),
        (
            r"Software\Policies\Microsoft\Windows\WindowsUpdate",
            "WUServer",
            "http://wsus.src.test:8530",
            Some("the update server"),
        ),
        (
            r"Software\Policies\Microsoft\Windows\EventLog\EventForwarding\SubscriptionManager",
            "1",
            "Server=http://wec.src.test:5985/wsman",
            Some("the collector of forwarded events"),
        ),
        (r"Software\X", "DefaultLogonDomain", "SRC", None),
        (
            r"Software\Policies\Microsoft\Windows\WindowsUpdate",
            "WUServer",
            "http://wsus.dst.test:8530",
            None,
        ),
    ];
    for (key, name, value, what) in rows {
        let gpo = with_value(key, name, value);
        let found = findings(&gpo, &gpo, &[]);
        let seen = found.first().map(|m| m.text.split(" \"").next().unwrap());
        assert_eq!(seen, what, "{name} {value}");
    }
}

/// The value has a SID and a name of a reference, which has a finding of its own.
#[test]
fn references_are_left_out() {
    let mut gpo = snapshot("");
    let text = format!(
        "<Drives><Drive><Filters><FilterGroup name='SRC\\Helpdesk' sid='{SOURCE}-1001'/><FilterUser name='SRC\\x' sid=''/></Filters></Drive></Drives>"
    );
    let path = "User\\Preferences\\Drives\\Drives.xml";
    gpo.tree
        .insert_file(&path.parse().unwrap(), Bytes::from(text));
    let references = crate::migration::scan::scan(&gpo).references;
    assert_eq!(references.len(), 2);
    assert_eq!(findings(&gpo, &gpo, &references), []);
    assert_eq!(findings(&gpo, &gpo, &[]).len(), 3);
}

/// A file, its text, and the line and key of its finding.
type Row = (&'static str, String, Option<(u64, &'static str)>);

/// Each format, and what only the editor reads: the file, the line and the key of the finding.
#[test]
fn every_format_is_searched() {
    let task = |inner: &str| {
        format!(
            "<ScheduledTasks><TaskV2 name='SRC\\n' status='SRC\\n' desc='SRC\\n'>{inner}</TaskV2></ScheduledTasks>"
        )
    };
    let tasks = "Machine\\Preferences\\ScheduledTasks\\ScheduledTasks.xml";
    let rows: [Row; 6] = [
        (
            "User\\Scripts\\scripts.ini",
            "[Logon]\r\n0CmdLine=a.cmd\r\n0Parameters=/owner SRC\\Helpdesk /x\r\n".to_owned(),
            Some((3, "0Parameters")),
        ),
        (
            "Machine\\Preferences\\Registry\\Registry.xml",
            "<RegistrySettings><Registry name='v'><Properties key='X' name='v' value='SRC\\Helpdesk'/></Registry></RegistrySettings>".to_owned(),
            Some((1, "value")),
        ),
        (
            tasks,
            task("<Properties><Task><RegistrationInfo><Author>SRC\\a</Author></RegistrationInfo></Task></Properties>"),
            None,
        ),
        (
            tasks,
            task("<Properties><Task><Actions><Exec><Arguments>-h x.src.test</Arguments></Exec></Actions></Task></Properties>"),
            Some((1, "")),
        ),
        (
            "Machine\\Microsoft\\Windows NT\\SecEdit\\GptTmpl.inf",
            "[Registry Values]\r\nMACHINE\\a=1,\"x.src.test\"\r\n".to_owned(),
            Some((2, "MACHINE\\a")),
        ),
        ("Machine\\Scripts\\Startup\\a.cmd", "net use x.src.test".to_owned(), None),
    ];
    for (path, text, expected) in rows {
        let mut gpo = snapshot("");
        gpo.tree
            .insert_file(&path.parse().unwrap(), Bytes::from(text));
        let found = findings(&gpo, &gpo, &[]);
        let seen: Vec<_> = found
            .iter()
            .map(|message| {
                let place = message.place.as_ref().unwrap();
                assert_eq!(place.file, path);
                (
                    place.line.unwrap(),
                    place.key.as_deref().unwrap_or_default(),
                )
            })
            .collect();
        assert_eq!(seen, Vec::from_iter(expected), "{path}");
    }
}

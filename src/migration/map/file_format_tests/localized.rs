//! Well-known principals in other languages, and accounts that every domain has.

use super::*;
use crate::migration::inventory::NameForm;

const TASKS: &str = "Machine\\Preferences\\ScheduledTasks\\ScheduledTasks.xml";
const RELATIVE: &str = "<DestinationByRelativeName/>";

/// A domain in German: Domain Admins and Domain Users have other names, and Enterprise Admins are in the forest root.
struct German;

#[async_trait]
impl PrincipalDirectory for German {
    async fn lookup(&self, queries: &[PrincipalQuery]) -> Result<Vec<Lookup>> {
        let accounts = [
            ("Dom\u{e4}nen-Admins", 512),
            ("Dom\u{e4}nen-Benutzer", 513),
            ("Chef", 500),
            ("Protected Users", 525),
            ("Support", 2001),
        ];
        let domain = TARGET.parse::<Sid>().unwrap();
        let found = |query: &PrincipalQuery| {
            let (name, rid) = accounts.iter().find(|(name, rid)| match query {
                PrincipalQuery::Sid(sid) => *sid == domain.with_rid(*rid),
                PrincipalQuery::Name(text) => {
                    let bare = NameForm::of(text).relative();
                    bare.to_lowercase() == name.to_lowercase()
                }
            })?;
            let group = PrincipalType::GlobalGroup;
            let sid = domain.with_rid(*rid);
            Some(Principal::of_domain(sid, name, group, "DST", "dst.test"))
        };
        let answer = |query| found(query).map_or(Lookup::NotFound, Lookup::Found);
        Ok(queries.iter().map(answer).collect())
    }

    async fn objects_exist(&self, dns: &[Dn]) -> Result<Vec<bool>> {
        Ok(vec![false; dns.len()])
    }

    fn dns_domain(&self) -> &str {
        "dst.test"
    }

    fn netbios_domain(&self) -> &str {
        "DST"
    }

    fn domain_sid(&self) -> Option<&Sid> {
        static SID: std::sync::LazyLock<Sid> = std::sync::LazyLock::new(|| TARGET.parse().unwrap());
        Some(&SID)
    }
}

/// With `exclusive` and without a row: nothing is missing, the text is unchanged, and the note names the language.
#[tokio::test]
async fn localized_names_of_well_known_principals_need_no_row() {
    let rows = [
        ("NT-AUTORIT\u{c4}T\\SYSTEM", "S-1-5-18 (SYSTEM)", "German"),
        ("nt-autorit\u{e4}t\\system", "S-1-5-18 (SYSTEM)", "German"),
        (
            "NT-AUTORIT\u{c4}T\\Netzwerkdienst",
            "S-1-5-20 (NETWORK SERVICE)",
            "German",
        ),
        (
            "NT-AUTORIT\u{c4}T\\Lokaler Dienst",
            "S-1-5-19 (LOCAL SERVICE)",
            "German",
        ),
        (
            "NT-AUTORIT\u{c4}T\\Authentifizierte Benutzer",
            "S-1-5-11 (Authenticated Users)",
            "German",
        ),
        (
            "VORDEFINIERT\\Administratoren",
            "S-1-5-32-544 (Administrators)",
            "German",
        ),
        ("Administratoren", "S-1-5-32-544 (Administrators)", "German"),
        ("Benutzer", "S-1-5-32-545 (Users)", "German"),
        ("G\u{e4}ste", "S-1-5-32-546 (Guests)", "German"),
        (
            "Remotedesktopbenutzer",
            "S-1-5-32-555 (Remote Desktop Users)",
            "German",
        ),
        ("AUTORITE NT\\SYSTEM", "S-1-5-18 (SYSTEM)", "French"),
        ("AUTORITE NT\\Syst\u{e8}me", "S-1-5-18 (SYSTEM)", "French"),
        (
            "AUTORITE NT\\SERVICE R\u{c9}SEAU",
            "S-1-5-20 (NETWORK SERVICE)",
            "French",
        ),
        (
            "BUILTIN\\Administrateurs",
            "S-1-5-32-544 (Administrators)",
            "French",
        ),
        ("Utilisateurs", "S-1-5-32-545 (Users)", "French"),
        (
            "NT AUTHORITY\\SERVIZIO DI RETE",
            "S-1-5-20 (NETWORK SERVICE)",
            "Italian",
        ),
        (
            "NT AUTHORITY\\SERVICIO LOC",
            "S-1-5-19 (LOCAL SERVICE)",
            "Spanish",
        ),
        (
            "BUILTIN\\Administradores",
            "S-1-5-32-544 (Administrators)",
            "Spanish or Portuguese",
        ),
        ("AUTORIDADE NT\\SISTEMA", "S-1-5-18 (SYSTEM)", "Portuguese"),
        (
            "NT AUTHORITY\\Netwerkservice",
            "S-1-5-20 (NETWORK SERVICE)",
            "Dutch",
        ),
        ("NT INSTANS\\SYSTEM", "S-1-5-18 (SYSTEM)", "Swedish"),
        (
            "Administrat\u{f6}rer",
            "S-1-5-32-544 (Administrators)",
            "Swedish",
        ),
        (
            "NT-MYNDIGHET\\NETTVERKSTJENESTE",
            "S-1-5-20 (NETWORK SERVICE)",
            "Norwegian",
        ),
        (
            "Administratorer",
            "S-1-5-32-544 (Administrators)",
            "Norwegian or Danish",
        ),
        (
            "NT AUTHORITY\\NETV\u{c6}RKSTJENESTE",
            "S-1-5-20 (NETWORK SERVICE)",
            "Danish",
        ),
        (
            "NT-HALLINTA\\Verkkopalvelu",
            "S-1-5-20 (NETWORK SERVICE)",
            "Finnish",
        ),
        (
            "ZARZ\u{104}DZANIE NT\\US\u{141}UGA SIECIOWA",
            "S-1-5-20 (NETWORK SERVICE)",
            "Polish",
        ),
        ("Administratorzy", "S-1-5-32-544 (Administrators)", "Polish"),
        (
            "Rendszergazd\u{e1}k",
            "S-1-5-32-544 (Administrators)",
            "Hungarian",
        ),
        (
            "NT AUTHORITY\\\u{421}\u{418}\u{421}\u{422}\u{415}\u{41c}\u{410}",
            "S-1-5-18 (SYSTEM)",
            "Russian",
        ),
        (
            "BUILTIN\\\u{410}\u{434}\u{43c}\u{438}\u{43d}\u{438}\u{441}\u{442}\u{440}\u{430}\u{442}\u{43e}\u{440}\u{44b}",
            "S-1-5-32-544 (Administrators)",
            "Russian",
        ),
    ];
    assert!(rows.len() >= 30);
    let exclusive = MapOptions::default().exclusive(true);
    for (name, principal, language) in rows {
        let mut gpo = snapshot("");
        let text: Vec<u8> =
            format!("[Unicode]\r\nUnicode=yes\r\n[Privilege Rights]\r\nSeX = {name}\r\n")
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect();
        let text = [&[0xff, 0xfe], &text[..]].concat();
        gpo.tree
            .insert_file(&INF.parse().unwrap(), Bytes::from(text.clone()));
        let mapped = map(&gpo, Some(&table(&[])), &German, &exclusive).await;
        let mapped = mapped.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(
            mapped.snapshot.tree.file(INF).unwrap().as_ref(),
            text,
            "{name}"
        );
        let told: Vec<_> = mapped
            .report
            .messages
            .iter()
            .map(|m| (m.code, m.text.clone()))
            .collect();
        let sentence = format!(
            "\"{name}\" is {principal}, but only machines in {language} understand this name"
        );
        assert_eq!(told, [(Code::LocalizedName, sentence)]);
        let found = crate::migration::scan::findings_of_names(&gpo.tree);
        assert_eq!(found.len(), 1, "{name}");
        // A row to the English name makes the SID of it.
        let row = [("Unknown", name, "<Destination>Users</Destination>")];
        let mapped = map(&gpo, Some(&table(&row)), &German, &exclusive)
            .await
            .unwrap();
        assert!(
            contains(&mapped.snapshot, INF, "SeX = *S-1-5-32-545"),
            "{name}"
        );
    }
    // The authority of local accounts is not a domain, and a name of a domain is not a local one.
    for (name, code) in [
        ("SRC\\Administratoren", Code::UnmappedReference),
        ("NT-AUTORIT\u{c4}T2\\SYSTEM", Code::UnmappedReference),
        ("NETZWERKDIENST2", Code::UnmappedReference),
    ] {
        let gpo = snapshot(&format!("[Privilege Rights]\r\nSeX = {name}\r\n"));
        let error = map(&gpo, Some(&table(&[])), &German, &exclusive)
            .await
            .unwrap_err();
        assert_eq!(error.details()[0].code, code, "{name}");
    }
}

/// Whether a file of the snapshot has this text, in UTF-8 or UTF-16.
fn contains(gpo: &GpoSnapshot, path: &str, text: &str) -> bool {
    let bytes = gpo.tree.file(path).unwrap();
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
        .collect();
    String::from_utf16_lossy(&units).contains(text) || String::from_utf8_lossy(bytes).contains(text)
}

/// In a task: the account is SYSTEM in the risks, and a row to the English name replaces the text.
#[tokio::test]
async fn a_task_as_system_in_german() {
    let name = "NT-AUTORIT\u{c4}T\\SYSTEM";
    let mut gpo = snapshot("");
    let text = format!(
        "<ScheduledTasks><TaskV2 name='t'><Properties action='C' name='t' runAs='{name}'><Task><Principals><Principal><UserId>{name}</UserId></Principal></Principals><Actions><Exec><Command>c.exe</Command></Exec></Actions></Task></Properties></TaskV2></ScheduledTasks>"
    );
    gpo.tree
        .insert_file(&TASKS.parse().unwrap(), Bytes::from(text));
    let exclusive = MapOptions::default().exclusive(true);
    let mapped = map(&gpo, Some(&table(&[])), &German, &exclusive)
        .await
        .unwrap();
    assert!(contains(&mapped.snapshot, TASKS, name));
    let risks = crate::plan::risks::of(&gpo);
    assert_eq!(risks.len(), 1, "{risks:?}");
    assert!(
        risks[0]
            .text
            .ends_with(&format!("runs c.exe as SYSTEM ({name})")),
        "{risks:?}"
    );
    let row = [(
        "Unknown",
        name,
        "<Destination>NT AUTHORITY\\SYSTEM</Destination>",
    )];
    let mapped = map(&gpo, Some(&table(&row)), &German, &exclusive)
        .await
        .unwrap();
    assert!(contains(&mapped.snapshot, TASKS, "<UserId>SYSTEM</UserId>"));
    assert!(!contains(&mapped.snapshot, TASKS, name));
}

/// Source, type and destination of a row, the text in the GPO, and what it becomes.
#[tokio::test]
async fn accounts_of_every_domain_pair_by_rid() {
    let s = |rid: u32| format!("*{SOURCE}-{rid}");
    let t = |rid: u32| format!("*{TARGET}-{rid}");
    let to = |text: &str| format!("<Destination>{text}</Destination>");
    let sid = format!("{SOURCE}-512");
    let relative = RELATIVE.to_owned();
    let rows: Vec<(&str, String, String, Result<String, &str>)> = vec![
        (
            "Domain Admins@src.test",
            relative.clone(),
            "SRC\\Domain Admins".to_owned(),
            Ok(t(512)),
        ),
        (
            "SRC\\Domain Admins",
            relative.clone(),
            "SRC\\Domain Admins".to_owned(),
            Ok(t(512)),
        ),
        (
            "SRC\\domain admins",
            relative.clone(),
            "src.test\\DOMAIN ADMINS".to_owned(),
            Ok(t(512)),
        ),
        (
            "SRC\\Domain Users",
            relative.clone(),
            "SRC\\Domain Users".to_owned(),
            Ok(t(513)),
        ),
        (
            "SRC\\Administrator",
            relative.clone(),
            "SRC\\Administrator".to_owned(),
            Ok(t(500)),
        ),
        (
            "SRC\\Admins du domaine",
            relative.clone(),
            "SRC\\Admins du domaine".to_owned(),
            Ok(t(512)),
        ),
        (
            "SRC\\Protected Users",
            relative.clone(),
            "SRC\\Protected Users".to_owned(),
            Ok(t(525)),
        ),
        (&sid, relative.clone(), s(512), Ok(t(512))),
        (
            "SRC\\Support",
            relative.clone(),
            "SRC\\Support".to_owned(),
            Ok(t(2001)),
        ),
        (
            "SRC\\x",
            to("DST\\Domain Admins"),
            "SRC\\x".to_owned(),
            Ok(t(512)),
        ),
        (
            "SRC\\x",
            to("Domain Users@dst.test"),
            "SRC\\x".to_owned(),
            Ok(t(513)),
        ),
        (
            "SRC\\x",
            to("dst.test\\Admins. del dominio"),
            "SRC\\x".to_owned(),
            Ok(t(512)),
        ),
        (
            "SRC\\x",
            to("DST\\Dom\u{e4}nen-Admins"),
            "SRC\\x".to_owned(),
            Ok(t(512)),
        ),
        (
            "SRC\\x",
            to("DST\\Domain Guests"),
            "SRC\\x".to_owned(),
            Err("do not create a second one"),
        ),
        (
            "SRC\\x",
            to("DST\\Nobody"),
            "SRC\\x".to_owned(),
            Err("create it in the target domain"),
        ),
        (
            "SRC\\Enterprise Admins",
            relative.clone(),
            "SRC\\Enterprise Admins".to_owned(),
            Err("do not create a second one"),
        ),
        (
            "SRC\\Nobody",
            relative,
            "SRC\\Nobody".to_owned(),
            Err("create it in the target domain"),
        ),
    ];
    for (source, destination, text, new) in rows {
        let gpo = snapshot(&format!("[Privilege Rights]\r\nSeX = {text}\r\n"));
        let table = table(&[("Unknown", source, &destination)]);
        let options = MapOptions::default();
        let checked = review(&table, std::slice::from_ref(&gpo), Some(&German), &options)
            .await
            .unwrap();
        let errors: Vec<_> = checked
            .iter()
            .filter(|m| m.severity == Severity::Error)
            .collect();
        let result = map(&gpo, Some(&table), &German, &options).await;
        match new {
            Ok(new) => {
                let mapped = result.unwrap_or_else(|error| panic!("{source}: {error:?}"));
                assert!(
                    contains(&mapped.snapshot, INF, &format!("SeX = {new}\r\n")),
                    "{source} {text}"
                );
                assert!(errors.is_empty(), "{source}: {errors:?}");
            }
            Err(advice) => {
                let error = result.unwrap_err();
                for hint in [&error.details()[0].hint, &errors[0].hint] {
                    assert!(
                        hint.as_ref().unwrap().contains(advice),
                        "{source}: {hint:?}"
                    );
                }
            }
        }
    }
}

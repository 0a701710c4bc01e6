//! Names that each client completes, and names that none can.

use super::*;

const GROUPS: &str = "Machine\\Preferences\\Groups\\Groups.xml";

const SAME: &str = "<DestinationSameAsSource/>";
const RELATIVE: &str = "<DestinationByRelativeName/>";

/// A snapshot whose Groups.xml has this element in the place of a member or filter.
fn with_element(element: &str) -> GpoSnapshot {
    let mut gpo = snapshot("");
    let text = format!("<Groups><Group>{element}</Group></Groups>");
    gpo.tree
        .insert_file(&GROUPS.parse().unwrap(), Bytes::from(text));
    gpo
}

/// The value of the attribute after the mapping with the codes of its findings, or the codes of its failure.
async fn mapped(
    element: &str,
    attribute: &str,
    row: Option<(&str, &str)>,
    exclusive: bool,
) -> (String, Vec<(Severity, Code)>) {
    let gpo = with_element(element);
    let rows: Vec<(&str, &str, &str)> = row
        .iter()
        .map(|(source, destination)| ("Unknown", *source, *destination))
        .collect();
    let table = table(&rows);
    let options = MapOptions {
        exclusive,
        ..MapOptions::default()
    };
    let codes = |messages: &[StatusMessage]| {
        let mut codes: Vec<_> = messages.iter().map(|m| (m.severity, m.code)).collect();
        codes.dedup();
        codes
    };
    match map(&gpo, Some(&table), &Target, &options).await {
        Ok(mapped) => {
            let file = mapped.snapshot.tree.file(GROUPS).unwrap();
            let text = String::from_utf8(file.to_vec()).unwrap();
            let (_, rest) = text.split_once(&format!("{attribute}=\"")).unwrap();
            let value = rest.split('"').next().unwrap();
            (value.to_owned(), codes(&mapped.report.messages))
        }
        Err(error) => ("fails".to_owned(), codes(error.details())),
    }
}

const NOTE: (Severity, Code) = (Severity::Info, Code::ClientVariable);
const WRONG: (Severity, Code) = (Severity::Error, Code::UnknownVariable);
const NO_ROW: (Severity, Code) = (Severity::Error, Code::UnmappedReference);
const LEFTOVER: (Severity, Code) = (Severity::Error, Code::LeftoverPlaceholder);

/// The name of a member, the source and destination of its row, the new name, and the findings.
type Row<'r> = (
    &'r str,
    Option<(&'r str, &'r str)>,
    &'r str,
    Vec<(Severity, Code)>,
);

/// With `exclusive`: name of a member, its row, the new name, and the findings.
#[tokio::test]
async fn variables_of_clients_in_names_are_mapped_by_the_fixed_part() {
    let to = |text: &str| format!("<Destination>{text}</Destination>");
    let la = to(r"DST\LA_%ComputerName%");
    let upper = to(r"DST\LA_%COMPUTERNAME%");
    let other = to(r"DST\Admins-%ComputerName%-x");
    let upn = to("LA_%ComputerName%@dst.test");
    let dns = to(r"dst.test\LA_%ComputerName%");
    let variable_domain = to(r"%DomainName%\Admins");
    let tier = to(r"DST\LA_%Tier%");
    let mixed = to(r"DST\%Tier%_%ComputerName%");
    let support = to(r"DST\Support");
    let user = to(r"DST\%LogonUser%");
    let same = Some((r"SRC\LA_%ComputerName%", SAME));
    let rows: Vec<Row<'_>> = vec![
        // A row with the whole name, in each of its forms.
        (
            r"SRC\LA_%ComputerName%",
            Some((r"SRC\LA_%ComputerName%", &la)),
            r"DST\LA_%ComputerName%",
            vec![NOTE],
        ),
        (
            r"SRC\LA_%COMPUTERNAME%",
            Some((r"SRC\LA_%ComputerName%", &la)),
            r"DST\LA_%ComputerName%",
            vec![NOTE],
        ),
        (
            r"src\la_%computername%",
            Some((r"SRC\LA_%ComputerName%", &upper)),
            r"DST\LA_%COMPUTERNAME%",
            vec![NOTE],
        ),
        (
            r"SRC\LA_%ComputerName%",
            Some(("LA_%ComputerName%@src.test", &la)),
            r"DST\LA_%ComputerName%",
            vec![NOTE],
        ),
        (
            r"SRC\LA_%ComputerName%",
            Some((r"src.test\LA_%ComputerName%", &upn)),
            "LA_%ComputerName%@dst.test",
            vec![NOTE],
        ),
        (
            "LA_%ComputerName%@src.test",
            Some((r"SRC\LA_%ComputerName%", &dns)),
            r"dst.test\LA_%ComputerName%",
            vec![NOTE],
        ),
        (
            r"src.test\LA_%ComputerName%",
            Some((r"SRC\LA_%ComputerName%", &la)),
            r"DST\LA_%ComputerName%",
            vec![NOTE],
        ),
        (
            r"SRC\Admins-%ComputerName%-x",
            Some((r"SRC\Admins-%ComputerName%-x", &other)),
            r"DST\Admins-%ComputerName%-x",
            vec![NOTE],
        ),
        (
            r"SRC\%ComputerName%",
            Some((r"SRC\%ComputerName%", &la)),
            r"DST\LA_%ComputerName%",
            vec![NOTE],
        ),
        (
            r"SRC\%LogonUser%",
            Some((r"SRC\%LogonUser%", &user)),
            r"DST\%LogonUser%",
            vec![NOTE],
        ),
        (
            r"SRC\%USERNAME%",
            Some((r"SRC\%username%", &user)),
            r"DST\%LogonUser%",
            vec![NOTE],
        ),
        (
            r"SRC\%MacAddress%_%OsVersion%",
            Some((r"SRC\%MacAddress%_%OsVersion%", &user)),
            r"DST\%LogonUser%",
            vec![NOTE],
        ),
        // By the relative name.
        (
            r"SRC\LA_%ComputerName%",
            Some((r"SRC\LA_%ComputerName%", RELATIVE)),
            r"DST\LA_%ComputerName%",
            vec![NOTE],
        ),
        (
            "LA_%ComputerName%@src.test",
            Some((r"SRC\LA_%ComputerName%", RELATIVE)),
            r"DST\LA_%ComputerName%",
            vec![NOTE],
        ),
        (
            r"SRC\50%_LA_%ComputerName%",
            Some((r"SRC\50%_LA_%ComputerName%", RELATIVE)),
            r"fails",
            vec![(Severity::Error, Code::DestinationNotFound)],
        ),
        // Without change, or without a row.
        (
            r"SRC\LA_%ComputerName%",
            same,
            r"SRC\LA_%ComputerName%",
            vec![(Severity::Warning, Code::SourceNameLeft)],
        ),
        (r"SRC\LA_%ComputerName%", None, "fails", vec![NO_ROW]),
        (r"OTHER\LA_%ComputerName%", None, "fails", vec![NO_ROW]),
        // A variable that replaces a name, and a name that replaces a variable.
        (
            r"SRC\LA_%ComputerName%",
            Some((r"SRC\LA_%ComputerName%", &support)),
            r"DST\Support",
            vec![],
        ),
        (
            r"SRC\Nobody",
            Some((r"SRC\Nobody", &la)),
            r"DST\LA_%ComputerName%",
            vec![NOTE],
        ),
        (
            r"SRC\Nobody",
            Some((r"SRC\Nobody", &variable_domain)),
            r"%DomainName%\Admins",
            vec![NOTE],
        ),
        // What the client completes as a whole needs no row.
        (r"%DomainName%\x", None, r"%DomainName%\x", vec![]),
        (
            r"%LogonDomain%\%LogonUser%",
            None,
            r"%LogonDomain%\%LogonUser%",
            vec![],
        ),
        (r"%USERDOMAIN%\Admins", None, r"%USERDOMAIN%\Admins", vec![]),
        (
            r"%ComputerName%\Administrator",
            None,
            r"%ComputerName%\Administrator",
            vec![],
        ),
        ("LA_%ComputerName%", None, "LA_%ComputerName%", vec![]),
        ("%username%", None, "%username%", vec![]),
        ("100% of 50% done", None, "100% of 50% done", vec![]),
        // Placeholders of a template are none of the clients' variables.
        (
            r"SRC\LA_%ComputerName%",
            Some((r"SRC\LA_%ComputerName%", &tier)),
            "fails",
            vec![LEFTOVER],
        ),
        (
            r"SRC\LA_%ComputerName%",
            Some((r"SRC\LA_%ComputerName%", &mixed)),
            "fails",
            vec![LEFTOVER],
        ),
        // No client knows these.
        (r"%domain%\Admins", None, "fails", vec![WRONG]),
        ("Admins@%domain%", None, "fails", vec![WRONG]),
        ("%Group%", None, "fails", vec![WRONG]),
        ("LA_%Computer_Name%", None, "fails", vec![WRONG]),
        (r"SRC\LA_%Computer%", None, "fails", vec![WRONG]),
        (r"%domain%\LA_%ComputerName%", None, "fails", vec![WRONG]),
        (r"%DomainName%\%Group%", None, "fails", vec![WRONG]),
        (r"BUILTIN\%Group%", None, "fails", vec![WRONG]),
        // A row corrects or accepts them.
        (
            r"%domain%\Admins",
            Some((r"%domain%\Admins", &support)),
            r"DST\Support",
            vec![],
        ),
        (
            r"%domain%\Helpdesk",
            Some((r"%domain%\Helpdesk", RELATIVE)),
            r"DST\Helpdesk",
            vec![],
        ),
        (
            r"%domain%\Admins",
            Some((r"%domain%\Admins", SAME)),
            r"%domain%\Admins",
            vec![(Severity::Warning, Code::UnknownVariable)],
        ),
    ];
    assert!(rows.len() >= 30);
    for (name, row, new, codes) in rows {
        let element = format!(
            r#"<Properties><Members><Member name="{name}" sid=""/></Members></Properties>"#
        );
        let seen = mapped(&element, "name", row, true).await;
        assert_eq!(seen, (new.to_owned(), codes), "{name} {row:?}");
    }
}

/// Without `exclusive` a variable that no client knows is a warning, in each field that names a principal, a computer or a domain.
#[tokio::test]
async fn unknown_variables_are_findings_in_every_field() {
    let warned = vec![(Severity::Warning, Code::UnknownVariable)];
    let rows: [(&str, &str, bool); 16] = [
        (r#"<Member name="%domain%\Admins" sid=""/>"#, "name", true),
        (r#"<FilterGroup name="%domain%\x" sid=""/>"#, "name", true),
        (r#"<FilterUser name="%domain%\x" sid=""/>"#, "name", true),
        (r#"<FilterDomain name="%domain%"/>"#, "name", true),
        (r#"<FilterComputer name="PC-%site%"/>"#, "name", true),
        (
            r#"<FilterOrgUnit name="OU=%ou%,DC=src,DC=test"/>"#,
            "name",
            true,
        ),
        (r#"<Properties runAs="%domain%\svc"/>"#, "runAs", true),
        (r#"<Properties runAs="%svc%"/>"#, "runAs", true),
        (
            r#"<Properties accountName="svc@%domain%"/>"#,
            "accountName",
            true,
        ),
        (r#"<Properties userName="%domain%\u"/>"#, "userName", true),
        (r#"<Properties groupName="%domain%\g"/>"#, "groupName", true),
        (r#"<FilterDomain name="%DomainName%"/>"#, "name", false),
        (r#"<FilterDomain name="%userdnsdomain%"/>"#, "name", false),
        (r#"<FilterComputer name="%ComputerName%"/>"#, "name", false),
        (
            r#"<Properties runAs="%LogonDomain%\%LogonUser%"/>"#,
            "runAs",
            false,
        ),
        (r#"<Properties command="%domain%\x"/>"#, "command", false),
    ];
    for (element, attribute, is_wrong) in rows {
        let (value, codes) = mapped(element, attribute, None, false).await;
        assert!(element.contains(&value), "{element}: {value}");
        let expected = if is_wrong { warned.clone() } else { Vec::new() };
        assert_eq!(codes, expected, "{element}");
        let found = crate::migration::scan::findings_of_names(&with_element(element).tree);
        let codes: Vec<_> = found.iter().map(|m| (m.severity, m.code)).collect();
        assert_eq!(codes, expected, "{element}");
    }
}

/// The place of the variable and its name are in the sentence.
#[tokio::test]
async fn an_unknown_variable_is_named_with_its_place() {
    let gpo = with_element(r#"<FilterDomain name="%domain%"/>"#);
    let options = MapOptions::default().exclusive(true);
    let error = map(&gpo, Some(&table(&[])), &Target, &options)
        .await
        .unwrap_err();
    let told = &error.details()[0];
    assert_eq!(
        told.text,
        "\"%domain%\" contains %domain%, which is not a variable of Windows or of Preferences, so clients do not find the name"
    );
    assert_eq!(
        told.place.as_ref().unwrap().to_string(),
        "Machine\\Preferences\\Groups\\Groups.xml:1 [/Groups/Group/FilterDomain] name"
    );
}

/// A SID cannot become a name that each client completes.
#[tokio::test]
async fn a_setting_that_needs_a_sid_does_not_take_a_variable() {
    let lines = "[Privilege Rights]\r\nSeX = *S-1-5-21-1-1-1-1001\r\n";
    for (source, destination) in [
        (
            "Helpdesk@src.test",
            "<Destination>DST\\LA_%ComputerName%</Destination>",
        ),
        (
            "S-1-5-21-1-1-1-1001",
            "<Destination>%DomainName%\\x</Destination>",
        ),
    ] {
        let table = table(&[("Unknown", source, destination)]);
        let error = map(
            &snapshot(lines),
            Some(&table),
            &Target,
            &MapOptions::default(),
        )
        .await
        .unwrap_err();
        assert_eq!(error.details()[0].code, Code::NeedsSid, "{error}");
    }
}

/// Checking the table gives the same notes, and `populate` writes rows that need no change.
#[tokio::test]
async fn tables_for_variables_are_populated_and_checked() {
    let gpo = with_element(
        r#"<Properties><Members><Member name="SRC\LA_%ComputerName%" sid=""/></Members></Properties>"#,
    );
    let options = crate::migration::populate::PopulateOptions::new().relative(true);
    let (items, _) = crate::migration::populate::items(&gpo, &options);
    let mut file = crate::formats::migtable::MigTable::new();
    crate::migration::populate::merge(&mut file, items).unwrap();
    let row = file.get("LA_%ComputerName%@src.test").unwrap();
    assert_eq!(
        row.destination,
        crate::formats::migtable::Destination::ByRelativeName
    );
    let table = MigrationTable::new("t.migtable", &file);
    let exclusive = MapOptions::default().exclusive(true);
    let checked = review(
        &table,
        std::slice::from_ref(&gpo),
        Some(&Target),
        &exclusive,
    )
    .await
    .unwrap();
    let told: Vec<&str> = checked
        .iter()
        .filter(|message| {
            message.code == Code::ClientVariable || message.severity == Severity::Error
        })
        .map(|message| message.text.as_str())
        .collect();
    assert_eq!(
        told[0],
        "relative name \"DST\\LA_%ComputerName%\" is completed by each client, so it cannot be checked"
    );
    let result = map(&gpo, Some(&table), &Target, &MapOptions::default())
        .await
        .unwrap();
    let new = result.snapshot.tree.file(GROUPS).unwrap();
    assert!(String::from_utf8_lossy(new).contains(r#"name="DST\LA_%ComputerName%""#));
}

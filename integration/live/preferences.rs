//! Preferences from one domain to the other: pairs of name and SID, item-level targeting, paths, stored passwords. The result
//! is read in the container of DST.TEST.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::*;
use serde_json::Value;

const GROUPS: &str = "Machine/Preferences/Groups/Groups.xml";
const TASKS: &str = "Machine/Preferences/ScheduledTasks/ScheduledTasks.xml";
const DRIVES: &str = "User/Preferences/Drives/Drives.xml";

/// A `cpassword` as an editor would have written it; it contains no encrypted text.
const PASSWORD: &str = "Zm9yIGEgdGVzdCBvZiBncG9jdGwgb25seSwgbm90aGluZw";

/// A text in which `{name}` stands for the SID of that account, as Samba names it.
fn with_sids(side: &str, pattern: &str) -> String {
    let sids: BTreeMap<String, String> = serde_json::from_slice(&judge(side, &["sids"])).unwrap();
    let text = sids.iter().fold(pattern.to_owned(), |text, (name, sid)| {
        text.replace(&format!("<<{name}>>"), sid)
    });
    assert!(!text.contains("<<"), "an account is missing: {text}");
    text
}

/// A file below a folder, whatever the case of its name.
fn find(folder: &Path, path: &str) -> PathBuf {
    path.split('/').fold(folder.to_owned(), |at, part| {
        std::fs::read_dir(&at)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|entry| {
                let name = entry.file_name().unwrap().to_str().unwrap();
                name.eq_ignore_ascii_case(part)
            })
            .unwrap_or_else(|| panic!("no {part} in {}", at.display()))
    })
}

/// A GPO of SRC.TEST with these Preferences, made in the domain: its name, and what a backup of it said and holds.
fn source(title: &str, files: &[(&str, &str)]) -> (String, Said, PathBuf) {
    let seed = back_up("src.test", &["Drive Maps"])["Drive Maps"].clone();
    // Without its hashes it is a backup like GPMC's, which may be edited.
    std::fs::remove_file(seed.join("gpoctl.json")).unwrap();
    for (path, text) in files {
        std::fs::write(find(&seed.join("DomainSysvol/GPO"), path), text).unwrap();
    }
    let name = fresh(title);
    let said = gpoctl(&[
        "import",
        seed.to_str().unwrap(),
        "--into",
        &name,
        "--create",
        "--allow-cpassword",
        "--domain",
        "src.test",
        "--yes",
        "--json",
    ]);
    assert_eq!(said.json()["status"], "done");
    let folder = tempfile::tempdir_in(scratch()).unwrap().keep();
    let to = folder.to_str().unwrap();
    let said = gpoctl(&["-vvv", "backup", &name, "--domain", "src.test", "--to", to]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    let backup = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    for (path, text) in files {
        let kept = std::fs::read(find(&backup.join("DomainSysvol/GPO"), path)).unwrap();
        assert_eq!(
            kept,
            text.as_bytes(),
            "the source is not what the case says"
        );
    }
    (name, said, backup)
}

/// The codes of messages, with the file of each.
fn codes(messages: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let messages = messages.as_array().unwrap().iter();
    messages
        .map(|message| (text(&message["code"]), text(&message["place"]["file"])))
        .collect()
}

/// Groups.xml of SRC and what becomes of it: one line with a byte order mark, entities, an unknown element and attribute.
const GROUPS_TEXT: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Groups clsid=\"{3125E937-EB16-4b4c-9934-544FC6D24D26}\" future='&#65;'><Group clsid=\"{6D4A79E4-529C-4481-ABD0-F5BD7EA93BA7}\" name=\"Administrators (built-in)\" uid=\"{3A1A2F10-6F3E-4B52-9A55-5C9A7B3F0E03}\"><Properties action=\"U\" newName=\"\" groupSid=\"S-1-5-32-544\" groupName=\"Administrators (built-in)\"><Members><Member name='NETBIOS\\HELPDESK' action=\"ADD\" sid=\"<<HELPDESK>>\"/><Member sid=\"<<DELEGATE>>\" action=\"REMOVE\" name=\"NETBIOS\\DELEGATE\" /><Member name=\"NETBIOS\\Server Admins\" action=\"ADD\" sid=\"\"/></Members></Properties><Vendor><Extra a=\"1\">&lt;kept&gt;</Extra></Vendor></Group><User clsid=\"{DF5F1855-51E5-4d24-8B1A-D9BDE98BA1D1}\" name=\"Administrator (built-in)\" uid=\"{3A1A2F10-6F3E-4B52-9A55-5C9A7B3F0E05}\"><Properties action=\"U\" newName=\"adm\" userName=\"Administrator (built-in)\" cpassword=\"\"/></User></Groups>";

/// ScheduledTasks.xml: CRLF, elements with text, nested targeting, quoted paths in arguments.
const TASKS_TEXT: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<ScheduledTasks clsid=\"{CC63F200-7309-4ba0-B154-A71CD118DBCC}\">\r\n\t<TaskV2 clsid=\"{D8896631-B747-47a7-84A6-C155337F3BC8}\" name=\"Inventory\" uid=\"{3A1A2F10-6F3E-4B52-9A55-5C9A7B3F0E04}\">\r\n\t\t<Properties action=\"U\" name=\"Inventory\" runAs=\"NETBIOS\\carol\" logonType=\"S4U\"><Task version=\"1.2\"><RegistrationInfo><Description>A &amp; B</Description></RegistrationInfo><Principals><Principal id=\"Author\"><UserId>NETBIOS\\carol</UserId></Principal></Principals><Triggers><LogonTrigger><UserId><<alice>></UserId></LogonTrigger></Triggers><Actions Context=\"Author\"><Exec><Command>\\\\FS\\tools$\\inventory.exe</Command><Arguments>/out:\"\\\\FS\\my reports\\%ComputerName%.txt\" &gt; nul</Arguments></Exec></Actions></Task></Properties>\r\n\t\t<Filters><FilterCollection bool=\"AND\" not=\"0\"><FilterCollection bool=\"OR\" not=\"1\"><FilterGroup bool=\"AND\" not=\"0\" name=\"NETBIOS\\GG-Workstations\" sid=\"<<GG-Workstations>>\" userContext=\"0\" primaryGroup=\"0\" localGroup=\"0\"/></FilterCollection><FilterOrgUnit bool=\"AND\" not=\"0\" name=\"OU=STAFF,DC=SUFFIX,DC=test\" userContext=\"1\" directMember=\"0\"/></FilterCollection><FilterDomain bool=\"AND\" not=\"0\" name=\"DNSNAME\" userContext=\"0\"/></Filters>\r\n\t</TaskV2>\r\n\t<!-- \\\\fs1.src.test\\tools$ was here -->\r\n\t<ImmediateTaskV2 name=\"as whoever logs on\"><Properties action=\"C\" runAs=\"%LogonDomain%\\%LogonUser%\"/></ImmediateTaskV2>\r\n</ScheduledTasks>\r\n";

/// Drives.xml: paths with variables and entities, a user and a computer.
const DRIVES_TEXT: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<Drives clsid=\"{8FDDCC1A-0C3C-43cd-A6B4-71A6DF20DA8C}\"><Drive clsid=\"{935D1B74-9CB8-4e3c-9914-7DD559B7A417}\" name=\"S:\" uid=\"{3A1A2F10-6F3E-4B52-9A55-5C9A7B3F0E01}\"><Properties action=\"U\" userName=\"\" path=\"\\\\FS\\sales &amp; marketing\" label=\"Sales &#38; more\"/></Drive><Drive clsid=\"{935D1B74-9CB8-4e3c-9914-7DD559B7A417}\" name=\"P:\" uid=\"{3A1A2F10-6F3E-4B52-9A55-5C9A7B3F0E02}\"><Properties action=\"C\" userName=\"NETBIOS\\alice\" path=\"\\\\FS\\home$\\%LogonUser%\"/><Filters><FilterUser bool=\"AND\" not=\"0\" name=\"NETBIOS\\alice\" sid=\"<<alice>>\"/><FilterGroup bool=\"OR\" not=\"0\" name=\"NETBIOS\\Büro Nord\" sid=\"<<Büro Nord>>\"/><FilterComputer bool=\"AND\" not=\"0\" type=\"NETBIOS\" name=\"WSNN\"/></Filters></Drive>\r\n</Drives>\r\n";

/// The texts as they are in a domain.
fn in_domain(side: &str, pattern: &str) -> String {
    let words: &[(&str, &str)] = if side == "src" {
        &[
            ("NETBIOS", "SRC"),
            ("HELPDESK", "Helpdesk"),
            ("DELEGATE", "bob"),
            ("STAFF", "Staff"),
            ("SUFFIX", "src"),
            ("DNSNAME", "src.test"),
            ("\\\\FS\\", "\\\\fs1.src.test\\"),
            ("WSNN", "WS02"),
        ]
    } else {
        &[
            ("NETBIOS", "DST"),
            ("HELPDESK", "Support"),
            ("DELEGATE", "dave"),
            ("STAFF", "Lab,OU=Workstations"),
            ("SUFFIX", "dst"),
            ("DNSNAME", "dst.test"),
            ("\\\\FS\\", "\\\\fs9.dst.test\\new\\"),
            ("WSNN", "WS09"),
        ]
    };
    let text = words.iter().fold(pattern.to_owned(), |text, (word, is)| {
        // `type="NETBIOS"` is a keyword.
        text.replace("\"NETBIOS\"", "\u{0}")
            .replace(word, is)
            .replace('\u{0}', "\"NETBIOS\"")
    });
    with_sids(side, &text)
}

fn whole_table() -> PathBuf {
    table(&[
        ("GlobalGroup", "Helpdesk@src.test", set("Support@dst.test")),
        ("User", "SRC\\bob", set("DST\\dave")),
        ("User", "alice@src.test", set("alice@dst.test")),
        ("User", "SRC\\carol", set("carol@dst.test")),
        (
            "UniversalGroup",
            "SRC\\Server Admins",
            set("DST\\Server Admins"),
        ),
        (
            "GlobalGroup",
            "SRC\\GG-Workstations",
            "<DestinationByRelativeName />".to_owned(),
        ),
        (
            "GlobalGroup",
            "SRC\\Büro Nord",
            "<DestinationByRelativeName />".to_owned(),
        ),
        ("Unknown", "WS02", set("DST\\WS09$")),
        ("Unknown", "src.test", set("dst.test")),
        (
            "Unknown",
            "OU=Staff,DC=src,DC=test",
            set("OU=Lab,OU=Workstations,DC=dst,DC=test"),
        ),
        (
            "UNCPath",
            "\\\\fs1.src.test\\tools$",
            set("\\\\fs9.dst.test\\new\\tools$"),
        ),
        (
            "UNCPath",
            "\\\\fs1.src.test\\my reports",
            set("\\\\fs9.dst.test\\new\\my reports"),
        ),
        (
            "UNCPath",
            "\\\\fs1.src.test\\sales &amp; marketing",
            set("\\\\fs9.dst.test\\new\\sales &amp; marketing"),
        ),
        (
            "UNCPath",
            "\\\\fs1.src.test\\home$",
            set("\\\\fs9.dst.test\\new\\home$"),
        ),
    ])
}

#[test]
#[ignore = "needs the lab"]
fn names_and_sids_targeting_and_paths_change_together_and_nothing_else() {
    let _alone = alone();
    let texts = [
        (GROUPS, GROUPS_TEXT),
        (TASKS, TASKS_TEXT),
        (DRIVES, DRIVES_TEXT),
    ]
    .map(|(path, pattern)| (path, in_domain("src", pattern), in_domain("dst", pattern)));
    let files: Vec<(&str, &str)> = texts
        .iter()
        .map(|(path, text, _)| (*path, text.as_str()))
        .collect();
    let (of_source, _, backup) = source("Preferences", &files);
    let name = fresh("Preferences mapped");

    // Without a table everything of SRC is left unchanged, and each reference is reported with its place.
    let plan = import(&backup, &name, &["--create", "--dry-run"]).json();
    let told = codes(&plan["messages"]);
    let count = |code: &str, file: &str| {
        let file = file.replace('/', "\\");
        told.iter()
            .filter(|told| **told == (code.to_owned(), file.clone()))
            .count()
    };
    assert_eq!(
        count("source-sid-left", GROUPS) + count("foreign-sid-left", GROUPS),
        2,
        "{told:#?}"
    );
    assert_eq!(
        count("source-sid-left", TASKS) + count("foreign-sid-left", TASKS),
        2,
        "{told:#?}"
    );
    assert_eq!(
        count("source-sid-left", DRIVES) + count("foreign-sid-left", DRIVES),
        3,
        "{told:#?}"
    );
    // The domain, the unit, and the accounts that are there by name only; the drive's user has his SID beside his name
    // elsewhere.
    assert_eq!(count("source-name-left", TASKS), 4, "{told:#?}");
    assert_eq!(count("source-name-left", GROUPS), 1, "{told:#?}");
    let kinds: Vec<&str> = plan["plan"]["risks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|risk| risk["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "local-group",
            "local-user",
            "scheduled-task",
            "scheduled-task",
            "mapped-drive",
            "mapped-drive"
        ]
    );

    let table = whole_table();
    let result = import(
        &backup,
        &name,
        &[
            "--create",
            "--migration-table",
            table.to_str().unwrap(),
            "--exclusive",
            "--unc-match",
            "prefix",
            "--yes",
        ],
    )
    .json();
    assert_eq!(result["status"], "done");
    let guid = guid_of(&gpo_named(&state("dst"), &name));
    for (path, _, expected) in &texts {
        let written = String::from_utf8(sysvol_file("dst", &guid, path)).unwrap();
        assert_eq!(&written, expected, "{path}");
        assert!(!written.contains(&domain_sid("src")), "{path}");
    }
    assert_samba_checks_pass("dst");

    // As GPMC does it: nothing of it is touched.
    let name = fresh("Preferences carried");
    let table = table_of_one();
    let more = [
        "--create",
        "--migration-table",
        table.to_str().unwrap(),
        "--scope",
        "gpmc",
        "--yes",
    ];
    assert_eq!(import(&backup, &name, &more).json()["status"], "done");
    let guid = guid_of(&gpo_named(&state("dst"), &name));
    for (path, text, _) in &texts {
        assert_eq!(sysvol_file("dst", &guid, path), text.as_bytes(), "{path}");
    }
    // A copy does not change it either.
    let name = fresh("Preferences copied as they are");
    let copied = gpoctl(&[
        "copy",
        &of_source,
        "--from",
        "src.test",
        "--to",
        "dst.test",
        "--name",
        &name,
        "--json",
        "--migration-table",
        table.to_str().unwrap(),
        "--scope",
        "gpmc",
        "--yes",
    ])
    .json();
    assert_eq!(copied["status"], "done");
    let told = codes(&copied["messages"]);
    assert!(
        told.iter()
            .any(|(code, file)| code == "out-of-scope" && *file == GROUPS.replace('/', "\\")),
        "{told:#?}"
    );
    let guid = guid_of(&gpo_named(&state("dst"), &name));
    for (path, text, _) in &texts {
        assert_eq!(sysvol_file("dst", &guid, path), text.as_bytes(), "{path}");
    }
    assert_samba_checks_pass("dst");
}

fn table_of_one() -> PathBuf {
    table(&[("GlobalGroup", "Helpdesk@src.test", set("Support@dst.test"))])
}

#[test]
#[ignore = "needs the lab"]
fn a_name_that_contradicts_its_sid_is_reported() {
    let _alone = alone();
    let groups = with_sids(
        "src",
        "<Groups>\r\n <Group clsid=\"{1}\" uid=\"{2}\" name=\"g\"><Properties groupName=\"g\"><Members>\r\n  <Member name=\"SRC\\Helpdesk\" action=\"ADD\" sid=\"<<Helpdesk>>\"/>\r\n  <Member name=\"SRC\\bob\" action=\"ADD\" sid=\"<<Helpdesk>>\"/>\r\n  <Member name=\"SRC\\alice\" action=\"ADD\" sid=\"<<alice>>\"/>\r\n </Members></Properties></Group>\r\n</Groups>\r\n",
    );
    let (name, _, backup) = source("Preferences at odds", &[(GROUPS, &groups)]);
    let place = serde_json::json!({
        "file": GROUPS.replace('/', "\\"),
        "section": "/Groups/Group[@name='g']/Properties/Members/Member[2]",
        "key": "name, sid",
        "line": 4,
    });
    let shown = gpoctl(&["show", &name, "--domain", "src.test", "--json"]).json();
    let in_backup = gpoctl(&["backups", "show", backup.to_str().unwrap(), "--json"]).json();
    for document in [shown, in_backup] {
        let at_odds: Vec<&Value> = document["messages"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|message| message["code"] == "name-sid-mismatch")
            .collect();
        assert_eq!(at_odds.len(), 1, "{document}");
        assert_eq!(at_odds[0]["place"], place);
    }

    // Alice is in a filter of Drives.xml, which is invalid without her: nothing is written.
    let none = |source: &str| {
        table(&[
            ("GlobalGroup", "Helpdesk@src.test", set("Support@dst.test")),
            ("User", "SRC\\bob", set("DST\\dave")),
            ("User", source, "<DestinationNone />".to_owned()),
        ])
    };
    let into = fresh("Preferences with none");
    let before = state("dst");
    let rows = none("SRC\\alice");
    let more = [
        "--create",
        "--migration-table",
        rows.to_str().unwrap(),
        "--yes",
    ];
    let said = import(&backup, &into, &more);
    assert_eq!(said.status, 1);
    let error: Value = serde_json::from_str(&said.stdout).unwrap();
    let told = codes(&error["messages"]);
    assert!(
        told.iter()
            .any(|(code, file)| code == "cannot-remove" && file.ends_with("Drives.xml")),
        "{told:?}"
    );
    assert_same(&before, &state("dst"));

    let drives = "<Drives/>";
    let tasks = "<ScheduledTasks/>";
    let files = [(GROUPS, groups.as_str()), (DRIVES, drives), (TASKS, tasks)];
    let (_, _, backup) = source("Preferences with members only", &files);
    let rows = table(&[("User", "SRC\\alice", "<DestinationNone />".to_owned())]);
    let more = [
        "--create",
        "--migration-table",
        rows.to_str().unwrap(),
        "--yes",
    ];
    assert_eq!(import(&backup, &into, &more).json()["status"], "done");
    let guid = guid_of(&gpo_named(&state("dst"), &into));
    let member = with_sids(
        "src",
        "\r\n  <Member name=\"SRC\\alice\" action=\"ADD\" sid=\"<<alice>>\"/>",
    );
    let written = String::from_utf8(sysvol_file("dst", &guid, GROUPS)).unwrap();
    assert_eq!(written, groups.replace(&member, ""));
}

/// Everything below a folder that contains this text unencoded.
fn files_with(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(&path)
                .unwrap()
                .windows(text.len())
                .any(|window| window == text.as_bytes())
            {
                found.push(path);
            }
        }
    }
    found
}

#[test]
#[ignore = "needs the lab"]
fn stored_passwords_are_reported_refused_and_never_shown() {
    let _alone = alone();
    let groups = format!(
        "<Groups><User clsid=\"{{1}}\" uid=\"{{2}}\" name=\"local\"><Properties action=\"U\" userName=\"local\" cpassword=\"{PASSWORD}\"/></User></Groups>"
    );
    let tasks = format!(
        "<ScheduledTasks>\r\n<Task clsid=\"{{1}}\" uid=\"{{2}}\" name=\"old\"><Properties action=\"U\" name=\"old\" appName=\"x.exe\" runAs=\"SRC\\carol\" cpassword='{PASSWORD}'/></Task>\r\n<Task><Properties cpassword=''/></Task></ScheduledTasks>"
    );
    let (name, saved, backup) = source("Preferences secret", &[(GROUPS, &groups), (TASKS, &tasks)]);
    let path = backup.to_str().unwrap();
    let places = [
        format!(
            "{}:1 [/Groups/User[@name='local']/Properties] cpassword",
            GROUPS.replace('/', "\\")
        ),
        format!(
            "{}:2 [/ScheduledTasks/Task[1][@name='old']/Properties] cpassword",
            TASKS.replace('/', "\\")
        ),
    ];
    let told = |case: &str, said: &Said| {
        let text = format!("{}{}", said.stdout, said.stderr);
        assert!(!text.contains(PASSWORD), "{case} shows the password");
        // Traces show bytes as numbers or in hexadecimal.
        let hex: String = PASSWORD.bytes().map(|byte| format!("{byte:02x}")).collect();
        let list: Vec<String> = PASSWORD.bytes().map(|byte| byte.to_string()).collect();
        assert!(
            !text.to_lowercase().contains(&hex),
            "{case} shows the password"
        );
        assert!(
            !text.contains(&list.join(", ")),
            "{case} shows the password"
        );
        for place in &places {
            assert!(text.contains(place), "{case} does not tell {place}: {text}");
        }
        assert!(text.contains("MS14-025"), "{case}");
    };
    told("backup", &saved);
    let side: Value =
        serde_json::from_slice(&std::fs::read(backup.join("gpoctl.json")).unwrap()).unwrap();
    assert_eq!(
        side["stored_passwords"],
        serde_json::json!([GROUPS, TASKS].map(|path| path.replace('/', "\\")))
    );
    told(
        "show",
        &gpoctl(&["-vvv", "show", &name, "--domain", "src.test"]),
    );
    told("backups show", &gpoctl(&["-vvv", "backups", "show", path]));
    let other = back_up("src.test", &["Drive Maps"])["Drive Maps"].clone();
    let other = other.to_str().unwrap();
    for more in [&[][..], &["--json"]] {
        let said = gpoctl(&[&["-vvv", "diff", other, path][..], more].concat());
        let text = format!("{}{}", said.stdout, said.stderr);
        assert!(text.contains("(not shown)"), "{text}");
        assert!(!text.contains(PASSWORD), "diff shows the password");
    }
    for document in [
        gpoctl(&["show", &name, "--domain", "src.test", "--json"]).json(),
        gpoctl(&["backups", "show", path, "--json"]).json(),
    ] {
        let told = codes(&document["messages"]);
        let stored = told.iter().filter(|(code, _)| code == "stored-password");
        assert_eq!(stored.count(), 2, "{told:?}");
        assert!(!document.to_string().contains(PASSWORD));
    }

    let into = fresh("Preferences let in");
    let arguments = [
        "-vvv", "import", path, "--into", &into, "--create", "--domain", "dst.test",
    ];
    let with = |more: &[&str]| gpoctl(&[&arguments[..], more].concat());
    let operations = scratch().join("state/gpoctl/operations");
    let journals = || std::fs::read_dir(&operations).map_or(0, |entries| entries.count());
    let (before, journals_before) = (state("dst"), journals());
    for more in [&["--yes"][..], &["--dry-run"], &["--yes", "--json"]] {
        let refused = with(more);
        assert_eq!(refused.status, 1, "{}", refused.stderr);
        told("a refused import", &refused);
        assert!(refused.stderr.contains("--allow-cpassword") || more.contains(&"--json"));
    }
    let copied = fresh("Preferences copied in");
    let refused = gpoctl(&[
        "-vvv", "copy", &name, "--from", "src.test", "--to", "dst.test", "--name", &copied, "--yes",
    ]);
    assert_eq!(refused.status, 1, "{}", refused.stderr);
    told("a refused copy", &refused);
    assert!(refused.stderr.contains("--allow-cpassword"));
    assert_same(&before, &state("dst"));
    assert_eq!(journals(), journals_before, "what is refused has a journal");

    told("the plan", &with(&["--allow-cpassword", "--dry-run"]));
    let done = with(&["--allow-cpassword", "--yes"]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    told("an import", &done);
    // The journal contains the plan with the files; not unencoded.
    for journal in std::fs::read_dir(&operations).unwrap() {
        let journal = journal.unwrap().path();
        for file in files_with(&journal, PASSWORD) {
            let is_backup = file.starts_with(journal.join("before"));
            assert!(is_backup, "{} shows the password", file.display());
        }
    }
    let guid = guid_of(&gpo_named(&state("dst"), &into));
    assert_eq!(sysvol_file("dst", &guid, GROUPS), groups.as_bytes());
    assert_eq!(sysvol_file("dst", &guid, TASKS), tasks.as_bytes());
}

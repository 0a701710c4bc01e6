//! What the delegated editor may not read is not taken for absent.

use super::*;

const RP_FLAGS: &str = "RP;bf967976-0de6-11d0-a285-00aa003049e2";
const RP_EXTENSIONS: &str = "RP;32ff8ecc-783f-11d2-9916-0000f87a57d4";
const RP_FILTER: &str = "RP;7bd4c7a6-1add-4436-8c04-3999a880154c";
const RP_CLASS: &str = "RP;bf9679e5-0de6-11d0-a285-00aa003049e2";
const RP_LINKS: &str = "RP;f30e3bbe-9ff0-11d1-b603-0000f80367c1";
const OU: &str = "OU=Staff,DC=dst,DC=test";

/// Runs gpoctl for DST.TEST as the editor.
fn as_editor(arguments: &[&str]) -> Said {
    let options = EDITOR.options();
    let mut all = arguments.to_vec();
    all.extend(["--domain", "dst.test"]);
    all.extend(options.iter().map(String::as_str));
    gpoctl(&all)
}

/// The document that it prints, and its exit status.
fn document(arguments: &[&str]) -> (i32, Value) {
    let said = as_editor(&[arguments, &["--json"]].concat());
    let json = serde_json::from_str(&said.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", said.stdout, said.stderr));
    (said.status, json)
}

/// The findings about a GPO: the code, and the text with the hint.
fn about(result: &Value, words: &[&str]) -> Vec<(String, String)> {
    let messages = result["messages"].as_array().unwrap();
    let found = messages.iter().filter(|message| {
        let message = message.to_string();
        words.iter().any(|word| message.contains(word))
    });
    let text = |message: &Value| format!("{} {}", message["text"], message["hint"]);
    found
        .map(|message| (message["code"].as_str().unwrap().to_owned(), text(message)))
        .collect()
}

/// Nothing is called absent, and nobody is advised to remove, delete or set anything.
fn is_no_bad_advice(findings: &[(String, String)]) {
    for (code, text) in findings {
        for word in [
            "absent",
            "does not exist",
            "remove",
            "delete",
            "set flags",
            "restore it",
        ] {
            assert!(!text.contains(word), "{code}: {text}");
        }
    }
}

impl Gpo {
    fn deny(&self, right: &str) {
        let (right, object) = right.split_once(';').unwrap_or((right, ""));
        let kind = if object.is_empty() { "D" } else { "OD" };
        Self::grant(
            &self.dn(),
            &format!("({kind};;{right};{object};;{})", EDITOR.sid()),
        );
    }
}

#[test]
#[ignore = "needs the lab"]
fn an_attribute_that_may_not_be_read_is_not_absent() {
    let _alone = alone();
    let backup = &back_up("src.test", &["Everything"])["Everything"];
    let gpo = Gpo::new("Half read", backup);
    let guid = gpo.guid.as_str();
    write("dst.test", &["set-status", guid, "computer"]).json();
    gpo.delegate_in_directory(&EDITOR, EDIT);
    gpo.delegate_on_sysvol(&EDITOR, EDIT_FILES);
    ldbmodify(
        "dst",
        &format!(
            "dn: {}\nchangetype: modify\nreplace: gPCWQLFilter\ngPCWQLFilter: [dst.test;{{B1C2AAAA-1D5F-4E2B-9F00-6B4C8DAE0003}};0]\n\n",
            gpo.dn()
        ),
    );
    for right in [RP_FLAGS, RP_EXTENSIONS, RP_FILTER] {
        gpo.deny(right);
    }
    let unread = ["flags", "gPCMachineExtensionNames", "gPCWQLFilter"];

    let (_, list) = document(&["list"]);
    let listed = list["gpos"].as_array().unwrap();
    let own = listed.iter().find(|it| it["guid"] == guid).unwrap();
    assert_eq!(own["unreadable"], serde_json::json!(unread));
    assert_eq!(own["status"], "not readable");
    let (status, shown) = document(&["show", guid]);
    assert_eq!(
        (status, &shown["status"]),
        (0, &Value::from("not readable"))
    );

    let (status, checked) = document(&["check", guid]);
    assert_eq!(status, 4, "{checked:#}");
    let findings = about(&checked, &[""]);
    is_no_bad_advice(&findings);
    let attributes = findings
        .iter()
        .filter(|(code, _)| code == "unreadable-attribute");
    assert_eq!(attributes.count(), unread.len(), "{findings:?}");
    assert!(!findings.iter().any(|(code, _)| code == "no-flags"));

    // Nothing is written over it.
    EDITOR.is_refused(backup, guid, &unread, &[]);
    let before = state("dst");
    let options = ["set-status", guid, "all", "--yes"];
    let said = as_editor(&options);
    assert_eq!(said.status, 1, "{}", said.stderr);
    says(&said.stderr, &unread, &[]);
    let said = as_editor(&["wmi", "link", guid, "--none", "--yes"]);
    assert_ne!(said.status, 0, "{}", said.stderr);
    assert_same(&before, &state("dst"));

    // A backup is partial, and restores nothing in the place of what it lacks.
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let (status, saved) = document(&["backup", guid, "--to", folder.path().to_str().unwrap()]);
    assert_eq!(status, 3, "{saved:#}");
    assert_eq!(saved["backups"][0]["status"], "partial");
    let path = saved["backups"][0]["path"].as_str().unwrap();
    let refused = write("dst.test", &["restore", path]);
    assert_eq!(refused.status, 1, "{}", refused.stdout);
    says(&refused.stderr, &["is partial", "gPCWQLFilter"], &[]);
    let before = gpo_named(&state("dst"), &gpo.name);
    write("dst.test", &["restore", path, "--allow-partial"]).json();
    let after = gpo_named(&state("dst"), &gpo.name);
    for name in unread {
        assert_eq!(attribute(&after, name), attribute(&before, name), "{name}");
    }
    assert_eq!(attribute(&after, "flags"), "1");
    assert_eq!(sysvol_files(&after), sysvol_files(&before));
}

#[test]
#[ignore = "needs the lab"]
fn a_gpo_that_may_not_be_read_is_not_absent() {
    let _alone = alone();
    let backup = &back_up("src.test", &["Desktop Registry"])["Desktop Registry"];
    let gpo = Gpo::new("Not read", backup);
    let guid = gpo.guid.as_str();
    write("dst.test", &["link", "add", guid, "--target", OU]).json();
    let check = |code: &str| {
        let (status, checked) = document(&["check", "--all"]);
        let findings = about(&checked, &[guid]);
        is_no_bad_advice(&findings);
        assert!(status != 0 && !findings.is_empty(), "{checked:#}");
        assert!(findings.iter().all(|(it, _)| it == code), "{findings:?}");
        let (_, links) = document(&["link", "list", OU]);
        let findings = about(&links, &[guid]);
        is_no_bad_advice(&findings);
        assert!(findings.iter().any(|(it, _)| it == code), "{links:#}");
        checked
    };
    // Without the class alone, no search for GPOs finds it.
    for right in [RP_CLASS, "GA"] {
        gpo.deny(right);
        assert_eq!(check("unreadable-gpo")["unreadable_gpos"], 1);
        let (_, list) = document(&["list"]);
        assert_eq!(list["unreadable_gpos"], serde_json::json!([guid]));
        let said = as_editor(&["check", guid]);
        assert_eq!(said.status, 1, "{}", said.stderr);
        says(
            &said.stderr,
            &["exists", "may not read it"],
            &["there is no GPO"],
        );
    }
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let (status, saved) = document(&["backup", "--all", "--to", folder.path().to_str().unwrap()]);
    assert_eq!(status, 3, "{saved:#}");
    let all = saved["backups"].as_array().unwrap();
    let own = all.iter().find(|it| it["gpo_guid"] == guid).unwrap();
    assert_eq!(own["error"]["kind"], "denied", "{own:#}");

    // No GPO at all, because the account may not list them.
    let policies = "CN=Policies,CN=System,DC=dst,DC=test";
    let unlisted = Granted::to(policies, &format!("(D;;LC;;;{})", EDITOR.sid()));
    let checked = check("unlisted-gpos");
    is_no_bad_advice(&about(&checked, &["SYSVOL"]));
    let (status, saved) = document(&["backup", "--all", "--to", folder.path().to_str().unwrap()]);
    assert_ne!(status, 0, "{saved:#}");
    drop(unlisted);
    let links = Granted::to(OU, &format!("(OD;;{RP_LINKS};;{})", EDITOR.sid()));
    let (status, listed) = document(&["link", "list", OU]);
    let findings = about(&listed, &[OU]);
    assert!(
        status == 0 && findings[0].0 == "unreadable-links",
        "{listed:#}"
    );
    let (_, checked) = document(&["check", "--all"]);
    assert_eq!(about(&checked, &[OU])[0].0, "unreadable-links");
    drop(links);
    write("dst.test", &["link", "remove", guid, "--target", OU]).json();
}

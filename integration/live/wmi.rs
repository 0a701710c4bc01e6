//! WMI filters, checked with what Samba's own tools read from the directory.

use std::path::PathBuf;

use crate::support::*;
use serde_json::Value;

fn wmi(domain: &str, arguments: &[&str]) -> Said {
    let mut all = vec!["wmi"];
    all.extend(arguments);
    all.extend(["--domain", domain, "--json"]);
    gpoctl(&all)
}

/// The filter with this name, as Samba's libraries read it.
fn filter_named(side: &str, name: &str) -> Option<Value> {
    let state = state(side);
    let mut found = state["wmi_filters"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|filter| attribute(filter, "msWMI-Name") == name);
    let filter = found.next().cloned();
    assert!(found.next().is_none(), "several filters {name}");
    filter
}

/// Deletes a filter with Samba's tools.
fn delete(side: &str, filter: &Value) {
    inside(
        side,
        &["ldbdel", "-H", DATABASE, filter["dn"].as_str().unwrap()],
    );
}

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = tempfile::tempdir_in(scratch()).unwrap().keep().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A file in GPMC's form, with two rules.
fn mof(name: &str) -> PathBuf {
    let text = format!(
        "\r\ninstance of MSFT_SomFilter\r\n{{\r\n\tAuthor = \"admin@corp.example\";\r\n\tChangeDate = \"20230320164700.717000-000\";\r\n\tCreationDate = \"20230320164655.100000-000\";\r\n\tDescription = \"Büro \\\"Nord\\\"\";\r\n\tDomain = \"corp.example\";\r\n\tID = \"{{93B95A6C-ECF8-4357-9E34-040521A227D3}}\";\r\n\tName = \"{name}\";\r\n\tRules = {{\r\ninstance of MSFT_Rule\r\n{{\r\n\tQuery = \"SELECT * FROM A WHERE B LIKE \\\"10;%\\\"\";\r\n\tQueryLanguage = \"WQL\";\r\n\tTargetNameSpace = \"root\\\\CIMv2\";\r\n}}, \r\ninstance of MSFT_Rule\r\n{{\r\n\tQuery = \"SELECT * FROM C\";\r\n\tQueryLanguage = \"WQL\";\r\n\tTargetNameSpace = \"root\\\\ccm\";\r\n}}}};\r\n}};\r\n"
    );
    file("filter.mof", &utf16_with_mark(&text))
}

#[test]
#[ignore = "needs the lab"]
fn an_export_is_what_gpmc_writes() {
    let _alone = alone();
    let to = scratch().join("export.mof");
    let to_text = to.to_str().unwrap();
    wmi(
        "src.test",
        &["export", "windows 10 AND 11", "--to", to_text],
    )
    .json();
    let expected = "\r\ninstance of MSFT_SomFilter\r\n{\r\n\tAuthor = \"Administrator@src.test\";\r\n\tChangeDate = \"20240105101500.000000-000\";\r\n\tCreationDate = \"20240105101500.000000-000\";\r\n\tDescription = \"Clients only\";\r\n\tDomain = \"src.test\";\r\n\tID = \"{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01}\";\r\n\tName = \"Windows 10 and 11\";\r\n\tRules = {\r\ninstance of MSFT_Rule\r\n{\r\n\tQuery = \"SELECT * FROM Win32_OperatingSystem WHERE ProductType = \\\"1\\\"\";\r\n\tQueryLanguage = \"WQL\";\r\n\tTargetNameSpace = \"root\\\\CIMv2\";\r\n}};\r\n};\r\n";
    assert_eq!(std::fs::read(&to).unwrap(), utf16_with_mark(expected));
    // A file is never overwritten; a filter without description has no such line.
    assert_eq!(
        wmi(
            "src.test",
            &["export", "Windows 10 and 11", "--to", to_text]
        )
        .status,
        1
    );
    let bare = scratch().join("bare.mof");
    wmi(
        "dst.test",
        &["export", "Laptops", "--to", bare.to_str().unwrap()],
    )
    .json();
    assert!(std::fs::read(&bare).unwrap().len() > 200);
    let bare = String::from_utf8_lossy(&std::fs::read(&bare).unwrap()).replace('\0', "");
    assert!(!bare.contains("Description"), "{bare}");
    let listed = wmi("src.test", &["list"]).json();
    assert_eq!(listed["filters"][0]["gpos"][0], "Everything");
    let missing = wmi("src.test", &["show", "nothing"]);
    assert_eq!(missing.status, 1);
    assert!(
        missing.stderr.contains("Windows 10 and 11"),
        "{}",
        missing.stderr
    );
}

#[test]
#[ignore = "needs the lab"]
fn an_import_creates_what_gpmc_creates() {
    let _alone = alone();
    let name = fresh("Imported");
    let source = mof(&name);
    let source = source.to_str().unwrap();
    let before = state("dst");
    assert_eq!(
        wmi("dst.test", &["import", source, "--dry-run"]).json()["dry_run"],
        true
    );
    assert_eq!(wmi("dst.test", &["import", source]).status, 2);
    assert_same(&before, &state("dst"));
    wmi("dst.test", &["import", source, "--yes"]).json();
    let made = filter_named("dst", &name).unwrap();
    let id = attribute(&made, "msWMI-ID").to_owned();
    assert_ne!(id, "{93B95A6C-ECF8-4357-9E34-040521A227D3}");
    assert_eq!(attribute(&made, "cn"), id);
    assert_eq!(
        made["attributes"]["objectClass"],
        serde_json::json!(["msWMI-Som", "top"])
    );
    assert_eq!(attribute(&made, "msWMI-Parm1"), "Büro \"Nord\"");
    assert_eq!(attribute(&made, "msWMI-Author"), "admin@corp.example");
    assert_eq!(
        attribute(&made, "msWMI-CreationDate"),
        "20230320164655.100000-000"
    );
    assert_eq!(
        attribute(&made, "msWMI-Parm2"),
        "2;3;10;35;WQL;root\\CIMv2;SELECT * FROM A WHERE B LIKE \"10;%\";3;8;15;WQL;root\\ccm;SELECT * FROM C;"
    );
    // The name is in use: refused, then replaced with the same ID.
    let again = wmi("dst.test", &["import", source, "--yes"]);
    assert_eq!(again.status, 1);
    assert!(again.stderr.contains(&id), "{}", again.stderr);
    let json = serde_json::json!({
        "name": name,
        "queries": [{"namespace": "root\\CIMv2", "query": "SELECT * FROM Win32_Battery"}],
    });
    let json = file("filter.json", json.to_string().as_bytes());
    let json = json.to_str().unwrap();
    wmi("dst.test", &["import", json, "--replace", "--yes"]).json();
    let replaced = filter_named("dst", &name).unwrap();
    assert_eq!(attribute(&replaced, "msWMI-ID"), id);
    assert_eq!(attribute(&replaced, "msWMI-Parm1"), "");
    assert_eq!(
        attribute(&replaced, "msWMI-Parm2"),
        "1;3;10;27;WQL;root\\CIMv2;SELECT * FROM Win32_Battery;"
    );
    assert!(attribute(&replaced, "msWMI-ChangeDate") > attribute(&made, "msWMI-ChangeDate"));
    // Exported, deleted and imported into the same domain, it has its ID again.
    for format in ["mof", "json"] {
        let kept = scratch().join(format!("kept.{format}"));
        let kept = kept.to_str().unwrap();
        wmi(
            "dst.test",
            &["export", &name, "--to", kept, "--format", format],
        )
        .json();
        delete("dst", &filter_named("dst", &name).unwrap());
        wmi("dst.test", &["import", kept, "--yes"]).json();
        let back = filter_named("dst", &name).unwrap();
        assert_eq!(attribute(&back, "msWMI-ID"), id);
        assert_eq!(
            attribute(&back, "msWMI-Parm2"),
            attribute(&replaced, "msWMI-Parm2")
        );
    }
    let second = fresh("Second");
    wmi("dst.test", &["import", source, "--name", &second, "--yes"]).json();
    assert_samba_checks_pass("dst");
    for name in [&name, &second] {
        delete("dst", &filter_named("dst", name).unwrap());
    }
    assert_same(&before["wmi_filters"], &state("dst")["wmi_filters"]);
}

#[test]
#[ignore = "needs the lab"]
fn a_filter_is_linked_and_unlinked() {
    let _alone = alone();
    let linked = || attribute(&gpo_named(&state("dst"), "Target Empty"), "gPCWQLFilter").to_owned();
    assert_eq!(linked(), "");
    wmi("dst.test", &["link", "Target Empty", "laptops", "--yes"]).json();
    assert_eq!(
        linked(),
        "[dst.test;{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6B02};0]"
    );
    let again = wmi("dst.test", &["link", "Target Empty", "Laptops", "--yes"]).json();
    assert_eq!(again["plan"]["steps"], serde_json::json!([]));
    wmi(
        "dst.test",
        &["link", "Target Empty", "Windows 10 and 11", "--yes"],
    )
    .json();
    assert_eq!(
        linked(),
        "[dst.test;{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6B01};0]"
    );
    assert_eq!(
        wmi("dst.test", &["link", "Target Empty", "nothing", "--yes"]).status,
        1
    );
    let taken = wmi("dst.test", &["link", "Target Empty", "--none", "--yes"]).json();
    assert_eq!(taken["messages"][0]["code"], "wmi-link-removed");
    assert_eq!(linked(), "");
    assert_samba_checks_pass("dst");
}

#[test]
#[ignore = "needs the lab"]
fn a_filter_goes_to_the_other_domain_and_back() {
    let _alone = alone();
    let mut made = Vec::new();
    let file = |what: &str| scratch().join(format!("{what}.mof"));
    for (from, to) in [("src", "dst"), ("dst", "src")] {
        let [home, abroad] = [from, to].map(|side| format!("{side}.test"));
        let names = [fresh("From abroad"), fresh("Home again")];
        let way = [(&home, &abroad, to), (&abroad, &home, from)];
        let there = file(&format!("there-{from}"));
        let back = file(&format!("back-{from}"));
        let steps = [("Windows 10 and 11", &there), (names[0].as_str(), &back)];
        let seed = filter_named(from, "Windows 10 and 11").unwrap();
        for (((of, into, side), (filter, path)), name) in way.into_iter().zip(steps).zip(&names) {
            let path = path.to_str().unwrap();
            wmi(of, &["export", filter, "--to", path]).json();
            wmi(into, &["import", path, "--name", name, "--yes"]).json();
            let made = filter_named(side, name).unwrap();
            let id = attribute(&made, "msWMI-ID");
            assert_eq!(attribute(&made, "cn"), id);
            assert_ne!(id, attribute(&seed, "msWMI-ID"));
            // Everything except what identifies the new filter, and its times.
            let kept = |filter: &Value| {
                let mut attributes = filter["attributes"].clone();
                let own = ["msWMI-Name", "msWMI-ID", "msWMI-ChangeDate"];
                attributes
                    .as_object_mut()
                    .unwrap()
                    .retain(|name, _| name.starts_with("msWMI-") && !own.contains(&name.as_str()));
                attributes
            };
            for name in ["msWMI-Parm1", "msWMI-Parm2", "msWMI-Author"] {
                assert_ne!(attribute(&made, name), "", "{name}");
            }
            let changed = |filter: &Value| attribute(filter, "msWMI-ChangeDate").to_owned();
            assert!(changed(&made) > changed(&seed));
            assert_same(&kept(&seed), &kept(&made));

            let shown = wmi(into, &["show", name]).json();
            assert_eq!(shown["name"], name.as_str());
            assert_eq!(shown["id"], id);
            assert_eq!(shown["description"], attribute(&made, "msWMI-Parm1"));
            let query = shown["queries"][0]["query"].as_str().unwrap();
            assert!(attribute(&made, "msWMI-Parm2").ends_with(&format!(";{query};")));
            let shown = gpoctl(&["wmi", "show", name, "--domain", into]);
            assert_eq!(shown.status, 0, "{}", shown.stderr);
            for words in [name.as_str(), id, query] {
                assert!(shown.stdout.contains(words), "{words}: {}", shown.stdout);
            }
        }
        made.extend([to, from].into_iter().zip(names));
    }
    for side in ["src", "dst"] {
        assert_samba_checks_pass(side);
    }
    for (side, name) in made {
        delete(side, &filter_named(side, &name).unwrap());
    }
}

#[test]
#[ignore = "needs the lab"]
fn relinking_needs_exactly_one_filter_of_that_name() {
    let _alone = alone();
    for (from, seed, to) in [
        ("dst", "Target Filled", "src"),
        ("src", "Everything", "dst"),
    ] {
        let name = fresh("Relinked");
        let backup = &back_up(&format!("{from}.test"), &[seed])[seed];
        let domain = format!("{to}.test");
        write(&domain, &["create", &name]).json();
        let only = fresh("Relinked to");
        let source = backup_of_copy(backup.to_str().unwrap());
        let renamed = fresh("Filter of two");
        let xml = std::path::Path::new(&source).join("Backup.xml");
        let text = std::fs::read_to_string(&xml).unwrap();
        let called = if from == "src" {
            "Windows 10 and 11"
        } else {
            "Laptops"
        };
        assert!(text.contains(called));
        std::fs::write(&xml, text.replace(called, &renamed)).unwrap();
        std::fs::remove_file(xml.with_file_name("gpoctl.json")).unwrap();
        let import = ["import", &source, "--into", &name, "--relink-wmi-filter"];

        let before = state(to);
        let said = write(&domain, &import);
        assert_eq!(said.status, 1, "{}", said.stdout);
        let words = format!("there is no WMI filter \"{renamed}\"");
        assert!(said.stderr.contains(&words), "{}", said.stderr);
        assert_same(&before, &state(to));

        let mof = mof(&renamed);
        let mof = mof.to_str().unwrap();
        wmi(&domain, &["import", mof, "--yes"]).json();
        wmi(&domain, &["import", mof, "--name", &only, "--yes"]).json();
        let one = filter_named(to, &renamed).unwrap();
        let other = filter_named(to, &only).unwrap();
        ldbmodify(
            to,
            &format!(
                "dn: {}\nchangetype: modify\nreplace: msWMI-Name\nmsWMI-Name: {renamed}\n",
                other["dn"].as_str().unwrap()
            ),
        );
        let before = state(to);
        let said = write(&domain, &import);
        assert_eq!(said.status, 1, "{}", said.stdout);
        for filter in [&one, &other] {
            let id = attribute(filter, "msWMI-ID");
            assert!(said.stderr.contains(id), "{id}: {}", said.stderr);
        }
        assert_same(&before, &state(to));

        delete(to, &other);
        write(&domain, &import).json();
        let id = attribute(&one, "msWMI-ID");
        let now = gpo_named(&state(to), &name);
        assert_eq!(
            attribute(&now, "gPCWQLFilter"),
            format!("[{domain};{id};0]")
        );
        assert_samba_checks_pass(to);
        write(&domain, &["delete", &name]).json();
        delete(to, &one);
    }
}

/// Makes the class system only in the schema of DST.TEST, or not any more.
fn system_only(value: &str) {
    let ldif = format!(
        "dn: CN=ms-WMI-Som,CN=Schema,CN=Configuration,DC=dst,DC=test\nchangetype: modify\nreplace: systemOnly\nsystemOnly: {value}\n\ndn:\nchangetype: modify\nadd: schemaUpdateNow\nschemaUpdateNow: 1\n"
    );
    let allowed = "--option=dsdb:schema update allowed=true";
    inside_with(
        "dst",
        &["ldbmodify", "-H", DATABASE, "--relax", allowed],
        &ldif,
    );
}

#[test]
#[ignore = "needs the lab"]
fn a_refusal_is_explained() {
    let _alone = alone();
    let name = fresh("Refused");
    let source = mof(&name);
    let source = source.to_str().unwrap();
    system_only("TRUE");
    let refused = wmi("dst.test", &["import", source, "--yes"]);
    system_only("FALSE");
    assert_eq!(refused.status, 1);
    assert!(
        refused.stderr.contains("\"system only\""),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("ms-WMI-Som"), "{}", refused.stderr);
    assert!(filter_named("dst", &name).is_none());
    // An account without the right gets an error that names it; a file that is not a filter is refused with its line.
    let import = ["import", source, "--yes"];
    let denied = wmi("dst.test", &[&import[..], &editor("dst")].concat());
    assert_eq!(denied.status, 1);
    assert!(
        denied.stderr.contains("may not do this"),
        "{}",
        denied.stderr
    );
    let broken = file(
        "broken.mof",
        b"instance of MSFT_SomFilter\n{\nName = 7\n};\n",
    );
    let broken = wmi("dst.test", &["import", broken.to_str().unwrap(), "--yes"]);
    assert_eq!(broken.status, 1);
    assert!(broken.stderr.contains("line 4"), "{}", broken.stderr);
}

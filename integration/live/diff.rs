//! `gpoctl diff` of GPOs of the lab.

use crate::support::*;
use serde_json::Value;

fn differences(arguments: &[&str]) -> Vec<Value> {
    let mut all = vec!["diff", "--json"];
    all.extend(arguments);
    let document = gpoctl(&all).json();
    document["differences"].as_array().unwrap().clone()
}

#[test]
#[ignore = "needs the lab"]
fn a_backup_of_an_unchanged_gpo_does_not_differ() {
    for name in ["Everything", "Odd Names", "Software", "Empty"] {
        let backup = &back_up("src.test", &[name])[name];
        let found = differences(&[backup.to_str().unwrap(), name, "--domain", "src.test"]);
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}

#[test]
#[ignore = "needs the lab"]
fn an_import_differs_where_the_table_maps() {
    let _alone = alone();
    let backup = &back_up("src.test", &["Workstation Security"])["Workstation Security"];
    let table = table(&[("GlobalGroup", "Helpdesk@src.test", set("Support@dst.test"))]);
    let name = fresh("Diff");
    let arguments = [
        "--create",
        "--yes",
        "--migration-table",
        table.to_str().unwrap(),
    ];
    import(backup, &name, &arguments).json();
    let found = differences(&[
        "Workstation Security",
        &name,
        "--domain",
        "src.test",
        "--with-domain",
        "dst.test",
    ]);
    let names: Vec<&str> = found
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "displayName",
            "DACL",
            r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf"
        ]
    );
    let sids = |side: &str| -> Value { serde_json::from_slice(&judge(side, &["sids"])).unwrap() };
    let (old, new) = (&sids("src")["Helpdesk"], &sids("dst")["Support"]);
    let (old, new) = (old.as_str().unwrap(), new.as_str().unwrap());
    let lines = found[2]["lines"].as_array().unwrap();
    let of = |sign: &str| -> Vec<String> {
        lines
            .iter()
            .filter(|line| line["sign"] == sign)
            .map(|line| line["text"].as_str().unwrap().to_owned())
            .collect()
    };
    let (removed, added) = (of("removed"), of("added"));
    assert!(!removed.is_empty());
    let mapped: Vec<String> = removed.iter().map(|line| line.replace(old, new)).collect();
    assert_eq!(mapped, added);
}

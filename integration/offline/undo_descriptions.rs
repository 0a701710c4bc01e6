//! What the plan of an undo says of single values: what it will change now, from the present state to the former one.

use gpoctl::execute::journal::{self, OperationState};
use gpoctl::operations::link;
use gpoctl::operations::undo::{self, Undoing};
use gpoctl::plan::Plan;
use gpoctl::progress::Control;
use gpoctl::testing::faults::{Fault, Faults, When};

use crate::faults::case::{Case, GPO, Verb, in_memory, run};

const FILTER: &str = "{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01}";

fn lines(plan: &Plan) -> Vec<String> {
    let values = plan.values();
    values.flat_map(|planned| planned.summary.clone()).collect()
}

/// The description of the undo of a verb.
async fn undone(verb: Verb) -> Vec<String> {
    let case = Case::new(verb, true).await;
    let admin = case.admin().await;
    let plan = case.plan(&admin, &Faults::none()).await.unwrap();
    let said = lines(&plan);
    // A plan that is saved goes the same way, in words without names.
    if matches!(verb, Verb::AddLink | Verb::SetLink) {
        let saved = Plan::from_json(&plan.to_json().unwrap()).unwrap();
        let signs = |lines: &[String]| -> Vec<Option<char>> {
            lines.iter().map(|line| line.chars().next()).collect()
        };
        assert_eq!(signs(&lines(&saved)), signs(&said), "{verb:?}");
    }
    said
}

#[tokio::test]
async fn the_undo_of_a_link_shows_what_the_links_will_be() {
    let desks = format!("\"Desks\" {GPO}");
    assert_eq!(
        undone(Verb::AddLink).await,
        [format!(
            "- link of src.test/Staff: order 1: {desks}, enforced"
        )]
    );
    // The default policy has a link of its own, with a lower or a higher order.
    assert_eq!(
        undone(Verb::SetLink).await,
        [
            format!("- link of src.test/: order 1: {desks}, disabled"),
            format!("+ link of src.test/: order 1: {desks}"),
        ]
    );
    assert_eq!(
        undone(Verb::RemoveLink).await,
        [format!("+ link of src.test/: order 1: {desks}")]
    );
}

#[tokio::test]
async fn the_undo_of_blocked_inheritance_allows_it() {
    let case = Case::new(Verb::AddLink, false).await;
    let admin = case.admin().await;
    let session = admin.session();
    let staff = case.domain.directory().base().child("OU", "Staff").unwrap();
    let som = session.directory().som(&staff).await.unwrap();
    let plan = link::plan_inheritance(&session.info().dns_domain, &som, true).unwrap();
    assert_eq!(lines(&plan), ["~ inheritance: not blocked -> blocked"]);
    run(&plan, &admin, &case.journals()).await.unwrap();
    let operation = journal::list(&case.journals()).unwrap().remove(0);
    let Undoing::Plan(back) = undo::plan(session, &operation, &Control::default())
        .await
        .unwrap()
    else {
        panic!("it was interrupted")
    };
    assert_eq!(
        lines(&back),
        ["~ inheritance of src.test/Staff: blocked -> not blocked"]
    );
}

#[tokio::test]
async fn the_undo_of_a_wmi_filter_shows_the_filter_that_comes_back() {
    let desks = format!("\"Desks\" {GPO}");
    let laptops = format!("\"Laptops\" {FILTER}");
    assert_eq!(
        undone(Verb::LinkFilter).await,
        [format!("~ WMI filter of {desks}: {laptops} -> none")]
    );
    assert_eq!(
        undone(Verb::UnlinkFilter).await,
        [format!("~ WMI filter of {desks}: none -> {laptops}")]
    );
    let replaced = undone(Verb::ReplaceFilter).await;
    assert_eq!(replaced[0], format!("~ WMI filter {laptops}"));
    let queries: Vec<&String> = replaced
        .iter()
        .filter(|line| line.contains("queries"))
        .collect();
    assert_eq!(
        queries,
        [
            "-   queries: root\\CIMv2: SELECT * FROM Win32_Battery WHERE Chemistry = 6",
            "+   queries: root\\CIMv2: SELECT * FROM Win32_Battery"
        ]
    );
    let created = undone(Verb::CreateFilter).await;
    assert!(
        created[0].starts_with("- WMI filter \"Tablets\" {"),
        "{created:?}"
    );
    assert!(
        created.iter().all(|line| line.starts_with('-')),
        "{created:?}"
    );
}

#[tokio::test]
async fn the_undo_of_a_repair_shows_the_former_state_as_the_new_one() {
    let desks = format!("\"Desks\" {GPO}");
    let repaired = undone(Verb::Repair).await;
    let sorted = "[{42B5FAAE-6536-11D2-AE5A-0000F87571E3}{40B6664F-4972-11D1-A7CA-0000F87571E3}]";
    let first = "[{827D319E-6EAC-11D2-A4EA-00C04F79F83A}{803E14A0-B4FB-11D0-A0D0-00A0C90F574B}]";
    let lists = [
        format!("~ gPCMachineExtensionNames of {desks}"),
        format!("-   {sorted}{first}"),
        format!("+   {first}{sorted}"),
    ];
    assert_eq!(repaired[..3], lists);
    let version = format!("~ versionNumber of {desks}: computer 1, user 1 -> computer 1, user 0");
    assert!(repaired.contains(&version), "{repaired:#?}");
    assert_eq!(
        undone(Verb::RepairGptIni).await[0],
        format!("~ GPT.INI of {desks}: computer 2, user 2 -> computer 1, user 1")
    );
}

/// What is rolled back after an interruption has the same words.
#[tokio::test]
async fn a_roll_back_shows_what_it_will_change() {
    let (mut seen, mut calls) = (0, 0);
    for number in 1.. {
        let case = Case::new(Verb::SetLink, false).await;
        let (faults, journals) = (Faults::none(), in_memory());
        let admin = case.domain.connect("Administrator", &faults).await.unwrap();
        let plan = case.plan(&admin, &Faults::none()).await.unwrap();
        faults.add(faults.calls().len() + number, Fault::Kill(When::After));
        tokio::select! {
            done = run(&plan, &admin, journals.path()) => { done.unwrap(); break }
            () = faults.killed() => calls = number,
        }
        let admin = case.admin().await;
        let Some(operation) = journal::list(journals.path()).unwrap().pop() else {
            continue;
        };
        if operation.state != OperationState::Unfinished {
            continue;
        }
        let planned = undo::plan(admin.session(), &operation, &Control::default()).await;
        let Undoing::RollBack(parts) = planned.unwrap() else {
            panic!("an unfinished operation is undone by a plan")
        };
        if parts.is_empty() {
            continue;
        }
        seen += 1;
        let link = format!("link of src.test/: order 1: \"Desks\" {GPO}");
        assert_eq!(parts, [format!("- {link}, disabled"), format!("+ {link}")]);
    }
    println!("{calls} calls, {seen} with something to roll back");
    assert!(seen > 0);
}

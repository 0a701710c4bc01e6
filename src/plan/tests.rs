use super::gpo::{PlanTarget, Verb};
use super::values::ObjectDn;
use super::*;
use crate::directory::{AttributeSwap, SwapAttribute};
use crate::model::dn::Dn;

const GPO: &str = "{11111111-2222-3333-4444-555555555555}";
const OTHER: &str = "{11111111-2222-3333-4444-666666666666}";

fn domain() -> DomainName {
    "src.test".parse().unwrap()
}

fn renamed(guid: &str, domain: DomainName) -> GpoPlan {
    let target = PlanTarget {
        guid: guid.parse().unwrap(),
        display_name: "Desks".to_owned(),
        domain,
        create: false,
    };
    let mut gpo = GpoPlan::new(Verb::Rename, target);
    gpo.steps = vec![Step::Rename {
        from: "Desks".to_owned(),
        to: "Tables".to_owned(),
    }];
    gpo
}

/// A change of one attribute.
fn value(dn: &str, attribute: SwapAttribute, new: &str) -> ValueChange {
    ValueChange::Attributes {
        dn: ObjectDn(Dn::parse(dn).unwrap()),
        attributes: vec![AttributeSwap {
            attribute,
            old: None,
            new: Some(new.to_owned()),
        }],
    }
}

/// Two values of one GPO, then links of an OU, then another GPO as a whole.
fn several() -> Plan {
    let mut plan = Plan::new("several", &domain());
    let gpo = format!("CN={GPO},CN=Policies,CN=System,DC=src,DC=test");
    plan.push(value(&gpo, SwapAttribute::Flags, "1"), Vec::new());
    let lower = gpo.to_lowercase();
    plan.push(value(&lower, SwapAttribute::DisplayName, "x"), Vec::new());
    let ou = "OU=Staff,DC=src,DC=test";
    plan.push(value(ou, SwapAttribute::GpOptions, "1"), Vec::new());
    plan.push_gpo(renamed(OTHER, domain()));
    plan
}

#[test]
fn what_is_of_one_object_is_made_together() {
    let mut plan = several();
    let whole = 0..4;
    assert_eq!(plan.units(), [whole]);
    plan.mode = Mode::ObjectByObject;
    assert_eq!(plan.units(), [0..2, 2..3, 3..4]);
}

#[test]
fn a_gpo_that_is_changed_as_a_whole_has_no_other_change() {
    assert_eq!(several().contradiction(), None);
    let mut twice = several();
    twice.push_gpo(renamed(GPO, domain()));
    let fault = twice.contradiction().unwrap();
    assert_eq!(fault, format!("it changes GPO {GPO} more than once"));
    let mut elsewhere = several();
    elsewhere.push_gpo(renamed(GPO, "dst.test".parse().unwrap()));
    let fault = elsewhere.contradiction().unwrap();
    assert_eq!(fault, "it is for src.test, and changes a GPO of dst.test");
}

#[test]
fn a_saved_plan_with_a_contradiction_is_not_read() {
    let mut twice = several();
    twice.push_gpo(renamed(OTHER, domain()));
    let error = Plan::from_json(&twice.to_json().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
    assert!(error.to_string().contains("more than once"), "{error}");
}

#[test]
fn a_change_that_cannot_be_read_is_named_by_its_number() {
    let json = several().to_json().unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    json["changes"][2]["attributes"] = 7.into();
    let error = Plan::from_json(json.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
    assert!(error.to_string().contains("change 3"), "{error}");
    for kind in ["other", "", "Gpo"] {
        json["changes"][2]["change"] = kind.into();
        assert!(Plan::from_json(json.to_string().as_bytes()).is_err());
    }
}

#[test]
fn the_plan_of_one_gpo_is_named_after_it() {
    let plan = Plan::of(renamed(GPO, domain()));
    assert_eq!(plan.title, "rename \"Desks\"");
    assert_eq!(plan.steps().len(), 1);
    assert!(several().gpo().is_none());
    assert!(several().into_gpo().is_err());
    assert_eq!(plan.into_gpo().unwrap().target.guid, GPO.parse().unwrap());
}

#[test]
fn the_inverses_come_last_first() {
    let plan = several();
    let back = plan.inverse_values();
    let changes: Vec<&ValueChange> = back.values().map(|planned| &planned.change).collect();
    let forward: Vec<ValueChange> = plan.values().map(|it| it.change.inverse()).collect();
    assert_eq!(changes.len(), 3);
    assert!(changes.into_iter().rev().eq(forward.iter()));
}

//! The saved form of a plan: what `--plan-out` writes and `apply` reads, and what a journal contains.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::gpo::GpoPlan;
use super::values::PlannedValue;
use super::{Change, Mode, PLAN_FORMAT_VERSION, Plan};
use crate::error::{Error, ErrorKind, Result};
use crate::message::StatusMessage;
use crate::model::domain_name::DomainName;

/// The maximum size of a plan: the files of a GPO, up to the maximum of a backup, grow by a third in base64.
pub const MAX_PLAN_BYTES: u64 = 2 << 30;

/// How a change of a GPO as a whole is marked.
pub(super) const GPO: &str = "gpo";

/// The form that is written. In version 1, a plan of single values had it too, without `mode` and changes of GPOs.
#[derive(serde::Deserialize)]
struct Saved<'a> {
    title: String,
    domain: DomainName,
    #[serde(default)]
    mode: Mode,
    #[serde(borrow)]
    changes: Vec<&'a RawValue>,
    messages: Vec<StatusMessage>,
}

/// What all forms have, and how they are distinguished.
#[derive(serde::Deserialize)]
struct Head<'a> {
    format_version: u32,
    operation_id: String,
    #[serde(borrow)]
    changes: Option<&'a RawValue>,
}

/// What decides how a change is read.
#[derive(serde::Deserialize)]
struct Kind {
    change: String,
}

impl Plan {
    /// Reads a saved plan.
    ///
    /// # Errors
    /// `BadInput` when it is not a plan, has a newer form, is not one that gpoctl makes, or has a description that does not
    /// match its content.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let mut plan = Self::read(bytes)?;
        plan.refuse_unplanned()?;
        plan.refuse_false_description()?;
        for gpo in plan.gpos_mut() {
            // The references before the mapping cannot be derived from the content of the plan.
            gpo.mapping = None;
        }
        plan.describe();
        plan.attribute_to("the plan file says")?;
        Ok(plan)
    }

    /// Reads the plan of an operation in a journal. A plan of an older version may have other descriptions.
    ///
    /// # Errors
    /// `BadInput` when it is not a plan, has a newer form, is not one that gpoctl makes, or has a description that does not
    /// match its content.
    pub(crate) fn from_journal(bytes: &[u8]) -> Result<Self> {
        let mut plan = Self::read(bytes)?;
        plan.refuse_unplanned_or_back()?;
        for gpo in plan.gpos_mut() {
            gpo.reword()?;
            gpo.refuse_false_description()?;
        }
        plan.describe();
        plan.attribute_to("the journal says")?;
        Ok(plan)
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let head: Head<'_> = serde_json::from_slice(bytes).map_err(not_a_plan)?;
        if !(1..=PLAN_FORMAT_VERSION).contains(&head.format_version) {
            return Err(Error::new(
                ErrorKind::BadInput,
                format!("the plan has format version {}", head.format_version),
            )
            .with_hint("it was made by another version of gpoctl; make it again"));
        }
        // The ID becomes the name of the journal's folder.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        if !head
            .operation_id
            .starts_with(|c: char| c.is_ascii_alphanumeric())
            || !head.operation_id.chars().all(plain)
        {
            return Err(Error::new(
                ErrorKind::BadInput,
                format!(
                    "\"{}\" in the plan is not an operation ID",
                    head.operation_id.escape_debug()
                ),
            ));
        }
        let plan = if head.format_version == 1 && head.changes.is_none() {
            let gpo: GpoPlan = serde_json::from_slice(bytes).map_err(not_a_plan)?;
            let mut plan = Self::of(gpo);
            plan.operation_id = head.operation_id;
            plan
        } else {
            let saved: Saved<'_> = serde_json::from_slice(bytes).map_err(not_a_plan)?;
            let changes = (1_usize..).zip(saved.changes);
            Self {
                mode: saved.mode,
                operation_id: head.operation_id,
                changes: changes
                    .map(|(number, json)| change(number, json))
                    .collect::<Result<_>>()?,
                messages: saved.messages,
                ..Self::new(saved.title, &saved.domain)
            }
        };
        match plan.contradiction() {
            Some(fault) => Err(Error::new(
                ErrorKind::BadInput,
                format!("not a plan saved by gpoctl: {fault}"),
            )),
            None => Ok(plan),
        }
    }
}

/// Reads the change with this number.
fn change(number: usize, json: &RawValue) -> Result<Change> {
    fn read<T: DeserializeOwned>(number: usize, json: &RawValue) -> Result<T> {
        serde_json::from_str(json.get())
            .map_err(|cause| not_a_plan(cause).context(format!("change {number}")))
    }
    let kind: Kind = read(number, json)?;
    Ok(if kind.change == GPO {
        Change::Gpo(Box::new(read::<GpoPlan>(number, json)?))
    } else {
        Change::Value(read::<PlannedValue>(number, json)?)
    })
}

fn not_a_plan(cause: serde_json::Error) -> Error {
    Error::new(ErrorKind::BadInput, "not a plan saved by gpoctl").with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{AttributeSwap, SwapAttribute};
    use crate::model::allowed_object::AllowedObject;
    use crate::model::directory_object::DirectoryObject;
    use crate::model::dn::Dn;
    use crate::plan::gpo::{Intent, PlanTarget, Verb};
    use crate::plan::values::{ObjectDn, ValueChange};

    fn list_of(change: ValueChange) -> Plan {
        let mut list = Plan::new("x", &"src.test".parse().unwrap());
        list.push(change, Vec::new());
        list
    }

    fn read(list: &Plan) -> Result<Plan> {
        Plan::from_json(&list.to_json().unwrap())
    }

    fn refused(list: &Plan) -> String {
        let error = read(list).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadInput);
        error.to_string()
    }

    fn dn(text: &str) -> ObjectDn {
        ObjectDn(Dn::parse(text).unwrap())
    }

    /// A new filter at this place, with one more attribute.
    fn filter(at: &str, attribute: &str) -> ValueChange {
        let attributes = [
            ("msWMI-ID", "{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01}"),
            ("msWMI-Name", "Desks"),
            ("msWMI-Parm2", "1;3;4;1;WQL;root;q;"),
            ("showInAdvancedViewOnly", "TRUE"),
            (attribute, "x"),
        ];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
        ValueChange::AddWmiFilter {
            dn: dn(at),
            attributes: attributes.to_vec(),
        }
    }

    const FILTER: &str =
        "CN={5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01},CN=SOM,CN=WMIPolicy,CN=System,DC=src,DC=test";

    #[test]
    fn what_was_saved_is_read() {
        let link = list_of(ValueChange::Attributes {
            dn: dn("OU=Staff,DC=src,DC=test"),
            attributes: vec![AttributeSwap {
                attribute: SwapAttribute::GpLink,
                old: None,
                new: Some("[LDAP://CN={5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01},CN=Policies,CN=System,DC=src,DC=test;0]".to_owned()),
            }],
        });
        for list in [link, list_of(filter(FILTER, "msWMI-Author"))] {
            let again = read(&list).unwrap();
            let of = |list: &Plan| -> Vec<ValueChange> {
                list.values()
                    .map(|planned| planned.change.clone())
                    .collect()
            };
            assert_eq!(of(&again), of(&list));
            // The descriptions are those of the changes, whatever the file contains.
            assert_eq!(again.title, "1 change in src.test");
            assert!(
                again
                    .values()
                    .next()
                    .unwrap()
                    .summary
                    .iter()
                    .any(|line| line.starts_with(['+', '~']))
            );
        }
    }

    /// The plan of a GPO with one object below it, saved and edited.
    fn gpo_plan(change: impl FnOnce(&mut serde_json::Value)) -> Result<Plan> {
        let target = PlanTarget {
            guid: "{11111111-2222-3333-4444-555555555555}".parse().unwrap(),
            display_name: "x".to_owned(),
            domain: "src.test".parse().unwrap(),
            create: true,
        };
        let object = DirectoryObject {
            rdns: vec!["CN=Class Store".to_owned(), "CN=Machine".to_owned()],
            object_class: "classStore".to_owned(),
            ..DirectoryObject::default()
        };
        let mut plan = GpoPlan {
            directory_objects: vec![AllowedObject::new(object).unwrap()],
            ..GpoPlan::new(Verb::Restore, target)
        };
        plan.steps = plan.describe_steps(&Intent::default()).unwrap();
        let mut json: serde_json::Value =
            serde_json::from_slice(&Plan::of(plan).to_json().unwrap()).unwrap();
        change(&mut json["changes"][0]);
        Plan::from_json(&serde_json::to_vec(&json).unwrap())
    }

    #[test]
    fn a_plan_with_an_object_that_no_gpo_contains_is_refused() {
        let object = |json: &mut serde_json::Value, key: &str, value: serde_json::Value| {
            json["directory_objects"][0][key] = value;
        };
        assert!(gpo_plan(|_| {}).is_ok());
        for (key, value, word) in [
            (
                "object_class",
                "computer".into(),
                "is of class \"computer\"",
            ),
            (
                "attributes",
                serde_json::json!([{"name": "member", "values": {"string": "x"}}]),
                "the attribute \"member\"",
            ),
            (
                "rdns",
                serde_json::json!(["CN=x", "CN=Users"]),
                "is not an object below CN=Machine or CN=User",
            ),
        ] {
            let error = gpo_plan(|json| object(json, key, value)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadInput);
            assert!(error.to_string().contains(word), "{error}");
            assert!(error.to_string().contains("CN="), "{error}");
        }
    }

    #[test]
    fn what_gpoctl_would_not_have_saved_is_refused() {
        let mut list = list_of(filter(FILTER, "msWMI-Author"));
        for id in ["", ".", "..", ".x", "../x", "/tmp/x", "a/b", "a b"] {
            id.clone_into(&mut list.operation_id);
            assert!(refused(&list).contains("operation ID"), "{id}");
        }
        let mut list = list_of(filter(FILTER, "msWMI-Author"));
        list.format_version = 3;
        assert!(refused(&list).contains("format version 3"));
        // A filter in another place, or with attributes that a filter does not have; and the deletion of any filter.
        for at in [
            "CN=x,CN=Users,DC=src,DC=test",
            "CN=y,CN=x,CN=SOM,CN=WMIPolicy,CN=System,DC=src,DC=test",
            "CN=x,CN=SOM,CN=WMIPolicy,CN=System,DC=dst,DC=test",
            "CN=SOM,CN=WMIPolicy,CN=System,DC=src,DC=test",
        ] {
            assert!(refused(&list_of(filter(at, "msWMI-Author"))).contains("WMI filter"));
        }
        assert!(refused(&list_of(filter(FILTER, "member"))).contains("member"));
        // Attributes of a GPO or a filter on something else.
        for (at, attribute) in [
            (
                "CN=Administrator,CN=Users,DC=src,DC=test",
                SwapAttribute::DisplayName,
            ),
            ("OU=Staff,DC=src,DC=test", SwapAttribute::Flags),
            ("CN=x,CN=Users,DC=src,DC=test", SwapAttribute::WmiName),
            ("DC=dst,DC=test", SwapAttribute::GpLink),
        ] {
            let swap = AttributeSwap {
                attribute,
                old: None,
                new: Some("x".to_owned()),
            };
            let change = ValueChange::Attributes {
                dn: dn(at),
                attributes: vec![swap],
            };
            assert!(refused(&list_of(change)).contains(attribute.as_str()));
        }
        let removal = ValueChange::RemoveWmiFilter {
            dn: dn(FILTER),
            attributes: Vec::new(),
        };
        assert!(refused(&list_of(removal)).contains("only to undo"));
        for text in [
            "",
            "{}",
            "[]",
            "{\"format_version\":1,\"operation_id\":\"a\"}",
        ] {
            let error = Plan::from_json(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadInput, "{text}");
        }
    }
}

//! What single values of a plan that was read from a file may be: values that a verb of gpoctl plans, and no others.

use std::collections::BTreeSet;

use super::{DescriptorSwap, ValueChange};
use crate::directory::wmi::wmi_container;
use crate::directory::{AttributeSwap, SwapAttribute};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::gpt_ini;
use crate::message::printable;
use crate::model::dn::Dn;
use crate::model::extension_list::ExtensionList;
use crate::model::gp_link::LinkList;
use crate::model::guid::Guid;
use crate::model::security_descriptor::{Ace, Acl, DaclState, SecurityDescriptor, control};
use crate::model::sid::Sid;
use crate::model::snapshot::WmiFilterLink;
use crate::model::version::GpoVersion;
use crate::model::wmi_filter::{format_queries, parse_queries};
use crate::plan::folder_rights::FileRights;
use crate::plan::gpo::FileContent;
use crate::plan::{Change, Plan};
use crate::session::DomainSession;

/// The attributes a new WMI filter is given, and whether it must have them.
const FILTER_ATTRIBUTES: &[(&str, bool)] = &[
    ("msWMI-Author", false),
    ("msWMI-ChangeDate", false),
    ("msWMI-CreationDate", false),
    ("msWMI-ID", true),
    ("msWMI-Name", true),
    ("msWMI-Parm1", false),
    ("msWMI-Parm2", true),
    ("showInAdvancedViewOnly", true),
];

impl Plan {
    /// Refuses a list that contains something that no verb of gpoctl plans. For a list that was read from a file.
    ///
    /// # Errors
    /// `BadInput`, with the number of the change and what is wrong with it.
    pub(crate) fn refuse_unplanned(&self) -> Result<()> {
        self.refuse_faults(|plan, change| plan.fault(change))
    }

    /// Lets a plan through that was read from the journal of an operation: each change is one that a verb of gpoctl plans, or
    /// takes one back. Undoing the operation makes the inverse of each, which is no more than a plan may do in either case.
    ///
    /// # Errors
    /// As [`Self::refuse_unplanned`].
    pub(crate) fn refuse_unplanned_or_back(&self) -> Result<()> {
        self.refuse_faults(|plan, change| {
            let fault = plan.fault(change)?;
            plan.fault(&change.inverse()).map(|_| fault)
        })
    }

    fn refuse_faults(&self, fault: impl Fn(&Self, &ValueChange) -> Option<String>) -> Result<()> {
        for (number, change) in (1_usize..).zip(&self.changes) {
            let Change::Value(planned) = change else {
                continue;
            };
            if let Some(fault) = fault(self, &planned.change) {
                return Err(Error::new(
                    ErrorKind::BadInput,
                    format!("not a plan saved by gpoctl: change {number}: {fault}"),
                ));
            }
        }
        Ok(())
    }

    fn fault(&self, change: &ValueChange) -> Option<String> {
        match change {
            ValueChange::AddWmiFilter { dn, attributes } => self.fault_of_filter(&dn.0, attributes),
            ValueChange::RemoveWmiFilter { .. } => Some(
                "it deletes a WMI filter, which is planned only to undo its addition".to_owned(),
            ),
            ValueChange::Attributes { dn, attributes } => attributes
                .iter()
                .find_map(|swap| self.fault_of_attribute(&dn.0, swap)),
            ValueChange::GptIni {
                old,
                new,
                descriptor,
                ..
            } => fault_of_gpt_ini(old.as_ref(), new.as_ref()).or_else(|| {
                descriptor
                    .as_ref()
                    .and_then(fault_of_descriptor)
                    .map(|fault| format!("the permissions of GPT.INI: {fault}"))
            }),
            ValueChange::Descriptors { entries, .. } => fault_of_descriptors(entries),
        }
    }

    fn fault_of_attribute(&self, dn: &Dn, swap: &AttributeSwap) -> Option<String> {
        let name = swap.attribute.as_str();
        if !self.has_attribute(dn, swap.attribute) {
            return Some(format!("{name} is not an attribute that is set on {dn}"));
        }
        (!self.is_value(swap)).then(|| {
            let value = swap
                .new
                .as_deref()
                .map_or_else(|| "absent".to_owned(), printable);
            format!("{value} is not a value that is given to {name}")
        })
    }

    /// Whether gpoctl sets this attribute on that object: links on domains, OUs and sites, the others on GPOs and WMI filters.
    fn has_attribute(&self, dn: &Dn, attribute: SwapAttribute) -> bool {
        let Ok(base) = Dn::parse(&self.domain.to_dn()) else {
            return false;
        };
        match attribute {
            SwapAttribute::GpLink | SwapAttribute::GpOptions => {
                let is_site = matches!(
                    dn.rdns(),
                    [_, sites, configuration, ..]
                        if sites.is("CN", "Sites") && configuration.is("CN", "Configuration")
                );
                is_site || dn.below(&base).is_some()
            }
            SwapAttribute::WqlFilter
            | SwapAttribute::MachineExtensions
            | SwapAttribute::UserExtensions
            | SwapAttribute::DisplayName
            | SwapAttribute::Version
            | SwapAttribute::Flags
            | SwapAttribute::FunctionalityVersion => dn.gpo_guid(&base).is_some(),
            SwapAttribute::WmiName
            | SwapAttribute::WmiDescription
            | SwapAttribute::WmiQueries
            | SwapAttribute::WmiAuthor
            | SwapAttribute::WmiChangeDate => self.is_place_of_filter(dn),
        }
    }

    /// Whether the attribute then leads to something that the domain does not have: a GPO or a WMI filter of another one, or of a
    /// server that the value names.
    pub(super) fn leads_elsewhere(&self, swap: &AttributeSwap) -> bool {
        matches!(
            swap.attribute,
            SwapAttribute::GpLink | SwapAttribute::WqlFilter
        ) && !self.is_value(swap)
    }

    /// Whether gpoctl sets the attribute to this value.
    fn is_value(&self, swap: &AttributeSwap) -> bool {
        let new = swap.new.as_deref();
        let number = |most: i64| {
            new.and_then(|text| text.parse::<i64>().ok())
                .is_some_and(|number| (i64::from(i32::MIN)..=most).contains(&number))
        };
        // Taking the change back writes the former one.
        let is_status = |text: &str| matches!(text, "0" | "1" | "2" | "3");
        match swap.attribute {
            SwapAttribute::GpLink => self.adds_own_links_only(swap),
            SwapAttribute::GpOptions => new.is_none() || number(i64::from(i32::MAX)),
            SwapAttribute::Version => number(i64::from(u32::MAX)),
            SwapAttribute::Flags => {
                new.is_some_and(is_status) && swap.old.as_deref().is_none_or(is_status)
            }
            SwapAttribute::FunctionalityVersion => new == Some("2"),
            SwapAttribute::DisplayName | SwapAttribute::WmiName => new.is_some_and(is_name),
            SwapAttribute::MachineExtensions | SwapAttribute::UserExtensions => {
                let list =
                    |text: &Option<String>| ExtensionList::new(text.clone().unwrap_or_default());
                list(&swap.old)
                    .in_order()
                    .is_some_and(|ordered| Some(ordered.as_str()) == new)
            }
            SwapAttribute::WqlFilter => new.is_none_or(|text| {
                WmiFilterLink::parse(text)
                    .is_some_and(|link| link.domain.eq_ignore_ascii_case(self.domain.as_str()))
            }),
            SwapAttribute::WmiQueries => new.is_some_and(are_queries),
            SwapAttribute::WmiDescription
            | SwapAttribute::WmiAuthor
            | SwapAttribute::WmiChangeDate => true,
        }
    }

    /// Whether every added link is to a GPO of the domain, and no other text is added.
    fn adds_own_links_only(&self, swap: &AttributeSwap) -> bool {
        let Ok(base) = Dn::parse(&self.domain.to_dn()) else {
            return false;
        };
        let [old, new] =
            [&swap.old, &swap.new].map(|it| LinkList::parse(it.as_deref().unwrap_or_default()));
        let known: BTreeSet<&str> = old.links().map(|link| link.dn.as_str()).collect();
        let is_own = |text: &str| Dn::parse(text).is_ok_and(|dn| dn.gpo_guid(&base).is_some());
        let links = new
            .links()
            .all(|link| known.contains(link.dn.as_str()) || is_own(&link.dn));
        links && new.others().eq(old.others())
    }

    fn is_place_of_filter(&self, dn: &Dn) -> bool {
        let container = Dn::parse(&self.domain.to_dn())
            .ok()
            .map(|base| wmi_container(&base));
        container
            .and_then(|container| dn.below(&container).map(<[_]>::len))
            .is_some_and(|depth| depth == 1)
    }

    fn fault_of_filter(&self, dn: &Dn, attributes: &[(String, String)]) -> Option<String> {
        if !self.is_place_of_filter(dn) {
            return Some(format!("{dn} is not a place for a WMI filter"));
        }
        let mut seen = BTreeSet::new();
        for (name, _) in attributes {
            let known = FILTER_ATTRIBUTES.iter().any(|(known, _)| known == name);
            if !known || !seen.insert(name.as_str()) {
                return Some(format!(
                    "{} is not an attribute of a WMI filter, or there twice",
                    printable(name)
                ));
            }
        }
        let missing = |(name, required): &&(&str, bool)| *required && !seen.contains(name);
        if let Some((name, _)) = FILTER_ATTRIBUTES.iter().find(missing) {
            return Some(format!("a WMI filter has the attribute {name}"));
        }
        let wrong = attributes
            .iter()
            .find(|(name, value)| !match name.as_str() {
                "msWMI-ID" => {
                    let rdn = dn.rdns().first();
                    value.parse::<Guid>().is_ok_and(|id| {
                        rdn.is_some_and(|rdn| rdn.is("CN", value) && rdn.value.parse() == Ok(id))
                    })
                }
                "msWMI-Name" => is_name(value),
                "msWMI-Parm2" => are_queries(value),
                "showInAdvancedViewOnly" => value == "TRUE",
                _ => true,
            });
        wrong.map(|(name, value)| {
            format!(
                "{} is not a value that is given to {name}",
                printable(value)
            )
        })
    }

    /// Refuses permissions of files that grant more than follows from the GPO, and more than the present ones: no repair plans
    /// them. For a list that was read from a file.
    ///
    /// # Errors
    /// `Conflict`, with the first place; and as the directory.
    pub(crate) async fn refuse_foreign_rights(&self, session: &DomainSession) -> Result<()> {
        self.refuse_rights_beyond(session, None).await
    }

    /// As [`Self::refuse_foreign_rights`], for a list that takes a repair back: files that were not repaired have the entries that they
    /// inherited from the folder of all GPOs, for administrators, operators and the creators of GPOs.
    ///
    /// # Errors
    /// As [`Self::refuse_foreign_rights`].
    pub(crate) async fn refuse_rights_that_never_were(
        &self,
        session: &DomainSession,
    ) -> Result<()> {
        let inherited = inherited(&session.info().domain_sid);
        self.refuse_rights_beyond(session, Some(&inherited))
            .await
            .map_err(|error| {
                error.with_hint(
                    "nothing was changed; if the files had these permissions before, set them by hand",
                )
            })
    }

    async fn refuse_rights_beyond(
        &self,
        session: &DomainSession,
        inherited: Option<&SecurityDescriptor>,
    ) -> Result<()> {
        for planned in self.values() {
            let guid = match &planned.change {
                ValueChange::GptIni {
                    guid,
                    descriptor: Some(_),
                    ..
                }
                | ValueChange::Descriptors { guid, .. }
                    if !planned.change.is_empty() =>
                {
                    *guid
                }
                _ => continue,
            };
            let container = session.directory().gpo(guid).await?.security_descriptor;
            if let Some(excess) = foreign_rights(&planned.change, &container, inherited)? {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("the plan gives {excess}, which does not follow from the permissions of the GPO {guid}"),
                )
                .with_hint("nothing was changed; make the plan again"));
            }
        }
        Ok(())
    }
}

/// What a change grants on files beyond the descriptor of the GPO and the present permissions.
pub(super) fn foreign_rights(
    change: &ValueChange,
    container: &[u8],
    inherited: Option<&SecurityDescriptor>,
) -> Result<Option<String>> {
    let parse = |bytes: &FileContent| SecurityDescriptor::parse(&bytes.0).ok();
    let rights = FileRights::of_bytes(container)?;
    let check = |what: String, new: &FileContent, old: Option<SecurityDescriptor>| {
        let others: Vec<SecurityDescriptor> = old.into_iter().chain(inherited.cloned()).collect();
        let excess = match parse(new) {
            Some(new) => rights.beyond(&new, &others),
            None => Some("permissions that cannot be read".to_owned()),
        };
        excess.map(|excess| format!("{what} {excess}"))
    };
    Ok(match change {
        ValueChange::GptIni {
            descriptor: Some(new),
            ..
        } => check("GPT.INI".to_owned(), new, None),
        ValueChange::Descriptors { entries, .. } => entries.iter().find_map(|entry| {
            let what = match entry.path.is_root() {
                true => "the GPO folder".to_owned(),
                false => printable(&entry.path.to_string()),
            };
            check(what, &entry.new, parse(&entry.old))
        }),
        _ => None,
    })
}

/// What files have by inheritance from the folder of all GPOs: full control for Administrator, Domain Admins, Enterprise Admins and
/// Group Policy Creator Owners, read access for Server Operators. Administrator owns what he has made.
pub(super) fn inherited(domain: &Sid) -> SecurityDescriptor {
    const ALL: u32 = 0x001F_01FF;
    const READ: u32 = 0x0012_00A9;
    let mut aces: Vec<Ace> = [500, 512, 519, 520]
        .map(|rid| Ace::allow(0, ALL, domain.with_rid(rid)))
        .into();
    aces.extend("S-1-5-32-549".parse().map(|sid| Ace::allow(0, READ, sid)));
    let mut all = SecurityDescriptor::new();
    all.control |= control::DACL_PRESENT;
    all.owner = Some(domain.with_rid(500));
    all.dacl = Some(Acl::new(aces));
    all
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(char::is_control)
}

fn are_queries(value: &str) -> bool {
    parse_queries(value).is_ok_and(|queries| format_queries(&queries) == value)
}

/// A repair changes only the version, and only increases it.
fn fault_of_gpt_ini(old: Option<&FileContent>, new: Option<&FileContent>) -> Option<String> {
    let Some(new) = new else {
        return Some("it deletes GPT.INI, which is planned only to undo its creation".to_owned());
    };
    let version = |content: &FileContent| gpt_ini::read_version(&content.0).ok().flatten();
    let Some(to) = version(new) else {
        return Some("the new GPT.INI has no version".to_owned());
    };
    let from = old.and_then(version).unwrap_or_default();
    let kept = old.and_then(|old| gpt_ini::write_version(&old.0, to).ok());
    let planned = [kept.clone(), kept.is_none().then(|| gpt_ini::create(to))];
    if !planned.iter().flatten().any(|planned| *planned == new.0) {
        return Some(
            "the new GPT.INI differs from the old one in more than the version".to_owned(),
        );
    }
    let rises =
        |from: GpoVersion, to: GpoVersion| from.user <= to.user && from.machine <= to.machine;
    (!rises(from, to)).then(|| "the version in GPT.INI does not rise".to_owned())
}

fn fault_of_descriptors(entries: &[DescriptorSwap]) -> Option<String> {
    let mut seen = BTreeSet::new();
    entries.iter().find_map(|entry| {
        if !seen.insert(entry.path.folded()) {
            return Some(format!("the permissions of {} are set twice", entry.path));
        }
        // The old value may be anything readable.
        let fault = match SecurityDescriptor::parse(&entry.old.0) {
            Err(cause) => Some(cause.to_string()),
            Ok(_) => fault_of_descriptor(&entry.new),
        };
        fault.map(|fault| format!("the permissions of {}: {fault}", entry.path))
    })
}

/// Owner, group and a DACL: what a file of a GPO has.
fn fault_of_descriptor(bytes: &FileContent) -> Option<String> {
    match SecurityDescriptor::parse(&bytes.0) {
        Ok(parsed) if matches!(parsed.dacl_state(), DaclState::List(_)) => None,
        Ok(_) => Some("they have no DACL".to_owned()),
        Err(cause) => Some(cause.to_string()),
    }
}

#[cfg(test)]
mod tests;

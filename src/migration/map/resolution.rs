//! The resolution: one decision for each distinct reference, with its row and its finding, from the index, the migration table and
//! the target.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::domain::principals::{Lookup, PrincipalDirectory, PrincipalQuery};
use crate::error::{Error, Result};
use crate::message::{Code, Severity, StatusMessage};
use crate::migration::inventory::{Inventory, SourcePrincipal};
use crate::migration::references::{ReferenceTarget, Rewrite};
use crate::migration::report::Outcome;
use crate::migration::table::{Destination, EntryType, MigrationTable, TableRow};
use crate::migration::variables::{completed_by_client, is_completed_by_client, unknown_variable};
use crate::model::principal::{Principal, PrincipalType};
use crate::model::reference::{Place, Scope};
use crate::model::sid::Sid;
use crate::model::snapshot::{GpoSnapshot, InventoryPrincipal};
use crate::model::well_known::localized::localized;

use super::destinations::{
    Destinations, FoundDestination, problem, relative_destination, relative_name,
    relative_of_other_type, relative_queries, shown_name, sid_needed,
};
use super::findings::{Finding, Obstacles, Usage, findings};
use super::gpo_folder::GpoPath;
use super::index::{DistinctReference, Occurrences, Part, ReferenceIndex};
use super::inventory_of_target::{file_paths, principals};
use super::rows::{MatchedReference, RowMatcher, new_path};
use super::{MapOptions, defect, fail_on_errors};

/// The decisions for all references of a snapshot.
pub(super) struct Resolution<'a> {
    pub(super) snapshot: &'a GpoSnapshot,
    /// The parts of the index, each place with its decision.
    pub(super) parts: Vec<Part<'a, Vec<PlacedDecision<'a>>>>,
    /// The outcome of each SID that a row matched.
    pub(super) sid_outcomes: BTreeMap<Sid, Outcome>,
    /// The inventory of the snapshot for the target.
    pub(super) principals: Vec<InventoryPrincipal>,
    pub(super) file_paths: Vec<String>,
    pub(super) messages: Vec<StatusMessage>,
}

/// What becomes of a distinct reference at all of its places.
pub(super) struct Decision<'t> {
    pub(super) reference: DistinctReference,
    pub(super) row: Option<&'t TableRow>,
    pub(super) rewrite: Rewrite,
    /// The new principal, as the target returned it.
    pub(super) principal: Option<Principal>,
    pub(super) finding: Option<Finding<'t>>,
}

/// A place of a reference with the decision for it.
pub(super) struct PlacedDecision<'t> {
    pub(super) place: Place,
    pub(super) scope: Scope,
    /// The spelling of a SID, where it differs from that of the first place.
    spelled: Option<Box<str>>,
    pub(super) decision: Arc<Decision<'t>>,
}

impl PlacedDecision<'_> {
    /// What is at this place.
    pub(super) fn target(&self) -> Cow<'_, ReferenceTarget> {
        match (&self.spelled, &self.decision.reference.target) {
            (Some(spelled), ReferenceTarget::Sid { sid, .. }) => Cow::Owned(ReferenceTarget::Sid {
                sid: sid.clone(),
                text: spelled.to_string(),
            }),
            (_, target) => Cow::Borrowed(target),
        }
    }
}

/// The part with a decision for each of its places.
///
/// # Errors
/// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) for a place without one, which would be written unmapped.
fn decided<'a>(
    part: Part<'a, Occurrences>,
    decisions: &[Arc<Decision<'a>>],
) -> Result<Part<'a, Vec<PlacedDecision<'a>>>> {
    let placed = part.references.into_iter().map(|indexed| {
        let Some(decision) = decisions.get(indexed.reference) else {
            let place = indexed.place;
            return Err(defect(format!(
                "there is no decision for the reference at {place}"
            )));
        };
        Ok(PlacedDecision {
            place: indexed.place,
            scope: indexed.scope,
            spelled: indexed.spelled,
            decision: Arc::clone(decision),
        })
    });
    Ok(Part {
        source: part.source,
        references: placed.collect::<Result<_>>()?,
    })
}

/// Decides what becomes of every reference of the index.
///
/// # Errors
/// Those of [`map`](super::map) but for files that cannot be rewritten.
pub(super) async fn resolve<'a>(
    index: ReferenceIndex<'a>,
    table: Option<&'a MigrationTable>,
    target: &dyn PrincipalDirectory,
    options: &MapOptions,
) -> Result<Resolution<'a>> {
    let ReferenceIndex {
        snapshot,
        inventory,
        references,
        parts,
        unreadable_files,
        unreadable_places,
        messages: of_index,
    } = index;
    let mut messages = table.map(MigrationTable::validate).unwrap_or_default();
    fail_on_errors(
        &messages,
        "the migration table has rows that cannot be used",
    )?;
    messages.extend(of_index);
    let matcher = RowMatcher::new(table, options.unc_match);
    let references: Vec<MatchedReference<'a>> = references
        .into_iter()
        .map(|reference| matcher.matched(reference, &inventory))
        .collect();
    let conflicts = references
        .iter()
        .filter_map(|matched| matched.conflict.as_deref());
    let conflicts: Vec<StatusMessage> = conflicts.cloned().collect();
    fail_on_errors(
        &conflicts,
        "several rows of the migration table match one reference",
    )?;
    if table.is_some() {
        fail_on_unreadable_files(&unreadable_files, snapshot)?;
    }
    let destinations = Destinations::look_up(table, &references, target).await?;
    let usage = table.map(|table| (table, Usage::of(&references, table)));
    let resolver = Resolver {
        snapshot,
        inventory: &inventory,
        table,
        target,
        destinations: &destinations,
        options,
    };
    let decisions: Vec<Arc<Decision<'a>>> = references
        .into_iter()
        .map(|matched| resolver.decide(matched).map(Arc::new))
        .collect::<Result<_>>()?;
    let parts: Vec<Part<'a, Vec<PlacedDecision<'a>>>> = parts
        .into_iter()
        .map(|part| decided(part, &decisions))
        .collect::<Result<_>>()?;
    let obstacles = Obstacles {
        rows: &destinations.errors,
        unreadable_files: &unreadable_files,
        unreadable_places: &unreadable_places,
    };
    let findings = findings(&parts, &obstacles, target.dns_domain(), options)?;
    let failed = |finding: &Finding<'_>| finding.is_failure();
    if let Some(undecided) = decisions
        .iter()
        .find(|one| one.finding.as_ref().is_some_and(failed))
    {
        return Err(inconsistent(
            &undecided.reference,
            "nothing was decided for it",
        ));
    }
    messages.extend(destinations.warnings);
    if let Some(table) = table {
        messages.extend(relative_warnings(table, &decisions));
    }
    messages.extend(findings);
    if let Some((table, usage)) = usage {
        messages.extend(usage.mismatches.iter().cloned());
        messages.extend(usage.unused(table, 1));
    }
    let of_rows = decisions
        .iter()
        .filter(|decision| decision.reference.in_scope && decision.row.is_some());
    let sid_outcomes = of_rows
        .filter_map(|decision| {
            let sid = decision.reference.identity.as_ref()?.sid.clone()?;
            Some((sid, Outcome::of(&decision.rewrite)))
        })
        .collect();
    Ok(Resolution {
        snapshot,
        sid_outcomes,
        principals: principals(snapshot, &decisions, options),
        file_paths: file_paths(snapshot, &decisions, &matcher),
        parts,
        messages,
    })
}

/// What a decision depends on besides its reference and row.
struct Resolver<'r> {
    snapshot: &'r GpoSnapshot,
    inventory: &'r Inventory<'r>,
    table: Option<&'r MigrationTable>,
    target: &'r dyn PrincipalDirectory,
    destinations: &'r Destinations,
    options: &'r MapOptions,
}

/// The new value of a reference, or why there is none.
enum NewValue {
    Rewrite(Rewrite, Option<Principal>),
    Failure(Finding<'static>),
}

impl NewValue {
    const KEEP: Self = Self::Rewrite(Rewrite::Keep, None);
}

impl Resolver<'_> {
    /// Whether the target is the domain of the snapshot.
    fn is_same_domain(&self) -> bool {
        self.inventory.dns_domain == self.target.dns_domain().to_lowercase()
    }

    /// The decision for a reference.
    fn decide<'t>(&self, matched: MatchedReference<'t>) -> Result<Decision<'t>> {
        let target = &matched.reference.target;
        let gpo_path = GpoPath::of(target, self.snapshot, self.options, self.target);
        let mut principal = None;
        let (rewrite, finding) = if !matched.reference.in_scope {
            let differs = matched.row.is_some() || gpo_path.is_some() || matched.needs_row();
            (Rewrite::Keep, differs.then_some(Finding::OutOfScope))
        } else if let Some(row) = matched.row {
            match self.by_row(row, &matched)? {
                NewValue::Rewrite(Rewrite::Keep, _) => (Rewrite::Keep, self.unchanged(&matched)?),
                NewValue::Rewrite(rewrite, found) => {
                    principal = found;
                    (rewrite, None)
                }
                NewValue::Failure(finding) => (Rewrite::Keep, Some(finding)),
            }
        } else {
            let path = gpo_path.as_ref();
            let rewrite = path.map_or(Rewrite::Keep, |path| path.rewrite(target));
            let is_followed = path.is_some_and(GpoPath::is_followed);
            let finding = if self.options.exclusive && matched.needs_row() && !is_followed {
                Some(match has_unknown_variable(target) {
                    true => Finding::UnknownVariable { is_failure: true },
                    false => Finding::WithoutRow,
                })
            } else if let Some(path) = path {
                let shown = matched.reference.describe();
                let message = path.finding(&shown, rewrite == Rewrite::Keep, self.is_same_domain());
                message.map(|message| Finding::GpoFolder(Box::new(message)))
            } else {
                self.unchanged(&matched)?
            };
            (rewrite, finding)
        };
        Ok(Decision {
            reference: matched.reference,
            row: matched.row,
            rewrite,
            principal,
            finding,
        })
    }

    /// The finding for a reference that is left unchanged.
    fn unchanged<'t>(&self, matched: &MatchedReference<'t>) -> Result<Option<Finding<'t>>> {
        let listed = matched.row.is_some();
        // A row that maps to the same principal needs no finding.
        if matched
            .row
            .is_some_and(|row| row.destination != Destination::SameAsSource)
        {
            return Ok(None);
        }
        if let Some(above) = matched.prefix_row {
            return Ok(Some(Finding::WouldMatchByPrefix(above)));
        }
        let reference = &matched.reference;
        if has_unknown_variable(&reference.target) {
            return Ok(Some(Finding::UnknownVariable { is_failure: false }));
        }
        let identity = reference.identity.as_ref();
        if let Some(sid) = identity.and_then(|identity| identity.sid.as_ref()) {
            if !sid.is_domain_sid() {
                let name = reference.target.name_alone();
                if name.is_some_and(|name| localized(name).is_some()) {
                    return Ok(Some(Finding::LocalizedName));
                }
                return Ok((self.options.exclusive && !listed).then_some(Finding::WellKnown));
            }
            let source = self.inventory.source_domain.as_ref();
            let query = PrincipalQuery::Sid(sid.clone());
            let absent = !matches!(self.destinations.answers.get(&query)?, Lookup::Found(_));
            return Ok(absent.then(|| Finding::AbsentSid {
                foreign: source.is_some_and(|source| sid.domain().as_ref() != Some(source)),
            }));
        }
        if let Some(name) = reference.target.name_alone()
            && self.inventory.is_in_source_domain(name)
            && !self.is_same_domain()
        {
            return Ok(Some(Finding::SourceName));
        }
        Ok((self.table.is_some() && !listed).then_some(Finding::Unlisted))
    }

    /// The new value of a reference with a row.
    fn by_row(&self, row: &TableRow, matched: &MatchedReference<'_>) -> Result<NewValue> {
        let reference = &matched.reference;
        let Some(identity) = &reference.identity else {
            return Ok(path_by_row(row, matched));
        };
        match &row.destination {
            Destination::SameAsSource => Ok(NewValue::KEEP),
            Destination::None => Ok(NewValue::Rewrite(Rewrite::Remove, None)),
            Destination::ByRelativeName => self.by_relative_name(row, reference, identity),
            Destination::Set(_) => match self.destinations.found.get(&row.number) {
                Some(FoundDestination::Principal { sid, name, found }) => Ok(
                    replaced_by_principal(reference, Some(sid), name, found.as_ref()),
                ),
                Some(FoundDestination::ForeignSid(sid)) => {
                    let name = sid.to_string();
                    Ok(replaced_by_principal(reference, Some(sid), &name, None))
                }
                Some(FoundDestination::ByClient(text) | FoundDestination::Text(text)) => {
                    Ok(replaced_by_principal(reference, None, text, None))
                }
                Some(FoundDestination::Unusable(_)) => {
                    Ok(NewValue::Failure(Finding::UnresolvedRow))
                }
                None => Err(inconsistent(reference, "its destination was not looked up")),
            },
        }
    }

    fn by_relative_name(
        &self,
        row: &TableRow,
        reference: &DistinctReference,
        identity: &SourcePrincipal,
    ) -> Result<NewValue> {
        if identity.is_universal() {
            return Ok(NewValue::KEEP);
        }
        let failure = |message| NewValue::Failure(Finding::Unresolved(Box::new(message)));
        let queries = relative_queries(identity, row, self.target);
        let name = relative_name(identity, row);
        if queries.is_empty() && name.is_none() {
            return Ok(failure(
                StatusMessage::error(
                    Code::RelativeNameUnknown,
                    format!(
                        "{} has no name in the source, so its relative name cannot be looked up",
                        identity.describe()
                    ),
                )
                .with_hint("give the row a <Destination>"),
            ));
        }
        let name = name.unwrap_or_else(|| identity.describe());
        if is_completed_by_client(&name) {
            let text = relative_destination(&name, self.target);
            return Ok(match reference.target.name_alone() {
                Some(_) => replaced_by_principal(reference, None, &text, None),
                None => failure(sid_needed(&text)),
            });
        }
        let Some(answer) = self.destinations.answers.best(&queries)? else {
            return Err(inconsistent(
                reference,
                "its relative name was not looked up",
            ));
        };
        if let Lookup::Found(principal) = answer
            && principal.sid.is_some()
        {
            return Ok(replaced_by_principal(
                reference,
                principal.sid.as_ref(),
                &shown_name(principal),
                Some(principal),
            ));
        }
        Ok(failure(problem(&name, answer, self.target.dns_domain())))
    }
}

/// The new value of a path with a row.
fn path_by_row(row: &TableRow, matched: &MatchedReference<'_>) -> NewValue {
    let ReferenceTarget::Unc { text, .. } = &matched.reference.target else {
        return NewValue::KEEP;
    };
    match new_path(row, &matched.rest) {
        Some(path) if path != *text => NewValue::Rewrite(Rewrite::Unc(path), None),
        _ => NewValue::KEEP,
    }
}

/// Replaces a reference by this principal; no change when it is this principal already.
fn replaced_by_principal(
    reference: &DistinctReference,
    sid: Option<&Sid>,
    name: &str,
    found: Option<&Principal>,
) -> NewValue {
    let same_name = |text: &str| text.to_lowercase() == name.to_lowercase();
    let universal = sid.is_some_and(|sid| !sid.is_domain_sid());
    let same = match &reference.target {
        ReferenceTarget::Sid { sid: old, .. } => sid == Some(old),
        ReferenceTarget::SidAndName {
            sid: old,
            name: text,
        } => sid == Some(old) && (universal || same_name(text)),
        ReferenceTarget::Name(text)
        | ReferenceTarget::Computer(text)
        | ReferenceTarget::Label(text) => {
            let identity = reference.identity.as_ref();
            let known = identity.and_then(|identity| identity.sid.as_ref());
            // Others than machines in its language do not understand a localized name.
            same_name(text) || (universal && known == sid && localized(text).is_none())
        }
        ReferenceTarget::Unc { .. } => true,
    };
    if same {
        return NewValue::KEEP;
    }
    let rewrite = Rewrite::Principal {
        sid: sid.cloned(),
        name: name.to_owned(),
    };
    NewValue::Rewrite(rewrite, found.cloned())
}

/// Whether a name contains a variable that no client completes.
fn has_unknown_variable(target: &ReferenceTarget) -> bool {
    let name = target.name_alone();
    name.is_some_and(|name| unknown_variable(name).is_some())
}

/// A warning for each row whose relative name resolves to a principal of another type than that of the row, or than
/// that of the source if the row has no type; a note for each whose relative name is completed by clients.
fn relative_warnings(
    table: &MigrationTable,
    decisions: &[Arc<Decision<'_>>],
) -> Vec<StatusMessage> {
    let mut warned = HashSet::new();
    let mut warnings = Vec::new();
    for decision in decisions {
        if let (Some(row), Rewrite::Principal { sid: None, name }) =
            (decision.row, &decision.rewrite)
            && row.destination == Destination::ByRelativeName
            && is_completed_by_client(name)
            && warned.insert(row.number)
        {
            let note = completed_by_client("relative name", name);
            warnings.push(note.at(table.place(row)));
        }
        let (Some(row), Some(identity), Some(found)) = (
            decision.row,
            &decision.reference.identity,
            &decision.principal,
        ) else {
            continue;
        };
        let of_source = identity.kind().unwrap_or(PrincipalType::Unknown);
        if row.destination == Destination::ByRelativeName
            && let EntryType::Principal(kind) = row.kind
            && let Some(warning) = relative_of_other_type(row, kind, of_source, found)
            && warned.insert(row.number)
        {
            warnings.push(warning.at(table.place(row)));
        }
    }
    warnings
}

/// A defect of gpoctl: what is known of a reference does not fit together. Must fail the mapping, because leaving the
/// reference unchanged would transfer it to the target unmapped.
fn inconsistent(reference: &DistinctReference, why: &str) -> Error {
    defect(format!("cannot map {}: {why}", reference.describe()))
}

/// Fails when a file that cannot be parsed appears to contain references, because the table would not be applied to
/// them.
fn fail_on_unreadable_files(unreadable: &[StatusMessage], snapshot: &GpoSnapshot) -> Result<()> {
    let holding: Vec<StatusMessage> = unreadable
        .iter()
        .filter(|unread| {
            let name = unread.place.as_ref().map(|place| place.file.as_str());
            name.and_then(|name| snapshot.tree.file(name))
                .is_some_and(|bytes| may_hold_references(bytes))
        })
        .map(|unread| StatusMessage {
            severity: Severity::Error,
            ..unread.clone()
        })
        .collect();
    fail_on_errors(
        &holding,
        "a file that cannot be read appears to contain references",
    )
    .map_err(|error| error.with_hint("repair the file, or import without a migration table"))
}

/// Whether the bytes contain a domain SID or the start of a UNC path, as UTF-8 or UTF-16LE.
fn may_hold_references(bytes: &[u8]) -> bool {
    let sid = b"S-1-5-21-";
    let wide: Vec<u8> = sid.iter().flat_map(|byte| [*byte, 0]).collect();
    let holds = |sid: &[u8]| {
        let mut parts = bytes.windows(sid.len());
        parts.any(|part| part.eq_ignore_ascii_case(sid))
    };
    let path = bytes
        .windows(3)
        .any(|part| matches!(part, [b'\\', b'\\', c] if c.is_ascii_alphanumeric()));
    let wide_path = bytes
        .windows(6)
        .any(|part| matches!(part, [b'\\', 0, b'\\', 0, c, 0] if c.is_ascii_alphanumeric()));
    path || wide_path || holds(sid) || holds(&wide)
}

#[cfg(test)]
mod tests {
    use super::super::file_format_tests::{Target, snapshot, table};
    use super::super::index::index;
    use super::*;
    use crate::error::ErrorKind;
    use crate::migration::references::visit_file;

    /// What was looked up has to be what the decisions need.
    #[tokio::test]
    async fn a_row_that_was_not_looked_up_is_an_internal_error() {
        let gpo = snapshot("[Privilege Rights]\r\nSeX = *S-1-5-21-1-1-1-1001\r\n");
        let options = MapOptions::default();
        let other = table(&[]);
        for (destination, why) in [
            (
                "<Destination>DST\\Support</Destination>",
                "its destination was not looked up",
            ),
            (
                "<DestinationByRelativeName/>",
                r"the name dst\helpdesk was not looked up",
            ),
        ] {
            let table = table(&[("GlobalGroup", "Helpdesk@src.test", destination)]);
            let mut index = index(&gpo, &options, &visit_file).unwrap();
            let matcher = RowMatcher::new(Some(&table), options.unc_match);
            let matched = matcher.matched(index.references.remove(0), &index.inventory);
            let destinations = Destinations::look_up(Some(&other), &[], &Target)
                .await
                .unwrap();
            let resolver = Resolver {
                snapshot: &gpo,
                inventory: &index.inventory,
                table: Some(&table),
                target: &Target,
                destinations: &destinations,
                options: &options,
            };
            let error = resolver.decide(matched).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
            assert!(error.message().ends_with(why), "{error}");
        }
    }
}

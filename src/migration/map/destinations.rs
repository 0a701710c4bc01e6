//! Looks up all destinations in the target in one call, and resolves each reference.

use std::collections::{HashMap, HashSet};

use crate::domain::principals::{Lookup, PrincipalDirectory, PrincipalQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::migration::inventory::{NameForm, SourcePrincipal};
use crate::migration::references::{ReferenceTarget, Rewrite};
use crate::migration::report::Outcome;
use crate::migration::table::{Destination, EntryType, MigrationTable, TableRow};
use crate::model::dn::Dn;
use crate::model::principal::{Principal, PrincipalType};
use crate::model::sid::Sid;
use crate::model::well_known;

use super::matching::{DistinctReference, new_path};

/// The resolution of a reference.
pub(super) struct Resolution {
    pub(super) rewrite: Rewrite,
    pub(super) outcome: Outcome,
    /// The index of the lookup result that it is based on.
    answer: Option<usize>,
    /// Why it cannot be resolved; the place is added for each occurrence.
    pub(super) problem: Option<StatusMessage>,
}

impl Resolution {
    pub(super) fn keep() -> Self {
        Self {
            rewrite: Rewrite::Keep,
            outcome: Outcome::Kept,
            answer: None,
            problem: None,
        }
    }

    /// Resolves to this UNC path.
    pub(super) fn path(path: String) -> Self {
        Self {
            rewrite: Rewrite::Unc(path.clone()),
            outcome: Outcome::Replaced {
                by: path,
                sid: None,
            },
            ..Self::keep()
        }
    }
}

/// The lookup for the destination of a row.
enum DestinationLookup {
    /// No lookup needed.
    NotNeeded,
    /// A principal that is the same in every domain.
    Universal { sid: Sid, name: String },
    /// The indexes of the queries, the preferred one first.
    Queries(Vec<usize>),
}

/// The lookup results of the target, for each row.
pub(super) struct Destinations {
    target: String,
    numbers: HashMap<String, usize>,
    answers: Vec<Lookup>,
    lookups: Vec<DestinationLookup>,
    /// The prefix of relative names in lookups: the target's NetBIOS name and a backslash.
    relative_prefix: String,
    /// Rows whose destination may be written as text, because they match only text.
    text_rows: HashSet<usize>,
    /// Rows whose destination is not a principal but exists in the target: the domain itself, or an object by its DN.
    objects: HashSet<usize>,
    /// An error for each row whose destination does not exist in the target.
    pub(super) errors: Vec<StatusMessage>,
}

/// Distinct queries.
#[derive(Default)]
struct Queries {
    list: Vec<PrincipalQuery>,
    numbers: HashMap<String, usize>,
}

impl Queries {
    fn add(&mut self, query: PrincipalQuery) -> usize {
        let list = &mut self.list;
        *self.numbers.entry(query_key(&query)).or_insert_with(|| {
            list.push(query);
            list.len().saturating_sub(1)
        })
    }
}

fn query_key(query: &PrincipalQuery) -> String {
    match query {
        PrincipalQuery::Sid(sid) => format!("sid {sid}"),
        PrincipalQuery::Name(name) => format!("name {}", name.to_lowercase()),
    }
}

impl Destinations {
    /// Looks up every destination of the table, every relative name, and every SID that would be left unchanged, in one
    /// call.
    pub(super) async fn look_up(
        table: Option<&MigrationTable>,
        references: &[DistinctReference],
        target: &dyn PrincipalDirectory,
    ) -> Result<Self> {
        let rows = table.map(MigrationTable::rows).unwrap_or_default();
        let mut queries = Queries::default();
        let lookups: Vec<DestinationLookup> = rows
            .iter()
            .map(|row| lookup_for_row(row, &mut queries))
            .collect();
        let relative_prefix = format!("{}\\", target.netbios_domain());
        let mut not_text = HashSet::new();
        for reference in references.iter().filter(|reference| reference.in_scope) {
            let row = reference.row.and_then(|number| rows.get(number));
            if let Some(number) = reference.row
                && reference.target.name_alone().is_none()
            {
                not_text.insert(number);
            }
            let Some(identity) = &reference.identity else {
                continue;
            };
            match row.map(|row| (row, &row.destination)) {
                None | Some((_, Destination::SameAsSource)) => {
                    if let Some(sid) = identity.sid.as_ref().filter(|sid| sid.is_domain_sid()) {
                        queries.add(PrincipalQuery::Sid(sid.clone()));
                    }
                }
                Some((row, Destination::ByRelativeName)) if !identity.is_universal() => {
                    if let Some(name) = relative_name(identity, row) {
                        queries.add(PrincipalQuery::Name(format!("{relative_prefix}{name}")));
                    }
                }
                Some(_) => {}
            }
        }
        let answers = if queries.list.is_empty() {
            Vec::new()
        } else {
            target.lookup(&queries.list).await?
        };
        if answers.len() != queries.list.len() {
            return Err(Error::new(
                ErrorKind::BadDirectory,
                format!(
                    "domain {} returned {} results for {} principal lookups",
                    target.dns_domain(),
                    answers.len(),
                    queries.list.len()
                ),
            ));
        }
        let text_rows = (0..rows.len())
            .filter(|number| !not_text.contains(number))
            .collect();
        let mut destinations = Self {
            target: target.dns_domain().to_owned(),
            numbers: queries.numbers,
            answers,
            lookups,
            relative_prefix,
            text_rows,
            objects: HashSet::new(),
            errors: Vec::new(),
        };
        destinations.objects = destinations.find_objects(rows, target).await?;
        if let Some(table) = table {
            destinations.errors = destinations.row_errors(table);
        }
        Ok(destinations)
    }

    /// The rows whose destination is the target domain, or the DN of an object in it such as an OU. Item-level targeting
    /// refers to these as text.
    async fn find_objects(
        &self,
        rows: &[TableRow],
        target: &dyn PrincipalDirectory,
    ) -> Result<HashSet<usize>> {
        let mut objects = HashSet::new();
        let mut asked = Vec::new();
        let mut dns = Vec::new();
        for (number, (row, lookup)) in rows.iter().zip(&self.lookups).enumerate() {
            let (DestinationLookup::Queries(queries), Destination::Set(text)) =
                (lookup, &row.destination)
            else {
                continue;
            };
            if !matches!(self.best_answer(queries), Some((_, Lookup::NotFound))) {
                continue;
            }
            if text.eq_ignore_ascii_case(target.dns_domain())
                || text.eq_ignore_ascii_case(target.netbios_domain())
            {
                objects.insert(number);
            } else if let Ok(dn) = Dn::parse(text) {
                asked.push(number);
                dns.push(dn);
            }
        }
        if !dns.is_empty() {
            let exist = target.objects_exist(&dns).await?;
            // A missing answer would be a row that is silently written as text.
            if exist.len() != dns.len() {
                return Err(Error::new(
                    ErrorKind::BadDirectory,
                    format!(
                        "domain {} returned {} results for {} object lookups",
                        target.dns_domain(),
                        exist.len(),
                        dns.len()
                    ),
                ));
            }
            objects.extend(
                asked
                    .into_iter()
                    .zip(exist)
                    .filter_map(|(number, exists)| exists.then_some(number)),
            );
        }
        Ok(objects)
    }

    /// Whether this SID exists in the target.
    pub(super) fn contains(&self, sid: &Sid) -> bool {
        matches!(
            self.answer(&PrincipalQuery::Sid(sid.clone())),
            Some((_, Lookup::Found(_)))
        )
    }

    /// The principal of a resolution, as returned by the target.
    pub(super) fn principal(&self, resolution: &Resolution) -> Option<Principal> {
        match self.answers.get(resolution.answer?)? {
            Lookup::Found(principal) => Some(principal.clone()),
            _ => None,
        }
    }

    fn answer(&self, query: &PrincipalQuery) -> Option<(usize, &Lookup)> {
        let number = *self.numbers.get(&query_key(query))?;
        Some((number, self.answers.get(number)?))
    }

    /// The best result for a row: the first principal that was found, otherwise the last result.
    fn best_answer(&self, queries: &[usize]) -> Option<(usize, &Lookup)> {
        let answers = || {
            queries
                .iter()
                .filter_map(|number| Some((*number, self.answers.get(*number)?)))
        };
        answers()
            .find(|(_, answer)| matches!(answer, Lookup::Found(_)))
            .or_else(|| answers().next_back())
    }

    /// Whether the destination of this row is written as text because it does not exist in the target. A name with a
    /// domain is never written as text.
    fn is_written_as_text(&self, number: usize, row: &TableRow, answer: &Lookup) -> bool {
        let Destination::Set(text) = &row.destination else {
            return false;
        };
        *answer == Lookup::NotFound
            && row.kind == EntryType::Principal(PrincipalType::Unknown)
            && text.parse::<Sid>().is_err()
            && NameForm::of(text).domain().is_none()
            && row.source.parse::<Sid>().is_err()
            && self.text_rows.contains(&number)
    }

    fn row_errors(&self, table: &MigrationTable) -> Vec<StatusMessage> {
        let mut errors = Vec::new();
        for (number, (row, lookup)) in table.rows().iter().zip(&self.lookups).enumerate() {
            let (DestinationLookup::Queries(queries), Destination::Set(text)) =
                (lookup, &row.destination)
            else {
                continue;
            };
            let Some((_, answer)) = self.best_answer(queries) else {
                continue;
            };
            if !self.is_written_as_text(number, row, answer)
                && foreign_sid(text, answer).is_none()
                && let Some(problem) = self.problem(text, answer)
            {
                errors.push(problem.at(table.place(row)));
            }
        }
        errors
    }

    /// The problem of a lookup result; `None` when it is exactly one principal.
    pub(super) fn problem(&self, text: &str, answer: &Lookup) -> Option<StatusMessage> {
        let (text, target) = (printable(text), &self.target);
        match answer {
            Lookup::Found(principal) if principal.sid.is_some() => None,
            Lookup::Found(_) => Some(StatusMessage::error(
                Code::DestinationNotFound,
                format!("destination \"{text}\" has no SID in {target}"),
            )),
            Lookup::NotFound => Some(
                StatusMessage::error(
                    Code::DestinationNotFound,
                    format!("destination \"{text}\" does not exist in {target}"),
                )
                .with_hint("create it in the target domain, or correct the row"),
            ),
            Lookup::Ambiguous(names) => Some(
                StatusMessage::error(
                    Code::DestinationAmbiguous,
                    format!(
                        "destination \"{text}\" matches several principals in {target}: {}",
                        printable(&names.join(", "))
                    ),
                )
                .with_hint("write the intended one as DOMAIN\\name"),
            ),
            Lookup::OtherDomain(domain) => Some(
                StatusMessage::error(
                    Code::DestinationOtherDomain,
                    format!(
                        "destination \"{text}\" is in the domain {}, which is unknown to {target}",
                        printable(domain)
                    ),
                )
                .with_hint(
                    "name a principal of the target domain, or use the SID of the intended one",
                ),
            ),
        }
    }

    /// Warnings for rows that can be used anyway.
    pub(super) fn warnings(&self, table: Option<&MigrationTable>) -> Vec<StatusMessage> {
        let Some(table) = table else {
            return Vec::new();
        };
        let mut warnings = Vec::new();
        for (number, (row, lookup)) in table.rows().iter().zip(&self.lookups).enumerate() {
            let (DestinationLookup::Queries(queries), Destination::Set(text)) =
                (lookup, &row.destination)
            else {
                continue;
            };
            match (self.best_answer(queries), row.kind) {
                (Some((_, Lookup::Found(principal))), EntryType::Principal(kind))
                    if kind != PrincipalType::Unknown
                        && principal.kind != PrincipalType::Unknown
                        && principal.kind != kind =>
                {
                    warnings.push(
                        StatusMessage::warning(
                            Code::DestinationType,
                            format!(
                                "destination \"{}\" is of type {:?}, but the row has the type {kind:?}",
                                printable(text),
                                principal.kind
                            ),
                        )
                        .at(table.place(row)),
                    );
                }
                (Some((_, answer)), _) if foreign_sid(text, answer).is_some() => warnings.push(
                    StatusMessage::warning(
                        Code::DestinationForeignSid,
                        format!(
                            "destination \"{}\" is in a domain that is unknown to {}, so it is written unchecked",
                            printable(text),
                            self.target
                        ),
                    )
                    .at(table.place(row))
                    .with_hint("look up the SID in its own domain; the target must trust that domain"),
                ),
                (Some((_, answer)), _)
                    if self.is_written_as_text(number, row, answer)
                        && !self.objects.contains(&number) =>
                    warnings.push(
                    StatusMessage::warning(
                        Code::DestinationText,
                        format!(
                            "destination \"{}\" does not exist in {} and is written as text",
                            printable(text),
                            self.target
                        ),
                    )
                    .at(table.place(row))
                    .with_hint("the text is written unchanged; a client that cannot resolve it ignores the setting"),
                ),
                _ => {}
            }
        }
        warnings
    }

    /// A warning for each row whose relative name resolves to a principal of another type than that of the row, or than
    /// that of the source if the row has no type.
    pub(super) fn relative_warnings(
        &self,
        table: &MigrationTable,
        references: &[DistinctReference],
        resolutions: &[Resolution],
    ) -> Vec<StatusMessage> {
        let mut warned = HashSet::new();
        let mut warnings = Vec::new();
        for (reference, resolution) in references.iter().zip(resolutions) {
            let (Some(number), Some(identity), Some(answer)) =
                (reference.row, &reference.identity, resolution.answer)
            else {
                continue;
            };
            let (Some(row), Some(Lookup::Found(found))) =
                (table.row(number), self.answers.get(answer))
            else {
                continue;
            };
            if row.destination == Destination::ByRelativeName
                && reference.in_scope
                && let EntryType::Principal(kind) = row.kind
                && let Some(warning) = relative_of_other_type(
                    row,
                    kind,
                    identity.kind().unwrap_or(PrincipalType::Unknown),
                    found,
                )
                && warned.insert(number)
            {
                warnings.push(warning.at(table.place(row)));
            }
        }
        warnings
    }

    /// The resolution of a reference.
    pub(super) fn decide(
        &self,
        table: Option<&MigrationTable>,
        reference: &DistinctReference,
    ) -> Result<Resolution> {
        let Some(number) = reference.row else {
            let own = reference.gpo_path.as_ref();
            return Ok(own.map_or_else(Resolution::keep, |own| own.decide(&reference.target)));
        };
        let row = table
            .and_then(|table| table.row(number))
            .ok_or_else(|| inconsistent(reference, "its row is missing in the table"))?;
        let Some(identity) = &reference.identity else {
            return Ok(decide_unc(row, reference));
        };
        Ok(match (&row.destination, self.lookups.get(number)) {
            (Destination::SameAsSource, _) => Resolution::keep(),
            (Destination::None, _) => Resolution {
                rewrite: Rewrite::Remove,
                outcome: Outcome::Removed,
                ..Resolution::keep()
            },
            (Destination::ByRelativeName, _) => self.decide_relative(row, reference, identity)?,
            (Destination::Set(_), Some(DestinationLookup::Universal { sid, name })) => {
                replaced_by_principal(reference, Some(sid.clone()), name.clone(), None)
            }
            (Destination::Set(text), Some(DestinationLookup::Queries(queries))) => {
                match self.best_answer(queries) {
                    Some((answer, Lookup::Found(principal))) => replaced_by_principal(
                        reference,
                        principal.sid.clone(),
                        shown_name(principal),
                        Some(answer),
                    ),
                    Some((_, answer)) if self.is_written_as_text(number, row, answer) => {
                        replaced_by_principal(reference, None, text.clone(), None)
                    }
                    Some((_, answer)) => match foreign_sid(text, answer) {
                        Some(sid) => {
                            let name = sid.to_string();
                            replaced_by_principal(reference, Some(sid), name, None)
                        }
                        // The row is among the errors, which fail the mapping.
                        None => Resolution::keep(),
                    },
                    None => return Err(inconsistent(reference, "its lookup has no result")),
                }
            }
            (Destination::Set(_), _) => {
                return Err(inconsistent(reference, "its destination was not looked up"));
            }
        })
    }

    fn decide_relative(
        &self,
        row: &TableRow,
        reference: &DistinctReference,
        identity: &SourcePrincipal,
    ) -> Result<Resolution> {
        // Nothing is looked up for references outside the chosen scope, which are not rewritten.
        if identity.is_universal() || !reference.in_scope {
            return Ok(Resolution::keep());
        }
        let problem = |message: StatusMessage| Resolution {
            problem: Some(message),
            ..Resolution::keep()
        };
        let Some(name) = relative_name(identity, row) else {
            return Ok(problem(
                StatusMessage::error(
                    Code::RelativeNameUnknown,
                    format!(
                        "{} has no name in the source, so its relative name cannot be looked up",
                        identity.describe()
                    ),
                )
                .with_hint("give the row a <Destination>"),
            ));
        };
        let query = PrincipalQuery::Name(format!("{}{name}", self.relative_prefix));
        Ok(match self.answer(&query) {
            Some((answer, Lookup::Found(principal))) if principal.sid.is_some() => {
                replaced_by_principal(
                    reference,
                    principal.sid.clone(),
                    shown_name(principal),
                    Some(answer),
                )
            }
            Some((_, answer)) => self
                .problem(&name, answer)
                .map_or_else(Resolution::keep, problem),
            None => {
                return Err(inconsistent(
                    reference,
                    "its relative name was not looked up",
                ));
            }
        })
    }
}

/// A defect of gpoctl: what is known of a reference does not fit together. Must fail the mapping, because leaving the
/// reference unchanged would transfer it to the target unmapped.
pub(super) fn inconsistent(reference: &DistinctReference, why: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("cannot map {}: {why}", super::findings::describe(reference)),
    )
    .with_hint(super::DEFECT)
}

/// A warning when the relative name of a row resolves to a principal of another type; the type of the row takes
/// precedence over that of the source.
pub(super) fn relative_of_other_type(
    row: &TableRow,
    of_row: PrincipalType,
    of_source: PrincipalType,
    found: &Principal,
) -> Option<StatusMessage> {
    let (kind, whose) = match of_row {
        PrincipalType::Unknown => (of_source, "the source has the type"),
        kind => (kind, "the row has the type"),
    };
    let differs = kind != PrincipalType::Unknown
        && found.kind != PrincipalType::Unknown
        && found.kind != kind;
    differs.then(|| {
        StatusMessage::warning(
            Code::DestinationType,
            format!(
                "the relative name of \"{}\" resolves to {} in the target, of type {:?}, but {whose} {kind:?}",
                printable(&row.source),
                printable(&found.down_level_name()),
                found.kind
            ),
        )
    })
}

/// The SID of a principal of another domain, such as the forest root, which only that domain can resolve.
fn foreign_sid(text: &str, answer: &Lookup) -> Option<Sid> {
    match answer {
        Lookup::OtherDomain(_) => text.parse().ok(),
        _ => None,
    }
}

/// The lookup for the destination of a row.
fn lookup_for_row(row: &TableRow, queries: &mut Queries) -> DestinationLookup {
    let (EntryType::Principal(kind), Destination::Set(text)) = (row.kind, &row.destination) else {
        return DestinationLookup::NotNeeded;
    };
    let universal = |sid: Sid| {
        let name = well_known::name_of(&sid).map_or_else(|| sid.to_string(), str::to_owned);
        DestinationLookup::Universal { sid, name }
    };
    if let Ok(sid) = text.parse::<Sid>() {
        return if sid.is_domain_sid() {
            DestinationLookup::Queries(vec![queries.add(PrincipalQuery::Sid(sid))])
        } else {
            universal(sid)
        };
    }
    if let Some(sid) = well_known::sid_of(text) {
        return universal(sid);
    }
    let mut numbers = Vec::new();
    if kind == PrincipalType::Computer && !NameForm::of(text).relative().ends_with('$') {
        let name = match NameForm::of(text) {
            NameForm::Bare(name) => format!("{name}$"),
            NameForm::DownLevel { domain, name } => format!("{domain}\\{name}$"),
            NameForm::Upn { domain, name } => format!("{name}$@{domain}"),
        };
        numbers.push(queries.add(PrincipalQuery::Name(name)));
    }
    numbers.push(queries.add(PrincipalQuery::Name(text.clone())));
    DestinationLookup::Queries(numbers)
}

/// The `sAMAccountName` to look up: that of the principal, or that in the source of the row.
pub(super) fn relative_name(identity: &SourcePrincipal, row: &TableRow) -> Option<String> {
    let sam = &identity.principal.sam_account_name;
    if !sam.is_empty() {
        return Some(sam.clone());
    }
    row.source
        .parse::<Sid>()
        .is_err()
        .then(|| NameForm::of(&row.source).relative().to_owned())
}

/// `DOMAIN\name`, or the English name of a well-known principal.
fn shown_name(principal: &Principal) -> String {
    principal
        .sid
        .as_ref()
        .and_then(well_known::name_of)
        .map_or_else(|| principal.down_level_name(), str::to_owned)
}

/// Resolves a reference to this principal, or to no change when it is this principal already.
fn replaced_by_principal(
    reference: &DistinctReference,
    sid: Option<Sid>,
    name: String,
    answer: Option<usize>,
) -> Resolution {
    let same_name = |text: &str| text.to_lowercase() == name.to_lowercase();
    let universal = sid.as_ref().is_some_and(|sid| !sid.is_domain_sid());
    let same = match &reference.target {
        ReferenceTarget::Sid { sid: old, .. } => sid.as_ref() == Some(old),
        ReferenceTarget::SidAndName {
            sid: old,
            name: text,
        } => sid.as_ref() == Some(old) && (universal || same_name(text)),
        ReferenceTarget::Name(text)
        | ReferenceTarget::Computer(text)
        | ReferenceTarget::Label(text) => {
            let known = reference
                .identity
                .as_ref()
                .and_then(|identity| identity.sid.as_ref());
            same_name(text) || (universal && known == sid.as_ref())
        }
        ReferenceTarget::Unc { .. } => true,
    };
    if same {
        return Resolution::keep();
    }
    Resolution {
        rewrite: Rewrite::Principal {
            sid: sid.clone(),
            name: name.clone(),
        },
        outcome: Outcome::Replaced { by: name, sid },
        answer,
        problem: None,
    }
}

fn decide_unc(row: &TableRow, reference: &DistinctReference) -> Resolution {
    let ReferenceTarget::Unc { text, .. } = &reference.target else {
        return Resolution::keep();
    };
    match new_path(row, &reference.rest) {
        Some(path) if path != *text => Resolution::path(path),
        _ => Resolution::keep(),
    }
}

//! What becomes of each reference: which row names it, and who the destination is.

use std::collections::HashMap;

use super::{Decisions, MapOptions, UncMatch, key_of, out_of_scope};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::migtable::{Destination, EntryType, source_key};
use crate::message::StatusMessage;
use crate::migration::identity::{Identity, Inventory};
use crate::migration::places::{Found, FoundTarget, Rewrite};
use crate::migration::resolve::{Lookup, PrincipalDirectory, PrincipalQuery};
use crate::migration::table::{MigrationTable, TableRow};
use crate::model::principal::{Principal, PrincipalType};
use crate::model::reference::Place;
use crate::model::sid::Sid;
use crate::model::unc_path::UncPath;

/// What becomes of the references that mean the same.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    /// What the visitor is told.
    pub(super) rewrite: Rewrite,
    /// The row that named it.
    pub(super) row: Option<TableRow>,
    /// Who it is afterwards, where that is another principal.
    pub(super) principal: Option<Principal>,
}

/// References that mean the same, with every place they stand in.
struct Case {
    key: String,
    target: FoundTarget,
    identity: Option<Identity>,
    places: Vec<Place>,
    rows: Vec<TableRow>,
}

/// Collects the references, then decides about all of them at once.
pub(super) struct Decider<'a> {
    table: Option<&'a MigrationTable>,
    options: &'a MapOptions,
    inventory: &'a Inventory<'a>,
    cases: Vec<Case>,
    by_key: HashMap<String, usize>,
}

impl<'a> Decider<'a> {
    pub(super) fn new(
        table: Option<&'a MigrationTable>,
        options: &'a MapOptions,
        inventory: &'a Inventory<'a>,
    ) -> Self {
        Self {
            table,
            options,
            inventory,
            cases: Vec::new(),
            by_key: HashMap::new(),
        }
    }

    /// Takes note of a reference.
    pub(super) fn meet(&mut self, found: &Found) {
        if out_of_scope(found, self.options) {
            return;
        }
        let key = key_of(&found.target);
        if let Some(case) = self.by_key.get(&key).and_then(|at| self.cases.get_mut(*at)) {
            case.places.push(found.place.clone());
            return;
        }
        let identity = self.inventory.identify(&found.target);
        let rows = match (&identity, self.table) {
            (_, None) => Vec::new(),
            (Some(identity), Some(table)) => principal_rows(identity, table),
            (None, Some(table)) => self.unc_rows(&found.target, table),
        };
        self.by_key.insert(key.clone(), self.cases.len());
        self.cases.push(Case {
            key,
            target: found.target.clone(),
            identity,
            places: vec![found.place.clone()],
            rows,
        });
    }

    fn unc_rows(&self, target: &FoundTarget, table: &MigrationTable) -> Vec<TableRow> {
        let FoundTarget::Unc { text, unit } = target else {
            return Vec::new();
        };
        let row_of = |text: &str| {
            let row = table
                .number_of(&source_key(text))
                .and_then(|at| table.row(at))?;
            (row.kind == EntryType::UncPath).then(|| row.clone())
        };
        let exact = row_of(unit).or_else(|| row_of(text));
        match (exact, self.options.unc_match) {
            (Some(row), _) => vec![row],
            (None, UncMatch::Exact) => Vec::new(),
            (None, UncMatch::Prefix) => prefixes(text)
                .find_map(|path| row_of(&path))
                .into_iter()
                .collect(),
        }
    }

    /// Decides. One look-up for all destinations.
    pub(super) async fn decide(
        self,
        target: &dyn PrincipalDirectory,
        messages: &mut Vec<StatusMessage>,
    ) -> Result<Decisions> {
        self.refuse_ambiguous()?;
        self.refuse_unmapped()?;
        let answers = self.look_up(target).await?;
        let mut decisions = Decisions::new();
        let mut errors = Vec::new();
        for case in &self.cases {
            match self.decide_case(case, target, &answers, messages) {
                Ok(decision) => {
                    decisions.insert(case.key.clone(), decision);
                }
                Err(finding) => {
                    if !errors.contains(&*finding) {
                        errors.push(*finding);
                    }
                }
            }
        }
        if errors.is_empty() {
            Ok(decisions)
        } else {
            let count = errors.len();
            Err(Error::new(
                ErrorKind::Unmapped,
                format!(
                    "{count} {} of the migration table cannot be used in {}",
                    if count == 1 {
                        "destination"
                    } else {
                        "destinations"
                    },
                    target.dns_domain()
                ),
            )
            .with_details(errors)
            .with_hint(
                "nothing was changed; make the accounts in the target domain, or correct the rows",
            ))
        }
    }

    /// Two rows that name one principal, under different notations.
    fn refuse_ambiguous(&self) -> Result<()> {
        let Some(table) = self.table else {
            return Ok(());
        };
        let errors: Vec<StatusMessage> = self
            .cases
            .iter()
            .filter_map(|case| match case.rows.as_slice() {
                [first, second, ..] => Some(
                    StatusMessage::error(
                        "ambiguous-rows",
                        format!(
                            "{} is named by two rows: \"{}\" in line {} and \"{}\" in line {}",
                            shown(case),
                            first.source.escape_debug(),
                            first.line,
                            second.source.escape_debug(),
                            second.line
                        ),
                    )
                    .at(table.place(second)),
                ),
                _ => None,
            })
            .collect();
        if errors.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::BadInput,
            "the migration table names a principal twice",
        )
        .with_details(errors)
        .with_hint("nothing was changed; remove one of the rows"))
    }

    /// With an exclusive table, what has no row is an error, each place of it.
    fn refuse_unmapped(&self) -> Result<()> {
        if !self.options.exclusive {
            return Ok(());
        }
        let errors: Vec<StatusMessage> = self
            .cases
            .iter()
            .filter(|case| case.rows.is_empty() && needs_row(case))
            .flat_map(|case| {
                case.places.iter().map(move |place| {
                    StatusMessage::error(
                        "unmapped-reference",
                        format!("{} has no row in the migration table", shown(case)),
                    )
                    .at(place.clone())
                })
            })
            .collect();
        if errors.is_empty() {
            return Ok(());
        }
        let count = errors.len();
        Err(Error::new(
            ErrorKind::Unmapped,
            format!(
                "{count} {} no row in the migration table, and the table is exclusive",
                if count == 1 {
                    "reference has"
                } else {
                    "references have"
                }
            ),
        )
        .with_details(errors)
        .with_hint("nothing was changed; add rows, or leave out --exclusive"))
    }

    /// Asks the target domain for every destination, and for every SID that stays.
    async fn look_up(
        &self,
        target: &dyn PrincipalDirectory,
    ) -> Result<HashMap<PrincipalQuery, Lookup>> {
        let mut queries: Vec<PrincipalQuery> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for case in &self.cases {
            let query = match (case.rows.first(), &case.identity) {
                (Some(row), Some(identity)) => destination_query(row, identity, target),
                (None, Some(identity)) => identity.sid.clone().map(PrincipalQuery::Sid),
                (_, None) => None,
            };
            if let Some(query) = query
                && seen.insert(query.clone())
            {
                queries.push(query);
            }
        }
        if queries.is_empty() {
            return Ok(HashMap::new());
        }
        let answers = target.lookup(&queries).await?;
        Ok(queries.into_iter().zip(answers).collect())
    }

    fn decide_case(
        &self,
        case: &Case,
        target: &dyn PrincipalDirectory,
        answers: &HashMap<PrincipalQuery, Lookup>,
        messages: &mut Vec<StatusMessage>,
    ) -> Result<Decision, Box<StatusMessage>> {
        match (&case.identity, case.rows.first()) {
            (Some(identity), Some(row)) => {
                self.map_principal(case, identity, row, target, answers, messages)
            }
            (None, Some(row)) => Ok(map_unc(case, row)),
            (identity, None) => {
                self.keep_unmapped(case, identity.as_ref(), answers, messages);
                Ok(kept(None))
            }
        }
    }

    fn map_principal(
        &self,
        case: &Case,
        identity: &Identity,
        row: &TableRow,
        target: &dyn PrincipalDirectory,
        answers: &HashMap<PrincipalQuery, Lookup>,
        messages: &mut Vec<StatusMessage>,
    ) -> Result<Decision, Box<StatusMessage>> {
        let row_place = || {
            self.table
                .map_or_else(Place::default, |table| table.place(row))
        };
        if let (EntryType::Principal(kind), Some(actual)) = (row.kind, identity.kind())
            && kind != actual
            && kind != PrincipalType::Unknown
        {
            messages.push(
                StatusMessage::warning(
                    "type-mismatch",
                    format!(
                        "{} is of type {}, and its row says {}",
                        shown(case),
                        actual.as_str(),
                        kind.as_str()
                    ),
                )
                .at(row_place()),
            );
        }
        match &row.destination {
            Destination::None => Ok(Decision {
                rewrite: Rewrite::Remove,
                row: Some(row.clone()),
                principal: None,
            }),
            Destination::SameAsSource => {
                self.warn_left_over(case, identity, answers, messages);
                Ok(kept(Some(row)))
            }
            Destination::ByRelativeName if identity.is_universal() => Ok(kept(Some(row))),
            Destination::ByRelativeName | Destination::Set(_) => {
                let wanted = match &row.destination {
                    Destination::Set(text) => text.clone(),
                    _ => identity.principal.sam_account_name.clone(),
                };
                let answer =
                    destination_query(row, identity, target).and_then(|query| answers.get(&query));
                let problem = match answer {
                    Some(Lookup::Found(principal)) => {
                        return Ok(replaced(row, principal));
                    }
                    Some(Lookup::Ambiguous(names)) => {
                        format!("stands for several: {}", names.join(", "))
                    }
                    Some(Lookup::OtherDomain(domain)) => {
                        format!(
                            "is of the domain {domain}, which {} does not know",
                            target.dns_domain()
                        )
                    }
                    // Free text for free text: a name that only the client can resolve, such as a local group.
                    Some(Lookup::NotFound)
                        if identity.sid.is_none()
                            && row.kind == EntryType::Principal(PrincipalType::Unknown)
                            && wanted.parse::<Sid>().is_err() =>
                    {
                        messages.push(
                            StatusMessage::warning(
                                "text-destination",
                                format!(
                                    "destination \"{}\" is not known in {}; it is written as text",
                                    wanted.escape_debug(),
                                    target.dns_domain()
                                ),
                            )
                            .at(row_place()),
                        );
                        return Ok(Decision {
                            rewrite: Rewrite::Principal {
                                sid: None,
                                name: wanted,
                            },
                            row: Some(row.clone()),
                            principal: None,
                        });
                    }
                    Some(Lookup::NotFound) => {
                        format!("does not exist in {}", target.dns_domain())
                    }
                    None => "has no name to look for".to_owned(),
                };
                Err(Box::new(
                    StatusMessage::error(
                        "destination-unresolved",
                        format!(
                            "destination \"{}\" of source \"{}\" {problem}",
                            wanted.escape_debug(),
                            row.source.escape_debug()
                        ),
                    )
                    .at(row_place()),
                ))
            }
        }
    }

    /// A reference without a row stays; what that means in the target is said.
    fn keep_unmapped(
        &self,
        case: &Case,
        identity: Option<&Identity>,
        answers: &HashMap<PrincipalQuery, Lookup>,
        messages: &mut Vec<StatusMessage>,
    ) {
        match (identity, self.table) {
            (Some(identity), _) => self.warn_left_over(case, identity, answers, messages),
            (None, Some(table)) => {
                let FoundTarget::Unc { text, .. } = &case.target else {
                    return;
                };
                let row = prefixes(text).find_map(|path| {
                    let row = table
                        .number_of(&source_key(&path))
                        .and_then(|at| table.row(at))?;
                    (row.kind == EntryType::UncPath).then_some(row)
                });
                if let Some(row) = row {
                    messages.push(
                        StatusMessage::info(
                            "would-match-by-prefix",
                            format!(
                                "\"{}\" stays; the row \"{}\" in line {} would match it by prefix",
                                text.escape_debug(),
                                row.source.escape_debug(),
                                row.line
                            ),
                        )
                        .at(case.places.first().cloned().unwrap_or_default())
                        .with_hint("use --unc-match prefix if that is meant"),
                    );
                }
            }
            (None, None) => {}
        }
    }

    /// A SID of another domain that stays names nobody in the target.
    fn warn_left_over(
        &self,
        case: &Case,
        identity: &Identity,
        answers: &HashMap<PrincipalQuery, Lookup>,
        messages: &mut Vec<StatusMessage>,
    ) {
        let Some(sid) = identity.sid.as_ref().filter(|sid| sid.is_domain_sid()) else {
            return;
        };
        if let Some(Lookup::Found(_)) = answers.get(&PrincipalQuery::Sid(sid.clone())) {
            return;
        }
        for place in &case.places {
            let logon = place.section.as_deref() == Some("Privilege Rights")
                && place
                    .key
                    .as_deref()
                    .is_some_and(|key| key.to_lowercase().ends_with("logonright"));
            let consequence = if logon {
                "; nobody it named can log on by this right any more"
            } else {
                ""
            };
            messages.push(
                StatusMessage::warning(
                    "source-sid-left",
                    format!(
                        "{} stays, and names nobody in the target domain{consequence}",
                        shown(case)
                    ),
                )
                .at(place.clone())
                .with_hint("give it a row in the migration table"),
            );
        }
    }
}

/// The rows that name a principal, each once.
fn principal_rows(identity: &Identity, table: &MigrationTable) -> Vec<TableRow> {
    let mut rows: Vec<TableRow> = Vec::new();
    for candidate in identity.candidates() {
        let row = table
            .number_of(&candidate.key)
            .and_then(|at| table.row(at))
            .filter(|row| candidate.fits(row.kind));
        if let Some(row) = row
            && !rows.iter().any(|known| known.line == row.line)
        {
            rows.push(row.clone());
        }
    }
    rows
}

/// The path itself, and every folder above it down to its share; longest first.
fn prefixes(text: &str) -> impl Iterator<Item = String> {
    std::iter::successors(text.parse::<UncPath>().ok(), UncPath::parent)
        .map(|path| path.as_str().to_owned())
}

/// Whom to ask for: the destination, the same name in the target's domain, or the SID itself where it stays.
fn destination_query(
    row: &TableRow,
    identity: &Identity,
    target: &dyn PrincipalDirectory,
) -> Option<PrincipalQuery> {
    match &row.destination {
        Destination::None => None,
        Destination::SameAsSource => identity.sid.clone().map(PrincipalQuery::Sid),
        Destination::ByRelativeName => {
            let name = &identity.principal.sam_account_name;
            (!name.is_empty())
                .then(|| PrincipalQuery::Name(format!("{}\\{name}", target.netbios_domain())))
        }
        Destination::Set(text) => Some(match text.parse::<Sid>() {
            Ok(sid) => PrincipalQuery::Sid(sid),
            Err(_) => PrincipalQuery::Name(text.clone()),
        }),
    }
}

fn replaced(row: &TableRow, principal: &Principal) -> Decision {
    Decision {
        rewrite: Rewrite::Principal {
            sid: principal.sid.clone(),
            name: principal.down_level_name(),
        },
        row: Some(row.clone()),
        principal: Some(principal.clone()),
    }
}

fn kept(row: Option<&TableRow>) -> Decision {
    Decision {
        rewrite: Rewrite::Keep,
        row: row.cloned(),
        principal: None,
    }
}

/// The new path: the destination, and what followed the part that the row names.
fn map_unc(case: &Case, row: &TableRow) -> Decision {
    let (FoundTarget::Unc { text, .. }, Destination::Set(destination)) =
        (&case.target, &row.destination)
    else {
        return kept(Some(row));
    };
    let rest = match (text.parse::<UncPath>(), row.source.parse::<UncPath>()) {
        (Ok(path), Ok(source)) => path.strip_prefix(&source).unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    let base = destination.strip_suffix('\\').unwrap_or(destination);
    Decision {
        rewrite: Rewrite::Unc(format!("{base}{rest}")),
        row: Some(row.clone()),
        principal: None,
    }
}

/// Whether a reference counts as unmapped when it has no row: not so a principal that is the same in every domain.
fn needs_row(case: &Case) -> bool {
    case.identity
        .as_ref()
        .is_none_or(|identity| !identity.is_universal())
}

fn shown(case: &Case) -> String {
    match (&case.identity, &case.target) {
        (Some(identity), _) => identity.shown(),
        (None, FoundTarget::Unc { text, .. }) => format!("\"{}\"", text.escape_debug()),
        (None, _) => String::new(),
    }
}

//! Looks up in the target, in one call, the destinations of the rows and what else the decisions need.

use std::collections::{HashMap, HashSet};

use crate::domain::principals::{Lookup, PrincipalDirectory, PrincipalQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::migration::inventory::{NameForm, SourcePrincipal};
use crate::migration::table::{Destination, EntryType, MigrationTable, TableRow};
use crate::model::dn::Dn;
use crate::model::principal::{Principal, PrincipalType};
use crate::model::sid::Sid;
use crate::model::well_known;

use super::defect;
use super::rows::MatchedReference;

/// What the target has for the destination of a row.
#[derive(Debug)]
pub(super) enum FoundDestination {
    /// A principal.
    Principal {
        sid: Sid,
        /// `DOMAIN\name`, the English name of a well-known principal, or the SID where no name is known.
        name: String,
        /// The principal as the target returned it; `None` where it was not looked up or the target does not know it.
        found: Option<Principal>,
    },
    /// Nobody, so that this text is written.
    Text(String),
    /// Not exactly one principal. The row is among the errors.
    Unusable,
}

/// The lookup results of the target.
pub(super) struct Destinations {
    target: String,
    /// The prefix of relative names in lookups: the target's NetBIOS name and a backslash.
    relative_prefix: String,
    /// The result of each query, by [`query_key`].
    answers: HashMap<String, Lookup>,
    /// By the number of its row, for each row with a principal and a given destination.
    found: HashMap<usize, FoundDestination>,
    /// An error for each row whose destination does not exist in the target.
    pub(super) errors: Vec<StatusMessage>,
    /// Warnings for rows that can be used anyway.
    pub(super) warnings: Vec<StatusMessage>,
}

/// Distinct queries.
#[derive(Default)]
struct Queries {
    list: Vec<PrincipalQuery>,
    keys: HashSet<String>,
}

impl Queries {
    fn add(&mut self, query: PrincipalQuery) {
        if self.keys.insert(query_key(&query)) {
            self.list.push(query);
        }
    }
}

fn query_key(query: &PrincipalQuery) -> String {
    match query {
        PrincipalQuery::Sid(sid) => format!("sid {sid}"),
        PrincipalQuery::Name(name) => format!("name {}", name.to_lowercase()),
    }
}

/// A row with a principal and a given destination, and the result of its lookup.
struct LookedUpRow<'r> {
    row: &'r TableRow,
    /// The destination as written.
    text: &'r str,
    answer: &'r Lookup,
}

impl Destinations {
    /// Looks up every destination of the table, every relative name, and every SID that would be left unchanged, in one
    /// call.
    ///
    /// # Errors
    /// [`ErrorKind::BadDirectory`] when the target returns another number of results, and the errors of
    /// [`PrincipalDirectory::lookup`].
    pub(super) async fn look_up(
        table: Option<&MigrationTable>,
        references: &[MatchedReference<'_>],
        target: &dyn PrincipalDirectory,
    ) -> Result<Self> {
        let rows = table.map(MigrationTable::rows).unwrap_or_default();
        let mut queries = Queries::default();
        let lookups: Vec<(&TableRow, &str, DestinationLookup)> = rows
            .iter()
            .filter_map(|row| {
                let (EntryType::Principal(kind), Destination::Set(text)) =
                    (row.kind, &row.destination)
                else {
                    return None;
                };
                Some((row, text.as_str(), DestinationLookup::of(kind, text)))
            })
            .collect();
        for (.., lookup) in &lookups {
            if let DestinationLookup::Queries(wanted) = lookup {
                wanted.iter().for_each(|query| queries.add(query.clone()));
            }
        }
        let relative_prefix = format!("{}\\", target.netbios_domain());
        for query in queries_of_references(references, &relative_prefix) {
            queries.add(query);
        }
        let answers = answers(&queries.list, target).await?;

        let mut found = HashMap::new();
        let mut looked_up = Vec::new();
        for (row, text, lookup) in lookups {
            match lookup {
                DestinationLookup::Universal(sid) => {
                    let name =
                        well_known::name_of(&sid).map_or_else(|| sid.to_string(), str::to_owned);
                    let universal = FoundDestination::Principal {
                        sid,
                        name,
                        found: None,
                    };
                    found.insert(row.number, universal);
                }
                DestinationLookup::Queries(wanted) => {
                    let answer = best_answer(&answers, &wanted)
                        .ok_or_else(|| defect(format!("the lookup of \"{text}\" has no result")))?;
                    looked_up.push(LookedUpRow { row, text, answer });
                }
            }
        }
        let objects = find_objects(&looked_up, target).await?;
        let mut destinations = Self {
            target: target.dns_domain().to_owned(),
            relative_prefix,
            answers: HashMap::new(),
            found,
            errors: Vec::new(),
            warnings: Vec::new(),
        };
        // A row that matches only text may be written as text.
        let not_text: HashSet<usize> = references
            .iter()
            .filter(|matched| matched.reference.in_scope)
            .filter(|matched| matched.reference.target.name_alone().is_none())
            .filter_map(|matched| Some(matched.row?.number))
            .collect();
        for looked_up in &looked_up {
            let number = looked_up.row.number;
            let as_text = looked_up.may_be_text() && !not_text.contains(&number);
            let place = |message: StatusMessage| match table {
                Some(table) => message.at(table.place(looked_up.row)),
                None => message,
            };
            let error = match looked_up.foreign_sid() {
                None if !as_text => destinations.problem(looked_up.text, looked_up.answer),
                _ => None,
            };
            let is_object = objects.contains(&number);
            let warning = looked_up.warning(as_text && !is_object, &destinations.target);
            let new = if error.is_some() {
                FoundDestination::Unusable
            } else {
                looked_up.destination()
            };
            destinations.found.insert(number, new);
            destinations.errors.extend(error.map(place));
            destinations.warnings.extend(warning.map(place));
        }
        destinations.answers = answers;
        Ok(destinations)
    }

    /// What the target has for a row; `None` for a row without a principal or a given destination.
    pub(super) fn of_row(&self, row: &TableRow) -> Option<&FoundDestination> {
        self.found.get(&row.number)
    }

    /// Whether this SID exists in the target.
    pub(super) fn contains(&self, sid: &Sid) -> bool {
        let query = PrincipalQuery::Sid(sid.clone());
        matches!(self.answers.get(&query_key(&query)), Some(Lookup::Found(_)))
    }

    /// The result for a relative name; `None` when it was not looked up.
    pub(super) fn relative(&self, name: &str) -> Option<&Lookup> {
        let query = PrincipalQuery::Name(format!("{}{name}", self.relative_prefix));
        self.answers.get(&query_key(&query))
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
}

impl LookedUpRow<'_> {
    /// Whether its destination can be written as text because it does not exist in the target. A name with a domain is never
    /// written as text.
    fn may_be_text(&self) -> bool {
        *self.answer == Lookup::NotFound
            && self.row.kind == EntryType::Principal(PrincipalType::Unknown)
            && self.text.parse::<Sid>().is_err()
            && NameForm::of(self.text).domain().is_none()
            && self.row.source.parse::<Sid>().is_err()
    }

    /// The SID of a principal of another domain, such as the forest root, which only that domain can resolve.
    fn foreign_sid(&self) -> Option<Sid> {
        match self.answer {
            Lookup::OtherDomain(_) => self.text.parse().ok(),
            _ => None,
        }
    }

    /// What it maps to, if it has no error.
    fn destination(&self) -> FoundDestination {
        if let Some(sid) = self.foreign_sid() {
            return FoundDestination::Principal {
                name: sid.to_string(),
                sid,
                found: None,
            };
        }
        match self.answer {
            Lookup::Found(principal) => match &principal.sid {
                Some(sid) => FoundDestination::Principal {
                    sid: sid.clone(),
                    name: shown_name(principal),
                    found: Some(principal.clone()),
                },
                None => FoundDestination::Unusable,
            },
            Lookup::NotFound => FoundDestination::Text(self.text.to_owned()),
            Lookup::Ambiguous(_) | Lookup::OtherDomain(_) => FoundDestination::Unusable,
        }
    }

    /// The warning for it, without its place.
    fn warning(&self, as_text: bool, target: &str) -> Option<StatusMessage> {
        let text = printable(self.text);
        match (self.answer, self.row.kind) {
            (Lookup::Found(principal), EntryType::Principal(kind))
                if kind != PrincipalType::Unknown
                    && principal.kind != PrincipalType::Unknown
                    && principal.kind != kind =>
            {
                Some(StatusMessage::warning(
                    Code::DestinationType,
                    format!(
                        "destination \"{text}\" is of type {:?}, but the row has the type {kind:?}",
                        principal.kind
                    ),
                ))
            }
            _ if self.foreign_sid().is_some() => Some(
                StatusMessage::warning(
                    Code::DestinationForeignSid,
                    format!(
                        "destination \"{text}\" is in a domain that is unknown to {target}, so it is written unchecked"
                    ),
                )
                .with_hint("look up the SID in its own domain; the target must trust that domain"),
            ),
            _ if as_text => Some(
                StatusMessage::warning(
                    Code::DestinationText,
                    format!("destination \"{text}\" does not exist in {target} and is written as text"),
                )
                .with_hint(
                    "the text is written unchanged; a client that cannot resolve it ignores the setting",
                ),
            ),
            _ => None,
        }
    }
}

/// The lookup for the destination of a row.
enum DestinationLookup {
    /// None is needed: a principal that is the same in every domain.
    Universal(Sid),
    /// The preferred query first.
    Queries(Vec<PrincipalQuery>),
}

impl DestinationLookup {
    /// For the destination of a row of this type.
    fn of(kind: PrincipalType, text: &str) -> Self {
        if let Ok(sid) = text.parse::<Sid>() {
            return if sid.is_domain_sid() {
                Self::Queries(vec![PrincipalQuery::Sid(sid)])
            } else {
                Self::Universal(sid)
            };
        }
        if let Some(sid) = well_known::sid_of(text) {
            return Self::Universal(sid);
        }
        let mut queries = Vec::new();
        if kind == PrincipalType::Computer && !NameForm::of(text).relative().ends_with('$') {
            queries.push(PrincipalQuery::Name(match NameForm::of(text) {
                NameForm::Bare(name) => format!("{name}$"),
                NameForm::DownLevel { domain, name } => format!("{domain}\\{name}$"),
                NameForm::Upn { domain, name } => format!("{name}$@{domain}"),
            }));
        }
        queries.push(PrincipalQuery::Name(text.to_owned()));
        Self::Queries(queries)
    }
}

/// The relative names of references whose row asks for them, and the SIDs that would be left unchanged.
fn queries_of_references<'r>(
    references: &'r [MatchedReference<'_>],
    relative_prefix: &'r str,
) -> impl Iterator<Item = PrincipalQuery> + 'r {
    let in_scope = references
        .iter()
        .filter(|matched| matched.reference.in_scope);
    in_scope.filter_map(move |matched| {
        let identity = matched.reference.identity.as_ref()?;
        match matched.row.map(|row| (row, &row.destination)) {
            None | Some((_, Destination::SameAsSource)) => {
                let sid = identity.sid.as_ref().filter(|sid| sid.is_domain_sid())?;
                Some(PrincipalQuery::Sid(sid.clone()))
            }
            Some((row, Destination::ByRelativeName)) if !identity.is_universal() => {
                let name = relative_name(identity, row)?;
                Some(PrincipalQuery::Name(format!("{relative_prefix}{name}")))
            }
            Some(_) => None,
        }
    })
}

/// The target's result for each query, by [`query_key`].
async fn answers(
    queries: &[PrincipalQuery],
    target: &dyn PrincipalDirectory,
) -> Result<HashMap<String, Lookup>> {
    if queries.is_empty() {
        return Ok(HashMap::new());
    }
    let answers = look_up_all(queries, target).await?;
    Ok(queries.iter().map(query_key).zip(answers).collect())
}

/// Looks up principals.
///
/// # Errors
/// [`ErrorKind::BadDirectory`] when the target returns another number of results, and the errors of
/// [`PrincipalDirectory::lookup`].
pub(super) async fn look_up_all(
    queries: &[PrincipalQuery],
    target: &dyn PrincipalDirectory,
) -> Result<Vec<Lookup>> {
    let answers = target.lookup(queries).await?;
    if answers.len() == queries.len() {
        return Ok(answers);
    }
    Err(Error::new(
        ErrorKind::BadDirectory,
        format!(
            "domain {} returned {} results for {} principal lookups",
            target.dns_domain(),
            answers.len(),
            queries.len()
        ),
    ))
}

/// The best result: the first principal that was found, otherwise the last result.
fn best_answer<'a>(
    answers: &'a HashMap<String, Lookup>,
    queries: &[PrincipalQuery],
) -> Option<&'a Lookup> {
    let results = || {
        queries
            .iter()
            .filter_map(|query| answers.get(&query_key(query)))
    };
    results()
        .find(|answer| matches!(answer, Lookup::Found(_)))
        .or_else(|| results().next_back())
}

/// The numbers of the rows whose destination is the target domain, or the DN of an object in it such as an OU. Item-level targeting
/// refers to these as text.
async fn find_objects(
    rows: &[LookedUpRow<'_>],
    target: &dyn PrincipalDirectory,
) -> Result<HashSet<usize>> {
    let mut objects = HashSet::new();
    let mut asked = Vec::new();
    let mut dns = Vec::new();
    for looked_up in rows.iter().filter(|row| *row.answer == Lookup::NotFound) {
        let (number, text) = (looked_up.row.number, looked_up.text);
        if text.eq_ignore_ascii_case(target.dns_domain())
            || text.eq_ignore_ascii_case(target.netbios_domain())
        {
            objects.insert(number);
        } else if let Ok(dn) = Dn::parse(text) {
            asked.push(number);
            dns.push(dn);
        }
    }
    if dns.is_empty() {
        return Ok(objects);
    }
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
    let found = asked.into_iter().zip(exist);
    objects.extend(found.filter_map(|(number, exists)| exists.then_some(number)));
    Ok(objects)
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
pub(super) fn shown_name(principal: &Principal) -> String {
    principal
        .sid
        .as_ref()
        .and_then(well_known::name_of)
        .map_or_else(|| principal.down_level_name(), str::to_owned)
}

//! Looks up in the target, in one call, the destinations of the rows and what else the decisions need.

use std::collections::{HashMap, HashSet};

use crate::domain::principals::{Lookup, PrincipalDirectory, PrincipalQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::migration::inventory::{NameForm, SourcePrincipal};
use crate::migration::table::{Destination, EntryType, MigrationTable, TableRow};
use crate::migration::variables::{completed_by_client, is_completed_by_client};
use crate::model::dn::Dn;
use crate::model::principal::{Principal, PrincipalType};
use crate::model::sid::Sid;
use crate::model::well_known;
use crate::model::well_known::domain_accounts;

use super::defect;
use super::rows::MatchedReference;

/// What the target has for the destination of a row.
pub(super) enum FoundDestination {
    /// A principal.
    Principal {
        sid: Sid,
        /// `DOMAIN\name`, the English name of a well-known principal, or the SID where no name is known.
        name: String,
        /// The principal as the target returned it; `None` where it is the same in every domain.
        found: Option<Principal>,
    },
    /// The SID of a principal of another domain, such as the forest root, which only that domain can resolve.
    ForeignSid(Sid),
    /// A name that each client completes.
    ByClient(String),
    /// Nobody, so that this text is written.
    Text(String),
    /// Not exactly one principal, and why.
    Unusable(StatusMessage),
}

/// The lookup results of the target.
pub(super) struct Destinations {
    pub(super) answers: Answers,
    /// By the number of its row, for each row with a principal and a given destination.
    pub(super) found: HashMap<usize, FoundDestination>,
    /// An error for each row whose destination does not exist in the target.
    pub(super) errors: Vec<StatusMessage>,
    /// Warnings for rows that can be used anyway.
    pub(super) warnings: Vec<StatusMessage>,
}

/// A row with a principal and a given destination.
struct RowToLookUp<'r> {
    row: &'r TableRow,
    /// The destination as written.
    text: &'r str,
    /// The preferred query first; none for a principal that is the same in every domain.
    queries: Vec<PrincipalQuery>,
}

impl Destinations {
    /// Looks up every destination of the table, every relative name, and every SID that would be left unchanged, in one
    /// call.
    ///
    /// # Errors
    /// Those of [`Answers::look_up`].
    pub(super) async fn look_up(
        table: Option<&MigrationTable>,
        references: &[MatchedReference<'_>],
        target: &dyn PrincipalDirectory,
    ) -> Result<Self> {
        let mut destinations = Self {
            answers: Answers::default(),
            found: HashMap::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
        };
        let rows = table.map(MigrationTable::rows).unwrap_or_default();
        let rows: Vec<RowToLookUp<'_>> = rows
            .iter()
            .filter_map(|row| match (row.kind, &row.destination) {
                (EntryType::Principal(kind), Destination::Set(text)) => Some(RowToLookUp {
                    row,
                    text,
                    queries: queries_of_destination(kind, text, target),
                }),
                _ => None,
            })
            .collect();
        let of_rows = rows.iter().flat_map(|row| &row.queries).cloned();
        let of_references = queries_of_references(references, target);
        let answers = Answers::look_up(of_rows.chain(of_references), target).await?;
        let objects = find_objects(&rows, &answers, target).await?;
        // A row that matches only text may be written as text.
        let not_text: HashSet<usize> = references
            .iter()
            .filter(|matched| matched.reference.in_scope)
            .filter(|matched| matched.reference.target.name_alone().is_none())
            .filter_map(|matched| Some(matched.row?.number))
            .collect();
        for RowToLookUp { row, text, queries } in rows {
            let answer = answers.best(&queries)?;
            let only_text = !not_text.contains(&row.number);
            let found = FoundDestination::of(row, text, answer, only_text, target.dns_domain())?;
            let is_object = objects.contains(&row.number);
            let place = |message: StatusMessage| match table {
                Some(table) => message.at(table.place(row)),
                None => message,
            };
            let warning = found.warning(row, text, is_object, target.dns_domain());
            destinations.warnings.extend(warning.map(place));
            if let FoundDestination::Unusable(error) = &found {
                destinations.errors.push(place(error.clone()));
            }
            destinations.found.insert(row.number, found);
        }
        destinations.answers = answers;
        Ok(destinations)
    }
}

impl FoundDestination {
    /// What a lookup of the destination `text` in the domain `target` found. `only_text`: whether the row matches only text.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] without a result, unless the destination is the same in every domain.
    fn of(
        row: &TableRow,
        text: &str,
        answer: Option<&Lookup>,
        only_text: bool,
        target: &str,
    ) -> Result<Self> {
        if let Some(sid) = universal_sid(text) {
            let name = well_known::name_of(&sid).map_or_else(|| sid.to_string(), str::to_owned);
            return Ok(Self::Principal {
                sid,
                name,
                found: None,
            });
        }
        if is_completed_by_client(text) {
            // A row that matches a SID needs one.
            return Ok(if only_text {
                Self::ByClient(text.to_owned())
            } else {
                Self::Unusable(sid_needed(text))
            });
        }
        let Some(answer) = answer else {
            return Err(defect(format!(
                "the destination \"{text}\" was not looked up"
            )));
        };
        if let Lookup::Found(principal) = answer
            && let Some(sid) = &principal.sid
        {
            return Ok(Self::Principal {
                sid: sid.clone(),
                name: shown_name(principal),
                found: Some(principal.clone()),
            });
        }
        if let (Lookup::OtherDomain(_), Ok(sid)) = (answer, text.parse()) {
            return Ok(Self::ForeignSid(sid));
        }
        // A SID is never replaced by text, and a name with a domain is never written as text.
        let as_text = only_text
            && *answer == Lookup::NotFound
            && row.kind == EntryType::Principal(PrincipalType::Unknown)
            && text.parse::<Sid>().is_err()
            && NameForm::of(text).domain().is_none()
            && row.source.parse::<Sid>().is_err();
        Ok(if as_text {
            Self::Text(text.to_owned())
        } else {
            Self::Unusable(problem(text, answer, target))
        })
    }

    /// The warning for a row that can be used anyway, without its place. `is_object`: whether the text is the target or an object in it.
    fn warning(
        &self,
        row: &TableRow,
        text: &str,
        is_object: bool,
        target: &str,
    ) -> Option<StatusMessage> {
        let text = printable(text);
        match (self, row.kind) {
            (
                Self::Principal {
                    found: Some(principal),
                    ..
                },
                EntryType::Principal(kind),
            ) if kind != PrincipalType::Unknown
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
            (Self::ForeignSid(_), _) => Some(
                StatusMessage::warning(
                    Code::DestinationForeignSid,
                    format!(
                        "destination \"{text}\" is in a domain that is unknown to {target}, so it is written unchecked"
                    ),
                )
                .with_hint("look up the SID in its own domain; the target must trust that domain"),
            ),
            (Self::ByClient(name), _) => Some(completed_by_client("destination", name)),
            (Self::Text(_), _) if !is_object => Some(
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

/// The problem of a name that each client completes where the setting needs a SID.
pub(super) fn sid_needed(name: &str) -> StatusMessage {
    StatusMessage::error(
        Code::NeedsSid,
        format!(
            "destination \"{}\" is completed by each client, but the setting needs a SID",
            printable(name)
        ),
    )
    .with_hint("name one principal, or change the setting by hand")
}

/// The problem of a lookup result in the domain `target` that is not exactly one principal with a SID.
pub(super) fn problem(text: &str, answer: &Lookup, target: &str) -> StatusMessage {
    let text = printable(text);
    match answer {
        Lookup::Found(_) => StatusMessage::error(
            Code::DestinationNotFound,
            format!("destination \"{text}\" has no SID in {target}"),
        ),
        Lookup::NotFound => StatusMessage::error(
            Code::DestinationNotFound,
            format!("destination \"{text}\" does not exist in {target}"),
        )
        .with_hint(match domain_accounts::rid_of(NameForm::of(&text).relative()) {
            Some(_) => "every domain has this account, maybe under another name: write that name, and do not create a second one",
            None => "create it in the target domain, or correct the row",
        }),
        Lookup::Ambiguous(names) => StatusMessage::error(
            Code::DestinationAmbiguous,
            format!(
                "destination \"{text}\" matches several principals in {target}: {}",
                printable(&names.join(", "))
            ),
        )
        .with_hint("write the intended one as DOMAIN\\name"),
        Lookup::OtherDomain(domain) => StatusMessage::error(
            Code::DestinationOtherDomain,
            format!(
                "destination \"{text}\" is in the domain {}, which is unknown to {target}",
                printable(domain)
            ),
        )
        .with_hint("name a principal of the target domain, or use the SID of the intended one"),
    }
}

/// The queries for a relative name, the preferred one first: an account that every domain has is looked up by its RID, because its name
/// depends on the language of the domain. None for a name that clients complete, or without RID and name.
pub(super) fn relative_queries(
    identity: &SourcePrincipal,
    row: &TableRow,
    target: &dyn PrincipalDirectory,
) -> Vec<PrincipalQuery> {
    let name = relative_name(identity, row);
    if name.as_deref().is_some_and(is_completed_by_client) {
        return Vec::new();
    }
    let by_rid = query_by_rid(identity.rid_in_every_domain(), target);
    let by_name = name.map(|name| PrincipalQuery::Name(relative_destination(&name, target)));
    by_rid.into_iter().chain(by_name).collect()
}

/// The query for an account that every domain has.
pub(in crate::migration) fn query_by_rid(
    rid: Option<u32>,
    target: &dyn PrincipalDirectory,
) -> Option<PrincipalQuery> {
    Some(PrincipalQuery::Sid(target.domain_sid()?.with_rid(rid?)))
}

/// The destination for a relative name.
pub(super) fn relative_destination(name: &str, target: &dyn PrincipalDirectory) -> String {
    format!("{}\\{name}", target.netbios_domain())
}

/// The results of the target, by [`query_key`].
#[derive(Default)]
pub(super) struct Answers(HashMap<String, Lookup>);

impl Answers {
    /// Looks up principals, each once, in one call.
    ///
    /// # Errors
    /// [`ErrorKind::BadDirectory`] when the target returns another number of results, and the errors of
    /// [`PrincipalDirectory::lookup`].
    pub(super) async fn look_up(
        queries: impl Iterator<Item = PrincipalQuery>,
        target: &dyn PrincipalDirectory,
    ) -> Result<Self> {
        let mut keys = HashSet::new();
        let queries: Vec<PrincipalQuery> = queries
            .filter(|query| keys.insert(query_key(query)))
            .collect();
        if queries.is_empty() {
            return Ok(Self::default());
        }
        let answers = target.lookup(&queries).await?;
        if answers.len() != queries.len() {
            return Err(Error::new(
                ErrorKind::BadDirectory,
                format!(
                    "domain {} returned {} results for {} principal lookups",
                    target.dns_domain(),
                    answers.len(),
                    queries.len()
                ),
            ));
        }
        Ok(Self(queries.iter().map(query_key).zip(answers).collect()))
    }

    /// The result of a query.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when it was not looked up.
    pub(super) fn get(&self, query: &PrincipalQuery) -> Result<&Lookup> {
        let key = query_key(query);
        let answer = self.0.get(&key);
        answer.ok_or_else(|| defect(format!("the {key} was not looked up")))
    }

    /// The best result: the first principal that was found, otherwise the last result; `None` without queries.
    pub(super) fn best(&self, queries: &[PrincipalQuery]) -> Result<Option<&Lookup>> {
        let mut last = None;
        for query in queries {
            let answer = self.get(query)?;
            last = Some(answer);
            if matches!(answer, Lookup::Found(_)) {
                break;
            }
        }
        Ok(last)
    }
}

fn query_key(query: &PrincipalQuery) -> String {
    match query {
        PrincipalQuery::Sid(sid) => format!("SID {sid}"),
        PrincipalQuery::Name(name) => format!("name {}", name.to_lowercase()),
    }
}

/// The SID of a destination that is the same in every domain.
fn universal_sid(text: &str) -> Option<Sid> {
    match text.parse::<Sid>() {
        Ok(sid) => (!sid.is_domain_sid()).then_some(sid),
        Err(_) => well_known::sid_of(text),
    }
}

/// The queries for the destination of a row of this type, the preferred one first; none for one that is the same in every domain or
/// that clients complete.
fn queries_of_destination(
    kind: PrincipalType,
    text: &str,
    target: &dyn PrincipalDirectory,
) -> Vec<PrincipalQuery> {
    if universal_sid(text).is_some() || is_completed_by_client(text) {
        return Vec::new();
    }
    if let Ok(sid) = text.parse::<Sid>() {
        return vec![PrincipalQuery::Sid(sid)];
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
    let form = NameForm::of(text);
    let is_of_target = form.domain().is_some_and(|domain| {
        domain.eq_ignore_ascii_case(target.dns_domain())
            || domain.eq_ignore_ascii_case(target.netbios_domain())
    });
    if is_of_target {
        queries.extend(query_by_rid(
            domain_accounts::rid_of(form.relative()),
            target,
        ));
    }
    queries
}

/// The relative names of references whose row asks for them, and the SIDs that would be left unchanged.
fn queries_of_references<'r>(
    references: &'r [MatchedReference<'_>],
    target: &'r dyn PrincipalDirectory,
) -> impl Iterator<Item = PrincipalQuery> + 'r {
    let in_scope = references
        .iter()
        .filter(|matched| matched.reference.in_scope);
    in_scope.flat_map(move |matched| {
        let Some(identity) = matched.reference.identity.as_ref() else {
            return Vec::new();
        };
        match matched.row.map(|row| (row, &row.destination)) {
            None | Some((_, Destination::SameAsSource)) => {
                let sid = identity.sid.as_ref().filter(|sid| sid.is_domain_sid());
                sid.map(|sid| PrincipalQuery::Sid(sid.clone()))
                    .into_iter()
                    .collect()
            }
            Some((row, Destination::ByRelativeName)) if !identity.is_universal() => {
                relative_queries(identity, row, target)
            }
            Some(_) => Vec::new(),
        }
    })
}

/// The numbers of the rows whose destination is the target domain, or the DN of an object in it such as an OU. Item-level targeting
/// refers to these as text.
async fn find_objects(
    rows: &[RowToLookUp<'_>],
    answers: &Answers,
    target: &dyn PrincipalDirectory,
) -> Result<HashSet<usize>> {
    let mut objects = HashSet::new();
    let mut asked = Vec::new();
    let mut dns = Vec::new();
    for RowToLookUp { row, text, queries } in rows {
        if answers.best(queries)? != Some(&Lookup::NotFound) {
            continue;
        }
        if text.eq_ignore_ascii_case(target.dns_domain())
            || text.eq_ignore_ascii_case(target.netbios_domain())
        {
            objects.insert(row.number);
        } else if let Ok(dn) = Dn::parse(text) {
            asked.push(row.number);
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

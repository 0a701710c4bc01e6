//! Suggests destinations for the rows of a table from the principals of the target domain.
//!
//! A destination is certain when the row is for a principal of the source domain and the target has a principal of the
//! same name and type. All other rows are left to the user, with the most similar names.

mod names;
mod renamed;

use std::collections::{BTreeSet, HashMap};

use crate::error::{Error, ErrorKind, Result};
use crate::formats::migtable::{Destination, Entry, EntryType, MigTable, Row};
use crate::message::printable;
use crate::model::principal::{Principal, PrincipalType};
use crate::model::sid::Sid;
use crate::model::unc_path::UncPath;
use crate::model::well_known;

use self::names::Names;
use self::renamed::{renamed_dn, renamed_path, renamed_variable};
use super::inventory::{NameForm, SourcePrincipal};
use super::map::query_by_rid;
use super::variables::is_completed_by_client;
use crate::domain::principals::{Lookup, PrincipalDirectory, PrincipalList, PrincipalQuery};

/// The maximum number of candidates for a row.
const MAX_CANDIDATES: usize = 3;

/// The longest `sAMAccountName` that a directory takes [MS-ADA3], in characters: longer names have no candidates.
const MAX_NAME: usize = 256;

/// The minimum similarity of candidates.
const MIN_SIMILARITY: f64 = 0.75;

/// The source domain of a table, as far as it is known.
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub struct SuggestOptions<'a> {
    /// The source domain, as DNS or NetBIOS name; only its rows are resolved.
    pub source_domain: Option<&'a str>,
    /// The source domain, in which SIDs of rows are looked up.
    pub source: Option<&'a dyn PrincipalDirectory>,
    /// Whether UNC paths get their candidate as destination. It is a guess from the domain in the server name.
    pub accept_unc: bool,
}

impl SuggestOptions<'_> {
    /// Nothing is known of the source domain, and UNC paths are left alone.
    pub fn new() -> Self {
        Self::default()
    }
}

crate::setters::setters!(SuggestOptions<'a> { source_domain: &'a str, source: &'a dyn PrincipalDirectory, accept_unc: bool });

/// The suggestion for a row.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Suggestion {
    /// The original row.
    pub row: Row,
    /// Its name in the source domain, if the source of the row is a SID.
    pub name: Option<String>,
    /// The suggested destination.
    pub suggested: SuggestedDestination,
}

/// A suggested destination.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SuggestedDestination {
    /// This destination, which was set.
    Certain(String),
    /// No certain destination.
    Uncertain {
        /// The reason, one sentence.
        reason: String,
        /// The candidates, most similar first.
        candidates: Vec<CandidateDestination>,
    },
}

/// A possible destination.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct CandidateDestination {
    /// The destination in the form of the row's source.
    pub destination: String,
    /// Its type; `None` for a path.
    #[serde(rename = "type")]
    pub kind: Option<PrincipalType>,
    /// The similarity of the names, from 0 to 1.
    pub similarity: f64,
}

/// A row without a destination, and its principal.
struct UnresolvedRow<'a> {
    row: &'a Row,
    /// `sAMAccountName`, when one is known.
    name: Option<String>,
    /// The domain as written in the row; `None` for a bare name or a SID.
    domain: Option<&'a str>,
    kind: PrincipalType,
    /// Why the destination cannot be certain, whatever the target contains.
    doubt: Option<String>,
    /// The RID of an account that every domain has.
    rid: Option<u32>,
    /// The name of a SID in the source domain.
    shown: Option<String>,
}

impl UnresolvedRow<'_> {
    /// The RID of an account that every domain has, if the row is for one of the source domain.
    fn certain_rid(&self) -> Option<u32> {
        self.rid.filter(|_| self.doubt.is_none())
    }
}

/// Sets the destination of "same as source" rows where it is certain, and returns the reason for all others. Rows with
/// any other destination, and rows for principals of the target or for principals that are the same in every domain,
/// are unchanged.
///
/// # Errors
/// The errors of the directories; [`ErrorKind::BadInput`] when a destination cannot be written in the encoding of the
/// table.
pub async fn suggest(
    table: &mut MigTable,
    target: &dyn PrincipalList,
    options: &SuggestOptions<'_>,
) -> Result<Vec<Suggestion>> {
    let rows: Vec<Row> = table.rows().to_vec();
    let mut open: Vec<UnresolvedRow<'_>> = rows
        .iter()
        .filter_map(|row| open_principal(row, target))
        .collect();
    if let Some(source) = options.source {
        look_up_in_source(&mut open, source).await?;
    }
    let domains = find_source_domains(&mut open, target, options);
    doubt_foreign_sids(&mut open, options.source.is_some());
    let answers = look_up_in_target(&open, target).await?;
    let mut destinations: HashMap<usize, (Option<String>, SuggestedDestination)> = HashMap::new();
    let mut unsure = Vec::new();
    for (open, answer) in open.into_iter().zip(answers) {
        match certain(&open, answer.as_ref(), target) {
            Ok(destination) => {
                destinations.insert(
                    open.row.number,
                    (open.shown, SuggestedDestination::Certain(destination)),
                );
            }
            Err(reason) => unsure.push((open, reason)),
        }
    }
    if !unsure.is_empty() {
        let names = Names::of(target.principals().await?);
        for (open, reason) in unsure {
            let derived = renamed_dn(&open.row.source, &domains, target.dns_domain())
                .or_else(|| renamed_variable(&open, target));
            let candidates = match derived {
                Some(destination) => vec![CandidateDestination {
                    similarity: similarity_of(&open.row.source, &destination),
                    destination,
                    kind: None,
                }],
                None => closest(&open, &names),
            };
            let suggested = SuggestedDestination::Uncertain { reason, candidates };
            destinations.insert(open.row.number, (open.shown, suggested));
        }
    }
    let mut suggestions = Vec::new();
    let mut entries = Vec::new();
    for row in rows {
        let (name, suggested) = match destinations.remove(&row.number) {
            Some(found) => found,
            None => match open_path(&row, &domains, target.dns_domain(), options.accept_unc) {
                Some(suggested) => (None, suggested),
                None => continue,
            },
        };
        if let SuggestedDestination::Certain(destination) = &suggested {
            entries.push(Entry {
                source: row.source.clone(),
                kind: row.kind,
                destination: Destination::Set(destination.clone()),
            });
        }
        suggestions.push(Suggestion {
            row,
            name,
            suggested,
        });
    }
    table.set_all(entries).map_err(|cause| {
        Error::new(ErrorKind::BadInput, cause.to_string())
            .with_hint("save the table as Unicode (UTF-16); nothing was written")
    })?;
    Ok(suggestions)
}

/// A principal row without a destination; `None` for all other rows.
fn open_principal<'a>(row: &'a Row, target: &dyn PrincipalDirectory) -> Option<UnresolvedRow<'a>> {
    let EntryType::Principal(kind) = row.kind else {
        return None;
    };
    if row.destination != Destination::SameAsSource || well_known::sid_of(&row.source).is_some() {
        return None;
    }
    let open = |name: Option<&str>, domain: Option<&'a str>, doubt: Option<&str>| UnresolvedRow {
        row,
        name: name.map(str::to_owned),
        domain,
        kind,
        doubt: doubt.map(str::to_owned),
        rid: SourcePrincipal::of_row(&row.source).rid_in_every_domain(),
        shown: None,
    };
    if let Ok(sid) = row.source.parse::<Sid>() {
        return sid.is_domain_sid().then(|| {
            let in_every_domain = SourcePrincipal::of_row(&row.source).rid_in_every_domain();
            let doubt = "only a SID; its name in the source domain is not known";
            open(None, None, in_every_domain.is_none().then_some(doubt))
        });
    }
    match NameForm::of(&row.source) {
        NameForm::Bare(name) => {
            let doubt = "plain text; it cannot be looked up in a domain";
            Some(open(Some(name), None, Some(doubt)))
        }
        NameForm::DownLevel { domain, name } | NameForm::Upn { domain, name } => {
            let here = domain.eq_ignore_ascii_case(target.dns_domain())
                || domain.eq_ignore_ascii_case(target.netbios_domain());
            let doubt = is_completed_by_client(name)
                .then_some("each client completes this name, so it cannot be looked up");
            (!here).then(|| open(Some(name), Some(domain), doubt))
        }
    }
}

/// Looks up SIDs, and names without a type, in the source domain.
async fn look_up_in_source(
    open: &mut [UnresolvedRow<'_>],
    source: &dyn PrincipalDirectory,
) -> Result<()> {
    let asked: Vec<usize> = (0_usize..)
        .zip(open.iter())
        .filter(|(_, open)| {
            let sid = open.row.source.parse::<Sid>().is_ok();
            sid || (open.kind == PrincipalType::Unknown && open.domain.is_some())
        })
        .map(|(number, _)| number)
        .collect();
    let queries: Vec<PrincipalQuery> = asked
        .iter()
        .filter_map(|&number| open.get(number))
        .map(|open| match open.row.source.parse() {
            Ok(sid) => PrincipalQuery::Sid(sid),
            Err(_) => PrincipalQuery::Name(open.row.source.clone()),
        })
        .collect();
    if queries.is_empty() {
        return Ok(());
    }
    let answers = source.lookup(&queries).await?;
    for ((number, query), answer) in asked.into_iter().zip(queries).zip(answers) {
        let (Some(open), Lookup::Found(principal)) = (open.get_mut(number), answer) else {
            continue;
        };
        open.kind = principal.kind;
        open.rid = SourcePrincipal::of(&principal).rid_in_every_domain();
        if let PrincipalQuery::Sid(_) = query {
            open.doubt = None;
            open.shown = Some(principal.down_level_name());
            open.name = Some(principal.sam_account_name);
        }
    }
    Ok(())
}

/// Finds the DNS names of the domains in the rows. If there are several and the source domain was not given, none of
/// their rows is certain.
fn find_source_domains(
    open: &mut [UnresolvedRow<'_>],
    target: &dyn PrincipalDirectory,
    options: &SuggestOptions<'_>,
) -> BTreeSet<String> {
    let mut named: BTreeSet<String> = open
        .iter()
        .filter_map(|open| open.domain)
        .map(str::to_lowercase)
        .collect();
    let source_names: BTreeSet<String> = match (options.source, options.source_domain) {
        (Some(source), _) => [source.dns_domain(), source.netbios_domain()]
            .iter()
            .map(|name| name.to_lowercase())
            .collect(),
        (None, Some(domain)) => BTreeSet::from([domain.to_lowercase()]),
        (None, None) => BTreeSet::new(),
    };
    // Only the source domain itself can return its NetBIOS name, which need not be the first label of the DNS name.
    let whole = |name: &str| -> String {
        match options.source {
            Some(source) if source.netbios_domain().to_lowercase() == name => {
                source.dns_domain().to_lowercase()
            }
            _ => name.to_owned(),
        }
    };
    let sources: BTreeSet<String> = source_names.iter().map(|name| whole(name)).collect();
    let domains: BTreeSet<String> = named.iter().map(|name| whole(name)).collect();
    for open in open.iter_mut() {
        let Some(domain) = open.domain.map(|domain| whole(&domain.to_lowercase())) else {
            continue;
        };
        let doubt = if !sources.is_empty() {
            let one_form = |source: &String| source.contains('.') == domain.contains('.');
            let known = options.source.is_some() || sources.iter().any(one_form);
            (!sources.contains(&domain)).then(|| match known {
                true => format!(
                    "it is in {}, which is not the source domain",
                    printable(&domain)
                ),
                false => format!(
                    "it is not known whether {} is the source domain",
                    printable(&domain)
                ),
            })
        } else if domains.len() > 1 {
            let list: Vec<&str> = domains.iter().map(String::as_str).collect();
            Some(format!(
                "the table contains several domains ({}), and the source domain was not given",
                printable(&list.join(", "))
            ))
        } else {
            None
        };
        open.doubt = open.doubt.take().or(doubt);
    }
    if sources.is_empty() {
        named.retain(|name| name.contains('.') && !name.eq_ignore_ascii_case(target.dns_domain()));
        named
    } else {
        sources
    }
}

/// Makes SIDs of accounts that every domain has uncertain when it is not known that they are of the source domain: it did not find them, or
/// the table contains SIDs of several domains.
fn doubt_foreign_sids(open: &mut [UnresolvedRow<'_>], is_source_known: bool) {
    let sid_of = |open: &UnresolvedRow<'_>| open.row.source.parse::<Sid>().ok();
    let sids = open.iter().filter_map(sid_of);
    let domains: BTreeSet<Sid> = sids.filter_map(|sid| sid.domain()).collect();
    let doubt = match (is_source_known, domains.len()) {
        (true, _) => "only a SID, which the source domain does not have",
        (false, 0 | 1) => return,
        (false, _) => "the table contains SIDs of several domains",
    };
    let unresolved = open.iter_mut().filter(|open| open.shown.is_none());
    for open in unresolved.filter(|open| sid_of(open).is_some()) {
        open.doubt.get_or_insert_with(|| doubt.to_owned());
    }
}

/// Looks up the rows that may be certain in the target; a result for each row, `None` where no lookup was made.
async fn look_up_in_target(
    open: &[UnresolvedRow<'_>],
    target: &dyn PrincipalDirectory,
) -> Result<Vec<Option<Lookup>>> {
    let asked: Vec<Option<PrincipalQuery>> = open
        .iter()
        .map(|open| {
            if let Some(query) = query_by_rid(open.certain_rid(), target) {
                return Some(query);
            }
            let name = open.name.as_deref().filter(|_| open.doubt.is_none())?;
            Some(PrincipalQuery::Name(format!(
                "{}\\{name}",
                target.netbios_domain()
            )))
        })
        .collect();
    let queries: Vec<PrincipalQuery> = asked.iter().flatten().cloned().collect();
    let mut answers = if queries.is_empty() {
        Vec::new()
    } else {
        target.lookup(&queries).await?
    }
    .into_iter();
    Ok(asked
        .into_iter()
        .map(|query| query.and_then(|_| answers.next()))
        .collect())
}

/// The certain destination of a row, or the reason why there is none.
fn certain(
    open: &UnresolvedRow<'_>,
    answer: Option<&Lookup>,
    target: &dyn PrincipalDirectory,
) -> Result<String, String> {
    if let Some(rid) = open.certain_rid()
        && let Some(Lookup::Found(found)) = answer
        && found.sid.as_ref().and_then(Sid::rid) == Some(rid)
    {
        return Ok(in_form_of(NameForm::of(&open.row.source), found));
    }
    if let Some(doubt) = &open.doubt {
        return Err(doubt.clone());
    }
    let wanted = open.name.as_deref().unwrap_or(&open.row.source);
    let domain = target.dns_domain();
    match answer {
        Some(Lookup::Found(found)) if is_named(found, wanted) => {
            if open.kind == PrincipalType::Unknown {
                return Err(format!(
                    "its type is not known; \"{}\" exists in {domain}",
                    printable(wanted)
                ));
            }
            if found.kind != open.kind {
                return Err(format!(
                    "\"{}\" exists in {domain}, but is a {}, not a {}",
                    printable(wanted),
                    found.kind.as_str(),
                    open.kind.as_str()
                ));
            }
            Ok(in_form_of(NameForm::of(&open.row.source), found))
        }
        Some(Lookup::Ambiguous(names)) => Err(format!(
            "\"{}\" matches several principals in {domain}: {}",
            printable(wanted),
            printable(&names.join(", "))
        )),
        _ => Err(format!(
            "\"{}\" does not exist in {domain}",
            printable(wanted)
        )),
    }
}

/// Whether a principal has this name, ignoring the `$` of a computer.
fn is_named(principal: &Principal, name: &str) -> bool {
    let sam = &principal.sam_account_name;
    if principal.kind == PrincipalType::Computer {
        folded(sam) == folded(name)
    } else {
        sam.to_lowercase() == name.to_lowercase()
    }
}

/// The name of a principal of the target in the form of the source; for a builtin group, which has no domain, its plain
/// name.
fn in_form_of(form: NameForm<'_>, principal: &Principal) -> String {
    if let Some(sid) = principal.sid.as_ref().filter(|sid| !sid.is_domain_sid()) {
        return well_known::name_of(sid).map_or_else(|| principal.down_level_name(), str::to_owned);
    }
    match form {
        NameForm::DownLevel { domain, .. } if domain.contains('.') => {
            format!("{}\\{}", principal.dns_domain, principal.sam_account_name)
        }
        NameForm::DownLevel { .. } => principal.down_level_name(),
        NameForm::Upn { .. } | NameForm::Bare(_) => principal.upn.clone(),
    }
}

/// The similarity of two texts, from 0 to 1, ignoring case.
fn similarity_of(one: &str, two: &str) -> f64 {
    strsim::jaro_winkler(&one.to_lowercase(), &two.to_lowercase())
}

/// The comparison form of a name: without the `$` of a computer, in lower case.
fn folded(name: &str) -> String {
    name.strip_suffix('$').unwrap_or(name).to_lowercase()
}

/// The principals whose names are most similar to that of a row.
fn closest(open: &UnresolvedRow<'_>, names: &Names) -> Vec<CandidateDestination> {
    let Some(name) = &open.name else {
        return Vec::new();
    };
    let wanted = folded(name);
    if wanted.chars().nth(MAX_NAME).is_some() {
        return Vec::new();
    }
    let mut found: Vec<(f64, &Principal)> = names
        .similar_to(&wanted)
        .map(|(name, principal)| (strsim::jaro_winkler(&wanted, name), principal))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .collect();
    let other_type =
        |principal: &Principal| open.kind != PrincipalType::Unknown && principal.kind != open.kind;
    found.sort_by(|(one, a), (two, b)| {
        two.total_cmp(one)
            .then_with(|| other_type(a).cmp(&other_type(b)))
            .then_with(|| a.sam_account_name.cmp(&b.sam_account_name))
    });
    found
        .into_iter()
        .take(MAX_CANDIDATES)
        .map(|(similarity, principal)| CandidateDestination {
            destination: in_form_of(NameForm::of(&open.row.source), principal),
            kind: Some(principal.kind),
            similarity,
        })
        .collect()
}

/// The suggestion for a UNC path row without a destination. It is never certain, because a directory does not contain
/// the new location of a share; a server in the source domain has a candidate in the target domain, which becomes the
/// destination with `accept`.
fn open_path(
    row: &Row,
    domains: &BTreeSet<String>,
    target: &str,
    accept: bool,
) -> Option<SuggestedDestination> {
    if row.kind != EntryType::UncPath || row.destination != Destination::SameAsSource {
        return None;
    }
    let path = row.source.parse::<UncPath>().ok();
    let candidate = path.and_then(|path| renamed_path(&path, domains, target));
    Some(match candidate {
        Some(destination) if accept => SuggestedDestination::Certain(destination),
        candidate => SuggestedDestination::Uncertain {
            reason: "the new location of a share cannot be looked up in a domain".to_owned(),
            candidates: candidate
                .map(|destination| CandidateDestination {
                    similarity: similarity_of(&row.source, &destination),
                    destination,
                    kind: None,
                })
                .into_iter()
                .collect(),
        },
    })
}

/// The number of rows with a certain destination, and of the others.
pub fn counts(suggestions: &[Suggestion]) -> (usize, usize) {
    let certain = suggestions
        .iter()
        .filter(|suggestion| matches!(suggestion.suggested, SuggestedDestination::Certain(_)))
        .count();
    (certain, suggestions.len().saturating_sub(certain))
}

#[cfg(test)]
mod tests;

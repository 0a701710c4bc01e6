//! Checks a table: finds the problems that a mapping with it would have.

use std::collections::HashMap;

use crate::domain::principals::{Lookup, PrincipalDirectory, PrincipalQuery};
use crate::error::Result;
use crate::message::{Code, Severity, StatusMessage, printable};
use crate::migration::inventory::{NameForm, SourcePrincipal};
use crate::migration::references;
use crate::migration::table::{Destination, EntryType, MigrationTable, TableRow};
use crate::migration::variables::{
    completed_by_client, is_completed_by_client, unknown_variable_in,
};
use crate::model::principal::PrincipalType;
use crate::model::reference::Place;
use crate::model::sid::Sid;
use crate::model::snapshot::GpoSnapshot;
use crate::model::well_known;

use super::destinations::{
    Answers, Destinations, problem, relative_destination, relative_name, relative_of_other_type,
    relative_queries,
};
use super::findings::Usage;
use super::gpo_folder::is_own_path;
use super::index::{Occurrences, Part, PartSource, index};
use super::rows::{MatchedReference, RowMatcher};
use super::{MapOptions, defect};

/// Checks a table: its rows alone, against the GPOs it is for, and against the target domain. With `exclusive`, a
/// reference without a row is an error.
///
/// # Errors
/// The errors of [`PrincipalDirectory::lookup`], and [`crate::ErrorKind::BadInput`] for a GPO with too many different references. Problems
/// of the table are messages.
pub async fn review(
    table: &MigrationTable,
    snapshots: &[GpoSnapshot],
    target: Option<&dyn PrincipalDirectory>,
    options: &MapOptions,
) -> Result<Vec<StatusMessage>> {
    let mut messages = table.validate();
    let references = against_gpos(table, snapshots, options, &mut messages)?;
    if let Some(target) = target {
        let destinations = Destinations::look_up(Some(table), &references, target).await?;
        messages.extend(destinations.errors.iter().cloned());
        messages.extend(destinations.warnings.iter().cloned());
        against_target(table, &references, target, &mut messages).await?;
    }
    Ok(messages)
}

/// Compares the rows with the references of the GPOs, and returns these references.
fn against_gpos<'t>(
    table: &'t MigrationTable,
    snapshots: &[GpoSnapshot],
    options: &MapOptions,
    messages: &mut Vec<StatusMessage>,
) -> Result<Vec<MatchedReference<'t>>> {
    let matcher = RowMatcher::new(Some(table), options.unc_match);
    let mut all = Usage::default();
    let mut references = Vec::new();
    for snapshot in snapshots {
        let of_gpo = |message: StatusMessage| message.of_gpo(&snapshot.display_name);
        let index = index(snapshot, options, &references::visit_file)?;
        let of_snapshot: Vec<MatchedReference<'t>> = index
            .references
            .into_iter()
            .map(|reference| matcher.matched(reference, &index.inventory))
            .collect();
        let usage = Usage::of(&of_snapshot, table);
        all.used.extend(usage.used);
        all.outside.extend(usage.outside);
        let conflicts = of_snapshot
            .iter()
            .filter_map(|matched| matched.conflict.as_deref());
        messages.extend(conflicts.cloned().map(of_gpo));
        messages.extend(usage.mismatches.into_iter().map(of_gpo));
        messages.extend(index.messages.into_iter().map(|mut message| {
            // A mapping fails on these.
            if options.exclusive && message.code == Code::UnreadFile {
                message.severity = Severity::Error;
            }
            of_gpo(message)
        }));
        without_row(
            &index.parts,
            &of_snapshot,
            snapshot,
            options,
            &mut |message| messages.push(of_gpo(message)),
        )?;
        references.extend(of_snapshot);
    }
    if !snapshots.is_empty() {
        messages.extend(all.unused(table, snapshots.len()));
    }
    Ok(references)
}

/// Reports the references without a row, each principal and path once with its first place. The permissions of the GPO itself
/// matter only for a copy that preserves them.
fn without_row(
    parts: &[Part<'_, Occurrences>],
    references: &[MatchedReference<'_>],
    snapshot: &GpoSnapshot,
    options: &MapOptions,
    add: &mut dyn FnMut(StatusMessage),
) -> Result<()> {
    let mut order: Vec<(String, &MatchedReference<'_>, &Place)> = Vec::new();
    let mut counts: HashMap<String, usize> = HashMap::new();
    let of_settings = parts
        .iter()
        .filter(|part| !matches!(part.source, PartSource::Permissions));
    for indexed in of_settings.flat_map(|part| &part.references) {
        let matched = references.get(indexed.reference).ok_or_else(|| {
            defect(format!(
                "the reference at {} has no row or none",
                indexed.place
            ))
        })?;
        let reference = &matched.reference;
        if !reference.in_scope || !matched.needs_row() || is_own_path(&reference.target, snapshot) {
            continue;
        }
        // The same principal by SID and by name is two distinct references but one finding.
        let shown = reference.describe();
        let count = counts.entry(shown.clone()).or_insert_with(|| {
            order.push((shown, matched, &indexed.place));
            0
        });
        *count = count.saturating_add(1);
    }
    for (shown, matched, place) in order {
        let of_domain = matched
            .reference
            .identity
            .as_ref()
            .is_some_and(|identity| identity.sid.is_some());
        let severity = match (options.exclusive, of_domain) {
            (true, _) => Severity::Error,
            (false, true) => Severity::Warning,
            (false, false) => Severity::Info,
        };
        let more = match counts
            .get(&shown)
            .map_or(0, |count| count.saturating_sub(1))
        {
            0 => String::new(),
            1 => " (and is used in 1 more place)".to_owned(),
            more => format!(" (and is used in {more} more places)"),
        };
        let hint = matched.prefix_row.map(|row| {
            format!(
                "add a row for it, or match UNC paths by prefix: the row \"{}\" in line {} is for a folder above it",
                printable(&row.source),
                row.line
            )
        });
        let unknown = matched.reference.target.name_alone();
        if let Some(mut message) = unknown.and_then(|name| unknown_variable_in(name, place)) {
            if options.exclusive {
                message.severity = Severity::Error;
            }
            add(message);
            continue;
        }
        let text = format!("{shown} has no row in the migration table{more}");
        let mut message =
            StatusMessage::new(severity, Code::UnmappedReference, text).at(place.clone());
        message.hint = hint;
        add(message);
    }
    Ok(())
}

/// Looks up in the target the rows that have no explicit destination.
async fn against_target(
    table: &MigrationTable,
    references: &[MatchedReference<'_>],
    target: &dyn PrincipalDirectory,
    messages: &mut Vec<StatusMessage>,
) -> Result<()> {
    // The principal of each row, as identified by the GPOs.
    let mut named = HashMap::new();
    for matched in references {
        if let (Some(row), Some(identity)) = (matched.row, &matched.reference.identity) {
            named.entry(row.number).or_insert(identity);
        }
    }
    let mut queries = Vec::new();
    let mut asked: Vec<(&TableRow, PrincipalType, PrincipalType)> = Vec::new();
    for row in table.rows() {
        let EntryType::Principal(kind) = row.kind else {
            continue;
        };
        let sid = row.source.parse::<Sid>().ok();
        let universal = sid.as_ref().is_some_and(|sid| !sid.is_domain_sid())
            || well_known::sid_of(&row.source).is_some();
        if universal {
            continue;
        }
        let of_row = match &row.destination {
            Destination::ByRelativeName => {
                let of_gpo = named.get(&row.number).map(|identity| (***identity).clone());
                let identity = of_gpo.unwrap_or_else(|| SourcePrincipal::of_row(&row.source));
                let name = relative_name(&identity, row);
                if let Some(name) = name.filter(|name| is_completed_by_client(name)) {
                    let name = relative_destination(&name, target);
                    let note = completed_by_client("relative name", &name);
                    messages.push(note.at(table.place(row)));
                    continue;
                }
                let of_row = relative_queries(&identity, row, target);
                if of_row.is_empty() {
                    messages.push(
                        StatusMessage::warning(
                            Code::RelativeNameUnknown,
                            format!(
                                "source \"{}\" is only a SID, so its relative name cannot be looked up",
                                printable(&row.source)
                            ),
                        )
                        .at(table.place(row)),
                    );
                    continue;
                }
                of_row
            }
            Destination::SameAsSource => match sid {
                Some(sid) => vec![PrincipalQuery::Sid(sid)],
                None if is_completed_by_client(&row.source) => {
                    messages.push(completed_by_client("source", &row.source).at(table.place(row)));
                    continue;
                }
                None if NameForm::of(&row.source).domain().is_some() => {
                    vec![PrincipalQuery::Name(row.source.clone())]
                }
                None => continue,
            },
            Destination::None | Destination::Set(_) => continue,
        };
        queries.push(of_row);
        let of_source = named.get(&row.number).and_then(|identity| identity.kind());
        asked.push((row, kind, of_source.unwrap_or(PrincipalType::Unknown)));
    }
    if queries.is_empty() {
        return Ok(());
    }
    let answers = Answers::look_up(queries.iter().flatten().cloned(), target).await?;
    for ((row, kind, of_source), of_row) in asked.into_iter().zip(&queries) {
        let Some(answer) = answers.best(of_row)? else {
            continue;
        };
        let relative = row.destination == Destination::ByRelativeName;
        let source = printable(&row.source);
        let finding = match answer {
            Lookup::Found(principal) if relative => {
                relative_of_other_type(row, kind, of_source, principal)
            }
            Lookup::Found(_) => None,
            _ if relative => {
                let name = NameForm::of(&row.source).relative();
                Some(problem(name, answer, target.dns_domain()))
            }
            _ => Some(StatusMessage::warning(
                Code::SourceStays,
                format!(
                    "source \"{source}\" is left unchanged and does not exist in {}",
                    target.dns_domain()
                ),
            )),
        };
        messages.extend(finding.map(|finding| finding.at(table.place(row))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::file_format_tests::{Target, snapshot, table};
    use super::*;

    const RIGHTS: &str = "[Privilege Rights]\r\nSeBatchLogonRight = *S-1-5-21-1-1-1-1001,*S-1-5-21-1-1-1-1002,*S-1-5-32-544,SRC\\Crew,Guest\r\n";

    /// Mark and code of each message, with its line.
    async fn found(
        lines: &[&str],
        rows: &[(&str, &str, &str)],
        target: Option<&dyn PrincipalDirectory>,
        exclusive: bool,
    ) -> Vec<(char, Code, u64)> {
        let snapshots: Vec<GpoSnapshot> = lines.iter().map(|lines| snapshot(lines)).collect();
        let options = MapOptions {
            exclusive,
            ..MapOptions::default()
        };
        let messages = review(&table(rows), &snapshots, target, &options)
            .await
            .unwrap();
        messages
            .into_iter()
            .map(|message| {
                let mark = match message.severity {
                    Severity::Error => 'e',
                    Severity::Warning => 'w',
                    Severity::Info => 'i',
                };
                let line = message
                    .place
                    .and_then(|place| place.line)
                    .unwrap_or_default();
                (mark, message.code, line)
            })
            .collect()
    }

    #[tokio::test]
    async fn rows_and_references_are_compared() {
        let rows = [
            ("User", "Helpdesk@src.test", "<DestinationNone/>"),
            ("GlobalGroup", "Nobody@src.test", "<DestinationNone/>"),
        ];
        let warned = [
            ('w', Code::TypeMismatch, 2),
            ('w', Code::UnmappedReference, 4),
            ('i', Code::UnmappedReference, 4),
            ('w', Code::UnusedRow, 3),
        ];
        assert_eq!(found(&[RIGHTS], &rows, None, false).await, warned);
        let exclusive = warned.map(|(mark, code, line)| match code {
            Code::UnmappedReference => ('e', code, line),
            _ => (mark, code, line),
        });
        assert_eq!(found(&[RIGHTS], &rows, None, true).await, exclusive);
        // Of several GPOs one is enough to need a row.
        let one = [("GlobalGroup", "Crew@src.test", "<DestinationNone/>")];
        let other = "[Privilege Rights]\r\nSeX = *S-1-5-21-1-1-1-1002\r\n";
        assert_eq!(found(&["", other], &one, None, false).await, []);
        assert_eq!(
            found(&["", ""], &one, None, false).await,
            [('w', Code::UnusedRow, 2)]
        );
    }

    #[tokio::test]
    async fn two_rows_for_one_principal_are_an_error() {
        let rows = [
            ("GlobalGroup", "Helpdesk@src.test", "<DestinationNone/>"),
            ("GlobalGroup", "SRC\\Helpdesk", "<DestinationSameAsSource/>"),
        ];
        let lines = "[Privilege Rights]\r\nSeX = *S-1-5-21-1-1-1-1001\r\n";
        assert_eq!(
            found(&[lines], &rows, None, false).await,
            [('e', Code::AmbiguousRows, 4)]
        );
    }

    #[tokio::test]
    async fn two_rows_with_one_destination_are_no_conflict() {
        let to = "<Destination>DST\\Support</Destination>";
        let rows = [
            ("GlobalGroup", "Helpdesk@src.test", to),
            ("Unknown", "S-1-5-21-1-1-1-1001", to),
        ];
        let named = "[Privilege Rights]\r\nSeX = *S-1-5-21-1-1-1-1001\r\n";
        assert_eq!(found(&[named], &rows, None, true).await, []);
    }

    #[tokio::test]
    async fn organizational_units_and_domains_are_looked_up() {
        let to = |text: &str| format!("<Destination>{text}</Destination>");
        let (staff, gone, domain) = (
            to("OU=Staff,DC=dst,DC=test"),
            to("OU=Gone,DC=dst,DC=test"),
            to("DST"),
        );
        let rows = [
            ("Unknown", "OU=Staff,DC=src,DC=test", staff.as_str()),
            ("Unknown", "OU=Gone,DC=src,DC=test", gone.as_str()),
            ("Unknown", "SRC", domain.as_str()),
        ];
        let target: Option<&dyn PrincipalDirectory> = Some(&Target);
        assert_eq!(
            found(&[], &rows, target, false).await,
            [('w', Code::DestinationText, 3)]
        );
    }

    #[tokio::test]
    async fn two_rows_for_one_principal_hide_no_other_finding() {
        let none = "<DestinationNone/>";
        let rows = [
            ("GlobalGroup", "Helpdesk@src.test", none),
            ("GlobalGroup", "SRC\\Helpdesk", "<DestinationSameAsSource/>"),
            ("GlobalGroup", "Nobody@src.test", none),
        ];
        assert_eq!(
            found(&[RIGHTS], &rows, None, true).await,
            [
                ('e', Code::AmbiguousRows, 4),
                ('e', Code::UnmappedReference, 4),
                ('e', Code::UnmappedReference, 4),
                ('w', Code::UnusedRow, 4),
            ]
        );
    }

    #[tokio::test]
    async fn an_unparsable_file_is_an_error_in_exclusive_mode() {
        let mut gpo = snapshot("");
        gpo.tree.insert_file(
            &"User\\Preferences\\Drives\\Drives.xml".parse().unwrap(),
            bytes::Bytes::from_static(b"<Drives><broken"),
        );
        for (exclusive, severity) in [(true, Severity::Error), (false, Severity::Warning)] {
            let options = MapOptions {
                exclusive,
                ..MapOptions::default()
            };
            let found = review(&table(&[]), &[gpo.clone()], None, &options)
                .await
                .unwrap();
            let seen: Vec<_> = found.iter().map(|m| (m.code, m.severity)).collect();
            assert_eq!(seen, [(Code::UnreadFile, severity)]);
        }
    }

    #[tokio::test]
    async fn destinations_are_looked_up() {
        let relative = "<DestinationByRelativeName/>";
        let same = "<DestinationSameAsSource/>";
        let to = |text: &str| format!("<Destination>{text}</Destination>");
        let (twin, support, nobody) = (to("DST\\Twin"), to("DST\\Support"), to("DST\\x"));
        let rows = [
            ("GlobalGroup", "a@src.test", twin.as_str()),
            ("User", "b@src.test", support.as_str()),
            ("GlobalGroup", "c@src.test", nobody.as_str()),
            ("GlobalGroup", "Helpdesk@src.test", relative),
            ("GlobalGroup", "Twin@src.test", relative),
            ("User", "Support@src.test", relative),
            ("Unknown", "S-1-5-21-1-1-1-1001", relative),
            ("Unknown", "S-1-5-21-1-1-1-7", same),
            ("GlobalGroup", "Crew@src.test", same),
            ("Unknown", "Administrators", relative),
            ("Unknown", "S-1-5-32-545", same),
            ("Unknown", "text", same),
        ];
        let target: Option<&dyn PrincipalDirectory> = Some(&Target);
        assert_eq!(
            found(&[], &rows, target, false).await,
            [
                ('e', Code::DestinationAmbiguous, 2),
                ('e', Code::DestinationNotFound, 4),
                ('w', Code::DestinationType, 3),
                ('w', Code::RelativeNameUnknown, 8),
                ('e', Code::DestinationAmbiguous, 6),
                ('w', Code::DestinationType, 7),
                ('w', Code::SourceStays, 9),
                ('w', Code::SourceStays, 10),
            ]
        );
        // The GPO contains the name of the SID.
        let lines = "[Privilege Rights]\r\nSeX = *S-1-5-21-1-1-1-1001\r\n";
        let row = [("Unknown", "S-1-5-21-1-1-1-1001", relative)];
        assert_eq!(found(&[lines], &row, target, false).await, []);
    }
}

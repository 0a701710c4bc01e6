//! Detects pairs of a SID and a name that belong to different principals. Clients use the SID, but people read the
//! name.

use std::collections::HashMap;

use super::inventory::{Inventory, NameForm};
use super::references::{Occurrence, ReferenceTarget};
use crate::message::{Code, StatusMessage, printable};
use crate::model::sid::Sid;

/// The pairs of one snapshot that were seen so far.
#[derive(Default)]
pub(super) struct SidNamePairs {
    /// The first name of each SID, without its domain.
    names: HashMap<Sid, String>,
    /// The first SID of each name, by the name in lower case.
    sids: HashMap<String, Sid>,
}

impl SidNamePairs {
    /// Returns a warning when a pair contradicts itself, the source, or a pair seen before.
    pub(super) fn check(
        &mut self,
        occurrence: &Occurrence,
        inventory: &Inventory<'_>,
    ) -> Option<StatusMessage> {
        let ReferenceTarget::SidAndName { sid, name } = &occurrence.target else {
            return None;
        };
        let why = inventory.contradiction(sid, name).or_else(|| {
            if !sid.is_domain_sid() {
                return None;
            }
            let relative = NameForm::of(name).relative().to_lowercase();
            let first_name = self.names.entry(sid.clone()).or_insert(relative.clone());
            if *first_name != relative {
                return Some(format!(
                    "elsewhere this SID is paired with \"{}\"",
                    printable(first_name)
                ));
            }
            let first_sid = self
                .sids
                .entry(name.to_lowercase())
                .or_insert_with(|| sid.clone());
            (first_sid != sid).then(|| format!("elsewhere this name is paired with {first_sid}"))
        })?;
        Some(
            StatusMessage::warning(
                Code::NameSidMismatch,
                format!(
                    "the name \"{}\" does not match {sid}: {why}",
                    printable(name)
                ),
            )
            .at(occurrence.place.clone())
            .with_hint(
                "clients use the SID; find out which of the two is intended, and correct the other",
            ),
        )
    }
}

//! Risks while they are collected. A hostile file has one in each of its lines, so what neighbors have in common is in memory once.

use super::Risk;
use crate::model::reference::Place;
use crate::model::shared_text::SharedText;

/// Risks in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct RiskList(Vec<Risk>);

impl RiskList {
    /// Adds a risk.
    pub(super) fn push(&mut self, mut risk: Risk) {
        risk.text.shrink_to_fit();
        if let Some(last) = self.0.last() {
            share(&mut risk.place, &last.place);
        }
        self.make_room(1);
        self.0.push(risk);
    }

    /// Adds the risks of a file, which are those of a list of their own.
    pub(super) fn append(&mut self, found: Vec<Risk>) {
        if self.0.is_empty() {
            self.0 = found;
        } else {
            self.make_room(found.len());
            self.0.extend(found);
        }
    }

    /// Room for more, by an eighth: a list that doubles is in memory three times while it grows.
    fn make_room(&mut self, more: usize) {
        if self.0.capacity().saturating_sub(self.0.len()) < more {
            let eighth = self.0.len() / 8;
            self.0.reserve_exact(eighth.max(more));
        }
    }

    /// The risks.
    pub(super) fn into_vec(self) -> Vec<Risk> {
        self.0
    }
}

impl Extend<Risk> for RiskList {
    fn extend<T: IntoIterator<Item = Risk>>(&mut self, risks: T) {
        risks.into_iter().for_each(|risk| self.push(risk));
    }
}

impl FromIterator<Risk> for RiskList {
    fn from_iter<T: IntoIterator<Item = Risk>>(risks: T) -> Self {
        let mut list = Self::default();
        list.extend(risks);
        list
    }
}

/// Replaces the texts of a place that are equal to those of the place before it by these.
fn share(place: &mut Place, before: &Place) {
    if place.file == before.file {
        place.file = before.file.clone();
    }
    for (text, before) in [
        (&mut place.section, &before.section),
        (&mut place.key, &before.key),
    ] {
        let equal = |known: &&SharedText| text.as_ref() == Some(*known);
        if let Some(known) = before.as_ref().filter(equal) {
            *text = Some(known.clone());
        }
    }
}

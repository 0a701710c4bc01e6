//! Risks while they are collected. A hostile file has one in each of its lines, so what neighbors have in common is in memory once.

use std::collections::BTreeMap;

use super::{Risk, RiskKind, RiskSeverity};
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

/// The risks of a file of this length: all of them, or the most severe ones and how many more there are of each kind. A hostile file has
/// more than anybody reads, and each takes many times its line in a plan; the largest real policy has some hundred.
pub(super) fn counted(found: Vec<Risk>, length: usize) -> Vec<Risk> {
    const ALWAYS: usize = 5_000;
    const BYTES_OF_ONE: usize = 64;
    let most = ALWAYS.saturating_add(length / BYTES_OF_ONE);
    let Some(last) = found.last().filter(|_| found.len() > most) else {
        return found;
    };
    let file = last.place.file.clone();
    let mut room = most;
    let mut shown = BTreeMap::new();
    for severity in [RiskSeverity::High, RiskSeverity::Medium, RiskSeverity::Low] {
        let of_it = found.iter().filter(|risk| risk.kind.severity() == severity);
        let here = of_it.count().min(room);
        room = room.saturating_sub(here);
        shown.insert(severity, here);
    }
    let (mut kept, mut more) = (Vec::with_capacity(most), Vec::<(RiskKind, usize)>::new());
    for risk in found {
        match shown.get_mut(&risk.kind.severity()) {
            Some(left) if *left > 0 => {
                *left = left.saturating_sub(1);
                kept.push(risk);
            }
            _ => match more.iter_mut().find(|(kind, _)| *kind == risk.kind) {
                Some((_, count)) => *count = count.saturating_add(1),
                None => more.push((risk.kind, 1)),
            },
        }
    }
    kept.extend(more.into_iter().map(|(kind, count)| Risk {
        kind,
        text: format!("{count} more of this kind"),
        place: Place::file(file.clone()),
    }));
    kept
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

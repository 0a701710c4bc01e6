//! Findings up to a limit, so that a file made of faults does not fill the memory with sentences about them.

use crate::message::{Code, Severity, StatusMessage};
use crate::model::reference::Place;

/// How many findings of one file, or of one GPO, are listed.
pub(super) const MAX_FINDINGS: usize = 5_000;

/// Findings in order. Those beyond [`MAX_FINDINGS`] are counted, and [`FindingList::finish`] reports how many they are, with the severity of
/// the worst of them: what fails because of a finding also fails because of one that is not listed.
#[derive(Debug, Clone, Default)]
pub(super) struct FindingList {
    listed: Vec<StatusMessage>,
    left_off: usize,
    worst: Option<Severity>,
}

impl FindingList {
    pub(super) fn push(&mut self, finding: StatusMessage) {
        if self.listed.len() < MAX_FINDINGS {
            self.listed.push(finding);
        } else {
            self.leave_off(finding.severity);
        }
    }

    fn leave_off(&mut self, severity: Severity) {
        self.left_off = self.left_off.saturating_add(1);
        self.worst = self.worst.max(Some(severity));
    }

    /// The number of findings, listed or not.
    pub(super) fn count(&self) -> usize {
        self.listed.len().saturating_add(self.left_off)
    }

    /// The findings, and one for those that are not listed.
    pub(super) fn finish(self, place: Option<Place>) -> Vec<StatusMessage> {
        let mut listed = self.listed;
        if let Some(worst) = self.worst {
            let text = match self.left_off {
                1 => "1 more finding is not listed".to_owned(),
                more => format!("{more} more findings are not listed"),
            };
            let mut rest = StatusMessage::new(worst, Code::MoreFindings, text);
            rest.place = place;
            listed.push(rest);
        }
        listed
    }
}

/// The findings of a file in a GPO that has this many already; beyond [`MAX_FINDINGS`], their number.
pub(super) fn within_limit(findings: Vec<StatusMessage>, before: usize) -> Vec<StatusMessage> {
    if before.saturating_add(findings.len()) <= MAX_FINDINGS {
        return findings;
    }
    let place = findings.iter().find_map(|finding| finding.place.clone());
    let mut rest = FindingList::default();
    for finding in findings {
        rest.leave_off(finding.severity);
    }
    rest.finish(place.map(|place| Place::file(place.file)))
}

impl Extend<StatusMessage> for FindingList {
    fn extend<T: IntoIterator<Item = StatusMessage>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_counted_and_as_severe_as_its_worst() {
        let mut list = FindingList::default();
        for _ in 0..MAX_FINDINGS {
            list.push(StatusMessage::warning(Code::UnreadText, "x"));
        }
        assert_eq!(list.clone().finish(None).len(), MAX_FINDINGS);
        list.push(StatusMessage::error(Code::BadName, "y"));
        list.push(StatusMessage::info(Code::TargetsSite, "z"));
        assert_eq!(list.count(), MAX_FINDINGS + 2);
        let few = list.clone().finish(None)[..3].to_vec();
        assert_eq!(within_limit(few.clone(), MAX_FINDINGS - 3), few);
        let beyond = within_limit(few, MAX_FINDINGS - 2);
        assert_eq!((beyond.len(), beyond[0].severity), (1, Severity::Warning));
        let found = list.finish(Some(Place::file("f")));
        let last = found.last().unwrap();
        assert_eq!(
            (found.len(), last.severity, last.code, last.text.as_str()),
            (
                MAX_FINDINGS + 1,
                Severity::Error,
                Code::MoreFindings,
                "2 more findings are not listed"
            )
        );
    }
}

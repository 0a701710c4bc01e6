//! Which of a series of moments to keep, with the words and the meaning of `restic forget --keep-*`.

use jiff::civil::DateTime;

/// How many of a series to keep. 0 means that the rule is not used; with no rule at all nothing would be kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// The newest.
    pub last: u32,
    /// The newest of each of the last days that have any.
    pub daily: u32,
    /// The newest of each of the last ISO weeks that have any.
    pub weekly: u32,
    /// The newest of each of the last months that have any.
    pub monthly: u32,
}

/// Why something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeepReason {
    /// It is among the newest.
    Last,
    /// It is the newest of its day.
    Daily,
    /// It is the newest of its week.
    Weekly,
    /// It is the newest of its month.
    Monthly,
    /// It does not say when it is from, or what of.
    Unknown,
    /// It is incomplete or damaged: it does not count as one of those kept, and only a person removes it.
    Incomplete,
    /// It still has something to be undone or cleaned up.
    Open,
}

impl KeepReason {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Unknown => "unknown",
            Self::Incomplete => "incomplete",
            Self::Open => "open",
        }
    }
}

impl Retention {
    /// For each of these moments, which come newest first, the reasons to keep it; one without a reason is removed. As in
    /// restic, the oldest is kept too while a rule has not found as many as it asks for.
    pub fn reasons(&self, newest_first: &[DateTime]) -> Vec<Vec<KeepReason>> {
        let mut rules = [
            Rule::new(self.last, KeepReason::Last, |_, index| (0, 0, index)),
            Rule::new(self.daily, KeepReason::Daily, |time, _| {
                (time.year(), time.month(), usize_of(time.day()))
            }),
            Rule::new(self.weekly, KeepReason::Weekly, |time, _| {
                let week = time.date().iso_week_date();
                (week.year(), week.week(), 0)
            }),
            Rule::new(self.monthly, KeepReason::Monthly, |time, _| {
                (time.year(), time.month(), 0)
            }),
        ];
        let oldest = newest_first.len().saturating_sub(1);
        newest_first
            .iter()
            .enumerate()
            .map(|(index, time)| {
                let keeps = |rule: &mut Rule| rule.keeps(*time, index, index == oldest);
                rules.iter_mut().filter_map(keeps).collect()
            })
            .collect()
    }
}

fn usize_of(day: i8) -> usize {
    usize::try_from(day).unwrap_or_default()
}

/// What a moment is counted by; moments of one bucket are one day, week or month.
type Bucket = (i16, i8, usize);

/// One rule, while it goes through a series.
struct Rule {
    left: u32,
    reason: KeepReason,
    bucket: fn(DateTime, usize) -> Bucket,
    last: Option<Bucket>,
}

impl Rule {
    fn new(left: u32, reason: KeepReason, bucket: fn(DateTime, usize) -> Bucket) -> Self {
        Self {
            left,
            reason,
            bucket,
            last: None,
        }
    }

    fn keeps(&mut self, time: DateTime, index: usize, is_oldest: bool) -> Option<KeepReason> {
        let bucket = (self.bucket)(time, index);
        if self.left == 0 || (self.last == Some(bucket) && !is_oldest) {
            return None;
        }
        self.left -= 1;
        self.last = Some(bucket);
        Some(self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The days of the moments that are kept, with the first letters of the reasons.
    fn kept(retention: Retention, times: &[&str]) -> Vec<String> {
        let moments: Vec<DateTime> = times.iter().map(|time| time.parse().unwrap()).collect();
        let reasons = retention.reasons(&moments);
        assert_eq!(reasons.len(), times.len());
        times
            .iter()
            .zip(reasons)
            .filter(|(_, reasons)| !reasons.is_empty())
            .map(|(time, reasons)| {
                let words: String = reasons
                    .iter()
                    .filter_map(|reason| reason.as_str().get(..1))
                    .collect();
                format!("{} {words}", time.get(5..13).unwrap())
            })
            .collect()
    }

    const TIMES: &[&str] = &[
        "2026-11-29T20:00:00", // Sunday, week 48
        "2026-11-29T03:00:00",
        "2026-11-28T03:00:00",
        "2026-11-23T03:00:00", // Monday, week 48
        "2026-11-22T03:00:00", // Sunday, week 47
        "2026-10-31T03:00:00",
        "2026-10-30T03:00:00",
        "2026-01-01T03:00:00",
        "2025-12-31T03:00:00", // the same ISO week as the first of January
    ];

    #[test]
    fn each_rule_keeps_the_newest_of_its_buckets() {
        let last = Retention {
            last: 2,
            ..Default::default()
        };
        assert_eq!(kept(last, TIMES), ["11-29T20 l", "11-29T03 l"]);
        let daily = Retention {
            daily: 3,
            ..Default::default()
        };
        assert_eq!(
            kept(daily, TIMES),
            ["11-29T20 d", "11-28T03 d", "11-23T03 d"]
        );
        let weekly = Retention {
            weekly: 4,
            ..Default::default()
        };
        assert_eq!(
            kept(weekly, TIMES),
            ["11-29T20 w", "11-22T03 w", "10-31T03 w", "01-01T03 w"]
        );
        let monthly = Retention {
            monthly: 3,
            ..Default::default()
        };
        assert_eq!(
            kept(monthly, TIMES),
            ["11-29T20 m", "10-31T03 m", "01-01T03 m"]
        );
    }

    #[test]
    fn rules_add_up_and_the_oldest_fills_a_rule_that_lacks_some() {
        let both = Retention {
            last: 1,
            weekly: 2,
            ..Default::default()
        };
        assert_eq!(kept(both, TIMES), ["11-29T20 lw", "11-22T03 w"]);
        // Only four weeks have any: the fifth place goes to the oldest.
        let weekly = Retention {
            weekly: 6,
            ..Default::default()
        };
        assert_eq!(kept(weekly, TIMES).last().unwrap(), "12-31T03 w");
        assert!(kept(Retention::default(), TIMES).is_empty());
        assert!(kept(both, &[]).is_empty());
    }
}

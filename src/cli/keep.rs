//! The options of `prune` that choose what to keep, named as in restic.

use clap::Args;

use crate::model::retention::{KeepReason, Retention};

/// What to keep; at least one of these is needed.
#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = true)]
pub(super) struct KeepArgs {
    /// Keep the N newest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep_last: Option<u32>,

    /// Keep the newest of each of the last N days that have any (UTC)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep_daily: Option<u32>,

    /// Keep the newest of each of the last N weeks that have any; weeks begin on Monday
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep_weekly: Option<u32>,

    /// Keep the newest of each of the last N months that have any
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep_monthly: Option<u32>,
}

impl KeepArgs {
    /// The rules.
    pub(super) fn retention(self) -> Retention {
        Retention {
            last: self.keep_last.unwrap_or(0),
            daily: self.keep_daily.unwrap_or(0),
            weekly: self.keep_weekly.unwrap_or(0),
            monthly: self.keep_monthly.unwrap_or(0),
        }
    }
}

/// Two cells of a table: `keep` or `delete`, and the rules that keep it.
pub(super) fn shown(keep: &[KeepReason]) -> [String; 2] {
    let action = if keep.is_empty() { "delete" } else { "keep" };
    let reasons: Vec<&str> = keep.iter().map(|reason| reason.as_str()).collect();
    [action.to_owned(), reasons.join(", ")]
}

//! Set status: enables or disables the halves of a GPO, `flags` [MS-GPOL 2.2.4]. Clients read it each time, so the version is
//! unchanged.

use super::plan::{Plan, Step, Verb};
use super::progress::Control;
use super::read;
use super::rights;
use crate::directory::GpoObject;
use crate::error::Result;
use crate::session::DomainSession;

/// Which halves of a GPO are enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Both.
    All,
    /// Only the computer half.
    Computer,
    /// Only the user half.
    User,
    /// Neither.
    None,
}

impl Status {
    /// The bits of `flags`: 1 disables the user half, 2 the computer half.
    pub fn bits(self) -> u32 {
        match self {
            Self::All => 0,
            Self::Computer => 1,
            Self::User => 2,
            Self::None => 3,
        }
    }
}

/// Why a number is not a status: part of a sentence. `flags` has two bits [MS-GPOL 2.2.4]; a number with others would be shown as one
/// of the four states and written as something else.
pub(super) fn fault(flags: u32) -> Option<String> {
    (flags > Status::None.bits()).then(|| format!("flags {flags}, and a GPO has 0 to 3"))
}

/// Plans another status for a GPO. Bits of `flags` that have no meaning are cleared. Writes nothing.
///
/// # Errors
/// `Denied` when the account may not edit the GPO.
pub async fn plan(
    session: &DomainSession,
    object: &GpoObject,
    status: Status,
    control: &Control,
) -> Result<Plan> {
    let live = read::read_gpo(session, object, control).await?;
    let plan = Plan {
        steps: vec![Step::SetStatus {
            from: object.flags,
            to: status.bits(),
        }],
        ..Plan::of_existing(Verb::SetStatus, &live)
    };
    rights::check(session, &plan).await?;
    Ok(plan)
}

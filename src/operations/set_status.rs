//! Set status: enables or disables the halves of a GPO, `flags` [MS-GPOL 2.2.4]. Clients read it each time, so the version is
//! unchanged.

use crate::directory::GpoObject;
use crate::error::Result;
use crate::execute::rights;
use crate::plan::Plan;
use crate::plan::gpo::{GpoPlan, Step, Verb};
use crate::progress::Control;
use crate::session::DomainSession;
use crate::session::read;

/// Which halves of a GPO are enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
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
    let plan = GpoPlan {
        steps: vec![Step::SetStatus {
            from: object.flags,
            to: status.bits(),
        }],
        ..GpoPlan::of_existing(Verb::SetStatus, &live)
    };
    rights::check(session, &plan).await?;
    Ok(Plan::of(plan))
}

//! Permissions that lock out the account that sets them: reported in the plan, and set last.

use crate::directory::DomainInfo;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage};
use crate::model::access::{AccessDecision, check};
use crate::model::access_mask::{directory, standard};
use crate::model::security_descriptor::{Ace, SecurityDescriptor, ace_flag};
use crate::model::sid::Sid;
use crate::plan::gpo::{GpoPlan, Step};

/// A plan with permissions that lock out this account.
#[derive(Debug)]
pub(crate) struct SelfLockout {
    planned: SecurityDescriptor,
    own: Sid,
    reads: bool,
}

impl SelfLockout {
    /// Whether the plan sets permissions that do not permit this account to read and edit the GPO any more. `None` when they
    /// do, and when the server does not report the SIDs of the account.
    pub(crate) fn of(info: &DomainInfo, plan: &GpoPlan) -> Option<Self> {
        let (token, own) = (info.token.as_ref()?, info.user_sid.clone()?);
        let planned = plan.steps.iter().find_map(|step| match step {
            Step::SetSecurityDescriptor { descriptor, .. } => {
                SecurityDescriptor::parse(&descriptor.0).ok()
            }
            _ => None,
        })?;
        let may = |mask| check(&planned, token, mask, None) == AccessDecision::Granted;
        let reads = may(directory::READ_PROPERTY | standard::READ_CONTROL);
        if reads && may(directory::WRITE_PROPERTY) {
            return None;
        }
        Some(Self {
            planned,
            own,
            reads,
        })
    }

    /// The warning.
    pub(crate) fn message(&self) -> StatusMessage {
        let what = if self.reads { "edit" } else { "read or edit" };
        StatusMessage::warning(
            Code::LocksYouOut,
            format!(
                "with these permissions this account can no longer {what} the GPO; they are set last"
            ),
        )
        .with_hint("make sure that you have an account that can; the owner of the GPO can change the permissions too")
    }

    /// The permissions to use until then: those of the plan, and full access for this account.
    ///
    /// # Errors
    /// `Internal` when they do not fit into a descriptor.
    pub(crate) fn while_working(&self) -> Result<Vec<u8>> {
        let mut descriptor = self.planned.clone();
        if let Some(dacl) = &mut descriptor.dacl {
            let own = Ace::allow(
                ace_flag::CONTAINER_INHERIT,
                directory::EDIT_DELETE_MODIFY_SECURITY,
                self.own.clone(),
            );
            dacl.aces.insert(0, own);
        }
        descriptor.to_bytes().map_err(|cause| {
            Error::new(ErrorKind::Internal, "the permissions cannot be written").with_source(cause)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::AccessToken;
    use crate::model::sddl::{from_sddl, to_sddl};

    #[test]
    fn who_works_comes_first() {
        let own: Sid = "S-1-5-21-1-2-3-1104".parse().unwrap();
        let domain: Sid = "S-1-5-21-1-2-3".parse().unwrap();
        let planned = from_sddl("O:DAG:DAD:P(D;;RPWP;;;DU)(A;CI;RP;;;AU)", Some(&domain)).unwrap();
        let self_lockout = SelfLockout {
            planned,
            own: own.clone(),
            reads: false,
        };
        let working = SecurityDescriptor::parse(&self_lockout.while_working().unwrap()).unwrap();
        assert!(
            to_sddl(&working)
                .contains("D:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;S-1-5-21-1-2-3-1104)(D;"),
            "{}",
            to_sddl(&working)
        );
        let token = AccessToken::new([own, "S-1-5-21-1-2-3-513".parse().unwrap()]);
        let wanted = directory::READ_PROPERTY | directory::WRITE_PROPERTY;
        assert_eq!(
            check(&working, &token, wanted, None),
            AccessDecision::Granted
        );
    }
}

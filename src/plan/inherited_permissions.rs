//! What a plan says when the SMB client cannot write security descriptors.

use super::gpo::GpoPlan;
use crate::error::FOR_SMB2;
use crate::message::{Code, StatusMessage};
use crate::session::DomainSession;

/// The warning in the plan when the SMB client cannot write security descriptors, with the command that repairs it.
pub(crate) fn descriptors_not_set(
    session: &DomainSession,
    plan: &GpoPlan,
) -> Option<StatusMessage> {
    if session.sysvol().has_exact_descriptors() {
        return None;
    }
    let text = if session.info().is_samba() {
        "this SMB client cannot write security descriptors, so new files and folders on SYSVOL inherit theirs: samba-tool ntacl sysvolcheck reports them, and a delegated editor may be unable to change them"
    } else if plan.target.create {
        "this SMB client cannot write security descriptors, so the folder of the new GPO inherits its permissions from the folder Policies"
    } else {
        // On Windows, new files inherit from the existing folder, which is right.
        return None;
    };
    Some(
        StatusMessage::warning(Code::DescriptorsNotSet, text).with_hint(format!(
            "--smb-client smb2 can; {FOR_SMB2}; to repair the permissions later: gpoctl check '{}' --fix --smb-client smb2 --domain {}",
            plan.target.guid, plan.target.domain
        )),
    )
}

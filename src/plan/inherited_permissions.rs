//! What a plan says when the SMB client cannot write security descriptors.

use super::gpo::GpoPlan;
use crate::message::{Code, StatusMessage};
use crate::model::guid::Guid;
use crate::session::DomainSession;

/// The warning in the plan when the SMB client cannot write security descriptors.
pub(crate) fn descriptors_not_set(
    session: &DomainSession,
    plan: &GpoPlan,
) -> Option<StatusMessage> {
    if session.sysvol().has_exact_descriptors() {
        return None;
    }
    let text = if session.info().is_samba() {
        ON_SAMBA
    } else if plan.target.create {
        "this SMB client cannot write security descriptors, so the folder of the new GPO inherits its permissions from the folder Policies"
    } else {
        // On Windows, new files inherit from the existing folder, which is right.
        return None;
    };
    Some(StatusMessage::warning(Code::DescriptorsNotSet, text))
}

const ON_SAMBA: &str = "this SMB client cannot write security descriptors, so new files and folders on SYSVOL inherit theirs: samba-tool ntacl sysvolcheck reports them, and a delegated editor may be unable to change them";

/// The same for a repair that writes a file of this GPO on Samba.
pub(crate) fn descriptor_of_file_not_set(guid: Guid) -> StatusMessage {
    StatusMessage::warning(Code::DescriptorsNotSet, ON_SAMBA).of_gpo(guid.to_string())
}

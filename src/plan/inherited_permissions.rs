//! What a plan says when files on SYSVOL do not get the permissions that follow from those of the GPO: the SMB client cannot write
//! security descriptors, or the server refuses their order.

use super::folder_rights::derived_descriptor;
use super::gpo::{GpoPlan, Step};
use super::values::ValueChange;
use super::{Change, Plan};
use crate::message::{Code, StatusMessage};
use crate::model::guid::Guid;
use crate::model::security_descriptor::FileEntries;
use crate::session::DomainSession;

/// The warning in the plan when the SMB client cannot write security descriptors.
pub(crate) fn descriptors_not_set(
    session: &DomainSession,
    plan: &GpoPlan,
) -> Option<StatusMessage> {
    if session.sysvol().has_exact_descriptors() {
        return order_not_set(session, plan);
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

/// Makes the plan say what this session's SMB client does: a saved plan may have been made with another one.
pub(crate) fn for_this_client(plan: &mut Plan, session: &DomainSession) {
    let is_it = |message: &StatusMessage| message.code == Code::DescriptorsNotSet;
    if session.sysvol().has_exact_descriptors() {
        plan.messages.retain(|message| !is_it(message));
    }
    let mut files = Vec::new();
    for change in &mut plan.changes {
        match change {
            Change::Gpo(gpo) if session.sysvol().has_exact_descriptors() => {
                gpo.messages.retain(|message| !is_it(message));
            }
            Change::Gpo(gpo) if writes_files(gpo) && !gpo.messages.iter().any(is_it) => {
                let message = descriptors_not_set(session, gpo);
                gpo.messages.extend(message);
            }
            Change::Value(planned) => {
                if let ValueChange::GptIni {
                    guid,
                    descriptor: Some(_),
                    ..
                } = &planned.change
                {
                    files.push(descriptor_of_file_not_set(*guid));
                }
            }
            Change::Gpo(_) => {}
        }
    }
    if session.info().is_samba() && !session.sysvol().has_exact_descriptors() {
        files.retain(|message| !plan.messages.contains(message));
        plan.messages.extend(files);
    }
}

fn writes_files(plan: &GpoPlan) -> bool {
    plan.steps.iter().any(|step| {
        matches!(
            step,
            Step::CreateGpo { .. } | Step::StageFiles { .. } | Step::WriteGptIni { .. }
        )
    })
}

/// The warning when the permissions that the GPO will have deny after they allow.
fn order_not_set(session: &DomainSession, plan: &GpoPlan) -> Option<StatusMessage> {
    let known = session.sysvol().file_entries();
    if !session.info().is_samba() || known == Some(FileEntries::WithObjectAces) {
        return None;
    }
    let planned = plan.steps.iter().find_map(|step| match step {
        Step::SetSecurityDescriptor { descriptor, .. } => Some(descriptor),
        _ => None,
    });
    let present = || plan.basis.as_ref()?.descriptor.as_ref();
    let entries = FileEntries::WithoutObjectAces;
    let derived = derived_descriptor(&planned.or_else(present)?.0, entries).ok()?;
    let refused = !entries.stores(&derived.descriptor);
    refused.then(|| {
        refused_order(match (plan.target.create, known) {
            (false, Some(_)) => Written::Files,
            (false, None) => Written::FilesIfRefused,
            (true, Some(_)) => Written::Folder,
            (true, None) => Written::FolderIfRefused,
        })
    })
}

/// What is written of a GPO whose permissions are in an order that the server refuses on files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Nothing,
    /// GPT.INI alone.
    GptIni,
    /// Files in the folder of an existing GPO.
    Files,
    /// The same, and whether the server is one that refuses the order is not known yet.
    FilesIfRefused,
    /// The folder of a new GPO.
    Folder,
    /// The same, and whether the server is one that refuses the order is not known yet.
    FolderIfRefused,
}

impl Written {
    /// What becomes of the permissions on SYSVOL.
    fn outcome(self) -> &'static str {
        match self {
            Self::Nothing => "those on SYSVOL are not repaired",
            Self::GptIni => "the new GPT.INI inherits its permissions from the folder of the GPO",
            Self::Files | Self::FilesIfRefused => {
                "the folder keeps its permissions and new files inherit theirs"
            }
            Self::Folder | Self::FolderIfRefused => {
                "on the new folder of the GPO the entries that deny come first, and new files inherit from it"
            }
        }
    }
}

/// The finding about a GPO whose permissions deny after they allow, an order that Samba 4.25 refuses on files
/// ([`FileEntries::stores`]).
pub(crate) fn refused_order(written: Written) -> StatusMessage {
    let outcome = written.outcome();
    let text = match written {
        Written::FilesIfRefused | Written::FolderIfRefused => {
            format!(
                "the permissions of the GPO have an entry that denies after one that allows; Samba 4.25 refuses that order on files, and on such a server {outcome}"
            )
        }
        _ => format!(
            "the permissions of the GPO have an entry that denies after one that allows, and this version of Samba refuses that order on files, so {outcome}"
        ),
    };
    StatusMessage::warning(Code::DenyAfterAllow, text).with_hint(Code::DenyAfterAllow.action())
}

/// The same for a change that writes GPT.INI of this GPO.
pub(crate) fn order_of_gpt_ini_refused(guid: Guid) -> StatusMessage {
    refused_order(Written::GptIni).of_gpo(guid.to_string())
}

const ON_SAMBA: &str = "this SMB client cannot write security descriptors, so new files and folders on SYSVOL inherit theirs: samba-tool ntacl sysvolcheck reports them, a delegated editor may be unable to change them, and whoever may create GPOs may change those of a new GPO";

/// The same for a repair that writes a file of this GPO on Samba.
pub(crate) fn descriptor_of_file_not_set(guid: Guid) -> StatusMessage {
    StatusMessage::warning(Code::DescriptorsNotSet, ON_SAMBA).of_gpo(guid.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::operations::{create, rename};
    use crate::session::DomainWriter;
    use crate::testing::domain::MemoryDomain;
    use crate::testing::sysvol::{SysvolClientKind, SysvolLogin};

    async fn connect(domain: &MemoryDomain, kind: SysvolClientKind) -> DomainWriter {
        let account = "Administrator";
        let sids = domain.directory().sids(account).unwrap();
        let login = SysvolLogin::new(sids[0].clone(), sids[1].clone(), sids[2..].to_vec());
        let directory = domain.directory().connect(account).unwrap();
        let sysvol = domain.sysvol().connect_as(login, kind);
        DomainWriter::from_ports(Arc::new(directory), Arc::new(sysvol))
            .await
            .unwrap()
    }

    /// How often the plan says that permissions are not set, when it is applied with this client.
    fn said(plan: &Plan, client: &DomainWriter) -> usize {
        let mut plan = plan.clone();
        for_this_client(&mut plan, client.session());
        for_this_client(&mut plan, client.session());
        let is_it = |it: &&StatusMessage| it.code == Code::DescriptorsNotSet;
        plan.findings().filter(is_it).count()
    }

    #[tokio::test]
    async fn a_saved_plan_says_what_the_client_that_applies_it_does() {
        let domain = MemoryDomain::new("src.test").unwrap();
        let exact = connect(&domain, SysvolClientKind::Smb2).await;
        let other = connect(&domain, SysvolClientKind::Libsmbclient).await;
        let of_exact = create::plan(exact.session(), "New").await.unwrap();
        let of_other = create::plan(other.session(), "New").await.unwrap();
        let counts = [&of_exact, &of_other].map(|plan| [said(plan, &exact), said(plan, &other)]);
        assert_eq!(counts, [[0, 1], [0, 1]]);
        let gpos = exact.session().directory().gpos().await.unwrap();
        let control = crate::progress::Control::default();
        let renamed = rename::plan(exact.session(), &gpos[0], "Other", &control);
        assert_eq!(said(&renamed.await.unwrap(), &other), 0);
    }

    #[tokio::test]
    async fn so_does_a_saved_repair() {
        let domain = MemoryDomain::new("src.test").unwrap();
        let exact = connect(&domain, SysvolClientKind::Smb2).await;
        let other = connect(&domain, SysvolClientKind::Libsmbclient).await;
        let mut plan = Plan::new("repair", &exact.session().info().dns_domain);
        plan.push(
            ValueChange::GptIni {
                guid: crate::model::well_known::DEFAULT_GPOS[0],
                old: None,
                new: None,
                descriptor: Some(crate::plan::gpo::FileContent(bytes::Bytes::new())),
            },
            Vec::new(),
        );
        assert_eq!([said(&plan, &exact), said(&plan, &other)], [0, 1]);
    }
}

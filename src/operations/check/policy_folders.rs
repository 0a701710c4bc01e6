//! Folders on SYSVOL that belong to no GPO.

use super::facts;
use crate::directory::unreadable::{Existence, Existences, READ_WITH_MORE_RIGHTS};
use crate::domain::sysvol::SysvolPath;
use crate::error::Result;
use crate::message::{Code, StatusMessage, printable};
use crate::model::guid::Guid;
use crate::model::reference::Place;
use crate::session::DomainSession;
use crate::sysvol::gpt::{self, left_probe};

/// The folders below `Policies` of SYSVOL that belong to no GPO, by what is in them.
pub(super) async fn without_gpo(
    session: &DomainSession,
    known: &Existences,
    messages: &mut Vec<StatusMessage>,
) -> Result<()> {
    let (folders, others) = facts::policy_folders(session).await?;
    let mut unknown = Vec::new();
    for guid in folders {
        match known.of(guid) {
            Existence::Absent => messages.push(folder(session, guid).await?),
            Existence::Unknown => unknown.push(guid),
            Existence::Readable | Existence::Unreadable => {}
        }
    }
    if !unknown.is_empty() {
        let (folders, whether) = match unknown.len() {
            1 => ("1 folder".to_owned(), "whether it belongs to a GPO"),
            number => (format!("{number} folders"), "whether they belong to GPOs"),
        };
        let names: Vec<String> = unknown.iter().take(5).map(Guid::to_string).collect();
        let others = if unknown.len() > names.len() {
            ", …"
        } else {
            ""
        };
        messages.push(
            StatusMessage::warning(
                Code::UnlistedGpos,
                format!(
                    "SYSVOL contains {folders} of which this account does not see a GPO, and {whether} is not known: {}{others}",
                    names.join(", ")
                ),
            )
            .with_hint(READ_WITH_MORE_RIGHTS),
        );
    }
    // PolicyDefinitions and Starter GPOs belong there.
    for name in others {
        if let Some(probe) = left_probe(&name) {
            messages.push(probe);
        } else if let Some(hint) = odd_name(&name) {
            messages.push(
                StatusMessage::warning(
                    Code::OddPolicyFolder,
                    format!(
                        "SYSVOL contains the folder \"{}\", which does not belong to any GPO",
                        printable(&name)
                    ),
                )
                .at(Place::file(printable(&name)))
                .with_hint(hint),
            );
        }
    }
    Ok(())
}

/// The next step for a folder that has no GUID for a name; `None` for one that need not belong to a GPO.
fn odd_name(name: &str) -> Option<&'static str> {
    // FRS renames a folder to `name_NTFRS_xxxxxxxx` when two domain controllers created the same one.
    if name.to_ascii_uppercase().contains("_NTFRS_") {
        return Some(
            "replication renames a folder when two domain controllers created the same one; compare the two and remove this one by hand",
        );
    }
    name.contains('{')
        .then_some("somebody or a program made it; find out who and what for, before you remove it")
}

/// The finding about a folder with the name of a GPO that does not exist.
async fn folder(session: &DomainSession, guid: Guid) -> Result<StatusMessage> {
    let path = SysvolPath::gpo(&session.info().dns_domain, guid);
    let finding = match session.sysvol().list(&path).await {
        Ok(listing) => {
            let mut names = listing.entries.iter().map(|entry| entry.name.as_str());
            match names.any(is_of_a_gpo) {
                true => StatusMessage::warning(
                    Code::FolderWithoutGpo,
                    format!("SYSVOL contains the folder {guid}, but the directory contains no such GPO"),
                )
                .with_hint("wait for replication; then save the folder and remove it by hand, or restore the GPO from a backup"),
                // Azure AD Password Protection keeps its data in {4A9AB66B-4365-4C2A-996C-58ED9927332D}.
                false => StatusMessage::info(
                    Code::NotAGpo,
                    format!("the folder {guid} on SYSVOL is not that of a GPO: it has neither GPT.INI nor Machine or User"),
                )
                .with_hint("some products keep data there, such as Azure AD Password Protection; do not remove it before you know whose it is"),
            }
        }
        Err(error) if gpt::is_local(&error) => StatusMessage::warning(
            Code::FolderWithoutGpo,
            format!("SYSVOL contains the folder {guid}, which this account may not list, and the directory contains no such GPO"),
        )
        .with_hint(READ_WITH_MORE_RIGHTS),
        Err(error) => return Err(error),
    };
    Ok(finding.at(Place::file(guid.to_string())))
}

/// Whether the folder of a GPO has an entry of this name [MS-GPOL 2.2.4].
fn is_of_a_gpo(name: &str) -> bool {
    ["GPT.INI", "Machine", "User"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

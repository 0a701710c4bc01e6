//! The next steps that are commands or options: made here from the codes of findings and the causes of errors, because the library
//! knows neither.

use std::borrow::Cow;

use crate::error::{Error, FOR_SMB2, Remedy};
use crate::execute::journal::{Journal, OperationState, StoredOperation, list};
use crate::execute::{OperationResult, is_superseded, short_id};
use crate::message::{Code, Severity, StatusMessage, shell_word};
use crate::plan::{Change, Plan};

/// Adds the next step to each finding without one.
pub(super) fn complete<'a>(messages: impl IntoIterator<Item = &'a mut StatusMessage>) {
    for message in messages {
        if message.hint.is_none() {
            message.hint = hint(message).map(Cow::into_owned);
        }
    }
}

/// Adds the next step to each finding of a plan; those that repair its GPOs name them.
pub(super) fn complete_plan(plan: &mut Plan) {
    let domain = plan.domain.clone();
    let not_set =
        |message: &StatusMessage| message.code == Code::DescriptorsNotSet && message.hint.is_none();
    let repair = |gpo: &str| {
        format!(
            "--smb-client smb2 can; {FOR_SMB2}; to repair the permissions later: gpoctl check {} --fix --smb-client smb2 --domain {domain}",
            shell_word(gpo)
        )
    };
    for change in &mut plan.changes {
        if let Change::Gpo(gpo) = change {
            let guid = gpo.target.guid.to_string();
            let messages = gpo.messages.iter_mut().filter(|it| not_set(it));
            messages.for_each(|message| message.hint = Some(repair(&guid)));
        }
    }
    for message in plan.messages.iter_mut().filter(|it| not_set(it)) {
        message.hint = message.gpo.as_deref().map(repair);
    }
    complete(plan.findings_mut());
}

/// Adds the next step to each finding of an operation that has ended; those that it is named in need its ID.
pub(super) fn complete_result(result: &mut OperationResult) {
    let id = short_id(&result.operation_id).to_owned();
    for message in &mut result.messages {
        if message.code == Code::ForeignFilesKept {
            message.hint = Some(format!(
                "save what is needed of it and remove the folder by hand, then run: gpoctl operations cleanup {id}"
            ));
        }
    }
    complete(&mut result.messages);
}

/// Adds the next step to each finding of an error.
pub(super) fn completed(mut error: Error) -> Error {
    // The findings of this one are the placeholders, which its own hint is for.
    if error.remedy() != Some(&Remedy::DefinePlaceholders) {
        complete(error.details_mut());
    }
    error
}

/// The next step of an error: in the words of the command if it has a remedy, otherwise its own.
pub(super) fn of(error: &Error) -> Option<Cow<'_, str>> {
    match error.remedy() {
        Some(remedy) => said(remedy).or(error.hint().map(Cow::Borrowed)),
        None => error.hint().map(Cow::Borrowed),
    }
}

/// The options and commands of a remedy.
fn said(remedy: &Remedy) -> Option<Cow<'static, str>> {
    let path = |path: &std::path::Path| shell_word(&path.to_string_lossy());
    let text = match remedy {
        Remedy::CleanUpOperation(id) => {
            return owned(format!("remove them first: gpoctl operations cleanup {id}"));
        }
        // The command that reports it names the operation.
        Remedy::KeepChangesOfOthers => return None,
        Remedy::RollBackOperation(id) => {
            let id = short_id(id);
            return owned(format!("roll it back first: gpoctl operations undo {id}"));
        }
        Remedy::WithoutJournal { journal, backup } => {
            let back = match backup {
                Some(backup) => format!(
                    "to go back to the state before it: gpoctl restore {}",
                    path(backup)
                ),
                None => "it kept no backup: gpoctl check --all shows whether it left something"
                    .to_owned(),
            };
            return owned(format!(
                "nothing was changed; {back}; then delete the folder {}",
                path(journal)
            ));
        }
        Remedy::PlanUndoAgain(id) => {
            let id = short_id(id);
            return owned(format!(
                "nothing was changed; make the plan again: gpoctl operations undo {id} --plan-out FILE"
            ));
        }
        Remedy::ListLinksOf(som, domain) => {
            let som = shell_word(som);
            return owned(format!(
                "to list its links: gpoctl link list {som} --domain {domain}"
            ));
        }
        Remedy::ListGpos(domain) => {
            return owned(format!("to list the GPOs: gpoctl list --domain {domain}"));
        }
        Remedy::GiveAsFolderOfBackups(folder) => {
            return owned(format!(
                "it is a folder of backups: give it as --backup-dir {}",
                path(folder)
            ));
        }
        Remedy::ListBackups(folder) => {
            return owned(format!(
                "to list the backups: gpoctl backups list {}",
                path(folder)
            ));
        }
        Remedy::OrUseSmb2(other) => {
            return owned(format!("{other}, or use --smb-client smb2; {FOR_SMB2}"));
        }
        Remedy::GivePinOf(server) => {
            return owned(format!(
                "check its SHA-256 on the domain controller and give it with --tls-pin: openssl s_client -connect {server}:636 \
                 </dev/null | openssl x509 -noout -fingerprint -sha256"
            ));
        }
        Remedy::UseTicketsOrSmb2 => {
            return owned(format!(
                "use tickets for both domains, or --smb-client smb2; {FOR_SMB2}"
            ));
        }
        Remedy::AcceptOlderDialect => {
            "enable SMB 3 on the domain controller; --smb-min-dialect accepts an older one, and a domain controller that has SMB 3 \
             answers so only when somebody changed the request on the way"
        }
        Remedy::EnableAesOrAllowRc4 => {
            "enable AES for the accounts of the user and the domain controller, or accept RC4 with --allow-rc4"
        }
        Remedy::GiveAuthorityOrPin => {
            "give the PEM file of the authority with --tls-ca, or the SHA-256 of a self-signed certificate with --tls-pin"
        }
        Remedy::GiveNameOfCertificate => "give --server the name that the certificate carries",
        Remedy::DefinePlaceholders => "give each of them a value with --define NAME=VALUE",
        Remedy::ChangeSourceOrNotExclusive => {
            "change it in the source, or omit --exclusive; nothing was written"
        }
        Remedy::ListOperations => {
            "to list the operations of this user on this computer: gpoctl operations list"
        }
        Remedy::RestoreSafetyBackup => {
            "nothing was changed; to discard the later changes, restore the backup that gpoctl operations show names"
        }
        Remedy::AllowPartial => {
            "make the backup again with an account that may read everything, or accept what is missing with --allow-partial"
        }
        Remedy::AcceptDamaged => {
            "use another backup, or check each of these files and repeat the command with --accept-damaged"
        }
        Remedy::AllowPasswords => {
            "remove the passwords from the source GPO, or write them on purpose with --allow-cpassword"
        }
        Remedy::ExportWmiFilter => "export one with GPMC or with: gpoctl wmi export",
        Remedy::RenameOrReplaceWmiFilter => {
            "use --name to import it under another name, or --replace to change the existing one"
        }
        Remedy::LinkWmiFilterAfterwards => {
            "import without --relink-wmi-filter, and use gpoctl wmi link"
        }
        Remedy::ImportInstead => {
            "use gpoctl import, which maps users, groups and UNC paths to another domain"
        }
        Remedy::SetStatusOfSource => {
            "in a backup it is Options of Backup.xml, in a domain `gpoctl set-status` sets it"
        }
        Remedy::SetStatusFirst => "nothing was changed; run `gpoctl set-status` for it first",
        Remedy::ChangeLink => "to change that link: gpoctl link set",
        Remedy::ListAllLinks => {
            "only these can have links; to list all links: gpoctl link list --all"
        }
        Remedy::ConnectToDomainOfPlan => "apply it with --domain of the plan's domain",
        Remedy::NameBackup => {
            "name the {ID} folder of a backup; gpoctl backups list DIR shows those of a folder"
        }
        Remedy::NameBackupOrFolder => {
            "name the {ID} folder of a backup, or give --backup-dir to find it by ID or GPO name"
        }
        Remedy::NameFolderOfBackups => {
            "name the folder that was given to gpoctl backup --to, or to GPMC"
        }
        Remedy::VerifyBackup => {
            "use another backup of the GPO; gpoctl backups verify reports what else is damaged"
        }
        Remedy::CheckControllerAndDomain => {
            "check the name of the domain controller (--server) and its domain (--domain)"
        }
        Remedy::CheckDomainControllerAndAddress => "check --domain, --server and --address",
        Remedy::NameController => "if it is one, name it with --server",
        Remedy::NameControllerOrNameserver => {
            "name one with --server, or the domain's DNS server with --nameserver"
        }
        Remedy::GiveAddressOrNameserver => {
            "check the name, give its IP address with --address, or have a DNS server of the domain find it: --nameserver without --server"
        }
        Remedy::CheckNetworkOrRaiseTimeout => {
            "check the address and the network, or raise --timeout"
        }
        Remedy::GiveUserWithDomain => "write NAME@REALM, DOM\\NAME, or NAME with --domain",
        Remedy::GiveUserWithRealm => "write the user as NAME@REALM, or give --domain",
        Remedy::GiveAuthority => "give the PEM file of the domain's authority with --tls-ca",
        Remedy::GiveAuthorityAsPem => "--tls-ca takes certificates in PEM form",
        Remedy::UseSmb2 => return owned(format!("use --smb-client smb2; {FOR_SMB2}")),
        Remedy::UseSmb2OrBuildWithLibsmbclient => {
            "use --smb-client smb2, or build with the feature libsmbclient"
        }
        Remedy::UseLibsmbclient if cfg!(feature = "libsmbclient") => {
            "use --smb-client libsmbclient, or let the domain controller accept AES-128-GCM or AES-128-CCM"
        }
        Remedy::UseLibsmbclient => {
            "let the domain controller accept AES-128-GCM or AES-128-CCM, or build gpoctl with the feature libsmbclient and use --smb-client \
             libsmbclient"
        }
    };
    Some(Cow::Borrowed(text))
}

fn owned(text: String) -> Option<Cow<'static, str>> {
    Some(Cow::Owned(text))
}

fn hint(message: &StatusMessage) -> Option<Cow<'static, str>> {
    let gpo = message.gpo.as_deref().map(shell_word);
    let gpo = gpo.as_deref().unwrap_or("GPO");
    let text = match message.code {
        Code::OutOfScope => "use --scope all to map every place",
        Code::WouldMatchByPrefix => "add a row for it, or use --unc-match prefix",
        Code::UnmappedReference if message.severity != Severity::Info => {
            "add a row for it with gpoctl migtable set, or make a table with gpoctl migtable populate"
        }
        Code::RelativeNameUnknown => {
            "add --against BACKUP to find its name, or give the row a destination: gpoctl migtable set"
        }
        Code::SourceStays => "give the row a destination: gpoctl migtable suggest, or set",
        Code::LeftoverPlaceholder => "fill in the template before use: gpoctl migtable fill",
        Code::UncDestinationNone | Code::UncByRelativeName => {
            "give the row a path or \"same as source\": gpoctl migtable set, with --to or --same"
        }
        Code::LinksNotRestored => "use --with-links to restore them too",
        Code::WmiFilterMissing => {
            return owned(format!(
                "remove the link with: gpoctl wmi link {gpo} --none"
            ));
        }
        Code::WmiLinkBroken => {
            return owned(format!(
                "to remove it: gpoctl wmi link {gpo} --none; to set another: gpoctl wmi link {gpo} FILTER"
            ));
        }
        Code::FunctionalityVersion => "gpoctl check --fix sets it to 2",
        Code::ExtensionsCase | Code::ExtensionsOrder => "gpoctl check --fix sorts it",
        Code::DescriptorDiffers => "gpoctl check --fix sets them",
        Code::MixedPermissions => {
            "gpoctl check --all --fix tries which permissions this server accepts, and sets these everywhere; with --dry-run or --plan-out it does not try"
        }
        Code::LeftoverStaging => {
            let operations = Journal::default_root().and_then(|root| list(&root));
            return leftover(message, &operations.unwrap_or_default());
        }
        Code::DescriptorsNotRead => return owned(format!("use --smb-client smb2; {FOR_SMB2}")),
        Code::SiteUnknown => "give the site of the computer with --site",
        _ => return None,
    };
    Some(Cow::Borrowed(text))
}

/// What to do with the files that an operation left in the folder of a GPO, by how it ended: its name holds the end of the ID, as in
/// `.gpoctl-<id>-new-Machine`.
fn leftover(message: &StatusMessage, operations: &[StoredOperation]) -> Option<Cow<'static, str>> {
    let id = message.place.as_ref()?.file.split('-').nth(1)?.to_owned();
    let is_it = |operation: &&StoredOperation| short_id(&operation.id) == id;
    let Some(operation) = operations.iter().find(is_it) else {
        return owned(format!(
            "its journal is not here: run gpoctl operations show {id} as the user and on the computer that ran it; if that is unfinished, use gpoctl operations undo {id}; if it is left-over, gpoctl operations cleanup {id}"
        ));
    };
    let is_closed_by_others = || is_superseded(operation).unwrap_or_default();
    owned(match operation.state {
        OperationState::Running => format!("operation {id} is still running: wait for its end"),
        OperationState::Unfinished if is_closed_by_others() => {
            format!(
                "others have changed the same since; to close it: gpoctl operations cleanup {id}"
            )
        }
        OperationState::Unfinished => format!("roll it back: gpoctl operations undo {id}"),
        OperationState::LeftOver => {
            format!("it is complete; remove its old files: gpoctl operations cleanup {id}")
        }
        state => format!(
            "operation {id} is {}: look at it with gpoctl operations show {id}, and remove this by hand",
            state.as_str()
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::model::reference::Place;
    use crate::plan::gpo::{GpoPlan, PlanTarget, Verb};

    #[test]
    fn findings_and_errors_get_the_step_that_the_library_cannot_name() {
        let mut own = StatusMessage::info(Code::OutOfScope, "x").with_hint("kept");
        let mut other = StatusMessage::warning(Code::DanglingLink, "x");
        let mut info = StatusMessage::info(Code::UnmappedReference, "x");
        complete([&mut own, &mut other, &mut info]);
        assert_eq!(own.hint.as_deref(), Some("kept"));
        assert_eq!((other.hint, info.hint), (None, None));
        let mut broken = StatusMessage::error(Code::WmiFilterMissing, "x").of_gpo("Kiosk A");
        complete([&mut broken]);
        assert_eq!(
            broken.hint.as_deref(),
            Some("remove the link with: gpoctl wmi link 'Kiosk A' --none")
        );

        let finding = StatusMessage::warning(Code::SourceStays, "x");
        let error = Error::new(ErrorKind::Unmapped, "x")
            .with_hint("change it in the source")
            .with_remedy(Remedy::ChangeSourceOrNotExclusive)
            .with_details(vec![finding]);
        let error = completed(error);
        assert!(of(&error).unwrap().contains("--exclusive"));
        let hint = error.details()[0].hint.as_deref();
        assert!(hint.unwrap().contains("gpoctl migtable suggest"));
        let again = Remedy::PlanUndoAgain("20240102-030405-c358846f".to_owned());
        let error_of_undo = Error::new(ErrorKind::BadInput, "x")
            .with_hint("make the plan again")
            .with_remedy(again);
        assert_eq!(
            of(&error_of_undo).as_deref(),
            Some(
                "nothing was changed; make the plan again: gpoctl operations undo c358846f --plan-out FILE"
            )
        );
        // A hint that is added later is that of another error.
        assert_eq!(of(&error.with_hint("y")).as_deref(), Some("y"));
    }

    #[test]
    fn the_step_for_left_files_depends_on_how_the_operation_ended() {
        let root = tempfile::tempdir().unwrap();
        for (id, events) in [
            ("00000001", ""),
            ("00000002", "{\"event\":\"committed\"}\n"),
            ("00000003", "{\"event\":\"finished\"}\n"),
        ] {
            let folder = root.path().join(format!("20260131T120000.250Z-{id}"));
            std::fs::create_dir(&folder).unwrap();
            let plan = Plan::new("x", &"src.test".parse().unwrap());
            std::fs::write(folder.join("plan.json"), plan.to_json().unwrap()).unwrap();
            std::fs::write(folder.join("journal.jsonl"), events).unwrap();
        }
        let operations = list(root.path()).unwrap();
        for (id, step) in [
            ("00000001", "roll it back: gpoctl operations undo 00000001"),
            (
                "00000002",
                "it is complete; remove its old files: gpoctl operations cleanup 00000002",
            ),
            (
                "00000003",
                "operation 00000003 is done: look at it with gpoctl operations show 00000003, and remove this by hand",
            ),
            (
                "00000004",
                "its journal is not here: run gpoctl operations show 00000004 as the user and on the computer that ran it; if that is unfinished, use gpoctl operations undo 00000004; if it is left-over, gpoctl operations cleanup 00000004",
            ),
        ] {
            let place = Place::file(format!(".gpoctl-{id}-old-Machine"));
            let message = StatusMessage::warning(Code::LeftoverStaging, "x").at(place);
            assert_eq!(leftover(&message, &operations).as_deref(), Some(step));
        }
    }

    #[test]
    fn what_repairs_permissions_names_the_gpo() {
        let guid = "{11111111-2222-3333-4444-555555555555}";
        let target = PlanTarget {
            guid: guid.parse().unwrap(),
            display_name: "x".to_owned(),
            domain: "src.test".parse().unwrap(),
            create: false,
        };
        let not_set = StatusMessage::warning(Code::DescriptorsNotSet, "x");
        let mut gpo = GpoPlan::new(Verb::Import, target);
        gpo.messages.push(not_set.clone());
        let mut plan = Plan::of(gpo);
        plan.messages.push(not_set.of_gpo(guid));
        complete_plan(&mut plan);
        let repair = format!(": gpoctl check '{guid}' --fix --smb-client smb2 --domain src.test");
        let hints: Vec<_> = plan.findings().map(|it| it.hint.as_deref()).collect();
        assert_eq!(hints.len(), 2);
        for hint in hints {
            assert!(hint.unwrap().ends_with(&repair), "{hint:?}");
        }
    }
}

//! What every command that writes to a domain has in common: dry run, saved plan, question, apply.

use std::path::{Path, PathBuf};

use clap::Args;

use super::hints;
use super::permissions::{self, Names};
use super::ui::Ui;
use crate::backup::StoredBackup;
use crate::backup::folder::{Folder, PRIVATE_FILE};
use crate::error::{Error, ErrorKind, Result};
use crate::message::StatusMessage;
use crate::message::{printable, shell_word};
use crate::model::digest::sha256;
use crate::model::guid::Guid;
use crate::model::well_known::DEFAULT_GPOS;
use crate::plan::Plan;
use crate::plan::gpo::GpoPlan;
use crate::plan::inherited_permissions::for_this_client;
use crate::plan::permissions::changes;
use crate::progress::Control;
use crate::session::DomainWriter;

/// What every writing command has.
#[derive(Debug, Clone, Args)]
pub(super) struct WritingArgs {
    /// Show the plan and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Save the plan to FILE and change nothing; gpoctl apply FILE applies it
    #[arg(long, value_name = "FILE")]
    pub(super) plan_out: Option<PathBuf>,

    /// Apply the plan without asking
    #[arg(short, long)]
    pub(super) yes: bool,

    /// Whether rights for accounts outside the administrators are granted without asking; an option of the commands that
    /// restore permissions.
    #[arg(skip)]
    pub(super) accept_permissions: bool,

    /// Whether default GPOs are changed without asking, of a command that otherwise asks nothing; without a value, as `yes`.
    #[arg(skip)]
    pub(super) accept_default_gpos: Option<bool>,
}

impl WritingArgs {
    /// Whether the plan is only shown or saved.
    pub(super) fn only_shows(&self) -> bool {
        self.dry_run || self.plan_out.is_some()
    }

    /// The file the plan is saved to.
    pub(super) fn plan_file(&self) -> Option<&Path> {
        self.plan_out.as_deref()
    }

    /// Saves the plan if --plan-out is given, with its SHA-256 beside it.
    pub(super) fn save(&self, ui: &Ui, json: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
        let Some(file) = &self.plan_out else {
            return Ok(());
        };
        let json = json()?;
        save_new(&json, file)?;
        let hash = sha256(&json);
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        save_new(format!("{hash}  {name}\n").as_bytes(), &hash_file(file))?;
        ui.say(&format!("SHA-256 of the plan, for apply --expect: {hash}"));
        Ok(())
    }

    /// The last message when the plan was only shown or saved.
    pub(super) fn nothing_changed(&self, plan: &Plan) -> String {
        match &self.plan_out {
            Some(_) if plan.changes.is_empty() => {
                "nothing was changed; the plan has no changes, so there is nothing to apply"
                    .to_owned()
            }
            Some(file) => format!(
                "nothing was changed; to apply the plan, run: gpoctl apply {}",
                shell_word(&file.display().to_string())
            ),
            None => "nothing was changed".to_owned(),
        }
    }

    /// Asks whether to do what was shown, unless `--yes` answers that already.
    ///
    /// # Errors
    /// `Cancelled` for a no, `Usage` when there is no terminal to ask on.
    pub(super) async fn confirm(&self, question: &str, ui: &Ui, control: &Control) -> Result<()> {
        match self.yes {
            true => Ok(()),
            false => self.ask(question, ui, control).await,
        }
    }

    /// Asks about each default GPO that a plan changes, whatever the command: its settings apply to the whole domain, or to every
    /// domain controller.
    ///
    /// # Errors
    /// As [`WritingArgs::confirm`].
    pub(super) async fn confirm_default_gpos(
        &self,
        plan: &Plan,
        ui: &Ui,
        control: &Control,
    ) -> Result<()> {
        if self.accept_default_gpos.unwrap_or(self.yes) {
            return Ok(());
        }
        for question in default_gpo_questions(plan) {
            self.ask(&question, ui, control).await?;
        }
        Ok(())
    }

    async fn ask(&self, question: &str, ui: &Ui, control: &Control) -> Result<()> {
        match ui.ask_or_stop(question, control).await {
            Some(true) => Ok(()),
            Some(false) => Err(Error::new(ErrorKind::Cancelled, "nothing was changed")),
            // Only the question about default GPOs is asked although the plan is confirmed.
            None if self.yes => Err(Error::new(
                ErrorKind::Usage,
                "the plan changes a default GPO, and without a terminal this cannot be confirmed",
            )
            .with_hint("nothing was changed; use --yes, or --expect with the SHA-256 of the plan")),
            None => Err(Error::new(
                ErrorKind::Usage,
                "not a terminal, so the plan cannot be confirmed",
            )
            .with_hint("use --yes, or save the plan with --plan-out and run gpoctl apply")),
        }
    }
}

/// A backup to read.
#[derive(Debug, Clone, Args)]
pub(super) struct BackupArg {
    /// The backup's own {ID} folder; with --backup-dir also its ID, a unique ID prefix, or the name of its GPO
    backup: String,

    /// Folder of backups to look in; of several backups of one GPO the newest is used
    #[arg(long, value_name = "DIR")]
    backup_dir: Option<PathBuf>,
}

impl BackupArg {
    /// Reads the backup.
    pub(super) async fn read(&self) -> Result<StoredBackup> {
        read_backup(self.backup.clone(), self.backup_dir.clone()).await
    }
}

/// Reads a backup, off the runtime's threads.
pub(super) async fn read_backup(spec: String, folder: Option<PathBuf>) -> Result<StoredBackup> {
    tokio::task::spawn_blocking(move || {
        let path = crate::backup::resolve(&spec, folder.as_deref())?;
        crate::backup::read(&path)
    })
    .await
    .map_err(|cause| Error::new(ErrorKind::Internal, "cannot read the backup").with_source(cause))?
}

/// Shows a plan, and then saves it, stops, or asks and applies it, as the options require.
pub(super) async fn finish(
    domain: &DomainWriter,
    mut plan: Plan,
    writing: &WritingArgs,
    control: &Control,
    ui: &Ui,
) -> Result<u8> {
    for_this_client(&mut plan, domain.session());
    hints::complete_plan(&mut plan);
    let plan = &plan;
    let names = permissions::names(domain.session(), plan).await;
    let outside = permissions::outside_lines(domain.session(), plan, &names);
    if !ui.is_json() {
        // A plan that was read from a file has no names; one with the content of GPOs is too large to be copied.
        let is_nameless = plan.said_by.is_some() && !plan.changes.is_empty();
        match is_nameless && plan.gpos().next().is_none() {
            true => super::plan::show_with(ui, &plan.with_names(domain.session()).await?, &names),
            false => super::plan::show_with(ui, plan, &names),
        }
        permissions::show_outside(ui, &outside);
    }
    if writing.only_shows() {
        writing.save(ui, || plan.to_json())?;
        if ui.is_json() {
            ui.json(&as_json(plan, &names, &outside, writing))?;
        } else {
            ui.say(&writing.nothing_changed(plan));
        }
        return Ok(0);
    }
    if !plan.changes.is_empty() {
        let accepted = writing.accept_permissions;
        permissions::confirm(&outside, accepted, ui, control).await?;
        writing.confirm_default_gpos(plan, ui, control).await?;
        let question = super::plan::question(plan);
        writing.confirm(&question, ui, control).await?;
    }
    super::apply::execute(domain, plan, control, ui).await
}

/// A question about each default GPO that the plan writes or renames, or whose attributes it changes.
fn default_gpo_questions(plan: &Plan) -> Vec<String> {
    let gpos = plan.gpos().map(|gpo| &gpo.target);
    let mut named: Vec<(Guid, &str)> = gpos
        .filter(|target| !target.create)
        .map(|target| (target.guid, target.display_name.as_str()))
        .collect();
    for guid in plan.gpos_with_new_attributes() {
        if named.iter().all(|(known, _)| *known != guid) {
            named.push((guid, ""));
        }
    }
    named
        .into_iter()
        .filter_map(|(guid, name)| {
            let (applies, usual) = match DEFAULT_GPOS.iter().position(|known| *known == guid)? {
                0 => ("every user and computer", "Default Domain Policy"),
                _ => (
                    "the domain controllers",
                    "Default Domain Controllers Policy",
                ),
            };
            let name = if name.is_empty() { usual } else { name };
            Some(format!(
                "\"{}\" is a default GPO and applies to {applies} of {}. Change it?",
                printable(name),
                plan.domain
            ))
        })
        .collect()
}

/// A plan that is only shown or saved. What it says of one GPO is found in the same places whether or not it changes others.
fn as_json(
    plan: &Plan,
    names: &Names,
    outside: &[String],
    writing: &WritingArgs,
) -> serde_json::Value {
    let of_gpo = |gpo: &GpoPlan| {
        serde_json::json!({
            "gpo": gpo.target,
            "steps": gpo.steps,
            "entries": gpo.entries,
            "risks": gpo.risks,
            "permissions": changes(gpo),
            "settings": gpo.setting_changes(names),
            "mapping": gpo.mapping,
        })
    };
    let findings: Vec<&StatusMessage> = plan.findings().collect();
    let mut json = serde_json::json!({
        "format_version": 1,
        "status": "done",
        "operation_id": plan.operation_id,
        "dry_run": true,
        "plan_file": writing.plan_file(),
        "title": plan.title,
        "mode": plan.mode,
        "gpos": plan.gpos().map(of_gpo).collect::<Vec<_>>(),
        "messages": findings,
        "outside_rights": outside,
        "plan": { "steps": plan.steps() },
    });
    if let Some(gpo) = plan.gpo() {
        let mut own = of_gpo(gpo);
        for (place, keys) in [
            ("", &["gpo", "mapping"][..]),
            ("/plan", &["entries", "risks", "permissions", "settings"]),
        ] {
            for key in keys {
                if let (Some(place), Some(value)) = (json.pointer_mut(place), own.get_mut(*key)) {
                    place[*key] = value.take();
                }
            }
        }
    }
    json
}

/// The file with the SHA-256 of a plan, which sha256sum checks.
fn hash_file(plan: &Path) -> PathBuf {
    let mut name = plan.as_os_str().to_owned();
    name.push(".sha256");
    name.into()
}

/// A plan can contain secrets of a policy, so only its owner may read the file.
pub(super) fn save_new(bytes: &[u8], file: &Path) -> Result<()> {
    let failed = |cause: std::io::Error| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot write the plan to {}", file.display()),
        )
        .with_source(cause)
    };
    Folder::of_file(file)
        .and_then(|(folder, name)| {
            folder.write_synced(name, bytes, PRIVATE_FILE)?;
            folder.sync()
        })
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dn::Dn;
    use crate::plan::gpo::{PlanTarget, Verb};
    use crate::plan::values::{ObjectDn, ValueChange};

    #[test]
    fn a_plan_without_changes_is_not_offered() {
        let writing = WritingArgs {
            dry_run: false,
            plan_out: Some("saved.plan".into()),
            yes: false,
            accept_permissions: false,
            accept_default_gpos: None,
        };
        let mut plan = Plan::new("repair GPOs", &"src.test".parse().unwrap());
        assert!(!writing.nothing_changed(&plan).contains("gpoctl apply"));
        plan.push(
            crate::plan::values::ValueChange::Descriptors {
                guid: DEFAULT_GPOS[0],
                entries: Vec::new(),
            },
            Vec::new(),
        );
        assert!(
            writing
                .nothing_changed(&plan)
                .contains("gpoctl apply saved.plan")
        );
    }

    #[test]
    fn a_default_gpo_is_asked_about_once_more() {
        let questions = |guid: &str, create| {
            let target = PlanTarget {
                guid: guid.parse().unwrap(),
                display_name: "Default\u{202e}".to_owned(),
                domain: "src.test".parse().unwrap(),
                create,
            };
            default_gpo_questions(&Plan::of(GpoPlan::new(Verb::Restore, target)))
        };
        assert_eq!(
            questions("{31B2F340-016D-11D2-945F-00C04FB984F9}", false),
            [
                "\"Default\\u{202e}\" is a default GPO and applies to every user and computer of src.test. Change it?"
            ]
        );
        let controllers = "{6AC1786C-016F-11D2-945F-00C04FB984F9}";
        assert!(questions(controllers, false)[0].contains("the domain controllers of"));
        assert!(questions(controllers, true).is_empty());
        assert!(questions("{11111111-2222-3333-4444-555555555555}", false).is_empty());

        // A change of single attributes has no name of its GPO.
        let mut plan = Plan::new("x", &"src.test".parse().unwrap());
        for (dn, repeated) in [
            (
                format!("CN={controllers},CN=Policies,CN=System,DC=src,DC=test"),
                2,
            ),
            (
                "CN={11111111-2222-3333-4444-555555555555},CN=Policies,CN=System,DC=src,DC=test"
                    .to_owned(),
                1,
            ),
            ("OU=Staff,DC=src,DC=test".to_owned(), 1),
        ] {
            for _ in 0..repeated {
                let dn = ObjectDn(Dn::parse(&dn).unwrap());
                let attributes = Vec::new();
                plan.push(ValueChange::Attributes { dn, attributes }, Vec::new());
            }
        }
        assert_eq!(
            default_gpo_questions(&plan),
            [
                "\"Default Domain Controllers Policy\" is a default GPO and applies to the domain controllers of src.test. Change it?"
            ]
        );
    }
}

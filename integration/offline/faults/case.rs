//! A verb, and a domain in which it has something to do.

use std::path::Path;

use bytes::Bytes;
use gpoctl::backup::StoredBackup;
use gpoctl::directory::GpoObject;
use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::execute::journal;
use gpoctl::execute::{ApplyOptions, OverallStatus, apply};
use gpoctl::message::Code;
use gpoctl::model::guid::Guid;
use gpoctl::model::security_descriptor::SecurityDescriptor;
use gpoctl::model::wmi_filter::{WmiFilterFile, WmiQuery};
use gpoctl::operations::backup::{Selection, backup as save};
use gpoctl::operations::check::{check_gpos, repair};
use gpoctl::operations::copy::{self, CopyOptions};
use gpoctl::operations::import::{self, ImportOptions, ImportTarget};
use gpoctl::operations::link::{self, LinkEdit};
use gpoctl::operations::restore::{self, RestoreOptions};
use gpoctl::operations::set_status::{self, Status};
use gpoctl::operations::undo::{self, Undoing};
use gpoctl::operations::wmi::{IfExists, plan_import, plan_link};
use gpoctl::operations::{create, delete, rename};
use gpoctl::plan::{Mode, Plan};
use gpoctl::progress::Control;
use gpoctl::session::DomainWriter;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::Faults;
use gpoctl::{Error, ErrorKind};
use tempfile::TempDir;

use crate::verbs::{backup, fixture};

pub const GPO: &str = "{A1B20006-0C4E-4D1A-8F00-5A3B7C9D0006}";
const FILTER: &str = "{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01}";
const OTHER_SID: &str = "S-1-5-21-1004336348-1177238915-682003330";

/// What writes to a domain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verb {
    Create,
    SetStatus,
    Rename,
    Import,
    Delete,
    /// Of a GPO that exists.
    Restore,
    /// Of a GPO that was deleted, with its links.
    RestoreDeleted,
    CopyWithin,
    /// From another domain.
    CopyAcross,
    AddLink,
    SetLink,
    RemoveLink,
    CreateFilter,
    ReplaceFilter,
    LinkFilter,
    UnlinkFilter,
    /// `check --fix`
    Repair,
    /// `check --fix` where GPT.INI has a lower version than the directory
    RepairGptIni,
    /// Changes of several objects in one plan: a new name, an import, a deletion and a link.
    Several,
    /// The same, object by object.
    EachOfSeveral,
}

impl Verb {
    fn is_several(self) -> bool {
        matches!(self, Self::Several | Self::EachOfSeveral)
    }
}

/// Applies a plan as the commands do.
pub async fn run(
    plan: &Plan,
    admin: &DomainWriter,
    journals: &Path,
) -> gpoctl::Result<OverallStatus> {
    let options = ApplyOptions::in_folder(journals.to_owned());
    Ok(apply(admin, plan, &options).await?.status)
}

/// The GPO whose settings a plan changes.
pub fn gpo_of(plan: &Plan) -> Guid {
    plan.gpo().map_or_else(guid, |gpo| gpo.target.guid)
}

/// A GPO that gets another name, and one that is deleted, beside others.
const RENAMED: &str = "{A1B20007-0C4E-4D1A-8F00-5A3B7C9D0007}";
const DELETED: &str = "{A1B20008-0C4E-4D1A-8F00-5A3B7C9D0008}";

pub fn guid() -> Guid {
    GPO.parse().unwrap()
}

/// A folder in memory where the machine has one: journals are synced at every step, which a disk takes its time for.
pub fn in_memory() -> TempDir {
    let builder = tempfile::Builder::new();
    builder
        .tempdir_in("/dev/shm")
        .or_else(|_| builder.tempdir())
        .unwrap()
}

/// A verb, or the undo of one that was done, before it is run.
pub struct Case {
    verb: Verb,
    undo: bool,
    pub domain: MemoryDomain,
    /// The domain a copy comes from.
    pub source: Option<MemoryDomain>,
    folder: TempDir,
    stored: Option<StoredBackup>,
}

impl Case {
    pub async fn new(verb: Verb, undo: bool) -> Self {
        Self::of(MemoryDomain::new("src.test").unwrap(), verb, undo).await
    }

    /// The same in this domain, which is new.
    pub async fn of(domain: MemoryDomain, verb: Verb, undo: bool) -> Self {
        let mut case = Self {
            verb,
            undo: false,
            domain,
            source: None,
            folder: in_memory(),
            stored: None,
        };
        case.prepare().await;
        if undo {
            let admin = case.admin().await;
            let planned = case.plan(&admin, &Faults::none()).await.unwrap();
            let journals = case.journals();
            run(&planned, &admin, &journals).await.unwrap();
            case.undo = true;
        }
        case
    }

    pub fn name(&self) -> String {
        let undo = if self.undo { "undo of " } else { "" };
        format!("{undo}{:?}", self.verb)
    }

    /// The backup that a restore is of.
    pub fn stored(&self) -> &StoredBackup {
        self.stored.as_ref().unwrap()
    }

    /// The journal of the operation that is undone.
    pub fn journals(&self) -> std::path::PathBuf {
        self.folder.path().join("journals")
    }

    pub async fn admin(&self) -> DomainWriter {
        let none = Faults::none();
        self.domain.connect("Administrator", &none).await.unwrap()
    }

    /// A GPO with settings and a link, an OU without links, a WMI filter; and what else the verb needs.
    async fn prepare(&mut self) {
        let directory = self.domain.directory();
        self.domain.put_gpo(guid(), "Desks").unwrap();
        directory.put_link(&directory.base(), guid(), 0).unwrap();
        directory.put_ou(&directory.base(), "Staff").unwrap();
        let filter = FILTER.parse().unwrap();
        let query = "SELECT * FROM Win32_Battery";
        directory.put_wmi_filter(filter, "Laptops", query).unwrap();
        let dn = directory.base().gpo(guid());
        self.run_before(Verb::Import, "before").await;
        let directory = self.domain.directory();
        let set = |name: &str, value: &str| directory.set(&dn, name, [value]).unwrap();
        match self.verb {
            Verb::UnlinkFilter => set("gPCWQLFilter", &format!("[src.test;{FILTER};0]")),
            Verb::Restore | Verb::RestoreDeleted => {
                let admin = self.admin().await;
                let object = admin.session().directory().gpo(guid()).await.unwrap();
                let folder = self.folder.path().join("saved");
                let selection = Selection::Gpos(vec![object]);
                let control = Control::default();
                let saved = save(admin.session(), &selection, &folder, "", &control);
                let info = saved.await.unwrap().pop().unwrap().outcome.unwrap();
                // With the links it had, as the backup before a deletion.
                let mut stored = gpoctl::backup::read(&info.path).unwrap();
                let links = admin.session().directory().links_of(guid()).await.unwrap();
                let links = links.links.iter();
                let links = links.map(|found| found.som.record(&found.link, found.order));
                stored.context.links = Some(links.collect());
                self.stored = Some(stored);
                if self.verb == Verb::RestoreDeleted {
                    self.run_before(Verb::Delete, "deleted").await;
                } else {
                    self.run_before(Verb::Import, "between").await;
                    self.run_before(Verb::Rename, "renamed").await;
                    self.run_before(Verb::SetStatus, "status").await;
                }
            }
            Verb::Several | Verb::EachOfSeveral => {
                self.domain
                    .put_gpo(RENAMED.parse().unwrap(), "Chairs")
                    .unwrap();
                self.domain
                    .put_gpo(DELETED.parse().unwrap(), "Lamps")
                    .unwrap();
            }
            Verb::CopyAcross => {
                let source = MemoryDomain::with_sid("other.test", &OTHER_SID.parse().unwrap());
                let target = std::mem::replace(&mut self.domain, source.unwrap());
                self.domain.put_gpo(guid(), "Chairs").unwrap();
                self.run_before(Verb::Import, "source").await;
                self.source = Some(std::mem::replace(&mut self.domain, target));
            }
            Verb::Repair => {
                set("versionNumber", "1");
                set(
                    "gPCMachineExtensionNames",
                    "[{827D319E-6EAC-11D2-A4EA-00C04F79F83A}{803E14A0-B4FB-11D0-A0D0-00A0C90F574B}][{42B5FAAE-6536-11D2-AE5A-0000F87571E3}{40B6664F-4972-11D1-A7CA-0000F87571E3}]",
                );
                let path = r"Machine\Scripts\scripts.ini".parse().unwrap();
                let path = SysvolPath::in_gpo(directory.domain(), guid(), &path);
                let snapshot = self.domain.sysvol().snapshot();
                let policies = snapshot.entry("").unwrap();
                let foreign = SecurityDescriptor::clone(&policies.descriptor);
                self.domain
                    .sysvol()
                    .put_descriptor(&path, &foreign)
                    .unwrap();
            }
            Verb::RepairGptIni => set("versionNumber", "131074"),
            _ => {}
        }
    }

    /// Runs another verb first.
    async fn run_before(&self, verb: Verb, content: &str) {
        let admin = self.admin().await;
        let planned = self.plan_of(verb, &admin, &Faults::none(), content).await;
        let journals = self.folder.path().join("preparation");
        run(&planned.unwrap(), &admin, &journals).await.unwrap();
    }

    /// Plans it, as the command does. Calls to another domain have the same script of faults.
    pub async fn plan(&self, admin: &DomainWriter, faults: &Faults) -> gpoctl::Result<Plan> {
        if !self.undo {
            return self.plan_of(self.verb, admin, faults, "after").await;
        }
        let operation = journal::list(&self.journals()).unwrap().remove(0);
        match undo::plan(admin.session(), &operation, &Control::default()).await? {
            Undoing::Plan(plan) => Ok(*plan),
            Undoing::RollBack(parts) => panic!("it was done, and is rolled back: {parts:?}"),
        }
    }

    /// Plans the verb with other content, as somebody else would.
    pub async fn plan_with(&self, admin: &DomainWriter, content: &str) -> gpoctl::Result<Plan> {
        self.plan_of(self.verb, admin, &Faults::none(), content)
            .await
    }

    /// Plans an import of new settings into this GPO.
    pub async fn plan_import_into(&self, admin: &DomainWriter, gpo: Guid) -> gpoctl::Result<Plan> {
        let session = admin.session();
        let object = session.directory().gpo(gpo).await?;
        self.plan_import(admin, object, "theirs").await
    }

    async fn plan_import(
        &self,
        admin: &DomainWriter,
        object: GpoObject,
        content: &str,
    ) -> gpoctl::Result<Plan> {
        let stored = backup_of(&self.folder.path().join(content), content);
        let target = ImportTarget::Existing(Box::new(object));
        let (options, control) = (ImportOptions::default(), Control::default());
        import::plan(admin.session(), &stored, &target, &options, &control).await
    }

    async fn plan_of(
        &self,
        verb: Verb,
        admin: &DomainWriter,
        faults: &Faults,
        content: &str,
    ) -> gpoctl::Result<Plan> {
        let session = admin.session();
        let (directory, info) = (session.directory(), session.info());
        let control = Control::default();
        match verb {
            Verb::Create => return create::plan(session, "New").await,
            Verb::Restore | Verb::RestoreDeleted => {
                let options = RestoreOptions::new().with_links(verb == Verb::RestoreDeleted);
                let stored = self.stored.as_ref().unwrap();
                return restore::plan(session, stored, &options, &control).await;
            }
            Verb::CopyAcross => {
                let source = self.source.as_ref().unwrap();
                let from = source.connect("Administrator", faults).await?;
                let object = from.session().directory().gpo(guid()).await?;
                let options = CopyOptions::default();
                let from = from.session();
                return copy::plan(from, &object, session, &options, &control).await;
            }
            Verb::CreateFilter | Verb::ReplaceFilter => {
                let (name, if_exists) = match verb {
                    Verb::CreateFilter => ("Tablets", IfExists::Refuse),
                    _ => ("Laptops", IfExists::Replace),
                };
                let existing = directory.wmi_filters().await?;
                let container = directory.wmi_container();
                let file = filter_file(name);
                return plan_import(info, &container, &existing, &file, if_exists);
            }
            _ => {}
        }
        if verb.is_several() {
            return self.plan_of_several(verb, admin, content).await;
        }
        let object: GpoObject = directory.gpo(guid()).await?;
        match verb {
            Verb::SetStatus => set_status::plan(session, &object, Status::None, &control).await,
            Verb::Rename => rename::plan(session, &object, "Tables", &control).await,
            Verb::Delete => delete::plan(session, &object, false, &control).await,
            Verb::CopyWithin => {
                let options = CopyOptions::default();
                copy::plan(session, &object, session, &options, &control).await
            }
            Verb::AddLink | Verb::SetLink | Verb::RemoveLink => {
                let base = self.domain.directory().base();
                let (dn, edit) = match verb {
                    Verb::AddLink => (
                        base.child("OU", "Staff").unwrap(),
                        LinkEdit::Add {
                            order: None,
                            enforced: true,
                            disabled: false,
                        },
                    ),
                    Verb::SetLink => (
                        base,
                        LinkEdit::Set {
                            order: None,
                            enforced: None,
                            disabled: Some(true),
                        },
                    ),
                    _ => (base, LinkEdit::Remove),
                };
                let som = directory.som(&dn).await?;
                link::plan(&info.dns_domain, &som, &object, edit)
            }
            Verb::LinkFilter | Verb::UnlinkFilter => {
                let filter = match verb {
                    Verb::LinkFilter => Some(directory.find_wmi_filter("Laptops").await?),
                    _ => None,
                };
                plan_link(&info.dns_domain, &object, filter.as_ref())
            }
            Verb::Repair | Verb::RepairGptIni => {
                let gpos = [object];
                let report = check_gpos(session, &gpos, &control).await?;
                let plan = repair::plan(&report, &info.dns_domain);
                // Where all that could be repaired is not readable, the check reports that, and the command fails.
                let mut unread = report.all().filter(|it| it.code == Code::UnreadableFile);
                match (plan.changes.is_empty(), unread.next()) {
                    (true, Some(it)) => Err(Error::new(ErrorKind::Denied, it.text.clone())),
                    _ => Ok(plan),
                }
            }
            _ => self.plan_import(admin, object, content).await,
        }
    }
}

impl Case {
    async fn plan_of_several(
        &self,
        verb: Verb,
        admin: &DomainWriter,
        content: &str,
    ) -> gpoctl::Result<Plan> {
        let session = admin.session();
        let (directory, control) = (session.directory(), Control::default());
        let object = |gpo: Guid| directory.gpo(gpo);
        let renamed = object(RENAMED.parse().unwrap()).await?;
        let deleted = object(DELETED.parse().unwrap()).await?;
        let desks = object(guid()).await?;
        let som = self.domain.directory().base().child("OU", "Staff").unwrap();
        let som = directory.som(&som).await?;
        let edit = LinkEdit::Add {
            order: None,
            enforced: true,
            disabled: false,
        };
        let mut plan = Plan::new("several changes", &session.info().dns_domain);
        if verb == Verb::EachOfSeveral {
            plan.mode = Mode::ObjectByObject;
        }
        for part in [
            rename::plan(session, &renamed, "Stools", &control).await?,
            self.plan_import(admin, desks.clone(), content).await?,
            delete::plan(session, &deleted, false, &control).await?,
            link::plan(&session.info().dns_domain, &som, &desks, edit)?,
        ] {
            plan.changes.extend(part.changes);
        }
        Ok(plan)
    }
}

/// A backup with other settings for each content, in both halves and in the class store.
fn backup_of(folder: &Path, content: &str) -> StoredBackup {
    let mut snapshot = fixture();
    for path in [
        r"Machine\Scripts\Startup\setup.cmd",
        r"User\Documents & Settings\note.txt",
    ] {
        let content = Bytes::from(content.as_bytes().to_vec());
        snapshot.tree.insert_file(&path.parse().unwrap(), content);
    }
    if content == "before" {
        // An entry that the other contents do not have, so that it is only renamed away.
        let comment = Bytes::from_static(b"of the former settings");
        snapshot
            .tree
            .insert_file(&"GPO.cmt".parse().unwrap(), comment);
    }
    if content == "after" {
        snapshot.directory_objects.pop();
        snapshot.user_extensions = snapshot.machine_extensions.clone();
    }
    backup(folder, &snapshot)
}

fn filter_file(name: &str) -> WmiFilterFile {
    WmiFilterFile {
        name: name.to_owned(),
        description: "With a battery".to_owned(),
        author: String::new(),
        created: String::new(),
        changed: String::new(),
        domain: "src.test".to_owned(),
        id: String::new(),
        queries: vec![WmiQuery {
            language: "WQL".to_owned(),
            namespace: r"root\CIMv2".to_owned(),
            query: "SELECT * FROM Win32_Battery WHERE Chemistry = 6".to_owned(),
        }],
    }
}

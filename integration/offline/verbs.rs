//! Verbs on the in-memory domain: planned and applied as on a real one, with the result read from its directory and its share.

use std::path::Path;

use bytes::Bytes;
use gpoctl::ErrorKind;
use gpoctl::backup::StoredBackup;
use gpoctl::execute::{ApplyOptions, OperationResult, OverallStatus, apply, journal};
use gpoctl::formats::gpt_ini;
use gpoctl::model::backup_context::BackupContext;
use gpoctl::model::directory_object::{AttributeValues, DirectoryAttribute, DirectoryObject};
use gpoctl::model::dn::Dn;
use gpoctl::model::extension_list::ExtensionList;
use gpoctl::model::gpt_tree::GptTree;
use gpoctl::model::guid::Guid;
use gpoctl::model::snapshot::GpoSnapshot;
use gpoctl::model::version::GpoVersion;
use gpoctl::operations::import::{ImportOptions, ImportTarget};
use gpoctl::operations::link::LinkEdit;
use gpoctl::operations::restore::{self, RestoreOptions};
use gpoctl::operations::set_status::Status;
use gpoctl::operations::{create, delete, import, link, rename, set_status};
use gpoctl::plan::{Change, Plan};
use gpoctl::progress::Control;
use gpoctl::session::DomainWriter;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Faults, Half};

use crate::faults;
use crate::faults::case::{Case, Verb};

const SCRIPTS: &str =
    "[{42B5FAAE-6536-11D2-AE5A-0000F87571E3}{40B6664F-4972-11D1-A7CA-0000F87571E3}]";
const PACKAGE: &str = "e675d6ec-baaf-4472-9053-c9b114ce5f04";

/// A GPO with files in both halves and a package in the class store.
pub fn fixture() -> GpoSnapshot {
    let mut tree = GptTree::new();
    for (path, content) in [
        (
            r"Machine\Scripts\scripts.ini",
            "[Startup]\r\n0CmdLine=setup.cmd\r\n0Parameters=\r\n",
        ),
        (r"Machine\Scripts\Startup\setup.cmd", "echo on\r\n"),
        (r"User\Documents & Settings\note.txt", "hello"),
    ] {
        tree.insert_file(
            &path.parse().unwrap(),
            Bytes::from_static(content.as_bytes()),
        );
    }
    let text = |name: &str, value: &str| DirectoryAttribute {
        name: name.to_owned(),
        values: AttributeValues::String(Some(value.to_owned())),
    };
    let object = |rdns: &[&str], class: &str, attributes| DirectoryObject {
        rdns: rdns.iter().map(|rdn| (*rdn).to_owned()).collect(),
        object_class: class.to_owned(),
        attributes,
        security_descriptor: None,
    };
    let package = format!("CN={PACKAGE}");
    let store = ["CN=Class Store", "CN=Machine"];
    let packages = ["CN=Packages", "CN=Class Store", "CN=Machine"];
    let whole = [&[package.as_str()][..], &packages].concat();
    let guid = "{11111111-2222-3333-4444-555555555555}".parse().unwrap();
    let mut gpo = GpoSnapshot::new(guid, "other.test".parse().unwrap(), "Desks");
    gpo.domain_controller = "dc1.other.test".to_owned();
    gpo.flags = 1;
    gpo.directory_version = GpoVersion::from_combined(0x0002_0003);
    gpo.sysvol_version = Some(gpo.directory_version);
    gpo.machine_extensions = ExtensionList::new(SCRIPTS);
    gpo.tree = tree;
    gpo.directory_objects = vec![
        object(
            &store,
            "classStore",
            vec![text("description", "Application Store")],
        ),
        object(&packages, "classStore", Vec::new()),
        object(
            &whole,
            "packageRegistration",
            vec![text("packageName", "A package")],
        ),
    ];
    gpo
}

/// A backup of a snapshot, read from the folder it was written to.
pub fn backup(folder: &Path, snapshot: &GpoSnapshot) -> StoredBackup {
    let context = BackupContext::default();
    let now = "2026-01-31T12:00:00";
    let info = gpoctl::backup::write(folder, snapshot, &context, "", now).unwrap();
    gpoctl::backup::read(&info.path).unwrap()
}

/// A domain, its administrator, and a folder for journals and backups.
struct Setting {
    domain: MemoryDomain,
    admin: DomainWriter,
    faults: Faults,
    folder: tempfile::TempDir,
}

impl Setting {
    async fn new() -> Self {
        let domain = MemoryDomain::new("src.test").unwrap();
        let faults = Faults::none();
        Self {
            admin: domain.connect("Administrator", &faults).await.unwrap(),
            faults,
            folder: tempfile::TempDir::new().unwrap(),
            domain,
        }
    }

    async fn apply(&self, plan: &Plan) -> OperationResult {
        let options = ApplyOptions::in_folder(self.folder.path().join("journals"));
        let result = apply(&self.admin, plan, &options).await.unwrap();
        assert_eq!(result.status, OverallStatus::Done, "{:?}", result.messages);
        result
    }

    async fn create(&self, name: &str) -> Guid {
        let plan = create::plan(self.admin.session(), name).await.unwrap();
        self.apply(&plan).await.gpo.unwrap().guid
    }

    fn attribute(&self, dn: &Dn, name: &str) -> Option<String> {
        self.domain
            .directory()
            .snapshot()
            .entry(dn)
            .unwrap()
            .text(name)
    }

    fn file(&self, guid: Guid, path: &str) -> Option<Bytes> {
        let snapshot = self.domain.sysvol().snapshot();
        let entry = snapshot.entry(&format!(r"{guid}\{path}"))?;
        entry.content.clone()
    }

    /// What a client reads: the version in the directory, which must be that of GPT.INI.
    fn version(&self, guid: Guid) -> u32 {
        let dn = self.domain.directory().base().gpo(guid);
        let number: i32 = self
            .attribute(&dn, "versionNumber")
            .unwrap()
            .parse()
            .unwrap();
        let ini = self.file(guid, "GPT.INI").unwrap();
        let version = GpoVersion::from_combined(number.cast_unsigned());
        assert_eq!(gpt_ini::read_version(&ini).unwrap(), Some(version));
        number.cast_unsigned()
    }
}

#[tokio::test]
async fn a_gpo_is_created_changed_and_deleted() {
    let setting = Setting::new().await;
    let session = setting.admin.session();
    let directory = session.directory();
    let before = (
        setting.domain.directory().snapshot(),
        setting.domain.sysvol().snapshot(),
    );

    let guid = setting.create("Desks").await;
    let dn = setting.domain.directory().base().gpo(guid);
    assert_eq!(setting.attribute(&dn, "displayName").unwrap(), "Desks");
    assert_eq!(
        setting.attribute(&dn, "gPCFunctionalityVersion").unwrap(),
        "2"
    );
    assert_eq!(setting.version(guid), 0);
    let taken = create::plan(session, "DESKS").await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Conflict);

    let object = directory.gpo(guid).await.unwrap();
    let control = Control::default();
    let plan = set_status::plan(session, &object, Status::User, &control)
        .await
        .unwrap();
    setting.apply(&plan).await;
    assert_eq!(setting.attribute(&dn, "flags").unwrap(), "2");

    let object = directory.gpo(guid).await.unwrap();
    let plan = rename::plan(session, &object, "Tables", &control)
        .await
        .unwrap();
    setting.apply(&plan).await;
    assert_eq!(setting.attribute(&dn, "displayName").unwrap(), "Tables");
    // It has this name now, so there is nothing to do.
    let object = directory.gpo(guid).await.unwrap();
    let plan = rename::plan(session, &object, "Tables", &control)
        .await
        .unwrap();
    assert!(plan.changes.is_empty());
    setting.apply(&plan).await;

    let stored = backup(&setting.folder.path().join("backups"), &fixture());
    let target = ImportTarget::Existing(Box::new(directory.gpo(guid).await.unwrap()));
    let plan = import::plan(
        session,
        &stored,
        &target,
        &ImportOptions::default(),
        &control,
    )
    .await
    .unwrap();
    setting.apply(&plan).await;
    assert_eq!(setting.attribute(&dn, "displayName").unwrap(), "Tables");
    assert_eq!(setting.attribute(&dn, "flags").unwrap(), "1");
    assert_eq!(
        setting.attribute(&dn, "gPCMachineExtensionNames").unwrap(),
        SCRIPTS
    );
    assert_eq!(setting.attribute(&dn, "gPCUserExtensionNames"), None);
    assert_eq!(setting.version(guid), 0x0001_0001);
    for (path, content) in fixture().tree.files() {
        let path = path.to_string();
        assert_eq!(setting.file(guid, &path).as_ref(), Some(content), "{path}");
    }
    let package = dn
        .cn("Machine")
        .cn("Class Store")
        .cn("Packages")
        .cn(PACKAGE);
    assert_eq!(
        setting.attribute(&package, "packageName").unwrap(),
        "A package"
    );
    let read = directory.children(guid).await.unwrap();
    assert_eq!(read.len(), 3);

    let base = setting.domain.directory().base();
    let linked = setting.attribute(&base, "gPLink");
    setting.domain.directory().put_link(&base, guid, 2).unwrap();
    assert_ne!(setting.attribute(&base, "gPLink"), linked);
    let object = directory.gpo(guid).await.unwrap();
    let plan = delete::plan(session, &object, false, &control)
        .await
        .unwrap();
    setting.apply(&plan).await;
    // Nothing is left of it, and nothing else has changed.
    let after = setting.domain.directory().snapshot();
    assert_eq!(after.differences_from(&before.0), Vec::<String>::new());
    let after = setting.domain.sysvol().snapshot();
    assert_eq!(after.differences_from(&before.1), Vec::<String>::new());

    let calls = setting.faults.calls();
    let of = |half: Half| calls.iter().filter(|call| call.half == half).count();
    assert!(of(Half::Directory) > 20 && of(Half::Sysvol) > 20);
    let writes = calls.iter().filter(|call| call.writes).count();
    println!("{} calls, {writes} of them change something", calls.len());
}

#[tokio::test]
async fn an_account_without_rights_is_refused_before_anything_is_written() {
    let setting = Setting::new().await;
    let guid = setting.create("Desks").await;
    let memory = setting.domain.directory();
    let staff = memory.put_ou(&memory.base(), "Staff").unwrap();
    memory.put_user(&staff, "alice").unwrap();
    let before = (memory.snapshot(), setting.domain.sysvol().snapshot());
    let faults = Faults::none();
    let alice = setting.domain.connect("alice", &faults).await.unwrap();
    let session = alice.session();
    let control = Control::default();
    let error = create::plan(session, "Mine").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let object = session.directory().gpo(guid).await.unwrap();
    assert_eq!(object.may_write, Some(false));
    let error = rename::plan(session, &object, "Mine", &control)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let error = delete::plan(session, &object, false, &control)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let domain = &session.info().dns_domain;
    let som = session.directory().som(&staff).await.unwrap();
    let edit = LinkEdit::Add {
        order: None,
        enforced: false,
        disabled: false,
    };
    let refused = [
        (
            link::plan(domain, &som, &object, edit).unwrap(),
            "write gPLink of OU=Staff",
        ),
        (
            link::plan_inheritance(domain, &som, true).unwrap(),
            "write gPOptions of OU=Staff",
        ),
    ];
    let options = ApplyOptions::in_folder(setting.folder.path().join("of alice"));
    for (plan, what) in refused {
        let error = apply(&alice, &plan, &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(journal::list(&options.journal_root).unwrap().is_empty());
    }
    assert!(faults.calls().iter().all(|call| !call.writes));
    assert_eq!(memory.snapshot(), before.0);
    assert_eq!(setting.domain.sysvol().snapshot(), before.1);
}

/// A plan that was edited where only an undo would notice is not begun.
#[tokio::test]
async fn a_plan_whose_undo_would_be_refused_is_not_applied() {
    type Edit = fn(&mut gpoctl::plan::gpo::GpoState);
    let setting = Setting::new().await;
    let guid = setting.create("Desks").await;
    let session = setting.admin.session();
    let object = session.directory().gpo(guid).await.unwrap();
    let plan = rename::plan(session, &object, "Tables", &Control::default())
        .await
        .unwrap();
    let before = setting.domain.directory().snapshot();
    let edits: [(&str, Edit); 2] = [
        ("the functionality version", |basis| {
            basis.functionality_version = Some(3);
        }),
        ("GPT.INI", |basis| basis.gpt_ini = Some("00".to_owned())),
    ];
    let options = ApplyOptions::in_folder(setting.folder.path().join("journals"));
    for (what, edit) in edits {
        let mut edited = plan.clone();
        let Change::Gpo(gpo) = &mut edited.changes[0] else {
            panic!("{edited:?}");
        };
        edit(gpo.basis.as_mut().unwrap());
        let error = apply(&setting.admin, &edited, &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(error.to_string().starts_with(what), "{error}");
        assert_eq!(setting.domain.directory().snapshot(), before);
    }
    setting.apply(&plan).await;
}

/// A status beyond the four that exist is written from no source, and taken away where it is.
#[tokio::test]
async fn a_status_that_no_gpo_has_is_not_written() {
    let setting = Setting::new().await;
    let guid = setting.create("Desks").await;
    let session = setting.admin.session();
    let directory = session.directory();
    let control = Control::default();
    let target = ImportTarget::Existing(Box::new(directory.gpo(guid).await.unwrap()));
    for flags in [4, 7] {
        let mut odd = fixture();
        odd.flags = flags;
        let stored = backup(&setting.folder.path().join(flags.to_string()), &odd);
        let options = ImportOptions::default();
        let error = import::plan(session, &stored, &target, &options, &control)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadInput, "{error}");
        let said = format!("has flags {flags}, and a GPO has 0 to 3");
        assert!(error.to_string().ends_with(&said), "{error}");
    }
    let dn = setting.domain.directory().base().gpo(guid);
    setting.domain.directory().set(&dn, "flags", ["6"]).unwrap();
    let object = directory.gpo(guid).await.unwrap();
    let plan = rename::plan(session, &object, "Tables", &control)
        .await
        .unwrap();
    let options = ApplyOptions::in_folder(setting.folder.path().join("journals"));
    let error = apply(&setting.admin, &plan, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(
        error.to_string(),
        "GPO \"Desks\" has flags 6, and a GPO has 0 to 3, so the operation could not be undone"
    );
    let plan = set_status::plan(session, &object, Status::User, &control)
        .await
        .unwrap();
    setting.apply(&plan).await;
    assert_eq!(setting.attribute(&dn, "flags").unwrap(), "2");
    let object = directory.gpo(guid).await.unwrap();
    let plan = rename::plan(session, &object, "Tables", &control)
        .await
        .unwrap();
    setting.apply(&plan).await;
}

/// The GPO of a link was deleted with another tool, which left the link.
#[tokio::test]
async fn a_link_to_a_gpo_that_does_not_exist_is_removed() {
    let setting = Setting::new().await;
    let directory = setting.domain.directory();
    let base = directory.base();
    let (gone, linked): (Guid, Guid) = (
        "{A1B200FF-0C4E-4D1A-8F00-5A3B7C9D00FF}".parse().unwrap(),
        "{31B2F340-016D-11D2-945F-00C04FB984F9}".parse().unwrap(),
    );
    let link_to = |guid| format!("[LDAP://{};0]", base.gpo(guid));
    let both = format!("{}{}", link_to(gone), link_to(linked));
    directory.set(&base, "gPLink", [both.as_str()]).unwrap();
    let session = setting.admin.session();
    let som = session.directory().som(&base).await.unwrap();
    let domain = &session.info().dns_domain;
    let plan = link::plan_removal(domain, &som, gone, &base.gpo(gone)).unwrap();
    setting.apply(&plan).await;
    assert_eq!(setting.attribute(&base, "gPLink"), Some(link_to(linked)));
    let som = session.directory().som(&base).await.unwrap();
    let again = link::plan_removal(domain, &som, gone, &base.gpo(gone)).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotFound);
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.findings().map(|it| it.code.name()).collect()
}

/// Clients do not apply a GPO whose filter does not exist.
#[tokio::test]
async fn the_undo_of_a_filter_that_is_in_use_warns() {
    let case = Case::new(Verb::CreateFilter, true).await;
    let admin = case.admin().await;
    let plan = case.plan(&admin, &Faults::none()).await.unwrap();
    assert!(!codes(&plan).contains(&"wmi-filter-in-use"), "{plan:?}");
    let directory = admin.session().directory();
    let filter = directory.find_wmi_filter("Tablets").await.unwrap();
    let dn = case.domain.directory().base().gpo(faults::case::guid());
    let link = format!("[src.test;{};0]", filter.id);
    let set = case
        .domain
        .directory()
        .set(&dn, "gPCWQLFilter", [link.as_str()]);
    set.unwrap();
    let plan = case.plan(&admin, &Faults::none()).await.unwrap();
    let mut found = plan.findings();
    let warning = found
        .find(|it| it.code.name() == "wmi-filter-in-use")
        .unwrap();
    assert!(
        warning.text.contains("is linked to \"Desks\""),
        "{}",
        warning.text
    );
}

#[tokio::test]
async fn a_restore_without_the_links_of_the_backup_says_so() {
    let case = Case::new(Verb::RestoreDeleted, false).await;
    let admin = case.admin().await;
    for (with_links, says) in [(false, true), (true, false)] {
        let options = RestoreOptions::new().with_links(with_links);
        let control = Control::default();
        let plan = restore::plan(admin.session(), case.stored(), &options, &control);
        let plan = plan.await.unwrap();
        assert_eq!(codes(&plan).contains(&"links-not-restored"), says);
    }
}

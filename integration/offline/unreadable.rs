//! What an account may not read is not taken for absent: for any part of a domain that is denied to a delegated editor, nothing is
//! written, nothing is called absent, nobody is advised to remove or reset anything, and a backup is partial.

use std::collections::BTreeSet;

use gpoctl::ErrorKind;
use gpoctl::backup::StoredBackup;
use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::execute::{ApplyOptions, OverallStatus, apply};
use gpoctl::message::{Code, StatusMessage};
use gpoctl::model::dn::Dn;
use gpoctl::model::guid::Guid;
use gpoctl::model::sddl::from_sddl;
use gpoctl::model::sid::Sid;
use gpoctl::operations::backup::{BackedUp, Selection, backup};
use gpoctl::operations::check::{check_domain, repair};
use gpoctl::operations::import::{ImportOptions, ImportTarget};
use gpoctl::operations::link::LinkEdit;
use gpoctl::operations::restore::{self, RestoreOptions};
use gpoctl::operations::set_status::Status;
use gpoctl::operations::{delete, import, link, rename, set_status, wmi};
use gpoctl::plan::values::ValueChange;
use gpoctl::plan::{Change, Plan};
use gpoctl::progress::Control;
use gpoctl::session::DomainWriter;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::Faults;
use proptest::test_runner::{Config, TestRunner};

use crate::support::scratch;
use crate::verbs::{backup as stored, fixture};

const SCRIPTS: &str =
    "[{42B5FAAE-6536-11D2-AE5A-0000F87571E3}{40B6664F-4972-11D1-A7CA-0000F87571E3}]";
const PACKAGES: &str =
    "[{C6DC5466-785A-11D2-84D0-00C04FB169F7}{942A8E4F-A261-11D1-A760-00C04FB9603F}]";
const GPO: &str = "{AAAAAAAA-2222-3333-4444-555555555555}";
const FILTER: &str = "{BBBBBBBB-2222-3333-4444-555555555555}";

/// The attributes of the container and what denies reading them.
const ATTRIBUTES: [(&str, &str); 9] = [
    (
        "displayName",
        "OD;;RP;bf967953-0de6-11d0-a285-00aa003049e2;",
    ),
    ("flags", "OD;;RP;bf967976-0de6-11d0-a285-00aa003049e2;"),
    (
        "versionNumber",
        "OD;;RP;bf967a76-0de6-11d0-a285-00aa003049e2;",
    ),
    (
        "gPCFunctionalityVersion",
        "OD;;RP;f30e3bc0-9ff0-11d1-b603-0000f80367c1;",
    ),
    (
        "gPCMachineExtensionNames",
        "OD;;RP;32ff8ecc-783f-11d2-9916-0000f87a57d4;",
    ),
    (
        "gPCUserExtensionNames",
        "OD;;RP;42a75fc6-783f-11d2-9916-0000f87a57d4;",
    ),
    (
        "gPCFileSysPath",
        "OD;;RP;f30e3bc1-9ff0-11d1-b603-0000f80367c1;",
    ),
    (
        "gPCWQLFilter",
        "OD;;RP;7bd4c7a6-1add-4436-8c04-3999a880154c;",
    ),
    ("nTSecurityDescriptor", "D;;RC;;"),
];

/// A part of the domain that may be denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Attribute(usize),
    /// The class of the GPO's object, without which a search for GPOs does not find it.
    Class,
    /// Every attribute of it.
    Object,
    /// The list of the GPOs.
    Policies,
    /// What is below the GPO.
    Below,
    /// The name of its software package.
    Package,
    /// The WMI filter.
    Filter,
    /// The list of the WMI filters.
    Filters,
    /// `gPLink` of the OU.
    Links,
    File(&'static str),
}

const FILES: [&str; 4] = [r"Machine\Scripts\scripts.ini", "User", "GPT.INI", ""];

fn parts() -> Vec<Part> {
    let attributes = (0..ATTRIBUTES.len()).map(Part::Attribute);
    let others = [
        Part::Class,
        Part::Object,
        Part::Policies,
        Part::Below,
        Part::Package,
        Part::Filter,
        Part::Filters,
        Part::Links,
    ];
    let files = FILES.map(Part::File);
    attributes.chain(others).chain(files).collect()
}

fn guid() -> Guid {
    GPO.parse().unwrap()
}

struct Denied {
    domain: MemoryDomain,
    staff: Dn,
    alice: Sid,
    parts: BTreeSet<Part>,
    folder: tempfile::TempDir,
}

impl Denied {
    /// A GPO with everything that a GPO can have, whose editor alice may not read some of it.
    fn new(parts: BTreeSet<Part>) -> Self {
        let domain = MemoryDomain::new("src.test").unwrap();
        let directory = domain.directory();
        let base = directory.base();
        let staff = directory.put_ou(&base, "Staff").unwrap();
        let alice = directory.put_user(&staff, "alice").unwrap();
        domain.put_gpo(guid(), "Desks").unwrap();
        directory
            .put_wmi_filter(FILTER.parse().unwrap(), "Desktops", "SELECT * FROM a")
            .unwrap();
        let gpo = base.gpo(guid());
        for (attribute, value) in [
            ("flags", "1".to_owned()),
            ("versionNumber", "131073".to_owned()),
            ("gPCMachineExtensionNames", format!("{SCRIPTS}{PACKAGES}")),
            ("gPCUserExtensionNames", SCRIPTS.to_owned()),
            ("gPCWQLFilter", format!("[src.test;{FILTER};0]")),
        ] {
            directory.set(&gpo, attribute, [value]).unwrap();
        }
        directory.put_link(&staff, guid(), 0).unwrap();
        let mut at = gpo.cn("Machine");
        for (name, class) in [
            ("Class Store", "classStore"),
            ("Packages", "classStore"),
            ("Office", "packageRegistration"),
        ] {
            at = at.cn(name);
            directory.put(&at, class, Vec::new()).unwrap();
        }
        directory.set(&at, "packageName", ["Office"]).unwrap();
        let new = Self {
            domain,
            staff,
            alice,
            parts,
            folder: tempfile::TempDir::new_in(scratch()).unwrap(),
        };
        let sysvol = new.domain.sysvol();
        for folder in ["Machine", r"Machine\Scripts", "User", r"User\Scripts"] {
            sysvol.put_folder(&new.path(folder)).unwrap();
        }
        let scripts = "[Startup]\r\n0CmdLine=a.cmd\r\n0Parameters=\r\n";
        for file in [r"Machine\Scripts\scripts.ini", r"User\Scripts\scripts.ini"] {
            sysvol.put_file(&new.path(file), scripts).unwrap();
        }
        sysvol
            .put_file(&new.path("GPT.INI"), "[General]\r\nVersion=131073\r\n")
            .unwrap();
        new.deny();
        new
    }

    fn path(&self, path: &str) -> SysvolPath {
        SysvolPath::in_gpo(
            self.domain.sysvol().domain(),
            guid(),
            &path.parse().unwrap(),
        )
    }

    fn denies(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    fn deny(&self) {
        let directory = self.domain.directory();
        let (base, alice) = (directory.base(), &self.alice);
        let mut denied: String = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Attribute(index) => Some(format!("({};{alice})", ATTRIBUTES[*index].1)),
                Part::Class => Some(format!(
                    "(OD;;RP;bf9679e5-0de6-11d0-a285-00aa003049e2;;{alice})"
                )),
                Part::Object => Some(format!("(D;;RPRC;;;{alice})")),
                Part::Below => Some(format!("(D;;LC;;;{alice})")),
                _ => None,
            })
            .collect();
        denied.push_str(&format!("(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;{alice})"));
        let all = "(A;CI;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;DA)(A;CI;LCRPLORC;;;AU)";
        let with = |dn: &Dn, denied: &str| {
            directory
                .set_descriptor(dn, &format!("O:DAG:DAD:P{denied}{all}"))
                .unwrap();
        };
        let gpo = base.gpo(guid());
        with(&gpo, &denied);
        for half in ["Machine", "User"] {
            with(
                &gpo.cn(half),
                &format!("(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;{alice})"),
            );
        }
        let packages = gpo.cn("Machine").cn("Class Store").cn("Packages");
        let package = match self.denies(Part::Package) {
            true => format!("(OD;;RP;7d6c0e98-7e20-11d0-afd6-00c04fd930c9;;{alice})"),
            false => String::new(),
        };
        let grant = format!("{package}(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;{alice})");
        with(&packages.cn("Office"), &grant);
        let filters = base.cn("System").cn("WMIPolicy").cn("SOM");
        for (part, dn, right) in [
            (Part::Policies, base.policies(), "LC"),
            (Part::Filter, filters.cn(FILTER), "RP"),
            (Part::Filters, filters, "LC"),
        ] {
            if self.denies(part) {
                with(&dn, &format!("(D;;{right};;;{alice})"));
            }
        }
        let links = match self.denies(Part::Links) {
            true => format!("(OD;;RP;f30e3bbe-9ff0-11d1-b603-0000f80367c1;;{alice})"),
            false => String::new(),
        };
        with(&self.staff, &format!("{links}(A;;WP;;;{alice})"));
        for file in FILES {
            let denied = match self.denies(Part::File(file)) {
                true => format!("(D;;0x1;;;{alice})"),
                false => String::new(),
            };
            let sddl = format!("O:DAG:DAD:P{denied}(A;OICI;FA;;;{alice})(A;OICI;FA;;;DA)");
            let descriptor = from_sddl(&sddl, self.alice.domain().as_ref()).unwrap();
            self.domain
                .sysvol()
                .put_descriptor(&self.path(file), &descriptor)
                .unwrap();
        }
    }

    async fn connect(&self, account: &str) -> DomainWriter {
        self.domain.connect(account, &Faults::none()).await.unwrap()
    }

    /// Whether a part of the GPO itself is denied: of its object, what is below it, or its files.
    fn is_of_the_gpo(&self) -> bool {
        self.parts
            .iter()
            .any(|part| !matches!(part, Part::Filter | Part::Filters | Part::Links))
    }

    /// Every plan that alice could make for the GPO, by the verb.
    async fn plans(&self, alice: &DomainWriter) -> Vec<(&'static str, gpoctl::Result<Plan>)> {
        let session = alice.session();
        let control = Control::default();
        let object = match session.directory().gpo(guid()).await {
            Ok(object) => object,
            Err(error) => return vec![("read", Err(error))],
        };
        let target = ImportTarget::Existing(Box::new(object.clone()));
        let backup = stored(self.folder.path(), &fixture());
        let domain = &session.info().dns_domain;
        let options = ImportOptions::new();
        vec![
            (
                "rename",
                rename::plan(session, &object, "New", &control).await,
            ),
            (
                "status",
                set_status::plan(session, &object, Status::All, &control).await,
            ),
            (
                "delete",
                delete::plan(session, &object, true, &control).await,
            ),
            (
                "import",
                import::plan(session, &backup, &target, &options, &control).await,
            ),
            ("wmi", wmi::plan_link(domain, &object, None)),
        ]
    }

    async fn holds(&self) {
        let alice = self.connect("alice").await;
        let before = (
            self.domain.directory().snapshot(),
            self.domain.sysvol().snapshot(),
        );
        self.check_advises_nothing_wrong(&alice).await;
        self.no_verb_writes(&alice).await;
        self.links_are_not_written(&alice).await;
        let saved = self.backup_is_partial(&alice).await;
        let after = (
            self.domain.directory().snapshot(),
            self.domain.sysvol().snapshot(),
        );
        assert_eq!(before, after);
        if let Some(saved) = saved {
            self.restore_keeps_what_is_missing(&saved).await;
        }
    }

    async fn no_verb_writes(&self, alice: &DomainWriter) {
        for (verb, plan) in self.plans(alice).await {
            let may_plan = match verb {
                // It reads and writes this one attribute alone.
                "wmi" => !self.denies(Part::Attribute(7)) && !self.denies(Part::Object),
                _ => !self.is_of_the_gpo(),
            };
            match plan {
                Ok(_) => assert!(may_plan, "{verb}"),
                Err(error) => {
                    assert!(!may_plan, "{verb}: {error}");
                    assert_eq!(error.kind(), ErrorKind::Denied, "{verb}: {error}");
                }
            }
        }
    }

    async fn links_are_not_written(&self, alice: &DomainWriter) {
        let session = alice.session();
        let som = session.directory().som(&self.staff).await.unwrap();
        let default = "{31B2F340-016D-11D2-945F-00C04FB984F9}".parse().unwrap();
        let admin = self.connect("Administrator").await;
        let gpo = admin.session().directory().gpo(default).await.unwrap();
        let edit = LinkEdit::Add {
            order: None,
            enforced: false,
            disabled: false,
        };
        let plan = link::plan(&session.info().dns_domain, &som, &gpo, edit);
        assert_eq!(plan.is_err(), self.denies(Part::Links));
    }

    async fn check_advises_nothing_wrong(&self, alice: &DomainWriter) {
        let report = check_domain(alice.session(), &Control::default())
            .await
            .unwrap();
        let messages: Vec<&StatusMessage> = report.all().collect();
        let about = |message: &StatusMessage| {
            let place = message.place.as_ref().map(ToString::to_string);
            message.text.contains(GPO)
                || message
                    .gpo
                    .as_deref()
                    .is_some_and(|gpo| ["Desks", GPO, ""].contains(&gpo))
                || place.is_some_and(|place| place.contains(GPO) || place.contains("Staff"))
        };
        advise_nothing_wrong(messages.iter().copied().filter(|message| about(message)));
        let unread = |message: &&&StatusMessage| {
            message.code.name().starts_with("unreadable") || message.code == Code::UnlistedGpos
        };
        let found = messages.iter().filter(unread).count();
        assert_eq!(found > 0, !self.parts.is_empty(), "{messages:?}");
        let plan = repair::plan(&report, &alice.session().info().dns_domain);
        for change in &plan.changes {
            let is_of_permissions = matches!(
                change,
                Change::Value(planned) if matches!(planned.change, ValueChange::Descriptors { .. })
            );
            assert!(is_of_permissions, "{change:?}");
        }
    }

    /// The backup, if one was made.
    async fn backup_is_partial(&self, alice: &DomainWriter) -> Option<StoredBackup> {
        let folder = self.folder.path().join("saved");
        let control = Control::default();
        let results = backup(alice.session(), &Selection::All, &folder, "", &control)
            .await
            .unwrap();
        let found: Option<&BackedUp> = results.iter().find(|it| it.guid == Some(guid()));
        let Some(result) = found else {
            assert!(self.denies(Part::Policies), "the GPO is not in the results");
            let incomplete = results.iter().filter(|it| it.outcome.is_err());
            assert!(
                incomplete.count() > 0,
                "nothing tells that a GPO is missing"
            );
            return None;
        };
        let is_whole = self.parts.iter().all(|part| *part == Part::Links);
        match &result.outcome {
            Ok(info) => {
                advise_nothing_wrong(&result.messages);
                assert_eq!(result.partial, !is_whole, "{:?}", result.messages);
                Some(gpoctl::backup::read(&info.path).unwrap())
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
                None
            }
        }
    }

    /// An administrator restores what alice saved of the GPO as it is: nothing changes but the version.
    async fn restore_keeps_what_is_missing(&self, saved: &StoredBackup) {
        let admin = self.connect("Administrator").await;
        let session = admin.session();
        let control = Control::default();
        let options = RestoreOptions::new();
        let plain = restore::plan(session, saved, &options, &control).await;
        assert_eq!(plain.is_err(), !saved.context.unread.is_empty());
        let options = options.allow_partial(true);
        let before = session.directory().gpo(guid()).await.unwrap();
        let files = self.files();
        let objects = session.directory().children(guid()).await.unwrap();
        assert_eq!(objects.len(), 3);
        let plan = restore::plan(session, saved, &options, &control)
            .await
            .unwrap();
        let found = plan.findings().filter(|it| it.code == Code::PartialBackup);
        assert_eq!(found.count() > 0, !saved.context.unread.is_empty());
        let journals = ApplyOptions::in_folder(self.folder.path().join("journals"));
        let result = apply(&admin, &plan, &journals).await.unwrap();
        assert_eq!(result.status, OverallStatus::Done);
        let after = session.directory().gpo(guid()).await.unwrap();
        assert_eq!(after.display_name, before.display_name);
        assert_eq!(after.flags, before.flags);
        assert_eq!(after.machine_extensions, before.machine_extensions);
        assert_eq!(after.user_extensions, before.user_extensions);
        assert_eq!(after.wmi_filter, before.wmi_filter);
        assert_eq!(after.security_descriptor, before.security_descriptor);
        let now = session.directory().children(guid()).await.unwrap();
        assert_eq!(now, objects);
        assert_eq!(self.files(), files);
    }

    /// The files of the GPO other than GPT.INI.
    fn files(&self) -> Vec<(String, Option<bytes::Bytes>)> {
        let snapshot = self.domain.sysvol().snapshot();
        let entries = snapshot.entries().filter(|it| it.path.contains(GPO));
        entries
            .filter(|it| !it.path.to_uppercase().ends_with("GPT.INI"))
            .map(|it| (it.path.clone(), it.content.clone()))
            .collect()
    }
}

fn advise_nothing_wrong<'a>(messages: impl IntoIterator<Item = &'a StatusMessage>) {
    for message in messages {
        let hint = message.hint.clone().unwrap_or_default();
        let said = format!("{} {hint}", message.text);
        let wrong = [
            Code::DanglingLink,
            Code::FolderWithoutGpo,
            Code::NoFlags,
            Code::NoName,
            Code::FunctionalityVersion,
            Code::WmiFilterMissing,
            Code::WrongPath,
            Code::NoSysvolFolder,
            Code::GptIni,
            Code::VersionMismatch,
            Code::VersionZero,
            Code::ExtensionMissing,
            Code::Empty,
        ];
        assert!(!wrong.contains(&message.code), "{message:?}");
        for words in [
            "absent",
            "does not exist",
            "remove",
            "delete",
            "set ",
            "recreate",
        ] {
            assert!(!said.contains(words), "{message:?}");
        }
    }
}

fn in_memory(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test);
}

#[test]
fn each_part_alone_and_none() {
    in_memory(Denied::new(BTreeSet::new()).holds());
    for part in parts() {
        println!("{part:?}");
        in_memory(Denied::new(BTreeSet::from([part])).holds());
    }
}

#[test]
fn any_parts_together() {
    let config = Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    };
    let all = parts();
    let subsets = proptest::sample::subsequence(all.clone(), 0..=all.len());
    TestRunner::new(config)
        .run(&subsets, |parts| {
            in_memory(Denied::new(parts.into_iter().collect()).holds());
            Ok(())
        })
        .unwrap();
}

//! What a check finds in a GPO that no client applies, and in what is no GPO at all; what a plan says of it before it writes.

use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::execute::{ApplyOptions, apply};
use gpoctl::message::Code;
use gpoctl::migration::references::GptFileFormat;
use gpoctl::model::guid::Guid;
use gpoctl::operations::backup::{Selection, backup as save};
use gpoctl::operations::check::{Report, check_domain, repair};
use gpoctl::operations::import::{self, ImportOptions, ImportTarget};
use gpoctl::progress::Control;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::Faults;
use gpoctl::{DomainSession, DomainWriter};

use crate::faults::case::{guid, in_memory};
use crate::verbs::{backup, fixture};

const OTHER: &str = "{A1B200AA-0C4E-4D1A-8F00-5A3B7C9D00AA}";

async fn domain() -> (MemoryDomain, DomainWriter) {
    let domain = MemoryDomain::new("src.test").unwrap();
    domain.put_gpo(guid(), "Desks").unwrap();
    let admin = domain
        .connect("Administrator", &Faults::none())
        .await
        .unwrap();
    (domain, admin)
}

async fn check(session: &DomainSession) -> Report {
    check_domain(session, &Control::default()).await.unwrap()
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.all().map(|it| it.code.name()).collect()
}

/// Clients skip a GPO whose functionality version is not 2. An import says so, and a repair ends it.
#[tokio::test]
async fn a_functionality_version_that_clients_skip_is_named_and_repaired() {
    for value in [None, Some("0"), Some("1"), Some("3")] {
        let (domain, admin) = domain().await;
        let session = admin.session();
        let directory = domain.directory();
        let dn = directory.base().gpo(guid());
        let values: Vec<&str> = value.into_iter().collect();
        directory
            .set(&dn, "gPCFunctionalityVersion", values)
            .unwrap();

        let folder = in_memory();
        let stored = backup(folder.path(), &fixture());
        let object = session.directory().gpo(guid()).await.unwrap();
        let target = ImportTarget::Existing(Box::new(object));
        let (options, control) = (ImportOptions::default(), Control::default());
        let plan = import::plan(session, &stored, &target, &options, &control);
        let plan = plan.await.unwrap();
        let said = plan.findings().map(|it| it.code).collect::<Vec<_>>();
        assert!(said.contains(&Code::FunctionalityVersion), "{said:?}");

        let report = check(session).await;
        assert!(
            codes(&report).contains(&"functionality-version"),
            "{value:?}"
        );
        let plan = repair::plan(&report, &session.info().dns_domain);
        let options = ApplyOptions::in_folder(folder.path().join("journals"));
        apply(&admin, &plan, &options).await.unwrap();
        let now = directory.snapshot();
        let now = now.entry(&dn).unwrap().text("gPCFunctionalityVersion");
        assert_eq!(now.as_deref(), Some("2"));
        let report = check(session).await;
        assert!(!codes(&report).contains(&"functionality-version"));
        let again = repair::plan(&report, &session.info().dns_domain);
        assert!(again.changes.is_empty(), "{again:?}");
    }
}

/// A version that is absent in the directory is named and repaired also where GPT.INI has 0.
#[tokio::test]
async fn an_absent_version_is_named() {
    let (domain, admin) = domain().await;
    let session = admin.session();
    let dn = domain.directory().base().gpo(guid());
    let none: [&str; 0] = [];
    domain.directory().set(&dn, "versionNumber", none).unwrap();
    let report = check(session).await;
    assert!(codes(&report).contains(&"version-mismatch"));
    let plan = repair::plan(&report, &session.info().dns_domain);
    assert_eq!(plan.changes.len(), 1);
}

/// The plan says, before it writes, that no client will process what it brings.
#[tokio::test]
async fn an_import_names_settings_without_their_extension() {
    let (_, admin) = domain().await;
    let session = admin.session();
    let object = session.directory().gpo(guid()).await.unwrap();
    let target = ImportTarget::Existing(Box::new(object));
    let folder = in_memory();
    for (list, is_named) in [
        (None, false),
        (Some(""), true),
        (
            Some("[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{42B5FAAE-6536-11D2-AE5A-0000F87571E3}]"),
            true,
        ),
    ] {
        let mut snapshot = fixture();
        if let Some(list) = list {
            snapshot.machine_extensions = gpoctl::model::extension_list::ExtensionList::new(list);
        }
        let stored = backup(folder.path(), &snapshot);
        let (options, control) = (ImportOptions::default(), Control::default());
        let plan = import::plan(session, &stored, &target, &options, &control);
        let plan = plan.await.unwrap();
        let scripts = |it: &&gpoctl::message::StatusMessage| {
            it.code == Code::ExtensionMissing && it.text.contains("(Scripts)")
        };
        assert_eq!(plan.findings().any(|it| scripts(&it)), is_named, "{list:?}");
    }
}

/// What is below `Policies` is judged by what is in it.
#[tokio::test]
async fn a_folder_that_is_no_gpo_is_not_to_be_removed() {
    let (domain, admin) = domain().await;
    let other: Guid = OTHER.parse().unwrap();
    let sysvol = domain.sysvol();
    let at = |path: &str| SysvolPath::in_gpo(sysvol.domain(), other, &path.parse().unwrap());
    let about = |report: &Report| -> Vec<(&'static str, String)> {
        let found = report.messages.iter();
        found
            .filter(|it| it.text.contains(OTHER))
            .map(|it| (it.code.name(), it.hint.clone().unwrap_or_default()))
            .collect()
    };
    sysvol
        .put_file(&at(r"Azure\PasswordPolicies"), "x")
        .unwrap();
    let found = about(&check(admin.session()).await);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "not-a-gpo");
    assert!(found[0].1.contains("do not remove it"), "{found:?}");
    sysvol.put_file(&at("gpt.ini"), "x").unwrap();
    let found = about(&check(admin.session()).await);
    assert_eq!(found[0].0, "folder-without-gpo");
}

/// Computers that may not read a GPO matter to its user settings alone.
#[tokio::test]
async fn a_gpo_without_user_settings_needs_no_read_for_computers() {
    const SDDL: &str =
        "O:DAG:DAD:P(A;CI;RPWPCCDCLCLOLORCWOWDSDDTSW;;;DA)(A;CI;RPLCLORC;;;S-1-5-21-9-9-9-1234)";
    for (version, flags, is_named) in [
        ("65536", "0", true),
        ("65537", "0", true),
        ("65537", "2", true),
        ("1", "0", false),
        ("0", "0", false),
        ("65537", "1", false),
        ("65537", "3", false),
    ] {
        let (domain, admin) = domain().await;
        let directory = domain.directory();
        let dn = directory.base().gpo(guid());
        directory.set(&dn, "versionNumber", [version]).unwrap();
        directory.set(&dn, "flags", [flags]).unwrap();
        let ini = format!("[General]\r\nVersion={version}\r\n");
        let path = "GPT.INI".parse().unwrap();
        let path = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &path);
        domain.sysvol().put_file(&path, ini).unwrap();
        directory.set_descriptor(&dn, SDDL).unwrap();
        let found = codes(&check(admin.session()).await);
        assert_eq!(
            found.contains(&"no-read-for-computers"),
            is_named,
            "version {version}, flags {flags}: {found:?}"
        );
    }
}

/// A file that no client can read is an error of the check, whatever its format.
#[tokio::test]
async fn files_that_no_client_can_read_are_errors() {
    let (domain, admin) = domain().await;
    let files = [
        r"Machine\Registry.pol",
        r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf",
        r"Machine\Preferences\Groups\Groups.xml",
        r"User\Scripts\scripts.ini",
        r"User\Documents & Settings\fdeploy1.ini",
        r"Machine\Microsoft\Windows NT\Audit\audit.csv",
    ];
    for file in files {
        assert!(GptFileFormat::of(&file.parse().unwrap()).is_some());
        let path = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &file.parse().unwrap());
        let content = b"\xFF\xFE<\0x".to_vec();
        domain.sysvol().put_file(&path, content).unwrap();
    }
    let report = check(admin.session()).await;
    let broken: Vec<String> = report
        .all()
        .filter(|it| it.code == Code::BrokenFile)
        .map(|it| it.place.as_ref().unwrap().file.to_string())
        .collect();
    assert_eq!(broken.len(), files.len(), "{broken:?}");
    assert_eq!(report.worst(), Some(gpoctl::message::Severity::Error));
}

/// A backup has the name of an account for logging in, which need not be made of its account name and domain.
#[tokio::test]
async fn a_backup_has_the_upn_of_the_account() {
    let (domain, admin) = domain().await;
    let directory = domain.directory();
    let users = directory.base().cn("Users");
    let alice = directory.put_user(&users, "alice").unwrap();
    directory
        .set(
            &users.cn("alice"),
            "userPrincipalName",
            ["a.smith@corp.example"],
        )
        .unwrap();
    let path = r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf"
        .parse()
        .unwrap();
    let path = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &path);
    let text = format!("[Privilege Rights]\r\nSeServiceLogonRight = *{alice}\r\n");
    domain.sysvol().put_file(&path, text).unwrap();
    let object = admin.session().directory().gpo(guid()).await.unwrap();
    let folder = in_memory();
    let (selection, control) = (Selection::Gpos(vec![object]), Control::default());
    let saved = save(admin.session(), &selection, folder.path(), "", &control);
    let info = saved.await.unwrap().pop().unwrap().outcome.unwrap();
    let xml = std::fs::read_to_string(info.path.join("Backup.xml")).unwrap();
    assert!(
        xml.contains("<UPN><![CDATA[a.smith@corp.example]]></UPN>"),
        "{xml}"
    );
    assert!(!xml.contains("alice@src.test"), "{xml}");
}

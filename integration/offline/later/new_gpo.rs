//! A GPO that an operation has made, and that somebody else has changed since.

use super::*;

/// What somebody else does with a GPO that an operation has made.
#[derive(Debug, Clone, Copy)]
enum Edit {
    Rename,
    Status,
    AddFile,
    ChangeGptIni,
    AddList,
    LinkFilter,
    LinkGpo,
}

const EDITS: [Edit; 7] = [
    Edit::Rename,
    Edit::Status,
    Edit::AddFile,
    Edit::ChangeGptIni,
    Edit::AddList,
    Edit::LinkFilter,
    Edit::LinkGpo,
];

impl Edit {
    /// Makes the change, and returns whether there was something to change.
    fn make(self, domain: &MemoryDomain, gpo: Guid) -> bool {
        let (directory, sysvol) = (domain.directory(), domain.sysvol());
        let dn = directory.base().gpo(gpo);
        if directory.snapshot().entry(&dn).is_none() {
            return false;
        }
        let set = |name: &str, value: &str| directory.set(&dn, name, [value]).unwrap();
        let at = |name: &str| SysvolPath::in_gpo(sysvol.domain(), gpo, &name.parse().unwrap());
        match self {
            Self::Rename => set("displayName", "Theirs"),
            Self::Status => set("flags", "2"),
            Self::AddList => set(
                "gPCUserExtensionNames",
                "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{D02B1F73-3407-48AE-BA88-E8213C6761F1}]",
            ),
            Self::LinkFilter => set(
                "gPCWQLFilter",
                "[src.test;{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01};0]",
            ),
            Self::LinkGpo => {
                let staff = directory.base().child("OU", "Staff").unwrap();
                directory.put_link(&staff, gpo, 0).unwrap();
            }
            Self::AddFile => return sysvol.put_file(&at("theirs.txt"), "theirs").is_ok(),
            Self::ChangeGptIni => {
                return sysvol
                    .put_file(
                        &at("GPT.INI"),
                        "[General]\r\nVersion=0\r\ndisplayName=x\r\n",
                    )
                    .is_ok();
            }
        }
        true
    }

    /// What an error calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Rename => "the display name",
            Self::Status => "status",
            Self::AddFile => "theirs.txt",
            Self::ChangeGptIni => "GPT.INI",
            Self::AddList => "extensions",
            Self::LinkFilter => "WMI filter",
            Self::LinkGpo => "OU=Staff",
        }
    }
}

const MAKES_A_GPO: [Verb; 4] = [
    Verb::Create,
    Verb::CopyWithin,
    Verb::CopyAcross,
    Verb::RestoreDeleted,
];

#[tokio::test(start_paused = true)]
async fn a_new_gpo_that_somebody_else_has_changed_is_not_undone() {
    for verb in MAKES_A_GPO {
        let case = Case::new(verb, true).await;
        let operation = journal::list(&case.journals()).unwrap().remove(0);
        let gpo = gpo_of(&operation.plan().unwrap());
        for edit in EDITS {
            let domain = case.domain.copy();
            assert!(edit.make(&domain, gpo));
            let admin = connect(&domain).await;
            let control = Control::default();
            let planned = undo::plan(admin.session(), &operation, &control).await;
            if matches!(edit, Edit::LinkGpo) {
                // Its plan shows that the link goes with the GPO.
                let Ok(Undoing::Plan(plan)) = planned else {
                    panic!("{verb:?}: {planned:?}");
                };
                let is_link = |step: &Step| matches!(step, Step::SetLinks { som, .. } if som.starts_with("OU=Staff,"));
                assert!(plan.gpo().unwrap().steps.iter().any(is_link), "{verb:?}");
                continue;
            }
            let error = planned.unwrap_err();
            let what = format!("{verb:?}, {edit:?}: {error}");
            assert_eq!(error.kind(), ErrorKind::Conflict, "{what}");
            assert!(error.to_string().contains(edit.name()), "{what}");
        }
    }
}

/// It is kept as it is, and the operation can be closed.
#[tokio::test(start_paused = true)]
async fn a_new_gpo_that_somebody_else_has_changed_is_not_rolled_back() {
    for verb in MAKES_A_GPO {
        let case = Case::new(verb, false).await;
        let mut kept = Vec::new();
        for (it, edit) in Killed::everywhere(&case)
            .await
            .iter()
            .zip(EDITS.iter().cycle())
        {
            let gpo = gpo_of(&it.operation().plan().unwrap());
            if !edit.make(&it.domain, gpo) {
                // It was not made yet.
                it.roll_back().await.unwrap();
                continue;
            }
            kept.push(edit.name());
            let made = State::of(&it.domain);
            let what = format!("{verb:?}, {edit:?}");
            let Err(error) = it.roll_back().await else {
                panic!("{what}: {:#?}", State::of(&it.domain).differences(&made));
            };
            assert_eq!(error.kind(), ErrorKind::Incomplete, "{what}: {error}");
            let text = error.to_string();
            assert!(text.contains(edit.name()), "{what}: {text}");
            let wanted = format!("gpoctl operations cleanup {}", short(&it.id));
            assert!(hint(&error).contains(&wanted), "{what}: {}", hint(&error));
            it.clean_up().await.unwrap();
            assert_eq!(it.operation().state, OperationState::Superseded);
            // Nothing but what was staged is gone.
            let mut left = State::of(&it.domain).differences(&made);
            left.retain(|line| !line.contains(".gpoctl-"));
            assert_eq!(left, Vec::<String>::new(), "{what}");
            assert!(!it.has(".gpoctl-"), "{what}");
        }
        println!("{verb:?}: {} points", kept.len());
        assert!(
            EDITS.iter().all(|edit| kept.contains(&edit.name())),
            "{verb:?}"
        );
    }
}

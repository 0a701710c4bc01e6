//! What a client does with the GPOs of its domain: which links apply to it, in which precedence, and which GPOs it ignores
//! [MS-GPOL 3.2.5.1.5, 3.2.5.1.6]. Without I/O.

use super::extensions::Half;
use crate::directory::links::Som;
use crate::message::Code;
use crate::model::access::{AccessDecision, AccessToken, may_apply, may_read};
use crate::model::dn::Dn;
use crate::model::gp_link::LinkList;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::sid::Sid;
use crate::model::version::GpoVersion;

/// A link on the path from the account up to the domain, or at the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The GPO's DN, as the link has it.
    pub gpo: String,
    /// The path of the domain, OU or site.
    pub target: String,
    /// The order there.
    pub order: usize,
    /// Whether it is enforced.
    pub enforced: bool,
    /// Why it does not apply to the client.
    pub stopped: Option<Stopped>,
}

/// Why a link does not apply to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// It is disabled.
    Disabled,
    /// The OU with this path, or the domain, blocks inheritance, and the link is not enforced.
    Blocked(String),
}

/// The links of these objects in the order of their precedence, the highest first. `soms` begins with the OU that is
/// nearest to the account and ends with the domain and then the site.
/// Enforced links take precedence over all others, and among them those of the object farther away; among the others, those of
/// the nearer object. In one object, order 1 has the highest precedence.
pub fn precedence(soms: &[Som]) -> Vec<Reached> {
    let mut enforced: Vec<Vec<Reached>> = Vec::new();
    let mut normal: Vec<Reached> = Vec::new();
    let mut blocked_by: Option<String> = None;
    for som in soms {
        let path = som.dn.canonical_name();
        let list = LinkList::parse(som.gp_link.as_deref().unwrap_or_default());
        let mut here = Vec::new();
        for order in list.orders(|_| true) {
            let Some(link) = list.get(order) else {
                continue;
            };
            let blocked = blocked_by
                .clone()
                .filter(|_| !link.is_enforced())
                .map(Stopped::Blocked);
            let reached = Reached {
                gpo: link.dn.clone(),
                target: path.clone(),
                order,
                enforced: link.is_enforced(),
                stopped: link.is_disabled().then_some(Stopped::Disabled).or(blocked),
            };
            if link.is_enforced() {
                here.push(reached);
            } else {
                normal.push(reached);
            }
        }
        enforced.push(here);
        if som.blocks_inheritance() && blocked_by.is_none() {
            blocked_by = Some(path);
        }
    }
    enforced.reverse();
    enforced.into_iter().flatten().chain(normal).collect()
}

/// The properties of a GPO that a client reads.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// `gPCFunctionalityVersion`.
    pub functionality_version: Option<u32>,
    /// `flags`.
    pub flags: Option<u32>,
    /// The container's descriptor; `None` when it cannot be used.
    pub descriptor: Option<SecurityDescriptor>,
    /// Whether the account that runs the check may not read the descriptor, so that nothing follows from it.
    pub is_descriptor_unread: bool,
    /// Whether it may not read `versionNumber`.
    pub is_version_unread: bool,
    /// `versionNumber`.
    pub directory_version: Option<GpoVersion>,
    /// The version of GPT.INI; `None` when there is no folder or no GPT.INI that can be read.
    pub sysvol_version: Option<GpoVersion>,
    /// The linked WMI filter: its name, or `None` when it does not exist.
    pub wmi_filter: Option<Option<String>>,
    /// Whether `gPCFileSysPath` names the right folder.
    pub right_path: bool,
}

/// Why a client does not apply a GPO that is linked to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// `gPCFunctionalityVersion` is not 2.
    FunctionalityVersion,
    /// The half is disabled.
    HalfDisabled,
    /// The computer, whose account reads the GPO, may not read it; with the SID of the entry that denies it.
    NotReadable(Option<Sid>),
    /// Security filtering: the account may not apply it; with the SID of the entry that denies it.
    NotFor(Option<Sid>),
    /// The version of the half is 0 on both sides.
    Empty,
    /// There is no folder or no readable GPT.INI on SYSVOL, which ends the client's policy processing.
    NoGptIni,
    /// The linked WMI filter does not exist.
    WmiFilterMissing,
    /// `gPCFileSysPath` names another folder.
    WrongPath,
}

impl Denied {
    /// A stable name for scripts.
    pub fn code(&self) -> Code {
        match self {
            Self::FunctionalityVersion => Code::FunctionalityVersion,
            Self::HalfDisabled => Code::HalfDisabled,
            Self::NotReadable(_) => Code::NotReadable,
            Self::NotFor(_) => Code::SecurityFiltering,
            Self::Empty => Code::Empty,
            Self::NoGptIni => Code::NoGptIni,
            Self::WmiFilterMissing => Code::WmiFilterMissing,
            Self::WrongPath => Code::WrongPath,
        }
    }
}

/// Every reason for which a client ignores the GPO; none when it applies it, subject to the WMI filter. `apply` is the token of
/// the account that the policy is for, `read` that of the computer, which reads the policy of its users too (MS16-072).
pub fn denied(gpo: &Seen, half: Half, apply: &AccessToken, read: &AccessToken) -> Vec<Denied> {
    let mut reasons = Vec::new();
    if gpo.functionality_version != Some(2) {
        reasons.push(Denied::FunctionalityVersion);
    }
    let off = match half {
        Half::User => 1,
        Half::Computer => 2,
    };
    if gpo.flags.is_some_and(|flags| flags & off != 0) {
        reasons.push(Denied::HalfDisabled);
    }
    if let Some(descriptor) = &gpo.descriptor {
        match may_read(descriptor, read) {
            AccessDecision::Granted => {}
            AccessDecision::Denied(sid) => reasons.push(Denied::NotReadable(Some(sid.clone()))),
            AccessDecision::NotGranted => reasons.push(Denied::NotReadable(None)),
        }
        match may_apply(descriptor, apply) {
            AccessDecision::Granted => {}
            AccessDecision::Denied(sid) => reasons.push(Denied::NotFor(Some(sid.clone()))),
            AccessDecision::NotGranted => reasons.push(Denied::NotFor(None)),
        }
    } else if !gpo.is_descriptor_unread {
        reasons.push(Denied::NotReadable(None));
    }
    if !gpo.right_path {
        reasons.push(Denied::WrongPath);
    }
    let version = |version: GpoVersion| match half {
        Half::User => version.user,
        Half::Computer => version.machine,
    };
    match gpo.sysvol_version {
        None => reasons.push(Denied::NoGptIni),
        Some(sysvol) => {
            if version(sysvol) == 0
                && !gpo.is_version_unread
                && version(gpo.directory_version.unwrap_or_default()) == 0
            {
                reasons.push(Denied::Empty);
            }
        }
    }
    if gpo.wmi_filter == Some(None) {
        reasons.push(Denied::WmiFilterMissing);
    }
    reasons
}

/// Whether the link is to this GPO.
pub fn is_to(reached: &Reached, gpo: &Dn) -> bool {
    Dn::parse(&reached.gpo).is_ok_and(|dn| dn == *gpo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::links::SomKind;
    use crate::model::sddl::from_sddl;

    fn som(dn: &str, links: &[(&str, u32)], blocks: bool) -> Som {
        let value: String = links
            .iter()
            .map(|(name, options)| format!("[LDAP://CN={name},DC=x;{options}]"))
            .collect();
        Som {
            dn: Dn::parse(dn).unwrap(),
            kind: SomKind::OrganizationalUnit,
            gp_link: Some(value),
            gp_options: blocks.then_some(1),
            unreadable: Vec::new(),
        }
    }

    fn names(reached: &[Reached]) -> String {
        let short = |one: &Reached| {
            let name = one.gpo.split(['=', ',']).nth(1).unwrap().to_owned();
            match &one.stopped {
                None => name,
                Some(Stopped::Disabled) => format!("({name})"),
                Some(Stopped::Blocked(by)) => format!("[{name} {by}]"),
            }
        };
        reached.iter().map(short).collect::<Vec<_>>().join(" ")
    }

    const NEAR: &str = "OU=near,OU=far,DC=x";
    const FAR: &str = "OU=far,DC=x";
    const SITE: &str = "CN=Berlin,CN=Sites,CN=Configuration,DC=x";

    #[test]
    fn the_nearer_goes_first_and_order_1_is_the_last_in_the_value() {
        let soms = [
            som(NEAR, &[("n2", 0), ("n1", 0)], false),
            som(FAR, &[("f", 0)], false),
            som("DC=x", &[("d2", 0), ("d1", 0)], false),
            som(SITE, &[("s", 0)], false),
        ];
        assert_eq!(names(&precedence(&soms)), "n1 n2 f d1 d2 s");
    }

    #[test]
    fn enforced_links_go_before_all_and_the_farther_first() {
        let soms = [
            som(NEAR, &[("n", 2), ("m", 0)], false),
            som(FAR, &[("f2", 2), ("f1", 2), ("g", 0)], false),
            som("DC=x", &[("d", 2)], false),
            som(SITE, &[("s", 2)], false),
        ];
        assert_eq!(names(&precedence(&soms)), "s d f1 f2 n m g");
    }

    #[test]
    fn block_inheritance_stops_what_is_above_and_not_enforced() {
        let soms = [
            som(NEAR, &[("n", 0)], false),
            som(FAR, &[("f", 0), ("off", 1)], true),
            som("DC=x", &[("d", 0), ("e", 2), ("both", 3)], true),
            som(SITE, &[("s", 0)], false),
        ];
        assert_eq!(
            names(&precedence(&soms)),
            "(both) e n (off) f [d x/far] [s x/far]"
        );
    }

    fn healthy() -> Seen {
        Seen {
            is_descriptor_unread: false,
            is_version_unread: false,
            functionality_version: Some(2),
            flags: Some(0),
            descriptor: Some(
                from_sddl(
                    "O:DAG:DAD:P(A;CI;LCRPLORC;;;AU)(OA;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU)",
                    Some(&"S-1-5-21-1-2-3".parse().unwrap()),
                )
                .unwrap(),
            ),
            directory_version: Some(GpoVersion::from_combined(65_537)),
            sysvol_version: Some(GpoVersion::from_combined(65_537)),
            wmi_filter: None,
            right_path: true,
        }
    }

    fn codes(gpo: &Seen, half: Half) -> Vec<Code> {
        let token = AccessToken::new(["S-1-5-21-1-2-3-1104".parse().unwrap()]);
        denied(gpo, half, &token, &token)
            .iter()
            .map(Denied::code)
            .collect()
    }

    #[test]
    fn a_healthy_gpo_applies_in_both_halves() {
        assert!(codes(&healthy(), Half::Computer).is_empty());
        assert!(codes(&healthy(), Half::User).is_empty());
        let filtered = Seen {
            wmi_filter: Some(Some("Laptops".to_owned())),
            ..healthy()
        };
        assert!(codes(&filtered, Half::User).is_empty());
    }

    #[test]
    fn each_reason_alone() {
        let one = |change: &dyn Fn(&mut Seen)| {
            let mut gpo = healthy();
            change(&mut gpo);
            (codes(&gpo, Half::Computer), codes(&gpo, Half::User))
        };
        let both = |code| (vec![code], vec![code]);
        let none = Vec::new;
        assert_eq!(
            one(&|gpo| gpo.functionality_version = None),
            both(Code::FunctionalityVersion)
        );
        assert_eq!(
            one(&|gpo| gpo.flags = Some(1)),
            (none(), vec![Code::HalfDisabled])
        );
        assert_eq!(
            one(&|gpo| gpo.flags = Some(2)),
            (vec![Code::HalfDisabled], none())
        );
        assert_eq!(one(&|gpo| gpo.flags = Some(3)), both(Code::HalfDisabled));
        assert_eq!(one(&|gpo| gpo.flags = None), (none(), none()));
        assert_eq!(one(&|gpo| gpo.sysvol_version = None), both(Code::NoGptIni));
        assert_eq!(
            one(&|gpo| gpo.wmi_filter = Some(None)),
            both(Code::WmiFilterMissing)
        );
        assert_eq!(one(&|gpo| gpo.right_path = false), both(Code::WrongPath));
        assert_eq!(one(&|gpo| gpo.descriptor = None), both(Code::NotReadable));
        // The version of the half counts, and one side other than 0 is enough.
        let version = |user, machine| Some(GpoVersion { user, machine });
        let empty = one(&|gpo| {
            gpo.directory_version = version(0, 3);
            gpo.sysvol_version = version(0, 3);
        });
        assert_eq!(empty, (none(), vec![Code::Empty]));
        assert_eq!(
            one(&|gpo| gpo.directory_version = version(0, 0)),
            (none(), none())
        );
        let nobody = one(&|gpo| {
            gpo.descriptor = Some(from_sddl("O:SYG:SYD:P(A;;GR;;;AU)", None).unwrap());
        });
        assert_eq!(nobody, both(Code::SecurityFiltering));
    }
}

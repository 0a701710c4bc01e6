//! Whether an account applies a GPO: reads from the domain what [`super::client`] needs.

use std::collections::BTreeMap;

use super::client::{self, Denied, Reached, Seen, Stopped};
use super::extensions::Half;
use crate::directory::GpoObject;
use crate::directory::account::Account;
use crate::directory::links::Som;
use crate::directory::unreadable::{Existence, READ_WITH_MORE_RIGHTS};
use crate::directory::wmi::{WmiFilterLookup, unreadable_filter};
use crate::domain::principals::{Lookup, PrincipalDirectory as _, PrincipalQuery};
use crate::domain::sysvol::SysvolPath;
use crate::error::{ErrorKind, Result};
use crate::formats::gpt_ini;
use crate::message::{Code, StatusMessage, printable};
use crate::model::access::AccessToken;
use crate::model::dn::Dn;
use crate::model::guid::Guid;
use crate::model::safe_name::RelPath;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::sid::Sid;
use crate::model::snapshot::WmiFilterLink;
use crate::model::version::GpoVersion;
use crate::session::DomainSession;
use crate::session::read::unreadable_attributes;

/// The RID of Domain Computers.
const DOMAIN_COMPUTERS: u32 = 515;

/// One GPO from the view of one account.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The GPO's GUID, when it is in this domain.
    pub guid: Option<Guid>,
    /// Its display name; its DN when the GPO does not exist here.
    pub display_name: String,
    /// Whether the account applies it, subject to its WMI filter.
    pub applies: bool,
    /// Its precedence among those that apply; 1 is the highest.
    pub precedence: Option<usize>,
    /// The links on the path to the account, by precedence.
    pub links: Vec<Reached>,
    /// Why it does not apply: code and sentence.
    pub reasons: Vec<(Code, String)>,
    /// The name of the WMI filter that still decides on the client.
    pub wmi_filter: Option<String>,
}

/// What applies to one account.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The account.
    pub account: Account,
    /// The half for this kind of account.
    pub half: Half,
    /// The site that was assumed.
    pub site: Option<Dn>,
    /// The GPOs, those that apply first, by precedence.
    pub verdicts: Vec<Verdict>,
    /// The findings about what could not be read.
    pub messages: Vec<StatusMessage>,
}

/// Which GPOs an account applies. Without a site, the only one of the forest is used, or none. Only the half for this kind of
/// account is considered; loopback processing is not.
///
/// # Errors
/// `NotFound` when there is no such account or site; else as every search.
pub async fn applied_to(
    session: &DomainSession,
    account: &str,
    site: Option<&str>,
    only: Option<&GpoObject>,
) -> Result<Applied> {
    let directory = session.directory();
    let account = directory.account(account).await?;
    let half = if account.is_computer() {
        Half::Computer
    } else {
        Half::User
    };
    let mut messages = Vec::new();
    let mut soms = directory.soms_above(&account.dn).await?;
    let site = site_of(session, site, &mut messages).await?;
    let site_dn = site.as_ref().map(|som| som.dn.clone());
    soms.extend(site);

    let apply = AccessToken::new(account.groups.iter().cloned().chain([account.sid.clone()]));
    let read = match half {
        Half::Computer => apply.clone(),
        Half::User => AccessToken::new([session.info().domain_sid.with_rid(DOMAIN_COMPUTERS)]),
    };
    let reached = client::precedence(&soms);
    messages.extend(soms.iter().filter_map(Som::unreadable_links));
    let list = directory.gpo_list().await?;
    messages.extend(list.warnings(&session.info().base));
    let existences = list.existences();
    let gpos = list.gpos;
    let mut order: Vec<&GpoObject> = Vec::new();
    let mut links: BTreeMap<Guid, Vec<Reached>> = BTreeMap::new();
    let mut strangers: Vec<Reached> = Vec::new();
    for link in reached {
        match gpos.iter().find(|gpo| client::is_to(&link, &gpo.dn)) {
            Some(gpo) => {
                let known = links.entry(gpo.guid).or_default();
                if known.is_empty() {
                    order.push(gpo);
                }
                known.push(link);
            }
            None => strangers.push(link),
        }
    }
    let mut verdicts = Vec::new();
    for gpo in order {
        let links = links.remove(&gpo.guid).unwrap_or_default();
        verdicts.push(judge(session, gpo, half, (&apply, &read), links, &mut messages).await?);
    }
    if let Some(gpo) = only
        && !verdicts
            .iter()
            .any(|verdict| verdict.guid == Some(gpo.guid))
    {
        let judged = judge(
            session,
            gpo,
            half,
            (&apply, &read),
            Vec::new(),
            &mut messages,
        );
        verdicts.push(judged.await?);
    }
    number(&mut verdicts);
    if let Some(gpo) = only {
        verdicts.retain(|verdict| verdict.guid == Some(gpo.guid));
    }
    messages.extend(strangers.iter().map(|link| {
        let guid = Dn::parse(&link.gpo)
            .ok()
            .and_then(|dn| dn.gpo_guid(&session.info().base));
        let place = printable(&format!("{} ({})", link.gpo, link.target));
        match guid.map(|guid| existences.of(guid)) {
            Some(Existence::Unreadable) => StatusMessage::info(
                Code::UnreadableGpo,
                format!("whether a linked GPO applies is not known, because this account may not read it: {place}"),
            ),
            Some(Existence::Unknown) => StatusMessage::warning(
                Code::UnlistedGpos,
                format!("whether a linked GPO exists is not known, because this account may not list all GPOs: {place}"),
            ),
            _ => StatusMessage::info(
                Code::OtherGpo,
                format!("a link refers to a GPO that does not exist in this domain: {place}"),
            ),
        }
    }));
    Ok(Applied {
        account,
        half,
        site: site_dn,
        verdicts,
        messages,
    })
}

/// The given site, or the only one that exists.
async fn site_of(
    session: &DomainSession,
    asked: Option<&str>,
    messages: &mut Vec<StatusMessage>,
) -> Result<Option<Som>> {
    let directory = session.directory();
    if let Some(name) = asked {
        let dn = directory.info().configuration.cn("Sites").cn(name);
        return match directory.som(&dn).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(error.context(format!("cannot find the site \"{}\"", printable(name))))
            }
            other => other.map(Some),
        };
    }
    let sites = directory.sites().await?;
    match sites.as_slice() {
        [only] => directory.som(only).await.map(Some),
        several => {
            messages.push(StatusMessage::info(
                Code::SiteUnknown,
                format!(
                    "the forest has {} sites, so links to sites were ignored",
                    several.len()
                ),
            ));
            Ok(None)
        }
    }
}

async fn judge(
    session: &DomainSession,
    gpo: &GpoObject,
    half: Half,
    (apply, read): (&AccessToken, &AccessToken),
    links: Vec<Reached>,
    messages: &mut Vec<StatusMessage>,
) -> Result<Verdict> {
    let seen = see(session, gpo, messages).await?;
    let denied = client::denied(&seen, half, apply, read);
    let mut reasons = Vec::new();
    if !links.iter().any(|link| link.stopped.is_none()) {
        reasons.extend(links.iter().filter_map(|link| {
            let (code, text) = match link.stopped.as_ref()? {
                Stopped::Disabled => (
                    Code::LinkDisabled,
                    format!("the link at {} is disabled", link.target),
                ),
                Stopped::Blocked(by) => (
                    Code::InheritanceBlocked,
                    format!("{by} blocks the link at {}", link.target),
                ),
            };
            Some((code, text))
        }));
        if links.is_empty() {
            reasons.push((
                Code::NotLinked,
                "it is not linked to any container above the account".to_owned(),
            ));
        }
    }
    for reason in &denied {
        reasons.push((reason.code(), sentence(session, reason, half).await?));
    }
    Ok(Verdict {
        guid: Some(gpo.guid),
        display_name: gpo.display_name.clone(),
        applies: reasons.is_empty(),
        precedence: None,
        links,
        reasons,
        wmi_filter: seen.wmi_filter.flatten(),
    })
}

/// Sorts those that apply to the front and numbers them.
fn number(verdicts: &mut [Verdict]) {
    verdicts.sort_by_key(|verdict| !verdict.applies);
    for (index, verdict) in verdicts
        .iter_mut()
        .filter(|verdict| verdict.applies)
        .enumerate()
    {
        verdict.precedence = Some(index + 1);
    }
}

/// The properties of the GPO that a client reads.
async fn see(
    session: &DomainSession,
    gpo: &GpoObject,
    messages: &mut Vec<StatusMessage>,
) -> Result<Seen> {
    let wmi_filter = match gpo.wmi_filter.as_deref().and_then(WmiFilterLink::parse) {
        None => None,
        Some(link) => match session.directory().wmi_filter(link.id).await? {
            WmiFilterLookup::Unreadable => {
                messages.push(unreadable_filter(&link).of_gpo(&gpo.display_name));
                Some(Some(link.id.to_string()))
            }
            found => Some(found.name()),
        },
    };
    messages.extend(unreadable_attributes(gpo));
    if !gpo.may_read("nTSecurityDescriptor") {
        let text = "this account may not read the permissions of the GPO, so whether they let the account apply it is not known";
        messages.push(
            StatusMessage::warning(Code::UnreadableDescriptor, text)
                .of_gpo(&gpo.display_name)
                .with_hint(READ_WITH_MORE_RIGHTS),
        );
    }
    let sysvol_version = match sysvol_version(session, gpo.guid).await {
        // This account may have fewer rights than the client.
        Err(error) if error.kind() == ErrorKind::Denied => {
            let text = format!(
                "its GPT.INI was not read and is assumed to have the version of the directory: {error}"
            );
            messages.push(
                StatusMessage::warning(Code::Unread, text)
                    .of_gpo(&gpo.display_name)
                    .with_hint("run the check with an account that may read the file"),
            );
            gpo.version
        }
        other => other?,
    };
    Ok(Seen {
        functionality_version: match gpo.may_read("gPCFunctionalityVersion") {
            true => gpo.functionality_version,
            // Every editor writes this one.
            false => Some(2),
        },
        flags: gpo.flags,
        descriptor: SecurityDescriptor::parse(&gpo.security_descriptor).ok(),
        is_descriptor_unread: !gpo.may_read("nTSecurityDescriptor"),
        is_version_unread: !gpo.may_read("versionNumber"),
        directory_version: gpo.version,
        sysvol_version,
        wmi_filter,
        right_path: gpo.path_mismatch(&session.info().dns_domain).is_none(),
    })
}

/// The version of GPT.INI; a file without one has 0. `None` when there is no file that can be read.
async fn sysvol_version(session: &DomainSession, guid: Guid) -> Result<Option<GpoVersion>> {
    let Ok(name) = "GPT.INI".parse::<RelPath>() else {
        return Ok(None);
    };
    let path = SysvolPath::in_gpo(&session.info().dns_domain, guid, &name);
    let missing = |error: crate::Error| match error.kind() {
        ErrorKind::NotFound => Ok(None),
        _ => Err(error),
    };
    let entry = match session.sysvol().stat(&path).await {
        Ok(Some(entry)) => entry,
        Ok(None) => return Ok(None),
        Err(error) => return missing(error),
    };
    match session.sysvol().read(&path, entry.size).await {
        Ok(bytes) => Ok(gpt_ini::read_version(&bytes)
            .ok()
            .map(Option::unwrap_or_default)),
        Err(error) => missing(error),
    }
}

/// The reason as a sentence.
async fn sentence(session: &DomainSession, reason: &Denied, half: Half) -> Result<String> {
    let whom = |sid: Option<String>, what: &str| match sid {
        Some(name) => format!("an entry for {name} denies {what}"),
        None => format!("nothing grants {what}"),
    };
    Ok(match reason {
        Denied::FunctionalityVersion => "gPCFunctionalityVersion is not 2".to_owned(),
        Denied::HalfDisabled => format!("its {} configuration is disabled", half.word()),
        Denied::NotReadable(sid) => {
            let what = match half {
                Half::Computer => "the computer Read",
                Half::User => {
                    "computers Read, which they need for their users' policy too (MS16-072)"
                }
            };
            whom(name_of(session, sid.as_ref()).await?, what)
        }
        Denied::NotFor(sid) => whom(
            name_of(session, sid.as_ref()).await?,
            "the account Apply Group Policy",
        ),
        Denied::Empty => format!("its {} configuration is empty (version 0)", half.word()),
        Denied::NoGptIni => "its GPT.INI on SYSVOL cannot be read".to_owned(),
        Denied::WmiFilterMissing => "its WMI filter does not exist".to_owned(),
        Denied::WrongPath => "gPCFileSysPath refers to another folder".to_owned(),
    })
}

async fn name_of(session: &DomainSession, sid: Option<&Sid>) -> Result<Option<String>> {
    let Some(sid) = sid else { return Ok(None) };
    let query = PrincipalQuery::Sid(sid.clone());
    Ok(Some(
        match session.directory().lookup(&[query]).await?.pop() {
            Some(Lookup::Found(principal)) => principal.down_level_name(),
            _ => sid.to_string(),
        },
    ))
}

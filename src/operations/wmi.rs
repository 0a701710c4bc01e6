//! WMI filters: exported, imported, and linked to GPOs [MS-WMIO, MS-GPOL 2.2.5].

use crate::directory::wmi::WmiFilter;
use crate::directory::{AttributeSwap, DomainInfo, GpoObject, SwapAttribute};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::formats::wmi_mof;
use crate::message::{Code, StatusMessage, printable};
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::snapshot::WmiFilterLink;
use crate::model::wmi_filter::{WmiFilterFile, format_queries, parse_queries};
use crate::plan::Plan;
use crate::plan::values::{ObjectDn, ValueChange, filter_lines};
use crate::session::read::refuse_unread;

/// How to import a filter whose name the domain already has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IfExists {
    /// An error.
    Refuse,
    /// Replace its description and queries with those of the file; its ID and the links to it are kept.
    Replace,
}

/// A filter of a domain in the form of a file.
///
/// # Errors
/// `BadDirectory` when its queries cannot be read.
pub fn to_file(filter: &WmiFilter, domain: &DomainName) -> Result<WmiFilterFile> {
    let queries = parse_queries(&filter.queries).map_err(|cause| {
        Error::new(
            ErrorKind::BadDirectory,
            format!(
                "the WMI filter \"{}\" cannot be read",
                printable(&filter.name)
            ),
        )
        .with_source(cause)
        .with_hint("open and save it in GPMC")
    })?;
    Ok(WmiFilterFile {
        name: filter.name.clone(),
        description: filter.description.clone(),
        author: filter.author.clone(),
        created: filter.created.clone(),
        changed: filter.changed.clone(),
        domain: domain.to_string(),
        id: filter.id.to_string(),
        queries,
    })
}

/// Reads a file: GPMC's `.mof`, or the JSON that gpoctl writes. `name` is its name in messages.
///
/// # Errors
/// `BadInput` with the line.
pub fn read_file(name: &str, bytes: &[u8]) -> Result<WmiFilterFile> {
    let bad = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::BadInput, format!("{name} is not a WMI filter"))
            .with_source(cause)
            .with_remedy(Remedy::ExportWmiFilter)
    };
    let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if is_json && bytes.len() <= wmi_mof::MAX_BYTES {
        let file: WmiFilterFile =
            serde_json::from_slice(bytes).map_err(|cause| bad(Box::new(cause)))?;
        if file.name.is_empty() || file.queries.is_empty() {
            return Err(bad("it has no name or no query".into()));
        }
        return Ok(file);
    }
    wmi_mof::parse(bytes).map_err(|cause| bad(Box::new(cause)))
}

/// Plans the import of a filter. It keeps the ID of the file when it was exported from this domain and the ID is not in use, so
/// that links to a deleted filter work again; otherwise it gets a new one.
///
/// # Errors
/// `Conflict` when the domain has a filter of this name that may not be replaced, or several; `Denied` when this account may not
/// read the one that would be replaced.
pub fn plan_import(
    info: &DomainInfo,
    container: &Dn,
    existing: &[WmiFilter],
    file: &WmiFilterFile,
    if_exists: IfExists,
) -> Result<Plan> {
    let name = printable(&file.name);
    let folded = file.name.to_lowercase();
    let twins: Vec<&WmiFilter> = existing
        .iter()
        .filter(|filter| filter.name.to_lowercase() == folded)
        .collect();
    if matches!(if_exists, IfExists::Replace) {
        for twin in &twins {
            twin.refuse_unread()?;
        }
    }
    let queries = format_queries(&file.queries);
    let now = wmi_time();
    let mut list = Plan::new(
        format!("import the WMI filter \"{name}\" into {}", info.dns_domain),
        &info.dns_domain,
    );
    let mut summary: Vec<String> = Vec::new();
    match (twins.as_slice(), if_exists) {
        ([], _) => {
            let from_here = file.domain.eq_ignore_ascii_case(info.dns_domain.as_str());
            let free = |id: &Guid| !existing.iter().any(|filter| filter.id == *id);
            let id = file
                .id
                .parse()
                .ok()
                .filter(|id| from_here && free(id))
                .unwrap_or_else(Guid::new_random);
            let author = match file.author.as_str() {
                "" => info.bound_as.clone(),
                author => author.to_owned(),
            };
            let created = match file.created.as_str() {
                "" => now.clone(),
                created => created.to_owned(),
            };
            let mut attributes = vec![
                ("msWMI-ID".to_owned(), id.to_string()),
                ("msWMI-Name".to_owned(), file.name.clone()),
                ("msWMI-Parm2".to_owned(), queries),
                ("msWMI-Author".to_owned(), author),
                ("msWMI-CreationDate".to_owned(), created),
                ("msWMI-ChangeDate".to_owned(), now),
                ("showInAdvancedViewOnly".to_owned(), "TRUE".to_owned()),
            ];
            // An empty description is stored as an absent attribute.
            if !file.description.is_empty() {
                attributes.push(("msWMI-Parm1".to_owned(), file.description.clone()));
            }
            summary.push(format!("+ WMI filter \"{name}\" {id}"));
            if !file.description.is_empty() {
                summary.push(format!("+   {}", printable(&file.description)));
            }
            summary.extend(file.queries.iter().map(|query| {
                format!(
                    "+   {}: {}",
                    printable(&query.namespace),
                    printable(&query.query)
                )
            }));
            list.push(
                ValueChange::AddWmiFilter {
                    dn: ObjectDn(container.cn(&id.to_string())),
                    attributes,
                },
                summary,
            );
        }
        ([twin], IfExists::Replace) => {
            let mut swaps = Vec::new();
            let mut swap = |attribute, old: &str, new: &str| {
                let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
                if old != new {
                    swaps.push(AttributeSwap {
                        attribute,
                        old: some(old),
                        new: some(new),
                    });
                }
            };
            swap(SwapAttribute::WmiName, &twin.name, &file.name);
            swap(
                SwapAttribute::WmiDescription,
                &twin.description,
                &file.description,
            );
            swap(SwapAttribute::WmiQueries, &twin.queries, &queries);
            if !swaps.is_empty() {
                swaps.push(AttributeSwap {
                    attribute: SwapAttribute::WmiChangeDate,
                    old: (!twin.changed.is_empty()).then(|| twin.changed.clone()),
                    new: Some(now),
                });
                summary.push(format!("~ WMI filter \"{name}\" {}", twin.id));
                let seen = |swap: &&AttributeSwap| swap.attribute != SwapAttribute::WmiChangeDate;
                summary.extend(swaps.iter().filter(seen).flat_map(filter_lines));
                list.push(
                    ValueChange::Attributes {
                        dn: ObjectDn(twin.dn.clone()),
                        attributes: swaps,
                    },
                    summary,
                );
            }
        }
        ([twin, ..], _) => {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "{} already has a WMI filter \"{name}\": {}",
                    info.dns_domain, twin.id
                ),
            )
            .with_remedy(Remedy::RenameOrReplaceWmiFilter));
        }
    }
    Ok(list)
}

/// Plans to link a GPO to a filter of its domain, or to remove the link.
///
/// # Errors
/// `Denied` when this account may not read the present link.
pub fn plan_link(domain: &DomainName, gpo: &GpoObject, filter: Option<&WmiFilter>) -> Result<Plan> {
    refuse_unread(gpo, &["gPCWQLFilter"])?;
    let name = printable(&gpo.display_name);
    let title = match filter {
        Some(filter) => format!(
            "link the WMI filter \"{}\" to \"{name}\"",
            printable(&filter.name)
        ),
        None => format!("remove the WMI filter link of \"{name}\""),
    };
    let mut list = Plan::new(title, domain);
    let old_link = gpo.wmi_filter.as_deref().and_then(WmiFilterLink::parse);
    let same = match (filter, &old_link, gpo.wmi_filter.as_deref()) {
        (Some(filter), Some(link), _) => {
            link.id == filter.id && link.domain.eq_ignore_ascii_case(domain.as_str())
        }
        (None, _, value) => value.is_none(),
        _ => false,
    };
    if same {
        return Ok(list);
    }
    let new = filter.map(|filter| format!("[{};{};0]", domain.lower(), filter.id));
    let mut summary = Vec::new();
    if let Some(old) = &gpo.wmi_filter {
        summary.push(format!("- WMI filter: {}", shown_link(old)));
    }
    if let (Some(new), Some(filter)) = (&new, filter) {
        summary.push(format!(
            "+ WMI filter: \"{}\" {}",
            printable(&filter.name),
            shown_link(new)
        ));
    }
    if filter.is_none() {
        list.messages.push(StatusMessage::warning(
            Code::WmiLinkRemoved,
            format!("without a WMI filter, \"{name}\" applies to everything it is linked to"),
        ));
    }
    list.push(
        ValueChange::Attributes {
            dn: ObjectDn(gpo.dn.clone()),
            attributes: vec![AttributeSwap {
                attribute: SwapAttribute::WqlFilter,
                old: gpo.wmi_filter.clone(),
                new,
            }],
        },
        summary,
    );
    Ok(list)
}

/// The ID in a `gPCWQLFilter`; a value of another form unchanged.
fn shown_link(value: &str) -> String {
    match WmiFilterLink::parse(value) {
        Some(link) => link.id.to_string(),
        None => printable(value),
    }
}

/// The time now as WMI writes it, in UTC.
fn wmi_time() -> String {
    jiff::Timestamp::now()
        .strftime("%Y%m%d%H%M%S.%6f-000")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::wmi_filter::WmiQuery;

    fn info() -> DomainInfo {
        let base = Dn::parse("DC=src,DC=test").unwrap();
        DomainInfo {
            dns_domain: "src.test".parse().unwrap(),
            netbios_domain: "SRC".to_owned(),
            configuration: base.cn("Configuration"),
            schema: base.cn("Schema"),
            base,
            domain_sid: "S-1-5-21-1-2-3".parse().unwrap(),
            domain_guid: Guid::NIL,
            forest_root_sid: None,
            forest_domains: Vec::new(),
            server: "dc1.src.test".parse().unwrap(),
            pdc: None,
            vendor: None,
            user_sid: None,
            token: None,
            bound_as: "admin@SRC.TEST".to_owned(),
        }
    }

    const ID: &str = "{93B95A6C-ECF8-4357-9E34-040521A227D3}";

    fn file(domain: &str) -> WmiFilterFile {
        WmiFilterFile {
            name: "Desks".to_owned(),
            domain: domain.to_owned(),
            id: ID.to_owned(),
            queries: vec![WmiQuery {
                language: "WQL".to_owned(),
                namespace: "root".to_owned(),
                query: "q".to_owned(),
            }],
            ..WmiFilterFile::default()
        }
    }

    fn container() -> Dn {
        info().base.cn("SOM")
    }

    fn existing(name: &str, id: &str) -> WmiFilter {
        WmiFilter {
            unreadable: Vec::new(),
            id: id.parse().unwrap(),
            name: name.to_owned(),
            dn: container().cn(id),
            description: "old".to_owned(),
            author: String::new(),
            created: String::new(),
            changed: String::new(),
            queries: "1;3;4;1;WQL;root;q;".to_owned(),
        }
    }

    fn added_id(domain: &str, there: &[WmiFilter]) -> String {
        let list = plan_import(
            &info(),
            &container(),
            there,
            &file(domain),
            IfExists::Refuse,
        )
        .unwrap();
        match &list.values().next().unwrap().change {
            ValueChange::AddWmiFilter { dn, attributes } => {
                let id = dn.0.rdns()[0].value.clone();
                assert!(attributes.contains(&("msWMI-ID".to_owned(), id.clone())));
                assert!(!attributes.iter().any(|(name, _)| name == "msWMI-Parm1"));
                id
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_id_is_kept_at_home_and_new_elsewhere() {
        assert_eq!(added_id("SRC.test", &[]), ID);
        assert_ne!(added_id("other.test", &[]), ID);
        assert_ne!(added_id("src.test", &[existing("Other", ID)]), ID);
    }

    #[test]
    fn a_name_that_is_taken_is_refused_or_replaced() {
        let there = [existing("DESKS", ID)];
        let plan = |if_exists| plan_import(&info(), &container(), &there, &file("x"), if_exists);
        assert_eq!(
            plan(IfExists::Refuse).unwrap_err().kind(),
            ErrorKind::Conflict
        );
        let list = plan(IfExists::Replace).unwrap();
        let ValueChange::Attributes { attributes, .. } = &list.values().next().unwrap().change
        else {
            panic!("{list:?}");
        };
        let names: Vec<&str> = attributes
            .iter()
            .map(|swap| swap.attribute.as_str())
            .collect();
        assert_eq!(names, ["msWMI-Name", "msWMI-Parm1", "msWMI-ChangeDate"]);
        assert_eq!(attributes[1].old.as_deref(), Some("old"));
        assert_eq!(attributes[1].new, None);
    }

    #[test]
    fn links_are_made_changed_and_removed() {
        let mut gpo = GpoObject::bare(ID.parse().unwrap(), &info().base);
        let domain = "SRC.test".parse().unwrap();
        let filter = existing("Desks", ID);
        let new = |gpo: &GpoObject, filter: Option<&WmiFilter>| {
            let list = plan_link(&domain, gpo, filter).unwrap();
            list.values().next().map(|planned| match &planned.change {
                ValueChange::Attributes { attributes, .. } => attributes[0].new.clone(),
                other => panic!("{other:?}"),
            })
        };
        let link = format!("[src.test;{ID};0]");
        assert_eq!(new(&gpo, Some(&filter)), Some(Some(link.clone())));
        assert_eq!(new(&gpo, None), None);
        gpo.wmi_filter = Some(link);
        assert_eq!(new(&gpo, Some(&filter)), None);
        assert_eq!(new(&gpo, None), Some(None));
        gpo.wmi_filter = Some("broken".to_owned());
        assert_eq!(new(&gpo, None), Some(None));
        assert!(new(&gpo, Some(&filter)).is_some());
        // A link that cannot be read may be there.
        gpo.wmi_filter = None;
        gpo.unreadable = vec!["flags"];
        assert!(new(&gpo, Some(&filter)).is_some());
        gpo.unreadable = vec!["gPCWQLFilter"];
        for filter in [Some(&filter), None] {
            let error = plan_link(&domain, &gpo, filter).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(error.to_string().contains("gPCWQLFilter"), "{error}");
        }
    }

    #[test]
    fn files_of_both_kinds_are_read() {
        let json = serde_json::to_vec(&file("x")).unwrap();
        assert_eq!(read_file("f", &json).unwrap(), file("x"));
        let mof = wmi_mof::write(&file("x")).unwrap();
        assert_eq!(read_file("f", &mof).unwrap(), file("x"));
        for bad in [&b"{}"[..], b"{\"name\":\"x\",\"queries\":[]}", b"x"] {
            assert_eq!(read_file("f", bad).unwrap_err().kind(), ErrorKind::BadInput);
        }
    }

    #[test]
    fn the_filter_of_a_link_is_shown_by_its_id() {
        assert_eq!(shown_link(&format!("[src.test;{ID};0]")), ID);
        assert_eq!(shown_link("x"), "x");
    }
}

//! The links of GPOs: `gPLink` of the domain, OUs and sites [MS-GPOL 2.2.3].

use super::gpo::SD_PARTS;
use super::session::Directory;
use super::unreadable::{READ_WITH_MORE_RIGHTS, unreadable_attributes};
use crate::domain::ldap::{Entry, Filter, Scope, Search};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::message::{Code, StatusMessage};
use crate::model::access::AccessToken;
use crate::model::backup_context::LinkRecord;
use crate::model::dn::Dn;
use crate::model::gp_link::{GpLink, parse_gp_link};
use crate::model::guid::Guid;
use crate::model::reference::Place;

/// What a GPO can be linked to: a scope of management (SOM).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SomKind {
    /// The domain.
    Domain,
    /// An organizational unit.
    OrganizationalUnit,
    /// A site.
    Site,
}

/// A scope of management with its links.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Som {
    /// Its DN.
    pub dn: Dn,
    /// Its kind.
    pub kind: SomKind,
    /// The present `gPLink`, for a compare-and-swap; `None` when absent.
    pub gp_link: Option<String>,
    /// `gPOptions`: bit 0 blocks inheritance.
    pub gp_options: Option<u32>,
    /// Those of the two that are missing and may have a value, because this account may not read them. What a backup or the links
    /// of one GPO are read from has none of them here.
    pub unreadable: Vec<&'static str>,
}

impl Som {
    pub(super) fn read(entry: &Entry) -> Result<Self> {
        let classes = entry.texts("objectClass");
        let is = |class: &str| {
            classes
                .iter()
                .any(|known| known.eq_ignore_ascii_case(class))
        };
        let kind = if is("organizationalUnit") {
            SomKind::OrganizationalUnit
        } else if is("site") {
            SomKind::Site
        } else if is("domainDNS") {
            SomKind::Domain
        } else {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{} is not a domain, OU or site", entry.dn),
            )
            .with_remedy(Remedy::ListAllLinks));
        };
        Ok(Self {
            dn: entry.dn.clone(),
            kind,
            gp_link: entry.text("gPLink"),
            gp_options: entry.dword("gPOptions")?,
            unreadable: Vec::new(),
        })
    }

    /// As [`read`](Self::read), from an entry that was asked for its descriptor.
    fn read_with_rights(entry: &Entry, token: Option<&AccessToken>) -> Result<Self> {
        Ok(Self {
            unreadable: unreadable_attributes(entry, OF_LINKS, token),
            ..Self::read(entry)?
        })
    }

    /// The finding about links that this account may not read.
    pub fn unreadable_links(&self) -> Option<StatusMessage> {
        let first = self.unreadable.first()?;
        Some(
            StatusMessage::warning(
                Code::UnreadableLinks,
                format!(
                    "this account may not read {} of {}, so whether GPOs are linked to it is not known",
                    self.unreadable.join(" and "),
                    self.dn.canonical_name()
                ),
            )
            .at(Place::file(self.dn.to_string()).key(*first))
            .with_hint(READ_WITH_MORE_RIGHTS),
        )
    }

    /// Refuses to change links that this account may not read.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] when it may not.
    pub fn refuse_unread(&self) -> Result<()> {
        if self.unreadable.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Denied,
            format!(
                "this account may not read {} of {}",
                self.unreadable.join(" and "),
                self.dn.canonical_name()
            ),
        )
        .with_hint("nothing was changed, because links that cannot be read cannot be kept; let an administrator grant Read on all properties to this account, or use another one"))
    }

    /// Whether the object inherits only enforced links.
    pub fn blocks_inheritance(&self) -> bool {
        self.gp_options.is_some_and(|options| options & 1 != 0)
    }

    /// One of its links as a backup stores it.
    pub fn record(&self, link: &GpLink, order: usize) -> LinkRecord {
        LinkRecord {
            target: self.dn.to_string(),
            order,
            enforced: link.is_enforced(),
            disabled: link.is_disabled(),
            options: link.options,
            blocks_inheritance: self.gp_options.is_some_and(|options| options & 1 != 0),
        }
    }

    /// The links in the order of the attribute; the last one has the highest precedence.
    ///
    /// # Errors
    /// [`ErrorKind::BadDirectory`] when `gPLink` is malformed.
    pub fn links(&self) -> Result<Vec<GpLink>> {
        parse_gp_link(self.gp_link.as_deref().unwrap_or_default()).map_err(|error| {
            Error::new(
                ErrorKind::BadDirectory,
                format!("{}: a broken gPLink", self.dn),
            )
            .with_hint("repair the links of this object first")
            .with_source(error)
        })
    }
}

/// One link to a GPO.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SomLink {
    /// What it is linked to.
    pub som: Som,
    /// The link.
    pub link: GpLink,
    /// Its link order in the object; 1 has the highest precedence.
    pub order: usize,
}

/// The links to a GPO, and the findings about them.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GpoLinks {
    /// The links.
    pub links: Vec<SomLink>,
    /// `broken-gplink` for each object that names the GPO in a `gPLink` that cannot be read.
    pub messages: Vec<StatusMessage>,
}

/// The attributes of a [`Som`].
pub(super) const ATTRIBUTES: &[&str] = &["objectClass", "gPLink", "gPOptions"];
/// The same with the descriptor, which decides what a missing one means.
const WITH_RIGHTS: &[&str] = &["objectClass", "gPLink", "gPOptions", "nTSecurityDescriptor"];
const OF_LINKS: &[&str] = &["gPLink", "gPOptions"];

impl Directory {
    /// Where the GPO is linked: the domain, its OUs and the sites of the forest.
    ///
    /// # Errors
    /// As every search.
    pub async fn links_of(&self, guid: Guid) -> Result<GpoLinks> {
        let gpo = self.info().base.gpo(guid);
        let named = Filter::contains("gPLink", &guid.to_string());
        let mut found = GpoLinks::default();
        for som in self.soms_with(Some(&named)).await? {
            collect(som, &gpo, &mut found);
        }
        Ok(found)
    }

    /// The domain, its OUs and the sites of the forest that have links or block inheritance, or may do so because this account
    /// cannot tell, the domain first, then by name.
    ///
    /// # Errors
    /// As every search.
    pub async fn linked_soms(&self) -> Result<Vec<Som>> {
        // Not only those with the attributes: a condition on one that cannot be read does not hold.
        let mut soms = self.soms_with(None).await?;
        soms.retain(|som| {
            let links = som
                .gp_link
                .as_deref()
                .is_some_and(|value| !value.trim().is_empty());
            links || som.blocks_inheritance() || !som.unreadable.is_empty()
        });
        soms.sort_by_cached_key(|som| {
            let site = som.kind == SomKind::Site;
            (site, som.dn.canonical_name().to_lowercase())
        });
        Ok(soms)
    }

    /// The domain, the OUs and the sites for which the filter holds; without one, all, with what this account may read of them.
    async fn soms_with(&self, wanted: Option<&Filter>) -> Result<Vec<Som>> {
        let info = self.info();
        let class = |name: &str| Filter::equals("objectClass", name);
        let sites = info.configuration.cn("Sites");
        let mut soms = Vec::new();
        for (base, scope, classes) in [
            (
                &info.base,
                Scope::Subtree,
                Filter::any([class("domainDNS"), class("organizationalUnit")]),
            ),
            (&sites, Scope::OneLevel, class("site")),
        ] {
            let entries = self
                .search(Search {
                    base: Some(base),
                    scope,
                    filter: match wanted {
                        Some(wanted) => Filter::all([classes, wanted.clone()]),
                        None => classes,
                    },
                    attributes: match wanted {
                        Some(_) => ATTRIBUTES,
                        None => WITH_RIGHTS,
                    },
                    sd_flags: wanted.is_none().then_some(SD_PARTS),
                    paged: true,
                    extended_dns: false,
                })
                .await?;
            for entry in &entries {
                soms.push(match wanted {
                    Some(_) => Som::read(entry)?,
                    None => Som::read_with_rights(entry, info.token.as_ref())?,
                });
            }
        }
        Ok(soms)
    }

    /// The domain, OU or site with this DN.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none; [`ErrorKind::Denied`] when this account may not read it, or may not see whether
    /// there is one; [`ErrorKind::Usage`] when it is another object.
    pub async fn som(&self, dn: &Dn) -> Result<Som> {
        let token = self.info().token.as_ref();
        match self.read(dn, WITH_RIGHTS, Some(SD_PARTS)).await? {
            Some(entry) if entry.values("objectClass").is_empty() => Err(Error::new(
                ErrorKind::Denied,
                format!("{dn} exists, and this account may not read it"),
            )
            .with_hint(READ_WITH_MORE_RIGHTS)),
            Some(entry) => Som::read_with_rights(&entry, token),
            None if self.hides(dn).await? => Err(Error::new(
                ErrorKind::Denied,
                format!(
                    "whether there is an object {dn} is not known, because this account may not list what is above it"
                ),
            )
            .with_hint(READ_WITH_MORE_RIGHTS)),
            None => Err(
                Error::new(ErrorKind::NotFound, format!("there is no object {dn}"))
                    .with_hint("give the DN of the domain, an OU or a site"),
            ),
        }
    }
}

/// Adds the links of one object that name the GPO.
fn collect(som: Som, gpo: &Dn, found: &mut GpoLinks) {
    let links = match parse_gp_link(som.gp_link.as_deref().unwrap_or_default()) {
        Ok(links) => links,
        Err(error) => {
            found.messages.push(
                StatusMessage::warning(Code::BrokenGplink, format!("{}: {error}", som.dn))
                    .with_hint("repair the links of this object"),
            );
            return;
        }
    };
    let count = links.len();
    for (index, link) in links.into_iter().enumerate() {
        // A GPO of the same GUID in another domain is another GPO, so the whole DN counts.
        if Dn::parse(&link.dn).is_ok_and(|dn| dn == *gpo) {
            found.links.push(SomLink {
                som: som.clone(),
                link,
                order: count - index,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_matched_by_the_whole_dn_and_counted_from_the_end() {
        let base = Dn::parse("DC=src,DC=test").unwrap();
        let guid: Guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}".parse().unwrap();
        let som = |gp_link: &str| Som {
            dn: base.clone(),
            kind: SomKind::Domain,
            gp_link: Some(gp_link.to_owned()),
            gp_options: None,
            unreadable: Vec::new(),
        };
        let mut found = GpoLinks::default();
        collect(
            som(
                "[LDAP://cn={31b2f340-016d-11d2-945f-00c04fb984f9},cn=policies,cn=system,DC=SRC,DC=test;2][LDAP://CN={31B2F340-016D-11D2-945F-00C04FB984F9},CN=Policies,CN=System,DC=other;0]",
            ),
            &base.gpo(guid),
            &mut found,
        );
        assert_eq!(found.links.len(), 1);
        assert_eq!(found.links[0].order, 2);
        assert!(found.links[0].link.is_enforced());
        collect(som("[broken"), &base.gpo(guid), &mut found);
        assert_eq!(found.messages.len(), 1);
        assert_eq!(found.messages[0].code, Code::BrokenGplink);
    }
}

//! Finds a domain, OU or site by DN, by canonical path, or by its bare name.

use super::links::Som;
use super::session::{Directory, DomainInfo};
use crate::domain::ldap::{Filter, Scope, Search};
use crate::error::{Error, ErrorKind, Result};
use crate::message::printable;
use crate::model::dn::Dn;

/// The form of the name of a domain, OU or site.
#[derive(Debug, PartialEq, Eq)]
enum SomName {
    /// By its DN.
    Dn(Dn),
    /// By its path from a naming context.
    Path(Dn, Vec<String>),
    /// By its bare name.
    Bare(String),
}

/// Whether the text can only be the name of a domain, OU or site, and not of a GPO: a DN of the domain, or a path that
/// begins with it.
pub fn names_a_som(text: &str, info: &DomainInfo) -> bool {
    !matches!(parse(text, info), Ok(SomName::Bare(_)) | Err(_))
}

/// Parses the name. Case is ignored.
fn parse(text: &str, info: &DomainInfo) -> Result<SomName> {
    if let Ok(dn) = Dn::parse(text)
        && (dn.below(&info.base).is_some() || dn.below(&info.configuration).is_some())
    {
        return Ok(SomName::Dn(dn));
    }
    let mut parts = split_path(text).into_iter();
    let first = parts.next().unwrap_or_default();
    let mut below: Vec<String> = parts.collect();
    if below.last().is_some_and(String::is_empty) {
        below.pop();
    }
    if below.iter().any(String::is_empty) {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("\"{}\" has an empty part", printable(text)),
        ));
    }
    let forest = info.configuration.dns_domain();
    let in_configuration = below
        .first()
        .is_some_and(|name| name.eq_ignore_ascii_case("Configuration"));
    if first.eq_ignore_ascii_case(&forest) && in_configuration {
        below.remove(0);
        return Ok(SomName::Path(info.configuration.clone(), below));
    }
    if first.eq_ignore_ascii_case(info.dns_domain.as_str()) {
        return Ok(SomName::Path(info.base.clone(), below));
    }
    Ok(SomName::Bare(text.to_owned()))
}

/// The parts between slashes; `\/` and `\\` are escaped characters.
fn split_path(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let put = match character {
            '/' => {
                parts.push(String::new());
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            other => other,
        };
        if let Some(last) = parts.last_mut() {
            last.push(put);
        }
    }
    parts
}

impl Directory {
    /// The domain, OU or site that `text` names: a DN, a canonical path (`src.test/Staff`,
    /// `src.test/Configuration/Sites/Berlin`), or the bare name of an OU or a site.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none; [`ErrorKind::Conflict`] with the paths when there are several;
    /// [`ErrorKind::Usage`] when nothing can be linked to the object.
    pub async fn find_som(&self, text: &str) -> Result<Som> {
        match parse(text, self.info())? {
            SomName::Dn(dn) => self.som(&dn).await,
            SomName::Path(base, parts) => {
                let mut at = base;
                for part in parts {
                    at = self.only_child(&at, &part, text).await?;
                }
                self.som(&at).await
            }
            SomName::Bare(name) => {
                let found = self.soms_named(&name).await?;
                let dn = one_of(found, text)?;
                self.som(&dn).await
            }
        }
    }

    /// The child of this name.
    async fn only_child(&self, parent: &Dn, name: &str, text: &str) -> Result<Dn> {
        let found = self
            .search(Search {
                base: Some(parent),
                scope: Scope::OneLevel,
                filter: Filter::equals("name", name),
                attributes: &["objectClass"],
                sd_flags: None,
                paged: true,
                extended_dns: false,
            })
            .await?;
        one_of(found.into_iter().map(|entry| entry.dn).collect(), text)
    }

    /// The OUs of the domain and the sites of the forest with this name.
    async fn soms_named(&self, name: &str) -> Result<Vec<Dn>> {
        let sites = self.info().configuration.cn("Sites");
        let mut found = Vec::new();
        for (base, scope, class) in [
            (&self.info().base, Scope::Subtree, "organizationalUnit"),
            (&sites, Scope::OneLevel, "site"),
        ] {
            let entries = self
                .search(Search {
                    base: Some(base),
                    scope,
                    filter: Filter::all([
                        Filter::equals("objectClass", class),
                        Filter::equals("name", name),
                    ]),
                    attributes: &["objectClass"],
                    sd_flags: None,
                    paged: true,
                    extended_dns: false,
                })
                .await?;
            found.extend(entries.into_iter().map(|entry| entry.dn));
        }
        Ok(found)
    }
}

/// The only one.
fn one_of(found: Vec<Dn>, text: &str) -> Result<Dn> {
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Error::new(
            ErrorKind::NotFound,
            format!("there is no domain, OU or site \"{}\"", printable(text)),
        )
        .with_hint("use its DN, or its path from the domain: corp.example/Staff/North")),
        several => Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "\"{}\" matches {} OUs or sites",
                printable(text),
                several.len()
            ),
        )
        .with_candidates(several.iter().map(Dn::canonical_name))
        .with_hint("use the path from the domain")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::guid::Guid;

    fn info() -> DomainInfo {
        let base = Dn::parse("DC=child,DC=src,DC=test").unwrap();
        let configuration = Dn::parse("CN=Configuration,DC=src,DC=test").unwrap();
        DomainInfo {
            dns_domain: "child.src.test".parse().unwrap(),
            netbios_domain: "CHILD".to_owned(),
            schema: configuration.cn("Schema"),
            configuration,
            base,
            domain_sid: "S-1-5-21-1-2-3".parse().unwrap(),
            domain_guid: Guid::NIL,
            forest_root_sid: None,
            forest_domains: Vec::new(),
            server: "dc1.child.src.test".parse().unwrap(),
            pdc: None,
            vendor: None,
            user_sid: None,
            token: None,
            bound_as: String::new(),
        }
    }

    #[test]
    fn names_of_every_form() {
        let info = info();
        let path = |text: &str| match parse(text, &info) {
            Ok(SomName::Path(base, parts)) => (base.canonical_name(), parts.join("|")),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(
            path("CHILD.src.test/"),
            ("child.src.test/".to_owned(), String::new())
        );
        assert_eq!(path("child.src.test").1, "");
        assert_eq!(path("child.src.test/Staff/A\\/B\\\\").1, "Staff|A/B\\");
        let (base, below) = path("src.test/configuration/Sites/Berlin");
        assert_eq!(base, "src.test/Configuration");
        assert_eq!(below, "Sites|Berlin");
        let dn = "OU=Räume\\, Nord,OU=Staff,DC=child,DC=src,DC=test";
        assert!(matches!(parse(dn, &info), Ok(SomName::Dn(_))));
        assert_eq!(
            Dn::parse(dn).unwrap().canonical_name(),
            "child.src.test/Staff/Räume, Nord"
        );
        for bare in ["Staff", "a=b", "other.test/Staff", "OU=x,DC=other"] {
            assert!(matches!(parse(bare, &info), Ok(SomName::Bare(_))), "{bare}");
            assert!(!names_a_som(bare, &info));
        }
        assert!(parse("child.src.test//x", &info).is_err());
    }
}

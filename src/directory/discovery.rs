//! Finds a domain controller in the domain's DNS, when none is given.

use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData};

use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::model::domain_name::DomainName;

/// A domain controller from DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// Its DNS name.
    pub server: DomainName,
    /// Its address, when a name server was given: the system's own resolver may not know the name then.
    pub address: Option<IpAddr>,
}

/// Finds the PDC emulator of a domain, or else another domain controller, by the SRV records `_ldap._tcp.pdc._msdcs.DOMAIN` and
/// `_ldap._tcp.dc._msdcs.DOMAIN` [MS-ADTS 6.3.2.3]. `nameserver` is queried instead of the system's resolvers.
///
/// # Errors
/// - [`ErrorKind::Connect`]: DNS does not answer, has no domain controller, or returns one outside the domain. DNS is not
///   authenticated, so a name outside is not accepted: its certificate could be valid too.
pub async fn find_controller(
    domain: &DomainName,
    nameserver: Option<IpAddr>,
    timeout: Duration,
) -> Result<Controller> {
    let find = async {
        let resolver = resolver(domain, nameserver)?;
        let mut failure = None;
        for role in ["pdc", "dc"] {
            let name = dns_name(
                domain,
                &format!("_ldap._tcp.{role}._msdcs.{}.", domain.as_str()),
            )?;
            match resolver.srv_lookup(name).await {
                Ok(answer) => {
                    let records = answer
                        .answers()
                        .iter()
                        .filter_map(|record| match &record.data {
                            RData::SRV(record) => Some(record),
                            _ => None,
                        });
                    let Some(server) = best(records, domain)? else {
                        continue;
                    };
                    let address = match nameserver {
                        None => None,
                        Some(_) => {
                            let name = dns_name(domain, &format!("{}.", server.as_str()))?;
                            let found = resolver.lookup_ip(name).await;
                            let found = found.map_err(|cause| nowhere(domain, cause))?;
                            found.iter().next()
                        }
                    };
                    return Ok(Controller { server, address });
                }
                Err(cause) => failure = Some(cause),
            }
        }
        Err(match failure {
            Some(cause) => nowhere(domain, cause),
            None => not_found(domain),
        })
    };
    tokio::time::timeout(timeout, find).await.map_err(|_| {
        not_found(domain).context(format!("DNS did not answer within {} s", timeout.as_secs()))
    })?
}

/// A name to look up. [`DomainName`] is ASCII, so it needs no conversion of international names; an `xn--` label is sent
/// unchanged.
fn dns_name(domain: &DomainName, name: &str) -> Result<Name> {
    Name::from_ascii(name).map_err(|cause| not_found(domain).with_source(cause))
}

fn resolver(domain: &DomainName, nameserver: Option<IpAddr>) -> Result<TokioResolver> {
    let builder = match nameserver {
        None => TokioResolver::builder_tokio().map_err(|cause| nowhere(domain, cause))?,
        Some(address) => {
            let servers = vec![NameServerConfig::udp_and_tcp(address)];
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    builder.build().map_err(|cause| nowhere(domain, cause))
}

/// The controller of the lowest priority and, among those, the greatest weight.
fn best<'a>(
    records: impl Iterator<Item = &'a SRV>,
    domain: &DomainName,
) -> Result<Option<DomainName>> {
    let Some(record) = records.min_by_key(|record| (record.priority, u16::MAX - record.weight))
    else {
        return Ok(None);
    };
    let text = record.target.to_ascii();
    let name = text.trim_end_matches('.');
    let inside = name
        .to_lowercase()
        .strip_suffix(&domain.lower())
        .is_some_and(|head| head.ends_with('.') && head.len() > 1);
    if !inside {
        return Err(Error::new(
            ErrorKind::Connect,
            format!(
                "DNS names {name:?} as a controller of {domain}, which is not within that domain"
            ),
        )
        .with_hint("if it is one, give its name")
        .with_remedy(Remedy::NameController));
    }
    name.parse().map(Some).map_err(|cause| {
        Error::new(
            ErrorKind::Connect,
            format!("DNS names {name:?} as a controller of {domain}"),
        )
        .with_source(cause)
    })
}

fn not_found(domain: &DomainName) -> Error {
    Error::new(
        ErrorKind::Connect,
        format!("no domain controller of {domain} was found in DNS"),
    )
    .with_hint("give the name of one")
    .with_remedy(Remedy::NameControllerOrNameserver)
}

fn nowhere(domain: &DomainName, cause: NetError) -> Error {
    if cause.is_no_records_found() {
        return not_found(domain);
    }
    not_found(domain).with_source(cause)
}

#[cfg(test)]
mod tests {

    use super::*;

    fn record(priority: u16, weight: u16, target: &str) -> SRV {
        SRV::new(priority, weight, 389, Name::from_ascii(target).unwrap())
    }

    #[test]
    fn the_first_by_priority_then_weight() {
        let domain = "corp.example".parse().unwrap();
        let records = [
            record(10, 100, "far.corp.example."),
            record(0, 10, "small.corp.example."),
            record(0, 100, "DC1.Corp.Example."),
        ];
        let best = best(records.iter(), &domain).unwrap().unwrap();
        assert_eq!(best.lower(), "dc1.corp.example");
    }

    #[test]
    fn a_controller_outside_of_the_domain_is_refused() {
        let domain = "corp.example".parse().unwrap();
        for target in ["dc.evil.example.", "evilcorp.example.", "corp.example."] {
            let error = best([record(0, 0, target)].iter(), &domain).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect, "{target}");
        }
        assert_eq!(best([].iter(), &domain).unwrap(), None);
    }
}

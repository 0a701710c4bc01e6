//! Policies whose registry values are principals, domains or hosts. Each is in the ADMX file that its line names, or in the reference of
//! the component.

/// What the value of a policy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A user or group.
    Principal,
    /// A domain, also by its NetBIOS name alone.
    Domain,
    /// A server, by its name or in a URL.
    Host,
}

/// A policy.
#[derive(Debug)]
pub(super) struct Policy {
    /// The end of its key, in lower case.
    key: &'static str,
    /// Its value, in lower case; empty for every value of the key.
    value: &'static str,
    pub(super) kind: Kind,
    /// Its value in a sentence.
    pub(super) what: &'static str,
}

const fn policy(key: &'static str, value: &'static str, kind: Kind, what: &'static str) -> Policy {
    Policy {
        key,
        value,
        kind,
        what,
    }
}

const POLICIES: &[Policy] = &[
    // LAPS.admx
    policy(
        r"policies\laps",
        "adpasswordencryptionprincipal",
        Kind::Principal,
        "the principal that may decrypt passwords of Windows LAPS",
    ),
    // CredentialProviders.admx
    policy(
        r"policies\system",
        "defaultlogondomain",
        Kind::Domain,
        "the default logon domain",
    ),
    // Winlogon: "Turn on automatic logon in Windows", Microsoft
    policy(
        r"currentversion\winlogon",
        "defaultdomainname",
        Kind::Domain,
        "the domain of the automatic logon",
    ),
    policy(
        r"currentversion\winlogon",
        "altdefaultdomainname",
        Kind::Domain,
        "the last logon domain",
    ),
    // WindowsUpdate.admx
    policy(
        r"windows\windowsupdate",
        "wuserver",
        Kind::Host,
        "the update server",
    ),
    policy(
        r"windows\windowsupdate",
        "wustatusserver",
        Kind::Host,
        "the statistics server of updates",
    ),
    policy(
        r"windows\windowsupdate",
        "updateserviceurlalternate",
        Kind::Host,
        "the alternate update server",
    ),
    // inetres.admx and "Internet Explorer proxy settings", Microsoft
    policy(
        r"currentversion\internet settings",
        "proxyserver",
        Kind::Host,
        "the proxy server",
    ),
    policy(
        r"currentversion\internet settings",
        "proxyoverride",
        Kind::Host,
        "the list of hosts without proxy",
    ),
    policy(
        r"currentversion\internet settings",
        "autoconfigurl",
        Kind::Host,
        "the address of the proxy script",
    ),
    // msedge.admx, chrome.admx
    policy(
        r"microsoft\edge",
        "proxysettings",
        Kind::Host,
        "the proxy settings of Edge",
    ),
    policy(
        r"google\chrome",
        "proxysettings",
        Kind::Host,
        "the proxy settings of Chrome",
    ),
    // DnsClient.admx
    policy(
        r"windows nt\dnsclient",
        "searchlist",
        Kind::Domain,
        "the DNS suffix search list",
    ),
    policy(
        r"system\dnsclient",
        "nv primarydnssuffix",
        Kind::Domain,
        "the primary DNS suffix",
    ),
    // EventForwarding.admx
    policy(
        r"eventforwarding\subscriptionmanager",
        "",
        Kind::Host,
        "the collector of forwarded events",
    ),
];

/// The policy of a registry value.
pub(super) fn of(key: &str, value: &str) -> Option<&'static Policy> {
    let (key, value) = (key.to_lowercase(), value.to_lowercase());
    POLICIES.iter().find(|policy| {
        key.ends_with(policy.key) && (policy.value.is_empty() || policy.value == value)
    })
}

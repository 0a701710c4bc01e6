//! Settings of a GPO that run code on clients or grant rights. They are shown before they are written. A listed setting is not
//! necessarily wrong; it deserves a look.

mod access;
mod auditing;
mod files;
mod list;
mod objects;
mod packages;
mod preferences;
mod redirection;
mod registry;
mod registry_pol;
mod scripts;
mod security_template;
#[cfg(test)]
mod tests;

use crate::formats::ini::IniLine;
use crate::migration::references::GptFileFormat;
use crate::model::client_extension;
use crate::model::directory_object::DirectoryObject;
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::model::reference::Place;
use crate::model::safe_name::RelPath;
use crate::model::snapshot::GpoSnapshot;
use list::RiskList;

/// How a setting runs code or grants rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RiskKind {
    /// A scheduled or immediate task of Preferences: T1053.005; `AddComputerTask` and `AddUserTask` of SharpGPOAbuse.
    ScheduledTask,
    /// A script at startup, shutdown, logon or logoff: T1037; `AddComputerScript` and `AddUserScript` of SharpGPOAbuse.
    Script,
    /// The startup, account, recovery program or descriptor of a service.
    Service,
    /// A package of software installation.
    Software,
    /// `[Group Membership]` of GptTmpl.inf: T1098; `AddLocalAdmin` of SharpGPOAbuse.
    RestrictedGroup,
    /// A local group of Preferences.
    LocalGroup,
    /// A local user of Preferences.
    LocalUser,
    /// `[Privilege Rights]` of GptTmpl.inf: `AddUserRights` of SharpGPOAbuse.
    PrivilegeRight,
    /// A client-side extension that does not come with Windows: its effect is unknown.
    UnknownExtension,
    /// Something that Windows starts at logon or startup: a Run key, a file or a shortcut in a StartUp folder.
    Autostart,
    /// What Winlogon starts besides the shell, or instead of it.
    LogonProgram,
    /// A program that Windows starts instead of another, as its debugger.
    Debugger,
    /// A library that Windows loads into every program.
    InjectedLibrary,
    /// The program, account or start of a service, in the registry.
    RegistryService,
    /// A COM class of the user that takes precedence over the one of the computer.
    ComHijack,
    /// Malware protection, firewall, UAC or application control switched off, deleted or with exceptions.
    ProtectionOff,
    /// Auditing or a log switched off.
    LoggingOff,
    /// An entry of the firewall that lets callers from any address in.
    FirewallRule,
    /// A certificate that makes what it has signed trustworthy: web sites, programs, people.
    TrustedCertificate,
    /// Sessions that others may watch or control without consent, or before they have authenticated.
    RemoteControl,
    /// Credentials that are stored or sent in a form that can be stolen, or code in the process that checks them.
    Credentials,
    /// Which PowerShell scripts may run.
    PowerShell,
    /// A file in a folder of Windows.
    SystemFile,
    /// A script in the folder NETLOGON, which can be changed by others than the editors of this GPO.
    NetlogonScript,
    /// Permissions with which everybody may change a file, a registry key or a service.
    OpenPermission,
    /// What opens files of a type.
    FileHandler,
    /// An environment variable from which Windows takes where programs and libraries are.
    Environment,
    /// A file of a kind that can run code or grant rights, which gpoctl cannot read and a client may.
    UnreadableFile,
    /// Something in a form that gpoctl does not expect: a client may read it otherwise.
    UnusualForm,
    /// What Samba or Ubuntu clients apply as root.
    UnixSetting,
    /// A proxy that traffic goes through.
    Proxy,
    /// A folder that is shared with the network.
    Share,
    /// A printer, whose driver Windows may load from the server.
    Printer,
    /// A folder of the user that is taken from elsewhere, with what is started from it.
    RedirectedFolder,
    /// Rules of passwords, lockout or Kerberos tickets that are weaker than the defaults.
    AccountPolicy,
    /// A network drive: the computer authenticates to its server.
    MappedDrive,
    /// A file of Internet Explorer Maintenance, which installs INF files and sets proxies.
    Branding,
}

/// How much attention a kind of risk deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RiskSeverity {
    /// Ordinary in policies.
    Low,
    /// Common in policies; has consequences if it is wrong.
    Medium,
    /// Rare in policies: runs code unnoticed, or disables protection.
    High,
}

impl RiskKind {
    /// For the user.
    pub fn label(self) -> &'static str {
        match self {
            Self::ScheduledTask => "scheduled task",
            Self::Script => "script",
            Self::Service => "service",
            Self::Software => "software",
            Self::RestrictedGroup => "restricted group",
            Self::LocalGroup => "local group",
            Self::LocalUser => "local user",
            Self::PrivilegeRight => "privilege right",
            Self::UnknownExtension => "unknown extension",
            Self::Autostart => "autostart",
            Self::LogonProgram => "logon program",
            Self::Debugger => "debugger",
            Self::InjectedLibrary => "injected library",
            Self::RegistryService => "service in registry",
            Self::ComHijack => "COM class of user",
            Self::ProtectionOff => "protection off",
            Self::LoggingOff => "logging off",
            Self::FirewallRule => "firewall rule",
            Self::TrustedCertificate => "trusted certificate",
            Self::RemoteControl => "remote control",
            Self::Credentials => "credentials",
            Self::PowerShell => "PowerShell",
            Self::SystemFile => "file in Windows",
            Self::NetlogonScript => "script in NETLOGON",
            Self::OpenPermission => "open permission",
            Self::FileHandler => "file type handler",
            Self::Environment => "environment variable",
            Self::UnreadableFile => "unreadable file",
            Self::UnusualForm => "unusual form",
            Self::UnixSetting => "Unix setting",
            Self::Proxy => "proxy",
            Self::Share => "network share",
            Self::Printer => "printer",
            Self::RedirectedFolder => "redirected folder",
            Self::AccountPolicy => "account policy",
            Self::MappedDrive => "mapped drive",
            Self::Branding => "Internet Explorer branding",
        }
    }

    /// How much attention it deserves.
    pub fn severity(self) -> RiskSeverity {
        match self {
            Self::ScheduledTask
            | Self::UnknownExtension
            | Self::LogonProgram
            | Self::Debugger
            | Self::InjectedLibrary
            | Self::ComHijack
            | Self::ProtectionOff
            | Self::TrustedCertificate
            | Self::RemoteControl
            | Self::Credentials
            | Self::SystemFile
            | Self::NetlogonScript
            | Self::OpenPermission
            | Self::FileHandler
            | Self::Environment
            | Self::UnixSetting
            | Self::Branding
            | Self::UnreadableFile => RiskSeverity::High,
            Self::MappedDrive => RiskSeverity::Low,
            Self::Script
            | Self::Service
            | Self::Software
            | Self::RestrictedGroup
            | Self::LocalGroup
            | Self::LocalUser
            | Self::PrivilegeRight
            | Self::Autostart
            | Self::RegistryService
            | Self::LoggingOff
            | Self::FirewallRule
            | Self::UnusualForm
            | Self::Proxy
            | Self::Share
            | Self::Printer
            | Self::RedirectedFolder
            | Self::AccountPolicy
            | Self::PowerShell => RiskSeverity::Medium,
        }
    }

    /// The technique of MITRE ATT&CK that uses it; distribution by a GPO is T1484.001.
    pub fn technique(self) -> &'static str {
        match self {
            Self::ScheduledTask => "T1053.005",
            Self::Script | Self::NetlogonScript => "T1037",
            Self::Service | Self::RegistryService => "T1543.003",
            Self::Software => "T1072",
            Self::RestrictedGroup | Self::LocalGroup | Self::PrivilegeRight => "T1098",
            Self::LocalUser => "T1136.001",
            Self::UnknownExtension | Self::UnreadableFile | Self::UnusualForm => "T1484.001",
            Self::UnixSetting => "T1548.003",
            Self::Proxy => "T1557",
            Self::Share => "T1135",
            Self::Printer => "T1547.012",
            Self::RedirectedFolder => "T1547.001",
            Self::AccountPolicy => "T1110",
            Self::MappedDrive => "T1187",
            Self::Branding => "T1218.011",
            Self::FileHandler => "T1546.001",
            Self::Environment => "T1574.007",
            Self::Autostart => "T1547.001",
            Self::LogonProgram => "T1547.004",
            Self::Debugger => "T1546.012",
            Self::InjectedLibrary => "T1546.010",
            Self::ComHijack => "T1546.015",
            Self::ProtectionOff => "T1562.001",
            Self::LoggingOff => "T1562.002",
            Self::FirewallRule => "T1562.004",
            Self::TrustedCertificate => "T1553.004",
            Self::RemoteControl => "T1563.002",
            Self::Credentials => "T1003",
            Self::PowerShell => "T1059.001",
            Self::SystemFile => "T1105",
            Self::OpenPermission => "T1222.001",
        }
    }
}

/// A setting that runs code or grants rights.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Risk {
    /// The kind.
    pub kind: RiskKind,
    /// Its description; names and SIDs as in the settings.
    pub text: String,
    /// Its place.
    pub place: Place,
}

/// Every setting of a snapshot that runs code or grants rights, by file, then the packages, then the extensions. A file that
/// does not parse is one of them.
pub fn of(snapshot: &GpoSnapshot) -> Vec<Risk> {
    of_parts(
        &snapshot.tree,
        snapshot.directory_objects.iter(),
        &snapshot.machine_extensions,
        &snapshot.user_extensions,
    )
}

/// As [`of`], for settings that are not in a snapshot yet.
pub(super) fn of_parts<'a>(
    tree: &GptTree,
    objects: impl Iterator<Item = &'a DirectoryObject>,
    machine_extensions: &ExtensionList,
    user_extensions: &ExtensionList,
) -> Vec<Risk> {
    let mut risks = RiskList::default();
    let objects: Vec<&DirectoryObject> = objects.collect();
    for (path, content) in tree.files() {
        let found = match GptFileFormat::of(path) {
            Some(GptFileFormat::GptTmpl) => security_template::risks(path, content),
            Some(GptFileFormat::Scripts | GptFileFormat::PsScripts) => {
                scripts::risks(path, content)
            }
            Some(GptFileFormat::Preferences) => preferences::risks(path, content),
            Some(GptFileFormat::RegistryPol) => registry_pol::risks(path, content),
            Some(GptFileFormat::AuditCsv) => auditing::risks(path, content),
            Some(GptFileFormat::Fdeploy | GptFileFormat::Fdeploy1) => {
                redirection::risks(path, content)
            }
            Some(GptFileFormat::Aas) => packages::risks(path, content, &objects),
            _ => Some(files::risks(path, content)),
        };
        let found = found.unwrap_or_else(|| vec![unreadable(path)]);
        risks.append(list::counted(found, content.len()));
    }
    risks.extend(objects.into_iter().filter_map(objects::risk));
    for (list, attribute) in [
        (machine_extensions, "gPCMachineExtensionNames"),
        (user_extensions, "gPCUserExtensionNames"),
    ] {
        risks.extend(unknown_extensions(list, attribute));
    }
    risks.into_vec()
}

fn unreadable(path: &RelPath) -> Risk {
    Risk {
        kind: RiskKind::UnreadableFile,
        text: "it cannot be read, so what it does is not known".to_owned(),
        place: Place::file(path.to_string()),
    }
}

fn place(path: &RelPath, line: &IniLine<'_>) -> Place {
    Place::file(path.to_string())
        .section(line.section.unwrap_or_default())
        .line(line.number)
}

fn unknown_extensions(list: &ExtensionList, attribute: &str) -> Vec<Risk> {
    let unknown = |text: String| Risk {
        kind: RiskKind::UnknownExtension,
        text,
        place: Place::file(attribute),
    };
    match list.blocks() {
        Ok(blocks) => blocks
            .into_iter()
            .filter(|(extension, _)| client_extension::name_of(*extension).is_none())
            .map(|(extension, _)| unknown(format!("{extension} is not a Windows extension")))
            .collect(),
        Err(_) => vec![unknown(
            "the list of extensions is not well formed".to_owned(),
        )],
    }
}

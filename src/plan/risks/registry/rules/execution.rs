//! Rules about values that run code or name who may: more ways by which Windows, its services and Linux clients load programs and libraries.

use super::super::super::RiskKind;
use super::super::{Key, When};
use super::{Group, MACHINE};

use Key::{At, Below, Between, Within};
use RiskKind::{
    Autostart, Credentials, Debugger, Environment, FileHandler, InjectedLibrary, LogonProgram,
    PowerShell, RegistryService, ScheduledTask, Software, UnixSetting,
};
use When::{Any, NotText};

/// The rules, by kind.
pub(super) const GROUPS: &[Group] = &[
    // T1543.003, Windows Service; T1546, what services and the session manager start
    Group(
        MACHINE,
        RegistryService,
        Any,
        &[
            (Within(r"\currentcontrolset\services"), &["servicedll"]),
            (At(r"\control\bootverificationprogram"), &["imagepath"]),
            (At(r"\control"), &["servicecontrolmanagerextension"]),
            (At(r"\control\servicecontrolmanagerextension"), &[]),
            (At(r"\wds\rdpwd"), &["startupprograms"]),
        ],
    ),
    // T1546.015, T1546.009, T1547.008 and .012, T1546.011, T1553.003, T1562: libraries that system programs load
    Group(
        MACHINE,
        InjectedLibrary,
        Any,
        &[
            (At(r"\inprocserver32"), &[]),
            (At(r"\localserver32"), &[]),
            (At(r"\treatas"), &[]),
            (
                Within(r"\currentcontrolset\services"),
                &["library", "dllpath", "calloutdlls", "autodialdll"],
            ),
            (At(r"\session manager\knowndlls"), &[]),
            (Within(r"\control\print\environments"), &["driver"]),
            (Below(r"\control\print\providers"), &["name"]),
            (Within(r"\cryptography\oid"), &["dll", "$dll"]),
            (Within(r"\cryptography\providers\trust"), &["dll", "$dll"]),
        ],
    ),
    Group(
        None,
        InjectedLibrary,
        Any,
        &[
            (Between(r"\shellex\", ""), &[]),
            (Within(r"\microsoft\amsi\providers"), &[]),
            (At(r"\explorer\sharedtaskscheduler"), &[]),
            (Below(r"\explorer\shelliconoverlayidentifiers"), &[]),
            (Within(r"\appcompatflags\custom"), &[]),
            (Within(r"\appcompatflags\installedsdb"), &[]),
        ],
    ),
    // T1546.012, Image File Execution Options Injection; T1546, debuggers of what crashes or hangs; T1574.012
    Group(
        None,
        Debugger,
        Any,
        &[
            (
                Within(r"\currentversion\image file execution options"),
                &["debugger", "verifierdlls", "monitorprocess"],
            ),
            (
                Within(r"\currentversion\silentprocessexit"),
                &["monitorprocess"],
            ),
            (At(r"\currentversion\aedebug"), &["debugger"]),
            (At(r"\windows error reporting\hangs"), &["debugger"]),
            (
                At(r"\microsoft\.netframework"),
                &["dbgmanageddebugger", "cor_profiler", "cor_enable_profiling"],
            ),
        ],
    ),
    // T1547.001, Registry Run Keys; T1546.008, Accessibility Features; T1484.001, scripts of other policies
    Group(
        None,
        Autostart,
        Any,
        &[
            (Within(r"\windows\currentversion\runonceex"), &[]),
            (Below(r"\accessibility\ats"), &["startexe"]),
        ],
    ),
    Group(
        None,
        LogonProgram,
        Any,
        &[
            (Within(r"\group policy\scripts"), &["script"]),
            (Within(r"\group policy\state"), &["script"]),
            (At(r"\winlogon\alternateshells\availableshells"), &[]),
            (
                At(r"\openssh"),
                &["defaultshell", "defaultshellcommandoption"],
            ),
        ],
    ),
    Group(
        MACHINE,
        LogonProgram,
        NotText(&["", "cmd.exe"]),
        &[
            (At(r"\control\safeboot"), &["alternateshell"]),
            (At(r"\system\setup"), &["cmdline"]),
        ],
    ),
    // T1053.005, Scheduled Task
    Group(
        MACHINE,
        ScheduledTask,
        Any,
        &[(Within(r"\schedule\taskcache"), &[])],
    ),
    // T1546.001, Change Default File Association
    Group(
        None,
        FileHandler,
        Any,
        &[
            (Between(r"\shell\", r"\command"), &[]),
            (Below(r"\currentversion\app paths"), &[]),
        ],
    ),
    // T1556, Modify Authentication Process
    Group(
        None,
        Credentials,
        Any,
        &[
            (Within(r"\authentication\credential providers"), &[]),
            (Within(r"\authentication\credential provider filters"), &[]),
            (Within(r"\authentication\plap providers"), &[]),
            (At(r"\lsaextensionconfig\lsasrv"), &["extensions"]),
        ],
    ),
    // T1059.001, PowerShell
    Group(
        None,
        PowerShell,
        NotText(&["allsigned", "restricted"]),
        &[(At(r"\shellids\microsoft.powershell"), &["executionpolicy"])],
    ),
    // T1574.007 and .012: variables that name where programs and libraries are, or what they load
    Group(None, Environment, Any, &[(At(r"\environment"), VARIABLES)]),
    // T1176, browser extensions; T1072, where software comes from
    Group(
        None,
        Software,
        NotText(&[""]),
        &[
            (Within(r"\mozilla\firefox\extensions\install"), &[]),
            (At(r"\mozilla\firefox\extensions\install"), &[]),
            (
                At(r"\windows defender\signature updates"),
                &["definitionupdatefilesharessources"],
            ),
        ],
    ),
    Group(
        None,
        Software,
        When::InstallsExtensions,
        &[(Between(r"\software\policies\", ""), &["extensionsettings"])],
    ),
    Group(
        None,
        Software,
        When::Everything,
        &[
            (At(r"\extensioninstallallowlist"), &[]),
            (At(r"\extensioninstallsources"), &[]),
        ],
    ),
    // T1548.003, T1053.003, T1037: what Samba (samba-gpupdate) and Ubuntu (adsys) apply as root
    Group(
        None,
        UnixSetting,
        Any,
        &[
            (Within(r"\policies\samba\unix settings"), &[]),
            (At(r"\policies\samba\smb_conf"), &[]),
            (Within(r"\policies\ubuntu\privilege"), &[]),
            (Within(r"\policies\ubuntu\scripts"), &[]),
            (Within(r"\policies\ubuntu\apparmor"), &[]),
            (At(r"\policies\ubuntu\privilege"), &[]),
            (At(r"\policies\ubuntu\scripts"), &[]),
        ],
    ),
];

/// Environment variables that name programs, libraries, folders of them, or options of run-time environments.
const VARIABLES: &[&str] = &[
    "__compat_layer",
    "_java_options",
    "_nt_symbol_path",
    "allusersprofile",
    "classpath",
    "complus_etwenabled",
    "cor_profiler_path_32",
    "cor_profiler_path_64",
    "coreclr_profiler_path_32",
    "coreclr_profiler_path_64",
    "dotnet_additional_deps",
    "dotnet_shared_store",
    "dotnet_startup_hooks",
    "electron_run_as_node",
    "git_exec_path",
    "git_ssh",
    "git_ssh_command",
    "java_tool_options",
    "jdk_java_options",
    "ld_library_path",
    "ld_preload",
    "node_options",
    "node_path",
    "openssl_conf",
    "openssl_modules",
    "perl5lib",
    "perl5opt",
    "programdata",
    "programfiles",
    "psmodulepath",
    "pythonhome",
    "pythonpath",
    "pythonstartup",
    "rubylib",
    "rubyopt",
    "systemdrive",
    "systemroot",
    "userinitmprlogonscript",
    "windir",
];

//! Rules about values that run code: what drivers, authentication, remote access, browsers, Office and build tools load, and where
//! they look for it.

use super::super::super::RiskKind;
use super::super::{Key, When};
use super::{Group, MACHINE, USER};

use Key::{At, Below, Between, Within};
use RiskKind::{
    Autostart, ComHijack, Credentials, Debugger, Environment, FileHandler, InjectedLibrary,
    LogonProgram, RegistryService, Software,
};
use When::{Any, Everything, NotText, On};

/// The rules, by kind.
pub(super) const GROUPS: &[Group] = &[
    // T1546.015, Component Object Model Hijacking: handlers, scriptlets and type libraries, and who may start a server as whom
    Group(
        None,
        ComHijack,
        NotText(&["", "ole32.dll"]),
        &[
            (At(r"\inprochandler32"), &[]),
            (At(r"\inprochandler"), &[]),
            (At(r"\scriptleturl"), &[]),
            (Between(r"\typelib\", r"\win32"), &[]),
            (Between(r"\typelib\", r"\win64"), &[]),
        ],
    ),
    Group(
        None,
        ComHijack,
        Any,
        &[(
            Between(r"\appid\", ""),
            &["dllsurrogate", "runas", "localservice", "launchpermission"],
        )],
    ),
    // T1546.001, Change Default File Association: to the class of another kind of file
    Group(
        None,
        FileHandler,
        NotText(&[""]),
        &[
            (At(r"\curver"), &[]),
            (At(r"\classes\.exe"), &[""]),
            (At(r"\classes\.bat"), &[""]),
            (At(r"\classes\.cmd"), &[""]),
            (At(r"\classes\.lnk"), &[""]),
            (At(r"\classes\.msc"), &[""]),
        ],
    ),
    // T1543.003, Windows Service: what starts when one fails, and who may change it; T1547.008, T1547.010, drivers and their filters
    Group(
        MACHINE,
        RegistryService,
        Any,
        &[
            (Below(r"\currentcontrolset\services"), &["failureactions"]),
            (
                Between(r"\currentcontrolset\services\", r"\security"),
                &["security"],
            ),
            (
                Between(r"\currentcontrolset\services\", r"\parameters"),
                &["application"],
            ),
            (
                Within(r"\control\class"),
                &["upperfilters", "lowerfilters", "coinstallers32"],
            ),
            (At(r"\control\codeviceinstallers"), &[]),
            (At(r"\session manager\subsystems"), &["windows"]),
            (Below(r"\control\safeboot\minimal"), &[]),
            (Below(r"\control\safeboot\network"), &[]),
        ],
    ),
    // T1574, Hijack Execution Flow: libraries that the system loads by name
    Group(
        MACHINE,
        InjectedLibrary,
        NotText(&[""]),
        &[
            (At(r"\session manager"), &["excludefromknowndlls"]),
            (At(r"\currentversion\drivers32"), &[]),
            (At(r"\currentversion\font drivers"), &[]),
            (At(r"\currentversion\userinstallable.drivers"), &[]),
            (At(r"\currentversion\minidumpauxiliarydlls"), &[]),
            (At(r"\currentversion\knownmanageddebuggingdlls"), &[]),
            (At(r"\services\winsock2\parameters"), &["namespace_callout"]),
            (
                Within(r"\services\winsock2\parameters"),
                &["packedcatalogitem", "librarypath"],
            ),
            (
                Within(r"\rasman\ppp\eap"),
                &["path", "configuipath", "identitypath", "interactiveuipath"],
            ),
            (
                At(r"\services\ias\parameters"),
                &["authorizationdlls", "extensiondlls"],
            ),
            (
                At(r"\services\authsrv\parameters"),
                &["authorizationdlls", "extensiondlls"],
            ),
            (
                Within(r"\services\remoteaccess\accounting\providers"),
                &["path"],
            ),
            (
                Within(r"\services\remoteaccess\authentication\providers"),
                &["path", "configdll"],
            ),
            (At(r"\telephony\providers"), &[]),
            (
                Within(r"\services\eventlog"),
                &[
                    "eventmessagefile",
                    "categorymessagefile",
                    "parametermessagefile",
                ],
            ),
            (Within(r"\cryptography\defaults\provider"), &["image path"]),
            (Within(r"\control\cryptography\providers"), &["image"]),
            (Below(r"\control\keyboard layouts"), &["layout file"]),
            (Below(r"\nettrace\scenarios"), &["providerdll"]),
            (
                Within(r"\contentindex\language"),
                &["stemmerdllpathoverride", "wbdllpathoverride"],
            ),
        ],
    ),
    // T1556, Modify Authentication Process
    Group(
        MACHINE,
        Credentials,
        NotText(&[""]),
        &[
            (Below(r"\lsaextensionconfig\interfaces"), &["extension"]),
            (At(r"\lsa\msv1_0"), &["auth0", "auth1", "auth2"]),
        ],
    ),
    // T1546.003, Windows Management Instrumentation: what is compiled when the repository is built again
    Group(
        MACHINE,
        Autostart,
        Any,
        &[(At(r"\microsoft\wbem\cimom"), &["autorecover mofs"])],
    ),
    // T1053, programs that Windows starts by itself
    Group(
        MACHINE,
        Autostart,
        Any,
        &[(Below(r"\appcompatflags\telemetrycontroller"), &["command"])],
    ),
    Group(
        None,
        Debugger,
        NotText(&[""]),
        &[(At(r"\windows error reporting\hangs"), &["reflectdebugger"])],
    ),
    // T1546.012, Image File Execution Options Injection: the flag without which the rest does nothing
    Group(
        MACHINE,
        Debugger,
        On,
        &[(
            Within(r"\currentversion\image file execution options"),
            &["globalflag"],
        )],
    ),
    // T1037, T1021.001: what a remote session starts, and what a client of one loads
    Group(
        MACHINE,
        LogonProgram,
        NotText(&[""]),
        &[(Within(r"\terminal server\winstations"), &["initialprogram"])],
    ),
    Group(
        None,
        InjectedLibrary,
        NotText(&[""]),
        &[
            (Between(r"\terminal server client\", ""), &["name"]),
            (At(r"\htmlhelp author"), &["location"]),
            (Below(r"\ctf\langbaraddin"), &["filepath"]),
            (At(r"\control panel\cpls"), &[]),
            (At(r"\control panel\mmcpls"), &[]),
        ],
    ),
    // T1137, Office Application Startup
    Group(
        None,
        Autostart,
        NotText(&[""]),
        &[
            (
                Between(r"\office\", r"\excel\options"),
                &["open", "open1", "open2", "altstartup"],
            ),
            (Between(r"\office\", r"\word\options"), &["startup-path"]),
            (
                Between(r"\office\", r"\common\general"),
                &["sharedtemplates", "usertemplates"],
            ),
            (Between(r"\outlook\webview\", ""), &["url"]),
            (At(r"\outlook\today"), &["userdefinedurl", "url"]),
            (Between(r"\wef\trustedcatalogs\", ""), &["url"]),
            (Between(r"\office\", r"\wef\developer"), &[]),
        ],
    ),
    Group(
        None,
        Autostart,
        On,
        &[
            (Between(r"\addins\", ""), &["loadbehavior"]),
            (
                Between(r"\office\", r"\outlook\security"),
                &["enableunsafeclientmailrules"],
            ),
            (
                Between(r"\office\", r"\outlook"),
                &["loadmacroprovideronboot"],
            ),
        ],
    ),
    // T1176, browser extensions, and the programs that browsers start
    Group(
        None,
        Software,
        NotText(&[""]),
        &[
            (Within(r"\webview2"), &[]),
            (Between(r"\nativemessaginghosts\", ""), &[]),
            (At(r"\policies\mozilla\firefox"), &["extensionsettings"]),
        ],
    ),
    Group(
        None,
        Software,
        Everything,
        &[(At(r"\visualstudiocode"), &["allowedextensions"])],
    ),
    // T1547.001, the folders that are started from
    Group(
        None,
        Autostart,
        Any,
        &[
            (At(r"\currentversion\explorer\user shell folders"), FOLDERS),
            (At(r"\currentversion\explorer\shell folders"), FOLDERS),
            (
                Within(r"\currentversion\explorer\mountpoints2"),
                &["autorun"],
            ),
        ],
    ),
    // T1574.007: variables of build tools, shells and run-time environments, and those of one session
    Group(None, Environment, Any, &[(At(r"\environment"), VARIABLES)]),
    Group(
        USER,
        Environment,
        Any,
        &[(At(r"\volatile environment"), &[])],
    ),
];

/// Folders of a user that hold what is started, or what programs load at their start.
const FOLDERS: &[&str] = &[
    "appdata",
    "common programs",
    "common start menu",
    "local appdata",
    "programs",
    "start menu",
    "templates",
];

/// Environment variables that name programs, libraries, or folders of them, or options with which they are started.
const VARIABLES: &[&str] = &[
    "__pslockdownpolicy",
    "appdata",
    "appdomain_manager_asm",
    "appdomain_manager_type",
    "cargo_home",
    "complus_version",
    "editor",
    "git_config_global",
    "git_config_system",
    "git_editor",
    "git_ssl_no_verify",
    "git_template_dir",
    "goflags",
    "home",
    "java_home",
    "maven_opts",
    "gradle_opts",
    "node_extra_ca_certs",
    "node_tls_reject_unauthorized",
    "npm_config_registry",
    "openssl_engines",
    "pip_index_url",
    "pythonuserbase",
    "qt_plugin_path",
    "qtwebengine_chromium_flags",
    "rustc",
    "rustc_wrapper",
    "ssh_askpass",
    "sslkeylogfile",
    "vscode_extensions",
    "webview2_additional_browser_arguments",
    "webview2_browser_executable_folder",
];

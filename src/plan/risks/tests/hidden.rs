//! Settings that hide: in other spellings, in other places, in short names, by references.

use super::*;

const TEMPLATE: &str = r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf";

fn of_template(text: &str) -> Vec<String> {
    of(&snapshot(&[(TEMPLATE, text)]))
        .into_iter()
        .map(|risk| format!("{}: {}", risk.kind.label(), risk.text))
        .collect()
}

const RUN: &str = r"hive='HKEY_LOCAL_MACHINE' key='Software\Microsoft\Windows\CurrentVersion\Run' name='x' type='REG_SZ' value='e'";
const FOUND: &str = r"autostart: HKLM\Software\Microsoft\Windows\CurrentVersion\Run\x = e";

#[test]
fn items_of_preferences_in_any_spelling_and_place() {
    let of_items = |items: &str| of_preferences("RegistrySettings", items);
    let item = format!("<Registry name='x'><Properties action='U' {RUN}/></Registry>");
    for items in [
        format!("<collection name='c'>{item}</collection>"),
        item.replace("Registry", "registry"),
        item.replace("Properties", "properties"),
        format!("<Registry name='o'><Properties action='U' key='a'/>{item}</Registry>"),
        format!("<Other>{item}</Other>"),
    ] {
        assert_eq!(of_items(&items), [FOUND], "{items}");
    }
    assert_eq!(
        of_items(&format!(
            "<Registry name='x'><Properties action='U' key='a'/><Properties action='U' {RUN}/></Registry>"
        )),
        [
            FOUND,
            "unusual form: an item has several Properties, and a client may use any of them"
        ]
    );
    // What several of them do is one risk.
    assert_eq!(
        of_items(&format!(
            "<Registry name='x'><Properties action='U' {RUN}/><Properties action='R' {RUN}/></Registry>"
        )),
        [
            FOUND,
            "unusual form: an item has several Properties, and a client may use any of them"
        ]
    );
    assert_eq!(
        of_items(
            r"<Registry name='x'><Properties action='U' hive='HKEY_LOCAL_MACHINE' key='Software\%X%Run' name='x' value='e'/></Registry>"
        ),
        [r"unusual form: the key depends on a variable: Software\%X%Run\x"]
    );
    // A task has an element of that name in its properties, which is not an item.
    let task = "<TaskV3 name='x'><Properties action='c'><Task><Actions><Exec><Command>e</Command></Exec></Actions></Task></Properties></TaskV3>";
    assert_eq!(
        of_preferences("ScheduledTasks", task),
        ["scheduled task: \"x\" runs e"]
    );
    let deleted = task.replace("'c'", "'d'");
    assert_eq!(
        of_preferences("ScheduledTasks", &deleted),
        ["scheduled task: removes the task \"x\""]
    );
    let group = "<Group name='g'><Properties action='U' groupName='g'><Members><Member name='a' action='add'/><member name='b' action='Add'/></Members><Members><Member name='c' action='ADD'/></Members></Properties></Group>";
    assert_eq!(
        of_preferences("Groups", group),
        ["local group: \"g\": adds a, b and c"]
    );
}

#[test]
fn files_and_shortcuts_by_another_name() {
    let file = |target: &str| {
        let items = format!(
            "<File name='f'><Properties action='C' targetPath='{target}' fromPath='f'/></File>"
        );
        of_preferences("Files", &items)
    };
    for target in [
        r"C:\WINDOW~1\e.dll",
        r"C:\Users\x\STARTM~1\Programs\STARTU~1\e.exe",
        r"\\localhost\C$\x\e.exe",
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\PROGRA~1\a\a.exe",
        r"%ProgramFilesDir%\a\a.exe",
        r"C:\Users\x\Documents\WindowsPowerShell\profile.ps1",
        r"C:\Users\x\AppData\Roaming\Microsoft\Excel\XLSTART\e.xla",
        r"%SystemDrive%\Windows\Tasks\x.job",
        r"%SystemDrive%\Program Files\App\x.dll",
        r"\\%ComputerName%\C$\Windows\Tasks\x.job",
        r"C:\Program.exe",
        r"C:\ProgramData\ssh\administrators_authorized_keys",
        r"C:\Users\x\AppData\Roaming\Microsoft\Outlook\VbaProject.OTM",
    ] {
        assert_eq!(file(target).len(), 1, "{target}");
    }
    assert_eq!(file(r"C:\Data\a.txt"), [""; 0]);
    let shortcut = |target: &str| {
        let items = format!(
            r"<Shortcut name='s'><Properties action='R' shortcutPath='%DesktopDir%\Chrome' targetPath='{target}'/></Shortcut>"
        );
        of_preferences("Shortcuts", &items)
    };
    assert_eq!(
        shortcut(r"\\evil\x.exe"),
        [
            r"file type handler: the shortcut %DesktopDir%\Chrome starts \\evil\x.exe of another computer"
        ]
    );
    assert_eq!(shortcut(r"C:\a\a.exe"), [""; 0]);
    for program in [
        "powershell.exe",
        r"C:\Windows\System32\cmd.exe",
        r"%WINDIR%\mshta",
    ] {
        assert_eq!(shortcut(program).len(), 1, "{program}");
    }
    let encoded = r"<Shortcut name='s'><Properties action='R' shortcutPath='%DesktopDir%\a' targetPath='powershell.exe' arguments='-enc AAAA'/></Shortcut>";
    assert_eq!(
        of_preferences("Shortcuts", encoded),
        [r"file type handler: the shortcut %DesktopDir%\a starts powershell.exe -enc AAAA"]
    );
    let folder = r"<Folder name='d'><Properties action='D' path='C:\Program Files\Windows Defender' deleteFolder='1'/></Folder>";
    assert_eq!(
        of_preferences("Folders", folder),
        [r"file in Windows: deletes C:\Program Files\Windows Defender"]
    );
}

#[test]
fn other_preferences_that_load_code_or_send_credentials() {
    for (root, item, expected) in [
        (
            "Printers",
            r"<SharedPrinter name='p'><Properties action='U' path='\\e\p'/></SharedPrinter>",
            r"printer: \\e\p, whose driver Windows loads from the server",
        ),
        (
            "Printers",
            r"<PortPrinter name='p'><Properties action='U' ipAddress='1.2.3.4' path='\\e\d'/></PortPrinter>",
            r"printer: its driver is loaded from \\e\d",
        ),
        (
            "Drives",
            r"<Drive name='H:'><Properties action='U' path='\\e\s' letter='H'/></Drive>",
            r"mapped drive: H: \\e\s",
        ),
        (
            "DataSources",
            r"<DataSource name='d'><Properties action='U' dsn='d' driver='\\e\x.dll'/></DataSource>",
            r#"injected library: the data source "d" loads \\e\x.dll"#,
        ),
        (
            "NetworkShareSettings",
            r"<NetShare name='c'><Properties action='C' name='C' path='C:\'/></NetShare>",
            r"network share: C:\ is shared as C",
        ),
        (
            "InternetSettings",
            r"<IE8 name='i'><Properties><Reg id='P' type='REG_SZ' hive='HKEY_CURRENT_USER' key='Software\Microsoft\Windows\CurrentVersion\Internet Settings' name='ProxyServer' value='e:1'/></Properties></IE8>",
            r"proxy: HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings\ProxyServer = e:1",
        ),
        (
            "EnvironmentVariables",
            "<EnvironmentVariable name='w'><Properties action='U' name='NODE_OPTIONS' value='-r e'/></EnvironmentVariable>",
            "environment variable: NODE_OPTIONS = -r e",
        ),
    ] {
        assert_eq!(of_preferences(root, item), [expected], "{item}");
    }
    // An item in the properties of another one is said once, as its own, and so is what is beside it.
    let proxy = |name: &str| {
        format!(
            r"<Reg type='REG_SZ' hive='HKEY_CURRENT_USER' key='Software\Microsoft\Windows\CurrentVersion\Internet Settings' name='{name}' value='e:1'/>"
        )
    };
    let [outer, inner] = ["ProxyServer", "AutoConfigURL"].map(proxy);
    let nested = format!(
        "<IE8 name='i'><Properties><Group>{outer}</Group><IE8 name='j'><Properties>{inner}</Properties></IE8></Properties></IE8>"
    );
    let said = |name: &str| {
        format!(
            r"proxy: HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings\{name} = e:1"
        )
    };
    assert_eq!(
        of_preferences("InternetSettings", &nested),
        ["ProxyServer", "AutoConfigURL"].map(said)
    );
    let deleted = r"<Drive name='H:'><Properties action='D' path='\\e\s' letter='H'/></Drive>";
    assert_eq!(of_preferences("Drives", deleted), [""; 0]);
}

#[test]
fn security_templates_with_rights_for_one_account() {
    let text = r#"[File Security]
"C:\Windows\System32",0,"D:P(A;OICI;FA;;;S-1-5-21-1-2-3-1105)"
"C:\Data",0,"D:P(A;OICI;FA;;;S-1-5-21-1-2-3-1105)"
"C:\a",0,"D:(A;;FA;;;S-1-5-32-554)"
[Registry Keys]
"MACHINE\SYSTEM\CurrentControlSet\Services\x",0,"D:(A;CI;KA;;;S-1-5-21-1-2-3-1105)"
[Service General Setting]
"Spooler",2,"D:(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;S-1-5-21-1-2-3-1105)"
"#;
    assert_eq!(
        of_template(text),
        [
            r"open permission: S-1-5-21-1-2-3-1105 may change C:\Windows\System32",
            r"open permission: Pre-Windows 2000 Compatible Access may change C:\a",
            r"open permission: S-1-5-21-1-2-3-1105 may change MACHINE\SYSTEM\CurrentControlSet\Services\x",
            "open permission: Spooler starts automatically, and S-1-5-21-1-2-3-1105 may change it",
        ]
    );
}

#[test]
fn weaker_rules_of_accounts_and_tickets() {
    assert_eq!(
        of_template(
            "[System Access]\nMinimumPasswordLength = 0\nPasswordComplexity = 0\nLockoutBadCount = 0\nEnableAdminAccount = 1\n[Kerberos Policy]\nMaxTicketAge = 99999\nTicketValidateClient = 0\n"
        ),
        [
            "account policy: MinimumPasswordLength = 0",
            "account policy: PasswordComplexity = 0",
            "account policy: LockoutBadCount = 0",
            "account policy: EnableAdminAccount = 1",
            "account policy: MaxTicketAge = 99999",
            "account policy: TicketValidateClient = 0",
        ]
    );
    assert_eq!(
        of_template(
            "[System Access]\nMinimumPasswordLength = 14\nPasswordComplexity = 1\nLockoutBadCount = 5\n[Kerberos Policy]\nMaxTicketAge = 10\nMaxRenewAge = 7\nMaxServiceAge = 600\nMaxClockSkew = 5\nTicketValidateClient = 1\n"
        ),
        [""; 0]
    );
}

/// What the readers of INF files make of these is not known for each.
#[test]
fn lines_in_an_unusual_form_are_named() {
    let usual = "[Unicode]\nUnicode=yes\n[Version]\nsignature=\"$CHICAGO$\"\nRevision=1\n[System Access]\nMinimumPasswordLength = 14\n";
    assert_eq!(of_template(usual), [""; 0]);
    for line in [
        "[ Privilege Rights ]",
        "[Privilege Rights] x",
        "\"SeDebugPrivilege\" = *S-1-1-0",
        "SeDebugPrivilege = *S-1-5-32-544,\\",
        "[Strings]\nr=\"SeDebugPrivilege\"",
        "no pair",
        "[Group Membership]\nodd = 1",
        "[Registry Values]\nMACHINE\\x=y",
    ] {
        let found = of_template(&format!("{usual}{line}\n"));
        let is_named = |text: &String| {
            text.starts_with("unusual form: line")
                && text.ends_with("a client may read it otherwise")
        };
        assert!(found.iter().any(is_named), "{line}: {found:?}");
    }
    let many = format!("{usual}{}", "no pair\n".repeat(9));
    assert_eq!(
        of_template(&many),
        [
            "unusual form: lines 8, 9, 10, 11, 12 and 4 more are written in an unusual form: a client may read it otherwise"
        ]
    );
}

/// What is severe is listed whatever stands before it, and the rest is counted.
#[test]
fn of_more_risks_than_anybody_reads_the_severe_ones_are_listed() {
    let lines: String = (0..20_000).map(|n| format!("Se{n}=a\r\n")).collect();
    let text = format!(
        "[Privilege Rights]\r\n{lines}[Service General Setting]\r\n\"Spooler\",2,\"D:(A;;GA;;;WD)\"\r\n"
    );
    let found = of(&snapshot(&[(TEMPLATE, &text)]));
    let most = 5_000 + text.len() / 64;
    assert_eq!(found.len(), most + 1);
    let kinds = |kind| found.iter().filter(|risk| risk.kind == kind).count();
    assert_eq!(kinds(RiskKind::OpenPermission), 1);
    let last = found.last().unwrap();
    let listed = kinds(RiskKind::PrivilegeRight) - 1;
    assert_eq!(last.kind, RiskKind::PrivilegeRight);
    assert_eq!(last.text, format!("{} more of this kind", 20_000 - listed));
}

//! The registry values that run code, weaken protection or grant rights, one of each kind that attackers use, and their harmless neighbours.

use super::super::registry::{Data, Hive, number, risk};

/// Key, name and data; a number is one, and `b'` is binary data.
const RISKY: &str = r#"
System\CurrentControlSet\Services\Evil|ServiceDll|\\e\s\x.dll
Software\Classes\CLSID\{0}\InprocServer32||\\e\s\x.dll
Software\Classes\txtfile\shell\print\command||e.exe
Software\Classes\Folder\shellex\ContextMenuHandlers\x||{0}
Software\Microsoft\Windows\CurrentVersion\App Paths\chrome.exe||\\e\s\x.exe
System\CurrentControlSet\Control\Session Manager\KnownDLLs|x|x.dll
System\CurrentControlSet\Control\SafeBoot|AlternateShell|e.exe
System\CurrentControlSet\Control\Session Manager\Environment|windir|\\e\s
System\CurrentControlSet\Control\Session Manager\Environment|JAVA_TOOL_OPTIONS|-javaagent:e.jar
System\CurrentControlSet\Control\Session Manager\Environment|DOTNET_STARTUP_HOOKS|e.dll
System\CurrentControlSet\Control\Lsa\MSV1_0|NtlmMinClientSec|0
System\CurrentControlSet\Control\Lsa|ForceGuest|1
System\CurrentControlSet\Control\Lsa|RestrictAnonymous|0
System\CurrentControlSet\Control\Lsa|RestrictRemoteSAM|O:BAG:BAD:(A;;RC;;;WD)
System\CurrentControlSet\Control\LsaExtensionConfig\LsaSrv|Extensions|e.dll
System\CurrentControlSet\Services\Netlogon\Parameters|RequireSignOrSeal|0
System\CurrentControlSet\Services\Netlogon\Parameters|VulnerableChannelAllowList|O:BAG:BAD:(A;;RC;;;WD)
System\CurrentControlSet\Services\NTDS\Parameters|LDAPServerIntegrity|0
System\CurrentControlSet\Services\LDAP|LDAPClientIntegrity|0
Software\Policies\Microsoft\Windows\LanmanWorkstation|AllowInsecureGuestAuth|1
Software\Policies\Microsoft\Windows\NetworkProvider\HardenedPaths|\\*\SYSVOL|RequireMutualAuthentication=0, RequireIntegrity=0
System\CurrentControlSet\Services\LanmanServer\Parameters|SMB1|1
System\CurrentControlSet\Services\LanmanServer\Parameters|NullSessionShares|C$
Software\Policies\Microsoft\Windows\WinRM\Service|AllowAutoConfig|1
Software\Policies\Microsoft\Windows\WinRM\Service|AllowUnencryptedTraffic|1
Software\Policies\Microsoft\Windows\WinRM\Service|AllowBasic|1
Software\Policies\Microsoft\Windows\WinRM\Client|TrustedHostsList|*
Software\Policies\Microsoft\Windows\WinRM\Service\WinRS|AllowRemoteShellAccess|1
Software\Policies\Microsoft\Windows NT\Terminal Services|fDenyTSConnections|0
Software\Policies\Microsoft\Windows NT\Terminal Services|fAllowToGetHelp|1
Software\Policies\Microsoft\Windows NT\Terminal Services|SecurityLayer|0
Software\Policies\Microsoft\Windows NT\Printers|RegisterSpoolerRemoteRpcEndPoint|1
Software\Policies\Microsoft\Windows NT\Printers\PointAndPrint|UpdatePromptSettings|2
Software\Policies\Microsoft\Windows NT\Printers\PointAndPrint|TrustedServers|0
Software\Policies\Microsoft\Windows NT\Printers\PackagePointAndPrint|PackagePointAndPrintOnly|0
Software\Policies\Microsoft\Windows NT\DNSClient|EnableMulticast|1
Software\Policies\Microsoft\Windows\System|AllowDomainPINLogon|1
Software\Policies\Microsoft Services\AdmPwd|AdmPwdEnabled|0
Software\Microsoft\Windows\CurrentVersion\Policies\LAPS|BackupDirectory|0
Software\Policies\Microsoft\Windows\CredentialsDelegation|AllowDefaultCredentials|1
Software\Policies\Microsoft\Windows\CredentialsDelegation\AllowDefaultCredentials|1|*
Software\Policies\Microsoft\Windows\CredentialsDelegation\AllowFreshCredentialsWhenNTLMOnly|1|*/*
Software\Microsoft\Windows\CurrentVersion\Policies\System|PromptOnSecureDesktop|0
Software\Microsoft\Windows\CurrentVersion\Policies\System|FilterAdministratorToken|0
Software\Microsoft\Windows\CurrentVersion\Policies\System|ConsentPromptBehaviorAdmin|6
Software\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos\Parameters|SupportedEncryptionTypes|4
Software\Microsoft\Windows\CurrentVersion\Policies\System|DisableCAD|1
Software\Policies\Microsoft\Windows\Installer|EnableUserControl|1
Software\Policies\Microsoft\Windows\Installer|AlwaysInstallElevated|2
Software\Policies\Microsoft\Windows\WindowsUpdate\AU|NoAutoUpdate|1
Software\Policies\Microsoft\Windows\WindowsUpdate|DisableWindowsUpdateAccess|1
Software\Policies\Microsoft\Windows\WindowsUpdate|AcceptTrustedPublisherCerts|1
Software\Policies\Microsoft\Windows Defender|PUAProtection|0
Software\Policies\Microsoft\Windows Defender|DisableLocalAdminMerge|0
Software\Policies\Microsoft\Windows Defender\MpEngine|MpCloudBlockLevel|0
Software\Policies\Microsoft\Windows Defender\Signature Updates|DefinitionUpdateFileSharesSources|\\e\s
Software\Policies\Microsoft\Windows Defender\Real-Time Protection|DisableIntrusionPreventionSystem|1
Software\Policies\Microsoft\Windows Defender\Scan|DisableArchiveScanning|1
Software\Policies\Microsoft\Windows Advanced Threat Protection|ForceDefenderPassiveMode|1
Software\Policies\Microsoft\Windows\System|ShellSmartScreenLevel|Warn
System\CurrentControlSet\Control\DeviceGuard\Scenarios\HypervisorEnforcedCodeIntegrity|Enabled|0
System\CurrentControlSet\Control\DeviceGuard|EnableVirtualizationBasedSecurity|0
System\CurrentControlSet\Control\CI\Config|VulnerableDriverBlocklistEnable|0
System\CurrentControlSet\Control\CI\Policy|VerifiedAndReputablePolicyState|0
System\CurrentControlSet\Services\EventLog\Security|File|C:\x
Software\Policies\Microsoft\Windows\EventLog\Security|ChannelAccess|O:BAG:SYD:(A;;0xf0007;;;WD)
Software\Policies\Microsoft\Windows\EventLog\Security|MaxSize|64
System\CurrentControlSet\Services\EventLog\Security|CustomSD|O:BAG:SYD:(A;;0xf0007;;;WD)
System\CurrentControlSet\Control\WMI\Autologger\EventLog-Security|Start|0
Software\Microsoft\OLE|MachineLaunchRestriction|b'\x01\x00\x04\x80'
Software\Policies\Microsoft\Windows NT\DCOM|MachineLaunchRestriction|O:BAG:BAD:(A;;CCDCLCSWRP;;;WD)
Software\Policies\Microsoft\Windows NT\Rpc|RestrictRemoteClients|0
Software\Policies\Microsoft\Windows\CurrentVersion\Internet Settings|ProxyServer|evil:8080
Software\Policies\Microsoft\Windows\CurrentVersion\Internet Settings|AutoConfigURL|http://e/x.pac
Software\Policies\Microsoft\Edge|ProxySettings|{}
Software\Policies\Google\Chrome|ExtensionSettings|{"x":{"installation_mode":"force_installed","update_url":"http://e"}}
Software\Policies\Mozilla\Firefox\Extensions\Install|1|http://e/x.xpi
Software\Policies\Mozilla\Firefox\Certificates\Install|1|e.pem
Software\Policies\Microsoft\Office\16.0\Word\Security|VBAWarnings|1
Software\Policies\Microsoft\Office\16.0\Word\Security\Trusted Locations\Location1|Path|\\e\s
Software\Policies\Microsoft\SystemCertificates\EnterpriseTrust\CTLs\AA|Blob|b'\x01\x02'
Software\Policies\Microsoft\SystemCertificates\Trust\CTLs\AA|Blob|b'\x01\x02'
Software\Policies\Microsoft\SystemCertificates\FVE_NKP\Certificates\AA|Blob|b'\x01\x02'
Software\Microsoft\EnterpriseCertificates\Root\Certificates\AA|Blob|b'\x01\x02'
Software\Policies\Microsoft\SystemCertificates\Root\Certificates||b'\x01\x02'
Software\Microsoft\PowerShell\1\ShellIds\Microsoft.PowerShell|ExecutionPolicy|Unrestricted
Software\Microsoft\AMSI\Providers\{0}||x
Software\Microsoft\Cryptography\Providers\Trust\FinalPolicy\{0}|$DLL|e.dll
Software\Microsoft\Windows NT\CurrentVersion\Accessibility\ATs\x|StartExe|e.exe
Software\Microsoft\Windows\CurrentVersion\Authentication\Credential Providers\{0}||e
Software\Microsoft\Windows\CurrentVersion\Explorer\SharedTaskScheduler|{0}|e
Software\Microsoft\Windows\CurrentVersion\Explorer\ShellIconOverlayIdentifiers\x||{0}
Software\Microsoft\Windows NT\CurrentVersion\Winlogon\AlternateShells\AvailableShells|90000_x|e.exe
Software\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tasks\{0}|Actions|b'\x01\x02'
Software\Microsoft\Windows NT\CurrentVersion\AppCompatFlags\Custom\x.exe|{0}.sdb|b'\x01\x02'
Software\Microsoft\Windows NT\CurrentVersion\AppCompatFlags\InstalledSDB\{0}|DatabasePath|C:\x.sdb
Software\Microsoft\Windows NT\CurrentVersion\AeDebug|Debugger|e.exe
Software\Microsoft\Windows\Windows Error Reporting\Hangs|Debugger|e.exe
Software\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\sethc.exe\e|Debugger|e.exe
Software\Microsoft\.NETFramework|DbgManagedDebugger|e.exe
Software\Microsoft\.NETFramework|COR_PROFILER|e.exe
System\CurrentControlSet\Services\Evil\Performance|Library|e.dll
System\CurrentControlSet\Services\WinSock2\Parameters|AutodialDLL|e.dll
System\CurrentControlSet\Services\RemoteAccess\RouterManagers\Ip|DLLPath|e.dll
System\CurrentControlSet\Services\DHCPServer\Parameters|CalloutDlls|e.dll
System\CurrentControlSet\Control\BootVerificationProgram|ImagePath|e.exe
System\CurrentControlSet\Control\Terminal Server\Wds\rdpwd|StartupPrograms|e.exe
System\CurrentControlSet\Control\Terminal Server|fDenyTSConnections|0
System\CurrentControlSet\Control\ServiceControlManagerExtension||e.dll
System\CurrentControlSet\Control\Print\Environments\Windows x64\Drivers\Version-3\x|Driver|e.dll
System\CurrentControlSet\Control\Print\Providers\x|Name|e.dll
System\Setup|CmdLine|e.exe
Software\Policies\Microsoft\Windows\CurrentVersion\Group Policy\Scripts\Startup\0\0|Script|e.cmd
Software\Microsoft\Windows\CurrentVersion\Group Policy\Scripts\Startup\0\0|Script|e.cmd
Software\Microsoft\Windows\CurrentVersion\Group Policy\State\Machine\Scripts\Startup\0\0|Script|e.cmd
Software\Microsoft\Windows\CurrentVersion\RunOnceEx\1\Depend|x|e.exe
Software\Policies\Samba\Unix Settings\Daily Scripts|x|curl e|sh
Software\Policies\Samba\Unix Settings\Startup Scripts|x|curl e|sh
Software\Policies\Samba\Unix Settings\Sudo Rights|x|ALL ALL=(ALL) NOPASSWD: ALL
Software\Policies\Samba\smb_conf|root preexec|curl e|sh
Software\Policies\Ubuntu\privilege\client-admins|all|mallory@dst.test
Software\Policies\Ubuntu\scripts\startup|all|x.sh
Software\Policies\OpenSSH|DefaultShell|e.exe
Software\OpenSSH|DefaultShell|e.exe
Software\Policies\Microsoft\Edge\ExtensionInstallAllowlist|1|*
Software\Microsoft\Cryptography\OID\EncodingType 0\CryptSIPDllVerifyIndirectData\{0}|Dll|e.dll
System\CurrentControlSet\Control\SecurityProviders\WDigest|UseLogonCredential|2
System\CurrentControlSet\Services\NTDS\Parameters|LDAPServerIntegrity|1
Software\Policies\Microsoft\Windows Defender|DisableAntiSpyware|0x1
Software\Classes\CLSID\{0}\InprocHandler32||e.dll
Software\Classes\CLSID\{0}\ScriptletURL||http://e
Software\Classes\TypeLib\{0}\1.0\0\win32||script:http://e
Software\Classes\AppID\{0}|DllSurrogate|e.exe
Software\Classes\AppID\{0}|LaunchPermission|b'\x01\x02'
Software\Classes\ms-settings\CurVer||.pwn
Software\Classes\.exe||pwn
System\CurrentControlSet\Services\x|FailureActions|b'\x01\x02'
System\CurrentControlSet\Services\x\Security|Security|b'\x01\x02'
System\CurrentControlSet\Services\x\Parameters|Application|e.exe
System\CurrentControlSet\Control\Class\{0}|UpperFilters|e
System\CurrentControlSet\Control\Class\{0}\0000|CoInstallers32|e.dll,x
System\CurrentControlSet\Control\CoDeviceInstallers|{0}|e.dll,x
System\CurrentControlSet\Control\Session Manager\SubSystems|Windows|e.exe
System\CurrentControlSet\Control\Session Manager|ExcludeFromKnownDlls|ole32.dll
System\CurrentControlSet\Control\SafeBoot\Minimal\e||Service
Software\Microsoft\Windows NT\CurrentVersion\Drivers32|wave|e.dll
Software\Microsoft\Windows NT\CurrentVersion\Font Drivers|x|e.dll
System\CurrentControlSet\Services\WinSock2\Parameters|NameSpace_Callout|e.dll
System\CurrentControlSet\Services\WinSock2\Parameters\Protocol_Catalog9\Catalog_Entries\1|PackedCatalogItem|b'\x01\x02'
System\CurrentControlSet\Services\RasMan\PPP\EAP\13|ConfigUIPath|e.dll
System\CurrentControlSet\Services\IAS\Parameters|AuthorizationDLLs|e.dll
Software\Microsoft\Windows\CurrentVersion\Telephony\Providers|ProviderFilename0|e.tsp
System\CurrentControlSet\Services\EventLog\Application\x|EventMessageFile|e.dll
Software\Microsoft\Cryptography\Defaults\Provider\x|Image Path|e.dll
System\CurrentControlSet\Control\LsaExtensionConfig\Interfaces\1001|Extension|e.dll
System\CurrentControlSet\Control\Lsa\MSV1_0|Auth0|e
Software\Microsoft\WBEM\CIMOM|Autorecover MOFs|e.mof
Software\Microsoft\Windows NT\CurrentVersion\AppCompatFlags\TelemetryController\x|Command|e.exe
Software\Microsoft\Windows\Windows Error Reporting\Hangs|ReflectDebugger|e.exe
Software\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\x.exe|GlobalFlag|512
System\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp|InitialProgram|e.exe
Software\Microsoft\Terminal Server Client\Default\AddIns\x|Name|e.dll
Software\Microsoft\HtmlHelp Author|location|e.dll
Software\Microsoft\Ctf\LangBarAddin\{0}|FilePath|e.dll
Software\Microsoft\Windows\CurrentVersion\Control Panel\Cpls|x|e.cpl
Software\Microsoft\Office\16.0\Excel\Options|OPEN|/R e.xll
Software\Microsoft\Office\16.0\Word\Options|StartUp-Path|\\e\s
Software\Microsoft\Office\Word\Addins\x|LoadBehavior|3
Software\Microsoft\Office\16.0\Outlook\WebView\Inbox|URL|http://e
Software\Microsoft\Office\16.0\Outlook\Security|EnableUnsafeClientMailRules|1
Software\Policies\Microsoft\Edge\WebView2\BrowserExecutableFolder|x.exe|\\e\s
Software\Policies\Mozilla\Firefox|ExtensionSettings|{"x":{"installation_mode":"force_installed"}}
Software\Google\Chrome\NativeMessagingHosts\x||C:\x.json
Software\Microsoft\Windows\CurrentVersion\Explorer\User Shell Folders|Start Menu|\\e\s
Software\Microsoft\Windows\CurrentVersion\Explorer\User Shell Folders|AppData|\\e\s
System\CurrentControlSet\Control\Session Manager\Environment|GIT_CONFIG_GLOBAL|\\e\s
System\CurrentControlSet\Control\Session Manager\Environment|RUSTC_WRAPPER|e.exe
System\CurrentControlSet\Control\Session Manager\Environment|GOFLAGS|-toolexec=e
System\CurrentControlSet\Control\Session Manager\Environment|MAVEN_OPTS|-javaagent:e
System\CurrentControlSet\Control\Lsa|DSRMAdminLogonBehavior|2
System\CurrentControlSet\Services\Netlogon\Parameters|AllowNT4Crypto|1
System\CurrentControlSet\Services\Netlogon\Parameters|SealSecureChannel|0
System\CurrentControlSet\Services\Netlogon\Parameters|RefusePasswordChange|1
System\CurrentControlSet\Services\Kdc|StrongCertificateBindingEnforcement|1
System\CurrentControlSet\Services\Kdc|KrbtgtFullPacSignature|0
System\CurrentControlSet\Services\CertSvc\Configuration\CA\PolicyModules\x|EditFlags|1376590
Software\Microsoft\Windows\CurrentVersion\WSMAN\Service|rootSDDL|O:NSG:BAD:P(A;;GA;;;WD)
System\CurrentControlSet\Services\Dnscache\Parameters\DnsPolicyConfig\x|GenericDNSServers|6.6.6.6
Software\Policies\Google\Chrome|ProxyMode|fixed_servers
Software\Microsoft\Windows\CurrentVersion\Policies\Associations|LowRiskFileTypes|.exe
Software\Microsoft\Windows\CurrentVersion\Internet Settings\Zones\3|1201|0
Software\Microsoft\Windows\CurrentVersion\Internet Settings\Zones\3|1A00|0
Software\Microsoft\Windows Defender\Features|TamperProtection|0
Software\Microsoft\AMSI|FeatureBits|1
Software\Microsoft\Windows NT\CurrentVersion\Winlogon|ForceAutoLogon|1
Software\Policies\Microsoft\Windows NT\Terminal Services\RAUnsolicit|x|e
System\CurrentControlSet\Policies\EarlyLaunch|DriverLoadPolicy|7
"#;

/// What protects, or does nothing.
const HARMLESS: &str = r#"
Software\Policies\Microsoft\Windows\NetworkProvider\HardenedPaths|\\*\SYSVOL|RequireMutualAuthentication=1, RequireIntegrity=1
System\CurrentControlSet\Services\NTDS\Parameters|LDAPServerIntegrity|2
System\CurrentControlSet\Services\LDAP|LDAPClientIntegrity|1
System\CurrentControlSet\Control\SecurityProviders\WDigest|UseLogonCredential|0
Software\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos\Parameters|SupportedEncryptionTypes|2147483640
System\CurrentControlSet\Control\Lsa\MSV1_0|NtlmMinClientSec|537395200
System\CurrentControlSet\Control\Lsa|RestrictRemoteSAM|O:BAG:BAD:(A;;RC;;;BA)
Software\Policies\Microsoft\Windows\EventLog\Security|MaxSize|196608
Software\Policies\Microsoft\Windows\EventLog\Application|ChannelAccess|O:BAG:SYD:(A;;0xf0007;;;SY)(A;;0x3;;;IU)
Software\Policies\Microsoft\Windows NT\DCOM|MachineLaunchRestriction|O:BAG:BAD:(A;;CCDCLCSWRP;;;BA)(A;;CCDCSW;;;WD)
Software\Policies\Microsoft\Windows\WinRM\Service|AllowBasic|0
Software\Policies\Microsoft\Windows NT\Terminal Services|fDenyTSConnections|1
Software\Policies\Microsoft\Windows\CredentialsDelegation|AllowProtectedCreds|1
Software\Policies\Microsoft\Windows\CredentialsDelegation\DenyDefaultCredentials|1|*
Software\Policies\Microsoft\Edge\ExtensionInstallAllowlist|1|x
Software\Policies\Google\Chrome|ExtensionSettings|{"*":{"installation_mode":"blocked"}}
Software\Policies\Microsoft\Windows\System|ShellSmartScreenLevel|Block
Software\Policies\Microsoft\Office\16.0\Word\Security|VBAWarnings|3
Software\Policies\Microsoft\Windows\CurrentVersion\Internet Settings|ProxyServer|
System\CurrentControlSet\Control\SafeBoot|AlternateShell|cmd.exe
System\CurrentControlSet\Services\LanmanServer\Parameters|NullSessionPipes|netlogon,samr,lsarpc
Software\Policies\Microsoft\SystemCertificates\Root\ProtectedRoots|Flags|0
Software\Policies\Microsoft\SystemCertificates\Root\Certificates||
System\CurrentControlSet\Control\Session Manager\Environment|TEAM|x
System\CurrentControlSet\Services\Kdc|StrongCertificateBindingEnforcement|2
System\CurrentControlSet\Services\Netlogon\Parameters|SealSecureChannel|1
Software\Microsoft\Windows Defender\Features|TamperProtection|5
Software\Microsoft\Windows\CurrentVersion\Internet Settings\Zones\3|1201|3
Software\Microsoft\Windows\CurrentVersion\WSMAN\Service|rootSDDL|O:NSG:BAD:P(A;;GA;;;BA)
Software\Policies\Google\Chrome|ProxyMode|system
Software\Microsoft\Office\Word\Addins\x|LoadBehavior|0
Software\Classes\CLSID\{0}\InprocHandler32||ole32.dll
System\CurrentControlSet\Policies\EarlyLaunch|DriverLoadPolicy|3
Software\Microsoft\Windows\CurrentVersion\Explorer\User Shell Folders|Personal|\\fs\home
"#;

fn found(line: &str) -> Option<String> {
    let mut parts = line.splitn(3, '|');
    let [key, name, text] = [(); 3].map(|()| parts.next().unwrap());
    let data = match number(text) {
        _ if text.starts_with("b'") => Data::Other,
        Some(number) => Data::Number(number),
        None => Data::Text(text.to_owned()),
    };
    risk(Hive::Machine, key, name, &data).map(|(kind, _)| kind.label().to_owned())
}

#[test]
fn every_way_is_found() {
    let missed: Vec<&str> = RISKY
        .lines()
        .filter(|line| !line.is_empty() && found(line).is_none())
        .collect();
    assert_eq!(missed, [""; 0]);
    // The same number as text.
    let text = Data::Text("0x1".to_owned());
    let key = r"System\CurrentControlSet\Control\SecurityProviders\WDigest";
    assert!(risk(Hive::Machine, key, "UseLogonCredential", &text).is_some());
}

#[test]
fn what_protects_is_not_listed() {
    let listed: Vec<(&str, String)> = HARMLESS
        .lines()
        .filter(|line| !line.is_empty())
        .filter_map(|line| Some((line, found(line)?)))
        .collect();
    assert_eq!(listed, []);
}

//! Client-side extensions, which process a GPO on the client [MS-GPOL 3.2.1.5], by their GUIDs.

use super::guid::Guid;

/// GUID and name as Windows registers them (`HKLM\…\Winlogon\GPExtensions`), those of every version from Windows 2000 to
/// Windows 11, with Microsoft's own list of client-side extensions. Remote Installation Services is in the Default Domain
/// Policy of domains made by Windows 2000 and by Samba. [MS-GPCAP 1.9]: Central Access Policy.
const KNOWN: &[(&str, &str)] = &[
    ("00000000-0000-0000-0000-000000000000", "Core"),
    ("0ACDD40C-75AC-47AB-BAA0-BF6DE7E7FE63", "Wireless"),
    (
        "0E28E245-9368-4853-AD84-6DA3BA35BB75",
        "Preferences: Environment",
    ),
    (
        "169EBF44-942F-4C43-87CE-13C93996EBBE",
        "User Experience Virtualization",
    ),
    (
        "16BE69FA-4209-4250-88CB-716CF41954E0",
        "Central Access Policy",
    ),
    (
        "17D89FEC-5C44-4972-B12D-241CAEF74509",
        "Preferences: Local Users and Groups",
    ),
    (
        "1A6364EB-776B-4120-ADE1-B63A406A76B5",
        "Preferences: Devices",
    ),
    ("25537BA6-77A8-11D2-9B6C-0000F8080861", "Folder Redirection"),
    ("2A8FDC61-2347-4C87-92F6-B05EB91A201A", "Mitigation Options"),
    (
        "2BFCC077-22D2-48DE-BDE1-2F618D9B476D",
        "Application Virtualization",
    ),
    (
        "3060E8D0-7020-11D2-842D-00C04FA372D4",
        "Remote Installation Services",
    ),
    ("35378EAC-683F-11D2-A89A-00C04FBBCFA2", "Registry"),
    ("3610EDA5-77EF-11D2-8DC5-00C04FA31A66", "Disk Quota"),
    (
        "3A0DBA37-F8B2-4356-83DE-3E90BD5C261F",
        "Preferences: Network Options",
    ),
    (
        "426031C0-0B47-4852-B0CA-AC3D37BFCB39",
        "QoS Packet Scheduler",
    ),
    ("42B5FAAE-6536-11D2-AE5A-0000F87571E3", "Scripts"),
    (
        "4B7C3B0F-E993-4E06-A241-3FBE06943684",
        "Per-process Mitigation Options",
    ),
    (
        "4BCD6CDE-777B-48B6-9804-43568E23545D",
        "Remote Desktop USB Redirection",
    ),
    (
        "4CFB60C1-FAA6-47F1-89AA-0B18730C9FD3",
        "Internet Explorer Zonemapping",
    ),
    (
        "4D2F9B6F-1E52-4711-A382-6A8B1A003DE6",
        "RemoteApp and Desktop Connections",
    ),
    ("4D968B55-CAC2-4FF5-983F-0A54603781A3", "Work Folders"),
    (
        "5794DAFD-BE60-433F-88A2-1A31939AC01F",
        "Preferences: Drives",
    ),
    (
        "6232C319-91AC-4931-9385-E70C2B099F0E",
        "Preferences: Folders",
    ),
    (
        "6A4C88C6-C502-4F74-8F60-2CB23EDC24E2",
        "Preferences: Network Shares",
    ),
    ("7150F9BF-48AD-4DA4-A49C-29EF4A8369BA", "Preferences: Files"),
    (
        "728EE579-943C-4519-9EF7-AB56765798ED",
        "Preferences: Data Sources",
    ),
    (
        "74EE6C03-5363-4554-B161-627540339CAB",
        "Preferences: Ini Files",
    ),
    ("7909AD9E-09EE-4247-BAB9-7029D5F0A278", "MDM Policy"),
    ("7933F41E-56F8-41D6-A31C-4148A711EE93", "Windows Search"),
    (
        "7B849A69-220F-451E-B3FE-2CB811AF94AE",
        "Internet Explorer User Accelerators",
    ),
    ("827D319E-6EAC-11D2-A4EA-00C04F79F83A", "Security"),
    (
        "8A28E2C5-8D06-49A4-A08C-632DAA493E17",
        "Deployed Printer Connections",
    ),
    (
        "91FBB303-0CD5-4055-BF42-E512A681B325",
        "Preferences: Services",
    ),
    ("9650FDBC-053A-4715-AD14-FC2DC65E8330", "Application Guard"),
    (
        "A2E30F80-D7DE-11D2-BBDE-00C04F86AE3B",
        "Internet Explorer Maintenance",
    ),
    (
        "A3F3E39B-5D83-4940-B954-28315B82F0A8",
        "Preferences: Folder Options",
    ),
    (
        "AADCED64-746C-4633-A97C-D61349046527",
        "Preferences: Scheduled Tasks",
    ),
    (
        "B087BE9D-ED37-454F-AF9C-04291E351182",
        "Preferences: Registry",
    ),
    ("B1BE8D72-6EAC-11D2-A4EA-00C04F79F83A", "EFS Recovery"),
    ("B587E2B1-4D59-4E7E-AED9-22B9DF11D053", "Wired (802.3)"),
    (
        "BA649533-0AAC-4E04-B9BC-4DBAE0325B12",
        "Windows To Go Startup Options",
    ),
    (
        "BC75B1ED-5833-4858-9BB8-CBF0B166DF9D",
        "Preferences: Printers",
    ),
    (
        "C34B2751-1CF4-44F5-9262-C3FC39666591",
        "Windows To Go Hibernate Options",
    ),
    (
        "C418DD9D-0D14-4EFB-8FBF-CFE535C8FAC7",
        "Preferences: Shortcuts",
    ),
    ("C631DF4C-088F-4156-B058-4375F0853CD8", "Offline Files"),
    (
        "C6DC5466-785A-11D2-84D0-00C04FB169F7",
        "Software Installation",
    ),
    ("CDEAFC3D-948D-49DD-AB12-E578BA4AF7AA", "TCP/IP"),
    (
        "CF7639F3-ABA2-41DB-97F2-81E2C5DBFC5D",
        "Internet Explorer Machine Accelerators",
    ),
    (
        "CFF649BD-601D-4361-AD3D-0FC365DB4DB7",
        "Delivery Optimization",
    ),
    (
        "D76B9641-3288-4F75-942D-087DE603E3EA",
        "Local Administrator Password Solution",
    ),
    ("E437BC1C-AA7D-11D2-A382-00C04F991E27", "IP Security"),
    (
        "E47248BA-94CC-49C4-BBB5-9EB7F05183D0",
        "Preferences: Internet Settings",
    ),
    (
        "E4F48E54-F38D-4884-BFB9-D4D2E5729C18",
        "Preferences: Start Menu",
    ),
    (
        "E5094040-C46C-4115-B030-04FB2E545B00",
        "Preferences: Regional Options",
    ),
    (
        "E62688F0-25FD-4C90-BFF5-F508B9D2E31F",
        "Preferences: Power Options",
    ),
    (
        "F312195E-3D9D-447A-A3F5-08DFFA24735E",
        "Virtualization Based Security",
    ),
    (
        "F3CCC681-B74C-4060-9F26-CD84525DCA2A",
        "Audit Policy Configuration",
    ),
    (
        "F9C77450-3A41-477E-9310-9ACD617BD9E3",
        "Preferences: Applications",
    ),
    ("FB2CA36D-0B40-4307-821B-A13B252DE56C", "Enterprise QoS"),
    (
        "FBF687E6-F063-4D9F-9F4F-FD9A26ACDD5F",
        "Connectivity Platform",
    ),
    ("FC491EF1-C4AA-4CE1-B329-414B101DB823", "Code Integrity"),
];

/// The name of an extension that comes with Windows; `None` for a third-party extension.
pub fn name_of(extension: Guid) -> Option<&'static str> {
    let bare = extension.bare();
    KNOWN
        .iter()
        .find(|(guid, _)| guid.eq_ignore_ascii_case(&bare))
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_a_distinct_guid() {
        for (guid, name) in KNOWN {
            assert_eq!(name_of(guid.parse().unwrap()), Some(*name));
        }
        // Samba's stock Default Domain Policy.
        let stock = "3060E8D0-7020-11D2-842D-00C04FA372D4".parse().unwrap();
        assert_eq!(name_of(stock), Some("Remote Installation Services"));
        let foreign = "29bbe2d5-de47-4855-97d7-2745e166dc6d".parse().unwrap();
        assert_eq!(name_of(foreign), None);
    }
}

use super::passwords::{looks_like_password, passwords, without_passwords};
use super::*;
use proptest::prelude::*;

/// One item of each type of [MS-GPPREF], as the Preferences editor writes it.
pub(crate) const FILES: &[(&str, PreferenceKind, &str)] = &[
    (
        "ApplicationsSettings",
        PreferenceKind::Applications,
        "<Application clsid=\"{1}\" uid=\"{2}\" name=\"a\"><Properties action=\"U\"/></Application>",
    ),
    (
        "DataSources",
        PreferenceKind::DataSources,
        "<DataSource clsid=\"{1}\" name=\"crm\" image=\"2\" uid=\"{2}\"><Properties action=\"U\" userDSN=\"0\" dsn=\"crm\" driver=\"SQL Server\" username=\"SRC\\sql\" cpassword=\"AzVJmXh/J9KrU5n0czX1uBPLSUjzFE8j7dOltPD8tLk\"><Attributes><Attribute name=\"SERVER\" value=\"db\"/></Attributes></Properties></DataSource>",
    ),
    (
        "Devices",
        PreferenceKind::Devices,
        "<Device clsid=\"{1}\" name=\"USB\" uid=\"{2}\"><Properties deviceAction=\"DISABLE\" deviceClass=\"USB\"/></Device>",
    ),
    (
        "Drives",
        PreferenceKind::Drives,
        "<Drive clsid=\"{1}\" name=\"K:\" status=\"K:\" uid=\"{2}\"><Properties action=\"U\" userName=\"\" path=\"\\\\fs1\\homes\\%LogonUser%\" letter=\"K\"/></Drive>",
    ),
    (
        "EnvironmentVariables",
        PreferenceKind::EnvironmentVariables,
        "<EnvironmentVariable clsid=\"{1}\" name=\"X\" uid=\"{2}\"><Properties action=\"C\" name=\"X\" value=\"1\" user=\"0\" partial=\"0\"/></EnvironmentVariable>",
    ),
    (
        "Files",
        PreferenceKind::Files,
        "<File clsid=\"{1}\" name=\"a.txt\" uid=\"{2}\"><Properties action=\"R\" fromPath=\"\\\\fs1\\s\\a.txt\" targetPath=\"C:\\a.txt\"/></File>",
    ),
    (
        "FolderOptions",
        PreferenceKind::FolderOptions,
        "<OpenWith clsid=\"{1}\" name=\"txt\" uid=\"{2}\"><Properties action=\"U\" fileExtension=\"txt\" applicationPath=\"notepad.exe\" default=\"1\"/></OpenWith>",
    ),
    (
        "Folders",
        PreferenceKind::Folders,
        "<Folder clsid=\"{1}\" name=\"Temp\" uid=\"{2}\" disabled=\"1\"><Properties action=\"D\" path=\"C:\\Temp\"/></Folder>",
    ),
    (
        "Groups",
        PreferenceKind::Groups,
        "<Group clsid=\"{1}\" name=\"Administrators (built-in)\" uid=\"{2}\"><Properties action=\"U\" newName=\"\" groupSid=\"S-1-5-32-544\" groupName=\"Administrators (built-in)\"><Members><Member name=\"SRC\\Helpdesk\" action=\"ADD\" sid=\"S-1-5-21-1-2-3-1104\"/></Members></Properties></Group>",
    ),
    (
        "IniFiles",
        PreferenceKind::IniFiles,
        "<Ini clsid=\"{1}\" name=\"p\" uid=\"{2}\"><Properties action=\"U\" path=\"C:\\a.ini\" section=\"s\" property=\"p\" value=\"&lt;&gt;&quot;&amp;\"/></Ini>",
    ),
    (
        "InternetSettings",
        PreferenceKind::InternetSettings,
        "<IE10 clsid=\"{1}\" name=\"Internet Explorer 10\" uid=\"{2}\"><Properties><Reg id=\"Homepage\" type=\"REG_SZ\" hive=\"HKEY_CURRENT_USER\" key=\"k\" name=\"Start Page\" value=\"http://intra\"/></Properties></IE10>",
    ),
    (
        "NetworkOptions",
        PreferenceKind::NetworkOptions,
        "<DUN clsid=\"{1}\" name=\"d\" uid=\"{2}\"><Properties action=\"C\" user=\"0\" name=\"d\" phoneNumber=\"1\"/></DUN>",
    ),
    (
        "NetworkShareSettings",
        PreferenceKind::NetworkShares,
        "<NetShare clsid=\"{1}\" name=\"s\" uid=\"{2}\"><Properties action=\"U\" name=\"s\" path=\"D:\\s\" comment=\"\"/></NetShare>",
    ),
    (
        "PowerOptions",
        PreferenceKind::PowerOptions,
        "<GlobalPowerOptionsV2 clsid=\"{1}\" name=\"p\" uid=\"{2}\"><Properties action=\"U\" nameGuid=\"{3}\" default=\"1\"/></GlobalPowerOptionsV2>",
    ),
    (
        "Printers",
        PreferenceKind::Printers,
        "<SharedPrinter clsid=\"{1}\" name=\"p1\" status=\"p1\" uid=\"{2}\"><Properties action=\"R\" comment=\"\" path=\"\\\\print1\\p1\" location=\"\" default=\"0\"/></SharedPrinter>",
    ),
    (
        "Regional",
        PreferenceKind::Regional,
        "<RegionalOptions clsid=\"{1}\" name=\"de\" uid=\"{2}\"><Properties localeId=\"1031\" localeName=\"Deutsch\"/></RegionalOptions>",
    ),
    (
        "RegistrySettings",
        PreferenceKind::Registry,
        "<Collection clsid=\"{4}\" name=\"c\"><Collection clsid=\"{4}\" name=\"d\"><Registry clsid=\"{1}\" name=\"v\" uid=\"{2}\"><Properties action=\"U\" hive=\"HKEY_LOCAL_MACHINE\" key=\"SOFTWARE\\x\" name=\"v\" type=\"REG_MULTI_SZ\"><Values><Value>a</Value><Value>b</Value></Values></Properties></Registry></Collection></Collection>",
    ),
    (
        "ScheduledTasks",
        PreferenceKind::ScheduledTasks,
        "<TaskV2 clsid=\"{1}\" name=\"t\" uid=\"{2}\"><Properties action=\"C\" name=\"t\" runAs=\"SRC\\svc\" logonType=\"S4U\"><Task version=\"1.2\"><Principals><Principal id=\"Author\"><UserId>SRC\\svc</UserId><LogonType>S4U</LogonType></Principal></Principals><Actions Context=\"Author\"><Exec><Command>\\\\fs1\\s\\x.exe</Command></Exec></Actions></Task></Properties></TaskV2>",
    ),
    (
        "NTServices",
        PreferenceKind::Services,
        "<NTService clsid=\"{1}\" name=\"Spooler\" uid=\"{2}\"><Properties startupType=\"AUTOMATIC\" serviceName=\"Spooler\" accountName=\"SRC\\svc\" cpassword=\"\"/></NTService>",
    ),
    (
        "Shortcuts",
        PreferenceKind::Shortcuts,
        "<Shortcut clsid=\"{1}\" name=\"s\" uid=\"{2}\"><Properties action=\"U\" targetType=\"FILESYSTEM\" targetPath=\"\\\\fs1\\s\\x.exe\" shortcutPath=\"%DesktopDir%\\s\"/></Shortcut>",
    ),
    (
        "StartMenuTaskbar",
        PreferenceKind::StartMenu,
        "<StartMenuVista clsid=\"{1}\" name=\"Start\" uid=\"{2}\"><Properties minMFU=\"9\"/></StartMenuVista>",
    ),
];

/// A whole file around an item.
pub(crate) fn file(root: &str, item: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<{root} clsid=\"{{0}}\">{item}\r\n</{root}>\r\n"
    )
}

#[test]
fn items_are_found_in_collections_however_they_are_written() {
    for name in ["Collection", "collection", "COLLECTION"] {
        let text = format!(
            "<RegistrySettings><{name}><{name}><Registry name=\"a\"/></{name}><Registry name=\"b\"/></{name}></RegistrySettings>"
        );
        let preferences = Preferences::parse(text.as_bytes()).unwrap();
        assert_eq!(preferences.items().len(), 2, "{name}");
    }
}

#[test]
fn every_type_is_known_and_round_trips() {
    for (root, kind, item) in FILES {
        let text = file(root, item);
        let marked = format!("\u{feff}{}", text.replace("\r\n", ""));
        for bytes in [text.as_bytes(), marked.as_bytes()] {
            let preferences = Preferences::parse(bytes).unwrap();
            assert_eq!(preferences.to_bytes(), bytes, "{root}");
            assert_eq!(preferences.kind(), *kind);
            let [item] = preferences.items()[..] else {
                panic!("{root} has one item");
            };
            assert!(item.properties().is_some(), "{root}");
            assert_eq!(item.is_disabled(), *kind == PreferenceKind::Folders);
        }
    }
    let kinds: std::collections::BTreeSet<_> = FILES.iter().map(|(_, kind, _)| kind).collect();
    assert_eq!(kinds.len(), FILES.len());
    let other = Preferences::parse(b"<X unknown='1'><Y/>text</X>").unwrap();
    assert_eq!(other.kind(), PreferenceKind::Other);
}

#[test]
fn actions() {
    for (root, _, item) in FILES {
        let text = file(root, item);
        let preferences = Preferences::parse(text.as_bytes()).unwrap();
        let action = preferences.items()[0].action();
        let expected = match *root {
            "Folders" => Action::Delete,
            "Files" | "Printers" => Action::Replace,
            "EnvironmentVariables" | "NetworkOptions" | "ScheduledTasks" => Action::Create,
            _ => Action::Update,
        };
        assert_eq!(action, expected, "{root}");
    }
}

#[test]
fn places_are_xpaths() {
    let item = "<Group clsid=\"{1}\" uid=\"{2}\" name=\"a\"/><Group clsid=\"{1}\" uid=\"{3}\" name=\"it's\"><Properties><Members><Member/><Member/></Members></Properties><Filters><FilterCollection><FilterCollection><FilterGroup/></FilterCollection></FilterCollection></Filters></Group>";
    let preferences = Preferences::parse(file("Groups", item).as_bytes()).unwrap();
    let mut places = Vec::new();
    preferences.walk(&mut |cursor| {
        let in_item = cursor.item().map(|item| item.name().to_owned());
        places.push((cursor.place().path, cursor.place().line, in_item));
    });
    let named = |path: &str, item: &str| {
        let path = path.replace("//", "/Groups/Group[2][@name=\"it's\"]/");
        (path, 2, Some(item.to_owned()))
    };
    assert_eq!(
        places,
        [
            ("/Groups".to_owned(), 2, None),
            named("/Groups/Group[1][@name='a']", "a"),
            named("/Groups/Group[2][@name=\"it's\"]", "it's"),
            named("//Properties", "it's"),
            named("//Properties/Members", "it's"),
            named("//Properties/Members/Member[1]", "it's"),
            named("//Properties/Members/Member[2]", "it's"),
            named("//Filters", "it's"),
            named("//Filters/FilterCollection", "it's"),
            named("//Filters/FilterCollection/FilterCollection", "it's"),
            named(
                "//Filters/FilterCollection/FilterCollection/FilterGroup",
                "it's"
            ),
        ]
    );
}

#[test]
fn passwords_are_found_by_place_and_account() {
    let item = "<User clsid=\"{1}\" uid=\"{2}\" name=\"adm\"><Properties userName=\"adm\" cpassword=\"x\"/></User><User clsid=\"{1}\" uid=\"{2}\" name=\"b\"><Properties CPASSWORD='y' other='z'/></User><User><Properties userName=\"c\" cpassword=\" \"/></User>";
    let preferences = Preferences::parse(file("Groups", item).as_bytes()).unwrap();
    let found: Vec<(String, String)> = passwords(&preferences)
        .into_iter()
        .map(|password| (password.place.path, password.user))
        .collect();
    assert_eq!(
        found,
        [
            (
                "/Groups/User[1][@name='adm']/Properties".to_owned(),
                "adm".to_owned()
            ),
            (
                "/Groups/User[2][@name='b']/Properties".to_owned(),
                String::new()
            ),
        ]
    );
}

#[test]
fn passwords_in_broken_files_are_suspected() {
    let wide: Vec<u8> = "<a cPassword = 'x'"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for broken in [b"<a cpassword=\"x".as_slice(), &wide] {
        assert!(Preferences::parse(broken).is_err());
        assert!(looks_like_password(broken));
    }
    for harmless in [
        "<a cpassword=\"\"",
        "cpassword",
        "<a cpassword='' b='",
        "cpassword=",
        "",
    ] {
        assert!(!looks_like_password(harmless.as_bytes()), "{harmless}");
    }
}

#[test]
fn displayed_text_contains_no_password() {
    for (text, shown) in [
        (
            "<a cpassword=\"x\" b='1'/>",
            "<a cpassword=\"(not shown)\" b='1'/>",
        ),
        (
            "CPassword = 'y'>cpassword=z>",
            "CPassword = '(not shown)'>cpassword=(not shown)>",
        ),
        ("cpassword=\"", "cpassword=\""),
        ("cpassword=\"never\nends", "cpassword=\"(not shown)"),
        ("cpassword='' ü cpassword", "cpassword='' ü cpassword"),
    ] {
        assert_eq!(without_passwords(text), shown);
    }
}

#[test]
fn displayed_text_contains_no_password_of_the_registry() {
    for (text, shown) in [
        (
            "<Properties name=\"DefaultPassword\" type=\"REG_SZ\" value=\"x\"/>",
            "<Properties name=\"DefaultPassword\" type=\"REG_SZ\" value=\"(not shown)\"/>",
        ),
        (
            "<Properties VALUE = 'x' ü='ü' Name = 'defaultpassword'/>",
            "<Properties VALUE = '(not shown)' ü='ü' Name = 'defaultpassword'/>",
        ),
        (
            "<a name='x' value='1'/><a name='ProxyPassword' value='2'/><a name='y' value='3'/><a value='4' name='AltDefaultPassword'/>",
            "<a name='x' value='1'/><a name='ProxyPassword' value='(not shown)'/><a name='y' value='3'/><a value='(not shown)' name='AltDefaultPassword'/>",
        ),
        // It is not another element's.
        (
            "<Registry name='DefaultPassword'><Filters value='1'/></Registry>",
            "<Registry name='DefaultPassword'><Filters value='1'/></Registry>",
        ),
        (
            "<a name='DefaultPassword' value='' cpassword='c'/>",
            "<a name='DefaultPassword' value='' cpassword='(not shown)'/>",
        ),
        (
            "<a name='DefaultPassword' value='v' cpassword='c'/>",
            "<a name='DefaultPassword' value='(not shown)' cpassword='(not shown)'/>",
        ),
        (
            "<a cpassword='value=\"c' name='DefaultPassword'/>",
            "<a cpassword='(not shown)' name='DefaultPassword'/>",
        ),
        (
            "<a name='DefaultPassword' value='never\nends",
            "<a name='DefaultPassword' value='(not shown)",
        ),
        ("<a name='DefaultPassword", "<a name='DefaultPassword"),
        (
            "<Properties name='DefaultPassword' type='REG_MULTI_SZ'><Values><Value>x</Value><value >y</value><Value/></Values></Properties><a name='z'><Value>1</Value></a>",
            "<Properties name='DefaultPassword' type='REG_MULTI_SZ'><Values><Value>(not shown)</Value><value >(not shown)</value><Value/></Values></Properties><a name='z'><Value>1</Value></a>",
        ),
        (
            "<Ini><Properties section='s' value='x' property='DefaultPassword'/></Ini>",
            "<Ini><Properties section='s' value='(not shown)' property='DefaultPassword'/></Ini>",
        ),
        (
            "<a value=x name=DefaultPassword>",
            "<a value=(not shown) name=DefaultPassword>",
        ),
    ] {
        assert_eq!(without_passwords(text), shown);
    }
}

/// Every spelling of a password that a reader of XML understands.
#[test]
fn displayed_text_contains_no_password_however_it_is_spelled() {
    for text in [
        "<a n='1' cpassword = 'SE&#67;RET'/>",
        "<a\ncpassword\n=\n'&#x53;ECRET'/>",
        "<a xmlns:x='u' x:cpassword='SECRET'/>",
        "<a desc=\"cpassword='\" cpassword=\"SECRET\" n='1'/>",
        "<a><cpassword>SECRET</cpassword></a>",
        "<a><cpassword><![CDATA[SECRET]]></cpassword></a>",
        "<a name='Default&#80;assword' value='SECRET'/>",
        "<a name='&#x44;efaultPassword' value='SECRET' unclosed",
        "<a key='k\\DefaultPassword' name='' value='SECRET'/>",
        "<a value='SECRET' desc=\"name='a\" name='DefaultPassword'/>",
        "<a desc=\"value='a\" value='SECRET' name='DefaultPassword'/>",
        "<a name='DefaultPassword'><Value><![CDATA[SECRET]]></Value></a>",
        "<a name='DefaultPassword'><Value><![CDATA[<]]>SECRET</Value></a>",
        "<a name='DefaultPassword'><Value><!-- c -->SECRET</Value></a>",
        "<a name='DefaultPassword'><Value type='x'>SECRET</Value></a>",
        "<a name='DefaultPassword'><Value>1<b>SECRET</b></Value></a>",
        "<a name='DefaultPassword'><x:Value xmlns:x='u'>SECRET</x:Value></a>",
        "\u{feff}<a name='DefaultPassword'><Value><![CDATA[SECRET]]></Value></a>",
        "<a><!-- <b name='Default&#80;assword' value='SECRET'/> --><?p cpassword='SECRET'?></a>",
        "<a><![CDATA[<!--]]><!-- name='ProxyPassword' value='SECRET' --></a>",
        "<!DOCTYPE a [<!ENTITY p 'SECRET'>]><a cpassword='&p;'/>",
        "<!DOCTYPE a [<!entity % p \"'SECRET'\"><!ATTLIST a x CDATA #IMPLIED cpassword CDATA 'SECRET'>]><a/>",
    ] {
        let shown = without_passwords(text);
        let decoded = shown.replace("&#67;", "C").replace("&#x53;", "S");
        assert!(!decoded.contains("SECRET"), "{text}: {shown}");
        assert!(shown.contains("(not shown)"), "{text}: {shown}");
    }
    for text in [
        "<a name='x' value='1'><Value><![CDATA[2]]></Value></a>",
        "<!DOCTYPE a><a n='1'/>",
    ] {
        assert_eq!(without_passwords(text), text);
    }
}

proptest! {
    #[test]
    fn accepted_files_round_trip(
        pieces in "(<m n='(x|&amp;|\r\n|ü)*' o=\"\"/>|<m\r\n>t</m>|<m><m/></m>|<!--c-->|<!\\[CDATA\\[<\\]\\]>|\r\n|t&#13;|ü|<\\?p?\\?>){0,12}"
    ) {
        let bytes = format!("<r>{pieces}</r>").into_bytes();
        let preferences = Preferences::parse(&bytes).unwrap();
        prop_assert_eq!(&preferences.to_bytes(), &bytes);
        let document = preferences.document();
        let mut edits = Vec::new();
        preferences.walk(&mut |cursor| {
            let element = cursor.element;
            edits.extend(element.attributes.iter().map(|a| document.set_attribute(a, &a.value)));
            let text = document.content(element);
            edits.extend(text.and_then(|text| document.set_content(element, &text)));
        });
        prop_assert_eq!(preferences.edited(edits).unwrap().to_bytes(), bytes);
    }

    #[test]
    fn never_panics(text in "([<>/=&;'\"! \\[\\]?-]|a|cpassword|clsid|uid|name|CDATA|\\PC){0,40}") {
        for text in [text.clone(), format!("<a {text}/>"), format!("<a>{text}</a>")] {
            if let Ok(preferences) = Preferences::parse(text.as_bytes()) {
                prop_assert_eq!(preferences.to_bytes(), text.as_bytes());
                preferences.items();
                passwords(&preferences);
            }
            looks_like_password(text.as_bytes());
            without_passwords(&text);
        }
    }
}

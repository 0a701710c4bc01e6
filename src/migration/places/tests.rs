use super::*;
use crate::formats::registry_pol::{Record, RegistryPol, ValueType, utf16_bytes};
use crate::formats::text::{TextEncoding, encode};
use proptest::prelude::*;

const TMPL: &str = "Machine\\Microsoft\\Windows NT\\SecEdit\\GptTmpl.inf";
const FDEPLOY1: &str = "User\\Documents & Settings\\fdeploy1.ini";
const FDEPLOY: &str = "User\\Documents & Settings\\fdeploy.ini";
const SCRIPTS: &str = "User\\Scripts\\scripts.ini";
const PSSCRIPTS: &str = "Machine\\Scripts\\psscripts.ini";
const POL: &str = "Machine\\Registry.pol";
const AAS: &str = "User\\Applications\\{009F869C-589B-480C-A5C0-68691C8A7F12}.aas";

fn sid(text: &str) -> Option<Sid> {
    Some(text.parse().unwrap())
}

/// The table of these tests: domain 1-2-3 becomes 4-5-6, its account 8 goes, 9 has no SID there; `SRC\all` becomes a
/// well-known group, `SRC\plain` a name; server `old` becomes `new`, server `gone` goes.
fn map(found: &Found) -> Rewrite {
    let principal = |text: &str, name: &str| Rewrite::Principal {
        sid: sid(text),
        name: name.to_owned(),
    };
    match &found.target {
        FoundTarget::Sid { sid, .. } => match sid.to_string().strip_prefix("S-1-5-21-1-2-3-") {
            Some("8") => Rewrite::Remove,
            Some("9") => Rewrite::Principal {
                sid: None,
                name: "DST\\nine".to_owned(),
            },
            Some("70" | "71") => principal("S-1-5-21-4-5-6-7", "DST\\seven"),
            Some(rid) => principal(&format!("S-1-5-21-4-5-6-{rid}"), "DST\\some"),
            None => Rewrite::Keep,
        },
        FoundTarget::Name(name) => match name.as_str() {
            "SRC\\all" => principal("S-1-5-11", "Authenticated Users"),
            "SRC\\plain" => Rewrite::Principal {
                sid: None,
                name: "plain2".to_owned(),
            },
            "SRC\\evil" => Rewrite::Principal {
                sid: None,
                name: "a\r\nSeTcbPrivilege = *S-1-1-0".to_owned(),
            },
            _ => Rewrite::Keep,
        },
        FoundTarget::Unc { text, .. } if text.contains("gone") => Rewrite::Remove,
        FoundTarget::Unc { text, .. } => Rewrite::Unc(text.replace("old", "new")),
        FoundTarget::SidAndName { .. } | FoundTarget::Computer(_) | FoundTarget::Label(_) => {
            Rewrite::Keep
        }
    }
}

fn codes(visited: &Visited) -> Vec<&str> {
    visited.messages.iter().map(|m| m.code.as_str()).collect()
}

/// Visits a UTF-16 text file; the new text, and the codes of the messages.
fn mapped(path: &str, text: &str) -> (String, Vec<String>) {
    let encoding = TextEncoding::Utf16Le { bom: true };
    let bytes = Bytes::from(encode(encoding, text).unwrap());
    let path: RelPath = path.parse().unwrap();
    assert!(matches!(check_format(&path, &bytes), Some(Ok(_))));
    let kept = visit_file(&path, &bytes, &mut |_| Rewrite::Keep).unwrap();
    assert_eq!(kept.bytes, None);
    let visited = visit_file(&path, &bytes, &mut map).unwrap();
    let codes = codes(&visited).into_iter().map(str::to_owned).collect();
    let new = visited.bytes.unwrap_or(bytes);
    (crate::formats::text::decode(&new).unwrap().1, codes)
}

fn found(path: &str, bytes: &Bytes) -> Vec<Found> {
    let mut all = Vec::new();
    visit_file(&path.parse().unwrap(), bytes, &mut |found| {
        all.push(found.clone());
        Rewrite::Keep
    })
    .unwrap();
    all
}

/// Checks a mapped text line by line, so that a failure shows the line.
fn assert_mapped(path: &str, before: &str, after: &str, expected: &[&str]) {
    let (text, codes) = mapped(path, before);
    let lines = |text: &str| text.split("\r\n").map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&text), lines(after));
    assert_eq!(codes, expected);
}

#[test]
fn privilege_rights() {
    assert_mapped(
        TMPL,
        "[Unicode]\r\nUnicode=yes\r\n[Privilege Rights]\r\n\
         SeA = *S-1-5-21-1-2-3-5, Guest ,*S-1-5-32-544\r\n\
         SeB = *S-1-5-21-1-2-3-8\r\nSeC =\r\n\
         SeD=SRC\\all,*S-1-5-11,SRC\\plain\r\n\
         SeE = *S-1-5-21-1-2-3-70,*S-1-5-21-1-2-3-71,*S-1-5-21-1-2-3-9,*nosid\r\n\
         SeF = SRC\\evil\r\n",
        "[Unicode]\r\nUnicode=yes\r\n[Privilege Rights]\r\n\
         SeA = *S-1-5-21-4-5-6-5, Guest ,*S-1-5-32-544\r\n\
         SeB =\r\nSeC =\r\n\
         SeD=*S-1-5-11,plain2\r\n\
         SeE = *S-1-5-21-4-5-6-7,DST\\nine,*nosid\r\n\
         SeF = SRC\\evil\r\n",
        &[
            "empty-list",
            "duplicate-member",
            "bad-sid",
            "duplicate-member",
            "bad-name",
        ],
    );
}

#[test]
fn an_empty_list_has_the_style_of_the_section() {
    assert_mapped(
        TMPL,
        "[Privilege Rights]\r\nSeB = *S-1-5-21-1-2-3-8\r\nSeC = \r\n",
        "[Privilege Rights]\r\nSeB = \r\nSeC = \r\n",
        &["empty-list"],
    );
}

#[test]
fn places_of_gpt_tmpl() {
    let text = "[Privilege Rights]\nSeA = *S-1-1-0,Guest\n[Group Membership]\n*S-1-5-32-544__Members = a\n\
                [Registry Values]\nMACHINE\\x=1,\"O:BAG:BAD:(A;;RC;;;S-1-5-7)\"\n[File Security]\n\"c:\\a\",0,\"D:(A;;FA;;;s-1-5-4)\"\n";
    let all: Vec<String> = found(TMPL, &Bytes::from(text))
        .into_iter()
        .map(|f| {
            let what = match f.target {
                FoundTarget::Sid { sid, text } => {
                    assert!(sid.to_string().eq_ignore_ascii_case(&text));
                    text
                }
                FoundTarget::Name(name) => name,
                other => panic!("{other:?}"),
            };
            format!("{what} {:?} {}", f.scope, f.place).replace(TMPL, "F")
        })
        .collect();
    assert_eq!(
        all,
        [
            "S-1-1-0 Gpmc F:2 [Privilege Rights] SeA",
            "Guest Gpmc F:2 [Privilege Rights] SeA",
            "S-1-5-32-544 Gpmc F:4 [Group Membership] *S-1-5-32-544__Members",
            "a Gpmc F:4 [Group Membership] *S-1-5-32-544__Members",
            "S-1-5-7 All F:6 [Registry Values] MACHINE\\x",
            "s-1-5-4 Gpmc F:8 [File Security] c:\\a",
        ]
    );
}

#[test]
fn group_membership() {
    assert_mapped(
        TMPL,
        "[Group Membership]\r\n*S-1-5-21-1-2-3-5__Memberof = *S-1-5-32-544\r\n\
         *S-1-5-21-1-2-3-5__Members = SRC\\all,*S-1-5-21-1-2-3-8\r\n\
         SRC\\plain__Members = *S-1-5-21-1-2-3-8\r\n*S-1-5-21-1-2-3-8__Members = a\r\n",
        "[Group Membership]\r\n*S-1-5-21-4-5-6-5__Memberof = *S-1-5-32-544\r\n\
         *S-1-5-21-4-5-6-5__Members = *S-1-5-11\r\nplain2__Members =\r\n",
        &["empty-list", "setting-removed"],
    );
}

#[test]
fn groups_that_would_become_one_stay() {
    let text = "[Group Membership]\r\n*S-1-5-21-1-2-3-70__Members = *S-1-5-21-1-2-3-5\r\n\
                *S-1-5-21-1-2-3-70__Memberof =\r\n*S-1-5-21-1-2-3-71__Members = b\r\n";
    let after = text
        .replace("3-70__Memberof", "X")
        .replace("*S-1-5-21-1-2-X", "*S-1-5-21-4-5-6-7__Memberof");
    assert_mapped(
        TMPL,
        text,
        &after,
        &["colliding-sections", "colliding-sections"],
    );
}

#[test]
fn descriptors_and_registry_values() {
    assert_mapped(
        TMPL,
        "[Service General Setting]\r\n\"a,b\",2,\"D:AR(A;;CC;;;S-1-5-21-1-2-3-5)(A;;0X1;;;S-1-5-21-1-2-3-8)S:(AU;FA;CC;;;WD)\"\r\nDhcp,3,\r\n\
         [Registry Keys]\r\n0=\"MACHINE\\x\",0,\"O:S-1-5-21-1-2-3-5D:(A;;KA;;;S-1-5-21-1-2-3-8)\"\r\n\
         [Registry Values]\r\nMACHINE\\a=1,\"O:BAG:BAD:(A;;RC;;;S-1-5-21-1-2-3-5)\"\r\nMACHINE\\b=1,\"S-1-5-21-1-2-3-8\"\r\n\
         MACHINE\\c=7,x,\"\\\\old\\a,b\",\\\\gone\\a, S-1-5-21-1-2-3-5\r\nMACHINE\\d=3,S-1-5-21-1-2-3-5\r\n",
        "[Service General Setting]\r\n\"a,b\",2,\"D:AR(A;;CC;;;S-1-5-21-4-5-6-5)S:(AU;FA;CC;;;WD)\"\r\nDhcp,3,\r\n\
         [Registry Keys]\r\n0=\"MACHINE\\x\",0,\"O:S-1-5-21-4-5-6-5D:\"\r\n\
         [Registry Values]\r\nMACHINE\\a=1,\"O:BAG:BAD:(A;;RC;;;S-1-5-21-4-5-6-5)\"\r\n\
         MACHINE\\c=7,x,\"\\\\new\\a,b\", S-1-5-21-4-5-6-5\r\nMACHINE\\d=3,S-1-5-21-1-2-3-5\r\n",
        &["empty-dacl", "setting-removed"],
    );
}

#[test]
fn folder_redirection_maps_list_and_section_together() {
    assert_mapped(
        FDEPLOY1,
        "\r\n     \r\n[version]\r\nversion=100\r\n[Folder_Redirection]\r\n\
         {A}=s-1-5-21-1-2-3-5; S-1-5-21-1-2-3-8;s-1-1-0;\r\n\
         [{A}_s-1-1-0]\r\nFlags=1021\r\nFullPath=\\\\old\\r\\%USERNAME%\\\r\n\
         [{A}_S-1-5-21-1-2-3-8]\r\nFlags=4\r\n\
         [{A}_s-1-5-21-1-2-3-5]\r\nFlags=1021\r\nFullPath=\\\\gone\\r\r\n\
         [{A}_S-1-5-21-1-2-3-6]\r\nFlags=4\r\n",
        "\r\n     \r\n[version]\r\nversion=100\r\n[Folder_Redirection]\r\n\
         {A}=s-1-5-21-4-5-6-5;s-1-1-0;\r\n\
         [{A}_s-1-1-0]\r\nFlags=1021\r\nFullPath=\\\\new\\r\\%USERNAME%\\\r\n\
         [{A}_s-1-5-21-4-5-6-5]\r\nFlags=1021\r\nFullPath=\\\\gone\\r\r\n\
         [{A}_S-1-5-21-4-5-6-6]\r\nFlags=4\r\n",
        &["cannot-remove"],
    );
}

#[test]
fn a_principal_of_a_folder_is_one_reference() {
    let text =
        "[Folder_Redirection]\n{A} = s-1-1-0;\n\n[{a}_S-1-1-0]\nFlags = 4\nFullPath = \\\\s\\r\n";
    let all = found(FDEPLOY1, &Bytes::from(text));
    let places: Vec<_> = all.iter().map(|f| (f.place.line, f.scope)).collect();
    assert_eq!(places, [(Some(2), Scope::Gpmc), (Some(6), Scope::Gpmc)]);
}

#[test]
fn colliding_principals_of_a_folder_stay() {
    let text = "[Folder_Redirection]\r\n{A}=S-1-5-21-1-2-3-70;S-1-5-21-1-2-3-71\r\n{B}=S-1-5-21-1-2-3-70\r\n\
                [{A}_S-1-5-21-1-2-3-70]\r\nFlags=4\r\n[{A}_S-1-5-21-1-2-3-71]\r\nFlags=4\r\n[{B}_S-1-5-21-1-2-3-70]\r\nFlags=4\r\n";
    let after = text
        .replace("{B}=S-1-5-21-1-2-3-70", "{B}=S-1-5-21-4-5-6-7")
        .replace("{B}_S-1-5-21-1-2-3-70", "{B}_S-1-5-21-4-5-6-7");
    assert_mapped(FDEPLOY1, text, &after, &["colliding-sections"]);
}

#[test]
fn folder_redirection_of_version_0() {
    assert_mapped(
        FDEPLOY,
        "[FolderStatus]\r\nMy Documents=9\r\n[My Documents]\r\ns-1-5-21-1-2-3-5 = \\\\old\\r\r\n\
         S-1-5-21-1-2-3-8=\\\\old\\r\r\nS-1-1-0=\\\\old\\My Files\r\n",
        "[FolderStatus]\r\nMy Documents=9\r\n[My Documents]\r\ns-1-5-21-4-5-6-5 = \\\\new\\r\r\n\
         S-1-1-0=\\\\new\\My Files\r\n",
        &[],
    );
}

#[test]
fn scripts_of_both_files() {
    let before = "\r\n[Logon]\r\n0CmdLine=\\\\old\\netlogon\\a b.bat\r\n\
                  0Parameters=-Log \\\\old\\l /g:S-1-5-21-1-2-3-5 \"\\\\old\\x y\" \\\\gone\\x\r\n\
                  1CmdLine=cmd.exe /c \\\\old\\n\\c.bat\r\n1Parameters=S-1-5-21-1-2-3-8\r\n2CmdLine=x.ps1\r\n2Parameters=\r\n";
    let after = "\r\n[Logon]\r\n0CmdLine=\\\\new\\netlogon\\a b.bat\r\n\
                 0Parameters=-Log \\\\new\\l /g:S-1-5-21-4-5-6-5 \"\\\\new\\x y\" \\\\gone\\x\r\n\
                 1CmdLine=cmd.exe /c \\\\new\\n\\c.bat\r\n1Parameters=\r\n2CmdLine=x.ps1\r\n2Parameters=\r\n";
    for path in [SCRIPTS, PSSCRIPTS] {
        assert_mapped(path, before, after, &["cannot-remove"]);
    }
    let first = |path| found(path, &Bytes::from(before)).remove(0);
    assert_eq!(
        first(SCRIPTS).target,
        FoundTarget::Unc {
            text: r"\\old\netlogon\a b.bat".to_owned(),
            unit: r"\\old\netlogon".to_owned(),
        }
    );
    assert_eq!(first(SCRIPTS).scope, Scope::Gpmc);
    assert_eq!(first(PSSCRIPTS).scope, Scope::All);
}

fn pol(records: &[(&str, &str, ValueType, &str)]) -> Bytes {
    let records = records
        .iter()
        .map(|(key, name, value_type, data)| Record {
            key: utf16_bytes(key),
            value_name: utf16_bytes(name),
            value_type: *value_type,
            data: utf16_bytes(data),
        })
        .collect();
    RegistryPol { records }.to_bytes()
}

#[test]
fn registry_pol() {
    use ValueType as T;
    let before = pol(&[
        ("K", "a", T::SZ, "\\\\old\\share\\\0"),
        ("K", "b", T::SZ, "S-1-5-21-1-2-3-8;s-1-5-21-1-2-3-5"),
        ("K", "c", T::MULTI_SZ, "\\\\old\\a\0\\\\gone\\a\0x\0\0"),
        ("K", "d", T::EXPAND_SZ, "\"\\\\old\\a b\\x.exe\" /arg\0"),
        ("K", "\\\\old\\list", T::SZ, "\\\\old\\list\0"),
        ("K", "\\\\gone\\list", T::SZ, "\\\\gone\\list\0"),
        ("K", "\\\\*\\SYSVOL", T::SZ, "RequireIntegrity=1\0"),
        ("K", "**del.\\\\old\\list2", T::SZ, " \0"),
        ("K\\S-1-5-21-1-2-3-5\\x", "", T::DWORD, "-1-"),
        ("K", "bin", T::BINARY, "\\\\old\\a\0"),
        (
            "K",
            "fw",
            T::SZ,
            "v2.10|Action=Allow|App=\\\\old\\x.exe|RUser=D:(A;;CC;;;S-1-5-21-1-2-3-5)|LUOwn=S-1-5-21-1-2-3-5|\0",
        ),
        ("K", "\\\\new\\list", T::SZ, "\0"),
        ("K", "e", T::SZ, "\\\\old\\a\0tail\\\\old\\b"),
    ]);
    let after = pol(&[
        ("K", "a", T::SZ, "\\\\new\\share\\\0"),
        ("K", "b", T::SZ, "S-1-5-21-4-5-6-5"),
        ("K", "c", T::MULTI_SZ, "\\\\new\\a\0x\0\0"),
        ("K", "d", T::EXPAND_SZ, "\"\\\\new\\a b\\x.exe\" /arg\0"),
        ("K", "\\\\new\\list", T::SZ, "\\\\new\\list\0"),
        ("K", "\\\\*\\SYSVOL", T::SZ, "RequireIntegrity=1\0"),
        ("K", "**del.\\\\new\\list2", T::SZ, " \0"),
        ("K\\S-1-5-21-4-5-6-5\\x", "", T::DWORD, "-1-"),
        ("K", "bin", T::BINARY, "\\\\old\\a\0"),
        (
            "K",
            "fw",
            T::SZ,
            "v2.10|Action=Allow|App=\\\\new\\x.exe|RUser=D:(A;;CC;;;S-1-5-21-4-5-6-5)|LUOwn=S-1-5-21-4-5-6-5|\0",
        ),
        ("K", "\\\\new\\list", T::SZ, "\0"),
        ("K", "e", T::SZ, "\\\\new\\a\0tail\\\\old\\b"),
    ]);
    let path: RelPath = POL.parse().unwrap();
    let kept = visit_file(&path, &before, &mut |_| Rewrite::Keep).unwrap();
    assert_eq!((kept.bytes, kept.messages.len()), (None, 0));
    let visited = visit_file(&path, &before, &mut map).unwrap();
    assert_eq!(codes(&visited), ["record-removed", "duplicate-value"]);
    assert_eq!(
        RegistryPol::parse(&visited.bytes.unwrap()),
        RegistryPol::parse(&after)
    );
    let places: Vec<String> = found(POL, &before)
        .into_iter()
        .map(|f| f.place.to_string())
        .collect();
    assert_eq!(places[0], "Machine\\Registry.pol:1 [K] a");
    assert_eq!(places.len(), 17);
}

#[test]
fn files_that_do_not_parse_say_why() {
    let error = |path: &str, bytes: &'static [u8]| {
        let path = path.parse().unwrap();
        let bytes = Bytes::from_static(bytes);
        let error = visit_file(&path, &bytes, &mut |_| Rewrite::Keep).unwrap_err();
        assert_eq!(check_format(&path, &bytes), Some(Err(error.clone())));
        error
    };
    assert!(error(POL, b"PReg\x01\0\0\0[").contains("record 1"));
    assert!(error(TMPL, b"\xFF\xFEa").contains("odd number"));
    assert!(error(SCRIPTS, b"[a]\r\n\0").contains("line 2"));
    let other = "Machine\\Preferences\\x.bin".parse().unwrap();
    assert_eq!(check_format(&other, &Bytes::from_static(b"\0")), None);
}

#[test]
fn a_name_that_does_not_fit_the_code_page_changes_nothing() {
    let bytes = Bytes::from_static(b"[Privilege Rights]\r\nSeA = Gast,\xE4\r\n");
    let mut visitor = |_: &Found| Rewrite::Principal {
        sid: None,
        name: "\u{20ac}".to_owned(),
    };
    let visited = visit_file(&TMPL.parse().unwrap(), &bytes, &mut visitor).unwrap();
    assert_eq!(visited.bytes, None);
    assert_eq!(codes(&visited), ["duplicate-member", "not-encodable"]);
}

#[test]
fn a_name_that_is_not_ascii_makes_an_ascii_file_utf16() {
    let bytes = Bytes::from_static(b"[Privilege Rights]\r\nSeA = Gast,*S-1-5-6\r\n");
    let mut visitor = |found: &Found| match &found.target {
        FoundTarget::Name(_) => Rewrite::Principal {
            sid: None,
            name: "B\u{fc}ro".to_owned(),
        },
        _ => Rewrite::Keep,
    };
    let visited = visit_file(&TMPL.parse().unwrap(), &bytes, &mut visitor).unwrap();
    assert_eq!(codes(&visited), ["encoding-changed"]);
    let text = "[Privilege Rights]\r\nSeA = B\u{fc}ro,*S-1-5-6\r\n";
    let encoding = TextEncoding::Utf16Le { bom: true };
    assert_eq!(visited.bytes.unwrap(), encode(encoding, text).unwrap());
    // A file that says that it is UTF-8, or already holds such a character, stays what it is.
    for start in ["\u{feff}", "; \u{e4}\r\n"] {
        let bytes = Bytes::from(format!("{start}[Privilege Rights]\r\nSeA = Gast\r\n"));
        let visited = visit_file(&TMPL.parse().unwrap(), &bytes, &mut visitor).unwrap();
        let expected = format!("{start}[Privilege Rights]\r\nSeA = B\u{fc}ro\r\n");
        assert_eq!(visited.bytes.unwrap(), expected);
        assert_eq!(visited.messages, []);
    }
}

proptest! {
    #[test]
    fn visiting_never_panics_and_keeping_changes_nothing(
        text in "(\\[Privilege Rights\\]\n|\\[Group Membership\\]\n|\\[Registry Values\\]\n|\\[Registry Keys\\]\n|\\[Folder_Redirection\\]\n\
                 |\\[\\{A\\}_S-1-5-21-1-2-3-[578]\\]\n|S-1-5-21-1-2-3-[578]|\\*|__Members|=|,|;|\"|\n|7,|1,|0CmdLine=|0Parameters=|FullPath=\
                 |\\\\\\\\old\\\\a|D:\\(A;;;;;|\\)|\\{A\\}| |\u{e4}){0,40}"
    ) {
        let bytes = Bytes::from(text);
        for path in [TMPL, FDEPLOY, FDEPLOY1, SCRIPTS, PSSCRIPTS] {
            let path = path.parse().unwrap();
            let kept = visit_file(&path, &bytes, &mut |_| Rewrite::Keep).unwrap();
            prop_assert_eq!(kept.bytes, None);
            visit_file(&path, &bytes, &mut map).unwrap();
            visit_file(&path, &bytes, &mut |_| Rewrite::Remove).unwrap();
        }
    }

    #[test]
    fn registry_data_of_any_kind(value_type in 0u32..9, units: Vec<u16>, text in "(S-1-5-7|;|\\\\\\\\a\\\\b|\0| |x){0,12}") {
        let mut data = utf16_bytes(&text).to_vec();
        data.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        let record = Record {
            key: utf16_bytes("K"),
            value_name: utf16_bytes("n"),
            value_type: ValueType(value_type),
            data: data.into(),
        };
        let bytes = RegistryPol { records: vec![record] }.to_bytes();
        let path = POL.parse().unwrap();
        prop_assert_eq!(visit_file(&path, &bytes, &mut |_| Rewrite::Keep).unwrap().bytes, None);
        visit_file(&path, &bytes, &mut |_| Rewrite::Remove).unwrap();
    }
}

#[test]
fn advertise_script_paths() {
    let script = |package: &[u8], launch: &[u8]| {
        let mut bytes = b"\x02\x09\x00\x40IXOS".to_vec();
        bytes.extend_from_slice(&[0, 0x80].repeat(8));
        bytes.extend_from_slice(b"\x04\x01\x0A\x00|\\\\old\\t.m\x09\x05");
        bytes.extend_from_slice(&[0, 0x80].repeat(3));
        bytes.extend_from_slice(package);
        bytes.extend_from_slice(launch);
        bytes.extend_from_slice(b"\x03\x00");
        Bytes::from(bytes)
    };
    let old = script(b"\x0D\x00\\\\old\\a\\b.msi", b"\x08\x00\\\\old\\a\\");
    let all: Vec<(String, String)> = found(AAS, &old)
        .into_iter()
        .map(|found| match found.target {
            FoundTarget::Unc { unit, .. } => (found.place.to_string(), unit),
            other => panic!("{other:?}"),
        })
        .collect();
    let place = |rest: &str| format!("{AAS}:{rest}");
    assert_eq!(
        all,
        [
            (place("2 [ProductInfo] argument 1"), r"\\old\t.m".to_owned()),
            (
                place("3 [SourceListPublish] PackagePath"),
                r"\\old\a".to_owned()
            ),
            (
                place("3 [SourceListPublish] LaunchPath"),
                r"\\old\a".to_owned()
            ),
        ]
    );
    let path: RelPath = AAS.parse().unwrap();
    let visited = visit_file(&path, &old, &mut map).unwrap();
    assert_eq!(codes(&visited), Vec::<&str>::new());
    let bytes = visited.bytes.unwrap();
    assert_eq!(bytes.len(), old.len());
    assert!(!bytes.windows(3).any(|w| w == b"old"));
    assert!(matches!(
        check_format(&path, &bytes),
        Some(Ok("advertise script"))
    ));
    let gone = script(b"\x00\x80", b"\x09\x00\\\\gone\\a\\");
    let visited = visit_file(&path, &gone, &mut map).unwrap();
    assert_eq!(codes(&visited), ["cannot-remove"]);
    let cut = old.slice(..old.len() - 2);
    assert!(
        visit_file(&path, &cut, &mut map)
            .unwrap_err()
            .contains("cut off")
    );
}

#[test]
fn firewall_rules_field_by_field() {
    let rule = |data: &str| pol(&[("FW\\FirewallRules", "{1}", ValueType::SZ, data)]);
    let run = |data: &str| {
        let visited = visit_file(&POL.parse().unwrap(), &rule(data), &mut map).unwrap();
        let codes: Vec<String> = codes(&visited).into_iter().map(str::to_owned).collect();
        (visited.bytes, codes)
    };
    let old = "v2.26|Action=Allow|RA4=LocalSubnet|App=\\\\old\\my apps\\x.exe|Name=S-1-5-21-1-2-3-5|LUAuth=O:LSD:(A;;CC;;;S-1-5-21-1-2-3-5)(A;;CC;;;DU)|RMAuth=D:(XA;;CC;;;S-1-5-21-1-2-3-8;(Member_of {SID(S-1-5-21-1-2-3-5)}))(A;;CC;;;S-1-5-21-1-2-3-5)|LUOwn=S-1-5-21-1-2-3-70|\0";
    let new = "v2.26|Action=Allow|RA4=LocalSubnet|App=\\\\new\\my apps\\x.exe|Name=S-1-5-21-4-5-6-5|LUAuth=O:LSD:(A;;CC;;;S-1-5-21-4-5-6-5)(A;;CC;;;DU)|RMAuth=D:(A;;CC;;;S-1-5-21-4-5-6-5)|LUOwn=S-1-5-21-4-5-6-7|\0";
    assert_eq!(run(old), (Some(rule(new)), Vec::new()));
    let keys: Vec<_> = found(POL, &rule(old))
        .into_iter()
        .map(|found| found.place.key.unwrap())
        .collect();
    assert_eq!(
        keys,
        [
            "{1} App",
            "{1} Name",
            "{1} LUAuth",
            "{1} RMAuth",
            "{1} RMAuth",
            "{1} RMAuth",
            "{1} LUOwn",
        ]
    );
    // A rule without its owner or program would hold for everybody.
    let stays = "v2.26|App=\\\\gone\\x.exe|LUOwn=S-1-5-21-1-2-3-8|";
    let twice = ["cannot-remove", "cannot-remove"].map(str::to_owned);
    assert_eq!(run(stays), (None, twice.to_vec()));
    // A destination that would make two fields of one is refused.
    let bytes = rule("v2.26|App=\\\\old\\x.exe|");
    let mut bar = |_: &Found| Rewrite::Unc("\\\\new\\x|Active=FALSE".to_owned());
    let visited = visit_file(&POL.parse().unwrap(), &bytes, &mut bar).unwrap();
    assert_eq!((&visited.bytes, codes(&visited)), (&None, vec!["bad-path"]));
}

#[test]
fn a_change_that_would_hide_the_encoding_is_not_made() {
    // UTF-16 without a mark is told by its zero bytes. The path is most of them.
    let text =
        "[\u{4e2d}\u{4e2d}\u{4e2d}\u{4e2d}\u{4e2d}\u{4e2d}]\r\n0CmdLine=\\\\old\\share\\a.cmd";
    let bytes = Bytes::from(encode(TextEncoding::Utf16Le { bom: false }, text).unwrap());
    let path = SCRIPTS.parse().unwrap();
    let far = "\u{4e2d}".repeat(12);
    let visited = visit_file(&path, &bytes, &mut |_| {
        Rewrite::Unc(format!("\\\\{far}\\{far}"))
    });
    let visited = visited.unwrap();
    assert_eq!(visited.bytes, None);
    assert_eq!(codes(&visited), ["not-encodable"]);
}

#[test]
fn audit_policy_for_all_files_and_keys() {
    let path: RelPath = "Machine\\Microsoft\\Windows NT\\Audit\\audit.csv"
        .parse()
        .unwrap();
    let head = "Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting,Setting Value\r\n";
    let csv = |rid: &str, domain: &str| {
        Bytes::from(format!(
            "{head},System,Audit Logon,{{0cce9215-69ae-11d9-bed3-505054503030}},Success,,1\r\n,,FileGlobalSacl,,,,S:(AU;SAFA;FA;;;S-1-5-21-{domain}-5)(AU;SA;FA;;;WD)\r\n,S-1-5-21-{domain}-{rid},RegistryGlobalSacl,,,,\"S:(XU;SA;KA;;;S-1-5-21-{domain}-5;(@User.a == \"\"x,y\"\"))\"\r\n"
        ))
    };
    let old = csv("70", "1-2-3");
    assert_eq!(check_format(&path, &old), Some(Ok("audit.csv")));
    let visited = visit_file(&path, &old, &mut map).unwrap();
    assert_eq!(visited.bytes, Some(csv("7", "4-5-6")));
    let keys: Vec<_> = found(&path.to_string(), &old)
        .into_iter()
        .map(|found| (found.place.line.unwrap(), found.place.key.unwrap()))
        .collect();
    assert_eq!(
        keys,
        [
            (3, "FileGlobalSacl".to_owned()),
            (4, "RegistryGlobalSacl".to_owned()),
            (4, "RegistryGlobalSacl".to_owned()),
        ]
    );
}

#[test]
fn every_file_is_parsed_or_has_a_reason() {
    let check = |path: &str, bytes: &'static [u8]| {
        check_format(&path.parse().unwrap(), &Bytes::from_static(bytes))
    };
    assert_eq!(check("GPO.cmt", b"a\0"), Some(Ok("GPO.cmt")));
    assert_eq!(
        check("Group Policy\\GPE.INI", b"[General]\n"),
        Some(Ok("GPE.INI"))
    );
    assert_eq!(check("gpe.ini", b""), Some(Ok("GPE.INI")));
    for (path, bytes, reason) in [
        ("gpo.cmt", &b"a"[..], "odd"),
        ("User\\comment.cmtx", b"<x/>", "policyComments"),
        (
            "machine\\microsoft\\windows nt\\audit\\audit.csv",
            b"a,b\nc",
            "line 2",
        ),
        ("gpe.ini", b"[General]\nUserExtensionVersions=x", "line 2"),
        ("User\\Applications\\x.aas", b"PReg", "header"),
    ] {
        let reason_given = check(path, bytes).unwrap().unwrap_err();
        assert!(reason_given.contains(reason), "{path}: {reason_given}");
    }
    assert_eq!(check("Machine\\Applications\\x.msi", b"x"), None);
    assert_eq!(check("Machine\\Applications\\deep\\x.aas", b"x"), None);
}

#[test]
fn registry_text_that_is_not_clean_utf16() {
    let with_tail = |text: &str, tail: &[u8]| {
        let record = Record {
            key: utf16_bytes("K"),
            value_name: utf16_bytes("n"),
            value_type: ValueType::SZ,
            data: [utf16_bytes(text).as_ref(), tail].concat().into(),
        };
        RegistryPol {
            records: vec![record],
        }
        .to_bytes()
    };
    let path = POL.parse().unwrap();
    for tail in [&b"\0"[..], b"\0\0x", b"\0\0\x00\xd8", b"\0\0\x00\xd8z"] {
        let visited = visit_file(&path, &with_tail(r"\\old\share", tail), &mut map).unwrap();
        assert_eq!(codes(&visited), Vec::<&str>::new());
        assert_eq!(visited.bytes, Some(with_tail(r"\\new\share", tail)));
    }
    let lone = with_tail(r"\\old\share", b"\x00\xd8");
    let visited = visit_file(&path, &lone, &mut map).unwrap();
    assert_eq!(
        (&visited.bytes, codes(&visited)),
        (&None, vec!["unread-text"])
    );
    let place = visited.messages[0].place.as_ref().unwrap().to_string();
    assert_eq!(place, "Machine\\Registry.pol:1 [K] n");
}

#[test]
fn many_groups_are_compared_in_bounded_time() {
    let mut text = "[Group Membership]\r\n".to_owned();
    for rid in 1000..200_000 {
        text += &format!("*S-1-5-21-1-2-3-{rid}__Members = \r\n");
    }
    let visited = visit_file(&TMPL.parse().unwrap(), &Bytes::from(text.clone()), &mut map);
    let visited = visited.unwrap();
    assert_eq!(visited.messages, []);
    let new = text.replace("S-1-5-21-1-2-3-", "S-1-5-21-4-5-6-");
    assert!(visited.bytes.unwrap() == new);
}

//! Visiting each format.

mod gpt_tmpl;
mod records;
mod separators;
mod worst_cases;

use super::*;
use crate::formats::registry_pol::{Record, RegistryPol, ValueType, utf16_bytes};
use crate::formats::text::{TextEncoding, encode};
use crate::message::Code;
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

/// The mapping of these tests: domain 1-2-3 becomes 4-5-6, its account 8 is removed, 9 has no SID there; `SRC\all`
/// becomes a well-known group, `SRC\plain` a name; server `old` becomes `new`, server `gone` is removed.
fn map(occurrence: &Occurrence) -> Rewrite {
    let principal = |text: &str, name: &str| Rewrite::Principal {
        sid: sid(text),
        name: name.to_owned(),
    };
    match &occurrence.target {
        ReferenceTarget::Sid { sid, .. } => match sid.to_string().strip_prefix("S-1-5-21-1-2-3-") {
            Some("8") => Rewrite::Remove,
            Some("9") => Rewrite::Principal {
                sid: None,
                name: "DST\\nine".to_owned(),
            },
            Some("70" | "71") => principal("S-1-5-21-4-5-6-7", "DST\\seven"),
            Some(rid) => principal(&format!("S-1-5-21-4-5-6-{rid}"), "DST\\some"),
            None => Rewrite::Keep,
        },
        ReferenceTarget::Name(name) => match name.as_str() {
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
        ReferenceTarget::Unc { text, .. } if text.contains("gone") => Rewrite::Remove,
        ReferenceTarget::Unc { text, .. } => Rewrite::Unc(text.replace("old", "new")),
        ReferenceTarget::SidAndName { .. }
        | ReferenceTarget::Computer(_)
        | ReferenceTarget::Label(_) => Rewrite::Keep,
    }
}

fn codes(visited: &Visited) -> Vec<Code> {
    visited.messages.iter().map(|m| m.code).collect()
}

/// Visits a UTF-16 text file; the new text, and the codes of the messages.
fn mapped(path: &str, text: &str) -> (String, Vec<Code>) {
    let encoding = TextEncoding::Utf16Le { bom: true };
    let bytes = Bytes::from(encode(encoding, text).unwrap());
    let path: RelPath = path.parse().unwrap();
    assert!(matches!(check_format(&path, &bytes), Some(Ok(_))));
    let kept = visit_file(&path, &bytes, &mut |_| Rewrite::Keep).unwrap();
    assert_eq!(kept.bytes, None);
    let visited = visit_file(&path, &bytes, &mut map).unwrap();
    let codes = codes(&visited);
    let new = visited.bytes.unwrap_or(bytes);
    (crate::formats::text::decode(&new).unwrap().1, codes)
}

fn found(path: &str, bytes: &Bytes) -> Vec<Occurrence> {
    let mut all = Vec::new();
    visit_file(&path.parse().unwrap(), bytes, &mut |occurrence| {
        all.push(occurrence.clone());
        Rewrite::Keep
    })
    .unwrap();
    all
}

/// Checks a mapped text line by line, so that a failure shows the line.
fn assert_mapped(path: &str, before: &str, after: &str, expected: &[Code]) {
    let (text, codes) = mapped(path, before);
    let lines = |text: &str| text.split("\r\n").map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&text), lines(after));
    assert_eq!(codes, expected);
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
        &[Code::CannotRemove],
    );
}

#[test]
fn a_principal_of_a_folder_is_a_reference_in_the_list_and_in_the_section() {
    let text =
        "[Folder_Redirection]\n{A} = s-1-1-0;\n\n[{a}_S-1-1-0]\nFlags = 4\nFullPath = \\\\s\\r\n";
    let all = found(FDEPLOY1, &Bytes::from(text));
    let places: Vec<_> = all.iter().map(|f| (f.place.line, f.scope)).collect();
    let lines = [2, 4, 6].map(|line| (Some(line), Scope::Gpmc));
    assert_eq!(places, lines);
}

#[test]
fn colliding_principals_of_a_folder_are_kept() {
    let text = "[Folder_Redirection]\r\n{A}=S-1-5-21-1-2-3-70;S-1-5-21-1-2-3-71\r\n{B}=S-1-5-21-1-2-3-70\r\n\
                [{A}_S-1-5-21-1-2-3-70]\r\nFlags=4\r\n[{A}_S-1-5-21-1-2-3-71]\r\nFlags=4\r\n[{B}_S-1-5-21-1-2-3-70]\r\nFlags=4\r\n";
    let after = text
        .replace("{B}=S-1-5-21-1-2-3-70", "{B}=S-1-5-21-4-5-6-7")
        .replace("{B}_S-1-5-21-1-2-3-70", "{B}_S-1-5-21-4-5-6-7");
    assert_mapped(FDEPLOY1, text, &after, &[Code::CollidingSections]);
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
        assert_mapped(path, before, after, &[Code::CannotRemove]);
    }
    let first = |path| found(path, &Bytes::from(before)).remove(0);
    assert_eq!(
        first(SCRIPTS).target,
        ReferenceTarget::Unc {
            text: r"\\old\netlogon\a b.bat".to_owned(),
            unit: r"\\old\netlogon".to_owned(),
        }
    );
    assert_eq!(first(SCRIPTS).scope, Scope::Gpmc);
    assert_eq!(first(PSSCRIPTS).scope, Scope::All);
}

#[test]
fn unknown_lines_of_scripts_and_redirections_are_searched() {
    let lines = "\\\\old\\above\r\n[ScriptsConfig]\r\nLog=\\\\old\\my log\r\nxCmdLine=S-1-5-21-1-2-3-5\r\n; \\\\keep\\x\r\n";
    let redirected = "[{A}_s-1-1-0]\r\nFlags=\\\\old\\x\r\nBackup=\\\\old\\b /for:S-1-5-21-1-2-3-5\r\n\
                      [FolderStatus]\r\nMusic=S-1-5-21-1-2-3-5\r\n[My Music]\r\nAll=\\\\old\\music\r\n";
    let new = |text: &str| text.replace(r"\\old", r"\\new").replace("1-2-3", "4-5-6");
    for path in [SCRIPTS, PSSCRIPTS, FDEPLOY, FDEPLOY1] {
        assert_mapped(path, lines, &new(lines), &[]);
        let scopes = found(path, &Bytes::from(lines));
        assert!(
            scopes
                .iter()
                .all(|occurrence| occurrence.scope == Scope::All)
        );
        assert_eq!(scopes.len(), 3);
    }
    for path in [FDEPLOY, FDEPLOY1] {
        assert_mapped(path, redirected, &new(redirected), &[]);
    }
    // The lines of a removed section are not visited.
    let going = "[Folder_Redirection]\r\n{A}=S-1-5-21-1-2-3-8;s-1-1-0\r\n[{A}_S-1-5-21-1-2-3-8]\r\nOwner=S-1-5-21-1-2-3-8\r\n\
                 [{A}_s-1-1-0]\r\nOwner=S-1-5-21-1-2-3-5\r\n";
    let left = "[Folder_Redirection]\r\n{A}=s-1-1-0\r\n[{A}_s-1-1-0]\r\nOwner=S-1-5-21-4-5-6-5\r\n";
    assert_mapped(FDEPLOY1, going, left, &[]);
    // Text after a section name is not searched, and this is reported.
    let behind = "[a] \\\\old\\x\r\n";
    assert_mapped(SCRIPTS, behind, behind, &[Code::UnreadText]);
}

#[test]
fn unparsable_files_report_the_reason() {
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
fn a_change_that_would_hide_the_encoding_is_not_made() {
    // UTF-16 without a mark is recognised by its zero bytes, most of which are in the path.
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
    assert_eq!(codes(&visited), [Code::NotEncodable]);
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
        .map(|occurrence| {
            (
                occurrence.place.line.unwrap(),
                occurrence.place.key.unwrap().to_string(),
            )
        })
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

//! Input of up to 180 kB that is made to cost as much as possible. Each is visited three times: kept, mapped and removed. Were the
//! time quadratic, these tests would take minutes.

use std::fmt::Write as _;

use super::records::pol;
use super::*;
use crate::model::directory_object::{AttributeValues, DirectoryAttribute, DirectoryObject};

/// Visits a file in all three ways; the number of its references. Mapping gives each of them another value.
fn visited(path: &str, bytes: &Bytes) -> usize {
    let path: RelPath = path.parse().unwrap();
    let mut references = 0;
    let kept = visit_file(&path, bytes, &mut |_| {
        references += 1;
        Rewrite::Keep
    });
    assert_eq!(kept.unwrap().bytes, None);
    let mapped = visit_file(&path, bytes, &mut |occurrence| match &occurrence.target {
        ReferenceTarget::Unc { text, .. } => {
            Rewrite::Unc(format!("{}x", text.trim_end_matches('\\')))
        }
        ReferenceTarget::Sid { sid, .. } | ReferenceTarget::SidAndName { sid, .. } => {
            Rewrite::Principal {
                sid: Some(format!("{sid}0").parse().unwrap_or(sid.clone())),
                name: "DST\\some".to_owned(),
            }
        }
        _ => Rewrite::Keep,
    });
    let mapped = mapped.unwrap();
    assert_eq!(mapped.bytes.is_some(), references > 0);
    visit_file(&path, bytes, &mut |_| Rewrite::Remove).unwrap();
    references
}

fn string(text: &str) -> usize {
    visited(POL, &pol(&[("K", "n", ValueType::SZ, text)]))
}

#[test]
fn paths_in_one_string() {
    for (piece, times, references) in [
        (r"\\a\b;", 30_000, 30_000),
        (r"x \\a\b ", 22_000, 22_000),
        (r"=\\a\b ", 26_000, 26_000),
        (r",k=\\a\b", 22_000, 22_000),
        (r"'\\a\b ", 26_000, 26_000),
        ("\"\\\\a\\b \"", 20_000, 20_000),
        (r"(\\\", 40_000, 0),
        (r"(\\a", 40_000, 0),
        (r"\\a.exe ", 22_000, 0),
        (";          ", 16_000, 0),
    ] {
        assert_eq!(string(&piece.repeat(times)), references, "{piece}");
    }
    let blanks = " ".repeat(100_000);
    assert_eq!(
        string(&format!("{blanks}{}", r"\\a\b;".repeat(16_000))),
        16_000
    );
    let name = "k".repeat(100_000);
    assert_eq!(
        string(&format!("{name}{}", r"=\\a\b ".repeat(14_000))),
        14_000
    );
    assert_eq!(string(&format!("\\\\a{}", r"\b".repeat(80_000))), 1);
    assert_eq!(string(&"\\".repeat(180_000)), 0);
}

#[test]
fn sids_in_one_string() {
    for (piece, times, references) in [
        ("S-1-5-21-1-2-3-5;", 12_000, 12_000),
        ("S-1-5-21-1-2-3-5          ", 8_000, 8_000),
        ("(A;;;;;S-1-5-7)", 12_000, 12_000),
        ("(XA;;;;;S-1-5-7;(Member_of {SID(S-1-5-6)}))", 4_000, 8_000),
        ("O:S-1-5-7", 20_000, 20_000),
        ("O:S-1-5-7 ", 18_000, 18_000),
        ("S-1-5-7", 26_000, 0),
        ("-1-", 60_000, 0),
        ("S-1-", 40_000, 0),
        ("-1", 80_000, 0),
        ("O:", 80_000, 0),
        ("(A;", 60_000, 0),
        ("(", 180_000, 0),
    ] {
        let text = piece.repeat(times);
        assert_eq!(string(&text), references, "{piece}");
    }
    let conditions = "SID(".repeat(40_000);
    assert_eq!(string(&format!("(XA;;;;;S-1-5-7;{conditions}")), 1);
    let claims = format!(
        "(RA;;;;;S-1-5-7;(\"a\",TI,0{}))",
        ",     S-1-5-6".repeat(10_000)
    );
    assert_eq!(string(&claims), 10_001);
}

#[test]
fn registry_policies() {
    let fields = r"App=\\a\b|LUOwn=S-1-5-21-1-2-3-5|".repeat(6_000);
    assert_eq!(string(&format!("v2.26|{fields}")), 12_000);
    let strings = "\\\\a\\b\0".repeat(28_000);
    let list = pol(&[("K", "n", ValueType::MULTI_SZ, &strings)]);
    assert_eq!(visited(POL, &list), 28_000);
    // Every reference carries its place.
    let key = "K".repeat(80_000);
    let sids = "S-1-5-21-1-2-3-5;".repeat(5_000);
    assert_eq!(
        visited(POL, &pol(&[(&key, &key, ValueType::SZ, &sids)])),
        5_000
    );
    let many: Vec<_> = (0..4_000)
        .map(|_| ("K\\S-1-5-7", "\\\\a\\b", ValueType::SZ, "\\\\a\\b\0"))
        .collect();
    assert_eq!(visited(POL, &pol(&many)), 12_000);
    // Binary data is decoded in three ways until one contains a reference.
    for marks in [r"\\", r"\\a\b ", "-1-", "S-1-5-21-1-2-3-5;", r"\\a\"] {
        let data = marks.repeat(150_000 / marks.len());
        for odd in ["", "\u{100}"] {
            let data = format!("{odd}{data}");
            let binary = pol(&[(&key, &key, ValueType::BINARY, &data)]);
            assert_eq!(visited(POL, &binary), 0);
        }
    }
}

#[test]
fn security_settings() {
    let sids = |from: u32, to: u32| {
        let list: Vec<String> = (from..to)
            .map(|rid| format!("*S-1-5-21-1-2-3-{rid}"))
            .collect();
        list.join(",")
    };
    let tmpl = |text: &str| visited(TMPL, &Bytes::from(text.to_owned()));
    let right = format!("[Privilege Rights]\r\nSeA = {}\r\n", sids(1000, 7_000));
    assert_eq!(tmpl(&right), 6_000);
    let group = format!(
        "[Group Membership]\r\na__Members = {}\r\n",
        sids(1000, 7_000)
    );
    assert_eq!(tmpl(&group), 6_001);
    // When all go, every one of these lists is an empty one.
    let mut text = "[Privilege Rights]\r\n".to_owned();
    for rid in 1000..7_000 {
        write!(text, "Se{rid} = *S-1-5-21-1-2-3-{rid}\r\n").unwrap();
    }
    text += "[Group Membership]\r\n";
    for rid in 1000..5_000 {
        write!(text, "b{rid}__Members = *S-1-5-21-1-2-3-{rid}\r\n").unwrap();
    }
    assert_eq!(tmpl(&text), 14_000);
    let items = r"\\a\b,".repeat(26_000);
    assert_eq!(
        tmpl(&format!("[Registry Values]\r\nM\\x=7,{items}\r\n")),
        26_000
    );
    let mut text = "[Registry Keys]\r\n".to_owned();
    for rid in 1000..3_800 {
        write!(
            text,
            "\"USERS\\S-1-5-21-1-2-3-{rid}\",0,\"D:(A;;KA;;;S-1-5-21-1-2-3-{rid})\"\r\n"
        )
        .unwrap();
    }
    text += "[Registry Values]\r\n";
    for rid in 1000..3_800 {
        write!(text, "MACHINE\\S-1-5-21-1-2-3-{rid}\\a=1,\"\\\\a\\b\"\r\n").unwrap();
    }
    assert_eq!(tmpl(&text), 11_200);
    let section = "\u{e4}".repeat(50_000);
    assert_eq!(
        tmpl(&format!("[{section}]\r\n{}", "a=S-1-5-7\r\n".repeat(8_000))),
        8_000
    );
}

#[test]
fn redirected_folders() {
    let ini = |path: &str, text: &str| visited(path, &Bytes::from(text.to_owned()));
    let mut list = String::new();
    let mut sections = String::new();
    for rid in 1000..5_000 {
        write!(list, "S-1-5-21-1-2-3-{rid};").unwrap();
        write!(
            sections,
            "[{{A}}_S-1-5-21-1-2-3-{rid}]\r\nFlags=4\r\nFullPath=\\\\a\\b\r\n"
        )
        .unwrap();
    }
    let text = format!("[Folder_Redirection]\r\n{{A}}={list}\r\n{sections}");
    assert_eq!(ini(FDEPLOY1, &text), 12_000);
    let name = "\u{e4}".repeat(40_000);
    let text = format!("[Folder_Redirection]\r\n{{{name}}}={list}\r\n");
    assert_eq!(ini(FDEPLOY1, &text), 4_000);
    // The name of a section is the folder of each of its lines.
    let mut text = format!("[{name}]\r\n");
    for rid in 1000..4_000 {
        write!(text, "S-1-5-21-1-2-3-{rid}=\\\\a\\b\r\n").unwrap();
    }
    assert_eq!(ini(FDEPLOY, &text), 6_000);
    let text = format!(
        "[{{{name}}}_S-1-5-7]\r\n{}",
        "FullPath=\\\\a\\b\r\n".repeat(6_000)
    );
    assert_eq!(ini(FDEPLOY1, &text), 6_001);
}

#[test]
fn scripts() {
    let mut text = "[Logon]\r\n".to_owned();
    for number in 0..3_000 {
        write!(
            text,
            "{number}CmdLine=\\\\a\\b\\c.cmd\r\n{number}Parameters=S-1-5-7 \\\\a\\b\r\n"
        )
        .unwrap();
    }
    write!(text, "99999Parameters=x {}", r"\\a\b ".repeat(12_000)).unwrap();
    for path in [SCRIPTS, PSSCRIPTS] {
        assert_eq!(visited(path, &Bytes::from(text.clone())), 21_000);
    }
    let section = "x".repeat(100_000);
    let text = format!(
        "[{section}]\r\n{}",
        "0CmdLine=\\\\a\\b\\c.cmd\r\n".repeat(4_000)
    );
    assert_eq!(visited(SCRIPTS, &Bytes::from(text)), 4_000);
}

#[test]
fn audit_policies() {
    let path = "Machine\\Microsoft\\Windows NT\\Audit\\audit.csv";
    let csv = |text: String| visited(path, &Bytes::from(text));
    let aces = "(AU;SA;FA;;;S-1-5-21-1-2-3-5)".repeat(7_000);
    assert_eq!(csv(format!("a,b,c,d\n,,FileGlobalSacl,S:{aces}\n")), 7_000);
    let fields = ",S-1-5-21-1-2-3-5".repeat(10_000);
    assert_eq!(
        csv(format!("a{}\nb{fields}\n", ",x".repeat(10_000))),
        10_000
    );
    assert_eq!(csv(format!("a\n\"{}\"\n", "\"\"".repeat(80_000))), 0);
    let name = "n".repeat(80_000);
    assert_eq!(csv(format!("a,b,c,d\n,,{name},S:{aces}\n")), 7_000);
}

#[test]
fn preferences() {
    let path = "Machine\\Preferences\\Groups\\Groups.xml";
    let xml = |text: String| visited(path, &Bytes::from(text));
    let member = "<Member sid=\"S-1-5-21-1-2-3-5\" name=\"SRC\\x\"/>";
    let members = format!(
        "<Groups><Members>{}</Members></Groups>",
        member.repeat(4_400)
    );
    assert_eq!(xml(members), 4_400);
    assert_eq!(
        xml(format!("<a>{}</a>", r#"<b c="\\a\b"/>"#.repeat(10_000))),
        10_000
    );
    let mut attributes = String::new();
    for number in 0..250 {
        write!(attributes, " a{number}=\"\\\\a\\b\"").unwrap();
    }
    assert_eq!(
        xml(format!(
            "<a>{}</a>",
            format!("<b{attributes}/>").repeat(250)
        )),
        62_500
    );
    assert_eq!(xml(format!("<a>{}</a>", r"\\a\b;".repeat(30_000))), 30_000);
    assert_eq!(
        xml(format!("<a b='{}'/>", "S-1-5-7;".repeat(20_000))),
        20_000
    );
    assert_eq!(
        xml(format!("<a>{}</a>", "\\&#92;a\\b;".repeat(16_000))),
        16_000
    );
    // The names above a reference are part of its place.
    let name = "n".repeat(1_400);
    let open: String = (0..60)
        .map(|n| format!("<{name}{n} clsid='1' uid='2' name='{name}'>"))
        .collect();
    let close: String = (0..60).rev().map(|n| format!("</{name}{n}>")).collect();
    assert_eq!(
        xml(format!(
            "{open}{}{close}",
            r#"<b c="\\a\b"/>"#.repeat(2_000)
        )),
        2_000
    );
    let blank = " ".repeat(180_000);
    assert_eq!(xml(format!("<a>{blank}<b c='S-1-5-7'/></a>")), 1);
    assert_eq!(
        xml(format!("<a>{}</a>", "<b>c<!-- d --></b>".repeat(9_000))),
        0
    );
}

#[test]
fn advertise_scripts_and_packages() {
    let mut bytes = b"\x02\x09\x00\x40IXOS".to_vec();
    bytes.extend_from_slice(&[0, 0x80].repeat(8));
    bytes.extend_from_slice(&b"\x04\x01\x0A\x00|\\\\old\\t.m".repeat(12_000));
    bytes.extend_from_slice(b"\x03\x00");
    assert_eq!(visited(AAS, &Bytes::from(bytes)), 12_000);
    let object = DirectoryObject {
        rdns: vec![format!("CN={}", "x".repeat(100_000))],
        object_class: "packageRegistration".to_owned(),
        security_descriptor: None,
        attributes: vec![DirectoryAttribute {
            name: "msiFileList".to_owned(),
            values: AttributeValues::MultiString(vec![r"0:\\a\b\c.msi".to_owned(); 10_000]),
        }],
    };
    let mut references = 0;
    let visited = software::visit_object(&object, &mut |_| {
        references += 1;
        Rewrite::Unc(r"\\c\d".to_owned())
    });
    assert_eq!((references, visited.messages.len()), (10_000, 0));
    assert_ne!(visited.object.unwrap(), object);
}

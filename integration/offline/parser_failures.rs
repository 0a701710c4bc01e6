//! Ordinary files on which Samba's parsers of policy files fail, never return, or change too much. Each is read, mapped, and
//! written with nothing else changed.

use bytes::Bytes;
use gpoctl::formats::gpt_ini;
use gpoctl::formats::ini::IniFile;
use gpoctl::migration::references::{
    Occurrence, ReferenceTarget, Rewrite, check_format, visit_file,
};
use gpoctl::model::version::GpoVersion;

use crate::support::{utf16, utf16_with_mark};

const TMPL: &str = r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf";
const SCRIPTS: &str = r"User\Scripts\scripts.ini";
const OLD: &str = "S-1-5-21-1-2-3-1104";
const NEW: &str = "S-1-5-21-7-8-9-2201";

/// Domain 1-2-3 becomes 7-8-9, server `old` becomes `new`.
fn map(occurrence: &Occurrence) -> Rewrite {
    match &occurrence.target {
        ReferenceTarget::Sid { sid, .. } if sid.to_string() == OLD => Rewrite::Principal {
            sid: Some(NEW.parse().unwrap()),
            name: r"DST\Support".to_owned(),
        },
        ReferenceTarget::Unc { text, .. } => Rewrite::Unc(text.replace("old", "new")),
        _ => Rewrite::Keep,
    }
}

/// The file parses, is written byte for byte, and differs after mapping only in `references` places.
fn mapped_alone(path: &str, bytes: &[u8], references: usize) {
    let path = path.parse().unwrap();
    let old = Bytes::copy_from_slice(bytes);
    assert!(
        matches!(check_format(&path, &old), Some(Ok(_))),
        "{:?}",
        check_format(&path, &old)
    );
    let kept = visit_file(&path, &old, &mut |_| Rewrite::Keep).unwrap();
    assert_eq!(kept.bytes, None);
    let mut found = 0;
    let new = visit_file(&path, &old, &mut |reference| {
        let rewrite = map(reference);
        found += usize::from(rewrite != Rewrite::Keep);
        rewrite
    });
    let new = new.unwrap().bytes.unwrap();
    assert_eq!(found, references);
    assert_eq!(new, replaced(bytes));
}

/// The same bytes with the old SID and server replaced, in 8-bit text and in UTF-16LE, by a search that knows no format.
fn replaced(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for (old, new) in [(OLD, NEW), (r"\\old\", r"\\new\")] {
        for (old, new) in [
            (old.as_bytes().to_vec(), new.as_bytes().to_vec()),
            (utf16(old), utf16(new)),
        ] {
            let mut at = 0;
            while let Some(offset) = out[at..]
                .windows(old.len())
                .position(|window| window == old)
            {
                at += offset;
                out.splice(at..at + old.len(), new.iter().copied());
                at += new.len();
            }
        }
    }
    out
}

#[test]
fn an_ini_file_that_is_not_utf16() {
    let text = "[Logon]\r\n0CmdLine=\\\\old\\s\\a.cmd\r\n0Parameters=\r\n";
    mapped_alone(SCRIPTS, text.as_bytes(), 1);
    let utf8 = text.replace("a.cmd", "\u{e4}.cmd");
    mapped_alone(SCRIPTS, utf8.as_bytes(), 1);
    let ansi = [&b"; K\xFCrzel\r\n"[..], text.as_bytes()].concat();
    mapped_alone(SCRIPTS, &ansi, 1);
}

#[test]
fn a_duplicate_key_and_a_duplicate_section() {
    let text = "[Logon]\r\n0CmdLine=\\\\old\\s\\a.cmd\r\n0CmdLine=\\\\old\\s\\b.cmd\r\n[Logoff]\r\n0CmdLine=c.cmd\r\n[logon]\r\n1CmdLine=\\\\old\\s\\d.cmd\r\n";
    mapped_alone(SCRIPTS, &utf16_with_mark(text), 3);
}

#[test]
fn a_gpt_ini_with_a_utf8_mark() {
    let old = b"\xEF\xBB\xBF[General]\r\nVersion=65537\r\ndisplayName=Neu\r\n";
    let version = GpoVersion::from_combined(65_537);
    assert_eq!(gpt_ini::read_version(old), Ok(Some(version)));
    let new = gpt_ini::write_version(old, GpoVersion::from_combined(131_074)).unwrap();
    assert_eq!(
        new,
        b"\xEF\xBB\xBF[General]\r\nVersion=131074\r\ndisplayName=Neu\r\n"
    );
}

#[test]
fn blank_lines_and_comments_in_gpttmpl() {
    let text = format!(
        "[Unicode]\r\nUnicode=yes\r\n\r\n[Privilege Rights]\r\n; who may back up\r\nSeBackupPrivilege = *{OLD},*S-1-5-32-544\r\n\r\n"
    );
    mapped_alone(TMPL, &utf16_with_mark(&text), 1);
}

#[test]
fn an_equals_sign_inside_a_value_of_gpttmpl() {
    let text = format!(
        "[System Access]\r\nNewAdministratorName = \"a=b\"\r\n[Privilege Rights]\r\nSeBackupPrivilege = *{OLD},CN=x\r\n"
    );
    mapped_alone(TMPL, &utf16_with_mark(&text), 1);
}

#[test]
fn an_unknown_section_of_gpttmpl() {
    let text = format!(
        "[Privilege Rights]\r\nSeBackupPrivilege = *{OLD}\r\n[Vendor Things]\r\nAdmins = Guest,Foobar\r\nno pair at all\r\n[Version]\r\nRevision=1\r\n"
    );
    mapped_alone(TMPL, &utf16_with_mark(&text), 1);
    // Names in it are not members of a privilege; in the section before it they would be.
    let mut names = Vec::new();
    let file = Bytes::from(utf16_with_mark(&text));
    let visited = visit_file(&TMPL.parse().unwrap(), &file, &mut |occurrence| {
        names.extend(match &occurrence.target {
            ReferenceTarget::Name(name) => Some(name.clone()),
            _ => None,
        });
        Rewrite::Keep
    });
    assert_eq!((visited.unwrap().bytes, names), (None, Vec::new()));
}

#[test]
fn a_gpttmpl_in_utf8() {
    let text = format!("[Privilege Rights]\r\nSeBackupPrivilege = *{OLD},B\u{fc}ro\r\n");
    mapped_alone(TMPL, text.as_bytes(), 1);
    let marked = format!("\u{feff}{text}");
    mapped_alone(TMPL, marked.as_bytes(), 1);
}

#[test]
fn a_service_line_whose_last_field_has_no_quotes() {
    let text = format!(
        "[Service General Setting]\r\nSpooler,2,D:(A;;CC;;;{OLD})\r\n\"W32Time\",3,\"D:AR(A;;CC;;;{OLD})\"\r\n"
    );
    mapped_alone(TMPL, &utf16_with_mark(&text), 2);
}

#[test]
fn unedited_parts_are_kept_byte_for_byte() {
    // Equals signs without blanks, CRLF, a code page, the order of the sections: Samba's parsers change all of these.
    mapped_alone(
        SCRIPTS,
        &utf16_with_mark("\r\n[Logon]\r\n0CmdLine=\\\\old\\s\\a.bat\r\n0Parameters=\r\n"),
        1,
    );
    let text = format!(
        "[Privilege Rights]\r\nSeBackupPrivilege =*{OLD}\r\n[Version]\r\nsignature=\"$CHICAGO$\"\r\nRevision=1\r\n[Unicode]\r\nUnicode=yes\r\n"
    );
    mapped_alone(TMPL, &utf16_with_mark(&text), 1);
    let latin1 = b"[General]\r\nVersion=1\r\ndisplayName=Nouvel objet de strat\xE9gie\r\n";
    assert_eq!(IniFile::parse(latin1).unwrap().to_bytes().unwrap(), latin1);
    let new = gpt_ini::write_version(latin1, GpoVersion::from_combined(2)).unwrap();
    assert_eq!(
        new,
        b"[General]\r\nVersion=2\r\ndisplayName=Nouvel objet de strat\xE9gie\r\n"
    );
}

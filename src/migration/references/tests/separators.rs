//! New paths with signs in them that the setting divides its values at.

use super::records::pol;
use super::*;
use crate::message::Code;

/// What a path is to become in each place, and what comes of it.
fn replaced(path: &str, bytes: &Bytes, to: &str) -> (Option<Bytes>, Vec<Code>) {
    let path: RelPath = path.parse().unwrap();
    let mut visitor = |occurrence: &Occurrence| match &occurrence.target {
        ReferenceTarget::Unc { text, .. } if text.contains("old") => Rewrite::Unc(to.to_owned()),
        _ => Rewrite::Keep,
    };
    let visited = visit_file(&path, bytes, &mut visitor).unwrap();
    let codes = codes(&visited);
    (visited.bytes, codes)
}

#[test]
fn a_path_that_would_become_two_values_is_refused() {
    let tmpl = |lines: &str| (TMPL, Bytes::from(lines.to_owned()));
    let scripts = |lines: &str| (SCRIPTS, Bytes::from(format!("[Logon]\r\n{lines}\r\n")));
    let sz = |text: &str| (POL, pol(&[("K", "n", ValueType::SZ, text)]));
    let list = |text: &str| (POL, pol(&[("K", "n", ValueType::MULTI_SZ, text)]));
    let semicolon = r"\\new\a;b";
    let comma = r"\\new\a,b";
    let blank = r"\\new\a b";
    let bar = r"\\new\a|b";
    for ((path, bytes), to) in [
        (sz(r"C:\a;\\old\a;C:\b"), semicolon),
        (sz(r"\\s\b;\\old\a"), semicolon),
        (sz(r"copy \\old\a C:\b"), blank),
        (sz(r"/log:\\old\a /x"), blank),
        (sz(r"type=VHD,path=\\old\a,mode=1"), comma),
        (sz("v2.26|App=\\\\old\\a|"), bar),
        (list("x\0\\\\s\\b;\\\\old\\a\0\0"), semicolon),
        (scripts(r"0Parameters=-x \\old\a -y"), blank),
        (scripts("0Parameters='\\\\old\\a' -y"), r"\\new\it's"),
        (
            tmpl("[Registry Values]\r\nM\\x=1,\"\\\\s\\b;\\\\old\\a\"\r\n"),
            semicolon,
        ),
        (
            tmpl("[Registry Values]\r\nM\\x=1,\"run \\\\old\\a now\"\r\n"),
            blank,
        ),
        (tmpl("[Registry Values]\r\nM\\x=1,\\\\old\\a\r\n"), comma),
        (
            tmpl("[Registry Values]\r\nM\\x=7,a\"b,c\"\\\\old\\a\r\n"),
            comma,
        ),
        (
            tmpl("[Registry Values]\r\nM\\x \\\\old\\a=4,1\r\n"),
            r"\\new\a=b",
        ),
        (tmpl("[File Security]\r\n\\\\old\\a,2,\"D:AR\"\r\n"), comma),
    ] {
        let shown = String::from_utf8_lossy(&bytes);
        assert_eq!(
            replaced(path, &bytes, to),
            (None, vec![Code::BadPath]),
            "{shown}"
        );
    }
    // A line end or a quote ends a value everywhere.
    for to in ["\\\\new\\a\r\nb", "\\\\new\\a\0b", "\\\\new\\a\"b", ""] {
        for (path, bytes) in [
            sz(r"\\old\a"),
            list("\\\\old\\a\0\0"),
            scripts(r"0CmdLine=\\old\a\b.cmd"),
            tmpl("[Registry Values]\r\nM\\x=7,\\\\old\\a\r\n"),
            tmpl("[File Security]\r\n\"\\\\old\\a\",2,\"D:AR\"\r\n"),
            (
                FDEPLOY1,
                Bytes::from("[{A}_S-1-1-0]\r\nFullPath=\\\\old\\a\r\n"),
            ),
            (
                FDEPLOY,
                Bytes::from("[My Documents]\r\nS-1-1-0=\\\\old\\a\r\n"),
            ),
        ] {
            assert_eq!(
                replaced(path, &bytes, to),
                (None, vec![Code::BadPath]),
                "{path}"
            );
        }
    }
}

#[test]
fn a_path_that_stays_one_value_is_written() {
    let pol = |text: &str| (POL, pol(&[("K", "n", ValueType::SZ, text)]));
    let ini = |path, text: &str| (path, Bytes::from(text.to_owned()));
    for ((path, before), to, (_, after)) in [
        // The whole value, and what is quoted.
        (pol(r"\\old\a"), r"\\new\a; b", pol(r"\\new\a; b")),
        (
            pol("x \"\\\\old\\a\" y"),
            r"\\new\a; b",
            pol("x \"\\\\new\\a; b\" y"),
        ),
        // Blanks divide no list at semicolons.
        (
            pol(r"C:\a;\\old\a;C:\b"),
            r"\\new\a b",
            pol(r"C:\a;\\new\a b;C:\b"),
        ),
        (
            ini(SCRIPTS, "[Logon]\r\n0CmdLine=\\\\old\\x.cmd\r\n"),
            r"\\new\a, b;c\x.cmd",
            ini(SCRIPTS, "[Logon]\r\n0CmdLine=\\\\new\\a, b;c\\x.cmd\r\n"),
        ),
        (
            ini(FDEPLOY1, "[{A}_S-1-1-0]\r\nFullPath = \\\\old\\a\r\n"),
            r"\\new\a, b;c",
            ini(FDEPLOY1, "[{A}_S-1-1-0]\r\nFullPath = \\\\new\\a, b;c\r\n"),
        ),
        (
            ini(TMPL, "[File Security]\r\n\"\\\\old\\a\",2,\"D:AR\"\r\n"),
            r"\\new\a, b",
            ini(TMPL, "[File Security]\r\n\"\\\\new\\a, b\",2,\"D:AR\"\r\n"),
        ),
        (
            ini(TMPL, "[Registry Values]\r\nM\\x=1,\"\\\\old\\a\"\r\n"),
            r"\\new\a, b",
            ini(TMPL, "[Registry Values]\r\nM\\x=1,\"\\\\new\\a, b\"\r\n"),
        ),
    ] {
        assert_eq!(replaced(path, &before, to), (Some(after), Vec::new()));
    }
}

#[test]
fn the_items_of_a_list_of_strings_have_their_commas_in_quotes() {
    let line = |data: &str| Bytes::from(format!("[Registry Values]\r\nMACHINE\\x=7,{data}\r\n"));
    let (new, codes) = replaced(TMPL, &line(r"a,\\old\x , b"), r"\\new\x, y");
    let after = line(r#"a,\\new\x"," y , b"#);
    assert_eq!((new, codes.len()), (Some(after.clone()), 0));
    // It is read as the one item it is.
    let paths = |bytes: &Bytes| -> Vec<String> {
        let text = |occurrence: Occurrence| match occurrence.target {
            ReferenceTarget::Unc { text, .. } => text,
            other => panic!("{other:?}"),
        };
        found(TMPL, bytes).into_iter().map(text).collect()
    };
    // A comma ends a path in free text, so the row for it is the part before.
    assert_eq!(paths(&after), [r"\\new\x"]);
    let (back, _) = replaced(TMPL, &line(r#"\\old\x,a"," b \\s\y"#), r"\\new\x");
    assert_eq!(back, Some(line(r#"\\new\x,a"," b \\s\y"#)));
    // An item in quotes keeps them.
    let (new, _) = replaced(TMPL, &line(r#"a,"\\old\x",b"#), r"\\new\x,y");
    assert_eq!(new, Some(line(r#"a,"\\new\x,y",b"#)));
}

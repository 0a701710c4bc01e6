use super::*;

/// The paths in a text: those in plain notation as they are written, others as they are read.
fn found(text: &str) -> Vec<String> {
    let (paths, _) = unc_paths(text);
    paths
        .into_iter()
        .map(|path| {
            let written = text.get(path.span).unwrap();
            match path.notation {
                Notation::Plain => written.to_owned(),
                other => format!("{other:?} {}", other.read(written).unwrap()),
            }
        })
        .collect()
}

/// Every line: a text, and the paths in it.
type Row = (&'static str, &'static [&'static str]);

const WHOLE_TEXTS: &[Row] = &[
    (r"\\s\a", &[r"\\s\a"]),
    (r"\\s\a\", &[r"\\s\a\"]),
    (r"  \\s\a b  ", &[r"\\s\a b"]),
    (
        r"\\s\share\My Folder\x.xml",
        &[r"\\s\share\My Folder\x.xml"],
    ),
    (r"\\s\my dir\x.cmd", &[r"\\s\my dir\x.cmd"]),
    (r"\\s\Sales - EMEA\x", &[r"\\s\Sales - EMEA\x"]),
    (r"\\s\Sales, EMEA\x", &[r"\\s\Sales, EMEA\x"]),
    (r"\\s\R&D\x y", &[r"\\s\R&D\x y"]),
    (r"\\s\a (old)\x", &[r"\\s\a (old)\x"]),
    (r"\\s\a (old)", &[r"\\s\a (old)"]),
    (
        r"\\s\Homes\%USERNAME%\My Docs",
        &[r"\\s\Homes\%USERNAME%\My Docs"],
    ),
    (
        r"\\s\Homes of %USERNAME%\x",
        &[r"\\s\Homes of %USERNAME%\x"],
    ),
    (r"\\%server%\a", &[r"\\%server%\a"]),
    (r"\\s\c$\x", &[r"\\s\c$\x"]),
    (r"\\s\*", &[r"\\s\*"]),
    (r"\\s\a\\x.cmd", &[r"\\s\a\\x.cmd"]),
    (r"\\corp.test\dfs\x", &[r"\\corp.test\dfs\x"]),
    (
        r"\\fd00--1.ipv6-literal.net\a",
        &[r"\\fd00--1.ipv6-literal.net\a"],
    ),
    (r"\\s@SSL\DavWWWRoot\a b", &[r"\\s@SSL\DavWWWRoot\a b"]),
    (r"\\s@8443\DavWWWRoot", &[r"\\s@8443\DavWWWRoot"]),
    (
        r"\\s@SSL@8443\DavWWWRoot\a",
        &[r"\\s@SSL@8443\DavWWWRoot\a"],
    ),
    ("\\\\s\\my a\r\n\\\\t\\my b", &[r"\\s\my a", r"\\t\my b"]),
    ("x\n\\\\s\\my a", &[r"\\s\my a"]),
    (r"\\s\a.", &[r"\\s\a"]),
    (r"\\s\a...", &[r"\\s\a"]),
    (r"\\s\a\..", &[r"\\s\a\.."]),
    (r"\\s\a\.", &[r"\\s\a\."]),
    (r"\\s\a/x.cmd", &[r"\\s\a"]),
];

const COMMANDS: &[Row] = &[
    (r"\\s\a\x.exe arg", &[r"\\s\a\x.exe"]),
    (r"\\s\a\x -arg", &[r"\\s\a\x"]),
    (r"\\s\a\x --arg", &[r"\\s\a\x"]),
    (r"\\s\a\x /arg", &[r"\\s\a\x"]),
    (r"\\s\a\x.exe/arg", &[r"\\s\a\x.exe"]),
    (r"\\s\a.exe.config x", &[r"\\s\a.exe.config x"]),
    (
        r"\\s\my dir\my app.exe /q -x \\t\log",
        &[r"\\s\my dir\my app.exe", r"\\t\log"],
    ),
    (
        r"\\s\my dir\my app.hta \\t\log",
        &[r"\\s\my dir\my app.hta", r"\\t\log"],
    ),
    (r"x /log:\\s\a\\my", &[r"\\s\a\\my"]),
    (r"x /to=\\s\a b", &[r"\\s\a"]),
    (r"T=\\s\a R=b", &[r"\\s\a"]),
    (r"x /o\\s\a", &[r"\\s\a"]),
    (r"x -o\\s\a b", &[r"\\s\a"]),
    (r"-o\\s\a", &[r"\\s\a"]),
    (r"x -out:\\s\a", &[r"\\s\a"]),
    (r"x >\\s\a\log.txt 2>&1", &[r"\\s\a\log.txt"]),
    (r"x \\s\a&&y", &[r"\\s\a"]),
    (r"x \\s\a && y", &[r"\\s\a"]),
    (r"\\s\a && y", &[r"\\s\a"]),
    (r"x \\s\a|more", &[r"\\s\a"]),
    (r"net use Z: \\s\a /persistent:yes", &[r"\\s\a"]),
    (r"net use Z: \\s\a", &[r"\\s\a"]),
    ("robocopy \\\\s\\a\t\\\\t\\b\t/MIR", &[r"\\s\a", r"\\t\b"]),
    (r"robocopy \\s\a \\t\b /MIR", &[r"\\s\a", r"\\t\b"]),
    (r"pushd \\s\a && x.cmd", &[r"\\s\a"]),
    (
        r"powershell -File \\s\a\x.ps1 -To \\t\b",
        &[r"\\s\a\x.ps1", r"\\t\b"],
    ),
    (
        r#"powershell -Command "& '\\s\a b\x.ps1' -To '\\t\b c'""#,
        &[r"\\s\a b\x.ps1", r"\\t\b c"],
    ),
    (r"regsvr32 /s \\s\a.dll", &[r"\\s\a.dll"]),
    (r"rundll32 \\s\a.dll,Entry", &[r"\\s\a.dll"]),
    (r"cscript //nologo \\s\a.vbs //B", &[r"\\s\a.vbs"]),
];

const TWO_ARGUMENTS: &[Row] = &[
    (r"\\s\a\x \\t\b", &[r"\\s\a\x", r"\\t\b"]),
    (r"\\s\a \\t\b c", &[r"\\s\a", r"\\t\b"]),
    (r"\\s\a  \\t\b", &[r"\\s\a", r"\\t\b"]),
    ("\\\\s\\a\t\\\\t\\b", &[r"\\s\a", r"\\t\b"]),
    (r"\\s\a \\t\b \\u\c", &[r"\\s\a", r"\\t\b", r"\\u\c"]),
    (r"\\s\a C:\b", &[r"\\s\a"]),
    (r"\\s\a D:", &[r"\\s\a"]),
    (r"C:\b \\s\a", &[r"\\s\a"]),
    (r"\\s\a %TEMP%\b", &[r"\\s\a"]),
    (r"\\s\a %ProgramFiles(x86)%\b", &[r"\\s\a"]),
    (r"%TEMP%\b \\s\a", &[r"\\s\a"]),
    (r"\\s\a \\?\C:\b", &[r"\\s\a"]),
    (r"\\s\a \\?\UNC\t\b", &[r"\\s\a", r"Extended \\t\b"]),
    (r"\\s\a //t/b", &[r"\\s\a", r"Slashes \\t\b"]),
    (r"\\s\a /MIR", &[r"\\s\a"]),
    (r"\\s\a /?", &[r"\\s\a"]),
];

const QUOTATION_MARKS: &[Row] = &[
    (
        r#""\\s\a b\x.exe" /log:\\t\b\"#,
        &[r"\\s\a b\x.exe", r"\\t\b\"],
    ),
    (r#""\\s\a b\""#, &[r"\\s\a b\"]),
    (r#""\\s\a b" "\\t\c d""#, &[r"\\s\a b", r"\\t\c d"]),
    (r#"/log:"\\s\a b""#, &[r"\\s\a b"]),
    (r#"x="\\s\a b""#, &[r"\\s\a b"]),
    (r#""\\s\a, b""#, &[r"\\s\a"]),
    (r#""\\s\a b"#, &[r"\\s\a"]),
    (r#""\\s\a.""#, &[r"\\s\a"]),
    (r"'\\s\a b' x", &[r"\\s\a b"]),
    ("`\\\\s\\a b` x", &[r"\\s\a b"]),
    (r"“\\s\a b” x", &[r"\\s\a b"]),
    (r"„\\s\a b” x", &[r"\\s\a b"]),
    (r"«\\s\a b» x", &[r"\\s\a b"]),
    (r"“\\s\a “\\t\b” x", &[r"\\s\a", r"\\t\b"]),
];

const LISTS: &[Row] = &[
    (r"\\s\a;\\t\b, c", &[r"\\s\a", r"\\t\b"]),
    (r"\\s\a,\\t\b", &[r"\\s\a", r"\\t\b"]),
    (r"\\s\a, \\t\b", &[r"\\s\a", r"\\t\b"]),
    (r"\\s\a,C:\b", &[r"\\s\a"]),
    (r"\\s\a,b", &[r"\\s\a"]),
    (r"C:\b;\\s\a", &[r"\\s\a"]),
    (r"%PATH%;\\s\a;C:\b", &[r"\\s\a"]),
    (r"type=VHD,path=\\s\a", &[r"\\s\a"]),
    (r"type=VHD,path=\\s\my disks;mode=1", &[r"\\s\my disks"]),
    (r"|App=\\s\x.exe|Name=y|", &[r"\\s\x.exe"]),
    (r"\\s\my icons\x.ico,-3", &[r"\\s\my icons\x.ico"]),
    (r"\\s\my icons\x.ico,0", &[r"\\s\my icons\x.ico"]),
    (r"x (\\s\a) y", &[r"\\s\a"]),
    (r"x [\\s\a] y", &[r"\\s\a"]),
    (r"x {\\s\a} y", &[r"\\s\a"]),
    (r"<\\s\a>", &[r"\\s\a"]),
    (r"(see \\s\a)", &[r"\\s\a"]),
    (r"see \\s\a.", &[r"\\s\a"]),
    (r"see \\s\a: denied", &[r"\\s\a"]),
    (r"\\s\a<\\t\b>", &[r"\\s\a", r"\\t\b"]),
];

const OTHER_NOTATIONS: &[Row] = &[
    (r"\\?\UNC\s\a", &[r"Extended \\s\a"]),
    (r"\\?\unc\s\a b\c", &[r"Extended \\s\a b\c"]),
    (r"\\.\UNC\s\a", &[r"Extended \\s\a"]),
    (r"x \\?\UNC\s\a b", &[r"Extended \\s\a"]),
    (r#"x "\\?\UNC\s\a b""#, &[r"Extended \\s\a b"]),
    (r"file://s/a/b", &[r"Url \\s\a\b"]),
    (r"FILE://s/a", &[r"Url \\s\a"]),
    (r"file:////s/a/b", &[r"Url \\s\a\b"]),
    (r"file://///s/a", &[r"Url \\s\a"]),
    (r"file://s/a%20b/c", &[r"Url \\s\a b\c"]),
    (r"file://s/a b/c", &[r"Url \\s\a b\c"]),
    (r"file://s/%USERNAME%/c", &[r"Url \\s\%USERNAME%\c"]),
    (r"x file://s/a /y", &[r"Url \\s\a"]),
    (r#"<a href="file://s/a">"#, &[r"Url \\s\a"]),
    (r"file:\\s\a", &[r"\\s\a"]),
    (r"file:///C:/a", &[]),
    (r"file://C:/a", &[]),
    (r"profile://s/a", &[]),
    (r"//s/a/b", &[r"Slashes \\s\a\b"]),
    (r"x //s/a /y", &[r"Slashes \\s\a"]),
    (r#""//s/a b""#, &[r"Slashes \\s\a b"]),
    (r"T=//s/a", &[r"Slashes \\s\a"]),
    (r#"{"a":"\\\\s\\a\\b"}"#, &[r"Doubled \\s\a\b"]),
    (r#"["\\\\s\\a b"]"#, &[r"Doubled \\s\a b"]),
    (r"\\\\s\\a", &[r"Doubled \\s\a"]),
];

const NONE: &[Row] = &[
    ("", &[]),
    (r"\\s", &[]),
    (r"\\s\", &[]),
    (r"\\*\SYSVOL", &[]),
    (r"\\*\NETLOGON", &[]),
    (r"C:\\a\\b\c", &[]),
    (r"HKLM\\a\\b", &[]),
    (r"%x%\\a\b", &[]),
    (r"%LOGONSERVER%\netlogon\x.cmd", &[]),
    (r"\\?\C:\a", &[]),
    (r"\\?\Volume{4c1b02c1-d990-11dc-99ae-806e6f6e6963}\a", &[]),
    (r"\\.\pipe\a", &[]),
    (r"^\\d+\\w", &[]),
    (r"\\?\UNC\s", &[]),
    (r"http://s/a/b", &[]),
    (r"https://s:8443/a", &[]),
    (r"ldap://s/DC=a", &[]),
    (r"C://a/b", &[]),
    (r"a//b/c", &[]),
    ("// a comment", &[]),
    (r"//nologo", &[]),
    (r"cscript //B //nologo x.vbs", &[]),
];

#[test]
fn the_rules() {
    let groups = [
        WHOLE_TEXTS,
        COMMANDS,
        TWO_ARGUMENTS,
        QUOTATION_MARKS,
        LISTS,
        OTHER_NOTATIONS,
        NONE,
    ];
    let rows: Vec<&Row> = groups.into_iter().flatten().collect();
    assert!(rows.len() > 130, "{}", rows.len());
    let wrong: Vec<_> = rows
        .iter()
        .filter_map(|(text, expected)| {
            let found = found(text);
            (found != *expected).then(|| format!("{text}\n  {found:?}\n  expected {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is written into a text is read again there as what it is.
#[test]
fn every_notation_is_written_as_it_was() {
    for (old, new, expected) in [
        (r"\\s\a", r"\\t\b c", r"\\t\b c"),
        (r"\\\\s\\a", r"\\t\b c", r"\\\\t\\b c"),
        (r"\\?\unc\s\a", r"\\t\b c", r"\\?\unc\t\b c"),
        (r"\\?\UNC\s\a", r"C:\b", r"\\?\C:\b"),
        ("//s/a", r"\\t\b c", "//t/b c"),
        ("//s/a", r"C:\b", "C:/b"),
        ("file://s/a", r"\\t\b c", "file://t/b%20c"),
        ("FILE:////s/a", r"\\t\%USERNAME%", "FILE:////t/%USERNAME%"),
    ] {
        let found = unc_paths(old).0.remove(0);
        assert_eq!(found.span, 0..old.len());
        let written = found.notation.write(new, old);
        assert_eq!(written.as_deref(), Some(expected), "{old}");
        if let Some(path) = unc_paths(expected).0.first() {
            assert_eq!(path.notation, found.notation);
            assert_eq!(path.notation.read(expected).unwrap().as_str(), new);
        }
    }
    assert_eq!(Notation::Url.write(r"C:\b", "file://s/a"), None);
}

/// Ten times the text takes about ten times as long, also when each candidate is looked at to its end.
#[test]
fn long_texts_are_searched_once() {
    for unit in [
        "“\\\\s\\a ",
        "\"\\\\s\\a ",
        "file://",
        "//",
        "\\\\",
        "a=\\\\s\\a,",
        "\\\\s\\a, b ",
        ",",
        "-o\\\\s\\a ",
        "\\\\?\\UNC\\s\\a ",
        "\\\\\\\\s",
    ] {
        let text = unit.repeat(400_000 / unit.len());
        let (found, _) = unc_paths(&text);
        assert!(found.len() <= text.len());
    }
    for tail in [".", ")", "]", ":", ").", "a)"] {
        let text = [r"\\s\x", &tail.repeat(400_000)].concat();
        assert_eq!(unc_paths(&text).0.len(), 1);
    }
}

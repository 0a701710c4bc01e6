//! The memory that every reader may use: proportional to its input, whatever its content.

#![expect(
    clippy::unwrap_used,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests stand outside of the test functions here"
)]

use crate::readers::{BASE, PER_BYTE, READERS, SMALL_BASE, assert_bounded, bound, peak};
use crate::support::{repeated, utf16_with_mark};

/// Large enough that the limit per byte of input is decisive, not the fixed part.
const SIZE: usize = 640 << 10;

fn wide(text: &[u8]) -> Vec<u8> {
    utf16_with_mark(std::str::from_utf8(text).unwrap())
}

/// Documents with a root of this start and end tag, each of one worst kind.
fn xml(front: &str, back: &str) -> Vec<Vec<u8>> {
    let deep = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    let attributes: String = (0..250).map(|n| format!(" a{n:x}=''")).collect();
    let declared: String = (0..100).map(|n| format!(" xmlns:a{n:x}='u'")).collect();
    let names: String = (0..60_000).map(|n| format!("<n{n:x}/>")).collect();
    let mut documents = vec![
        repeated(SIZE, front, "<a/>", back),
        repeated(SIZE, front, "x<a/>", back),
        repeated(SIZE, front, "<a>x</a>", back),
        repeated(SIZE, front, "<a b=''/>", back),
        repeated(SIZE, front, "<a><a/></a>", back),
        repeated(SIZE, front, "<![CDATA[]]>", back),
        repeated(SIZE, front, "<!---->", back),
        repeated(SIZE, front, "&#1;", back),
        repeated(SIZE, front, "x", back),
        repeated(SIZE, front, "\r\n", back),
        repeated(SIZE, front, "\u{20ac}<a/>", back),
        repeated(SIZE, front, &deep(60), back),
        repeated(SIZE, front, &format!("<a{attributes}/>"), back),
        repeated(SIZE, front, &format!("<a{declared}/>"), back),
        [front, &names, back].concat().into_bytes(),
        // What every element is compared with: a namespace of the maximum length.
        repeated(
            SIZE,
            &front.replacen('>', &format!(" xmlns='{}'>", "u".repeat(1 << 15)), 1),
            "<a/>",
            back,
        ),
        repeated(
            SIZE,
            &front.replacen('>', &format!(" xmlns:p='{}'>", "u".repeat(1000)), 1),
            "<p:a p:b=''/>",
            back,
        ),
        repeated(SIZE, &format!("<a{}", "b".repeat(1 << 15)), "<", ""),
        repeated(
            SIZE,
            "<?xml version='1.0' encoding='windows-1252'?><a>",
            "x",
            "</a>",
        )
        .into_iter()
        .map(|byte| if byte == b'x' { 0x80 } else { byte })
        .collect(),
    ];
    documents.push(wide(&repeated(SIZE, front, "<a/>", back)));
    documents.push(wide(&repeated(SIZE, front, "x<a/>", back)));
    documents
}

/// Text files after a line that their reader expects.
fn lines(front: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = [
        "\n", "\r", "\r\n", "=", "a=\n", "[]\n", ",", "\"", "\",\"", ";", "x",
    ]
    .iter()
    .map(|part| repeated(SIZE, front, part, ""))
    .collect();
    files.push(wide(&repeated(SIZE, front, "\n", "")));
    files.push(wide(&repeated(SIZE, front, "\u{1f600}", "")));
    // An unknown code page.
    files.push(
        repeated(SIZE, front, "x", "")
            .iter()
            .map(|_| 0xFF)
            .collect(),
    );
    files
}

const BACKUP: &str = "http://www.microsoft.com/GroupPolicy/GPOOperations";
const MANIFEST: &str = "http://www.microsoft.com/GroupPolicy/GPOOperations/Manifest";
const COMMENTS: &str = "http://www.microsoft.com/GroupPolicy/CommentDefinitions";
const TABLE: &str = "http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable";

fn backup_xml() -> Vec<Vec<u8>> {
    let root = format!("<GroupPolicyBackupScheme xmlns='{BACKUP}'>");
    let front = format!("{root}<GroupPolicyObject>");
    let core = "<GroupPolicyCoreSettings><ID>x</ID></GroupPolicyCoreSettings>";
    let back = format!("{core}</GroupPolicyObject></GroupPolicyBackupScheme>");
    let within = |tags: &str, part: &str| {
        let open: String = tags.split('/').map(|tag| format!("<{tag}>")).collect();
        let close: String = tags.rsplit('/').map(|tag| format!("</{tag}>")).collect();
        repeated(SIZE, &(front.clone() + &open), part, &(close + &back))
    };
    let mut files = xml(&front, &back);
    files.extend([
        within("SecurityGroups", "<Group/>"),
        within("SecurityGroups", "<Group><Sid>x</Sid></Group>"),
        within("FilePaths", "<Path/>"),
        within("GroupPolicyExtension", "<FSObjectFile/>"),
        within("GroupPolicyExtension", "<FSObjectDir/>"),
        within("GroupPolicyExtension", "<DSObject/>"),
        within("GroupPolicyExtension", "<x/>"),
        within("GroupPolicyExtension/DSObject", "<DSAttribute/>"),
        within("GroupPolicyExtension/DSObject", "<DSAttribute><x/></DSAttribute>"),
        within("GroupPolicyExtension/DSObject", "<SecurityDescriptor/>"),
        within("GroupPolicyExtension/DSObject/DSAttribute", "<DSValue/>"),
        repeated(SIZE, &front, "<GroupPolicyExtension/>", &back),
        repeated(
            SIZE,
            &format!("{front}<GroupPolicyCoreSettings><SecurityDescriptor>"),
            "00 ",
            "</SecurityDescriptor></GroupPolicyCoreSettings></GroupPolicyObject></GroupPolicyBackupScheme>",
        ),
    ]);
    files
}

fn registry_pol() -> Vec<Vec<u8>> {
    let header = b"PReg\x01\0\0\0".to_vec();
    let record = |data: &[u8], size: u32| {
        let size = size.to_le_bytes();
        [
            &b"[\0k\0\0\0;\0\0\0;\0\x01\0\0\0;\0"[..],
            &size,
            b";\0",
            data,
            b"]\0",
        ]
        .concat()
    };
    let many = |record: Vec<u8>| [header.clone(), record.repeat(SIZE / record.len())].concat();
    vec![
        many(record(b"", 0)),
        many(record(b"x", 1)),
        // Sizes that the file does not have.
        many(record(b"", u32::MAX)),
        many(record(b"", u32::MAX / 2)),
        [header.clone(), b"[\0".repeat(SIZE / 2)].concat(),
    ]
}

fn aas() -> Vec<Vec<u8>> {
    let header = [&b"\x02\x09\x00\x40IXOS"[..], &b"\0\0".repeat(8)].concat();
    let many = |record: &[u8]| [header.clone(), record.repeat(SIZE / record.len())].concat();
    let full = [&b"\x09\xff"[..], &b"\0\0".repeat(255)].concat();
    vec![
        many(b"\x09\0"),
        many(&full),
        many(b"\x09\x01\0\xc0\xff\xff\xff\xff"),
        [many(b"\x09\0"), b"\x03\0".to_vec()].concat(),
    ]
}

fn security_descriptor() -> Vec<Vec<u8>> {
    // Revision 1, a DACL behind the header.
    let header = |count: u16, size: u16| {
        let mut bytes = vec![1, 0, 4, 0x80];
        bytes.extend([0; 12]);
        bytes.extend(20_u32.to_le_bytes());
        bytes.extend([2, 0]);
        bytes.extend(size.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    };
    let smallest = [&[0_u8, 0, 4, 0][..], &[5, 0, 0, 0]].concat();
    vec![
        [header(u16::MAX, u16::MAX), smallest.repeat(8190)].concat(),
        [header(8190, 65_528), smallest.repeat(8190)].concat(),
        [header(u16::MAX, u16::MAX), vec![0; 65_535]].concat(),
        vec![1; SIZE],
    ]
}

fn sddl() -> Vec<Vec<u8>> {
    let condition =
        |part: &str, times: usize| format!("D:(XA;;FX;;;WD;({}))", part.repeat(times)).into_bytes();
    vec![
        repeated(SIZE, "D:", "(A;;;;;WD)", ""),
        repeated(SIZE, "D:", "(A;;FA;;;S-1-1-0)", ""),
        repeated(SIZE, "D:(XA;;FX;;;WD;(", "(", ""),
        repeated(SIZE, "D:(XA;;FX;;;WD;(", "!", "))"),
        repeated(SIZE, "D:(XA;;FX;;;WD;(a Any_of {", "1,", "1}))"),
        repeated(SIZE, "S:(RA;;;;;WD;(\"a\",TU,0,", "\"\",", "\"\"))"),
        repeated(SIZE, "O:", "BA", ""),
        repeated(SIZE, "", "S-1-1-0 ", ""),
        repeated(SIZE, "", "(", ""),
        condition("(", 99),
        condition("a==1 && ", 600),
        condition("@User.a Any_of {1,2,3} && ", 150),
        vec![b';'; SIZE],
    ]
}

fn names() -> Vec<Vec<u8>> {
    vec![
        repeated(SIZE, "", "CN=a,", "DC=b"),
        repeated(SIZE, "", "A=a,", "A=a"),
        repeated(SIZE, "", "A=a+", "A=a"),
        repeated(SIZE, "CN=", r"\2c", ",DC=b"),
        repeated(SIZE, "", "[LDAP://CN=a;0]", ""),
        repeated(SIZE, "", "[LDAP://;0]", ""),
        repeated(SIZE, "", "[", ""),
        repeated(SIZE, "", "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}]", ""),
        repeated(SIZE, "", r"a\", "a"),
        repeated(SIZE, r"\\a\b", r"\c", ""),
        repeated(SIZE, "S-1-5", "-1", ""),
    ]
}

fn wmi_filter() -> Vec<Vec<u8>> {
    let mut files = lines("instance of MSFT_SomFilter {");
    for part in [";", "a", "a ", "\"\"", "{", "\\x1", "1;3;0;0;0;;;;", "0;"] {
        files.push(repeated(SIZE, "", part, ""));
        // As long as one that is read.
        files.push(part.repeat((1 << 20) / part.len()).into_bytes());
    }
    files.push(repeated(SIZE, "1;", "3;1;1;3;a;b;a;", ""));
    files
}

/// Lists and objects of JSON, which some readers load completely before they check them.
fn json(front: &str, back: &str) -> Vec<Vec<u8>> {
    [
        "0,",
        "[],",
        "{},",
        "\"\",",
        "null,",
        "{\"a\":0},",
        "\"\\n\",",
    ]
    .iter()
    .map(|part| repeated(SIZE, &format!("{front}["), part, &format!("0]{back}")))
    .collect()
}

fn plan() -> Vec<Vec<u8>> {
    let head = r#"{"format_version":1,"operation_id":"a","#;
    let mut files = Vec::new();
    for field in [
        "changes",
        "steps",
        "entries",
        "messages",
        "risks",
        "directory_objects",
        "x",
    ] {
        files.extend(json(&format!("{head}\"{field}\":"), "}"));
    }
    let change = r#"{"change":"remove-wmi-filter","dn":"DC=a","attributes":[]},"#;
    files.push(repeated(
        SIZE,
        &format!("{head}\"title\":\"x\",\"domain\":\"src.test\",\"changes\":["),
        change,
        "null]}",
    ));
    files.push(repeated(SIZE, head, "\"contents\":{},", "\"a\":0}"));
    files.push(repeated(SIZE, "", "[", ""));
    files.push(repeated(SIZE, "\"", "\\u0000", "\""));
    files
}

fn journal() -> Vec<Vec<u8>> {
    let mut files = json("", "");
    files.extend(json("{\"changes\":", "}"));
    files.extend(json(
        r#"{"event":"change","inverse":"restore-links","som":"#,
        "}",
    ));
    files.extend(json(
        r#"{"machine_extensions":"","directory_objects":"#,
        "}",
    ));
    files.push(repeated(SIZE, "", "\n", ""));
    files.push(repeated(SIZE, "", "{\"event\":\"not-made\"}\n", ""));
    files.push(repeated(
        SIZE,
        "",
        "{\"event\":\"change\",\"inverse\":\"remove-folder\"}\n",
        "",
    ));
    files.push(repeated(
        SIZE,
        r#"{"event":"failed","reason":""#,
        "x",
        "\"}",
    ));
    files
}

fn side_file() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for field in [
        "unknown",
        "files",
        "links",
        "wmi_filter",
        "unread",
        "other_directory_objects",
        "owner",
    ] {
        files.extend(json(&format!("{{\"{field}\":"), "}"));
    }
    let hash = "\"a\":{\"size\":0,\"sha256\":\"\"},";
    files.push(repeated(
        SIZE,
        "{\"files\":{",
        hash,
        "\"b\":{\"size\":0,\"sha256\":\"\"}}}",
    ));
    let different = (0..20_000).map(|n| format!("\"{n:x}\":{{\"size\":0,\"sha256\":\"\"}}"));
    let different = different.collect::<Vec<_>>().join(",");
    files.push(format!("{{\"files\":{{{different}}}}}").into_bytes());
    let unread = "{\"severity\":\"info\",\"code\":\"\",\"text\":\"\"},";
    files.push(repeated(SIZE, "{\"unread\":[", unread, "null]}"));
    let link = "{\"som\":\"\",\"options\":0},";
    files.push(repeated(SIZE, "{\"links\":[", link, "null]}"));
    files.push(repeated(SIZE, "{\"gpt_ini\":\"", "AAAA", "\"}"));
    files.push(repeated(SIZE, "{", "\"x\":0,", "\"x\":0}"));
    files.push(repeated(SIZE, "", "[", ""));
    files
}

/// No longer than what is read.
fn config() -> Vec<Vec<u8>> {
    let different = (0..7_000).map(|n| format!("[domain.{n:x}]\n"));
    let files = vec![
        repeated(SIZE, "x=[", "0,", "0]"),
        repeated(SIZE, "x=[", "[],", "0]"),
        repeated(SIZE, "x=[", "{},", "0]"),
        repeated(SIZE, "", "#\n", ""),
        repeated(SIZE, "", "[", ""),
        repeated(SIZE, "x='", "x", "'"),
        different.collect::<String>().into_bytes(),
    ];
    let part = |file: Vec<u8>| file[..file.len().min(128 << 10)].to_vec();
    files.into_iter().map(part).collect()
}

/// The worst inputs of a reader.
fn worst(name: &str) -> Vec<Vec<u8>> {
    match name {
        "aas" => aas(),
        "adml" => {
            let mut files = xml(
                "<policyDefinitionResources>",
                "</policyDefinitionResources>",
            );
            for (front, part, back) in [
                ("<stringTable>", "<string id=''/>", "</stringTable>"),
                (
                    "<presentationTable>",
                    "<presentation/>",
                    "</presentationTable>",
                ),
                (
                    "<presentationTable><presentation>",
                    "<a/>",
                    "</presentation></presentationTable>",
                ),
                (
                    "<presentationTable><presentation>",
                    "<text/>",
                    "</presentation></presentationTable>",
                ),
            ] {
                let front = format!("<policyDefinitionResources><resources>{front}");
                let back = format!("{back}</resources></policyDefinitionResources>");
                files.push(repeated(SIZE, &front, part, &back));
            }
            files
        }
        "admx" => {
            let front = "<policyDefinitions><policyNamespaces><target/></policyNamespaces>";
            let back = "</policyDefinitions>";
            let mut files = xml(front, back);
            let policy = "<policies><policy name='a' class='User' key='k'>";
            for (open, part, close) in [
                ("<policyNamespaces>", "<using/>", "</policyNamespaces>"),
                ("<categories>", "<category/>", "</categories>"),
                ("<categories>", "<category name='a'/>", "</categories>"),
                ("<policies>", "<policy/>", "</policies>"),
                (
                    "<supportedOn><definitions>",
                    "<definition/>",
                    "</definitions></supportedOn>",
                ),
                (
                    &format!("{policy}<enabledList defaultKey='k'>"),
                    "<item><value><delete/></value></item>",
                    "</enabledList></policy></policies>",
                ),
                (
                    &format!("{policy}<elements>"),
                    "<list id='a'/>",
                    "</elements></policy></policies>",
                ),
            ] {
                let (front, back) = (format!("{front}{open}"), format!("{close}{back}"));
                files.push(repeated(SIZE, &front, part, &back));
            }
            files
        }
        "audit_csv" => lines("Machine Name,Policy Target\r\n"),
        "backup_xml" => backup_xml(),
        "bkup_info" => xml(&format!("<BackupInst xmlns='{MANIFEST}'>"), "</BackupInst>"),
        "comment_cmtx" => {
            let front = &format!("<policyComments xmlns='{COMMENTS}'><comments><admTemplate>");
            let back = "</admTemplate></comments></policyComments>";
            let mut files = xml(front, back);
            files.push(repeated(
                SIZE,
                front,
                "<comment policyRef='' commentText=''/>",
                back,
            ));
            files.push(repeated(
                SIZE,
                &format!("<policyComments xmlns='{COMMENTS}'><resources><stringTable>"),
                "<string id=''/>",
                "</stringTable></resources></policyComments>",
            ));
            files
        }
        "fdeploy" => lines("[FolderStatus]\r\n"),
        "firewall_rule" => lines("v2.10|"),
        "gpe_ini" | "gpt_ini" | "ini" => lines("[General]\r\n"),
        "gpo_cmt" => lines(""),
        "gpt_tmpl" => lines("[Group Membership]\r\n"),
        "journal" => journal(),
        "plan" => plan(),
        "manifest" => {
            let front = format!("<Backups xmlns='{MANIFEST}'>");
            let mut files = xml(&front, "</Backups>");
            files.push(repeated(SIZE, &front, "<BackupInst/>", "</Backups>"));
            files.push(repeated(
                SIZE,
                &front,
                "<BackupInst><ID>x</ID></BackupInst>",
                "</Backups>",
            ));
            files
        }
        "migtable" => {
            let front = format!("<MigrationTable xmlns='{TABLE}'>");
            let mut files = xml(&front, "</MigrationTable>");
            let row = "<Mapping><Type>User</Type><Source>a</Source><DestinationNone/></Mapping>";
            files.push(repeated(SIZE, &front, row, "</MigrationTable>"));
            files.push(repeated(SIZE, &front, "<Mapping/>", "</MigrationTable>"));
            files
        }
        "names" => names(),
        "preferences" => xml("<Groups clsid='{1}'>", "</Groups>"),
        "registry_pol" => registry_pol(),
        "scripts" => lines("[Logon]\r\n"),
        "sddl" => sddl(),
        "security_descriptor" => security_descriptor(),
        "side_file" => side_file(),
        "wmi_filter" => {
            let mut files = wmi_filter();
            for field in ["x", "queries", "name"] {
                files.extend(json(&format!("{{\"{field}\":"), "}"));
            }
            files
        }
        "config" => config(),
        "names_cache" => {
            let mut files = json("", "");
            files.push(repeated(SIZE, "[", r#"{"guid":"","name":""},"#, "0]"));
            files
        }
        "xml_document" | "xml_tree" => xml("<a>", "</a>"),
        other => unreachable!("{other} has no worst inputs"),
    }
}

type Read = Box<dyn Fn(&[u8])>;

/// The reader of this name, of the library or of the command.
fn reader(name: &str) -> Read {
    let of_library = READERS.iter().find(|(known, _)| *known == name);
    let of_command = gpoctl::cli::READERS
        .iter()
        .find(|(known, _)| *known == name);
    match (of_library, of_command) {
        (Some((_, reader)), None) => Box::new(*reader),
        (None, Some((_, reader))) => Box::new(|data| {
            reader(data);
        }),
        _ => unreachable!("{name} is not a reader"),
    }
}

fn is_bounded(name: &str) {
    let reader = reader(name);
    let mut most = 0;
    let mut beyond = Vec::new();
    for (number, data) in worst(name).iter().enumerate() {
        let held = peak(&*reader, data);
        let length = u64::try_from(data.len()).unwrap();
        most = most.max(held / length);
        // toml keeps the place of every value, so that a file of the caller's own takes more; but it is small.
        let base = if name == "config" { BASE } else { SMALL_BASE };
        if held > length * PER_BYTE + base {
            let begin = data[..data.len().min(120)].escape_ascii();
            beyond.push(format!("{number}: {held} bytes for {length}: {begin}"));
        }
    }
    println!("{name}: at most {most} bytes for each byte of input");
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
}

macro_rules! bounded {
    ($($target:ident)*) => {
        pub const TESTED: &[&str] = &[$(stringify!($target)),*];
        $(
        #[test]
        fn $target() {
            super::is_bounded(stringify!($target));
        }
    )*};
}

/// One test for each reader.
pub(crate) mod memory_of {
    bounded! {
        aas adml admx audit_csv backup_xml bkup_info comment_cmtx config fdeploy firewall_rule gpe_ini gpo_cmt gpt_ini gpt_tmpl ini journal manifest
        migtable names names_cache plan preferences registry_pol scripts sddl security_descriptor side_file wmi_filter xml_document xml_tree
    }
}

/// What the fuzz targets check, with inputs long enough to be conclusive.
#[test]
fn the_bound_of_the_fuzz_targets_holds() {
    for (name, _) in READERS {
        let files = worst(name);
        assert_bounded(name, files.first().unwrap());
        for file in files {
            // As long as the inputs of a fuzz target.
            assert_bounded(name, &file[..file.len().min(1024)]);
        }
    }
    assert_eq!(bound(1), PER_BYTE + BASE);
}

/// The effect of a 1 MB file: a namespace counts for every element below its declaration.
#[test]
fn a_namespace_is_kept_once() {
    let namespace = "u".repeat(1000);
    let file = repeated(SIZE, &format!("<a xmlns='{namespace}'>"), "<b/>", "</a>");
    assert!(gpoctl::formats::xml_tree::parse(&file).is_ok());
    let reader = reader("preferences");
    let length = u64::try_from(file.len()).unwrap();
    assert!(peak(&*reader, &file) < length * PER_BYTE);
    let longer = repeated(
        SIZE,
        &format!("<a xmlns='{namespace}{namespace}'>"),
        "<b/>",
        "</a>",
    );
    let error = gpoctl::formats::xml_tree::parse(&longer).unwrap_err();
    assert!(
        error.to_string().contains("longer than 1024 bytes"),
        "{error}"
    );
}

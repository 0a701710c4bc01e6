//! GptTmpl.inf.

use super::*;
use crate::message::Code;

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
            Code::EmptyList,
            Code::DuplicateMember,
            Code::BadSid,
            Code::DuplicateMember,
            Code::BadName,
        ],
    );
}

#[test]
fn an_empty_list_has_the_style_of_the_section() {
    assert_mapped(
        TMPL,
        "[Privilege Rights]\r\nSeB = *S-1-5-21-1-2-3-8\r\nSeC = \r\n",
        "[Privilege Rights]\r\nSeB = \r\nSeC = \r\n",
        &[Code::EmptyList],
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
                ReferenceTarget::Sid { sid, text } => {
                    assert!(sid.to_string().eq_ignore_ascii_case(&text));
                    text
                }
                ReferenceTarget::Name(name) => name,
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
        &[Code::EmptyList, Code::SettingRemoved],
    );
}

#[test]
fn groups_that_would_collide_are_kept() {
    let text = "[Group Membership]\r\n*S-1-5-21-1-2-3-70__Members = *S-1-5-21-1-2-3-5\r\n\
                *S-1-5-21-1-2-3-70__Memberof =\r\n*S-1-5-21-1-2-3-71__Members = b\r\n";
    let after = text
        .replace("3-70__Memberof", "X")
        .replace("*S-1-5-21-1-2-X", "*S-1-5-21-4-5-6-7__Memberof");
    assert_mapped(
        TMPL,
        text,
        &after,
        &[Code::CollidingSections, Code::CollidingSections],
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
        &[Code::EmptyDacl, Code::SettingRemoved, Code::UnreadText],
    );
}

#[test]
fn unknown_lines_are_searched() {
    let before = "\\\\old\\above\r\n[Vendor Things]\r\nA=*S-1-5-21-1-2-3-5\r\nS-1-5-21-1-2-3-5 = \\\\old\\my share\\x\r\n\
        ; *S-1-5-21-1-2-3-5\r\nplain\r\n[For S-1-5-21-1-2-3-5]\r\nGone=\\\\gone\\x\r\n\
        [Group Membership]\r\n*S-1-5-21-1-2-3-5 = *S-1-5-21-1-2-3-6\r\n\
        [Registry Values]\r\nMACHINE\\a=S-1-5-21-1-2-3-5\r\n\
        [Registry Keys]\r\n\"MACHINE\\x\",\"D:(XA;;KA;;;S-1-5-21-1-2-3-5;(@User.a == \"\"x\"\"))\"\r\n\
        [Kerberos Policy]\r\nMaxClockSkew = 5\r\n";
    // All but the comment.
    let mut after = before
        .replace("\\\\old\\", "\\\\new\\")
        .replace("-1-2-3-", "-4-5-6-");
    after = after.replace("; *S-1-5-21-4-5-6-5", "; *S-1-5-21-1-2-3-5");
    assert_mapped(TMPL, before, &after, &[Code::CannotRemove]);
    let places: Vec<String> = found(TMPL, &Bytes::from(before))
        .into_iter()
        .map(|f| format!("{:?} {}", f.scope, f.place).replace(TMPL, "F"))
        .collect();
    assert_eq!(
        places,
        [
            "All F:1 []",
            "All F:3 [Vendor Things] A",
            "All F:4 [Vendor Things] S-1-5-21-1-2-3-5",
            "All F:4 [Vendor Things] S-1-5-21-1-2-3-5",
            "All F:7 [For S-1-5-21-1-2-3-5]",
            "All F:8 [For S-1-5-21-1-2-3-5] Gone",
            "All F:10 [Group Membership] *S-1-5-21-1-2-3-5",
            "All F:10 [Group Membership] *S-1-5-21-1-2-3-5",
            "All F:12 [Registry Values] MACHINE\\a",
            "All F:14 [Registry Keys]",
        ]
    );
    // A name with the sign that ends it cannot be written.
    for text in ["[a \\\\old\\x]\r\n", "[a]\r\nb \\\\old\\x=c\r\n"] {
        let mut sign = |_: &Occurrence| Rewrite::Unc("\\\\new\\x=]".to_owned());
        let visited = visit_file(&TMPL.parse().unwrap(), &Bytes::from(text), &mut sign).unwrap();
        assert_eq!(
            (&visited.bytes, codes(&visited)),
            (&None, vec![Code::BadPath])
        );
    }
}

#[test]
fn binary_data_is_reported_only_with_a_possible_reference() {
    let text = "[Registry Values]\r\nMACHINE\\a=3,1,0,-1-\r\nMACHINE\\b=4,1\r\nMACHINE\\c=3,\\\\old\\x\r\n";
    let (after, codes) = mapped(TMPL, text);
    assert_eq!((after.as_str(), codes), (text, vec![Code::UnreadText]));
}

#[test]
fn a_name_that_does_not_fit_the_code_page_changes_nothing() {
    let bytes = Bytes::from_static(b"[Privilege Rights]\r\nSeA = Gast,\xE4\r\n");
    let mut visitor = |_: &Occurrence| Rewrite::Principal {
        sid: None,
        name: "\u{20ac}".to_owned(),
    };
    let visited = visit_file(&TMPL.parse().unwrap(), &bytes, &mut visitor).unwrap();
    assert_eq!(visited.bytes, None);
    assert_eq!(codes(&visited), [Code::DuplicateMember, Code::NotEncodable]);
}

#[test]
fn a_name_that_is_not_ascii_makes_an_ascii_file_utf16() {
    let bytes = Bytes::from_static(b"[Privilege Rights]\r\nSeA = Gast,*S-1-5-6\r\n");
    let mut visitor = |occurrence: &Occurrence| match &occurrence.target {
        ReferenceTarget::Name(_) => Rewrite::Principal {
            sid: None,
            name: "B\u{fc}ro".to_owned(),
        },
        _ => Rewrite::Keep,
    };
    let visited = visit_file(&TMPL.parse().unwrap(), &bytes, &mut visitor).unwrap();
    assert_eq!(codes(&visited), [Code::EncodingChanged]);
    let text = "[Privilege Rights]\r\nSeA = B\u{fc}ro,*S-1-5-6\r\n";
    let encoding = TextEncoding::Utf16Le { bom: true };
    assert_eq!(visited.bytes.unwrap(), encode(encoding, text).unwrap());
    // A file that is marked as UTF-8, or already contains such a character, keeps its encoding.
    for start in ["\u{feff}", "; \u{e4}\r\n"] {
        let bytes = Bytes::from(format!("{start}[Privilege Rights]\r\nSeA = Gast\r\n"));
        let visited = visit_file(&TMPL.parse().unwrap(), &bytes, &mut visitor).unwrap();
        let expected = format!("{start}[Privilege Rights]\r\nSeA = B\u{fc}ro\r\n");
        assert_eq!(visited.bytes.unwrap(), expected);
        assert_eq!(visited.messages, []);
    }
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

#[test]
fn names_of_keys_paths_and_services() {
    assert_mapped(
        TMPL,
        "[Registry Keys]\r\n\"USERS\\S-1-5-21-1-2-3-5\\Software\",0,\"D:(A;;KA;;;S-1-5-21-1-2-3-6)\"\r\n\
         USERS\\S-1-5-21-1-2-3-5_Classes,2,\r\n\"USERS\\S-1-5-21-1-2-3-8\\x\",0,\"\"\r\n\
         [File Security]\r\n\"\\\\old\\my share\\x\",2,\"\"\r\n0=\"\\\\old\\a,b\",2,\"D:\"\r\n\"C:\\\\a\",2,\"\"\r\n\
         [Service General Setting]\r\nFor_S-1-5-21-1-2-3-5,4,\"\"\r\n\
         [Registry Values]\r\nMACHINE\\ProfileList\\S-1-5-21-1-2-3-5\\State = 1,\"S-1-5-21-1-2-3-6\"\r\n\
         MACHINE\\S-1-5-21-1-2-3-70\\a=4,1\r\nmachine\\S-1-5-21-1-2-3-71\\A=4,1\r\n",
        "[Registry Keys]\r\n\"USERS\\S-1-5-21-4-5-6-5\\Software\",0,\"D:(A;;KA;;;S-1-5-21-4-5-6-6)\"\r\n\
         USERS\\S-1-5-21-4-5-6-5_Classes,2,\r\n\"USERS\\S-1-5-21-1-2-3-8\\x\",0,\"\"\r\n\
         [File Security]\r\n\"\\\\new\\my share\\x\",2,\"\"\r\n0=\"\\\\new\\a,b\",2,\"D:\"\r\n\"C:\\\\a\",2,\"\"\r\n\
         [Service General Setting]\r\nFor_S-1-5-21-4-5-6-5,4,\"\"\r\n\
         [Registry Values]\r\nMACHINE\\ProfileList\\S-1-5-21-4-5-6-5\\State = 1,\"S-1-5-21-4-5-6-6\"\r\n\
         MACHINE\\S-1-5-21-4-5-6-7\\a=4,1\r\nmachine\\S-1-5-21-4-5-6-7\\A=4,1\r\n",
        &[
            Code::CannotRemove,
            Code::DuplicateValue,
            Code::DuplicateValue,
        ],
    );
    let text = "[Registry Keys]\n\"USERS\\S-1-5-7\",0,\"D:(A;;KA;;;S-1-5-4)\"\n";
    let scopes: Vec<Scope> = found(TMPL, &Bytes::from(text))
        .into_iter()
        .map(|occurrence| occurrence.scope)
        .collect();
    // GPMC maps the descriptor, not the name.
    assert_eq!(scopes, [Scope::All, Scope::Gpmc]);
}

//! Binary files: Registry.pol, with the firewall rules in it, and advertise scripts.

use super::*;
use crate::message::Code;

pub(super) fn pol(records: &[(&str, &str, ValueType, &str)]) -> Bytes {
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
        ("K", "**Soft.\\\\old\\list3", T::SZ, "\0"),
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
        ("K", "**Soft.\\\\new\\list3", T::SZ, "\0"),
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
    assert_eq!((&kept.bytes, codes(&kept)), (&None, vec![Code::UnreadText]));
    let place = kept.messages[0].place.as_ref().unwrap().to_string();
    assert_eq!(place, "Machine\\Registry.pol:11 [K] bin");
    let visited = visit_file(&path, &before, &mut map).unwrap();
    assert_eq!(
        codes(&visited),
        [Code::RecordRemoved, Code::UnreadText, Code::DuplicateValue]
    );
    assert_eq!(
        RegistryPol::parse(&visited.bytes.unwrap()),
        RegistryPol::parse(&after)
    );
    let places: Vec<String> = found(POL, &before)
        .into_iter()
        .map(|f| f.place.to_string())
        .collect();
    assert_eq!(places[0], "Machine\\Registry.pol:1 [K] a");
    assert_eq!(places.len(), 18);
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
        .map(|occurrence| match occurrence.target {
            ReferenceTarget::Unc { unit, .. } => (occurrence.place.to_string(), unit),
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
    assert_eq!(codes(&visited), []);
    let bytes = visited.bytes.unwrap();
    assert_eq!(bytes.len(), old.len());
    assert!(!bytes.windows(3).any(|w| w == b"old"));
    assert!(matches!(
        check_format(&path, &bytes),
        Some(Ok("advertise script"))
    ));
    let gone = script(b"\x00\x80", b"\x09\x00\\\\gone\\a\\");
    let visited = visit_file(&path, &gone, &mut map).unwrap();
    assert_eq!(codes(&visited), [Code::CannotRemove]);
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
        let codes: Vec<Code> = codes(&visited);
        (visited.bytes, codes)
    };
    let old = "v2.26|Action=Allow|RA4=LocalSubnet|App=\\\\old\\my apps\\x.exe|Name=S-1-5-21-1-2-3-5|LUAuth=O:LSD:(A;;CC;;;S-1-5-21-1-2-3-5)(A;;CC;;;DU)|RMAuth=D:(XA;;CC;;;S-1-5-21-1-2-3-8;(Member_of {SID(S-1-5-21-1-2-3-5)}))(A;;CC;;;S-1-5-21-1-2-3-5)|LUOwn=S-1-5-21-1-2-3-70|\0";
    let new = "v2.26|Action=Allow|RA4=LocalSubnet|App=\\\\new\\my apps\\x.exe|Name=S-1-5-21-4-5-6-5|LUAuth=O:LSD:(A;;CC;;;S-1-5-21-4-5-6-5)(A;;CC;;;DU)|RMAuth=D:(A;;CC;;;S-1-5-21-4-5-6-5)|LUOwn=S-1-5-21-4-5-6-7|\0";
    assert_eq!(run(old), (Some(rule(new)), Vec::new()));
    let keys: Vec<_> = found(POL, &rule(old))
        .into_iter()
        .map(|occurrence| occurrence.place.key.unwrap())
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
    let twice = [Code::CannotRemove, Code::CannotRemove];
    assert_eq!(run(stays), (None, twice.to_vec()));
    // A destination that would make two fields of one is refused.
    let bytes = rule("v2.26|App=\\\\old\\x.exe|");
    let mut bar = |_: &Occurrence| Rewrite::Unc("\\\\new\\x|Active=FALSE".to_owned());
    let visited = visit_file(&POL.parse().unwrap(), &bytes, &mut bar).unwrap();
    assert_eq!(
        (&visited.bytes, codes(&visited)),
        (&None, vec![Code::BadPath])
    );
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
        assert_eq!(codes(&visited), []);
        assert_eq!(visited.bytes, Some(with_tail(r"\\new\share", tail)));
    }
    let lone = with_tail(r"\\old\share", b"\x00\xd8");
    let visited = visit_file(&path, &lone, &mut map).unwrap();
    assert_eq!(
        (&visited.bytes, codes(&visited)),
        (&None, vec![Code::UnreadText])
    );
    let place = visited.messages[0].place.as_ref().unwrap().to_string();
    assert_eq!(place, "Machine\\Registry.pol:1 [K] n");
}

#[test]
fn references_in_binary_data_are_reported() {
    let run = |value_type: ValueType, data: &[u8]| {
        let record = Record {
            key: utf16_bytes("K"),
            value_name: utf16_bytes("n"),
            value_type,
            data: data.to_vec().into(),
        };
        let bytes = RegistryPol {
            records: vec![record],
        }
        .to_bytes();
        let visited = visit_file(&POL.parse().unwrap(), &bytes, &mut map).unwrap();
        assert_eq!(visited.bytes, None);
        let texts = visited.messages.into_iter().map(|message| {
            assert_eq!(message.code, Code::UnreadText);
            message.text
        });
        texts.collect::<Vec<_>>()
    };
    let said = |what: &str| {
        vec![format!(
            "the value does not have a text type, so {what} in it is left unchanged"
        )]
    };
    let sid = "S-1-5-21-1-2-3-5";
    for value_type in [0, 3, 4, 5, 6, 8, 11, 99].map(ValueType) {
        assert_eq!(run(value_type, &utf16_bytes(sid)), said(sid));
        assert_eq!(run(value_type, sid.as_bytes()), said(sid));
        let odd = [b"\x07", utf16_bytes(r"\\old\x").as_ref(), b"\0\0\0\xd8"].concat();
        assert_eq!(run(value_type, &odd), said(r"\\old\x"));
        for nothing in [&b"\\\\\xff\\\\-1-2"[..], b"-\x001\0-\0", b"", b"C:\\\\x\\y"] {
            assert_eq!(run(value_type, nothing), Vec::<String>::new());
        }
    }
}

#[test]
fn passwords_in_the_registry_are_not_references() {
    let winlogon = "Software\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon";
    let pol = pol(&[
        (
            winlogon,
            "DefaultPassword",
            ValueType::SZ,
            "\\\\old\\share\0",
        ),
        (
            winlogon,
            "**soft.defaultpassword",
            ValueType::SZ,
            "S-1-5-21-1-2-3-5\0",
        ),
        (
            winlogon,
            "AltDefaultPassword",
            ValueType::BINARY,
            "\\\\old\\share\0",
        ),
    ]);
    let template = Bytes::from(format!(
        "[Registry Values]\r\n\
         MACHINE\\{winlogon}\\DefaultPassword=1,\"\\\\old\\share\"\r\n\
         \"MACHINE\\{winlogon}\\DefaultPassword\"=7,\\\\old\\share,S-1-5-21-1-2-3-5\r\n\
         MACHINE\\{winlogon}\\DefaultPassword=3,\\\\old\\share\r\n\
         MACHINE\\{winlogon}\\DefaultPassword=\\\\old\\share\r\n"
    ));
    for (path, bytes) in [(POL, pol), (TMPL, template)] {
        let path: RelPath = path.parse().unwrap();
        let mut seen = Vec::new();
        let visited = visit_file(&path, &bytes, &mut |occurrence| {
            seen.push(format!("{:?}", occurrence.target));
            map(occurrence)
        })
        .unwrap();
        assert_eq!(seen, [""; 0], "{path}");
        assert_eq!((visited.bytes, visited.messages), (None, vec![]), "{path}");
    }
}

use super::*;
use base64::Engine as _;
use proptest::prelude::*;

const DOMAIN: &str = "S-1-5-21-1860092946-2405009515-2957644193";
/// The schema's default for groupPolicyContainer, as Samba's copy of the AD schema has it.
const DEFAULT: &str = "D:P(A;CI;RPWPCCDCLCLOLORCWOWDSDDTSW;;;DA)(A;CI;RPWPCCDCLCLOLORCWOWDSDDTSW;;;EA)(A;CI;RPWPCCDCLCLOLORCWOWDSDDTSW;;;CO)(A;CI;RPWPCCDCLCLORCWOWDSDDTSW;;;SY)(A;CI;RPLCLORC;;;AU)(OA;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU)(A;CI;LCRPLORC;;;ED)";
/// A DACL and the descriptor a Samba server makes of it.
const LIVE: &str = "O:DAG:DAD:P(A;CI;RPWPCCDCLCLORCWOWDSDDTSW;;;DA)(A;CI;RPWPCCDCLCLORCWOWDSDDTSW;;;EA)(A;CIIO;RPWPCCDCLCLORCWOWDSDDTSW;;;CO)(A;;RPWPCCDCLCLORCWOWDSDDTSW;;;DA)(A;CI;RPWPCCDCLCLORCWOWDSDDTSW;;;SY)(A;CI;RPLCLORC;;;AU)(OA;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU)(A;CI;RPLCLORC;;;ED)";
const LIVE_BYTES: &str = "AQAXmBQAAAAwAAAATAAAAMQAAAABBQAAAAAABRUAAAASxN5ua4hZj6ERSrAAAgAAAQUAAAAAAAUVAAAAEsTebmuIWY+hEUqwAAIAAAQAeAACAAAAB1o4ACAAAAADAAAAvjsO8/Cf0RG2AwAA+ANnwaV6lr/mDdARooUAqgAwSeIBAQAAAAAAAQAAAAAHWjgAIAAAAAMAAAC/Ow7z8J/REbYDAAD4A2fBpXqWv+YN0BGihQCqADBJ4gEBAAAAAAABAAAAAAQA7AAIAAAAAAIkAP8ADwABBQAAAAAABRUAAAASxN5ua4hZj6ERSrAAAgAAAAIkAP8ADwABBQAAAAAABRUAAAASxN5ua4hZj6ERSrAHAgAAAAoUAP8ADwABAQAAAAAAAwAAAAAAACQA/wAPAAEFAAAAAAAFFQAAABLE3m5riFmPoRFKsAACAAAAAhQA/wAPAAEBAAAAAAAFEgAAAAACFACUAAIAAQEAAAAAAAULAAAABQIoAAABAAABAAAAj/2s7bP/0RG0HQCgyWj5OQEBAAAAAAAFCwAAAAACFACUAAIAAQEAAAAAAAUJAAAA";

fn domain() -> Sid {
    DOMAIN.parse().unwrap()
}

#[test]
fn an_owner_with_an_authority_beyond_32_bits_comes_back() {
    let mut descriptor = SecurityDescriptor::new();
    descriptor.owner = Some("S-1-0x0038330000d5-32-544".parse().unwrap());
    descriptor.group = Some("S-1-0x0038330000d5-1".parse().unwrap());
    let text = to_sddl(&descriptor) + "D:";
    assert_eq!(text, "O:S-1-0x0038330000d5-32-544G:S-1-0x0038330000d5-1D:");
    let read = from_sddl(&text, None).unwrap();
    assert_eq!(read.owner, descriptor.owner);
    assert_eq!(read.group, descriptor.group);
}

#[test]
fn reads_the_schema_default_of_a_gpo() {
    let read = from_sddl(DEFAULT, Some(&domain())).unwrap();
    let acl = read.dacl.as_ref().unwrap();
    assert_eq!((acl.aces.len(), acl.revision), (7, 4));
    let masks: Vec<u32> = acl
        .aces
        .iter()
        .map(|ace| ace.rights().unwrap().mask)
        .collect();
    assert_eq!(
        masks,
        [0xF00FF, 0xF00FF, 0xF00FF, 0xF00FF, 0x20094, 0x100, 0x20094]
    );
    assert_eq!(
        acl.aces[0].sid().unwrap().to_string(),
        format!("{DOMAIN}-512")
    );
    assert_eq!(read.control, 0x9004);
    assert!(from_sddl(DEFAULT, None).is_err());
}

#[test]
fn agrees_with_the_bytes_of_a_samba_server() {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(LIVE_BYTES)
        .unwrap();
    let live = SecurityDescriptor::parse(&bytes).unwrap();
    let read = from_sddl(LIVE, Some(&domain())).unwrap();
    assert_eq!(read.dacl, live.dacl);
    assert_eq!(
        (read.owner, read.group),
        (live.owner.clone(), live.group.clone())
    );
    let text = to_sddl(&live);
    assert!(text.ends_with("S:AI(OU;CIIOIDSA;WP;f30e3bbe-9ff0-11d1-b603-0000f80367c1;bf967aa5-0de6-11d0-a285-00aa003049e2;WD)(OU;CIIOIDSA;WP;f30e3bbf-9ff0-11d1-b603-0000f80367c1;bf967aa5-0de6-11d0-a285-00aa003049e2;WD)"), "{text}");
    let again = from_sddl(&text, None).unwrap();
    assert_eq!(again.sacl, live.sacl);
    assert_eq!(again.dacl, live.dacl);
}

#[test]
fn reads_what_templates_hold() {
    for (text, expected) in [
        ("D:PAR(A;OICI;GA;;;BA)", "D:PAR(A;OICI;GA;;;BA)"),
        ("D:AR(A;OICI;0X1301BF;;;BU)", "D:AR(A;OICI;0x1301bf;;;BU)"),
        (
            "D:(A;;KA;;;BA)S:(ML;;NW;;;LW)",
            "D:(A;;CCDCLCSWRPWPSDRCWDWO;;;BA)S:(ML;;NW;;;LW)",
        ),
        ("O:BAG:SYD:NO_ACCESS_CONTROL", "O:BAG:SYD:NO_ACCESS_CONTROL"),
        ("D:", "D:"),
        ("", ""),
        (
            "O:S-1-5-21-1-2-3-500D:(D;;FA;;;WD)",
            "O:S-1-5-21-1-2-3-500D:(D;;FA;;;WD)",
        ),
        (
            "D:(XA;;FX;;;WD;#61727478)(0x15;0x20;#00ff)",
            "D:(XA;;FX;;;WD;#61727478)(0x15;0x20;#00ff)",
        ),
    ] {
        let read = from_sddl(text, None).unwrap();
        assert_eq!(to_sddl(&read), expected);
        let bytes = read.to_bytes().unwrap();
        assert_eq!(
            to_sddl(&SecurityDescriptor::parse(&bytes).unwrap()),
            expected
        );
    }
}

#[test]
fn refuses_what_it_cannot_keep() {
    for text in [
        "D:(A;;GA;;;DA)",
        "D:(A;;GA;;;ZZ)",
        "D:(A;;GA;;;BA",
        "D:(A;;G;;;BA)",
        "D:(A;;GA;;BA)",
        "D:(Q;;GA;;;BA)",
        "D:(A;;GA;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;BA)",
        "D:(XA;;FX;;;S-1-1-0;(@User.Title==\"PM\"))",
        "D:D:",
        "X:",
        "*S-1-1-0",
    ] {
        assert!(from_sddl(text, None).is_err(), "{text}");
    }
}

fn any_sid() -> impl Strategy<Value = Sid> {
    (0_u64..1 << 32, prop::collection::vec(any::<u32>(), 1..5)).prop_map(|(authority, subs)| {
        let subs: Vec<String> = subs.iter().map(u32::to_string).collect();
        format!("S-1-{authority}-{}", subs.join("-"))
            .parse()
            .unwrap()
    })
}

fn any_guid() -> impl Strategy<Value = Option<Guid>> {
    prop::option::of(any::<[u8; 16]>().prop_map(Guid::from_bytes_le))
}

fn any_ace() -> impl Strategy<Value = Ace> {
    (
        any::<u8>(),
        any::<u8>(),
        any::<u32>(),
        any_sid(),
        (any_guid(), any_guid()),
        prop::collection::vec(any::<u8>(), 0..8),
    )
        .prop_map(|(ace_type, flags, mask, sid, guids, data)| {
            let body = if has_rights(ace_type) {
                AceBody::Rights(AceRights {
                    mask,
                    object: has_object_types(ace_type).then_some(ObjectTypes {
                        other_flags: 0,
                        object_type: guids.0,
                        inherited_object_type: guids.1,
                    }),
                    sid,
                    application_data: data,
                })
            } else {
                AceBody::Unknown(data)
            };
            Ace {
                ace_type,
                flags,
                body,
            }
        })
}

proptest! {
    #[test]
    fn text_and_bytes_come_back(
        aces in prop::option::of(prop::collection::vec(any_ace(), 0..6)),
        audits in prop::option::of(prop::collection::vec(any_ace(), 0..3)),
        owner in prop::option::of(any_sid()),
        bits in any::<u16>(),
    ) {
        let mut descriptor = SecurityDescriptor::new();
        descriptor.control |= bits & 0x3F00;
        descriptor.owner = owner;
        for (list, bit) in [(&aces, control::DACL_PRESENT), (&audits, control::SACL_PRESENT)] {
            if list.is_some() {
                descriptor.control |= bit;
            }
        }
        // Flags of a list that is not there cannot be said in text.
        if aces.is_none() { descriptor.control &= !0x1500; }
        if audits.is_none() { descriptor.control &= !0x2A00; }
        descriptor.dacl = aces.map(Acl::new);
        descriptor.sacl = audits.map(Acl::new);
        let text = to_sddl(&descriptor);
        let read = from_sddl(&text, None).unwrap();
        prop_assert_eq!(&read, &descriptor, "{}", text);
        let bytes = descriptor.to_bytes().unwrap();
        prop_assert_eq!(&SecurityDescriptor::parse(&bytes).unwrap(), &descriptor);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}", sddl in "[OGDS:()A;ICPX0-9#-]{0,60}") {
        let _ = from_sddl(&text, Some(&domain()));
        let _ = from_sddl(&sddl, Some(&domain()));
    }
}

use super::*;
use crate::model::sddl::{from_sddl, to_sddl};
use base64::Engine as _;
use proptest::prelude::*;

fn decode(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}

/// Directory descriptors, what `samba.ntacls.dsacl2fsacl` of Samba 4.17 makes of them, and what that of Samba 4.25 does: bytes
/// in, bytes out.
const SAMBA: &[(&str, &str, &str)] = &[
    (
        "AQAXmBQAAAAwAAAATAAAAMQAAAABBQAAAAAABRUAAAASxN5ua4hZj6ERSrAAAgAAAQUAAAAAAAUVAAAAEsTebmuIWY+hEUqwAAIAAAQAeAACAAAAB1o4ACAAAAADAAAAvjsO8/Cf0RG2AwAA+ANnwaV6lr/mDdARooUAqgAwSeIBAQAAAAAAAQAAAAAHWjgAIAAAAAMAAAC/Ow7z8J/REbYDAAD4A2fBpXqWv+YN0BGihQCqADBJ4gEBAAAAAAABAAAAAAQANAEKAAAAAQIkAAABAAABBQAAAAAABRUAAAASxN5ua4hZj6ERSrBRBAAAAAIkAP8ADwABBQAAAAAABRUAAAASxN5ua4hZj6ERSrAAAgAAAAIkAP8ADwABBQAAAAAABRUAAAASxN5ua4hZj6ERSrAHAgAAAAoUAP8ADwABAQAAAAAAAwAAAAAAACQA/wAPAAEFAAAAAAAFFQAAABLE3m5riFmPoRFKsAACAAAAAhQA/wAPAAEBAAAAAAAFEgAAAAACFACUAAIAAQEAAAAAAAULAAAABQIoAAABAAABAAAAj/2s7bP/0RG0HQCgyWj5OQEBAAAAAAAFCwAAAAACFACUAAIAAQEAAAAAAAUJAAAAAAIkALcAAgABBQAAAAAABRUAAAASxN5ua4hZj6ERSrBbBAAA",
        "AQAUmBQAAAAwAAAAAAAAAEwAAAABBQAAAAAABRUAAAASxN5ua4hZj6ERSrAAAgAAAQUAAAAAAAUVAAAAEsTebmuIWY+hEUqwAAIAAAQAEAEJAAAAAAMkAP8BHwABBQAAAAAABRUAAAASxN5ua4hZj6ERSrAAAgAAAAMkAP8BHwABBQAAAAAABRUAAAASxN5ua4hZj6ERSrAHAgAAAAsUAP8BHwABAQAAAAAAAwAAAAAAAyQA/wEfAAEFAAAAAAAFFQAAABLE3m5riFmPoRFKsAACAAAAAxQA/wEfAAEBAAAAAAAFEgAAAAADFACpABIAAQEAAAAAAAULAAAABQMoAAAAAAABAAAAj/2s7bP/0RG0HQCgyWj5OQEBAAAAAAAFCwAAAAADFACpABIAAQEAAAAAAAUJAAAAAAMkAP8BEgABBQAAAAAABRUAAAASxN5ua4hZj6ERSrBbBAAA",
        "AQAUmBQAAAAwAAAAAAAAAEwAAAABBQAAAAAABRUAAAASxN5ua4hZj6ERSrAAAgAAAQUAAAAAAAUVAAAAEsTebmuIWY+hEUqwAAIAAAIADAEJAAAAAQMkAAAAAAABBQAAAAAABRUAAAASxN5ua4hZj6ERSrBRBAAAAAMkAP8BHwABBQAAAAAABRUAAAASxN5ua4hZj6ERSrAAAgAAAAMkAP8BHwABBQAAAAAABRUAAAASxN5ua4hZj6ERSrAHAgAAAAsUAP8BHwABAQAAAAAAAwAAAAAAAyQA/wEfAAEFAAAAAAAFFQAAABLE3m5riFmPoRFKsAACAAAAAxQA/wEfAAEBAAAAAAAFEgAAAAADFACpABIAAQEAAAAAAAULAAAAAAMUAKkAEgABAQAAAAAABQkAAAAAAyQA/wESAAEFAAAAAAAFFQAAABLE3m5riFmPoRFKsFsEAAA=",
    ),
    (
        "AQAElBQAAAAwAAAAAAAAAEwAAAABBQAAAAAABRUAAAABAAAAAgAAAAMAAAAAAgAAAQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAAAIAAAQAgAEKAAAABQIoAAABAAABAAAAj/2s7bP/0RG0HQCgyWj5OQEBAAAAAAAFCwAAAAYCOAAAAQAAAQAAAI/9rO2z/9ERtB0AoMlo+TkBBQAAAAAABRUAAAABAAAAAgAAAAMAAABRBAAAAAAkAP8ADwABBQAAAAAABRUAAAABAAAAAgAAAAMAAAAAAgAAAAIkAP8ADwABBQAAAAAABRUAAAABAAAAAgAAAAMAAAAHAgAAAAIUAJQAAgABAQAAAAAABQkAAAAAAhgAlAACAAECAAAAAAAFIAAAACoCAAAAChQA/wAPAAEBAAAAAAADAAAAAAASJAAUAAAAAQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAsAQAAAUCSAAgAAAAAwAAAKV6lr/mDdARooUAqgAwSeK6epa/5g3QEaKFAKoAMEniAQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAsQQAAAACJAATAAAAAQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAsgQAAA==",
        "AQAElBQAAAAwAAAAAAAAAEwAAAABBQAAAAAABRUAAAABAAAAAgAAAAMAAAAAAgAAAQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAAAIAAAQAMAEIAAAABQMoAAAAAAABAAAAj/2s7bP/0RG0HQCgyWj5OQEBAAAAAAAFCwAAAAADJAD/AR8AAQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAAAIAAAADJAD/AR8AAQUAAAAAAAUVAAAAAQAAAAIAAAADAAAABwIAAAADFACpABIAAQEAAAAAAAUJAAAAAAsUAP8BHwABAQAAAAAAAwAAAAAAEyQAqQAQAAEFAAAAAAAFFQAAAAEAAAACAAAAAwAAALAEAAAFA0gAFgEQAAMAAAClepa/5g3QEaKFAKoAMEniunqWv+YN0BGihQCqADBJ4gEFAAAAAAAFFQAAAAEAAAACAAAAAwAAALEEAAAAAyQARgAAAAEFAAAAAAAFFQAAAAEAAAACAAAAAwAAALIEAAA=",
        "AQAElBQAAAAwAAAAAAAAAEwAAAABBQAAAAAABRUAAAABAAAAAgAAAAMAAAAAAgAAAQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAAAIAAAIAwAAGAAAAAAMkAP8BHwABBQAAAAAABRUAAAABAAAAAgAAAAMAAAAAAgAAAAMkAP8BHwABBQAAAAAABRUAAAABAAAAAgAAAAMAAAAHAgAAAAMUAKkAEgABAQAAAAAABQkAAAAACxQA/wEfAAEBAAAAAAADAAAAAAATJACpABAAAQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAsAQAAAADJABGAAAAAQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAsgQAAA==",
    ),
];

#[test]
fn derives_the_same_file_descriptor_as_samba() {
    let expected = SAMBA.iter().flat_map(|(directory, old, new)| {
        [
            (directory, FileEntries::WithObjectAces, old),
            (directory, FileEntries::WithoutObjectAces, new),
        ]
    });
    for (directory, entries, file) in expected {
        let directory = SecurityDescriptor::parse(&decode(directory)).unwrap();
        let expected = SecurityDescriptor::parse(&decode(file)).unwrap();
        let derived = file_descriptor(&directory, entries).unwrap();
        assert_eq!(
            to_sddl(&derived.descriptor),
            // Samba copies the marks of a SACL along without a SACL; its own text does not show them.
            to_sddl(&expected).split("S:").next().unwrap()
        );
        assert_eq!(derived.descriptor.dacl, expected.dacl);
        assert_eq!(
            (&derived.descriptor.owner, &derived.descriptor.group),
            (&expected.owner, &expected.group)
        );
        let first = SecurityDescriptor::parse(&derived.without_object_aces).unwrap();
        assert!(first.dacl.unwrap().aces.iter().all(|ace| !ace.is_object()));
        let second = SecurityDescriptor::parse(&derived.with_object_aces).unwrap();
        assert_eq!(second.dacl, expected.dacl);
        assert_eq!(
            second.control & control::DACL_AUTO_INHERITED != 0,
            second.control & control::DACL_AUTO_INHERIT_REQ != 0
        );
        let steps = derived.into_steps();
        assert_eq!(
            steps.len(),
            match entries {
                FileEntries::WithObjectAces => 2,
                FileEntries::WithoutObjectAces => 1,
            }
        );
    }
}

/// What a server that refuses object entries gets in place of an older descriptor that has them.
#[test]
fn an_older_descriptor_is_set_without_its_object_entries_where_they_are_refused() {
    let older = SecurityDescriptor::parse(&decode(SAMBA[0].1)).unwrap();
    let new = FileDescriptor::of(older.clone(), FileEntries::WithoutObjectAces).unwrap();
    assert_eq!(new.descriptor, older.without_object_aces());
    assert_eq!(new.into_steps().len(), 1);
    let same = FileDescriptor::of(older.clone(), FileEntries::WithObjectAces).unwrap();
    assert_eq!(same.descriptor, older);
}

#[test]
fn a_backup_contains_only_the_dacl() {
    let bytes = dacl_only(&decode(SAMBA[0].0)).unwrap();
    assert_eq!(
        bytes[..24],
        [
            1, 0, 4, 0x9c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 4, 0, 0x34, 1
        ]
    );
    let backup = SecurityDescriptor::parse(&bytes).unwrap();
    let live = SecurityDescriptor::parse(&decode(SAMBA[0].0)).unwrap();
    assert_eq!(backup.dacl, live.dacl);
    assert!(grants_same_access(&backup, &live));
    assert_eq!(dacl_only(&bytes).unwrap(), bytes);
    let open = from_sddl("O:BAD:NO_ACCESS_CONTROL", None).unwrap();
    assert!(dacl_only(&open.to_bytes().unwrap()).is_err());
    assert!(dacl_only(&from_sddl("O:BA", None).unwrap().to_bytes().unwrap()).is_err());
    let inheriting = from_sddl("D:(A;;GA;;;BA)", None)
        .unwrap()
        .to_bytes()
        .unwrap();
    assert_eq!(dacl_only(&inheriting).unwrap()[2..4], [4, 0x8c]);
}

#[test]
fn distinguishes_null_empty_and_absent() {
    let read = |text: &str| {
        let bytes = from_sddl(text, None).unwrap().to_bytes().unwrap();
        SecurityDescriptor::parse(&bytes).unwrap()
    };
    assert_eq!(read("D:NO_ACCESS_CONTROL").dacl_state(), DaclState::Null);
    assert_eq!(read("O:BA").dacl_state(), DaclState::Absent);
    assert!(matches!(read("D:").dacl_state(), DaclState::List(acl) if acl.aces.is_empty()));
    assert!(!grants_same_access(
        &read("D:"),
        &read("D:NO_ACCESS_CONTROL")
    ));
    let stub_bytes = [1, 0, 4, 0x80, 0, 0, 0, 0];
    let mut stub = SecurityDescriptor::parse(&stub_bytes).unwrap();
    assert!(stub.is_stub());
    assert_eq!(stub.dacl_state(), DaclState::Absent);
    assert_eq!(stub.to_bytes().unwrap(), stub_bytes);
    assert!(file_descriptor(&stub, FileEntries::default()).is_err());
    stub.owner = Some("S-1-5-18".parse().unwrap());
    let built = SecurityDescriptor::parse(&stub.to_bytes().unwrap()).unwrap();
    assert_eq!(built.dacl_state(), DaclState::Absent);
}

#[test]
fn keeps_an_odd_layout_until_it_is_changed() {
    let owner: Sid = "S-1-5-18".parse().unwrap();
    let acl = Acl::new(vec![Ace::allow(0, 1, "S-1-1-0".parse().unwrap())]);
    let list = acl.to_bytes().unwrap();
    let mut bytes = vec![1, 0, 4, 0x80];
    let dacl_at = 24_u32;
    let owner_at = dacl_at + u32::try_from(list.len()).unwrap() + 4;
    for offset in [owner_at, 0, 0, dacl_at] {
        bytes.extend_from_slice(&offset.to_le_bytes());
    }
    bytes.extend_from_slice(&[0xEE; 4]);
    bytes.extend_from_slice(&list);
    bytes.extend_from_slice(&[0xEE; 4]);
    bytes.extend_from_slice(&owner.to_bytes());
    bytes.extend_from_slice(&[0xEE; 3]);
    let mut read = SecurityDescriptor::parse(&bytes).unwrap();
    assert_eq!(read.to_bytes().unwrap(), bytes);
    assert_eq!(read.principals().count(), 2);
    read.owner = None;
    let changed = read.to_bytes().unwrap();
    assert_eq!(changed.len(), 20 + list.len());
    assert_eq!(SecurityDescriptor::parse(&changed).unwrap(), read);
}

#[test]
fn compares_access_and_not_its_form() {
    let sd = |text: &str| from_sddl(text, None).unwrap();
    assert!(grants_same_access(
        &sd("D:P(A;;GA;;;BA)(A;;GR;;;WD)(A;;GA;;;BA)"),
        &sd("O:BAD:PAI(A;;GR;;;WD)(A;;GA;;;BA)S:(AU;SA;GA;;;WD)")
    ));
    assert!(!grants_same_access(
        &sd("D:(D;;GA;;;BA)(A;;GA;;;WD)"),
        &sd("D:(A;;GA;;;WD)(D;;GA;;;BA)")
    ));
    assert!(!grants_same_access(
        &sd("D:P(A;;GA;;;BA)"),
        &sd("D:(A;;GA;;;BA)")
    ));
    assert!(!grants_same_access(&sd("O:BAD:"), &sd("O:SYD:")));
}

#[test]
fn refuses_parts_outside_the_bytes() {
    let good = decode(SAMBA[0].0);
    for cut in [3, 19, 21, 100, good.len() - 1] {
        assert!(SecurityDescriptor::parse(&good[..cut]).is_err(), "{cut}");
    }
    let mut absolute = good.clone();
    absolute[3] &= 0x7F;
    assert!(SecurityDescriptor::parse(&absolute).is_err());
    let mut header = good;
    header[4] = 8;
    assert!(SecurityDescriptor::parse(&header).is_err());
}

proptest! {
    #[test]
    fn bytes_round_trip_and_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(read) = SecurityDescriptor::parse(&bytes) {
            prop_assert_eq!(read.to_bytes().unwrap(), bytes);
        }
    }

    #[test]
    fn damaged_descriptors_round_trip_or_are_rejected(
        at in 0_usize..400, value in any::<u8>(), cut in 0_usize..500,
    ) {
        let mut bytes = decode(SAMBA[0].0);
        if let Some(byte) = bytes.get_mut(at) { *byte = value; }
        bytes.truncate(cut);
        if let Ok(read) = SecurityDescriptor::parse(&bytes) {
            prop_assert_eq!(&read.to_bytes().unwrap(), &bytes);
            let _ = to_sddl(&read);
            let _ = file_descriptor(&read, FileEntries::default());
        }
    }
}

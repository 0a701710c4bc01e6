//! The entries of a folder, each parsed separately, so that one malformed name affects one entry and not the folder.

use smb2::msg::directory_info::parse_entries;
use smb2::msg::query_directory::FileInformationClass;

use crate::domain::sysvol::Listing;

/// The requested information class [MS-FSCC 2.4.8].
pub(super) const CLASS: FileInformationClass = FileInformationClass::FileBothDirectoryInformation;

/// The offset of the length of the name in an entry, and that of the name.
const NAME_LENGTH: usize = 60;
const NAME: usize = 94;

/// Parses the entries of one answer; names that are unsafe, and entries that are neither files nor folders, are refused with
/// the reason. `None` when the answer is not a chain of entries.
pub(super) fn collect(buffer: &[u8], listing: &mut Listing) -> Option<()> {
    let mut rest = buffer;
    while !rest.is_empty() {
        let next = usize::try_from(number(rest, 0)?).ok()?;
        // An entry that overlaps the next one would cause an endless loop.
        let entry = match next {
            0 => rest,
            _ => rest.get(..next).filter(|entry| entry.len() >= NAME)?,
        };
        match parse_entries(CLASS, entry) {
            Ok(entries) => entries.iter().for_each(|entry| {
                listing.take(&entry.file_name, entry.file_attributes, entry.end_of_file);
            }),
            Err(_) => listing.refused.push(unreadable(entry)?),
        }
        rest = match next {
            0 => &[],
            _ => rest.get(next..)?,
        };
    }
    Some(())
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}

/// Why an entry whose name is not text is left out; `None` when something else is wrong.
fn unreadable(entry: &[u8]) -> Option<String> {
    let length = usize::try_from(number(entry, NAME_LENGTH)?).ok()?;
    let name = entry.get(NAME..)?.get(..length)?;
    let units: Vec<u16> = name
        .chunks_exact(2)
        .filter_map(|unit| Some(u16::from_le_bytes(unit.try_into().ok()?)))
        .collect();
    Some(format!(
        "\"{}\" is not a valid name (not UTF-16), so it is left out",
        String::from_utf16_lossy(&units).escape_debug()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An entry as a server sends it; not the last one when `chained`.
    fn entry(name: &[u16], chained: bool) -> Vec<u8> {
        let mut bytes = vec![0; NAME];
        bytes[40] = 7;
        bytes[56] = 0x20;
        bytes[NAME_LENGTH] = u8::try_from(name.len() * 2).unwrap();
        bytes.extend(name.iter().flat_map(|unit| unit.to_le_bytes()));
        if chained {
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            bytes[0] = u8::try_from(bytes.len()).unwrap();
        }
        bytes
    }

    fn units(name: &str) -> Vec<u16> {
        name.encode_utf16().collect()
    }

    #[test]
    fn a_link_is_left_out_and_said() {
        let mut link = entry(&units("Machine"), true);
        link[56..60].copy_from_slice(&crate::domain::sysvol::REPARSE_POINT.to_le_bytes());
        let buffer = [link, entry(&units("last.ini"), false)].concat();
        let mut listing = Listing::default();
        assert_eq!(collect(&buffer, &mut listing), Some(()));
        assert_eq!(listing.entries.len(), 1);
        assert_eq!(
            listing.refused,
            ["\"Machine\" is a link, and links are not followed"]
        );
    }

    #[test]
    fn a_name_that_is_no_text_costs_one_entry() {
        let half = [u16::from(b'a'), 0xD800, u16::from(b'b')];
        let buffer = [
            entry(&units("."), true),
            entry(&units("first.pol"), true),
            entry(&half, true),
            entry(&units("x:y"), true),
            entry(&units("last.ini"), false),
        ];
        let mut listing = Listing::default();
        assert_eq!(collect(&buffer.concat(), &mut listing), Some(()));
        let names: Vec<&str> = listing.entries.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["first.pol", "last.ini"]);
        assert_eq!(
            (listing.entries[0].size, listing.entries[0].is_dir),
            (7, false)
        );
        assert_eq!(listing.refused.len(), 2);
        assert_eq!(
            listing.refused[0],
            "\"a\u{fffd}b\" is not a valid name (not UTF-16), so it is left out"
        );
    }

    #[test]
    fn what_is_no_chain_of_entries_is_not_taken_for_an_empty_folder() {
        let whole = entry(&units("a.pol"), false);
        let mut listing = Listing::default();
        let mut cut = whole.clone();
        cut.pop();
        assert_eq!(collect(&cut, &mut listing), None);
        let mut short = whole.clone();
        short[0] = 4;
        assert_eq!(collect(&short, &mut listing), None);
        let mut long = whole;
        long[0] = 0xFF;
        assert_eq!(collect(&long, &mut listing), None);
        assert_eq!(collect(&[1, 0], &mut listing), None);
    }

    proptest! {
        #[test]
        fn ends_whatever_a_server_sends(bytes in prop::collection::vec(any::<u8>(), 0..300), next in 0_u8..200) {
            let mut listing = Listing::default();
            let _ = collect(&bytes, &mut listing);
            let mut chain = [entry(&[0x61], true), bytes].concat();
            chain[0] = next;
            let _ = collect(&chain, &mut listing);
        }
    }
}

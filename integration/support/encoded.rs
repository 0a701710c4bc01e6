//! Files of GPOs, byte by byte, with whatever content a test needs.

/// Text in UTF-16LE.
pub fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The same after a byte order mark, as GPMC's editors write it.
pub fn utf16_with_mark(text: &str) -> Vec<u8> {
    [vec![0xFF, 0xFE], utf16(text)].concat()
}

/// A record of Registry.pol.
pub fn pol_record(key: &str, name: &str, value_type: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = utf16(&format!("[{key}\0;{name}\0;"));
    bytes.extend(value_type.to_le_bytes());
    bytes.extend(utf16(";"));
    bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    bytes.extend(utf16(";"));
    bytes.extend(data);
    bytes.extend(utf16("]"));
    bytes
}

/// A record of Registry.pol with a string.
pub fn pol_string(key: &str, name: &str, text: &str) -> Vec<u8> {
    pol_record(key, name, 1, &utf16(&format!("{text}\0")))
}

/// A Registry.pol with these records.
pub fn pol_file(records: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut bytes = b"PReg\x01\0\0\0".to_vec();
    records.into_iter().for_each(|record| bytes.extend(record));
    bytes
}

/// `part` as often as it fits between `front` and `back`.
pub fn repeated(size: usize, front: &str, part: &str, back: &str) -> Vec<u8> {
    let times = size.saturating_sub(front.len() + back.len()) / part.len();
    [front, &part.repeat(times), back].concat().into_bytes()
}

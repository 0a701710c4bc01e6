//! Registry.pol: registry settings as records [MS-GPREG 2.2.1].

pub mod effect;

use bytes::Bytes;

/// `PReg` and the version, 1.
const HEADER: &[u8] = b"PReg\x01\0\0\0";

/// The records of a Registry.pol. They are slices of the parsed bytes and are decoded on demand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryPol {
    /// The records in order. The order is significant, because clients apply them in order.
    pub records: Vec<Record>,
}

/// One setting: a value below a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The key below the hive, UTF-16LE without its terminator.
    pub key: Bytes,
    /// The value name, UTF-16LE without its terminator; empty for the default value, `**del.NAME` and the like for deletions
    /// [MS-GPREG 3.2.5.1].
    pub value_name: Bytes,
    /// The type of the data.
    pub value_type: ValueType,
    /// The raw data, with its terminators, if any.
    pub data: Bytes,
}

/// The type of a registry value [MS-GPREG 2.2.1]. Unknown numbers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ValueType(pub u32);

impl ValueType {
    /// No type; used for records that contain a command instead of a value.
    pub const NONE: Self = Self(0);
    /// A string, UTF-16LE.
    pub const SZ: Self = Self(1);
    /// A string with `%variables%`, UTF-16LE.
    pub const EXPAND_SZ: Self = Self(2);
    /// Bytes.
    pub const BINARY: Self = Self(3);
    /// 32 bits, little-endian.
    pub const DWORD: Self = Self(4);
    /// 32 bits, big-endian.
    pub const DWORD_BIG_ENDIAN: Self = Self(5);
    /// Strings, UTF-16LE, each ended by a NUL, the list by another.
    pub const MULTI_SZ: Self = Self(7);
    /// 64 bits, little-endian.
    pub const QWORD: Self = Self(11);

    /// Whether the data is text.
    pub fn is_text(self) -> bool {
        matches!(self, Self::SZ | Self::EXPAND_SZ | Self::MULTI_SZ)
    }
}

/// The bytes are not a Registry.pol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolError {
    /// The first eight bytes are not `PReg` and version 1.
    #[error("Registry.pol does not begin with the signature PReg and version 1")]
    Header,
    /// A record is malformed.
    #[error("record {record} of Registry.pol, at byte {offset}: {reason}")]
    Record {
        /// Its number, from 1.
        record: usize,
        /// The offset of the error in the file, from 0.
        offset: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

/// The unread bytes of the file.
struct RecordReader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl RecordReader<'_> {
    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
        self.offset = self.offset.saturating_add(count);
    }

    fn expect(&mut self, unit: u8, reason: &'static str) -> Result<(), &'static str> {
        if !self.rest.starts_with(&[unit, 0]) {
            return Err(reason);
        }
        self.skip(2);
        Ok(())
    }

    /// Reads a string and its NUL.
    fn string(&mut self, whole: &Bytes, reason: &'static str) -> Result<Bytes, &'static str> {
        let units = self
            .rest
            .chunks_exact(2)
            .position(|unit| unit == [0, 0])
            .ok_or(reason)?;
        let string = slice(whole, self.offset, units * 2);
        self.skip(units * 2 + 2);
        Ok(string)
    }

    fn dword(&mut self, reason: &'static str) -> Result<u32, &'static str> {
        let (number, _) = self.rest.split_first_chunk::<4>().ok_or(reason)?;
        let number = u32::from_le_bytes(*number);
        self.skip(4);
        Ok(number)
    }

    fn record(&mut self, whole: &Bytes) -> Result<Record, &'static str> {
        self.expect(b'[', "a record must begin with [")?;
        let key = self.string(whole, "the key is not terminated")?;
        if key.is_empty() {
            return Err("the key is empty");
        }
        self.expect(b';', "after the key a ; must follow")?;
        let value_name = self.string(whole, "the value name is not terminated")?;
        self.expect(b';', "after the value name a ; must follow")?;
        let value_type = ValueType(self.dword("the type is cut off")?);
        self.expect(b';', "after the type a ; must follow")?;
        let size = self.dword("the size is cut off")?;
        self.expect(b';', "after the size a ; must follow")?;
        let size = usize::try_from(size).map_err(|_| "the size is too large")?;
        if self.rest.len() < size {
            return Err("the data is shorter than its size");
        }
        let data = slice(whole, self.offset, size);
        self.skip(size);
        self.expect(b']', "after the data a ] must follow")?;
        Ok(Record {
            key,
            value_name,
            value_type,
            data,
        })
    }
}

/// A part of the file without copying. Empty parts do not keep the file in memory.
fn slice(whole: &Bytes, start: usize, length: usize) -> Bytes {
    match start.checked_add(length) {
        Some(end) if length > 0 && end <= whole.len() => whole.slice(start..end),
        _ => Bytes::new(),
    }
}

impl RegistryPol {
    /// Reads a file strictly: header, then records with nothing between or after them. The key and the value name must
    /// be NUL-terminated; the data need not be.
    ///
    /// # Errors
    /// [`PolError`] naming the record and the byte.
    pub fn parse(bytes: &Bytes) -> Result<Self, PolError> {
        let rest = bytes.strip_prefix(HEADER).ok_or(PolError::Header)?;
        let mut cursor = RecordReader {
            rest,
            offset: HEADER.len(),
        };
        let mut records = Vec::new();
        while !cursor.rest.is_empty() {
            let record = cursor.record(bytes).map_err(|reason| PolError::Record {
                record: records.len() + 1,
                offset: cursor.offset,
                reason,
            })?;
            records.push(record);
        }
        Ok(Self { records })
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Bytes {
        let length = self
            .records
            .iter()
            .map(|record| 24 + record.key.len() + record.value_name.len() + record.data.len())
            .sum::<usize>();
        let mut out = Vec::with_capacity(HEADER.len() + length);
        out.extend_from_slice(HEADER);
        for record in &self.records {
            out.extend_from_slice(b"[\0");
            out.extend_from_slice(&record.key);
            out.extend_from_slice(b"\0\0;\0");
            out.extend_from_slice(&record.value_name);
            out.extend_from_slice(b"\0\0;\0");
            out.extend_from_slice(&record.value_type.0.to_le_bytes());
            out.extend_from_slice(b";\0");
            // The size field cannot express more than 4 GiB; data comes from a file or a text in memory, which is
            // smaller.
            let size = u32::try_from(record.data.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&size.to_le_bytes());
            out.extend_from_slice(b";\0");
            out.extend_from_slice(&record.data);
            out.extend_from_slice(b"]\0");
        }
        out.into()
    }
}

/// Decodes UTF-16LE; `None` for an odd number of bytes or an unpaired surrogate.
pub fn utf16_text(bytes: &[u8]) -> Option<String> {
    super::text::decode_utf16le(bytes).ok()
}

/// Encodes text as UTF-16LE.
pub fn utf16_bytes(text: &str) -> Bytes {
    let mut bytes = Vec::new();
    super::text::push_utf16le(&mut bytes, text);
    bytes.into()
}

impl Record {
    /// The key as text, for messages; invalid UTF-16 is shown as U+FFFD.
    pub fn key_text(&self) -> String {
        lossy(&self.key)
    }

    /// The value name as text, for messages; invalid UTF-16 is shown as U+FFFD.
    pub fn value_name_text(&self) -> String {
        lossy(&self.value_name)
    }

    /// The string of REG_SZ and REG_EXPAND_SZ, up to its first NUL or the end; `None` for other types and invalid
    /// UTF-16.
    pub fn string(&self) -> Option<String> {
        if !matches!(self.value_type, ValueType::SZ | ValueType::EXPAND_SZ) {
            return None;
        }
        let text = utf16_text(&self.data)?;
        let end = text.find('\0').unwrap_or(text.len());
        text.get(..end).map(str::to_owned)
    }

    /// The same with what follows the first NUL, which some programs read; `None` when nothing does.
    pub fn string_beyond_nul(&self) -> Option<String> {
        let text = utf16_text(&self.data).filter(|_| self.string().is_some())?;
        let text = text.trim_end_matches('\0');
        text.contains('\0').then(|| text.to_owned())
    }

    /// The strings of REG_MULTI_SZ without empty ones; `None` for other types and invalid UTF-16.
    pub fn strings(&self) -> Option<Vec<String>> {
        if self.value_type != ValueType::MULTI_SZ {
            return None;
        }
        let text = utf16_text(&self.data)?;
        let strings = text.split('\0').filter(|string| !string.is_empty());
        Some(strings.map(str::to_owned).collect())
    }

    /// The number of a REG_DWORD of exactly four bytes.
    pub fn dword(&self) -> Option<u32> {
        let number = self.data.as_ref().try_into().ok().map(u32::from_le_bytes)?;
        (self.value_type == ValueType::DWORD).then_some(number)
    }

    /// The number of a REG_QWORD of exactly eight bytes.
    pub fn qword(&self) -> Option<u64> {
        let number = self.data.as_ref().try_into().ok().map(u64::from_le_bytes)?;
        (self.value_type == ValueType::QWORD).then_some(number)
    }
}

fn lossy(utf16: &[u8]) -> String {
    let units = utf16
        .chunks_exact(2)
        .filter_map(|unit| unit.try_into().ok().map(u16::from_le_bytes));
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(key: &str, name: &str, value_type: ValueType, data: &[u8]) -> Record {
        Record {
            key: utf16_bytes(key),
            value_name: utf16_bytes(name),
            value_type,
            data: Bytes::copy_from_slice(data),
        }
    }

    #[test]
    fn layout_of_a_record() {
        let pol = RegistryPol {
            records: vec![record("K", "v;", ValueType::DWORD, &[1, 0, 0, 0])],
        };
        let bytes = pol.to_bytes();
        assert_eq!(
            bytes,
            b"PReg\x01\0\0\0[\0K\0\0\0;\0v\0;\0\0\0;\0\x04\0\0\0;\0\x04\0\0\0;\0\x01\0\0\0]\0"[..]
        );
        assert_eq!(RegistryPol::parse(&bytes), Ok(pol));
        let empty = Bytes::from_static(HEADER);
        assert_eq!(RegistryPol::parse(&empty).unwrap().to_bytes(), empty);
    }

    #[test]
    fn typed_values() {
        let sz = |data: &[u8]| record("k", "", ValueType::SZ, data).string();
        assert_eq!(sz(b"a\0b\0\0\0").as_deref(), Some("ab"));
        assert_eq!(sz(b"a\0b\0").as_deref(), Some("ab"));
        assert_eq!(sz(b"a\0\0\0junk").as_deref(), Some("a"));
        assert_eq!(sz(b"a\0b"), None);
        let multi = record("k", "", ValueType::MULTI_SZ, b"a\0\0\0b\0\0\0\0\0");
        assert_eq!(multi.strings().unwrap(), ["a", "b"]);
        assert_eq!(multi.string(), None);
        assert_eq!(
            record("k", "", ValueType::DWORD, &[2, 1, 0, 0]).dword(),
            Some(258)
        );
        assert_eq!(record("k", "", ValueType::DWORD, &[2]).dword(), None);
        assert_eq!(
            record("k", "", ValueType::QWORD, &[1, 0, 0, 0, 0, 0, 0, 0]).qword(),
            Some(1)
        );
    }

    #[test]
    fn parse_errors_contain_the_record_and_the_byte() {
        let whole = RegistryPol {
            records: vec![
                record("K", "v", ValueType::SZ, b"a\0\0\0"),
                record("K", "w", ValueType::SZ, b"b\0\0\0"),
            ],
        }
        .to_bytes();
        let mut seen = 0;
        for length in 0..whole.len() {
            match RegistryPol::parse(&whole.slice(..length)) {
                Err(PolError::Header) => assert!(length < 8),
                Err(PolError::Record { record, offset, .. }) => {
                    assert!(offset <= length);
                    assert_eq!(record, 1 + usize::from(length > 40), "{length}");
                }
                Ok(pol) => {
                    seen += 1;
                    assert_eq!(pol.to_bytes(), whole.slice(..length));
                }
            }
        }
        assert_eq!(seen, 2);
        let mut long = whole.to_vec();
        long.push(0);
        assert!(RegistryPol::parse(&long.into()).is_err());
        let wrong = Bytes::from_static(b"PReg\x01\0\0\0[\0\0\0;\0");
        assert_eq!(
            RegistryPol::parse(&wrong).unwrap_err().to_string(),
            "record 1 of Registry.pol, at byte 12: the key is empty"
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_rejected_or_round_trip(tail: Vec<u8>) {
            let _ = RegistryPol::parse(&tail.clone().into());
            let bytes: Bytes = [HEADER, &tail].concat().into();
            if let Ok(pol) = RegistryPol::parse(&bytes) {
                prop_assert_eq!(pol.to_bytes(), bytes);
            }
        }

        #[test]
        fn records_round_trip(records in prop::collection::vec(
            ("[a-z;\\[\\]\u{20ac}]{1,6}", "[a-z;\\[\\]]{0,6}", any::<u32>(), any::<Vec<u8>>()), 0..6)
        ) {
            let pol = RegistryPol {
                records: records.iter().map(|(k, n, t, d)| record(k, n, ValueType(*t), d)).collect(),
            };
            prop_assert_eq!(RegistryPol::parse(&pol.to_bytes()), Ok(pol));
        }
    }
}

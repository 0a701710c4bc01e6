//! `.aas` advertise scripts: what Windows Installer runs to advertise a package of software installation [MS-GPSI 2.2.4].
//!
//! A script is a sequence of records. Each begins with a word that contains its operation code and the number of its
//! arguments; each argument begins with a word that contains its type and its length. So a text can grow or shrink
//! without other changes.

use std::ops::Range;

use bytes::Bytes;

use super::registry_pol::{utf16_bytes, utf16_text};

/// An advertise script. Records are located in the bytes on demand; nothing is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvertiseScript {
    bytes: Bytes,
    /// Whether strings of odd length are followed by a padding byte, as [MS-GPSI 2.2.4] requires. Files written by
    /// Windows have no padding.
    padded: bool,
}

/// An argument of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The number of its record, from 1.
    pub record: usize,
    /// The operation code of its record.
    pub opcode: u8,
    /// Its number in the record, from 1.
    pub number: u8,
    /// The number of arguments of the record.
    pub count: u8,
    /// What it is.
    pub kind: ArgumentKind,
    /// Head, data and padding, in bytes of the file.
    span: Range<usize>,
    /// The data, in bytes of the file.
    data: Range<usize>,
}

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArgumentKind {
    /// 8-bit characters; also the type of an empty string.
    Ascii,
    /// A 32-bit number.
    Integer,
    /// Bytes, or nothing at all.
    Binary,
    /// UTF-16LE text.
    Unicode,
}

/// The position of a path in the record SourceListPublish [MS-GPSI 2.2.4.2.3].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourcePath {
    /// `PackagePath`: the package; null in scripts written by Windows.
    PackagePath,
    /// `LaunchPath`: the folder of the package, with a trailing backslash.
    LaunchPath,
}

/// The bytes are not an advertise script, or a text does not fit in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AasError {
    /// The first record is not a header.
    #[error("the file does not begin with the header record of an advertise script")]
    NoHeader,
    /// A record is malformed.
    #[error("record {record}, at byte {offset}: {reason}")]
    BadRecord {
        /// Its number, from 1.
        record: usize,
        /// The offset of the error in the file, from 0.
        offset: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// Whether strings of odd length are padded is detected from the whole script, and the edit would change the
    /// result.
    #[error("after this edit the arguments of the advertise script would be split differently")]
    ReadOtherwise,
    /// A text is too long for an argument.
    #[error("a text of {0} characters is too long for an advertise script")]
    TooLong(usize),
}

/// Header (opcode 2), nine arguments, the first of which is the 32-bit number `IXOS`.
const HEADER: &[u8] = b"\x02\x09\x00\x40IXOS";
const END: u8 = 3;
const SOURCE_LIST_PUBLISH: u8 = 9;

/// The two highest bits of an argument's head are its type.
const TYPE: u16 = 0xC000;
const ASCII: u16 = 0x0000;
const INTEGER: u16 = 0x4000;
const BINARY: u16 = 0x8000;
const UNICODE: u16 = 0xC000;

/// Reads the arguments in order.
struct ArgumentReader<'a> {
    bytes: &'a [u8],
    padded: bool,
    position: usize,
    record: usize,
    opcode: u8,
    count: u8,
    /// The number of arguments of the current record that were read.
    read: u8,
}

impl<'a> ArgumentReader<'a> {
    fn new(bytes: &'a [u8], padded: bool) -> Self {
        Self {
            bytes,
            padded,
            position: 0,
            record: 0,
            opcode: 0,
            count: 0,
            read: 0,
        }
    }

    fn bad(&self, reason: &'static str) -> AasError {
        AasError::BadRecord {
            record: self.record,
            offset: self.position,
            reason,
        }
    }

    fn word(&mut self) -> Result<u16, AasError> {
        let word = self
            .bytes
            .get(self.position..)
            .and_then(|rest| rest.first_chunk::<2>())
            .ok_or_else(|| self.bad("the file is cut off"))?;
        self.position += 2;
        Ok(u16::from_le_bytes(*word))
    }

    /// The next argument; `None` after the last record.
    fn next(&mut self) -> Result<Option<Argument>, AasError> {
        while self.read == self.count {
            let at_end = self.position == self.bytes.len();
            match (self.opcode == END, at_end) {
                (true, true) => return Ok(None),
                (true, false) => return Err(self.bad("something follows the record that ends it")),
                (false, _) => self.record += 1,
            }
            let [opcode, count] = self.word()?.to_le_bytes();
            (self.opcode, self.count, self.read) = (opcode, count, 0);
        }
        self.argument().map(Some)
    }

    fn argument(&mut self) -> Result<Argument, AasError> {
        let start = self.position;
        let head = self.word()?;
        let mut kind = head & TYPE;
        let mut length = usize::from(head & !TYPE);
        if head == UNICODE {
            // Too long for the head: the type and length follow in 32 bits.
            let [low, high] = [self.word()?, self.word()?];
            kind = high & TYPE;
            length = usize::from(high & !TYPE) << 16 | usize::from(low);
        }
        let (kind, length) = match kind {
            ASCII => (ArgumentKind::Ascii, length),
            INTEGER if head == INTEGER => (ArgumentKind::Integer, 4),
            INTEGER => return Err(self.bad("a number has a length")),
            BINARY => (ArgumentKind::Binary, length),
            _ => (ArgumentKind::Unicode, length.saturating_mul(2)),
        };
        let data = self.position..self.position.saturating_add(length);
        let pad = self.padded && length % 2 == 1;
        let end = data.end.saturating_add(usize::from(pad));
        if end > self.bytes.len() {
            return Err(self.bad("an argument is longer than the file"));
        }
        self.position = end;
        self.read += 1;
        Ok(Argument {
            record: self.record,
            opcode: self.opcode,
            number: self.read,
            count: self.count,
            kind,
            span: start..end,
            data,
        })
    }
}

impl AdvertiseScript {
    /// Reads a script strictly: it begins with a header record, ends with an end record, and nothing follows.
    ///
    /// # Errors
    /// [`AasError`] naming the record and the byte.
    pub fn parse(bytes: &Bytes) -> Result<Self, AasError> {
        if !bytes.starts_with(HEADER) {
            return Err(AasError::NoHeader);
        }
        let check = |padded| {
            let mut walk = ArgumentReader::new(bytes, padded);
            while walk.next()?.is_some() {}
            Ok(Self {
                bytes: bytes.clone(),
                padded,
            })
        };
        check(false).or_else(|problem| check(true).map_err(|_| problem))
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// Every argument of every record, in order.
    pub fn arguments(&self) -> impl Iterator<Item = Argument> + '_ {
        let mut walk = ArgumentReader::new(&self.bytes, self.padded);
        std::iter::from_fn(move || walk.next().ok().flatten())
    }

    /// The data of an argument.
    pub fn data(&self, argument: &Argument) -> &[u8] {
        self.bytes.get(argument.data.clone()).unwrap_or_default()
    }

    /// The text of an argument; `None` for a number, for bytes, and for invalid text: non-ASCII 8-bit characters, whose
    /// code page is not known, and unpaired surrogates.
    pub fn text(&self, argument: &Argument) -> Option<String> {
        let data = self.data(argument);
        match argument.kind {
            ArgumentKind::Ascii if data.is_ascii() => String::from_utf8(data.to_vec()).ok(),
            ArgumentKind::Unicode => utf16_text(data),
            _ => None,
        }
    }

    /// The script with the texts of these arguments replaced. Non-ASCII text is written as UTF-16, and so is text that
    /// replaces UTF-16.
    ///
    /// # Errors
    /// [`AasError::TooLong`] for a text of 2^30 characters or more; [`AasError::ReadOtherwise`] when the new script
    /// would parse to other arguments.
    pub fn with_texts(&self, texts: &[(Argument, String)]) -> Result<Self, AasError> {
        let mut texts: Vec<&(Argument, String)> = texts.iter().collect();
        texts.sort_by_key(|(argument, _)| argument.span.start);
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut position = 0;
        for (argument, text) in texts {
            let before = self.bytes.get(position..argument.span.start);
            bytes.extend_from_slice(before.unwrap_or_default());
            self.write_text(&mut bytes, argument.kind, text)?;
            position = position.max(argument.span.end);
        }
        bytes.extend_from_slice(self.bytes.get(position..).unwrap_or_default());
        let bytes = bytes.into();
        match Self::parse(&bytes) {
            Ok(new) if new.padded == self.padded => Ok(new),
            _ => Err(AasError::ReadOtherwise),
        }
    }

    fn write_text(
        &self,
        bytes: &mut Vec<u8>,
        old: ArgumentKind,
        text: &str,
    ) -> Result<(), AasError> {
        let ascii = old != ArgumentKind::Unicode && text.is_ascii();
        let (kind, data, length) = if ascii {
            (ASCII, Bytes::copy_from_slice(text.as_bytes()), text.len())
        } else {
            let data = utf16_bytes(text);
            let length = data.len() / 2;
            (UNICODE, data, length)
        };
        match u16::try_from(length) {
            // The head 0xC000 announces a longer head, so write an empty text as 8-bit text.
            Ok(0) => bytes.extend_from_slice(&ASCII.to_le_bytes()),
            Ok(short) if short & TYPE == 0 => {
                bytes.extend_from_slice(&(kind | short).to_le_bytes());
            }
            _ => {
                let long = u32::try_from(length).ok().filter(|long| *long < 1 << 30);
                let long = long.ok_or(AasError::TooLong(length))? | u32::from(kind) << 16;
                bytes.extend_from_slice(&UNICODE.to_le_bytes());
                bytes.extend_from_slice(&long.to_le_bytes());
            }
        }
        bytes.extend_from_slice(&data);
        if self.padded && data.len() % 2 == 1 {
            bytes.push(0);
        }
        Ok(())
    }
}

impl Argument {
    /// The path of SourceListPublish in this argument, if it is one.
    pub fn source_path(&self) -> Option<SourcePath> {
        match self.number {
            _ if self.opcode != SOURCE_LIST_PUBLISH => None,
            4 => Some(SourcePath::PackagePath),
            last if last == self.count => Some(SourcePath::LaunchPath),
            _ => None,
        }
    }

    /// The name of its record [MS-GPSI 2.2.4.1]; `None` for records that [MS-GPSI] does not describe.
    pub fn record_name(&self) -> Option<&'static str> {
        Some(match self.opcode {
            2 => "Header",
            END => "End",
            4 => "ProductInfo",
            SOURCE_LIST_PUBLISH => "SourceListPublish",
            16 => "ProductPublish",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn script(launch: &[u8], padded: bool) -> Bytes {
        let mut bytes = HEADER.to_vec();
        for _ in 0..8 {
            bytes.extend_from_slice(b"\x00\x40\x01\x00\x00\x00");
        }
        // An odd text, a null, an empty text, a long run of bytes.
        bytes.extend_from_slice(b"\x04\x04\x03\x00abc");
        if padded {
            bytes.push(0);
        }
        bytes.extend_from_slice(b"\x00\x80\x00\x00\x00\xC0\x02\x00\x00\x80\xFF\xFE");
        bytes.extend_from_slice(b"\x8A\x00\x09\x05\x00\x80\x00\x80\x00\x80");
        bytes.extend_from_slice(b"\x0A\x00\\\\s\\a\\b.ms");
        bytes.extend_from_slice(launch);
        bytes.extend_from_slice(b"\x03\x01\x00\x40\x00\x00\x00\x00");
        bytes.into()
    }

    fn paths(script: &AdvertiseScript) -> Vec<(Argument, SourcePath, String)> {
        script
            .arguments()
            .filter_map(|a| Some((a.clone(), a.source_path()?, script.text(&a)?)))
            .collect()
    }

    #[test]
    fn replaces_only_the_paths() {
        for padded in [false, true] {
            let bytes = script(b"\x06\x00\\\\s\\a\\", padded);
            let read = AdvertiseScript::parse(&bytes).unwrap();
            assert_eq!((read.padded, read.to_bytes()), (padded, bytes.clone()));
            let found = paths(&read);
            let shown: Vec<_> = found.iter().map(|(_, p, t)| (*p, t.as_str())).collect();
            assert_eq!(
                shown,
                [
                    (SourcePath::PackagePath, r"\\s\a\b.ms"),
                    (SourcePath::LaunchPath, r"\\s\a\"),
                ]
            );
            let long = format!("\\\\server\\{}\\", "x".repeat(0x4000));
            let edits = [
                (found[0].0.clone(), "\\\\s\u{fc}d\\a\\b.ms".to_owned()),
                (found[1].0.clone(), long.clone()),
            ];
            let new = read.with_texts(&edits).unwrap();
            let again = AdvertiseScript::parse(&new.to_bytes()).unwrap();
            assert_eq!(again, new);
            let found = paths(&again);
            assert_eq!(found[0].2, "\\\\s\u{fc}d\\a\\b.ms");
            assert_eq!(found[0].0.kind, ArgumentKind::Unicode);
            assert_eq!(found[1].2, long);
            // Back again. UTF-16 stays UTF-16.
            let back = [(found[1].0.clone(), r"\\s\a\".to_owned())];
            let back = again.with_texts(&back).unwrap().to_bytes();
            let odd = b"\x0B\xC0".len() + "\\\\s\u{fc}d\\a\\b.ms".encode_utf16().count() * 2;
            assert_eq!(back.len(), bytes.len() - 12 + odd);
            let nothing = again.with_texts(&[(found[0].0.clone(), String::new())]);
            let nothing = AdvertiseScript::parse(&nothing.unwrap().to_bytes()).unwrap();
            assert_eq!(paths(&nothing)[0].2, "");
        }
    }

    #[test]
    fn errors_contain_the_record_and_the_byte() {
        let good = script(b"\x06\x00\\\\s\\a\\", false);
        let say = |bytes: Vec<u8>| {
            let error = AdvertiseScript::parse(&bytes.into()).unwrap_err();
            error.to_string()
        };
        let header = "the file does not begin with the header record of an advertise script";
        assert_eq!(say(b"PReg".to_vec()), header);
        assert_eq!(say(Vec::new()), header);
        let mut trailing = good.to_vec();
        trailing.push(0);
        assert_eq!(
            say(trailing),
            "record 5, at byte 113: something follows the record that ends it"
        );
        let cut = "record 2, at byte 56: the file is cut off";
        assert_eq!(say(good[..57].to_vec()), cut);
        let long = "record 2, at byte 60: an argument is longer than the file";
        assert_eq!(say(good[..62].to_vec()), long);
        let mut number = good.to_vec();
        number[8] = 1;
        assert_eq!(say(number), "record 1, at byte 10: a number has a length");
        // Characters of an unknown code page are kept and not read.
        let read = AdvertiseScript::parse(&script(b"\x06\x00\\\\s\\\xE4\\", false)).unwrap();
        assert_eq!(paths(&read).len(), 1);
    }

    proptest! {
        #[test]
        fn round_trips_accepted_files_and_never_panics(
            noise in prop::collection::vec(any::<u8>(), 0..60),
            text in "[a\\\\\u{e4}\u{1f600}]{0,20}",
            at in 0_usize..120,
            byte: u8,
        ) {
            let mut bytes = script(b"\x06\x00\\\\s\\a\\", false).to_vec();
            if let Some(there) = bytes.get_mut(at) { *there = byte; }
            for bytes in [Bytes::from(bytes), [HEADER, &noise].concat().into()] {
                let Ok(read) = AdvertiseScript::parse(&bytes) else { continue };
                prop_assert_eq!(read.to_bytes(), bytes);
                let edits: Vec<_> = paths(&read).into_iter().map(|(a, ..)| (a, text.clone())).collect();
                let new = match read.with_texts(&edits) {
                    Ok(new) => new,
                    Err(error) => {
                        prop_assert_eq!(error, AasError::ReadOtherwise);
                        continue;
                    }
                };
                let again = AdvertiseScript::parse(&new.to_bytes()).unwrap();
                prop_assert!(paths(&again).into_iter().all(|(.., t)| t == text));
            }
        }
    }
}

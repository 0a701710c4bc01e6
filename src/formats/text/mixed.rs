//! Text that is not in the encoding of its file everywhere: bytes that were lost, added or appended by a tool that did not know it.
//! Windows reads such a place as other characters, so it is not what it seems there, and not what it was meant to be.

use super::TextError;

/// Looks for a place in UTF-16 that was another encoding. `offset` is the number of bytes before the units; `is_low_first` their order.
pub(super) fn check_units(
    units: impl Iterator<Item = u16>,
    offset: usize,
    is_low_first: bool,
) -> Result<(), TextError> {
    let (mut shifted, mut eight_bit) = (Run::default(), Run::default());
    let mut last_is_pair = false;
    for (index, unit) in units.enumerate() {
        let [high, low] = unit.to_be_bytes();
        let place = |length: usize| {
            offset.saturating_add((index + 1).saturating_sub(length).saturating_mul(2))
        };
        // Latin text, a byte off. U+3000 is a blank and U+4E00 a character of its own in East Asian text.
        shifted.next(
            low == 0 && is_plain(high),
            unit,
            !matches!(unit, 0x3000 | 0x4E00),
        );
        if shifted.length >= 4 && shifted.distinct >= 3 {
            return Err(TextError::Shifted(place(shifted.length)));
        }
        // Two characters of 8-bit text in each unit. Half of them are East Asian characters, so that it takes many to tell.
        let is_pair = is_plain(low) && is_plain(high);
        eight_bit.next(is_pair, unit, true);
        // U+0A0D does not exist, and no East Asian character precedes one of Gurmukhi (U+0A..) or Malayalam (U+0D..).
        let (first, second) = if is_low_first {
            (low, high)
        } else {
            (high, low)
        };
        let is_line_end = is_low_first
            && matches!(second, b'\r' | b'\n')
            && ((first, second) == (b'\r', b'\n')
                || (last_is_pair && is_plain(first) && first > b'\r'));
        if is_line_end || (eight_bit.length >= 16 && eight_bit.distinct >= 4) {
            return Err(TextError::EightBitInside(place(eight_bit.length)));
        }
        last_is_pair = is_pair && low > b'\r' && high > b'\r';
    }
    Ok(())
}

/// Looks for a byte order mark at the start of a line: where files were joined. To Windows it is a character of the line, so that
/// `[Section]` behind it begins no section.
pub(super) fn check_marks(text: &str, marks: &[&str]) -> Result<(), TextError> {
    for (index, line) in text.split('\n').enumerate() {
        if marks.iter().any(|mark| line.starts_with(mark)) {
            return Err(TextError::MarkInside(index + 1));
        }
    }
    Ok(())
}

/// A byte of Latin text.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t')
}

/// Units of one kind, one after the other.
#[derive(Default)]
struct Run {
    length: usize,
    /// How many times another unit than the one before it was in it.
    distinct: usize,
    last: Option<u16>,
}

impl Run {
    fn next(&mut self, belongs: bool, unit: u16, counts: bool) {
        if !belongs {
            *self = Self::default();
            return;
        }
        self.length += 1;
        if counts && self.last != Some(unit) {
            self.distinct += 1;
            self.last = Some(unit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{TextEncoding, decode};
    use super::*;

    /// UTF-16LE without a mark.
    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn wide_be(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_be_bytes).collect()
    }

    /// A file in UTF-16LE with its mark, of these parts.
    fn marked(parts: &[&[u8]]) -> Vec<u8> {
        [&[b"\xFF\xFE".as_slice()], parts].concat().concat()
    }

    #[test]
    fn bytes_that_are_not_what_they_seem() {
        use TextError::{
            EightBitInside, MarkInside, NotUtf8, OddLength, Shifted, UnpairedSurrogate,
        };
        let head = wide("[Logon]\r\n");
        let line = wide("0CmdLine=\\\\fs1\\a\\b.cmd\r\n");
        let n = 2 + head.len();
        let rows: &[(&str, Vec<u8>, Result<(), TextError>)] = &[
            ("as it should be", marked(&[&head, &line]), Ok(())),
            (
                "a line end of one byte, and another one",
                marked(&[&head, b"\n", &line, b"\n"]),
                Err(Shifted(n + 2)),
            ),
            (
                "a carriage return of one byte, twice",
                marked(&[&head, b"\r", &line, b"\r"]),
                Err(Shifted(n + 2)),
            ),
            (
                "a byte lost, and another one",
                marked(&[&head, &line[1..], &line[1..]]),
                Err(Shifted(n)),
            ),
            (
                "a byte lost",
                marked(&[&head, &line[1..]]),
                Err(OddLength(n + line.len() - 1)),
            ),
            (
                "a byte more",
                marked(&[&head, b"\n", &line]),
                Err(OddLength(n + 1 + line.len())),
            ),
            (
                "shifted from the start",
                marked(&[b"x", &line, b"y"]),
                Err(Shifted(4)),
            ),
            (
                "four characters shifted",
                marked(&[&head, b"\n", &wide("a=12"), b"\n", &line]),
                Err(Shifted(n + 2)),
            ),
            (
                "8-bit text behind, with CR LF",
                marked(&[&head, b"0CmdLine=x.cmd\r\n"]),
                Err(EightBitInside(n)),
            ),
            (
                "a short line in 8 bits behind",
                marked(&[&head, b"a=12\r\n"]),
                Err(EightBitInside(n)),
            ),
            (
                "a short line in 8 bits with LF",
                marked(&[&head, b"a=123\n"]),
                Err(EightBitInside(n)),
            ),
            (
                "8-bit text between",
                marked(&[&head, b"0CmdLine=x.cmd\r\n", &line]),
                Err(EightBitInside(n)),
            ),
            (
                "8-bit text without a line end",
                marked(&[&head, b"0CmdLine=\\\\fs1\\apps\\x.cmd /quiet  "]),
                Err(EightBitInside(n)),
            ),
            (
                "only the mark is UTF-16",
                marked(&[b"[Logon]\r\n0CmdLine=xy\r\n\r\n"]),
                Err(EightBitInside(2)),
            ),
            (
                "a second mark",
                marked(&[b"\xFF\xFE", &head]),
                Err(MarkInside(1)),
            ),
            (
                "two files in one",
                marked(&[&head, b"\xFF\xFE", &line]),
                Err(MarkInside(2)),
            ),
            (
                "a mark within a line",
                marked(&[&wide("a=\u{feff}b\r\n")]),
                Ok(()),
            ),
            (
                "a lone surrogate",
                marked(&[&head, b"\x00\xD8"]),
                Err(UnpairedSurrogate(n)),
            ),
            (
                "high byte first, as it should be",
                [b"\xFE\xFF".to_vec(), wide_be("[Logon]\r\n")].concat(),
                Ok(()),
            ),
            (
                "high byte first, shifted",
                [
                    b"\xFE\xFF\n".to_vec(),
                    wide_be("[Logon]\r\nabc"),
                    b"\n".to_vec(),
                ]
                .concat(),
                Err(Shifted(2)),
            ),
            (
                "high byte first, 8-bit text",
                [
                    b"\xFE\xFF".to_vec(),
                    b"0CmdLine=\\\\fs1\\apps\\x.cmd /quiet \n".to_vec(),
                ]
                .concat(),
                Err(EightBitInside(2)),
            ),
            (
                "the other mark",
                [b"\xFE\xFF".to_vec(), head.clone()].concat(),
                Err(Shifted(2)),
            ),
            (
                "the other mark, high byte first",
                marked(&[&wide_be("[Logon]\r\n")]),
                Err(Shifted(2)),
            ),
            (
                "UTF-8 behind its mark",
                b"\xEF\xBB\xBF[Logon]\r\n".to_vec(),
                Ok(()),
            ),
            (
                "UTF-8 with two marks",
                b"\xEF\xBB\xBF\xEF\xBB\xBF[Logon]\r\n".to_vec(),
                Err(MarkInside(1)),
            ),
            (
                "two files of UTF-8 in one",
                b"\xEF\xBB\xBF[a]\r\nb=1\r\n\xEF\xBB\xBF[c]\r\n".to_vec(),
                Err(MarkInside(3)),
            ),
            (
                "the second one has a mark",
                b"[a]\r\nb=1\r\n\xEF\xBB\xBF[c]\r\n".to_vec(),
                Err(MarkInside(3)),
            ),
            (
                "8-bit text, then UTF-8 with a mark",
                b"[a]\r\nb=\xFC\r\n\xEF\xBB\xBF[c]\r\n".to_vec(),
                Err(MarkInside(3)),
            ),
            (
                "the mark of UTF-8 before UTF-16",
                [b"\xEF\xBB\xBF".to_vec(), marked(&[&head])].concat(),
                Err(NotUtf8(3)),
            ),
            (
                "8-bit text with umlauts",
                b"[a]\r\nb=\xFC\xE4\r\n".to_vec(),
                Ok(()),
            ),
            (
                "Chinese",
                marked(&[&wide(
                    "[a]\r\nb=上一个组策略对象的说明文字，包括中文标点。一　一　一　\r\n",
                )]),
                Ok(()),
            ),
            (
                "Japanese blanks",
                marked(&[&wide("b=　　　　　　\r\n")]),
                Ok(()),
            ),
            ("Gurmukhi", marked(&[&wide("b=ਲਲਲਲ ਲ\r\n")]), Ok(())),
            ("Malayalam", marked(&[&wide("b=ഊഊഊ ഊ\r\n")]), Ok(())),
            ("Korean", marked(&[&wide("b=그룹 정책 개체\r\n")]), Ok(())),
        ];
        assert!(rows.len() >= 35);
        for (what, bytes, expected) in rows {
            assert_eq!(&decode(bytes).map(|_| ()), expected, "{what}");
        }
    }

    /// UTF-16 without a mark that is cut or shifted is refused: it holds NULs, which no format accepts.
    #[test]
    fn without_a_mark_it_is_seen_by_its_nuls() {
        let line = wide("0CmdLine=\\\\fs1\\a\\b.cmd\r\n");
        for bytes in [
            line[1..].to_vec(),
            [line.as_slice(), b"\n"].concat(),
            [line.as_slice(), b"a=1\r\n".as_slice()].concat(),
            wide_be("[Logon]\r\n"),
        ] {
            let (encoding, text) = decode(&bytes).unwrap();
            assert!(text.contains('\0'), "{encoding}: {text:?}");
            let ini = crate::formats::ini::IniFile::parse_text_only(&bytes);
            assert!(matches!(ini, Err(TextError::Nul(_))), "{ini:?}");
        }
        assert_eq!(
            decode(&line).unwrap().0,
            TextEncoding::Utf16Le { bom: false }
        );
    }
}

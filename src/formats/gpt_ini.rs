//! GPT.INI: the version of the SYSVOL part [MS-GPOL 2.2.4]. Its other lines and its encoding are preserved.

use super::ini::IniFile;
use super::text::TextError;
use crate::model::version::GpoVersion;

/// GPT.INI cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GptIniError {
    /// The bytes are not text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// `Version` is not a 32-bit number.
    #[error("Version of [General] in GPT.INI is \"{}\", not a number from 0 to 4294967295", .0.escape_debug())]
    NotANumber(String),
}

/// The version in `[General]`; `None` when there is no such key.
///
/// # Errors
/// [`GptIniError`] when the file contradicts its byte order mark or `Version` does not begin with a 32-bit number. As
/// `GetPrivateProfileInt` does, characters after the digits are ignored.
pub fn read_version(bytes: &[u8]) -> Result<Option<GpoVersion>, GptIniError> {
    let ini = IniFile::parse(bytes)?;
    let Some(value) = ini.value("General", "Version") else {
        return Ok(None);
    };
    let digits = value.split(|c: char| !c.is_ascii_digit()).next();
    match digits.unwrap_or_default().parse() {
        Ok(number) => Ok(Some(GpoVersion::from_combined(number))),
        Err(_) => Err(GptIniError::NotANumber(value.to_owned())),
    }
}

/// The same file with another version; all other bytes are unchanged. A missing key or section is added.
///
/// # Errors
/// [`GptIniError::Text`] when the file contradicts its byte order mark, or when the edited file would be detected as
/// another encoding; use [`create`] to replace it.
pub fn write_version(bytes: &[u8], version: GpoVersion) -> Result<Vec<u8>, GptIniError> {
    let mut ini = IniFile::parse(bytes)?;
    ini.set("General", "Version", &version.combined().to_string());
    Ok(ini.to_bytes()?)
}

/// A new file that contains only a version.
pub fn create(version: GpoVersion) -> Vec<u8> {
    format!("[General]\r\nVersion={}\r\n", version.combined()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_of_another_encoding_within_it_does_not_decide() {
        let version = GpoVersion::from_combined(1);
        let bytes = [b"[General]\r\nxy=", &b"a\0"[..].repeat(40)[..], b"a"].concat();
        for bytes in [bytes.clone(), [&bytes[..], b"b"].concat()] {
            assert_eq!(read_version(&bytes), Ok(None));
            let new = write_version(&bytes, version).unwrap();
            assert_eq!(read_version(&new), Ok(Some(version)));
            assert!(new.windows(bytes.len()).any(|part| part == bytes));
        }
    }

    #[test]
    fn reads_and_writes_the_version_only() {
        let version = GpoVersion::from_combined(196_610);
        assert_eq!(read_version(&create(version)), Ok(Some(version)));
        for (before, after) in [
            (
                &b"[General]\r\nVersion=0\r\ndisplayName=\x90V\x82\xB5\x82\xA2\x85\r\n"[..],
                &b"[General]\r\nVersion=196610\r\ndisplayName=\x90V\x82\xB5\x82\xA2\x85\r\n"[..],
            ),
            (b"[general]\nversion = 7", b"[general]\nversion = 196610"),
            (
                b"[General]\r\ndisplayName=N",
                b"[General]\r\ndisplayName=N\r\nVersion=196610",
            ),
            (b"", b"[General]\r\nVersion=196610\r\n"),
        ] {
            assert_eq!(write_version(before, version).unwrap(), after);
            assert_eq!(read_version(after), Ok(Some(version)));
        }
    }

    #[test]
    fn a_missing_version_is_not_an_error() {
        assert_eq!(read_version(b"[Other]\r\nVersion=1\r\n"), Ok(None));
        assert_eq!(read_version(b"[General]\r\nVersion=3 ;x"), {
            Ok(Some(GpoVersion::from_combined(3)))
        });
        for bad in ["", "x", "-1", "4294967296"] {
            let file = format!("[General]\r\nVersion={bad}\r\n");
            assert_eq!(
                read_version(file.as_bytes()),
                Err(GptIniError::NotANumber(bad.to_owned()))
            );
        }
    }

    proptest! {
        #[test]
        fn a_written_version_is_read_again(bytes: Vec<u8>, number: u32) {
            let _ = read_version(&bytes);
            let version = GpoVersion::from_combined(number);
            if let Ok(written) = write_version(&bytes, version) {
                prop_assert_eq!(read_version(&written), Ok(Some(version)));
            }
        }
    }
}

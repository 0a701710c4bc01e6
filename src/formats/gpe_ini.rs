//! GPE.INI: the edit counts of extensions, maintained by the Preferences editor. Clients do not read it.

use super::ini::IniFile;
use super::text::TextError;
use crate::model::guid::Guid;

/// A GPE.INI: a view on an INI file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpeIni {
    /// The lines.
    pub ini: IniFile,
}

/// An extension that was edited: `[{CSE}{tool}:version]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditedExtension {
    /// The extension, followed by the tools that edited it.
    pub guids: Vec<Guid>,
    /// The edit count.
    pub version: u32,
}

/// The bytes are not a GPE.INI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpeIniError {
    /// The bytes are not text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A list of extensions is malformed.
    #[error("line {0}: not a list of extensions of the form [{{GUID}}{{GUID}}:version]")]
    BadList(usize),
}

/// The keys, for the machine and the user.
const KEYS: [&str; 2] = ["MachineExtensionVersions", "UserExtensionVersions"];

impl GpeIni {
    /// Reads a file.
    ///
    /// # Errors
    /// [`GpeIniError`] naming the line.
    pub fn parse(bytes: &[u8]) -> Result<Self, GpeIniError> {
        let ini = IniFile::parse_text_only(bytes)?;
        for line in ini.lines().filter(|line| line.is_in("General")) {
            if let Some((key, value)) = line.pair()
                && KEYS.iter().any(|known| key.eq_ignore_ascii_case(known))
            {
                list(value).ok_or(GpeIniError::BadList(line.number))?;
            }
        }
        Ok(Self { ini })
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// As [`IniFile::to_bytes`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, TextError> {
        self.ini.to_bytes()
    }

    /// The extensions of the machine and of the user.
    pub fn extensions(&self) -> [Vec<EditedExtension>; 2] {
        KEYS.map(|key| {
            let value = self.ini.value("General", key);
            value.and_then(list).unwrap_or_default()
        })
    }
}

fn list(value: &str) -> Option<Vec<EditedExtension>> {
    let mut found = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let (block, after) = rest.strip_prefix('[')?.split_once(']')?;
        let (guids, version) = block.split_once(':')?;
        let guids = guids.split_inclusive('}');
        found.push(EditedExtension {
            guids: guids.map(|guid| guid.parse().ok()).collect::<Option<_>>()?,
            version: version.parse().ok()?,
        });
        rest = after;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_of_both_halves() {
        let text = "[General]\nMachineExtensionVersions=[{AADCED64-746C-4633-A97C-D61349046527}{CAB54552-DEEA-4691-817E-ED4A4D1AFC72}:13]\nUserExtensionVersions=[{728EE579-943C-4519-9EF7-AB56765798ED}:5][{17D89FEC-5C44-4972-B12D-241CAEF74509}{79F92669-4224-476C-9C5C-6EFB4D87DF4A}:7]\n";
        let file = GpeIni::parse(text.as_bytes()).unwrap();
        assert_eq!(file.to_bytes().unwrap(), text.as_bytes());
        let [machine, user] = file.extensions();
        assert_eq!((machine.len(), machine[0].guids.len()), (1, 2));
        assert_eq!(machine[0].version, 13);
        let versions: Vec<u32> = user.iter().map(|extension| extension.version).collect();
        assert_eq!(versions, [5, 7]);
        assert_eq!(GpeIni::parse(b"").unwrap().extensions(), [vec![], vec![]]);
    }

    #[test]
    fn refuses_another_list() {
        for value in [
            "x",
            "[{x}:1]",
            "[{728EE579-943C-4519-9EF7-AB56765798ED}:]",
            "[:1",
            "[]",
        ] {
            let text = format!("[General]\r\nUserExtensionVersions={value}\r\n");
            assert_eq!(
                GpeIni::parse(text.as_bytes()),
                Err(GpeIniError::BadList(2)),
                "{value}"
            );
        }
    }
}

//! Where references stand. One visitor per file format; scanning is visiting with [`Rewrite::Keep`].

mod fdeploy;
mod gpt_tmpl;
mod registry_pol;
mod scripts;
pub mod software;
mod text;

use bytes::Bytes;

use crate::formats::fdeploy::Fdeploy;
use crate::formats::gpt_tmpl::GptTmpl;
use crate::formats::registry_pol::RegistryPol;
use crate::formats::scripts::Scripts;
use crate::message::StatusMessage;
use crate::model::reference::{Place, Scope};
use crate::model::safe_name::RelPath;
use crate::model::sid::Sid;

/// A reference met while visiting a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it names.
    pub target: FoundTarget,
    /// Where it stands.
    pub place: Place,
    /// Whether GPMC maps this place.
    pub scope: Scope,
}

/// What a reference names, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundTarget {
    /// A SID, without the `*` of GptTmpl.inf. `text` is its spelling in the file.
    Sid {
        /// The SID.
        sid: Sid,
        /// Its spelling.
        text: String,
    },
    /// A principal's name as text.
    Name(String),
    /// A principal by SID and name side by side, as in Preferences; both change together.
    SidAndName {
        /// The SID.
        sid: Sid,
        /// The name as it stands: `DOMAIN\name` or a bare name.
        name: String,
    },
    /// A UNC path.
    Unc {
        /// The path as it stands.
        text: String,
        /// The part GPMC inventories and compares: the whole path, or the folder of a package or script.
        unit: String,
    },
}

/// What is to become of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rewrite {
    /// It stays, byte for byte.
    Keep,
    /// It names this principal from now on. The visitor writes the form the setting needs: the SID where a SID is
    /// possible, the name only where `sid` is `None` or the setting holds a name.
    Principal {
        /// The SID in the target domain; `None` for free text that does not resolve.
        sid: Option<Sid>,
        /// The name: `DOMAIN\name` for a principal of a domain, the English name for a well-known one.
        name: String,
    },
    /// The UNC path becomes this text (the whole path, not only the unit).
    Unc(String),
    /// It is taken out of the setting.
    Remove,
}

/// Decides about each reference.
pub type Visitor<'a> = dyn FnMut(&Found) -> Rewrite + 'a;

/// What came of visiting a file.
#[derive(Debug, Clone, Default)]
pub struct Visited {
    /// The new bytes, when anything changed.
    pub bytes: Option<Bytes>,
    /// What was noticed: lists that became empty, sections that collide, places that could not be rewritten.
    pub messages: Vec<StatusMessage>,
}

/// The format of a file of the GPT, told by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GptFileFormat {
    /// `Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf`
    GptTmpl,
    /// `Machine\Registry.pol`, `User\Registry.pol`
    RegistryPol,
    /// `User\Documents & Settings\fdeploy.ini`
    Fdeploy,
    /// `User\Documents & Settings\fdeploy1.ini`
    Fdeploy1,
    /// `…\Scripts\scripts.ini`
    Scripts,
    /// `…\Scripts\psscripts.ini`
    PsScripts,
}

impl GptFileFormat {
    /// The format of the file at this path below the GPO's folder; `None` for a file without references we know of.
    pub fn of(path: &RelPath) -> Option<Self> {
        let folded = path.folded();
        let (half, rest) = folded.split_once('/')?;
        match (half, rest) {
            ("machine", "microsoft/windows nt/secedit/gpttmpl.inf") => Some(Self::GptTmpl),
            ("machine" | "user", "registry.pol") => Some(Self::RegistryPol),
            ("user", "documents & settings/fdeploy.ini") => Some(Self::Fdeploy),
            ("user", "documents & settings/fdeploy1.ini") => Some(Self::Fdeploy1),
            ("machine" | "user", "scripts/scripts.ini") => Some(Self::Scripts),
            ("machine" | "user", "scripts/psscripts.ini") => Some(Self::PsScripts),
            _ => None,
        }
    }

    /// The name of the format in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::GptTmpl => "GptTmpl.inf",
            Self::RegistryPol => "Registry.pol",
            Self::Fdeploy => "fdeploy.ini",
            Self::Fdeploy1 => "fdeploy1.ini",
            Self::Scripts => "scripts.ini",
            Self::PsScripts => "psscripts.ini",
        }
    }
}

/// Visits every reference of a file of the GPT. A file of a format without references is fine, and has none.
///
/// # Errors
/// Why the file does not parse; it is then to be carried as it is.
pub fn visit_file(
    path: &RelPath,
    bytes: &Bytes,
    visitor: &mut Visitor<'_>,
) -> Result<Visited, String> {
    let file = path.to_string();
    match GptFileFormat::of(path) {
        Some(GptFileFormat::GptTmpl) => gpt_tmpl::visit(&file, bytes, visitor),
        Some(GptFileFormat::RegistryPol) => registry_pol::visit(&file, bytes, visitor),
        Some(GptFileFormat::Fdeploy | GptFileFormat::Fdeploy1) => {
            fdeploy::visit(&file, bytes, visitor)
        }
        Some(GptFileFormat::Scripts) => scripts::visit(&file, bytes, Scope::Gpmc, visitor),
        Some(GptFileFormat::PsScripts) => scripts::visit(&file, bytes, Scope::All, visitor),
        None => Ok(Visited::default()),
    }
}

/// Whether a file parses and is written back byte for byte: the format's name, or the reason why it is carried verbatim.
/// `None` for a format that is not looked into.
pub fn check_format(path: &RelPath, bytes: &Bytes) -> Option<Result<&'static str, String>> {
    let format = GptFileFormat::of(path)?;
    let written = match format {
        GptFileFormat::GptTmpl => GptTmpl::parse(bytes)
            .and_then(|file| file.to_bytes())
            .map_err(|problem| problem.to_string()),
        GptFileFormat::RegistryPol => RegistryPol::parse(bytes)
            .map(|file| file.to_bytes().to_vec())
            .map_err(|problem| problem.to_string()),
        GptFileFormat::Fdeploy | GptFileFormat::Fdeploy1 => Fdeploy::parse(bytes)
            .and_then(|file| file.to_bytes())
            .map_err(|problem| problem.to_string()),
        GptFileFormat::Scripts | GptFileFormat::PsScripts => Scripts::parse(bytes)
            .and_then(|file| file.to_bytes())
            .map_err(|problem| problem.to_string()),
    };
    Some(match written {
        Ok(written) if written == *bytes => Ok(format.name()),
        Ok(_) => Err("it would not be written back byte for byte".to_owned()),
        Err(reason) => Err(reason),
    })
}

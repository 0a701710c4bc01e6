//! Finds and rewrites references. Each file format has one visitor; scanning is a visit that returns [`Rewrite::Keep`]
//! for every reference.

mod aas;
mod audit;
mod context;
mod fdeploy;
mod firewall;
mod gpt_tmpl;
mod list;
mod other_lines;
mod preferences;
mod registry_pol;
mod scripts;
pub mod software;
#[cfg(test)]
mod tests;
mod text;
mod unc_search;

use bytes::Bytes;

use crate::formats;
use crate::formats::ini::IniFile;

use crate::message::{Code, StatusMessage};
use crate::model::reference::{Place, Scope};
use crate::model::safe_name::RelPath;
use crate::model::shared_text::SharedText;
use crate::model::sid::Sid;

/// A reference found while visiting a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Its target.
    pub target: ReferenceTarget,
    /// Its location.
    pub place: Place,
    /// Whether GPMC maps this place.
    pub scope: Scope,
}

/// The target of a reference, as written in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceTarget {
    /// A SID, without the `*` of GptTmpl.inf.
    Sid {
        /// The SID.
        sid: Sid,
        /// Its spelling in the file.
        text: String,
    },
    /// A principal's name as text.
    Name(String),
    /// The name of a computer, without the `$` of its account. Never a user or group of the same name.
    Computer(String),
    /// A domain or an organizational unit: not a principal, but mapped by rows of the type Unknown.
    Label(String),
    /// A principal by SID and name, as in Preferences; both are rewritten together.
    SidAndName {
        /// The SID.
        sid: Sid,
        /// The name as written: `DOMAIN\name` or a bare name.
        name: String,
    },
    /// A UNC path.
    Unc {
        /// The path, unchanged.
        text: String,
        /// The unit that GPMC inventories and compares: the whole path, or the folder of a package or script.
        unit: String,
    },
}

impl ReferenceTarget {
    /// The name, for a reference by name only.
    pub fn name_alone(&self) -> Option<&str> {
        match self {
            Self::Name(name) | Self::Computer(name) | Self::Label(name) => Some(name),
            Self::Sid { .. } | Self::SidAndName { .. } | Self::Unc { .. } => None,
        }
    }
}

/// The new value of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rewrite {
    /// Unchanged, byte for byte.
    Keep,
    /// This principal. The visitor writes the form that the setting needs: the SID where a SID is possible, the name
    /// only where `sid` is `None` or the setting contains a name.
    Principal {
        /// The SID in the target domain; `None` for free text that cannot be resolved.
        sid: Option<Sid>,
        /// The name: `DOMAIN\name` for a principal of a domain, the English name for a well-known one.
        name: String,
    },
    /// This UNC path (the whole path, not only the unit).
    Unc(String),
    /// Removed from the setting.
    Remove,
}

/// Returns the new value of each reference. The order of the calls is that of the file and does not depend on what they return: a
/// mapping finds its decisions by it.
pub type Visitor<'a> = dyn FnMut(&Occurrence) -> Rewrite + 'a;

/// The result of visiting a file.
#[derive(Debug, Clone, Default)]
pub struct Visited {
    /// The new bytes, if anything changed.
    pub bytes: Option<Bytes>,
    /// Findings: lists that became empty, sections that collide, places that could not be rewritten.
    pub messages: Vec<StatusMessage>,
}

/// The format of a file of the GPT, given by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GptFileFormat {
    /// `…\Applications\{GUID}.aas`
    Aas,
    /// `Machine\Microsoft\Windows NT\Audit\audit.csv`
    AuditCsv,
    /// `Machine\comment.cmtx`, `User\comment.cmtx`
    CommentCmtx,
    /// `GPE.INI`, `Group Policy\GPE.INI`
    GpeIni,
    /// `GPO.cmt`
    GpoCmt,
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
    /// `…\Preferences\Groups\Groups.xml` and the other Preferences files
    Preferences,
}

impl GptFileFormat {
    /// The format of the file at this path below the GPO's folder; `None` for any other file, such as a script or an
    /// installer.
    pub fn of(path: &RelPath) -> Option<Self> {
        let folded = path.folded();
        match folded.as_str() {
            "gpo.cmt" => return Some(Self::GpoCmt),
            "gpe.ini" | "group policy/gpe.ini" => return Some(Self::GpeIni),
            _ => {}
        }
        let (half, rest) = folded.split_once('/')?;
        match (half, rest) {
            ("machine", "microsoft/windows nt/secedit/gpttmpl.inf") => Some(Self::GptTmpl),
            ("machine", "microsoft/windows nt/audit/audit.csv") => Some(Self::AuditCsv),
            ("machine" | "user", "comment.cmtx") => Some(Self::CommentCmtx),
            ("machine" | "user", "registry.pol") => Some(Self::RegistryPol),
            ("user", "documents & settings/fdeploy.ini") => Some(Self::Fdeploy),
            ("user", "documents & settings/fdeploy1.ini") => Some(Self::Fdeploy1),
            ("machine" | "user", "scripts/scripts.ini") => Some(Self::Scripts),
            ("machine" | "user", "scripts/psscripts.ini") => Some(Self::PsScripts),
            ("machine" | "user", file)
                if file.starts_with("preferences/") && file.ends_with(".xml") =>
            {
                Some(Self::Preferences)
            }
            ("machine" | "user", rest) => {
                let script = rest.strip_prefix("applications/")?.strip_suffix(".aas")?;
                (!script.contains('/')).then_some(Self::Aas)
            }
            _ => None,
        }
    }

    /// The name of the format in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aas => "advertise script",
            Self::AuditCsv => "audit.csv",
            Self::CommentCmtx => "comment.cmtx",
            Self::GpeIni => "GPE.INI",
            Self::GpoCmt => "GPO.cmt",
            Self::GptTmpl => "GptTmpl.inf",
            Self::RegistryPol => "Registry.pol",
            Self::Fdeploy => "fdeploy.ini",
            Self::Fdeploy1 => "fdeploy1.ini",
            Self::Scripts => "scripts.ini",
            Self::PsScripts => "psscripts.ini",
            Self::Preferences => "Preferences",
        }
    }
}

/// Visits the references of a file of the GPT and rewrites them as the visitor returns. Files of formats without
/// references are skipped.
///
/// # Errors
/// The reason why the file cannot be parsed, one sentence with the line or record. The caller copies the file
/// unchanged.
pub fn visit_file(
    path: &RelPath,
    bytes: &Bytes,
    visitor: &mut Visitor<'_>,
) -> Result<Visited, String> {
    let Some(format) = GptFileFormat::of(path) else {
        return Ok(Visited::default());
    };
    let file = SharedText::from(path.to_string());
    let mut context = context::Context::new(visitor, bytes.len());
    let ini = match format {
        GptFileFormat::Aas | GptFileFormat::RegistryPol | GptFileFormat::Preferences => {
            let bytes = match format {
                GptFileFormat::Aas => aas::visit(&file, bytes, &mut context)?,
                GptFileFormat::Preferences => preferences::visit(&file, bytes, &mut context)?,
                _ => registry_pol::visit(&file, bytes, &mut context)?,
            };
            return Ok(Visited {
                bytes,
                messages: context.messages.finish(Some(Place::file(&file))),
            });
        }
        // A comment may mention a principal or a path, but clients ignore it; GPE.INI contains neither.
        GptFileFormat::CommentCmtx | GptFileFormat::GpeIni | GptFileFormat::GpoCmt => {
            return Ok(Visited::default());
        }
        GptFileFormat::AuditCsv => audit::visit(&file, bytes, &mut context)?,
        GptFileFormat::GptTmpl => gpt_tmpl::visit(&file, bytes, &mut context)?,
        GptFileFormat::Fdeploy | GptFileFormat::Fdeploy1 => {
            fdeploy::visit(&file, bytes, &mut context)?
        }
        GptFileFormat::Scripts => scripts::visit(&file, bytes, Scope::Gpmc, &mut context)?,
        GptFileFormat::PsScripts => scripts::visit(&file, bytes, Scope::All, &mut context)?,
    };
    let mut messages = context.messages.finish(Some(Place::file(&file)));
    let new = match ini.to_bytes() {
        Ok(new) if new.as_slice() == bytes.as_ref() => None,
        Ok(new) => Some(Bytes::from(new)),
        Err(error) => {
            let text = format!("the file was not changed: {error}");
            messages.push(StatusMessage::error(Code::NotEncodable, text).at(Place::file(file)));
            None
        }
    };
    let marked = |bytes: &[u8]| bytes.starts_with(&[0xFF, 0xFE]);
    if new.as_ref().is_some_and(|new| marked(new)) && !marked(bytes) {
        let text = "the file was converted from ASCII to UTF-16 because a new name is not ASCII";
        let place = Place::file(path.to_string());
        messages.push(StatusMessage::info(Code::EncodingChanged, text).at(place));
    }
    Ok(Visited {
        bytes: new,
        messages,
    })
}

/// Checks whether a file parses and is written again byte for byte. Returns the name of its format, or the reason of
/// the failure in one sentence; `None` for a format that [`GptFileFormat`] does not know. The file itself is copied
/// unchanged in every case.
pub fn check_format(path: &RelPath, bytes: &Bytes) -> Option<Result<&'static str, String>> {
    let format = GptFileFormat::of(path)?;
    Some(read_again(format, bytes).and_then(|again| {
        if again == *bytes {
            Ok(format.name())
        } else {
            Err("writing the file again would not give the same bytes".to_owned())
        }
    }))
}

/// Reads a file with the parser of its format and writes it again.
fn read_again(format: GptFileFormat, bytes: &Bytes) -> Result<Bytes, String> {
    fn said(error: impl ToString) -> String {
        error.to_string()
    }
    match format {
        GptFileFormat::Aas => formats::aas::AdvertiseScript::parse(bytes)
            .map(|script| script.to_bytes())
            .map_err(said),
        GptFileFormat::RegistryPol => formats::registry_pol::RegistryPol::parse(bytes)
            .map(|pol| pol.to_bytes())
            .map_err(said),
        GptFileFormat::Preferences => formats::preferences::Preferences::parse(bytes)
            .map(|preferences| preferences.to_bytes().into())
            .map_err(said),
        GptFileFormat::CommentCmtx => formats::comment_cmtx::Comments::parse(bytes)
            .map(|comments| comments.to_bytes().into())
            .map_err(said),
        GptFileFormat::GpoCmt => formats::gpo_cmt::GpoComment::parse(bytes)
            .map(|comment| comment.to_bytes().into())
            .map_err(said),
        GptFileFormat::AuditCsv => formats::audit_csv::AuditCsv::parse(bytes)
            .map_err(said)
            .and_then(|audit| audit.to_bytes().map_err(said))
            .map(Bytes::from),
        GptFileFormat::GpeIni => formats::gpe_ini::GpeIni::parse(bytes)
            .map_err(said)
            .and_then(|gpe| gpe.to_bytes().map_err(said))
            .map(Bytes::from),
        GptFileFormat::GptTmpl
        | GptFileFormat::Fdeploy
        | GptFileFormat::Fdeploy1
        | GptFileFormat::Scripts
        | GptFileFormat::PsScripts => IniFile::parse_text_only(bytes)
            .and_then(|ini| ini.to_bytes())
            .map(Bytes::from)
            .map_err(said),
    }
}

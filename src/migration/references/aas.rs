//! References in advertise scripts: where clients look for the package.

use crate::message::Code;
use bytes::Bytes;

use super::context::{Context, TextRewrite};
use super::text::{RewrittenText, may_hold_reference};
use super::unc_search::leading_unc_path;
use crate::formats::aas::{AdvertiseScript, Argument, SourcePath};
use crate::model::reference::{Place, Scope};
use crate::model::shared_text::SharedText;
use crate::model::unc_path::UncPath;

/// Visits the arguments in order. The two paths of the source list are compared as `msiFileList` is, by the package's folder, and in
/// the same scope: a client takes the package from either [MS-GPSI 3.2.5.2].
pub(super) fn visit(
    file: &SharedText,
    bytes: &Bytes,
    context: &mut Context<'_, '_>,
) -> Result<Option<Bytes>, String> {
    let script = AdvertiseScript::parse(bytes).map_err(|error| error.to_string())?;
    let mut edits: Vec<(Argument, String)> = Vec::new();
    for argument in script.arguments() {
        let place = || place(file, &argument);
        let Some(text) = script.text(&argument) else {
            if argument.source_path().is_some() && !script.data(&argument).is_empty() {
                let what = "the path contains characters of an unknown code page, so it was not checked for references";
                context.warning(Code::UnreadText, what, &place());
            }
            continue;
        };
        let unit = match argument.source_path() {
            Some(source) => leading_unc_path(&text)
                .and_then(|(head, tail)| Some((unit_of(source, &head, tail)?, head, tail))),
            None => None,
        };
        if let Some((unit, head, tail)) = unit {
            match context.unc(head.as_str(), &unit, &place(), Scope::Gpmc) {
                TextRewrite::Keep => {}
                TextRewrite::Replace(new) => edits.push((argument, new + tail)),
                TextRewrite::Remove => context.refuse_removal(&text, &place()),
            }
            continue;
        }
        if !may_hold_reference(&text) {
            continue;
        }
        match context.free_text(&text, &place(), Scope::All) {
            RewrittenText::Unchanged => {}
            RewrittenText::Changed(new) => edits.push((argument, new)),
            RewrittenText::Removed => context.refuse_removal(&text, &place()),
        }
    }
    if edits.is_empty() {
        return Ok(None);
    }
    match script.with_texts(&edits) {
        Ok(new) => Ok(Some(new.to_bytes())),
        Err(error) => {
            let text = format!("the file was not changed: {error}");
            context.error(Code::NotEncodable, text, &Place::file(file));
            Ok(None)
        }
    }
}

fn place(file: &SharedText, argument: &Argument) -> Place {
    let record = argument.record_name();
    let key = match argument.source_path() {
        Some(SourcePath::PackagePath) => "PackagePath".to_owned(),
        Some(SourcePath::LaunchPath) => "LaunchPath".to_owned(),
        None => format!("argument {}", argument.number),
    };
    Place::file(file)
        .section(record.map_or_else(|| format!("opcode {}", argument.opcode), str::to_owned))
        .key(key)
        .line(argument.record)
}

/// The package's folder.
fn unit_of(source: SourcePath, head: &UncPath, tail: &str) -> Option<String> {
    let text = head.as_str();
    let folder = match source {
        SourcePath::PackagePath if tail.is_empty() => head.parent()?.to_string(),
        _ => text.strip_suffix('\\').unwrap_or(text).to_owned(),
    };
    Some(folder)
}

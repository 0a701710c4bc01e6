//! The GPT.INI that a plan writes.

use crate::formats::gpt_ini;
use crate::message::{Code, StatusMessage};
use crate::model::version::GpoVersion;

/// GPT.INI with this version: `old` with all its other lines; a new file when there is none or it cannot be read.
pub(crate) fn new_gpt_ini(
    old: Option<&[u8]>,
    version: GpoVersion,
    messages: &mut Vec<StatusMessage>,
) -> Vec<u8> {
    match old.map(|bytes| gpt_ini::write_version(bytes, version)) {
        Some(Ok(bytes)) => bytes,
        Some(Err(problem)) => {
            messages.push(StatusMessage::warning(
                Code::GptIniReplaced,
                format!("GPT.INI of the target cannot be read, so it is replaced: {problem}"),
            ));
            gpt_ini::create(version)
        }
        None => gpt_ini::create(version),
    }
}

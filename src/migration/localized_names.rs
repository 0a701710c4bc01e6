//! Well-known principals under the names of a localized version of Windows.

use crate::message::{Code, StatusMessage, printable};
use crate::model::reference::Place;
use crate::model::well_known;
use crate::model::well_known::localized::localized;

/// The note for a reference with such a name; `None` for any other text.
pub(super) fn localized_name_in(name: &str, place: &Place) -> Option<StatusMessage> {
    let known = localized(name)?;
    let english = well_known::name_of(&known.sid).unwrap_or_default();
    Some(
        StatusMessage::info(
            Code::LocalizedName,
            format!(
                "\"{}\" is {} ({english}), but only machines in {} understand this name",
                printable(name),
                known.sid,
                known.languages
            ),
        )
        .at(place.clone())
        .with_hint("write the SID or the English name in the source, or add a row to it"),
    )
}

//! The display name of a new GPO.

use super::DomainSession;
use crate::error::{Error, ErrorKind, Result};
use crate::model::guid::Guid;

/// Two GPOs may have the same name, but gpoctl does not create a second one. `own` is a GPO that may have it already.
///
/// # Errors
/// `Usage` for a name that is not valid; `Conflict` when another GPO has it.
pub(crate) async fn name_is_free(
    session: &DomainSession,
    name: &str,
    own: Option<Guid>,
) -> Result<()> {
    let bad_name = |hint: &str| {
        let shown = crate::message::printable(name);
        Error::new(
            ErrorKind::Usage,
            format!("\"{shown}\" is not a valid display name"),
        )
        .with_hint(hint)
    };
    if name.trim().is_empty() || name.chars().any(char::is_control) || name.chars().count() > 255 {
        return Err(bad_name(
            "use 1 to 255 characters, and no control characters",
        ));
    }
    // Commands and scripts identify GPOs by GUID; a name that looks like one would be misleading.
    if name.trim().parse::<Guid>().is_ok() {
        return Err(bad_name("use a name that does not look like a GUID"));
    }
    let taken = session.directory().gpos().await?.into_iter().find(|gpo| {
        Some(gpo.guid) != own && gpo.display_name.to_lowercase() == name.to_lowercase()
    });
    match taken {
        None => Ok(()),
        Some(gpo) => Err(Error::new(
            ErrorKind::Conflict,
            format!("a GPO named \"{name}\" exists already: {}", gpo.guid),
        )
        .with_hint("choose another name")),
    }
}

//! The permissions of a GPO's files in the forms of all versions of Samba.

use crate::error::{ErrorKind, Result};
use crate::model::guid::Guid;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::{FileEntries, SecurityDescriptor, file_descriptor};
use crate::plan::gpo::FileContent;
use crate::session::DomainSession;

/// The two descriptors that are derived from the directory. A plan that was made without asking the server has the one that other files
/// of the domain have, which may be that of another version: without entries that deny, or with object entries.
pub(super) struct FileForms {
    /// Which one the server has accepted; `None` when it was not asked.
    known: Option<FileEntries>,
    derived: Option<[(FileEntries, SecurityDescriptor); 2]>,
}

impl FileForms {
    /// Derives them from the container of a GPO as it is. Not on Windows, where files inherit.
    ///
    /// # Errors
    /// As the directory reports; a GPO that does not exist has no forms.
    pub(super) async fn of(session: &DomainSession, guid: Guid) -> Result<Self> {
        if !session.info().is_samba() {
            return Ok(Self::derived_from(session, &[]));
        }
        match session.directory().gpo(guid).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Self::derived_from(session, &[]))
            }
            other => Ok(Self::derived_from(session, &other?.security_descriptor)),
        }
    }

    /// Derives them from the descriptor of a container; there are none if it cannot be used.
    pub(super) fn derived_from(session: &DomainSession, container: &[u8]) -> Self {
        let derived = SecurityDescriptor::parse(container).and_then(|directory| {
            let of = |entries| {
                file_descriptor(&directory, entries).map(|derived| (entries, derived.descriptor))
            };
            Ok([
                of(FileEntries::WithObjectAces)?,
                of(FileEntries::WithoutObjectAces)?,
            ])
        });
        Self {
            known: session.sysvol().file_entries(),
            derived: derived.ok(),
        }
    }

    /// Whether the server refuses one of the two.
    pub(super) fn is_one_refused(&self) -> bool {
        self.known == Some(FileEntries::WithoutObjectAces)
    }

    /// What is set in place of the descriptor of a change that replaces another one. A repair does not replace what the server wants, so
    /// where that is replaced, a repair is taken back, and what the server stores is set as it is.
    pub(super) fn to_set(&self, planned: &FileContent, replaced: &FileContent) -> FileContent {
        match !self.is_one_refused() && self.is_derived(&replaced.0) {
            true => planned.clone(),
            false => self.for_server(planned),
        }
    }

    /// What this server wants in place of a planned descriptor. One that is not derived from the directory stays.
    pub(super) fn for_server(&self, planned: &FileContent) -> FileContent {
        let wanted = self.known.and_then(|known| {
            let forms = self.derived.as_ref()?;
            if !self.is_derived(&planned.0) {
                return None;
            }
            let (_, wanted) = forms.iter().find(|(entries, _)| *entries == known)?;
            wanted.to_bytes().ok()
        });
        wanted.map_or_else(|| planned.clone(), |wanted| FileContent(wanted.into()))
    }

    /// What this server stores when it gets a planned descriptor; `None` when it refuses that.
    pub(super) fn stored(&self, planned: &FileContent) -> Option<FileContent> {
        let wanted = self.for_server(planned);
        // Object entries are left out when it is sent.
        let is_stored = |entries: FileEntries| {
            SecurityDescriptor::parse(&wanted.0)
                .is_ok_and(|it| entries.stores(&it.without_object_aces()))
        };
        match self.known {
            Some(FileEntries::WithoutObjectAces) => is_stored(FileEntries::WithoutObjectAces),
            _ => true,
        }
        .then_some(wanted)
    }

    /// Whether a file has what a plan says, in the form that the server wants. Where that is not known, in either form.
    pub(super) fn are_of(&self, found: &[u8], planned: &FileContent) -> bool {
        if self.known.is_none() {
            return self.is_derived(found) && self.is_derived(&planned.0);
        }
        let (Ok(found), Ok(wanted)) = (
            SecurityDescriptor::parse(found),
            SecurityDescriptor::parse(&self.for_server(planned).0),
        ) else {
            return false;
        };
        to_sddl(&found) == to_sddl(&wanted)
    }

    fn is_derived(&self, descriptor: &[u8]) -> bool {
        let Ok(descriptor) = SecurityDescriptor::parse(descriptor) else {
            return false;
        };
        let text = to_sddl(&descriptor);
        let mut forms = self.derived.iter().flatten();
        forms.any(|(_, form)| to_sddl(form) == text)
    }
}

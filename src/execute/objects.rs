//! Writes the objects below a GPO.

use crate::directory::DirectoryWriter;
use crate::error::Result;
use crate::model::allowed_object::AllowedObject;
use crate::model::directory_object::DirectoryObject;
use crate::model::guid::Guid;
use crate::plan::objects::{ObjectChanges, forbidden};

/// Applies the changes.
///
/// # Errors
/// As the writer; changes made before the error are kept.
pub(super) async fn reconcile(
    directory: &DirectoryWriter,
    guid: Guid,
    changes: &ObjectChanges<'_>,
) -> Result<()> {
    let allow = |object: &DirectoryObject| AllowedObject::new(object.clone()).map_err(forbidden);
    let mut change = Vec::new();
    for (old, new) in &changes.change {
        change.push((old, allow(new)?));
    }
    let add = changes.add.iter().copied().map(allow);
    let add = add.collect::<Result<Vec<_>>>()?;
    directory.delete_children(guid, &changes.remove).await?;
    for (old, new) in &change {
        directory.change_child(guid, old, new).await?;
    }
    for object in &add {
        directory.add_child(guid, object).await?;
    }
    Ok(())
}

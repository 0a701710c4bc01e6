//! `gpoctl man`

mod arguments;
pub(super) mod page;

use std::path::{Path, PathBuf};

use clap::Args;

use super::ui::Ui;
use crate::backup::folder::{Folder, SHARED_FILE};
use crate::error::{Error, ErrorKind, Result};
use page::{Page, pages};

/// Print a manual page, or write all of them to a folder
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl man import | man -l -\n  gpoctl man --to /usr/local/share/man/man1"
)]
pub(super) struct ManArgs {
    /// Command, or one of the topics connection, migration-tables and codes; by default gpoctl itself
    #[arg(value_name = "COMMAND|TOPIC", conflicts_with = "to")]
    words: Vec<String>,

    /// Existing folder for the pages of all commands and topics; if it is named man1, the topics are written to man7 beside it
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, ui: &Ui) -> Result<u8> {
    let pages = pages();
    if let Some(dir) = &args.to {
        for page in &pages {
            let dir = folder(dir, page);
            write(&dir, page).map_err(|cause| {
                Error::new(
                    ErrorKind::Internal,
                    format!(
                        "cannot write the manual page {} to {}",
                        page.file_name(),
                        dir.display()
                    ),
                )
                .with_hint("name an existing folder that you may write to")
                .with_source(cause)
            })?;
        }
        return Ok(0);
    }
    let name = std::iter::once("gpoctl")
        .chain(args.words.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join("-");
    let page = pages
        .into_iter()
        .find(|page| page.name == name)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Usage,
                format!("there is no manual page for \"{}\"", args.words.join(" ")),
            )
            .with_hint("to list the commands: gpoctl help")
        })?;
    ui.document("page", &page.text)?;
    Ok(0)
}

/// man looks for a page in the folder of its section.
fn folder(dir: &Path, page: &Page) -> PathBuf {
    if page.section != 1 && dir.file_name().is_some_and(|name| name == "man1") {
        dir.with_file_name(format!("man{}", page.section))
    } else {
        dir.to_owned()
    }
}

/// Writes a page in one step, replacing an older one; a link of its name is replaced and not followed.
pub(super) fn write(dir: &Path, page: &Page) -> std::io::Result<()> {
    if page.section != 1 && !dir.exists() {
        let (above, name) = Folder::of_file(dir)?;
        above.make_shared_folder(name)?;
    }
    Folder::open_to_write(dir)?.replace(page.file_name(), page.text.as_bytes(), SHARED_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_go_to_their_own_section() {
        let root = tempfile::tempdir().unwrap();
        let man1 = root.path().join("man1");
        std::fs::create_dir(&man1).unwrap();
        for page in pages() {
            write(&folder(&man1, &page), &page).unwrap();
        }
        assert!(man1.join("gpoctl-migtable-populate.1").exists());
        assert!(root.path().join("man7/gpoctl-connection.7").exists());
        assert!(root.path().join("man7/gpoctl-codes.7").exists());
        assert!(!man1.join("gpoctl-connection.7").exists());
    }

    #[test]
    #[ignore = "needs root"]
    fn no_folder_is_made_through_a_link_of_another_user() {
        use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};

        let root = tempfile::tempdir().unwrap();
        let there = root.path().join("there");
        std::fs::create_dir(&there).unwrap();
        let link = root.path().join("link");
        symlink("there", &link).unwrap();
        let pages = pages();
        let topic = pages.iter().find(|page| page.section == 7).unwrap();
        write(&link.join("man7"), topic).unwrap();
        let made = std::fs::metadata(there.join("man7")).unwrap();
        let usual = root.path().join("usual");
        std::fs::create_dir(&usual).unwrap();
        let usual = std::fs::metadata(usual).unwrap();
        assert_eq!(made.permissions().mode(), usual.permissions().mode());
        lchown(&link, Some(65_534), Some(65_534)).unwrap();
        write(&link.join("man8"), topic).unwrap_err();
        assert!(!there.join("man8").exists());
    }
}

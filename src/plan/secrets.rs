//! Stored passwords in the settings of a GPO (MS14-025): reported wherever settings are read, and written into another GPO only
//! on request. Their values are not returned; the files that contain them are unchanged.

use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::formats::preferences::passwords::{Search, search};
use crate::message::{Code, Severity, StatusMessage, printable};
use crate::model::gpt_tree::GptTree;
use crate::model::reference::Place;

/// A warning for every password that is stored in a Preferences file of the tree. A file that is not well-formed
/// XML, but seems to contain one, is named as a whole.
pub fn stored_passwords(tree: &GptTree) -> Vec<StatusMessage> {
    let mut found = Vec::new();
    for (path, content) in tree.files() {
        let file = Place::file(path.to_string());
        match search(path, content) {
            Search::Nothing => {}
            Search::Suspected => {
                found.push(message("a password seems to be stored here").at(file));
            }
            Search::Found { passwords, more } => {
                found.extend(passwords.into_iter().map(|stored| {
                    let place = file.clone().section(stored.place.path);
                    let whose = match stored.user.as_str() {
                        "" => String::new(),
                        user => format!(" of \"{}\"", printable(user)),
                    };
                    message(&format!("the password{whose} is stored here"))
                        .at(place.line(stored.place.line).key("cpassword"))
                }));
                if more {
                    found.push(message("another password seems to be stored here").at(file));
                }
            }
        }
    }
    found
}

fn message(what: &str) -> StatusMessage {
    StatusMessage::warning(
        Code::StoredPassword,
        format!(
            "{what} under a key that is public, for every account of the domain to read (MS14-025)"
        ),
    )
    .with_hint("remove it, and give the account another password")
}

/// The warnings of [`stored_passwords`], for settings that are about to be written into a GPO.
///
/// # Errors
/// `BadInput` when there are passwords and they are not allowed; each is a detail of the error.
pub fn refuse_passwords(tree: &GptTree, allow: bool) -> Result<Vec<StatusMessage>> {
    let found = stored_passwords(tree);
    if allow || found.is_empty() {
        return Ok(found);
    }
    let details = found.into_iter().map(|message| StatusMessage {
        severity: Severity::Error,
        ..message
    });
    let details: Vec<StatusMessage> = details.collect();
    let what = match details.len() {
        1 => "a stored password".to_owned(),
        number => format!("{number} stored passwords"),
    };
    Err(Error::new(
        ErrorKind::BadInput,
        format!("the settings hold {what} (cpassword), and nothing was written"),
    )
    .with_hint("take them out of the source GPO, or allow them")
    .with_remedy(Remedy::AllowPasswords)
    .with_details(details))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const VALUE: &str = "j1Uyj3Vx8TY9LtLZil2uAuZkFQA/4latT76ZwgdHdhw";

    fn tree(files: &[(&str, &str)]) -> GptTree {
        let mut tree = GptTree::new();
        for (path, text) in files {
            tree.insert_file(&path.parse().unwrap(), Bytes::from((*text).to_owned()));
        }
        tree
    }

    #[test]
    fn every_password_is_named_with_its_place_and_never_with_its_value() {
        let drives = format!(
            "<Drives><Drive clsid='1' uid='2' name='K:'>\n<Properties userName='SRC\\u' cpassword='{VALUE}'/></Drive><Drive><Properties cpassword=''/></Drive></Drives>"
        );
        let comment = format!("<Files><!-- <User CPassword = '{VALUE}'/> --></Files>");
        let both = drives.replace(
            "<Drives>",
            &format!("<Drives><!-- cpassword=\"{VALUE}\" -->"),
        );
        let broken = format!("<Groups><User cpassword=\"{VALUE}\">");
        // What a reader of XML takes for a password.
        let references = drives.replace(VALUE, &VALUE.replace('A', "&#65;"));
        let declared = format!("<!DOCTYPE a [<!ATTLIST a cpassword CDATA '{VALUE}'>]><a/>");
        let tree = tree(&[
            ("User/PREFERENCES/Drives/Drives.xml", &drives),
            ("Machine/Preferences/Groups/Groups.xml", &broken),
            ("Machine/Preferences/Groups/Groups.xml.backup", &broken),
            ("Machine/Scripts/x.xml", &drives),
            ("Machine/Scripts/y.txt", "cpassword='' cpassword=x"),
            ("User/Preferences/Files/Files.xml", &comment),
            ("User/Preferences/Drives/Old.xml", &both),
            ("User/Scripts/references.xml", &references),
            ("User/Scripts/type.xml", &declared),
        ]);
        let found = stored_passwords(&tree);
        let shown: Vec<String> = found
            .iter()
            .map(|message| message.place.as_ref().unwrap().to_string())
            .collect();
        assert_eq!(
            shown,
            [
                "Machine\\Preferences\\Groups\\Groups.xml",
                "Machine\\Preferences\\Groups\\Groups.xml.backup",
                "Machine\\Scripts\\x.xml",
                "User\\PREFERENCES\\Drives\\Drives.xml:2 [/Drives/Drive[1][@name='K:']/Properties] cpassword",
                "User\\Preferences\\Drives\\Old.xml:2 [/Drives/Drive[1][@name='K:']/Properties] cpassword",
                "User\\Preferences\\Drives\\Old.xml",
                "User\\Preferences\\Files\\Files.xml",
                "User\\Scripts\\references.xml",
                "User\\Scripts\\type.xml",
            ]
        );
        assert!(found[3].text.contains("\"SRC\\u\""));
        let error = refuse_passwords(&tree, false).unwrap_err();
        assert_eq!(error.details().len(), shown.len());
        for (detail, message) in error.details().iter().zip(&found) {
            assert_eq!(detail.severity, Severity::Error);
            assert_eq!(detail.place, message.place);
        }
        assert!(!format!("{error} {error:?} {found:?}").contains(VALUE));
        assert_eq!(refuse_passwords(&tree, true).unwrap(), found);
        assert_eq!(refuse_passwords(&GptTree::new(), false).unwrap(), []);
    }
}

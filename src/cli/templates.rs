//! Administrative templates from a folder, to name registry policies.

use std::path::{Path, PathBuf};

use clap::Args;

use super::ui::counted;
use crate::backup::folder::read_named;
use crate::error::{Error, ErrorKind, Result};
use crate::formats::adml::Adml;
use crate::formats::admx::Admx;
use crate::message::{Code, StatusMessage};
use crate::model::reference::Place;
use crate::settings::templates::Templates;

/// The language that is used where the wanted one has no texts.
const FALLBACK: &str = "en-US";
/// The largest template that is read, in bytes; the largest of Microsoft's have 2 MB.
const MAX_BYTES: usize = 64 << 20;

/// Where the names of registry policies come from.
#[derive(Debug, Clone, Args)]
pub(super) struct TemplateArgs {
    /// Folder of administrative templates (*.admx and the folders of their languages), such as PolicyDefinitions; registry values
    /// are shown as the policies that they belong to
    #[arg(long, value_name = "DIR")]
    admx: Option<PathBuf>,

    /// Language of the policies; en-US for templates without it
    #[arg(long, value_name = "LANGUAGE", default_value = FALLBACK, requires = "admx")]
    language: String,
}

impl TemplateArgs {
    /// Reads the templates, and what could not be used of them.
    ///
    /// # Errors
    /// `Usage` when the folder cannot be read or has no templates, or the language is not one.
    pub(super) fn read(&self) -> Result<(Templates, Vec<StatusMessage>)> {
        let Some(folder) = &self.admx else {
            return Ok(Default::default());
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if self.language.is_empty() || !self.language.chars().all(plain) {
            let text = format!("\"{}\" is not a language", self.language.escape_debug());
            return Err(Error::new(ErrorKind::Usage, text).with_hint("use a name such as de-DE"));
        }
        let names = templates_in(folder)?;
        let (mut read, mut messages) = (Vec::new(), Vec::new());
        let languages = self.languages(folder, &names, &mut messages);
        let mut without_texts = Vec::new();
        for path in names.iter().filter(|path| has_extension(path, "admx")) {
            let Some(template) = parsed(path, Admx::parse, &mut messages) else {
                continue;
            };
            for one in &template.ignored {
                let place = Place::file(path.display().to_string()).line(one.line);
                let text = format!("a part of the template is not used: {}", one.reason);
                messages.push(StatusMessage::warning(Code::TemplateUnread, text).at(place));
            }
            let texts = path.with_extension("adml");
            let texts = texts.file_name().unwrap_or_default().to_string_lossy();
            let files: Vec<&PathBuf> = languages
                .iter()
                .filter_map(|names| find(names, &texts))
                .collect();
            if files.is_empty() && !template.policies.is_empty() {
                without_texts.push(path);
            }
            let mut files = files.into_iter();
            let texts = files.find_map(|path| parsed(path, Adml::parse, &mut messages));
            read.push((template, texts));
        }
        // Without any folder of a language, that was reported.
        if let (Some(first), false) = (without_texts.first(), languages.is_empty()) {
            messages.push(self.no_texts(first, without_texts.len()));
        }
        Ok((Templates::new(&read), messages))
    }
}

impl TemplateArgs {
    /// The files in the folders of the wanted language and of the one that replaces it.
    fn languages(
        &self,
        folder: &Path,
        names: &[PathBuf],
        messages: &mut Vec<StatusMessage>,
    ) -> Vec<Vec<PathBuf>> {
        let mut wanted = vec![self.language.as_str()];
        if !self.language.eq_ignore_ascii_case(FALLBACK) {
            wanted.push(FALLBACK);
        }
        let mut found = Vec::new();
        for language in wanted.iter().filter_map(|language| find(names, language)) {
            match names_in(language) {
                Ok(files) => found.push(files),
                Err(cause) => {
                    let text = format!("the texts of the templates cannot be read: {cause}");
                    let place = Place::file(language.display().to_string());
                    messages.push(StatusMessage::warning(Code::TemplateUnread, text).at(place));
                }
            }
        }
        if found.is_empty() && messages.is_empty() {
            let text = format!(
                "the folder of templates has no folder {}, so policies are shown with the names that the templates use",
                wanted.join(" or ")
            );
            messages.push(
                StatusMessage::warning(Code::TemplateUnread, text)
                    .at(Place::file(folder.display().to_string()))
                    .with_hint("copy the folder of a language there, or name another language with --language"),
            );
        }
        found
    }

    /// The finding that templates have no texts.
    fn no_texts(&self, first: &Path, number: usize) -> StatusMessage {
        let more = match number {
            1 => String::new(),
            number => format!(
                " and {}",
                counted(number.saturating_sub(1), "other template")
            ),
        };
        let name = first.file_name().unwrap_or_default().to_string_lossy();
        let have = if number == 1 { "has" } else { "have" };
        let text = format!(
            "{name}{more} {have} no texts in {}, so policies are shown with the names that the templates use",
            self.language
        );
        StatusMessage::warning(Code::TemplateUnread, text)
            .with_hint("copy the *.adml files of these templates into the folder of the language")
    }
}

/// The entries of a folder of templates.
///
/// # Errors
/// `Usage` when it cannot be read, or has no templates.
fn templates_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let shown = folder.display();
    let fault = |text: String| {
        Error::new(ErrorKind::Usage, text).with_hint(
            "give --admx the folder that contains the *.admx files, such as a copy of PolicyDefinitions on SYSVOL",
        )
    };
    let names = names_in(folder).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => {
            fault(format!("the folder of templates {shown} does not exist"))
        }
        std::io::ErrorKind::NotADirectory => fault(format!("{shown} is not a folder")),
        _ => fault(format!("cannot read the folder of templates {shown}")).with_source(cause),
    })?;
    if !names.iter().any(|path| has_extension(path, "admx")) {
        return Err(fault(format!("there are no templates (*.admx) in {shown}")));
    }
    Ok(names)
}

/// The entries of a folder, sorted.
fn names_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut names = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// The entry with this name: Windows ignores case.
fn find<'a>(names: &'a [PathBuf], name: &str) -> Option<&'a PathBuf> {
    names.iter().find(|path| {
        path.file_name()
            .is_some_and(|own| own.to_string_lossy().eq_ignore_ascii_case(name))
    })
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension()
        .is_some_and(|own| own.eq_ignore_ascii_case(extension))
}

/// A file, or a message about it.
fn parsed<T, E: std::fmt::Display>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> std::result::Result<T, E>,
    messages: &mut Vec<StatusMessage>,
) -> Option<T> {
    let read = read_named(path, MAX_BYTES).and_then(|bytes| match bytes.len() {
        length if length > MAX_BYTES => Err(std::io::Error::other("it is too large")),
        _ => Ok(bytes),
    });
    let read = match read {
        Ok(bytes) => parse(&bytes).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    read.map_err(|reason| {
        let text = format!("the template cannot be read and is not used: {reason}");
        let place = Place::file(path.display().to_string());
        messages.push(StatusMessage::warning(Code::TemplateUnread, text).at(place));
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMESPACE: &str = "http://schemas.microsoft.com/GroupPolicy/2006/07/PolicyDefinitions";

    fn template(name: &str, class: &str) -> String {
        format!(
            "<policyDefinitions xmlns='{NAMESPACE}'><policyNamespaces><target prefix='a' namespace='{name}'/></policyNamespaces><policies>\n<policy name='{name}' class='{class}' displayName='$(string.X)' key='K' valueName='v'/></policies></policyDefinitions>"
        )
    }

    /// A named pipe would wait for somebody to write into it, and a device never ends.
    #[test]
    fn only_regular_files_are_read_as_templates() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("a.admx");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let endless = folder.path().join("b.admx");
        std::os::unix::fs::symlink("/dev/zero", &endless).unwrap();
        let (done, waits) = std::sync::mpsc::channel();
        let paths = [pipe, endless];
        std::thread::spawn(move || {
            for path in paths {
                let mut messages = Vec::new();
                let read = parsed(&path, Admx::parse, &mut messages);
                done.send((read.is_some(), messages)).unwrap();
            }
        });
        for _ in 0..2 {
            let (read, messages) = waits
                .recv_timeout(std::time::Duration::from_secs(20))
                .expect("the file is waited for");
            assert!(!read);
            let [message] = messages.as_slice() else {
                panic!("{messages:?}");
            };
            assert!(
                message.text.contains("not a plain file"),
                "{}",
                message.text
            );
        }
    }

    #[test]
    fn a_folder_is_read_and_what_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let texts = |text: &str| {
            format!(
                "<policyDefinitionResources xmlns='{NAMESPACE}'><resources><stringTable><string id='X'>{text}</string></stringTable></resources></policyDefinitionResources>"
            )
        };
        write("good.admx", &template("good", "Machine"));
        write("Part.ADMX", &template("part", "Computer"));
        write("broken.admx", "<a>\n<b></a>");
        write("de-de/good.adml", &texts("Gut"));
        write("en-US/good.adml", &texts("Good"));
        let args = |language: &str| TemplateArgs {
            admx: Some(folder.path().to_owned()),
            language: language.to_owned(),
        };
        let (templates, messages) = args("de-DE").read().unwrap();
        assert_eq!(templates.len(), 1);
        let shown: Vec<String> = messages
            .iter()
            .map(|one| {
                assert_eq!(one.code, Code::TemplateUnread);
                let place = one.place.as_ref().unwrap();
                let name = place.file.rsplit('/').next().unwrap().to_owned();
                format!("{name} {:?} {}", place.line, one.text)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "Part.ADMX Some(2) a part of the template is not used: policy part has the class \"Computer\"",
                "broken.admx None the template cannot be read and is not used: line 2, column 4: ill-formed document: expected `</b>`, but `</a>` was found",
            ]
        );
        for language in ["../de", "", "de/DE"] {
            assert_eq!(args(language).read().unwrap_err().kind(), ErrorKind::Usage);
        }
    }

    /// Texts that cannot be read are not reported as missing besides, and those of the other language are used.
    #[test]
    fn broken_texts_are_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::write(path.join("a.admx"), template("a", "Machine")).unwrap();
        for language in ["de-DE", "en-US"] {
            std::fs::create_dir(path.join(language)).unwrap();
        }
        let texts = format!(
            "<policyDefinitionResources xmlns='{NAMESPACE}'><resources><stringTable><string id='X'>Good</string></stringTable></resources></policyDefinitionResources>"
        );
        std::fs::write(path.join("de-DE/a.adml"), "<a>\n<b></a>").unwrap();
        let places = || {
            let german = TemplateArgs {
                language: "de-DE".to_owned(),
                ..args(path)
            };
            let (templates, messages) = german.read().unwrap();
            assert_eq!(templates.len(), 1);
            let places = messages.into_iter().map(|one| {
                assert!(
                    one.text.starts_with("the template cannot be read"),
                    "{one:?}"
                );
                PathBuf::from(one.place.unwrap().file.to_string())
            });
            places.collect::<Vec<_>>()
        };
        assert_eq!(places(), [path.join("de-DE/a.adml")]);
        std::fs::write(path.join("en-US/a.adml"), texts).unwrap();
        assert_eq!(places(), [path.join("de-DE/a.adml")]);
    }

    fn args(folder: &Path) -> TemplateArgs {
        TemplateArgs {
            admx: Some(folder.to_owned()),
            language: FALLBACK.to_owned(),
        }
    }

    #[test]
    fn a_folder_without_templates_is_refused_in_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::write(path.join("x.adml"), "").unwrap();
        let shown = path.display();
        for (folder, expected) in [
            (
                path.join("a"),
                format!("the folder of templates {shown}/a does not exist"),
            ),
            (
                path.join("x.adml"),
                format!("{shown}/x.adml is not a folder"),
            ),
            (
                path.to_owned(),
                format!("there are no templates (*.admx) in {shown}"),
            ),
        ] {
            let error = args(&folder).read().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert_eq!(error.to_string(), expected);
            assert!(error.hint().unwrap().contains("--admx"), "{error:?}");
        }
    }

    #[test]
    fn templates_without_texts_are_used_and_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for name in ["a", "b", "c"] {
            let file = path.join(name).with_extension("admx");
            std::fs::write(file, template(name, "Machine")).unwrap();
        }
        let texts = |args: TemplateArgs| {
            let (templates, messages) = args.read().unwrap();
            assert_eq!(templates.len(), 3);
            messages.into_iter().map(|one| one.text).collect::<Vec<_>>()
        };
        assert_eq!(
            texts(args(path)),
            [
                "the folder of templates has no folder en-US, so policies are shown with the names that the templates use"
            ]
        );
        let german = TemplateArgs {
            language: "de-DE".to_owned(),
            ..args(path)
        };
        assert!(texts(german)[0].contains("has no folder de-DE or en-US, so"));
        std::fs::create_dir(path.join("en-US")).unwrap();
        assert_eq!(
            texts(args(path)),
            [
                "a.admx and 2 other templates have no texts in en-US, so policies are shown with the names that the templates use"
            ]
        );
    }
}

//! References in fdeploy.ini and fdeploy1.ini: the principals for which a folder is redirected, and the target paths.

use crate::message::Code;
use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::context::{Context, TextRewrite};
use super::list;
use super::other_lines;
use super::unc_search::{is_unusual_path, leading_unc_path};
use crate::formats::fdeploy::{Fdeploy, Redirection};
use crate::formats::ini::{self, IniFile, IniLine, LineKind};
use crate::model::reference::{Place, Scope};
use crate::model::shared_text::SharedText;
use crate::model::sid::Sid;

/// The rewrites of the principals of one folder, by SID.
type SidRewrites = HashMap<Sid, TextRewrite>;

/// The folders of a file, ignoring case.
#[derive(Default)]
struct Folders<'a> {
    numbers: HashMap<String, usize>,
    /// Each with its first place.
    folders: Vec<(Place, SidRewrites)>,
    /// The folder of the last lookup. The name of a section may be long, and all of its lines share one folder.
    last: Option<(&'a str, usize)>,
}

impl<'a> Folders<'a> {
    fn number(&mut self, folder: &'a str, place: &Place) -> usize {
        if let Some((_, number)) = self.last.filter(|(last, _)| std::ptr::eq(*last, folder)) {
            return number;
        }
        let number = *self
            .numbers
            .entry(folder.to_lowercase())
            .or_insert_with(|| {
                self.folders.push((place.clone(), SidRewrites::new()));
                self.folders.len() - 1
            });
        self.last = Some((folder, number));
        number
    }

    /// The rewrites of the principals of a folder.
    fn of(&mut self, folder: &'a str, place: &Place) -> Option<&mut SidRewrites> {
        let number = self.number(folder, place);
        self.folders.get_mut(number).map(|(_, rewrites)| rewrites)
    }
}

/// The rewrite of a SID, in the case of the old SID.
fn rewrite_of(rewrites: Option<&mut SidRewrites>, sid: &str) -> TextRewrite {
    let found = rewrites.and_then(|rewrites| rewrites.get(&sid.parse().ok()?));
    spelled(found.cloned().unwrap_or(TextRewrite::Keep), sid)
}

/// Visits the principals of every folder, then the paths.
pub(super) fn visit(
    file: &SharedText,
    bytes: &Bytes,
    context: &mut Context<'_, '_>,
) -> Result<IniFile, String> {
    let fdeploy = Fdeploy::parse(bytes).map_err(|error| error.to_string())?;
    let place = |line: &IniLine<'_>, key: &str, context: &mut Context<'_, '_>| {
        Place::file(file)
            .section(context.shared(line.section.unwrap_or_default()))
            .key(context.shared(key))
            .line(line.number)
    };
    // A SID is in the list and in the name of a section: two references, of which the first decides for both.
    let mut folders = Folders::default();
    for (line, redirection) in fdeploy.redirections() {
        let (folder, key, sids) = match &redirection {
            Redirection::Principals { folder, list } => {
                let items = ini::list_items(line.text, list.clone(), ';');
                (*folder, *folder, items)
            }
            Redirection::Path { sid, .. } => {
                let key = line.text.get(sid.clone()).unwrap_or_default();
                (line.section.unwrap_or_default(), key, vec![sid.clone()])
            }
            _ => continue,
        };
        let place = place(&line, key, context);
        if let Some(rewrites) = folders.of(folder, &place) {
            for text in sids.into_iter().filter_map(|span| line.text.get(span)) {
                visit_principal(text, &place, rewrites, context);
            }
        }
    }
    // Clients ignore a section whose SID is in no list, but it is a reference too.
    for (line, redirection) in fdeploy.redirections() {
        if let Redirection::Target { folder, sid } = redirection {
            let place = place(&line, sid, context);
            if let Some(rewrites) = folders.of(folder, &place) {
                visit_principal(sid, &place, rewrites, context);
            }
        }
    }
    for (place, rewrites) in &mut folders.folders {
        refuse_collisions(place, rewrites, context);
    }
    let mut new = fdeploy.ini.clone();
    let mut gone = Vec::new();
    let mut known = fdeploy.redirections().peekable();
    // Whether the lines belong to a section that is removed. They are visited as any other, because what is visited must not depend on
    // what is decided, but what is found there does not matter.
    let mut going = false;
    let visit_other =
        |line: &IniLine<'_>, going: bool, context: &mut Context<'_, '_>, new: &mut IniFile| {
            if going {
                let findings = std::mem::take(&mut context.messages);
                other_lines::visit(file, line, new, context);
                context.messages = findings;
            } else {
                other_lines::visit(file, line, new, context);
            }
        };
    for line in fdeploy.ini.lines() {
        going &= !matches!(line.kind, LineKind::Section(_));
        let redirection = known.next_if(|(known, _)| known.number == line.number);
        let Some((_, redirection)) = redirection else {
            visit_other(&line, going, context, &mut new);
            continue;
        };
        match redirection {
            Redirection::Principals { folder, list } => {
                let text = line.text.get(list).unwrap_or_default();
                let place = place(&line, folder, context);
                let mut rewrites = folders.of(folder, &place);
                let edit =
                    list::rewrite_list(text, ';', |sid| rewrite_of(rewrites.as_deref_mut(), sid));
                if let Some(edit) = edit {
                    if edit.empty {
                        let text = "the folder is no longer redirected for anyone";
                        context.warning(Code::EmptyList, text, &place);
                    }
                    new.replace_value(line.number, &edit.value);
                }
            }
            Redirection::Target { folder, sid } => {
                let place = place(&line, sid, context);
                match rewrite_of(folders.of(folder, &place), sid) {
                    TextRewrite::Keep => {}
                    TextRewrite::Replace(to) => {
                        new.rename_section(line.number, &[folder, "_", &to].concat());
                    }
                    TextRewrite::Remove => {
                        gone.push(line.number);
                        going = true;
                    }
                }
            }
            Redirection::Path { sid, path } => {
                let folder = line.section.unwrap_or_default();
                let key = line.text.get(sid.clone()).unwrap_or_default();
                let place = place(&line, key, context);
                visit_path(&line, path, &place, &mut new, context);
                match rewrite_of(folders.of(folder, &place), key) {
                    TextRewrite::Keep => {}
                    TextRewrite::Replace(to) => new.replace_key(line.number, &to),
                    TextRewrite::Remove => new.remove_line(line.number),
                }
            }
            Redirection::FullPath(path) => {
                let place = place(&line, "FullPath", context);
                visit_path(&line, path, &place, &mut new, context);
            }
            Redirection::Flags(_) | Redirection::Status { .. } => {
                visit_other(&line, going, context, &mut new);
            }
        }
    }
    for header in gone {
        new.remove_section(header);
    }
    Ok(new)
}

/// Visits a principal of a folder. The first rewrite applies to all its places, because the list and the section name
/// belong together.
fn visit_principal(
    text: &str,
    place: &Place,
    rewrites: &mut SidRewrites,
    context: &mut Context<'_, '_>,
) {
    let Ok(sid) = text.parse::<Sid>() else {
        let message = format!(
            "\"{}\" is not a SID, so it is left unchanged",
            text.escape_debug()
        );
        context.warning(Code::BadSid, message, place);
        return;
    };
    let rewrite = context.sid(&sid, text, place, Scope::Gpmc);
    rewrites.entry(sid).or_insert(rewrite);
}

/// If two principals of a folder would become the same, one section would need two contents: leave the folder
/// unchanged.
fn refuse_collisions(place: &Place, rewrites: &mut SidRewrites, context: &mut Context<'_, '_>) {
    let mut targets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (sid, rewrite) in rewrites.iter() {
        let target = match rewrite {
            TextRewrite::Keep => sid.to_string(),
            TextRewrite::Replace(new) => new.clone(),
            TextRewrite::Remove => continue,
        };
        targets.entry(target).or_default().push(sid.to_string());
    }
    let mut collided = false;
    for (target, mut sources) in targets {
        if sources.len() > 1 {
            collided = true;
            sources.sort();
            let text = format!(
                "{} would all become {target}, but a folder can be redirected only once for each principal; \
                 its principals are left unchanged",
                sources.join(" and ")
            );
            context.error(Code::CollidingSections, text, place);
        }
    }
    if collided {
        rewrites.clear();
    }
}

/// A new SID with the `S` or `s` of the old one, as Windows writes them in lower case.
fn spelled(rewrite: TextRewrite, old: &str) -> TextRewrite {
    match rewrite {
        TextRewrite::Replace(new) if old.starts_with('s') => {
            TextRewrite::Replace(new.replacen('S', "s", 1))
        }
        other => other,
    }
}

fn visit_path(
    line: &IniLine<'_>,
    span: std::ops::Range<usize>,
    place: &Place,
    new: &mut IniFile,
    context: &mut Context<'_, '_>,
) {
    let path = line.text.get(span).unwrap_or_default();
    let Some((head, tail)) = leading_unc_path(path) else {
        if is_unusual_path(path) {
            context.warn_of_unusual_path(path, place);
        }
        return;
    };
    match context.unc(head.as_str(), head.as_str(), place, Scope::Gpmc) {
        TextRewrite::Keep => {}
        TextRewrite::Replace(to) => new.replace_value(line.number, &[&to, tail].concat()),
        TextRewrite::Remove => context.refuse_removal(path, place),
    }
}

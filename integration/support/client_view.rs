//! What a client of the domain would read at a moment [MS-GPOL 3.2.5.1.5, 3.2.5.1.6]: the container with its version, its
//! extension lists and its flags, GPT.INI, and what is below both halves of the GPO.

use std::collections::BTreeMap;

use bytes::Bytes;

/// The values of each attribute of an object.
pub type Attributes = BTreeMap<&'static str, Vec<Vec<u8>>>;

/// One half of a policy in SYSVOL: the content of each file, or its hash; `None` for a folder.
pub type Files = BTreeMap<String, Option<Bytes>>;

/// What a client reads of the container.
#[derive(Clone, PartialEq)]
pub struct Container {
    pub version: u32,
    pub flags: Option<String>,
    pub lists: [Option<String>; 2],
    /// What a client takes from the container besides, or shows: the filter and the name.
    pub others: [Option<String>; 2],
    /// What is below the container, such as software packages.
    pub objects: BTreeMap<String, Attributes>,
}

/// What a client would read.
#[derive(Clone, PartialEq)]
pub struct View {
    pub container: Option<Container>,
    pub in_gpt_ini: Option<u32>,
    pub halves: [Files; 2],
    /// Links and WMI filters, by DN.
    pub around: BTreeMap<String, Attributes>,
}

impl View {
    /// Whether all that belongs to a version is that of another view, the version aside.
    fn has_policy_of(&self, other: &Self) -> bool {
        let of = |container: &Container| {
            let mut container = container.clone();
            container.version = 0;
            container.others[1] = None;
            container
        };
        self.container.as_ref().map(of) == other.container.as_ref().map(of)
            && self.halves == other.halves
    }
}

/// Says what is wrong with what a client reads, on the way from one policy to another; `before` is what it read last.
///
/// Each half is one of the two as a whole, and so is each attribute. A version that a client has not seen yet claims to be
/// complete: when it comes, everything that belongs to it is there, in both halves. It stays so unless somebody takes the
/// operation back (`is_undone`), who then ends with a version that is higher than both. A GPO that is not complete has version 0
/// and empty lists, so that no client asks for more.
pub fn mixture(
    old: &View,
    new: &View,
    before: &View,
    now: &View,
    is_undone: bool,
) -> Option<String> {
    for (dn, value) in &now.around {
        if Some(value) != old.around.get(dn) && Some(value) != new.around.get(dn) {
            return Some(format!("{dn} is neither the old nor the new one"));
        }
    }
    let Some(container) = &now.container else {
        let may_be_gone = old.container.is_none() || new.container.is_none();
        return (!may_be_gone).then(|| "the container is gone".to_owned());
    };
    let version_of = |view: &View| view.container.as_ref().map(|found| found.version);
    if container.version == 0 && version_of(old) != Some(0) {
        let lists = container.lists.iter().flatten();
        return (lists.into_iter().any(|list| !list.trim().is_empty()))
            .then(|| "an extension list before the version".to_owned());
    }
    for (half, name) in ["Machine", "User"].iter().enumerate() {
        let found = &now.halves[half];
        if *found != old.halves[half] && *found != new.halves[half] {
            return Some(format!("{name} is neither the old nor the new one"));
        }
        let list = &container.lists[half];
        let of = |view: &View| view.container.as_ref().map(|it| it.lists[half].clone());
        if Some(list) != of(old).as_ref() && Some(list) != of(new).as_ref() {
            return Some(format!("the list of {name} is neither the old nor the new"));
        }
    }
    for (one, name) in ["the filter", "the name"].iter().enumerate() {
        let of = |view: &View| view.container.as_ref().map(|it| it.others[one].clone());
        let found = Some(container.others[one].clone());
        if found != of(old) && found != of(new) {
            return Some(format!("{name} is neither the old nor the new one"));
        }
    }
    // A repair changes no setting: its versions and lists come one by one.
    if old.halves == new.halves && old.container.is_some() && new.container.is_some() {
        return None;
    }
    let (old_version, new_version) = (version_of(old), version_of(new));
    let version = Some(container.version);
    let came = version_of(before) != version;
    if version == new_version {
        if (came || !is_undone) && !now.has_policy_of(new) {
            return Some("the new version, and not all of it is new".to_owned());
        }
        if (came || !is_undone) && now.in_gpt_ini != new.in_gpt_ini {
            return Some("the new version, and another one in GPT.INI".to_owned());
        }
    } else if version == old_version {
        let of = |view: &View| view.container.as_ref().map(|it| it.lists.clone());
        if of(now) != of(old) {
            return Some("the old version, and a new list".to_owned());
        }
        let gpt_ini_came = before.in_gpt_ini != now.in_gpt_ini;
        if now.in_gpt_ini == new.in_gpt_ini && (gpt_ini_came || !is_undone) {
            let objects = |view: &View| view.container.as_ref().map(|it| it.objects.clone());
            if now.halves != new.halves || objects(now) != objects(new) {
                return Some("the new GPT.INI, and not all files and objects".to_owned());
            }
        }
    } else if !is_undone {
        return Some(format!("version {version:?}, which nobody planned"));
    } else if came && !(now.has_policy_of(old) && now.in_gpt_ini == version) {
        return Some(format!("version {version:?}, and not all of it is old"));
    }
    None
}

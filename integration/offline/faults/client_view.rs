//! A client that looks at a GPO in memory, and what it would read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use gpoctl::formats::gpt_ini;
use gpoctl::model::guid::Guid;
use gpoctl::model::version::GpoVersion;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::Faults;

pub use crate::support::client_view::{Container, View, mixture};

/// What a client of this domain would read of a GPO.
pub fn view_of(domain: &MemoryDomain, gpo: Guid) -> View {
    let dn = domain.directory().base().gpo(gpo);
    let directory = domain.directory();
    let directory = directory.snapshot_of(&[&dn], &["msWMI-ID", "gPLink"]);
    let sysvol = domain.sysvol().snapshot();
    let below = format!(",{dn}").to_lowercase();
    let (mut objects, mut around) = (BTreeMap::new(), BTreeMap::new());
    for entry in directory.entries() {
        let name = entry.dn.as_str().to_lowercase();
        if name.ends_with(&below) {
            objects.insert(name, entry.attributes.clone());
        } else if entry.attributes.contains_key("msWMI-ID") {
            around.insert(name, entry.attributes.clone());
        } else if let Some(links) = entry.attributes.get("gPLink") {
            around.insert(name, [("gPLink", links.clone())].into());
        }
    }
    let container = directory.entry(&dn).map(|entry| Container {
        version: entry
            .text("versionNumber")
            .map_or(0, |text| text.parse::<i32>().unwrap().cast_unsigned()),
        flags: entry.text("flags"),
        lists: [
            entry.text("gPCMachineExtensionNames"),
            entry.text("gPCUserExtensionNames"),
        ],
        others: [entry.text("gPCWQLFilter"), entry.text("displayName")],
        objects,
    });
    let gpt_ini = sysvol.entry(&format!(r"{gpo}\GPT.INI"));
    let gpt_ini = gpt_ini.and_then(|entry| entry.content.clone());
    let in_gpt_ini = gpt_ini.and_then(|bytes| gpt_ini::read_version(&bytes).unwrap());
    let halves = ["Machine", "User"].map(|half| {
        let root = format!(r"{gpo}\{half}").to_lowercase();
        let entries = sysvol.entries().filter_map(|entry| {
            let path = entry.path.to_lowercase();
            let rest = path.strip_prefix(&root)?;
            let is_below = rest.is_empty() || rest.starts_with('\\');
            is_below.then(|| (rest.to_owned(), entry.content.clone()))
        });
        entries.collect()
    });
    View {
        container,
        in_gpt_ini: in_gpt_ini.map(GpoVersion::combined),
        halves,
        around,
    }
}

/// A client that looks at a GPO after every call that writes.
#[derive(Clone)]
pub struct Client(Arc<Mutex<Seen>>);

struct Seen {
    last: View,
    is_undone: bool,
    looks: usize,
    mixtures: Vec<String>,
}

impl Client {
    /// Of a domain that is in the old state.
    pub fn new(old: &View) -> Self {
        Self(Arc::new(Mutex::new(Seen {
            last: old.clone(),
            is_undone: false,
            looks: 0,
            mixtures: Vec::new(),
        })))
    }

    /// Looks after every call of a connection; `is_undone` says whether the operation may be taken back from now on.
    pub fn watch(
        &self,
        domain: &MemoryDomain,
        gpo: Guid,
        views: &Arc<(View, View)>,
        faults: &Faults,
        is_undone: bool,
    ) {
        self.0.lock().unwrap().is_undone = is_undone;
        let (seen, domain, views) = (Arc::clone(&self.0), domain.clone(), Arc::clone(views));
        faults.observe(move |call| {
            // Without a fault it looks after every call; then, what is only staged has been looked at.
            let is_staged = call.object.contains(".gpoctl-") && !call.object.contains(" to ");
            if is_undone && is_staged {
                return;
            }
            let now = view_of(&domain, gpo);
            let mut seen = seen.lock().unwrap();
            seen.looks += 1;
            if let Some(what) = mixture(&views.0, &views.1, &seen.last, &now, seen.is_undone) {
                seen.mixtures.push(format!("after {call}: {what}"));
            }
            seen.last = now;
        });
    }

    pub fn looks(&self) -> usize {
        self.0.lock().unwrap().looks
    }

    pub fn mixtures(&self) -> Vec<String> {
        self.0.lock().unwrap().mixtures.clone()
    }
}

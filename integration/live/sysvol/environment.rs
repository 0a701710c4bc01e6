//! What the lab prepares for the suite: other programs and other accounts.

use std::sync::Arc;

use async_trait::async_trait;
use gpoctl::domain::sysvol::{Sysvol, SysvolPath};
use gpoctl::model::domain_name::DomainName;
use gpoctl::model::guid::Guid;
use gpoctl::model::security_descriptor::FileEntries;
use gpoctl::model::sid::Sid;
use gpoctl::sysvol::connect::{SmbClientChoice, connect};
use gpoctl::testing::sysvol::{OpenFor, SharedFor};

use super::{domain, settings, settings_of, var};
use crate::support::conformance::sysvol::{Environment, Held};
use crate::support::{OpenFile, inside, open_files_hold_names, refuses_object_entries};

/// SRC.TEST, and the client under test.
pub struct Lab {
    client: SmbClientChoice,
    kerberos: bool,
}

impl Lab {
    pub fn new(client: SmbClientChoice, kerberos: bool) -> Self {
        Self { client, kerberos }
    }
}

fn sid_of(account: &str) -> Sid {
    let found = inside("src", &["wbinfo", "--name-to-sid", account]);
    found.split_whitespace().next().unwrap().parse().unwrap()
}

#[async_trait]
impl Environment for Lab {
    fn domain(&self) -> DomainName {
        domain()
    }

    fn domain_sid(&self) -> Sid {
        sid_of("gpoedit").domain().unwrap()
    }

    fn gpo(&self) -> Guid {
        "{A1B20006-0C4E-4D1A-8F00-5A3B7C9D0006}".parse().unwrap()
    }

    fn file_entries(&self) -> FileEntries {
        match refuses_object_entries() {
            true => FileEntries::WithoutObjectAces,
            false => FileEntries::WithObjectAces,
        }
    }

    fn open_files_hold_names(&self) -> bool {
        open_files_hold_names()
    }

    async fn administrator(&self) -> Arc<dyn Sysvol> {
        let settings = settings(SmbClientChoice::Smb2, false);
        connect(&settings).await.unwrap()
    }

    async fn ordinary(&self) -> (Arc<dyn Sysvol>, Sid) {
        let file = var("EDITOR_PASSWORD_FILE");
        let settings = settings_of("gpoedit", &file, self.client, self.kerberos);
        (connect(&settings).await.unwrap(), sid_of("gpoedit"))
    }

    fn make_read_only(&self, path: &SysvolPath) {
        let mode = format!("setmode \"{}\" +r", path.on_share("\\"));
        let password = "PASSWD_FILE=/lab-state/admin.password";
        let client = ["env", password, "smbclient", "//localhost/sysvol"];
        inside(
            "src",
            &[&client[..], &["-U", "Administrator", "-c", &mode]].concat(),
        );
    }

    fn open(&self, path: &SysvolPath, purpose: OpenFor, shared: SharedFor) -> Box<dyn Held> {
        let access = match purpose {
            OpenFor::Reading => 0x1,
            OpenFor::Writing => 0x3,
            OpenFor::Deleting => 0x1_0001,
            _ => panic!("{purpose:?}"),
        };
        let share = match shared {
            SharedFor::Everything => 7,
            SharedFor::ReadingAndWriting => 3,
            SharedFor::Reading => 1,
            SharedFor::Nothing => 0,
            _ => panic!("{shared:?}"),
        };
        let delete = purpose == OpenFor::Deleting;
        Box::new(OpenFile::open(
            "src",
            &path.on_share("\\"),
            access,
            share,
            delete,
        ))
    }
}

impl Held for OpenFile {
    fn read(&mut self) -> Vec<u8> {
        self.content()
    }
}

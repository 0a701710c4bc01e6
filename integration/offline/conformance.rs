//! The conformance suites on the in-memory domain; they also run in the lab.

mod directory;

use std::sync::Arc;

use async_trait::async_trait;
use gpoctl::domain::sysvol::{Sysvol, SysvolPath};
use gpoctl::model::domain_name::DomainName;
use gpoctl::model::guid::Guid;
use gpoctl::model::sddl::from_sddl;
use gpoctl::model::security_descriptor::FileEntries;
use gpoctl::model::sid::Sid;
use gpoctl::testing::sysvol::{
    MemorySysvol, OpenFile, OpenFor, SharedFor, SysvolClientKind, SysvolLogin, SysvolServer,
};

use crate::support::conformance::sysvol::{
    self as conformance, Environment, Held, Subject, sysvol_cases,
};

const GPO: &str = "{A1B20006-0C4E-4D1A-8F00-5A3B7C9D0006}";
/// The descriptor of the folder of that GPO.
const EXPECTED: &str =
    "O:DAG:DAD:P(A;OICI;0x001f01ff;;;DA)(A;OICI;0x001f01ff;;;SY)(A;OICI;0x001200a9;;;AU)";
const OBJECT_ENTRY: &str = "(OA;OICI;;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU)";

/// A server in memory, and the client under test.
struct Memory {
    server: MemorySysvol,
    kind: SysvolServer,
    client: SysvolClientKind,
}

fn domain_sid() -> Sid {
    "S-1-5-21-1-2-3".parse().unwrap()
}

impl Memory {
    fn new(kind: SysvolServer, client: SysvolClientKind) -> Self {
        let guid: Guid = GPO.parse().unwrap();
        let entry = match kind {
            SysvolServer::SambaWithoutObjectAces => "",
            _ => OBJECT_ENTRY,
        };
        let expected = from_sddl(&format!("{EXPECTED}{entry}"), Some(&domain_sid())).unwrap();
        let mut builder = MemorySysvol::builder(&"src.test".parse().unwrap(), &domain_sid())
            .server(kind)
            .folder(guid, "Machine")
            .descriptor(guid, "", &expected);
        for _ in 0..12 {
            let content = "[General]\r\nVersion=0\r\n";
            builder = builder.file(Guid::new_random(), "GPT.INI", content);
        }
        let server = builder.build().unwrap();
        Self {
            server,
            kind,
            client,
        }
    }

    fn connected(&self, login: SysvolLogin, client: SysvolClientKind) -> Arc<dyn Sysvol> {
        Arc::new(self.server.connect_as(login, client))
    }
}

#[async_trait]
impl Environment for Memory {
    fn domain(&self) -> DomainName {
        self.server.domain().clone()
    }

    fn domain_sid(&self) -> Sid {
        domain_sid()
    }

    fn gpo(&self) -> Guid {
        GPO.parse().unwrap()
    }

    fn file_entries(&self) -> FileEntries {
        match self.kind {
            SysvolServer::SambaWithoutObjectAces => FileEntries::WithoutObjectAces,
            _ => FileEntries::WithObjectAces,
        }
    }

    fn open_files_hold_names(&self) -> bool {
        self.kind != SysvolServer::Samba
    }

    async fn administrator(&self) -> Arc<dyn Sysvol> {
        let login = SysvolLogin::administrator(&domain_sid());
        self.connected(login, SysvolClientKind::Smb2)
    }

    async fn ordinary(&self) -> (Arc<dyn Sysvol>, Sid) {
        let sid = domain_sid().with_rid(1106);
        let login = SysvolLogin::user(sid.clone());
        (self.connected(login, self.client), sid)
    }

    fn make_read_only(&self, path: &SysvolPath) {
        self.server.set_read_only(path, true).unwrap();
    }

    fn open(&self, path: &SysvolPath, purpose: OpenFor, shared: SharedFor) -> Box<dyn Held> {
        let open = self.server.open(path, purpose, shared);
        Box::new(Program(open.unwrap()))
    }
}

struct Program(OpenFile);

impl Held for Program {
    fn read(&mut self) -> Vec<u8> {
        self.0.read().unwrap().to_vec()
    }
}

const SERVERS: [(&str, SysvolServer, SysvolClientKind); 6] = [
    ("memory", SysvolServer::Samba, SysvolClientKind::Smb2),
    (
        "memory, as with libsmbclient",
        SysvolServer::Samba,
        SysvolClientKind::Libsmbclient,
    ),
    (
        "memory, as Samba 4.22",
        SysvolServer::SambaHoldingNames,
        SysvolClientKind::Smb2,
    ),
    (
        "memory, as Samba 4.22 with libsmbclient",
        SysvolServer::SambaHoldingNames,
        SysvolClientKind::Libsmbclient,
    ),
    (
        "memory, as Samba 4.25",
        SysvolServer::SambaWithoutObjectAces,
        SysvolClientKind::Smb2,
    ),
    (
        "memory, as Samba 4.25 with libsmbclient",
        SysvolServer::SambaWithoutObjectAces,
        SysvolClientKind::Libsmbclient,
    ),
];

/// Each case of the suite, in memory. Every case has its own share and leaves it unchanged.
macro_rules! in_memory {
    ($case:ident) => {
        #[tokio::test]
        async fn $case() {
            for (name, kind, client) in SERVERS {
                let memory = Memory::new(kind, client);
                let before = memory.server.snapshot();
                let login = SysvolLogin::administrator(&domain_sid());
                let server = memory.server.clone();
                let subject = Subject {
                    name,
                    sysvol: memory.connected(login, client),
                    environment: Box::new(memory),
                };
                conformance::$case(&subject).await;
                let left = server.snapshot().differences_from(&before);
                assert!(left.is_empty(), "{name}: {left:#?}");
            }
        }
    };
}
sysvol_cases!(in_memory);

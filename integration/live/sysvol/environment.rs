//! What the lab prepares for the suite: other programs and other accounts.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use gpoctl::domain::sysvol::{Sysvol, SysvolPath};
use gpoctl::model::domain_name::DomainName;
use gpoctl::model::guid::Guid;
use gpoctl::model::security_descriptor::FileEntries;
use gpoctl::model::sid::Sid;
use gpoctl::sysvol::connect::{SmbClientChoice, connect};
use gpoctl::testing::sysvol::{OpenFor, SharedFor};

use super::{domain, settings, settings_of, var};
use crate::support::conformance::sysvol::{Environment, Held};
use crate::support::{command_inside, inside};

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
        match std::env::var("GPOCTL_LAB_SAMBA").unwrap().as_str() {
            "4.25" => FileEntries::WithoutObjectAces,
            _ => FileEntries::WithObjectAces,
        }
    }

    fn open_files_hold_names(&self) -> bool {
        std::env::var("GPOCTL_LAB_SAMBA").unwrap() != "4.17"
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
        let order = serde_json::json!({
            "path": path.on_share("\\"),
            "access": access,
            "share": share,
            "delete": purpose == OpenFor::Deleting,
        });
        Box::new(Program::start(&order))
    }
}

/// Samba's client library in the domain controller. It opens the path, reads it whenever a line comes in, and closes it at the end.
const PROGRAM: &str = r#"
import base64, json, sys
from samba.credentials import Credentials
from samba.param import LoadParm
from samba.samba3 import libsmb_samba_internal as libsmb, param

order = json.loads(sys.stdin.readline())
lp = LoadParm()
lp.load_default()
s3 = param.get_context()
s3.load(lp.configfile)
creds = Credentials()
creds.guess(lp)
creds.set_username("Administrator")
creds.set_password(open("/lab-state/admin.password").read().strip())
share = libsmb.Conn("localhost", "sysvol", lp=s3, creds=creds)
number = share.create(
    order["path"],
    DesiredAccess=order["access"],
    ShareAccess=order["share"],
    CreateDisposition=1,
)
if order["delete"]:
    share.delete_on_close(number, 1)
print("open", flush=True)
for line in sys.stdin:
    print(base64.b64encode(share.read(number, 0, 65536)).decode(), flush=True)
share.close(number)
print("closed", flush=True)
"#;

struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn start(order: &serde_json::Value) -> Self {
        let mut child = command_inside("src", &["python3", "-c", PROGRAM])
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "{order}").unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self {
            child,
            input: Some(input),
            output,
        };
        assert_eq!(program.line(), "open");
        program
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Held for Program {
    fn read(&mut self) -> Vec<u8> {
        writeln!(self.input.as_mut().unwrap(), "read").unwrap();
        let encoded = self.line();
        let engine = base64::engine::general_purpose::STANDARD;
        engine.decode(encoded).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.input.take());
        let closed = self.line();
        let status = self.child.wait().unwrap();
        if !std::thread::panicking() {
            assert_eq!((closed.as_str(), status.success()), ("closed", true));
        }
    }
}

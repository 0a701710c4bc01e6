//! A file of SYSVOL that another program has open.

use base64::Engine as _;

use super::{Running, command_inside};

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

/// A file or folder that a program in a domain controller has open, until this is dropped.
pub struct OpenFile(Running);

impl OpenFile {
    /// Opens a path on the share `SYSVOL`, as Administrator, with these access and share rights [MS-SMB2 2.2.13]; with `delete`, it is
    /// deleted when it is closed.
    pub fn open(side: &str, path: &str, access: u32, share: u32, delete: bool) -> Self {
        let order = serde_json::json!({
            "path": path,
            "access": access,
            "share": share,
            "delete": delete,
        });
        let mut command = command_inside(side, &["python3", "-c", PROGRAM]);
        let mut program = Running::start("a program with an open file", &mut command);
        assert_eq!(program.ask(&order.to_string()).as_deref(), Ok("open"));
        Self(program)
    }

    /// The bytes of the file that was opened.
    pub fn content(&mut self) -> Vec<u8> {
        let encoded = self.0.ask("read").unwrap();
        let engine = base64::engine::general_purpose::STANDARD;
        engine.decode(encoded).unwrap()
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let said = self.0.end();
        if !std::thread::panicking() {
            assert_eq!(said.unwrap(), ["closed"]);
        }
    }
}

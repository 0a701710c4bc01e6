//! The conformance suite of the ports, on the directory in memory.

use std::sync::Arc;

use gpoctl::testing::directory::MemoryDirectory;

use crate::support::conformance::directory::{self, Ports, directory_cases};

fn ports() -> Ports {
    let domain = "src.test".parse().unwrap();
    let sid = "S-1-5-21-2576675644-2446187435-59302327".parse().unwrap();
    let memory = MemoryDirectory::new(&domain, &sid).unwrap();
    let staff = memory.put_ou(&memory.base(), "Staff").unwrap();
    memory.put_user(&staff, "gpoedit").unwrap();
    Ports {
        admin: Arc::new(memory.connect("Administrator").unwrap()),
        user: Arc::new(memory.connect("gpoedit").unwrap()),
    }
}

macro_rules! in_memory {
    ($case:ident) => {
        #[tokio::test]
        async fn $case() {
            directory::$case(&ports()).await;
        }
    };
}

directory_cases!(in_memory);

//! The conformance suite of the ports, run against the domain controller of SRC.TEST.

use std::sync::Arc;

use gpoctl::directory::LdapConnection;

use crate::directory::lab::SRC;
use crate::support::conformance::directory::{self, Ports, directory_cases};

async fn ports() -> Ports {
    Ports {
        admin: Arc::new(LdapConnection::open(&SRC.settings()).await.unwrap()),
        user: Arc::new(LdapConnection::open(&SRC.editor_settings()).await.unwrap()),
    }
}

macro_rules! on_a_server {
    ($case:ident) => {
        #[tokio::test]
        #[ignore = "needs the lab"]
        async fn $case() {
            directory::$case(&ports().await).await;
        }
    };
}

directory_cases!(on_a_server);

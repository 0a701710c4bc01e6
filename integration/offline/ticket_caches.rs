//! The default ticket cache from krb5.conf: one that others could have filled is refused before anything is sent.

use std::fs::{Permissions, create_dir, set_permissions, write};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

#[test]
fn a_default_cache_that_others_can_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    create_dir(path("caches")).unwrap();
    set_permissions(path("caches"), Permissions::from_mode(0o700)).unwrap();
    for (cache, file) in [("FILE", "one"), ("DIR", "caches/tkt")] {
        let named = match cache {
            "FILE" => format!("FILE:{}", path("one").display()),
            _ => format!("DIR:{}", path("caches").display()),
        };
        write(path(file), "").unwrap();
        let conf = format!(
            "[libdefaults]\ndefault_realm = A.TEST\ndefault_ccache_name = {named}\ndns_lookup_kdc = false\n"
        );
        write(path("krb5.conf"), conf).unwrap();
        for (mode, refused) in [(0o600, false), (0o660, true), (0o606, true)] {
            set_permissions(path(file), Permissions::from_mode(mode)).unwrap();
            let output = Command::new(env!("CARGO_BIN_EXE_gpoctl"))
                .args(["list", "--domain", "a.test", "--server", "dc1.a.test"])
                .args(["--address", "127.0.0.1"])
                .env_remove("KRB5CCNAME")
                .env("KRB5_CONFIG", path("krb5.conf"))
                .env("XDG_CONFIG_HOME", folder.path())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            // An empty cache is refused too, by the library and for another reason.
            assert_ne!(output.status.code(), Some(0), "{said}");
            let names_the_mode = said.contains("can be written by other users");
            assert_eq!(names_the_mode, refused, "{named} {mode:o}: {said}");
            if refused {
                let shown = path(file).display().to_string();
                assert!(said.contains(&format!("run chmod go-w {shown}")), "{said}");
            }
        }
    }
}

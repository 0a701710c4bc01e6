//! A clock that is ten minutes wrong, with Debian's faketime: the errors of both halves name the clock as the cause.

use super::{bare, krb5_conf, run, var, with_name};

#[test]
#[ignore = "needs the lab"]
fn a_clock_that_is_wrong_is_named_by_both_halves() {
    let folder = tempfile::tempdir().unwrap();
    let (address, password) = (var("ADDRESS"), var("PASSWORD_FILE"));
    // libkrb5 corrects by the clock of the KDC, so that LDAP succeeds and SMB is tried, or not.
    for (timesync, half) in [("0", "LDAP"), ("1", "SMB")] {
        let conf = krb5_conf(
            folder.path(),
            &address,
            &format!("kdc_timesync = {timesync}"),
        );
        for offset in ["+10m", "-10m"] {
            for client in ["smb2", "libsmbclient"] {
                let arguments = [
                    "list",
                    "--domain",
                    "src.test",
                    "--server",
                    "dc1.src.test",
                    "--address",
                    &address,
                    "--smb-client",
                    client,
                    "--user",
                    "Administrator@SRC.TEST",
                    "--password-file",
                    &password,
                ];
                let gpoctl = bare(&arguments, folder.path());
                let faketime = ["faketime", "-f", offset];
                let mut command = with_name(&address, folder.path(), gpoctl, &faketime);
                command
                    .env("KRB5_CONFIG", &conf)
                    .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
                let said = run(command);
                let case = format!("{half}, {offset}, {client}");
                let all = format!("{case}: {}{}", said.stdout, said.stderr);
                assert_eq!(said.status, 1, "{all}");
                assert!(said.stderr.contains("the clocks of this machine"), "{all}");
                assert!(said.stderr.contains("set the clock"), "{all}");
            }
        }
    }
}

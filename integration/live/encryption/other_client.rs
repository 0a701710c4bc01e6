//! A server that requires encryption and has no cipher of smb2: `auto` uses libsmbclient, and what that cannot do is reported first
//! and can be repaired later. Whatever a client advises that cannot connect, following it works.

use std::process::Command;

use super::*;

const REFUSED: &str = "dc1.src.test refused access over SMB, either because it requires encryption or because the account has no permission: it accepts none of the ciphers of smb2 (AES-128-GCM, AES-128-CCM)";
/// What has to change on the server, for smb2.
const ACCEPT: &str = "let the domain controller accept AES-128-GCM or AES-128-CCM";
/// The same, where smb2 is advised and might work.
const FOR_SMB2: &str = "use --smb-client smb2; if the domain controller requires encryption, it has to accept AES-128-GCM or AES-128-CCM for that";

const SMB2: &[&str] = &["--smb-client", "smb2"];
const LIBSMBCLIENT: &[&str] = &["--smb-client", "libsmbclient"];
const AUTO: &[&str] = &["--smb-client", "auto"];
/// With the address of the lab, libsmbclient logs in with NTLM only, as gpoctl does with LDAPS.
const LDAPS: &[&str] = &["--ldap", "ldaps"];

/// A command that connects to SYSVOL.
fn show(options: &[&[&str]]) -> Command {
    let show = ["show", "Empty", "--domain", DOMAIN, "--json"];
    command(&[&show[..], &options.concat()].concat())
}

fn run(mut command: Command) -> Said {
    command.output().unwrap().into()
}

/// Asserts that a command cannot connect, and returns its next step.
fn next_step(command: Command, status: i32, cause: &str) -> String {
    let said = run(command);
    assert_eq!(said.status, status, "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains(cause), "{}", said.stderr);
    let steps: Vec<&str> = said
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .collect();
    let [step] = steps[..] else {
        panic!("{}", said.stderr);
    };
    step.to_owned()
}

/// The same command on a machine with this line in /etc/hosts.
fn with_host(command: &Command, line: &str) -> Command {
    let known = std::fs::read_to_string("/etc/hosts").unwrap();
    with_hosts(command, &format!("{known}\n{line}\n"))
}

/// The same command on a machine whose libsmbclient has only AES-128.
fn with_aes_128(mut command: Command) -> Command {
    let only = "client smb3 encryption algorithms = AES-128-GCM";
    command.env("HOME", home_of_libsmbclient(only));
    command
}

#[test]
#[ignore = "needs the lab"]
fn the_other_client_imports_and_the_permissions_are_repaired() {
    let _alone = alone();
    for required in [ON_SERVER, ON_SHARE] {
        let configured = Configured::new(&[AES_256_ONLY[0], required], WITH_AES_128);
        let (name, repair) = imported();
        drop(configured);
        // The command that the plan names works on a server that is as before.
        let words: Vec<&str> = repair
            .split(' ')
            .map(|word| word.trim_matches('\''))
            .collect();
        let said = gpoctl(&[&words[..], &["--yes"]].concat());
        assert_eq!(said.status, 0, "{repair}: {}{}", said.stdout, said.stderr);
        is_clean(&name);
        assert_samba_checks_pass(SIDE);
        write(DOMAIN, &["delete", &name]).json();
    }
}

/// Imports into a new GPO of a server that smb2 cannot connect to. Returns the name of the GPO and the command that
/// the plan names to repair its permissions.
fn imported() -> (String, String) {
    let name = fresh("Other client");
    let backup = &back_up("dst.test", &["Target Filled"])["Target Filled"];
    let import = [&into_new(backup, &name)[..], LDAPS].concat();
    let plan = dry(DOMAIN, &import).json();
    let warning = message(&plan, "descriptors-not-set");
    assert!(
        warning["text"]
            .as_str()
            .unwrap()
            .contains("a delegated editor may be unable to change them"),
        "{warning:#}"
    );
    let result = write(DOMAIN, &import).json();
    assert_eq!(result["status"], "done", "{result:#}");
    let hint = message(&result, "descriptors-not-set")["hint"]
        .as_str()
        .unwrap()
        .to_owned();
    let check = ["check", &name, "--domain", DOMAIN, "--json"];
    let report = gpoctl(&[&check[..], LIBSMBCLIENT, LDAPS].concat()).json();
    assert_eq!(message(&report, "descriptors-not-read")["hint"], FOR_SMB2);
    let (_, repair) = hint.split_once(": gpoctl ").unwrap();
    (name, repair.to_owned())
}

/// The only message of this code.
fn message<'a>(result: &'a Value, code: &str) -> &'a Value {
    let messages = result["messages"].as_array().unwrap();
    let mut found = messages.iter().filter(|message| message["code"] == code);
    let one = found.next().unwrap_or_else(|| panic!("{result:#}"));
    assert!(found.next().is_none(), "{result:#}");
    one
}

/// Neither client sends the reader to the other one, which would send him back.
#[test]
#[ignore = "needs the lab"]
fn what_a_client_advises_that_cannot_connect_works() {
    let _alone = alone();
    let address = std::env::var("GPOCTL_LAB_SRC_ADDRESS").unwrap();
    let line = format!("{address} dc1.src.test");
    let unknown = format!(
        "libsmbclient cannot connect to {address} as dc1.src.test with Kerberos, because dc1.src.test does not resolve to it on this machine"
    );
    for required in [ON_SERVER, ON_SHARE] {
        let configured = Configured::new(&[AES_256_ONLY[0], required], WITH_AES_128);
        assert_eq!(
            next_step(show(&[SMB2]), 2, REFUSED),
            format!("use --smb-client libsmbclient, or {ACCEPT}")
        );
        assert_eq!(
            next_step(show(&[LIBSMBCLIENT]), 2, &unknown),
            format!("add \"{line}\" to /etc/hosts, or {FOR_SMB2}")
        );
        let both = format!("{REFUSED}; with libsmbclient: {unknown}");
        assert_eq!(
            next_step(show(&[AUTO]), 2, &both),
            format!("add \"{line}\" to /etc/hosts; or {ACCEPT}, which smb2 has")
        );
        for client in [LIBSMBCLIENT, AUTO] {
            run(with_host(&show(&[client]), &line)).json();
            run(show(&[client, LDAPS])).json();
            // Where libsmbclient cannot either, only the server can change that, or the configuration of libsmbclient.
            let neither = with_aes_128(show(&[client, LDAPS]));
            let cause = "dc1.src.test refused the account over SMB (libsmbclient)";
            let step = next_step(neither, 1, cause);
            assert!(!step.contains("--smb-client"), "{step}");
            assert!(step.contains("client smb3 encryption algorithms"), "{step}");
            assert_eq!(step.contains(ACCEPT), client == AUTO, "{step}");
        }
        drop(configured);

        // The other advice: smb2 has one of the ciphers that the server accepts now.
        let accepted = "server smb3 encryption algorithms = AES-256-GCM, AES-128-GCM";
        let configured = Configured::new(&[("global", accepted), required], WITHOUT_ENCRYPTION);
        for client in [SMB2, AUTO] {
            run(show(&[client])).json();
        }
        run(with_aes_128(show(&[LIBSMBCLIENT, LDAPS]))).json();
        drop(configured);
    }
}

//! The identity of the server and of the account: what gpoctl accepts from a KDC and a file server, and its messages when it
//! does not.

mod clock;
mod false_kdc;
mod on_the_way;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{self, Said, asked_inside, samba_tool};

/// A variable of the lab's source domain.
fn var(name: &str) -> String {
    std::env::var(format!("GPOCTL_LAB_SRC_{name}")).unwrap()
}

/// A krb5.conf that names this KDC for SRC.TEST, with more lines in `[libdefaults]`.
fn krb5_conf(folder: &Path, kdc: &str, more: &str) -> PathBuf {
    let path = folder.join("krb5.conf");
    std::fs::write(
        &path,
        format!(
            "[libdefaults]\ndefault_realm = SRC.TEST\ndns_lookup_kdc = false\ndns_lookup_realm = false\nrdns = false\n\
             dns_canonicalize_hostname = false\nudp_preference_limit = 1\n{more}\n\
             [realms]\nSRC.TEST = {{\n kdc = {kdc}\n}}\n"
        ),
    )
    .unwrap();
    path
}

/// gpoctl without any profile.
fn bare(arguments: &[&str], folder: &Path) -> Command {
    let mut command = support::command(arguments);
    command
        .env("XDG_CONFIG_HOME", folder)
        .env("HOME", folder)
        .env_remove("KRB5CCNAME")
        .stdin(Stdio::null());
    command
}

/// Runs it.
fn run(mut command: Command) -> Said {
    command.output().unwrap().into()
}

/// The command, run by `before` (another command) in an environment where the name of the domain controller resolves to this
/// address, to which libsmbclient connects. The folder is the home of the command, where Samba caches names.
fn with_name(address: &str, folder: &Path, gpoctl: Command, before: &[&str]) -> Command {
    let hosts = folder.join("hosts");
    std::fs::write(&hosts, format!("{address} dc1.src.test\n")).unwrap();
    let at = folder.display();
    std::fs::create_dir_all(folder.join(".smb")).unwrap();
    let conf = format!(
        "[global]\nlock directory = {at}\ncache directory = {at}\nstate directory = {at}\n"
    );
    std::fs::write(folder.join(".smb/smb.conf"), conf).unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c"])
        .arg("mount --bind \"$1\" /etc/hosts || exit 77; shift; exec \"$@\"")
        .arg("sh")
        .arg(&hosts)
        .args(before)
        .arg(gpoctl.get_program())
        .args(gpoctl.get_args())
        .stdin(Stdio::null());
    for (name, value) in gpoctl.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// `gpoctl list` of SRC.TEST at this address with these further options.
fn list(address: &str, more: &[&str], folder: &Path) -> Command {
    let mut arguments = vec![
        "list",
        "--domain",
        "src.test",
        "--server",
        "dc1.src.test",
        "--address",
        address,
        "--smb-client",
        "smb2",
    ];
    arguments.extend(more);
    bare(&arguments, folder)
}

/// The same as this user with the administrator's password.
fn list_as(user: &str, folder: &Path) -> Said {
    let password = var("PASSWORD_FILE");
    run(list(
        &var("ADDRESS"),
        &["--user", user, "--password-file", &password],
        folder,
    ))
}

/// Puts tickets of this domain's administrator into a cache below the folder.
fn kinit(side: &str, folder: &Path) -> String {
    let variable = |name: &str| std::env::var(format!("GPOCTL_LAB_{side}_{name}")).unwrap();
    let cache = format!("FILE:{}", folder.join(side).display());
    let mut kinit = Command::new("kinit")
        .args(["-c", &cache, &variable("USER")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let password = std::fs::read(variable("PASSWORD_FILE")).unwrap();
    kinit.stdin.take().unwrap().write_all(&password).unwrap();
    assert!(kinit.wait().unwrap().success());
    cache
}

#[test]
#[ignore = "needs the lab"]
fn an_account_is_found_in_every_spelling() {
    let folder = tempfile::tempdir().unwrap();
    for user in [
        "administrator@SRC.TEST",
        "ADMINISTRATOR@src.test",
        "src\\administrator",
        "administrator",
    ] {
        let said = list_as(user, folder.path());
        assert_eq!(said.status, 0, "{user}: {}", said.stderr);
    }
}

#[test]
#[ignore = "needs the lab"]
fn a_logon_name_may_differ_from_the_account_name() {
    let folder = tempfile::tempdir().unwrap();
    let password = format!("Upn-{}", uuid::Uuid::new_v4());
    let remove = || asked_inside("src", &["samba-tool", "user", "delete", "gpoctl-upn"], "");
    remove();
    samba_tool("src", &["user", "add", "gpoctl-upn", &password]);
    samba_tool(
        "src",
        &[
            "user",
            "rename",
            "gpoctl-upn",
            "--upn=given.family@src.test",
        ],
    );
    let file = folder.path().join("password");
    std::fs::write(&file, &password).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let said = run(list(
        &var("ADDRESS"),
        &[
            "--user",
            "given.family@SRC.TEST",
            "--password-file",
            file.to_str().unwrap(),
        ],
        folder.path(),
    ));
    remove();
    assert_eq!(said.status, 0, "{}", said.stderr);
}

#[test]
#[ignore = "needs the lab"]
fn the_netbios_name_must_be_that_of_the_domain() {
    let folder = tempfile::tempdir().unwrap();
    let said = list_as("WRONG\\Administrator", folder.path());
    assert_eq!(said.status, 1, "{}", said.stdout);
    let expected = "WRONG\\Administrator is not an account of src.test, whose NetBIOS name is SRC";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
}

#[test]
#[ignore = "needs the lab"]
fn rc4_is_accepted_only_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let conf = krb5_conf(
        folder.path(),
        &var("ADDRESS"),
        "permitted_enctypes = arcfour-hmac\nallow_weak_crypto = true",
    );
    let password = var("PASSWORD_FILE");
    let user = [
        "--user",
        "Administrator@SRC.TEST",
        "--password-file",
        &password,
    ];
    let asked = |more: &[&str]| {
        let mut command = list(&var("ADDRESS"), &[&user, more].concat(), folder.path());
        command.env("KRB5_CONFIG", &conf);
        run(command)
    };
    let said = asked(&[]);
    assert_eq!(said.status, 1, "{}", said.stdout);
    assert!(said.stderr.contains("uses RC4"), "{}", said.stderr);
    assert!(said.stderr.contains("--allow-rc4"), "{}", said.stderr);
    let said = asked(&["--allow-rc4"]);
    assert_eq!(said.status, 0, "{}", said.stderr);
}

#[test]
#[ignore = "needs the lab"]
fn a_ticket_of_another_realm_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let cache = kinit("DST", folder.path());
    let said = run(list(&var("ADDRESS"), &["--ccache", &cache], folder.path()));
    assert_eq!(said.status, 1, "{}", said.stdout);
    let expected = "the ticket in the cache is for Administrator@DST.TEST";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
}

#[test]
#[ignore = "needs the lab"]
fn after_kinit_the_user_of_the_profile_is_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let cache = kinit("SRC", folder.path());
    std::fs::create_dir(folder.path().join("gpoctl")).unwrap();
    std::fs::write(
        folder.path().join("gpoctl/config.toml"),
        format!(
            "[domain.\"src.test\"]\nserver = \"dc1.src.test\"\naddress = \"{}\"\nuser = \"SRC\\\\administrator\"\n",
            var("ADDRESS")
        ),
    )
    .unwrap();
    let asked = |cache: &str| {
        let mut command = bare(&["list", "--domain", "src.test"], folder.path());
        command.env("KRB5CCNAME", cache);
        run(command)
    };
    let said = asked(&cache);
    assert_eq!(said.status, 0, "{}", said.stderr);
    // Tickets of another account are not used for this user.
    let other = kinit("DST", folder.path());
    let said = asked(&other);
    assert_eq!(said.status, 2, "{}", said.stdout);
    assert!(
        said.stderr.contains("no terminal to ask for it"),
        "{}",
        said.stderr
    );
}

#[test]
#[ignore = "needs the lab"]
fn a_cache_that_others_can_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cache = kinit("SRC", folder.path());
    let path = cache.strip_prefix("FILE:").unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o622)).unwrap();
    for named in [true, false] {
        let mut command = if named {
            list(&var("ADDRESS"), &["--ccache", &cache], folder.path())
        } else {
            list(&var("ADDRESS"), &[], folder.path())
        };
        if !named {
            command.env("KRB5CCNAME", &cache);
        }
        let said = run(command);
        assert_eq!(said.status, 2, "{}", said.stdout);
        assert!(
            said.stderr.contains("can be written by other users"),
            "{}",
            said.stderr
        );
    }
}

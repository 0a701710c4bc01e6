//! A share that is read-only, although the permissions of its folders let the account write: that is named, before anything is written.

use crate::support::*;

/// SYSVOL of the domain controller of SRC.TEST is read-only until this is dropped.
struct ReadOnly;

const EDIT: &str = r"cp -a /etc/samba/smb.conf /tmp/smb.conf
sed -i '/^\[sysvol\]/,/^\[/ s/read only = .*/read only = Yes/' /etc/samba/smb.conf
! cmp -s /tmp/smb.conf /etc/samba/smb.conf
smbcontrol all reload-config";
const EDIT_BACK: &str = "cp -a /tmp/smb.conf /etc/samba/smb.conf; smbcontrol all reload-config";

/// Tries repeatedly until a new session is refused a new file, or may make one.
const LOOP: &str = r#"
for attempt in $(seq 1000); do
    said=$(smbclient //localhost/sysvol -U "Administrator%$(cat /lab-state/admin.password)" -c 'put /etc/hostname probe; del probe' 2>&1)
    case $1$said in
        no*ACCESS_DENIED* | no*MEDIA_WRITE_PROTECTED*) exit 0 ;;
        yes*NT_STATUS*) ;;
        yes*) exit 0 ;;
    esac
done
echo "$said"
exit 1
"#;

fn wait_until_writable(writable: &str) {
    let said = asked_inside("src", &["bash", "-c", LOOP, "-", writable], "");
    assert_eq!(said.status, 0, "{}{}", said.stdout, said.stderr);
}

impl ReadOnly {
    fn new() -> Self {
        inside("src", &["sh", "-ec", EDIT]);
        let share = Self;
        wait_until_writable("no");
        share
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        inside("src", &["sh", "-ec", EDIT_BACK]);
        // A second panic would hide the first.
        if !std::thread::panicking() {
            wait_until_writable("yes");
        }
    }
}

#[test]
#[ignore = "needs the lab"]
fn a_read_only_share_is_the_cause_that_is_named() {
    let _alone = alone();
    let (name, other) = (fresh("Read-only"), fresh("Not made"));
    write("src.test", &["create", &name]).json();
    let backup = &back_up("src.test", &["Logon Scripts"])["Logon Scripts"];
    let before = state("src");
    let share = ReadOnly::new();
    for arguments in [
        &["import", backup.to_str().unwrap(), "--into", &name][..],
        &["delete", &name],
        &["create", &other],
    ] {
        let said = write("src.test", arguments);
        assert_eq!(
            said.status, 1,
            "{arguments:?}: {}{}",
            said.stdout, said.stderr
        );
        for words in ["shares SYSVOL read-only", "read only and write list"] {
            assert!(
                said.stderr.contains(words),
                "{arguments:?}: {}",
                said.stderr
            );
        }
        assert_same(&before, &state("src"));
    }
    drop(share);
    write("src.test", &["delete", &name]).json();
    assert_samba_checks_pass("src");
}

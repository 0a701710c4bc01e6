//! There is no space on SYSVOL or on the local disk, or SYSVOL becomes read-only in the middle of an import: the domain is in the
//! old or in the new state, at once or after the command that gpoctl names when there is space again.
//!
//! Every tenth point is tried; all of them with `GPOCTL_LIVE_POINTS=all`.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::interrupted::{Case, Try, all_points, filled, import_over, sample};
use crate::support::*;

/// The folder of a GPO on a file system of its own, of a size that can be set. While it is mounted, its script waits for orders;
/// when they end, for whatever reason, the folder is where it was, with its content of then.
struct SmallFolder(Watcher);

impl SmallFolder {
    fn mount(guid: &str) -> Self {
        let script = r#"
import subprocess

folder = f"/var/lib/samba/sysvol/dst.test/Policies/{order['guid']}"
small = "/run/gpoctl-small"
copy = "tar --xattrs --xattrs-include='*' --acls -C {} -c . | tar --xattrs --xattrs-include='*' --acls -C {} -x"

def run(command):
    subprocess.run(["sh", "-ec", command], check=True)

def remount(options):
    run(f"mount -o remount,{options} {small}")

os.makedirs(small, exist_ok=True)
run(f"mount -t tmpfs -o mode=700 tmpfs {small}")
run(copy.format(folder, small))
run(f"mount --bind {small} {folder}")
print("mounted", flush=True)
try:
    for line in sys.stdin:
        what = line.split()
        if what[0] == "free":
            # In KiB.
            used = os.statvfs(small)
            used = (used.f_blocks - used.f_bfree) * used.f_frsize // 1024
            remount(f"size={used + int(what[1])}k")
        else:
            remount(what[0])
        print("done", flush=True)
finally:
    remount("size=1g,rw")
    run(f"umount --lazy {folder}; find {folder} -mindepth 1 -delete")
    run(copy.format(small, folder))
    run(f"umount {small}")
"#;
        let mut watcher = Watcher::start("dst", script, &serde_json::json!({ "guid": guid }));
        watcher.says("mounted");
        Self(watcher)
    }

    fn order(&mut self, what: &str) {
        self.0.tell(what);
        self.0.says("done");
    }
}

/// What an import does that finds this much free space on SYSVOL: it fails, or it is done.
#[test]
#[ignore = "needs the lab"]
fn sysvol_is_full() {
    let _alone = alone();
    let guid = filled("Full");
    let mut case = Case::new(&guid, &import_over(&guid));
    let mut small = SmallFolder::mount(&guid);
    // The space of one block after the other, until it is enough.
    let step = if all_points() { 4 } else { 16 };
    let mut free = 0;
    loop {
        let one = case.begin();
        small.order(&format!("free {free}"));
        let said = case.run(&one, None);
        small.order("size=1g");
        if let Err(what) = case.judge(&one, &said) {
            panic!("{free} KiB free: {what}");
        }
        if said.status == 0 {
            break;
        }
        let named = said.stderr.contains("disk of the server is full");
        assert!(named, "{}", said.stderr);
        free += step;
    }
    small.0.end();
    assert!(free > 0);
    case.end(&format!("import, 0 to {free} KiB free on SYSVOL"));
    write("dst.test", &["delete", &guid]).json();
}

#[test]
#[ignore = "needs the lab"]
fn sysvol_becomes_read_only() {
    let _alone = alone();
    let guid = filled("Read only");
    let mut case = Case::new(&guid, &import_over(&guid));
    let relay = Relay::start("dst", 84, &[389, 445]);
    let small = Arc::new(Mutex::new(SmallFolder::mount(&guid)));
    for moment in Moment::ALL {
        let one = case.begin();
        let (seen, look) = (Arc::clone(&one.seen), case.looker());
        let mut progress = Progress::of_import(&guid);
        let file_system = Arc::clone(&small);
        relay.inspect(move |message| {
            if progress.meets(&message) == Some(moment) && seen.lock().unwrap().is_empty() {
                seen.lock().unwrap().push(look());
                file_system.lock().unwrap().order("ro");
            }
            Verdict::Pass
        });
        let said = case.run(&one, Some(&relay.address));
        assert!(
            !one.seen.lock().unwrap().is_empty(),
            "{moment:?} never came"
        );
        small.lock().unwrap().order("rw");
        if let Err(what) = case.judge(&one, &said) {
            panic!("read-only at {moment:?}: {what}");
        }
        println!("read-only at {moment:?}: exit status {}", said.status);
    }
    relay.inspect(|_| Verdict::Pass);
    let small = Arc::into_inner(small).unwrap().into_inner().unwrap();
    small.0.end();
    case.end("import, SYSVOL read-only");
    write("dst.test", &["delete", &guid]).json();
}

/// The command with its journals on a file system of this size at `small`, from which they are copied when it has ended.
fn on_small_disk(gpoctl: &Command, one: &Try, small: &std::path::Path, kibibytes: u64) -> Command {
    let script = "mount -t tmpfs -o size=\"$1\"k,mode=700 tmpfs \"$2\" || exit 77\n\
        from=$2 to=$3; shift 3\n\
        XDG_STATE_HOME=$from \"$@\"; status=$?\n\
        rm -f \"$from/filler\"\n\
        cp -a \"$from/.\" \"$to\"; exit $status";
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(kibibytes.to_string())
        .arg(small)
        .arg(&one.journals)
        .arg(gpoctl.get_program())
        .args(gpoctl.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run_on_small_disk(case: &Case, one: &Try, kibibytes: u64) -> Said {
    let small = tempfile::tempdir_in(scratch()).unwrap();
    on_small_disk(&case.command(one, None), one, small.path(), kibibytes)
        .output()
        .unwrap()
        .into()
}

/// Uses up the file system that a process has at this path.
fn fill(process: u32, small: &std::path::Path) {
    let inside = small.strip_prefix("/").unwrap();
    let filler = std::path::Path::new(&format!("/proc/{process}/root"))
        .join(inside)
        .join("filler");
    let mut filler = std::fs::File::create(filler).unwrap();
    // Down to the last byte.
    for size in [1 << 16, 1 << 12, 1] {
        let block = vec![0; size];
        while let Ok(1..) = filler.write(&block) {}
    }
}

/// The size of every file below a folder.
fn local_sizes(folder: &std::path::Path) -> impl Iterator<Item = u64> {
    let list = Command::new("find")
        .arg(folder)
        .args(["-type", "f", "-printf", "%s\n"])
        .output()
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let sizes: Vec<u64> = list.lines().map(|line| line.parse().unwrap()).collect();
    sizes.into_iter()
}

#[test]
#[ignore = "needs the lab"]
fn the_local_disk_is_full() {
    let _alone = alone();
    let guid = filled("Local disk");
    let mut case = Case::new(&guid, &import_over(&guid));
    let undisturbed = case.begin();
    let said = run_on_small_disk(&case, &undisturbed, 1 << 20);
    case.judge(&undisturbed, &said).unwrap();
    // Rounded up to blocks of 4 KiB, of which a file takes one at least.
    let files = local_sizes(&undisturbed.journals);
    let enough: u64 = files.map(|size| size.div_ceil(4096) * 4).sum();
    let count = if all_points() { 40 } else { 5 };
    for number in 1..=count {
        let kibibytes = 4 * (enough / 4 * number / count);
        let one = case.begin();
        let said = run_on_small_disk(&case, &one, kibibytes);
        if let Err(what) = case.judge(&one, &said) {
            panic!("{kibibytes} KiB for journals: {what}");
        }
        if said.status != 0 {
            let named = said.stderr.contains("No space left");
            assert!(named, "{kibibytes} KiB: {}", said.stderr);
        }
    }
    case.end(&format!("import, 4 to {enough} KiB for journals"));
    write("dst.test", &["delete", &guid]).json();
}

/// From a request on, the local disk is full: what is changed already is rolled back, and its journal says so.
#[test]
#[ignore = "needs the lab"]
fn the_local_disk_becomes_full() {
    let _alone = alone();
    let guid = filled("Local disk later");
    let mut case = Case::new(&guid, &import_over(&guid));
    let relay = Relay::start("dst", 85, &[389, 445]);
    let undisturbed = case.begin();
    let said = case.run(&undisturbed, Some(&relay.address));
    let points = relay.points();
    case.judge(&undisturbed, &said).unwrap();
    let requests = points
        .into_iter()
        .filter(|point| point.sender == Sender::Client);
    let (mut full, mut failed) = (0, 0);
    for point in sample(requests.collect()) {
        let one = case.begin();
        let small = tempfile::tempdir_in(scratch()).unwrap();
        let (seen, look) = (Arc::clone(&one.seen), case.looker());
        let process = Arc::new(Mutex::new(None));
        let (limited, path) = (Arc::clone(&process), small.path().to_owned());
        relay.inspect(move |message| {
            if message.point == point {
                seen.lock().unwrap().push(look());
                fill(limited.lock().unwrap().unwrap(), &path);
            }
            Verdict::Pass
        });
        let gpoctl = case.command(&one, Some(&relay.address));
        let mut command = on_small_disk(&gpoctl, &one, small.path(), 8 << 10);
        let child = {
            let mut known = process.lock().unwrap();
            let child = command.spawn().unwrap();
            *known = Some(child.id());
            child
        };
        let said: Said = child.wait_with_output().unwrap().into();
        match one.seen.lock().unwrap().is_empty() {
            true => case.tally.missed += 1,
            false => full += 1,
        }
        if let Err(what) = case.judge(&one, &said) {
            panic!("the local disk full at {point}: {what}");
        }
        failed += u32::from(said.stderr.contains("No space left"));
    }
    assert!(full > 0 && failed > 0, "{full} times full, {failed} failed");
    case.end("import, the local disk full");
    write("dst.test", &["delete", &guid]).json();
}

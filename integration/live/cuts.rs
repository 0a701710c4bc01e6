//! The LDAP or the SMB connection is cut at a request or at a response. Whatever gpoctl had done by then, the domain is in the old or
//! in the new state, at once or after the command that gpoctl names; and a client reads the old or the new policy at every moment.
//!
//! Every tenth point is tried; all of them with `GPOCTL_LIVE_POINTS=all`.

use std::sync::Arc;

use crate::support::interrupted::{Case, filled, import_over, sample};
use crate::support::*;

/// How many points there are between two runs of Samba's checks.
const BETWEEN_CHECKS: usize = 100;

/// Cuts the connection at every point of a command.
fn cut_everywhere(name: &str, mut case: Case, last: u8) {
    let relay = Relay::start("dst", last, &[389, 445]);
    let undisturbed = case.begin();
    let said = case.run(&undisturbed, Some(&relay.address));
    let all = relay.points();
    case.judge(&undisturbed, &said).unwrap();
    let count = all.len();
    let points = sample(all);
    println!("{name}: {count} points, {} to try", points.len());
    for (index, point) in points.into_iter().enumerate() {
        let one = case.begin();
        let (seen, look) = (Arc::clone(&one.seen), case.looker());
        relay.inspect(move |message| {
            if message.point != point {
                return Verdict::Pass;
            }
            seen.lock().unwrap().push(look());
            Verdict::Cut
        });
        let said = case.run(&one, Some(&relay.address));
        if one.seen.lock().unwrap().is_empty() {
            case.tally.missed += 1;
        }
        if let Err(what) = case.judge(&one, &said) {
            panic!("{name}, cut at {point}: {what}");
        }
        if index % BETWEEN_CHECKS == BETWEEN_CHECKS / 2 {
            assert_samba_checks_pass("dst");
        }
    }
    case.end(&format!("{name}, cut at {count} points"));
}

#[test]
#[ignore = "needs the lab"]
fn an_import_over_a_filled_gpo() {
    let _alone = alone();
    let guid = filled("Cut import");
    cut_everywhere("import", Case::new(&guid, &import_over(&guid)), 81);
    write("dst.test", &["delete", &guid]).json();
}

#[test]
#[ignore = "needs the lab"]
fn a_delete_of_a_linked_gpo() {
    let _alone = alone();
    let guid = filled("Cut delete");
    for som in ["dst.test", "dst.test/Workstations"] {
        write("dst.test", &["link", "add", &guid, "--target", som]).json();
    }
    cut_everywhere(
        "delete",
        Case::new(&guid, &["delete", &guid].map(str::to_owned)),
        82,
    );
    write("dst.test", &["delete", &guid]).json();
}

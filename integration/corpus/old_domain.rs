//! Every text of the real backups that is reported as a name of the source domain, so that none is reported without a reason.

use std::collections::BTreeMap;

use crate::support::corpus_gpos;
use gpoctl::migration::old_domain::findings;
use gpoctl::migration::scan::scan;

/// The findings by what they are about, each of which names the domain of its own backup.
const EXPECTED: [(&str, usize); 4] = [
    // Hardened paths of the domain's own SYSVOL and controller, in the names of the values: not one share.
    (
        r#"windomain.local: "\\windomain.local" contains windomain.local, a name of the source domain"#,
        1,
    ),
    (
        r#"windomain.local: "\\dc.windomain.local" contains windomain.local, a name of the source domain"#,
        1,
    ),
    (
        r#"windomain.local: the collector of forwarded events "Server=http://wef.windomain.local:5985/wsman/SubscriptionManager/WEC,Refresh=60" contains windomain.local, a name of the source domain"#,
        1,
    ),
    // The recipient of a message that a task sends, in two backups of one GPO.
    (
        r#"ad.hraedon.com: "pmerritt@ad.hraedon.com" contains ad.hraedon.com, a name of the source domain"#,
        2,
    ),
];

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn names_of_the_source_domain_are_found_only_where_they_are() {
    let root = corpus_gpos::root();
    let all = corpus_gpos::backups(&root);
    assert_eq!(all.len(), 276);
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for gpo in &all {
        let references = scan(&gpo.snapshot).references;
        for finding in findings(&gpo.snapshot, &gpo.snapshot, &references) {
            let place = finding.place.unwrap();
            println!("{} | {place} | {}", gpo.snapshot.domain, finding.text);
            *found
                .entry(format!("{}: {}", gpo.snapshot.domain, finding.text))
                .or_default() += 1;
        }
    }
    let expected: BTreeMap<String, usize> = EXPECTED
        .map(|(text, count)| (text.to_owned(), count))
        .into();
    assert_eq!(found, expected);
}

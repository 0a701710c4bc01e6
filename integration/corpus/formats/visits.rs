//! The references that the visitors of the formats find, and what they write.

use super::*;

/// The path of a file below its GPO's folder.
fn below_gpo(path: &Path) -> Option<RelPath> {
    let parts: Vec<String> = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let half = parts
        .iter()
        .rposition(|part| matches!(part.to_lowercase().as_str(), "machine" | "user"))?;
    parts[half..].join("\\").parse().ok()
}

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn references() {
    let files = files();
    let mut formats = Counts::new();
    let mut kinds = Counts::new();
    for path in &files {
        let Some(rel) = below_gpo(path) else { continue };
        let bytes = Bytes::from(std::fs::read(path).unwrap());
        let Some(check) = check_format(&rel, &bytes) else {
            continue;
        };
        let format = match check {
            Ok(format) => format,
            Err(error) => {
                assert!(
                    path.to_string_lossy().contains("adsys"),
                    "{}: {error}",
                    path.display()
                );
                continue;
            }
        };
        count(&mut formats, format);
        let mut found = Vec::new();
        let kept = visit_file(&rel, &bytes, &mut |f: &Occurrence| {
            found.push(f.clone());
            Rewrite::Keep
        })
        .unwrap();
        assert!(kept.bytes.is_none(), "{}", path.display());
        for f in &found {
            let kind = match &f.target {
                ReferenceTarget::Sid { sid, .. } if sid.is_domain_sid() => "domain SID",
                ReferenceTarget::Sid { .. } => "SID",
                ReferenceTarget::Name(_)
                | ReferenceTarget::Computer(_)
                | ReferenceTarget::Label(_) => "name",
                ReferenceTarget::SidAndName { .. } => "SID and name",
                ReferenceTarget::Unc { text, .. } => {
                    println!("{text}  <- {}", f.place);
                    "UNC"
                }
            };
            count(&mut kinds, format!("{format} {kind} {:?}", f.scope));
        }
        assert_same_visits(&rel, &bytes, &found);
        // Mapped there and back, a file is unchanged, unless it contained the new values before.
        let swap = |from: &'static str, to: &'static str| {
            move |occurrence: &Occurrence| match &occurrence.target {
                ReferenceTarget::Sid { sid, .. } if sid.is_domain_sid() => {
                    let text = sid.to_string().replacen(from, to, 1);
                    Rewrite::Principal {
                        sid: Some(text.parse().unwrap()),
                        name: String::new(),
                    }
                }
                ReferenceTarget::Unc { text, .. } => Rewrite::Unc(text.replacen(
                    if from.len() < to.len() {
                        "\\\\"
                    } else {
                        "\\\\moved-"
                    },
                    if from.len() < to.len() {
                        "\\\\moved-"
                    } else {
                        "\\\\"
                    },
                    1,
                )),
                _ => Rewrite::Keep,
            }
        };
        let there = visit_file(&rel, &bytes, &mut swap("S-1-5-21-", "S-1-5-21-77-")).unwrap();
        let moves = found.iter().any(|f| match &f.target {
            ReferenceTarget::Sid { sid, .. } => sid.is_domain_sid(),
            ReferenceTarget::Unc { .. } => true,
            _ => false,
        });
        assert_eq!(there.bytes.is_some(), moves, "{}", path.display());
        if let Some(there) = there.bytes {
            let back = visit_file(&rel, &there, &mut swap("S-1-5-21-77-", "S-1-5-21-")).unwrap();
            assert_eq!(back.bytes.as_ref(), Some(&bytes), "{}", path.display());
        }
    }
    println!("{formats:?}\n{kinds:#?}");
    expect(
        &kinds,
        &[
            ("GptTmpl.inf domain SID Gpmc", 237),
            ("scripts.ini UNC Gpmc", 9),
            ("advertise script UNC Gpmc", 6),
        ],
    );
}

/// What a visitor finds, and in which order, does not depend on what becomes of it: a mapping finds its decisions by this order.
fn assert_same_visits(path: &RelPath, bytes: &Bytes, found: &[Occurrence]) {
    let principal = |sid: Option<&str>, name: &str| Rewrite::Principal {
        sid: sid.map(|sid| sid.parse().unwrap()),
        name: name.to_owned(),
    };
    for rewrite in [
        Rewrite::Remove,
        principal(Some("S-1-5-21-7-7-7-7"), r"NEW\seven"),
        principal(None, "seven, =\u{e4}"),
        Rewrite::Unc(r"\\new\a b\c;d".to_owned()),
    ] {
        let mut visited = Vec::new();
        let written = visit_file(path, bytes, &mut |occurrence: &Occurrence| {
            visited.push(occurrence.clone());
            rewrite.clone()
        });
        if written.is_ok() {
            assert_eq!(visited, found, "{path}: {rewrite:?}");
        }
    }
}

//! Windows Firewall rules in Registry.pol: `v2.26|Action=Allow|LUAuth=D:(A;;CC;;;S-1-…)|` [MS-GPFAS 2.2.2.19].
//! Connection security rules, authentication and crypto sets have the same form.

use std::ops::Range;

/// A field of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleField<'a> {
    /// Its name. `RA4`, `Profile` and others can occur several times.
    pub name: &'a str,
    /// The span of its value, in bytes of the text.
    pub value: Range<usize>,
    /// The type of the value.
    pub kind: FieldKind,
}

/// The type of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// SDDL whose entries list the authorized principals: `LUAuth`, `RUAuth`, `RMAuth`.
    Sddl,
    /// One SID: `LUOwn` (the owner of the rule) and `AppPkgId` (a package).
    Sid,
    /// The path of a program: `App`.
    Path,
    /// All others.
    Other,
}

/// Parses the fields of a rule, in order; `None` when the text is not a rule.
///
/// A rule is `v`, a version, `|`, and fields `NAME=VALUE`, each ended by `|`. A value cannot contain `|`.
pub fn fields(text: &str) -> Option<Vec<RuleField<'_>>> {
    let (version, _) = text.split_once('|')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (major, minor) = version.strip_prefix(['v', 'V'])?.split_once('.')?;
    if !(digits(major) && digits(minor) && text.ends_with('|')) {
        return None;
    }
    let mut start = version.len() + 1;
    let mut found = Vec::new();
    while start < text.len() {
        let end = start + text.get(start..)?.find('|')?;
        let (name, _) = text.get(start..end)?.split_once('=')?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return None;
        }
        found.push(RuleField {
            name,
            value: start + name.len() + 1..end,
            kind: kind_of(name),
        });
        start = end + 1;
    }
    (!found.is_empty()).then_some(found)
}

fn kind_of(name: &str) -> FieldKind {
    let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    if is(&["LUAuth", "RUAuth", "RMAuth"]) {
        FieldKind::Sddl
    } else if is(&["LUOwn", "AppPkgId"]) {
        FieldKind::Sid
    } else if is(&["App"]) {
        FieldKind::Path
    } else {
        FieldKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_and_their_kinds() {
        let text = r"v2.26|Action=Allow|RA4=10.0.0.0/8|RA4=LocalSubnet|App=\\s\a b\x.exe|Name=a=b|RMauth=O:LSD:(A;;CC;;;BA)|LUOwn=S-1-5-7|Desc=|";
        let shown: Vec<_> = fields(text)
            .unwrap()
            .into_iter()
            .map(|field| (field.name, text.get(field.value).unwrap(), field.kind))
            .collect();
        assert_eq!(
            shown,
            [
                ("Action", "Allow", FieldKind::Other),
                ("RA4", "10.0.0.0/8", FieldKind::Other),
                ("RA4", "LocalSubnet", FieldKind::Other),
                ("App", r"\\s\a b\x.exe", FieldKind::Path),
                ("Name", "a=b", FieldKind::Other),
                ("RMauth", "O:LSD:(A;;CC;;;BA)", FieldKind::Sddl),
                ("LUOwn", "S-1-5-7", FieldKind::Sid),
                ("Desc", "", FieldKind::Other),
            ]
        );
        for text in [
            "",
            "v2.26|",
            "v2.26|Action=Allow",
            "v2|Action=Allow|",
            "2.26|Action=Allow|",
            "v2.26|Action|",
            "v2.26|=x|",
            "v2.26|a b=x|",
            "v2.x|Action=Allow|",
            r"type=VHD|path=\\s\a|",
        ] {
            assert_eq!(fields(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_values_are_parts_of_the_text(text in "v2.1\\|([A-Za-z=|\u{e4}]|App=|\\|){0,40}") {
            for field in fields(&text).unwrap_or_default() {
                prop_assert!(text.get(field.value).is_some_and(|value| !value.contains('|')));
            }
        }
    }
}

//! A WMI filter in a file: the content of an `msWMI-Som` object, independent of its domain [MS-WMIO, MS-GPOL 2.2.5].

/// One query of a filter.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WmiQuery {
    /// The query language; `WQL` everywhere.
    #[serde(default = "wql")]
    pub language: String,
    /// The WMI namespace: `root\CIMv2`.
    pub namespace: String,
    /// The query.
    pub query: String,
}

fn wql() -> String {
    "WQL".to_owned()
}

/// The value of `msWMI-Parm2` is not a list of queries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("msWMI-Parm2 \"{}\" is not of the form count;length;length;length;language;namespace;query;", .0.escape_debug())]
pub struct InvalidQueries(String);

/// Parses `msWMI-Parm2`: the number of queries, then for each the lengths of language, namespace and query in UTF-16
/// units, followed by these three. A query may contain semicolons, so the lengths decide.
///
/// # Errors
/// When the value is not of that form. A blank value has no queries.
pub fn parse_queries(value: &str) -> Result<Vec<WmiQuery>, InvalidQueries> {
    let bad = || InvalidQueries(value.to_owned());
    if value.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut rest = value;
    let count = number(&mut rest).ok_or_else(bad)?;
    let mut queries = Vec::new();
    for _ in 0..count {
        let mut lengths = [0; 3];
        for length in &mut lengths {
            *length = number(&mut rest).ok_or_else(bad)?;
        }
        let [language, namespace, query] = lengths;
        queries.push(WmiQuery {
            language: text(&mut rest, language).ok_or_else(bad)?,
            namespace: text(&mut rest, namespace).ok_or_else(bad)?,
            query: text(&mut rest, query).ok_or_else(bad)?,
        });
    }
    if rest.trim().is_empty() {
        Ok(queries)
    } else {
        Err(bad())
    }
}

/// Writes `msWMI-Parm2`.
pub fn format_queries(queries: &[WmiQuery]) -> String {
    let length = |text: &str| text.encode_utf16().count();
    let mut value = format!("{};", queries.len());
    for query in queries {
        value.push_str(&format!(
            "{};{};{};{};{};{};",
            length(&query.language),
            length(&query.namespace),
            length(&query.query),
            query.language,
            query.namespace,
            query.query
        ));
    }
    value
}

/// Reads a number and the semicolon after it.
fn number(rest: &mut &str) -> Option<usize> {
    let (number, after) = rest.split_once(';')?;
    *rest = after;
    number.trim().parse().ok()
}

/// Reads a text of `length` UTF-16 units and the semicolon after it.
fn text(rest: &mut &str, length: usize) -> Option<String> {
    let mut units = 0;
    let mut end = 0;
    for character in rest.chars() {
        if units >= length {
            break;
        }
        units += character.len_utf16();
        end += character.len_utf8();
    }
    if units != length {
        return None;
    }
    let (text, after) = rest.split_at_checked(end)?;
    *rest = after.strip_prefix(';')?;
    Some(text.to_owned())
}

/// A filter in the form of a file that is passed from domain to domain.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct WmiFilterFile {
    /// `msWMI-Name`.
    pub name: String,
    /// `msWMI-Parm1`; empty when absent.
    #[serde(default)]
    pub description: String,
    /// `msWMI-Author`.
    #[serde(default)]
    pub author: String,
    /// `msWMI-CreationDate`: `20240105101500.000000-000`.
    #[serde(default)]
    pub created: String,
    /// `msWMI-ChangeDate`, likewise.
    #[serde(default)]
    pub changed: String,
    /// The DNS name of the domain it is from.
    #[serde(default)]
    pub domain: String,
    /// `msWMI-ID`, in braces.
    #[serde(default)]
    pub id: String,
    /// The queries; the filter is true when each of them returns an object.
    pub queries: Vec<WmiQuery>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn query(text: &str) -> WmiQuery {
        WmiQuery {
            language: wql(),
            namespace: r"root\CIMv2".to_owned(),
            query: text.to_owned(),
        }
    }

    #[test]
    fn reads_and_writes_what_gpmc_writes() {
        let one = r#"1;3;10;59;WQL;root\CIMv2;SELECT * FROM Win32_OperatingSystem WHERE ProductType = "1";"#;
        let queries = parse_queries(one).unwrap();
        assert_eq!(
            queries,
            [query(
                r#"SELECT * FROM Win32_OperatingSystem WHERE ProductType = "1""#
            )]
        );
        assert_eq!(format_queries(&queries), one);
        let two = [query("a;b;"), query("Büro 😀")];
        let value = format_queries(&two);
        assert_eq!(
            value,
            "2;3;10;4;WQL;root\\CIMv2;a;b;;3;10;7;WQL;root\\CIMv2;Büro 😀;"
        );
        assert_eq!(parse_queries(&value).unwrap(), two);
        assert!(parse_queries(" ").unwrap().is_empty());
        for bad in [
            "x",
            "1;",
            "1;3;10;99;WQL;root\\CIMv2;SELECT;",
            "1;3;10;6;WQL;root\\CIMv2;SELECT",
            "1;3;10;6;WQL;root\\CIMv2;SELECT;more",
            "99999999999999999999;",
            "4000000000;3;",
        ] {
            assert!(parse_queries(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_list_of_queries_survives(texts in prop::collection::vec(".{0,12}", 0..4), junk in ".{0,40}") {
            let queries: Vec<WmiQuery> = texts.iter().map(|text| query(text)).collect();
            prop_assert_eq!(parse_queries(&format_queries(&queries)).unwrap(), queries);
            let _ = parse_queries(&junk);
        }
    }
}

//! Generalized time, the time format of LDAP.

/// A generalized time in UTC [RFC 4517 3.3.13], `20260101120000.0Z`, as `2026-01-01T12:00:00`; `None` for any other
/// text.
pub fn generalized_time(time: &str) -> Option<String> {
    let digits = time.get(..14)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    Some(format!(
        "{}-{}-{}T{}:{}:{}",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_text_that_is_not_a_time() {
        let read = generalized_time("20260102030405.0Z");
        assert_eq!(read.as_deref(), Some("2026-01-02T03:04:05"));
        for other in [
            "",
            "2026010203040",
            "2026-01-02T03:04",
            "2026010203040\u{e4}",
        ] {
            assert_eq!(generalized_time(other), None, "{other}");
        }
    }
}

use super::*;

#[test]
fn every_code_has_a_name_of_its_own_a_meaning_and_an_action() {
    assert!(Code::ALL.len() > 150, "{}", Code::ALL.len());
    for pair in Code::ALL.windows(2) {
        assert!(pair[0].name() < pair[1].name(), "{pair:?}");
    }
    for &code in Code::ALL {
        let name = code.name();
        let words: Vec<&str> = name.split('-').collect();
        let is_word =
            |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        assert!(words.iter().all(is_word), "{name}");
        let variant: String = words
            .iter()
            .map(|word| {
                let (first, rest) = word.split_at(1);
                format!("{}{rest}", first.to_uppercase())
            })
            .collect();
        assert_eq!(format!("{code:?}"), variant);
        assert_eq!(Code::from_name(name), Some(code));
        for text in [code.meaning(), code.action()] {
            assert!(text.len() > 10 && !text.ends_with('.'), "{name}: {text}");
            assert_eq!(text.trim(), text, "{name}");
        }
        let severities = code.severities();
        assert!(
            severities.windows(2).all(|pair| pair[0] < pair[1]),
            "{name}"
        );
    }
    assert_eq!(Code::from_name("nothing-known"), None);
}

use super::*;
use proptest::prelude::*;

#[test]
fn resolves_names_and_joins_text() {
    let root = parse(
        b"\xEF\xBB\xBF<?xml version=\"1.0\"?><!-- c --><a xmlns='u' xmlns:p='v' p:x='1 &amp; 2'>\r\n <b>x&lt;y &#65;</b><c> <![CDATA[a]]]]><![CDATA[>b]]></c></a>",
    )
    .unwrap();
    assert_eq!((root.namespace.as_str(), root.name.as_str()), ("u", "a"));
    assert_eq!(root.attributes[0].namespace, "v");
    assert_eq!(root.attributes[0].value, "1 & 2");
    assert_eq!(root.child_text("b"), "x<y A");
    assert_eq!(root.child_text("c"), "a]]>b");
    let b = root.named("b").next().unwrap();
    assert_eq!((b.line, b.column), (2, 2));
}

#[test]
fn reads_utf_16_whatever_the_declaration_says() {
    let text = "<?xml version=\"1.0\" encoding=\"utf-8\"?><a>ü</a>";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [
        little.clone(),
        big,
        [&[0xFF, 0xFE][..], &little].concat(),
        b"<?xml version='1.0' encoding='windows-1252'?><a>\xFC</a>".to_vec(),
        "<?xml version=\"1.0\" encoding=\"utf-16\"?><a>ü</a>".into(),
    ] {
        assert_eq!(parse(&bytes).unwrap().text(), "ü");
    }
    assert!(parse(b"<a>\xFC</a>").is_err());
}

#[test]
fn refuses_attacks() {
    let laughs = "<!DOCTYPE a [<!ENTITY x \"ha\"><!ENTITY y \"&x;&x;\">]><a>&y;</a>";
    assert!(
        parse(laughs.as_bytes())
            .unwrap_err()
            .reason
            .contains("document type")
    );
    assert!(parse(b"<a>&xxe;</a>").is_err());
    assert!(parse(b"<a b='&xxe;'/>").is_err());
    let deep = "<a>".repeat(100_000);
    let error = parse(deep.as_bytes()).unwrap_err();
    assert_eq!(
        (error.line, error.reason.as_str()),
        (1, "elements are nested too deep")
    );
    let wide: String = (0..300).map(|n| format!(" a{n}=''")).collect();
    assert!(parse(format!("<a{wide}/>").as_bytes()).is_err());
}

#[test]
fn refuses_what_is_not_well_formed() {
    for text in [
        "",
        " ",
        "<a>",
        "</a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "<a b=1/>",
        "<a b='1' b='2'/>",
        "<p:a/>",
        "<a p:b='1'/>",
        "<a>&#0;</a>",
        "<a>&#x110000;</a>",
        "<![CDATA[x]]><a/>",
        "<a b='<?x?>'/>",
        "\u{feff}\u{feff}<a/>",
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
    }
    let error = parse(b"<a>\n  <b></c>\n</a>").unwrap_err();
    assert_eq!(error.line, 2);
}

#[test]
fn line_ends_are_line_feeds_unless_they_are_references() {
    let root = parse(b"<a><b>1\r2\r\n3&#13;4</b><b><![CDATA[1\r2\r\n3]]></b></a>").unwrap();
    let texts: Vec<String> = root.elements().map(Element::text).collect();
    assert_eq!(texts, ["1\n2\n3\r4", "1\n2\n3"]);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(text in "[\\PC\\r\\n\\]>&<\"]{0,40}") {
        let document = format!("<a b=\"{}\"><c>{}</c><d>{}</d></a>", escape(&text), cdata(&text), escape(&text));
        let root = parse(document.as_bytes()).unwrap();
        prop_assert_eq!(root.attribute("b"), Some(text.as_str()));
        prop_assert_eq!(root.child_text("c"), text.as_str());
        prop_assert_eq!(root.child_text("d"), text.as_str());
    }

    #[test]
    fn nothing_makes_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        text in "[<>/a!?\\[\\]CDAT&;='\" -]{0,60}",
    ) {
        let _ = parse(&bytes);
        let _ = parse(text.as_bytes());
    }
}

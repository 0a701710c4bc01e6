//! The objects below a GPO: packages of software installation, printer connections, and the policies of wireless and wired networks and
//! of IPsec.

use super::{Risk, RiskKind};
use crate::model::directory_object::{AttributeValues, DirectoryObject};
use crate::model::reference::Place;

/// What an object does, if it runs code or decides what computers connect to.
pub(super) fn risk(object: &DirectoryObject) -> Option<Risk> {
    let text = |name: &str| texts(object, name);
    let (kind, text) = match object.object_class.to_ascii_lowercase().as_str() {
        // [MS-GPSI 2.2.3.1]
        "packageregistration" => {
            let (name, files) = (text("packageName"), text("msiFileList"));
            // A ZAP package does not have a list of files.
            let from = if files.is_empty() {
                text("setupCommand")
            } else {
                files
            };
            (RiskKind::Software, format!("{name} from {from}"))
        }
        // [MS-GPDPC 2.2]
        "msprint-connectionpolicy" => {
            let path = match text("uNCName") {
                none if none.is_empty() => {
                    format!(r"{}\{}", text("serverName"), text("printerName"))
                }
                path => path,
            };
            let text = format!("{path}, whose driver Windows loads from the server");
            (RiskKind::Printer, text)
        }
        // [MS-GPWL 2.3]
        "msieee80211-policy" | "ms-net-ieee-80211-grouppolicy" => (
            RiskKind::RemoteControl,
            "wireless networks that computers connect to".to_owned(),
        ),
        "ms-net-ieee-8023-grouppolicy" => (
            RiskKind::RemoteControl,
            "how computers authenticate to wired networks".to_owned(),
        ),
        // [MS-GPIPSEC 2.2.2]
        "ipsecpolicy" => {
            let policy = text("ipsecOwnersReference");
            let text = format!("the IPsec policy {policy}, which filters and encrypts traffic");
            (RiskKind::FirewallRule, text)
        }
        _ => return None,
    };
    Some(Risk {
        kind,
        text,
        place: Place::file(object.rdns.join(",")),
    })
}

fn texts(object: &DirectoryObject, name: &str) -> String {
    let mut attributes = object.attributes.iter();
    let found = attributes.find(|attribute| attribute.name.eq_ignore_ascii_case(name));
    match found.map(|attribute| &attribute.values) {
        Some(AttributeValues::String(Some(text)) | AttributeValues::ExpandedString(Some(text))) => {
            text.clone()
        }
        Some(AttributeValues::MultiString(texts)) => texts.join(", "),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::directory_object::DirectoryAttribute;

    #[test]
    fn objects_are_in_words() {
        let said = |class: &str, attributes: &[(&str, &str)]| {
            let attributes = attributes.iter().map(|(name, value)| DirectoryAttribute {
                name: (*name).to_owned(),
                values: AttributeValues::String(Some((*value).to_owned())),
            });
            let object = DirectoryObject {
                rdns: vec!["CN=p".to_owned(), "CN=Machine".to_owned()],
                object_class: class.to_owned(),
                attributes: attributes.collect(),
                security_descriptor: None,
            };
            risk(&object).map(|risk| format!("{}: {}", risk.kind.label(), risk.text))
        };
        let driver = "whose driver Windows loads from the server";
        assert_eq!(
            said("msPrint-ConnectionPolicy", &[("uNCName", r"\\e\p")]),
            Some(format!(r"printer: \\e\p, {driver}"))
        );
        assert_eq!(
            said(
                "msprint-connectionpolicy",
                &[("serverName", r"\\e"), ("printerName", "p")]
            ),
            Some(format!(r"printer: \\e\p, {driver}"))
        );
        for class in [
            "ipsecPolicy",
            "msieee80211-Policy",
            "ms-net-ieee-80211-GroupPolicy",
            "ms-net-ieee-8023-GroupPolicy",
        ] {
            assert!(said(class, &[]).is_some(), "{class}");
        }
        assert_eq!(said("container", &[]), None);
    }
}

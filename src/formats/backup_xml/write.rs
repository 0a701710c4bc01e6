//! Writes Backup.xml as GPMC does, including the empty lines for handlers that saved nothing.

use std::fmt::Write as _;

use super::{BackupXml, CoreSettings, DsChild, DsObject, Entry, Extension, FsObject, NAMESPACE};
use crate::formats::xml_tree::{cdata, escape};
use crate::model::directory_object::{AttributeValues, DirectoryAttribute};
use crate::model::snapshot::InventoryPrincipal;

/// The registry handler, which is always present and first.
const REGISTRY: &str = "{35378EAC-683F-11D2-A89A-00C04FBBCFA2}";
/// The handler of everything else, which is always present and last.
const UNKNOWN: &str = "{F15C46CD-82A0-4C2D-A210-5D0D3182A418}";
/// The handlers between those two, in GPMC's order; `None` is a handler that was never observed.
const SLOTS: [Option<&str>; 9] = [
    None,
    Some("{25537BA6-77A8-11D2-9B6C-0000F8080861}"),
    Some("{42B5FAAE-6536-11D2-AE5A-0000F87571E3}"),
    None,
    Some("{827D319E-6EAC-11D2-A4EA-00C04F79F83A}"),
    None,
    None,
    None,
    Some("{C6DC5466-785A-11D2-84D0-00C04FB169F7}"),
];

const FIELD: &str = "        ";
const LINE: &str = "            ";

/// The document: UTF-8 without byte order mark, CR LF, no line end after the root element.
pub(super) fn write(backup: &BackupXml) -> Vec<u8> {
    let mut xml = String::new();
    xml.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    // Part of the format: every writer puts this comment before the root element.
    xml.push_str("<!-- Copyright (c) Microsoft Corporation.  All rights reserved. -->");
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        xml,
        "<GroupPolicyBackupScheme bkp:version=\"2.0\" bkp:type=\"GroupPolicyBackupTemplate\" xmlns:bkp=\"{NAMESPACE}\" xmlns=\"{NAMESPACE}\">\r\n    <GroupPolicyObject>"
    );
    list(&mut xml, "SecurityGroups", &backup.principals, principal);
    list(&mut xml, "FilePaths", &backup.file_paths, |xml, path| {
        value(xml, "Path", path);
    });
    core(&mut xml, &backup.core);
    extensions(&mut xml, &backup.extensions);
    xml.push_str("</GroupPolicyObject>\r\n</GroupPolicyBackupScheme>");
    xml.into_bytes()
}

fn list<T>(xml: &mut String, name: &str, items: &[T], write_item: impl Fn(&mut String, &T)) {
    if items.is_empty() {
        let _ = write!(xml, "<{name}/>");
        return;
    }
    let _ = write!(xml, "<{name}>");
    for item in items {
        write_item(xml, item);
    }
    let _ = write!(xml, "</{name}>");
}

/// Writes an element with its text as CDATA, or an empty tag without text.
fn value(xml: &mut String, name: &str, text: &str) {
    let _ = if text.is_empty() {
        write!(xml, "<{name}/>")
    } else {
        write!(xml, "<{name}>{}</{name}>", cdata(text))
    };
}

fn principal(xml: &mut String, entry: &InventoryPrincipal) {
    xml.push_str(if entry.from_dacl {
        "<Group bkp:Source=\"FromDACL\">"
    } else {
        "<Group>"
    });
    let principal = &entry.principal;
    let sid = principal
        .sid
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    value(xml, "Sid", &sid);
    value(xml, "SamAccountName", &principal.sam_account_name);
    value(xml, "Type", principal.kind.as_str());
    value(xml, "NetBIOSDomainName", &principal.netbios_domain);
    value(xml, "DnsDomainName", &principal.dns_domain);
    value(xml, "UPN", &principal.upn);
    xml.push_str("</Group>");
}

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

fn security_descriptor(xml: &mut String, bytes: &[u8]) {
    let _ = if bytes.is_empty() {
        write!(xml, "<SecurityDescriptor/>")
    } else {
        write!(
            xml,
            "<SecurityDescriptor>{}</SecurityDescriptor>",
            hex(bytes)
        )
    };
}

fn core(xml: &mut String, core: &CoreSettings) {
    xml.push_str("<GroupPolicyCoreSettings>");
    value(xml, "ID", &core.id);
    value(xml, "Domain", &core.domain);
    security_descriptor(xml, &core.security_descriptor);
    value(xml, "DisplayName", &core.display_name);
    value(xml, "Options", &core.options.to_string());
    value(xml, "UserVersionNumber", &core.user_version.to_string());
    value(
        xml,
        "MachineVersionNumber",
        &core.machine_version.to_string(),
    );
    value(xml, "MachineExtensionGuids", &core.machine_extensions);
    value(xml, "UserExtensionGuids", &core.user_extensions);
    value(xml, "WMIFilter", &core.wmi_filter);
    if let Some(name) = &core.wmi_filter_name {
        value(xml, "WMIFilterName", name);
    }
    xml.push_str("</GroupPolicyCoreSettings> \r\n");
}

fn extensions(xml: &mut String, extensions: &[Extension]) {
    let is = |extension: &Extension, id: &str| extension.id.eq_ignore_ascii_case(id);
    for extension in extensions.iter().filter(|e| is(e, REGISTRY)) {
        block(xml, extension);
    }
    let fills =
        |extension: &Extension, slot: Option<&str>| slot.is_some_and(|id| is(extension, id));
    for slot in SLOTS {
        let mut empty = true;
        for extension in extensions.iter().filter(|e| fills(e, slot)) {
            block(xml, extension);
            empty = false;
        }
        if empty {
            xml.push_str(FIELD);
            xml.push_str("\r\n");
        }
    }
    let placed =
        |e: &Extension| is(e, REGISTRY) || is(e, UNKNOWN) || SLOTS.iter().any(|&s| fills(e, s));
    for extension in extensions.iter().filter(|e| !placed(e)) {
        block(xml, extension);
    }
    for extension in extensions.iter().filter(|e| is(e, UNKNOWN)) {
        xml.push_str("    ");
        start(xml, extension);
        for item in &extension.entries {
            entry(xml, item);
        }
        xml.push_str("</GroupPolicyExtension>");
    }
}

fn start(xml: &mut String, extension: &Extension) {
    let _ = write!(
        xml,
        "<GroupPolicyExtension bkp:ID=\"{}\" bkp:DescName=\"{}\">",
        escape(&extension.id),
        escape(&extension.description)
    );
}

/// Writes a block with one entry per line.
fn block(xml: &mut String, extension: &Extension) {
    xml.push_str(FIELD);
    start(xml, extension);
    xml.push_str("\r\n");
    let mut entries = extension.entries.iter().peekable();
    if extension.id.eq_ignore_ascii_case(REGISTRY) {
        // The computer and the user configuration have a line each, empty without a registry.pol.
        for half in ["%GPO_MACH_FSPATH%", "%GPO_USER_FSPATH%"] {
            match entries
                .next_if(|next| matches!(next, Entry::File(file) if file.path.starts_with(half)))
            {
                Some(item) => line(xml, item),
                None => {
                    let _ = write!(xml, "{LINE}\r\n");
                }
            }
        }
    }
    for item in entries {
        line(xml, item);
    }
    xml.push_str(FIELD);
    xml.push_str("</GroupPolicyExtension>\r\n");
}

fn line(xml: &mut String, item: &Entry) {
    xml.push_str(LINE);
    entry(xml, item);
    xml.push_str("\r\n");
}

fn entry(xml: &mut String, entry: &Entry) {
    match entry {
        Entry::File(object) => fs_object(xml, "FSObjectFile", object),
        Entry::Dir(object) => fs_object(xml, "FSObjectDir", object),
        Entry::Object(object) => ds_object(xml, object),
    }
}

fn attributes<'a>(
    xml: &mut String,
    attributes: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) {
    for (name, text) in attributes {
        if let Some(text) = text {
            let _ = write!(xml, " bkp:{name}=\"{}\"", escape(text));
        }
    }
}

fn fs_object(xml: &mut String, name: &str, object: &FsObject) {
    let _ = write!(xml, "<{name}");
    attributes(
        xml,
        [
            ("Path", Some(object.path.as_str())),
            ("SourceExpandedPath", Some(&object.source_expanded_path)),
            ("ReEvaluateFunction", object.re_evaluate_function.as_deref()),
            ("Location", object.location.as_deref()),
        ],
    );
    if object.children.is_empty() {
        xml.push_str("/>");
        return;
    }
    xml.push('>');
    for child in &object.children {
        entry(xml, child);
    }
    let _ = write!(xml, "</{name}>");
}

fn ds_object(xml: &mut String, object: &DsObject) {
    xml.push_str("<DSObject");
    let path = ("Path", Some(object.path.as_str()));
    let class = ("ObjectClass", Some(object.object_class.as_str()));
    // For objects matched by a pattern, GPMC writes the class before the path.
    let found = object.re_evaluate_function.as_deref() == Some("SIProcessPackageObject");
    attributes(xml, if found { [class, path] } else { [path, class] });
    attributes(
        xml,
        [
            (
                "SourceExpandedPath",
                Some(object.source_expanded_path.as_str()),
            ),
            ("ReEvaluateFunction", object.re_evaluate_function.as_deref()),
        ],
    );
    xml.push_str(">\r\n");
    for child in &object.children {
        xml.push_str(LINE);
        match child {
            DsChild::Entry(child) => entry(xml, child),
            DsChild::SecurityDescriptor(bytes) => security_descriptor(xml, bytes),
            DsChild::Attribute(attribute) => ds_attribute(xml, attribute),
        }
        xml.push_str("\r\n");
    }
    xml.push_str(LINE);
    xml.push_str("</DSObject>");
}

fn ds_attribute(xml: &mut String, attribute: &DirectoryAttribute) {
    let one = |text: &Option<String>| text.iter().map(|text| cdata(text)).collect::<Vec<_>>();
    let number = |number: &u32| cdata(&number.to_string());
    let (kind, values) = match &attribute.values {
        AttributeValues::String(text) => ("String", one(text)),
        AttributeValues::ExpandedString(text) => (
            "ExpandedString",
            text.iter().map(|text| escape(text)).collect(),
        ),
        AttributeValues::MultiString(texts) => (
            "MultiString",
            texts.iter().map(|text| cdata(text)).collect(),
        ),
        AttributeValues::Dword(value) => ("DWORD", value.iter().map(number).collect()),
        AttributeValues::MultiDword(values) => ("MultiDWORD", values.iter().map(number).collect()),
        AttributeValues::Binary(values) => (
            "Binary",
            values.iter().map(|bytes| cdata(&hex(bytes))).collect(),
        ),
    };
    let _ = write!(
        xml,
        "<DSAttribute{kind} bkp:DSAttrName=\"{}\"",
        escape(&attribute.name)
    );
    if values.is_empty() {
        xml.push_str("/>");
        return;
    }
    xml.push('>');
    for text in values {
        let _ = write!(xml, "<DSValue>{text}</DSValue>");
    }
    let _ = write!(xml, "</DSAttribute{kind}>");
}

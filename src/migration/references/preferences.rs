//! References in Preferences files [MS-GPPREF]. GPMC maps none of them.
//!
//! A name and a SID in the same element are one reference and are rewritten together. `runAs`, `UserId` and similar
//! fields contain a name or a SID alone. All other attributes and texts except stored passwords are searched as free
//! text, including the `Author` of a task: its name grants and runs nothing [MS-TSCH 2.5].

mod principal_fields;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use bytes::Bytes;

use self::principal_fields::{PrincipalField, PrincipalFieldKind, XmlValue, principal_fields};
use super::context::Context;
use super::text::{REFERENCE_MARKERS, RewrittenText, may_hold_reference};
use super::{ReferenceTarget, Rewrite};
use crate::formats::preferences::passwords::{holds_password, is_password, sets_password};
use crate::formats::preferences::{ElementCursor, Preferences};
use crate::formats::xml_tree::document::{Edit, XmlDocument};
use crate::message::{Code, StatusMessage, printable};
use crate::migration::inventory::NameForm;
use crate::migration::variables::{has_fixed_domain, unknown_variable};
use crate::model::reference::{Place, Scope};
use crate::model::shared_text::SharedText;
use crate::model::sid::Sid;
use crate::model::well_known::localized;

/// The suffix that the Preferences editor adds to the names of built-in groups.
const BUILT_IN: &str = " (built-in)";

/// Visits a file in the order of its elements; returns its new bytes if anything changed.
pub(super) fn visit(
    file: &SharedText,
    bytes: &Bytes,
    context: &mut Context<'_, '_>,
) -> Result<Option<Bytes>, String> {
    let preferences = Preferences::parse(bytes).map_err(|error| error.to_string())?;
    let mut visit = Visit {
        file,
        document: preferences.document(),
        context,
        edits: Vec::new(),
        members: HashMap::new(),
        members_left: 0,
        password: None,
    };
    preferences.walk(&mut |cursor| visit.element(cursor));
    let edits = visit.edits;
    if edits.is_empty() {
        return Ok(None);
    }
    let new = preferences
        .edited(edits)
        .map_err(|error| format!("the new values cannot be written: {error}"))?
        .to_bytes();
    Ok((new != *bytes).then(|| Bytes::from(new)))
}

struct Visit<'a, 'm, 'c, 'v> {
    file: &'a SharedText,
    document: &'a XmlDocument,
    context: &'m mut Context<'c, 'v>,
    edits: Vec<Edit>,
    /// The members of the current group so far, after mapping, and whether one of them was mapped.
    members: HashMap<String, bool>,
    /// The number of members left in the current group.
    members_left: usize,
    /// The depth of the outermost current element with a password in its texts.
    password: Option<usize>,
}

impl<'a> Visit<'a, '_, '_, '_> {
    fn element(&mut self, cursor: &ElementCursor<'a, '_>) {
        let element = cursor.element;
        let sets_password = sets_password(element);
        let (depth, is_current) = (cursor.depth(), |outer: &usize| *outer < cursor.depth());
        let has_password = sets_password || is_password(&element.name);
        self.password = self
            .password
            .filter(is_current)
            .or(has_password.then_some(depth));
        match element.name.as_str() {
            "Members" => {
                self.members.clear();
                self.members_left = element.elements().count();
            }
            "FilterLdap" => self.ldap(cursor),
            "FilterSite" => self.site(cursor),
            _ => {}
        }
        let fields = principal_fields(cursor, self.document);
        for field in &fields {
            self.principal(cursor, field);
        }
        let taken = |value: &XmlValue<'_>| {
            fields
                .iter()
                .flat_map(|field| [&field.sid, &field.name])
                .any(|other| other.as_ref() == Some(value))
        };
        for attribute in &element.attributes {
            let value = XmlValue::Attribute(attribute);
            if !taken(&value) && !holds_password(&attribute.name, sets_password) {
                self.free_text(cursor, &value, &attribute.value);
            }
        }
        let value = XmlValue::Content(element);
        if self.password.is_none()
            && !taken(&value)
            && let Some(text) = self.document.content_with(element, &REFERENCE_MARKERS)
        {
            self.free_text(cursor, &value, &text);
        }
    }

    fn place(&mut self, cursor: &ElementCursor<'_, '_>, keys: &[&str]) -> Place {
        let at = cursor.place();
        let section = self.context.within_budget(at.path);
        let place = Place::file(self.file).section(section).line(at.line);
        if keys.is_empty() {
            place
        } else {
            place.key(self.context.shared(&keys.join(", ")))
        }
    }

    fn write(&mut self, value: &XmlValue<'_>, text: &str) {
        self.edits.extend(match value {
            XmlValue::Attribute(attribute) => Some(self.document.set_attribute(attribute, text)),
            XmlValue::Content(element) => self.document.set_content(element, text),
        });
    }

    fn free_text(&mut self, cursor: &ElementCursor<'_, '_>, value: &XmlValue<'_>, text: &str) {
        if !may_hold_reference(text) {
            return;
        }
        let key = value.attribute_name();
        let place = self.place(cursor, key.as_slice());
        match self.context.free_text(text, &place, Scope::All) {
            RewrittenText::Unchanged => {}
            RewrittenText::Changed(new) => self.write(value, &new),
            RewrittenText::Removed => self.context.refuse_removal(text, &place),
        }
    }

    /// Targeting by site is not mapped: a site is neither a principal nor a path.
    fn site(&mut self, cursor: &ElementCursor<'_, '_>) {
        let name = cursor.element.attribute("name").unwrap_or_default();
        if !name.is_empty() {
            let text = format!(
                "the item targets computers in the site \"{}\" of this forest",
                printable(name)
            );
            let message = StatusMessage::info(Code::TargetsSite, text)
                .at(self.place(cursor, &["name"]))
                .with_hint("check that the target forest has a site of this name");
            self.context.messages.push(message);
        }
    }

    /// Targeting by an LDAP query is not mapped: the DNs in it may be of any object.
    fn ldap(&mut self, cursor: &ElementCursor<'_, '_>) {
        for key in ["binding", "searchFilter"] {
            let value = cursor.element.attribute(key).unwrap_or_default();
            if !names_domain_or_server(value) {
                continue;
            }
            let text = format!(
                "the item targets the result of an LDAP query that names objects or a server of this domain: \"{}\"",
                printable(&value.chars().take(200).collect::<String>())
            );
            let message = StatusMessage::info(Code::TargetsLdap, text)
                .at(self.place(cursor, &[key]))
                .with_hint("check that the query returns the same objects in the target domain");
            self.context.messages.push(message);
        }
    }

    fn principal(&mut self, cursor: &ElementCursor<'a, '_>, field: &PrincipalField<'a>) {
        let keys: Vec<&str> = [&field.name, &field.sid]
            .into_iter()
            .flatten()
            .filter_map(XmlValue::attribute_name)
            .collect();
        let place = self.place(cursor, &keys);
        let sid_text = field.sid_text().trim();
        let name = field.name_text.trim();
        let old = sid_text.parse::<Sid>().ok();
        if old.is_none() && !sid_text.is_empty() {
            let text = format!("\"{}\" is not a SID", printable(sid_text));
            self.context.warning(Code::BadSid, text, &place);
        }
        let target = match old.clone() {
            Some(sid) if name.is_empty() || name == sid_text => ReferenceTarget::Sid {
                sid,
                text: sid_text.to_owned(),
            },
            Some(sid) => ReferenceTarget::SidAndName {
                sid,
                name: name.to_owned(),
            },
            None => match name.parse::<Sid>() {
                Ok(sid) => ReferenceTarget::Sid {
                    sid,
                    text: name.to_owned(),
                },
                Err(_) if field.kind.is_reference(name) => field.kind.target(name),
                Err(_) => {
                    if let Some(value) = &field.name {
                        self.free_text(cursor, value, &field.name_text);
                    }
                    return;
                }
            },
        };
        let shown = match &target {
            ReferenceTarget::Sid { text, .. } => text.clone(),
            _ => format!("\"{}\"", printable(name)),
        };
        let new = match self.context.rewrite_of(target.clone(), &place, Scope::All) {
            Rewrite::Keep => {
                self.member(cursor, old.as_ref(), name, false, &place);
                return;
            }
            Rewrite::Unc(_) => {
                self.context.wrong_kind(&shown, &place);
                return;
            }
            // The root element cannot be removed.
            Rewrite::Remove
                if cursor.element.name == "Member"
                    && !std::ptr::eq(cursor.element, self.document.root()) =>
            {
                self.edits.push(self.document.remove(cursor.element));
                self.member_gone(&place);
                return;
            }
            Rewrite::Remove => {
                self.context.refuse_removal(&shown, &place);
                return;
            }
            Rewrite::Principal { sid, name } => (sid, name),
        };
        self.rewrite(cursor, field, &target, new, &place);
    }

    fn rewrite(
        &mut self,
        cursor: &ElementCursor<'a, '_>,
        field: &PrincipalField<'a>,
        target: &ReferenceTarget,
        (sid, name): (Option<Sid>, String),
        place: &Place,
    ) {
        let (old_sid, old_name) = (field.sid_text().trim(), field.name_text.trim());
        if sid.is_none() && target.name_alone().is_none() {
            let text = format!(
                "this field needs a SID and \"{}\" does not resolve to one, so it is left unchanged",
                printable(&name)
            );
            self.context.error(Code::NeedsSid, text, place);
            return;
        }
        let new_name = match (target, &sid) {
            // Keep a SID in a name field a SID.
            (ReferenceTarget::Sid { .. }, Some(sid)) if !old_name.is_empty() => sid.to_string(),
            (ReferenceTarget::Sid { .. }, _) => String::new(),
            _ => match field.kind.written(&name, sid.as_ref(), old_name) {
                Some(name) => name,
                None => {
                    self.context
                        .wrong_kind(&format!("\"{}\"", printable(old_name)), place);
                    return;
                }
            },
        };
        if new_name.chars().any(char::is_control) {
            let text = format!("the name \"{}\" cannot be written here", printable(&name));
            self.context.error(Code::BadName, text, place);
            return;
        }
        if let (Some(value), Some(sid)) = (&field.sid, &sid)
            && !old_sid.is_empty()
            && old_sid.parse().ok().as_ref() != Some(sid)
        {
            self.write(
                value,
                &field.sid_text().replacen(old_sid, &sid.to_string(), 1),
            );
        }
        if let Some(value) = &field.name
            && new_name != old_name
            && !new_name.is_empty()
        {
            self.write(value, &field.name_text.replacen(old_name, &new_name, 1));
            self.item_name(cursor, value, old_name, &new_name);
        }
        self.member(cursor, sid.as_ref(), &new_name, true, place);
    }

    /// Renames the item for a group or a user, whose name is that of the group or user.
    fn item_name(
        &mut self,
        cursor: &ElementCursor<'a, '_>,
        value: &XmlValue<'_>,
        old: &str,
        new: &str,
    ) {
        let is_subject = matches!(value.attribute_name(), Some("groupName" | "userName"));
        let named = cursor.parent().filter(|item| {
            is_subject
                && matches!(item.name.as_str(), "Group" | "User")
                && item.attribute("name") == Some(old)
        });
        let attribute = named.and_then(|item| {
            let mut attributes = item.attributes.iter();
            attributes.find(|attribute| attribute.name == "name")
        });
        if let Some(attribute) = attribute {
            self.write(&XmlValue::Attribute(attribute), new);
        }
    }

    /// Warns when mapping makes two members of a group equal.
    fn member(
        &mut self,
        cursor: &ElementCursor<'_, '_>,
        sid: Option<&Sid>,
        name: &str,
        mapped: bool,
        place: &Place,
    ) {
        if cursor.element.name != "Member" {
            return;
        }
        let key = sid.map_or_else(|| name.to_lowercase(), Sid::to_string);
        let earlier = self.members.get(&key).copied();
        if earlier.is_some_and(|earlier| mapped || earlier) {
            let text = format!(
                "\"{}\" is a member of this group twice now",
                printable(name)
            );
            self.context.warning(Code::DuplicateMember, text, place);
        }
        self.members.insert(key, mapped || earlier == Some(true));
    }

    /// Warns when the last member of a group was removed.
    fn member_gone(&mut self, place: &Place) {
        self.members_left = self.members_left.saturating_sub(1);
        if self.members_left == 0 {
            let text =
                "the last member was removed, so the item no longer changes the group membership";
            self.context.warning(Code::EmptyList, text, place);
        }
    }
}

impl PrincipalFieldKind {
    /// The target of a name in such a field.
    fn target(self, name: &str) -> ReferenceTarget {
        match self {
            Self::Principal | Self::Account => ReferenceTarget::Name(name.to_owned()),
            Self::Computer => ReferenceTarget::Computer(name.to_owned()),
            Self::Domain | Self::OrganizationalUnit => ReferenceTarget::Label(name.to_owned()),
        }
    }

    /// Whether a name in such a field is a reference, and not a name that each client completes, a local account or a well-known principal.
    fn is_reference(self, name: &str) -> bool {
        if name.is_empty() {
            return false;
        }
        // A row can correct what no client completes.
        if unknown_variable(name).is_some() {
            return true;
        }
        match self {
            Self::Domain | Self::OrganizationalUnit => !name.contains('%'),
            Self::Computer => !name.contains(['%', '*', '?']),
            Self::Principal | Self::Account => match NameForm::of(name).domain() {
                None => {
                    self == Self::Principal && has_fixed_domain(name) && !name.ends_with(BUILT_IN)
                }
                Some(domain) => {
                    let is_local =
                        is_local_authority(domain) && localized::localized(name).is_none();
                    has_fixed_domain(name) && !is_local
                }
            },
        }
    }

    /// The name in the form that such a field needs; `None` when it cannot be written there.
    fn written(self, name: &str, sid: Option<&Sid>, old: &str) -> Option<String> {
        match self {
            Self::Principal | Self::Account => {
                let built_in = sid.is_some_and(|sid| sid.to_string().starts_with("S-1-5-32-"))
                    && old.ends_with(BUILT_IN);
                Some(format!("{name}{}", if built_in { BUILT_IN } else { "" }))
            }
            // The account name of a computer is its NetBIOS name with a dollar sign; the DNS name does not contain it.
            Self::Computer if sid.is_some() && old.contains('.') => None,
            Self::Computer if sid.is_some() => {
                let account = NameForm::of(name).relative();
                Some(account.strip_suffix('$').unwrap_or(account).to_owned())
            }
            Self::Domain | Self::OrganizationalUnit if sid.is_some() => None,
            Self::Computer | Self::Domain | Self::OrganizationalUnit => Some(name.to_owned()),
        }
    }
}

/// Whether the address or the filter of an LDAP query contains part of a domain's DN or a server. `LDAP:` alone means
/// the client's domain, and most filters work in any domain.
fn names_domain_or_server(query: &str) -> bool {
    let folded: String = query
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_ascii_lowercase())
        .collect();
    folded.contains("://")
        || folded.starts_with("dc=")
        || folded.contains(",dc=")
        || folded.contains("/dc=")
}

/// Whether a domain is an authority of local accounts, which exist on every computer.
fn is_local_authority(domain: &str) -> bool {
    [
        ".",
        "NT AUTHORITY",
        "BUILTIN",
        "NT SERVICE",
        "IIS APPPOOL",
        "Window Manager",
        "Font Driver Host",
        "APPLICATION PACKAGE AUTHORITY",
    ]
    .iter()
    .any(|local| local.eq_ignore_ascii_case(domain))
        || localized::is_authority(domain)
}

//! Compare-and-swap of single attributes, and the objects of WMI filters.

use super::{DirectoryWriter, swap};
use crate::directory::Directory;
use crate::domain::ldap::{LdapFailure, NO_SUCH_ATTRIBUTE, VALUE_EXISTS};
use crate::error::{Error, ErrorKind, Result};
use crate::model::dn::Dn;

/// An attribute that is changed by compare-and-swap. No other attribute can be changed this way.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[non_exhaustive]
pub enum SwapAttribute {
    /// The links of a domain, OU or site.
    #[serde(rename = "gPLink")]
    GpLink,
    /// Block inheritance of a domain, OU or site.
    #[serde(rename = "gPOptions")]
    GpOptions,
    /// The WMI filter of a GPO.
    #[serde(rename = "gPCWQLFilter")]
    WqlFilter,
    /// The extensions of a GPO's computer half.
    #[serde(rename = "gPCMachineExtensionNames")]
    MachineExtensions,
    /// The extensions of a GPO's user half.
    #[serde(rename = "gPCUserExtensionNames")]
    UserExtensions,
    /// The name of a GPO.
    #[serde(rename = "displayName")]
    DisplayName,
    /// The version of a GPO.
    #[serde(rename = "versionNumber")]
    Version,
    /// The flags of a GPO.
    #[serde(rename = "flags")]
    Flags,
    /// `gPCFunctionalityVersion` of a GPO; 2.
    #[serde(rename = "gPCFunctionalityVersion")]
    FunctionalityVersion,
    /// The name of a WMI filter.
    #[serde(rename = "msWMI-Name")]
    WmiName,
    /// The description of a WMI filter.
    #[serde(rename = "msWMI-Parm1")]
    WmiDescription,
    /// The queries of a WMI filter.
    #[serde(rename = "msWMI-Parm2")]
    WmiQueries,
    /// The author of a WMI filter.
    #[serde(rename = "msWMI-Author")]
    WmiAuthor,
    /// When a WMI filter was changed.
    #[serde(rename = "msWMI-ChangeDate")]
    WmiChangeDate,
}

impl SwapAttribute {
    /// Its LDAP name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GpLink => "gPLink",
            Self::GpOptions => "gPOptions",
            Self::WqlFilter => "gPCWQLFilter",
            Self::MachineExtensions => "gPCMachineExtensionNames",
            Self::UserExtensions => "gPCUserExtensionNames",
            Self::DisplayName => "displayName",
            Self::Version => "versionNumber",
            Self::Flags => "flags",
            Self::FunctionalityVersion => "gPCFunctionalityVersion",
            Self::WmiName => "msWMI-Name",
            Self::WmiDescription => "msWMI-Parm1",
            Self::WmiQueries => "msWMI-Parm2",
            Self::WmiAuthor => "msWMI-Author",
            Self::WmiChangeDate => "msWMI-ChangeDate",
        }
    }
}

/// One attribute with one value: the expected value and the new one. `None` is an absent attribute.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AttributeSwap {
    /// The attribute.
    pub attribute: SwapAttribute,
    /// The expected value.
    pub old: Option<String>,
    /// The new value.
    pub new: Option<String>,
}

impl AttributeSwap {
    /// The inverse.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self {
            attribute: self.attribute,
            old: self.new.clone(),
            new: self.old.clone(),
        }
    }
}

impl Directory {
    /// The present values of these attributes, in their order.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such object; else as every search.
    pub async fn swapped_values(
        &self,
        dn: &Dn,
        swaps: &[AttributeSwap],
    ) -> Result<Vec<Option<String>>> {
        let names: Vec<&str> = swaps.iter().map(|swap| swap.attribute.as_str()).collect();
        self.texts(dn, &names).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("there is no object {dn} any more"),
            )
        })
    }

    /// The first value of each of these attributes as text; `None` when there is no such object.
    ///
    /// # Errors
    /// As every search.
    pub async fn texts(&self, dn: &Dn, names: &[&str]) -> Result<Option<Vec<Option<String>>>> {
        let entry = self.read(dn, names, None).await?;
        Ok(entry.map(|entry| names.iter().map(|name| entry.text(name)).collect()))
    }
}

impl DirectoryWriter {
    /// Changes attributes of one object in one modify, if each still has the value that was read: all or nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when one has changed since; [`ErrorKind::Denied`], [`ErrorKind::NotFound`].
    pub async fn swap_attributes(&self, dn: &Dn, swaps: &[AttributeSwap]) -> Result<()> {
        let mut changes: Vec<_> = Vec::new();
        for change in swaps.iter().filter(|change| change.old != change.new) {
            swap(
                &mut changes,
                change.attribute.as_str(),
                change.old.as_deref().map(str::as_bytes),
                change
                    .new
                    .as_deref()
                    .filter(|text| !text.is_empty())
                    .map(str::as_bytes),
            );
        }
        if changes.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = swaps.iter().map(|swap| swap.attribute.as_str()).collect();
        let what = format!("changing {} of {dn}", names.join(", "));
        let Err(failure) = self.ldap.modify(dn, changes, None).await else {
            return Ok(());
        };
        Err(match failure.code() {
            Some(NO_SUCH_ATTRIBUTE | VALUE_EXISTS) => Error::new(
                ErrorKind::Conflict,
                format!("{} of {dn} has changed since it was read", names.join(", ")),
            )
            .with_hint("nothing was written; read it again"),
            _ => self.failed(failure, &what),
        })
    }

    /// Adds a WMI filter below `CN=SOM,CN=WMIPolicy,CN=System`; `attributes` are its own ones [MS-WMIO].
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when it exists; [`ErrorKind::NotFound`] when the container does not; [`ErrorKind::Denied`], also
    /// when the server does not permit such objects, with a workaround as hint.
    pub async fn add_wmi_filter(&self, dn: &Dn, attributes: &[(String, String)]) -> Result<()> {
        let mut list = vec![super::values("objectClass", ["top", "msWMI-Som"])];
        for (name, value) in attributes {
            list.push((name.clone(), vec![value.clone().into_bytes()]));
        }
        self.ldap.add(dn, list, None).await.map_err(|failure| {
            let kept_back = match &failure {
                LdapFailure::Result { text, .. } => system_only(text),
                _ => None,
            };
            kept_back.unwrap_or_else(|| self.failed(failure, &format!("adding {dn}")))
        })
    }

    /// Deletes a WMI filter.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Denied`].
    pub async fn delete_wmi_filter(&self, dn: &Dn) -> Result<()> {
        let result = self.ldap.delete(dn, false).await;
        result.map_err(|failure| self.failed(failure, &format!("deleting {dn}")))
    }
}

/// `ERROR_DS_CANT_ADD_SYSTEM_ONLY` and `ERROR_DS_CANT_MOD_SYSTEM_ONLY`, at the beginning of the text of Windows [MS-ERREF 2.2].
const WINDOWS_SYSTEM_ONLY: [&str; 2] = ["000020A6", "000020B1"];
/// A part of the text of a Samba domain controller.
const SAMBA_SYSTEM_ONLY: &str = "is system-only";

/// The error of a domain controller that does not permit changes of WMI filters, with a workaround.
fn system_only(text: &str) -> Option<Error> {
    let hint = if text.to_lowercase().contains(SAMBA_SYSTEM_ONLY) {
        "systemOnly of the class ms-WMI-Som is TRUE in the schema, and FALSE in a domain as it is made; set it back, or make the filter on the controller itself"
    } else if WINDOWS_SYSTEM_ONLY
        .iter()
        .any(|code| text.to_ascii_uppercase().contains(code))
    {
        "make the filter in GPMC; or set the DWORD \"Allow System Only Change\" to 1 below HKLM\\System\\CurrentControlSet\\Services\\NTDS\\Parameters of that controller, restart its directory service, and take the value away afterwards"
    } else {
        return None;
    };
    let error = Error::new(
        ErrorKind::Denied,
        "this domain controller keeps WMI filters to itself: they are \"system only\" in its schema",
    );
    Some(
        error
            .with_hint(hint)
            .with_source(text.trim_end_matches('\0').trim().to_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_only_refusal_names_the_way_out() {
        // The texts of Windows [MS-ERREF 2.2] and of Samba.
        for (text, way_out) in [
            (
                "000020A6: UpdErr: DSID-030A0000, problem 5003 (WILL_NOT_PERFORM), data 0\n\0",
                "Allow System Only Change",
            ),
            (
                "000020b1: AtrErr: DSID-03030000, #1:",
                "Allow System Only Change",
            ),
            (
                "00002035: objectclass: object class 'msWMI-Som' is system-only, rejecting creation of 'CN=x'!",
                "ms-WMI-Som",
            ),
        ] {
            let error = system_only(text).unwrap();
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(error.hint().unwrap().contains(way_out), "{error}");
        }
        assert!(system_only("00000005: SecErr: access denied").is_none());
    }

    #[test]
    fn names_are_those_of_the_directory() {
        let json = serde_json::to_value(SwapAttribute::WmiChangeDate).unwrap();
        assert_eq!(json, SwapAttribute::WmiChangeDate.as_str());
        let json = serde_json::to_value(SwapAttribute::WqlFilter).unwrap();
        assert_eq!(json, SwapAttribute::WqlFilter.as_str());
    }
}

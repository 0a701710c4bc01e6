//! The words of the field as types. No I/O, no panic on any input.

/// Serialises a type as its text, and reads it back through its own check.
macro_rules! serde_as_text {
    ($name:ty) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub mod access;
pub(crate) mod access_gain;
pub(crate) mod access_mask;
pub mod allowed_object;
pub(crate) mod attribute_access;
pub mod backup_context;
pub(crate) mod client_extension;
pub(crate) mod digest;
pub mod directory_object;
pub mod dn;
pub mod domain_name;
pub mod extension_list;
pub(crate) mod generalized_time;
pub mod gp_link;
pub mod gpt_tree;
pub mod grant;
pub mod guid;
pub mod principal;
pub mod reference;
pub mod registry_secrets;
pub mod retention;
pub mod safe_name;
pub mod sddl;
pub mod security_descriptor;
pub mod shared_text;
pub mod sid;
pub mod snapshot;
pub(crate) mod status_flags;
pub mod unc_path;
pub mod version;
pub mod well_known;
pub mod wmi_filter;

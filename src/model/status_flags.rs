//! `flags` of a groupPolicyContainer: which halves of the GPO are disabled.

/// Why a number is not a status: part of a sentence. `flags` has two bits [MS-GPOL 2.2.4]; a number with others would be shown as
/// one of the four states and written as something else.
pub(crate) fn fault(flags: u32) -> Option<String> {
    (flags > 3).then(|| format!("flags {flags}, and a GPO has 0 to 3"))
}

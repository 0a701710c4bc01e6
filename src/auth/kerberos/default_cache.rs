//! The name of the default ticket cache, which GSSAPI does not give: from `KRB5CCNAME`, krb5.conf, or built into libkrb5.
#![expect(
    unsafe_code,
    reason = "the default cache has to be checked before GSSAPI reads it, and libgssapi has no call for its name"
)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

#[cfg_attr(not(target_os = "macos"), link(name = "krb5"))]
#[cfg_attr(target_os = "macos", link(name = "Kerberos", kind = "framework"))]
unsafe extern "C" {
    fn krb5_init_context(context: *mut *mut c_void) -> c_int;
    fn krb5_free_context(context: *mut c_void);
    fn krb5_cc_default_name(context: *mut c_void) -> *const c_char;
}

/// The name of the default cache in the syntax of `KRB5CCNAME`; `None` when the library has none, or its configuration
/// cannot be read, which the next call of GSSAPI reports.
pub(super) fn name() -> Option<String> {
    let mut context = ptr::null_mut();
    // SAFETY: the call writes a context, or nothing and fails.
    if unsafe { krb5_init_context(&raw mut context) } != 0 || context.is_null() {
        return None;
    }
    // SAFETY: the context is valid; the name belongs to it, and is copied before it is freed.
    let name = unsafe {
        let name = krb5_cc_default_name(context);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    };
    // SAFETY: the context is freed once, and nothing refers to it any more.
    unsafe { krb5_free_context(context) };
    name
}

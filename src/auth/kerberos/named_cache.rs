//! The one call that `libgssapi` lacks: a credential from a ticket cache that is named, not taken from the environment.
#![expect(
    unsafe_code,
    reason = "gss_acquire_cred_from has no safe wrapper in libgssapi, and KRB5CCNAME cannot be set in a process with threads"
)]

use std::ffi::CStr;
use std::ptr;

use libgssapi::credential::Cred;
use libgssapi::error::{Error, MajorFlags};
use libgssapi_sys::{
    _GSS_C_INDEFINITE, GSS_C_INITIATE, GSS_S_COMPLETE, gss_OID_desc, gss_OID_set_desc,
    gss_acquire_cred_from, gss_cred_id_t, gss_cred_usage_t, gss_key_value_element_desc,
    gss_key_value_set_desc,
};

/// `1.2.840.113554.1.2.2`, the Kerberos mechanism [RFC 4121 4], BER-encoded.
const KRB5_OID: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];

/// Acquires the credential of whoever the cache (in the syntax of `KRB5CCNAME`) belongs to, for Kerberos alone.
///
/// # Errors
/// GSSAPI's, when the cache does not exist or holds nothing.
pub(super) fn acquire(cache: &CStr) -> Result<Cred, Error> {
    let bad_call = |major: u32, minor: u32| Error {
        major: MajorFlags::from_bits_retain(major),
        minor,
    };
    let usage = gss_cred_usage_t::try_from(GSS_C_INITIATE)
        .map_err(|_| bad_call(MajorFlags::GSS_S_FAILURE.bits(), 0))?;
    let mut oid_bytes = KRB5_OID;
    let mut oid = gss_OID_desc {
        length: 9,
        elements: oid_bytes.as_mut_ptr().cast(),
    };
    let mut mechanisms = gss_OID_set_desc {
        count: 1,
        elements: &raw mut oid,
    };
    let mut element = gss_key_value_element_desc {
        key: c"ccache".as_ptr(),
        value: cache.as_ptr(),
    };
    let store = gss_key_value_set_desc {
        count: 1,
        elements: &raw mut element,
    };
    let mut minor = 0;
    let mut cred: gss_cred_id_t = ptr::null_mut();
    // SAFETY: every pointer is null where the specification allows it, or points to a local that outlives the call and
    // that the call only reads (name set, key-value set) or writes (minor, cred).
    let major = unsafe {
        gss_acquire_cred_from(
            &raw mut minor,
            ptr::null_mut(),
            _GSS_C_INDEFINITE,
            &raw mut mechanisms,
            usage,
            &raw const store,
            &raw mut cred,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    if major == GSS_S_COMPLETE {
        // SAFETY: the call succeeded, so the credential is ours alone; `Cred` releases it once.
        Ok(unsafe { Cred::from_c(cred) })
    } else {
        Err(bad_call(major, minor))
    }
}

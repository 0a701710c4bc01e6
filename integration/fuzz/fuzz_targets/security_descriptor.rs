#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("security_descriptor", data);
    gpoctl_fuzz::security_descriptor(data);
});

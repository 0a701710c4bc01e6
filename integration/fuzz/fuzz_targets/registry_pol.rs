#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("registry_pol", data);
    gpoctl_fuzz::registry_pol(data);
});

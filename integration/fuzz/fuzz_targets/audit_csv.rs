#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("audit_csv", data);
    gpoctl_fuzz::audit_csv(data);
});

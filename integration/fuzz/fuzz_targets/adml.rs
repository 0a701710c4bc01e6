#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("adml", data);
    gpoctl_fuzz::adml(data);
});

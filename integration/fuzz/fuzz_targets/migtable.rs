#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("migtable", data);
    gpoctl_fuzz::migtable(data);
});

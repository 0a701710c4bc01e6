#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("side_file", data);
    gpoctl_fuzz::side_file(data);
});

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("ini", data);
    gpoctl_fuzz::ini(data);
});

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("admx", data);
    gpoctl_fuzz::admx(data);
});

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("bkup_info", data);
    gpoctl_fuzz::bkup_info(data);
});

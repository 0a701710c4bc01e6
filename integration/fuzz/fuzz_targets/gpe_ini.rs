#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("gpe_ini", data);
    gpoctl_fuzz::gpe_ini(data);
});

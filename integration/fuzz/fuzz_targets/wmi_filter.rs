#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("wmi_filter", data);
    gpoctl_fuzz::wmi_filter(data);
});

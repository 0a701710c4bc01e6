#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("backup_xml", data);
    gpoctl_fuzz::backup_xml(data);
});

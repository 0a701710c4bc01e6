#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("xml_tree", data);
    gpoctl_fuzz::xml_tree(data);
});

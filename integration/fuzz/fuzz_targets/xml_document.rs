#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("xml_document", data);
    gpoctl_fuzz::xml_document(data);
});

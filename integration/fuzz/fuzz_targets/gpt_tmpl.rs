#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("gpt_tmpl", data);
    gpoctl_fuzz::gpt_tmpl(data);
});

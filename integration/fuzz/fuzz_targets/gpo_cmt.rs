#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gpoctl_fuzz::gpo_cmt(data));

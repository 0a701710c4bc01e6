#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gpoctl_fuzz::comment_cmtx(data));

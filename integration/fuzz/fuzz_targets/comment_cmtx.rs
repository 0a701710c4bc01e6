#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("comment_cmtx", data);
    gpoctl_fuzz::comment_cmtx(data);
});

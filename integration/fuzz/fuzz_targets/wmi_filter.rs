#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gpoctl_fuzz::wmi_filter(data));

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gpoctl_fuzz::assert_bounded("firewall_rule", data);
    gpoctl_fuzz::firewall_rule(data);
});

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landline::fuzzing::proxy_url(data));

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landline_http::fuzzing::head(data));

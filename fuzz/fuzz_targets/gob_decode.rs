#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landline_gob::fuzzing::gob_decode(data));

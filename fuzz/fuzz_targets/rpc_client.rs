#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landline_rpc::fuzzing::client(data));

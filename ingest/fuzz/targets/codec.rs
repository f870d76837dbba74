#![no_main]
//! See touchstream_ingest::fuzzing.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| touchstream_ingest::fuzzing::codec(bytes));

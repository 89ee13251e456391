//! See `smoc_fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| smoc_fuzz::run("capture", bytes));

//! The target that is called as the binary; see `smoc_fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| smoc_fuzz::run(env!("CARGO_BIN_NAME"), bytes));

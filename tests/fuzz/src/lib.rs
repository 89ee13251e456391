//! Everything that reads bytes of others, one function for each: any bytes may come, and none may make it panic, hang or
//! contradict itself.
//!
//! The functions run in two ways. `cargo test -p smoc-fuzz` damages [`seeds`] in a way that is the same on every machine,
//! some thousand times; `libfuzzer` beside it hands the same functions to libFuzzer, which needs a nightly
//! compiler:
//!
//! ```text
//! cargo +nightly fuzz run --fuzz-dir tests/fuzz/libfuzzer topology
//! ```
//!
//! What crashes becomes a named test beside the code that it crashed.

pub mod damage;
pub mod seeds;
mod targets;

pub use targets::TARGETS;

/// What reads bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its binary in `libfuzzer/Cargo.toml`.
    pub name: &'static str,
    /// Reads the bytes, and checks what must hold of what was read.
    pub run: fn(&[u8]),
    /// Sound input, to be damaged.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How often one seed is damaged by the tests: as often as takes about a second.
    pub times: usize,
}

/// Runs the target of that name; what `libfuzzer` calls.
///
/// # Panics
/// There is none.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("no target is called {name}")).run)(bytes);
}

//! Pages that are made and not written.

use std::{env, fs};

use crate::root;

/// What tells tests to write these pages: set by `cargo xtask book --write`.
const WRITE: &str = "SMOC_BOOK_WRITE";

/// Compares a page with what it must be, or writes it where that is asked for.
///
/// # Panics
/// It differs: the message says what rewrites it.
pub fn assert_made(name: &str, text: &str) {
    let file = root().join(name);
    if env::var_os(WRITE).is_some() {
        fs::write(&file, text).unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
        return;
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    let differ = there.lines().zip(text.lines()).position(|(there, made)| there != made);
    let line = differ.unwrap_or_else(|| there.lines().count().min(text.lines().count())) + 1;
    assert!(
        there == text,
        "{name} is not what the command line says any more, from line {line} on: run `cargo xtask book --write` and commit it"
    );
}

//! Which pairs of hosts take other paths than the rest: what operators write, how all agents come to hold it, and what it
//! means in a network.
//!
//! | file | what |
//! |---|---|
//! | `document` | the file: tenants and rules, and what is wrong with one |
//! | `rules` | its rules in a network: which addresses they are about, which links they avoid |
//! | `sets` | which sets an address or prefix is in |
//! | `pieces` | the document as records of the fabric, and which one is in force |
//!
//! The first rule of the document that is about both hosts decides; a pair has no direction, for a path and its reverse are
//! one. What follows from a document and a topology depends on nothing else, so all switches come to the same.

mod document;
mod pieces;
mod rules;
mod sets;

pub use document::{ANY, Document, MAX_RULES, Rule};
pub use pieces::{Force, MAX_TEXT, POLICY, Stored, in_force, stored, to_records, to_stored};
pub use rules::{Choice, Rules};
pub use sets::Sets;

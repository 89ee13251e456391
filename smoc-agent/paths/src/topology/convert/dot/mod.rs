//! Graphviz DOT: read by its grammar, and written so that it can be both drawn and read.

mod read;
mod tokens;
mod write;

pub(in crate::topology::convert) use read::read;
pub use write::{Colours, dot, quoted};

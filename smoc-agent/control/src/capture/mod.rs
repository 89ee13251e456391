//! What is said of captured frames.
//!
//! | module | what |
//! |---|---|
//! | `filter` | which frames are wanted, as people write it, and what of that the program looks at |
//! | `told` | what became of a frame: outcome, path, token |
//! | `line` | the same for people |

mod filter;
mod line;
#[cfg(test)]
mod tests;
mod told;

pub use filter::{Filter, FilterError};
pub use line::line;
pub use told::{Direction, Flow, Told, tell};

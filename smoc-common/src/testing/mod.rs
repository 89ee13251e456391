//! What tests and benchmarks share: frames made by hand, a small network and a switch in ordinary memory.

extern crate std;

pub mod frames;
pub mod scene;
pub mod switch;

pub use switch::Switch;

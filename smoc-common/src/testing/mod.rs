//! What tests and benchmarks share: a small network and the handshakes of its hosts.

pub mod scene;

pub use crate::{
    frames,
    memory::{self as switch, Switch},
};

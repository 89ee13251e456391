//! The XDP programs in the kernel: what they do with frames, what the verifier says of them. Needs root.

mod cpus;
mod frames;
mod keys;
mod logging;
mod program;
mod verifier;

//! What smoc's kernel programs and its agent agree on: wire formats, the source route, the layout of the
//! BPF maps, and the pipeline that turns a frame into a verdict.
//!
//! One implementation serves both worlds: `smoc-ebpf` compiles it for the kernel, everything else (tests,
//! `smoc decode`, simulations) for the host. Each file points down only:
//! `pipeline -> map, event -> route, token -> wire`.
#![no_std]
#![forbid(unsafe_code)]

pub mod event;
pub mod map;
pub mod pipeline;
pub mod route;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod token;
pub mod wire;

//! What smoc's kernel programs and its agent agree on: wire formats, the source route, the layout of the
//! BPF maps, and the pipeline that turns a frame into a verdict.
//!
//! One implementation serves both worlds: `smoc-ebpf` compiles it for the kernel, everything else (tests,
//! `smoc decode`, simulations) for the host. Each file points down only:
//! `memory -> pipeline -> map, event -> route, token -> wire -> tag`; `capture -> event, map`; `frames -> wire`.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "memory"))]
extern crate alloc;

pub mod capture;
pub mod event;
#[cfg(any(test, feature = "memory"))]
pub mod frames;
pub mod map;
#[cfg(any(test, feature = "memory"))]
pub mod memory;
pub mod pipeline;
pub mod route;
pub mod tag;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod token;
pub mod wire;

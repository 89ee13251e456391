//! The user-space half of smoc, where it meets the world: kernel, sockets, files and people. What to do is decided in
//! `smoc-control`.
//!
//! The plan of the house, top floor first; every arrow points down:
//! `cli -> agent -> api -> prober -> dataplane, netlink, sockets, store`.

pub mod agent;
pub mod api;
pub mod cli;
pub mod clock;
pub mod dataplane;
pub mod netlink;
pub mod prober;
pub mod sockets;
pub mod store;

//! The user-space half of smoc, where it meets the world: kernel, sockets, files and people. What to do is decided in
//! `smoc-control`.
//!
//! The plan of the house, top floor first; every arrow points down:
//! `cli -> doctor, host, report, agent -> web -> api -> capture, history, metrics, prober -> dataplane, netlink -> ethtool, sockets, store, units, urgent`. All but `cli` are the
//! feature `agent`, and so is whatever knows the kernel or the network: a build without it has the verbs that read files.

#[cfg(feature = "agent")]
pub mod agent;
#[cfg(feature = "agent")]
pub mod api;
#[cfg(feature = "agent")]
pub mod capture;
pub mod cli;
#[cfg(feature = "agent")]
pub mod clock;
#[cfg(feature = "agent")]
pub mod dataplane;
#[cfg(feature = "agent")]
pub mod doctor;
#[cfg(feature = "agent")]
mod ethtool;
#[cfg(feature = "agent")]
pub mod history;
#[cfg(feature = "agent")]
pub mod host;
#[cfg(feature = "agent")]
pub mod metrics;
#[cfg(feature = "agent")]
pub mod netlink;
#[cfg(feature = "agent")]
pub mod prober;
#[cfg(feature = "agent")]
pub mod report;
#[cfg(feature = "agent")]
pub mod sockets;
#[cfg(feature = "agent")]
pub mod store;
#[cfg(feature = "agent")]
mod units;
#[cfg(feature = "agent")]
mod urgent;
#[cfg(feature = "agent")]
pub mod web;

//! The lab: a topology file as network namespaces with real MPTCP hosts, and what runs in it.
//!
//! Top floor first, every arrow points down:
//! `cli -> convergence, demo, failover, floods -> traffic -> lab -> netns, command`, `cli -> bench, floods -> program`,
//! `bench::fabric -> traffic, netns, command` and `cli -> fuzz, races -> twins, chance -> program`.

#[cfg(feature = "programs")]
pub mod bench;
#[cfg(feature = "programs")]
pub mod chance;
pub mod cli;
pub mod command;
pub mod convergence;
pub mod demo;
pub mod failover;
#[cfg(feature = "programs")]
pub mod floods;
#[cfg(feature = "programs")]
pub mod fuzz;
pub mod lab;
pub mod netns;
#[cfg(feature = "programs")]
pub mod program;
#[cfg(feature = "programs")]
pub mod races;
pub mod subflows;
pub mod testing;
pub mod traffic;
#[cfg(feature = "programs")]
pub mod twins;

//! A whole fabric in virtual time: any number of real controls and probers, the real pipeline over maps in memory, and a
//! model of everything around them. One seed is one run, event by event the same each time.
//!
//! | file | what |
//! |---|---|
//! | [`clock`] | virtual time and its queue of events |
//! | [`network`] | the network and the files, drawn from the seed |
//! | [`faults`] | what goes wrong, drawn from the seed |
//! | [`link`], [`frame`], [`bridge`], [`host`] | cables, frames, Linux bridges, hosts |
//! | [`kernel`], [`node`] | a switch: maps, ports, bridge, agent |
//! | [`fabric`] | the run and its loop |
//! | `forwarding`, `agents`, `damage`, [`traffic`] | what an event does: to frames, agents, cables; from hosts |
//! | [`bounds`], [`invariants`], `base_network`, [`settled`] | what must hold, and for how long it may not |
//! | [`report`], [`seeds`] | what came of a run; many runs |

mod agents;
mod base_network;
pub mod bounds;
pub mod bridge;
pub mod clock;
mod damage;
pub mod fabric;
pub mod faults;
mod forwarding;
pub mod frame;
pub mod host;
pub mod invariants;
pub mod kernel;
pub mod link;
pub mod network;
pub mod node;
pub mod report;
pub mod seeds;
pub mod settled;
pub mod traffic;

pub use fabric::{Break, Fabric, Options};
pub use report::Outcome;

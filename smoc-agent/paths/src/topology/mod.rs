//! The network as smoc sees it: switches, the links between them, and where hosts are attached.
//!
//! A [`Topology`] is immutable and does not depend on the order in which it was described: switches are
//! numbered by name and links by their ends, so every agent that reads the same description, however
//! shuffled, numbers everything alike. It comes from a [`Draft`] (typed, from any source) or from a file
//! ([`TopologyFile`]); both refuse what cannot be, naming every fault at once.

use smoc_common::route::PortNumber;

pub mod convert;
mod draft;
mod file;
mod format;
pub mod generate;
mod graph;
mod lookup;
mod raw;
#[cfg(test)]
mod tests;
mod units;
mod values;

pub use draft::{Draft, DraftHost, DraftLink, DraftSwitch, Place, Problem, Section, check_name};
pub use file::{TopologyError, TopologyFile};
pub use format::Format;
pub use graph::{Arc, End, Host, Link, LinkId, Srlg, Switch, SwitchId, Topology};
pub use units::{Bandwidth, Latency, UnitError};
pub use values::mac_address;

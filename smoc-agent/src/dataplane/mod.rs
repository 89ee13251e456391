//! The packet path as the agent reaches it: writes what is decided, reads what is installed and what the kernel fills.
//! [`xdp`] is the real one.

mod error;
pub mod xdp;

use smoc_common::{
    map::{EdgeIndex, FlowKey, HandshakeTimes},
    route::Rank,
};
use smoc_control::{
    clock::Nanos,
    connections::Claim,
    dataplane::{Change, Correction, Exits, Installed, KernelTables},
    siblings::{Settlement, Stray},
};

pub use error::{BoxError, DataplaneError, errno};

/// Writes what is decided and reads back what is installed.
pub trait Dataplane: Send {
    /// Reads everything back.
    ///
    /// # Errors
    /// A map that cannot be read.
    fn installed(&self) -> Result<Installed, DataplaneError>;

    /// Writes one change.
    ///
    /// # Errors
    /// A map that cannot be written, or that is full.
    fn apply(&mut self, change: &Change) -> Result<(), DataplaneError>;
}

/// Reads what is in the maps; independent of [`Dataplane`], so that a long read delays no change.
pub trait Observe: Send + Sync {
    /// Reads what the agent has written, as it stands in the maps.
    ///
    /// # Errors
    /// A map that cannot be read.
    fn installed(&self) -> Result<Installed, DataplaneError>;

    /// Through which ports frames leave, and over which interfaces.
    ///
    /// # Errors
    /// A map that cannot be read.
    fn exits(&self) -> Result<Exits, DataplaneError>;

    /// Reads the tables.
    ///
    /// # Errors
    /// A map that cannot be read.
    fn tables(&self) -> Result<KernelTables, DataplaneError>;

    /// Reads all counters, summed over the CPUs, by [`smoc_common::event::Outcome::counter`].
    ///
    /// # Errors
    /// A map that cannot be read.
    fn counters(&self) -> Result<Vec<u64>, DataplaneError>;

    /// Reads how long handshakes took along these paths, one for each.
    ///
    /// # Errors
    /// A map that cannot be read.
    fn handshakes(&self, paths: &[(EdgeIndex, Rank)]) -> Result<Vec<HandshakeTimes>, DataplaneError>;

    /// Does housekeeping.
    ///
    /// # Errors
    /// A map that cannot be written.
    fn correct(&self, correction: Correction) -> Result<(), DataplaneError>;

    /// An established join, if this edge does not know all its siblings.
    ///
    /// # Errors
    /// A map that cannot be read.
    fn stray(&self, key: &FlowKey) -> Result<Option<Stray>, DataplaneError>;

    /// The connections that have a token, with their subflows: reads all subflows if there is one.
    ///
    /// # Errors
    /// A map that cannot be read.
    fn claims(&self, token: u32) -> Result<Vec<Claim>, DataplaneError>;

    /// Lets a stray go on with its connection, which is bound if it is not yet.
    ///
    /// # Errors
    /// A map that cannot be written.
    fn settle(&self, settlement: &Settlement, now: Nanos) -> Result<(), DataplaneError>;

    /// The tokens of a subflow's connection, of the local host and of the remote one; that of its join, or those that its
    /// handshake has shown so far, where the connection is not known; none if nothing is.
    ///
    /// # Errors
    /// A map that cannot be read.
    fn tokens_of(&self, key: &FlowKey) -> Result<Vec<u32>, DataplaneError>;

    /// How many entries each table has room for, by the map's name.
    fn capacities(&self) -> Vec<(&'static str, u32)>;
}

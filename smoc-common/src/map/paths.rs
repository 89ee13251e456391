//! `PATH_SETS` and `EDGE_NAMES`: the ways to other edges.

use crate::route::{PortNumber, Rank, Route};

/// One path to another edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Path {
    /// [`Route::bits`] as it is pushed.
    pub route: u64,
    /// The port of this switch through which the path starts.
    pub port: u16,
    #[doc(hidden)]
    pub reserved: [u8; 6],
}

impl Path {
    /// The path that leaves through `port` and then follows `route`.
    pub const fn new(port: PortNumber, route: Route) -> Self {
        Self { route: route.bits(), port: port.get(), reserved: [0; 6] }
    }
}

/// The paths to one edge: ranks for the subflows of MPTCP connections, and paths of least cost for all other traffic, which
/// need not be among the ranks. Replaced as a whole: written to a free slot of `PATH_SETS`, then `EDGES` is pointed to
/// it, so no frame ever sees half of one set and half of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PathSet {
    /// How many ranks there are.
    pub count: u8,
    /// How many paths there are for other traffic, all of the same cost.
    pub base_count: u8,
    /// Bit n is set if path n is known to be broken beyond this switch's own ports: ranks are taken instead.
    pub broken: u16,
    #[doc(hidden)]
    pub reserved: [u8; 4],
    /// The paths by rank, and from [`PathSet::BASE`] those for other traffic.
    pub paths: [Path; PathSet::LEN],
}

impl PathSet {
    /// Where the paths for other traffic begin.
    pub const BASE: usize = Rank::COUNT;
    /// Entries of `paths`.
    pub const LEN: usize = 2 * Rank::COUNT;
}

/// What an edge's index means, kept for an agent that restarts: the name of the switch in UTF-8, of 63 bytes at most and zero
/// padded; the last byte is the number of the rule of policy by which the paths are chosen, 0 if by none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct EdgeName(pub [u8; 64]);

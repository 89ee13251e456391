//! Which paths fit into the 62 bits of a source route.

use smoc_common::route::{Route, RouteTooLong};

use super::path::Path;
use crate::topology::Topology;

/// A ranked path that no source route can describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unroutable {
    /// Its rank.
    pub rank: usize,
    /// Bits it would need, the sentinel included; [`Route::BITS`] are there.
    pub bits: u32,
}

impl Path {
    /// The route that the first switch pushes: the egress ports of the transit switches. The first
    /// switch's own egress port is not in it.
    ///
    /// # Errors
    /// The path has too many or too wide transit switches.
    pub fn route(&self, topology: &Topology) -> Result<Route, RouteTooLong> {
        Route::through(
            self.hops(topology).skip(1).map(|(switch, port)| (port, topology.switch(switch).port_width)),
        )
    }
}

/// Splits ranked paths into those that fit into a source route in both directions, in order, and those that do not.
/// Which ranks remain is the same seen from either end.
pub fn routable(topology: &Topology, paths: Vec<Path>) -> (Vec<Path>, Vec<Unroutable>) {
    let mut fit = Vec::with_capacity(paths.len());
    let mut unfit = Vec::new();
    for (rank, path) in paths.into_iter().enumerate() {
        match path.route(topology) {
            Ok(_) => fit.push(path),
            Err(RouteTooLong { bits }) => unfit.push(Unroutable { rank, bits }),
        }
    }
    (fit, unfit)
}

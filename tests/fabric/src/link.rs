//! A cable between two ports, or between a port and a host.

use std::time::Duration;

use smoc_control::clock::Nanos;
use smoc_paths::topology::generate::Random;

/// What an end of a cable is plugged into: a number of a node and of a port in it, or of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plug {
    /// A port of a switch, both as places in their lists.
    Port(u32, u16),
    /// A host.
    Host(u32),
}

/// A cable. Index 0 is its first end, and the direction from it to the other.
#[derive(Clone, Debug)]
pub struct Link {
    /// What it joins.
    pub ends: [Plug; 2],
    /// How long a frame is under way.
    pub delay: Duration,
    /// Whether frames from this end arrive.
    pub works: [bool; 2],
    /// Whether this end sees light.
    pub carrier: [bool; 2],
    /// Frames in a thousand that are lost, either way.
    pub loss: u16,
    /// Raised whenever frames that are under way are lost.
    pub cuts: u32,
    /// When anything about it last changed.
    pub changed: Nanos,
    /// Whether it was laid yet.
    pub laid: bool,
    /// Whether it is plugged in where it does not belong.
    pub swapped: bool,
}

impl Link {
    /// A whole cable.
    pub fn new(ends: [Plug; 2], delay: Duration) -> Self {
        Self {
            ends,
            delay,
            works: [true; 2],
            carrier: [true; 2],
            loss: 0,
            cuts: 0,
            changed: Nanos(0),
            laid: true,
            swapped: false,
        }
    }

    /// Whether a frame that starts at this end now arrives.
    pub fn passes(&self, from: usize, random: &mut Random) -> bool {
        let lost = self.loss > 0 && random.below(1000) < usize::from(self.loss);
        self.works[from] && self.carrier[from] && self.carrier[1 - from] && !lost
    }

    /// Whether frames arrive at both ends, but for a few that are lost.
    pub fn is_whole(&self) -> bool {
        self.works == [true; 2] && self.carrier == [true; 2]
    }

    /// The link stops or begins to work in each direction, and carrier is seen at each end or not.
    pub fn set(&mut self, works: [bool; 2], carrier: [bool; 2]) {
        self.cuts += u32::from(self.works != works || self.carrier != carrier);
        (self.works, self.carrier) = (works, carrier);
    }
}

//! How much of a capture was read, and why the rest was not.

use std::collections::BTreeMap;

use super::layers::{Passed, Trail, Unread};

/// Frames by what became of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All frames.
    pub frames: u64,
    /// TCP segments that were read, by what is around them.
    pub segments: BTreeMap<Trail, u64>,
    /// Frames that carry no TCP.
    pub without_tcp: u64,
    /// Frames in which TCP may be, but cannot be reached, by reason.
    pub unread: BTreeMap<Unread, u64>,
    /// Segments that the capture cut off within their TCP options.
    pub cut: u64,
}

impl Counts {
    /// How many TCP segments were read.
    pub fn segments(&self) -> u64 {
        self.segments.values().sum()
    }

    pub(super) fn pass(&mut self, passed: Passed) {
        match passed {
            Passed::NoTcp => self.without_tcp += 1,
            Passed::Unread(unread) => *self.unread.entry(unread).or_default() += 1,
        }
    }

    pub(super) fn segment(&mut self, encapsulation: &Trail, is_cut: bool) {
        self.cut += u64::from(is_cut);
        match self.segments.get_mut(encapsulation) {
            Some(segments) => *segments += 1,
            None => _ = self.segments.insert(encapsulation.clone(), 1),
        }
    }
}

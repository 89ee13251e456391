//! Probes and hellos that the kernel programs saw.

use std::path::Path;

use aya::maps::{MapData, RingBuf};
use smoc_common::event::Sighting;

use super::maps::{open_ring, parse};
use crate::dataplane::DataplaneError;

/// The consumer's end of `SIGHTINGS`, which wakes no thread: it is to be drained often.
pub struct Sightings(RingBuf<MapData>);

impl Sightings {
    /// Opens the ring buffer in a pin directory and forgets what it holds; there can be one consumer only.
    ///
    /// # Errors
    /// It is not there.
    pub fn open(pin: &Path) -> Result<Self, DataplaneError> {
        let mut ring = open_ring(pin, "SIGHTINGS")?;
        while ring.next().is_some() {}
        Ok(Self(ring))
    }

    /// The next one, if there is one.
    #[expect(clippy::should_implement_trait, reason = "none now does not mean that none will come")]
    pub fn next(&mut self) -> Option<Sighting> {
        loop {
            let bytes = self.0.next()?;
            if let Some(sighting) = parse(&bytes) {
                return Some(sighting);
            }
        }
    }
}

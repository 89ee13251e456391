//! Probes and hellos that the kernel programs saw.

use std::path::Path;

use aya::maps::{MapData, RingBuf};
use smoc_common::event::Sighting;

use super::maps::{open_ring, parse};
use crate::dataplane::DataplaneError;

/// The consumer's end of `SIGHTINGS`, which wakes nobody: it is to be drained often.
pub struct Sightings(RingBuf<MapData>);

impl Sightings {
    /// Opens the ring buffer in a pin directory and forgets what it holds; there can be one consumer only.
    ///
    /// # Errors
    /// It is not there.
    pub fn open(pin: &Path) -> Result<Self, DataplaneError> {
        let mut sightings = Self(open_ring(pin, "SIGHTINGS")?);
        sightings.drain(|_| ());
        Ok(sightings)
    }

    /// Hands everything that is there to `each`.
    pub fn drain(&mut self, mut each: impl FnMut(Sighting)) {
        while let Some(bytes) = self.0.next() {
            if let Some(sighting) = parse(&bytes) {
                each(sighting);
            }
        }
    }
}

//! Events from the kernel programs.

use std::path::Path;

use aya::maps::{MapData, RingBuf};
use smoc_common::event::Event;
use tokio::io::unix::AsyncFd;

use super::maps::{open_ring, parse};
use crate::dataplane::DataplaneError;

/// The consumer's end of `EVENTS`.
pub struct Events(AsyncFd<RingBuf<MapData>>);

impl Events {
    /// Opens the ring buffer in a pin directory; there can be one consumer only.
    ///
    /// # Errors
    /// It is not there.
    pub fn open(pin: &Path) -> Result<Self, DataplaneError> {
        let ring = open_ring(pin, "EVENTS")?;
        // SAFETY: the ring owns its file descriptor, which is the same as long as it lives.
        let ring = unsafe { AsyncFd::register(ring) }.map_err(|error| DataplaneError::Map {
            doing: "read",
            map: "EVENTS",
            source: error.into(),
        })?;
        Ok(Self(ring))
    }

    /// Waits for events; as many as there are, but no more than `most`.
    ///
    /// # Errors
    /// The ring buffer cannot be waited for.
    pub async fn wait(&mut self, most: usize) -> std::io::Result<Vec<Event>> {
        let mut ready = self.0.readable_mut().await?;
        let ring = ready.get_inner_mut();
        let mut events = Vec::new();
        while events.len() < most {
            let Some(bytes) = ring.next() else {
                ready.clear_ready();
                break;
            };
            events.extend(parse::<Event>(&bytes));
        }
        Ok(events)
    }
}

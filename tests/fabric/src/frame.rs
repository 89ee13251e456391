//! A frame under way, with what the simulator alone knows of it.

use smoc_common::wire::{Bytes, Frame as _, ethernet::MacAddress};

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A hello or probe of a switch.
    Probe,
    /// An announcement of an agent.
    Announcement,
    /// What an agent says of itself to whoever is at the other end of a cable.
    Advertisement,
    /// Address resolution by a host.
    Resolution,
    /// A frame whose arrival is waited for: [`crate::traffic::Traffic`] knows it by this number.
    Awaited(u64),
}

/// A frame under way. Copies that a bridge floods have the same number.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Numbers the frames that were sent.
    pub id: u64,
    /// What it is for.
    pub kind: Kind,
    /// How often a switch has sent this copy on.
    pub hops: u16,
    /// The bridges that this copy has passed, in order.
    pub bridges: Vec<u32>,
    /// The switches and ports out of which this copy was redirected, of frames whose arrival is waited for.
    pub redirected: Vec<(u32, u16)>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Frame {
    /// A new frame.
    pub fn new(id: u64, kind: Kind, bytes: Vec<u8>) -> Self {
        Self { id, kind, hops: 0, bridges: Vec::new(), redirected: Vec::new(), bytes }
    }

    /// Destination and source.
    pub fn macs(&self) -> Option<[MacAddress; 2]> {
        let mac = |at: usize| Some(MacAddress::new(self.bytes.get(at..at + 6)?.try_into().ok()?));
        Some([mac(0)?, mac(6)?])
    }

    /// The EtherType, behind no tags.
    pub fn ether_type(&mut self) -> Option<u16> {
        Bytes(&mut self.bytes).ethernet().map(|(_, ether_type)| ether_type)
    }

    /// A number that depends on the addresses and the length, for the digest of a run.
    pub fn mark(&self) -> u64 {
        let head = self.bytes.get(..8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
        let rest =
            self.bytes.get(6..14).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
        head ^ rest.rotate_left(17) ^ self.bytes.len() as u64
    }
}

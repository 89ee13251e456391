//! What the prober reaches the kernel through.

use std::collections::BTreeSet;

use smoc_common::{
    event::Sighting,
    route::{PortNumber, Route},
    tag::TagKey,
    wire::probe::Probe,
};
use smoc_control::{clock::Nanos, interfaces::IfIndex, liveness::prober::Wire, ports::Role};
use tracing::warn;

use super::socket::{Sender, received_frames};
use crate::{
    clock,
    dataplane::xdp::{Sightings, Transmit},
};

/// Packet socket, rings and maps.
pub(super) struct KernelWire {
    sender: Sender,
    sightings: Sightings,
    transmit: Transmit,
}

impl KernelWire {
    pub(super) fn open(sightings: Sightings, transmit: Transmit) -> std::io::Result<Self> {
        Ok(Self { sender: Sender::open()?, sightings, transmit })
    }
}

impl Wire for KernelWire {
    fn send(&mut self, interface: IfIndex, route: Route, probe: Probe, key: &TagKey) -> Option<Nanos> {
        let at = clock::now();
        let frame = Probe { sent_at: at.0, ..probe }.signed(key).frame(route);
        self.sender.send(interface, &frame).then_some(at)
    }

    fn transmit(&mut self, port: PortNumber, role: Role, to: Option<IfIndex>) -> bool {
        let done = self.transmit.set(port, role, to);
        if let Err(error) = &done {
            warn!(port = port.get(), %error, "a port is not taken in or out of use");
        }
        done.is_ok()
    }

    fn transmits(&self, port: PortNumber, role: Role) -> Option<IfIndex> {
        self.transmit.get(port, role).ok().flatten()
    }

    fn left_behind(&self) -> BTreeSet<PortNumber> {
        match self.transmit.all() {
            Ok(exits) => exits.into_keys().map(|(port, _)| port).collect(),
            Err(error) => {
                warn!(%error, "ports that an earlier agent took into use may still be in use");
                BTreeSet::new()
            }
        }
    }

    fn received(&mut self, each: &mut dyn FnMut(IfIndex, u32)) {
        if let Err(error) = received_frames(each) {
            warn!(%error, "the interfaces' counters cannot be read: only hellos count");
        }
    }

    fn sighting(&mut self) -> Option<Sighting> {
        self.sightings.next()
    }
}

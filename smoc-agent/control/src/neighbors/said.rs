//! What a switch says and asks at its ports to find out who is there.

use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};

use crate::discovery::{
    key::Keys,
    lldp::Advertisement,
    presence::{self, LoopProbe},
};

/// Something to be sent at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Who this switch is.
    Advertisement(Advertisement),
    /// Whether a switch is at the other end of the cable, whose program answers if its agent does not; with a number by which
    /// the answer is known.
    Question(PortNumber, u32),
    /// Where this was sent, for whoever hears it beyond what forwards it.
    Loop(LoopProbe),
}

impl Said {
    /// The port through which it is sent.
    pub fn port(&self) -> PortNumber {
        match self {
            Self::Advertisement(said) => said.port,
            Self::Question(port, _) => *port,
            Self::Loop(probe) => probe.port,
        }
    }

    /// The frame, as sent from a port with this MAC address.
    pub fn frame(&self, source: MacAddress, keys: &Keys) -> Vec<u8> {
        match self {
            Self::Advertisement(said) => said.frame(source, keys),
            Self::Question(_, number) => presence::question(source, *number),
            Self::Loop(probe) => probe.frame(source, keys),
        }
    }
}

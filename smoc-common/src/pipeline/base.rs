//! The base network at a fabric port: what no route leads goes to the kernel's bridge, unless the port is closed.

use super::{Tables, subflow::is_interface_of};
use crate::{event::Outcome, map::Port};

/// The first bytes of the groups that no bridge forwards (IEEE 802.1Q, 8.6.3), up to the last one's highest four bits.
const LINK_LOCAL: [u32; 2] = [0x0180_c200, 0x0000];

/// What becomes of a frame without a pushed route.
#[inline(always)]
pub(super) fn enter(addresses: [u32; 3], tables: &impl Tables) -> Outcome {
    let is_link_local = addresses[0] == LINK_LOCAL[0] && addresses[1] >> 20 == LINK_LOCAL[1];
    if !is_link_local && is_closed(tables) { Outcome::Closed } else { Outcome::Unrouted }
}

/// Whether the frame came in by a port that is closed: no bridge takes it.
#[inline(always)]
pub(super) fn is_closed<T: Tables>(tables: &T) -> bool {
    let number = tables.ingress_port();
    tables.port(number).is_some_and(|port| port.base == Port::CLOSED) && is_interface_of(tables, number)
}

//! The base network at a port: what no route leads goes to the kernel's bridge, unless the port is closed. A host port is closed
//! while nobody knows that no switch is behind it.

use super::{Tables, subflow::is_interface_of};
use crate::{
    event::Outcome,
    map::{Port, Settings},
    wire::Frame,
};

/// The first bytes of the groups that no bridge forwards (IEEE 802.1Q, 8.6.3), up to the last one's highest four bits.
const LINK_LOCAL: [u32; 2] = [0x0180_c200, 0x0000];

/// What becomes of a frame without a pushed route, at a fabric port.
#[inline(always)]
pub(super) fn enter(addresses: [u32; 3], tables: &impl Tables) -> Outcome {
    if !is_link_local(addresses) && is_closed(tables) { Outcome::Closed } else { Outcome::Unrouted }
}

/// Whether a frame that no established subflow leads came in by a host port that is closed. What is left to the kernel
/// or to a choice of path ends there.
#[inline(always)]
pub(super) fn is_shut_out(frame: &impl Frame, tables: &impl Tables) -> bool {
    let may_be = tables.settings().is_some_and(|settings| settings.guarded & Settings::SHUT != 0);
    let is_group_of_link = || frame.ethernet().is_none_or(|(addresses, _)| is_link_local(addresses));
    may_be && !is_group_of_link() && is_closed(tables)
}

#[inline(always)]
fn is_link_local(addresses: [u32; 3]) -> bool {
    addresses[0] == LINK_LOCAL[0] && addresses[1] >> 20 == LINK_LOCAL[1]
}

/// Whether the frame came in by a port that is closed: no bridge takes it.
#[inline(always)]
pub(super) fn is_closed<T: Tables>(tables: &T) -> bool {
    let number = tables.ingress_port();
    tables.port(number).is_some_and(|port| port.base == Port::CLOSED) && is_interface_of(tables, number)
}

//! The way around a port that is down: around the switch behind it if there is one, else around the link.
//!
//! A frame takes one detour at most, which its label remembers: a route gets shorter with every switch and
//! longer once, so no frame goes round for ever.

use super::Tables;
use crate::{
    event::Note,
    map::DetourKey,
    route::{Label, PushedRoute, Route},
    wire::Frame,
};

/// Sends a frame that was to leave through `port`, which is down, and then to follow `rest`, on its detour. The
/// port through which it leaves, or 0 if there is no detour that fits into the route, or if it was on one already.
#[inline(always)]
pub fn take<T: Tables>(frame: &mut impl Frame, tables: &mut T, label: Label, port: u16, rest: Route) -> u16 {
    if label.is_detoured() {
        return 0;
    }
    let width = tables.port(port).map_or(0, |port| port.peer_width);
    if let Some((next, beyond)) = rest.pop(width) {
        let first = go(frame, tables, label, DetourKey { port, next: next.get() }, beyond);
        if first != 0 {
            return first;
        }
    }
    go(frame, tables, label, DetourKey { port, next: 0 }, rest)
}

/// Sends a frame on this detour and then along `rest`; the port through which it leaves, or 0.
#[inline(never)]
fn go<T: Tables>(frame: &mut impl Frame, tables: &mut T, label: Label, key: DetourKey, rest: Route) -> u16 {
    let Some(&detour) = tables.detour(&key) else { return 0 };
    let Some(route) = rest.prepend(detour.prefix, detour.length) else { return 0 };
    if !tables.leave_through(detour.port) {
        return 0;
    }
    if frame.set_addresses(PushedRoute { label: label.detoured(), route }.words()).is_none() {
        return 0;
    }
    tables.count(Note::Detoured.counter());
    detour.port
}

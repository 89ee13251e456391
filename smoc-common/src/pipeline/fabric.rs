//! A frame from a fabric port: one port number off its route, or the end of the way.

use super::{Reroute, Tables, Verdict, base, deliver, presence};
use crate::{
    event::Outcome,
    route::{Label, PushedRoute, Route},
    wire::Frame,
};

/// Decides about a frame from a fabric port and rewrites it; `None` leaves the frame untouched to [`arrive`],
/// `Err` gives it to the kernel.
#[inline(always)]
pub(super) fn forward<T: Tables>(frame: &mut impl Frame, tables: &mut T) -> Option<Result<Verdict, Outcome>> {
    let Some((addresses, ether_type)) = frame.ethernet() else { return Some(Err(Outcome::NotForUs)) };
    let Some(PushedRoute { label, route }) = PushedRoute::parse(addresses) else {
        if let Some(verdict) = presence::meet(frame, addresses, ether_type) {
            return Some(Ok(verdict));
        }
        return match base::enter(addresses, tables) {
            Outcome::Unrouted if deliver::is_awaited(frame, tables) => None,
            outcome => Some(Err(outcome)),
        };
    };
    if label.is_probe() {
        return None;
    }
    if route == Route::END {
        return deliver::forward(frame, tables, label);
    }
    let Some(settings) = tables.settings() else { return Some(Err(Outcome::NotConfigured)) };
    let (port, route) = route.pop(settings.port_width)?;
    if !tables.leave_through(port.get()) {
        return None;
    }
    let rewritten = frame.set_addresses(PushedRoute { label, route }.words());
    Some(rewritten.map(|()| Verdict { outcome: Outcome::Transit, port: port.get() }).ok_or(Outcome::NotForUs))
}

/// Decides about any frame that [`forward`] left: frames that end here or came over the base network, and frames whose next port
/// is down. `None` leaves probes to [`super::probe::follow`].
#[inline(always)]
pub(super) fn arrive<T: Tables>(
    frame: &mut impl Reroute,
    tables: &mut T,
) -> Option<Result<Verdict, Outcome>> {
    let Some((addresses, _)) = frame.ethernet() else { return Some(Err(Outcome::NotForUs)) };
    let base_network = PushedRoute { label: Label::UNROUTED, route: Route::END };
    let PushedRoute { label, route } = PushedRoute::parse(addresses).unwrap_or(base_network);
    if label.is_probe() {
        return None;
    }
    Some(arrive_with(frame, tables, label, route))
}

#[inline(always)]
fn arrive_with<T: Tables>(
    frame: &mut impl Reroute,
    tables: &mut T,
    label: Label,
    route: Route,
) -> Result<Verdict, Outcome> {
    // Else the verifier goes on twice.
    let label = Label::from_bits(tables.obscured(label.bits()).ok_or(Outcome::NotConfigured)?);
    if route == Route::END {
        return deliver::arrive(frame, tables, label);
    }
    let width = tables.settings().ok_or(Outcome::NotConfigured)?.port_width;
    let Some((port, route)) = route.pop(width) else { return Err(deliver::give_back(frame, tables)) };
    match frame.detour(tables, label, port.get(), route) {
        0 => Err(deliver::give_back(frame, tables)),
        port => Ok(Verdict { outcome: Outcome::Transit, port }),
    }
}

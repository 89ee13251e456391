//! A frame from a fabric port: one port number off its route, or the end of the way.

use super::{Tables, Verdict, deliver};
use crate::{
    event::Outcome,
    route::{Label, PushedRoute, Route},
    wire::Frame,
};

/// Decides about a frame from a fabric port and rewrites it; `None` leaves the frame untouched to
/// [`deliver::arrive`], `Err` gives it to the kernel.
#[inline(always)]
pub(super) fn forward<T: Tables>(frame: &mut impl Frame, tables: &mut T) -> Option<Result<Verdict, Outcome>> {
    let Some([addresses @ .., _]) = frame.ethernet() else { return Some(Err(Outcome::NotForUs)) };
    let Some(PushedRoute { label, route }) = PushedRoute::parse(addresses) else {
        return Some(Err(Outcome::Unrouted));
    };
    if route == Route::END {
        return deliver::forward(frame, tables);
    }
    Some(transit(frame, tables, label, route))
}

/// Takes the next port off the route and leaves through it.
#[inline(always)]
fn transit<T: Tables>(
    frame: &mut impl Frame,
    tables: &T,
    label: Label,
    route: Route,
) -> Result<Verdict, Outcome> {
    let width = tables.settings().ok_or(Outcome::NotConfigured)?.port_width;
    let Some((port, route)) = route.pop(width) else {
        return Err(deliver::give_back(frame, tables));
    };
    if tables.port(port.get()).is_none_or(|next| next.usable == 0) {
        return Err(deliver::give_back(frame, tables));
    }
    frame.set_addresses(PushedRoute { label, route }.halves()).ok_or(Outcome::NotForUs)?;
    Ok(Verdict { outcome: Outcome::Transit, port: port.get() })
}

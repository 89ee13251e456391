//! Probes and hellos ([`crate::wire::probe`]): passed on, turned round where their route ends, and seen off when they
//! are back.

use super::{Tables, Verdict, within};
use crate::{
    event::{Outcome, Sighting},
    map::HelloKeys,
    route::{Label, PushedRoute, Route},
    wire::{
        Frame,
        probe::{Probe, Way},
    },
};

/// Of how many hellos and probes that come in by one interface a CPU tells the agent in each window, so that a flood by one
/// cable leaves room for what comes by the others: a third of the ring, and as many as the largest budget of probes lets come back. In nanoseconds.
const MOST_SIGHTINGS: u32 = 1024;
const WINDOW: u64 = 10_000_000;

/// Decides about a probe and rewrites it. None of them ever leaves smoc, nor through a host port: what cannot go on ends
/// here.
#[inline(always)]
pub(super) fn follow<T: Tables>(frame: &mut impl Frame, tables: &mut T) -> Result<Verdict, Outcome> {
    let (addresses, _) = frame.ethernet().ok_or(Outcome::ProbeLost)?;
    let PushedRoute { label, route } = PushedRoute::parse(addresses).ok_or(Outcome::ProbeLost)?;
    if route != Route::END {
        let width = tables.settings().ok_or(Outcome::ProbeLost)?.port_width;
        let (port, route) = route.pop(width).ok_or(Outcome::ProbeLost)?;
        return send(
            frame,
            tables,
            label,
            route,
            Verdict { outcome: Outcome::ProbeTransit, port: port.get() },
        );
    }
    let probe = Probe::parse(frame).ok_or(Outcome::ProbeLost)?;
    // What a device between two switches makes up goes no further than this, and not to the agent.
    if !label.is_returning()
        && let Some(keys) = tables.hello_keys()
        && !answer(&probe, keys, frame)
    {
        return Err(Outcome::ProbeLost);
    }
    let is_hello = probe.flags & Probe::HELLO != 0;
    if label.is_returning() || is_hello {
        let at = tables.now();
        if !within(tables.sightings(), MOST_SIGHTINGS, WINDOW, at) {
            return Err(Outcome::ProbeLost);
        }
        let returned = u32::from(label.is_returning());
        let interface = tables.ingress();
        tables.sighted(&Sighting { at, probe, returned, interface });
    }
    if label.is_returning() {
        return Err(Outcome::ProbeReturned);
    }
    let back = Route::from_bits(probe.back_route);
    let verdict = Verdict { outcome: Outcome::ProbeReflected, port: probe.back_port as u16 };
    if !is_hello {
        return send(frame, tables, label.returning(), back, verdict);
    }
    // A hello goes back over the link that it came over, whether that link counts as up or not: so links come up.
    if !tables.leave_through_any(verdict.port) {
        return Err(Outcome::ProbeLost);
    }
    let pushed = PushedRoute { label: label.returning(), route: back };
    frame.set_addresses(pushed.words()).ok_or(Outcome::ProbeLost)?;
    Ok(verdict)
}

#[inline(always)]
fn send<T: Tables>(
    frame: &mut impl Frame,
    tables: &mut T,
    label: Label,
    route: Route,
    verdict: Verdict,
) -> Result<Verdict, Outcome> {
    if !tables.leave_through(verdict.port) {
        return Err(Outcome::ProbeLost);
    }
    frame.set_addresses(PushedRoute { label, route }.words()).ok_or(Outcome::ProbeLost)?;
    Ok(verdict)
}

/// Lets a probe that turns round here say so, with the key that its sender has. False if it has a tag that none of the keys made.
/// One without a tag, and all where there is no key, goes back as it came.
#[inline(always)]
fn answer(probe: &Probe, keys: &HelloKeys, frame: &mut impl Frame) -> bool {
    let [first, second] = &keys.keys;
    if probe.tag == 0 || first.is_none() {
        return true;
    }
    let key = if probe.is_signed(first, Way::Out) {
        first
    } else if probe.is_signed(second, Way::Out) {
        second
    } else {
        return false;
    };
    let responder = keys.responder;
    let tag = Probe { responder, ..*probe }.tag_with(key, Way::Back);
    Probe::write_answer(responder, tag, frame).is_some()
}

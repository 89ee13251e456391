//! The egress edge: both MAC addresses are restored and the frame goes to the host.

use super::{
    Tables, Verdict, base, handshake,
    subflow::{Ends, Passing, Subflow, refresh},
};
use crate::{
    event::{Note, Outcome},
    map::{Flow, FlowKey, THIS_EDGE},
    route::Label,
    wire::{
        Frame,
        ethernet::{self, MacAddress},
        headers::Headers,
        tcp,
    },
};

/// How a frame leaves towards its host.
#[derive(Clone, Copy)]
struct LastHop {
    port: u16,
    destination: MacAddress,
    source: MacAddress,
}

/// Delivers a frame of an established subflow whose route is used up; `None` leaves the frame untouched to
/// [`arrive`].
#[inline(always)]
pub(super) fn forward<T: Tables>(frame: &mut impl Frame, tables: &mut T) -> Option<Result<Verdict, Outcome>> {
    let headers = Headers::of_plain_tcp(frame)?;
    let hop = established(tables, &headers, true)?;
    Some(hand_over(frame, tables, hop))
}

/// Delivers any frame whose route is used up, and learns from handshakes.
#[inline(always)]
pub(super) fn arrive<T: Tables>(
    frame: &mut impl Frame,
    tables: &mut T,
    label: Label,
) -> Result<Verdict, Outcome> {
    match last_hop(frame, tables, label) {
        Some(hop) => hand_over(frame, tables, hop),
        None => Err(give_back(frame, tables)),
    }
}

/// Restores both addresses and leaves through the host's port.
#[inline(always)]
fn hand_over(frame: &mut impl Frame, tables: &mut impl Tables, hop: LastHop) -> Result<Verdict, Outcome> {
    if !tables.deliver_through(hop.port) {
        return Err(give_back(frame, tables));
    }
    ethernet::rewrite(frame, hop.destination, hop.source).ok_or(Outcome::NotForUs)?;
    Ok(Verdict { outcome: Outcome::Delivered, port: hop.port })
}

#[inline(always)]
fn key_of(Headers { packet, segment, .. }: &Headers) -> FlowKey {
    FlowKey::new(packet.destination, segment.destination_port, packet.source, segment.source_port)
}

/// The last hop of an established subflow whose hosts are where they were.
#[inline(always)]
fn established<T: Tables>(tables: &mut T, headers: &Headers, is_quick: bool) -> Option<LastHop> {
    let Headers { ethernet, packet, segment, .. } = headers;
    if segment.has(tcp::SYN) {
        return None;
    }
    let key = &key_of(headers);
    let (bytes, vlan) = (packet.end, ethernet.vlan);
    let passing = Passing { key, segment, bytes, is_from_local: false, vlan, is_quick };
    let known = passing.received(tables)?;
    Some(LastHop { port: known.local_switch_port, destination: known.local_mac, source: known.peer_mac })
}

/// Looks up both hosts of a frame and learns from its handshake; `None` if its host is not attached here, or is not of
/// its VLAN.
#[inline(always)]
fn last_hop<T: Tables>(frame: &impl Frame, tables: &mut T, label: Label) -> Option<LastHop> {
    let mut room = Headers::default();
    let headers = frame.headers(&mut room)?;
    if headers.is_tcp
        && let Some(hop) = established(tables, headers, false)
    {
        return Some(hop);
    }
    // Before the hosts: who moves in between is looked up again.
    let epoch = tables.settings().map_or(0, |settings| settings.epoch);
    let vlan = headers.ethernet.vlan;
    let local = *tables.host(&headers.packet.destination)?;
    if local.attachment.edge != THIS_EDGE || !local.is_in(vlan) {
        return None;
    }
    let router = tables.port(local.attachment.port)?.mac;
    let mut hop = LastHop { port: local.attachment.port, destination: local.mac, source: router };
    let Some(&remote) = tables.host(&headers.packet.source) else {
        tables.count(Note::SourceUnknown.counter());
        return Some(hop);
    };
    let routed = label.is_routed();
    if !routed {
        hop.source = remote.mac;
    }
    if headers.is_tcp {
        let (local, remote, local_mac) = (local.attachment, remote.attachment, local.mac);
        let routed = if routed { Flow::ROUTED } else { 0 };
        let ends = Ends { local, remote, local_mac, peer_mac: hop.source, routed, epoch };
        let (key, segment, bytes) = (&key_of(headers), &headers.segment, headers.packet.end);
        let subflow = Subflow { key, bytes, segment, ends: &ends, is_from_local: false, vlan, label };
        if refresh(tables, &subflow).is_none() {
            handshake::follow(frame, tables, &subflow);
            frame.forget();
        }
    }
    Some(hop)
}

/// A route that cannot be followed any further: the frame goes to the kernel as it would have come without
/// smoc, as far as its hosts are known, else addressed to this switch itself so that no bridge floods it. Lost where the
/// port is closed for what the kernel would do with it.
#[inline(never)]
pub(super) fn give_back<T: Tables>(frame: &mut impl Frame, tables: &T) -> Outcome {
    let Some(settings) = tables.settings() else { return Outcome::NotConfigured };
    if base::is_closed(tables) {
        return Outcome::DeadEndClosed;
    }
    let (mut destination, mut source) = (settings.mac, settings.mac);
    if let Some(Headers { packet, .. }) = frame.headers(&mut Headers::default()) {
        if let Some(host) = tables.host(&packet.destination) {
            destination = host.mac;
        }
        if let Some(host) = tables.host(&packet.source) {
            source = host.mac;
        }
    }
    // A frame too short for two addresses was not parsed as a route.
    let _ = ethernet::rewrite(frame, destination, source);
    Outcome::DeadEnd
}

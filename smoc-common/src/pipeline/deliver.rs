//! The egress edge: both MAC addresses are restored and the frame goes to the host.

use super::{
    Ends, Table, Tables, Verdict, base, handshake,
    subflow::{Passing, Subflow, refresh},
};
use crate::{
    event::{Note, Outcome},
    map::{Attachment, Flow, FlowKey, THIS_EDGE},
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
pub(super) fn forward<T: Tables>(
    frame: &mut impl Frame,
    tables: &mut T,
    label: Label,
) -> Option<Result<Verdict, Outcome>> {
    let headers = Headers::of_plain_tcp(frame)?;
    let hop = established(tables, &headers, label, true)?;
    Some(hand_over(frame, tables, hop))
}

/// Delivers any frame whose route is used up, and learns from handshakes; those that came over the base network stay there.
#[inline(always)]
pub(super) fn arrive<T: Tables>(
    frame: &mut impl Frame,
    tables: &mut T,
    label: Label,
) -> Result<Verdict, Outcome> {
    let hop = last_hop(frame, tables, label);
    if label.is_unrouted() {
        return Err(Outcome::Unrouted);
    }
    match hop {
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
fn established<T: Tables>(
    tables: &mut T,
    headers: &Headers,
    label: Label,
    is_quick: bool,
) -> Option<LastHop> {
    let Headers { ethernet, packet, segment, .. } = headers;
    if segment.has(tcp::SYN) {
        return None;
    }
    let key = &key_of(headers);
    let (bytes, vlan) = (packet.end, ethernet.vlan);
    let passing = Passing { key, segment, bytes, is_from_local: false, vlan, is_quick };
    let known = passing.received(tables, label)?;
    Some(LastHop { port: known.local_switch_port, destination: known.local_mac, source: known.peer_mac })
}

/// Looks up both hosts of a frame and learns from its handshake; `None` if its host is not attached here, or is not of
/// its VLAN, or if it came over the base network.
#[inline(always)]
fn last_hop<T: Tables>(frame: &impl Frame, tables: &mut T, label: Label) -> Option<LastHop> {
    let mut room = Headers::default();
    let headers = frame.headers(&mut room)?;
    if headers.is_tcp
        && !label.is_unrouted()
        && let Some(hop) = established(tables, headers, label, false)
    {
        return Some(hop);
    }
    let ends = tables.ends_from_fabric(headers, label)?;
    if headers.is_tcp {
        let (key, segment, bytes) = (&key_of(headers), &headers.segment, headers.packet.end);
        let vlan = headers.ethernet.vlan;
        let subflow = Subflow { key, bytes, segment, ends: &ends, is_from_local: false, vlan, label };
        if refresh(tables, &subflow).is_none() {
            handshake::follow(frame, tables, &subflow);
            frame.forget();
        }
    }
    if ends.local == Attachment::UNKNOWN {
        return None;
    }
    Some(LastHop { port: ends.local.port, destination: ends.local_mac, source: ends.peer_mac })
}

/// Both hosts of a frame, as far as they are known; `None` if the local one is elsewhere. Over the base network a host may also
/// have another MAC address than the one that is known.
#[inline(always)]
pub(super) fn ends_of(
    tables: &mut impl Tables,
    Headers { ethernet, packet, .. }: &Headers,
    label: Label,
) -> Option<Ends> {
    // Before the hosts: who moves in between is looked up again.
    let epoch = tables.settings().map_or(0, |settings| settings.epoch);
    let is_unrouted = label.is_unrouted();
    let (local, mac) = match tables.locate(&packet.destination) {
        Some(host) if host.attachment.edge != THIS_EDGE || !host.is_in(ethernet.vlan) => return None,
        Some(host) => (host.attachment, host.mac),
        None => (Attachment::UNKNOWN, ethernet.destination),
    };
    let router = tables.port(local.port)?.mac;
    let (remote, sender) = match tables.locate(&packet.source) {
        Some(host) => (host.attachment, host.mac),
        None => (Attachment::UNKNOWN, router),
    };
    if remote == Attachment::UNKNOWN && !is_unrouted {
        tables.count(Note::SourceUnknown.counter());
    }
    if is_unrouted && remote.edge == THIS_EDGE {
        return None;
    }
    let is_known = local != Attachment::UNKNOWN && remote != Attachment::UNKNOWN;
    let is_as_known = ethernet.source == sender && ethernet.destination == mac;
    let is_pending = !is_known || (is_unrouted && !is_as_known);
    let (peer_mac, routed) = if label.is_routed() { (router, Flow::ROUTED) } else { (sender, 0) };
    let routed = if is_pending { Flow::PENDING } else { routed };
    let epoch = epoch.wrapping_sub(u32::from(is_pending));
    Some(Ends { local, remote, edge: remote.edge, local_mac: mac, peer_mac, routed, epoch })
}

/// Whether a frame that came over the base network says something about a subflow of which a host is not known yet.
#[inline(always)]
pub(super) fn is_awaited<T: Tables>(frame: &impl Frame, tables: &mut T) -> bool {
    let Some(headers) = Headers::of_plain_tcp(frame) else {
        let tagged = |header: ethernet::Header| ethernet::is_tag(header.ether_type);
        return ethernet::Header::untagged(frame).is_some_and(tagged);
    };
    if headers.segment.has(tcp::SYN) {
        return true;
    }
    let key = &key_of(&headers);
    if tables.half_open().get(key).is_some_and(|half| half.flow.opened != 0) {
        return true;
    }
    tables.flows().get(key).is_some_and(|flow| flow.flags & Flow::PENDING != 0)
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
        if let Some(host) = tables.locate(&packet.destination) {
            destination = host.mac;
        }
        if let Some(host) = tables.locate(&packet.source) {
            source = host.mac;
        }
    }
    // A frame too short for two addresses was not parsed as a route.
    let _ = ethernet::rewrite(frame, destination, source);
    Outcome::DeadEnd
}

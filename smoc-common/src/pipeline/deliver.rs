//! The egress edge: both MAC addresses are restored and the frame goes to the host.

use super::{
    Table, Tables, Verdict, close,
    edge::{Ends, refresh},
    handshake::{self, Subflow},
    left,
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
    let hop = established(tables, &headers)?;
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
    if !tables.leave_through(hop.port) {
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
fn established<T: Tables>(tables: &mut T, headers: &Headers) -> Option<LastHop> {
    let segment = &headers.segment;
    if segment.has(tcp::SYN) {
        return None;
    }
    let epoch = tables.settings()?.epoch;
    let flow = tables.flows().get(&key_of(headers))?;
    if flow.epoch != epoch {
        return None;
    }
    flow.received.add(headers.packet.end);
    let hop = LastHop { port: flow.local_switch_port, destination: flow.local_mac, source: flow.peer_mac };
    if segment.flags & (tcp::FIN | tcp::RST) != 0 {
        let id = flow.connection;
        if close(flow, segment, Flow::FIN_RECEIVED) {
            left(tables, id);
        }
    }
    Some(hop)
}

/// Looks up both hosts of a frame and learns from its handshake; `None` if its host is not attached here.
#[inline(always)]
fn last_hop<T: Tables>(frame: &impl Frame, tables: &mut T, label: Label) -> Option<LastHop> {
    let mut room = Headers::default();
    let headers = frame.headers(&mut room)?;
    if headers.is_tcp
        && let Some(hop) = established(tables, headers)
    {
        return Some(hop);
    }
    let local = *tables.host(&headers.packet.destination)?;
    if local.attachment.edge != THIS_EDGE {
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
        let ends = Ends { local, remote, peer_mac: hop.source, routed };
        let (key, segment) = (&key_of(headers), &headers.segment);
        let arrived_on = label.rank().get();
        let receiver = ends.local.attachment;
        let bytes = headers.packet.end;
        let subflow =
            Subflow { key, bytes, segment, ends: &ends, receiver, is_from_local: false, arrived_on };
        if refresh(tables, &subflow).is_none() {
            handshake::follow(frame, tables, &subflow);
        }
    }
    Some(hop)
}

/// A route that cannot be followed any further: the frame goes to the kernel as it would have come without
/// smoc, as far as its hosts are known, else addressed to this switch itself so that no bridge floods it.
#[inline(never)]
pub(super) fn give_back<T: Tables>(frame: &mut impl Frame, tables: &T) -> Outcome {
    let Some(settings) = tables.settings() else { return Outcome::NotConfigured };
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

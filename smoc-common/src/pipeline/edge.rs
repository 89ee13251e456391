//! The ingress edge: a frame from a host port gets the route of its path.

use core::hint::black_box;

use super::{
    Ends, Reroute, Table, Tables, Verdict, guard,
    handshake::{self, Way},
    presence, rank,
    subflow::{Known, Passing, Subflow, is_interface_of, refresh},
};
use crate::{
    event::Outcome,
    map::{Attachment, ConnectionId, EdgeIndex, Flow, FlowKey, Host, PathSet, Settings, THIS_EDGE},
    route::{Label, PushedRoute, Rank, Route},
    wire::{
        Frame,
        ethernet::{self, MacAddress},
        headers::Headers,
        ip::Packet,
        mptcp::Handshake,
        tcp,
    },
};

/// Where a frame is to go.
#[derive(Clone, Copy)]
struct Destination {
    edge: EdgeIndex,
    /// The path as numbered in a [`PathSet`].
    path: u8,
    routed: bool,
    /// The path is another one than that of the subflow's own rank.
    moved: bool,
    /// The connection that it belongs to, 0 if none is known.
    connection: ConnectionId,
}

impl From<Known> for Destination {
    #[inline(always)]
    fn from(Known { connection, edge, rank, routed, .. }: Known) -> Self {
        Self { edge, path: rank, routed, moved: false, connection }
    }
}

/// Decides about a frame from a host port if it needs no choice: a frame of an established subflow gets its
/// route, one that is not smoc's business passes, one of smoc's own is dropped. `None` leaves the frame untouched to
/// [`choose`].
#[inline(always)]
pub(super) fn forward<T: Tables>(
    frame: &mut impl Reroute,
    tables: &mut T,
) -> Option<Result<Verdict, Outcome>> {
    let Some(ethernet) = ethernet::Header::untagged(frame) else { return Some(Err(Outcome::NotForUs)) };
    if guard::is_smocs(&ethernet) {
        return Some(Err(Outcome::PushedByHost));
    }
    if ethernet.destination.is_group() {
        if let Some((addresses, ether_type)) = frame.ethernet()
            && let Some(verdict) = presence::meet(frame, addresses, ether_type)
        {
            return Some(Ok(verdict));
        }
        if !is_guarded(tables) {
            return Some(Err(Outcome::NotForUs));
        }
    }
    let headers = Headers::of_plain_tcp(frame)?;
    if headers.segment.has(tcp::SYN) {
        return None;
    }
    let known = established(tables, &headers, &key_of(&headers), true)?;
    Some(send(frame, tables, &headers.packet, known.into(), Outcome::Established))
}

#[inline(always)]
fn is_guarded(tables: &impl Tables) -> bool {
    tables.settings().is_some_and(|settings| settings.guarded & Settings::GUARDED != 0)
}

#[inline(always)]
fn key_of(Headers { packet, segment, .. }: &Headers) -> FlowKey {
    FlowKey::new(packet.source, segment.source_port, packet.destination, segment.destination_port)
}

/// One lookup and no option parsing.
#[inline(always)]
fn established<T: Tables>(
    tables: &mut T,
    Headers { ethernet, packet, segment, .. }: &Headers,
    key: &FlowKey,
    is_quick: bool,
) -> Option<Known> {
    let (bytes, vlan) = (packet.end, ethernet.vlan);
    let passing = Passing { key, segment, bytes, is_from_local: true, vlan, is_quick };
    passing.sent(tables, ethernet, packet.hops_left)
}

/// Decides about any frame that [`forward`] left: chooses its path by its handshake, or by hash or policy.
#[inline(always)]
pub(super) fn choose<T: Tables>(frame: &mut impl Reroute, tables: &mut T) -> Result<Verdict, Outcome> {
    let mut room = Headers::default();
    let headers = frame.headers(&mut room);
    if is_guarded(tables) {
        guard::admit(frame, tables, headers)?;
    }
    let headers = headers.ok_or(Outcome::NotForUs)?;
    if headers.ethernet.destination.is_group() {
        return Err(Outcome::NotForUs);
    }
    let packet = &headers.packet;
    let key = key_of(headers);
    if headers.is_tcp
        && !headers.segment.has(tcp::SYN)
        && let Some(known) = established(tables, headers, &key, false)
    {
        return send(frame, tables, packet, known.into(), Outcome::Established);
    }
    let mut ends = tables.ends_from_host(headers)?;
    // Else the verifier goes all further ways twice, and those of hosts that are not known.
    ends.routed = tables.obscured(ends.routed).ok_or(Outcome::NotConfigured)? & Flow::ROUTED;
    // What is not sent teaches nothing.
    if ends.routed != 0 && packet.hops_left <= 1 {
        return Err(Outcome::TimeToLive);
    }
    let edge = ends.remote.edge;
    if tables.path_set(edge).ok_or(Outcome::NoPath)?.count == 0 {
        return Err(Outcome::NoPath);
    }
    let (way, outcome) = if headers.is_tcp {
        let (key, bytes, segment, vlan) = (&key, packet.end, &headers.segment, headers.ethernet.vlan);
        let label = Label::new(Rank::BEST, false);
        let subflow = Subflow { key, bytes, segment, ends: &ends, is_from_local: true, vlan, label };
        match refresh(tables, &subflow) {
            Some(rank) => (Way { path: rank, moved: false }, Outcome::Established),
            None => tcp_way(frame, tables, &subflow)?,
        }
    } else {
        (Way { path: plain_path(tables, &key, edge)?, moved: false }, Outcome::Plain)
    };
    let path = tables.obscured(way.path).ok_or(Outcome::NotConfigured)?;
    let connection = match outcome {
        Outcome::Handshake => tables.half_open().get(&key).map_or(0, |half| half.flow.connection),
        Outcome::Established => tables.flows().get(&key).map_or(0, |flow| flow.connection),
        _ => 0,
    };
    let to = Destination { edge, path, routed: ends.routed != 0, moved: way.moved, connection };
    send(frame, tables, packet, to, outcome)
}

/// The way of a TCP segment of no established subflow: in a handshake, of a subflow that was never seen, or
/// no MPTCP.
#[inline(always)]
fn tcp_way<T: Tables>(
    frame: &impl Frame,
    tables: &mut T,
    subflow: &Subflow<'_>,
) -> Result<(Way, Outcome), Outcome> {
    let way = handshake::follow(frame, tables, subflow);
    let is_mptcp = way.is_none()
        && !subflow.segment.has(tcp::SYN)
        && frame.handshake(subflow.segment, &mut Handshake::default()).is_some();
    frame.forget();
    if let Some(way) = way {
        return Ok((way, Outcome::Handshake));
    }
    let edge = subflow.ends.remote.edge;
    if is_mptcp {
        let set = tables.path_set(edge).ok_or(Outcome::NoPath)?;
        return Ok((Way { path: rank::hashed(set, subflow.key, 0), moved: false }, Outcome::Hashed));
    }
    Ok((Way { path: plain_path(tables, subflow.key, edge)?, moved: false }, Outcome::Plain))
}

#[inline(always)]
fn plain_path(tables: &impl Tables, key: &FlowKey, edge: EdgeIndex) -> Result<u8, Outcome> {
    let spread = tables.settings().ok_or(Outcome::NotConfigured)?.spread;
    Ok(rank::plain(tables.path_set(edge).ok_or(Outcome::NoPath)?, spread, key))
}

/// See [`super::ends_from_host`].
#[inline(always)]
pub(super) fn ends_of(
    tables: &impl Tables,
    Headers { ethernet, packet, .. }: &Headers,
) -> Result<Ends, Outcome> {
    // Before the hosts: who moves in between is looked up again.
    let epoch = tables.settings().map_or(0, |settings| settings.epoch);
    let local = tables.locate(&packet.source).ok_or(Outcome::UnknownHost)?;
    let remote = tables.locate(&packet.destination).ok_or(Outcome::UnknownHost)?;
    if local.attachment.edge != THIS_EDGE || local.mac != ethernet.source {
        return Err(Outcome::UnknownHost);
    }
    if !local.is_in(ethernet.vlan) || !remote.is_in(ethernet.vlan) {
        return Err(Outcome::OtherVlan);
    }
    if remote.attachment.edge == THIS_EDGE {
        return Err(Outcome::SameEdge);
    }
    let routed = ethernet.destination != remote.mac;
    if routed && router_of(tables, local.attachment.port) != Some(ethernet.destination) {
        return Err(Outcome::OtherNextHop);
    }
    Ok(Ends {
        local: local.attachment,
        remote: remote.attachment,
        edge: remote.attachment.edge,
        local_mac: local.mac,
        peer_mac: ethernet.destination,
        routed: if routed { Flow::ROUTED } else { 0 },
        epoch,
    })
}

/// Learns from a segment of which a host is not known, or has another MAC address than the one that is: as soon as both
/// hosts are known its subflow is as any other. Why the frame stays.
#[inline(always)]
pub(super) fn meet<T: Tables>(frame: &mut impl Reroute, tables: &mut T) -> Outcome {
    let mut room = Headers::default();
    let Some(headers) = frame.headers(&mut room) else { return Outcome::NotForUs };
    let Headers { ethernet, packet, segment, .. } = headers;
    let Err(outcome) = tables.ends_from_host(headers) else { return Outcome::UnknownHost };
    if headers.is_tcp
        && matches!(outcome, Outcome::UnknownHost | Outcome::OtherNextHop)
        && let Some(ends) = tables.strangers(headers)
    {
        let (key, bytes, vlan) = (&key_of(headers), packet.end, ethernet.vlan);
        let label = Label::new(Rank::BEST, false);
        let subflow = Subflow { key, bytes, segment, ends: &ends, is_from_local: true, vlan, label };
        if refresh(tables, &subflow).is_none() {
            handshake::follow(frame, tables, &subflow);
            frame.forget();
        }
    }
    outcome
}

/// See [`super::strangers`].
#[inline(always)]
pub(super) fn strangers(tables: &impl Tables, Headers { ethernet, packet, .. }: &Headers) -> Option<Ends> {
    let epoch = tables.settings()?.epoch;
    let local = match tables.locate(&packet.source) {
        None => Attachment::UNKNOWN,
        Some(&Host { attachment, .. }) if attachment.edge == THIS_EDGE => attachment,
        Some(_) => return None,
    };
    if local != Attachment::UNKNOWN && !is_interface_of(tables, local.port) {
        return None;
    }
    let remote = tables.locate(&packet.destination);
    let remote = remote.map_or(Attachment::UNKNOWN, |host| host.attachment);
    if remote.edge == THIS_EDGE {
        return None;
    }
    Some(Ends {
        local,
        remote,
        edge: remote.edge,
        local_mac: ethernet.source,
        peer_mac: ethernet.destination,
        routed: Flow::PENDING,
        // Never the one of the time.
        epoch: epoch.wrapping_sub(1),
    })
}

/// The MAC address of this switch as the router of a port.
#[inline(always)]
fn router_of(tables: &impl Tables, port: u16) -> Option<MacAddress> {
    tables.port(port).map(|port| port.mac)
}

/// Pushes the route of a path and leaves through its first port.
#[inline(always)]
fn send<T: Tables>(
    frame: &mut impl Reroute,
    tables: &mut T,
    packet: &Packet,
    to: Destination,
    outcome: Outcome,
) -> Result<Verdict, Outcome> {
    if to.routed && packet.hops_left <= 1 {
        return Err(Outcome::TimeToLive);
    }
    let port = push(frame, tables, to)?;
    if to.routed {
        packet.decrement_hops(frame).ok_or(Outcome::NotForUs)?;
    }
    Ok(Verdict { outcome, port })
}

/// Pushes the route of a path, or while that is down of another rank, or at last a detour; the port through which the frame
/// leaves. Other traffic than MPTCP is labelled as of rank 0.
#[inline(always)]
fn push<T: Tables>(frame: &mut impl Reroute, tables: &mut T, to: Destination) -> Result<u16, Outcome> {
    let set = tables.path_set(to.edge).ok_or(Outcome::NoPath)?;
    if set.count == 0 {
        return Err(Outcome::NoPath);
    }
    let is_base = usize::from(to.path) >= PathSet::BASE;
    let number = if is_base || to.path < set.count { to.path } else { to.path % set.count };
    // By way of the stack: else the limit is taken where the verifier does not see it. As one byte, of which the verifier
    // remembers nothing: without CAP_PERFMON it wants the same limit on each way.
    let number = usize::from(black_box(number)) % PathSet::LEN;
    let path = set.paths[number];
    let rank = if is_base { Rank::BEST } else { Rank::new(number as u8) };
    let label = Label::new(rank, to.routed).moved(to.moved);
    let pushed = PushedRoute { label, route: Route::from_bits(path.route) };
    let is_broken = set.broken >> number & 1 != 0;
    if !is_broken && tables.leave_through(path.port) {
        frame.set_addresses(pushed.words()).ok_or(Outcome::NotForUs)?;
        return Ok(path.port);
    }
    let PushedRoute { label, route } = pushed;
    let port = match frame.failover(tables, to.edge, to.connection, label.moved(to.moved || is_base)) {
        0 => frame.detour(tables, label, path.port, route),
        port => port,
    };
    if port == 0 { Err(Outcome::PortDown) } else { Ok(port) }
}

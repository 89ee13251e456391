//! The ingress edge: a frame from a host port gets the route of its path.

use super::{
    Reroute, Table, Tables, Verdict, close,
    handshake::{self, Subflow},
    left, rank,
};
use crate::{
    event::Outcome,
    map::{ConnectionId, EdgeIndex, Flow, FlowKey, Host, THIS_EDGE},
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

/// The two hosts of a packet and how the local one addresses the other.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub local: Host,
    pub remote: Host,
    pub peer_mac: MacAddress,
    pub routed: bool,
}

/// Where a frame is to go.
#[derive(Clone, Copy)]
struct Destination {
    edge: EdgeIndex,
    rank: u8,
    routed: bool,
    /// The connection that it belongs to, 0 if none is known.
    connection: ConnectionId,
}

/// Decides about a frame from a host port if it needs no choice: a frame of an established subflow gets its
/// route, one that is not smoc's business passes. `None` leaves the frame untouched to [`choose`].
#[inline(always)]
pub(super) fn forward<T: Tables>(
    frame: &mut impl Reroute,
    tables: &mut T,
) -> Option<Result<Verdict, Outcome>> {
    let Some(ethernet) = ethernet::Header::untagged(frame) else { return Some(Err(Outcome::NotForUs)) };
    if ethernet.destination.prefix() == PushedRoute::PREFIX {
        return Some(Err(Outcome::PushedByHost));
    }
    if ethernet.destination.is_group() {
        return Some(Err(Outcome::NotForUs));
    }
    let headers = Headers::of_plain_tcp(frame)?;
    if headers.segment.has(tcp::SYN) {
        return None;
    }
    let to = established(tables, &headers, &key_of(&headers))?;
    Some(send(frame, tables, &headers.packet, to, Outcome::Established))
}

#[inline(always)]
fn key_of(Headers { packet, segment, .. }: &Headers) -> FlowKey {
    FlowKey::new(packet.source, segment.source_port, packet.destination, segment.destination_port)
}

/// Decides about any frame that [`forward`] left: chooses its path by its handshake, or by hash or policy.
#[inline(always)]
pub(super) fn choose<T: Tables>(frame: &mut impl Reroute, tables: &mut T) -> Result<Verdict, Outcome> {
    let mut room = Headers::default();
    let headers = frame.headers(&mut room).ok_or(Outcome::NotForUs)?;
    let packet = &headers.packet;
    let key = key_of(headers);
    if headers.is_tcp
        && !headers.segment.has(tcp::SYN)
        && let Some(to) = established(tables, headers, &key)
    {
        return send(frame, tables, packet, to, Outcome::Established);
    }
    let ends = Ends::of(tables, headers)?;
    let edge = ends.remote.attachment.edge;
    let (rank, outcome) = if headers.is_tcp {
        let (key, bytes, segment) = (&key, packet.end, &headers.segment);
        let receiver = ends.remote.attachment;
        let subflow =
            Subflow { key, bytes, segment, ends: &ends, receiver, is_from_local: true, arrived_on: 0 };
        match refresh(tables, &subflow) {
            Some(rank) => (rank, Outcome::Established),
            None => tcp_rank(frame, tables, &subflow)?,
        }
    } else {
        (plain_rank(tables, &key, edge)?, Outcome::Plain)
    };
    let rank = tables.obscured(rank).ok_or(Outcome::NotConfigured)?;
    let half_open = if outcome == Outcome::Handshake { tables.half_open().get(&key) } else { None };
    let connection = half_open.map_or(0, |half| half.flow.connection);
    send(frame, tables, packet, Destination { edge, rank, routed: ends.routed, connection }, outcome)
}

/// The rank of a TCP segment of no established subflow: in a handshake, of a subflow that was never seen, or
/// no MPTCP.
#[inline(always)]
fn tcp_rank<T: Tables>(
    frame: &impl Frame,
    tables: &mut T,
    subflow: &Subflow<'_>,
) -> Result<(u8, Outcome), Outcome> {
    if let Some(rank) = handshake::follow(frame, tables, subflow) {
        return Ok((rank, Outcome::Handshake));
    }
    let edge = subflow.ends.remote.attachment.edge;
    let is_mptcp = frame.handshake(subflow.segment, &mut Handshake::default()).is_some();
    if is_mptcp && !subflow.segment.has(tcp::SYN) {
        let set = tables.path_set(edge).ok_or(Outcome::NoPath)?;
        return Ok((rank::hashed(set, subflow.key, 0), Outcome::Hashed));
    }
    Ok((plain_rank(tables, subflow.key, edge)?, Outcome::Plain))
}

#[inline(always)]
fn plain_rank(tables: &impl Tables, key: &FlowKey, edge: EdgeIndex) -> Result<u8, Outcome> {
    let spread = tables.settings().ok_or(Outcome::NotConfigured)?.spread;
    Ok(rank::plain(tables.path_set(edge).ok_or(Outcome::NoPath)?, spread, key))
}

/// The destination of an established subflow, one lookup and no option parsing; `None` if there is no such
/// subflow, or if its hosts have to be looked up again.
#[inline(always)]
fn established<T: Tables>(
    tables: &mut T,
    Headers { ethernet, packet, segment, .. }: &Headers,
    key: &FlowKey,
) -> Option<Destination> {
    let epoch = tables.settings()?.epoch;
    let flow = tables.flows().get(key)?;
    if flow.epoch != epoch || flow.peer_mac != ethernet.destination {
        return None;
    }
    flow.sent.add(packet.end);
    let routed = flow.flags & Flow::ROUTED != 0;
    let to = Destination { edge: flow.remote.edge, rank: flow.rank, routed, connection: flow.connection };
    if segment.flags & (tcp::FIN | tcp::RST) != 0 {
        let id = flow.connection;
        if close(flow, segment, Flow::FIN_SENT) {
            left(tables, id);
        }
    }
    Some(to)
}

/// The rank of an established subflow whose hosts had to be looked up again: one of them moved, or the local
/// one changed between addressing the other and addressing this switch.
#[inline(always)]
pub(super) fn refresh<T: Tables>(tables: &mut T, subflow: &Subflow<'_>) -> Option<u8> {
    if subflow.segment.has(tcp::SYN) {
        return None;
    }
    let epoch = tables.settings()?.epoch;
    let flow = tables.flows().get(subflow.key)?;
    subflow.ends.enter(flow, epoch);
    subflow.count(flow);
    Some(flow.rank)
}

impl Ends {
    /// Looks up both hosts of a frame from a host port.
    #[inline(always)]
    fn of(tables: &impl Tables, Headers { ethernet, packet, .. }: &Headers) -> Result<Self, Outcome> {
        let local = *tables.host(&packet.source).ok_or(Outcome::UnknownHost)?;
        let remote = *tables.host(&packet.destination).ok_or(Outcome::UnknownHost)?;
        if local.attachment.edge != THIS_EDGE || local.mac != ethernet.source {
            return Err(Outcome::UnknownHost);
        }
        if remote.attachment.edge == THIS_EDGE {
            return Err(Outcome::SameEdge);
        }
        let routed = ethernet.destination != remote.mac;
        if routed {
            let port = tables.port(local.attachment.port).ok_or(Outcome::OtherNextHop)?;
            if port.mac != ethernet.destination {
                return Err(Outcome::OtherNextHop);
            }
        }
        Ok(Self { local, remote, peer_mac: ethernet.destination, routed })
    }

    /// Writes what was looked up into a subflow's entry.
    #[inline(always)]
    pub(super) fn enter(&self, flow: &mut Flow, epoch: u32) {
        flow.epoch = epoch;
        flow.remote = self.remote.attachment;
        flow.local_switch_port = self.local.attachment.port;
        flow.local_mac = self.local.mac;
        flow.peer_mac = self.peer_mac;
        flow.flags = flow.flags & !Flow::ROUTED | if self.routed { Flow::ROUTED } else { 0 };
    }
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

/// Pushes the route of the rank's path, or while that is down of another one, or at last a detour; the port
/// through which the frame leaves.
#[inline(always)]
fn push<T: Tables>(frame: &mut impl Reroute, tables: &mut T, to: Destination) -> Result<u16, Outcome> {
    let set = tables.path_set(to.edge).ok_or(Outcome::NoPath)?;
    if set.count == 0 {
        return Err(Outcome::NoPath);
    }
    let rank = Rank::new(if to.rank < set.count { to.rank } else { to.rank % set.count });
    let path = set.paths[usize::from(rank.get())];
    let pushed = PushedRoute { label: Label::new(rank, to.routed), route: Route::from_bits(path.route) };
    let is_broken = set.broken >> rank.get() & 1 != 0;
    if !is_broken && tables.leave_through(path.port) {
        frame.set_addresses(pushed.words()).ok_or(Outcome::NotForUs)?;
        return Ok(path.port);
    }
    let PushedRoute { label, route } = pushed;
    let port = match frame.failover(tables, to.edge, to.connection, label) {
        0 => frame.detour(tables, label, path.port, route),
        port => port,
    };
    if port == 0 { Err(Outcome::PortDown) } else { Ok(port) }
}

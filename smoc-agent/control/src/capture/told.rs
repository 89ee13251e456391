//! What became of a captured frame. Where it goes on is read from its own route: that is what it takes, whatever was decided
//! since.

use std::net::{IpAddr, SocketAddr};

use smoc_common::{
    capture::Captured,
    event::{Action, Outcome},
    route::{Label, PortNumber, PushedRoute, Route},
    wire::{Bytes, Frame as _, headers::Headers},
};
use smoc_paths::topology::{End, SwitchId};

use crate::{hosts::ip_address, switch::Snapshot};

/// Which way a frame passes the port at which it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It has come in there, and goes no further by smoc.
    In,
    /// It leaves there.
    Out,
}

/// The ends of an IP packet, with ports if it is TCP or UDP and else 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The sender.
    pub source: SocketAddr,
    /// The receiver.
    pub destination: SocketAddr,
    /// Whether it is TCP.
    pub is_tcp: bool,
}

/// What is told of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What became of it.
    pub outcome: Outcome,
    /// The port that it came in by, if that is known.
    pub came_by: Option<PortNumber>,
    /// The port that it left by.
    pub left_by: Option<PortNumber>,
    /// Rank and flags that it came or goes with.
    pub label: Option<Label>,
    /// The switches of its path, as far as its route and the topology tell: with the first and the last one if those are
    /// known.
    pub path: Vec<SwitchId>,
    /// Whether the path goes on before the first of these.
    pub is_from_afar: bool,
    /// The edges at the ends of its path, as far as they are known.
    pub edges: Vec<SwitchId>,
    /// Who speaks to whom.
    pub flow: Option<Flow>,
    /// The tokens of its connection, of the local host and of the remote one, or that of its join; none if unknown.
    pub tokens: Vec<u32>,
    /// Whether its Ethernet addresses are still a route, because those of the hosts are not known.
    pub is_raw: bool,
}

impl Told {
    /// Which way it passes the port at which it is seen: where it leaves, if it does.
    pub fn direction(&self) -> Direction {
        match (self.outcome.action(), self.left_by) {
            (Action::Redirect, Some(_)) => Direction::Out,
            _ => Direction::In,
        }
    }

    /// The rank of its path.
    pub fn rank(&self) -> Option<u8> {
        self.label.map(|label| label.rank().get())
    }

    /// Whether its local host, whose subflow it belongs to here, is the one that sends it; `None` at switches on the way.
    pub fn is_from_local(&self) -> Option<bool> {
        match self.outcome {
            Outcome::Established | Outcome::Handshake | Outcome::Hashed | Outcome::Plain => Some(true),
            Outcome::Delivered => Some(false),
            _ => None,
        }
    }
}

/// Tells what became of a frame, and puts the addresses back with which its host sent it. `came_by` is the port of the
/// interface that it came in by. Tokens are for the caller to look up.
pub fn tell(head: &Captured, bytes: &mut [u8], came_by: Option<PortNumber>, snapshot: &Snapshot) -> Told {
    let outcome = Outcome::ALL.get(head.outcome as usize).copied().unwrap_or(Outcome::NotForUs);
    let frame = Bytes(bytes);
    let leaving = frame.ethernet().and_then(|(addresses, _)| PushedRoute::parse(addresses));
    let coming = PushedRoute::parse(head.came_with);
    let mut headers = Headers::default();
    let flow = headers.read(&frame).then(|| flow(&headers));
    let mut told = Told {
        outcome,
        came_by,
        left_by: u16::try_from(head.port).ok().and_then(PortNumber::new),
        label: leaving.or(coming).map(|pushed| pushed.label),
        path: Vec::new(),
        is_from_afar: false,
        edges: Vec::new(),
        flow,
        tokens: Vec::new(),
        is_raw: false,
    };
    match outcome {
        Outcome::Delivered => arrived(&mut told, snapshot),
        _ => on_its_way(&mut told, leaving, coming.is_some(), snapshot),
    }
    restore(&mut told, head, bytes, leaving.is_some(), snapshot);
    told
}

fn flow(headers: &Headers) -> Flow {
    let Headers { packet, segment, is_tcp, .. } = headers;
    Flow {
        source: SocketAddr::new(ip_address(packet.source), segment.source_port),
        destination: SocketAddr::new(ip_address(packet.destination), segment.destination_port),
        is_tcp: *is_tcp,
    }
}

/// The path of a frame that is delivered here: that of its rank from its sender's edge.
fn arrived(told: &mut Told, snapshot: &Snapshot) {
    let (Some(flow), Some(label)) = (told.flow, told.label) else { return };
    let Some(to) = snapshot.between(flow.destination.ip(), flow.source.ip()) else { return };
    told.edges = vec![to.edge, snapshot.this];
    let Some(paths) = snapshot.paths(to) else { return };
    // What is no MPTCP goes by a path of least cost, which need not be of a rank; a detour leads elsewhere.
    let is_by_rank = flow.is_tcp && !label.is_detoured();
    if let Some(path) = paths.ranked.get(usize::from(label.rank().get())).filter(|_| is_by_rank) {
        told.path = path.switches.iter().rev().copied().collect();
    }
}

/// The path of a frame that goes on: where its route leads, and where it comes from.
fn on_its_way(told: &mut Told, leaving: Option<PushedRoute>, is_transit: bool, snapshot: &Snapshot) {
    let (Some(pushed), Some(port)) = (leaving, told.left_by) else { return };
    let neighbor = |switch, port| {
        let link = snapshot.topology.link_at(End { switch, port })?;
        Some(snapshot.topology.link(link).other(switch).switch)
    };
    if is_transit {
        let before = told.came_by.and_then(|port| neighbor(snapshot.this, port));
        told.path.extend(before);
    }
    let (mut at, mut port, mut route) = (snapshot.this, port, pushed.route);
    told.path.push(at);
    while let Some(next) = neighbor(at, port) {
        told.path.push(next);
        if route == Route::END {
            break;
        }
        let Some((hop, rest)) = route.pop(snapshot.topology.switch(next).port_width) else { return };
        (at, port, route) = (next, hop, rest);
    }
    let edge_of = |address: IpAddr| snapshot.edge_of(address);
    let from = told.flow.and_then(|flow| edge_of(flow.source.ip()));
    told.is_from_afar = is_transit && from.as_ref() != told.path.first();
    told.edges.extend(from.filter(|_| is_transit).or((!is_transit).then_some(snapshot.this)));
    told.edges.extend(told.path.last());
}

/// Puts the hosts' addresses in place of a route.
fn restore(told: &mut Told, head: &Captured, bytes: &mut [u8], is_pushed: bool, snapshot: &Snapshot) {
    if !is_pushed {
        return;
    }
    told.is_raw = true;
    let mut frame = Bytes(bytes);
    let addresses = match told.is_from_local() {
        Some(true) => Some(head.came_with),
        _ => hosts_addresses(told, snapshot),
    };
    if let Some(addresses) = addresses.filter(|_| told.outcome != Outcome::PushedByHost)
        && frame.set_addresses(addresses).is_some()
    {
        told.is_raw = false;
    }
}

/// The addresses of both hosts, as far as this switch knows them.
fn hosts_addresses(told: &Told, snapshot: &Snapshot) -> Option<[u32; 3]> {
    let flow = told.flow?;
    let mac = |address: IpAddr| Some(snapshot.hosts.get(&address)?.mac.octets());
    let ([a, b, c, d, e, f], [g, h, i, j, k, l]) = (mac(flow.destination.ip())?, mac(flow.source.ip())?);
    Some([[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_be_bytes))
}

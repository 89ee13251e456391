//! Which connection a segment belongs to.
//!
//! A TCP connection is known by its four addresses and ports, until another SYN opens a new one there; the
//! first MP_CAPABLE on it makes it a connection's initial subflow. An MP_JOIN belongs to the connection of
//! its token. A token is unique at the host that owns it only, so where several own it the join's addresses
//! decide, and if they do not, nothing does.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use smoc_common::{token::Version, wire::tcp};

use super::{option::MptcpOption, segment::Segment};

/// A TCP connection that takes or took part in MPTCP, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubflowId(usize);

/// All that the capture has shown so far.
#[derive(Debug, Default)]
pub struct Connections {
    connections: Vec<Connection>,
    subflows: Vec<Subflow>,
    /// The latest subflow between two endpoints, the lesser first; a miss means no MPTCP there.
    latest: HashMap<[SocketAddr; 2], SubflowId>,
    /// Who owns a token; a miss means that the capture has not shown its key.
    owners: HashMap<u32, Vec<Owner>>,
}

#[derive(Debug)]
struct Connection {
    /// The initiator, then the responder.
    hosts: [Host; 2],
    /// The version of the SYN/ACK, or of the third ACK if that came first.
    version: Option<Version>,
    open_subflows: usize,
}

#[derive(Debug)]
struct Host {
    /// Where it has been seen or announced itself; the address of the initial subflow first.
    addresses: Vec<IpAddr>,
    port: u16,
    token: Option<u32>,
}

#[derive(Debug)]
struct Subflow {
    /// Who sent the SYN.
    opener: SocketAddr,
    responder: SocketAddr,
    /// The SYN's sequence number.
    sequence: u32,
    opening: Opening,
    /// Unknown for a join while its token is.
    place: Option<Place>,
    is_closed: bool,
}

/// How a subflow came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    /// With MP_CAPABLE; the token of the key in a SYN of version 0.
    Initial(Option<u32>),
    /// With MP_JOIN and this token.
    Joined(u32),
}

/// A subflow's connection, and which of its hosts opened the subflow.
#[derive(Clone, Copy, Debug)]
struct Place {
    connection: usize,
    opener: usize,
}

/// The host that a token belongs to.
#[derive(Clone, Copy, Debug)]
struct Owner {
    connection: usize,
    host: usize,
}

const INITIATOR: usize = 0;
const RESPONDER: usize = 1;

impl Connections {
    /// Takes in a segment, in the order of the capture; its subflow, if it belongs to MPTCP.
    pub fn see(&mut self, segment: &Segment) -> Option<SubflowId> {
        let id = self.subflow_of(segment)?;
        for option in &segment.options {
            self.learn(id, segment, option);
        }
        if segment.tcp.flags & (tcp::FIN | tcp::RST) != 0 {
            self.close(id);
        }
        Some(id)
    }

    /// Joins that the file has before their connection's keys find them now.
    pub fn finish(mut self) -> Self {
        for id in 0..self.subflows.len() {
            self.join(SubflowId(id));
        }
        self
    }

    /// The connection of a subflow, from 0 in the order of their first MP_CAPABLE.
    pub fn of(&self, SubflowId(id): SubflowId) -> Option<usize> {
        Some(self.subflows[id].place?.connection)
    }

    /// The version of a connection, if the capture has shown it.
    pub fn version(&self, connection: usize) -> Option<Version> {
        self.connections.get(connection)?.version
    }

    /// How many connections there are.
    pub fn count(&self) -> usize {
        self.connections.len()
    }

    fn subflow_of(&mut self, segment: &Segment) -> Option<SubflowId> {
        let mut ends = [segment.source, segment.destination];
        ends.sort();
        let opening = Opening::of(segment);
        let latest = self.latest.get(&ends).copied();
        let is_over = segment.is_syn()
            && latest.is_some_and(|SubflowId(id)| !self.subflows[id].is_repeated_by(segment, opening));
        match latest {
            Some(id) if !is_over => return Some(id),
            Some(_) => _ = self.latest.remove(&ends),
            None => {}
        }
        let id = self.open(segment, opening?);
        self.latest.insert(ends, id);
        Some(id)
    }

    fn open(&mut self, segment: &Segment, opening: Opening) -> SubflowId {
        let tcp = &segment.tcp;
        let (opener, responder, sequence) = if segment.is_syn() {
            (segment.source, segment.destination, tcp.sequence)
        } else if segment.is_syn_ack() {
            (segment.destination, segment.source, tcp.acknowledgment.wrapping_sub(1))
        } else {
            (segment.source, segment.destination, tcp.sequence.wrapping_sub(1))
        };
        let place = matches!(opening, Opening::Initial(_)).then(|| {
            self.connections.push(Connection {
                hosts: [Host::new(opener), Host::new(responder)],
                version: None,
                open_subflows: 1,
            });
            Place { connection: self.connections.len() - 1, opener: INITIATOR }
        });
        self.subflows.push(Subflow { opener, responder, sequence, opening, place, is_closed: false });
        let id = SubflowId(self.subflows.len() - 1);
        self.join(id);
        id
    }

    /// Finds the connection of a joined subflow that has none yet.
    fn join(&mut self, SubflowId(id): SubflowId) {
        let subflow = &self.subflows[id];
        let (Opening::Joined(token), None) = (subflow.opening, subflow.place) else { return };
        let (opener, responder) = (subflow.opener, subflow.responder);
        let Some(owner) = self.owner_of(token, opener, responder) else { return };
        let connection = &mut self.connections[owner.connection];
        connection.hosts[owner.host].add(responder.ip());
        connection.hosts[1 - owner.host].add(opener.ip());
        connection.open_subflows += usize::from(!subflow.is_closed);
        self.subflows[id].place = Some(Place { connection: owner.connection, opener: 1 - owner.host });
    }

    /// The owner of `token` that `joiner` means. Each rule prefers some of the owners and is skipped if it
    /// would leave none; owners of different hosts that remain after all are too many.
    fn owner_of(&self, token: u32, joiner: SocketAddr, target: SocketAddr) -> Option<Owner> {
        let mut owners = self.owners.get(&token)?.clone();
        let host = |owner: &Owner| &self.connections[owner.connection].hosts[owner.host];
        let peer = |owner: &Owner| &self.connections[owner.connection].hosts[1 - owner.host];
        prefer(&mut owners, |owner| host(owner).has(target.ip()));
        prefer(&mut owners, |owner| self.connections[owner.connection].open_subflows > 0);
        prefer(&mut owners, |owner| peer(owner).has(joiner.ip()));
        prefer(&mut owners, |owner| !host(owner).has(joiner.ip()));
        prefer(&mut owners, |owner| host(owner).port == target.port());
        let latest = *owners.last()?;
        let is_one_host = owners.iter().all(|owner| host(owner).addresses[0] == host(&latest).addresses[0]);
        is_one_host.then_some(latest)
    }

    fn learn(&mut self, SubflowId(id): SubflowId, segment: &Segment, option: &MptcpOption) {
        let subflow = &self.subflows[id];
        let Some(place) = subflow.place else { return };
        let is_opener = segment.source == subflow.opener;
        let sender = if is_opener { place.opener } else { 1 - place.opener };
        let connection = &mut self.connections[place.connection];
        match *option {
            MptcpOption::AddAddress { address, is_echo: false, .. } => connection.hosts[sender].add(address),
            MptcpOption::FastClose { .. } => connection.open_subflows = 0,
            MptcpOption::Capable { version, sender_token, receiver_token, .. } => {
                let Opening::Initial(syn_token) = subflow.opening else { return };
                let [initiator, responder] = match (segment.is_syn(), segment.is_syn_ack(), is_opener) {
                    (_, true, false) if version == Version::V0 => [syn_token, sender_token],
                    (_, true, false) => [None, sender_token],
                    (false, false, true) => [sender_token, receiver_token],
                    _ => return,
                };
                if connection.agrees(version, [initiator, responder]) {
                    connection.version = Some(version);
                    self.bind(place.connection, INITIATOR, initiator);
                    self.bind(place.connection, RESPONDER, responder);
                }
            }
            _ => {}
        }
    }

    fn bind(&mut self, connection: usize, host: usize, token: Option<u32>) {
        let known = &mut self.connections[connection].hosts[host].token;
        if let (None, Some(token)) = (*known, token) {
            *known = Some(token);
            self.owners.entry(token).or_default().push(Owner { connection, host });
        }
    }

    fn close(&mut self, SubflowId(id): SubflowId) {
        let subflow = &mut self.subflows[id];
        if let (Some(place), false) = (subflow.place, subflow.is_closed) {
            let open = &mut self.connections[place.connection].open_subflows;
            *open = open.saturating_sub(1);
        }
        subflow.is_closed = true;
    }
}

/// Keeps the owners that `is_better` picks, if it picks any.
fn prefer(owners: &mut Vec<Owner>, is_better: impl Fn(&Owner) -> bool) {
    if owners.iter().any(&is_better) {
        owners.retain(is_better);
    }
}

impl Connection {
    /// Whether a handshake segment repeats what earlier ones said; one that does not is no part of it.
    fn agrees(&self, version: Version, tokens: [Option<u32>; 2]) -> bool {
        let same = |(host, token): (&Host, Option<u32>)| match (host.token, token) {
            (Some(known), Some(token)) => known == token,
            _ => true,
        };
        self.version.is_none_or(|known| known == version) && self.hosts.iter().zip(tokens).all(same)
    }
}

impl Host {
    fn new(endpoint: SocketAddr) -> Self {
        Self { addresses: vec![endpoint.ip()], port: endpoint.port(), token: None }
    }

    fn has(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address)
    }

    fn add(&mut self, address: IpAddr) {
        if !self.has(address) {
            self.addresses.push(address);
        }
    }
}

impl Subflow {
    /// Whether a SYN between the same endpoints is one of this subflow again: the same sequence number, and
    /// the same MPTCP option or none (hosts that get no answer leave it out at last).
    fn is_repeated_by(&self, syn: &Segment, opening: Option<Opening>) -> bool {
        let is_same = match (self.opening, opening) {
            (_, None) | (Opening::Initial(None), Some(Opening::Initial(_))) => true,
            (Opening::Initial(_), Some(Opening::Initial(None))) => true,
            (known, Some(opening)) => known == opening,
        };
        is_same && !self.is_closed && syn.source == self.opener && syn.tcp.sequence == self.sequence
    }
}

impl Opening {
    /// What the first handshake option of a segment opens, if no subflow is known there.
    fn of(segment: &Segment) -> Option<Self> {
        segment.options.iter().find_map(|option| match *option {
            MptcpOption::Capable { sender_token, .. } => {
                Some(Self::Initial(sender_token.filter(|_| segment.is_syn())))
            }
            MptcpOption::Join { token, .. } => token.map(Self::Joined),
            _ => None,
        })
    }
}

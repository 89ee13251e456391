//! Two edges, four disjoint paths between them, and everything that hosts may send over them.

extern crate std;

use std::vec::Vec;

use super::Verdict;
use crate::{
    event::{Action, Note, Outcome},
    map::{Attachment, Flow, FlowKey, Path, PathSet, Port, Settings},
    route::{PortNumber, Route},
    testing::{
        Switch,
        frames::{Build, End, capable, join, join_answer},
        scene::*,
    },
    token::{Version, derive},
    wire::{
        ethernet::MacAddress,
        tcp::{ACK, SYN},
    },
};

mod acceptance;
mod agreement;
mod base_network;
mod border;
mod connections;
mod endings;
mod failures;
mod handshake_times;
mod hashing;
mod joins;
mod other_traffic;
mod places;
mod prefixes;
mod presence;
mod probes;
mod properties;
mod races;
mod routing;
mod strangers;
mod trouble;

/// A frame that reached a host.
#[derive(Debug, PartialEq, Eq)]
struct Arrived {
    /// The path that it came on.
    rank: u8,
    /// The host port.
    port: u16,
    frame: Vec<u8>,
    /// How the ingress edge was done with it.
    outcome: Outcome,
}

/// The two edges and the transit switches of the four paths.
struct Network {
    edges: [Switch; 2],
    transits: Vec<Switch>,
}

impl Network {
    fn new() -> Self {
        Self { edges: [edge(0), edge(1)], transits: (0..PATHS).map(|_| transit()).collect() }
    }

    /// The edge of a host, or of the one that routes to it.
    fn edge_of(host: End) -> usize {
        let of = |is_it: &dyn Fn(&End) -> bool| PLACES.iter().find(|(end, ..)| is_it(end));
        let place = of(&|end| end.address == host.address).or_else(|| of(&|end| end.mac == host.mac));
        place.map(|&(_, edge, _)| edge).unwrap()
    }

    /// Sends a frame from a host; where and how it arrives, or why it is dropped or left to the kernel of the first edge.
    fn send(&mut self, from: End, frame: &[u8]) -> Result<Arrived, Outcome> {
        let ingress = Self::edge_of(from);
        let mut frame = frame.to_vec();
        let before = frame.clone();
        let Verdict { outcome, port } = self.edges[ingress].from_host(&mut frame);
        if outcome.action() != Action::Redirect {
            assert_eq!(frame, before, "a frame that stays is untouched");
            return Err(outcome);
        }
        let rank = port - 1;
        let onward = self.transits[usize::from(rank)].from_fabric(&mut frame);
        let out = if ingress == 0 { 2 } else { 1 };
        assert_eq!(onward, Verdict { outcome: Outcome::Transit, port: out });
        let last = self.edges[1 - ingress].from_fabric(&mut frame);
        assert_eq!(last.outcome, Outcome::Delivered);
        Ok(Arrived { rank: rank as u8, port: last.port, frame, outcome })
    }

    /// The rank on which a frame arrives, byte for byte as it was sent.
    fn rank_of(&mut self, from: End, frame: &[u8]) -> u8 {
        let arrived = self.send(from, frame).unwrap();
        assert_eq!(arrived.frame, frame, "delivered as it was sent");
        arrived.rank
    }

    /// A counter at one edge.
    fn noted(&self, edge: usize, note: Note) -> u64 {
        self.edges[edge].count_of(note.counter())
    }

    /// The established subflow at the edge of `local`.
    fn flow(&self, local: End, remote: End) -> Option<Flow> {
        self.edges[Self::edge_of(local)].flows.entries.get(&key(local, remote)).copied()
    }

    /// Opens a connection with these keys: SYN, SYN/ACK and third ACK.
    fn connect(&mut self, version: Version, [client, server]: [End; 2], keys: [u64; 2]) {
        for (from, frame) in handshake(version, [client, server], keys) {
            assert_eq!(self.rank_of(from, &frame), 0, "the initial subflow rides the best path");
        }
    }

    /// Adds a subflow; its rank, the same for each of SYN, SYN/ACK and third ACK.
    fn join(&mut self, from: End, to: End, token: u32) -> u8 {
        let ranks = join_handshake(from, to, token).map(|(from, frame)| self.rank_of(from, &frame));
        assert_eq!(ranks, [ranks[0]; 3]);
        ranks[0]
    }
}

fn key(local: End, remote: End) -> FlowKey {
    FlowKey::new(local.address, local.port, remote.address, remote.port)
}

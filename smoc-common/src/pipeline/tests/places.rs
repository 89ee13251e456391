//! Hosts are no places: several ports, moves, and tokens wherever a join goes.

use super::{races::Interrupted, *};
use crate::{
    map::{Host, Settings},
    pipeline,
    wire::Bytes,
};

const KEYS: [u64; 2] = [0x22fc_33ed_9d78_b9e7, 0x0123_4567_89ab_cdef];
/// Two keys with one token.
const COLLIDING: [u64; 2] = [0x0783_91f4_0003_7afb, 0xc32c_07bf_bf9e_6099];

fn server() -> u32 {
    derive(Version::V1, KEYS[1])
}

/// Attaches a host to this port of its edge, in the eyes of both.
fn attach(network: &mut Network, host: End, port: u16) {
    let home = Network::edge_of(host);
    for (this, edge) in network.edges.iter_mut().enumerate() {
        let attachment = Attachment { edge: u16::from(this != home), port };
        edge.hosts.get_mut(&host.address).unwrap().attachment = attachment;
    }
}

fn unknown(network: &Network) -> [u64; 2] {
    [0, 1].map(|edge| network.noted(edge, Note::JoinUnknownToken))
}

#[test]
fn join_to_the_servers_second_port_is_bound() {
    let mut network = Network::new();
    attach(&mut network, B_OTHER, SECOND);
    network.connect(Version::V1, [A, B], KEYS);
    assert_eq!(network.join(A.at(3), B_OTHER, server()), 1);
    assert_eq!(unknown(&network), [0, 0]);
}

#[test]
fn join_from_the_clients_second_port_is_bound_in_either_direction() {
    let mut network = Network::new();
    attach(&mut network, A_OTHER, SECOND);
    network.connect(Version::V1, [A, B], KEYS);
    assert_eq!(network.join(A_OTHER, B, server()), 1);
    assert_eq!(network.join(B.at(90), A_OTHER.at(91), derive(Version::V1, KEYS[0])), 2);
    assert_eq!(unknown(&network), [0, 0]);
}

#[test]
fn joins_of_a_host_that_moved_are_bound() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    [B, B_OTHER].into_iter().for_each(|host| attach(&mut network, host, SECOND));
    network.edges.iter_mut().for_each(|edge| edge.settings.as_mut().unwrap().epoch += 1);
    assert_eq!(network.join(A_OTHER, B, server()), 1);
    assert_eq!(unknown(&network), [0, 0]);
}

#[test]
fn equal_tokens_are_told_apart_by_where_their_hosts_are_after_a_move() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], [1, COLLIDING[0]]);
    network.connect(Version::V1, [A.at(2), C], [2, COLLIDING[1]]);
    attach(&mut network, B, SECOND);
    attach(&mut network, C, FIRST);
    network.edges.iter_mut().for_each(|edge| edge.settings.as_mut().unwrap().epoch += 1);
    for (from, to) in [(A, B), (A.at(2), C)] {
        network.rank_of(A, &Build::tcp(from, to).numbers(1_001, 0).payload(b"data").frame());
    }
    let token = derive(Version::V1, COLLIDING[0]);
    for (port, server, initial) in [(3, B, A), (4, C, A.at(2))] {
        network.join(A.at(port), server, token);
        let [join, first] = [network.flow(A.at(port), server), network.flow(initial, server)];
        assert_eq!(join.unwrap().connection, first.unwrap().connection);
    }
}

#[test]
fn equal_tokens_are_ambiguous_where_their_hosts_are_not() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], [1, COLLIDING[0]]);
    network.connect(Version::V1, [A.at(2), C], [2, COLLIDING[1]]);
    attach(&mut network, B_OTHER, 8);
    network.edges[1].ports.insert(8, Port { role: Port::HOST, ..network.edges[1].ports[&FIRST] });
    network.join(A.at(3), B_OTHER, derive(Version::V1, COLLIDING[0]));
    assert_eq!(network.noted(0, Note::JoinAmbiguousToken), 1);
}

#[test]
fn third_connection_with_a_token_makes_it_crowded_until_it_is_alone() {
    let mut network = Network::new();
    let token = derive(Version::V1, COLLIDING[0]);
    let ends = [(A, B, 0), (A.at(2), C, 1), (A.at(5), B.at(81), 1)];
    for (client, server, key) in ends {
        network.connect(Version::V1, [client, server], [key as u64 + 1, COLLIDING[key]]);
    }
    network.join(A.at(6), C, token);
    assert_eq!(network.noted(0, Note::JoinAmbiguousToken), 1, "though only one of them is there");
    network.edges.iter_mut().for_each(|edge| edge.connections.entries.clear());
    network.connect(Version::V1, [A.at(7), C], [9, COLLIDING[0]]);
    assert_eq!(network.join(A.at(8), C, token), 1);
}

#[test]
fn subflow_does_not_keep_an_old_place_under_a_new_epoch() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    // An earlier move has raised the epoch, so the next frame looks its hosts up.
    network.edges[0].settings.as_mut().unwrap().epoch = 2;
    let old = network.edges[0].hosts[&B.address];
    let moved = Host { attachment: Attachment { edge: 7, port: 3 }, ..old };
    let epoch = Settings { epoch: 3, ..network.edges[0].settings.unwrap() };
    network.edges[0].hosts.insert(B.address, moved);
    // The agent moves the host and raises the epoch again just behind both lookups.
    let mut tables = Interrupted::new(&mut network.edges[0]).after_hosts(2, (B.address, old), epoch);
    let mut frame = Build::tcp(A, B).numbers(1_001, 0).payload(b"d").frame();
    let mut frame = Bytes(&mut frame);
    assert!(pipeline::from_host(&mut frame, &mut tables).is_none());
    pipeline::choose(&mut frame, &mut tables);
    let flow = network.flow(A, B).unwrap();
    assert!(flow.epoch != 3 || flow.remote == moved.attachment, "{flow:?}");
}

#[test]
fn both_directions_keep_the_rank_of_the_path_that_answered() {
    let mut network = Network::new();
    let [(_, syn), (_, answer), (_, ack)] = handshake(Version::V1, [A, B], KEYS);
    // A SYN on rank 0 is held up in a queue; its repetition overtakes it on rank 1.
    for arrives in [1, 2] {
        let mut network = Network::new();
        let mut late = syn.clone();
        network.edges[0].from_host(&mut late);
        network.edges[0].clock += 1_000_000_000;
        network.rank_of(A, &syn);
        for (step, (from, frame)) in [(B, &answer), (A, &ack)].into_iter().enumerate() {
            if step + 1 == arrives {
                network.transits[0].from_fabric(&mut late);
                network.edges[1].from_fabric(&mut late);
            }
            network.send(from, frame).unwrap();
        }
        let ranks = [network.flow(A, B).unwrap().rank, network.flow(B, A).unwrap().rank];
        assert_eq!(ranks, [1; 2], "late before step {arrives}");
    }
    network.rank_of(A, &syn);
}

/// A connection that only the responder's edge knows, and a join to it from an edge that has not seen it.
fn unseen() -> Network {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    network.edges[0].connections.entries.clear();
    network.edges[0].tokens.entries.clear();
    for connection in network.edges[1].connections.entries.values_mut() {
        connection.remote.edge = 7;
    }
    network
}

#[test]
fn join_at_an_edge_that_has_not_seen_its_connection_takes_the_rank_that_the_other_edge_gives_it() {
    for port in 1..20 {
        let mut network = unseen();
        for (from, frame) in join_handshake(A.at(port), B, server()) {
            network.send(from, &frame).unwrap();
        }
        let [near, far] = [network.flow(A.at(port), B), network.flow(B, A.at(port))].map(Option::unwrap);
        assert_eq!((near.rank, far.rank), (1, 1), "port {port}");
        assert!(near.flags & Flow::HASHED != 0 && far.flags & Flow::HASHED == 0);
    }
}

#[test]
fn subflow_that_its_initiators_edge_moves_is_moved_in_both_directions() {
    let mut network = unseen();
    for (from, frame) in join_handshake(A.at(3), B, server()) {
        network.send(from, &frame).unwrap();
    }
    let data = |from, to| Build::tcp(from, to).numbers(1_001, 0).payload(b"data").frame();
    for rank in [3, 0, 2] {
        network.edges[0].flows.entries.get_mut(&key(A.at(3), B)).unwrap().rank = rank;
        assert_eq!(network.rank_of(A, &data(A.at(3), B)), rank);
        assert_eq!(network.rank_of(B, &data(B, A.at(3))), rank);
    }
    network.edges[1].flows.entries.get_mut(&key(B, A.at(3))).unwrap().rank = 1;
    network.rank_of(B, &data(B, A.at(3)));
    assert_eq!(network.flow(A.at(3), B).unwrap().rank, 2, "the initiator's edge follows nobody");
}

#[test]
fn subflow_follows_no_frame_that_has_only_left_its_path_for_now() {
    let mut network = unseen();
    for (from, frame) in join_handshake(A.at(3), B, server()) {
        network.send(from, &frame).unwrap();
    }
    let rank = network.flow(B, A.at(3)).unwrap().rank;
    network.edges[0].down.insert(u16::from(rank) + 1);
    let data = Build::tcp(A.at(3), B).numbers(1_001, 0).payload(b"data").frame();
    assert_ne!(network.rank_of(A, &data), rank, "another path for now");
    assert_eq!(network.flow(B, A.at(3)).unwrap().rank, rank);
}

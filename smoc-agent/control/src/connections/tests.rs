use std::path::Path;

use smoc_common::map::{Attachment, Connection, Flow, FlowKey, HalfOpen, TokenBinding, TokenKey, Traffic};

use super::sweep::{ALONE_FOR, CLOSED_FOR};
use super::*;
use crate::{
    clock::Nanos,
    dataplane::{Correction, Joins, KernelTables},
    hosts::map_address,
    plan::{EdgeNames, PathBook, Policies},
};
use smoc_paths::{
    search::PathOptions,
    topology::{SwitchId, Topology, TopologyFile},
};

const SECOND: u64 = 1_000_000_000;
const REMOTE: Attachment = Attachment { edge: 1, port: 9 };
const LOCAL: Attachment = Attachment { edge: 0, port: 9 };
/// Far more than any table of these tests has.
const ROOM: [(&str, u32); 4] = [("FLOWS_V4", 100), ("FLOWS", 100), ("CONNECTIONS", 100), ("TOKENS", 200)];

fn key(port: u16) -> FlowKey {
    let [local, remote] = ["10.0.0.1", "10.0.0.2"].map(|text| map_address(text.parse().unwrap()));
    FlowKey::new(local, port, remote, 80)
}

fn flow(connection: u64, flags: u8, rank: u8) -> Flow {
    Flow { connection, flags, rank, remote: REMOTE, opened: SECOND, ..Flow::default() }
}

fn connection(local_token: u32, remote_token: u32) -> Connection {
    Connection {
        initial: key(1000),
        opened: 2 * SECOND,
        local_token,
        remote_token,
        local: LOCAL,
        remote: REMOTE,
        version: 1,
        local_opened: 1,
        ..Connection::default()
    }
}

fn topology() -> Topology {
    let text =
        "links: [{a: \"e1:1\", b: \"m1:1\"}, {a: \"m1:2\", b: \"e2:1\"}, {a: \"e1:2\", b: \"e2:2\"}]\n";
    TopologyFile::parse(Path::new("t.yaml"), text).unwrap().topology
}

fn reports(tables: &KernelTables) -> Vec<ConnectionReport> {
    let topology = topology();
    let mut names = EdgeNames::found(&Default::default(), "e1");
    names.index("e2", 0);
    let mut book = PathBook::new(SwitchId(0), PathOptions::default());
    book.extend(&topology, &[SwitchId(1)].into()).unwrap();
    report(
        tables,
        Names { topology: &topology, names: &names, book: &book, policies: &Policies::default() },
        Nanos(5 * SECOND),
    )
}

#[test]
fn a_connection_is_shown_with_its_subflows_and_paths() {
    let join = Flow {
        token: 0xabcd,
        address_id: 3,
        sent: Traffic { packets: 7, bytes: 700 },
        opened: 3 * SECOND,
        ..flow(4, Flow::JOIN | Flow::BACKUP | Flow::LOCAL_OPENED, 1)
    };
    let tables = KernelTables {
        flows: vec![(key(1001), join), (key(1000), flow(4, Flow::LOCAL_OPENED, 0))],
        connections: vec![(4, connection(0x11, 0xabcd))],
        ..KernelTables::default()
    };
    let reports = reports(&tables);
    let [connection] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((connection.id, connection.version, connection.age_seconds), (Some(4), Some(1), Some(3.0)));
    assert_eq!(connection.initiator_token.as_deref(), Some("00000011"));
    assert_eq!(connection.responder_token.as_deref(), Some("0000abcd"));
    assert_eq!(connection.remote, Some(Where { switch: "e2".into(), port: 9 }));
    let [first, second] = &connection.subflows[..] else { panic!("{connection:?}") };
    assert!(first.initial && first.token.is_none());
    assert_eq!((first.rank, &first.switches[..]), (0, &["e1".to_owned(), "e2".to_owned()][..]));
    assert_eq!(first.links, ["e1:2-e2:2"]);
    assert!(!second.initial && second.backup && second.opened_by == "local");
    assert_eq!((second.address_id, second.token.as_deref()), (3, Some("0000abcd")));
    assert_eq!(second.switches, ["e1", "m1", "e2"]);
    assert_eq!((second.packets_sent, second.bytes_sent, second.age_seconds), (7, 700, 2.0));
}

#[test]
fn half_open_and_orphaned_subflows_have_a_group_of_their_own() {
    let tables = KernelTables {
        flows: vec![(key(1), flow(0, Flow::JOIN | Flow::HASHED, 5)), (key(2), flow(99, Flow::JOIN, 0))],
        half_open: vec![
            (key(3), HalfOpen { flow: flow(4, Flow::JOIN, 0), ..HalfOpen::default() }),
            (key(4), HalfOpen { flow: flow(0, 0, 0), ..HalfOpen::default() }),
            (key(1), HalfOpen { flow: flow(0, 0, 0), ..HalfOpen::default() }),
        ],
        connections: vec![(4, connection(1, 2))],
        ..KernelTables::default()
    };
    let reports = reports(&tables);
    let [known, unknown] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((known.id, known.subflows.len(), known.subflows[0].state.as_str()), (Some(4), 1, "handshake"));
    let mut ports: Vec<_> = unknown.subflows.iter().map(|s| (s.local.port, s.state.as_str())).collect();
    ports.sort_unstable();
    assert_eq!(
        (unknown.id, &ports[..]),
        (None, &[(1, "established"), (2, "established"), (4, "handshake")][..])
    );
    let hashed = unknown.subflows.iter().find(|subflow| subflow.hashed).unwrap();
    assert!(hashed.switches.is_empty(), "rank 5 leads nowhere");
}

#[test]
fn states_follow_fins_and_resets() {
    let state = |closing| subflow_state(&Flow { closing, ..Flow::default() });
    assert_eq!(state(0), "established");
    assert_eq!(state(Flow::FIN_SENT), "closing");
    assert_eq!(state(Flow::FIN_SENT | Flow::FIN_RECEIVED), "closed");
    assert_eq!(state(Flow::RESET | Flow::FIN_SENT), "reset");
}

#[test]
fn a_closed_subflow_goes_after_a_while_unless_its_ports_are_used_again() {
    let closed = Flow { closing: Flow::RESET, ..flow(1, 0, 0) };
    let mut tables = KernelTables { flows: vec![(key(1), closed)], ..KernelTables::default() };
    let mut sweep = Sweep::default();
    assert_eq!(sweep.look(&tables, &ROOM, Nanos(0)), []);
    let reused = sweep.clone();
    assert_eq!(
        sweep.look(&tables, &ROOM, Nanos(0) + CLOSED_FOR),
        [Correction::RemoveFlow(key(1), closed.opened)]
    );
    tables.flows[0].1.opened += 1;
    assert_eq!(reused.clone().look(&tables, &ROOM, Nanos(0) + CLOSED_FOR), [], "another subflow");
    tables.flows[0].1.closing = 0;
    assert_eq!(reused.clone().look(&tables, &ROOM, Nanos(0) + CLOSED_FOR), [], "not closed");
}

#[test]
fn a_subflow_that_goes_on_behind_each_forged_rst_never_goes() {
    let mut tables = KernelTables::default();
    let mut sweep = Sweep::default();
    for look in 0..100 {
        let flow = Flow { closing: Flow::RESET, sent_sequence: look, ..flow(1, 0, 0) };
        tables.flows = vec![(key(1), flow)];
        assert_eq!(sweep.look(&tables, &ROOM, Nanos(u64::from(look) * SECOND)), [], "look {look}");
    }
}

/// Subflows of ports 1 to 4 and their connections: the last one lives and is silent.
fn three_are_over() -> KernelTables {
    let closed = [Flow::RESET, Flow::FIN_SENT | Flow::FIN_RECEIVED, Flow::RESET, 0];
    let connections: Vec<_> = (1..=4).map(|id| (id.into(), connection(id, 0x80 + id))).collect();
    let mut tables = bound(&connections);
    tables.flows =
        (1..=4).zip(closed).map(|(n, closing)| (key(n), Flow { closing, ..flow(n.into(), 0, 0) })).collect();
    tables
}

#[test]
fn what_is_over_leaves_a_full_table_before_what_lives() {
    let tables = three_are_over();
    let flows = |corrections: &[Correction]| {
        corrections.iter().filter(|it| matches!(it, Correction::RemoveFlow(..))).count()
    };
    let connections = |corrections: &[Correction]| {
        let mut gone: Vec<u64> = corrections
            .iter()
            .filter_map(|it| if let Correction::RemoveConnection(id) = it { Some(*id) } else { None })
            .collect();
        gone.sort_unstable();
        gone
    };
    let soon = Nanos(5 * SECOND);
    for (room, gone_flows, gone_connections) in [
        ([("FLOWS_V4", 100), ("CONNECTIONS", 100), ("TOKENS", 200)], 0, &[][..]),
        ([("FLOWS_V4", 5), ("CONNECTIONS", 100), ("TOKENS", 200)], 3, &[]),
        ([("FLOWS_V4", 100), ("CONNECTIONS", 5), ("TOKENS", 200)], 0, &[1, 2, 3]),
        ([("FLOWS_V4", 100), ("CONNECTIONS", 100), ("TOKENS", 10)], 0, &[1, 2, 3]),
    ] {
        let mut sweep = Sweep::default();
        assert_eq!(sweep.look(&tables, &room, Nanos(0)), [], "once may be a mistake: {room:?}");
        let corrections = sweep.look(&tables, &room, soon);
        assert_eq!(
            (flows(&corrections), &connections(&corrections)[..]),
            (gone_flows, gone_connections),
            "{room:?}"
        );
        let tokens = corrections.iter().filter(|it| matches!(it, Correction::RemoveToken(..))).count();
        assert_eq!(tokens, 2 * gone_connections.len(), "{room:?}");
    }
}

#[test]
fn numbers_of_joins_are_counted_anew_after_what_nobody_saw() {
    let stated = Connection { joined: 8, confirmed: 8, ..connection(0x11, 0x22) };
    let right = Connection { joined: 2, confirmed: 1, ..stated };
    let join = |closing| Flow { closing, ..flow(4, Flow::JOIN, 1) };
    let mut tables = KernelTables {
        flows: vec![
            (key(1000), flow(4, 0, 0)),
            (key(1001), join(0)),
            (key(1002), join(Flow::UNCONFIRMED)),
            (key(1003), join(Flow::RESET)),
            (key(1004), flow(5, Flow::JOIN, 1)),
        ],
        connections: vec![(4, stated)],
        ..KernelTables::default()
    };
    let mut sweep = Sweep::default();
    assert_eq!(sweep.look(&tables, &ROOM, Nanos(0)), [], "the kernel may just be about to change it");
    let recount = Correction::Recount(4, Joins { joined: 2, confirmed: 1 });
    assert_eq!(sweep.look(&tables, &ROOM, Nanos(5)), [recount]);
    tables.connections[0].1.joined = 7;
    assert_eq!(sweep.look(&tables, &ROOM, Nanos(10)), [], "it is another number now");
    tables.connections[0].1 = right;
    assert_eq!(sweep.look(&tables, &ROOM, Nanos(15)), []);
}

fn bound(connections: &[(u64, Connection)]) -> KernelTables {
    let mut tables = KernelTables { connections: connections.to_vec(), ..KernelTables::default() };
    for (id, connection) in connections {
        for token in [connection.local_token, connection.remote_token] {
            let key = TokenKey { token };
            match tables.tokens.iter_mut().find(|(known, _)| *known == key) {
                Some((_, binding)) => binding.connections[1] = *id,
                None => {
                    let connections = [*id, 0];
                    tables.tokens.push((key, TokenBinding { connections, ..TokenBinding::default() }));
                }
            }
        }
    }
    tables
}

#[test]
fn a_connection_without_subflows_goes_with_its_tokens() {
    let mut tables = bound(&[(4, connection(0x11, 0x22))]);
    let mut sweep = Sweep::default();
    tables.flows.push((key(1), flow(4, 0, 0)));
    assert_eq!(sweep.look(&tables, &ROOM, Nanos(0)), []);
    tables.flows.clear();
    assert_eq!(sweep.look(&tables, &ROOM, Nanos(9)), []);
    let corrections = sweep.look(&tables, &ROOM, Nanos(9) + ALONE_FOR);
    let token = |(key, binding): &(TokenKey, TokenBinding)| Correction::RemoveToken(*key, *binding);
    let [first, second] = &tables.tokens[..] else { panic!("{:?}", tables.tokens) };
    assert_eq!(corrections, [token(first), token(second), Correction::RemoveConnection(4)]);
}

#[test]
fn a_token_that_two_claimed_means_the_one_that_stays() {
    let mut tables = bound(&[(4, connection(0x11, 0x22)), (5, connection(0x33, 0x22))]);
    tables.flows.push((key(1), flow(5, 0, 0)));
    let mut sweep = Sweep::default();
    sweep.look(&tables, &ROOM, Nanos(0));
    let corrections = sweep.look(&tables, &ROOM, Nanos(0) + ALONE_FOR);
    let key = TokenKey { token: 0x22 };
    let before = tables.tokens.iter().find(|(of, _)| *of == key).unwrap().1;
    let rebound =
        Correction::Rebind(key, before, TokenBinding { connections: [5, 0], ..TokenBinding::default() });
    assert!(corrections.contains(&rebound), "{corrections:?}");
    assert!(!corrections.contains(&Correction::RemoveConnection(5)));
}

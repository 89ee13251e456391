//! Two edge switches with hosts, four disjoint paths between them, and the handshakes of the hosts.

use alloc::vec::Vec;

use crate::{
    frames::{Build, End, capable, join, join_answer},
    map::{Attachment, Host, LAYOUT_MAGIC, LAYOUT_VERSION, Path, PathSet, Port, Settings},
    memory::Switch,
    route::{PortNumber, Route},
    token::Version,
    wire::{
        ethernet::MacAddress,
        ip::Address,
        tcp::{ACK, SYN},
    },
};

/// How many paths there are: rank k leaves an edge through port k + 1 and passes one transit switch.
pub const PATHS: u16 = 4;
/// The first port with a host.
pub const FIRST: u16 = 9;
/// The second of them.
pub const SECOND: u16 = 10;
/// Bits in a port number of an edge or transit switch.
pub const WIDTH: u8 = 4;
/// What both edges' ports answer to as routers.
pub const ROUTERS: [MacAddress; 2] = [mac(0xe1), mac(0xe2)];

/// An address of the scene.
pub const fn mac(last: u8) -> MacAddress {
    MacAddress::new([0x06, 0, 0, 0, 0, last])
}

/// 10.0.0.`last`.
pub const fn v4(last: u8) -> Address {
    Address::from_v4([10, 0, 0, last])
}

/// fd00::`last`.
pub const fn v6(last: u8) -> Address {
    Address::new([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last])
}

/// A host: `last` is that of its MAC address.
pub const fn end(last: u8, address: Address, port: u16) -> End {
    End { mac: mac(last), address, port }
}

/// The client at the first port of the first edge, under its first address.
pub const A: End = end(1, v4(1), 40_000);
/// The client's second address.
pub const A_OTHER: End = end(1, v4(11), 40_001);
/// The client's IPv6 address.
pub const A_V6: End = end(1, v6(1), 40_002);
/// Its neighbour at the same edge.
pub const NEIGHBOUR: End = end(5, v4(5), 40_000);
/// The server at the first port of the second edge, under its first address.
pub const B: End = end(2, v4(2), 80);
/// The server's second address.
pub const B_OTHER: End = end(2, v4(12), 81);
/// The server's IPv6 address.
pub const B_V6: End = end(2, v6(2), 80);
/// Another server at the second port there.
pub const C: End = end(3, v4(3), 80);
/// Where each address is: edge, port.
pub const PLACES: [(End, usize, u16); 8] = [
    (A, 0, FIRST),
    (A_OTHER, 0, FIRST),
    (A_V6, 0, FIRST),
    (NEIGHBOUR, 0, SECOND),
    (B, 1, FIRST),
    (B_OTHER, 1, FIRST),
    (B_V6, 1, FIRST),
    (C, 1, SECOND),
];

/// The frames of a handshake with MP_CAPABLE and who sends them.
pub fn handshake(version: Version, [client, server]: [End; 2], keys: [u64; 2]) -> [(End, Vec<u8>); 3] {
    let first: &[u64] = if version == Version::V0 { &keys[..1] } else { &[] };
    let (syn, answer, ack) = (capable(version, first), capable(version, &keys[1..]), capable(version, &keys));
    exchange(client, server, [&syn, &answer, &ack])
}

/// The frames of a handshake with MP_JOIN and who sends them.
pub fn join_handshake(from: End, to: End, token: u32) -> [(End, Vec<u8>); 3] {
    exchange(from, to, [&join(token, 0), &join_answer(16), &join_answer(24)])
}

/// SYN, SYN/ACK and third ACK with these options.
pub fn exchange(client: End, server: End, [syn, answer, ack]: [&[u8]; 3]) -> [(End, Vec<u8>); 3] {
    const ISNS: [u32; 2] = [1_000, u32::MAX];
    let [ours, theirs] = ISNS;
    let next = (ours.wrapping_add(1), theirs.wrapping_add(1));
    [
        (client, Build::tcp(client, server).flags(SYN).numbers(ours, 0).options(syn).frame()),
        (server, Build::tcp(server, client).flags(SYN | ACK).numbers(theirs, next.0).options(answer).frame()),
        (client, Build::tcp(client, server).numbers(next.0, next.1).options(ack).frame()),
    ]
}

/// What all switches are set to.
pub fn settings() -> Settings {
    Settings {
        magic: LAYOUT_MAGIC,
        layout: LAYOUT_VERSION,
        epoch: 1,
        port_width: WIDTH,
        mac: mac(0xee),
        ..Settings::default()
    }
}

/// The index of the interface of a port, on every switch.
pub const fn interface_of(port: u16) -> u32 {
    100 + port as u32
}

/// The first or second edge switch.
pub fn edge(this: usize) -> Switch {
    let mut switch = Switch { settings: Some(settings()), ..Switch::default() };
    for number in 1..=PATHS {
        switch
            .ports
            .insert(number, Port { mac: ROUTERS[this], interface: interface_of(number), ..Port::default() });
    }
    for number in [FIRST, SECOND] {
        let (mac, role, interface) = (ROUTERS[this], Port::HOST, interface_of(number));
        switch.ports.insert(number, Port { mac, role, interface, ..Port::default() });
    }
    for (end, edge, port) in PLACES {
        // Each agent numbers the edges itself: 0 is its own switch.
        let attachment = Attachment { edge: u16::from(edge != this), port };
        switch.hosts.insert(end.address, Host { attachment, mac: end.mac, ..Host::default() });
    }
    let out = PortNumber::new(if this == 0 { 2 } else { 1 }).unwrap();
    let mut set = PathSet { count: PATHS as u8, base_count: 2, ..PathSet::default() };
    for (path, number) in set.paths.iter_mut().zip(1..=PATHS) {
        *path = Path::new(PortNumber::new(number).unwrap(), Route::through([(out, WIDTH)]).unwrap());
    }
    // Ranks 0 and 2 are those of least cost.
    (set.paths[PathSet::BASE], set.paths[PathSet::BASE + 1]) = (set.paths[0], set.paths[2]);
    switch.path_sets.insert(1, set);
    switch
}

/// The switch in the middle of a path: port 1 leads to the first edge, port 2 to the second.
pub fn transit() -> Switch {
    let mut switch = Switch { settings: Some(settings()), ..Switch::default() };
    for number in 1..=2 {
        switch.ports.insert(number, Port { mac: mac(0xf0), ..Port::default() });
    }
    switch
}

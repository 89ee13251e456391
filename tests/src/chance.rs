//! Frames by chance: of every kind, of handshakes in any order, and what a mutation makes of them. A number names them all.

use std::collections::BTreeMap;

use smoc_common::{
    frames::{Build, End, capable},
    map::{Detour, DetourKey},
    memory::Switch,
    route::{Label, PushedRoute, Rank, Route},
    testing::scene::*,
    token::{Version, derive},
    wire::{
        ethernet::MacAddress,
        tcp::{ACK, FIN, RST, SYN},
    },
};

/// The numbers of a linear congruential generator (Knuth's MMIX), the upper half of each.
#[derive(Clone, Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// A number below this one.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Up to three other bytes, and sometimes a shorter frame.
    pub fn mutate(&mut self, frame: &mut Vec<u8>) {
        for _ in 0..self.below(4) {
            let at = self.below(frame.len());
            frame[at] = self.pick(&[0, 1, 2, 6, 17, 30, 43, 44, 0x45, 0x50, 0x60, 0x81, 0xff, at as u8]);
        }
        if self.below(8) == 0 {
            frame.truncate(14 + self.below(frame.len() - 13));
        }
    }
}

/// A frame with this route in place of its addresses.
pub fn pushed(frame: &[u8], rank: usize, bits: u64) -> Vec<u8> {
    let label = Label::new(Rank::new(rank as u8), rank & 8 != 0);
    let words = PushedRoute { label, route: Route::from_bits(bits) }.words();
    let mut frame = frame.to_vec();
    frame[..12].copy_from_slice(words.map(u32::to_be_bytes).as_flattened());
    frame
}

/// Frames of every kind that the pipeline tells apart.
pub fn kinds() -> Vec<Vec<u8>> {
    let syn = Build::tcp(A, B).flags(SYN).options(&capable(Version::V1, &[]));
    let v6 = Build::tcp(A_V6, B_V6).flags(SYN).options(&capable(Version::V0, &[5]));
    let stranger = end(77, v4(77), 9);
    let group = MacAddress::new([0xff; 6]);
    let mut frames: Vec<Vec<u8>> = vec![
        syn.frame(),
        v6.frame(),
        syn.clone().tag(0x8100, 3).frame(),
        v6.clone().tag(0x88a8, 3).tag(0x8100, 4).frame(),
        syn.clone().tag(0x8100, 3).tag(0x8100, 4).tag(0x8100, 5).frame(),
        syn.clone().extras(0, &[1; 40]).frame(),
        v6.clone().extras(0, &[60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0]).frame(),
        v6.clone()
            .extras(51, &[6, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            .frame(),
        v6.extras(44, &[6, 0, 0, 1, 0, 0, 0, 9]).frame(),
        syn.clone().fragment(0x2000).frame(),
        syn.clone().fragment(0x0010).frame(),
        syn.clone().destination(group).frame(),
        syn.clone().destination(MacAddress::new([2, 0x53, 0x4d, 0, 0, 0])).frame(),
        syn.clone().destination(mac(99)).frame(),
        Build::udp(A, B).payload(b"udp").frame(),
        Build::udp(A_V6, B_V6).payload(b"udp").frame(),
        Build::other(1, A, B).payload(b"icmp").frame(),
        Build::other(58, A_V6, B_V6).frame(),
        Build::tcp(A, NEIGHBOUR).frame(),
        Build::tcp(NEIGHBOUR, C).payload(&[0; 1_400]).frame(),
        Build::tcp(A, stranger).frame(),
        Build::udp(stranger, B).frame(),
        Build::tcp(A, B).options(&[30, 8, 0x20, 0, 0, 0, 0, 0]).payload(b"data").frame(),
        Build::tcp(A, B).payload(&[7; 8_900]).frame(),
    ];
    for hops in [0, 1, 2, 64, 255] {
        for build in [Build::tcp(A, B), Build::udp(A, B).extras(0, &[1; 4]), Build::udp(A_V6, B_V6)] {
            frames.push(build.hops(hops).destination(ROUTERS[0]).frame());
        }
    }
    frames
}

/// Ways around ports 3 and 4; the first is too long for most routes.
fn detours() -> BTreeMap<DetourKey, Detour> {
    let detour = |port, prefix, length| Detour { port, prefix, length, ..Detour::default() };
    BTreeMap::from([
        (DetourKey { port: 3, next: 2 }, detour(1, 0x5_4321, 59)),
        (DetourKey { port: 3, next: 0 }, detour(2, 0x32, 8)),
        (DetourKey { port: 4, next: 1 }, detour(3, 0x2, 4)),
        (DetourKey { port: 4, next: 0 }, detour(1, 0, 0)),
    ])
}

/// The first edge, with one path down.
pub fn switch() -> Switch {
    let mut switch = edge(0);
    _ = switch.down.insert(3);
    switch.detours = detours();
    switch
}

/// Frames of handshakes in any order, between few hosts with few keys, so that they meet again and again.
pub fn conversation(numbers: &mut Numbers) -> (End, Vec<u8>) {
    /// The first two have one token.
    const KEYS: [u64; 4] = [0x0783_91f4_0003_7afb, 0xc32c_07bf_bf9e_6099, 1, 2];
    let port = 1 + numbers.below(12) as u16;
    let [client, server] =
        numbers.pick(&[[A, B], [A_OTHER, B], [A, B_OTHER], [A_V6, B_V6], [B, A], [NEIGHBOUR, C]]);
    let (client, server) = (client.at(port), server);
    let version = numbers.pick(&[Version::V0, Version::V1, Version::V1]);
    let keys = [numbers.pick(&KEYS), numbers.pick(&KEYS)];
    let step = numbers.below(3);
    match numbers.below(8) {
        0..3 => handshake(version, [client, server], keys)[step].clone(),
        3..6 => join_handshake(client, server, derive(version, keys[1]))[step].clone(),
        6 => (client, Build::tcp(client, server).numbers(1_001, 0).payload(b"data").frame()),
        _ => {
            let flags = numbers.pick(&[FIN | ACK, RST, RST | ACK, SYN, SYN | RST, SYN | FIN, ACK]);
            let (from, to) = numbers.pick(&[(client, server), (server, client)]);
            let number = numbers.pick(&[0, 1_001, 1_010, 0xdead_beef]);
            (from, Build::tcp(from, to).flags(flags).numbers(number, 1_001).frame())
        }
    }
}

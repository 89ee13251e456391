//! The programs in the kernel against the pipeline on the host: the same frames, the same tables, the same actions,
//! ports, bytes, counters and entries. Needs root.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use smoc_common::event::{Action, Note, Outcome};
use smoc_common::map::{ConnectionId, Detour, DetourKey, Host, Port, Settings};
use smoc_common::pipeline::{Tables as _, Verdict};
use smoc_common::route::{Label, PushedRoute, Rank, Route};
use smoc_common::testing::Switch;
use smoc_common::testing::frames::{Build, End, capable};
use smoc_common::testing::scene::*;
use smoc_common::token::{Version, derive};
use smoc_common::wire::ethernet::MacAddress;
use smoc_common::wire::probe::Probe;
use smoc_common::wire::tcp::{ACK, FIN, RST, SYN};
use smoc_tests::program::{LOOPBACK, Programs, XDP_DROP, XDP_PASS, XDP_REDIRECT};
use smoc_tests::testing::can_run;

/// Where a frame comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Host,
    Fabric,
}

/// Nanoseconds of CLOCK_MONOTONIC, as the programs read them.
fn now() -> u64 {
    Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap()).as_nanos() as u64
}

/// One switch twice.
struct Twins {
    host: Switch,
    kernel: Programs,
    seen: usize,
}

impl Twins {
    fn new(switch: Switch) -> Self {
        let mut kernel = Programs::load("smoc.bpf.o").unwrap();
        kernel.fill(&switch).unwrap();
        Self { host: switch, kernel, seen: 0 }
    }

    /// Gives a frame to both and compares; sometimes once more with the port down that it left through, which it
    /// matters to both or to neither.
    fn take(&mut self, side: Side, frame: &[u8]) {
        let port = self.give(side, frame).port;
        let is_up = self.host.leave_through(port) || self.host.deliver_through(port);
        if self.seen.is_multiple_of(3) && is_up {
            self.set_port(port, false);
            self.give(side, frame);
            self.set_port(port, true);
        }
    }

    fn set_port(&mut self, port: u16, is_up: bool) {
        if is_up {
            self.host.down.remove(&port)
        } else {
            self.host.down.insert(port)
        };
        let role = self.host.ports[&port].role;
        self.kernel.set_port(port, role, is_up).unwrap();
    }

    fn give(&mut self, side: Side, frame: &[u8]) -> Verdict {
        // How long a SYN waited decides about its path, and whether it is a copy; a busy machine takes its time.
        self.host.clock = self.host.clock.max(now());
        let (mut by_host, mut by_kernel) = (frame.to_vec(), frame.to_vec());
        let (verdict, program) = match side {
            Side::Host => (self.host.from_host(&mut by_host), "smoc_host"),
            Side::Fabric => (self.host.from_fabric(&mut by_host), "smoc_fabric"),
        };
        let expected = match verdict.outcome.action() {
            Action::Pass => XDP_PASS,
            Action::Redirect => XDP_REDIRECT,
            Action::Consume => XDP_DROP,
        };
        let (action, _) = self.kernel.run(program, &mut by_kernel, 1).unwrap();
        let what = || format!("frame {}, {side:?}: {frame:02x?}: {verdict:?}", self.seen);
        assert_eq!(action, expected, "{}", what());
        assert_eq!(by_kernel, by_host, "{}", what());
        assert_eq!(self.kernel.counters().unwrap(), self.host.counters, "{}", what());
        self.seen += 1;
        verdict
    }

    /// Compares all that both have learned.
    fn compare_tables(&self) {
        let mut kernel = Switch::default();
        self.kernel.read_tables(&mut kernel).unwrap();
        let (host, kernel) = (learned(&self.host), learned(&kernel));
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            one.difference(other).cloned().collect::<Vec<_>>().join("\n")
        };
        assert!(
            host == kernel,
            "after {} frames, only on the host:\n{}\nonly in the kernel:\n{}",
            self.seen,
            only(&host, &kernel),
            only(&kernel, &host)
        );
    }
}

/// Everything in a switch's tables but times; connections by what they are and not by their ids.
fn learned(switch: &Switch) -> BTreeSet<String> {
    let connections: BTreeMap<ConnectionId, String> = switch
        .connections
        .entries
        .iter()
        .map(|(&id, &connection)| {
            let mut connection = connection;
            connection.opened = 0;
            (id, format!("{connection:?}"))
        })
        .collect();
    let name = |id: ConnectionId| connections.get(&id).map_or("none", String::as_str);
    let mut lines = BTreeSet::new();
    let mut alike: BTreeMap<&String, usize> = BTreeMap::new();
    for connection in connections.values() {
        let number = alike.entry(connection).or_default();
        *number += 1;
        lines.insert(format!("{connection}, number {number} of its like"));
    }
    let mut line = |kind: &str, key: &dyn Debug, value: &dyn Debug, id| {
        lines.insert(format!("{kind} {key:?}: {value:?} of {}", name(id)))
    };
    for (key, &(mut flow)) in &switch.flows.entries {
        let id = flow.connection;
        (flow.opened, flow.connection, flow.touched) = (0, 0, 0);
        line("flow", key, &flow, id);
    }
    for (key, &(mut half)) in &switch.half_open.entries {
        let id = half.flow.connection;
        (half.flow.opened, half.syn_seen, half.flow.connection, half.flow.touched) = (0, 0, 0, 0);
        line("half open", key, &half, id);
    }
    for (key, binding) in &switch.tokens.entries {
        let [first, second] = binding.connections;
        let other = if second == 0 { "nobody" } else { name(second) };
        line("token", key, &(binding.crowded, other), first);
    }
    lines
}

/// The numbers of a linear congruential generator (Knuth's MMIX), the upper half of each.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Up to three other bytes, and sometimes a shorter frame.
    fn mutate(&mut self, frame: &mut Vec<u8>) {
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
fn pushed(frame: &[u8], rank: usize, bits: u64) -> Vec<u8> {
    let label = Label::new(Rank::new(rank as u8), rank & 8 != 0);
    let words = PushedRoute { label, route: Route::from_bits(bits) }.words();
    let mut frame = frame.to_vec();
    frame[..12].copy_from_slice(words.map(u32::to_be_bytes).as_flattened());
    frame
}

/// Frames of every kind that the pipeline tells apart.
fn kinds() -> Vec<Vec<u8>> {
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

/// Probes that end here, and those that have come back.
fn probes() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for flags in [0, Probe::HELLO, Probe::HELLO | Probe::HEARS] {
        for (bits, back_route) in [(1, 1), (1, 0x12), (0x12, 1), (0x13, 0x12), (0x1f, 1), (0, 1)] {
            let back_port = if bits == 1 { 2 } else { 3 };
            let probe = Probe { back_route, back_port, flags, subject: 4, sequence: 5, ..Probe::default() };
            let outbound = probe.frame(Route::from_bits(bits));
            let mut returning = outbound;
            returning[3] |= 0x80;
            frames.extend([outbound.to_vec(), returning.to_vec(), outbound[..40].to_vec()]);
        }
    }
    frames
}

/// The first edge, with one path down.
fn switch() -> Switch {
    let mut switch = edge(0);
    _ = switch.down.insert(3);
    switch.detours = detours();
    switch
}

#[test]
fn every_kind_of_frame_is_treated_alike() {
    if !can_run("every_kind_of_frame_is_treated_alike") {
        return;
    }
    for spread in [Settings::SPREAD_NONE, Settings::SPREAD_FLOWS] {
        let mut first = switch();
        first.settings.as_mut().unwrap().spread = spread;
        let mut second = edge(1);
        second.settings = first.settings;
        for (switch, routes) in [(first, &[1, 0x12, 0x13][..]), (second, &[1, 0, 0x10, 0x11, 0xfff])] {
            let mut twins = Twins::new(switch);
            for frame in kinds() {
                twins.take(Side::Host, &frame);
                twins.take(Side::Fabric, &frame);
                for (rank, &bits) in routes.iter().enumerate() {
                    twins.take(Side::Fabric, &pushed(&frame, rank + 7, bits));
                }
            }
            twins.compare_tables();
        }
    }
}

#[test]
fn probes_and_detours_are_treated_alike() {
    if !can_run("probes_and_detours_are_treated_alike") {
        return;
    }
    let mut first = switch();
    for rank in 0..PATHS {
        first.ports.get_mut(&(rank + 1)).unwrap().peer_width = WIDTH;
    }
    first.path_sets.get_mut(&1).unwrap().broken = 0b0010;
    let mut twins = Twins::new(first);
    for probe in probes() {
        twins.take(Side::Fabric, &probe);
    }
    let frames = [Build::tcp(A, B).payload(b"data").frame(), Build::udp(B, A).frame()];
    for frame in &frames {
        for down in [3, 4] {
            twins.set_port(down, false);
            for bits in [0x13, 0x123, 0x113, 0x14, 0x124, 0x114, 0x1_0000_0000_0013, 0x3fff_ffff_ffff_fff4] {
                for label in [0, 0x10, 0x20, 0x30] {
                    let mut frame = pushed(frame, 2, bits);
                    frame[3] |= label;
                    twins.take(Side::Fabric, &frame);
                }
            }
            twins.set_port(down, true);
        }
    }
    for down in 1..=PATHS {
        twins.set_port(down, false);
        frames.iter().for_each(|frame| twins.take(Side::Host, frame));
    }
    for note in [Note::Detoured, Note::FailedOver] {
        assert!(twins.host.count_of(note.counter()) > 0, "no frame gets as far as {note:?}");
    }
}

#[test]
fn switch_without_settings_is_treated_alike() {
    if !can_run("switch_without_settings_is_treated_alike") {
        return;
    }
    let mut twins = Twins::new(Switch { settings: None, ..switch() });
    for frame in kinds() {
        twins.take(Side::Host, &frame);
        twins.take(Side::Fabric, &pushed(&frame, 0, 1));
        twins.take(Side::Fabric, &pushed(&frame, 0, 0x12));
    }
    twins.compare_tables();
}

/// Frames of handshakes in any order, between few hosts with few keys, so that they meet again and again.
fn conversation(numbers: &mut Numbers) -> (End, Vec<u8>) {
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

#[test]
fn conversations_teach_both_the_same() {
    if !can_run("conversations_teach_both_the_same") {
        return;
    }
    let mut twins = Twins::new(switch());
    let mut numbers = Numbers(1);
    for round in 1..=6_000 {
        let (from, mut frame) = conversation(&mut numbers);
        if numbers.below(6) == 0 {
            frame[..6].copy_from_slice(&ROUTERS[0].octets());
        }
        let is_local = PLACES.iter().any(|(end, edge, _)| end.address == from.address && *edge == 0);
        if is_local {
            twins.take(Side::Host, &frame);
        } else {
            let rank = numbers.below(16);
            twins.take(Side::Fabric, &pushed(&frame, rank, 1));
        }
        if round % 250 == 0 {
            twins.compare_tables();
        }
    }
    let noted = |note: Note| twins.host.count_of(note.counter());
    for note in [Note::Bound, Note::Joined, Note::SynAgain, Note::AckDisagrees, Note::JoinUnknownToken] {
        assert!(noted(note) > 0, "no conversation gets as far as {note:?}");
    }
    assert!(noted(Note::JoinAmbiguousToken) > 0, "no token is ambiguous");
}

#[test]
fn guards_and_vlans_are_treated_alike() {
    if !can_run("guards_and_vlans_are_treated_alike") {
        return;
    }
    for guard in [Port::GUARD_SOURCE, Port::GUARD_STRICT] {
        let mut first = switch();
        first.settings.as_mut().unwrap().guarded = 1;
        // BPF_PROG_TEST_RUN frames come in by the loopback interface.
        first.ingress = LOOPBACK;
        let port = first.ports.get_mut(&FIRST).unwrap();
        (port.guard, port.interface) = (guard, LOOPBACK);
        first.hosts.get_mut(&A_OTHER.address).unwrap().vlan = Host::of_vlan(3);
        first.hosts.get_mut(&B_OTHER.address).unwrap().vlan = Host::of_vlan(3);
        let mut twins = Twins::new(first);
        for frame in kinds() {
            twins.take(Side::Host, &frame);
            let mut arp = frame.clone();
            arp[12..14].copy_from_slice(&[8, 6]);
            twins.take(Side::Host, &arp);
        }
        for (from, to) in [(A_OTHER, B_OTHER), (A_OTHER, B), (A, B_OTHER), (A, B)] {
            for vid in [0, 3, 4] {
                let frame = Build::tcp(from, to).flags(SYN).options(&capable(Version::V1, &[]));
                let frame = if vid == 0 { frame } else { frame.tag(0x8100, vid) };
                twins.take(Side::Host, &frame.frame());
            }
        }
        for outcome in [Outcome::Guarded, Outcome::OtherVlan] {
            assert!(twins.host.count_of(outcome.counter()) > 0, "no frame gets as far as {outcome:?}");
        }
        twins.compare_tables();
    }
}

#[test]
fn openings_beyond_the_limit_are_treated_alike() {
    if !can_run("openings_beyond_the_limit_are_treated_alike") {
        return;
    }
    let mut first = edge(0);
    first.settings.as_mut().unwrap().openings = 1;
    let mut twins = Twins::new(first);
    // One CPU counts, and all of them within a second: the host's clock is the kernel's.
    let mut here = CpuSet::new();
    here.set(sched_getcpu().unwrap()).unwrap();
    sched_setaffinity(Pid::from_raw(0), &here).unwrap();
    for port in 1..=50 {
        let [(_, syn), ..] = handshake(Version::V1, [A.at(port), B], [1, 2]);
        twins.give(Side::Host, &syn);
    }
    assert!(twins.host.count_of(Note::Stateless.counter()) > 0);
}

#[test]
fn keys_are_not_in_the_scratch() {
    const KEYS: [u64; 2] = [0x22fc_33ed_9d78_b9e7, 0x1032_5476_98ba_dcfe];
    if !can_run("keys_are_not_in_the_scratch") {
        return;
    }
    for version in [Version::V0, Version::V1] {
        let mut twins = Twins::new(edge(0));
        for (from, frame) in &handshake(version, [A, B], KEYS) {
            match from.address == A.address {
                true => twins.give(Side::Host, frame),
                false => twins.give(Side::Fabric, &pushed(frame, 0, 1)),
            };
            twins.compare_tables();
            let scratch = twins.kernel.scratch().unwrap();
            for half in KEYS.iter().flat_map(|key| [(key >> 32) as u32, *key as u32]) {
                let is_in = |half: [u8; 4]| scratch.windows(4).any(|window| window == half);
                assert!(
                    !is_in(half.to_be_bytes()) && !is_in(half.to_le_bytes()),
                    "{half:08x}: {scratch:02x?}"
                );
            }
        }
        assert_eq!(twins.host.count_of(Note::Bound.counter()), 1);
    }
}

#[test]
fn joins_in_order_are_treated_alike() {
    if !can_run("joins_in_order_are_treated_alike") {
        return;
    }
    let mut twins = Twins::new(edge(0));
    let joins = (1..=10).map(|port| join_handshake(A.at(port), B, derive(Version::V1, 2)));
    for (number, steps) in std::iter::once(handshake(Version::V1, [A, B], [1, 2])).chain(joins).enumerate() {
        for (from, frame) in steps {
            if from.address == A.address {
                twins.take(Side::Host, &frame);
            } else {
                // The other edge gives each the rank of its number.
                twins.take(Side::Fabric, &pushed(&frame, number % usize::from(PATHS), 1));
            }
        }
    }
    twins.compare_tables();
    let mut ranks: Vec<u8> = twins.host.flows.entries.values().map(|flow| flow.rank).collect();
    ranks.sort_unstable();
    assert!(ranks.starts_with(&[0, 0]) && ranks.ends_with(&[3, 3]), "{ranks:?}");
}

#[test]
fn mutated_frames_are_treated_alike() {
    if !can_run("mutated_frames_are_treated_alike") {
        return;
    }
    let mut twins = Twins::new(switch());
    let mut numbers = Numbers(2);
    let mut seeds: Vec<Vec<u8>> = kinds().into_iter().filter(|frame| frame.len() < 200).collect();
    seeds.extend((0..60).map(|_| conversation(&mut numbers).1));
    for _ in 0..6_000 {
        let mut frame = seeds[numbers.below(seeds.len())].clone();
        let side = numbers.pick(&[Side::Host, Side::Fabric]);
        if side == Side::Fabric && numbers.below(8) != 0 {
            let bits = numbers.pick(&[1, 1, 1, 0x12, 0x14, 0x123, 0]);
            frame = pushed(&frame, numbers.below(256), bits);
        }
        numbers.mutate(&mut frame);
        twins.take(side, &frame);
    }
    twins.compare_tables();
}

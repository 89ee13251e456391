//! The programs in the kernel against the pipeline on the host: the same frames, the same tables, the same actions,
//! ports, bytes, counters and entries. Needs root.

use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use smoc_common::event::{Note, Outcome};
use smoc_common::map::{Host, PairKey, PathSet, Port, Prefix, Settings};
use smoc_common::memory::{Side, Switch};
use smoc_common::route::Route;
use smoc_common::testing::frames::{Build, capable};
use smoc_common::testing::scene::*;
use smoc_common::token::{Version, derive};
use smoc_common::wire::presence::{ANSWER, ETHER_TYPE, FORWARDED, LINK, LOOP, QUESTION, VERSION};
use smoc_common::wire::probe::Probe;
use smoc_common::wire::tcp::SYN;
use smoc_tests::chance::{Numbers, conversation, kinds, pushed, switch};
use smoc_tests::fuzz::{self, FuzzOptions};
use smoc_tests::program::LOOPBACK;
use smoc_tests::testing::can_run;
use smoc_tests::twins::Twins;

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
            let mut twins = Twins::new(switch).unwrap();
            for frame in kinds() {
                twins.take(Side::Host, &frame).unwrap();
                twins.take(Side::Fabric, &frame).unwrap();
                for (rank, &bits) in routes.iter().enumerate() {
                    twins.take(Side::Fabric, &pushed(&frame, rank + 7, bits)).unwrap();
                }
            }
            twins.compare_tables().unwrap();
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
    let mut twins = Twins::new(first).unwrap();
    for probe in probes() {
        twins.take(Side::Fabric, &probe).unwrap();
    }
    let frames = [Build::tcp(A, B).payload(b"data").frame(), Build::udp(B, A).frame()];
    for frame in &frames {
        for down in [3, 4] {
            twins.set_port(down, false).unwrap();
            for bits in [0x13, 0x123, 0x113, 0x14, 0x124, 0x114, 0x1_0000_0000_0013, 0x3fff_ffff_ffff_fff4] {
                for label in [0, 0x10, 0x20, 0x30] {
                    let mut frame = pushed(frame, 2, bits);
                    frame[3] |= label;
                    twins.take(Side::Fabric, &frame).unwrap();
                }
            }
            twins.set_port(down, true).unwrap();
        }
    }
    for down in 1..=PATHS {
        twins.set_port(down, false).unwrap();
        frames.iter().for_each(|frame| twins.take(Side::Host, frame).unwrap());
    }
    for note in [Note::Detoured, Note::FailedOver] {
        assert!(twins.host.count_of(note.counter()) > 0, "no frame gets as far as {note:?}");
    }
}

/// Questions, answers, loop probes, and what is nearly one.
fn presence_frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for (to, ether_type) in
        [(LINK, ETHER_TYPE), (FORWARDED, ETHER_TYPE), (LINK, ETHER_TYPE - 1), ([0xff; 6], ETHER_TYPE)]
    {
        for (version, kind) in
            [(VERSION, QUESTION), (VERSION, ANSWER), (VERSION, LOOP), (VERSION + 1, QUESTION)]
        {
            let numbers = [ether_type, version, kind].map(u16::to_be_bytes);
            let frame = [&to[..], &A.mac.octets(), numbers.as_flattened(), &[7; 42]].concat();
            frames.extend([frame.clone(), frame[..17].to_vec(), frame]);
        }
    }
    frames
}

#[test]
fn questions_and_loop_probes_are_treated_alike() {
    if !can_run("questions_and_loop_probes_are_treated_alike") {
        return;
    }
    let mut closed = switch();
    closed.settings.as_mut().unwrap().guarded = Settings::GUARDED | Settings::SHUT;
    for switch in [switch(), closed, Switch { settings: None, ..switch() }] {
        let mut twins = Twins::new(switch).unwrap();
        for frame in presence_frames() {
            twins.take(Side::Host, &frame).unwrap();
            twins.take(Side::Fabric, &frame).unwrap();
        }
        for outcome in [Outcome::Answered, Outcome::LoopProbe] {
            assert!(twins.host.count_of(outcome.counter()) > 0, "{outcome:?}");
        }
    }
}

#[test]
fn switch_without_settings_is_treated_alike() {
    if !can_run("switch_without_settings_is_treated_alike") {
        return;
    }
    let mut twins = Twins::new(Switch { settings: None, ..switch() }).unwrap();
    for frame in kinds() {
        twins.take(Side::Host, &frame).unwrap();
        twins.take(Side::Fabric, &pushed(&frame, 0, 1)).unwrap();
        twins.take(Side::Fabric, &pushed(&frame, 0, 0x12)).unwrap();
    }
    twins.compare_tables().unwrap();
}

#[test]
fn hosts_that_are_not_known_are_treated_alike() {
    if !can_run("hosts_that_are_not_known_are_treated_alike") {
        return;
    }
    for forgotten in [&[A, A_OTHER, A_V6][..], &[B, B_OTHER, B_V6], &[A, B], &[A_OTHER, B_V6]] {
        let mut switch = switch();
        switch.ingress = LOOPBACK;
        for port in [FIRST, SECOND] {
            switch.ports.get_mut(&port).unwrap().interface = LOOPBACK;
        }
        switch.hosts.retain(|address, _| forgotten.iter().all(|host| host.address != *address));
        let mut twins = Twins::new(switch).unwrap();
        let mut numbers = Numbers(3);
        for _ in 0..1_500 {
            let (from, frame) = conversation(&mut numbers);
            let is_local = PLACES.iter().any(|(end, edge, _)| end.address == from.address && *edge == 0);
            let side = if is_local { Side::Host } else { Side::Fabric };
            // Most come over the base network.
            let is_pushed = !is_local && numbers.below(3) == 0;
            let frame = if is_pushed { pushed(&frame, numbers.below(16), 1) } else { frame };
            twins.take(side, &frame).unwrap();
        }
        twins.compare_tables().unwrap();
        assert!(!twins.host.connections.entries.is_empty(), "nothing is bound");
    }
}

#[test]
fn what_is_behind_routers_is_treated_alike() {
    if !can_run("what_is_behind_routers_is_treated_alike") {
        return;
    }
    let mut switch = switch();
    switch.settings.as_mut().unwrap().filled = Settings::PREFIXES;
    // Everybody is behind a router, in a longer and a shorter prefix; but for two who are known by themselves as well.
    for (address, host) in std::mem::take(&mut switch.hosts) {
        let bits = Prefix { length: 128, octets: address.octets() };
        switch.prefixes.insert(bits, host);
        let mut wide = Prefix { length: 104, octets: [0; 16] };
        wide.octets[..13].copy_from_slice(&address.octets()[..13]);
        switch.prefixes.insert(wide, host);
        if [A_OTHER.address, B_OTHER.address].contains(&address) {
            switch.hosts.insert(address, host);
        }
    }
    switch.prefixes.remove(&Prefix { length: 128, octets: NEIGHBOUR.address.octets() });
    let mut twins = Twins::new(switch).unwrap();
    let mut numbers = Numbers(5);
    for _ in 0..3_000 {
        let (from, frame) = conversation(&mut numbers);
        let is_local = PLACES.iter().any(|(end, edge, _)| end.address == from.address && *edge == 0);
        let side = if is_local { Side::Host } else { Side::Fabric };
        let frame = if is_local { frame } else { pushed(&frame, numbers.below(16), 1) };
        twins.take(side, &frame).unwrap();
    }
    twins.compare_tables().unwrap();
    assert!(twins.host.count_of(Outcome::Established.counter()) > 100, "hardly anything is established");
    assert!(!twins.host.connections.entries.is_empty(), "nothing is bound");
}

#[test]
fn what_a_rule_of_policy_is_about_is_treated_alike() {
    if !can_run("what_a_rule_of_policy_is_about_is_treated_alike") {
        return;
    }
    let mut switch = switch();
    switch.settings.as_mut().unwrap().filled = Settings::PAIRS;
    // One address in four is in no class; where there is a rule its paths are the last one alone, or there are none.
    let edges: Vec<u16> = switch.path_sets.keys().copied().collect();
    for (place, host) in switch.hosts.values_mut().enumerate() {
        host.class = (place % 4) as u16;
    }
    for (edge, index) in edges.into_iter().zip(40u16..) {
        let set = switch.path_sets[&edge];
        let mut last =
            PathSet { count: set.count.min(1), base_count: set.base_count.min(1), ..PathSet::default() };
        last.paths[0] = set.paths[usize::from(set.count.max(1)) - 1];
        last.paths[PathSet::BASE] = last.paths[0];
        switch.path_sets.insert(index, last);
        for (local, remote) in [(1, 1), (1, 2), (2, 3), (3, 1)] {
            switch.pairs.insert(PairKey { local, remote, edge, reserved: 0 }, index);
        }
        switch.pairs.insert(PairKey { local: 3, remote: 3, edge, reserved: 0 }, 999);
    }
    let mut twins = Twins::new(switch).unwrap();
    let mut numbers = Numbers(7);
    for _ in 0..3_000 {
        let (from, frame) = conversation(&mut numbers);
        let is_local = PLACES.iter().any(|(end, edge, _)| end.address == from.address && *edge == 0);
        let side = if is_local { Side::Host } else { Side::Fabric };
        let frame = if is_local { frame } else { pushed(&frame, numbers.below(16), 1) };
        twins.take(side, &frame).unwrap();
    }
    twins.compare_tables().unwrap();
    let by_rule = twins.host.flows.entries.values().filter(|flow| (40..60).contains(&flow.remote.edge));
    assert!(by_rule.count() > 0, "no subflow takes the paths of a rule");
}

#[test]
fn conversations_teach_both_the_same() {
    if !can_run("conversations_teach_both_the_same") {
        return;
    }
    let mut twins = Twins::new(switch()).unwrap();
    let mut numbers = Numbers(1);
    for round in 1..=6_000 {
        let (from, mut frame) = conversation(&mut numbers);
        if numbers.below(6) == 0 {
            frame[..6].copy_from_slice(&ROUTERS[0].octets());
        }
        let is_local = PLACES.iter().any(|(end, edge, _)| end.address == from.address && *edge == 0);
        if is_local {
            twins.take(Side::Host, &frame).unwrap();
        } else {
            let rank = numbers.below(16);
            twins.take(Side::Fabric, &pushed(&frame, rank, 1)).unwrap();
        }
        if round % 250 == 0 {
            twins.compare_tables().unwrap();
        }
    }
    let noted = |note: Note| twins.host.count_of(note.counter());
    for note in [Note::Bound, Note::Joined, Note::SynAgain, Note::AckDisagrees, Note::JoinUnknownToken] {
        assert!(noted(note) > 0, "no conversation gets as far as {note:?}");
    }
    assert!(noted(Note::JoinAmbiguousToken) > 0, "no token is ambiguous");
    assert!(twins.compare_handshakes().unwrap() > 0, "no handshake takes a time that is known");
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
        let mut twins = Twins::new(first).unwrap();
        for frame in kinds() {
            twins.take(Side::Host, &frame).unwrap();
            let mut arp = frame.clone();
            arp[12..14].copy_from_slice(&[8, 6]);
            twins.take(Side::Host, &arp).unwrap();
        }
        for (from, to) in [(A_OTHER, B_OTHER), (A_OTHER, B), (A, B_OTHER), (A, B)] {
            for vid in [0, 3, 4] {
                let frame = Build::tcp(from, to).flags(SYN).options(&capable(Version::V1, &[]));
                let frame = if vid == 0 { frame } else { frame.tag(0x8100, vid) };
                twins.take(Side::Host, &frame.frame()).unwrap();
            }
        }
        for outcome in [Outcome::Guarded, Outcome::OtherVlan] {
            assert!(twins.host.count_of(outcome.counter()) > 0, "no frame gets as far as {outcome:?}");
        }
        twins.compare_tables().unwrap();
    }
}

#[test]
fn closed_ports_are_treated_alike() {
    if !can_run("closed_ports_are_treated_alike") {
        return;
    }
    let mut first = switch();
    first.ingress = LOOPBACK;
    let port = first.ports.get_mut(&1).unwrap();
    (port.base, port.interface) = (Port::CLOSED, LOOPBACK);
    let mut twins = Twins::new(first).unwrap();
    // To a host of the other edge, at the end of its route here.
    let astray = pushed(&Build::tcp(A, B).frame(), 0, Route::END.bits());
    twins.take(Side::Fabric, &astray).unwrap();
    for frame in kinds() {
        twins.take(Side::Fabric, &frame).unwrap();
        for last in [0, 15, 16] {
            let mut group = frame.clone();
            group[..6].copy_from_slice(&[0x01, 0x80, 0xc2, 0, 0, last]);
            twins.take(Side::Fabric, &group).unwrap();
        }
    }
    for outcome in [Outcome::Closed, Outcome::DeadEndClosed, Outcome::Unrouted] {
        assert!(twins.host.count_of(outcome.counter()) > 0, "no frame gets as far as {outcome:?}");
    }
    twins.compare_tables().unwrap();
}

#[test]
fn openings_beyond_the_limit_are_treated_alike() {
    if !can_run("openings_beyond_the_limit_are_treated_alike") {
        return;
    }
    let mut first = edge(0);
    first.settings.as_mut().unwrap().openings = 1;
    let mut twins = Twins::new(first).unwrap();
    // One CPU counts, and all of them within a second: the host's clock is the kernel's.
    let mut here = CpuSet::new();
    here.set(sched_getcpu().unwrap()).unwrap();
    sched_setaffinity(Pid::from_raw(0), &here).unwrap();
    for port in 1..=50 {
        let [(_, syn), ..] = handshake(Version::V1, [A.at(port), B], [1, 2]);
        twins.give(Side::Host, &syn).unwrap();
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
        let mut twins = Twins::new(edge(0)).unwrap();
        for (from, frame) in &handshake(version, [A, B], KEYS) {
            match from.address == A.address {
                true => twins.give(Side::Host, frame).unwrap(),
                false => twins.give(Side::Fabric, &pushed(frame, 0, 1)).unwrap(),
            };
            twins.compare_tables().unwrap();
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
    let mut twins = Twins::new(edge(0)).unwrap();
    let joins = (1..=10).map(|port| join_handshake(A.at(port), B, derive(Version::V1, 2)));
    for (number, steps) in std::iter::once(handshake(Version::V1, [A, B], [1, 2])).chain(joins).enumerate() {
        for (from, frame) in steps {
            if from.address == A.address {
                twins.take(Side::Host, &frame).unwrap();
            } else {
                // The other edge gives each the rank of its number.
                twins.take(Side::Fabric, &pushed(&frame, number % usize::from(PATHS), 1)).unwrap();
            }
        }
    }
    twins.compare_tables().unwrap();
    let mut ranks: Vec<u8> = twins.host.flows.entries.values().map(|flow| flow.rank).collect();
    ranks.sort_unstable();
    assert!(ranks.starts_with(&[0, 0]) && ranks.ends_with(&[3, 3]), "{ranks:?}");
}

#[test]
fn every_handshake_is_timed_once_along_its_path_whoever_opened_it() {
    if !can_run("every_handshake_is_timed_once_along_its_path_whoever_opened_it") {
        return;
    }
    for [here, there] in [[A, B], [A_V6, B_V6]] {
        let mut twins = Twins::new(edge(0)).unwrap();
        let joins = (1..=3).flat_map(|port| {
            let token = derive(Version::V1, 2);
            [
                join_handshake(here.at(port), there, token),
                join_handshake(there.at(90 + port), here, derive(Version::V1, 1)),
            ]
        });
        for (number, steps) in
            std::iter::once(handshake(Version::V1, [here, there], [1, 2])).chain(joins).enumerate()
        {
            for (from, frame) in steps {
                let rank = number % usize::from(PATHS);
                let route = pushed(&frame, rank, 1);
                let is_local = from.address == here.address;
                let (side, frame) = if is_local { (Side::Host, &frame) } else { (Side::Fabric, &route) };
                twins.give(side, frame).unwrap();
            }
        }
        twins.compare_tables().unwrap();
        assert_eq!(twins.compare_handshakes().unwrap(), 7);
        let mut by_rank: Vec<_> =
            twins.host.handshakes.iter().map(|(place, times)| (place % 8, times.count())).collect();
        by_rank.sort_unstable();
        assert_eq!(by_rank, [(0, 2), (1, 2), (2, 2), (3, 1)]);
    }
}

#[test]
fn mutated_frames_are_treated_alike() {
    if !can_run("mutated_frames_are_treated_alike") {
        return;
    }
    let found = fuzz::run(&FuzzOptions { frames: 20_000, seed: 2, threads: None }).unwrap();
    assert!(found.frames >= 20_000);
    for note in [Note::Bound, Note::Joined, Note::JoinUnknownToken, Note::FailedOver] {
        assert!(found.counters[note.counter() as usize] > 0, "no frame gets as far as {note:?}");
    }
}

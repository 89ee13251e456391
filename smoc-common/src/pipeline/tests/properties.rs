//! Any route through any switches, and any bytes at all.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

/// A switch on the way: the port it sends the frame to, and how much wider its port numbers are than that takes.
fn hop() -> impl Strategy<Value = (u16, u8)> {
    (1u16..64, 0u8..3)
}

fn switch_with(port: u16, width: u8) -> Switch {
    let mut switch = transit();
    switch.settings.as_mut().unwrap().port_width = width;
    switch.ports.insert(port, Port::default());
    switch
}

/// Frames that reach every part of the pipeline.
fn seeds() -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = [Version::V0, Version::V1]
        .into_iter()
        .flat_map(|version| handshake(version, [A, B], [1, 2]))
        .chain(join_handshake(A_V6, B_V6, derive(Version::V1, 2)))
        .map(|(_, frame)| frame)
        .collect();
    frames.extend([
        Build::tcp(A, B).tag(0x8100, 3).payload(&[1; 40]).frame(),
        Build::udp(A, B).extras(0, &[1; 12]).frame(),
        Build::udp(A_V6, B_V6).extras(44, &[17, 0, 0, 8, 0, 0, 0, 1]).frame(),
        Build::tcp(A, B).destination(ROUTERS[0]).frame(),
    ]);
    frames
}

proptest! {
    #[test]
    fn frame_arrives_as_it_was_sent_through_any_switches(
        hops in vec(hop(), 0..7), first in 1u16..8, payload in vec(any::<u8>(), 0..80), base_count in 1u8..=8,
    ) {
        let hops: Vec<_> = hops
            .iter()
            .map(|&(port, extra)| PortNumber::new(port).map(|port| (port, port.width() + extra)).unwrap())
            .collect();
        let mut ingress = edge(0);
        let path = Path::new(PortNumber::new(first).unwrap(), Route::through(hops.iter().copied()).unwrap());
        ingress.ports.insert(first, Port::default());
        let paths = [path; PathSet::LEN];
        ingress.path_sets.insert(1, PathSet { count: 8, base_count, paths, ..PathSet::default() });
        ingress.settings.as_mut().unwrap().spread = Settings::SPREAD_FLOWS;
        let sent = Build::udp(A, B).payload(&payload).frame();
        let mut frame = sent.clone();
        prop_assert_eq!(ingress.from_host(&mut frame), Verdict { outcome: Outcome::Plain, port: first });
        for &(port, width) in &hops {
            let port = port.get();
            let verdict = switch_with(port, width).from_fabric(&mut frame);
            prop_assert_eq!(verdict, Verdict { outcome: Outcome::Transit, port });
        }
        let verdict = edge(1).from_fabric(&mut frame);
        prop_assert_eq!(verdict, Verdict { outcome: Outcome::Delivered, port: FIRST });
        prop_assert_eq!(frame, sent);
    }

    #[test]
    fn any_frame_from_a_host_stays_as_it_is_or_goes_on(
        seed: Index, changes in vec((any::<Index>(), any::<u8>()), 0..4), cut: Index, keep: bool,
    ) {
        let seeds = seeds();
        let mut frame = seed.get(&seeds).clone();
        changes.iter().for_each(|(at, byte)| *at.get_mut(&mut frame) = *byte);
        if !keep {
            frame.truncate(cut.index(frame.len() + 1));
        }
        let mut network = Network::new();
        network.connect(Version::V1, [A, B], [1, 2]);
        for (switch, is_edge) in [(&mut network.edges[0], true), (&mut transit(), false)] {
            let mut seen = frame.clone();
            let verdict = switch.from_host(&mut seen);
            match verdict.outcome.action() {
                Action::Pass => prop_assert_eq!((&seen, verdict.port), (&frame, 0)),
                Action::Reply => prop_assert!(seen[..17] == frame[..17] && seen[18..] == frame[18..]),
                Action::Redirect => prop_assert!(is_edge && (1..=PATHS).contains(&verdict.port)),
                Action::Consume => {
                    prop_assert_eq!((&seen, verdict.outcome), (&frame, Outcome::PushedByHost));
                    prop_assert_eq!(&frame[..3], [0x02, 0x53, 0x4d]);
                }
            }
            prop_assert_eq!(seen.len(), frame.len());
        }
    }

    #[test]
    fn any_frame_from_the_fabric_changes_its_addresses_only(
        seed: Index, changes in vec((any::<Index>(), any::<u8>()), 0..4), bits: u64, is_over: bool, cut: Index,
    ) {
        let seeds = seeds();
        let mut frame = seed.get(&seeds).clone();
        changes.iter().for_each(|(at, byte)| *at.get_mut(&mut frame) = *byte);
        let route = Route::from_bits(if is_over { 1 } else { bits });
        let label = crate::route::Label::new(crate::route::Rank::new(bits as u8), bits & 8 != 0);
        let words = crate::route::PushedRoute { label, route }.words();
        frame[..12].copy_from_slice(words.map(u32::to_be_bytes).as_flattened());
        frame.truncate(cut.index(frame.len() + 1));
        let mut seen = frame.clone();
        let verdict = edge(1).from_fabric(&mut seen);
        prop_assert_eq!(seen.get(12..), frame.get(12..));
        if matches!(verdict.outcome, Outcome::NotForUs | Outcome::Unrouted) {
            prop_assert_eq!(seen, frame);
        }
    }
}

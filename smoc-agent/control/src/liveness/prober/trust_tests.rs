//! Two probers over a cable with a device in between, which knows all that passes and not the key. It may cut the cable, and
//! that is all that it may bring about.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::{
    config::{Hellos, Probes},
    liveness::{PortTarget, Reason, Trust},
};
use smoc_common::{
    map::{HelloKeys, LAYOUT_MAGIC, Port, Settings},
    memory::{self, Side},
    route::{Label, PushedRoute},
    wire::{Bytes, Frame as _},
};

const OLD: TagKey = TagKey { low: 1, high: 2 };
const NEW: TagKey = TagKey { low: 3, high: 4 };
const MS: Duration = Duration::from_millis(1);

/// One switch: its prober, its programs, and what it sends.
struct End {
    prober: Prober,
    maps: memory::Switch,
    exits: BTreeMap<(PortNumber, Role), IfIndex>,
    sent: VecDeque<Vec<u8>>,
    now: Nanos,
    id: u32,
    peer: u32,
    /// A program of an earlier version: it returns what it gets.
    is_old: bool,
}

impl Wire
    for (&mut memory::Switch, &mut BTreeMap<(PortNumber, Role), IfIndex>, &mut VecDeque<Vec<u8>>, Nanos)
{
    fn send(&mut self, _: IfIndex, route: Route, probe: Probe, key: &TagKey) -> Option<Nanos> {
        self.2.push_back(Probe { sent_at: self.3.0, ..probe }.signed(key).frame(route).to_vec());
        Some(self.3)
    }

    fn transmit(&mut self, port: PortNumber, role: Role, to: Option<IfIndex>) -> bool {
        match to {
            Some(interface) => _ = self.1.insert((port, role), interface),
            None => _ = self.1.remove(&(port, role)),
        }
        true
    }

    fn transmits(&self, port: PortNumber, role: Role) -> Option<IfIndex> {
        self.1.get(&(port, role)).copied()
    }

    fn left_behind(&self) -> BTreeSet<PortNumber> {
        BTreeSet::new()
    }

    fn received(&mut self, _: &mut dyn FnMut(IfIndex, u32)) {}

    fn sighting(&mut self) -> Option<Sighting> {
        (!self.0.sightings.is_empty()).then(|| self.0.sightings.remove(0))
    }
}

impl End {
    fn new(id: u32, peer: u32, keys: [TagKey; 2]) -> Self {
        let port = |number| PortNumber::new(number).unwrap();
        let mut maps = memory::Switch { ingress: 1, ..memory::Switch::default() };
        maps.settings = Some(Settings { magic: LAYOUT_MAGIC, port_width: 5, ..Settings::default() });
        maps.ports = BTreeMap::from([(1, Port { interface: 1, ..Port::NONE })]);
        let mut end = Self {
            prober: Prober::new(1000 + id),
            maps,
            exits: BTreeMap::new(),
            sent: VecDeque::new(),
            now: Nanos(1_000_000_000),
            id,
            peer,
            is_old: false,
        };
        end.set_keys(keys, &[]);
        assert_eq!(end.prober.targets.ports[0].number, port(1));
        end
    }

    fn set_keys(&mut self, keys: [TagKey; 2], untagged: &[u32]) {
        self.maps.hello_keys = HelloKeys { keys, responder: self.id, reserved: 0 };
        let number = PortNumber::new(1).unwrap();
        let port = PortTarget {
            number,
            interface: IfIndex(1),
            carrier: true,
            neighbor: number,
            link: 7,
            peer: self.peer,
        };
        let trust = Trust { keys, introduced: false, untagged: Arc::new(untagged.iter().copied().collect()) };
        let probes = Probes { interval: Duration::ZERO, ..Probes::default() };
        let targets =
            Targets { trust, hellos: Hellos::default(), probes, ports: vec![port], ..Targets::default() };
        let mut wire = (&mut self.maps, &mut self.exits, &mut self.sent, self.now);
        self.prober.watch(targets, self.now, &mut wire);
    }

    /// An earlier version, which knows no tags.
    fn make_old(&mut self) {
        self.is_old = true;
        self.maps.hello_keys = HelloKeys::default();
        self.prober.targets.trust = Trust::default();
    }

    fn tick(&mut self, now: Nanos) {
        self.now = now;
        let mut wire = (&mut self.maps, &mut self.exits, &mut self.sent, now);
        self.prober.tick(now, &mut wire);
    }

    /// A frame comes in; what goes out for it.
    fn receive(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let mut frame = frame.to_vec();
        if self.is_old {
            frame.truncate(if frame[3] & 0x80 == 0 { frame.len() } else { 60 });
        }
        self.maps.clock = self.now.0;
        let verdict = self.maps.run(Side::Fabric, &mut frame).verdict;
        (verdict.port != 0).then_some(frame)
    }

    fn state(&self) -> (bool, Reason) {
        let report = &self.prober.report(self.now).ports[0];
        (report.up, report.reason)
    }
}

/// Two switches and what becomes of the frames between them.
struct Cable {
    ends: [End; 2],
    now: Nanos,
}

/// A frame that a device may treat: from which end it comes.
type Device<'a> = dyn FnMut(usize, Vec<u8>, Nanos) -> Vec<(usize, Vec<u8>)> + 'a;

/// A device that passes on what comes.
fn pass(from: usize, frame: Vec<u8>, _: Nanos) -> Vec<(usize, Vec<u8>)> {
    vec![(1 - from, frame)]
}

impl Cable {
    fn new(keys: [TagKey; 2]) -> Self {
        Self { ends: [End::new(1, 2, keys), End::new(2, 1, keys)], now: Nanos(1_000_000_000) }
    }

    /// So many milliseconds pass. The device gets each frame, and says what goes where.
    fn run(&mut self, milliseconds: u32, device: &mut Device<'_>) {
        for _ in 0..milliseconds {
            self.now = self.now + MS;
            for end in &mut self.ends {
                if self.now.0.is_multiple_of(10_000_000) {
                    end.tick(self.now);
                }
            }
            let mut under_way: VecDeque<(usize, Vec<u8>)> = VecDeque::new();
            for (number, end) in self.ends.iter_mut().enumerate() {
                under_way.extend(end.sent.drain(..).map(|frame| (number, frame)));
            }
            let mut most = 100;
            while let Some((from, frame)) = under_way.pop_front() {
                for (to, frame) in device(from, frame, self.now) {
                    self.ends[to].now = self.now;
                    let back = self.ends[to].receive(&frame);
                    most -= 1;
                    under_way.extend(back.filter(|_| most > 0).map(|back| (to, back)));
                }
            }
        }
    }

    fn states(&self) -> [(bool, Reason); 2] {
        [self.ends[0].state(), self.ends[1].state()]
    }

    fn is_up(&self) -> bool {
        self.states().iter().all(|(up, _)| *up)
    }

    fn is_down(&self) -> bool {
        self.states().iter().all(|(up, _)| !*up)
    }

    fn refused(&self) -> u64 {
        self.ends.iter().map(|end| end.prober.report(self.now).refused).sum()
    }
}

const KEYED: [TagKey; 2] = [OLD, TagKey::NONE];

/// Turned round as a program would, without knowing the key.
fn thrown_back(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let (addresses, _) = Bytes(&mut frame).ethernet().unwrap();
    let PushedRoute { label, route } = PushedRoute::parse(addresses).unwrap();
    let pushed = PushedRoute { label: label.returning(), route };
    Bytes(&mut frame).set_addresses(pushed.words()).unwrap();
    frame
}

fn is_answer(frame: &[u8]) -> bool {
    let mut frame = frame.to_vec();
    let (addresses, _) = Bytes(&mut frame).ethernet().unwrap();
    PushedRoute::parse(addresses).is_some_and(|pushed| pushed.label != Label::OUTBOUND_PROBE)
}

#[test]
fn signed_hellos_keep_a_link_up_and_nothing_is_refused() {
    let mut cable = Cable::new(KEYED);
    cable.run(5000, &mut pass);
    assert!(cable.is_up());
    assert_eq!(cable.refused(), 0);
    assert_eq!(cable.ends[0].prober.report(cable.now).ports[0].flaps, 0);
}

#[test]
fn a_device_that_throws_hellos_back_makes_no_link() {
    let mut cable = Cable::new(KEYED);
    cable.run(2000, &mut pass);
    let mut device = |from: usize, frame: Vec<u8>, _| {
        let mut frames = vec![(from, thrown_back(&frame))];
        // And says that the neighbour hears.
        if !is_answer(&frame) {
            let mut probe = Probe::parse(&Bytes(&mut frame.clone())).unwrap();
            (probe.session, probe.flags) = (4711, Probe::HELLO | Probe::HEARS);
            for tag in [0, 1, probe.tag] {
                probe.tag = tag;
                frames.push((from, probe.frame(Route::END).to_vec()));
            }
        }
        frames
    };
    cable.run(400, &mut device);
    assert!(cable.is_down(), "{:?}", cable.states());
    cable.run(5000, &mut device);
    assert!(cable.is_down(), "{:?}", cable.states());
    assert_eq!(cable.states()[0].1, Reason::Distrusted);
    assert!(cable.refused() > 1000, "{}", cable.refused());
    cable.run(4000, &mut pass);
    assert!(cable.is_up(), "{:?}", cable.states());
}

#[test]
fn what_a_device_has_recorded_makes_no_link() {
    for shift in [0, 1, 1500] {
        let mut cable = Cable::new(KEYED);
        let mut tape: Vec<(Nanos, usize, Vec<u8>)> = Vec::new();
        cable.run(2000, &mut |from, frame, now| {
            tape.push((now, 1 - from, frame.clone()));
            pass(from, frame, now)
        });
        assert!(cable.is_up());
        // Cut, and played again: from the beginning, from the end, and as fast as it can.
        let begin = cable.now;
        let mut played = 0;
        let mut device = |_, _, now: Nanos| {
            let until = begin - Duration::from_millis(2000 - shift) + now.since(begin);
            let mut frames: Vec<_> = tape[tape.len().saturating_sub(30)..]
                .iter()
                .map(|(_, to, frame)| (*to, frame.clone()))
                .collect();
            while tape.get(played).is_some_and(|(at, ..)| *at <= until) {
                let (_, to, frame) = &tape[played];
                frames.push((*to, frame.clone()));
                played += 1;
            }
            frames
        };
        cable.run(800, &mut device);
        assert!(cable.is_down(), "{shift}: {:?}", cable.states());
        cable.run(3000, &mut device);
        assert!(cable.is_down(), "{shift}: {:?}", cable.states());
        assert!(cable.refused() > 100);
    }
}

#[test]
fn what_a_device_has_recorded_takes_no_link_down() {
    let mut cable = Cable::new(KEYED);
    let mut tape: Vec<(usize, Vec<u8>)> = Vec::new();
    // While the link fails both ways in turn, and with the hellos of another run of an agent.
    cable.run(500, &mut pass);
    cable.run(1000, &mut |from, frame, now| {
        tape.push((1 - from, frame.clone()));
        if from == 0 { Vec::new() } else { pass(from, frame, now) }
    });
    // Of another link of the fabric, where other switches are.
    for sequence in 0..300 {
        let elsewhere =
            Probe { session: 77, sequence, flags: Probe::HELLO | Probe::HEARS, link: 9, ..Probe::default() };
        tape.push((sequence as usize % 2, elsewhere.signed(&OLD).frame(Route::END).to_vec()));
    }
    cable.run(4000, &mut pass);
    assert!(cable.is_up());
    let flaps =
        |cable: &Cable| cable.ends.iter().map(|end| end.prober.report(cable.now).ports[0].flaps).sum::<u32>();
    let before = flaps(&cable);
    let mut at = 0;
    cable.run(2000, &mut |from, frame, now| {
        let mut frames = pass(from, frame, now);
        for _ in 0..20 {
            at = (at + 1) % tape.len();
            let (to, frame) = &tape[at];
            frames.push((*to, frame.clone()));
            frames.push((*to, thrown_back(frame)));
            // With other contents.
            let mut changed = frame.clone();
            changed[16 + at % 60] ^= 1;
            frames.push((*to, changed));
        }
        frames
    });
    assert!(cable.is_up() && flaps(&cable) == before, "{:?}", cable.states());
}

#[test]
fn a_device_that_keeps_hellos_for_a_while_wins_a_second_at_most() {
    let mut cable = Cable::new(KEYED);
    cable.run(1000, &mut pass);
    let mut kept: VecDeque<(Nanos, usize, Vec<u8>)> = VecDeque::new();
    let mut device = |from: usize, frame: Vec<u8>, now: Nanos| {
        if !is_answer(&frame) || from == 1 {
            kept.push_back((now + 1500 * MS, 1 - from, frame));
        }
        let mut frames = Vec::new();
        while kept.front().is_some_and(|(at, ..)| *at <= now) {
            frames.extend(kept.pop_front().map(|(_, to, frame)| (to, frame)));
        }
        frames
    };
    cable.run(5000, &mut device);
    assert!(cable.is_down(), "{:?}", cable.states());
    cable.run(5000, &mut device);
    assert!(cable.is_down(), "{:?}", cable.states());
}

#[test]
fn a_failure_in_one_direction_is_found_at_both_ends_as_without_a_key() {
    for from in [0, 1] {
        let mut cable = Cable::new(KEYED);
        cable.run(1000, &mut pass);
        cable.run(60, &mut |of, frame, now| if of == from { Vec::new() } else { pass(of, frame, now) });
        assert!(cable.is_down(), "{:?}", cable.states());
        assert_eq!(cable.states()[from].1, Reason::NotHeard);
        assert_eq!(cable.states()[1 - from].1, Reason::Silent);
        cable.run(1500, &mut pass);
        assert!(cable.is_up(), "{:?}", cable.states());
    }
}

#[test]
fn a_key_is_rolled_and_no_hello_is_lost() {
    let mut cable = Cable::new(KEYED);
    cable.run(1000, &mut pass);
    for keys in [[OLD, NEW], [NEW, OLD], [NEW, TagKey::NONE]] {
        for end in [0, 1] {
            cable.ends[end].set_keys(keys, &[]);
            cable.run(777, &mut pass);
            assert!(cable.is_up(), "{keys:?} at {end}: {:?}", cable.states());
        }
    }
    assert_eq!(cable.refused(), 0);
    assert_eq!(cable.ends.iter().map(|end| end.prober.report(cable.now).ports[0].flaps).sum::<u32>(), 0);
    // Who was forgotten is out, and says why.
    cable.ends[1].set_keys([OLD, TagKey::NONE], &[]);
    cable.run(400, &mut pass);
    assert!(cable.is_down(), "{:?}", cable.states());
}

#[test]
fn an_earlier_version_is_believed_once_it_is_known_to_be_one() {
    let mut cable = Cable::new(KEYED);
    cable.ends[1].make_old();
    cable.run(1000, &mut pass);
    assert_eq!(cable.states()[0], (false, Reason::Distrusted));
    cable.ends[0].set_keys(KEYED, &[2]);
    cable.run(3000, &mut pass);
    assert!(cable.is_up(), "{:?}", cable.states());
    // It is updated and says so.
    cable.ends[1] = End::new(2, 1, KEYED);
    cable.run(100, &mut pass);
    cable.ends[0].set_keys(KEYED, &[]);
    cable.run(3000, &mut pass);
    assert!(cable.is_up(), "{:?}", cable.states());
    assert_eq!(cable.ends[0].prober.report(cable.now).ports[0].flaps, 0);
}

#[test]
fn an_agent_that_starts_again_is_heard_at_once() {
    let mut cable = Cable::new(KEYED);
    cable.run(2000, &mut pass);
    let mut end = End::new(1, 2, KEYED);
    end.prober.session = 5;
    end.now = cable.now;
    cable.ends[0] = end;
    cable.run(1000, &mut pass);
    assert!(cable.is_up());
    // A failure towards the other end is still told.
    cable.run(60, &mut |of, frame, now| if of == 1 { Vec::new() } else { pass(of, frame, now) });
    assert_eq!(cable.states()[1].1, Reason::NotHeard);
}

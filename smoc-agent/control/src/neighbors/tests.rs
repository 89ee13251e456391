//! Switches that hear each other, or not, over cables that somebody plugs in and out.

use smoc_common::wire::ethernet::MacAddress;

use super::*;

const START: Nanos = Nanos(1_000_000_000_000);
const MAC: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 1]);

fn port(number: u16) -> PortNumber {
    PortNumber::new(number).unwrap()
}

fn keys(texts: &[&str]) -> Keys {
    Keys::new(texts.iter().map(|text| text.as_bytes().to_vec()).collect())
}

fn identity(switch: &str, boot: u64) -> Identity {
    Identity { switch: switch.into(), fabric: "default".into(), boot, port_width: 4 }
}

/// Switches, and cables between their ports; an end may be in two cables, as behind a hub.
struct Room {
    switches: Vec<Neighbors>,
    cables: Vec<[(usize, u16); 2]>,
    now: Nanos,
    /// Frames that are lost from now on.
    loses: bool,
    /// Switches whose agent is dead; their programs answer.
    dead: Vec<usize>,
    /// Ports that a device joins which forwards what bridges forward: to these, from those.
    joined: Vec<((usize, u16), (usize, u16))>,
    /// Loop probes that were sent.
    probes: u32,
}

impl Room {
    fn new(switches: Vec<Neighbors>, cables: &[[(usize, u16); 2]]) -> Self {
        let (cables, dead, joined) = (cables.to_vec(), Vec::new(), Vec::new());
        let mut room = Self { switches, cables, now: START, loses: false, dead, joined, probes: 0 };
        room.switches.iter_mut().for_each(|switch| switch.watch_loops(true));
        room.carriers();
        room
    }

    /// Switches a, b, c with ports 1 to 3 each.
    fn plain(cables: &[[(usize, u16); 2]]) -> Self {
        let names = ["a", "b", "c"].iter().zip(1..);
        Self::new(names.map(|(name, boot)| switch(identity(name, boot), &[])).collect(), cables)
    }

    fn carriers(&mut self) {
        for (number, switch) in self.switches.iter_mut().enumerate() {
            let ends = self.cables.iter().flatten().filter(|(at, _)| *at == number);
            switch.carriers(&ends.map(|(_, at)| port(*at)).collect(), self.now);
        }
    }

    fn plug(&mut self, cables: &[[(usize, u16); 2]]) {
        self.cables = cables.to_vec();
        self.carriers();
    }

    /// Time goes on in steps of 10 ms.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            let living = (0..self.switches.len()).filter(|number| !self.dead.contains(number));
            for number in living.collect::<Vec<_>>() {
                self.switches[number].settle(|_| true, self.now);
                for said in self.switches[number].due(|_| true, self.now) {
                    let frame = said.frame(MAC, self.switches[number].keys());
                    let from = (number, said.port().get());
                    match said {
                        Said::Advertisement(_) => self.carry(from, &frame),
                        Said::Question(..) => self.ask(from, frame),
                        Said::Loop(_) => self.forward(from, &frame),
                    }
                }
            }
            self.now = self.now + Duration::from_millis(10);
        }
    }

    /// A program at the other end makes the answer of a question.
    fn ask(&mut self, from: (usize, u16), mut frame: Vec<u8>) {
        let is_there = |end: &(usize, u16)| end.0 < self.switches.len();
        let answers = self.cables.iter().any(|ends| ends.contains(&from) && ends.iter().all(is_there));
        frame[17] = smoc_common::wire::presence::ANSWER as u8;
        if answers && !self.loses {
            self.switches[from.0].hear_presence(port(from.1), &frame, self.now);
        }
    }

    fn forward(&mut self, from: (usize, u16), frame: &[u8]) {
        self.probes += 1;
        for (_, (switch, number)) in self.joined.clone().into_iter().filter(|(at, _)| *at == from) {
            self.switches[switch].hear_presence(port(number), frame, self.now);
        }
    }

    /// A device joins these ports from now on.
    fn join(&mut self, a: (usize, u16), b: (usize, u16)) {
        self.joined.extend([(a, b), (b, a)]);
    }

    fn carry(&mut self, from: (usize, u16), frame: &[u8]) {
        for [a, b] in self.cables.clone() {
            for (at, to) in [(a, b), (b, a)] {
                if at == from && to.0 < self.switches.len() && !self.loses {
                    self.switches[to.0].hear(port(to.1), frame, self.now);
                }
            }
        }
    }

    fn standing(&self, switch: usize, at: u16) -> Standing {
        self.switches[switch].standing(port(at)).clone()
    }

    fn refusal(&self, switch: usize, at: u16) -> Refusal {
        match self.standing(switch, at) {
            Standing::Refused(refusal) => refusal,
            standing => panic!("{standing:?}"),
        }
    }
}

fn switch(identity: Identity, texts: &[&str]) -> Neighbors {
    let roles = (1..=3).map(|number| (port(number), PortRole::Auto)).collect();
    Neighbors::new(identity, keys(texts), roles)
}

fn fabric(switch: &str, at: u16) -> Standing {
    Standing::Fabric(peer(switch, at))
}

fn peer(switch: &str, at: u16) -> Peer {
    Peer { switch: switch.into(), port: port(at) }
}

const SOON: Duration = Duration::from_millis(50);

#[test]
fn two_switches_know_each_other_at_once_and_hosts_are_where_nobody_speaks() {
    let mut room = Room::plain(&[[(0, 1), (1, 2)], [(0, 2), (9, 1)]]);
    room.cables.truncate(1);
    room.switches[0].carriers(&[port(1), port(2)].into(), room.now);
    room.pass(SOON);
    assert_eq!((room.standing(0, 1), room.standing(1, 2)), (fabric("b", 2), fabric("a", 1)));
    assert_eq!(room.standing(0, 2), Standing::Undecided);
    assert_eq!(room.standing(0, 3), Standing::Undecided, "no carrier");
    room.pass(SILENT);
    assert_eq!((room.standing(0, 2), room.standing(0, 3)), (Standing::Host, Standing::Undecided));
    room.pass(Duration::from_secs(60));
    assert_eq!((room.standing(0, 1), room.standing(0, 2)), (fabric("b", 2), Standing::Host));
}

#[test]
fn a_switch_that_falls_silent_is_no_host_and_stays_one_over_a_lost_carrier() {
    let mut room = Room::plain(&[[(0, 1), (1, 1)]]);
    room.pass(SOON);
    room.loses = true;
    room.pass(Duration::from_secs(600));
    assert_eq!(room.standing(0, 1), fabric("b", 1));
    room.plug(&[]);
    room.pass(Duration::from_secs(60));
    assert_eq!(room.standing(0, 1), fabric("b", 1), "a link that is down is a link");
    room.plug(&[[(0, 1), (1, 1)]]);
    room.pass(Duration::from_secs(14));
    assert_eq!(room.standing(0, 1), fabric("b", 1));
    room.pass(Duration::from_secs(2));
    assert_eq!(room.standing(0, 1), Standing::Host, "neither LLDP nor hellos: something else is there");
}

#[test]
fn a_cable_in_another_port_is_another_neighbour_at_once() {
    let mut room = Room::plain(&[[(0, 1), (1, 1)], [(0, 2), (2, 1)]]);
    room.pass(SOON);
    room.plug(&[]);
    room.plug(&[[(0, 1), (2, 1)], [(0, 2), (1, 1)]]);
    room.pass(SOON);
    assert_eq!((room.standing(0, 1), room.standing(0, 2)), (fabric("c", 1), fabric("b", 1)));
    assert_eq!((room.standing(1, 1), room.standing(2, 1)), (fabric("a", 2), fabric("a", 1)));
}

#[test]
fn a_host_port_where_a_switch_speaks_up_is_none() {
    let mut room = Room::plain(&[[(0, 1), (1, 1)]]);
    room.loses = true;
    room.pass(SILENT + SOON);
    assert_eq!(room.standing(0, 1), Standing::Host);
    room.loses = false;
    room.pass(REPEAT + REPEAT / 5);
    assert_eq!((room.standing(0, 1), room.standing(1, 1)), (fabric("b", 1), fabric("a", 1)));
}

#[test]
fn miswired_ports_are_refused_with_what_to_do() {
    let mut room = Room::plain(&[[(0, 1), (0, 2)], [(0, 3), (1, 1)], [(0, 3), (2, 1)]]);
    room.pass(SOON);
    assert_eq!(room.refusal(0, 1), Refusal::Itself(port(2)));
    assert_eq!(room.refusal(0, 2), Refusal::Itself(port(1)));
    assert_eq!(room.refusal(0, 3), Refusal::Two(peer("b", 1), peer("c", 1)));
    let said = format!("{} {}", room.refusal(0, 1), room.refusal(0, 3));
    assert!(said.contains("unplug it") && said.contains("point to point"), "{said}");
}

#[test]
fn one_of_two_behind_a_hub_that_is_taken_out_is_forgotten() {
    let both = [[(0, 1), (1, 1)], [(0, 1), (2, 1)]];
    let mut room = Room::plain(&both);
    room.pass(SOON);
    assert!(matches!(room.refusal(0, 1), Refusal::Two(..)));
    room.cables = vec![[(0, 1), (1, 1)]];
    room.pass(Duration::from_secs(21));
    assert_eq!(room.standing(0, 1), fabric("b", 1));
}

#[test]
fn names_that_are_there_twice_are_refused() {
    let twice =
        || vec![switch(identity("a", 1), &[]), switch(identity("b", 2), &[]), switch(identity("b", 3), &[])];
    let mut room = Room::new(twice(), &[[(0, 1), (1, 1)], [(0, 2), (2, 1)]]);
    room.pass(SOON);
    // Each may be the one that was started anew, until the other speaks again.
    room.pass(REPEAT * 2 + REPEAT / 5);
    assert_eq!(
        (room.refusal(0, 1), room.refusal(0, 2)),
        (Refusal::Double(peer("b", 1)), Refusal::Double(peer("b", 1)))
    );
    let mut room = Room::new(twice(), &[[(1, 1), (2, 1)]]);
    room.pass(SOON);
    assert_eq!(room.refusal(1, 1), Refusal::Namesake(peer("b", 1)));
}

#[test]
fn an_agent_that_starts_anew_is_known_at_once_at_all_ports() {
    let cables = [[(0, 1), (1, 1)], [(0, 2), (1, 2)]];
    let mut room = Room::plain(&cables);
    room.pass(Duration::from_secs(20));
    room.switches[1] = switch(identity("b", 77), &[]);
    room.carriers();
    room.pass(SOON);
    let found = [room.standing(0, 1), room.standing(0, 2), room.standing(1, 1), room.standing(1, 2)];
    assert_eq!(found, [fabric("b", 1), fabric("b", 2), fabric("a", 1), fabric("a", 2)]);
    room.pass(Duration::from_secs(30));
    assert_eq!(room.standing(0, 1), fabric("b", 1));
}

#[test]
fn another_fabric_another_key_and_none_are_refused() {
    let other = Identity { fabric: "lab".into(), ..identity("b", 2) };
    let mut room = Room::new(vec![switch(identity("a", 1), &[]), switch(other, &[])], &[[(0, 1), (1, 1)]]);
    room.pass(SOON);
    assert_eq!(room.refusal(0, 1), Refusal::OtherFabric(peer("b", 1), "lab".into()));
    assert!(room.switches[0].refused() > 0);
    let with = |a: &[&str], b: &[&str]| {
        let switches = vec![switch(identity("a", 1), a), switch(identity("b", 2), b)];
        let mut room = Room::new(switches, &[[(0, 1), (1, 1)]]);
        room.pass(SOON);
        room.standing(0, 1)
    };
    assert_eq!(with(&["x"], &["y"]), Standing::Refused(Refusal::OtherKey(peer("b", 1))));
    assert_eq!(with(&["x"], &[]), Standing::Refused(Refusal::NoKey(peer("b", 1))));
    assert_eq!(with(&[], &["x"]), Standing::Refused(Refusal::OtherKey(peer("b", 1))));
    assert_eq!(with(&["x", "old"], &["old", "x"]), fabric("b", 1), "while keys are rolled");
}

#[test]
fn what_is_recorded_and_said_again_makes_no_neighbour() {
    let mut room = Room::plain(&[[(0, 1), (1, 1)]]);
    let mut recorded = Vec::new();
    room.pass(SOON);
    for said in [port(1)].map(|port| Advertisement {
        switch: "b".into(),
        port,
        time_to_live: 15,
        fabric: "default".into(),
        port_width: 4,
        boot: 2,
        heard: 1,
    }) {
        recorded.push(said.frame(MAC, &Keys::default()));
    }
    // The agent of a starts anew, and a host in place of b says what b once said.
    room.switches[0] = switch(identity("a", 50), &[]);
    room.cables.clear();
    room.switches[0].carriers(&[port(1)].into(), room.now);
    for _ in 0..100 {
        for frame in &recorded {
            room.switches[0].hear(port(1), frame, room.now);
        }
        room.pass(SOON);
    }
    assert_eq!(room.standing(0, 1), Standing::Undecided, "closed, and no neighbour");
}

#[test]
fn what_the_operator_says_of_a_port_counts() {
    let roles = [(1, PortRole::Host), (2, PortRole::Fabric), (3, PortRole::Off)];
    let roles = roles.map(|(number, role)| (port(number), role)).into();
    let mut a = Neighbors::new(identity("a", 1), Keys::default(), roles);
    a.carriers(&[port(1), port(2), port(3)].into(), START);
    a.settle(|_| true, START);
    assert_eq!(
        [1, 2, 3].map(|number| a.standing(port(number)).clone()),
        [Standing::Host, Standing::Undecided, Standing::Off]
    );
    let said: Vec<u16> = a.due(|_| true, START).iter().map(|said| said.port().get()).collect();
    assert_eq!(said, [1, 1, 2, 2], "who it is, and a question");
    let mut room = Room::new(vec![a, switch(identity("b", 2), &[])], &[[(0, 1), (1, 1)], [(0, 2), (1, 2)]]);
    room.pass(Duration::from_secs(1));
    assert_eq!(room.refusal(0, 1), Refusal::NotHost(peer("b", 1)));
    assert_eq!(room.standing(0, 2), fabric("b", 2));
}

#[test]
fn silence_says_nothing_new_and_frames_are_never_close() {
    let mut a = switch(identity("a", 1), &[]);
    a.carriers(&[port(1)].into(), START);
    let (mut now, mut sent) = (START, Vec::new());
    while now < START + Duration::from_secs(30) {
        now = a.next().max(now);
        a.settle(|_| true, now);
        let due = a.due(|_| true, now);
        sent.extend(due.iter().filter(|said| matches!(said, Said::Advertisement(_))).map(|_| now));
        assert!(a.next() > now, "it is not due again at once");
    }
    assert!((10..=12).contains(&sent.len()), "five at first, then one in 5 s: {sent:?}");
    // Somebody who is another one each time gets an answer every 20 ms at most.
    let from = now;
    let mut answers = 0;
    for boot in 0..1000 {
        now = now + Duration::from_millis(1);
        let said = Advertisement {
            switch: "b".into(),
            port: port(1),
            time_to_live: 15,
            fabric: "default".into(),
            port_width: 4,
            boot,
            heard: 0,
        };
        a.hear(port(1), &said.frame(MAC, &Keys::default()), now);
        answers += a.due(|_| true, now).len();
    }
    assert!(answers as u128 <= now.since(from).as_millis() / 20 + 1, "{answers}");
}

#[test]
fn a_silent_port_that_another_switch_reports_is_waited_for_and_no_host_port() {
    let mut room = Room::plain(&[[(0, 1), (1, 1)]]);
    room.loses = true;
    room.pass(SILENT + SOON);
    assert_eq!(room.standing(0, 1), Standing::Host, "the agent there is dead");
    let now = room.now;
    room.switches[0].claimed(port(1), &peer("b", 1), now);
    room.pass(SOON);
    assert_eq!(room.standing(0, 1), fabric("b", 1));
    room.pass(Duration::from_secs(16));
    assert_eq!(room.standing(0, 1), Standing::Host, "nor do hellos come back");
    let now = room.now;
    room.switches[0].claimed(port(1), &peer("b", 1), now);
    room.pass(SOON);
    assert_eq!(room.standing(0, 1), Standing::Host, "that was waited for in vain");
}

#[test]
fn a_new_cable_to_a_switch_whose_agent_is_dead_stays_closed_and_says_what_to_do() {
    let mut room = Room::plain(&[[(0, 1), (1, 1)]]);
    room.dead.push(1);
    room.pass(Duration::from_secs(600));
    assert_eq!(room.refusal(0, 1), Refusal::Silent);
    assert!(Refusal::Silent.to_string().contains("start the agent there, or unplug the cable"));
    room.dead.clear();
    room.pass(Duration::from_secs(6));
    assert_eq!((room.standing(0, 1), room.standing(1, 1)), (fabric("b", 1), fabric("a", 1)));
}

#[test]
fn who_cannot_ask_does_not_open_and_hosts_come_after_the_last_answer_could() {
    let mut a = switch(identity("a", 1), &[]);
    a.carriers(&[port(1)].into(), START);
    let (mut now, mut can_send) = (START, false);
    while now < START + Duration::from_secs(10) {
        a.settle(|_| true, now);
        a.due(|_| can_send, now);
        assert!(a.next() > now, "it is not due again at once");
        now = now + Duration::from_millis(10);
    }
    assert_eq!(*a.standing(port(1)), Standing::Undecided);
    can_send = true;
    for _ in 0..SILENT.as_millis() / 10 + 11 {
        a.settle(|_| true, now);
        a.due(|_| can_send, now);
        now = now + Duration::from_millis(10);
    }
    assert_eq!(*a.standing(port(1)), Standing::Host);
}

#[test]
fn an_answer_to_another_ones_question_says_nothing() {
    let mut room = Room::plain(&[[(0, 1), (9, 1)]]);
    let mut frame = presence::question(MAC, 77);
    frame[17] = smoc_common::wire::presence::ANSWER as u8;
    room.switches[0].hear_presence(port(1), &frame, START);
    room.pass(SILENT + SOON);
    assert_eq!(room.standing(0, 1), Standing::Host);
}

#[test]
fn a_switch_that_is_where_hosts_should_be_is_found_without_its_agent_too() {
    let roles = BTreeMap::from([(port(1), PortRole::Host)]);
    let a = Neighbors::new(identity("a", 1), Keys::default(), roles);
    let mut room = Room::new(vec![a, switch(identity("b", 2), &[])], &[[(0, 1), (1, 1)]]);
    room.dead.push(1);
    room.pass(SOON);
    assert_eq!(room.refusal(0, 1), Refusal::Silent);
}

/// Two switches with a host's port each, and a third.
fn with_hosts() -> Room {
    let mut room = Room::plain(&[[(0, 1), (9, 1)], [(1, 1), (9, 2)], [(2, 1), (9, 3)]]);
    room.cables.truncate(0);
    let carriers = [port(1)].into();
    room.switches.iter_mut().for_each(|switch| switch.carriers(&carriers, START));
    room
}

#[test]
fn of_two_open_ports_that_something_joins_the_later_one_closes_within_a_period_and_opens_when_that_is_gone() {
    let mut room = with_hosts();
    room.pass(Duration::from_secs(5));
    assert_eq!([0, 1, 2].map(|at| room.standing(at, 1)), [Standing::Host, Standing::Host, Standing::Host]);
    room.join((0, 1), (1, 1));
    room.join((1, 1), (2, 1));
    room.join((0, 1), (2, 1));
    room.pass(PERIOD + SOON);
    let expected = Refusal::Loop(peer("a", 1));
    for _ in 0..100 {
        assert_eq!(room.standing(0, 1), Standing::Host);
        assert_eq!([room.refusal(1, 1), room.refusal(2, 1)], [expected.clone(), expected.clone()]);
        room.pass(Duration::from_secs(1));
    }
    assert_eq!(room.switches.iter().map(Neighbors::loops).collect::<Vec<_>>(), [0, 1, 1]);
    room.joined.clear();
    room.pass(HOLD - PERIOD - SOON);
    assert_eq!(room.refusal(1, 1), expected);
    room.pass(PERIOD + 2 * SOON);
    assert_eq!([0, 1, 2].map(|at| room.standing(at, 1)), [Standing::Host, Standing::Host, Standing::Host]);
}

#[test]
fn a_port_that_comes_up_at_something_that_joins_it_to_an_open_one_never_opens_wherever_it_comes_in_the_order()
{
    for (first, second) in [(0, 1), (1, 0)] {
        let mut room = with_hosts();
        room.switches[second].carriers(&BTreeSet::new(), START);
        room.pass(Duration::from_secs(70));
        room.join((first, 1), (second, 1));
        room.switches[second].carriers(&[port(1)].into(), room.now);
        for _ in 0..300 {
            room.pass(Duration::from_millis(10));
            assert_eq!(room.standing(first, 1), Standing::Host);
            assert_ne!(room.standing(second, 1), Standing::Host);
        }
    }
}

#[test]
fn ports_that_come_up_together_do_not_both_stay_open() {
    let mut room = with_hosts();
    room.join((0, 1), (1, 1));
    room.pass(SILENT + Duration::from_millis(200));
    assert_eq!((room.standing(0, 1), room.refusal(1, 1)), (Standing::Host, Refusal::Loop(peer("a", 1))));
}

#[test]
fn who_hears_nothing_is_not_waited_for_and_a_port_that_hears_itself_closes() {
    let mut room = with_hosts();
    room.pass(Duration::from_secs(5));
    room.joined.push(((1, 1), (0, 1)));
    room.pass(Duration::from_secs(3));
    assert_eq!(room.standing(0, 1), Standing::Host, "the other one is given time");
    room.pass(2 * PERIOD);
    assert_eq!((room.refusal(0, 1), room.standing(1, 1)), (Refusal::Loop(peer("b", 1)), Standing::Host));
    room.joined.push(((2, 1), (2, 1)));
    room.pass(2 * PERIOD);
    assert_eq!(room.refusal(2, 1), Refusal::Loop(peer("c", 1)));
}

#[test]
fn what_is_forged_or_of_another_fabric_closes_nothing_and_what_is_replayed_only_the_port_that_it_comes_in_by()
{
    let secret = &["a key of this fabric"];
    let names = ["a", "b", "c"].iter().zip(1..);
    let mut room = Room::new(names.map(|(name, boot)| switch(identity(name, boot), secret)).collect(), &[]);
    let carriers = [port(1), port(2)].into();
    room.switches.iter_mut().for_each(|switch| switch.carriers(&carriers, START));
    room.pass(Duration::from_secs(5));
    let probe =
        LoopProbe { switch: "a".into(), port: port(1), fabric: "default".into(), boot: 1, is_open: true };
    let other = LoopProbe { fabric: "other".into(), ..probe.clone() };
    for frame in [probe.frame(MAC, &Keys::default()), other.frame(MAC, &keys(secret))] {
        room.switches[1].hear_presence(port(1), &frame, room.now);
        assert_eq!(room.standing(1, 1), Standing::Host);
    }
    assert_eq!(room.switches[1].refused(), 1);
    room.switches[1].hear_presence(port(1), &probe.frame(MAC, &keys(secret)), room.now);
    assert_eq!(room.refusal(1, 1), Refusal::Loop(peer("a", 1)));
    for (switch, number) in [(0, 1), (0, 2), (1, 2), (2, 1), (2, 2)] {
        assert_eq!(room.standing(switch, number), Standing::Host);
    }
}

#[test]
fn a_port_sends_about_one_loop_probe_a_second_and_none_where_a_switch_is_or_loops_are_not_looked_for() {
    let mut room = with_hosts();
    room.pass(Duration::from_secs(100));
    assert!((300..=320).contains(&room.probes), "{} of three ports", room.probes);
    room.join((0, 1), (1, 1));
    room.probes = 0;
    room.pass(Duration::from_secs(100));
    assert!((300..=320).contains(&room.probes), "{} of three ports", room.probes);
    let mut room = Room::plain(&[[(0, 1), (1, 1)]]);
    room.pass(Duration::from_secs(1));
    room.probes = 0;
    room.pass(Duration::from_secs(100));
    assert_eq!(room.probes, 0, "the cable joins two switches");
    let mut room = with_hosts();
    room.switches.iter_mut().for_each(|switch| switch.watch_loops(false));
    room.pass(Duration::from_secs(100));
    assert_eq!(room.probes, 0);
}

#[test]
fn cables_that_are_swapped_without_losing_carrier_and_put_back_are_known_within_seconds() {
    let right = [[(0, 1), (1, 1)], [(0, 2), (2, 1)]];
    let mut room = Room::plain(&right);
    room.pass(Duration::from_secs(20));
    room.cables = vec![[(0, 1), (2, 1)], [(0, 2), (1, 1)]];
    // By and by they speak.
    room.pass(Duration::from_secs(9));
    assert_eq!((room.standing(0, 1), room.standing(0, 2)), (fabric("c", 1), fabric("b", 1)));
    assert_eq!((room.standing(1, 1), room.standing(2, 1)), (fabric("a", 2), fabric("a", 1)));
    for swapped in [1500, 2500, 4000, 7000] {
        room.cables = vec![[(0, 1), (2, 1)], [(0, 2), (1, 1)]];
        room.pass(Duration::from_millis(swapped));
        room.cables = right.to_vec();
        room.pass(Duration::from_secs(9));
        assert_eq!((room.standing(0, 1), room.standing(0, 2)), (fabric("b", 1), fabric("c", 1)));
    }
}

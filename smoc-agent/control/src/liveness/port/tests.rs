//! Ports whose links fail in every way.

use super::*;

const RULES: Hellos =
    Hellos { interval: Duration::from_millis(10), multiplier: 3, hold_down: Duration::from_secs(1) };
const MS: u64 = 1_000_000;

/// What the link does to a hello.
#[derive(Clone, Copy, Default)]
struct Link {
    echo: bool,
    neighbor: Option<bool>,
    frames: bool,
}

const GOOD: Link = Link { echo: true, neighbor: Some(true), frames: true };
const DEAD: Link = Link { echo: false, neighbor: None, frames: false };

struct Bench {
    port: Port,
    now: Nanos,
    frames: u64,
}

impl Bench {
    fn new(port: Port) -> Self {
        Self { port, now: Nanos(1000 * MS), frames: 0 }
    }

    fn fresh() -> Self {
        Self::new(Port::new(RULES, true, false, Nanos(1000 * MS)))
    }

    /// One tick as the prober does it; whether the port changed.
    fn tick(&mut self, link: Link) -> bool {
        self.now = self.now + RULES.interval;
        self.port.judge(self.now);
        self.frames += u64::from(link.frames);
        if self.port.wants_frames() {
            self.port.received(self.frames, self.now);
        }
        let changed = self.port.decide(self.now);
        let sequence = self.port.next_sequence();
        self.port.sent(self.now);
        let soon = self.now + Duration::from_micros(50);
        if link.echo {
            self.port.returned(sequence, self.now, soon);
        }
        if let Some(hears) = link.neighbor {
            self.port.told(hears, soon);
        }
        changed
    }

    /// How many ticks until the port changes.
    fn until_change(&mut self, link: Link, most: usize) -> Option<usize> {
        (1..=most).find(|_| self.tick(link))
    }
}

#[test]
fn three_missed_hellos_in_a_row_take_it_down_and_a_second_of_answers_up() {
    let mut bench = Bench::fresh();
    assert_eq!(bench.until_change(GOOD, 1000), None);
    assert_eq!(bench.until_change(DEAD, 100), Some(4), "3 hellos and an interval for the last one");
    assert_eq!((bench.port.is_up(), bench.port.reason()), (false, Reason::Silent));
    assert!(!bench.port.hears());
    assert_eq!(bench.until_change(GOOD, 1000), Some(102));
    assert_eq!((bench.port.is_up(), bench.port.reason()), (true, Reason::Recovered));
    assert_eq!((bench.port.failures(), bench.port.hold_down_left(bench.now)), (1, None));
}

#[test]
fn a_port_that_flaps_is_held_longer() {
    let mut bench = Bench::fresh();
    bench.tick(GOOD);
    for expected in [102, 202, 402] {
        assert_eq!(bench.until_change(DEAD, 100), Some(4));
        assert_eq!(bench.until_change(GOOD, 1000), Some(expected));
    }
}

#[test]
fn a_dead_agent_at_the_far_end_changes_nothing() {
    assert_eq!(Bench::fresh().until_change(Link { neighbor: None, ..GOOD }, 1000), None);
}

#[test]
fn any_frame_counts_as_life() {
    let link = Link { frames: true, neighbor: Some(true), ..DEAD };
    assert_eq!(Bench::fresh().until_change(link, 1000), None, "the neighbour hears us");
    let link = Link { frames: true, ..DEAD };
    assert_eq!(Bench::fresh().until_change(link, 1000), Some(31), "nobody says that we are heard");
}

#[test]
fn one_direction_that_fails_takes_it_down_at_both_ends() {
    let mut deaf = Bench::fresh();
    assert_eq!(deaf.until_change(DEAD, 100), Some(4));
    let mut bench = Bench::fresh();
    bench.tick(GOOD);
    let link = Link { echo: false, neighbor: Some(true), frames: true };
    assert_eq!(bench.until_change(link, 3), None, "the neighbour does not know yet");
    assert!(bench.until_change(Link { neighbor: Some(false), ..link }, 2).is_some());
    assert_eq!(bench.port.reason(), Reason::NotHeard);
    assert!(bench.port.hears(), "the neighbour is heard");
}

#[test]
fn an_agent_that_got_no_processor_finds_nothing_dead() {
    let mut bench = Bench::fresh();
    bench.tick(GOOD);
    for _ in 0..100 {
        bench.now = bench.now + Duration::from_millis(300);
        assert!(!bench.tick(GOOD), "one hello at most is missed in each gap");
    }
}

#[test]
fn an_agent_that_sends_nothing_finds_nothing_dead() {
    let mut port = Bench::fresh().port;
    for ms in 1000..5000 {
        port.judge(Nanos(ms * MS));
        assert!(!port.decide(Nanos(ms * MS)));
    }
}

#[test]
fn lost_carrier_counts_at_once_and_needs_the_hold_down() {
    let mut bench = Bench::fresh();
    bench.tick(GOOD);
    assert!(bench.port.set_carrier(false, bench.now));
    assert_eq!(bench.port.reason(), Reason::NoCarrier);
    assert!(!bench.port.set_carrier(true, bench.now) && !bench.port.is_up());
    assert_eq!(bench.until_change(GOOD, 1000), Some(102));
}

#[test]
fn a_neighbor_that_starts_later_is_no_failure() {
    let mut bench = Bench::fresh();
    assert_eq!(bench.until_change(DEAD, 100), Some(4));
    assert_eq!(bench.until_change(GOOD, 1000), Some(5), "a limit after the first answer");
    assert_eq!(bench.port.failures(), 0);
}

#[test]
fn a_missed_hello_starts_the_hold_down_again() {
    let mut bench = Bench::new(Port::new(RULES, true, true, Nanos(1000 * MS)));
    assert_eq!(bench.until_change(GOOD, 90), None);
    assert!(!bench.tick(DEAD));
    assert_eq!(bench.until_change(GOOD, 1000), Some(102));
}

#[test]
fn without_hellos_carrier_alone_counts() {
    let rules = Hellos { interval: Duration::ZERO, ..RULES };
    let mut port = Port::new(rules, true, true, Nanos(0));
    assert!(!port.decide(Nanos(0)) && port.decide(Nanos(1000 * MS)));
    assert!(!port.decide(Nanos(2000 * MS)) && port.is_up());
    assert!(port.set_carrier(false, Nanos(2000 * MS)));
    port.set_carrier(true, Nanos(2001 * MS));
    assert!(!port.decide(Nanos(2002 * MS)) && !port.decide(Nanos(4001 * MS)));
    assert!(port.decide(Nanos(4002 * MS)), "twice as long the second time");
}

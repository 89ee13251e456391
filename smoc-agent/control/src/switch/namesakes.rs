//! Two switches of one name, wherever in the fabric they are.
//!
//! A switch of which another run of its agent takes over is heard with a new boot number, and never again with the old one, but for
//! what the network remembers of the earlier run, which may come late and from several sides. So those who are heard with two boot
//! numbers in turn, [`ALIVE`] times with something new to say, are two switches. Everybody then listens to the one that has the lower boot number, which is the one that runs for longer, and to the
//! other no more, until one of them has not been heard for [`SILENCE`] or a third boot number comes. The other one speaks every
//! [`SELDOM`] only, so that those who start meanwhile hear of it too.

use std::{collections::BTreeMap, time::Duration};

use crate::clock::Nanos;

/// A switch that is not listened to says so often who it is.
pub(super) const SELDOM: Duration = Duration::from_secs(30);
/// Two of one name are one again when one of them was not heard for so long.
const SILENCE: Duration = Duration::from_secs(70);
/// So often a run of an agent has to say something that only one that is alive can say.
const ALIVE: u32 = 3;

/// Max number of names: more than any network has switches.
const MOST: usize = 65_536;

/// What to make of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// It is the only switch of that name, or the one that is listened to.
    Heeded,
    /// Another switch of that name, which says something new: only to be passed on.
    Other,
    /// The same, and nothing new.
    Known,
}

/// One run of an agent.
#[derive(Clone, Copy, Debug)]
struct Run {
    boot: u64,
    sequence: u64,
    heard: Nanos,
}

/// The runs of agents of one name: the one that is listened to, and another one.
#[derive(Clone, Debug)]
struct Name {
    heeded: Run,
    other: Option<Run>,
    /// How often the one that was not heard last had something new to say.
    turns: u32,
}

impl Name {
    /// Whether both are known to be there.
    const fn is_double(&self) -> bool {
        self.turns >= ALIVE
    }
}

/// Who is heard under which name.
#[derive(Clone, Debug, Default)]
pub(super) struct Namesakes {
    names: BTreeMap<String, Name>,
    /// Another switch of this one's name, and how often it has known what this one has said.
    own: Option<(Run, u32)>,
}

impl Namesakes {
    /// A switch announces something.
    pub(super) fn heard(&mut self, origin: &str, boot: u64, sequence: u64, now: Nanos) -> Voice {
        let run = Run { boot, sequence, heard: now };
        let has_room = self.names.len() < MOST;
        let Some(name) = self.names.get_mut(origin) else {
            if !has_room {
                return Voice::Heeded;
            }
            self.names.insert(origin.to_owned(), Name { heeded: run, other: None, turns: 0 });
            return Voice::Heeded;
        };
        let latest = name.heeded.sequence.max(name.other.map_or(0, |other| other.sequence));
        if boot == name.heeded.boot {
            if sequence > name.heeded.sequence {
                name.heeded = run;
            }
            return Voice::Heeded;
        }
        let Some(other) = name.other.filter(|other| other.boot == boot) else {
            // A run that was not heard before, and that begins behind the others as each does.
            if sequence > latest {
                *name = Name { heeded: run, other: Some(name.heeded), turns: 0 };
            }
            return Voice::Heeded;
        };
        if name.is_double() {
            let is_news = sequence > other.sequence;
            name.other = Some(if is_news { run } else { other });
            return if is_news { Voice::Other } else { Voice::Known };
        }
        // Of a run that was over there is nothing new.
        if sequence <= latest {
            return Voice::Heeded;
        }
        let turns = name.turns + 1;
        let is_first = turns < ALIVE || boot < name.heeded.boot;
        let (heeded, other) = if is_first { (run, name.heeded) } else { (name.heeded, run) };
        *name = Name { heeded, other: Some(other), turns };
        if is_first { Voice::Heeded } else { Voice::Other }
    }

    /// A switch of this one's name announces something, this one having said `said` last.
    pub(super) fn heard_own(&mut self, boot: u64, sequence: u64, said: u64, now: Nanos) {
        let run = Run { boot, sequence, heard: now };
        let before = self.own.filter(|(other, _)| other.boot == boot);
        let count = before.map_or(0, |(_, count)| count);
        let is_later = before.is_none_or(|(other, _)| sequence > other.sequence);
        if sequence >= said && is_later {
            self.own = Some((run, count.saturating_add(1)));
        } else if let Some((other, _)) = &mut self.own
            && other.boot == boot
            && is_later
        {
            *other = run;
        }
    }

    /// Whether another switch has this one's name, and is the one that others listen to.
    pub(super) fn is_second(&self, boot: u64) -> bool {
        self.own.is_some_and(|(other, count)| count >= ALIVE && other.boot < boot)
    }

    /// Forgets whom nobody has heard for long; whether [`Namesakes::warnings`] are others.
    pub(super) fn expire(&mut self, now: Nanos) -> bool {
        let is_gone = |run: &Run| now.since(run.heard) >= SILENCE;
        let mut changed = false;
        for name in self.names.values_mut() {
            let Some(other) = name.other.filter(|other| is_gone(other) || is_gone(&name.heeded)) else {
                continue;
            };
            changed |= name.is_double();
            if name.is_double() && is_gone(&name.heeded) {
                name.heeded = other;
            }
            (name.other, name.turns) = (None, 0);
        }
        if self.own.is_some_and(|(other, _)| is_gone(&other)) {
            changed |= self.own.is_some_and(|(_, count)| count >= ALIVE);
            self.own = None;
        }
        changed
    }

    /// How many names have two switches.
    pub(super) fn count(&self) -> usize {
        let doubles = self.names.values().filter(|name| name.is_double()).count();
        doubles + usize::from(self.own.is_some_and(|(_, count)| count >= ALIVE))
    }

    /// What to say of them, and what to do.
    pub(super) fn warnings(&self, own: &str, boot: u64) -> Vec<String> {
        let doubles = self.names.iter().filter(|(_, name)| name.is_double());
        let all = doubles.map(|(name, _)| {
            format!(
                "two switches are called {name}: change switch in the configuration of one; until then only the one that runs for \
                 longer is listened to"
            )
        });
        let own = self.own.filter(|(_, count)| *count >= ALIVE).map(|(other, _)| {
            let whom = if other.boot < boot { "it is" } else { "this one is" };
            format!(
                "another switch is called {own} too: change switch in the configuration of one; until then only the one that runs \
                 for longer is listened to, and {whom}"
            )
        });
        all.chain(own).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::{
        Effect,
        tests::{Bench, own_sequences},
    };

    fn at(seconds: u64) -> Nanos {
        Nanos(1_000_000_000_000) + Duration::from_secs(seconds)
    }

    #[test]
    fn two_that_speak_in_turn_are_two_and_the_older_one_is_heeded_by_all() {
        for first in [1, 2] {
            let mut names = Namesakes::default();
            let second = 3 - first;
            assert_eq!(names.heard("x", first, 10, at(0)), Voice::Heeded);
            assert_eq!(names.heard("x", second, 11, at(1)), Voice::Heeded, "it may have started again");
            for (boot, sequence) in [(first, 12), (second, 13)] {
                names.heard("x", boot, sequence, at(2));
                assert_eq!(names.count(), 0, "what is remembered of an earlier run may come late");
            }
            names.heard("x", first, 14, at(2));
            assert_eq!(names.count(), 1);
            for sequence in 15..20 {
                assert_eq!(names.heard("x", 2, sequence, at(3)), Voice::Other);
                assert_eq!(names.heard("x", 2, sequence, at(3)), Voice::Known);
                assert_eq!(names.heard("x", 1, sequence, at(3)), Voice::Heeded);
            }
            let said = names.warnings("y", 9);
            assert!(said[0].starts_with("two switches are called x: change switch"), "{said:?}");
        }
    }

    #[test]
    fn a_switch_that_starts_again_and_again_is_one() {
        let mut names = Namesakes::default();
        for boot in 1..20 {
            let sequence = boot * 10;
            // What the network remembers of earlier runs comes late.
            for (boot, sequence) in [(boot, sequence), (boot - 1, sequence - 9), (boot, sequence + 1)] {
                assert_eq!(names.heard("x", boot, sequence, at(boot)), Voice::Heeded);
            }
        }
        assert_eq!(names.count(), 0);
    }

    #[test]
    fn a_switch_whose_clock_was_set_back_before_it_started_again_is_one() {
        let mut names = Namesakes::default();
        // It begins behind what the network remembers of its earlier run, and goes on beyond that when it has heard it.
        for (boot, sequence) in [(2, 5), (1, 10), (2, 6), (2, 11), (1, 10), (1, 9), (2, 12)] {
            assert_eq!(names.heard("x", boot, sequence, at(0)), Voice::Heeded);
        }
        assert_eq!(names.count(), 0);
        assert!(!names.expire(at(100)));
    }

    #[test]
    fn it_is_over_when_one_is_not_heard_any_more() {
        for gone in [1, 2] {
            let mut names = Namesakes::default();
            for (boot, sequence) in [(1, 8), (2, 9), (1, 10), (2, 11), (1, 12)] {
                names.heard("x", boot, sequence, at(0));
            }
            let left = 3 - gone;
            for second in 1..80 {
                names.heard("x", left, 12 + second, at(second));
                assert_eq!(names.expire(at(second)), second == 70, "after {second} s");
            }
            assert_eq!((names.count(), names.heard("x", left, 500, at(81))), (0, Voice::Heeded));
        }
    }

    #[test]
    fn a_switch_knows_another_one_of_its_name_by_what_that_answers() {
        let mut names = Namesakes::default();
        for (sequence, said) in [(100, 50), (90, 101), (100, 101)] {
            names.heard_own(5, sequence, said, at(0));
        }
        assert_eq!(names.count(), 0, "what is remembered of an earlier run");
        for said in [102, 104] {
            names.heard_own(5, said + 1, said, at(0));
        }
        assert_eq!(names.count(), 1);
        assert!(names.is_second(6) && !names.is_second(4));
        assert!(
            names.warnings("x", 6)[0].ends_with("and it is")
                && names.warnings("x", 4)[0].ends_with("this one is")
        );
        assert!(!names.expire(at(60)) && names.expire(at(71)) && names.count() == 0);
    }

    /// What of a port's state another switch has announced counts.
    fn down(bench: &Bench) -> Vec<u16> {
        bench.switch.links.down_at("e2").map(|port| port.number.get()).collect()
    }

    #[test]
    fn of_two_switches_of_one_name_one_counts_and_the_other_is_told_on() {
        let mut bench = Bench::settled();
        let mut sequence = 10;
        let mut both = |bench: &mut Bench| {
            let mut passed_on = 0;
            for (boot, port) in [(5, 1), (3, 2)] {
                sequence += 1;
                let effects = bench.announced_by(("e2", boot), sequence, &[port]);
                passed_on += effects.iter().filter(|effect| matches!(effect, Effect::Send(..))).count();
            }
            passed_on
        };
        both(&mut bench);
        both(&mut bench);
        for _ in 0..10 {
            bench.pass(Duration::from_secs(1));
            assert_eq!((both(&mut bench), down(&bench)), (2, vec![2]), "out of the other port, both of them");
        }
        let said = |bench: &mut Bench| -> Vec<String> {
            let warnings = bench.snapshot().warnings.into_iter();
            warnings.filter(|said| said.contains("change switch in the configuration of one")).collect()
        };
        assert_eq!(said(&mut bench).len(), 1);
        for _ in 0..80 {
            bench.pass(Duration::from_secs(1));
            sequence += 1;
            bench.announced_by(("e2", 5), sequence, &[1]);
        }
        assert_eq!((said(&mut bench).len(), down(&bench)), (0, vec![1]), "the other one is gone");
    }

    #[test]
    fn a_switch_whose_name_an_older_one_has_speaks_seldom_and_says_so() {
        for (other, spoken) in [(0, 1..=4), (2, 500..=700)] {
            let mut bench = Bench::settled();
            let mut count = 0;
            for _ in 0..600 {
                let sequence = bench.switch.announcer.number().1 + 1;
                let mut effects = bench.announced_by(("e1", other), sequence, &[]);
                effects.extend(bench.pass(Duration::from_millis(100)));
                count += own_sequences(&effects, bench.now).len();
            }
            assert!(spoken.contains(&count), "{count} times in a minute beside {other}");
            let said = bench.snapshot().warnings;
            assert!(said.iter().any(|said| said.contains("another switch is called e1 too")), "{said:?}");
            bench.pass(Duration::from_secs(80));
            assert!(bench.snapshot().warnings.iter().all(|said| !said.contains("another switch")));
            let effects = bench.pass(Duration::from_secs(20));
            assert!(own_sequences(&effects, bench.now).len() >= 3, "it speaks as before");
        }
    }
}

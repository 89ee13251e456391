//! What goes wrong in a run, and when: drawn from the seed, everything ends again before the run does.

use std::time::Duration;

use smoc_control::clock::Nanos;
use smoc_paths::topology::generate::Random;

use crate::network::Network;

/// Something that happens to the fabric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A cable works in each direction or not, and each end sees carrier or not.
    Link {
        /// Which.
        link: u32,
        /// Whether frames from this end arrive.
        works: [bool; 2],
        /// Whether this end sees carrier.
        carrier: [bool; 2],
    },
    /// A cable loses so many frames in a thousand.
    Loss(u32, u16),
    /// Two cables are swapped at their second ends, or put back.
    Swap(u32, u32),
    /// The agent's process stops, or goes on.
    Stopped(u32, bool),
    /// The agent takes everything in so late.
    Slow(u32, Duration),
    /// The agent is killed.
    Kill(u32),
    /// An agent starts.
    Start(u32),
    /// The switch loses power, and with it its maps; its cables lose carrier.
    PowerLoss(u32),
    /// It has power again.
    PowerBack(u32),
    /// All cables of the switch fall silent, or work again.
    Silent(u32, bool),
    /// The agent is to use so many bits for port numbers, from its next start on.
    Width(u32, u8),
    /// The agent is given another topology file.
    File(u32, usize),
    /// A host moves to a spare port.
    Move(u32, (u32, u16)),
    /// Maps cannot be written, or can.
    RefuseMaps(u32, bool),
    /// Programs cannot be attached, or can.
    RefusePrograms(u32, bool),
    /// Bridge port states cannot be set, or can.
    RefuseBridge(u32, bool),
    /// Packet sockets cannot be opened, or can.
    RefuseSockets(u32, bool),
    /// The interface of a port (its place) is there or not.
    Interface(u32, u16, bool),
    /// The transmitter of a port (its place) hangs, or not.
    Hang(u32, u16, bool),
    /// Somebody takes a host out of the map, and the program off the first port.
    Vandal(u32),
    /// An interface that is not smoc's changes.
    Foreign(u32),
    /// An operator applies a policy there, the one of this number.
    Policy(u32, u32),
}

/// A fault and its time.
pub type Timed = (Nanos, Fault);

/// Faults begin after this.
pub const FIRST: Duration = Duration::from_secs(5);
/// They begin within this time.
const PERIOD: Duration = Duration::from_secs(4);
/// A rollout of files takes no longer than this, and half of it as a rule.
const ROLLOUT: Duration = Duration::from_secs(16);

/// Draws episodes, each something that goes wrong and is put right again; sorted by when they begin.
pub fn draw(network: &Network, random: &mut Random) -> Vec<Vec<Timed>> {
    let mut draw = Draw { network, faults: Vec::new(), busy: Vec::new() };
    let mut episodes = Vec::new();
    for _ in 0..random.below(7) {
        draw.episode(random);
        let episode = std::mem::take(&mut draw.faults);
        episodes.extend((!episode.is_empty()).then_some(episode));
    }
    if network.is_discovered() {
        draw.width(&mut Random(!random.0));
        episodes.extend(Some(draw.faults).filter(|episode| !episode.is_empty()));
    }
    episodes.sort_by_key(|episode| episode[0].0);
    episodes
}

/// Draws operators who apply one policy after the other, some of them at once; from a seed of its own, so that all other faults are the
/// same with and without them.
pub fn policies(network: &Network, seed: u64) -> Vec<Timed> {
    let mut random = Random(seed ^ 0x706f_6c69_6379);
    let mut all = Vec::new();
    for _ in 0..2 + random.below(6) {
        let at = Nanos(0) + FIRST + PERIOD.mul_f64(random.unit());
        for _ in 0..1 + random.below(2) {
            let node = random.below(network.names.len()) as u32;
            all.push((at, Fault::Policy(node, random.below(1000) as u32)));
        }
    }
    all.sort_by_key(|(at, _)| *at);
    all
}

/// The text of a policy, by its number; none for some.
pub fn policy(network: &Network, number: u32) -> String {
    let at = number as usize;
    let name = &network.names[at % network.names.len()];
    let [a, b] = network.cables[at % network.cables.len()].ends;
    let cable = format!("{}:{}-{}:{}", network.names[a.0 as usize], a.1, network.names[b.0 as usize], b.1);
    match number % 6 {
        0 => format!("rules: [{{name: r{number}, between: [any, any], avoid: [\"{name}\"]}}]"),
        1 => format!("rules: [{{name: r{number}, between: [any, any], avoid: [\"{cable}\"]}}]"),
        2 => format!("rules: [{{name: r{number}, between: [any, 0.0.0.0/0], ranks: [{}, 0]}}]", 1 + at % 3),
        3 => format!(
            "rules: [{{name: a{number}, between: [10.0.0.0/31, any], count: 1, avoid: [\"{name}\"]}}, \
             {{between: [any, any], policy: shortest, avoid: [\"{cable}\"]}}]"
        ),
        4 => format!("rules: [{{name: r{number}, between: [any, any], count: 2}}]"),
        _ => String::new(),
    }
}

/// What an episode changes: no two at once change the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Link(u32),
    Switch(u32),
    Host,
    Files,
}

struct Draw<'a> {
    network: &'a Network,
    faults: Vec<Timed>,
    busy: Vec<Part>,
}

impl Draw<'_> {
    /// Something that goes wrong and is put right again.
    fn episode(&mut self, random: &mut Random) {
        let begin = Nanos(0) + FIRST + PERIOD.mul_f64(random.unit());
        let end = begin
            + Duration::from_micros([20_000, 300_000, 1_500_000, 3_000_000][random.below(4)])
                .mul_f64(0.5 + random.unit());
        let old = self.old_switches();
        let switch = old[random.below(old.len())];
        match random.below(20) {
            0..8 => self.link(begin, end, random),
            8 => self.files(begin, random),
            9 => self.host(begin, random),
            10 => self.swap(begin, end, random),
            _ if self.take(Part::Switch(switch)) => self.switch(switch, begin, end, random),
            _ => {}
        }
    }

    fn old_switches(&self) -> Vec<u32> {
        (0..self.network.names.len())
            .filter(|switch| self.network.is_old(*switch))
            .map(|switch| switch as u32)
            .collect()
    }

    fn take(&mut self, part: Part) -> bool {
        let free = !self.busy.contains(&part);
        self.busy.push(part);
        free
    }

    fn pair(&mut self, begin: Nanos, fault: Fault, end: Nanos, undo: Fault) {
        self.faults.push((begin, fault));
        self.faults.push((end, undo));
    }

    fn link(&mut self, begin: Nanos, end: Nanos, random: &mut Random) {
        let old = self.network.cables.iter().filter(|cable| cable.in_file[0]).count();
        let link = random.below(old) as u32;
        if !self.take(Part::Link(link)) {
            return;
        }
        let whole = Fault::Link { link, works: [true; 2], carrier: [true; 2] };
        let one = random.below(2);
        let but_one = [one != 0, one != 1];
        let fault = match random.below(6) {
            0 | 1 => Fault::Link { link, works: [false; 2], carrier: [false; 2] },
            2 => Fault::Link { link, works: [false; 2], carrier: [true; 2] },
            3 => Fault::Link { link, works: but_one, carrier: [true; 2] },
            4 => Fault::Link { link, works: [false; 2], carrier: but_one },
            _ => {
                let loss = [50, 200, 500][random.below(3)];
                return self.pair(begin, Fault::Loss(link, loss), end, Fault::Loss(link, 0));
            }
        };
        if random.below(6) == 0 {
            // A link that flaps.
            let step = Duration::from_millis(5 + random.below(300) as u64);
            for flap in 0..2 + random.below(4) as u32 {
                self.faults.push((begin + step * (2 * flap), fault.clone()));
                self.faults.push((begin + step * (2 * flap + 1), whole.clone()));
            }
            return;
        }
        self.pair(begin, fault, end, whole);
    }

    fn swap(&mut self, begin: Nanos, end: Nanos, random: &mut Random) {
        let old = self.network.cables.iter().filter(|cable| cable.in_file[0]).count();
        let (a, b) = (random.below(old) as u32, random.below(old) as u32);
        if a != b && self.take(Part::Link(a)) && self.take(Part::Link(b)) {
            self.pair(begin, Fault::Swap(a, b), end, Fault::Swap(a, b));
        }
    }

    /// All agents are given the second file one by one, in any order; a switch that is new starts at some time. Its cable is
    /// there from the first on; one between switches that are joined already comes when all know of it or, where agents have no
    /// file, at any time, often while an agent at one of its ends or at both is dead.
    fn files(&mut self, begin: Nanos, random: &mut Random) {
        if !self.take(Part::Files) {
            return;
        }
        let mut order: Vec<u32> = (0..self.network.names.len() as u32).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, random.below(last + 1));
        }
        let step = ROLLOUT.as_millis() as usize / order.len().max(20);
        let mut at = begin;
        let link = self.network.cables.len() as u32 - 1;
        let plug_in = Fault::Link { link, works: [true; 2], carrier: [true; 2] };
        let has_leaf = order.iter().any(|switch| !self.network.is_old(*switch as usize));
        if has_leaf {
            self.faults.push((at, plug_in.clone()));
        }
        for switch in order {
            self.faults.push((at, Fault::File(switch, 1)));
            if !self.network.is_old(switch as usize) {
                self.faults.push((at, Fault::Start(switch)));
            }
            at = at + Duration::from_millis(1 + random.below(step) as u64);
        }
        if !has_leaf && !self.network.is_discovered() {
            self.faults.push((at + Duration::from_secs(1), plug_in));
        } else if !has_leaf {
            self.plug_in_between(begin, plug_in);
        }
    }

    /// A cable that joins switches which are joined already: a loop, if an end of it opens. Drawn from the time, so that
    /// all else stays as it is.
    fn plug_in_between(&mut self, begin: Nanos, plug_in: Fault) {
        let mut random = Random(begin.0);
        let mut later = |most: usize| Duration::from_millis(1 + random.below(most) as u64);
        let (dies, plugged) = (begin + later(200), begin + Duration::from_millis(201) + later(1000));
        let starts: Vec<Nanos> = (0..2).map(|_| plugged + later(3000)).collect();
        let which = random.below(4);
        let ends = self.network.cables.last().map(|cable| cable.ends.map(|(switch, _)| switch));
        for (end, switch) in ends.into_iter().flatten().enumerate() {
            if which & 1 << end != 0 && self.take(Part::Switch(switch)) {
                self.pair(dies, Fault::Kill(switch), starts[end], Fault::Start(switch));
            }
        }
        self.faults.push((plugged, plug_in));
    }

    /// In every fourth run an agent is started again with another width of port numbers. Drawn by itself, so that all else stays as
    /// it is.
    fn width(&mut self, random: &mut Random) {
        let old = self.old_switches();
        let switch = old[random.below(old.len())];
        if random.below(4) == 0 && self.take(Part::Switch(switch)) {
            let begin = Nanos(0) + FIRST + PERIOD.mul_f64(random.unit());
            let bits = [6, 7, 10][random.below(3)];
            self.faults.extend([(begin, Fault::Kill(switch)), (begin, Fault::Width(switch, bits))]);
            let start = begin + Duration::from_millis(1 + random.below(200) as u64);
            self.faults.push((start, Fault::Start(switch)));
        }
    }

    fn host(&mut self, begin: Nanos, random: &mut Random) {
        let host = random.below(self.network.hosts.len());
        if self.network.spare.is_empty() || self.network.hosts[host].declared || !self.take(Part::Host) {
            return;
        }
        let to = self.network.spare[random.below(self.network.spare.len())];
        self.faults.push((begin, Fault::Move(host as u32, to)));
    }

    fn switch(&mut self, switch: u32, begin: Nanos, end: Nanos, random: &mut Random) {
        let port = random.below(self.network.ports[switch as usize].len()) as u16;
        let (fault, undo) = match random.below(12) {
            0 => (Fault::Stopped(switch, true), Fault::Stopped(switch, false)),
            1 => {
                let late = Duration::from_millis(1 + random.below(200) as u64);
                (Fault::Slow(switch, late), Fault::Slow(switch, Duration::ZERO))
            }
            2 | 3 => (Fault::Kill(switch), Fault::Start(switch)),
            4 => (Fault::PowerLoss(switch), Fault::PowerBack(switch)),
            5 => (Fault::Silent(switch, true), Fault::Silent(switch, false)),
            6 => (Fault::RefuseMaps(switch, true), Fault::RefuseMaps(switch, false)),
            7 => {
                let refusal = random.below(3);
                let fault = [Fault::RefusePrograms, Fault::RefuseBridge, Fault::RefuseSockets][refusal];
                (fault(switch, true), fault(switch, false))
            }
            8 => (Fault::Interface(switch, port, false), Fault::Interface(switch, port, true)),
            9 => (Fault::Hang(switch, port, true), Fault::Hang(switch, port, false)),
            10 => (Fault::Vandal(switch), Fault::Foreign(switch)),
            _ => {
                // An upgrade: the agent ends and another one starts a moment later.
                let soon = begin + Duration::from_millis(1 + random.below(200) as u64);
                return self.pair(begin, Fault::Kill(switch), soon, Fault::Start(switch));
            }
        };
        self.pair(begin, fault, end, undo);
    }
}

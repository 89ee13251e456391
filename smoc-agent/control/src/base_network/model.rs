//! A network of agreements in virtual time: statements are late, lost, repeated and overtaken, commands to the kernel and news
//! of it lag behind, agents die and start again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use smoc_common::route::PortNumber;
use smoc_paths::topology::generate::Random;

use super::{Agreement, Neighbor, Seen, Statement, Tree};
use crate::{
    clock::Nanos,
    interfaces::BridgePort::{self, Closed, Forwarding},
};

const MILLISECOND: u64 = 1_000_000;

pub(super) type End = (String, PortNumber);

/// How unruly the world is.
#[derive(Clone, Copy)]
pub(super) struct Unruly {
    /// The longest delays, in milliseconds.
    pub message: usize,
    pub kernel: usize,
    /// Of 100.
    pub lost: usize,
    pub repeated: usize,
}

pub(super) const CALM: Unruly = Unruly { message: 2, kernel: 5, lost: 0, repeated: 0 };

pub(super) struct World {
    pub now: Nanos,
    pub random: Random,
    pub unruly: Unruly,
    pub boxes: BTreeMap<String, Switch>,
    pub links: Vec<[End; 2]>,
    /// Links without carrier.
    pub cut: BTreeSet<usize>,
    flying: Vec<(Nanos, End, Statement)>,
    boots: u64,
}

pub(super) struct Switch {
    /// What the kernel does, which a dead agent does not change.
    pub forwards: BTreeMap<PortNumber, bool>,
    /// What the agent knows the tree to be, or will when it starts.
    pub tree: Tree,
    pub agent: Option<Agent>,
}

pub(super) struct Agent {
    pub agreement: Agreement,
    commands: VecDeque<(Nanos, Command)>,
    news: VecDeque<(Nanos, BTreeMap<PortNumber, Seen>)>,
    polls: Nanos,
    asked: BTreeMap<PortNumber, (BridgePort, Nanos)>,
}

enum Command {
    Set(PortNumber, BridgePort),
    Send(Statement),
}

impl World {
    /// All ports are closed and no agent runs yet.
    pub fn new(links: Vec<[End; 2]>, seed: u64) -> Self {
        let mut boxes = BTreeMap::new();
        for (name, port) in links.iter().flatten() {
            let new = || Switch { forwards: BTreeMap::new(), tree: Tree::default(), agent: None };
            boxes.entry(name.clone()).or_insert_with(new).forwards.insert(*port, false);
        }
        let (random, cut, flying) = (Random(seed), BTreeSet::new(), Vec::new());
        Self { now: Nanos(1_000_000_000), random, unruly: CALM, boxes, links, cut, flying, boots: 0 }
    }

    /// The tree of these links as a switch sees it.
    pub fn tree(&self, switch: &str, digest: u64, tree: &BTreeSet<usize>) -> Tree {
        let mut ports = BTreeMap::new();
        for (index, ends) in self.links.iter().enumerate() {
            for (this, there) in [(&ends[0], &ends[1]), (&ends[1], &ends[0])] {
                if this.0 == switch {
                    let (switch, port) = there.clone();
                    ports.insert(this.1, Neighbor { switch, port, in_tree: tree.contains(&index) });
                }
            }
        }
        Tree { digest, ports }
    }

    pub fn names(&self) -> Vec<String> {
        self.boxes.keys().cloned().collect()
    }

    /// The agent of a switch wants another tree, if it lives, or will.
    pub fn want(&mut self, name: &str, tree: Tree) {
        let (now, switch) = (self.now, self.boxes.get_mut(name).unwrap());
        switch.tree = tree.clone();
        if let Some(agent) = &mut switch.agent {
            agent.agreement.want(tree, now);
            self.settle(name);
        }
    }

    pub fn kill(&mut self, name: &str) {
        self.boxes.get_mut(name).unwrap().agent = None;
    }

    /// An agent starts; one that runs ends.
    pub fn start(&mut self, name: &str) {
        self.boots += 1;
        let states = self.states(name);
        let switch = self.boxes.get_mut(name).unwrap();
        let mut agreement = Agreement::new(name, self.boots, switch.tree.clone(), states, self.now);
        agreement.take_over();
        let (commands, news, asked) = (VecDeque::new(), VecDeque::new(), BTreeMap::new());
        switch.agent = Some(Agent { agreement, commands, news, polls: self.now, asked });
        self.settle(name);
    }

    /// A link loses or regains carrier. It comes back closed, or forwards at once, as the kernel would have it.
    pub fn carrier(&mut self, link: usize, there: bool, returns: BridgePort) {
        let changed = if there { self.cut.remove(&link) } else { self.cut.insert(link) };
        if changed {
            for (name, port) in self.links[link].clone() {
                let forwards = there && returns == Forwarding;
                self.boxes.get_mut(&name).unwrap().forwards.insert(port, forwards);
                self.tell_states(&name);
            }
        }
    }

    fn states(&self, name: &str) -> BTreeMap<PortNumber, Seen> {
        let cut: BTreeSet<&End> = self.cut.iter().flat_map(|link| &self.links[*link]).collect();
        let state = |(port, forwards): (&PortNumber, &bool)| {
            let present = Seen::Present(if *forwards { Forwarding } else { Closed });
            let is_cut = cut.contains(&(name.to_owned(), *port));
            (*port, if is_cut { Seen::Absent } else { present })
        };
        self.boxes[name].forwards.iter().map(state).collect()
    }

    fn later(&mut self, most: usize) -> Nanos {
        Nanos(self.now.0 + self.random.below(most * 100 + 1) as u64 * (MILLISECOND / 100))
    }

    fn tell_states(&mut self, name: &str) {
        let (states, due) = (self.states(name), self.later(self.unruly.kernel));
        if let Some(agent) = &mut self.boxes.get_mut(name).unwrap().agent {
            let due = agent.news.back().map_or(due, |(last, _)| due.max(*last));
            agent.news.push_back((due, states));
        }
    }

    /// As the switch does after each event.
    fn settle(&mut self, name: &str) {
        let (now, due) = (self.now, self.later(self.unruly.kernel));
        let Switch { agent: Some(agent), forwards, .. } = self.boxes.get_mut(name).unwrap() else { return };
        agent.agreement.settle(now);
        let due = agent.commands.back().map_or(due, |(last, _)| due.max(*last));
        let ports: Vec<PortNumber> =
            forwards.keys().copied().filter(|port| agent.agreement.is_to_be_set(*port)).collect();
        for port in ports {
            let wanted = agent.agreement.wanted(port);
            let again = agent.asked.get(&port).filter(|(state, _)| *state == wanted);
            if again.is_none_or(|(_, next)| now >= *next) {
                agent.asked.insert(port, (wanted, Nanos(now.0 + 200 * MILLISECOND)));
                agent.agreement.was_asked(port);
                agent.commands.push_back((due, Command::Set(port, wanted)));
            }
        }
        for statement in agent.agreement.statements(|_| true, now) {
            agent.commands.push_back((due, Command::Send(statement)));
        }
    }

    fn send(&mut self, name: &str, statement: Statement) {
        let from = (name.to_owned(), statement.port);
        let Some(link) = self.links.iter().position(|ends| ends.contains(&from)) else { return };
        if self.cut.contains(&link) {
            return;
        }
        let ends = &self.links[link];
        let to = ends[usize::from(ends[0] == from)].clone();
        let copies = if self.random.below(100) < self.unruly.lost {
            0
        } else {
            1 + usize::from(self.random.below(100) < self.unruly.repeated)
        };
        for _ in 0..copies {
            let due = self.later(self.unruly.message);
            self.flying.push((due, to.clone(), statement.clone()));
        }
    }

    /// The next thing happens; then there must be no loop.
    pub fn step(&mut self) {
        let flying = (0..self.flying.len()).min_by_key(|at| self.flying[*at].0);
        let message = flying.map_or(Nanos(u64::MAX), |at| self.flying[at].0);
        let agents = self
            .boxes
            .iter()
            .filter_map(|(name, switch)| Some((switch.agent.as_ref()?.next(), name.clone())));
        match agents.min() {
            Some((due, name)) if due < message => {
                self.now = self.now.max(due);
                self.run(&name);
            }
            _ => {
                let Some(at) = flying else { return };
                let (due, (name, port), statement) = self.flying.swap_remove(at);
                self.now = self.now.max(due);
                let now = self.now;
                if let Some(agent) = &mut self.boxes.get_mut(&name).unwrap().agent {
                    agent.agreement.hear(port, statement, now);
                    self.settle(&name);
                }
            }
        }
        self.check();
    }

    /// What is next for an agent.
    fn run(&mut self, name: &str) {
        let now = self.now;
        let Some(agent) = &mut self.boxes.get_mut(name).unwrap().agent else { return };
        if agent.commands.front().is_some_and(|(due, _)| *due <= now) {
            match agent.commands.pop_front() {
                Some((_, Command::Set(port, state))) => {
                    let end = (name.to_owned(), port);
                    if !self.cut.iter().any(|link| self.links[*link].contains(&end)) {
                        let forwards = &mut self.boxes.get_mut(name).unwrap().forwards;
                        forwards.insert(port, state == Forwarding);
                        self.tell_states(name);
                    }
                }
                Some((_, Command::Send(statement))) => self.send(name, statement),
                None => {}
            }
            return;
        }
        if agent.news.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, states)) = agent.news.pop_front() {
                agent.agreement.seen(states);
            }
        } else if agent.polls <= now {
            agent.polls = Nanos(now.0 + 1000 * MILLISECOND);
            self.tell_states(name);
        }
        self.settle(name);
    }

    pub fn run_for(&mut self, milliseconds: u64) {
        let end = self.now.0 + milliseconds * MILLISECOND;
        while self.now.0 < end {
            self.step();
        }
    }

    /// The links that carry frames.
    pub fn open(&self) -> BTreeSet<usize> {
        let is_open = |link: &usize| {
            let ends = &self.links[*link];
            !self.cut.contains(link) && ends.iter().all(|(name, port)| self.boxes[name].forwards[port])
        };
        (0..self.links.len()).filter(is_open).collect()
    }

    /// The ends that are open.
    pub fn open_ends(&self) -> usize {
        self.boxes.values().flat_map(|switch| switch.forwards.values()).filter(|forwards| **forwards).count()
    }

    pub fn is_loop_free(&self) -> bool {
        let mut pieces = Pieces::default();
        self.open().iter().all(|link| pieces.join(&self.links[*link][0].0, &self.links[*link][1].0))
    }

    fn check(&self) {
        let names =
            || self.open().into_iter().map(|link| format!("{:?}", self.links[link])).collect::<Vec<_>>();
        assert!(self.is_loop_free(), "a loop: {:?}", names());
    }
}

impl Agent {
    fn next(&self) -> Nanos {
        let commands = self.commands.front().map(|(due, _)| *due);
        let news = self.news.front().map(|(due, _)| *due);
        [commands, news, Some(self.polls), Some(self.agreement.next())]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.polls)
    }
}

/// Which switches are joined.
#[derive(Default)]
pub(super) struct Pieces(BTreeMap<String, String>);

impl Pieces {
    fn root(&self, name: &str) -> String {
        let mut at = name;
        while let Some(next) = self.0.get(at) {
            at = next;
        }
        at.to_owned()
    }

    /// Joins two; false if they are one already.
    pub fn join(&mut self, a: &str, b: &str) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        let apart = a != b;
        if apart {
            self.0.insert(a, b);
        }
        apart
    }
}

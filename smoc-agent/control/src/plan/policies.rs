//! The rules of policy at one switch: the classes of addresses, and the paths that rules choose, as far as hosts here need
//! them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use smoc_common::{
    map::{Host, PAIR_ENTRIES, Prefix},
    wire::ip::Address,
};
use smoc_paths::topology::{LinkId, SwitchId, Topology};
use tracing::warn;

use super::book::{PathBook, Unmet, Wish};
use crate::{
    hosts::{KnownHost, behind::Routed, map_address, map_prefix},
    policy::Rules,
};

/// The paths to an edge, chosen by a rule of policy or by none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathsTo {
    /// The edge.
    pub edge: SwitchId,
    /// The number of the rule; 0 if by none.
    pub rule: u8,
}

impl From<SwitchId> for PathsTo {
    fn from(edge: SwitchId) -> Self {
        Self { edge, rule: 0 }
    }
}

/// Two classes: one of hosts here, one of hosts elsewhere.
type Pair = (u16, u16);

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    rules: Arc<Rules>,
    /// The sets of each class, by its number less one; classes are numbered as they are met.
    classes: Vec<BTreeSet<u16>>,
    numbers: BTreeMap<BTreeSet<u16>, u16>,
    books: BTreeMap<u8, Arc<PathBook>>,
    /// What is needed, and for which pairs.
    wanted: BTreeMap<PathsTo, BTreeSet<Pair>>,
    /// The classes here, and those at other edges.
    here: BTreeSet<u16>,
    there: BTreeSet<(SwitchId, u16)>,
    /// Pairs that find no room in the map.
    left_out: usize,
}

impl Policies {
    /// Other rules are in force, or the same in another network: all that they choose is searched again at the next plan.
    pub fn set_rules(&mut self, rules: Arc<Rules>) {
        *self = Self { rules, ..Self::default() };
    }

    /// The rules in force.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// The paths that a rule chooses.
    pub fn book(&self, rule: u8) -> Option<&PathBook> {
        self.books.get(&rule).map(Arc::as_ref)
    }

    /// All paths that rules choose.
    pub fn books(&self) -> impl Iterator<Item = (u8, &PathBook)> {
        self.books.iter().map(|(rule, book)| (*rule, book.as_ref()))
    }

    /// The paths that hosts here need, and the classes that need them.
    pub(super) fn wanted(&self) -> &BTreeMap<PathsTo, BTreeSet<Pair>> {
        &self.wanted
    }

    /// How many pairs find no room in the map.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The class of an address; 0 if no rule is about it, or if it was not met in the last plan.
    pub fn class_of(&self, address: &Address) -> u16 {
        self.numbers.get(&self.rules.sets.of(address)).copied().unwrap_or(0)
    }

    /// Whether all that a host of this address and place needs was planned.
    pub(super) fn covers(&self, address: &Address, at: SwitchId, this: SwitchId) -> bool {
        let sets = self.rules.sets.of(address);
        let Some(class) = self.numbers.get(&sets) else { return sets.is_empty() };
        if at == this { self.here.contains(class) } else { self.there.contains(&(at, *class)) }
    }

    /// Sorts hosts and prefixes into classes, finds out what is needed, and searches what is missing.
    pub(super) fn extend(
        &mut self,
        topology: &Topology,
        (hosts, routed): (&BTreeMap<IpAddr, KnownHost>, &Routed),
        this: SwitchId,
        down: &BTreeSet<LinkId>,
    ) {
        if self.rules.choices.is_empty() {
            return;
        }
        let (mut here, mut there) = (BTreeSet::new(), BTreeSet::new());
        for (address, host) in hosts {
            let sets = self.rules.sets.of(&map_address(*address));
            self.place(sets, host.at.switch, this, &mut here, &mut there);
        }
        let rules = self.rules.clone();
        let declared = topology.hosts().iter();
        let declared =
            declared.flat_map(|router| router.prefixes.iter().map(|prefix| (prefix, router.at.switch)));
        let routed = routed.placed.iter().map(|placed| (&placed.behind.prefix, placed.at.switch));
        for (prefix, at) in declared.chain(routed) {
            let prefix = map_prefix(prefix);
            let parts = rules.sets.prefixes().filter(|part| is_in(part, &prefix));
            for part in parts.chain([prefix]) {
                self.place(rules.sets.of_prefix(&part), at, this, &mut here, &mut there);
            }
        }
        (self.here, self.there) = (here, there);
        self.want();
        self.search(topology, this, down);
    }

    fn place(
        &mut self,
        sets: BTreeSet<u16>,
        at: SwitchId,
        this: SwitchId,
        here: &mut BTreeSet<u16>,
        there: &mut BTreeSet<(SwitchId, u16)>,
    ) {
        if sets.is_empty() {
            return;
        }
        let class = match self.numbers.get(&sets) {
            Some(class) => *class,
            // Beyond that many no pair finds room in the map.
            None if self.classes.len() >= usize::from(u16::MAX) => return,
            None => {
                self.classes.push(sets.clone());
                let class = self.classes.len() as u16;
                self.numbers.insert(sets, class);
                class
            }
        };
        if at == this {
            here.insert(class);
        } else {
            there.insert((at, class));
        }
    }

    /// Which paths are needed, for which pairs.
    fn want(&mut self) {
        let sets = |class: u16| &self.classes[usize::from(class) - 1];
        let (mut wanted, mut count) = (BTreeMap::<PathsTo, BTreeSet<Pair>>::new(), 0);
        for &(edge, remote) in &self.there {
            for &local in &self.here {
                let rule = self.rules.between(sets(local), sets(remote));
                if self.rules.choice(rule).is_none_or(|choice| !choice.is_possible) {
                    continue;
                }
                count += 1;
                if count <= PAIR_ENTRIES as usize {
                    wanted.entry(PathsTo { edge, rule }).or_default().insert((local, remote));
                }
            }
        }
        self.left_out = count.saturating_sub(PAIR_ENTRIES as usize);
        self.wanted = wanted;
    }

    fn search(&mut self, topology: &Topology, this: SwitchId, down: &BTreeSet<LinkId>) {
        let mut edges = BTreeMap::<u8, BTreeSet<SwitchId>>::new();
        for PathsTo { edge, rule } in self.wanted.keys() {
            edges.entry(*rule).or_default().insert(*edge);
        }
        for (rule, edges) in edges {
            let Some(choice) = self.rules.choice(rule) else { continue };
            let book = self.books.entry(rule).or_insert_with(|| {
                let wish = Wish { avoid: choice.avoid.clone(), ranks: choice.rule.ranks.clone() };
                Arc::new(PathBook::wishing(this, choice.options, wish, down.clone()))
            });
            if edges.iter().any(|edge| book.to(*edge).is_none())
                && let Err(error) = Arc::make_mut(book).extend(topology, &edges)
            {
                warn!(rule = choice.rule.name, %error, "a rule of policy is not followed");
            }
        }
    }

    /// Which links are down from now on. Returns the ranks whose paths that changes.
    pub(super) fn set_down(
        &mut self,
        topology: &Topology,
        down: &BTreeSet<LinkId>,
    ) -> Vec<(PathsTo, Arc<PathBook>)> {
        let mut before = Vec::new();
        for (&rule, book) in &mut self.books {
            let old = book.clone();
            if let Err(error) = Arc::make_mut(book).set_down(topology, down) {
                warn!(rule, %error, "a rule of policy is not followed while links are down");
            }
            before.extend(old.edges().map(|(edge, _)| (PathsTo { edge, rule }, old.clone())));
        }
        before
    }

    /// Gives the prefixes behind routers their classes, and those of them that rules name entries of their own.
    pub(super) fn classify(&self, prefixes: &mut BTreeMap<Prefix, Host>) {
        if self.rules.choices.is_empty() || prefixes.is_empty() {
            return;
        }
        let parts: Vec<(Prefix, Host)> = self
            .rules
            .sets
            .prefixes()
            .filter_map(|part| {
                let (_, router) = prefixes.iter().rev().find(|(prefix, _)| is_in(&part, prefix))?;
                Some((part, *router))
            })
            .collect();
        prefixes.extend(parts);
        for (prefix, router) in prefixes {
            router.class = self.numbers.get(&self.rules.sets.of_prefix(prefix)).copied().unwrap_or(0);
        }
    }

    /// What of a rule's wishes cannot be had from here, by edge.
    pub fn unmet(&self, rule: u8) -> BTreeMap<SwitchId, Vec<Unmet>> {
        let edges = self.books.get(&rule).into_iter().flat_map(|book| book.edges());
        let wanted = |edge: SwitchId| self.wanted.contains_key(&PathsTo { edge, rule });
        edges
            .filter(|(edge, paths)| wanted(*edge) && !paths.unmet.is_empty())
            .map(|(edge, paths)| (edge, paths.unmet.clone()))
            .collect()
    }

    /// The edges to which a rule leads hosts here.
    pub fn edges_of(&self, rule: u8) -> impl Iterator<Item = SwitchId> {
        self.wanted.keys().filter(move |to| to.rule == rule).map(|to| to.edge)
    }

    /// How many pairs of edges have been searched.
    pub(super) fn searches(&self) -> u64 {
        self.books.values().map(|book| book.searches()).sum()
    }
}

/// Whether all addresses of the first prefix are in the second.
fn is_in(part: &Prefix, whole: &Prefix) -> bool {
    part.length >= whole.length && whole.contains(&Address::new(part.octets))
}

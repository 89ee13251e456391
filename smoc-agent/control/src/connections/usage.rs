//! What subflows make of the paths, as successive looks at the tables show it: how many ride each, how much they carry,
//! and how far apart those of one connection are.

use std::collections::{BTreeMap, HashMap, HashSet};

use smoc_common::map::{ConnectionId, EdgeIndex, Flow, FlowKey, HandshakeTimes};
use smoc_paths::topology::LinkId;

use super::{
    Names, subflow_state,
    timed::{Stopwatch, TimedPaths},
};
use crate::dataplane::KernelTables;

/// A path: the index of the edge it leads to (one for each rule of policy), and its rank there.
pub type PathKey = (EdgeIndex, u8);

/// Most paths that are told apart; what comes beyond is [`Usage::uncounted`].
pub const PATHS: usize = 4096;
/// Most subflows that a connection is counted with; those with more are counted as having so many.
pub const SUBFLOWS: usize = 8;

/// What a path carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathUsage {
    /// Subflows on it that are not closed.
    pub subflows: u64,
    /// Bytes of frames sent into the fabric since the agent started.
    pub sent: u64,
    /// Bytes of frames delivered to local hosts since the agent started.
    pub received: u64,
}

/// What subflows make of the paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// By path; one that was used stays.
    pub paths: BTreeMap<PathKey, PathUsage>,
    /// Bytes both ways on paths beyond [`PATHS`].
    pub uncounted: u64,
    /// How long handshakes took.
    pub timed: TimedPaths,
    /// Subflows by state ([`subflow_state`], and `handshake`).
    pub states: BTreeMap<&'static str, u64>,
    /// Connections by their subflows that are not closed, from 0 to [`SUBFLOWS`].
    pub subflows: [u64; SUBFLOWS + 1],
    /// The same by how many of these subflows share no link with a sibling.
    pub disjoint: [u64; SUBFLOWS + 1],
}

/// Remembers from one look to the next what each subflow had carried.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    carried: HashMap<FlowKey, Carried>,
    /// The rule that each index leads by.
    rules: BTreeMap<EdgeIndex, String>,
    stopwatch: Stopwatch,
    usage: Usage,
}

/// What a subflow, in one of its lives, had carried.
#[derive(Clone, Copy, Debug)]
struct Carried {
    opened: u64,
    sent: u64,
    received: u64,
}

impl Meter {
    /// Looks at the tables. What a subflow carries after the last look that finds it is not counted.
    pub fn look(&mut self, tables: &KernelTables, names: Names<'_>) -> &Usage {
        self.follow(names);
        let Self { carried, usage, .. } = self;
        usage.paths.values_mut().for_each(|path| path.subflows = 0);
        usage.states.clear();
        let mut now = HashMap::with_capacity(tables.flows.len());
        let mut connections: HashMap<ConnectionId, Vec<PathKey>> = HashMap::new();
        for (key, flow) in &tables.flows {
            let path = path_of(flow, names);
            let before = carried.get(key).filter(|before| before.opened == flow.opened);
            let (sent, received) = before.map_or((0, 0), |before| (before.sent, before.received));
            // Numbers that were restored after an eviction may be older than those seen.
            let more = (flow.sent.bytes.saturating_sub(sent), flow.received.bytes.saturating_sub(received));
            usage.add(path, more, flow);
            let (sent, received) = (sent + more.0, received + more.1);
            now.insert(*key, Carried { opened: flow.opened, sent, received });
            if flow.connection != 0 && !flow.is_closed() {
                connections.entry(flow.connection).or_default().push(path);
            }
        }
        let opening = tables.half_open.iter().filter(|(key, _)| !now.contains_key(key)).count();
        usage.states.insert("handshake", opening as u64);
        *carried = now;
        usage.count(tables, &connections, names);
        usage
    }

    /// Takes note of how long handshakes took along these paths, as `HANDSHAKES` has it.
    pub fn time(&mut self, found: impl IntoIterator<Item = (PathKey, HandshakeTimes)>) -> &Usage {
        self.stopwatch.look(found);
        self.usage.timed = self.stopwatch.timed.clone();
        &self.usage
    }

    /// An index leads by the rule at a place of the policy document. When another rule is there what was counted is none of its.
    fn follow(&mut self, names: Names<'_>) {
        for (index, toward) in names.names.all() {
            let rule = names.policies.rules().choice(toward.rule).map_or("", |choice| &choice.rule.name);
            let before = self.rules.insert(index, rule.to_owned());
            if before.is_some_and(|before| before != rule) {
                self.usage.paths.retain(|(edge, _), _| *edge != index);
                self.stopwatch.forget(index);
            }
        }
    }
}

impl Usage {
    fn add(&mut self, path: PathKey, (sent, received): (u64, u64), flow: &Flow) {
        *self.states.entry(subflow_state(flow)).or_default() += 1;
        let is_full = self.paths.len() >= PATHS && !self.paths.contains_key(&path);
        if is_full {
            self.uncounted += sent + received;
            return;
        }
        let usage = self.paths.entry(path).or_default();
        usage.subflows += u64::from(!flow.is_closed());
        usage.sent += sent;
        usage.received += received;
    }

    fn count(
        &mut self,
        tables: &KernelTables,
        connections: &HashMap<ConnectionId, Vec<PathKey>>,
        names: Names<'_>,
    ) {
        (self.subflows, self.disjoint) = Default::default();
        let mut links = Links { names, known: HashMap::new() };
        for (id, _) in &tables.connections {
            let paths = connections.get(id).map_or(&[][..], Vec::as_slice);
            self.subflows[paths.len().min(SUBFLOWS)] += 1;
            self.disjoint[links.apart(paths).min(SUBFLOWS)] += 1;
        }
    }
}

/// The links of paths, each looked up once.
struct Links<'a> {
    names: Names<'a>,
    known: HashMap<PathKey, HashSet<LinkId>>,
}

impl Links<'_> {
    /// How many of these paths share no link with another of them. Of a path that is not known nothing is.
    fn apart(&mut self, paths: &[PathKey]) -> usize {
        let mut uses: HashMap<LinkId, u32> = HashMap::new();
        for path in paths {
            self.of(*path).iter().for_each(|link| *uses.entry(*link).or_default() += 1);
        }
        let is_apart = |path: &&PathKey| {
            let links = &self.known[path];
            !links.is_empty() && links.iter().all(|link| uses[link] == 1)
        };
        paths.iter().filter(is_apart).count()
    }

    fn of(&mut self, path: PathKey) -> &HashSet<LinkId> {
        let names = self.names;
        self.known.entry(path).or_insert_with(|| {
            let (index, rank) = path;
            let path = names.paths(index).and_then(|paths| paths.ranked.get(usize::from(rank)));
            path.map_or_else(HashSet::new, |path| path.links.iter().copied().collect())
        })
    }
}

/// The path of a subflow; ranks wrap around.
fn path_of(flow: &Flow, names: Names<'_>) -> PathKey {
    let ranks = names.paths(flow.remote.edge).map_or(0, |paths| paths.ranked.len());
    (flow.remote.edge, flow.rank % ranks.clamp(1, usize::from(u8::MAX)) as u8)
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use smoc_common::map::{Attachment, Connection, Traffic};
    use smoc_paths::{
        search::PathOptions,
        topology::{SwitchId, Topology, TopologyFile},
    };

    use super::*;
    use crate::{
        hosts::map_address,
        plan::{EdgeNames, PathBook, Policies},
        policy::{Document, Rules},
    };

    struct Network {
        topology: Topology,
        names: EdgeNames,
        book: PathBook,
        policies: Policies,
    }

    impl Network {
        /// Two disjoint paths from e1 to e2, and a third that shares its first link with one of them.
        fn new() -> Self {
            let links = [("e1:1", "m1:1"), ("m1:2", "e2:1"), ("e1:2", "e2:2"), ("m1:3", "e2:3")];
            let links = links.map(|(a, b)| format!("{{a: \"{a}\", b: \"{b}\"}}")).join(", ");
            let topology =
                TopologyFile::parse(Path::new("t.yaml"), &format!("links: [{links}]\n")).unwrap().topology;
            let mut names = EdgeNames::found(&BTreeMap::new(), "e1");
            names.index("e2", 0);
            let mut book = PathBook::new(SwitchId(0), PathOptions::default());
            book.extend(&topology, &[SwitchId(1), SwitchId(2)].into()).unwrap();
            Self { topology, names, book, policies: Policies::default() }
        }

        fn names(&self) -> Names<'_> {
            let Self { topology, names, book, policies } = self;
            Names { topology, names, book, policies }
        }
    }

    fn key(port: u16) -> FlowKey {
        let [local, remote] = ["10.0.0.1", "10.0.0.2"].map(|text| map_address(text.parse().unwrap()));
        FlowKey::new(local, port, remote, 80)
    }

    fn flow(connection: u64, rank: u8, bytes: u64) -> Flow {
        let remote = Attachment { edge: 1, port: 9 };
        Flow { connection, rank, remote, opened: 1, sent: Traffic { packets: 1, bytes }, ..Flow::default() }
    }

    fn tables(flows: &[(u16, Flow)]) -> KernelTables {
        let flows = flows.iter().map(|(port, flow)| (key(*port), *flow)).collect();
        KernelTables { flows, connections: vec![(4, Connection::default())], ..KernelTables::default() }
    }

    #[test]
    fn bytes_add_up_over_the_lives_of_a_subflow_and_never_go_back() {
        let network = Network::new();
        let mut meter = Meter::default();
        let mut sent = |flow: Flow| meter.look(&tables(&[(1, flow)]), network.names()).paths[&(1, 0)].sent;
        assert_eq!(sent(flow(4, 0, 700)), 700);
        assert_eq!(sent(flow(4, 0, 900)), 900);
        assert_eq!(sent(flow(4, 0, 800)), 900, "an entry that was put back is older than what was seen");
        assert_eq!(sent(flow(4, 0, 950)), 950);
        assert_eq!(sent(Flow { opened: 2, ..flow(4, 0, 30) }), 980, "another subflow of the same key");
        let usage = meter.look(&KernelTables::default(), network.names());
        assert_eq!(usage.paths[&(1, 0)], PathUsage { subflows: 0, sent: 980, received: 0 });
    }

    #[test]
    fn connections_are_counted_by_subflows_and_by_those_that_share_no_link() {
        let network = Network::new();
        let ranks = network.book.to(network.topology.find_switch("e2").unwrap()).unwrap().ranked.len();
        assert_eq!(ranks, 3);
        let closed = Flow { closing: Flow::RESET, ..flow(4, 1, 0) };
        let look = |flows: &[(u16, Flow)]| {
            let usage = Meter::default().look(&tables(flows), network.names()).clone();
            let place = |counts: [u64; SUBFLOWS + 1]| counts.iter().position(|count| *count == 1).unwrap();
            (place(usage.subflows), place(usage.disjoint))
        };
        assert_eq!(look(&[]), (0, 0));
        assert_eq!(look(&[(1, flow(4, 0, 0)), (2, flow(4, 1, 0))]), (2, 2));
        assert_eq!(look(&[(1, flow(4, 0, 0)), (2, closed)]), (1, 1));
        assert_eq!(look(&[(1, flow(4, 0, 0)), (2, flow(4, 3, 0))]), (2, 0), "ranks wrap around");
        let all = [(1, flow(4, 0, 0)), (2, flow(4, 1, 0)), (3, flow(4, 2, 0))];
        assert_eq!(look(&all), (3, 1), "two of three leave by the same link");
    }

    #[test]
    fn what_was_counted_for_a_rule_is_not_shown_of_another_that_takes_its_place() {
        let mut network = Network::new();
        let rules = |text: &str, network: &Network| {
            let document = Document::parse(text).unwrap();
            Arc::new(Rules::resolve(&document, &network.topology, &PathOptions::default()))
        };
        let [gold, best] =
            ["gold", "best"].map(|name| format!("{{name: {name}, between: [any, any], count: 2}}"));
        network.policies.set_rules(rules(&format!("rules: [{gold}, {best}]"), &network));
        let index = network.names.index("e2", 1).unwrap();
        let by_rule = Flow { remote: Attachment { edge: index, port: 9 }, ..flow(4, 0, 70) };
        let both = tables(&[(1, by_rule), (2, flow(4, 0, 5))]);
        let times = HandshakeTimes { buckets: [3; HandshakeTimes::BUCKETS], sum: 9 };
        let mut meter = Meter::default();
        let mut sent = |network: &Network| {
            meter.look(&both, network.names());
            let usage = meter.time([((index, 0), times), ((1, 0), times)]);
            let of = |path| usage.paths.get(&path).map(|path| path.sent);
            (of((index, 0)), usage.timed.paths.get(&(index, 0)).map(HandshakeTimes::count), of((1, 0)))
        };
        assert_eq!(sent(&network), (Some(70), Some(48), Some(5)));
        network.policies.set_rules(rules(&format!("rules: [{best}, {gold}]"), &network));
        assert_eq!(sent(&network), (Some(0), Some(0), Some(5)), "it begins anew");
        network.policies.set_rules(rules("rules: []", &network));
        assert_eq!(sent(&network), (Some(0), Some(0), Some(5)));
    }

    #[test]
    fn paths_beyond_the_limit_are_counted_together() {
        let network = Network::new();
        let far = |edge: u16| {
            let remote = Attachment { edge, port: 9 };
            (key(edge), Flow { remote, ..flow(0, 0, 10) })
        };
        let flows = (1..=PATHS as u16 + 2).map(far).collect();
        let mut meter = Meter::default();
        let usage = meter.look(&KernelTables { flows, ..KernelTables::default() }, network.names());
        assert_eq!((usage.paths.len(), usage.uncounted), (PATHS, 20));
    }
}

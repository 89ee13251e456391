//! What a period was like, from what agents remember: the document that an operator mails.
//!
//! | file | what |
//! |---|---|
//! | `counters` | what counters and gauges did in the period |
//! | `outages` | what failed, and how long |
//! | `page` | one self-contained HTML page |
//! | `sheets` | the same as CSV |

mod counters;
mod outages;
mod page;
mod sheets;

use std::{collections::BTreeMap, net::IpAddr};

use serde::Serialize;
use smoc_control::{
    connections::Opener,
    history::{Entry, Recorded},
};
use smoc_paths::topology::Bandwidth;

use crate::{
    api::{HostView, PortView, Status, TopologyView},
    metrics as metric,
};
use counters::Rates;

pub use outages::Outage;
pub use page::page;
pub use sheets::{SheetsError, write as write_sheets};

/// What one agent says.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The state of agent and switch now.
    pub status: Status,
    /// The network as it sees it now.
    pub topology: TopologyView,
    /// Addresses that it knows now.
    pub hosts: Vec<HostView>,
    /// What happened in the period, oldest first.
    pub events: Vec<Entry>,
    /// Events of the period that are not there any more.
    pub missing_events: u64,
    /// What was measured in the period.
    pub recorded: Recorded,
    /// Hosts that opened connections, since the agent was started.
    pub openers: BTreeMap<IpAddr, Opener>,
}

/// A period at one or several switches.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its end, in microseconds since 1970.
    pub until: u64,
    /// How long it was meant to be, in seconds.
    pub seconds: u64,
    /// By switch.
    pub switches: Vec<SwitchReport>,
    /// Agents that did not answer: the socket, and why.
    pub silent: BTreeMap<String, String>,
}

/// A period at a switch.
#[derive(Clone, Debug, Serialize)]
pub struct SwitchReport {
    /// The switch.
    pub switch: String,
    /// The version of its agent.
    pub version: String,
    /// When it was looked first in the period, in microseconds since 1970; `None`: never.
    pub from: Option<u64>,
    /// How long the agent runs, in seconds.
    pub uptime_seconds: f64,
    /// What the operator should know now.
    pub warnings: Vec<String>,
    /// Its ports to other switches and to hosts.
    pub ports: Vec<PortUse>,
    /// Pairs of this switch with other edges.
    pub edges: Vec<EdgeDiversity>,
    /// Ranked paths that carried something.
    pub paths: Vec<PathUse>,
    /// MPTCP connections over time.
    pub connections: Connections,
    /// What failed.
    pub outages: Vec<Outage>,
    /// Events of the period that are not there any more.
    pub missing_events: u64,
    /// What the packet path noticed about handshakes and joins.
    pub noticed: Vec<Noticed>,
    /// Hosts that opened connections since the agent was started.
    pub openers: Vec<OpenerReport>,
}

/// A port, and what it carried.
#[derive(Clone, Debug, Serialize)]
pub struct PortUse {
    /// Its number.
    pub port: u16,
    /// The link; `None` if it leads to hosts.
    pub link: Option<String>,
    /// Who is behind it.
    pub neighbor: String,
    /// What the link carries each way in bit/s, if known.
    pub capacity: Option<u64>,
    /// Frames in.
    pub received: Direction,
    /// Frames out.
    pub sent: Direction,
}

/// What a port carried one way.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Direction {
    /// Bytes.
    pub bytes: u64,
    /// Frames that the interface lost.
    pub drops: u64,
    /// Mean of the period, in bit/s.
    pub mean: f64,
    /// The most between two looks, in bit/s.
    pub peak: f64,
    /// Bit/s over time.
    #[serde(skip)]
    pub rates: Rates,
}

/// How far apart the paths between two edges are.
#[derive(Clone, Debug, Serialize)]
pub struct EdgeDiversity {
    /// The other edge.
    pub edge: String,
    /// The rule of policy; empty: none.
    pub rule: String,
    /// Ranked paths now.
    pub paths: f64,
    /// Paths that share no link with a better one: now.
    pub apart: f64,
    /// And when they were fewest.
    pub least_apart: f64,
}

/// A ranked path, and what it carried.
#[derive(Clone, Debug, Serialize)]
pub struct PathUse {
    /// The other edge.
    pub edge: String,
    /// The rule of policy; empty: none.
    pub rule: String,
    /// The rank.
    pub rank: u32,
    /// Bytes of subflows into the fabric.
    pub sent: u64,
    /// Bytes of subflows from the fabric.
    pub received: u64,
    /// Mean of the period, both ways, in bit/s.
    pub mean: f64,
    /// Smoothed round-trip time of probes, the last one, in milliseconds.
    pub round_trip_ms: Option<f64>,
}

/// MPTCP connections over time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Connections {
    /// Connections now.
    pub now: u64,
    /// Those with one subflow or none, now.
    pub single: u64,
    /// Those of which at least two subflows share no link with a sibling, now.
    pub apart: u64,
    /// All of them, over time.
    #[serde(skip)]
    pub all: Rates,
    /// Those with two or more subflows that are apart, over time.
    #[serde(skip)]
    pub all_apart: Rates,
}

/// Something that the packet path noticed.
#[derive(Clone, Debug, Serialize)]
pub struct Noticed {
    /// The counter's name.
    pub name: String,
    /// What it counts.
    pub help: String,
    /// How often in the period.
    pub times: u64,
}

/// A host that opened connections.
#[derive(Clone, Debug, Serialize)]
pub struct OpenerReport {
    /// Its address.
    pub address: IpAddr,
    /// Its name, if the topology gives one.
    pub name: Option<String>,
    /// What its connections are like.
    #[serde(flatten)]
    pub opener: Opener,
}

/// Of which notes a report tells: what became of handshakes and joins, in the order in which they are shown.
const HANDSHAKES: [&str; 11] = [
    "bound",
    "joined",
    "join_unknown_token",
    "join_ambiguous_token",
    "join_beyond_limit",
    "syn_moved",
    "blackhole",
    "fell_back",
    "stateless",
    "ack_disagrees",
    "table_full",
];

impl SwitchReport {
    /// From what its agent says.
    pub fn new(answers: &Answers) -> Self {
        let Answers { status, topology, events, recorded, .. } = answers;
        Self {
            switch: status.switch.clone(),
            version: status.version.clone(),
            from: recorded.at.first().copied(),
            uptime_seconds: status.uptime_seconds,
            warnings: status.warnings.clone(),
            ports: status
                .ports
                .iter()
                .map(|port| PortUse::new(port, &status.switch, topology, recorded))
                .collect(),
            edges: edges(recorded),
            paths: paths(recorded),
            connections: connections(recorded),
            outages: outages::outages(events, recorded),
            missing_events: answers.missing_events,
            noticed: noticed(status, recorded),
            openers: openers(answers),
        }
    }
}

impl PortUse {
    fn new(port: &PortView, switch: &str, topology: &TopologyView, recorded: &Recorded) -> Self {
        let here = format!("{switch}:{}", port.number);
        let names = [format!("{here}-{}", port.neighbor), format!("{}-{here}", port.neighbor)];
        let link = topology.links.iter().find(|link| names.contains(&link.name));
        let capacity = link.and_then(|link| link.capacity.as_deref()?.parse::<Bandwidth>().ok());
        let direction = |bytes, drops| Direction::new(port.number, recorded, bytes, drops);
        Self {
            port: port.number,
            link: link.map(|link| link.name.clone()),
            neighbor: port.neighbor.clone(),
            capacity: capacity.map(Bandwidth::bits_per_second),
            received: direction(&metric::PORT_RECEIVED, &metric::PORT_RECEIVE_DROPS),
            sent: direction(&metric::PORT_SENT, &metric::PORT_SEND_DROPS),
        }
    }

    /// The most that it carried one way, as a share of what the link carries.
    pub fn peak_share(&self) -> Option<f64> {
        Some(self.sent.peak.max(self.received.peak) / self.capacity? as f64)
    }
}

impl Direction {
    fn new(port: u16, recorded: &Recorded, bytes: &metric::Metric, drops: &metric::Metric) -> Self {
        let find = |metric: &metric::Metric| {
            counters::find(recorded, &metric.name(), &[("port", &port.to_string())])
        };
        let drops = find(drops).map_or(0.0, |series| counters::total(recorded, series)) as u64;
        let Some(series) = find(bytes) else { return Self { drops, ..Self::default() } };
        let (mean, peak) = counters::mean_and_peak(recorded, series);
        let rates =
            counters::rates(recorded, series).into_iter().map(|(at, bytes)| (at, bytes * 8.0)).collect();
        let bytes = counters::total(recorded, series) as u64;
        Self { bytes, drops, mean: mean * 8.0, peak: peak * 8.0, rates }
    }
}

/// The values of a series' labels; empty where it has none.
fn labels<const N: usize>(series: &smoc_control::history::RecordedSeries, names: [&str; N]) -> [String; N] {
    names.map(|name| series.name.labels.get(name).cloned().unwrap_or_default())
}

fn edges(recorded: &Recorded) -> Vec<EdgeDiversity> {
    let (apart, ranks) = (metric::EDGE_DISJOINT.name(), metric::EDGE_RANKS.name());
    let diversity = |series| {
        let [edge, rule] = labels(series, ["edge", "rule"]);
        let (least_apart, apart) = counters::least_and_last(series)?;
        let paths = counters::find(recorded, &ranks, &[("edge", &edge), ("rule", &rule)]);
        let (_, paths) = counters::least_and_last(paths?)?;
        Some(EdgeDiversity { edge, rule, paths, apart, least_apart })
    };
    let mut all: Vec<_> = counters::all(recorded, &apart).filter_map(diversity).collect();
    all.sort_by(|a, b| (&a.edge, &a.rule).cmp(&(&b.edge, &b.rule)));
    all
}

fn paths(recorded: &Recorded) -> Vec<PathUse> {
    let (sent, received, trip) =
        (metric::PATH_SENT.name(), metric::PATH_RECEIVED.name(), metric::PATH_TRIP.name());
    let path = |series| {
        let [edge, rule, rank] = labels(series, ["edge", "rule", "rank"]);
        let find =
            |name| counters::find(recorded, name, &[("edge", &edge), ("rule", &rule), ("rank", &rank)]);
        let back = find(&received);
        let of =
            |series| (counters::total(recorded, series) as u64, counters::mean_and_peak(recorded, series).0);
        let ((sent, out), (received, back)) = (of(series), back.map_or((0, 0.0), of));
        let trip = find(&trip).and_then(counters::least_and_last);
        let rank = rank.parse().ok()?;
        let (mean, round_trip_ms) = ((out + back) * 8.0, trip.map(|(_, last)| last * 1e3));
        (sent + received > 0).then_some(PathUse { edge, rule, rank, sent, received, mean, round_trip_ms })
    };
    let mut all: Vec<_> = counters::all(recorded, &sent).filter_map(path).collect();
    all.sort_by(|a, b| (&a.edge, &a.rule, a.rank).cmp(&(&b.edge, &b.rule, b.rank)));
    all
}

fn connections(recorded: &Recorded) -> Connections {
    let (all, apart) = (metric::CONNECTIONS.name(), metric::DISJOINT.name());
    let sum = |metric: &str, least: u64| -> Rates {
        let counted: Vec<_> = counters::all(recorded, metric)
            .filter(|series| labels(series, ["subflows"])[0].parse().is_ok_and(|it: u64| it >= least))
            .collect();
        let at = |look: usize| counted.iter().filter_map(|series| series.values.get(look).copied()?).sum();
        recorded.at.iter().enumerate().map(|(look, time)| (*time, at(look))).collect()
    };
    let (everything, several) = (sum(&all, 0), sum(&all, 2));
    let all_apart = sum(&apart, 2);
    let last = |rates: &Rates| rates.last().map_or(0, |(_, value)| *value as u64);
    let now = last(&everything);
    let single = now.saturating_sub(last(&several));
    Connections { now, single, apart: last(&all_apart), all: everything, all_apart }
}

fn noticed(status: &Status, recorded: &Recorded) -> Vec<Noticed> {
    let times = counters::totals(recorded, &metric::NOTES.name(), "note");
    let of =
        |name: &&str| status.counters.iter().find(|counter| counter.kind == "note" && counter.name == **name);
    let told = HANDSHAKES.iter().filter_map(of);
    let notice = |counter: &crate::api::CounterView| Noticed {
        name: counter.name.clone(),
        help: counter.help.clone(),
        times: times.get(&counter.name).copied().unwrap_or_default(),
    };
    told.map(notice).collect()
}

/// Those with most connections of one subflow first.
fn openers(answers: &Answers) -> Vec<OpenerReport> {
    let name = |address: &IpAddr| {
        answers.hosts.iter().find(|host| host.address == *address).and_then(|host| host.name.clone())
    };
    let opener = |(address, opener): (&IpAddr, &Opener)| OpenerReport {
        address: *address,
        name: name(address),
        opener: *opener,
    };
    let mut all: Vec<_> = answers.openers.iter().map(opener).collect();
    all.sort_by_key(|it| (std::cmp::Reverse(it.opener.single), it.address));
    all
}

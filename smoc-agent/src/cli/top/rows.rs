//! From two readings of an agent to rows with rates.

use std::{collections::BTreeMap, time::Instant};

use clap::ValueEnum;
use serde_json::{Map, Value, json};
use smoc_control::connections::{ConnectionReport, SubflowReport};

use crate::{
    api::Status,
    cli::{metrics::Sample, table::Table},
    units,
};

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum View {
    /// Ports of the switch.
    #[default]
    Ports,
    /// Ranked paths to other edges.
    Paths,
    /// MPTCP connections.
    Connections,
    /// Their subflows.
    Subflows,
}

impl View {
    pub const ALL: [Self; 4] = [Self::Ports, Self::Paths, Self::Connections, Self::Subflows];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Ports => "ports",
            Self::Paths => "paths",
            Self::Connections => "connections",
            Self::Subflows => "subflows",
        }
    }
}

/// What an agent said at one time.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub at: Instant,
    pub status: Status,
    pub connections: Vec<ConnectionReport>,
    pub metrics: Vec<Sample>,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// A name or state.
    Text(String),
    /// A plain number.
    Number(u64),
    /// Bits a second.
    Rate(f64),
    /// Milliseconds.
    Time(Option<f64>),
    /// A share, from 0 to 1.
    Share(Option<f64>),
}

impl Cell {
    /// For people.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Rate(rate) => units::rate(*rate),
            Self::Time(time) => time.map_or_else(|| "-".into(), |time| format!("{time:.3} ms")),
            Self::Share(share) => share.map_or_else(|| "-".into(), |share| format!("{:.1} %", share * 100.0)),
        }
    }

    /// What rows are sorted by: numbers by themselves, texts after them.
    pub fn order(&self, other: &Self) -> std::cmp::Ordering {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => self.shown().cmp(&other.shown()),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Text(_) => None,
            Self::Number(number) => Some(*number as f64),
            Self::Rate(rate) => Some(*rate),
            Self::Time(value) | Self::Share(value) => Some(value.unwrap_or(-1.0)),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number) => json!(number),
            Self::Rate(rate) => json!(rate.round()),
            Self::Time(value) | Self::Share(value) => json!(value),
        }
    }
}

/// Rows with one cell for each column.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<Cell>>,
    /// The column that it is best sorted by, the greatest first.
    pub best: usize,
}

impl Rows {
    /// One table, sorted.
    pub fn text(&self) -> String {
        let mut sorted: Vec<&Vec<Cell>> = self.rows.iter().collect();
        sorted.sort_by(|a, b| b[self.best].order(&a[self.best]));
        let mut table = Table::new(self.columns.iter().copied());
        sorted.into_iter().for_each(|row| table.row(row.iter().map(Cell::shown)));
        table.to_string()
    }

    /// One object for each row; rates are in bits a second, times in milliseconds.
    pub fn records(&self) -> Vec<Value> {
        let record = |row: &Vec<Cell>| {
            let fields = self.columns.iter().zip(row);
            Value::Object(
                fields.map(|(name, cell)| (name.replace(' ', "_"), cell.value())).collect::<Map<_, _>>(),
            )
        };
        self.rows.iter().map(record).collect()
    }
}

/// What all agents that answered said, by switch.
pub(super) type Readings = BTreeMap<String, Reading>;

/// The rows of a view of one switch, or of all with their names in the first column.
pub(super) fn all_rows(view: View, before: &Readings, now: &Readings, with_switch: bool) -> Rows {
    let mut all: Option<Rows> = None;
    for (switch, now) in now {
        // One that was silent the last time has no rates yet.
        let mut of_one = rows(view, before.get(switch).unwrap_or(now), now);
        if with_switch {
            of_one.columns.insert(0, "switch");
            of_one.rows.iter_mut().for_each(|row| row.insert(0, Cell::Text(switch.clone())));
            of_one.best += 1;
        }
        match &mut all {
            None => all = Some(of_one),
            Some(all) => all.rows.extend(of_one.rows),
        }
    }
    all.unwrap_or_else(|| Rows { columns: Vec::new(), rows: Vec::new(), best: 0 })
}

/// The rows of a view.
fn rows(view: View, before: &Reading, now: &Reading) -> Rows {
    let seconds = now.at.duration_since(before.at).as_secs_f64().max(1e-3);
    match view {
        View::Ports => ports(before, now, seconds),
        View::Paths => paths(before, now, seconds),
        View::Connections => connections(before, now, seconds),
        View::Subflows => subflows(before, now, seconds),
    }
}

/// The values of a metric by the labels of that name.
fn values<'a>(reading: &'a Reading, metric: &str, labels: &[&str]) -> BTreeMap<Vec<&'a str>, f64> {
    let of = reading.metrics.iter().filter(|sample| sample.name == metric);
    of.map(|sample| {
        (
            labels.iter().map(|label| sample.labels.get(*label).map_or("", String::as_str)).collect(),
            sample.value,
        )
    })
    .collect()
}

/// Bits a second of a counter of bytes.
fn rates<'a>(
    before: &Reading,
    now: &'a Reading,
    seconds: f64,
    metric: &str,
    labels: &[&str],
) -> BTreeMap<Vec<&'a str>, f64> {
    let old: BTreeMap<Vec<String>, f64> = values(before, metric, labels)
        .into_iter()
        .map(|(key, value)| (key.into_iter().map(str::to_owned).collect(), value))
        .collect();
    let rate = |(key, value): (Vec<&'a str>, f64)| {
        let owned: Vec<String> = key.iter().map(|part| (*part).to_owned()).collect();
        let more = (value - old.get(&owned).copied().unwrap_or(value)).max(0.0);
        (key, more * 8.0 / seconds)
    };
    values(now, metric, labels).into_iter().map(rate).collect()
}

fn ports(before: &Reading, now: &Reading, seconds: f64) -> Rows {
    let received = rates(before, now, seconds, "smoc_port_receive_bytes_total", &["port"]);
    let sent = rates(before, now, seconds, "smoc_port_transmit_bytes_total", &["port"]);
    let row = |port: &crate::api::PortView| {
        let number = port.number.to_string();
        let of = |rates: &BTreeMap<Vec<&str>, f64>| rates.get(&vec![number.as_str()]).copied().unwrap_or(0.0);
        let trip = port.liveness.as_ref().and_then(|liveness| liveness.round_trip_ms);
        let (incoming, outgoing) = (of(&received), of(&sent));
        vec![
            Cell::Number(port.number.into()),
            Cell::Text(port.interface.clone()),
            Cell::Text(port.neighbor.clone()),
            Cell::Text(if port.usable { "up" } else { "down" }.to_owned()),
            Cell::Rate(incoming),
            Cell::Rate(outgoing),
            Cell::Rate(incoming + outgoing),
            Cell::Time(trip),
        ]
    };
    Rows {
        columns: vec!["port", "interface", "neighbour", "state", "in", "out", "both", "round trip"],
        rows: now.status.ports.iter().map(row).collect(),
        best: 6,
    }
}

fn paths(before: &Reading, now: &Reading, seconds: f64) -> Rows {
    const LABELS: [&str; 2] = ["edge", "rank"];
    let of = |metric| values(now, metric, &LABELS);
    let (up, left) = (of("smoc_path_up"), of("smoc_path_left"));
    let (trip, jitter, loss) =
        (of("smoc_path_round_trip_seconds"), of("smoc_path_jitter_seconds"), of("smoc_path_loss_ratio"));
    let carried = path_rates(before, now, seconds);
    let row = |path: &Vec<&str>| {
        let milliseconds =
            |of: &BTreeMap<Vec<&str>, f64>| Cell::Time(of.get(path).map(|seconds| seconds * 1e3));
        let state = match (left.get(path), up.get(path)) {
            (Some(&left), _) if left > 0.0 => "left",
            (_, Some(&0.0)) => "broken",
            _ => "up",
        };
        let rank = path[1].parse().unwrap_or(0);
        let Carried { subflows, received, sent } =
            carried.get(&(path[0].to_owned(), rank)).copied().unwrap_or_default();
        vec![
            Cell::Text(path[0].to_owned()),
            Cell::Number(rank),
            Cell::Text(state.to_owned()),
            Cell::Number(subflows),
            Cell::Rate(received),
            Cell::Rate(sent),
            milliseconds(&trip),
            milliseconds(&jitter),
            Cell::Share(loss.get(path).copied()),
        ]
    };
    Rows {
        columns: vec!["edge", "rank", "state", "subflows", "in", "out", "round trip", "jitter", "loss"],
        rows: left.keys().map(row).collect(),
        best: 5,
    }
}

/// What a path carries.
#[derive(Clone, Copy, Default)]
struct Carried {
    subflows: u64,
    received: f64,
    sent: f64,
}

/// What the subflows of each path carry together, by edge and rank.
fn path_rates(before: &Reading, now: &Reading, seconds: f64) -> BTreeMap<(String, u64), Carried> {
    let rates = subflow_rates(before, now, seconds);
    let mut carried: BTreeMap<(String, u64), Carried> = BTreeMap::new();
    for subflow in now.connections.iter().flat_map(|connection| &connection.subflows) {
        let Some(edge) = subflow.switches.last() else { continue };
        let (received, sent) = rates.get(&name(subflow)).copied().unwrap_or_default();
        let path = carried.entry((edge.clone(), subflow.rank.into())).or_default();
        path.subflows += 1;
        path.received += received;
        path.sent += sent;
    }
    carried
}

/// What tells a subflow from others.
type Name<'a> = (&'a smoc_control::connections::Endpoint, &'a smoc_control::connections::Endpoint);

fn name(subflow: &SubflowReport) -> (String, String) {
    let text = |(end, _): Name<'_>| std::net::SocketAddr::new(end.address, end.port).to_string();
    (text((&subflow.local, &subflow.remote)), text((&subflow.remote, &subflow.local)))
}

/// Bits a second in and out of each subflow; one that was opened in between has carried all of it since.
fn subflow_rates(before: &Reading, now: &Reading, seconds: f64) -> BTreeMap<(String, String), (f64, f64)> {
    let all = |reading: &'_ Reading| -> BTreeMap<(String, String), (u64, u64, f64)> {
        let subflows = reading.connections.iter().flat_map(|connection| &connection.subflows);
        let carried =
            |subflow: &SubflowReport| (subflow.bytes_received, subflow.bytes_sent, subflow.age_seconds);
        subflows.map(|subflow| (name(subflow), carried(subflow))).collect()
    };
    let old = all(before);
    let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 * 8.0 / seconds;
    let rates = all(now).into_iter().map(|(name, (received, sent, age))| {
        let (first_received, first_sent) = match old.get(&name) {
            Some(&(received, sent, _)) => (received, sent),
            None if age <= seconds => (0, 0),
            None => (received, sent),
        };
        (name, (rate(received, first_received), rate(sent, first_sent)))
    });
    rates.collect()
}

fn connections(before: &Reading, now: &Reading, seconds: f64) -> Rows {
    let rates = subflow_rates(before, now, seconds);
    let row = |connection: &ConnectionReport| {
        let of = |subflow| rates.get(&name(subflow)).copied().unwrap_or_default();
        let (received, sent) =
            connection.subflows.iter().map(of).fold((0.0, 0.0), |sum, rate| (sum.0 + rate.0, sum.1 + rate.1));
        let first = connection.subflows.first().map(name).unwrap_or_default();
        let ranks: std::collections::BTreeSet<u8> =
            connection.subflows.iter().map(|subflow| subflow.rank).collect();
        let ranks = ranks.iter().map(u8::to_string).collect::<Vec<_>>().join(" ");
        let token =
            connection.tokens.as_ref().map_or_else(|| "not known".to_owned(), |tokens| tokens.local.clone());
        vec![
            Cell::Text(token),
            Cell::Text(first.0),
            Cell::Text(first.1),
            Cell::Number(connection.subflows.len() as u64),
            Cell::Text(ranks),
            Cell::Rate(received),
            Cell::Rate(sent),
            Cell::Rate(received + sent),
        ]
    };
    Rows {
        columns: vec!["token", "local", "remote", "subflows", "ranks", "in", "out", "both"],
        rows: now.connections.iter().map(row).collect(),
        best: 7,
    }
}

fn subflows(before: &Reading, now: &Reading, seconds: f64) -> Rows {
    let rates = subflow_rates(before, now, seconds);
    let row = |subflow: &SubflowReport| {
        let (local, remote) = name(subflow);
        let (received, sent) = rates.get(&(local.clone(), remote.clone())).copied().unwrap_or_default();
        vec![
            Cell::Text(local),
            Cell::Text(remote),
            Cell::Number(subflow.rank.into()),
            Cell::Text(subflow.switches.join(" - ")),
            Cell::Text(subflow.state.clone()),
            Cell::Rate(received),
            Cell::Rate(sent),
            Cell::Rate(received + sent),
        ]
    };
    let all = now.connections.iter().flat_map(|connection| &connection.subflows);
    Rows {
        columns: vec!["local", "remote", "rank", "path", "state", "in", "out", "both"],
        rows: all.map(row).collect(),
        best: 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_written_as_people_do_and_sorted_as_numbers() {
        assert_eq!(Cell::Rate(94.3e6).shown(), "94.3 Mbit/s");
        assert_eq!(Cell::Rate(1234.0).shown(), "1.2 kbit/s");
        assert_eq!(Cell::Rate(0.0).shown(), "0 bit/s");
        assert_eq!(Cell::Share(Some(0.015)).shown(), "1.5 %");
        assert!(Cell::Rate(9e6).order(&Cell::Rate(1e9)).is_lt());
        assert!(Cell::Time(None).order(&Cell::Time(Some(0.0))).is_lt());
    }

    #[test]
    fn a_table_is_sorted_by_its_best_column_and_records_keep_numbers() {
        let rows = Rows {
            columns: vec!["port", "round trip", "both"],
            rows: vec![
                vec![Cell::Number(1), Cell::Time(None), Cell::Rate(10.0)],
                vec![Cell::Number(2), Cell::Time(Some(0.5)), Cell::Rate(2000.0)],
            ],
            best: 2,
        };
        let text = rows.text();
        assert!(text.find("2.0 kbit/s") < text.find("10 bit/s"), "{text}");
        assert_eq!(rows.records()[1], json!({"port": 2, "round_trip": 0.5, "both": 2000.0}));
    }
}

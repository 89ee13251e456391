//! What a switch's metrics are made of: the same documents that the API gives.

use std::collections::BTreeMap;

use smoc_control::connections::Usage;
use smoc_control::switch::Snapshot;

use super::view::{EdgeView, HostView, PortView, RankView, Status, TopologyView};
use crate::{
    metrics::{self as metric, NotedPaths, Sheet},
    netlink::PortTraffic,
};

/// All that one scrape shows.
pub(super) struct Readings<'a> {
    pub snapshot: &'a Snapshot,
    pub status: Status,
    pub hosts: Vec<HostView>,
    pub edges: Vec<EdgeView>,
    pub topology: TopologyView,
    /// By interface.
    pub traffic: BTreeMap<String, PortTraffic>,
    pub usage: Usage,
    pub noted: NotedPaths,
    /// Events that wait for control.
    pub queue: usize,
}

impl Readings<'_> {
    /// The values.
    pub fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::default();
        self.agent(&mut sheet);
        self.status.ports.iter().for_each(|port| self.port(port, &mut sheet));
        self.network(&mut sheet);
        self.paths(&mut sheet);
        self.connections(&mut sheet);
        sheet
    }

    fn agent(&self, sheet: &mut Sheet) {
        let Status { switch, version, ready, uptime_seconds, warnings, refused, .. } = &self.status;
        sheet.put(&metric::AGENT, [switch, version], 1.0);
        sheet.put(&metric::READY, [], truth(*ready));
        sheet.put(&metric::UPTIME, [], *uptime_seconds);
        sheet.put(&metric::WARNINGS, [], warnings.len() as f64);
        sheet.put(&metric::REFUSED, [], *refused as f64);
        sheet.put(&metric::QUEUE, [], self.queue as f64);
        sheet.put(&metric::SEARCHES, [], self.snapshot.book.searches() as f64);
        for counter in &self.status.counters {
            let metric = if counter.kind == "outcome" { &metric::FRAMES } else { &metric::NOTES };
            sheet.put(metric, [&counter.name], counter.value as f64);
        }
    }

    fn port(&self, port: &PortView, sheet: &mut Sheet) {
        let number = port.number;
        sheet.put(&metric::PORT, [&number, &port.interface, &port.role, &port.neighbor], 1.0);
        sheet.put(&metric::CARRIER, [&number], truth(port.carrier));
        sheet.put(&metric::USABLE, [&number], truth(port.usable));
        sheet.put(&metric::ATTACHED, [&number], truth(port.attached));
        if let Some(liveness) = &port.liveness {
            sheet.put_known(&metric::PORT_TRIP, [&number], liveness.round_trip_ms.map(seconds));
            sheet.put(&metric::FLAPS, [&number], liveness.flaps.into());
        }
        let Some(traffic) = self.traffic.get(&port.interface) else { return };
        sheet.put(&metric::PORT_RECEIVED, [&number], traffic.received.bytes as f64);
        sheet.put(&metric::PORT_RECEIVED_FRAMES, [&number], traffic.received.frames as f64);
        sheet.put(&metric::PORT_RECEIVE_DROPS, [&number], traffic.received.lost as f64);
        sheet.put(&metric::PORT_SENT, [&number], traffic.sent.bytes as f64);
        sheet.put(&metric::PORT_SENT_FRAMES, [&number], traffic.sent.frames as f64);
        sheet.put(&metric::PORT_SEND_DROPS, [&number], traffic.sent.lost as f64);
    }

    fn network(&self, sheet: &mut Sheet) {
        let (down, drained) = (self.status.links_down, self.status.links_drained);
        let up = self.topology.links.iter().filter(|link| link.up).count();
        for (state, links) in [("up", up), ("down", down), ("drained", drained)] {
            sheet.put(&metric::LINKS, [&state], links as f64);
        }
        sheet.put(&metric::EDGES, [], self.status.edges as f64);
        for source in ["file", "learned", "announced"] {
            let hosts = self.hosts.iter().filter(|host| host.source == source).count();
            sheet.put(&metric::HOSTS, [&source], hosts as f64);
        }
        sheet.put(&metric::EPOCHS, [], self.status.epoch.into());
        sheet.put(&metric::CLAIMS_REFUSED, [], self.status.learning.refused as f64);
        let store = &self.status.store;
        sheet.put_known(&metric::STORE_CONNECTED, [&store.kind], store.connected.map(truth));
        sheet.put(&metric::STORE_RECORDS, [&store.kind], store.records as f64);
        sheet.put_known(&metric::STORE_AGE, [&store.kind], store.age_seconds);
    }

    fn paths(&self, sheet: &mut Sheet) {
        for edge in &self.edges {
            let apart = edge.ranks.iter().filter(|rank| rank.shared_links == 0 && !rank.left).count();
            let rule = edge.rule.as_deref().unwrap_or_default();
            sheet.put(&metric::EDGE_RANKS, [&edge.edge, &rule], edge.ranks.len() as f64);
            sheet.put(&metric::EDGE_DISJOINT, [&edge.edge, &rule], apart as f64);
            for rank in edge.ranks.iter().filter(|rank| self.has_series(edge, rank)) {
                path(&edge.edge, rule, rank, sheet);
            }
        }
        for (&(index, rank), usage) in &self.usage.paths {
            let Some(edge) = self.snapshot.names.name(index) else { continue };
            let rule = rule_name(self.snapshot, self.snapshot.names.rule(index));
            sheet.put(&metric::PATH_SUBFLOWS, [&edge, &rule, &rank], usage.subflows as f64);
            sheet.put(&metric::PATH_SENT, [&edge, &rule, &rank], usage.sent as f64);
            sheet.put(&metric::PATH_RECEIVED, [&edge, &rule, &rank], usage.received as f64);
        }
        self.handshakes(sheet);
        sheet.put(&metric::PATHS_UNCOUNTED, [], self.usage.uncounted as f64);
        let mut notes: Vec<_> = self.noted.counts.iter().collect();
        notes.sort_unstable();
        for ((edge, rule, rank, note), count) in notes {
            sheet.put(&metric::PATH_NOTES, [edge, rule, rank, &note.name()], *count as f64);
        }
        sheet.put(&metric::NOTES_LOST, [], self.noted.uncounted as f64);
        let Some(probing) = &self.status.probing else { return };
        sheet.put(&metric::PROBED, [&"used"], probing.used as f64);
        sheet.put(&metric::PROBED, [&"idle"], probing.idle as f64);
        sheet.put(&metric::BROKEN, [], probing.broken as f64);
        sheet.put(&metric::PROBE_RATE, [], probing.rate);
    }

    fn handshakes(&self, sheet: &mut Sheet) {
        let (names, timed) = (&self.snapshot.names, &self.usage.timed);
        for (&(index, rank), times) in &timed.paths {
            let Some(edge) = names.name(index) else { continue };
            let rule = rule_name(self.snapshot, names.rule(index));
            sheet.put_times(&metric::PATH_HANDSHAKES, [&edge, &rule, &rank], *times);
        }
        sheet.put(&metric::HANDSHAKES_UNCOUNTED, [], timed.uncounted as f64);
    }

    /// Paths that were used or are broken: the others of a large fabric would be most of the series.
    fn has_series(&self, edge: &EdgeView, rank: &RankView) -> bool {
        let is_used =
            edge.index.is_some_and(|index| self.usage.paths.contains_key(&(index, rank.rank as u8)));
        let is_broken = rank.left || rank.liveness.as_ref().is_some_and(|path| path.state == "broken");
        is_used || is_broken || self.edges.len() * edge.ranks.len() <= smoc_control::connections::PATHS
    }

    fn connections(&self, sheet: &mut Sheet) {
        let by = [(&metric::CONNECTIONS, &self.usage.subflows), (&metric::DISJOINT, &self.usage.disjoint)];
        for (metric, counts) in by {
            for (subflows, connections) in counts.iter().enumerate() {
                sheet.put(metric, [&subflows], *connections as f64);
            }
        }
        for (state, subflows) in &self.usage.states {
            sheet.put(&metric::SUBFLOWS, [state], *subflows as f64);
        }
        for table in &self.status.tables {
            sheet.put(&metric::TABLE_ENTRIES, [&table.name], table.entries as f64);
            sheet.put(&metric::TABLE_CAPACITY, [&table.name], table.capacity.into());
            sheet.put(&metric::TABLE_EVICTIONS, [&table.name], table.evicted as f64);
        }
    }
}

/// The name of a rule of policy; empty if it is none.
fn rule_name(snapshot: &Snapshot, rule: u8) -> &str {
    snapshot.policies.rules().choice(rule).map_or("", |choice| &choice.rule.name)
}

fn path(edge: &str, rule: &str, rank: &RankView, sheet: &mut Sheet) {
    let number = rank.rank;
    sheet.put(&metric::PATH_LEFT, [&edge, &rule, &number], truth(rank.left));
    let Some(liveness) = &rank.liveness else { return };
    sheet.put(&metric::PATH_UP, [&edge, &rule, &number], truth(liveness.state == "up"));
    sheet.put_known(&metric::PATH_TRIP, [&edge, &rule, &number], liveness.round_trip_ms.map(seconds));
    sheet.put_known(
        &metric::PATH_LEAST_TRIP,
        [&edge, &rule, &number],
        liveness.round_trip_min_ms.map(seconds),
    );
    sheet.put_known(&metric::PATH_JITTER, [&edge, &rule, &number], liveness.jitter_ms.map(seconds));
    sheet.put_known(&metric::PATH_LOSS, [&edge, &rule, &number], liveness.loss);
}

fn truth(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

fn seconds(milliseconds: f64) -> f64 {
    milliseconds / 1e3
}

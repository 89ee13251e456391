//! The list of all metrics. Names and units follow OpenMetrics 1.0: base units, `_total` at the end of counters, `_info` at
//! that of what only has labels.
//!
//! Labels have few values: a switch has at most 1,023 ports, 25 outcomes and 15 notes; of paths the first 4,096 that are
//! used have series ([`smoc_control::connections::PATHS`]), the first 512 with handshakes a histogram of 18; `rule` is empty where no rule of policy chooses the paths. Hosts, connections and subflows are only counted.

use std::fmt;

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, and begins with 0 when the agent or the packet path starts anew.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often something took how long.
    Histogram,
    /// 1, with what there is to know in labels.
    Info,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        })
    }
}

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// What it is about: a heading of the documentation, and a row of the dashboard.
    pub group: &'static str,
    /// Its name without unit and what its kind adds.
    pub stem: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// Its unit; empty if it is a plain number.
    pub unit: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// One sentence for people.
    pub help: &'static str,
}

impl Metric {
    /// Its name as queries use it; of a histogram without `_bucket`, `_sum` and `_count`.
    pub fn name(&self) -> String {
        let end = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        match self.unit {
            "" => format!("{}{end}", self.stem),
            unit => format!("{}_{unit}{end}", self.stem),
        }
    }
}

macro_rules! metrics {
    ($($group:literal { $($name:ident = $kind:ident $stem:literal $unit:literal [$($label:literal)*] $help:literal;)* })*) => {
        $($(
            #[doc = $help]
            pub(crate) const $name: Metric = Metric {
                group: $group, stem: $stem, kind: Kind::$kind, unit: $unit, labels: &[$($label),*], help: $help,
            };
        )*)*

        /// All of them, group by group.
        pub const ALL: &[Metric] = &[$($($name,)*)*];
    };
}

metrics! {
    "Agent" {
        AGENT = Info "smoc_agent" "" ["switch" "version"] "The agent of a switch.";
        READY = Gauge "smoc_agent_ready" "" [] "1 once maps are filled and programs attached.";
        UPTIME = Gauge "smoc_agent_uptime" "seconds" [] "Time since the agent was started.";
        WARNINGS = Gauge "smoc_agent_warnings" "" [] "What the operator should know: warnings of smoc status.";
        REFUSED = Counter "smoc_agent_refused_frames" "" [] "Frames of switches that were refused: of what must not be at a port, or without a right tag.";
        CONTROL = Histogram "smoc_control_event" "seconds" ["event"] "Time that control took for an event and what followed from it.";
        QUEUE = Gauge "smoc_control_queue_length" "" [] "Events that wait for control.";
        SEARCHES = Counter "smoc_control_path_searches" "" [] "Searches for the paths to an edge.";
    }
    "Ports" {
        PORT = Info "smoc_port" "" ["port" "interface" "role" "neighbor"] "A port and who is behind it.";
        CARRIER = Gauge "smoc_port_carrier" "" ["port"] "1 if the interface exists and has carrier.";
        USABLE = Gauge "smoc_port_usable" "" ["port"] "1 if frames leave through it: carrier and, to a switch, hellos.";
        ATTACHED = Gauge "smoc_port_attached" "" ["port"] "1 if the program is attached.";
        PORT_TRIP = Gauge "smoc_port_round_trip" "seconds" ["port"] "Smoothed round-trip time of hellos.";
        FLAPS = Counter "smoc_port_flaps" "" ["port"] "How often hellos or carrier took the port down.";
        PORT_RECEIVED = Counter "smoc_port_receive" "bytes" ["port"] "Bytes that came in.";
        PORT_SENT = Counter "smoc_port_transmit" "bytes" ["port"] "Bytes that went out.";
        PORT_RECEIVED_FRAMES = Counter "smoc_port_receive_frames" "" ["port"] "Frames that came in.";
        PORT_SENT_FRAMES = Counter "smoc_port_transmit_frames" "" ["port"] "Frames that went out.";
        PORT_RECEIVE_DROPS = Counter "smoc_port_receive_drops" "" ["port"] "Frames that the interface dropped or could not read when they came in.";
        PORT_SEND_DROPS = Counter "smoc_port_transmit_drops" "" ["port"] "Frames that the interface dropped or could not send.";
    }
    "Network" {
        LINKS = Gauge "smoc_links" "" ["state"] "Links of the network that are up, down, or drained.";
        EDGES = Gauge "smoc_edges" "" [] "Edges to which paths lead.";
        EDGE_RANKS = Gauge "smoc_edge_paths" "" ["edge" "rule"] "Ranked paths to an edge.";
        EDGE_DISJOINT = Gauge "smoc_edge_disjoint_paths" "" ["edge" "rule"] "Of these, the paths without a link that is down or drained that share none with a better one: so many subflows are apart.";
        HOSTS = Gauge "smoc_hosts" "" ["source"] "Known addresses: of the file, learned here, announced by others.";
        EPOCHS = Counter "smoc_epochs" "" [] "How often subflows were told to look their hosts up again: an address moved, or a prefix or a policy changed.";
        CLAIMS_REFUSED = Counter "smoc_host_claims_refused" "" [] "Claims to an address of another host that were refused.";
        STORE_CONNECTED = Gauge "smoc_store_connected" "" ["store"] "1 if the fabric's store is heard of.";
        STORE_RECORDS = Gauge "smoc_store_records" "" ["store"] "Records of other switches that count.";
        STORE_AGE = Gauge "smoc_store_age" "seconds" ["store"] "Time since the store was heard last.";
    }
    "Paths" {
        PATH_UP = Gauge "smoc_path_up" "" ["edge" "rule" "rank"] "1 if probes come back along the path.";
        PATH_LEFT = Gauge "smoc_path_left" "" ["edge" "rule" "rank"] "1 if a link of the path is down or drained and subflows take other ranks.";
        PATH_TRIP = Gauge "smoc_path_round_trip" "seconds" ["edge" "rule" "rank"] "Smoothed round-trip time of probes.";
        PATH_LEAST_TRIP = Gauge "smoc_path_round_trip_min" "seconds" ["edge" "rule" "rank"] "The least of them.";
        PATH_JITTER = Gauge "smoc_path_jitter" "seconds" ["edge" "rule" "rank"] "Mean change from one probe's round trip to the next.";
        PATH_LOSS = Gauge "smoc_path_loss" "ratio" ["edge" "rule" "rank"] "Share of the last 128 probes that was lost.";
        PATH_HANDSHAKES = Histogram "smoc_path_handshake" "seconds" ["edge" "rule" "rank"] "Time from SYN to SYN/ACK of subflows that hosts here opened, from SYN/ACK to the third ACK of others.";
        HANDSHAKES_UNCOUNTED = Counter "smoc_path_handshakes_uncounted" "" [] "Handshakes along paths whose times have no series of their own.";
        PATH_SUBFLOWS = Gauge "smoc_path_subflows" "" ["edge" "rule" "rank"] "Subflows on the path.";
        PATH_SENT = Counter "smoc_path_transmit" "bytes" ["edge" "rule" "rank"] "Bytes of subflows sent along the path, as looks some seconds apart see them.";
        PATH_RECEIVED = Counter "smoc_path_receive" "bytes" ["edge" "rule" "rank"] "Bytes of subflows that came along the path, likewise.";
        PATH_NOTES = Counter "smoc_path_notes" "" ["edge" "rule" "rank" "note"] "What the packet path noticed about subflows of the path.";
        PATHS_UNCOUNTED = Counter "smoc_paths_uncounted" "bytes" [] "Bytes on paths that have no series of their own.";
        NOTES_LOST = Counter "smoc_path_notes_uncounted" "" [] "Notes about paths that have no series of their own or are not known.";
        PROBED = Gauge "smoc_probed_paths" "" ["use"] "Paths that are probed: used by subflows, or idle.";
        BROKEN = Gauge "smoc_broken_paths" "" [] "Paths along which no probe comes back.";
        PROBE_RATE = Gauge "smoc_probes_per_second" "" [] "Probes that are sent a second.";
    }
    "Connections" {
        CONNECTIONS = Gauge "smoc_connections" "" ["subflows"] "MPTCP connections, by the number of their subflows.";
        DISJOINT = Gauge "smoc_connections_apart" "" ["subflows"] "MPTCP connections, by the number of their subflows that share no link with a sibling.";
        SUBFLOWS = Gauge "smoc_subflows" "" ["state"] "Subflows, by state.";
        TABLE_ENTRIES = Gauge "smoc_table_entries" "" ["table"] "Entries of a table.";
        TABLE_CAPACITY = Gauge "smoc_table_capacity" "" ["table"] "Entries that a table has room for.";
        TABLE_EVICTIONS = Counter "smoc_table_evictions" "" ["table"] "Entries in use that had to go for others.";
    }
    "Frames" {
        FRAMES = Counter "smoc_frames" "" ["outcome"] "Frames, by what became of them.";
        NOTES = Counter "smoc_notes" "" ["note"] "What was noticed beside that.";
    }
}

/// Those whose values the agent remembers over time.
pub const REMEMBERED: &[&Metric] = &[
    &USABLE,
    &PORT_RECEIVED,
    &PORT_SENT,
    &PORT_RECEIVED_FRAMES,
    &PORT_SENT_FRAMES,
    &PORT_RECEIVE_DROPS,
    &PORT_SEND_DROPS,
    &LINKS,
    &EDGE_RANKS,
    &EDGE_DISJOINT,
    &HOSTS,
    &PATH_SUBFLOWS,
    &PATH_SENT,
    &PATH_RECEIVED,
    &PATH_TRIP,
    &PATH_LOSS,
    &PATH_NOTES,
    &CONNECTIONS,
    &DISJOINT,
    &SUBFLOWS,
    &TABLE_ENTRIES,
    &TABLE_EVICTIONS,
    &FRAMES,
    &NOTES,
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_follow_the_rules_of_openmetrics() {
        let mut names = HashSet::new();
        for metric in ALL {
            let name = metric.name();
            assert!(names.insert(name.clone()), "{name} is there twice");
            let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(name.starts_with("smoc_") && is_plain(&name), "{name}");
            assert!(metric.labels.iter().all(|label| is_plain(label)), "{name}");
            assert!(["", "seconds", "bytes", "ratio"].contains(&metric.unit), "{name}: a base unit");
            assert!(
                !["_total", "_info", "_sum", "_count", "_bucket"]
                    .iter()
                    .any(|end| metric.stem.ends_with(end)),
                "{name}"
            );
            assert!(metric.help.ends_with('.') && !metric.help.contains('"'), "{name}");
        }
    }

    #[test]
    fn the_documentation_has_all_of_them() {
        let page = include_str!("../../../docs/metrics.md");
        let mut text = String::from("## All metrics\n");
        for group in ALL.chunk_by(|a, b| a.group == b.group) {
            text += &format!(
                "\n### {}\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n",
                group[0].group
            );
            for metric in group {
                let labels =
                    metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
                text += &format!("| `{}` | {} | {labels} | {} |\n", metric.name(), metric.kind, metric.help);
            }
        }
        assert!(page.ends_with(&text), "docs/metrics.md must end with:\n{text}");
    }
}

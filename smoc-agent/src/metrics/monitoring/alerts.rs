//! Alert rules for Prometheus.

use serde::Serialize;

use crate::metrics::*;

/// An alert.
#[derive(Clone, Debug)]
struct Alert {
    /// Its name.
    name: &'static str,
    /// The expression that holds while something is wrong.
    expression: String,
    /// For how long it must hold.
    lasts: &'static str,
    /// `critical`: traffic suffers, `warning`: it may soon.
    severity: &'static str,
    /// What is wrong, in a line.
    summary: &'static str,
    /// What to do.
    description: &'static str,
}

/// All alerts.
fn alerts() -> Vec<Alert> {
    [of_agent(), of_ports(), of_paths(), of_tables()].concat()
}

/// By how much a counter grew in five minutes, of those of its series that a filter chooses.
fn increase(metric: &Metric, filter: &str) -> String {
    format!("increase({}{filter}[5m])", metric.name())
}

/// Of the agent itself.
fn of_agent() -> Vec<Alert> {
    vec![
        Alert {
            name: "SmocAgentAbsent",
            severity: "critical",
            lasts: "1m",
            expression: "up{job=\"smoc\"} == 0".to_owned(),
            summary: "The agent of {{ $labels.instance }} does not answer",
            description: "The packet path goes on as it is, but nothing is repaired or learned there. Look at the agent's log; start it again.",
        },
        Alert {
            name: "SmocNotReady",
            severity: "critical",
            lasts: "2m",
            expression: format!("{} == 0", READY.name()),
            summary: "The switch {{ $labels.instance }} is not ready",
            description: "Maps are not filled or a program is not attached: smoc status there says which.",
        },
        Alert {
            name: "SmocWarnings",
            severity: "warning",
            lasts: "5m",
            expression: format!("{} > 0", WARNINGS.name()),
            summary: "The agent of {{ $labels.instance }} has {{ $value }} warnings",
            description: "smoc status there says what is wrong and what to change.",
        },
        Alert {
            name: "SmocControlSlow",
            severity: "warning",
            lasts: "5m",
            expression: format!(
                "histogram_quantile(0.99, sum by (instance, le) (rate({}_bucket[5m]))) > 1",
                CONTROL.name()
            ),
            summary: "One event in a hundred takes control of {{ $labels.instance }} more than a second",
            description: "Is the machine overloaded? Failures next to the switch are still repaired in the packet path.",
        },
    ]
}

/// Of what is behind ports.
fn of_ports() -> Vec<Alert> {
    vec![
        Alert {
            name: "SmocPortDown",
            severity: "warning",
            lasts: "1m",
            expression: format!(
                "{} == 0 and on (instance, port) {}{{role=\"fabric\"}}",
                USABLE.name(),
                PORT.name()
            ),
            summary: "Port {{ $labels.port }} of {{ $labels.instance }} leads to a switch and is down",
            description: "smoc status there says why: no carrier, no hellos, or miswired.",
        },
        Alert {
            name: "SmocPortFlaps",
            severity: "warning",
            lasts: "0m",
            expression: format!("{} > 3", increase(&FLAPS, "")),
            summary: "Port {{ $labels.port }} of {{ $labels.instance }} went down {{ $value }} times in five minutes",
            description: "Look at the cable and the neighbour; drain the link with smoc fabric drain until it is mended.",
        },
        Alert {
            name: "SmocUntrusted",
            severity: "warning",
            lasts: "0m",
            expression: format!("{} > 0", increase(&REFUSED, "")),
            summary: "{{ $labels.instance }} refused {{ $value }} frames of switches",
            description: "Another fabric or key, or somebody forges them: smoc status there names the port.",
        },
    ]
}

/// Of the paths to other edges.
fn of_paths() -> Vec<Alert> {
    vec![
        Alert {
            name: "SmocPathBroken",
            severity: "warning",
            lasts: "30s",
            expression: format!("{} == 0", PATH_UP.name()),
            summary: "No probe comes back on rank {{ $labels.rank }} from {{ $labels.instance }} to {{ $labels.edge }}",
            description: "Subflows of this rank use others. smoc traceroute --to {{ $labels.edge }} --rank {{ $labels.rank }} finds where probes are lost.",
        },
        Alert {
            name: "SmocPathLoss",
            severity: "warning",
            lasts: "1m",
            expression: format!("{} > 0.02 and {} == 1", PATH_LOSS.name(), PATH_UP.name()),
            summary: "Rank {{ $labels.rank }} from {{ $labels.instance }} to {{ $labels.edge }} loses {{ $value | humanizePercentage }} of the probes",
            description: "A link on it is bad without being down: smoc traceroute finds it. Drain it.",
        },
        Alert {
            name: "SmocOneWayOnly",
            severity: "warning",
            lasts: "5m",
            expression: format!("{} < 2", EDGE_DISJOINT.name()),
            summary: "All paths from {{ $labels.instance }} to {{ $labels.edge }} share a link",
            description: "One failure cuts the two off. Links are down, drained, or were never there: smoc topology.",
        },
        Alert {
            name: "SmocBlackHole",
            severity: "warning",
            lasts: "0m",
            expression: format!("{} > 0", increase(&PATH_NOTES, "{note=\"blackhole\"}")),
            summary: "Something on rank {{ $labels.rank }} from {{ $labels.instance }} to {{ $labels.edge }} swallows MP_CAPABLE",
            description: "Connections of hosts that met it are no MPTCP for a while. Find the middlebox on the path, or avoid it.",
        },
    ]
}

/// Of connections, tables and the store.
fn of_tables() -> Vec<Alert> {
    vec![
        Alert {
            name: "SmocJoinsUnknown",
            severity: "warning",
            lasts: "10m",
            expression: format!(
                "rate({0}{{note=\"join_unknown_token\"}}[5m]) > 0.1 * (rate({0}{{note=\"joined\"}}[5m]) + rate({0}{{note=\"join_unknown_token\"}}[5m]))",
                NOTES.name()
            ),
            summary: "More than a tenth of the joins at {{ $labels.instance }} have an unknown token",
            description: "Their paths are hashed, as ECMP would. Hosts with several addresses and no source routing, or a table that is too small: smoc explain.",
        },
        Alert {
            name: "SmocTableFull",
            severity: "warning",
            lasts: "1m",
            expression: format!("{} > 0.9 * {}", TABLE_ENTRIES.name(), TABLE_CAPACITY.name()),
            summary: "Table {{ $labels.table }} of {{ $labels.instance }} is nearly full",
            description: "What is idle will be pushed out: raise its size under tables in the configuration.",
        },
        Alert {
            name: "SmocEvictions",
            severity: "critical",
            lasts: "0m",
            expression: format!("{} > 0", increase(&TABLE_EVICTIONS, "")),
            summary: "Table {{ $labels.table }} of {{ $labels.instance }} pushed out {{ $value }} entries in use",
            description: "Their subflows are hashed until they are put back: raise its size under tables in the configuration.",
        },
        Alert {
            name: "SmocStoreAway",
            severity: "warning",
            lasts: "5m",
            expression: format!("{} == 0", STORE_CONNECTED.name()),
            summary: "{{ $labels.instance }} does not hear of the fabric's store",
            description: "Forwarding and repair go on without it; changes by operators do not arrive. Look at etcd and at the management network.",
        },
    ]
}

/// A file of rules for Prometheus.
#[derive(Debug, Serialize)]
pub struct Rules {
    groups: [Group; 1],
}

#[derive(Debug, Serialize)]
struct Group {
    name: &'static str,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
struct Rule {
    alert: &'static str,
    expr: String,
    r#for: &'static str,
    labels: Severity,
    annotations: Annotations,
}

#[derive(Debug, Serialize)]
struct Severity {
    severity: &'static str,
}

#[derive(Debug, Serialize)]
struct Annotations {
    summary: &'static str,
    description: &'static str,
}

/// The alerts as Prometheus reads them.
pub fn rules() -> Rules {
    let rule = |Alert { name, expression, lasts, severity, summary, description }| Rule {
        alert: name,
        expr: expression,
        r#for: lasts,
        labels: Severity { severity },
        annotations: Annotations { summary, description },
    };
    Rules { groups: [Group { name: "smoc", rules: alerts().into_iter().map(rule).collect() }] }
}

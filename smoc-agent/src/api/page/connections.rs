//! Connections of this switch, chosen by what they touch.

use std::{collections::HashMap, net::IpAddr};

use serde::Serialize;
use smoc_control::{
    clock::Nanos,
    connections::{ConnectionReport, Names, SubflowReport, report},
    dataplane::KernelTables,
    liveness::Report,
};

/// Most connections of one answer.
const CONNECTIONS: usize = 100;
/// Most subflows of each.
const SUBFLOWS: usize = 32;

/// Some connections of a switch, those first that carried most.
#[derive(Clone, Debug, Serialize)]
pub struct Connections {
    /// How many there are of this kind.
    pub total: usize,
    /// The first hundred.
    pub connections: Vec<ShownConnection>,
}

/// A connection, with its first 32 subflows.
#[derive(Clone, Debug, Serialize)]
pub struct ShownConnection {
    /// What the tables say.
    #[serde(flatten)]
    pub report: ConnectionReport,
    /// Subflows that are left out.
    pub left_out: usize,
    /// For each subflow the smoothed round-trip time of probes along its path.
    pub round_trips_ms: Vec<Option<f64>>,
}

/// Which connections; all that is said must be so.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// A subflow rides this link.
    pub link: Option<String>,
    /// A subflow's path has this switch.
    pub switch: Option<String>,
    /// A subflow has this address.
    pub addresses: Vec<IpAddr>,
    /// A token begins so.
    pub token: Option<String>,
}

impl Filter {
    /// Takes the parameters of a request.
    ///
    /// # Errors
    /// One makes no sense.
    pub fn read(parameters: &[(String, String)]) -> Result<Self, String> {
        let mut filter = Self::default();
        for (name, value) in parameters {
            match name.as_str() {
                "link" => filter.link = Some(value.clone()),
                "switch" => filter.switch = Some(value.clone()),
                "token" => filter.token = Some(value.to_lowercase()),
                "address" => filter
                    .addresses
                    .push(value.parse().map_err(|_| format!("address \"{value}\" is no IP address"))?),
                _ => return Err(format!("{name}: ask by link, switch, address or token")),
            }
        }
        Ok(filter)
    }

    fn has_token(&self, report: &ConnectionReport) -> bool {
        self.token.as_ref().is_none_or(|token| {
            let tokens = report.tokens.iter().flat_map(|tokens| [&tokens.local, &tokens.remote]);
            tokens
                .chain(report.subflows.iter().filter_map(|s| s.token.as_ref()))
                .any(|t| t.starts_with(token))
        })
    }

    fn takes(&self, subflow: &SubflowReport) -> bool {
        let ends = [subflow.local.address, subflow.remote.address];
        self.link.as_ref().is_none_or(|link| subflow.links.contains(link))
            && self.switch.as_ref().is_none_or(|switch| subflow.switches.contains(switch))
            && (self.addresses.is_empty() || ends.iter().any(|end| self.addresses.contains(end)))
    }

    fn wants(&self, report: &mut ConnectionReport) -> bool {
        if report.id.is_none() {
            // No connection, but subflows of many.
            report.subflows.retain(|subflow| self.takes(subflow));
        }
        self.has_token(report) && report.subflows.iter().any(|subflow| self.takes(subflow))
    }
}

/// The connections of these tables that the filter takes.
pub(super) fn connections(
    tables: &KernelTables,
    names: Names<'_>,
    filter: &Filter,
    probed: Option<&Report>,
    now: Nanos,
) -> Connections {
    let mut chosen = report(tables, names, now);
    chosen.retain_mut(|report| filter.wants(report));
    let carried = |report: &ConnectionReport| -> u64 {
        report.subflows.iter().map(|subflow| subflow.bytes_sent + subflow.bytes_received).sum()
    };
    chosen.sort_by_cached_key(|report| std::cmp::Reverse(carried(report)));
    let total = chosen.len();
    let trips = round_trips(names, probed);
    let show = |mut report: ConnectionReport| {
        let left_out = report.subflows.len().saturating_sub(SUBFLOWS);
        report.subflows.truncate(SUBFLOWS);
        let trip = |subflow: &SubflowReport| {
            let edge = subflow.switches.last()?.as_str();
            trips.get(&(edge, subflow.rule.as_deref(), subflow.rank)).copied()
        };
        let round_trips_ms = report.subflows.iter().map(trip).collect();
        ShownConnection { left_out, round_trips_ms, report }
    };
    Connections { total, connections: chosen.into_iter().take(CONNECTIONS).map(show).collect() }
}

/// Milliseconds by edge, rule and rank.
fn round_trips<'a>(
    names: Names<'a>,
    probed: Option<&Report>,
) -> HashMap<(&'a str, Option<&'a str>, u8), f64> {
    let paths = probed.map_or(&[][..], |report| &report.paths);
    let trip = |path: &smoc_control::liveness::PathReport| {
        let rule = names.policies.rules().choice(path.to.rule).map(|choice| choice.rule.name.as_str());
        let edge = names.topology.switch(path.to.edge).name.as_str();
        Some(((edge, rule, path.rank.get()), path.round_trip?.smoothed.as_secs_f64() * 1e3))
    };
    paths.iter().filter_map(trip).collect()
}

//! What the API tells of hellos, probes and detours.

use serde::{Deserialize, Serialize};

use smoc_control::liveness::{PathReport, PortReport, Report};

/// What is known of the link behind a fabric port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortLivenessView {
    /// Whether frames are sent through it.
    pub up: bool,
    /// Why it is up or down.
    pub reason: String,
    /// For how long.
    pub lasts_seconds: f64,
    /// Round-trip time of hellos, smoothed.
    pub round_trip_ms: Option<f64>,
    /// How often it went down since the agent started.
    pub flaps: u32,
    /// Time that it still has to work before it is up.
    pub hold_down_left_seconds: Option<f64>,
}

/// Ways around neighbours and links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetoursView {
    /// Those in the map.
    pub installed: usize,
    /// Those that do not fit into a source route and are not offered.
    pub unroutable: usize,
}

/// How paths are probed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbingView {
    /// Paths in use.
    pub used: usize,
    /// Other paths.
    pub idle: usize,
    /// Paths that cannot be probed because a way does not fit into a source route.
    pub unroutable: usize,
    /// Paths that are broken.
    pub broken: usize,
    /// Probes a second.
    pub rate: f64,
    /// Time between two probes of a path in use; null: none are sent.
    pub interval_ms: Option<f64>,
    /// Time between two probes of another path; null: none are sent.
    pub idle_interval_ms: Option<f64>,
}

/// What probes say of a path.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PathLivenessView {
    /// `up` or `broken`.
    pub state: String,
    /// For how long.
    pub lasts_seconds: f64,
    /// Whether some flow uses it.
    pub used: bool,
    /// Share of the last 128 probes that was lost.
    pub loss: Option<f64>,
    /// The least round-trip time.
    pub round_trip_min_ms: Option<f64>,
    /// The smoothed one.
    pub round_trip_ms: Option<f64>,
    /// Mean change from one to the next.
    pub jitter_ms: Option<f64>,
}

/// The answer to one probe.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbeView {
    /// The path's switches.
    pub switches: Vec<String>,
    /// How many links it was to go before it turned round.
    pub hops: usize,
    /// The round-trip time; null: it did not come back.
    pub round_trip_ms: Option<f64>,
}

/// Milliseconds, to the microsecond.
pub(super) fn milliseconds(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

impl From<&PortReport> for PortLivenessView {
    fn from(report: &PortReport) -> Self {
        Self {
            up: report.up,
            reason: report.reason.text().to_owned(),
            lasts_seconds: report.lasts.as_secs_f64(),
            round_trip_ms: report.round_trip.map(milliseconds),
            flaps: report.flaps,
            hold_down_left_seconds: report.hold_down_left.map(|left| left.as_secs_f64()),
        }
    }
}

impl From<&PathReport> for PathLivenessView {
    fn from(report: &PathReport) -> Self {
        Self {
            state: if report.broken { "broken" } else { "up" }.to_owned(),
            lasts_seconds: report.lasts.as_secs_f64(),
            used: report.used,
            loss: report.loss,
            round_trip_min_ms: report.round_trip.map(|trip| milliseconds(trip.least)),
            round_trip_ms: report.round_trip.map(|trip| milliseconds(trip.smoothed)),
            jitter_ms: report.round_trip.map(|trip| milliseconds(trip.jitter)),
        }
    }
}

impl From<&Report> for ProbingView {
    fn from(report: &Report) -> Self {
        let used = report.paths.iter().filter(|path| path.used).count();
        let some = |interval: std::time::Duration| (!interval.is_zero()).then(|| milliseconds(interval));
        Self {
            used,
            idle: report.paths.len() - used,
            unroutable: report.unfit,
            broken: report.paths.iter().filter(|path| path.broken).count(),
            rate: report.rate,
            interval_ms: some(report.intervals.0),
            idle_interval_ms: some(report.intervals.1),
        }
    }
}

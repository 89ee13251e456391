//! The values of one scrape.

use std::{collections::HashMap, fmt};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::{Registry, Unit},
};

use smoc_common::map::HandshakeTimes;
use smoc_control::history::SeriesName;

use super::{ALL, ControlMeter, Kind, Metric, REMEMBERED};

/// The media type of the text (OpenMetrics 1.0, "Exposition format").
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;

/// Values by metric and labels.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    values: HashMap<&'static str, Vec<(Labels, f64)>>,
    times: HashMap<&'static str, Vec<(Labels, HandshakeTimes)>>,
}

impl Sheet {
    /// Adds a value of a counter or gauge, or an info (whose value is 1); `labels` are the values of its labels in their
    /// order.
    pub fn put<const N: usize>(&mut self, metric: &Metric, labels: [&dyn fmt::Display; N], value: f64) {
        self.values.entry(metric.stem).or_default().push((with_names(metric, labels), value));
    }

    /// Adds the times that a histogram shows.
    pub fn put_times<const N: usize>(
        &mut self,
        metric: &Metric,
        labels: [&dyn fmt::Display; N],
        times: HandshakeTimes,
    ) {
        self.times.entry(metric.stem).or_default().push((with_names(metric, labels), times));
    }

    /// The same, unless the value is not known.
    pub fn put_known<const N: usize>(
        &mut self,
        metric: &Metric,
        labels: [&dyn fmt::Display; N],
        value: Option<f64>,
    ) {
        if let Some(value) = value {
            self.put(metric, labels, value);
        }
    }

    /// Whether it has a value of this metric.
    pub fn has(&self, metric: &Metric) -> bool {
        self.values.contains_key(metric.stem) || self.times.contains_key(metric.stem)
    }

    /// The values that are remembered over time; histograms are not.
    pub fn remembered(self) -> impl Iterator<Item = (SeriesName, f64)> {
        let Self { mut values, .. } = self;
        REMEMBERED.iter().flat_map(move |metric| {
            let values = values.remove(metric.stem).unwrap_or_default();
            values.into_iter().map(|(labels, value)| {
                let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                (SeriesName { metric: metric.name(), labels }, value)
            })
        })
    }

    /// The text format, together with what control measures itself.
    ///
    /// # Errors
    /// None: text can always be written.
    pub fn text(self, control: &ControlMeter) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        control.register(&mut registry);
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Sheet {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for metric in ALL {
            if !self.has(metric) {
                continue;
            }
            let unit = unit(metric);
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
                Kind::Info => MetricType::Info,
            };
            let mut family = encoder.encode_descriptor(metric.stem, metric.help, unit.as_ref(), kind)?;
            for (labels, times) in self.times.get(metric.stem).into_iter().flatten() {
                encode_times(family.encode_family(labels)?, times)?;
            }
            for (labels, value) in self.values.get(metric.stem).into_iter().flatten() {
                match metric.kind {
                    Kind::Info => family.encode_info(labels)?,
                    Kind::Counter => {
                        family.encode_family(labels)?.encode_counter::<NoLabelSet, _, f64>(value, None)?;
                    }
                    Kind::Gauge => family.encode_family(labels)?.encode_gauge(value)?,
                    Kind::Histogram => unreachable!("its values are times"),
                }
            }
        }
        Ok(())
    }
}

fn with_names<const N: usize>(metric: &Metric, labels: [&dyn fmt::Display; N]) -> Labels {
    debug_assert_eq!(metric.labels.len(), N, "{}", metric.stem);
    metric.labels.iter().copied().zip(labels.map(ToString::to_string)).collect()
}

/// Seconds, though they are kept in nanoseconds.
fn encode_times(mut encoder: MetricEncoder<'_>, times: &HandshakeTimes) -> fmt::Result {
    let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
    let bound = |bucket| HandshakeTimes::bound(bucket).map_or(f64::INFINITY, seconds);
    let buckets: Vec<(f64, u64)> =
        times.buckets.iter().enumerate().map(|(bucket, &count)| (bound(bucket), count)).collect();
    encoder.encode_histogram::<NoLabelSet>(seconds(times.sum), times.count(), &buckets, None)
}

/// The unit of a metric, which becomes part of its name.
pub(super) fn unit(metric: &Metric) -> Option<Unit> {
    (!metric.unit.is_empty()).then(|| Unit::Other(metric.unit.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::{AGENT, FRAMES, PATH_HANDSHAKES, PORT_TRIP, UPTIME};
    use super::*;

    #[test]
    fn what_is_remembered_has_the_names_that_queries_use() {
        let mut sheet = Sheet::default();
        sheet.put(&FRAMES, [&"plain"], 7.0);
        sheet.put(&UPTIME, [], 1.5);
        let labels = [("outcome".to_owned(), "plain".to_owned())].into();
        let name = SeriesName { metric: "smoc_frames_total".into(), labels };
        assert_eq!(sheet.remembered().collect::<Vec<_>>(), [(name, 7.0)]);
    }

    #[test]
    fn a_sheet_is_written_as_openmetrics_wants_it() {
        let mut sheet = Sheet::default();
        sheet.put(&FRAMES, [&"plain"], 7.0);
        sheet.put(&FRAMES, [&"a\"b\\c\nd"], 1.0);
        sheet.put(&UPTIME, [], 1.5);
        sheet.put(&AGENT, [&"e1", &"0.1.0"], 1.0);
        sheet.put_known(&PORT_TRIP, [&1], None);
        let control = ControlMeter::default();
        control.took("time", std::time::Duration::from_millis(2));
        let text = sheet.text(&control).unwrap();
        for line in [
            "# TYPE smoc_frames counter",
            "smoc_frames_total{outcome=\"plain\"} 7.0",
            r#"smoc_frames_total{outcome="a\"b\\c\nd"} 1.0"#,
            "# UNIT smoc_agent_uptime_seconds seconds",
            "smoc_agent_uptime_seconds 1.5",
            "smoc_agent_info{switch=\"e1\",version=\"0.1.0\"} 1",
            "# TYPE smoc_control_event_seconds histogram",
            "smoc_control_event_seconds_sum{event=\"time\"} 0.002",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("smoc_port_round_trip") && text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn times_are_a_histogram_in_seconds() {
        let mut sheet = Sheet::default();
        let mut times = HandshakeTimes { sum: 2_500_000_000, ..HandshakeTimes::default() };
        for time in [9_000, 20_000, 2_000_000_000] {
            times.buckets[HandshakeTimes::bucket(time)] += 1;
        }
        sheet.put_times(&PATH_HANDSHAKES, [&"e2", &"", &3], times);
        let text = sheet.text(&ControlMeter::default()).unwrap();
        let labels = r#"edge="e2",rule="",rank="3""#;
        for line in [
            "# TYPE smoc_path_handshake_seconds histogram".to_owned(),
            format!("smoc_path_handshake_seconds_sum{{{labels}}} 2.5"),
            format!("smoc_path_handshake_seconds_count{{{labels}}} 3"),
            format!(r#"smoc_path_handshake_seconds_bucket{{le="0.000016384",{labels}}} 1"#),
            format!(r#"smoc_path_handshake_seconds_bucket{{le="0.000032768",{labels}}} 2"#),
            format!(r#"smoc_path_handshake_seconds_bucket{{le="0.268435456",{labels}}} 2"#),
            format!(r#"smoc_path_handshake_seconds_bucket{{le="+Inf",{labels}}} 3"#),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}

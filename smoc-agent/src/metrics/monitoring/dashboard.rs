//! A dashboard for Grafana 9 and later, which shows every metric.

use serde_json::{Value, json};

use crate::metrics::{ALL, Kind, Metric};

/// What the dashboard's variable for the data source is called.
const SOURCE: &str = "${source}";
/// Only the switches that are chosen.
const FILTER: &str = "instance=~\"$instance\"";
/// Panels in a row, and their size on a grid of 24 columns.
const IN_A_ROW: usize = 3;
const WIDTH: usize = 24 / IN_A_ROW;
const HEIGHT: usize = 7;

/// A diagram.
#[derive(Debug)]
struct Panel {
    /// The metric's group.
    row: &'static str,
    /// The metric's name.
    title: String,
    /// What it shows.
    description: &'static str,
    /// Grafana's name of the unit.
    unit: &'static str,
    /// What is asked of Prometheus, in PromQL with Grafana's variables.
    expression: String,
    /// How its series are called, with labels in double braces.
    legend: String,
}

fn panel(metric: &Metric) -> Panel {
    let name = metric.name();
    let labels = metric.labels.iter().map(|label| format!("{{{{{label}}}}}"));
    let legend = std::iter::once("{{instance}}".to_owned()).chain(labels).collect::<Vec<_>>().join(" ");
    let (expression, per_second) = match metric.kind {
        Kind::Counter => (format!("rate({name}{{{FILTER}}}[$__rate_interval])"), true),
        Kind::Gauge | Kind::Info => (format!("{name}{{{FILTER}}}"), false),
        Kind::Histogram => {
            let by = ["instance", "le"].iter().chain(metric.labels).copied().collect::<Vec<_>>().join(", ");
            let rate = format!("rate({name}_bucket{{{FILTER}}}[$__rate_interval])");
            (format!("histogram_quantile(0.99, sum by ({by}) ({rate}))"), false)
        }
    };
    let unit = match (metric.unit, per_second) {
        ("bytes", true) => "Bps",
        ("bytes", false) => "bytes",
        ("seconds", _) => "s",
        ("ratio", _) => "percentunit",
        (_, true) => "ops",
        _ => "short",
    };
    Panel { row: metric.group, title: name, description: metric.help, unit, expression, legend }
}

/// The dashboard as a document to import.
pub fn dashboard() -> Value {
    let mut shown = Vec::new();
    let (mut y, mut column, mut row) = (0, 0, "");
    for panel in ALL.iter().map(panel) {
        if panel.row != row {
            y += if column > 0 { HEIGHT } else { 0 };
            (row, column) = (panel.row, 0);
            let place = json!({"h": 1, "w": 24, "x": 0, "y": y});
            shown.push(json!({
                "id": shown.len() + 1, "type": "row", "title": row, "collapsed": false, "gridPos": place, "panels": [],
            }));
            y += 1;
        }
        let place = json!({"h": HEIGHT, "w": WIDTH, "x": column * WIDTH, "y": y});
        shown.push(diagram(&panel, shown.len() + 1, &place));
        column += 1;
        if column == IN_A_ROW {
            (column, y) = (0, y + HEIGHT);
        }
    }
    json!({
        "uid": "smoc", "title": "smoc", "tags": ["smoc"], "schemaVersion": 37, "version": 1, "editable": true,
        "time": {"from": "now-1h", "to": "now"}, "refresh": "10s", "timezone": "browser",
        "annotations": {"list": []}, "links": [],
        "templating": {"list": [
            {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"},
            {
                "name": "instance", "label": "Switch", "type": "query", "datasource": source(), "refresh": 2,
                "query": {"query": "label_values(smoc_agent_info, instance)", "refId": "switches"},
                "multi": true, "includeAll": true, "allValue": ".*", "current": {"text": "All", "value": "$__all"},
            },
        ]},
        "panels": shown,
    })
}

fn source() -> Value {
    json!({"type": "prometheus", "uid": SOURCE})
}

fn diagram(panel: &Panel, id: usize, place: &Value) -> Value {
    json!({
        "id": id, "type": "timeseries", "title": panel.title, "description": panel.description,
        "datasource": source(), "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [{
            "refId": "A", "datasource": source(), "editorMode": "code", "range": true,
            "expr": panel.expression, "legendFormat": panel.legend,
        }],
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_metric_has_a_panel_and_no_two_are_at_one_place() {
        let dashboard = dashboard();
        let shown = dashboard["panels"].as_array().unwrap();
        let titles: HashSet<&str> = shown.iter().filter_map(|panel| panel["title"].as_str()).collect();
        assert!(ALL.iter().all(|metric| titles.contains(metric.name().as_str())));
        let mut ids = HashSet::new();
        let mut taken = HashSet::new();
        for panel in shown {
            assert!(ids.insert(panel["id"].as_u64()), "{panel}");
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
            assert!(x + w <= 24, "{panel}");
            let cells = (y..y + h).flat_map(|y| (x..x + w).map(move |x| (x, y)));
            cells.for_each(|cell| assert!(taken.insert(cell), "{panel} lies on another"));
        }
    }

    #[test]
    fn counters_are_shown_as_rates_and_histograms_as_quantiles() {
        let of = |name: &str| ALL.iter().map(panel).find(|panel| panel.title == name).unwrap();
        let frames = of("smoc_frames_total");
        assert_eq!(frames.expression, "rate(smoc_frames_total{instance=~\"$instance\"}[$__rate_interval])");
        assert_eq!((frames.unit, frames.legend.as_str()), ("ops", "{{instance}} {{outcome}}"));
        let control = of("smoc_control_event_seconds").expression;
        assert!(control.starts_with("histogram_quantile(0.99, sum by (instance, le, event)"), "{control}");
        assert_eq!(of("smoc_path_transmit_bytes_total").unit, "Bps");
    }
}

//! `smoc metrics`: what the agent measures, and what Prometheus and Grafana need to show it.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context;
use serde::Serialize;
use smoc_control::config::Config;

use super::{
    Failure, Format,
    live::{LiveArgs, wait},
    print, print_json,
    table::Table,
};
use crate::{
    api,
    metrics::{
        self, Metric,
        monitoring::{dashboard, rules, scrape},
    },
};

/// Arguments of `smoc metrics`.
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Without a verb: what the agent measures now, as OpenMetrics text.

The agent answers at /metrics of its socket, and of a TCP port where its configuration says
metrics: {listen: \"10.0.0.1:9852\"}.

Examples:
  smoc metrics | grep smoc_path_
  smoc metrics list
  smoc metrics alerts > smoc-alerts.yaml        # for Prometheus
  smoc metrics dashboard > smoc.json            # for Grafana: Dashboards, Import
  smoc metrics scrape e1.yaml e2.yaml > prometheus.yaml"
)]
pub struct MetricsArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    live: LiveArgs,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    /// List all metrics with their labels and what they mean
    List {
        /// How to print
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print alert rules for Prometheus, in YAML or JSON
    Alerts {
        /// How to print
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print a dashboard for Grafana
    Dashboard,
    /// Print a configuration with which Prometheus scrapes the agents of these configurations
    Scrape {
        /// Configurations of agents
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// Runs the verb.
///
/// # Errors
/// No agent answers, or a configuration is faulty.
pub fn run(args: &MetricsArgs) -> Result<(), Failure> {
    match &args.verb {
        None => {
            let text = wait(api::text(&args.live.agent.api, "/metrics"))?;
            match args.live.format {
                Format::Table => print(text.trim_end()),
                Format::Json => print_json(&samples(&text)),
            }
        }
        Some(Verb::List { format: Format::Table }) => print(&list()),
        Some(Verb::List { format: Format::Json }) => print_json(&described()),
        Some(Verb::Alerts { format: Format::Table }) => {
            print(serde_saphyr::to_string(&rules()).context("write the rules")?.trim_end())
        }
        Some(Verb::Alerts { format: Format::Json }) => print_json(&rules()),
        Some(Verb::Dashboard) => print_json(&dashboard()),
        Some(Verb::Scrape { files }) => print(configuration(files)?.trim_end()),
    }
}

/// A table for each group.
fn list() -> String {
    let mut text = String::new();
    for group in metrics::ALL.chunk_by(|a, b| a.group == b.group) {
        let mut table = Table::new(["metric", "kind", "labels", "meaning"]);
        for metric in group {
            table.row([
                metric.name(),
                metric.kind.to_string(),
                metric.labels.join(" "),
                metric.help.to_owned(),
            ]);
        }
        text += &format!("{}{}\n\n{table}", if text.is_empty() { "" } else { "\n" }, group[0].group);
    }
    text.trim_end().to_owned()
}

#[derive(Serialize)]
struct Described {
    name: String,
    group: &'static str,
    kind: String,
    unit: Option<&'static str>,
    labels: &'static [&'static str],
    help: &'static str,
}

fn described() -> Vec<Described> {
    let describe = |metric: &'static Metric| Described {
        name: metric.name(),
        group: metric.group,
        kind: metric.kind.to_string(),
        unit: Some(metric.unit).filter(|unit| !unit.is_empty()),
        labels: metric.labels,
        help: metric.help,
    };
    metrics::ALL.iter().map(describe).collect()
}

/// A value of a metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// The samples of a text of OpenMetrics.
pub(super) fn samples(text: &str) -> Vec<Sample> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect()
}

/// `name value` or `name{label="text",...} value`; in texts a backslash is before each `\\`, `"` and line feed (as `n`).
fn sample(line: &str) -> Option<Sample> {
    let name_ends = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(name_ends);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, value) = rest.trim_start_matches(',').split_once("=\"")?;
            let (value, after) = quoted(value)?;
            labels.insert(label.to_owned(), value);
            rest = after;
        }
        rest = &rest[1..];
    }
    Some(Sample { name: name.to_owned(), labels, value: rest.trim().parse().ok()? })
}

/// A text up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

fn configuration(files: &[PathBuf]) -> Result<String, Failure> {
    let mut agents = Vec::new();
    for file in files {
        let config = Config::load(file).map_err(Failure::bad_input)?;
        let metrics = config.metrics.with_context(|| {
            format!("{}: no port for metrics: write metrics: {{listen: \"ADDRESS:9852\"}}", file.display())
        });
        agents.push((config.switch, metrics.map_err(Failure::BadInput)?.listen));
    }
    Ok(scrape(&agents))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let text = "# TYPE a gauge\na 1.5\nb{x=\"1\",y=\"q\\\"\\\\\\n}\"} 7\nbroken{x=\n# EOF\n";
        let labels = BTreeMap::from([("x".into(), "1".into()), ("y".into(), "q\"\\\n}".into())]);
        let expected = [
            Sample { name: "a".into(), labels: BTreeMap::new(), value: 1.5 },
            Sample { name: "b".into(), labels, value: 7.0 },
        ];
        assert_eq!(samples(text), expected);
    }
}

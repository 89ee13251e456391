//! What failures cost, as a picture: silence at the receiver, and goodput around each failure.

use smoc_plot::{
    Axis, Category, Colour, Event, Figure, Level, Lines, Panel, Range, Ranges, Row, Series, number,
};

use super::Outcome;
use super::report::Report;

/// Panels beside each other, and their height in pixels.
const COLUMNS: usize = 3;
const HEIGHT: f64 = 190.0;

/// Mbit/s of all four links, the least that every panel has room for.
const LINKS: f64 = 400.0;

/// The kinds of network, as they are called in every panel.
const KINDS: [(&str, Colour); 2] = [("smoc", Colour::Blue), ("kernel ECMP", Colour::Orange)];

/// The picture of these measurements.
pub fn figure(report: &Report) -> Figure {
    let mut rows = vec![Row::of(Panel::Ranges(gaps(report)))];
    let panels: Vec<_> = report.smoc.iter().map(|smoc| (smoc, report.over_ecmp(smoc.failure))).collect();
    let all = report.smoc.iter().chain(&report.ecmp).flat_map(|outcome| &outcome.goodput);
    let most = all.map(|point| point.1).fold(LINKS * 1.05, f64::max);
    let columns = panels.len().clamp(1, COLUMNS);
    for panels in panels.chunks(columns) {
        let last = panels.len() - 1;
        let panel = |(at, (smoc, ecmp)): (usize, &(&Outcome, Option<&Outcome>))| {
            Panel::Lines(goodput(smoc, *ecmp, most, at < last))
        };
        let mut panels: Vec<_> = panels.iter().enumerate().map(panel).collect();
        // The last row's panels are as wide as those above them.
        panels.resize_with(columns, || Panel::Empty);
        rows.push(Row { height: Some(HEIGHT), panels });
    }
    Figure {
        title: "What failures cost: silence, and what a connection makes of what is left".to_owned(),
        subtitle: "Above: one datagram a millisecond (95 Mbit/s of them while agents restart), one run of each. Below: an MPTCP \
                   connection with a subflow on each path before, during and after the failure, mean of half a second; the \
                   dashed level is what the links that are left carry."
            .to_owned(),
        rows,
    }
}

/// The longest silence of each failure.
fn gaps(report: &Report) -> Ranges {
    let range = |outcome: &Outcome| {
        let back = if outcome.back_ms.is_some() { "" } else { ", never back" };
        let gap = number((outcome.gap_ms * 10.0).round() / 10.0);
        Range::of(&[outcome.gap_ms])
            .map(|it| it.label(format!("{gap} ms, {} lost{back}", number(outcome.lost.into()))))
    };
    let row = |smoc: &Outcome| Category {
        name: smoc.failure.label().to_owned(),
        ranges: vec![range(smoc), report.over_ecmp(smoc.failure).and_then(range)],
        limit: None,
    };
    Ranges {
        title: "Longest silence at the receiver".to_owned(),
        axis: Axis::log("milliseconds"),
        series: KINDS.map(|(name, colour)| (name.to_owned(), colour)).to_vec(),
        rows: report.smoc.iter().map(row).collect(),
        levels: Vec::new(),
    }
}

/// Goodput around one failure, in a panel with room for `most`.
fn goodput(smoc: &Outcome, ecmp: Option<&Outcome>, most: f64, nameless: bool) -> Lines {
    let outcomes = [Some(smoc), ecmp].into_iter().zip(KINDS);
    // One that has no points keeps the room for its name, so that all rows have panels of the same width.
    let series = outcomes.map(|(outcome, (name, colour))| {
        let points = outcome.map(|outcome| outcome.goodput.clone()).unwrap_or_default();
        Series::line(name, points).colour(colour)
    });
    let broke = if ecmp.is_some_and(|ecmp| ecmp.share_left.is_none()) { " (broke over ECMP)" } else { "" };
    let failure = smoc.failure;
    Lines {
        title: format!("{}{broke}", failure.label()),
        x: Axis::linear("seconds"),
        y: Axis::linear("Mbit/s").from(0.0).to(most),
        levels: vec![Level { at: 100.0 * failure.paths_left() as f64, label: String::new() }],
        events: vec![Event { at: 0.0, label: "failure".to_owned() }],
        series: series.collect(),
        nameless,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failover::Failure;

    fn outcome(failure: Failure, lost: u32, gap_ms: f64, back: bool) -> Outcome {
        Outcome {
            failure,
            lost,
            sent: 5_000,
            gap_ms,
            back_ms: back.then_some(gap_ms),
            share_left: back.then_some(0.93),
            goodput: if back { vec![(-1.0, 370.0), (0.1, 150.0), (1.0, 280.0)] } else { Vec::new() },
        }
    }

    #[test]
    fn the_picture_has_every_failure_with_both_kinds_of_network() {
        let report = Report {
            smoc: vec![
                outcome(Failure::NearDown, 0, 4.26, true),
                outcome(Failure::FarSilent, 36, 38.0, true),
                outcome(Failure::AgentRestart, 0, 0.0, true),
                outcome(Failure::Elsewhere, 0, 2.0, true),
            ],
            ecmp: vec![
                outcome(Failure::NearDown, 3, 4.0, true),
                outcome(Failure::FarSilent, 3_990, 3_990.0, false),
            ],
        };
        let svg = figure(&report).svg();
        for wanted in [
            "near link down",
            "agent restarted",
            "far link silent (broke over ECMP)",
            "4.3 ms, 0 lost",
            "3,990 ms, 3,990 lost, never back",
            "kernel ECMP",
            "milliseconds",
            "Mbit/s",
        ] {
            assert!(svg.contains(wanted), "{wanted} is not in {svg}");
        }
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn one_failure_or_none_is_a_picture_too() {
        let one = Report { smoc: vec![outcome(Failure::NearDown, 0, 4.0, true)], ecmp: Vec::new() };
        assert!(figure(&one).svg().contains("near link down"));
        assert!(figure(&Report::default()).svg().contains("</svg>"));
    }
}

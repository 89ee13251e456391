//! The demo as a picture: what the links carried over time, and what all trials reached.

use smoc_plot::{Axis, Category, Colour, Figure, Level, Lines, Panel, Range, Ranges, Row, Series};

use super::report::Report;
use super::timeline::Timeline;

/// Pixels.
const HEIGHT: f64 = 270.0;

/// What is drawn over time: one connection of each kind.
pub struct Shown<'a> {
    /// Plain TCP.
    pub tcp: &'a Timeline,
    /// MPTCP over kernel ECMP.
    pub ecmp: &'a Timeline,
    /// MPTCP over smoc.
    pub smoc: &'a Timeline,
    /// What the links are called, in the timelines' order.
    pub links: &'a [String],
}

/// The picture of these measurements.
pub fn figure(report: &Report, shown: &Shown<'_>) -> Figure {
    let share = |trials: &[f64]| {
        let median = Range::of(trials).map_or(0.0, |range| range.middle);
        format!("{:.0} %", 100.0 * median / report.capacity_mbit)
    };
    let over_time =
        [("Plain TCP", shown.tcp), ("MPTCP over kernel ECMP", shown.ecmp), ("MPTCP over smoc", shown.smoc)];
    let last = over_time.len() - 1;
    let goodput = over_time.iter().flat_map(|(_, timeline)| &timeline.goodput).map(|point| point.1);
    let most = goodput.fold(report.capacity_mbit * 1.1, f64::max);
    let panels = over_time.iter().enumerate().map(|(number, (title, timeline))| {
        Panel::Lines(lines(title, timeline, shown.links, [report.capacity_mbit, most], number < last))
    });
    Figure {
        title: format!(
            "Of {} paths one connection fills {} over smoc, {} over ECMP",
            report.paths,
            share(&report.smoc_mbit),
            share(&report.ecmp_mbit)
        ),
        subtitle: format!(
            "Areas: what each path's link carried, headers included. Line: what arrived at the receiver, mean of half a second. \
             Of {} trials of each kind of MPTCP the one in the middle.",
            report.smoc_mbit.len()
        ),
        rows: vec![
            Row { height: Some(HEIGHT), panels: panels.collect() },
            Row::of(Panel::Ranges(all_trials(report))),
        ],
    }
}

/// One connection over time: a level at the capacity, and an axis to the most that any of them reached.
fn lines(
    title: &str,
    timeline: &Timeline,
    links: &[String],
    [capacity, most]: [f64; 2],
    nameless: bool,
) -> Lines {
    let areas = links.iter().zip(&timeline.links);
    let mut series: Vec<_> = areas.map(|(name, curve)| Series::stacked(name, curve.clone())).collect();
    series.push(Series::line("goodput", timeline.goodput.clone()).colour(Colour::Ink));
    Lines {
        title: title.to_owned(),
        x: Axis::linear("seconds").from(0.0),
        y: Axis::linear("Mbit/s").from(0.0).to(most),
        series,
        levels: vec![Level { at: capacity, label: "all links".to_owned() }],
        nameless,
        ..Lines::default()
    }
}

/// The goodput of all trials: least, median and greatest.
fn all_trials(report: &Report) -> Ranges {
    let row = |name: &str, trials: &[f64]| {
        let label = |range: Range| {
            let middle = range.middle;
            range.label(format!("{:.0} %", 100.0 * middle / report.capacity_mbit))
        };
        Category { name: name.to_owned(), ranges: vec![Range::of(trials).map(label)], limit: None }
    };
    Ranges {
        title: format!(
            "Goodput of all trials, {} of each kind of MPTCP: least, median, greatest",
            report.smoc_mbit.len()
        ),
        axis: Axis::linear("Mbit/s").from(0.0).to(report.capacity_mbit),
        series: vec![("goodput".to_owned(), Colour::Ink)],
        rows: vec![
            row("Plain TCP, one trial", &[report.tcp_mbit]),
            row("MPTCP over kernel ECMP", &report.ecmp_mbit),
            row("MPTCP over smoc", &report.smoc_mbit),
        ],
        levels: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_names_kinds_links_and_shares() {
        let report = Report {
            capacity_mbit: 400.0,
            tcp_mbit: 95.0,
            ecmp_mbit: vec![280.0, 90.0, 300.0],
            smoc_mbit: vec![370.0, 376.0, 374.0],
            paths_used: 4,
            paths: 4,
        };
        let timeline = Timeline {
            goodput: vec![(0.1, 90.0), (0.2, 95.0)],
            links: vec![vec![(0.1, 95.0), (0.2, 100.0)], vec![(0.1, 0.0), (0.2, 0.0)]],
        };
        let links = ["m1", "m2"].map(str::to_owned);
        let shown = Shown { tcp: &timeline, ecmp: &timeline, smoc: &timeline, links: &links };
        let svg = figure(&report, &shown).svg();
        for wanted in [
            "Of 4 paths one connection fills 94 % over smoc, 70 % over ECMP",
            "Plain TCP",
            "MPTCP over kernel ECMP",
            "MPTCP over smoc",
            "m1",
            "m2",
            "goodput",
            "all links",
            "24 %",
        ] {
            assert!(svg.contains(wanted), "{wanted} is not in {svg}");
        }
        assert!(!svg.contains("NaN"));
    }
}

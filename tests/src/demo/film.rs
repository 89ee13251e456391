//! The demo as a picture that moves.

use smoc_plot::{Film, Range, Scene};

use super::picture::Shown;
use super::report::Report;
use super::timeline::Timeline;

/// How many seconds one second takes: subflows start within tenths of one.
const SLOWER: f64 = 2.0;

/// What the paths of one connection carried over ECMP and over smoc, from its start on.
pub fn film(report: &Report, shown: &Shown<'_>) -> Film {
    let kinds = [
        ("MPTCP over kernel ECMP", shown.ecmp, &report.ecmp_mbit),
        ("MPTCP over smoc", shown.smoc, &report.smoc_mbit),
    ];
    Film {
        title: "One connection with four subflows, from its start".to_owned(),
        subtitle: format!(
            "Width of a path: what its link carried. Bar: what arrived. Half speed. Of {} trials of each the one in the middle.",
            report.smoc_mbit.len()
        ),
        slower: SLOWER,
        scenes: kinds.map(|(title, timeline, trials)| scene(title, timeline, trials, report, shown)).into(),
    }
}

fn scene(title: &str, timeline: &Timeline, trials: &[f64], report: &Report, shown: &Shown<'_>) -> Scene {
    let median = Range::of(trials).map_or(0.0, |range| range.middle);
    Scene {
        title: title.to_owned(),
        lanes: shown.links.iter().cloned().zip(timeline.links.iter().cloned()).collect(),
        capacity: report.capacity_mbit,
        arrives: timeline.goodput.clone(),
        outcome: format!("{:.0} %", 100.0 * median / report.capacity_mbit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_shown_with_their_links_and_shares() {
        let report = Report {
            capacity_mbit: 200.0,
            ecmp_mbit: vec![94.0],
            smoc_mbit: vec![188.0],
            paths: 2,
            ..Report::default()
        };
        let timeline = |second| Timeline {
            goodput: vec![(0.1, 90.0)],
            links: vec![vec![(0.1, 95.0)], vec![(0.1, second)]],
        };
        let links = ["by m1", "by m2"].map(str::to_owned);
        let (ecmp, smoc) = (timeline(0.0), timeline(100.0));
        let shown = Shown { tcp: &ecmp, ecmp: &ecmp, smoc: &smoc, links: &links };
        let film = film(&report, &shown);
        assert_eq!(
            film.scenes.iter().map(|scene| scene.outcome.as_str()).collect::<Vec<_>>(),
            ["47 %", "94 %"]
        );
        assert_eq!(film.scenes[1].lanes[1], ("by m2".to_owned(), vec![(0.1, 100.0)]));
    }
}

//! What the path search costs, as a picture: time by size.

use smoc_paths::search::Policy;
use smoc_plot::{Axis, Colour, Figure, Lines, Panel, Row, Series, Shape};

use super::OneToAll;

/// How many paths the drawn rows ask for.
const PATHS: usize = 8;

/// The picture of these measurements: a panel for each family of topologies, with the same scale of time.
pub fn figure(measured: &[OneToAll]) -> Figure {
    let families = [("Fat-trees", "fat-tree"), ("Wide-area networks", "WAN")];
    let families = families.map(|(title, prefix)| (title, of_family(measured, prefix)));
    let families: Vec<_> = families.into_iter().filter(|(_, rows)| !rows.is_empty()).collect();
    let count = families.len();
    let mut panels: Vec<_> = families.iter().map(|(title, rows)| lines(title, rows)).collect();
    let series = panels.iter().flat_map(|panel| &panel.series);
    let times: Vec<f64> =
        series.flat_map(|series| series.points.iter().map(|point| point.1.log10())).collect();
    let from = 10f64.powf(times.iter().copied().fold(f64::INFINITY, f64::min).floor());
    let to = 10f64.powf(times.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil());
    for (number, panel) in panels.iter_mut().enumerate() {
        panel.y = panel.y.clone().from(from).to(to);
        panel.nameless = number + 1 < count;
    }
    Figure {
        title: format!("{PATHS} paths to every other edge switch: processor time by size"),
        subtitle: "Time for one pair of edges, the least of three runs on one core. The floor is one plain search for each pair; \
                   networkx, where it ran, does the work of diverse by a min-cost flow."
            .to_owned(),
        rows: vec![Row { height: None, panels: panels.into_iter().map(Panel::Lines).collect() }],
    }
}

fn of_family<'a>(measured: &'a [OneToAll], prefix: &str) -> Vec<&'a OneToAll> {
    let mut rows: Vec<_> =
        measured.iter().filter(|row| row.paths == PATHS && row.topology.starts_with(prefix)).collect();
    rows.sort_by_key(|row| row.pairs);
    rows
}

fn lines(title: &str, rows: &[&OneToAll]) -> Lines {
    let curve = |policy: Policy, time: fn(&OneToAll) -> Option<f64>| {
        let of_policy = rows.iter().filter(move |row| row.policy == policy);
        // The switch that all paths start at is an edge too.
        of_policy.filter_map(|row| Some((row.pairs as f64 + 1.0, time(row)?))).collect::<Vec<_>>()
    };
    let policies =
        [(Policy::Diverse, Colour::Blue), (Policy::Smoc, Colour::Orange), (Policy::Shortest, Colour::Green)];
    let ours = policies.map(|(policy, colour)| {
        Series::line(policy.to_string(), curve(policy, |row| Some(row.microseconds_per_pair))).colour(colour)
    });
    let floor = curve(Policy::Diverse, |row| Some(row.floor_milliseconds * 1e3 / row.pairs as f64));
    let theirs = curve(Policy::Diverse, |row| Some(row.networkx_milliseconds_per_pair? * 1e3));
    let references = [
        Series::line("floor", floor).shape(Shape::Dashed).colour(Colour::Grey),
        Series::line("networkx", theirs).colour(Colour::Vermillion),
    ];
    let series = ours.into_iter().chain(references).filter(|series| !series.points.is_empty());
    Lines {
        title: title.to_owned(),
        x: Axis::log("edge switches"),
        y: Axis::log("microseconds a pair"),
        series: series.collect(),
        ..Lines::default()
    }
}

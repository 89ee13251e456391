//! What frames cost, as a picture.

use smoc_plot::{Axis, Category, Colour, Figure, Level, Panel, Range, Ranges, Row, number};

use super::PacketReport;

/// The picture of these measurements.
pub fn figure(report: &PacketReport) -> Figure {
    let rows = report.costs.iter().map(|cost| {
        let [low, high] = cost.net_ratio_range;
        let range = Range { low, middle: cost.net_ratio, high, label: String::new() };
        let label = format!("{:.2}, {} ns", cost.net_ratio, number(cost.net_nanoseconds));
        Category { name: cost.name.to_owned(), ranges: vec![Some(range.label(label))], limit: cost.limit }
    });
    Figure {
        title: "What a frame costs in smoc's programs, beside a bare XDP redirect".to_owned(),
        subtitle: format!(
            "Least, median and greatest of {} rounds; a bare redirect took {:.1} ns. The black strokes are what may be \
             reached at most. Everything is in the cache. New connections: {} a second on one CPU.",
            report.rounds,
            report.redirect_alone,
            number(report.connections_per_second)
        ),
        rows: vec![Row::of(Panel::Ranges(Ranges {
            axis: Axis::linear("times a bare redirect (NET)").from(0.0),
            series: vec![("smoc".to_owned(), Colour::Blue)],
            rows: rows.collect(),
            levels: vec![Level { at: 1.0, label: "bare redirect".to_owned() }],
            ..Ranges::default()
        }))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Cost;

    #[test]
    fn the_picture_has_every_kind_of_frame_with_its_range_and_limit() {
        let cost = |name, net_ratio: f64, limit| Cost {
            name,
            nanoseconds: 40.0,
            nanoseconds_range: [39.0, 60.0],
            pass_ratio: 1.5,
            ratio: net_ratio,
            net_ratio,
            net_ratio_range: [net_ratio - 0.1, net_ratio + 0.2],
            net_nanoseconds: net_ratio * 10.0,
            limit,
        };
        let report = PacketReport {
            rounds: 9,
            redirect_alone: 10.04,
            redirect_behind: 30.0,
            putting_back: 20.0,
            costs: vec![cost("transit", 1.25, Some(1.3)), cost("edge, IPv6", 2.5, None)],
            connections_per_second: 812_345.0,
        };
        let table = report.to_string();
        assert!(table.contains("warning: transit: rounds disagree, 39.0 to 60.0 ns"), "{table}");
        let svg = figure(&report).svg();
        for wanted in [
            "transit",
            "edge, IPv6",
            "1.25, 12.5 ns",
            "2.50, 25 ns",
            "bare redirect",
            "9 rounds",
            "812,345 a second",
            "took 10.0 ns",
            "times a bare redirect",
        ] {
            assert!(svg.contains(wanted), "{wanted} is not in {svg}");
        }
    }
}

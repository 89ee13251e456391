//! What a hop costs, as a picture.

use smoc_plot::{Axis, Category, Colour, Figure, Panel, Range, Ranges, Row, number};

use super::report::{Report, Spread};

/// The picture of these measurements: a hop of each way, and the rate through three switches.
pub fn figure(report: &Report) -> Figure {
    let hops = report.rows.iter().filter(|row| row.hop.is_some()).map(|row| Category {
        name: row.name.to_owned(),
        ranges: vec![row.hop.map(|hop| {
            let beside = row
                .hop_to_bridge
                .map_or_else(String::new, |ratio| format!(", {:.2} of a bridge", ratio.median));
            range(hop, 1.0).label(format!("{} ns{beside}", number(hop.median.round())))
        })],
        limit: None,
    });
    let rates = report.rows.iter().filter_map(|row| {
        let through = row.through.last()?;
        let rate = range(through.frames_per_second, 1e6);
        let label = format!("{:.2} million", rate.middle);
        Some(Category { name: row.name.to_owned(), ranges: vec![Some(rate.label(label))], limit: None })
    });
    let panel = |title: &str, axis, rows| {
        Row::of(Panel::Ranges(Ranges {
            title: title.to_owned(),
            axis: Axis::linear(axis).from(0.0),
            series: vec![("measured".to_owned(), Colour::Blue)],
            rows,
            ..Ranges::default()
        }))
    };
    Figure {
        title: "What a switch costs".to_owned(),
        subtitle: format!(
            "Least, median and greatest of {} rounds of {} s; live frames of {} bytes over veth pairs, everything on one CPU. A hop \
             is half of what three switches take more than one, or a third of what three take more than a cable.",
            report.rounds, report.seconds, report.frame_bytes
        ),
        rows: vec![
            panel("A hop", "nanoseconds a frame", hops.collect()),
            panel("Through three switches (the cable: none)", "million frames a second", rates.collect()),
        ],
    }
}

fn range(spread: Spread, unit: f64) -> Range {
    let Spread { min, median, max } = spread;
    Range { low: min / unit, middle: median / unit, high: max / unit, label: String::new() }
}

//! Which share of the agents knew after how long.

use std::time::Duration;

use smoc_plot::{Axis, Figure, Lines, Panel, Row, Series, Shape};

/// When each agent knew, in order.
pub struct Curve {
    pub name: &'static str,
    pub times: Vec<Duration>,
}

/// The picture of these curves.
pub fn figure(agents: usize, curves: &[Curve]) -> Figure {
    let series = curves.iter().map(|curve| {
        let share = |(place, time): (usize, &Duration)| {
            (time.as_secs_f64().max(0.01), 100.0 * (place + 1) as f64 / curve.times.len() as f64)
        };
        Series::line(curve.name, curve.times.iter().enumerate().map(share).collect()).shape(Shape::Steps)
    });
    let lines = Lines {
        x: Axis::log("seconds"),
        y: Axis::linear("agents that know, %").from(0.0).to(100.0),
        series: series.collect(),
        ..Lines::default()
    };
    Figure {
        title: format!("{agents} agents and one etcd: how long until all know"),
        rows: vec![Row { height: Some(360.0), panels: vec![Panel::Lines(lines)] }],
        ..Figure::default()
    }
}

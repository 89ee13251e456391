//! Which share of the agents knew after how long.

use std::{path::Path, time::Duration};

use anyhow::{Result, anyhow};
use plotters::prelude::*;

/// When each agent knew, in order.
pub struct Curve {
    pub name: &'static str,
    pub times: Vec<Duration>,
}

/// Draws them into an SVG.
pub fn draw(file: &Path, curves: &[Curve]) -> Result<()> {
    let area = SVGBackend::new(file, (760, 420)).into_drawing_area();
    render(&area, curves).map_err(|error| anyhow!("{}: {error}", file.display()))?;
    area.present().map_err(|error| anyhow!("{}: {error}", file.display()))
}

fn render<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    curves: &[Curve],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>>
where
    B::ErrorType: 'static,
{
    area.fill(&WHITE)?;
    let last = curves.iter().flat_map(|curve| curve.times.last()).max().map_or(1.0, Duration::as_secs_f64);
    let mut chart = ChartBuilder::on(area)
        .margin(14)
        .x_label_area_size(42)
        .y_label_area_size(56)
        .build_cartesian_2d((0.01..last * 1.1).log_scale(), 0.0..100.0)?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .y_desc("agents that know, %")
        .light_line_style(WHITE)
        .x_label_formatter(&|seconds| format!("{seconds}"))
        .draw()?;
    let colors = [BLUE, RED, GREEN, MAGENTA, BLACK];
    for (curve, color) in curves.iter().zip(colors) {
        let share = |(place, time): (usize, &Duration)| {
            (time.as_secs_f64().max(0.01), 100.0 * (place + 1) as f64 / curve.times.len() as f64)
        };
        let points = curve.times.iter().enumerate().map(share);
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()
}

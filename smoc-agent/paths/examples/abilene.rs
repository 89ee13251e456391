//! Draws `docs/abilene.svg`: what one connection reaches on Abilene with each policy, by its receive buffer.
//!
//!     cargo run --package smoc-paths --example abilene -- examples/abilene.yaml docs/abilene.svg

use std::error::Error;
use std::path::PathBuf;

use plotters::prelude::*;
use smoc_paths::analysis::simulate::{Routing, Simulation, Simulator};
use smoc_paths::analysis::traffic::Traffic;
use smoc_paths::search::{Metric, PathOptions, Policy};
use smoc_paths::topology::{Topology, TopologyFile};

/// Subflows of each connection.
const SUBFLOWS: usize = 4;
/// Receive buffers in megabytes.
const BUFFERS: [u64; 10] = [10, 20, 40, 80, 120, 160, 240, 320, 480, 640];

/// A line of the picture: its name, how subflows are placed, and whether the ranks keep within the buffer.
type Line = (&'static str, Routing, Metric, bool);

const LINES: [Line; 6] = [
    ("one path", Routing::Single, Metric::Latency, false),
    ("shortest", Routing::Ranked(Policy::Shortest), Metric::Latency, false),
    ("diverse", Routing::Ranked(Policy::Diverse), Metric::Latency, false),
    ("widest", Routing::Ranked(Policy::Widest), Metric::Latency, false),
    ("diverse, within the buffer", Routing::Ranked(Policy::Diverse), Metric::Latency, true),
    ("widest, within the buffer", Routing::Ranked(Policy::Widest), Metric::Latency, true),
];

/// The mean of all pairs of hosts, each with the network to itself, in Gbit/s.
fn mean(topology: &Topology, (_, routing, metric, fit): Line, megabytes: u64) -> Result<f64, Box<dyn Error>> {
    let buffer = Some(megabytes * 1_000_000);
    let hosts = topology.hosts().len();
    let mut sum = 0.0;
    let mut all = 0;
    for pair in (0..hosts).flat_map(|a| (0..hosts).map(move |b| (a, b))).filter(|(a, b)| a != b) {
        let simulation = Simulation {
            traffic: Traffic::Given(vec![pair]),
            subflows: SUBFLOWS,
            routing,
            options: PathOptions { metric, receive_buffer: buffer.filter(|_| fit), ..PathOptions::default() },
            receive_buffer: buffer,
            capacity: 100e9,
        };
        sum += Simulator::new(topology, &simulation)?.run(0, |_, _| ())[0].rate / 1e9;
        all += 1;
    }
    Ok(sum / f64::from(all))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(file), Some(picture)) = (arguments.next(), arguments.next()) else {
        return Err("name a topology and the picture to write".into());
    };
    let topology = TopologyFile::load(&file)?.topology;
    let root = SVGBackend::new(&picture, (900, 520)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("Abilene: one connection of 4 subflows, mean of all pairs", ("sans-serif", 22))
        .margin(15)
        .x_label_area_size(45)
        .y_label_area_size(60)
        .build_cartesian_2d((10.0..640.0).log_scale(), 0.0..24.0)?;
    let mut mesh = chart.configure_mesh();
    mesh.max_light_lines(0).x_labels(7).x_label_formatter(&|x| format!("{x:.0}"));
    mesh.y_label_formatter(&|y| format!("{y:.0}")).label_style(("sans-serif", 15));
    mesh.x_desc("receive buffer in Mbyte").y_desc("Gbit/s").draw()?;
    for (number, line) in LINES.into_iter().enumerate() {
        let mut points = Vec::new();
        for megabytes in BUFFERS {
            points.push((megabytes as f64, mean(&topology, line, megabytes)?));
        }
        println!("{:<28}{}", line.0, points.iter().map(|p| format!("{:>7.2}", p.1)).collect::<String>());
        let colour = Palette99::pick(number).stroke_width(2);
        let drawn = chart.draw_series(LineSeries::new(points, colour))?;
        drawn.label(line.0).legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .draw()?;
    root.present()?;
    Ok(())
}

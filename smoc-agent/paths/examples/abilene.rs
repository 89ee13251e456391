//! Draws `docs/abilene.svg`: what one connection reaches on Abilene with each policy, by its receive buffer.
//!
//!     cargo run --package smoc-paths --example abilene -- examples/abilene.yaml docs/abilene.svg

use std::error::Error;

use smoc_paths::analysis::simulate::{Routing, Simulation, Simulator};
use smoc_paths::analysis::traffic::Traffic;
use smoc_paths::search::{Metric, PathOptions, Policy};
use smoc_paths::topology::{Topology, TopologyFile};
use smoc_plot::{Axis, Colour, Figure, Lines, Panel, Row, Series, Shape, SvgFile};

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

/// A colour for each policy; what keeps within the buffer is a full line.
fn look((_, routing, _, fit): Line) -> (Colour, Shape) {
    match routing {
        Routing::Ranked(policy) => {
            let colour = match policy {
                Policy::Diverse => Colour::Blue,
                Policy::Widest => Colour::Vermillion,
                Policy::Shortest | Policy::Smoc => Colour::Green,
            };
            (colour, if fit { Shape::Line } else { Shape::Dashed })
        }
        Routing::Single | Routing::Ecmp => (Colour::Grey, Shape::Line),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(picture)) = (arguments.next(), arguments.next()) else {
        return Err("name a topology and the picture to write".into());
    };
    let picture: SvgFile = picture.parse()?;
    let topology = TopologyFile::load(file.as_ref())?.topology;
    let mut series = Vec::new();
    for line in LINES {
        let mut points = Vec::new();
        for megabytes in BUFFERS {
            points.push((megabytes as f64, mean(&topology, line, megabytes)?));
        }
        println!("{:<28}{}", line.0, points.iter().map(|p| format!("{:>7.2}", p.1)).collect::<String>());
        let (colour, shape) = look(line);
        series.push(Series::line(line.0, points).colour(colour).shape(shape));
    }
    let lines = Lines {
        x: Axis::log("receive buffer in Mbyte").from(10.0).to(640.0),
        y: Axis::linear("Gbit/s").from(0.0),
        series,
        ..Lines::default()
    };
    let figure = Figure {
        title: "Abilene: what one connection of 4 subflows reaches".to_owned(),
        subtitle: "The mean of all pairs of hosts, each alone in the network.".to_owned(),
        rows: vec![Row { height: Some(420.0), panels: vec![Panel::Lines(lines)] }],
    };
    picture.write(&figure.svg())?;
    Ok(())
}

//! `smoc-lab bench fabric`: what switches cost, beside everything else that the kernel forwards frames with.
//!
//! Top floor first: `mod -> summary, picture -> report`, `mod -> line, connect -> smoc -> chain`.

mod chain;
mod connect;
mod line;
mod options;
mod picture;
mod report;
mod smoc;
mod summary;

use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use smoc_common::event::Outcome;

use connect::{Hosts, Transport};
use line::{Line, Load, Sample};
pub use options::{FabricOptions, JsonTarget};
pub use report::Report;

use crate::cli::Format;
use crate::traffic::ByteStream;

/// How a chain forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// No switch at all.
    Cable,
    /// The kernel's bridge.
    Bridge,
    /// The kernel's bridge with br_netfilter, which has no rules to look at.
    FilteredBridge,
    /// The kernel's IP forwarding.
    Routing,
    /// A redirect by tc, at the ingress.
    Tc,
    /// An XDP program that asks the kernel's routes.
    XdpForward,
    /// smoc's transit switches, which frames reach with their route.
    Transit,
    /// smoc from edge to edge.
    Smoc,
}

/// A row of the table.
struct Kind {
    name: &'static str,
    way: Way,
    /// Through how many switches.
    switches: &'static [usize],
    load: Load,
}

/// Established subflows, of so many connections.
const fn established(flows: u32) -> Load {
    Load { outcome: Outcome::Established, flows }
}

/// The rows, from above. Those of [`Way::Smoc`] share a chain.
const KINDS: [Kind; 10] = {
    let load = Load::DATAGRAMS;
    let transit = Load { outcome: Outcome::Transit, ..load };
    let both = &[1, 3];
    [
        Kind { name: "cable", way: Way::Cable, switches: &[0], load },
        Kind { name: "bridge", way: Way::Bridge, switches: both, load },
        Kind { name: "bridge, br_netfilter", way: Way::FilteredBridge, switches: both, load },
        Kind { name: "IP forwarding", way: Way::Routing, switches: both, load },
        Kind { name: "tc redirect", way: Way::Tc, switches: both, load },
        Kind { name: "xdp_fwd", way: Way::XdpForward, switches: both, load },
        Kind { name: "smoc transit", way: Way::Transit, switches: both, load: transit },
        Kind { name: "smoc, UDP", way: Way::Smoc, switches: &[3], load },
        Kind { name: "smoc, 256 subflows", way: Way::Smoc, switches: &[3], load: established(256) },
        Kind { name: "smoc, 64 Ki subflows", way: Way::Smoc, switches: &[3], load: established(MOST_FLOWS) },
    ]
};
/// As many as a row has at most.
const MOST_FLOWS: u32 = 1 << 16;

/// The nice value of what goes before all others.
const HIGHEST: libc::c_int = -20;

/// What was measured of a row: through how many switches, and a sample for each round.
struct Measured {
    missing: Option<String>,
    through: Vec<(usize, Vec<Sample>)>,
}

/// Microseconds of connect() for each transport and round: over smoc, over bridges.
type Connected = [Vec<[f64; 2]>; 2];

/// Measures, prints, and draws.
///
/// # Errors
/// The objects are not built, this is not root, or a way counts frames that it did not forward.
pub fn run(options: &FabricOptions) -> Result<()> {
    let report = measure(options)?;
    let json = serde_json::to_string_pretty(&report)?;
    let format = match &options.json {
        Some(JsonTarget::Standard) => {
            println!("{json}");
            Format::Json
        }
        Some(JsonTarget::File(file)) => {
            file.write(&(json + "\n"))?;
            Format::Table
        }
        None => Format::Table,
    };
    if format == Format::Table {
        print!("{report}");
    }
    format.write_picture(&options.svg, &picture::figure(&report).svg())
}

/// Measures. The calling thread stays on the CPU that it is on, with the highest priority.
///
/// # Errors
/// As [`run`].
pub fn measure(options: &FabricOptions) -> Result<Report> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(f64::NAN);
    settle()?;
    let mut bench = Bench::new(options)?;
    for round in 0..options.rounds {
        bench.round(round, options)?;
    }
    Ok(summary::report(options, load, &bench.measured, &bench.connected, bench.hosts.err()))
}

/// Keeps the calling thread on the CPU that it is on, and before all others there but those of real-time: what it sends is handled in
/// its own time, which nobody else shall be given meanwhile.
fn settle() -> Result<()> {
    let mut here = CpuSet::new();
    here.set(sched_getcpu()?)?;
    sched_setaffinity(Pid::from_raw(0), &here)?;
    // SAFETY: the call takes numbers only; 0 is the calling thread.
    let done = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, HIGHEST) };
    Errno::result(done).map(drop).context("take the highest priority (this needs root)")
}

/// Something that a round measures.
#[derive(Clone, Copy)]
enum Step {
    /// A row, through so many switches: the place of each in its list, and of the chain.
    Frames { kind: usize, through: usize, line: usize },
    /// connect() of both sides, of the transport at this place.
    Connect(usize),
}

struct Bench {
    lines: Vec<Line>,
    /// Over smoc and over bridges; or why not.
    hosts: Result<[Hosts; 2], String>,
    steps: Vec<Step>,
    measured: Vec<Measured>,
    connected: Connected,
}

impl Bench {
    fn new(options: &FabricOptions) -> Result<Self> {
        let hosts = match options.connects {
            0 => Err("it was left out".to_owned()),
            _ => Hosts::new(true)
                .and_then(|smoc| Ok([smoc, Hosts::new(false)?]))
                .map_err(|error| format!("{error:#}")),
        };
        let (measured, connected) = (Vec::new(), Connected::default());
        let mut bench = Self { lines: Vec::new(), hosts, steps: Vec::new(), measured, connected };
        let mut shared = None;
        for (kind, Kind { name, way, switches, .. }) in KINDS.iter().enumerate() {
            eprint!("\r\x1b[Kbuilding: {name}");
            let lines = match (way, shared) {
                (Way::Smoc, Some(line)) => Ok(vec![line]),
                _ => bench.build(*way, switches),
            };
            let mut row = Measured { missing: None, through: Vec::new() };
            match lines {
                Ok(lines) => {
                    shared = (*way == Way::Smoc).then(|| lines[0]);
                    for (through, (line, &count)) in lines.into_iter().zip(*switches).enumerate() {
                        row.through.push((count, Vec::new()));
                        bench.steps.push(Step::Frames { kind, through, line });
                    }
                }
                // Without these there is nothing to compare, or nothing to be compared.
                Err(error) if matches!(way, Way::Cable | Way::Bridge | Way::Transit | Way::Smoc) => {
                    return Err(error).with_context(|| format!("build {name}"));
                }
                Err(error) => row.missing = Some(format!("{error:#}")),
            }
            bench.measured.push(row);
        }
        if bench.hosts.is_ok() {
            bench.steps.extend((0..Transport::ALL.len()).map(Step::Connect));
        }
        Ok(bench)
    }

    /// Makes a chain for each number of switches; the places of these chains.
    fn build(&mut self, way: Way, switches: &[usize]) -> Result<Vec<usize>> {
        let mut places = Vec::new();
        for &count in switches {
            let line = Line::new(way, count)?;
            if way == Way::Smoc {
                line.open(MOST_FLOWS)?;
            }
            places.push(self.lines.len());
            self.lines.push(line);
        }
        Ok(places)
    }

    fn round(&mut self, round: u32, options: &FabricOptions) -> Result<()> {
        let mut steps = self.steps.clone();
        shuffle(&mut steps, round);
        for (at, step) in steps.iter().enumerate() {
            eprint!("\r\x1b[Kround {} of {}: {} of {}", round + 1, options.rounds, at + 1, steps.len());
            match *step {
                Step::Frames { kind, through, line } => {
                    let Kind { name, way, load, .. } = &KINDS[kind];
                    let time = Duration::from_secs_f64(options.seconds);
                    let sample = self.lines[line].sample(*way, *load, options.burst, time);
                    self.measured[kind].through[through].1.push(sample.with_context(|| (*name).to_owned())?);
                }
                Step::Connect(transport) => {
                    let Ok([smoc, bridges]) = &self.hosts else { continue };
                    let ask = |hosts: &Hosts| hosts.connect(Transport::ALL[transport], options.connects);
                    // Whoever comes second finds a warmer machine: they take turns.
                    let times = if round.is_multiple_of(2) {
                        [ask(smoc)?, ask(bridges)?]
                    } else {
                        let bridges = ask(bridges)?;
                        [ask(smoc)?, bridges]
                    };
                    self.connected[transport].push(times);
                }
            }
        }
        eprint!("\r\x1b[K");
        Ok(())
    }
}

/// Another order for each seed (Fisher and Yates).
fn shuffle<T>(items: &mut [T], seed: u32) {
    let mut stream = ByteStream::new(seed.into());
    for last in (1..items.len()).rev() {
        let mut word = [0; 8];
        stream.fill(&mut word);
        items.swap(last, (u64::from_le_bytes(word) % (last as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_measures_everything_in_an_order_of_its_own() {
        let orders: Vec<Vec<u8>> = (0..3)
            .map(|seed| {
                let mut items: Vec<u8> = (0..18).collect();
                shuffle(&mut items, seed);
                items
            })
            .collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..18));
        }
        assert_ne!(orders[0], orders[1]);
        assert_ne!(orders[1], orders[2]);
    }
}

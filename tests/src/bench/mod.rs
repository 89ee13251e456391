//! `smoc-lab bench packet`: what a frame costs in each of smoc's programs, beside a bare XDP redirect of the same frame.
//!
//! BPF_PROG_TEST_RUN repeats a program on one buffer as the last run left it, so the addresses of each frame are put
//! back by `bench_again` of smoc-bench.bpf.o, which then tail-calls the program. What that costs is measured too: it is
//! the difference between doing nothing behind it and doing nothing. The bare redirect is measured behind it and alone.
//!
//! * RATIO is what a program costs beside the bare redirect, putting back counted for both: the two differ in nothing
//!   but the program. As both have the same on top, it is a little nearer to 1 than the programs themselves are.
//! * PASS is what a program costs beside one that does nothing but XDP_PASS, putting back counted for both.
//! * NET is the same as RATIO without putting back: of the program by subtraction, of the bare redirect as measured alone. It is
//!   the stricter figure, and the noisier one, for it is made of four measurements.
//!
//! Both count what the kernel's loop around a program costs, for smoc and for the bare redirect alike. A ratio is of
//! measurements made right after each other, for a processor changes its speed; the median of all rounds is printed. The
//! tables are nearly empty and everything is in the cache: connections, which fill the tables, are made at the end.

pub mod fabric;
mod picture;

use std::fmt;

use anyhow::{Result, ensure};
use clap::Args;
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use serde::Serialize;
use smoc_common::route::{Label, PushedRoute, Rank, Route};
use smoc_common::testing::frames::{Build, End};
use smoc_common::testing::scene::{A, A_V6, B, B_V6, FIRST, edge, handshake};
use smoc_common::token::Version;
use smoc_plot::SvgFile;

use crate::cli::Format;
use crate::program::{Programs, XDP_PASS, XDP_REDIRECT};

/// What the connections of the benchmark share of their keys.
const KEYS: [u64; 2] = [0x1111_2222_0000_0000, 0x3333_4444_0000_0000];
/// Bytes in a frame of the benchmark of handshakes, padding included.
const TEMPLATE: usize = 128;

/// What `bench packet` is told.
#[derive(Args, Clone, Debug)]
pub struct PacketOptions {
    /// How often everything is measured, in turn; the medians are printed.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Frames in one measurement.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub frames: u32,
    /// How to print it.
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Where to draw it: NET of every kind of frame.
    #[arg(long, value_name = "FILE", default_value_t = SvgFile::in_target("bench-packet.svg"))]
    pub svg: SvgFile,
}

/// One way of a frame through a program.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Which.
    pub name: &'static str,
    /// Nanoseconds a frame, putting its addresses back and the tail call included.
    pub nanoseconds: f64,
    /// RATIO: those beside the bare redirect behind the same putting back.
    pub ratio: f64,
    /// The least and the greatest of all rounds of the nanoseconds.
    pub nanoseconds_range: [f64; 2],
    /// PASS: those beside XDP_PASS alone behind the same putting back.
    pub pass_ratio: f64,
    /// NET: without what putting back costs, beside the bare redirect alone.
    pub net_ratio: f64,
    /// The least and the greatest NET of all rounds.
    pub net_ratio_range: [f64; 2],
    /// Nanoseconds a frame without what putting back costs.
    pub net_nanoseconds: f64,
    /// What the net ratio may be at most, if there is a limit.
    pub limit: Option<f64>,
}

/// All that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PacketReport {
    /// How often everything was measured.
    pub rounds: u32,
    /// Nanoseconds of the bare redirect alone.
    pub redirect_alone: f64,
    /// Nanoseconds of the bare redirect behind putting back.
    pub redirect_behind: f64,
    /// Nanoseconds of putting the addresses back and of the tail call.
    pub putting_back: f64,
    /// Each way of a frame.
    pub costs: Vec<Cost>,
    /// Connections a second on one CPU: SYN, SYN/ACK and third ACK of version 1, tokens derived, entries made.
    pub connections_per_second: f64,
}

/// A frame on its way into a program.
struct Way {
    name: &'static str,
    program: &'static str,
    frame: Vec<u8>,
    port: u16,
    limit: Option<f64>,
}

/// Nanoseconds a frame, measured right after each other.
#[derive(Clone, Copy)]
struct Sample {
    /// The bare redirect.
    alone: f64,
    /// Nothing.
    nothing: f64,
    /// Putting back, and nothing behind it.
    put_back: f64,
    /// The bare redirect behind putting back.
    behind: f64,
    /// The program behind putting back.
    through: f64,
}

impl Sample {
    fn putting_back(&self) -> f64 {
        self.put_back - self.nothing
    }

    fn net(&self) -> f64 {
        self.through - self.putting_back()
    }

    fn net_ratio(&self) -> f64 {
        self.net() / self.alone
    }
}

impl Cost {
    /// Whether its rounds differ by more than a quarter: something else was busy.
    fn disagrees(&self) -> bool {
        let [low, high] = self.nanoseconds_range;
        high > low * 1.25
    }

    fn of(way: &Way, samples: &[Sample]) -> Self {
        Self {
            name: way.name,
            nanoseconds: median(samples, |sample| sample.through),
            ratio: median(samples, |sample| sample.through / sample.behind),
            nanoseconds_range: range(samples, |sample| sample.through),
            pass_ratio: median(samples, |sample| sample.through / sample.put_back),
            net_ratio: median(samples, Sample::net_ratio),
            net_ratio_range: range(samples, Sample::net_ratio),
            net_nanoseconds: median(samples, Sample::net),
            limit: way.limit,
        }
    }
}

/// Measures and prints.
///
/// # Errors
/// The objects are not built, the kernel refuses them, or a program does not do with a frame what it should.
pub fn packet(options: &PacketOptions) -> Result<()> {
    let report = Bench::new()?.measure(options)?;
    match options.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&report)?),
        Format::Table => print!("{report}"),
    }
    options.format.write_picture(&options.svg, &picture::figure(&report).svg())
}

struct Bench {
    smoc: Programs,
    bench: Programs,
}

impl Bench {
    fn new() -> Result<Self> {
        // The frames of a handshake are counted per CPU.
        let mut here = CpuSet::new();
        here.set(sched_getcpu()?)?;
        sched_setaffinity(Pid::from_raw(0), &here)?;
        let (mut smoc, mut bench) = (Programs::load("smoc.bpf.o")?, Programs::load("smoc-bench.bpf.o")?);
        smoc.fill(&edge(0))?;
        bench.set_device("OUT", 0, true)?;
        let mut this = Self { smoc, bench };
        this.establish()?;
        Ok(this)
    }

    /// Takes the subflows that the other measurements are about through their handshakes.
    fn establish(&mut self) -> Result<()> {
        for (program, mut frame) in [steps([A, B]), steps([A_V6, B_V6])].concat() {
            let (action, _) = self.smoc.run(program, &mut frame, 1)?;
            ensure!(action == XDP_REDIRECT, "{program} does not follow the handshake: action {action}");
        }
        Ok(())
    }

    fn measure(&mut self, options: &PacketOptions) -> Result<PacketReport> {
        let ways = ways();
        let mut samples = vec![Vec::new(); ways.len()];
        for _ in 0..options.rounds {
            for (way, samples) in ways.iter().zip(&mut samples) {
                samples.push(self.sample(way, options.frames)?);
            }
        }
        // Full tables would make the other measurements depend on what shares a bucket with their subflow.
        let connecting: Vec<f64> =
            (0..options.rounds).map(|_| self.connect(options.frames / 10)).collect::<Result<_>>()?;
        let all = samples.concat();
        Ok(PacketReport {
            rounds: options.rounds,
            redirect_alone: median(&all, |sample| sample.alone),
            redirect_behind: median(&all, |sample| sample.behind),
            putting_back: median(&all, Sample::putting_back),
            costs: ways.iter().zip(&samples).map(|(way, samples)| Cost::of(way, samples)).collect(),
            connections_per_second: 1e9 / median(&connecting, |time| *time),
        })
    }

    /// Everything about one way, once.
    fn sample(&mut self, way: &Way, frames: u32) -> Result<Sample> {
        Ok(Sample {
            alone: self.bare("bench_redirect", XDP_REDIRECT, way, frames)?,
            nothing: self.bare("bench_nothing", XDP_PASS, way, frames)?,
            put_back: self.again("bench_nothing", XDP_PASS, way, frames)?,
            behind: self.again("bench_redirect", XDP_REDIRECT, way, frames)?,
            through: self.again(way.program, XDP_REDIRECT, way, frames)?,
        })
    }

    /// A program of the benchmark alone.
    fn bare(&self, program: &str, action: u32, way: &Way, frames: u32) -> Result<f64> {
        let (found, time) = self.bench.run(program, &mut way.frame.clone(), frames)?;
        ensure!(found == action, "{program} ends with action {found}");
        Ok(time)
    }

    /// A program behind `bench_again`.
    fn again(&mut self, program: &str, action: u32, way: &Way, frames: u32) -> Result<f64> {
        let of = if program.starts_with("bench") { &self.bench } else { &self.smoc };
        let target = of.descriptor(program)?;
        self.bench.set_program("TARGET", 0, &target)?;
        let addresses: [u8; 12] = *way.frame.first_chunk().expect("an Ethernet header");
        self.bench.set("ADDRESSES", 0, addresses)?;
        let (found, time) = self.bench.run("bench_again", &mut way.frame.clone(), frames)?;
        ensure!(found == action, "{}: {program} ends with action {found}, port {}", way.name, way.port);
        Ok(time)
    }

    /// The nanoseconds of a connection: three frames, without what it costs to make them.
    fn connect(&mut self, connections: u32) -> Result<f64> {
        for (step, (_, frame)) in (0..).zip(steps([A, B])) {
            let mut template = [0; TEMPLATE];
            template[..frame.len()].copy_from_slice(&frame);
            self.bench.set("HANDSHAKE", step, template)?;
        }
        let nothing = self.bench.descriptor("bench_nothing")?;
        (0..3).try_for_each(|step| self.bench.set_program("STEPS", step, &nothing))?;
        let (_, making) = self.bench.run("bench_connect", &mut [0; TEMPLATE], 3 * connections)?;
        for (step, (program, _)) in (0..).zip(steps([A, B])) {
            let program = self.smoc.descriptor(program)?;
            self.bench.set_program("STEPS", step, &program)?;
        }
        let before = self.bound()?;
        let (action, time) = self.bench.run("bench_connect", &mut [0; TEMPLATE], 3 * connections)?;
        let bound = self.bound()? - before;
        ensure!(action == XDP_REDIRECT, "a third ACK ends with action {action}");
        ensure!(bound + 1 >= connections.into(), "{bound} of {connections} connections were bound");
        Ok(3.0 * (time - making))
    }

    fn bound(&self) -> Result<u64> {
        Ok(self.smoc.counters()?[smoc_common::event::Note::Bound.counter() as usize])
    }
}

/// The handshake of a subflow and which program each of its frames meets at the client's edge.
fn steps(ends: [End; 2]) -> [(&'static str, Vec<u8>); 3] {
    let [(_, syn), (_, answer), (_, ack)] = handshake(Version::V1, ends, KEYS);
    [("smoc_host", syn), ("smoc_fabric", pushed(answer, 1)), ("smoc_host", ack)]
}

/// What is measured; 64 bytes of data, as small frames are what counts.
fn ways() -> [Way; 6] {
    let data = |from, to| Build::tcp(from, to).numbers(1_001, 0).payload(&[0; 64]).frame();
    let (sent, received) = (data(A, B), pushed(data(B, A), 1));
    let (sent_v6, received_v6) = (data(A_V6, B_V6), pushed(data(B_V6, A_V6), 1));
    let other = Build::udp(A, B).payload(&[0; 64]).frame();
    [
        Way {
            name: "transit",
            program: "smoc_fabric",
            frame: pushed(sent.clone(), 0x12),
            port: 2,
            limit: Some(1.3),
        },
        Way { name: "edge, established", program: "smoc_host", frame: sent, port: 1, limit: Some(3.0) },
        Way {
            name: "delivery, established",
            program: "smoc_fabric",
            frame: received,
            port: FIRST,
            limit: Some(3.0),
        },
        Way { name: "edge, IPv6", program: "smoc_host", frame: sent_v6, port: 1, limit: None },
        Way { name: "delivery, IPv6", program: "smoc_fabric", frame: received_v6, port: FIRST, limit: None },
        Way { name: "edge, other traffic", program: "smoc_host", frame: other, port: 1, limit: None },
    ]
}

fn pushed(mut frame: Vec<u8>, bits: u64) -> Vec<u8> {
    let pushed = PushedRoute { label: Label::new(Rank::BEST, false), route: Route::from_bits(bits) };
    frame[..12].copy_from_slice(pushed.words().map(u32::to_be_bytes).as_flattened());
    frame
}

fn range<T>(samples: &[T], number: impl Fn(&T) -> f64) -> [f64; 2] {
    [f64::min, f64::max].map(|end| samples.iter().map(&number).reduce(end).unwrap_or(f64::NAN))
}

fn median<T>(samples: &[T], number: impl Fn(&T) -> f64) -> f64 {
    let mut numbers: Vec<f64> = samples.iter().map(number).collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for PacketReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "bare redirect            {:>7.1} ns a frame", self.redirect_alone)?;
        writeln!(out, "putting the frame back   {:>7.1} ns", self.putting_back)?;
        writeln!(out, "both                     {:>7.1} ns\n", self.redirect_behind)?;
        writeln!(
            out,
            "{:<24} {:>7} {:>15} {:>7} {:>7} {:>7} {:>7}",
            "WITH PUTTING BACK", "NS", "LEAST-GREATEST", "PASS", "RATIO", "NET", "LIMIT"
        )?;
        for cost in &self.costs {
            let limit = cost.limit.map_or_else(|| "-".to_owned(), |limit| format!("{limit:.1}"));
            let Cost {
                name, nanoseconds, nanoseconds_range: [low, high], pass_ratio, ratio, net_ratio, ..
            } = cost;
            let range = format!("{low:.1}-{high:.1}");
            write!(out, "{name:<24} {nanoseconds:>7.1} {range:>15} {pass_ratio:>7.2} {ratio:>7.2} ")?;
            writeln!(out, "{net_ratio:>7.2} {limit:>7}")?;
        }
        writeln!(
            out,
            "\nPASS: beside XDP_PASS alone; RATIO: beside the bare redirect, all with putting back; NET: both without."
        )?;
        writeln!(out, "new connections          {:>7.0} a second on one CPU", self.connections_per_second)?;
        for Cost { name, nanoseconds_range: [low, high], .. } in
            self.costs.iter().filter(|cost| cost.disagrees())
        {
            writeln!(out, "warning: {name}: rounds disagree, {low:.1} to {high:.1} ns")?;
        }
        Ok(())
    }
}

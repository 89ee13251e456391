//! `smoc-lab bench packet`: what a frame costs in each of smoc's programs, beside a bare XDP redirect of the same frame.
//!
//! BPF_PROG_TEST_RUN repeats a program on one buffer as the last run left it, so each frame is put back by
//! `bench_again` of smoc-bench.bpf.o, which then tail-calls the program. The bare redirect is measured behind it as
//! well, and alone; what putting back costs is the difference of doing nothing behind it and doing nothing.

use std::fmt;

use anyhow::{Result, ensure};
use clap::Args;
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use serde::Serialize;
use smoc_common::route::{Label, PushedRoute, Rank, Route};
use smoc_common::testing::frames::Build;
use smoc_common::testing::scene::{A, B, FIRST, PATHS, edge, handshake};
use smoc_common::token::Version;

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
}

/// One way of a frame through a program.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Which.
    pub name: &'static str,
    /// Nanoseconds a frame, putting it back and the tail call included.
    pub nanoseconds: f64,
    /// Those beside the bare redirect behind the same putting back.
    pub ratio: f64,
    /// Without what putting back costs, beside the bare redirect alone.
    pub net_ratio: f64,
    /// What the net ratio may be at most, if there is a limit.
    pub limit: Option<f64>,
}

/// All that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PacketReport {
    /// Nanoseconds of the bare redirect alone.
    pub redirect_alone: f64,
    /// Nanoseconds of the bare redirect behind putting back.
    pub redirect_behind: f64,
    /// Nanoseconds of putting the frame back and of the tail call.
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
    Ok(())
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
        for port in (1..=PATHS).chain([FIRST]) {
            smoc.set_device("TX_PORTS", port.into(), true)?;
        }
        bench.set_device("OUT", 0, true)?;
        let mut this = Self { smoc, bench };
        this.establish()?;
        Ok(this)
    }

    /// Takes the subflow that the other measurements are about through its handshake.
    fn establish(&mut self) -> Result<()> {
        for (program, mut frame) in steps() {
            let (action, _) = self.smoc.run(program, &mut frame, 1)?;
            ensure!(action == XDP_REDIRECT, "{program} does not follow the handshake: action {action}");
        }
        Ok(())
    }

    fn measure(&mut self, options: &PacketOptions) -> Result<PacketReport> {
        let ways = ways();
        let mut alone = Vec::new();
        let mut nothing = Vec::new();
        let mut put_back = Vec::new();
        let mut behind = Vec::new();
        let mut through = vec![Vec::new(); ways.len()];
        let mut connecting = Vec::new();
        for _ in 0..options.rounds {
            for (way, times) in ways.iter().zip(&mut through) {
                alone.push(self.bare("bench_redirect", XDP_REDIRECT, way, options.frames)?);
                nothing.push(self.bare("bench_nothing", XDP_PASS, way, options.frames)?);
                put_back.push(self.again("bench_nothing", XDP_PASS, way, options.frames)?);
                behind.push(self.again("bench_redirect", XDP_REDIRECT, way, options.frames)?);
                times.push(self.again(way.program, XDP_REDIRECT, way, options.frames)?);
            }
            connecting.push(self.connect(options.frames / 10)?);
        }
        let (alone, behind) = (median(alone), median(behind));
        let putting_back = median(put_back) - median(nothing);
        let cost = |(way, times): (&Way, Vec<f64>)| {
            let nanoseconds = median(times);
            let net_ratio = (nanoseconds - putting_back) / alone;
            Cost { name: way.name, nanoseconds, ratio: nanoseconds / behind, net_ratio, limit: way.limit }
        };
        Ok(PacketReport {
            redirect_alone: alone,
            redirect_behind: behind,
            putting_back,
            costs: ways.iter().zip(through).map(cost).collect(),
            connections_per_second: 1e9 / median(connecting),
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
        let header: [u8; 14] = *way.frame.first_chunk().expect("an Ethernet header");
        self.bench.set("HEADER", 0, header)?;
        let (found, time) = self.bench.run("bench_again", &mut way.frame.clone(), frames)?;
        ensure!(found == action, "{}: {program} ends with action {found}, port {}", way.name, way.port);
        Ok(time)
    }

    /// The nanoseconds of a connection: three frames, without what it costs to make them.
    fn connect(&mut self, connections: u32) -> Result<f64> {
        for (step, (_, frame)) in (0..).zip(steps()) {
            let mut template = [0; TEMPLATE];
            template[..frame.len()].copy_from_slice(&frame);
            self.bench.set("HANDSHAKE", step, template)?;
        }
        let nothing = self.bench.descriptor("bench_nothing")?;
        (0..3).try_for_each(|step| self.bench.set_program("STEPS", step, &nothing))?;
        let (_, making) = self.bench.run("bench_connect", &mut [0; TEMPLATE], 3 * connections)?;
        for (step, (program, _)) in (0..).zip(steps()) {
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

/// The handshake of the subflow and which program each of its frames meets at the client's edge.
fn steps() -> [(&'static str, Vec<u8>); 3] {
    let [(_, syn), (_, answer), (_, ack)] = handshake(Version::V1, [A, B], KEYS);
    [("smoc_host", syn), ("smoc_fabric", pushed(answer, 1)), ("smoc_host", ack)]
}

/// What is measured; 64 bytes of data, as small frames are what counts.
fn ways() -> [Way; 4] {
    let sent = Build::tcp(A, B).numbers(1_001, 0).payload(&[0; 64]).frame();
    let received = Build::tcp(B, A).numbers(0, 1_001).payload(&[0; 64]).frame();
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
            frame: pushed(received, 1),
            port: FIRST,
            limit: Some(3.0),
        },
        Way { name: "edge, other traffic", program: "smoc_host", frame: other, port: 1, limit: None },
    ]
}

fn pushed(mut frame: Vec<u8>, bits: u64) -> Vec<u8> {
    let pushed = PushedRoute { label: Label::new(Rank::BEST, false), route: Route::from_bits(bits) };
    frame[..12].copy_from_slice(pushed.words().map(u32::to_be_bytes).as_flattened());
    frame
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for PacketReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "bare redirect            {:>7.1} ns a frame", self.redirect_alone)?;
        writeln!(out, "putting the frame back   {:>7.1} ns", self.putting_back)?;
        writeln!(out, "both                     {:>7.1} ns\n", self.redirect_behind)?;
        writeln!(out, "{:<24} {:>7} {:>7} {:>7} {:>7}", "WITH PUTTING BACK", "NS", "RATIO", "NET", "LIMIT")?;
        for cost in &self.costs {
            let limit = cost.limit.map_or_else(|| "-".to_owned(), |limit| format!("{limit:.1}"));
            let Cost { name, nanoseconds, ratio, net_ratio, .. } = cost;
            writeln!(out, "{name:<24} {nanoseconds:>7.1} {ratio:>7.2} {net_ratio:>7.2} {limit:>7}")?;
        }
        writeln!(out, "\nRATIO: beside the bare redirect, both with putting back; NET: both without.")?;
        writeln!(out, "new connections          {:>7.0} a second on one CPU", self.connections_per_second)
    }
}

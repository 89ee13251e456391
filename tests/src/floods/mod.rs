//! `cargo xtask bench floods`: what floods do to connections that carry data.
//!
//! A lab of two edges and a switch between them; 1,000 connections over IPv4 and IPv6 between h1 and h2. Whatever floods comes
//! from the same ports as they do, as fast as all of the lab's switches together take it: behind every few of its
//! frames a living connection carries one each way, and what follows waits for that. So no queue of the lab runs over for want
//! of a processor, and a frame that is lost was lost by a switch.

pub mod churn;
mod kinds;
mod live;
mod report;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::cli::Format;
use crate::lab::{Lab, LabOptions, Routing, check_interrupted, pin_directory};
use crate::program::pinned_tables;
use crate::testing::example;
use live::{AT_A_TIME, Connections, Place};

pub use churn::{ChurnOptions, Churned};
pub use kinds::Flood;
pub use report::{Outcome, Report};

/// Connections that carry data.
const LIVE: usize = 1_000;
/// The topology, its switches and the edges of both hosts.
const TOPOLOGY: &str = "line.yaml";
const SWITCHES: [&str; 3] = ["e1", "m1", "e2"];
const EDGES: [&str; 2] = ["e1", "e2"];
/// Frames of a flood between two frames of living connections.
const BETWEEN: u64 = AT_A_TIME as u64;

/// How long agents may take to put back what was pushed out: they look every 5 s, or less often where that takes long.
const SETTLING: Duration = Duration::from_secs(20);

/// Room that a part of the flood of whole connections fills. `CONNECTIONS` still has room for those of some seconds: data shows
/// about once a second that a connection is in use.
const SMALL_TABLES: &str = "tables: {flows: 32768, connections: 65536, half_open: 2048}\n";

/// What `bench floods` is told.
#[derive(Args, Clone, Debug)]
pub struct FloodOptions {
    /// Only these floods.
    #[arg(long, value_enum)]
    pub only: Vec<Flood>,
    /// One in so many of each flood's frames, with less room in the tables.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub part: u32,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
}

/// Measures and prints.
///
/// # Errors
/// The lab cannot be built, or a flood did what it must not.
pub fn run(options: &FloodOptions) -> Result<()> {
    let floods = if options.only.is_empty() { Flood::ALL.to_vec() } else { options.only.clone() };
    let report = measure(&floods, options.part, false)?;
    match options.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&report)?),
        Format::Table => print!("{report}"),
    }
    report.floods.iter().try_for_each(Outcome::check)
}

/// Floods one lab with one of these after the other.
///
/// # Errors
/// The lab cannot be built, or does not answer.
pub fn measure(floods: &[Flood], part: u32, is_test: bool) -> Result<Report> {
    let mut options = LabOptions {
        wait: is_test,
        quiet: is_test,
        routing: Routing::Smoc,
        ..LabOptions::new(example(TOPOLOGY))
    };
    if part > 1 {
        options.agent.lines = SMALL_TABLES.to_owned();
    }
    let mut scene = Scene::open(&options, LIVE)?;
    let floods = floods.iter().map(|&flood| scene.flood(flood, flood.frames(part)));
    Ok(Report { live: LIVE, floods: floods.collect::<Result<_>>()? })
}

struct Scene {
    lab: Lab,
    connections: Connections,
}

impl Scene {
    /// A lab with so many connections.
    fn open(options: &LabOptions, live: usize) -> Result<Self> {
        let lab = Lab::up(options)?;
        let places = [Place::at(&lab, "h1")?, Place::at(&lab, "h2")?];
        Ok(Self { connections: Connections::open(places, live)?, lab })
    }

    /// How many of the living connections each edge knows as before.
    fn bound(&self) -> Result<[usize; 2]> {
        let mut bound = [0; 2];
        for (at, edge) in EDGES.into_iter().enumerate() {
            bound[at] = self.connections.bound(&pinned_tables(&pin_directory(edge))?, at);
        }
        Ok(bound)
    }

    fn flood(&mut self, flood: Flood, frames: u64) -> Result<Outcome> {
        let (before, ports_before) = (self.connections.carried(), self.ports()?);
        let joins_before = self.joins()?;
        let memory_before = self.memory()?;
        let counters_before = self.counters()?;
        let start = Instant::now();
        for number in 0..frames {
            let (from, frame) = flood.frame(number, &self.connections);
            self.connections.places[from].send(&frame)?;
            if number % BETWEEN == BETWEEN - 1 {
                self.connections.carry()?;
            }
            if number.is_multiple_of(10_000) {
                check_interrupted()?;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let memory = self.memory()?;
        let bound_at_once = self.bound()?;
        // Those that RSTs have closed since they carried something carry something, and agents put back what they lost.
        let deadline = Instant::now() + SETTLING;
        let mut bound = self.carry_all()?;
        while bound.iter().any(|bound| *bound < self.connections.count()) && Instant::now() < deadline {
            bound = self.carry_all()?;
        }
        let carried = self.connections.carried();
        let counters = self.counters()?;
        let changed = counters.iter().zip(&counters_before).filter(|(after, before)| after.1 > before.1);
        Ok(Outcome {
            flood,
            frames,
            seconds,
            live: self.connections.count(),
            carried: carried.sent - before.sent,
            lost: carried.lost - before.lost,
            bound_at_once,
            bound,
            joins: self.joins()?.saturating_sub(joins_before),
            ports_lost: self.ports()?.saturating_sub(ports_before),
            memory_before,
            memory,
            counters: changed.map(|((name, after), (_, before))| (name.clone(), after - before)).collect(),
            warnings: self.warnings()?,
        })
    }

    /// All living connections carry something; how many are known then.
    fn carry_all(&mut self) -> Result<[usize; 2]> {
        for _ in 0..self.connections.count() {
            self.connections.carry()?;
        }
        self.bound()
    }

    /// How often a fabric port of any switch went down so far; an error while one is.
    fn ports(&self) -> Result<u64> {
        let mut flaps = 0;
        for switch in SWITCHES {
            let status = self.lab.ask(switch, &["status"])?;
            for port in status["ports"].as_array().context("the status has no ports")? {
                let Some(liveness) = port["liveness"].as_object() else { continue };
                ensure!(liveness["up"] == true, "a port of {switch} is down: {port}");
                flaps += liveness["flaps"].as_u64().context("a port without flaps")?;
            }
        }
        Ok(flaps)
    }

    /// Resident memory of all agents, in kB.
    fn memory(&self) -> Result<u64> {
        let resident = |pid: &i32| -> Option<u64> {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        let mut sum = 0;
        for switch in SWITCHES {
            sum += self.lab.pids(switch)?.iter().filter_map(resident).sum::<u64>();
        }
        Ok(sum)
    }

    /// What the programs of the first edge have counted.
    fn counters(&self) -> Result<Vec<(String, u64)>> {
        let status = self.lab.ask(EDGES[0], &["status"])?;
        let counters = status["counters"].as_array().context("the status has no counters")?;
        let one = |counter: &Value| Some((counter["name"].as_str()?.to_owned(), counter["value"].as_u64()?));
        Ok(counters.iter().filter_map(one).collect())
    }

    fn warnings(&self) -> Result<Vec<String>> {
        let status = self.lab.ask(EDGES[0], &["status"])?;
        let warnings = status["warnings"].as_array().context("the status has no warnings")?;
        Ok(warnings.iter().filter_map(|warning| Some(warning.as_str()?.to_owned())).collect())
    }

    /// How many additional subflows of the living connections have a number.
    fn joins(&self) -> Result<u32> {
        Ok(self.connections.joins(&pinned_tables(&pin_directory(EDGES[0]))?))
    }
}

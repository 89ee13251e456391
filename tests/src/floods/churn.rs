//! `cargo xtask bench churn`: connections that live long and say little, while short ones come and go for a long time.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;
use smoc_common::frames::{Build, End};
use smoc_common::wire::tcp::{ACK, FIN};

use super::live::AT_A_TIME;
use super::{Scene, TOPOLOGY};
use crate::cli::Format;
use crate::lab::{LabOptions, Routing, check_interrupted};
use crate::testing::example;

/// Bytes of data that each end of a short connection sends.
const SAID: [u8; 100] = [0; 100];

/// What `bench churn` is told.
#[derive(Args, Clone, Debug)]
pub struct ChurnOptions {
    /// Connections that live long.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub live: u32,
    /// Short connections a second.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: u32,
    /// For how long.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
    pub seconds: u32,
    /// The key `tables` of the agents, such as `{connections: 8192}`.
    #[arg(long)]
    pub tables: Option<String>,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
}

/// What has become of the connections.
#[derive(Clone, Debug, Serialize)]
pub struct Churned {
    /// Connections that live long.
    pub live: usize,
    /// Short connections that came and went.
    pub short: u64,
    /// In that time, which is longer than was asked for if the machine does no more.
    pub seconds: f64,
    /// Frames that the former carried meanwhile, both ways.
    pub carried: u64,
    /// Those that did not arrive.
    pub lost: u64,
    /// Connections that each edge knows as before: subflow, connection and both tokens.
    pub bound: [usize; 2],
    /// Resident memory of all agents before and after, in MB.
    pub memory: [u64; 2],
    /// What `smoc status` warns of at the end.
    pub warnings: Vec<String>,
}

impl Churned {
    /// Whether the living are as they were.
    ///
    /// # Errors
    /// A frame was lost, or more than one in a hundred connections is not known any more.
    pub fn check(&self) -> Result<()> {
        let Self { live, carried, lost, bound, .. } = self;
        ensure!(*lost == 0, "{lost} of {carried} frames were lost");
        ensure!(bound.iter().all(|bound| bound * 100 >= live * 99), "the edges know {bound:?} of {live}");
        Ok(())
    }
}

/// Measures and prints.
///
/// # Errors
/// The lab cannot be built, or living connections were forgotten.
pub fn run(options: &ChurnOptions) -> Result<()> {
    let churned = measure(options, false)?;
    match options.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&churned)?),
        Format::Table => {
            let Churned { live, short, seconds, carried, lost, bound: [one, other], memory, warnings } =
                &churned;
            println!("{short} short connections in {seconds:.0} s beside {live} that live long");
            println!("known to the edges as before: {one} and {other}; {lost} of {carried} frames lost");
            println!("memory of all agents: {} to {} MB", memory[0], memory[1]);
            warnings.iter().for_each(|warning| println!("warning: {warning}"));
        }
    }
    churned.check()
}

/// Opens the long ones, lets the short ones come and go, and looks for the long ones again.
///
/// # Errors
/// The lab cannot be built, or does not answer.
pub fn measure(options: &ChurnOptions, is_test: bool) -> Result<Churned> {
    let mut lab = LabOptions {
        wait: is_test,
        quiet: is_test,
        routing: Routing::Smoc,
        ..LabOptions::new(example(TOPOLOGY))
    };
    lab.agent.lines = options.tables.as_ref().map(|tables| format!("tables: {tables}\n")).unwrap_or_default();
    let mut scene = Scene::open(&lab, options.live as usize)?;
    let (memory, before) = (scene.memory()?, scene.connections.carried());
    let start = Instant::now();
    let all = u64::from(options.rate) * u64::from(options.seconds);
    let mut short = 0;
    while short < all {
        let due = start + Duration::from_secs_f64(short as f64 / f64::from(options.rate));
        thread::sleep(due.saturating_duration_since(Instant::now()));
        scene.come_and_go(short)?;
        short += AT_A_TIME as u64;
        check_interrupted()?;
    }
    let (seconds, after) = (start.elapsed().as_secs_f64(), scene.connections.carried());
    Ok(Churned {
        live: scene.connections.count(),
        short,
        seconds,
        carried: after.sent - before.sent,
        lost: after.lost - before.lost,
        bound: scene.bound()?,
        memory: [memory / 1024, scene.memory()? / 1024],
        warnings: scene.warnings()?,
    })
}

impl Scene {
    /// Short connections, from the first of these numbers on: handshake, data and FIN of both ends.
    fn come_and_go(&mut self, first: u64) -> Result<()> {
        let connection = |number: u64| {
            let (from, to) = (1_024 + (number % 16_000) as u16, 3_000 + (number / 16_000 % 60_000) as u16);
            let client = self.connections.places[0].end(true, number as usize).at(from);
            let server = self.connections.places[1].end(true, 0).at(to);
            ([client, server], [number << 1 | 1 << 50, number << 1 | 1 << 51])
        };
        let all: Vec<_> = (first..first + AT_A_TIME as u64).map(connection).collect();
        self.connections.shake_hands(&all)?;
        let said = SAID.len() as u32;
        for (from, fin) in [(0, false), (1, false), (0, true), (1, true)] {
            for &([client, server], _) in &all {
                let ends: [End; 2] = [client, server];
                // The servers' first number is 0.
                let next = [1_001, 0].map(|number: u32| number + if fin { said } else { 0 });
                let segment = Build::tcp(ends[from], ends[1 - from]).numbers(next[from], next[1 - from]);
                let frame =
                    if fin { segment.flags(FIN | ACK).frame() } else { segment.payload(&SAID).frame() };
                self.connections.places[from].send(&frame)?;
            }
            self.connections.carry()?;
        }
        Ok(())
    }
}

//! `cargo xtask races`: two CPUs at one entry at once, as the top of `smoc_common::map` says it is. The same frames go
//! through the loaded programs by BPF_PROG_TEST_RUN, the n-th of one CPU at the moment of the n-th of the other.

use std::{
    hint,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use anyhow::{Context, Result, anyhow, ensure};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use smoc_common::{
    event::Note,
    frames::{Build, End},
    map::{Connection, Flow, FlowKey, TokenBinding},
    memory::Switch,
    testing::scene::*,
    token::{Version, derive},
    wire::tcp::{ACK, FIN, RST},
};

use crate::{chance::pushed, program::Programs};

/// Connections at a time: their tables are read and emptied then.
const BATCH: u16 = 500;

/// How often one CPU looks whether the other has arrived before it lets others run: whoever yields at once comes back after
/// milliseconds on a busy machine.
const SPINS: u32 = 100_000;

/// What `cargo xtask races` is told.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct RaceOptions {
    /// How often each race is run.
    #[arg(long, default_value_t = 1_000_000)]
    pub rounds: u32,
    /// Only this race.
    #[arg(long, value_enum)]
    pub only: Option<Race>,
}

/// What two CPUs do at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Race {
    /// The same handshakes of a connection and a join.
    Handshake,
    /// The FINs or RSTs of both ends.
    Ends,
    /// The third ACK of a connection, and the SYN of its first join.
    FirstJoin,
}

impl Race {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Handshake, Self::Ends, Self::FirstJoin];

    /// Runs it so often, rounded up to whole batches; the number of rounds.
    ///
    /// # Errors
    /// Something in the tables is not as it must be, whichever CPU came first; there are no two CPUs to be had, or the
    /// programs cannot be loaded.
    pub fn run(self, rounds: u32) -> Result<u64> {
        let mut pair = Pair::new(two_cpus()?.context("a race needs two CPUs")?)?;
        let batches = rounds.div_ceil(BATCH.into());
        for batch in 0..batches {
            let run = match self {
                Self::Handshake => pair.handshakes(batch),
                Self::Ends => pair.ends(batch, FIN | ACK).and_then(|()| pair.ends(batch, RST)),
                Self::FirstJoin => pair.first_joins(batch),
            };
            run.with_context(|| format!("{self:?}, batch {batch}"))?;
        }
        let rounds = u64::from(batches) * u64::from(BATCH);
        if self == Self::Handshake {
            let noted = (pair.noted(Note::Bound)?, pair.noted(Note::Joined)?);
            ensure!(noted == (rounds, rounds), "{noted:?} connections and joins noted of {rounds} each");
        }
        Ok(rounds)
    }
}

/// Runs the races and says how often.
///
/// # Errors
/// As of [`Race::run`].
pub fn show(options: &RaceOptions) -> Result<()> {
    for race in Race::ALL.into_iter().filter(|race| options.only.is_none_or(|only| only == *race)) {
        let start = Instant::now();
        let rounds = race.run(options.rounds)?;
        println!("{race:?}: {rounds} rounds, all as they must be, in {:.0} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Two CPUs that this process may use, if there are.
///
/// # Errors
/// The kernel does not say.
pub fn two_cpus() -> Result<Option<[usize; 2]>> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let mut cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    Ok(cpus.next().zip(cpus.next()).map(<[usize; 2]>::from))
}

fn pin(cpu: usize) -> Result<()> {
    let mut only = CpuSet::new();
    only.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &only)?)
}

/// A frame at the first edge: from its host, or for it.
#[derive(Clone)]
struct Step {
    program: &'static str,
    frame: Vec<u8>,
}

fn step((from, frame): (End, Vec<u8>), rank: usize) -> Step {
    if from.address == A.address {
        Step { program: "smoc_host", frame }
    } else {
        Step { program: "smoc_fabric", frame: pushed(&frame, rank, 1) }
    }
}

/// Two CPUs that go through a list of steps each, the n-th of one at the moment of the n-th of the other.
struct Pair {
    programs: Programs,
    cpus: [usize; 2],
}

impl Pair {
    fn new(cpus: [usize; 2]) -> Result<Self> {
        let mut programs = Programs::load("smoc.bpf.o")?;
        programs.fill(&edge(0))?;
        Ok(Self { programs, cpus })
    }

    /// Runs both lists, which are equally long; an empty step is none.
    fn run(&self, first: &[Option<Step>], second: &[Option<Step>]) -> Result<()> {
        ensure!(first.len() == second.len(), "one list of steps is longer");
        let (arrived, has_failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let one = |cpu, steps: &[Option<Step>]| -> Result<()> {
            pin(cpu)?;
            for (number, step) in steps.iter().enumerate() {
                arrived.fetch_add(1, Ordering::SeqCst);
                let mut spins = 0;
                while arrived.load(Ordering::SeqCst) < 2 * (number + 1) {
                    ensure!(!has_failed.load(Ordering::Relaxed), "the other CPU gave up");
                    spins += 1;
                    if spins % SPINS == 0 {
                        thread::yield_now();
                    } else {
                        hint::spin_loop();
                    }
                }
                if let Some(Step { program, frame }) = step {
                    self.programs.run(program, &mut frame.clone(), 1)?;
                }
            }
            Ok(())
        };
        let guarded = |cpu, steps| one(cpu, steps).inspect_err(|_| has_failed.store(true, Ordering::Relaxed));
        thread::scope(|scope| {
            let threads = [(self.cpus[0], first), (self.cpus[1], second)]
                .map(|(cpu, steps)| scope.spawn(move || guarded(cpu, steps)));
            for thread in threads {
                thread.join().map_err(|_| anyhow!("a thread panicked"))??;
            }
            Ok(())
        })
    }

    fn tables(&self) -> Result<Switch> {
        let mut switch = Switch::default();
        self.programs.read_tables(&mut switch)?;
        Ok(switch)
    }

    fn noted(&self, note: Note) -> Result<u64> {
        self.programs.counter(note.counter())
    }

    /// The same handshakes on both CPUs are one connection with one join each.
    fn handshakes(&mut self, batch: u32) -> Result<()> {
        let steps = each_port(|port| connection_with_join(batch, port));
        self.run(&steps, &steps)?;
        let tables = self.tables()?;
        let count = usize::from(BATCH);
        let entries =
            (tables.half_open.entries.len(), tables.connections.entries.len(), tables.flows.entries.len());
        ensure!(entries == (0, count, 2 * count), "half open, connections, subflows: {entries:?}");
        for port in 1..=BATCH {
            is_whole(&tables, port)?;
        }
        let is_sole = |binding: &&TokenBinding| {
            binding.crowded == 0 && binding.connections[0] != 0 && binding.connections[1] == 0
        };
        let sole = tables.tokens.entries.values().filter(is_sole).count();
        ensure!(sole == 2 * count, "{sole} tokens of {} stand for one connection", 2 * count);
        self.programs.remove_all(&tables)
    }

    /// Ends that cross are both noted, and counted once.
    fn ends(&mut self, batch: u32, flags: u8) -> Result<()> {
        let alone = each_port(|port| connection_with_join(batch, port));
        self.run(&alone, &vec![None; alone.len()])?;
        let end = |from: End, to: End, numbers: [u32; 2]| {
            let end = Build::tcp(from, to).flags(flags).numbers(numbers[0], numbers[1]).frame();
            (from, end)
        };
        let ours = each_port(|port| vec![Some(step(end(A.at(port + BATCH), B, [1_001, 4]), 0))]);
        let theirs = each_port(|port| vec![Some(step(end(B, A.at(port + BATCH), [4, 1_001]), 1))]);
        self.run(&ours, &theirs)?;
        let tables = self.tables()?;
        let expected = if flags == RST { Flow::RESET } else { Flow::FIN_SENT | Flow::FIN_RECEIVED };
        for port in 1..=BATCH {
            let flow = flow(&tables, port + BATCH)?;
            let Connection { subflows, joined, confirmed, .. } = connection_of(&tables, &flow)?;
            let found = (flow.closing, subflows, joined, confirmed);
            ensure!(found == (expected, 2, 0, 0), "port {port}, flags {flags:#x}: {found:?}");
        }
        self.programs.remove_all(&tables)
    }

    /// A join at the moment of the third ACK belongs to the connection.
    fn first_joins(&mut self, batch: u32) -> Result<()> {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for port in 1..=BATCH {
            let (connect, mut join) = (connect(batch, port), join(batch, port).into_iter());
            first.extend(connect);
            // Its SYN with the third ACK, the rest behind both.
            second.extend([None, None, join.next().flatten()]);
            let rest: Vec<_> = join.collect();
            second.extend(vec![None; rest.len() + 1]);
            first.extend(rest);
            first.push(confirm(port));
        }
        self.run(&first, &second)?;
        let tables = self.tables()?;
        for port in 1..=BATCH {
            is_whole(&tables, port)?;
        }
        self.programs.remove_all(&tables)
    }
}

fn keys(batch: u32, port: u16) -> [u64; 2] {
    let number = u64::from(batch) << 16 | u64::from(port);
    [number << 1 | 1 << 40, number << 1 | 1 << 41]
}

fn token(batch: u32, port: u16) -> u32 {
    derive(Version::V1, keys(batch, port)[1])
}

fn connect(batch: u32, port: u16) -> Vec<Option<Step>> {
    let steps = handshake(Version::V1, [A.at(port), B], keys(batch, port));
    steps.into_iter().map(|frame| Some(step(frame, 0))).collect()
}

fn join(batch: u32, port: u16) -> Vec<Option<Step>> {
    let steps = join_handshake(A.at(port + BATCH), B, token(batch, port));
    steps.into_iter().map(|frame| Some(step(frame, 1))).collect()
}

/// The server goes on, so that the join counts.
fn confirm(port: u16) -> Option<Step> {
    let data = Build::tcp(B, A.at(port + BATCH)).numbers(0, 1_001).payload(b"data").frame();
    Some(step((B, data), 1))
}

fn connection_with_join(batch: u32, port: u16) -> Vec<Option<Step>> {
    let mut steps = connect(batch, port);
    steps.extend(join(batch, port));
    steps.push(confirm(port));
    steps
}

fn each_port<T>(steps: impl FnMut(u16) -> Vec<T>) -> Vec<T> {
    (1..=BATCH).flat_map(steps).collect()
}

fn flow(tables: &Switch, port: u16) -> Result<Flow> {
    let key = FlowKey::new(A.address, port, B.address, B.port);
    tables.flows.entries.get(&key).copied().with_context(|| format!("no subflow of port {port}"))
}

fn connection_of(tables: &Switch, flow: &Flow) -> Result<Connection> {
    tables.connections.entries.get(&flow.connection).copied().context("a subflow without its connection")
}

/// Whether the connection of a port has one join, which counts.
fn is_whole(tables: &Switch, port: u16) -> Result<()> {
    let flows = [flow(tables, port)?, flow(tables, port + BATCH)?];
    let Connection { subflows, joined, confirmed, .. } = connection_of(tables, &flows[0])?;
    let found = (flows[1].connection, subflows, joined, confirmed);
    ensure!(found == (flows[0].connection, 2, 1, 1), "port {port}: {found:?} of {}", flows[0].connection);
    Ok(())
}

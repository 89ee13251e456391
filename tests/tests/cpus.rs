//! Two CPUs at one entry at once, as the top of `smoc_common::map` says it is: the same frames through the loaded programs,
//! by BPF_PROG_TEST_RUN, at the same moment on two CPUs. Needs root. `SMOC_ROUNDS` sets how often, such as 1000000.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use smoc_common::{
    event::Note,
    frames::{Build, End},
    map::{Connection, Flow, FlowKey},
    memory::Switch,
    testing::scene::*,
    token::{Version, derive},
    wire::tcp::{ACK, FIN, RST},
};
use smoc_tests::{chance::pushed, program::Programs, testing::can_run};

/// Connections at a time: their tables are read and emptied then.
const BATCH: u16 = 500;

/// How many rounds, in batches.
fn batches() -> u32 {
    let rounds: u32 = std::env::var("SMOC_ROUNDS").map_or(2_000, |rounds| rounds.parse().unwrap());
    rounds.div_ceil(BATCH.into())
}

/// Two CPUs that this process may use.
fn two_cpus(test: &str) -> Option<[usize; 2]> {
    if !can_run(test) {
        return None;
    }
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let mut cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    let two = cpus.next().zip(cpus.next()).map(<[usize; 2]>::from);
    if two.is_none() {
        println!("SKIP {test}: needs two CPUs");
    }
    two
}

fn pin(cpu: usize) {
    let mut only = CpuSet::new();
    only.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &only).unwrap();
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
    fn new(cpus: [usize; 2]) -> Self {
        let mut programs = Programs::load("smoc.bpf.o").unwrap();
        programs.fill(&edge(0)).unwrap();
        Self { programs, cpus }
    }

    /// Runs both lists, which are equally long; an empty step is none.
    fn run(&self, first: &[Option<Step>], second: &[Option<Step>]) {
        assert_eq!(first.len(), second.len());
        let arrived = AtomicUsize::new(0);
        thread::scope(|scope| {
            for (cpu, steps) in self.cpus.into_iter().zip([first, second]) {
                let arrived = &arrived;
                scope.spawn(move || {
                    pin(cpu);
                    for (number, step) in steps.iter().enumerate() {
                        arrived.fetch_add(1, Ordering::SeqCst);
                        while arrived.load(Ordering::SeqCst) < 2 * (number + 1) {
                            thread::yield_now();
                        }
                        if let Some(Step { program, frame }) = step {
                            self.programs.run(program, &mut frame.clone(), 1).unwrap();
                        }
                    }
                });
            }
        });
    }

    /// The same steps on both.
    fn run_alike(&self, steps: &[Option<Step>]) {
        self.run(steps, steps);
    }

    fn tables(&self) -> Switch {
        let mut switch = Switch::default();
        self.programs.read_tables(&mut switch).unwrap();
        switch
    }

    fn forget(&mut self) {
        let tables = self.tables();
        self.programs.remove_all(&tables).unwrap();
    }

    fn noted(&self, note: Note) -> u64 {
        self.programs.counters().unwrap()[note.counter() as usize]
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

fn key(port: u16) -> FlowKey {
    FlowKey::new(A.address, port, B.address, B.port)
}

fn each_port<T>(mut steps: impl FnMut(u16) -> Vec<T>) -> Vec<T> {
    (1..=BATCH).flat_map(&mut steps).collect()
}

fn connection_of(tables: &Switch, flow: &Flow) -> Connection {
    tables.connections.entries[&flow.connection]
}

#[test]
fn a_handshake_on_two_cpus_is_one_connection_with_one_join() {
    let Some(cpus) = two_cpus("a_handshake_on_two_cpus_is_one_connection_with_one_join") else { return };
    let mut pair = Pair::new(cpus);
    for batch in 0..batches() {
        pair.run_alike(&each_port(|port| {
            let mut steps = connect(batch, port);
            steps.extend(join(batch, port));
            steps.push(confirm(port));
            steps
        }));
        let tables = pair.tables();
        let count = usize::from(BATCH);
        assert_eq!(
            (tables.half_open.entries.len(), tables.connections.entries.len(), tables.flows.entries.len()),
            (0, count, 2 * count),
            "batch {batch}"
        );
        for port in 1..=BATCH {
            let flows = [port, port + BATCH].map(|port| tables.flows.entries[&key(port)]);
            let connection = connection_of(&tables, &flows[0]);
            assert_eq!(flows[1].connection, flows[0].connection, "batch {batch}, port {port}");
            let numbers = (connection.subflows, connection.joined, connection.confirmed);
            assert_eq!(numbers, (2, 1, 1), "batch {batch}, port {port}");
        }
        let is_sole = |binding: &&smoc_common::map::TokenBinding| {
            binding.crowded == 0 && binding.connections[0] != 0 && binding.connections[1] == 0
        };
        assert_eq!(tables.tokens.entries.values().filter(is_sole).count(), 2 * count, "batch {batch}");
        pair.forget();
    }
    let rounds = u64::from(batches()) * u64::from(BATCH);
    assert_eq!((pair.noted(Note::Bound), pair.noted(Note::Joined)), (rounds, rounds));
}

#[test]
fn ends_that_cross_are_both_noted_and_counted_once() {
    let Some(cpus) = two_cpus("ends_that_cross_are_both_noted_and_counted_once") else { return };
    let mut pair = Pair::new(cpus);
    for batch in 0..batches() {
        for flags in [FIN | ACK, RST] {
            let alone = each_port(|port| {
                let mut steps = connect(batch, port);
                steps.extend(join(batch, port));
                steps.push(confirm(port));
                steps
            });
            pair.run(&alone, &vec![None; alone.len()]);
            let ours = each_port(|port| {
                let end = Build::tcp(A.at(port + BATCH), B).flags(flags).numbers(1_001, 4).frame();
                vec![Some(step((A, end), 0))]
            });
            let theirs = each_port(|port| {
                let end = Build::tcp(B, A.at(port + BATCH)).flags(flags).numbers(4, 1_001).frame();
                vec![Some(step((B, end), 1))]
            });
            pair.run(&ours, &theirs);
            let tables = pair.tables();
            let expected = if flags == RST { Flow::RESET } else { Flow::FIN_SENT | Flow::FIN_RECEIVED };
            for port in 1..=BATCH {
                let flow = tables.flows.entries[&key(port + BATCH)];
                let Connection { subflows, joined, confirmed, .. } = connection_of(&tables, &flow);
                let found = (flow.closing, subflows, joined, confirmed);
                assert_eq!(found, (expected, 2, 0, 0), "batch {batch}, port {port}, flags {flags:#x}");
            }
            pair.forget();
        }
    }
}

#[test]
fn a_join_at_the_moment_of_the_third_ack_belongs_to_the_connection() {
    let Some(cpus) = two_cpus("a_join_at_the_moment_of_the_third_ack_belongs_to_the_connection") else {
        return;
    };
    let mut pair = Pair::new(cpus);
    for batch in 0..batches() {
        let mut first = Vec::new();
        let mut second = Vec::new();
        for port in 1..=BATCH {
            let (connect, mut join) = (connect(batch, port), join(batch, port).into_iter());
            first.extend(connect);
            // Its SYN with the third ACK, the rest behind both.
            second.extend([None, None, join.next().unwrap()]);
            let rest: Vec<_> = join.collect();
            second.extend(vec![None; rest.len() + 1]);
            first.extend(rest);
            first.push(confirm(port));
        }
        pair.run(&first, &second);
        let tables = pair.tables();
        for port in 1..=BATCH {
            let flows = [port, port + BATCH].map(|port| tables.flows.entries[&key(port)]);
            let Connection { subflows, joined, confirmed, .. } = connection_of(&tables, &flows[0]);
            let found = (flows[1].connection, subflows, joined, confirmed);
            assert_eq!(found, (flows[0].connection, 2, 1, 1), "batch {batch}, port {port}");
        }
        pair.forget();
    }
}

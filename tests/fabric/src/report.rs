//! What came of a run.

use std::{fmt, time::Duration};

use smoc_control::clock::Nanos;

use crate::fabric::Fabric;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Nanos,
    /// What.
    pub what: String,
}

/// What is counted during a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that happened.
    pub events: u64,
    /// Frames over cables.
    pub frames: u64,
    /// Copies that no host would have read, which were not sent.
    pub unread: u64,
    /// Events that control took in.
    pub handled: u64,
    /// Frames of streams.
    pub awaited: u64,
    /// Those that arrived.
    pub arrived: u64,
    /// Those that did not.
    pub lost: u64,
    /// Copies that came to a bridge again.
    pub circulated: u64,
    /// Depends on everything that happened and in which order.
    pub digest: u64,
}

impl Counts {
    /// Takes a number into the digest (SplitMix64's finaliser).
    pub fn mix(&mut self, number: u64) {
        let value = (self.digest ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.digest = value ^ (value >> 31);
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Switches, cables between them, hosts.
    pub size: [usize; 3],
    /// Episodes of faults.
    pub episodes: usize,
    /// What happened, in order.
    pub faults: Vec<String>,
    /// How long it was, in virtual time.
    pub lasted: Duration,
    /// What was counted.
    pub counts: Counts,
    /// What was wrong first.
    pub violation: Option<Violation>,
}

impl Fabric {
    pub(crate) fn outcome(self) -> Outcome {
        let seconds = |at: &Nanos| at.0 as f64 / 1e9;
        let faults =
            self.faults.iter().map(|(at, fault)| format!("{:.6} {}", seconds(at), self.describe(fault)));
        Outcome {
            seed: self.options.seed,
            size: [self.nodes.len(), self.network.cables.len(), self.hosts.len()],
            episodes: self.episodes,
            faults: faults.collect(),
            lasted: self.queue.now().since(Nanos(0)),
            counts: self.counts.clone(),
            violation: self.watch.violation.clone(),
        }
    }

    /// A fault, with names.
    pub(crate) fn describe(&self, fault: &crate::faults::Fault) -> String {
        use crate::faults::Fault;
        let port = |node: u32, place: u16| format!("{}:{}", self.name(node), place + 1);
        match *fault {
            Fault::Link { link, works, carrier } => {
                format!("{}: works {works:?}, carrier {carrier:?}", self.cable_name(link))
            }
            Fault::Loss(link, loss) => format!("{} loses {loss} of 1000 frames", self.cable_name(link)),
            Fault::Swap(a, b) => format!("{} and {} are swapped", self.cable_name(a), self.cable_name(b)),
            Fault::Stopped(node, stopped) => format!("{}: agent stopped: {stopped}", self.name(node)),
            Fault::Slow(node, late) => format!("{}: agent is late by {late:?}", self.name(node)),
            Fault::Width(node, bits) => format!("{}: port numbers are to have {bits} bits", self.name(node)),
            Fault::Kill(node) => format!("{}: agent is killed", self.name(node)),
            Fault::Start(node) => format!("{}: an agent starts", self.name(node)),
            Fault::PowerLoss(node) => format!("{}: loses power", self.name(node)),
            Fault::PowerBack(node) => format!("{}: has power again", self.name(node)),
            Fault::Silent(node, silent) => format!("{}: all cables silent: {silent}", self.name(node)),
            Fault::File(node, file) => format!("{}: is given file {file}", self.name(node)),
            Fault::Move(host, (node, to)) => format!("host {host} moves to {}:{to}", self.name(node)),
            Fault::RefuseMaps(node, refuses) => format!("{}: maps refuse writes: {refuses}", self.name(node)),
            Fault::RefusePrograms(node, refuses) => {
                format!("{}: programs refused: {refuses}", self.name(node))
            }
            Fault::RefuseBridge(node, refuses) => {
                format!("{}: bridge states refused: {refuses}", self.name(node))
            }
            Fault::RefuseSockets(node, refuses) => format!("{}: sockets refused: {refuses}", self.name(node)),
            Fault::Interface(node, place, there) => {
                format!("{}: interface there: {there}", port(node, place))
            }
            Fault::Hang(node, place, hangs) => format!("{}: transmitter hangs: {hangs}", port(node, place)),
            Fault::Vandal(node) => format!("{}: somebody removes a host and a program", self.name(node)),
            Fault::Policy(node, number) => format!("{}: policy {number} is applied", self.name(node)),
            Fault::Foreign(node) => format!("{}: an interface changes that is not smoc's", self.name(node)),
        }
    }

    /// A cable between switches, as the file names it.
    pub(crate) fn cable_name(&self, link: u32) -> String {
        let ends = self.network.cables[link as usize].ends;
        ends.map(|(switch, port)| format!("{}:{port}", self.name(switch))).join("-")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, size: [switches, cables, hosts], episodes, faults, lasted, counts, violation } =
            self;
        writeln!(f, "seed {seed}: {switches} switches, {cables} links, {hosts} hosts, {episodes} episodes")?;
        for fault in faults {
            writeln!(f, "  {fault}")?;
        }
        writeln!(
            f,
            "{:.3} s, {} events, {} frames over cables, {} of {} sent by streams arrived; run {:016x}",
            lasted.as_secs_f64(),
            counts.events,
            counts.frames,
            counts.arrived,
            counts.awaited,
            counts.digest
        )?;
        match violation {
            None => write!(f, "nothing was wrong"),
            Some(Violation { at, what }) => write!(f, "WRONG at {:.6} s: {what}", at.0 as f64 / 1e9),
        }
    }
}

//! `cargo xtask fuzz`: mutated frames through the loaded programs and through the pipeline in memory. Both must do the same
//! with each, and change nothing that the design does not let them change.
//!
//! What the frames are made of: every kind that the pipeline tells apart, handshakes in any order, frames that others
//! captured, and every truncation of all of these. A seed names each block of frames: a failure comes again.

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use smoc_common::event::{COUNTER_ENTRIES, Note, Outcome};
use smoc_common::frames::End;
use smoc_common::memory::Side;
use smoc_common::testing::scene::{A, A_V6, B, B_V6};

use crate::chance::{Numbers, connection, conversation, kinds, pushed, switch};
use crate::twins::Twins;

/// After so long both forget what they have learned: before the tables in the kernel push out what those in memory keep, and
/// before a SYN has waited so long that it moves, for the clocks of both differ a little.
const LIFE: Duration = Duration::from_millis(100);
/// Where the machine stood still, such a SYN may have been treated in two ways: what comes after that shows nothing.
const STALE: Duration = Duration::from_millis(140);
/// Longer frames are cut off for mutation: behind all headers there is nothing to find.
const LONGEST: usize = 200;
/// BPF_PROG_TEST_RUN takes no shorter frame.
const SHORTEST: usize = 14;

/// Mutated frames in one block: a block has a seed of its own, so it comes again by itself, whoever ran it.
const BLOCK: u64 = 100_000;

/// How much to try.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct FuzzOptions {
    /// Mutated frames, beside every truncation of what they are made of.
    #[arg(long, default_value_t = 10_000_000)]
    pub frames: u64,
    /// Names the run: the same seed gives the same frames.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many blocks of frames are tried at a time [default: one for each CPU].
    #[arg(long)]
    pub threads: Option<NonZero<usize>>,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fuzzed {
    /// Frames that were compared.
    pub frames: u64,
    /// Differences that show nothing: see [`STALE`].
    pub excused: u64,
    /// What was counted, by counter.
    pub counters: [u64; COUNTER_ENTRIES as usize],
}

impl Fuzzed {
    const NONE: Self = Self { frames: 0, excused: 0, counters: [0; COUNTER_ENTRIES as usize] };

    fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.excused += other.excused;
        for (sum, count) in self.counters.iter_mut().zip(other.counters) {
            *sum += count;
        }
    }
}

/// Runs and says what it came to.
///
/// # Errors
/// As of [`run`].
pub fn show(options: &FuzzOptions) -> Result<()> {
    let start = Instant::now();
    let Fuzzed { frames, excused, counters } = run(options)?;
    let outcomes = Outcome::ALL.iter().map(|outcome| (outcome.name(), outcome.counter()));
    for (name, counter) in outcomes.chain(Note::ALL.iter().map(|note| (note.name(), note.counter()))) {
        println!("{name:<22}{:>12}", counters[counter as usize]);
    }
    if excused > 0 {
        println!("{excused} differences show nothing, for the machine stood still before them");
    }
    println!("{frames} frames were treated alike, in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Sends every truncation of every seed, and then mutated seeds in blocks: that many threads, each with programs and
/// tables of its own.
///
/// # Errors
/// A frame was not treated alike, which is named with the seed of its block and its number there; or the programs cannot be
/// loaded.
pub fn run(options: &FuzzOptions) -> Result<Fuzzed> {
    let threads = match options.threads {
        Some(threads) => threads,
        None => thread::available_parallelism()?,
    };
    let (next, has_failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || -> Result<Fuzzed> {
        let mut run = Run::new()?;
        while !has_failed.load(Ordering::Relaxed)
            && let block = next.fetch_add(1, Ordering::Relaxed)
            && block * BLOCK < options.frames
        {
            let frames = BLOCK.min(options.frames - block * BLOCK);
            run.block(options.seed.wrapping_add(block), frames, block == 0)?;
        }
        Ok(run.found())
    };
    let mut all = Fuzzed::NONE;
    thread::scope(|scope| {
        let start = |_| scope.spawn(|| work().inspect_err(|_| has_failed.store(true, Ordering::Relaxed)));
        let workers: Vec<_> = (0..threads.get()).map(start).collect();
        for worker in workers {
            let found = worker.join().map_err(|_| anyhow!("a thread of the run panicked"))?;
            all.add(&found?);
        }
        Ok(all)
    })
}

struct Run {
    twins: Twins,
    frames: u64,
    excused: u64,
    /// Names the block.
    seed: u64,
    /// When both began to learn.
    born: Instant,
}

impl Run {
    fn new() -> Result<Self> {
        Ok(Self { twins: Twins::new(switch())?, frames: 0, excused: 0, seed: 0, born: Instant::now() })
    }

    /// What it has come to so far.
    fn found(&self) -> Fuzzed {
        Fuzzed { frames: self.frames, excused: self.excused, counters: self.twins.host.counters }
    }

    /// So many mutated frames, which `seed` names, behind every truncation of what they are made of where that is asked for.
    fn block(&mut self, seed: u64, frames: u64, with_truncations: bool) -> Result<()> {
        self.seed = seed;
        let mut numbers = Numbers(seed);
        let mut seeds = seeds(&mut numbers)?;
        self.forget()?;
        for seed in seeds.iter().filter(|_| with_truncations) {
            for length in SHORTEST..=seed.len() {
                self.give(Side::Host, &seed[..length])?;
                self.give(Side::Fabric, &pushed(&seed[..length], 1, 1))?;
            }
        }
        for number in 0..frames {
            if number.is_multiple_of(32) {
                self.connection(&mut numbers)?;
            }
            self.mutated(number, &mut numbers, &mut seeds)?;
        }
        self.forget()
    }

    /// A connection from its beginning to its end, nearly as hosts would have it.
    fn connection(&mut self, numbers: &mut Numbers) -> Result<()> {
        for (from, frame) in connection(numbers) {
            if from.address == A.address {
                self.give(Side::Host, &frame)?;
            } else {
                self.give(Side::Fabric, &pushed(&frame, numbers.below(4), 1))?;
            }
        }
        Ok(())
    }

    fn mutated(&mut self, number: u64, numbers: &mut Numbers, seeds: &mut [Vec<u8>]) -> Result<()> {
        // Handshakes get far only if they come in many versions.
        let made = number.is_multiple_of(4).then(|| conversation(numbers).1);
        let mut frame = made.unwrap_or_else(|| seeds[numbers.below(seeds.len())].clone());
        let side = numbers.pick(&[Side::Host, Side::Fabric]);
        if side == Side::Fabric && numbers.below(8) != 0 {
            let bits = numbers.pick(&[1, 1, 1, 0x12, 0x14, 0x123, 0]);
            frame = pushed(&frame, numbers.below(256), bits);
        }
        if numbers.below(4) != 0 {
            numbers.mutate(&mut frame);
        }
        self.give(side, &frame)?;
        if numbers.below(1_000) == 0 {
            let place = numbers.below(seeds.len());
            frame.truncate(LONGEST);
            seeds[place] = frame;
        }
        Ok(())
    }

    fn give(&mut self, side: Side, frame: &[u8]) -> Result<()> {
        let treated = self.twins.take(side, frame);
        self.judge(treated)?;
        self.frames += 1;
        if self.born.elapsed() >= LIFE { self.forget() } else { Ok(()) }
    }

    /// Compares what both have learned and counted, and begins anew.
    fn forget(&mut self) -> Result<()> {
        let compared = self.twins.compare_tables();
        self.judge(compared)?;
        self.twins.forget()?;
        self.born = Instant::now();
        Ok(())
    }

    fn judge(&mut self, compared: Result<()>) -> Result<()> {
        if self.born.elapsed() >= STALE {
            self.excused += u64::from(compared.is_err());
            return Ok(());
        }
        compared.with_context(|| format!("seed {}, frame {} of its thread", self.seed, self.frames))
    }
}

/// What frames are made of, each once.
fn seeds(numbers: &mut Numbers) -> Result<Vec<Vec<u8>>> {
    let mut seeds = kinds();
    seeds.extend((0..200).map(|_| conversation(numbers).1));
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../smoc-common/tests/captures");
    for entry in fs::read_dir(&captures).with_context(|| captures.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pcap") {
            let bytes = fs::read(&path)?;
            seeds.extend(captured(&bytes).with_context(|| path.display().to_string())?);
        }
    }
    seeds.iter_mut().for_each(|frame| frame.truncate(LONGEST));
    seeds.sort_unstable();
    seeds.dedup();
    ensure!(seeds.iter().all(|frame| frame.len() >= SHORTEST), "a seed is shorter than an Ethernet header");
    Ok(seeds)
}

/// The frames of a capture file in classic pcap (little endian, microseconds) as Ethernet carries them, between hosts that
/// are known; none of other files, or of link types without an EtherType or IP.
fn captured(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    const MAGIC: u32 = 0xa1b2_c3d4;
    let word = |at: usize| {
        let bytes = bytes.get(at..at + 4).context("the file ends too soon")?;
        Ok::<_, anyhow::Error>(u32::from_le_bytes(bytes.try_into()?))
    };
    if word(0)? != MAGIC {
        return Ok(Vec::new());
    }
    let link_type = word(20)?;
    let mut frames = Vec::new();
    let mut at = 24;
    while at < bytes.len() {
        let length = word(at + 8)? as usize;
        let frame = bytes.get(at + 16..at + 16 + length).context("the file ends within a frame")?;
        frames.extend(as_ethernet(link_type, frame).map(|frame| between_known(&frame)));
        at += 16 + length;
    }
    Ok(frames)
}

/// A frame of Ethernet, Linux cooked or raw IP, by its link type (tcpdump's LINKTYPE_ numbers), as Ethernet carries it.
fn as_ethernet(link_type: u32, frame: &[u8]) -> Option<Vec<u8>> {
    let (ether_type, payload): ([u8; 2], _) = match link_type {
        1 => return (frame.len() >= SHORTEST).then(|| frame.to_vec()),
        101 if frame.first()? >> 4 == 4 => ([0x08, 0x00], frame),
        101 => ([0x86, 0xdd], frame),
        113 => (frame.get(14..16)?.try_into().ok()?, &frame[16..]),
        _ => return None,
    };
    Some([&[0; 12], &ether_type[..], payload].concat())
}

/// The same frame from one host of the scene to the other: which is which by the order of their addresses.
fn between_known(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let (first, width, ends): (usize, usize, [End; 2]) = match frame[12..14] {
        [0x08, 0x00] if frame.len() >= 34 => (26, 4, [A, B]),
        [0x86, 0xdd] if frame.len() >= 54 => (22, 16, [A_V6, B_V6]),
        _ => return frame,
    };
    let is_answer = frame[first..first + width] > frame[first + width..first + 2 * width];
    let [from, to] = if is_answer { [ends[1], ends[0]] } else { ends };
    frame[..6].copy_from_slice(&to.mac.octets());
    frame[6..12].copy_from_slice(&from.mac.octets());
    let octets = |end: End| end.address.octets()[16 - width..].to_vec();
    frame[first..first + width].copy_from_slice(&octets(from));
    frame[first + width..first + 2 * width].copy_from_slice(&octets(to));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_give_handshakes_between_known_hosts() {
        let seeds = seeds(&mut Numbers(1)).unwrap();
        let of_known = |frame: &&Vec<u8>| frame.len() > 54 && frame[6..12] == A.mac.octets();
        assert!(seeds.iter().filter(of_known).count() > 100, "{}", seeds.len());
        assert!(seeds.iter().all(|frame| frame.len() <= LONGEST));
    }
}

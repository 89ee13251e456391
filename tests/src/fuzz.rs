//! `cargo xtask fuzz`: mutated frames through the loaded programs and through the pipeline in memory. Both must do the same
//! with each, and change nothing that the design does not let them change.
//!
//! What the frames are made of: every kind that the pipeline tells apart, handshakes in any order, frames that others
//! captured, and every truncation of all of these. The seed names the run: a failure comes again.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use smoc_common::event::{COUNTER_ENTRIES, Note, Outcome};
use smoc_common::frames::End;
use smoc_common::memory::Side;
use smoc_common::testing::scene::{A, A_V6, B, B_V6};

use crate::chance::{Numbers, conversation, kinds, pushed, switch};
use crate::twins::Twins;

/// After so many frames both forget what they have learned, before the tables in the kernel push out what those in memory
/// keep.
const LIFE: u64 = 4_000;
/// Longer frames are cut off for mutation: behind all headers there is nothing to find.
const LONGEST: usize = 200;
/// BPF_PROG_TEST_RUN takes no shorter frame.
const SHORTEST: usize = 14;

/// How much to try.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct FuzzOptions {
    /// Mutated frames, beside every truncation of what they are made of.
    #[arg(long, default_value_t = 10_000_000)]
    pub frames: u64,
    /// Names the run: the same seed gives the same frames.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Fuzzed {
    /// Frames that were compared.
    pub frames: u64,
    /// What was counted, by counter.
    pub counters: [u64; COUNTER_ENTRIES as usize],
}

/// Runs and says what it came to.
///
/// # Errors
/// As of [`run`].
pub fn show(options: &FuzzOptions) -> Result<()> {
    let start = Instant::now();
    let Fuzzed { frames, counters } = run(options)?;
    let outcomes = Outcome::ALL.iter().map(|outcome| (outcome.name(), outcome.counter()));
    for (name, counter) in outcomes.chain(Note::ALL.iter().map(|note| (note.name(), note.counter()))) {
        println!("{name:<22}{:>12}", counters[counter as usize]);
    }
    println!("{frames} frames were treated alike, in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Sends every truncation of every seed, and then mutated seeds.
///
/// # Errors
/// A frame was not treated alike, which is named with its number in the run; or the programs cannot be loaded.
pub fn run(options: &FuzzOptions) -> Result<Fuzzed> {
    let mut run = Run { twins: Twins::new(switch())?, frames: 0 };
    let mut numbers = Numbers(options.seed);
    let mut seeds = seeds(&mut numbers)?;
    for seed in &seeds {
        for length in SHORTEST..=seed.len() {
            run.give(Side::Host, &seed[..length], options.seed)?;
            run.give(Side::Fabric, &pushed(&seed[..length], 1, 1), options.seed)?;
        }
    }
    for number in 0..options.frames {
        // Handshakes get far only if they come in many versions.
        let made = (number % 4 == 0).then(|| conversation(&mut numbers).1);
        let mut frame = made.unwrap_or_else(|| seeds[numbers.below(seeds.len())].clone());
        let side = numbers.pick(&[Side::Host, Side::Fabric]);
        if side == Side::Fabric && numbers.below(8) != 0 {
            let bits = numbers.pick(&[1, 1, 1, 0x12, 0x14, 0x123, 0]);
            frame = pushed(&frame, numbers.below(256), bits);
        }
        if numbers.below(4) != 0 {
            numbers.mutate(&mut frame);
        }
        run.give(side, &frame, options.seed)?;
        if numbers.below(1_000) == 0 {
            let place = numbers.below(seeds.len());
            frame.truncate(LONGEST);
            seeds[place] = frame;
        }
    }
    run.twins.compare_tables()?;
    Ok(Fuzzed { frames: run.frames, counters: run.twins.host.counters })
}

struct Run {
    twins: Twins,
    frames: u64,
}

impl Run {
    fn give(&mut self, side: Side, frame: &[u8], seed: u64) -> Result<()> {
        let about = || format!("seed {seed}, frame {}", self.frames);
        let outcome = self.twins.take(side, frame);
        outcome.with_context(about)?;
        self.frames += 1;
        if self.frames.is_multiple_of(LIFE) {
            self.twins
                .compare_tables()
                .with_context(|| format!("seed {seed}, after {} frames", self.frames))?;
            self.twins.forget()?;
        }
        Ok(())
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

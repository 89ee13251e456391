//! A chain that forwards in one way, and what is sent through it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use smoc_common::event::Outcome;
use smoc_common::testing::frames::Build;
use smoc_common::testing::scene::{A, B};

use super::Way;
use super::chain::{Chain, EAST, WEST, index};
use super::smoc::{Smoc, pushed, route};
use crate::program::Programs;

/// Bytes of every frame, without its check sequence.
pub const FRAME_BYTES: usize = 128;
/// Of them Ethernet, IPv4 and TCP, which are written anew for each frame.
const HEADER_BYTES: usize = 54;
/// How long frames may still be under way when the last one was sent.
const TAIL: Duration = Duration::from_millis(5);

/// As many frames are sent in one burst at most.
const MOST_FRAMES: u32 = 8_000_000;
/// This share of the time that was asked for is enough.
const ENOUGH: f64 = 0.75;

/// What frames are: their outcome at the first smoc switch, and how many flows they are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// What smoc's first switch does with them, where smoc forwards.
    pub outcome: Outcome,
    /// A power of two.
    pub flows: u32,
}

impl Load {
    /// Datagrams, of 256 flows.
    pub const DATAGRAMS: Self = Self { outcome: Outcome::Plain, flows: 256 };
}

/// What a measurement found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Frames that were sent.
    pub sent: u64,
    /// Frames that came to the far end, and that the way in question has forwarded.
    pub delivered: u64,
    /// Nanoseconds for each of these.
    pub nanoseconds: f64,
}

/// A chain that forwards.
pub struct Line {
    chain: Chain,
    ends: Programs,
    routers: Vec<Programs>,
    smoc: Option<Smoc>,
}

impl Line {
    /// Makes the chain and lets it forward.
    ///
    /// # Errors
    /// The kernel cannot do it: the error says what is missing.
    pub fn new(way: Way, switches: usize) -> Result<Self> {
        let chain = Chain::new(switches)?;
        let (mut routers, mut smoc) = (Vec::new(), None);
        match way {
            Way::Cable => {}
            Way::Bridge => chain.bridge(false)?,
            Way::FilteredBridge => chain.bridge(true)?,
            Way::Routing => chain.route()?,
            Way::Tc => chain.redirect_by_tc()?,
            Way::XdpForward => routers = route_by_xdp(&chain)?,
            Way::Transit => smoc = Some(Smoc::transit(&chain)?),
            Way::Smoc => smoc = Some(Smoc::between_edges(&chain)?),
        }
        let mut ends = Programs::load("smoc-bench.bpf.o")?;
        {
            let _inside = chain.near().enter()?;
            ends.set_interface("OUT", 0, index(EAST)?)?;
        }
        {
            let _inside = chain.far().enter()?;
            ends.attach("bench_sink", WEST)?;
        }
        Ok(Self { chain, ends, routers, smoc })
    }

    /// Opens the connections that frames will belong to.
    ///
    /// # Errors
    /// A switch does not follow their handshakes.
    pub fn open(&self, connections: u32) -> Result<()> {
        self.smoc.as_ref().context("no smoc forwards here")?.open(connections)
    }

    /// Sends frames in bursts for that long.
    ///
    /// # Errors
    /// The kernel sends no live frames, or a frame came to the far end without the way's having forwarded it.
    pub fn sample(&mut self, way: Way, load: Load, burst: u32, time: Duration) -> Result<Sample> {
        let frame = self.frame(way, load);
        let headers: [u8; HEADER_BYTES] = *frame.first_chunk().context("a frame has headers")?;
        self.ends.set("HEADERS", 0, headers)?;
        self.ends.set("FLOW_MASK", 0, load.flows - 1)?;
        let _inside = self.chain.near().enter()?;
        // Each flow has carried a frame before: what is looked up once in a while is not looked up for all at once.
        let each = self.ends.send("bench_generate", &frame, load.flows)?;
        // One burst for nearly all of the time: what the kernel does for a burst itself is then next to nothing of it.
        let most = f64::from(MOST_FRAMES);
        let burst = burst.max((time.as_nanos() as f64 / each.max(1) as f64).min(most) as u32);
        sleep(TAIL);
        let (taken, forwarded) = (self.ends.total("TAKEN")?, self.forwarded(load)?);
        let mut sent = 0;
        let start = Instant::now();
        let spent = loop {
            self.ends.send("bench_generate", &frame, burst)?;
            sent += u64::from(burst);
            let spent = start.elapsed();
            if spent >= time.mul_f64(ENOUGH) {
                break spent;
            }
        };
        sleep(TAIL);
        let delivered = self.ends.total("TAKEN")? - taken;
        for (before, after) in forwarded.into_iter().zip(self.forwarded(load)?) {
            let forwarded = after - before;
            ensure!(
                forwarded >= delivered,
                "{delivered} frames came to the far end, but only {forwarded} were forwarded as {}",
                load.outcome.name()
            );
        }
        Ok(Sample { sent, delivered, nanoseconds: spent.as_nanos() as f64 / delivered as f64 })
    }

    /// How many frames each switch has forwarded itself; nothing where only one thing can have forwarded them.
    fn forwarded(&self, load: Load) -> Result<Vec<u64>> {
        if let Some(smoc) = &self.smoc {
            return smoc.forwarded(load.outcome);
        }
        self.routers.iter().map(|router| router.total("FORWARDED")).collect()
    }

    fn frame(&self, way: Way, load: Load) -> Vec<u8> {
        let switches = self.chain.switches().len();
        let build = match load.outcome {
            Outcome::Established => Build::tcp(A, B).numbers(1_001, 0),
            _ => Build::udp(A, B),
        };
        let frame = match way {
            Way::Routing | Way::XdpForward => build.destination(self.chain.first_router()),
            _ => build,
        };
        let bare = frame.clone().frame().len();
        let frame = frame.payload(&vec![0; FRAME_BYTES - bare]).frame();
        if way == Way::Transit { pushed(frame, route(switches)) } else { frame }
    }
}

/// A program that asks the kernel's routes at every switch.
fn route_by_xdp(chain: &Chain) -> Result<Vec<Programs>> {
    chain.route()?;
    let attached = |site: &crate::netns::Unnamed| {
        let mut programs = Programs::load("smoc-bench.bpf.o")?;
        let _inside = site.enter()?;
        programs.attach("bench_forward", WEST)?;
        // A frame can be redirected into a veth whose other end has a program or GRO: the next switch has.
        Ok(programs)
    };
    chain.switches().iter().map(attached).collect()
}

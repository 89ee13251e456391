//! What floods did, as people and programs read it.

use std::fmt;

use anyhow::{Result, ensure};
use serde::Serialize;

use super::Flood;

/// What a flood did.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Which.
    pub flood: Flood,
    /// Its frames.
    pub frames: u64,
    /// How long it took.
    pub seconds: f64,
    /// Living connections.
    pub live: usize,
    /// Frames that they carried meanwhile, both ways.
    pub carried: u64,
    /// Those that did not arrive.
    pub lost: u64,
    /// Living connections that each edge knows as before at the end of the flood: subflow, connection and both tokens.
    pub bound_at_once: [usize; 2],
    /// The same once all have carried something and the agents have looked.
    pub bound: [usize; 2],
    /// Additional subflows that living connections have now and had not before.
    pub joins: u32,
    /// How often ports between switches went down.
    pub ports_lost: u64,
    /// Resident memory of all agents before, in kB.
    pub memory_before: u64,
    /// The same at the end of the flood.
    pub memory: u64,
    /// What the first edge counted meanwhile.
    pub counters: Vec<(String, u64)>,
    /// What `smoc status` there warns of at the end.
    pub warnings: Vec<String>,
}

/// All that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Living connections.
    pub live: usize,
    /// What each flood did.
    pub floods: Vec<Outcome>,
}

impl Outcome {
    /// How often something was counted.
    pub fn count(&self, name: &str) -> u64 {
        self.counters.iter().find(|(counter, _)| counter == name).map_or(0, |(_, count)| *count)
    }

    /// Whether it did only what floods may do.
    ///
    /// # Errors
    /// A frame of a living connection was lost, or more than one in a hundred is not known any more, or a port went down.
    pub fn check(&self) -> Result<()> {
        let Self { flood, live, carried, lost, bound, ports_lost, joins, .. } = self;
        ensure!(*lost == 0, "{flood:?}: {lost} of {carried} frames were lost");
        let kept = bound.iter().all(|bound| bound * 100 >= live * 99);
        ensure!(kept, "{flood:?}: the edges know {bound:?} of {live} connections");
        ensure!(*ports_lost == 0, "{flood:?}: ports between switches went down {ports_lost} times");
        ensure!(*joins == 0, "{flood:?}: {joins} numbers were given to subflows that nobody has");
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} connections carry data. KEPT: known to each edge as before, at the end of the flood and some seconds later.\n",
            self.live
        )?;
        let [frames, seconds, carried, lost] = ["FRAMES", "SECONDS", "CARRIED", "LOST"];
        let [kept, then, ports, memory] = ["KEPT", "THEN", "PORTS DOWN", "AGENTS MB"];
        writeln!(
            f,
            "{:<12} {frames:>9} {seconds:>8} {carried:>8} {lost:>6} {kept:>12} {then:>12} {ports:>11} {memory:>12}",
            "FLOOD"
        )?;
        for outcome in &self.floods {
            let name = format!("{:?}", outcome.flood).to_lowercase();
            let Outcome { frames, seconds, carried, lost, ports_lost, .. } = outcome;
            let [kept, then] =
                [outcome.bound_at_once, outcome.bound].map(|[one, other]| format!("{one}, {other}"));
            let memory = format!("{} to {}", outcome.memory_before / 1024, outcome.memory / 1024);
            writeln!(
                f,
                "{name:<12} {frames:>9} {seconds:>8.1} {carried:>8} {lost:>6} {kept:>12} {then:>12} {ports_lost:>11} {memory:>12}"
            )?;
        }
        Ok(())
    }
}

//! What links carried while a connection ran.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::lab::Lab;
use crate::traffic::Received;

/// Points by seconds since the connection began, in Mbit/s.
pub type Curve = Vec<(f64, f64)>;

/// A connection over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// What the receiver got of it.
    pub goodput: Curve,
    /// What each path's link carried to it, in the order of the paths; all have points at the same moments.
    pub links: Vec<Curve>,
}

/// Looks at the links of a lab again and again.
pub struct Watch<'a> {
    lab: &'a Lab,
    /// Positions in the plan's links.
    links: &'a [usize],
    step: Duration,
    begin: Instant,
    /// How much each link had carried, in bytes.
    samples: Vec<(Duration, Vec<u64>)>,
}

impl<'a> Watch<'a> {
    /// Begins now, and will look every `step`.
    pub fn start(lab: &'a Lab, links: &'a [usize], step: Duration) -> Result<Self> {
        let mut watch = Self { lab, links, step, begin: Instant::now(), samples: Vec::new() };
        watch.look()?;
        Ok(watch)
    }

    fn look(&mut self) -> Result<()> {
        let loads = self.lab.loads()?;
        let carried = self.links.iter().map(|&link| loads[link].bytes_to_b).collect();
        self.samples.push((self.begin.elapsed(), carried));
        Ok(())
    }

    /// Watches until so long after the beginning.
    pub fn until(&mut self, end: Duration) -> Result<()> {
        loop {
            let left = end.saturating_sub(self.begin.elapsed());
            thread::sleep(left.min(self.step));
            if left.is_zero() {
                return Ok(());
            }
            self.look()?;
        }
    }

    /// All that was seen, beside what arrived.
    pub fn finish(self, received: &Received) -> Timeline {
        let curve = |link| rates(self.samples.iter().map(move |(at, carried)| (*at, carried[link])));
        let end = self.samples.last().map(|(at, _)| *at).unwrap_or_default();
        Timeline { goodput: received.over_time(end), links: (0..self.links.len()).map(curve).collect() }
    }
}

/// Mbit/s between any two samples of bytes.
fn rates(samples: impl Iterator<Item = (Duration, u64)> + Clone) -> Curve {
    let later = samples.clone().skip(1);
    let rate = |((from, before), (to, after)): ((Duration, u64), (Duration, u64))| {
        (to.as_secs_f64(), after.saturating_sub(before) as f64 * 8e-6 / (to - from).as_secs_f64())
    };
    samples.zip(later).map(rate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_time_between_two_looks() {
        let samples = [(0, 0), (100, 1_250_000), (300, 1_250_000), (400, 1_875_000)];
        let curve = rates(samples.map(|(at, bytes)| (Duration::from_millis(at), bytes)).into_iter());
        assert_eq!(curve.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0.1, 0.3, 0.4]);
        assert_eq!(curve.iter().map(|(_, rate)| rate.round()).collect::<Vec<_>>(), [100.0, 0.0, 50.0]);
    }
}

//! The receive buffer that a set of paths asks for.

use std::collections::HashMap;
use std::fmt;

use crate::search::Path;
use crate::topology::{LinkId, Topology};

/// A link says nothing of what the buffer depends on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the receive buffer depends on every link's {what}: {link} has none")]
pub struct Unknown {
    /// `latency` or `capacity`.
    pub what: &'static str,
    /// The link's name.
    pub link: String,
}

/// 2 x sum(bandwidth) x max(RTT) in bytes, so that one path can retransmit while all others go on (RFC 6182,
/// section 5.3). A path's bandwidth is its narrowest link's, less what the paths before it take of that; its RTT twice the sum
/// of latencies; queues and hosts come on top.
///
/// # Errors
/// A link of unknown capacity or latency.
pub fn needed(topology: &Topology, paths: &[Path]) -> Result<u64, Unknown> {
    let (mut bandwidth, mut rtt) = (0u128, 0u128);
    let mut left: HashMap<LinkId, u64> = HashMap::new();
    for path in paths {
        let (mut narrowest, mut one_way) = (u64::MAX, 0u128);
        for &id in &path.links {
            let link = topology.link(id);
            let unknown = |what| Unknown { what, link: topology.link_name(id) };
            let capacity = link.capacity.ok_or_else(|| unknown("capacity"))?.bits_per_second();
            narrowest = narrowest.min(*left.entry(id).or_insert(capacity));
            one_way += u128::from(link.latency.ok_or_else(|| unknown("latency"))?.nanos());
        }
        for id in &path.links {
            left.entry(*id).and_modify(|left| *left -= narrowest);
        }
        bandwidth += u128::from(narrowest);
        rtt = rtt.max(2 * one_way);
    }
    let bits = bandwidth.saturating_mul(rtt).saturating_mul(2) / 1_000_000_000;
    Ok(u64::try_from(bits.div_ceil(8)).unwrap_or(u64::MAX))
}

/// A set of paths that asks for more than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    paths: usize,
    needed: u64,
    buffer: u64,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { paths, needed, buffer } = *self;
        let percent = needed as f64 / buffer.max(1) as f64 * 100.0;
        let over = needed.saturating_sub(buffer);
        write!(
            f,
            "the {paths} paths need a receive buffer of {needed} bytes, {over} more than {buffer} ({percent:.0} %): allow \
             less stretch or fewer paths, or give the receivers more"
        )
    }
}

/// By how much a receiver's buffer (in bytes) is too small for a set of paths.
///
/// # Errors
/// Those of [`needed`].
pub fn shortage(topology: &Topology, paths: &[Path], buffer: u64) -> Result<Option<Shortage>, Unknown> {
    let needed = needed(topology, paths)?;
    Ok((needed > buffer).then_some(Shortage { paths: paths.len(), needed, buffer }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{PathFinder, PathOptions};
    use crate::topology::{SwitchId, TopologyFile};

    #[test]
    fn the_slowest_path_decides_for_all() {
        let text = "links:
  - {a: 'a:1', b: 'b:1', capacity: 100Mbit, latency: 5ms}
  - {a: 'a:2', b: 'b:2', capacity: 300Mbit, latency: 50ms}";
        let topology = TopologyFile::parse(std::path::Path::new("t"), text).unwrap().topology;
        let paths =
            PathFinder::new(&topology, &PathOptions::default()).unwrap().ranked(SwitchId(0), SwitchId(1));
        // 2 x 400 Mbit/s x 100 ms = 80 Mbit.
        assert_eq!(needed(&topology, &paths), Ok(10_000_000));
    }

    #[test]
    fn what_is_unknown_is_named() {
        let text = "links: [{a: 'a:1', b: 'b:1', capacity: 1Gbit}]";
        let topology = TopologyFile::parse(std::path::Path::new("t"), text).unwrap().topology;
        let paths =
            PathFinder::new(&topology, &PathOptions::default()).unwrap().ranked(SwitchId(0), SwitchId(1));
        let unknown = needed(&topology, &paths).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "the receive buffer depends on every link's latency: a:1-b:1 has none"
        );
    }
}

//! What may be asked of the path search, and what a link costs under each metric.

use serde::{Deserialize, Serialize};

use super::policy::name::Policy;
use crate::topology::{LinkId, Topology};

/// How the paths between two edges are chosen and ranked; the agent's configuration has it under `paths`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PathOptions {
    /// The rule.
    pub policy: Policy,
    /// How many paths at most, 1 to [`PathOptions::MAX_COUNT`].
    pub count: usize,
    /// What two paths should not share.
    pub protect: Protect,
    /// What makes a path long.
    pub metric: Metric,
    /// Paths costlier than this multiple of the cheapest are dropped; if that would be all of the set, the
    /// cheapest path is the only rank. At least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_stretch: Option<f64>,
    /// What a receiver can buffer, in bytes: every prefix of the ranks keeps 2 x sum(rates) x longest round trip within it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receive_buffer: Option<u64>,
}

/// What counts as shared between two paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protect {
    /// Links.
    #[default]
    Link,
    /// Links first, then transit switches.
    Node,
}

/// What a link adds to a path's cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// The link's `cost`, 1 unless the file says otherwise.
    #[default]
    Cost,
    /// 1.
    Hops,
    /// Its `latency` in nanoseconds (0 counts as 1).
    Latency,
    /// The inverse of its `capacity`, in femtoseconds a bit.
    Capacity,
}

/// Why paths cannot be computed as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OptionsError {
    /// No path or too many.
    #[error("count (-k) is {0}: ask for 1 to {max} paths", max = PathOptions::MAX_COUNT)]
    Count(usize),
    /// Less than the shortest path.
    #[error("max_stretch is {0}: write a number of at least 1, such as 1.5")]
    Stretch(f64),
    /// The metric needs what the topology does not say.
    #[error("metric {metric} needs a {metric} on every link: {link} has none")]
    Unknown {
        /// `latency` or `capacity`.
        metric: &'static str,
        /// The first link without.
        link: String,
    },
    /// The policy or the receive buffer needs what the topology does not say.
    #[error("{who} needs a {what} on every link: {link} has none")]
    Missing {
        /// `policy widest` or `receive_buffer`.
        who: String,
        /// `latency` or `capacity`.
        what: &'static str,
        /// The first link without.
        link: String,
    },
    /// Path costs would not fit.
    #[error("the costs of this topology are too large to be added up: lower the greatest, {0}")]
    Overflow(u64),
}

impl Default for PathOptions {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            count: 8,
            protect: Protect::default(),
            metric: Metric::default(),
            max_stretch: None,
            receive_buffer: None,
        }
    }
}

impl PathOptions {
    /// The most paths that can be asked for; the data plane has room for fewer.
    pub const MAX_COUNT: usize = 64;

    /// What a path may cost where the cheapest costs so much. The product of `max_stretch` is rounded: a
    /// billionth more is within it.
    pub(super) fn longest(&self, cheapest: u64) -> u64 {
        const ROUNDING: f64 = 1.0 + 1e-9;
        self.max_stretch.map_or(u64::MAX, |stretch| (cheapest as f64 * stretch * ROUNDING) as u64)
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`OptionsError::Count`] and [`OptionsError::Stretch`].
    pub fn check(&self) -> Result<(), OptionsError> {
        if !(1..=Self::MAX_COUNT).contains(&self.count) {
            return Err(OptionsError::Count(self.count));
        }
        match self.max_stretch {
            Some(stretch) if !(stretch >= 1.0 && stretch.is_finite()) => Err(OptionsError::Stretch(stretch)),
            _ => Ok(()),
        }
    }
}

impl Metric {
    /// The cost of every link, at least 1 each.
    ///
    /// # Errors
    /// [`OptionsError::Unknown`] if a link does not say what the metric needs.
    pub fn costs(self, topology: &Topology) -> Result<Vec<u64>, OptionsError> {
        topology.link_ids().map(|link| self.cost(topology, link)).collect()
    }

    fn cost(self, topology: &Topology, id: LinkId) -> Result<u64, OptionsError> {
        let link = topology.link(id);
        let unknown = |metric| OptionsError::Unknown { metric, link: topology.link_name(id) };
        match self {
            Self::Cost => Ok(u64::from(link.cost)),
            Self::Hops => Ok(1),
            Self::Latency => {
                let latency = link.latency.ok_or_else(|| unknown("latency"))?;
                Ok(latency.nanos().max(1))
            }
            Self::Capacity => {
                let capacity = link.capacity.ok_or_else(|| unknown("capacity"))?;
                Ok((1_000_000_000_000_000 / capacity.bits_per_second()).max(1))
            }
        }
    }
}

/// Gives an option its words, for messages.
macro_rules! words {
    ($kind:ident { $($value:ident = $word:literal),+ }) => {
        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$value => $word),+ })
            }
        }
    };
}

words!(Protect { Link = "link", Node = "node" });
words!(Metric { Cost = "cost", Hops = "hops", Latency = "latency", Capacity = "capacity" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_costs_exactly_the_limit_is_within_it() {
        let longest = |stretch, cheapest| {
            PathOptions { max_stretch: Some(stretch), ..PathOptions::default() }.longest(cheapest)
        };
        for (stretch, cheapest, limit) in [
            (1.15, 100, 115),
            (1.1, 10, 11),
            (1.2, 3, 3),
            (2.2, 5, 11),
            (1.0, 7, 7),
            (1.05, 20_000_000, 21_000_000),
        ] {
            assert_eq!(longest(stretch, cheapest), limit, "{cheapest} times {stretch}");
        }
        assert_eq!(longest(f64::MAX, 2), u64::MAX);
        assert_eq!(PathOptions::default().longest(2), u64::MAX);
    }
}

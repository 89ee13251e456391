//! What the verbs that compute paths are told: policy, count, protection, metric, limit.

use clap::ValueEnum;

use super::number_from;
use smoc_paths::search::{Metric, PathOptions, Policy, Protect};

/// What all verbs that compute paths ask for.
#[derive(clap::Args, Debug)]
pub(super) struct SearchArgs {
    /// How many paths at most, 1 to 64; a switch uses 8 at most
    #[arg(
        short = 'k',
        long = "count",
        default_value_t = 8,
        value_name = "N",
        allow_negative_numbers = true,
        value_parser = number_from(1, PathOptions::MAX_COUNT)
    )]
    count: usize,
    /// Which paths are chosen, and in which order
    #[arg(long, value_enum, default_value_t)]
    policy: PolicyArg,
    /// What paths should not share
    #[arg(long, value_enum, default_value_t)]
    protect: ProtectArg,
    /// What makes a path long
    #[arg(long, value_enum, default_value_t)]
    metric: MetricArg,
    /// Drop paths costlier than this multiple of the cheapest, such as 1.5; if these are all of the set, the
    /// cheapest path alone is left
    #[arg(long, value_name = "FACTOR")]
    max_stretch: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum PolicyArg {
    /// The set that shares the fewest links as a whole, then the cheapest such set
    #[default]
    Diverse,
    /// The shortest path, then those that share the fewest links with it
    Smoc,
    /// The shortest paths
    Shortest,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ProtectArg {
    /// Links
    #[default]
    Link,
    /// Links first, then the switches between the two ends
    Node,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum MetricArg {
    /// The cost that the file gives each link, 1 unless it says otherwise
    #[default]
    Cost,
    /// The number of links
    Hops,
    /// The latency of its links, which the file must give, in nanoseconds
    Latency,
    /// The inverse of the capacity of its links, which the file must give
    Capacity,
}

impl SearchArgs {
    /// As the path search takes them.
    pub fn options(&self) -> PathOptions {
        PathOptions {
            policy: match self.policy {
                PolicyArg::Diverse => Policy::Diverse,
                PolicyArg::Smoc => Policy::Smoc,
                PolicyArg::Shortest => Policy::Shortest,
            },
            count: self.count,
            protect: match self.protect {
                ProtectArg::Link => Protect::Link,
                ProtectArg::Node => Protect::Node,
            },
            metric: match self.metric {
                MetricArg::Cost => Metric::Cost,
                MetricArg::Hops => Metric::Hops,
                MetricArg::Latency => Metric::Latency,
                MetricArg::Capacity => Metric::Capacity,
            },
            max_stretch: self.max_stretch,
        }
    }
}

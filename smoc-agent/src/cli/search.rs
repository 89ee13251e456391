//! What the verbs that compute paths are told: policy, count, protection, metric, limit.

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

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
    #[arg(long, value_name = "POLICY", default_value_t, value_parser = policy_parser())]
    policy: Policy,
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
    /// What a receiver can buffer, in bytes: only paths are ranked that keep 2 x sum(rates) x longest round trip within
    /// it; every link needs a capacity and a latency
    #[arg(long, value_name = "BYTES")]
    receive_buffer: Option<u64>,
}

/// Reads the word of a policy.
fn policy_parser() -> impl TypedValueParser<Value = Policy> {
    let values = Policy::ALL.iter().map(|policy| PossibleValue::new(policy.word()).help(policy.help()));
    PossibleValuesParser::new(values).try_map(|word| Policy::from_word(&word).ok_or("no policy"))
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
            policy: self.policy,
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
            receive_buffer: self.receive_buffer,
        }
    }
}

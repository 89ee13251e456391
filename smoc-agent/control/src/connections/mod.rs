//! MPTCP connections as the kernel's tables show them, and the housekeeping in these tables.

mod claims;
mod evictions;
mod explain;
mod openers;
mod report;
mod sweep;
#[cfg(test)]
mod tests;
mod timed;
mod usage;

pub use claims::{Claim, Claimed, claims, stray};
pub use evictions::Evictions;
pub use explain::{Evidence, Explanation, Question, QuestionError, Trial, TrialHop, explain};
pub use openers::{OPENERS, Opener, Openers};
pub use report::{ConnectionReport, Endpoint, Names, SubflowReport, Tokens, Where, report, subflow_state};
pub use sweep::Sweep;
pub use timed::{TIMED_PATHS, TimedPaths};
pub use usage::{Meter, PATHS, PathKey, PathUsage, SUBFLOWS, Usage};

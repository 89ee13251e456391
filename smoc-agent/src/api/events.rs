//! Reading the history.

use std::time::Duration;

use serde::Deserialize;
use smoc_control::history::Page;

use crate::{clock, history::SharedHistory};

/// Most entries of one answer.
const MOST: usize = 1000;
/// The longest that a reader may wait for news, less than a connection to the API may last.
const LONGEST: Duration = Duration::from_secs(20);

/// Which entries.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    /// From this number on.
    #[serde(default)]
    from: u64,
    /// Not from before so many seconds ago.
    since_seconds: Option<f64>,
    /// How long to wait for an entry if there is none.
    #[serde(default)]
    wait_seconds: f64,
}

/// The time so many seconds ago, in microseconds since 1970; 0 if there is no limit.
pub(super) fn since(seconds: Option<f64>) -> u64 {
    let span = seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    span.map_or(0, |span| {
        clock::microseconds_since_1970().saturating_sub(span.as_micros().try_into().unwrap_or(u64::MAX))
    })
}

/// Reads, and waits for news if it may.
pub(super) async fn read(history: &SharedHistory, wanted: Wanted) -> Page {
    let Wanted { from, since_seconds, wait_seconds } = wanted;
    let since = since(since_seconds);
    let page = history.read(from, since, MOST);
    let wait = Duration::try_from_secs_f64(wait_seconds).unwrap_or_default().min(LONGEST);
    if !page.entries.is_empty() || page.missing > 0 || wait.is_zero() {
        return page;
    }
    let _ = tokio::time::timeout(wait, history.wait(page.next)).await;
    history.read(from, since, MOST)
}

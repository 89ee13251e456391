//! Numbers over time: measured every few seconds, and read by whoever reports of a period.

use std::time::Duration;

use serde::Deserialize;
use smoc_control::history::Recorded;
use tokio::time::sleep;

use super::{events::since, server::Sources};
use crate::history::SharedSeries;

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(10);
/// Time until it is tried again to look at an agent that is just starting.
const SOON: Duration = Duration::from_millis(500);
/// Most looks of one answer.
const MOST: usize = 2000;

/// Which looks.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Span {
    /// Not from before so many seconds ago.
    since_seconds: Option<f64>,
    /// At most so many, evenly chosen.
    most: Option<usize>,
}

/// Reads.
pub(super) fn read(series: &SharedSeries, wanted: &Span) -> Recorded {
    series.read(since(wanted.since_seconds), wanted.most.unwrap_or(MOST).min(MOST))
}

/// Measures until the agent ends, for the first time as soon as there is something to measure.
///
/// # Errors
/// None: it ends with the agent.
pub async fn remember(sources: Sources) -> Result<(), String> {
    loop {
        let pause = match sources.sheet().await {
            Ok(sheet) => {
                sources.series.record(sheet.remembered());
                PERIOD
            }
            Err(_) => SOON,
        };
        sleep(pause).await;
    }
}

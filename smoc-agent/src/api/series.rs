//! Numbers over time: measured every few seconds, and read by whoever reports of a period.

use std::time::Duration;

use serde::Deserialize;
use smoc_control::history::Recorded;
use tokio::time::sleep;

use super::{events::since, server::Sources};
use crate::history::SharedSeries;

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(10);
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

/// Measures until the agent ends, for the first time when control has published what it does.
///
/// # Errors
/// Control has ended.
pub async fn remember(mut sources: Sources) -> Result<(), String> {
    let ready = sources.snapshots.wait_for(|snapshot| snapshot.as_ref().is_some_and(|it| it.ready)).await;
    drop(ready.map_err(|_| "control has ended")?);
    loop {
        if let Ok(sheet) = sources.sheet().await {
            sources.series.record(sheet.remembered());
        }
        sleep(PERIOD).await;
    }
}

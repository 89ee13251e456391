//! Compares the maps with what was written, twice a second, on a pool thread.

use std::time::Duration;

use smoc_control::switch::{Event, Expected};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tracing::warn;

use crate::dataplane::xdp::Inspector;

/// Min time between two comparisons.
const PERIOD: Duration = Duration::from_millis(500);
/// Comparing takes at most 1/50 of the time: after a long one the pause is longer.
const SHARE: u32 = 50;

/// Where control is asked what should be in the maps.
pub(super) type Questions = mpsc::Sender<oneshot::Sender<Expected>>;

/// Compares until the agent ends, and reports differences to control.
pub(super) async fn run(
    mut inspector: Inspector,
    questions: Questions,
    events: mpsc::Sender<Event>,
) -> Result<(), String> {
    let gone = |_| "control has ended".to_owned();
    loop {
        let (reply, expected) = oneshot::channel();
        questions.send(reply).await.map_err(|_| "control has ended".to_owned())?;
        let Expected { changes, installed } = expected.await.map_err(gone)?;
        let started = Instant::now();
        let done = tokio::task::spawn_blocking(move || {
            let found = inspector.inspect(&installed);
            (inspector, found.map(|found| (found != installed).then_some(found)))
        });
        let (back, found) = done.await.map_err(|error| error.to_string())?;
        inspector = back;
        match found {
            Ok(Some(found)) => events
                .send(Event::Inspected { changes, found })
                .await
                .map_err(|_| "control has ended".to_owned())?,
            Ok(None) => {}
            Err(error) => warn!(%error, "the maps cannot be read back"),
        }
        tokio::time::sleep(PERIOD.max(started.elapsed() * SHARE)).await;
    }
}

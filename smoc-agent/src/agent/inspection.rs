//! Looks twice a second whether the maps still say what was written, on a pool thread.

use std::time::Duration;

use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tracing::warn;

use smoc_control::dataplane::Installed;

use crate::dataplane::xdp::Inspector;

/// Time between two looks.
const PERIOD: Duration = Duration::from_millis(500);
/// A look takes at most one part in so many of the time.
const SHARE: u32 = 50;

/// What should be in the maps, after so many changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    pub changes: u64,
    pub installed: Installed,
}

/// What is there instead, and the changes that had been made when it was looked for.
#[derive(Debug)]
pub(super) struct Deviation {
    pub changes: u64,
    pub found: Installed,
}

/// Where the control loop is asked what should be in the maps.
pub(super) type Questions = mpsc::Sender<oneshot::Sender<Expected>>;

/// Looks for ever. A deviation is to be ignored if anything was written since.
pub(super) async fn run(mut inspector: Inspector, questions: Questions, deviations: mpsc::Sender<Deviation>) {
    loop {
        let (reply, expected) = oneshot::channel();
        if questions.send(reply).await.is_err() {
            return;
        }
        let Ok(Expected { changes, installed }) = expected.await else { return };
        let started = Instant::now();
        let done = tokio::task::spawn_blocking(move || {
            let found = inspector.inspect(&installed);
            (inspector, found.map(|found| (found != installed).then_some(found)))
        });
        let Ok((back, found)) = done.await else { return };
        inspector = back;
        match found {
            Ok(Some(found)) => {
                if deviations.send(Deviation { changes, found }).await.is_err() {
                    return;
                }
            }
            Ok(None) => {}
            Err(error) => warn!(%error, "the maps cannot be read back"),
        }
        tokio::time::sleep(PERIOD.max(started.elapsed() * SHARE)).await;
    }
}

//! Looks into the tables for tokens that edges ask for, and lets subflows go on with what they answer, on a pool thread.

use std::sync::Arc;

use smoc_control::{discovery::inquiry::Question, siblings::Settlement, switch::Event};
use tokio::{sync::mpsc, time::Instant};
use tracing::warn;

use crate::{clock, dataplane::Observe};

/// Looking takes at most 1/5 of the time: after a long look the pause is longer.
const SHARE: u32 = 4;
/// What waits to be done; what does not fit is not answered.
pub(super) const QUEUE: usize = 64;

/// What is to be done.
pub(super) enum Work {
    /// See [`smoc_control::switch::Effect::Look`].
    Look(Question),
    /// See [`smoc_control::switch::Effect::Settle`].
    Settle(Settlement),
}

/// Works until the agent ends.
pub(super) async fn run(
    tables: Arc<dyn Observe>,
    mut work: mpsc::Receiver<Work>,
    events: mpsc::Sender<Event>,
) -> Result<(), String> {
    while let Some(next) = work.recv().await {
        let (observe, started) = (tables.clone(), Instant::now());
        let done = tokio::task::spawn_blocking(move || match next {
            Work::Look(question) => {
                let claims = observe.claims(question.token)?;
                Ok((!claims.is_empty()).then_some(Event::Looked(question, claims)))
            }
            Work::Settle(settlement) => observe.settle(&settlement, clock::now()).map(|()| None),
        });
        match done.await.map_err(|error| error.to_string())? {
            Ok(Some(event)) => events.send(event).await.map_err(|_| "control has ended".to_owned())?,
            Ok(None) => {}
            Err::<_, crate::dataplane::DataplaneError>(error) => {
                warn!(%error, "siblings of a join are not known")
            }
        }
        tokio::time::sleep(started.elapsed() * SHARE).await;
    }
    Err("control has ended".to_owned())
}

//! Records what happens: from one published snapshot to the next, and in the fabric's store. What the packet path notices the
//! event log records.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use smoc_control::{
    history::{Happening, Kind, changes},
    switch::Snapshot,
};
use tokio::sync::{mpsc, watch};

use crate::{history::SharedHistory, store::State};

/// Snapshots that wait to be looked at; what does not fit is counted.
const QUEUE: usize = 256;

/// Where snapshots go.
pub(super) struct Recorder {
    snapshots: mpsc::Sender<Arc<Snapshot>>,
    lost: Arc<AtomicU64>,
}

/// Where they come from.
pub(super) struct Recording {
    snapshots: mpsc::Receiver<Arc<Snapshot>>,
    lost: Arc<AtomicU64>,
}

/// Both ends.
pub(super) fn recorder() -> (Recorder, Recording) {
    let (sender, snapshots) = mpsc::channel(QUEUE);
    let lost = Arc::new(AtomicU64::new(0));
    (Recorder { snapshots: sender, lost: lost.clone() }, Recording { snapshots, lost })
}

impl Recorder {
    /// Control goes on at once, whatever the historian does.
    pub(super) fn published(&self, snapshot: &Arc<Snapshot>) {
        if self.snapshots.try_send(snapshot.clone()).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Records until the agent ends.
pub(super) async fn run(
    mut recording: Recording,
    mut store: watch::Receiver<State>,
    history: SharedHistory,
) -> Result<(), String> {
    let mut last: Option<Arc<Snapshot>> = None;
    let mut connected = None;
    let mut has_store = true;
    loop {
        tokio::select! {
            snapshot = recording.snapshots.recv() => {
                let snapshot = snapshot.ok_or("control has ended")?;
                let lost = recording.lost.swap(0, Ordering::Relaxed);
                let gap = (lost > 0).then(|| {
                    let text = format!("{lost} changes came too fast to be looked at one by one");
                    Happening::new(Kind::Gap, "", text)
                });
                history.record(changes(last.as_deref(), &snapshot).into_iter().chain(gap));
                last = Some(snapshot);
            }
            changed = store.changed(), if has_store => {
                has_store = changed.is_ok();
                history.record(of_store(&store.borrow(), &mut connected));
            }
        }
    }
}

fn of_store(state: &State, connected: &mut Option<bool>) -> Option<Happening> {
    let view = &state.view;
    if view.connected == *connected {
        return None;
    }
    *connected = view.connected;
    let endpoint = view.endpoint.clone().unwrap_or_default();
    let text = match (view.connected?, &view.error) {
        (true, _) => "connected".to_owned(),
        (false, Some(error)) => format!("not connected: {error}"),
        (false, None) => "not connected".to_owned(),
    };
    Some(Happening::new(Kind::Store, endpoint, text))
}

//! The history of a switch, which several threads write and read.

use std::sync::{Arc, Mutex, PoisonError};

use smoc_control::history::{BUDGET, Happening, History, Page};
use tokio::sync::watch;

use crate::clock;

/// A history; clones share it.
#[derive(Clone, Debug)]
pub struct SharedHistory {
    history: Arc<Mutex<History>>,
    /// The number of the next entry, for those who wait for it.
    next: watch::Sender<u64>,
}

impl Default for SharedHistory {
    fn default() -> Self {
        Self { history: Arc::new(Mutex::new(History::new(BUDGET))), next: watch::Sender::new(0) }
    }
}

impl SharedHistory {
    /// Records what happens now.
    pub fn record(&self, happenings: impl IntoIterator<Item = Happening>) {
        let at = clock::microseconds_since_1970();
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        happenings.into_iter().for_each(|happening| history.record(at, happening));
        self.next.send_replace(history.next());
    }

    /// At most `most` entries from number `from` on that are not from before `since`, in microseconds since 1970.
    pub fn read(&self, from: u64, since: u64, most: usize) -> Page {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).read(from, since, most)
    }

    /// The number of the next entry.
    pub fn next(&self) -> u64 {
        *self.next.borrow()
    }

    /// Waits until there is an entry of this number.
    pub async fn wait(&self, number: u64) {
        // The sender lives as long as this.
        let _ = self.next.subscribe().wait_for(|next| *next > number).await;
    }
}

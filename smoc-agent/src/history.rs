//! The history of a switch, which several threads write and read: what has happened, and numbers over time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smoc_control::history::{BUDGET, Happening, History, Page, Recorded, SERIES_BUDGET, Series, SeriesName};
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

/// Numbers over time; clones share them.
#[derive(Clone, Debug)]
pub struct SharedSeries(Arc<Mutex<Series>>);

impl Default for SharedSeries {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Series::new(SERIES_BUDGET))))
    }
}

impl SharedSeries {
    /// Records a look that was made now.
    pub fn record(&self, values: impl IntoIterator<Item = (SeriesName, f64)>) {
        self.lock().record(clock::microseconds_since_1970(), values);
    }

    /// At most `most` looks since a time in microseconds since 1970, as [`Series::read`] chooses them.
    pub fn read(&self, since: u64, most: usize) -> Recorded {
        self.lock().read(since, most)
    }

    fn lock(&self) -> MutexGuard<'_, Series> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

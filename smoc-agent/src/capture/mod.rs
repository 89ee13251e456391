//! Captures: one at a time, for as long as its client reads. The programs that capture are loaded by a pool thread, control
//! puts them on the ports and takes them off again, and a thread of the capture's own reads their ring.
//!
//! `form` is what a client is sent: pcapng, lines, or JSON lines.

mod form;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use smoc_common::capture::MAX_SNAPLEN;
use smoc_control::{
    capture::{Filter, FilterError},
    switch::Snapshot,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
};
use tracing::{debug, info};

use crate::dataplane::{
    DataplaneError, Observe,
    xdp::{CaptureLoader, CaptureRing, ProgramSet},
};
pub use form::Form;
use form::Writer;

/// How often the ring is looked at: whoever reads along sees a frame after this time at the latest, and a little more.
const PERIOD: Duration = Duration::from_millis(20);
/// Chunks that wait for the client, each of this size and one frame more at most; when none fits, the ring fills.
const CHUNKS: (usize, usize) = (4, 256 * 1024);
/// How long the next one waits for a capture to end, which may just be ending.
const PATIENCE: Duration = Duration::from_secs(3);
/// So many frames are looked at before the client is thought of again, wanted or not.
const ROUND: usize = 4096;

/// What a client wants captured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Which frames, in the words of [`Filter`].
    #[serde(default)]
    pub filter: String,
    /// How many bytes of each.
    #[serde(default = "longest")]
    pub snaplen: u32,
    /// One of how many.
    #[serde(default = "one")]
    pub sample: u32,
    /// How many frames, then it ends; 0: without end.
    #[serde(default)]
    pub count: u64,
    /// How many seconds, then it ends; 0: without end.
    #[serde(default)]
    pub seconds: f64,
    /// Whether frames stay as they are on the wire, with a route for addresses.
    #[serde(default)]
    pub raw: bool,
    /// How they are sent.
    #[serde(default)]
    pub form: Form,
}

const fn longest() -> u32 {
    MAX_SNAPLEN
}

const fn one() -> u32 {
    1
}

/// Why nothing is captured.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// What is wanted makes no sense here.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// One at a time.
    #[error("another capture is running at this switch: end it first (one at a time)")]
    Busy,
    /// The programs.
    #[error(transparent)]
    Programs(#[from] DataplaneError),
    /// The agent is about to end.
    #[error("the agent is ending")]
    Ending,
}

/// What control is asked for: programs that take the place of the others, or none; `done` once they are on the ports.
pub struct Swap {
    /// The programs.
    pub programs: Option<ProgramSet>,
    /// Who waits for it.
    pub done: oneshot::Sender<()>,
}

/// Starts captures.
#[derive(Clone)]
pub struct Captures {
    loader: CaptureLoader,
    swaps: mpsc::UnboundedSender<Swap>,
    place: Arc<Semaphore>,
}

impl Captures {
    /// Where they are started, and what they ask of control.
    pub fn new(loader: CaptureLoader) -> (Self, mpsc::UnboundedReceiver<Swap>) {
        let (swaps, orders) = mpsc::unbounded_channel();
        (Self { loader, swaps, place: Arc::new(Semaphore::new(1)) }, orders)
    }

    /// Starts one. It ends when what comes back is dropped.
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub async fn start(&self, order: &Order, snapshot: &Snapshot) -> Result<Running, CaptureError> {
        let filter = Filter::parse([order.filter.as_str()])?;
        filter.check(snapshot)?;
        let place = tokio::time::timeout(PATIENCE, self.place.clone().acquire_owned()).await;
        let place = place.map_err(|_| CaptureError::Busy)?.map_err(|_| CaptureError::Ending)?;
        let (loader, program) = (self.loader.clone(), filter.program(order.sample, order.snaplen));
        let loaded = tokio::task::spawn_blocking(move || loader.load(&program));
        let (programs, mut ring) = loaded.await.map_err(|_| CaptureError::Ending)??;
        let mut running = Running { ring: None, filter, swaps: self.swaps.clone(), _place: place };
        let (done, is_done) = oneshot::channel();
        let swap = Swap { programs: Some(programs), done };
        self.swaps.send(swap).map_err(|_| CaptureError::Ending)?;
        is_done.await.map_err(|_| CaptureError::Ending)?;
        ring.open()?;
        running.ring = Some(ring);
        info!(filter = running.filter.words(), sample = order.sample, "a capture begins");
        Ok(running)
    }
}

/// A capture for as long as this is there.
pub struct Running {
    ring: Option<CaptureRing>,
    filter: Filter,
    swaps: mpsc::UnboundedSender<Swap>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Running {
    fn drop(&mut self) {
        info!("the capture ends");
        // Whether anybody waits or not.
        let _ = self.swaps.send(Swap { programs: None, done: oneshot::channel().0 });
    }
}

/// What frames are told by.
#[derive(Clone)]
pub struct Knowledge {
    /// What control has decided.
    pub snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    /// The tables.
    pub tables: Arc<dyn Observe>,
}

impl Running {
    /// Sends a client what is captured, until it has had enough: as much as it ordered, or until it closes its end.
    pub async fn serve(
        mut self,
        order: Order,
        knowledge: Knowledge,
        client: impl AsyncRead + AsyncWrite + Send + 'static,
    ) {
        let Some(ring) = self.ring.take() else { return };
        let (chunks, mut ready) = mpsc::channel(CHUNKS.0);
        let stop = Arc::new(AtomicBool::new(false));
        let reader = Reader { ring, filter: self.filter.clone(), order, chunks, stop: stop.clone() };
        let thread = thread::Builder::new().name("capture".into());
        if let Err(error) = thread.spawn(move || reader.run(knowledge)) {
            return debug!(%error, "no thread for a capture");
        }
        let (mut input, mut output) = tokio::io::split(client);
        // The client says nothing; what it does say is not meant.
        let gone = async move {
            let mut said = [0; 64];
            while input.read(&mut said).await.is_ok_and(|count| count > 0) {}
            stop.store(true, Ordering::Relaxed);
            std::future::pending::<()>().await;
        };
        let send = async move {
            while let Some(chunk) = ready.recv().await {
                output.write_all(&chunk).await?;
                output.flush().await?;
            }
            output.shutdown().await
        };
        tokio::select! {
            () = gone => {}
            sent = send => debug!(?sent, "a capture was sent"),
        }
    }
}

/// The thread that reads the ring.
struct Reader {
    ring: CaptureRing,
    filter: Filter,
    order: Order,
    chunks: mpsc::Sender<Vec<u8>>,
    stop: Arc<AtomicBool>,
}

impl Reader {
    fn run(mut self, knowledge: Knowledge) {
        if let Err(error) = self.read(knowledge) {
            debug!(%error, "a capture ends early");
        }
    }

    /// Until it is enough; an error if the client takes no more.
    fn read(&mut self, knowledge: Knowledge) -> std::io::Result<()> {
        let gone = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let mut writer = Writer::new(&self.order, self.filter.clone(), knowledge)?;
        let until = Duration::try_from_secs_f64(self.order.seconds).ok().filter(|span| !span.is_zero());
        let until = until.and_then(|span| Instant::now().checked_add(span));
        let mut is_closed = false;
        loop {
            let is_over =
                self.stop.load(Ordering::Relaxed) || until.is_some_and(|until| Instant::now() >= until);
            if is_over && !is_closed {
                // What is in the ring by now is still sent.
                is_closed = true;
                self.ring.close().map_err(std::io::Error::other)?;
            }
            writer.look()?;
            let (mut more, mut taken) = (true, 0);
            while more && taken < ROUND && writer.size() < CHUNKS.1 && !writer.is_enough() {
                more = self.ring.next(|head, bytes| writer.take(head, bytes)).transpose()?.is_some();
                taken += 1;
            }
            let is_last = writer.is_enough() || is_closed && !more;
            if is_last {
                writer.finish(self.ring.lost().unwrap_or_default())?;
            }
            let chunk = writer.chunk();
            if !chunk.is_empty() {
                self.chunks.blocking_send(chunk).map_err(|_| gone())?;
            } else if self.chunks.is_closed() {
                return Err(gone());
            }
            if is_last {
                return Ok(());
            }
            if !more {
                thread::sleep(PERIOD);
            }
        }
    }
}

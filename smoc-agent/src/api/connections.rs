//! Connections to the API: a max number at once, and timeouts.

use std::{io, sync::Arc, time::Duration};

use axum::{Router, serve::Listener};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    time::timeout,
};
use tracing::debug;

/// Max clients that are served at once; others wait.
const CLIENTS: usize = 64;
/// Timeouts of the request, and of the connection as a whole.
const TIMEOUTS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// Answers requests until the agent ends. `greet` makes the connection to a client ready, for which it has as long as for a
/// request.
pub(super) async fn serve<L: Listener, S, G>(
    mut listener: L,
    greet: impl Fn(L::Io) -> G + Clone + Send + Sync + 'static,
    router: Router,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    G: Future<Output = io::Result<S>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let place = places.clone().acquire_owned().await.map_err(|error| error.to_string())?;
        let (stream, _) = listener.accept().await;
        let (service, greet) = (TowerToHyperService::new(router.clone()), greet.clone());
        tokio::spawn(async move {
            let (ask, all) = TIMEOUTS;
            let stream = match timeout(ask, greet(stream)).await {
                Ok(Ok(stream)) => stream,
                greeted => return debug!(greeted = ?greeted.err(), "a client of the API was not greeted"),
            };
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(ask);
            // What a capture is sent is no answer: it goes on by itself.
            let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
            let served = timeout(all, connection).await;
            if !matches!(served, Ok(Ok(()))) {
                debug!(?served, "a client of the API was not served to the end");
            }
            drop(place);
        });
    }
}

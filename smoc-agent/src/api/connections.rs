//! Connections to the API: a max number at once, and timeouts.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::UnixListener, sync::Semaphore, time::timeout};
use tracing::{debug, warn};

/// Max clients that are served at once; others wait.
const CLIENTS: usize = 64;
/// Timeouts of the request, and of the connection as a whole.
const TIMEOUTS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));
/// Pause after a client that could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers requests until the agent ends.
pub(super) async fn serve(listener: UnixListener, router: Router) -> Result<(), String> {
    let places = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let place = places.clone().acquire_owned().await.map_err(|error| error.to_string())?;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "a client of the API cannot be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let (ask, all) = TIMEOUTS;
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(ask);
            let served = timeout(all, builder.serve_connection(TokioIo::new(stream), service)).await;
            if !matches!(served, Ok(Ok(()))) {
                debug!(?served, "a client of the API was not served to the end");
            }
            drop(place);
        });
    }
}

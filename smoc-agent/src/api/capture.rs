//! Starts captures. The connection becomes theirs, so that they last as long as their client, and no longer.

use axum::{
    extract::{Query, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper_util::rt::TokioIo;
use tracing::debug;

use super::{
    client::CAPTURE,
    server::{Failure, Sources},
};
use crate::capture::{CaptureError, Knowledge, Order};

/// Starts a capture, and switches to its protocol: what is ordered, then nothing more.
pub(super) async fn capture(
    State(sources): State<Sources>,
    Query(order): Query<Order>,
    mut request: Request,
) -> Result<Response, Failure> {
    if request.headers().get(header::UPGRADE).is_none_or(|wanted| wanted != CAPTURE) {
        let how = format!("a capture needs the headers `Connection: upgrade` and `Upgrade: {CAPTURE}`");
        return Err(Failure(StatusCode::BAD_REQUEST, how));
    }
    let snapshot = sources.snapshot()?;
    let running = sources.captures.start(&order, &snapshot).await.map_err(|error| {
        let status = match error {
            CaptureError::Filter(_) => StatusCode::BAD_REQUEST,
            CaptureError::Busy => StatusCode::CONFLICT,
            CaptureError::Programs(_) | CaptureError::Ending => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Failure(status, error.to_string())
    })?;
    let knowledge = Knowledge { snapshots: sources.snapshots.clone(), tables: sources.tables.clone() };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(client) => running.serve(order, knowledge, TokioIo::new(client)).await,
            Err(error) => debug!(%error, "whoever wanted a capture is gone"),
        }
    });
    let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, CAPTURE)];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

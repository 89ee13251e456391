//! The requests of the page.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::get,
};
use serde::{Deserialize, Serialize};
use smoc_control::connections::report;
use tokio::sync::Semaphore;

use super::{
    connections::{Connections, Filter, connections},
    find::{Found, find},
    live::{Live, Readings},
    paths::{PairPaths, pair},
    what_if::{WhatIf, what_if},
};
use crate::{
    api::server::{Failure, Sources, names},
    clock,
};

type Parameters = Query<Vec<(String, String)>>;
type Answer<T> = Result<Json<T>, Failure>;

/// One what-if at a time: it keeps all cores busy.
static WHAT_IF: Semaphore = Semaphore::const_new(1);

/// What the page asks.
pub(in crate::api) fn routes() -> Router<Sources> {
    Router::new()
        .route("/page/live", get(live))
        .route("/page/find", get(found))
        .route("/page/paths", get(paths))
        .route("/page/connections", get(chosen))
        .route("/page/what-if", get(failure))
}

#[derive(Deserialize)]
struct Known {
    shape: Option<String>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[derive(Deserialize)]
struct Ends {
    from: String,
    to: String,
}

/// Works on a pool thread, where that delays nothing else.
async fn aside<T: Serialize + Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Answer<T> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(Json(done.map_err(Failure::broken)?.map_err(Failure::bad)?))
}

async fn live(State(sources): State<Sources>, Query(Known { shape }): Query<Known>) -> Answer<Live> {
    let read = async {
        let snapshot = sources.snapshot()?;
        let usage = sources.looked.borrow().usage.clone();
        let (traffic, uptime) = (sources.traffic().await, sources.started.elapsed());
        let warnings = sources.store.borrow().warnings.clone();
        let events = sources.history.next();
        let uptime_seconds = uptime.as_secs_f64();
        Ok::<_, Failure>(Readings { snapshot, usage, traffic, events, warnings, uptime_seconds })
    };
    let readings = sources.board.read(read).await?;
    aside(move || Ok(readings.live(shape.as_deref()))).await
}

async fn found(State(sources): State<Sources>, Query(Text { text }): Query<Text>) -> Answer<Found> {
    let snapshot = sources.snapshot()?;
    let tables = sources.tables().await?;
    aside(move || {
        let connections = report(&tables, names(&snapshot), clock::now());
        Ok(find(&snapshot, connections, &text))
    })
    .await
}

async fn paths(State(sources): State<Sources>, Query(Ends { from, to }): Query<Ends>) -> Answer<PairPaths> {
    let snapshot = sources.snapshot()?;
    let report = sources.report().await;
    aside(move || pair(&snapshot, report.as_ref(), &from, &to)).await
}

async fn chosen(State(sources): State<Sources>, Query(asked): Parameters) -> Answer<Connections> {
    let filter = Filter::read(&asked).map_err(Failure::bad)?;
    let snapshot = sources.snapshot()?;
    let report = sources.report().await;
    let tables = sources.tables().await?;
    aside(move || Ok(connections(&tables, names(&snapshot), &filter, report.as_ref(), clock::now()))).await
}

async fn failure(State(sources): State<Sources>, Query(asked): Parameters) -> Answer<WhatIf> {
    let turn = WHAT_IF.acquire().await.map_err(Failure::broken)?;
    let snapshot: Arc<_> = sources.snapshot()?;
    let names =
        asked.into_iter().filter(|(name, _)| name == "fail").map(|(_, value)| value).collect::<Vec<_>>();
    aside(move || {
        // Kept until the work is done, even if nobody waits for it any more.
        let _turn = turn;
        what_if(&snapshot, &names)
    })
    .await
}

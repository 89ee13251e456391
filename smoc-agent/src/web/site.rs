//! The port with the page behind it.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{Method, StatusCode, Uri, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Serialize;
use smoc_control::config::Web;

use super::{
    backend::Backend,
    files,
    guard::{Guard, guarded},
};
use crate::api::{ApiPort, PortError};

/// The longest question, in bytes.
const QUESTION: usize = 2048;

/// A bound port with the page behind it.
pub struct Site {
    listen: SocketAddr,
    port: ApiPort,
    guard: Guard,
}

/// What the page may do.
#[derive(Debug, Serialize)]
pub(super) struct Session {
    /// The token of orders; null: the page only reads.
    order: Option<String>,
}

impl Site {
    /// Listens.
    ///
    /// # Errors
    /// It cannot, or a file is missing or faulty.
    pub fn bind(config: &Web) -> Result<Self, PortError> {
        let listen = config.port.listen;
        let guard = Guard::new(config.port.identity.is_some(), config.writes);
        let guard = guard.map_err(|source| PortError::Listen { key: "web", listen, source })?;
        Ok(Self { listen, port: ApiPort::open("web", &config.port)?, guard })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// Serves the page of an agent until the process ends.
    ///
    /// # Errors
    /// The socket's, in words.
    pub async fn serve(self, backend: Backend) -> Result<(), String> {
        let guard = Arc::new(self.guard);
        let api = self.port.protected(api(backend, guard.clone()));
        let site = Router::new().merge(api).fallback(file).layer(from_fn_with_state(guard, guarded));
        self.port.answer(site).await
    }
}

/// What the page asks.
fn api(backend: Backend, guard: Arc<Guard>) -> Router {
    let session = get(async move || Json(Session { order: guard.order.clone() }));
    Router::new()
        .route("/api/live", get(ask))
        .route("/api/find", get(ask))
        .route("/api/paths", get(ask))
        .route("/api/connections", get(ask))
        .route("/api/what-if", get(ask))
        .route("/api/events", get(ask))
        .route("/api/drain", post(order))
        .layer(DefaultBodyLimit::max(QUESTION))
        .with_state(backend)
        .route("/api/session", session)
}

/// Where the agent answers a question of the page.
fn place(uri: &Uri) -> String {
    let path = uri.path().trim_start_matches("/api/");
    let folder = if path == "events" { "" } else { "/page" };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{folder}/{path}{query}")
}

async fn ask(State(backend): State<Backend>, uri: Uri) -> Response {
    if uri.query().is_some_and(|query| query.len() > QUESTION) {
        return (StatusCode::URI_TOO_LONG, "ask less at once\n").into_response();
    }
    backend.ask(Method::GET, &place(&uri), Bytes::new()).await
}

async fn order(State(backend): State<Backend>, body: Bytes) -> Response {
    backend.ask(Method::POST, "/drain", body).await
}

async fn file(uri: Uri) -> Response {
    match files::find(uri.path()) {
        Some(file) => ([(header::CONTENT_TYPE, file.content_type())], file.bytes).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    }
}

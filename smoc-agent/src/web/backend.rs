//! The agent that a page is about: this process, or the one behind a socket.

use std::{path::PathBuf, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    http::{Method, Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body_util::Full;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::json;

use crate::api::{self, Sources};

/// The longest answer of an agent, in bytes.
const LONGEST: usize = 16 << 20;
/// Timeout of an answer: a what-if takes a few seconds, and may wait for another one.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The agent that a page is about.
#[derive(Clone)]
pub struct Backend(Agent);

#[derive(Clone)]
enum Agent {
    This(Router),
    Behind(PathBuf),
}

impl Backend {
    /// The agent of this process.
    pub fn agent(sources: Sources) -> Self {
        Self(Agent::This(api::router(sources)))
    }

    /// The agent behind a socket, which may come and go.
    pub const fn socket(path: PathBuf) -> Self {
        Self(Agent::Behind(path))
    }

    /// What the agent answers; 502 with a reason if it does not.
    pub(super) async fn ask(&self, method: Method, query: &str, body: Bytes) -> Response {
        match tokio::time::timeout(TIMEOUT, self.answer(method, query, body)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => away(&why),
            Err(_) => away("the agent does not answer in time"),
        }
    }

    async fn answer(&self, method: Method, query: &str, body: Bytes) -> Result<Response, String> {
        let request = Request::builder()
            .method(method)
            .uri(query)
            .header(header::HOST, "smoc")
            .header(header::CONTENT_TYPE, "application/json");
        let faulty = |error: axum::http::Error| error.to_string();
        match &self.0 {
            Agent::This(router) => {
                let request = request.body(Body::from(body)).map_err(faulty)?;
                match TowerToHyperService::new(router.clone()).call(request).await {
                    Ok(answer) => Ok(answer),
                    Err(never) => match never {},
                }
            }
            Agent::Behind(socket) => {
                let request = request.body(Full::new(body)).map_err(faulty)?;
                let answer = api::pass(socket, request, LONGEST).await;
                let (status, body) = answer.map_err(|error| error.to_string())?;
                Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
            }
        }
    }
}

fn away(why: &str) -> Response {
    (StatusCode::BAD_GATEWAY, Json(json!({"error": why}))).into_response()
}

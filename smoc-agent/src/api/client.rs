//! One request to an agent.

use std::{
    io,
    path::{Path, PathBuf},
};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

/// Why an agent gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No agent listens.
    #[error("no agent answers on {0}: start `smoc agent`, or name its socket with --api or SMOC_API")]
    NoAgent(PathBuf),
    /// The socket cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the agent's answer did not arrive: {0}")]
    Http(#[from] hyper::Error),
    /// The answer is of another version of smoc.
    #[error("the agent's answer is not understood ({0}): is it another version of smoc?")]
    Answer(#[from] serde_json::Error),
    /// The agent refused.
    #[error("{0}")]
    Refused(String),
}

/// Asks the agent behind a socket.
///
/// # Errors
/// See [`ClientError`].
pub async fn get<T: DeserializeOwned>(socket: &Path, query: &str) -> Result<T, ClientError> {
    let stream = UnixStream::connect(socket).await.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NoAgent(socket.into()),
        _ => ClientError::Io { path: socket.into(), source },
    })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get(query).header("host", "smoc").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| ClientError::Refused(format!("{query}: {error}")))?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    drop(sender);
    connection.abort();
    if status.is_success() {
        return Ok(serde_json::from_slice(&body)?);
    }
    let error: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    Err(ClientError::Refused(error["error"].as_str().map_or_else(|| status.to_string(), str::to_owned)))
}

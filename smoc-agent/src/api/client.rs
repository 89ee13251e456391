//! One request to an agent.

use std::{
    io,
    path::{Path, PathBuf},
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
};

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
    /// What was asked makes no sense to the agent.
    #[error("{0}")]
    Senseless(String),
    /// The agent refused.
    #[error("{0}")]
    Refused(String),
}

/// Asks the agent behind a socket.
///
/// # Errors
/// See [`ClientError`].
pub async fn get<T: DeserializeOwned>(socket: &Path, query: &str) -> Result<T, ClientError> {
    let request = Get { query, token: None }.build();
    send(socket, query, request).await
}

/// Orders something of the agent behind a socket.
///
/// # Errors
/// See [`ClientError`].
pub async fn post<T: DeserializeOwned>(
    socket: &Path,
    path: &str,
    order: &impl Serialize,
) -> Result<T, ClientError> {
    let body = serde_json::to_vec(order)?;
    let request = Request::post(path).header("host", "smoc").header("content-type", "application/json");
    send(socket, path, request.body(body.into())).await
}

/// Asks for something that is not JSON.
///
/// # Errors
/// See [`ClientError`].
pub async fn text(socket: &Path, query: &str) -> Result<String, ClientError> {
    let request = Get { query, token: None }.build();
    let body = on_socket(socket, query, request).await?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

async fn send<T: DeserializeOwned>(
    socket: &Path,
    query: &str,
    request: Result<Request<Full<Bytes>>, hyper::http::Error>,
) -> Result<T, ClientError> {
    Ok(serde_json::from_slice(&on_socket(socket, query, request).await?)?)
}

/// The protocol of captures.
pub(super) const CAPTURE: &str = "smoc-capture";

/// Asks for a capture; what it sends.
///
/// # Errors
/// See [`ClientError`].
pub async fn upgrade(socket: &Path, query: &str) -> Result<TokioIo<Upgraded>, ClientError> {
    let request = Request::get(query).header("host", "smoc");
    let request =
        request.header("connection", "upgrade").header("upgrade", CAPTURE).body(Full::<Bytes>::default());
    let stream = connect(socket).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection.with_upgrades());
    let request = request.map_err(|error| ClientError::Refused(format!("{query}: {error}")))?;
    let answer = sender.send_request(request).await?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(TokioIo::new(hyper::upgrade::on(answer).await?));
    }
    let (status, body) = (answer.status(), answer.into_body().collect().await?.to_bytes());
    connection.abort();
    Err(refusal(status, &body))
}

async fn connect(socket: &Path) -> Result<UnixStream, ClientError> {
    UnixStream::connect(socket).await.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NoAgent(socket.into()),
        _ => ClientError::Io { path: socket.into(), source },
    })
}

async fn on_socket(
    socket: &Path,
    query: &str,
    request: Result<Request<Full<Bytes>>, hyper::http::Error>,
) -> Result<Bytes, ClientError> {
    let stream = connect(socket).await?;
    exchange(stream, query, request).await
}

/// A question, with a token where one is asked for.
pub(super) struct Get<'a> {
    pub query: &'a str,
    pub token: Option<&'a str>,
}

impl Get<'_> {
    pub(super) fn build(&self) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let mut request = Request::get(self.query).header("host", "smoc");
        if let Some(token) = self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.body(Full::default())
    }
}

/// One request over a connection that is there.
pub(super) async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    query: &str,
    request: Result<Request<Full<Bytes>>, hyper::http::Error>,
) -> Result<Bytes, ClientError> {
    let request = request.map_err(|error| ClientError::Refused(format!("{query}: {error}")))?;
    let (status, body) = over(stream, request, usize::MAX).await?;
    if status.is_success() {
        return Ok(body);
    }
    Err(refusal(status, &body))
}

fn refusal(status: StatusCode, body: &[u8]) -> ClientError {
    let error: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message = error["error"].as_str().map_or_else(|| status.to_string(), str::to_owned);
    match status {
        StatusCode::BAD_REQUEST => ClientError::Senseless(message),
        StatusCode::UNAUTHORIZED => ClientError::Refused(
            "it wants another token: give all agents the same one, or name another file with --token-file"
                .to_owned(),
        ),
        _ => ClientError::Refused(message),
    }
}

/// Asks the agent behind a socket, and hands back what it says, whatever that is, of this many bytes at most.
///
/// # Errors
/// There is no answer, or a longer one.
pub(crate) async fn pass(
    socket: &Path,
    request: Request<Full<Bytes>>,
    most: usize,
) -> Result<(StatusCode, Bytes), ClientError> {
    over(connect(socket).await?, request, most).await
}

/// One request over a connection that is there.
async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
    most: usize,
) -> Result<(StatusCode, Bytes), ClientError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), most).collect().await;
    drop(sender);
    connection.abort();
    match body {
        Ok(body) => Ok((status, body.to_bytes())),
        Err(error) => match error.downcast::<hyper::Error>() {
            Ok(error) => Err((*error).into()),
            Err(error) => Err(ClientError::Refused(error.to_string())),
        },
    }
}

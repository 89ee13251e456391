//! TCP ports, where the configuration says so: one that answers metrics and nothing else, one for operators of the whole
//! fabric, who can read there and change nothing, and one for the page ([`crate::web`]).

use std::{
    future::ready,
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use smoc_control::config::Listener;
#[cfg(feature = "tls")]
use tokio::net::TcpStream;

use super::{
    connections,
    server::{Sources, metrics, readable},
};

/// The keys of the configuration that make a port.
pub const METRICS: &str = "metrics";
/// See [`METRICS`].
pub const FABRIC_API: &str = "fabric_api";

/// Why a port cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The address.
    #[error("{key}.listen: cannot listen on {listen}: {source}")]
    Listen {
        /// The key of the configuration.
        key: &'static str,
        /// Where.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A file that the configuration names.
    #[error("{key}.{field}: {path}: {why}")]
    File {
        /// The key of the configuration.
        key: &'static str,
        /// The field of the configuration.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A build without TLS.
    #[error(
        "{key}.cert: this smoc is built without TLS: build it with `cargo build --features tls`, or leave cert and key away"
    )]
    WithoutTls {
        /// The key of the configuration.
        key: &'static str,
    },
}

/// A bound port.
pub struct ApiPort {
    key: &'static str,
    listener: TcpListener,
    token_file: Option<PathBuf>,
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsAcceptor>,
}

impl ApiPort {
    /// Listens, if the configuration says so.
    ///
    /// # Errors
    /// It cannot listen, or a file is missing or faulty.
    pub fn bind(key: &'static str, config: Option<&Listener>) -> Result<Option<Self>, PortError> {
        config.map(|config| Self::open(key, config)).transpose()
    }

    /// Listens as this key of the configuration says.
    ///
    /// # Errors
    /// It cannot listen, or a file is missing or faulty.
    pub(crate) fn open(key: &'static str, config: &Listener) -> Result<Self, PortError> {
        let Listener { listen, token_file, identity } = config;
        if let Some(path) = token_file {
            token(path).map_err(|why| PortError::File {
                key,
                field: "token_file",
                path: path.into(),
                why,
            })?;
        }
        #[cfg(feature = "tls")]
        let tls = identity.as_ref().map(|(cert, secret)| tls::acceptor(key, cert, secret)).transpose()?;
        if cfg!(not(feature = "tls")) && identity.is_some() {
            return Err(PortError::WithoutTls { key });
        }
        let listen = *listen;
        let failed = |source| PortError::Listen { key, listen, source };
        let listener = TcpListener::bind(listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Self {
            key,
            listener,
            token_file: token_file.clone(),
            #[cfg(feature = "tls")]
            tls,
        })
    }

    /// What the log calls it.
    pub fn name(&self) -> &'static str {
        match self.key {
            FABRIC_API => "the port for operators of the fabric",
            _ => "the port for metrics",
        }
    }

    /// Answers until the agent ends.
    ///
    /// # Errors
    /// The socket's, in words.
    pub async fn serve(self, sources: Sources) -> Result<(), String> {
        let router = match self.key {
            FABRIC_API => readable().with_state(sources),
            _ => Router::new().route("/metrics", get(metrics)).with_state(sources),
        };
        let router = self.protected(router);
        self.answer(router).await
    }

    /// A router that answers only who shows the token, if there is one.
    pub(crate) fn protected(&self, router: Router) -> Router {
        match &self.token_file {
            Some(file) => router.layer(middleware::from_fn_with_state(Arc::new(file.clone()), checked)),
            None => router,
        }
    }

    /// Answers until the process ends.
    ///
    /// # Errors
    /// The socket's, in words.
    pub(crate) async fn answer(self, router: Router) -> Result<(), String> {
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(|error| error.to_string())?;
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls {
            let greet = move |stream: TcpStream| {
                let tls = tls.clone();
                async move { tls.accept(stream).await }
            };
            return connections::serve(listener, greet, router).await;
        }
        connections::serve(listener, |stream| ready(Ok(stream)), router).await
    }
}

/// The token in a file, without blanks around it.
///
/// # Errors
/// The file cannot be read, or has none.
pub fn token(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    match text.trim() {
        "" => Err("is empty: write a token into it, as `openssl rand -hex 16` makes one".into()),
        token => Ok(token.to_owned()),
    }
}

/// Answers only who shows the token (RFC 6750, section 2.1). The file is read each time, so that a new token needs no
/// restart.
async fn checked(State(file): State<Arc<PathBuf>>, request: Request, next: Next) -> Response {
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    match token(&file) {
        Ok(token) if same(token.as_bytes(), shown.trim().as_bytes()) => next.run(request).await,
        Ok(_) => (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer")],
            "show the token: Authorization: Bearer TOKEN\n",
        )
            .into_response(),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, format!("the token file: {why}\n")).into_response(),
    }
}

/// Whether two texts are the same, in a time that does not tell where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(feature = "tls")]
mod tls {
    //! TLS with the certificate of the switch.

    use std::{path::Path, sync::Arc};

    use tokio_rustls::{
        TlsAcceptor,
        rustls::{
            ServerConfig,
            crypto::ring,
            pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        },
    };

    use super::PortError;

    pub(super) fn acceptor(name: &'static str, cert: &Path, key: &Path) -> Result<TlsAcceptor, PortError> {
        let failed =
            |field, path: &Path, why: String| PortError::File { key: name, field, path: path.into(), why };
        let certificates = CertificateDer::pem_file_iter(cert)
            .and_then(|found| found.collect::<Result<Vec<_>, _>>())
            .map_err(|error| failed("cert", cert, error.to_string()))?;
        let secret =
            PrivateKeyDer::from_pem_file(key).map_err(|error| failed("key", key, error.to_string()))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, secret))
            .map_err(|error| failed("cert", cert, error.to_string()))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_compared_whole() {
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab") && !same(b"abc", b""));
    }
}

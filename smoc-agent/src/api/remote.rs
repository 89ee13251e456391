//! One request to an agent elsewhere, where its `fabric_api` answers.
//!
//! The token goes only to who has shown a certificate of the switch that is meant, signed by whom is believed; without TLS, only
//! where the fabric does without it.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::de::DeserializeOwned;
use smoc_control::fabric::ApiPlace;
use tokio::net::TcpStream;

use super::{
    client::{self, ClientError, Get},
    port::token,
};

/// How long an agent has to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whom to believe, and how to be believed.
#[derive(Clone)]
pub struct Trust {
    token: String,
    /// Whether the fabric's agents answer with TLS.
    tls: bool,
    #[cfg(feature = "tls")]
    connector: Option<tokio_rustls::TlsConnector>,
}

impl Trust {
    /// Reads the token, and the certificates if there is TLS.
    ///
    /// # Errors
    /// A file cannot be used, or this build has no TLS.
    pub fn read(token_file: &Path, tls: bool, ca: Option<&PathBuf>) -> Result<Self, String> {
        let token = token(token_file).map_err(|why| format!("{}: {why}", token_file.display()))?;
        if tls && cfg!(not(feature = "tls")) {
            return Err("agents answer with TLS, and this smoc is built without: build it with `cargo build --features tls`".into());
        }
        #[cfg(feature = "tls")]
        let connector = match (tls, ca) {
            (false, _) => None,
            (true, Some(ca)) => Some(tls::connector(ca).map_err(|why| format!("{}: {why}", ca.display()))?),
            (true, None) => return Err("name the certificates of whom to believe with --ca".into()),
        };
        #[cfg(not(feature = "tls"))]
        let _ = ca;
        Ok(Self {
            token,
            tls,
            #[cfg(feature = "tls")]
            connector,
        })
    }
}

/// An agent elsewhere.
#[derive(Clone)]
pub struct Remote {
    /// Its switch.
    pub switch: String,
    /// Where it answers.
    pub place: ApiPlace,
    /// How it is asked.
    pub trust: Trust,
}

impl Remote {
    /// Asks it.
    ///
    /// # Errors
    /// It does not answer in time, or is not believed.
    pub async fn get<T: DeserializeOwned>(&self, query: &str) -> Result<T, ClientError> {
        Ok(serde_json::from_slice(&self.bytes(query).await?)?)
    }

    /// Asks it for something that is not JSON.
    ///
    /// # Errors
    /// See [`Remote::get`].
    pub async fn text(&self, query: &str) -> Result<String, ClientError> {
        Ok(String::from_utf8_lossy(&self.bytes(query).await?).into_owned())
    }

    async fn bytes(&self, query: &str) -> Result<hyper::body::Bytes, ClientError> {
        let late = |_| self.failed(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
        tokio::time::timeout(PATIENCE, self.exchange(query)).await.map_err(late)?
    }

    fn failed(&self, source: io::Error) -> ClientError {
        ClientError::Io { path: self.place.to_string().into(), source }
    }

    async fn exchange(&self, query: &str) -> Result<hyper::body::Bytes, ClientError> {
        if self.place.tls != self.trust.tls {
            let [here, there] =
                [self.trust.tls, self.place.tls].map(|tls| if tls { "TLS" } else { "no TLS" });
            let why =
                format!("it answers with {there}, and this fabric with {here}: the token is not shown to it");
            return Err(self.failed(io::Error::new(io::ErrorKind::PermissionDenied, why)));
        }
        let request = Get { query, token: Some(&self.trust.token) };
        let stream = TcpStream::connect(self.place.address).await.map_err(|error| self.failed(error))?;
        #[cfg(feature = "tls")]
        if let Some(connector) = &self.trust.connector {
            let stream =
                tls::greet(connector, &self.switch, stream).await.map_err(|error| self.failed(error))?;
            return client::exchange(stream, query, request.build()).await;
        }
        client::exchange(stream, query, request.build()).await
    }
}

#[cfg(feature = "tls")]
mod tls {
    use std::{io, path::Path, sync::Arc};

    use tokio::net::TcpStream;
    use tokio_rustls::{
        TlsConnector,
        client::TlsStream,
        rustls::{
            ClientConfig, RootCertStore,
            crypto::ring,
            pki_types::{CertificateDer, ServerName, pem::PemObject},
        },
    };

    pub(super) fn connector(ca: &Path) -> Result<TlsConnector, String> {
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(ca).map_err(|error| error.to_string())?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        if roots.is_empty() {
            return Err("has no certificate".into());
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// Its certificate must be that of the switch, wherever it listens.
    pub(super) async fn greet(
        connector: &TlsConnector,
        switch: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(switch.to_owned()).map_err(io::Error::other)?;
        connector.connect(name, stream).await
    }
}

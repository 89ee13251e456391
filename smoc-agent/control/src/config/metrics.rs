//! Where metrics can be read beside the API's socket.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_saphyr::Spanned;
use smoc_paths::input::{Fault, shown};

/// A TCP port at which metrics can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Address and port.
    pub listen: SocketAddr,
    /// The file with the token that readers must show; without one everybody is answered.
    pub token_file: Option<PathBuf>,
    /// This switch's certificate and its key (PEM), for TLS.
    pub identity: Option<(PathBuf, PathBuf)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMetrics {
    pub listen: Spanned<String>,
    pub token_file: Option<PathBuf>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
    #[serde(default)]
    pub unencrypted: bool,
}

/// Checks what the file says of metrics. Relative names are relative to `directory`.
pub(super) fn check(
    raw: Option<Spanned<RawMetrics>>,
    directory: &Path,
    faults: &mut Vec<Fault>,
) -> Option<Metrics> {
    let Spanned { value, referenced, .. } = raw?;
    check_port("metrics", value, referenced.line(), directory, faults)
}

/// Checks a TCP port of the agent that the section of this name, at this line, asks for.
pub(super) fn check_port(
    section: &str,
    raw: RawMetrics,
    section_line: u64,
    directory: &Path,
    faults: &mut Vec<Fault>,
) -> Option<Metrics> {
    let mut fault = |line, message: &str| faults.push((line, format!("{section}.{message}")));
    let identity = match (raw.cert, raw.key) {
        (Some(cert), Some(key)) => Some((directory.join(cert), directory.join(key))),
        (None, None) => None,
        (Some(_), None) => {
            fault(section_line, "key: missing: name the key of cert");
            None
        }
        (None, Some(_)) => {
            fault(section_line, "cert: missing: name the certificate that key is for");
            None
        }
    };
    let line = raw.listen.referenced.line();
    let Some(listen) = raw.listen.value.parse::<SocketAddr>().ok().filter(|listen| listen.port() > 0) else {
        let shown = shown(&raw.listen.value);
        fault(
            line,
            &format!("listen: \"{shown}\" is no place to listen: write address:port, as 127.0.0.1:9852"),
        );
        return None;
    };
    if listen.ip().is_unspecified() && identity.is_none() && !raw.unencrypted {
        fault(
            line,
            "listen: this is every address of the switch, and without TLS: name one address, or cert and key, or \
             write unencrypted: true if that is what you want",
        );
    }
    Some(Metrics { listen, token_file: raw.token_file.map(|file| directory.join(file)), identity })
}

//! TCP ports of an agent beside the API's socket: for metrics, and for operators of the whole fabric.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_saphyr::Spanned;
use smoc_paths::input::{Fault, shown};

use crate::fabric::ApiPlace;

/// A TCP port at which something can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Address and port.
    pub listen: SocketAddr,
    /// The file with the token that readers must show; without one everybody is answered.
    pub token_file: Option<PathBuf>,
    /// This switch's certificate and its key (PEM), for TLS.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The port at which the API can be read by operators of the whole fabric, who find it by what the agent announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FabricApi {
    /// The port; it has a token.
    pub listener: Listener,
    /// Where others reach it.
    pub place: ApiPlace,
    /// The certificates (PEM) of whom to believe when others are asked.
    pub ca: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawListener {
    pub listen: Spanned<String>,
    pub token_file: Option<PathBuf>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
    #[serde(default)]
    pub unencrypted: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFabricApi {
    listen: Spanned<String>,
    announce: Option<Spanned<String>>,
    token_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default)]
    unencrypted: bool,
}

/// Checks what the file says of a port under this key. Relative names are relative to `directory`.
pub(super) fn check(
    field: &str,
    raw: Option<Spanned<RawListener>>,
    directory: &Path,
    faults: &mut Vec<Fault>,
) -> Option<Listener> {
    let Spanned { value: raw, referenced, .. } = raw?;
    let mut fault = |line, message: String| faults.push((line, format!("{field}.{message}")));
    let identity = match (raw.cert, raw.key) {
        (Some(cert), Some(key)) => Some((directory.join(cert), directory.join(key))),
        (None, None) => None,
        (Some(_), None) => {
            fault(referenced.line(), "key: missing: name the key of cert".into());
            None
        }
        (None, Some(_)) => {
            fault(referenced.line(), "cert: missing: name the certificate that key is for".into());
            None
        }
    };
    let line = raw.listen.referenced.line();
    let listen = match place(&raw.listen.value) {
        Ok(listen) => listen,
        Err(why) => {
            fault(line, format!("listen: {why}"));
            return None;
        }
    };
    if listen.ip().is_unspecified() && identity.is_none() && !raw.unencrypted {
        fault(
            line,
            "listen: this is every address of the switch, and without TLS: name one address, or cert and key, or write \
             unencrypted: true if that is what you want"
                .into(),
        );
    }
    Some(Listener { listen, token_file: raw.token_file.map(|file| directory.join(file)), identity })
}

fn place(text: &str) -> Result<SocketAddr, String> {
    let place = text.parse::<SocketAddr>().ok().filter(|place| place.port() > 0);
    let shown = shown(text);
    place.ok_or_else(|| format!("\"{shown}\" is no place to listen: write address:port, as 127.0.0.1:9852"))
}

/// Checks what the file says of the port for operators of the fabric.
pub(super) fn check_fabric_api(
    raw: Option<Spanned<RawFabricApi>>,
    directory: &Path,
    faults: &mut Vec<Fault>,
) -> Option<FabricApi> {
    const FIELD: &str = "fabric_api";
    let Spanned { value: raw, referenced, defined } = raw?;
    let RawFabricApi { listen, announce, token_file, ca, cert, key, unencrypted } = raw;
    let line = listen.referenced.line();
    let mut fault = |line, message: &str| faults.push((line, format!("{FIELD}.{message}")));
    if token_file.is_none() {
        let message = "token_file: missing: who reads connections must show a token: write one into a file, as `openssl rand \
                       -hex 16` makes one, the same on all switches";
        fault(referenced.line(), message);
    }
    if cert.is_some() && ca.is_none() {
        let message = "ca: missing: name the certificates of whom to believe, for asking other agents";
        fault(referenced.line(), message);
    }
    let listener = RawListener { listen, token_file, cert, key, unencrypted };
    let listener = check(FIELD, Some(Spanned { value: listener, referenced, defined }), directory, faults)?;
    let announced = match announce.map(|text| (place(&text.value), text.referenced.line())) {
        Some((Ok(place), _)) => place,
        Some((Err(why), line)) => {
            faults.push((line, format!("{FIELD}.announce: {why}")));
            return None;
        }
        None => listener.listen,
    };
    if announced.ip().is_unspecified() {
        let message =
            "announce: missing: listen is every address: write the one, with the port, that others reach";
        faults.push((line, format!("{FIELD}.{message}")));
    }
    let place = ApiPlace { address: announced, tls: listener.identity.is_some() };
    Some(FabricApi { listener, place, ca: ca.map(|ca| directory.join(ca)) })
}

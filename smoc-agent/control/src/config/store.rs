//! Where an agent finds out what the other switches of its fabric say.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use serde_saphyr::Spanned;
use smoc_paths::input::{Fault, shown};

use super::duration;

/// Shortest and longest time for which a switch stays known whose agent does not answer.
const LEASES: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(3600);
/// Where snapshots are kept, each by the name of its switch.
const SNAPSHOTS: &str = "/var/lib/smoc";

/// Where an agent finds out what the other switches say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Store {
    /// In its topology file.
    #[default]
    Static,
    /// In what switches announce to each other.
    Flood,
    /// In etcd.
    Etcd(Etcd),
}

/// How etcd is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Etcd {
    /// Its members, as `http://` or `https://` and host:port.
    pub endpoints: Vec<String>,
    /// The certificates (PEM) of whom to believe, for `https://`.
    pub ca: Option<PathBuf>,
    /// This switch's own certificate and its key (PEM).
    pub identity: Option<(PathBuf, PathBuf)>,
    /// How long this switch stays known while its agent does not answer.
    pub lease: Duration,
    /// The file with what was known last, for a start while etcd is away.
    pub snapshot: PathBuf,
}

/// As it stands in the file: `static`, `flood`, or `{etcd: {...}}`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawStore {
    Static,
    Flood,
    Etcd(RawEtcd),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEtcd {
    endpoints: Spanned<Vec<Spanned<String>>>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default, deserialize_with = "lease")]
    lease: Option<Duration>,
    snapshot: Option<PathBuf>,
}

fn lease<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    duration::read(from).map(Some)
}

impl Etcd {
    /// How long a switch stays known unless configured.
    pub const LEASE: Duration = Duration::from_secs(600);

    /// How an operator reaches it, who has no lease and keeps no snapshot.
    ///
    /// # Errors
    /// What to write instead.
    pub fn of_operator(
        endpoints: Vec<String>,
        ca: Option<PathBuf>,
        cert: Option<PathBuf>,
        key: Option<PathBuf>,
    ) -> Result<Self, String> {
        let is_secured = ca.is_some() || cert.is_some();
        for endpoint in &endpoints {
            if let Some(why) = is_no_member(endpoint, is_secured) {
                return Err(format!("--etcd: \"{}\" is no member: {why}", shown(endpoint)));
            }
        }
        let identity = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err("--cert and --key: name both, or neither".into()),
        };
        Ok(Self { endpoints, ca, identity, lease: Self::LEASE, snapshot: PathBuf::new() })
    }
}

/// Checks what the file says of the store. Relative names are relative to `directory`.
pub(super) fn check(
    raw: Option<Spanned<RawStore>>,
    switch: &str,
    has_topology: bool,
    directory: &Path,
    faults: &mut Vec<Fault>,
) -> Store {
    let Some(Spanned { value, referenced, .. }) = raw else {
        return if has_topology { Store::Static } else { Store::Flood };
    };
    let is_static = matches!(value, RawStore::Static);
    if is_static && !has_topology {
        let message = "store: static, and no file says what the network is: name it with topology: FILE";
        faults.push((referenced.line(), message.into()));
    } else if !is_static && has_topology {
        let message =
            "store: is for a network that is discovered: leave topology away, or write store: static";
        faults.push((referenced.line(), message.into()));
    }
    match value {
        RawStore::Static => Store::Static,
        RawStore::Flood => Store::Flood,
        RawStore::Etcd(raw) => Store::Etcd(check_etcd(raw, referenced.line(), switch, directory, faults)),
    }
}

fn check_etcd(raw: RawEtcd, line: u64, switch: &str, directory: &Path, faults: &mut Vec<Fault>) -> Etcd {
    if raw.endpoints.value.is_empty() {
        faults.push((
            raw.endpoints.referenced.line(),
            "store.etcd.endpoints: empty: write https://host:2379".into(),
        ));
    }
    for endpoint in &raw.endpoints.value {
        check_endpoint(endpoint, raw.ca.is_some() || raw.cert.is_some(), faults);
    }
    let identity = match (raw.cert, raw.key) {
        (Some(cert), Some(key)) => Some((directory.join(cert), directory.join(key))),
        (None, None) => None,
        (Some(_), None) => {
            faults.push((line, "store.etcd.key: missing: name the key of cert".into()));
            None
        }
        (None, Some(_)) => {
            faults.push((line, "store.etcd.cert: missing: name the certificate that key is for".into()));
            None
        }
    };
    let lease = raw.lease.unwrap_or(Etcd::LEASE);
    if !LEASES.contains(&lease) {
        let (least, most) = (LEASES.start(), LEASES.end());
        faults.push((line, format!("store.etcd.lease: {lease:?} is not from {least:?} to {most:?}")));
    }
    let snapshot = raw.snapshot.unwrap_or_else(|| Path::new(SNAPSHOTS).join(format!("{switch}.snapshot")));
    Etcd {
        endpoints: raw.endpoints.value.into_iter().map(|endpoint| endpoint.value).collect(),
        ca: raw.ca.map(|ca| directory.join(ca)),
        identity,
        lease,
        snapshot: directory.join(snapshot),
    }
}

fn check_endpoint(endpoint: &Spanned<String>, is_secured: bool, faults: &mut Vec<Fault>) {
    let Some(message) = is_no_member(&endpoint.value, is_secured) else { return };
    let shown = shown(&endpoint.value);
    faults.push((
        endpoint.referenced.line(),
        format!("store.etcd.endpoints: \"{shown}\" is no member: {message}"),
    ));
}

/// Why a text does not say how a member is reached.
fn is_no_member(text: &str, is_secured: bool) -> Option<&'static str> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let port = rest.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let is_place = port.is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0));
    let is_odd = rest.contains(|c: char| c.is_whitespace() || "/?#@".contains(c));
    match scheme {
        "http" | "https" if !is_place || is_odd => Some("write http:// or https:// and host:port"),
        "http" if is_secured => Some("ca and cert are for https://"),
        "http" | "https" => None,
        _ => Some("write http:// or https:// and host:port"),
    }
}

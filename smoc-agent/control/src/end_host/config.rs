//! The settings of `smoc host`, and the file that has them.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;
use smoc_paths::input::{self, Fault};

use super::{MOST_SUBFLOWS, userspace::Worth};
use crate::{
    config::{ConfigError, duration, read_keys},
    discovery::key::Keys,
};

/// The first ports above those that Linux gives to outgoing connections (`net.ipv4.ip_local_port_range`: up to 60999).
const PORTS: RangeInclusive<u16> = 61001..=61016;
/// Most connections of the web are shorter and smaller than this: what they gain is less than what the handshakes cost.
const WORTH: Worth = Worth { time: Duration::from_secs(1), bytes: 256 * 1024 };
/// Ports below are services'.
const LEAST_PORT: u16 = 1024;

/// What a host does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It is connected to: it tells of further addresses and ports.
    Server,
    /// It connects: it opens subflows to what it is told of, and from further addresses of its own.
    Client,
    /// Both.
    #[default]
    Both,
}

/// Who decides about subflows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The kernel, by endpoints and limits that are the same for all connections.
    #[default]
    Kernel,
    /// `smoc host`, for each connection ([`super::userspace`]).
    Userspace,
}

/// How `smoc host` works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who decides about subflows.
    pub mode: Mode,
    /// In the mode `userspace`: which connections have more than one.
    pub worth: Worth,
    /// What the host does.
    pub role: Role,
    /// Subflows of a connection, the initial one included, 1 to 8; as long as no edge tells another number.
    pub subflows: u8,
    /// The ports at which joins are listened for, the first free ones of these.
    pub ports: RangeInclusive<u16>,
    /// The interfaces that take part; empty: all with carrier, a MAC address and addresses, except bridges.
    pub interfaces: Vec<String>,
    /// Whether subflows to addresses of others come from further addresses of this host, where the kernel can do that and
    /// there is one for each.
    pub laminar: bool,
    /// Whether the number that the edge tells counts.
    pub advice: bool,
    /// The keys of which one must have signed that number; none: it is believed as it is.
    pub keys: Keys,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            worth: WORTH,
            role: Role::default(),
            subflows: 4,
            ports: PORTS,
            interfaces: Vec::new(),
            laminar: true,
            advice: true,
            keys: Keys::default(),
        }
    }
}

/// Keys of the file, all of which may be left out.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    mode: Option<Mode>,
    long_after: Option<Time>,
    big_from: Option<u64>,
    role: Option<Role>,
    subflows: Option<Spanned<u8>>,
    ports: Option<Spanned<String>>,
    interfaces: Option<Vec<String>>,
    laminar: Option<bool>,
    advice: Option<bool>,
    key_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Time(#[serde(deserialize_with = "duration::read")] Duration);

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "kernel" => Ok(Self::Kernel),
            "userspace" => Ok(Self::Userspace),
            _ => Err("write kernel or userspace".into()),
        }
    }
}

impl Role {
    /// Whether it is connected to.
    pub fn is_server(self) -> bool {
        self != Self::Client
    }

    /// Whether it connects.
    pub fn is_client(self) -> bool {
        self != Self::Server
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "server" => Ok(Self::Server),
            "client" => Ok(Self::Client),
            "both" => Ok(Self::Both),
            _ => Err("write server, client or both".into()),
        }
    }
}

impl Settings {
    /// Reads a file; a relative `key_file` is relative to its directory.
    ///
    /// # Errors
    /// The file or its key file cannot be read, or the faults in it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            input::read_text(path).map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
        let (mut settings, key_file) =
            Self::parse(&text).map_err(|faults| ConfigError::Faulty { path: path.into(), faults })?;
        if let Some(key_file) = key_file {
            settings.keys = read_keys(&path.parent().unwrap_or(Path::new("")).join(key_file))?;
        }
        Ok(settings)
    }

    fn parse(text: &str) -> Result<(Self, Option<PathBuf>), Vec<Fault>> {
        let is_empty = |line: &str| matches!(line.trim(), "" | "---") || line.trim().starts_with('#');
        let raw = if text.lines().all(is_empty) {
            Raw::default()
        } else {
            input::read_yaml(text).map_err(|fault| vec![fault])?
        };
        let (mut settings, mut faults) = (Self::default(), Vec::new());
        if let Some(subflows) = raw.subflows {
            settings.subflows = subflows.value;
            if !(1..=MOST_SUBFLOWS).contains(&subflows.value) {
                let message = format!("subflows: {} is not from 1 to {MOST_SUBFLOWS}", subflows.value);
                faults.push((subflows.referenced.line(), message));
            }
        }
        if let Some(ports) = raw.ports {
            match port_range(&ports.value) {
                Ok(range) => settings.ports = range,
                Err(why) => faults.push((ports.referenced.line(), format!("ports: {why}"))),
            }
        }
        settings.mode = raw.mode.unwrap_or_default();
        settings.worth.time = raw.long_after.map_or(WORTH.time, |time| time.0);
        settings.worth.bytes = raw.big_from.unwrap_or(WORTH.bytes);
        settings.role = raw.role.unwrap_or_default();
        settings.interfaces = raw.interfaces.unwrap_or_default();
        settings.laminar = raw.laminar.unwrap_or(settings.laminar);
        settings.advice = raw.advice.unwrap_or(settings.advice);
        if faults.is_empty() { Ok((settings, raw.key_file)) } else { Err(faults) }
    }
}

/// Reads a range of ports such as `61001-61016`.
///
/// # Errors
/// What to write instead.
pub fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let port = |text: &str| text.trim().parse::<u16>().ok();
    let range = text.split_once('-').and_then(|(from, to)| Some(port(from)?..=port(to)?));
    let fits = |range: &RangeInclusive<u16>| *range.start() >= LEAST_PORT && !range.is_empty();
    range.filter(fits).ok_or_else(|| {
        let shown = input::shown(text);
        format!("\"{shown}\" is no range of ports: write one such as 61001-61016, from {LEAST_PORT} on")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> String {
        format!("{:?}", Settings::parse(text).unwrap_err())
    }

    #[test]
    fn every_key_is_read_and_each_may_be_left_out() {
        for empty in ["", "# nothing\n", "---\n"] {
            assert_eq!(Settings::parse(empty), Ok((Settings::default(), None)), "{empty:?}");
        }
        let text = "mode: userspace\nlong_after: 3s\nbig_from: 5000\n";
        let (settings, _) = Settings::parse(text).unwrap();
        let worth = Worth { time: Duration::from_secs(3), bytes: 5000 };
        assert_eq!((settings.mode, settings.worth), (Mode::Userspace, worth));
        let text = "role: server\nsubflows: 8\nports: 5000-5010\ninterfaces: [eth0]\nlaminar: false\nadvice: false\nkey_file: k\n";
        let (settings, key_file) = Settings::parse(text).unwrap();
        assert_eq!((settings.role, settings.subflows, settings.ports), (Role::Server, 8, 5000..=5010));
        assert_eq!((settings.interfaces, settings.laminar), (vec!["eth0".into()], false));
        assert_eq!((settings.advice, key_file), (false, Some("k".into())));
    }

    #[test]
    fn faults_say_what_to_write() {
        let unknown = faults("role: both\nsubflow: 3\n");
        assert!(unknown.contains("subflow") && unknown.contains("subflows"), "{unknown}");
        assert!(faults("subflows: 9\n").contains("not from 1 to 8"));
        assert!(faults("subflows: 0\n").contains("not from 1 to 8"));
        for ports in ["61001", "9-8", "2000-1999", "80-90", "a-b"] {
            assert!(faults(&format!("ports: \"{ports}\"\n")).contains("61001-61016"), "{ports}");
        }
        assert!(faults("mode: user\n").contains("userspace"));
        assert!(faults("long_after: soon\n").contains("long_after"));
        assert!(faults("role: router\n").contains("server"));
    }
}

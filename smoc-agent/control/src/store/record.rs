//! The contents of records: JSON objects with a version.
//!
//! ```json
//! {"version": 1, "compatible": 1, "agent": "0.1.0", "ports": {"1": {"neighbor": "m1", "port": 2, "capacity": "1Gbit"}}}
//! {"version": 1, "compatible": 1, "hosts": [{"address": "10.0.0.1", "mac": "02:00:00:00:00:01", "since": 1790000000}]}
//! ```
//!
//! `version` is what its writer writes, `compatible` the lowest version that a reader has to know. A reader ignores members
//! that it does not know, so agents of different versions share a fabric as long as `compatible` allows it.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The version of records that this agent writes, and the highest that it can read.
pub const VERSION: u32 = 1;
/// What [`SwitchRecord`] and [`HostRecord`] ask of their readers.
const COMPATIBLE: u32 = 1;

/// Why a record is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A later version made it so that this one would misread it.
    #[error("needs an agent that reads version {compatible} of records; this one reads {VERSION}: update it")]
    Newer {
        /// The lowest version that has to be known.
        compatible: u32,
    },
    /// It is no record.
    #[error("is no record: {0}")]
    Malformed(String),
}

/// What is common to all.
#[derive(Deserialize)]
struct Versions {
    version: u32,
    compatible: Option<u32>,
}

/// What a switch says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRecord {
    /// The version of the agent.
    pub agent: String,
    /// Bits of its port numbers in a source route, where it has agreed on more than its highest port needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u8>,
    /// Its ports to other switches, by number.
    #[serde(default)]
    pub ports: BTreeMap<u16, PortRecord>,
}

/// What a switch says of one of its ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRecord {
    /// The switch that it hears there.
    pub neighbor: String,
    /// The port of that switch.
    pub port: u16,
    /// As in a topology file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<String>,
    /// As in a topology file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<String>,
    /// As in a topology file; 1 if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u32>,
    /// As in a topology file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub srlg: Vec<String>,
    /// Whether the operator takes it out of all paths.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drained: bool,
}

/// The hosts behind a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// Sorted by address.
    pub hosts: Vec<Attachment>,
}

/// An address and where it lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The address.
    pub address: IpAddr,
    /// Its MAC address.
    pub mac: String,
    /// Since when it is here, in seconds since 1970.
    pub since: u64,
}

#[derive(Serialize)]
struct Written<'a, T> {
    version: u32,
    compatible: u32,
    #[serde(flatten)]
    record: &'a T,
}

/// The bytes of a record.
fn to_bytes<T: Serialize>(record: &T) -> Vec<u8> {
    // Names and numbers always become JSON.
    serde_json::to_vec(&Written { version: VERSION, compatible: COMPATIBLE, record }).unwrap_or_default()
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RecordError> {
    let malformed = |error: serde_json::Error| RecordError::Malformed(error.to_string());
    let versions: Versions = serde_json::from_slice(bytes).map_err(malformed)?;
    let compatible = versions.compatible.unwrap_or(versions.version);
    if compatible > VERSION {
        return Err(RecordError::Newer { compatible });
    }
    serde_json::from_slice(bytes).map_err(malformed)
}

impl SwitchRecord {
    /// The bytes of the record.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// It is none, or one that this version would misread.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        parse(bytes)
    }

    /// The switches that it names, each once for each port.
    pub fn neighbors(&self) -> impl Iterator<Item = &str> {
        self.ports.values().map(|port| port.neighbor.as_str())
    }
}

impl HostRecord {
    /// The bytes of the record.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// It is none, or one that this version would misread.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        parse(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let port = PortRecord {
            neighbor: "m1".into(),
            port: 2,
            capacity: Some("1Gbit".into()),
            latency: None,
            cost: None,
            srlg: Vec::new(),
            drained: false,
        };
        let record =
            SwitchRecord { agent: "0.1.0".into(), width: None, ports: BTreeMap::from([(1, port)]) };
        let text = String::from_utf8(record.to_bytes()).unwrap();
        let expected = r#"{"version":1,"compatible":1,"agent":"0.1.0","ports":{"1":{"neighbor":"m1","port":2,"capacity":"1Gbit"}}}"#;
        assert_eq!(text, expected);
        assert_eq!(SwitchRecord::parse(text.as_bytes()), Ok(record));
    }

    #[test]
    fn a_later_version_is_read_if_it_says_that_it_can_be() {
        let later = br#"{"version":7,"compatible":1,"agent":"9","colour":"red","ports":{"1":{"neighbor":"m1","port":2,"lanes":4}}}"#;
        assert_eq!(SwitchRecord::parse(later).unwrap().ports[&1].neighbor, "m1");
        for changed in [r#"{"version":7,"compatible":2,"ports":[]}"#, r#"{"version":2}"#] {
            assert_eq!(SwitchRecord::parse(changed.as_bytes()), Err(RecordError::Newer { compatible: 2 }));
        }
    }

    #[test]
    fn what_is_no_record_says_why() {
        for text in ["", "{", "[]", "null", "{\"version\":\"x\"}", "{\"ports\":{}}", "{\"version\":1,\"ports\":{\"x\":1}}"] {
            let error = SwitchRecord::parse(text.as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with("is no record: "), "{text}: {error}");
        }
    }
}

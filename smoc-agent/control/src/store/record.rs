//! The contents of records: JSON objects with a version.
//!
//! ```json
//! {"version": 1, "compatible": 1, "written": 1790000000000000, "agent": "0.1.0", "report": {"port_width": 5, "adjacencies": {"1": {"switch": "m1", "port": 2, "megabits": 1000}}}}
//! {"version": 1, "compatible": 1, "written": 1790000000000000, "hosts": [{"address": "10.0.0.1", "mac": "02:00:00:00:00:01", "since": 1790000000}]}
//! ```
//!
//! `version` is what its writer writes, `compatible` the lowest version that a reader has to know. A reader ignores members
//! that it does not know, so agents of different versions share a fabric as long as `compatible` allows it. `written` is when its
//! writer last changed it, in microseconds since 1970: of two records of one switch it tells which is the later one, which the
//! revisions of a restored store do not.

use std::net::IpAddr;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use smoc_common::route::PortNumber;
use smoc_paths::topology::mac_address;

use crate::{
    clock::Nanos,
    fabric::{ApiPlace, Report},
    hosts::Sighting,
};

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
    #[serde(default)]
    pub agent: String,
    /// What it says of its ports.
    #[serde(default)]
    pub report: Report,
    /// Where its API can be read by operators of the whole fabric.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "api")]
    pub api: Option<ApiPlace>,
}

/// A place of another kind is as none: the rest of the record counts.
fn api<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<ApiPlace>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.and_then(|text| text.try_into().ok()))
}

/// The hosts behind a port. A port whose hosts have left keeps a record without any: so none disappears by what somebody else
/// does to the store.
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
    written: u64,
    #[serde(flatten)]
    record: &'a T,
}

/// The bytes of a record.
fn to_bytes<T: Serialize>(record: &T, written: u64) -> Vec<u8> {
    // Names and numbers always become JSON.
    serde_json::to_vec(&Written { version: VERSION, compatible: COMPATIBLE, written, record })
        .unwrap_or_default()
}

/// When a record was changed; 0 if it does not say so.
pub(super) fn written(bytes: &[u8]) -> u64 {
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        written: u64,
    }
    serde_json::from_slice(bytes).map_or(0, |head: Head| head.written)
}

/// Reads a record, unless this version would misread it.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RecordError> {
    let malformed = |error: serde_json::Error| RecordError::Malformed(error.to_string());
    let versions: Versions = serde_json::from_slice(bytes).map_err(malformed)?;
    let compatible = versions.compatible.unwrap_or(versions.version);
    if compatible > VERSION {
        return Err(RecordError::Newer { compatible });
    }
    serde_json::from_slice(bytes).map_err(malformed)
}

impl SwitchRecord {
    /// The bytes of the record, changed at this time in microseconds since 1970.
    pub fn to_bytes(&self, written: u64) -> Vec<u8> {
        to_bytes(self, written)
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
        self.report.adjacencies.iter().map(|adjacency| adjacency.switch.as_str())
    }
}

impl HostRecord {
    /// Its hosts as if they had been heard at this time.
    pub fn sightings(&self, port: PortNumber, seen: Nanos) -> impl Iterator<Item = Sighting> {
        let sighting = move |host: &Attachment| {
            Some(Sighting { address: host.address, mac: mac_address(&host.mac).ok()?, port, seen })
        };
        self.hosts.iter().filter_map(sighting)
    }

    /// The bytes of the record, changed at this time in microseconds since 1970.
    pub fn to_bytes(&self, written: u64) -> Vec<u8> {
        to_bytes(self, written)
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
    use crate::fabric::Adjacency;

    fn record_of(text: &str) -> SwitchRecord {
        SwitchRecord::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let port = |number| PortNumber::new(number).unwrap();
        let m1 = Adjacency { port: port(1), switch: "m1".into(), there: port(2), megabits: 1000 };
        let report = Report { port_width: 5, adjacencies: vec![m1] };
        let record = SwitchRecord { agent: "0.1.0".into(), report, api: None };
        let text = String::from_utf8(record.to_bytes(7)).unwrap();
        let expected = r#"{"version":1,"compatible":1,"written":7,"agent":"0.1.0","report":{"port_width":5,"adjacencies":{"1":{"switch":"m1","port":2,"megabits":1000}}}}"#;
        assert_eq!(text, expected);
        assert_eq!(SwitchRecord::parse(text.as_bytes()), Ok(record));
        let here =
            SwitchRecord { api: "https://10.9.0.1:9853".to_owned().try_into().ok(), ..record_of(&text) };
        let text_here = String::from_utf8(here.to_bytes(7)).unwrap();
        assert!(text_here.contains(r#""api":"https://10.9.0.1:9853""#), "{text_here}");
        assert_eq!(record_of(&text_here), here);
        assert_eq!(record_of(&text_here.replace("https", "quic")), record_of(&text), "of a later version");
        assert_eq!((written(text.as_bytes()), written(b"{}"), written(b"")), (7, 0, 0));
    }

    #[test]
    fn a_later_version_is_read_if_it_says_that_it_can_be() {
        let later = br#"{"version":7,"compatible":1,"agent":"9","colour":"red","report":{"adjacencies":{"1":{"switch":"m1","port":2,"lanes":4}}}}"#;
        assert_eq!(SwitchRecord::parse(later).unwrap().neighbors().collect::<Vec<_>>(), ["m1"]);
        for changed in [r#"{"version":7,"compatible":2,"adjacencies":[]}"#, r#"{"version":2}"#] {
            assert_eq!(SwitchRecord::parse(changed.as_bytes()), Err(RecordError::Newer { compatible: 2 }));
        }
    }

    #[test]
    fn what_is_no_record_says_why() {
        for text in [
            "",
            "{",
            "[]",
            "null",
            "{\"version\":\"x\"}",
            "{\"adjacencies\":{}}",
            "{\"version\":1,\"report\":{\"adjacencies\":{\"x\":1}}}",
        ] {
            let error = SwitchRecord::parse(text.as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with("is no record: "), "{text}: {error}");
        }
    }
}

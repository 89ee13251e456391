//! What operators want drained, as records of the store: `drain/TARGET`.
//!
//! ```json
//! {"version": 1, "compatible": 1, "written": 1790000000000000, "drained": true, "reason": "new fan"}
//! ```
//!
//! Agents treat it as an order that one of them was given: of the store and announcements the later one counts, and all remember
//! it. So a record that disappears takes nothing back; one with `drained: false` does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Bytes, Key, VERSION};
use crate::fabric::{Record, drain::DRAIN};

/// What the record asks of its readers.
const COMPATIBLE: u32 = 1;

#[derive(Serialize, Deserialize)]
struct DrainRecord {
    #[serde(default)]
    version: u32,
    #[serde(default)]
    compatible: u32,
    written: u64,
    drained: bool,
    #[serde(default)]
    reason: String,
}

/// The record that drains, or takes that back where there is no reason, as of this time in microseconds since 1970.
pub fn to_drain(reason: Option<&str>, written: u64) -> Vec<u8> {
    let reason = (reason.is_some(), reason.unwrap_or_default().to_owned());
    let record = DrainRecord {
        version: VERSION,
        compatible: COMPATIBLE,
        written,
        drained: reason.0,
        reason: reason.1,
    };
    // Numbers and text always become JSON.
    serde_json::to_vec(&record).unwrap_or_default()
}

/// The orders that stand in the store, and what is wrong with those that cannot be used.
pub fn stored_drains(operators: &BTreeMap<Key, Bytes>) -> (Vec<Record>, Vec<String>) {
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for (key, bytes) in operators {
        let Key::Drain(target) = key else { continue };
        match serde_json::from_slice::<DrainRecord>(bytes) {
            Ok(record) if record.compatible > VERSION => problems.push(format!(
                "store: the record {key} needs an agent that reads version {} of records: it is not heeded",
                record.compatible
            )),
            Ok(DrainRecord { written, drained, reason, .. }) => {
                let text = drained.then_some(reason);
                all.push(Record { name: format!("{DRAIN}{target}"), text, written });
            }
            Err(error) => {
                problems.push(format!(
                    "store: the record {key} is no order ({error}): write it with `smoc fabric drain`"
                ));
            }
        }
    }
    (all, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_they_were_written_and_others_are_told() {
        let record = |text: &[u8]| Bytes::from(text.to_vec());
        let operators = BTreeMap::from([
            (Key::Drain("e1".into()), record(&to_drain(Some("new fan"), 5))),
            (Key::Drain("e2".into()), record(&to_drain(None, 6))),
            (Key::Drain("e3".into()), record(b"{}")),
            (Key::Drain("e4".into()), record(br#"{"compatible":9,"written":1,"drained":true}"#)),
            (Key::Config, record(b"{}")),
        ]);
        let (all, problems) = stored_drains(&operators);
        let e1 = Record { name: "drain/e1".into(), text: Some("new fan".into()), written: 5 };
        assert_eq!(all, [e1, Record { name: "drain/e2".into(), text: None, written: 6 }]);
        assert!(problems[0].contains("drain/e3 is no order"), "{problems:?}");
        assert!(problems[1].contains("drain/e4 needs an agent that reads version 9"), "{problems:?}");
    }
}

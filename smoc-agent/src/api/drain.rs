//! What the API takes from operators: which parts of the fabric to drain.

use serde::{Deserialize, Serialize};
use smoc_control::{
    fabric::{
        Record,
        drain::{DRAIN, Target},
    },
    switch::Snapshot,
};

/// What an operator orders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// A switch, a port or a link.
    pub target: String,
    /// Why, for others to read.
    #[serde(default)]
    pub reason: String,
    /// Whether it is to be taken back.
    #[serde(default)]
    pub undrain: bool,
}

/// What an order did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// The switch or link, by the name under which it is remembered.
    pub target: String,
    /// Whether it is drained now.
    pub drained: bool,
    /// Whether that is something else than before.
    pub changed: bool,
}

/// What is to be remembered of an order, if that is news, and what to answer.
///
/// # Errors
/// The fabric has no such switch or link, or has too many orders.
pub(super) fn take(snapshot: &Snapshot, order: Order, now: u64) -> Result<(Option<Record>, Drained), String> {
    let Order { target, reason, undrain } = order;
    let name = match Target::parse(&snapshot.topology, &target) {
        Ok(target) => target.record(&snapshot.topology),
        // What is drained and no longer there can be named as it was.
        Err(_) if undrain && snapshot.records.under(DRAIN).any(|(name, _)| name == target) => {
            format!("{DRAIN}{target}")
        }
        Err(message) => return Err(message),
    };
    let text = (!undrain).then_some(reason);
    let record = snapshot.records.clone().write(&name, text, now).map_err(|error| error.to_string())?;
    let target = name.trim_start_matches(DRAIN).to_owned();
    Ok((record.clone(), Drained { target, drained: !undrain, changed: record.is_some() }))
}

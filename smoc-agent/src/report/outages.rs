//! What failed in a period, and how long.

use std::collections::BTreeMap;

use serde::Serialize;
use smoc_control::history::{Entry, Kind, NEW_LINK, Recorded};

use super::counters;
use crate::metrics as metric;

/// Something that did not work for a while.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outage {
    /// A port, link or path, or the store.
    pub kind: Kind,
    /// Which.
    pub subject: String,
    /// What the agent said of it.
    pub text: String,
    /// When it began, in microseconds since 1970; `None`: before the period.
    pub began: Option<u64>,
    /// When it ended; `None`: it has not.
    pub ended: Option<u64>,
    /// Frames that took a detour or another rank between the looks around it.
    pub moved: u64,
    /// Frames that found no way between the looks around it.
    pub lost: u64,
}

/// Notes about frames that went on another way.
const MOVED: [&str; 2] = ["detoured", "failed_over"];
/// Outcomes of frames that found none.
const LOST: [&str; 3] = ["port_down", "dead_end", "dead_end_closed"];

/// How long a link that was not known before may take to come up, in microseconds.
const SETTLING: u64 = 5_000_000;

/// The outages of a period, oldest first.
pub fn outages(events: &[Entry], recorded: &Recorded) -> Vec<Outage> {
    let (mut open, mut all): (BTreeMap<(Kind, &str), &Entry>, Vec<Outage>) = Default::default();
    let mut new: BTreeMap<&str, u64> = BTreeMap::new();
    for event in events {
        let of = (event.kind, event.subject.as_str());
        if event.kind == Kind::Link && event.text == NEW_LINK {
            new.insert(&event.subject, event.at);
        }
        match turn(event) {
            // What is down already may be so for another reason.
            Some(Turn::Begins) => drop(open.entry(of).or_insert(event)),
            Some(Turn::Ends) => match open.remove(&of) {
                // Found down, as all links are at first.
                Some(began)
                    if new.get(of.1) == Some(&began.at) && event.at.saturating_sub(began.at) < SETTLING => {}
                Some(began) => all.push(Outage::new(began, Some(began.at), Some(event.at), recorded)),
                // A port and the store also come up when the agent starts.
                None if matches!(event.kind, Kind::Link | Kind::Path) => {
                    all.push(Outage::new(event, None, Some(event.at), recorded));
                }
                None => {}
            },
            None => {}
        }
    }
    all.extend(open.into_values().map(|event| Outage::new(event, Some(event.at), None, recorded)));
    all.sort_by(|a, b| (a.began, a.ended, &a.subject).cmp(&(b.began, b.ended, &b.subject)));
    all
}

enum Turn {
    Begins,
    Ends,
}

/// What an event means for whether something works.
fn turn(event: &Entry) -> Option<Turn> {
    let text = event.text.as_str();
    let (begins, ends) = match event.kind {
        Kind::Port | Kind::Link => (text.starts_with("down"), text == "up"),
        Kind::Path => (text.starts_with("no probe comes back"), text.starts_with("probes come back again")),
        Kind::Store => (text.starts_with("not connected"), text == "connected"),
        _ => return None,
    };
    match (begins, ends) {
        (true, _) => Some(Turn::Begins),
        (false, true) => Some(Turn::Ends),
        (false, false) => None,
    }
}

impl Outage {
    fn new(event: &Entry, began: Option<u64>, ended: Option<u64>, recorded: &Recorded) -> Self {
        let span = (began.unwrap_or(0), ended.unwrap_or(u64::MAX));
        let grown = |metric: &metric::Metric, label: &str, values: &[&str]| {
            let series =
                values.iter().filter_map(|value| counters::find(recorded, &metric.name(), &[(label, value)]));
            series.map(|series| counters::between(recorded, series, span.0, span.1) as u64).sum()
        };
        Self {
            kind: event.kind,
            subject: event.subject.clone(),
            text: event.text.clone(),
            began,
            ended,
            moved: grown(&metric::NOTES, "note", &MOVED),
            lost: grown(&metric::FRAMES, "outcome", &LOST),
        }
    }

    /// How long it was, in seconds, if its beginning and end are known.
    pub fn seconds(&self) -> Option<f64> {
        Some(self.ended?.checked_sub(self.began?)? as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use smoc_common::event::{Note, Outcome};
    use smoc_control::history::{RecordedSeries, SeriesName};

    use super::*;

    fn event(at: u64, kind: Kind, subject: &str, text: &str) -> Entry {
        Entry { number: at, at, kind, subject: subject.into(), text: text.into() }
    }

    #[test]
    fn what_went_down_and_came_up_is_one_outage_with_the_frames_of_its_time() {
        let labels = [("note".to_owned(), "detoured".to_owned())].into();
        let name = SeriesName { metric: "smoc_notes_total".into(), labels };
        let values = vec![Some(0.0), Some(5.0), Some(5.0)];
        let recorded =
            Recorded { at: vec![0, 10, 20], series: vec![RecordedSeries { name, values }], untold: 0 };
        let events = [
            event(1, Kind::Port, "e1:1", "up"),
            event(1, Kind::Link, "e1:1-m1:1", NEW_LINK),
            event(1, Kind::Link, "e1:1-m1:1", "down"),
            event(2, Kind::Link, "e1:1-m1:1", "up"),
            event(3, Kind::Link, "e1:1-m1:1", "down"),
            event(4, Kind::Port, "e1:1", "down: no carrier"),
            event(5, Kind::Port, "e1:1", "leads to m1:1"),
            event(6, Kind::Link, "e1:1-m1:1", "down"),
            event(9, Kind::Link, "e1:1-m1:1", "up"),
            event(12, Kind::Path, "e2 rank 0", "probes come back again: e1 - m1 - e2"),
        ];
        let found = outages(&events, &recorded);
        let told: Vec<_> =
            found.iter().map(|it| (it.subject.as_str(), it.began, it.ended, it.moved)).collect();
        let expected = [
            ("e2 rank 0", None, Some(12), 5),
            ("e1:1-m1:1", Some(3), Some(9), 5),
            ("e1:1", Some(4), None, 5),
        ];
        assert_eq!(told, expected);
        assert_eq!(found[1].seconds(), Some(6e-6));
    }

    #[test]
    fn every_counter_that_is_read_exists() {
        let notes: Vec<_> = Note::ALL.iter().map(|note| note.name()).collect();
        let outcomes: Vec<_> = Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
        assert!(MOVED.iter().chain(&super::super::HANDSHAKES).all(|name| notes.contains(name)));
        assert!(LOST.iter().all(|name| outcomes.contains(name)));
    }
}

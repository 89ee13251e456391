//! What operators want of the fabric, as one switch heeds it and tells it on.

use std::time::Duration;

use super::{Effect, Event, tests::Bench};
use crate::{
    discovery::announcement::Message,
    fabric::{Record, drain::DRAIN},
};

fn record(name: &str, text: Option<&str>, written: u64) -> Record {
    Record { name: format!("{DRAIN}{name}"), text: text.map(str::to_owned), written }
}

/// What was to be kept last, and what others were told last.
fn told(effects: &[Effect], bench: &Bench) -> (Option<Vec<Record>>, Option<Vec<Record>>) {
    let kept = effects.iter().rev().find_map(|effect| match effect {
        Effect::Remember(records) => Some(records.clone()),
        _ => None,
    });
    let sent = effects.iter().rev().find_map(|effect| {
        let Effect::Send(_, frame) = effect else { return None };
        match Message::parse(frame, bench.now)? {
            Message::Part(part) if part.origin == "e1" && !part.lists.records.is_empty() => {
                Some(part.lists.records)
            }
            _ => None,
        }
    });
    (kept, sent)
}

#[test]
fn a_drained_link_is_left_by_paths_and_told_and_kept_and_taken_back_the_same_way() {
    let mut bench = Bench::settled();
    let drain = record("m1", Some("fan"), 5);
    let mut effects = bench.handle(Event::Recorded(vec![drain.clone()]));
    effects.extend(bench.pass(Duration::from_secs(1)));
    assert_eq!(told(&effects, &bench), (Some(vec![drain.clone()]), Some(vec![drain.clone()])));
    let unused = |bench: &Bench| -> Vec<String> {
        bench.switch.unused.iter().map(|link| bench.switch.topology.link_name(*link)).collect()
    };
    assert_eq!(unused(&bench), ["m1:2-e2:1"], "m1 keeps a link");
    assert!(bench.switch.down.is_empty(), "it works");
    let snapshot = bench.snapshot();
    assert_eq!((snapshot.drained.len(), snapshot.book.down().len()), (2, 1));

    let mut effects = bench.handle(Event::Recorded(vec![drain]));
    effects.extend(bench.handle(Event::Recorded(vec![record("m1", None, 4)])));
    assert_eq!(told(&effects, &bench).0, None, "nothing new");
    bench.handle(Event::Recorded(vec![record("m1", None, 6)]));
    bench.pass(Duration::from_secs(1));
    assert!(unused(&bench).is_empty() && bench.switch.controller.book().down().is_empty());
}

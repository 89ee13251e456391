//! ARCHITECTURE.md names every outcome, every note and every map, and says how large the maps are.

use smoc_common::{
    event::{COUNTER_ENTRIES, Note, Outcome},
    map::{self, Continuation},
};

const TEXT: &str = include_str!("../../ARCHITECTURE.md");

/// The cells behind the name in the row of a table that begins with it.
fn row(name: &str) -> Vec<&'static str> {
    let begin = format!("| `{name}` |");
    let line = TEXT.lines().find(|line| line.starts_with(&begin));
    let line = line.unwrap_or_else(|| panic!("no table has a row for {name}"));
    line.split('|').skip(2).map(str::trim).collect()
}

#[test]
fn every_outcome_and_note_has_a_row() {
    let notes = Note::ALL.iter().map(|note| note.name());
    for name in Outcome::ALL.iter().map(|outcome| outcome.name()).chain(notes) {
        row(name);
    }
}

#[test]
fn the_sizes_of_maps_are_those_of_the_code() {
    let entries = [
        ("PORTS", map::PORT_ENTRIES),
        ("FABRIC_PORTS", map::PORT_ENTRIES),
        ("HOST_PORTS", map::PORT_ENTRIES),
        ("HELLO_PORTS", map::PORT_ENTRIES),
        ("INTERFACES", map::PORT_ENTRIES),
        ("HOSTS", map::HOST_ENTRIES),
        ("EDGES", map::EDGE_ENTRIES),
        ("PATH_SETS", map::PATH_SET_ENTRIES),
        ("DETOURS", map::DETOUR_ENTRIES),
        ("EDGE_NAMES", map::EDGE_ENTRIES),
        ("HALF_OPEN", map::HALF_OPEN_ENTRIES),
        ("OPENINGS", map::OPENING_ENTRIES),
        ("FLOWS_V4", map::FLOW_ENTRIES),
        ("FLOWS", map::FLOW_ENTRIES),
        ("CONNECTIONS", map::CONNECTION_ENTRIES),
        ("TOKENS", 2 * map::CONNECTION_ENTRIES),
        ("COUNTERS", COUNTER_ENTRIES),
        ("CONTINUATIONS", map::CONTINUATION_ENTRIES),
    ];
    for (name, expected) in entries {
        let kind = row(name)[0];
        let said: String = kind.rsplit(", ").next().unwrap().chars().filter(char::is_ascii_digit).collect();
        assert_eq!(said, expected.to_string(), "{name}: {kind}");
    }
    for (_, program) in Continuation::ALL {
        assert!(row("CONTINUATIONS").iter().any(|cell| cell.contains(program)), "{program}");
    }
}

//! Keys of files: those that smoc knows, which it lists when it refuses one that it does not, and those that pages have.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use smoc_book::root;

/// A file with an unknown key at each place where keys can be, and what keys of that place begin with.
const AGENT: &[(&str, &str)] = &[
    ("", "nonsense: 1"),
    ("bpf.", "bpf: {nonsense: 1}"),
    ("paths.", "paths: {nonsense: 1}"),
    ("hellos.", "hellos: {nonsense: 1}"),
    ("probes.", "probes: {nonsense: 1}"),
    ("tables.", "tables: {nonsense: 1}"),
    ("metrics.", "metrics: {nonsense: 1}"),
    ("fabric_api.", "fabric_api: {nonsense: 1}"),
    ("web.", "web: {nonsense: 1}"),
    ("store.etcd.", "store: {etcd: {nonsense: 1}}"),
];
const TOPOLOGY: &[(&str, &str)] = &[
    ("", "links: []\nnonsense: 1"),
    ("switches[].", "switches: [{nonsense: 1}]"),
    ("links[].", "links: [{nonsense: 1}]"),
    ("hosts[].", "hosts: [{nonsense: 1}]"),
];

/// The keys that smoc says it knows where it meets another one.
fn known(verb: &[&str], places: &[(&str, &str)], head: &str) -> BTreeSet<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file.yaml");
    let mut keys = BTreeSet::new();
    for (prefix, text) in places {
        fs::write(&file, format!("{head}{text}\n")).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_smoc")).args(verb).arg(&file).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let list = said.split_once("known here: ").unwrap_or_else(|| panic!("{text}: {said}")).1;
        keys.extend(list.lines().next().unwrap().split(", ").map(|key| format!("{prefix}{key}")));
    }
    keys
}

/// The keys in the first column of the tables between two headings of a page.
fn documented(page: &str, from: &str, to: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let text = text.split_once(from).unwrap().1;
    let text = text.split_once(to).map_or(text, |(before, _)| before);
    let first_cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    first_cells
        .flat_map(|cell| cell.split('`').step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .filter(|key| !key.is_empty())
        .collect()
}

/// Every key has a row, unless those below it have, and every row is a key.
fn assert_same(page: &str, documented: &BTreeSet<String>, known: &BTreeSet<String>) {
    let has_rows_below = |key: &str| {
        let below = |other: &String| other.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', '[']));
        known.iter().any(below)
    };
    let missing: Vec<_> =
        known.iter().filter(|key| !documented.contains(*key) && !has_rows_below(key)).collect();
    assert!(missing.is_empty(), "{page} has no row for {missing:?}");
    let unknown: Vec<_> = documented.difference(known).collect();
    assert!(unknown.is_empty(), "{page} has rows for what smoc does not know: {unknown:?}");
}

#[test]
fn the_page_has_every_key_of_an_agents_configuration_and_no_other() {
    let page = "docs/configuration.md";
    let known = known(&["check"], AGENT, "switch: e1\nports: {1: p1}\n");
    assert_same(page, &documented(page, "## The agent of a switch", "## The topology"), &known);
}

#[test]
fn the_page_has_every_key_of_a_topology_and_no_other() {
    let page = "docs/configuration.md";
    assert_same(page, &documented(page, "## The topology", "\u{0}"), &known(&["check"], TOPOLOGY, ""));
}

#[test]
fn the_page_has_every_key_of_an_end_hosts_configuration_and_no_other() {
    let known = known(&["host", "--config"], &[("", "nonsense: 1")], "");
    assert_same("docs/host.md", &documented("docs/host.md", "## Configuration", "## Looking"), &known);
}

#[test]
fn the_page_has_every_alert_with_its_severity_and_time() {
    let output = Command::new(env!("CARGO_BIN_EXE_smoc")).args(["metrics", "alerts"]).output().unwrap();
    let rules = String::from_utf8(output.stdout).unwrap();
    let values = |key: &str| -> Vec<String> {
        let lines = rules.lines().map(|line| line.trim_start_matches(['-', ' ']));
        lines.filter_map(|line| Some(line.strip_prefix(key)?.trim_matches(['"', ' ']).to_owned())).collect()
    };
    let (names, times, severities) = (values("alert:"), values("for:"), values("severity:"));
    assert!(names.len() > 10 && names.len() == times.len() && names.len() == severities.len());
    let page = fs::read_to_string(root().join(Path::new("docs/operating.md"))).unwrap();
    for ((name, time), severity) in names.iter().zip(times).zip(severities) {
        let row = format!("| `{name}` | {severity} | {time} | ");
        assert!(page.contains(&row), "docs/operating.md has no row that begins with {row:?}");
    }
}

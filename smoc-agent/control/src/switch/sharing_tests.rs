//! The configuration of a fabric in its store, and what a switch makes of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Event, tests::Bench};
use crate::{
    config::{Config, Shared},
    store::{Bytes, Facts, Key, to_drain},
};

const FILE: &str =
    "switch: e1\nports: {1: p1, 2: p2, 9: p9}\nbridge: br0\ntables: {hosts: 64}\nhellos: {interval: 5ms}\n";

fn discovering() -> Bench {
    let mut bench = Bench::with(FILE);
    bench.pass(Duration::from_secs(20));
    bench
}

fn stored(records: &[(Key, &[u8])]) -> Event {
    let mut facts = Facts::default();
    for (key, bytes) in records {
        facts.update(key, Some(&Bytes::from(bytes.to_vec())));
    }
    Event::Stored(Arc::new(facts))
}

fn config(yaml: &str, written: u64) -> Event {
    stored(&[(Key::Config, &Shared::from_yaml(yaml).unwrap().to_bytes(written))])
}

/// Multiplier and interval of hellos, and the paths for each pair of edges.
fn heeded(bench: &Bench) -> (u32, Duration, usize) {
    let config = &bench.switch.config;
    (config.hellos.multiplier, config.hellos.interval, config.paths.count)
}

const OWN: Duration = Duration::from_millis(5);

#[test]
fn what_the_fabric_says_counts_where_the_file_says_nothing() {
    let mut bench = discovering();
    assert_eq!(heeded(&bench), (3, OWN, 8));
    bench.handle(config("hellos: {interval: 20ms, multiplier: 7}\npaths: {count: 2}\n", 5));
    bench.pass(Duration::from_secs(2));
    assert_eq!(heeded(&bench), (7, OWN, 2));
    assert_eq!(bench.switch.config.ports.len(), 3, "the rest is as it was");
    let shared = bench.snapshot().shared;
    let told: Vec<_> =
        shared.differences.iter().map(|it| (&it.key[..], &it.here[..], &it.fabric[..])).collect();
    assert_eq!((shared.written, told), (5, vec![("hellos.interval", "5ms", "20ms")]));
    assert!(bench.snapshot().warnings.is_empty(), "{:?}", bench.snapshot().warnings);
    bench.handle(stored(&[]));
    assert_eq!(heeded(&bench), (3, OWN, 8), "what the fabric does not say any more");
}

#[test]
fn a_bad_record_is_a_warning_and_the_last_good_one_stays() {
    let mut bench = discovering();
    bench.handle(config("hellos: {multiplier: 7}\n", 5));
    let records: [&[u8]; 5] = [
        b"{",
        br#"{"version":9,"config":{}}"#,
        br#"{"version":1,"config":{"hellos":{"multiplier":0}}}"#,
        br#"{"version":1,"config":{"switch":"e2"}}"#,
        br#"{"version":1,"config":{"paths":{"metric":"speed"}}}"#,
    ];
    for bad in records {
        bench.handle(stored(&[(Key::Config, bad)]));
        bench.pass(Duration::from_secs(2));
        assert_eq!(heeded(&bench), (7, OWN, 8));
        let warnings = bench.snapshot().warnings;
        assert!(warnings.iter().any(|warning| warning.contains("record config")), "{warnings:?}");
        assert_eq!(bench.snapshot().shared.written, 5);
    }
    bench.handle(config("hellos: {multiplier: 4}\n", 6));
    bench.pass(Duration::from_secs(2));
    assert_eq!(heeded(&bench), (4, OWN, 8));
    assert!(bench.snapshot().warnings.is_empty());
}

#[test]
fn a_file_that_is_read_again_keeps_what_the_fabric_says() {
    let mut bench = discovering();
    bench.handle(config("hellos: {interval: 20ms, multiplier: 7}\nspread: flows\n", 5));
    let before = bench.switch.config.clone();
    let text = FILE.replace("interval: 5ms", "multiplier: 9");
    let own = Arc::new(Config::parse(std::path::Path::new("e1.yaml"), &text).unwrap());
    let topology = bench.snapshot().topology;
    bench.handle(Event::Configured(own, topology));
    assert_eq!(heeded(&bench), (9, Duration::from_millis(20), 8));
    assert_eq!(bench.switch.config.spread, before.spread);
}

#[test]
fn what_the_store_drains_is_an_order_and_the_later_one_counts() {
    let mut bench = discovering();
    let reasons = |bench: &mut Bench| -> BTreeMap<String, String> {
        let records = bench.snapshot().records;
        records.under("drain/").map(|(name, why)| (name.to_owned(), why.to_owned())).collect()
    };
    let key = Key::Drain("e1".into());
    bench.handle(stored(&[(key.clone(), &to_drain(Some("new fan"), 5))]));
    bench.pass(Duration::from_secs(2));
    assert_eq!(reasons(&mut bench), [("e1".to_owned(), "new fan".to_owned())].into());
    bench.handle(stored(&[]));
    bench.pass(Duration::from_secs(2));
    assert_eq!(reasons(&mut bench).len(), 1, "a record that is gone takes nothing back");
    bench.handle(stored(&[(key.clone(), &to_drain(None, 4))]));
    bench.pass(Duration::from_secs(2));
    assert_eq!(reasons(&mut bench).len(), 1, "an earlier one");
    bench.handle(stored(&[(key, &to_drain(None, 6))]));
    bench.pass(Duration::from_secs(2));
    assert!(reasons(&mut bench).is_empty());
}

//! Damaged input, some thousand times: nothing panics, and what must hold holds. `SMOC_FUZZ=100` does a hundred times as
//! much.

use std::panic::{AssertUnwindSafe, catch_unwind};

use smoc_fuzz::damage::{Random, damaged};
use smoc_fuzz::{TARGETS, Target};
use smoc_paths::topology::Format;

fn survives(target: &Target, bytes: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes)));
    assert!(outcome.is_ok(), "{}: {:?} ({})", target.name, bytes, String::from_utf8_lossy(bytes));
}

#[test]
fn every_target_has_seeds_and_survives_them() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty() && seeds.iter().all(|seed| !seed.is_empty()), "{}", target.name);
        seeds.iter().for_each(|seed| survives(target, seed));
        survives(target, b"");
    }
}

#[test]
fn every_target_survives_damaged_seeds() {
    let factor = std::env::var("SMOC_FUZZ").map_or(2, |factor| factor.parse().unwrap());
    for target in TARGETS {
        let seeds = (target.seeds)();
        for (number, seed) in seeds.iter().enumerate() {
            let mut random = Random(number as u64);
            let other = &seeds[(number * 7 + 3) % seeds.len()];
            for _ in 0..target.times * factor {
                survives(target, &damaged(&mut random, seed, other));
            }
        }
    }
}

#[test]
fn the_seeds_of_every_format_are_of_that_format() {
    let formats = TARGETS.iter().skip_while(|target| target.name != "agent_view");
    let seeds = formats.flat_map(|target| (target.seeds)());
    let read: Vec<_> =
        seeds.map(|seed| Format::of(std::str::from_utf8(&seed).unwrap()).to_string()).collect();
    assert_eq!(read.len(), 21, "each file belongs to one target");
    let of_our_own = [Format::Smoc, Format::BrokenJson((0, String::new()))].map(|format| format.to_string());
    assert!(read.iter().all(|format| !of_our_own.contains(format)), "{read:?}");
}

#[test]
fn every_target_is_built_for_the_fuzzer() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/libfuzzer");
    let manifest = std::fs::read_to_string(format!("{directory}/Cargo.toml")).unwrap();
    for Target { name, .. } in TARGETS {
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/target.rs\"")),
            "{name}"
        );
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}

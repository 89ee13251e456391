//! The logging programs (`cargo xtask build-ebpf --log`) say what their slow path decides, and never a key. Needs root.

use smoc_common::event::{Note, Outcome};
use smoc_common::frames::Build;
use smoc_common::testing::scene::*;
use smoc_common::token::Version;
use smoc_tests::program::{Programs, XDP_REDIRECT};
use smoc_tests::testing::can_run;

const OBJECT: &str = "smoc-log.bpf.o";
/// Where aya-log's programs write.
const LOG: &str = "AYA_LOGS";
const KEYS: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

/// A switch in the kernel with what `edge` knows.
fn programs() -> Programs {
    let mut programs = Programs::load(OBJECT).unwrap();
    programs.fill(&edge(0)).unwrap();
    programs
}

fn contains(record: &[u8], part: &[u8]) -> bool {
    record.windows(part.len()).any(|window| window == part)
}

/// Runs a frame that A sends and gives back what was said about it.
fn say(programs: &mut Programs, frame: &[u8]) -> Vec<Vec<u8>> {
    let (action, _) = programs.run("smoc_host", &mut frame.to_vec(), 1).unwrap();
    assert_eq!(action, XDP_REDIRECT);
    programs.records(LOG).unwrap()
}

#[test]
fn the_slow_path_says_what_it_decides_and_why() {
    if !can_run("the_slow_path_says_what_it_decides_and_why") {
        return;
    }
    let mut programs = programs();
    let [(_, syn), ..] = handshake(Version::V1, [A, B], KEYS);
    let said = say(&mut programs, &syn);
    let text = format!("{}: {}", Outcome::Handshake.name(), Outcome::Handshake.help());
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(contains(&said[0], text.as_bytes()) && contains(&said[0], &A.address.octets()), "{said:?}");
    assert!(contains(&said[0], &A.port.to_ne_bytes()) && contains(&said[0], &B.port.to_ne_bytes()));

    let [(_, join), ..] = join_handshake(A_OTHER, B_OTHER, 0x0bad_cafe);
    let said = say(&mut programs, &join);
    let why = format!("{}: {}", Note::JoinUnknownToken.name(), Note::JoinUnknownToken.help());
    assert_eq!(said.len(), 2, "what was noted and what became of it: {said:?}");
    assert!(contains(&said[0], why.as_bytes()), "{said:?}");
    assert!(contains(&said[1], text.as_bytes()), "notes of the last frame are not told again: {said:?}");

    let said = say(&mut programs, &Build::udp(A, B).payload(b"udp").frame());
    assert!(said.len() == 1 && contains(&said[0], Outcome::Plain.name().as_bytes()), "{said:?}");
}

#[test]
fn no_key_is_ever_logged() {
    if !can_run("no_key_is_ever_logged") {
        return;
    }
    for version in [Version::V0, Version::V1] {
        let mut programs = programs();
        let mut said = Vec::new();
        for (from, frame) in handshake(version, [A, B], KEYS) {
            let mut frame = frame;
            if from == A {
                programs.run("smoc_host", &mut frame, 1).unwrap();
            } else {
                // Off the fabric, on rank 0, its route used up.
                frame[..12].copy_from_slice(&[2, 0x53, 0x4d, 0, 0, 0, 2, 0, 0, 0, 0, 1]);
                programs.run("smoc_fabric", &mut frame, 1).unwrap();
            }
            said.extend(programs.records(LOG).unwrap());
        }
        let bound = said.iter().filter(|record| contains(record, Note::Bound.help().as_bytes())).count();
        assert_eq!(bound, 1, "the keys were seen: {said:?}");
        for key in KEYS {
            for bytes in [key.to_be_bytes(), key.to_le_bytes()] {
                assert!(!said.iter().any(|record| contains(record, &bytes)), "a key in {said:?}");
            }
        }
    }
}

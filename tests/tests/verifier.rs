//! What the XDP programs cost the kernel's verifier, against smoc-ebpf/verifier-ceilings.yaml. Needs root.

use std::collections::BTreeMap;
use std::path::Path;

use aya::Ebpf;
use aya::programs::Program;
use smoc_tests::testing::can_run;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Instructions processed, or the highest number allowed, by program name.
type Costs = BTreeMap<String, u32>;

fn ceilings() -> Costs {
    let path = Path::new(ROOT).join("smoc-ebpf/verifier-ceilings.yaml");
    let text = std::fs::read_to_string(&path).expect("the ceilings are in the repository");
    serde_saphyr::from_str(&text).expect("the ceilings are a map from program name to a number")
}

/// Loads every program of an object and asks the kernel what that took.
fn costs(name: &str) -> Costs {
    let object = smoc_tests::program::object(name);
    let mut object = Ebpf::load_file(&object)
        .unwrap_or_else(|error| panic!("{}: {error} (`cargo xtask build-ebpf` makes it)", object.display()));
    assert_eq!(object.map("AYA_LOGS").is_some(), name == "smoc-log.bpf.o", "only the logging programs log");
    let cost = |(name, program): (&str, &mut Program)| {
        let Program::Xdp(program) = program else { panic!("{name} is not an XDP program") };
        program.load().unwrap_or_else(|error| panic!("the kernel refuses {name}: {error}"));
        let info = program.info().expect("the program is loaded");
        (name.to_owned(), info.verified_instruction_count().expect("the kernel is 5.16 or newer"))
    };
    object.programs_mut().map(cost).collect()
}

/// Whether every program has a ceiling and stays below it.
fn check(object: &str) {
    let (ceilings, costs) = (ceilings(), costs(object));
    for (program, cost) in &costs {
        println!("verifier: {program} of {object} takes {cost} of {:?} instructions", ceilings.get(program));
    }
    assert_eq!(
        costs.keys().collect::<Vec<_>>(),
        ceilings.keys().collect::<Vec<_>>(),
        "programs and ceilings"
    );
    for (program, cost) in costs {
        let ceiling = ceilings[&program];
        assert!(
            cost <= ceiling,
            "{program} of {object} costs the verifier {cost} instructions, over its ceiling of {ceiling}"
        );
    }
}

#[test]
fn every_program_has_a_ceiling_and_stays_below_it() {
    if can_run("every_program_has_a_ceiling_and_stays_below_it") {
        check("smoc.bpf.o");
    }
}

#[test]
fn the_logging_programs_stay_below_the_same_ceilings() {
    if can_run("the_logging_programs_stay_below_the_same_ceilings") {
        check("smoc-log.bpf.o");
    }
}

//! What the XDP programs cost the kernel's verifier, against smoc-ebpf/verifier-ceilings.yaml. Needs root.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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

/// Loads every program of the object and asks the kernel what that took.
fn costs() -> Costs {
    let built = || Path::new(ROOT).join("target/bpf/smoc.bpf.o");
    let object = std::env::var_os("SMOC_BPF_OBJECT").map_or_else(built, PathBuf::from);
    let mut object = Ebpf::load_file(&object)
        .unwrap_or_else(|error| panic!("{}: {error} (`cargo xtask build-ebpf` makes it)", object.display()));
    let cost = |(name, program): (&str, &mut Program)| {
        let Program::Xdp(program) = program else { panic!("{name} is not an XDP program") };
        program.load().unwrap_or_else(|error| panic!("the kernel refuses {name}: {error}"));
        let info = program.info().expect("the program is loaded");
        (name.to_owned(), info.verified_instruction_count().expect("the kernel is 5.16 or newer"))
    };
    object.programs_mut().map(cost).collect()
}

#[test]
fn every_program_has_a_ceiling_and_stays_below_it() {
    if !can_run("every_program_has_a_ceiling_and_stays_below_it") {
        return;
    }
    let ceilings = ceilings();
    let costs = costs();
    for (program, cost) in &costs {
        println!("verifier: {program} takes {cost} of {:?} instructions", ceilings.get(program));
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
            "{program} costs the verifier {cost} instructions, over its ceiling of {ceiling}"
        );
    }
}

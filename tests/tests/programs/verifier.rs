//! What the XDP programs cost the kernel's verifier, against smoc-ebpf/verifier-ceilings.yaml. Needs root.

use std::collections::BTreeMap;
use std::path::Path;

use aya::Ebpf;
use aya::programs::Program;
use caps::{CapSet, Capability};
use smoc_tests::testing::can_run;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Instructions processed, or the highest number allowed, by program name.
type Costs = BTreeMap<String, u32>;

/// For whom: `with CAP_PERFMON` or `without CAP_PERFMON`.
fn ceilings(whose: &str) -> Costs {
    let path = Path::new(ROOT).join("smoc-ebpf/verifier-ceilings.yaml");
    let text = std::fs::read_to_string(&path).expect("the ceilings are in the repository");
    let mut all: BTreeMap<String, Costs> =
        serde_saphyr::from_str(&text).expect("the ceilings are numbers by program");
    all.remove(whose).expect("the ceilings are for agents with and without CAP_PERFMON")
}

/// Loads every program of an object and asks the kernel what that took.
fn costs(name: &str) -> Costs {
    let object = smoc_tests::program::object(name);
    let mut object = Ebpf::load_file(&object)
        .unwrap_or_else(|error| panic!("{}: {error} (`cargo xtask build-ebpf` makes it)", object.display()));
    assert_eq!(object.map("AYA_LOGS").is_some(), name == "smoc-log.bpf.o", "only the logging programs log");
    let is_capturing = name == "smoc-capture.bpf.o";
    assert_eq!(object.map("CAPTURES").is_some(), is_capturing, "only the capturing programs capture");
    let cost = |(name, program): (&str, &mut Program)| {
        let Program::Xdp(program) = program else { panic!("{name} is not an XDP program") };
        program.load().unwrap_or_else(|error| panic!("the kernel refuses {name}: {error}"));
        let info = program.info().expect("the program is loaded");
        (name.to_owned(), info.verified_instruction_count().expect("the kernel is 5.16 or newer"))
    };
    object.programs_mut().map(cost).collect()
}

/// Whether every program has a ceiling and stays below it.
fn check(object: &str, whose: &str) {
    check_costs(object, costs(object), whose);
}

fn check_costs(object: &str, costs: Costs, whose: &str) {
    let ceilings = ceilings(whose);
    for (program, cost) in &costs {
        let ceiling = ceilings.get(program);
        println!("verifier: {program} of {object} takes {cost} of {ceiling:?} instructions {whose}");
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
        check("smoc.bpf.o", "with CAP_PERFMON");
    }
}

#[test]
fn the_three_capabilities_of_the_agent_are_enough_to_load() {
    if !can_run("the_three_capabilities_of_the_agent_are_enough_to_load") {
        return;
    }
    as_the_agent(|| check("smoc.bpf.o", "without CAP_PERFMON"));
}

/// Does something with no more capabilities than an agent needs. Capabilities are a thread's own.
fn as_the_agent(work: fn()) {
    let limited = move || {
        let needed = [Capability::CAP_NET_ADMIN, Capability::CAP_BPF, Capability::CAP_NET_RAW];
        caps::set(None, CapSet::Effective, &needed.into()).expect("what is had can be given up");
        work();
    };
    std::thread::scope(|scope| scope.spawn(limited).join().expect("it loads"));
}

/// Those of the programs that run while frames are captured, and of the one that captures.
fn check_capturing(whose: &str) {
    let mut costs = costs("smoc-capture.bpf.o");
    let capture = costs.remove("smoc_capture").expect("it captures");
    println!("verifier: smoc_capture takes {capture} instructions {whose}");
    assert!(capture < 100_000, "smoc_capture costs the verifier {capture} instructions {whose}");
    check_costs("smoc-capture.bpf.o", costs, whose);
}

#[test]
fn the_capturing_programs_stay_below_the_same_ceilings() {
    if can_run("the_capturing_programs_stay_below_the_same_ceilings") {
        check_capturing("with CAP_PERFMON");
        as_the_agent(|| check_capturing("without CAP_PERFMON"));
    }
}

#[test]
fn the_logging_programs_stay_below_the_same_ceilings() {
    if can_run("the_logging_programs_stay_below_the_same_ceilings") {
        check("smoc-log.bpf.o", "with CAP_PERFMON");
    }
}

//! What the machine gives the agent.

use crate::doctor::{Check, Facts, Finding, Fix, Kernel, Switch};

/// The oldest Linux on which the programs were run (`cargo xtask kernels`).
const OLDEST: Kernel = Kernel::new(6, 12);
/// The oldest on which they were run without CAP_PERFMON.
const LENIENT: Kernel = Kernel::new(6, 18);

const NET_ADMIN: u32 = 12;
const NET_RAW: u32 = 13;
const SYS_ADMIN: u32 = 21;
const SYS_NICE: u32 = 23;
const PERFMON: u32 = 38;
const BPF: u32 = 39;
/// What the agent needs: name, bit, and a bit that stands for it as well.
const NEEDED: [(&str, u32, Option<u32>); 3] =
    [("CAP_NET_ADMIN", NET_ADMIN, None), ("CAP_NET_RAW", NET_RAW, None), ("CAP_BPF", BPF, Some(SYS_ADMIN))];

fn has(switch: &Switch, bit: u32) -> bool {
    switch.capabilities >> bit & 1 == 1
}

pub(super) fn kernel(facts: &Facts, _: &Switch) -> Vec<Finding> {
    let check = Check::SwitchKernel;
    vec![match facts.kernel {
        None => check.note("the version of the kernel cannot be read"),
        Some(kernel) if kernel < OLDEST => {
            check.fault(format!("{kernel} is too old: install {OLDEST} or newer"))
        }
        Some(kernel) => check.ok(kernel.to_string()),
    }]
}

pub(super) fn capabilities(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Capabilities;
    let whose = if switch.agent.is_ok() { "the agent" } else { "whoever runs this" };
    let lacks =
        |(_, bit, or): &&(_, u32, Option<u32>)| !has(switch, *bit) && !or.is_some_and(|or| has(switch, or));
    let missing: Vec<&str> = NEEDED.iter().filter(lacks).map(|(name, ..)| *name).collect();
    vec![if !missing.is_empty() {
        let found = format!("{whose} lacks {}", missing.join(" and "));
        check.fault(found).by_hand("setcap cap_net_admin,cap_net_raw,cap_bpf,cap_perfmon+ep /usr/bin/smoc")
    } else if !has(switch, PERFMON) && !has(switch, SYS_ADMIN) {
        let found = format!("{whose} lacks CAP_PERFMON");
        match facts.kernel {
            Some(kernel) if kernel < LENIENT => check
                .fault(format!("{found}: the verifier of {kernel} refuses the programs without it"))
                .by_hand("systemctl edit smoc  # [Service] CapabilityBoundingSet=CAP_PERFMON"),
            _ => check.note(format!("{found}, which makes the programs faster")),
        }
    } else {
        check.ok(format!("{whose} has all of them"))
    }]
}

pub(super) fn real_time(_: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::RealTime;
    vec![if switch.agent.is_err() {
        check.note("no agent to ask")
    } else if has(switch, SYS_NICE) || switch.real_time.is_some_and(|priority| priority > 0) {
        check.ok("it may")
    } else if switch.real_time.is_none() {
        check.note("the limit cannot be read")
    } else {
        let command = "systemctl edit smoc  # [Service] LimitRTPRIO=1";
        check.note("neither LimitRTPRIO=1 nor CAP_SYS_NICE").by_hand(command)
    }]
}

pub(super) fn bpf_file_system(_: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::BpfFileSystem;
    let path = switch.pins.path.display();
    vec![match &switch.pins.missing_mount {
        Some(at) => check.fault(format!("{path} is on none")).safe(Fix::MountBpf(at.clone())),
        None => check.ok(format!("{path} is on one")),
    }]
}

pub(super) fn pin_directory(_: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::PinDirectory;
    let path = &switch.pins.path;
    vec![match switch.pins.owner {
        None => check.ok(format!("{} does not exist yet: the agent makes it", path.display())),
        Some((_, mode)) if mode & 0o022 != 0 => {
            check.fault(format!("others may write to {}", path.display())).safe(Fix::Close(path.clone()))
        }
        Some((user, _)) if user != 0 => check.note(format!("{} belongs to user {user}", path.display())),
        Some(_) => check.ok("nobody else may write there"),
    }]
}

pub(super) fn jit(facts: &Facts, _: &Switch) -> Vec<Finding> {
    let check = Check::Jit;
    let path = "net/core/bpf_jit_enable";
    vec![match facts.setting(path) {
        Some("0") => check.warning("the JIT is off").safe(Fix::setting(path, "1")),
        Some("2") => {
            check.warning("2 writes every program to the kernel's log").safe(Fix::setting(path, "1"))
        }
        Some(_) => check.ok("the JIT is on"),
        None => check.note("cannot be read here: other network namespaces than the first one do not show it"),
    }]
}

pub(super) fn unprivileged_bpf(facts: &Facts, _: &Switch) -> Vec<Finding> {
    let check = Check::UnprivilegedBpf;
    let path = "kernel/unprivileged_bpf_disabled";
    vec![match facts.setting(path) {
        // Other programs of the machine may rely on it.
        Some("0") => check.note("local users may load programs").by_hand(Fix::setting(path, "2").to_string()),
        Some(_) => check.ok("local users may not load programs"),
        None => check.ok("this kernel lets no local user load programs"),
    }]
}

pub(super) fn clock(_: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Clock;
    vec![match switch.clock_is_synchronised {
        Some(true) => check.ok("it is"),
        Some(false) => {
            check.note("nothing keeps this clock synchronised").by_hand("timedatectl set-ntp true")
        }
        None => check.note("the kernel does not say"),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{
        Severity,
        testing::{set, switch, worst},
    };

    #[test]
    fn old_kernels_are_refused() {
        let of = |kernel| worst(Check::SwitchKernel, |facts| facts.kernel = Some(kernel)).severity;
        assert_eq!(of(Kernel::new(6, 1)), Severity::Fault);
        assert_eq!(of(Kernel::new(6, 12)), Severity::Ok);
    }

    #[test]
    fn missing_capabilities_are_named() {
        let of = |bits: &[u32]| {
            let mask = bits.iter().fold(0, |mask, bit| mask | 1 << bit);
            worst(Check::Capabilities, |facts| switch(facts).capabilities = mask)
        };
        assert!(of(&[NET_RAW]).found.ends_with("lacks CAP_NET_ADMIN and CAP_BPF"));
        assert_eq!(of(&[NET_RAW, NET_ADMIN, BPF]).severity, Severity::Note, "CAP_PERFMON");
        let before = worst(Check::Capabilities, |facts| {
            facts.kernel = Some(Kernel::new(6, 12));
            switch(facts).capabilities = 1 << NET_RAW | 1 << NET_ADMIN | 1 << BPF;
        });
        assert!(before.severity == Severity::Fault && before.found.contains("6.12 refuses"), "{before:?}");
        assert_eq!(of(&[NET_RAW, NET_ADMIN, SYS_ADMIN]).severity, Severity::Ok);
        let slow = worst(Check::RealTime, |facts| {
            switch(facts).capabilities &= !(1 << SYS_NICE);
            switch(facts).real_time = Some(0);
        });
        assert_eq!((slow.severity, slow.command().is_some()), (Severity::Note, true));
    }

    #[test]
    fn the_place_of_pins_is_made_and_closed() {
        let none = worst(Check::BpfFileSystem, |facts| {
            switch(facts).pins.missing_mount = Some("/sys/fs/bpf".into());
        });
        assert_eq!(none.command().as_deref(), Some("mount -t bpf bpf /sys/fs/bpf"));
        let of = |owner| worst(Check::PinDirectory, |facts| switch(facts).pins.owner = owner);
        assert_eq!(of(Some((0, 0o777))).command().as_deref(), Some("chmod 700 /sys/fs/bpf/smoc"));
        assert_eq!(of(Some((65534, 0o700))).severity, Severity::Note);
        assert_eq!(of(None).severity, Severity::Ok);
    }

    #[test]
    fn settings_of_the_machine_are_judged() {
        let jit =
            |value: &str| worst(Check::Jit, |facts| set(facts, "net/core/bpf_jit_enable", value)).severity;
        assert_eq!([jit("0"), jit("1"), jit("2")], [Severity::Warning, Severity::Ok, Severity::Warning]);
        let open = worst(Check::UnprivilegedBpf, |facts| set(facts, "kernel/unprivileged_bpf_disabled", "0"));
        assert_eq!((open.severity, open.fix()), (Severity::Note, None));
        let adrift = worst(Check::Clock, |facts| switch(facts).clock_is_synchronised = Some(false));
        assert_eq!(adrift.severity, Severity::Note);
    }
}

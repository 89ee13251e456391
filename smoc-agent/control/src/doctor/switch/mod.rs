//! Switches.

mod agent;
mod bridge;
mod drivers;
mod hardware;
mod keys;
mod machine;
mod ports;

use super::{Facts, Finding, Switch};

/// What is found on a switch.
pub(super) fn findings(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let judges: [fn(&Facts, &Switch) -> Vec<Finding>; 32] = [
        agent::configuration,
        machine::kernel,
        machine::capabilities,
        machine::real_time,
        machine::bpf_file_system,
        machine::pin_directory,
        machine::jit,
        machine::unprivileged_bpf,
        machine::clock,
        agent::answers,
        agent::warnings,
        agent::broken_paths,
        agent::etcd,
        ports::exist,
        ports::mode,
        ports::foreign_programs,
        ports::mtu,
        drivers::known,
        drivers::veth_peers,
        hardware::receive_vlan,
        hardware::lro,
        hardware::gro,
        hardware::queues,
        hardware::interrupts,
        bridge::bridge,
        bridge::loops,
        bridge::strangers,
        bridge::filter,
        bridge::forwarding,
        bridge::reverse_path,
        keys::keys,
        keys::guard,
    ];
    judges.iter().flat_map(|judge| judge(facts, switch)).collect()
}

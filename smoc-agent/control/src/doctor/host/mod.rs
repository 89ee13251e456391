//! End hosts.

mod addresses;
mod mptcp;
mod tcp;
mod use_of_mptcp;

use super::{Facts, Finding, Host};

/// What is found on an end host.
pub(super) fn findings(facts: &Facts, host: &Host) -> Vec<Finding> {
    let judges: [fn(&Facts, &Host) -> Vec<Finding>; 25] = [
        mptcp::kernel,
        mptcp::enabled,
        mptcp::works,
        mptcp::path_manager,
        mptcp::limits,
        mptcp::endpoints,
        mptcp::foreign_endpoints,
        mptcp::join_initial,
        mptcp::scheduler,
        use_of_mptcp::black_hole,
        use_of_mptcp::connections,
        use_of_mptcp::fallbacks,
        use_of_mptcp::joins,
        use_of_mptcp::window,
        tcp::syn_cookies,
        tcp::congestion_control,
        tcp::buffers,
        tcp::join_ports,
        addresses::arp,
        addresses::source_routing,
        addresses::reverse_path,
        addresses::checksums,
        addresses::gro,
        addresses::tags,
        addresses::reach,
    ];
    judges.iter().flat_map(|judge| judge(facts, host)).collect()
}

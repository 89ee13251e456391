//! The kernel's MPTCP and its path manager.

use crate::{
    doctor::{Check, EndpointFact, Facts, Finding, Fix, Host, Kernel, Loopback},
    end_host::{Flags, Limits, config::Mode},
};

/// The first Linux with MPTCP.
const MPTCP: Kernel = Kernel::new(5, 6);
/// The first one with ports in endpoints.
const ENDPOINT_PORTS: Kernel = Kernel::new(5, 12);
/// What `smoc host` sets for 4 subflows where a host is both server and client.
const USUAL: Limits = Limits { subflows: 4, add_addr_accepted: 3 };

pub(super) fn kernel(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::HostKernel;
    vec![match facts.kernel {
        None => check.note("the version of the kernel cannot be read"),
        Some(kernel) if kernel < MPTCP => {
            check.fault(format!("{kernel} has no MPTCP v1: install 5.6 or newer"))
        }
        Some(kernel) if kernel < ENDPOINT_PORTS => {
            check.warning(format!("{kernel} has no endpoints with ports: install 5.12 or newer on servers"))
        }
        Some(kernel) => check.ok(kernel.to_string()),
    }]
}

pub(super) fn enabled(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::Enabled;
    let path = "net/mptcp/enabled";
    vec![match facts.setting(path) {
        None => check.fault("this kernel has no MPTCP: use one with CONFIG_MPTCP"),
        Some("0") => check.fault("MPTCP is switched off").safe(Fix::setting(path, "1")),
        Some(_) => check.ok("MPTCP is switched on"),
    }]
}

pub(super) fn works(_: &Facts, host: &Host) -> Vec<Finding> {
    let check = Check::Works;
    vec![match &host.loopback {
        Loopback::Mptcp => check.ok("an MPTCP connection to 127.0.0.1 is one"),
        Loopback::BlackHoled => check.note("a connection to 127.0.0.1 is plain TCP: see mptcp-black-hole"),
        Loopback::FellBack => check.warning(
            "a connection to 127.0.0.1 fell back to TCP: look for rules that change TCP options on lo",
        ),
        Loopback::Failed(why) => check.note(format!("a connection to 127.0.0.1 could not be tried: {why}")),
    }]
}

/// What limits and endpoints count for while `smoc host` decides for each connection: nothing.
fn left_to_smoc(check: Check, host: &Host) -> Option<Vec<Finding>> {
    let is_so = host.mode == Some(Mode::Userspace);
    is_so.then(|| vec![check.ok("smoc host decides for each connection (mode userspace)")])
}

pub(super) fn path_manager(facts: &Facts, host: &Host) -> Vec<Finding> {
    let check = Check::PathManager;
    if let Some(fine) = left_to_smoc(check, host).filter(|_| host.mptcpd.is_none()) {
        return fine;
    }
    let mut wrong = Vec::new();
    if let Some(pid) = host.mptcpd {
        let found = format!("mptcpd runs (pid {pid}), and smoc host leaves such a host alone");
        wrong.push(check.warning(found).by_hand("systemctl disable --now mptcp"));
    }
    let by_name = facts.setting("net/mptcp/path_manager").filter(|name| *name != "kernel");
    let by_number = facts.setting("net/mptcp/pm_type").filter(|number| *number != "0");
    let other = match (by_name, by_number) {
        (Some(name), _) => Some((name.to_owned(), Fix::setting("net/mptcp/path_manager", "kernel"))),
        (None, Some(number)) => Some((format!("type {number}"), Fix::setting("net/mptcp/pm_type", "0"))),
        (None, None) => None,
    };
    if let Some((name, fix)) = other {
        let fault = check.fault(format!(
            "the path manager of new connections is \"{name}\", not \"kernel\": endpoints and limits have no effect"
        ));
        // With mptcpd it is meant so.
        wrong.push(match host.mptcpd {
            Some(_) => fault.by_hand(fix.to_string()),
            None => fault.safe(fix),
        });
    }
    check.all(wrong, "new connections have the kernel's path manager")
}

pub(super) fn limits(_: &Facts, host: &Host) -> Vec<Finding> {
    let check = Check::Limits;
    if let Some(fine) = left_to_smoc(check, host) {
        return fine;
    }
    let Some(limits) = host.limits else { return vec![check.note("the path manager does not answer")] };
    let raised = Fix::Limits(Limits {
        subflows: limits.subflows.max(USUAL.subflows),
        add_addr_accepted: limits.add_addr_accepted.max(USUAL.add_addr_accepted),
    });
    let opens_its_own = host.endpoints.iter().any(|endpoint| endpoint.flags.has(Flags::SUBFLOW));
    let tells = host.endpoints.iter().any(|endpoint| endpoint.flags.has(Flags::SIGNAL));
    vec![if limits.subflows == 0 {
        check.fault(format!("{limits}: connections have one subflow")).safe(raised)
    } else if limits.add_addr_accepted == 0 && !opens_its_own && !tells {
        check
            .warning(format!("{limits}, and no endpoints: as a client it opens no further subflow"))
            .safe(raised)
    } else {
        check.ok(limits.to_string())
    }]
}

pub(super) fn endpoints(facts: &Facts, host: &Host) -> Vec<Finding> {
    let check = Check::Endpoints;
    if let Some(fine) = left_to_smoc(check, host) {
        return fine;
    }
    if host.endpoints.is_empty() {
        let accepts = host.limits.is_some_and(|limits| limits.add_addr_accepted > 0);
        let found =
            "there are none: connections have further subflows only if the other host tells of addresses";
        return vec![if accepts {
            check.note(format!("{found}, as fits a client with one address"))
        } else {
            check.warning(found).by_hand("smoc host")
        }];
    }
    let is_there = |endpoint: &&EndpointFact| {
        facts.links.iter().flat_map(|link| &link.addresses).any(|net| net.addr() == endpoint.address)
    };
    let missing = host.endpoints.iter().filter(|endpoint| !is_there(endpoint)).map(|endpoint| {
        let found = format!("endpoint {} is of {}, which no interface has", endpoint.id, endpoint.address);
        check.warning(found).by_hand(format!("ip mptcp endpoint delete id {}", endpoint.id))
    });
    let backup = host.endpoints.iter().filter(|endpoint| endpoint.flags.has(Flags::BACKUP)).map(|endpoint| {
        let found = format!("endpoint {} ({}) is a backup", endpoint.id, endpoint.address);
        check.warning(found).by_hand(format!("ip mptcp endpoint change id {} nobackup", endpoint.id))
    });
    check.all(missing.chain(backup), format!("{} endpoints", host.endpoints.len()))
}

pub(super) fn foreign_endpoints(_: &Facts, host: &Host) -> Vec<Finding> {
    let check = Check::ForeignEndpoints;
    let foreign = host.endpoints.iter().filter(|endpoint| endpoint.is_foreign);
    let found = foreign.map(|endpoint| {
        let found =
            format!("endpoint {} ({} {}) is not smoc host's", endpoint.id, endpoint.address, endpoint.flags);
        check.note(found)
    });
    let fine = match host.daemon {
        Some(pid) => format!("smoc host runs (pid {pid}); all endpoints are its own"),
        None => "there are none; smoc host does not run".to_owned(),
    };
    check.all(found, fine)
}

pub(super) fn join_initial(facts: &Facts, host: &Host) -> Vec<Finding> {
    let check = Check::JoinInitial;
    let path = "net/mptcp/allow_join_initial_addr_port";
    let tells = host.endpoints.iter().any(|endpoint| endpoint.flags.has(Flags::SIGNAL));
    vec![match facts.setting(path) {
        None => check.ok("this kernel always lets others join at the first address"),
        Some("0") if tells => check.note(
            "0: joins come only to the addresses that signal endpoints tell of, as behind a load balancer",
        ),
        Some("0") => {
            check.warning("0, and no signal endpoint: nobody can join").safe(Fix::setting(path, "1"))
        }
        Some(value) => check.ok(value),
    }]
}

pub(super) fn scheduler(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::Scheduler;
    let path = "net/mptcp/scheduler";
    vec![match facts.setting(path) {
        None | Some("default") => check.ok("default"),
        Some(other) => {
            let found = format!("the scheduler is \"{other}\"");
            check.note(found).by_hand(Fix::setting(path, "default").to_string())
        }
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{
        Severity,
        testing::{host, set, worst},
    };

    #[test]
    fn kernels_without_mptcp_or_ports_are_told_apart() {
        let of = |kernel| worst(Check::HostKernel, |facts| facts.kernel = kernel).severity;
        assert_eq!(of(Some(Kernel::new(5, 4))), Severity::Fault);
        assert_eq!(of(Some(Kernel::new(5, 10))), Severity::Warning);
        assert_eq!(of(Some(Kernel::new(5, 12))), Severity::Ok);
        assert_eq!(of(None), Severity::Note);
    }

    #[test]
    fn mptcp_that_is_off_is_switched_on() {
        let off = worst(Check::Enabled, |facts| set(facts, "net/mptcp/enabled", "0"));
        assert_eq!(
            (off.severity, off.command().as_deref()),
            (Severity::Fault, Some("sysctl -w net.mptcp.enabled=1"))
        );
        let none = worst(Check::Enabled, |facts| drop(facts.settings.remove("net/mptcp/enabled")));
        assert_eq!(
            (none.severity, none.fix()),
            (Severity::Fault, None),
            "nothing switches on what is not built"
        );
    }

    #[test]
    fn a_connection_to_itself_shows_whether_mptcp_works() {
        let of = |loopback| worst(Check::Works, |facts| host(facts).loopback = loopback).severity;
        assert_eq!(of(Loopback::Mptcp), Severity::Ok);
        assert_eq!(of(Loopback::FellBack), Severity::Warning);
        assert_eq!(of(Loopback::BlackHoled), Severity::Note);
        assert_eq!(of(Loopback::Failed("no lo".into())), Severity::Note);
    }

    #[test]
    fn another_path_manager_is_replaced_unless_mptcpd_runs() {
        let by_number = worst(Check::PathManager, |facts| {
            facts.settings.remove("net/mptcp/path_manager");
            set(facts, "net/mptcp/pm_type", "1");
        });
        assert_eq!((by_number.severity, by_number.fix().is_some()), (Severity::Fault, true));
        let by_name = worst(Check::PathManager, |facts| set(facts, "net/mptcp/path_manager", "userspace"));
        assert_eq!(by_name.command().as_deref(), Some("sysctl -w net.mptcp.path_manager=kernel"));
        let meant = worst(Check::PathManager, |facts| {
            set(facts, "net/mptcp/path_manager", "userspace");
            host(facts).mptcpd = Some(7);
        });
        assert_eq!((meant.severity, meant.fix()), (Severity::Fault, None));
    }

    #[test]
    fn where_smoc_host_decides_limits_and_endpoints_do_not_count() {
        for check in [Check::PathManager, Check::Limits, Check::Endpoints] {
            let fine = worst(check, |facts| {
                set(facts, "net/mptcp/path_manager", "userspace");
                let host = host(facts);
                host.mode = Some(Mode::Userspace);
                host.endpoints.clear();
                host.limits = Some(Limits::DEFAULT);
            });
            assert_eq!(fine.severity, Severity::Ok, "{fine:?}");
        }
    }

    #[test]
    fn limits_are_raised_and_never_lowered() {
        let of = |subflows, add_addr_accepted| {
            worst(Check::Limits, |facts| {
                host(facts).limits = Some(Limits { subflows, add_addr_accepted });
                host(facts).endpoints.clear();
            })
        };
        let none = of(0, 8);
        assert_eq!(
            (none.severity, none.command().as_deref()),
            (Severity::Fault, Some("ip mptcp limits set subflows 4 add_addr_accepted 8"))
        );
        assert_eq!(of(2, 0).severity, Severity::Warning);
        assert_eq!(of(2, 2).severity, Severity::Ok);
    }

    #[test]
    fn endpoints_that_are_of_no_use_are_named() {
        let with = |address: &str, flags| {
            let endpoint = EndpointFact { id: 3, address: address.parse().unwrap(), flags, is_foreign: true };
            move |facts: &mut Facts| host(facts).endpoints = vec![endpoint]
        };
        let gone = worst(Check::Endpoints, with("10.0.0.99", Flags::SIGNAL));
        assert_eq!(
            (gone.severity, gone.command().as_deref()),
            (Severity::Warning, Some("ip mptcp endpoint delete id 3"))
        );
        let backup = worst(Check::Endpoints, with("10.0.0.1", Flags::SUBFLOW.and(Flags::BACKUP)));
        assert!(backup.found.contains("is a backup"), "{backup:?}");
        assert_eq!(worst(Check::Endpoints, with("10.0.0.1", Flags::SIGNAL)).severity, Severity::Ok);
        assert_eq!(worst(Check::ForeignEndpoints, with("10.0.0.1", Flags::SIGNAL)).severity, Severity::Note);
        let none = worst(Check::Endpoints, |facts| {
            host(facts).endpoints.clear();
            host(facts).limits = Some(Limits::DEFAULT);
        });
        assert_eq!((none.severity, none.command().as_deref()), (Severity::Warning, Some("smoc host")));
    }

    #[test]
    fn who_forbids_joins_needs_endpoints() {
        let path = "net/mptcp/allow_join_initial_addr_port";
        let tells = worst(Check::JoinInitial, |facts| set(facts, path, "0"));
        assert_eq!(tells.severity, Severity::Note, "well() has a signal endpoint");
        let alone = worst(Check::JoinInitial, |facts| {
            set(facts, path, "0");
            host(facts).endpoints.clear();
        });
        assert_eq!((alone.severity, alone.fix().is_some()), (Severity::Warning, true));
        let other = worst(Check::Scheduler, |facts| set(facts, "net/mptcp/scheduler", "bpf_red"));
        assert_eq!((other.severity, other.fix()), (Severity::Note, None));
    }
}

//! What the kernel has counted since it started, or since the network namespace exists.

use crate::doctor::{Check, Facts, Finding, Fix, Host, Loopback};

/// What counts as connections that ended up as TCP, by counter and what it means.
const FALLBACKS: [(&str, &str); 6] = [
    ("MPCapableFallbackSYNACK", "the other host answered without MPTCP"),
    ("MPCapableFallbackACK", "the third ACK came without MPTCP"),
    ("MPCapableDataFallback", "the first data came without MPTCP"),
    ("DssFallback", "data came without its mapping"),
    ("DSSCorruptionFallback", "mappings did not fit the data"),
    ("DataCsumErr", "data was changed on the way: its checksum was wrong"),
];
/// Of these, those that only something on the path explains.
const MIDDLEBOX: [&str; 2] = ["DSSCorruptionFallback", "DataCsumErr"];

pub(super) fn black_hole(facts: &Facts, host: &Host) -> Vec<Finding> {
    let check = Check::BlackHole;
    let path = "net/mptcp/blackhole_timeout";
    let (times, unanswered) = (facts.mptcp("Blackhole"), facts.mptcp("MPCapableSYNTXDrop"));
    let refused = facts.mptcp("MPCapableSYNTXDisabled");
    vec![match (facts.setting(path), &host.loopback) {
        (Some(timeout), Loopback::BlackHoled) => {
            // Writing the time, whatever it is, ends it.
            let found = format!("in force: new connections are plain TCP ({refused} so far), for {timeout} s or longer");
            check.fault(found).safe(Fix::setting(path, timeout))
        }
        _ if times > 0 || unanswered > 0 => check.warning(format!(
            "not in force, but {unanswered} connections came about only without MPTCP, and it was in force {times} times: \
             look for what drops TCP options on the paths (`smoc events`, kind blackhole, names one)"
        )),
        (None, _) => check.ok("this kernel does not look for black holes"),
        _ => check.ok("not in force, and never was"),
    }]
}

pub(super) fn connections(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::Use;
    let (opened, accepted) = (facts.mptcp("MPCapableSYNTX"), facts.mptcp("MPCapableSYNRX"));
    vec![if opened + accepted == 0 {
        check
            .note("no program has opened or accepted an MPTCP connection yet")
            .by_hand("mptcpize run COMMAND")
    } else {
        check.ok(format!("{opened} connections opened and {accepted} asked for by others"))
    }]
}

pub(super) fn fallbacks(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::Fallbacks;
    let counted = FALLBACKS.iter().filter(|(name, _)| facts.mptcp(name) > 0).map(|(name, meaning)| {
        let found = format!("{meaning}: {} times (MPTcpExt{name})", facts.mptcp(name));
        if MIDDLEBOX.contains(name) { check.warning(found) } else { check.note(found) }
    });
    check.all(counted, "none")
}

pub(super) fn joins(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::Joins;
    let unknown = facts.mptcp("MPJoinNoTokenFound");
    let forged = facts.mptcp("MPJoinAckHMacFailure") + facts.mptcp("MPJoinSynAckHMacFailure");
    let refused = facts.mptcp("MPJoinRejected");
    let found = [
        (unknown, check.warning(format!("{unknown} joins had a token that this host does not know"))),
        (forged, check.warning(format!("{forged} joins had a wrong HMAC"))),
        (refused, check.note(format!("{refused} joins were refused, by limits mostly"))),
    ];
    check.all(
        found.into_iter().filter(|(count, _)| *count > 0).map(|(_, finding)| finding),
        "none was refused",
    )
}

pub(super) fn window(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::Window;
    let dropped = facts.mptcp("NoDSSInWindow");
    vec![match dropped {
        0 => check.ok("none"),
        _ => check.warning(format!(
            "{dropped} times: raise the receive buffer (tcp-buffers), its middle number too"
        )),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{
        Severity,
        testing::{count, host, worst},
    };

    #[test]
    fn a_black_hole_in_force_is_ended_by_writing_its_time() {
        let found = worst(Check::BlackHole, |facts| {
            host(facts).loopback = Loopback::BlackHoled;
            count(facts, "Blackhole", 1);
        });
        assert_eq!(found.severity, Severity::Fault);
        assert_eq!(found.command().as_deref(), Some("sysctl -w net.mptcp.blackhole_timeout=3600"));
        let past = worst(Check::BlackHole, |facts| count(facts, "Blackhole", 1));
        assert_eq!((past.severity, past.fix()), (Severity::Warning, None));
    }

    #[test]
    fn connections_that_are_none_and_joins_that_fail_are_counted() {
        let of = |check, name: &str| worst(check, |facts| count(facts, name, 3)).severity;
        assert_eq!(of(Check::Fallbacks, "MPCapableFallbackSYNACK"), Severity::Note);
        assert_eq!(of(Check::Fallbacks, "DataCsumErr"), Severity::Warning);
        assert_eq!(of(Check::Joins, "MPJoinRejected"), Severity::Note);
        assert_eq!(of(Check::Joins, "MPJoinNoTokenFound"), Severity::Warning);
        assert_eq!(of(Check::Joins, "MPJoinAckHMacFailure"), Severity::Warning);
        assert_eq!(of(Check::Window, "NoDSSInWindow"), Severity::Warning);
        let unused = worst(Check::Use, |facts| facts.counters.clear());
        assert_eq!(unused.severity, Severity::Note);
    }
}

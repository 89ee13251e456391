//! What the kernel does with TCP.

use crate::doctor::{Check, Facts, Finding, Fix, Host};

/// The first port at which `smoc host` listens for joins.
const JOIN_PORTS: u64 = 61001;

pub(super) fn syn_cookies(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::SynCookies;
    let path = "net/ipv4/tcp_syncookies";
    vec![match facts.setting(path) {
        Some("2") => check.warning("2: every SYN is answered by a cookie").safe(Fix::setting(path, "1")),
        Some(value) => check.ok(value),
        None => check.ok("this kernel has none"),
    }]
}

pub(super) fn congestion_control(facts: &Facts, _: &Host) -> Vec<Finding> {
    let name = facts.setting("net/ipv4/tcp_congestion_control").unwrap_or("unknown");
    vec![Check::CongestionControl.note(format!("\"{name}\", for each subflow by itself"))]
}

pub(super) fn buffers(facts: &Facts, host: &Host) -> Vec<Finding> {
    let check = Check::Buffers;
    let megabits: u64 = facts.host_links().map(|link| u64::from(link.interface.megabits)).sum();
    let rate = host.rate.unwrap_or(megabits * 1_000_000);
    if rate == 0 {
        return vec![
            check.note("the rate of the interfaces is not known: say it with --rate, such as --rate 10Gbit"),
        ];
    }
    let needed =
        (u128::from(rate) * 2 * host.round_trip.as_nanos() / 8_000_000_000).min(i32::MAX as u128) as u64;
    let of = format!("{} Mbit/s x {:?} x 2", rate / 1_000_000, host.round_trip);
    let wrong = ["net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem"].into_iter().filter_map(|path| {
        let [least, begin, most] = sizes(facts.setting(path)?)?;
        let found = format!("{} allows {most} bytes, and {of} is {needed}", path.rsplit('/').next()?);
        let fix = Fix::setting(path, format!("{least} {begin} {needed}"));
        (most < needed).then(|| check.warning(found).safe(fix))
    });
    check.all(wrong, format!("both allow {of} = {needed} bytes"))
}

/// The three numbers of `tcp_rmem` and `tcp_wmem`.
fn sizes(text: &str) -> Option<[u64; 3]> {
    let numbers = text.split_whitespace().map(str::parse).collect::<Result<Vec<_>, _>>().ok()?;
    numbers.try_into().ok()
}

pub(super) fn join_ports(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::JoinPorts;
    let range = facts.setting("net/ipv4/ip_local_port_range").unwrap_or_default();
    let last = range.split_whitespace().nth(1).and_then(|last| last.parse::<u64>().ok());
    vec![match last {
        Some(last) if last >= JOIN_PORTS => {
            let range = range.split_whitespace().collect::<Vec<_>>().join("-");
            check
                .note(format!("outgoing connections take ports {range}"))
                .by_hand("smoc host --ports FROM-TO")
        }
        _ => check.ok("outgoing connections take lower ports"),
    }]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::doctor::{
        Severity,
        testing::{host, set, worst},
    };

    #[test]
    fn buffers_are_measured_against_rates_and_round_trip() {
        let of = |rate: Option<u64>, rtt, rmem: &str| {
            worst(Check::Buffers, |facts| {
                (host(facts).rate, host(facts).round_trip) = (rate, Duration::from_millis(rtt));
                set(facts, "net/ipv4/tcp_rmem", rmem);
            })
        };
        // Twice 1 Gbit/s for 10 ms are 2.5 MB.
        let small = of(Some(1_000_000_000), 10, "4096\t131072\t2499999");
        assert_eq!(small.severity, Severity::Warning);
        assert_eq!(small.command().as_deref(), Some("sysctl -w net.ipv4.tcp_rmem=\"4096 131072 2500000\""));
        assert_eq!(of(Some(1_000_000_000), 10, "4096\t131072\t2500000").severity, Severity::Ok);
        assert_eq!(
            of(None, 10, "4096 131072 2499999").severity,
            Severity::Warning,
            "the interface has 1 Gbit/s"
        );
        assert_eq!(of(None, 5, "4096 131072 2499999").severity, Severity::Ok);
        let unknown = worst(Check::Buffers, |facts| facts.links[0].interface.megabits = 0);
        assert_eq!(unknown.severity, Severity::Note);
    }

    #[test]
    fn forced_cookies_and_ports_in_the_way_are_found() {
        let forced = worst(Check::SynCookies, |facts| set(facts, "net/ipv4/tcp_syncookies", "2"));
        assert_eq!(forced.command().as_deref(), Some("sysctl -w net.ipv4.tcp_syncookies=1"));
        let range =
            |range: &str| worst(Check::JoinPorts, |facts| set(facts, "net/ipv4/ip_local_port_range", range));
        assert_eq!(range("1024\t65535").severity, Severity::Note);
        assert_eq!(range("32768\t60999").severity, Severity::Ok);
        let reno =
            worst(Check::CongestionControl, |facts| set(facts, "net/ipv4/tcp_congestion_control", "reno"));
        assert!(reno.found.contains("reno"));
    }
}

//! What `/proc` says.

use std::{collections::BTreeMap, fs, path::Path};

use smoc_control::doctor::{self, Kernel};

use crate::host::kernel::version;

/// The version of the running kernel.
pub(super) fn kernel() -> Option<Kernel> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    version(&release).map(|(major, minor)| Kernel::new(major, minor))
}

/// The kernel parameters that are looked at.
pub(super) fn settings<'a>(interfaces: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let of_interfaces = interfaces.flat_map(doctor::per_interface_settings);
    let read = |path: String| {
        let text = fs::read_to_string(Path::new("/proc/sys").join(&path)).ok()?;
        Some((path, text.trim().to_owned()))
    };
    doctor::settings().chain(of_interfaces).filter_map(read).collect()
}

/// The counters of TCP and MPTCP in this network namespace.
pub(super) fn counters() -> BTreeMap<String, u64> {
    parse_counters(&fs::read_to_string("/proc/net/netstat").unwrap_or_default())
}

/// Two lines for each group: its name with the names of the counters, and with their values.
fn parse_counters(text: &str) -> BTreeMap<String, u64> {
    let lines: Vec<&str> = text.lines().collect();
    let mut all = BTreeMap::new();
    for two in lines.chunks_exact(2) {
        let Some((group, names)) = two[0].split_once(':') else { continue };
        let values = two[1].split_whitespace().skip(1);
        for (name, value) in names.split_whitespace().zip(values) {
            if let Ok(value) = value.parse() {
                all.insert(format!("{group}{name}"), value);
            }
        }
    }
    all
}

/// Processors that are online.
pub(super) fn processors() -> usize {
    let text = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let count: usize = text.trim().split(',').filter_map(span).sum();
    count.max(1)
}

/// How many numbers `3` or `0-7` stands for.
fn span(range: &str) -> Option<usize> {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    (last.parse::<usize>().ok()? + 1).checked_sub(first.parse().ok()?)
}

/// The effective capabilities of a process; none if they cannot be read.
pub(super) fn capabilities(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// The real-time priority that a process may give its threads.
pub(super) fn real_time(process: &str) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max realtime priority"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// Whether something keeps the kernel's clock synchronised (adjtimex(2)).
pub(super) fn clock_is_synchronised() -> Option<bool> {
    // SAFETY: all zero is a request that changes nothing.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the state outlives the call, which writes it.
    let told = unsafe { libc::adjtimex(&raw mut state) } >= 0;
    told.then_some(state.status & libc::STA_UNSYNC == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_the_names_that_nstat_gives_them() {
        let text = "TcpExt: TW IPReversePathFilter\nTcpExt: 3 4\nMPTcpExt: MPCapableSYNRX Blackhole\nMPTcpExt: 0 1\n";
        let counters = parse_counters(text);
        assert_eq!(counters["TcpExtIPReversePathFilter"], 4);
        assert_eq!(counters["MPTcpExtBlackhole"], 1);
        assert_eq!(parse_counters("").len(), 0);
    }

    #[test]
    fn this_process_has_a_kernel_processors_and_limits() {
        assert!(kernel().is_some());
        assert!(processors() >= 1 && real_time("self").is_some());
        assert_eq!([span("3"), span("0-7"), span("")], [Some(1), Some(8), None]);
        assert!(settings(["lo"].into_iter()).contains_key("net/ipv4/conf/lo/arp_ignore"));
        assert_eq!(capabilities("no process"), 0);
    }
}

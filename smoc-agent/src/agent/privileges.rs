//! Whether the process may do what the agent does, found out before it does anything.

use super::AgentError;

/// Name, bit, and a bit that stands for it as well (CAP_SYS_ADMIN includes CAP_BPF).
const NEEDED: [(&str, u32, Option<u32>); 3] =
    [("CAP_NET_ADMIN", 12, None), ("CAP_NET_RAW", 13, None), ("CAP_BPF", 39, Some(21))];

/// Checks the effective capabilities of the process.
pub(super) fn check() -> Result<(), AgentError> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|source| AgentError::Io { doing: "read /proc/self/status", source })?;
    let missing = missing(&status);
    if missing.is_empty() { Ok(()) } else { Err(AgentError::Privileges { missing }) }
}

fn missing(status: &str) -> Vec<&'static str> {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let has = |bit: u32| effective >> bit & 1 == 1;
    let lacks = |(_, bit, or): &&(_, u32, Option<u32>)| !has(*bit) && !or.is_some_and(has);
    NEEDED.iter().filter(lacks).map(|(name, ..)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::missing;

    fn of(mask: u64) -> Vec<&'static str> {
        missing(&format!("Name:\tsmoc\nCapPrm:\tffffffffffffffff\nCapEff:\t{mask:016x}\n"))
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(of(1 << 12 | 1 << 13 | 1 << 39), [""; 0]);
        assert_eq!(of(1 << 12 | 1 << 13 | 1 << 21), [""; 0], "CAP_SYS_ADMIN includes CAP_BPF");
        assert_eq!(of(1 << 13), ["CAP_NET_ADMIN", "CAP_BPF"]);
        assert_eq!(missing(""), ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_BPF"]);
    }
}

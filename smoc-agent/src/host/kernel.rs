//! Who decides about subflows in this network namespace: the kernel's own path manager, or somebody else.

use std::fs;

use super::HostError;

/// The daemon of the MPTCP project that manages paths in user space.
const MPTCPD: &str = "mptcpd";
const NAMESPACE: &str = "ns/net";
/// The first Linux with `laminar` endpoints.
const LAMINAR: (u32, u32) = (6, 18);

/// Whether endpoints and limits have an effect, and nobody else has the say.
///
/// # Errors
/// MPTCP is off, or somebody else has.
pub(super) fn check() -> Result<(), HostError> {
    match setting("enabled").as_deref() {
        None => return Err(crate::netlink::PathManagerError::NoMptcp.into()),
        Some("0") => return Err(HostError::Disabled),
        Some(_) => {}
    }
    if let Some(pid) = mptcpd() {
        return Err(HostError::OtherManager(format!("mptcpd runs here (pid {pid})")));
    }
    let by_name = setting("path_manager").filter(|name| name != "kernel");
    if setting("pm_type").is_some_and(|number| number != "0") || by_name.is_some() {
        let name = by_name.unwrap_or_else(|| "userspace".into());
        return Err(HostError::OtherManager(format!(
            "the path manager of new connections is \"{name}\" (net.mptcp.path_manager, net.mptcp.pm_type), not \"kernel\""
        )));
    }
    Ok(())
}

/// A setting below `net.mptcp` of this namespace.
fn setting(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/sys/net/mptcp/{name}")).ok().map(|text| text.trim().to_owned())
}

/// The process number of an mptcpd in this network namespace, or in one that cannot be looked at.
fn mptcpd() -> Option<u32> {
    let ours = fs::read_link(format!("/proc/self/{NAMESPACE}")).ok();
    let numbers =
        fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut of_that_name = numbers.filter(|pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == MPTCPD)
    });
    of_that_name.find(|pid| {
        let theirs = fs::read_link(format!("/proc/{pid}/{NAMESPACE}"));
        theirs.map_or(true, |theirs| Some(theirs) == ours)
    })
}

/// Whether the kernel knows `laminar` endpoints; earlier ones take the flag and do nothing with it.
pub(super) fn has_laminar() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    version(&release).is_some_and(|version| version >= LAMINAR)
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.trim().split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn releases_of_distributions_are_read() {
        assert_eq!(version("6.18.44-cloud-amd64\n"), Some((6, 18)));
        assert_eq!(version("6.9-rc1"), Some((6, 9)));
        assert_eq!(version(""), None);
    }
}

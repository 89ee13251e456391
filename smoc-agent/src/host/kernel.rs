//! Who decides about subflows in this network namespace: the kernel's own path manager, or somebody else.

use std::fs;

use smoc_control::end_host::config::Mode;

use super::HostError;

/// Who decides about the subflows of connections that begin, by number (`net.mptcp.pm_type`, from Linux 5.19 on).
const TYPE: &str = "pm_type";
/// `MPTCP_PM_TYPE_USERSPACE` of net/mptcp/protocol.h.
const USERSPACE: &str = "1";

/// The daemon of the MPTCP project that manages paths in user space.
const MPTCPD: &str = "mptcpd";
const NAMESPACE: &str = "ns/net";
/// The first Linux with `laminar` endpoints.
const LAMINAR: (u32, u32) = (6, 18);

/// Whether what is told the kernel has an effect, and nobody else has the say.
///
/// # Errors
/// MPTCP is off, or somebody else has.
pub(super) fn check(mode: Mode) -> Result<(), HostError> {
    match setting("enabled").as_deref() {
        None => return Err(crate::netlink::PathManagerError::NoMptcp.into()),
        Some("0") => return Err(HostError::Disabled),
        Some(_) => {}
    }
    if let Some(pid) = mptcpd() {
        return Err(HostError::OtherManager(format!("mptcpd runs here (pid {pid})")));
    }
    let (name, number) = match mode {
        Mode::Kernel => ("kernel", "0"),
        Mode::Userspace => ("userspace", USERSPACE),
    };
    let by_name = setting("path_manager").filter(|found| found != name);
    if setting(TYPE).is_some_and(|found| found != number) || by_name.is_some() {
        let found =
            by_name.unwrap_or_else(|| if mode == Mode::Kernel { "userspace" } else { "kernel" }.into());
        return Err(HostError::OtherManager(format!(
            "the path manager of new connections is \"{found}\" (net.mptcp.path_manager, net.mptcp.pm_type), not \"{name}\""
        )));
    }
    Ok(())
}

/// Leaves new connections to a path manager in user space.
///
/// # Returns
/// Who had them before.
///
/// # Errors
/// The kernel cannot do that (before Linux 5.19), or does not let this process do it.
pub(super) fn take_over() -> Result<String, HostError> {
    let before = setting(TYPE).ok_or(HostError::NoUserspace)?;
    give_back(USERSPACE)?;
    Ok(before)
}

/// Leaves new connections to whom they were left before.
///
/// # Errors
/// The kernel does not let this process do it.
pub(super) fn give_back(before: &str) -> Result<(), HostError> {
    let path = path(TYPE);
    fs::write(&path, before).map_err(|reason| HostError::State { doing: "write", path: path.into(), reason })
}

/// Whether new connections are left to a path manager in user space.
pub(super) fn is_taken_over() -> bool {
    setting(TYPE).as_deref() == Some(USERSPACE)
}

fn path(name: &str) -> String {
    format!("/proc/sys/net/mptcp/{name}")
}

/// A setting below `net.mptcp` of this namespace.
fn setting(name: &str) -> Option<String> {
    fs::read_to_string(path(name)).ok().map(|text| text.trim().to_owned())
}

/// The process number of an mptcpd in this network namespace, or in one that cannot be looked at.
pub(crate) fn mptcpd() -> Option<u32> {
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

pub(crate) fn version(release: &str) -> Option<(u32, u32)> {
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

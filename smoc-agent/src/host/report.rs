//! What is set and by whom, and what to type for those who want no daemon.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
};

use serde::Serialize;
use smoc_control::end_host::{
    Change, Circumstances, Flags, HostAddress, Installed, Limits, MOST_ENDPOINTS, Memory, Present, Wanted,
    config::{Mode, Role, Settings},
    userspace::Counts,
    wanted,
};
use tracing::info;

use super::{HostError, state};
use crate::netlink::{Netlink, PathManager};

/// Who has set something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// `smoc host`.
    Smoc,
    /// Somebody else.
    Others,
    /// Nobody: the kernel began so.
    Kernel,
}

/// What is set in this network namespace.
#[derive(Debug, Serialize)]
pub struct HostStatus {
    /// The process number of the daemon, if it runs.
    pub pid: Option<u32>,
    /// Who decides about subflows, as the daemon was told.
    pub mode: Option<Mode>,
    /// In the mode `userspace`: where the daemon listens for joins.
    pub listeners: Vec<SocketAddr>,
    /// In the mode `userspace`: the connections that it looked after at most ten seconds ago.
    pub counts: Option<Counts>,
    /// What the host does, as the daemon was told.
    pub role: Option<Role>,
    /// How many subflows connections should have; `None` if no daemon has run.
    pub subflows: Option<u8>,
    /// Whether the edge told that number.
    pub told_by_edge: bool,
    /// The limits.
    pub limits: LimitsView,
    /// The endpoints.
    pub endpoints: Vec<EndpointView>,
    /// What stands in the way.
    pub warnings: Vec<String>,
}

/// Limits and whose they are.
#[derive(Debug, Serialize)]
pub struct LimitsView {
    /// What is set.
    #[serde(flatten)]
    pub limits: Limits,
    /// By whom.
    pub owner: Owner,
    /// What will be set when the daemon ends.
    pub before: Option<Limits>,
}

/// An endpoint and whose it is.
#[derive(Debug, Serialize)]
pub struct EndpointView {
    /// Its number.
    pub id: u8,
    /// Its address.
    pub address: IpAddr,
    /// Its port; `None`: that of the connection.
    pub port: Option<u16>,
    /// What it is for, as `ip mptcp` says it.
    pub flags: String,
    /// Who has set it.
    pub owner: Owner,
}

/// A command and what it is for.
#[derive(Debug, Serialize)]
pub struct Advice {
    /// What to type.
    pub command: String,
    /// Why.
    pub why: String,
}

/// What is set, and by whom.
///
/// # Errors
/// The kernel or the state file cannot be read.
pub fn status(path: &Path) -> Result<HostStatus, HostError> {
    let found = state::read(path)?;
    let present = PathManager::connect()?.present()?;
    let mut memory = found.as_ref().map(|state| state.memory.clone()).unwrap_or_default();
    memory.refresh(&present);
    let is_running = state::is_in_use(path);
    let state = found.as_ref();
    let before = memory.limits.map(|restore| restore.before);
    let owner = match before {
        Some(_) => Owner::Smoc,
        None if present.limits == Limits::DEFAULT => Owner::Kernel,
        None => Owner::Others,
    };
    let is_ours = |state: &&state::State| state.taken_from.is_some();
    let mode = state.filter(is_ours).map(|state| state.mode).unwrap_or_default();
    let mut warnings: Vec<String> =
        super::kernel::check(mode).err().iter().map(ToString::to_string).collect();
    let has_left = !memory.endpoints.is_empty() || memory.limits.is_some() || mode == Mode::Userspace;
    if !is_running && has_left {
        warnings.push(
            "`smoc host` was killed and has left what is its own: run it again, and end it to have that removed".into(),
        );
    }
    if is_running && owner == Owner::Others && mode == Mode::Kernel {
        warnings.push("the limits were set by others and stay as they are".into());
    }
    Ok(HostStatus {
        pid: state.filter(|_| is_running).map(|state| state.pid),
        mode: state.map(|state| state.mode),
        listeners: state.filter(|_| is_running).map(|state| state.listeners.clone()).unwrap_or_default(),
        counts: state.filter(|_| is_running).and_then(|state| state.counts),
        role: state.map(|state| state.role),
        subflows: state.map(|state| state.subflows),
        told_by_edge: state.is_some_and(|state| state.told),
        limits: LimitsView { limits: present.limits, owner, before },
        endpoints: present.endpoints.iter().map(|there| view(there, &memory)).collect(),
        warnings,
    })
}

fn view(there: &Installed, memory: &Memory) -> EndpointView {
    let endpoint = there.endpoint;
    let owner = match endpoint.flags {
        _ if memory.owns(&endpoint) => Owner::Smoc,
        flags if flags.has(Flags::IMPLICIT) => Owner::Kernel,
        _ => Owner::Others,
    };
    EndpointView {
        id: there.id,
        address: endpoint.address,
        port: (endpoint.port != 0).then_some(endpoint.port),
        flags: endpoint.flags.to_string(),
        owner,
    }
}

/// What is not as it should be after all changes.
pub(super) fn warnings(present: &Present, wanted: &Wanted, memory: &Memory) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(limits) = wanted.limits.filter(|limits| *limits != present.limits)
        && !memory.may_set(present.limits)
    {
        warnings.push(format!(
            "the limits ({}) were set by others and stay; {limits} would be right for the paths that there are",
            present.limits
        ));
    }
    if wanted.endpoints.is_empty() && wanted.limits.is_some_and(|limits| limits.subflows > 0) {
        let others = present.endpoints.iter().filter(|there| !memory.owns(&there.endpoint)).count();
        if others >= MOST_ENDPOINTS {
            warnings.push("others have set all endpoints that the kernel has room for".into());
        }
    }
    warnings
}

/// Logs a change that was made.
pub(super) fn say(change: &Change) {
    match change {
        Change::Add(endpoint) => info!("endpoint added: {endpoint}"),
        Change::Remove(old) => info!("endpoint removed: {}", old.endpoint),
        Change::SetLimits(limits) => info!("limits set: {limits}"),
    }
}

/// The commands that set what the daemon would, on this host as it is.
///
/// # Errors
/// The addresses cannot be found out.
pub async fn advise(settings: &Settings) -> Result<Vec<Advice>, HostError> {
    let netlink = Netlink::connect()?;
    let addresses = netlink.host_addresses(&settings.interfaces).await?;
    let interfaces = netlink.interfaces().await?;
    let name = |at: u32| {
        interfaces.all().find(|interface| interface.index.0 == at).map(|interface| interface.name.clone())
    };
    Ok(commands(settings, addresses, name))
}

fn commands(
    settings: &Settings,
    addresses: Vec<HostAddress>,
    name: impl Fn(u32) -> Option<String>,
) -> Vec<Advice> {
    let has_several = {
        let families =
            [true, false].map(|v4| addresses.iter().filter(|at| at.address.is_ipv4() == v4).count());
        families.iter().any(|count| *count > 1)
    };
    let circumstances =
        Circumstances { addresses, has_laminar: super::kernel::has_laminar(), ..Circumstances::default() };
    let wanted = wanted(settings, &circumstances, settings.subflows, settings.subflows);
    let mut all = vec![Advice {
        command: "sysctl -w net.mptcp.enabled=1".into(),
        why: "the host speaks MPTCP; programs use it by IPPROTO_MPTCP, or run under `mptcpize run`".into(),
    }];
    if has_several {
        let why = "each address answers for itself; otherwise all subflows come in by one interface";
        all.extend(
            ["net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"]
                .map(|setting| Advice { command: format!("sysctl -w {setting}"), why: why.into() }),
        );
    }
    if let Some(limits) = wanted.limits {
        let subflows = settings.subflows;
        let slack = if limits.subflows > u32::from(subflows) - 1 {
            ", and one more where both hosts tell of ports and refuse some of each other's"
        } else {
            ""
        };
        all.push(Advice {
            command: format!("ip mptcp limits set {limits}"),
            why: format!("connections have {subflows} subflows with the first one{slack}"),
        });
    }
    all.extend(wanted.endpoints.iter().map(|endpoint| {
        let why = if endpoint.flags.has(Flags::SIGNAL) {
            format!(
                "the other host is told of it and opens a subflow to it; firewalls must let TCP to port {} in",
                endpoint.port
            )
        } else {
            "connections of this host open a subflow from it".to_owned()
        };
        let device = name(endpoint.interface).map_or(String::new(), |name| format!(" dev {name}"));
        Advice { command: format!("ip mptcp endpoint add {endpoint}{device}"), why }
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoc_control::interfaces::IfIndex;

    #[test]
    fn advice_is_what_the_daemon_would_do() {
        let at = |address: &str| HostAddress { interface: IfIndex(2), address: address.parse().unwrap() };
        let told = |addresses: &[&str]| -> Vec<String> {
            let settings = Settings { subflows: 3, ..Settings::default() };
            let addresses = addresses.iter().map(|address| at(address)).collect();
            commands(&settings, addresses, |_| Some("eth0".into())).into_iter().map(|it| it.command).collect()
        };
        let one = [
            "sysctl -w net.mptcp.enabled=1",
            "ip mptcp limits set subflows 3 add_addr_accepted 2",
            "ip mptcp endpoint add 10.0.0.1 port 61001 signal dev eth0",
            "ip mptcp endpoint add 10.0.0.1 port 61002 signal dev eth0",
        ];
        assert_eq!(told(&["10.0.0.1"]), one);
        let two = told(&["10.0.0.1", "10.0.1.1"]);
        assert!(two.contains(&"ip mptcp endpoint add 10.0.1.1 subflow dev eth0".into()), "{two:?}");
        assert!(two.contains(&"sysctl -w net.ipv4.conf.all.arp_ignore=1".into()), "{two:?}");
    }
}

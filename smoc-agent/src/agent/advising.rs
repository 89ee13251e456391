//! Tells hosts how many paths there are, where the configuration says so: at every port that has hosts, when the number changes
//! and every few seconds, so that who comes later hears it too and silence means that nobody knows.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use smoc_control::{
    config::Config, discovery::advice::HostAdvice, end_host::paths_that_work, ports::Role, switch::Snapshot,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use tracing::{debug, info};

use crate::{clock, netlink::Netlink, sockets::SendingSocket};

/// It is said again after this long, and holds as long as three of them take.
const REPEAT: Duration = Duration::from_secs(2);
const HOLDS: u16 = 7;
/// Changes come in bursts: so long after the first one it is looked what follows.
const CALM: Duration = Duration::from_millis(200);

/// Runs until the agent ends.
pub(super) async fn run(
    config: Arc<Config>,
    netlink: Netlink,
    socket: SendingSocket,
    mut snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
) -> Result<(), String> {
    let boot = clock::boot_number();
    let (mut sequence, mut told, mut ports) = (0, None, BTreeSet::new());
    let mut next = Instant::now();
    loop {
        let snapshot = snapshots.borrow_and_update().clone();
        let paths = snapshot.as_deref().and_then(paths_that_work);
        let now = snapshot.as_deref().map(host_interfaces).unwrap_or_default();
        if let Some(paths) = paths
            && (Instant::now() >= next || told != Some(paths) || now != ports)
        {
            if told.is_some_and(|told| told != paths) {
                info!(paths, "hosts are told of another number of paths");
            }
            sequence += 1;
            next = Instant::now() + REPEAT;
            let advice = HostAdvice { paths, holds: HOLDS, boot, sequence };
            tell(&config, &netlink, &socket, &now, &advice).await;
        }
        (told, ports) = (paths, now);
        let wait = if told.is_some() { next } else { Instant::now() + REPEAT };
        match timeout_at(wait, snapshots.changed()).await {
            Ok(Ok(())) => sleep(CALM).await,
            Ok(Err(_)) => return Err("nothing is published any more".into()),
            Err(_) => {}
        }
    }
}

/// The interfaces of ports that have hosts and carrier.
fn host_interfaces(snapshot: &Snapshot) -> BTreeSet<String> {
    let with_hosts = snapshot.ports.iter().filter(|port| port.role == Role::Host && port.carrier);
    with_hosts.map(|port| port.interface.clone()).collect()
}

async fn tell(
    config: &Config,
    netlink: &Netlink,
    socket: &SendingSocket,
    interfaces: &BTreeSet<String>,
    advice: &HostAdvice,
) {
    let all = match netlink.interfaces().await {
        Ok(all) => all,
        Err(error) => return debug!(%error, "hosts are told nothing"),
    };
    for interface in interfaces.iter().filter_map(|name| all.named(name)) {
        if let Err(error) = socket.send(interface.index, &advice.frame(interface.mac, &config.advising.keys))
        {
            debug!(interface = interface.name, %error, "hosts are told nothing");
        }
    }
}

//! Watches the interfaces on a thread of its own: a port that loses carrier is out of use before control hears of it.

use std::sync::mpsc;

use tokio::sync::watch;

use super::AgentError;
use crate::{netlink::Watcher, prober::Command, urgent};

/// Starts the thread. The returned counter is raised with every change; its sender is dropped when the thread ends.
pub(super) fn watch(prober: mpsc::Sender<Command>) -> Result<watch::Receiver<u64>, AgentError> {
    let failed = |source| AgentError::Io { doing: "watch the interfaces", source };
    let (tell, changes) = watch::channel(0_u64);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let mut watcher = {
        let _inside = runtime.enter();
        Watcher::subscribe()?
    };
    let follow = async move {
        while let Some(carrier) = watcher.changed().await {
            if let Some((interface, carrier)) = carrier
                && prober.send(Command::Carrier(interface, carrier)).is_err()
            {
                return;
            }
            tell.send_modify(|changes| *changes = changes.wrapping_add(1));
        }
    };
    urgent::spawn("links", move || runtime.block_on(follow)).map_err(failed)?;
    Ok(changes)
}

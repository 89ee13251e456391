//! Follows the kernel's routing table, where the configuration says that its routes are used.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use smoc_control::{config::Routes, hosts::behind::KernelRoute, switch::Event};
use tokio::{sync::mpsc, time::sleep};
use tracing::warn;

use crate::netlink::{Netlink, NetlinkError, Watcher};

/// The table is read so long after it changed: routes come in bursts.
const PAUSE: Duration = Duration::from_millis(50);
/// Reading it takes no more than such a part of the time.
const PART: u32 = 20;
/// It is read this often though nothing was heard of a change: what the kernel had no room to tell is lost.
const AGAIN: Duration = Duration::from_secs(10);

/// The routes that are used.
///
/// # Errors
/// The kernel's answer.
pub(super) async fn read(netlink: &Netlink, which: Routes) -> Result<Arc<[KernelRoute]>, NetlinkError> {
    if which == Routes::None {
        return Ok(Arc::default());
    }
    let is_used = |route: &KernelRoute| which == Routes::KernelWithDefault || route.prefix.prefix_len() != 0;
    Ok(netlink.routes().await?.into_iter().filter(is_used).collect())
}

/// Tells control of each change.
pub(super) async fn run(
    netlink: Netlink,
    mut changes: Watcher,
    which: Routes,
    events: mpsc::Sender<Event>,
) -> Result<(), String> {
    let mut told: Option<Arc<[KernelRoute]>> = None;
    loop {
        let started = Instant::now();
        match read(&netlink, which).await {
            Ok(routes) if told.as_ref() != Some(&routes) => {
                told = Some(routes.clone());
                if events.send(Event::Routes(routes)).await.is_err() {
                    return Err("control is gone".into());
                }
            }
            Ok(_) => {}
            Err(error) => warn!(%error, "routes not read"),
        }
        let rest = (started.elapsed() * PART).max(PAUSE);
        tokio::select! {
            changed = changes.changed() => changed.map(drop).ok_or("the kernel tells nothing any more")?,
            () = sleep(AGAIN) => {}
        }
        let rested = sleep(rest);
        tokio::pin!(rested);
        // What is told meanwhile is in what is read next.
        loop {
            tokio::select! {
                () = &mut rested => break,
                changed = changes.changed() => changed.map(drop).ok_or("the kernel tells nothing any more")?,
            }
        }
    }
}

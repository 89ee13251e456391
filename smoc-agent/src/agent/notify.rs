//! Tells a service manager how the agent is (sd_notify(3)): ready, alive, reloading, stopping.

use std::{
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

use tracing::warn;

use crate::clock;

/// Work has begun, or goes on after [`reloading`].
pub(super) fn ready() {
    say("READY=1");
}

/// The configuration is being read again.
pub(super) fn reloading() {
    say(&format!("RELOADING=1\nMONOTONIC_USEC={}", clock::now().0 / 1000));
}

/// The control loop is alive.
pub(super) fn alive() {
    say("WATCHDOG=1");
}

/// The agent ends because it was told to.
pub(super) fn stopping() {
    say("STOPPING=1");
}

/// The interval of [`alive`], if the service manager asks for it: half of the timeout.
pub(super) fn watchdog() -> Option<Duration> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let time = number("WATCHDOG_USEC").filter(|time| for_us && *time > 1);
    time.map(|time| Duration::from_micros(time / 2))
}

/// Sends a message if there is a service manager.
fn say(message: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name),
        None => SocketAddr::from_pathname(&name),
    };
    let sent =
        address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address));
    if let Err(error) = sent {
        warn!(%error, "NOTIFY_SOCKET is set and does not answer");
    }
}

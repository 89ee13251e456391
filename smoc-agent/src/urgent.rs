//! Threads that nothing else on the machine may delay: what they do is short, and late is too late.

use std::{io, thread};

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use tracing::warn;

/// Starts a thread with the least real-time priority (`SCHED_RR`, 1): before everything that has none, after the kernel's own
/// real-time threads. Where the process may not do so, it goes on with the usual priority, and the log says what is missing.
/// See sched(7) for what the kernel leaves to others even if it never sleeps.
///
/// # Errors
/// No thread can be started.
pub fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned());
    let name = name.to_owned();
    let urgent = move || {
        let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy) {
            warn!(
                thread = name,
                ?error,
                "no real-time priority: on a busy machine a dead port is found late; LimitRTPRIO=1 in the systemd unit, \
                 or CAP_SYS_NICE, gives it"
            );
        }
        run();
    };
    thread.spawn(urgent).map(drop)
}

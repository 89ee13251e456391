//! The kernel programs' events in the log, at most a few of each kind a second.

use std::{collections::HashMap, time::Duration};

use smoc_common::event::{Event, Note};
use tracing::{debug, info, warn};

use crate::{clock::Nanos, dataplane::xdp::Events, hosts::ip_address};

/// So many of each kind are logged in each [`WINDOW`].
const BURST: u32 = 10;
const WINDOW: Duration = Duration::from_secs(1);

/// Counts what is logged of each kind.
#[derive(Default)]
struct Sampler {
    windows: HashMap<u32, (Nanos, u32)>,
}

impl Sampler {
    /// Whether to log one more of this kind, and how many were left out since the last one that was.
    fn admit(&mut self, note: u32, now: Nanos) -> Option<u32> {
        let (start, count) = self.windows.entry(note).or_insert((now, 0));
        let mut left_out = 0;
        if now.since(*start) >= WINDOW {
            left_out = count.saturating_sub(BURST);
            (*start, *count) = (now, 0);
        }
        *count += 1;
        (*count <= BURST).then_some(left_out)
    }
}

/// Logs events for ever.
pub(super) async fn run(mut events: Events) {
    let mut sampler = Sampler::default();
    loop {
        let received = events.receive(|event| log(&event, &mut sampler)).await;
        if let Err(error) = received {
            warn!(%error, "no more events: the ring buffer cannot be waited for");
            return;
        }
    }
}

fn log(event: &Event, sampler: &mut Sampler) {
    let Some(left_out) = sampler.admit(event.note, Nanos::now()) else { return };
    let Some(note) = Note::ALL.iter().find(|note| note.counter() == event.note) else {
        debug!(note = event.note, "an event of another version");
        return;
    };
    let flow = &event.flow;
    let local = std::net::SocketAddr::new(ip_address(flow.local), flow.local_port).to_string();
    let remote = std::net::SocketAddr::new(ip_address(flow.remote), flow.remote_port).to_string();
    let (connection, rank) = (event.connection, event.rank);
    match note {
        Note::Bound | Note::Joined | Note::SynAgain => {
            info!(local, remote, connection, rank, left_out, event = note.name(), "{}", note.help());
        }
        _ => warn!(local, remote, connection, rank, left_out, event = note.name(), "{}", note.help()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_kind_is_sampled_and_hides_no_other() {
        let mut sampler = Sampler::default();
        let logged = (0..1000).filter(|_| sampler.admit(1, Nanos(0)).is_some()).count();
        assert_eq!(logged, BURST as usize);
        assert_eq!(sampler.admit(2, Nanos(0)), Some(0));
        assert_eq!(sampler.admit(1, Nanos(0) + WINDOW), Some(1000 - BURST));
    }
}

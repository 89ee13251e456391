//! The kernel programs' events in log and history, at most a few of each kind a second. The prober hears of paths that subflows
//! begin to use.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, mpsc},
    time::Duration,
};

use smoc_common::{
    event::{Event, Note},
    route::Rank,
};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use smoc_control::plan::PathsTo;
use smoc_control::{
    clock::Nanos,
    history::{Happening, Kind},
    hosts::ip_address,
    switch::{Snapshot, path_name},
};

use crate::{
    clock,
    dataplane::{Observe, xdp::Events},
    history::SharedHistory,
    metrics::PathNotes,
    prober::Command,
};

/// Max events of each kind that are logged in each [`WINDOW`].
const BURST: u32 = 10;
const WINDOW: Duration = Duration::from_secs(1);
/// Max events that are taken at once, before other tasks get a turn.
const BUDGET: usize = 1024;

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

/// Joins that are looked at in each [`WINDOW`], whether this edge knows all their siblings. More stay where they are.
const JOINS: u32 = 200;

/// What joins are looked up in, and who is told of those that have siblings elsewhere.
pub(super) struct Strays {
    pub tables: Arc<dyn Observe>,
    pub events: tokio::sync::mpsc::Sender<smoc_control::switch::Event>,
}

impl Strays {
    fn look(&self, event: &Event) {
        match self.tables.stray(&event.flow) {
            // What control has no time for stays where it is.
            Ok(Some(stray)) => drop(self.events.try_send(smoc_control::switch::Event::Strayed(stray))),
            Ok(None) => {}
            Err(error) => warn!(%error, "a join cannot be looked up"),
        }
    }
}

/// Logs events until the agent ends. Each path is told to the prober once in [`WINDOW`], however many subflows begin to use it.
pub(super) async fn run(
    mut events: Events,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    prober: mpsc::Sender<Command>,
    strays: Strays,
    (notes, history): (PathNotes, SharedHistory),
) -> Result<(), String> {
    let mut joins = 0;
    let mut sampler = Sampler::default();
    let (mut told, mut since) = (BTreeSet::new(), Nanos(0));
    loop {
        let waited = events.wait(BUDGET).await;
        let batch = waited.map_err(|error| format!("the ring buffer cannot be waited for: {error}"))?;
        let Some(snapshot) = snapshots.borrow().clone() else { continue };
        let now = clock::now();
        if now.since(since) >= WINDOW {
            told.clear();
            joins = 0;
            since = now;
        }
        for event in batch {
            let place = place(&event, &snapshot);
            if let Some((to, rank)) = place
                && told.insert((to, rank))
            {
                // Without a prober the agent ends.
                let _ = prober.send(Command::AlsoUsed(to, rank));
            }
            if event.note == Note::Joined.counter() && joins < JOINS {
                joins += 1;
                strays.look(&event);
            }
            if let Some(note) = Note::ALL.iter().find(|note| note.counter() == event.note) {
                let name = |(to, rank): (PathsTo, Rank)| {
                    let rule = snapshot.policies.rules().choice(to.rule);
                    let edge = snapshot.topology.switch(to.edge).name.as_str();
                    (edge, rule.map_or("", |choice| choice.rule.name.as_str()), rank.get())
                };
                notes.count(place.map(name), *note);
            }
            history.record(log(&event, place, &snapshot, now, &mut sampler));
        }
        tokio::task::yield_now().await;
    }
}

/// Where the subflow of an event leads, and its rank as ranks wrap around.
fn place(event: &Event, snapshot: &Snapshot) -> Option<(PathsTo, Rank)> {
    let [local, remote] = [event.flow.local(), event.flow.remote()].map(ip_address);
    let to = snapshot.between(local, remote)?;
    let count = snapshot.paths(to)?.ranked.len().clamp(1, Rank::COUNT);
    Some((to, Rank::new((event.rank % count as u32) as u8)))
}

/// Logs an event if there are not too many of its kind, and returns what the history should have of it.
fn log(
    event: &Event,
    place: Option<(PathsTo, Rank)>,
    snapshot: &Snapshot,
    now: Nanos,
    sampler: &mut Sampler,
) -> Option<Happening> {
    let left_out = sampler.admit(event.note, now)?;
    let Some(note) = Note::ALL.iter().find(|note| note.counter() == event.note) else {
        debug!(note = event.note, "an event of another version");
        return None;
    };
    let flow = &event.flow;
    let local = std::net::SocketAddr::new(ip_address(flow.local()), flow.local_port()).to_string();
    let remote = std::net::SocketAddr::new(ip_address(flow.remote()), flow.remote_port()).to_string();
    let (connection, rank) = (event.connection, event.rank);
    let ranked = place.and_then(|(to, rank)| snapshot.paths(to)?.ranked.get(usize::from(rank.get())));
    let path = ranked.map(|path| path_name(&snapshot.topology, path));
    let path = path.as_deref().unwrap_or("not known");
    match note {
        Note::Bound | Note::Joined | Note::SynAgain => {
            info!(local, remote, connection, rank, path, left_out, event = note.name(), "{}", note.help());
        }
        _ => warn!(local, remote, connection, rank, path, left_out, event = note.name(), "{}", note.help()),
    }
    let kind = match note {
        Note::Blackhole => Kind::Blackhole,
        Note::FellBack => Kind::Fallback,
        _ => Kind::Connection,
    };
    let more = if left_out > 0 { format!("; {left_out} more before it") } else { String::new() };
    let text = format!("{}: rank {rank}, {path}{more}", note.name());
    Some(Happening::new(kind, format!("{local} - {remote}"), text))
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

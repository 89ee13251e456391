//! Reads the tables that the kernel fills every few seconds, and removes entries that are over.

use std::{
    collections::BTreeSet,
    sync::{Arc, mpsc},
    time::Duration,
};

use smoc_common::{
    map::{EdgeIndex, Flow},
    route::Rank,
};
use tokio::{sync::watch, time::Instant};
use tracing::{debug, warn};

use smoc_control::plan::PathsTo;
use smoc_control::{
    connections::{Evictions, Meter, Names, Openers, Sweep, Usage},
    dataplane::{Fill, KernelTables},
    switch::Snapshot,
};

use crate::{
    api::Looked,
    clock,
    dataplane::{DataplaneError, Observe},
    prober::Command,
};

/// Min time between two readings.
const PERIOD: Duration = Duration::from_secs(5);
/// Reading takes at most 1/20 of the time: after a long one the pause is longer. Once a table is half full it takes 1/5, so
/// that what is over leaves before the table is full and the kernel pushes out what lives.
const SHARE: u32 = 20;
const SHARE_WHEN_FILLING: u32 = 5;

/// What is remembered from one reading to the next.
#[derive(Default)]
struct Memory {
    sweep: Sweep,
    evictions: Evictions,
    meter: Meter,
    openers: Openers,
}

/// What was found in the tables.
struct Found {
    looked: Looked,
    used: BTreeSet<(EdgeIndex, u8)>,
}

/// Runs until the agent ends, and tells the prober which paths are in use.
pub(super) async fn run(
    tables: Arc<dyn Observe>,
    looked: watch::Sender<Looked>,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    prober: mpsc::Sender<Command>,
) -> Result<(), String> {
    let mut memory = Memory::default();
    loop {
        let (observe, started) = (tables.clone(), Instant::now());
        let snapshot = snapshots.borrow().clone();
        let done = tokio::task::spawn_blocking(move || {
            let outcome = tidy(&*observe, snapshot.as_deref(), &mut memory);
            (memory, outcome)
        });
        let (back, outcome) = done.await.map_err(|error| error.to_string())?;
        memory = back;
        let mut share = SHARE;
        match outcome {
            Ok(found) => {
                if found.looked.fills.iter().any(|fill| fill.entries * 2 >= fill.capacity as usize) {
                    share = SHARE_WHEN_FILLING;
                }
                looked.send_replace(found.looked);
                let used = snapshots.borrow().as_ref().map(|snapshot| used_paths(&found.used, snapshot));
                // Without a prober the agent ends.
                if let Some(used) = used {
                    let _ = prober.send(Command::Used(used));
                }
            }
            Err(error) => warn!(%error, "the tables could not be read"),
        }
        tokio::time::sleep(PERIOD.max(started.elapsed() * share)).await;
    }
}

fn tidy(
    tables: &dyn Observe,
    snapshot: Option<&Snapshot>,
    memory: &mut Memory,
) -> Result<Found, DataplaneError> {
    let (content, capacities) = (tables.tables()?, tables.capacities());
    // What is put back needs the room of what is taken out.
    let mut corrections = memory.sweep.look(&content, &capacities, clock::now());
    let restored = memory.evictions.look(&content, &capacities);
    if !corrections.is_empty() || !restored.is_empty() {
        debug!(closed = corrections.len(), restored = restored.len(), "tidying the tables");
    }
    corrections.extend(restored);
    corrections.into_iter().try_for_each(|correction| tables.correct(correction))?;
    let place = |flow: &Flow| (flow.remote.edge, flow.rank);
    let used = content.flows.iter().map(|(_, flow)| place(flow));
    let used = used.chain(content.half_open.iter().map(|(_, half)| place(&half.flow)));
    let used = used.collect();
    let usage =
        snapshot.map(|snapshot| measure(tables, &content, snapshot, &mut memory.meter)).transpose()?;
    let fills = fills(&content, &capacities, &memory.evictions);
    let openers = memory.openers.look(&content);
    Ok(Found { looked: Looked { fills, usage: usage.unwrap_or_default(), openers }, used })
}

/// What subflows and handshakes make of the paths.
fn measure(
    tables: &dyn Observe,
    content: &KernelTables,
    snapshot: &Snapshot,
    meter: &mut Meter,
) -> Result<Usage, DataplaneError> {
    let Snapshot { topology, names, book, policies, .. } = snapshot;
    meter.look(content, Names { topology, names, book, policies });
    let ranks = |index| (0..Rank::COUNT as u8).map(move |rank| (index, Rank::new(rank)));
    let paths: Vec<_> = names.all().into_keys().flat_map(ranks).collect();
    let times = tables.handshakes(&paths)?;
    let keys = paths.into_iter().map(|(index, rank)| (index, rank.get()));
    Ok(meter.time(keys.zip(times)).clone())
}

/// Edge indexes as switches, ranks as they wrap around.
fn used_paths(used: &BTreeSet<(EdgeIndex, u8)>, snapshot: &Snapshot) -> BTreeSet<(PathsTo, Rank)> {
    let path = |&(index, rank): &(EdgeIndex, u8)| {
        let to = snapshot.toward(index)?;
        let count = snapshot.paths(to)?.ranked.len().clamp(1, Rank::COUNT);
        Some((to, Rank::new(rank % count as u8)))
    };
    used.iter().filter_map(path).collect()
}

fn fills(content: &KernelTables, capacities: &[(&'static str, u32)], evictions: &Evictions) -> Vec<Fill> {
    let fill = |(table, capacity): &(&'static str, u32)| {
        let (entries, evicted) = (content.entries(table)?, evictions.of(table));
        Some(Fill { table, entries, capacity: *capacity, evicted })
    };
    capacities.iter().filter_map(fill).collect()
}

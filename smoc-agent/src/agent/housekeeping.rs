//! Looks through the kernel's tables every few seconds, and takes out what nobody needs.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};
use tracing::{debug, warn};

use crate::{
    clock::Nanos,
    connections::Sweep,
    dataplane::{DataplaneError, Fill, KernelTables, Observe},
};

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(5);
/// A look takes at most one part in so many of the time.
const SHARE: u32 = 20;

/// Keeps house for ever.
pub(super) async fn run(tables: Arc<dyn Observe>, fills: watch::Sender<Vec<Fill>>) {
    let mut sweep = Sweep::default();
    loop {
        let (observe, started) = (tables.clone(), Instant::now());
        let done = tokio::task::spawn_blocking(move || {
            let outcome = look(&*observe, &mut sweep);
            (sweep, outcome)
        });
        let Ok((back, outcome)) = done.await else { return };
        sweep = back;
        match outcome {
            Ok(fill) => drop(fills.send_replace(fill)),
            Err(error) => warn!(%error, "the tables could not be looked through"),
        }
        tokio::time::sleep(PERIOD.max(started.elapsed() * SHARE)).await;
    }
}

fn look(tables: &dyn Observe, sweep: &mut Sweep) -> Result<Vec<Fill>, DataplaneError> {
    let content = tables.tables()?;
    let removals = sweep.look(&content, Nanos::now());
    if !removals.is_empty() {
        debug!(entries = removals.len(), "taking out what is closed");
    }
    removals.into_iter().try_for_each(|removal| tables.remove(removal))?;
    Ok(fills(&content, &tables.capacities()))
}

fn fills(content: &KernelTables, capacities: &[(&'static str, u32)]) -> Vec<Fill> {
    let entries = |table: &str| match table {
        "FLOWS" => Some(content.flows.len()),
        "HALF_OPEN" => Some(content.half_open.len()),
        "CONNECTIONS" => Some(content.connections.len()),
        "TOKENS" => Some(content.tokens.len()),
        _ => None,
    };
    let fill = |(table, capacity): &(&'static str, u32)| {
        Some(Fill { table, entries: entries(table)?, capacity: *capacity })
    };
    capacities.iter().filter_map(fill).collect()
}

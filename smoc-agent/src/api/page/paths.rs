//! The ranked paths of a pair of edges: as they are in force where this switch is one of the two, else as their agents compute them.

use serde::Serialize;
use smoc_control::{liveness::Report, switch::Snapshot};
use smoc_paths::search::{Path, PathFinder, routable};

use crate::api::view;

/// The paths of a pair.
#[derive(Clone, Debug, Serialize)]
pub struct PairPaths {
    /// One edge.
    pub from: String,
    /// The other one.
    pub to: String,
    /// Whether these are this switch's own, with what probes say.
    pub live: bool,
    /// For each rule of policy that chooses paths, and for none.
    pub sets: Vec<RankSet>,
}

/// The paths by rank.
#[derive(Clone, Debug, Serialize)]
pub struct RankSet {
    /// The rule of policy that chooses them, if one does.
    pub rule: Option<String>,
    /// The paths.
    pub ranks: Vec<PairRank>,
}

/// A path.
#[derive(Clone, Debug, Serialize)]
pub struct PairRank {
    /// Its rank.
    pub rank: usize,
    /// Its switches.
    pub switches: Vec<String>,
    /// Its links.
    pub links: Vec<String>,
    /// Its cost.
    pub cost: u64,
    /// How many of its links a better-ranked path also uses.
    pub shared_links: usize,
    /// `up`, `broken` (no probe comes back), `left` (a link is down or drained), or `unknown` where no probe is sent.
    pub state: String,
    /// Links of the path that it has when all links are up, if it takes another one meanwhile.
    pub instead_of: Option<Vec<String>>,
    /// Smoothed round-trip time of probes.
    pub round_trip_ms: Option<f64>,
    /// Share of the last 128 probes that was lost.
    pub loss: Option<f64>,
}

/// The paths from one switch to another, by name.
///
/// # Errors
/// There is no such switch, or they are one.
pub(super) fn pair(
    snapshot: &Snapshot,
    report: Option<&Report>,
    from: &str,
    to: &str,
) -> Result<PairPaths, String> {
    let topology = &snapshot.topology;
    let switch = |name: &str| {
        topology.find_switch(name).ok_or_else(|| format!("there is no switch \"{name}\" in the topology"))
    };
    let (source, destination) = (switch(from)?, switch(to)?);
    if source == destination {
        return Err(format!("from {from} to {to} there is no path to choose: name two switches"));
    }
    let other = if source == snapshot.this { destination } else { source };
    let is_ours = source == snapshot.this || destination == snapshot.this;
    let mut sets = Vec::new();
    if is_ours {
        let name = &topology.switch(other).name;
        let edges = view::edges(snapshot, report).into_iter().filter(|edge| edge.edge == *name);
        sets.extend(edges.map(|edge| set(edge, destination == snapshot.this)));
    }
    let live = !sets.is_empty();
    if !live {
        let down = snapshot.book.down().iter().copied().collect();
        let finder = PathFinder::without(topology, snapshot.book.options(), &down);
        let finder = finder.map_err(|error| error.to_string())?;
        let ranks = routable(topology, finder.ranked(source, destination)).0;
        let ranks = ranks.iter().enumerate().map(|(rank, path)| computed(snapshot, rank, path));
        sets.push(RankSet { rule: None, ranks: ranks.collect() });
    }
    Ok(PairPaths { from: from.to_owned(), to: to.to_owned(), live, sets })
}

fn set(edge: view::EdgeView, is_reversed: bool) -> RankSet {
    let rank = |mut rank: view::RankView| {
        if is_reversed {
            rank.switches.reverse();
            rank.links.reverse();
        }
        let liveness = rank.liveness;
        let state = match &liveness {
            _ if rank.left => "left",
            Some(liveness) => &liveness.state,
            None => "unknown",
        };
        PairRank {
            rank: rank.rank,
            cost: rank.cost,
            shared_links: rank.shared_links,
            state: state.to_owned(),
            instead_of: rank.instead_of,
            round_trip_ms: liveness.as_ref().and_then(|liveness| liveness.round_trip_ms),
            loss: liveness.as_ref().and_then(|liveness| liveness.loss),
            switches: rank.switches,
            links: rank.links,
        }
    };
    RankSet { rule: edge.rule, ranks: edge.ranks.into_iter().map(rank).collect() }
}

fn computed(snapshot: &Snapshot, rank: usize, path: &Path) -> PairRank {
    let topology = &snapshot.topology;
    PairRank {
        rank,
        switches: path.switches.iter().map(|switch| topology.switch(*switch).name.clone()).collect(),
        links: path.links.iter().map(|link| topology.link_name(*link)).collect(),
        cost: path.cost,
        shared_links: path.shared_links,
        state: "unknown".to_owned(),
        instead_of: None,
        round_trip_ms: None,
        loss: None,
    }
}

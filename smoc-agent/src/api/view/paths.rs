//! The ranked paths to all edges.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smoc_control::{
    liveness::{PathReport, Report},
    plan::{EdgePaths, PathsTo},
    switch::Snapshot,
};
use smoc_paths::search::Path;

use crate::api::liveness::PathLivenessView;

/// The ranked paths to an edge.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EdgeView {
    /// The switch.
    pub edge: String,
    /// Its index in this switch's maps; null without hosts.
    pub index: Option<u16>,
    /// The rule of policy that chooses the paths, for the pairs of hosts that it is about; null for all others.
    #[serde(default)]
    pub rule: Option<String>,
    /// The paths in use.
    pub ranks: Vec<RankView>,
    /// Paths that no source route can describe.
    pub unroutable: Vec<UnroutableView>,
}

/// A ranked path.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RankView {
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
    /// This switch's port through which it starts.
    pub port: u16,
    /// Whether that port is usable.
    pub usable: bool,
    /// Whether subflows of this rank take another rank's path: a link of it is down or drained, and nothing takes its place.
    #[serde(default)]
    pub left: bool,
    /// Links of the path that the rank has when all links are up, if it takes another one meanwhile.
    pub instead_of: Option<Vec<String>>,
    /// What probes say; null if it is not probed.
    pub liveness: Option<PathLivenessView>,
}

/// A path that does not fit into a source route.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnroutableView {
    /// The rank it would have had.
    pub rank: usize,
    /// Bits it would need; 62 are there.
    pub bits: u32,
}

/// The ranked paths to all edges.
pub(in crate::api) fn edges(snapshot: &Snapshot, report: Option<&Report>) -> Vec<EdgeView> {
    let usable = snapshot.usable();
    let books = std::iter::once((0, &*snapshot.book)).chain(snapshot.policies.books());
    let all = books.flat_map(|(rule, book)| book.edges().map(move |(edge, paths)| (rule, edge, paths)));
    let edges = all.map(|(rule, edge, paths)| {
        let name = snapshot.topology.switch(edge).name.clone();
        EdgeView {
            index: snapshot.names.find(&name, rule),
            edge: name,
            rule: snapshot.policies.rules().choice(rule).map(|choice| choice.rule.name.clone()),
            ranks: ranks(snapshot, PathsTo { edge, rule }, paths, &usable, report),
            unroutable: paths
                .unroutable
                .iter()
                .map(|path| UnroutableView { rank: path.rank, bits: path.bits })
                .collect(),
        }
    });
    edges.collect()
}

fn ranks(
    snapshot: &Snapshot,
    to: PathsTo,
    paths: &EdgePaths,
    usable: &BTreeMap<u16, bool>,
    report: Option<&Report>,
) -> Vec<RankView> {
    let liveness = |rank: usize| {
        let mut paths = report?.paths.iter();
        let is_it = |path: &&PathReport| (path.to, usize::from(path.rank.get())) == (to, rank);
        paths.find(is_it).map(PathLivenessView::from)
    };
    let links = |path: &Path| path.links.iter().map(|link| snapshot.topology.link_name(*link)).collect();
    let rank = |(rank, path): (usize, &Path)| {
        let port = path.hops(&snapshot.topology).next().map_or(0, |(_, port)| port.get());
        RankView {
            rank,
            switches: path.switches.iter().map(|s| snapshot.topology.switch(*s).name.clone()).collect(),
            links: links(path),
            cost: path.cost,
            shared_links: path.shared_links,
            port,
            usable: usable.get(&port).copied().unwrap_or(false),
            left: path.links.iter().any(|link| snapshot.book.down().contains(link)),
            instead_of: paths.instead_of(rank).map(links),
            liveness: liveness(rank),
        }
    };
    paths.ranked.iter().enumerate().map(rank).collect()
}

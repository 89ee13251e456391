//! The ranked paths from this switch to every edge, as the topology gives them, and the path sets made of them.

use std::collections::{BTreeMap, BTreeSet};

use smoc_common::{
    map::{self, PathSet},
    route::Rank,
};

use crate::{
    paths::{OptionsError, Path, PathFinder, PathOptions, Unroutable, routable},
    topology::{SwitchId, Topology},
};

/// Paths to one edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgePaths {
    /// Those in use, by rank.
    pub ranked: Vec<Path>,
    /// Those that no source route can describe; `rank` counts all paths together.
    pub unroutable: Vec<Unroutable>,
}

/// Ranked paths from one switch; each edge is searched once.
#[derive(Clone, Debug)]
pub struct PathBook {
    this: SwitchId,
    options: PathOptions,
    edges: BTreeMap<SwitchId, EdgePaths>,
}

impl PathBook {
    /// An empty book for paths from `this`.
    pub fn new(this: SwitchId, options: PathOptions) -> Self {
        Self { this, options, edges: BTreeMap::new() }
    }

    /// Searches paths to those of `edges` that are not in the book yet, and returns which these are.
    ///
    /// # Errors
    /// The topology does not say what the options need.
    pub fn extend(
        &mut self,
        topology: &Topology,
        edges: &BTreeSet<SwitchId>,
    ) -> Result<Vec<SwitchId>, OptionsError> {
        let wanted = |edge: &SwitchId| *edge != self.this && !self.edges.contains_key(edge);
        let new: Vec<SwitchId> = edges.iter().copied().filter(wanted).collect();
        if new.is_empty() {
            return Ok(new);
        }
        let finder = PathFinder::new(topology, &self.options)?;
        let mut source = finder.source(self.this);
        for &edge in &new {
            let (ranked, unroutable) = routable(topology, source.to(edge));
            self.edges.insert(edge, EdgePaths { ranked, unroutable });
        }
        Ok(new)
    }

    /// How paths are chosen.
    pub fn options(&self) -> &PathOptions {
        &self.options
    }

    /// The paths to an edge that was asked for in [`PathBook::extend`].
    pub fn to(&self, edge: SwitchId) -> Option<&EdgePaths> {
        self.edges.get(&edge)
    }

    /// All edges in the book.
    pub fn edges(&self) -> impl Iterator<Item = (SwitchId, &EdgePaths)> {
        self.edges.iter().map(|(edge, paths)| (*edge, paths))
    }

    /// The path set of an edge; `None` if no path leads there.
    pub fn path_set(&self, topology: &Topology, edge: SwitchId) -> Option<PathSet> {
        let ranked = &self.to(edge)?.ranked;
        let least = ranked.iter().map(|path| path.cost).min()?;
        let mut set = PathSet::default();
        for (rank, path) in ranked.iter().take(Rank::COUNT).enumerate() {
            let (_, port) = path.hops(topology).next()?;
            set.paths[rank] = map::Path::new(port, path.route(topology).ok()?);
            set.cheapest |= u8::from(path.cost == least) << rank;
            set.count += 1;
        }
        Some(set)
    }
}

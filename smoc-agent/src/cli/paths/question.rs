//! Which pairs are asked for.

use std::io::IsTerminal as _;
use std::ops::ControlFlow;

use anyhow::anyhow;

use super::super::Failure;
use super::super::offline::{Progress, edges, find_switch, pairs};
use smoc_paths::analysis::buffer::shortage;
use smoc_paths::search::{Pair, Path, PathFinder};
use smoc_paths::topology::{SwitchId, Topology};

/// One pair, or all pairs of edges.
pub(super) struct Question<'a> {
    finder: &'a PathFinder<'a>,
    pairs: Pairs,
}

enum Pairs {
    One(Pair),
    All(Vec<SwitchId>),
}

/// What was made of a pair, and what is to be said of it on standard error.
struct Answer<T> {
    made: T,
    is_unjoined: bool,
    warning: Option<String>,
}

impl<'a> Question<'a> {
    /// The pair of two switches with these names.
    ///
    /// # Errors
    /// There are no such two.
    pub fn one(finder: &'a PathFinder<'a>, from: &str, to: &str) -> Result<Self, Failure> {
        let topology = finder.topology();
        let (a, b) = (find_switch(topology, from)?, find_switch(topology, to)?);
        if a == b {
            let message = format!("--from and --to are both {from}: name two different switches");
            return Err(Failure::BadInput(anyhow!(message)));
        }
        let paths = finder.ranked(a, b);
        if paths.is_empty() {
            eprintln!("smoc: no path joins {from} and {to}");
        }
        Ok(Self { finder, pairs: Pairs::One(Pair { from: a, to: b, paths }) })
    }

    /// Every pair of edges.
    pub fn all(finder: &'a PathFinder<'a>) -> Self {
        Self { finder, pairs: Pairs::All(edges(finder.topology())) }
    }

    /// The topology.
    pub fn topology(&self) -> &'a Topology {
        self.finder.topology()
    }

    /// How many paths are asked for.
    pub fn count(&self) -> usize {
        self.finder.options().count
    }

    /// The paths, if one pair is asked for.
    pub fn paths(&self) -> Option<&[Path]> {
        match &self.pairs {
            Pairs::One(pair) => Some(&pair.paths),
            Pairs::All(_) => None,
        }
    }

    /// Gives `take` what `make` makes of each pair, in order, as it is found; see [`PathFinder::for_each_pair`]. Says on
    /// standard error how far it is, unless the answer itself shows that, and where receivers buffer too little.
    ///
    /// # Errors
    /// The topology does not say what buffers need to know.
    pub fn each<T: Send>(
        &self,
        make: impl Fn(&Pair) -> T + Sync,
        mut take: impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let answer = |pair: Pair| {
            let warning = self.warning(&pair)?;
            Ok(Answer { made: make(&pair), is_unjoined: pair.paths.is_empty(), warning })
        };
        let (mut unjoined, mut failed) = (0, None);
        let mut hand_over = |answer: Result<Answer<T>, Failure>| match answer {
            Ok(Answer { made, is_unjoined, warning }) => {
                warning.iter().for_each(|warning| eprintln!("{warning}"));
                unjoined += usize::from(is_unjoined);
                take(made)
            }
            Err(failure) => {
                failed = Some(failure);
                ControlFlow::Break(())
            }
        };
        match &self.pairs {
            Pairs::One(pair) => {
                let _ = hand_over(answer(pair.clone()));
            }
            Pairs::All(edges) => {
                let all = pairs(edges.len());
                let progress = (!std::io::stdout().is_terminal()).then(|| Progress::new("pairs", all));
                let told = |done| progress.iter().for_each(|progress| progress.at(done));
                self.finder.for_each_pair(edges, told, answer, hand_over);
                if unjoined > 0 {
                    eprintln!("smoc: note: no path joins {unjoined} of the {all} pairs");
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The same where JSON is made, which could fail.
    ///
    /// # Errors
    /// As [`Question::each`], or it failed.
    pub fn each_as_json<T: Send>(
        &self,
        make: impl Fn(&Pair) -> serde_json::Result<T> + Sync,
        mut take: impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let mut failed = None;
        self.each(make, |made| match made {
            Ok(made) => take(made),
            Err(error) => {
                failed = Some(Failure::Failed(error.into()));
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn warning(&self, pair: &Pair) -> Result<Option<String>, Failure> {
        let Some(buffer) = self.finder.options().receive_buffer else { return Ok(None) };
        let topology = self.topology();
        let name = |switch| &topology.switch(switch).name;
        let shortage = shortage(topology, &pair.paths, buffer).map_err(Failure::bad_input)?;
        Ok(shortage.map(|shortage| format!("warning: {} to {}: {shortage}", name(pair.from), name(pair.to))))
    }
}

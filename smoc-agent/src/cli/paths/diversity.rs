//! How disjoint the paths are: pair by pair, and on the whole.

use serde::Serialize;

use super::super::Failure;
use super::super::stream::{JsonList, Stream};
use super::question::Question;
use smoc_paths::analysis::diversity::{Diversities, Diversity, Uses};
use smoc_paths::search::{Pair, Path};
use smoc_paths::topology::Topology;

#[derive(Serialize)]
struct PairReport<'a> {
    from: &'a str,
    to: &'a str,
    #[serde(flatten)]
    diversity: &'a Diversity,
}

impl<'a> PairReport<'a> {
    fn new(topology: &'a Topology, pair: &Pair, diversity: &'a Diversity) -> Self {
        let name = |switch| topology.switch(switch).name.as_str();
        Self { from: name(pair.from), to: name(pair.to), diversity }
    }
}

/// Means over all pairs, and the link that most ranks of all pairs use.
#[derive(Serialize)]
struct FabricReport {
    pairs: usize,
    disjoint_paths: f64,
    disjoint_ranks: f64,
    disjoint_share: f64,
    throughput_share: f64,
    most_shared: Option<(String, usize)>,
}

/// Sums over the pairs so far.
#[derive(Default)]
struct Sums {
    pairs: usize,
    disjoint_paths: f64,
    disjoint_ranks: f64,
    disjoint_share: f64,
    throughput_share: f64,
    uses: Uses,
}

impl Sums {
    /// Another pair, of which `count` paths were asked for.
    fn add(&mut self, diversity: &Diversity, paths: &[Path], count: usize) {
        self.pairs += 1;
        self.disjoint_paths += diversity.disjoint_paths as f64;
        self.disjoint_ranks += diversity.disjoint_ranks as f64;
        self.disjoint_share +=
            diversity.disjoint_ranks as f64 / diversity.disjoint_paths.min(count as u64).max(1) as f64;
        self.throughput_share += diversity.throughput_share;
        paths.iter().for_each(|path| self.uses.add(path));
    }

    fn fabric(&self, topology: &Topology) -> FabricReport {
        let mean = |sum: f64| sum / self.pairs.max(1) as f64;
        FabricReport {
            pairs: self.pairs,
            disjoint_paths: mean(self.disjoint_paths),
            disjoint_ranks: mean(self.disjoint_ranks),
            disjoint_share: mean(self.disjoint_share),
            throughput_share: mean(self.throughput_share),
            most_shared: self.uses.most(topology),
        }
    }
}

/// One object: `pairs`, a list, and `fabric`.
pub(super) fn json(question: &Question<'_>) -> Result<(), Failure> {
    const DEPTH: usize = 1;
    let topology = question.topology();
    let diversities = Diversities::new(topology, |_| true);
    let (mut out, mut list, mut sums) = (Stream::new(), JsonList::new(DEPTH), Sums::default());
    let _ = out.print("{\n  \"pairs\": ");
    question.each_as_json(
        |pair| {
            let diversity = diversities.of(pair);
            let element = JsonList::element(DEPTH, &PairReport::new(topology, pair, &diversity))?;
            Ok((element, diversity, pair.paths.clone()))
        },
        |(element, diversity, paths)| {
            sums.add(&diversity, &paths, question.count());
            out.print(&list.next(&element))
        },
    )?;
    let fabric =
        JsonList::element(0, &sums.fabric(topology)).map_err(|error| Failure::Failed(error.into()))?;
    let _ = out.print(&format!("{},\n  \"fabric\": {fabric}\n}}\n", list.end()));
    out.end()
}

/// A line for each pair, and one for all.
pub(super) fn table(question: &Question<'_>) -> Result<(), Failure> {
    let topology = question.topology();
    let diversities = Diversities::new(topology, |_| true);
    let (mut out, mut sums) = (Stream::new(), Sums::default());
    let _ = out.print("disjoint  ranks  of them disjoint  throughput  most shared link       pair\n");
    question.each(
        |pair| {
            let diversity = diversities.of(pair);
            let line = line(&PairReport::new(topology, pair, &diversity));
            (line, diversity, pair.paths.clone())
        },
        |(line, diversity, paths)| {
            sums.add(&diversity, &paths, question.count());
            out.print(&line)
        },
    )?;
    let fabric = sums.fabric(topology);
    let _ = out.print(&format!(
        "\n{} pairs: {:.2} link-disjoint paths exist, {:.2} of the ranks are ({:.0} % of what could be); subflows reach {:.0} % of the maximum flow; most shared link {}\n",
        fabric.pairs,
        fabric.disjoint_paths,
        fabric.disjoint_ranks,
        fabric.disjoint_share * 100.0,
        fabric.throughput_share * 100.0,
        shared(&fabric.most_shared),
    ));
    out.end()
}

fn line(PairReport { from, to, diversity }: &PairReport<'_>) -> String {
    format!(
        "{:>8}  {:>5}  {:>16}  {:>9.0}%  {:<22} {from} to {to}\n",
        diversity.disjoint_paths,
        diversity.ranks,
        diversity.disjoint_ranks,
        diversity.throughput_share * 100.0,
        shared(&diversity.most_shared),
    )
}

fn shared(most: &Option<(String, usize)>) -> String {
    match most {
        Some((link, times)) if *times > 1 => format!("{link} ({times} times)"),
        _ => "-".into(),
    }
}

//! A connection of n subflows uses ranks 0 to n-1, and the agent ranks 8: how many of the first n ranks are disjoint,
//! against how many could be, on networks like those of the Internet Topology Zoo, and on all files of the directory
//! `SMOC_TOPOLOGIES` if there is one.

use std::path::{Path as FilePath, PathBuf};

use smoc_paths::analysis::diversity::Diversities;
use smoc_paths::search::{Pair, Path, PathFinder, PathOptions};
use smoc_paths::topology::convert::parse;
use smoc_paths::topology::generate::{fat_tree, wide_area};
use smoc_paths::topology::{Topology, TopologyFile};

/// s0 to s3: the shortest path s0-s5-s4-s3 is as cheap as two others that share no link, and is disjoint from neither.
const TRAP: &str = "links:
  - {a: 's0:1', b: 's1:1'}
  - {a: 's0:2', b: 's5:1'}
  - {a: 's1:2', b: 's4:1'}
  - {a: 's2:1', b: 's3:1'}
  - {a: 's2:2', b: 's5:2'}
  - {a: 's3:2', b: 's4:2'}
  - {a: 's4:3', b: 's5:3'}";

/// The most of these paths no two of which have a link in common.
fn disjoint(paths: &[Path]) -> usize {
    let meet = |a: &Path, b: &Path| a.links.iter().any(|link| b.links.contains(link));
    let conflicts: Vec<u32> = (paths.iter())
        .map(|a| paths.iter().enumerate().filter(|(_, b)| meet(a, b)).map(|(i, _)| 1 << i).sum())
        .collect();
    let is_disjoint =
        |set: u32| (0..paths.len()).all(|i| set & (1 << i) == 0 || conflicts[i] & set == 1 << i);
    (0u32..1 << paths.len()).filter(|&set| is_disjoint(set)).map(u32::count_ones).max().unwrap_or(0) as usize
}

/// For n from 1 to 8 the share of pairs whose first n ranks have as many disjoint paths as there can be.
fn shares(topologies: &[Topology]) -> [f64; 8] {
    let (mut reached, mut all) = ([0usize; 8], 0);
    for topology in topologies {
        let finder = PathFinder::new(topology, &PathOptions::default()).unwrap();
        let diversities = Diversities::new(topology, |_| true);
        for pair in finder.all_pairs(&topology.edges(), |_| ()) {
            let possible = diversities.of(&Pair { paths: Vec::new(), ..pair }).disjoint_paths as usize;
            all += 1;
            for n in 1..=8 {
                let first = &pair.paths[..n.min(pair.paths.len())];
                reached[n - 1] += usize::from(disjoint(first) == possible.min(n));
            }
        }
    }
    reached.map(|reached| reached as f64 / all as f64)
}

/// Those of a directory that can be read as topologies with a pair of switches.
fn topologies_in(directory: &FilePath) -> Vec<Topology> {
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).ok()?;
        Some(parse(file, &text, &mut Vec::new()).ok()?.topology)
    };
    let all: Vec<Topology> = files.iter().filter_map(read).collect();
    println!("{}: {} of {} files are topologies", directory.display(), all.len(), files.len());
    all.into_iter().filter(|topology| topology.edges().len() > 1).collect()
}

#[test]
fn the_first_two_ranks_are_disjoint_wherever_two_paths_are() {
    let trap = TopologyFile::parse(FilePath::new("trap.yaml"), TRAP).unwrap().topology;
    let wide = |&(switches, links, seed): &(usize, usize, u64)| {
        wide_area(switches, links, seed).unwrap().build().unwrap()
    };
    // As many switches and links as networks of the Zoo have.
    let sizes = [
        (11, 14, 1),
        (18, 23, 2),
        (21, 26, 3),
        (24, 37, 4),
        (34, 49, 5),
        (40, 61, 6),
        (53, 89, 7),
        (70, 85, 8),
    ];
    let mut networks = vec![
        ("the trap", vec![trap]),
        ("like the Zoo", sizes.iter().map(wide).collect()),
        ("dense", vec![wide(&(20, 60, 9))]),
        ("fat-tree k = 6", vec![fat_tree(6).unwrap().build().unwrap()]),
    ];
    if let Some(directory) = std::env::var_os("SMOC_TOPOLOGIES") {
        networks.push(("SMOC_TOPOLOGIES", topologies_in(directory.as_ref())));
    }
    for (name, topologies) in networks {
        let shares = shares(&topologies);
        println!("{name}: {}", shares.map(|share| format!("{share:.4}")).join(" "));
        assert_eq!(shares[..2], [1.0, 1.0], "{name}");
    }
}

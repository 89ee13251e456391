//! Ranked, diverse paths over network topologies.
//!
//! | module | what |
//! |---|---|
//! | [`topology`] | switches, links and hosts; the topology file and other formats |
//! | [`search`] | ranked paths and detours, one policy a file |
//! | [`analysis`] | what can be said of ranked paths: diversity, failures, throughput, buffers |
//! | [`input`] | files that people write, and messages that say what to change |
//!
//! Every arrow points up this table: `analysis -> search -> topology -> input`.
//!
//! # Example
//!
//! A network in which the shortest path, by m and n, is in no pair of disjoint paths. The two ranks are such a pair
//! nevertheless; traffic that is not split takes the shortest path.
//!
//! ```
//! use smoc_paths::search::{PathFinder, PathOptions};
//! use smoc_paths::topology::TopologyFile;
//!
//! let text = r#"
//! links:
//!   - {a: "e1:1", b: "m:1"}
//!   - {a: "m:2", b: "n:1"}
//!   - {a: "n:2", b: "e2:1"}
//!   - {a: "e1:2", b: "x:1", cost: 2}
//!   - {a: "x:2", b: "n:3", cost: 2}
//!   - {a: "m:3", b: "y:1", cost: 2}
//!   - {a: "y:2", b: "e2:2"}
//! "#;
//! let topology = TopologyFile::parse("trap.yaml".as_ref(), text)?.topology;
//! let finder = PathFinder::new(&topology, &PathOptions::default())?;
//! let [from, to] = ["e1", "e2"].map(|name| topology.find_switch(name).expect("it is in the text"));
//! let paths = finder.source(from).ranked(to);
//!
//! let names = |path: &smoc_paths::search::Path| -> Vec<&str> {
//!     path.switches.iter().map(|&switch| topology.switch(switch).name.as_str()).collect()
//! };
//! assert_eq!(names(&paths.ranks[0]), ["e1", "m", "y", "e2"]);
//! assert_eq!(names(&paths.ranks[1]), ["e1", "x", "n", "e2"]);
//! assert_eq!(paths.ranks[1].shared_links, 0);
//! assert_eq!(names(&paths.base[0]), ["e1", "m", "n", "e2"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod analysis;
pub mod input;
pub mod search;
pub mod topology;

//! `smoc check FILE...`: validates topologies, in all formats that can be read, and agent configurations.
//!
//! What a file is shows in its top-level keys; a kind of file is added by one more arm in [`check_file`].

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use smoc_common::route::Route;

use super::offline::{Progress, pairs, tell, tell_of_edges};
use super::{Failure, input};
use smoc_control::config::{Config, Store};
use smoc_paths::search::{Pair, PathFinder, PathOptions, Unroutable, routable};
use smoc_paths::topology::{SwitchId, Topology, convert};

/// Arguments of `smoc check`.
#[derive(clap::Args, Debug)]
#[command(after_help = "A configuration is checked together with the topology that it names.\n\n\
Exit status 2: a file must be corrected.\n\nExamples:\n  \
smoc check examples/diamond.yaml examples/fat-tree-k4.yaml\n  \
smoc check examples/agent.yaml")]
pub struct CheckArgs {
    /// Topologies, in any format of docs/topologies.md, and agent configurations; - is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Runs the verb: says what each sound file describes, and all faults of the others.
///
/// # Errors
/// At least one file is faulty.
pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    let mut faulty = 0;
    for file in &args.files {
        match check_file(file) {
            Ok(summary) => println!("{}: {summary}", input::name(file)),
            Err(error) => {
                faulty += 1;
                eprintln!("{error:#}");
            }
        }
    }
    match faulty {
        0 => Ok(()),
        _ => Err(Failure::BadInput(anyhow!("{faulty} of {} files must be corrected", args.files.len()))),
    }
}

/// What a sound file describes, in a line.
fn check_file(path: &Path) -> anyhow::Result<String> {
    let name = input::name(path);
    let text = input::text(path).with_context(|| name.to_string())?;
    let path = Path::new(name.as_ref());
    if Config::is_one(&text) {
        return check_config(path, &text);
    }
    check_topology(path, &text)
}

/// An agent's configuration, together with the topology that it names.
fn check_config(path: &Path, text: &str) -> anyhow::Result<String> {
    let config = Config::parse(path, text)?;
    if let Some(why) = unbuilt(&config.store) {
        eprintln!("{}: warning: {why}", path.display());
    }
    config.check_host_keys()?;
    let Some(file) = &config.topology else {
        config.check_keys()?;
        let ports = if config.all_ports {
            format!("all interfaces of {} are ports", config.bridge.as_deref().unwrap_or("the bridge"))
        } else {
            format!("{} ports", config.ports.len())
        };
        let (switch, fabric) = (&config.switch, &config.fabric);
        return Ok(format!("ok: agent of {switch}, {ports}; the fabric \"{fabric}\" is discovered"));
    };
    config.check_keys()?;
    let topology = Topology::load(file)?;
    let switch = config.place(&topology)?;
    let fabric = config.fabric_ports(&topology, switch).len();
    let hosts = config.ports.len() - fabric;
    Ok(format!("ok: agent of {}, {fabric} ports to switches, {hosts} to hosts", config.switch))
}

/// What this smoc lacks to use a store; a smoc that is built otherwise may have it.
fn unbuilt(store: &Store) -> Option<&'static str> {
    (cfg!(not(feature = "etcd")) && matches!(store, Store::Etcd(_))).then_some(
        "store: this smoc is built without etcd, and its agent would refuse this: build it with `cargo build --features etcd`, or \
         write store: flood",
    )
}

/// Max pairs that are listed; more are not searched.
const LISTED: usize = 20;

fn check_topology(path: &Path, text: &str) -> anyhow::Result<String> {
    let mut notes = Vec::new();
    let file = convert::parse(path, text, &mut notes)?;
    tell(&path.to_string_lossy(), &notes);
    file.check_connected()?;
    let topology = &file.topology;
    tell_of_edges(topology);
    let finder = PathFinder::new(topology, &PathOptions::default())?;
    let misfits = misfits(&finder);
    if !misfits.is_empty() {
        return Err(file.fault(&misfits).into());
    }
    let count = |number: usize, what: &str| format!("{number} {what}");
    Ok(format!(
        "ok: {}, {}, {}",
        count(topology.switches().len(), "switches"),
        count(topology.links().len(), "links"),
        count(topology.hosts().len(), "hosts")
    ))
}

/// The first pairs of edges with ranks that fit no source route, each at its first switch.
fn misfits(finder: &PathFinder<'_>) -> Vec<(SwitchId, String)> {
    let topology = finder.topology();
    let edges = topology.edges();
    let progress = Progress::new("pairs", pairs(edges.len()));
    let misfit_of = |Pair { from, to, paths }: Pair| {
        let (fit, unfit) = routable(topology, paths);
        (!unfit.is_empty()).then_some((from, to, fit.len(), unfit))
    };
    let found = finder.of_pairs(&edges, |done| progress.at(done), misfit_of, LISTED + 1);
    let is_more = found.len() > LISTED;
    let listed = found.into_iter().take(LISTED);
    let mut found: Vec<_> =
        listed.map(|(from, to, fit, unfit)| (from, misfit(topology, (from, to), fit, &unfit))).collect();
    if let Some((_, last)) = found.last_mut().filter(|_| is_more) {
        *last += &format!("\n... and more pairs: the first {LISTED} are listed");
    }
    found
}

fn misfit(topology: &Topology, pair: (SwitchId, SwitchId), fit: usize, unfit: &[Unroutable]) -> String {
    let name = |switch: SwitchId| &topology.switch(switch).name;
    let bits: Vec<_> =
        unfit.iter().map(|path| format!("rank {} needs {} bits", path.rank, path.bits)).collect();
    let remaining: Vec<_> = (0..fit + unfit.len())
        .filter(|rank| unfit.iter().all(|path| path.rank != *rank))
        .map(|rank| rank.to_string())
        .collect();
    let remain = match &remaining[..] {
        [] => "no rank remains".to_owned(),
        [one] => format!("the shorter rank {one} remains"),
        more => format!("the shorter ranks {} remain", more.join(", ")),
    };
    format!(
        "{} to {}: {} of the {} that a source route has; {remain}: use lower port numbers or fewer hops",
        name(pair.0),
        name(pair.1),
        bits.join(", "),
        Route::BITS
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_this_build_lacks_is_a_warning() {
        let store = |text: &str| {
            let text = format!("switch: e1\nbridge: br0\nports: auto\n{text}");
            Config::parse(Path::new("agent.yaml"), &text).unwrap().store
        };
        let etcd = store("store: {etcd: {endpoints: [\"http://127.0.0.1:2379\"]}}\n");
        assert_eq!(unbuilt(&etcd).is_some(), cfg!(not(feature = "etcd")));
        assert_eq!(unbuilt(&store("")), None);
    }
}

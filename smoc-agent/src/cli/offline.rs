//! What the offline verbs share: reading topologies, search options, progress, pictures.

use std::io::{IsTerminal, Write};
use std::path::Path as FilePath;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{Failure, input};
use smoc_paths::search::Path;
use smoc_paths::topology::convert::Colours;
use smoc_paths::topology::{SwitchId, Topology, convert};

/// Reads a topology in any format; what had to be changed goes to standard error, nothing if it is refused.
pub(super) fn load(path: &FilePath) -> Result<Topology, Failure> {
    let mut notes = Vec::new();
    let name = input::name(path);
    let text = input::text(path).with_context(|| name.to_string()).map_err(Failure::BadInput)?;
    let file = convert::parse(name.as_ref().as_ref(), &text, &mut notes).map_err(Failure::bad_input)?;
    tell(&name, &notes);
    Ok(file.topology)
}

/// Says on standard error what had to be changed.
pub(super) fn tell(name: &str, notes: &[String]) {
    for note in notes {
        eprintln!("{name}: note: {note}");
    }
}

/// The switch of that name, or that the file calls so.
pub(super) fn find_switch(topology: &Topology, name: &str) -> Result<SwitchId, Failure> {
    let name = name.trim();
    let hint = match topology.switches_called(name)[..] {
        [switch] => return Ok(switch),
        [] => match topology.find_host(name) {
            Some(host) => format!("it is a host; its switch is {}", topology.switch(host.at.switch).name),
            None => some_names(topology, name),
        },
        ref several => {
            let names: Vec<_> = several.iter().map(|&id| topology.switch(id).name.as_str()).collect();
            let message = format!("\"{name}\" may be {}: name one of them", names.join(" or "));
            return Err(Failure::BadInput(anyhow!(message)));
        }
    };
    Err(Failure::BadInput(anyhow!("the topology has no switch \"{name}\": {hint}")))
}

fn some_names(topology: &Topology, name: &str) -> String {
    let names: Vec<_> = topology.switches().iter().map(|switch| switch.name.as_str()).collect();
    let from = names.partition_point(|&other| other < name).min(names.len().saturating_sub(4));
    let some: Vec<_> = names.iter().skip(from).take(4).copied().collect();
    match names.len() {
        0..=4 => format!("there are {}", some.join(", ")),
        all => format!("there are {all} switches, among them {}", some.join(", ")),
    }
}

/// A path as `--format json` shows it.
#[derive(Serialize)]
pub(super) struct PathJson<'a> {
    rank: usize,
    switches: Vec<&'a str>,
    links: Vec<String>,
    cost: u64,
    shared_links: usize,
}

/// Ranked paths as `--format json` shows them.
pub(super) fn paths_json<'a>(topology: &'a Topology, paths: &[Path]) -> Vec<PathJson<'a>> {
    let one = |(rank, path): (usize, &Path)| PathJson {
        rank,
        switches: path.switches.iter().map(|&s| topology.switch(s).name.as_str()).collect(),
        links: path.links.iter().map(|&link| topology.link_name(link)).collect(),
        cost: path.cost,
        shared_links: path.shared_links,
    };
    paths.iter().enumerate().map(one).collect()
}

/// `e1:1 > 1:m1:2 > 1:e2`: each switch between the ports by which the path comes and goes.
pub(super) fn describe(topology: &Topology, path: &Path) -> String {
    let name = |switch: SwitchId| topology.switch(switch).name.as_str();
    let mut text = name(path.switches[0]).to_owned();
    for (&link, pair) in path.links.iter().zip(path.switches.windows(2)) {
        let link = topology.link(link);
        let port = |switch| link.end_at(switch).map_or(0, |end| end.port.get());
        text += &format!(":{} > {}:{}", port(pair[0]), port(pair[1]), name(pair[1]));
    }
    text
}

/// Colours of the ranks, best first, repeated beyond the last: dark ones that differ for colour-blind eyes
/// (Okabe and Ito 2008).
const RANK_COLOURS: [&str; 8] =
    ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#000000"];

/// The colour of a rank.
pub(super) fn rank_colour(rank: usize) -> &'static str {
    RANK_COLOURS[rank % RANK_COLOURS.len()]
}

/// The links of ranked paths, each in the colours of its ranks.
pub(super) fn colours(paths: &[Path]) -> Colours {
    let mut colourist = Colourist::default();
    paths.iter().for_each(|path| colourist.add(path));
    colourist.colours
}

/// Gives one path after another the next colour.
#[derive(Default)]
pub(super) struct Colourist {
    /// Of each link those of its paths, each once.
    pub colours: Colours,
    paths: usize,
}

impl Colourist {
    /// The next path.
    pub fn add(&mut self, path: &Path) {
        let colour = rank_colour(self.paths);
        self.paths += 1;
        for &link in &path.links {
            let colours = self.colours.entry(link).or_default();
            if !colours.contains(&colour) {
                colours.push(colour);
            }
        }
    }
}

/// Has Graphviz lay out a DOT graph and draw it.
pub(super) fn svg(dot: &str) -> Result<String, Failure> {
    let mut child = Command::new("dot")
        .args(["-Grankdir=LR", "-Tsvg"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start Graphviz: install the package graphviz, or print with --format dot")?;
    let mut stdin = child.stdin.take().context("Graphviz takes no input")?;
    let input = dot.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().context("Graphviz")?;
    let written = writer.join().map_err(|_| anyhow!("the thread that feeds Graphviz died"))?;
    if !output.status.success() {
        return Err(Failure::Failed(anyhow!("Graphviz failed: {}", output.status)));
    }
    written.context("feeding Graphviz")?;
    Ok(String::from_utf8(output.stdout).context("Graphviz")?.trim_end().to_owned())
}

/// Says on standard error how far a long computation has come: a bar on a terminal, elsewhere a line now and then. What
/// takes less than a second says nothing.
pub(super) struct Progress {
    what: &'static str,
    all: usize,
    begun: Instant,
    /// On a terminal, once a second has passed.
    bar: OnceLock<ProgressBar>,
    /// Elsewhere: after so many seconds the next line is due.
    due: AtomicU64,
}

/// Seconds between two lines.
const LINES: u64 = 10;

impl Progress {
    /// Of so many `what`.
    pub fn new(what: &'static str, all: usize) -> Self {
        Self { what, all, begun: Instant::now(), bar: OnceLock::new(), due: AtomicU64::new(1) }
    }

    /// So many are done.
    pub fn at(&self, done: usize) {
        let seconds = self.begun.elapsed().as_secs();
        if seconds == 0 {
            return;
        }
        if std::io::stderr().is_terminal() {
            self.bar.get_or_init(|| self.new_bar()).set_position(done as u64);
        } else if self.is_due(seconds) {
            let left = seconds as usize * self.all.saturating_sub(done) / done.max(1);
            eprintln!("smoc: {done} of {} {}, about {left} s left", self.all, self.what);
        }
    }

    /// Whether a line is due; of threads that ask at once, one is told so.
    fn is_due(&self, seconds: u64) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        let next = seconds + LINES;
        due <= seconds && self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn new_bar(&self) -> ProgressBar {
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} {msg}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(self.all as u64)
            .with_style(style)
            .with_message(self.what)
            .with_elapsed(self.begun.elapsed())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

/// Says on standard error that every switch is an edge where no host is named.
pub(super) fn tell_of_edges(topology: &Topology) {
    if topology.hosts().is_empty() {
        eprintln!("smoc: note: the topology names no hosts, so every switch counts as an edge");
    }
}

/// The topology with hosts that can send: where it names none, each switch has one of its own name.
pub(super) fn with_senders(topology: Topology) -> Result<Topology, Failure> {
    if topology.hosts().is_empty() {
        eprintln!("smoc: note: the topology names no hosts, so every switch sends and receives");
    }
    let topology = topology.with_a_host_each();
    match topology.hosts() {
        [] | [_] => {
            let example =
                topology.hosts().first().map_or("h1", |host| if host.name == "h1" { "h2" } else { "h1" });
            let message = format!(
                "fewer than two can send and receive: add hosts: [{{name: {example}, port: \"SWITCH:PORT\"}}]"
            );
            Err(Failure::BadInput(anyhow!(message)))
        }
        _ => Ok(topology),
    }
}

/// The edge switches; says on standard error if all switches are, or if they make no pair.
pub(super) fn edges(topology: &Topology) -> Vec<SwitchId> {
    tell_of_edges(topology);
    let edges = topology.edges();
    if edges.len() < 2 {
        eprintln!("smoc: note: fewer than two switches have hosts, so there is no pair of edges");
    }
    edges
}

/// How many pairs so many switches make.
pub(super) fn pairs(edges: usize) -> usize {
    edges * edges.saturating_sub(1) / 2
}

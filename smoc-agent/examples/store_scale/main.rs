//! Many agents and one real etcd (`etcd` on the path): how long it takes until all know all, and what that costs.
//!
//! ```sh
//! cargo run --release -p smoc-agent --features etcd --example store_scale -- 500 docs/store-scale.svg
//! ```
//!
//! The agents are the agent's side of the store as it is in `smoc agent`, each with a connection of its own, and what puts the
//! network together from what they hear; no packet path. They all run in this process: where it is short of CPU, agents that
//! each have a machine are faster.

mod picture;
mod server;

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use smoc_agent::store::{EtcdStore, View};
use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};
use smoc_control::{
    config::Etcd,
    fabric::{Adjacency, Report, assemble},
    store::Speaker,
};
use tokio::{sync::watch, task::JoinHandle};

use picture::Curve;
use server::Server;

/// Neighbours of each switch to either side of a ring.
const REACH: usize = 4;
/// Ports with hosts, and hosts behind each.
const HOSTS: (u16, u16) = (4, 10);
/// How many agents of a rollout start again at once.
const ROLLOUT: usize = 25;
/// How many agents write snapshots to disk.
const SNAPSHOTS: usize = 10;
/// How long nothing happens while the steady state is measured.
const QUIET: Duration = Duration::from_secs(30);

struct Agent {
    number: usize,
    store: EtcdStore,
    view: watch::Receiver<Arc<View>>,
    task: JoinHandle<Result<(), String>>,
    speaker: Speaker,
}

fn name(number: usize) -> String {
    format!("s{number:04}")
}

fn port(number: usize) -> PortNumber {
    PortNumber::new(u16::try_from(number).unwrap_or(1)).unwrap_or_else(|| unreachable!("port {number}"))
}

impl Agent {
    fn start(number: usize, server: &Server) -> Self {
        let etcd = Etcd {
            endpoints: vec![server.endpoint()],
            ca: None,
            identity: None,
            lease: Etcd::LEASE,
            // One disk is not 500: only some write their snapshots, the others cannot.
            snapshot: match number < SNAPSHOTS {
                true => server.directory().join(format!("{}.snapshot", name(number))),
                false => "/dev/null/snapshot".into(),
            },
        };
        let (store, task) = EtcdStore::start(&etcd, "scale", &name(number));
        let view = store.watch();
        Self { number, store, view, task: tokio::spawn(task), speaker: Speaker::default() }
    }

    /// Says what it finds; `megabits` tells one report from the next.
    fn say(&mut self, agents: usize, megabits: u32) {
        let (this, number) = (self.number, agents);
        // Ports 1 to REACH lead ahead, those after them back; port n ahead ends at port REACH + n.
        let behind = |at: usize| {
            let (other, there) = if at <= REACH {
                (this + at, at + REACH)
            } else {
                (this + number - (at - REACH), at - REACH)
            };
            Adjacency { port: port(at), switch: name(other % number), there: port(there), megabits }
        };
        let report = Report { port_width: 5, adjacencies: (1..=2 * REACH).map(behind).collect() };
        let hosts =
            (0..HOSTS.0).flat_map(|at| (0..HOSTS.1).map(move |host| at * HOSTS.1 + host)).map(|host| {
                let [high, low] = u16::try_from(this).unwrap_or(0).to_be_bytes();
                let address = Ipv4Addr::new(10, high, low, host as u8 + 1);
                let mac = MacAddress::new([2, 0, high, low, 0, host as u8 + 1]);
                (port(usize::from(host / HOSTS.1) + 20), address.into(), mac)
            });
        let now = smoc_agent::clock::microseconds_since_1970();
        let records = self.speaker.say(&name(this), "scale", &report, hosts, now);
        self.store.say(records);
    }

    /// Waits until this holds of what it knows.
    async fn until(&self, holds: impl Fn(&View) -> bool) -> Result<()> {
        let mut view = self.view.clone();
        view.wait_for(|view| holds(view)).await.context("an agent ended")?;
        Ok(())
    }
}

/// Waits for all agents, and says when, since the beginning, each was there: in order.
async fn all(
    agents: &[Agent],
    began: Instant,
    holds: impl Fn(&View) -> bool + Copy,
) -> Result<Vec<Duration>> {
    let wait = agents.iter().map(async |agent| agent.until(holds).await.map(|()| began.elapsed()));
    let mut times = futures_util::future::try_join_all(wait).await?;
    times.sort();
    Ok(times)
}

fn told(what: &str, times: &[Duration], server: &Server, before: server::Cost) {
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64();
    let cost = server.cost() - before;
    println!(
        "| {what} | {:.2} s | {:.2} s | {:.2} s | {:.1} s | {:.0} MB |",
        at(0),
        at(50),
        at(100),
        cost.cpu.as_secs_f64(),
        cost.resident as f64 / 1e6
    );
}

/// The network of an agent, put together as control does.
fn links_of(agent: &Agent) -> (usize, Duration) {
    let began = Instant::now();
    let view = agent.view.borrow().clone();
    let reports: BTreeMap<String, Report> =
        view.facts.switches().iter().map(|(name, record)| (name.clone(), record.report.clone())).collect();
    (assemble(&reports).topology.links().len(), began.elapsed())
}

async fn run(count: usize, picture: &Path) -> Result<()> {
    let mut server = Server::start()?;
    let mut curves = Vec::new();
    println!("{count} switches, {} links, {} hosts", count * REACH, count * usize::from(HOSTS.0 * HOSTS.1));
    println!(
        "| what | first agent | median | last | CPU of etcd | memory of etcd |\n|---|---|---|---|---|---|"
    );
    let everything = move |view: &View| {
        view.facts.switches().len() == count - 1
            && view.facts.hosts().values().map(|ports| ports.len()).sum::<usize>()
                == (count - 1) * usize::from(HOSTS.0)
    };
    let (began, before) = (Instant::now(), server.cost());
    let mut agents: Vec<Agent> = (0..count).map(|number| Agent::start(number, &server)).collect();
    agents.iter_mut().for_each(|agent| agent.say(count, 0));
    let times = all(&agents, began, everything).await?;
    told("all start with an empty store", &times, &server, before);
    curves.push(Curve { name: "start, empty store", times });

    let (before, revision) = (server.cost(), server.revision()?);
    tokio::time::sleep(QUIET).await;
    let cost = server.cost() - before;
    let share = 100.0 * cost.cpu.as_secs_f64() / QUIET.as_secs_f64();
    println!(
        "| nothing happens for {} s | | | | {share:.1} % of a CPU, {} writes | |",
        QUIET.as_secs(),
        server.revision()? - revision
    );

    for (what, changing) in [("one switch changes", 1), ("50 switches change at once", 50.min(count))] {
        let (began, before) = (Instant::now(), server.cost());
        let megabits = changing as u32 * 1000;
        agents[..changing].iter_mut().for_each(|agent| agent.say(count, megabits));
        let seen = |view: &View| {
            let says = |number: &usize| {
                let record = view.facts.switches().get(&name(*number));
                record.is_none_or(|record| {
                    record.report.adjacencies.first().is_some_and(|it| it.megabits == megabits)
                })
            };
            (0..changing).all(|number| says(&number))
        };
        let times = all(&agents, began, seen).await?;
        told(what, &times, &server, before);
        curves.push(Curve { name: what, times });
    }

    let (began, before) = (Instant::now(), server.cost());
    let mut times = Vec::new();
    for first in (0..count).step_by(ROLLOUT) {
        let last = count.min(first + ROLLOUT);
        agents[first..last].iter().for_each(|agent| agent.task.abort());
        for number in first..last {
            agents[number] = Agent::start(number, &server);
            agents[number].say(count, 7);
        }
        all(&agents[first..last], began, everything).await?;
        times.extend(std::iter::repeat_n(began.elapsed(), last - first));
    }
    let followed = move |view: &View| everything(view) && view.status.is_following;
    all(&agents, began, followed).await?;
    told(&format!("rollout, {ROLLOUT} agents at a time"), &times, &server, before);

    let (began, before) = (Instant::now(), server.cost());
    server.restart()?;
    let away = server.revision()?;
    let back = move |view: &View| {
        followed(view) && view.status.heard.is_some() && view.status.revision >= Some(away)
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    let times = all(&agents, began, back).await?;
    told("etcd killed and started again", &times, &server, before);
    curves.push(Curve { name: "etcd killed and started again", times });

    let (links, took) = links_of(&agents[0]);
    println!("\nAn agent puts {links} links together in {:.1} ms.", took.as_secs_f64() * 1e3);
    picture::draw(picture, &curves)
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(Ok(500), |text| text.parse()).context("the number of agents")?;
    let picture = arguments.next().unwrap_or_else(|| "store-scale.svg".to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(count, Path::new(&picture)))
}

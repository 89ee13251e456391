//! Many agents and one real etcd (`etcd` on the path): how long it takes until all know all, and what that costs.
//!
//! ```sh
//! cargo run --release -p smoc-agent --features etcd --example store_scale -- 500 docs/store-scale.svg
//! ```
//!
//! The agents are the agent's side of the store as it is in `smoc agent`, each with a connection of its own; no packet path. One of
//! them, the witness, has the control of `smoc agent` as well: how long it takes to new tables is measured, from an empty start, when the store
//! tells of changes, and when links fail. They all run in this process: where it is short of CPU, agents that
//! each have a machine are faster.

mod picture;
mod server;
mod witness;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use smoc_agent::store::{EtcdStore, View};
use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};
use smoc_control::{
    config::Etcd,
    fabric::{Adjacency, Report},
    store::{Speaker, SwitchRecord},
};
use smoc_plot::SvgFile;
use tokio::{sync::watch, task::JoinHandle};

use picture::Curve;
use server::Server;
use witness::{Seen, Witness};

/// How far ahead the neighbours of each switch are, in a ring: far ones too, so that a route has room for the way to any switch.
const STEPS: [usize; REACH] = [1, 5, 25, 125];
/// Neighbours of each switch to either side.
const REACH: usize = 4;
/// Ports with hosts, and hosts behind each.
const HOSTS: (u16, u16) = (4, 10);
/// How many agents of a rollout start again at once.
const ROLLOUT: usize = 25;
/// How many agents write snapshots to disk.
const SNAPSHOTS: usize = 10;
/// How long nothing happens while the steady state is measured.
const QUIET: Duration = Duration::from_secs(30);
/// How many links fail at once.
const FAILING: usize = 100;

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

/// The switch and port at the other end of a port: ports 1 to [`REACH`] lead ahead, those after them back; port n ahead ends at
/// port [`REACH`] + n.
fn neighbor(this: usize, at: usize, count: usize) -> (usize, usize) {
    if at <= REACH {
        ((this + STEPS[at - 1]) % count, at + REACH)
    } else {
        let back = STEPS[at - REACH - 1] % count;
        ((this + count - back) % count, at - REACH)
    }
}

/// What a switch finds behind its ports; `megabits` tells one report from the next.
fn report_of(this: usize, count: usize, megabits: u32) -> Report {
    let behind = |at: usize| {
        let (other, there) = neighbor(this, at, count);
        Adjacency { port: port(at), switch: name(other), there: port(there), megabits }
    };
    Report { port_width: 5, adjacencies: (1..=2 * REACH).map(behind).collect() }
}

/// The hosts of a switch.
fn hosts_of(this: usize) -> impl Iterator<Item = (PortNumber, IpAddr, MacAddress)> {
    (0..HOSTS.0).flat_map(|at| (0..HOSTS.1).map(move |host| at * HOSTS.1 + host)).map(move |host| {
        let [high, low] = u16::try_from(this).unwrap_or(0).to_be_bytes();
        let address = Ipv4Addr::new(10, high, low, host as u8 + 1);
        let mac = MacAddress::new([2, 0, high, low, 0, host as u8 + 1]);
        (port(usize::from(host / HOSTS.1) + 20), address.into(), mac)
    })
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
        let this = self.number;
        let report = report_of(this, agents, megabits);
        let hosts = hosts_of(this);
        let now = smoc_agent::clock::microseconds_since_1970();
        let record = SwitchRecord { agent: "scale".to_owned(), report, api: None };
        let records = self.speaker.say(&name(this), record, hosts, now);
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

/// What the control of one agent made of something.
fn made(what: &str, began: Instant, before: &Seen, after: &Seen) {
    let took = after.at.saturating_duration_since(began).as_secs_f64();
    let busy = (after.busy - before.busy).as_secs_f64();
    println!("| {what} | {took:.3} s | {busy:.3} s | {} |", after.writes - before.writes);
}

/// A fabric of agents, and what was measured of it.
struct Scale {
    count: usize,
    server: Server,
    agents: Vec<Agent>,
    curves: Vec<Curve>,
}

/// Whether an agent knows everything that all others say.
fn knows(view: &View, count: usize) -> bool {
    let records: usize = view.facts.hosts().values().map(|ports| ports.len()).sum();
    view.facts.switches().len() == count - 1 && records == (count - 1) * usize::from(HOSTS.0)
}

impl Scale {
    /// All start at once, and the store is empty.
    async fn start(count: usize) -> Result<Self> {
        let server = Server::start()?;
        let (began, before) = (Instant::now(), server.cost());
        let mut agents: Vec<Agent> = (0..count).map(|number| Agent::start(number, &server)).collect();
        agents.iter_mut().for_each(|agent| agent.say(count, 0));
        let times = all(&agents, began, |view| knows(view, count)).await?;
        told("all start with an empty store", &times, &server, before);
        let curves = vec![Curve { name: "start, empty store", times }];
        Ok(Self { count, server, agents, curves })
    }

    async fn rest(&self) -> Result<()> {
        let (before, revision) = (self.server.cost(), self.server.revision()?);
        tokio::time::sleep(QUIET).await;
        let cost = self.server.cost() - before;
        let share = 100.0 * cost.cpu.as_secs_f64() / QUIET.as_secs_f64();
        let (seconds, writes) = (QUIET.as_secs(), self.server.revision()? - revision);
        println!("| nothing happens for {seconds} s | | | | {share:.1} % of a CPU, {writes} writes | |");
        Ok(())
    }

    /// So many switches say something else at once.
    async fn change(&mut self, what: &'static str, changing: usize) -> Result<()> {
        let (began, before) = (Instant::now(), self.server.cost());
        let (count, megabits) = (self.count, changing as u32 * 1000);
        self.agents[..changing].iter_mut().for_each(|agent| agent.say(count, megabits));
        let seen = |view: &View| {
            let says = |number: usize| {
                let record = view.facts.switches().get(&name(number));
                let is_new = |it: &Adjacency| it.megabits == megabits;
                record.is_none_or(|record| record.report.adjacencies.first().is_some_and(is_new))
            };
            (0..changing).all(says)
        };
        let times = all(&self.agents, began, seen).await?;
        told(what, &times, &self.server, before);
        self.curves.push(Curve { name: what, times });
        Ok(())
    }

    /// All start again, some at a time.
    async fn roll_out(&mut self) -> Result<()> {
        let (began, before) = (Instant::now(), self.server.cost());
        let (count, mut times) = (self.count, Vec::new());
        for agents in self.agents.chunks_mut(ROLLOUT) {
            for agent in agents.iter_mut() {
                agent.task.abort();
                *agent = Agent::start(agent.number, &self.server);
                agent.say(count, 7);
            }
            all(agents, began, |view| knows(view, count) && view.status.is_following).await?;
            times.extend(std::iter::repeat_n(began.elapsed(), agents.len()));
        }
        told(&format!("rollout, {ROLLOUT} agents at a time"), &times, &self.server, before);
        Ok(())
    }

    /// What the control of agent 0 makes of the network, of links that fail, and of switches that say something else.
    async fn witness(&mut self) -> Result<()> {
        let (count, links, hosts) = (self.count, self.count * REACH, usize::from(HOSTS.0 * HOSTS.1));
        let is_whole = |seen: &Seen| {
            seen.edges >= count - 1
                && (seen.links, seen.down) == (links, 0)
                && seen.hosts >= (count - 1) * hosts
        };
        let began = Instant::now();
        let mut witness = Witness::start(count, self.agents[0].view.clone())?;
        let before = witness.seen();
        let after = witness.until(is_whole).await?;
        made("starts with empty tables", began, &before, &after);
        let failing = FAILING.min(count / 5);
        for round in 1..=3 {
            for (is_down, what) in [(true, "fail"), (false, "come back")] {
                tokio::time::sleep(Duration::from_secs(5)).await;
                let (began, before) = (Instant::now(), witness.seen());
                witness.announce(failing, is_down)?;
                let down = if is_down { failing } else { 0 };
                let after = witness.until(|seen| seen.down == down).await?;
                made(&format!("{failing} links {what} at once, round {round}"), began, &before, &after);
            }
        }
        Ok(())
    }

    /// etcd loses its power and comes back.
    async fn restart(&mut self) -> Result<()> {
        let (began, before, count) = (Instant::now(), self.server.cost(), self.count);
        self.server.restart()?;
        let written = self.server.revision()?;
        // The connections end in a moment.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let is_back = |view: &View| {
            knows(view, count) && view.status.is_following && view.status.revision >= Some(written)
        };
        let times = all(&self.agents, began, is_back).await?;
        told("etcd killed and started again", &times, &self.server, before);
        self.curves.push(Curve { name: "etcd killed and started again", times });
        Ok(())
    }
}

async fn run(count: usize, picture: &SvgFile) -> Result<()> {
    // Then no step leads back to where it began.
    ensure!(count > 125, "write more than 125 agents");
    println!("{count} switches, {} links, {} hosts", count * REACH, count * usize::from(HOSTS.0 * HOSTS.1));
    println!("| what | first agent | median | last | CPU of etcd | memory of etcd |");
    println!("|---|---|---|---|---|---|");
    let mut scale = Scale::start(count).await?;
    scale.rest().await?;
    scale.change("one switch changes", 1).await?;
    scale.change("a tenth of the switches change at once", (count / 10).max(1)).await?;
    scale.restart().await?;
    println!("\n| control of one agent | until new tables | work | changes of maps |\n|---|---|---|---|");
    scale.witness().await?;
    println!();
    scale.roll_out().await?;
    println!("load {}", std::fs::read_to_string("/proc/loadavg")?.trim());
    Ok(picture.write(&picture::figure(count, &scale.curves).svg())?)
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(Ok(500), |text| text.parse()).context("the number of agents")?;
    let picture = arguments.next().unwrap_or_else(|| "store-scale.svg".to_owned());
    let picture: SvgFile = picture.parse().map_err(|error| anyhow!("{picture}: {error}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(count, &picture))
}

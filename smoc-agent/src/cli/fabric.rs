//! `smoc fabric`: the whole fabric, as one of its agents sees it.

use super::{
    Failure, Format,
    fabric_config::{self, ConfigArgs},
    live::{self, LiveArgs, ask, topology_tables, wait},
    merged::{self, MergedArgs},
    print, print_json,
    store::{StoreArgs, later_than},
    table::Table,
};
use smoc_control::{
    fabric::drain::{DRAIN, Target},
    store::{Key, stored_drains, to_drain},
};

use crate::api::{self, DigestView, DrainView, Drained, FabricView, Order};

/// Arguments of `smoc fabric`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Any agent can be asked: all of a fabric know the same within some milliseconds.")]
pub struct FabricArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    /// Show the switches, the links and what is drained
    Status(LiveArgs),
    /// Show the links
    Links(LiveArgs),
    /// Show where each address is attached
    Hosts(LiveArgs),
    /// Show the connections of all switches, with their subflows, ranks and paths
    #[command(after_help = MERGED_HELP)]
    Conns(MergedArgs),
    /// Show the ranked paths of all switches, and which are in use
    #[command(after_help = MERGED_HELP)]
    Paths(MergedArgs),
    /// Make traffic leave a switch, port or link, without loss, until it is undrained
    #[command(after_help = DRAIN_HELP)]
    Drain(DrainArgs),
    /// Let traffic use what was drained
    Undrain(UndrainArgs),
    /// Say once, in the store, what is the same for all switches
    Config(ConfigArgs),
}

const MERGED_HELP: &str = "\
Agents do not tell each other of connections: each edge knows those of its own hosts. So all are asked: the one of --api, those
whose sockets are named, and those that have a fabric_api in their configuration, which announcements and store tell of. What
is missing is said: agents that did not answer, and switches with hosts that there was no way to ask. What two edges say of one connection is
put together.

Examples:
  smoc fabric conns
  smoc fabric conns --token-file fabric.token --ca ca.pem
  ssh -fNL /tmp/e2.sock:/run/smoc/api.sock e2; smoc fabric conns /tmp/e2.sock";

const DRAIN_HELP: &str = "\
New and running subflows leave the links; the links stay up, so that nothing on its way is lost. What joins two parts of
the network and nothing else does stays in use. All agents remember it, over restarts too.

What smoc leaves to the kernel's bridge (ARP, broadcast) goes on over the links of its tree: it moves when the link goes
down, within 1 s.

Examples:
  smoc fabric drain m1 --reason \"new fan\"
  smoc fabric drain e1:2
  smoc fabric drain e1:2-m1:1
  smoc fabric undrain m1";

#[derive(clap::Args, Debug)]
struct DrainArgs {
    /// A switch (m1), a port (e1:2) or a link (e1:2-m1:1)
    target: String,
    /// Why, for others to read
    #[arg(long, default_value_t, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(clap::Args, Debug)]
struct UndrainArgs {
    /// What was drained
    target: String,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    store: StoreArgs,
}

/// `smoc fabric`.
///
/// # Errors
/// No agent answers, or there is no such switch or link.
pub fn run(args: &FabricArgs) -> Result<(), Failure> {
    match &args.verb {
        Verb::Status(live) => show(live, |fabric| {
            let (switches, links) = topology_tables(&fabric.switches, &fabric.links);
            let down = fabric.links.iter().filter(|link| !link.up).count();
            let (all, hosts) = (fabric.links.len(), fabric.hosts);
            let head = format!(
                "{} switches, {all} links, {down} of them down, {hosts} addresses",
                fabric.switches.len()
            );
            let (drained, held) = (drains(&fabric.drained), digests(&fabric.digests));
            format!("{head}\n\n{switches}\n{links}\n{drained}\n{held}")
        }),
        Verb::Links(live) => show(live, |fabric| topology_tables(&[], &fabric.links).1.to_string()),
        Verb::Conns(args) => merged::conns(args),
        Verb::Paths(args) => merged::paths(args),
        Verb::Hosts(live) => live::hosts(live),
        Verb::Config(args) => fabric_config::run(args),
        Verb::Drain(DrainArgs { target, reason, live, store }) => {
            order(live, store, &Order { target: target.clone(), reason: reason.clone(), undrain: false })
        }
        Verb::Undrain(UndrainArgs { target, live, store }) => {
            order(live, store, &Order { target: target.clone(), undrain: true, ..Order::default() })
        }
    }
}

fn show(live: &LiveArgs, render: impl FnOnce(&FabricView) -> String) -> Result<(), Failure> {
    let fabric: FabricView = ask(&live.agent, "/fabric")?;
    match live.format {
        Format::Json => print_json(&fabric),
        Format::Table => print(render(&fabric).trim_end()),
    }
}

fn drains(drained: &[DrainView]) -> String {
    if drained.is_empty() {
        return "nothing is drained".to_owned();
    }
    let mut table = Table::new(["drained", "why"]);
    for DrainView { target, reason, known } in drained {
        let gone = if *known { "" } else { " (not in the fabric now)" };
        table.row([target.clone(), format!("{reason}{gone}")]);
    }
    table.to_string()
}

/// Who has which topology and policy: one sentence if all have the same.
fn digests(all: &[DigestView]) -> String {
    let Some(own) = all.iter().find(|view| !view.differs && view.topology.is_some()) else {
        return String::new();
    };
    if all.iter().all(|view| !view.differs) {
        let [topology, policy] = [&own.topology, &own.policy].map(|it| it.as_deref().unwrap_or("none"));
        return format!("all switches have topology {topology} and policy {policy}");
    }
    let mut table = Table::new(["switch", "topology", "policy", "since", "as here"]);
    for DigestView { switch, topology, policy, since_seconds, differs } in all {
        let text = |it: &Option<String>| it.clone().unwrap_or_else(|| "not told".to_owned());
        let since = since_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.0} s ago"));
        let same = if *differs { "NO" } else { "yes" };
        table.row([switch.clone(), text(topology), text(policy), since, same.to_owned()]);
    }
    table.to_string()
}

fn order(live: &LiveArgs, store: &StoreArgs, order: &Order) -> Result<(), Failure> {
    let done: Drained = match store.is_meant() {
        true => write_order(store, order)?,
        false => wait(api::post(&live.agent.api, "/drain", order))?,
    };
    if live.format == Format::Json {
        return print_json(&done);
    }
    let Drained { target, drained, changed } = done;
    print(&match (drained, changed) {
        (true, true) => format!(
            "{target} is drained: traffic leaves it within half a second; `smoc fabric links` shows it"
        ),
        (true, false) => format!("{target} was drained already"),
        (false, true) => format!("{target} is in use again"),
        (false, false) => format!("{target} was not drained"),
    })
}

/// Writes an order into the store, from which agents take it as one of their own.
fn write_order(store: &StoreArgs, order: &Order) -> Result<Drained, Failure> {
    let mut store = store.open()?;
    let (standing, problems) = stored_drains(store.operator().facts().operators());
    problems.iter().for_each(|problem| eprintln!("warning: {problem}"));
    let Order { target, reason, undrain } = order;
    let topology = store.topology();
    let name = match Target::parse(&topology, target) {
        Ok(target) => target.record(&topology),
        // What is drained and no longer there can be named as it was.
        Err(_) if *undrain && standing.iter().any(|record| record.name == format!("{DRAIN}{target}")) => {
            format!("{DRAIN}{target}")
        }
        Err(why) => return Err(Failure::bad_input(anyhow::anyhow!(why))),
    };
    let before = standing.iter().find(|record| record.name == name);
    let text = (!undrain).then_some(reason.as_str());
    let written = later_than(before.map(|record| record.written).into_iter());
    let target = name.trim_start_matches(DRAIN).to_owned();
    // An agent may have been told otherwise since: what stands there is written again.
    store.put(&Key::Drain(target.clone()), to_drain(text, written), &[])?;
    let changed = before.is_none_or(|record| record.text.as_deref() != text);
    Ok(Drained { target, drained: !undrain, changed })
}

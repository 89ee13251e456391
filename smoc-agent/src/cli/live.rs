//! The verbs that ask a running agent: `status`, `hosts`, `conns`, `paths --live`, `topology`, `explain`.

use std::net::IpAddr;

use anyhow::Context;
use serde::{Serialize, de::DeserializeOwned};

use super::{Failure, Format, print, print_json, socket::AgentSocket, table::Table};
use smoc_control::config::Difference;
use smoc_control::connections::{ConnectionReport, Explanation, Question, SubflowReport};

use crate::{
    api::{
        self, EdgeView, FabricConfigView, HostView, LearningView, LinkView, PortView, RefusalView, Status,
        SwitchView, TopologyView,
    },
    store::StoreView,
};

/// Which agent to ask, and how to print its answer.
#[derive(clap::Args, Debug)]
pub struct LiveArgs {
    #[command(flatten)]
    pub(super) agent: AgentSocket,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// Arguments of `smoc explain`.
#[derive(clap::Args, Debug)]
#[command(
    override_usage = "smoc explain [OPTIONS] <SRC> <SPORT> <DST> <DPORT>\n       smoc explain [OPTIONS] --token <HEX>",
    after_help = "Examples:\n  \
smoc explain 10.0.1.1 43210 10.0.2.1 5001\n  \
smoc explain fd00::1:1 43210 fd00::2:1 5001\n  \
smoc explain --token 9a3f00c1"
)]
pub struct ExplainArgs {
    /// A token as `ss -Mi` or `smoc conns` show it
    #[arg(long, value_name = "HEX")]
    token: Option<String>,
    /// Source address of a flow
    #[arg(value_name = "SRC", required_unless_present = "token", conflicts_with = "token")]
    source: Option<IpAddr>,
    /// Source port
    #[arg(value_name = "SPORT", required_unless_present = "token")]
    source_port: Option<u16>,
    /// Destination address
    #[arg(value_name = "DST", required_unless_present = "token")]
    destination: Option<IpAddr>,
    /// Destination port
    #[arg(value_name = "DPORT", required_unless_present = "token")]
    destination_port: Option<u16>,
    #[command(flatten)]
    live: LiveArgs,
}

pub(super) fn ask<T: DeserializeOwned>(agent: &AgentSocket, query: &str) -> Result<T, Failure> {
    wait(api::get(&agent.api, query))
}

/// Waits for an agent's answer.
pub(super) fn wait<T>(answer: impl Future<Output = Result<T, api::ClientError>>) -> Result<T, Failure> {
    wait_for(answer)?.map_err(|error| match error {
        api::ClientError::Senseless(_) => Failure::bad_input(error),
        _ => Failure::Failed(error.into()),
    })
}

/// Runs something on this thread until it is done.
pub(super) fn wait_for<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("start the runtime")?.block_on(work))
}

fn show<T: DeserializeOwned + Serialize>(
    live: &LiveArgs,
    query: &str,
    render: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    let answer: T = ask(&live.agent, query)?;
    match live.format {
        Format::Json => print_json(&answer),
        Format::Table => print(render(&answer).trim_end()),
    }
}

/// `smoc status`.
///
/// # Errors
/// No agent answers.
pub fn status(args: &LiveArgs) -> Result<(), Failure> {
    show(args, "/status", |status: &Status| {
        let mut text = format!(
            "switch {}: {}, agent {} version {}, up {:.0} s, {} edges, {} addresses, {} links of the network down, {} drained\n\n",
            status.switch,
            if status.ready { "ready" } else { "NOT READY" },
            status.pid,
            status.version,
            status.uptime_seconds,
            status.edges,
            status.hosts,
            status.links_down,
            status.links_drained
        );
        text += &ports(&status.ports);
        text += &probing(status);
        text += &learning(&status.learning);
        text += &store(&status.store);
        text += &fabric_config(&status.fabric_config);
        for warning in &status.warnings {
            text += &format!("\nwarning: {warning}\n");
        }
        let mut counters = Table::new(["counter", "frames", "meaning"]);
        for counter in status.counters.iter().filter(|counter| counter.value > 0) {
            counters.row([counter.name.clone(), counter.value.to_string(), counter.help.clone()]);
        }
        let mut tables = Table::new(["table", "entries", "capacity", "lost in use"]);
        for table in &status.tables {
            let numbers = [table.entries as u64, table.capacity.into(), table.evicted];
            let [entries, capacity, evicted] = numbers.map(|number| number.to_string());
            tables.row([table.name.clone(), entries, capacity, evicted]);
        }
        format!("{text}\n{counters}\n{tables}")
    })
}

/// The store, where it is a server.
fn store(store: &StoreView) -> String {
    let Some(connected) = store.connected else { return String::new() };
    let state = if connected { "connected to" } else { "NOT CONNECTED, tried last" };
    let endpoint = store.endpoint.as_deref().unwrap_or("none");
    let age = store.age_seconds.map_or("never heard".to_owned(), |age| format!("heard {age:.0} s ago"));
    let revision = store.revision.map_or(String::new(), |revision| format!(", revision {revision}"));
    let doubted = match store.doubted.len() {
        0 => String::new(),
        number => format!(", {number} of them not in it"),
    };
    format!(
        "\nstore {}: {state} {endpoint}{revision}, {age}, {} records{doubted}\n",
        store.kind, store.records
    )
}

/// What the fabric says for all switches, and what this one has otherwise.
fn fabric_config(config: &FabricConfigView) -> String {
    let values = config.values.as_object().map_or(0, serde_json::Map::len);
    if values == 0 {
        return String::new();
    }
    let mut text = format!("\nthe fabric's configuration: {}\n", config.values);
    for Difference { key, here, fabric } in &config.differences {
        text += &format!("  {key}: {here} by this switch's own file, {fabric} by the fabric\n");
    }
    text
}

/// What is sent to find failures, and what lies ready for them.
fn probing(status: &Status) -> String {
    let mut text = String::new();
    if let Some(probing) = &status.probing {
        let every =
            |interval: Option<f64>| interval.map_or("never".to_owned(), |ms| format!("every {ms} ms"));
        text += &format!(
            "\n{:.0} probes a second: {} paths in use {}, {} others {}; {} broken, {} that no route fits\n",
            probing.rate,
            probing.used,
            every(probing.interval_ms),
            probing.idle,
            every(probing.idle_interval_ms),
            probing.broken,
            probing.unroutable
        );
    }
    let detours = status.detours;
    text + &format!("{} detours, {} that no route fits\n", detours.installed, detours.unroutable)
}

/// Which addresses are learned, and what was turned away.
fn learning(learning: &LearningView) -> String {
    let within = match learning.prefixes.as_slice() {
        [] => "learned without limit: set `prefixes` in the configuration".to_owned(),
        prefixes => format!("learned within {} ({})", prefixes.join(", "), learning.known_from),
    };
    let LearningView { routed, refused, ignored, .. } = learning;
    format!(
        "hosts are {within}; {routed} prefixes behind routers; {refused} claims refused, {ignored} ignored\n"
    )
}

/// What hellos say of a port.
fn liveness(port: &PortView) -> [String; 3] {
    let Some(live) = &port.liveness else { return ["-".into(), String::new(), String::new()] };
    let state = format!("{}, {}", if live.up { "up" } else { "DOWN" }, live.reason);
    let held = live.hold_down_left_seconds.map_or_else(String::new, |left| format!(", {left:.1} s to go"));
    let round_trip = live.round_trip_ms.map_or_else(String::new, |ms| format!("{ms:.3} ms"));
    [format!("{state} ({:.1} s{held})", live.lasts_seconds), round_trip, live.flaps.to_string()]
}

fn ports(ports: &[PortView]) -> String {
    let heading = [
        "port",
        "interface",
        "role",
        "neighbour",
        "link",
        "program",
        "base network",
        "state",
        "hello RTT",
        "flaps",
    ];
    let mut table = Table::new(heading);
    for port in ports {
        let [state, round_trip, flaps] = liveness(port);
        table.row([
            port.number.to_string(),
            port.interface.clone(),
            port.role.clone(),
            port.neighbor.clone(),
            if port.usable { "up" } else { "DOWN" }.to_owned(),
            port.mode.clone().unwrap_or_else(|| "NONE".to_owned()),
            port.bridge.clone().unwrap_or_else(|| "-".to_owned()),
            state,
            round_trip,
            flaps,
        ]);
    }
    table.to_string()
}

/// `smoc hosts`.
///
/// # Errors
/// No agent answers.
pub fn hosts(args: &LiveArgs) -> Result<(), Failure> {
    show(args, "/hosts", |hosts: &Vec<HostView>| {
        let heading = [
            "address",
            "MAC address",
            "attached to",
            "name",
            "known from",
            "behind it",
            "also claimed by (refused)",
        ];
        let mut table = Table::new(heading);
        for host in hosts {
            let age = host.age_seconds.map_or_else(String::new, |age| format!(", {age:.0} s ago"));
            table.row([
                host.address.to_string(),
                host.mac.clone(),
                format!("{}:{}", host.switch, host.port),
                host.name.clone().unwrap_or_default(),
                format!("{}{age}", host.source),
                behind(host),
                host.refused.iter().map(refusal).collect::<Vec<_>>().join(", "),
            ]);
        }
        table.to_string()
    })
}

/// The prefixes behind a host, and how that is known.
fn behind(HostView { prefixes, routed, .. }: &HostView) -> String {
    let source = |prefix: &String| if routed.contains(prefix) { "route" } else { "file" };
    let all = prefixes.iter().map(|prefix| format!("{prefix} ({})", source(prefix)));
    all.collect::<Vec<_>>().join(", ")
}

fn refusal(RefusalView { mac, switch, port, age_seconds, .. }: &RefusalView) -> String {
    format!("{mac} at {switch}:{port}, {age_seconds:.0} s ago")
}

/// `smoc conns`.
///
/// # Errors
/// No agent answers.
pub fn conns(args: &LiveArgs) -> Result<(), Failure> {
    show(args, "/conns", |connections: &Vec<ConnectionReport>| connection_tables(connections))
}

pub(super) fn connection_tables(connections: &[ConnectionReport]) -> String {
    let mut text = String::new();
    for connection in connections {
        text += &match (connection.id, &connection.tokens) {
            (Some(id), Some(tokens)) => format!(
                "connection {id}: MPTCP v{}, token {} here, {} at {}, opened by the {} host {:.1} s ago\n",
                connection.version.unwrap_or_default(),
                tokens.local,
                tokens.remote,
                connection
                    .remote
                    .as_ref()
                    .map_or_else(String::new, |at| format!("{}:{}", at.switch, at.port)),
                connection.opened_by.as_deref().unwrap_or("?"),
                connection.age_seconds.unwrap_or_default()
            ),
            _ => "subflows of connections that are not known (yet)\n".to_owned(),
        };
        text += &format!("{}\n", subflow_table(&connection.subflows));
    }
    if connections.is_empty() { "no MPTCP connections\n".to_owned() } else { text }
}

fn subflow_table(subflows: &[SubflowReport]) -> Table {
    let mut table = Table::new(["local", "remote", "id", "rank", "path", "sent", "received", "state"]);
    for subflow in subflows {
        let flags = [(subflow.initial, "initial "), (subflow.backup, "backup "), (subflow.hashed, "hashed ")];
        let flags: String = flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
        table.row([
            std::net::SocketAddr::new(subflow.local.address, subflow.local.port).to_string(),
            std::net::SocketAddr::new(subflow.remote.address, subflow.remote.port).to_string(),
            subflow.address_id.to_string(),
            subflow.rank.to_string(),
            subflow.switches.join(" - "),
            format!("{} ({} bytes)", subflow.packets_sent, subflow.bytes_sent),
            format!("{} ({} bytes)", subflow.packets_received, subflow.bytes_received),
            format!("{flags}{}", subflow.state),
        ]);
    }
    table
}

/// `smoc paths --live`.
///
/// # Errors
/// No agent answers.
pub(super) fn paths(agent: &AgentSocket, format: Format) -> Result<(), Failure> {
    let edges: Vec<EdgeView> = ask(agent, "/paths")?;
    if format == Format::Json {
        return print_json(&edges);
    }
    let heading = [
        "edge",
        "rank",
        "path",
        "cost",
        "shared",
        "first port",
        "state",
        "loss",
        "RTT min",
        "smoothed",
        "jitter",
    ];
    let mut table = Table::new(heading);
    let ms = |time: Option<f64>| time.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.3} ms"));
    for edge in &edges {
        for rank in &edge.ranks {
            let live = rank.liveness.as_ref();
            let state = live.map_or_else(
                || "not probed".to_owned(),
                |live| format!("{}{}", live.state, if live.used { ", in use" } else { "" }),
            );
            let state = match (rank.left, &rank.instead_of) {
                (true, _) => format!("left: down or drained ({state})"),
                (false, Some(_)) => format!("{state}, substitute"),
                (false, None) => state,
            };
            let loss = live.and_then(|live| live.loss);
            table.row([
                edge.rule
                    .as_ref()
                    .map_or_else(|| edge.edge.clone(), |rule| format!("{} ({rule})", edge.edge)),
                rank.rank.to_string(),
                rank.switches.join(" - "),
                rank.cost.to_string(),
                rank.shared_links.to_string(),
                format!("{} ({})", rank.port, if rank.usable { "up" } else { "DOWN" }),
                state,
                loss.map_or_else(|| "-".to_owned(), |loss| format!("{:.1}%", loss * 100.0)),
                ms(live.and_then(|live| live.round_trip_min_ms)),
                ms(live.and_then(|live| live.round_trip_ms)),
                ms(live.and_then(|live| live.jitter_ms)),
            ]);
        }
        for path in &edge.unroutable {
            let why = format!("needs {} of 62 bits", path.bits);
            let mut cells = [const { String::new() }; 11];
            (cells[0], cells[1], cells[2]) = (edge.edge.clone(), "-".into(), why);
            table.row(cells);
        }
    }
    print(table.to_string().trim_end())
}

/// `smoc topology`.
///
/// # Errors
/// No agent answers.
pub(super) fn topology(agent: &AgentSocket, format: Format) -> Result<(), Failure> {
    let topology: TopologyView = ask(agent, "/topology")?;
    if format == Format::Json {
        return print_json(&topology);
    }
    let (switches, links) = topology_tables(&topology.switches, &topology.links);
    print(format!("{switches}\n{links}").trim_end())
}

pub(super) fn topology_tables(all_switches: &[SwitchView], all_links: &[LinkView]) -> (Table, Table) {
    let mut switches = Table::new(["switch", "agent", "addresses"]);
    for switch in all_switches {
        let here = if switch.this { format!("{} (here)", switch.name) } else { switch.name.clone() };
        let agent = switch.agent.map_or_else(|| "-".to_owned(), |agent| agent.to_string());
        switches.row([here, agent, switch.hosts.to_string()]);
    }
    let mut links = Table::new(["link", "cost", "capacity", "latency", "base network", "state"]);
    for link in all_links {
        let told = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        links.row([
            link.name.clone(),
            link.cost.to_string(),
            told(&link.capacity),
            told(&link.latency),
            if link.tree { "yes" } else { "no" }.to_owned(),
            match (link.up, link.drained, link.used) {
                (false, _, _) => "DOWN",
                (true, false, _) => "up",
                (true, true, false) => "drained",
                (true, true, true) => "drained, but nothing else leads there",
            }
            .to_owned(),
        ]);
    }
    (switches, links)
}

/// `smoc explain`.
///
/// # Errors
/// The question makes no sense, or no agent answers.
pub fn explain(args: &ExplainArgs) -> Result<(), Failure> {
    let flow = (args.source, args.source_port, args.destination, args.destination_port);
    let question = match (&args.token, flow) {
        (Some(token), _) => Question::of_token(token).map_err(Failure::bad_input)?,
        (None, (Some(source), Some(source_port), Some(destination), Some(destination_port))) => {
            Question::Flow { source, source_port, destination, destination_port }
        }
        _ => return Err(Failure::BadInput(anyhow::anyhow!("give --token, or SRC SPORT DST DPORT"))),
    };
    let query = format!("/explain?{}", question.parameters());
    show(&args.live, &query, |explanation: &Explanation| explanation.story.join("\n"))
}

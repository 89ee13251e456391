//! The configuration of an agent, the agent itself, and where it pins.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::de::DeserializeOwned;

use smoc_control::{
    config::{Config, DEFAULT_API, Store},
    doctor::{Agent, BrokenPath, Pins, Switch},
    interfaces::Interfaces,
};
use smoc_paths::topology::Topology;

use super::{DEFAULT_CONFIG, Subject, machine};
use crate::{
    api::{self, EdgeView, Status},
    dataplane::xdp::{missing_mount, pinned_programs},
};

/// The usual pin directory, where no configuration says so.
const DEFAULT_PIN: &str = "/sys/fs/bpf/smoc";
/// How long an agent may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn read(subject: &Subject, interfaces: &Interfaces) -> Switch {
    let default = Path::new(DEFAULT_CONFIG);
    let path = subject.config.as_deref().or_else(|| default.exists().then_some(default));
    let (config, mut fabric_ports) = match path.map(|path| load(path, interfaces)) {
        None => (None, BTreeSet::new()),
        Some(Err(error)) => (Some(Err(error)), BTreeSet::new()),
        Some(Ok((config, fabric))) => (Some(Ok(config)), fabric),
    };
    let sound = config.as_ref().and_then(|config: &Result<Config, String>| config.as_ref().ok());
    let socket = subject.api.clone().or_else(|| sound.map(|config| config.api.clone()));
    let socket = socket.unwrap_or_else(|| DEFAULT_API.into());
    let status: Result<Status, String> = ask(&socket, "/status").await;
    let mut ports: BTreeMap<u16, String> = sound
        .map(|config| config.ports.iter().map(|(number, name)| (number.get(), name.clone())).collect())
        .unwrap_or_default();
    let mut bridge = sound.and_then(|config| config.bridge.clone());
    if let Ok(status) = &status {
        let is_fabric = |port: &&api::PortView| port.role == "fabric";
        fabric_ports.extend(status.ports.iter().filter(is_fabric).map(|port| port.number));
        if sound.is_none() {
            ports = status.ports.iter().map(|port| (port.number, port.interface.clone())).collect();
            bridge = status.bridge.as_ref().map(|bridge| bridge.interface.clone());
        }
    }
    let process = status.as_ref().map_or("self".to_owned(), |status| status.pid.to_string());
    let pin = sound.map_or_else(|| DEFAULT_PIN.into(), |config| config.pin.clone());
    Switch {
        pins: pins(pin, ports.values().map(String::as_str)),
        key_files: sound.map(key_files).unwrap_or_default(),
        agent: match status {
            Ok(status) => Ok(agent(status, &socket).await),
            Err(why) => Err(why),
        },
        capabilities: machine::capabilities(&process),
        real_time: machine::real_time(&process),
        clock_is_synchronised: machine::clock_is_synchronised(),
        config,
        ports,
        bridge,
        fabric_ports,
    }
}

/// What an agent answers, if it does in time.
async fn ask<T: DeserializeOwned>(socket: &Path, query: &str) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, api::get(socket, query)).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("the agent behind {} does not answer within {PATIENCE:?}", socket.display())),
    }
}

/// A configuration with the ports that its bridge has, and those of them that lead to other switches by the topology file.
fn load(path: &Path, interfaces: &Interfaces) -> Result<(Config, BTreeSet<u16>), String> {
    let config = Config::load(path).map_err(|error| error.to_string())?;
    let config = config.with_interfaces(interfaces).unwrap_or(config);
    let Some(file) = &config.topology else { return Ok((config, BTreeSet::new())) };
    let topology = Topology::load(file).map_err(|error| error.to_string())?;
    let switch = config.place(&topology).map_err(|error| error.to_string())?;
    let fabric = config.fabric_ports(&topology, switch).into_iter().map(|port| port.get()).collect();
    Ok((config, fabric))
}

async fn agent(status: Status, socket: &Path) -> Agent {
    let edges: Vec<EdgeView> = ask(socket, "/paths").await.unwrap_or_default();
    let broken = edges.iter().flat_map(|edge| {
        let is_broken =
            |rank: &&api::RankView| rank.liveness.as_ref().is_some_and(|live| live.state == "broken");
        edge.ranks.iter().filter(is_broken).map(|rank| BrokenPath {
            edge: edge.edge.clone(),
            rank: rank.rank,
            links: rank.links.join(", "),
        })
    });
    Agent {
        is_ready: status.ready,
        pid: status.pid,
        broken: broken.collect(),
        attached: status.ports.into_iter().filter(|port| port.attached).map(|port| port.interface).collect(),
        etcd: status.store.connected,
        warnings: status.warnings,
    }
}

fn pins<'a>(path: PathBuf, interfaces: impl Iterator<Item = &'a str>) -> Pins {
    let owner = fs::metadata(&path).ok().map(|there| (there.uid(), there.mode() & 0o7777));
    Pins { missing_mount: missing_mount(&path), programs: pinned_programs(&path, interfaces), owner, path }
}

/// All files with keys and tokens that the configuration names.
fn key_files(config: &Config) -> Vec<(PathBuf, u32)> {
    let etcd = match &config.store {
        Store::Etcd(etcd) => etcd.identity.as_ref(),
        Store::Static | Store::Flood => None,
    };
    let listeners = [
        config.metrics.as_ref(),
        config.fabric_api.as_ref().map(|api| &api.listener),
        config.web.as_ref().map(|web| &web.port),
    ];
    let listeners = listeners.into_iter().flatten();
    let of_listeners = listeners.flat_map(|it| {
        [it.token_file.as_ref(), it.identity.as_ref().map(|(_, key)| key)].into_iter().flatten()
    });
    let names = [config.key_file.as_ref(), config.advising.key_file.as_ref(), etcd.map(|(_, key)| key)];
    let names: BTreeSet<&PathBuf> = names.into_iter().flatten().chain(of_listeners).collect();
    let mode = |path: &PathBuf| Some((path.clone(), fs::metadata(path).ok()?.mode()));
    names.into_iter().filter_map(mode).collect()
}

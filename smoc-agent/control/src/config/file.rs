//! From YAML to [`Config`].

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use serde::Deserialize;
use serde_saphyr::Spanned;
use smoc_common::route::{PortNumber, Rank};

use smoc_paths::{
    input::{self, Fault},
    topology::check_name,
};

use crate::{discovery::key::Keys, hosts::LEARNED_FOR};

use super::{
    Advising, Border, Config, FabricApi, Guard, Hellos, KeyMode, Lines, Listener, PathOptions, PortRole,
    Probes, Routes, Shared, Spread, Tables, Web, XdpMode, duration,
    listener::{self, RawFabricApi, RawListener},
    store::{self, RawStore},
    web::{self, RawWeb},
};

/// Where the API listens unless the configuration says otherwise.
pub const DEFAULT_API: &str = "/run/smoc/api.sock";
const DEFAULT_FABRIC: &str = "default";
const DEFAULT_PIN: &str = "/sys/fs/bpf/smoc";
const DEFAULT_STATE: &str = "/var/lib/smoc";
/// Min and max entries of a table.
const TABLE_RANGE: std::ops::RangeInclusive<u32> = 16..=1 << 27;
/// Min and max interval of hellos and probes.
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
/// Min and max time after which a silent host is asked.
const AGEING: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
/// Min and max probes a second, all of which one thread sends.
const BUDGETS: std::ops::RangeInclusive<u32> = 1..=100_000;
/// Min and max missed hellos after which a port is dead.
const MULTIPLIERS: std::ops::RangeInclusive<u32> = 1..=255;
/// Bits of the highest port number.
const MAX_PORT_BITS: u8 = 10;
/// Max length of an interface name.
const INTERFACE_NAME: usize = 15;
/// Max length of the path of a Unix socket.
const SOCKET_PATH: usize = 107;

/// The file as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    switch: Spanned<String>,
    fabric: Option<Spanned<String>>,
    topology: Option<PathBuf>,
    key_mode: Option<Spanned<KeyMode>>,
    key_file: Option<PathBuf>,
    #[serde(default)]
    host_advice: bool,
    host_key_file: Option<Spanned<PathBuf>>,
    ports: Option<Spanned<RawPorts>>,
    port_width: Option<Spanned<u8>>,
    roles: Option<Spanned<BTreeMap<u16, Spanned<PortRole>>>>,
    bridge: Option<Spanned<String>>,
    api: Option<Spanned<PathBuf>>,
    api_owner: Option<String>,
    api_group: Option<String>,
    state: Option<PathBuf>,
    #[serde(default)]
    bpf: RawBpf,
    paths: Option<Spanned<PathOptions>>,
    #[serde(default)]
    spread: Spread,
    guard: Option<Spanned<BTreeMap<u16, Spanned<Guard>>>>,
    openings: Option<u32>,
    port_openings: Option<u32>,
    #[serde(default = "yes")]
    learn: bool,
    ageing: Option<Spanned<Ageing>>,
    #[serde(default)]
    prefixes: Vec<Spanned<String>>,
    #[serde(default)]
    routes: Routes,
    #[serde(default)]
    xdp: XdpMode,
    hellos: Option<Spanned<Hellos>>,
    probes: Option<Spanned<Probes>>,
    tables: Option<Spanned<Tables>>,
    store: Option<Spanned<RawStore>>,
    metrics: Option<Spanned<RawListener>>,
    fabric_api: Option<Spanned<RawFabricApi>>,
    web: Option<Spanned<RawWeb>>,
}

#[derive(Clone, Copy, Deserialize)]
struct Ageing(#[serde(deserialize_with = "duration::read")] Duration);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBpf {
    object: Option<PathBuf>,
    pin: Option<PathBuf>,
}

fn yes() -> bool {
    true
}

type Faults = Vec<Fault>;

pub(super) fn parse(path: &Path, text: &str) -> Result<Config, Faults> {
    let raw: Raw = input::read_yaml(text).map_err(|fault| vec![fault])?;
    let mut faults = Faults::new();
    let numbered = raw.ports.as_ref().and_then(|ports| ports.value.0.as_ref());
    let ports_line = raw.ports.as_ref().map_or(raw.switch.referenced.line(), |ports| ports.referenced.line());
    let ports = numbered.map(|numbered| ports(numbered, ports_line, &mut faults));
    check_bridge(&raw, ports.is_none(), ports_line, &mut faults);
    check_port_width(raw.port_width.as_ref(), ports.as_ref(), &mut faults);
    let directory = path.parent().unwrap_or(Path::new(""));
    check_names(&raw, directory, &mut faults);
    check_values(&raw, &mut faults);
    let lines = lines(&raw, ports_line);
    let roles = of_ports("roles", raw.roles.as_ref(), ports.as_ref(), &mut faults);
    let fabric = fabric(raw.fabric, &mut faults);
    let guards = of_ports("guard", raw.guard.as_ref(), ports.as_ref(), &mut faults);
    let prefixes = prefixes(&raw.prefixes, &mut faults);
    let store = store::check(raw.store, &raw.switch.value, raw.topology.is_some(), directory, &mut faults);
    let listeners = (raw.metrics, raw.fabric_api, raw.web);
    let (metrics, fabric_api, web) = listening(listeners, directory, &mut faults);
    if !faults.is_empty() {
        faults.sort();
        return Err(faults);
    }
    Ok(Config {
        path: path.into(),
        topology: raw.topology.map(|topology| directory.join(topology)),
        key_file: raw.key_file.map(|file| directory.join(file)),
        key_mode: raw.key_mode.map_or(KeyMode::Required, |mode| mode.value),
        keys: Keys::default(),
        advising: advising(raw.host_advice, raw.host_key_file, directory),
        port_width: raw.port_width.map_or(0, |bits| bits.value),
        lines,
        switch: raw.switch.value,
        fabric,
        roles,
        all_ports: ports.is_none(),
        ports: ports.unwrap_or_default(),
        bridge: raw.bridge.map(|bridge| bridge.value),
        api_owner: raw.api_owner,
        api_group: raw.api_group,
        api: directory.join(raw.api.map_or_else(|| DEFAULT_API.into(), |api| api.value)),
        state: directory.join(raw.state.unwrap_or_else(|| DEFAULT_STATE.into())),
        object: raw.bpf.object.map(|object| directory.join(object)),
        pin: directory.join(raw.bpf.pin.unwrap_or_else(|| DEFAULT_PIN.into())),
        paths: raw.paths.map(|paths| paths.value).unwrap_or_default(),
        spread: raw.spread,
        border: border(guards, raw.openings, raw.port_openings),
        learn: raw.learn,
        prefixes,
        ageing: raw.ageing.map_or(LEARNED_FOR, |ageing| ageing.value.0),
        routes: raw.routes,
        xdp: raw.xdp,
        hellos: raw.hellos.map(|hellos| hellos.value).unwrap_or_default(),
        probes: raw.probes.map(|probes| probes.value).unwrap_or_default(),
        tables: raw.tables.map(|tables| tables.value).unwrap_or_default(),
        metrics,
        fabric_api,
        web,
        store,
        said: Shared::of_file(text),
    })
}

fn advising(is_on: bool, key_file: Option<Spanned<PathBuf>>, directory: &Path) -> Advising {
    let key_file = key_file.map(|file| directory.join(file.value));
    Advising { is_on, key_file, keys: Keys::default() }
}

fn border(guards: BTreeMap<PortNumber, Guard>, openings: Option<u32>, port_openings: Option<u32>) -> Border {
    Border {
        guards,
        openings: openings.unwrap_or(Border::OPENINGS),
        port_openings: port_openings.unwrap_or(Border::PORT_OPENINGS),
    }
}

type Listeners = (Option<Spanned<RawListener>>, Option<Spanned<RawFabricApi>>, Option<Spanned<RawWeb>>);

/// The TCP ports of the agent: for metrics, for operators of the fabric, for the page.
fn listening(
    (metrics, fabric_api, web): Listeners,
    directory: &Path,
    faults: &mut Faults,
) -> (Option<Listener>, Option<FabricApi>, Option<Web>) {
    (
        listener::check("metrics", metrics, directory, faults),
        listener::check_fabric_api(fabric_api, directory, faults),
        web::check(web, directory, faults),
    )
}

/// Where no ports are named, they are those of a bridge.
fn check_bridge(raw: &Raw, is_needed: bool, line: u64, faults: &mut Faults) {
    if is_needed && raw.bridge.is_none() {
        let message = "bridge: missing: ports are the interfaces of the bridge unless ports says otherwise";
        faults.push((line, message.into()));
    }
}

/// Where what is checked later stands.
fn lines(raw: &Raw, ports: u64) -> Lines {
    Lines {
        switch: raw.switch.referenced.line(),
        ports,
        guard: raw.guard.as_ref().map_or(0, |guard| guard.referenced.line()),
        paths: raw.paths.as_ref().map_or(0, |paths| paths.referenced.line()),
    }
}

/// What switch, bridge and socket are called.
fn check_names(raw: &Raw, directory: &Path, faults: &mut Faults) {
    if let Err(why) = check_name(&raw.switch.value) {
        faults.push((raw.switch.referenced.line(), format!("switch: {why}")));
    }
    if let Some(bridge) = &raw.bridge {
        check_interface("bridge", bridge, faults);
    }
    if let Some(api) = &raw.api
        && directory.join(&api.value).as_os_str().len() > SOCKET_PATH
    {
        let message = format!("api: longer than {SOCKET_PATH} bytes, which no Unix socket's path may be");
        faults.push((api.referenced.line(), message));
    }
}

/// Numbers and times.
fn check_values(raw: &Raw, faults: &mut Faults) {
    if let (Some(mode), None) = (&raw.key_mode, &raw.key_file) {
        let message = "key_mode: there is no key: write key_file, or leave this out".into();
        faults.push((mode.referenced.line(), message));
    }
    if let (Some(file), false) = (&raw.host_key_file, raw.host_advice) {
        let message =
            "host_key_file: hosts are told nothing: write host_advice: true, or leave this out".into();
        faults.push((file.referenced.line(), message));
    }
    if let (Some(file), Some(fabric)) = (&raw.host_key_file, &raw.key_file)
        && file.value == *fabric
    {
        let message = "host_key_file: this is the fabric's key, which no host may have: make another one with `openssl rand -base64 32`";
        faults.push((file.referenced.line(), message.into()));
    }
    check_paths(raw.paths.as_ref(), faults);
    check_hellos(raw.hellos.as_ref(), faults);
    check_probes(raw.probes.as_ref(), faults);
    check_tables(raw.tables.as_ref(), faults);
    check_ageing(raw.ageing.as_ref(), faults);
}

/// Whether a mapping has a key that a configuration needs and a topology does not know; `topology` is one if it names
/// a file, as it does not in files of containerlab.
pub(super) fn has_own_keys(text: &str) -> bool {
    let keys = input::yaml_kinds(text).ok().flatten().unwrap_or_default();
    keys.iter().any(|(key, single)| match key.as_str() {
        "switch" | "ports" => true,
        "topology" => *single,
        _ => false,
    })
}

/// `auto`, or the interface of each port.
struct RawPorts(Option<BTreeMap<u16, Spanned<String>>>);

impl<'de> Deserialize<'de> for RawPorts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> serde::de::Visitor<'de> for Either {
            type Value = RawPorts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("auto, or port number: interface")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawPorts, E> {
                if text == "auto" {
                    return Ok(RawPorts(None));
                }
                Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<RawPorts, A::Error> {
                let map = BTreeMap::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(RawPorts(Some(map)))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

fn check_port_width(
    raw: Option<&Spanned<u8>>,
    ports: Option<&BTreeMap<PortNumber, String>>,
    faults: &mut Faults,
) {
    let Some(Spanned { value: bits, referenced, .. }) = raw else { return };
    let widest = ports.and_then(|ports| ports.keys().next_back()).map_or(1, |port| port.width());
    if !(widest..=MAX_PORT_BITS).contains(bits) {
        let message =
            format!("port_width: {bits} is not from {widest}, which the ports need, to {MAX_PORT_BITS}");
        faults.push((referenced.line(), message));
    }
}

fn ports(
    raw: &BTreeMap<u16, Spanned<String>>,
    line: u64,
    faults: &mut Faults,
) -> BTreeMap<PortNumber, String> {
    let mut ports: BTreeMap<PortNumber, String> = BTreeMap::new();
    if raw.is_empty() {
        faults.push((line, "ports: empty: write port number: interface".into()));
    }
    for (&number, interface) in raw {
        let line = interface.referenced.line();
        check_interface(&format!("ports.{number}"), interface, faults);
        let Some(port) = PortNumber::new(number) else {
            let message = format!("ports.{number}: no port number: write one from 1 to {}", PortNumber::MAX);
            faults.push((line, message));
            continue;
        };
        if let Some((other, _)) = ports.iter().find(|(_, name)| **name == interface.value) {
            let message =
                format!("ports.{number}: {} is already the interface of port {other}", interface.value);
            faults.push((line, message));
        }
        ports.insert(port, interface.value.clone());
    }
    ports
}

/// What is said of some ports under a key.
fn of_ports<T: Copy>(
    key: &str,
    raw: Option<&Spanned<BTreeMap<u16, Spanned<T>>>>,
    ports: Option<&BTreeMap<PortNumber, String>>,
    faults: &mut Faults,
) -> BTreeMap<PortNumber, T> {
    let mut said = BTreeMap::new();
    for (&number, value) in raw.into_iter().flat_map(|raw| &raw.value) {
        match PortNumber::new(number).filter(|port| ports.is_none_or(|ports| ports.contains_key(port))) {
            Some(port) => drop(said.insert(port, value.value)),
            None => {
                let message = format!("{key}.{number}: no port of this number is under ports");
                faults.push((value.referenced.line(), message));
            }
        }
    }
    said
}

fn fabric(raw: Option<Spanned<String>>, faults: &mut Faults) -> String {
    let Some(Spanned { value, referenced, .. }) = raw else { return DEFAULT_FABRIC.to_owned() };
    if !(1..=64).contains(&value.len()) || value.contains(char::is_control) {
        let shown = input::shown(&value);
        faults.push((referenced.line(), format!("fabric: \"{shown}\" is no name: write 1 to 64 bytes")));
    }
    value
}

fn prefixes(raw: &[Spanned<String>], faults: &mut Faults) -> Vec<IpNet> {
    let mut prefixes = Vec::new();
    for text in raw {
        match input::prefix(&text.value) {
            Ok(prefix) => prefixes.push(prefix),
            Err(why) => faults.push((text.referenced.line(), format!("prefixes: {why}"))),
        }
    }
    prefixes
}

fn check_interface(field: &str, name: &Spanned<String>, faults: &mut Faults) {
    let text = &name.value;
    let odd = |c: char| c.is_whitespace() || c == '/' || c == ':' || c == '\0';
    if text.is_empty() || text.len() > INTERFACE_NAME || text.contains(odd) || text == "." || text == ".." {
        let message = format!(
            "{field}: \"{}\" is no interface name: 1 to {INTERFACE_NAME} bytes without blanks, \"/\" or \":\"",
            input::shown(text)
        );
        faults.push((name.referenced.line(), message));
    }
}

fn check_paths(paths: Option<&Spanned<PathOptions>>, faults: &mut Faults) {
    let Some(paths) = paths else { return };
    let line = paths.referenced.line();
    if let Err(error) = paths.value.check() {
        faults.push((line, format!("paths: {error}")));
    } else if paths.value.count > Rank::COUNT {
        let (count, most) = (paths.value.count, Rank::COUNT);
        faults.push((line, format!("paths.count: {count} is too many: the packet path has {most} ranks")));
    }
}

fn check_tables(tables: Option<&Spanned<Tables>>, faults: &mut Faults) {
    let Some(Spanned { value, referenced, .. }) = tables else { return };
    let Tables { flows, half_open, connections, hosts } = *value;
    let sizes = [("flows", flows), ("half_open", half_open), ("connections", connections), ("hosts", hosts)];
    for (field, size) in sizes.into_iter().filter(|(_, size)| !TABLE_RANGE.contains(size)) {
        let (least, most) = (TABLE_RANGE.start(), TABLE_RANGE.end());
        faults.push((referenced.line(), format!("tables.{field}: {size} is not from {least} to {most}")));
    }
}

fn check_hellos(hellos: Option<&Spanned<Hellos>>, faults: &mut Faults) {
    let Some(Spanned { value, referenced, .. }) = hellos else { return };
    check_interval("hellos.interval", value.interval, referenced.line(), faults);
    check_number("hellos.multiplier", value.multiplier, MULTIPLIERS, referenced.line(), faults);
}

fn check_probes(probes: Option<&Spanned<Probes>>, faults: &mut Faults) {
    let Some(Spanned { value, referenced, .. }) = probes else { return };
    check_interval("probes.interval", value.interval, referenced.line(), faults);
    check_interval("probes.idle_interval", value.idle_interval, referenced.line(), faults);
    check_number("probes.budget", value.budget, BUDGETS, referenced.line(), faults);
}

fn check_ageing(ageing: Option<&Spanned<Ageing>>, faults: &mut Faults) {
    let Some(Spanned { value: Ageing(ageing), referenced, .. }) = ageing else { return };
    if !AGEING.contains(ageing) {
        let (least, most) = (AGEING.start(), AGEING.end());
        faults.push((referenced.line(), format!("ageing: {ageing:?} is not from {least:?} to {most:?}")));
    }
}

fn check_interval(field: &str, interval: Duration, line: u64, faults: &mut Faults) {
    if !interval.is_zero() && !INTERVALS.contains(&interval) {
        let (least, most) = (INTERVALS.start(), INTERVALS.end());
        faults.push((line, format!("{field}: {interval:?} is neither off nor from {least:?} to {most:?}")));
    }
}

fn check_number(
    field: &str,
    number: u32,
    range: std::ops::RangeInclusive<u32>,
    line: u64,
    faults: &mut Faults,
) {
    if !range.contains(&number) {
        let (least, most) = (range.start(), range.end());
        faults.push((line, format!("{field}: {number} is not from {least} to {most}")));
    }
}

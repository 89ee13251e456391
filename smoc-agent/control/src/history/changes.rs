//! What has happened between two snapshots.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use smoc_common::route::Rank;
use smoc_paths::topology::LinkId;

use super::Kind;
use crate::{
    hosts::KnownHost,
    neighbors::Standing,
    plan::PathsTo,
    switch::{PortState, Snapshot, path_name},
};

/// So many things of one kind are told one by one; more are counted.
const MOST: usize = 64;

/// What is said of a link that was not known before.
pub const NEW_LINK: &str = "is part of the network";

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// What it is about.
    pub kind: Kind,
    /// The port, link, path or address; empty if it is about none.
    pub subject: String,
    /// What happened, for people.
    pub text: String,
}

impl Happening {
    /// Something that happened to this.
    pub fn new(kind: Kind, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), text: text.into() }
    }
}

/// What has happened from one snapshot to the next.
pub fn changes(before: Option<&Snapshot>, after: &Snapshot) -> Vec<Happening> {
    let mut all = Vec::new();
    let was_ready = before.is_some_and(|before| before.ready);
    if was_ready != after.ready {
        let text = if after.ready { "ready" } else { "not ready: maps or programs are missing" };
        all.push(Happening::new(Kind::Agent, "", text));
    }
    all.extend(few(ports(before, after)));
    all.extend(few(links(before, after)));
    all.extend(few(paths(before, after)));
    all.extend(few(records(before, after)));
    all.extend(few(hosts(before, after)));
    all.extend(few(warnings(before, after)));
    all
}

/// The first [`MOST`] of them, and how many more there are.
fn few(mut all: Vec<Happening>) -> Vec<Happening> {
    let more = all.len().saturating_sub(MOST);
    if more > 0 {
        let kind = all[MOST].kind;
        all.truncate(MOST);
        all.push(Happening::new(Kind::Gap, kind.name(), format!("and {more} more at the same time")));
    }
    all
}

fn ports(before: Option<&Snapshot>, after: &Snapshot) -> Vec<Happening> {
    let old: BTreeMap<u16, &PortState> =
        before.into_iter().flat_map(|before| &before.ports).map(|port| (port.number.get(), port)).collect();
    let switch = &after.topology.switch(after.this).name;
    let mut all = Vec::new();
    for port in &after.ports {
        let old = old.get(&port.number.get());
        let mut tell =
            |text: String| all.push(Happening::new(Kind::Port, format!("{switch}:{}", port.number), text));
        if old.map(|old| state(old)) != Some(state(port)) {
            tell(state(port).to_owned());
        }
        if old.map(|old| &old.neighbor) != Some(&port.neighbor)
            && (old.is_some() || port.neighbor != Standing::Undecided)
        {
            tell(neighbor(&port.neighbor));
        }
        if old.is_some_and(|old| old.attached.is_some()) && port.attached.is_none() {
            tell("the program is not attached any more".to_owned());
        }
    }
    all
}

/// Whether frames leave through a port, and why not.
fn state(port: &PortState) -> &'static str {
    match (port.usable, port.carrier) {
        (true, _) => "up",
        (false, true) => "down, with carrier: its neighbour does not answer",
        (false, false) => "down: no carrier",
    }
}

fn neighbor(standing: &Standing) -> String {
    match standing {
        Standing::Fabric(peer) => format!("leads to {peer}"),
        Standing::Host => "leads to hosts".to_owned(),
        Standing::Undecided => "nobody knows what is behind it".to_owned(),
        Standing::Awaited => "its neighbour is awaited".to_owned(),
        Standing::Refused(_) => "refused: see the warnings".to_owned(),
        Standing::Off => "off".to_owned(),
    }
}

fn links(before: Option<&Snapshot>, after: &Snapshot) -> Vec<Happening> {
    let named = |snapshot: &Snapshot, links: &mut dyn Iterator<Item = LinkId>| -> BTreeSet<String> {
        links.map(|link| snapshot.topology.link_name(link)).collect()
    };
    let down = |snapshot: &Snapshot| named(snapshot, &mut snapshot.down.iter().copied());
    let drained = |snapshot: &Snapshot| named(snapshot, &mut snapshot.drained.iter().copied());
    let old = |of: &dyn Fn(&Snapshot) -> BTreeSet<String>| before.map(of).unwrap_or_default();
    let mut all = Vec::new();
    let mut tell = |before: BTreeSet<String>, after: BTreeSet<String>, begins: &str, ends: &str| {
        all.extend(after.difference(&before).map(|link| Happening::new(Kind::Link, link, begins)));
        all.extend(before.difference(&after).map(|link| Happening::new(Kind::Link, link, ends)));
    };
    if before.is_none_or(|before| !Arc::ptr_eq(&before.topology, &after.topology)) {
        let every = |snapshot: &Snapshot| named(snapshot, &mut snapshot.topology.link_ids());
        tell(old(&every), every(after), NEW_LINK, "is not part of the network any more");
    }
    tell(old(&down), down(after), "down", "up");
    tell(old(&drained), drained(after), "drained", "not drained any more");
    all
}

fn paths(before: Option<&Snapshot>, after: &Snapshot) -> Vec<Happening> {
    let broken = |snapshot: &Snapshot| -> BTreeSet<(String, u8, u8)> {
        let name = |to: PathsTo| (snapshot.topology.switch(to.edge).name.clone(), to.rule);
        let named = |(to, rank): (PathsTo, Rank)| (name(to).0, name(to).1, rank.get());
        snapshot.broken.iter().copied().map(named).collect()
    };
    let way = |edge: &str, rule: u8, rank: u8| {
        let edge = after.topology.find_switch(edge);
        let path = edge.and_then(|edge| after.paths(PathsTo { edge, rule })?.ranked.get(usize::from(rank)));
        path.map_or_else(String::new, |path| format!(": {}", path_name(&after.topology, path)))
    };
    let (old, new) = (before.map(broken).unwrap_or_default(), broken(after));
    let tell = |(edge, rule, rank): &(String, u8, u8), text: &str| {
        let by = after.policies.rules().choice(*rule).map(|choice| format!(" by {}", choice.rule.name));
        let subject = format!("{edge} rank {rank}{}", by.unwrap_or_default());
        Happening::new(Kind::Path, subject, format!("{text}{}", way(edge, *rule, *rank)))
    };
    let begins = new.difference(&old).map(|path| tell(path, "no probe comes back"));
    begins.chain(old.difference(&new).map(|path| tell(path, "probes come back again"))).collect()
}

fn records(before: Option<&Snapshot>, after: &Snapshot) -> Vec<Happening> {
    let texts = |snapshot: &Snapshot| -> BTreeMap<String, String> {
        let said = snapshot.records.under("");
        said.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    };
    let (old, new) = (before.map(texts).unwrap_or_default(), texts(after));
    let mut all = Vec::new();
    for (name, text) in &new {
        if old.get(name) != Some(text) {
            let said = if text.is_empty() { "ordered".to_owned() } else { format!("ordered: {text}") };
            all.push(Happening::new(Kind::Policy, name, said));
        }
    }
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    all.extend(gone.map(|name| Happening::new(Kind::Policy, name, "taken back")));
    all
}

fn hosts(before: Option<&Snapshot>, after: &Snapshot) -> Vec<Happening> {
    if before.is_some_and(|before| Arc::ptr_eq(&before.hosts, &after.hosts)) {
        return Vec::new();
    }
    let place = |snapshot: &Snapshot, host: &KnownHost| {
        format!("{}:{}", snapshot.topology.switch(host.at.switch).name, host.at.port)
    };
    let old: BTreeMap<IpAddr, (String, &KnownHost)> = before
        .into_iter()
        .flat_map(|before| before.hosts.iter().map(|(ip, host)| (*ip, (place(before, host), host))))
        .collect();
    let mut all = Vec::new();
    for (address, host) in after.hosts.iter() {
        let at = place(after, host);
        let text = match old.get(address) {
            None => format!("known at {at}, {}", host.mac),
            Some((from, _)) if *from != at => format!("moved from {from} to {at}, {}", host.mac),
            Some((_, old)) if old.mac != host.mac => format!("has another MAC address at {at}: {}", host.mac),
            Some(_) => continue,
        };
        all.push(Happening::new(Kind::Host, address.to_string(), text));
    }
    let gone = old.iter().filter(|(address, _)| !after.hosts.contains_key(address));
    all.extend(gone.map(|(address, (at, _))| {
        Happening::new(Kind::Host, address.to_string(), format!("not known any more, was at {at}"))
    }));
    all
}

fn warnings(before: Option<&Snapshot>, after: &Snapshot) -> Vec<Happening> {
    let old = before.map_or(&[][..], |before| &before.warnings);
    let begins = after.warnings.iter().filter(|warning| !old.contains(warning));
    let ends = old.iter().filter(|warning| !after.warnings.contains(warning));
    let tell = |text: String| Happening::new(Kind::Warning, "", text);
    begins.map(|text| tell(text.clone())).chain(ends.map(|text| tell(format!("over: {text}")))).collect()
}

//! One agent whose control is real: what the store says goes in, and when its tables are written comes out. The packet path is not
//! there: what control wants of it is taken as done, neighbours are heard at its ports, and all of its links work.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use smoc_agent::{clock, store::View};
use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};
use smoc_control::{
    config::Config,
    dataplane::Installed,
    discovery::{
        announcement::{self, Lists},
        key::Keys,
        lldp::Advertisement,
    },
    hosts::Sighting,
    interfaces::{AttachedMode, AttachedXdp, IfIndex, Interface},
    liveness::Found,
    plan::DownPort,
    ports::{Programs, Role},
    switch::{Effect, Event, Frame, Start, Switch, lone},
};
use tokio::sync::watch;

use crate::{REACH, hosts_of, name, neighbor, port, report_of};

/// How often neighbours are heard.
const REPEAT: Duration = Duration::from_secs(3);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);
const BOOT: u64 = 77;
const PROGRAMS: Programs = Programs { host: 1, fabric: 2 };

/// What control has come to.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Switches to which there are path sets in the tables.
    pub edges: usize,
    /// Links of the network, and those that are down.
    pub links: usize,
    pub down: usize,
    /// Known addresses.
    pub hosts: usize,
    /// When that was in the tables.
    pub at: Instant,
    /// What control has worked so far.
    pub busy: Duration,
    /// Changes of tables so far.
    pub writes: usize,
}

type Shared = Arc<Mutex<Seen>>;

/// A witness that runs.
pub struct Witness {
    tell: mpsc::Sender<Event>,
    seen: Shared,
    count: usize,
    /// Raised with every announcement.
    sequence: u64,
}

impl Witness {
    /// Begins with empty tables, at the side of agent 0, whose store it hears.
    pub fn start(count: usize, mut view: watch::Receiver<Arc<View>>) -> Result<Self> {
        let (tell, events) = mpsc::channel();
        let seen = Seen {
            edges: 0,
            links: 0,
            down: 0,
            hosts: 0,
            at: Instant::now(),
            busy: Duration::ZERO,
            writes: 0,
        };
        let seen = Arc::new(Mutex::new(seen));
        let mut control = Control::start(count, seen.clone())?;
        std::thread::spawn(move || control.run(&events));
        let facts = tell.clone();
        tokio::spawn(async move {
            loop {
                let said = view.borrow_and_update().facts.clone();
                if facts.send(Event::Stored(said)).is_err() || view.changed().await.is_err() {
                    return;
                }
            }
        });
        Ok(Self { tell, seen, count, sequence: 0 })
    }

    /// What control has come to by now.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until this is in the tables.
    pub async fn until(&self, holds: impl Fn(&Seen) -> bool) -> Result<Seen> {
        let end = Instant::now() + PATIENCE;
        loop {
            let seen = self.seen();
            if holds(&seen) {
                return Ok(seen);
            }
            ensure!(Instant::now() < end, "the tables of the witness do not become as they should: {seen:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// So many links, spread over the network, go down at once, or come back: both ends of each announce it.
    pub fn announce(&mut self, links: usize, is_down: bool) -> Result<()> {
        self.sequence += 1;
        for link in 0..links {
            let from = 2 + link * self.count / links;
            // Port 1 of a switch leads to port REACH + 1 of the next one.
            for (switch, at) in [(from, 1), (from + 1, REACH + 1)] {
                let down = is_down.then(|| DownPort { number: port(at), unanswered: false });
                self.announced(switch % self.count, down)?;
            }
        }
        Ok(())
    }

    fn announced(&self, switch: usize, down: Option<DownPort>) -> Result<()> {
        let now = clock::now();
        let sighting = |(at, address, mac)| Sighting { address, mac, port: at, seen: now };
        let lists = Lists {
            hosts: hosts_of(switch).map(sighting).collect(),
            down: down.into_iter().collect(),
            report: report_of(switch, self.count, 0),
            ..Lists::default()
        };
        for part in announcement::parts(&name(switch), (1000 + switch as u64, self.sequence), &lists) {
            let bytes = part.frame(MacAddress::new([2, 0, 0, 0, 0, 9]), now);
            let frame = Frame { port: port(1), role: Role::Fabric, bytes };
            self.tell.send(Event::Heard(frame)).ok().context("control has ended")?;
        }
        Ok(())
    }
}

struct Control {
    switch: Switch,
    interfaces: BTreeMap<IfIndex, Interface>,
    count: usize,
    seen: Shared,
    advertised: Option<Instant>,
}

impl Control {
    fn start(count: usize, seen: Shared) -> Result<Self> {
        let ports = (1..=2 * REACH).map(|at| format!("{at}: p{at}, ")).collect::<String>();
        let text =
            format!("switch: {}\nfabric: scale\nports: {{{ports}20: p20}}\nroles: {{20: host}}\n", name(0));
        let config = Arc::new(Config::parse(Path::new("witness.yaml"), &text)?);
        let interface = |(number, name): (&PortNumber, &String)| Interface {
            index: IfIndex(u32::from(number.get())),
            name: name.clone(),
            mac: MacAddress::new([2, 0, 0, 0, 0xff, number.get() as u8]),
            usable: true,
            mtu: 1500,
            megabits: 1000,
            master: None,
            bridge_port: None,
            spanning_tree: None,
            xdp: None,
        };
        let interfaces: BTreeMap<IfIndex, Interface> =
            config.ports.iter().map(interface).map(|it| (it.index, it)).collect();
        let (topology, this) = lone(&config);
        let start = Start {
            config,
            topology,
            this,
            interfaces: interfaces.values().cloned().collect(),
            routes: Arc::default(),
            installed: Installed::default(),
            exits: BTreeMap::new(),
            programs: PROGRAMS,
            boot: BOOT,
            sequence: clock::microseconds_since_1970(),
            records: Vec::new(),
        };
        let (switch, effects) = Switch::start(start, clock::now());
        let mut control = Self { switch, interfaces, count, seen, advertised: None };
        control.perform(effects);
        Ok(control)
    }

    /// Until nobody has anything to tell any more.
    fn run(&mut self, events: &mpsc::Receiver<Event>) {
        loop {
            if self.advertised.is_none_or(|at| at.elapsed() >= REPEAT) {
                self.advertised = Some(Instant::now());
                (1..=2 * REACH).for_each(|at| self.hear_neighbor(at));
            }
            let due = self.switch.deadline().since(clock::now()).min(REPEAT);
            match events.recv_timeout(due) {
                Ok(event) => self.handle(event),
                Err(mpsc::RecvTimeoutError::Timeout) => self.handle(Event::Time),
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn hear_neighbor(&mut self, at: usize) {
        let (other, there) = neighbor(0, at, self.count);
        let said = Advertisement {
            switch: name(other),
            port: port(there),
            time_to_live: 20,
            fabric: "scale".into(),
            port_width: 5,
            boot: 1000 + other as u64,
            heard: BOOT,
        };
        let bytes = said.frame(MacAddress::new([2, 0, 0, 0, 0, 9]), &Keys::default());
        self.handle(Event::Heard(Frame { port: port(at), role: Role::Host, bytes }));
    }

    fn handle(&mut self, event: Event) {
        let began = Instant::now();
        let effects = self.switch.handle(event, clock::now());
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).busy += began.elapsed();
        self.perform(effects);
    }

    /// Takes as done what control wants.
    fn perform(&mut self, effects: Vec<Effect>) {
        let mut follows = Vec::new();
        for effect in effects {
            match effect {
                Effect::Attach(_, role, interface) => {
                    let program = if role == Role::Host { PROGRAMS.host } else { PROGRAMS.fabric };
                    if let Some(there) = self.interfaces.get_mut(&interface.index) {
                        there.xdp = Some(AttachedXdp { program, mode: AttachedMode::Native });
                    }
                    follows.push(Event::Interfaces(self.interfaces.values().cloned().collect()));
                }
                Effect::Watch(targets) => {
                    follows.push(Event::Found(Found { generation: targets.generation, ..Found::default() }))
                }
                Effect::Inspect => {
                    let expected = self.switch.expected();
                    let (changes, found) = (expected.changes, expected.installed);
                    follows.push(Event::Inspected { changes, found });
                }
                Effect::Write(_) => {
                    self.seen.lock().unwrap_or_else(PoisonError::into_inner).writes += 1;
                }
                Effect::Publish(snapshot) => {
                    let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    let Seen { busy, writes, .. } = *seen;
                    *seen = Seen {
                        edges: snapshot.edges,
                        links: snapshot.topology.links().len(),
                        down: snapshot.down.len(),
                        hosts: snapshot.hosts.len(),
                        at: Instant::now(),
                        busy,
                        writes,
                    };
                }
                _ => {}
            }
        }
        follows.into_iter().for_each(|event| self.handle(event));
    }
}

//! The control of one switch as a value: [`Switch::handle`] takes an event and the time, and gives effects.
//!
//! ```text
//! event --> facts (what is known) --> derived (what should be) --> differences to what is --> effects
//! ```
//!
//! Facts are recorded at once. What follows from them is worked out at most once in [`PAUSE`], from all facts together; only
//! what is urgent does not wait: broken paths are marked, bridge ports closed and dead ports told to others at once.
//! (Dead ports are out of use even before this hears of them: see [`crate::liveness::prober`].) What should be is
//! compared with what is and asked for again, with a back-off, until it is so: each port, and the maps, by itself.
//!
//! | file | what |
//! |---|---|
//! | `event`, `effect`, `snapshot` | what goes in, what comes out, what can be looked at |
//! | `facts` | events become facts |
//! | `settle` | from facts to effects: hosts, paths, detours, maps |
//! | `ports` | from facts to effects: programs, bridge ports, packet sockets |
//! | `owners` | which hosts are learned, and who is asked before an address moves |
//! | `meeting`, `discovering` | who is behind each port, and what follows for it; the network, where no file says it |
//! | `sharing` | the configuration of the fabric |
//! | `width` | when the width of port numbers changes |
//! | `namesakes` | two switches of one name, wherever they are |
//! | `asking` | joins whose siblings are at other edges: questions and answers |
//! | `announcer`, `retries` | when to tell others, and when to try again |
//! | `warnings` | what the operator should know |

#[cfg(test)]
mod agreement_tests;
mod announcer;
mod asking;
#[cfg(test)]
mod asking_tests;
mod discovering;
#[cfg(test)]
mod drain_tests;
mod effect;
mod event;
mod facts;
mod meeting;
#[cfg(test)]
mod meeting_tests;
mod namesakes;
mod owners;
mod policing;
#[cfg(test)]
mod policing_tests;
mod ports;
mod retries;
#[cfg(test)]
mod routing_tests;
mod settle;
mod sharing;
#[cfg(test)]
mod sharing_tests;
mod snapshot;
#[cfg(test)]
mod stored_tests;
#[cfg(test)]
mod tests;
mod warnings;
mod width;
#[cfg(test)]
mod width_tests;

pub use discovering::lone;
pub use effect::{Effect, Wish, write_all};
pub use event::{Event, Frame};
pub use settle::path_name;
pub use sharing::SharedState;
pub use snapshot::{BridgeState, PortState, Snapshot};

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use smoc_common::{
    map::{Detour, DetourKey, Settings},
    route::{PortNumber, Rank},
};
use smoc_paths::topology::{LinkId, SwitchId, Topology};
use tracing::info;

use crate::{
    base_network::{Agreement, Tree, Unagreed},
    clock::Nanos,
    config::Config,
    dataplane::{Exits, Installed},
    discovery::Flood,
    fabric::{Record, Records},
    hosts::{HostTable, KnownHost, behind::KernelRoute},
    interfaces::{IfIndex, Interfaces},
    liveness::{PathTarget, Targets},
    neighbors::Neighbors,
    plan::{Controller, Failures, LinkStates},
    ports::{Programs, Role, Roles},
    siblings::Inquiries,
};
use announcer::Announcer;
use discovering::Discovered;
use namesakes::Namesakes;
use policing::Policing;
use retries::Retries;
use sharing::Sharing;

/// What follows from facts is worked out at most once in this time.
pub const PAUSE: Duration = Duration::from_millis(100);
/// News of hosts need not wait so long, so many times in a row: who comes to a network speaks with one that came with it.
const HOSTS_AT_ONCE: u32 = 8;
/// The same after so many searches of paths, but for the second time here at the longest. A search takes some 0.2 ms, so
/// that, however often links go down and up in a large network, searches take a tenth of the time and seldom more.
const PAUSE_PER_SEARCH: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(800));
/// How often it is looked for what is out of date.
pub const TICK: Duration = Duration::from_secs(1);
/// A new agent listens to its neighbours until they have said nothing for so long, and no longer than that in all.
const CATCH_UP: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// Where the network is discovered it listens so long at most: those who are there have spoken then.
const DISCOVERY: Duration = Duration::from_millis(800);

#[cfg(test)]
pub(crate) use tests::settled_snapshot;

/// What is there when control begins.
#[derive(Clone, Debug)]
pub struct Start {
    /// What the agent is told.
    pub config: Arc<Config>,
    /// The network; where it is discovered, [`lone`].
    pub topology: Arc<Topology>,
    /// This switch in it.
    pub this: SwitchId,
    /// The interfaces.
    pub interfaces: Interfaces,
    /// What an earlier agent left in the maps; all empty if there was none.
    pub installed: Installed,
    /// Through which ports frames leave, as an earlier agent left it.
    pub exits: Exits,
    /// The kernel's routes, if they are used.
    pub routes: Arc<[KernelRoute]>,
    /// The numbers of the loaded programs.
    pub programs: Programs,
    /// A number that no other run of an agent has.
    pub boot: u64,
    /// A first guess of an announcement's sequence that is higher than what an earlier agent used, such as microseconds
    /// since 1970. If it is not, the neighbours say so.
    pub sequence: u64,
    /// What an earlier agent was asked to remember ([`Effect::Remember`]).
    pub records: Vec<Record>,
}

fn longest_catch_up(config: &Config) -> Duration {
    if config.is_discovered() { DISCOVERY } else { CATCH_UP.1 }
}

/// What should be in the maps, after so many changes.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Raised with every write.
    pub changes: u64,
    /// What should be there.
    pub installed: Installed,
}

/// Which conclusions are out of date.
#[derive(Clone, Copy, Debug, Default)]
struct Stale {
    /// What is broken or down at this switch: that cannot wait.
    failures: bool,
    /// Maps: something that goes into them may be different.
    plan: bool,
    /// Hosts, and what of the maps follows from them alone.
    hosts: bool,
    /// Paths and detours: the links that are down may be others.
    links: bool,
    /// Programs, bridge ports, sockets, and what the prober watches.
    ports: bool,
    /// What is published.
    view: bool,
}

impl Stale {
    const ALL: Self = Self { failures: true, plan: true, hosts: true, links: true, ports: true, view: true };
}

/// Who is not believed, and who is believed without a tag.
#[derive(Clone, Debug, Default)]
struct Belief {
    /// Frames of agents that no key of the fabric has signed, or that came in at a host's port.
    refused: u64,
    /// Frames of agents that were believed without a tag, while the fabric's key is introduced.
    untagged: u64,
    /// Switches that announce and do not say that they sign hellos: earlier versions, or those that have no key yet.
    unsigned: BTreeSet<String>,
    namesakes: Namesakes,
}

/// The control of one switch.
#[derive(Clone, Debug)]
pub struct Switch {
    config: Arc<Config>,
    topology: Arc<Topology>,
    this: SwitchId,
    roles: Roles,
    programs: Programs,

    interfaces: Interfaces,
    neighbors: Neighbors,
    discovered: Discovered,
    width: width::Width,
    belief: Belief,
    failures: Failures,
    /// Ranks that were broken when the topology became another one, by the name of the edge and the links of the path.
    left_broken: Vec<(String, Rank, Vec<String>)>,
    links: LinkStates,
    /// The links that are down, as `links` has them.
    down: BTreeSet<LinkId>,
    /// The links that paths are to leave: those, and what operators drain, as far as paths can do without.
    unused: BTreeSet<LinkId>,
    hosts: HostTable,
    flood: Flood,
    records: Records,
    policing: Policing,
    sharing: Sharing,
    /// The links that the base network should use.
    tree: Arc<BTreeSet<LinkId>>,

    known: Arc<BTreeMap<IpAddr, KnownHost>>,
    detours: BTreeMap<DetourKey, Detour>,
    unfit_detours: usize,
    controller: Controller,
    agreement: Agreement,
    /// The ports that are closed for the base network in the packet path.
    closed: BTreeSet<PortNumber>,
    /// Raised when numbers of switches or ranks change their meaning.
    generation: u64,
    /// What the prober was last told.
    watched: Targets,
    /// How many edges had paths when the prober was last told.
    watched_edges: usize,
    /// The paths that can be probed, and how many cannot; `None` if they may be others than those of the book.
    targets: Option<(Arc<[PathTarget]>, usize)>,

    listening: BTreeMap<PortNumber, (IfIndex, Role)>,
    kept_programs: BTreeSet<String>,
    announcer: Announcer,
    retries: Retries,
    inquiries: Inquiries,
    /// When neighbours were last told all that is known, by port.
    answered: BTreeMap<PortNumber, Nanos>,

    stale: Stale,
    /// While catching up: when to stop listening, at the latest and if nothing more is heard.
    catching_up: Option<(Nanos, Nanos)>,
    settled: Nanos,
    /// When news of hosts would have been looked at last, had they come one [`PAUSE`] apart.
    hosts_settled: Nanos,
    /// When paths may be searched again.
    rested: Nanos,
    /// See [`Switch::deadline`].
    due: Nanos,
    ticked: Nanos,
    /// How often the maps were written.
    changes: u64,
    /// Whether the maps have been brought up to date once.
    filled: bool,
    /// Whether some changes have to wait until a slot has rested.
    incomplete: bool,
    /// Whether something could not be written since maps were last brought up to date.
    refused: bool,
    plan_warnings: Vec<String>,
    /// Ports that are closed because the neighbour does not agree.
    unagreed: Vec<(PortNumber, Unagreed)>,
    warnings: Vec<String>,
    effects: Vec<Effect>,
}

impl Switch {
    /// Takes over what is there and asks the neighbours what they know. The packet path goes on as it was left until
    /// they have answered, or do not.
    pub fn start(start: Start, now: Nanos) -> (Self, Vec<Effect>) {
        let adopted = start.installed.settings != Settings::default();
        let (records, routes) = (start.records.clone(), start.routes.clone());
        info!(adopted, switch = start.config.switch, "control begins");
        let mut switch = Self::begin(start, adopted, now);
        switch.hosts.routing.read(routes);
        switch.take_over(adopted, &records, now);
        let effects = std::mem::take(&mut switch.effects);
        (switch, effects)
    }

    /// A switch of which nothing is derived yet.
    fn begin(start: Start, adopted: bool, now: Nanos) -> Self {
        let Start { config, topology, this, interfaces, installed, exits, programs, boot, sequence, .. } =
            start;
        let (sharing, config) = Sharing::begin(config, &interfaces);
        let (width, topology, this) = width::begin(&config, installed.settings.port_width, (topology, this));
        let controller = Controller::adopt(&topology, this, config.paths, installed, now);
        let roles = meeting::left_roles(&config, &topology, this, &controller);
        Self {
            failures: ports::left_down(&config, &roles, &interfaces, &exits, adopted),
            roles,
            programs,
            interfaces,
            neighbors: meeting::neighbors(&config, &topology, this, boot),
            discovered: Discovered::default(),
            width,
            belief: Belief::default(),
            left_broken: Vec::new(),
            links: LinkStates::default(),
            down: BTreeSet::new(),
            unused: BTreeSet::new(),
            hosts: HostTable::default(),
            flood: Flood::default(),
            records: Records::default(),
            policing: Policing::default(),
            sharing,
            tree: Arc::default(),
            known: Arc::default(),
            detours: BTreeMap::new(),
            unfit_detours: 0,
            controller,
            agreement: Agreement::new(&config.switch, boot, Tree::default(), BTreeMap::new(), now),
            closed: BTreeSet::new(),
            generation: 0,
            watched: Targets::default(),
            watched_edges: 0,
            targets: None,
            listening: BTreeMap::new(),
            kept_programs: BTreeSet::new(),
            announcer: Announcer::new(boot, sequence),
            retries: Retries::default(),
            inquiries: Inquiries::new(boot),
            answered: BTreeMap::new(),
            stale: Stale::ALL,
            catching_up: Some((now + longest_catch_up(&config), now + CATCH_UP.0)),
            settled: Nanos(0),
            hosts_settled: Nanos(0),
            rested: Nanos(0),
            due: now,
            ticked: now,
            changes: 0,
            filled: false,
            incomplete: false,
            refused: false,
            plan_warnings: Vec::new(),
            unagreed: Vec::new(),
            warnings: Vec::new(),
            effects: Vec::new(),
            config,
            topology,
            this,
        }
    }

    /// Derives what can be from what is installed and from the files, and asks for the rest.
    fn take_over(&mut self, adopted: bool, records: &[Record], now: Nanos) {
        for record in records {
            self.records.hear(record);
        }
        self.look_at_policy();
        self.digest(now);
        self.neighbors.carriers(&self.with_carrier(), now);
        if adopted {
            self.take_over_neighbors();
        }
        self.want_tree(now);
        self.agreement.seen(self.bridge_ports());
        if adopted {
            self.agreement.take_over();
        }
        self.look_at_speeds(now);
        self.failures.paths = self.found_broken();
        self.hosts.declare(&self.topology, self.this, now);
        self.limit_hosts(now);
        self.remember_hosts(now);
        self.listen(now);
        self.ask_neighbors();
        self.due = self.next();
    }

    /// Takes note of an event and says what is to be done.
    pub fn handle(&mut self, event: Event, now: Nanos) -> Vec<Effect> {
        let is_news = self.take_in(event, now);
        if is_news || now >= self.due {
            self.meet_neighbors(now);
            if self.is_caught_up(now) {
                self.settle(now);
            }
            self.due = self.next();
        }
        std::mem::take(&mut self.effects)
    }

    /// When [`Event::Time`] is to come, unless something else happens before.
    pub fn deadline(&self) -> Nanos {
        self.due
    }

    fn next(&self) -> Nanos {
        if let Some((latest, quiet)) = self.catching_up {
            let asks = self.discovered.next().unwrap_or(latest);
            return latest.min(quiet).min(self.neighbors.next()).min(asks);
        }
        let settle = self.derives_at();
        let maps = if self.refused { self.retries.next_maps() } else { None };
        let inquiry = self.inquiries.next();
        let hosts = [self.hosts.release_at(), self.hosts.questions_at()].into_iter().flatten().min();
        let asks = self.discovered.next();
        let others = [settle, asks, hosts, self.retries.next_port(), maps, inquiry];
        let soonest = others.into_iter().flatten().min().unwrap_or(self.ticked + TICK);
        soonest
            .min(self.ticked + TICK)
            .min(self.announcer.next())
            .min(self.agreement.next())
            .min(self.neighbors.next())
    }

    /// What should be in the maps now.
    pub fn expected(&self) -> Expected {
        Expected { changes: self.changes, installed: self.controller.installed().clone() }
    }

    /// What should be in the maps now, to be looked at.
    pub fn wanted(&self) -> &Installed {
        self.controller.installed()
    }

    /// How often the maps were written.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    fn is_caught_up(&mut self, now: Nanos) -> bool {
        if self.catching_up.is_some_and(|(latest, quiet)| now < latest.min(quiet)) {
            return false;
        }
        if let Some((latest, quiet)) = &mut self.catching_up
            && now < *latest
            && self.config.is_discovered()
            && self.neighbors.is_deciding()
        {
            *quiet = now + CATCH_UP.0;
            return false;
        }
        if self.catching_up.take().is_some() {
            self.use_reports(now);
            self.links.told(&self.config.switch, self.own_ports_down());
            self.stale.links = true;
        }
        true
    }
}

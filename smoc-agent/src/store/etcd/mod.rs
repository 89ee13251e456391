//! etcd as the store of a fabric: moves bytes between [`Mirror`], which decides, and a member of etcd.

mod disk;
mod operator;
mod session;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use smoc_control::{
    clock::Nanos,
    config::Etcd,
    store::{
        Facts, Key, Prefix,
        mirror::{Effect, Event, Mirror, Settings, Status},
    },
};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
};
use tracing::{info, warn};

use crate::clock;
use session::Teller;

pub use operator::{Operator, OperatorError};

/// Events that wait.
const QUEUE: usize = 64;
/// How often a view is made at least while there is news.
const VIEW_PAUSE: Duration = Duration::from_secs(1);

/// What others say and how the store is, as of one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// What others say.
    pub facts: Arc<Facts>,
    /// Raised when that changes.
    pub generation: u64,
    /// How the store is.
    pub status: Status,
    /// The member that `status` means.
    pub endpoint: String,
    /// When.
    pub at: Nanos,
}

/// The agent's side of the store.
#[derive(Debug)]
pub struct EtcdStore {
    own: watch::Sender<BTreeMap<Key, Vec<u8>>>,
    view: watch::Receiver<Arc<View>>,
}

impl EtcdStore {
    /// Begins with what is on disk, and connects. The task runs as long as the store is held.
    pub fn start(
        etcd: &Etcd,
        fabric: &str,
        switch: &str,
    ) -> (Self, impl Future<Output = Result<(), String>> + Send + 'static + use<>) {
        let saved = disk::load(&etcd.snapshot, fabric, switch);
        if let Some(saved) = &saved {
            info!(
                records = saved.records.len(),
                revision = saved.revision,
                "begins with the snapshot on disk"
            );
        }
        let settings = Settings {
            fabric: fabric.to_owned(),
            switch: switch.to_owned(),
            members: etcd.endpoints.len(),
            lease: etcd.lease,
        };
        let now = clock::now();
        let (mirror, effects) = Mirror::start(settings, saved, now);
        let (own, wanted) = watch::channel(BTreeMap::new());
        let (tell, heard) = mpsc::channel(QUEUE);
        let mut task = Task {
            etcd: Arc::new(etcd.clone()),
            prefix: Prefix::new(fabric),
            mirror,
            facts: Arc::default(),
            generation: 0,
            connection: None,
            number: 0,
            tell,
            saving: JoinSet::new(),
            pending: effects,
        };
        // What is on disk counts before anything else is heard.
        task.publish_pending();
        let (publish, view) = watch::channel(Arc::new(task.view()));
        (Self { own, view }, task.run(publish, wanted, heard))
    }

    /// What this switch says from now on.
    pub fn say(&self, records: BTreeMap<Key, Vec<u8>>) {
        self.own.send_if_modified(|own| {
            let differs = *own != records;
            if differs {
                *own = records;
            }
            differs
        });
    }

    /// What others say, and every change from now on.
    pub fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }
}

/// A connection that is open or being opened.
struct Connection {
    effects: mpsc::UnboundedSender<Effect>,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Task {
    etcd: Arc<Etcd>,
    prefix: Prefix,
    mirror: Mirror,
    facts: Arc<Facts>,
    generation: u64,
    connection: Option<Connection>,
    /// Tells the events of one connection from those of an earlier one.
    number: u64,
    tell: mpsc::Sender<(u64, Event)>,
    saving: JoinSet<()>,
    pending: Vec<Effect>,
}

impl Task {
    async fn run(
        mut self,
        publish: watch::Sender<Arc<View>>,
        mut wanted: watch::Receiver<BTreeMap<Key, Vec<u8>>>,
        mut heard: mpsc::Receiver<(u64, Event)>,
    ) -> Result<(), String> {
        // Of the changes that are not published yet nobody needs a view.
        let (mut shown, mut is_change) = ((0, Nanos(0)), false);
        loop {
            let effects = std::mem::take(&mut self.pending);
            for effect in effects {
                self.perform(effect);
            }
            let now = clock::now();
            if self.generation != shown.0 || !is_change || now.since(shown.1) >= VIEW_PAUSE {
                shown = (self.generation, now);
                publish.send_replace(Arc::new(self.view()));
            }
            let due = self.mirror.deadline().since(clock::now());
            let event = tokio::select! {
                Some((number, event)) = heard.recv() => match number == self.number {
                    true => event,
                    false => continue,
                },
                changed = wanted.changed() => match changed {
                    Ok(()) => Event::Own(wanted.borrow_and_update().clone()),
                    Err(_) => return Ok(()),
                },
                Some(_) = self.saving.join_next() => continue,
                () = tokio::time::sleep(due) => Event::Time,
            };
            is_change = matches!(event, Event::Changed(_));
            self.pending = self.mirror.handle(event, clock::now());
        }
    }

    fn view(&self) -> View {
        let now = clock::now();
        let status = self.mirror.status(now);
        let endpoint = self.etcd.endpoints.get(status.member).cloned().unwrap_or_default();
        View { facts: self.facts.clone(), generation: self.generation, status, endpoint, at: now }
    }

    fn publish_pending(&mut self) {
        for effect in std::mem::take(&mut self.pending) {
            match effect {
                Effect::Publish(keys) => self.publish(&keys),
                other => self.pending.push(other),
            }
        }
    }

    fn publish(&mut self, keys: &BTreeSet<Key>) {
        let facts = Arc::make_mut(&mut self.facts);
        for key in keys {
            let before = facts.problems().get(key).cloned();
            facts.update(key, self.mirror.record(key));
            if let Some(problem) =
                facts.problems().get(key).filter(|problem| before.as_ref() != Some(problem))
            {
                warn!(%key, %problem, "a record is not read; what it said before counts");
            }
        }
        self.generation += 1;
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Connect(member) => self.connect(member),
            Effect::Disconnect => {
                self.number += 1;
                self.connection = None;
            }
            Effect::Publish(keys) => self.publish(&keys),
            Effect::Save => self.save(),
            request => {
                // If the connection has ended, its last event, which says so, is on its way.
                if let Some(connection) = &self.connection {
                    drop(connection.effects.send(request));
                }
            }
        }
    }

    fn connect(&mut self, member: usize) {
        self.number += 1;
        let (effects, todo) = mpsc::unbounded_channel();
        let teller = Teller { number: self.number, to: self.tell.clone() };
        let task = tokio::spawn(session::run(self.etcd.clone(), self.prefix.clone(), member, todo, teller));
        self.connection = Some(Connection { effects, task });
    }

    fn save(&mut self) {
        let (saved, path) = (self.mirror.to_save(), self.etcd.snapshot.clone());
        self.saving.spawn_blocking(move || {
            if let Err(error) = disk::save(&path, &saved) {
                warn!(path = %path.display(), %error, "the snapshot of the store is not written");
            }
        });
    }
}

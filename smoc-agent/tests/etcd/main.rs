//! The store of a fabric in a real etcd (`etcd` and `etcdctl` on the path, or the ones that `SMOC_ETCD=/path/of/etcd` names), and everything that can happen to it.

mod operators;
mod security;
mod server;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use server::Cluster;
use smoc_agent::store::{EtcdStore, View};
use smoc_common::route::PortNumber;
use smoc_control::{
    config::Etcd,
    fabric::{Adjacency, Report},
    store::{Key, SwitchRecord},
};
use tokio::{sync::watch, task::JoinHandle};

/// How long anything may take that must happen at all.
const PATIENCE: Duration = Duration::from_secs(90);

struct Agent {
    name: String,
    store: EtcdStore,
    view: watch::Receiver<Arc<View>>,
    task: JoinHandle<Result<(), String>>,
    /// Switches that were known and are not any more.
    withdrawn: Arc<Mutex<Vec<String>>>,
    watching: JoinHandle<()>,
}

fn settings(cluster: &Cluster, directory: &Path, name: &str) -> Etcd {
    Etcd {
        endpoints: cluster.endpoints(),
        ca: None,
        identity: None,
        lease: Duration::from_secs(10),
        snapshot: directory.join(format!("{name}.snapshot")),
    }
}

impl Agent {
    fn start(etcd: &Etcd, name: &str) -> Self {
        let (store, task) = EtcdStore::start(etcd, "lab", name);
        let withdrawn = Arc::new(Mutex::new(Vec::new()));
        let (view, mut watched, lost) = (store.watch(), store.watch(), withdrawn.clone());
        let watching = tokio::spawn(async move {
            let mut known: Vec<String> = Vec::new();
            while watched.changed().await.is_ok() {
                let now: Vec<String> = watched.borrow_and_update().facts.switches().keys().cloned().collect();
                lost.lock().unwrap().extend(known.drain(..).filter(|name| !now.contains(name)));
                known = now;
            }
        });
        Self { name: name.to_owned(), store, view, task: tokio::spawn(task), withdrawn, watching }
    }

    /// Says that these switches are behind ports 1, 2 and so on; `written` tells one record from the next.
    fn say(&self, neighbors: &[&str], written: u64) {
        let adjacency = |(place, switch): (usize, &&str)| Adjacency {
            port: PortNumber::new(place as u16 + 1).unwrap(),
            switch: (*switch).to_owned(),
            there: PortNumber::new(1).unwrap(),
            megabits: 1000,
        };
        let adjacencies = neighbors.iter().enumerate().map(adjacency).collect();
        let record = SwitchRecord {
            agent: written.to_string(),
            report: Report { port_width: 5, adjacencies },
            api: None,
        };
        let key = Key::Switch(self.name.clone());
        self.store.say(BTreeMap::from([(key, record.to_bytes(written))]));
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&View) -> bool) {
        let found = tokio::time::timeout(PATIENCE, self.view.wait_for(|view| holds(view))).await;
        assert!(found.is_ok_and(|found| found.is_ok()), "{}: {what}: {:?}", self.name, self.view.borrow());
    }

    /// Waits until a switch is known as it last spoke.
    async fn until_said(&mut self, name: &str, written: u64) {
        let said = written.to_string();
        self.until(&format!("{name} said {written}"), |view| {
            view.facts.switches().get(name).is_some_and(|record| record.agent == said)
        })
        .await;
    }

    async fn until_following(&mut self) {
        self.until("follows the store", |view| view.status.is_following && view.status.doubted.is_empty())
            .await;
    }

    fn withdrawn(&self) -> Vec<String> {
        self.withdrawn.lock().unwrap().clone()
    }

    /// Ends it as a crash would: without a word.
    fn end(self) {
        self.task.abort();
        self.watching.abort();
    }
}

/// Agents in a row, all of which know each other.
async fn fabric(cluster: &Cluster, directory: &Path, names: &[&str]) -> Vec<Agent> {
    let mut agents: Vec<Agent> =
        names.iter().map(|name| Agent::start(&settings(cluster, directory, name), name)).collect();
    for (place, agent) in agents.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| names[before]);
        let neighbors: Vec<&str> = before.into_iter().chain(names.get(place + 1).copied()).collect();
        agent.say(&neighbors, 1);
    }
    for agent in &mut agents {
        let others: Vec<&&str> = names.iter().filter(|name| **name != agent.name).collect();
        for name in others {
            agent.until_said(name, 1).await;
        }
    }
    agents
}

#[tokio::test]
async fn agents_know_each_other_and_etcdctl_shows_why() {
    let (cluster, directory) = (Cluster::start(1), tempfile::tempdir().unwrap());
    let mut agents = fabric(&cluster, directory.path(), &["e1", "m1", "e2"]).await;
    let records = cluster.records("/smoc/");
    let names: Vec<&str> = records.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["/smoc/lab/v1/switches/e1", "/smoc/lab/v1/switches/e2", "/smoc/lab/v1/switches/m1"]);
    let said = r#"{"version":1,"compatible":1,"written":1,"agent":"1","report":{"port_width":5,"adjacencies":{"1":{"switch":"m1","port":1,"megabits":1000}}}}"#;
    assert_eq!(records[0].1, said);
    agents[0].say(&["m1"], 2);
    agents[2].until_said("e1", 2).await;
    let later = r#"{"version":9,"compatible":9}"#;
    cluster.ctl(&["put", "/smoc/lab/v1/switches/e9", later]);
    cluster.ctl(&["put", "/smoc/lab/v1/policy/p", "avoid: m1"]);
    cluster.ctl(&["put", "/smoc/lab/v1/of/later/versions", "x"]);
    let policy = Key::Policy("p".into());
    agents[0].until("a policy", |view| view.facts.operators().contains_key(&policy)).await;
    let view = agents[0].view.borrow().clone();
    let problem = view.facts.problems()[&Key::Switch("e9".into())].to_string();
    assert!(problem.contains("needs an agent that reads version 9"), "{problem}");
}

#[tokio::test]
async fn a_switch_whose_agent_is_gone_and_that_nobody_hears_disappears() {
    let (cluster, directory) = (Cluster::start(1), tempfile::tempdir().unwrap());
    let mut agents = fabric(&cluster, directory.path(), &["e1", "m1", "e2"]).await;
    agents.pop().unwrap().end();
    agents[0].until("e2's lease is over", |view| !view.status.doubted.is_empty()).await;
    assert!(agents[0].view.borrow().facts.switches().contains_key("e2"), "m1 still hears it");
    agents[1].say(&["e1"], 2);
    agents[0].until("e2 is gone", |view| !view.facts.switches().contains_key("e2")).await;
    assert_eq!(cluster.records("/smoc/").len(), 2);
}

#[tokio::test]
async fn an_emptied_store_is_filled_again_and_nobody_disappears() {
    let (cluster, directory) = (Cluster::start(1), tempfile::tempdir().unwrap());
    let mut agents = fabric(&cluster, directory.path(), &["e1", "m1", "e2"]).await;
    for _ in 0..3 {
        assert!(cluster.ctl(&["del", "--prefix", "/smoc"]).status.success());
        let written = async {
            while cluster.records("/smoc/").len() < 3 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, written).await.is_ok(), "all write their records again");
        for agent in &mut agents {
            agent.until("knows the others", |view| view.status.records == 2).await;
            agent.until_following().await;
        }
    }
    agents[0].say(&["m1"], 2);
    agents[2].until_said("e1", 2).await;
    assert_eq!(cluster.records("/smoc/").len(), 3);
    for agent in &agents {
        assert_eq!(agent.withdrawn(), [""; 0], "{}", agent.name);
    }
}

#[tokio::test]
async fn changes_and_a_compaction_while_an_agent_is_away_are_caught_up_with() {
    let (mut cluster, directory) = (Cluster::start(1), tempfile::tempdir().unwrap());
    let mut agents = fabric(&cluster, directory.path(), &["e1", "e2"]).await;
    cluster.kill(0);
    for agent in &mut agents {
        agent
            .until("the store is away", |view| !view.status.is_following && view.status.error.is_some())
            .await;
    }
    agents[0].say(&["e2"], 2);
    cluster.start_member(0);
    cluster.wait();
    for number in 0..20 {
        cluster.ctl(&["put", "/smoc/lab/v1/config", &number.to_string()]);
    }
    let status = cluster.ctl(&["endpoint", "status", "-w", "json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let revision = status[0]["Status"]["header"]["revision"].to_string();
    assert!(cluster.ctl(&["compact", &revision]).status.success());
    agents[1].until_said("e1", 2).await;
    agents[1]
        .until("the last configuration", |view| view.facts.operators().values().any(|text| **text == *b"19"))
        .await;
    assert_eq!(agents[1].withdrawn(), [""; 0]);
}

#[tokio::test]
async fn a_restored_backup_takes_nothing_back() {
    let (mut cluster, directory) = (Cluster::start(1), tempfile::tempdir().unwrap());
    let mut agents = fabric(&cluster, directory.path(), &["e1", "m1", "e2"]).await;
    let backup = cluster.back_up();
    for written in 2..8 {
        agents[0].say(&["m1"], written);
        agents[2].until_said("e1", written).await;
    }
    let before = agents[2].view.borrow().status.revision;
    cluster.restore(&backup);
    for agent in &mut agents {
        agent.until("read again", |view| view.status.is_following && view.status.revision < before).await;
        agent.until_following().await;
        if agent.name != "e1" {
            agent.until_said("e1", 7).await;
        }
        assert_eq!(agent.withdrawn(), [""; 0], "{}", agent.name);
    }
    let records = cluster.records("/smoc/lab/v1/switches/e1");
    assert!(records[0].1.contains(r#""agent":"7""#), "{records:?}");
}

#[tokio::test]
async fn an_agent_starts_from_disk_while_the_store_is_away() {
    let (mut cluster, directory) = (Cluster::start(1), tempfile::tempdir().unwrap());
    let mut agents = fabric(&cluster, directory.path(), &["e1", "m1", "e2"]).await;
    let snapshot = directory.path().join("e1.snapshot");
    for _ in 0..PATIENCE.as_secs() {
        if std::fs::read(&snapshot).is_ok_and(|file| String::from_utf8_lossy(&file).contains("switches/e2")) {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    agents.remove(0).end();
    cluster.kill(0);
    let mut again = Agent::start(&settings(&cluster, directory.path(), "e1"), "e1");
    let known: Vec<String> = again.view.borrow().facts.switches().keys().cloned().collect();
    assert_eq!(known, ["e2", "m1"], "at once");
    again.until("says why", |view| view.status.error.is_some()).await;
    again.say(&["m1"], 5);
    cluster.start_member(0);
    agents[0].until_said("e1", 5).await;
    again.until_following().await;
    assert_eq!(again.withdrawn(), [""; 0]);
}

#[tokio::test]
async fn the_death_of_the_leader_and_a_lost_quorum_take_nothing_away() {
    let (mut cluster, directory) = (Cluster::start(3), tempfile::tempdir().unwrap());
    let mut agents = fabric(&cluster, directory.path(), &["e1", "m1", "e2"]).await;
    let leader = cluster.leader();
    cluster.kill(leader);
    agents[0].say(&["m1"], 2);
    agents[2].until_said("e1", 2).await;
    let other = (leader + 1) % 3;
    cluster.kill(other);
    for agent in &mut agents {
        agent.until("no quorum", |view| !view.status.is_following && view.status.error.is_some()).await;
    }
    agents[0].say(&["m1"], 3);
    tokio::time::sleep(Duration::from_secs(10)).await;
    cluster.start_member(other);
    agents[2].until_said("e1", 3).await;
    cluster.start_member(leader);
    for agent in &mut agents {
        agent.until_following().await;
        assert_eq!(agent.withdrawn(), [""; 0], "{}", agent.name);
    }
}

//! etcd as the store of the fabric: what this switch says goes there, what others say comes from there.

use std::sync::Arc;

use smoc_control::{
    config::{Config, Etcd},
    hosts::Source,
    store::{Speaker, SwitchRecord},
    switch::{Event, Snapshot},
};
use tokio::sync::{mpsc, watch};

use super::tasks::Tasks;
use crate::{
    clock,
    store::{EtcdStore, State, StoreView, View},
};

/// Starts it.
pub(super) fn start(
    config: &Config,
    etcd: &Etcd,
    tasks: &mut Tasks,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    events: mpsc::Sender<Event>,
) -> watch::Receiver<State> {
    let (store, connection) = EtcdStore::start(etcd, &config.fabric, &config.switch);
    let (tell, state) = watch::channel(State::of(config));
    let views = store.watch();
    tasks.spawn("the store", connection);
    tasks.spawn("what the store says", listen(views, events, tell));
    tasks.spawn("what the store is told", speak(config.switch.clone(), store, snapshots));
    state
}

/// Tells control what others say, and the API how the store is.
async fn listen(
    mut views: watch::Receiver<Arc<View>>,
    events: mpsc::Sender<Event>,
    state: watch::Sender<State>,
) -> Result<(), String> {
    let mut told = 0;
    loop {
        let view = views.borrow_and_update().clone();
        state.send_replace(state_of(&view));
        if view.generation != told {
            told = view.generation;
            if events.send(Event::Stored(view.facts.clone())).await.is_err() {
                return Err("control is gone".into());
            }
        }
        if views.changed().await.is_err() {
            return Err("the connection is gone".into());
        }
    }
}

/// Writes what this switch finds.
async fn speak(
    switch: String,
    store: EtcdStore,
    mut snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
) -> Result<(), String> {
    let mut speaker = Speaker::default();
    loop {
        let snapshot = snapshots.borrow_and_update().clone();
        if let Some(snapshot) = snapshot {
            let here = snapshot
                .hosts
                .iter()
                .filter(|(_, host)| host.at.switch == snapshot.this && host.source != Source::Announced);
            let hosts = here.map(|(address, host)| (host.at.port, *address, host.mac));
            let now = clock::microseconds_since_1970();
            let record = SwitchRecord {
                agent: env!("CARGO_PKG_VERSION").to_owned(),
                report: snapshot.report.clone(),
                api: snapshot.api.as_ref().map(|api| api.place),
            };
            store.say(speaker.say(&switch, record, hosts, now));
        }
        if snapshots.changed().await.is_err() {
            return Err("control is gone".into());
        }
    }
}

fn state_of(view: &View) -> State {
    let status = &view.status;
    let mut warnings = Vec::new();
    if let Some(error) = &status.error {
        warnings.push(format!(
            "store: etcd is away ({error}); forwarding and repair go on with the {} records that are known, changes of other \
             switches' ports are heard by announcements only",
            status.records
        ));
    }
    if let Some(why) = &status.refusal {
        warnings.push(format!("store: etcd refuses this switch's records: {why}"));
    }
    if status.contested {
        warnings.push(
            "store: another agent writes this switch's records: give each switch a name of its own".into(),
        );
    }
    let problems = view.facts.problems().iter();
    warnings.extend(problems.map(|(key, problem)| format!("store: the record {key} {problem}")));
    State {
        view: StoreView {
            kind: "etcd".into(),
            connected: Some(status.is_following),
            endpoint: Some(view.endpoint.clone()),
            revision: status.revision,
            age_seconds: None,
            records: status.records,
            doubted: status.doubted.iter().map(ToString::to_string).collect(),
            error: status.error.clone(),
        },
        heard: status.heard,
        warnings,
    }
}

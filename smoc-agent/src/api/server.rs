//! The server: the only place that knows axum.

use std::{
    collections::{BTreeMap, HashMap},
    fs::DirBuilder,
    future::ready,
    net::IpAddr,
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt},
        net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use nix::{
    sys::stat::{Mode, umask},
    unistd::{Gid, Group, Uid, User, chown},
};
use serde::Serialize;
use tokio::sync::{Mutex, oneshot, watch};
use tracing::warn;

use super::{
    connections,
    drain::{self as drains, Order},
    events::{self, Wanted},
    liveness::{ProbeView, milliseconds},
    metrics::Readings,
    page::{self, Board},
    policy::{self as policies, Applied, PolicyDeletion, PolicyOrder},
    series::{self, Span},
    view,
};
use smoc_control::{
    config::Config,
    connections::{Evidence, Names, Opener, Question, Usage, explain, report},
    dataplane::{Fill, KernelTables},
    fabric::Record,
    liveness::{Report, RoundTripRoute},
    switch::{Event, Snapshot},
};
use smoc_paths::search::{Path as RankedPath, PathFinder, routable};

use crate::{
    capture::Captures,
    clock,
    dataplane::Observe,
    history::{SharedHistory, SharedSeries},
    metrics::{CONTENT_TYPE, ControlMeter, PathNotes, Sheet},
    netlink::{Netlink, PortTraffic},
    prober::{Command, Echo},
    store,
};

/// Timeout of a question to the prober: longer than its own timeout of a probe.
const PROBER_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the socket cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another agent answers there.
    #[error("another agent listens on {0}: stop it, or give this one another api")]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{0} is no socket, and is left alone: set api to another path, or remove it")]
    NoSocket(PathBuf),
    /// A user or group that does not exist.
    #[error("{field}: there is no \"{name}\": write the name or number of one that exists")]
    Nobody {
        /// The field of the configuration.
        field: &'static str,
        /// What it says.
        name: String,
    },
    /// Any other reason.
    #[error("cannot listen on {path}: {source}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What requests are answered from.
#[derive(Clone)]
pub struct Sources {
    /// What control has decided.
    pub snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    /// What the tables held when they were read last.
    pub looked: watch::Receiver<Looked>,
    /// The tables themselves.
    pub tables: Arc<dyn Observe>,
    /// Who knows what hellos and probes say.
    pub prober: mpsc::Sender<Command>,
    /// Where operators' orders go.
    pub events: tokio::sync::mpsc::Sender<Event>,
    /// How the fabric's store is.
    pub store: watch::Receiver<store::State>,
    /// What interfaces carry, asked by one reader at a time: a netlink socket lists one thing after the other.
    pub netlink: Arc<Mutex<Netlink>>,
    /// What control takes.
    pub control: ControlMeter,
    /// What the packet path notices.
    pub notes: PathNotes,
    /// What has happened.
    pub history: SharedHistory,
    /// What was measured over time.
    pub series: SharedSeries,
    /// Who starts captures.
    pub captures: Captures,
    /// When the agent was started.
    pub started: Instant,
    /// What the page of `smoc web` was told last.
    pub board: Board,
}

/// What the tables held when they were read last.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// How full they were.
    pub fills: Vec<Fill>,
    /// What subflows make of the paths.
    pub usage: Usage,
    /// What the connections are like that hosts open.
    pub openers: BTreeMap<IpAddr, Opener>,
}

/// A bound socket.
#[derive(Debug)]
pub struct ApiServer(UnixListener);

/// The socket in the file system, which is removed when this is dropped.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl ApiServer {
    /// Makes the socket, in place of one that an ended agent left, for the configured owner and group.
    ///
    /// # Errors
    /// It is in use, cannot be made, or something else is there.
    pub fn bind(config: &Config) -> Result<(Self, SocketFile), BindError> {
        let path = &config.api;
        let failed = |source| BindError::Io { path: path.into(), source };
        match std::fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => return Err(BindError::NoSocket(path.into())),
            Ok(_) if UnixStream::connect(path).is_ok() => return Err(BindError::InUse(path.into())),
            Ok(_) => std::fs::remove_file(path).map_err(failed)?,
            Err(_) => {}
        }
        let (owner, group) = owners(config)?;
        if let Some(directory) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(directory).map_err(failed)?;
        }
        let before = umask(Mode::from_bits_truncate(0o117));
        let listener = UnixListener::bind(path);
        umask(before);
        let listener = listener.map_err(failed)?;
        let file = SocketFile(path.into());
        chown(path, owner, group).map_err(|error| failed(error.into()))?;
        Ok((Self(listener), file))
    }

    /// Answers requests until the agent ends.
    ///
    /// # Errors
    /// The socket's, in words.
    pub async fn serve(self, sources: Sources) -> Result<(), String> {
        let failed = |error: std::io::Error| error.to_string();
        self.0.set_nonblocking(true).map_err(failed)?;
        let listener = tokio::net::UnixListener::from_std(self.0).map_err(failed)?;
        connections::serve(listener, |stream| ready(Ok(stream)), router(sources)).await
    }
}

/// The configured owner and group of the socket, by name or number.
fn owners(config: &Config) -> Result<(Option<Uid>, Option<Gid>), BindError> {
    let unknown = |field, name: &str| BindError::Nobody { field, name: name.to_owned() };
    let owner = config.api_owner.as_deref().map(|name| {
        let number = || name.parse().ok().map(Uid::from_raw);
        User::from_name(name)
            .ok()
            .flatten()
            .map(|user| user.uid)
            .or_else(number)
            .ok_or(unknown("api_owner", name))
    });
    let group = config.api_group.as_deref().map(|name| {
        let number = || name.parse().ok().map(Gid::from_raw);
        Group::from_name(name)
            .ok()
            .flatten()
            .map(|group| group.gid)
            .or_else(number)
            .ok_or(unknown("api_group", name))
    });
    Ok((owner.transpose()?, group.transpose()?))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What can be read, and changes nothing.
pub(super) fn readable() -> Router<Sources> {
    Router::new()
        .route("/status", get(status))
        .route("/hosts", get(hosts))
        .route("/paths", get(paths))
        .route("/topology", get(topology))
        .route("/conns", get(conns))
        .route("/explain", get(explanation))
        .route("/fabric", get(fabric))
        .route("/agents", get(agents))
        .route("/events", get(happened))
        .route("/metrics", get(metrics))
        .route("/openers", get(openers))
        .route("/series", get(recorded))
        .route("/policy", get(policy))
}

/// All that the API answers.
pub(crate) fn router(sources: Sources) -> Router {
    readable()
        .route("/capture", get(super::capture::capture))
        .route("/probe", get(probe))
        .route("/drain", post(drain))
        .route("/policy", post(apply_policy))
        .route("/policy/delete", post(delete_policy))
        .merge(page::routes())
        .with_state(sources)
}

impl Sources {
    /// What control has decided.
    pub(super) fn snapshot(&self) -> Result<Arc<Snapshot>, Failure> {
        let starting = || Failure(StatusCode::SERVICE_UNAVAILABLE, "the agent is just starting".to_owned());
        self.snapshots.borrow().clone().ok_or_else(starting)
    }

    /// Reads tables on a pool thread, where that delays nothing else.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Observe) -> Result<T, crate::dataplane::DataplaneError> + Send + 'static,
    ) -> Result<T, Failure> {
        let tables = self.tables.clone();
        let read = tokio::task::spawn_blocking(move || read(&*tables)).await;
        match read {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
            Err(error) => Err(Failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
        }
    }

    /// What the prober knows; nothing if it does not answer.
    pub(super) async fn report(&self) -> Option<Report> {
        let (reply, report) = oneshot::channel();
        self.prober.send(Command::Report(reply)).ok()?;
        tokio::time::timeout(PROBER_TIMEOUT, report).await.ok()?.ok()
    }

    /// What interfaces carry; nothing if the kernel does not say.
    pub(super) async fn traffic(&self) -> BTreeMap<String, PortTraffic> {
        let read = self.netlink.lock().await.traffic().await;
        read.unwrap_or_else(|error| {
            warn!(%error, "metrics of ports are left out");
            BTreeMap::new()
        })
    }

    /// Has control take note of what operators want.
    async fn record(&self, records: Vec<Record>) -> Result<(), Failure> {
        let ended =
            |_| Failure(StatusCode::SERVICE_UNAVAILABLE, "the agent is ending: ask another one".to_owned());
        self.events.send(Event::Recorded(records)).await.map_err(ended)
    }

    pub(super) async fn tables(&self) -> Result<KernelTables, Failure> {
        self.read(|tables| tables.tables()).await
    }
}

pub(super) struct Failure(pub(super) StatusCode, pub(super) String);

impl Failure {
    /// What was asked makes no sense.
    pub(super) fn bad(why: impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, why.to_string())
    }

    /// A task of ours broke.
    pub(super) fn broken(why: impl ToString) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, why.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: String,
        }
        (self.0, Json(Body { error: self.1 })).into_response()
    }
}

impl Sources {
    /// The status, of which the prober gives its part.
    async fn status(&self, snapshot: &Snapshot, report: Option<&Report>) -> Result<view::Status, Failure> {
        let counters = self.read(|tables| tables.counters()).await?;
        let fills = self.looked.borrow().fills.clone();
        let uptime = self.started.elapsed().as_secs_f64();
        let mut status = view::status(snapshot, &counters, &fills, report, uptime);
        let store = self.store.borrow().clone();
        status.warnings.extend(store.warnings.iter().cloned());
        status.store = store.view(clock::now());
        Ok(status)
    }

    /// What there is to measure, from what was read last, so that it costs control nothing and the tables little.
    pub(super) async fn sheet(&self) -> Result<Sheet, Failure> {
        let snapshot = self.snapshot()?;
        let report = self.report().await;
        let readings = Readings {
            status: self.status(&snapshot, report.as_ref()).await?,
            hosts: view::hosts(&snapshot, clock::now()),
            edges: view::edges(&snapshot, report.as_ref()),
            topology: view::topology(&snapshot),
            snapshot: &snapshot,
            traffic: self.traffic().await,
            usage: self.looked.borrow().usage.clone(),
            noted: self.notes.all(),
            queue: self.events.max_capacity() - self.events.capacity(),
        };
        Ok(readings.sheet())
    }
}

async fn status(State(sources): State<Sources>) -> Result<Response, Failure> {
    let report = sources.report().await;
    Ok(Json(sources.status(&*sources.snapshot()?, report.as_ref()).await?).into_response())
}

async fn happened(State(sources): State<Sources>, Query(wanted): Query<Wanted>) -> Response {
    Json(events::read(&sources.history, wanted).await).into_response()
}

pub(super) async fn metrics(State(sources): State<Sources>) -> Result<Response, Failure> {
    let failed = |error: String| Failure(StatusCode::INTERNAL_SERVER_ERROR, error);
    let text = sources.sheet().await?.text(&sources.control).map_err(|error| failed(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

async fn openers(State(sources): State<Sources>) -> Response {
    Json(sources.looked.borrow().openers.clone()).into_response()
}

async fn recorded(State(sources): State<Sources>, Query(wanted): Query<Span>) -> Response {
    Json(series::read(&sources.series, &wanted)).into_response()
}

async fn hosts(State(sources): State<Sources>) -> Result<Response, Failure> {
    Ok(Json(view::hosts(&*sources.snapshot()?, clock::now())).into_response())
}

async fn topology(State(sources): State<Sources>) -> Result<Response, Failure> {
    Ok(Json(view::topology(&*sources.snapshot()?)).into_response())
}

async fn fabric(State(sources): State<Sources>) -> Result<Response, Failure> {
    Ok(Json(view::fabric(&*sources.snapshot()?, clock::now())).into_response())
}

async fn agents(State(sources): State<Sources>) -> Result<Response, Failure> {
    Ok(Json(view::agents(&*sources.snapshot()?)).into_response())
}

async fn policy(State(sources): State<Sources>) -> Result<Response, Failure> {
    Ok(Json(policies::view(&*sources.snapshot()?)).into_response())
}

async fn apply_policy(
    State(sources): State<Sources>,
    Json(order): Json<PolicyOrder>,
) -> Result<Response, Failure> {
    let snapshot = sources.snapshot()?;
    let now = clock::microseconds_since_1970();
    remember_policy(&sources, policies::apply(&snapshot, &order, now)).await
}

async fn delete_policy(
    State(sources): State<Sources>,
    Json(deletion): Json<PolicyDeletion>,
) -> Result<Response, Failure> {
    let snapshot = sources.snapshot()?;
    let now = clock::microseconds_since_1970();
    remember_policy(&sources, policies::delete(&snapshot, &deletion, now)).await
}

async fn remember_policy(
    sources: &Sources,
    done: Result<(Vec<Record>, Applied), String>,
) -> Result<Response, Failure> {
    let (records, applied) = done.map_err(|message| Failure(StatusCode::BAD_REQUEST, message))?;
    if !records.is_empty() {
        sources.record(records).await?;
    }
    Ok(Json(applied).into_response())
}

async fn drain(State(sources): State<Sources>, Json(order): Json<Order>) -> Result<Response, Failure> {
    let bad = |message| Failure(StatusCode::BAD_REQUEST, message);
    let snapshot = sources.snapshot()?;
    let (changed, done) = drains::take(&snapshot, order, clock::microseconds_since_1970()).map_err(bad)?;
    if let Some(record) = changed {
        sources.record(vec![record]).await?;
    }
    Ok(Json(done).into_response())
}

async fn paths(State(sources): State<Sources>) -> Result<Response, Failure> {
    let report = sources.report().await;
    Ok(Json(view::edges(&*sources.snapshot()?, report.as_ref())).into_response())
}

async fn probe(
    State(sources): State<Sources>,
    Query(parameters): Query<HashMap<String, String>>,
) -> Result<Response, Failure> {
    let bad = |message| Failure(StatusCode::BAD_REQUEST, message);
    let snapshot = sources.snapshot()?;
    let path = path_to_probe(&snapshot, &parameters).map_err(bad)?;
    let hops = match parameters.get("hops") {
        Some(text) => text.parse().map_err(|_| bad(format!("hops \"{text}\" is no number")))?,
        None => path.links.len(),
    };
    let hops = hops.clamp(1, path.links.len());
    let route = RoundTripRoute::along(&snapshot.topology, &path, hops);
    let route =
        route.map_err(|long| bad(format!("the way needs {} bits of the 62 of a route", long.bits)))?;
    let (reply, answer) = oneshot::channel();
    let gone =
        || Failure(StatusCode::INTERNAL_SERVER_ERROR, "the prober has ended: see the agent's log".into());
    sources.prober.send(Command::Echo(Echo { route, reply })).map_err(|_| gone())?;
    let answer = tokio::time::timeout(PROBER_TIMEOUT, answer).await;
    let name = |switch: &_| snapshot.topology.switch(*switch).name.clone();
    Ok(Json(ProbeView {
        switches: path.switches.iter().map(name).collect(),
        hops,
        round_trip_ms: answer.ok().and_then(Result::ok).flatten().map(milliseconds),
    })
    .into_response())
}

/// The path that a request names; to switches without hosts, the one that it would be.
fn path_to_probe(snapshot: &Snapshot, parameters: &HashMap<String, String>) -> Result<RankedPath, String> {
    let to = parameters.get("to").ok_or("say to which switch")?;
    let topology = &snapshot.topology;
    let switch =
        topology.find_switch(to).ok_or_else(|| format!("there is no switch \"{to}\" in the topology"))?;
    if switch == snapshot.this {
        return Err(format!("{to} is this switch itself"));
    }
    let rank = parameters.get("rank").map_or("0", String::as_str);
    let rank: usize = rank.parse().map_err(|_| format!("rank \"{rank}\" is no number"))?;
    let found;
    let ranked = match snapshot.book.to(switch) {
        Some(paths) => &paths.ranked,
        None => {
            let finder =
                PathFinder::new(topology, snapshot.book.options()).map_err(|error| error.to_string())?;
            found = routable(topology, finder.ranked(snapshot.this, switch)).0;
            &found
        }
    };
    let count = ranked.len();
    ranked
        .get(rank)
        .cloned()
        .ok_or_else(|| format!("there is no rank {rank} to {to}: it has {count} paths, from 0"))
}

/// What the tables refer to.
pub(super) fn names(snapshot: &Snapshot) -> Names<'_> {
    Names {
        topology: &snapshot.topology,
        names: &snapshot.names,
        book: &snapshot.book,
        policies: &snapshot.policies,
    }
}

async fn conns(State(sources): State<Sources>) -> Result<Response, Failure> {
    let tables = sources.tables().await?;
    let snapshot = sources.snapshot()?;
    Ok(Json(report(&tables, names(&snapshot), clock::now())).into_response())
}

async fn explanation(
    State(sources): State<Sources>,
    Query(parameters): Query<HashMap<String, String>>,
) -> Result<Response, Failure> {
    let question = Question::read(|name| parameters.get(name).map(String::as_str))
        .map_err(|error| Failure(StatusCode::BAD_REQUEST, error.to_string()))?;
    let snapshot = sources.snapshot()?;
    let told = sources.read(move |maps| {
        let evidence = Evidence {
            installed: &maps.installed()?,
            exits: &maps.exits()?,
            tables: &maps.tables()?,
            names: names(&snapshot),
            this: snapshot.this,
            down: &snapshot.down,
            drained: &snapshot.drained,
            hosts: &snapshot.hosts,
            now: clock::now(),
        };
        Ok(explain(question, evidence))
    });
    Ok(Json(told.await?).into_response())
}

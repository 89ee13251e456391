//! All agents of a fabric, asked from one place: the one behind a socket, those behind sockets that are named, and those whose
//! announcements say where they answer (`fabric_api` in their configuration).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::de::DeserializeOwned;
use tokio::{sync::Semaphore, task::JoinSet};

use super::{Failure, live::wait};
use crate::api::{self, AgentsView, ClientError, Remote, TopologyView, Trust};

/// So many agents are asked at a time.
const AT_ONCE: usize = 32;

/// How agents elsewhere are asked.
#[derive(clap::Args, Debug)]
pub(super) struct RemoteArgs {
    /// The file with the token that agents elsewhere ask for; unless said, the one that the agent of --api has
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) of whom to believe among agents elsewhere; unless said, those that the agent of --api has
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// An agent, wherever it is.
#[derive(Clone)]
pub(super) enum Agent {
    /// Behind a socket here.
    Socket(PathBuf),
    /// Elsewhere.
    Remote(Box<Remote>),
}

impl Agent {
    pub(super) async fn get<T: DeserializeOwned>(&self, query: &str) -> Result<T, ClientError> {
        match self {
            Self::Socket(socket) => api::get(socket, query).await,
            Self::Remote(remote) => remote.get(query).await,
        }
    }

    pub(super) async fn text(&self, query: &str) -> Result<String, ClientError> {
        match self {
            Self::Socket(socket) => api::text(socket, query).await,
            Self::Remote(remote) => remote.text(query).await,
        }
    }
}

/// The agents of a fabric, as far as there is a way to them.
pub(super) struct Agents {
    /// By switch.
    pub all: BTreeMap<String, Agent>,
    /// Sockets, or switches, that do not answer, and why.
    pub silent: BTreeMap<String, String>,
    /// The switches with hosts.
    pub edges: BTreeSet<String>,
}

impl Agents {
    /// Finds those on sockets, and with `remote` those that their announcements name: with `all` of switches without hosts too.
    ///
    /// # Errors
    /// No agent answers.
    pub(super) fn find(
        first: &Path,
        others: &[PathBuf],
        remote: Option<&RemoteArgs>,
        all: bool,
    ) -> Result<Self, Failure> {
        wait(async {
            let mut agents = Self { all: BTreeMap::new(), silent: BTreeMap::new(), edges: BTreeSet::new() };
            let sockets = std::iter::once(first).chain(others.iter().map(PathBuf::as_path));
            let mut last = None;
            for socket in sockets {
                if let Err(error) = agents.add_socket(socket).await {
                    agents.silent.insert(socket.display().to_string(), error.to_string());
                    last = Some(error);
                }
            }
            match last {
                Some(error) if agents.all.is_empty() => return Err(error),
                _ => {}
            }
            let Some(remote) = remote else { return Ok(agents) };
            for agent in agents.all.clone().into_values() {
                match agent.get::<AgentsView>("/agents").await {
                    Ok(view) => {
                        agents.add_announced(view, remote, all);
                        break;
                    }
                    // One of an earlier version knows nothing of it.
                    Err(_) => continue,
                }
            }
            Ok(agents)
        })
    }

    async fn add_socket(&mut self, socket: &Path) -> Result<(), ClientError> {
        let topology: TopologyView = api::get(socket, "/topology").await?;
        let this = topology.switches.iter().find(|switch| switch.this);
        let this = this.map_or_else(String::new, |switch| switch.name.clone());
        self.edges.extend(topology.switches.into_iter().filter(|it| it.hosts > 0).map(|it| it.name));
        self.all.insert(this, Agent::Socket(socket.into()));
        Ok(())
    }

    /// Those that say where they answer.
    fn add_announced(&mut self, view: AgentsView, args: &RemoteArgs, all: bool) {
        let wanted = view.agents.into_iter().filter(|agent| all || agent.hosts > 0);
        let there: Vec<_> = wanted.filter(|agent| !self.all.contains_key(&agent.switch)).collect();
        if there.iter().all(|agent| agent.api.is_none()) {
            return;
        }
        let ca = args.ca.clone().or(view.ca);
        // Where the agent that was asked does not answer elsewhere itself, it is as the operator says.
        let tls = view.tls.unwrap_or(ca.is_some());
        let trust = match args.token_file.clone().or(view.token_file) {
            Some(file) => Trust::read(&file, tls, ca.as_ref()),
            None => Err("name the file with the token of the fabric's agents with --token-file".to_owned()),
        };
        for agent in there {
            let Some(place) = agent.api else { continue };
            match &trust {
                Ok(trust) => {
                    let remote = Remote { switch: agent.switch.clone(), place, trust: trust.clone() };
                    self.all.insert(agent.switch, Agent::Remote(Box::new(remote)));
                }
                Err(why) => drop(self.silent.insert(agent.switch, why.clone())),
            }
        }
    }

    /// Asks all at once; those that do not answer are silent from now on.
    pub(super) fn ask<T, F>(&mut self, question: impl Fn(Agent) -> F) -> Result<BTreeMap<String, T>, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ClientError>> + Send + 'static,
    {
        wait(async {
            let places = Arc::new(Semaphore::new(AT_ONCE));
            let mut asked = JoinSet::new();
            for (switch, agent) in &self.all {
                let (switch, places, answer) = (switch.clone(), places.clone(), question(agent.clone()));
                asked.spawn(async move {
                    let _place = places.acquire_owned().await;
                    (switch, answer.await)
                });
            }
            let mut answers = BTreeMap::new();
            while let Some(done) = asked.join_next().await {
                match done {
                    Ok((switch, Ok(answer))) => drop(answers.insert(switch, answer)),
                    Ok((switch, Err(error))) => drop(self.silent.insert(switch, error.to_string())),
                    Err(error) => drop(self.silent.insert("?".to_owned(), error.to_string())),
                }
            }
            Ok(answers)
        })
    }

    /// What is not known, for people; `answered` are the switches that are.
    pub(super) fn gaps(&self, answered: &BTreeSet<String>) -> Vec<String> {
        let mut lines: Vec<String> =
            self.silent.iter().map(|(who, why)| format!("{who} did not answer: {why}")).collect();
        let missing = self.missing(answered);
        let unheard: Vec<&str> = missing.iter().map(String::as_str).collect();
        if !unheard.is_empty() {
            lines.push(format!(
                "nothing is known of {}, which have hosts: give their agents a fabric_api, or name their sockets",
                unheard.join(", ")
            ));
        }
        lines
    }

    /// Switches with hosts that there was no way to.
    pub(super) fn missing(&self, answered: &BTreeSet<String>) -> BTreeSet<String> {
        let known = |name: &&String| answered.contains(*name) || self.silent.contains_key(*name);
        self.edges.iter().filter(|name| !known(name)).cloned().collect()
    }
}

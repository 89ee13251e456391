//! `smoc fabric conns` and `smoc fabric paths`: what the agents of several switches know by themselves, put together. Agents do
//! not tell each other of flows, so each is asked, by its socket.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::{Serialize, de::DeserializeOwned};
use smoc_control::connections::ConnectionReport;

use super::{
    Failure, Format,
    live::{LiveArgs, connection_tables, wait},
    number_from, print, print_json,
    table::Table,
};
use crate::api::{self, EdgeView, TopologyView};

/// Arguments of the verbs that ask several agents.
#[derive(clap::Args, Debug)]
pub(super) struct MergedArgs {
    /// The sockets of the other agents; one that is elsewhere can be brought here, as with `ssh -L e2.sock:/run/smoc/api.sock e2`
    #[arg(value_name = "SOCKET")]
    others: Vec<PathBuf>,
    /// Show so many entries at most, and how many are left out
    #[arg(long, default_value_t = 1000, value_parser = number_from(1, 1_000_000))]
    limit: usize,
    #[command(flatten)]
    live: LiveArgs,
}

/// What one switch's agent says.
#[derive(Debug, Serialize)]
struct Said<T> {
    /// The switch.
    switch: String,
    #[serde(flatten)]
    entry: T,
}

/// What all say that answered.
#[derive(Debug, Serialize)]
struct Merged<T> {
    /// The entries, by switch.
    entries: Vec<Said<T>>,
    /// How many more there are.
    left_out: usize,
    /// The switches whose agents answered.
    answered: BTreeSet<String>,
    /// The sockets on which none did, and why.
    silent: BTreeMap<String, String>,
    /// Switches with hosts whose agents were not asked, or did not answer.
    missing: BTreeSet<String>,
}

/// The switch of an agent and what it says, or why it does not.
type Answer<T> = Result<(String, Vec<T>), String>;

impl<T> Merged<T> {
    /// Puts answers together; `edges` are the switches with hosts.
    fn new(answers: Vec<(String, Answer<T>)>, edges: &BTreeSet<String>, limit: usize) -> Self {
        let (mut silent, mut by_switch) = (BTreeMap::new(), BTreeMap::new());
        for (socket, answer) in answers {
            match answer {
                Ok((switch, entries)) => drop(by_switch.insert(switch, entries)),
                Err(why) => drop(silent.insert(socket, why)),
            }
        }
        let answered: BTreeSet<String> = by_switch.keys().cloned().collect();
        let all = by_switch
            .into_iter()
            .flat_map(|(switch, entries)| entries.into_iter().map(move |entry| (switch.clone(), entry)));
        let mut entries: Vec<Said<T>> = all.map(|(switch, entry)| Said { switch, entry }).collect();
        let left_out = entries.len().saturating_sub(limit);
        entries.truncate(limit);
        let missing = edges.difference(&answered).cloned().collect();
        Self { entries, left_out, answered, silent, missing }
    }

    /// What is not in it, for people.
    fn gaps(&self) -> String {
        let mut lines = Vec::new();
        if self.left_out > 0 {
            lines.push(format!("{} entries are left out: raise --limit", self.left_out));
        }
        lines.extend(self.silent.iter().map(|(socket, why)| format!("{socket} did not answer: {why}")));
        if !self.missing.is_empty() {
            let missing: Vec<&str> = self.missing.iter().map(String::as_str).collect();
            lines.push(format!(
                "nothing is known of {}, which have hosts: name the sockets of their agents",
                missing.join(", ")
            ));
        }
        lines.join("\n")
    }
}

/// Asks all agents. The first must answer: it says which switches there are.
fn ask_all<T: DeserializeOwned>(args: &MergedArgs, query: &str) -> Result<Merged<T>, Failure> {
    let mut edges = BTreeSet::new();
    let mut answers = Vec::new();
    for socket in std::iter::once(&args.live.agent.api).chain(&args.others) {
        let answer = wait(async {
            let topology: TopologyView = api::get(socket, "/topology").await?;
            let entries: Vec<T> = api::get(socket, query).await?;
            Ok((topology, entries))
        });
        let answer = match answer {
            Ok((topology, entries)) => {
                let this = topology.switches.iter().find(|switch| switch.this);
                let this = this.map_or_else(String::new, |switch| switch.name.clone());
                edges.extend(topology.switches.into_iter().filter(|it| it.hosts > 0).map(|it| it.name));
                Ok((this, entries))
            }
            Err(Failure::BadInput(error) | Failure::Failed(error)) => Err(format!("{error:#}")),
        };
        answers.push((socket.display().to_string(), answer));
    }
    if let [(_, Err(why))] = &answers[..] {
        return Err(Failure::Failed(anyhow::anyhow!("{why}")));
    }
    Ok(Merged::new(answers, &edges, args.limit))
}

fn told<T: Serialize>(args: &MergedArgs, merged: &Merged<T>, text: &str) -> Result<(), Failure> {
    match args.live.format {
        Format::Json => print_json(merged),
        Format::Table => print(format!("{text}\n{}", merged.gaps()).trim_end()),
    }
}

/// `smoc fabric conns`.
///
/// # Errors
/// No agent answers.
pub(super) fn conns(args: &MergedArgs) -> Result<(), Failure> {
    let merged: Merged<ConnectionReport> = ask_all(args, "/conns")?;
    let mut text = String::new();
    for switch in &merged.answered {
        let of_switch = merged.entries.iter().filter(|said| said.switch == *switch);
        let connections: Vec<ConnectionReport> = of_switch.map(|said| said.entry.clone()).collect();
        text += &format!("at {switch}:\n{}\n", connection_tables(&connections));
    }
    told(args, &merged, text.trim_end())
}

/// `smoc fabric paths`.
///
/// # Errors
/// No agent answers.
pub(super) fn paths(args: &MergedArgs) -> Result<(), Failure> {
    let merged: Merged<EdgeView> = ask_all(args, "/paths")?;
    let mut table = Table::new(["from", "to", "rule", "rank", "path", "in use"]);
    for Said { switch, entry: edge } in &merged.entries {
        for rank in &edge.ranks {
            let used =
                rank.liveness.as_ref().map_or("not probed", |live| if live.used { "yes" } else { "-" });
            table.row([
                switch.clone(),
                edge.edge.clone(),
                edge.rule.clone().unwrap_or_else(|| "-".to_owned()),
                rank.rank.to_string(),
                rank.switches.join(" - "),
                used.to_owned(),
            ]);
        }
    }
    told(args, &merged, table.to_string().trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_or_was_not_heard_is_said() {
        let answers = vec![
            ("b.sock".to_owned(), Ok(("e2".to_owned(), vec![3, 4]))),
            ("a.sock".to_owned(), Ok(("e1".to_owned(), vec![1, 2]))),
            ("c.sock".to_owned(), Err("gone".to_owned())),
        ];
        let edges = ["e1", "e2", "e3"].map(str::to_owned).into();
        let merged = Merged::new(answers, &edges, 3);
        let entries: Vec<(&str, i32)> =
            merged.entries.iter().map(|said| (said.switch.as_str(), said.entry)).collect();
        assert_eq!(entries, [("e1", 1), ("e1", 2), ("e2", 3)]);
        assert_eq!((merged.left_out, merged.missing.len()), (1, 1));
        let gaps = merged.gaps();
        for what in ["1 entries are left out", "c.sock did not answer: gone", "nothing is known of e3"] {
            assert!(gaps.contains(what), "{gaps}");
        }
    }
}

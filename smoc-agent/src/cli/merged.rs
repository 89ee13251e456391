//! `smoc fabric conns` and `smoc fabric paths`: what the agents of several switches know by themselves, put together. Agents do
//! not tell each other of flows, so each is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::Serialize;
use smoc_control::connections::ConnectionReport;

use super::{
    Failure, Format,
    gather::{Agents, RemoteArgs},
    joined::{Joined, join, shown},
    live::LiveArgs,
    number_from, print, print_json,
    table::Table,
};
use crate::api::EdgeView;

/// Arguments of the verbs that ask several agents.
#[derive(clap::Args, Debug)]
pub(super) struct MergedArgs {
    /// Sockets of further agents; one that is elsewhere can be brought here, as with `ssh -L e2.sock:/run/smoc/api.sock e2`
    #[arg(value_name = "SOCKET")]
    others: Vec<PathBuf>,
    /// Show so many entries at most, and how many are left out
    #[arg(long, default_value_t = 1000, value_parser = number_from(1, 1_000_000))]
    limit: usize,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    live: LiveArgs,
}

/// Who has answered, and what is not in an answer.
#[derive(Debug, Serialize)]
struct Merged {
    /// How many entries are left out.
    left_out: usize,
    /// The switches whose agents answered.
    answered: BTreeSet<String>,
    /// The sockets and switches that did not, and why.
    silent: BTreeMap<String, String>,
    /// Switches with hosts that there was no way to ask.
    missing: BTreeSet<String>,
}

impl Merged {
    fn new(agents: &Agents, answered: BTreeSet<String>, left_out: usize) -> Self {
        let missing = agents.missing(&answered);
        Self { left_out, silent: agents.silent.clone(), missing, answered }
    }
}

/// What is not in an answer, for people.
fn gaps(agents: &Agents, merged: &Merged) -> String {
    let mut lines = Vec::new();
    if merged.left_out > 0 {
        lines.push(format!("{} entries are left out: raise --limit", merged.left_out));
    }
    lines.extend(agents.gaps(&merged.answered));
    lines.join("\n")
}

fn find(args: &MergedArgs) -> Result<Agents, Failure> {
    Agents::find(&args.live.agent.api, &args.others, Some(&args.remote), false)
}

/// Cuts a list to its limit; how many are left out.
fn cut<T>(entries: &mut Vec<T>, limit: usize) -> usize {
    let left_out = entries.len().saturating_sub(limit);
    entries.truncate(limit);
    left_out
}

/// `smoc fabric conns`.
///
/// # Errors
/// No agent answers.
pub(super) fn conns(args: &MergedArgs) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Answer<'a> {
        connections: &'a [Joined],
        #[serde(flatten)]
        merged: Merged,
    }
    let mut agents = find(args)?;
    let answers: BTreeMap<String, Vec<ConnectionReport>> =
        agents.ask(|agent| async move { agent.get("/conns").await })?;
    let answered = answers.keys().cloned().collect();
    let mut connections = join(answers);
    let left_out = cut(&mut connections, args.limit);
    let merged = Merged::new(&agents, answered, left_out);
    match args.live.format {
        Format::Json => print_json(&Answer { connections: &connections, merged }),
        Format::Table => {
            let some =
                if connections.is_empty() { "no connections\n".to_owned() } else { shown(&connections) };
            print(format!("{some}{}", gaps(&agents, &merged)).trim_end())
        }
    }
}

/// `smoc fabric paths`.
///
/// # Errors
/// No agent answers.
pub(super) fn paths(args: &MergedArgs) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Said {
        /// The switch.
        switch: String,
        #[serde(flatten)]
        edge: EdgeView,
    }
    #[derive(Serialize)]
    struct Answer {
        entries: Vec<Said>,
        #[serde(flatten)]
        merged: Merged,
    }
    let mut agents = find(args)?;
    let answers: BTreeMap<String, Vec<EdgeView>> =
        agents.ask(|agent| async move { agent.get("/paths").await })?;
    let answered = answers.keys().cloned().collect();
    let of_switch = |(switch, edges): (String, Vec<EdgeView>)| {
        edges.into_iter().map(move |edge| Said { switch: switch.clone(), edge })
    };
    let mut entries: Vec<Said> = answers.into_iter().flat_map(of_switch).collect();
    let left_out = cut(&mut entries, args.limit);
    let merged = Merged::new(&agents, answered, left_out);
    if args.live.format == Format::Json {
        return print_json(&Answer { entries, merged });
    }
    let mut table = Table::new(["from", "to", "rule", "rank", "path", "in use"]);
    for Said { switch, edge } in &entries {
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
    print(format!("{table}\n{}", gaps(&agents, &merged)).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_or_was_not_heard_is_said() {
        let agents = Agents {
            all: BTreeMap::new(),
            silent: BTreeMap::from([
                ("c.sock".to_owned(), "gone".to_owned()),
                ("e4".to_owned(), "shy".to_owned()),
            ]),
            edges: ["e1", "e2", "e3", "e4"].map(str::to_owned).into(),
        };
        let mut entries = vec![1, 2, 3, 4];
        let left_out = cut(&mut entries, 3);
        assert_eq!((entries.len(), left_out), (3, 1));
        let merged = Merged::new(&agents, ["e1", "e2"].map(str::to_owned).into(), left_out);
        assert_eq!(merged.missing, ["e3".to_owned()].into());
        let gaps = gaps(&agents, &merged);
        for what in [
            "1 entries are left out",
            "c.sock did not answer: gone",
            "e4 did not answer: shy",
            "nothing is known of e3,",
        ] {
            assert!(gaps.contains(what), "{gaps}");
        }
    }
}

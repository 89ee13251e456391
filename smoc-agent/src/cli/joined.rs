//! Connections as several edges know them, put together: by tokens where both are known, else by a subflow that both have.

use std::collections::BTreeMap;

use serde::Serialize;
use smoc_control::connections::{ConnectionReport, Endpoint, SubflowReport};

use super::table::Table;

/// A connection.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Joined {
    /// Of the host that opened it, and of the one that answered; null if no edge knows both.
    pub tokens: Option<[String; 2]>,
    /// The switches that know it.
    pub switches: Vec<String>,
    /// Its subflows.
    pub subflows: Vec<JoinedSubflow>,
}

/// A subflow.
#[derive(Clone, Debug, Serialize)]
pub(super) struct JoinedSubflow {
    /// Who opened it.
    pub from: Endpoint,
    /// Who answered.
    pub to: Endpoint,
    /// What each switch says of it.
    pub at: BTreeMap<String, SubflowReport>,
}

type Flow = (Endpoint, Endpoint);

fn flow(subflow: &SubflowReport) -> Flow {
    let (local, remote) = (subflow.local.clone(), subflow.remote.clone());
    if subflow.opened_by == "local" { (local, remote) } else { (remote, local) }
}

fn tokens(report: &ConnectionReport) -> Option<[String; 2]> {
    Some([report.initiator_token.clone()?, report.responder_token.clone()?])
}

/// Puts together what the switches say; subflows of unknown connections join the connection that another edge knows, or make one
/// without tokens.
pub(super) fn join(all: BTreeMap<String, Vec<ConnectionReport>>) -> Vec<Joined> {
    let mut joined: Vec<Joined> = Vec::new();
    let mut by_tokens: BTreeMap<[String; 2], usize> = BTreeMap::new();
    let mut by_flow: BTreeMap<String, usize> = BTreeMap::new();
    let reports = all
        .into_iter()
        .flat_map(|(switch, reports)| reports.into_iter().map(move |report| (switch.clone(), report)));
    let (known, unknown): (Vec<_>, Vec<_>) = reports.partition(|(_, report)| report.id.is_some());
    for (switch, report) in known {
        let tokens = tokens(&report);
        let of_tokens = tokens.as_ref().and_then(|tokens| by_tokens.get(tokens));
        let of_flow = || report.subflows.iter().find_map(|subflow| by_flow.get(&name(&flow(subflow))));
        // Whose tokens differ are different, whatever their flows: an earlier one may have had the same ports.
        let is_same = |at: &&usize| tokens.is_none() || joined[**at].tokens.is_none();
        let at = of_tokens.or_else(|| of_flow().filter(is_same)).copied().unwrap_or_else(|| {
            joined.push(Joined::default());
            joined.len() - 1
        });
        if let Some(tokens) = tokens {
            by_tokens.insert(tokens.clone(), at);
            joined[at].tokens = Some(tokens);
        }
        for subflow in report.subflows {
            by_flow.insert(name(&flow(&subflow)), at);
            joined[at].add(&switch, subflow);
        }
        joined[at].knows(&switch);
    }
    for (switch, subflow) in unknown.into_iter().flat_map(|(switch, report)| {
        report.subflows.into_iter().map(move |subflow| (switch.clone(), subflow))
    }) {
        let at = *by_flow.entry(name(&flow(&subflow))).or_insert_with(|| {
            joined.push(Joined::default());
            joined.len() - 1
        });
        joined[at].add(&switch, subflow);
        joined[at].knows(&switch);
    }
    joined
}

fn name((from, to): &Flow) -> String {
    format!("{} {} {} {}", from.address, from.port, to.address, to.port)
}

impl Joined {
    fn knows(&mut self, switch: &str) {
        if !self.switches.iter().any(|known| known == switch) {
            self.switches.push(switch.to_owned());
        }
    }

    fn add(&mut self, switch: &str, report: SubflowReport) {
        let (from, to) = flow(&report);
        let same = self.subflows.iter_mut().find(|known| (&known.from, &known.to) == (&from, &to));
        match same {
            Some(known) => drop(known.at.insert(switch.to_owned(), report)),
            None => {
                let at = BTreeMap::from([(switch.to_owned(), report)]);
                self.subflows.push(JoinedSubflow { from, to, at });
            }
        }
    }
}

/// For people: each connection with its subflows.
pub(super) fn shown(all: &[Joined]) -> String {
    let mut text = String::new();
    for Joined { tokens, switches, subflows } in all {
        let tokens = tokens.as_ref().map_or_else(|| "unknown tokens".to_owned(), |tokens| tokens.join(" - "));
        text += &format!("connection {tokens}, known at {}\n", switches.join(", "));
        let mut table = Table::new(["from", "to", "rank", "path", "state", "there", "back"]);
        for JoinedSubflow { from, to, at } in subflows {
            // The edge of who opened it, if it has answered.
            let side = at.values().find(|report| report.opened_by == "local").or(at.values().next());
            let Some(side) = side else { continue };
            let is_opener = side.opened_by == "local";
            let (sent, received) = (side.bytes_sent, side.bytes_received);
            let (there, back) = if is_opener { (sent, received) } else { (received, sent) };
            let mut path = side.switches.clone();
            if !is_opener {
                path.reverse();
            }
            let place = |end: &Endpoint| format!("{} {}", end.address, end.port);
            table.row([
                place(from),
                place(to),
                side.rank.to_string(),
                path.join(" - "),
                side.state.clone(),
                there.to_string(),
                back.to_string(),
            ]);
        }
        text += &format!("{table}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn subflow(local: u16, remote: u16, opened_by: &str) -> serde_json::Value {
        let end = |port: u16| json!({"address": format!("10.0.0.{}", port / 1000), "port": port});
        json!({
            "local": end(local), "remote": end(remote), "opened_by": opened_by, "initial": true, "address_id": 0,
            "backup": false, "token": null, "rank": 0, "hashed": false, "switches": ["a", "b"], "links": [],
            "packets_sent": 1, "bytes_sent": 10, "packets_received": 2, "bytes_received": 20, "age_seconds": 1.0,
            "state": "established",
        })
    }

    fn connection(
        tokens: Option<[&str; 2]>,
        id: Option<u32>,
        subflows: &[serde_json::Value],
    ) -> ConnectionReport {
        let token = |at: usize| tokens.map(|tokens| tokens[at]);
        serde_json::from_value(json!({
            "id": id, "version": 1, "tokens": null, "initiator_token": token(0), "responder_token": token(1),
            "opened_by": null, "local": null, "remote": null, "age_seconds": null, "subflows": subflows,
        }))
        .unwrap()
    }

    fn told(all: &[(&str, Vec<ConnectionReport>)]) -> Vec<(bool, Vec<String>, Vec<usize>)> {
        let all = all.iter().map(|(switch, reports)| ((*switch).to_owned(), reports.clone())).collect();
        let told = |joined: Joined| {
            let ats = joined.subflows.iter().map(|subflow| subflow.at.len()).collect();
            (joined.tokens.is_some(), joined.switches, ats)
        };
        join(all).into_iter().map(told).collect()
    }

    #[test]
    fn both_edges_of_a_connection_are_one_row_and_each_subflow_too() {
        let tokens = Some(["aa", "bb"]);
        let e1 = connection(tokens, Some(1), &[subflow(1000, 2000, "local"), subflow(1001, 2000, "local")]);
        let e2 = connection(tokens, Some(7), &[subflow(2000, 1000, "remote")]);
        let other = connection(Some(["cc", "dd"]), Some(8), &[subflow(2000, 1000, "remote")]);
        let both = vec!["e1".to_owned(), "e2".to_owned()];
        assert_eq!(told(&[("e1", vec![e1.clone()]), ("e2", vec![e2])]), [(true, both.clone(), vec![2, 1])]);
        assert_eq!(told(&[("e1", vec![e1]), ("e2", vec![other])]).len(), 2, "other tokens");
    }

    #[test]
    fn subflows_of_unknown_connections_join_the_one_that_another_edge_knows() {
        let e1 = connection(Some(["aa", "bb"]), Some(1), &[subflow(1000, 2000, "local")]);
        let e2 = connection(None, None, &[subflow(2000, 1000, "remote"), subflow(2000, 1009, "remote")]);
        let both = vec!["e1".to_owned(), "e2".to_owned()];
        let all = told(&[("e1", vec![e1]), ("e2", vec![e2])]);
        assert_eq!(all, [(true, both, vec![2]), (false, vec!["e2".to_owned()], vec![1])]);
    }
}

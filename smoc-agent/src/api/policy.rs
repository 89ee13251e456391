//! The policy: what the API takes of operators, and what it tells of the one in force.

use std::path::Path;

use serde::{Deserialize, Serialize};
use smoc_control::{
    fabric::Record,
    policy::{Document, MAX_TEXT, Rules, to_records},
    switch::Snapshot,
};
use smoc_paths::{input, search::PathOptions, topology::Topology};

/// A policy that is to be in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyOrder {
    /// The file that it was read from, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// What is to be taken out of the policy in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDeletion {
    /// The name of a rule; all of them if there is none.
    #[serde(default)]
    pub rule: Option<String>,
}

/// What an order did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// How many rules are in force.
    pub rules: usize,
    /// Whether the policy is another one than before.
    pub changed: bool,
}

/// The policy in force, as one switch sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyView {
    /// The document; empty if there is none.
    pub text: String,
    /// When it was applied, in microseconds since 1970; 0 if nobody ever did.
    pub written: u64,
    /// `announcements`, or the record of the store that says so.
    pub source: String,
    /// Its rules, in their order: the first that is about a pair counts.
    pub rules: Vec<RuleView>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleView {
    /// Its name.
    pub name: String,
    /// The two sides.
    pub between: [String; 2],
    /// What it does.
    pub does: String,
    /// The edges to which it leads hosts of this switch.
    pub edges: Vec<String>,
    /// Whether everything that it says can be had, as seen from here.
    pub met: bool,
    /// What cannot, and what is done instead.
    pub why: Vec<String>,
}

/// What is to be remembered so that a document is in force, and what to answer.
///
/// # Errors
/// What is wrong with it, one fault a line.
pub(super) fn apply(
    snapshot: &Snapshot,
    order: &PolicyOrder,
    now: u64,
) -> Result<(Vec<Record>, Applied), String> {
    let document = check(order, &snapshot.topology, snapshot.book.options())?;
    let count = document.rules.len();
    let text = if count == 0 { "" } else { &order.text };
    put(snapshot, text, count, now)
}

/// The document, if it can be in force in this network, where paths are chosen so otherwise.
///
/// # Errors
/// What is wrong with it, one fault a line.
pub fn check(order: &PolicyOrder, topology: &Topology, options: &PathOptions) -> Result<Document, String> {
    let file = Path::new(&order.file);
    let (document, lines) =
        Document::parse_with_lines(&order.text).map_err(|faults| input::lines(file, &faults))?;
    let rules = Rules::resolve(&document, topology, options);
    let faults: Vec<input::Fault> = rules
        .problems()
        .map(|(at, why)| (lines.get(at).copied().unwrap_or_default(), format!("rules[{at}].{why}")))
        .collect();
    if !faults.is_empty() {
        return Err(input::lines(file, &faults));
    }
    if order.text.len() > MAX_TEXT {
        return Err(too_long(&order.text));
    }
    Ok(document)
}

fn too_long(text: &str) -> String {
    format!("the policy has {} bytes, and {MAX_TEXT} at most go into records: shorten it", text.len())
}

/// The same for the document in force without one rule, or without any.
///
/// # Errors
/// There is no such rule.
pub(super) fn delete(
    snapshot: &Snapshot,
    deletion: &PolicyDeletion,
    now: u64,
) -> Result<(Vec<Record>, Applied), String> {
    let Some(name) = &deletion.rule else { return put(snapshot, "", 0, now) };
    let mut document =
        snapshot.policy.as_ref().map_or_else(Document::default, |force| force.document.clone());
    let before = document.rules.len();
    document.rules.retain(|rule| rule.name != *name);
    let count = document.rules.len();
    if count == before {
        return Err(format!("no rule is called \"{name}\": `smoc policy show` names all"));
    }
    let text = if count == 0 { String::new() } else { document.to_text() };
    put(snapshot, &text, count, now)
}

fn put(snapshot: &Snapshot, text: &str, rules: usize, now: u64) -> Result<(Vec<Record>, Applied), String> {
    if text.len() > MAX_TEXT {
        return Err(too_long(text));
    }
    let in_force = snapshot.policy.as_deref();
    // What the store says counts unless this is later.
    let now = now.max(in_force.map_or(0, |force| force.written + 1));
    let refused = |error: smoc_control::fabric::records::RecordError| error.to_string();
    let mut records = to_records(&snapshot.records, text, now).map_err(refused)?;
    let stands = in_force.map_or("", |force| force.text.as_str()) == text;
    if records.is_empty() && !stands {
        // Announcements say so already, but the store said something else later.
        let again = if text.is_empty() { "rules: []".to_owned() } else { format!("{text}\n") };
        records = to_records(&snapshot.records, &again, now).map_err(refused)?;
    }
    let changed = !records.is_empty();
    Ok((records, Applied { rules, changed }))
}

/// The policy in force.
pub(super) fn view(snapshot: &Snapshot) -> PolicyView {
    let policies = &snapshot.policies;
    let name = |edge| snapshot.topology.switch(edge).name.clone();
    let rules = (1u8..).zip(&policies.rules().choices).map(|(number, choice)| {
        let mut why = choice.problems.clone();
        for (edge, unmet) in policies.unmet(number) {
            why.extend(unmet.iter().map(|unmet| format!("to {}: {unmet}", name(edge))));
        }
        RuleView {
            name: choice.rule.name.clone(),
            between: choice.rule.between.clone(),
            does: choice.rule.does(),
            edges: policies.edges_of(number).map(name).collect(),
            met: why.is_empty(),
            why,
        }
    });
    let force = snapshot.policy.as_deref();
    let stored = force.and_then(|force| force.stored.as_deref());
    PolicyView {
        text: force.map_or_else(String::new, |force| force.text.clone()),
        written: force.map_or(0, |force| force.written),
        source: stored.map_or_else(|| "announcements".to_owned(), |name| format!("store: policy/{name}")),
        rules: rules.collect(),
    }
}

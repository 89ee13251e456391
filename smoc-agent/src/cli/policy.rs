//! `smoc policy`: which pairs of hosts of the fabric take other paths than the rest.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Serialize;
use smoc_control::policy::{Document, Rule};
use smoc_paths::input::lines;

use super::{
    Failure, Format, input,
    live::{LiveArgs, ask, wait},
    print, print_json,
    store::StoreArgs,
    stored_policy::{self, StoredPolicy},
    table::Table,
};
use crate::api::{self, Applied, PolicyDeletion, PolicyOrder, PolicyView};

/// Arguments of `smoc policy`.
#[derive(clap::Args, Debug)]
#[command(after_help = HELP)]
pub struct PolicyArgs {
    #[command(subcommand)]
    verb: Verb,
}

const HELP: &str = "\
Any agent can be asked: it tells all others, and all remember it, over restarts too. The file is the whole policy: what it
does not have is no longer in force. Of its rules the first that is about both hosts of a pair counts.

A file:
  tenants:
    gold: [10.1.0.0/16, \"fd00:1::/64\", h7]
  rules:
    - {between: [h1, h2], metric: latency}
    - {name: backup, between: [gold, any], count: 2, avoid: [m1, \"e1:2\", duct-7]}

Keys of a rule: name, between (tenants, hosts, addresses, prefixes or any), policy, count, protect, metric, max_stretch,
ranks, avoid (switches, ports, links, shared-risk groups). docs/policy.md says what each does.

Examples:
  smoc policy diff policy.yaml
  smoc policy apply policy.yaml
  echo 'rules: [{between: [h1, h2], metric: latency}]' | smoc policy apply -
  smoc policy delete backup

With --etcd nobody's agent is asked: the policy is written into the fabric's store, with an operator's certificate (docs/store.md),
and not if another operator has written there meanwhile:
  smoc policy apply policy.yaml --etcd https://10.0.0.1:2379 --ca ca.pem --cert ann.pem --key ann.key --fabric default";

#[derive(clap::Subcommand, Debug)]
enum Verb {
    /// Put a policy in force, in the place of the one before
    Apply(FileArgs),
    /// Show what a file would change
    Diff(FileArgs),
    /// Show the policy in force, and what of it cannot be met
    Show(ShowArgs),
    /// Take a rule out of the policy in force, or all of them
    Delete(DeleteArgs),
}

#[derive(clap::Args, Debug)]
struct FileArgs {
    /// The policy (YAML); - for standard input
    file: PathBuf,
    #[command(flatten)]
    at: At,
}

/// Who is asked: an agent, or the store.
#[derive(clap::Args, Debug)]
struct At {
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// With --etcd: write only if the policy is still as of this revision, which show and diff tell
    #[arg(long, value_name = "N", requires = "etcd")]
    revision: Option<i64>,
}

#[derive(clap::Args, Debug)]
struct ShowArgs {
    /// Print the file that was applied and nothing else
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    at: At,
}

#[derive(clap::Args, Debug)]
struct DeleteArgs {
    /// The name of a rule
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    rule: Option<String>,
    /// All rules
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    at: At,
}

/// `smoc policy`.
///
/// # Errors
/// No agent answers, or the policy is at fault.
pub fn run(args: &PolicyArgs) -> Result<(), Failure> {
    match &args.verb {
        Verb::Apply(FileArgs { file, at }) if at.store.is_meant() => {
            stored(&at.live, StoredPolicy::open(&at.store)?.apply(file, at.revision)?)
        }
        Verb::Apply(FileArgs { file, at: At { live, .. } }) => {
            let (text, _) = read(file)?;
            let order = PolicyOrder { file: file.display().to_string(), text };
            told(live, wait(api::post(&live.agent.api, "/policy", &order))?)
        }
        Verb::Diff(FileArgs { file, at }) => diff(file, at),
        Verb::Show(ShowArgs { text, at }) if at.store.is_meant() => {
            StoredPolicy::open(&at.store)?.show(*text, at.live.format == Format::Json)
        }
        Verb::Show(args) => show(args),
        Verb::Delete(DeleteArgs { rule, at, .. }) if at.store.is_meant() => {
            stored(&at.live, StoredPolicy::open(&at.store)?.delete(rule.as_deref(), at.revision)?)
        }
        Verb::Delete(DeleteArgs { rule, at: At { live, .. }, .. }) => {
            let deletion = PolicyDeletion { rule: rule.clone() };
            told(live, wait(api::post(&live.agent.api, "/policy/delete", &deletion))?)
        }
    }
}

/// Its text and what it says.
pub(super) fn read(file: &Path) -> Result<(String, Document), Failure> {
    let text = input::text(file)
        .map_err(|error| Failure::bad_input(anyhow::anyhow!("{}: {error}", file.display())))?;
    let document = Document::parse(&text)
        .map_err(|faults| Failure::bad_input(anyhow::anyhow!("{}", lines(file, &faults))))?;
    Ok((text, document))
}

fn told(live: &LiveArgs, applied: Applied) -> Result<(), Failure> {
    if live.format == Format::Json {
        return print_json(&applied);
    }
    let follows = "all switches follow within half a second; `smoc policy show` says what cannot be met";
    print(&in_words(&applied, "in force", follows))
}

/// The same of the store.
fn stored(live: &LiveArgs, applied: Applied) -> Result<(), Failure> {
    if live.format == Format::Json {
        return print_json(&applied);
    }
    print(&stored_policy::told(&applied))
}

/// What an order did.
pub(super) fn in_words(applied: &Applied, place: &str, follows: &str) -> String {
    let rules = match applied.rules {
        0 => "no rule is".to_owned(),
        1 => "1 rule is".to_owned(),
        more => format!("{more} rules are"),
    };
    match applied.changed {
        true => format!("{rules} {place}: {follows}"),
        false => format!("{rules} {place}, as before"),
    }
}

fn show(ShowArgs { text, at: At { live, .. } }: &ShowArgs) -> Result<(), Failure> {
    let policy: PolicyView = ask(&live.agent, "/policy")?;
    if *text {
        return print(policy.text.trim_end());
    }
    if live.format == Format::Json {
        return print_json(&policy);
    }
    if policy.rules.is_empty() {
        return print("no policy is in force: all pairs of hosts take the paths of their edges");
    }
    let mut table = Table::new(["rule", "between", "does", "from here to", "met"]);
    let mut reasons = Vec::new();
    for rule in &policy.rules {
        let edges = if rule.edges.is_empty() { "-".to_owned() } else { rule.edges.join(", ") };
        let met = if rule.met { "yes" } else { "NO" };
        table.row([rule.name.clone(), rule.between.join(" and "), rule.does.clone(), edges, met.to_owned()]);
        reasons.extend(rule.why.iter().map(|why| format!("{}: {why}", rule.name)));
    }
    let from = format!("in force by {}; of the rules about a pair the first counts", policy.source);
    print(format!("{from}\n\n{table}\n{}", reasons.join("\n")).trim_end())
}

/// What is different between two policies.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Differences {
    /// Rules that the file alone has.
    added: Vec<String>,
    /// Rules that the policy in force alone has.
    removed: Vec<String>,
    /// Rules that say something else, with both.
    changed: BTreeMap<String, [String; 2]>,
    /// Tenants that have other members.
    tenants: Vec<String>,
    /// Whether rules that both have come in another order.
    reordered: bool,
}

fn said(rule: &Rule) -> String {
    format!("between {} and {}: {}", rule.between[0], rule.between[1], rule.does())
}

fn differences(before: &Document, after: &Document) -> Differences {
    let by_name = |document: &Document| -> BTreeMap<String, Rule> {
        document.rules.iter().map(|rule| (rule.name.clone(), rule.clone())).collect()
    };
    let (old, new) = (by_name(before), by_name(after));
    let only = |these: &Document, others: &BTreeMap<String, Rule>| -> Vec<String> {
        these
            .rules
            .iter()
            .filter(|rule| !others.contains_key(&rule.name))
            .map(|rule| rule.name.clone())
            .collect()
    };
    let changed = new.iter().filter_map(|(name, rule)| {
        let before = old.get(name).filter(|before| *before != rule)?;
        Some((name.clone(), [said(before), said(rule)]))
    });
    let order = |document: &Document, others: &BTreeMap<String, Rule>| -> Vec<String> {
        let common = document.rules.iter().filter(|rule| others.contains_key(&rule.name));
        common.map(|rule| rule.name.clone()).collect()
    };
    let names = before.tenants.keys().chain(after.tenants.keys());
    let mut tenants: Vec<String> =
        names.filter(|name| before.tenants.get(*name) != after.tenants.get(*name)).cloned().collect();
    tenants.sort();
    tenants.dedup();
    Differences {
        added: only(after, &old),
        removed: only(before, &new),
        changed: changed.collect(),
        tenants,
        reordered: order(before, &new) != order(after, &old),
    }
}

/// The document in force, and at the store its revision.
fn standing(at: &At) -> Result<(Document, Option<i64>), Failure> {
    if at.store.is_meant() {
        let policy = StoredPolicy::open(&at.store)?;
        return Ok((policy.document()?, Some(policy.revision())));
    }
    let policy: PolicyView = ask(&at.live.agent, "/policy")?;
    let document = if policy.text.is_empty() { Document::default() } else { parsed(&policy.text)? };
    Ok((document, None))
}

fn diff(file: &Path, at: &At) -> Result<(), Failure> {
    let (_, after) = read(file)?;
    let (before, revision) = standing(at)?;
    let live = &at.live;
    let differences = differences(&before, &after);
    if live.format == Format::Json {
        return print_json(&differences);
    }
    if differences == Differences::default() {
        return print("no difference: this policy is in force");
    }
    let find = |document: &Document, name: &str| {
        document.rules.iter().find(|rule| rule.name == *name).map(said).unwrap_or_default()
    };
    let mut told = Vec::new();
    told.extend(revision.map(|revision| format!("against revision {revision} of the store:")));
    told.extend(differences.removed.iter().map(|name| format!("- {name} {}", find(&before, name))));
    told.extend(differences.added.iter().map(|name| format!("+ {name} {}", find(&after, name))));
    for (name, [old, new]) in &differences.changed {
        told.extend([format!("- {name} {old}"), format!("+ {name} {new}")]);
    }
    told.extend(differences.tenants.iter().map(|name| format!("~ tenant {name} has other members")));
    if differences.reordered {
        told.push("~ rules come in another order: the first about a pair counts".to_owned());
    }
    print(&told.join("\n"))
}

/// What a policy in force says.
pub(super) fn parsed(text: &str) -> Result<Document, Failure> {
    Document::parse(text).map_err(|faults| {
        let why = lines(Path::new("the policy in force"), &faults);
        Failure::Failed(anyhow::anyhow!("{why}: the agent is of another version"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_changes_is_told_rule_by_rule() {
        let before = Document::parse(
            "
tenants: {gold: [10.0.0.0/8], tin: [10.0.0.1]}
rules: [{name: a, between: [x, y], count: 1}, {name: b, between: [x, y], count: 2}, {name: c, between: [x, y], count: 3}]",
        )
        .unwrap();
        let after = Document::parse(
            "
tenants: {gold: [10.0.0.0/9], tin: [10.0.0.1]}
rules: [{name: b, between: [x, y], count: 2}, {name: a, between: [x, z], count: 1}, {name: d, between: [x, y], count: 3}]",
        )
        .unwrap();
        let told = differences(&before, &after);
        assert_eq!((&told.added[..], &told.removed[..]), (&["d".to_owned()][..], &["c".to_owned()][..]));
        assert_eq!(told.changed["a"], ["between x and y: count 1", "between x and z: count 1"]);
        assert_eq!((&told.tenants[..], told.reordered), (&["gold".to_owned()][..], true));
        assert_eq!(differences(&after, &after), Differences::default());
    }
}

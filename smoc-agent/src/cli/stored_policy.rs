//! `smoc policy` at the fabric's etcd: the record `policy/main`, which agents read.

use std::path::Path;

use serde::Serialize;
use smoc_control::{
    fabric::Records,
    policy::{Document, Force, Stored, in_force, stored, to_stored},
    store::Key,
};

use super::{
    Failure,
    policy::{in_words, parsed, read},
    print, print_json,
    store::{Store, StoreArgs, later_than},
    table::Table,
};
use crate::api::{Applied, PolicyOrder, check_policy};

/// The record that smoc writes.
const MAIN: &str = "main";

/// The policy in the store.
pub(super) struct StoredPolicy {
    store: Store,
    all: Vec<Stored>,
    force: Option<Force>,
}

/// A policy in the store, as `show` prints it.
#[derive(Serialize)]
struct View<'a> {
    text: &'a str,
    written: u64,
    /// The record.
    source: String,
    /// The store's revision when it was written.
    revision: i64,
}

impl StoredPolicy {
    /// Reads it. What cannot be read is said, and is as none: agents do so too.
    ///
    /// # Errors
    /// The store does not answer.
    pub(super) fn open(args: &StoreArgs) -> Result<Self, Failure> {
        let store = args.open()?;
        let (all, problems) = stored(store.operator().facts().operators());
        for problem in problems {
            eprintln!("warning: {problem}");
        }
        let force = in_force(&Records::default(), &all, None);
        Ok(Self { store, all, force })
    }

    /// The document in force; empty if there is none.
    pub(super) fn document(&self) -> Result<Document, Failure> {
        self.force.as_ref().map_or_else(|| Ok(Document::default()), |force| parsed(&force.text))
    }

    fn keys(&self) -> Vec<Key> {
        self.all.iter().map(|stored| Key::Policy(stored.name.clone())).collect()
    }

    /// The latest revision with which any of the policies was written.
    pub(super) fn revision(&self) -> i64 {
        let own = Key::Policy(MAIN.to_owned());
        let all = self.keys().into_iter().chain([own]);
        all.map(|key| self.store.operator().revision_of(&key)).max().unwrap_or(0)
    }

    /// Puts a file in force.
    ///
    /// # Errors
    /// It is at fault, somebody else has written meanwhile, or the store refuses.
    pub(super) fn apply(&mut self, file: &Path, expected: Option<i64>) -> Result<Applied, Failure> {
        let (text, _) = read(file)?;
        let topology = self.store.topology();
        let order = PolicyOrder { file: file.display().to_string(), text };
        let options = self.store.shared()?.0.paths();
        let checked = check_policy(&order, &topology, &options);
        let document = checked.map_err(|why| Failure::bad_input(anyhow::anyhow!(why)))?;
        self.put(&order.text, document.rules.len(), expected)
    }

    /// Takes a rule out of what is in force, or all of them.
    ///
    /// # Errors
    /// There is no such rule, somebody else has written meanwhile, or the store refuses.
    pub(super) fn delete(&mut self, rule: Option<&str>, expected: Option<i64>) -> Result<Applied, Failure> {
        let Some(name) = rule else { return self.put("rules: []\n", 0, expected) };
        let mut document = self.document()?;
        let before = document.rules.len();
        document.rules.retain(|rule| rule.name != name);
        if document.rules.len() == before {
            let why = format!("no rule is called \"{name}\": `smoc policy show` names all");
            return Err(Failure::bad_input(anyhow::anyhow!(why)));
        }
        self.put(&document.to_text(), document.rules.len(), expected)
    }

    fn put(&mut self, text: &str, rules: usize, expected: Option<i64>) -> Result<Applied, Failure> {
        self.store.expect(self.revision(), expected, "the policy")?;
        let is_same = self.force.as_ref().is_some_and(|force| force.text == text);
        if is_same || self.force.is_none() && rules == 0 {
            return Ok(Applied { rules, changed: false });
        }
        let key = Key::Policy(MAIN.to_owned());
        let written = later_than(self.all.iter().map(|stored| stored.force.written));
        let read: Vec<Key> = self.keys().into_iter().filter(|it| *it != key).collect();
        self.store.put(&key, to_stored(text, written), &read)?;
        Ok(Applied { rules, changed: true })
    }

    /// Prints what is in force.
    ///
    /// # Errors
    /// It cannot be printed.
    pub(super) fn show(&self, only_text: bool, as_json: bool) -> Result<(), Failure> {
        let name = self.force.as_ref().and_then(|force| force.stored.as_deref());
        let source = name.map_or_else(|| "none".to_owned(), |name| format!("policy/{name}"));
        let text = self.force.as_ref().map_or("", |force| force.text.as_str());
        let written = self.force.as_ref().map_or(0, |force| force.written);
        if only_text {
            return print(text.trim_end());
        }
        let revision = self.revision();
        if as_json {
            return print_json(&View { text, written, source, revision });
        }
        let document = self.document()?;
        if document.rules.is_empty() {
            return print(&format!("no policy is in the store (revision {revision})"));
        }
        let mut table = Table::new(["rule", "between", "does"]);
        for rule in &document.rules {
            table.row([rule.name.clone(), rule.between.join(" and "), rule.does()]);
        }
        let head = format!(
            "{source}, as of revision {revision}; what of it cannot be met is known to agents: `smoc policy show` without --etcd"
        );
        print(format!("{head}\n\n{table}").trim_end())
    }
}

/// What an order did, for people.
pub(super) fn told(applied: &Applied) -> String {
    in_words(applied, "in the store", "agents follow within half a second of hearing of it")
}

//! The policy in force, as this switch has it; which switch has which policy and topology, and where its API can be read.

use std::{collections::BTreeMap, sync::Arc};

use tracing::info;

use super::Switch;
use crate::{
    clock::Nanos,
    fabric::{
        ApiPlace,
        digest::{self, Digests},
    },
    policy::{Force, Rules, Stored, in_force, stored},
    store::Facts,
};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Policing {
    /// What is in force; `None` if nobody has ever said anything.
    pub force: Option<Arc<Force>>,
    /// What the store says.
    stored: Vec<Stored>,
    /// What is wrong with records of the store.
    problems: Vec<String>,
    /// What this switch has, and since when.
    pub digests: (Digests, Nanos),
    /// What others say that they have, and since when.
    pub told: Arc<BTreeMap<String, (Option<Digests>, Nanos)>>,
    /// Where others' APIs can be read, as they announce it, and as the store says.
    apis: [BTreeMap<String, ApiPlace>; 2],
}

impl Switch {
    /// Takes note of the policies in the store; whether another one is in force.
    pub(super) fn stored_policies(&mut self, facts: &Facts) -> bool {
        let (all, problems) = stored(facts.operators());
        let is_news = self.policing.problems != problems;
        (self.policing.stored, self.policing.problems) = (all, problems);
        self.stale.view |= is_news;
        self.look_at_policy() || is_news
    }

    /// Looks which document is in force; whether it is another one than before.
    pub(super) fn look_at_policy(&mut self) -> bool {
        let before = self.policing.force.as_deref();
        let force = in_force(&self.records, &self.policing.stored, before);
        if force.as_ref() == before {
            return false;
        }
        let rules = force.as_ref().map_or(0, |force| force.document.rules.len());
        info!(rules, "another policy is in force");
        self.policing.force = force.map(Arc::new);
        self.resolve_policy();
        true
    }

    /// Works out what the policy means in the network as it is now.
    pub(super) fn resolve_policy(&mut self) {
        let rules = self.policing.force.as_ref().map_or_else(Rules::default, |force| {
            Rules::resolve(&force.document, &self.topology, &self.config.paths)
        });
        if rules == **self.controller.policies().rules() && rules == Rules::default() {
            return;
        }
        self.controller.set_rules(Arc::new(rules));
        // What probes said of a rule's path says nothing of another rule's.
        self.failures.paths.retain(|(to, _)| to.rule == 0);
        self.generation += 1;
        self.watched_edges = usize::MAX;
        self.targets = None;
        self.stale.plan = true;
        self.stale.view = true;
    }

    /// Works out what others are told of what this switch has.
    pub(super) fn digest(&mut self, now: Nanos) {
        let policy = self.policing.force.as_ref().map_or(0, |force| digest::of_text(&force.text));
        let digests = Digests { topology: digest::of_topology(&self.topology), policy };
        if digests != self.policing.digests.0 {
            self.policing.digests = (digests, now);
            self.announcer.hurry(now);
            self.stale.view = true;
        }
    }

    /// A switch says what it has.
    pub(super) fn told_digests(&mut self, origin: &str, digests: Option<Digests>, now: Nanos) {
        if self.policing.told.get(origin).is_none_or(|(before, _)| *before != digests) {
            Arc::make_mut(&mut self.policing.told).insert(origin.to_owned(), (digests, now));
            self.stale.view = true;
        }
    }

    /// A switch says where its API can be read.
    pub(super) fn told_api(&mut self, origin: &str, api: Option<ApiPlace>) {
        let announced = &mut self.policing.apis[0];
        let before = match api {
            Some(api) => announced.insert(origin.to_owned(), api),
            None => announced.remove(origin),
        };
        self.stale.view |= before != api;
    }

    /// The store says where APIs can be read.
    pub(super) fn stored_apis(&mut self, facts: &Facts) {
        let switches = facts.switches().iter();
        let stored = switches.filter_map(|(name, record)| Some((name.clone(), record.api?))).collect();
        self.stale.view |= self.policing.apis[1] != stored;
        self.policing.apis[1] = stored;
    }

    /// Where others' APIs can be read: what a switch announces counts before what the store says of it.
    pub(super) fn apis(&self) -> BTreeMap<String, ApiPlace> {
        let [announced, stored] = &self.policing.apis;
        let mut all = stored.clone();
        all.extend(announced.iter().map(|(name, api)| (name.clone(), *api)));
        all
    }

    /// What an operator should know of the policy.
    pub(super) fn policy_warnings(&self) -> Vec<String> {
        let policies = self.controller.policies();
        let mut warnings = self.policing.problems.clone();
        for (number, choice) in (1u8..).zip(&policies.rules().choices) {
            let (unmet, problems) = (policies.unmet(number), &choice.problems);
            if !unmet.is_empty() || !problems.is_empty() {
                let name = &choice.rule.name;
                warnings.push(format!(
                    "policy: rule \"{name}\" is not met as it stands: `smoc policy show` says why and what is done instead"
                ));
            }
        }
        if policies.left_out() > 0 {
            warnings.push(format!(
                "policy: {} pairs of classes of hosts find no room and take the paths of all others: name fewer, larger prefixes",
                policies.left_out()
            ));
        }
        warnings
    }
}

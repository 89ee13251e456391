//! The agent, and what it says itself.

use crate::doctor::{Check, Facts, Finding, Switch};

pub(super) fn configuration(_: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Configuration;
    vec![match &switch.config {
        None => check.note("no configuration was found: name it with --config, or ports cannot be looked at"),
        Some(Err(fault)) => check.fault(fault.clone()).by_hand("smoc check FILE"),
        Some(Ok(config)) => check.ok(format!("{} is sound", config.path.display())),
    }]
}

pub(super) fn answers(_: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Agent;
    vec![match &switch.agent {
        Err(why) => check.fault(why.clone()).by_hand("systemctl start smoc"),
        Ok(agent) if !agent.is_ready => {
            check.fault(format!("the agent (pid {}) is not ready: see agent-warnings and its log", agent.pid))
        }
        Ok(agent) => check.ok(format!("the agent (pid {}) is ready", agent.pid)),
    }]
}

pub(super) fn warnings(_: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::AgentWarnings;
    match &switch.agent {
        Ok(agent) => check.all(agent.warnings.iter().map(|warning| check.warning(warning.clone())), "none"),
        Err(_) => vec![check.note("no agent to ask")],
    }
}

pub(super) fn broken_paths(_: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::BrokenPaths;
    let Ok(agent) = &switch.agent else { return vec![check.note("no agent to ask")] };
    let found = agent.broken.iter().map(|path| {
        let found = format!("rank {} to {} is broken: {}", path.rank, path.edge, path.links);
        check.warning(found).by_hand(format!("smoc traceroute --to {} --rank {}", path.edge, path.rank))
    });
    check.all(found, "none is broken")
}

pub(super) fn etcd(_: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Etcd;
    vec![match switch.agent.as_ref().map(|agent| agent.etcd) {
        Err(_) => check.note("no agent to ask"),
        Ok(None) => check.ok("etcd is not the store"),
        Ok(Some(true)) => check.ok("connected"),
        Ok(Some(false)) => check.warning("not connected: `smoc status` says why"),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{
        BrokenPath, Severity,
        testing::{agent, switch, worst},
    };

    #[test]
    fn an_agent_that_is_away_or_not_well_is_found() {
        let away = worst(Check::Agent, |facts| switch(facts).agent = Err("no agent answers".into()));
        assert_eq!((away.severity, away.fix()), (Severity::Fault, None));
        assert_eq!(worst(Check::Agent, |facts| agent(facts).is_ready = false).severity, Severity::Fault);
        let warned =
            worst(Check::AgentWarnings, |facts| agent(facts).warnings.push("port 9: no eth9".into()));
        assert_eq!((warned.severity, warned.found.as_str()), (Severity::Warning, "port 9: no eth9"));
        assert_eq!(worst(Check::Etcd, |facts| agent(facts).etcd = Some(false)).severity, Severity::Warning);
        assert_eq!(worst(Check::Etcd, |facts| agent(facts).etcd = Some(true)).severity, Severity::Ok);
    }

    #[test]
    fn broken_paths_are_named_with_what_finds_the_place() {
        let path = BrokenPath { edge: "e2".into(), rank: 1, links: "e1:2-m2:1, m2:2-e2:2".into() };
        let found = worst(Check::BrokenPaths, |facts| agent(facts).broken.push(path));
        assert_eq!(
            (found.severity, found.command().as_deref()),
            (Severity::Warning, Some("smoc traceroute --to e2 --rank 1"))
        );
    }

    #[test]
    fn a_faulty_configuration_is_a_fault_and_none_is_not() {
        let faulty = worst(Check::Configuration, |facts| {
            switch(facts).config = Some(Err("agent.yaml:3: ports: ...".into()));
        });
        assert_eq!(faulty.severity, Severity::Fault);
        assert_eq!(worst(Check::Configuration, |facts| switch(facts).config = None).severity, Severity::Note);
    }
}

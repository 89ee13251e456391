//! The ports and what is on them.

use std::collections::BTreeMap;

use crate::{
    config::XdpMode,
    doctor::{Check, Facts, Finding, Link, Switch},
    interfaces::AttachedMode,
};

/// The largest MTU at which a frame fits one buffer of a page beside what XDP needs.
const ONE_BUFFER: u32 = 3498;

/// The number of the program on a port, where it is not smoc's.
fn foreign(switch: &Switch, link: &Link) -> Option<u32> {
    let there = link.interface.xdp?.program;
    let is_ours = switch.pins.programs.as_ref().is_none_or(|ours| ours.get(link.name()) == Some(&there));
    let is_attached = switch.agent.as_ref().is_ok_and(|agent| agent.attached.contains(link.name()));
    (!is_ours && !is_attached).then_some(there)
}

pub(super) fn exist(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Ports;
    if switch.ports().next().is_none() {
        return vec![check.note("no ports are known without a configuration or a bridge")];
    }
    let wrong = switch.ports().filter_map(|(number, name)| match facts.link(name) {
        None => Some(check.fault(format!("port {number}: there is no interface {name}: create it"))),
        Some(link) if !link.interface.usable => {
            let found = format!("port {number}: {name} is off or has no carrier");
            Some(check.warning(found).by_hand(format!("ip link set {name} up")))
        }
        Some(_) => None,
    });
    check.all(wrong, format!("all {} exist and are up", switch.ports().count()))
}

pub(super) fn mode(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Mode;
    let Some(wanted) = switch.sound_config().map(|config| config.xdp) else {
        return vec![check.note("not known without a configuration")];
    };
    let mode = match wanted {
        XdpMode::Native => AttachedMode::Native,
        XdpMode::Generic => AttachedMode::Generic,
    };
    let wrong = switch.links_in_use(facts).filter_map(|link| match link.interface.xdp {
        None if switch.agent.is_ok() => {
            Some(check.fault(format!("{} has no program: see agent-warnings", link.name())))
        }
        None => Some(check.note(format!("{} has no program: no agent has run", link.name()))),
        Some(there) if there.mode != mode && foreign(switch, link).is_none() => {
            let found = format!("{} is in {} mode, {wanted} is configured", link.name(), there.mode.name());
            Some(check.warning(found).by_hand("systemctl restart smoc"))
        }
        Some(_) => None,
    });
    let fine = match wanted {
        XdpMode::Native => "native on all ports".to_owned(),
        XdpMode::Generic => "generic, as configured: several times slower than native".to_owned(),
    };
    check.all(wrong, fine)
}

pub(super) fn foreign_programs(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::ForeignXdp;
    if switch.pins.programs.is_none() {
        return vec![
            check.note(format!("{} cannot be looked into: only root may", switch.pins.path.display())),
        ];
    }
    let found = switch.port_links(facts).filter_map(|link| {
        let program = foreign(switch, link)?;
        let generic = link.interface.xdp?.mode == AttachedMode::Generic;
        let kind = if generic { "xdpgeneric" } else { "xdp" };
        let found = format!(
            "{} has program {program}, which is not smoc's: `bpftool link` shows whose it is",
            link.name()
        );
        Some(check.fault(found).by_hand(format!("ip link set dev {} {kind} off", link.name())))
    });
    check.all(found, "none has")
}

pub(super) fn mtu(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Mtu;
    let by_role = |is_fabric: bool| {
        let names =
            switch.ports().filter(move |(number, _)| switch.fabric_ports.contains(number) == is_fabric);
        let links = names.filter_map(|(_, name)| facts.link(name));
        links.fold(BTreeMap::<u32, Vec<&str>>::new(), |mut all, link| {
            all.entry(link.interface.mtu).or_default().push(link.name());
            all
        })
    };
    let (fabric, hosts) = (by_role(true), by_role(false));
    let shown = |all: &BTreeMap<u32, Vec<&str>>| {
        let each = all.iter().map(|(mtu, names)| format!("{} of {}", mtu, names.join(" and ")));
        each.collect::<Vec<_>>().join(", ")
    };
    let least = fabric.keys().next().copied();
    let mut wrong = Vec::new();
    if fabric.len() > 1 {
        wrong.push(check.fault(format!("ports between switches differ: {}", shown(&fabric))));
    } else if fabric.is_empty() && hosts.len() > 1 {
        wrong.push(check.warning(format!("ports differ: {}", shown(&hosts))));
    }
    for (mtu, names) in hosts.iter().filter(|(mtu, _)| least.is_some_and(|least| **mtu > least)) {
        let least = least.unwrap_or_default();
        let found =
            format!("{mtu} of {} is more than the {least} of a port between switches", names.join(" and "));
        wrong.push(check.fault(found).by_hand(format!("ip link set dev {} mtu {least}", names[0])));
    }
    if let Some((mtu, names)) = fabric.iter().chain(&hosts).find(|(mtu, _)| **mtu > ONE_BUFFER) {
        wrong.push(check.note(format!(
            "{mtu} of {} takes frames of several buffers: the driver must do XDP on these, else the agent says so",
            names.join(" and ")
        )));
    }
    check.all(wrong, "all ports have the same, or those to hosts a smaller one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{
        Severity,
        testing::{config, link, switch, worst},
    };
    use crate::{config::PortRole, interfaces::AttachedXdp};
    use smoc_common::route::PortNumber;

    #[test]
    fn ports_without_interface_or_carrier_are_named() {
        let gone = worst(Check::Ports, |facts| facts.links.retain(|link| link.name() != "p1"));
        assert!(gone.severity == Severity::Fault && gone.found.contains("no interface p1"), "{gone:?}");
        let down = worst(Check::Ports, |facts| link(facts, "p1").interface.usable = false);
        assert_eq!(
            (down.severity, down.command().as_deref()),
            (Severity::Warning, Some("ip link set p1 up"))
        );
    }

    #[test]
    fn programs_of_others_and_other_modes_are_told_from_ours() {
        let theirs = worst(Check::ForeignXdp, |facts| {
            let xdp = AttachedXdp { program: 99, mode: AttachedMode::Generic };
            link(facts, "p1").interface.xdp = Some(xdp);
            switch(facts).agent = Err("none".into());
        });
        assert_eq!(
            (theirs.severity, theirs.command().as_deref()),
            (Severity::Fault, Some("ip link set dev p1 xdpgeneric off"))
        );
        let generic = worst(Check::Mode, |facts| {
            link(facts, "p1").interface.xdp = Some(AttachedXdp { program: 7, mode: AttachedMode::Generic });
        });
        assert_eq!(generic.severity, Severity::Warning);
        assert_eq!(
            worst(Check::Mode, |facts| link(facts, "p1").interface.xdp = None).severity,
            Severity::Fault
        );
        let off = worst(Check::Mode, |facts| {
            link(facts, "p9").interface.xdp = None;
            config(facts).roles = [(PortNumber::new(9).unwrap(), PortRole::Off)].into();
        });
        assert_eq!(off.severity, Severity::Ok, "the port is not used");
        let before = worst(Check::Mode, |facts| {
            link(facts, "p1").interface.xdp = None;
            switch(facts).agent = Err("none".into());
        });
        assert_eq!(before.severity, Severity::Note, "no agent has run");
    }

    #[test]
    fn frames_of_each_port_fit_all_others() {
        let of = |port: &str, mtu| worst(Check::Mtu, |facts| link(facts, port).interface.mtu = mtu);
        assert_eq!(of("p1", 1400).severity, Severity::Fault);
        assert_eq!(of("p9", 9000).command().as_deref(), Some("ip link set dev p9 mtu 1500"));
        assert_eq!(of("p9", 1400).severity, Severity::Ok, "hosts may send less");
        let unknown = worst(Check::Mtu, |facts| {
            switch(facts).fabric_ports.clear();
            link(facts, "p1").interface.mtu = 1400;
        });
        assert_eq!(unknown.severity, Severity::Warning);
        let jumbo = worst(Check::Mtu, |facts| {
            for port in ["p1", "p2", "p9"] {
                link(facts, port).interface.mtu = 9000;
            }
        });
        assert_eq!(jumbo.severity, Severity::Note);
    }
}

//! Offloads, queues and interrupts of the ports.

use crate::doctor::{Check, Facts, Finding, Fix, Link, Offload, Switch};

/// The command that switches an offload of a port off, if it is on. Some drivers reset the link then, so it is run by hand.
fn switched_off(link: &Link, offload: Offload) -> Option<String> {
    let is_on = offload.features().iter().any(|name| link.feature(name) == Some(true));
    is_on.then(|| Fix::Offload { interface: link.name().into(), offload, on: false }.to_string())
}

pub(super) fn receive_vlan(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::ReceiveVlan;
    // Of a veth the other end decides: see veth-peers.
    let physical = switch.port_links(facts).filter(|link| !link.is_virtual());
    let found = physical.filter_map(|link| {
        let command = switched_off(link, Offload::ReceiveVlan)?;
        Some(check.warning(format!("{} has rxvlan on", link.name())).by_hand(command))
    });
    check.all(found, "off on all ports that are no veth")
}

pub(super) fn lro(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Lro;
    let found = switch.port_links(facts).filter_map(|link| {
        let command = switched_off(link, Offload::Lro)?;
        Some(check.fault(format!("{} has lro on", link.name())).by_hand(command))
    });
    check.all(found, "off on all ports")
}

pub(super) fn gro(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::GroHardware;
    let is_on = |link: &&Link| link.feature("rx-gro-hw") == Some(true);
    let found = switch.port_links(facts).filter(is_on).map(|link| {
        let found = format!("{} merges segments in the device", link.name());
        check.warning(found).by_hand(format!("ethtool -K {} rx-gro-hw off", link.name()))
    });
    check.all(found, "off on all ports")
}

pub(super) fn queues(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Queues;
    let processors = u32::try_from(facts.processors).unwrap_or(u32::MAX);
    let found = switch.port_links(facts).filter_map(|link| {
        let channels = link.channels?;
        let wanted = processors.min(channels.most);
        let found =
            format!("{} has {} channels, {} processors are there", link.name(), channels.used, processors);
        let finding = check.note(found).by_hand(format!("ethtool -L {} combined {wanted}", link.name()));
        (channels.used < wanted && !link.is_virtual()).then_some(finding)
    });
    check.all(found, "enough, as far as drivers say")
}

pub(super) fn interrupts(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Interrupts;
    let is_one = |processors: &str| !processors.contains([',', '-']);
    let found = switch.port_links(facts).filter_map(|link| {
        let first = link.interrupts.first()?;
        let crowded = facts.processors > 1
            && link.interrupts.len() > 1
            && is_one(first)
            && link.interrupts.iter().all(|other| other == first);
        let found =
            format!("all {} interrupts of {} go to processor {first}", link.interrupts.len(), link.name());
        crowded.then(|| check.note(found).by_hand("systemctl start irqbalance"))
    });
    check.all(found, "spread, as far as they can be seen")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{
        Channels, Severity,
        testing::{link, worst},
    };

    #[test]
    fn offloads_are_switched_off_by_hand_for_links_may_be_reset() {
        let of = |check, feature: &str, driver: &str| {
            worst(check, |facts| {
                let port = link(facts, "p1");
                port.driver = Some(driver.to_owned());
                port.features = [(feature.to_owned(), true)].into();
            })
        };
        let physical = of(Check::ReceiveVlan, "rx-vlan-hw-parse", "ixgbe");
        assert_eq!((physical.command().as_deref(), physical.fix()), (Some("ethtool -K p1 rxvlan off"), None));
        assert_eq!(physical.severity, Severity::Warning);
        assert_eq!(of(Check::ReceiveVlan, "rx-vlan-hw-parse", "veth").severity, Severity::Ok);
        let lro = of(Check::Lro, "rx-lro", "ixgbe");
        assert_eq!(
            (lro.severity, lro.command().as_deref()),
            (Severity::Fault, Some("ethtool -K p1 lro off"))
        );
        let merged = of(Check::GroHardware, "rx-gro-hw", "bnxt_en");
        assert_eq!((merged.severity, merged.fix()), (Severity::Warning, None));
    }

    #[test]
    fn few_queues_and_one_processor_for_all_interrupts_are_noted() {
        let few = worst(Check::Queues, |facts| {
            facts.processors = 8;
            link(facts, "p1").channels = Some(Channels { used: 1, most: 4 });
        });
        assert_eq!(
            (few.severity, few.command().as_deref()),
            (Severity::Note, Some("ethtool -L p1 combined 4"))
        );
        let of = |lists: &[&str]| {
            worst(Check::Interrupts, |facts| {
                facts.processors = 4;
                link(facts, "p1").interrupts = lists.iter().map(|list| (*list).to_owned()).collect();
            })
        };
        assert_eq!(of(&["2", "2"]).severity, Severity::Note);
        assert_eq!(of(&["2", "3"]).severity, Severity::Ok);
        assert_eq!(of(&["0-3", "0-3"]).severity, Severity::Ok);
    }
}

//! The base network: one kernel bridge per switch.
//!
//! Under `--routing smoc` the bridge holds every port, because the agent decides which of them forward. Until it
//! has, all ports towards other switches are disabled, so that no frame circles before the agents are up; bridges
//! start one after the other for the same reason, since a port can be disabled only once its bridge is up. (A port
//! that merely blocks would not do: without STP the kernel lets it forward again at the next change of any port.) Under
//! `--routing bridge` there is no agent, and only the links of a spanning tree are attached at all: a port's
//! state would be forgotten with its carrier, and kernel STP takes seconds. Such a lab does not heal.

use std::collections::{BTreeSet, VecDeque};

use anyhow::Result;

use super::Routing;
use super::plan::{Plan, Port, port_interface};
use crate::command::batch;

/// The bridge's interface in every switch's namespace.
pub const BRIDGE: &str = "br0";

/// Makes the bridges, still down, and attaches ports to them.
pub fn make(plan: &Plan, routing: Routing) -> Result<()> {
    let tree = spanning_tree(plan);
    for switch in &plan.switches {
        let attached = |port: &&u16| routing == Routing::Smoc || tree.contains(&(&*switch.name, **port));
        let fabric: Vec<u16> = switch.fabric_ports.iter().filter(attached).copied().collect();
        let ports = fabric.iter().chain(&switch.host_ports);
        let mut lines = vec![format!("link add {BRIDGE} mtu {} type bridge mcast_snooping 0", plan.mtu)];
        lines.extend(ports.map(|port| format!("link set {} master {BRIDGE}", port_interface(*port))));
        batch("ip", &switch.namespace(), &lines)?;
    }
    Ok(())
}

/// Starts the bridges; every port has carrier.
pub fn start(plan: &Plan, routing: Routing) -> Result<()> {
    for switch in &plan.switches {
        batch("ip", &switch.namespace(), &[format!("link set {BRIDGE} up")])?;
        if routing == Routing::Smoc {
            let disable = |port: &u16| format!("link set dev {} state 0", port_interface(*port));
            batch(
                "bridge",
                &switch.namespace(),
                &switch.fabric_ports.iter().map(disable).collect::<Vec<_>>(),
            )?;
        }
    }
    Ok(())
}

/// The ports on a tree of shortest paths from the first switch, as (switch, port number).
fn spanning_tree(plan: &Plan) -> BTreeSet<(&str, u16)> {
    let mut tree = BTreeSet::new();
    let mut reached: BTreeSet<&str> = plan.switches.first().map(|switch| &*switch.name).into_iter().collect();
    let mut next: VecDeque<&str> = reached.iter().copied().collect();
    while let Some(switch) = next.pop_front() {
        for (near, far) in plan.links.iter().filter_map(|link| ends_from(link, switch)) {
            if reached.insert(&far.switch) {
                tree.extend([(&*near.switch, near.number), (&*far.switch, far.number)]);
                next.push_back(&far.switch);
            }
        }
    }
    tree
}

/// A link's ends as seen from a switch: its own, then the far one; `None` if the link is not at this switch.
pub fn ends_from<'a>(link: &'a super::plan::Link, switch: &str) -> Option<(&'a Port, &'a Port)> {
    if link.a.switch == switch {
        Some((&link.a, &link.b))
    } else {
        (link.b.switch == switch).then_some((&link.b, &link.a))
    }
}

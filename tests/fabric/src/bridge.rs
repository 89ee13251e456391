//! The Linux bridge of one switch, as far as the base network depends on it (net/bridge, without spanning tree).
//!
//! * A frame is taken from a port only if that forwards, except for link-local groups (01:80:c2:00:00:0X), which never
//!   leave a switch and always reach it.
//! * Source addresses are learned at ports that forward, for [`AGEING`]; a port that closes forgets its own.
//! * Group addresses and unknown ones go out of all other ports that forward.
//! * A port that loses its carrier is disabled, and one that gets it back forwards, whatever it was set to before
//!   (`br_port_carrier_check`).

use std::{collections::BTreeMap, time::Duration};

use smoc_common::wire::ethernet::MacAddress;
use smoc_control::{clock::Nanos, interfaces::BridgePort};

/// How long an address is remembered (`BR_DEFAULT_AGEING_TIME`).
pub const AGEING: Duration = Duration::from_secs(300);

/// Where a frame goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Onward {
    /// Nowhere: the port is closed.
    Closed,
    /// To the switch itself, which does nothing with it here.
    Local,
    /// Out of these ports.
    Ports(Vec<u16>),
}

/// A bridge; ports are places in the node's list.
#[derive(Clone, Debug)]
pub struct Bridge {
    /// Its own address.
    pub mac: MacAddress,
    states: Vec<BridgePort>,
    /// What it says of them: the same, unless it lies.
    told: Vec<BridgePort>,
    /// Ports that forward because their carrier came back, and that nobody has set since.
    reopened: Vec<bool>,
    learned: BTreeMap<u64, (u16, Nanos)>,
}

impl Bridge {
    /// All ports forward, as a bridge has them that nobody told otherwise.
    pub fn new(mac: MacAddress, ports: usize) -> Self {
        Self {
            mac,
            states: vec![BridgePort::Forwarding; ports],
            told: vec![BridgePort::Forwarding; ports],
            reopened: vec![false; ports],
            learned: BTreeMap::new(),
        }
    }

    /// The state of a port.
    pub fn state(&self, port: u16) -> BridgePort {
        self.states[usize::from(port)]
    }

    /// The state of a port, as it is told.
    pub fn told(&self, port: u16) -> BridgePort {
        self.told[usize::from(port)]
    }

    /// As a fault on purpose: says that a port is closed, and leaves it as it is; whether that is a change.
    pub fn pretend_closed(&mut self, port: u16) -> bool {
        std::mem::replace(&mut self.told[usize::from(port)], BridgePort::Closed) != BridgePort::Closed
    }

    /// Whether a port forwards only because its carrier came back.
    pub fn is_reopened(&self, port: u16) -> bool {
        self.reopened[usize::from(port)]
    }

    /// Opens or closes a port; whether that is a change.
    pub fn set(&mut self, port: u16, state: BridgePort) -> bool {
        self.reopened[usize::from(port)] = false;
        let told = std::mem::replace(&mut self.told[usize::from(port)], state);
        let changed = std::mem::replace(&mut self.states[usize::from(port)], state) != state || told != state;
        if state == BridgePort::Closed {
            self.learned.retain(|_, (at, _)| *at != port);
        }
        changed
    }

    /// The carrier of a port is there or not.
    pub fn carrier(&mut self, port: u16, carrier: bool) {
        self.set(port, if carrier { BridgePort::Forwarding } else { BridgePort::Closed });
        self.reopened[usize::from(port)] = carrier;
    }

    /// Forgets which addresses are where.
    pub fn forget(&mut self) {
        self.learned.clear();
    }

    /// Takes a frame from a port.
    pub fn take(&mut self, from: u16, [to, source]: [MacAddress; 2], now: Nanos) -> Onward {
        if to.octets()[..5] == [0x01, 0x80, 0xc2, 0, 0] && to.octets()[5] < 16 {
            return Onward::Local;
        }
        if self.state(from) == BridgePort::Closed {
            return Onward::Closed;
        }
        if !source.is_group() {
            self.learned.insert(number(source), (from, now));
        }
        if to == self.mac {
            return Onward::Local;
        }
        let known = self.learned.get(&number(to)).filter(|(_, seen)| now.since(*seen) < AGEING);
        let open = |port: &u16| *port != from && self.state(*port) == BridgePort::Forwarding;
        let ports = match known {
            Some((port, _)) if !to.is_group() => [*port].into_iter().filter(open).collect(),
            _ => (0..self.states.len() as u16).filter(open).collect(),
        };
        Onward::Ports(ports)
    }
}

fn number(mac: MacAddress) -> u64 {
    mac.octets().iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> MacAddress {
        MacAddress::new([2, 0, 0, 0, 0, last])
    }

    const ALL: MacAddress = MacAddress::new([0xff; 6]);

    fn bridge() -> Bridge {
        Bridge::new(mac(0xb0), 4)
    }

    #[test]
    fn unknown_addresses_and_groups_are_flooded_and_known_ones_are_not() {
        let mut bridge = bridge();
        assert_eq!(bridge.take(0, [mac(2), mac(1)], Nanos(0)), Onward::Ports(vec![1, 2, 3]));
        assert_eq!(bridge.take(2, [mac(1), mac(2)], Nanos(1)), Onward::Ports(vec![0]));
        assert_eq!(bridge.take(0, [ALL, mac(1)], Nanos(2)), Onward::Ports(vec![1, 2, 3]));
        assert_eq!(
            bridge.take(2, [mac(2), mac(3)], Nanos(3)),
            Onward::Ports(vec![]),
            "it is where it came from"
        );
        let late = Nanos(0) + AGEING;
        assert_eq!(bridge.take(2, [mac(1), mac(2)], late + AGEING), Onward::Ports(vec![0, 1, 3]));
    }

    #[test]
    fn a_closed_port_takes_nothing_but_link_local_groups_and_learns_nothing() {
        let mut bridge = bridge();
        bridge.set(0, BridgePort::Closed);
        assert_eq!(bridge.take(0, [ALL, mac(1)], Nanos(0)), Onward::Closed);
        let announcement = MacAddress::new([0x01, 0x80, 0xc2, 0, 0, 0x0d]);
        assert_eq!(bridge.take(0, [announcement, mac(1)], Nanos(0)), Onward::Local);
        assert_eq!(bridge.take(1, [mac(1), mac(2)], Nanos(0)), Onward::Ports(vec![2, 3]));
    }

    #[test]
    fn carrier_that_returns_opens_a_port_that_was_closed() {
        let mut bridge = bridge();
        bridge.set(1, BridgePort::Closed);
        bridge.carrier(1, false);
        bridge.carrier(1, true);
        assert_eq!(bridge.state(1), BridgePort::Forwarding);
    }
}

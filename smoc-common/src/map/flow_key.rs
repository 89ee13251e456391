//! What a subflow is looked up by.

use crate::wire::ip::Address;

/// A subflow as its edge sees it, the same in both directions. Every frame of an established subflow waits until the
/// kernel has hashed its key, twelve bytes a round: 36 bytes are three rounds, and four more were another. Both ports are
/// one number because the kernel reads them as one, and would wait for two stores. [`FlowKey::v4`] takes one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, packed(4))]
pub struct FlowKey {
    local: Address,
    remote: Address,
    /// TCP port of the local host in the upper half, of the remote one in the lower.
    ports: u32,
}

impl FlowKey {
    /// The key of the subflow between a host that is attached to this switch and one behind another edge.
    #[inline(always)]
    pub const fn new(local: Address, local_port: u16, remote: Address, remote_port: u16) -> Self {
        Self { local, remote, ports: (local_port as u32) << 16 | remote_port as u32 }
    }

    /// The address of the host that is attached to this switch.
    #[inline(always)]
    pub const fn local(&self) -> Address {
        self.local
    }

    /// The address of the host behind the other edge.
    #[inline(always)]
    pub const fn remote(&self) -> Address {
        self.remote
    }

    /// TCP port of the local host.
    #[inline(always)]
    pub const fn local_port(&self) -> u16 {
        (self.ports >> 16) as u16
    }

    /// TCP port of the remote host.
    #[inline(always)]
    pub const fn remote_port(&self) -> u16 {
        self.ports as u16
    }

    /// The same as a key of `FLOWS_V4`; `None` unless both addresses are mapped IPv4 addresses: such a key is one of
    /// `FLOWS`.
    #[inline(always)]
    pub const fn v4(&self) -> Option<FlowKeyV4> {
        match (self.local().v4(), self.remote().v4()) {
            (Some(local), Some(remote)) => Some(FlowKeyV4 { local, remote, ports: self.ports }),
            _ => None,
        }
    }
}

/// A [`FlowKey`] of IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct FlowKeyV4 {
    local: u32,
    remote: u32,
    ports: u32,
}

impl From<FlowKeyV4> for FlowKey {
    fn from(FlowKeyV4 { local, remote, ports }: FlowKeyV4) -> Self {
        Self { local: Address::mapped(local), remote: Address::mapped(remote), ports }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_two_v4_addresses_are_keys_of_the_v4_table() {
        let v4 = |last| Address::from_v4([10, 0, 0, last]);
        let v6 = Address::new([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1]);
        let key = FlowKey::new(v4(1), 1_000, v4(2), 80);
        assert_eq!(key.v4().map(FlowKey::from), Some(key));
        assert_eq!((key.local_port(), key.remote_port()), (1_000, 80));
        for (local, remote) in [(v4(1), v6), (v6, v4(2)), (v6, v6)] {
            assert_eq!(FlowKey::new(local, 1_000, remote, 80).v4(), None);
        }
    }
}

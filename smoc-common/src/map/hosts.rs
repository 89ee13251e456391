//! `HOSTS`: where an address lives; `PREFIXES`: behind which router all others of a prefix are.

use crate::wire::{ethernet::MacAddress, ip::Address};

/// An edge switch, numbered by this switch's agent; 0 is this switch itself.
pub type EdgeIndex = u16;
/// The index of this switch in its own tables.
pub const THIS_EDGE: EdgeIndex = 0;

/// Where a host is attached. A host may be attached to several places, and two behind one port cannot be told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, align(4))]
pub struct Attachment {
    /// The edge switch.
    pub edge: EdgeIndex,
    /// The number of that switch's host port.
    pub port: u16,
}

impl Attachment {
    /// Of a host that is not known yet: no edge has this index, and no path leads there.
    pub const UNKNOWN: Self = Self { edge: EdgeIndex::MAX, port: 0 };
}

/// Where an address lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Host {
    /// Where it is attached.
    pub attachment: Attachment,
    /// The VLAN that it belongs to, as [`Host::of_vlan`] makes it; 0 if that is not known: any.
    pub vlan: u16,
    /// The class that policy puts its address in, as this switch numbers classes; 0 if no rule is about it.
    pub class: u16,
    /// Its MAC address.
    pub mac: MacAddress,
}

/// A key of `PAIRS`: two hosts for which a rule of policy chooses the paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct PairKey {
    /// [`Host::class`] of the one that is attached here.
    pub local: u16,
    /// [`Host::class`] of the other one.
    pub remote: u16,
    /// The edge of the other one.
    pub edge: EdgeIndex,
    #[doc(hidden)]
    pub reserved: u16,
}

/// A key of `PREFIXES`: what the kernel's trie (BPF_MAP_TYPE_LPM_TRIE) compares bit by bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct Prefix {
    /// How many bits of the address count, of 128: an IPv4 prefix is mapped as its addresses are, and 96 bits longer.
    pub length: u32,
    /// The address in network byte order.
    pub octets: [u8; 16],
}

impl Prefix {
    /// Bits of an address.
    pub const MAX: u32 = 128;

    /// Whether an address is in it.
    pub fn contains(&self, address: &Address) -> bool {
        let behind = 128u32.saturating_sub(self.length);
        let differs = u128::from_be_bytes(self.octets) ^ u128::from_be_bytes(address.octets());
        differs.checked_shr(behind).unwrap_or(0) == 0
    }
}

impl Host {
    const VLAN_KNOWN: u16 = 0x8000;

    /// What stands in [`Host::vlan`] for the VLAN with this VID, or 0 for frames without a tag.
    pub const fn of_vlan(vid: u16) -> u16 {
        Self::VLAN_KNOWN | vid
    }

    /// Whether frames with this VID, or 0 without a tag, are of its VLAN.
    #[inline(always)]
    pub const fn is_in(&self, vid: u16) -> bool {
        self.vlan == 0 || self.vlan == Self::VLAN_KNOWN | vid
    }
}

//! `HOSTS`: where an address lives.

use crate::wire::ethernet::MacAddress;

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
    #[doc(hidden)]
    pub reserved: [u8; 2],
    /// Its MAC address.
    pub mac: MacAddress,
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

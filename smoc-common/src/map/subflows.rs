//! `FLOWS` and `FLOWS_V4`: established subflows.

use super::{connections::ConnectionId, hosts::Attachment};
use crate::wire::ethernet::MacAddress;

/// Packets and bytes in one direction. Not atomic: a direction of a subflow is handled by one CPU at a time
/// (receive-side scaling), and a counter that loses one in a migration is worth less than the 5 ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Traffic {
    /// Frames.
    pub packets: u64,
    /// Bytes from the start of each frame to the end of its IP packet, as that gives its length: Ethernet header and
    /// tags included, padding not.
    pub bytes: u64,
}

impl Traffic {
    /// Counts a frame of `bytes` bytes.
    #[inline(always)]
    pub fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

/// An established subflow. A path belongs to it for its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Flow {
    /// The connection it belongs to, 0 if its join's token was unknown.
    pub connection: ConnectionId,
    /// When its SYN was seen, nanoseconds of CLOCK_MONOTONIC.
    pub opened: u64,
    /// From the local host into the fabric.
    pub sent: Traffic,
    /// Delivered to the local host.
    pub received: Traffic,
    /// The join's token: that of the receiver's key. 0 for an initial subflow.
    pub token: u32,
    /// [`Settings::epoch`] before the fields below that depend on the hosts were looked up.
    pub epoch: u32,
    /// Where the remote host is attached; the edge is the index whose paths it takes, which may be one that leads there by a
    /// rule of policy.
    pub remote: Attachment,
    /// [`Flow::FIN_SENT`] and the bits beside it; changed as a whole word, atomically.
    pub closing: u32,
    /// The sequence number of the local host's last segment, or of its FIN.
    pub sent_sequence: u32,
    /// The sequence number of the remote host's last segment, or of its FIN.
    pub received_sequence: u32,
    /// The acknowledgment number of the local host's last segment: what it has taken of the remote host's data.
    pub sent_acknowledgment: u32,
    /// The acknowledgment number of the remote host's last segment.
    pub received_acknowledgment: u32,
    /// The switch port of the local host.
    pub local_switch_port: u16,
    /// VID of its frames, 0 without a tag.
    pub vlan: u16,
    /// The rank of its path.
    pub rank: u8,
    /// [`Flow::JOIN`] and the bits beside it.
    pub flags: u8,
    /// The address id of the join's initiator.
    pub address_id: u8,
    /// When its connection was looked up last, in ticks of about a second that wrap around.
    pub touched: u8,
    /// The MAC address under which the local host reaches the remote one: that host's own, or this switch's
    /// where it routes.
    pub peer_mac: MacAddress,
    /// MAC address of the local host.
    pub local_mac: MacAddress,
}

impl Flow {
    /// An additional subflow, opened by MP_JOIN.
    pub const JOIN: u8 = 1;
    /// The local host sent the SYN.
    pub const LOCAL_OPENED: u8 = 2;
    /// The join asked to be used as a backup only.
    pub const BACKUP: u8 = 4;
    /// The local host addresses this switch as its router.
    pub const ROUTED: u8 = 8;
    /// The rank was hashed because the token was unknown or ambiguous.
    pub const HASHED: u8 = 16;
    /// A host of it was not known when it was last looked up: its frames go over the base network until it is, and each of
    /// them looks again.
    pub const PENDING: u8 = 32;
    /// This edge, the responder's, has not been told its rank: it is that of the initiator's frames, whenever they come
    /// on another one.
    pub const FOLLOWS: u8 = 64;

    /// The local host sent a FIN.
    pub const FIN_SENT: u32 = 1;
    /// The remote host sent a FIN.
    pub const FIN_RECEIVED: u32 = 2;
    /// Either host sent a RST.
    pub const RESET: u32 = 4;
    /// A join whose responder has not yet shown that it took the third ACK.
    pub const UNCONFIRMED: u32 = 8;

    /// Whether both hosts are done with the subflow.
    #[inline(always)]
    pub const fn is_closed(&self) -> bool {
        Self::is_end(self.closing)
    }

    /// Whether [`Flow::closing`] with this value says that both hosts are done.
    #[inline(always)]
    pub const fn is_end(closing: u32) -> bool {
        let both = Self::FIN_SENT | Self::FIN_RECEIVED;
        closing & Self::RESET != 0 || closing & both == both
    }
}

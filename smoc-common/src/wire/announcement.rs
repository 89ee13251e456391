//! How the frames look in which agents tell each other what they know. The packet path leaves them to the agents, and
//! knows them only because none may come from a host.

/// Their destination: a group address that bridges never forward (IEEE 802.1Q, 8.6.3).
pub const DESTINATION: [u8; 6] = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x0d];
/// Their EtherType: local experimental (IEEE 802, 9.2.3).
pub const ETHER_TYPE: u16 = 0x88b5;

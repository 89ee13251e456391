//! Frames made by hand, fluently: `Build::tcp(client, server).flags(SYN).options(&join(token, 1)).frame()`.

use alloc::{vec, vec::Vec};

use crate::{
    token::Version,
    wire::{
        ethernet::{self, MacAddress},
        ip::{self, Address, Family},
        mptcp,
    },
};

/// One end of what a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Its MAC address.
    pub mac: MacAddress,
    /// Its address.
    pub address: Address,
    /// Its TCP or UDP port.
    pub port: u16,
}

impl End {
    /// The same host with another port.
    pub const fn at(self, port: u16) -> Self {
        Self { port, ..self }
    }
}

/// A frame in the making.
#[derive(Clone, Debug)]
pub struct Build {
    from: End,
    to: End,
    tags: Vec<u8>,
    hops: u8,
    extras: Vec<u8>,
    first_extension: Option<u8>,
    fragment: u16,
    protocol: u8,
    numbers: [u32; 2],
    flags: u8,
    options: Vec<u8>,
    payload: Vec<u8>,
}

impl Build {
    fn of(protocol: u8, from: End, to: End) -> Self {
        Self {
            from,
            to,
            tags: vec![],
            hops: 64,
            extras: vec![],
            first_extension: None,
            fragment: 0,
            protocol,
            numbers: [0; 2],
            flags: crate::wire::tcp::ACK,
            options: vec![],
            payload: vec![],
        }
    }

    /// A TCP segment.
    pub fn tcp(from: End, to: End) -> Self {
        Self::of(ip::TCP, from, to)
    }

    /// A UDP datagram.
    pub fn udp(from: End, to: End) -> Self {
        Self::of(ip::UDP, from, to)
    }

    /// A packet of any other protocol: no ports.
    pub fn other(protocol: u8, from: End, to: End) -> Self {
        Self::of(protocol, from, to)
    }

    /// TCP flags, instead of ACK alone.
    #[must_use]
    pub fn flags(self, flags: u8) -> Self {
        Self { flags, ..self }
    }

    /// Sequence and acknowledgment number.
    #[must_use]
    pub fn numbers(self, sequence: u32, acknowledgment: u32) -> Self {
        Self { numbers: [sequence, acknowledgment], ..self }
    }

    /// TCP options, padded here.
    #[must_use]
    pub fn options(mut self, options: &[u8]) -> Self {
        self.options = options.to_vec();
        self.options.resize(options.len().next_multiple_of(4), 1);
        self
    }

    /// What follows the transport header.
    #[must_use]
    pub fn payload(self, payload: &[u8]) -> Self {
        Self { payload: payload.to_vec(), ..self }
    }

    /// Another destination MAC address.
    #[must_use]
    pub fn destination(mut self, mac: MacAddress) -> Self {
        self.to.mac = mac;
        self
    }

    /// One more tag behind those that are there.
    #[must_use]
    pub fn tag(mut self, tpid: u16, vid: u16) -> Self {
        self.tags.extend(tpid.to_be_bytes());
        self.tags.extend(vid.to_be_bytes());
        self
    }

    /// TTL or hop limit.
    #[must_use]
    pub fn hops(self, hops: u8) -> Self {
        Self { hops, ..self }
    }

    /// IPv4 options (a multiple of four bytes), or IPv6 extension headers of which the first is of `protocol`.
    #[must_use]
    pub fn extras(self, protocol: u8, extras: &[u8]) -> Self {
        Self { extras: extras.to_vec(), first_extension: Some(protocol), ..self }
    }

    /// The IPv4 fragment field: 0x2000 more fragments, below the offset in units of eight bytes.
    #[must_use]
    pub fn fragment(self, fragment: u16) -> Self {
        Self { fragment, ..self }
    }

    /// The bytes.
    pub fn frame(&self) -> Vec<u8> {
        let is_v6 = self.from.address.words()[..3] != [0, 0, 0xffff];
        let mut frame = vec![];
        frame.extend(self.to.mac.octets());
        frame.extend(self.from.mac.octets());
        frame.extend(&self.tags);
        let (ether_type, family) =
            if is_v6 { (ethernet::IPV6, Family::V6) } else { (ethernet::IPV4, Family::V4) };
        frame.extend(ether_type.to_be_bytes());
        let transport = self.transport();
        match family {
            Family::V4 => self.v4(&mut frame, transport.len()),
            Family::V6 => self.v6(&mut frame, transport.len()),
        }
        frame.extend(transport);
        frame
    }

    fn v4(&self, frame: &mut Vec<u8>, behind: usize) {
        let header = 20 + self.extras.len();
        let mut bytes = vec![0x40 | (header / 4) as u8, 0];
        bytes.extend(((header + behind) as u16).to_be_bytes());
        bytes.extend([0x12, 0x34]);
        bytes.extend(self.fragment.to_be_bytes());
        bytes.extend([self.hops, self.protocol, 0, 0]);
        bytes.extend(&self.from.address.octets()[12..]);
        bytes.extend(&self.to.address.octets()[12..]);
        bytes.extend(&self.extras);
        let sum = checksum(&bytes).to_be_bytes();
        bytes[10..12].copy_from_slice(&sum);
        frame.extend(bytes);
    }

    fn v6(&self, frame: &mut Vec<u8>, behind: usize) {
        frame.extend([0x60, 0, 0, 0]);
        frame.extend(((self.extras.len() + behind) as u16).to_be_bytes());
        frame.extend([self.first_extension.unwrap_or(self.protocol), self.hops]);
        frame.extend(self.from.address.octets());
        frame.extend(self.to.address.octets());
        frame.extend(&self.extras);
    }

    fn transport(&self) -> Vec<u8> {
        let mut bytes = vec![];
        let ports = [self.from.port.to_be_bytes(), self.to.port.to_be_bytes()];
        match self.protocol {
            ip::TCP => {
                bytes.extend(ports.as_flattened());
                bytes.extend(self.numbers.map(u32::to_be_bytes).as_flattened());
                bytes.extend([(5 + self.options.len() as u8 / 4) << 4, self.flags]);
                bytes.extend([0xff, 0xff, 0, 0, 0, 0]);
                bytes.extend(&self.options);
            }
            ip::UDP => {
                bytes.extend(ports.as_flattened());
                bytes.extend((8 + self.payload.len() as u16).to_be_bytes());
                bytes.extend([0, 0]);
            }
            _ => {}
        }
        bytes.extend(&self.payload);
        bytes
    }
}

/// The Internet checksum (RFC 1071) of a header whose checksum field is 0; 0 if that field is right.
pub fn checksum(header: &[u8]) -> u16 {
    let (halves, _) = header.as_chunks();
    let mut sum: u32 = halves.iter().map(|&half| u32::from(u16::from_be_bytes(half))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// MP_CAPABLE with these keys: none in the SYN of version 1, the sender's in a SYN/ACK and in the SYN of
/// version 0, both in the third ACK.
pub fn capable(version: Version, keys: &[u64]) -> Vec<u8> {
    let mut option = vec![mptcp::KIND, 4 + 8 * keys.len() as u8, version as u8, 0x01];
    keys.iter().for_each(|key| option.extend(key.to_be_bytes()));
    option
}

/// MP_JOIN of a SYN.
pub fn join(token: u32, address_id: u8) -> Vec<u8> {
    let mut option = vec![mptcp::KIND, 12, mptcp::subtype::JOIN << 4, address_id];
    option.extend(token.to_be_bytes());
    option.extend([9, 8, 7, 6]);
    option
}

/// MP_JOIN of a SYN/ACK (16 bytes) or third ACK (24 bytes).
pub fn join_answer(length: u8) -> Vec<u8> {
    let mut option = vec![mptcp::KIND, length, mptcp::subtype::JOIN << 4, 0];
    option.resize(length.into(), 0x5a);
    option
}

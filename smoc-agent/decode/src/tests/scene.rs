//! Traffic made for tests: raw IP packets, and the files that hold them.

use std::net::{IpAddr, SocketAddr};

use smoc_common::{
    token::{Version, derive},
    wire::tcp::{ACK, SYN},
};

use crate::{Decoded, decode};

/// The token of a key in version 1.
pub fn token(key: u64) -> u32 {
    derive(Version::V1, key)
}

/// An MPTCP option: subtype, the four bits beside it, and the bytes behind them.
pub fn option(subtype: u8, low: u8, rest: &[u8]) -> Vec<u8> {
    [&[30, rest.len() as u8 + 3, subtype << 4 | low], rest].concat()
}

/// MP_CAPABLE with these keys and the flag H.
pub fn capable(version: Version, keys: &[u64]) -> Vec<u8> {
    let keys: Vec<u8> = keys.iter().flat_map(|key| key.to_be_bytes()).collect();
    option(0, version as u8, &[&[0x01], &keys[..]].concat())
}

/// MP_JOIN of a SYN.
pub fn join(token: u32, address_id: u8, backup: bool) -> Vec<u8> {
    let nonce = [9; 4];
    option(1, u8::from(backup), &[&[address_id], &token.to_be_bytes()[..], &nonce].concat())
}

/// An IP packet with a TCP header and nothing behind it.
pub fn packet(from: &str, to: &str, flags: u8, numbers: [u32; 2], options: &[u8]) -> Vec<u8> {
    let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
    let options_length = options.len().next_multiple_of(4);
    let mut tcp = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    tcp.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    tcp.extend([((5 + options_length / 4) << 4) as u8, flags, 0, 0, 0, 0, 0, 0]);
    tcp.extend(options);
    tcp.resize(20 + options_length, 1);
    ip(from.ip(), to.ip(), 6, &tcp)
}

/// An IP packet of protocol `protocol` with this payload.
pub fn ip(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let length = (20 + payload.len() as u16).to_be_bytes();
            let head = [0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0];
            [&head, &from.octets()[..], &to.octets(), payload].concat()
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let length = (payload.len() as u16).to_be_bytes();
            let head = [0x60, 0, 0, 0, length[0], length[1], protocol, 64];
            [&head, &from.octets()[..], &to.octets(), payload].concat()
        }
        _ => panic!("{from} and {to} are of different families"),
    }
}

/// Packets in the order of their capture.
#[derive(Default)]
pub struct Scene {
    /// IP packets.
    pub packets: Vec<Vec<u8>>,
}

impl Scene {
    /// Adds a segment with sequence and acknowledgment numbers.
    pub fn send(&mut self, from: &str, to: &str, flags: u8, numbers: [u32; 2], options: &[u8]) -> &mut Self {
        self.packets.push(packet(from, to, flags, numbers, options));
        self
    }

    /// Adds the three segments that open a connection of version 1; `sequence` is that of the SYN.
    pub fn connect(&mut self, from: &str, to: &str, keys: [u64; 2], sequence: u32) -> &mut Self {
        let capable = |keys: &[u64]| capable(Version::V1, keys);
        self.send(from, to, SYN, [sequence, 0], &capable(&[]))
            .send(to, from, SYN | ACK, [7000, sequence + 1], &capable(&keys[1..]))
            .send(from, to, ACK, [sequence + 1, 7001], &capable(&keys))
    }

    /// Adds the SYN of a join; a different pair of endpoints for each call makes it a different subflow.
    pub fn join(&mut self, from: &str, to: &str, token: u32) -> &mut Self {
        self.send(from, to, SYN, [1, 0], &join(token, 0, false))
    }

    /// Decodes the packets as a raw IP capture.
    pub fn decode(&self) -> Decoded {
        decode_file(&pcap(101, &self.packets, u32::to_le_bytes))
    }

    /// The connection of each option.
    pub fn connections(&self) -> Vec<Option<usize>> {
        self.decode().options.iter().map(|seen| seen.connection).collect()
    }
}

/// Decodes a file with these contents.
pub fn decode_file(contents: &[u8]) -> Decoded {
    decode(contents).unwrap()
}

/// A pcap file with numbers as `word` writes them.
pub fn pcap(link: u32, frames: &[Vec<u8>], word: fn(u32) -> [u8; 4]) -> Vec<u8> {
    pcap_with_magic(0xa1b2_c3d4, link, frames, word)
}

/// A pcap file whose magic number says how times are written.
pub fn pcap_with_magic(magic: u32, link: u32, frames: &[Vec<u8>], word: fn(u32) -> [u8; 4]) -> Vec<u8> {
    let is_big_endian = word(1) == [0, 0, 0, 1];
    let versions = if is_big_endian { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
    let mut file = [word(magic), versions, word(0), word(0), word(65535), word(link)].concat();
    for frame in frames {
        let length = word(frame.len() as u32);
        file.extend([word(1_700_000_000), word(1), length, length].concat());
        file.extend(frame);
    }
    file
}

/// A pcapng block.
pub fn block(kind: u32, body: &[u8], word: fn(u32) -> [u8; 4]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = word(padded as u32 + 12);
    let mut block = [&word(kind), &length, body].concat();
    block.resize(8 + padded, 0);
    block.extend(length);
    block
}

/// The head of a pcapng section with an interface for each link type.
pub fn section(links: &[u16], word: fn(u32) -> [u8; 4]) -> Vec<u8> {
    let half =
        |number: u16| if word(1) == [0, 0, 0, 1] { number.to_be_bytes() } else { number.to_le_bytes() };
    let version = [half(1), half(0)].concat();
    let mut section = block(
        0x0a0d_0d0a,
        &[&word(0x1a2b_3c4d), &version[..], &word(u32::MAX), &word(u32::MAX)].concat(),
        word,
    );
    for &link in links {
        section.extend(block(1, &[&half(link)[..], &half(0), &word(0)].concat(), word));
    }
    section
}

/// An Enhanced Packet Block.
pub fn enhanced(interface: u32, frame: &[u8], word: fn(u32) -> [u8; 4]) -> Vec<u8> {
    let length = word(frame.len() as u32);
    block(6, &[&word(interface), &word(0), &word(1), &length, &length, frame].concat(), word)
}

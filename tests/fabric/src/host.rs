//! Hosts: where they are, what they know of each other, and the frames by which they find each other.

use std::collections::BTreeMap;

use smoc_common::{
    frames::{Build, End},
    wire::{ethernet::MacAddress, ip::Address},
};
use smoc_control::{
    clock::Nanos,
    discovery::neighbor::{ADVERTISEMENT, ICMP_V6, SOLICITATION},
};

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its address in Ethernet.
    pub mac: MacAddress,
    /// Its address in IP.
    pub address: Address,
    /// Its cable and the end of it.
    pub link: u32,
    /// Whose addresses it has resolved.
    pub known: BTreeMap<Address, MacAddress>,
    /// When it last asked for an address.
    pub asked: BTreeMap<Address, Nanos>,
}

/// What a host reads in a frame of address resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Somebody asks for the owner of an address.
    Asked {
        /// Who.
        by: (Address, MacAddress),
        /// For what.
        target: Address,
    },
    /// Somebody says what its address is.
    Told(Address, MacAddress),
}

const BROADCAST: MacAddress = MacAddress::new([0xff; 6]);

impl Host {
    /// As an end of a segment.
    pub fn end(&self, port: u16) -> End {
        End { mac: self.mac, address: self.address, port }
    }

    /// Asks everybody who has an address.
    pub fn question(&self, target: Address) -> Vec<u8> {
        match (self.address.v4(), target.v4()) {
            (Some(own), Some(target)) => self.arp(1, BROADCAST, own, target),
            _ => self.neighbor(SOLICITATION, BROADCAST, target, target, 0),
        }
    }

    /// Tells one host, or everybody, what its own address is.
    pub fn answer(&self, to: Option<(Address, MacAddress)>) -> Vec<u8> {
        let (address, mac) = to.unwrap_or((self.address, BROADCAST));
        match (self.address.v4(), address.v4()) {
            (Some(own), Some(to)) => self.arp(2, mac, own, to),
            _ => self.neighbor(ADVERTISEMENT, mac, address, self.address, 0x20),
        }
    }

    /// RFC 826.
    fn arp(&self, operation: u8, to: MacAddress, own: u32, target: u32) -> Vec<u8> {
        let mut frame = Vec::with_capacity(60);
        frame.extend(to.octets());
        frame.extend(self.mac.octets());
        frame.extend([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, operation]);
        frame.extend(self.mac.octets());
        frame.extend(own.to_be_bytes());
        frame.extend([0; 6]);
        frame.extend(target.to_be_bytes());
        frame.resize(60, 0);
        frame
    }

    /// RFC 4861; to everybody where a host would use the group of the target, for bridges flood both.
    fn neighbor(&self, kind: u8, to: MacAddress, to_address: Address, target: Address, flags: u8) -> Vec<u8> {
        let mut body = vec![kind, 0, 0, 0, flags, 0, 0, 0];
        body.extend(target.octets());
        body.extend([if kind == SOLICITATION { 1 } else { 2 }, 1]);
        body.extend(self.mac.octets());
        let end = End { mac: to, address: to_address, port: 0 };
        Build::other(ICMP_V6, self.end(0), end).hops(255).payload(&body).frame()
    }
}

/// Reads a frame of address resolution as [`Host`] builds it.
pub fn read(frame: &[u8]) -> Option<Resolution> {
    let mac = |at: usize| Some(MacAddress::new(frame.get(at..at + 6)?.try_into().ok()?));
    let v4 = |at: usize| Some(Address::from_v4(frame.get(at..at + 4)?.try_into().ok()?));
    let v6 = |at: usize| Some(Address::new(frame.get(at..at + 16)?.try_into().ok()?));
    match (frame.get(12..14)?, frame.get(21)?) {
        ([0x08, 0x06], 1) => Some(Resolution::Asked { by: (v4(28)?, mac(22)?), target: v4(38)? }),
        ([0x08, 0x06], _) => Some(Resolution::Told(v4(28)?, mac(22)?)),
        _ => match *frame.get(54)? {
            SOLICITATION => Some(Resolution::Asked { by: (v6(22)?, mac(80)?), target: v6(62)? }),
            _ => Some(Resolution::Told(v6(62)?, mac(80)?)),
        },
    }
}

#[cfg(test)]
mod tests {
    use smoc_control::{discovery::neighbor, hosts::ip_address};

    use super::*;

    fn host(last: u8, address: Address) -> Host {
        let (known, asked) = Default::default();
        Host { mac: MacAddress::new([6, 0, 0, 0, 0, last]), address, link: 0, known, asked }
    }

    #[test]
    fn what_hosts_say_is_read_by_hosts_and_by_control() {
        let v6 = |last| Address::new([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
        let v4 = |last| Address::from_v4([10, 0, 0, last]);
        for (own, other) in [(v4(1), v4(2)), (v6(1), v6(2))] {
            let host = host(1, own);
            let by = (own, host.mac);
            let mut question = host.question(other);
            assert_eq!(read(&question), Some(Resolution::Asked { by, target: other }));
            assert_eq!(neighbor::claim(&mut question), Some((ip_address(own), host.mac)));
            for to in [None, Some((other, MacAddress::new([6, 0, 0, 0, 0, 2])))] {
                let mut answer = host.answer(to);
                assert_eq!(read(&answer), Some(Resolution::Told(own, host.mac)));
                assert_eq!(neighbor::claim(&mut answer), Some((ip_address(own), host.mac)));
            }
        }
    }
}

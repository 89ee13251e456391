//! What a host says of its own address: ARP (RFC 826, RFC 5227) and IPv6 neighbour discovery (RFC 4861).
//!
//! | ARP bytes | field | ICMPv6 bytes | field |
//! |---|---|---|---|
//! | 0..2 | hardware type, 1 | 0 | type: 135 solicitation, 136 advertisement |
//! | 2..4 | protocol type, 0x0800 | 1 | code, 0 |
//! | 4, 5 | address lengths, 6 and 4 | 8..24 | target address |
//! | 6..8 | operation: 1 request, 2 reply | 24.. | options: type, length in 8 bytes, value |
//! | 8..14 | sender's hardware address | | 1: source link-layer address |
//! | 14..18 | sender's protocol address | | 2: target link-layer address |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoc_common::wire::{
    Bytes, Frame,
    ethernet::{self, MacAddress},
    ip::{Family, Packet},
};

/// EtherType of ARP.
pub const ARP: u16 = 0x0806;
/// Protocol number of ICMPv6.
pub const ICMP_V6: u8 = 58;
/// ICMPv6 types of neighbour discovery.
pub const SOLICITATION: u8 = 135;
/// See [`SOLICITATION`].
pub const ADVERTISEMENT: u8 = 136;
/// RFC 4861, 7.1: a hop limit of 255 shows that no router has passed it on.
const HOPS: u8 = 255;
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
/// Max number of options that are read.
const MAX_OPTIONS: usize = 8;
/// The same of DHCP, padding included.
const MAX_DHCP_OPTIONS: usize = 64;
const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
/// UDP ports of DHCP.
const DHCP_CLIENT: u8 = 68;
/// See [`DHCP_CLIENT`].
pub const DHCP_SERVER: u8 = 67;

/// The address that the sender of a frame claims for itself, and its MAC address. `None` for all other frames,
/// for probes (which ask whether an address is free), and when the claim is for a MAC address other than the
/// frame's own source: a proxy is not where the address is.
pub fn claim(frame: &mut [u8]) -> Option<(IpAddr, MacAddress)> {
    let frame = Bytes(frame);
    let header = ethernet::Header::parse(&frame)?;
    let (address, mac) = match header.ether_type {
        ARP => arp(&frame, header.payload)?,
        ethernet::IPV6 => neighbor_discovery(&frame, &header)?,
        _ => return None,
    };
    (mac == header.source && !mac.is_group() && !address.is_unspecified()).then_some((address, mac))
}

/// The address that the sender of a frame seems to have, and its MAC address, where it claims none: it sends from there, or asks
/// for it by DHCP (RFC 2131). `None` for frames that claim one, and for addresses that no host has.
pub fn glimpse(frame: &mut [u8]) -> Option<(IpAddr, MacAddress)> {
    if claim(frame).is_some() {
        return None;
    }
    let frame = Bytes(frame);
    let header = ethernet::Header::parse(&frame)?;
    let packet = Packet::parse(&frame, &header)?;
    let address = match packet.source.v4() {
        Some(0) => dhcp(&frame, &packet, header.source)?.into(),
        Some(v4) => IpAddr::from(Ipv4Addr::from(v4)),
        None => IpAddr::from(packet.source.octets()),
    };
    let is_odd = match address {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast() || v4.is_link_local() || v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_multicast() || v6.is_unicast_link_local() || v6.is_loopback(),
    };
    (!is_odd && !address.is_unspecified() && !header.source.is_group()).then_some((address, header.source))
}

/// The address that a client asks for: option 50 of a DHCPREQUEST (option 53 is 3), whose hardware address is the sender's.
///
/// | bytes | field | bytes | field |
/// |---|---|---|---|
/// | 0, 1, 2 | 1: request; 1: Ethernet; 6 | 236..240 | 99, 130, 83, 99 |
/// | 28..34 | client's hardware address | 240.. | options: code, length, value; 0 is padding, 255 the end |
fn dhcp(frame: &Bytes<'_>, packet: &Packet, sender: MacAddress) -> Option<Ipv4Addr> {
    let at = packet.payload + UDP_HEADER;
    let is_client = packet.protocol == UDP
        && !packet.is_fragment
        && frame.read::<4>(packet.payload)? == [0, DHCP_CLIENT, 0, DHCP_SERVER]
        && frame.read::<3>(at)? == [1, 1, 6]
        && MacAddress::new(frame.read::<6>(at + 28)?) == sender
        && frame.read::<4>(at + 236)? == [99, 130, 83, 99];
    if !is_client {
        return None;
    }
    let (mut option, mut is_request, mut wanted) = (at + 240, false, None);
    for _ in 0..MAX_DHCP_OPTIONS {
        let [code] = frame.read::<1>(option)?;
        match code {
            0 => option += 1,
            255 => break,
            _ => {
                let [length] = frame.read::<1>(option + 1)?;
                match (code, length) {
                    (53, 1) => is_request = frame.read::<1>(option + 2)? == [3],
                    (50, 4) => wanted = Some(Ipv4Addr::from(frame.read::<4>(option + 2)?)),
                    _ => {}
                }
                option += 2 + usize::from(length);
            }
        }
    }
    wanted.filter(|_| is_request)
}

/// Whether a frame is of a kind that may tell a claim: ARP and neighbour discovery.
pub fn may_claim(frame: &mut [u8]) -> bool {
    let frame = Bytes(frame);
    let Some(header) = ethernet::Header::parse(&frame) else { return true };
    match header.ether_type {
        ethernet::IPV4 => false,
        ethernet::IPV6 => frame.read::<1>(header.payload + 6) == Some([ICMP_V6]),
        _ => true,
    }
}

fn arp(frame: &Bytes<'_>, at: usize) -> Option<(IpAddr, MacAddress)> {
    let [0, 1, 0x08, 0x00, 6, 4, 0, 1 | 2] = frame.read::<8>(at)? else { return None };
    let mac = MacAddress::new(frame.read::<6>(at + 8)?);
    Some((Ipv4Addr::from(frame.read::<4>(at + 14)?).into(), mac))
}

fn neighbor_discovery(frame: &Bytes<'_>, header: &ethernet::Header) -> Option<(IpAddr, MacAddress)> {
    let packet = Packet::parse(frame, header)?;
    if packet.family != Family::V6
        || packet.protocol != ICMP_V6
        || packet.hops_left != HOPS
        || packet.is_fragment
    {
        return None;
    }
    let [kind, 0] = frame.read::<2>(packet.payload)? else { return None };
    let (address, wanted) = match kind {
        SOLICITATION => (packet.source.octets(), SOURCE_LINK_LAYER),
        ADVERTISEMENT => (frame.read::<16>(packet.payload + 8)?, TARGET_LINK_LAYER),
        _ => return None,
    };
    let mac = link_layer_option(frame, packet.payload + 24, wanted, header.source)?;
    Some((Ipv6Addr::from(address).into(), mac))
}

/// The MAC address in an option of that type, `otherwise` if there is no such option; `None` if the options are
/// malformed.
fn link_layer_option(
    frame: &Bytes<'_>,
    mut at: usize,
    wanted: u8,
    otherwise: MacAddress,
) -> Option<MacAddress> {
    for _ in 0..MAX_OPTIONS {
        let Some([kind, length]) = frame.read::<2>(at) else { break };
        if length == 0 {
            return None;
        }
        if kind == wanted {
            return Some(MacAddress::new(frame.read::<6>(at + 2)?));
        }
        at += usize::from(length) * 8;
    }
    Some(otherwise)
}

/// A frame that asks one host alone whether it still has an address: an ARP request, or a neighbour solicitation as for
/// neighbour unreachability detection (RFC 4861, 7.3.1). The sender is the switch, whose port has the MAC address `source`
/// and whose IPv4 address, if it has one, is `sender`; without one it is as in a probe (RFC 5227, 2.1.1), which hosts answer
/// as well.
pub fn question(source: MacAddress, host: MacAddress, address: IpAddr, sender: Option<Ipv4Addr>) -> Vec<u8> {
    let mut frame = Vec::with_capacity(14 + 40 + 32);
    frame.extend(host.octets());
    frame.extend(source.octets());
    match address {
        IpAddr::V4(target) => {
            frame.extend(ARP.to_be_bytes());
            frame.extend([0, 1, 0x08, 0, 6, 4, 0, 1]);
            frame.extend(source.octets());
            frame.extend(sender.unwrap_or(Ipv4Addr::UNSPECIFIED).octets());
            frame.extend([0; 6]);
            frame.extend(target.octets());
            frame.resize(60, 0);
        }
        IpAddr::V6(target) => {
            let own = link_local(source);
            let mut body = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
            body.extend(target.octets());
            body.extend([SOURCE_LINK_LAYER, 1]);
            body.extend(source.octets());
            let sum = checksum(&own, &target, &body);
            body[2..4].copy_from_slice(&sum.to_be_bytes());
            frame.extend(ethernet::IPV6.to_be_bytes());
            frame.extend([0x60, 0, 0, 0, 0, body.len() as u8, ICMP_V6, HOPS]);
            frame.extend(own.octets());
            frame.extend(target.octets());
            frame.extend(body);
        }
    }
    frame
}

/// The link-local address that goes with a MAC address (RFC 4291, appendix A).
fn link_local(mac: MacAddress) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.octets();
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// The checksum of an ICMPv6 message whose own is 0 (RFC 4443, 2.3).
fn checksum(source: &Ipv6Addr, destination: &Ipv6Addr, body: &[u8]) -> u16 {
    let pseudo = [0, 0, 0, body.len() as u8, 0, 0, 0, ICMP_V6];
    let all = [&source.octets()[..], &destination.octets(), &pseudo, body].concat();
    let words =
        all.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

    fn frame(ether_type: u16, payload: &[u8]) -> Vec<u8> {
        [&[0xff; 6], &MAC[..], &ether_type.to_be_bytes(), payload].concat()
    }

    fn arp(operation: u8, mac: [u8; 6], sender: [u8; 4]) -> Vec<u8> {
        let head = [0, 1, 8, 0, 6, 4, 0, operation];
        frame(ARP, &[&head[..], &mac, &sender, &[0; 6], &[10, 0, 0, 2]].concat())
    }

    fn icmp(source: &str, hops: u8, body: &[u8]) -> Vec<u8> {
        let source: Ipv6Addr = source.parse().unwrap();
        let head = [0x60, 0, 0, 0, 0, body.len() as u8, ICMP_V6, hops];
        frame(ethernet::IPV6, &[&head[..], &source.octets(), &[0xff; 16], body].concat())
    }

    fn discovery(kind: u8, target: &str, option: &[u8]) -> Vec<u8> {
        let target: Ipv6Addr = target.parse().unwrap();
        [&[kind, 0, 0, 0, 0, 0, 0, 0], &target.octets()[..], option].concat()
    }

    fn claimed(mut frame: Vec<u8>) -> Option<String> {
        claim(&mut frame).map(|(address, mac)| {
            assert_eq!(mac.octets(), MAC);
            address.to_string()
        })
    }

    #[test]
    fn requests_and_replies_tell_the_sender() {
        for operation in [1, 2] {
            assert_eq!(claimed(arp(operation, MAC, [10, 0, 0, 1])).as_deref(), Some("10.0.0.1"));
        }
    }

    #[test]
    fn probes_and_claims_for_others_tell_nothing() {
        assert_eq!(claimed(arp(1, MAC, [0; 4])), None, "RFC 5227 probe");
        assert_eq!(claimed(arp(2, [2, 0, 0, 0, 0, 8], [10, 0, 0, 1])), None, "another MAC address");
        assert_eq!(claimed(arp(3, MAC, [10, 0, 0, 1])), None, "RARP");
    }

    #[test]
    fn a_tagged_request_tells_the_same() {
        let mut tagged = arp(1, MAC, [10, 0, 0, 1]);
        tagged.splice(12..12, [0x81, 0, 0, 5]);
        assert_eq!(claimed(tagged).as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn solicitations_tell_the_source_and_advertisements_the_target() {
        let option = [1, 1, 2, 0, 0, 0, 0, 7];
        let body = discovery(SOLICITATION, "fd00::2", &option);
        assert_eq!(claimed(icmp("fd00::1", 255, &body)).as_deref(), Some("fd00::1"));
        assert_eq!(claimed(icmp("::", 255, &body)), None, "duplicate address detection");
        let body = discovery(ADVERTISEMENT, "fd00::3", &[2, 1, 2, 0, 0, 0, 0, 7]);
        assert_eq!(claimed(icmp("fe80::1", 255, &body)).as_deref(), Some("fd00::3"));
        let body = discovery(ADVERTISEMENT, "fd00::3", &[]);
        assert_eq!(claimed(icmp("fe80::1", 255, &body)).as_deref(), Some("fd00::3"), "no option");
    }

    fn glimpsed(mut frame: Vec<u8>) -> Option<String> {
        glimpse(&mut frame).map(|(address, mac)| {
            assert_eq!(mac.octets(), MAC);
            address.to_string()
        })
    }

    fn v4(source: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
        let length = (20 + payload.len() as u16).to_be_bytes();
        let head = [0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0];
        frame(ethernet::IPV4, &[&head[..], &source, &[10, 0, 0, 2], payload].concat())
    }

    #[test]
    fn traffic_shows_where_it_comes_from() {
        assert_eq!(glimpsed(v4([10, 0, 0, 7], 17, &[0; 8])).as_deref(), Some("10.0.0.7"));
        assert_eq!(glimpsed(icmp("fd00::7", 64, &[128, 0, 0, 0])).as_deref(), Some("fd00::7"));
        for source in [[0; 4], [224, 0, 0, 1], [255; 4], [169, 254, 0, 1], [127, 0, 0, 1]] {
            assert_eq!(glimpsed(v4(source, 17, &[0; 8])), None, "{source:?}");
        }
        assert_eq!(glimpsed(icmp("fe80::7", 64, &[128, 0, 0, 0])), None);
        assert_eq!(glimpsed(arp(1, MAC, [10, 0, 0, 1])), None, "that is a claim");
        let mut tagged = v4([10, 0, 0, 7], 17, &[0; 8]);
        tagged.splice(12..12, [0x81, 0, 0, 5]);
        assert_eq!(glimpsed(tagged).as_deref(), Some("10.0.0.7"));
    }

    #[test]
    fn a_client_of_dhcp_shows_the_address_that_it_asks_for() {
        let request = |mac: [u8; 6], options: &[u8]| {
            let mut bootp = vec![0; 240];
            bootp[..3].copy_from_slice(&[1, 1, 6]);
            bootp[28..34].copy_from_slice(&mac);
            bootp[236..].copy_from_slice(&[99, 130, 83, 99]);
            let udp = [&[0, 68, 0, 67, 0, 0, 0, 0][..], &bootp, options].concat();
            glimpsed(v4([0; 4], 17, &udp))
        };
        let asked = [53, 1, 3, 0, 0, 50, 4, 10, 0, 0, 9, 255];
        assert_eq!(request(MAC, &asked).as_deref(), Some("10.0.0.9"));
        assert_eq!(request([2, 0, 0, 0, 0, 8], &asked), None, "for another");
        assert_eq!(request(MAC, &[53, 1, 1, 50, 4, 10, 0, 0, 9, 255]), None, "DHCPDISCOVER");
        assert_eq!(request(MAC, &[53, 1, 3, 50, 4, 10, 0]), None, "cut off");
        assert_eq!(request(MAC, &[53, 1, 3]), None, "without end");
        assert_eq!(request(MAC, &[0; 300]), None, "padding without end");
    }

    #[test]
    fn a_question_goes_to_one_host_alone_and_claims_nothing_but_the_switchs_own_address() {
        let [source, host] = [[2, 0, 0, 0, 0, 7], [2, 0, 0, 0, 0, 9]].map(MacAddress::new);
        let v4 = |sender| question(source, host, "10.0.0.9".parse().unwrap(), sender);
        assert_eq!(claimed(v4(None)), None, "as in a probe");
        assert_eq!(claimed(v4(Some(Ipv4Addr::new(10, 0, 0, 254)))).as_deref(), Some("10.0.0.254"));
        assert_eq!(v4(None)[..6], host.octets());
        assert_eq!(v4(None)[38..42], [10, 0, 0, 9]);
        let v6 = question(source, host, "fd00::9".parse().unwrap(), None);
        assert_eq!(claimed(v6.clone()).as_deref(), Some("fe80::ff:fe00:7"));
        let [own, target] =
            [22, 38].map(|at| Ipv6Addr::from(<[u8; 16]>::try_from(&v6[at..at + 16]).unwrap()));
        assert_eq!((target.to_string().as_str(), v6.len()), ("fd00::9", 14 + 40 + 32));
        // A message with its own checksum in it sums up to none.
        assert_eq!(checksum(&own, &target, &v6[54..]), 0);
    }

    #[test]
    fn what_a_router_passed_on_or_is_malformed_tells_nothing() {
        let body = discovery(SOLICITATION, "fd00::2", &[1, 1, 2, 0, 0, 0, 0, 7]);
        assert_eq!(claimed(icmp("fd00::1", 64, &body)), None);
        let body = discovery(SOLICITATION, "fd00::2", &[1, 0, 2, 0, 0, 0, 0, 7]);
        assert_eq!(claimed(icmp("fd00::1", 255, &body)), None, "option of length 0");
        assert_eq!(claimed(icmp("fd00::1", 255, &[128, 0, 0, 0])), None, "echo request");
        let whole = arp(1, MAC, [10, 0, 0, 1]);
        for length in 0..whole.len() - 14 {
            assert_eq!(claimed(whole[..length].to_vec()), None, "{length} bytes");
        }
    }
}

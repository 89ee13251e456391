//! What a switch tells of the prefixes behind its hosts, in announcements: parts that have nothing else, behind all others, which
//! agents of older versions leave unread.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | [`BEHIND`] |
//! | 1 | how many follow |
//! | 16 | prefix; of IPv4 as an IPv4-mapped address |
//! | 1 | how many bits of those count |
//! | 16 | address of the host that it is behind |

use ipnet::IpNet;
use smoc_common::wire::ip::Address;

use super::announcement::Lists;
use crate::hosts::{behind::Behind, ip_address, map_address, map_prefix};

/// Says that prefixes follow.
pub(super) const BEHIND: u8 = 0xc2;
/// Bytes of one.
const ONE: usize = 33;
/// So many fit every Ethernet.
const PER_PART: usize = 40;
/// Bits before an IPv4 address.
const MAPPED: u8 = 96;

/// Prefixes, as many in each part as go into a frame.
pub(super) fn parts(behind: &[Behind]) -> impl Iterator<Item = Lists> {
    behind.chunks(PER_PART).map(|some| Lists { behind: some.to_vec(), ..Lists::default() })
}

/// Appends prefixes, if there are any.
pub(super) fn write(behind: &[Behind], frame: &mut Vec<u8>) {
    if !behind.is_empty() {
        frame.extend([BEHIND, behind.len() as u8]);
    }
    for Behind { prefix, router } in behind {
        let prefix = map_prefix(prefix);
        frame.extend(prefix.octets);
        frame.push(prefix.length as u8);
        frame.extend(map_address(*router).octets());
    }
}

/// Reads what follows [`BEHIND`]; what is behind it, or `None` if it is malformed.
pub(super) fn read<'a>(lists: &mut Lists, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (count, rest) = bytes.split_first()?;
    let (all, rest) = rest.split_at_checked(usize::from(*count) * ONE)?;
    lists.behind = all.chunks_exact(ONE).map(one).collect::<Option<_>>()?;
    Some(rest)
}

fn one(bytes: &[u8]) -> Option<Behind> {
    let address = |bytes: &[u8]| Some(ip_address(Address::new(bytes.try_into().ok()?)));
    let (network, length) = (address(&bytes[..16])?, bytes[16]);
    let length = if network.is_ipv4() { length.checked_sub(MAPPED)? } else { length };
    let prefix = IpNet::new(network, length).ok()?;
    (prefix == prefix.trunc()).then_some(Behind { prefix, router: address(&bytes[17..])? })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::{
        clock::Nanos,
        discovery::announcement::{self, Message, Part},
        fabric::{Report, digest::Digests},
    };
    use smoc_common::wire::ethernet::MacAddress;

    const MAC: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 1]);
    const NOW: Nanos = Nanos(1_000_000_000_000);

    fn part(frame: &[u8]) -> Option<Part> {
        match Message::parse(frame, NOW)? {
            Message::Part(part) => Some(part),
            other => panic!("{other:?}"),
        }
    }

    fn some(count: u16) -> Vec<Behind> {
        let one = |n: u16| {
            let [high, low] = n.to_be_bytes();
            let (network, length, router) = if n.is_multiple_of(2) {
                (IpAddr::from([10, high, low, 0]), 24, IpAddr::from([10, 0, 0, 1]))
            } else {
                (IpAddr::from([0xfd00, n, 0, 0, 0, 0, 0, 0]), 32, IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1]))
            };
            Behind { prefix: IpNet::new(network, length).unwrap(), router }
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn prefixes_survive_the_wire_and_padding_and_nothing_that_is_cut_is_one() {
        let ends = ["0.0.0.0/0", "::/0", "10.0.0.7/32", "2001:db8::7/128"];
        let ends =
            ends.map(|prefix| Behind { prefix: prefix.parse().unwrap(), router: [10, 0, 0, 1].into() });
        let digests = Some(Digests { topology: 5, policy: 6 });
        for behind in [ends.to_vec(), some(1), some(40), some(41), some(1024)] {
            for report in [Report::default(), Report { port_width: 5, ..Report::default() }] {
                let lists =
                    Lists { behind: behind.clone(), report, digests, signs: true, ..Lists::default() };
                let sent = announcement::parts("e1", (3, 7), &lists);
                let mut heard = Vec::new();
                for (at, sent) in sent.iter().enumerate() {
                    let mut frame = sent.frame(MAC, NOW);
                    assert!(frame.len() <= 1514);
                    frame.resize(frame.len().max(60), 0);
                    let whole = part(&frame).unwrap();
                    assert_eq!((&whole, whole.lists.digests), (sent, digests.filter(|_| at == 0)));
                    heard.extend(whole.lists.behind);
                }
                assert_eq!(heard, behind);
                let last = sent.last().unwrap();
                let frame = last.frame(MAC, NOW);
                for cut in 1..last.lists.behind.len() * ONE + 1 {
                    assert_eq!(part(&frame[..frame.len() - cut]), None, "{cut} bytes are missing");
                }
            }
        }
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        let lists = Lists { behind: some(1), ..Lists::default() };
        let good = announcement::parts("e1", (3, 7), &lists).pop().unwrap().frame(MAC, NOW);
        let length = good.len() - 17;
        for (at, byte) in [(length, 95), (length, 129), (length, 96), (length - 1, 1)] {
            let mut frame = good.clone();
            frame[at] = byte;
            assert_eq!(part(&frame), None, "byte {at}: {byte}");
        }
    }
}

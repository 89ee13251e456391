//! Addresses that are seen in a host's traffic, or that a host asks DHCP for: nobody has claimed them, so whoever sent the
//! frame is asked. What the answer says is learned as any claim is; what nobody answers for is forgotten.
//!
//! A host that sends from made-up addresses costs [`MOST`] questions a port in [`QUIET`] at most.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};

use super::{Question, Tag};
use crate::clock::Nanos;

/// Most addresses of one port that are asked about in [`QUIET`].
const MOST: usize = 64;
/// How long an address is not asked about again.
const QUIET: Duration = Duration::from_secs(60);
/// How often an address is asked about: at once, and once a second. A host that is just being given one answers later.
const TIMES: u8 = 4;

/// What is asked about.
#[derive(Clone, Debug, Default)]
pub struct Glimpses {
    seen: BTreeMap<(PortNumber, IpAddr), Glimpse>,
}

#[derive(Clone, Copy, Debug)]
struct Glimpse {
    mac: MacAddress,
    tag: Option<Tag>,
    since: Nanos,
    asked: u8,
}

impl Glimpses {
    /// An address was seen at a port that it is not known at, in a frame with this tag; whether to ask now.
    pub fn see(&mut self, Question { port, mac, address, tag }: Question, now: Nanos) -> Option<Question> {
        let before = self.seen.get(&(port, address));
        if before
            .is_some_and(|before| before.mac == mac && before.tag == tag && now.since(before.since) < QUIET)
        {
            return None;
        }
        let of_port = |(at, _): &&(PortNumber, IpAddr)| *at == port;
        if before.is_none() && self.seen.keys().filter(of_port).count() >= MOST {
            return None;
        }
        self.seen.insert((port, address), Glimpse { mac, tag, since: now, asked: 1 });
        Some(Question { port, mac, address, tag })
    }

    /// A second has passed: asks again about those that are not `known` at that port by now.
    pub fn again(
        &mut self,
        now: Nanos,
        known: impl Fn(PortNumber, IpAddr, MacAddress) -> bool,
    ) -> Vec<Question> {
        self.seen.retain(|_, glimpse| now.since(glimpse.since) < QUIET);
        let mut questions = Vec::new();
        for (&(port, address), glimpse) in &mut self.seen {
            if glimpse.asked < TIMES && !known(port, address, glimpse.mac) {
                glimpse.asked += 1;
                questions.push(Question { port, mac: glimpse.mac, address, tag: glimpse.tag });
            }
        }
        questions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 7]);

    fn port(number: u16) -> PortNumber {
        PortNumber::new(number).unwrap()
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn of(at: u16, last: u8, mac: MacAddress) -> Question {
        Question { port: port(at), mac, address: address(last), tag: None }
    }

    fn at(seconds: u64) -> Nanos {
        Nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_host_is_asked_at_once_and_three_times_more_unless_it_answers() {
        let mut glimpses = Glimpses::default();
        let question = of(9, 1, MAC);
        assert_eq!(glimpses.see(of(9, 1, MAC), at(0)), Some(question));
        assert_eq!(glimpses.see(of(9, 1, MAC), at(1)), None);
        let asked: usize = (1..10).map(|second| glimpses.again(at(second), |_, _, _| false).len()).sum();
        assert_eq!(asked, 3);
        assert!(glimpses.see(of(9, 1, MAC), at(61)).is_some(), "after a while again");
        assert_eq!(glimpses.again(at(62), |_, _, _| true), []);
    }

    #[test]
    fn another_host_with_that_address_is_asked_too() {
        let mut glimpses = Glimpses::default();
        let other = MacAddress::new([2, 0, 0, 0, 0, 8]);
        assert!(glimpses.see(of(9, 1, MAC), at(0)).is_some());
        assert!(glimpses.see(of(9, 1, other), at(0)).is_some());
        assert!(glimpses.see(of(8, 1, MAC), at(0)).is_some());
        let tag = Some(Tag { tpid: 0x8100, vid: 5 });
        let tagged = Question { tag, ..of(8, 1, MAC) };
        assert_eq!(glimpses.see(tagged, at(0)), Some(tagged), "in another VLAN");
    }

    #[test]
    fn made_up_addresses_cost_a_port_so_many_questions_and_no_more() {
        let mut glimpses = Glimpses::default();
        let asked = (0..=255).filter(|last| glimpses.see(of(9, *last, MAC), at(0)).is_some()).count();
        assert_eq!(asked, MOST);
        assert!(glimpses.see(of(8, 1, MAC), at(0)).is_some(), "another port has its own");
    }
}

//! Prefixes behind hosts by the switch's own routing table, and by what others announce.

use std::{net::IpAddr, sync::Arc, time::Duration};

use smoc_common::{
    map::{Attachment, Prefix, Settings, THIS_EDGE},
    route::PortNumber,
    wire::ethernet::MacAddress,
};

use super::{Effect, Event, tests::Bench};
use crate::{
    discovery::announcement::{self, Lists, Message},
    hosts::{
        Sighting,
        behind::{Behind, KernelRoute},
        map_prefix,
    },
    interfaces::IfIndex,
    ports::Role,
};

const BRIDGE: IfIndex = IfIndex(100);

fn prefix(text: &str) -> Prefix {
    map_prefix(&text.parse().unwrap())
}

/// 10.0.0.7 speaks at port 9.
fn arp() -> Vec<u8> {
    let (mac, address) = ([2, 0, 0, 0, 1, 7], [10, 0, 0, 7]);
    let head = [0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2];
    [&[0xff; 6][..], &mac, &head, &mac, &address, &[0; 6], &address].concat()
}

fn routes(all: &[(&str, &str)]) -> Event {
    Event::Routes(kernel_routes(all))
}

fn kernel_routes(all: &[(&str, &str)]) -> Arc<[KernelRoute]> {
    let route = |(prefix, gateway): &(&str, &str)| KernelRoute {
        prefix: prefix.parse().unwrap(),
        metric: 0,
        gateways: gateway.parse().map(|gateway| (BRIDGE, gateway)).into_iter().collect(),
    };
    all.iter().map(route).collect()
}

/// What e1 tells, by the last announcement among these.
fn told(bench: &Bench, effects: &[Effect]) -> Vec<Behind> {
    let own = |effect: &Effect| match effect {
        Effect::Send(_, bytes) => match Message::parse(bytes, bench.now)? {
            Message::Part(part) if part.origin == "e1" => Some(part.lists.behind),
            _ => None,
        },
        _ => None,
    };
    effects.iter().filter_map(own).next_back().unwrap_or_default()
}

#[test]
fn a_route_makes_its_prefix_one_behind_a_host_as_long_as_both_are_there() {
    let mut bench = Bench::settled();
    bench.handle(routes(&[("10.9.0.0/16", "10.0.0.7"), ("10.9.1.0/24", "")]));
    bench.pass(Duration::from_secs(1));
    let installed = bench.switch.expected().installed;
    assert!(installed.prefixes.is_empty(), "the gateway is not known");

    let mut effects = bench.heard(9, Role::Host, arp());
    effects.extend(bench.pass(Duration::from_secs(1)));
    let installed = bench.switch.expected().installed;
    let router = installed.prefixes[&prefix("10.9.0.0/16")];
    assert_eq!(router.attachment, Attachment { edge: THIS_EDGE, port: 9 });
    assert_eq!(router.mac, MacAddress::new([2, 0, 0, 0, 1, 7]));
    assert_eq!(installed.prefixes[&prefix("10.9.1.0/24")].attachment, Attachment::UNKNOWN);
    assert_ne!(installed.settings.filled & Settings::PREFIXES, 0);
    let behind = Behind { prefix: "10.9.0.0/16".parse().unwrap(), router: [10, 0, 0, 7].into() };
    assert_eq!(told(&bench, &effects), [behind]);
    assert!(!bench.switch.hosts.reach().learns(IpAddr::from([10, 9, 0, 1])), "it is behind the router");

    bench.handle(routes(&[("10.9.1.0/24", "")]));
    bench.pass(Duration::from_secs(6));
    assert!(bench.switch.expected().installed.prefixes.is_empty());
    assert!(bench.switch.hosts.reach().learns(IpAddr::from([10, 9, 0, 1])));

    bench.handle(routes(&[("10.9.0.0/16", "10.0.0.7")]));
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.switch.expected().installed.prefixes.len(), 1);
    bench.interfaces.get_mut("p9").unwrap().usable = false;
    bench.handle(Event::Interfaces(bench.interfaces.values().cloned().collect()));
    let hour = Duration::from_secs(3600);
    let effects = bench.pass(hour);
    assert!(
        bench.switch.expected().installed.prefixes.is_empty(),
        "the host is forgotten, and what is behind it"
    );
    assert_eq!(told(&bench, &effects), []);
}

#[test]
fn what_another_switch_announces_is_behind_its_host_and_goes_with_it() {
    let mut bench = Bench::settled();
    let router = Sighting {
        address: [10, 0, 0, 5].into(),
        mac: MacAddress::new([2, 0, 0, 0, 1, 5]),
        port: PortNumber::new(7).unwrap(),
        seen: bench.now,
    };
    let behind =
        |host: u8| Behind { prefix: "10.9.0.0/16".parse().unwrap(), router: [10, 0, 0, host].into() };
    let announce = |bench: &mut Bench, sequence, hosts: &[Sighting], behind: &[Behind]| {
        let lists = Lists { hosts: hosts.to_vec(), behind: behind.to_vec(), ..Lists::default() };
        for part in announcement::parts("e2", (7, sequence), &lists) {
            bench.heard(1, Role::Fabric, part.frame(MacAddress::new([2, 0, 0, 0, 0, 9]), bench.now));
        }
        bench.pass(Duration::from_secs(1));
        bench.switch.expected().installed.prefixes
    };
    assert!(announce(&mut bench, 1, &[], &[behind(5)]).is_empty(), "nobody knows where that host is");
    let found = announce(&mut bench, 2, &[router], &[behind(5)]);
    assert_eq!(found[&prefix("10.9.0.0/16")].mac, router.mac);
    assert_eq!(found[&prefix("10.9.0.0/16")].attachment.port, 7);
    assert!(announce(&mut bench, 3, &[router], &[]).is_empty());
    assert_eq!(announce(&mut bench, 4, &[router], &[behind(5)]).len(), 1);
    assert!(announce(&mut bench, 5, &[], &[behind(5)]).is_empty());
    bench.heard(9, Role::Host, arp());
    assert!(announce(&mut bench, 6, &[], &[behind(7)]).is_empty(), "that host is not at e2 but here");
}

#[test]
fn an_agent_that_starts_with_its_routes_leaves_what_is_behind_hosts_as_it_was() {
    let text = "switch: e1\nbridge: br0\nroutes: kernel\ntables: {hosts: 64}\n";
    let mut bench = Bench::with(text);
    bench.pass(Duration::from_secs(20));
    let kernel = kernel_routes(&[("10.9.0.0/16", "10.0.0.7")]);
    bench.handle(Event::Routes(Arc::clone(&kernel)));
    bench.heard(9, Role::Host, arp());
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.switch.expected().installed.prefixes.len(), 1);
    let mut again = bench.again_with(text, kernel);
    let effects = again.pass(Duration::from_secs(5));
    assert_eq!(again.switch.expected().installed.prefixes.len(), 1);
    let touched = |effect: &&Effect| {
        matches!(
            effect,
            Effect::Write(
                crate::dataplane::Change::RemovePrefix(_) | crate::dataplane::Change::SetPrefix(..)
            )
        )
    };
    assert_eq!(effects.iter().filter(touched).count(), 0);
}

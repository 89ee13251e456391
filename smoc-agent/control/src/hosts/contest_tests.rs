use std::path::Path;

use smoc_paths::topology::TopologyFile;

use super::{contest::*, *};

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 5));
const VICTIM: u8 = 5;
const OTHER: u8 = 66;
const START: Nanos = Nanos(1_000_000_000_000);

fn topology() -> Topology {
    let text = r#"links: [{a: "e1:1", b: "e2:1"}, {a: "e2:2", b: "e3:1"}]"#;
    TopologyFile::parse(Path::new("t.yaml"), text).unwrap().connected().unwrap()
}

fn port(number: u16) -> PortNumber {
    PortNumber::new(number).unwrap()
}

fn mac(last: u8) -> MacAddress {
    MacAddress::new([2, 0, 0, 0, 0, last])
}

/// A host that may answer, and where it is.
#[derive(Clone, Copy)]
struct Station {
    edge: usize,
    port: u16,
    mac: u8,
}

/// The switches e1, e2 and e3, hosts that answer, and agents that hear each other a millisecond later.
struct Fabric {
    now: Nanos,
    tables: Vec<HostTable>,
    topology: Topology,
    known: Vec<BTreeMap<IpAddr, KnownHost>>,
    stations: Vec<Station>,
    /// The VLANs of hosts that speak in one, and answer in no other.
    vlans: BTreeMap<u8, Tag>,
    /// Agents that do not run.
    dead: BTreeSet<usize>,
    asked: Vec<(usize, u16)>,
}

impl Fabric {
    fn new() -> Self {
        let topology = topology();
        let table = |switch| {
            let mut table = HostTable::default();
            table.declare(&topology, SwitchId(switch), START);
            table
        };
        let tables = (0..3).map(table).collect();
        let (stations, vlans, asked, dead) = Default::default();
        Self { now: START, tables, topology, known: vec![BTreeMap::new(); 3], stations, vlans, dead, asked }
    }

    fn says(&mut self, edge: usize, at: u16, host: u8) {
        let sighting = Sighting { address: ADDRESS, mac: mac(host), port: port(at), seen: self.now };
        let tag = self.vlans.get(&host).copied();
        self.tables[edge].hear(sighting, tag);
    }

    /// Milliseconds pass.
    fn pass(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds {
            self.now = self.now + Duration::from_millis(1);
            for edge in 0..3 {
                self.step(edge);
            }
        }
    }

    fn step(&mut self, edge: usize) {
        if self.dead.contains(&edge) {
            return;
        }
        for Question { port, mac: asked, address, tag } in self.tables[edge].questions(self.now) {
            self.asked.push((edge, port.get()));
            let is_it = |station: &&Station| {
                (station.edge, station.port, mac(station.mac)) == (edge, port.get(), asked)
                    && self.vlans.get(&station.mac).copied() == tag
            };
            if self.stations.iter().any(|station| is_it(&station)) {
                self.tables[edge].hear(Sighting { address, mac: asked, port, seen: self.now }, tag);
            }
        }
        let this = SwitchId(edge as u32);
        self.tables[edge].refresh(&mut self.known[edge], &self.topology, this);
        // Twenty times a second, as an agent that has news.
        if !(self.now.0 / 1_000_000 + edge as u64 * 17).is_multiple_of(50) {
            return;
        }
        let hosts = self.tables[edge].to_announce(&self.known[edge], this);
        let contentions = self.tables[edge].to_contend(self.now);
        for other in (0..3).filter(|other| *other != edge && !self.dead.contains(other)) {
            let name = ["e1", "e2", "e3"][edge];
            self.tables[other].announced(name, hosts.clone().into(), self.now);
            self.tables[other].contended(name, &contentions, self.now);
        }
    }

    /// Where each switch has it: edge, port, host.
    fn places(&self) -> Vec<Option<(u32, u16, u8)>> {
        let place = |known: &BTreeMap<IpAddr, KnownHost>| {
            let host = known.get(&ADDRESS)?;
            Some((host.at.switch.0, host.at.port.get(), host.mac.octets()[5]))
        };
        self.known.iter().map(place).collect()
    }

    fn all_know(&self, place: (u32, u16, u8)) -> bool {
        (0..3).filter(|edge| !self.dead.contains(edge)).all(|edge| self.places()[edge] == Some(place))
    }

    /// With the victim at port 9 of e1.
    fn settled() -> Self {
        let mut fabric = Self::new();
        fabric.stations.push(Station { edge: 0, port: 9, mac: VICTIM });
        fabric.says(0, 9, VICTIM);
        fabric.pass(200);
        assert!(fabric.all_know((0, 9, VICTIM)));
        fabric
    }

    fn refusals(&self, edge: usize) -> usize {
        self.tables[edge].refusals().len()
    }
}

#[test]
fn a_host_that_answers_keeps_its_address_whoever_claims_it() {
    for (edge, at) in [(0, 8), (0, 9), (1, 8)] {
        let mut fabric = Fabric::settled();
        fabric.stations.push(Station { edge, port: at, mac: OTHER });
        for _ in 0..20_000 {
            fabric.says(edge, at, OTHER);
            fabric.pass(1);
            assert!(fabric.all_know((0, 9, VICTIM)), "{:?}", fabric.places());
        }
        assert_eq!(fabric.refusals(edge), 1);
        let asked = fabric.asked.len();
        assert!((4..=8).contains(&asked), "the victim was asked {asked} times in 20 s");
        assert!(fabric.asked.iter().all(|asked| *asked == (0, 9)));
    }
}

fn vlan(vid: u16) -> Tag {
    Tag { tpid: 0x8100, vid }
}

#[test]
fn the_owner_is_asked_in_its_own_vlan_whichever_the_claim_has() {
    for (own, other) in [(None, Some(vlan(5))), (Some(vlan(5)), None), (Some(vlan(5)), Some(vlan(6)))] {
        for (edge, at) in [(0, 8), (0, 9), (1, 8)] {
            let mut fabric = Fabric::new();
            fabric.vlans.extend(own.map(|tag| (VICTIM, tag)));
            fabric.vlans.extend(other.map(|tag| (OTHER, tag)));
            fabric.stations.push(Station { edge: 0, port: 9, mac: VICTIM });
            fabric.says(0, 9, VICTIM);
            fabric.pass(200);
            fabric.stations.push(Station { edge, port: at, mac: OTHER });
            for _ in 0..3000 {
                fabric.says(edge, at, OTHER);
                fabric.pass(1);
                assert!(fabric.all_know((0, 9, VICTIM)), "{own:?} {other:?}: {:?}", fabric.places());
            }
            fabric.stations.remove(0);
            fabric.pass(60_000);
            fabric.says(edge, at, OTHER);
            fabric.pass(5000);
            assert!(fabric.all_know((edge as u32, at, OTHER)), "it may have it once the owner is gone");
        }
    }
}

#[test]
fn frames_in_the_name_of_a_host_with_another_tag_do_not_make_it_be_forgotten() {
    for own in [None, Some(vlan(5))] {
        let mut fabric = Fabric::new();
        fabric.vlans.extend(own.map(|tag| (VICTIM, tag)));
        fabric.stations.push(Station { edge: 0, port: 9, mac: VICTIM });
        fabric.says(0, 9, VICTIM);
        fabric.pass(200);
        // Somebody behind the same port, with its MAC address.
        for tag in [Some(vlan(7)), None, Some(vlan(8))] {
            let sighting = Sighting { address: ADDRESS, mac: mac(VICTIM), port: port(9), seen: fabric.now };
            fabric.tables[0].hear(sighting, tag);
        }
        fabric.now = fabric.now + LEARNED_FOR;
        fabric.tables[0].expire(fabric.now);
        fabric.pass(1000);
        assert!(fabric.all_know((0, 9, VICTIM)), "{own:?}");
    }
}

#[test]
fn a_host_that_moves_is_found_within_a_second_wherever_it_goes() {
    for (edge, at, new) in [(0, 8, VICTIM), (0, 9, OTHER), (0, 8, OTHER), (1, 8, VICTIM), (2, 9, OTHER)] {
        let mut fabric = Fabric::settled();
        fabric.stations = vec![Station { edge, port: at, mac: new }];
        fabric.says(edge, at, new);
        let there = (edge as u32, at, new);
        let needed = (0..1000).find(|_| {
            fabric.pass(1);
            fabric.all_know(there)
        });
        assert!(
            needed.is_some_and(|needed| needed >= 290),
            "{needed:?} ms to {there:?}: {:?}",
            fabric.places()
        );
        assert_eq!(fabric.asked, [(0, 9); 3]);
        fabric.pass(20_000);
        assert!(fabric.all_know(there));
        assert!((0..3).all(|edge| fabric.refusals(edge) == 0));
    }
}

#[test]
fn who_was_behind_a_port_without_carrier_is_not_asked() {
    for edge in [0, 1] {
        let mut fabric = Fabric::settled();
        fabric.tables[0].set_absent(BTreeSet::from([port(9)]), fabric.now);
        fabric.says(edge, 8, VICTIM);
        fabric.pass(150);
        assert!(fabric.all_know((edge as u32, 8, VICTIM)), "{:?}", fabric.places());
        assert_eq!(fabric.asked, []);
    }
}

#[test]
fn a_port_that_loses_carrier_while_its_host_is_asked_ends_the_wait() {
    let mut fabric = Fabric::settled();
    fabric.stations.clear();
    fabric.says(0, 8, VICTIM);
    fabric.pass(10);
    fabric.tables[0].set_absent(BTreeSet::from([port(9)]), fabric.now);
    fabric.pass(2);
    assert_eq!(fabric.places()[0], Some((0, 8, VICTIM)));
}

#[test]
fn an_edge_whose_agent_does_not_run_keeps_no_host_from_moving() {
    let mut fabric = Fabric::settled();
    fabric.dead.insert(0);
    fabric.says(1, 8, VICTIM);
    fabric.pass(1_900);
    assert!(fabric.all_know((0, 9, VICTIM)));
    fabric.pass(300);
    assert!(fabric.all_know((1, 8, VICTIM)), "{:?}", fabric.places());
    // It comes back, asks, and finds nobody.
    fabric.dead.clear();
    fabric.stations = vec![Station { edge: 1, port: 8, mac: VICTIM }];
    fabric.pass(2_000);
    assert!(fabric.all_know((1, 8, VICTIM)), "{:?}", fabric.places());
    assert!((0..3).all(|edge| fabric.refusals(edge) == 0));
}

#[test]
fn of_two_hosts_that_two_edges_take_in_at_once_the_one_whose_edge_comes_first_stays() {
    let mut fabric = Fabric::new();
    fabric.stations =
        vec![Station { edge: 1, port: 8, mac: OTHER }, Station { edge: 0, port: 9, mac: VICTIM }];
    fabric.says(1, 8, OTHER);
    fabric.says(0, 9, VICTIM);
    for _ in 0..10_000 {
        fabric.says(1, 8, OTHER);
        fabric.says(0, 9, VICTIM);
        fabric.pass(1);
    }
    assert!(fabric.all_know((0, 9, VICTIM)), "{:?}", fabric.places());
    assert_eq!(fabric.refusals(1), 1);
    for _ in 0..60_000 {
        fabric.says(1, 8, OTHER);
        fabric.pass(1);
        assert!(fabric.all_know((0, 9, VICTIM)), "{:?}", fabric.places());
    }
}

#[test]
fn a_host_that_was_not_heard_for_long_is_asked_and_stays_if_it_answers() {
    for is_there in [true, false] {
        let mut fabric = Fabric::settled();
        if !is_there {
            fabric.stations.clear();
        }
        fabric.now = fabric.now + LEARNED_FOR;
        fabric.tables[0].expire(fabric.now);
        fabric.pass(400);
        assert_eq!(fabric.places()[0].is_some(), is_there);
        assert_eq!(fabric.places()[2].is_some(), is_there);
        assert_eq!(fabric.asked.len(), if is_there { 1 } else { 3 });
        fabric.tables[0].expire(fabric.now);
        assert_eq!(fabric.tables[0].questions(fabric.now), []);
    }
}

#[test]
fn a_whole_port_of_silent_hosts_is_asked_in_small_numbers_at_a_time() {
    let mut table = HostTable::default();
    table.declare(&topology(), SwitchId(0), START);
    for n in 0..ADDRESSES_PER_PORT as u32 {
        let address = IpAddr::from((0x0a01_0000 + n).to_be_bytes());
        table.learn(Sighting { address, mac: mac(1), port: port(9), seen: START });
    }
    let mut now = START + LEARNED_FOR;
    for _ in 0..6 {
        table.expire(now);
        for _ in 0..10 {
            assert!(table.questions(now).len() <= 256);
            now = now + Duration::from_millis(100);
        }
    }
    assert_eq!(table.claims.len(), 0);
}

#[test]
fn claims_to_what_others_have_count_towards_the_limit_of_their_port() {
    let mut fabric = Fabric::settled();
    for n in 0..3000u32 {
        let address = IpAddr::from((0x0a01_0000 + n).to_be_bytes());
        let at = port(10 + (n / 1000) as u16);
        fabric.tables[0].learn(Sighting { address, mac: mac(1), port: at, seen: fabric.now });
        let theft = Sighting { address, mac: mac(OTHER), port: port(8), seen: fabric.now };
        fabric.tables[0].learn(theft);
        fabric.tables[0].contended(
            "e2",
            &[Contention { claim: Sighting { port: port(7), ..theft }, is_refused: false }],
            fabric.now,
        );
    }
    assert_eq!(fabric.tables[0].behind.values().max(), Some(&ADDRESSES_PER_PORT));
    let claims: usize = fabric.tables[0].challenges.values().map(Vec::len).sum();
    assert_eq!(claims, 2 * ADDRESSES_PER_PORT);
    fabric.tables[0].expire(fabric.now + Duration::from_secs(3600));
    assert!(fabric.tables[0].challenges.len() == claims / 2, "what is undecided waits for an answer");
}

#[test]
fn a_refused_claim_is_forgotten_when_it_is_not_made_again() {
    let mut fabric = Fabric::settled();
    fabric.says(0, 8, OTHER);
    fabric.pass(10);
    assert_eq!(fabric.refusals(0), 1);
    fabric.tables[0].expire(fabric.now + Duration::from_secs(601));
    assert_eq!(fabric.refusals(0), 0);
    assert!(!fabric.tables[0].behind.contains_key(&(None, port(8))));
}

#[test]
fn what_the_file_declares_elsewhere_is_refused_without_asking() {
    let text = r#"links: [{a: "e1:1", b: "e2:1"}]
hosts: [{name: h, port: "e1:9", addresses: [10.0.0.5]}]"#;
    let topology = TopologyFile::parse(Path::new("t.yaml"), text).unwrap().connected().unwrap();
    let mut table = HostTable::default();
    table.declare(&topology, SwitchId(0), START);
    let claim = |at, host, ms| Sighting {
        address: ADDRESS,
        mac: mac(host),
        port: port(at),
        seen: START + Duration::from_millis(ms),
    };
    assert!(!table.learn(claim(8, OTHER, 0)));
    assert_eq!(table.chosen(&ADDRESS), None);
    assert!(table.learn(claim(9, VICTIM, 1)), "no MAC address is declared: the first one counts");
    assert!(!table.learn(claim(8, OTHER, 2)) && table.questions_at().is_none());
    assert_eq!((table.refusals().len(), table.refusals()[0].times), (1, 2));
    // Another one at the declared port has to wait until the first is silent.
    table.learn(claim(9, OTHER, 3));
    assert_eq!(table.questions(START + Duration::from_millis(3)).len(), 1);
    for ms in [103, 203, 303] {
        table.questions(START + Duration::from_millis(ms));
    }
    assert_eq!(table.chosen(&ADDRESS).unwrap().1, mac(OTHER));
}

#[test]
fn only_what_is_in_the_fabrics_prefixes_and_is_no_switch_is_learned() {
    let net = |text: &str| text.parse().unwrap();
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let learns = |reach: &Reach, text: &str| reach.learns(address(text));
    let all = Reach { own: [address("10.0.0.254")].into(), ..Reach::default() };
    assert!(learns(&all, "10.0.0.1") && learns(&all, "2001:db8::1") && !learns(&all, "10.0.0.254"));
    let on_link = Reach { on_link: vec![net("10.0.0.0/24")], ..all.clone() };
    assert!(learns(&on_link, "10.0.0.1") && !learns(&on_link, "10.0.1.1"));
    assert!(learns(&on_link, "2001:db8::1"), "nothing limits the other family");
    assert!(on_link.believes(address("10.0.1.1")), "another edge may be on another link");
    let configured = Reach { configured: vec![net("10.0.0.0/16")], ..on_link.clone() };
    assert!(learns(&configured, "10.0.1.1") && !learns(&configured, "2001:db8::1"));
    assert!(!configured.believes(address("10.1.0.1")) && !configured.believes(address("10.0.0.254")));
    let routed = Reach { routed: vec![net("10.0.7.0/24"), net("0.0.0.0/0")], ..configured };
    assert!(learns(&routed, "10.0.1.1") && !learns(&routed, "10.0.7.1"), "that is behind a router");
    let routed = Reach { routed: vec![net("10.0.0.0/8"), net("0.0.0.0/0")], ..on_link };
    assert!(learns(&routed, "10.0.0.1") && !learns(&routed, "10.0.1.1"));
    let routed = Reach { routed: vec![net("10.1.0.0/16"), net("0.0.0.0/0")], ..all };
    assert!(learns(&routed, "10.0.0.1") && !learns(&routed, "10.1.0.1"));
}

#[test]
fn an_address_outside_of_all_prefixes_is_named_until_they_are_others() {
    let mut table = HostTable::default();
    table.declare(&topology(), SwitchId(0), START);
    let on_link = Reach { on_link: vec!["10.9.0.0/24".parse().unwrap()], ..Reach::default() };
    table.set_reach(on_link, START);
    let sighting = Sighting { address: ADDRESS, mac: mac(VICTIM), port: port(9), seen: START };
    assert!(!table.learn(sighting));
    assert_eq!((table.outside(), table.turned_away()), (Some(ADDRESS), (0, 1)));
    assert!(table.take_stirred() && !table.learn(sighting) && !table.take_stirred(), "told once");
    table.set_reach(Reach::default(), START);
    assert!(table.outside().is_none() && table.learn(sighting));
    let ours = Reach { own: [ADDRESS].into(), ..Reach::default() };
    table.set_reach(ours, START);
    assert_eq!(table.chosen(&ADDRESS), None, "what a switch turns out to have is forgotten");
    assert!(!table.learn(sighting) && table.outside().is_none());
}

#[test]
fn a_host_with_many_addresses_has_them_all() {
    let mut fabric = Fabric::settled();
    for n in 0..200u16 {
        let address = IpAddr::from([0xfd00, 0, 0, 0, 0x1234, 0, 0, n]);
        assert!(fabric.tables[0].learn(Sighting {
            address,
            mac: mac(VICTIM),
            port: port(9),
            seen: fabric.now
        }));
    }
    assert_eq!(fabric.tables[0].questions_at(), None);
    assert_eq!(fabric.tables[0].claims.len(), 201);
}

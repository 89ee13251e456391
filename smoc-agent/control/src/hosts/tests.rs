use std::path::Path;

use super::*;
use smoc_paths::topology::TopologyFile;

fn topology() -> Topology {
    let text = r#"
links: [{a: "e1:1", b: "e2:1"}]
hosts:
  - {name: h1, port: "e1:9", mac: "02:00:00:00:00:01", addresses: [10.0.0.1]}
  - {name: h2, port: "e2:9", addresses: [10.0.0.2]}
"#;
    TopologyFile::parse(Path::new("t.yaml"), text).unwrap().connected().unwrap()
}

const E1: SwitchId = SwitchId(0);
const E2: &str = "e2";

fn seen(address: &str, mac: u8, port: u16, at: u64) -> Sighting {
    let mac = MacAddress::new([2, 0, 0, 0, 0, mac]);
    let port = PortNumber::new(port).unwrap();
    Sighting { address: address.parse().unwrap(), mac, port, seen: Nanos(at) }
}

fn place(table: &HostTable, address: &str) -> Option<(u32, u16, u8, Source)> {
    let known = table.resolve(&topology(), E1);
    let host = known.get(&address.parse().unwrap())?;
    Some((host.at.switch.0, host.at.port.get(), host.mac.octets()[5], host.source))
}

#[test]
fn a_file_declared_host_stays_where_the_file_says() {
    let mut table = HostTable::default();
    table.learn(seen("10.0.0.1", 66, 8, 5));
    table.announced(E2, vec![seen("10.0.0.1", 67, 9, 6)], Nanos(6));
    assert_eq!(place(&table, "10.0.0.1"), Some((0, 9, 1, Source::File)));
    assert_eq!(table.to_announce(&topology(), E1), [], "others know the file as well");
}

#[test]
fn a_declared_host_without_mac_is_known_once_it_speaks_at_its_port() {
    let mut table = HostTable::default();
    assert_eq!(place(&table, "10.0.0.2"), None);
    table.announced(E2, vec![seen("10.0.0.2", 2, 7, 1)], Nanos(1));
    assert_eq!(place(&table, "10.0.0.2"), None, "another port than the file's");
    table.announced(E2, vec![seen("10.0.0.2", 2, 9, 1)], Nanos(1));
    assert_eq!(place(&table, "10.0.0.2"), Some((1, 9, 2, Source::File)));
}

#[test]
fn further_addresses_of_a_declared_host_are_learned_and_carry_its_name() {
    let mut table = HostTable::default();
    assert!(table.learn(seen("10.0.0.77", 1, 9, 1)));
    let known = table.resolve(&topology(), E1);
    let host = &known[&"10.0.0.77".parse::<IpAddr>().unwrap()];
    assert_eq!((host.name.as_deref(), host.source), (Some("h1"), Source::Learned));
}

#[test]
fn the_latest_word_counts_when_a_host_moves() {
    let mut table = HostTable::default();
    table.learn(seen("10.0.0.5", 5, 9, 10));
    table.announced(E2, vec![seen("10.0.0.5", 5, 8, 5)], Nanos(11));
    assert_eq!(place(&table, "10.0.0.5"), Some((0, 9, 5, Source::Learned)));
    table.announced(E2, vec![seen("10.0.0.5", 5, 8, 20)], Nanos(21));
    assert_eq!(place(&table, "10.0.0.5"), Some((1, 8, 5, Source::Announced)));
    assert_eq!(table.to_announce(&topology(), E1), [], "it is not ours any more");
}

#[test]
fn an_announcement_replaces_the_one_before() {
    let mut table = HostTable::default();
    table.announced(E2, vec![seen("10.0.0.5", 5, 8, 1), seen("10.0.0.6", 6, 8, 1)], Nanos(1));
    table.announced(E2, vec![seen("10.0.0.6", 6, 8, 2)], Nanos(2));
    assert_eq!(place(&table, "10.0.0.5"), None);
    assert!(place(&table, "10.0.0.6").is_some());
}

#[test]
fn silence_forgets() {
    let mut table = HostTable::default();
    table.learn(seen("10.0.0.5", 5, 9, 0));
    table.announced(E2, vec![seen("10.0.0.6", 6, 8, 0)], Nanos(0));
    table.expire(Nanos(0) + (ANNOUNCED_FOR - Duration::from_nanos(1)));
    assert!(place(&table, "10.0.0.6").is_some());
    table.expire(Nanos(0) + ANNOUNCED_FOR);
    assert!(place(&table, "10.0.0.6").is_none() && place(&table, "10.0.0.5").is_some());
    table.expire(Nanos(0) + LEARNED_FOR);
    assert!(place(&table, "10.0.0.5").is_none());
}

#[test]
fn only_what_changes_is_news() {
    let mut table = HostTable::default();
    assert!(table.learn(seen("10.0.0.5", 5, 9, 1)));
    assert!(!table.learn(seen("10.0.0.5", 5, 9, 2)));
    assert!(table.learn(seen("10.0.0.5", 6, 9, 3)));
}

#[test]
fn what_can_be_no_host_is_not_learned() {
    let mut table = HostTable::default();
    for address in
        ["0.0.0.0", "255.255.255.255", "224.0.0.1", "169.254.0.1", "127.0.0.1", "fe80::1", "ff02::1", "::"]
    {
        assert!(!table.learn(seen(address, 5, 9, 1)), "{address}");
    }
    let odd = [[1, 0, 0, 0, 0, 1], [0; 6], [2, 0x53, 0x4d, 0, 0, 0]];
    for mac in odd {
        assert!(!table.learn(Sighting { mac: MacAddress::new(mac), ..seen("10.0.0.5", 0, 9, 1) }), "{mac:?}");
    }
}

#[test]
fn one_port_cannot_fill_the_table() {
    let mut table = HostTable::default();
    for n in 0..ADDRESSES_PER_PORT as u32 + 10 {
        let address = IpAddr::from((0x0a01_0000 + n).to_be_bytes());
        table.learn(Sighting { address, ..seen("10.0.0.5", 5, 9, 1) });
    }
    assert_eq!(table.to_announce(&topology(), E1).len(), ADDRESSES_PER_PORT);
    assert!(table.learn(seen("10.0.0.9", 9, 8, 1)), "another port is not affected");
}

#[test]
fn map_addresses_convert_both_ways() {
    for text in ["10.0.0.1", "fd00::1"] {
        let address: IpAddr = text.parse().unwrap();
        assert_eq!(ip_address(map_address(address)), address);
    }
}

#[test]
fn a_restarted_agent_remembers_but_believes_fresh_words_rather() {
    let mut table = HostTable::default();
    let now = Nanos(0) + LEARNED_FOR;
    let found = [(None, seen("10.0.0.5", 5, 9, 0)), (Some(E2), seen("10.0.0.6", 6, 8, 0))];
    table.remember(found.into_iter(), now);
    table.expire(now);
    assert_eq!(place(&table, "10.0.0.5"), Some((0, 9, 5, Source::Learned)));
    assert_eq!(place(&table, "10.0.0.6"), Some((1, 8, 6, Source::Announced)));
    let Nanos(a_minute_ago) = now - Duration::from_secs(60);
    table.announced(E2, vec![seen("10.0.0.5", 5, 8, a_minute_ago)], now);
    assert_eq!(place(&table, "10.0.0.5"), Some((1, 8, 5, Source::Announced)), "it has moved meanwhile");
    assert_eq!(place(&table, "10.0.0.6"), None, "its edge does not know it any more");
}

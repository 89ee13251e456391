use super::*;

const TOKEN: Token = Token(7);
const WORTH: Worth = Worth { time: Duration::from_secs(1), bytes: 1_000_000 };

fn at(milliseconds: u64) -> Nanos {
    Nanos(milliseconds * 1_000_000)
}

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ends(local: &str, remote: &str) -> Ends {
    Ends { local: socket(local), remote: socket(remote) }
}

fn initial() -> Ends {
    ends("10.0.1.1:40000", "10.0.2.1:80")
}

fn offer(extra: usize, sources: &[&str]) -> Offer {
    let listeners = (1..=extra).map(|port| socket(&format!("10.0.1.1:{}", 61000 + port))).collect();
    Offer { extra, listeners, sources: sources.iter().map(|source| source.parse().unwrap()).collect() }
}

/// A connection that has begun at 0.
fn begun(is_server: bool, denies_initial: bool, offer: Offer) -> Connections {
    let mut connections = Connections::new(WORTH);
    assert_eq!(connections.offer(offer, at(0)), []);
    let event = Event::Established { ends: initial(), is_server, denies_initial };
    assert_eq!(connections.hear(TOKEN, event, at(0)), []);
    connections
}

fn announced(connections: &mut Connections, id: u8, address: &str, now: u64) -> Vec<Order> {
    connections.hear(TOKEN, Event::Announced { id, address: socket(address) }, at(now))
}

fn open(from: &str, id: u8, to: &str) -> Order {
    Order::Open { token: TOKEN, from: from.parse().unwrap(), id, to: socket(to) }
}

fn up(connections: &mut Connections, local: &str, remote: &str, now: u64) -> Vec<Order> {
    connections.hear(TOKEN, Event::SubflowEstablished(ends(local, remote)), at(now))
}

fn closed(connections: &mut Connections, ends: Ends, error: u8, now: u64) -> Vec<Order> {
    connections.hear(TOKEN, Event::SubflowClosed { ends, error }, at(now))
}

/// A client with two subflows beside the initial one.
fn with_three_subflows() -> Connections {
    let mut connections = begun(false, false, offer(2, &[]));
    for (id, port) in [(1, 61001), (2, 61002)] {
        assert_eq!(announced(&mut connections, id, &format!("10.0.2.1:{port}"), 10), []);
    }
    let to = [open("10.0.1.1", 0, "10.0.2.1:61001"), open("10.0.1.1", 0, "10.0.2.1:61002")];
    assert_eq!(connections.settle(at(1000)), to);
    up(&mut connections, "10.0.1.1:40001", "10.0.2.1:61001", 1001);
    up(&mut connections, "10.0.1.1:40002", "10.0.2.1:61002", 1001);
    connections
}

#[test]
fn short_connections_have_one_subflow_and_long_or_big_ones_what_there_is() {
    let mut long = begun(false, false, offer(1, &[]));
    assert_eq!(announced(&mut long, 1, "10.0.2.1:61001", 10), []);
    assert_eq!(long.settle(at(999)), []);
    assert_eq!(long.settle(at(1000)), [open("10.0.1.1", 0, "10.0.2.1:61001")]);
    assert_eq!(long.settle(at(1001)), [], "it is tried");

    let mut big = begun(false, false, offer(1, &[]));
    announced(&mut big, 1, "10.0.2.1:61001", 10);
    assert_eq!(big.due(at(50)), []);
    assert_eq!(big.due(at(100)), [(TOKEN, initial())]);
    let health = |bytes| Health { bytes, is_stuck: false };
    assert_eq!(big.measured(TOKEN, initial(), health(999_999), at(100)), []);
    assert_eq!(
        big.measured(TOKEN, initial(), health(1_000_000), at(200)),
        [open("10.0.1.1", 0, "10.0.2.1:61001")]
    );

    let mut short = begun(false, false, offer(1, &[]));
    announced(&mut short, 1, "10.0.2.1:61001", 10);
    assert_eq!(short.hear(TOKEN, Event::Closed, at(900)), []);
    assert_eq!((short.settle(at(2000)), short.next()), (vec![], None));
}

#[test]
fn the_host_that_was_connected_to_tells_of_ports_and_opens_nothing() {
    let mut connections = begun(true, false, offer(2, &["10.0.1.2"]));
    let told = |number: u8| Order::Announce {
        token: TOKEN,
        id: number,
        address: socket(&format!("10.0.1.1:6100{number}")),
    };
    assert_eq!(connections.settle(at(1000)), [told(1), told(2)]);
    assert_eq!(connections.settle(at(2000)), []);
    assert_eq!(connections.offer(offer(3, &[]), at(3000)), [told(3)], "the fabric has a path more");
    assert_eq!(connections.offer(offer(1, &[]), at(4000)), [], "what is told stays");
}

#[test]
fn an_announcement_without_a_port_is_of_the_port_of_the_connection() {
    let mut connections = begun(false, false, offer(1, &[]));
    announced(&mut connections, 1, "10.0.3.1:0", 10);
    assert_eq!(connections.settle(at(1000)), [open("10.0.1.1", 0, "10.0.3.1:80")]);
    let mut connections = begun(false, false, offer(1, &[]));
    announced(&mut connections, 1, "10.0.3.1:0", 10);
    connections.hear(TOKEN, Event::Withdrawn { id: 1 }, at(20));
    assert_eq!(connections.settle(at(1000)), []);
}

#[test]
fn each_further_address_serves_once_and_goes_to_what_was_told_first() {
    let mut connections = begun(false, false, offer(3, &["10.0.1.2", "10.0.1.3", "fd00::1"]));
    announced(&mut connections, 1, "10.0.2.2:0", 10);
    let expected = [open("10.0.1.2", 1, "10.0.2.2:80"), open("10.0.1.3", 2, "10.0.2.1:80")];
    assert_eq!(connections.settle(at(1000)), expected);
    let mut denied = begun(false, true, offer(3, &["10.0.1.2", "10.0.1.3"]));
    announced(&mut denied, 1, "10.0.2.2:0", 10);
    assert_eq!(denied.settle(at(1000)), expected[..1], "no join to the initial address: the C flag");
}

#[test]
fn a_subflow_that_an_error_ended_is_opened_again_with_growing_pauses() {
    let mut connections = with_three_subflows();
    let lost = ends("10.0.1.1:40001", "10.0.2.1:61001");
    let again = [open("10.0.1.1", 0, "10.0.2.1:61001")];
    assert_eq!(closed(&mut connections, lost, 110, 2000), []);
    assert_eq!(connections.settle(at(2999)), []);
    assert_eq!(connections.settle(at(3000)), again);
    connections.refused(TOKEN, "10.0.1.1".parse().unwrap(), socket("10.0.2.1:61001"), at(3000));
    assert_eq!(connections.settle(at(4999)), []);
    assert_eq!(connections.settle(at(5000)), again, "two seconds after the second failure");
    assert_eq!(connections.settle(at(14_999)), []);
    assert_eq!(connections.settle(at(15_000)), [], "no answer in ten seconds is a failure");
    assert_eq!(connections.settle(at(19_000)), again);
    up(&mut connections, "10.0.1.1:40009", "10.0.2.1:61001", 19_001);
    assert_eq!(closed(&mut connections, ends("10.0.1.1:40009", "10.0.2.1:61001"), 104, 30_000), []);
    assert_eq!(connections.settle(at(31_000)), again, "it had worked, so the pause is short again");
}

#[test]
fn a_subflow_that_a_host_closed_stays_closed() {
    let mut connections = with_three_subflows();
    assert_eq!(closed(&mut connections, ends("10.0.1.1:40001", "10.0.2.1:61001"), 0, 2000), []);
    assert_eq!(connections.settle(at(100_000)), []);
}

#[test]
fn the_initial_subflow_is_opened_again_as_well() {
    let mut connections = with_three_subflows();
    assert_eq!(closed(&mut connections, initial(), 104, 2000), []);
    assert_eq!(connections.settle(at(3000)), [open("10.0.1.1", 0, "10.0.2.1:80")]);
}

#[test]
fn a_subflow_without_acknowledgments_is_a_backup_until_they_come_again() {
    let mut connections = with_three_subflows();
    assert_eq!(connections.due(at(2000)).len(), 3);
    assert_eq!(connections.due(at(2500)), []);
    let stuck = Health { bytes: 5, is_stuck: true };
    let well = Health { bytes: 5, is_stuck: false };
    let first = initial();
    let set = |ends, is_backup| vec![Order::SetBackup { token: TOKEN, ends, is_backup }];
    assert_eq!(connections.measured(TOKEN, first, stuck, at(2000)), set(first, true));
    assert_eq!(connections.measured(TOKEN, first, stuck, at(3000)), []);
    assert_eq!(connections.measured(TOKEN, first, well, at(4000)), set(first, false));
    let others = [ends("10.0.1.1:40001", "10.0.2.1:61001"), ends("10.0.1.1:40002", "10.0.2.1:61002")];
    for other in others {
        assert_eq!(connections.measured(TOKEN, other, stuck, at(5000)), set(other, true));
    }
    assert_eq!(connections.measured(TOKEN, first, stuck, at(5000)), [], "none is better");
}

#[test]
fn nothing_is_due_at_once_again_when_there_is_enough() {
    let mut connections = with_three_subflows();
    announced(&mut connections, 3, "10.0.2.1:61003", 1500);
    connections.refused(TOKEN, "10.0.1.1".parse().unwrap(), socket("10.0.2.1:61003"), at(1500));
    assert_eq!(connections.settle(at(5000)), []);
    assert_eq!(connections.due(at(5000)).len(), 3);
    assert_eq!(connections.next(), Some(at(6000)));
    assert_eq!(connections.counts(), Counts { connections: 1, worth: 1, subflows: 3 });
}

#[test]
fn what_is_gone_without_a_word_is_forgotten() {
    let mut connections = with_three_subflows();
    for (token, ends) in connections.subflows() {
        connections.missing(token, ends, at(2000));
    }
    assert_eq!(connections.counts(), Counts::default());
}

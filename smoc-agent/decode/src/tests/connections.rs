//! Whose option it is.

use smoc_common::{
    token::{Version, derive},
    wire::tcp::{ACK, FIN, RST, SYN},
};

use super::scene::{Scene, capable, join, option, token};

const A: &str = "10.0.0.1:40000";
const A2: &str = "10.1.0.1:40001";
const B: &str = "10.0.0.2:5001";
const B2: &str = "10.1.0.2:5001";
const KEYS: [u64; 2] = [0x1111_2222_3333_4444, 0x5555_6666_7777_8888];
const OTHER_KEYS: [u64; 2] = [0x0102_0304_0506_0708, 0x1817_1615_1413_1211];
/// Two keys with the token [`SHARED`].
const COLLIDING: [u64; 2] = [0x0783_91f4_0003_7afb, 0xc32c_07bf_bf9e_6099];
const SHARED: u32 = 0x2b78_6154;

const REMOVE_ADDRESS: &[u8] = &[30, 4, 0x40, 1];

#[test]
fn joins_from_either_side_and_between_other_addresses_are_found_by_token() {
    let mut scene = Scene::default();
    scene.connect(A, B, KEYS, 1);
    scene.join(A2, B, token(KEYS[1])).join(A2, B2, token(KEYS[1]));
    scene.join("[fd00::1]:1", "[fd00::2]:2", token(KEYS[1]));
    scene.join("10.0.0.2:3", "10.0.0.1:4", token(KEYS[0])).join("10.7.0.2:3", "10.7.0.1:4", token(KEYS[0]));
    assert_eq!(scene.connections(), [Some(0); 8]);
}

#[test]
fn later_options_of_a_joined_subflow_belong_to_its_connection() {
    let mut scene = Scene::default();
    scene.connect(A, B, OTHER_KEYS, 1).connect(A2, B, KEYS, 1).join("10.9.0.1:1", B, token(KEYS[1]));
    scene.send("10.9.0.1:1", B, ACK, [2, 2], REMOVE_ADDRESS).send(
        B,
        "10.9.0.1:1",
        ACK,
        [2, 2],
        REMOVE_ADDRESS,
    );
    assert_eq!(scene.connections()[6..], [Some(1); 3]);
}

#[test]
fn version_0_tokens_are_found_too() {
    let capable = |keys: &[u64]| capable(Version::V0, keys);
    let mut scene = Scene::default();
    scene.send(A, B, SYN, [1, 0], &capable(&KEYS[..1])).send(B, A, SYN | ACK, [1, 2], &capable(&KEYS[1..]));
    // Both keys are known by now: no third ACK is needed.
    scene.join(B2, A2, derive(Version::V0, KEYS[0])).join(A2, B2, derive(Version::V0, KEYS[1]));
    scene.join(A2, B, token(KEYS[1]));
    assert_eq!(scene.connections(), [Some(0), Some(0), Some(0), Some(0), None]);
}

#[test]
fn repeated_syn_is_no_new_connection() {
    let syn = capable(Version::V1, &[]);
    let mut scene = Scene::default();
    scene.send(A, B, SYN, [1, 0], &syn).send(A, B, SYN, [1, 0], &syn);
    // The last tries of a host that gets no answer have no MPTCP option.
    scene.send(A, B, SYN, [1, 0], &[]).send(A, B, SYN, [1, 0], &syn).connect(A, B, KEYS, 1);
    assert_eq!(scene.connections(), [Some(0); 6]);
}

#[test]
fn new_syn_between_the_same_ports_is_a_new_connection() {
    let mut scene = Scene::default();
    scene.connect(A, B, KEYS, 1).connect(A, B, OTHER_KEYS, 500);
    scene.join(A2, B, token(KEYS[1])).join(A2, B2, token(OTHER_KEYS[1]));
    scene.send(A, B, ACK, [9, 9], REMOVE_ADDRESS);
    assert_eq!(scene.connections(), [0, 0, 0, 1, 1, 1, 0, 1, 1].map(Some));
}

#[test]
fn same_sequence_number_behind_a_reset_or_with_another_key_is_a_new_connection() {
    for end in [RST, FIN | ACK] {
        let mut scene = Scene::default();
        scene.connect(A, B, KEYS, 1).send(B, A, end, [7001, 2], &[]).connect(A, B, OTHER_KEYS, 1);
        assert_eq!(scene.connections(), [0, 0, 0, 1, 1, 1].map(Some));
    }
    let mut scene = Scene::default();
    scene.send(A, B, SYN, [1, 0], &capable(Version::V0, &[5]));
    scene.send(A, B, SYN, [1, 0], &capable(Version::V0, &[5]));
    scene.send(A, B, SYN, [1, 0], &capable(Version::V0, &[6]));
    assert_eq!(scene.connections(), [Some(0), Some(0), Some(1)]);
}

#[test]
fn plain_tcp_between_the_same_ports_ends_a_subflow() {
    let mut scene = Scene::default();
    scene.connect(A, B, KEYS, 1).send(A, B, SYN, [77, 0], &[]).send(A, B, ACK, [78, 1], REMOVE_ADDRESS);
    assert_eq!(scene.connections(), [Some(0), Some(0), Some(0), None]);
}

#[test]
fn joins_between_the_ports_of_another_connection_go_to_their_own() {
    let mut scene = Scene::default();
    scene.connect(A, B, KEYS, 1).connect(A2, B, OTHER_KEYS, 1);
    scene.send(A2, B, SYN, [9, 0], &join(token(KEYS[1]), 1, false));
    scene.send(B, A2, SYN | ACK, [9, 10], &option(1, 0, &[0; 13]));
    assert_eq!(scene.connections()[6..], [Some(0), Some(0)]);
}

#[test]
fn what_began_before_the_capture_belongs_to_nothing() {
    let mut scene = Scene::default();
    scene.send(B, A2, SYN | ACK, [1, 2], &option(1, 0, &[0; 13])).join(A2, B2, token(KEYS[1]));
    scene.send(A, B, ACK, [1, 2], REMOVE_ADDRESS);
    assert_eq!(scene.connections(), [None; 3]);
}

#[test]
fn connection_seen_from_its_syn_ack_or_third_ack_on_is_a_connection() {
    let [_, syn_ack, ack] = <[Vec<u8>; 3]>::try_from({
        let mut whole = Scene::default();
        whole.connect(A, B, KEYS, 1);
        whole.packets
    })
    .unwrap();
    for packets in [vec![syn_ack, ack.clone()], vec![ack]] {
        let count = packets.len();
        let mut scene = Scene { packets };
        scene.join(A2, B2, token(KEYS[1]));
        assert_eq!(scene.connections(), vec![Some(0); count + 1]);
    }
}

#[test]
fn file_with_frames_out_of_order_finds_the_same_connections() {
    let mut scene = Scene::default();
    scene.connect(A, B, KEYS, 1).join(A2, B2, token(KEYS[1])).join(B2, A2, token(KEYS[0]));
    scene.packets.reverse();
    assert_eq!(scene.connections(), [Some(0); 5]);
}

#[test]
fn colliding_tokens_are_told_apart_by_address() {
    let (c, d) = ("10.3.0.1:1", "10.3.0.2:80");
    let mut scene = Scene::default();
    scene.connect(A, B, [1, COLLIDING[0]], 1).connect(c, d, [2, COLLIDING[1]], 1);
    let known = [
        (A2, B, Some(0)),
        ("10.8.0.1:1", "10.3.0.2:9", Some(1)),
        // By the joiner, where the destination is new; which makes that known as well.
        ("10.0.0.1:7", B2, Some(0)),
        ("10.3.0.1:7", "10.3.1.2:80", Some(1)),
        ("10.8.0.2:1", "10.3.1.2:9", Some(1)),
    ];
    for (from, to, _) in known {
        scene.join(from, to, SHARED);
    }
    // By the port, if nothing else; and not at all.
    scene.join("10.8.0.8:1", "10.8.0.10:5001", SHARED).join("10.8.0.9:1", "10.8.0.11:9", SHARED);
    let expected: Vec<_> =
        known.into_iter().map(|(_, _, connection)| connection).chain([Some(0), None]).collect();
    assert_eq!(scene.connections()[6..], expected);
}

#[test]
fn colliding_tokens_are_told_apart_by_announced_addresses() {
    let mut scene = Scene::default();
    scene.connect(A, B, [1, COLLIDING[0]], 1).connect("10.3.0.1:1", "10.3.0.2:80", [2, COLLIDING[1]], 1);
    let announce = |echo: u8, length: usize| {
        let mut rest = vec![1, 10, 66, 0, 1];
        rest.resize(length, 0);
        option(3, echo, &rest)
    };
    // The echo goes the other way: it is not the echoing host that has this address.
    scene.send(B, A, ACK, [9, 9], &announce(0, 13)).send(A, B, ACK, [9, 9], &announce(1, 5));
    scene.join("10.8.0.9:1", "10.66.0.1:80", SHARED);
    assert_eq!(scene.connections()[6..], [Some(0); 3]);
}

#[test]
fn token_that_one_host_used_again_is_the_open_connections() {
    let mut scene = Scene::default();
    scene.connect(A, B, [1, COLLIDING[0]], 1).connect("10.0.0.1:2", B, [2, COLLIDING[1]], 1);
    scene.send(A, B, RST, [2, 2], &[]).join(A2, B, SHARED);
    assert_eq!(scene.connections()[6..], [Some(1)]);
}

#[test]
fn third_ack_with_other_keys_or_another_version_binds_no_token() {
    let mut scene = Scene::default();
    let [ours, theirs] = KEYS;
    scene.send(A, B, SYN, [1, 0], &capable(Version::V1, &[]));
    scene.send(B, A, SYN | ACK, [1, 2], &capable(Version::V1, &[theirs]));
    scene.send(A, B, ACK, [2, 2], &capable(Version::V1, &[ours, 99]));
    scene.send(A, B, ACK, [2, 2], &capable(Version::V0, &[ours, theirs]));
    scene.join(B2, A2, token(ours)).join(B2, A, derive(Version::V0, ours)).join(A2, B2, token(theirs));
    assert_eq!(scene.connections()[4..], [None, None, Some(0)]);
}

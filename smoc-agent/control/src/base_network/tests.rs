use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use smoc_common::route::PortNumber;
use smoc_paths::topology::{
    SwitchId, Topology, TopologyFile,
    generate::{self, Random},
};

use super::{
    Agreement, Epoch, Neighbor, Seen, Statement, Tree,
    model::{CALM, End, Pieces, Unruly, World},
};
use crate::{
    clock::Nanos,
    interfaces::BridgePort::{self, Closed, Forwarding},
    plan::spanning_tree,
};

fn port(number: usize) -> PortNumber {
    PortNumber::new(number as u16).unwrap()
}

/// A random graph of up to 8 switches, with parallel links.
fn random_links(random: &mut Random) -> Vec<[End; 2]> {
    let switches = 3 + random.below(6);
    let mut used = vec![0; switches];
    let mut end = |at: usize| {
        used[at] += 1;
        (format!("s{at}"), port(used[at]))
    };
    let mut links: Vec<[End; 2]> = (0..switches).map(|at| [end(at), end((at + 1) % switches)]).collect();
    for _ in 0..random.below(5) {
        let (a, b) = (random.below(switches), random.below(switches));
        if a != b {
            links.push([end(a), end(b)]);
        }
    }
    links
}

/// Some tree: maximal, or with links left out.
fn random_tree(links: &[[End; 2]], random: &mut Random) -> BTreeSet<usize> {
    let mut order: Vec<usize> = (0..links.len()).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at + 1));
    }
    let mut pieces = Pieces::default();
    order.retain(|link| pieces.join(&links[*link][0].0, &links[*link][1].0));
    if random.below(2) == 0 {
        let left = order.len() - random.below(3).min(order.len());
        order.truncate(left);
    }
    order.into_iter().collect()
}

fn random_unruly(random: &mut Random) -> Unruly {
    let most = |random: &mut Random, choices: &[usize]| choices[random.below(choices.len())];
    Unruly {
        message: most(random, &[1, 20, 500]),
        kernel: most(random, &[1, 50, 1000]),
        lost: most(random, &[0, 10, 50]),
        repeated: most(random, &[0, 20]),
    }
}

/// Something that nobody expects happens.
fn disturb(world: &mut World, trees: &mut [BTreeSet<usize>]) {
    let names = world.names();
    let name = &names[world.random.below(names.len())];
    match world.random.below(10) {
        0..=5 => {
            let digest = world.random.below(trees.len());
            let tree = world.tree(name, digest as u64, &trees[digest]);
            world.want(name, tree);
        }
        6 => world.kill(name),
        7 | 8 => world.start(name),
        _ => {
            let (link, there) = (world.random.below(world.links.len()), world.random.below(2) == 0);
            world.carrier(link, there, Closed);
        }
    }
}

/// When all agents live and know the same, its tree is open, and nothing else.
fn come_to_rest(world: &mut World, tree: &BTreeSet<usize>) {
    world.unruly = CALM;
    (0..world.links.len()).for_each(|link| world.carrier(link, true, Closed));
    for name in world.names() {
        let wanted = world.tree(&name, 1000, tree);
        world.want(&name, wanted);
        if world.boxes[&name].agent.is_none() {
            world.start(&name);
        }
    }
    // What was still under way arrives.
    world.run_for(1500);
    let is_there = |world: &World| (&world.open(), world.open_ends()) == (tree, 2 * tree.len());
    for _ in 0..200 {
        if !is_there(world) {
            world.run_for(100);
        }
    }
    assert!(is_there(world), "open: {:?}, the tree: {tree:?}", world.open());
    world.run_for(500);
    assert!(is_there(world), "it does not stay");
}

fn random_schedule(seed: u64) {
    let mut random = Random(seed);
    let links = random_links(&mut random);
    let mut trees: Vec<_> = (0..2 + random.below(3)).map(|_| random_tree(&links, &mut random)).collect();
    // One that only loses links.
    let mut smaller = trees[0].clone();
    smaller.pop_first();
    trees.push(smaller);
    let mut world = World::new(links, seed);
    let unruly = random_unruly(&mut world.random);
    for name in world.names() {
        let tree = world.tree(&name, 0, &trees[0]);
        world.want(&name, tree);
        world.start(&name);
    }
    if world.random.below(2) == 0 {
        world.run_for(1000);
        assert_eq!(world.open(), trees[0]);
    }
    world.unruly = unruly;
    let pause = [1, 30, 300][world.random.below(3)];
    for _ in 0..60 {
        disturb(&mut world, &mut trees);
        let steps = world.random.below(pause);
        (0..steps).for_each(|_| world.step());
    }
    let last = trees[0].clone();
    come_to_rest(&mut world, &last);
}

#[test]
fn no_schedule_makes_a_loop_and_the_same_facts_open_the_tree() {
    (0..1000).for_each(random_schedule);
}

/// A ring of which parts go over to other trees, one after the other: two parts that differ must not both close it.
fn ring_in_parts(seed: u64) {
    let mut random = Random(seed);
    let switches = 8 + random.below(4);
    let name = |at: usize| format!("s{}", at % switches);
    let links: Vec<[End; 2]> =
        (0..switches).map(|at| [(name(at), port(1)), (name(at + 1), port(2))]).collect();
    let trees: Vec<BTreeSet<usize>> = (0..3)
        .map(|_| {
            let without = random.below(switches);
            (0..switches).filter(|link| *link != without).collect()
        })
        .collect();
    let mut world = World::new(links, seed);
    for at in 0..switches {
        let tree = world.tree(&name(at), 0, &trees[0]);
        world.want(&name(at), tree);
        world.start(&name(at));
    }
    world.run_for(500);
    world.unruly = random_unruly(&mut random);
    for _ in 0..40 {
        let (digest, first, many) = (random.below(3), random.below(switches), 2 + random.below(6));
        for at in first..first + many {
            let tree = world.tree(&name(at), digest as u64, &trees[digest]);
            world.want(&name(at), tree);
        }
        world.run_for(10 + random.below(600) as u64);
    }
}

#[test]
fn parts_of_a_ring_that_use_different_trees_do_not_close_it() {
    (0..150).for_each(ring_in_parts);
}

const NOW: Nanos = Nanos(1_000_000_000);

/// Of a switch m between x, behind port 1, and y, behind port 2; both links are in its tree. Ports are closed.
fn between() -> Agreement {
    let neighbor = |switch: &str| Neighbor { switch: switch.into(), port: port(1), in_tree: true };
    let tree = Tree { digest: 7, ports: [(port(1), neighbor("x")), (port(2), neighbor("y"))].into() };
    Agreement::new("m", 1, tree, states([Closed; 2]), NOW)
}

fn states(states: [BridgePort; 2]) -> BTreeMap<PortNumber, Seen> {
    [(port(1), Seen::Present(states[0])), (port(2), Seen::Present(states[1]))].into()
}

/// The neighbour agrees to the epoch of that number.
fn agrees(switch: &str, sequence: u64) -> Statement {
    let epoch = |boot, sequence| Epoch { boot, sequence };
    Statement {
        switch: switch.into(),
        port: port(1),
        digest: 7,
        epoch: epoch(9, 1),
        heard: epoch(1, sequence),
        synced: true,
    }
}

#[test]
fn only_the_expected_neighbour_confirms_and_only_this_epoch_and_tree_and_if_it_is_synced() {
    let good = agrees("x", 1);
    let others = [
        Statement { switch: "y".into(), ..good.clone() },
        Statement { port: port(2), ..good.clone() },
        Statement { digest: 8, ..good.clone() },
        Statement { heard: Epoch { boot: 2, sequence: 1 }, ..good.clone() },
        Statement { synced: false, ..good.clone() },
        agrees("x", 2),
    ];
    for (statement, opens) in others.into_iter().map(|other| (other, false)).chain([(good, true)]) {
        let mut agreement = between();
        agreement.hear(port(1), statement.clone(), NOW);
        assert_eq!(agreement.settle(NOW), opens, "{statement:?}");
        assert_eq!(agreement.is_to_be_set(port(1)), opens);
    }
}

#[test]
fn nothing_is_opened_and_nothing_called_synced_while_another_port_is_open_unconfirmed() {
    let mut agreement = between();
    agreement.seen(states([Closed, Forwarding]));
    agreement.take_over();
    agreement.hear(port(1), agrees("x", 1), NOW);
    assert!(!agreement.settle(NOW) && agreement.wanted(port(1)) == Closed);
    let synced = |agreement: &mut Agreement| {
        let said = agreement.statements(|_| true, NOW);
        said.into_iter().map(|statement| (statement.port, statement.synced)).collect::<Vec<_>>()
    };
    assert_eq!(synced(&mut agreement), [(port(1), false), (port(2), true)]);
    agreement.hear(port(2), agrees("y", 1), NOW);
    assert!(agreement.settle(NOW) && agreement.wanted(port(1)) == Forwarding);
    assert_eq!(synced(&mut agreement), [(port(1), true), (port(2), true)], "what changed is said again");
}

#[test]
fn a_port_whose_opening_may_be_under_way_counts_as_open_until_it_is_closed() {
    let mut agreement = between();
    agreement.hear(port(2), agrees("y", 1), NOW);
    assert!(agreement.settle(NOW) && agreement.is_to_be_set(port(2)));
    agreement.was_asked(port(2));
    // Before the kernel says that it is open, the tree becomes another, without it.
    let mut other = Tree { digest: 8, ports: BTreeMap::new() };
    for (number, name, in_tree) in [(1, "x", true), (2, "y", false)] {
        other.ports.insert(port(number), Neighbor { switch: name.into(), port: port(1), in_tree });
    }
    agreement.want(other, NOW);
    agreement.hear(port(1), Statement { digest: 8, ..agrees("x", 2) }, NOW);
    agreement.settle(NOW);
    assert_eq!((agreement.wanted(port(1)), agreement.wanted(port(2))), (Closed, Closed));
    assert!(agreement.is_to_be_set(port(2)), "closed, although the kernel says that it is");
    agreement.was_asked(port(2));
    assert!(agreement.settle(NOW) && agreement.is_to_be_set(port(1)));
}

fn parse(text: &str) -> Topology {
    TopologyFile::parse(Path::new("t.yaml"), text).unwrap().topology
}

fn whole_tree(topology: &Topology, this: SwitchId) -> Tree {
    Tree::of(topology, this, &spanning_tree(topology, &BTreeSet::new()))
}

/// The cables of a network.
fn cables(topology: &Topology) -> Vec<[End; 2]> {
    let end = |end: smoc_paths::topology::End| (topology.switch(end.switch).name.clone(), end.port);
    topology.links().iter().map(|link| [end(link.a), end(link.b)]).collect()
}

/// All that the new file has is cabled; all agents have the old file, and use its tree.
fn before_the_rollout(old: &Topology, new: &Topology, seed: u64) -> World {
    let mut world = World::new(cables(new), seed);
    for this in old.switch_ids() {
        let name = &old.switch(this).name;
        world.want(name, whole_tree(old, this));
        world.start(name);
    }
    world.run_for(2000);
    world
}

fn roll_out(world: &mut World, new: &Topology, name: &str) {
    let this = new.find_switch(name).unwrap();
    world.want(name, whole_tree(new, this));
    if world.boxes[name].agent.is_none() {
        world.start(name);
    }
}

fn assert_tree_is_open(world: &World, topology: &Topology) {
    let cables = cables(topology);
    let tree = spanning_tree(topology, &BTreeSet::new()).into_iter().map(|link| cables[link.index()].clone());
    let open = world.open().into_iter().map(|link| world.links[link].clone());
    assert_eq!(open.collect::<BTreeSet<_>>(), tree.collect());
}

#[test]
fn r1_a_leaf_that_comes_first_by_name_closes_another_link_of_the_ring_without_a_loop() {
    let ring = "links:\n  - {a: \"e:1\", b: \"d:1\"}\n  - {a: \"c:1\", b: \"e:2\"}\n  - {a: \"b:1\", b: \"d:2\"}\n  \
                - {a: \"c:2\", b: \"b:2\"}\n";
    let (old, new) = (parse(ring), parse(&format!("{ring}  - {{a: \"a:1\", b: \"e:3\"}}\n")));
    let names = ["b", "c", "d", "e"];
    for mask in 0..16u32 {
        let mut world = before_the_rollout(&old, &new, mask.into());
        assert_tree_is_open(&world, &old);
        for name in (0..4).filter(|at| mask >> at & 1 == 1).map(|at| names[at]) {
            roll_out(&mut world, &new, name);
        }
        // Longer than any timeout; each step checks for loops.
        world.run_for(15_000);
        for name in ["a", "b", "c", "d", "e"] {
            roll_out(&mut world, &new, name);
        }
        world.run_for(15_000);
        assert_tree_is_open(&world, &new);
    }
}

#[test]
fn r1b_rollouts_one_by_one_on_random_networks_make_no_loop() {
    let mut random = Random(1);
    for (seed, switches) in (0..12).map(|seed| (seed, if seed % 6 == 5 { 60 } else { 20 })) {
        let draft = generate::wide_area(switches, switches * 3 / 2, seed).unwrap().build().unwrap();
        let mut text = String::from("links:\n");
        for link in draft.links() {
            let [a, b] = [link.a, link.b].map(|end| draft.end_name(end));
            text += &format!("  - {{a: \"{a}\", b: \"{b}\"}}\n");
        }
        let old = parse(&text);
        let at = &old.switch(SwitchId(random.below(switches) as u32)).name;
        let new = parse(&format!("{text}  - {{a: \"a:1\", b: \"{at}:99\"}}\n"));
        let mut world = before_the_rollout(&old, &new, seed);
        assert_tree_is_open(&world, &old);
        let mut order: Vec<String> = new.switches().iter().map(|switch| switch.name.clone()).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, random.below(at + 1));
        }
        for name in order {
            roll_out(&mut world, &new, &name);
            let pause = random.below(1000) as u64;
            world.run_for(pause);
        }
        world.run_for(15_000);
        assert_tree_is_open(&world, &new);
    }
}

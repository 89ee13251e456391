//! Which crate may know what: the floors of the house, read from `cargo metadata`, so that they stay.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::workspace::{cargo, command, output};

/// Whatever talks to the kernel, the network or the user, by the beginning of its name.
const RIM: [&str; 10] =
    ["tokio", "aya", "axum", "clap", "rtnetlink", "netlink", "hyper", "socket2", "etcd", "tonic"];
/// The crates that may know them.
const MAY_KNOW_THE_RIM: [&str; 6] =
    ["smoc-agent", "smoc-book", "smoc-tests", "smoc-fabric", "xtask", "smoc-ebpf"];
/// Of our own crates, which each may know.
const FLOORS: [(&str, &[&str]); 12] = [
    ("smoc-common", &[]),
    ("smoc-ebpf", &["smoc-common"]),
    ("smoc-paths", &["smoc-common"]),
    ("smoc-plot", &[]),
    ("smoc-book", &[]),
    ("smoc-decode", &["smoc-common"]),
    ("smoc-control", &["smoc-common", "smoc-paths"]),
    ("smoc-agent", &["smoc-common", "smoc-control", "smoc-decode", "smoc-paths", "smoc-plot"]),
    ("smoc-tests", &["smoc-common", "smoc-control", "smoc-decode", "smoc-paths", "smoc-plot"]),
    ("smoc-fabric", &["smoc-common", "smoc-control", "smoc-paths"]),
    ("smoc-fuzz", &["smoc-common", "smoc-control", "smoc-decode", "smoc-paths"]),
    ("xtask", &["smoc-book"]),
];
/// What the XDP programs may know beside our own crates.
const BPF: [&str; 2] = ["aya-ebpf", "aya-log-ebpf"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    dependencies: Vec<Dependency>,
}

/// A dependency as the manifest declares it; `kind` is null for a normal one.
#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    optional: bool,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Deserialize)]
struct NodeDependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

fn metadata() -> Metadata {
    let version = output(command("rustc").arg("-vV")).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
    let json =
        output(cargo().args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &host]));
    serde_json::from_str(&json.unwrap()).unwrap()
}

/// Each of our crates with the names of what it declares: normal dependencies only.
fn declared(metadata: &Metadata) -> BTreeMap<&str, Vec<&Dependency>> {
    let is_ours = |package: &&Package| metadata.workspace_members.contains(&package.id);
    let ours = metadata.packages.iter().filter(is_ours);
    ours.map(|package| {
        (
            package.name.as_str(),
            package.dependencies.iter().filter(|dependency| dependency.kind.is_none()).collect(),
        )
    })
    .collect()
}

/// Everything that a crate is built with, however far away.
fn reached<'a>(metadata: &'a Metadata, name: &str) -> BTreeSet<&'a str> {
    let names: BTreeMap<_, _> =
        metadata.packages.iter().map(|it| (it.id.as_str(), it.name.as_str())).collect();
    let nodes: BTreeMap<_, _> = metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let member = |id: &&String| names.get(id.as_str()).is_some_and(|found| *found == name);
    let mut open: Vec<&str> = metadata.workspace_members.iter().filter(member).map(String::as_str).collect();
    assert_eq!(open.len(), 1, "{name} is a member of the workspace");
    let mut reached = BTreeSet::new();
    while let Some(id) = open.pop() {
        for dependency in &nodes[id].deps {
            let is_normal = dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
            if is_normal && reached.insert(names[dependency.pkg.as_str()]) {
                open.push(&dependency.pkg);
            }
        }
    }
    reached
}

fn is_rim(name: &str) -> bool {
    RIM.iter().any(|rim| name.starts_with(rim))
}

#[test]
fn only_the_rim_knows_kernel_network_and_user() {
    let metadata = metadata();
    for (name, _) in FLOORS.iter().filter(|(name, _)| !MAY_KNOW_THE_RIM.contains(name)) {
        let known: Vec<_> = reached(&metadata, name).into_iter().filter(|name| is_rim(name)).collect();
        assert!(known.is_empty(), "{name} is built with {known:?}");
    }
    let others: Vec<_> = declared(&metadata)["smoc-ebpf"]
        .iter()
        .map(|dependency| dependency.name.as_str())
        .filter(|name| !name.starts_with("smoc-") && !BPF.contains(name))
        .collect();
    assert!(others.is_empty(), "the XDP programs know {others:?}");
}

#[test]
fn our_own_crates_know_those_below_them() {
    let metadata = metadata();
    let declared = declared(&metadata);
    let known: BTreeSet<_> = FLOORS.iter().map(|(name, _)| *name).collect();
    assert_eq!(declared.keys().copied().collect::<BTreeSet<_>>(), known, "every crate has a floor");
    for (name, allowed) in FLOORS {
        let ours = declared[name].iter().map(|dependency| dependency.name.as_str());
        let above: Vec<_> = ours.filter(|of| known.contains(of) && !allowed.contains(of)).collect();
        assert!(above.is_empty(), "{name} must not know {above:?}");
    }
    let common: Vec<_> = declared["smoc-common"].iter().map(|dependency| &dependency.name).collect();
    assert!(common.is_empty(), "smoc-common is built for the kernel and knows nothing: {common:?}");
}

#[test]
fn verbs_that_read_files_are_built_without_the_agent_and_the_lab_without_its_programs() {
    let metadata = metadata();
    let declared = declared(&metadata);
    let needed = |name: &str, but: &[&str]| -> Vec<&str> {
        let always = declared[name].iter().filter(|dependency| !dependency.optional);
        always.map(|it| it.name.as_str()).filter(|name| is_rim(name) && !but.contains(name)).collect()
    };
    assert!(needed("smoc-agent", &["clap"]).is_empty(), "{:?}", needed("smoc-agent", &["clap"]));
    let lab = ["clap", "socket2"];
    assert!(needed("smoc-tests", &lab).is_empty(), "{:?}", needed("smoc-tests", &lab));
}

//! What an agent refuses to start with, and what it only warns of. Each says what to change.

use std::{fs, os::unix::fs::PermissionsExt};

use aya::maps::{Array, Map, MapData};
use nix::sys::signal::Signal;
use smoc_common::map::Settings;
use smoc_tests::command::batch;

use super::site::{Site, said};

/// The refusal must have this exit status and say all of this.
fn assert_refused((status, message): (i32, String), expected: i32, parts: &[&str]) {
    assert_eq!(status, expected, "{message}");
    for part in parts {
        assert!(message.contains(part), "\"{part}\" is missing in: {message}");
    }
}

#[test]
fn missing_capabilities_are_named_before_anything_is_done() {
    let Some(site) = Site::open("missing_capabilities_are_named_before_anything_is_done") else { return };
    let config = site.configure("e1", &[]);
    let lacking = ["--bounding-set=-all,+net_raw", "--inh-caps=-all"];
    let refusal = said(site.with_setpriv(&lacking, &config));
    assert_refused(refusal, 1, &["needs CAP_NET_ADMIN and CAP_BPF", "setcap"]);
    assert!(!site.pin("e1").exists() && !site.path("e1.sock").exists());
}

#[test]
fn faulty_files_are_bad_input_with_file_line_and_field() {
    let Some(site) = Site::open("faulty_files_are_bad_input_with_file_line_and_field") else { return };
    site.configure("typo", &["sread: flows"]);
    assert_refused(site.refused("typo"), 2, &["typo.yaml:7: ", "unknown field `sread`"]);
    site.configure("port", &["ports: {1: p1, 9: p9}"]);
    assert_refused(site.refused("port"), 2, &["port.yaml:6: ports: 2 is missing, which e1:2-m1:2 uses"]);
    site.configure("e1", &[]);
    fs::write(site.path("topology.yaml"), "links:\n  - {a: \"e1:1\", b: \"e1:2\"}\n").unwrap();
    assert_refused(site.refused("e1"), 2, &["topology.yaml:2: links[0].b", "to itself"]);
    fs::write(site.path("topology.yaml"), "links: [{a: \"e1:1\", b: \"e2:2\"}, {a: \"x:1\", b: \"y:2\"}]\n")
        .unwrap();
    assert_refused(site.refused("e1"), 2, &["in 2 pieces"]);
}

#[test]
fn what_is_not_there_is_named() {
    let Some(site) = Site::open("what_is_not_there_is_named") else { return };
    site.configure("object", &["bpf: {object: no.bpf.o, pin: bpf/object}"]);
    assert_refused(site.refused("object"), 1, &["no.bpf.o", "cargo xtask build-ebpf"]);
    site.configure("file", &["topology: none.yaml"]);
    assert_refused(site.refused("file"), 2, &["none.yaml"]);
    let pin = format!("bpf: {{object: {}, pin: elsewhere/pins}}", site.object().display());
    site.configure("mount", &[&pin]);
    let elsewhere = site.path("elsewhere");
    let mount = format!("mount -t bpf bpf {}", elsewhere.display());
    assert_refused(site.refused("mount"), 1, &["not on a BPF file system", &mount]);
    assert!(!elsewhere.exists());
}

#[test]
fn what_is_missing_stops_nothing_else_and_is_used_when_it_is_there() {
    let Some(mut site) = Site::open("what_is_missing_stops_nothing_else_and_is_used_when_it_is_there") else {
        return;
    };
    site.configure("e1", &["ports: {1: p1, 2: p2, 9: eth7}", "bridge: br7"]);
    site.start_warning("e1", &["port 9: there is no interface eth7: create it"]);
    site.warns("e1", &["no bridge br7"]);
    assert!(site.program("p1").is_some() && site.ask("e1", "status").unwrap()["ready"] == true);
    batch("ip", &site.namespace, &["link set p9 down".into(), "link set p9 name eth7 up".into()]).unwrap();
    site.wait_for("e1", "status", |status| status["ports"][2]["attached"] == true);
}

#[test]
fn an_api_path_that_is_no_socket_is_left_alone() {
    let Some(site) = Site::open("an_api_path_that_is_no_socket_is_left_alone") else { return };
    fs::write(site.path("precious"), "data").unwrap();
    site.configure("e1", &["api: precious"]);
    assert_refused(site.refused("e1"), 1, &["precious is no socket", "set api to another path"]);
    assert_eq!(fs::read_to_string(site.path("precious")).unwrap(), "data");
    site.configure("e1", &["api_group: nobody-knows"]);
    assert_refused(site.refused("e1"), 1, &["api_group: there is no \"nobody-knows\""]);
}

#[test]
fn a_pin_directory_that_others_may_write_to_is_refused() {
    let Some(mut site) = Site::open("a_pin_directory_that_others_may_write_to_is_refused") else { return };
    site.configure("e1", &[]);
    fs::create_dir(site.pin("e1")).unwrap();
    fs::set_permissions(site.pin("e1"), fs::Permissions::from_mode(0o777)).unwrap();
    assert_refused(site.refused("e1"), 1, &["may be written to by others", "chmod 700"]);
    fs::set_permissions(site.pin("e1"), fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(site.pin("e1"), Some(65534), None).unwrap();
    assert_refused(site.refused("e1"), 1, &["belongs to user 65534", "chown"]);
    std::os::unix::fs::chown(site.pin("e1"), Some(0), None).unwrap();
    site.start("e1");
}

#[test]
fn tables_of_another_size_than_what_is_pinned_are_refused() {
    let Some(mut site) = Site::open("tables_of_another_size_than_what_is_pinned_are_refused") else { return };
    site.configure("e1", &[]);
    let agent = site.start("e1");
    site.end(agent, Signal::SIGTERM);
    site.configure("e1", &["tables: {hosts: 131072}"]);
    assert_refused(site.refused("e1"), 1, &["tables.hosts is 131072", "has room for 65536", "smoc detach"]);
}

#[test]
fn a_file_that_is_no_bpf_object_leaves_nothing_pinned() {
    let Some(site) = Site::open("a_file_that_is_no_bpf_object_leaves_nothing_pinned") else { return };
    fs::write(site.path("text.o"), "no object").unwrap();
    site.configure("e1", &["bpf: {object: text.o, pin: bpf/e1}"]);
    assert_refused(site.refused("e1"), 1, &["text.o is no BPF object of this version of smoc"]);
    assert_eq!(fs::read_dir(site.pin("e1")).unwrap().count(), 0);
}

#[test]
fn a_driver_without_native_xdp_is_named_and_generic_mode_works_there() {
    let Some(mut site) = Site::open("a_driver_without_native_xdp_is_named_and_generic_mode_works_there")
    else {
        return;
    };
    batch("ip", &site.namespace, &["link add d9 type ifb".into(), "link set d9 up".into()]).unwrap();
    let ports = "ports: {1: p1, 2: p2, 9: d9}";
    site.configure("e1", &[ports]);
    let agent = site.start_warning("e1", &["port 9", "the driver of d9 has no native XDP", "xdp: generic"]);
    assert!(site.program("p1").is_some(), "the other ports are served");
    site.end(agent, Signal::SIGTERM);
    site.configure("e1", &[ports, "xdp: generic"]);
    site.start("e1");
    let status = site.ask("e1", "status").unwrap();
    assert!(status["ports"].as_array().unwrap().iter().all(|port| port["mode"] == "generic"), "{status:#}");
}

#[test]
fn another_xdp_program_is_named_and_left_alone() {
    let Some(mut site) = Site::open("another_xdp_program_is_named_and_left_alone") else { return };
    site.configure("first", &[]);
    let first = site.start("first");
    site.end(first, Signal::SIGTERM);
    let program = site.program("p1").expect("it stays attached");
    site.configure("second", &[]);
    let named = format!("p1 already has an XDP program (id {program}, native)");
    site.start_warning("second", &["port 1", &named, "ip link set dev p1 xdp off"]);
    assert_eq!(site.program("p1"), Some(program));
}

#[test]
fn a_second_agent_is_refused_by_pin_directory_and_by_socket() {
    let Some(mut site) = Site::open("a_second_agent_is_refused_by_pin_directory_and_by_socket") else {
        return;
    };
    site.configure("first", &[]);
    site.start("first");
    let pin = format!("bpf: {{object: {}, pin: bpf/first}}", site.object().display());
    site.configure("pin", &[&pin]);
    assert_refused(site.refused("pin"), 1, &["another agent uses", "bpf/first", "another bpf.pin"]);
    site.configure("socket", &["api: first.sock"]);
    assert_refused(site.refused("socket"), 1, &["another agent listens on", "first.sock"]);
    assert_refused(site.detach("pin"), 1, &["another agent uses"]);
    assert_eq!(site.ask("first", "status").unwrap()["ready"], true);
}

#[test]
fn a_foreign_layout_is_left_alone_until_detached() {
    let Some(mut site) = Site::open("a_foreign_layout_is_left_alone_until_detached") else { return };
    site.configure("e1", &[]);
    let agent = site.start("e1");
    site.end(agent, Signal::SIGKILL);
    let program = site.program("p1");
    let settings = MapData::from_pin(site.pin("e1").join("SETTINGS")).and_then(Map::from_map_data).unwrap();
    let mut settings: Array<MapData, [u8; size_of::<Settings>()]> = settings.try_into().unwrap();
    let ours = settings.get(&0, 0).unwrap();
    let mut newer = ours;
    newer[4] += 1;
    settings.set(0, newer, 0).unwrap();
    assert_refused(site.refused("e1"), 1, &["cannot be taken over", "layout", "smoc detach --config"]);
    assert_eq!(site.program("p1"), program, "it still runs");
    settings.set(0, ours, 0).unwrap();

    site.configure(
        "m1",
        &[
            "switch: m1",
            "ports: {1: q1, 2: q2}",
            &format!("bpf: {{object: {}, pin: bpf/e1}}", site.object().display()),
        ],
    );
    assert_refused(site.refused("m1"), 1, &["of switch \"e1\", not \"m1\"", "smoc detach"]);

    fs::remove_file(site.pin("e1").join("EDGES")).unwrap();
    let other = MapData::from_pin(site.pin("e1").join("SETTINGS")).unwrap();
    other.pin(site.pin("e1").join("EDGES")).unwrap();
    assert_refused(site.refused("e1"), 1, &["map EDGES is", "smoc detach"]);
    assert_refused(site.detach("e1"), 0, &["removed 3 programs"]);
    assert_eq!((site.program("p1"), site.pin("e1").exists()), (None, false));
    site.start("e1");
}

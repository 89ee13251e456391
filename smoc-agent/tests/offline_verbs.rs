//! The offline verbs as a user meets them: what they print, and how they end.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A shortest path (e1 m1 m2 e2) that is in no pair of disjoint paths, and a link elsewhere.
const TRAP: &str = "links:
  - {a: 'e1:1', b: 'm1:1'}
  - {a: 'm1:2', b: 'm2:1'}
  - {a: 'm2:2', b: 'e2:1'}
  - {a: 'e1:2', b: 'm2:3', cost: 3}
  - {a: 'm1:3', b: 'e2:2', cost: 3}
  - {a: 'x:1', b: 'y:1'}
";

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn smoc(arguments: &[&str], path: &PathBuf, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_smoc")).args(arguments).arg(path).args(more).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn errors(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn diverse_avoids_the_trap_that_the_shortest_path_is() {
    let path = file("trap.yaml", TRAP);
    let ask = |policy| {
        json(&smoc(
            &["paths"],
            &path,
            &["--from", "e1", "--to", "e2", "-k", "2", "--policy", policy, "--format", "json"],
        ))
    };
    let diverse = ask("diverse");
    let costs = |paths: &Value| -> Vec<u64> {
        paths.as_array().unwrap().iter().map(|path| path["cost"].as_u64().unwrap()).collect()
    };
    assert_eq!(costs(&diverse), [4, 4]);
    assert_eq!(diverse[1]["shared_links"], 0);
    assert_eq!(costs(&ask("shortest")), [3, 4]);
    assert_eq!(costs(&ask("smoc")), [3, 4]);
    let keys: Vec<_> = diverse[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["cost", "links", "rank", "shared_links", "switches"]);
}

#[test]
fn a_limit_that_no_path_of_the_set_keeps_leaves_the_cheapest_path() {
    let path = file("stretch.yaml", TRAP);
    let ask = |from, to, limit| {
        let output = smoc(
            &["paths"],
            &path,
            &["--from", from, "--to", to, "-k", "2", "--max-stretch", limit, "--format", "json"],
        );
        assert!(output.stderr.is_empty());
        json(&output)
    };
    assert_eq!(ask("e1", "e2", "1.2")[0]["switches"], serde_json::json!(["e1", "m1", "m2", "e2"]));
    assert_eq!(ask("e2", "e1", "1.2")[0]["switches"], serde_json::json!(["e2", "m2", "m1", "e1"]));
    for (limit, paths) in [("1", 1), ("1.2", 1), ("1.33", 1), ("1.334", 2), ("2", 2)] {
        assert_eq!(ask("e1", "e2", limit).as_array().unwrap().len(), paths, "{limit}");
    }
}

#[test]
fn links_are_named_as_in_the_file_and_its_order_does_not_matter() {
    let ask = |name: &str, text: &str| {
        json(&smoc(&["paths"], &file(name, text), &["--from", "e2", "--to", "e1", "--format", "json"]))
    };
    let mut lines: Vec<_> = TRAP.lines().skip(1).collect();
    lines.reverse();
    let there = ask("order.yaml", TRAP);
    assert_eq!(there, ask("shuffled.yaml", &format!("links:\n{}\n", lines.join("\n"))));
    assert!(there.to_string().contains("e1:2-m2:3"));
    assert_eq!(there[0]["switches"][0], "e2");
}

#[test]
fn a_question_that_makes_no_sense_ends_with_2_and_says_why() {
    let path = file("sense.yaml", TRAP);
    for (arguments, answer) in [
        (&["--from", "e1", "--to", "nobody"][..], "no switch \"nobody\""),
        (&["--from", "e1", "--to", "e1"], "name two different switches"),
        (&["--from", "e1", "--to", "e2", "-k", "0"], "write a number from 1 to 64"),
        (&["--from", "e1", "--to", "e2", "-k", "-1"], "'-1' for '--count <N>': write a number from 1 to 64"),
        (&["--from", "e1", "--to", "e2", "--policy", "best"], "diverse, smoc, shortest"),
        (&["--from", "e1", "--to", "e2", "--max-stretch", "0.5"], "at least 1"),
        (&["--from", "e1", "--to", "e2", "--metric", "latency"], "has none"),
        (&["--from", "e1"], "--to"),
        (&[], "--from"),
    ] {
        let said = errors(&smoc(&["paths"], &path, arguments), 2);
        assert!(said.contains(answer), "{arguments:?}: {said}");
    }
    for cost in ["0", "-1", "4294967296", "18446744073709551616", "x"] {
        let text = TRAP.replace("cost: 3", &format!("cost: {cost}"));
        let said = errors(&smoc(&["paths"], &file("cost.yaml", &text), &["--from", "e1", "--to", "e2"]), 2);
        assert!(said.contains("cost.yaml:5: links[3].cost: "), "{said}");
    }
}

#[test]
fn switches_that_nothing_joins_have_no_paths_and_that_is_no_failure() {
    let path = file("pieces.yaml", TRAP);
    let output = smoc(&["paths"], &path, &["--from", "e1", "--to", "x", "--format", "json"]);
    assert_eq!(json(&output), Value::Array(Vec::new()));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no path joins e1 and x"));
    let said = errors(&smoc(&["check"], &path, &[]), 2);
    assert!(said.contains("pieces.yaml:7: links[5].a: the topology is in 2 pieces"), "{said}");
}

#[test]
fn check_says_which_ranks_fit_no_source_route() {
    let mut text = String::from("links:\n  - {a: 's00:2', b: 's07:2'}\n");
    for i in 0..7 {
        text += &format!("  - {{a: 's0{i}:1001', b: 's0{}:1000'}}\n", i + 1);
    }
    text += "hosts: [{name: a, port: 's00:5'}, {name: b, port: 's07:5'}]";
    assert!(smoc(&["check"], &file("fits.yaml", &text), &[]).status.success());
    let longer = text.replace("s07:", "s08:").replace("hosts", "  - {a: 's07:1001', b: 's08:1000'}\nhosts");
    let longer = longer.replace("'s06:1001', b: 's08:1000'", "'s06:1001', b: 's07:1000'");
    let said = errors(&smoc(&["check"], &file("misfit.yaml", &longer), &[]), 2);
    assert!(said.contains("s00 to s08: rank 1 needs 71 bits of the 62"), "{said}");
    assert!(said.contains("the shorter rank 0 remains"), "{said}");
    assert!(said.contains("misfit.yaml:2: links[0].a: "), "{said}");
}

#[test]
fn every_example_is_sound() {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            let output = smoc(&["check"], &path, &[]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn what_if_and_simulate_answer_in_json() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/fat-tree-k4.yaml");
    let answer = json(&smoc(&["what-if"], &path, &["--fail", "e11:1-a11:3", "--format", "json"]));
    assert_eq!((&answer["untouched_pairs"], &answer["gone_pairs"]), (&21.into(), &0.into()));
    assert_eq!(answer["pairs"].as_array().unwrap().len(), 7);
    let arguments = ["--subflows", "1,4", "--routing", "ecmp,diverse", "--seeds", "3", "--format", "json"];
    let answer = json(&smoc(&["simulate"], &path, &arguments));
    let share = |i: usize| answer[i]["mean_share"].as_f64().unwrap();
    assert_eq!(answer.as_array().unwrap().len(), 4);
    assert!(share(3) >= share(1) && share(3) <= 1.0 + 1e-9);
}

#[test]
fn what_if_tells_of_pairs_first_and_of_their_sums_last() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/fat-tree-k4.yaml");
    let ask = |fail: &[&str], format| {
        let output = smoc(&["what-if"], &path, &[&["--format", format, "--fail"], fail].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    // A core switch and an edge switch; an edge switch, which concerns no other pair; all edge switches but two.
    for fail in [&["c1", "e11"][..], &["e11"], &["e21", "e22", "e31", "e32", "e41", "e42"]] {
        let whole = ask(fail, "json");
        let answer: Value = serde_json::from_str(&whole).unwrap();
        assert_eq!(whole, serde_json::to_string_pretty(&answer).unwrap() + "\n");
        let pairs = answer["pairs"].as_array().unwrap();
        let count = |key: &str| answer[key].as_u64().unwrap();
        assert_eq!(count("untouched_pairs") + count("gone_pairs") + pairs.len() as u64, 28);
        let detours = |pair: &Value| pair["detours"].as_array().unwrap().clone();
        let broken: Vec<_> = pairs.iter().flat_map(detours).collect();
        let mended = broken.iter().filter(|detour| detour["problem"].is_null()).count();
        let table = ask(fail, "table");
        let mut sums = format!(
            "{} pairs keep all their paths, {} lose some, 0 are cut off, {} are gone with a switch\n",
            count("untouched_pairs"),
            pairs.len(),
            count("gone_pairs")
        );
        if !broken.is_empty() {
            let all = broken.len();
            sums += &format!(
                "{mended} of {all} broken paths, each direction by itself, have another rank or a detour\n"
            );
        }
        assert!(table.ends_with(&sums), "{table}{sums}");
        assert_eq!(table.matches(": rank ").count(), pairs.len());
    }
}

#[test]
fn simulate_lists_connections_only_where_asked_and_sums_the_same() {
    let path = file("listed.yaml", TRAP);
    let ask = |more: &[&str]| {
        let all = ["--traffic", "all-to-all", "--seeds", "2", "--subflows", "2", "--format", "json"];
        json(&smoc(&["simulate"], &path, &[&all, more].concat()))[0].clone()
    };
    let (brief, mut listed) = (ask(&[]), ask(&["--pairs"]));
    let pairs = listed.as_object_mut().unwrap().remove("pairs").unwrap();
    assert_eq!(brief, listed);
    // Six switches send to five others each, twice.
    let pairs = pairs.as_array().unwrap();
    assert_eq!(pairs.len(), 60);
    let mean = pairs.iter().map(|pair| pair["share"].as_f64().unwrap()).sum::<f64>() / 60.0;
    assert!((mean - brief["mean_share"].as_f64().unwrap()).abs() < 1e-9);
    let worst = pairs.iter().map(|pair| pair["share"].as_f64().unwrap()).fold(f64::INFINITY, f64::min);
    assert_eq!(worst, brief["worst_share"].as_f64().unwrap());
}

#[test]
fn the_usage_of_what_if_works() {
    let path = file("usage.yaml", TRAP);
    let said = errors(&smoc(&["what-if", "--fail", "m1"], &path, &[]), 2);
    assert!(said.contains("Usage: smoc what-if [OPTIONS] <TOPOLOGY> --fail <NAME>..."), "{said}");
    assert!(smoc(&["what-if"], &path, &["--fail", "m1", "e1:2-m2:3"]).status.success());
}

#[test]
fn topologies_larger_than_anyone_needs_are_refused() {
    let ask = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_smoc")).arg("topology").args(arguments).output().unwrap()
    };
    for k in ["0", "1", "3", "130", "18446744073709551615"] {
        let said = errors(&ask(&["--fat-tree", k]), 2);
        assert!(said.contains("write an even number from 2 to 128"), "{said}");
    }
    for n in ["0", "1", "20001", "18446744073709551615", "1e3"] {
        let said = errors(&ask(&["--wide-area", n]), 2);
        assert!(said.contains("write a number from 2 to 20000"), "{said}");
    }
    let topology = json(&ask(&["--wide-area", "3", "--format", "json"]));
    assert_eq!(topology["links"].as_array().unwrap().len(), 4);
}

#[test]
fn check_takes_every_format_that_paths_takes() {
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/diamond.yaml");
    let pieces = file("in-pieces.yaml", TRAP);
    for format in ["graphml", "node-link", "yaml", "json", "rfc8345"] {
        let converted = |path: &PathBuf, name: &str| {
            let output = smoc(&["topology", "--format", format], path, &[]);
            file(&format!("{name}.{format}"), &String::from_utf8(output.stdout).unwrap())
        };
        let output = smoc(&["check"], &converted(&example, "sound"), &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = errors(&smoc(&["check"], &converted(&pieces, "pieces"), &[]), 2);
        assert!(said.contains("the topology is in 2 pieces"), "{said}");
    }
    for (name, text) in
        [("scalar", "hello"), ("list", "- a"), ("other.yaml", "a: 1"), ("other.json", "{\"a\": 1}")]
    {
        let said = errors(&smoc(&["check"], &file(name, text), &[]), 2);
        assert!(said.contains(&format!("{name}: neither a topology")), "{said}");
    }
}

#[test]
fn questions_without_an_answer_end_with_0_and_a_note() {
    let apart = TRAP.to_owned() + "hosts: [{name: g, port: 'e1:9'}, {name: h, port: 'x:9'}]\n";
    let (apart, alone) =
        (file("apart.yaml", &apart), file("alone.yaml", "hosts: [{name: g, port: 'e1:9'}]\n"));
    let empty = file("empty.txt", "");
    let empty = empty.to_str().unwrap();
    for (verb, path, more, note) in [
        ("simulate", &apart, &[][..], "no path joins the hosts of 20 of 20 connections"),
        ("simulate", &apart, &["--traffic", empty], "the traffic has no connection"),
        ("paths", &apart, &["--all", "--diversity"], "no path joins 1 of the 1 pairs"),
        ("paths", &alone, &["--all", "--diversity"], "fewer than two switches have hosts"),
        ("paths", &alone, &["--all"], "fewer than two switches have hosts"),
        ("what-if", &alone, &["--fail", "e1"], "fewer than two switches have hosts"),
    ] {
        for format in ["table", "json"] {
            let output = smoc(&[verb, "--format", format], path, more);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.contains(note), "{verb} {more:?}: {said}");
            assert!(!String::from_utf8_lossy(&output.stdout).contains("-0."), "{verb} {more:?}");
        }
    }
}

#[test]
fn options_that_have_no_effect_together_are_refused() {
    let smoc = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_smoc")).args(arguments).output().unwrap();
        errors(&output, 2)
    };
    for option in ["-k=3", "--policy=smoc", "--protect=node", "--metric=hops", "--max-stretch=2", "--all"] {
        assert!(smoc(&["paths", "--live", option]).contains("cannot be used with"), "{option}");
    }
    assert!(smoc(&["topology", "--seed", "3"]).contains("--wide-area <N>"));
    assert!(smoc(&["topology", "--fat-tree", "4", "--seed", "3"]).contains("cannot be used with"));
    assert!(smoc(&["topology", "t.yaml", "--seed", "3"]).contains("cannot be used with"));
    assert!(smoc(&["simulate", "t.yaml", "--seeds", "1001"]).contains("write a number from 1 to 1000"));
    assert!(smoc(&["simulate", "t.yaml", "--subflows", "8,65"]).contains("write a number from 1 to 64"));
}

#[test]
fn the_examples_of_the_help_work() {
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_smoc")).args(arguments).current_dir(&repository).output().unwrap()
    };
    let asking: &[&str] = if cfg!(feature = "agent") { &["explain"] } else { &[] };
    for verb in ["paths", "check", "what-if", "simulate", "topology", "decode"].iter().chain(asking) {
        let help = String::from_utf8(run(&[verb, "--help"]).stdout).unwrap();
        let (_, examples) = help.split_once("Examples:\n").unwrap();
        let examples: Vec<&str> = examples.lines().filter_map(|line| line.strip_prefix("  smoc ")).collect();
        assert!(examples.len() > 1, "{verb}: {help}");
        for example in examples {
            let output = run(&example.split_whitespace().collect::<Vec<_>>());
            let offline = example.contains("examples/")
                || example.contains(" --fat-tree")
                || example.contains(" --wide");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() || !offline, "smoc {example}: {said}");
            assert!(!said.contains("Usage"), "smoc {example}: {said}");
        }
    }
}

/// Nodes with ids and labels, two of which cannot be a switch's name.
const LABELS: &str = r#"<graphml><key id="l" for="node" attr.name="label"/><graph edgedefault="undirected">
<node id="0"><data key="l">New York</data></node><node id="1"><data key="l">s2</data></node>
<node id="2"><data key="l">Den Haag</data></node><edge source="0" target="1"/><edge source="1" target="2"/>
<edge source="1" target="2"/></graph></graphml>"#;

#[test]
fn switches_are_found_by_the_labels_and_ids_of_the_file() {
    let path = file("labels.graphml", LABELS);
    for from in ["New York", "0", "New-York"] {
        let output = smoc(&["paths"], &path, &["--from", from, "--to", "2", "--format", "json"]);
        assert_eq!(json(&output)[0]["switches"], serde_json::json!(["New-York", "s2", "Den-Haag"]), "{from}");
        let notes = String::from_utf8_lossy(&output.stderr);
        assert_eq!(notes.lines().count(), 1, "{notes}");
        assert!(notes.contains("note: 2 names changed"), "{notes}");
    }
    for fail in ["New York-s2", "0-1", "s2-New-York", "New-York:1-s2:1"] {
        let output = smoc(&["what-if"], &path, &["--fail", fail, "--format", "json"]);
        assert_eq!(json(&output)["pairs"].as_array().unwrap().len(), 2, "{fail}");
    }
    let said = errors(&smoc(&["what-if"], &path, &["--fail", "s2-Den Haag"]), 2);
    assert!(said.trim_end().ends_with("has 2 links: name s2:2-Den-Haag:1 or s2:3-Den-Haag:2"), "{said}");
}

#[test]
fn an_error_is_the_last_line_and_all_that_is_said_of_a_refused_file() {
    let said = errors(
        &smoc(&["topology"], &file("faulty.graphml", &LABELS.replace("target=\"1\"", "target=\"9\"")), &[]),
        2,
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("faulty.graphml:3: edge 0 - 9: no node has the id 9"), "{said}");
    let said =
        errors(&smoc(&["paths"], &file("asked.graphml", LABELS), &["--from", "0", "--to", "Paris"]), 2);
    assert!(said.lines().last().unwrap().contains("no switch \"Paris\""), "{said}");
}

#[test]
fn without_hosts_every_verb_takes_all_switches_and_says_so() {
    let path = file("no-hosts.yaml", TRAP);
    for (verb, more) in [
        ("simulate", &["--pairs"][..]),
        ("paths", &["--all"]),
        ("what-if", &["--fail", "m1"]),
        ("check", &[]),
        ("topology", &[]),
    ] {
        let output = smoc(&[verb], &path, more);
        let said = [&output.stderr[..], &output.stdout[..]].concat();
        let said = String::from_utf8_lossy(&said);
        // Its network is in pieces, which check refuses before.
        let expected = if verb == "check" { "2 pieces" } else { "no hosts" };
        assert!(said.contains(expected), "{verb}: {said}");
    }
    let output = smoc(&["simulate", "--pairs", "--format", "json"], &path, &["--seeds", "1"]);
    assert_eq!(json(&output)[0]["pairs"].as_array().unwrap().len(), 6);
    let alone = file("one-host.yaml", "hosts: [{name: h1, port: 'e1:9'}]");
    let said = errors(&smoc(&["simulate"], &alone, &[]), 2);
    assert!(said.contains("add hosts: [{name: h2, port: "), "{said}");
}

#[test]
fn every_verb_says_what_a_file_is_that_it_cannot_read() {
    let configuration = "switch: e1\ntopology: t.yaml\nports: {1: p1}\n";
    for (name, text, answer) in [
        (
            "lfs.graphml",
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "Git LFS pointer",
        ),
        ("page.graphml", "<!DOCTYPE html>\n<html></html>", "web page"),
        ("other.xml", "<?xml version=\"1.0\"?><project/>", "the root element of this XML is <project>"),
        ("graph.dot", "digraph g {\n a -- b }", "graph.dot:2: not DOT: a digraph has ->"),
        ("edges.txt", "s1 s2\ns2 s3\n", "an edge list"),
        ("cut.json", "{\"nodes\": [{\"id\": \"s", "cut.json:1: not JSON: it ends within a string at column"),
        (
            "comma.json",
            "{\"nodes\": [],\n\"edges\": [],\n}",
            "comma.json:2: not JSON: trailing comma at column 12",
        ),
        ("own.yaml", "names: []\n", "neither a topology"),
        ("agent.yaml", configuration, "this is an agent's configuration"),
    ] {
        let path = file(name, text);
        for (verb, more) in [
            ("topology", &[][..]),
            ("paths", &["--all"]),
            ("simulate", &[]),
            ("what-if", &["--fail", "m1"]),
            ("check", &[]),
        ] {
            if verb == "check" && text == configuration {
                continue;
            }
            let said = errors(&smoc(&[verb], &path, more), 2);
            assert!(said.contains(answer), "{verb} {name}: {said}");
        }
    }
}

#[test]
fn a_lab_of_containerlab_is_no_configuration() {
    let text = "name: lab\ntopology:\n  nodes: {s1: {kind: linux}, s2: {kind: linux}}\n  links:\n    - endpoints: [\"s1:eth1\", \"s2:eth1\"]\n";
    let output = smoc(&["check"], &file("lab.clab.yml", text), &[]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("ok: 2 switches, 1 links"), "{output:?}");
    let bad = text.replace("s2:eth1", "s3:eth1");
    let said = errors(&smoc(&["check"], &file("bad.clab.yml", &bad), &[]), 2);
    assert!(said.contains("bad.clab.yml:5: edge s1 - s3: no node has the id s3"), "{said}");
}

/// Runs smoc with these bytes as its standard input.
fn piped(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smoc"));
    let pipes = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn every_verb_that_reads_a_file_takes_a_minus_for_standard_input() {
    for arguments in [
        &["check", "-"][..],
        &["paths", "-", "--from", "e1", "--to", "e2"],
        &["topology", "-", "--format", "yaml"],
        &["what-if", "-", "--fail", "m1"],
        &["simulate", "-", "--seeds", "1"],
    ] {
        let trap = &TRAP[..TRAP.find("  - {a: 'x").unwrap()];
        let output = piped(arguments, trap.as_bytes());
        assert!(output.status.success() && !output.stdout.is_empty(), "{arguments:?}: {output:?}");
        let faulty = errors(&piped(arguments, b"links: [{a: x}]"), 2);
        assert!(faulty.contains("standard input:1: links[0]"), "{arguments:?}: {faulty}");
    }
    let two = errors(&piped(&["simulate", "-", "--traffic", "-"], TRAP.as_bytes()), 2);
    assert!(two.contains("it can be read once only"), "{two}");
}

#[test]
fn topologies_may_be_packed_as_captures_may_be() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(b"links: [{a: 'e1:1', b: 'e2:1'}]").unwrap();
    let packed = packed.finish().unwrap();
    assert!(piped(&["check", "-"], &packed).status.success());
    let cut = errors(&piped(&["check", "-"], &packed[..packed.len() - 12]), 2);
    assert!(cut.contains("packed with gzip and cut off"), "{cut}");
}

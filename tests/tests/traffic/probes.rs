//! `smoc ping` and `smoc traceroute` along the paths of a lab. Needs root.

use anyhow::Result;
use serde_json::{Value, json};
use smoc_tests::lab::{Condition, Direction, Routing};
use smoc_tests::testing::{lab_for, options};

const PING: [&str; 9] = ["ping", "--to", "e2", "--rank", "1", "--count", "5", "--interval", "20"];
const TRACEROUTE: [&str; 5] = ["traceroute", "--to", "e2", "--rank", "1"];

#[test]
fn ping_and_traceroute_follow_a_path_and_name_where_it_ends() -> Result<()> {
    let test = "ping_and_traceroute_follow_a_path_and_name_where_it_ends";
    let Some(mut lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    let paths = lab.ask("e1", &["paths", "--live"])?;
    let path = &paths[0]["ranks"][1];
    let (through, second) = (path["switches"][1].as_str().unwrap(), path["links"][1].as_str().unwrap());

    let pinged = lab.ask("e1", &PING)?;
    assert_eq!((&pinged["to"], &pinged["rank"]), (&json!("e2"), &json!(1)));
    assert_eq!(pinged["switches"], path["switches"]);
    assert_eq!((&pinged["sent"], &pinged["loss"]), (&json!(5), &json!(0.0)), "{pinged:#}");
    assert!(pinged["min_ms"].as_f64() > Some(0.0), "{pinged:#}");
    let answers = |hop: &Value| {
        hop["round_trips_ms"].as_array().is_some_and(|times| times.iter().any(|time| !time.is_null()))
    };
    let hops = lab.ask("e1", &TRACEROUTE)?;
    assert_eq!((&hops[0]["switch"], &hops[1]["switch"]), (&json!(through), &json!("e2")), "{hops:#}");
    assert!(answers(&hops[0]) && answers(&hops[1]) && hops[2].is_null(), "{hops:#}");

    lab.set_link(second, Condition::Blackhole, Direction::Both)?;
    let pinged = lab.smoc("e1", &PING)?;
    assert_eq!(pinged.status.code(), Some(1));
    assert_eq!(serde_json::from_slice::<Value>(&pinged.stdout)?["loss"], json!(1.0));
    let traced = lab.smoc("e1", &TRACEROUTE)?;
    assert_eq!(traced.status.code(), Some(1));
    let hops: Value = serde_json::from_slice(&traced.stdout)?;
    assert!(answers(&hops[0]) && !answers(&hops[1]), "{hops:#}");
    let said = String::from_utf8_lossy(&traced.stderr);
    assert!(said.contains(&format!("the fault is between {through} and e2")), "{said}");

    let pinged = lab.ask("e1", &["ping", "--to", "e2", "--rank", "2", "--count", "1"])?;
    assert_eq!(pinged["loss"], json!(0.0), "another path is whole");
    Ok(())
}

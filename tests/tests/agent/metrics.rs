//! Metrics of a fabric, as the real Prometheus collects them. Needs root.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use smoc_tests::{
    command::run,
    lab::{Condition, Direction, Lab, Programs, store},
    testing::{RING_SWITCHES as SWITCHES, lab_for, ring_with_store, wait_until},
    traffic::{Amount, Family, Protocol, Transfer},
};

const PORT: u16 = 9852;
const TOKEN: &str = "only-who-knows-this";
const PROMETHEUS: &str = "127.0.0.1:9090";

/// What is only there once something has happened that does not happen here.
const RARE: [&str; 1] = ["smoc_port_round_trip_seconds"];

/// A Prometheus that ends with its owner.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Prometheus {
    /// Collects from all agents of the lab, once a second, in the management network.
    fn start(directory: &Path) -> Result<Self> {
        let mut configurations = Vec::new();
        for (place, switch) in SWITCHES.iter().enumerate() {
            let file = directory.join(format!("{switch}.yaml"));
            let listen = format!("{}:{PORT}", store::address(place));
            fs::write(
                &file,
                format!("switch: {switch}\nports: {{1: p1}}\nmetrics: {{listen: \"{listen}\"}}\n"),
            )?;
            configurations.push(file.display().to_string());
        }
        let token = directory.join("prometheus.token");
        fs::write(&token, TOKEN)?;
        let verb: Vec<&str> =
            ["scrape"].into_iter().chain(configurations.iter().map(String::as_str)).collect();
        let config = smoc_metrics(&verb)?.replace("scrape_interval: 10s", "scrape_interval: 1s").replace(
            "# authorization: {credentials_file: /etc/prometheus/smoc.token}",
            &format!("authorization: {{credentials_file: {}}} ", token.display()),
        );
        fs::write(directory.join("smoc-alerts.yaml"), smoc_metrics(&["alerts"])?)?;
        let file = directory.join("prometheus.yaml");
        fs::write(&file, config)?;
        run(Command::new("promtool").args(["check", "config"]).arg(&file))?;
        let log = File::create(directory.join("prometheus.log"))?;
        let mut command = store::namespace().command("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("series").display()))
            .arg(format!("--web.listen-address={PROMETHEUS}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(Self(command.spawn().context("start prometheus (Debian: apt-get install prometheus)")?))
    }

    /// The series of a query, with their values.
    fn query(&self, expression: &str) -> Result<Vec<(Value, f64)>> {
        let mut command = store::namespace().command("promtool");
        command.args(["query", "instant", "-o", "json", &format!("http://{PROMETHEUS}"), expression]);
        let answer: Value = serde_json::from_str(&run(&mut command)?)?;
        let series = answer.as_array().context("a list of series")?;
        let value = |series: &Value| series["value"][1].as_str()?.parse().ok();
        Ok(series.iter().filter_map(|series| Some((series["metric"].clone(), value(series)?))).collect())
    }

    /// The value of a query that has one series.
    fn number(&self, expression: &str) -> Result<f64> {
        let found = self.query(expression)?;
        let [(_, value)] = &found[..] else { anyhow::bail!("{expression}: {found:?}") };
        Ok(*value)
    }
}

/// What `smoc metrics` prints.
fn smoc_metrics(verb: &[&str]) -> Result<String> {
    run(Command::new(Programs::find()?.smoc).arg("metrics").args(verb))
}

fn document(verb: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(&smoc_metrics(verb)?)?)
}

/// What the dashboard asks where all switches are chosen and a minute is looked at, by title.
fn panels() -> Result<Vec<(String, String)>> {
    let dashboard = document(&["dashboard"])?;
    let panels = dashboard["panels"].as_array().context("panels")?.iter();
    let ask = |panel: &Value| {
        let expression = panel["targets"][0]["expr"].as_str()?;
        let plain = expression.replace("$instance", ".*").replace("$__rate_interval", "1m");
        Some((panel["title"].as_str()?.to_owned(), plain))
    };
    Ok(panels.filter_map(ask).collect())
}

/// The expressions of the alerts, by name.
fn alerts() -> Result<BTreeMap<String, String>> {
    let rules = document(&["alerts", "--format", "json"])?;
    let rules = rules["groups"][0]["rules"].as_array().context("rules")?.iter();
    let alert = |rule: &Value| Some((rule["alert"].as_str()?.to_owned(), rule["expr"].as_str()?.to_owned()));
    Ok(rules.filter_map(alert).collect())
}

fn fabric(test: &str, directory: &Path) -> Result<Option<Lab>> {
    let token = directory.join("metrics.token");
    fs::write(&token, format!("{TOKEN}\n"))?;
    let lines = format!(
        "metrics: {{listen: \"0.0.0.0:{PORT}\", unencrypted: true, token_file: {}}}\n",
        token.display()
    );
    lab_for(test, &ring_with_store(directory, &lines)?)
}

/// A short connection, by which the hosts become known, then a long one.
fn carry(lab: &Lab) -> Result<()> {
    let transfer = |amount| Transfer::between(lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.run();
    transfer(Amount::Bytes(1000))?;
    let knows_both = |switch| -> Result<bool> {
        Ok(lab.ask(switch, &["hosts"])?.as_array().is_some_and(|all| all.len() == 2))
    };
    wait_until(|| Ok(knows_both("a")? && knows_both("c")?))?;
    transfer(Amount::Time(Duration::from_secs(4)))?;
    Ok(())
}

#[test]
fn prometheus_collects_from_a_fabric_what_dashboard_and_alerts_ask_for() -> Result<()> {
    let test = "prometheus_collects_from_a_fabric_what_dashboard_and_alerts_ask_for";
    let directory = tempfile::tempdir()?;
    let Some(mut lab) = fabric(test, directory.path())? else { return Ok(()) };
    let prometheus = Prometheus::start(directory.path())?;
    wait_until(|| Ok(prometheus.query("up == 1").is_ok_and(|up| up.len() == SWITCHES.len())))
        .with_context(|| fs::read_to_string(directory.path().join("prometheus.log")).unwrap_or_default())?;
    carry(&lab)?;
    // The tables are read every 5 s.
    wait_until(|| Ok(prometheus.number("sum(smoc_path_transmit_bytes_total{instance=\"a\"})")? > 1e6))?;
    wait_until(|| Ok(prometheus.query("rate(smoc_frames_total[1m])")?.len() > SWITCHES.len()))?;

    let mut missing = BTreeSet::new();
    for (title, expression) in panels()? {
        if prometheus.query(&expression).with_context(|| title.clone())?.is_empty() {
            missing.insert(title);
        }
    }
    missing.retain(|name| !RARE.contains(&name.as_str()));
    ensure!(missing.is_empty(), "nothing is collected of {missing:?}");
    let alerts = alerts()?;
    for (name, expression) in &alerts {
        let found = prometheus.query(expression).with_context(|| name.clone())?;
        ensure!(found.is_empty(), "{name} in a fabric that is well: {found:?}");
    }

    let is = |expression: &str, expected: f64| -> Result<()> {
        let found = prometheus.number(expression)?;
        ensure!(found == expected, "{expression}: {found}");
        Ok(())
    };
    is("sum(smoc_agent_ready)", 3.0)?;
    is("smoc_edge_disjoint_paths{instance=\"a\", edge=\"c\"}", 2.0)?;
    is("count(smoc_port_info{instance=\"b\", role=\"fabric\"})", 2.0)?;
    is("sum(smoc_links{instance=\"a\", state=\"up\"})", 3.0)?;
    is("sum(smoc_notes_total{instance=\"a\", note=\"bound\"})", 2.0)?;
    ensure!(prometheus.number("sum(smoc_frames_total{instance=\"a\", outcome=\"established\"})")? > 100.0);
    for edge in ["a", "c"] {
        let handshakes = |part: &str| {
            let name = format!("smoc_path_handshake_seconds_{part}");
            prometheus.number(&format!("sum({name}{{instance=\"{edge}\", rank=\"0\"}})"))
        };
        wait_until(|| Ok(handshakes("count").is_ok_and(|count| count >= 1.0)))?;
        let mean = handshakes("sum")? / handshakes("count")?;
        ensure!(mean > 0.0 && mean < 1.0, "{edge}: {mean} s");
    }
    ensure!(prometheus.number("sum(smoc_port_receive_bytes_total{instance=\"a\", port=\"9\"})")? > 1e6);

    lab.set_link("a:1-b:1", Condition::Down, Direction::Both)?;
    wait_until(|| Ok(!prometheus.query(&alerts["SmocPortDown"])?.is_empty()))?;
    wait_until(|| Ok(prometheus.number("smoc_edge_disjoint_paths{instance=\"a\", edge=\"c\"}")? < 2.0))?;
    Ok(())
}

#[test]
fn metrics_are_on_the_agents_socket_and_over_tcp_only_for_who_has_the_token() -> Result<()> {
    let test = "metrics_are_on_the_agents_socket_and_over_tcp_only_for_who_has_the_token";
    let directory = tempfile::tempdir()?;
    let Some(lab) = fabric(test, directory.path())? else { return Ok(()) };
    let samples = lab.ask("a", &["metrics"])?;
    let names: BTreeSet<&str> =
        samples.as_array().context("samples")?.iter().filter_map(|sample| sample["name"].as_str()).collect();
    let listed = document(&["list", "--format", "json"])?;
    for metric in listed.as_array().context("a list")?.iter().filter(|metric| metric["labels"] == json!([])) {
        let name = metric["name"].as_str().context("a name")?;
        ensure!(names.contains(name), "{name} is missing");
    }
    ensure!(names.contains("smoc_control_event_seconds_bucket"), "{names:?}");

    let ask = |path: &str, header: &str| -> Result<String> {
        let script = format!(
            "exec 3<>/dev/tcp/{}/{PORT}; printf 'GET {path} HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n{header}\\r\\n' >&3; cat <&3",
            store::address(0)
        );
        run(store::namespace().command("bash").args(["-c", &script]))
    };
    let right = format!("Authorization: Bearer {TOKEN}\\r\\n");
    let answer = ask("/metrics", &right)?;
    ensure!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("application/openmetrics-text"),
        "{answer}"
    );
    ensure!(answer.contains("smoc_agent_info{switch=\"a\""), "{answer}");
    for (path, header, status) in [
        ("/metrics", "", "401"),
        ("/metrics", "Authorization: Bearer wrong\\r\\n", "401"),
        ("/status", right.as_str(), "404"),
        ("/drain", right.as_str(), "404"),
    ] {
        let answer = ask(path, header)?;
        ensure!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path} {header}: {answer}");
    }
    Ok(())
}

//! The whole fabric from one of its agents: the others are found, asked with token and TLS, and put together. Needs root.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use smoc_tests::command::run;
use smoc_tests::lab::{Lab, Programs, socket, store};
use smoc_tests::testing::{lab_for, ring_with_store, wait_until};
use smoc_tests::traffic::{Amount, Family, Protocol, Transfer};

/// Certificates for three switches, one of an authority that nobody believes, and two tokens.
const FILES: &str = r#"
curve="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
for authority in ca other; do
    openssl req -x509 $curve -days 2 -subj "/CN=$authority" -keyout $authority.key -out $authority.pem
done
for name in a b c; do
    openssl req $curve -subj "/CN=$name" -keyout $name.key -out $name.csr
    printf 'extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:%s\n' $name > $name.ext
    openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $name.ext -out $name.pem
done
openssl rand -hex 16 > token
openssl rand -hex 16 > wrong
"#;

/// Asks a's agent about all, from a place in the management network.
fn smoc(verb: &[&str]) -> Result<Output> {
    let mut command = store::namespace().command(&Programs::find()?.smoc.to_string_lossy());
    command.args(verb).arg("--api").arg(socket("a")).args(["--format", "json"]);
    command.output().context("run smoc")
}

fn ask(verb: &[&str]) -> Result<Value> {
    let output = smoc(verb)?;
    ensure!(output.status.success(), "{verb:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The status with which c's agent answers a request over TLS.
fn answer(ca: &str, request: &str, header: &str, body: &str) -> Result<String> {
    let place = format!("{}:9853", store::address(2));
    let mut command = store::namespace().command("openssl");
    command.args(["s_client", "-quiet", "-verify_return_error", "-servername", "c", "-CAfile", ca]);
    command.args(["-connect", &place]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().context("run openssl")?;
    let head = format!(
        "{request} HTTP/1.1\r\nHost: c\r\nConnection: close\r\nContent-Length: {}\r\n{header}\r\n\r\n",
        body.len()
    );
    child.stdin.take().context("its input")?.write_all((head + body).as_bytes())?;
    let said = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    Ok(said.split(' ').nth(1).unwrap_or_default().to_owned())
}

fn ring(test: &str, directory: &Path) -> Result<Option<Lab>> {
    let at = directory.display();
    let lines = format!(
        "fabric_api: {{listen: \"{{mgmt}}:9853\", token_file: {at}/token, ca: {at}/ca.pem, cert: {at}/{{switch}}.pem, key: {at}/{{switch}}.key}}\n"
    );
    run(Command::new("sh").args(["-euc", FILES]).current_dir(directory))?;
    lab_for(test, &ring_with_store(directory, &lines)?)
}

#[test]
fn one_agent_is_asked_and_all_others_are_found_and_believed_only_with_their_own_certificate() -> Result<()> {
    let test = "one_agent_is_asked_and_all_others_are_found_and_believed_only_with_their_own_certificate";
    let directory = tempfile::tempdir()?;
    let Some(mut lab) = ring(test, directory.path())? else { return Ok(()) };
    let amount = Amount::Time(Duration::from_secs(12));
    let transfer = Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.start()?;
    let is_whole = || -> Result<bool> {
        let conns = ask(&["fabric", "conns"])?;
        let connections = conns["connections"].as_array().context("connections")?;
        let both =
            connections.iter().filter(|it| it["switches"] == json!(["a", "c"]) && it["tokens"].is_array());
        let of_both = |it: &Value| {
            it["subflows"].as_array().is_some_and(|all| all.iter().all(|one| one["at"]["c"].is_object()))
        };
        Ok(both.filter(|it| of_both(it)).count() == 1
            && conns["silent"] == json!({})
            && conns["missing"] == json!([]))
    };
    wait_until(is_whole).with_context(|| format!("{:#}", ask(&["fabric", "conns"]).unwrap_or_default()))?;
    let paths = ask(&["fabric", "paths"])?;
    ensure!(paths["answered"] == json!(["a", "c"]) && paths["entries"][1]["switch"] == "c", "{paths:#}");
    let top = ask(&["top", "--fabric", "--once", "--interval", "500ms"])?;
    let ports =
        |switch: &str| top.as_array().map(|rows| rows.iter().filter(|row| row["switch"] == switch).count());
    ensure!(["a", "b", "c"].map(ports) == [Some(3), Some(2), Some(3)], "{top:#}");

    let file = |name: &str| directory.path().join(name).display().to_string();
    for (option, name, said) in [
        ("--token-file", "wrong", "token"),
        ("--ca", "other.pem", "certificate"),
        ("--ca", "none.pem", "No such file"),
    ] {
        let conns = ask(&["fabric", "conns", option, &file(name)])?;
        let why = conns["silent"]["c"].as_str().unwrap_or_default();
        ensure!(why.contains(said) && conns["answered"] == json!(["a"]), "{name}: {conns:#}");
    }
    let shown = format!("Authorization: Bearer {}", std::fs::read_to_string(file("token"))?.trim());
    let code = |request: &str, header: &str, body: &str| answer(&file("ca.pem"), request, header, body);
    ensure!(code("GET /status", "Accept: */*", "")? == "401", "without a token");
    ensure!(code("GET /status", &shown, "")? == "200", "with the token");
    for path in ["/drain", "/policy", "/policy/delete"] {
        let json = format!("{shown}\r\nContent-Type: application/json");
        let code = code(&format!("POST {path}"), &json, r#"{"target": "b"}"#)?;
        ensure!(
            code == "404" || code == "405",
            "{path}: {code}: what changes anything is on the socket only"
        );
    }
    lab.kill_agent("c")?;
    let conns = ask(&["fabric", "conns"])?;
    ensure!(conns["silent"]["c"].is_string() && conns["answered"] == json!(["a"]), "{conns:#}");
    transfer.finish()?;
    Ok(())
}

//! TLS with client certificates, and a role for each switch, set up as docs/store.md says.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use smoc_control::config::Etcd;

use crate::{
    Agent,
    server::{Cluster, Tls},
};

/// The commands of docs/store.md behind a heading: its first block of code.
fn documented(heading: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/store.md");
    let text = std::fs::read_to_string(file).unwrap();
    let section = text.split_once(&format!("\n### {heading}\n")).expect("the heading").1;
    let block = section.split_once("```sh\n").expect("a block of commands").1;
    block.split_once("```").unwrap().0.to_owned()
}

fn sh(script: &str, configure: impl FnOnce(&mut Command)) {
    let mut command = Command::new("sh");
    command.args(["-eu", "-c", script]).stdin(Stdio::null());
    configure(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// A member with the users and roles of the documentation: switches e1 and e2, and an operator ann.
pub fn secured(directory: &Path) -> (Cluster, Tls) {
    let tls = Tls { directory: directory.to_owned() };
    sh(&documented("Certificates"), |command| {
        command.current_dir(directory).env("SERVERS", "IP:127.0.0.1");
        command.env("SWITCHES", "e1 e2").env("OPERATORS", "ann");
    });
    let cluster = Cluster::start_secured(tls.clone());
    sh(&documented("Users and roles"), |command| {
        cluster.environment(command, &cluster.endpoint(0), "root");
        command.env("FABRIC", "lab").env("SWITCHES", "e1 e2").env("OPERATORS", "ann");
    });
    (cluster, tls)
}

#[tokio::test]
async fn each_switch_writes_its_own_records_and_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let (cluster, tls) = secured(directory.path());
    let file = |name: &str| tls.directory.join(name);
    let etcd = |user: &str, snapshot: &str| Etcd {
        endpoints: cluster.endpoints(),
        ca: Some(file("ca.pem")),
        identity: Some((file(&format!("{user}.pem")), file(&format!("{user}.key")))),
        lease: Duration::from_secs(10),
        snapshot: file(snapshot),
    };
    let mut e1 = Agent::start(&etcd("e1", "e1.snapshot"), "e1");
    let mut e2 = Agent::start(&etcd("e2", "e2.snapshot"), "e2");
    e1.say(&["e2"], 1);
    e2.say(&["e1"], 1);
    e1.until_said("e2", 1).await;
    e2.until_said("e1", 1).await;
    let mut forger = Agent::start(&etcd("e1", "forger.snapshot"), "e2");
    forger.say(&["e1"], 9);
    forger.until("is refused", |view| view.status.refusal.is_some()).await;
    let view = forger.view.borrow().clone();
    let refusal = view.status.refusal.clone().unwrap();
    assert!(refusal.contains("permission denied") && refusal.contains("docs/store.md"), "{refusal}");
    assert!(view.status.is_following, "it may read");
    assert_eq!(e1.view.borrow().facts.switches()["e2"].agent, "1");
}

#[tokio::test]
async fn without_the_right_certificate_the_agent_says_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let tls = Tls { directory: directory.path().to_owned() };
    sh(&documented("Certificates"), |command| {
        command
            .current_dir(&tls.directory)
            .env("SERVERS", "IP:127.0.0.1")
            .env("SWITCHES", "e1")
            .env("OPERATORS", "");
    });
    let cluster = Cluster::start_secured(tls.clone());
    let file = |name: &str| Some(tls.directory.join(name));
    let etcd = Etcd {
        endpoints: cluster.endpoints(),
        ca: file("ca.pem"),
        identity: None,
        lease: Duration::from_secs(10),
        snapshot: tls.directory.join("e1.snapshot"),
    };
    let unbelieved = Etcd { ca: file("e1.pem"), ..etcd.clone() };
    let missing = Etcd { ca: file("none.pem"), ..etcd.clone() };
    for (etcd, said) in
        [(etcd, "set cert and key"), (unbelieved, "ertificate"), (missing, "none.pem: No such file")]
    {
        let mut agent = Agent::start(&etcd, "e1");
        agent.until("says why", |view| view.status.error.is_some()).await;
        let error = agent.view.borrow().status.error.clone().unwrap();
        assert!(error.contains(said), "{error}");
    }
}

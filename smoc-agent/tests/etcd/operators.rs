//! What operators write into the store with `smoc`, and what becomes of it.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use smoc_control::{config::Shared, policy::stored, store::Key};

use crate::{
    fabric,
    security::secured,
    server::{Cluster, Tls},
};

/// Runs `smoc` at the store, as this user where there are users.
struct Operator<'a> {
    endpoints: String,
    tls: Option<(&'a Tls, &'a str)>,
    directory: &'a Path,
}

impl Operator<'_> {
    fn smoc(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smoc"));
        command.args(arguments).args(["--etcd", &self.endpoints, "--fabric", "lab"]);
        if let Some((Tls { directory }, user)) = self.tls {
            let file = |name: String| directory.join(name);
            command.arg("--ca").arg(file("ca.pem".into()));
            command.arg("--cert").arg(file(format!("{user}.pem")));
            command.arg("--key").arg(file(format!("{user}.key")));
        }
        command.current_dir(self.directory).stdin(Stdio::null()).output().unwrap()
    }

    fn does(&self, arguments: &[&str]) -> String {
        let output = self.smoc(arguments);
        let (said, error) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {said}{error}");
        said
    }

    /// Exit status and what is said of it.
    fn fails(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.smoc(arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", text(&output.stdout));
        (output.status.code(), text(&output.stderr))
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let with_format = [arguments, &["--format", "json"]].concat();
        serde_json::from_str(&self.does(&with_format)).unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn write(directory: &Path, name: &str, count: usize) {
    let rule = format!("rules: [{{name: {name}, between: [any, any], count: {count}}}]\n");
    std::fs::write(directory.join(format!("{name}.yaml")), rule).unwrap();
}

#[tokio::test]
async fn what_an_operator_writes_is_what_agents_read_and_no_other_operator_is_overwritten() {
    let (cluster, directory) = (Cluster::start(1), tempfile::tempdir().unwrap());
    let mut agents = fabric(&cluster, directory.path(), &["e1", "m1", "e2"]).await;
    let ann = Operator { endpoints: cluster.endpoint(0), tls: None, directory: directory.path() };
    write(directory.path(), "a", 2);
    write(directory.path(), "b", 3);
    assert!(ann.does(&["policy", "show"]).contains("no policy is in the store (revision 0)"));
    assert!(ann.does(&["policy", "apply", "a.yaml", "--revision", "0"]).contains("1 rule is in the store"));
    assert!(ann.does(&["policy", "apply", "a.yaml"]).contains("as before"));
    let key = Key::Policy("main".into());
    agents[0].until("the policy", |view| view.facts.operators().contains_key(&key)).await;
    let (all, problems) = stored(agents[0].view.borrow().facts.operators());
    assert_eq!((all[0].force.document.rules[0].count, problems.len()), (Some(2), 0));
    let revision = ann.json(&["policy", "show"])["revision"].to_string();
    assert!(ann.does(&["policy", "diff", "b.yaml"]).contains(&format!("against revision {revision}")));
    ann.does(&["policy", "apply", "b.yaml", "--revision", &revision]);
    let (status, why) = ann.fails(&["policy", "apply", "a.yaml", "--revision", &revision]);
    assert!(status == Some(1) && why.contains("another operator has written it meanwhile"), "{why}");
    let (status, why) = ann.fails(&["policy", "delete", "a"]);
    assert!(status == Some(2) && why.contains("no rule is called"), "{why}");
    assert!(ann.does(&["policy", "delete", "b"]).contains("no rule is in the store"));

    ann.does(&["fabric", "config", "set", "hellos.interval", "20ms"]);
    ann.does(&["fabric", "config", "set", "prefixes", "[10.0.0.0/16]"]);
    let said = ann.json(&["fabric", "config", "unset", "prefixes"]);
    assert_eq!(said["config"].to_string(), r#"{"hellos":{"interval":"20ms"}}"#);
    agents[1]
        .until("20 ms", |view| {
            let record = view.facts.operators().get(&Key::Config);
            record.is_some_and(|record| {
                Shared::parse(record).is_ok_and(|(shared, _)| shared.values().count() == 1)
            })
        })
        .await;
    for (arguments, said) in [
        (&["fabric", "config", "set", "hellos.interval", "20"][..], "has no unit"),
        (&["fabric", "config", "set", "switch", "e1"], "is not said for a whole fabric"),
        (&["fabric", "config", "unset", "spread"], "the fabric does not say it"),
        (&["fabric", "drain", "m7"], "no switch, port or link"),
        (&["policy", "apply", "none.yaml"], "none.yaml"),
    ] {
        let (status, why) = ann.fails(arguments);
        assert!(status == Some(2) && why.contains(said), "{arguments:?}: {why}");
    }

    let drained = ann.json(&["fabric", "drain", "m1:1", "--reason", "new fan"]);
    assert_eq!((&drained["target"], &drained["changed"]), (&"e1:1-m1:1".into(), &true.into()));
    let key = Key::Drain("e1:1-m1:1".into());
    agents[2].until("the order", |view| view.facts.operators().contains_key(&key)).await;
    assert_eq!(ann.json(&["fabric", "undrain", "e1:1-m1:1"])["changed"], true);
}

#[tokio::test]
async fn a_switch_may_not_do_what_operators_may_and_is_told_which_role_that_takes() {
    let directory = tempfile::tempdir().unwrap();
    let (cluster, tls) = secured(directory.path());
    write(directory.path(), "a", 2);
    let of = |user| Operator {
        endpoints: cluster.endpoint(0),
        tls: Some((&tls, user)),
        directory: directory.path(),
    };
    of("ann").does(&["policy", "apply", "a.yaml"]);
    of("ann").does(&["fabric", "config", "set", "spread", "flows"]);
    for arguments in [
        &["policy", "delete", "a"][..],
        &["fabric", "config", "set", "spread", "none"],
        &["policy", "delete", "--all"],
    ] {
        let (status, why) = of("e1").fails(arguments);
        assert!(status == Some(1) && why.contains("needs the role smoc-lab-operator"), "{why}");
    }
    let stranger = Operator { tls: None, ..of("ann") };
    let (status, why) = stranger.fails(&["policy", "show"]);
    assert!(status == Some(1) && why.contains("no member of etcd answers"), "{why}");
    let put = |key: &str, value: &str| {
        assert!(cluster.ctl(&["put", key, value]).status.success());
    };
    put("/smoc/lab/v1/config", r#"{"version":9,"compatible":9,"config":{}}"#);
    let (status, why) = of("ann").fails(&["fabric", "config", "set", "spread", "none"]);
    assert!(status == Some(1) && why.contains("version 9"), "{why}");
    assert!(of("ann").does(&["policy", "show", "--text"]).contains("count: 2"));
}

#[tokio::test]
async fn a_store_that_is_away_and_arguments_that_cannot_be_are_said() {
    let directory = tempfile::tempdir().unwrap();
    let at =
        |endpoints: &str| Operator { endpoints: endpoints.into(), tls: None, directory: directory.path() };
    let (status, why) = at("http://127.0.0.1:1,http://127.0.0.1:2").fails(&["policy", "show"]);
    assert_eq!(status, Some(1));
    assert!(why.contains("no member of etcd answers") && why.contains("127.0.0.1:2"), "{why}");
    let (status, why) = at("127.0.0.1:1").fails(&["policy", "show"]);
    assert!(status == Some(2) && why.contains("write http:// or https:// and host:port"), "{why}");
}
